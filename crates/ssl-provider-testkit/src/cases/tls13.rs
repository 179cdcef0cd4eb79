//! The key schedule of TLS 1.3 (RFC 8446 section 7.1): known answers, recorded handshakes of other
//! stacks, generated handshakes by an independent implementation, and what has to be refused.
//!
//! That one secret cannot be taken for another is a matter of types:
//!
//! ```compile_fail,E0599
//! use ssl_provider_core::tls13::EarlySecret;
//! fn skip_the_handshake(early: &EarlySecret) {
//!     early.master_secret();
//! }
//! ```
//! ```compile_fail,E0308
//! use ssl_provider_core::tls13::{ResumptionSecret, Tls13Parameters};
//! fn resume(connection: &Tls13Parameters, secret: &ResumptionSecret) {
//!     connection.early_secret(Some(secret));
//! }
//! ```
//! ```compile_fail,E0308
//! use ssl_provider_core::tls13::MasterSecret;
//! fn as_earlier(secret: MasterSecret) -> ssl_provider_core::MasterKey {
//!     secret
//! }
//! ```
//! ```compile_fail,E0599
//! use ssl_provider_core::tls13::TrafficSecret;
//! fn copy(secret: &TrafficSecret) -> TrafficSecret {
//!     secret.clone()
//! }
//! ```

mod recorded;

use serde_json::Value as Json;
use ssl_provider_core::tls13::{
    EarlySecret, HandshakeSecret, MasterSecret, PskKind, Tls13Parameters, TrafficPhase,
};
use ssl_provider_core::{
    Backend, CipherSuite, DhParameters, Error, Group, HandshakeHash, HashAlgorithm, KeyLogPolicy,
    NamedCurve, Operation, Policy, ProtocolVersion, Provider, RecordOptions, Side,
};

use super::secrets::assert_hidden;
use super::tls13_record::exposed_keys;
use crate::bytes::{Rng, counting, flipped, hex, to_hex};
use crate::direction::{seal, unseal};
use crate::exchange::{POLICY, connection, open};
use crate::fake::Fake;
use crate::fault;
use crate::group;
use crate::question::generate::tls13_secrets;
use crate::question::tls13::{Exporter, Psk, PskOrigin, Secrets, Traffic, Value};
use crate::reference;
use crate::reference13;
use crate::rsa_key::TestKey;
use crate::vectors::{Vectors, acvp, acvp_set, hex_field, with_folder};

pub use self::recorded::{
    tls13_captures_from_their_key_logs, tls13_recorded_handshakes,
    tls13_recorded_private_keys_agree, tls13_rfc_8448_traces,
};

/// The suites of TLS 1.3 with each of the two hashes.
const SUITES: [CipherSuite; 2] =
    [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384];

/// The known answers of both hashes: each value by core over the backend.
pub fn tls13_known_answers(backend: &Backend) {
    let mut count = 0;
    for (column, suite) in SUITES.into_iter().enumerate() {
        let external = known(suite);
        let mut resumed = external.clone();
        resumed.psk.as_mut().unwrap().origin = PskOrigin::Resumption;
        let mut without_context = external.clone();
        without_context.exporter.context = None;
        let mut values = by_core(backend, &external);
        let renamed = [
            ("binder_key", &resumed, "binder_key of a resumption"),
            ("binder", &resumed, "binder of a resumption"),
            ("exported", &without_context, "exported without context"),
        ];
        for (name, secrets, new_name) in renamed {
            let found = value(&by_core(backend, secrets), name).to_vec();
            values.push((new_name.to_owned(), found));
        }
        let traffic = Traffic {
            suite: external.suite,
            secret: value(&values, "server_handshake_traffic_secret").to_vec().into(),
        };
        let mut key = traffic.record_key(&open(backend), RecordOptions::default()).unwrap();
        let (write_key, iv) = exposed_keys(&key);
        values.push(("server handshake key".to_owned(), write_key));
        values.push(("server handshake iv".to_owned(), iv));
        values.push(("first record".to_owned(), seal(&mut key, 0, 22, b"hello")));
        values.push(("second record".to_owned(), seal(&mut key, 1, 23, b"")));
        for (name, answers) in KNOWN {
            let answer = hex(answers[column]);
            if name == "pre-shared key of the ticket" {
                // What is extracted from it tells it from every other.
                let next = reference13::Schedule::new(hash_of(suite), Some(&answer), None);
                assert_eq!(value(&values, "early_secret of the ticket"), next.early, "{name}");
            } else {
                assert_eq!(to_hex(value(&values, name)), to_hex(&answer), "{suite}: {name}");
            }
            count += 1;
        }
    }
    assert_eq!(count, 50);
}

/// The ACVP sets of AWS-LC and BoringSSL for the key derivation of TLS 1.3: a pre-shared key, an
/// agreement, or both.
pub fn tls13_nist_vectors(backend: &Backend) {
    with_folder(250 + 10, |vectors| {
        let sets = [("aws-lc-acvp", "TLS-v1.3"), ("boringssl-acvp", "TLS13")];
        sets.into_iter().map(|(folder, name)| nist_set(backend, vectors, folder, name)).sum()
    });
}

