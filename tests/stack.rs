//! No call leaves a secret on the stack: searches the stack below each call for the private key,
//! premaster secret, master secret and keys, on every backend, also with multi-buffer RSA.

#![cfg(target_os = "linux")]
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::BTreeSet;

use ssl_provider::{
    Backend, CipherSuite, ClientKey, EapKeyBlock, Error, ProtocolVersion, RecordOptions, Side,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::exchange::{Exchange, open};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::stack::{Remains, Secrets};

/// Makes a call after which the whole stack below it must be wiped, to any depth.
fn assert_wiped(what: &str, secrets: &Secrets, call: impl FnOnce() + Send) {
    let remains = Remains::of(call);
    assert_eq!(remains.found(secrets), BTreeSet::new(), "{what}");
    assert!(remains.wiped_to_the_bottom(), "{what}: more stack was used than is wiped");
}

/// Makes a call after which the stack is not wiped, or only in parts, and must hold no secret.
fn assert_nothing_left(what: &str, secrets: &Secrets, call: impl FnOnce() + Send) {
    assert_eq!(Remains::of(call).found(secrets), BTreeSet::new(), "{what}");
}

/// Every backend, every one with multi-buffer RSA around it, and that with a batcher.
fn backends() -> Vec<(String, Backend)> {
    let mut all = Vec::new();
    for backend in ssl_provider::backends() {
        all.push((backend.info().name.to_owned(), backend.clone()));
        #[cfg(feature = "multi-buffer")]
        match ssl_provider::with_multi_buffer(&backend) {
            Some(around) => {
                let batcher = ssl_provider::with_batcher(&around, std::time::Duration::ZERO);
                let batcher = batcher.expect("it has RSA");
                all.push((format!("{} with a batcher", backend.info().name), batcher));
                all.push((format!("{} in batches", backend.info().name), around));
            }
            None => ssl_provider_testkit::loud::not_tested(
                "multi-buffer RSA",
                "this processor has neither AVX-512 IFMA nor AVX-IFMA",
            ),
        }
    }
    all
}

fn of_private_key(key: &TestKey) -> Secrets {
    let parts = key.parts();
    Secrets::default()
        .and("p", &parts.p.to_bytes_be())
        .and("q", &parts.q.to_bytes_be())
        .and("d", &parts.d.to_bytes_be())
        .and("d mod p-1", &parts.dp.to_bytes_be())
        .and("d mod q-1", &parts.dq.to_bytes_be())
        .and("q^-1 mod p", &parts.qinv.to_bytes_be())
        .and("reject key", &key.reject_key())
}

#[test]
fn no_part_of_a_private_key_is_left_by_loading_and_using_it() {
    let mut rng = Rng::new(92);
    for test_key in TestKey::all() {
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384);
        let premaster_secret = exchange.premaster_secret(&mut rng);
        let block = test_key.pad(&premaster_secret, &mut rng);
        let ciphertext = test_key.encrypt(&block);
        let secrets = of_private_key(&test_key)
            .and("block", &block)
            .and("master secret", &exchange.master_secret(&premaster_secret));
        for (name, backend) in backends() {
            let provider = open(&backend);
            let what = |call: &str| format!("{name}, {}, {call}", test_key.name);
            let mut key = None;
            let load = || key = Some(Box::new(test_key.load(&provider)));
            assert_wiped(&what("load"), &secrets, load);
            let key = key.unwrap();
            for jobs in [1, 8] {
                let decrypt = || drop(key.decrypt_premasters(&vec![&ciphertext[..]; jobs]));
                assert_wiped(&what("decrypt"), &secrets, decrypt);
            }
            let import = || drop(exchange.import(&provider, &key, &ciphertext).unwrap());
            assert_wiped(&what("import"), &secrets, import);
        }
    }
}

/// Length of the MAC keys and keys in the key block. IVs follow; the part that is not sent with the
/// records is useless without the key.
fn keys_len(exchange: &Exchange) -> usize {
    let mac_len = exchange.suite.mac.map_or(0, |hash| hash.output_len());
    2 * (mac_len + exchange.suite.cipher.key_len)
}

