//! The client's handshake of TLS 1.3 (RFC 8446 section 2): which message may come when, and what it
//! does. What is offered is in `hello.rs`.
//!
//! Keys change at the boundary of a record only (section 5.1).

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssl_provider::tls13::{HandshakeSecret, ResumptionSecret, Tls13Parameters, TrafficSecret};
use ssl_provider::{
    CipherSuite, CipherSuiteInfo, Error, HandshakeHash, NamedCurve, ProtocolVersion, Side,
    SignatureScheme,
};
use ssl_provider_wire::{
    Alert, CertificateMessage, CertificateRequest, CertificateVerify, ContentType, ExtensionType,
    Extensions, HandshakeType, KeyShare, KeyUpdate, Message, NewSessionTicket, ServerHello,
    encrypted_extensions, put_certificate_chain, put_message,
};

use super::certificate::{
    MAX_CERTIFICATE_LEN, MAX_CERTIFICATE_REQUEST_LEN, check_chain_len, tls13_server_key,
};
use super::fault::{Refused, ServerFault, refuse};
use super::handshake::{State as ConnectionState, agreement_failed, key_failed};
use super::hello::{Offer, OfferedPsk, application_protocol};
use super::session::{ClientSession, MAX_TICKET_LEN, Resumption, SessionSecret, Tls13Ticket};
use super::settings::ClientSettings;
use super::{Agreement, ClientCertificate, ClientConnection, EarlyDataStatus, ServerInfo};
use crate::exporter::Exporter;
use crate::group::NamedGroup;
use crate::signed_params::{can_sign, certificate_verify_digest, is_tls13_scheme};
use crate::tls13::{Secrets, record_key};

/// Longest EncryptedExtensions in bytes.
const MAX_ENCRYPTED_EXTENSIONS_LEN: usize = 2 + 0xffff;

/// Longest CertificateVerify in bytes: scheme, length, and a signature of the largest RSA key.
const MAX_CERTIFICATE_VERIFY_LEN: usize = 2 + 2 + 1024;

/// Longest NewSessionTicket in bytes: every field at its limit.
pub(super) const MAX_NEW_SESSION_TICKET_LEN: usize =
    4 + 4 + (1 + 0xff) + (2 + 0xffff) + (2 + 0xffff);

/// Longest Finished in bytes: SHA-384.
const MAX_FINISHED_LEN: usize = ssl_provider::tls13::MAX_SECRET_LEN;

/// The message that is expected next, with what the handshake has established so far.
#[derive(Debug)]
pub(super) enum State {
    EncryptedExtensions(Box<Pending>),
    /// CertificateRequest or Certificate.
    CertificateRequest(Box<Pending>),
    Certificate(Box<Pending>),
    CertificateVerify(Box<Pending>),
    Finished(Box<Pending>),
}

impl State {
    /// What is expected, in words.
    pub(super) fn expected(&self) -> &'static str {
        match self {
            Self::EncryptedExtensions(_) => "EncryptedExtensions",
            Self::CertificateRequest(_) => "CertificateRequest or Certificate",
            Self::Certificate(_) => "Certificate",
            Self::CertificateVerify(_) => "CertificateVerify",
            Self::Finished(_) => "Finished",
        }
    }

    /// Returns the longest body of a message that is expected now.
    pub(super) fn max_len(&self, kind: HandshakeType) -> Result<usize, Alert> {
        match (self, kind) {
            (Self::EncryptedExtensions(_), HandshakeType::ENCRYPTED_EXTENSIONS) => {
                Ok(MAX_ENCRYPTED_EXTENSIONS_LEN)
            }
            (Self::CertificateRequest(_), HandshakeType::CERTIFICATE_REQUEST) => {
                Ok(MAX_CERTIFICATE_REQUEST_LEN)
            }
            (Self::CertificateRequest(_) | Self::Certificate(_), HandshakeType::CERTIFICATE) => {
                Ok(MAX_CERTIFICATE_LEN)
            }
            (Self::CertificateVerify(_), HandshakeType::CERTIFICATE_VERIFY) => {
                Ok(MAX_CERTIFICATE_VERIFY_LEN)
            }
            (Self::Finished(_), HandshakeType::FINISHED) => Ok(MAX_FINISHED_LEN),
            _ => Err(Alert::UnexpectedMessage),
        }
    }
}

