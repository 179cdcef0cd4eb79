//! The record layer on recorded connections of other stacks: every record decrypts to its
//! plaintext, and none does with a flipped bit.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use serde_json::Value;
use ssl_provider::{
    CipherSuite, KeyExportPolicy, ParameterList, Policy, ProtocolVersion, Provider, Side,
    default_backend,
};
use ssl_provider_cli::key_file::{PasswordArgs, read_keys};
use ssl_provider_cli::record::{Options, RecordCipher};

use ssl_provider_testkit::vectors;

fn bytes(handshake: &Value, field: &str) -> Vec<u8> {
    let digits = handshake[field].as_str().unwrap_or_else(|| panic!("{field} is text"));
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn number(handshake: &Value, field: &str) -> u16 {
    u16::from_str_radix(handshake[field].as_str().unwrap(), 16).unwrap()
}

/// Decrypts the records of one handshake, and counts them.
fn open_records(folder: &Path, handshake: &Value, provider: &Provider) -> usize {
    let protocol = ProtocolVersion(number(handshake, "version"));
    let suite = CipherSuite(number(handshake, "suite_id").into()).info().unwrap();
    let randoms = ParameterList::new()
        .client_random(bytes(handshake, "client_random").try_into().unwrap())
        .server_random(bytes(handshake, "server_random").try_into().unwrap());
    let mut parameters =
        randoms.clone().highest_version(ProtocolVersion(number(handshake, "client_version")));
    if handshake["ems"] == true {
        parameters = parameters.session_hash(&bytes(handshake, "session_hash")).unwrap();
    }
    let key = folder.join(handshake["key"].as_str().unwrap());
    let key = read_keys(&key, &PasswordArgs::default().password().unwrap()).unwrap();
    let key = provider.load_private_key(&key[0].der).unwrap();
    let encrypted = bytes(handshake, "encrypted_premaster");
    let master_key =
        provider.import_master_key(&key, protocol, suite.id, &parameters, &encrypted).unwrap();
    let keys = master_key.session_keys(&randoms).unwrap();
    let options = Options {
        encrypt_then_mac: handshake["etm"] == true,
        truncated_hmac: false,
        compression: 0,
    };
    let records = handshake["records"].as_array().unwrap();
    for (side, name) in [(Side::Client, "client"), (Side::Server, "server")] {
        let cipher = || RecordCipher::new(protocol, suite, &keys, side, options).unwrap();
        let mut good = cipher();
        for (number_of, record) in records.iter().filter(|one| one["dir"] == name).enumerate() {
            let content_type = u8::try_from(record["type"].as_u64().unwrap()).unwrap();
            let version = number(record, "version");
            let fragment = bytes(record, "fragment");
            let opened = good.open(content_type, version, &fragment).unwrap();
            assert_eq!(opened, bytes(record, "plaintext"), "{}", handshake["file"]);
            if number_of > 0 {
                continue;
            }
            for at in 0..fragment.len() {
                let mut damaged = fragment.clone();
                damaged[at] ^= 0x80;
                assert!(cipher().open(content_type, version, &damaged).is_err(), "byte {at}");
                assert!(cipher().open(content_type, version, &fragment[..at]).is_err(), "{at}");
            }
            assert!(cipher().open(content_type ^ 1, version, &fragment).is_err());
        }
    }
    records.len()
}

#[test]
fn every_record_of_the_recorded_connections_opens() {
    let policy = Policy { key_export: KeyExportPolicy::Allowed, ..Policy::default() };
    let provider = Provider::open(default_backend().unwrap()).with_policy(policy);
    let Some(vectors) = vectors::folder_with("go-tls/handshakes.json") else { return };
    let mut opened = 0;
    for folder in ["go-tls", "go-tls-no-ems"].map(|name| vectors.join(name)) {
        let handshakes = fs::read(folder.join("handshakes.json")).unwrap();
        let handshakes: Vec<Value> = serde_json::from_slice(&handshakes).unwrap();
        // The others use another key exchange, and have no private key.
        for handshake in handshakes.iter().filter(|one| one["key"].is_string()) {
            opened += open_records(&folder, handshake, &provider);
        }
    }
    assert!(opened >= 150, "{opened} records");
}
