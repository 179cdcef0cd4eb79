//! The client's side of a connection: plain TCP, or TLS 1.2 and 1.3 by rustls.
//! The ClientHello is read first, and the reply waits for the device: a client whose device cannot
//! be reached gets an alert in place of a connection that breaks.

use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::server::{Accepted, Acceptor};
use rustls::{InvalidMessage, ServerConfig, ServerConnection};

use super::socket::{Found, Outbox, Socket};

/// A client.
pub(super) struct Inbound {
    pub(super) socket: Socket,
    pub(super) output: Outbox,
    tls: Tls,
    /// How the client has closed its side.
    closed: Option<Closed>,
}

/// Where TLS stands.
enum Tls {
    Plain,
    Hello(Box<Acceptor>),
    /// The ClientHello is there.
    Accepted(Option<Box<Accepted>>),
    Session(Box<ServerConnection>),
}

/// How a client closed its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// With `close_notify`, or plainly where there is no TLS.
    Cleanly,
    /// The socket was closed without `close_notify`.
    CutOff,
}

/// What was received from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Data.
    Data,
    /// Bytes of TLS without data.
    Progress,
    /// Nothing for now.
    Nothing,
    /// There is no more.
    Closed(Closed),
}

/// Why a client cannot go on.
#[derive(Debug)]
pub(super) enum ClientFault {
    /// The socket failed or was closed.
    Lost(String),
    /// TLS failed; the alert for it is in the output.
    Tls(String),
}

impl From<io::Error> for ClientFault {
    fn from(error: io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl Inbound {
    pub(super) fn new(stream: TcpStream, speaks_tls: bool) -> Self {
        Self {
            socket: Socket::connected(stream),
            output: Outbox::default(),
            tls: match speaks_tls {
                true => Tls::Hello(Box::default()),
                false => Tls::Plain,
            },
            closed: None,
        }
    }

    /// Whether the client speaks plain TCP.
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.tls, Tls::Plain)
    }

