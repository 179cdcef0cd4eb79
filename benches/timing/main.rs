//! Times imports of well-formed and ill-formed premaster secrets against each other, and prints the
//! differences as JSON lines. `cargo xtask timing` runs it and judges.
//!
//! `timing BITS BLOCKS SELECTION-BLOCKS`: a block times every class of plaintext once, in an order
//! drawn anew, and each class is compared with the well-formed one of the same block. A slow phase
//! of the machine then affects both.

mod classes;
mod statistics;

use std::env;
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use ssl_provider::{
    Backend, Error, Policy, PremasterSecret, Provider, RsaPrivateKeyDer, VersionCheck,
    recover_premaster,
};
use ssl_provider_benches::exchange::{SUITE, VERSION, parameters};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;

use crate::classes::Class;
use crate::statistics::Effect;

/// What is timed; the length of its input is the same for every class.
type Operation<'a> = Box<dyn FnMut(&[u8]) + 'a>;

fn main() -> ExitCode {
    let arguments: Vec<usize> = env::args().skip(1).flat_map(|word| word.parse()).collect();
    let key = match arguments.first() {
        Some(1024) => TestKey::rsa_1024(),
        Some(2048) => TestKey::rsa_2048(),
        _ => return usage(),
    };
    let [_, blocks, selection_blocks] = arguments[..] else { return usage() };
    let classes = classes::all(&key);
    let plaintext = |class: &Class, sample: usize| class.blocks[sample].clone();
    let ciphertext = |class: &Class, sample: usize| class.ciphertexts[sample].clone();

    let run = Run { classes: &classes, blocks: selection_blocks, calls: SELECTIONS };
    run.time("selection", &plaintext, selection());
    run.time("control of the selection", &plaintext, Box::new(|em| _ = black_box(careless(em))));
    run.time("control with one branch", &plaintext, one_branch());
    let run = Run { blocks, calls: 1, ..run };
    for backend in ssl_provider::backends() {
        let name = backend.info().name;
        run.time(name, &ciphertext, import(&backend, &key).expect(TAKES_KEYS));
        match ssl_provider::with_multi_buffer(&backend) {
            Some(around) => {
                let batch = batch(&around, &key).expect(TAKES_KEYS);
                run.time(&format!("{name} in batches"), &ciphertext, batch);
            }
            None => eprintln!(
                "NOT TIMED: {name} in batches: the processor has neither AVX-512 IFMA nor AVX-IFMA"
            ),
        }
    }
    let control = careless_server(&key).expect("a backend that takes the keys of the test kit");
    run.time("control of the import", &ciphertext, control);
    ExitCode::SUCCESS
}

const TAKES_KEYS: &str = "every backend takes the keys of the test kit";

fn usage() -> ExitCode {
    eprintln!("usage: timing 1024|2048 BLOCKS SELECTION-BLOCKS");
    ExitCode::FAILURE
}

/// Selections that are timed together: one takes only a few clock ticks, so a difference of less
/// than a tick would be lost.
const SELECTIONS: usize = 16;

/// A timed operation, and how often it runs.
#[derive(Clone, Copy)]
struct Run<'a> {
    classes: &'a [Class],
    blocks: usize,
    /// Calls between two readings of the clock.
    calls: usize,
}

impl Run<'_> {
    /// Times an operation on every class and prints how each differs from the first.
    fn time(
        self,
        subject: &str,
        input: &dyn Fn(&Class, usize) -> Vec<u8>,
        mut operation: Operation<'_>,
    ) {
        let Self { classes, blocks, calls } = self;
        let inputs: Vec<Vec<Vec<u8>>> = classes
            .iter()
            .map(|class| (0..classes::SAMPLES).map(|sample| input(class, sample)).collect())
            .collect();
        let mut rng = Rng::new(1);
        let mut order: Vec<usize> = (0..classes.len()).collect();
        let mut differences = vec![Vec::with_capacity(blocks); classes.len()];
        // Every class is read from the same buffer, so the cache is equally warm for each.
        let mut input = inputs[0][0].clone();
        let mut times = vec![0.0; classes.len()];
        for block in 0..blocks + blocks / 10 {
            for last in (1..order.len()).rev() {
                order.swap(last, rng.below(last + 1));
            }
            let sample = rng.below(classes::SAMPLES);
            for &class in &order {
                input.copy_from_slice(&inputs[class][sample]);
                let start = Instant::now();
                for _ in 0..calls {
                    operation(black_box(&input));
                }
                times[class] = start.elapsed().as_secs_f64() * 1e9 / calls as f64;
            }
            // The first tenth warms up.
            if block >= blocks / 10 {
                for (differences, time) in differences.iter_mut().zip(&times) {
                    differences.push(time - times[0]);
                }
            }
        }
        for (class, differences) in classes.iter().zip(differences).skip(1) {
            let Effect { nanoseconds, error } = Effect::of(differences);
            println!(
                "{}",
                json!({
                    "subject": subject, "class": class.name, "blocks": blocks,
                    "nanoseconds": nanoseconds, "error": error,
                })
            );
        }
    }
}

