//! The targets: each takes any bytes, and panics when an invariant does not hold.
//! Each has a corpus of valid input, from the keys and captures of the repository's tests.

// A target reports a failure by panicking.
#![allow(clippy::missing_panics_doc)]

use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use ssl_provider::{
    Buffer, CipherSuite, Error, HashAlgorithm, KeyExportPolicy, KeyLogPolicy, MasterSeed,
    ParameterList, Policy, PrivateKey, ProtocolVersion, Provider, PublicKeyDer, RecordKey,
    RecordOptions, RsaPrivateKeyDer, Side, SignatureScheme, backends, default_backend,
};
use ssl_provider_cli::capture::{Limits, Moment, source};
use ssl_provider_cli::key_file::{Password, PasswordArgs, keys_in, read_keys};
use ssl_provider_cli::keylog::analysis::analyse;
use ssl_provider_cli::keylog::input::{Delivery, Input};
use ssl_provider_cli::keylog::keyring::Keyring;
use ssl_provider_cli::keylog::resumption::KnownSessions;
use ssl_provider_cli::tls::RecordStream;
use ssl_provider_compare::crosscheck::files::parse;
use ssl_provider_lab::{Connection, Identity, Options, Settings};
use ssl_provider_remote::protocol::{
    self, Command, KeyId, MAX_REPLY_LEN, MAX_REQUEST_LEN, PublicKeyContent, Reply, Request,
    message_len,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::direction::Direction;
use ssl_provider_testkit::exchange::Exchange;
use ssl_provider_testkit::question::generate::Generator;
use ssl_provider_testkit::question::{Answer, Subject, Vector};
use ssl_provider_testkit::rsa_key::{RSA_OID, TestKey, pkcs8};
use ssl_provider_testkit::signature::signers;
use ssl_provider_wire::{ClientHello, HandshakeType, Message, ServerHello, View};

use crate::mutate::MAX_LEN;
use crate::tls13::{self, parts};

/// A function that processes untrusted bytes, with a corpus of valid input.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the function.
    pub name: &'static str,
    /// The function.
    pub run: fn(&[u8]),
    /// Valid input to start from.
    pub corpus: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: [Target; 18] = [
    Target { name: "parameter_list", run: parameter_list, corpus: parameter_lists },
    Target { name: "import", run: import, corpus: imports },
    Target { name: "private_key", run: private_key, corpus: private_keys },
    Target { name: "key_file", run: key_file, corpus: key_files },
    Target { name: "capture", run: capture, corpus: captures },
    Target { name: "records", run: records, corpus: streams },
    Target { name: "server", run: server, corpus: flights },
    Target { name: "protected_record", run: protected_record, corpus: protected_records },
    Target { name: "record_key", run: record_key, corpus: record_keys },
    Target { name: "public_key", run: public_key, corpus: public_keys },
    Target { name: "key_server", run: key_server, corpus: key_server_messages },
    Target { name: "vectors", run: vectors, corpus: vector_files },
    Target { name: "tls13_message", run: parts::tls13_message, corpus: parts::messages },
    Target { name: "tls13_record", run: parts::tls13_record, corpus: parts::records },
    Target { name: "key_share", run: parts::key_share, corpus: parts::key_shares },
    Target { name: "ticket", run: parts::ticket, corpus: parts::tickets },
    Target { name: "tls13_server", run: tls13::tls13_server, corpus: tls13::plans },
    Target { name: "tls13_client", run: tls13::tls13_client, corpus: tls13::plans },
];

/// A parameter list as a C caller passes it: the version, then type, length and content of each
/// buffer, where a length of 255 means a null pointer.
pub fn parameter_list(input: &[u8]) {
    let Some((version, mut rest)) = input.split_first() else { return };
    let mut buffers = Vec::new();
    while let [buffer_type, len, tail @ ..] = rest {
        let content = tail.get(..usize::from(*len)).unwrap_or(tail);
        rest = &tail[content.len().min(tail.len())..];
        let data = (*len != 0xff).then_some(content);
        buffers.push(Buffer { buffer_type: u32::from(*buffer_type), data });
    }
    let parse = || ParameterList::parse(u32::from(*version), &buffers);
    assert_eq!(parse(), parse());
    if let Ok(list) = parse() {
        assert!(!format!("{list:?}").is_empty());
    }
}

/// An import: protocol, suite and the version that the client offered, then the ciphertext. Success
/// must not depend on the plaintext (Bleichenbacher), and a second import must return the same key.
pub fn import(input: &[u8]) {
    static SERVER: LazyLock<(Provider, PrivateKey)> = LazyLock::new(|| {
        let policy = Policy {
            legacy_ssl3: true,
            key_log: KeyLogPolicy::Allowed,
            min_modulus_bits: 1024,
            ..Policy::default()
        };
        let backend = default_backend().expect("backends are compiled in");
        let provider = Provider::open(backend).with_policy(policy);
        let key = provider.load_private_key(&TestKey::rsa_1024().der).expect("a good key");
        (provider, key)
    });
    let Some((head, ciphertext)) = input.split_first_chunk::<6>() else { return };
    let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (version, suite) = (ProtocolVersion(number(0)), CipherSuite(number(2).into()));
    let parameters = ParameterList::new()
        .client_random([1; 32])
        .server_random([2; 32])
        .highest_version(ProtocolVersion(number(4)));
    let (provider, key) = &*SERVER;
    let import = |ciphertext| {
        provider
            .import_master_key(key, version, suite, &parameters, ciphertext)
            .map(|key| *key.secret_for_key_log().expect("the policy allows it").expose())
    };
    let secret = import(ciphertext);
    assert_eq!(secret, import(ciphertext), "asked twice");
    let good = &[7; 128];
    assert_eq!(secret.map(drop), import(good).map(drop), "the ciphertext decides");
}

/// A message of a key server or one of its clients: what is parsed is written as the same bytes, so
/// that no message has two meanings, and a message has no other length than it says.
pub fn key_server(input: &[u8]) {
    if let Ok(request) = Request::parse(input) {
        assert_eq!(request.to_bytes().as_deref(), Ok(input));
        assert_eq!(message_len(input, MAX_REQUEST_LEN), Ok(Some(input.len())));
    }
    if let Ok(reply) = Reply::parse(input) {
        assert_eq!(reply.to_bytes().as_deref().map(Vec::as_slice), Ok(input));
        assert_eq!(message_len(input, MAX_REPLY_LEN), Ok(Some(input.len())));
        if let Some(key) = reply.content.ok().and_then(|it| PublicKeyContent::parse(it).ok()) {
            assert_eq!(key.to_bytes().as_deref().ok(), reply.content.ok());
        }
    }
}

/// A private key as DER: every backend accepts it, or each refuses it for the same reason.
pub fn private_key(input: &[u8]) {
    let mut answers = backends().into_iter().map(|backend| {
        (backend.info().name, Provider::open(backend).load_private_key(input).map(drop))
    });
    let Some((first, expected)) = answers.next() else { return };
    for (name, answer) in answers {
        assert_eq!(answer, expected, "{name} and {first}");
    }
}

/// A key file of any kind.
pub fn key_file(input: &[u8]) {
    static NONE: LazyLock<Password> =
        LazyLock::new(|| PasswordArgs::default().password().expect("none is fine"));
    if let Ok(keys) = keys_in(input, &NONE) {
        assert!(!keys.is_empty());
        assert!(keys.iter().all(|der| RsaPrivateKeyDer::from_der(der).is_ok()));
    }
}

/// A capture, down to the verdicts on its sessions.
pub fn capture(input: &[u8]) {
    static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
        let password = PasswordArgs::default().password().expect("none is fine");
        let keys = read_keys(&data("keys/server-2048.pem"), &password).expect("a good key");
        let backend = default_backend().expect("backends are compiled in");
        Keyring::load(&backend, &keys, true).expect("a good key")
    });
    let Ok(reader) = source::decompress(Cursor::new(input.to_vec())) else { return };
    let mut take = |delivery: Delivery| {
        let analysis = analyse(&delivery.conversation, &KEYRING, &KnownSessions::default());
        assert!(!analysis.sessions.is_empty(), "TLS was found");
        ControlFlow::Continue(())
    };
    let mut reassembly =
        Input::new(Limits { early_bytes: 1 << 16, connections: 64, memory: 1 << 20 });
    if reassembly.read("capture", reader, &mut take).is_ok() {
        reassembly.finish(&mut take);
    }
}

