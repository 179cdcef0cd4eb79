//! Signatures over digests: RSA PKCS#1 v1.5 and PSS by the `rsa` crate, ECDSA by `p256`, `p384` and
//! `p521`.

use std::fmt;

use getrandom::SysRng;
use p256::ecdsa::signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pss::Pss;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, SignatureKey, Signatures};
use ssl_provider_core::{
    Curve, EcPrivateKeyDer, Error, HashAlgorithm, InvalidKey, Operation, PublicKeyDer,
    PublicKeyParts, SignatureAlgorithm, SignatureScheme, SigningKeyDer,
};

use crate::RustCrypto;
use crate::rsa::{Key, failure, public_key};

/// Verifies an ECDSA signature with the crate of the curve; each has types of its own.
macro_rules! verify_ecdsa {
    ($curve:ident, $point:ident, $digest:ident, $signature:ident) => {{
        let key =
            $curve::ecdsa::VerifyingKey::from_sec1_bytes($point).map_err(|_| BAD_PUBLIC_KEY)?;
        $curve::ecdsa::Signature::from_der($signature)
            .and_then(|signature| key.verify_prehash($digest, &signature))
    }};
}

/// Evaluates an expression with the padding of an RSA scheme, each of which has a type of its own,
/// or the last expression for a scheme that is none or has none.
macro_rules! with_rsa_padding {
    ($scheme:ident, |$padding:ident| $work:expr, $otherwise:expr) => {{
        use HashAlgorithm as Hash;
        use SignatureAlgorithm::{RsaPkcs1, RsaPss};

        macro_rules! with {
            ($value:expr) => {{
                let $padding = $value;
                $work
            }};
        }

        match ($scheme.algorithm(), $scheme.hashes()) {
            (RsaPkcs1, [] | [Hash::Md5, Hash::Sha1]) => with!(Pkcs1v15Sign::new_unprefixed()),
            (RsaPkcs1, [Hash::Sha1]) => with!(Pkcs1v15Sign::new::<Sha1>()),
            (RsaPkcs1, [Hash::Sha256]) => with!(Pkcs1v15Sign::new::<Sha256>()),
            (RsaPkcs1, [Hash::Sha384]) => with!(Pkcs1v15Sign::new::<Sha384>()),
            (RsaPkcs1, [Hash::Sha512]) => with!(Pkcs1v15Sign::new::<Sha512>()),
            // With a salt as long as the hash.
            (RsaPss, [Hash::Sha256]) => with!(Pss::<Sha256>::new()),
            (RsaPss, [Hash::Sha384]) => with!(Pss::<Sha384>::new()),
            (RsaPss, [Hash::Sha512]) => with!(Pss::<Sha512>::new()),
            _ => $otherwise,
        }
    }};
}

impl Signatures for RustCrypto {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        match key.parts() {
            parts @ PublicKeyParts::Rsa { .. } => {
                let key = public_key(&parts)?;
                with_rsa_padding!(
                    scheme,
                    |padding| key.verify(padding, digest, signature),
                    return Err(Error::Unsupported(Operation::Verify(scheme)))
                )
                .map_err(|_| Error::BadSignature)
            }
            PublicKeyParts::Ec { curve, point } => match curve {
                Curve::P256 => verify_ecdsa!(p256, point, digest, signature),
                Curve::P384 => verify_ecdsa!(p384, point, digest, signature),
                Curve::P521 => verify_ecdsa!(p521, point, digest, signature),
            }
            .map_err(|_| Error::BadSignature),
            _ => Err(Error::Unsupported(Operation::Verify(scheme))),
        }
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        match key {
            SigningKeyDer::Rsa(key) => Ok(Box::new(Key::load(key)?)),
            SigningKeyDer::Ec(key) => load_ec(key),
            _ => Err(Error::Key(InvalidKey::NotRsaOrEc)),
        }
    }
}

impl SignatureKey for Key {
    /// Blinded and checked against faults, as decryption.
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        with_rsa_padding!(
            scheme,
            |padding| self.0.sign_with_rng(&mut SysRng, padding, digest).map_err(failure),
            Err(Error::Unsupported(Operation::Sign(scheme)))
        )
    }
}

/// A private key of ECDSA on one curve. The crates wipe it on drop.
///
/// One enum of all of them would be boxed as long as the longest, with what the stack held behind a
/// shorter key; that may be an earlier place of the same number.
struct EcKey<K>(K);

