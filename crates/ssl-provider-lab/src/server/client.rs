//! A client of the server: its socket, its connection and the requests on it.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;

use super::{End, Event, Limits};
use crate::connection::Connection;
use crate::http::{Request, page_facts};
use crate::settings::Settings;

/// How long a client may take, and how many bytes it may send, until it closes its side after the
/// server's last alert. Closing a socket with unread bytes resets it, and the alert is lost.
pub(super) const LINGER: Duration = Duration::from_secs(2);
const LINGER_LEN: usize = 256 << 10;

pub(super) struct Client {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    pub connection: Connection,
    request: Request,
    began: Instant,
    announced: bool,
    /// Whether the client has closed its side.
    is_closed: bool,
    /// Whether the socket may have more to read after a pause.
    is_unread: bool,
    /// Whether the last read left nothing.
    is_drained: bool,
    /// Whether the socket is polled for room to write too.
    pub is_polled_for_writing: bool,
    lingering: Option<Lingering>,
}

/// The server has sent everything; the client has yet to close its side.
struct Lingering {
    since: Instant,
    read: usize,
}

impl Client {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, settings: Arc<Settings>) -> Self {
        Self {
            stream,
            peer,
            connection: Connection::new(settings),
            request: Request::default(),
            began: Instant::now(),
            announced: false,
            is_closed: false,
            is_unread: false,
            is_drained: false,
            is_polled_for_writing: false,
            lingering: None,
        }
    }

    /// Whether the client waits for the decryption of its premaster secret. Nothing is read then.
    pub(super) fn is_paused(&self) -> bool {
        self.connection.pending_ciphertext().is_some()
    }

    /// Whether the socket has not taken all that is to be sent, and nobody would tell when it does.
    pub(super) fn is_blocked(&self) -> bool {
        !self.is_polled_for_writing && !self.connection.output().is_empty()
    }

    /// Does some work. After a panic, which the panic hook reports, the connection is aborted, so
    /// that it costs no other one.
    pub(super) fn survive(&mut self, work: impl FnOnce(&mut Self) -> Option<End>) -> Option<End> {
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut *self)));
        // What the panic has left half done is not looked at again: the handshake has no state.
        done.or_else(|_| {
            catch_unwind(AssertUnwindSafe(|| {
                self.connection.abort();
                self.flush()
            }))
        })
        .unwrap_or_else(|_| Some(self.end()))
    }

    /// Sends `close_notify`. Returns how the connection ended, if it did.
    pub(super) fn close(&mut self) -> Option<End> {
        self.survive(|client| {
            client.connection.close();
            client.flush()
        })
    }

    /// Whether the handshake is complete.
    pub(super) fn is_established(&self) -> bool {
        self.announced
    }

    /// Reads and writes as much as the socket allows. Returns how the connection ended, if it did.
    pub(super) fn proceed(
        &mut self,
        buffer: &mut [u8],
        is_closed: bool,
        observer: &(dyn Fn(Event<'_>) + Sync),
    ) -> Option<End> {
        self.is_closed |= is_closed;
        if self.is_paused() {
            self.is_unread = true;
            return self.flush();
        }
        self.read(buffer, observer)
    }

    /// Continues after a pause, as [`proceed`](Self::proceed).
    pub(super) fn resume(
        &mut self,
        buffer: &mut [u8],
        observer: &(dyn Fn(Event<'_>) + Sync),
    ) -> Option<End> {
        self.respond(observer);
        if self.is_paused() {
            return self.flush();
        }
        if mem::take(&mut self.is_unread) { self.read(buffer, observer) } else { self.flush() }
    }

    fn read(&mut self, buffer: &mut [u8], observer: &(dyn Fn(Event<'_>) + Sync)) -> Option<End> {
        loop {
            let len = match self.stream.read(buffer) {
                Ok(0) => {
                    // The end may be read together with bytes whose reply is still to be sent.
                    return self.flush().or_else(|| Some(self.end()));
                }
                Ok(len) => len,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break,
                    ErrorKind::Interrupted => continue,
                    _ => return Some(self.end()),
                },
            };
            self.is_drained = len < buffer.len();
            if let Some(lingering) = &mut self.lingering {
                lingering.read += len;
                if lingering.read > LINGER_LEN {
                    return Some(self.end());
                }
            } else {
                let received = buffer.get(..len).unwrap_or_default();
                self.connection.receive_until_decryption(received);
                if self.is_paused() {
                    self.is_unread = self.is_closed || !self.is_drained;
                    return None;
                }
                self.respond(observer);
                // From here on received bytes are counted, even if they never pause.
                if self.connection.ending().is_some()
                    && let Some(end) = self.flush()
                {
                    return Some(end);
                }
            }
            // The socket is drained, and another event follows when there is more; but the end of
            // the stream may have come with the last bytes.
            if self.is_drained && !self.is_closed {
                break;
            }
        }
        self.flush()
    }

    /// Reports a complete handshake, replies to data, and closes if the client has closed.
    fn respond(&mut self, observer: &(dyn Fn(Event<'_>) + Sync)) {
        self.reply(observer);
        if self.connection.is_closed_by_client() {
            self.connection.close();
        }
    }

    fn reply(&mut self, observer: &(dyn Fn(Event<'_>) + Sync)) {
        let data = self.connection.take_data();
        let Some(session) = self.connection.established() else { return };
        if !self.announced {
            self.announced = true;
            observer(Event::Established { peer: self.peer, session });
        }
        if data.is_empty() {
            return;
        }
        let facts = || {
            page_facts(
                self.connection.settings(),
                session,
                self.connection.keying_material_of_page(),
            )
        };
        if let Some(response) = self.request.receive(&data, session, facts) {
            // If it does not go out, the connection has ended already.
            let _ = self.connection.send(&response);
            self.connection.close();
        }
    }

    pub(super) fn flush(&mut self) -> Option<End> {
        let ends = self.ends_without_lingering();
        while !self.connection.output().is_empty() {
            let output = self.connection.output();
            let written = match ends {
                true => write_last(&mut self.stream, output),
                false => self.stream.write(output),
            };
            match written {
                Ok(len) => self.connection.sent(len),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return None,
                    ErrorKind::Interrupted => {}
                    _ => return Some(self.end()),
                },
            }
        }
        if self.connection.ending().is_some() && self.lingering.is_none() {
            if ends {
                return Some(self.end());
            }
            self.lingering = Some(Lingering { since: Instant::now(), read: 0 });
            // A client that has closed its side waits for nothing more: the next read returns its
            // end, and the socket is closed. If it has gone away, the next read fails.
            if !self.is_closed {
                let _ = self.stream.shutdown(Shutdown::Write);
            }
        }
        None
    }

    /// Whether the socket may be closed once all is written: nothing follows a close_notify of the
    /// client, and with nothing unread there is no reset.
    fn ends_without_lingering(&self) -> bool {
        self.connection.ending().is_some()
            && self.connection.is_closed_by_client()
            && self.is_drained
    }

    fn end(&self) -> End {
        self.connection.ending().map_or(End::Lost, End::Tls)
    }

    pub(super) fn is_late(&self, now: Instant, limits: &Limits) -> bool {
        let age = now.saturating_duration_since(self.began);
        match &self.lingering {
            Some(lingering) => now.saturating_duration_since(lingering.since) >= LINGER,
            None if self.announced => age >= limits.connection,
            None => age >= limits.handshake,
        }
    }
}

/// Writes bytes after which the socket is closed at once. Where the system can, they go out in one
/// packet with the end of the stream.
#[cfg(target_os = "linux")]
fn write_last(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};

    Ok(send(stream, bytes, SendFlags::MORE | SendFlags::NOSIGNAL)?)
}

#[cfg(not(target_os = "linux"))]
fn write_last(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    stream.write(bytes)
}

ssl_provider::redacted_debug! { Client { peer, .. } }
