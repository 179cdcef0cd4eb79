//! Many connections on a few threads, with limits on their number, memory and time.
//! Each thread polls its own sockets and the listener, which all share, and decrypts the premaster
//! secrets of its clients in batches.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, SocketAddr, TcpListener, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
#[cfg(unix)]
use rustix::io::Errno;
use ssl_provider::Error;
use ssl_provider_wire::Alert;

use crate::connection::{Connection, Ending, SessionInfo};
use crate::http::Request;
use crate::refusal::Cause;
use crate::settings::Settings;
use crate::worker::{Worker, run_workers};

/// Limits of a server. A connection takes a few kB of memory usually, and half a megabyte at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of threads.
    pub threads: usize,
    /// Concurrent connections; more wait in the listener's queue.
    pub connections: usize,
    /// Time for the handshake; at most one second while the server is full.
    pub handshake: Duration,
    /// Time for a connection, handshake included; while the server is full, that for a handshake.
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
        /// Why the client was refused, if known; see [`Connection::cause`].
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
        let observer = &|event: Event<'_>| {
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        };
        let (accepted, reported) = (AtomicU64::new(0), AtomicBool::new(false));
        let capacity = limits.connections.div_ceil(threads.len());
        run_workers(threads.into_iter().map(|(poll, listener)| Poller {
            poll,
            listener,
            listener_ready: true,
            out_of_resources: false,
            clients: Vec::new(),
            free: Vec::new(),
            paused: VecDeque::new(),
            have_waited: false,
            capacity,
            settings: &settings,
            limits,
            accepted: &accepted,
            reported: &reported,
            stop: &stop,
            observer,
            buffer: vec![0; READ_LEN],
        }))
    }
}

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// Bytes read at once.
const READ_LEN: usize = 16 << 10;

/// Premaster secrets that are decrypted at once: as many as multi-buffer RSA has lanes.
const BATCH_LEN: usize = 8;

/// How often time limits are checked.
const SWEEP: Duration = Duration::from_millis(250);

/// Time for the handshake while the server is full. An attacker who fills it with idle connections
/// has to reopen them every second.
const HANDSHAKE_WHILE_FULL: Duration = Duration::from_secs(1);

/// File descriptors that must be left once the server listens: for signals and a few clients.
const SPARE_DESCRIPTORS: usize = 8;

/// How long a client may take, and how many bytes it may send, until it closes its side after the
/// server's last alert. Closing a socket with unread bytes resets it, and the alert is lost.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_LEN: usize = 256 << 10;

/// One thread.
struct Poller<'a> {
    poll: Poll,
    listener: mio::net::TcpListener,
    /// Whether the listener's queue may have connections.
    listener_ready: bool,
    /// Whether the last accept failed for lack of file descriptors or memory.
    out_of_resources: bool,
    clients: Vec<Option<Client>>,
    /// Free indices of `clients`.
    free: Vec<usize>,
    /// Indices of paused clients, in the order in which they paused.
    paused: VecDeque<usize>,
    /// Whether some of them have waited while others were polled.
    have_waited: bool,
    capacity: usize,
    settings: &'a Arc<Settings>,
    limits: Limits,
    accepted: &'a AtomicU64,
    /// Whether a lack of file descriptors or memory has been reported.
    reported: &'a AtomicBool,
    stop: &'a StopHandle,
    observer: &'a (dyn Fn(Event<'_>) + Sync),
    buffer: Vec<u8>,
}

impl Worker for Poller<'_> {
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut last_sweep = Instant::now();
        let mut stopped_at: Option<Instant> = None;
        while !(self.is_exhausted() && self.is_idle()) {
            if self.stop.is_stopped() && stopped_at.is_none() {
                stopped_at = Some(Instant::now());
                self.close_all();
            }
            let is_accepting = self.may_accept() && !self.out_of_resources;
            let timeout = if is_accepting || !self.paused.is_empty() {
                Some(Duration::ZERO)
            } else if self.is_idle() && !self.out_of_resources {
                None
            } else {
                Some(SWEEP)
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                Ok(()) | Err(_) => {}
            }
            for event in &events {
                match event.token() {
                    WAKER => {}
                    LISTENER => self.listener_ready = true,
                    Token(index) => self.proceed(index, event.is_read_closed()),
                }
            }
            self.decrypt();
            if last_sweep.elapsed() >= SWEEP {
                last_sweep = Instant::now();
                self.sweep(last_sweep, stopped_at);
                self.out_of_resources = false;
            }
            // A batch at a time: fewer would leave batches short, and more a burst unshared.
            for _ in 0..BATCH_LEN {
                if self.may_accept() && !self.out_of_resources {
                    self.accept();
                }
            }
        }
        Ok(())
    }

    fn abandon_all(&mut self) {
        for index in 0..self.clients.len() {
            self.remove(index, End::Tls(Ending::Refused(Alert::InternalError)));
        }
        // What the panic has left half done. An event of the listener may be lost.
        self.clients.clear();
        self.free.clear();
        self.paused.clear();
        self.listener_ready = true;
    }
}

