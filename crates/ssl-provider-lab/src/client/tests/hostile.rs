//! Servers that deviate from the protocol: each fault has its alert and its cause.
//! The server here holds the private key, and so can go wrong at any message.

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::KeyUsage;
use openssl::x509::{X509, X509Name};
use ssl_provider::{
    CipherSuite, HandshakeHash, MAX_PAYLOAD_LEN, MasterKey, NamedCurve, ParameterList, RecordKey,
    RecordOptions, Side, SigningKey, default_backend,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_wire::{
    ClientHello, ExtensionType, Extensions, HandshakeType, KeyExchangeParameters, Message, Reader,
    ServerHello, View, put_certificate, put_extension, put_message, put_signature, put_vec,
};

use super::*;
use crate::client::session::MAX_TICKET_LEN;
use crate::signed_params::{SignedParameters, fixed_scheme};

const RSA_CBC: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
const RSA_GCM: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256;
const ECDHE_RSA: CipherSuite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
const ECDHE_ECDSA: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const DHE_RSA: CipherSuite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;

const EXTENDED_MASTER_SECRET: (u16, &[u8]) = (23, &[]);
const ENCRYPT_THEN_MAC: (u16, &[u8]) = (22, &[]);
const SESSION_TICKET: (u16, &[u8]) = (35, &[]);

/// The fields of a ServerHello.
#[derive(Clone)]
struct Hello {
    version: ProtocolVersion,
    random: [u8; 32],
    session_id: Vec<u8>,
    suite: CipherSuite,
    compression: u8,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    fn with(mut self, extensions: &[(u16, &[u8])]) -> Self {
        self.extensions.extend(extensions.iter().map(|(kind, data)| (*kind, data.to_vec())));
        self
    }

    fn message(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for (kind, data) in &self.extensions {
            put_extension(&mut list, ExtensionType(*kind), data);
        }
        let mut out = Vec::new();
        let hello = ServerHello {
            version: self.version.wire(),
            random: self.random,
            session_id: &self.session_id,
            suite: u16::try_from(self.suite.0).unwrap(),
            compression: self.compression,
            extensions: Extensions::new(&list),
        };
        hello.put(&mut out);
        out
    }
}

/// A server that goes wrong, and its client.
struct Server {
    client: ClientConnection,
    provider: Provider,
    client_random: [u8; 32],
    client_session_id: Vec<u8>,
    transcript: Vec<u8>,
    hello: Hello,
    master_key: Option<MasterKey>,
    write: Option<(RecordKey, u64)>,
}

impl Server {
    fn new(client: ClientConnection) -> Self {
        let provider = provider(client.settings.provider.backend());
        let mut server = Self {
            client,
            provider,
            client_random: [0; 32],
            client_session_id: Vec::new(),
            transcript: Vec::new(),
            hello: Hello {
                version: ProtocolVersion::TLS1_2,
                random: [9; 32],
                session_id: Vec::new(),
                suite: RSA_GCM,
                compression: 0,
                extensions: Vec::new(),
            },
            master_key: None,
            write: None,
        };
        let (_, hello) = server.sent().pop().expect("a ClientHello");
        server.transcript.extend_from_slice(&hello);
        let message =
            Message { kind: HandshakeType::CLIENT_HELLO, bytes: hello, ssl2_framing: false };
        let hello = ClientHello::parse(&message, View::Strict).expect("a good ClientHello");
        server.client_random = hello.random;
        server.client_session_id = hello.session_id.to_vec();
        server
    }

    /// A server whose client has everything enabled.
    fn of_any_client() -> Self {
        Self::new(connect(&settings_with(|_| {})))
    }

    /// Returns the records that the client has sent since the last call.
    fn sent(&mut self) -> Vec<(u8, Vec<u8>)> {
        let output = self.client.output().to_vec();
        self.client.sent(output.len());
        let mut reader = Reader::new(&output);
        let mut records = Vec::new();
        while let Some(kind) = reader.u8() {
            reader.u16().expect("a version");
            records.push((kind, reader.vec16().expect("a fragment").to_vec()));
        }
        records
    }

    /// Sends a record, encrypted once keys are in use.
    fn send(&mut self, content_type: u8, payload: &[u8]) {
        let mut record = Vec::new();
        match &mut self.write {
            Some((key, number)) => {
                record = vec![0; key.record_len(payload.len()).unwrap()];
                let len = key.encrypt_packet(*number, content_type, payload, &mut record).unwrap();
                *number += 1;
                record.truncate(len);
            }
            None => {
                record.push(content_type);
                record.extend(self.hello.version.wire().to_be_bytes());
                put_vec::<2>(&mut record, |out| out.extend_from_slice(payload));
            }
        }
        self.client.receive(&record);
    }

    /// Sends a handshake message in as many records as it takes, and adds it to the transcript.
    fn send_message(&mut self, message: &[u8]) {
        self.transcript.extend_from_slice(message);
        for fragment in message.chunks(MAX_PAYLOAD_LEN) {
            self.send(22, fragment);
        }
    }

    fn send_hello(&mut self, change: impl FnOnce(&mut Hello)) {
        change(&mut self.hello);
        let message = self.hello.message();
        self.send_message(&message);
    }

    fn send_certificate(&mut self, certificate: &[u8]) {
        let mut message = Vec::new();
        put_certificate(&mut message, [certificate]);
        self.send_message(&message);
    }

    /// Sends everything up to ServerHelloDone of an RSA key exchange, and reads the client's
    /// flight.
    fn open(&mut self, suite: CipherSuite, extensions: &[(u16, &[u8])]) {
        self.send_hello(|hello| {
            hello.suite = suite;
            *hello = hello.clone().with(extensions);
        });
        self.send_certificate(&rsa_certificate(None));
        self.send_message(&[HandshakeType::SERVER_HELLO_DONE.0, 0, 0, 0]);
        let flight = self.sent();
        let kinds: Vec<u8> = flight.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [22, 20, 22], "{:?}", self.client.fault());
        let exchange = &flight[0].1;
        self.transcript.extend_from_slice(exchange);
        let has_length = self.hello.version != ProtocolVersion::SSL3;
        let encrypted = &exchange[if has_length { 6 } else { 4 }..];
        let mut parameters = self.parameters().highest_version(self.client.settings.highest());
        if extensions.contains(&EXTENDED_MASTER_SECRET) {
            parameters = parameters.session_hash(&self.hash().current().unwrap()).unwrap();
        }
        let key = test_key().load(&self.provider);
        let (version, suite) = (self.hello.version, self.hello.suite);
        let master_key =
            self.provider.import_master_key(&key, version, suite, &parameters, encrypted).unwrap();
        let keys = master_key.session_keys(&self.parameters()).unwrap();
        let options = RecordOptions {
            encrypt_then_mac: extensions.contains(&ENCRYPT_THEN_MAC),
            ..RecordOptions::default()
        };
        let mut read = keys.record_key(Side::Client, options).unwrap();
        let mut finished = vec![22];
        finished.extend(self.hello.version.wire().to_be_bytes());
        put_vec::<2>(&mut finished, |out| out.extend_from_slice(&flight[2].1));
        let range = read.decrypt_in_place(0, &mut finished).unwrap();
        let finished = &finished[range];
        master_key.verify_finished(Side::Client, &self.hash(), &finished[4..]).unwrap();
        self.transcript.extend_from_slice(finished);
        self.master_key = Some(master_key);
    }

    fn parameters(&self) -> ParameterList {
        ParameterList::new().client_random(self.client_random).server_random(self.hello.random)
    }

    fn hash(&self) -> HandshakeHash {
        let mut hash = self.provider.handshake_hash(self.hello.version, self.hello.suite).unwrap();
        hash.update(&self.transcript);
        hash
    }

    fn change_cipher_spec(&mut self) {
        self.send(20, &[1]);
        let keys = self.master_key.as_ref().unwrap().session_keys(&self.parameters()).unwrap();
        let encrypt_then_mac = self.hello.extensions.iter().any(|(kind, _)| *kind == 22);
        let key = keys
            .record_key(
                Side::Server,
                RecordOptions { encrypt_then_mac, ..RecordOptions::default() },
            )
            .unwrap();
        self.write = Some((key, 0));
    }

    fn finished_message(&self) -> Vec<u8> {
        let master_key = self.master_key.as_ref().unwrap();
        let mut verify_data = vec![0; master_key.verify_data_len()];
        master_key.verify_data(Side::Server, &self.hash(), &mut verify_data).unwrap();
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::FINISHED, |out| out.extend(verify_data));
        message
    }

    fn finish(&mut self) {
        self.change_cipher_spec();
        let finished = self.finished_message();
        self.send_message(&finished);
        assert!(self.client.established().is_some(), "{:?}", self.client.fault());
    }

    /// Signs parameters and sends them as a ServerKeyExchange.
    fn send_key_exchange(
        &mut self,
        key: &SigningKey,
        scheme: Option<u16>,
        parameters: &KeyExchangeParameters<'_>,
        change: impl FnOnce(&mut Vec<u8>),
    ) {
        let message = self.key_exchange(key, scheme, parameters, change);
        self.send_message(&message);
    }

    fn key_exchange(
        &self,
        key: &SigningKey,
        number: Option<u16>,
        parameters: &KeyExchangeParameters<'_>,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Vec<u8> {
        let is_rsa = key.curve().is_none();
        let negotiated = number.and_then(SignatureScheme::from_wire);
        let default =
            if is_rsa { SignatureScheme::RsaSha256 } else { SignatureScheme::EcdsaSha256 };
        let scheme = fixed_scheme(self.hello.version, is_rsa)
            .or(negotiated.filter(|scheme| scheme.is_rsa() == is_rsa))
            .unwrap_or(default);
        let mut out = Vec::new();
        parameters.put(&mut out);
        let signed = SignedParameters {
            client_random: &self.client_random,
            server_random: &self.hello.random,
            parameters: &out,
        };
        let digest = signed.digest(&self.provider, scheme).unwrap();
        let signature = key.sign(scheme, &digest).unwrap();
        put_signature(&mut out, number, &signature);
        change(&mut out);
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::SERVER_KEY_EXCHANGE, |body| body.extend(out));
        message
    }

    /// Asserts that the client has refused the server, and that its alert is its last record.
    #[track_caller]
    fn expect_refusal(mut self, alert: Alert, fault: &ServerFault) {
        assert_eq!(self.client.fault(), Some(fault));
        assert_eq!(self.client.ending(), Some(ClientEnding::Refused(alert)));
        assert!(!fault.to_string().is_empty());
        assert!(!self.client.output().is_empty(), "an alert");
        self.client.sent(self.client.output().len());
        self.client.receive(&[22, 3, 3, 0, 1, 2]);
        assert!(self.client.output().is_empty() && self.client.session().is_none());
    }

    #[track_caller]
    fn expect_order(self, found: &str, expected: &'static str) {
        let fault = ServerFault::Order { found: found.to_owned(), expected };
        self.expect_refusal(Alert::UnexpectedMessage, &fault);
    }
}