/// A handshake after ServerHello.
#[derive(Debug)]
pub(super) struct Pending {
    parameters: Tls13Parameters,
    transcript: HandshakeHash,
    handshake: HandshakeSecret,
    client_handshake: TrafficSecret,
    server_handshake: TrafficSecret,
    client_random: [u8; 32],
    server_name: Option<String>,
    /// The extensions that were offered.
    offered: Vec<ExtensionType>,
    agreement: Option<Agreement>,
    retried: bool,
    psk: Option<(usize, OfferedPsk)>,
    application_protocol: Option<Vec<u8>>,
    /// The `SubjectPublicKeyInfo` of the server's certificate, and its curve; none for RSA.
    server_key: (Vec<u8>, Option<NamedCurve>),
    /// The schemes that the server asks the client to sign with.
    request: Option<Vec<SignatureScheme>>,
}

/// What makes tickets of an established connection into sessions.
#[derive(Debug)]
pub(super) struct Tickets {
    resumption: ResumptionSecret,
    server_name: Option<String>,
}

impl ClientConnection {
    /// Checks a ServerHello of TLS 1.3, or a HelloRetryRequest.
    pub(super) fn tls13_server_hello(
        &mut self,
        mut offer: Box<Offer>,
        hello: &ServerHello<'_>,
        message: &Message,
    ) -> Result<ConnectionState, Refused> {
        let settings = Arc::clone(&self.settings);
        let illegal = |reason| {
            let alert = Alert::IllegalParameter;
            Refused::malformed("ServerHello", ssl_provider_wire::Malformed { reason, alert })
        };
        let selected = ProtocolVersion(hello.selected_version());
        if selected != ProtocolVersion::TLS1_3 {
            return refuse(Alert::IllegalParameter, ServerFault::Version(selected));
        }
        self.check_boundary("ServerHello")?;
        if hello.version != ProtocolVersion::TLS1_2.wire() {
            return Err(illegal("legacy_version is not that of TLS 1.2"));
        }
        if hello.session_id != offer.session_id() {
            return Err(illegal("legacy_session_id_echo is not what was sent"));
        }
        if hello.compression != 0 {
            let fault = ServerFault::Compression(hello.compression);
            return refuse(Alert::IllegalParameter, fault);
        }
        let suite = CipherSuite(hello.suite.into());
        let found = settings.suites.iter().find(|it| it.id == suite);
        let found = found.filter(|it| settings.allows(selected, it));
        let Some(suite) = found.filter(|it| offer.retried().is_none_or(|first| first == it.id))
        else {
            return refuse(Alert::IllegalParameter, ServerFault::Suite(suite, selected));
        };
        self.records.agree_on(selected);
        let parameters = settings.provider.tls13_parameters(suite.id)?;
        if hello.is_retry_request() {
            return self.retry(offer, &parameters, hello.extensions, message);
        }
        check_extensions(
            "ServerHello",
            hello.extensions,
            offer.tls13_extensions(),
            &[
                ExtensionType::SUPPORTED_VERSIONS,
                ExtensionType::KEY_SHARE,
                ExtensionType::PRE_SHARED_KEY,
            ],
        )?;
        let malformed = |why| Refused::malformed("ServerHello", why);
        let psk = match hello.extensions.selected_psk().map_err(malformed)? {
            None => None,
            Some(index) => {
                let psk = offer.take_psk(index.into());
                let psk = psk.filter(|psk| psk.key.hash() == parameters.hash());
                let psk = psk.ok_or_else(|| illegal("selected_identity was not offered"))?;
                Some((usize::from(index), psk))
            }
        };
        let share = hello.extensions.key_share_of_server().map_err(malformed)?;
        let early = parameters.early_secret(psk.as_ref().map(|(_, psk)| &*psk.key))?;
        let (handshake, agreement) = match share {
            None if psk.is_some() && settings.options.psk_without_agreement => {
                (early.handshake_secret_of_psk()?, None)
            }
            None => {
                let reason = "ServerHello has no key_share";
                let alert = Alert::MissingExtension;
                let why = ssl_provider_wire::Malformed { reason, alert };
                return Err(Refused::malformed("ServerHello", why));
            }
            Some(KeyShare { group: number, public_key }) => {
                let Some((group, key)) = offer.take_key(number) else {
                    return refuse(Alert::IllegalParameter, ServerFault::Group(number));
                };
                if !group.has_share_len(public_key) {
                    return refuse(Alert::IllegalParameter, ServerFault::KeyShare);
                }
                let of_group = group.group();
                let failed = agreement_failed(&of_group);
                let peer = of_group.public_key(public_key).map_err(&failed)?;
                let secret = early.handshake_secret(key, &peer).map_err(&failed)?;
                (secret, Some(Agreement { group: Some(group), bits: group.bits(), scheme: None }))
            }
        };
        let mut transcript = offer.transcript(&parameters)?;
        transcript.update(&offer.message);
        transcript.update(&message.bytes);
        let client_handshake = handshake.traffic_secret(Side::Client, &transcript)?;
        let server_handshake = handshake.traffic_secret(Side::Server, &transcript)?;
        for secret in [&client_handshake, &server_handshake] {
            self.log_secret(&offer.random, secret.key_log_label(), secret.secret_for_key_log())?;
        }
        self.tls13_change_cipher_spec(&offer)?;
        self.records.read_with(record_key(&server_handshake)?);
        // Whether early data are accepted is seen in EncryptedExtensions.
        if self.early_data != EarlyDataStatus::Offered {
            self.records.write_with(record_key(&client_handshake)?, suite);
        }
        if psk.is_none() {
            self.offered = None;
        }
        if let Some((_, OfferedPsk { session: Some(session), .. })) = &psk {
            self.certificates = Arc::clone(&session.certificates);
        }
        Ok(ConnectionState::Tls13(State::EncryptedExtensions(Box::new(Pending {
            parameters,
            transcript,
            handshake,
            client_handshake,
            server_handshake,
            client_random: offer.random,
            offered: offer.tls13_extensions().to_vec(),
            retried: offer.retried().is_some(),
            server_name: offer.server_name,
            agreement,
            psk,
            application_protocol: None,
            server_key: (Vec::new(), None),
            request: None,
        }))))
    }