#[test]
fn no_secret_of_a_session_is_left_by_deriving_and_using_it() {
    let test_key = TestKey::rsa_1024();
    for (name, backend) in backends() {
        let provider = open(&backend);
        let key = test_key.load(&provider);
        for exchange in [
            Exchange::new(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
            Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256),
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256),
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384)
                .extended(),
        ] {
            let what = |call: &str| format!("{name}, {call}\n{}", exchange.describe());
            let mut rng = Rng::new(93);
            let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
            let master_secret = exchange.master_secret(&premaster_secret);
            let session_keys = exchange.session_keys(&master_secret);
            let secrets = Secrets::default()
                .and("premaster secret", &premaster_secret)
                .and("master secret", &master_secret)
                .and("keys", &session_keys[..keys_len(&exchange)]);

            let mut master_key = None;
            let import = || master_key = exchange.import(&provider, &key, &ciphertext).ok();
            assert_wiped(&what("import"), &secrets, import);
            let (master_key, parameters) = (master_key.unwrap(), exchange.parameters());
            let mut keys = None;
            let derive = || keys = master_key.session_keys(&parameters).ok();
            assert_wiped(&what("session keys"), &secrets, derive);
            let keys = keys.unwrap();
            let (protocol, suite) = (exchange.protocol, exchange.suite.id);
            let hash = provider.handshake_hash(protocol, suite).unwrap();
            let mut finished = vec![0; master_key.verify_data_len()];
            let verify = || master_key.verify_data(Side::Client, &hash, &mut finished).unwrap();
            assert_wiped(&what("Finished"), &secrets, verify);
            let record_key =
                || Box::new(keys.record_key(Side::Server, RecordOptions::default()).unwrap());
            let (writer, mut reader) = (record_key(), None);
            let make = || reader = Some(record_key());
            assert_wiped(&what("record key"), &secrets, make);

            let reader = reader.unwrap();
            let sign = || drop(master_key.client_auth_hash(ClientKey::Rsa, &hash).unwrap());
            assert_nothing_left(&what("client auth hash"), &secrets, sign);
            let end = || drop((master_key, keys, writer, reader));
            assert_nothing_left(&what("drop"), &secrets, end);
        }
    }
}

