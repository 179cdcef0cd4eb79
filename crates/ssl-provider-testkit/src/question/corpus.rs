//! The tests of the public corpus as questions, with the answers that the corpus has.

use num_bigint::BigUint;
use ssl_provider_core::{CipherSuite, Error, ProtocolVersion};

use super::agreement::{Agree, AgreeMasterKey, GroupName, PublicKey};
use super::import::{ImportMasterKey, Psk};
use super::master_key::{Exchange, Export, Finished, HandshakeHash, Sender, SessionKeys};
use super::record::{DecryptRecord, Keys};
use super::tls13;
use super::{Answer, Bytes, Hex16, Key, Question, Status, Vector};
use crate::bytes::Rng;
use crate::corpus::{
    self, AnyFile, Class, Group, Hex, KeyAgreementGroup, KeyAgreementTest, KeyScheduleGroup,
    KeyScheduleTest, RecordGroup, RecordTest, RsaImportGroup, RsaImportTest, Test,
    Tls13KeyScheduleGroup, Tls13KeyScheduleTest, Tls13RecordGroup, Tls13RecordTest, Verdict, Wire,
};
use crate::reference13;
use crate::rsa_key::TestKey;

/// A test of the corpus.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The type of its group.
    pub group_type: String,
    /// Its number in the file.
    pub tc_id: u32,
    /// What it is.
    pub comment: String,
    /// What is asked for it, with the right answers.
    pub vectors: Vec<Vector>,
}

/// Returns the questions of a file, test by test.
pub fn questions(file: &AnyFile) -> Vec<Asked> {
    match file {
        AnyFile::RsaImport(file) => of_groups(&file.test_groups, import),
        AnyFile::KeySchedule(file) => of_groups(&file.test_groups, key_schedule),
        AnyFile::Record(file) => of_groups(&file.test_groups, record),
        AnyFile::KeyAgreement(file) => of_groups(&file.test_groups, key_agreement),
        AnyFile::Tls13KeySchedule(file) => of_groups(&file.test_groups, tls13_key_schedule),
        AnyFile::Tls13Record(file) => of_groups(&file.test_groups, tls13_record),
    }
}

