//! The device's side of a connection, and what all connections know about the device: its addresses
//! and the session that the next one resumes.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ssl_provider_lab::client::{ClientConnection, ClientSession};

use super::socket::{Found, Socket};
use crate::client::target::Target;

/// How often a host name is looked up again.
const LOOK_UP: Duration = Duration::from_secs(30);

/// How long a session is resumed: its certificates are not verified again in this time.
const SESSION_LIFETIME: Duration = Duration::from_secs(60 * 60);

/// A device that is connected.
pub(super) struct Device {
    pub(super) socket: Socket,
    pub(super) connection: ClientConnection,
    pub(super) connected_at: Instant,
    /// Whether writing has failed, so that it takes no more data. It may still have sent some.
    pub(super) write_failed: bool,
    /// Whether the socket is to be closed when everything is sent.
    pub(super) cuts_off: bool,
}

impl Device {
    pub(super) fn new(socket: Socket, connection: ClientConnection, now: Instant) -> Self {
        Self { socket, connection, connected_at: now, write_failed: false, cuts_off: false }
    }

    /// Sends as much as the socket takes; returns whether it took anything. A failure is left to
    /// reading, where the alert that explains it may be.
    pub(super) fn flush(&mut self) -> bool {
        let mut progress = false;
        while !self.connection.output().is_empty() {
            let sent = match self.write_failed {
                true => Ok(self.connection.output().len()),
                false => self.socket.write(self.connection.output()),
            };
            match sent {
                Ok(0) => return progress,
                Ok(len) => {
                    self.connection.sent(len);
                    progress |= !self.write_failed;
                }
                Err(_) => self.write_failed = true,
            }
        }
        if self.cuts_off {
            self.cuts_off = false;
            self.socket.shutdown_write();
        }
        progress
    }

    /// Reads once.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Found> {
        let found = self.socket.read(buffer)?;
        if let Found::Bytes(len) = found {
            self.connection.receive(buffer.get(..len).unwrap_or_default());
        }
        Ok(found)
    }

    /// Ends the connection as far as this side can, without waiting.
    pub(super) fn close(mut self) {
        self.connection.close();
        self.flush();
    }
}

/// The session that new connections offer to resume.
#[derive(Debug)]
pub(super) struct Sessions {
    is_on: bool,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    session: Arc<ClientSession>,
    /// When the certificates of the session were verified.
    verified_at: Instant,
}

impl Sessions {
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, kept: Mutex::default() }
    }

    /// Returns the session to offer.
    pub(super) fn to_offer(&self, now: Instant) -> Option<Arc<ClientSession>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let is_old = |it: &Kept| now.saturating_duration_since(it.verified_at) >= SESSION_LIFETIME;
        if kept.as_ref().is_some_and(is_old) {
            *kept = None;
        }
        kept.as_ref().map(|it| Arc::clone(&it.session))
    }

    /// Keeps the session of a connection; one that was resumed is as old as it was.
    pub(super) fn keep(&self, session: Arc<ClientSession>, is_resumed: bool, now: Instant) {
        if !self.is_on {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let verified_at = match (&*kept, is_resumed) {
            (Some(old), true) => old.verified_at,
            // Of a session that was forgotten meanwhile, the age is not known.
            (None, true) => return,
            (_, false) => now,
        };
        *kept = Some(Kept { session, verified_at });
    }

    /// Forgets the session, after a connection to the device has failed.
    pub(super) fn forget(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The addresses of the device.
#[derive(Clone, Debug)]
pub(super) struct Addresses(Arc<Mutex<Arc<[SocketAddr]>>>);

impl Addresses {
    /// Looks the host up, now and from time to time: the threads that carry data must not wait for
    /// a name server. While that fails, the last addresses are kept.
    ///
    /// # Errors
    ///
    /// The reason why it is not found now.
    pub(super) fn of(target: &Target) -> Result<Self, String> {
        let addresses = Self(Arc::new(Mutex::new(target.addresses()?.into())));
        if target.host.parse::<std::net::IpAddr>().is_err() {
            let (target, of_thread) = (target.clone(), addresses.clone());
            // Not joined: it ends with the process.
            thread::spawn(move || {
                loop {
                    thread::sleep(LOOK_UP);
                    if let Ok(found) = target.addresses() {
                        *of_thread.0.lock().unwrap_or_else(PoisonError::into_inner) = found.into();
                    }
                }
            });
        }
        Ok(addresses)
    }

    pub(super) fn now(&self) -> Arc<[SocketAddr]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

ssl_provider::redacted_debug! { Device { .. } }
