//! Hashes of OpenSSL, at once, running and inside out, on the contexts that are plain memory.
//! OpenSSL's newer interface looks algorithms up and allocates for every copy.
//!
//! An OpenSSL built without its deprecated functions does not link with this.

use std::ffi::{c_int, c_uchar, c_uint, c_void};
use std::fmt;
use std::mem::MaybeUninit;

use openssl_sys::{
    SHA_CTX, SHA1_Final, SHA1_Init, SHA1_Update, SHA256_CTX, SHA256_Final, SHA256_Init,
    SHA256_Update, SHA384_Final, SHA384_Init, SHA384_Update, SHA512_CTX, SHA512_Final, SHA512_Init,
    SHA512_Update,
};
use zeroize::zeroize_flat_type;

use ssl_provider_core::backend::{
    BAD_OUTPUT_LEN, CompressionFunction, HashContext, Hashing, HmacKey,
};
use ssl_provider_core::{Error, HashAlgorithm, Operation};

use crate::OpenSsl;
use crate::prf::Key;

impl Hashing for OpenSsl {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Ok(context(hash).ok_or(Error::Unsupported(Operation::Hash(hash)))?)
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        Ok(context(hash).ok_or(Error::Unsupported(Operation::CompressionFunction(hash)))?)
    }

    fn with_hmac_key(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        work: &mut dyn FnMut(&dyn HmacKey),
    ) -> Result<(), Error> {
        match hash {
            HashAlgorithm::Md5 => work(&Key::<Md5>::new(key)),
            HashAlgorithm::Sha1 => work(&Key::<Sha1>::new(key)),
            HashAlgorithm::Sha256 => work(&Key::<Sha256>::new(key)),
            HashAlgorithm::Sha384 => work(&Key::<Sha384>::new(key)),
            HashAlgorithm::Sha512 => work(&Key::<Sha512>::new(key)),
            _ => return Err(Error::Unsupported(Operation::Hmac(hash))),
        }
        Ok(())
    }
}

/// A context of OpenSSL, which serves as both.
trait HashAndCompression: HashContext + CompressionFunction {}

impl<D: Digest> HashAndCompression for Context<D> {}

/// Returns the context of a hash before any input, if OpenSSL has the hash.
fn context(hash: HashAlgorithm) -> Option<Box<dyn HashAndCompression>> {
    Some(match hash {
        HashAlgorithm::Md5 => Box::new(Context(Md5::new())),
        HashAlgorithm::Sha1 => Box::new(Context(Sha1::new())),
        HashAlgorithm::Sha256 => Box::new(Context(Sha256::new())),
        HashAlgorithm::Sha384 => Box::new(Context(Sha384::new())),
        HashAlgorithm::Sha512 => Box::new(Context(Sha512::new())),
        _ => return None,
    })
}

/// The state of a hash, wiped on drop.
pub(crate) trait Digest: Clone + Send + Sync + 'static {
    /// The hash.
    const HASH: HashAlgorithm;
    /// Length in bytes of the blocks that the hash works on.
    const BLOCK_LEN: usize;

    /// The state before any input.
    fn new() -> Self;

    /// Feeds `input`.
    fn update(&mut self, input: &[u8]);

    /// Writes the hash, in place, so that the state is wiped where it lies and no copy stays.
    /// The state is of no use afterwards.
    ///
    /// # Panics
    ///
    /// If `out` is not exactly of the hash's length.
    fn finish(&mut self, out: &mut [u8]);

    /// Writes the chaining value as the hash writes its result, as far as `out` goes.
    fn chaining_value(&self, out: &mut [u8]);
}

