//! Recorded handshakes of TLS 1.3: RFC 8448, and other TLS stacks. The recordings carry a
//! derivation by other code, so nothing of ours is its own witness.

use std::collections::HashSet;
use std::ops::AddAssign;

use serde_json::{Value as Json, json};
use ssl_provider_core::backend::KemPrivateKey;
use ssl_provider_core::tls13::{Tls13Parameters, TrafficPhase};
use ssl_provider_core::{
    Backend, DhParameters, EphemeralKey, Error, FfdheGroup, Group, HandshakeHash, HashAlgorithm,
    HybridGroup, NamedCurve, Operation, Provider, RecordKey, RecordOptions, Side,
};

use super::super::tls13_record::exposed_keys;
use super::{by_core, value};
use crate::bytes::{hex, to_hex};
use crate::direction::{seal, unseal};
use crate::exchange::open;
use crate::question::Hex16;
use crate::question::tls13::{Exporter, Psk, PskOrigin, Secrets, Traffic, Value};
use crate::reference13;
use crate::vectors::{Vectors, field, hex_field, with_folder};

/// The five traces of RFC 8448: every secret, hash, key and record, byte for byte. Each of the 538
/// values that the RFC prints is one of those that were computed, or an input.
pub fn tls13_rfc_8448_traces(backend: &Backend) {
    with_folder(538, |vectors| {
        let (mut count, mut checked) = (0, Checked::default());
        for trace in TRACES {
            let json = vectors.json(&format!("rfc8448/{trace}.json"));
            let recording = Recording::new(of_trace(&json));
            checked += recording.check(backend);
            let known = recording.known_values(backend, &json);
            for step in json["steps"].as_array().unwrap() {
                for (name, printed) in step["values"].as_object().unwrap() {
                    let printed = printed.as_str().unwrap();
                    // The salt of the first extraction.
                    if printed.starts_with("0 ") {
                        continue;
                    }
                    let what = field(step, "step");
                    assert!(known.contains(&hex(printed)), "{trace}, {what} {name}: {printed}");
                    count += 1;
                }
            }
        }
        let expected = Checked {
            handshakes: 5,
            secrets: 58,
            hashes: 32,
            finished: 10,
            binders: 1,
            tickets: 1,
            signed: 5,
            keys: 21,
            records: 27,
        };
        assert_eq!(checked, expected);
        count
    });
}

/// Handshakes of Go with OpenSSL, of tlslite-ng, of both, of Botan, and two illustrated ones: all
/// suites, with HelloRetryRequest, external and resumed pre-shared keys, psk_ke, client
/// certificates, KeyUpdate, and every kind of group.
pub fn tls13_recorded_handshakes(backend: &Backend) {
    with_folder(38 + 31 + 5 + 2 + 2, |vectors| {
        let mut checked = Checked::default();
        for file in RECORDED {
            for recording in recordings(vectors, file) {
                checked += recording.check(backend);
            }
        }
        let expected = Checked {
            handshakes: 78,
            secrets: 420 + 347 + 55 + 22 + 22,
            hashes: 228 + 186 + 30 + 12 + 12,
            finished: 76 + 62 + 10 + 4 + 4,
            binders: 3 + 5 + 1,
            tickets: 22 + 4 + 3 + 4,
            signed: 43 + 29 + 5 + 2 + 2,
            keys: 154 + 130 + 20 + 8 + 8,
            records: 312 + 172 + 37 + 10 + 14,
        };
        assert_eq!(checked, expected);
        checked.handshakes
    });
}

/// Captures of which only a key log is known, one with early data: hashes, keys, Finished and
/// records from the traffic secrets on.
pub fn tls13_captures_from_their_key_logs(backend: &Backend) {
    with_folder(3, |vectors| {
        let mut checked = Checked::default();
        for recording in recordings(vectors, "tls13-captures/handshakes.json") {
            checked += recording.check_from_traffic_secrets(backend);
        }
        let expected = Checked {
            handshakes: 3,
            hashes: 14,
            finished: 6,
            signed: 2,
            keys: 13,
            records: 24,
            ..Checked::default()
        };
        assert_eq!(checked, expected);
        checked.handshakes
    });
}