impl Poller<'_> {
    fn is_idle(&self) -> bool {
        self.clients.len() == self.free.len()
    }

    /// Whether no more connections will be accepted.
    fn is_exhausted(&self) -> bool {
        let accepted = self.accepted.load(Ordering::Acquire);
        self.stop.is_stopped() || self.limits.total.is_some_and(|total| accepted >= total)
    }

    fn is_full(&self) -> bool {
        self.clients.len() - self.free.len() >= self.capacity
    }

    fn may_accept(&self) -> bool {
        self.listener_ready && !self.is_full() && !self.is_exhausted()
    }

    fn accept(&mut self) {
        // Counted before it is accepted, so that two threads cannot both take the last one.
        let number = self.accepted.fetch_add(1, Ordering::AcqRel) + 1;
        let last = self.limits.total.is_some_and(|total| number >= total);
        if self.limits.total.is_some_and(|total| number > total) {
            self.accepted.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        match self.listener.accept() {
            Ok((stream, peer)) => {
                self.add(stream, peer);
                if last {
                    // Idle threads may end.
                    self.stop.wake();
                }
            }
            Err(error) => {
                self.accepted.fetch_sub(1, Ordering::AcqRel);
                match error.kind() {
                    ErrorKind::WouldBlock => self.listener_ready = false,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.out_of_resources = true;
                        if !self.reported.swap(true, Ordering::AcqRel) {
                            (self.observer)(Event::CannotAccept { error: &with_advice(error) });
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream, peer: SocketAddr) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        // Each flight is written as a whole, so Nagle's algorithm would only delay it.
        let ready = stream.set_nodelay(true).and_then(|()| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(index), interest)
        });
        let client = ready.ok().map(|()| Client::new(stream, peer, Arc::clone(self.settings)));
        match (client, self.clients.get_mut(index)) {
            (Some(client), Some(place)) => *place = Some(client),
            (_, _) => self.free.push(index),
        }
    }

    /// Continues a connection whose socket is ready or closed by the client.
    fn proceed(&mut self, index: usize, is_closed: bool) {
        let Some(Some(client)) = self.clients.get_mut(index) else { return };
        let was_paused = client.is_paused();
        let end =
            client.survive(|client| client.proceed(&mut self.buffer, is_closed, self.observer));
        if client.is_paused() && !was_paused {
            self.paused.push_back(index);
        }
        if let Some(end) = end {
            self.remove(index, end);
        }
    }

    /// Decrypts the premaster secrets of paused clients, in full batches. What is left over waits
    /// for one more poll, which does not block, and then is a batch too.
    fn decrypt(&mut self) {
        let is_their_turn = mem::take(&mut self.have_waited);
        while self.paused.len() >= BATCH_LEN || (is_their_turn && !self.paused.is_empty()) {
            let len = self.paused.len().min(BATCH_LEN);
            let batch: Vec<usize> = self.paused.drain(..len).collect();
            self.decrypt_batch(&batch);
        }
        self.have_waited = !self.paused.is_empty();
    }

    fn decrypt_batch(&mut self, batch: &[usize]) {
        let settings = self.settings;
        let waiting = batch.iter().filter_map(|index| {
            self.clients.get(*index)?.as_ref()?.connection.pending_ciphertext()
        });
        let ciphertexts: Vec<&[u8]> = waiting.collect();
        let decrypted =
            catch_unwind(AssertUnwindSafe(|| settings.decrypt_premasters(&ciphertexts)));
        let (mut decrypted, error) = match decrypted {
            Ok(Ok(decrypted)) => (decrypted.into_iter(), None),
            Ok(Err(error)) => (Vec::new().into_iter(), Some(error)),
            // Whose ciphertext it is that panics is not known, so each is decrypted alone then.
            Err(_) if batch.len() > 1 => {
                return batch.iter().for_each(|index| self.decrypt_batch(&[*index]));
            }
            Err(_) => (Vec::new().into_iter(), Some(Error::Internal("a panic in the library"))),
        };
        for index in batch {
            let Some(Some(client)) = self.clients.get_mut(*index) else { continue };
            let end = client.survive(|client| {
                // One that the server has closed meanwhile is not paused any more.
                if client.is_paused() {
                    let decrypted = error.map_or_else(|| Ok(decrypted.next()), Err);
                    client.connection.continue_with(decrypted);
                }
                client.resume(&mut self.buffer, self.observer)
            });
            // What was buffered may have another key exchange, of a renegotiation.
            if client.is_paused() {
                self.paused.push_back(*index);
            }
            if let Some(end) = end {
                self.remove(*index, end);
            }
        }
    }

    /// Sends `close_notify` to all clients.
    fn close_all(&mut self) {
        for index in 0..self.clients.len() {
            let Some(Some(client)) = self.clients.get_mut(index) else { continue };
            let end = client.survive(|client| {
                client.connection.close();
                client.flush()
            });
            if let Some(end) = end {
                self.remove(index, end);
            }
        }
    }

    /// Removes the clients that have reached a time limit.
    fn sweep(&mut self, now: Instant, stopped_at: Option<Instant>) {
        let ends_now = stopped_at.is_some_and(|at| now.saturating_duration_since(at) >= LINGER);
        let is_full = (self.is_full() && self.listener_ready) || self.out_of_resources;
        let limits = if is_full { self.limits.while_full() } else { self.limits };
        for index in 0..self.clients.len() {
            let Some(Some(client)) = self.clients.get(index) else { continue };
            if ends_now || client.is_late(now, &limits) {
                let end = client.connection.ending().map_or(End::TimedOut, End::Tls);
                self.remove(index, end);
            }
        }
    }

    fn remove(&mut self, index: usize, how: End) {
        let Some(client) = self.clients.get_mut(index).and_then(Option::take) else { return };
        self.free.push(index);
        self.paused.retain(|paused| *paused != index);
        let Client { stream, peer, connection, .. } = client;
        // The socket is closed before the event is reported.
        drop(stream);
        (self.observer)(Event::Ended { peer, how, cause: connection.cause() });
    }
}

struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    connection: Connection,
    request: Request,
    began: Instant,
    announced: bool,
    /// Whether the client has closed its side.
    is_closed: bool,
    /// Whether the socket may have more to read after a pause.
    is_unread: bool,
    lingering: Option<Lingering>,
}

