//! A connection of the proxy: a client and its device, and the bytes between them.
//!
//! Each side is read only while what waits for the other side is below a limit, so the memory of a
//! connection is bounded however fast one side is and however slow the other (back-pressure). When
//! a client closes its side, the device gets `close_notify` and is read on. When a device closes,
//! both directions are over (RFC 5246 section 7.2.1), and the client gets `close_notify` only if
//! the device sent one: a client must be able to see that data was cut off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Registry, Token};
use ssl_provider::ProtocolVersion;
use ssl_provider_lab::client::{ClientConnection, ClientEnding};

use super::Shared;
use super::connecting::Connecting;
use super::device::Device;
use super::ending::{Ended, Reason, Spoken};
use super::inbound::{ClientFault, Closed, Inbound, Received};
use super::socket::Found;
use crate::client::refusal;
use crate::panics;

/// What a thread lends to the connection that it continues.
pub(super) struct Context<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) registry: &'a Registry,
    /// The token for the device's socket.
    pub(super) device_token: Token,
    pub(super) now: Instant,
    /// Bytes of a socket.
    pub(super) buffer: &'a mut [u8],
    /// Data of a client; empty between two uses.
    pub(super) data: &'a mut Vec<u8>,
}

/// What is to be done with a connection next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Something has moved, and there may be more.
    Again,
    /// Its sockets have to become ready.
    Wait,
    /// It has ended.
    End,
}

/// A client and its device.
pub(super) struct Pair {
    peer: SocketAddr,
    began: Instant,
    /// When the stage began, or when bytes moved last.
    progress_at: Instant,
    client: Inbound,
    /// Whether the client has closed its side.
    client_is_done: bool,
    device: Option<Device>,
    stage: Stage,
    spoken: Option<Spoken>,
    /// Whether a ticket of TLS 1.3 has been kept.
    has_kept_ticket: bool,
    to_device: u64,
    to_client: u64,
    ending: Option<Ending>,
    /// Whether buffers were freed since the last bytes.
    is_small: bool,
    /// Whether its thread continues it without waiting for its sockets.
    pub(super) is_unfinished: bool,
}

enum Stage {
    /// The ClientHello is awaited.
    Hello,
    Connecting(Connecting),
    DeviceHandshake,
    ClientHandshake,
    /// Data is carried.
    Open,
    /// The rest is sent to the client, which then has some time to close its side: closing a socket
    /// with unread bytes would reset it, and what was sent last would be lost.
    Closing(Option<Lingering>),
}

#[derive(Clone, Copy)]
struct Lingering {
    since: Instant,
    discarded: usize,
}

struct Ending {
    reason: Reason,
    detail: Option<String>,
    advice: Option<String>,
}

impl From<Reason> for Ending {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: None, advice: None }
    }
}

impl Ending {
    fn with(reason: Reason, detail: impl ToString) -> Self {
        Self { detail: Some(detail.to_string()), ..reason.into() }
    }

    /// The end of a connection to the device by an alert of either side.
    fn by_alert(ending: ClientEnding, connection: &ClientConnection) -> Self {
        let reason = match ending {
            ClientEnding::FailedByServer(_) => Reason::DeviceAlert,
            ClientEnding::Refused(_) | ClientEnding::Closed => Reason::DeviceRefused,
        };
        Self { detail: refusal::reason(connection), ..reason.into() }
    }
}