    /// Sends a second ClientHello (RFC 8446 section 4.1.4).
    fn retry(
        &mut self,
        mut offer: Box<Offer>,
        parameters: &Tls13Parameters,
        extensions: Extensions<'_>,
        message: &Message,
    ) -> Result<ConnectionState, Refused> {
        const NAME: &str = "HelloRetryRequest";
        let settings = Arc::clone(&self.settings);
        if offer.retried().is_some() {
            let found = "a second HelloRetryRequest".to_owned();
            let fault = ServerFault::Order { found, expected: "ServerHello" };
            return refuse(Alert::UnexpectedMessage, fault);
        }
        // A cookie is the one extension that a server may send unasked.
        let offered = [offer.tls13_extensions(), &[ExtensionType::COOKIE]].concat();
        let allowed =
            [ExtensionType::SUPPORTED_VERSIONS, ExtensionType::KEY_SHARE, ExtensionType::COOKIE];
        check_extensions(NAME, extensions, &offered, &allowed)?;
        let malformed = |why| Refused::malformed(NAME, why);
        let group = extensions.retry_group().map_err(malformed)?;
        let cookie = extensions.cookie().map_err(malformed)?;
        let group = match group {
            None => None,
            Some(number) => {
                let group = NamedGroup::from_wire(number);
                let group = group.filter(|group| settings.tls13_groups().any(|it| it == *group));
                // It would change nothing (RFC 8446 section 4.2.8).
                let Some(group) = group.filter(|group| !offer.has_key(*group)) else {
                    return refuse(Alert::IllegalParameter, ServerFault::Group(number));
                };
                Some(group)
            }
        };
        if group.is_none() && cookie.is_none() {
            let (reason, alert) = ("nothing would change", Alert::IllegalParameter);
            return Err(malformed(ssl_provider_wire::Malformed { reason, alert }));
        }
        if self.early_data == EarlyDataStatus::Offered {
            self.early_data = EarlyDataStatus::Declined;
            self.early_exporter = None;
            self.records.write_in_clear();
        }
        let mut transcript = parameters.transcript()?;
        transcript.update(&offer.message);
        let mut transcript = parameters.transcript_after_retry(&transcript)?;
        transcript.update(&message.bytes);
        offer.retry(&settings, parameters, transcript, group, cookie)?;
        self.tls13_change_cipher_spec(&offer)?;
        self.write(ContentType::Handshake, &offer.message)?;
        Ok(ConnectionState::ServerHello(offer))
    }

