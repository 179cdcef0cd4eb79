//! The compression functions of AWS-LC, through the hash contexts that are plain memory.
//! A context that is fed whole blocks has taken them in, and nothing else.

use std::mem::MaybeUninit;

use aws_lc_sys::{
    MD5_CTX, MD5_Init, MD5_Update, SHA_CTX, SHA1_Init, SHA1_Update, SHA256_CTX, SHA256_Init,
    SHA256_Update, SHA384_Init, SHA384_Update, SHA512_CTX, SHA512_Init, SHA512_Update,
};
use zeroize::zeroize_flat_type;

use ssl_provider_core::backend::CompressionFunction;
use ssl_provider_core::{Error, HashAlgorithm, Operation};

/// A compression function with the first chaining value of its hash.
pub(crate) fn compression_function(
    hash: HashAlgorithm,
) -> Result<Box<dyn CompressionFunction>, Error> {
    Ok(match hash {
        HashAlgorithm::Md5 => Box::new(Md5::new()),
        HashAlgorithm::Sha1 => Box::new(Sha1::new()),
        HashAlgorithm::Sha256 => Box::new(Sha256::new()),
        HashAlgorithm::Sha384 => Box::new(Sha384::new()),
        HashAlgorithm::Sha512 => Box::new(Sha512::new()),
        _ => return Err(Error::Unsupported(Operation::CompressionFunction(hash))),
    })
}

/// Defines the state of one hash, over a context of AWS-LC, two functions on it, and how a word of
/// the chaining value becomes bytes. The state is wiped on drop.
macro_rules! state {
    ($name:ident, $context:ty, $init:ident, $update:ident, $to_bytes:path) => {
        struct $name($context);

        impl $name {
            fn new() -> Self {
                let mut context = MaybeUninit::zeroed();
                // SAFETY: the pointer is to writable memory for one context. The call cannot fail.
                unsafe { $init(context.as_mut_ptr()) };
                // SAFETY: a context consists of integers, all of which have been set.
                Self(unsafe { context.assume_init() })
            }
        }

        impl CompressionFunction for $name {
            fn compress(&mut self, blocks: &[u8]) {
                // SAFETY: the context has been set up, since there is no other way to make one; the
                // second pointer is to `blocks.len()` bytes. The call cannot fail.
                unsafe { $update(&raw mut self.0, blocks.as_ptr().cast(), blocks.len()) };
            }

            fn chaining_value(&self, out: &mut [u8]) {
                let value = self.0.h.map($to_bytes);
                for (to, from) in out.iter_mut().zip(value.as_flattened()) {
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

        ssl_provider_core::redacted_debug! { $name { .. } }
    };
}

state!(Md5, MD5_CTX, MD5_Init, MD5_Update, u32::to_le_bytes);
state!(Sha1, SHA_CTX, SHA1_Init, SHA1_Update, u32::to_be_bytes);
state!(Sha256, SHA256_CTX, SHA256_Init, SHA256_Update, u32::to_be_bytes);
state!(Sha384, SHA512_CTX, SHA384_Init, SHA384_Update, u64::to_be_bytes);
state!(Sha512, SHA512_CTX, SHA512_Init, SHA512_Update, u64::to_be_bytes);
