//! Who may connect: peers are known by the user and group that the kernel reports for a socket.

use std::fmt;
use std::io;
use std::os::fd::AsFd;

use nix::sys::prctl;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;

/// The process at the other end of a socket, as it was when it connected (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Effective user.
    pub uid: u32,
    /// Effective group. Supplementary groups are not reported.
    pub gid: u32,
    /// Process; 0 for one of a PID namespace that cannot be seen from here.
    pub pid: i32,
}

impl Peer {
    pub(crate) fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(socket, PeerCredentials)?;
        Ok(Self { uid: credentials.uid(), gid: credentials.gid(), pid: credentials.pid() })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of user {}, group {}", self.pid, self.uid, self.gid)
    }
}

/// The peers that a key server serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    uids: Vec<u32>,
    gids: Vec<u32>,
}

impl Peers {
    /// Processes of the user that this one runs as, and of no other: not even of root.
    pub fn same_user() -> Self {
        Self { uids: vec![geteuid().as_raw()], gids: Vec::new() }
    }

    /// Processes of these users too.
    #[must_use]
    pub fn and_users(mut self, uids: impl IntoIterator<Item = u32>) -> Self {
        self.uids.extend(uids);
        self
    }

    /// Processes whose effective group is one of these too.
    #[must_use]
    pub fn and_groups(mut self, gids: impl IntoIterator<Item = u32>) -> Self {
        self.gids.extend(gids);
        self
    }

    /// None at all.
    #[cfg(test)]
    pub(crate) fn nobody() -> Self {
        Self { uids: Vec::new(), gids: Vec::new() }
    }

    pub(crate) fn allow(&self, peer: &Peer) -> bool {
        self.uids.contains(&peer.uid) || self.gids.contains(&peer.gid)
    }

    /// Whether a process of another user may connect.
    pub(crate) fn has_others(&self) -> bool {
        *self != Self::same_user()
    }
}

/// Keeps other processes of the same user from reading this one's memory, by ptrace or through
/// `/proc`, and the system from writing core dumps of it. A key server calls it before it reads
/// keys: without it, every client could read them. It does not hold against root.
///
/// # Errors
///
/// That of `prctl`.
pub fn deny_inspection() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_user_is_allowed_and_others_are_when_they_are_named() {
        let own = geteuid().as_raw();
        let peer = |uid, gid| Peer { uid, gid, pid: 1 };
        let other = own + 1;
        let peers = Peers::same_user();
        assert!(peers.allow(&peer(own, 5)) && !peers.allow(&peer(other, 5)));
        assert!(!peers.has_others());
        let peers = peers.and_users([other]);
        assert!(peers.allow(&peer(other, 5)) && !peers.allow(&peer(own + 2, 5)));
        assert!(peers.has_others());
        let peers = Peers::same_user().and_groups([5]);
        assert!(peers.allow(&peer(other, 5)) && !peers.allow(&peer(other, 6)));
        assert!(peers.has_others());
    }
}
