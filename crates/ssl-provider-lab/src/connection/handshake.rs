//! The handshake: which message may come when, and what it does.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use ssl_provider::{
    DecryptedPremaster, EphemeralKey, Error, HandshakeHash, MasterKey, ParameterList,
    ProtocolVersion, RecordKey, RecordOptions, SSL3_VERIFY_DATA_LEN, Side,
};
use ssl_provider_wire::{
    Alert, ClientHello, ContentType, DOWNGRADE_FROM_TLS_1_2, DOWNGRADE_FROM_TLS_1_3, ExtensionType,
    HandshakeType, Message, Reader, View, put_message, put_session_ticket,
};

use super::ephemeral::{bad_share, client_public_key, put_server_key_exchange};
use super::{Connection, MAX_RENEGOTIATIONS, SessionInfo, tls13};
use crate::alert::{internal_error, require};
use crate::client_auth::{
    ClientCertificate, MAX_CERTIFICATE_LEN, MAX_CERTIFICATE_VERIFY_LEN, certificate,
    certificate_verify, put_certificate_request,
};
use crate::exporter::Exporter;
use crate::negotiation::{Choice, Previous, choose};
use crate::refusal::{Cause, Refusal};
use crate::session::{Session, SessionId};
use crate::settings::{ClientAuth, Settings};
use crate::tls13::negotiation::is_tls13;

/// Longest ClientKeyExchange in bytes: a ciphertext or number at the limit of its length field.
const MAX_CLIENT_KEY_EXCHANGE_LEN: usize = 2 + 0xffff;

/// The message that is expected next, with what the handshake has established so far.
#[derive(Debug)]
pub(super) enum State {
    Hello,
    Certificate(Box<Negotiated>),
    KeyExchange(Box<Negotiated>),
    /// The connection is paused: its owner decrypts the premaster secret.
    Decryption(Box<Encrypted>),
    CertificateVerify(Box<Negotiated>, Box<Agreed>),
    ChangeCipherSpec(Box<Negotiated>, Box<Agreed>),
    Finished(Box<Negotiated>, Arc<Session>, Option<Box<RecordKey>>),
    /// A message of TLS 1.3.
    Tls13(tls13::State),
    Established,
    Closed,
}

/// What the hellos negotiated.
#[derive(Debug)]
pub(super) struct Negotiated {
    choice: Choice,
    client_random: [u8; 32],
    server_random: [u8; 32],
    /// The version that the client offered, which its premaster secret has to repeat.
    client_version: u16,
    server_name: Option<Box<[u8]>>,
    session_id: SessionId,
    hash: HandshakeHash,
    /// The server's key of this key exchange, until it is used.
    ephemeral_key: Option<EphemeralKey>,
    client_certificate: Option<ClientCertificate>,
    /// All handshake messages so far, while the client may have to sign them.
    messages: Option<Vec<u8>>,
}

/// A premaster secret that is to be decrypted, and what its import takes besides.
#[derive(Debug)]
pub(super) struct Encrypted {
    negotiated: Box<Negotiated>,
    parameters: ParameterList,
    ciphertext: Box<[u8]>,
}

impl Encrypted {
    pub(super) fn ciphertext(&self) -> &[u8] {
        &self.ciphertext
    }
}

/// The keys of both directions, from the key exchange on.
#[derive(Debug)]
pub(super) struct Agreed {
    session: Arc<Session>,
    read: Box<RecordKey>,
    /// `None` once it is in use: in an abbreviated handshake the server sends its Finished first.
    write: Option<Box<RecordKey>>,
}

