//! The handshake of the client: which message may come when, and what it does.

use std::mem;
use std::sync::Arc;

use ssl_provider::{
    ClientKey, DhParameters, Error, Group, HandshakeHash, KeyExchange, MasterKey, NamedCurve,
    ParameterList, PeerPublicKey, ProtocolVersion, RecordKey, RecordOptions, SSL3_VERIFY_DATA_LEN,
    Side, SignatureScheme,
};
use ssl_provider_wire::{
    Alert, ContentType, ExtensionType, HandshakeType, KeyExchangeParameters, Message, Reader,
    ServerHello, ServerKeyExchange, View, put_certificate, put_message, put_signature, put_vec,
};

use super::certificate::{
    CertificateRequest, MAX_CERTIFICATE_LEN, MAX_CERTIFICATE_REQUEST_LEN, chain, server_key,
};
use super::fault::{Refused, ServerFault, refuse};
use super::hello::{Choice, Offer};
use super::session::{ClientSession, MAX_TICKET_LEN, SessionSecret, Ticket};
use super::settings::ClientSettings;
use super::{Agreement, ClientCertificate, ClientConnection, EarlyDataStatus, ServerInfo, tls13};
use crate::exporter::Exporter;
use crate::group::NamedGroup;
use crate::signed_params::{SignedParameters, digest, fixed_scheme};

/// Longest ServerHello in bytes: every field and the extensions at their limit.
const MAX_SERVER_HELLO_LEN: usize = 2 + 32 + 1 + 32 + 2 + 1 + 2 + 0xffff;

/// Longest ServerKeyExchange in bytes: three numbers of 8192 bits, and a signature of such a key.
const MAX_SERVER_KEY_EXCHANGE_LEN: usize = 3 * (2 + 1024 + 1) + 2 + 2 + 1024;

/// Longest NewSessionTicket in bytes: lifetime and ticket.
const MAX_NEW_SESSION_TICKET_LEN: usize = 4 + 2 + 0xffff;

/// The message that is expected next, with what the handshake has established so far.
#[derive(Debug)]
pub(super) enum State {
    ServerHello(Box<Offer>),
    Certificate(Box<Negotiated>),
    ServerKeyExchange(Box<Negotiated>),
    /// CertificateRequest, or the end of the flight.
    CertificateRequest(Box<Negotiated>),
    ServerHelloDone(Box<Negotiated>),
    NewSessionTicket(Box<Negotiated>, Box<Keys>),
    ChangeCipherSpec(Box<Negotiated>, Box<Keys>),
    Finished(Box<Negotiated>, Box<Keys>),
    /// A message of TLS 1.3.
    Tls13(tls13::State),
    Established,
    Closed,
}

