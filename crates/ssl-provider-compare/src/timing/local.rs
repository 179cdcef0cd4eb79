//! What is timed in this process: the selection routine, whole imports, batches of imports; and the
//! controls, which have a planted leak.

use std::hint::black_box;

use ssl_provider::{
    Backend, CipherSuite, Error, ParameterList, Policy, PremasterSecret, ProtocolVersion, Provider,
    RsaPrivateKeyDer, VersionCheck, recover_premaster,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;

use crate::timing::input::Inputs;
use crate::timing::meter::{Meter, rounds_for, spin};
use crate::timing::sampling::Subject;

/// The version of every exchange.
pub(crate) const VERSION: ProtocolVersion = ProtocolVersion::TLS1_2;

/// The suite of every exchange.
const SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;

/// Selections that are timed together: one takes only a few clock ticks, so a difference of less
/// than a tick would be lost.
pub(crate) const SELECTIONS: usize = 16;

/// As many imports as multi-buffer RSA has lanes.
pub(crate) const LANES: usize = 8;

/// How much longer the last control takes for ill-formed plaintexts.
pub(crate) const DELAY_NANOSECONDS: f64 = 20.0;

/// A timed operation; the length of its input is the same for every class.
pub(crate) type Operation = Box<dyn FnMut(&[u8])>;

/// An operation in this process.
pub(crate) struct Local<'a> {
    meter: &'a mut Meter,
    inputs: Inputs,
    operation: Operation,
    /// Calls that are measured together.
    calls: usize,
    /// Every class is read from this buffer, so the cache is equally warm for each.
    input: Vec<u8>,
}

impl<'a> Local<'a> {
    pub(crate) fn new(
        meter: &'a mut Meter,
        inputs: Inputs,
        operation: Operation,
        calls: usize,
    ) -> Self {
        let input = inputs.of(0).to_vec();
        Self { meter, inputs, operation, calls, input }
    }
}

impl Subject for Local<'_> {
    fn prepare(&mut self, rng: &mut Rng) {
        self.inputs.prepare(rng);
    }

    fn time(&mut self, class: usize) -> Result<f64, String> {
        let Self { meter, inputs, operation, calls, input } = self;
        input.copy_from_slice(inputs.of(class));
        let time = meter.time(|| {
            for _ in 0..*calls {
                operation(black_box(input));
            }
        });
        Ok(time / *calls as f64)
    }
}

/// The routine that checks the padding and selects the premaster secret, by itself.
pub(crate) fn selection() -> Operation {
    let version = VersionCheck::offered(VERSION);
    let fallback = PremasterSecret::zeroed();
    let mut secret = PremasterSecret::zeroed();
    Box::new(move |em| {
        recover_premaster(em, version, &fallback, &mut secret).expect("a block is long enough");
        black_box(&secret);
    })
}

/// The control of a careless routine: [`careless`].
pub(crate) fn careless_selection() -> Operation {
    Box::new(|em| _ = black_box(careless(em)))
}

