//! Core alone, over the fake backend: what it asks a library for and in which order, what it makes
//! of a block, and what becomes of failures and panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use ssl_provider_core::backend::{
    CbcCipher, HashContext, Hashing, KeyExchangeBackend, RecordCiphers,
};
use ssl_provider_core::{
    Backend, BackendInfo, CbcAlgorithm, CipherSuite, Error, HandleKind, HandleTable, HashAlgorithm,
    MasterKey, Operation, PrfAlgorithm, ProtocolVersion, Provider, RecordKey, Support,
};
use ssl_provider_testkit::bytes::{Rng, hex};
use ssl_provider_testkit::ciphertext::KINDS;
use ssl_provider_testkit::direction::Direction;
use ssl_provider_testkit::exchange::{Exchange, connection, open};
use ssl_provider_testkit::fake::{Fake, Fault};
use ssl_provider_testkit::reference;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::vectors::{paragraphs, value, with_folder};

const FALLBACK: [Operation; 2] =
    [Operation::Hmac(HashAlgorithm::Sha256), Operation::Prf(PrfAlgorithm::Sha256)];
const LIBRARY_FAILURE: Error = Error::Backend { backend: "fake", code: 0x42 };

fn exchange() -> Exchange {
    Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384)
}

/// A number in the middle of the range, as any ciphertext is to the fake.
fn proper_ciphertext(key: &TestKey) -> Vec<u8> {
    [vec![0; 1], vec![7; key.len() - 1]].concat()
}

fn import(fake: &'static Fake, ciphertext: &[u8]) -> Result<MasterKey, Error> {
    let provider = open(&fake.into());
    exchange().import(&provider, &TestKey::rsa_1024().load(&provider), ciphertext)
}

/// The fake's own PRF, as the derivation of a master secret asks it.
fn master_secret(fake: &Fake, premaster_secret: &[u8]) -> [u8; 48] {
    let Exchange { client_random, server_random, .. } = exchange();
    let seed: [&[u8]; 2] = [&client_random, &server_random];
    let mut out = [0; 48];
    fake.hashing()
        .prf(PrfAlgorithm::Sha384, premaster_secret, b"master secret", &seed, &mut out)
        .expect("the fake has no fault here");
    out
}

#[test]
fn the_last_48_bytes_are_taken_exactly_from_good_blocks() {
    let key = TestKey::rsa_1024();
    let ciphertext = proper_ciphertext(&key);
    let mut rng = Rng::new(1);
    for kind in KINDS {
        let Some(block) = kind.block(&mut rng, key.len(), 0x0303) else { continue };
        let fake = Fake::new().decrypting_to(&block).leak();
        let imported = import(fake, &ciphertext).unwrap();
        let secret = imported.secret_for_key_log().unwrap().expose();
        let taken = *secret == master_secret(fake, &block[block.len() - 48..]);
        assert_eq!(taken, kind.good, "{}", kind.name);
        assert_eq!(reference::unpad(&block, Some(0x0303)).is_some(), kind.good, "{}", kind.name);
    }
}

#[test]
fn any_block_at_all_gives_success_and_the_same_fallback() {
    // Blocks that no RSA key could give, such as numbers above the modulus.
    let key = TestKey::rsa_1024();
    let ciphertext = proper_ciphertext(&key);
    let secret = |block: &[u8]| {
        let imported = import(Fake::new().decrypting_to(block).leak(), &ciphertext).unwrap();
        *imported.secret_for_key_log().unwrap().expose()
    };
    let expected = secret(&vec![0; key.len()]);
    let mut rng = Rng::new(2);
    for _ in 0..2000 {
        let mut block = rng.bytes(key.len());
        // Heads close to the right one are the interesting ones.
        block[0] &= 1;
        block[1] &= 3;
        block[key.len() - 49] &= 1;
        let premaster_secret = reference::unpad(&block, Some(0x0303));
        assert_eq!(secret(&block) == expected, premaster_secret.is_none());
    }
    assert_eq!(secret(&vec![0xff; key.len()]), expected);
}

#[test]
fn the_fallback_is_computed_before_the_decryption_and_always() {
    let key = TestKey::rsa_1024();
    let ciphertext = proper_ciphertext(&key);
    let expected =
        [&FALLBACK[..], &[Operation::RsaDecryptRaw, Operation::Prf(PrfAlgorithm::Sha384)]].concat();
    let mut rng = Rng::new(3);
    for kind in KINDS {
        let Some(block) = kind.block(&mut rng, key.len(), 0x0303) else { continue };
        let fake = Fake::new().decrypting_to(&block).leak();
        let provider = open(&fake.into());
        let loaded = key.load(&provider);
        let before = fake.log().len();
        exchange().import(&provider, &loaded, &ciphertext).unwrap();
        assert_eq!(fake.log()[before..], expected, "{}", kind.name);
    }
}

