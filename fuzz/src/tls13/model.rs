//! What an end has seen, and what it must do about it: RFC 8446 appendix A once more, apart from
//! the code of the lab.

use std::collections::BTreeMap;

use ssl_provider::{CipherSuite, CipherSuiteInfo, Side};
use ssl_provider_testkit::reference13;
use ssl_provider_wire::{
    Assembler, CertificateMessage, ClientHello, ExtensionType, HandshakeType, Message, ServerHello,
    View, encrypted_extensions,
};

use super::keys::{Epoch, Log};

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;
const USER_CANCELED: u8 = 90;

/// The message that an end may receive next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// ClientHello, at a server.
    ClientHello,
    /// None: the server has to reply first.
    Reply,
    EndOfEarlyData,
    /// ServerHello or HelloRetryRequest.
    ServerHello,
    EncryptedExtensions,
    /// CertificateRequest or Certificate.
    CertificateRequest,
    Certificate,
    CertificateVerify,
    Finished,
    /// NewSessionTicket at a client, and KeyUpdate.
    Late,
}

/// What an end has seen.
#[derive(Debug)]
pub struct Model {
    side: Side,
    /// Every handshake message so far, of both sides, with who sent it.
    messages: Vec<(Side, Vec<u8>)>,
    /// Received messages, of which the last may be incomplete.
    received: Assembler,
    sent: Assembler,
    suite: Option<&'static CipherSuiteInfo>,
    next: Next,
    /// What the end reads with.
    epoch: Epoch,
    /// How many records it has read in each epoch.
    read: BTreeMap<Epoch, u64>,
    offers_early_data: bool,
    /// Whether EncryptedExtensions say that early data are accepted.
    pub accepts_early_data: bool,
    asks_for_certificate: bool,
    has_psk: bool,
    retried: bool,
    /// Whether the other end's Finished is right for what this end has seen; none before it.
    pub finished: Option<bool>,
    /// Why the end must refuse what it has received.
    pub must_refuse: Option<String>,
    /// Whether an alert or close_notify has come, after which nothing is read.
    pub is_over: bool,
    /// Whether it is not known any more what the end reads.
    pub is_blind: bool,
    /// Application data that the end has to deliver.
    pub data: Vec<u8>,
    /// Early data that the end has to deliver.
    pub early_data: Vec<u8>,
}

impl Model {
    /// The start of a connection.
    pub fn new(side: Side) -> Self {
        Self {
            side,
            messages: Vec::new(),
            received: Assembler::default(),
            sent: Assembler::default(),
            suite: None,
            next: if side == Side::Server { Next::ClientHello } else { Next::ServerHello },
            epoch: Epoch::Clear,
            read: BTreeMap::new(),
            offers_early_data: false,
            accepts_early_data: false,
            asks_for_certificate: false,
            has_psk: false,
            retried: false,
            finished: None,
            must_refuse: None,
            is_over: false,
            is_blind: false,
            data: Vec::new(),
            early_data: Vec::new(),
        }
    }

