//! One key, many threads: the same answers as alone.
//! Blinding state that is shared without care shows here.

use std::sync::Barrier;
use std::thread;

use ssl_provider_core::Backend;

use crate::bytes::Rng;
use crate::ciphertext::KINDS;
use crate::exchange::{Exchange, open, open_with_key};
use crate::rsa_key::TestKey;

const THREADS: usize = 8;

/// Eight threads import the same ciphertexts, good and bad, with the same key at the same time, and
/// all read what one thread reads.
pub fn threads_that_share_a_key_get_the_same_answers(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let mut rng = Rng::new(60);
    let questions: Vec<(Exchange, Vec<u8>, Vec<u8>)> = KINDS
        .iter()
        .map(|kind| {
            let exchange = Exchange::random(&mut rng);
            let sample = kind.sample(&mut rng, &test_key, exchange.expected_version());
            let premaster_secret = sample.premaster_secret.as_deref();
            let expected =
                exchange.expected_secret(&test_key, &sample.ciphertext, premaster_secret);
            (exchange, sample.ciphertext, expected)
        })
        .collect();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for offset in 0..THREADS {
            let (start, provider, key, questions) = (&start, &provider, &key, &questions);
            scope.spawn(move || {
                start.wait();
                // Each thread begins elsewhere, so that different questions meet.
                for i in 0..questions.len() {
                    let (exchange, ciphertext, expected) =
                        &questions[(i + offset * 7) % questions.len()];
                    let secret = exchange.imported_secret(provider, key, ciphertext);
                    assert_eq!(secret.as_slice(), expected, "{}", exchange.describe());
                }
            });
        }
    });
}

/// A master key is read by many threads at once, and a key outlives the thread that loaded it.
pub fn threads_that_share_a_master_key_get_the_same_keys(backend: &Backend) {
    let provider = open(backend);
    let test_key = TestKey::rsa_1024();
    let exchange = Exchange::random(&mut Rng::new(61));
    let mut rng = Rng::new(62);
    let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
    let loader = provider.clone();
    let key = thread::spawn(move || test_key.load(&loader)).join().unwrap();
    let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
    let expected = exchange.session_keys(&exchange.master_secret(&premaster_secret));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..50 {
                    let keys = master_key.session_keys(&exchange.parameters()).unwrap();
                    assert_eq!(crate::exchange::concatenated(&keys), expected);
                }
            });
        }
    });
}
