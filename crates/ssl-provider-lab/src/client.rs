//! The client's side of a connection, without sockets: bytes in, bytes out.
//! Records, alerts and application data are here; the handshake is in `handshake.rs`, that of TLS
//! 1.3 in `tls13.rs`.
//!
//! Servers are taken to be hostile: whatever they choose must have been offered, fit the rest, and
//! be as long as the policy asks; messages come in order; nothing is buffered without a limit. The
//! first record that fails authentication ends the connection, whatever the reason (Vaudenay,
//! Lucky Thirteen). Every refusal has an alert and a [`ServerFault`].

mod certificate;
mod fault;
mod handshake;
mod hello;
mod session;
mod settings;
mod tls13;

use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use ssl_provider::{CipherSuiteInfo, Error, ProtocolVersion, SignatureScheme};
use ssl_provider_wire::{Alert, Assembler, ContentType, Malformed};

use crate::alert::in_protocol;
use crate::client::certificate::lens;
use crate::client::fault::{Refused, refuse};
use crate::client::handshake::State;
use crate::client::hello::Offer;
use crate::exporter::{ExportFrom, Exporter, NOT_ESTABLISHED};
use crate::group::NamedGroup;
use crate::record_layer::{Content, RecordLayer};
use crate::tls13::{Secrets, record_key};

pub use crate::client::certificate::{
    CERTIFICATE_OF_ANOTHER_KEY, ClientIdentity, Distrust, VerifyServer,
};
pub use crate::client::fault::ServerFault;
pub use crate::client::session::{ClientSession, Resumption};
pub use crate::client::settings::{
    ClientOptions, ClientSettings, DEFAULT_GROUPS, default_client_suites, legacy_client_suites,
};

/// How many records in a row may make no progress: empty ones, warnings, and requests to
/// renegotiate.
const MAX_IDLE_RECORDS: u32 = 32;

/// A connection of the client to a server.
pub struct ClientConnection {
    settings: Arc<ClientSettings>,
    state: State,
    records: RecordLayer,
    /// An incomplete record.
    input: Vec<u8>,
    /// Whether the first record has been received.
    has_begun: bool,
    messages: Assembler,
    /// The level of an alert whose description has not been received.
    alert_level: Option<u8>,
    idle_records: u32,
    closed_by_server: bool,
    /// Whether `close_notify` has been sent, after which nothing may be.
    closed_by_client: bool,
    certificates: Arc<[Vec<u8>]>,
    established: Option<ServerInfo>,
    exporter: Option<Exporter>,
    session: Option<Arc<ClientSession>>,
    /// The secrets of an established connection of TLS 1.3.
    secrets: Option<Box<Secrets>>,
    tickets: Option<tls13::Tickets>,
    early_data: EarlyDataStatus,
    /// How many bytes of early data may still be sent.
    early_data_left: usize,
    early_exporter: Option<Exporter>,
    /// Whether a ChangeCipherSpec of TLS 1.3 has been sent.
    has_sent_ccs: bool,
    /// Whether one came before ServerHello, which is for TLS 1.3 only.
    has_ignored_ccs: bool,
    /// Whether a HelloRequest came before ServerHello, which is for older versions only.
    has_ignored_request: bool,
    /// The session that was offered, until the server declines it.
    offered: Option<Arc<ClientSession>>,
    data: Vec<u8>,
    ending: Option<ClientEnding>,
    fault: Option<ServerFault>,
}

// Not the data, which may be secret, and not the certificates, which are long.
ssl_provider::redacted_debug! { ClientConnection { established, ending, fault, .. } }