fn nist_set(backend: &Backend, vectors: &Vectors, folder: &str, name: &str) -> usize {
    let [prompts, expected] = ["vectors", "expected"]
        .map(|part| vectors.json_bz2(&format!("{folder}/{part}/{name}.bz2")));
    let cases = acvp(acvp_set(&prompts), acvp_set(&expected));
    for case in &cases {
        let suite = match case.hash.as_str() {
            "SHA2-256" => SUITES[0],
            "SHA2-384" => SUITES[1],
            other => panic!("{other}: a hash that this case does not know"),
        };
        let bytes = |name: &str| case.prompt[name].as_str().map(hex);
        let message = |name: &str| hex_field(&case.prompt, name).into();
        let mut secrets = known(suite);
        secrets.psk = bytes("psk").map(|key| Psk {
            key: key.into(),
            origin: PskOrigin::External,
            binders_len: 0,
        });
        secrets.shared_secret = bytes("dhe").map(Into::into);
        secrets.client_hello = message("helloClientRandom");
        secrets.server_hello = message("helloServerRandom");
        secrets.server_flight = message("finishedServerRandom");
        secrets.server_finished = Vec::new().into();
        secrets.client_flight = message("finishedClientRandom");
        secrets.client_finished = Vec::new().into();
        let mut checked = check_nist_case(backend, &secrets, &case.expected);
        if secrets.psk.is_none() {
            // Core derives no early secrets without a pre-shared key, and the set has them of the
            // zeros that stand for none.
            let zeros = vec![0; hash_of(suite).output_len()].into();
            secrets.psk = Some(Psk { key: zeros, origin: PskOrigin::External, binders_len: 0 });
            checked = check_nist_case(backend, &secrets, &case.expected);
        }
        assert_eq!(checked, 8, "{name}: secrets of a case");
    }
    cases.len()
}

fn check_nist_case(backend: &Backend, secrets: &Secrets, expected: &Json) -> usize {
    let names = [
        ("clientEarlyTrafficSecret", "client_early_traffic_secret"),
        ("earlyExporterMasterSecret", "early_exporter_master_secret"),
        ("clientHandshakeTrafficSecret", "client_handshake_traffic_secret"),
        ("serverHandshakeTrafficSecret", "server_handshake_traffic_secret"),
        ("clientApplicationTrafficSecret", "client_application_traffic_secret_0"),
        ("serverApplicationTrafficSecret", "server_application_traffic_secret_0"),
        ("exporterMasterSecret", "exporter_master_secret"),
        ("resumptionMasterSecret", "resumption_master_secret"),
    ];
    let values = by_core(backend, secrets);
    let mut checked = 0;
    for (theirs, ours) in names {
        let found = values.iter().find(|(name, _)| name == ours);
        let Some((_, found)) = found else { continue };
        assert_eq!(*found, hex_field(expected, theirs), "{} {theirs}", expected["tcId"]);
        checked += 1;
    }
    checked
}

/// Generated handshakes: with a pre-shared key or without one, with an agreement or without one,
/// after HelloRetryRequest or not, with both hashes. Every value is that of the reference, and
/// what has no secret at all is refused.
pub fn tls13_secrets_are_those_of_the_reference(backend: &Backend) {
    let mut rng = Rng::new(0x8446);
    let (mut refused, mut retried, mut with_sha384) = (0, 0, 0);
    for _ in 0..150 {
        let (_, secrets) = tls13_secrets(&mut rng);
        let found = secrets.by_core(&open(backend));
        retried += usize::from(secrets.retried_client_hello.is_some());
        let hash = reference13::hash_of(secrets.suite().unwrap());
        with_sha384 += usize::from(hash == HashAlgorithm::Sha384);
        let Some(expected) = secrets.by_reference() else {
            let error = found.map(|_| ()).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{error}");
            refused += 1;
            continue;
        };
        let found = found.unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{}", describe(&secrets));
        }
        assert_eq!(found.len(), expected.len(), "{}", describe(&secrets));
    }
    for (what, count) in [("refused", refused), ("retried", retried), ("SHA-384", with_sha384)] {
        assert!((1..150).contains(&count), "{what}: {count}");
    }
}

/// KeyUpdate makes the next secret of the last, as often as one likes, and the records of one are
/// not those of another. Nothing is updated before the application phase.
pub fn tls13_key_update_goes_on_from_the_last_secret(backend: &Backend) {
    for suite in SUITES {
        let (connection, hash) = (tls13(backend, suite), hash_of(suite));
        let mut bytes = Rng::new(7).bytes(hash.output_len());
        for phase in [TrafficPhase::Early, TrafficPhase::Handshake] {
            let secret =
                connection.traffic_secret_for_vectors(Side::Client, phase, &bytes).unwrap();
            let error = secret.updated().unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{phase:?}: {error}");
        }
        for writer in [Side::Client, Side::Server] {
            let phase = TrafficPhase::Application;
            let mut secret = connection.traffic_secret_for_vectors(writer, phase, &bytes).unwrap();
            let mut records = Vec::new();
            for number in 0..50 {
                let mut writes = secret.record_key(RecordOptions::default()).unwrap();
                let mut reads = secret.record_key(RecordOptions::default()).unwrap();
                let record = seal(&mut writes, 0, 23, b"update");
                assert_eq!(unseal(&mut reads, 0, &record), b"update", "{suite} {number}");
                assert!(!records.contains(&record), "{suite} {number}: the same record again");
                records.push(record);
                secret = secret.updated().unwrap();
                bytes = reference13::updated(hash, &bytes);
                assert_eq!(secret.secret_for_key_log(), Ok(&bytes[..]), "{suite} {number}");
                assert_eq!((secret.writer(), secret.phase()), (writer, phase));
            }
        }
    }
}

