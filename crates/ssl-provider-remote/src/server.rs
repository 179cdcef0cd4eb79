//! Many connections on a few threads. All of them wait on one epoll instance; a connection that has
//! a request goes to one of them, so a thread that is free never waits for one that computes. A
//! panic closes the connection that it served, and the thread goes on.

use std::io::{self, Read};
use std::mem;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::socket::{MsgFlags, send};
use ssl_provider_core::Error;
use zeroize::Zeroizing;

use crate::keys::ServedKeys;
use crate::listener::Listener;
use crate::peer::Peer;
use crate::protocol::{MAX_REQUEST_LEN, Malformed, Reply, Request, Status, VERSION, message_len};

/// Limits of a server. Later versions have more fields: end with `..Limits::default()`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Number of threads.
    pub threads: usize,
    /// Concurrent connections, of a few kB each; more are closed at once.
    pub connections: usize,
    /// Requests that a thread takes at once. Above 1 for backends that decrypt several together.
    pub batch: usize,
    /// Time from the first byte of a request to its last.
    pub request: Duration,
    /// How long a thread that has replied asks for the next request over and over before it sleeps.
    /// Waking takes tens of microseconds where the processor sleeps too; this keeps one busy.
    pub busy_poll: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            threads: thread::available_parallelism().map_or(1, Into::into),
            connections: 512,
            batch: 1,
            request: Duration::from_secs(5),
            busy_poll: Duration::ZERO,
        }
    }
}

/// What the owner of a server wants to know.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A peer was disconnected that is not served.
    Refused(Peer),
    /// A peer was disconnected because of the number of connections.
    Full(Peer),
    /// A peer was disconnected that sent something else than a request.
    Malformed(Peer, Malformed),
    /// A peer was disconnected that did not complete a request in time, or did not read its reply.
    TooSlow(Peer),
    /// A connection could not be accepted, such as for lack of file descriptors.
    CannotAccept(&'a io::Error),
    /// The library failed.
    Failed(Error),
    /// A thread panicked and goes on. It served this peer, which was disconnected, or none.
    Panicked(Option<Peer>),
}

/// A key server that listens.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    keys: ServedKeys,
    limits: Limits,
    epoll: Epoll,
    stop: StopHandle,
}

/// Stops a server from another thread.
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<Stop>);

#[derive(Debug)]
struct Stop {
    stopped: AtomicBool,
    /// Readable from then on.
    signal: EventFd,
}

impl StopHandle {
    /// Stops the server: requests that are being computed are replied to, and all connections are
    /// closed.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Release);
        // Cannot fail: the counter is far from full.
        let _ = self.0.signal.write(1);
    }
}

impl Server {
    /// Makes the server.
    ///
    /// # Errors
    ///
    /// When the system has no file descriptors left.
    pub fn new(listener: Listener, keys: ServedKeys, limits: Limits) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let signal = EventFd::from_flags(flags)?;
        epoll.add(&signal, EpollEvent::new(EpollFlags::EPOLLIN, STOP))?;
        epoll.add(&listener.socket, once(LISTENER))?;
        let stop = StopHandle(Arc::new(Stop { stopped: AtomicBool::new(false), signal }));
        Ok(Self { listener, keys, limits, epoll, stop })
    }

    /// Returns a handle that stops the server.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until it is stopped, and removes the socket's file. `observer` is called from several
    /// threads at once.
    ///
    /// # Errors
    ///
    /// Those of epoll; a connection that fails is no error of the server.
    pub fn run(self, observer: &(dyn Fn(Event<'_>) + Sync)) -> io::Result<()> {
        let connections = self.limits.connections.max(1);
        let running = Running {
            slots: (0..connections).map(|_| Mutex::default()).collect(),
            free: Mutex::new((0..connections).rev().collect()),
            incomplete: Arc::default(),
            observer,
            server: self,
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..running.server.limits.threads.max(1))
                .map(|_| {
                    let builder = thread::Builder::new().stack_size(STACK_LEN);
                    builder.spawn_scoped(scope, || running.work())
                })
                .collect::<io::Result<_>>()
                .inspect_err(|_| running.server.stop.stop())?;
            threads.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }
}

/// A server with its connections.
struct Running<'a> {
    server: Server,
    /// A connection that a thread works on is not in its slot.
    slots: Vec<Mutex<Option<Connection>>>,
    free: Mutex<Vec<usize>>,
    /// Connections with a part of a request.
    incomplete: Arc<AtomicUsize>,
    observer: &'a (dyn Fn(Event<'_>) + Sync),
}

