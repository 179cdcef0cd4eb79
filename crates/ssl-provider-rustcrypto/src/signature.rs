//! Verification of signatures over digests: RSA PKCS#1 v1.5 and PSS by the `rsa` crate, ECDSA by
//! `p256`, `p384` and `p521`.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::{BoxedUint, PublicKey};
use sha1::Sha1;
use sha2::digest::const_oid::AssociatedOid;
use sha2::digest::{Digest, FixedOutputReset};
use sha2::{Sha256, Sha384, Sha512};

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, Signatures};
use ssl_provider_core::{
    Curve, Error, HashAlgorithm, Operation, PublicKeyDer, PublicKeyParts, SignatureAlgorithm,
    SignatureScheme,
};

use crate::RustCrypto;

/// Verifies an ECDSA signature with the crate of the curve; each has types of its own.
macro_rules! verify_ecdsa {
    ($curve:ident, $point:ident, $digest:ident, $signature:ident) => {{
        let key =
            $curve::ecdsa::VerifyingKey::from_sec1_bytes($point).map_err(|_| BAD_PUBLIC_KEY)?;
        $curve::ecdsa::Signature::from_der($signature)
            .and_then(|signature| key.verify_prehash($digest, &signature))
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
            PublicKeyParts::Rsa { modulus, exponent } => {
                let number = BoxedUint::from_be_slice_vartime;
                let key = PublicKey::new(number(modulus), number(exponent))
                    .map_err(|_| BAD_PUBLIC_KEY)?;
                match scheme.hashes() {
                    [HashAlgorithm::Sha1] => verify_rsa::<Sha1>(&key, scheme, digest, signature),
                    [HashAlgorithm::Sha256] => {
                        verify_rsa::<Sha256>(&key, scheme, digest, signature)
                    }
                    [HashAlgorithm::Sha384] => {
                        verify_rsa::<Sha384>(&key, scheme, digest, signature)
                    }
                    [HashAlgorithm::Sha512] => {
                        verify_rsa::<Sha512>(&key, scheme, digest, signature)
                    }
                    [_] => return Err(Error::Unsupported(Operation::Verify(scheme))),
                    _ => key.verify(Pkcs1v15Sign::new_unprefixed(), digest, signature),
                }
                .map_err(|_| Error::BadSignature)
            }
            PublicKeyParts::Ec { curve, point } => {
                // The crates refuse a digest of less than half a coordinate; zeros before it change
                // nothing about its number (FIPS 186-5 section 6.4.2).
                let mut padded = [0; 66];
                let len = digest.len().max(curve.coordinate_len());
                let start = len - digest.len();
                padded[start..len].copy_from_slice(digest);
                let digest = &padded[..len];
                match curve {
                    Curve::P256 => verify_ecdsa!(p256, point, digest, signature),
                    Curve::P384 => verify_ecdsa!(p384, point, digest, signature),
                    Curve::P521 => verify_ecdsa!(p521, point, digest, signature),
                }
                .map_err(|_| Error::BadSignature)
            }
            _ => Err(Error::Unsupported(Operation::Verify(scheme))),
        }
    }
}

/// Verifies an RSA signature over a digest of the hash `D`.
fn verify_rsa<D: Digest + AssociatedOid + FixedOutputReset>(
    key: &PublicKey,
    scheme: SignatureScheme,
    digest: &[u8],
    signature: &[u8],
) -> rsa::errors::Result<()> {
    match scheme.algorithm() {
        SignatureAlgorithm::RsaPss => key.pss_verify_prehash::<D>(digest, signature),
        _ => key.verify(Pkcs1v15Sign::new::<D>(), digest, signature),
    }
}