/// One direction of a connection in pieces of the length that the first byte says, and the rest as
/// a hello of either side.
pub fn records(input: &[u8]) {
    let Some((piece_len, bytes)) = input.split_first() else { return };
    let mut stream = RecordStream::default();
    for piece in bytes.chunks(usize::from(*piece_len) + 1) {
        stream.bytes(piece, Moment::default());
    }
    for record in stream.kept_records() {
        assert!(stream.fragment(record).len() <= bytes.len());
    }
    for (kind, ssl2_framing) in [(1, false), (1, true), (2, false)] {
        let message = Message { kind: HandshakeType(kind), bytes: bytes.to_vec(), ssl2_framing };
        let views = [View::Strict, View::Lenient];
        // The lenient view accepts all that the strict one does, and finds the same.
        let [strict, lenient] = views.map(|view| ClientHello::parse(&message, view));
        assert!(strict.is_err() || strict == lenient);
        let [strict, lenient] = views.map(|view| ServerHello::parse(&message, view));
        assert!(strict.is_err() || strict == lenient);
        if let Ok(hello) = strict {
            let mut bytes = Vec::new();
            hello.put(&mut bytes);
            let written = Message { bytes, kind: message.kind, ssl2_framing: false };
            assert_eq!(ServerHello::parse(&written, View::Strict), Ok(hello));
        }
    }
}

