//! Pre-shared keys of other origin, and the memory that recognizes early data that come again.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ssl_provider::tls13::PreSharedKey;
use ssl_provider::{Error, HashAlgorithm, Provider};

/// A pre-shared key of TLS 1.3 that was agreed outside TLS, and its name (RFC 8446 section 4.2.11).
///
/// It is of at least 128 bits of entropy, and no password: whoever records a handshake can try
/// passwords (RFC 9257 section 4.2). Both sides must know the same hash; where nothing was agreed,
/// it is SHA-256.
pub struct ExternalPsk {
    pub(crate) identity: Vec<u8>,
    pub(crate) key: Arc<PreSharedKey>,
}

impl ExternalPsk {
    /// Takes a key and its name, which is sent in the clear.
    ///
    /// - `identity`: 1 to [`MAX_IDENTITY_LEN`](Self::MAX_IDENTITY_LEN) bytes.
    /// - `key`: 1 to [`MAX_PSK_LEN`](ssl_provider::MAX_PSK_LEN) bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for another length, and for a hash that no suite of TLS 1.3 has.
    pub fn new(
        provider: &Provider,
        identity: &[u8],
        hash: HashAlgorithm,
        key: &[u8],
    ) -> Result<Self, Error> {
        if !(1..=Self::MAX_IDENTITY_LEN).contains(&identity.len()) {
            return Err(Error::InvalidParameter("identity of a key: expected 1 to 1024 bytes"));
        }
        let key = Arc::new(provider.pre_shared_key(hash, key)?);
        Ok(Self { identity: identity.to_vec(), key })
    }

    /// Longest name in bytes.
    pub const MAX_IDENTITY_LEN: usize = 1024;

    /// Returns the name.
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// Returns the hash of the suites that the key is for.
    pub fn hash(&self) -> HashAlgorithm {
        self.key.hash()
    }
}

impl fmt::Debug for ExternalPsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { identity, key } = self;
        f.debug_struct("ExternalPsk")
            .field("identity", &identity.escape_ascii().to_string())
            .field("hash", &key.hash())
            .finish_non_exhaustive()
    }
}

/// Recognizes ClientHellos whose early data were accepted (RFC 8446 section 8.2), by their binders.
/// A hello is known until its ticket age is too far off to be accepted again (section 8.3).
pub(crate) struct ReplayWindow {
    window: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    binders: HashSet<[u8; 32]>,
    /// Oldest first.
    order: VecDeque<([u8; 32], Instant)>,
}

impl ReplayWindow {
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, seen: Mutex::default() }
    }

    /// Returns whether a hello whose ticket was issued then, and is so old by the client's clock,
    /// came without delay and for the first time, and remembers it. With no room left, none did.
    pub(crate) fn accepts(&self, binder: &[u8], said: Duration, issued: Instant) -> bool {
        // Nothing panics between two changes that belong together.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The time is taken under the lock: what is forgotten now must be too old now.
        self.accepts_at(&mut seen, binder, said, issued, Instant::now())
    }

    fn accepts_at(
        &self,
        seen: &mut Seen,
        binder: &[u8],
        said: Duration,
        issued: Instant,
        now: Instant,
    ) -> bool {
        let Some(binder) = binder.first_chunk::<32>().copied() else { return false };
        if said.abs_diff(now.saturating_duration_since(issued)) > self.window {
            return false;
        }
        // One that came too early by the whole window is good for two of them.
        let kept = self.window.saturating_mul(2);
        let is_old = |at: Instant| now.saturating_duration_since(at) > kept;
        while let Some((oldest, _)) = seen.order.front().copied().filter(|it| is_old(it.1)) {
            seen.order.pop_front();
            seen.binders.remove(&oldest);
        }
        if seen.order.len() >= MAX_SEEN || !seen.binders.insert(binder) {
            return false;
        }
        seen.order.push_back((binder, now));
        true
    }
}

ssl_provider::redacted_debug! { ReplayWindow { window, .. } }

/// How many hellos are remembered: some megabytes.
const MAX_SEEN: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A window, with a time from which seconds count.
    struct Hellos {
        window: ReplayWindow,
        began: Instant,
    }

    impl Hellos {
        fn of(window: Duration) -> Self {
            Self { window: ReplayWindow::new(window), began: Instant::now() }
        }

        /// A hello that comes at a second with a ticket of these ages, no older than this window.
        fn accepts(&self, byte: u8, said: u32, measured: u32, at: u32) -> bool {
            let (now, issued) = (self.began + at * SECOND, self.began + (at - measured) * SECOND);
            let mut seen = self.window.seen.lock().unwrap();
            self.window.accepts_at(&mut seen, &[byte; 32], said * SECOND, issued, now)
        }
    }

    #[test]
    fn a_hello_is_accepted_once_and_only_at_its_time() {
        let hellos = Hellos::of(10 * SECOND);
        let accepts = |byte, said, measured| hellos.accepts(byte, said, measured, 200);
        assert!(accepts(1, 100, 105));
        assert!(!accepts(1, 100, 105), "again");
        assert!(accepts(2, 100, 110) && accepts(3, 110, 100));
        assert!(!accepts(4, 100, 111) && !accepts(4, 111, 100));
        assert!(accepts(4, 100, 100), "what was refused is not remembered");
        let (now, window) = (Instant::now(), &hellos.window);
        assert!(!window.accepts(&[5; 31], Duration::ZERO, now), "no binder is so short");
        assert!(window.accepts(&[5; 32], Duration::ZERO, now));
        assert!(!window.accepts(&[5; 32], Duration::ZERO, now));
    }

    /// What is forgotten is too old to be accepted, at every second.
    #[test]
    fn no_hello_is_accepted_twice_however_late_it_comes_again() {
        for early in 0..=10 {
            let hellos = Hellos::of(5 * SECOND);
            // By the client's clock the ticket is `early` - 5 seconds older than it is.
            assert!(hellos.accepts(1, 95 + early, 100, 100));
            for later in 0..=15 {
                assert!(
                    !hellos.accepts(1, 95 + early, 100 + later, 100 + later),
                    "{early} {later}"
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_accepted_any_more_is_forgotten() {
        let hellos = Hellos::of(SECOND);
        assert!(hellos.accepts(1, 1, 1, 10));
        assert!(hellos.accepts(2, 3, 3, 12));
        assert_eq!(hellos.window.seen.lock().unwrap().binders.len(), 2);
        assert!(hellos.accepts(3, 4, 4, 13));
        assert_eq!(hellos.window.seen.lock().unwrap().binders.len(), 2);
    }

    #[test]
    fn without_room_nothing_is_accepted() {
        let hellos = Hellos::of(100 * SECOND);
        let now = hellos.began;
        hellos.window.seen.lock().unwrap().order.extend((0..MAX_SEEN).map(|_| ([9; 32], now)));
        assert!(!hellos.accepts(1, 1, 1, 1));
    }

    #[test]
    fn names_have_a_length() {
        let provider = Provider::open(ssl_provider::default_backend().unwrap());
        let psk = |identity: &[u8], key: &[u8]| {
            ExternalPsk::new(&provider, identity, HashAlgorithm::Sha256, key)
        };
        assert!(psk(b"", &[1; 32]).is_err() && psk(&[b'x'; 1025], &[1; 32]).is_err());
        assert!(psk(b"x", b"").is_err());
        let good = psk(b"a \xff", &[0xa5; 32]).unwrap();
        let text = format!("{good:?}");
        assert!(text.contains("a \\\\xff") && !text.contains("165"), "{text}");
    }
}