/// The server has sent everything; the client has yet to close its side.
struct Lingering {
    since: Instant,
    read: usize,
}

impl Client {
    fn new(stream: TcpStream, peer: SocketAddr, settings: Arc<Settings>) -> Self {
        Self {
            stream,
            peer,
            connection: Connection::new(settings),
            request: Request::default(),
            began: Instant::now(),
            announced: false,
            is_closed: false,
            is_unread: false,
            lingering: None,
        }
    }

    /// Whether the client waits for the decryption of its premaster secret. Nothing is read then.
    fn is_paused(&self) -> bool {
        self.connection.pending_ciphertext().is_some()
    }

    /// Does some work. After a panic, which the panic hook reports, the connection is aborted, so
    /// that it costs no other one.
    fn survive(&mut self, work: impl FnOnce(&mut Self) -> Option<End>) -> Option<End> {
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

    /// Reads and writes as much as the socket allows. Returns how the connection ended, if it did.
    fn proceed(
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
    fn resume(&mut self, buffer: &mut [u8], observer: &(dyn Fn(Event<'_>) + Sync)) -> Option<End> {
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
            if let Some(lingering) = &mut self.lingering {
                lingering.read += len;
                if lingering.read > LINGER_LEN {
                    return Some(self.end());
                }
            } else {
                let received = buffer.get(..len).unwrap_or_default();
                self.connection.receive_until_decryption(received);
                if self.is_paused() {
                    self.is_unread = self.is_closed || len == buffer.len();
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
            if len < buffer.len() && !self.is_closed {
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
        if let Some(response) = self.request.receive(&data, self.connection.settings(), session) {
            self.connection.send(&response);
            self.connection.close();
        }
    }

    fn flush(&mut self) -> Option<End> {
        while !self.connection.output().is_empty() {
            match self.stream.write(self.connection.output()) {
                Ok(len) => self.connection.sent(len),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return None,
                    ErrorKind::Interrupted => {}
                    _ => return Some(self.end()),
                },
            }
        }
        if self.connection.ending().is_some() && self.lingering.is_none() {
            self.lingering = Some(Lingering { since: Instant::now(), read: 0 });
            // If the client has gone away, the next read fails.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        None
    }

    fn end(&self) -> End {
        self.connection.ending().map_or(End::Lost, End::Tls)
    }

    fn is_late(&self, now: Instant, limits: &Limits) -> bool {
        let age = now.saturating_duration_since(self.began);
        match &self.lingering {
            Some(lingering) => now.saturating_duration_since(lingering.since) >= LINGER,
            None if self.announced => age >= limits.connection,
            None => age >= limits.handshake,
        }
    }
}

ssl_provider::redacted_debug! { Client { peer, .. } }

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
mod tests {
    use std::net;
    use std::sync::{Condvar, Mutex, PoisonError};

    use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVersion};
    use ssl_provider::backend::{
        Composed, KeyExchangeBackend, RawDecryption, RsaDecryption, RsaPrivateKey, SecureRandom,
    };
    use ssl_provider::{
        Backend, BackendInfo, Error, Operation, ProtocolVersion, RsaPrivateKeyDer, Support,
        default_backend,
    };

    use super::*;

    /// A backend whose batches are recorded, and of which the first waits to be let go.
    #[derive(Clone, Debug)]
    struct Gate {
        library: Backend,
        shared: Arc<(Mutex<Batches>, Condvar)>,
    }

    #[derive(Debug, Default)]
    struct Batches {
        lens: Vec<usize>,
        is_open: bool,
    }

    impl KeyExchangeBackend for Gate {
        fn info(&self) -> &BackendInfo {
            self.library.info()
        }

        fn support(&self, operation: Operation) -> Support {
            match operation {
                Operation::RsaDecryptRaw => self.library.support(operation),
                _ => Support::Unsupported,
            }
        }

        fn rsa_decryption(&self) -> &dyn RsaDecryption {
            self
        }
    }

    impl RsaDecryption for Gate {
        fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
            let key = self.library.rsa_decryption().load(key)?;
            Ok(Box::new(GatedKey { key, gate: self.clone() }))
        }
    }

    #[derive(Debug)]
    struct GatedKey {
        key: Box<dyn RsaPrivateKey>,
        gate: Gate,
    }

    impl RsaPrivateKey for GatedKey {
        fn modulus_len(&self) -> usize {
            self.key.modulus_len()
        }

        fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
            self.key.decrypt_raw(ciphertext, em)
        }

        fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
            let (batches, changed) = &*self.gate.shared;
            let mut batches = batches.lock().unwrap();
            let panics = batches.is_open && jobs.iter().any(|job| job.ciphertext == PANICS);
            // The trials of the suites have no ciphertext.
            if !jobs.is_empty() {
                batches.lens.push(jobs.len());
                changed.notify_all();
                drop(changed.wait_while(batches, |batches| !batches.is_open).unwrap());
            }
            assert!(!panics, "planted");
            self.key.decrypt_raw_batch(jobs)
        }
    }

    /// A ciphertext at which the library of a gate panics.
    const PANICS: [u8; 128] = [7; 128];

    fn gated() -> (Gate, Arc<Settings>) {
        let library = default_backend().unwrap();
        let info = BackendInfo::new("gate", "Gate", String::new()).with_rsa(library.info().rsa);
        let gate = Gate { library: library.clone(), shared: Arc::default() };
        let backend = Backend::new(Composed::new(info, gate.clone(), library));
        (gate, crate::tests::settings_on(&backend, |_| {}))
    }

    fn connect(address: SocketAddr) -> SslStream<net::TcpStream> {
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        // The server's test key has 1024 bits.
        context.set_cipher_list("AES128-SHA:@SECLEVEL=0").unwrap();
        let socket = net::TcpStream::connect(address).unwrap();
        let mut stream = SslStream::new(Ssl::new(&context.build()).unwrap(), socket).unwrap();
        stream.connect().unwrap();
        stream
    }

    #[test]
    fn clients_that_wait_at_the_same_time_are_decrypted_together_and_each_is_served() {
        let (gate, settings) = gated();
        let (batches, changed) = &*gate.shared;
        serving_with(settings, Limits { threads: 1, ..Limits::default() }, |address| {
            thread::scope(|scope| {
                let mut clients = vec![scope.spawn(move || connect(address))];
                let first = batches.lock().unwrap();
                drop(changed.wait_while(first, |batches| batches.lens.is_empty()).unwrap());
                clients.extend((0..20).map(|_| scope.spawn(move || connect(address))));
                // The others can connect now, but have no reply to their hellos.
                thread::sleep(Duration::from_millis(200));
                batches.lock().unwrap().is_open = true;
                changed.notify_all();
                for client in clients {
                    let mut client = client.join().unwrap();
                    client.write_all(b"GET /plain HTTP/1.0\r\n\r\n").unwrap();
                    let mut page = String::new();
                    client.read_to_string(&mut page).unwrap();
                    assert!(page.contains("TLS_RSA_WITH_AES_128_CBC_SHA"), "{page}");
                }
            });
        });
        let lens = &batches.lock().unwrap().lens;
        assert_eq!((lens.first(), lens.iter().sum()), (Some(&1), 21));
        assert!(lens.iter().any(|len| *len > 1), "{lens:?}");
        assert!(lens.iter().all(|len| *len <= BATCH_LEN), "{lens:?}");
    }

    /// Sends a hello and a ClientKeyExchange with this ciphertext, then a record that is not
    /// encrypted.
    fn send_ciphertext(address: SocketAddr, settings: &Arc<Settings>, ciphertext: &[u8]) -> Reply {
        let mut client = crate::tests::Client::new(settings, ProtocolVersion::TLS1_2);
        let hello = client.hello(&[crate::tests::AES_128_CBC_SHA], &[]);
        let exchange = client.key_exchange_message(ciphertext);
        let bytes = [(22, &hello[..]), (22, &exchange), (20, &[1]), (22, &[0; 64])]
            .map(|(content_type, payload)| client.record(content_type, payload))
            .concat();
        let mut stream = net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&bytes).unwrap();
        Reply(stream)
    }

    /// A connection to be read from.
    struct Reply(net::TcpStream);

    impl Reply {
        /// Returns the last record.
        #[track_caller]
        fn alert(mut self) -> [u8; 7] {
            let mut reply = Vec::new();
            self.0.read_to_end(&mut reply).unwrap();
            *reply.last_chunk().unwrap()
        }
    }

    const BAD_RECORD_MAC: [u8; 7] = [21, 3, 3, 0, 2, 2, 20];
    const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

    #[test]
    fn a_panic_of_the_library_costs_one_connection_also_in_a_batch_with_others() {
        let (gate, settings) = gated();
        let (batches, changed) = &*gate.shared;
        let limits = Limits { threads: 1, ..Limits::default() };
        serving_with(Arc::clone(&settings), limits, |address| {
            let send = |ciphertext| send_ciphertext(address, &settings, ciphertext);
            let mut good = vec![send(&[9; 128])];
            let first = batches.lock().unwrap();
            drop(changed.wait_while(first, |batches| batches.lens.is_empty()).unwrap());
            good.extend([(); 3].map(|()| send(&[9; 128])));
            let bad = send(&PANICS);
            good.extend([(); 3].map(|()| send(&[9; 128])));
            batches.lock().unwrap().is_open = true;
            changed.notify_all();
            assert_eq!(bad.alert(), INTERNAL_ERROR);
            for reply in good {
                assert_eq!(reply.alert(), BAD_RECORD_MAC);
            }
            // By itself.
            assert_eq!(send(&PANICS).alert(), INTERNAL_ERROR);
            drop(connect(address));
        });
        let lens = &batches.lock().unwrap().lens;
        assert!(lens.iter().any(|len| *len > 1), "{lens:?}");
    }

    /// A backend whose random numbers panic once when it is armed.
    #[derive(Clone, Debug)]
    struct Trap {
        library: Backend,
        is_armed: Arc<AtomicBool>,
    }

    impl KeyExchangeBackend for Trap {
        fn info(&self) -> &BackendInfo {
            self.library.info()
        }

        fn support(&self, operation: Operation) -> Support {
            match operation {
                Operation::Random => self.library.support(operation),
                _ => Support::Unsupported,
            }
        }

        fn random(&self) -> &dyn SecureRandom {
            self
        }
    }

    impl SecureRandom for Trap {
        fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
            assert!(!self.is_armed.swap(false, Ordering::AcqRel), "planted");
            self.library.random().fill(out)
        }
    }

    #[test]
    fn a_panic_in_a_handshake_costs_that_connection_and_one_of_the_observer_none() {
        let library = default_backend().unwrap();
        let info = BackendInfo::new("trap", "Trap", String::new()).with_rsa(library.info().rsa);
        let trap = Trap { library: library.clone(), is_armed: Arc::default() };
        let backend = Backend::new(Composed::new(info, trap.clone(), library));
        let settings = crate::tests::settings_on(&backend, |_| {});
        let limits = Limits { threads: 1, ..Limits::default() };
        let server = Server::bind("127.0.0.1:0", Arc::clone(&settings), limits).unwrap();
        let (address, stop) = (server.local_address().unwrap(), server.stop_handle());
        let ends = Mutex::new(Vec::new());
        let observer = |event: Event<'_>| {
            if let Event::Ended { how, .. } = event {
                ends.lock().unwrap().push(how);
            }
            panic!("planted");
        };
        thread::scope(|scope| {
            let running = scope.spawn(|| server.run(&observer));
            trap.is_armed.store(true, Ordering::Release);
            let refused = send_ciphertext(address, &settings, &[9; 128]).alert();
            let mut client = connect(address);
            client.write_all(b"GET /plain HTTP/1.0\r\n\r\n").unwrap();
            let mut page = String::new();
            client.read_to_string(&mut page).unwrap();
            drop(client);
            stop.stop();
            running.join().expect("the server goes on").unwrap();
            assert_eq!(refused[5..], [2, 80]);
            assert!(page.contains("TLS_RSA_WITH_AES_128_CBC_SHA"), "{page}");
        });
        let refused = End::Tls(Ending::Refused(Alert::InternalError));
        let ends = ends.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(ends, [refused, End::Tls(Ending::Closed)]);
    }