/// The smallest fault that a careless change could add to the routine: selection by masks, followed
/// by one branch on the result.
pub(crate) fn one_branch() -> Operation {
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

/// Opens a provider that accepts the shortest key of the test kit.
pub(crate) fn provider(backend: &Backend) -> Provider {
    let policy = Policy { min_modulus_bits: 1024, ..Policy::default() };
    Provider::open(backend).with_policy(policy)
}

fn parameters() -> ParameterList {
    let list = ParameterList::new().client_random([0xc1; 32]).server_random([0x5e; 32]);
    list.highest_version(VERSION)
}

/// The whole import, tried with a good ciphertext first.
///
/// # Errors
///
/// Those of loading the key, and of the trial.
pub(crate) fn import(backend: &Backend, key: &TestKey, good: &[u8]) -> Result<Operation, Error> {
    let provider = provider(backend);
    let key = provider.load_private_key(&key.der)?;
    let parameters = parameters();
    provider.import_master_key(&key, VERSION, SUITE, &parameters, good)?;
    Ok(Box::new(move |ciphertext| {
        let imported = provider.import_master_key(&key, VERSION, SUITE, &parameters, ciphertext);
        _ = black_box(imported);
    }))
}

/// As many imports as multi-buffer RSA has lanes, decrypted at once, tried first.
///
/// # Errors
///
/// Those of loading the key, and of the trial.
pub(crate) fn batch(backend: &Backend, key: &TestKey, good: &[u8]) -> Result<Operation, Error> {
    let provider = provider(backend);
    let key = provider.load_private_key(&key.der)?;
    let parameters = parameters();
    let batch = move |ciphertext: &[u8]| -> Result<(), Error> {
        for premaster in &key.decrypt_premasters(&[ciphertext; LANES])? {
            let imported = provider.import_decrypted(premaster, VERSION, SUITE, &parameters);
            _ = black_box(imported?);
        }
        Ok(())
    };
    batch(good)?;
    Ok(Box::new(move |ciphertext| _ = black_box(batch(ciphertext))))
}

/// The control of a server that decrypts and then checks the padding step by step.
///
/// # Errors
///
/// Those of loading the key.
pub(crate) fn careless_server(backend: &Backend, key: &TestKey) -> Result<Operation, Error> {
    let (decrypt, mut em) = raw_key(backend, key)?;
    Ok(Box::new(move |ciphertext| {
        _ = black_box(decrypt.decrypt_raw(ciphertext, &mut em));
        _ = black_box(careless(&em));
    }))
}

/// Rounds of the delay that every plaintext has. A branch around the delay would be predicted for
/// most classes, and cost the others as much as the delay costs these.
const ROUNDS_OF_ALL: u32 = 200;

/// The finest control of imports: the selection by masks, and a longer delay where it rejects.
///
/// # Errors
///
/// Those of loading the key.
pub(crate) fn slower(backend: &Backend, key: &TestKey) -> Result<Operation, Error> {
    let (decrypt, mut em) = raw_key(backend, key)?;
    let (version, fallback) = (VersionCheck::offered(VERSION), PremasterSecret::zeroed());
    let mut secret = PremasterSecret::zeroed();
    let rounds = rounds_for(DELAY_NANOSECONDS);
    Ok(Box::new(move |ciphertext| {
        _ = black_box(decrypt.decrypt_raw(ciphertext, &mut em));
        recover_premaster(&em, version, &fallback, &mut secret).expect("a block is long enough");
        let [first, second, ..] = *black_box(&secret).expose();
        spin(ROUNDS_OF_ALL + rounds * u32::from(black_box(first == 0)), second);
    }))
}

type RawKey = (Box<dyn ssl_provider::backend::RsaPrivateKey>, Vec<u8>);

/// A key without the defences of core, and room for its blocks.
fn raw_key(backend: &Backend, key: &TestKey) -> Result<RawKey, Error> {
    let key = backend.rsa_decryption().load(&RsaPrivateKeyDer::from_der(&key.der)?)?;
    let em = vec![0; key.modulus_len()];
    Ok((key, em))
}

/// Removes the padding as a naive PKCS#1 library does, with an error for each fault.
///
/// # Errors
///
/// What is wrong, in words.
#[inline(never)]
pub(crate) fn careless(em: &[u8]) -> Result<Vec<u8>, String> {
    let begin = em.get(..8).unwrap_or_default();
    let fault = |what: &str| Err(format!("{what}: {begin:02x?}"));
    let [0, 2, rest @ ..] = em else { return fault("bad block type") };
    let Some(padding) = rest.iter().position(|byte| *byte == 0) else {
        return fault("no separator");
    };
    let secret = &rest[padding + 1..];
    if padding < 8 || secret.len() != 48 {
        return fault("bad length");
    }
    if !secret.starts_with(&VERSION.wire().to_be_bytes()) {
        return fault("bad version");
    }
    Ok(secret.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssl_provider_testkit::timing_class::CLASSES;

    fn blocks() -> Inputs {
        Inputs::blocks(&TestKey::rsa_1024().public_key(), VERSION.wire(), &mut Rng::new(3))
    }

    #[test]
    fn the_control_distinguishes_the_classes() {
        let inputs = blocks();
        for (class, facts) in CLASSES.iter().enumerate() {
            assert_eq!(careless(inputs.of(class)).is_ok(), facts.good, "{}", facts.name);
        }
    }

    #[test]
    fn a_local_subject_times_its_operation_on_the_input_of_the_class() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let operation = Box::new(move |em: &[u8]| sender.send(em.to_vec()).unwrap());
        let mut meter = Meter::new(1);
        let inputs = blocks();
        let expected = inputs.of(3).to_vec();
        let mut local = Local::new(&mut meter, inputs, operation, 4);
        assert!(local.time(3).unwrap() > 0.0);
        let calls: Vec<_> = receiver.try_iter().collect();
        assert_eq!(calls, vec![expected; 4]);
    }
}
