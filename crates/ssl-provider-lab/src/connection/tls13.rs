//! The server's handshake of TLS 1.3 (RFC 8446 section 2): which message may come when, and what it
//! does. What is chosen from a ClientHello is in [`crate::tls13::negotiation`], the server's flight
//! in `flight.rs`.
//!
//! Nothing that a pre-shared key says is believed before its binder is verified. Keys change at the
//! boundary of a record only (section 5.1).

mod flight;

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use ssl_provider::backend::with_one_wipe;
use ssl_provider::tls13::{
    EarlySecret, ExporterSecret, MasterSecret, Tls13Parameters, TrafficSecret,
};
use ssl_provider::{Error, HandshakeHash, ProtocolVersion};
use ssl_provider_wire::{
    Alert, CertificateMessage, CertificateVerify, ClientHello, ContentType, ExtensionType,
    Extensions, HELLO_RETRY_REQUEST_RANDOM, HandshakeType, KeyUpdate, Message, NewSessionTicket,
    ServerHello, View, put_extension,
};

use super::handshake::State as ConnectionState;
use super::{Connection, SessionInfo};
use crate::alert::{internal_error, require};
use crate::client_auth::{
    ClientCertificate, MAX_CERTIFICATE_LEN, MAX_CERTIFICATE_VERIFY_LEN, certificate_of,
    tls13_certificate_verify,
};
use crate::exporter::Exporter;
use crate::refusal::{Cause, Refusal};
use crate::settings::ClientAuth;
use crate::tickets::TicketState;
use crate::tls13::negotiation::{Outcome, Psk, Retried, choose};
use crate::tls13::{Secrets, record_key};

/// Tickets of a handshake with certificates; one that resumes gets one.
const TICKETS: u8 = 2;

/// The message that is expected next, with what the handshake has established so far.
#[derive(Debug)]
pub(super) enum State {
    /// The ClientHello after a HelloRetryRequest.
    SecondHello(Box<Retry>),
    /// Early data, or their end.
    EndOfEarlyData(Box<Pending>),
    Certificate(Box<Pending>),
    CertificateVerify(Box<Pending>),
    Finished(Box<Pending>),
}

impl State {
    /// Returns the longest body of a message that is expected now.
    pub(super) fn max_len(&self, kind: HandshakeType) -> Result<usize, Alert> {
        match (self, kind) {
            (Self::SecondHello(_), HandshakeType::CLIENT_HELLO) => Ok(ClientHello::MAX_LEN),
            (Self::EndOfEarlyData(_), HandshakeType::END_OF_EARLY_DATA) => Ok(0),
            (Self::Certificate(_), HandshakeType::CERTIFICATE) => Ok(MAX_CERTIFICATE_LEN),
            (Self::CertificateVerify(_), HandshakeType::CERTIFICATE_VERIFY) => {
                Ok(MAX_CERTIFICATE_VERIFY_LEN)
            }
            (Self::Finished(_), HandshakeType::FINISHED) => Ok(MAX_FINISHED_LEN),
            _ => Err(Alert::UnexpectedMessage),
        }
    }

    /// Whether early data are accepted, so that data may be sent before the client's Finished.
    pub(super) fn has_early_data(&self) -> bool {
        match self {
            Self::EndOfEarlyData(_) => true,
            Self::Finished(pending) => pending.info.early_data.is_some(),
            _ => false,
        }
    }
}

/// Longest Finished in bytes: SHA-384.
const MAX_FINISHED_LEN: usize = ssl_provider::tls13::MAX_SECRET_LEN;

/// A handshake between HelloRetryRequest and the second ClientHello.
#[derive(Debug)]
pub(super) struct Retry {
    first: Message,
    retried: Retried,
    /// Up to HelloRetryRequest.
    transcript: HandshakeHash,
}

/// A handshake after the server's Finished.
#[derive(Debug)]
pub(super) struct Pending {
    parameters: Tls13Parameters,
    transcript: HandshakeHash,
    client_handshake: TrafficSecret,
    master: MasterSecret,
    secrets: Secrets,
    exporter: ExporterSecret,
    info: SessionInfo,
    /// When the handshake with certificates was, of this or of the resumed session.
    began: Instant,
    server_name: Option<Box<[u8]>>,
    client_certificate: Option<ClientCertificate>,
    takes_tickets: bool,
}