fn test_key() -> TestKey {
    TestKey::rsa_1024()
}

fn rsa_pkey() -> PKey<Private> {
    PKey::from_rsa(Rsa::private_key_from_der(&test_key().der).unwrap()).unwrap()
}

fn ec_pkey() -> PKey<Private> {
    let p256 = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&p256).unwrap()).unwrap()
}

fn rsa_certificate(usage: Option<&mut KeyUsage>) -> Vec<u8> {
    certificate(&rsa_pkey(), usage)
}

/// A self-signed certificate, with this key usage.
pub(super) fn certificate(key: &PKey<Private>, usage: Option<&mut KeyUsage>) -> Vec<u8> {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "localhost").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.set_pubkey(key).unwrap();
    if let Some(usage) = usage {
        certificate.append_extension(usage.build().unwrap()).unwrap();
    }
    certificate.sign(key, MessageDigest::sha256()).unwrap();
    certificate.build().to_der().unwrap()
}

fn malformed(message: &'static str, reason: &'static str) -> ServerFault {
    ServerFault::Malformed { message, reason }
}

#[test]
fn the_scripted_server_is_accepted_as_long_as_it_follows_the_protocol() {
    for version in [
        ProtocolVersion::SSL3,
        ProtocolVersion::TLS1_0,
        ProtocolVersion::TLS1_1,
        ProtocolVersion::TLS1_2,
    ] {
        for extensions in [&[][..], &[EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC]] {
            if version == ProtocolVersion::SSL3 && !extensions.is_empty() {
                continue;
            }
            let mut server = Server::of_any_client();
            server.hello.version = version;
            server.open(RSA_CBC, extensions);
            server.finish();
            server.send(23, b"hello");
            assert_eq!(server.client.take_data(), b"hello");
        }
    }
}

