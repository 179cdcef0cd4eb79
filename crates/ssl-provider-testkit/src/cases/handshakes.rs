//! Recorded handshakes of other TLS stacks: import, session keys and both Finished messages.
//! The recordings carry the peer's own derivation, so nothing of ours is its own witness.

use serde_json::Value;

use ssl_provider_core::{
    Backend, CipherMode, CipherSuite, CipherSuiteInfo, DhParameters, Group, MasterKey,
    MasterSecret, NamedCurve, Operation, PrfAlgorithm, ProtocolVersion, Side,
};

use crate::bytes::hex;
use crate::exchange::{Exchange, concatenated, open, open_with_key};
use crate::reference;
use crate::rsa_key::TestKey;
use crate::vectors::{Vectors, field, hex_field, with_folder};

/// One recorded RSA key exchange.
struct Recorded {
    exchange: Exchange,
    key: TestKey,
    encrypted_premaster: Vec<u8>,
    json: Value,
}

/// The public facts of a recorded exchange; none for a suite that is not known here.
pub(super) fn exchange(json: &Value) -> Option<Exchange> {
    let number = |name: &str| u32::from_str_radix(field(json, name), 16).unwrap();
    let protocol = ProtocolVersion::try_from(number("version")).unwrap();
    let session_hash = hex_field(json, "session_hash");
    let suite = CipherSuite(number("suite_id"));
    suite.info()?;
    Some(Exchange {
        client_random: hex_field(json, "client_random").try_into().unwrap(),
        server_random: hex_field(json, "server_random").try_into().unwrap(),
        session_hash: (!session_hash.is_empty()).then_some(session_hash),
        client_version: Some(number("client_version").try_into().unwrap()),
        ..Exchange::new(protocol, suite)
    })
}

impl Recorded {
    fn new(vectors: &Vectors, folder: &str, json: Value) -> Self {
        let exchange = exchange(&json).expect("an RSA suite of the table");
        let path = field(&json, "key");
        // The keys of the captures lie beside them, whatever folder the file names.
        let path = if folder == "captures" { path.rsplit('/').next().unwrap() } else { path };
        let key = TestKey::from_der(path, &vectors.pem(&format!("{folder}/{path}")));
        Self { exchange, key, encrypted_premaster: hex_field(&json, "encrypted_premaster"), json }
    }

    fn check(&self, backend: &Backend) {
        let provider = open(backend);
        let key = self.key.load(&provider);
        let master_key = self.exchange.import(&provider, &key, &self.encrypted_premaster).unwrap();
        check_master_key(backend, &self.exchange, &master_key, &self.json);
    }
}

/// Compares a master key, the keys and both verify_data of it with those of a recording.
pub(super) fn check_master_key(
    backend: &Backend,
    exchange: &Exchange,
    master_key: &MasterKey,
    json: &Value,
) {
    let Exchange { protocol, suite, .. } = *exchange;
    let name = format!("{} {} {}", name(json), protocol, suite.name);
    let secret = master_key.secret_for_key_log().unwrap().expose();
    assert_eq!(secret, hex_field(json, "master_secret").as_slice(), "{name}: master");
    // The recording always counts initialisation vectors in, also where records carry theirs.
    let key_block = hex_field(json, "key_block");
    let mut block = vec![0; key_block.len()];
    let Exchange { client_random, server_random, .. } = exchange;
    let mut master_secret = MasterSecret::zeroed();
    master_secret.expose_mut().copy_from_slice(secret);
    let connection = master_key.security_parameters();
    connection.key_block(&master_secret, client_random, server_random, &mut block).unwrap();
    assert_eq!(block, key_block, "{name}: key block");
    let session_keys = master_key.session_keys(&exchange.parameters()).unwrap();
    let session_keys = concatenated(&session_keys);
    let (cut, vectors) = key_block.split_at(session_keys.len());
    assert_eq!(session_keys, cut, "{name}: session keys");
    let carried = suite.cipher.mode == CipherMode::Cbc && protocol.has_explicit_iv();
    let expected = if carried { 2 * suite.cipher.block_len() } else { 0 };
    assert_eq!(vectors.len(), expected, "{name}: rest of the key block");

    // The recording gives handshake hashes, from which TLS computes verify_data.
    if let Some(prf) = reference::prf_of(protocol, suite) {
        for (side, label) in [("client", "client finished"), ("server", "server finished")] {
            let hash = hex_field(json, &format!("{side}_handshake_hash"));
            let mut out = [0; 12];
            backend.hashing().prf(prf, secret, label.as_bytes(), &[&hash], &mut out).unwrap();
            let expected = hex_field(json, &format!("{side}_verify_data"));
            assert_eq!(out, expected.as_slice(), "{name}: {side} verify_data");
        }
    }
}

