//! A private key that hands batches to the engine of its size, and to a library what is too few.

use std::fmt;

use ssl_provider_core::backend::{RawDecryption, RsaPrivateKey, with_stack_wiped};
use ssl_provider_core::{Backend, Error, RsaPrivateKeyDer};

use crate::engine::Engine;
use crate::number::{HALF, LANES, QUARTER};
use crate::vector::Kernel;

/// Fewest operations that are worth a batch, in place of a library in portable code.
const MIN_BATCH_WITH_PORTABLE_CODE: usize = 1;

/// Wraps a key that a library, in assembly or not, has loaded; returns it as it is where no engine
/// has its size.
pub(crate) fn with_batches<K: Kernel>(
    kernel: K,
    der: &RsaPrivateKeyDer<'_>,
    single: Box<dyn RsaPrivateKey>,
    library: Backend,
    in_assembly: bool,
) -> Box<dyn RsaPrivateKey> {
    macro_rules! engines {
        ($($digits_of_primes:literal and $digits_of_modulus:literal,)*) => { $(
            if Engine::<K, $digits_of_primes, $digits_of_modulus>::takes(der) {
                return with_stack_wiped_for($digits_of_primes, || {
                    let engine =
                        Engine::<K, $digits_of_primes, $digits_of_modulus>::new(kernel, der);
                    let least = match in_assembly {
                        true => kernel.min_batch_with_assembly($digits_of_primes),
                        false => MIN_BATCH_WITH_PORTABLE_CODE,
                    };
                    let most_apart = match kernel.starts_two_a_cycle() {
                        true => least - 1,
                        false => QUARTER.max(least - 1),
                    };
                    Box::new(Key { engine, single, library, least, most_apart })
                });
            }
        )* };
    }
    // Moduli of 1024, 1536, 2048, 3072, 4096 and 8192 bits.
    engines! {
        10 and 20,
        15 and 30,
        20 and 40,
        30 and 60,
        40 and 80,
        80 and 160,
    }
    single
}

struct Key<K, const H: usize, const N: usize> {
    engine: Engine<K, H, N>,
    single: Box<dyn RsaPrivateKey>,
    /// For random numbers.
    library: Backend,
    /// Fewest operations that go to the engine.
    least: usize,
    /// Most operations that are left for later, where they exceed half of the lanes.
    most_apart: usize,
}

impl<K: Kernel, const H: usize, const N: usize> RsaPrivateKey for Key<K, H, N> {
    fn modulus_len(&self) -> usize {
        self.single.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.decrypt_raw_batch(&mut [RawDecryption { ciphertext, em }])
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let len = self.modulus_len();
        if jobs.iter().any(|job| job.ciphertext.len() != len || job.em.len() != len) {
            // The engine would read and write them as the same numbers; the library refuses them.
            return self.single.decrypt_raw_batch(jobs);
        }
        let random = |bytes: &mut [u8]| self.library.random().fill(bytes);
        let mut rest = jobs;
        while !rest.is_empty() {
            let (jobs, later) = rest.split_at_mut(batch_len(rest.len(), self.most_apart));
            rest = later;
            if jobs.len() < self.least {
                self.single.decrypt_raw_batch(jobs)?;
                continue;
            }
            let good = with_stack_wiped_for(H, || self.engine.decrypt(jobs, &random))?;
            for (job, _) in jobs.iter_mut().zip(good).filter(|(_, good)| !good) {
                self.single.decrypt_raw(job.ciphertext, job.em)?;
            }
        }
        Ok(())
    }
}

/// Returns how many of these operations to do next. Up to half of the lanes take half of the time,
/// so that few more than that are quicker apart.
fn batch_len(jobs: usize, most_apart: usize) -> usize {
    match jobs.min(LANES) {
        most if (HALF + 1..=HALF + most_apart).contains(&most) => HALF,
        most => most,
    }
}