/// Wherever a private key of a recording is known, and the backend takes it: the backend agrees as
/// that side, and core has the recorded Handshake Secret. Some shared secrets begin with zeros.
pub fn tls13_recorded_private_keys_agree(backend: &Backend) {
    with_folder(10 + 38 + 58 + 5 + 4 + 4, |vectors| {
        let mut sides = 0;
        for trace in TRACES {
            let json = of_trace(&vectors.json(&format!("rfc8448/{trace}.json")));
            sides += Recording::new(json).agree(backend);
        }
        for file in RECORDED {
            sides += recordings(vectors, file).iter().map(|it| it.agree(backend)).sum::<usize>();
        }
        sides
    });
}

/// How much of each kind was compared.
#[derive(Debug, Default, PartialEq, Eq)]
struct Checked {
    handshakes: usize,
    secrets: usize,
    hashes: usize,
    finished: usize,
    binders: usize,
    tickets: usize,
    signed: usize,
    keys: usize,
    records: usize,
}

impl AddAssign for Checked {
    fn add_assign(&mut self, other: Self) {
        self.handshakes += other.handshakes;
        self.secrets += other.secrets;
        self.hashes += other.hashes;
        self.finished += other.finished;
        self.binders += other.binders;
        self.tickets += other.tickets;
        self.signed += other.signed;
        self.keys += other.keys;
        self.records += other.records;
    }
}

/// A recorded handshake.
struct Recording {
    json: Json,
    /// What its secrets are made of.
    secrets: Secrets,
}

/// The recordings that a file lists.
fn recordings(vectors: &Vectors, file: &str) -> Vec<Recording> {
    let Json::Array(handshakes) = vectors.json(file) else { panic!("{file} is a list") };
    handshakes.into_iter().map(Recording::new).collect()
}

/// A trace of RFC 8448 with the field names of the other recordings.
fn of_trace(trace: &Json) -> Json {
    let mut json = trace.clone();
    let messages = trace["messages"].as_array().unwrap().iter();
    // One ClientHello is printed twice.
    let messages = messages.filter(|message| !field(message, "name").contains("as printed"));
    let messages: Vec<Json> = messages
        .map(|it| json!({"dir": it["side"], "type": it["type"], "message": it["message"]}))
        .collect();
    let records = trace["records"].as_array().unwrap().iter().map(|it| {
        let mut record = it.clone();
        record["dir"] = it["side"].clone();
        record["fragment"] = field(it, "record")[10..].to_owned().into();
        record["plaintext"] = it["payload"].clone();
        record
    });
    let records: Vec<Json> = records.collect();
    let mut signed = json!({});
    for message in trace["messages"].as_array().unwrap() {
        if message["signed_content"].is_string() {
            signed[field(message, "side")] = message.clone();
        }
    }
    let psk = &trace["psk"];
    let offers: Vec<Json> = match psk.as_str() {
        Some(_) => {
            let mut offer = trace["psk_binder"].clone();
            offer["psk"] = psk.clone();
            offer["kind"] = "res".into();
            (offer["hello"], offer["index"]) = (0.into(), 0.into());
            vec![offer]
        }
        None => Vec::new(),
    };
    json["psk_selected"] = if offers.is_empty() { Json::Null } else { 0.into() };
    json["psk_offers"] = offers.into();
    json["messages"] = messages.into();
    json["records"] = records.into();
    json["certificate_verify"] = signed;
    json["tickets"] = match &trace["ticket"] {
        Json::Null => json!([]),
        ticket => json!([ticket]),
    };
    json["file"] = trace["trace"].clone();
    // The last keys are those of the group that was agreed on.
    for pair in trace["key_pairs"].as_array().unwrap() {
        let side = field(pair, "side");
        json["ecdhe_group"] = pair["group"].clone();
        json[format!("{side}_ecdhe_private")] = pair["private"].clone();
        json[format!("{side}_ecdhe_public")] = pair["public"].clone();
    }
    json
}

