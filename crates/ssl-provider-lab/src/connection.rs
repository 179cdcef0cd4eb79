//! The server's side of a connection, without sockets: bytes in, bytes out.
//! Records, alerts and application data are here; the handshake is in [`handshake`], that of TLS
//! 1.3 in [`tls13`].
//!
//! A connection that has received a ClientKeyExchange of RSA key exchange pauses, so that its owner
//! can decrypt many premaster secrets at once. Whether it pauses depends on suite and type only.
//!
//! # What an attacker at the socket can learn
//!
//! Every refusal before the client's Finished has its reason in what the client sent in the clear:
//! order, lengths, lists. A ClientKeyExchange whose length field fits always continues the
//! handshake, whatever its ciphertext holds and however long it is (RFC 5246 section 7.4.7.1):
//! there is no padding oracle (Bleichenbacher, ROBOT). In TLS 1.3, later messages are encrypted,
//! and only the client itself can write them. The first record that fails authentication ends the
//! connection with `bad_record_mac`, whatever the reason (Vaudenay, Lucky Thirteen).

mod ephemeral;
mod handshake;
mod tls13;

use std::mem;
use std::sync::Arc;

use serde_json::{Map, Value};
use ssl_provider::{CipherSuiteInfo, DecryptedPremaster, Error, ProtocolVersion, SignatureScheme};
use ssl_provider_wire::{Alert, Assembler, ContentType};
use zeroize::Zeroizing;

use crate::alert::{in_protocol, require};
use crate::connection::handshake::State;
use crate::exporter::{ExportFrom, Exporter, NOT_ESTABLISHED};
use crate::group::NamedGroup;
use crate::record_layer::{Content, RecordLayer};
use crate::refusal::Cause;
use crate::session::{Fingerprint, SessionId};
use crate::settings::Settings;
use crate::tls13::Secrets;

/// How many renegotiations a client may begin on a connection; more are declined.
const MAX_RENEGOTIATIONS: u32 = 16;

/// How many records in a row may make no progress: empty ones, warnings, declined renegotiations,
/// and changes of keys.
const MAX_IDLE_RECORDS: u32 = 32;

/// A connection of a client to the server.
pub struct Connection {
    settings: Arc<Settings>,
    state: State,
    records: RecordLayer,
    /// An incomplete record.
    input: Vec<u8>,
    messages: Assembler,
    /// The level of an alert whose description has not been received.
    alert_level: Option<u8>,
    idle_records: u32,
    closed_by_client: bool,
    established: Option<SessionInfo>,
    exporter: Option<Exporter>,
    /// The secrets of an established connection of TLS 1.3.
    secrets: Option<Box<Secrets>>,
    early_exporter: Option<Exporter>,
    /// Early data that were accepted and not taken.
    early_data: Vec<u8>,
    /// How many bytes of them were received.
    early_data_len: usize,
    /// How many more may be.
    early_data_left: Option<usize>,
    /// Whether a handshake has agreed on encrypt-then-MAC.
    encrypt_then_mac: bool,
    verify_data: VerifyData,
    /// How many handshakes have begun after the first.
    renegotiations: u32,
    /// The sessions to remove from the cache when the connection fails: those of all handshakes.
    session_ids: Vec<SessionId>,
    data: Vec<u8>,
    /// Data to be sent once the client's Finished has been verified.
    held: Vec<u8>,
    /// Whether the connection is to be closed after that.
    closes: bool,
    ending: Option<Ending>,
    cause: Option<Cause>,
}

// Not the data, which may be secret.
ssl_provider::redacted_debug! { Connection { established, ending, cause, .. } }

/// The verify_data of the last handshake, which the next one is bound to (RFC 5746 section 3.1).
#[derive(Debug, Default)]
struct VerifyData {
    client: Vec<u8>,
    server: Vec<u8>,
}