/// Does `work`, and wipes the stack that a batch or the loading of a key takes, by the digits of
/// the primes: most of it is a table of 16 numbers in eight lanes. Wiping more takes time.
fn with_stack_wiped_for<T>(digits: usize, work: impl FnOnce() -> T) -> T {
    match digits {
        0..=10 => with_stack_wiped::<_, { STACK_LENS[0] }>(work),
        11..=20 => with_stack_wiped::<_, { STACK_LENS[1] }>(work),
        21..=40 => with_stack_wiped::<_, { STACK_LENS[2] }>(work),
        _ => with_stack_wiped::<_, { STACK_LENS[3] }>(work),
    }
}

/// Bytes of stack for primes of up to 10, 20, 40 and 80 digits; 80, 160, 320 and 640 KiB were seen
/// to be enough.
pub(crate) const STACK_LENS: [usize; 4] = [96 << 10, 192 << 10, 384 << 10, 768 << 10];

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
    use crate::vector::Portable;

    /// What the engine does not do, the fake does: it gives back the ciphertext.
    #[test]
    fn as_many_operations_as_the_engine_is_worth_go_there_and_fewer_to_the_library() {
        let key = TestKey::rsa_1024();
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        for (in_assembly, jobs, by_library) in [
            (false, 1, 0),
            (false, 9, 0),
            (true, 1, 1),
            (true, 2, 0),
            (true, 8, 0),
            (true, 9, 1),
            (true, 10, 0),
            // Half of the lanes, and one by the library.
            (true, 5, 1),
            (true, 6, 0),
            (true, 13, 1),
        ] {
            let fake = Fake::new().leak();
            let single = fake.rsa_decryption().load(&der).unwrap();
            let wrapped = with_batches(Portable, &der, single, fake.into(), in_assembly);
            let ciphertext = vec![0x11; key.len()];
            let mut blocks = vec![vec![0; key.len()]; jobs];
            let mut batch: Vec<_> =
                blocks.iter_mut().map(|em| RawDecryption { ciphertext: &ciphertext, em }).collect();
            match &mut batch[..] {
                [one] => wrapped.decrypt_raw(one.ciphertext, one.em).unwrap(),
                batch => wrapped.decrypt_raw_batch(batch).unwrap(),
            }
            let (engine, library) = blocks.split_at(jobs - by_library);
            assert!(
                engine.iter().all(|block| key.encrypt(block) == ciphertext),
                "{in_assembly}, {jobs}"
            );
            assert!(library.iter().all(|block| *block == ciphertext), "{in_assembly}, {jobs}");
            let asked = fake.log().iter().filter(|it| **it == Operation::RsaDecryptRaw).count();
            assert_eq!(asked, by_library, "{in_assembly}, {jobs}");
        }
    }

    #[test]
    fn operations_that_exceed_half_of_the_lanes_by_few_are_done_apart() {
        let cases = [
            (1, 2, 1),
            (4, 2, 4),
            (5, 0, 5),
            (5, 1, 4),
            (6, 1, 6),
            (6, 2, 4),
            (7, 2, 7),
            (8, 2, 8),
            (9, 2, 8),
            (13, 2, 8),
        ];
        for (jobs, most_apart, expected) in cases {
            assert_eq!(batch_len(jobs, most_apart), expected, "{jobs}, {most_apart}");
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
            with_batches(Portable, &der, single, fake.into(), false)
        };
        let (unwiped, wiped) = (
            Remains::of(|| drop(Box::new(Engine::<_, 10, 20>::new(Portable, &der)))),
            Remains::of(|| drop(load())),
        );
        assert_ne!(unwiped.found(&secrets), BTreeSet::new());
        assert_eq!(wiped.found(&secrets), BTreeSet::new());
        assert!(wiped.wiped_to_the_bottom());

        let block = Rng::new(97).bytes(key.len() - 1);
        let secrets = secrets.and("block", &block);
        let ciphertext = key.encrypt(&block);
        let engine = Box::new(Engine::<_, 10, 20>::new(Portable, &der));
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
