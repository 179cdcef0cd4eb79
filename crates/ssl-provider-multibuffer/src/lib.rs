//! Multi-buffer RSA for any backend of ssl-provider: up to eight private operations at once, on
//! processors with AVX-512 IFMA or AVX-IFMA.
//!
//! [`MultiBuffer`] is a backend around another one. What the inner library does faster stays there:
//! a single operation in assembly, unless the primes have at most 768 bits, and keys whose longer
//! prime has 2073 to 2280 bits or more than 4152. So does everything but the RSA private operation,
//! and that too where the processor has neither. No library that Rust programs can depend on offers
//! this, which is why the arithmetic is here.
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
mod blocks;
mod engine;
mod key;
#[cfg(test)]
mod model;
mod montgomery;
mod number;
#[cfg(feature = "__probe")]
mod probe;
mod vector;

use ssl_provider_core::backend::{Composed, KeyExchangeBackend, RsaDecryption, RsaPrivateKey};
use ssl_provider_core::{
    Backend, BackendInfo, ConstantTime, Error, Operation, RsaInfo, RsaPrivateKeyDer, Support,
};

pub use crate::batcher::{BatchCounts, BatchSettings, Batcher, Collecting};
#[cfg(any(test, feature = "__probe"))]
pub use crate::engine::private_power;
#[cfg(feature = "__probe")]
pub use crate::probe::private_operations;
use crate::vector::{Avx512, AvxIfma};

/// Makes a type with an `inner` backend the part of it that loads RSA keys.
macro_rules! of_rsa_only {
    ($name:ident) => {
        impl KeyExchangeBackend for $name {
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
    };
}

use of_rsa_only;

/// A backend around another one, with a private operation that takes batches.
pub type MultiBuffer = Composed<Batches>;

/// What we claim of multi-buffer RSA: of the arithmetic alone, without the library that is inside.
pub const RSA_INFO: RsaInfo =
    RsaInfo::new("multi-buffer RSA of ssl-provider", ConstantTime::Claimed)
        .with_blinding(true)
        .with_fault_check(true);

/// Returns the name of the instructions that batches use on this processor, such as `AVX-IFMA`;
/// `None` if it has none of them.
pub fn instructions() -> Option<&'static str> {
    Processor::detect().map(Processor::name)
}

/// Puts multi-buffer RSA around a backend; returns `None` if this processor has no
/// [`instructions`] for it, or the backend no RSA private operation.
///
/// The new backend has the name of the inner one. It is another backend all the same: each refuses
/// the keys of the other. Of its RSA private operation it claims what [`RSA_INFO`] and the inner
/// one claim both, as either may run.
pub fn around(inner: &Backend) -> Option<MultiBuffer> {
    let processor = Processor::detect()?;
    let BackendInfo { name, provider_name, library, rsa, .. } = inner.info();
    let rsa = (*rsa)?;
    let what = match rsa.assembly {
        true => "batches of RSA, and all of it for short keys,",
        false => "RSA",
    };
    let library = format!("{library}, {what} by multi-buffer {}", processor.name());
    // None of it is FIPS validated.
    let both = RSA_INFO.of_both(rsa, "multi-buffer RSA of ssl-provider, and the library");
    let info = BackendInfo::new(name, provider_name, library).with_rsa(Some(both));
    let batches = Batches { processor, inner: inner.clone() };
    Some(Composed::new(info, batches, inner.clone()))
}

/// The kernels that ship, the fastest first.
#[derive(Clone, Copy, Debug)]
enum Processor {
    Avx512(Avx512),
    AvxIfma(AvxIfma),
}

impl Processor {
    fn detect() -> Option<Self> {
        Avx512::detect().map(Self::Avx512).or_else(|| AvxIfma::detect().map(Self::AvxIfma))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Avx512(_) => "AVX-512 IFMA",
            Self::AvxIfma(_) => "AVX-IFMA",
        }
    }
}

/// The part of [`MultiBuffer`] that is new: the loading of RSA keys.
#[derive(Debug)]
pub struct Batches {
    processor: Processor,
    inner: Backend,
}

of_rsa_only! { Batches }

impl RsaDecryption for Batches {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let single = self.inner.rsa_decryption().load(der)?;
        let library = self.inner.clone();
        let in_assembly = library.info().rsa.is_some_and(|rsa| rsa.assembly);
        Ok(match self.processor {
            Processor::Avx512(kernel) => {
                key::with_batches(kernel, der, single, library, in_assembly)
            }
            Processor::AvxIfma(kernel) => {
                key::with_batches(kernel, der, single, library, in_assembly)
            }
        })
    }
}