/// The bytes that a client sends to the lab server, in pieces whose length is the first byte. The
/// fragmentation must not matter, and no handshake completes without the keys.
pub fn server(input: &[u8]) {
    static SETTINGS: LazyLock<Arc<Settings>> = LazyLock::new(|| {
        let policy = Policy { legacy_ssl3: true, ..Policy::default() };
        let backend = default_backend().expect("backends are compiled in");
        let provider = Provider::open(backend).with_policy(policy);
        let identity = Identity::self_signed(&provider).expect("there are random numbers").identity;
        let versions = vec![
            ProtocolVersion::SSL3,
            ProtocolVersion::TLS1_0,
            ProtocolVersion::TLS1_1,
            ProtocolVersion::TLS1_2,
        ];
        let options = Options { versions, ..Options::default() };
        Settings::new(provider, identity, options, None, None).expect("there are suites")
    });
    let Some((piece_len, bytes)) = input.split_first() else { return };
    let outcome = |piece_len| {
        let mut connection = Connection::new(Arc::clone(&SETTINGS));
        for piece in bytes.chunks(piece_len) {
            connection.receive(piece);
        }
        assert!(connection.established().is_none(), "a session without the keys");
        assert!(connection.take_data().is_empty());
        assert!(connection.output().len() <= 4096, "so much to so little");
        (connection.ending(), connection.is_closed_by_client(), connection.output().len())
    };
    assert_eq!(outcome(usize::from(*piece_len) + 1), outcome(MAX_LEN), "the cut decides");
}