/// What a recording is called.
fn name(json: &Value) -> &str {
    json["file"].as_str().or(json["name"].as_str()).expect("a name")
}

/// The RSA key exchanges that a file of handshakes lists.
fn recorded(vectors: &Vectors, folder: &str) -> Vec<Recorded> {
    let Value::Array(handshakes) = vectors.json(&format!("{folder}/handshakes.json")) else {
        panic!("{folder}/handshakes.json is a list");
    };
    handshakes
        .into_iter()
        .filter(|json| json["encrypted_premaster"].as_str().is_some_and(|hex| !hex.is_empty()))
        .map(|json| Recorded::new(vectors, folder, json))
        .collect()
}

/// Recorded (EC)DHE of Go, tlslite-ng and an illustrated connection, whose private keys are known
/// on one side or both: the backend agrees as each of them, keys and Finished included. Among them
/// are secrets with leading zeros, kept on curves and stripped in finite fields.
pub fn handshakes_of_recorded_agreements(backend: &Backend) {
    with_folder(1 + 54 + 54 + 65, |vectors| {
        let mut count = 0;
        for file in [
            "illustrated/tls12-handshakes.json",
            "go-tls/handshakes.json",
            "go-tls-no-ems/handshakes.json",
            "tlslite-recorded/tls12-handshakes.json",
        ] {
            let Value::Array(handshakes) = vectors.json(file) else { panic!("{file} is a list") };
            for json in
                handshakes.iter().filter(|json| field(json, "encrypted_premaster").is_empty())
            {
                check_agreement(backend, json);
                count += 1;
            }
        }
        count
    });
}

/// Agrees as each side of a recording whose private key is known, where the backend can be given
/// one.
fn check_agreement(backend: &Backend, json: &Value) {
    let Some(exchange) = exchange(json) else { return };
    let provider = open(backend);
    let agreement = backend.key_agreement();
    let group = match json["ecdhe_group"].as_str() {
        Some(number) => {
            let curve = NamedCurve::from_wire(u16::from_str_radix(number, 16).unwrap());
            // X448 is not known here.
            let Some(curve) = curve else { return };
            if !backend.support(Operation::EcdhLoad(curve)).is_supported() {
                return;
            }
            Group::Curve(curve)
        }
        None => {
            let group = DhParameters::new(&hex_field(json, "dh_p"), &hex_field(json, "dh_g"));
            Group::from(group.unwrap())
        }
    };
    let (prefix, private) = match &group {
        Group::FiniteField(_) => ("dh_", "_private"),
        _ => ("", "_ecdhe_private"),
    };
    let sides = [("client", "server", Side::Client), ("server", "client", Side::Server)];
    let mut agreed = 0;
    for (own, peer, side) in sides {
        let known = json[format!("{prefix}{own}{private}")].as_str();
        let is_known_side = json["known_private_side"] == own;
        let scalar = json["known_private_scalar"].as_str().filter(|_| is_known_side);
        let Some(private_key) = known.or(scalar) else { continue };
        let private_key = hex(private_key);
        let key = match &group {
            Group::Curve(curve) => {
                let mut padded = vec![0; curve.coordinate_len() - private_key.len()];
                padded.extend(private_key);
                // Go takes its scalar from a reader of zeros and adds 1 on the NIST curves.
                agreement.load_ecdh(*curve, &padded)
            }
            Group::FiniteField(group) => agreement.load_dh(group, &private_key),
            other => panic!("{other:?}: a group that this case does not know"),
        };
        let key = provider.ephemeral_key_of(group.clone(), key.unwrap()).unwrap();
        let public = |of: &str| match &group {
            Group::FiniteField(_) => hex_field(json, &format!("dh_{of}_public")),
            _ => hex_field(json, &format!("{of}_ecdhe_public")),
        };
        assert_eq!(key.public_key(), public(own), "{}", name(json));
        let peer = group.public_key(&public(peer)).unwrap();
        let (version, suite) = (exchange.protocol, exchange.suite.id);
        let parameters = exchange.parameters();
        let master_key =
            provider.generate_master_key(key, &peer, version, suite, &parameters, side).unwrap();
        check_master_key(backend, &exchange, &master_key, json);
        agreed += 1;
    }
    assert!(agreed > 0, "{}: no private key", name(json));
}

