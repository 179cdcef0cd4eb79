//! The socket of a key server as a file: made with its final mode, refused where another server
//! listens, removed at the end.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::stat::{Mode, fchmod, umask};
use nix::unistd::geteuid;

use crate::peer::Peers;

/// A listening socket. Dropped, it removes its file.
#[derive(Debug)]
pub struct Listener {
    pub(crate) socket: UnixListener,
    pub(crate) peers: Peers,
    path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
}

/// Why a key server cannot listen at a path.
#[derive(Debug)]
#[non_exhaustive]
pub enum CannotListen {
    /// Another process listens there.
    InUse,
    /// The file there is not a socket.
    NotASocket,
    /// The socket there belongs to another user.
    OfAnotherUser,
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for CannotListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse => f.write_str("another process listens there; choose another path"),
            Self::NotASocket => {
                f.write_str("a file that is not a socket is there; choose another path")
            }
            Self::OfAnotherUser => {
                f.write_str("the socket there belongs to another user; choose another path")
            }
            Self::Io(error) => {
                write!(f, "{error}")?;
                match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
                    Errno::ENAMETOOLONG => f.write_str("; a socket's path has at most 107 bytes"),
                    Errno::ENOENT => f.write_str("; create its directory first"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for CannotListen {}

impl From<io::Error> for CannotListen {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Errno> for CannotListen {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

impl Listener {
    /// Listens at a path. Only this user may open the socket (mode 0600), unless `peers` has others
    /// too: then everybody may (0666), and who is not one of them is disconnected.
    ///
    /// A socket that a server has left behind, and that nobody listens on, is replaced. Call it
    /// before other threads create files: the umask is changed for an instant.
    ///
    /// # Errors
    ///
    /// [`CannotListen`].
    pub fn bind(path: &Path, peers: Peers) -> Result<Self, CannotListen> {
        let address = UnixAddr::new(path)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        // Two servers that start at once must not both find that nobody listens.
        let directory = File::open(parent.unwrap_or(Path::new(".")))?;
        let _one_at_a_time =
            Flock::lock(directory, FlockArg::LockExclusive).map_err(|(_, error)| error)?;
        remove_stale(path, &address)?;

        let socket = stream_socket()?;
        let mode = if peers.has_others() { 0o666 } else { 0o600 };
        // The file takes the mode of the socket, so there is no moment at which it has another.
        fchmod(&socket, Mode::from_bits_truncate(mode))?;
        let old_mask = umask(Mode::empty());
        let bound = bind(socket.as_raw_fd(), &address);
        umask(old_mask);
        bound?;
        let metadata = fs::symlink_metadata(path)?;
        let file = (metadata.dev(), metadata.ino());
        let listener = Self { socket: socket.into(), peers, path: path.to_owned(), file };
        listener.socket.set_nonblocking(true)?;
        listen(&listener.socket, Backlog::MAXALLOWABLE)?;
        Ok(listener)
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == self.file);
        if is_ours {
            // Nothing depends on it: the next server replaces a socket that is left.
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(crate) fn stream_socket() -> nix::Result<std::os::fd::OwnedFd> {
    socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)
}

/// Removes a socket of ours that nobody listens on.
fn remove_stale(path: &Path, address: &UnixAddr) -> Result<(), CannotListen> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !metadata.file_type().is_socket() {
        return Err(CannotListen::NotASocket);
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(CannotListen::OfAnotherUser);
    }
    match connect(stream_socket()?.as_raw_fd(), address) {
        Err(Errno::ECONNREFUSED) => Ok(fs::remove_file(path)?),
        Ok(()) => Err(CannotListen::InUse),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("sslp-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    }

    #[test]
    fn the_mode_is_narrow_by_default_and_the_umask_does_not_matter() {
        let path = directory("mode").join("socket");
        for (peers, mode) in
            [(Peers::same_user(), 0o600), (Peers::same_user().and_groups([u32::MAX]), 0o666)]
        {
            let listener = Listener::bind(&path, peers).unwrap();
            let metadata = fs::symlink_metadata(listener.path()).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, mode);
            drop(listener);
            assert!(!path.exists(), "it is removed");
        }
    }

    #[test]
    fn a_path_in_use_is_refused_and_a_socket_that_was_left_is_replaced() {
        let path = directory("use").join("socket");
        let first = Listener::bind(&path, Peers::same_user()).unwrap();
        let second = Listener::bind(&path, Peers::same_user()).map(drop);
        assert!(matches!(second, Err(CannotListen::InUse)), "{second:?}");
        assert!(path.exists());
        // As a server leaves it that was killed.
        let Listener { socket, .. } = &first;
        let left = socket.try_clone().unwrap();
        std::mem::forget(first);
        nix::sys::socket::shutdown(left.as_raw_fd(), nix::sys::socket::Shutdown::Both).unwrap();
        let third = Listener::bind(&path, Peers::same_user()).unwrap();
        drop(third);
        assert!(!path.exists());
    }

    #[test]
    fn another_file_is_left_alone() {
        let path = directory("file").join("socket");
        fs::write(&path, "precious").unwrap();
        let refused = Listener::bind(&path, Peers::same_user()).map(drop);
        assert!(matches!(refused, Err(CannotListen::NotASocket)), "{refused:?}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        fs::remove_file(&path).unwrap();

        let listener = Listener::bind(&path, Peers::same_user()).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "of somebody else").unwrap();
        drop(listener);
        assert!(path.exists(), "only its own file is removed");
    }

    #[test]
    fn a_path_that_cannot_be_has_advice() {
        let long = Path::new("/tmp").join("x".repeat(200));
        for (path, advice) in [(&*long, "107"), (Path::new("/nowhere/socket"), "create")] {
            let refused = Listener::bind(path, Peers::same_user()).map(drop).unwrap_err();
            assert!(refused.to_string().contains(advice), "{refused}");
        }
    }
}