#[test]
fn what_was_not_offered_is_refused() {
    use ServerFault as Fault;
    type Change = fn(&mut Hello);
    let tls1_2 = ProtocolVersion::TLS1_2;
    let cases: [(Change, Alert, Fault); 21] = [
        (
            |hello| hello.version = ProtocolVersion::TLS1_3,
            Alert::ProtocolVersion,
            Fault::Version(ProtocolVersion::TLS1_3),
        ),
        (
            |hello| hello.version = ProtocolVersion(0x0200),
            Alert::ProtocolVersion,
            Fault::Version(ProtocolVersion(0x0200)),
        ),
        (
            |hello| hello.version = ProtocolVersion::DTLS1_2,
            Alert::ProtocolVersion,
            Fault::Version(ProtocolVersion::DTLS1_2),
        ),
        (
            |hello| hello.suite = CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5,
            Alert::IllegalParameter,
            Fault::Suite(CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5, tls1_2),
        ),
        (
            |hello| hello.suite = CipherSuite(0x00ff),
            Alert::IllegalParameter,
            Fault::Suite(CipherSuite(0x00ff), tls1_2),
        ),
        (
            |hello| hello.suite = CipherSuite::TLS_AES_128_GCM_SHA256,
            Alert::IllegalParameter,
            Fault::Suite(CipherSuite::TLS_AES_128_GCM_SHA256, tls1_2),
        ),
        (
            |hello| hello.version = ProtocolVersion::TLS1_1,
            Alert::IllegalParameter,
            Fault::Suite(RSA_GCM, ProtocolVersion::TLS1_1),
        ),
        (|hello| hello.compression = 1, Alert::IllegalParameter, Fault::Compression(1)),
        (
            |hello| hello.extensions.push((5, Vec::new())),
            Alert::UnsupportedExtension,
            Fault::Extension(5),
        ),
        (
            |hello| hello.extensions.push((43, vec![3, 4])),
            Alert::UnsupportedExtension,
            Fault::Extension(43),
        ),
        (
            // No name was sent.
            |hello| hello.extensions.push((0, Vec::new())),
            Alert::UnsupportedExtension,
            Fault::Extension(0),
        ),
        (
            |hello| hello.extensions.push((16, vec![0, 3, 2, b'h', b'2'])),
            Alert::UnsupportedExtension,
            Fault::Extension(16),
        ),
        (
            |hello| hello.extensions.push((13, vec![0, 2, 4, 1])),
            Alert::IllegalParameter,
            Fault::ExtensionOfClient(13),
        ),
        (
            |hello| hello.extensions.push((0xff01, vec![1, 9])),
            Alert::HandshakeFailure,
            Fault::Renegotiation,
        ),
        (
            |hello| hello.extensions.push((11, vec![1, 1])),
            Alert::IllegalParameter,
            Fault::PointFormats,
        ),
        (
            |hello| hello.extensions.push((11, vec![2, 0])),
            Alert::DecodeError,
            malformed("ServerHello", "malformed ec_point_formats"),
        ),
        (
            |hello| hello.extensions.push((22, Vec::new())),
            Alert::IllegalParameter,
            Fault::EncryptThenMac(RSA_GCM),
        ),
        (
            |hello| hello.extensions.push((23, vec![0])),
            Alert::DecodeError,
            malformed("ServerHello", "malformed extension"),
        ),
        (
            |hello| hello.extensions = vec![(23, Vec::new()), (23, Vec::new())],
            Alert::IllegalParameter,
            malformed("ServerHello", "repeated extension"),
        ),
        (
            |hello| hello.session_id = vec![0; 33],
            Alert::DecodeError,
            malformed("ServerHello", "session id exceeds 32 bytes"),
        ),
        (
            |hello| {
                hello.version = ProtocolVersion::SSL3;
                hello.suite = RSA_CBC;
                hello.extensions.push((23, Vec::new()));
            },
            // SSL 3.0 is not agreed on yet, so the alert is one of TLS.
            Alert::UnsupportedExtension,
            Fault::Extension(23),
        ),
    ];
    for (change, alert, fault) in cases {
        let mut server = Server::of_any_client();
        change(&mut server.hello);
        // A record of a version that a client accepts, whatever the hello says.
        let message = server.hello.message();
        server.hello.version = tls1_2;
        server.send_message(&message);
        server.expect_refusal(alert, &fault);
    }
    let mut server = Server::of_any_client();
    server.send_hello(|hello| *hello = hello.clone().with(&[(0xff01, &[0]), (10, &[0, 2, 0, 23])]));
    assert_eq!(server.client.ending(), None, "a good one");
}

#[test]
fn encrypt_then_mac_without_encryption_makes_no_difference() {
    let mut server = Server::of_any_client();
    server.send_hello(|hello| {
        hello.suite = CipherSuite::TLS_RSA_WITH_NULL_SHA;
        *hello = hello.clone().with(&[ENCRYPT_THEN_MAC]);
    });
    assert_eq!(server.client.ending(), None);
}

#[test]
fn versions_that_are_not_enabled_are_refused() {
    let (tls1_1, tls1_2) = (ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2);
    for version in [ProtocolVersion::SSL3, ProtocolVersion::TLS1_0] {
        let client = connect(&settings_with(|options| options.versions = tls1_1..=tls1_2));
        let mut server = Server::new(client);
        server.send_hello(|hello| (hello.version, hello.suite) = (version, RSA_CBC));
        server.expect_refusal(Alert::ProtocolVersion, &ServerFault::Version(version));
    }
}

#[test]
fn a_downgrade_that_the_random_shows_is_refused() {
    let sentinel = |end: u8| {
        let mut random = [9; 32];
        random[24..].copy_from_slice(b"DOWNGRD\0");
        random[31] = end;
        random
    };
    let outcome = |highest, version, random| {
        let lowest = ProtocolVersion::TLS1_0;
        let client = connect(&settings_with(|options| options.versions = lowest..=highest));
        let mut server = Server::new(client);
        server.send_hello(|hello| {
            (hello.version, hello.suite, hello.random) = (version, RSA_CBC, random);
        });
        (server.client.ending().is_none(), server)
    };
    let (tls1_0, tls1_1) = (ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1);
    let tls1_2 = ProtocolVersion::TLS1_2;
    for version in [tls1_0, tls1_1] {
        let (accepted, server) = outcome(tls1_2, version, sentinel(0));
        assert!(!accepted);
        server.expect_refusal(Alert::IllegalParameter, &ServerFault::Downgrade(version));
        // A server that has TLS 1.2 says so to clients that do not offer it, too.
        assert!(outcome(tls1_1, version, sentinel(0)).0);
        assert!(outcome(tls1_2, version, sentinel(2)).0);
    }
    // TLS 1.3, which this client does not offer.
    assert!(outcome(tls1_2, tls1_2, sentinel(1)).0);
}