/// Go with OpenSSL, most with the extended master secret: 24 RSA key exchanges.
pub fn handshakes_of_go(backend: &Backend) {
    with_folder(24, |vectors| {
        let handshakes = recorded(vectors, "go-tls");
        assert_eq!(handshakes.iter().filter(|one| one.exchange.session_hash.is_some()).count(), 24);
        handshakes.iter().for_each(|handshake| handshake.check(backend));
        handshakes.len()
    });
}

/// An earlier Go, which has no extended master secret: 24 RSA key exchanges.
pub fn handshakes_of_go_without_extended_master_secret(backend: &Backend) {
    with_folder(24, |vectors| {
        let handshakes = recorded(vectors, "go-tls-no-ems");
        assert!(handshakes.iter().all(|one| one.exchange.session_hash.is_none()));
        handshakes.iter().for_each(|handshake| handshake.check(backend));
        handshakes.len()
    });
}

/// Captures from the wild: SSL 3.0 twice, and TLS 1.2 with a key whose first prime is the smaller.
pub fn handshakes_of_captures(backend: &Backend) {
    with_folder(3, |vectors| {
        let handshakes = recorded(vectors, "captures");
        handshakes.iter().for_each(|handshake| handshake.check(backend));
        handshakes.len()
    });
}

/// The Go recordings once more, from the bytes on the wire: a running handshake hash over the
/// messages gives the session hash and both verify_data.
pub fn handshakes_verify_over_the_recorded_messages(backend: &Backend) {
    with_folder(48, |vectors| {
        let folders = ["go-tls", "go-tls-no-ems"];
        let mut count = 0;
        for folder in folders {
            for handshake in recorded(vectors, folder) {
                let file = field(&handshake.json, "file");
                let wire = Messages::parse(&vectors.text(&format!("{folder}/transcripts/{file}")));
                verify(backend, &handshake, wire);
                count += 1;
            }
        }
        count
    });
}

fn verify(backend: &Backend, handshake: &Recorded, wire: Messages) {
    let Exchange { protocol, suite, .. } = handshake.exchange;
    let name = field(&handshake.json, "file");
    let provider = open(backend);
    let key = handshake.key.load(&provider);
    let ciphertext = &handshake.encrypted_premaster;
    let master_key = handshake.exchange.import(&provider, &key, ciphertext).unwrap();
    let mut hash = provider.handshake_hash(protocol, suite.id).expect("a known suite");

    // The session hash covers the messages up to ClientKeyExchange; what follows it before the
    // client's Finished is CertificateVerify.
    let position = wire.plain.iter().position(|message| message[0] == 16).unwrap();
    let (until_key_exchange, rest) = wire.plain.split_at(position + 1);
    // A ticket, in the clear after the client's Finished, belongs to the server's.
    let (tickets, rest): (Vec<_>, Vec<_>) = rest.iter().partition(|message| message[0] == 4);
    until_key_exchange.iter().for_each(|message| hash.update(message));
    if let Some(session_hash) = &handshake.exchange.session_hash {
        assert_eq!(&hash.current().unwrap(), session_hash, "{name}: session hash");
    }
    rest.iter().for_each(|message| hash.update(message));

    let expected = |side| hex_field(&handshake.json, &format!("{side}_verify_data"));
    let mut out = [0; 12];
    master_key.verify_data(Side::Client, &hash, &mut out).unwrap();
    assert_eq!(out, expected("client").as_slice(), "{name}: client verify_data");

    hash.update(&[&[20, 0, 0, 12], out.as_slice()].concat());
    tickets.iter().for_each(|message| hash.update(message));
    master_key.verify_data(Side::Server, &hash, &mut out).unwrap();
    assert_eq!(out, expected("server").as_slice(), "{name}: server verify_data");
}