/// A ClientHello, and the transcript up to it.
struct Hellos<'a> {
    hello: &'a ClientHello<'a>,
    parameters: Tls13Parameters,
    transcript: HandshakeHash,
}

impl Connection {
    /// Replies to a ClientHello of TLS 1.3, by a flight or by a HelloRetryRequest.
    pub(super) fn tls13_hello(
        &mut self,
        hello: &ClientHello<'_>,
        message: &Message,
        retry: Option<Box<Retry>>,
    ) -> Result<ConnectionState, Alert> {
        let settings = Arc::clone(&self.settings);
        require(self.messages.is_empty(), Alert::UnexpectedMessage)?;
        let retried = retry.as_ref().map(|retry| retry.retried);
        let outcome = choose(&settings, hello, retried).map_err(|refusal| self.refuse(refusal))?;
        self.records.agree_on(ProtocolVersion::TLS1_3);
        let (suite, psk) = match &outcome {
            Outcome::Agreed(choice) => (choice.suite, choice.psk.as_ref()),
            Outcome::Retry(retried, psk) => (retried.suite, psk.as_ref()),
        };
        let parameters = settings.provider.tls13_parameters(suite.id).map_err(internal_error)?;
        let is_second = retry.is_some();
        let mut transcript = match retry {
            Some(retry) => retry.transcript,
            None => parameters.transcript().map_err(internal_error)?,
        };
        let early = match psk {
            Some(psk) => verified_early_secret(&parameters, psk, &transcript, hello, message)
                .map_err(|refusal| self.refuse(refusal))?,
            None => parameters.early_secret(None).map_err(internal_error)?,
        };
        transcript.update(&message.bytes);
        let hellos = Hellos { hello, parameters, transcript };
        match outcome {
            Outcome::Retry(retried, _) => self.retry(&hellos, message, retried),
            Outcome::Agreed(choice) => self.tls13_flight(hellos, choice, &early, is_second),
        }
    }

    /// Asks for a public key of another group (RFC 8446 section 4.1.4).
    fn retry(
        &mut self,
        hellos: &Hellos<'_>,
        message: &Message,
        retried: Retried,
    ) -> Result<ConnectionState, Alert> {
        let Hellos { hello, parameters, transcript } = hellos;
        let mut list = Vec::new();
        put_extension(&mut list, ExtensionType::SUPPORTED_VERSIONS, &TLS1_3);
        put_extension(&mut list, ExtensionType::KEY_SHARE, &retried.group.wire().to_be_bytes());
        let request = put_server_hello(hellos, HELLO_RETRY_REQUEST_RANDOM, &list);
        let mut transcript =
            parameters.transcript_after_retry(transcript).map_err(internal_error)?;
        transcript.update(&request);
        self.records.write(ContentType::Handshake, &request)?;
        self.tls13_change_cipher_spec(hello)?;
        if hello.extensions.has(ExtensionType::EARLY_DATA) {
            self.skip_early_data();
        }
        let first = message.clone();
        let retry = Box::new(Retry { first, retried, transcript });
        Ok(ConnectionState::Tls13(State::SecondHello(retry)))
    }

    /// Processes a message that [`State::max_len`] has let through.
    pub(super) fn tls13_message(
        &mut self,
        state: State,
        message: &Message,
    ) -> Result<ConnectionState, Alert> {
        match state {
            State::SecondHello(retry) => self.second_hello(retry, message),
            State::EndOfEarlyData(mut pending) => {
                require(self.messages.is_empty(), Alert::UnexpectedMessage)?;
                pending.transcript.update(&message.bytes);
                let key = record_key(&pending.client_handshake).map_err(internal_error)?;
                self.records.read_with(key);
                Ok(ConnectionState::Tls13(State::Finished(pending)))
            }
            State::Certificate(pending) => self.tls13_certificate(pending, message),
            State::CertificateVerify(pending) => self.tls13_verify(pending, message),
            State::Finished(pending) => with_one_wipe(|| self.tls13_finished(*pending, message)),
        }
    }