impl Connection {
    pub(super) fn handshake(&mut self, payload: &[u8]) -> Result<(), Alert> {
        self.messages.extend(payload);
        loop {
            if matches!(self.state, State::Decryption(_)) {
                return Ok(());
            }
            let (state, is_tls13) = (&self.state, self.secrets.is_some());
            let max_len = |kind| match (state, kind) {
                (State::Tls13(state), kind) => state.max_len(kind),
                (State::Established, HandshakeType::KEY_UPDATE) if is_tls13 => Ok(1),
                // There is no renegotiation in TLS 1.3 (RFC 8446 section 4.1.2).
                (State::Established, _) if is_tls13 => Err(Alert::UnexpectedMessage),
                (State::Hello | State::Established, HandshakeType::CLIENT_HELLO) => {
                    Ok(ClientHello::MAX_LEN)
                }
                (State::Certificate(_), HandshakeType::CERTIFICATE) => Ok(MAX_CERTIFICATE_LEN),
                (State::KeyExchange(_), HandshakeType::CLIENT_KEY_EXCHANGE) => {
                    Ok(MAX_CLIENT_KEY_EXCHANGE_LEN)
                }
                (State::CertificateVerify(..), HandshakeType::CERTIFICATE_VERIFY) => {
                    Ok(MAX_CERTIFICATE_VERIFY_LEN)
                }
                (State::Finished(..), HandshakeType::FINISHED) => Ok(SSL3_VERIFY_DATA_LEN),
                _ => Err(Alert::UnexpectedMessage),
            };
            let Some(message) = self.messages.next(max_len)? else { return Ok(()) };
            self.state = match mem::replace(&mut self.state, State::Closed) {
                State::Hello => self.client_hello(&message)?,
                State::Certificate(negotiated) => self.certificate(negotiated, &message)?,
                State::KeyExchange(negotiated) => self.key_exchange(negotiated, &message)?,
                State::CertificateVerify(negotiated, agreed) => {
                    self.certificate_verify(negotiated, agreed, &message)?
                }
                State::Finished(negotiated, session, write) => {
                    self.state = self.finished(*negotiated, session, write, &message)?;
                    self.send_held();
                    continue;
                }
                State::Tls13(state) => self.tls13_message(state, &message)?,
                State::Established if is_tls13 => self.key_update(&message)?,
                State::Established if self.may_renegotiate() => {
                    self.renegotiations += 1;
                    self.client_hello(&message)?
                }
                State::Established => {
                    self.idle()?;
                    self.warn(Alert::NoRenegotiation)?;
                    State::Established
                }
                // `max_len` has refused it.
                State::Decryption(_) | State::ChangeCipherSpec(..) | State::Closed => {
                    return Err(Alert::UnexpectedMessage);
                }
            };
        }
    }

    /// Whether a new handshake is processed: only one that can be bound to that before it. The
    /// verify_data of an abbreviated handshake without the extended master secret binds nothing,
    /// since two sessions may have one master secret (triple handshake, RFC 7627 section 5.4).
    fn may_renegotiate(&self) -> bool {
        let is_bound = |session: &SessionInfo| {
            session.secure_renegotiation
                && session.protocol != ProtocolVersion::SSL3
                && (session.extended_master_secret || !session.resumed)
        };
        self.settings.options.renegotiation
            && self.renegotiations < MAX_RENEGOTIATIONS
            && self.established.as_ref().is_some_and(is_bound)
    }

    /// Whether the server writes under new keys before the client has shown that it has them, as it
    /// does where a session is resumed. Application data comes after the Finished of both sides
    /// (RFC 5246 section 7.4.9).
    pub(super) fn awaits_finished(&self) -> bool {
        match &self.state {
            State::ChangeCipherSpec(_, agreed) => agreed.write.is_none(),
            State::Finished(_, _, write) => write.is_none(),
            _ => false,
        }
    }

    /// The transcript hash covers the message as it was received (RFC 5246 appendix E.2).
    pub(super) fn ssl2_hello(&mut self, message: &[u8]) -> Result<(), Alert> {
        self.state = self.client_hello(&Message::ssl2_client_hello(message.to_vec()))?;
        Ok(())
    }

