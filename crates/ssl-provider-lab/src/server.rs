//! Many connections on a few threads, with limits on their number, memory and time.
//! Each thread polls its own sockets and the listener, which all share, and decrypts the premaster
//! secrets of its clients in batches.

mod client;
mod poller;

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use mio::{Interest, Poll, Token, Waker};
#[cfg(unix)]
use rustix::io::Errno;

use crate::connection::{Ending, SessionInfo};
use crate::refusal::Cause;
use crate::settings::Settings;
use crate::worker::run_workers;
use poller::{Poller, Serving};

/// Limits of a server. A connection takes a few kB of memory usually, and half a megabyte at most.
/// Later versions have more fields: end with `..Limits::default()`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of threads, at least one.
    pub threads: usize,
    /// Concurrent connections, at least one; more wait in the listener's queue.
    pub connections: usize,
    /// Time for the handshake; at most one second while the server is full and others wait.
    pub handshake: Duration,
    /// Time for a connection, handshake included; while the server is full and others wait, that
    /// for a handshake.
    pub connection: Duration,
    /// Connections after which the server stops, if any.
    pub total: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, Into::into),
            connections: 1024,
            handshake: Duration::from_secs(10),
            connection: Duration::from_secs(60),
            total: None,
        }
    }
}

impl Limits {
    fn while_full(self) -> Self {
        Self {
            handshake: self.handshake.min(HANDSHAKE_WHILE_FULL),
            connection: self.connection.min(self.handshake),
            ..self
        }
    }
}

/// What happened on a connection.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The handshake is complete.
    Established {
        /// The client's address.
        peer: SocketAddr,
        /// What was negotiated.
        session: &'a SessionInfo,
    },
    /// The connection has ended.
    Ended {
        /// The client's address.
        peer: SocketAddr,
        /// How it ended.
        how: End,
        /// Why the client was refused, if known; see
        /// [`Connection::cause`](crate::Connection::cause).
        cause: Option<&'a Cause>,
    },
    /// A connection could not be accepted for lack of file descriptors or memory. Reported once.
    CannotAccept {
        /// The error, with advice.
        error: &'a io::Error,
    },
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// By an alert.
    Tls(Ending),
    /// The client closed the socket without an alert.
    Lost,
    /// The time limit was reached.
    TimedOut,
}

/// A listening server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    settings: Arc<Settings>,
    limits: Limits,
    /// One poll and one handle of the listener for each thread.
    threads: Vec<(Poll, mio::net::TcpListener)>,
    stop: StopHandle,
}

/// Stops a server from another thread.
#[derive(Clone, Debug)]
pub struct StopHandle {
    stopped: Arc<AtomicBool>,
    wakers: Arc<[Waker]>,
}

impl StopHandle {
    /// Stops the server. Open connections are sent `close_notify`; their clients have two seconds
    /// to close them too.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.wake();
    }

    fn wake(&self) {
        for waker in self.wakers.iter() {
            // Fails only for a thread that has ended.
            let _ = waker.wake();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

impl Server {
    /// Listens at an address; port 0 takes any free one.
    ///
    /// # Errors
    ///
    /// Those of the sockets, and when too few file descriptors are left to accept connections.
    pub fn bind(
        address: impl ToSocketAddrs,
        settings: Arc<Settings>,
        limits: Limits,
    ) -> io::Result<Self> {
        Self::listen(TcpListener::bind(address)?, settings, limits).map_err(with_advice)
    }

    fn listen(listener: TcpListener, settings: Arc<Settings>, limits: Limits) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        // Each flight is written as a whole, so Nagle's algorithm would only delay it. On Linux
        // connections have that from their listener.
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_nodelay(&listener, true)?;
        let mut threads = Vec::new();
        let mut wakers = Vec::new();
        for _ in 0..limits.threads.max(1) {
            let poll = Poll::new()?;
            wakers.push(Waker::new(poll.registry(), WAKER)?);
            let mut listener = mio::net::TcpListener::from_std(listener.try_clone()?);
            poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
            threads.push((poll, listener));
        }
        // Opened and closed again, to fail here rather than when a client connects.
        (0..SPARE_DESCRIPTORS).map(|_| listener.try_clone()).collect::<io::Result<Vec<_>>>()?;
        let stop = StopHandle { stopped: Arc::default(), wakers: wakers.into() };
        Ok(Self { listener, settings, limits, threads, stop })
    }

    /// Returns the address that the server listens on.
    ///
    /// # Errors
    ///
    /// Those of the socket.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns a handle that stops the server.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until it is stopped or [`Limits::total`] is reached. `observer` is called for each
    /// event, from several threads at once. A panic, which the panic hook reports, costs one
    /// connection, or one event if it is the observer's.
    ///
    /// # Errors
    ///
    /// Those of polling sockets; a failed connection is not an error of the server.
    pub fn run(self, observer: &(dyn Fn(Event<'_>) + Sync)) -> io::Result<()> {
        let Self { settings, limits, threads, stop, .. } = self;
        let limits = Limits { connections: limits.connections.max(1), ..limits };
        let observer = &|event: Event<'_>| {
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        };
        let (accepted, reported) = (AtomicU64::new(0), AtomicBool::new(false));
        let open = AtomicU64::new(0);
        let serving = Serving {
            settings: &settings,
            limits,
            open: &open,
            accepted: &accepted,
            reported: &reported,
            stop: &stop,
            observer,
        };
        run_workers(
            threads.into_iter().map(|(poll, listener)| Poller::new(poll, listener, serving)),
        )
    }
}

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// Time for the handshake while the server is full. An attacker who fills it with idle connections
/// has to reopen them every second.
const HANDSHAKE_WHILE_FULL: Duration = Duration::from_secs(1);

/// File descriptors that must be left once the server listens: for signals and a few clients.
const SPARE_DESCRIPTORS: usize = 8;

/// Adds advice to an error about file descriptors.
fn with_advice(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if let Some(Errno::MFILE | Errno::NFILE) = Errno::from_io_error(&error) {
        let advice = "raise the limit with `ulimit -n`";
        return io::Error::new(error.kind(), format!("{error}; {advice}"));
    }
    error
}

#[cfg(test)]
mod tests;
