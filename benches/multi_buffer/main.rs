//! Compares multi-buffer RSA with the library that it is around and with Intel's crypto_mb, and
//! prints JSON lines. `cargo xtask multi-buffer bench` runs it and makes a table of them.
//!
//! `multi-buffer ROUNDS MILLISECONDS [CRYPTO-MB]`: in each round every contestant works for at
//! least this long, in turns, and its processor time is taken. CRYPTO-MB is the shared library.

mod crypto_mb;
mod rate;

use std::env;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use ssl_provider::backend::RawDecryption;
use ssl_provider::{Backend, Provider, RsaPrivateKeyDer, backend, with_multi_buffer};
use ssl_provider_bare::library;
use ssl_provider_benches::clock;
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;

use crate::crypto_mb::{CryptoMb, Key};
use crate::rate::{IssueRates, products_of_batch};

/// The library that is compared with, and that multi-buffer RSA is around.
const LIBRARY: &str = "aws-lc";

/// Private operations in a call of a contestant: two batches.
const OPERATIONS: usize = 16;

/// Operations that a processor does at once, one in each lane.
const LANES: usize = 8;

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("multi-buffer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let usage = || "usage: multi-buffer ROUNDS MILLISECONDS [CRYPTO-MB]".to_owned();
    let (numbers, path) = arguments.split_at_checked(2).ok_or_else(usage)?;
    let numbers: Vec<u32> = numbers.iter().flat_map(|word| word.parse()).collect();
    let ([rounds @ 1..=u32::MAX, milliseconds], [] | [_]) = (&numbers[..], path) else {
        return Err(usage());
    };
    let library = backend(LIBRARY).map_err(|error| error.to_string())?;
    let around = with_multi_buffer(&library);
    if around.is_none() {
        print(&missing("ours", "this processor has neither AVX-512 IFMA nor AVX-IFMA"));
    }
    let crypto_mb = match path {
        [path] => CryptoMb::load(Path::new(path)),
        _ => Err("no path of its library was given".to_owned()),
    };
    match &crypto_mb {
        Ok(crypto_mb) => print(&json!({ "crypto_mb": crypto_mb.version() })),
        Err(why) => print(&missing("crypto_mb", why)),
    }
    let run = Run {
        rounds: *rounds,
        at_least: Duration::from_millis(u64::from(*milliseconds)),
        around,
        crypto_mb: crypto_mb.ok(),
    };
    let mut rates = Vec::from_iter(IssueRates::measure());
    for key in [
        TestKey::rsa_1024(),
        TestKey::rsa_1536(),
        TestKey::rsa_2048(),
        TestKey::rsa_3072(),
        TestKey::rsa_4096(),
    ] {
        run.compare(&key, &mut rates)?;
    }
    print(&rate::summary(&rates));
    Ok(())
}

fn missing(contestant: &str, why: &str) -> Value {
    json!({ "missing": contestant, "why": why })
}

fn print(line: &Value) {
    println!("{line}");
}

/// What is compared, and how long.
struct Run {
    rounds: u32,
    /// The time of a contestant in a round.
    at_least: Duration,
    around: Option<Backend>,
    crypto_mb: Option<CryptoMb>,
}

/// Does all the operations once.
type Contestant<'a> = Box<dyn FnMut() + 'a>;