/// What was negotiated with a server whose Finished has been verified.
#[derive(Clone)]
#[non_exhaustive]
pub struct ServerInfo {
    /// The version.
    pub protocol: ProtocolVersion,
    /// The cipher suite.
    pub suite: &'static CipherSuiteInfo,
    /// The key agreement of DHE, ECDHE and TLS 1.3; none for RSA, and up to TLS 1.2 where a session
    /// was resumed.
    pub agreement: Option<Agreement>,
    /// Whether the master secret depends on the whole handshake (RFC 7627), as it always does in
    /// TLS 1.3.
    pub extended_master_secret: bool,
    /// Whether records are encrypted before they are authenticated (RFC 7366).
    pub encrypt_then_mac: bool,
    /// Whether the server supports secure renegotiation (RFC 5746); always in TLS 1.3, which has no
    /// other.
    pub secure_renegotiation: bool,
    /// The application protocol that the server chose (RFC 7301).
    pub application_protocol: Option<Vec<u8>>,
    /// How a session was resumed; none for a full handshake.
    pub resumed: Option<Resumption>,
    /// Whether the server asked for a certificate, and whether one was sent.
    pub client_certificate: ClientCertificate,
    /// Whether the external pre-shared key stood for certificates in TLS 1.3.
    pub external_psk: bool,
    /// What became of early data in TLS 1.3.
    pub early_data: EarlyDataStatus,
    /// Whether the server asked for a second ClientHello in TLS 1.3.
    pub retried: bool,
    /// The certificates that the server sent, its own first; those of the session that was resumed.
    pub certificates: Arc<[Vec<u8>]>,
}

impl fmt::Debug for ServerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            protocol,
            suite,
            agreement,
            extended_master_secret,
            encrypt_then_mac,
            secure_renegotiation,
            application_protocol,
            resumed,
            client_certificate,
            external_psk,
            early_data,
            retried,
            certificates,
        } = self;
        f.debug_struct("ServerInfo")
            .field("protocol", protocol)
            .field("suite", suite)
            .field("agreement", agreement)
            .field("extended_master_secret", extended_master_secret)
            .field("encrypt_then_mac", encrypt_then_mac)
            .field("secure_renegotiation", secure_renegotiation)
            .field("application_protocol", application_protocol)
            .field("resumed", resumed)
            .field("client_certificate", client_certificate)
            .field("external_psk", external_psk)
            .field("early_data", early_data)
            .field("retried", retried)
            .field("certificate_lens", &lens(certificates))
            .finish()
    }
}

/// The key agreement of a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// The group; none for a finite field that the server chose itself.
    pub group: Option<NamedGroup>,
    /// Length of a coordinate or of the prime in bits.
    pub bits: usize,
    /// How the server signed; `None` where a pre-shared key of TLS 1.3 stood for that.
    pub scheme: Option<SignatureScheme>,
}

/// What became of early data (0-RTT) of TLS 1.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyDataStatus {
    /// None were offered.
    #[default]
    NotOffered,
    /// They were offered, and the server has not replied.
    Offered,
    /// The server has declined them: what was sent is lost, and has to be sent again.
    Declined,
    /// The server has accepted them.
    Accepted,
}

/// What became of the client's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// The server did not ask for one.
    #[default]
    NotRequested,
    /// The server asked, and got none: there is none, or it takes no key of its kind.
    Declined,
    /// It was sent, and its key signed with this scheme.
    Sent(SignatureScheme),
}

/// How a connection of a client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientEnding {
    /// One side sent `close_notify`.
    Closed,
    /// The client aborted the connection with this alert.
    Refused(Alert),
    /// The server sent a fatal alert with this number.
    FailedByServer(u8),
}

impl ClientConnection {
    /// Returns a connection with a ClientHello in its output.
    ///
    /// - `server_name`: the host name, which is sent as server_name (RFC 6066 section 3) and given
    ///   to the verifier; an IP address is not sent.
    /// - `session`: one to resume. It is offered if it is for these settings and this name.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a name that is neither a host name nor an address;
    /// [`Error::Random`], [`Error::Backend`].
    pub fn new(
        settings: Arc<ClientSettings>,
        server_name: Option<&str>,
        session: Option<Arc<ClientSession>>,
    ) -> Result<Self, Error> {
        let mut connection = Self::silent(settings, server_name, session)?;
        let state = mem::replace(&mut connection.state, State::Closed);
        if let State::ServerHello(offer) = &state {
            connection
                .send_hello(offer)
                .map_err(|_| Error::Internal("a record in the clear cannot fail"))?;
        }
        connection.state = state;
        Ok(connection)
    }

