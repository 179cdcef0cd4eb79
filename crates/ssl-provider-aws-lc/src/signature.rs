//! Signatures of AWS-LC, over digests: RSA PKCS#1 v1.5 and PSS, and ECDSA.

use std::ptr::NonNull;

use aws_lc_sys::{
    CBS, ECDSA_sign, ECDSA_size, ECDSA_verify, EVP_MD_type, EVP_PKEY, EVP_PKEY_free,
    EVP_PKEY_get0_EC_KEY, EVP_PKEY_get0_RSA, EVP_parse_public_key, RSA_NO_PADDING,
    RSA_PSS_SALTLEN_DIGEST, RSA_sign, RSA_sign_pss_mgf1, RSA_sign_raw, RSA_verify,
    RSA_verify_pss_mgf1, RSA_verify_raw,
};

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, RsaPrivateKey, SignatureKey, Signatures};
use ssl_provider_core::{
    Error, InvalidKey, MAX_MODULUS_LEN, Operation, PublicKeyDer, SignatureAlgorithm,
    SignatureScheme, SigningKeyDer,
};

use crate::ec::{EcKey, group};
use crate::{AwsLc, failure, rsa, succeeded};

impl Signatures for AwsLc {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = PublicKey::parse(key.der())?;
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
                let expected = padded(digest, block_len);
                if answer == 1 && block.get(..block_len) != Some(&expected[..]) {
                    return Err(Error::BadSignature);
                }
                answer
            }
            _ => return Err(Error::Unsupported(Operation::Verify(scheme))),
        };
        succeeded(answer).map_err(|_| Error::BadSignature)
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        match key {
            SigningKeyDer::Rsa(der) => Ok(Box::new(rsa::Key::load(der)?)),
            SigningKeyDer::Ec(der) => {
                let group = group(der.curve().into()).ok_or(Error::Key(InvalidKey::Curve))?;
                let key = EcKey::from_number(group, der.number())?;
                Ok(Box::new(key.ok_or(Error::Key(InvalidKey::Inconsistent))?))
            }
            _ => Err(Error::Key(InvalidKey::NotRsaOrEc)),
        }
    }
}

impl SignatureKey for rsa::Key {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let mut signature = vec![0; self.modulus_len()];
        let (out, room) = (signature.as_mut_ptr(), signature.len());
        let (key, data, len) = (self.as_ptr(), digest.as_ptr(), digest.len());
        let mut written = 0;
        let answer = match (scheme.algorithm(), scheme.hashes()) {
            (SignatureAlgorithm::RsaPss, [hash]) => {
                let (hash, salt) = (crate::hash::digest(*hash)?, RSA_PSS_SALTLEN_DIGEST);
                let written = &raw mut written;
                // SAFETY: the key is live; the pointers are to a length, to as many writable and
                // readable bytes as said, and to digest methods, constants of the library.
                unsafe { RSA_sign_pss_mgf1(key, written, out, room, data, len, hash, hash, salt) }
            }
            (SignatureAlgorithm::RsaPkcs1, [hash]) => {
                let hash = crate::hash::digest(*hash)?;
                // SAFETY: the digest method is a constant of the library.
                let hash = unsafe { EVP_MD_type(hash) };
                let mut len_written = 0;
                // SAFETY: the key is live; the pointers are to as many readable bytes as said, to
                // as many writable ones as the modulus has, and to a length.
                let answer = unsafe { RSA_sign(hash, data, len, out, &raw mut len_written, key) };
                written = usize::try_from(len_written).unwrap_or(0);
                answer
            }
            // Without a hash, the block has the digest alone after its padding.
            (SignatureAlgorithm::RsaPkcs1, _) => {
                // Core has seen to it, so that eight bytes of padding are left.
                if len + 11 > room {
                    return Err(BAD_DIGEST_LEN);
                }
                let block = padded(digest, room);
                let (data, len) = (block.as_ptr(), block.len());
                let (written, padding) = (&raw mut written, RSA_NO_PADDING);
                // SAFETY: as for PSS.
                unsafe { RSA_sign_raw(key, written, out, room, data, len, padding) }
            }
            _ => return Err(Error::Unsupported(Operation::Sign(scheme))),
        };
        succeeded(answer)?;
        if written != room {
            return Err(BAD_SIGNATURE_LEN);
        }
        Ok(signature)
    }
}

impl SignatureKey for EcKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        if scheme.algorithm() != SignatureAlgorithm::Ecdsa {
            return Err(Error::Unsupported(Operation::Sign(scheme)));
        }
        // SAFETY: the key is live and has a curve.
        let mut signature = vec![0; unsafe { ECDSA_size(self.as_ptr()) }];
        let (out, data, len) = (signature.as_mut_ptr(), digest.as_ptr(), digest.len());
        let mut written = 0;
        // SAFETY: the key is live; the pointers are to `len` readable bytes, to as many writable
        // ones as AWS-LC has said, and to a length. AWS-LC ignores the first argument.
        succeeded(unsafe { ECDSA_sign(0, data, len, out, &raw mut written, self.as_ptr()) })?;
        signature.truncate(usize::try_from(written).map_err(|_| BAD_SIGNATURE_LEN)?);
        Ok(signature)
    }
}

/// The block of RSASSA-PKCS1-v1_5 with a digest alone behind the padding (RFC 8017 section 9.2).
fn padded(digest: &[u8], len: usize) -> Vec<u8> {
    let padding = vec![0xff; len.saturating_sub(3 + digest.len())];
    [&[0, 1], &padding[..], &[0], digest].concat()
}

/// Owns a public key.
pub(crate) struct PublicKey(NonNull<EVP_PKEY>);

impl PublicKey {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Error> {
        let mut input = CBS { data: der.as_ptr(), len: der.len() };
        // SAFETY: the pointer is to a reader of `der.len()` bytes.
        let key = unsafe { EVP_parse_public_key(&raw mut input) };
        // Core has checked the shape, so it is the numbers; the library's error adds nothing.
        NonNull::new(key).map(Self).ok_or_else(|| (failure(), BAD_PUBLIC_KEY).1)
    }

    /// The key as an RSA key, which this value goes on owning.
    pub(crate) fn rsa(&self) -> Result<NonNull<aws_lc_sys::RSA>, Error> {
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

impl Drop for PublicKey {
    fn drop(&mut self) {
        // SAFETY: the key is live and nobody else has the pointer.
        unsafe { EVP_PKEY_free(self.0.as_ptr()) };
    }
}

/// Core sees to the length of the digest.
const BAD_DIGEST_LEN: Error = Error::Internal("digest: too long for the modulus");

const BAD_SIGNATURE_LEN: Error =
    Error::Internal("the library wrote a signature that is not as long as the modulus");

#[cfg(test)]
mod tests {
    use super::*;

    use aws_lc_sys::ERR_peek_error;

    #[test]
    fn a_digest_that_is_too_long_for_the_modulus_fails_and_leaves_the_queue_empty() {
        let der = include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der");
        let key = AwsLc.load(&SigningKeyDer::from_der(der).unwrap()).unwrap();
        let failed = key.sign(SignatureScheme::RsaWithoutDigestInfo, &[1; 118]);
        assert_eq!(failed, Err(BAD_DIGEST_LEN));
        let failed = key.sign(SignatureScheme::RsaPssSha512, &[1; 64]);
        assert!(matches!(failed, Err(Error::Backend { code, .. }) if code != 0), "{failed:?}");
        // SAFETY: the call takes no pointer.
        assert_eq!(unsafe { ERR_peek_error() }, 0);
    }
}