impl Pair {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, speaks_tls: bool, now: Instant) -> Self {
        Self {
            peer,
            began: now,
            progress_at: now,
            client: Inbound::new(stream, speaks_tls),
            client_is_done: false,
            device: None,
            stage: Stage::Hello,
            spoken: None,
            has_kept_ticket: false,
            to_device: 0,
            to_client: 0,
            ending: None,
            is_small: false,
            is_unfinished: false,
        }
    }

    pub(super) fn note_client(&mut self, event: &Event) {
        self.client.socket.note(event);
    }

    pub(super) fn note_device(&mut self, event: &Event) {
        if let Stage::Connecting(connecting) = &mut self.stage {
            connecting.note(event);
        } else if let Some(device) = &mut self.device {
            device.socket.note(event);
        }
    }

    /// Continues as far as the sockets allow, but not for so long that others wait.
    pub(super) fn proceed(&mut self, context: &mut Context<'_>) -> Step {
        for _ in 0..ROUNDS {
            let step = match self.stage {
                Stage::Hello => self.hello(context),
                Stage::Connecting(_) => self.connecting(context),
                Stage::DeviceHandshake => self.device_handshake(context),
                Stage::ClientHandshake => self.client_handshake(context),
                Stage::Open => self.carry(context),
                Stage::Closing(_) => self.closing(context),
            };
            match step {
                Step::Again => {
                    self.is_small = false;
                }
                Step::Wait | Step::End => return step,
            }
        }
        Step::Again
    }

    /// Awaits the ClientHello, and goes for the device then. Without TLS, it does so at once.
    fn hello(&mut self, context: &mut Context<'_>) -> Step {
        match self.client.hello() {
            Ok(false) => Step::Wait,
            Ok(true) => {
                let (shared, now) = (context.shared, context.now);
                let connecting =
                    Connecting::new(shared.addresses.now(), now, shared.limits.handshake);
                self.enter(Stage::Connecting(connecting), now)
            }
            Err(fault) => self.client_failed(fault),
        }
    }

    fn connecting(&mut self, context: &mut Context<'_>) -> Step {
        let Stage::Connecting(connecting) = &mut self.stage else { return Step::Wait };
        match connecting.proceed(context.registry, context.device_token, context.now) {
            Ok(None) => Step::Wait,
            Ok(Some(socket)) => {
                let session = context.shared.sessions.to_offer(context.now);
                let settings = Arc::clone(&context.shared.settings);
                let name = context.shared.server_name.as_deref();
                match ClientConnection::new(settings, name, session) {
                    Ok(connection) => {
                        self.device = Some(Device::new(socket, connection, context.now));
                        self.enter(Stage::DeviceHandshake, context.now)
                    }
                    Err(error) => self.end(Ending::with(Reason::DeviceRefused, error)),
                }
            }
            Err(failure) => self.end(Ending::with(Reason::DeviceUnreachable, failure)),
        }
    }

    fn device_handshake(&mut self, context: &mut Context<'_>) -> Step {
        let Some(device) = &mut self.device else { return Step::Wait };
        let sent = device.flush();
        let found = device.receive(context.buffer);
        // Sends the reply to the last message.
        device.flush();
        let connection = &device.connection;
        if let Some(ending) = connection.ending() {
            context.shared.sessions.forget();
            let advice = context.shared.advice(connection);
            let ended = Ending { advice, ..Ending::by_alert(ending, connection) };
            return self.end(ended);
        }
        if let Some(info) = connection.established() {
            let is_resumed = info.resumed.is_some();
            let spoken = Spoken { version: info.protocol, suite: info.suite, is_resumed };
            self.spoken = Some(spoken);
            let took = context.now.saturating_duration_since(device.connected_at);
            context.shared.metrics.count_handshake(spoken, took);
            if let Some(session) = connection.session() {
                context.shared.sessions.keep(Arc::clone(session), is_resumed, context.now);
            }
            if let Some(config) = &context.shared.tls
                && let Err(fault) = self.client.accept(config)
            {
                return self.client_failed(fault);
            }
            return self.enter(Stage::ClientHandshake, context.now);
        }
        match found {
            Ok(Found::Bytes(_)) => Step::Again,
            Ok(Found::Nothing) if sent => Step::Again,
            Ok(Found::Nothing) => Step::Wait,
            Ok(Found::End) => {
                context.shared.sessions.forget();
                let detail = "it closed the connection during the handshake";
                self.end(Ending::with(Reason::DeviceLost, detail))
            }
            Err(error) => {
                context.shared.sessions.forget();
                self.end(Ending::with(Reason::DeviceLost, error))
            }
        }
    }

    /// Completes the handshake with the client. Without TLS, there is none.
    fn client_handshake(&mut self, context: &mut Context<'_>) -> Step {
        if !self.client.is_handshaking() {
            // The last flight may be waiting.
            return match self.client.flush() {
                Ok(_) => self.enter(Stage::Open, context.now),
                Err(error) => self.client_failed(error.into()),
            };
        }
        match self.client.flush() {
            Ok(true) => return Step::Again,
            Ok(false) => {}
            Err(error) => return self.client_failed(error.into()),
        }
        match self.client.receive(context.buffer, context.data) {
            Ok(Received::Data) => {
                self.send_to_device(context);
                Step::Again
            }
            Ok(Received::Progress) => Step::Again,
            Ok(Received::Nothing) => Step::Wait,
            Ok(Received::Closed(_)) => {
                let detail = "closed during the handshake".to_owned();
                self.client_failed(ClientFault::Lost(detail))
            }
            Err(fault) => self.client_failed(fault),
        }
    }

    /// Carries data both ways.
    fn carry(&mut self, context: &mut Context<'_>) -> Step {
        let limit = context.shared.limits.buffer;
        let mut progress = false;
        match self.client.flush() {
            Ok(sent) => progress |= sent,
            Err(error) => return self.client_failed(error.into()),
        }
        let Some(device) = &mut self.device else { return Step::Wait };
        progress |= device.flush();

        let write_failed = device.write_failed;

        // Data of the device.
        let mut found = Ok(Found::Nothing);
        let (for_device, for_client) = (device.connection.output().len(), self.client.output.len());
        if for_device < limit + MARGIN && for_client < limit {
            found = device.receive(context.buffer);
            progress |= matches!(found, Ok(Found::Bytes(_)));
            // With what may have come during the handshake of the client.
            let data = device.connection.take_data();
            if !data.is_empty() {
                progress = true;
                self.client.send(&data);
                let len = u64::try_from(data.len()).unwrap_or(u64::MAX);
                self.to_client += len;
                context.shared.metrics.to_client.fetch_add(len, Ordering::Relaxed);
            }
        }
        let connection = &device.connection;
        // In TLS 1.3, tickets come behind the handshake.
        if let (Some(spoken), Some(session)) = (self.spoken, connection.session())
            && spoken.version == ProtocolVersion::TLS1_3
            && !self.has_kept_ticket
        {
            self.has_kept_ticket = true;
            context.shared.sessions.keep(Arc::clone(session), spoken.is_resumed, context.now);
        }
        if connection.is_closed_by_server() {
            return self.device_closed(Closed::Cleanly);
        }
        if let Some(ending) = connection.ending() {
            context.shared.sessions.forget();
            let ended = Ending::by_alert(ending, connection);
            return self.end(ended);
        }
        match found {
            Ok(Found::Bytes(_) | Found::Nothing) => {}
            Ok(Found::End) => return self.device_closed(Closed::CutOff),
            Err(error) => return self.end(Ending::with(Reason::DeviceLost, error)),
        }

        // Data of the client.
        if for_device < limit
            && for_client < limit + MARGIN
            && !self.client_is_done
            && !write_failed
        {
            match self.client.receive(context.buffer, context.data) {
                Ok(Received::Data) => {
                    progress = true;
                    self.send_to_device(context);
                }
                Ok(Received::Progress) => progress = true,
                Ok(Received::Nothing) => {}
                Ok(Received::Closed(closed)) => {
                    progress = true;
                    self.client_is_done = true;
                    if let Some(device) = &mut self.device {
                        match closed {
                            Closed::Cleanly => device.connection.close_write(),
                            Closed::CutOff => device.cuts_off = true,
                        }
                    }
                }
                Err(fault) => return self.client_failed(fault),
            }
        }
        if !progress {
            return Step::Wait;
        }
        self.progress_at = context.now;
        Step::Again
    }

    fn send_to_device(&mut self, context: &mut Context<'_>) {
        let len = u64::try_from(context.data.len()).unwrap_or(u64::MAX);
        // What is lost is not counted; the end of the connection tells why.
        if let Some(device) = &mut self.device
            && device.connection.send(context.data)
        {
            self.to_device += len;
            context.shared.metrics.to_device.fetch_add(len, Ordering::Relaxed);
        }
        context.data.clear();
    }

    /// The device has closed: nothing more goes either way but what waits for the client.
    fn device_closed(&mut self, how: Closed) -> Step {
        if how == Closed::Cleanly {
            self.client.close_notify();
        }
        self.end(Ending::from(match how {
            _ if self.client_is_done => Reason::ClosedByClient,
            Closed::Cleanly => Reason::ClosedByDevice,
            Closed::CutOff => Reason::CutOffByDevice,
        }))
    }

    fn client_failed(&mut self, fault: ClientFault) -> Step {
        match fault {
            ClientFault::Tls(why) => self.end(Ending::with(Reason::ClientTls, why)),
            ClientFault::Lost(why) => {
                self.end(Ending::with(Reason::ClientLost, why));
                Step::End
            }
        }
    }

    /// Ends the connection: closes that to the device, and tells the client.
    fn end(&mut self, ending: Ending) -> Step {
        let failed = ending.reason.is_failure();
        self.ending.get_or_insert(ending);
        if let Some(device) = self.device.take() {
            device.close();
        }
        // Without TLS, only a reset shows that data may be missing.
        if failed && self.client.is_plain() {
            self.client.socket.reset_when_closed();
            return Step::End;
        }
        if failed {
            self.client.refuse();
        }
        self.stage = Stage::Closing(None);
        Step::Again
    }

    fn end_and_proceed(&mut self, ending: Ending, context: &mut Context<'_>) -> Step {
        match self.end(ending) {
            Step::End => Step::End,
            Step::Again | Step::Wait => self.proceed(context),
        }
    }

    fn closing(&mut self, context: &mut Context<'_>) -> Step {
        let sent = match self.client.flush() {
            Ok(sent) => sent,
            Err(_) => return Step::End,
        };
        if sent {
            self.progress_at = context.now;
        }
        if !self.client.output.is_empty() {
            return if sent { Step::Again } else { Step::Wait };
        }
        let Stage::Closing(lingering) = &mut self.stage else { return Step::End };
        let lingering = lingering.get_or_insert_with(|| {
            self.client.socket.shutdown_write();
            Lingering { since: context.now, discarded: 0 }
        });
        loop {
            match self.client.socket.read(context.buffer) {
                Ok(Found::Bytes(len)) => lingering.discarded += len,
                Ok(Found::Nothing) => return Step::Wait,
                Ok(Found::End) | Err(_) => return Step::End,
            }
            if lingering.discarded > LINGER_LEN {
                return Step::End;
            }
        }
    }

    fn enter(&mut self, stage: Stage, now: Instant) -> Step {
        self.stage = stage;
        self.progress_at = now;
        Step::Again
    }

    /// Checks the limits of time. While the proxy is full, a ClientHello has less.
    pub(super) fn check_time(&mut self, context: &mut Context<'_>, is_full: bool) -> Step {
        let shared = context.shared;
        let limits = &shared.limits;
        let silence = context.now.saturating_duration_since(self.progress_at);
        if silence >= IDLE_MEMORY && !self.is_small {
            self.release_memory();
        }
        let hello = if is_full { limits.handshake.min(HELLO_WHILE_FULL) } else { limits.handshake };
        match &mut self.stage {
            Stage::Hello if silence >= hello => {
                self.end(Ending::with(Reason::ClientTimedOut, "no ClientHello"));
                // There is nothing to tell.
                Step::End
            }
            Stage::Connecting(connecting) if connecting.is_late(context.now) => {
                connecting.give_up();
                self.proceed(context)
            }
            Stage::DeviceHandshake if silence >= limits.handshake => {
                context.shared.sessions.forget();
                self.end_and_proceed(
                    Ending::with(Reason::DeviceTimedOut, "during the handshake"),
                    context,
                )
            }
            Stage::ClientHandshake if silence >= limits.handshake => {
                let ending = Ending::with(Reason::ClientTimedOut, "during the handshake");
                self.end_and_proceed(ending, context)
            }
            Stage::Open if self.client_is_done && silence >= limits.idle.min(HALF_CLOSED) => {
                self.end_and_proceed(Reason::ClosedByClient.into(), context)
            }
            Stage::Open if silence >= limits.idle => {
                self.end_and_proceed(Reason::Idle.into(), context)
            }
            Stage::Closing(Some(lingering))
                if context.now.saturating_duration_since(lingering.since) >= LINGER =>
            {
                Step::End
            }
            Stage::Closing(None) if silence >= limits.idle => Step::End,
            _ => Step::Wait,
        }
    }

    /// Ends it now, for the proxy has to.
    pub(super) fn stop(&mut self) {
        if self.client.is_plain() {
            self.client.socket.reset_when_closed();
        }
        self.end(Reason::Stopped.into());
        let _ = self.client.flush();
    }

    /// Ends it after a panic in it: what that has left half done is not looked at again. If it
    /// panics at that too, or once more later, it is over at once.
    pub(super) fn abort(&mut self, context: &mut Context<'_>) -> Step {
        // Bytes of this client must not be sent for another one.
        context.data.clear();
        let is_first = self.note_panic();
        // The device may be one whose session panics.
        context.shared.sessions.forget();
        if !is_first {
            return Step::End;
        }
        // Not closed with an alert: its state is not known.
        self.device = None;
        self.end_and_proceed(Reason::Panicked.into(), context)
    }

    /// Notes that it ends by a panic. Returns whether that is the first one.
    pub(super) fn note_panic(&mut self) -> bool {
        if self.ending.as_ref().is_some_and(|ending| ending.reason == Reason::Panicked) {
            return false;
        }
        self.ending =
            Some(Ending { reason: Reason::Panicked, detail: panics::last(), advice: None });
        true
    }

    /// Frees what an idle connection does not need.
    fn release_memory(&mut self) {
        self.is_small = true;
        self.client.output.release_memory();
        if let Some(device) = &mut self.device {
            device.connection.release_memory();
        }
    }

    /// Closes the sockets, and returns what became of the connection.
    pub(super) fn into_ended(self, now: Instant) -> Ended {
        let Self { peer, client, spoken, to_device, to_client, .. } = self;
        let ending = self.ending.unwrap_or_else(|| Reason::Stopped.into());
        Ended {
            peer,
            client_version: client.version(),
            spoken,
            to_device,
            to_client,
            duration: now.saturating_duration_since(self.began),
            reason: ending.reason,
            detail: ending.detail,
            advice: ending.advice,
        }
    }
}

/// Rounds before others have their turn.
const ROUNDS: usize = 16;

/// How much more than the limit may wait on one side before the other is not read either: replies
/// to what was received, such as to an update of keys.
const MARGIN: usize = 64 << 10;

/// How long a client has for a ClientHello while the proxy is full. An attacker who fills it with
/// idle connections has to reopen them every second.
const HELLO_WHILE_FULL: Duration = Duration::from_secs(1);

/// How long the device may be silent after the client has closed its side.
const HALF_CLOSED: Duration = Duration::from_secs(30);

/// After how much silence the memory of buffers is freed.
const IDLE_MEMORY: Duration = Duration::from_millis(500);

/// How long a client may take, and how many bytes it may send, until it closes its side, too.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_LEN: usize = 256 << 10;

ssl_provider::redacted_debug! { Pair { peer, .. } }
