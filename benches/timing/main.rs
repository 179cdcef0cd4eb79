//! Times imports of well-formed and ill-formed premaster secrets against each other, and prints the
//! differences as JSON lines. `cargo xtask timing` runs it and judges.
//!
//! `timing BITS BLOCKS SELECTION-BLOCKS ROUNDS`: a block times every class of plaintext once, in an
//! order drawn anew, and each class is compared with the well-formed one of the same block. A slow
//! phase of the machine then affects both. Blocks in which the hypervisor took time are left out.
//! Where so many blocks leave a subject uncertain, as many are added, up to ROUNDS times in all.

mod classes;
mod meter;
mod statistics;

use std::env;
use std::hint::black_box;
use std::process::ExitCode;

use serde_json::json;

use ssl_provider::{
    Backend, Error, Policy, PremasterSecret, Provider, RsaPrivateKeyDer, VersionCheck,
    recover_premaster,
};
use ssl_provider_benches::clock::thread_time;
use ssl_provider_benches::exchange::{SUITE, VERSION, parameters};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;

use crate::classes::Class;
use crate::meter::{Meter, stolen};
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
    let [_, blocks, selection_blocks, rounds] = arguments[..] else { return usage() };
    let classes = classes::all(&key);
    let plaintext = |class: &Class, sample: usize| class.blocks[sample].clone();
    let ciphertext = |class: &Class, sample: usize| class.ciphertexts[sample].clone();

    let meter = Meter::new(rounds);
    let run = Run {
        meter: &meter,
        classes: &classes,
        blocks: selection_blocks,
        rounds,
        calls: SELECTIONS,
        precision: OF_SELECTION,
    };
    run.time("selection", &plaintext, selection());
    run.time("control of the selection", &plaintext, Box::new(|em| _ = black_box(careless(em))));
    run.time("control with one branch", &plaintext, one_branch());
    let run = Run { blocks, calls: 1, precision: OF_CONTROL, ..run };
    run.time("control of the import", &ciphertext, careless_server(&key).expect(TAKES_KEYS));
    run.time(
        "control of 20 ns",
        &ciphertext,
        slower_by(DELAY_NANOSECONDS, &key).expect(TAKES_KEYS),
    );
    let run = Run { precision: OF_IMPORT, ..run };
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
    ExitCode::SUCCESS
}

const TAKES_KEYS: &str = "every backend takes the keys of the test kit";

fn usage() -> ExitCode {
    eprintln!("usage: timing 1024|2048 BLOCKS SELECTION-BLOCKS ROUNDS");
    ExitCode::FAILURE
}

/// Selections that are timed together: one takes only a few clock ticks, so a difference of less
/// than a tick would be lost.
const SELECTIONS: usize = 16;

/// Standard errors, in nanoseconds, up to which blocks are added: so that a branch, an effect of 50
/// ns, and one of 20 ns are found.
const OF_SELECTION: f64 = 0.02;
const OF_IMPORT: f64 = 15.0;
const OF_CONTROL: f64 = 2.5;

/// How much more the last control takes for ill-formed plaintexts.
const DELAY_NANOSECONDS: f64 = 20.0;

/// A timed operation, and how often it runs.
#[derive(Clone, Copy)]
struct Run<'a> {
    meter: &'a Meter,
    classes: &'a [Class],
    blocks: usize,
    /// How many times as many blocks there may be.
    rounds: usize,
    /// Calls that are measured together.
    calls: usize,
    /// The standard error up to which blocks are added.
    precision: f64,
}

/// Blocks between two looks at what the hypervisor took, which it counts in ticks of 10 ms.
const WINDOW: usize = 16;