    /// The suite that was agreed on, as this end has seen it.
    pub fn suite(&self) -> Option<&'static CipherSuiteInfo> {
        self.suite
    }

    /// What the end reads with now.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The sequence number of the next record that it reads in an epoch.
    pub fn number(&self, epoch: Epoch) -> u64 {
        self.read.get(&epoch).copied().unwrap_or_default()
    }

    /// The messages of the handshake, up to the client's Finished.
    pub fn handshake(&self) -> &[(Side, Vec<u8>)] {
        let last = self.messages.iter().position(|(side, message)| {
            *side == Side::Client && message[0] == HandshakeType::FINISHED.0
        });
        last.and_then(|last| self.messages.get(..=last)).unwrap_or(&self.messages)
    }

    /// The same up to the server's, which is what secrets and exporters depend on.
    pub fn hellos(&self) -> &[(Side, Vec<u8>)] {
        let last = self.messages.iter().position(|(side, message)| {
            *side == Side::Server && message[0] == HandshakeType::FINISHED.0
        });
        last.and_then(|last| self.messages.get(..=last)).unwrap_or(&self.messages)
    }

    /// The hash of all messages so far; none before there is a suite.
    pub fn transcript_hash(&self) -> Option<Vec<u8>> {
        self.hash_of(self.messages.iter().map(|(_, bytes)| &bytes[..]).collect())
    }

    /// The same up to a message that the end has sent.
    pub fn transcript_hash_before(&self, message: &[u8]) -> Vec<u8> {
        let mut earlier = self.messages.iter().map(|(_, bytes)| &bytes[..]).collect::<Vec<_>>();
        let place = earlier.iter().rposition(|it| *it == message);
        earlier.truncate(place.unwrap_or(earlier.len()));
        self.hash_of(earlier).unwrap_or_default()
    }

    fn hash_of(&self, mut messages: Vec<&[u8]>) -> Option<Vec<u8>> {
        let hash = reference13::hash_of(self.suite?);
        let retried = messages.get(1).is_some_and(|it| is_retry_request(it));
        let first = if retried { Some(messages.remove(0)) } else { None };
        Some(reference13::transcript_hash(hash, first, &messages))
    }

    /// How many handshake messages the end has received.
    pub fn received_messages(&self) -> usize {
        self.messages.iter().filter(|(side, _)| *side != self.side).count()
    }

    /// How many bytes of an incomplete message it has received.
    pub fn pending_len(&self) -> usize {
        self.received.buffered_len()
    }

    /// How many records it has read under keys.
    pub fn protected(&self) -> u64 {
        self.read.values().sum()
    }

    /// The verify_data that the other end's Finished must have now.
    pub fn verify_data(&self, log: &mut Log) -> Option<Vec<u8>> {
        let suite = self.suite?;
        let secret = log.secret(suite, other(self.side), Epoch::Handshake)?;
        let hash = self.transcript_hash()?;
        Some(reference13::finished(reference13::hash_of(suite), &secret, &hash))
    }

    /// A message that the end has sent.
    pub fn sends(&mut self, payload: &[u8]) {
        self.sent.extend(payload);
        while let Some(message) = self.sent.next_of_any_type() {
            self.sends_message(&message);
            self.messages.push((self.side, message.bytes));
        }
    }

    fn sends_message(&mut self, message: &Message) {
        if self.side == Side::Client {
            return;
        }
        match message.kind {
            HandshakeType::SERVER_HELLO if is_retry_request(&message.bytes) => {
                (self.next, self.retried) = (Next::ClientHello, true);
                self.suite = suite_of(message);
            }
            HandshakeType::SERVER_HELLO => {
                self.suite = suite_of(message);
                self.offers_early_data &= !self.retried;
                self.epoch = Epoch::Handshake;
            }
            HandshakeType::ENCRYPTED_EXTENSIONS => {
                let list = encrypted_extensions(message.body()).expect("its own");
                self.accepts_early_data = list.has(ExtensionType::EARLY_DATA);
            }
            HandshakeType::CERTIFICATE_REQUEST => self.asks_for_certificate = true,
            HandshakeType::FINISHED => {
                (self.next, self.epoch) = match (self.accepts_early_data, self.asks_for_certificate)
                {
                    (true, _) => (Next::EndOfEarlyData, Epoch::Early),
                    (false, true) => (Next::Certificate, Epoch::Handshake),
                    (false, false) => (Next::Finished, Epoch::Handshake),
                };
            }
            _ => {}
        }
    }

    fn refuse(&mut self, why: impl Into<String>) {
        if self.must_refuse.is_none() {
            self.must_refuse = Some(why.into());
        }
    }

    /// A record that the end cannot authenticate, or that is in the clear and may not be.
    pub fn receives_garbage(&mut self) {
        // RFC 8446 section 4.2.10: early data that are not accepted are passed over.
        let is_early = self.side == Side::Server
            && self.offers_early_data
            && !self.accepts_early_data
            && self.number(Epoch::Handshake) == 0
            && self.suite.is_some();
        if !is_early {
            self.refuse("a record that is not authentic");
        }
    }

    /// A record that the end reads; `number` is counted where it is encrypted.
    pub fn receives(
        &mut self,
        content_type: u8,
        payload: &[u8],
        is_encrypted: bool,
        log: &mut Log,
    ) {
        if is_encrypted {
            *self.read.entry(self.epoch).or_default() += 1;
        }
        match content_type {
            HANDSHAKE if payload.is_empty() => self.refuse("an empty handshake record"),
            HANDSHAKE => self.receives_messages(payload, log),
            ALERT => match *payload {
                // The level counts before TLS 1.3 is agreed on.
                [1, description] if description != 0 && self.suite.is_none() => {}
                [_, description] => self.is_over |= description != USER_CANCELED,
                // Before a version is agreed on it may be TLS 1.2, where half an alert is one.
                _ if self.suite.is_none() => self.is_blind = true,
                _ => self.refuse("an alert that is not of two bytes"),
            },
            CHANGE_CIPHER_SPEC => {
                let is_time = self.next != Next::Late
                    && !(self.side == Side::Server && self.messages.is_empty());
                if is_encrypted || payload != [1] || !is_time || !self.received.is_empty() {
                    self.refuse("ChangeCipherSpec out of place");
                }
            }
            APPLICATION_DATA => match self.next {
                Next::ClientHello if self.retried && self.offers_early_data => {}
                _ if !self.received.is_empty() => self.refuse("data within a message"),
                Next::Late if is_encrypted => self.data.extend_from_slice(payload),
                Next::EndOfEarlyData if is_encrypted => self.early_data.extend_from_slice(payload),
                next => self.refuse(format!("data before {next:?}")),
            },
            other => self.refuse(format!("content type {other}")),
        }
    }

    fn receives_messages(&mut self, payload: &[u8], log: &mut Log) {
        self.received.extend(payload);
        while let Some(message) = self.received.next_of_any_type() {
            if self.must_refuse.is_some() {
                return;
            }
            self.receives_message(&message, log);
            self.messages.push((other(self.side), message.bytes));
        }
    }

    fn receives_message(&mut self, message: &Message, log: &mut Log) {
        let mut changes_keys = false;
        let next = match (self.side, self.next, message.kind) {
            (Side::Server, Next::ClientHello, HandshakeType::CLIENT_HELLO) => {
                changes_keys = true;
                if let Ok(hello) = ClientHello::parse(message, View::Strict) {
                    self.offers_early_data |= hello.extensions.has(ExtensionType::EARLY_DATA);
                }
                Next::Reply
            }
            (Side::Server, Next::EndOfEarlyData, HandshakeType::END_OF_EARLY_DATA) => {
                changes_keys = true;
                self.epoch = Epoch::Handshake;
                Next::Finished
            }
            (Side::Server, Next::Certificate, HandshakeType::CERTIFICATE) => {
                match CertificateMessage::parse(message.body()) {
                    Ok(certificate) if certificate.entries.is_empty() => Next::Finished,
                    _ => Next::CertificateVerify,
                }
            }
            (Side::Client, Next::ServerHello, HandshakeType::SERVER_HELLO) => {
                self.receives_server_hello(message);
                changes_keys = !is_retry_request(&message.bytes);
                if changes_keys { Next::EncryptedExtensions } else { Next::ServerHello }
            }
            (Side::Client, Next::EncryptedExtensions, HandshakeType::ENCRYPTED_EXTENSIONS) => {
                match encrypted_extensions(message.body()) {
                    Ok(list) => self.accepts_early_data = list.has(ExtensionType::EARLY_DATA),
                    Err(_) => self.refuse("malformed EncryptedExtensions"),
                }
                if self.has_psk { Next::Finished } else { Next::CertificateRequest }
            }
            (Side::Client, Next::CertificateRequest, HandshakeType::CERTIFICATE_REQUEST) => {
                Next::Certificate
            }
            (
                Side::Client,
                Next::CertificateRequest | Next::Certificate,
                HandshakeType::CERTIFICATE,
            ) => Next::CertificateVerify,
            (_, Next::CertificateVerify, HandshakeType::CERTIFICATE_VERIFY) => Next::Finished,
            (_, Next::Finished, HandshakeType::FINISHED) => {
                changes_keys = true;
                let expected = self.verify_data(log);
                self.finished = Some(expected.as_deref() == Some(message.body()));
                self.epoch = Epoch::Application(0);
                Next::Late
            }
            (_, Next::Late, HandshakeType::KEY_UPDATE) => {
                changes_keys = true;
                if let Epoch::Application(number) = self.epoch {
                    self.epoch = Epoch::Application(number + 1);
                }
                Next::Late
            }
            (Side::Client, Next::Late, HandshakeType::NEW_SESSION_TICKET) => Next::Late,
            (side, next, kind) => {
                let what = kind.name().map_or_else(|| format!("type {}", kind.0), Into::into);
                return self.refuse(format!("{what} at {side:?} before {next:?}"));
            }
        };
        self.next = next;
        // RFC 8446 section 5.1.
        if changes_keys && !self.received.is_empty() {
            self.refuse("a message over a change of keys");
        }
    }

    fn receives_server_hello(&mut self, message: &Message) {
        let Ok(hello) = ServerHello::parse(message, View::Strict) else {
            return self.refuse("malformed ServerHello");
        };
        self.suite = suite_of(message);
        if hello.is_retry_request() {
            if self.retried {
                self.refuse("a second HelloRetryRequest");
            }
            self.retried = true;
            return;
        }
        self.has_psk = hello.extensions.has(ExtensionType::PRE_SHARED_KEY);
        self.epoch = Epoch::Handshake;
    }
}

/// The other side.
pub fn other(side: Side) -> Side {
    match side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    }
}

/// Whether a message is a HelloRetryRequest.
pub fn is_retry_request(message: &[u8]) -> bool {
    message.first() == Some(&HandshakeType::SERVER_HELLO.0)
        && message.get(6..38) == Some(&ssl_provider_wire::HELLO_RETRY_REQUEST_RANDOM)
}

/// The suite of a ServerHello; none unless it is of TLS 1.3.
fn suite_of(message: &Message) -> Option<&'static CipherSuiteInfo> {
    let hello = ServerHello::parse(message, View::Strict).ok()?;
    let suite = CipherSuite(hello.suite.into());
    suite.info().filter(|_| (0x1301..=0x1305).contains(&suite.0))
}
