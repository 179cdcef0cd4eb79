//! Multi-buffer RSA compared with the library that it is around, on random and on awkward
//! ciphertexts, with every size of key. `cargo xtask multi-buffer check` runs it for minutes.

#![cfg(all(feature = "multi-buffer", feature = "aws-lc"))]

use std::env;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use num_bigint::BigUint;
use ssl_provider::backend::{RawDecryption, RsaPrivateKey};
use ssl_provider::{Backend, RsaPrivateKeyDer, backend, with_multi_buffer};
use ssl_provider_testkit::bytes::{Rng, to_hex};
use ssl_provider_testkit::diagnostics::{CPU_FEATURES, not_tested_without, progress};
use ssl_provider_testkit::rsa_key::{KeyParts, TestKey};

/// The variable with the number of private operations with each key.
const COUNT: &str = "SSL_PROVIDER_DECRYPTIONS";

/// The number without it.
const FEW: u64 = 100;

/// A number of operations whose progress is shown.
const MANY: u64 = 10_000;

/// The most ciphertexts in a batch: three times as many as there are lanes.
const BATCH: u64 = 24;

#[test]
fn decryptions_are_those_of_the_library() {
    let Some((library, around)) = backends() else { return };
    let count = env::var(COUNT).map_or(FEW, |count| count.parse().expect("a number"));
    for key in keys() {
        let (batches, single) = (load(&around, &key), load(&library, &key));
        // One operation takes as long as two hundred with 1024 bits.
        let count = if key.len() > 512 { (count / 100).max(BATCH) } else { count };
        compare(&key, &*batches, &*single, count).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// If the comparison could not find a wrong result, the other test would hold for nothing.
#[test]
fn decryptions_with_another_key_are_found_to_differ() {
    let Some((library, around)) = backends() else { return };
    let [one, other] = [TestKey::rsa_2048(), TestKey::rsa_2048_p_lt_q()];
    // Ciphertexts must be below both moduli.
    let (smaller, larger) =
        if one.modulus() < other.modulus() { (one, other) } else { (other, one) };
    let (batches, single) = (load(&around, &larger), load(&library, &smaller));
    let error = compare(&smaller, &*batches, &*single, 1).unwrap_err();
    assert!(error.contains("differs"), "{error}");
}

#[test]
fn lengths_are_those_of_the_modulus() {
    let Some((_, around)) = backends() else { return };
    ssl_provider_testkit::cases::rsa::rsa_lengths_are_checked(&around);
}

/// The library, and multi-buffer RSA around it.
fn backends() -> Option<(Backend, Backend)> {
    let library = backend("aws-lc").expect("the feature is on");
    let around = with_multi_buffer(&library);
    if around.is_none() {
        not_tested_without(&CPU_FEATURES, "multi-buffer RSA");
    }
    around.map(|around| (library, around))
}

/// A key of each size, with each kind of exponent and primes.
fn keys() -> Vec<TestKey> {
    let mut keys = vec![
        TestKey::rsa_1024(),
        TestKey::rsa_1536(),
        TestKey::rsa_2048(),
        TestKey::rsa_2048_p_lt_q(),
        TestKey::rsa_2048_e3(),
        TestKey::rsa_2056(),
        TestKey::rsa_3072(),
        TestKey::rsa_4096(),
        TestKey::rsa_8192(),
    ];
    keys.extend([[435, 589], [480, 544], [544, 480]].map(|[p, q]| {
        let parts = KeyParts::generate_uneven([p, q], 98);
        TestKey::from_der(&format!("rsa-{p}+{q}"), &parts.to_der())
    }));
    keys
}

fn load(backend: &Backend, key: &TestKey) -> Box<dyn RsaPrivateKey> {
    let der = RsaPrivateKeyDer::from_der(&key.der).expect("a good key");
    backend.rsa_decryption().load(&der).unwrap_or_else(|error| panic!("{}: {error}", key.name))
}

/// Decrypts this many ciphertexts in batches of every size, and one by one, on every processor.
fn compare(
    key: &TestKey,
    batches: &dyn RsaPrivateKey,
    single: &dyn RsaPrivateKey,
    count: u64,
) -> Result<(), String> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let done = AtomicU64::new(0);
    let work = |number: u64| {
        let mut source = Ciphertexts::new(key, number);
        // The first threads do one more each if the count is not a multiple.
        let mut left = count / threads + u64::from(number < count % threads);
        while left > 0 {
            let size = (1 + source.rng.next_u64() % BATCH).min(left);
            let ciphertexts: Vec<_> = (0..size).map(|_| source.next()).collect();
            compare_batch(&key.name, batches, single, &ciphertexts)?;
            left -= size;
            let before = done.fetch_add(size, Ordering::Relaxed);
            let tenths = |done: u64| done * 10 / count;
            if count >= MANY && tenths(before) != tenths(before + size) {
                progress(format_args!("{}: {} of {count}", key.name, before + size));
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> =
            (0..threads).map(|number| scope.spawn(move || work(number))).collect();
        running.into_iter().try_for_each(|thread| thread.join().expect("no panic"))
    })
}

fn compare_batch(
    name: &str,
    batches: &dyn RsaPrivateKey,
    single: &dyn RsaPrivateKey,
    ciphertexts: &[Vec<u8>],
) -> Result<(), String> {
    let mut found: Vec<_> = ciphertexts.iter().map(|it| vec![0xa5; it.len()]).collect();
    let jobs = ciphertexts.iter().zip(&mut found);
    let mut jobs: Vec<_> = jobs.map(|(ciphertext, em)| RawDecryption { ciphertext, em }).collect();
    batches.decrypt_raw_batch(&mut jobs).map_err(|error| format!("{name}: {error}"))?;
    for (index, (ciphertext, found)) in ciphertexts.iter().zip(found).enumerate() {
        let mut expected = vec![0; ciphertext.len()];
        single
            .decrypt_raw(ciphertext, &mut expected)
            .map_err(|error| format!("{name}: {error}"))?;
        if found != expected {
            let size = ciphertexts.len();
            let ciphertext = to_hex(ciphertext);
            return Err(format!("{name}: result {index} of {size} differs: {ciphertext}"));
        }
    }
    Ok(())
}

/// Ciphertexts for a key: every second one is random, the others are of each awkward kind in turn.
struct Ciphertexts<'a> {
    key: &'a TestKey,
    primes: [BigUint; 2],
    rng: Rng,
    number: u64,
}

impl<'a> Ciphertexts<'a> {
    fn new(key: &'a TestKey, seed: u64) -> Self {
        let KeyParts { p, q, .. } = key.parts();
        Self { key, primes: [p, q], rng: Rng::new(seed), number: 0 }
    }

    /// The next one: above 1 and below n - 1, as core hands them to backends.
    fn next(&mut self) -> Vec<u8> {
        self.number += 1;
        let number = match self.number % 2 {
            0 => self.below(self.key.modulus()),
            _ => self.awkward(self.number / 2),
        };
        let two = BigUint::from(2u8);
        let usual = number >= two && number <= self.key.modulus() - &two;
        self.key.left_pad(&if usual { number } else { two })
    }

    /// A number for which arithmetic in digits has most to carry, or least.
    fn awkward(&mut self, kind: u64) -> BigUint {
        let modulus = self.key.modulus();
        let one = BigUint::from(1u8);
        let bits = modulus.bits();
        match kind % 9 {
            0 => &one << 1,
            1 => modulus - (&one << 1),
            2 => &one << self.up_to(bits - 1),
            3 => modulus - (&one << self.up_to(bits - 1)),
            // A multiple of a prime: zero in one half of the CRT.
            4 => {
                let [p, q] = self.primes.clone();
                let (prime, other) = if self.rng.byte() < 128 { (p, q) } else { (q, p) };
                prime * self.below(&other)
            }
            // Beside a multiple of a prime.
            5 => {
                let [p, q] = self.primes.clone();
                p * self.below(&q) + &one
            }
            // One run of ones.
            6 => {
                let ones = 1 + self.up_to(bits - 1);
                (((&one << ones) - &one) << self.up_to(bits - ones)) % modulus
            }
            // Runs of ones and of zeros that begin and end with the digits of 52 bits.
            7 => {
                let full: BigUint = (&one << 52) - &one;
                let digits = (0..bits / 52).map(|_| match self.rng.byte() % 4 {
                    0 => BigUint::ZERO,
                    1 => BigUint::from(self.rng.next_u64() >> 12),
                    _ => full.clone(),
                });
                digits.fold(BigUint::ZERO, |number, digit| (number << 52) + digit)
            }
            // Leading zeros.
            _ => {
                let bound = one << (8 + self.up_to(bits - 9));
                self.below(&bound)
            }
        }
    }

    /// A number below `bound`, which is evenly spread but for less than 2^-64.
    fn below(&mut self, bound: &BigUint) -> BigUint {
        BigUint::from_bytes_be(&self.rng.bytes(self.key.len() + 8)) % bound
    }

    /// A number up to `most`.
    fn up_to(&mut self, most: u64) -> u64 {
        self.rng.next_u64() % (most + 1)
    }
}