/// A question, what it is beside the others of its test, and its answer.
type Part = (&'static str, Question, Answer);

fn of_groups<G: Group>(groups: &[G], ask: fn(&G, &G::Test) -> Vec<Part>) -> Vec<Asked> {
    let of_group = |group: &G| -> Vec<Asked> {
        let tests = group.tests().iter();
        tests
            .map(|test| {
                let (tc_id, comment) = (test.tc_id(), test.comment());
                let vectors = ask(group, test).into_iter().map(|(part, question, answer)| Vector {
                    name: format!("{} {tc_id}, {part}: {comment}", group.kind()),
                    question,
                    expected: Some(answer),
                });
                Asked {
                    group_type: group.kind().to_owned(),
                    tc_id,
                    comment: comment.to_owned(),
                    vectors: vectors.collect(),
                }
            })
            .collect()
    };
    groups.iter().flat_map(of_group).collect()
}

impl From<&Hex> for Bytes {
    fn from(hex: &Hex) -> Self {
        hex.to_vec().into()
    }
}

impl From<Wire> for Hex16 {
    fn from(wire: Wire) -> Self {
        Self(wire.0)
    }
}

/// The answer to a test: its value, or this refusal of an invalid one. A valid test without its
/// value has an answer that nobody gives.
fn answer(result: Verdict, value: Option<&Hex>, refusal: Error) -> Answer {
    match result {
        Verdict::Valid => Answer::Bytes(value.map(Bytes::from).unwrap_or_default()),
        Verdict::Invalid => Answer::Status(Status(refusal.status().code())),
    }
}

fn import(group: &RsaImportGroup, test: &RsaImportTest) -> Vec<Part> {
    let exchange = ImportMasterKey {
        key: Key::Der((&group.key.pkcs1).into()),
        protocol: test.version.into(),
        suite: test.suite_number.into(),
        client_random: Some((&test.client_random).into()),
        server_random: Some((&test.server_random).into()),
        session_hash: test.session_hash.as_ref().map(Bytes::from),
        client_version: Some(test.client_version.into()),
        ciphertext: (&test.encrypted_premaster).into(),
    };
    let secret = match test.result {
        Verdict::Valid => test.master_secret.as_ref(),
        Verdict::Invalid => test.implicit_rejection.as_ref().map(|it| &it.master_secret),
    };
    // Of an invalid test of others, nothing says what we fall back to.
    if secret.is_none() && test.result == Verdict::Invalid {
        return Vec::new();
    }
    let expected = Answer::Bytes(secret.map(Bytes::from).unwrap_or_default());
    vec![("master secret", Question::ImportMasterKey(exchange), expected)]
}

/// A key exchange that ends in a premaster secret: through the pre-shared key in it, or through
/// RSA, with the version that it carries as the offered one.
fn exchange(group: &KeyScheduleGroup, test: &KeyScheduleTest) -> Exchange {
    let (protocol, suite) = (group.version.into(), Hex16::from(test.suite_number));
    let (client_random, server_random) =
        (Bytes::from(&test.client_random), Bytes::from(&test.server_random));
    let session_hash = test.session_hash.as_ref().map(Bytes::from);
    let is_psk = CipherSuite::from(suite).info().is_some_and(|suite| suite.key_exchange.is_psk());
    if is_psk {
        // A length and zeros, a length and the key (RFC 4279 section 2).
        let second = &test.premaster[test.premaster.len() / 2..];
        let psk = second.get(2..).unwrap_or_default().to_vec().into();
        return Exchange::Psk(Psk {
            psk,
            protocol,
            suite,
            client_random,
            server_random,
            session_hash,
        });
    }
    let key = TestKey::rsa_1024();
    let version = test.premaster.first_chunk().map(|bytes| Hex16(u16::from_be_bytes(*bytes)));
    Exchange::Rsa(ImportMasterKey {
        ciphertext: key.encrypt(&key.pad(&test.premaster, &mut Rng::new(1))).into(),
        key: Key::of(&key),
        protocol,
        suite,
        client_random: Some(client_random),
        server_random: Some(server_random),
        session_hash,
        client_version: version,
    })
}

fn key_schedule(group: &KeyScheduleGroup, test: &KeyScheduleTest) -> Vec<Part> {
    let exchange = exchange(group, test);
    let bytes = |value: &Hex| Answer::Bytes(value.into());
    let master_key = match &exchange {
        Exchange::Psk(psk) => Question::Psk(psk.clone()),
        Exchange::Rsa(import) => Question::ImportMasterKey(import.clone()),
        Exchange::Agreement(agreement) => Question::AgreeMasterKey(agreement.clone()),
    };
    let mut parts = vec![("master secret", master_key, bytes(&test.master_secret))];
    if let Some(hash) = &test.session_hash {
        let question = HandshakeHash {
            protocol: group.version.into(),
            suite: test.suite_number.into(),
            messages: vec![(&test.messages).into()],
        };
        parts.push(("session hash", Question::HandshakeHash(question), bytes(hash)));
    }
    let keys = Question::SessionKeys(SessionKeys { exchange: exchange.clone() });
    parts.push(("session keys", keys, all_keys(&test.keys)));
    let (messages, finished) = (Bytes::from(&test.messages), Bytes::from(&test.client_finished));
    for (part, messages, sender, data) in [
        ("client's Finished", vec![messages.clone()], Sender::Client, &test.client_verify_data),
        ("server's Finished", vec![messages, finished], Sender::Server, &test.server_verify_data),
    ] {
        let question = Finished { exchange: exchange.clone(), messages, sender };
        parts.push((part, Question::Finished(question), bytes(data)));
    }
    for exporter in &test.exporters {
        let question = Export {
            exchange: exchange.clone(),
            label: exporter.label.clone(),
            context: exporter.context.as_ref().map(Bytes::from),
            len: exporter.keying_material.len(),
        };
        parts.push(("exporter", Question::Export(question), bytes(&exporter.keying_material)));
    }
    parts
}

/// The keys in the order of the key block.
fn all_keys(keys: &corpus::SessionKeys) -> Answer {
    let parts: [&[u8]; 6] = [
        &keys.client_mac_key,
        &keys.server_mac_key,
        &keys.client_write_key,
        &keys.server_write_key,
        &keys.client_write_iv,
        &keys.server_write_iv,
    ];
    Answer::Bytes(parts.concat().into())
}

fn record(group: &RecordGroup, test: &RecordTest) -> Vec<Part> {
    let keys = Keys {
        protocol: group.version.into(),
        suite: group.suite_number.into(),
        encrypt_then_mac: group.encrypt_then_mac,
        mac_key: (&group.mac_key).into(),
        write_key: (&group.write_key).into(),
        write_iv: (&group.write_iv).into(),
    };
    let question = DecryptRecord {
        keys,
        preceding: test.preceding.iter().map(Bytes::from).collect(),
        sequence_number: test.sequence_number.0,
        record: (&test.record).into(),
    };
    let refusal = match test.class {
        Some(Class::RecordOverflow) => Error::RecordOverflow,
        _ => Error::BadRecord,
    };
    let expected = answer(test.result, test.plaintext.as_ref(), refusal);
    vec![("decryption", Question::DecryptRecord(question), expected)]
}

fn key_agreement(group: &KeyAgreementGroup, test: &KeyAgreementTest) -> Vec<Part> {
    let name = match (&group.prime, &group.generator) {
        (Some(prime), Some(generator)) => {
            GroupName::Field { prime: shortest(prime), generator: shortest(generator) }
        }
        _ => GroupName::Named(group.group.clone()),
    };
    let agree = |private_key: &Hex, public_key: &Hex| Agree {
        group: name.clone(),
        private_key: private_key.into(),
        public_key: public_key.into(),
    };
    let public = |private_key: &Hex| {
        let question = PublicKey { group: name.clone(), private_key: private_key.into() };
        Question::PublicKey(question)
    };
    let (secret, refusal) = (test.shared_secret.as_ref(), Error::BadKeyShare);
    let from_client = agree(&test.client_private, &test.server_public);
    let mut parts = vec![(
        "client's side",
        Question::Agree(from_client.clone()),
        answer(test.result, secret, refusal),
    )];
    let expected = Answer::Bytes((&test.client_public).into());
    parts.push(("client's public key", public(&test.client_private), expected));
    if let Some(private_key) = &test.server_private {
        let expected = Answer::Bytes((&test.server_public).into());
        parts.push(("server's public key", public(private_key), expected));
        let from_server = Question::Agree(agree(private_key, &test.client_public));
        parts.push(("server's side", from_server, answer(test.result, secret, refusal)));
    }
    let master_key = AgreeMasterKey {
        agreement: from_client,
        protocol: test.version.into(),
        suite: test.suite_number.into(),
        client_random: (&test.client_random).into(),
        server_random: (&test.server_random).into(),
        session_hash: test.session_hash.as_ref().map(Bytes::from),
    };
    let expected = answer(test.result, test.master_secret.as_ref(), refusal);
    parts.push(("master secret", Question::AgreeMasterKey(master_key.clone()), expected));
    if let Some(keys) = &test.keys {
        let exchange = Exchange::Agreement(master_key);
        let question = Question::SessionKeys(SessionKeys { exchange });
        parts.push(("session keys", question, all_keys(keys)));
    }
    parts
}

/// One part for each value of the test.
fn tls13_key_schedule(group: &Tls13KeyScheduleGroup, test: &Tls13KeyScheduleTest) -> Vec<Part> {
    let messages = &test.messages;
    let request = messages.hello_retry_request.as_deref().unwrap_or_default();
    let updates = test.client_application_traffic_secrets.len().saturating_sub(1);
    let question = tls13::Secrets {
        suite: group.suite_number.into(),
        psk: test.psk.as_ref().map(|psk| tls13::Psk {
            key: (&psk.key).into(),
            origin: match psk.origin.as_str() {
                "external" => tls13::PskOrigin::External,
                _ => tls13::PskOrigin::Resumption,
            },
            binders_len: psk.binders_length,
        }),
        shared_secret: test.shared_secret.as_ref().map(Bytes::from),
        retried_client_hello: messages.retried_client_hello.as_ref().map(Bytes::from),
        client_hello: [request, &messages.client_hello].concat().into(),
        server_hello: (&messages.server_hello).into(),
        server_flight: (&messages.server_flight).into(),
        server_finished: (&messages.server_finished).into(),
        client_flight: (&messages.client_flight).into(),
        client_finished: (&messages.client_finished).into(),
        exporter: tls13::Exporter {
            label: test.exporter.label.clone(),
            context: test.exporter.context.as_ref().map(Bytes::from),
            len: test.exporter.keying_material.len(),
        },
        ticket_nonce: (&test.ticket_nonce).into(),
        key_updates: u8::try_from(updates).unwrap_or(u8::MAX),
        only: None,
    };
    let only = |part, name: &str, expected: &[u8]| {
        let question = tls13::Secrets { only: Some(name.to_owned()), ..question.clone() };
        (part, Question::Tls13Secrets(question), Answer::Bytes(expected.to_vec().into()))
    };
    let mut parts: Vec<Part> = [
        ("early_secret", &test.early_secret),
        ("handshake_secret", &test.handshake_secret),
        ("client_handshake_traffic_secret", &test.client_handshake_traffic_secret),
        ("server_handshake_traffic_secret", &test.server_handshake_traffic_secret),
        ("server_verify_data", &test.server_verify_data),
        ("client_verify_data", &test.client_verify_data),
        ("master_secret", &test.master_secret),
        ("exporter_master_secret", &test.exporter_master_secret),
        ("exported", &test.exporter.keying_material),
        ("resumption_master_secret", &test.resumption_master_secret),
    ]
    .map(|(name, expected)| only(name, name, expected))
    .into();
    if let Some(psk) = &test.psk {
        parts.extend(
            [
                ("binder_key", &psk.binder_key),
                ("binder", &psk.binder),
                ("client_early_traffic_secret", &psk.client_early_traffic_secret),
                ("early_exporter_master_secret", &psk.early_exporter_master_secret),
            ]
            .map(|(name, expected)| only(name, name, expected)),
        );
    }
    for (side, secrets) in [
        ("client", &test.client_application_traffic_secrets),
        ("server", &test.server_application_traffic_secrets),
    ] {
        for (number, secret) in (0..).zip(secrets) {
            let name = tls13::application_secret(side, number);
            parts.push(only("application traffic secret", &name, secret));
        }
    }
    // No backend shows a pre-shared key; the Early Secret of the next connection does.
    let suite = CipherSuite::from(Hex16::from(group.suite_number)).info();
    if let Some(suite) = suite.filter(|suite| suite.allows(ProtocolVersion::TLS1_3)) {
        let hash = reference13::hash_of(suite);
        let next = reference13::Schedule::new(hash, Some(&test.resumption_psk), None);
        parts.push(only("pre-shared key of a ticket", "early_secret of the ticket", &next.early));
    }
    parts
}

fn tls13_record(group: &Tls13RecordGroup, test: &Tls13RecordTest) -> Vec<Part> {
    let traffic =
        tls13::Traffic { suite: group.suite_number.into(), secret: (&group.traffic_secret).into() };
    let question = tls13::Open {
        traffic,
        sequence_number: test.sequence_number.0,
        record: (&test.record).into(),
    };
    let refusal = match test.class {
        Some(Class::RecordOverflow) => Error::RecordOverflow,
        Some(Class::UnexpectedMessage) => Error::UnexpectedRecord,
        _ => Error::BadRecord,
    };
    let inner = test.plaintext.as_deref().zip(test.content_type);
    let inner = inner.map(|(text, content_type)| Hex([text, &[content_type]].concat()));
    let expected = answer(test.result, inner.as_ref(), refusal);
    vec![("opening", Question::Tls13Open(question), expected)]
}

/// A number without leading zeros.
fn shortest(number: &Hex) -> Bytes {
    BigUint::from_bytes_be(number).to_bytes_be().into()
}
