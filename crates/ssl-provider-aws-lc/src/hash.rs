//! Hashes of AWS-LC, at once and running, HMAC, and the TLS PRF and HKDF-Expand, which AWS-LC has
//! as a whole.
//! One context type serves every hash.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::{self, NonNull};

use aws_lc_sys::{
    CRYPTO_tls1_prf, EVP_DigestFinal_ex, EVP_DigestInit_ex, EVP_DigestUpdate, EVP_MD, EVP_MD_CTX,
    EVP_MD_CTX_copy_ex, EVP_MD_CTX_free, EVP_MD_CTX_new, EVP_md5, EVP_md5_sha1, EVP_sha1,
    EVP_sha256, EVP_sha384, EVP_sha512, HKDF_expand, HMAC_CTX, HMAC_CTX_free, HMAC_CTX_new,
    HMAC_Final, HMAC_Init_ex, HMAC_Update,
};

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, CompressionFunction, HashContext, Hashing};
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

use crate::compression::compression_function;
use crate::{AwsLc, succeeded};

impl Hashing for AwsLc {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        let digest = digest(hash)?;
        let mut context = Context::new(hash).ok_or(Error::NoMemory)?;
        // SAFETY: the context is live and ours, the digest is AWS-LC's, and null is for no engine.
        succeeded(unsafe { EVP_DigestInit_ex(context.as_ptr(), digest, ptr::null_mut()) })?;
        Ok(Box::new(context))
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        compression_function(hash)
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        if out.len() != hash.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        let digest = digest(hash).map_err(|_| Error::Unsupported(Operation::Hmac(hash)))?;
        let context = Hmac::new()?;
        let (key, key_len) = (key.as_ptr().cast(), key.len());
        // SAFETY: the context is live; the key's pointer is to `key_len` bytes and not null even
        // for none, which would mean the previous key; the digest is AWS-LC's; null is for no
        // engine.
        succeeded(unsafe {
            HMAC_Init_ex(context.0.as_ptr(), key, key_len, digest, ptr::null_mut())
        })?;
        for part in input {
            // SAFETY: the context is live and has a key; the pointer is to `part.len()` bytes.
            succeeded(unsafe { HMAC_Update(context.0.as_ptr(), part.as_ptr(), part.len()) })?;
        }
        // SAFETY: the context is live and has a key; the pointer is to as many writable bytes as
        // the hash has; null is for a length that is not needed.
        succeeded(unsafe { HMAC_Final(context.0.as_ptr(), out.as_mut_ptr(), ptr::null_mut()) })
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let digest = match prf {
            // SAFETY: the call takes no pointer.
            PrfAlgorithm::Md5Sha1 => unsafe { EVP_md5_sha1() },
            PrfAlgorithm::Sha256 => digest(HashAlgorithm::Sha256)?,
            PrfAlgorithm::Sha384 => digest(HashAlgorithm::Sha384)?,
            _ => return Err(Error::Unsupported(Operation::Prf(prf))),
        };
        let joined;
        let (first, second): (&[u8], &[u8]) = match seed {
            [] => (&[], &[]),
            [first] => (first, &[]),
            [first, second] => (first, second),
            [first, rest @ ..] => {
                // Seeds are randoms, hashes, versions and the contexts of exporters: none is a
                // secret.
                joined = rest.concat();
                (first, &joined)
            }
        };
        // SAFETY: each pointer is to as many bytes as the length after it says, `out` is writable
        // and overlaps none of the others, and the digest is AWS-LC's.
        succeeded(unsafe {
            CRYPTO_tls1_prf(
                digest,
                out.as_mut_ptr(),
                out.len(),
                secret.as_ptr(),
                secret.len(),
                label.as_ptr().cast(),
                label.len(),
                first.as_ptr(),
                first.len(),
                second.as_ptr(),
                second.len(),
            )
        })
    }

    fn hkdf_expand(
        &self,
        hash: HashAlgorithm,
        secret: &[u8],
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        if out.len() > 255 * hash.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        let digest = digest(hash).map_err(|_| Error::Unsupported(Operation::Hmac(hash)))?;
        // Labels and hashes of messages: none is a secret.
        let info = info.concat();
        // SAFETY: each pointer is to as many bytes as the length after it says, `out` is writable
        // and overlaps none of the others, and the digest is AWS-LC's.
        succeeded(unsafe {
            HKDF_expand(
                out.as_mut_ptr(),
                out.len(),
                digest,
                secret.as_ptr(),
                secret.len(),
                info.as_ptr(),
                info.len(),
            )
        })
    }
}