    /// Sends the server's flight in reply to a ClientHello (RFC 5246 section 7.3).
    fn client_hello(&mut self, message: &Message) -> Result<State, Alert> {
        let hello = ClientHello::parse(message, View::Strict)?;
        let settings = Arc::clone(&self.settings);
        if self.established.is_none()
            && is_tls13(&settings, &hello).map_err(|refusal| self.refuse(refusal))?
        {
            return self.tls13_hello(&hello, message, None);
        }
        let previous = self.established.as_ref().map(|session| Previous {
            protocol: session.protocol,
            extended_master_secret: session.extended_master_secret,
            encrypt_then_mac: self.encrypt_then_mac,
            client_verify_data: &self.verify_data.client,
            server_verify_data: &self.verify_data.server,
        });
        let choice = choose(&settings, &hello, previous).map_err(|refusal| self.refuse(refusal))?;
        self.records.agree_on(choice.protocol);
        let requests_certificate = match (settings.options.client_auth, choice.protocol) {
            // The CertificateVerify of SSL 3.0 covers the master secret too; not supported.
            (ClientAuth::Require, ProtocolVersion::SSL3) => {
                self.cause = Some(Cause::NoClientCertificateInSsl3);
                return Err(Alert::HandshakeFailure);
            }
            (ClientAuth::None, _) | (_, ProtocolVersion::SSL3) => false,
            (ClientAuth::Request | ClientAuth::Require, _) => choice.resumed.is_none(),
        };

        let server_random = server_random(&settings, choice.protocol)?;
        let mut session_id = SessionId::default();
        match &choice.resumed {
            Some(session) => session_id = session.id,
            None => settings
                .provider
                .backend()
                .random()
                .fill(&mut session_id)
                .map_err(internal_error)?,
        }
        let mut negotiated = Box::new(Negotiated {
            client_random: hello.random,
            server_random,
            client_version: hello.version,
            server_name: hello.extensions.get(ExtensionType::SERVER_NAME).map(Into::into),
            session_id,
            hash: settings
                .provider
                .handshake_hash(choice.protocol, choice.suite.id)
                .map_err(internal_error)?,
            ephemeral_key: None,
            client_certificate: None,
            messages: requests_certificate.then(Vec::new),
            choice,
        });
        let mut flight = Vec::new();
        let shown_id = match &negotiated.choice {
            // That of the client, if any, tells it that its ticket is good (RFC 5077 section 3.4).
            Choice { resumed: Some(_), .. } => hello.session_id,
            Choice { issues_ticket: true, .. } => &[],
            _ if settings.sessions.is_some() => &session_id[..],
            _ => &[],
        };
        negotiated.choice.put_server_hello(&mut flight, server_random, shown_id);
        negotiated.add_to_transcript(&message.bytes);

        if let Some(session) = negotiated.choice.resumed.clone() {
            self.session_ids.push(session.id);
            negotiated.add_to_transcript(&flight);
            self.records.write(ContentType::Handshake, &flight)?;
            let mut agreed = negotiated.agreed(session)?;
            if let Some(write) = agreed.write.take() {
                self.server_finished(&mut negotiated, &agreed.session, *write)?;
            }
            return Ok(State::ChangeCipherSpec(negotiated, Box::new(agreed)));
        }
        let exchange = negotiated.choice.suite.key_exchange;
        flight.extend_from_slice(settings.identity.certificate_message(exchange));
        if let Some(chosen) = negotiated.choice.ephemeral {
            let signer = settings.identity.signer(exchange).ok_or(Alert::InternalError)?;
            let randoms = (&negotiated.client_random, &negotiated.server_random);
            let key =
                put_server_key_exchange(&mut flight, &settings.provider, signer, chosen, randoms)
                    .map_err(|error| self.failed(error))?;
            negotiated.ephemeral_key = Some(key);
        }
        if requests_certificate {
            put_certificate_request(&mut flight, &settings.provider, negotiated.choice.protocol);
        }
        put_message(&mut flight, HandshakeType::SERVER_HELLO_DONE, |_| {});
        negotiated.add_to_transcript(&flight);
        self.records.write(ContentType::Handshake, &flight)?;
        Ok(match requests_certificate {
            true => State::Certificate(negotiated),
            false => State::KeyExchange(negotiated),
        })
    }

    /// Keeps the cause of a refusal and returns its alert. That of an encrypted hello is not kept.
    pub(super) fn refuse(&mut self, refusal: Refusal) -> Alert {
        self.cause = refusal.cause.filter(|_| self.established.is_none());
        refusal.alert
    }

    /// Processes the client's Certificate message, which may be empty.
    fn certificate(
        &mut self,
        mut negotiated: Box<Negotiated>,
        message: &Message,
    ) -> Result<State, Alert> {
        negotiated.add_to_transcript(&message.bytes);
        negotiated.client_certificate = certificate(&self.settings.provider, message.body())
            .map_err(|refusal| self.refuse(refusal))?;
        if negotiated.client_certificate.is_none() {
            if self.settings.options.client_auth == ClientAuth::Require {
                self.cause = Some(Cause::NoClientCertificate);
                return Err(Alert::HandshakeFailure);
            }
            negotiated.messages = None;
        }
        Ok(State::KeyExchange(negotiated))
    }

