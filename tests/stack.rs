//! No call leaves a secret on the stack: searches the stack below each call for the private key,
//! premaster secret, master secret and keys, on every backend, also with multi-buffer RSA.

#![cfg(target_os = "linux")]
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::BTreeSet;

use num_bigint::BigUint;
use ssl_provider::backend::{KemPrivateKey, with_one_wipe};
use ssl_provider::{
    Backend, CipherSuite, ClientKey, Curve, EapKeyBlock, Error, Group, HashAlgorithm, HybridGroup,
    Operation, ProtocolVersion, RecordOptions, Side, SignatureScheme,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::cases::signing::EcKey;
use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_testkit::exchange::{Exchange, open};
use ssl_provider_testkit::group;
use ssl_provider_testkit::known_random::KnownRandom;
use ssl_provider_testkit::ml_kem::MlKem;
use ssl_provider_testkit::reference;
use ssl_provider_testkit::reference13::{self, Schedule};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::signature::rsa_public_key;
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
            None => not_tested(
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
    let encrypt_then_mac = RecordOptions { encrypt_then_mac: true, ..RecordOptions::default() };
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

#[test]
fn no_private_key_and_no_secret_of_an_agreement_is_left() {
    let mut rng = Rng::new(96);
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        for group in group::of(&backend) {
            let number = group::private_key(&group, &mut rng);
            let (protocol, suite) = (ProtocolVersion::TLS1_2, group::suite(&group));
            let exchange = Exchange::new(protocol, suite);
            let what = |call: &str| format!("{}, {group:?}, {call}", backend.info().name);
            let mut generated = None;
            let generate = || {
                let made = provider.generate_ephemeral_key(group.clone());
                generated = Some(Box::new(made.unwrap()));
            };
            assert_wiped(&what("generate"), &Secrets::default(), generate);
            let generated = generated.unwrap();
            // ring loads no private key.
            let (key, private_key) = match group::load(&backend, &group, &number) {
                Some(key) => {
                    let key = provider.ephemeral_key_of(group.clone(), key).unwrap();
                    (Box::new(key), Some(number))
                }
                None => (generated, None),
            };
            let peer_number = group::private_key(&group, &mut rng);
            let (share, secret) = group::peer(&group, &peer_number, key.public_key());
            let zeros = group::stripped_zeros(&group, &secret);
            let mut secrets = Secrets::default()
                .and("agreed secret", &secret)
                .and("master secret", &exchange.master_secret(&secret[zeros..]));
            if let Some(private_key) = &private_key {
                secrets = secrets.and("private key", private_key);
            }
            let share = group.public_key(&share).unwrap();
            let parameters = exchange.parameters();
            let mut master_key = None;
            let agree = || {
                let side = Side::Client;
                let made = provider
                    .generate_master_key(*key, &share, protocol, suite, &parameters, side)
                    .unwrap();
                master_key = Some(Box::new(made));
            };
            assert_wiped(&what("agree"), &secrets, agree);
            let master_key = master_key.unwrap();
            let found = master_key.secret_for_key_log().unwrap().expose().to_vec();
            assert_eq!(found, exchange.master_secret(&secret[zeros..]), "{}", what("agree"));
        }
    }
}

#[test]
fn no_key_and_no_secret_of_a_hybrid_group_is_left() {
    let mut rng = Rng::new(97);
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let connection = provider.tls13_parameters(CipherSuite::TLS_AES_128_GCM_SHA256).unwrap();
        for group in HybridGroup::ALL {
            let (curve, kem) = (group.curve(), group.kem());
            if !backend.support(Operation::KemLoad(kem)).is_supported() {
                assert_eq!(backend.info().name, "openssl", "one before 3.5 alone lacks ML-KEM");
                not_tested(group.name(), backend.info().name);
                continue;
            }
            let what = |call: &str| format!("{}, {}, {call}", backend.info().name, group.name());
            let share = |bytes: &[u8]| Group::from(group).public_key(bytes).unwrap();
            let mut generated = None;
            let generate = || generated = provider.generate_ephemeral_key(group).ok().map(Box::new);
            assert_wiped(&what("generate"), &Secrets::default(), generate);
            let of_client = share(generated.unwrap().public_key());
            let mut answered = None;
            let answer = || answered = provider.answer_ephemeral_key(&of_client).ok().map(Box::new);
            assert_wiped(&what("answer"), &Secrets::default(), answer);
            let answered = answered.unwrap();
            let finish = || {
                let early = connection.early_secret(None).unwrap();
                drop(Box::new(early.handshake_secret(*answered, &of_client).unwrap()));
            };
            assert_wiped(&what("finish"), &Secrets::default(), finish);

            // A client whose secrets are known beforehand.
            let seed: [u8; 64] = rng.array();
            let loaded = backend.key_encapsulation().load_kem(kem, KemPrivateKey::Seed(&seed));
            let agreement = backend.key_agreement().generate_ecdh(curve).unwrap();
            let on_curve = Group::from(curve);
            let number = group::private_key(&on_curve, &mut rng);
            let (point, curve_secret) = group::peer(&on_curve, &number, agreement.public_key());
            let pair = MlKem::new(kem).unwrap().key_pair(&seed);
            let (ciphertext, kem_secret) =
                MlKem::new(kem).unwrap().encapsulate(&pair.encapsulation_key, &rng.array());
            let key = provider.hybrid_key_of(group, agreement, loaded.unwrap()).unwrap();
            let of_server = match group.is_kem_first() {
                true => [ciphertext, point].concat(),
                false => [point, ciphertext].concat(),
            };
            let secrets = Secrets::default()
                .and("secret of the curve", &curve_secret)
                .and("secret of ML-KEM", &kem_secret)
                .and("d", &seed[..32])
                .and("z", &seed[32..])
                .and("vector", &pair.decapsulation_key[..384]);
            let (key, of_server) = (Box::new(key), share(&of_server));
            let mut agreed = None;
            let agree = || {
                let early = connection.early_secret(None).unwrap();
                agreed = early.handshake_secret(*key, &of_server).ok().map(Box::new);
            };
            assert_wiped(&what("agree"), &secrets, agree);
            assert!(agreed.is_some(), "{}", what("agree"));
        }
    }
}