/// Defines the state of one hash, over a context of OpenSSL, the three functions on it, and the
/// words of its chaining value as bytes.
macro_rules! digest {
    ($name:ident, $context:ty, $block_len:literal, $init:ident, $update:ident, $finish:ident,
     $value:expr) => {
        #[derive(Clone)]
        pub(crate) struct $name($context);

        impl Digest for $name {
            const HASH: HashAlgorithm = HashAlgorithm::$name;
            const BLOCK_LEN: usize = $block_len;

            fn new() -> Self {
                let mut context = MaybeUninit::zeroed();
                // SAFETY: the pointer is to writable memory for one context. The call cannot fail.
                unsafe { $init(context.as_mut_ptr()) };
                // SAFETY: a context consists of integers, all of which have been set.
                Self(unsafe { context.assume_init() })
            }

            fn update(&mut self, input: &[u8]) {
                // SAFETY: the context has been set up, since there is no other way to make one; the
                // second pointer is to `input.len()` bytes. The call cannot fail.
                unsafe { $update(&raw mut self.0, input.as_ptr().cast(), input.len()) };
            }

            fn finish(&mut self, out: &mut [u8]) {
                assert_eq!(out.len(), Self::HASH.output_len());
                // SAFETY: `out` is writable and, as just checked, has room for the hash; the
                // context has been set up. The call cannot fail.
                unsafe { $finish(out.as_mut_ptr(), &raw mut self.0) };
            }

            fn chaining_value(&self, out: &mut [u8]) {
                let value: fn(&$context) -> _ = $value;
                for (to, from) in out.iter_mut().zip(value(&self.0).as_flattened()) {
                    *to = *from;
                }
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: a context consists of integers, which may be zero, and is not used again.
                unsafe { zeroize_flat_type(&raw mut self.0) };
            }
        }
    };
}

digest!(Md5, MD5_CTX, 64, MD5_Init, MD5_Update, MD5_Final, |context| context
    .state
    .map(u32::to_le_bytes));
digest!(Sha1, SHA_CTX, 64, SHA1_Init, SHA1_Update, SHA1_Final, |context| {
    [context.h0, context.h1, context.h2, context.h3, context.h4].map(u32::to_be_bytes)
});
digest!(Sha256, SHA256_CTX, 64, SHA256_Init, SHA256_Update, SHA256_Final, |context| context
    .h
    .map(u32::to_be_bytes));
digest!(Sha384, SHA512_CTX, 128, SHA384_Init, SHA384_Update, SHA384_Final, |context| context
    .h
    .map(u64::to_be_bytes));
digest!(Sha512, SHA512_CTX, 128, SHA512_Init, SHA512_Update, SHA512_Final, |context| context
    .h
    .map(u64::to_be_bytes));

/// OpenSSL's `MD5_CTX` of `openssl/md5.h`, which `openssl-sys` leaves out.
#[repr(C)]
#[derive(Clone)]
#[allow(clippy::upper_case_acronyms)]
struct MD5_CTX {
    state: [c_uint; 4],
    bit_len: [c_uint; 2],
    block: [c_uint; 16],
    block_len: c_uint,
}

unsafe extern "C" {
    fn MD5_Init(context: *mut MD5_CTX) -> c_int;
    fn MD5_Update(context: *mut MD5_CTX, data: *const c_void, len: usize) -> c_int;
    fn MD5_Final(out: *mut c_uchar, context: *mut MD5_CTX) -> c_int;
}

#[derive(Clone)]
struct Context<D>(D);

impl<D: Digest> HashContext for Context<D> {
    fn update(&mut self, input: &[u8]) {
        self.0.update(input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(self.clone())
    }

    fn finish(mut self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        if out.len() != D::HASH.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        self.0.finish(out);
        Ok(())
    }
}

/// A running hash that is fed whole blocks has taken them in, and nothing else.
impl<D: Digest> CompressionFunction for Context<D> {
    fn compress(&mut self, blocks: &[u8]) {
        self.0.update(blocks);
    }

    fn chaining_value(&self, out: &mut [u8]) {
        self.0.chaining_value(out);
    }
}

impl<D: Digest> fmt::Debug for Context<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", D::HASH.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use openssl::hash::MessageDigest;

    /// The contexts' layouts are ours to get right, so the other interface of the same library is
    /// asked too, around the lengths where a block fills up.
    #[test]
    fn both_interfaces_of_openssl_agree() {
        let input: Vec<u8> = (0..=255).cycle().take(300).collect();
        for (algorithm, other) in [
            (HashAlgorithm::Md5, MessageDigest::md5()),
            (HashAlgorithm::Sha1, MessageDigest::sha1()),
            (HashAlgorithm::Sha256, MessageDigest::sha256()),
            (HashAlgorithm::Sha384, MessageDigest::sha384()),
            (HashAlgorithm::Sha512, MessageDigest::sha512()),
        ] {
            for len in 0..input.len() {
                let (first, second) = input[..len].split_at(len / 3);
                let mut out = vec![0; algorithm.output_len()];
                OpenSsl.hash(algorithm, &[first, second], &mut out).unwrap();
                let expected = openssl::hash::hash(other, &input[..len]).unwrap();
                assert_eq!(out, *expected, "{} of {len} bytes", algorithm.name());
            }
        }
    }
}