/// A record of the direction that the first byte selects: every backend that supports the cipher
/// decrypts it to the same bytes, or refuses it for the same reason and writes no output.
pub fn protected_record(input: &[u8]) {
    static DIRECTIONS: LazyLock<Vec<Direction>> = LazyLock::new(Direction::all);
    let Some((which, record)) = input.split_first() else { return };
    let Some(direction) = DIRECTIONS.get(usize::from(*which)) else { return };
    let open = |mut key: RecordKey| {
        let mut copy = record.to_vec();
        match key.decrypt_in_place(0, &mut copy) {
            Ok(payload) => {
                assert_eq!(payload.start, key.payload_offset());
                Ok(copy[payload].to_vec())
            }
            Err(error) => {
                assert!(matches!(error, Error::BadRecord | Error::RecordOverflow), "{error}");
                let fragment = copy.get(key.header_len()..).unwrap_or_default();
                assert!(fragment.iter().all(|byte| *byte == 0), "plaintext left behind");
                Err(error)
            }
        }
    };
    let mut answers = backends()
        .into_iter()
        .filter_map(|backend| Some((backend.info().name, open(direction.key(&backend).ok()?))));
    let Some((first, expected)) = answers.next() else { return };
    for (name, answer) in answers {
        assert_eq!(answer, expected, "{name} and {first}, {}", direction.name());
    }
}

/// The content of an opaque key blob, without its checksum: a key that is imported exports to the
/// same bytes.
pub fn record_key(input: &[u8]) {
    let provider = permissive();
    let mut checksum = [0; 32];
    let backend = provider.backend();
    backend
        .hashing()
        .hash(HashAlgorithm::Sha256, &[input], &mut checksum)
        .expect("every backend has it");
    let blob = [input, &checksum].concat();
    let Ok(key) = provider.import_record_key(&blob) else { return };
    assert_eq!(key.export().expect("the policy allows it").expose(), blob);
}

/// A public key: no backend accepts an invalid signature, or fails in another way.
pub fn public_key(input: &[u8]) {
    let Ok(key) = PublicKeyDer::from_der(input) else { return };
    let scheme = match key.modulus_bits() {
        Some(_) => SignatureScheme::RsaSha256,
        None => SignatureScheme::EcdsaSha256,
    };
    let signature = vec![0x11; key.modulus_bits().map_or(70, |bits| bits.div_ceil(8))];
    for backend in backends() {
        let verified = backend.signatures().verify(&key, scheme, &[7; 32], &signature);
        let name = backend.info().name;
        let refused = matches!(verified, Err(Error::BadSignature | Error::InvalidParameter(_)));
        assert!(refused, "{name}: {verified:?}");
    }
}

/// A file of vectors, as `sslprov crosscheck` reads it. Every question in it has an answer, which
/// is that of independent arithmetic where both have one.
pub fn vectors(input: &[u8]) {
    static SUBJECT: LazyLock<Subject> =
        LazyLock::new(|| Subject::new(&default_backend().expect("backends are compiled in")));
    let Ok(read) = str::from_utf8(input).map_err(drop).and_then(|text| parse(text).map_err(drop))
    else {
        return;
    };
    for vector in read.into_iter().take(MOST_VECTORS) {
        assert_eq!(Vector::from_json(&vector.to_json()).ok().as_ref(), Some(&vector));
        let answer = vector.question.ask(&SUBJECT, &[]);
        assert!(!matches!(answer, Answer::Defect(_)), "{answer}: {}", vector.to_json());
        // A backend may refuse what plain arithmetic does not: keys of odd lengths, for one.
        let right = vector.question.reference().filter(|_| matches!(answer, Answer::Bytes(_)));
        if let Some(right) = right {
            assert_eq!(answer, right, "{}", vector.to_json());
        }
    }
}

/// Vectors of a file that are asked: milliseconds.
const MOST_VECTORS: usize = 4;

fn vector_files() -> Vec<Vec<u8>> {
    let generator = Generator::new(1);
    (0..120).map(|number| generator.vector(number, &[]).to_json().into_bytes()).collect()
}

