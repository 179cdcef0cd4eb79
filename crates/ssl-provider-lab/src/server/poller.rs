//! One thread of a server: its poll, its clients and their batches.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use ssl_provider::Error;
use ssl_provider_wire::Alert;

use super::client::{Client, LINGER};
use super::{End, Event, LISTENER, Limits, StopHandle, WAKER, with_advice};
use crate::connection::Ending;
use crate::settings::Settings;
use crate::worker::{Place, Worker};

/// Bytes read at once.
const READ_LEN: usize = 16 << 10;

/// Premaster secrets that are decrypted at once: as many as multi-buffer RSA has lanes.
pub(super) const BATCH_LEN: usize = 8;

/// How often time limits are checked.
const SWEEP: Duration = Duration::from_millis(250);

/// What all threads have.
#[derive(Clone, Copy)]
pub(super) struct Serving<'a> {
    pub settings: &'a Arc<Settings>,
    pub limits: Limits,
    /// Number of open connections.
    pub open: &'a AtomicU64,
    /// Number of accepted connections.
    pub accepted: &'a AtomicU64,
    /// Whether a lack of file descriptors or memory has been reported.
    pub reported: &'a AtomicBool,
    pub stop: &'a StopHandle,
    pub observer: &'a (dyn Fn(Event<'_>) + Sync),
}

impl Serving<'_> {
    /// How many connections may be open.
    fn most_open(&self) -> u64 {
        self.limits.connections.try_into().unwrap_or(u64::MAX)
    }
}

/// One thread.
pub(super) struct Poller<'a> {
    poll: Poll,
    listener: TcpListener,
    /// Whether the listener's queue may have connections.
    listener_ready: bool,
    /// Whether it has had some while the server was full, since the last sweep.
    others_wait: bool,
    /// Whether the last accept failed for lack of file descriptors or memory.
    out_of_resources: bool,
    clients: Vec<Option<(Client, Place<'a>)>>,
    /// Free indices of `clients`.
    free: Vec<usize>,
    /// Indices of paused clients, in the order in which they paused.
    paused: VecDeque<usize>,
    /// Whether some of them have waited while others were polled.
    have_waited: bool,
    serving: Serving<'a>,
    buffer: Vec<u8>,
}