impl Recording {
    fn new(json: Json) -> Self {
        let messages = messages(&json);
        let of = |from: &'static str, kinds: &'static [u64]| {
            let sent = messages.iter().filter(move |it| it.from == from);
            sent.filter(|it| kinds.contains(&it.kind)).map(|it| &it.bytes[..]).collect::<Vec<_>>()
        };
        let client_hellos = of("client", &[CLIENT_HELLO]);
        let server_hellos = of("server", &[SERVER_HELLO]);
        let (retried, client_hello, server_hello) = match (&client_hellos[..], &server_hellos[..]) {
            ([hello], [server_hello]) => (None, hello.to_vec(), *server_hello),
            ([first, second], [retry, server_hello]) => {
                (Some(first.to_vec().into()), [*retry, *second].concat(), *server_hello)
            }
            _ => panic!("{}: hellos", name(&json)),
        };
        let in_flight = &[8, 11, 13, CERTIFICATE_VERIFY, 25, 5];
        let last_hello = u64::from(retried.is_some());
        let psk = json["psk_selected"].as_u64().and_then(|selected| {
            let is_selected = |offer: &&Json| {
                offer["hello"] == last_hello && offer["index"].as_u64() == Some(selected)
            };
            let offer = offers(&json).iter().find(is_selected).expect("an offer");
            let key = hex(offer["psk"].as_str()?).into();
            let binders_len = binders_len(offers(&json), last_hello);
            Some(Psk { key, origin: origin(offer), binders_len })
        });
        let number = |name: &str| u16::from_str_radix(field(&json, name), 16).unwrap();
        let updates = &json["key_updates"];
        let updates = ["client", "server"].map(|side| updates[side].as_u64().unwrap_or_default());
        let secrets = Secrets {
            suite: Hex16(number("suite_id")),
            psk,
            shared_secret: json["shared_secret"].as_str().map(|secret| hex(secret).into()),
            retried_client_hello: retried,
            client_hello: client_hello.into(),
            server_hello: server_hello.to_vec().into(),
            server_flight: of("server", in_flight).concat().into(),
            server_finished: of("server", &[FINISHED]).concat().into(),
            client_flight: of("client", in_flight).concat().into(),
            client_finished: of("client", &[FINISHED]).concat().into(),
            exporter: Exporter { label: "EXPORTER-x".to_owned(), context: None, len: 32 },
            ticket_nonce: Vec::new().into(),
            key_updates: u8::try_from(updates[0].max(updates[1])).unwrap(),
            only: None,
        };
        // Everything but tickets and KeyUpdate, which come after the handshake.
        let known = secrets.client_hello.len()
            + secrets.retried_client_hello.as_ref().map_or(0, |hello| hello.len())
            + secrets.server_hello.len()
            + secrets.server_flight.len()
            + secrets.server_finished.len()
            + secrets.client_flight.len()
            + secrets.client_finished.len();
        let after = messages.iter().filter(|it| [4, 24].contains(&it.kind));
        let after: usize = after.map(|it| it.bytes.len()).sum();
        let all: usize = messages.iter().map(|it| it.bytes.len()).sum();
        assert_eq!(known + after, all, "{}: messages", name(&json));
        Self { json, secrets }
    }

    fn name(&self) -> &str {
        name(&self.json)
    }

    fn hash(&self) -> HashAlgorithm {
        reference13::hash_of(self.secrets.suite().unwrap())
    }