    /// The version of TLS that the client speaks, once it is known.
    pub(super) fn version(&self) -> Option<&'static str> {
        match &self.tls {
            Tls::Session(session) => match session.protocol_version()? {
                rustls::ProtocolVersion::TLSv1_2 => Some("TLS 1.2"),
                rustls::ProtocolVersion::TLSv1_3 => Some("TLS 1.3"),
                _ => None,
            },
            _ => None,
        }
    }

    /// Reads the ClientHello. Returns whether it is complete.
    pub(super) fn hello(&mut self) -> Result<bool, ClientFault> {
        let Tls::Hello(acceptor) = &mut self.tls else { return Ok(true) };
        loop {
            match acceptor.read_tls(&mut self.socket) {
                Ok(0) => return Err(ClientFault::Lost("closed before a ClientHello".to_owned())),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
            match acceptor.accept() {
                Ok(None) => {}
                Ok(Some(accepted)) => {
                    self.tls = Tls::Accepted(Some(Box::new(accepted)));
                    return Ok(true);
                }
                Err((error, mut alert)) => {
                    alert.write_all(&mut self.output)?;
                    return Err(ClientFault::Tls(text_of(&error)));
                }
            }
        }
    }

    /// Replies to the ClientHello.
    pub(super) fn accept(&mut self, config: &Arc<ServerConfig>) -> Result<(), ClientFault> {
        let Tls::Accepted(accepted) = &mut self.tls else { return Ok(()) };
        let Some(accepted) = accepted.take() else { return Ok(()) };
        match accepted.into_connection(Arc::clone(config)) {
            Ok(mut session) => {
                // Data is moved to the output at once, and that is what is limited.
                session.set_buffer_limit(None);
                self.tls = Tls::Session(Box::new(session));
                self.take_output();
                Ok(())
            }
            Err((error, mut alert)) => {
                alert.write_all(&mut self.output)?;
                Err(ClientFault::Tls(error.to_string()))
            }
        }
    }

    /// Refuses a client whose ClientHello has not been replied to, with the alert `internal_error`:
    /// nothing is wrong with the client. Others read the end of the stream without `close_notify`.
    pub(super) fn refuse(&mut self) {
        if let Tls::Accepted(_) = &self.tls {
            const ALERT: u8 = 21;
            const FATAL: u8 = 2;
            const INTERNAL_ERROR: u8 = 80;
            self.output.push(&[ALERT, 3, 3, 0, 2, FATAL, INTERNAL_ERROR]);
        }
    }

    /// Whether the handshake is in progress.
    pub(super) fn is_handshaking(&self) -> bool {
        match &self.tls {
            Tls::Plain => false,
            Tls::Hello(_) | Tls::Accepted(_) => true,
            Tls::Session(session) => session.is_handshaking(),
        }
    }

    /// Receives what there is, and adds data to `data`, which is at most two records long then.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        data: &mut Vec<u8>,
    ) -> Result<Received, ClientFault> {
        let mut progress = false;
        if self.closed.is_none() {
            let found = self.socket.read(buffer)?;
            progress = matches!(found, Found::Bytes(_));
            let step = match (&mut self.tls, found) {
                (_, Found::Nothing) => Ok(None),
                (Tls::Session(session), Found::Bytes(len)) => {
                    decrypt(session, buffer.get(..len).unwrap_or_default(), data)
                }
                (Tls::Session(_), Found::End) => Ok(Some(Closed::CutOff)),
                (_, Found::Bytes(len)) => {
                    data.extend_from_slice(buffer.get(..len).unwrap_or_default());
                    Ok(None)
                }
                (_, Found::End) => Ok(Some(Closed::Cleanly)),
            };
            self.take_output();
            self.closed = step?;
        }
        Ok(match self.closed {
            _ if !data.is_empty() => Received::Data,
            Some(closed) => Received::Closed(closed),
            None if progress => Received::Progress,
            None => Received::Nothing,
        })
    }

    /// Sends data.
    pub(super) fn send(&mut self, data: &[u8]) {
        match &mut self.tls {
            Tls::Session(session) => {
                // Without a limit of its buffer, it takes everything.
                let _ = session.writer().write_all(data);
                self.take_output();
            }
            _ => self.output.push(data),
        }
    }

    /// Sends `close_notify`; nothing without TLS.
    pub(super) fn close_notify(&mut self) {
        if let Tls::Session(session) = &mut self.tls {
            session.send_close_notify();
            self.take_output();
        }
    }

    /// Sends as much of the output as the socket takes; returns whether it took anything.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        self.output.flush(&mut self.socket)
    }

    fn take_output(&mut self) {
        if let Tls::Session(session) = &mut self.tls {
            while session.wants_write() {
                if session.write_tls(&mut self.output).is_err() {
                    return;
                }
            }
        }
    }
}

/// Why a ClientHello was not accepted: in our words for a client that speaks another protocol, such
/// as HTTP, else in those of rustls.
fn text_of(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "the client does not speak TLS; use https://, or --plain takes plain TCP".to_owned()
        }
        other => other.to_string(),
    }
}

/// Decrypts received bytes into `data`. Returns whether the client has closed its side.
fn decrypt(
    session: &mut ServerConnection,
    mut received: &[u8],
    data: &mut Vec<u8>,
) -> Result<Option<Closed>, ClientFault> {
    while !received.is_empty() {
        session.read_tls(&mut received)?;
        let state =
            session.process_new_packets().map_err(|error| ClientFault::Tls(error.to_string()))?;
        let start = data.len();
        data.resize(start + state.plaintext_bytes_to_read(), 0);
        session.reader().read_exact(data.get_mut(start..).unwrap_or_default())?;
        if state.peer_has_closed() {
            // What follows is ignored (RFC 8446 section 6.1).
            return Ok(Some(Closed::Cleanly));
        }
    }
    Ok(None)
}

ssl_provider::redacted_debug! { Inbound { .. } }