struct Connection {
    stream: UnixStream,
    peer: Peer,
    /// The request so far.
    received: Vec<u8>,
    /// Set while it has begun and is not complete.
    incomplete: Option<Incomplete>,
}

/// A request that is not complete, which is counted as long as this exists.
struct Incomplete {
    since: Instant,
    count: Arc<AtomicUsize>,
}

impl Incomplete {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self { since: Instant::now(), count: Arc::clone(count) }
    }
}

impl Drop for Incomplete {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that a thread works on. Dropped, also by a panic, it is closed.
struct Taken<'r> {
    // Closed before the slot is free, else the next connection could get its events.
    connection: Connection,
    slot: Slot<'r>,
}

/// A slot that no other connection has. Dropped, it is free.
struct Slot<'r> {
    index: usize,
    free: &'r Mutex<Vec<usize>>,
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        lock(self.free).push(self.index);
    }
}

/// Stops the other threads when one ends.
struct StopOthers<'a>(&'a StopHandle);

impl Drop for StopOthers<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What was read.
enum Progress {
    Complete,
    Incomplete,
    Closed,
    Malformed(Malformed),
}

impl Running<'_> {
    fn work(&self) -> io::Result<()> {
        let _stop = StopOthers(&self.server.stop);
        let batch = self.server.limits.batch.max(1);
        let mut events = vec![EpollEvent::empty(); batch];
        let mut complete = Vec::with_capacity(batch);
        let mut last_sweep = Instant::now();
        let busy_poll = self.server.limits.busy_poll;
        let mut last_reply: Option<Instant> = None;
        while !self.server.stop.0.stopped.load(Ordering::Acquire) {
            let is_sweeping = self.incomplete.load(Ordering::Relaxed) > 0;
            let is_busy_polling = last_reply.is_some_and(|at| at.elapsed() < busy_poll);
            let timeout = match (is_busy_polling, is_sweeping) {
                (true, _) => EpollTimeout::ZERO,
                (false, true) => SWEEP.try_into().unwrap_or(EpollTimeout::ZERO),
                (false, false) => EpollTimeout::NONE,
            };
            let ready = match self.server.epoll.wait(&mut events, timeout) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => 0,
                Err(error) => return Err(error.into()),
            };
            if ready == 0 && is_busy_polling {
                // A client may need this processor.
                thread::yield_now();
            }
            for event in events.iter().take(ready) {
                match event.data() {
                    STOP => {}
                    LISTENER => {
                        self.survive(None, || self.accept());
                        self.rearm(&self.server.listener.socket, LISTENER);
                    }
                    index => complete.extend(self.take(index).and_then(|taken| {
                        self.survive(Some(taken.connection.peer), || self.receive(taken))?
                    })),
                }
            }
            if !complete.is_empty() {
                self.respond(&mut complete);
                last_reply = Some(Instant::now());
            }
            if is_sweeping && last_sweep.elapsed() >= SWEEP {
                self.survive(None, || self.sweep());
                last_sweep = Instant::now();
            }
        }
        Ok(())
    }

    /// Does some work for a peer. After a panic, reports it and returns `None`.
    fn survive<T>(&self, peer: Option<Peer>, work: impl FnOnce() -> T) -> Option<T> {
        // What the work shares with other threads is a slot, which is empty or has a connection,
        // and counts, which drops keep.
        let done = catch_unwind(AssertUnwindSafe(work)).ok();
        if done.is_none() {
            // An observer that panics cannot be told of it.
            let _ = catch_unwind(AssertUnwindSafe(|| (self.observer)(Event::Panicked(peer))));
        }
        done
    }

    /// Accepts the connections that wait.
    fn accept(&self) {
        let listener = &self.server.listener;
        // Not all at once, so that others who connect do not keep this thread from its clients.
        for _ in 0..MAX_ACCEPTED {
            match listener.socket.accept() {
                Ok((stream, _)) => self.add(stream),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => break,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        (self.observer)(Event::CannotAccept(&error));
                        // It would be ready again at once.
                        thread::sleep(PAUSE);
                        break;
                    }
                },
            }
        }
    }

    fn add(&self, stream: UnixStream) {
        let Ok(peer) = Peer::of(&stream) else { return };
        if !self.server.listener.peers.allow(&peer) {
            return (self.observer)(Event::Refused(peer));
        }
        let Some(slot) = self.free_slot() else {
            return (self.observer)(Event::Full(peer));
        };
        // The slot is empty, so an end of the connection before it is kept has no effect.
        let not_yet = EpollEvent::new(EpollFlags::EPOLLONESHOT, slot.index as u64);
        let added = stream
            .set_nonblocking(true)
            .and_then(|()| Ok(self.server.epoll.add(&stream, not_yet)?));
        match added {
            Ok(()) => {
                let received = Vec::with_capacity(MAX_REQUEST_LEN);
                let connection = Connection { stream, peer, received, incomplete: None };
                self.keep(Taken { connection, slot });
            }
            Err(error) => (self.observer)(Event::CannotAccept(&error)),
        }
    }

    fn free_slot(&self) -> Option<Slot<'_>> {
        let index = lock(&self.free).pop()?;
        Some(Slot { index, free: &self.free })
    }

    /// Takes a connection out of its slot, which is empty where another thread has closed it.
    fn take(&self, index: u64) -> Option<Taken<'_>> {
        let index = usize::try_from(index).ok()?;
        let connection = lock(self.slots.get(index)?).take()?;
        Some(Taken { connection, slot: Slot { index, free: &self.free } })
    }

    /// Reads from a connection, and returns it once it has a whole request.
    fn receive<'r>(&'r self, mut taken: Taken<'r>) -> Option<Taken<'r>> {
        let connection = &mut taken.connection;
        match connection.read() {
            Progress::Complete => {
                connection.incomplete = None;
                return Some(taken);
            }
            Progress::Incomplete => {
                if !connection.received.is_empty() {
                    connection.incomplete.get_or_insert_with(|| Incomplete::new(&self.incomplete));
                }
                self.keep(taken);
            }
            Progress::Closed => {}
            Progress::Malformed(what) => {
                (self.observer)(Event::Malformed(connection.peer, what));
                let status = match what {
                    Malformed::Version(_) => Status::Version,
                    Malformed::Syntax => Status::Malformed,
                };
                if let Ok(reply) = (Reply { id: 0, content: Err(status) }).to_bytes() {
                    // It is closed in any case.
                    let _ = connection.write(&reply);
                }
            }
        }
        None
    }

    /// Replies to the requests of several connections.
    fn respond(&self, complete: &mut Vec<Taken<'_>>) {
        let replies = match &complete[..] {
            [] => return,
            [taken] => self.survive(Some(taken.connection.peer), || self.replies(complete)),
            // Whose request it is that panics is not known, so each is computed alone then.
            several => catch_unwind(AssertUnwindSafe(|| self.replies(several))).ok(),
        };
        match replies {
            Some(replies) => {
                for (taken, reply) in complete.drain(..).zip(replies) {
                    self.survive(Some(taken.connection.peer), || self.send(taken, &reply));
                }
            }
            None if complete.len() > 1 => {
                complete.drain(..).for_each(|taken| self.respond(&mut vec![taken]));
            }
            None => complete.clear(),
        }
    }

    fn replies(&self, complete: &[Taken<'_>]) -> Vec<Zeroizing<Vec<u8>>> {
        // They were parsed when they were received.
        let requests: Vec<_> = complete
            .iter()
            .filter_map(|taken| Request::parse(&taken.connection.received).ok())
            .collect();
        self.server.keys.respond(&requests, &|error| (self.observer)(Event::Failed(error)))
    }

    fn send(&self, mut taken: Taken<'_>, reply: &[u8]) {
        let connection = &mut taken.connection;
        connection.received.clear();
        match connection.write(reply) {
            Ok(()) => self.keep(taken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (self.observer)(Event::TooSlow(connection.peer));
            }
            Err(_) => {}
        }
    }

    /// Closes connections whose requests take too long.
    fn sweep(&self) {
        for (index, slot) in self.slots.iter().enumerate() {
            let is_late = |connection: &mut Connection| {
                let since = connection.incomplete.as_ref().map(|it| it.since);
                since.is_some_and(|since| since.elapsed() >= self.server.limits.request)
            };
            let late = lock(slot).take_if(is_late);
            if let Some(connection) = late {
                let peer = connection.peer;
                drop(Taken { connection, slot: Slot { index, free: &self.free } });
                (self.observer)(Event::TooSlow(peer));
            }
        }
    }

    /// Puts a connection back and waits for its next bytes.
    fn keep(&self, Taken { connection, slot }: Taken<'_>) {
        let Some(place) = self.slots.get(slot.index) else { return };
        let mut place = lock(place);
        // Under the lock, since another thread may have its next event before this returns.
        let connection = place.insert(connection);
        self.rearm(&connection.stream, slot.index as u64);
        mem::forget(slot);
    }

    fn rearm(&self, source: &impl std::os::fd::AsFd, data: u64) {
        // Fails only for a descriptor that was not added, or for lack of kernel memory; the peer of
        // a connection that is never ready again runs into its limit of time.
        let _ = self.server.epoll.modify(source, &mut once(data));
    }
}