/// A provider with the most permissive policy.
fn permissive() -> Provider {
    let backend = default_backend().expect("backends are compiled in");
    Provider::open(backend).with_policy(Policy {
        legacy_ssl3: true,
        key_export: KeyExportPolicy::Allowed,
        min_modulus_bits: 1024,
        ..Policy::default()
    })
}

fn parameter_lists() -> Vec<Vec<u8>> {
    let buffer = |kind: u8, content: &[u8]| {
        let len = u8::try_from(content.len()).expect("short");
        [&[kind, len], content].concat()
    };
    let randoms = [buffer(20, &[1; 32]), buffer(21, &[2; 32])].concat();
    let version = buffer(22, &0x0303_u32.to_ne_bytes());
    let hash = |len| buffer(25, &vec![3; len]);
    [&[][..], &version, &hash(32), &hash(36), &hash(48), &[20, 0xff], &buffer(99, b"unknown")]
        .map(|last| [&[0], &randoms[..], last].concat())
        .into()
}

fn key_server_messages() -> Vec<Vec<u8>> {
    let exchange = |seed, ciphertext| {
        Command::MasterSecret(protocol::Exchange {
            key: KeyId([5; KeyId::LEN]),
            version: ProtocolVersion::TLS1_2,
            suite: CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
            offered: ProtocolVersion::TLS1_2,
            seed,
            ciphertext,
        })
    };
    let requests = [
        Command::PublicKey { index: 1 },
        exchange(MasterSeed::Randoms(&[1; 32], &[2; 32]), &[3; 128]),
        exchange(MasterSeed::SessionHash(&[4; 48]), &[]),
    ];
    let key = PublicKeyContent { modulus: &[0xc5; 128], exponent: &[1, 0, 1] };
    let key = key.to_bytes().expect("it is short");
    let contents = protocol::Status::ALL.iter().map(|status| Err(*status));
    let contents = contents.chain([Ok(&key[..]), Ok(&[6; 48])]);
    let requests = requests.map(|command| Request { id: 7, command }.to_bytes());
    let mut messages: Vec<_> = requests.into_iter().map(|it| it.expect("it is short")).collect();
    messages.extend(
        contents.map(|content| Reply { id: 7, content }.to_bytes().expect("it is short").to_vec()),
    );
    messages
}

fn imports() -> Vec<Vec<u8>> {
    let (key, mut rng) = (TestKey::rsa_1024(), Rng::new(1));
    [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384),
        (ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256),
    ]
    .map(|(protocol, suite)| {
        let secret = Exchange::new(protocol, suite).premaster_secret(&mut rng);
        let version = protocol.wire().to_be_bytes();
        let suite = u16::try_from(suite.0).expect("two bytes on the wire").to_be_bytes();
        [&version[..], &suite, &version, &key.encrypt(&key.pad(&secret, &mut rng))].concat()
    })
    .into()
}

fn private_keys() -> Vec<Vec<u8>> {
    let keys = [TestKey::rsa_1024(), TestKey::rsa_1536(), TestKey::rsa_2048_e3()];
    let wrapped = keys.iter().map(|key| pkcs8(RSA_OID, &key.der)).collect::<Vec<_>>();
    keys.into_iter().map(|key| key.der).chain(wrapped).collect()
}

fn key_files() -> Vec<Vec<u8>> {
    // The header of BCRYPT_RSAKEY_BLOB, of a key too short to be accepted.
    let lengths = [1024_u32, 3, 128, 64, 64].map(u32::to_le_bytes).concat();
    let blob = [b"RSA3", &lengths[..], &[1, 0, 1], &[0xa5; 128 + 5 * 64 + 128]].concat();
    let whole = [false, true].map(|is_full| key_blob(&TestKey::rsa_1024().der, is_full));
    files("keys", MAX_LEN).into_iter().chain([blob]).chain(whole).collect()
}