impl State {
    /// What is expected, in words.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::ServerHello(_) => "ServerHello",
            Self::Certificate(_) => "Certificate",
            Self::ServerKeyExchange(_) => "ServerKeyExchange",
            Self::CertificateRequest(_) => "CertificateRequest or ServerHelloDone",
            Self::ServerHelloDone(_) => "ServerHelloDone",
            Self::NewSessionTicket(..) => "NewSessionTicket",
            Self::ChangeCipherSpec(..) => "ChangeCipherSpec",
            Self::Finished(..) => "Finished",
            Self::Tls13(state) => state.expected(),
            Self::Established => "application data",
            Self::Closed => "nothing more",
        }
    }

    /// Returns the longest body of a message that is expected now.
    fn max_len(&self, kind: HandshakeType, is_tls13: bool) -> Result<usize, Alert> {
        match (self, kind) {
            (Self::Closed, _) => Err(Alert::UnexpectedMessage),
            (Self::Tls13(state), kind) => state.max_len(kind),
            (Self::Established, HandshakeType::NEW_SESSION_TICKET) if is_tls13 => {
                Ok(tls13::MAX_NEW_SESSION_TICKET_LEN)
            }
            (Self::Established, HandshakeType::KEY_UPDATE) if is_tls13 => Ok(1),
            (Self::Established, _) if is_tls13 => Err(Alert::UnexpectedMessage),
            // TLS 1.3 has none.
            (Self::ServerHello(offer), HandshakeType::HELLO_REQUEST)
                if offer.retried().is_some() =>
            {
                Err(Alert::UnexpectedMessage)
            }
            // Ignored while a handshake is in progress (RFC 5246 section 7.4.1.1).
            (_, HandshakeType::HELLO_REQUEST) => Ok(0),
            (Self::ServerHello(_), HandshakeType::SERVER_HELLO) => Ok(MAX_SERVER_HELLO_LEN),
            (Self::Certificate(_), HandshakeType::CERTIFICATE) => Ok(MAX_CERTIFICATE_LEN),
            (Self::ServerKeyExchange(_), HandshakeType::SERVER_KEY_EXCHANGE) => {
                Ok(MAX_SERVER_KEY_EXCHANGE_LEN)
            }
            (Self::CertificateRequest(_), HandshakeType::CERTIFICATE_REQUEST) => {
                Ok(MAX_CERTIFICATE_REQUEST_LEN)
            }
            (
                Self::CertificateRequest(_) | Self::ServerHelloDone(_),
                HandshakeType::SERVER_HELLO_DONE,
            ) => Ok(0),
            (Self::NewSessionTicket(..), HandshakeType::NEW_SESSION_TICKET) => {
                Ok(MAX_NEW_SESSION_TICKET_LEN)
            }
            (Self::Finished(..), HandshakeType::FINISHED) => Ok(SSL3_VERIFY_DATA_LEN),
            _ => Err(Alert::UnexpectedMessage),
        }
    }
}

/// What the hellos negotiated, and what the messages after them brought.
#[derive(Debug)]
pub(super) struct Negotiated {
    choice: Choice,
    client_random: [u8; 32],
    server_name: Option<String>,
    hash: HandshakeHash,
    /// All handshake messages so far, while the client may have to sign them.
    messages: Option<Vec<u8>>,
    /// The `SubjectPublicKeyInfo` of the server's certificate.
    server_key: Vec<u8>,
    share: Option<PeerPublicKey>,
    agreement: Option<Agreement>,
    request: Option<CertificateRequest>,
    client_certificate: ClientCertificate,
    ticket: Option<Ticket>,
}

/// The keys of both directions, from the key exchange on.
#[derive(Debug)]
pub(super) struct Keys {
    master_key: Arc<MasterKey>,
    /// `None` once it is in use.
    read: Option<RecordKey>,
    /// `None` once it is in use: in a full handshake the client sends its Finished first.
    write: Option<RecordKey>,
}