    /// Sends ChangeCipherSpec once, so that TLS 1.3 looks like TLS 1.2 (RFC 8446 appendix D.4).
    pub(super) fn tls13_change_cipher_spec(&mut self, offer: &Offer) -> Result<(), Refused> {
        if offer.session_id().is_empty() || mem::replace(&mut self.has_sent_ccs, true) {
            return Ok(());
        }
        self.write(ContentType::ChangeCipherSpec, &[1])
    }

    /// Refuses bytes of a message behind the last one under old keys.
    fn check_boundary(&self, message: &'static str) -> Result<(), Refused> {
        match self.messages.is_empty() {
            true => Ok(()),
            false => refuse(Alert::UnexpectedMessage, ServerFault::KeyChange(message)),
        }
    }

    /// Writes a secret to the key log, if there is one and the secret has a label there.
    pub(super) fn log_secret(
        &self,
        client_random: &[u8; 32],
        label: impl Into<Option<&'static str>>,
        secret: Result<&[u8], Error>,
    ) -> Result<(), Refused> {
        let (Some(key_log), Some(label)) = (&self.settings.key_log, label.into()) else {
            return Ok(());
        };
        key_log
            .write_secret(label, client_random, secret)
            .map_err(|alert| Refused { alert, fault: ServerFault::KeyLog })
    }

    /// Processes a message that [`State::max_len`] has let through.
    pub(super) fn tls13_message(
        &mut self,
        state: State,
        message: &Message,
    ) -> Result<ConnectionState, Refused> {
        let next = match state {
            State::EncryptedExtensions(pending) => self.encrypted_extensions(pending, message)?,
            State::CertificateRequest(mut pending)
                if message.kind == HandshakeType::CERTIFICATE_REQUEST =>
            {
                pending.request = Some(request(message.body())?);
                pending.transcript.update(&message.bytes);
                State::Certificate(pending)
            }
            State::CertificateRequest(pending) | State::Certificate(pending) => {
                self.tls13_certificate(pending, message)?
            }
            State::CertificateVerify(pending) => self.tls13_verify(pending, message)?,
            State::Finished(pending) => return self.tls13_finished(*pending, message),
        };
        Ok(ConnectionState::Tls13(next))
    }

    fn encrypted_extensions(
        &mut self,
        mut pending: Box<Pending>,
        message: &Message,
    ) -> Result<State, Refused> {
        const NAME: &str = "EncryptedExtensions";
        let malformed = |why| Refused::malformed(NAME, why);
        let extensions = encrypted_extensions(message.body()).map_err(malformed)?;
        check_extensions(
            NAME,
            extensions,
            &pending.offered,
            &[
                ExtensionType::SERVER_NAME,
                ExtensionType::SUPPORTED_GROUPS,
                ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
                ExtensionType::EARLY_DATA,
            ],
        )?;
        for kind in [ExtensionType::SERVER_NAME, ExtensionType::EARLY_DATA] {
            if extensions.get(kind).is_some_and(|data| !data.is_empty()) {
                return Err(malformed("malformed extension".into()));
            }
        }
        // For the next connection, which this client does not take up; but it must be a list.
        extensions.numbers(ExtensionType::SUPPORTED_GROUPS).map_err(malformed)?;
        pending.application_protocol = application_protocol(&self.settings, extensions)?;
        if self.early_data == EarlyDataStatus::Offered {
            self.early_data = match extensions.has(ExtensionType::EARLY_DATA) {
                true => EarlyDataStatus::Accepted,
                false => EarlyDataStatus::Declined,
            };
            if self.early_data == EarlyDataStatus::Declined {
                self.early_exporter = None;
                let key = record_key(&pending.client_handshake)?;
                self.records.write_with(key, pending.parameters.suite());
            }
        } else if extensions.has(ExtensionType::EARLY_DATA) {
            let kind = ExtensionType::EARLY_DATA;
            return refuse(Alert::UnsupportedExtension, ServerFault::Extension(kind.0));
        }
        if self.early_data == EarlyDataStatus::Accepted {
            // RFC 8446 section 4.2.10.
            let ticket = match &pending.psk {
                Some((0, psk)) => psk.session.as_ref().and_then(|session| session.tls13()),
                _ => None,
            };
            let is_same = ticket.is_some_and(|ticket| {
                ticket.suite.id == pending.parameters.suite().id
                    && ticket.application_protocol == pending.application_protocol
            });
            if !is_same {
                return refuse(Alert::IllegalParameter, ServerFault::EarlyData);
            }
        }
        pending.transcript.update(&message.bytes);
        Ok(match pending.psk {
            Some(_) => State::Finished(pending),
            None => State::CertificateRequest(pending),
        })
    }

