//! A session of a client that may be resumed: by its id, or by a ticket (RFC 5077, RFC 8446
//! section 4.6.1).

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ssl_provider::tls13::PreSharedKey;
use ssl_provider::{CipherSuiteInfo, MasterKey};

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
    pub(crate) secret: SessionSecret,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) certificates: Arc<[Vec<u8>]>,
    /// Whether a connection of it has failed. All connections that resume a session share this.
    pub(crate) has_failed: Arc<AtomicBool>,
}

/// What a session is resumed with.
#[derive(Debug)]
pub(crate) enum SessionSecret {
    /// Up to TLS 1.2.
    MasterKey(Arc<MasterKey>),
    /// In TLS 1.3, by a ticket.
    Tls13(Tls13Ticket),
}

/// A ticket of TLS 1.3 with its pre-shared key (RFC 8446 section 4.6.1).
#[derive(Debug)]
pub(crate) struct Tls13Ticket {
    /// The suite of the connection that it comes from.
    pub(crate) suite: &'static CipherSuiteInfo,
    pub(crate) psk: Arc<PreSharedKey>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) age_add: u32,
    pub(crate) received: Instant,
    pub(crate) lifetime: Duration,
    /// Most bytes of early data; 0 for none.
    pub(crate) max_early_data: u32,
    pub(crate) application_protocol: Option<Vec<u8>>,
}

impl Tls13Ticket {
    /// Returns the age in milliseconds as it is sent.
    pub(crate) fn obfuscated_age(&self) -> u32 {
        let age = self.received.elapsed().as_millis();
        // At most seven days.
        u32::try_from(age).unwrap_or(u32::MAX).wrapping_add(self.age_add)
    }
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
        self.ticket.is_some() || self.tls13().is_some()
    }

    /// Returns the ticket of TLS 1.3, if it is one.
    pub(crate) fn tls13(&self) -> Option<&Tls13Ticket> {
        match &self.secret {
            SessionSecret::Tls13(ticket) => Some(ticket),
            SessionSecret::MasterKey(_) => None,
        }
    }

    /// Returns the master key of a session up to TLS 1.2.
    pub(crate) fn master_key(&self) -> Option<&Arc<MasterKey>> {
        match &self.secret {
            SessionSecret::MasterKey(master_key) => Some(master_key),
            SessionSecret::Tls13(_) => None,
        }
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
            && match &self.secret {
                SessionSecret::MasterKey(_) => {
                    !self.id.is_empty() || self.good_ticket(settings).is_some()
                }
                SessionSecret::Tls13(ticket) => {
                    settings.options.session_tickets && ticket.received.elapsed() < ticket.lifetime
                }
            }
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
