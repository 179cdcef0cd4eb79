//! A private key that hands batches to the engine of its size, and single operations to a library.

use std::fmt;

use ssl_provider_core::secret::on_wiped_stack;
use ssl_provider_core::{
    Error, KeyExchangeBackend, RawDecryption, RsaPrivateKey, RsaPrivateKeyDer,
};

use crate::engine::Engine;
use crate::kernel::Kernel;
use crate::number::LANES;

/// Fewest operations that a batch is worth: up to four take less time than two single ones.
const WORTH_A_BATCH: usize = 2;

/// Wraps a key that a library has loaded; gives it back as it is where no engine is for its size.
pub(crate) fn with_batches<K: Kernel>(
    kernel: K,
    der: &RsaPrivateKeyDer<'_>,
    single: Box<dyn RsaPrivateKey>,
    library: &'static dyn KeyExchangeBackend,
) -> Box<dyn RsaPrivateKey> {
    // Primes of 512, 1024 and 1536 bits. With more digits the kernel runs out of registers, and
    // libraries are faster.
    if let Some(engine) = Engine::<K, 10, 20>::new(kernel, der) {
        Box::new(Key { engine, single, library })
    } else if let Some(engine) = Engine::<K, 20, 40>::new(kernel, der) {
        Box::new(Key { engine, single, library })
    } else if let Some(engine) = Engine::<K, 30, 60>::new(kernel, der) {
        Box::new(Key { engine, single, library })
    } else {
        single
    }
}

struct Key<K, const H: usize, const N: usize> {
    engine: Engine<K, H, N>,
    single: Box<dyn RsaPrivateKey>,
    /// For random numbers.
    library: &'static dyn KeyExchangeBackend,
}

impl<K: Kernel, const H: usize, const N: usize> RsaPrivateKey for Key<K, H, N> {
    fn modulus_len(&self) -> usize {
        self.single.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.single.decrypt_raw(ciphertext, em)
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let random = |bytes: &mut [u8]| self.library.random(bytes);
        for jobs in jobs.chunks_mut(LANES) {
            if jobs.len() < WORTH_A_BATCH {
                self.single.decrypt_raw_batch(jobs)?;
                continue;
            }
            let good = on_wiped_stack::<_, STACK_LEN>(|| self.engine.decrypt(jobs, &random))?;
            for (job, _) in jobs.iter_mut().zip(good).filter(|(_, good)| !good) {
                self.single.decrypt_raw(job.ciphertext, job.em)?;
            }
        }
        Ok(())
    }
}

/// Bytes of stack that a batch or the loading of a key may use: a table of 16 numbers of 1536 bits
/// in eight lanes, the numbers around it, and copies that the compiler makes.
pub(crate) const STACK_LEN: usize = 320 * 1024;

impl<K: fmt::Debug, const H: usize, const N: usize> fmt::Debug for Key<K, H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("engine", &self.engine)
            .field("single", &self.single)
            .finish_non_exhaustive()
    }
}
