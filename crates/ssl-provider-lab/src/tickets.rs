//! Session tickets (RFC 5077): sessions that clients keep, sealed with keys of this process.
//! After a restart, and with other servers, a ticket is unknown and a full handshake follows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ssl_provider::{Error, Provider, TicketKey};

use crate::session::{Fingerprint, MAX_SERVER_NAME_LEN, Session, SessionId};

/// Length of the name that a ticket has of its key.
const NAME_LEN: usize = 16;

/// Flags in a ticket.
const EXTENDED_MASTER_SECRET: u8 = 1;
const ENCRYPT_THEN_MAC: u8 = 2;
const CLIENT_CERTIFICATE: u8 = 4;
const SERVER_NAME: u8 = 8;

/// For how long a key seals at most.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The keys that seal tickets. A key seals for the lifetime of a ticket, or a day if that is
/// shorter, and opens until all of its tickets have expired; then it is gone.
pub(crate) struct Tickets {
    lifetime: Duration,
    /// The time that the age of sessions counts from.
    start: Instant,
    keys: Mutex<Keys>,
}

struct Keys {
    current: Arc<NamedKey>,
    since: Instant,
    /// Those before, and when each sealed for the last time at the latest.
    previous: Vec<(Arc<NamedKey>, Instant)>,
}

struct NamedKey {
    name: [u8; NAME_LEN],
    key: TicketKey,
}

impl NamedKey {
    fn new(provider: &Provider) -> Result<Arc<Self>, Error> {
        let mut name = [0; NAME_LEN];
        provider.backend().random().fill(&mut name)?;
        Ok(Arc::new(Self { name, key: provider.generate_ticket_key()? }))
    }
}

impl Keys {
    fn new(provider: &Provider) -> Result<Self, Error> {
        let current = NamedKey::new(provider)?;
        Ok(Self { current, since: Instant::now(), previous: Vec::new() })
    }

    /// Replaces keys that have reached their time.
    fn rotate(&mut self, provider: &Provider, lifetime: Duration) -> Result<(), Error> {
        let period = lifetime.min(DAY);
        if self.since.elapsed() >= period {
            let next = NamedKey::new(provider)?;
            let last = std::mem::replace(&mut self.current, next);
            self.previous.push((last, self.since + period));
            self.since = Instant::now();
        }
        self.previous.retain(|(_, sealed)| sealed.elapsed() < lifetime);
        Ok(())
    }
}

impl Tickets {
    pub(crate) fn new(provider: &Provider, lifetime: Duration) -> Result<Self, Error> {
        let keys = Mutex::new(Keys::new(provider)?);
        Ok(Self { lifetime, start: Instant::now(), keys })
    }

    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Returns the ticket of a session; `None` for one whose server name is longer than any in DNS.
    pub(crate) fn seal(
        &self,
        provider: &Provider,
        session: &Session,
    ) -> Result<Option<Vec<u8>>, Error> {
        let server_name = session.server_name.as_deref();
        if server_name.is_some_and(|name| name.len() > MAX_SERVER_NAME_LEN) {
            return Ok(None);
        }
        let mut flags = 0;
        for (flag, is_set) in [
            (EXTENDED_MASTER_SECRET, session.extended_master_secret),
            (ENCRYPT_THEN_MAC, session.encrypt_then_mac),
            (CLIENT_CERTIFICATE, session.client_certificate.is_some()),
            (SERVER_NAME, server_name.is_some()),
        ] {
            flags |= if is_set { flag } else { 0 };
        }
        let began = session.began.saturating_duration_since(self.start).as_millis();
        // More than any process lives.
        let began = u64::try_from(began).unwrap_or(u64::MAX);
        let certificate = session.client_certificate.as_ref().map_or(&[][..], |it| it);
        let state =
            [&[flags][..], &began.to_be_bytes(), certificate, server_name.unwrap_or_default()];
        let key = self.current(provider)?;
        let sealed = key.key.seal(&session.master_key, &state.concat())?;
        Ok(Some([&key.name[..], &sealed].concat()))
    }

    /// Opens a ticket. Returns `None` for one that is unknown, altered or has expired.
    pub(crate) fn open(&self, provider: &Provider, ticket: &[u8]) -> Option<Session> {
        let (name, sealed) = ticket.split_first_chunk()?;
        let key = self.named(provider, name)?;
        let (master_key, state) = key.key.open(provider, sealed).ok().flatten()?;
        let (flags, rest) = state.split_first()?;
        let (began, rest) = rest.split_first_chunk()?;
        let has = |flag| flags & flag != 0;
        let (client_certificate, rest): (Option<Fingerprint>, _) = match has(CLIENT_CERTIFICATE) {
            true => rest.split_first_chunk().map(|(it, rest)| (Some(*it), rest))?,
            false => (None, rest),
        };
        let began = Duration::from_millis(u64::from_be_bytes(*began));
        let began = self.start.checked_add(began)?;
        if began.elapsed() >= self.lifetime {
            return None;
        }
        Some(Session {
            id: SessionId::default(),
            master_key: Arc::new(master_key),
            extended_master_secret: has(EXTENDED_MASTER_SECRET),
            encrypt_then_mac: has(ENCRYPT_THEN_MAC),
            server_name: has(SERVER_NAME).then(|| rest.into()),
            client_certificate,
            began,
        })
    }

    fn current(&self, provider: &Provider) -> Result<Arc<NamedKey>, Error> {
        self.keys(provider, |keys| Arc::clone(&keys.current))
    }

    fn named(&self, provider: &Provider, name: &[u8; NAME_LEN]) -> Option<Arc<NamedKey>> {
        let find = |keys: &Keys| {
            let previous = keys.previous.iter().map(|(key, _)| key);
            previous.chain([&keys.current]).find(|key| key.name == *name).cloned()
        };
        self.keys(provider, find).ok().flatten()
    }

    fn keys<T>(&self, provider: &Provider, work: impl FnOnce(&Keys) -> T) -> Result<T, Error> {
        // Nothing panics between two changes that belong together.
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.rotate(provider, self.lifetime)?;
        Ok(work(&keys))
    }
}

ssl_provider::redacted_debug! { Tickets { lifetime, .. } }

#[cfg(test)]
mod tests {
    use ssl_provider::default_backend;

    use super::*;

    #[test]
    fn a_key_seals_for_a_day_and_opens_until_its_tickets_have_expired() {
        let provider = Provider::open(default_backend().unwrap());
        let lifetime = 3 * DAY;
        let mut keys = Keys::new(&provider).unwrap();
        let first = keys.current.name;
        let names = |keys: &Keys| -> Vec<_> { keys.previous.iter().map(|it| it.0.name).collect() };
        // As if so much time went by.
        let later = |keys: &mut Keys, time: Duration| {
            keys.since -= time;
            keys.previous.iter_mut().for_each(|(_, sealed)| *sealed -= time);
            keys.rotate(&provider, lifetime).unwrap();
        };
        later(&mut keys, DAY / 2);
        assert_eq!(keys.current.name, first);
        later(&mut keys, DAY);
        assert_ne!(keys.current.name, first);
        assert_eq!(names(&keys), [first]);
        later(&mut keys, 2 * DAY);
        assert_eq!(names(&keys)[0], first, "its last ticket is two and a half days old");
        later(&mut keys, DAY);
        assert!(!names(&keys).contains(&first));
    }
}