/// A key as BCRYPT_RSAPRIVATE_BLOB, which has no more than the primes, or as
/// BCRYPT_RSAFULLPRIVATE_BLOB: magic number, lengths, and the numbers, big-endian.
fn key_blob(der: &[u8], is_full: bool) -> Vec<u8> {
    let key = RsaPrivateKeyDer::from_der(der).expect("a good key");
    let [p, q] = key.primes();
    let numbers = [key.public_exponent(), key.modulus(), p, q];
    let len = |number: &[u8]| u32::try_from(number.len()).expect("short").to_le_bytes();
    let bits = u32::try_from(key.modulus_bits()).expect("short").to_le_bytes();
    let magic = if is_full { b"RSA3" } else { b"RSA2" };
    let mut blob = [magic, &bits[..], &numbers.map(len).concat(), &numbers.concat()].concat();
    if is_full {
        // Each has its full length: those of the primes, and that of the modulus.
        let [dp, dq, qinv] = key.crt_parts();
        let rest = [(dp, p), (dq, q), (qinv, p), (key.private_exponent(), key.modulus())];
        for (number, as_long_as) in rest {
            blob.resize(blob.len() + as_long_as.len().saturating_sub(number.len()), 0);
            blob.extend_from_slice(number);
        }
    }
    blob
}

fn captures() -> Vec<Vec<u8>> {
    // The shorter ones, of which there is one of every kind.
    let kinds = ["pcap", "pcapng", "gz"];
    let of_kind = |path: &Path| kinds.iter().any(|kind| path.extension() == Some(kind.as_ref()));
    files_where("", 24 * 1024, of_kind)
}