impl Run<'_> {
    /// Times an operation on every class and prints how each differs from the first.
    fn time(
        self,
        subject: &str,
        input: &dyn Fn(&Class, usize) -> Vec<u8>,
        mut operation: Operation<'_>,
    ) {
        let Self { classes, blocks, rounds, precision, .. } = self;
        let inputs: Vec<Vec<Vec<u8>>> = classes
            .iter()
            .map(|class| (0..classes::SAMPLES).map(|sample| input(class, sample)).collect())
            .collect();
        let mut rng = Rng::new(1);
        let mut block = || self.block(&inputs, &mut rng, &mut operation);
        // The first tenth warms up.
        (0..blocks / 10).for_each(|_| _ = block());
        let mut differences = vec![Vec::with_capacity(blocks); classes.len()];
        let mut effects = Vec::new();
        for round in 1..=rounds {
            // Half of the windows may be left out.
            for _ in 0..2 * blocks.div_ceil(WINDOW) {
                if differences[0].len() >= round * blocks {
                    break;
                }
                let before = stolen();
                let window: Vec<Vec<f64>> = (0..WINDOW).map(|_| block()).collect();
                // A single round is one of which no time is judged.
                if rounds > 1 && stolen() != before {
                    continue;
                }
                for times in window {
                    for (differences, time) in differences.iter_mut().zip(&times) {
                        differences.push(time - times[0]);
                    }
                }
            }
            effects = differences.iter().map(|all| Effect::of(all.clone())).collect();
            if effects.iter().all(|effect: &Effect| effect.error <= precision) {
                break;
            }
        }
        for (class, effect) in classes.iter().zip(effects).skip(1) {
            let Effect { nanoseconds, error } = effect;
            println!(
                "{}",
                json!({
                    "subject": subject, "class": class.name, "blocks": differences[0].len(),
                    "nanoseconds": nanoseconds, "error": error,
                })
            );
        }
    }

    /// Times every class once, in an order drawn anew.
    fn block(
        &self,
        inputs: &[Vec<Vec<u8>>],
        rng: &mut Rng,
        operation: &mut Operation<'_>,
    ) -> Vec<f64> {
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, rng.below(last + 1));
        }
        let sample = rng.below(classes::SAMPLES);
        let mut times = vec![0.0; inputs.len()];
        // Every class is read from the same buffer, so the cache is equally warm for each.
        let mut input = inputs[0][0].clone();
        for class in order {
            input.copy_from_slice(&inputs[class][sample]);
            let time = self.meter.time(|| {
                for _ in 0..self.calls {
                    operation(black_box(&input));
                }
            });
            times[class] = time / self.calls as f64;
        }
        times
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

/// The finest positive control: the selection by masks, and a delay where it rejects.
fn slower_by(nanoseconds: f64, key: &TestKey) -> Result<Operation<'static>, Error> {
    let der = RsaPrivateKeyDer::from_der(&key.der)?;
    let key = ssl_provider::default_backend()?.rsa_decryption().load(&der)?;
    let mut em = vec![0; key.modulus_len()];
    let (version, fallback) = (VersionCheck::offered(VERSION), PremasterSecret::zeroed());
    let mut secret = PremasterSecret::zeroed();
    const TRIAL: u32 = 100_000;
    let trial = || {
        let start = thread_time();
        spin(TRIAL);
        thread_time() - start
    };
    let fastest = (0..20).map(|_| trial()).min().unwrap_or_default();
    let rounds = nanoseconds * f64::from(TRIAL) / (fastest.as_secs_f64() * 1e9);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
    let rounds = rounds.ceil() as u32;
    Ok(Box::new(move |ciphertext| {
        _ = black_box(key.decrypt_raw(ciphertext, &mut em));
        recover_premaster(&em, version, &fallback, &mut secret).expect("a block is long enough");
        if black_box(&secret).expose()[0] == 0 {
            spin(rounds);
        }
    }))
}

/// Steps that wait for each other.
fn spin(rounds: u32) {
    let mut value = 3u64;
    for _ in 0..rounds {
        value = black_box(value.wrapping_mul(value));
    }
}

/// Removes the padding as a naive PKCS#1 library does, with an error for each fault.
#[inline(never)]
fn careless(em: &[u8]) -> Result<Vec<u8>, String> {
    let fault = |what: &str| Err(format!("{what}: {:02x?}", &em[..8]));
    let [0, 2, rest @ ..] = em else { return fault("bad block type") };
    let Some(padding) = rest.iter().position(|byte| *byte == 0) else {
        return fault("no separator");
    };
    let secret = &rest[padding + 1..];
    if padding < 8 || secret.len() != 48 {
        return fault("bad length");
    }
    if !secret.starts_with(&classes::VERSION.to_be_bytes()) {
        return fault("bad version");
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
