//! `tls_key_schedule.json`: premaster secret, master secret, key block, Finished and exporters.

use ssl_provider::{CipherSuiteInfo, HashAlgorithm, PrfAlgorithm, ProtocolVersion, Side};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::corpus::{
    Exporter, File, Hex, KeyScheduleGroup, KeyScheduleTest, Verdict,
};
use ssl_provider_testkit::exchange::{PROTOCOLS, premaster_secret};
use ssl_provider_testkit::reference;

use super::{Numbers, cut, file as file_of, suite_number, suites, wire};

const HEADER: &[&str] = &[
    "The key schedule of SSL 3.0 to TLS 1.2 and DTLS, for RSA and PSK suites.",
    "messages are those from ClientHello to ClientKeyExchange, as they are hashed.",
    "The session hash is their hash, and the client's Finished is over them too.",
    "keyBlock has the keys one after another; in export suites it ends with short keys.",
    "The label of an exporter is text. context null is not the same as an empty one.",
];

/// The file.
pub(super) fn file() -> File<KeyScheduleGroup> {
    let mut rng = Rng::new(0x5246_0002);
    let mut numbers = Numbers::default();
    let mut groups = Vec::new();
    for protocol in PROTOCOLS {
        let is_known =
            |suite: &CipherSuiteInfo| suite.key_exchange.is_rsa() || suite.key_exchange.is_psk();
        let mut tests = Vec::new();
        for (index, suite) in suites(protocol, is_known).into_iter().enumerate() {
            // TLS 1.1 and DTLS derive as TLS 1.0 and 1.2 do, so that one of two is enough.
            let variants: &[bool] = match protocol {
                ProtocolVersion::SSL3 => &[false],
                ProtocolVersion::TLS1_0 | ProtocolVersion::TLS1_2 => &[false, true],
                _ if index % 2 == 0 => &[false],
                _ => &[true],
            };
            for extended in variants {
                tests.push(test(&mut rng, &mut numbers, protocol, suite, *extended));
            }
        }
        groups.push(KeyScheduleGroup {
            kind: "TlsKeySchedule".to_owned(),
            protocol: protocol.to_string(),
            version: wire(protocol),
            tests,
        });
    }
    file_of("tls_key_schedule", "TLS key schedule", HEADER, groups)
}

fn test(
    rng: &mut Rng,
    numbers: &mut Numbers,
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    extended: bool,
) -> KeyScheduleTest {
    let premaster = match suite.key_exchange.is_psk() {
        true => psk_premaster(rng),
        false => premaster_secret(protocol.wire(), rng).to_vec(),
    };
    let (client_random, server_random): ([u8; 32], [u8; 32]) = (rng.array(), rng.array());
    let messages = handshake(rng, protocol, suite, &client_random, &server_random);
    let session_hash = extended.then(|| reference::handshake_hash(protocol, suite, &messages));
    let master_secret = match &session_hash {
        Some(hash) => reference::extended_master_secret(protocol, suite, &premaster, hash),
        None => {
            let (client, server) = (&client_random, &server_random);
            reference::master_secret(protocol, suite, &premaster, client, server)
        }
    };
    let (client, server) = (&client_random, &server_random);
    let keys = reference::session_keys(protocol, suite, &master_secret, client, server);
    let key_block = if suite.key_exchange.is_export() {
        let mac_len = suite.mac.map_or(0, HashAlgorithm::output_len);
        let len = 2 * (mac_len + suite.cipher.key_material_len);
        reference::key_block(protocol, suite, &master_secret, client, server, len)
    } else {
        keys.clone()
    };

    let verify_data =
        |side, messages: &[u8]| verify_data(protocol, suite, &master_secret, side, messages);
    let client_verify_data = verify_data(Side::Client, &messages);
    let client_finished = message(protocol, 20, 2, &client_verify_data);
    let all = [&messages[..], &client_finished].concat();
    let server_verify_data = verify_data(Side::Server, &all);
    let exporters =
        exporters(rng, protocol, suite, &master_secret, &[client, server].map(|it| &it[..]));

    let mut flags = vec!["Normal".to_owned()];
    for (holds, flag) in [
        (extended, "ExtendedMasterSecret"),
        (suite.key_exchange.is_export(), "Export"),
        (suite.key_exchange.is_psk(), "PreSharedKey"),
    ] {
        flags.extend(holds.then(|| flag.to_owned()));
    }
    KeyScheduleTest {
        tc_id: numbers.next(),
        comment: format!("{protocol} {}", suite.name),
        flags,
        suite: suite.name.to_owned(),
        suite_number: suite_number(suite),
        prf: match reference::prf_of(protocol, suite) {
            None => "SSL3",
            Some(PrfAlgorithm::Md5Sha1) => "MD5+SHA1",
            Some(PrfAlgorithm::Sha256) => "SHA256",
            Some(PrfAlgorithm::Sha384) => "SHA384",
            Some(other) => panic!("{}: a PRF that has no name here", other.name()),
        }
        .to_owned(),
        premaster: Hex(premaster),
        client_random: Hex::from(client_random),
        server_random: Hex::from(server_random),
        messages: Hex(messages),
        session_hash: session_hash.map(Hex),
        master_secret: Hex(master_secret.clone()),
        key_block: Hex(key_block),
        keys: cut(&keys, protocol, suite),
        client_verify_data: Hex(client_verify_data),
        client_finished: Hex(client_finished),
        server_verify_data: Hex(server_verify_data),
        exporters,
        result: Verdict::Valid,
    }
}