/// What was negotiated with a client whose Finished has been verified.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The version.
    pub protocol: ProtocolVersion,
    /// The cipher suite.
    pub suite: &'static CipherSuiteInfo,
    /// The group of the ephemeral keys; `None` for RSA key exchange and, up to TLS 1.2, a resumed
    /// session.
    pub group: Option<NamedGroup>,
    /// What the server signed its ephemeral key with; `None` as for the group.
    pub signature_scheme: Option<SignatureScheme>,
    /// Whether the master secret depends on the whole handshake (RFC 7627), as it always does in
    /// TLS 1.3.
    pub extended_master_secret: bool,
    /// Whether records are encrypted before they are authenticated (RFC 7366).
    pub encrypt_then_mac: bool,
    /// Whether an earlier session was resumed (abbreviated handshake).
    pub resumed: bool,
    /// Whether the client supports secure renegotiation (RFC 5746); always in TLS 1.3, which has no
    /// other.
    pub secure_renegotiation: bool,
    /// The application protocol (RFC 7301).
    pub application_protocol: Option<String>,
    /// SHA-256 of the client's certificate, if it sent one and its CertificateVerify was valid. The
    /// issuer is not checked.
    pub client_certificate: Option<Fingerprint>,
    /// The name of the pre-shared key that stood for certificates in TLS 1.3, in the handshake
    /// from which a resumed session comes too.
    pub external_psk: Option<Vec<u8>>,
    /// How many bytes of early data were accepted in TLS 1.3; `None` where none were.
    pub early_data: Option<usize>,
    /// Whether the client had to send a second ClientHello in TLS 1.3.
    pub retried: bool,
}