impl ClientConnection {
    pub(super) fn handshake(&mut self, payload: &[u8]) -> Result<(), Refused> {
        self.messages.extend(payload);
        loop {
            let (state, is_tls13) = (&self.state, self.secrets.is_some());
            let mut found = None;
            let next = self.messages.next(|kind| {
                found = Some(kind);
                state.max_len(kind, is_tls13)
            });
            let message = match (next, found) {
                (Ok(Some(message)), _) => message,
                (Ok(None), _) => return Ok(()),
                (Err(Alert::DecodeError), Some(kind)) => {
                    let fault = ServerFault::TooLong(kind.name().unwrap_or("message"));
                    return refuse(Alert::DecodeError, fault);
                }
                (Err(_), kind) => {
                    let kind = kind.unwrap_or(HandshakeType(0xff));
                    let number = || format!("handshake message {}", kind.0);
                    return self.out_of_order(&kind.name().map_or_else(number, str::to_owned));
                }
            };
            if message.kind == HandshakeType::HELLO_REQUEST {
                self.hello_request()?;
                continue;
            }
            self.state = match mem::replace(&mut self.state, State::Closed) {
                State::ServerHello(offer) => self.server_hello(offer, &message)?,
                State::Tls13(state) => self.tls13_message(state, &message)?,
                State::Established if is_tls13 => self.tls13_late_message(&message)?,
                State::Certificate(negotiated) => self.certificate(negotiated, &message)?,
                State::ServerKeyExchange(negotiated) => {
                    self.server_key_exchange(negotiated, &message)?
                }
                State::CertificateRequest(mut negotiated)
                    if message.kind == HandshakeType::CERTIFICATE_REQUEST =>
                {
                    let protocol = negotiated.choice.protocol;
                    negotiated.request = Some(CertificateRequest::parse(protocol, message.body())?);
                    negotiated.add_to_transcript(&message.bytes);
                    State::ServerHelloDone(negotiated)
                }
                State::CertificateRequest(negotiated) | State::ServerHelloDone(negotiated) => {
                    self.server_hello_done(negotiated, &message)?
                }
                State::NewSessionTicket(mut negotiated, keys) => {
                    negotiated.ticket = ticket(message.body())?;
                    negotiated.add_to_transcript(&message.bytes);
                    State::ChangeCipherSpec(negotiated, keys)
                }
                State::Finished(negotiated, keys) => self.finished(*negotiated, *keys, &message)?,
                // `max_len` has refused it.
                State::ChangeCipherSpec(..) | State::Established | State::Closed => {
                    return Err(Error::Internal("a message in a state that takes none").into());
                }
            };
        }
    }

    /// Declines a renegotiation, or ignores the request during a handshake.
    fn hello_request(&mut self) -> Result<(), Refused> {
        self.idle()?;
        match self.state {
            State::Established => self.warn(Alert::NoRenegotiation),
            // No transcript of TLS 1.3 has it.
            State::ServerHello(_) if self.settings.lowest() == ProtocolVersion::TLS1_3 => {
                self.out_of_order("HelloRequest")
            }
            _ => {
                self.has_ignored_request = true;
                Ok(())
            }
        }
    }

    /// Checks what the server chose.
    fn server_hello(&mut self, offer: Box<Offer>, message: &Message) -> Result<State, Refused> {
        let settings = Arc::clone(&self.settings);
        let hello = ServerHello::parse(message, View::Strict)
            .map_err(|why| Refused::malformed("ServerHello", why))?;
        if settings.offers_tls13() && hello.extensions.has(ExtensionType::SUPPORTED_VERSIONS) {
            if self.has_ignored_request {
                let found = "HelloRequest".to_owned();
                let fault = ServerFault::Order { found, expected: "ServerHello" };
                return refuse(Alert::UnexpectedMessage, fault);
            }
            return self.tls13_server_hello(offer, &hello, message);
        }
        if self.has_ignored_ccs {
            let found = "ChangeCipherSpec".to_owned();
            let fault = ServerFault::Order { found, expected: "ServerHello" };
            return refuse(Alert::UnexpectedMessage, fault);
        }
        let choice = offer.check(&settings, &hello)?;
        self.records.agree_on(choice.protocol);
        let mut negotiated = Box::new(Negotiated {
            client_random: offer.random,
            server_name: offer.server_name,
            hash: settings.provider.handshake_hash(choice.protocol, choice.suite.id)?,
            // Before TLS 1.2, clients sign the transcript hash.
            messages: (settings.identity.is_some() && choice.protocol == ProtocolVersion::TLS1_2)
                .then(Vec::new),
            server_key: Vec::new(),
            share: None,
            agreement: None,
            request: None,
            client_certificate: ClientCertificate::default(),
            ticket: None,
            choice,
        });
        negotiated.add_to_transcript(&offer.message);
        negotiated.add_to_transcript(&message.bytes);
        let Some((session, _)) = &negotiated.choice.resumed else {
            self.offered = None;
            return Ok(State::Certificate(negotiated));
        };
        self.certificates = Arc::clone(&session.certificates);
        let master_key = session.master_key().ok_or(Error::Internal("a session of TLS 1.3"))?;
        let keys = negotiated.keys(Arc::clone(master_key))?;
        self.log(&negotiated, &keys.master_key)?;
        negotiated.messages = None;
        Ok(awaiting_finished(negotiated, Box::new(keys)))
    }