/// Keying material of any length, under any label and context that there may be; none is the empty
/// one. Both exporter secrets.
pub fn tls13_exporters_take_any_context_and_length(backend: &Backend) {
    for suite in SUITES {
        let hash = hash_of(suite);
        let most = 255 * hash.output_len();
        let values = by_core(backend, &known(suite));
        let secret = value(&values, "exporter_master_secret").to_vec();
        let early_secret = value(&values, "early_exporter_master_secret").to_vec();
        let (early, _, master, transcripts) = chain(backend, suite);
        let exporter = master.exporter_secret(&transcripts[3]).unwrap();
        let early_exporter = early.exporter_secret(&transcripts[0]).unwrap();
        for (exporter, secret) in [(&exporter, &secret), (&early_exporter, &early_secret)] {
            assert_eq!(exporter.secret_for_key_log(), Ok(&secret[..]), "{suite}");
            let export = |label: &[u8], context: Option<&[u8]>, len: usize| {
                let mut out = vec![0xa5; len];
                let done = exporter.export_keying_material(label, context, &mut out);
                if done.is_err() {
                    assert!(out.iter().all(|byte| *byte == 0xa5), "written on failure");
                }
                done.map(|()| out)
            };
            let expected = |label: &[u8], context: &[u8], len| {
                reference13::exported(hash, secret, label, context, len)
            };
            for len in [1, 2, 31, 32, 33, 47, 48, 49, 64, 96, 97, 1000, most - 1, most] {
                let found = export(b"EXPORTER-length", Some(b"context"), len).unwrap();
                assert_eq!(found, expected(b"EXPORTER-length", b"context", len), "{suite} {len}");
            }
            for len in [0, 1, 255, 256, 70_000] {
                let context = vec![0x5a; len];
                let found = export(b"EXPORTER-context", Some(&context), 40).unwrap();
                assert_eq!(found, expected(b"EXPORTER-context", &context, 40), "{suite} {len}");
            }
            assert_eq!(export(b"label", None, 40), export(b"label", Some(b""), 40), "{suite}");
            for len in [1, 12, 249] {
                let label = vec![b'~'; len];
                let found = export(&label, None, 40).unwrap();
                assert_eq!(found, expected(&label, b"", 40), "{suite}: label of {len}");
            }
            let refused = [
                (&[b'x'; 250][..], 40),
                (b"", 40),
                (b"EXPORTER\x7f", 40),
                (b"EXPORTER\0", 40),
                (b"label", 0),
                (b"label", most + 1),
            ];
            for (label, len) in refused {
                let error = export(label, None, len).unwrap_err();
                assert!(matches!(error, Error::InvalidParameter(_)), "{label:?} {len}: {error}");
            }
        }
    }
}

/// Tickets with nonces of any length have pre-shared keys of their own; a nonce that its length
/// field does not hold is refused.
pub fn tls13_tickets_take_nonces_as_long_as_their_length_field(backend: &Backend) {
    for suite in SUITES {
        let (connection, hash) = (tls13(backend, suite), hash_of(suite));
        let (_, _, master, transcripts) = chain(backend, suite);
        let resumption = master.resumption_secret(&transcripts[5]).unwrap();
        let secret = resumption.secret_for_vectors().unwrap().to_vec();
        for len in [0, 1, 2, 8, 32, 64, 254, 255] {
            let nonce = vec![0xc3; len];
            let psk = resumption.pre_shared_key(&nonce).unwrap();
            assert_eq!(psk.hash(), hash, "{suite}");
            let expected = reference13::resumption_psk(hash, &secret, &nonce);
            let expected = reference13::Schedule::new(hash, Some(&expected), None);
            let early = connection.early_secret(Some(&psk)).unwrap();
            assert_eq!(early.secret_for_vectors(), Ok(&expected.early[..]), "{suite} {len}");
        }
        let error = resumption.pre_shared_key(&[0; 256]).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{error}");
    }
}

