//! Connecting to the device: its addresses one after the other, each with a share of the time.

use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::socket::Socket;
use crate::client::target::share_of_time;

/// A device that is being connected to: its addresses, tried one after the other.
pub(super) struct Connecting {
    addresses: Arc<[SocketAddr]>,
    next: usize,
    socket: Option<Socket>,
    /// Until when this address is tried, and until when all of them are.
    until: Instant,
    deadline: Instant,
    failure: String,
}

impl Connecting {
    /// Begins with the first address; all of them together have `time`.
    pub(super) fn new(addresses: Arc<[SocketAddr]>, now: Instant, time: Duration) -> Self {
        let failure = String::new();
        Self { addresses, next: 0, socket: None, until: now, deadline: now + time, failure }
    }

    /// Notes that the socket has become ready.
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(socket) = &mut self.socket {
            socket.note(event);
        }
    }

    /// Returns whether the time for this address is over.
    pub(super) fn is_late(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Returns the socket once it is connected, registered under `token`.
    ///
    /// # Errors
    ///
    /// Why the last address cannot be connected to, when all have been tried.
    pub(super) fn proceed(
        &mut self,
        registry: &Registry,
        token: Token,
        now: Instant,
    ) -> Result<Option<Socket>, String> {
        loop {
            if let Some(mut socket) = self.socket.take() {
                match socket.is_connected() {
                    Ok(true) => return Ok(Some(socket)),
                    Ok(false) => {
                        self.socket = Some(socket);
                        return Ok(None);
                    }
                    Err(error) => self.failed(&error),
                }
            }
            let Some(address) = self.addresses.get(self.next).copied() else {
                return Err(mem::take(&mut self.failure));
            };
            let share = share_of_time(self.deadline, self.addresses.len() - self.next);
            self.next += 1;
            self.until = now + share;
            match connect(address, registry, token) {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => self.failed(&error),
            }
        }
    }

    /// Gives up the address whose time is over.
    pub(super) fn give_up(&mut self) {
        self.socket = None;
        self.failed(&io::Error::from(io::ErrorKind::TimedOut));
    }

    fn failed(&mut self, error: &io::Error) {
        let address = self.next.checked_sub(1).and_then(|last| self.addresses.get(last));
        if let Some(address) = address {
            self.failure = format!("cannot connect to {address}: {error}");
        }
    }
}

fn connect(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Socket> {
    let mut stream = TcpStream::connect(address)?;
    // Each record is written as a whole, so Nagle's algorithm would only delay it.
    stream.set_nodelay(true)?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    registry.register(&mut stream, token, interest)?;
    Ok(Socket::connecting(stream))
}
