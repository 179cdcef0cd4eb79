//! Verification of signatures by AWS-LC, over digests: RSA PKCS#1 v1.5 and PSS, and ECDSA.

use std::ptr::NonNull;

use aws_lc_sys::{
    CBS, ECDSA_verify, EVP_MD_type, EVP_PKEY, EVP_PKEY_free, EVP_PKEY_get0_EC_KEY,
    EVP_PKEY_get0_RSA, EVP_parse_public_key, RSA_NO_PADDING, RSA_PSS_SALTLEN_DIGEST, RSA_verify,
    RSA_verify_pss_mgf1, RSA_verify_raw,
};

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, Signatures};
use ssl_provider_core::{
    Error, MAX_MODULUS_LEN, Operation, PublicKeyDer, SignatureAlgorithm, SignatureScheme,
};

use crate::{AwsLc, failure, succeeded};

impl Signatures for AwsLc {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = Key::parse(key.der())?;
        let (len, signature_len) = (digest.len(), signature.len());
        let (data, signature) = (digest.as_ptr(), signature.as_ptr());
        let answer = match (scheme.algorithm(), scheme.hashes()) {
            (SignatureAlgorithm::Ecdsa, _) => {
                let ec = key.ec()?;
                // SAFETY: the key is live as long as `key`; the pointers are to as many bytes as
                // said. AWS-LC ignores the first argument.
                unsafe { ECDSA_verify(0, data, len, signature, signature_len, ec.as_ptr()) }
            }
            (SignatureAlgorithm::RsaPss, [hash]) => {
                let (rsa, hash) = (key.rsa()?.as_ptr(), crate::hash::digest(*hash)?);
                let salt = RSA_PSS_SALTLEN_DIGEST;
                // SAFETY: as above; the digest method is a constant of the library.
                unsafe {
                    RSA_verify_pss_mgf1(rsa, data, len, hash, hash, salt, signature, signature_len)
                }
            }
            (SignatureAlgorithm::RsaPkcs1, [hash]) => {
                let (rsa, hash) = (key.rsa()?.as_ptr(), crate::hash::digest(*hash)?);
                // SAFETY: the digest method is a constant of the library.
                let hash = unsafe { EVP_MD_type(hash) };
                // SAFETY: as for ECDSA.
                unsafe { RSA_verify(hash, data, len, signature, signature_len, rsa) }
            }
            (SignatureAlgorithm::RsaPkcs1, _) => {
                let rsa = key.rsa()?.as_ptr();
                let (mut block, mut block_len) = ([0; MAX_MODULUS_LEN], 0);
                let (out, room, out_len) = (block.as_mut_ptr(), block.len(), &raw mut block_len);
                let padding = RSA_NO_PADDING;
                // SAFETY: as for ECDSA; the output has as much room as said.
                let answer = unsafe {
                    RSA_verify_raw(rsa, out_len, out, room, signature, signature_len, padding)
                };
                // The block is not taken apart but made once more (RFC 8017 section 8.2.2).
                let padding = vec![0xff; block_len.saturating_sub(3 + len)];
                let expected = [&[0, 1], &padding[..], &[0], digest].concat();
                if answer == 1 && block.get(..block_len) != Some(&expected[..]) {
                    return Err(Error::BadSignature);
                }
                answer
            }
            _ => return Err(Error::Unsupported(Operation::Verify(scheme))),
        };
        succeeded(answer).map_err(|_| Error::BadSignature)
    }
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