    /// Checks the server's key, and asks whether the chain is trusted.
    fn tls13_certificate(
        &mut self,
        mut pending: Box<Pending>,
        message: &Message,
    ) -> Result<State, Refused> {
        const NAME: &str = "Certificate";
        let settings = Arc::clone(&self.settings);
        let received = CertificateMessage::parse(message.body());
        let received = received.map_err(|why| Refused::malformed(NAME, why))?;
        if !received.context.is_empty() {
            let (reason, alert) = ("certificate_request_context", Alert::IllegalParameter);
            let why = ssl_provider_wire::Malformed { reason, alert };
            return Err(Refused::malformed(NAME, why));
        }
        check_chain_len(received.entries.len())?;
        for entry in &received.entries {
            check_extensions(NAME, entry.extensions, &[], &[])?;
        }
        let chain = received.entries.iter().map(|entry| entry.certificate.to_vec());
        self.certificates = chain.collect::<Vec<_>>().into();
        let leaf = self.certificates.first().map(Vec::as_slice).unwrap_or_default();
        pending.server_key = tls13_server_key(leaf, settings.options.check_key_usage)?;
        settings.verifier.verify(&self.certificates, pending.server_name.as_deref()).map_err(
            |why| Refused { alert: why.alert, fault: ServerFault::Untrusted(why.reason) },
        )?;
        pending.transcript.update(&message.bytes);
        Ok(State::CertificateVerify(pending))
    }

    /// Verifies that the server holds the key of its certificate (RFC 8446 section 4.4.3).
    fn tls13_verify(
        &mut self,
        mut pending: Box<Pending>,
        message: &Message,
    ) -> Result<State, Refused> {
        let settings = Arc::clone(&self.settings);
        let received = CertificateVerify::parse(message.body());
        let received = received.map_err(|why| Refused::malformed("CertificateVerify", why))?;
        let (public_key, curve) = &pending.server_key;
        let mut offered = settings.schemes.iter().copied();
        let Some(scheme) = offered.find(|scheme| scheme.wire() == Some(received.scheme)) else {
            return refuse(Alert::IllegalParameter, ServerFault::Scheme(received.scheme));
        };
        if !is_tls13_scheme(scheme, *curve) {
            return refuse(Alert::IllegalParameter, ServerFault::SchemeOfKey(scheme));
        }
        let provider = &settings.provider;
        let digest = certificate_verify_digest(
            provider,
            &pending.parameters,
            Side::Server,
            &pending.transcript,
            scheme,
        )?;
        provider
            .verify_signature(public_key, scheme, &digest, received.signature)
            .map_err(key_failed)?;
        if let Some(agreement) = &mut pending.agreement {
            agreement.scheme = Some(scheme);
        }
        pending.transcript.update(&message.bytes);
        Ok(State::Finished(pending))
    }

