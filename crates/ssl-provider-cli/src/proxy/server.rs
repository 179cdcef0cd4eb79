//! Many connections on a few threads: each polls its own sockets and the listener, which all share.
//! While as many connections are open as may be, none is accepted: more wait in the listener's
//! queue.

use std::io::{self, ErrorKind};
use std::mem;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use ssl_provider_lab::worker::{Place, Worker, run_workers};

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

    /// Serves until it is stopped. `observer` is called from several threads at once. A panic,
    /// which the panic hook reports, costs one connection, or one event if it is the observer's.
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
        let observer = &|event: Event<'_>| {
            let _ = catch_unwind(AssertUnwindSafe(|| observer(event)));
        };
        let reported = AtomicBool::new(false);
        let serving = Serving { shared, reported: &reported, stop: &stop, observer };
        run_workers(threads.into_iter().map(|thread| Poller::new(thread, serving)))
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

/// One thread.
struct Poller<'a> {
    poll: Poll,
    /// None once no connection is accepted any more.
    listener: Option<mio::net::TcpListener>,
    /// Whether the listener's queue may have connections.
    listener_ready: bool,
    /// Whether it has had some while as many were open as may be, since the last sweep.
    others_wait: bool,
    /// Whether the last accept failed for lack of file descriptors or memory.
    out_of_resources: bool,
    /// The client of the connection at index i has the token 2i, its device 2i + 1.
    pairs: Vec<Option<(Pair, Place<'a>)>>,
    /// Free indices of `pairs`.
    free: Vec<usize>,
    /// Indices of those that go on without waiting for their sockets.
    unfinished: Vec<usize>,
    serving: Serving<'a>,
    buffer: Vec<u8>,
    data: Vec<u8>,
}

/// What all threads have.
#[derive(Clone, Copy)]
struct Serving<'a> {
    shared: &'a Shared<'a>,
    /// Whether a lack of file descriptors or memory has been reported.
    reported: &'a AtomicBool,
    stop: &'a StopHandle,
    observer: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Serving<'_> {
    fn is_full(self) -> bool {
        Place::is_none_left(&self.shared.metrics.active, self.shared.limits.connections)
    }
}

impl Worker for Poller<'_> {
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut last_sweep = Instant::now();
        let mut stopped_at: Option<Instant> = None;
        loop {
            if self.serving.stop.is_stopped() && stopped_at.is_none() {
                stopped_at = Some(Instant::now());
                self.close_listener();
            }
            if let Some(at) = stopped_at
                && (self.serving.stop.is_urgent()
                    || at.elapsed() >= self.serving.shared.limits.grace)
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
                        let Some(Some((pair, _))) = self.pairs.get_mut(token / 2) else { continue };
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

    fn abandon_all(&mut self) {
        for index in 0..self.pairs.len() {
            if let Some(Some((pair, _))) = self.pairs.get_mut(index) {
                pair.note_panic();
            }
            self.remove(index);
        }
        // What the panic has left half done. An event of the listener may be lost.
        self.pairs.clear();
        self.free.clear();
        self.unfinished.clear();
        self.data.clear();
        self.listener_ready = true;
    }
}

impl<'a> Poller<'a> {
    fn new((poll, listener): (Poll, mio::net::TcpListener), serving: Serving<'a>) -> Self {
        Self {
            poll,
            listener: Some(listener),
            listener_ready: true,
            others_wait: false,
            out_of_resources: false,
            pairs: Vec::new(),
            free: Vec::new(),
            unfinished: Vec::new(),
            serving,
            buffer: vec![0; READ_LEN],
            data: Vec::new(),
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
        self.serving.is_full()
    }

    fn may_accept(&self) -> bool {
        self.listener.is_some() && self.listener_ready && !self.out_of_resources && !self.is_full()
    }

    fn accept(&mut self) {
        let Some(listener) = &self.listener else { return };
        let shared = self.serving.shared;
        let Some(place) = Place::take(&shared.metrics.active, shared.limits.connections) else {
            return;
        };
        match listener.accept() {
            Ok((stream, peer)) => {
                shared.metrics.accepted.fetch_add(1, Ordering::Relaxed);
                self.add(stream, peer, place);
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => self.listener_ready = false,
                ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                _ => {
                    self.out_of_resources = true;
                    if !self.serving.reported.swap(true, Ordering::AcqRel) {
                        (self.serving.observer)(Event::CannotAccept(&error));
                    }
                }
            },
        }
    }

    fn add(&mut self, mut stream: TcpStream, peer: SocketAddr, place: Place<'a>) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        // Each record is written as a whole, so Nagle's algorithm would only delay it.
        let ready = stream.set_nodelay(true).and_then(|()| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut stream, Token(2 * index), interest)
        });
        let pair = Pair::new(stream, peer, self.serving.shared.tls.is_some(), Instant::now());
        match (ready, self.pairs.get_mut(index)) {
            (Ok(()), Some(entry)) => {
                *entry = Some((pair, place));
                self.proceed(index);
            }
            (_, _) => self.free.push(index),
        }
    }

    /// Continues a connection.
    fn proceed(&mut self, index: usize) {
        self.with(index, |pair, context| pair.proceed(context));
    }

    /// Does something with a connection, and what has to be done then. After a panic, which the
    /// panic hook reports, the connection ends, so that it costs no other one.
    fn with(&mut self, index: usize, action: impl FnOnce(&mut Pair, &mut Context<'_>) -> Step) {
        let Some(Some((pair, _))) = self.pairs.get_mut(index) else { return };
        let mut context = Context {
            shared: self.serving.shared,
            registry: self.poll.registry(),
            device_token: Token(2 * index + 1),
            now: Instant::now(),
            buffer: &mut self.buffer,
            data: &mut self.data,
        };
        let step = catch_unwind(AssertUnwindSafe(|| action(pair, &mut context)))
            .or_else(|_| catch_unwind(AssertUnwindSafe(|| pair.abort(&mut context))))
            .unwrap_or(Step::End);
        match step {
            Step::Wait => {}
            Step::Again if mem::replace(&mut pair.is_unfinished, true) => {}
            Step::Again => self.unfinished.push(index),
            Step::End => self.remove(index),
        }
    }

    fn sweep(&mut self) {
        let is_full = (mem::take(&mut self.others_wait) && self.is_full()) || self.out_of_resources;
        if let Some(listener) = &mut self.listener
            && self.serving.is_full()
        {
            // Who waits since before the proxy was full is an event again then. If this fails,
            // they wait until a connection ends by itself.
            let _ = self.poll.registry().reregister(listener, LISTENER, Interest::READABLE);
        }
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
        let Some((pair, place)) = self.pairs.get_mut(index).and_then(Option::take) else { return };
        self.free.push(index);
        self.data.clear();
        // The sockets are closed before the end is reported.
        let ended = pair.into_ended(Instant::now());
        self.serving.shared.metrics.count_end(ended.reason);
        drop(place);
        (self.serving.observer)(Event::Ended(&ended));
    }
}