/// The digest of AWS-LC for a hash: a constant of the library.
pub(crate) fn digest(hash: HashAlgorithm) -> Result<*const EVP_MD, Error> {
    Ok(match hash {
        // SAFETY: the call takes no pointer; so do those below.
        HashAlgorithm::Md5 => unsafe { EVP_md5() },
        // SAFETY: as above.
        HashAlgorithm::Sha1 => unsafe { EVP_sha1() },
        // SAFETY: as above.
        HashAlgorithm::Sha256 => unsafe { EVP_sha256() },
        // SAFETY: as above.
        HashAlgorithm::Sha384 => unsafe { EVP_sha384() },
        // SAFETY: as above.
        HashAlgorithm::Sha512 => unsafe { EVP_sha512() },
        _ => return Err(Error::Unsupported(Operation::Hash(hash))),
    })
}

/// Owns a context. AWS-LC wipes what it frees.
struct Context {
    context: NonNull<EVP_MD_CTX>,
    hash: HashAlgorithm,
}

// SAFETY: the context is on the heap, belongs to this value alone, and AWS-LC ties nothing in it to
// a thread.
unsafe impl Send for Context {}

// SAFETY: through a shared reference the context is only copied from, and AWS-LC does not write to
// the source of a copy, which it takes as const.
unsafe impl Sync for Context {}

impl Context {
    /// An empty context, or nothing when memory has run out.
    fn new(hash: HashAlgorithm) -> Option<Self> {
        // SAFETY: the call takes no pointer.
        let context = NonNull::new(unsafe { EVP_MD_CTX_new() })?;
        Some(Self { context, hash })
    }

    fn as_ptr(&mut self) -> *mut EVP_MD_CTX {
        self.context.as_ptr()
    }
}

impl HashContext for Context {
    fn update(&mut self, input: &[u8]) {
        // It returns one always, as its documentation says.
        // SAFETY: the context is live and set up; the pointer is to `input.len()` bytes.
        unsafe { EVP_DigestUpdate(self.as_ptr(), input.as_ptr().cast(), input.len()) };
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        let copied = Self::new(self.hash).filter(|copy| {
            // SAFETY: both contexts are live, the second is set up, and they are not the same.
            unsafe { EVP_MD_CTX_copy_ex(copy.context.as_ptr(), self.context.as_ptr()) == 1 }
        });
        // A copy fails only when memory has run out; that ends the process, as for any `Box`.
        Box::new(copied.unwrap_or_else(|| handle_alloc_error(Layout::new::<EVP_MD_CTX>())))
    }

    fn finish(mut self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        if out.len() != self.hash.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        // SAFETY: the context is live and set up; the pointer is to as many writable bytes as the
        // hash has; null is for a length that is not needed.
        succeeded(unsafe { EVP_DigestFinal_ex(self.as_ptr(), out.as_mut_ptr(), ptr::null_mut()) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is live and nobody else has the pointer.
        unsafe { EVP_MD_CTX_free(self.as_ptr()) };
    }
}

ssl_provider_core::redacted_debug! { Context { hash, .. } }

/// Owns an HMAC context. AWS-LC wipes what it frees.
struct Hmac(NonNull<HMAC_CTX>);

impl Hmac {
    fn new() -> Result<Self, Error> {
        // SAFETY: the call takes no pointer.
        NonNull::new(unsafe { HMAC_CTX_new() }).map(Self).ok_or(Error::NoMemory)
    }
}

impl Drop for Hmac {
    fn drop(&mut self) {
        // SAFETY: the context is live and nobody else has the pointer.
        unsafe { HMAC_CTX_free(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_in_parts_is_the_seed_in_one() {
        let seed: Vec<u8> = (0..40).collect();
        for algorithm in PrfAlgorithm::ALL {
            let mut whole = [0; 100];
            AwsLc.prf(algorithm, b"secret", b"label", &[&seed], &mut whole).unwrap();
            for part_len in [1, 7, 20, 39] {
                let parts: Vec<&[u8]> = seed.chunks(part_len).collect();
                let mut out = [0; 100];
                AwsLc.prf(algorithm, b"secret", b"label", &parts, &mut out).unwrap();
                assert_eq!(out, whole, "{algorithm:?} in parts of {part_len}");
            }
        }
    }
}
