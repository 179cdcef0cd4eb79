//! A socket with the TLS client on it: the handshake, and data both ways, in one thread.
//! Standard input has a thread of its own, since it cannot be polled everywhere.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use ssl_provider::ProtocolVersion;
use ssl_provider_lab::client::{ClientConnection, ClientEnding};

use crate::client::refusal;

/// A connected socket and its TLS connection.
pub(super) struct Link {
    poll: Poll,
    events: Events,
    stream: mio::net::TcpStream,
    connection: ClientConnection,
    /// Whether the server has closed its side of the socket.
    at_end: bool,
}

/// Why a connection ended otherwise than with `close_notify`.
#[derive(Debug)]
pub(super) enum Lost {
    /// The time is over.
    TimedOut,
    /// The server closed the socket.
    CutOff,
    /// The socket failed.
    Socket(io::Error),
    /// An alert ended it.
    Alert(ClientEnding),
    /// Standard output failed.
    Output(io::Error),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("timed out"),
            Self::CutOff => f.write_str("the server closed the connection without close_notify"),
            Self::Socket(error) | Self::Output(error) => error.fmt(f),
            Self::Alert(ending) => f.write_str(&refusal::ending(*ending)),
        }
    }
}

impl Link {
    pub(super) fn new(stream: TcpStream, connection: ClientConnection) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        // Each flight is written as a whole, so Nagle's algorithm would only delay it.
        stream.set_nodelay(true)?;
        let poll = Poll::new()?;
        let mut stream = mio::net::TcpStream::from_std(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, SOCKET, interest)?;
        Ok(Self { poll, events: Events::with_capacity(8), stream, connection, at_end: false })
    }

    pub(super) fn connection(&self) -> &ClientConnection {
        &self.connection
    }

    /// Queues data for the server. What is lost is reported with the end of the connection.
    pub(super) fn send(&mut self, data: &[u8]) {
        let _ = self.connection.send(data);
    }

    /// Performs the handshake.
    pub(super) fn handshake(&mut self, deadline: Instant) -> Result<(), Lost> {
        loop {
            self.flush()?;
            let progress = self.read()?;
            // Sends the reply to the last message.
            self.flush()?;
            if let Some(ending) = self.connection.ending() {
                return Err(Lost::Alert(ending));
            }
            if self.connection.established().is_some() {
                return Ok(());
            }
            if self.at_end || self.connection.is_closed_by_server() {
                return Err(Lost::CutOff);
            }
            // The poll reports new bytes only, and there may be more of the old ones.
            if !progress {
                self.wait(Some(deadline))?;
            } else if Instant::now() >= deadline {
                return Err(Lost::TimedOut);
            }
        }
    }

    /// Waits until there is a session that can be resumed, which a server of TLS 1.3 sends behind
    /// the handshake, or until the time is over.
    pub(super) fn await_session(&mut self, deadline: Instant) -> Result<(), Lost> {
        let is_tls13 = |connection: &ClientConnection| {
            connection.established().is_some_and(|it| it.protocol == ProtocolVersion::TLS1_3)
        };
        while is_tls13(&self.connection)
            && self.connection.session().is_none()
            && self.connection.ending().is_none()
            && !self.at_end
            && !self.connection.is_closed_by_server()
        {
            if !self.read()? {
                self.wait(Some(deadline))?;
            }
            self.flush()?;
        }
        Ok(())
    }

    /// Carries standard input to the server, and its data to standard output, until the server
    /// closes. After the end of the input a silence of `after_input` ends the connection too; with
    /// `None` the end of the input does.
    pub(super) fn pipe(
        &mut self,
        before: Option<Duration>,
        after_input: Option<Duration>,
    ) -> Result<(), Lost> {
        let waker = Waker::new(self.poll.registry(), STDIN).map_err(Lost::Socket)?;
        // Kept here too: a waker works only while it exists, and the thread may end first.
        let waker = Arc::new(waker);
        let (sender, receiver) = sync_channel(CHUNKS);
        let of_thread = Arc::clone(&waker);
        // Not joined: it may wait for a terminal forever.
        thread::spawn(move || {
            read_stdin(&sender, &of_thread);
            drop(sender);
            let _ = of_thread.wake();
        });
        let mut input = Input { receiver, at_end: false };
        let mut last_progress = Instant::now();
        loop {
            let mut progress = false;
            while self.connection.output().len() < MAX_OUTPUT_LEN
                && let Some(chunk) = input.next()
            {
                // What is lost once the connection has ended is reported with its end.
                progress |= self.connection.send(&chunk);
            }
            progress |= self.flush()?;
            progress |= self.read()?;
            self.flush()?;
            let data = self.connection.take_data();
            if !data.is_empty() {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&data).and_then(|()| stdout.flush()).map_err(Lost::Output)?;
            }
            if self.connection.is_closed_by_server() {
                self.close();
                return Ok(());
            }
            if let Some(ending) = self.connection.ending() {
                return Err(Lost::Alert(ending));
            }
            if self.at_end {
                return Err(Lost::CutOff);
            }
            if progress {
                last_progress = Instant::now();
                continue;
            }
            if input.at_end && after_input.is_none() && self.connection.output().is_empty() {
                self.close();
                return Ok(());
            }
            let silence = if input.at_end { after_input } else { before };
            match self.wait(silence.map(|silence| last_progress + silence)) {
                Err(Lost::TimedOut) if input.at_end => {
                    self.close();
                    return Ok(());
                }
                other => other?,
            }
        }
    }

    /// Sends `close_notify` and closes the socket. That it arrives cannot be made sure of.
    pub(super) fn close(&mut self) {
        self.connection.close();
        let deadline = Instant::now() + CLOSING;
        while !self.connection.output().is_empty()
            && self.flush().is_ok()
            && !self.connection.output().is_empty()
            && self.wait(Some(deadline)).is_ok()
        {}
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// Writes as much output as the socket takes; returns whether there was any.
    fn flush(&mut self) -> Result<bool, Lost> {
        let mut progress = false;
        while !self.connection.output().is_empty() {
            match self.stream.write(self.connection.output()) {
                Ok(len) => {
                    self.connection.sent(len);
                    progress = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The alert that says why may still be there to be read.
                Err(_) if self.read()? => progress = true,
                Err(error) => return Err(Lost::Socket(error)),
            }
        }
        Ok(progress)
    }

    /// Reads until the socket has no more, or there is enough for once.
    fn read(&mut self) -> Result<bool, Lost> {
        let mut buffer = [0; READ_LEN];
        let mut progress = false;
        for _ in 0..READS_AT_ONCE {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.at_end = true;
                    break;
                }
                Ok(len) => {
                    self.connection.receive(buffer.get(..len).unwrap_or_default());
                    progress = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Lost::Socket(error)),
            }
        }
        Ok(progress)
    }

    /// Waits for the socket or standard input, until the deadline.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<(), Lost> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(Lost::TimedOut);
        }
        match self.poll.poll(&mut self.events, left) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(Lost::Socket(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// What has been read of standard input.
struct Input {
    receiver: Receiver<Vec<u8>>,
    at_end: bool,
}

impl Input {
    fn next(&mut self) -> Option<Vec<u8>> {
        match self.receiver.try_recv() {
            Ok(chunk) => Some(chunk),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.at_end = true;
                None
            }
        }
    }
}

/// Reads standard input to its end, or until nobody takes it. An error counts as the end.
fn read_stdin(sender: &SyncSender<Vec<u8>>, waker: &Waker) {
    let mut stdin = io::stdin().lock();
    let mut buffer = [0; READ_LEN];
    loop {
        match stdin.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => {
                let chunk = buffer.get(..len).unwrap_or_default().to_vec();
                if sender.send(chunk).is_err() {
                    return;
                }
                let _ = waker.wake();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
}

const SOCKET: Token = Token(0);
const STDIN: Token = Token(1);

/// Bytes read at once.
const READ_LEN: usize = 16 << 10;

/// Reads before what was read is written on.
const READS_AT_ONCE: usize = 16;

/// Chunks of standard input that wait, and bytes of output beyond which no more are taken.
const CHUNKS: usize = 4;
const MAX_OUTPUT_LEN: usize = 64 << 10;

/// Longest time that the last alert may take.
const CLOSING: Duration = Duration::from_secs(2);