/// Ciphertexts of the right length that cannot be one.
fn improper(key: &TestKey) -> [Vec<u8>; 5] {
    let (n, len) = (key.modulus(), key.len());
    [
        vec![0; len],
        key.left_pad(&1u8.into()),
        key.left_pad(&(n - 1u8)),
        key.left_pad(n),
        vec![0xff; len],
    ]
}

#[test]
fn a_ciphertext_that_cannot_be_one_takes_a_private_operation_all_the_same() {
    let key = TestKey::rsa_1024();
    let fake = Fake::new().leak();
    let provider = open(&fake.into());
    let loaded = key.load(&provider);
    let asked_for = |ciphertext: &[u8]| {
        let before = fake.log().len();
        exchange().import(&provider, &loaded, ciphertext).unwrap();
        fake.log()[before..].to_vec()
    };
    let proper = asked_for(&proper_ciphertext(&key));
    assert!(proper.contains(&Operation::RsaDecryptRaw));
    for ciphertext in improper(&key) {
        assert_eq!(asked_for(&ciphertext), proper);
    }
    for number in [2u8.into(), key.modulus() - 2u8] {
        assert_eq!(asked_for(&key.left_pad(&number)), proper);
    }
    for other_len in [0, key.len() - 1, key.len() + 1] {
        let asked = asked_for(&vec![7; other_len]);
        assert!(!asked.contains(&Operation::RsaDecryptRaw), "{other_len} bytes");
        assert_eq!(asked[..2], FALLBACK);
    }
}

#[test]
fn what_is_decrypted_in_place_of_a_ciphertext_that_cannot_be_one_is_forgotten() {
    let key = TestKey::rsa_1024();
    let mut rng = Rng::new(4);
    let block = key.pad(&exchange().premaster_secret(&mut rng), &mut rng);
    // Whatever it decrypts has a premaster secret in it, and no other one does here.
    let (fake, none) = (Fake::new().decrypting_to(&block).leak(), Fake::new().leak());
    let secret = |fake: &'static Fake, ciphertext: &[u8]| {
        let provider = open(&fake.into());
        let loaded = key.load(&provider);
        let one = exchange().import(&provider, &loaded, ciphertext).unwrap();
        let decrypted = loaded.decrypt_premasters(&[ciphertext]).unwrap();
        let (protocol, suite) = (exchange().protocol, exchange().suite.id);
        let two = provider
            .import_decrypted(&decrypted[0], protocol, suite, &exchange().parameters())
            .unwrap();
        let [one, two] = [one, two].map(|key| *key.secret_for_key_log().unwrap().expose());
        assert_eq!(one, two);
        one
    };
    let proper = proper_ciphertext(&key);
    assert_ne!(secret(fake, &proper), secret(none, &proper));
    for ciphertext in improper(&key) {
        assert_eq!(secret(fake, &ciphertext), secret(none, &ciphertext));
    }
}

#[test]
fn public_faults_are_found_before_anything_is_asked_of_the_library() {
    let fake = Fake::new().leak();
    let provider = open(&fake.into());
    let key = TestKey::rsa_1024();
    let loaded = key.load(&provider);
    let before = fake.log().len();
    let parameters = exchange().parameters();
    let ciphertext = proper_ciphertext(&key);
    let empty = ssl_provider_core::ParameterList::new();
    let suite = exchange().suite.id;
    for (version, suite, parameters) in [
        (ProtocolVersion::TLS1_3, CipherSuite::TLS_AES_128_GCM_SHA256, &parameters),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, &parameters),
        (ProtocolVersion::TLS1_2, suite, &empty),
    ] {
        provider.import_master_key(&loaded, version, suite, parameters, &ciphertext).unwrap_err();
    }
    assert_eq!(fake.log().len(), before);
}

#[test]
fn a_failing_generator_does_not_matter_to_an_import_that_draws_nothing() {
    let fake = Fake::new().with_fault(Operation::Random, Fault::Error(Error::Random)).leak();
    import(fake, &proper_ciphertext(&TestKey::rsa_1024())).unwrap();
    assert!(!fake.log().contains(&Operation::Random));
}

#[test]
fn a_failing_generator_inside_the_decryption_is_an_error_and_gives_no_secret() {
    let fake = Fake::new().with_fault(Operation::RsaDecryptRaw, Fault::Error(Error::Random)).leak();
    let error = import(fake, &proper_ciphertext(&TestKey::rsa_1024())).unwrap_err();
    assert_eq!(error, Error::Random);
    assert_eq!(error.status().code(), 0x8009_0030);
}