    /// Sends the ClientHello, behind which early data may follow.
    fn send_hello(&mut self, offer: &Offer) -> Result<(), Refused> {
        let settings = Arc::clone(&self.settings);
        self.write(ContentType::Handshake, &offer.message)?;
        let Some((traffic, exporter, max)) = offer.early_secret(&settings)? else { return Ok(()) };
        let random = &offer.random;
        self.log_secret(random, traffic.key_log_label(), traffic.secret_for_key_log())?;
        self.log_secret(random, exporter.key_log_label(), exporter.secret_for_key_log())?;
        self.records.expect_tls13();
        self.tls13_change_cipher_spec(offer)?;
        self.records.write_with(record_key(&traffic)?, traffic.parameters().suite());
        self.early_exporter = Some(Exporter::Secret(exporter));
        self.early_data = EarlyDataStatus::Offered;
        self.early_data_left = max;
        Ok(())
    }

    /// Returns a connection that has not sent its ClientHello.
    fn silent(
        settings: Arc<ClientSettings>,
        server_name: Option<&str>,
        session: Option<Arc<ClientSession>>,
    ) -> Result<Self, Error> {
        let name = server_name.map(|name| name.strip_suffix('.').unwrap_or(name));
        if !name.is_none_or(is_host_name_or_address) {
            return Err(Error::InvalidParameter(
                "server name: expected a host name in ASCII or an IP address",
            ));
        }
        let host_name = name.filter(|name| name.parse::<IpAddr>().is_err());
        let offer = Offer::new(&settings, name, host_name, session)?;
        let first_version = settings.highest().min(ProtocolVersion::TLS1_0);
        Ok(Self {
            settings,
            offered: offer.session().cloned(),
            state: State::ServerHello(Box::new(offer)),
            records: RecordLayer::of_client(first_version),
            input: Vec::new(),
            has_begun: false,
            messages: Assembler::default(),
            alert_level: None,
            idle_records: 0,
            closed_by_server: false,
            closed_by_client: false,
            certificates: Arc::default(),
            established: None,
            exporter: None,
            session: None,
            secrets: None,
            tickets: None,
            early_data: EarlyDataStatus::NotOffered,
            early_data_left: 0,
            early_exporter: None,
            has_sent_ccs: false,
            has_ignored_ccs: false,
            has_ignored_request: false,
            data: Vec::new(),
            ending: None,
            fault: None,
        })
    }