    /// Everything that the recording has, from pre-shared key and shared secret on.
    fn check(&self, backend: &Backend) -> Checked {
        let (name, secrets, json) = (self.name(), &self.secrets, &self.json);
        let values = by_core(backend, secrets);
        let reference = secrets.by_reference().unwrap();
        assert_eq!(values, reference, "{name}: the reference");
        let mut checked = self.check_besides(backend, &values);
        let (psk, shared) = (secrets.psk.as_ref(), secrets.shared_secret.as_deref());
        let schedule = reference13::Schedule::new(self.hash(), psk.map(|psk| &psk.key[..]), shared);
        let in_no_value = [
            ("derived_for_handshake", schedule.derived_for_handshake),
            ("derived_for_master", schedule.derived_for_master),
        ];
        for (secret, expected) in json["secrets"].as_object().unwrap() {
            let expected = hex(expected.as_str().unwrap());
            if secret == "resumption_psk" {
                let resumption = value(&values, "resumption_master_secret");
                let nonce = hex_field(&json["ticket"], "nonce");
                let psk = reference13::resumption_psk(self.hash(), resumption, &nonce);
                assert_eq!(psk, expected, "{name}: {secret}");
            } else {
                let derived = in_no_value.iter().find(|(derived, _)| derived == secret);
                let found = derived.map(|(_, bytes)| &bytes[..]);
                let found = found.unwrap_or_else(|| value(&values, secret));
                assert_eq!(to_hex(found), to_hex(&expected), "{name}: {secret}");
            }
            checked.secrets += 1;
        }
        for side in ["client", "server"] {
            let expected = hex_field(&json["finished"][side], "verify_data");
            let found = value(&values, &format!("{side}_verify_data"));
            assert_eq!(found, expected, "{name}: {side} Finished");
            let message = match side {
                "client" => &secrets.client_finished,
                _ => &secrets.server_finished,
            };
            assert_eq!(found, &message[4..], "{name}: {side} Finished message");
            checked.finished += 1;
        }
        for offer in offers(json).iter().filter(|offer| offer["psk"].is_string()) {
            self.check_binder(backend, offer);
            checked.binders += 1;
        }
        for ticket in json["tickets"].as_array().unwrap() {
            let Some(psk) = ticket["psk"].as_str() else { continue };
            let nonce = hex_field(ticket, "nonce").into();
            let values = by_core(backend, &Secrets { ticket_nonce: nonce, ..secrets.clone() });
            let next = reference13::Schedule::new(self.hash(), Some(&hex(psk)), None);
            let found = value(&values, "early_secret of the ticket");
            assert_eq!(found, next.early, "{name}: ticket");
            checked.tickets += 1;
        }
        checked
    }

    /// The binder of an offer that the client knows the key of, in either of its hellos.
    fn check_binder(&self, backend: &Backend, offer: &Json) {
        let name = self.name();
        let hello = offer["hello"].as_u64().unwrap();
        let mut secrets = self.secrets.clone();
        if let (0, Some(first)) = (hello, &self.secrets.retried_client_hello) {
            secrets.client_hello = first.clone();
            secrets.retried_client_hello = None;
        }
        secrets.psk = Some(Psk {
            key: hex_field(offer, "psk").into(),
            origin: origin(offer),
            binders_len: binders_len(offers(&self.json), hello),
        });
        let values = by_core(backend, &secrets);
        for (field, found) in [
            ("binder_hash", "binder_hash"),
            ("binder", "binder"),
            ("binder_key", "binder_key"),
            ("early_secret", "early_secret"),
        ] {
            let Some(expected) = offer[field].as_str() else { continue };
            assert_eq!(to_hex(value(&values, found)), expected, "{name}: {field}");
        }
        // It stands at the end of the hello, or before the binders of later offers.
        let at = secrets.client_hello.len() - secrets.psk.unwrap().binders_len;
        let binders = to_hex(&secrets.client_hello[at..]);
        assert!(binders.contains(field(offer, "binder")), "{name}: the binder in the hello");
    }