    /// Checks that the key fits the suite, and asks whether the chain is trusted.
    fn certificate(
        &mut self,
        mut negotiated: Box<Negotiated>,
        message: &Message,
    ) -> Result<State, Refused> {
        let settings = Arc::clone(&self.settings);
        self.certificates = chain(message.body())?.into();
        let leaf = self.certificates.first().map(Vec::as_slice).unwrap_or_default();
        let suite = negotiated.choice.suite;
        negotiated.server_key =
            server_key(leaf, suite, &settings.groups, settings.options.check_key_usage)?;
        settings.verifier.verify(&self.certificates, negotiated.server_name.as_deref()).map_err(
            |why| Refused { alert: why.alert, fault: ServerFault::Untrusted(why.reason) },
        )?;
        negotiated.add_to_transcript(&message.bytes);
        Ok(match suite.key_exchange.is_rsa() {
            true => State::CertificateRequest(negotiated),
            false => State::ServerKeyExchange(negotiated),
        })
    }

    /// Checks the server's ephemeral key and its signature.
    fn server_key_exchange(
        &mut self,
        mut negotiated: Box<Negotiated>,
        message: &Message,
    ) -> Result<State, Refused> {
        let settings = Arc::clone(&self.settings);
        let Choice { protocol, suite, .. } = negotiated.choice;
        let names_scheme = protocol == ProtocolVersion::TLS1_2;
        let parsed = match suite.key_exchange.is_ecdhe() {
            true => ServerKeyExchange::parse_ecdhe(message.body(), names_scheme),
            false => ServerKeyExchange::parse_dhe(message.body(), names_scheme),
        };
        let parsed = parsed.map_err(|why| Refused::malformed("ServerKeyExchange", why))?;
        // The signature comes first: only the holder of the key may have its group looked at.
        let scheme = negotiated.verify(&settings, &parsed)?;
        let (group, public_key) = group(&settings, &parsed.parameters)?;
        let bits = match &group {
            Group::FiniteField(parameters) => parameters.bits(),
            Group::Curve(curve) => usize::try_from(curve.bits()).unwrap_or_default(),
            // No other group comes in this message.
            _ => 0,
        };
        let share = group.public_key(public_key).map_err(agreement_failed(&group))?;
        negotiated.share = Some(share);
        let named = NamedGroup::of(&group);
        negotiated.agreement = Some(Agreement { group: named, bits, scheme: Some(scheme) });
        negotiated.add_to_transcript(&message.bytes);
        Ok(State::CertificateRequest(negotiated))
    }

    /// Sends the client's flight (RFC 5246 section 7.3): certificate if asked for, key exchange,
    /// the proof that the client holds its key, and Finished.
    fn server_hello_done(
        &mut self,
        mut negotiated: Box<Negotiated>,
        message: &Message,
    ) -> Result<State, Refused> {
        let settings = Arc::clone(&self.settings);
        negotiated.add_to_transcript(&message.bytes);
        let scheme = self.client_certificate(&mut negotiated)?;
        if scheme.is_none() {
            negotiated.messages = None;
        }
        let master_key = Arc::new(self.client_key_exchange(&mut negotiated)?);
        let mut keys = negotiated.keys(master_key)?;
        self.log(&negotiated, &keys.master_key)?;
        if let (Some(scheme), Some(identity)) = (scheme, &settings.identity) {
            let digest = match negotiated.messages.take() {
                Some(messages) => digest(&settings.provider, scheme, &[&messages])?,
                None => {
                    let kind = if scheme.is_rsa() { ClientKey::Rsa } else { ClientKey::DsaOrEcdsa };
                    keys.master_key.client_auth_hash(kind, &negotiated.hash)?
                }
            };
            let signature = identity.key.sign(scheme, &digest)?;
            let named = negotiated.choice.protocol == ProtocolVersion::TLS1_2;
            let scheme = scheme.wire().filter(|_| named);
            let mut out = Vec::new();
            put_message(&mut out, HandshakeType::CERTIFICATE_VERIFY, |out| {
                put_signature(out, scheme, &signature);
            });
            self.send_message(&mut negotiated, &out)?;
        }
        self.client_finished(&mut negotiated, &mut keys)?;
        Ok(awaiting_finished(negotiated, Box::new(keys)))
    }