/// The handshake messages of a recording that were sent in the clear, in order.
struct Messages {
    plain: Vec<Vec<u8>>,
}

impl Messages {
    /// Reads a recording: flows that take turns, each a hex dump of records.
    fn parse(text: &str) -> Self {
        let mut plain = Vec::new();
        // Whether client and server have changed to encryption.
        let mut encrypted = [false; 2];
        for (turn, flow) in text.split(">>> Flow ").skip(1).enumerate() {
            let bytes: Vec<u8> = flow.lines().skip(1).flat_map(dump_line).collect();
            let mut rest = bytes.as_slice();
            let mut handshake = Vec::new();
            while let [content_type, _, _, high, low, after @ ..] = rest {
                let len = usize::from(u16::from_be_bytes([*high, *low]));
                let (fragment, next) = after.split_at(len);
                match content_type {
                    20 => encrypted[turn % 2] = true,
                    22 if !encrypted[turn % 2] => handshake.extend(fragment),
                    _ => {}
                }
                rest = next;
            }
            while let [_, high, middle, low, ..] = handshake[..] {
                let len = usize::from(low) + 256 * usize::from(middle) + 65536 * usize::from(high);
                let rest = handshake.split_off(4 + len);
                plain.push(std::mem::replace(&mut handshake, rest));
            }
        }
        // Hello requests start another handshake and are not hashed.
        plain.retain(|message| message[0] != 0);
        Self { plain }
    }
}

/// The bytes of one line: an offset, up to 16 bytes in hex, and the same as text between bars.
fn dump_line(line: &str) -> Vec<u8> {
    let Some((head, _)) = line.split_once('|') else { return Vec::new() };
    head.split_whitespace().skip(1).flat_map(hex).collect()
}

/// Every pair of protocol and suite, so that a new row of the table is tried without being named:
/// good ciphertexts give the true master secret, the session keys and the Finished of both sides.
pub fn handshakes_of_every_suite(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let mut rng = crate::bytes::Rng::new(7);
    for (protocol, suite) in crate::exchange::rsa_suites() {
        let plain = Exchange::new(protocol, suite.id);
        let variants = match crate::exchange::session_hash_len(protocol, suite) {
            Some(_) => vec![plain.clone().extended(), plain],
            None => vec![plain],
        };
        for exchange in variants {
            let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
            let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
            let name = exchange.describe();
            let expected = exchange.master_secret(&premaster_secret);
            let secret = master_key.secret_for_key_log().unwrap().expose();
            assert_eq!(secret, expected.as_slice(), "{name}");
            let keys = master_key.session_keys(&exchange.parameters()).unwrap();
            assert_eq!(concatenated(&keys), exchange.session_keys(&expected), "{name}");

            let messages = rng.bytes(777);
            let mut hash = provider.handshake_hash(protocol, suite.id).expect("a known suite");
            hash.update(&messages);
            for side in [Side::Client, Side::Server] {
                let expected = expected_verify_data(protocol, suite, side, &expected, &messages);
                let mut out = vec![0; expected.len()];
                master_key.verify_data(side, &hash, &mut out).unwrap();
                assert_eq!(out, expected, "{side:?} {name}");
            }
        }
    }
}

/// The verify_data by the reference.
pub(crate) fn expected_verify_data(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    side: Side,
    master_secret: &[u8],
    messages: &[u8],
) -> Vec<u8> {
    let (tag, label): (&[u8; 4], &[u8]) = match side {
        Side::Client => (b"CLNT", b"client finished"),
        Side::Server => (b"SRVR", b"server finished"),
    };
    match reference::prf_of(protocol, suite) {
        None => reference::ssl3_verify_data(tag, master_secret, messages),
        Some(prf) => {
            let hash = reference::handshake_hash(protocol, suite, messages);
            debug_assert!(prf != PrfAlgorithm::Md5Sha1 || hash.len() == 36);
            reference::prf(prf, master_secret, label, &[&hash], 12)
        }
    }
}