    /// Checks that the client changed in its ClientHello only what it may (RFC 8446 section 4.1.2).
    fn second_hello(
        &mut self,
        retry: Box<Retry>,
        message: &Message,
    ) -> Result<ConnectionState, Alert> {
        let hello = ClientHello::parse(message, View::Strict)?;
        let first = ClientHello::parse(&retry.first, View::Strict)?;
        let has_early_data = hello.extensions.has(ExtensionType::EARLY_DATA);
        if has_early_data || !hello.repeats(&first) {
            self.cause = Some(Cause::ChangedHello);
            return Err(Alert::IllegalParameter);
        }
        self.tls13_hello(&hello, message, Some(retry))
    }

    fn tls13_certificate(
        &mut self,
        mut pending: Box<Pending>,
        message: &Message,
    ) -> Result<ConnectionState, Alert> {
        let received = CertificateMessage::parse(message.body())?;
        require(received.context.is_empty(), Alert::IllegalParameter)?;
        // None was asked for.
        let mut kinds = received.entries.iter().flat_map(|entry| entry.extensions.kinds());
        require(kinds.next().is_none(), Alert::UnsupportedExtension)?;
        pending.transcript.update(&message.bytes);
        let Some(leaf) = received.entries.first() else {
            if self.settings.options.client_auth == ClientAuth::Require {
                self.cause = Some(Cause::NoClientCertificate);
                return Err(Alert::CertificateRequired);
            }
            return Ok(ConnectionState::Tls13(State::Finished(pending)));
        };
        // It came encrypted, but from the one whose certificate it is.
        let certificate = certificate_of(&self.settings.provider, leaf.certificate);
        pending.client_certificate = Some(certificate.map_err(|refusal| self.refuse(refusal))?);
        Ok(ConnectionState::Tls13(State::CertificateVerify(pending)))
    }

    fn tls13_verify(
        &mut self,
        mut pending: Box<Pending>,
        message: &Message,
    ) -> Result<ConnectionState, Alert> {
        let received = CertificateVerify::parse(message.body())?;
        let certificate = pending.client_certificate.take().ok_or(Alert::InternalError)?;
        tls13_certificate_verify(
            &self.settings.provider,
            &pending.parameters,
            &pending.transcript,
            &certificate,
            &received,
        )?;
        pending.info.client_certificate = Some(certificate.fingerprint);
        pending.transcript.update(&message.bytes);
        Ok(ConnectionState::Tls13(State::Finished(pending)))
    }

    /// Checks the client's Finished, which completes the handshake, and sends tickets.
    fn tls13_finished(
        &mut self,
        mut pending: Pending,
        message: &Message,
    ) -> Result<ConnectionState, Alert> {
        require(message.body().len() == pending.parameters.hash_len(), Alert::DecodeError)?;
        let verified =
            pending.client_handshake.verify_finished(&pending.transcript, message.body());
        verified.map_err(|error| match error {
            Error::BadFinished => Alert::DecryptError,
            other => internal_error(other),
        })?;
        require(self.messages.is_empty(), Alert::UnexpectedMessage)?;
        pending.transcript.update(&message.bytes);
        self.records.read_with(record_key(&pending.secrets.read).map_err(internal_error)?);
        self.send_tickets(&pending)?;
        self.exporter = Some(Exporter::Secret(pending.exporter));
        self.secrets = Some(Box::new(pending.secrets));
        // What the owner has not taken is no longer early: the client has shown that it is there.
        let early = mem::take(&mut self.early_data);
        self.early_data_left = None;
        self.data.splice(0..0, early);
        let early_data = pending.info.early_data.map(|_| self.early_data_len);
        self.established = Some(SessionInfo { early_data, ..pending.info });
        Ok(ConnectionState::Established)
    }