    /// Sends the client's certificate if the server asked for one; an empty list if it has none
    /// that the server takes. Returns the scheme to sign with.
    fn client_certificate(
        &mut self,
        negotiated: &mut Negotiated,
    ) -> Result<Option<SignatureScheme>, Refused> {
        let settings = Arc::clone(&self.settings);
        let Some(request) = negotiated.request.take() else { return Ok(None) };
        let protocol = negotiated.choice.protocol;
        let identity = settings.identity.as_ref().and_then(|identity| {
            let scheme = request.scheme(&settings.provider, protocol, &identity.key)?;
            Some((scheme, &identity.chain[..]))
        });
        negotiated.client_certificate = match identity {
            Some((scheme, _)) => ClientCertificate::Sent(scheme),
            None => ClientCertificate::Declined,
        };
        let chain = identity.map(|(_, chain)| chain).unwrap_or_default();
        if chain.is_empty() && protocol == ProtocolVersion::SSL3 {
            // RFC 6101 section 5.6.6: a warning in place of an empty list.
            let alert = Alert::NoCertificate.to_bytes();
            self.write(ContentType::Alert, &alert)?;
            return Ok(None);
        }
        let mut out = Vec::new();
        put_certificate(&mut out, chain.iter().map(Vec::as_slice));
        self.send_message(negotiated, &out)?;
        Ok(identity.map(|(scheme, _)| scheme))
    }

    /// Sends ClientKeyExchange and returns the master key. With the extended master secret, that
    /// depends on the message.
    fn client_key_exchange(&mut self, negotiated: &mut Negotiated) -> Result<MasterKey, Refused> {
        let settings = Arc::clone(&self.settings);
        let provider = &settings.provider;
        let Choice { protocol, suite, .. } = negotiated.choice;
        if suite.key_exchange == KeyExchange::Rsa {
            let parameters = ParameterList::new().highest_version(settings.highest());
            let premaster = provider
                .generate_premaster_key(&negotiated.server_key, protocol, suite.id, &parameters)
                .map_err(key_failed)?;
            let encrypted = premaster.encrypted();
            self.send_key_exchange(negotiated, |out| match protocol {
                ProtocolVersion::SSL3 => out.extend_from_slice(encrypted),
                _ => put_vec::<2>(out, |out| out.extend_from_slice(encrypted)),
            })?;
            return Ok(premaster.generate_master_key(&negotiated.seed()?)?);
        }
        let share = negotiated.share.take();
        // The states require a ServerKeyExchange for these suites.
        let share = share.ok_or(Error::Internal("a key agreement without the server's key"))?;
        let group = share.group().clone();
        let key =
            provider.generate_ephemeral_key(group.clone()).map_err(agreement_failed(&group))?;
        self.send_key_exchange(negotiated, |out| {
            let put = |out: &mut Vec<u8>| out.extend_from_slice(key.public_key());
            match &group {
                Group::Curve(_) => put_vec::<1>(out, put),
                _ => put_vec::<2>(out, put),
            }
        })?;
        let seed = negotiated.seed()?;
        provider
            .generate_master_key(key, &share, protocol, suite.id, &seed, Side::Client)
            .map_err(agreement_failed(&group))
    }

