//! Verification of signatures by AWS-LC, over digests: RSA PKCS#1 v1.5, and ECDSA.

use std::ptr::NonNull;

use aws_lc_sys::{
    CBS, ECDSA_verify, EVP_PKEY, EVP_PKEY_free, EVP_PKEY_get0_EC_KEY, EVP_PKEY_get0_RSA,
    EVP_parse_public_key, NID_md5_sha1, NID_sha1, NID_sha256, NID_sha384, NID_sha512, RSA_verify,
};

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, Signatures};
use ssl_provider_core::{Error, Operation, PublicKeyDer, SignatureScheme};

use crate::{AwsLc, failure, succeeded};

impl Signatures for AwsLc {
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
    let key = Key::parse(key.der())?;
    let hash = match scheme {
        SignatureScheme::RsaMd5Sha1 => NID_md5_sha1,
        SignatureScheme::RsaSha1 | SignatureScheme::EcdsaSha1 => NID_sha1,
        SignatureScheme::RsaSha256 | SignatureScheme::EcdsaSha256 => NID_sha256,
        SignatureScheme::RsaSha384 | SignatureScheme::EcdsaSha384 => NID_sha384,
        SignatureScheme::RsaSha512 | SignatureScheme::EcdsaSha512 => NID_sha512,
        _ => return Err(Error::Unsupported(Operation::Verify(scheme))),
    };
    let (digest_len, signature_len) = (digest.len(), signature.len());
    let (digest, signature) = (digest.as_ptr(), signature.as_ptr());
    let answer = if scheme.is_rsa() {
        let rsa = key.rsa()?;
        // SAFETY: the key is live as long as `key`; the pointers are to as many bytes as said.
        unsafe { RSA_verify(hash, digest, digest_len, signature, signature_len, rsa.as_ptr()) }
    } else {
        let ec = key.ec()?;
        // SAFETY: as above. AWS-LC ignores its first argument.
        unsafe { ECDSA_verify(0, digest, digest_len, signature, signature_len, ec.as_ptr()) }
    };
    succeeded(answer).map_err(|_| Error::BadSignature)
}

/// Owns a public key.
struct Key(NonNull<EVP_PKEY>);

impl Key {
    fn parse(der: &[u8]) -> Result<Self, Error> {
        let mut input = CBS { data: der.as_ptr(), len: der.len() };
        // SAFETY: the pointer is to a reader of `der.len()` bytes.
        let key = unsafe { EVP_parse_public_key(&raw mut input) };
        // Core has checked the shape, so it is the numbers; the library's error adds nothing.
        NonNull::new(key).map(Self).ok_or_else(|| (failure(), BAD_PUBLIC_KEY).1)
    }

    /// The key as an RSA key, which this value goes on owning.
    fn rsa(&self) -> Result<NonNull<aws_lc_sys::RSA>, Error> {
        // SAFETY: the key is live.
        let rsa = unsafe { EVP_PKEY_get0_RSA(self.0.as_ptr()) };
        NonNull::new(rsa).ok_or_else(failure)
    }

    /// The key as a point on a curve, which this value goes on owning.
    fn ec(&self) -> Result<NonNull<aws_lc_sys::EC_KEY>, Error> {
        // SAFETY: the key is live.
        let ec = unsafe { EVP_PKEY_get0_EC_KEY(self.0.as_ptr()) };
        NonNull::new(ec).ok_or_else(failure)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the key is live and nobody else has the pointer.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}
