//! Multi-buffer RSA for any backend of ssl-provider: up to eight private operations at once, on
//! processors with AVX-512 IFMA. Up to four take less time than two by a fast library, and eight
//! less than four.
//!
//! [`MultiBuffer`] is a backend around another one. A single operation stays with the inner library
//! if that has it in assembly; where it is portable code, a batch of one is faster. Everything but
//! the RSA private operation stays there too, and so do keys that are not of about 1024, 2048 or
//! 3072 bits, and all keys where the processor has no AVX-512 IFMA. No library that Rust programs
//! can depend on offers this, which is why the arithmetic is here.
//!
//! [`BatchSettings`] is for servers in which each thread has one operation at a time: the backend
//! that it makes collects the operations of all threads into batches.
//!
//! # Trust
//!
//! Every result is raised to the public exponent and compared with the ciphertext. One that fails
//! is computed again by the inner library, so a fault of the arithmetic costs time, never a wrong
//! result. Ciphertexts are blinded. No step branches or indexes by a secret: exponents are read in
//! windows of fixed length, and each look-up reads the whole table.

mod batcher;
mod engine;
mod kernel;
mod key;
mod number;

use ssl_provider_core::backend::{
    Composed, KeyExchangeBackend, RsaDecryption, RsaPrivateKey, with_stack_wiped,
};
use ssl_provider_core::{Backend, BackendInfo, Error, Operation, RsaPrivateKeyDer, Support};

pub use crate::batcher::{BatchCounts, BatchSettings, Batcher, Collecting};
#[cfg(any(test, feature = "__probe"))]
pub use crate::engine::private_power;
use crate::kernel::Avx512;

/// A backend around another one, with a private operation that takes batches.
pub type MultiBuffer = Composed<Batches>;

/// Fewest operations that the engine is worth, around a library with assembly: a batch of up to
/// four takes less time than two of its own.
const WORTH_BESIDE_ASSEMBLY: usize = 2;

/// Fewest operations that the engine is worth, around a library in portable code.
const WORTH_BESIDE_PORTABLE_CODE: usize = 1;

/// Whether this processor can compute batches.
pub fn is_supported() -> bool {
    Avx512::detect().is_some()
}

/// Puts multi-buffer RSA around a backend; none where [`is_supported`] returns false, or where the
/// backend has no RSA private operation.
///
/// The new backend has the name of the inner one. It is another backend all the same: each refuses
/// the keys of the other.
pub fn around(inner: &Backend) -> Option<MultiBuffer> {
    let kernel = Avx512::detect()?;
    let BackendInfo { name, provider_name, library, rsa, .. } = inner.info();
    let (least, what) = match (*rsa)?.assembly {
        true => (WORTH_BESIDE_ASSEMBLY, "batches of RSA"),
        false => (WORTH_BESIDE_PORTABLE_CODE, "RSA"),
    };
    let library = format!("{library}, {what} by multi-buffer AVX-512 IFMA");
    // None of it is FIPS validated.
    let info = BackendInfo::new(name, provider_name, library).with_rsa(*rsa);
    let batches = Batches { kernel, inner: inner.clone(), least };
    Some(Composed::new(info, batches, inner.clone()))
}

/// The part of [`MultiBuffer`] that is new: the loading of RSA keys.
#[derive(Debug)]
pub struct Batches {
    kernel: Avx512,
    inner: Backend,
    /// Fewest operations that go to the engine.
    least: usize,
}

impl KeyExchangeBackend for Batches {
    fn info(&self) -> &BackendInfo {
        self.inner.info()
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::RsaDecryptRaw => self.inner.support(operation),
            _ => Support::Unsupported,
        }
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }
}

impl RsaDecryption for Batches {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let single = self.inner.rsa_decryption().load(der)?;
        Ok(with_stack_wiped::<_, { key::STACK_LEN }>(|| {
            key::with_batches(self.kernel, der, single, self.inner.clone(), self.least)
        }))
    }
}
