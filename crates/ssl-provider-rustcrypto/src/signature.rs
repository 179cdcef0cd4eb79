//! Verification of signatures over digests: RSA PKCS#1 v1.5 by the `rsa` crate, ECDSA by `p256`,
//! `p384` and `p521`.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::{BoxedUint, PublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, Signatures};
use ssl_provider_core::{Curve, Error, Operation, PublicKeyDer, PublicKeyParts, SignatureScheme};

use crate::RustCrypto;

impl Signatures for RustCrypto {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        verify(key, scheme, digest, signature)
    }
}

/// Verifies `signature` over `digest`.
pub(crate) fn verify(
    key: &PublicKeyDer<'_>,
    scheme: SignatureScheme,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    match key.parts() {
        PublicKeyParts::Rsa { modulus, exponent } => {
            let number = BoxedUint::from_be_slice_vartime;
            let key =
                PublicKey::new(number(modulus), number(exponent)).map_err(|_| BAD_PUBLIC_KEY)?;
            let padding = match scheme {
                SignatureScheme::RsaSha1 => Pkcs1v15Sign::new::<Sha1>(),
                SignatureScheme::RsaSha256 => Pkcs1v15Sign::new::<Sha256>(),
                SignatureScheme::RsaSha384 => Pkcs1v15Sign::new::<Sha384>(),
                SignatureScheme::RsaSha512 => Pkcs1v15Sign::new::<Sha512>(),
                SignatureScheme::RsaMd5Sha1 => Pkcs1v15Sign::new_unprefixed(),
                _ => return Err(Error::Unsupported(Operation::Verify(scheme))),
            };
            key.verify(padding, digest, signature).map_err(|_| Error::BadSignature)
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
                Curve::P256 => {
                    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point)
                        .map_err(|_| BAD_PUBLIC_KEY)?;
                    p256::ecdsa::Signature::from_der(signature)
                        .and_then(|signature| key.verify_prehash(digest, &signature))
                }
                Curve::P384 => {
                    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point)
                        .map_err(|_| BAD_PUBLIC_KEY)?;
                    p384::ecdsa::Signature::from_der(signature)
                        .and_then(|signature| key.verify_prehash(digest, &signature))
                }
                Curve::P521 => {
                    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point)
                        .map_err(|_| BAD_PUBLIC_KEY)?;
                    p521::ecdsa::Signature::from_der(signature)
                        .and_then(|signature| key.verify_prehash(digest, &signature))
                }
            }
            .map_err(|_| Error::BadSignature)
        }
        _ => Err(Error::Unsupported(Operation::Verify(scheme))),
    }
}
