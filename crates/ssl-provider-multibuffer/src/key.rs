//! A private key that hands batches to the engine of its size, and to a library what is too few.

use std::fmt;

use ssl_provider_core::backend::{RawDecryption, RsaPrivateKey, with_stack_wiped};
use ssl_provider_core::{Backend, Error, RsaPrivateKeyDer};

use crate::engine::Engine;
use crate::kernel::Kernel;
use crate::number::LANES;

/// Wraps a key that a library has loaded, for batches of `least` operations and more; returns it as
/// it is where no engine has its size.
pub(crate) fn with_batches<K: Kernel>(
    kernel: K,
    der: &RsaPrivateKeyDer<'_>,
    single: Box<dyn RsaPrivateKey>,
    library: Backend,
    least: usize,
) -> Box<dyn RsaPrivateKey> {
    // Primes of 512, 1024 and 1536 bits. With more digits the kernel runs out of registers, and
    // libraries are faster.
    if let Some(engine) = Engine::<K, 10, 20>::new(kernel, der) {
        Box::new(Key { engine, single, library, least })
    } else if let Some(engine) = Engine::<K, 20, 40>::new(kernel, der) {
        Box::new(Key { engine, single, library, least })
    } else if let Some(engine) = Engine::<K, 30, 60>::new(kernel, der) {
        Box::new(Key { engine, single, library, least })
    } else {
        single
    }
}

struct Key<K, const H: usize, const N: usize> {
    engine: Engine<K, H, N>,
    single: Box<dyn RsaPrivateKey>,
    /// For random numbers.
    library: Backend,
    least: usize,
}

impl<K: Kernel, const H: usize, const N: usize> RsaPrivateKey for Key<K, H, N> {
    fn modulus_len(&self) -> usize {
        self.single.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.decrypt_raw_batch(&mut [RawDecryption { ciphertext, em }])
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let random = |bytes: &mut [u8]| self.library.random().fill(bytes);
        for jobs in jobs.chunks_mut(LANES) {
            if jobs.len() < self.least {
                self.single.decrypt_raw_batch(jobs)?;
                continue;
            }
            let good = with_stack_wiped::<_, STACK_LEN>(|| self.engine.decrypt(jobs, &random))?;
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

#[cfg(test)]
mod tests {
    use ssl_provider_core::Operation;
    use ssl_provider_core::backend::KeyExchangeBackend;
    use ssl_provider_testkit::fake::Fake;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;
    use crate::kernel::Portable;

    /// What the engine does not do, the fake does: it gives back the ciphertext.
    #[test]
    fn as_many_operations_as_the_engine_is_worth_go_there_and_fewer_to_the_library() {
        let key = TestKey::rsa_1024();
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        for (least, jobs, by_library) in
            [(1, 1, 0), (1, 9, 0), (2, 1, 1), (2, 2, 0), (2, 8, 0), (2, 9, 1), (2, 10, 0)]
        {
            let fake = Fake::new().leak();
            let single = fake.rsa_decryption().load(&der).unwrap();
            let wrapped = with_batches(Portable, &der, single, fake.into(), least);
            let ciphertext = vec![0x11; key.len()];
            let mut blocks = vec![vec![0; key.len()]; jobs];
            let mut batch: Vec<_> =
                blocks.iter_mut().map(|em| RawDecryption { ciphertext: &ciphertext, em }).collect();
            match &mut batch[..] {
                [one] => wrapped.decrypt_raw(one.ciphertext, one.em).unwrap(),
                batch => wrapped.decrypt_raw_batch(batch).unwrap(),
            }
            let (engine, library) = blocks.split_at(jobs - by_library);
            assert!(engine.iter().all(|block| key.encrypt(block) == ciphertext), "{least}, {jobs}");
            assert!(library.iter().all(|block| *block == ciphertext), "{least}, {jobs}");
            let asked = fake.log().iter().filter(|it| **it == Operation::RsaDecryptRaw).count();
            assert_eq!(asked, by_library, "{least}, {jobs}");
        }
    }

    /// The same without the wipe must be found, else this would hold for nothing.
    #[cfg(target_os = "linux")]
    #[test]
    fn no_number_is_left_on_the_stack() {
        use std::collections::BTreeSet;

        use ssl_provider_testkit::bytes::Rng;
        use ssl_provider_testkit::stack::{Remains, Secrets};

        let key = TestKey::rsa_1024();
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        let parts = key.parts();
        let secrets = Secrets::default()
            .and("p", &parts.p.to_bytes_be())
            .and("q", &parts.q.to_bytes_be())
            .and("q^-1 mod p", &parts.qinv.to_bytes_be());
        let fake = Fake::new().leak();
        let load = || {
            let single = fake.rsa_decryption().load(&der).unwrap();
            with_batches(Portable, &der, single, fake.into(), 1)
        };
        let (unwiped, wiped) = (
            Remains::of(|| drop(load())),
            Remains::of(|| drop(with_stack_wiped::<_, STACK_LEN>(load))),
        );
        assert_ne!(unwiped.found(&secrets), BTreeSet::new());
        assert_eq!(wiped.found(&secrets), BTreeSet::new());
        assert!(wiped.wiped_to_the_bottom());

        let block = Rng::new(97).bytes(key.len() - 1);
        let secrets = secrets.and("block", &block);
        let ciphertext = key.encrypt(&block);
        let engine = Box::new(Engine::<_, 10, 20>::new(Portable, &der).unwrap());
        let wrapped = load();
        let mut em = vec![0; key.len()];
        let unwiped = Remains::of(|| {
            let random = |bytes: &mut [u8]| fake.random().fill(bytes);
            let mut jobs = [RawDecryption { ciphertext: &ciphertext, em: &mut em }];
            engine.decrypt(&mut jobs, &random).unwrap();
        });
        let wiped = Remains::of(|| wrapped.decrypt_raw(&ciphertext, &mut em).unwrap());
        assert_ne!(unwiped.found(&secrets), BTreeSet::new());
        assert_eq!(wiped.found(&secrets), BTreeSet::new());
        assert!(wiped.wiped_to_the_bottom());
    }
}
