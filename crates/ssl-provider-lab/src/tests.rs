//! Conversations with a client on the same provider that can deviate from the protocol anywhere.
//! It holds the server's private key, and so has the session keys of any ciphertext.

mod alerts;
mod application_protocols;
mod client_certificates;
mod decryption;
mod handshakes;
mod key_exchange;
mod openssl_client;
mod oracles;
mod renegotiation;
mod session_tickets;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rsa::pkcs1::DecodeRsaPrivateKey;
use ssl_provider::{
    Backend, CipherSuite, DhParameters, Group, HandshakeHash, KeyExchange, KeyExportPolicy,
    MAX_PAYLOAD_LEN, MasterKey, NamedCurve, ParameterList, Policy, PrivateKey, ProtocolVersion,
    Provider, RecordKey, RecordOptions, Side, SignatureScheme, default_backend,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::direction::Direction;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_wire::{
    Alert, Assembler, ContentType, ExtensionType, HandshakeType, KeyExchangeParameters, Message,
    ServerHello, ServerKeyExchange, View, first_certificate, put_extension, put_message, put_vec,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

use crate::connection::{Connection, Ending, SessionInfo};
use crate::identity::{Identity, IdentityError};
use crate::refusal::Cause;
use crate::session::SessionCache;
use crate::settings::{DEFAULT_SUITES, DHE_SUITES, ECDHE_SUITES, LEGACY_SUITES, Options, Settings};
use crate::signed_params::{SignedParameters, fixed_scheme};

pub(crate) const AES_128_CBC_SHA: u16 = 0x002f;
pub(crate) const AES_128_GCM: u16 = 0x009c;
pub(crate) const EXTENDED_MASTER_SECRET: (u16, &[u8]) = (23, &[]);
pub(crate) const ENCRYPT_THEN_MAC: (u16, &[u8]) = (22, &[]);

/// Every version.
pub(crate) const VERSIONS: [ProtocolVersion; 4] = [
    ProtocolVersion::SSL3,
    ProtocolVersion::TLS1_0,
    ProtocolVersion::TLS1_1,
    ProtocolVersion::TLS1_2,
];

/// Settings with everything enabled, on the default backend.
pub(crate) fn settings() -> Arc<Settings> {
    settings_on(&default_backend().unwrap(), |_| {})
}

/// The same with a change.
pub(crate) fn settings_with(change: impl FnOnce(&mut Options)) -> Arc<Settings> {
    settings_on(&default_backend().unwrap(), change)
}

/// An identity with the test key, of 1024 bits.
pub(crate) fn rsa_identity(provider: &Provider) -> Identity {
    let key = rsa::PrivateKey::from_pkcs1_der(&test_key().der).unwrap();
    Identity::of(provider, key).unwrap().identity
}

/// Settings with everything enabled, on a backend.
pub(crate) fn settings_on(backend: &Backend, change: impl FnOnce(&mut Options)) -> Arc<Settings> {
    let provider = provider(backend);
    let identity = rsa_identity(&provider);
    let mut options = Options {
        versions: VERSIONS.to_vec(),
        suites: [&DEFAULT_SUITES[..], &LEGACY_SUITES].concat(),
        ..Options::default()
    };
    change(&mut options);
    let sessions = SessionCache::new(10, Duration::from_secs(100));
    Settings::new(provider, identity, options, Some(sessions), None).unwrap()
}

/// Settings with every key exchange that the backend has, ephemeral keys first, and certificates of
/// both kinds.
pub(crate) fn ephemeral_settings(
    backend: &Backend,
    change: impl FnOnce(&mut Options),
) -> Arc<Settings> {
    let provider = provider(backend);
    let rsa = rsa_identity(&provider);
    let identity = match Identity::self_signed_ecdsa(&provider) {
        Ok(made) => rsa.and(made.identity).unwrap(),
        Err(IdentityError::NoUse) => rsa,
        Err(other) => panic!("{other}"),
    };
    let mut options = Options {
        versions: VERSIONS.to_vec(),
        suites: [&ECDHE_SUITES[..], &DHE_SUITES, &DEFAULT_SUITES].concat(),
        ..Options::default()
    };
    change(&mut options);
    let sessions = SessionCache::new(10, Duration::from_secs(100));
    Settings::new(provider, identity, options, Some(sessions), None).unwrap()
}

fn provider(backend: &Backend) -> Provider {
    Provider::open(backend.clone()).with_policy(Policy { legacy_ssl3: true, ..Policy::default() })
}

/// The provider of the client, which needs the bytes of its keys to build malformed records.
fn client_provider(backend: &Backend) -> Provider {
    let key_export = KeyExportPolicy::Allowed;
    Provider::open(backend.clone()).with_policy(Policy {
        legacy_ssl3: true,
        key_export,
        ..Policy::default()
    })
}

fn test_key() -> TestKey {
    TestKey::rsa_1024()
}

/// A session of TLS 1.2 with AES_128_CBC_SHA.
pub(crate) fn session_info() -> SessionInfo {
    SessionInfo {
        protocol: ProtocolVersion::TLS1_2,
        suite: CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA.info().unwrap(),
        group: None,
        signature_scheme: None,
        extended_master_secret: true,
        encrypt_then_mac: true,
        resumed: false,
        secure_renegotiation: true,
        application_protocol: None,
        client_certificate: None,
        external_psk: None,
        early_data: None,
        retried: false,
    }
}

/// A record that the server sent, decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) content_type: u8,
    pub(crate) payload: Vec<u8>,
}

/// A client and its connection to a server.
pub(crate) struct Client {
    pub(crate) server: Connection,
    pub(crate) test_key: TestKey,
    provider: Provider,
    key: PrivateKey,
    pub(crate) rng: Rng,
    /// The version in the headers of records.
    pub(crate) version: ProtocolVersion,
    /// The version of the ClientHello.
    pub(crate) offered: u16,
    transcript: Vec<u8>,
    /// All records that were sent.
    sent: Vec<u8>,
    server_random: [u8; 32],
    pub(crate) session_id: Vec<u8>,
    suite: CipherSuite,
    extended_master_secret: bool,
    encrypt_then_mac: bool,
    master_key: Option<Arc<MasterKey>>,
    read: Option<(RecordKey, u64)>,
    write: Option<(RecordKey, u64)>,
    new_write: Option<RecordKey>,
    /// The Finished messages of the last handshake, the client's first.
    pub(crate) finished: [Vec<u8>; 2],
}

const CLIENT_RANDOM: [u8; 32] = [7; 32];

impl Client {
    pub(crate) fn new(settings: &Arc<Settings>, version: ProtocolVersion) -> Self {
        let provider = client_provider(settings.provider.backend());
        let test_key = test_key();
        Self {
            server: Connection::new(Arc::clone(settings)),
            key: test_key.load(&provider),
            test_key,
            provider,
            rng: Rng::new(7),
            version,
            offered: version.wire(),
            transcript: Vec::new(),
            sent: Vec::new(),
            server_random: [0; 32],
            session_id: Vec::new(),
            suite: CipherSuite(0),
            extended_master_secret: false,
            encrypt_then_mac: false,
            master_key: None,
            read: None,
            write: None,
            new_write: None,
            finished: Default::default(),
        }
    }

    /// Returns a record with this payload, encrypted once keys are in use.
    pub(crate) fn record(&mut self, content_type: u8, payload: &[u8]) -> Vec<u8> {
        if let Some((key, number)) = &mut self.write {
            let mut record = vec![0; key.record_len(payload.len()).unwrap()];
            let len = key.encrypt_packet(*number, content_type, payload, &mut record).unwrap();
            *number += 1;
            record.truncate(len);
            return record;
        }
        let mut record = vec![content_type];
        record.extend(self.version.wire().to_be_bytes());
        put_vec::<2>(&mut record, |out| out.extend_from_slice(payload));
        record
    }

    /// Sends a record with this payload.
    pub(crate) fn send(&mut self, content_type: ContentType, payload: &[u8]) {
        let record = self.record(content_type.wire(), payload);
        self.sent.extend_from_slice(&record);
        self.server.receive(&record);
    }

    /// Sends a handshake message in as many records as it takes, and adds it to the transcript.
    pub(crate) fn send_message(&mut self, message: &[u8]) {
        self.transcript.extend_from_slice(message);
        for fragment in message.chunks(MAX_PAYLOAD_LEN) {
            self.send(ContentType::Handshake, fragment);
        }
    }

    /// Sends a ClientHello in an SSL 2.0 record, and adds it to the transcript.
    pub(crate) fn send_ssl2_hello(&mut self, message: &[u8]) {
        self.transcript.extend_from_slice(message);
        let header = (0x8000 | u16::try_from(message.len()).unwrap()).to_be_bytes();
        self.server.receive(&[&header[..], message].concat());
    }

    /// Returns what the server has sent since the last call.
    pub(crate) fn received(&mut self) -> Vec<Sent> {
        let mut output = self.server.output().to_vec();
        self.server.sent(output.len());
        let mut found = Vec::new();
        let mut rest = &mut output[..];
        while !rest.is_empty() {
            let len = 5 + usize::from(u16::from_be_bytes([rest[3], rest[4]]));
            let (record, after) = rest.split_at_mut(len);
            let range: Range<usize> = match &mut self.read {
                None => 5..len,
                Some((key, number)) => {
                    *number += 1;
                    key.decrypt_in_place(*number - 1, record).unwrap()
                }
            };
            let payload = record[range].to_vec();
            let content_type = record[0];
            if content_type == 20 {
                self.change_read_key();
            }
            if content_type == 22 && payload.first() == Some(&HandshakeType::FINISHED.0) {
                self.finished[1] = payload[4..].to_vec();
            }
            if content_type == 22 {
                self.transcript.extend_from_slice(&payload);
            }
            found.push(Sent { content_type, payload });
            rest = after;
        }
        found
    }

    /// Returns a ClientHello that asks to resume the session of this client, if it has one.
    pub(crate) fn hello(&self, suites: &[u16], extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_HELLO, |out| {
            out.extend(self.offered.to_be_bytes());
            out.extend(CLIENT_RANDOM);
            put_vec::<1>(out, |out| out.extend(&self.session_id));
            put_vec::<2>(out, |out| {
                out.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
            });
            put_vec::<1>(out, |out| out.push(0));
            if !extensions.is_empty() {
                put_vec::<2>(out, |out| {
                    for (kind, data) in extensions {
                        put_extension(out, ExtensionType(*kind), data);
                    }
                });
            }
        });
        message
    }

    /// Sends a ClientHello and reads the server's flight. Returns whether the session was resumed.
    pub(crate) fn open(&mut self, suites: &[u16], extensions: &[(u16, &[u8])]) -> bool {
        let hello = self.hello(suites, extensions);
        self.send_message(&hello);
        self.read_flight()
    }

    /// Reads the reply to a ClientHello. Returns whether the session was resumed.
    pub(crate) fn read_flight(&mut self) -> bool {
        let asked = self.session_id.clone();
        // The flight is unencrypted up to the server's ChangeCipherSpec, whose keys depend on the
        // ServerHello before it.
        let output = self.server.output().to_vec();
        assert_eq!(output[0], 22, "a flight, not {output:?}");
        let mut messages = Assembler::default();
        messages.extend(&output[5..]);
        let message = messages.next_of_any_type().unwrap();
        assert_eq!(message.kind, HandshakeType::SERVER_HELLO);
        let hello = ServerHello::parse(&message, View::Strict).unwrap();
        self.version = ProtocolVersion(hello.version);
        self.server_random = hello.random;
        self.session_id = hello.session_id.to_vec();
        self.suite = CipherSuite(hello.suite.into());
        assert_eq!(hello.compression, 0);
        self.extended_master_secret = hello.extensions.has(ExtensionType::EXTENDED_MASTER_SECRET);
        self.encrypt_then_mac = hello.extensions.has(ExtensionType::ENCRYPT_THEN_MAC);
        let resumed = !asked.is_empty() && asked == self.session_id;
        if resumed {
            self.derive();
        }
        self.received();
        resumed
    }

    fn parameters(&self) -> ParameterList {
        ParameterList::new().client_random(CLIENT_RANDOM).server_random(self.server_random)
    }

    fn derive(&mut self) {
        let keys = self.master_key.as_ref().unwrap().session_keys(&self.parameters()).unwrap();
        let options =
            RecordOptions { encrypt_then_mac: self.encrypt_then_mac, ..RecordOptions::default() };
        self.new_write = Some(keys.record_key(Side::Client, options).unwrap());
    }

    /// Returns the keys that the client writes with after its ChangeCipherSpec.
    pub(crate) fn write_direction(&self) -> Direction {
        let master_key = self.master_key.as_ref().unwrap();
        let keys = master_key.session_keys(&self.parameters()).unwrap();
        let keys = keys.expose(Side::Client).unwrap();
        Direction {
            protocol: self.version,
            suite: master_key.suite(),
            options: RecordOptions {
                encrypt_then_mac: self.encrypt_then_mac,
                ..RecordOptions::default()
            },
            mac_key: keys.mac_key.to_vec(),
            write_key: keys.write_key.to_vec(),
            write_iv: keys.write_iv.to_vec(),
        }
    }

    fn change_read_key(&mut self) {
        let keys = self.master_key.as_ref().unwrap().session_keys(&self.parameters()).unwrap();
        let options =
            RecordOptions { encrypt_then_mac: self.encrypt_then_mac, ..RecordOptions::default() };
        self.read = Some((keys.record_key(Side::Server, options).unwrap(), 0));
    }

    /// Returns a well-formed encrypted premaster secret.
    pub(crate) fn encrypted_premaster(&mut self) -> Vec<u8> {
        let mut premaster: [u8; 48] = self.rng.array();
        premaster[..2].copy_from_slice(&self.offered.to_be_bytes());
        let block = self.test_key.pad(&premaster, &mut self.rng);
        self.test_key.encrypt(&block)
    }

    /// Returns a ClientKeyExchange with this ciphertext.
    pub(crate) fn key_exchange_message(&self, encrypted: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_KEY_EXCHANGE, |out| match self.version {
            ProtocolVersion::SSL3 => out.extend_from_slice(encrypted),
            _ => put_vec::<2>(out, |out| out.extend_from_slice(encrypted)),
        });
        message
    }

    /// Derives the keys for a ciphertext whose message has been sent.
    pub(crate) fn take_keys_of(&mut self, encrypted: &[u8]) {
        let mut parameters = self.parameters().highest_version(ProtocolVersion(self.offered));
        if self.extended_master_secret {
            let hash = self.hash().current().unwrap();
            parameters = parameters.session_hash(&hash).unwrap();
        }
        let master_key = self
            .provider
            .import_master_key(&self.key, self.version, self.suite, &parameters, encrypted)
            .unwrap();
        self.master_key = Some(Arc::new(master_key));
        self.derive();
    }

    fn hash(&self) -> HandshakeHash {
        let mut hash = self.provider.handshake_hash(self.version, self.suite).unwrap();
        hash.update(&self.transcript);
        hash
    }

    /// Returns a message that the server sent in the clear.
    pub(crate) fn message_of_server(&self, kind: HandshakeType) -> Option<Message> {
        let mut messages = Assembler::default();
        messages.extend(&self.transcript);
        std::iter::from_fn(|| messages.next_of_any_type()).find(|message| message.kind == kind)
    }

    /// Returns the group and the public key of the ServerKeyExchange, whose signature is verified
    /// with the key of the certificate.
    pub(crate) fn server_key(&self) -> (Group, Vec<u8>) {
        let message = self.message_of_server(HandshakeType::SERVER_KEY_EXCHANGE).unwrap();
        let is_tls_1_2 = self.version == ProtocolVersion::TLS1_2;
        let exchange = self.suite.info().unwrap().key_exchange;
        let parse = match exchange.is_ecdhe() {
            true => ServerKeyExchange::parse_ecdhe,
            false => ServerKeyExchange::parse_dhe,
        };
        let read = parse(message.body(), is_tls_1_2).unwrap();
        let scheme = match read.scheme {
            Some(number) => SignatureScheme::from_wire(number).unwrap(),
            None => {
                let is_rsa = exchange != KeyExchange::EcdheEcdsa;
                fixed_scheme(self.version, is_rsa).unwrap()
            }
        };
        let signed = SignedParameters {
            client_random: &CLIENT_RANDOM,
            server_random: &self.server_random,
            parameters: read.signed,
        };
        let digest = signed.digest(&self.provider, scheme).unwrap();
        let certificate = self.message_of_server(HandshakeType::CERTIFICATE).unwrap();
        let certificate = Certificate::from_der(first_certificate(certificate.body()).unwrap());
        let info = certificate.unwrap();
        let info = info.tbs_certificate().subject_public_key_info().to_der().unwrap();
        self.provider.verify_signature(&info, scheme, &digest, read.signature).unwrap();
        match read.parameters {
            KeyExchangeParameters::Curve { curve, public_key } => {
                (NamedCurve::from_wire(curve).unwrap().into(), public_key.to_vec())
            }
            KeyExchangeParameters::FiniteField { prime, generator, public_key } => {
                (DhParameters::new(prime, generator).unwrap().into(), public_key.to_vec())
            }
        }
    }

    /// Returns a ClientKeyExchange with this public key.
    pub(crate) fn share_message(&self, group: &Group, public_key: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_KEY_EXCHANGE, |out| match group {
            Group::Curve(_) => put_vec::<1>(out, |out| out.extend_from_slice(public_key)),
            _ => put_vec::<2>(out, |out| out.extend_from_slice(public_key)),
        });
        message
    }

    /// Sends the ClientKeyExchange of ECDHE or DHE, and derives the keys.
    fn agree(&mut self) {
        let (group, public_key) = self.server_key();
        let peer = group.public_key(&public_key).unwrap();
        let key = self.provider.generate_ephemeral_key(group.clone()).unwrap();
        let message = self.share_message(&group, key.public_key());
        self.send_message(&message);
        let mut parameters = self.parameters();
        if self.extended_master_secret {
            let hash = self.hash().current().unwrap();
            parameters = parameters.session_hash(&hash).unwrap();
        }
        let (version, suite, side) = (self.version, self.suite, Side::Client);
        let master_key =
            self.provider.generate_master_key(key, &peer, version, suite, &parameters, side);
        self.master_key = Some(Arc::new(master_key.unwrap()));
        self.derive();
    }

    pub(crate) fn key_exchange(&mut self) {
        if !self.suite.info().unwrap().key_exchange.is_rsa() {
            return self.agree();
        }
        let encrypted = self.encrypted_premaster();
        let message = self.key_exchange_message(&encrypted);
        self.send_message(&message);
        self.take_keys_of(&encrypted);
    }

    pub(crate) fn change_cipher_spec(&mut self) {
        self.send(ContentType::ChangeCipherSpec, &[1]);
        self.change_write_key();
    }

    pub(crate) fn change_write_key(&mut self) {
        self.write = self.new_write.take().map(|key| (key, 0));
    }

    /// Returns the correct Finished message.
    pub(crate) fn finished_message(&self) -> Vec<u8> {
        let len = if self.version == ProtocolVersion::SSL3 { 36 } else { 12 };
        let mut verify_data = vec![0; len];
        let master_key = self.master_key.as_ref().unwrap();
        master_key.verify_data(Side::Client, &self.hash(), &mut verify_data).unwrap();
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::FINISHED, |out| out.extend(verify_data));
        message
    }

    /// Sends ChangeCipherSpec and Finished, and expects an established connection.
    pub(crate) fn finish(&mut self) -> SessionInfo {
        self.change_cipher_spec();
        let finished = self.finished_message();
        self.finished[0] = finished[4..].to_vec();
        self.send_message(&finished);
        self.received();
        let Some(session) = self.server.established() else {
            panic!("not established: {:?}", self.server.ending());
        };
        session.clone()
    }

    /// Performs a whole handshake.
    pub(crate) fn handshake(&mut self, suites: &[u16], extensions: &[(u16, &[u8])]) -> SessionInfo {
        if !self.open(suites, extensions) {
            self.key_exchange();
        }
        self.finish()
    }

    /// Returns the next connection of the same client, which asks to resume its session.
    pub(crate) fn again(&self) -> Self {
        let mut next = Self::new(self.server.settings(), self.version);
        next.offered = self.offered;
        next.session_id = self.session_id.clone();
        next.master_key = self.master_key.clone();
        next
    }

    /// Returns the fatal alert of the server, which must be its only one and its last record.
    #[track_caller]
    pub(crate) fn refusal(&mut self) -> Alert {
        let Some(Ending::Refused(alert)) = self.server.ending() else {
            panic!("expected a refusal, found {:?}", self.server.ending());
        };
        let sent = self.received();
        let alerts: Vec<_> = sent.iter().filter(|record| record.content_type == 21).collect();
        assert_eq!(alerts.len(), 1, "{sent:?}");
        assert_eq!(sent.last().unwrap().payload, [2, alert.code()]);
        self.server.receive(&[22, 3, 3, 0, 1, 1]);
        assert!(self.server.output().is_empty(), "a record after the fatal alert");
        alert
    }

    /// Asserts that the connection is open and the server has sent nothing.
    #[track_caller]
    pub(crate) fn expect_silence(&self) {
        assert_eq!(self.server.ending(), None);
        assert!(self.server.output().is_empty());
    }
}
