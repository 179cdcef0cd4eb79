//! A session of a client that may be resumed: by its id, or by a ticket (RFC 5077).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ssl_provider::MasterKey;

use crate::client::settings::ClientSettings;

/// A session that a completed handshake has made, with its master key.
///
/// A session is for the settings and the server name that it was made with: whom other settings
/// trust was not asked. After a fatal alert on any connection of it, it is not offered again.
pub struct ClientSession {
    pub(crate) settings: Weak<ClientSettings>,
    pub(crate) server_name: Option<String>,
    /// Empty if the server keeps none.
    pub(crate) id: Vec<u8>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) master_key: Arc<MasterKey>,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) certificates: Arc<[Vec<u8>]>,
    /// Whether a connection of it has failed. All connections that resume a session share this.
    pub(crate) has_failed: Arc<AtomicBool>,
}

/// Longest ticket that is kept, in bytes; the hello stays within one record.
pub(crate) const MAX_TICKET_LEN: usize = 1 << 13;

/// A session ticket, opaque to the client.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    pub(crate) bytes: Vec<u8>,
    /// When the server stops to accept it; none if it did not say.
    pub(crate) expires: Option<Instant>,
}

impl Ticket {
    /// Takes a ticket whose lifetime hint is in seconds; 0 is none (RFC 5077 section 3.3).
    pub(crate) fn new(bytes: &[u8], lifetime: u32) -> Self {
        let lifetime = (lifetime > 0).then(|| Duration::from_secs(lifetime.into()));
        let expires = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime));
        Self { bytes: bytes.to_vec(), expires }
    }

    fn is_good(&self) -> bool {
        self.expires.is_none_or(|expires| Instant::now() < expires)
    }
}

/// How a session was resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumption {
    /// By its id.
    Id,
    /// By a ticket.
    Ticket,
}

impl ClientSession {
    /// Returns whether the server gave a ticket.
    pub fn has_ticket(&self) -> bool {
        self.ticket.is_some()
    }

    /// Returns the ticket, unless it has expired or tickets are not offered.
    pub(crate) fn good_ticket(&self, settings: &ClientSettings) -> Option<&Ticket> {
        let ticket = self.ticket.as_ref().filter(|_| settings.options.session_tickets);
        ticket.filter(|ticket| ticket.is_good())
    }

    /// Makes sure that it is not offered again: after a fatal alert it must not be resumed
    /// (RFC 5246 section 7.2.2).
    pub(crate) fn fail(&self) {
        self.has_failed.store(true, Ordering::Release);
    }

    /// Whether the session can be offered to this server.
    pub(crate) fn is_for(&self, settings: &Arc<ClientSettings>, server_name: Option<&str>) -> bool {
        self.settings.as_ptr() == Arc::as_ptr(settings)
            && self.server_name.as_deref() == server_name
            && !self.has_failed.load(Ordering::Acquire)
            && (!self.id.is_empty() || self.good_ticket(settings).is_some())
    }
}

impl fmt::Debug for ClientSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSession")
            .field("server_name", &self.server_name)
            .field("has_ticket", &self.has_ticket())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_lasts_as_long_as_the_server_says() {
        assert!(Ticket::new(&[1], 0).is_good());
        assert!(Ticket::new(&[1], u32::MAX).is_good());
        let mut ticket = Ticket::new(&[1], 60);
        assert!(ticket.is_good());
        ticket.expires = Some(Instant::now());
        assert!(!ticket.is_good());
    }
}