/// A key of one curve.
trait EcdsaKey: RandomizedPrehashSigner<Self::Der> + Send + Sync + 'static {
    /// A signature in DER.
    type Der: AsRef<[u8]>;
}

impl EcdsaKey for p256::ecdsa::SigningKey {
    type Der = p256::ecdsa::DerSignature;
}

impl EcdsaKey for p384::ecdsa::SigningKey {
    type Der = p384::ecdsa::DerSignature;
}

impl EcdsaKey for p521::ecdsa::SigningKey {
    type Der = p521::ecdsa::DerSignature;
}

fn load_ec(key: &EcPrivateKeyDer) -> Result<Box<dyn SignatureKey>, Error> {
    match key.curve() {
        Curve::P256 => p256::ecdsa::SigningKey::from_slice(key.number()).map(boxed),
        Curve::P384 => p384::ecdsa::SigningKey::from_slice(key.number()).map(boxed),
        Curve::P521 => p521::ecdsa::SigningKey::from_slice(key.number()).map(boxed),
    }
    .map_err(|_| Error::Key(InvalidKey::Inconsistent))
}

fn boxed(key: impl EcdsaKey) -> Box<dyn SignatureKey> {
    Box::new(EcKey(key))
}

impl<K> fmt::Debug for EcKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcKey").finish_non_exhaustive()
    }
}

impl<K: EcdsaKey> SignatureKey for EcKey<K> {
    fn sign(&self, _scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        sign_ecdsa(&self.0, digest)
    }
}

/// Signs with a hedged nonce: that of RFC 6979 with random data added (section 3.6), so that
/// neither repeated random numbers nor a fault while the same digest is signed again reveals the
/// key.
///
/// A digest shorter than the order must not be padded on the left: the crate then takes a nonce for
/// P-521 from all but its last 7 bits.
fn sign_ecdsa(key: &impl EcdsaKey, digest: &[u8]) -> Result<Vec<u8>, Error> {
    // Nothing else fails.
    let signature = key.sign_prehash_with_rng(&mut SysRng, digest).map_err(|_| Error::Random)?;
    Ok(signature.as_ref().to_vec())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    use ssl_provider_testkit::rsa_key::der;
    use ssl_provider_testkit::signature::ec_algorithm;

    /// PKCS#8 of the number 1 on a curve.
    pub(crate) fn private_key(curve: Curve) -> Vec<u8> {
        let mut number = vec![0; curve.coordinate_len()];
        if let Some(last) = number.last_mut() {
            *last = 1;
        }
        let sec1 = der(0x30, &[&[2, 1, 1], &der(4, &[&number])]);
        der(0x30, &[&[2, 1, 0], &ec_algorithm(curve.oid()), &der(4, &[&sec1])])
    }

    fn p521() -> EcPrivateKeyDer {
        EcPrivateKeyDer::from_der(&private_key(Curve::P521)).unwrap()
    }

    /// Equal nonces show in an equal first number, and two signatures with one reveal the key.
    #[test]
    fn nonces_differ_for_equal_digests() {
        let key = load_ec(&p521()).unwrap();
        let sign = || key.sign(SignatureScheme::EcdsaSha256, &[7; 32]).unwrap();
        let numbers = [(); 4].map(|()| {
            let signature = p521::ecdsa::Signature::from_der(&sign()).unwrap();
            signature.split_bytes().0
        });
        for (index, number) in numbers.iter().enumerate() {
            assert!(!numbers[..index].contains(number));
        }
    }

    /// What `sign_ecdsa` says of digests that are padded on the left. When this fails, the crate
    /// has changed.
    #[test]
    fn the_crate_ignores_the_last_bits_of_a_padded_digest() {
        use p256::ecdsa::signature::hazmat::PrehashSigner;

        let key = p521::ecdsa::SigningKey::from_slice(p521().number()).unwrap();
        let first_number = |digest: &[u8]| {
            let signature: p521::ecdsa::Signature = key.sign_prehash(digest).unwrap();
            signature.split_bytes().0
        };
        let (mut padded, mut other) = ([0; 66], [0; 66]);
        (padded[65], other[65]) = (1, 2);
        assert_eq!(first_number(&padded), first_number(&other));
        assert_ne!(first_number(&padded[34..]), first_number(&other[34..]));
    }
}
