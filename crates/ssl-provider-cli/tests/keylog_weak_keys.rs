//! `sslprov keylog --allow-weak-keys`: sessions with RSA keys that no provider takes.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use num_bigint::BigUint;
use ssl_provider::backend::RsaPrivateKey;
use ssl_provider::{
    CipherSuite, Error, KeyLogPolicy, ParameterList, Policy, ProtocolVersion, Provider,
    PublicKeyParts, RecordOptions, Side, default_backend,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::{KeyParts, pad, pkcs8};
use ssl_provider_wire::{HandshakeType, put_certificate, put_message, put_vec};

use common::{RAW_IP, Run, ip, pcap, sslprov};

/// The object identifier of RSA keys (RFC 8017 appendix A.1).
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const VERSION: ProtocolVersion = ProtocolVersion::TLS1_2;
const SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;
const CLIENT_RANDOM: [u8; 32] = [0xc1; 32];
const SERVER_RANDOM: [u8; 32] = [0x5e; 32];

/// A key whose public exponent has half as many bits as the modulus.
fn with_long_exponent(bits: u64) -> KeyParts {
    let KeyParts { p, q, .. } = KeyParts::generate(bits, 3);
    let e = KeyParts::generate(bits, 4).p;
    let (p1, q1) = (&p - 1u32, &q - 1u32);
    let d = e.modinv(&(&p1 * &q1)).unwrap();
    let parts = KeyParts::from_primes(p, q, 65_537);
    KeyParts { dp: &d % &p1, dq: &d % &q1, e, d, ..parts }
}

/// A private key that decrypts everything to this block.
#[derive(Debug)]
struct Known(Vec<u8>);

impl RsaPrivateKey for Known {
    fn modulus_len(&self) -> usize {
        self.0.len()
    }

    fn decrypt_raw(&self, _: &[u8], em: &mut [u8]) -> Result<(), Error> {
        em.copy_from_slice(&self.0);
        Ok(())
    }
}

/// A capture of one session up to the client's Finished, and its line of the key log.
///
/// The premaster secret is encrypted to `key`; `certificate` stands in the server's message.
fn session(key: &KeyParts, certificate: &[u8]) -> (Vec<u8>, String) {
    let mut rng = Rng::new(7);
    let premaster_secret = [&VERSION.wire().to_be_bytes()[..], &[0x9d; 46]].concat();
    let block = pad(key.n.to_bytes_be().len(), &premaster_secret, &mut rng);
    let encrypted = BigUint::from_bytes_be(&block).modpow(&key.e, &key.n).to_bytes_be();
    let encrypted = [vec![0; block.len() - encrypted.len()], encrypted].concat();

    let suite = u16::try_from(SUITE.0).unwrap().to_be_bytes();
    let version = VERSION.wire().to_be_bytes();
    let (mut client_hello, mut server_flight, mut exchange) = (Vec::new(), Vec::new(), Vec::new());
    put_message(&mut client_hello, HandshakeType::CLIENT_HELLO, |out| {
        out.extend([&version, &CLIENT_RANDOM[..], &[0, 0, 2], &suite, &[1, 0]].concat());
    });
    put_message(&mut server_flight, HandshakeType::SERVER_HELLO, |out| {
        out.extend([&version, &SERVER_RANDOM[..], &[0], &suite, &[0]].concat());
    });
    put_certificate(&mut server_flight, [certificate]);
    put_message(&mut server_flight, HandshakeType::SERVER_HELLO_DONE, |_| {});
    put_message(&mut exchange, HandshakeType::CLIENT_KEY_EXCHANGE, |out| {
        put_vec::<2>(out, |out| out.extend(&encrypted));
    });

    let policy =
        Policy { key_log: KeyLogPolicy::Allowed, min_modulus_bits: 0, ..Policy::default() };
    let provider = Provider::open(default_backend().unwrap()).with_policy(policy);
    let (n, e) = (key.n.to_bytes_be(), key.e.to_bytes_be());
    let known = provider.private_key_of_raw(&n, &e, Box::new(Known(block))).unwrap();
    let randoms = ParameterList::new().client_random(CLIENT_RANDOM).server_random(SERVER_RANDOM);
    let master_key =
        provider.import_master_key(&known, VERSION, SUITE, &randoms, &encrypted).unwrap();

    let mut transcript = provider.handshake_hash(VERSION, SUITE).unwrap();
    transcript.update(&[&client_hello[..], &server_flight, &exchange].concat());
    let mut verify_data = [0; 12];
    master_key.verify_data(Side::Client, &transcript, &mut verify_data).unwrap();
    let mut finished = Vec::new();
    put_message(&mut finished, HandshakeType::FINISHED, |out| out.extend(verify_data));
    let keys = master_key.session_keys(&randoms).unwrap();
    let mut record_key = keys.record_key(Side::Client, RecordOptions::default()).unwrap();
    let mut sealed = vec![0; record_key.record_len(finished.len()).unwrap()];
    record_key.encrypt_packet(0, 22, &finished, &mut sealed).unwrap();

    let record = |content_type: u8, fragment: &[u8]| {
        let mut record = vec![content_type, version[0], version[1]];
        put_vec::<2>(&mut record, |out| out.extend(fragment));
        record
    };
    let change = record(20, &[1]);
    let client = [record(22, &client_hello), record(22, &exchange), change, sealed].concat();
    let segment = |ports: [u16; 2], payload: &[u8]| {
        let ports = ports.map(u16::to_be_bytes).concat();
        let rest = [0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0];
        ip(6, 0, &[&ports, &rest[..], payload].concat())
    };
    let mut server = segment([443, 50_000], &record(22, &server_flight));
    // The addresses.
    server[12..20].rotate_left(4);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let secret = hex(master_key.secret_for_key_log().unwrap().expose());
    let line = format!("CLIENT_RANDOM {} {secret}\n", hex(&CLIENT_RANDOM));
    (pcap(RAW_IP, &[segment([50_000, 443], &client), server]), line)
}

/// The public key of `key`, in place of a certificate (RFC 7250).
fn bare_public_key(key: &KeyParts) -> Vec<u8> {
    let (modulus, exponent) = (key.n.to_bytes_be(), key.e.to_bytes_be());
    PublicKeyParts::Rsa { modulus: &modulus, exponent: &exponent }.to_der().unwrap()
}

/// An `RSAPRIVATEBLOB`.
fn blob(key: &KeyParts) -> Vec<u8> {
    let parts = [&key.e, &key.n, &key.p, &key.q].map(BigUint::to_bytes_be);
    let bits = usize::try_from(key.n.bits()).unwrap();
    let [e, n, p, q] = parts.each_ref().map(Vec::len);
    let header = [bits, e, n, p, q].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    [b"RSA2".to_vec(), header.concat(), parts.concat()].concat()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

fn keylog(options: &[&str], key: &Path, capture: &Path) -> Run {
    let files = ["keylog", "--key", key.to_str().unwrap(), capture.to_str().unwrap()];
    sslprov([&files, options].concat())
}

#[test]
fn weak_keys_of_every_kind_open_their_sessions_when_they_are_allowed() {
    let folder = Folder(tempfile::tempdir().unwrap());
    for key in [
        KeyParts::generate(512, 1),
        // No whole number of words, and not even of bytes.
        KeyParts::generate(609, 1),
        KeyParts::generate(768, 1),
        with_long_exponent(768),
        with_long_exponent(1024),
    ] {
        let (capture, line) = session(&key, &bare_public_key(&key));
        let capture = folder.file("capture.pcap", &capture);
        let der = key.to_der();
        for content in [der.clone(), pkcs8(&RSA, &der), blob(&key)] {
            let file = folder.file("key", &content);
            let opened = keylog(&["--allow-weak-keys", "--backend", "all"], &file, &capture);
            assert_eq!(opened.expect_code(0).stdout, line, "{} bits", key.n.bits());
            let refused = keylog(&[], &file, &capture).expect_code(2);
            assert_eq!(refused.stdout, "");
            refused.expect_stderr("--allow-weak-keys");
        }
    }
}

#[test]
fn a_wrong_weak_key_is_a_wrong_key() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let [server, other] = [1, 2].map(|seed| KeyParts::generate(512, seed));
    let key = folder.file("key", &other.to_der());
    // With the name of the right key there is none to try; without, the wrong one is tried.
    for certificate in [bare_public_key(&server), vec![0xff; 9]] {
        let capture = folder.file("capture.pcap", &session(&server, &certificate).0);
        let run = keylog(&["--allow-weak-keys", "--json"], &key, &capture).expect_code(1);
        assert_eq!(run.lines()[0]["verdict"], "wrong-key");
        assert!(!run.stdout.contains("CLIENT_RANDOM"), "{}", run.stdout);
    }
}

#[test]
fn what_is_wrong_with_a_key_besides_its_strength_is_no_matter_of_the_option() {
    let folder = Folder(tempfile::tempdir().unwrap());
    let good = KeyParts::generate(512, 1);
    let capture = folder.file("capture.pcap", &session(&good, &bare_public_key(&good)).0);
    let even = KeyParts { n: &good.n - 1u32, ..good.clone() };
    let inconsistent = KeyParts { d: &good.d - 2u32, ..good.clone() };
    let multi_prime = KeyParts { version: 1, ..good.clone() };
    // Too short for the padding of a premaster secret.
    let tiny = KeyParts::generate(460, 1);
    for key in [even, inconsistent, multi_prime, tiny] {
        let file = folder.file("key", &key.to_der());
        for options in [&[][..], &["--allow-weak-keys"]] {
            let run = keylog(options, &file, &capture).expect_code(2);
            assert!(!run.stderr.contains("--allow-weak-keys"), "{}", run.stderr);
            run.expect_stderr("private key:");
        }
    }
}
