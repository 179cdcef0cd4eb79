//! Sessions that may be resumed, and the bounded cache that holds them.
//! The server chooses the identifiers, so nobody else decides what is evicted or found.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ssl_provider::MasterKey;

/// A session id of this server.
pub(crate) type SessionId = [u8; 32];

/// SHA-256 of a client's certificate.
pub(crate) type Fingerprint = [u8; 32];

/// What a completed handshake agreed on, and its master key.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) master_key: MasterKey,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    /// The server_name extension of the handshake, unread.
    pub(crate) server_name: Option<Box<[u8]>>,
    pub(crate) client_certificate: Option<Fingerprint>,
    pub(crate) began: Instant,
}

/// Completed sessions. The oldest makes room for a new one.
pub struct SessionCache {
    sessions: Mutex<Sessions>,
    capacity: usize,
    lifetime: Duration,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<SessionId, Arc<Session>>,
    /// Oldest first. Has every id of the map, and may have ids that were removed from it.
    order: VecDeque<SessionId>,
}

impl SessionCache {
    /// A cache of so many sessions, each of which may be resumed for `lifetime`.
    pub fn new(capacity: usize, lifetime: Duration) -> Self {
        Self { sessions: Mutex::default(), capacity, lifetime }
    }

    pub(crate) fn insert(&self, session: Arc<Session>) {
        self.locked(|sessions| {
            sessions.order.push_back(session.id);
            sessions.by_id.insert(session.id, session);
            while sessions.order.len() > self.capacity {
                if let Some(oldest) = sessions.order.pop_front() {
                    sessions.by_id.remove(&oldest);
                }
            }
        });
    }

    pub(crate) fn get(&self, id: &[u8]) -> Option<Arc<Session>> {
        let id: &SessionId = id.try_into().ok()?;
        let found = self.locked(|sessions| sessions.by_id.get(id).cloned())?;
        (found.began.elapsed() < self.lifetime).then_some(found)
    }

    /// Forgets a session: one that ended in a fatal alert may not be resumed
    /// (RFC 5246 section 7.2.2).
    pub(crate) fn remove(&self, id: &SessionId) {
        self.locked(|sessions| sessions.by_id.remove(id));
    }

    fn locked<T>(&self, work: impl FnOnce(&mut Sessions) -> T) -> T {
        // No step of the work above can panic between two changes that belong together.
        work(&mut self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionCache").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