    /// Checks the server's Finished, and sends the client's flight.
    fn tls13_finished(
        &mut self,
        mut pending: Pending,
        message: &Message,
    ) -> Result<ConnectionState, Refused> {
        if message.body().len() != pending.parameters.hash_len() {
            return Err(Refused::malformed("Finished", "length of verify_data"));
        }
        let server = &pending.server_handshake;
        match server.verify_finished(&pending.transcript, message.body()) {
            Err(Error::BadFinished) => {
                return refuse(Alert::DecryptError, ServerFault::Finished);
            }
            other => other?,
        }
        self.check_boundary("Finished")?;
        pending.transcript.update(&message.bytes);
        let master = pending.handshake.master_secret()?;
        let secrets = Secrets {
            read: master.traffic_secret(Side::Server, &pending.transcript)?,
            write: master.traffic_secret(Side::Client, &pending.transcript)?,
        };
        let exporter = master.exporter_secret(&pending.transcript)?;
        let random = &pending.client_random;
        for secret in [&secrets.write, &secrets.read] {
            self.log_secret(random, secret.key_log_label(), secret.secret_for_key_log())?;
        }
        self.log_secret(random, exporter.key_log_label(), exporter.secret_for_key_log())?;
        self.records.read_with(record_key(&secrets.read)?);

        let suite = pending.parameters.suite();
        if self.early_data == EarlyDataStatus::Accepted {
            let mut end = Vec::new();
            put_message(&mut end, HandshakeType::END_OF_EARLY_DATA, |_| {});
            pending.transcript.update(&end);
            self.write(ContentType::Handshake, &end)?;
            self.records.write_with(record_key(&pending.client_handshake)?, suite);
        }
        let (flight, client_certificate) = client_flight(&self.settings, &mut pending)?;
        self.write(ContentType::Handshake, &flight)?;
        self.records.write_with(record_key(&secrets.write)?, suite);

        self.exporter = Some(Exporter::Secret(exporter));
        self.secrets = Some(Box::new(secrets));
        self.tickets = Some(Tickets {
            resumption: master.resumption_secret(&pending.transcript)?,
            server_name: pending.server_name,
        });
        let (resumed, external_psk) = match &pending.psk {
            None => (None, false),
            Some((_, psk)) if psk.session.is_some() => (Some(Resumption::Ticket), false),
            Some(_) => (None, true),
        };
        self.established = Some(ServerInfo {
            protocol: ProtocolVersion::TLS1_3,
            suite,
            agreement: pending.agreement,
            extended_master_secret: true,
            encrypt_then_mac: false,
            secure_renegotiation: true,
            application_protocol: pending.application_protocol,
            resumed,
            client_certificate,
            external_psk,
            early_data: self.early_data,
            retried: pending.retried,
            certificates: Arc::clone(&self.certificates),
        });
        Ok(ConnectionState::Established)
    }

    /// Processes a message after the handshake: a ticket or a change of keys.
    pub(super) fn tls13_late_message(
        &mut self,
        message: &Message,
    ) -> Result<ConnectionState, Refused> {
        self.idle()?;
        match message.kind {
            HandshakeType::NEW_SESSION_TICKET => self.tls13_ticket(message)?,
            _ => self.key_update(message)?,
        }
        Ok(ConnectionState::Established)
    }

    /// Keeps the newest ticket (RFC 8446 section 4.6.1), unless it is of no use.
    fn tls13_ticket(&mut self, message: &Message) -> Result<(), Refused> {
        let received = NewSessionTicket::parse(message.body());
        let received = received.map_err(|why| Refused::malformed("NewSessionTicket", why))?;
        let (Some(tickets), Some(info)) = (&self.tickets, &self.established) else {
            return Err(Error::Internal("a ticket before the handshake is complete").into());
        };
        if received.lifetime == 0 || received.ticket.len() > MAX_TICKET_LEN {
            return Ok(());
        }
        let psk = Arc::new(tickets.resumption.pre_shared_key(received.nonce)?);
        self.session = Some(Arc::new(ClientSession {
            settings: Arc::downgrade(&self.settings),
            server_name: tickets.server_name.clone(),
            id: Vec::new(),
            ticket: None,
            secret: SessionSecret::Tls13(Tls13Ticket {
                suite: info.suite,
                psk,
                bytes: received.ticket.to_vec(),
                age_add: received.age_add,
                received: Instant::now(),
                lifetime: Duration::from_secs(received.lifetime.into()),
                max_early_data: received.max_early_data.unwrap_or_default(),
                application_protocol: info.application_protocol.clone(),
            }),
            extended_master_secret: true,
            encrypt_then_mac: false,
            certificates: Arc::clone(&info.certificates),
            has_failed: Arc::default(),
        }));
        Ok(())
    }

    /// Replaces keys as the server asks (RFC 8446 section 4.6.3).
    fn key_update(&mut self, message: &Message) -> Result<(), Refused> {
        let update = KeyUpdate::parse(message.body());
        let update = update.map_err(|why| Refused::malformed("KeyUpdate", why))?;
        self.check_boundary("KeyUpdate")?;
        let secrets = self.secrets.as_mut().ok_or(Error::Internal("KeyUpdate without keys"))?;
        secrets.update_read(&mut self.records)?;
        if update.update_requested && !self.closed_by_client {
            let written = secrets.update_write(&mut self.records, false);
            written.map_err(|alert| Refused { alert, fault: ServerFault::Record(alert) })?;
        }
        Ok(())
    }
}