    /// Processes bytes that the server sent. Less than one record is buffered, and what
    /// [`take_data`](Self::take_data) returns.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.ending.is_some() || self.closed_by_server {
            return;
        }
        let mut input = mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut done = 0;
        while self.ending.is_none() && !self.closed_by_server {
            let rest = input.get_mut(done..).unwrap_or_default();
            let step = match self.records.open(rest) {
                Ok(None) => break,
                Ok(Some(record)) => {
                    self.has_begun = true;
                    done += record.len;
                    let payload = rest.get(record.payload).unwrap_or_default();
                    match record.content {
                        Content::Tls(content_type) => self.record(content_type, payload),
                        // A client never reads one.
                        Content::Ssl2Hello => refuse_record(Alert::UnexpectedMessage),
                        // Nor early data.
                        Content::Skipped => Ok(()),
                    }
                }
                Err(alert) => {
                    let first = ServerFault::of_first_bytes(rest).filter(|_| !self.has_begun);
                    refuse(alert, first.unwrap_or(ServerFault::Record(alert)))
                }
            };
            if let Err(refused) = step {
                self.fail(refused);
            }
        }
        if self.ending.is_none() {
            input.drain(..done);
            self.input = input;
        }
    }

    /// Returns the bytes that are to be sent to the server.
    pub fn output(&self) -> &[u8] {
        self.records.output()
    }

    /// Removes the first `len` bytes of the output, which have been sent.
    pub fn sent(&mut self, len: usize) {
        self.records.sent(len);
    }

    /// Returns what was negotiated, once the handshake is complete.
    pub fn established(&self) -> Option<&ServerInfo> {
        self.established.as_ref()
    }

    /// Fills `out` with keying material for another protocol (RFC 5705), as
    /// [`Connection::export_keying_material`](crate::Connection::export_keying_material) of the
    /// server does, with the same parameters.
    ///
    /// # Errors
    ///
    /// The same; [`Error::NotAllowed`] without the extended master secret, unless `from` is
    /// [`ExportFrom::AnySession`].
    pub fn export_keying_material(
        &self,
        from: ExportFrom,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.exporter.as_ref().ok_or(NOT_ESTABLISHED)?.export(from, label, context, out)
    }

    /// As [`export_keying_material`](Self::export_keying_material), from the early exporter secret
    /// of TLS 1.3 (RFC 8446 section 7.5), for a protocol of early data.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] where no early data were offered or the connection has ended,
    /// and as there.
    pub fn export_early_keying_material(
        &self,
        label: &[u8],
        context: Option<&[u8]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        let exporter = self.early_exporter.as_ref().ok_or(NOT_ESTABLISHED)?;
        exporter.export(ExportFrom::ExtendedMasterSecret, label, context, out)
    }

    /// Returns what became of early data.
    pub fn early_data(&self) -> EarlyDataStatus {
        self.early_data
    }

    /// Sends early data (0-RTT), before the handshake is complete. Returns how many bytes go out,
    /// at most as many as the ticket allows: none where none are offered or the server has declined
    /// them.
    ///
    /// Whoever sees them can send them to the server again, and whoever gets the key of the ticket
    /// can read them (RFC 8446 section 8). What the server declines is lost: look at
    /// [`early_data`](Self::early_data) after the handshake.
    pub fn send_early_data(&mut self, data: &[u8]) -> usize {
        let is_early = matches!(self.state, State::ServerHello(_) | State::Tls13(_))
            && matches!(self.early_data, EarlyDataStatus::Offered | EarlyDataStatus::Accepted);
        let taken = data.get(..data.len().min(self.early_data_left)).filter(|_| is_early);
        let taken = taken.unwrap_or_default();
        if let Err(refused) = self.write(ContentType::ApplicationData, taken) {
            self.fail(refused);
            return 0;
        }
        self.early_data_left -= taken.len();
        taken.len()
    }

    /// Replaces the keys of an established connection of TLS 1.3 (RFC 8446 section 4.6.3): those
    /// that this side writes with, and with `both` those of the server too. Returns whether there
    /// is such a connection.
    pub fn update_keys(&mut self, both: bool) -> bool {
        let is_open = self.ending.is_none() && !self.closed_by_client;
        let Some(secrets) = self.secrets.as_mut().filter(|_| is_open) else { return false };
        if let Err(alert) = secrets.update_write(&mut self.records, both) {
            self.fail(Refused { alert, fault: ServerFault::Record(alert) });
        }
        self.ending.is_none()
    }

    /// Returns the certificates that the server sent, its own first, also when they were refused;
    /// empty before that.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// Returns the session to resume, once the handshake is complete, if the server allows it. None
    /// after a fatal alert (RFC 5246 section 7.2.2).
    pub fn session(&self) -> Option<&Arc<ClientSession>> {
        self.session.as_ref()
    }

    /// Returns whether the server sent `close_notify`. The caller then calls
    /// [`close`](Self::close), which replies.
    pub fn is_closed_by_server(&self) -> bool {
        self.closed_by_server
    }

    /// Returns the application data received since the last call.
    pub fn take_data(&mut self) -> Vec<u8> {
        mem::take(&mut self.data)
    }

    /// Sends application data if the handshake is complete and the connection open. Returns whether
    /// it goes out; it is lost where it does not.
    #[must_use]
    pub fn send(&mut self, data: &[u8]) -> bool {
        if !matches!(self.state, State::Established) || self.closed_by_client {
            return false;
        }
        if self.secrets.is_some() && self.records.needs_key_update() {
            self.update_keys(false);
        }
        if let Err(alert) = self.records.write(ContentType::ApplicationData, data) {
            self.fail(Refused { alert, fault: ServerFault::Record(alert) });
        }
        self.ending.is_none()
    }

    /// Sends `close_notify`, and goes on reading: there is no more data, and that of the server is
    /// awaited. RFC 5246 section 7.2.1 lets a server discard what it has not sent; most send it.
    pub fn close_write(&mut self) {
        if matches!(self.state, State::Established) && !self.closed_by_client {
            // If it cannot be written, the server sees the end of the stream.
            let _ = self.records.write(ContentType::Alert, &Alert::CloseNotify.to_bytes());
            self.closed_by_client = true;
        }
    }

    /// Returns how many bytes are kept: incomplete records and messages, data that were not taken,
    /// and output.
    pub fn buffered_len(&self) -> usize {
        let received = self.input.len() + self.messages.buffered_len() + self.data.len();
        received + self.records.output().len()
    }

    /// Frees what buffers have allocated beyond their bytes, such as those of an idle connection.
    pub fn release_memory(&mut self) {
        self.input.shrink_to_fit();
        self.records.release_memory();
    }

    /// Sends `close_notify`. Nothing is read after that.
    pub fn close(&mut self) {
        if self.ending.is_none() {
            self.end(Alert::CloseNotify, ClientEnding::Closed);
        }
    }

    /// Returns how the connection ended, or `None` while it is open. There may be output left to
    /// send. A connection that the server's socket closes while this is `None` was cut off.
    pub fn ending(&self) -> Option<ClientEnding> {
        self.ending
    }

    /// Returns why the server was refused.
    pub fn fault(&self) -> Option<&ServerFault> {
        self.fault.as_ref()
    }

    fn record(&mut self, content_type: ContentType, payload: &[u8]) -> Result<(), Refused> {
        // "Implementations MUST NOT send zero-length fragments of Handshake, Alert, or
        // ChangeCipherSpec content types" (RFC 5246 section 6.2.1).
        if payload.is_empty() && content_type != ContentType::ApplicationData {
            return refuse_record(Alert::UnexpectedMessage);
        }
        // An alert may be fragmented, but nothing may come between its halves.
        if self.alert_level.is_some() && content_type != ContentType::Alert {
            return self.out_of_order("another record within an alert");
        }
        match content_type {
            ContentType::Handshake => self.handshake(payload),
            ContentType::ChangeCipherSpec => self.change_cipher_spec(payload),
            ContentType::Alert => self.alerts(payload),
            ContentType::ApplicationData => self.application_data(payload),
        }
    }

    /// Application data may come between handshake messages, but not within one.
    fn application_data(&mut self, payload: &[u8]) -> Result<(), Refused> {
        if !matches!(self.state, State::Established) || !self.messages.is_empty() {
            return self.out_of_order("application data");
        }
        if payload.is_empty() {
            return self.idle();
        }
        self.idle_records = 0;
        self.data.extend_from_slice(payload);
        Ok(())
    }

    /// Alerts may be fragmented and coalesced, as handshake messages may, but not in TLS 1.3 (RFC
    /// 8446 section 5.1), whose levels are ignored (section 6).
    fn alerts(&mut self, payload: &[u8]) -> Result<(), Refused> {
        if self.records.protocol() == Some(ProtocolVersion::TLS1_3) {
            return match *payload {
                [_, CLOSE_NOTIFY] => self.alert(Alert::WARNING, CLOSE_NOTIFY),
                // close_notify follows.
                [_, USER_CANCELED] => self.idle(),
                [_, description] => self.alert(Alert::FATAL, description),
                _ => Err(Refused::malformed("alert", "expected two bytes")),
            };
        }
        for byte in payload {
            match self.alert_level.take() {
                None => self.alert_level = Some(*byte),
                Some(level) => self.alert(level, *byte)?,
            }
            if self.ending.is_some() || self.closed_by_server {
                break;
            }
        }
        Ok(())
    }

    fn alert(&mut self, level: u8, description: u8) -> Result<(), Refused> {
        match (level, description) {
            (Alert::WARNING, CLOSE_NOTIFY) => {
                self.closed_by_server = true;
                Ok(())
            }
            (Alert::WARNING, _) => self.idle(),
            (Alert::FATAL, _) => {
                self.forget();
                self.stop(ClientEnding::FailedByServer(description));
                Ok(())
            }
            (_, _) => Err(Refused::malformed(
                "alert",
                Malformed { reason: "unknown level", alert: Alert::IllegalParameter },
            )),
        }
    }

    /// Counts a record that makes no progress.
    fn idle(&mut self) -> Result<(), Refused> {
        self.idle_records += 1;
        match self.idle_records <= MAX_IDLE_RECORDS {
            true => Ok(()),
            false => refuse(Alert::UnexpectedMessage, ServerFault::Idle),
        }
    }

    /// Refuses what is not expected now.
    fn out_of_order<T>(&self, found: &str) -> Result<T, Refused> {
        let fault = ServerFault::Order { found: found.to_owned(), expected: self.state.expected() };
        refuse(Alert::UnexpectedMessage, fault)
    }

    /// Sends a warning, or fails with the fatal alert that replaces it in SSL 3.0.
    fn warn(&mut self, alert: Alert) -> Result<(), Refused> {
        if self.closed_by_client {
            return Ok(());
        }
        match in_protocol(alert, self.records.protocol()) {
            fatal if fatal.is_fatal() => self.out_of_order("HelloRequest"),
            warning => self.write(ContentType::Alert, &warning.to_bytes()),
        }
    }

    fn write(&mut self, content_type: ContentType, payload: &[u8]) -> Result<(), Refused> {
        let written = self.records.write(content_type, payload);
        written.map_err(|alert| Refused { alert, fault: ServerFault::Record(alert) })
    }

    /// Aborts the connection with a fatal alert. Its session must not be resumed
    /// (RFC 5246 section 7.2.2).
    fn fail(&mut self, Refused { alert, fault }: Refused) {
        let alert = in_protocol(alert, self.records.protocol());
        self.forget();
        self.fault = Some(fault);
        self.end(alert, ClientEnding::Refused(alert));
    }

    fn forget(&mut self) {
        for session in self.session.take().into_iter().chain(self.offered.take()) {
            session.fail();
        }
    }

    /// Sends a last alert, unless `close_notify` was it, and closes.
    fn end(&mut self, alert: Alert, ending: ClientEnding) {
        if !self.closed_by_client {
            // If even the alert cannot be written, the server sees the end of the stream.
            let _ = self.records.write(ContentType::Alert, &alert.to_bytes());
        }
        self.stop(ending);
    }

    fn stop(&mut self, ending: ClientEnding) {
        self.state = State::Closed;
        self.input = Vec::new();
        self.messages = Assembler::default();
        self.exporter = None;
        self.early_exporter = None;
        self.secrets = None;
        self.tickets = None;
        self.ending = Some(ending);
    }
}

fn refuse_record<T>(alert: Alert) -> Result<T, Refused> {
    refuse(alert, ServerFault::Record(alert))
}

/// A host name in ASCII: letters, digits, hyphens and underscores between dots, at most 253 bytes.
fn is_host_name_or_address(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

const CLOSE_NOTIFY: u8 = Alert::CloseNotify.code();
const USER_CANCELED: u8 = Alert::UserCanceled.code();

#[cfg(test)]
pub(crate) mod tests;
