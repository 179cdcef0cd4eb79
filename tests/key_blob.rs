//! An opaque key blob crosses into another process: this test runs itself once more, and what one
//! writes the other opens. No backend takes the blob of another.

#![allow(clippy::unwrap_used)]

use std::env;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

use ssl_provider::{
    CipherSuite, Error, KeyExportPolicy, Policy, ProtocolVersion, Provider, RecordKey, backend,
    backends,
};
use ssl_provider_testkit::bytes::{Rng, hex, to_hex};
use ssl_provider_testkit::exchange::{Exchange, POLICY};
use ssl_provider_testkit::rsa_key::TestKey;

/// Names the backend to the other process.
const BACKEND: &str = "SSL_PROVIDER_TEST_BACKEND";

/// TLS 1.0 with AES-128-CBC, whose vectors chain from record to record.
fn record_key(provider: &Provider) -> RecordKey {
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
    let key = TestKey::rsa_1024();
    let mut rng = Rng::new(4);
    let ciphertext = key.encrypt(&key.pad(&exchange.premaster_secret(&mut rng), &mut rng));
    let master_key = exchange.import(provider, &key.load(provider), &ciphertext).unwrap();
    let keys = master_key.session_keys(&exchange.parameters()).unwrap();
    keys.record_key(ssl_provider::Side::Server, ssl_provider::RecordOptions::default()).unwrap()
}

fn seal(key: &mut RecordKey, sequence_number: u64, payload: &[u8]) -> Vec<u8> {
    let mut record = vec![0; key.record_len(payload.len()).unwrap()];
    key.encrypt_packet(sequence_number, 23, payload, &mut record).unwrap();
    record
}

#[test]
fn another_process_goes_on_with_an_exported_key() {
    if let Ok(name) = env::var(BACKEND) {
        return the_other_process(&name);
    }
    for backend in backends() {
        let provider = Provider::open(&backend).with_policy(POLICY);
        let mut key = record_key(&provider);
        seal(&mut key, 0, b"the first record is written here");
        let blob = key.export().unwrap();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "another_process_goes_on_with_an_exported_key", "--nocapture"])
            .env(BACKEND, backend.info().name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(to_hex(blob.expose()).as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}");
        let record = text.lines().find_map(|line| line.split("record: ").nth(1)).unwrap();
        assert_eq!(hex(record), seal(&mut key, 1, b"and the second there"));
    }
}

#[test]
fn no_backend_takes_the_blob_of_another() {
    for from in backends() {
        let blob = record_key(&Provider::open(&from).with_policy(POLICY)).export().unwrap();
        for to in backends() {
            let taken = Provider::open(&to).with_policy(POLICY).import_record_key(blob.expose());
            let (from, to) = (from.info().name, to.info().name);
            if from == to {
                assert!(taken.is_ok());
            } else {
                assert!(matches!(taken, Err(Error::InvalidParameter(_))), "{from} to {to}");
            }
        }
    }
}

/// Takes a blob from standard input, and writes a record with it.
fn the_other_process(name: &str) {
    let mut blob = String::new();
    std::io::stdin().read_to_string(&mut blob).unwrap();
    let policy = Policy { key_export: KeyExportPolicy::Denied, ..POLICY };
    let provider = Provider::open(backend(name).unwrap()).with_policy(policy);
    let mut key = provider.import_record_key(&hex(&blob)).unwrap();
    println!("record: {}", to_hex(&seal(&mut key, 1, b"and the second there")));
}