#[test]
fn no_key_is_left_by_records() {
    let test_key = TestKey::rsa_1024();
    let mac_then_encrypt = RecordOptions::default();
    let encrypt_then_mac = RecordOptions { encrypt_then_mac: true };
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let key = test_key.load(&provider);
        for (protocol, suite, options) in [
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_NULL_MD5, mac_then_encrypt),
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_NULL_SHA, mac_then_encrypt),
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_RC4_128_MD5, mac_then_encrypt),
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_RC4_128_SHA, mac_then_encrypt),
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, mac_then_encrypt),
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA, mac_then_encrypt),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_RC4_128_MD5, mac_then_encrypt),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, mac_then_encrypt),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA, mac_then_encrypt),
            (
                ProtocolVersion::TLS1_1,
                CipherSuite::TLS_RSA_WITH_CAMELLIA_128_CBC_SHA,
                mac_then_encrypt,
            ),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_NULL_SHA256, mac_then_encrypt),
            (
                ProtocolVersion::TLS1_2,
                CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256,
                mac_then_encrypt,
            ),
            (
                ProtocolVersion::TLS1_2,
                CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256,
                encrypt_then_mac,
            ),
            (
                ProtocolVersion::TLS1_2,
                CipherSuite::TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256,
                mac_then_encrypt,
            ),
            (
                ProtocolVersion::TLS1_2,
                CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
                mac_then_encrypt,
            ),
            (
                ProtocolVersion::TLS1_2,
                CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384,
                mac_then_encrypt,
            ),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CCM, mac_then_encrypt),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_CCM_8, mac_then_encrypt),
        ] {
            let exchange = Exchange::new(protocol, suite);
            let name = backend.info().name;
            let what = |call: &str| format!("{name}, {options:?}, {call}\n{}", exchange.describe());
            let mut rng = Rng::new(95);
            let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
            let session_keys = exchange.session_keys(&exchange.master_secret(&premaster_secret));
            let session_keys = &session_keys[..keys_len(&exchange)];
            let padded = |pad: u8| session_keys.iter().map(|byte| byte ^ pad).collect::<Vec<_>>();
            let secrets = Secrets::default()
                .and("keys", session_keys)
                .and("keys in the inner hash of HMAC", &padded(0x36))
                .and("keys in the outer hash of HMAC", &padded(0x5c));

            let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
            let keys = master_key.session_keys(&exchange.parameters()).unwrap();
            let record_key = || keys.record_key(Side::Server, options).map(Box::new);
            if matches!(record_key(), Err(Error::Unsupported(_))) {
                continue;
            }
            let (mut writer, mut reader) = (record_key().unwrap(), record_key().unwrap());
            let (text, mut opened) = (vec![7; 1000], vec![0; 2000]);
            let mut record = vec![0; writer.record_len(text.len()).unwrap()];
            let mut len = 0;
            let seal = || len = writer.encrypt_packet(0, 23, &text, &mut record).unwrap();
            assert_nothing_left(&what("encrypt"), &secrets, seal);
            let open = || assert!(reader.decrypt_packet(0, &record[..len], &mut opened).is_ok());
            assert_nothing_left(&what("decrypt"), &secrets, open);
            let mut blob = None;
            let export = || blob = writer.export().ok();
            assert_nothing_left(&what("export"), &secrets, export);
            let (blob, mut imported) = (blob.unwrap(), None);
            let import = || imported = provider.import_record_key(blob.expose()).ok().map(Box::new);
            assert_nothing_left(&what("import"), &secrets, import);
            assert!(imported.is_some());
        }
    }
}

#[test]
fn keying_material_is_not_left() {
    let test_key = TestKey::rsa_1024();
    for (name, backend) in backends() {
        let provider = open(&backend);
        let key = test_key.load(&provider);
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384);
        let mut rng = Rng::new(94);
        let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
        let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
        let randoms = [exchange.client_random, exchange.server_random].concat();
        let mut out = vec![0; 64];
        let mut again = vec![0; 64];
        master_key.export_keying_material(b"EXPORTER", &randoms, None, &mut out).unwrap();
        let secrets = Secrets::default()
            .and("master secret", &exchange.master_secret(&premaster_secret))
            .and("keying material", &out);
        let export = || {
            master_key.export_keying_material(b"EXPORTER", &randoms, None, &mut again).unwrap();
        };
        assert_wiped(&name, &secrets, export);
        assert_eq!(again, out);
        let kind = EapKeyBlock::TtlsV0;
        master_key.eap_key_block(kind, &randoms, &mut out).unwrap();
        let secrets = secrets.and("key block of EAP", &out);
        let derive = || master_key.eap_key_block(kind, &randoms, &mut again).unwrap();
        assert_wiped(&name, &secrets, derive);
        assert_eq!(again, out);
    }
}

/// The positive control: these two libraries leave a secret on a stack that is not wiped, and the
/// search must find it.
#[cfg(any(feature = "aws-lc", feature = "ring"))]
#[test]
fn a_derivation_that_is_not_wiped_is_found() {
    use ssl_provider::PrfAlgorithm;

    for name in ["aws-lc", "ring"] {
        let Ok(backend) = ssl_provider::backend(name) else { continue };
        let mut out = vec![0; 48];
        let mut derive = || {
            backend
                .hashing()
                .prf(PrfAlgorithm::Sha384, &[1; 48], b"label", &[&[2; 64]], &mut out)
                .unwrap();
        };
        derive();
        let remains = Remains::of(&mut derive);
        let secrets = Secrets::default().and("master secret", &out);
        assert_eq!(remains.found(&secrets), BTreeSet::from(["master secret"]), "{name}");
    }
}