    /// What follows from the messages and from the traffic secrets alone, which are compared with
    /// nothing here.
    fn check_besides(&self, backend: &Backend, values: &[Value]) -> Checked {
        let (name, json) = (self.name(), &self.json);
        let mut checked = Checked { handshakes: 1, ..Checked::default() };
        for (of, expected) in json["transcript_hashes"].as_object().unwrap() {
            let up_to = match of.as_str() {
                "client_early_traffic_secret" | "early_exporter_master_secret" => {
                    "hash of ClientHello"
                }
                "client_handshake_traffic_secret" | "server_handshake_traffic_secret" => {
                    "hash of ServerHello"
                }
                "resumption_master_secret" => "hash of the client's Finished",
                _ => "hash of the server's Finished",
            };
            let expected = hex(expected.as_str().unwrap());
            assert_eq!(value(values, up_to), expected, "{name}: hash for {of}");
            checked.hashes += 1;
        }
        let provider = open(backend);
        let connection = provider.tls13_parameters(self.secrets.suite.into()).unwrap();
        for (side, signer) in SIDES {
            let finished = &json["finished"][side];
            let hash = value(values, &format!("hash before the {side}'s Finished"));
            assert_eq!(hash, hex_field(finished, "transcript_hash"), "{name}: {side} Finished");
            let secret = hex_field(&json["secrets"], &format!("{side}_handshake_traffic_secret"));
            let key = reference13::derive(self.hash(), &secret, b"finished", &[]);
            assert_eq!(key, hex_field(finished, "finished_key"), "{name}: {side} finished_key");
            let Some(expected) = json["certificate_verify"][side]["signed_content"].as_str() else {
                continue;
            };
            let transcript = self.before(&connection, side, CERTIFICATE_VERIFY);
            let content = connection.certificate_verify_content(signer, &transcript).unwrap();
            assert_eq!(to_hex(&content), expected, "{name}: CertificateVerify of the {side}");
            checked.signed += 1;
        }
        let Some(mut keys) = self.record_keys(&provider) else {
            // A suite that the backend has no cipher for, and says so.
            checked.keys += json["traffic_keys"].as_object().unwrap().len();
            checked.records += self.protected().count();
            return checked;
        };
        for (secret, expected) in json["traffic_keys"].as_object().unwrap() {
            let (_, key, _) = keys.iter().find(|(name, ..)| name == secret).unwrap();
            let expected = [hex_field(expected, "key"), hex_field(expected, "iv")];
            assert_eq!(<[_; 2]>::from(exposed_keys(key)), expected, "{name}: key of {secret}");
            checked.keys += 1;
        }
        for record in self.protected() {
            let epoch = field(record, "epoch");
            let (_, write, read) = keys.iter_mut().find(|(name, ..)| name == epoch).unwrap();
            let (plaintext, fragment) =
                (hex_field(record, "plaintext"), hex_field(record, "fragment"));
            let number = record["seq"].as_u64().unwrap();
            let content_type = u8::try_from(record["type"].as_u64().unwrap()).unwrap();
            let expected = [&reference13::header(fragment.len())[..], &fragment].concat();
            let what = format!("{name}: record {number} of {epoch}");
            assert_eq!(record["padding"], 0, "{what}");
            let sealed = seal(write, number, content_type, &plaintext);
            assert_eq!(to_hex(&sealed), to_hex(&expected), "{what}");
            assert_eq!(unseal(read, number, &expected), plaintext, "{what}");
            let mut copy = expected.clone();
            let opened = read.open_in_place(number, &mut copy).unwrap();
            assert_eq!(opened.content_type, content_type, "{what}");
            checked.records += 1;
        }
        checked
    }

    /// The same where no more is known than traffic secrets.
    fn check_from_traffic_secrets(&self, backend: &Backend) -> Checked {
        let (name, json) = (self.name(), &self.json);
        assert_eq!(json["shared_secret"], Json::Null, "{name}");
        // The transcript is the same whatever the secrets are.
        let length = self.hash().output_len();
        let shared_secret = Some(vec![0; length].into());
        let values = by_core(backend, &Secrets { shared_secret, ..self.secrets.clone() });
        let mut checked = self.check_besides(backend, &values);
        let connection = open(backend).tls13_parameters(self.secrets.suite.into()).unwrap();
        for (side, writer) in SIDES {
            let secret = hex_field(&json["secrets"], &format!("{side}_handshake_traffic_secret"));
            let phase = TrafficPhase::Handshake;
            let secret = connection.traffic_secret_for_vectors(writer, phase, &secret).unwrap();
            let transcript = self.before(&connection, side, FINISHED);
            let expected = hex_field(&json["finished"][side], "verify_data");
            assert_eq!(secret.verify_finished(&transcript, &expected), Ok(()), "{name} {side}");
            let mut found = vec![0; length];
            secret.verify_data(&transcript, &mut found).unwrap();
            assert_eq!(found, expected, "{name}: {side} Finished");
            checked.finished += 1;
        }
        checked
    }