    fn send_key_exchange(
        &mut self,
        negotiated: &mut Negotiated,
        body: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Refused> {
        let mut out = Vec::new();
        put_message(&mut out, HandshakeType::CLIENT_KEY_EXCHANGE, body);
        self.send_message(negotiated, &out)
    }

    fn send_message(&mut self, negotiated: &mut Negotiated, message: &[u8]) -> Result<(), Refused> {
        negotiated.add_to_transcript(message);
        self.write(ContentType::Handshake, message)
    }

    /// Sends ChangeCipherSpec and Finished.
    fn client_finished(
        &mut self,
        negotiated: &mut Negotiated,
        keys: &mut Keys,
    ) -> Result<(), Refused> {
        self.write(ContentType::ChangeCipherSpec, &[1])?;
        if let Some(write) = keys.write.take() {
            self.records.write_with(write, negotiated.choice.suite);
        }
        let master_key = &keys.master_key;
        let mut verify_data = vec![0; master_key.verify_data_len()];
        master_key.verify_data(Side::Client, &negotiated.hash, &mut verify_data)?;
        let mut message = Vec::with_capacity(Message::HEADER_LEN + verify_data.len());
        put_message(&mut message, HandshakeType::FINISHED, |out| {
            out.extend_from_slice(&verify_data);
        });
        self.send_message(negotiated, &message)
    }

    /// Activates the server's keys. A partial handshake message before it is refused, since its
    /// rest would come under other keys (RFC 5246 section 7.1).
    pub(super) fn change_cipher_spec(&mut self, payload: &[u8]) -> Result<(), Refused> {
        // It says nothing in TLS 1.3, and is there for middleboxes (RFC 8446 section 5).
        let is_awaited = match self.state {
            State::ServerHello(_) => self.settings.offers_tls13(),
            State::Tls13(_) => true,
            _ => false,
        };
        if is_awaited && self.messages.is_empty() && payload == [1] {
            self.has_ignored_ccs |= self.records.protocol().is_none();
            return self.idle();
        }
        if !self.messages.is_empty() || !matches!(self.state, State::ChangeCipherSpec(..)) {
            return self.out_of_order("ChangeCipherSpec");
        }
        if payload != [1] {
            return Err(Refused::malformed("ChangeCipherSpec", "expected one byte, 1"));
        }
        if let State::ChangeCipherSpec(negotiated, mut keys) =
            mem::replace(&mut self.state, State::Closed)
        {
            if let Some(read) = keys.read.take() {
                self.records.read_with(read);
            }
            self.state = State::Finished(negotiated, keys);
        }
        Ok(())
    }

    /// Checks the server's Finished; in an abbreviated handshake the client's own follows.
    fn finished(
        &mut self,
        mut negotiated: Negotiated,
        mut keys: Keys,
        message: &Message,
    ) -> Result<State, Refused> {
        let (master_key, received) = (Arc::clone(&keys.master_key), message.body());
        if received.len() != master_key.verify_data_len() {
            return Err(Refused::malformed("Finished", "length of verify_data"));
        }
        match master_key.verify_finished(Side::Server, &negotiated.hash, received) {
            Err(Error::BadFinished) => {
                return refuse(Alert::DecryptError, ServerFault::Finished);
            }
            other => other?,
        }
        negotiated.add_to_transcript(&message.bytes);
        if negotiated.choice.resumed.is_some() {
            self.client_finished(&mut negotiated, &mut keys)?;
        }
        self.exporter = Some(Exporter::new(
            Arc::clone(&master_key),
            &negotiated.client_random,
            &negotiated.choice.server_random,
            negotiated.choice.extended_master_secret,
        ));
        self.session = negotiated.session(&self.settings, master_key, &self.certificates);
        let choice = negotiated.choice;
        self.established = Some(ServerInfo {
            protocol: choice.protocol,
            suite: choice.suite,
            agreement: negotiated.agreement,
            extended_master_secret: choice.extended_master_secret,
            encrypt_then_mac: choice.encrypt_then_mac,
            secure_renegotiation: choice.secure_renegotiation,
            application_protocol: choice.application_protocol,
            resumed: choice.resumed.map(|(_, how)| how),
            client_certificate: negotiated.client_certificate,
            external_psk: false,
            early_data: EarlyDataStatus::NotOffered,
            retried: false,
            certificates: Arc::clone(&self.certificates),
        });
        Ok(State::Established)
    }

    /// Writes the key log as soon as there is a secret, so that handshakes that fail later can be
    /// looked at too.
    fn log(&self, negotiated: &Negotiated, master_key: &MasterKey) -> Result<(), Refused> {
        let Some(key_log) = &self.settings.key_log else { return Ok(()) };
        key_log
            .write(&negotiated.client_random, master_key)
            .map_err(|alert| Refused { alert, fault: ServerFault::KeyLog })
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
        let server_random = self.choice.server_random;
        ParameterList::new().client_random(self.client_random).server_random(server_random)
    }

    /// What the master secret depends on besides the premaster secret. For the extended one, the
    /// transcript ends with ClientKeyExchange (RFC 7627 section 3).
    fn seed(&self) -> Result<ParameterList, Error> {
        match self.choice.extended_master_secret {
            true => ParameterList::new().session_hash(&self.hash.current()?),
            false => Ok(self.randoms()),
        }
    }

    /// Derives the record keys of this connection.
    fn keys(&self, master_key: Arc<MasterKey>) -> Result<Keys, Error> {
        let keys = master_key.session_keys(&self.randoms())?;
        let encrypt_then_mac = self.choice.encrypt_then_mac;
        let options = RecordOptions { encrypt_then_mac, ..RecordOptions::default() };
        let read = Some(keys.record_key(Side::Server, options)?);
        let write = Some(keys.record_key(Side::Client, options)?);
        Ok(Keys { master_key, read, write })
    }

    /// Verifies the signature over the key exchange; returns its scheme.
    fn verify(
        &self,
        settings: &ClientSettings,
        message: &ServerKeyExchange<'_>,
    ) -> Result<SignatureScheme, Refused> {
        let is_rsa = self.choice.suite.key_exchange != KeyExchange::EcdheEcdsa;
        let number = message.scheme.unwrap_or_default();
        let offered = || settings.schemes.iter().copied().find(|it| it.wire() == Some(number));
        let Some(scheme) = fixed_scheme(self.choice.protocol, is_rsa).or_else(offered) else {
            return refuse(Alert::IllegalParameter, ServerFault::Scheme(number));
        };
        if scheme.is_rsa() != is_rsa {
            return refuse(Alert::IllegalParameter, ServerFault::SchemeOfKey(scheme));
        }
        let signed = SignedParameters {
            client_random: &self.client_random,
            server_random: &self.choice.server_random,
            parameters: message.signed,
        };
        let digest = signed.digest(&settings.provider, scheme)?;
        settings
            .provider
            .verify_signature(&self.server_key, scheme, &digest, message.signature)
            .map_err(key_failed)?;
        Ok(scheme)
    }

    /// Returns the session to resume, if the server keeps it or gave a ticket.
    fn session(
        &self,
        settings: &Arc<ClientSettings>,
        master_key: Arc<MasterKey>,
        certificates: &Arc<[Vec<u8>]>,
    ) -> Option<Arc<ClientSession>> {
        let choice = &self.choice;
        // A ticket that was taken is good for the next time too, unless a new one came.
        let resumed = choice.resumed.as_ref().map(|(session, _)| session);
        let old = resumed.and_then(|session| session.ticket.clone());
        let ticket = self.ticket.clone().or(old);
        if ticket.is_none() && choice.session_id.is_empty() {
            return None;
        }
        Some(Arc::new(ClientSession {
            settings: Arc::downgrade(settings),
            server_name: self.server_name.clone(),
            id: choice.session_id.clone(),
            ticket,
            secret: SessionSecret::MasterKey(master_key),
            extended_master_secret: choice.extended_master_secret,
            encrypt_then_mac: choice.encrypt_then_mac,
            certificates: Arc::clone(certificates),
            has_failed: resumed.map(|it| Arc::clone(&it.has_failed)).unwrap_or_default(),
        }))
    }
}

/// The state once both sides have the keys.
fn awaiting_finished(negotiated: Box<Negotiated>, keys: Box<Keys>) -> State {
    match negotiated.choice.sends_ticket {
        true => State::NewSessionTicket(negotiated, keys),
        false => State::ChangeCipherSpec(negotiated, keys),
    }
}

/// Parses the body of a NewSessionTicket. An empty ticket is none (RFC 5077 section 3.3), and so is
/// one that is too long for a hello.
fn ticket(body: &[u8]) -> Result<Option<Ticket>, Refused> {
    let mut reader = Reader::new(body);
    let lifetime = reader.array().map(u32::from_be_bytes);
    let ticket = reader.vec16().filter(|_| reader.is_empty());
    let (Some(lifetime), Some(ticket)) = (lifetime, ticket) else {
        return Err(Refused::malformed("NewSessionTicket", "length of the ticket"));
    };
    let is_kept = (1..=MAX_TICKET_LEN).contains(&ticket.len());
    Ok(is_kept.then(|| Ticket::new(ticket, lifetime)))
}

/// Returns the group of a server's key, if it may choose that, and the key.
fn group<'a>(
    settings: &ClientSettings,
    parameters: &KeyExchangeParameters<'a>,
) -> Result<(Group, &'a [u8]), Refused> {
    match *parameters {
        KeyExchangeParameters::Curve { curve: number, public_key } => {
            let curve = NamedCurve::from_wire(number);
            let offered = curve.filter(|it| settings.groups.contains(&NamedGroup::Curve(*it)));
            let Some(curve) = offered else {
                return refuse(Alert::IllegalParameter, ServerFault::Group(number));
            };
            Ok((curve.into(), public_key))
        }
        KeyExchangeParameters::FiniteField { prime, generator, public_key } => {
            let Ok(parameters) = DhParameters::new(prime, generator) else {
                return refuse(Alert::IllegalParameter, ServerFault::DhParameters);
            };
            let (bits, min) = (parameters.bits(), settings.provider.policy().min_modulus_bits);
            if bits < min {
                let fault = ServerFault::DhPrime { bits, min };
                return refuse(Alert::InsufficientSecurity, fault);
            }
            Ok((parameters.into(), public_key))
        }
    }
}

/// The refusal for an error of the server's certified key.
pub(super) fn key_failed(error: Error) -> Refused {
    let (alert, fault) = match error {
        Error::BadSignature => (Alert::DecryptError, ServerFault::Signature),
        Error::NotAllowed(_) => (Alert::InsufficientSecurity, ServerFault::ShortKey),
        // A point that is not on its curve.
        Error::InvalidParameter(_) => (Alert::BadCertificate, ServerFault::UnsupportedKey),
        other => return other.into(),
    };
    Refused { alert, fault }
}

/// The refusal for an error of a key agreement. A library may refuse numbers that a server chose
/// itself.
pub(super) fn agreement_failed(group: &Group) -> impl Fn(Error) -> Refused + use<> {
    let is_own = matches!(group, Group::FiniteField(_)) && NamedGroup::of(group).is_none();
    move |error| {
        let fault = match error {
            Error::BadKeyShare => ServerFault::KeyShare,
            Error::Backend { .. } if is_own => ServerFault::DhParameters,
            other => return other.into(),
        };
        Refused { alert: Alert::IllegalParameter, fault }
    }
}