ssl_provider::redacted_debug! { Server { stop, .. } }

#[cfg(test)]
#[cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto"))]
mod tests {
    use std::net;
    use std::sync::Mutex;
    use std::thread;

    use clap::Parser;
    use ssl_provider_lab::client::ClientSettings;

    use super::super::device::{Addresses, Sessions};
    use super::super::ending::Reason;
    use super::*;
    use crate::{Command, CommandLine};

    /// What connections share with a device that nobody connects to.
    fn shared(args: &super::super::Args) -> Shared<'_> {
        let backend = args.client.backend.choose().unwrap();
        let (verifier, _) = args.client.verifier(&backend, &args.to).unwrap();
        let (provider, options) = (args.client.provider(&backend), args.client.options());
        Shared {
            args,
            settings: ClientSettings::new(provider, options, Box::new(verifier), None, None)
                .unwrap(),
            server_name: None,
            addresses: Addresses::of(&args.to).unwrap(),
            sessions: Sessions::new(false),
            tls: None,
            limits: args.limits(),
            metrics: Arc::default(),
        }
    }

    #[test]
    fn a_panic_outside_any_connection_costs_those_of_its_thread_and_no_place() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let to = silent.local_addr().unwrap().to_string();
        let arguments =
            ["sslprov", "proxy", "--plain", "--insecure", "--to", &to, "--max-connections", "3"];
        let Command::Proxy(args) = CommandLine::parse_from(arguments).command else { panic!() };
        let shared = shared(&args);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let Server { threads, stop } = Server::new(&listener, 1).unwrap();
        let ends = Mutex::new(Vec::new());
        // Of this one, panics are not caught, as they are in `Server::run`.
        let observer = |event: Event<'_>| {
            let Event::Ended(ended) = event else { panic!("{event:?}") };
            ends.lock().unwrap().push(ended.reason);
            assert!(ended.reason == Reason::Panicked, "planted");
        };
        let reported = AtomicBool::new(false);
        let serving =
            Serving { shared: &shared, reported: &reported, stop: &stop, observer: &observer };
        let workers = threads.into_iter().map(|thread| Poller::new(thread, serving));
        let active = || shared.metrics.active.load(Ordering::Acquire);
        let wait_for = |count: u64| {
            let start = Instant::now();
            while active() != count {
                assert!(start.elapsed() < Duration::from_secs(60), "{} are open", active());
                thread::sleep(Duration::from_millis(1));
            }
        };
        thread::scope(|scope| {
            let running = scope.spawn(|| run_workers(workers));
            let connect = || net::TcpStream::connect(address).unwrap();
            let mut clients = vec![connect(), connect(), connect()];
            wait_for(3);
            // The device of the first one dies, and the report of that panics.
            drop(silent.accept().unwrap());
            wait_for(0);
            clients.extend([connect(), connect(), connect()]);
            wait_for(3);
            stop.stop();
            stop.stop();
            running.join().unwrap().unwrap();
        });
        assert_eq!(active(), 0);
        let ends = ends.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let [first, second] = [Reason::DeviceLost, Reason::Stopped]
            .map(|reason| [reason, Reason::Panicked, Reason::Panicked]);
        assert_eq!(ends, [first, second].concat());
    }
}