#[test]
fn application_protocols_are_chosen_from_the_offer() {
    let reply = |data: &[u8]| {
        let names = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = connect(&settings_with(|options| options.protocols = names));
        let mut server = Server::new(client);
        server.send_hello(|hello| *hello = hello.clone().with(&[(16, data)]));
        server
    };
    assert_eq!(reply(&[0, 3, 2, b'h', b'2']).client.ending(), None);
    let other = ServerFault::Protocol("h3".to_owned());
    reply(&[0, 3, 2, b'h', b'3']).expect_refusal(Alert::IllegalParameter, &other);
    let two = malformed("ServerHello", "several application protocols");
    reply(&[0, 6, 2, b'h', b'2', 2, b'h', b'2']).expect_refusal(Alert::DecodeError, &two);
    let fault = malformed("ServerHello", "malformed list of application protocols");
    for bad in [&[][..], &[0, 0], &[0, 1, 0], &[0, 3, 2, 0]] {
        reply(bad).expect_refusal(Alert::DecodeError, &fault);
    }
}

#[test]
fn certificates_that_are_none_or_too_many_or_too_long_are_refused() {
    let reply = |body: &[u8]| {
        let mut server = Server::of_any_client();
        server.send_hello(|_| {});
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CERTIFICATE, |out| out.extend_from_slice(body));
        server.send_message(&message);
        server
    };
    let chain = |chain: &[Vec<u8>]| {
        let mut message = Vec::new();
        put_certificate(&mut message, chain.iter().map(Vec::as_slice));
        reply(&message[4..])
    };
    let good = rsa_certificate(None);
    assert_eq!(chain(std::slice::from_ref(&good)).client.ending(), None);
    chain(&[]).expect_refusal(Alert::DecodeError, &ServerFault::NoCertificate);
    let many = vec![good.clone(); 33];
    chain(&many).expect_refusal(Alert::BadCertificate, &ServerFault::ManyCertificates(32));
    chain(&vec![vec![0x30, 0]; 1])
        .expect_refusal(Alert::BadCertificate, &ServerFault::UnreadableCertificate);
    chain(&[good[..good.len() - 1].to_vec()])
        .expect_refusal(Alert::BadCertificate, &ServerFault::UnreadableCertificate);
    let length = "certificate list: length does not match the message";
    reply(&[0, 0, 5, 0]).expect_refusal(Alert::DecodeError, &malformed("Certificate", length));
    let empty = malformed("Certificate", "certificate empty or too long");
    reply(&[0, 0, 3, 0, 0, 0]).expect_refusal(Alert::DecodeError, &empty);

    // The header alone is enough to refuse a huge message.
    let mut server = Server::of_any_client();
    server.send_hello(|_| {});
    server.send(22, &[HandshakeType::CERTIFICATE.0, 0xff, 0xff, 0xff]);
    server.expect_refusal(Alert::DecodeError, &ServerFault::TooLong("Certificate"));
}

#[test]
fn a_key_that_does_not_fit_the_suite_is_refused() {
    let reply = |suite, certificate: &[u8]| {
        let mut server = Server::of_any_client();
        server.send_hello(|hello| hello.suite = suite);
        server.send_certificate(certificate);
        server
    };
    let (rsa, ec) = (rsa_certificate(None), certificate(&ec_pkey(), None));
    for (suite, good, bad) in [
        (RSA_GCM, &rsa, &ec),
        (ECDHE_RSA, &rsa, &ec),
        (DHE_RSA, &rsa, &ec),
        (ECDHE_ECDSA, &ec, &rsa),
    ] {
        assert_eq!(reply(suite, good).client.ending(), None, "{suite}");
        let fault = ServerFault::KeyOfSuite(suite);
        reply(suite, bad).expect_refusal(Alert::IllegalParameter, &fault);
    }
    let ed25519 = certificate_of_ed25519();
    reply(ECDHE_ECDSA, &ed25519)
        .expect_refusal(Alert::UnsupportedCertificate, &ServerFault::UnsupportedKey);
}

/// Certificates with these keys exist, and suites of TLS 1.2 take none of them here.
fn certificate_of_ed25519() -> Vec<u8> {
    let key = PKey::generate_ed25519().unwrap();
    let signer = ec_pkey();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.sign(&signer, MessageDigest::sha256()).unwrap();
    certificate.build().to_der().unwrap()
}

#[test]
fn the_key_usage_must_allow_what_the_suite_does() {
    let reply = |suite, usage: &mut KeyUsage, check| {
        let client = connect(&settings_with(|options| options.check_key_usage = check));
        let mut server = Server::new(client);
        server.send_hello(|hello| hello.suite = suite);
        server.send_certificate(&rsa_certificate(Some(usage)));
        server
    };
    let signs = || {
        let mut usage = KeyUsage::new();
        usage.digital_signature();
        usage
    };
    let encrypts = || {
        let mut usage = KeyUsage::new();
        usage.key_encipherment();
        usage
    };
    assert_eq!(reply(RSA_GCM, &mut encrypts(), true).client.ending(), None);
    assert_eq!(reply(ECDHE_RSA, &mut signs(), true).client.ending(), None);
    reply(RSA_GCM, &mut signs(), true)
        .expect_refusal(Alert::UnsupportedCertificate, &ServerFault::KeyUsage("keyEncipherment"));
    reply(ECDHE_RSA, &mut encrypts(), true)
        .expect_refusal(Alert::UnsupportedCertificate, &ServerFault::KeyUsage("digitalSignature"));
    assert_eq!(reply(RSA_GCM, &mut signs(), false).client.ending(), None);
}

/// RFC 8422 section 5.3.
#[test]
fn the_curve_of_a_certificate_must_have_been_offered() {
    let reply = |groups: &[NamedGroup]| {
        let groups = groups.to_vec();
        let mut server = Server::new(connect(&settings_with(|options| options.groups = groups)));
        server.send_hello(|hello| hello.suite = ECDHE_ECDSA);
        server.send_certificate(&certificate(&ec_pkey(), None));
        server
    };
    let [x25519, p256] = [NamedCurve::X25519, NamedCurve::Secp256r1].map(NamedGroup::Curve);
    assert_eq!(reply(&[x25519, p256]).client.ending(), None);
    reply(&[x25519]).expect_refusal(Alert::IllegalParameter, &ServerFault::CurveOfKey(P256));
}

