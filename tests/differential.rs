//! The same generated imports on every backend: status, master secret and session keys must be
//! equal, and equal to those of an independent derivation.
//!
//! `SSL_PROVIDER_SEED` chooses the inputs and `SSL_PROVIDER_IMPORTS` their number. A failure prints
//! the seed and the input as Rust that can be pasted into a test.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ssl_provider::{CipherSuite, ParameterList, PrivateKey, ProtocolVersion, Provider};
use ssl_provider_testkit::bytes::{Rng, number_from_env, to_hex};
use ssl_provider_testkit::ciphertext::{KINDS, Kind};
use ssl_provider_testkit::exchange::{Exchange, concatenated, open, session_hash_len};
use ssl_provider_testkit::rsa_key::TestKey;

const DEFAULT_SEED: u64 = 0x5353_4c49_4d4b;
const DEFAULT_IMPORTS: u64 = 10_500;

const INVALID_PARAMETER: u32 = 0x8009_0027;
const NOT_SUPPORTED: u32 = 0x8009_0029;

/// The result of a backend: a status, and on success the master secret and the session keys.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    status: u32,
    master_secret: Vec<u8>,
    session_keys: Vec<u8>,
}

/// One generated import.
struct Question {
    seed: u64,
    kind: &'static Kind,
    key: usize,
    exchange: Exchange,
    ciphertext: Vec<u8>,
    premaster_secret: Option<Vec<u8>>,
    arguments: Arguments,
    /// The expected status; 0 if the arguments are valid.
    status: u32,
}

/// The public arguments of the call, which may be wrong although the exchange is right.
struct Arguments {
    version: ProtocolVersion,
    suite: CipherSuite,
    parameters: ParameterList,
}

impl Question {
    /// Returns the import with this number, always the same for the same seed.
    fn new(seed: u64, number: usize, keys: &[TestKey]) -> Self {
        let offset = u64::try_from(number).expect("64 bits").wrapping_mul(0x2545_f491_4f6c_dd1d);
        let mut rng = Rng::new(seed.wrapping_add(offset));
        // One in four is well-formed, and the kinds alternate.
        let turn = number / 4;
        let of = |good: bool| KINDS.iter().filter(move |kind| kind.good == good);
        let kind = if number.is_multiple_of(4) {
            of(true).nth(turn % of(true).count())
        } else {
            of(false).nth((number - turn) % of(false).count())
        }
        .expect("below the count");
        // Mostly the small key, which is fast; each larger one now and then.
        let key = match rng.below(256) {
            0 => 3,
            1..=3 => 2,
            4..=67 => 1,
            _ => 0,
        };
        let exchange = Exchange::random(&mut rng);
        let sample = kind.sample(&mut rng, &keys[key], exchange.expected_version());
        let (arguments, status) = arguments(&exchange, &mut rng);
        Self {
            seed,
            kind,
            key,
            exchange,
            ciphertext: sample.ciphertext,
            premaster_secret: sample.premaster_secret,
            arguments,
            status,
        }
    }

    fn ask(&self, provider: &Provider, key: &PrivateKey) -> Answer {
        let Arguments { version, suite, parameters } = &self.arguments;
        let result =
            provider.import_master_key(key, *version, *suite, parameters, &self.ciphertext);
        match result {
            Ok(master_key) => {
                let randoms = self.exchange.parameters();
                let keys = master_key.session_keys(&randoms).expect("both randoms are there");
                let secret = master_key.secret_for_key_log().expect("allowed");
                Answer {
                    status: 0,
                    master_secret: secret.expose().to_vec(),
                    session_keys: concatenated(&keys),
                }
            }
            Err(error) => {
                let status = error.status().code();
                Answer { status, master_secret: Vec::new(), session_keys: Vec::new() }
            }
        }
    }

    /// Returns the result of the independent derivation.
    fn expected(&self, keys: &[TestKey]) -> Answer {
        if self.status != 0 {
            let (master_secret, session_keys) = (Vec::new(), Vec::new());
            return Answer { status: self.status, master_secret, session_keys };
        }
        let master_secret = match &self.premaster_secret {
            Some(premaster_secret) => self.exchange.master_secret(premaster_secret),
            None => self.exchange.rejected_master_secret(&keys[self.key], &self.ciphertext),
        };
        let session_keys = self.exchange.session_keys(&master_secret);
        Answer { status: 0, master_secret, session_keys }
    }

    /// Returns the input as a test in Rust.
    fn paste(&self, keys: &[TestKey]) -> String {
        let Arguments { version, suite, parameters } = &self.arguments;
        let exchange = self.exchange.describe().replace('\n', "\n    ");
        let ciphertext = to_hex(&self.ciphertext);
        let key = keys[self.key].name.replace('-', "_");
        let (list, note) = if *parameters == self.exchange.parameters() {
            ("exchange.parameters()", String::new())
        } else {
            ("ParameterList::new()", format!("    // {parameters:?}\n"))
        };
        format!(
            "// SSL_PROVIDER_SEED={}: {}\n#[test]\nfn differential_regression() {{\n    \
             {exchange}\n    let ciphertext = hex(\"{ciphertext}\");\n{note}    let parameters = \
             {list};\n    for backend in ssl_provider::backends() {{\n        let provider = \
             open(&backend);\n        let key = TestKey::{key}().load(&provider);\n        let \
             result = provider.import_master_key(\n            &key, \
             ProtocolVersion({:#06x}), CipherSuite({:#06x}), &parameters, &ciphertext,\n        \
             );\n        \
             println!(\"{{}} {{:?}}\", backend.info().name, result.map(|key| {{\n            \
             to_hex(key.secret_for_key_log().unwrap().expose())\n        }}));\n    }}\n}}",
            self.seed, self.kind.name, version.0, suite.0,
        )
    }
}