    /// Sends tickets for later connections (RFC 8446 section 4.6.1).
    fn send_tickets(&mut self, pending: &Pending) -> Result<(), Alert> {
        let settings = Arc::clone(&self.settings);
        let Some(tickets) = settings.tickets.as_ref().filter(|_| pending.takes_tickets) else {
            return Ok(());
        };
        let left = tickets.lifetime().saturating_sub(pending.began.elapsed()).as_secs();
        let lifetime = u32::try_from(left).unwrap_or(u32::MAX).min(NewSessionTicket::MAX_LIFETIME);
        if lifetime == 0 {
            return Ok(());
        }
        let resumption =
            pending.master.resumption_secret(&pending.transcript).map_err(internal_error)?;
        let suite = pending.parameters.suite().id;
        let max_early_data = settings.options.early_data.map(|early_data| early_data.max_len);
        let mut messages = Vec::new();
        let count = if pending.info.resumed { 1 } else { TICKETS };
        for number in 0..count {
            let nonce = [number];
            let psk = resumption.pre_shared_key(&nonce).map_err(internal_error)?;
            let mut age_add = [0; 4];
            settings.provider.backend().random().fill(&mut age_add).map_err(internal_error)?;
            let age_add = u32::from_be_bytes(age_add);
            let state = TicketState {
                began: pending.began,
                issued: Instant::now(),
                age_add,
                max_early_data: max_early_data.unwrap_or_default(),
                application_protocol: pending.info.application_protocol.clone(),
                client_certificate: pending.info.client_certificate,
                external_psk: pending.info.external_psk.clone(),
                server_name: pending.server_name.clone(),
            };
            let sealed = tickets.seal_psk(&settings.provider, suite, &psk, &state);
            let Some(ticket) = sealed.map_err(internal_error)? else { return Ok(()) };
            let (nonce, ticket) = (&nonce[..], &ticket[..]);
            NewSessionTicket { lifetime, age_add, nonce, ticket, max_early_data }
                .put(&mut messages);
        }
        self.records.write(ContentType::Handshake, &messages)
    }

    /// Takes early data that were accepted.
    pub(super) fn take_in_early_data(&mut self, payload: &[u8]) -> Result<(), Alert> {
        let left = self.early_data_left.and_then(|left| left.checked_sub(payload.len()));
        self.early_data_left = Some(left.ok_or(Alert::UnexpectedMessage)?);
        self.early_data_len += payload.len();
        self.early_data.extend_from_slice(payload);
        Ok(())
    }

    /// Replaces keys as the client asks (RFC 8446 section 4.6.3). A client that does nothing else
    /// is refused.
    pub(super) fn key_update(&mut self, message: &Message) -> Result<ConnectionState, Alert> {
        let update = KeyUpdate::parse(message.body())?;
        require(self.messages.is_empty(), Alert::UnexpectedMessage)?;
        self.idle()?;
        let secrets = self.secrets.as_mut().ok_or(Alert::InternalError)?;
        secrets.update_read(&mut self.records).map_err(internal_error)?;
        if update.update_requested {
            secrets.update_write(&mut self.records, false)?;
        }
        Ok(ConnectionState::Established)
    }
}

/// Returns the Early Secret of a pre-shared key whose binder is right (RFC 8446 section 4.2.11.2).
fn verified_early_secret(
    parameters: &Tls13Parameters,
    psk: &Psk,
    transcript: &HandshakeHash,
    hello: &ClientHello<'_>,
    message: &Message,
) -> Result<EarlySecret, Refusal> {
    let failed = |error| Refusal::from(internal_error(error));
    let early = parameters.early_secret(Some(&psk.key)).map_err(failed)?;
    let offered = hello.extensions.offered_psks()?.ok_or(Alert::InternalError)?;
    let binder = offered.binders.get(psk.index).copied().unwrap_or_default();
    let len = message.bytes.len().saturating_sub(offered.binders_len);
    let mut transcript = transcript.duplicate();
    transcript.update(message.bytes.get(..len).unwrap_or_default());
    let key = early.binder_key(psk.kind()).map_err(failed)?;
    match key.verify_binder(&transcript, binder) {
        Ok(()) => Ok(early),
        Err(Error::BadFinished) => {
            Err(Refusal { alert: Alert::DecryptError, cause: Some(Cause::Binder) })
        }
        Err(other) => Err(failed(other)),
    }
}

/// Writes a ServerHello or a HelloRetryRequest.
fn put_server_hello(hellos: &Hellos<'_>, random: [u8; 32], list: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    let hello = ServerHello {
        version: ProtocolVersion::TLS1_2.wire(),
        random,
        session_id: hellos.hello.session_id,
        // Suites of TLS have numbers of two bytes.
        suite: u16::try_from(hellos.parameters.suite().id.0).unwrap_or_default(),
        compression: 0,
        extensions: Extensions::new(list),
    };
    hello.put(&mut message);
    message
}

/// supported_versions of a server.
const TLS1_3: [u8; 2] = ProtocolVersion::TLS1_3.wire().to_be_bytes();
