//! Hashes of AWS-LC, at once and running, and the digests that HMAC and PRF take.
//! One context type serves every hash.

use std::alloc::{Layout, handle_alloc_error};
use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EVP_DigestFinal_ex, EVP_DigestInit_ex, EVP_DigestUpdate, EVP_MD, EVP_MD_CTX,
    EVP_MD_CTX_copy_ex, EVP_MD_CTX_free, EVP_MD_CTX_new, EVP_md5, EVP_sha1, EVP_sha256, EVP_sha384,
    EVP_sha512,
};

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, CompressionFunction, HashContext, Hashing};
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

use crate::compression::compression_function;
use crate::{AwsLc, prf, succeeded};

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
        prf::hmac(hash, key, input, out)
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        prf::prf(prf, secret, label, seed, out)
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