/// The arguments for an exchange: mostly right, one in sixteen wrong in a way that has a status.
fn arguments(exchange: &Exchange, rng: &mut Rng) -> (Arguments, u32) {
    let mut arguments = Arguments {
        version: exchange.protocol,
        suite: exchange.suite.id,
        parameters: exchange.parameters(),
    };
    if !rng.one_in(16) {
        return (arguments, 0);
    }
    let status = match rng.below(5) {
        0 => {
            arguments.version = ProtocolVersion(*rng.pick(&[0, 2, 0x0304, 0xfefe, 0x0305]));
            NOT_SUPPORTED
        }
        1 => {
            let others = [0, 0xC02F, 0x009E, 0x1301, 0x1_0080, 0xFFFF];
            arguments.suite = CipherSuite(*rng.pick(&others));
            NOT_SUPPORTED
        }
        2 => {
            arguments.parameters = ParameterList::new().client_random(exchange.client_random);
            INVALID_PARAMETER
        }
        3 => {
            arguments.parameters = ParameterList::new().highest_version(ProtocolVersion::TLS1_2);
            INVALID_PARAMETER
        }
        _ => {
            let right = session_hash_len(exchange.protocol, exchange.suite);
            let wrong: Vec<usize> =
                [32, 36, 48].into_iter().filter(|len| Some(*len) != right).collect();
            let len = *rng.pick(&wrong);
            let hash = rng.bytes(len);
            arguments.parameters = exchange.parameters().session_hash(&hash).expect("known");
            // SSL 3.0 has no extended master secret at all.
            if right.is_none() { NOT_SUPPORTED } else { INVALID_PARAMETER }
        }
    };
    (arguments, status)
}

#[test]
fn a_question_is_the_same_whenever_it_is_made() {
    let keys = [TestKey::rsa_1024(), TestKey::rsa_2048(), TestKey::rsa_2048(), TestKey::rsa_2048()];
    for number in 0..200 {
        let again = Question::new(DEFAULT_SEED, number, &keys);
        assert_eq!(Question::new(DEFAULT_SEED, number, &keys).paste(&keys), again.paste(&keys));
        assert_ne!(Question::new(1, number, &keys).paste(&keys), again.paste(&keys));
    }
}

#[test]
fn generated_imports_have_the_same_results_on_every_backend() {
    let seed = number_from_env("SSL_PROVIDER_SEED", DEFAULT_SEED);
    let imports =
        usize::try_from(number_from_env("SSL_PROVIDER_IMPORTS", DEFAULT_IMPORTS)).unwrap();
    println!("SSL_PROVIDER_SEED={seed} SSL_PROVIDER_IMPORTS={imports}");
    let keys =
        [TestKey::rsa_1024(), TestKey::rsa_2048(), TestKey::rsa_2048_p_lt_q(), TestKey::rsa_3072()];
    let backends: Vec<(&str, Provider, Vec<PrivateKey>)> = ssl_provider::backends()
        .iter()
        .map(|backend| {
            let provider = open(backend);
            let loaded = keys.iter().map(|key| key.load(&provider)).collect();
            (backend.info().name, provider, loaded)
        })
        .collect();

    let next = AtomicUsize::new(0);
    // How often each kind was imported with valid arguments, and the number with invalid ones.
    let tally: Mutex<(BTreeMap<&str, usize>, usize)> = Mutex::default();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= imports {
                        break;
                    }
                    let question = Question::new(seed, number, &keys);
                    check(&question, &backends, &keys);
                    let mut tally = tally.lock().unwrap();
                    if question.status == 0 {
                        *tally.0.entry(question.kind.name).or_default() += 1;
                    } else {
                        tally.1 += 1;
                    }
                }
            });
        }
    });

    let (kinds, refused) = tally.into_inner().unwrap();
    let good: usize = KINDS.iter().filter(|kind| kind.good).map(|kind| kinds[kind.name]).sum();
    let bad: usize = KINDS.iter().filter(|kind| !kind.good).map(|kind| kinds[kind.name]).sum();
    println!(
        "{} backends, {good} good and {bad} bad ciphertexts of {} kinds, {refused} bad lists",
        backends.len(),
        kinds.len(),
    );
    assert_eq!(good + bad + refused, imports);
    assert!(kinds.len() == KINDS.len(), "each kind was imported");
    assert!(KINDS.iter().filter(|kind| !kind.good).count() >= 20);
    assert!(good >= imports / 5 && refused >= imports / 50);
}

fn check(question: &Question, backends: &[(&str, Provider, Vec<PrivateKey>)], keys: &[TestKey]) {
    let answers: Vec<(&str, Answer)> = backends
        .iter()
        .map(|(name, provider, loaded)| (*name, question.ask(provider, &loaded[question.key])))
        .collect();
    let expected = question.expected(keys);
    for (name, answer) in &answers {
        assert_eq!(
            *answer,
            expected,
            "{name} is not what the independent derivation gives; all answers:\n{answers:#?}\n{}",
            question.paste(keys)
        );
    }
}