/// Finished and binders are refused with any bit flipped, cut, too long, of the other side, and of
/// other messages; early data have no Finished.
pub fn tls13_finished_is_verified_down_to_a_bit(backend: &Backend) {
    for suite in SUITES {
        let len = hash_of(suite).output_len();
        let (early, handshake, _, transcripts) = chain(backend, suite);
        let traffic = |side| handshake.traffic_secret(side, &transcripts[1]).unwrap();
        let (client, server) = (traffic(Side::Client), traffic(Side::Server));
        let binder_key = early.binder_key(PskKind::External).unwrap();
        type Compute<'a> = &'a dyn Fn(&HandshakeHash, &mut [u8]) -> Result<(), Error>;
        type Verify<'a> = &'a dyn Fn(&HandshakeHash, &[u8]) -> Result<(), Error>;
        let kinds: [(&str, Compute<'_>, Verify<'_>); 3] = [
            ("client", &|it, out| client.verify_data(it, out), &|it, data| {
                client.verify_finished(it, data)
            }),
            ("server", &|it, out| server.verify_data(it, out), &|it, data| {
                server.verify_finished(it, data)
            }),
            ("binder", &|it, out| binder_key.binder(it, out), &|it, data| {
                binder_key.verify_binder(it, data)
            }),
        ];
        let mut all: Vec<(&str, Vec<u8>)> = Vec::new();
        for (name, compute, verify) in kinds {
            let mut data = vec![0; len];
            compute(&transcripts[2], &mut data).unwrap();
            assert_eq!(verify(&transcripts[2], &data), Ok(()), "{suite} {name}");
            for bit in 0..8 * len {
                let refused = verify(&transcripts[2], &flipped(&data, bit));
                assert_eq!(refused, Err(Error::BadFinished), "{suite} {name} {bit}");
            }
            for wrong in [&data[..len - 1], &[&data[..], &[0]].concat(), &[], &vec![0; len]] {
                let refused = verify(&transcripts[2], wrong);
                assert_eq!(refused, Err(Error::BadFinished), "{suite} {name} {}", wrong.len());
            }
            assert_eq!(verify(&transcripts[3], &data), Err(Error::BadFinished), "{suite} {name}");
            for wrong in [0, len - 1, len + 1] {
                let mut out = vec![0xa5; wrong];
                let error = compute(&transcripts[2], &mut out).unwrap_err();
                assert!(matches!(error, Error::InvalidParameter(_)), "{name} {wrong}: {error}");
                assert!(out.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");
            }
            for (other, data) in &all {
                assert_eq!(
                    verify(&transcripts[2], data),
                    Err(Error::BadFinished),
                    "{name} {other}"
                );
            }
            all.push((name, data));
        }
        let early = early.traffic_secret(&transcripts[0]).unwrap();
        let error = early.verify_data(&transcripts[0], &mut vec![0; len]).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{error}");
        let error = early.verify_finished(&transcripts[0], &vec![0; len]).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{error}");
    }
}

/// Without a pre-shared key there is neither a binder nor early data, and no handshake without an
/// agreement.
pub fn tls13_without_a_pre_shared_key_nothing_is_early(backend: &Backend) {
    for suite in SUITES {
        let connection = tls13(backend, suite);
        let early = connection.early_secret(None).unwrap();
        let transcript = connection.transcript().unwrap();
        let refused = [
            early.binder_key(PskKind::External).map(|_| ()),
            early.binder_key(PskKind::Resumption).map(|_| ()),
            early.traffic_secret(&transcript).map(|_| ()),
            early.exporter_secret(&transcript).map(|_| ()),
            early.handshake_secret_of_psk().map(|_| ()),
        ];
        for result in refused {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{suite}: {error}");
        }
        assert!(early.handshake_secret_of_shared(&[1; 32]).is_ok(), "{suite}");
    }
}

/// Pre-shared keys of another hash or backend, keys of another backend or group, and groups that
/// TLS 1.3 does not have are refused.
pub fn tls13_refuses_keys_of_another_hash_or_backend(backend: &Backend) {
    let provider = open(backend);
    let psk_of = |provider: &Provider, hash| provider.pre_shared_key(hash, &[7; 32]).unwrap();
    let other = open(fault::sound(backend).backend());
    for (suite, hash, other_hash) in [
        (SUITES[0], HashAlgorithm::Sha256, HashAlgorithm::Sha384),
        (SUITES[1], HashAlgorithm::Sha384, HashAlgorithm::Sha256),
    ] {
        let connection = tls13(backend, suite);
        assert!(connection.early_secret(Some(&psk_of(&provider, hash))).is_ok(), "{suite}");
        let error = connection.early_secret(Some(&psk_of(&provider, other_hash))).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{suite}: {error}");
        for other in [&other, &open(&Fake::new().share())] {
            let error = connection.early_secret(Some(&psk_of(other, hash))).unwrap_err();
            assert_eq!(error, Error::InvalidHandle, "{suite}");
        }
    }
    for hash in [HashAlgorithm::Md5, HashAlgorithm::Sha1, HashAlgorithm::Sha512] {
        let error = provider.pre_shared_key(hash, &[7; 32]).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{}: {error}", hash.name());
    }
    for len in [0, 1025] {
        let error = provider.pre_shared_key(HashAlgorithm::Sha256, &vec![7; len]).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "{len}: {error}");
    }

    let early = tls13(backend, SUITES[0]).early_secret(None).unwrap();
    let groups = group::of(backend);
    // RFC 8446 section 4.2.7; brainpool curves have other numbers there (RFC 8734).
    let is_of_tls13 = |group: &Group| {
        use NamedCurve::{Secp256r1, Secp384r1, Secp521r1, X25519};
        match group {
            Group::Curve(curve) => [X25519, Secp256r1, Secp384r1, Secp521r1].contains(curve),
            _ => true,
        }
    };
    for (number, group) in groups.iter().enumerate() {
        let key = |provider: &Provider| provider.generate_ephemeral_key(group.clone()).unwrap();
        let peer = group.public_key(key(&provider).public_key()).unwrap();
        let error = early.handshake_secret(key(&other), &peer).unwrap_err();
        assert_eq!(error, Error::InvalidHandle, "{group:?}");
        let next = &groups[(number + 1) % groups.len()];
        if next != group {
            let peer = provider.generate_ephemeral_key(next.clone()).unwrap();
            let peer = next.public_key(peer.public_key()).unwrap();
            let error = early.handshake_secret(key(&provider), &peer).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{group:?}: {error}");
        }
        // Both sides have the same secret.
        let (client, server) = (key(&provider), key(&provider));
        let of_client = group.public_key(client.public_key()).unwrap();
        let of_server = group.public_key(server.public_key()).unwrap();
        if !is_of_tls13(group) {
            let error = early.handshake_secret(client, &of_server).unwrap_err();
            assert!(matches!(error, Error::InvalidParameter(_)), "{group:?}: {error}");
            continue;
        }
        let of_client = early.handshake_secret(server, &of_client).unwrap();
        let of_server = early.handshake_secret(client, &of_server).unwrap();
        assert_eq!(of_client.secret_for_vectors(), of_server.secret_for_vectors(), "{group:?}");
    }
    if backend.support(Operation::Dh).is_supported() {
        let prime = TestKey::rsa_2048().parts().p.to_bytes_be();
        let group = Group::from(DhParameters::new(&prime, &[2]).unwrap());
        let key = || provider.generate_ephemeral_key(group.clone()).unwrap();
        let peer = group.public_key(key().public_key()).unwrap();
        let error = early.handshake_secret(key(), &peer).unwrap_err();
        assert!(matches!(error, Error::InvalidParameter(_)), "field without a name: {error}");
    }
}