    /// Agrees on the master key, or pauses for the decryption of the premaster secret, whatever the
    /// ciphertext is.
    fn key_exchange(
        &mut self,
        mut negotiated: Box<Negotiated>,
        message: &Message,
    ) -> Result<State, Alert> {
        let Choice { protocol, suite, .. } = negotiated.choice;
        if let Some(key) = negotiated.ephemeral_key.take() {
            let peer = client_public_key(key.group(), message.body())?;
            negotiated.add_to_transcript(&message.bytes);
            let (parameters, side) = (negotiated.seed()?, Side::Server);
            let master_key = self
                .settings
                .provider
                .generate_master_key(key, &peer, protocol, suite.id, &parameters, side)
                .map_err(bad_share)?;
            return self.agreed_on(negotiated, master_key);
        }
        let key = self.settings.identity.decryption_key().ok_or(Alert::InternalError)?;
        let ciphertext = encrypted_premaster(protocol, message.body(), key.modulus_len())
            .ok_or(Alert::DecodeError)?
            .into();
        negotiated.add_to_transcript(&message.bytes);
        let client_version = ProtocolVersion(negotiated.client_version);
        let parameters = negotiated.seed()?.highest_version(client_version);
        Ok(State::Decryption(Box::new(Encrypted { negotiated, parameters, ciphertext })))
    }

    /// Derives the record keys of a new session.
    fn agreed_on(
        &mut self,
        negotiated: Box<Negotiated>,
        master_key: MasterKey,
    ) -> Result<State, Alert> {
        let session = negotiated.session(master_key);
        self.session_ids.push(session.id);
        let agreed = Box::new(negotiated.agreed(Arc::new(session))?);
        Ok(match negotiated.client_certificate {
            Some(_) => State::CertificateVerify(negotiated, agreed),
            None => State::ChangeCipherSpec(negotiated, agreed),
        })
    }

    /// Keeps the error of the library as the cause: no ciphertext makes it fail, and no peer learns
    /// more than the alert.
    fn failed(&mut self, error: Error) -> Alert {
        self.cause = Some(Cause::Library(error));
        Alert::InternalError
    }

    /// Imports the master key and processes handshake messages that were buffered. Implicit
    /// rejection: nothing here depends on what the ciphertext holds (Bleichenbacher, RFC 5246
    /// section 7.4.7.1).
    pub(super) fn decrypted(
        &mut self,
        decrypted: Result<Option<DecryptedPremaster<'_>>, Error>,
    ) -> Result<(), Alert> {
        let State::Decryption(encrypted) = mem::replace(&mut self.state, State::Closed) else {
            return Err(Alert::InternalError);
        };
        let Encrypted { negotiated, parameters, .. } = *encrypted;
        let Choice { protocol, suite, .. } = negotiated.choice;
        let premaster =
            decrypted.map_err(|error| self.failed(error))?.ok_or(Alert::InternalError)?;
        let provider = &self.settings.provider;
        let imported = provider.import_decrypted(&premaster, protocol, suite.id, &parameters);
        let master_key = imported.map_err(|error| self.failed(error))?;
        self.state = self.agreed_on(negotiated, master_key)?;
        self.handshake(&[])
    }

    /// Verifies that the client holds the private key of its certificate.
    fn certificate_verify(
        &mut self,
        mut negotiated: Box<Negotiated>,
        agreed: Box<Agreed>,
        message: &Message,
    ) -> Result<State, Alert> {
        let (Some(certificate), Some(messages)) =
            (&negotiated.client_certificate, negotiated.messages.take())
        else {
            return Err(Alert::InternalError);
        };
        certificate_verify(
            &self.settings.provider,
            negotiated.choice.protocol,
            certificate,
            &messages,
            message.body(),
        )?;
        negotiated.add_to_transcript(&message.bytes);
        Ok(State::ChangeCipherSpec(negotiated, agreed))
    }