impl Run {
    /// Verifies that all contestants have the same results, times them and prints a line.
    fn compare(&self, key: &TestKey, rates: &mut Vec<IssueRates>) -> Result<(), String> {
        let bits = key.modulus().bits();
        let mut rng = Rng::new(bits);
        let blocks: Vec<_> = (0..OPERATIONS).map(|_| key.pad(&[7; 48], &mut rng)).collect();
        let ciphertexts: Vec<_> = blocks.iter().map(|block| key.encrypt(block)).collect();

        let batch: Vec<&[u8]> = ciphertexts.iter().map(Vec::as_slice).collect();
        let batch = &batch[..];

        let mut named: Vec<(&str, Contestant<'_>)> = Vec::new();
        let bare = library(LIBRARY).and_then(|library| library.rsa(&key.der));
        let mut raw = bare.ok_or("no raw operation")?;
        let mut em = vec![0; key.len()];
        named.push((
            "library",
            Box::new(move || {
                for ciphertext in batch {
                    raw(black_box(ciphertext), &mut em).expect("the library works");
                    black_box(&em);
                }
            }),
        ));
        if let Some(around) = &self.around {
            ensure_equal("ours", &raw_batch(around, key, batch)?, &blocks)?;
            let private_key = key.load(&Provider::open(around));
            named.push((
                "ours",
                Box::new(move || {
                    let decrypted = private_key.decrypt_premasters(black_box(batch));
                    black_box(decrypted).expect("the library works");
                }),
            ));
        }
        let theirs = self.crypto_mb.as_ref().and_then(|library| Key::new(library, &key.parts()));
        if let Some(mut theirs) = theirs {
            let mut decrypt = move |out: &mut [Vec<u8>]| {
                for (from, to) in batch.chunks(LANES).zip(out.chunks_mut(LANES)) {
                    theirs.decrypt(black_box(from), to);
                }
            };
            let mut out = vec![vec![0; key.len()]; OPERATIONS];
            decrypt(&mut out);
            ensure_equal("crypto_mb", &out, &blocks)?;
            named.push((
                "crypto_mb",
                Box::new(move || {
                    decrypt(&mut out);
                    black_box(&out);
                }),
            ));
        }

        let (names, mut contestants): (Vec<_>, Vec<_>) = named.into_iter().unzip();
        let times = self.time(&mut contestants, rates);
        let mut line = json!({ "bits": bits, "rounds": self.rounds });
        for (name, times) in names.iter().zip(&times) {
            line[*name] = json!({ "low": rank(times, 0.1), "median": rank(times, 0.5) });
        }
        let of = |name| names.iter().position(|it| *it == name).map(|index| &times[index]);
        for (name, other) in [("ours", "crypto_mb"), ("ours", "library")] {
            if let Some((ours, theirs)) = of(name).zip(of(other)) {
                // How many times as many operations a second.
                let ratios: Vec<f64> =
                    ours.iter().zip(theirs).map(|(ours, theirs)| theirs / ours).collect();
                line[format!("{name}/{other}")] = json!({
                    "low": rank(&ratios, 0.1),
                    "median": rank(&ratios, 0.5),
                    "high": rank(&ratios, 0.9),
                });
            }
        }
        line["products"] = json!(products_of_batch(bits));
        print(&line);
        Ok(())
    }

    /// Returns the nanoseconds of one operation, by contestant and round.
    fn time(
        &self,
        contestants: &mut [Contestant<'_>],
        rates: &mut Vec<IssueRates>,
    ) -> Vec<Vec<f64>> {
        let calls: Vec<u32> = contestants.iter_mut().map(|it| self.calls(it)).collect();
        let mut times = vec![Vec::new(); contestants.len()];
        for round in 0..self.rounds as usize {
            for turn in 0..contestants.len() {
                let index = (round + turn) % contestants.len();
                let start = clock::thread_time();
                for _ in 0..calls[index] {
                    contestants[index]();
                }
                let time = clock::thread_time() - start;
                let operations = f64::from(calls[index]) * OPERATIONS as f64;
                times[index].push(time.as_secs_f64() * 1e9 / operations);
            }
            rates.extend(IssueRates::measure());
        }
        times
    }

    /// How many calls of a contestant take long enough; the first also warms up.
    fn calls(&self, contestant: &mut Contestant<'_>) -> u32 {
        let mut time = || {
            let start = clock::thread_time();
            contestant();
            clock::thread_time() - start
        };
        let once = time().min(time()).max(Duration::from_nanos(1));
        let calls = self.at_least.as_nanos().div_ceil(once.as_nanos());
        u32::try_from(calls).unwrap_or(u32::MAX).max(1)
    }
}

/// The raw results of a backend for a whole batch.
fn raw_batch(
    backend: &Backend,
    key: &TestKey,
    ciphertexts: &[&[u8]],
) -> Result<Vec<Vec<u8>>, String> {
    let der = RsaPrivateKeyDer::from_der(&key.der).map_err(|error| error.to_string())?;
    let loaded = backend.rsa_decryption().load(&der).map_err(|error| error.to_string())?;
    let mut blocks = vec![vec![0; key.len()]; ciphertexts.len()];
    let jobs = ciphertexts.iter().zip(&mut blocks);
    let mut jobs: Vec<_> = jobs.map(|(ciphertext, em)| RawDecryption { ciphertext, em }).collect();
    loaded.decrypt_raw_batch(&mut jobs).map_err(|error| error.to_string())?;
    Ok(blocks)
}

/// A contestant with a wrong result is not worth timing.
fn ensure_equal(name: &str, found: &[Vec<u8>], expected: &[Vec<u8>]) -> Result<(), String> {
    match found.iter().zip(expected).position(|(found, expected)| found != expected) {
        Some(index) => Err(format!("{name}: result {index} is wrong")),
        None if found.len() != expected.len() => Err(format!("{name}: results are missing")),
        None => Ok(()),
    }
}

/// The value below which this part of the others lies.
fn rank(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // Clamped to the existing ranks.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let index = (sorted.len() as f64 * part) as usize;
    sorted[index.min(sorted.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_taken_from_the_sorted_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!([0.1, 0.5, 0.9, 1.0].map(|part| rank(&values, part)), [1.0, 3.0, 5.0, 5.0]);
    }

    #[test]
    fn a_wrong_or_missing_result_is_an_error() {
        let right = [vec![1, 2], vec![3, 4]];
        ensure_equal("ours", &right, &right).unwrap();
        for wrong in [vec![vec![1, 2], vec![3, 5]], vec![vec![1, 2]]] {
            assert!(ensure_equal("ours", &wrong, &right).is_err());
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for arguments in [&[][..], &["3"], &["0", "1"], &["3", "x"], &["3", "1", "a", "b"]] {
            let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
            assert!(run(&arguments).unwrap_err().starts_with("usage: "), "{arguments:?}");
        }
    }
}