#[test]
fn no_secret_of_tls13_is_left_by_operations_that_are_wiped_once() {
    let psk = Rng::new(98).bytes(48);
    let suite = CipherSuite::TLS_AES_256_GCM_SHA384;
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let name = backend.info().name;
        let connection = provider.tls13_parameters(suite).unwrap();
        let mut transcript = connection.transcript().unwrap();
        transcript.update(b"messages");
        let hash = HashAlgorithm::Sha384;
        let context = reference::hash(hash, &[b"messages"]);
        let schedule = Schedule::new(hash, Some(&psk), None);
        let traffic = reference13::derive(hash, &schedule.master, b"s ap traffic", &context);
        let keys = reference13::traffic_keys(connection.suite(), &traffic);
        let secrets = Secrets::default()
            .and("pre-shared key", &psk)
            .and("early secret", &schedule.early)
            .and("handshake secret", &schedule.handshake)
            .and("master secret", &schedule.master)
            .and("traffic secret", &traffic)
            .and("key", &keys.0)
            .and("IV", &keys.1);

        let psk = provider.pre_shared_key(hash, &psk).unwrap();
        let mut made = None;
        let mut flight = || {
            let early = connection.early_secret(Some(&psk)).unwrap();
            let master = early.handshake_secret_of_psk().unwrap().master_secret().unwrap();
            let traffic = master.traffic_secret(Side::Server, &transcript).unwrap();
            let key = Box::new(traffic.record_key(RecordOptions::default()).unwrap());
            made = Some((Box::new(traffic), key));
        };
        assert_nothing_left(&format!("{name}, each by itself"), &secrets, &mut flight);
        assert_wiped(&format!("{name}, once"), &secrets, || with_one_wipe(&mut flight));
        let (traffic, _key) = made.unwrap();
        let logged = traffic.secret_for_key_log().unwrap();
        assert!(logged == reference13::derive(hash, &schedule.master, b"s ap traffic", &context));
    }
}

#[test]
fn no_premaster_secret_of_a_client_is_left() {
    let test_key = TestKey::rsa_1024();
    let public_key = rsa_public_key(&test_key);
    for backend in ssl_provider::backends() {
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384)
                .extended();
        let (protocol, suite) = (exchange.protocol, exchange.suite.id);
        let provider = open(&backend);
        let (parameters, name) = (exchange.parameters(), backend.info().name);
        let mut premaster = None;
        let generate = || {
            let made = provider.generate_premaster_key(&public_key, protocol, suite, &parameters);
            premaster = Some(Box::new(made.unwrap()));
        };
        let remains = Remains::of(generate);
        let premaster = premaster.unwrap();
        // What it was is seen by the holder of the key.
        let number = BigUint::from_bytes_be(premaster.encrypted());
        let d = BigUint::from_bytes_be(&test_key.private_exponent());
        let block = test_key.left_pad(&number.modpow(&d, test_key.modulus()));
        let secret = &block[block.len() - 48..];
        let master_secret = exchange.master_secret(secret);
        let secrets = Secrets::default()
            .and("block", &block)
            .and("premaster secret", secret)
            .and("master secret", &master_secret);
        assert_eq!(remains.found(&secrets), BTreeSet::new(), "{name}, generate");
        assert!(remains.wiped_to_the_bottom(), "{name}: more stack was used than is wiped");
        let mut master_key = None;
        let derive = || {
            master_key = Some(Box::new(premaster.generate_master_key(&parameters).unwrap()));
        };
        assert_wiped(&format!("{name}, derive"), &secrets, derive);
        let master_key = master_key.unwrap();
        assert_eq!(master_key.secret_for_key_log().unwrap().expose()[..], master_secret);
        let end = || drop((premaster, master_key));
        assert_nothing_left(&format!("{name}, drop"), &secrets, end);
    }
}

