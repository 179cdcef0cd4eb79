//! Signatures of OpenSSL, over digests: RSA PKCS#1 v1.5 and PSS, and ECDSA.

use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey::{PKey, Private};
use openssl::pkey_ctx::{PkeyCtx, PkeyCtxRef};
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, SignatureKey, Signatures};
use ssl_provider_core::{
    Error, HashAlgorithm, InvalidKey, Operation, PublicKeyDer, SignatureAlgorithm, SignatureScheme,
    SigningKeyDer,
};

use crate::ec::{group, key_from_number};
use crate::{NAME, OpenSsl, failure, rsa};

impl Signatures for OpenSsl {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = PKey::public_key_from_der(key.der()).map_err(|_| BAD_PUBLIC_KEY)?;
        let hash = match scheme.hashes() {
            [hash] => Some(md(*hash).ok_or(Error::Unsupported(Operation::Verify(scheme)))?),
            _ => None,
        };
        let mut context = PkeyCtx::new(&key).map_err(failure)?;
        context.verify_init().map_err(failure)?;
        set_up(&mut context, hash, scheme.algorithm()).map_err(failure)?;
        // OpenSSL may have an error of its own for a signature that is not well formed.
        match context.verify(digest, signature) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::BadSignature),
        }
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        match key {
            SigningKeyDer::Rsa(der) => {
                let key = rsa::Key::load(der)?;
                Ok(Box::new(RsaKey(PKey::from_rsa(key.0).map_err(failure)?)))
            }
            SigningKeyDer::Ec(der) => {
                let group = group(der.curve().into()).ok_or(Error::Key(InvalidKey::Curve))?;
                let key = key_from_number(group, der.number()).map_err(failure)?;
                Ok(Box::new(EcdsaKey(key.ok_or(Error::Key(InvalidKey::Inconsistent))?)))
            }
            _ => Err(Error::Key(InvalidKey::NotRsaOrEc)),
        }
    }
}

/// An RSA key that signs. OpenSSL wipes it when it is freed.
struct RsaKey(PKey<Private>);

impl SignatureKey for RsaKey {
    /// Verifies before it returns: a signature that is wrong modulo one prime reveals the key
    /// (Boneh–DeMillo–Lipton). OpenSSL checks the result of the Chinese remainder theorem, but not
    /// the one that it then computes with d, which a fault in the modulus makes wrong too.
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let unsupported = Error::Unsupported(Operation::Sign(scheme));
        if !scheme.is_rsa() {
            return Err(unsupported);
        }
        let hash = match scheme.hashes() {
            [hash] => Some(md(*hash).ok_or(unsupported)?),
            _ => None,
        };
        let sign = || {
            let mut context = PkeyCtx::new(&self.0)?;
            context.sign_init()?;
            set_up(&mut context, hash, scheme.algorithm())?;
            let mut signature = vec![0; self.0.size()];
            let len = context.sign(digest, Some(&mut signature))?;
            signature.truncate(len);
            context.verify_init()?;
            set_up(&mut context, hash, scheme.algorithm())?;
            let verified = context.verify(digest, &signature)?;
            Ok((signature, verified))
        };
        match sign().map_err(failure)? {
            (signature, true) => Ok(signature),
            (_, false) => Err(FAULTY),
        }
    }
}

/// A key on a curve that signs. OpenSSL wipes it when it is freed.
struct EcdsaKey(EcKey<Private>);

impl SignatureKey for EcdsaKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        if scheme.algorithm() != SignatureAlgorithm::Ecdsa {
            return Err(Error::Unsupported(Operation::Sign(scheme)));
        }
        let signature = EcdsaSig::sign(digest, &self.0).map_err(failure)?;
        signature.to_der().map_err(failure)
    }
}

/// The signature does not verify, so the key in memory is faulty.
const FAULTY: Error = Error::Backend { backend: NAME, code: 0 };

ssl_provider_core::redacted_debug! { RsaKey { .. } EcdsaKey { .. } }

fn md(hash: HashAlgorithm) -> Option<&'static MdRef> {
    Some(match hash {
        HashAlgorithm::Md5 => Md::md5(),
        HashAlgorithm::Sha1 => Md::sha1(),
        HashAlgorithm::Sha256 => Md::sha256(),
        HashAlgorithm::Sha384 => Md::sha384(),
        HashAlgorithm::Sha512 => Md::sha512(),
        _ => return None,
    })
}

/// For RSA, PKCS#1 v1.5 is what OpenSSL does unless told otherwise, and without a hash it expects
/// no DigestInfo. MGF1 takes the hash of the signature.
fn set_up<T>(
    context: &mut PkeyCtxRef<T>,
    hash: Option<&MdRef>,
    algorithm: SignatureAlgorithm,
) -> Result<(), ErrorStack> {
    if let Some(hash) = hash {
        context.set_signature_md(hash)?;
    }
    if algorithm == SignatureAlgorithm::RsaPss {
        context.set_rsa_padding(Padding::PKCS1_PSS)?;
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OpenSSL computes a result that fails its check once more, with the private exponent modulo
    /// the same modulus, and does not check that.
    #[test]
    fn a_signature_with_a_fault_in_the_modulus_is_not_delivered() {
        use openssl::rsa::RsaPrivateKeyBuilder;
        use ssl_provider_core::RsaPrivateKeyDer;

        let der = include_bytes!("../../ssl-provider-testkit/keys/rsa-2048.der");
        let der = RsaPrivateKeyDer::from_der(der).unwrap();
        let with_modulus = |modulus: &[u8]| {
            let number = |bytes: &[u8]| rsa::secret(bytes).unwrap();
            let [p, q] = der.primes().map(number);
            let [dp, dq, qinv] = der.crt_parts().map(number);
            let [e, d] = [der.public_exponent(), der.private_exponent()].map(number);
            let key = RsaPrivateKeyBuilder::new(number(modulus), e, d).unwrap();
            let key = key.set_factors(p, q).unwrap().set_crt_params(dp, dq, qinv).unwrap();
            RsaKey(PKey::from_rsa(key.build()).unwrap())
        };
        let mut modulus = der.modulus().to_vec();
        let schemes = [
            (SignatureScheme::RsaMd5Sha1, 36),
            (SignatureScheme::RsaSha256, 32),
            (SignatureScheme::RsaPssSha256, 32),
        ];
        for (scheme, len) in schemes {
            with_modulus(&modulus).sign(scheme, &vec![1; len]).unwrap();
        }
        modulus[100] ^= 0x10;
        for (scheme, len) in schemes {
            let signed = with_modulus(&modulus).sign(scheme, &vec![1; len]);
            assert!(matches!(signed, Err(Error::Backend { .. })), "{scheme:?}: {signed:?}");
            assert!(ErrorStack::get().errors().is_empty());
        }
    }

    #[test]
    fn a_digest_that_is_too_long_for_the_modulus_fails_and_leaves_the_queue_empty() {
        let der = include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der");
        let key = OpenSsl.load(&SigningKeyDer::from_der(der).unwrap()).unwrap();
        for (scheme, len) in
            [(SignatureScheme::RsaWithoutDigestInfo, 118), (SignatureScheme::RsaPssSha512, 64)]
        {
            let failed = key.sign(scheme, &vec![1; len]);
            assert!(matches!(failed, Err(Error::Backend { code, .. }) if code != 0), "{failed:?}");
            assert!(ErrorStack::get().errors().is_empty());
        }
    }
}