/// A server that has sent its certificate, with its key.
fn at_key_exchange(suite: CipherSuite, version: ProtocolVersion) -> (Server, SigningKey) {
    at_key_exchange_of(connect(&settings_with(|_| {})), suite, version)
}

fn at_key_exchange_of(
    client: ClientConnection,
    suite: CipherSuite,
    version: ProtocolVersion,
) -> (Server, SigningKey) {
    let mut server = Server::new(client);
    server.send_hello(|hello| (hello.suite, hello.version) = (suite, version));
    let key = if suite == ECDHE_ECDSA { ec_pkey() } else { rsa_pkey() };
    server.send_certificate(&certificate(&key, None));
    let der = key.private_key_to_pkcs8().unwrap();
    let key = server.provider.load_signing_key(&der).unwrap();
    (server, key)
}

/// A point on P-256: its generator.
fn p256_point() -> Vec<u8> {
    let hex = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
               4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    base16ct::lower::decode_vec(hex).unwrap()
}

const P256: u16 = 23;

fn curve(curve: u16, public_key: &[u8]) -> KeyExchangeParameters<'_> {
    KeyExchangeParameters::Curve { curve, public_key }
}

fn field<'a>(
    prime: &'a [u8],
    generator: &'a [u8],
    public_key: &'a [u8],
) -> KeyExchangeParameters<'a> {
    KeyExchangeParameters::FiniteField { prime, generator, public_key }
}

#[test]
fn groups_and_keys_that_are_wrong_are_refused() {
    let point = p256_point();
    let reply = |suite, parameters: KeyExchangeParameters<'_>| {
        let (mut server, key) = at_key_exchange(suite, ProtocolVersion::TLS1_2);
        let scheme = if suite == ECDHE_ECDSA { 0x0403 } else { 0x0401 };
        server.send_key_exchange(&key, Some(scheme), &parameters, |_| {});
        server.send_message(&[HandshakeType::SERVER_HELLO_DONE.0, 0, 0, 0]);
        server
    };
    for suite in [ECDHE_RSA, ECDHE_ECDSA] {
        let good = reply(suite, curve(P256, &point));
        assert_eq!((good.client.ending(), good.client.fault()), (None, None));
        for other in [22, 26, 30, 256, 0xffff] {
            let fault = ServerFault::Group(other);
            reply(suite, curve(other, &point)).expect_refusal(Alert::IllegalParameter, &fault);
        }
        let mut off_curve = point.clone();
        off_curve[64] ^= 1;
        let compressed = [&[3][..], &point[1..33]].concat();
        for bad in [&off_curve, &compressed, &point[..64].to_vec(), &vec![0], &vec![4; 65]] {
            reply(suite, curve(P256, bad))
                .expect_refusal(Alert::IllegalParameter, &ServerFault::KeyShare);
        }
        // Points of small order, whose secret anybody knows.
        let mut one = [0; 32];
        one[0] = 1;
        for bad in [[0; 32], one] {
            reply(suite, curve(NamedCurve::X25519.wire(), &bad))
                .expect_refusal(Alert::IllegalParameter, &ServerFault::KeyShare);
        }
    }

    let prime = ssl_provider::FfdheGroup::Ffdhe2048.prime();
    let good = reply(DHE_RSA, field(&prime, &[2], &[4]));
    assert_eq!((good.client.ending(), good.client.fault()), (None, None));
    let last = [&prime[..255], &[0xfe]].concat();
    for bad in [&[0][..], &[1], &last, &prime] {
        reply(DHE_RSA, field(&prime, &[2], bad))
            .expect_refusal(Alert::IllegalParameter, &ServerFault::KeyShare);
    }
    let even = &last;
    let long = [&[1][..], &[0xff; 1024]].concat();
    for (prime, generator) in
        [(&even[..], &[2][..]), (&prime, &[1]), (&prime, &[0]), (&prime, &prime), (&long, &[2])]
    {
        reply(DHE_RSA, field(prime, generator, &[4]))
            .expect_refusal(Alert::IllegalParameter, &ServerFault::DhParameters);
    }
    // Logjam.
    for bits in [512, 768, 1016] {
        let short = vec![0xff; bits / 8];
        let fault = ServerFault::DhPrime { bits, min: 1024 };
        reply(DHE_RSA, field(&short, &[2], &[4]))
            .expect_refusal(Alert::InsufficientSecurity, &fault);
    }
}

#[test]
fn the_policy_sets_the_shortest_prime_and_key() {
    let strict = || {
        let policy = Policy { min_modulus_bits: 2048, ..Policy::default() };
        let provider = Provider::open(default_backend().unwrap()).with_policy(policy);
        let options = ClientOptions::default();
        connect(&ClientSettings::new(provider, options, Box::new(TrustAll), None, None).unwrap())
    };
    let (mut server, key) = at_key_exchange_of(strict(), ECDHE_RSA, ProtocolVersion::TLS1_2);
    let point = p256_point();
    let parameters = KeyExchangeParameters::Curve { curve: P256, public_key: &point };
    server.send_key_exchange(&key, Some(0x0401), &parameters, |_| {});
    server.expect_refusal(Alert::InsufficientSecurity, &ServerFault::ShortKey);

    let mut server = Server::new(strict());
    server.send_hello(|_| {});
    server.send_certificate(&rsa_certificate(None));
    server.send_message(&[HandshakeType::SERVER_HELLO_DONE.0, 0, 0, 0]);
    server.expect_refusal(Alert::InsufficientSecurity, &ServerFault::ShortKey);
}

