//! Sessions that may be resumed: by session id (RFC 5246 section 7.3) or by ticket (RFC 5077).
//! The oldest are forgotten when there are too many.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use ssl_provider::{MasterKey, RANDOM_LEN};
use ssl_provider_wire::{ClientHello, ServerHello};

/// Most sessions that are remembered.
const MAX_SESSIONS: usize = 1 << 16;

/// What names a session to be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SessionName {
    /// The id that the server gave it.
    Id(Vec<u8>),
    /// The SHA-256 of the ticket that the server made of it; tickets may be long.
    Ticket([u8; 32]),
}

impl SessionName {
    /// The name of the session in a ticket.
    pub fn of_ticket(ticket: &[u8]) -> Self {
        Self::Ticket(Sha256::digest(ticket).into())
    }
}

/// A session that was proven.
#[derive(Clone, Debug)]
pub struct KnownSession {
    /// Its master key.
    pub master_key: Arc<MasterKey>,
    /// The client random of the handshake that made the master key.
    pub client_random: [u8; RANDOM_LEN],
}

/// The sessions of a run.
#[derive(Debug, Default)]
pub struct KnownSessions {
    by_name: HashMap<SessionName, KnownSession>,
    age: VecDeque<SessionName>,
}

impl KnownSessions {
    /// Remembers a session under a name.
    pub fn learn(&mut self, name: SessionName, session: KnownSession) {
        if self.by_name.insert(name.clone(), session).is_none() {
            self.age.push_back(name);
        }
        if self.age.len() > MAX_SESSIONS
            && let Some(oldest) = self.age.pop_front()
        {
            self.by_name.remove(&oldest);
        }
    }

    /// The session that two hellos agree to resume: that of the ticket, or of the session id.
    pub fn find(
        &self,
        client: &ClientHello<'_>,
        server: &ServerHello<'_>,
    ) -> Option<&KnownSession> {
        let by_ticket = client.extensions.session_ticket().map(SessionName::of_ticket);
        let by_id = (!server.session_id.is_empty() && server.session_id == client.session_id)
            .then(|| SessionName::Id(server.session_id.to_vec()));
        [by_ticket, by_id].into_iter().flatten().find_map(|name| self.by_name.get(&name))
    }
}