    /// Activates the client's keys. A partial handshake message before it is refused, since its
    /// rest would come under other keys (RFC 5246 section 7.1).
    pub(super) fn change_cipher_spec(&mut self, payload: &[u8]) -> Result<(), Alert> {
        require(self.messages.is_empty(), Alert::UnexpectedMessage)?;
        // It says nothing in TLS 1.3, and is there for middleboxes (RFC 8446 section 5).
        if matches!(self.state, State::Tls13(_)) {
            require(payload == [1], Alert::UnexpectedMessage)?;
            return self.idle();
        }
        let State::ChangeCipherSpec(negotiated, agreed) =
            mem::replace(&mut self.state, State::Closed)
        else {
            return Err(Alert::UnexpectedMessage);
        };
        require(payload == [1], Alert::DecodeError)?;
        self.records.read_with(*agreed.read);
        self.state = State::Finished(negotiated, agreed.session, agreed.write);
        Ok(())
    }

    /// Checks the client's Finished; in a full handshake the server's own follows.
    fn finished(
        &mut self,
        mut negotiated: Negotiated,
        session: Arc<Session>,
        write: Option<Box<RecordKey>>,
        message: &Message,
    ) -> Result<State, Alert> {
        let (master_key, received) = (&session.master_key, message.body());
        require(received.len() == master_key.verify_data_len(), Alert::DecodeError)?;
        master_key.verify_finished(Side::Client, &negotiated.hash, received).map_err(|error| {
            match error {
                Error::BadFinished => Alert::DecryptError,
                other => internal_error(other),
            }
        })?;
        self.verify_data.client = received.to_vec();
        if let Some(write) = write {
            negotiated.add_to_transcript(&message.bytes);
            let issues_ticket = negotiated.choice.issues_ticket;
            if issues_ticket {
                self.session_ticket(&mut negotiated, &session)?;
            }
            self.server_finished(&mut negotiated, &session, *write)?;
            if let Some(sessions) = self.settings.sessions.as_ref().filter(|_| !issues_ticket) {
                sessions.insert(Arc::clone(&session));
            }
        }
        if let Some(key_log) = &self.settings.key_log {
            let written = key_log.write(&negotiated.client_random, &session.master_key);
            written.inspect_err(|_| self.cause = Some(Cause::KeyLog))?;
        }
        let choice = negotiated.choice;
        self.exporter = Some(Exporter::new(
            Arc::clone(&session.master_key),
            &negotiated.client_random,
            &negotiated.server_random,
            choice.extended_master_secret,
        ));
        self.encrypt_then_mac |= choice.encrypt_then_mac;
        self.established = Some(SessionInfo {
            protocol: choice.protocol,
            suite: choice.suite,
            group: choice.ephemeral.map(|ephemeral| ephemeral.group),
            signature_scheme: choice.ephemeral.map(|ephemeral| ephemeral.scheme),
            extended_master_secret: choice.extended_master_secret,
            encrypt_then_mac: choice.encrypt_then_mac,
            resumed: choice.resumed.is_some(),
            secure_renegotiation: choice.secure_renegotiation,
            application_protocol: choice.application_protocol,
            client_certificate: session.client_certificate,
            external_psk: None,
            early_data: None,
            retried: false,
        });
        Ok(State::Established)
    }

    /// Sends the session to the client, to be kept there. A ticket that was announced has to be
    /// sent; an empty one is none (RFC 5077 section 3.3).
    fn session_ticket(
        &mut self,
        negotiated: &mut Negotiated,
        session: &Session,
    ) -> Result<(), Alert> {
        let settings = Arc::clone(&self.settings);
        let tickets = settings.tickets.as_ref().ok_or(Alert::InternalError)?;
        let ticket = tickets.seal(&settings.provider, session).map_err(internal_error)?;
        // A hint of 0 would say nothing of the lifetime (RFC 5077 section 3.3).
        let lifetime = u32::try_from(tickets.lifetime().as_secs()).unwrap_or(u32::MAX).max(1);
        let mut message = Vec::new();
        put_session_ticket(&mut message, lifetime, &ticket.unwrap_or_default());
        negotiated.add_to_transcript(&message);
        self.records.write(ContentType::Handshake, &message)
    }