/// Returns the client's flight after the server's Finished: its certificate if asked for, the proof
/// that it holds the key, and Finished.
fn client_flight(
    settings: &ClientSettings,
    pending: &mut Pending,
) -> Result<(Vec<u8>, ClientCertificate), Refused> {
    let mut flight = Vec::new();
    let mut client_certificate = ClientCertificate::NotRequested;
    let mut hashed = 0;
    if let Some(schemes) = pending.request.take() {
        let identity = settings.identity.as_ref().and_then(|identity| {
            let curve = identity.key.curve().map(NamedCurve::from);
            let fits = |scheme: &SignatureScheme| {
                is_tls13_scheme(*scheme, curve)
                    && can_sign(&settings.provider, &identity.key, *scheme)
            };
            schemes.into_iter().find(fits).map(|scheme| (scheme, identity))
        });
        let chain = identity.map(|(_, identity)| &identity.chain[..]).unwrap_or_default();
        put_certificate_chain(&mut flight, &[], chain.iter().map(Vec::as_slice));
        client_certificate = ClientCertificate::Declined;
        if let Some((scheme, identity)) = identity {
            client_certificate = ClientCertificate::Sent(scheme);
            pending.transcript.update(&flight);
            hashed = flight.len();
            let digest = certificate_verify_digest(
                &settings.provider,
                &pending.parameters,
                Side::Client,
                &pending.transcript,
                scheme,
            )?;
            let signature = identity.key.sign(scheme, &digest)?;
            let number = scheme.wire().ok_or(Error::Internal("a scheme of TLS 1.3"))?;
            CertificateVerify { scheme: number, signature: &signature }.put(&mut flight);
        }
    }
    pending.transcript.update(flight.get(hashed..).unwrap_or_default());
    let mut verify_data = vec![0; pending.parameters.hash_len()];
    pending.client_handshake.verify_data(&pending.transcript, &mut verify_data)?;
    let start = flight.len();
    put_message(&mut flight, HandshakeType::FINISHED, |out| out.extend_from_slice(&verify_data));
    pending.transcript.update(flight.get(start..).unwrap_or_default());
    Ok((flight, client_certificate))
}

/// Returns the schemes of a CertificateRequest that are known here.
fn request(body: &[u8]) -> Result<Vec<SignatureScheme>, Refused> {
    let malformed = |why| Refused::malformed("CertificateRequest", why);
    let request = CertificateRequest::parse(body).map_err(malformed)?;
    let illegal = |reason, alert| malformed(ssl_provider_wire::Malformed { reason, alert });
    if !request.context.is_empty() {
        return Err(illegal("certificate_request_context", Alert::IllegalParameter));
    }
    let schemes = request.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS);
    let schemes = schemes.map_err(malformed)?;
    let schemes =
        schemes.ok_or_else(|| illegal("no signature_algorithms", Alert::MissingExtension))?;
    Ok(schemes.into_iter().filter_map(SignatureScheme::from_wire).collect())
}

/// A server sends no extension that the client did not, and each in its message only (RFC 8446
/// section 4.2).
fn check_extensions(
    message: &'static str,
    extensions: Extensions<'_>,
    offered: &[ExtensionType],
    allowed: &[ExtensionType],
) -> Result<(), Refused> {
    for kind in extensions.kinds() {
        if !offered.contains(&kind) {
            return refuse(Alert::UnsupportedExtension, ServerFault::Extension(kind.0));
        }
        if !allowed.contains(&kind) {
            let fault = ServerFault::ExtensionOfMessage(kind.0, message);
            return refuse(Alert::IllegalParameter, fault);
        }
    }
    Ok(())
}

/// Returns the first suite that goes with the hash of a pre-shared key.
pub(super) fn suite_of_psk(
    settings: &ClientSettings,
    psk: &OfferedPsk,
) -> Option<&'static CipherSuiteInfo> {
    let ticket = psk.session.as_ref().and_then(|session| session.tls13());
    let mut suites = settings.suites.iter().copied().filter(|suite| {
        settings.allows(ProtocolVersion::TLS1_3, suite) && suite.prf.hash() == Some(psk.key.hash())
    });
    ticket.map(|ticket| ticket.suite).or_else(|| suites.next())
}
