//! Many connections on a few threads: each polls its own sockets and the listener, which all share.
//! While as many connections are open as may be, none is accepted: more wait in the listener's
//! queue.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};

use super::Shared;
use super::ending::Ended;
use super::pair::{Context, Pair, Step};

/// What the proxy reports while it runs.
#[derive(Debug)]
pub(super) enum Event<'a> {
    /// A connection has ended.
    Ended(&'a Ended),
    /// A connection could not be accepted for lack of file descriptors or memory. Reported once.
    CannotAccept(&'a io::Error),
}

/// Stops the proxy from another thread.
#[derive(Clone, Debug)]
pub(super) struct StopHandle {
    /// How often it was asked for.
    asked: Arc<AtomicU8>,
    wakers: Arc<[Waker]>,
}

impl StopHandle {
    /// Stops: no connection is accepted any more, and those that are open have the time to end that
    /// the limits give. Asked for again, it ends them at once.
    pub(super) fn stop(&self) {
        if self.asked.load(Ordering::Acquire) < 2 {
            self.asked.fetch_add(1, Ordering::AcqRel);
        }
        for waker in self.wakers.iter() {
            // Fails only for a thread that has ended.
            let _ = waker.wake();
        }
    }

    fn is_stopped(&self) -> bool {
        self.asked.load(Ordering::Acquire) > 0
    }

    fn is_urgent(&self) -> bool {
        self.asked.load(Ordering::Acquire) > 1
    }
}

/// A proxy that listens.
pub(super) struct Server {
    threads: Vec<(Poll, mio::net::TcpListener)>,
    stop: StopHandle,
}

impl Server {
    /// Prepares threads for a listener.
    pub(super) fn new(listener: &TcpListener, threads: usize) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let mut polls = Vec::new();
        let mut wakers = Vec::new();
        for _ in 0..threads.max(1) {
            let poll = Poll::new()?;
            wakers.push(Waker::new(poll.registry(), WAKER)?);
            let mut listener = mio::net::TcpListener::from_std(listener.try_clone()?);
            poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
            polls.push((poll, listener));
        }
        let stop = StopHandle { asked: Arc::default(), wakers: wakers.into() };
        Ok(Self { threads: polls, stop })
    }

    pub(super) fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until it is stopped. `observer` is called from several threads at once.
    ///
    /// # Errors
    ///
    /// Those of polling sockets; a failed connection is not an error of the proxy.
    pub(super) fn run(
        self,
        shared: &Shared<'_>,
        observer: &(dyn Fn(Event<'_>) + Sync),
    ) -> io::Result<()> {
        let Self { threads, stop } = self;
        let reported = AtomicBool::new(false);
        thread::scope(|scope| {
            let mut workers = Vec::new();
            for (poll, listener) in threads {
                let worker = Worker {
                    poll,
                    listener: Some(listener),
                    listener_ready: true,
                    others_wait: false,
                    out_of_resources: false,
                    pairs: Vec::new(),
                    free: Vec::new(),
                    unfinished: Vec::new(),
                    shared,
                    reported: &reported,
                    stop: &stop,
                    observer,
                    buffer: vec![0; READ_LEN],
                    data: Vec::new(),
                };
                workers.push(scope.spawn(|| worker.run()));
            }
            workers.into_iter().try_for_each(|thread| match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })
    }
}

const WAKER: Token = Token(usize::MAX);
const LISTENER: Token = Token(usize::MAX - 1);

/// Bytes read at once.
const READ_LEN: usize = 16 << 10;

/// How often limits of time are checked.
const SWEEP: Duration = Duration::from_millis(250);

/// Connections accepted at once, before others have their turn.
const ACCEPTS: usize = 16;

struct Worker<'a> {
    poll: Poll,
    /// None once no connection is accepted any more.
    listener: Option<mio::net::TcpListener>,
    /// Whether the listener's queue may have connections.
    listener_ready: bool,
    /// Whether a connection came while as many were open as may be.
    others_wait: bool,
    /// Whether the last accept failed for lack of file descriptors or memory.
    out_of_resources: bool,
    /// The client of the connection at index i has the token 2i, its device 2i + 1.
    pairs: Vec<Option<Pair>>,
    /// Free indices of `pairs`.
    free: Vec<usize>,
    /// Indices of those that go on without waiting for their sockets.
    unfinished: Vec<usize>,
    shared: &'a Shared<'a>,
    /// Whether a lack of file descriptors or memory has been reported.
    reported: &'a AtomicBool,
    stop: &'a StopHandle,
    observer: &'a (dyn Fn(Event<'_>) + Sync),
    buffer: Vec<u8>,
    data: Vec<u8>,
}