/// The transcript hash of another suite or protocol is refused wherever one is taken.
pub fn tls13_refuses_transcripts_of_another_hash(backend: &Backend) {
    let of_version = |version, suite| {
        let mut transcript = HandshakeHash::new(&connection(backend, version, suite)).unwrap();
        transcript.update(b"message");
        transcript
    };
    for (suite, other) in [(SUITES[0], SUITES[1]), (SUITES[1], SUITES[0])] {
        let connection = tls13(backend, suite);
        let (early, handshake, master, transcripts) = chain(backend, suite);
        let binder_key = early.binder_key(PskKind::External).unwrap();
        let traffic = handshake.traffic_secret(Side::Server, &transcripts[1]).unwrap();
        let mut wrong = vec![tls13(backend, other).transcript().unwrap()];
        if backend.support(Operation::Hash(HashAlgorithm::Md5)).is_supported() {
            let suite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
            wrong.push(of_version(ProtocolVersion::TLS1_0, suite));
        }
        for wrong in &wrong {
            let mut out = vec![0; connection.hash_len()];
            let refused = [
                connection.transcript_after_retry(wrong).map(|_| ()),
                connection.certificate_verify_content(Side::Client, wrong).map(|_| ()),
                binder_key.binder(wrong, &mut out),
                binder_key.verify_binder(wrong, &out),
                early.traffic_secret(wrong).map(|_| ()),
                early.exporter_secret(wrong).map(|_| ()),
                handshake.traffic_secret(Side::Client, wrong).map(|_| ()),
                handshake.traffic_secret(Side::Server, wrong).map(|_| ()),
                traffic.verify_data(wrong, &mut out),
                traffic.verify_finished(wrong, &vec![0; connection.hash_len()]),
                master.traffic_secret(Side::Client, wrong).map(|_| ()),
                master.traffic_secret(Side::Server, wrong).map(|_| ()),
                master.exporter_secret(wrong).map(|_| ()),
                master.resumption_secret(wrong).map(|_| ()),
            ];
            for (number, result) in refused.into_iter().enumerate() {
                let error = result.unwrap_err();
                assert!(matches!(error, Error::InvalidParameter(_)), "{suite} {number}: {error}");
            }
        }
    }
}

/// Every suite of TLS 1.3 has parameters with the hash of the registry, and no other suite has;
/// the functions of earlier versions do not take TLS 1.3.
pub fn tls13_parameters_are_of_its_suites_alone(backend: &Backend) {
    let provider = open(backend);
    let mut count = 0;
    for number in (0..=0xffff).map(CipherSuite) {
        let is_of_tls13 = (0x1301..=0x1305).contains(&number.0);
        if number.info().is_none() && !is_of_tls13 && number.0 % 251 != 0 {
            continue;
        }
        match provider.tls13_parameters(number) {
            Ok(connection) => {
                assert!(is_of_tls13, "{number}");
                let hash = hash_of(number);
                assert_eq!(connection.suite().id, number);
                assert_eq!(connection.hash(), hash, "{number}");
                assert_eq!(connection.hash_len(), hash.output_len(), "{number}");
                assert_eq!(connection.backend(), backend);
                let empty = connection.transcript().unwrap().current().unwrap();
                assert_eq!(empty, reference::hash(hash, &[]), "{number}");
                count += 1;
            }
            Err(error) => {
                assert!(!is_of_tls13, "{number}: {error}");
                assert_eq!(error, Error::UnsupportedSuite { given: number.0 });
            }
        }
    }
    assert_eq!(count, 5);
    for suite in SUITES {
        let refused = provider.security_parameters(ProtocolVersion::TLS1_3, suite).unwrap_err();
        assert_eq!(refused, Error::UnsupportedProtocol { given: 0x0304 });
        let refused = provider.security_parameters(ProtocolVersion::TLS1_2, suite).unwrap_err();
        assert_eq!(refused, Error::UnsupportedSuite { given: suite.0 });
    }
}