/// The routine that checks the padding and selects the premaster, by itself.
fn selection() -> Operation<'static> {
    let version = VersionCheck::offered(VERSION);
    let fallback = PremasterSecret::zeroed();
    let mut secret = PremasterSecret::zeroed();
    Box::new(move |em| {
        recover_premaster(em, version, &fallback, &mut secret).expect("a block is long enough");
        black_box(&secret);
    })
}

/// The smallest fault that a careless change could add to the routine: selection by masks, followed
/// by one branch on the result.
fn one_branch() -> Operation<'static> {
    let version = VersionCheck::offered(VERSION);
    let fallback = PremasterSecret::zeroed();
    let mut secret = PremasterSecret::zeroed();
    let mut rejected = 0_u32;
    Box::new(move |em| {
        recover_premaster(em, version, &fallback, &mut secret).expect("a block is long enough");
        if black_box(&secret).expose()[0] == 0 {
            // Opaque, so that it stays a branch.
            rejected = black_box(rejected.wrapping_add(1));
        }
    })
}

/// A provider that accepts the shortest key of the test kit.
fn provider(backend: &Backend) -> Provider {
    let policy = Policy { min_modulus_bits: 1024, ..Policy::default() };
    Provider::open(backend).with_policy(policy)
}

/// As many imports as multi-buffer RSA has lanes, decrypted at once.
fn batch(backend: &Backend, key: &TestKey) -> Result<Operation<'static>, Error> {
    const LANES: usize = 8;
    let provider = provider(backend);
    let key = provider.load_private_key(&key.der)?;
    let parameters = parameters();
    Ok(Box::new(move |ciphertext| {
        let decrypted = key.decrypt_premasters(&[ciphertext; LANES]).expect("the library works");
        for premaster in &decrypted {
            let imported = provider.import_decrypted(premaster, VERSION, SUITE, &parameters);
            _ = black_box(imported);
        }
    }))
}

/// The whole import.
fn import(backend: &Backend, key: &TestKey) -> Result<Operation<'static>, Error> {
    let provider = provider(backend);
    let key = provider.load_private_key(&key.der)?;
    let parameters = parameters();
    Ok(Box::new(move |ciphertext| {
        let imported = provider.import_master_key(&key, VERSION, SUITE, &parameters, ciphertext);
        _ = black_box(imported);
    }))
}

/// The positive control: a server that decrypts and then checks the padding step by step.
fn careless_server(key: &TestKey) -> Result<Operation<'static>, Error> {
    let der = RsaPrivateKeyDer::from_der(&key.der)?;
    let key = ssl_provider::default_backend()?.rsa_decryption().load(&der)?;
    let mut em = vec![0; key.modulus_len()];
    Ok(Box::new(move |ciphertext| {
        _ = black_box(key.decrypt_raw(ciphertext, &mut em));
        _ = black_box(careless(&em));
    }))
}

/// Removes the padding as a naive PKCS#1 library does, with an error for each fault.
#[inline(never)]
fn careless(em: &[u8]) -> Result<Vec<u8>, String> {
    let [0, 2, rest @ ..] = em else {
        return Err(format!("the block begins with {:02x?}", em.get(..2)));
    };
    let padding = rest.iter().position(|byte| *byte == 0).ok_or("no separator")?;
    let secret = &rest[padding + 1..];
    if padding < 8 || secret.len() != 48 {
        return Err(format!("{padding} bytes of padding before {} bytes", secret.len()));
    }
    if !secret.starts_with(&classes::VERSION.to_be_bytes()) {
        return Err(format!("the version is {:02x?}", &secret[..2]));
    }
    Ok(secret.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_control_distinguishes_the_classes() {
        let classes = classes::all(&TestKey::rsa_1024());
        for class in &classes {
            let good = class.name.starts_with("well formed");
            assert!(class.blocks.iter().all(|em| careless(em).is_ok() == good), "{}", class.name);
        }
    }
}