fn streams() -> Vec<Vec<u8>> {
    let record = |kind: u8, fragment: &[u8]| {
        let len = u16::try_from(fragment.len()).expect("short").to_be_bytes();
        [&[kind, 3, 3], &len[..], fragment].concat()
    };
    let handshake = |kind: u8, body: &[u8]| {
        let len = u32::try_from(body.len()).expect("short").to_be_bytes();
        record(22, &[&[kind], &len[1..], body].concat())
    };
    let client_hello = [&[3, 3][..], &[1; 32], &[0, 0, 2, 0, 0x9c, 1, 0, 0, 0]].concat();
    let server_hello = [&[3, 3][..], &[2; 32], &[0, 0, 0x9c, 0, 0, 0]].concat();
    let ssl2 = [&[0x80, 28, 1, 3, 1, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[7; 16]].concat();
    let tail = [handshake(16, &[9; 130]), record(20, &[1]), record(22, &[0x5a; 40])].concat();
    [
        [&[255], &handshake(1, &client_hello)[..], &tail].concat(),
        [&[0], &handshake(2, &server_hello)[..], &tail].concat(),
        [&[6], &b"STARTTLS\r\n"[..], &handshake(1, &client_hello), &tail].concat(),
        [&[99], &ssl2[..], &tail].concat(),
        [&[3], &record(21, &[2, 40])[..]].concat(),
    ]
    .into()
}

/// First flights of clients with the messages that may follow, up to a Finished that fails
/// authentication.
fn flights() -> Vec<Vec<u8>> {
    let record = |version: u8, kind: u8, fragment: &[u8]| {
        let len = u16::try_from(fragment.len()).expect("short").to_be_bytes();
        [&[kind, 3, version], &len[..], fragment].concat()
    };
    let handshake = |version: u8, kind: u8, body: &[u8]| {
        let len = u32::try_from(body.len()).expect("short").to_be_bytes();
        record(version, 22, &[&[kind], &len[1..], body].concat())
    };
    let rest = |version: u8| {
        let length: &[u8] = if version == 0 { &[] } else { &[1, 0] };
        let encrypted = handshake(version, 16, &[length, &[9; 256]].concat());
        [encrypted, record(version, 20, &[1]), record(version, 22, &[0x5a; 64])].concat()
    };
    let extensions = [
        &[0, 0, 0, 6, 0, 4, 0, 0, 1, b'x'][..],
        &[0, 13, 0, 4, 0, 2, 4, 1],
        &[0, 22, 0, 0, 0, 23, 0, 0, 0xff, 1, 0, 1, 0],
    ]
    .concat();
    let block = [&[0, 31][..], &extensions].concat();
    let mut all = Vec::new();
    for version in 0..=3 {
        let fields = [&[3, version][..], &[1; 32], &[0, 0, 4, 0, 0x9c, 0, 0x2f, 1, 0]].concat();
        let with = |more: &[u8]| handshake(1, 1, &[&fields[..], more].concat());
        all.push([&[0xff][..], &with(&block), &rest(version)].concat());
        all.push([&[6][..], &with(&[]), &rest(version), &record(version, 21, &[1, 0])].concat());
        let ssl2 = [&[0x80, 28, 1, 3, version, 0, 3, 0, 0, 0, 16, 0, 0, 0x2f][..], &[7; 16]];
        all.push([&[0xff][..], &ssl2.concat(), &rest(version)].concat());
    }
    all
}

fn protected_records() -> Vec<Vec<u8>> {
    let sealed = |(which, direction): (u8, Direction)| {
        let key = backends().iter().find_map(|backend| direction.key(backend).ok());
        let mut key = key?;
        let mut record = vec![0; key.record_len(40).expect("short")];
        key.encrypt_packet(0, 23, &[0x61; 40], &mut record).expect("room for it");
        Some([&[which], &record[..]].concat())
    };
    (0..=u8::MAX).zip(Direction::all()).filter_map(sealed).collect()
}

fn record_keys() -> Vec<Vec<u8>> {
    let provider = permissive();
    let test_key = TestKey::rsa_1024();
    let key = provider.load_private_key(&test_key.der).expect("a good key");
    let mut rng = Rng::new(2);
    let mut blobs: Vec<_> = [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_RC4_128_SHA),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384),
    ]
    .map(|(protocol, suite)| {
        let exchange = Exchange::new(protocol, suite);
        let secret = exchange.premaster_secret(&mut rng);
        let ciphertext = test_key.encrypt(&test_key.pad(&secret, &mut rng));
        let master_key = exchange.import(&provider, &key, &ciphertext).expect("a good list");
        let keys = master_key.session_keys(&exchange.parameters()).expect("both randoms");
        let key = keys.record_key(Side::Client, RecordOptions::default()).expect("a cipher");
        key.export().expect("the policy allows it").expose().to_vec()
    })
    .into();
    blobs.extend(parts::record_key_blobs(&provider));
    // Without the checksum, which the target adds.
    blobs.iter_mut().for_each(|blob| blob.truncate(blob.len() - 32));
    blobs
}

fn public_keys() -> Vec<Vec<u8>> {
    signers().into_iter().map(|signer| signer.public_key).collect()
}

/// A path below the repository's test data.
fn data(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(path)
}

fn files(folder: &str, max_len: usize) -> Vec<Vec<u8>> {
    files_where(folder, max_len, |_| true)
}

/// The files of a folder of test data up to this length, sorted by name.
fn files_where(folder: &str, max_len: usize, wanted: impl Fn(&Path) -> bool) -> Vec<Vec<u8>> {
    let folder = data(folder);
    let entries = fs::read_dir(&folder).expect("the test data is part of the repository");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.is_file() && wanted(path));
    paths.sort();
    let contents = paths.iter().map(|path| fs::read(path).expect("a readable file"));
    contents.filter(|content| content.len() <= max_len).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_takes_its_corpus_and_each_cut_of_it() {
        for target in TARGETS {
            let corpus = (target.corpus)();
            assert!(corpus.len() >= 4, "{}: {} inputs", target.name, corpus.len());
            for input in corpus {
                (target.run)(&input);
                for len in (0..input.len()).step_by(input.len() / 16 + 1) {
                    (target.run)(&input[..len]);
                }
            }
        }
    }
}