/// Key logs have traffic and exporter secrets under the labels of RFC 9850, where the policy
/// allows it.
pub fn tls13_secrets_are_read_only_where_policy_allows(backend: &Backend) {
    let denied = Policy { key_log: KeyLogPolicy::Denied, ..POLICY };
    assert_eq!(Policy::default().key_log, KeyLogPolicy::Denied);
    let suite = SUITES[0];
    for (policy, is_allowed) in [(POLICY, true), (denied, false)] {
        let provider = Provider::open(backend).with_policy(policy);
        let (early, handshake, master, transcripts) = chain_of(&provider, suite);
        let [client, server] = [Side::Client, Side::Server]
            .map(|side| handshake.traffic_secret(side, &transcripts[1]));
        let [client_data, server_data] =
            [Side::Client, Side::Server].map(|side| master.traffic_secret(side, &transcripts[3]));
        let traffic = [
            (early.traffic_secret(&transcripts[0]), "CLIENT_EARLY_TRAFFIC_SECRET"),
            (client, "CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
            (server, "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
            (client_data, "CLIENT_TRAFFIC_SECRET_0"),
            (server_data, "SERVER_TRAFFIC_SECRET_0"),
        ];
        for (secret, label) in traffic {
            let secret = secret.unwrap();
            assert_eq!(secret.key_log_label(), Some(label));
            assert_eq!(secret.secret_for_key_log().is_ok(), is_allowed, "{label}");
            // RFC 9850 has no label for what follows from it.
            let updated = secret.updated();
            assert_eq!(updated.is_ok(), label.ends_with("_0"), "{label}");
            assert!(updated.iter().all(|it| it.key_log_label().is_none()), "{label}");
        }
        let exporters = [
            (early.exporter_secret(&transcripts[0]), "EARLY_EXPORTER_SECRET"),
            (master.exporter_secret(&transcripts[3]), "EXPORTER_SECRET"),
        ];
        for (secret, label) in exporters {
            let secret = secret.unwrap();
            assert_eq!(secret.key_log_label(), label);
            assert_eq!(secret.secret_for_key_log().is_ok(), is_allowed, "{label}");
        }
        let error = early.secret_for_vectors().map(|_| ());
        assert_eq!(error.is_ok(), is_allowed);
        if !is_allowed {
            assert!(matches!(error, Err(Error::NotAllowed(_))), "{error:?}");
        }
    }
}

/// The debug output of every object of the schedule shows no secret.
pub fn tls13_secrets_are_not_in_debug_output(backend: &Backend) {
    for suite in SUITES {
        let values = by_core(backend, &known(suite));
        let secrets: Vec<&[u8]> = values.iter().map(|(_, bytes)| &bytes[..]).collect();
        let psk = open(backend).pre_shared_key(hash_of(suite), &counting::<32>(0)).unwrap();
        let (early, handshake, master, transcripts) = chain(backend, suite);
        let traffic = handshake.traffic_secret(Side::Server, &transcripts[1]).unwrap();
        let resumption = master.resumption_secret(&transcripts[5]).unwrap();
        let exporter = master.exporter_secret(&transcripts[3]).unwrap();
        let binder_key = early.binder_key(PskKind::External).unwrap();
        let record_key = traffic.record_key(RecordOptions::default()).unwrap();
        let (key, iv) = exposed_keys(&record_key);
        let psk_bytes = counting::<32>(0);
        let secrets = [&secrets[..], &[&psk_bytes[..], &key, &iv]].concat();
        assert_hidden("pre-shared key", &psk, &secrets);
        assert_hidden("early secret", &early, &secrets);
        assert_hidden("handshake secret", &handshake, &secrets);
        assert_hidden("master secret", &master, &secrets);
        assert_hidden("traffic secret", &traffic, &secrets);
        assert_hidden("resumption secret", &resumption, &secrets);
        assert_hidden("exporter secret", &exporter, &secrets);
        assert_hidden("binder key", &binder_key, &secrets);
        assert_hidden("record key", &record_key, &secrets);
        assert_hidden("parameters", traffic.parameters(), &secrets);
        assert_hidden("transcript hash", &transcripts[5], &secrets);
    }
}

/// What the backend makes of a suite.
fn tls13(backend: &Backend, suite: CipherSuite) -> Tls13Parameters {
    open(backend).tls13_parameters(suite).unwrap()
}

fn hash_of(suite: CipherSuite) -> HashAlgorithm {
    reference13::hash_of(suite.info().unwrap())
}

/// Every value of a handshake that must have all of them.
fn by_core(backend: &Backend, secrets: &Secrets) -> Vec<Value> {
    let values = secrets.by_core(&open(backend));
    values.unwrap_or_else(|error| panic!("{error}\n{}", describe(secrets)))
}

fn describe(secrets: &Secrets) -> String {
    serde_json::to_string(secrets).unwrap()
}

/// A value by its name.
fn value<'a>(values: &'a [Value], name: &str) -> &'a [u8] {
    let found = values.iter().find(|(found, _)| found == name);
    &found.unwrap_or_else(|| panic!("no value {name}")).1
}