impl SessionInfo {
    /// Returns the session as a JSON object, for the page and the reports of `sslprov serve`.
    pub fn to_json(&self) -> Map<String, Value> {
        let hex = |bytes: &Fingerprint| base16ct::lower::encode_string(bytes);
        let facts: [(&str, Value); 11] = [
            ("version", self.protocol.to_string().into()),
            ("suite", self.suite.name.into()),
            ("suite_id", format!("0x{:04x}", self.suite.id.0).into()),
            ("group", self.group.map(NamedGroup::name).into()),
            ("signature_scheme", self.signature_scheme.map(SignatureScheme::name).into()),
            ("extended_master_secret", self.extended_master_secret.into()),
            ("encrypt_then_mac", self.encrypt_then_mac.into()),
            ("resumed", self.resumed.into()),
            ("secure_renegotiation", self.secure_renegotiation.into()),
            ("application_protocol", self.application_protocol.clone().into()),
            ("client_certificate", self.client_certificate.as_ref().map(hex).into()),
        ];
        let identity = self.external_psk.as_ref().map(|it| it.escape_ascii().to_string());
        let of_tls13: [(&str, Value); 3] = [
            ("external_psk", identity.into()),
            ("early_data", self.early_data.into()),
            ("retried", self.retried.into()),
        ];
        let is_tls13 = self.protocol == ProtocolVersion::TLS1_3;
        let of_tls13 = of_tls13.into_iter().filter(|_| is_tls13);
        facts.into_iter().chain(of_tls13).map(|(key, value)| (key.to_owned(), value)).collect()
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// One side sent `close_notify`.
    Closed,
    /// The server aborted the connection with this alert.
    Refused(Alert),
    /// The client sent a fatal alert with this number.
    FailedByClient(u8),
}

impl Connection {
    /// Returns a connection that waits for a ClientHello.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            state: State::Hello,
            records: RecordLayer::default(),
            input: Vec::new(),
            messages: Assembler::default(),
            alert_level: None,
            idle_records: 0,
            closed_by_client: false,
            established: None,
            exporter: None,
            secrets: None,
            early_exporter: None,
            early_data: Vec::new(),
            early_data_len: 0,
            early_data_left: None,
            encrypt_then_mac: false,
            verify_data: VerifyData::default(),
            renegotiations: 0,
            session_ids: Vec::new(),
            data: Vec::new(),
            held: Vec::new(),
            closes: false,
            ending: None,
            cause: None,
        }
    }

    /// Processes bytes that the client sent. Less than one record is buffered, and what
    /// [`take_data`](Self::take_data) returns.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.receive_until_decryption(bytes);
        let settings = Arc::clone(&self.settings);
        while let Some(ciphertext) = self.pending_ciphertext() {
            let decrypted = settings.decrypt_premasters(&[ciphertext]);
            self.continue_with(decrypted.map(|decrypted| decrypted.into_iter().next()));
        }
    }

    /// As [`receive`](Self::receive), but stops at a ClientKeyExchange, whose ciphertext
    /// [`pending_ciphertext`](Self::pending_ciphertext) then returns. What follows it is buffered:
    /// receive no more before [`continue_with`](Self::continue_with).
    pub fn receive_until_decryption(&mut self, bytes: &[u8]) {
        if self.ending.is_some() || self.closed_by_client {
            return;
        }
        let mut input = mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut done = 0;
        while self.ending.is_none() && !self.closed_by_client && !self.is_paused() {
            let rest = input.get_mut(done..).unwrap_or_default();
            let step = match self.records.open(rest) {
                Ok(None) => break,
                Ok(Some(record)) => {
                    done += record.len;
                    let payload = rest.get(record.payload).unwrap_or_default();
                    match record.content {
                        Content::Tls(content_type) => self.record(content_type, payload),
                        Content::Ssl2Hello => self.ssl2_hello(payload),
                        Content::Skipped => Ok(()),
                    }
                }
                Err(alert) => {
                    if !self.records.has_begun() {
                        self.cause = Cause::of_first_bytes(rest);
                    }
                    Err(alert)
                }
            };
            if let Err(alert) = step {
                self.fail(alert);
            }
        }
        if self.ending.is_none() {
            input.drain(..done);
            self.input = input;
        }
    }

    /// Returns the ciphertext of a paused connection, to be decrypted with the key of its settings.
    pub fn pending_ciphertext(&self) -> Option<&[u8]> {
        match &self.state {
            State::Decryption(waiting) => Some(waiting.ciphertext()),
            _ => None,
        }
    }

    /// Continues a paused connection with its decrypted premaster secret, and processes what was
    /// buffered. An error of the library, or none where there should be one, ends it with
    /// `internal_error`. Does nothing for a connection that is not paused.
    pub fn continue_with(&mut self, decrypted: Result<Option<DecryptedPremaster<'_>>, Error>) {
        if !self.is_paused() {
            return;
        }
        if let Err(alert) = self.decrypted(decrypted) {
            self.fail(alert);
        }
        self.receive_until_decryption(&[]);
    }

    /// What a hostile server writes with.
    #[cfg(test)]
    pub(crate) fn records(&mut self) -> &mut RecordLayer {
        &mut self.records
    }

    fn is_paused(&self) -> bool {
        matches!(self.state, State::Decryption(_))
    }

    /// Returns the bytes that are to be sent to the client.
    pub fn output(&self) -> &[u8] {
        self.records.output()
    }

    /// Removes the first `len` bytes of the output, which have been sent.
    pub fn sent(&mut self, len: usize) {
        self.records.sent(len);
    }

    /// Returns the session once the handshake is complete.
    pub fn established(&self) -> Option<&SessionInfo> {
        self.established.as_ref()
    }

    /// Fills `out` with keying material for another protocol (RFC 5705), from the last handshake
    /// that is complete.
    ///
    /// - `from`: without the extended master secret the peer may not be the only other one that has
    ///   the same keying material; such a session has to be asked for.
    /// - `label`: printable ASCII, from IANA's registry or beginning with `EXPERIMENTAL`.
    /// - `context`: up to 65535 bytes; none is not the same as an empty one.
    /// - `out`: at least one byte.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] without the extended master secret, unless `from` is
    /// [`ExportFrom::AnySession`]; [`Error::InvalidParameter`] where the connection is not
    /// established or has ended, and for a label, a context or a length that is not as said;
    /// [`Error::UnsupportedProtocol`] for SSL 3.0; errors of the backend.
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
    /// of TLS 1.3 (RFC 8446 section 7.5), for a protocol of early data: it depends on the
    /// pre-shared key and the ClientHello alone, which somebody may have sent again.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] where no early data were accepted or the connection has ended,
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

    /// Returns the keying material that the page shows, in hexadecimal; none where its label is not
    /// set or the session may not export.
    pub(crate) fn keying_material_of_page(&self) -> Option<String> {
        let label = self.settings.options.exported_label.as_deref()?.as_bytes();
        let mut material = Zeroizing::new([0; 32]);
        let exported =
            self.export_keying_material(ExportFrom::default(), label, None, &mut *material);
        exported.ok().map(|()| base16ct::lower::encode_string(&*material))
    }

    /// Returns the settings that the connection was made with.
    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Returns whether the client sent `close_notify`. The caller then sends what it has left and
    /// calls [`close`](Self::close); the client may still be reading.
    pub fn is_closed_by_client(&self) -> bool {
        self.closed_by_client
    }

    /// Returns the application data received since the last call.
    pub fn take_data(&mut self) -> Vec<u8> {
        mem::take(&mut self.data)
    }

    /// Returns early data (0-RTT) received since the last call, before the handshake is complete:
    /// somebody may have sent them again (see [`EarlyData`](crate::EarlyData)). What is not taken
    /// comes with the other data, once the client has shown that it is there.
    pub fn take_early_data(&mut self) -> Vec<u8> {
        mem::take(&mut self.early_data)
    }

    /// Replaces the keys of an established connection of TLS 1.3 (RFC 8446 section 4.6.3): those
    /// that this side writes with, and with `both` those of the client too. Returns whether there
    /// is such a connection.
    pub fn update_keys(&mut self, both: bool) -> bool {
        let Some(secrets) = self.secrets.as_mut().filter(|_| self.ending.is_none()) else {
            return false;
        };
        if let Err(alert) = secrets.update_write(&mut self.records, both) {
            self.fail(alert);
        }
        self.ending.is_none()
    }

    /// Sends application data if a handshake is complete and the connection open, or if early data
    /// were accepted. During a renegotiation it goes under the keys of the handshake before; where
    /// that resumes a session, so that the new keys come before the client's Finished, it waits for
    /// that. Returns whether the data goes out; it is lost where it does not.
    #[must_use]
    pub fn send(&mut self, data: &[u8]) -> bool {
        let is_early = matches!(&self.state, State::Tls13(state) if state.has_early_data());
        if (self.established.is_none() && !is_early) || self.ending.is_some() {
            return false;
        }
        if self.secrets.is_some() && self.records.needs_key_update() {
            self.update_keys(false);
        }
        if self.awaits_finished() {
            self.held.extend_from_slice(data);
        } else if let Err(alert) = self.records.write(ContentType::ApplicationData, data) {
            self.fail(alert);
        }
        self.ending.is_none()
    }

    /// Returns how many bytes are kept: incomplete records and messages, data that were not taken,
    /// data that wait for the client's Finished, and output.
    pub fn buffered_len(&self) -> usize {
        let data = self.data.len() + self.early_data.len() + self.held.len();
        self.input.len() + self.messages.buffered_len() + data + self.records.output().len()
    }

    /// Frees what buffers have allocated beyond their bytes, such as those of an idle connection.
    pub fn release_memory(&mut self) {
        self.input.shrink_to_fit();
        self.held.shrink_to_fit();
        self.records.release_memory();
    }

    /// Sends `close_notify`. Nothing is read after that. If data waits for the client's Finished,
    /// the end waits too, unless the client has closed.
    pub fn close(&mut self) {
        self.closes = !self.held.is_empty() && !self.closed_by_client;
        if self.ending.is_none() && !self.closes {
            self.end(Alert::CloseNotify, Ending::Closed);
        }
    }

    /// Sends the data that was held back, now that the handshake is complete.
    fn send_held(&mut self) {
        let held = mem::take(&mut self.held);
        if !held.is_empty() {
            // If it does not go out, the connection has ended, which tells.
            let _ = self.send(&held);
        }
        if self.closes {
            self.close();
        }
    }

    /// Aborts the connection with `internal_error`, after a panic in it.
    pub(crate) fn abort(&mut self) {
        if self.ending.is_none() {
            self.fail(Alert::InternalError);
        }
    }

    /// Returns how the connection ended, or `None` while it is open. There may be output left to
    /// send.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Returns why a client was refused, if the reason was in an unencrypted message, in the
    /// client's certificate, or is the server's own. Anything else has its alert alone, so that the
    /// log is no oracle.
    pub fn cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    fn record(&mut self, content_type: ContentType, payload: &[u8]) -> Result<(), Alert> {
        // "Implementations MUST NOT send zero-length fragments of Handshake, Alert, or
        // ChangeCipherSpec content types" (RFC 5246 section 6.2.1).
        if payload.is_empty() && content_type != ContentType::ApplicationData {
            return Err(Alert::UnexpectedMessage);
        }
        // An alert may be fragmented, but nothing may come between its halves: if keys changed
        // there, an attacker's byte in the clear would join one that is authenticated.
        if self.alert_level.is_some() && content_type != ContentType::Alert {
            return Err(Alert::UnexpectedMessage);
        }
        match content_type {
            ContentType::Handshake => self.handshake(payload),
            ContentType::ChangeCipherSpec => self.change_cipher_spec(payload),
            ContentType::Alert => self.alerts(payload),
            ContentType::ApplicationData => self.application_data(payload),
        }
    }

    /// Application data may come between handshake messages, but not within one, nor within a
    /// renegotiation: then it would be unclear which session it belongs to.
    fn application_data(&mut self, payload: &[u8]) -> Result<(), Alert> {
        let is_early = matches!(&self.state, State::Tls13(tls13::State::EndOfEarlyData(_)));
        let is_expected = is_early || matches!(self.state, State::Established);
        require(is_expected && self.messages.is_empty(), Alert::UnexpectedMessage)?;
        if payload.is_empty() {
            return self.idle();
        }
        self.idle_records = 0;
        if is_early {
            return self.take_in_early_data(payload);
        }
        self.data.extend_from_slice(payload);
        Ok(())
    }

    /// Alerts may be fragmented and coalesced, as handshake messages may, but not in TLS 1.3 (RFC
    /// 8446 section 5.1).
    fn alerts(&mut self, payload: &[u8]) -> Result<(), Alert> {
        if self.is_tls13() {
            let [_, description] = *payload else { return Err(Alert::DecodeError) };
            return self.tls13_alert(description);
        }
        for byte in payload {
            match self.alert_level.take() {
                None => self.alert_level = Some(*byte),
                Some(level) => self.alert(level, *byte)?,
            }
            if self.ending.is_some() || self.closed_by_client {
                break;
            }
        }
        Ok(())
    }

    /// Whether TLS 1.3 was agreed on.
    fn is_tls13(&self) -> bool {
        self.records.protocol() == Some(ProtocolVersion::TLS1_3)
    }

    /// The level says nothing in TLS 1.3 (RFC 8446 section 6).
    fn tls13_alert(&mut self, description: u8) -> Result<(), Alert> {
        match description {
            CLOSE_NOTIFY => self.alert(Alert::WARNING, description),
            // close_notify follows.
            USER_CANCELED => self.idle(),
            _ => self.alert(Alert::FATAL, description),
        }
    }

    fn alert(&mut self, level: u8, description: u8) -> Result<(), Alert> {
        match (level, description) {
            (Alert::WARNING, CLOSE_NOTIFY) => {
                self.closed_by_client = true;
                Ok(())
            }
            (Alert::WARNING, _) => self.idle(),
            (Alert::FATAL, _) => {
                self.forget();
                self.stop(Ending::FailedByClient(description));
                Ok(())
            }
            (_, _) => Err(Alert::IllegalParameter),
        }
    }

    /// Counts a record that makes no progress.
    fn idle(&mut self) -> Result<(), Alert> {
        self.idle_records += 1;
        require(self.idle_records <= MAX_IDLE_RECORDS, Alert::UnexpectedMessage)
    }

    /// Sends a warning, or fails with the fatal alert that replaces it in SSL 3.0.
    fn warn(&mut self, alert: Alert) -> Result<(), Alert> {
        match in_protocol(alert, self.records.protocol()) {
            fatal if fatal.is_fatal() => Err(fatal),
            warning => self.records.write(ContentType::Alert, &warning.to_bytes()),
        }
    }

    /// Aborts the connection with a fatal alert. Its sessions must not be resumed
    /// (RFC 5246 section 7.2.2).
    fn fail(&mut self, alert: Alert) {
        let alert = in_protocol(alert, self.records.protocol());
        self.forget();
        self.end(alert, Ending::Refused(alert));
    }

    fn forget(&mut self) {
        if let Some(sessions) = &self.settings.sessions {
            self.session_ids.iter().for_each(|id| sessions.remove(id));
        }
    }

    /// Sends a last alert and closes.
    fn end(&mut self, alert: Alert, ending: Ending) {
        // If even the alert cannot be written, the client sees the end of the stream.
        let _ = self.records.write(ContentType::Alert, &alert.to_bytes());
        self.stop(ending);
    }

    fn stop(&mut self, ending: Ending) {
        self.state = State::Closed;
        self.input = Vec::new();
        self.messages = Assembler::default();
        self.held = Vec::new();
        self.exporter = None;
        self.early_exporter = None;
        self.secrets = None;
        self.ending = Some(ending);
    }
}

const CLOSE_NOTIFY: u8 = Alert::CloseNotify.code();
const USER_CANCELED: u8 = Alert::UserCanceled.code();
