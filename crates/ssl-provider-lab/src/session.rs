//! Session resumption by session id, from a bounded cache; by ticket, in [`crate::tickets`].
//! The server chooses the ids, so clients cannot choose what is found or evicted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ssl_provider::MasterKey;

/// A session id of this server.
pub(crate) type SessionId = [u8; 32];

/// Longest server_name extension of a cached session, in bytes: one name of 255.
pub(crate) const MAX_SERVER_NAME_LEN: usize = 2 + 1 + 2 + 255;

/// SHA-256 of a client's certificate.
pub(crate) type Fingerprint = [u8; 32];

/// What a completed handshake negotiated, and its master key.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) master_key: Arc<MasterKey>,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    /// The server_name extension of the handshake, unparsed.
    pub(crate) server_name: Option<Box<[u8]>>,
    pub(crate) client_certificate: Option<Fingerprint>,
    pub(crate) began: Instant,
}

/// A cache of completed sessions that evicts the oldest.
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

impl Sessions {
    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.by_id.remove(&oldest);
        }
    }
}

impl SessionCache {
    /// Returns a cache of `capacity` sessions, each of which may be resumed for `lifetime`.
    pub fn new(capacity: usize, lifetime: Duration) -> Self {
        Self { sessions: Mutex::default(), capacity, lifetime }
    }

    /// Adds a session, unless its server name is longer than any in DNS, which bounds the memory of
    /// the cache.
    pub(crate) fn insert(&self, session: Arc<Session>) {
        if session.server_name.as_ref().is_some_and(|name| name.len() > MAX_SERVER_NAME_LEN) {
            return;
        }
        self.locked(|sessions| {
            sessions.order.push_back(session.id);
            sessions.by_id.insert(session.id, session);
            while sessions.order.len() > self.capacity {
                sessions.forget_oldest();
            }
        });
    }

    pub(crate) fn get(&self, id: &[u8]) -> Option<Arc<Session>> {
        let id: &SessionId = id.try_into().ok()?;
        // In the order of insertion an older session may follow a younger one.
        self.locked(|sessions| sessions.by_id.get(id).filter(|it| self.is_good(it)).cloned())
    }

    /// Removes a session: after a fatal alert it must not be resumed (RFC 5246 section 7.2.2).
    pub(crate) fn remove(&self, id: &SessionId) {
        self.locked(|sessions| sessions.by_id.remove(id));
    }

    fn is_good(&self, session: &Session) -> bool {
        session.began.elapsed() < self.lifetime
    }

    /// Runs `work` on the sessions, after the expired ones at the front, with their master keys,
    /// have been dropped.
    fn locked<T>(&self, work: impl FnOnce(&mut Sessions) -> T) -> T {
        // `work` never panics between two changes that belong together.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(oldest) = sessions.order.front().copied() {
            match sessions.by_id.get(&oldest) {
                Some(session) if self.is_good(session) => break,
                Some(_) | None => sessions.forget_oldest(),
            }
        }
        work(&mut sessions)
    }
}

ssl_provider::redacted_debug! { SessionCache { capacity, .. } }

#[cfg(test)]
mod tests {
    use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion, Provider, default_backend};
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;

    /// The master key that implicit rejection yields for an empty ciphertext.
    fn master_key() -> MasterKey {
        let provider = Provider::open(default_backend().unwrap());
        let key = TestKey::rsa_1024().load(&provider);
        let randoms = ParameterList::new().client_random([1; 32]).server_random([2; 32]);
        provider
            .import_master_key(
                &key,
                ProtocolVersion::TLS1_2,
                CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
                &randoms,
                &[],
            )
            .expect("a wrong ciphertext is not an error")
    }

    fn session(number: u8, server_name: Option<Box<[u8]>>, began: Instant) -> Arc<Session> {
        Arc::new(Session {
            id: [number; 32],
            master_key: Arc::new(master_key()),
            extended_master_secret: true,
            encrypt_then_mac: false,
            server_name,
            client_certificate: None,
            began,
        })
    }

    #[test]
    fn a_session_for_an_overlong_server_name_is_not_kept() {
        let cache = SessionCache::new(10, Duration::from_secs(100));
        for (number, len, kept) in [(1, 260, true), (2, 261, false)] {
            cache.insert(session(number, Some(vec![0; len].into()), Instant::now()));
            assert_eq!(cache.get(&[number; 32]).is_some(), kept, "{len} bytes");
        }
    }

    #[test]
    fn the_master_key_of_an_expired_session_is_dropped() {
        let session = |number, began| session(number, None, began);
        let lifetime = Duration::from_secs(100);
        let cache = SessionCache::new(10, lifetime);
        let old = session(1, Instant::now().checked_sub(lifetime).unwrap());
        let watched = Arc::downgrade(&old);
        cache.insert(old);
        assert!(cache.get(&[1; 32]).is_none());
        assert!(watched.upgrade().is_none());
        cache.insert(session(2, Instant::now()));
        assert!(cache.get(&[2; 32]).is_some());
        // Its client took long between ClientKeyExchange and Finished.
        cache.insert(session(3, Instant::now().checked_sub(lifetime).unwrap()));
        assert!(cache.get(&[3; 32]).is_none());
    }
}