/// The handshake whose values were computed once by another program.
fn known(suite: CipherSuite) -> Secrets {
    let message = |kind: u8, body: &[u8]| {
        let len = u8::try_from(body.len()).unwrap();
        [&[kind, 0, 0, len], body].concat().into()
    };
    Secrets {
        suite: crate::question::Hex16::of_suite(suite.info().unwrap()),
        psk: Some(Psk {
            key: counting::<32>(0).into(),
            origin: PskOrigin::External,
            binders_len: 0,
        }),
        shared_secret: Some(counting::<32>(0x80).into()),
        retried_client_hello: None,
        client_hello: message(1, b"CH.."),
        server_hello: message(2, b"SH.."),
        server_flight: message(8, &[0, 0]),
        server_finished: message(20, b"sfin"),
        client_flight: Vec::new().into(),
        client_finished: message(20, b"cfin"),
        exporter: Exporter {
            label: "EXPORTER-x".to_owned(),
            context: Some(vec![1].into()),
            len: 32,
        },
        ticket_nonce: vec![0, 0, 0, 1].into(),
        key_updates: 1,
        only: None,
    }
}

/// The secrets of the known handshake as objects, and the transcript after each of its messages.
type Chain = (EarlySecret, HandshakeSecret, MasterSecret, Vec<HandshakeHash>);

fn chain(backend: &Backend, suite: CipherSuite) -> Chain {
    chain_of(&open(backend), suite)
}

fn chain_of(provider: &Provider, suite: CipherSuite) -> Chain {
    let connection = provider.tls13_parameters(suite).unwrap();
    let secrets = known(suite);
    let mut transcript = connection.transcript().unwrap();
    let messages = [
        &secrets.client_hello,
        &secrets.server_hello,
        &secrets.server_flight,
        &secrets.server_finished,
        &secrets.client_flight,
        &secrets.client_finished,
    ];
    let transcripts = messages.map(|message| {
        transcript.update(message);
        transcript.duplicate()
    });
    let key = &secrets.psk.unwrap().key;
    let psk = provider.pre_shared_key(connection.hash(), key).unwrap();
    let early = connection.early_secret(Some(&psk)).unwrap();
    let handshake = early.handshake_secret_of_shared(&secrets.shared_secret.unwrap()).unwrap();
    let master = handshake.master_secret().unwrap();
    (early, handshake, master, transcripts.into())
}