impl Worker for Poller<'_> {
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(256);
        let mut last_sweep = Instant::now();
        let mut stopped_at: Option<Instant> = None;
        while !(self.is_exhausted() && self.is_idle()) {
            if self.serving.stop.is_stopped() && stopped_at.is_none() {
                stopped_at = Some(Instant::now());
                self.close_all();
            }
            let is_accepting = self.may_accept() && !self.out_of_resources;
            let timeout = if is_accepting || !self.paused.is_empty() {
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

impl<'a> Poller<'a> {
    pub(super) fn new(poll: Poll, listener: TcpListener, serving: Serving<'a>) -> Self {
        Self {
            poll,
            listener,
            listener_ready: true,
            others_wait: false,
            out_of_resources: false,
            clients: Vec::new(),
            free: Vec::new(),
            paused: VecDeque::new(),
            have_waited: false,
            serving,
            buffer: vec![0; READ_LEN],
        }
    }

    fn is_idle(&self) -> bool {
        self.clients.len() == self.free.len()
    }

    /// Whether no more connections will be accepted.
    fn is_exhausted(&self) -> bool {
        let accepted = self.serving.accepted.load(Ordering::Acquire);
        self.serving.stop.is_stopped()
            || self.serving.limits.total.is_some_and(|total| accepted >= total)
    }

    fn is_full(&self) -> bool {
        Place::is_none_left(self.serving.open, self.serving.most_open())
    }

    fn may_accept(&self) -> bool {
        self.listener_ready && !self.is_full() && !self.is_exhausted()
    }

    fn accept(&mut self) {
        let Serving { open, limits, .. } = self.serving;
        let Some(place) = Place::take(open, self.serving.most_open()) else { return };
        // Counted before it is accepted, so that two threads cannot both take the last one.
        let number = self.serving.accepted.fetch_add(1, Ordering::AcqRel) + 1;
        let last = limits.total.is_some_and(|total| number >= total);
        if limits.total.is_some_and(|total| number > total) {
            self.serving.accepted.fetch_sub(1, Ordering::AcqRel);
            return;
        }
        match self.listener.accept() {
            Ok((stream, peer)) => {
                self.add(stream, peer, place);
                if last {
                    // Idle threads may end.
                    self.serving.stop.wake();
                }
            }
            Err(error) => {
                self.serving.accepted.fetch_sub(1, Ordering::AcqRel);
                match error.kind() {
                    ErrorKind::WouldBlock => self.listener_ready = false,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.out_of_resources = true;
                        if !self.serving.reported.swap(true, Ordering::AcqRel) {
                            (self.serving.observer)(Event::CannotAccept {
                                error: &with_advice(error),
                            });
                        }
                    }
                }
            }
        }
    }

    fn add(&mut self, mut stream: TcpStream, peer: SocketAddr, place: Place<'a>) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.clients.push(None);
            self.clients.len() - 1
        });
        // On Linux it is set, as the listener's is.
        let ready = if cfg!(target_os = "linux") { Ok(()) } else { stream.set_nodelay(true) };
        // It is polled for room to write only once it lacks some: that it has some now is no event.
        let ready = ready.and_then(|()| {
            self.poll.registry().register(&mut stream, Token(index), Interest::READABLE)
        });
        let client =
            ready.ok().map(|()| Client::new(stream, peer, Arc::clone(self.serving.settings)));
        match (client, self.clients.get_mut(index)) {
            (Some(client), Some(entry)) => *entry = Some((client, place)),
            (_, _) => self.free.push(index),
        }
    }

    /// Continues a connection whose socket is ready or closed by the client.
    fn proceed(&mut self, index: usize, is_closed: bool) {
        let Some(Some((client, _))) = self.clients.get_mut(index) else { return };
        let was_paused = client.is_paused();
        let end = client
            .survive(|client| client.proceed(&mut self.buffer, is_closed, self.serving.observer));
        if client.is_paused() && !was_paused {
            self.paused.push_back(index);
        }
        self.go_on(index, end);
    }

    /// Removes a client that has ended; else has its socket polled for room to write, if it lacks
    /// some.
    fn go_on(&mut self, index: usize, mut end: Option<End>) {
        let Some(Some((client, _))) = self.clients.get_mut(index) else { return };
        if end.is_none() && client.is_blocked() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            match registry.reregister(&mut client.stream, Token(index), interest) {
                Ok(()) => client.is_polled_for_writing = true,
                // Without polls there is no way to go on.
                Err(_) => end = Some(End::Lost),
            }
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
        let settings = self.serving.settings;
        let waiting = batch.iter().filter_map(|index| {
            self.clients.get(*index)?.as_ref()?.0.connection.pending_ciphertext()
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
            let Some(Some((client, _))) = self.clients.get_mut(*index) else { continue };
            let end = client.survive(|client| {
                // One that the server has closed meanwhile is not paused any more.
                if client.is_paused() {
                    let decrypted = error.map_or_else(|| Ok(decrypted.next()), Err);
                    client.connection.continue_with(decrypted);
                }
                client.resume(&mut self.buffer, self.serving.observer)
            });
            // What was buffered may have another key exchange, of a renegotiation.
            if client.is_paused() {
                self.paused.push_back(*index);
            }
            self.go_on(*index, end);
        }
    }

    /// Sends `close_notify` to all clients.
    fn close_all(&mut self) {
        for index in 0..self.clients.len() {
            let Some(Some((client, _))) = self.clients.get_mut(index) else { continue };
            let end = client.close();
            self.go_on(index, end);
        }
    }

    /// Removes the clients that have reached a time limit.
    fn sweep(&mut self, now: Instant, stopped_at: Option<Instant>) {
        let ends_now = stopped_at.is_some_and(|at| now.saturating_duration_since(at) >= LINGER);
        let make_room = mem::take(&mut self.others_wait) && self.is_full();
        if self.is_full() {
            // Who waits since before the server was full is an event again then. If this fails,
            // they wait until a client ends by itself.
            let _ =
                self.poll.registry().reregister(&mut self.listener, LISTENER, Interest::READABLE);
        }
        let limits = self.serving.limits;
        let limits = if make_room || self.out_of_resources { limits.while_full() } else { limits };
        for index in 0..self.clients.len() {
            let Some(Some((client, _))) = self.clients.get_mut(index) else { continue };
            if ends_now || client.is_late(now, &limits) {
                let end = client.connection.ending().map_or(End::TimedOut, End::Tls);
                if client.is_established() {
                    client.close();
                }
                self.remove(index, end);
            }
        }
    }

    fn remove(&mut self, index: usize, how: End) {
        let Some((client, place)) = self.clients.get_mut(index).and_then(Option::take) else {
            return;
        };
        self.free.push(index);
        self.paused.retain(|paused| *paused != index);
        let Client { stream, peer, connection, .. } = client;
        // The socket is closed before the event is reported.
        drop(stream);
        drop(place);
        (self.serving.observer)(Event::Ended { peer, how, cause: connection.cause() });
    }
}