#[test]
fn signatures_that_are_wrong_or_by_another_scheme_are_refused() {
    let point = p256_point();
    let parameters = KeyExchangeParameters::Curve { curve: P256, public_key: &point };
    let reply = |suite, version, scheme: Option<u16>, change: fn(&mut Vec<u8>)| {
        let (mut server, key) = at_key_exchange(suite, version);
        server.send_key_exchange(&key, scheme, &parameters, change);
        server
    };
    let tls1_2 = ProtocolVersion::TLS1_2;
    for scheme in [0x0201, 0x0401, 0x0501, 0x0601, 0x0804] {
        let good = reply(ECDHE_RSA, tls1_2, Some(scheme), |_| {});
        assert_eq!(good.client.fault(), None, "{scheme:04x}");
    }
    for scheme in [0x0203, 0x0403, 0x0503, 0x0603] {
        let good = reply(ECDHE_ECDSA, tls1_2, Some(scheme), |_| {});
        assert_eq!(good.client.fault(), None, "{scheme:04x}");
    }
    // MD5, SHA-224, DSA, PSS keys, and none.
    for scheme in [0x0101, 0x0301, 0x0402, 0x0809, 0x0807, 0] {
        reply(ECDHE_RSA, tls1_2, Some(scheme), |_| {})
            .expect_refusal(Alert::IllegalParameter, &ServerFault::Scheme(scheme));
    }
    for (suite, scheme) in
        [(ECDHE_RSA, SignatureScheme::EcdsaSha256), (ECDHE_ECDSA, SignatureScheme::RsaSha256)]
    {
        reply(suite, tls1_2, scheme.wire(), |_| {})
            .expect_refusal(Alert::IllegalParameter, &ServerFault::SchemeOfKey(scheme));
    }
    let damaged: [fn(&mut Vec<u8>); 3] = [
        |body| *body.last_mut().unwrap() ^= 1,
        // The public key; then an empty signature.
        |body| body[10] ^= 1,
        |body| {
            let end = body.iter().len() - 128 - 2;
            body.truncate(end);
            body.extend([0, 0]);
        },
    ];
    for version in [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, tls1_2] {
        let suite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA;
        let scheme = (version == tls1_2).then_some(0x0401);
        assert_eq!(reply(suite, version, scheme, |_| {}).client.fault(), None, "{version}");
        for change in damaged {
            reply(suite, version, scheme, change)
                .expect_refusal(Alert::DecryptError, &ServerFault::Signature);
        }
    }
    let fault = malformed("ServerKeyExchange", "ServerKeyExchange: length of the signature");
    reply(ECDHE_RSA, tls1_2, Some(0x0401), |body| body.push(0))
        .expect_refusal(Alert::DecodeError, &fault);
}

#[test]
fn the_signature_of_another_handshake_is_refused() {
    let point = p256_point();
    let parameters = KeyExchangeParameters::Curve { curve: P256, public_key: &point };
    let (other, key) = at_key_exchange(ECDHE_RSA, ProtocolVersion::TLS1_2);
    let replayed = other.key_exchange(&key, Some(0x0401), &parameters, |_| {});
    let (mut server, _) = at_key_exchange(ECDHE_RSA, ProtocolVersion::TLS1_2);
    server.send_message(&replayed);
    server.expect_refusal(Alert::DecryptError, &ServerFault::Signature);
}

#[test]
fn messages_out_of_order_are_refused_at_their_first_byte() {
    let kinds = [1, 2, 4, 11, 12, 13, 14, 15, 16, 20, 99];
    let at = |reach: fn(&mut Server), accepted: &[u8], expected: &'static str| {
        for kind in kinds.into_iter().filter(|kind| !accepted.contains(kind)) {
            let mut server = Server::of_any_client();
            reach(&mut server);
            server.send(22, &[kind]);
            let Some(ServerFault::Order { expected: found, .. }) = server.client.fault() else {
                panic!("{kind} for {expected}: {:?}", server.client.fault());
            };
            assert_eq!(*found, expected, "{kind}");
            assert_eq!(
                server.client.ending(),
                Some(ClientEnding::Refused(Alert::UnexpectedMessage))
            );
        }
    };
    at(|_| {}, &[2], "ServerHello");
    at(|server| server.send_hello(|_| {}), &[11], "Certificate");
    let certificate = |server: &mut Server| {
        server.send_hello(|_| {});
        server.send_certificate(&rsa_certificate(None));
    };
    at(certificate, &[13, 14], "CertificateRequest or ServerHelloDone");
    let ecdhe = |server: &mut Server| {
        server.send_hello(|hello| hello.suite = ECDHE_RSA);
        server.send_certificate(&rsa_certificate(None));
    };
    at(ecdhe, &[12], "ServerKeyExchange");
    at(|server| server.open(RSA_CBC, &[]), &[], "ChangeCipherSpec");
    at(|server| server.open(RSA_CBC, &[SESSION_TICKET]), &[4], "NewSessionTicket");
    let changed = |server: &mut Server| {
        server.open(RSA_CBC, &[]);
        server.change_cipher_spec();
    };
    at(changed, &[20], "Finished");
    let established = |server: &mut Server| {
        server.open(RSA_CBC, &[]);
        server.finish();
    };
    at(established, &[], "application data");
}

#[test]
fn change_cipher_spec_and_data_out_of_place_are_refused() {
    let mut server = Server::of_any_client();
    server.send(20, &[1]);
    server.expect_order("ChangeCipherSpec", "ServerHello");
    // CVE-2014-0224.
    let mut server = Server::of_any_client();
    server.send_hello(|_| {});
    server.send(20, &[1]);
    server.expect_order("ChangeCipherSpec", "Certificate");
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[SESSION_TICKET]);
    server.send(20, &[1]);
    server.expect_order("ChangeCipherSpec", "NewSessionTicket");
    for bad in [&[0][..], &[1, 1], &[2]] {
        let mut server = Server::of_any_client();
        server.open(RSA_CBC, &[]);
        server.send(20, bad);
        let fault = malformed("ChangeCipherSpec", "expected one byte, 1");
        server.expect_refusal(Alert::DecodeError, &fault);
    }
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[]);
    server.finish();
    server.send(20, &[1]);
    server.expect_order("ChangeCipherSpec", "application data");
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[]);
    server.send(23, b"x");
    server.expect_order("application data", "ChangeCipherSpec");
    // Early Finished: before ChangeCipherSpec it is in the clear (RFC 5246 section 7.4.9).
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[]);
    let finished = server.finished_message();
    server.send(22, &finished);
    server.expect_order("Finished", "ChangeCipherSpec");
    // Half an alert, then something else.
    let mut server = Server::of_any_client();
    server.send(21, &[1]);
    server.send_hello(|_| {});
    server.expect_order("another record within an alert", "ServerHello");
}

#[test]
fn a_message_does_not_span_a_change_of_keys() {
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[]);
    // The start of a request to renegotiate, which is let pass everywhere.
    server.send(22, &[0, 0]);
    server.send(20, &[1]);
    server.expect_order("ChangeCipherSpec", "ChangeCipherSpec");
}