impl Connection {
    /// Reads what is there, without waiting.
    fn read(&mut self) -> Progress {
        let mut buffer = [0; MAX_REQUEST_LEN];
        let room = MAX_REQUEST_LEN - self.received.len().min(MAX_REQUEST_LEN);
        let place = buffer.get_mut(..room).unwrap_or_default();
        loop {
            match self.stream.read(place) {
                Ok(0) => return Progress::Closed,
                Ok(len) => {
                    self.received.extend_from_slice(place.get(..len).unwrap_or_default());
                    return self.progress();
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Progress::Incomplete,
                    _ => return Progress::Closed,
                },
            }
        }
    }

    fn progress(&self) -> Progress {
        // The version comes before all that another version may have changed.
        if let Some(version) = self.received.get(2).filter(|version| **version != VERSION) {
            return Progress::Malformed(Malformed::Version(*version));
        }
        match message_len(&self.received, MAX_REQUEST_LEN) {
            // Clients send one request at a time.
            Ok(Some(len)) if self.received.len() >= len => match Request::parse(&self.received) {
                Ok(_) => Progress::Complete,
                Err(what) => Progress::Malformed(what),
            },
            Ok(_) => Progress::Incomplete,
            Err(what) => Progress::Malformed(what),
        }
    }

    /// Writes a reply, which fits into the buffer of a socket whose peer reads. An empty one is an
    /// error.
    fn write(&self, reply: &[u8]) -> io::Result<()> {
        let socket: RawFd = self.stream.as_raw_fd();
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        match send(socket, reply, flags) {
            Ok(len) if len == reply.len() && len > 0 => Ok(()),
            Ok(_) => Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reports the next event of a descriptor to one thread.
fn once(data: u64) -> EpollEvent {
    EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT, data)
}

const STOP: u64 = u64::MAX;
const LISTENER: u64 = u64::MAX - 1;

/// Connections that a thread accepts at once.
const MAX_ACCEPTED: usize = 16;

/// How often time limits are checked while a request is incomplete.
const SWEEP: Duration = Duration::from_millis(250);

/// How long a server without file descriptors waits before it accepts again.
const PAUSE: Duration = Duration::from_millis(50);

/// Stack of a thread: multi-buffer RSA needs 1 MiB for the longest keys.
const STACK_LEN: usize = 2 << 20;