#[test]
fn a_fault_in_the_decryption_is_the_same_error_for_every_ciphertext() {
    let key = TestKey::rsa_1024();
    let mut rng = Rng::new(4);
    for kind in KINDS {
        let Some(block) = kind.block(&mut rng, key.len(), 0x0303) else { continue };
        let fake = Fake::new()
            .decrypting_to(&block)
            .with_fault(Operation::RsaDecryptRaw, Fault::Error(LIBRARY_FAILURE))
            .leak();
        let error = import(fake, &proper_ciphertext(&key)).unwrap_err();
        assert_eq!(error, LIBRARY_FAILURE, "{}", kind.name);
        assert_eq!(error.status().code(), 0x8009_0020);
        // Nothing is derived from a decryption that failed.
        assert_eq!(fake.log().last(), Some(&Operation::RsaDecryptRaw), "{}", kind.name);
    }
}

#[test]
fn a_fault_before_the_decryption_leaves_the_private_key_alone() {
    let operation = Operation::Prf(PrfAlgorithm::Sha256);
    let fake = Fake::new().with_fault(operation, Fault::Error(LIBRARY_FAILURE)).leak();
    let error = import(fake, &proper_ciphertext(&TestKey::rsa_1024())).unwrap_err();
    assert_eq!(error, LIBRARY_FAILURE);
    assert!(!fake.log().contains(&Operation::RsaDecryptRaw));
}

#[test]
fn a_fault_in_hmac_keeps_a_key_from_loading() {
    let operation = Operation::Hmac(HashAlgorithm::Sha256);
    let fake = Fake::new().with_fault(operation, Fault::Error(LIBRARY_FAILURE)).leak();
    let error = TestKey::rsa_1024().try_load(&open(&fake.into())).unwrap_err();
    assert_eq!(error, LIBRARY_FAILURE);
}

#[test]
fn a_fault_in_the_derivation_reaches_the_caller_of_the_derivation() {
    let fake = Fake::new()
        .with_fault(Operation::Prf(PrfAlgorithm::Sha384), Fault::Error(LIBRARY_FAILURE))
        .leak();
    let error = import(fake, &proper_ciphertext(&TestKey::rsa_1024())).unwrap_err();
    assert_eq!(error, LIBRARY_FAILURE);
}

#[test]
fn a_panic_of_the_library_passes_through_and_harms_nothing_else() {
    let panicking = Fake::new().with_fault(Operation::RsaDecryptRaw, Fault::Panic).leak();
    let provider = open(&panicking.into());
    let key = TestKey::rsa_1024();
    let loaded = key.load(&provider);
    let table = HandleTable::new(&[1; 16]);
    let handle = table.insert(HandleKind::PrivateKey, Arc::new(loaded)).unwrap();

    thread::scope(|scope| {
        let failed = scope.spawn(|| {
            let loaded = table.get(handle, HandleKind::PrivateKey).unwrap();
            exchange().import(&provider, &loaded, &proper_ciphertext(&key)).map(drop)
        });
        assert!(failed.join().is_err(), "the panic is not swallowed");
    });
    // The table, the key object and the provider go on working.
    let loaded = table.get(handle, HandleKind::PrivateKey).unwrap();
    exchange().import(&provider, &loaded, &[]).unwrap();
    let again = catch_unwind(AssertUnwindSafe(|| {
        exchange().import(&provider, &loaded, &proper_ciphertext(&key)).map(drop)
    }));
    assert!(again.is_err());
    table.remove(handle, HandleKind::PrivateKey).unwrap();
}

#[test]
fn a_record_that_cannot_be_sealed_is_wiped() {
    let fake = Fake::new().with_fault(Operation::Random, Fault::Error(LIBRARY_FAILURE)).leak();
    let mut key =
        Direction::of(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, false)
            .key(&fake.into())
            .unwrap();
    let mut record = [0xa5; 100];
    let sealed = key.encrypt_packet(0, 23, b"plaintext", &mut record);
    assert_eq!(sealed, Err(LIBRARY_FAILURE));
    let len = key.record_len(9).unwrap();
    assert!(record[..len].iter().all(|byte| *byte == 0), "{record:02x?}");
    assert!(record[len..].iter().all(|byte| *byte == 0xa5), "{record:02x?}");
}

/// A backend whose block cipher leaves blocks as they are, so that CBC only chains them, and whose
/// hashes are zero, as in the tests that the vectors were made for.
#[derive(Debug)]
struct Zero(BackendInfo);

impl KeyExchangeBackend for Zero {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, _operation: Operation) -> Support {
        Support::By("nobody")
    }

    fn hashing(&self) -> &dyn Hashing {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self
    }
}