#[test]
fn a_wrong_finished_is_refused() {
    for (at, len, alert, fault) in [
        (4, 16, Alert::DecryptError, ServerFault::Finished),
        (15, 16, Alert::DecryptError, ServerFault::Finished),
        (0, 15, Alert::DecodeError, malformed("Finished", "length of verify_data")),
        (0, 4, Alert::DecodeError, malformed("Finished", "length of verify_data")),
        (0, 17, Alert::DecodeError, malformed("Finished", "length of verify_data")),
        (0, 41, Alert::DecodeError, ServerFault::TooLong("Finished")),
    ] {
        let mut server = Server::of_any_client();
        server.open(RSA_CBC, &[]);
        server.change_cipher_spec();
        let mut finished = server.finished_message();
        if at > 0 {
            finished[at] ^= 1;
        }
        finished.resize(len, 0);
        finished[3] = u8::try_from(len - 4).unwrap();
        server.send(22, &finished);
        server.expect_refusal(alert, &fault);
    }
}

/// A client that resumes a session with this suite and these extensions.
fn resuming(suite: CipherSuite, extensions: &[(u16, &[u8])]) -> Server {
    let settings = settings_with(|_| {});
    let mut first = Server::new(connect(&settings));
    first.hello.session_id = vec![7; 32];
    first.open(suite, extensions);
    first.finish();
    let session = Arc::clone(first.client.session().expect("a session"));
    let client = ClientConnection::new(settings, None, Some(session)).unwrap();
    let mut second = Server::new(client);
    assert_eq!(second.client_session_id, [7; 32]);
    second.master_key = first.master_key.take();
    second.hello.session_id = vec![7; 32];
    second.hello.suite = suite;
    second
}

#[test]
fn a_session_that_is_resumed_otherwise_is_refused() {
    let both = [EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC];
    let reply = |had: &[(u16, &'static [u8])], has: &[(u16, &[u8])]| {
        let mut server = resuming(RSA_CBC, had);
        server.send_hello(|hello| *hello = hello.clone().with(has));
        server
    };
    let mut good = reply(&both, &both);
    good.finish();
    reply(&[EXTENDED_MASTER_SECRET], &[])
        .expect_refusal(Alert::HandshakeFailure, &ServerFault::ResumedExtendedMasterSecret);
    reply(&[], &[EXTENDED_MASTER_SECRET])
        .expect_refusal(Alert::HandshakeFailure, &ServerFault::ResumedExtendedMasterSecret);
    reply(&[ENCRYPT_THEN_MAC], &[])
        .expect_refusal(Alert::HandshakeFailure, &ServerFault::ResumedEncryptThenMac);
    for change in [(|hello| hello.suite = RSA_GCM) as fn(&mut Hello), |hello| {
        hello.version = ProtocolVersion::TLS1_1
    }] {
        let mut server = resuming(RSA_CBC, &[]);
        server.send_hello(change);
        server.expect_refusal(Alert::IllegalParameter, &ServerFault::ResumedOtherwise);
    }
    // Another id means a full handshake.
    let mut server = resuming(RSA_CBC, &[EXTENDED_MASTER_SECRET]);
    server.hello.session_id = vec![8; 32];
    server.open(RSA_CBC, &[]);
    server.finish();
    assert_eq!(server.client.established().unwrap().resumed, None);
}

#[test]
fn the_finished_of_a_resumed_session_is_checked() {
    let mut server = resuming(RSA_CBC, &[]);
    server.send_hello(|_| {});
    server.change_cipher_spec();
    let mut finished = server.finished_message();
    *finished.last_mut().unwrap() ^= 1;
    server.send(22, &finished);
    assert_eq!(server.sent().len(), 1, "an alert, and no Finished of the client");
    assert_eq!(server.client.fault(), Some(&ServerFault::Finished));
}

#[test]
fn tickets_are_taken_offered_and_replaced() {
    let settings = settings_with(|_| {});
    let ticket = |body: &[u8]| {
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::NEW_SESSION_TICKET, |out| out.extend(body));
        message
    };
    let mut first = Server::new(connect(&settings));
    first.open(RSA_CBC, &[SESSION_TICKET]);
    first.send_message(&ticket(&[0, 0, 1, 0, 0, 3, 7, 8, 9]));
    first.finish();
    let session = Arc::clone(first.client.session().expect("a session without an id"));
    assert!(session.has_ticket());

    let resume = |server: &mut Server, new: &[u8]| {
        assert_eq!(server.client_session_id.len(), 32, "an id of the client's own");
        server.hello.session_id = server.client_session_id.clone();
        server.send_hello(|hello| {
            hello.suite = RSA_CBC;
            *hello = hello.clone().with(&[SESSION_TICKET]);
        });
        server.send_message(&ticket(new));
        server.finish();
        let info = server.client.established().unwrap();
        assert_eq!(info.resumed, Some(Resumption::Ticket));
    };
    let client = ClientConnection::new(Arc::clone(&settings), None, Some(session)).unwrap();
    let mut second = Server::new(client);
    second.master_key = first.master_key.take();
    // An empty ticket is none, and leaves the old one.
    resume(&mut second, &[0; 6]);
    let session = Arc::clone(second.client.session().expect("a session"));
    let offered = session.ticket.as_ref().map(|ticket| ticket.bytes.clone());
    assert_eq!(offered, Some(vec![7, 8, 9]));
    let client = ClientConnection::new(settings, None, Some(session)).unwrap();
    let mut third = Server::new(client);
    third.master_key = second.master_key.take();
    resume(&mut third, &[0, 0, 0, 0, 0, 1, 5]);
    let session = third.client.session().expect("a session");
    assert_eq!(session.ticket.as_ref().map(|ticket| ticket.bytes.clone()), Some(vec![5]));

    // One that leaves no room in a record for the rest of the hello is none.
    for (len, is_kept) in [(MAX_TICKET_LEN, true), (MAX_TICKET_LEN + 1, false), (0xffff, false)] {
        let settings = settings_with(|_| {});
        let mut server = Server::new(connect(&settings));
        server.open(RSA_CBC, &[SESSION_TICKET]);
        let mut body = vec![0, 0, 1, 0];
        put_vec::<2>(&mut body, |out| out.resize(out.len() + len, 7));
        server.send_message(&ticket(&body));
        server.finish();
        let session = server.client.session().cloned();
        assert_eq!(session.is_some(), is_kept, "{len} bytes");
        let next = Server::new(ClientConnection::new(settings, None, session).unwrap());
        assert_eq!(next.client_session_id.len(), if is_kept { 32 } else { 0 }, "{len} bytes");
    }

    for bad in [&[][..], &[0, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 2, 1], &[0, 0, 0, 0, 0, 1, 1, 1]] {
        let mut server = Server::of_any_client();
        server.open(RSA_CBC, &[SESSION_TICKET]);
        server.send(22, &ticket(bad));
        let fault = malformed("NewSessionTicket", "length of the ticket");
        server.expect_refusal(Alert::DecodeError, &fault);
    }
}