/// Every secret of a small handshake, with SHA-256 and with SHA-384; its binders, Finished, record
/// keys and two records.
#[rustfmt::skip]
const KNOWN: [(&str, [&str; 2]); 25] = [
    ("early_secret", [
        "46bd320605c5a6b6163ab70bc6345b92a5f908e79fe58979c23ebb47d1a5e307",
        "79faab675751f724f82634db3212fedb20fc76151305be0d12c946a7f62a9aac22af76ea232f604f\
         b4a30c23e291fb53",
    ]),
    ("client_early_traffic_secret", [
        "7ed4a815eb05f5ddfedc1e076e77d326f3ec1df62211759c81a85e1f5b030cfa",
        "eeb5eb9d2272da4b22f49ce46fca0ebffdd6bfd39d019420284967e7333a6bac2307e13a1dadae7c\
         868a6edef0b1b1e5",
    ]),
    ("early_exporter_master_secret", [
        "f1cb6b71779d67e664bb62d9049837a1d980ec87ed5cf3b78443757efd5fbe9c",
        "9e5e003462f56a90d50b479be028b2a675d78a79d65665c93de71d29cd17f81a6c65d0cb8de32caf\
         df69c26159719187",
    ]),
    ("handshake_secret", [
        "ef59e69f0d27c317e24dfaccd6e3ccd0fec31ee5f733fa4ed377c169c3540260",
        "8a0fe939c86e8980ef468ee08ddb6129cf208e08255b71d1e7f0d3b00de79956deda9a64d3b6ae89\
         f923c18c8782eb8c",
    ]),
    ("client_handshake_traffic_secret", [
        "ee8fadb50a30af3f03eb570922815294ddca29b651412f41707e38d785be481c",
        "686959791fdf35de925f66c24a9167c42d3f398bb5bad56c0389bbc8cf139d4bd9b6cc7c7fbc0523\
         de784a6d2cd3ab8b",
    ]),
    ("server_handshake_traffic_secret", [
        "81e5cac7ad493a5d4900c89a84a8d3d906398541965157d9e8bb503655f18acc",
        "ecf41d8b9f429b84bb80aa5c9c542fafa530dffc2501dcc1a51c4b653a17e5ba13d9a0169e4da58b\
         0e3f3627b47fd26d",
    ]),
    ("master_secret", [
        "238d2e9981343e3e0171c4f58e75570fb69194d2db24e964eab263a1d8ed40a6",
        "49b0f286e99480d8d47d403ef10fe5ee984368a4f79cf09180472cb4903ee1256fb66edc68fe0916\
         b05cde23023e68c2",
    ]),
    ("client_application_traffic_secret_0", [
        "5f985905bdd8ab67ecfa7e324a7062f791a1ef0c0c359bc86d13cf9906fb7381",
        "d6861c103ffc820925b2f82bf1a709e4a59cb01dfb7122ee63997b6075d9f60fafc33e28442bee77\
         cd26906ce5e8d05f",
    ]),
    ("server_application_traffic_secret_0", [
        "2ff5dc2d56241152b1786d7ad4f33fdbdc3faddc0a4aaba18dcc3d2138894fdd",
        "3ef8867f26f4ad17e85c46a512a98fd985b23d938f55ac46ad374874342fe025c362be44c1c99810\
         b07185f88c75c6bf",
    ]),
    ("exporter_master_secret", [
        "fe43d2f0415a9536dcb675a931aeb3d7fa77dd7763d69b97e3d65fd27d7c5343",
        "6a7c096f0bb2dec9f12055866069d68b8d089379013cab1f4e547e81a54b2c516ffa26d354cdd1a2\
         300a2f892ac6a1f8",
    ]),
    ("resumption_master_secret", [
        "b2fde286cdf494bb1ccb30793181bc061c684ead654465e7c8fb962f6cf592ef",
        "a651ff66e5b7be56b635ff4484549d62f5483d50b10f92e2926143a6aaa6db806438421c78ea836f\
         6fb8de44da0bb745",
    ]),
    ("binder_key", [
        "568ad66229e801b2609b6f1b233c9a251c4835668e4443c9f32b9c4aa2d64a9e",
        "b7059c5a35ad9521be0cb741d227146aa37651201d59f449d975c8132f6886f04731087511d69e05\
         7277229e58f58d04",
    ]),
    ("binder", [
        "c7b10978938b133c5a6bcec23465aec53c066e111b2eae7e26f2423eaa6ae522",
        "a3951f6cb8782d03b1ea1034afca86adbf5cd1c2dc6b7283fd6a48cb3215a8c81aa8a773da802c93\
         e3253286fae990a3",
    ]),
    ("binder_key of a resumption", [
        "ea49ac8b6490f3e934b52314c8b1303425ef16d4045d03ea0e06f16a8f7579fb",
        "43632fc48e86d4bafed0fb655816f3af38ad83ef3b08cde63cb4245d47af7cf3b103cca33286c48c\
         9d0e09f3395672a5",
    ]),
    ("binder of a resumption", [
        "4b08ccc186175da9002171f4bb1bba0bd2175e57fef34e4524cfc859968b5546",
        "a3d2b714db9765878179c64e5a2e925bd7a18878d91cd99bf15fa7d1d09760721126da82b94bf8a9\
         80c4037a470788e2",
    ]),
    ("server_verify_data", [
        "da59afd209cafafb0b4832ba4c3bd8d3c85de2f0a1834f48cd9cdf9d0d302c5b",
        "b3bb3aee0032badd6cd2a3676be93fc019b97b6ca6f3daa65ac4fbc32eeaf71937ae5ec9058c470d\
         6a8e7d7e85f990b3",
    ]),
    ("client_verify_data", [
        "acfdc17e9d216ad9e145bbdbf96a28ae0162d25cf365658d7778728b4fff1629",
        "c0bce029ff1a166aacd70adc8f1ecf70ef3b3237b63b92388e6c9de5eee571fd87caf98fd1830d6c\
         acda0c5b2cb82259",
    ]),
    ("server handshake key", [
        "bca3caa70143ed73aa51da3838b153ee",
        "0300a88a6b0d53001c98297e747534f28b91dcf7d47270babe371656429e95e3",
    ]),
    ("server handshake iv", [
        "bc217bd0cfc451adc845e041",
        "8ce9546cd3061157f8af3f87",
    ]),
    ("first record", [
        "1703030016d92efcc5c71816342e93096b757c9f0f35697bd522ea",
        "1703030016f431b4bda66c768035680d03f3783ccd7dbdf83e211c",
    ]),
    ("second record", [
        "1703030011aa438ce87c678476a9ae09227ea459fe83",
        "1703030011b8997ec40f02c98412b51e3ce0a349125c",
    ]),
    ("pre-shared key of the ticket", [
        "dac993d0c1420c3d2e0283e4455fa7b268970f4b6e1e2266730bbfdcb729e842",
        "52dac387fce5f9da42bc4b3da6d90d87381b905c910ce14b4a3bfefaa0ec1553fc7c099b88daa590\
         e0eb771fd7247e50",
    ]),
    ("exported", [
        "38a3adc9e4b263107ee5edd41ac59448eae4400f1f9eca4a6d1fb0560bce45a1",
        "81619ab7fb1b433694ccd8afc8c15c1189bb80a59d61f645b3831c35d27402b7",
    ]),
    ("exported without context", [
        "64fd24b8cf9cb93fba303a49635c356b27dc678d6e007b88cdb52f5084056f87",
        "7fc45c438619f8bbd55970563323f0d7350a7ceae84f3fa40258bd76746fbeb3",
    ]),
    ("server_application_traffic_secret_1", [
        "ec0fef2028cc7ccd9dc74f7c52b877d8ab863425177a0724277b7b2657dbc1d3",
        "8e2728d5d8a6d0ce1174141e352aaa766087566b05e5856f0e432aff2b0ba43a03709dcece636b5b\
         de3cdd1044ad6f1c",
    ]),
];