impl Worker<'_> {
    fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut last_sweep = Instant::now();
        let mut stopped_at: Option<Instant> = None;
        loop {
            if self.stop.is_stopped() && stopped_at.is_none() {
                stopped_at = Some(Instant::now());
                self.close_listener();
            }
            if let Some(at) = stopped_at
                && (self.stop.is_urgent() || at.elapsed() >= self.shared.limits.grace)
            {
                self.stop_all();
            }
            if self.is_idle() && stopped_at.is_some() {
                return Ok(());
            }
            let timeout = if self.may_accept() || !self.unfinished.is_empty() {
                Some(Duration::ZERO)
            } else if self.is_idle() && !self.out_of_resources && !self.listener_ready {
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
                    LISTENER => {
                        self.listener_ready = true;
                        self.others_wait |= self.is_full();
                    }
                    Token(token) => {
                        let Some(Some(pair)) = self.pairs.get_mut(token / 2) else { continue };
                        match token % 2 {
                            0 => pair.note_client(event),
                            _ => pair.note_device(event),
                        }
                        self.proceed(token / 2);
                    }
                }
            }
            for index in mem::take(&mut self.unfinished) {
                self.with(index, |pair, context| {
                    pair.is_unfinished = false;
                    pair.proceed(context)
                });
            }
            if last_sweep.elapsed() >= SWEEP {
                last_sweep = Instant::now();
                self.sweep();
                self.out_of_resources = false;
            }
            for _ in 0..ACCEPTS {
                if self.may_accept() {
                    self.accept();
                }
            }
        }
    }

    /// Closes the listener, so that clients are refused rather than left in the queue.
    fn close_listener(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            // Others may have it open, too; it would be polled as long as they do.
            let _ = self.poll.registry().deregister(&mut listener);
        }
    }

    fn is_idle(&self) -> bool {
        self.pairs.len() == self.free.len()
    }

    fn is_full(&self) -> bool {
        self.shared.metrics.active.load(Ordering::Acquire) >= self.shared.limits.connections
    }

    fn may_accept(&self) -> bool {
        self.listener.is_some() && self.listener_ready && !self.out_of_resources && !self.is_full()
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        // Counted before it is accepted, so that two threads cannot both take the last place.
        let active = &self.shared.metrics.active;
        if active.fetch_add(1, Ordering::AcqRel) >= self.shared.limits.connections {
            active.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        match listener.accept() {
            Ok((mut stream, peer)) => {
                self.shared.metrics.accepted.fetch_add(1, Ordering::Relaxed);
                let index = self.free.pop().unwrap_or_else(|| {
                    self.pairs.push(None);
                    self.pairs.len() - 1
                });
                // Each record is written as a whole, so Nagle's algorithm would only delay it.
                let ready = stream.set_nodelay(true).and_then(|()| {
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    self.poll.registry().register(&mut stream, Token(2 * index), interest)
                });
                let speaks_tls = self.shared.tls.is_some();
                let pair = Pair::new(stream, peer, speaks_tls, Instant::now());
                match (ready, self.pairs.get_mut(index)) {
                    (Ok(()), Some(place)) => {
                        *place = Some(pair);
                        self.proceed(index);
                    }
                    (_, _) => {
                        self.free.push(index);
                        active.fetch_sub(1, Ordering::AcqRel);
                    }
                }
            }
            Err(error) => {
                active.fetch_sub(1, Ordering::AcqRel);
                match error.kind() {
                    ErrorKind::WouldBlock => self.listener_ready = false,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.out_of_resources = true;
                        if !self.reported.swap(true, Ordering::AcqRel) {
                            (self.observer)(Event::CannotAccept(&error));
                        }
                    }
                }
            }
        }
    }

    /// Continues a connection.
    fn proceed(&mut self, index: usize) {
        self.with(index, |pair, context| pair.proceed(context));
    }

    /// Does something with a connection, and what has to be done then.
    fn with(&mut self, index: usize, action: impl FnOnce(&mut Pair, &mut Context<'_>) -> Step) {
        let Some(Some(pair)) = self.pairs.get_mut(index) else { return };
        let mut context = Context {
            shared: self.shared,
            registry: self.poll.registry(),
            device_token: Token(2 * index + 1),
            now: Instant::now(),
            buffer: &mut self.buffer,
            data: &mut self.data,
        };
        match action(pair, &mut context) {
            Step::Wait => {}
            Step::Again if mem::replace(&mut pair.is_unfinished, true) => {}
            Step::Again => self.unfinished.push(index),
            Step::End => self.remove(index),
        }
    }

    fn sweep(&mut self) {
        self.others_wait &= self.is_full();
        let is_full = self.others_wait || self.out_of_resources;
        for index in 0..self.pairs.len() {
            self.with(index, |pair, context| pair.check_time(context, is_full));
        }
    }

    fn stop_all(&mut self) {
        for index in 0..self.pairs.len() {
            self.with(index, |pair, _| {
                pair.stop();
                Step::End
            });
        }
    }

    fn remove(&mut self, index: usize) {
        let Some(pair) = self.pairs.get_mut(index).and_then(Option::take) else { return };
        self.free.push(index);
        self.data.clear();
        // The sockets are closed before the end is reported.
        let ended = pair.into_ended(Instant::now());
        let metrics = &self.shared.metrics;
        metrics.count_end(ended.reason);
        metrics.active.fetch_sub(1, Ordering::AcqRel);
        (self.observer)(Event::Ended(&ended));
    }
}

ssl_provider::redacted_debug! { Server { stop, .. } }