#[test]
fn malformed_requests_for_a_certificate_are_refused() {
    let reply = |body: &[u8]| {
        let mut server = Server::of_any_client();
        server.send_hello(|_| {});
        server.send_certificate(&rsa_certificate(None));
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CERTIFICATE_REQUEST, |out| out.extend(body));
        server.send_message(&message);
        server
    };
    let good = [1, 1, 0, 2, 4, 1, 0, 0];
    assert_eq!(reply(&good).client.ending(), None);
    for (body, reason) in [
        (&[][..], "no type of certificate"),
        (&[0, 0, 2, 4, 1, 0, 0], "no type of certificate"),
        (&[1, 1, 0, 1, 4, 0, 0], "list of schemes"),
        (&[1, 1], "list of schemes"),
        (&[1, 1, 0, 2, 4, 1], "list of authorities"),
        (&[1, 1, 0, 2, 4, 1, 0, 0, 0], "list of authorities"),
        (&[1, 1, 0, 2, 4, 1, 0, 1, 0], "name of an authority"),
    ] {
        reply(body).expect_refusal(Alert::DecodeError, &malformed("CertificateRequest", reason));
    }
}

#[test]
fn requests_to_renegotiate_are_declined_and_their_number_is_limited() {
    let mut server = Server::of_any_client();
    server.send(22, &[0, 0, 0, 0]);
    assert!(server.sent().is_empty(), "ignored during a handshake");
    server.open(RSA_CBC, &[]);
    server.send(22, &[0, 0, 0, 0]);
    server.finish();
    // Two have come before; the last reply is the fatal alert.
    for round in 0..31 {
        assert_eq!(server.client.ending(), None, "{round}");
        server.send(22, &[0, 0, 0, 0]);
        assert_eq!(server.sent().len(), 1, "{round}");
    }
    assert_eq!(server.client.fault(), Some(&ServerFault::Idle));
}

#[test]
fn the_number_of_warnings_and_empty_records_is_limited() {
    let mut server = Server::of_any_client();
    for _ in 0..32 {
        server.send(21, &[1, 112]);
    }
    assert_eq!(server.client.ending(), None);
    server.send(21, &[1, 112]);
    server.expect_refusal(Alert::UnexpectedMessage, &ServerFault::Idle);
    for content_type in [20, 21, 22] {
        let mut server = Server::of_any_client();
        server.send(content_type, &[]);
        let fault = ServerFault::Record(Alert::UnexpectedMessage);
        server.expect_refusal(Alert::UnexpectedMessage, &fault);
    }
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[]);
    server.finish();
    for _ in 0..33 {
        server.send(23, &[]);
    }
    server.expect_refusal(Alert::UnexpectedMessage, &ServerFault::Idle);
}

#[test]
fn alerts_of_the_server_end_the_connection() {
    let mut server = Server::of_any_client();
    server.send(21, &[2, 40]);
    assert_eq!(server.client.ending(), Some(ClientEnding::FailedByServer(40)));
    assert!(server.sent().is_empty());
    let mut server = Server::of_any_client();
    server.send(21, &[3, 40]);
    let fault = malformed("alert", "unknown level");
    server.expect_refusal(Alert::IllegalParameter, &fault);
    let mut server = Server::of_any_client();
    server.open(RSA_CBC, &[]);
    server.finish();
    server.send(21, &[1, 0]);
    assert!(server.client.is_closed_by_server());
    server.client.close();
    assert_eq!(server.client.ending(), Some(ClientEnding::Closed));
}

#[test]
fn what_is_not_tls_is_refused_and_recognized() {
    for (bytes, alert, word) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], Alert::UnexpectedMessage, "HTTP"),
        (b"220 mail.example ESMTP\r\n", Alert::UnexpectedMessage, "STARTTLS"),
        (&[0x80, 46, 1, 0, 2], Alert::UnexpectedMessage, "not TLS"),
        (&[22, 2, 0, 0, 1], Alert::ProtocolVersion, "not TLS"),
    ] {
        let mut client = connect(&settings_with(|_| {}));
        client.receive(bytes);
        assert_eq!(client.ending(), Some(ClientEnding::Refused(alert)));
        let text = client.fault().unwrap().to_string();
        assert!(text.contains(word), "{text}");
    }
    let mut client = connect(&settings_with(|_| {}));
    client.receive(&[22, 3, 3, 0x40, 1]);
    assert_eq!(client.fault(), Some(&ServerFault::Record(Alert::RecordOverflow)));
}

#[test]
fn damaged_flights_make_the_client_neither_panic_nor_buffer() {
    let point = p256_point();
    let parameters = KeyExchangeParameters::Curve { curve: P256, public_key: &point };
    let mut flights = Vec::new();
    for suite in [RSA_GCM, ECDHE_RSA] {
        let (mut server, key) = at_key_exchange(suite, ProtocolVersion::TLS1_2);
        if suite == ECDHE_RSA {
            server.send_key_exchange(&key, Some(0x0401), &parameters, |_| {});
        }
        server.send_message(&[HandshakeType::SERVER_HELLO_DONE.0, 0, 0, 0]);
        let hello = server.transcript[..].len();
        let start = usize::from(server.transcript[2]) << 8 | usize::from(server.transcript[3]);
        flights.push(server.transcript[4 + start..hello].to_vec());
    }
    let settings = settings_with(|_| {});
    let mut rng = Rng::new(0xc11e);
    for round in 0..4000 {
        let mut flight = rng.pick(&flights).clone();
        for _ in 0..rng.below(4) {
            let at = rng.below(flight.len());
            match rng.below(4) {
                0 => flight[at] ^= 1 << rng.below(8),
                1 => flight.truncate(at.max(1)),
                2 => flight.insert(at, 0xff),
                _ => drop(flight.remove(at)),
            }
            if flight.len() < 2 {
                break;
            }
        }
        let mut server = Server::new(connect(&settings));
        for fragment in flight.chunks(1 + rng.below(400)) {
            server.send(22, fragment);
        }
        let content_type = *rng.pick(&[20, 21, 22, 23, 24]);
        let len = rng.below(40);
        let payload = rng.bytes(len);
        server.send(content_type, &payload);
        assert!(server.client.output().len() < 2000, "round {round}");
    }
}