    /// The transcript right before the last message of this kind of a side.
    fn before(&self, connection: &Tls13Parameters, side: &str, kind: u64) -> HandshakeHash {
        let secrets = &self.secrets;
        let mut transcript = connection.transcript().unwrap();
        if let Some(first) = &secrets.retried_client_hello {
            transcript.update(first);
            transcript = connection.transcript_after_retry(&transcript).unwrap();
        }
        transcript.update(&secrets.client_hello);
        transcript.update(&secrets.server_hello);
        let mut flight = &secrets.server_flight;
        if side == "client" {
            transcript.update(flight);
            transcript.update(&secrets.server_finished);
            flight = &secrets.client_flight;
        }
        let messages = messages(&self.json);
        let last = messages.iter().rfind(|it| it.from == side && it.kind == kind).unwrap();
        // CertificateVerify is the last of a flight, and Finished comes after it.
        transcript.update(flight.strip_suffix(&last.bytes[..]).unwrap_or(flight));
        transcript
    }

    /// The protected records.
    fn protected(&self) -> impl Iterator<Item = &Json> {
        let records = self.json["records"].as_array().unwrap().iter();
        records.filter(|record| record["epoch"] != "plaintext")
    }

    /// A key to write and one to read for each traffic secret; none where the backend has no such
    /// cipher.
    fn record_keys(&self, provider: &Provider) -> Option<Vec<Keys>> {
        let cipher = reference13::cipher(self.secrets.suite().unwrap());
        let is_supported = provider.backend().support(Operation::Aead(cipher)).is_supported();
        let secrets = self.json["secrets"].as_object().unwrap().iter();
        let traffic = secrets.filter(|(name, _)| name.contains("traffic_secret"));
        let keys = traffic.map(|(name, secret)| {
            let secret = hex(secret.as_str().unwrap()).into();
            let traffic = Traffic { suite: self.secrets.suite, secret };
            let key = || traffic.record_key(provider, RecordOptions::default());
            Ok((name.clone(), key()?, key()?))
        });
        match keys.collect::<Result<Vec<_>, Error>>() {
            Ok(keys) => Some(keys),
            Err(error) => {
                assert_eq!(
                    (error, is_supported),
                    (Error::Unsupported(Operation::Aead(cipher)), false)
                );
                None
            }
        }
    }

    /// Agrees as each side whose private key is known, and returns how many those are. Where the
    /// backend does not take the key, or core does not know the group, there is nothing to compare.
    fn agree(&self, backend: &Backend) -> usize {
        let (json, name) = (&self.json, self.name());
        let provider = open(backend);
        let mut sides = 0;
        for (own, peer) in [("client", "server"), ("server", "client")] {
            let known = json[format!("{own}_ecdhe_private")].as_str();
            let is_known_side = json["known_private_side"] == own;
            let scalar = json["known_private_scalar"].as_str().filter(|_| is_known_side);
            let Some(private_key) = known.or(scalar) else { continue };
            sides += 1;
            let number = u16::from_str_radix(field(json, "ecdhe_group"), 16).unwrap();
            let Some(group) = group(number) else { continue };
            let Some(key) = self.key(&provider, &group, own, &hex(private_key)) else { continue };
            let public = |side: &str| hex_field(json, &format!("{side}_ecdhe_public"));
            assert_eq!(key.public_key(), public(own), "{name}: share of the {own}");
            let peer = group.public_key(&public(peer)).unwrap();
            let connection = provider.tls13_parameters(self.secrets.suite.into()).unwrap();
            let psk = self.secrets.psk.as_ref();
            let psk = psk.map(|psk| provider.pre_shared_key(self.hash(), &psk.key).unwrap());
            let early = connection.early_secret(psk.as_ref()).unwrap();
            let handshake = early.handshake_secret(key, &peer).unwrap();
            let expected = hex_field(&json["secrets"], "handshake_secret");
            assert_eq!(handshake.secret_for_vectors(), Ok(&expected[..]), "{name}: as {own}");
        }
        sides
    }