    /// Sends ChangeCipherSpec and Finished.
    fn server_finished(
        &mut self,
        negotiated: &mut Negotiated,
        session: &Session,
        write: RecordKey,
    ) -> Result<(), Alert> {
        self.records.write(ContentType::ChangeCipherSpec, &[1])?;
        self.records.write_with(write, negotiated.choice.suite);
        let mut verify_data = vec![0; session.master_key.verify_data_len()];
        session
            .master_key
            .verify_data(Side::Server, &negotiated.hash, &mut verify_data)
            .map_err(internal_error)?;
        let mut message = Vec::with_capacity(Message::HEADER_LEN + verify_data.len());
        put_message(&mut message, HandshakeType::FINISHED, |out| {
            out.extend_from_slice(&verify_data);
        });
        negotiated.add_to_transcript(&message);
        self.verify_data.server = verify_data;
        self.records.write(ContentType::Handshake, &message)
    }
}

impl Negotiated {
    /// Adds messages that were sent or received to the transcript.
    fn add_to_transcript(&mut self, messages: &[u8]) {
        self.hash.update(messages);
        if let Some(all) = &mut self.messages {
            all.extend_from_slice(messages);
        }
    }

    fn randoms(&self) -> ParameterList {
        ParameterList::new().client_random(self.client_random).server_random(self.server_random)
    }

    /// What the master secret depends on besides the premaster secret, after ClientKeyExchange.
    fn seed(&self) -> Result<ParameterList, Alert> {
        let randoms = self.randoms();
        if !self.choice.extended_master_secret {
            return Ok(randoms);
        }
        let hash = self.hash.current().map_err(internal_error)?;
        randoms.session_hash(&hash).map_err(internal_error)
    }

    fn session(&self, master_key: MasterKey) -> Session {
        Session {
            id: self.session_id,
            master_key: Arc::new(master_key),
            extended_master_secret: self.choice.extended_master_secret,
            encrypt_then_mac: self.choice.encrypt_then_mac,
            server_name: self.server_name.clone(),
            client_certificate: self.client_certificate.as_ref().map(|it| it.fingerprint),
            began: Instant::now(),
        }
    }

    /// Derives the record keys of this connection.
    fn agreed(&self, session: Arc<Session>) -> Result<Agreed, Alert> {
        let keys = session.master_key.session_keys(&self.randoms()).map_err(internal_error)?;
        let encrypt_then_mac = self.choice.encrypt_then_mac;
        let options = RecordOptions { encrypt_then_mac, ..RecordOptions::default() };
        let record_key = |side| keys.record_key(side, options).map(Box::new);
        let read = record_key(Side::Client).map_err(internal_error)?;
        let write = Some(record_key(Side::Server).map_err(internal_error)?);
        Ok(Agreed { session, read, write })
    }
}

/// Returns the ciphertext of a ClientKeyExchange; `None` if its length field does not match the
/// message. No length of the ciphertext is an error: a wrong one takes the path of wrong padding
/// (RFC 5246 section 7.4.7.1).
///
/// TLS has the length field. SSL 3.0 does not (RFC 6101 section 5.6.7.1), but some of its clients
/// send one; the length of the whole message tells the two apart.
fn encrypted_premaster(
    protocol: ProtocolVersion,
    body: &[u8],
    modulus_len: usize,
) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    let prefixed = reader.vec16().filter(|_| reader.is_empty());
    match (protocol, prefixed) {
        (ProtocolVersion::SSL3, Some(encrypted)) if encrypted.len() == modulus_len => prefixed,
        (ProtocolVersion::SSL3, _) => Some(body),
        (_, prefixed) => prefixed,
    }
}

fn server_random(settings: &Settings, protocol: ProtocolVersion) -> Result<[u8; 32], Alert> {
    let mut random = [0; 32];
    settings.provider.backend().random().fill(&mut random).map_err(internal_error)?;
    let best = settings.usable.first().map(|(protocol, _)| *protocol);
    // RFC 8446 section 4.1.3.
    let mark = match protocol {
        ProtocolVersion::TLS1_2 if best == Some(ProtocolVersion::TLS1_3) => DOWNGRADE_FROM_TLS_1_3,
        _ if protocol < ProtocolVersion::TLS1_2 && best >= Some(ProtocolVersion::TLS1_2) => {
            DOWNGRADE_FROM_TLS_1_2
        }
        _ => return Ok(random),
    };
    if let Some(end) = random.last_chunk_mut() {
        *end = mark;
    }
    Ok(random)
}
