//! Session tickets (RFC 5077, RFC 8446 section 4.6.1): sessions that clients keep, sealed with keys
//! of this process.
//! After a restart, and with other servers, a ticket is unknown and a full handshake follows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ssl_provider::tls13::PreSharedKey;
use ssl_provider::{CipherSuite, Error, Provider, TicketKey};
use ssl_provider_wire::{NewSessionTicket, Reader};

use crate::session::{Fingerprint, MAX_SERVER_NAME_LEN, Session, SessionId};

/// Length of the name that a ticket has of its key.
const NAME_LEN: usize = 16;

/// Flags in a ticket.
const EXTENDED_MASTER_SECRET: u8 = 1;
const ENCRYPT_THEN_MAC: u8 = 2;
const CLIENT_CERTIFICATE: u8 = 4;
const SERVER_NAME: u8 = 8;

/// How old a ticket of TLS 1.3 may be, however long sessions live (RFC 8446 section 4.6.1).
const MAX_AGE: Duration = Duration::from_secs(NewSessionTicket::MAX_LIFETIME as u64);

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

/// What a ticket of TLS 1.3 holds besides suite and key.
#[derive(Clone, Debug)]
pub(crate) struct TicketState {
    /// When the handshake with certificates was, from which the lifetime counts.
    pub(crate) began: Instant,
    /// When the ticket was sent, from which its age counts.
    pub(crate) issued: Instant,
    /// What the client adds to the age.
    pub(crate) age_add: u32,
    /// Most bytes of early data; 0 for none.
    pub(crate) max_early_data: u32,
    pub(crate) application_protocol: Option<String>,
    pub(crate) client_certificate: Option<Fingerprint>,
    /// The name of the external pre-shared key, of 1 to 1024 bytes.
    pub(crate) external_psk: Option<Vec<u8>>,
    /// The server_name extension of the handshake, unparsed.
    pub(crate) server_name: Option<Box<[u8]>>,
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

    /// Returns the ticket of a pre-shared key of TLS 1.3; `None` as for [`seal`](Self::seal).
    pub(crate) fn seal_psk(
        &self,
        provider: &Provider,
        suite: CipherSuite,
        psk: &PreSharedKey,
        state: &TicketState,
    ) -> Result<Option<Vec<u8>>, Error> {
        let server_name = state.server_name.as_deref();
        if server_name.is_some_and(|name| name.len() > MAX_SERVER_NAME_LEN) {
            return Ok(None);
        }
        let milliseconds = |time: Instant| {
            let since = time.saturating_duration_since(self.start).as_millis();
            // More than any process lives.
            u64::try_from(since).unwrap_or(u64::MAX).to_be_bytes()
        };
        let mut flags = 0;
        flags |= if state.client_certificate.is_some() { CLIENT_CERTIFICATE } else { 0 };
        flags |= if server_name.is_some() { SERVER_NAME } else { 0 };
        let protocol = state.application_protocol.as_deref().unwrap_or_default();
        let protocol_len = u8::try_from(protocol.len()).unwrap_or_default();
        let identity = state.external_psk.as_deref().unwrap_or_default();
        let identity_len = u16::try_from(identity.len()).unwrap_or_default();
        let bytes = [
            &[flags][..],
            &milliseconds(state.began),
            &milliseconds(state.issued),
            &state.age_add.to_be_bytes(),
            &state.max_early_data.to_be_bytes(),
            &[protocol_len],
            protocol.as_bytes(),
            &identity_len.to_be_bytes(),
            identity,
            state.client_certificate.as_ref().map_or(&[][..], |it| it),
            server_name.unwrap_or_default(),
        ];
        let key = self.current(provider)?;
        let sealed = key.key.seal_psk(suite, psk, &bytes.concat())?;
        Ok(Some([&key.name[..], &sealed].concat()))
    }