    /// Runs a server while `work` runs on its address.
    fn serving(limits: Limits, work: impl FnOnce(SocketAddr)) {
        serving_with(crate::tests::settings(), limits, work);
    }

    fn serving_with(settings: Arc<Settings>, limits: Limits, work: impl FnOnce(SocketAddr)) {
        let server = Server::bind("127.0.0.1:0", settings, limits).unwrap();
        let (address, stop) = (server.local_address().unwrap(), server.stop_handle());
        thread::scope(|scope| {
            let running = scope.spawn(|| server.run(&|_| {}));
            work(address);
            stop.stop();
            running.join().unwrap().unwrap();
        });
    }

    /// Returns the reply to bytes that are not a record, and the time it took.
    fn refusal(address: SocketAddr) -> (Vec<u8>, Duration) {
        let start = Instant::now();
        let mut stream = net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"GET / HTTP/1.0").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        (reply, start.elapsed())
    }

    #[test]
    fn idle_clients_make_room_for_others() {
        let limits = Limits { threads: 1, connections: 4, ..Limits::default() };
        serving(limits, |address| {
            let slow: Vec<_> = (0..9).map(|_| net::TcpStream::connect(address).unwrap()).collect();
            // Two rounds of four, with a margin for a busy machine.
            let (reply, took) = refusal(address);
            assert_eq!(reply, [21, 3, 1, 0, 2, 2, 10]);
            assert!(took < limits.handshake, "{took:?}");
            drop(slow);
        });
    }

    #[test]
    fn a_client_that_sends_a_byte_at_a_time_has_no_more_time_than_others() {
        let handshake = Duration::from_secs(1);
        serving(Limits { threads: 1, handshake, ..Limits::default() }, |address| {
            let mut slow = net::TcpStream::connect(address).unwrap();
            let start = Instant::now();
            let mut record = [22, 3, 1, 0x40, 0].into_iter().chain(std::iter::repeat(0));
            while slow.write_all(&[record.next().unwrap()]).is_ok() {
                thread::sleep(Duration::from_millis(20));
                assert!(start.elapsed() < Duration::from_secs(20), "it is still open");
            }
            assert!(start.elapsed() >= handshake);
            assert_eq!(refusal(address).0, [21, 3, 1, 0, 2, 2, 10], "the server still serves");
        });
    }
}