    /// A private key of the recording, where the backend takes it.
    fn key(
        &self,
        provider: &Provider,
        group: &Group,
        side: &str,
        private_key: &[u8],
    ) -> Option<EphemeralKey> {
        let backend = provider.backend();
        let takes = |operation| backend.support(operation).is_supported();
        let on_curve = |curve| {
            let key = || backend.key_agreement().load_ecdh(curve, private_key).unwrap();
            takes(Operation::EcdhLoad(curve)).then(key)
        };
        match group {
            Group::Curve(curve) => {
                Some(provider.ephemeral_key_of(group.clone(), on_curve(*curve)?).unwrap())
            }
            Group::FiniteField(field) => {
                let key = takes(Operation::Dh)
                    .then(|| backend.key_agreement().load_dh(field, private_key).unwrap())?;
                Some(provider.ephemeral_key_of(group.clone(), key).unwrap())
            }
            Group::Hybrid(hybrid) => {
                // A server has no decapsulation key, and its random bytes are not recorded.
                if side != "client" || !takes(Operation::KemLoad(hybrid.kem())) {
                    return None;
                }
                let on_curve = on_curve(hybrid.curve())?;
                let seed = hex_field(&self.json, "mlkem_seed").try_into().unwrap();
                let seed = KemPrivateKey::Seed(&seed);
                let kem = backend.key_encapsulation().load_kem(hybrid.kem(), seed).unwrap();
                Some(provider.hybrid_key_of(*hybrid, on_curve, kem).unwrap())
            }
            other => panic!("{other:?}: a group that this case does not know"),
        }
    }

    /// Every value of a trace of RFC 8448: inputs, what the backend computes, and what the
    /// reference computes besides.
    fn known_values(&self, backend: &Backend, trace: &Json) -> HashSet<Vec<u8>> {
        let (hash, json, secrets) = (self.hash(), &self.json, &self.secrets);
        let mut known: HashSet<Vec<u8>> = HashSet::new();
        // Printed where there is no context.
        known.insert(Vec::new());
        known.insert(vec![0; hash.output_len()]);
        known.insert(crate::reference::hash(hash, &[]));
        for pair in trace["key_pairs"].as_array().unwrap() {
            known.extend(["private", "public"].map(|part| hex_field(pair, part)));
        }
        known.extend(secrets.shared_secret.iter().map(|secret| secret.to_vec()));
        known.extend(secrets.psk.iter().map(|psk| psk.key.to_vec()));
        known.extend(messages(trace).into_iter().map(|message| message.bytes));
        if let Some(psk) = &secrets.psk {
            let len = secrets.client_hello.len() - psk.binders_len;
            known.insert(secrets.client_hello[..len].to_vec());
        }
        for record in trace["records"].as_array().unwrap() {
            // Protected ones were sealed to the same bytes.
            known.extend(["payload", "record"].map(|part| hex_field(record, part)));
        }
        let values = by_core(backend, secrets);
        let hash_len = hash.output_len();
        let (psk, shared) = (secrets.psk.as_ref(), secrets.shared_secret.as_deref());
        let schedule = reference13::Schedule::new(hash, psk.map(|psk| &psk.key[..]), shared);
        known.insert(schedule.derived_for_handshake);
        known.insert(schedule.derived_for_master);
        let empty = crate::reference::hash(hash, &[]);
        let mut labels = vec![
            (&b"derived"[..], empty.clone(), hash_len),
            (b"res binder", empty, hash_len),
            (b"finished", Vec::new(), hash_len),
            (b"key", Vec::new(), secrets.suite().unwrap().cipher.key_len),
            (b"iv", Vec::new(), 12),
        ];
        for (name, up_to) in [
            (&b"c e traffic"[..], "hash of ClientHello"),
            (b"e exp master", "hash of ClientHello"),
            (b"c hs traffic", "hash of ServerHello"),
            (b"s hs traffic", "hash of ServerHello"),
            (b"c ap traffic", "hash of the server's Finished"),
            (b"s ap traffic", "hash of the server's Finished"),
            (b"exp master", "hash of the server's Finished"),
            (b"res master", "hash of the client's Finished"),
        ] {
            labels.push((name, value(&values, up_to).to_vec(), hash_len));
        }
        for ticket in json["tickets"].as_array().unwrap() {
            let nonce = hex_field(ticket, "nonce");
            let secret = value(&values, "resumption_master_secret");
            known.insert(reference13::resumption_psk(hash, secret, &nonce));
            known.insert(nonce.clone());
            labels.push((b"resumption", nonce, hash_len));
        }
        let encoded = labels.iter();
        let encoded = encoded.map(|(label, it, len)| reference13::hkdf_label(label, it, *len));
        known.extend(encoded);
        for (name, bytes) in &values {
            if name.contains("traffic_secret") {
                let keys = reference13::traffic_keys(secrets.suite().unwrap(), bytes);
                known.extend(<[_; 2]>::from(keys));
            }
            if name.contains("handshake_traffic_secret") || name == "binder_key" {
                known.insert(reference13::derive(hash, bytes, b"finished", &[]));
            }
        }
        known.extend(values.into_iter().map(|(_, bytes)| bytes));
        known
    }
}

