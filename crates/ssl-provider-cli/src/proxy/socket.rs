//! A non-blocking socket that remembers whether it is ready, and the bytes that wait to be sent.
//! Readiness is reported once, so each direction is used until the system says that it would block.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::event::Event;
use mio::net::TcpStream;

/// A socket and its readiness.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    is_readable: bool,
    is_writable: bool,
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This many bytes.
    Bytes(usize),
    /// The other side has closed its side.
    End,
    /// Nothing for now.
    Nothing,
}

impl Socket {
    /// Takes a socket that is connected.
    pub(super) fn connected(stream: TcpStream) -> Self {
        Self { stream, is_readable: true, is_writable: true }
    }

    /// Takes a socket that is being connected.
    pub(super) fn connecting(stream: TcpStream) -> Self {
        Self { stream, is_readable: false, is_writable: false }
    }

    pub(super) fn note(&mut self, event: &Event) {
        self.is_readable |= event.is_readable() || event.is_read_closed() || event.is_error();
        self.is_writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    /// Whether the socket is connected by now.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be.
    pub(super) fn is_connected(&mut self) -> io::Result<bool> {
        if !self.is_writable {
            return Ok(false);
        }
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotConnected => {
                self.is_writable = false;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Found> {
        while self.is_readable {
            match self.stream.read(buffer) {
                Ok(0) => return Ok(Found::End),
                Ok(len) => return Ok(Found::Bytes(len)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_readable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Found::Nothing)
    }

    /// Writes as much as the socket takes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while self.is_writable && !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(len) => return Ok(len),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }

    /// Closes the side of this end: the other one reads the end of the stream.
    pub(super) fn shutdown_write(&self) {
        // Fails only if the connection is gone, which the next read shows.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Lets the socket be reset when it is closed, so that the other end does not take what it got
    /// for all there is.
    #[cfg(unix)]
    pub(super) fn reset_when_closed(&self) {
        use std::time::Duration;
        // Without it, the other end reads the end of the stream.
        let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
    }

    /// Resets are left to the system here.
    #[cfg(not(unix))]
    pub(super) fn reset_when_closed(&self) {}
}

/// For rustls, which reads into buffers of its own.
impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match Self::read(self, buffer)? {
            Found::Bytes(len) => Ok(len),
            Found::End => Ok(0),
            Found::Nothing => Err(ErrorKind::WouldBlock.into()),
        }
    }
}

/// Bytes that wait to be sent, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How many of them have been sent.
    sent: usize,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Sends as much as the socket takes; returns whether it took anything.
    pub(super) fn flush(&mut self, socket: &mut Socket) -> io::Result<bool> {
        let mut progress = false;
        while !self.is_empty() {
            let len = socket.write(self.bytes.get(self.sent..).unwrap_or_default())?;
            if len == 0 {
                break;
            }
            self.sent += len;
            progress = true;
        }
        // Half of it at least, so that each byte is moved once on average.
        if self.sent * 2 >= self.bytes.len() {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
        Ok(progress)
    }

    /// Frees the memory that is not needed now.
    pub(super) fn release_memory(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

/// For rustls, which writes its records here.
impl Write for Outbox {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_takes_no_memory_after_its_release() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut socket = Socket::connected(TcpStream::from_std(stream));
        let mut outbox = Outbox::default();
        outbox.push(&[7; 10_000]);
        assert!(outbox.flush(&mut socket).unwrap());
        assert!(outbox.is_empty() && outbox.bytes.capacity() >= 10_000);
        outbox.release_memory();
        assert_eq!(outbox.bytes.capacity(), 0);
    }
}