impl Hashing for Zero {
    fn hash_context(&self, _hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Ok(Box::new(ZeroHash))
    }
}

impl RecordCiphers for Zero {
    fn cbc(&self, _cipher: CbcAlgorithm, _key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        Ok(Box::new(Chain))
    }
}

#[derive(Debug)]
struct Chain;

impl CbcCipher for Chain {
    fn encrypt(&self, _iv: &[u8], _blocks: &mut [u8]) -> Result<(), Error> {
        Err(Error::Internal("these vectors are decrypted only"))
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        let before = [iv, &*blocks].concat();
        blocks.iter_mut().zip(before).for_each(|(byte, before)| *byte ^= before);
        Ok(())
    }
}

#[derive(Debug)]
struct ZeroHash;

impl HashContext for ZeroHash {
    fn update(&mut self, _input: &[u8]) {}

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(Self)
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        out.fill(0);
        Ok(())
    }
}

#[test]
fn records_of_botan_with_a_mac_of_zeros_are_told_apart() {
    let info = BackendInfo::new("zero", "Provider of zeros", "none".to_owned());
    let backend = Backend::new(Zero(info));
    with_folder(10, |vectors| {
        let cases = paragraphs(&vectors.text("botan/tls_cbc.vec"));
        for case in &cases {
            let get = |name| value(case, name).unwrap();
            let mac = match get("MACsize") {
                "16" => HashAlgorithm::Md5,
                "20" => HashAlgorithm::Sha1,
                "32" => HashAlgorithm::Sha256,
                other => panic!("{other}"),
            };
            // No suite has AES with MD5, so the suite is made up.
            let suite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
            let connection = connection(&backend, ProtocolVersion::TLS1_0, suite)
                .for_vectors(ProtocolVersion::TLS1_0, Some(mac));
            let blocks = hex(get("Record"));
            let mut direction = Direction::of(ProtocolVersion::TLS1_0, suite, false);
            direction.write_iv.fill(0);
            direction.mac_key.resize(mac.output_len(), 0);
            let header = direction.header(0, 23, blocks.len());
            let mut record = [header, blocks].concat();
            let opened = RecordKey::new(&connection, direction.options, direction.write_keys())
                .unwrap()
                .decrypt_in_place(0, &mut record);
            let expected = get("Valid") == "1";
            assert_eq!(opened.is_ok(), expected, "{case:?}");
            assert!(expected || opened == Err(Error::BadRecord), "{case:?}");
        }
        cases.len()
    });
}

#[test]
fn the_suite_notices_that_the_fake_is_no_crypto() {
    let report = ssl_provider_testkit::check(Fake::new().leak());
    assert_eq!(report.backend, "fake");
    assert_eq!(report.outcomes.len(), ssl_provider_testkit::cases().len());
    let failed = |name: &str| report.failures().any(|outcome| outcome.name == name);
    for name in [
        "hash::hash_known_answers",
        "hmac::hmac_known_answers",
        "hmac::hmac_refuses_other_output_lengths",
        "prf::prf_ietf_known_answers",
        "random::random_bytes_fill_the_buffer_and_never_repeat",
        "rsa::rsa_decrypts_with_every_size_of_key",
        "keys::keys_whose_parts_disagree_are_refused",
        "schedule::schedule_known_answers",
        "rejection::rejection_looks_like_success",
        "support::support_is_what_the_backend_says",
    ] {
        assert!(failed(name), "{name} passes without any cryptography");
    }
    // What is core's alone holds over any backend.
    for name in [
        "import::import_takes_the_protocols_with_an_rsa_exchange",
        "import::import_takes_rsa_suites_of_the_protocol",
        "import::import_checks_in_a_fixed_order",
        "rejection::rejection_answers_alike_every_time",
        "secrets::secrets_are_not_in_debug_output",
    ] {
        assert!(!failed(name), "{name} fails: {:?}", report.failures().find(|o| o.name == name));
    }
    assert!(!report.passed());
    let text = report.to_string();
    assert_eq!(text.matches("fake hash::hash_known_answers: ").count(), 1);
    assert!(text.contains("BackendInfo.library: expected names with versions, found none"));
    assert!(text.ends_with(&format!(" {} failed", report.failures().count())), "{text}");
}

#[test]
fn a_provider_is_for_its_own_backend_alone() {
    let (one, other) = (Fake::new().leak(), Fake::new().leak());
    let key = TestKey::rsa_1024();
    let loaded = key.load(&Provider::open(one));
    let error =
        exchange().import(&open(&other.into()), &loaded, &proper_ciphertext(&key)).unwrap_err();
    assert_eq!(error, Error::InvalidHandle, "two fakes are two backends, whatever their names");
}