/// As many zeros as the key has bytes, then the key, each after its length (RFC 4279 section 2).
fn psk_premaster(rng: &mut Rng) -> Vec<u8> {
    let psk_len = 1 + rng.below(64);
    let psk = rng.bytes(psk_len);
    let len = u16::try_from(psk.len()).expect("at most 64").to_be_bytes();
    [&len[..], &vec![0; psk.len()], &len, &psk].concat()
}

fn verify_data(
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    master_secret: &[u8],
    side: Side,
    messages: &[u8],
) -> Vec<u8> {
    let (sender, label): (&[u8], &[u8]) = match side {
        Side::Client => (b"CLNT", b"client finished"),
        Side::Server => (b"SRVR", b"server finished"),
    };
    match reference::prf_of(protocol, suite) {
        None => reference::ssl3_verify_data(sender, master_secret, messages),
        Some(prf) => {
            let hash = reference::handshake_hash(protocol, suite, messages);
            reference::prf(prf, master_secret, label, &[&hash], 12)
        }
    }
}

fn exporters(
    rng: &mut Rng,
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    master_secret: &[u8],
    randoms: &[&[u8]; 2],
) -> Vec<Exporter> {
    let Some(prf) = reference::prf_of(protocol, suite) else { return Vec::new() };
    let rows = [
        ("EXPORTER-ssl-provider-vectors", None, 32),
        ("EXPERIMENTAL test", Some(0), 20),
        ("EXPORTER-Channel-Binding", Some(1 + rng.below(40)), 49),
    ];
    rows.map(|(label, context_len, len)| {
        let context = context_len.map(|len| rng.bytes(len));
        // RFC 5705 section 4: the length of the context stands before it.
        let suffix = context.as_ref().map_or_else(Vec::new, |context| {
            let len = u16::try_from(context.len()).expect("at most 40").to_be_bytes();
            [&len[..], context].concat()
        });
        let seed = [randoms[0], randoms[1], &suffix];
        let keying_material = reference::prf(prf, master_secret, label.as_bytes(), &seed, len);
        Exporter {
            label: label.to_owned(),
            context: context.map(Hex),
            keying_material: Hex(keying_material),
        }
    })
    .to_vec()
}

/// Messages as an RSA handshake without certificate has them: enough for a hash.
fn handshake(
    rng: &mut Rng,
    protocol: ProtocolVersion,
    suite: &CipherSuiteInfo,
    client_random: &[u8],
    server_random: &[u8],
) -> Vec<u8> {
    let version = protocol.wire().to_be_bytes();
    let [high, low] = suite_number(suite).0.to_be_bytes();
    let cookie: &[u8] = if protocol.is_dtls() { &[0] } else { &[] };
    let client_hello =
        [&version[..], client_random, &[0], cookie, &[0, 2, high, low, 1, 0]].concat();
    let server_hello = [&version[..], server_random, &[0, high, low, 0]].concat();
    let exchange = rng.bytes(48);
    let len = [0, 48];
    let exchange: &[u8] = match protocol {
        ProtocolVersion::SSL3 => &exchange,
        _ => &[&len[..], &exchange].concat(),
    };
    [
        message(protocol, 1, 0, &client_hello),
        message(protocol, 2, 0, &server_hello),
        message(protocol, 14, 1, &[]),
        message(protocol, 16, 1, exchange),
    ]
    .concat()
}

/// A handshake message with its header, for DTLS as if it were not fragmented (RFC 6347 section
/// 4.2.6).
fn message(protocol: ProtocolVersion, kind: u8, number: u8, body: &[u8]) -> Vec<u8> {
    let [.., high, low] = body.len().to_be_bytes();
    let len = [0, high, low];
    let mut out = vec![kind];
    out.extend(len);
    if protocol.is_dtls() {
        out.extend([0, number, 0, 0, 0]);
        out.extend(len);
    }
    out.extend(body);
    out
}