#[test]
fn no_pre_shared_key_is_left() {
    let psk = Rng::new(97).bytes(40);
    let len = [0, 40];
    let premaster_secret = [&len[..], &[0; 40], &len, &psk].concat();
    for backend in ssl_provider::backends() {
        let suite = CipherSuite::TLS_PSK_WITH_AES_256_GCM_SHA384;
        let exchange = Exchange::new(ProtocolVersion::TLS1_2, suite);
        let (protocol, parameters) = (exchange.protocol, exchange.parameters());
        let provider = open(&backend);
        let secrets = Secrets::default()
            .and("pre-shared key", &psk)
            .and("master secret", &exchange.master_secret(&premaster_secret));
        let derive = || {
            let side = Side::Server;
            let made = provider.generate_psk_master_key(&psk, protocol, suite, &parameters, side);
            drop(made.unwrap());
        };
        assert_wiped(backend.info().name, &secrets, derive);
    }
}

#[test]
fn no_part_of_a_key_that_signs_is_left() {
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let mut keys = vec![];
        for rsa in [TestKey::rsa_1024(), TestKey::rsa_2048()] {
            let secrets = of_private_key(&rsa);
            let schemes = vec![SignatureScheme::RsaSha256, SignatureScheme::RsaPssSha256];
            keys.push((rsa.name.to_owned(), rsa.der.clone(), secrets, schemes));
        }
        for curve in Curve::ALL {
            let number = Rng::new(98).bytes(curve.coordinate_len() - 1);
            let key = EcKey::new(curve, &BigUint::from_bytes_be(&number));
            let secrets = Secrets::default().and("private key", &number);
            let name = format!("{curve:?}");
            keys.push((name, key.der, secrets, vec![SignatureScheme::EcdsaSha256]));
        }
        for (name, der, secrets, schemes) in keys {
            let what = |call: &str| format!("{}, {name}, {call}", backend.info().name);
            let mut key = None;
            let load = || key = Some(Box::new(provider.load_signing_key(&der).unwrap()));
            assert_wiped(&what("load"), &secrets, load);
            let key = key.unwrap();
            for scheme in schemes {
                let sign = || drop(key.sign(scheme, &[7; 32]).unwrap());
                assert_wiped(&what("sign"), &secrets, sign);
            }
            assert_nothing_left(&what("drop"), &secrets, || drop(key));
        }
    }
}

#[test]
fn no_key_of_tickets_is_left() {
    let test_key = TestKey::rsa_1024();
    for library in ssl_provider::backends() {
        let name = library.info().name;
        let backend = KnownRandom::backend(&library, 99);
        let provider = open(&backend);
        let ticket_secret = Rng::new(99).bytes(32);
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384);
        let (premaster, ciphertext) = exchange.encrypted(&test_key, &mut Rng::new(100));
        let master_secret = exchange.master_secret(&premaster);
        let secrets = Secrets::default()
            .and("ticket key", &ticket_secret)
            .and("master secret", &master_secret);
        let mut key = None;
        let generate = || key = Some(Box::new(provider.generate_ticket_key().unwrap()));
        assert_wiped(&format!("{name}, generate"), &secrets, generate);
        let key = key.unwrap();
        let private_key = test_key.load(&provider);
        let master_key = exchange.import(&provider, &private_key, &ciphertext).unwrap();
        let (mut ticket, mut opened) = (None, None);
        let seal = || ticket = key.seal(&master_key, b"state").ok();
        assert_wiped(&format!("{name}, seal"), &secrets, seal);
        let ticket = ticket.unwrap();
        // The key is the one that was expected.
        let suite = exchange.suite.id.0.to_be_bytes();
        let text = [&[3, 3][..], &suite, &master_secret, b"state"].concat();
        let mut sealed = text.clone();
        let cipher = library
            .record_ciphers()
            .aead(ssl_provider::AeadAlgorithm::Aes256Gcm, &ticket_secret)
            .unwrap();
        let mut tag = [0; 16];
        let label = b"ssl-provider session ticket 1";
        cipher.seal(ticket[..12].try_into().unwrap(), label, &mut sealed, &mut tag).unwrap();
        assert_eq!(ticket[12..12 + text.len()], sealed, "{name}");
        let open = || opened = key.open(&provider, &ticket).unwrap().map(Box::new);
        assert_wiped(&format!("{name}, open"), &secrets, open);
        assert_nothing_left(&format!("{name}, drop"), &secrets, || drop((key, opened)));
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