/// The name of a traffic secret, a key that writes and one that reads.
type Keys = (String, RecordKey, RecordKey);

/// A handshake message.
struct Message {
    from: &'static str,
    kind: u64,
    bytes: Vec<u8>,
}

fn messages(json: &Json) -> Vec<Message> {
    let messages = json["messages"].as_array().unwrap().iter();
    let message = |message: &Json| Message {
        from: match message["dir"].as_str().or(message["side"].as_str()) {
            Some("client") => "client",
            _ => "server",
        },
        kind: message["type"].as_u64().unwrap(),
        bytes: hex_field(message, "message"),
    };
    messages.map(message).collect()
}

/// The pre-shared keys that were offered.
fn offers(json: &Json) -> &[Json] {
    json["psk_offers"].as_array().unwrap()
}

fn origin(offer: &Json) -> PskOrigin {
    match field(offer, "kind") {
        "ext" => PskOrigin::External,
        "res" => PskOrigin::Resumption,
        other => panic!("{other}: a kind of pre-shared key that is not known here"),
    }
}

/// Bytes of the list of binders at the end of a hello: its length, then each with its own.
fn binders_len(offers: &[Json], hello: u64) -> usize {
    let in_hello = offers.iter().filter(|offer| offer["hello"] == hello);
    2 + in_hello.map(|offer| 1 + field(offer, "binder").len() / 2).sum::<usize>()
}

/// A group by its number; none for X448.
fn group(number: u16) -> Option<Group> {
    let curve = NamedCurve::from_wire(number).map(Group::Curve);
    let field = || FfdheGroup::from_wire(number).map(|it| Group::from(DhParameters::named(it)));
    let hybrid = || HybridGroup::from_wire(number).map(Group::Hybrid);
    let group = curve.or_else(field).or_else(hybrid);
    assert!(group.is_some() || number == 30, "{number:#06x}: a group that is not known here");
    group
}

/// What a recording is called.
fn name(json: &Json) -> &str {
    json["file"].as_str().or(json["name"].as_str()).unwrap_or("a handshake without a name")
}

const SIDES: [(&str, Side); 2] = [("client", Side::Client), ("server", Side::Server)];

const CLIENT_HELLO: u64 = 1;
const SERVER_HELLO: u64 = 2;
const CERTIFICATE_VERIFY: u64 = 15;
const FINISHED: u64 = 20;

const TRACES: [&str; 5] =
    ["simple-1rtt", "resumed-0rtt", "hello-retry-request", "client-auth", "compatibility-mode"];

const RECORDED: [&str; 5] = [
    "go-tls13/handshakes.json",
    "tlslite-recorded/tls13-handshakes.json",
    "tlslite-recorded/go-tlslite-handshakes.json",
    "botan-tls13/handshakes.json",
    "illustrated/tls13-handshakes.json",
];