    /// Opens a ticket of TLS 1.3. Returns `None` for one that is unknown, altered or has expired.
    pub(crate) fn open_psk(
        &self,
        provider: &Provider,
        ticket: &[u8],
    ) -> Option<(CipherSuite, PreSharedKey, TicketState)> {
        let (name, sealed) = ticket.split_first_chunk()?;
        let key = self.named(provider, name)?;
        let (suite, psk, state) = key.key.open_psk(provider, sealed).ok().flatten()?;
        let mut reader = Reader::new(&state);
        let flags = reader.u8()?;
        let has = |flag| flags & flag != 0;
        let mut time = || {
            let since = Duration::from_millis(u64::from_be_bytes(reader.array()?));
            self.start.checked_add(since)
        };
        let (began, issued) = (time()?, time()?);
        if began.elapsed() >= self.lifetime || issued.elapsed() >= MAX_AGE {
            return None;
        }
        let age_add = u32::from_be_bytes(reader.array()?);
        let max_early_data = u32::from_be_bytes(reader.array()?);
        let protocol = String::from_utf8(reader.vec8()?.to_vec()).ok()?;
        let identity = reader.vec16()?.to_vec();
        let client_certificate = match has(CLIENT_CERTIFICATE) {
            true => Some(reader.array()?),
            false => None,
        };
        let state = TicketState {
            began,
            issued,
            age_add,
            max_early_data,
            application_protocol: Some(protocol).filter(|name| !name.is_empty()),
            client_certificate,
            external_psk: Some(identity).filter(|name| !name.is_empty()),
            server_name: has(SERVER_NAME).then(|| reader.rest().into()),
        };
        Some((suite, psk, state))
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
    use ssl_provider::tls13::PskKind;
    use ssl_provider::{HashAlgorithm, backends, default_backend};

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

    fn state(tickets: &Tickets) -> TicketState {
        TicketState {
            began: tickets.start,
            issued: Instant::now(),
            age_add: 0x1234_5678,
            max_early_data: 7,
            application_protocol: Some("h2".to_owned()),
            client_certificate: Some([9; 32]),
            external_psk: Some(b"device 7".to_vec()),
            server_name: Some([1, 2, 3].into()),
        }
    }

    /// What the key of a ticket makes of a hello, which tells keys apart.
    fn binder(provider: &Provider, suite: CipherSuite, psk: &PreSharedKey) -> Vec<u8> {
        let parameters = provider.tls13_parameters(suite).unwrap();
        let early = parameters.early_secret(Some(psk)).unwrap();
        let mut binder = vec![0; parameters.hash_len()];
        let key = early.binder_key(PskKind::Resumption).unwrap();
        key.binder(&parameters.transcript().unwrap(), &mut binder).unwrap();
        binder
    }

    #[test]
    fn a_ticket_of_tls_1_3_gives_back_key_suite_and_state_unless_it_was_altered() {
        for backend in backends() {
            let provider = Provider::open(&backend);
            let tickets = Tickets::new(&provider, DAY).unwrap();
            for (suite, hash) in [
                (CipherSuite::TLS_AES_128_GCM_SHA256, HashAlgorithm::Sha256),
                (CipherSuite::TLS_AES_256_GCM_SHA384, HashAlgorithm::Sha384),
            ] {
                let psk = provider.pre_shared_key(hash, &[0x5a; 48]).unwrap();
                let state = state(&tickets);
                let seal =
                    |state: &TicketState| tickets.seal_psk(&provider, suite, &psk, state).unwrap();
                let ticket = seal(&state).expect("the name is short");
                assert_ne!(seal(&state).unwrap()[NAME_LEN..], ticket[NAME_LEN..]);
                let (found, key, opened) = tickets.open_psk(&provider, &ticket).unwrap();
                assert_eq!((found, key.hash()), (suite, hash));
                assert_eq!(binder(&provider, suite, &key), binder(&provider, suite, &psk));
                assert_eq!((opened.age_add, opened.max_early_data), (0x1234_5678, 7));
                assert_eq!(opened.application_protocol.as_deref(), Some("h2"));
                assert_eq!(opened.client_certificate, Some([9; 32]));
                assert_eq!(opened.external_psk.as_deref(), Some(&b"device 7"[..]));
                assert_eq!(opened.server_name.as_deref(), Some(&[1, 2, 3][..]));
                for place in 0..ticket.len() {
                    let mut altered = ticket.clone();
                    altered[place] ^= 1;
                    assert!(tickets.open_psk(&provider, &altered).is_none(), "{place}");
                    assert!(tickets.open_psk(&provider, &ticket[..place]).is_none(), "{place}");
                }
                assert!(tickets.open(&provider, &ticket).is_none(), "one of another version");
                let other = Tickets::new(&provider, DAY).unwrap();
                assert!(other.open_psk(&provider, &ticket).is_none());
                let long = TicketState { server_name: Some(vec![0; 261].into()), ..state };
                assert!(seal(&long).is_none());
            }
            let sha256 = provider.pre_shared_key(HashAlgorithm::Sha256, &[1; 32]).unwrap();
            let key = provider.generate_ticket_key().unwrap();
            for suite in
                [CipherSuite::TLS_AES_256_GCM_SHA384, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA]
            {
                assert!(key.seal_psk(suite, &sha256, &[]).is_err(), "{suite}");
            }
        }
    }

    #[test]
    fn a_ticket_of_tls_1_3_expires_with_the_handshake_that_it_comes_from() {
        let provider = Provider::open(default_backend().unwrap());
        let mut tickets = Tickets::new(&provider, DAY).unwrap();
        let psk = provider.pre_shared_key(HashAlgorithm::Sha256, &[1; 32]).unwrap();
        let state = state(&tickets);
        let suite = CipherSuite::TLS_AES_128_GCM_SHA256;
        let ticket = tickets.seal_psk(&provider, suite, &psk, &state).unwrap().unwrap();
        assert!(tickets.open_psk(&provider, &ticket).is_some());
        tickets.start -= DAY;
        assert!(tickets.open_psk(&provider, &ticket).is_none());
    }

    #[test]
    fn a_ticket_of_tls_1_3_is_good_for_seven_days_however_long_sessions_live() {
        let provider = Provider::open(default_backend().unwrap());
        let mut tickets = Tickets::new(&provider, 30 * DAY).unwrap();
        let psk = provider.pre_shared_key(HashAlgorithm::Sha256, &[1; 32]).unwrap();
        let state = state(&tickets);
        let suite = CipherSuite::TLS_AES_128_GCM_SHA256;
        let ticket = tickets.seal_psk(&provider, suite, &psk, &state).unwrap().unwrap();
        tickets.start -= 6 * DAY;
        assert!(tickets.open_psk(&provider, &ticket).is_some());
        tickets.start -= DAY;
        assert!(tickets.open_psk(&provider, &ticket).is_none());
    }
}
