//! The client: a private key whose exchanges a key server does.
//! A connection carries one call at a time, and is kept for the next one.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::sockopt::{ReceiveTimeout, SendTimeout};
use nix::sys::socket::{MsgFlags, UnixAddr, connect, recv, send, setsockopt};
use nix::sys::time::TimeVal;
use nix::unistd::geteuid;
use ssl_provider_core::{
    Error, HashAlgorithm, MASTER_SECRET_LEN, MasterSecret, PremasterVersion, PrivateKey, Provider,
    RsaExchange, RsaKeyExchange,
};
use zeroize::Zeroizing;

use crate::listener::stream_socket;
use crate::peer::Peer;
use crate::protocol::{
    Command, Exchange, KeyId, MASTER_SECRET_REPLY_LEN, MAX_CIPHERTEXT_LEN, MAX_REPLY_LEN,
    Malformed, PublicKeyContent, Reply, Request, Status, message_len,
};

/// A key server, as its clients know it. Cheap to clone; clones share their connections.
///
/// It connects when it is used, and again after the key server was restarted: a call whose
/// connection turns out to be closed is made once more on a new one. A call that is in flight when
/// the key server ends fails, unless another server listens by then. Each call is limited in time.
/// After a fork, parent and child have connections of their own.
#[derive(Clone, Debug)]
pub struct KeyServer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Settings,
    pool: Mutex<Pool>,
    next_id: AtomicU32,
}

#[derive(Clone, Debug)]
struct Settings {
    path: PathBuf,
    time_limit: Duration,
    /// How long a call asks for its reply over and over before it sleeps.
    busy_poll: Duration,
    /// Users whose key servers are trusted.
    trusted: Vec<u32>,
}

/// Connections that no call uses.
#[derive(Debug)]
struct Pool {
    /// The process that has opened them. In a forked child they are those of the parent, whose
    /// replies the child must not read.
    process: u32,
    idle: Vec<Connection>,
}

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicKey {
    /// The modulus, big-endian without leading zeros.
    pub modulus: Vec<u8>,
    /// The public exponent, likewise.
    pub exponent: Vec<u8>,
}

/// Why a key server cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyServerError {
    /// Nothing can be connected to at this path.
    CannotConnect(PathBuf, io::Error),
    /// The key server runs as another user, who is not trusted. With such a user's master secrets,
    /// that user could read and change connections.
    OtherUser(u32),
    /// The connection was closed: the key server has ended, does not serve this user, or is full.
    Closed,
    /// The reply took too long.
    TimedOut,
    /// Sending or receiving failed.
    Io(io::Error),
    /// The reply is malformed.
    Malformed(Malformed),
    /// The key server refused the request.
    Refused(Status),
    /// The key server does not have the key.
    NoSuchKey,
    /// The provider refused the key, or its backend failed.
    Provider(Error),
}

impl fmt::Display for KeyServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotConnect(path, error) => {
                let hint = match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "this user may not connect: see --allow-uid of sslprov key-server"
                    }
                    _ => "is `sslprov key-server` running?",
                };
                write!(f, "cannot connect to {}: {error}; {hint}", path.display())
            }
            Self::OtherUser(uid) => {
                write!(f, "the key server runs as user {uid}, who is not trusted")
            }
            Self::Closed => f.write_str(
                "the key server closed the connection: it has ended, does not serve this user \
                 (see its --allow-uid), or is full",
            ),
            Self::TimedOut => f.write_str("the key server took too long to reply"),
            Self::Io(error) => write!(f, "the connection to the key server failed: {error}"),
            Self::Malformed(what) => write!(f, "reply of the key server: {what}"),
            Self::Refused(status) => write!(f, "the key server refused the request: {status}"),
            Self::NoSuchKey => f.write_str("the key server does not have the key"),
            Self::Provider(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyServerError {}

impl From<Error> for KeyServerError {
    fn from(error: Error) -> Self {
        Self::Provider(error)
    }
}

impl From<Malformed> for KeyServerError {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

impl From<KeyServerError> for Error {
    fn from(error: KeyServerError) -> Self {
        Self::Unavailable(match error {
            KeyServerError::CannotConnect(..) => "the key server cannot be connected to",
            KeyServerError::OtherUser(_) => "the key server runs as a user who is not trusted",
            KeyServerError::Closed | KeyServerError::Io(_) => {
                "the key server closed the connection"
            }
            KeyServerError::TimedOut => "the key server took too long to reply",
            KeyServerError::Malformed(_) => "the key server sent a malformed reply",
            KeyServerError::Refused(Status::NoSuchKey) | KeyServerError::NoSuchKey => {
                "the key server does not have the key"
            }
            KeyServerError::Refused(Status::Failed) => "the library of the key server failed",
            KeyServerError::Refused(_) => "the key server refused the request",
            KeyServerError::Provider(error) => return error,
        })
    }
}

impl KeyServer {
    /// Names the key server at a path. It must run as this user or as root.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let trusted = vec![geteuid().as_raw(), ROOT];
        let (time_limit, busy_poll) = (TIME_LIMIT, Duration::ZERO);
        Self::new(Settings { path: path.into(), time_limit, busy_poll, trusted })
    }

    /// Limits the time of a call: connecting, sending and receiving, each. Default: 5 seconds.
    #[must_use]
    pub fn with_time_limit(self, time_limit: Duration) -> Self {
        Self::new(Settings { time_limit, ..self.0.settings.clone() })
    }

    /// Asks for the reply over and over for so long before it sleeps. Default: zero.
    ///
    /// To wake a thread takes tens of microseconds where the processor sleeps too; this takes a
    /// processor meanwhile. See also [`crate::Limits::busy_poll`].
    #[must_use]
    pub fn with_busy_poll(self, busy_poll: Duration) -> Self {
        Self::new(Settings { busy_poll, ..self.0.settings.clone() })
    }

    /// Trusts a key server of these users too.
    #[must_use]
    pub fn trusting(self, uids: impl IntoIterator<Item = u32>) -> Self {
        let mut settings = self.0.settings.clone();
        settings.trusted.extend(uids);
        Self::new(settings)
    }

    fn new(settings: Settings) -> Self {
        let pool = Mutex::new(Pool { process: process::id(), idle: Vec::new() });
        let next_id = AtomicU32::new(0);
        Self(Arc::new(Shared { settings, pool, next_id }))
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.0.settings.path
    }

    /// Returns the public halves of all keys of the server.
    ///
    /// # Errors
    ///
    /// [`KeyServerError`].
    pub fn public_keys(&self) -> Result<Vec<PublicKey>, KeyServerError> {
        let mut keys = Vec::new();
        let mut buffer = vec![0; MAX_REPLY_LEN];
        for index in 0..=u16::MAX {
            match self.0.call(Command::PublicKey { index }, &mut buffer) {
                Ok(content) => {
                    let PublicKeyContent { modulus, exponent } = PublicKeyContent::parse(content)?;
                    keys.push(PublicKey { modulus: modulus.into(), exponent: exponent.into() });
                }
                Err(KeyServerError::Refused(Status::NoSuchKey)) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(keys)
    }

    /// Returns the private key with this modulus, big-endian, for imports with `provider`: the key
    /// server does the RSA key exchange, and the provider all that follows.
    ///
    /// # Errors
    ///
    /// - [`KeyServerError::NoSuchKey`], and those of the connection.
    /// - [`KeyServerError::Provider`] with what [`Provider::private_key_of_exchange`] returns, and
    ///   with [`Error::NotAllowed`] where the policy accepts another version than the offered one
    ///   in the premaster secret: key servers do not.
    pub fn private_key(
        &self,
        provider: &Provider,
        modulus: &[u8],
    ) -> Result<PrivateKey, KeyServerError> {
        if provider.policy().premaster_version != PremasterVersion::Offered {
            return Err(OTHER_VERSION_RULE.into());
        }
        let key = self.public_keys()?.into_iter().find(|key| key.modulus == modulus);
        let PublicKey { exponent, .. } = key.ok_or(KeyServerError::NoSuchKey)?;
        let id = KeyId::of(&**provider.backend(), modulus, &exponent)?;
        let exchange = Box::new(RemoteKey { server: Arc::clone(&self.0), id });
        Ok(provider.private_key_of_exchange(modulus, &exponent, exchange)?)
    }
}

/// A key of a key server.
#[derive(Debug)]
struct RemoteKey {
    server: Arc<Shared>,
    id: KeyId,
}

impl RsaKeyExchange for RemoteKey {
    fn master_secret(
        &self,
        exchange: &RsaExchange<'_>,
        out: &mut MasterSecret,
    ) -> Result<(), Error> {
        let RsaExchange { ciphertext, premaster_version, parameters, seed, .. } = *exchange;
        let offered = match premaster_version.accepted() {
            Some([offered, alternate]) if offered == alternate => offered,
            _ => return Err(OTHER_VERSION_RULE),
        };
        let mut hash = [0; 32];
        let ciphertext = if ciphertext.len() > MAX_CIPHERTEXT_LEN {
            let hashing = parameters.backend().hashing();
            hashing.hash(HashAlgorithm::Sha256, &[ciphertext], &mut hash)?;
            &hash
        } else {
            ciphertext
        };
        let (version, suite) = (parameters.version(), parameters.suite().id);
        let command = Command::MasterSecret(Exchange {
            key: self.id,
            version,
            suite,
            offered,
            seed,
            ciphertext,
        });
        let mut buffer = Zeroizing::new([0; MASTER_SECRET_REPLY_LEN]);
        let secret = self.server.call(command, buffer.as_mut()).map_err(|error| match error {
            KeyServerError::Refused(Status::UnsupportedProtocol) => {
                Error::UnsupportedProtocol { given: version.wire().into() }
            }
            KeyServerError::Refused(Status::UnsupportedSuite | Status::Unsupported) => {
                Error::UnsupportedSuite { given: suite.0 }
            }
            other => other.into(),
        })?;
        let secret: &[u8; MASTER_SECRET_LEN] =
            secret.try_into().map_err(|_| KeyServerError::Malformed(Malformed::Syntax))?;
        out.expose_mut().copy_from_slice(secret);
        Ok(())
    }
}

impl Shared {
    /// Sends a request and returns the content of the reply, which is in `buffer`.
    fn call<'b>(
        &self,
        command: Command<'_>,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], KeyServerError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let request = Request { id, command }.to_bytes()?;
        let (connection, len) = match self.idle_connection() {
            Some(connection) => match connection.exchange(&request, buffer, &self.settings) {
                // The server may have been restarted since. A request has the same reply each time
                // that it is made.
                Err(KeyServerError::Closed) => {
                    self.pool().idle.clear();
                    self.exchange_on_new(&request, buffer)?
                }
                exchanged => (connection, exchanged?),
            },
            None => self.exchange_on_new(&request, buffer)?,
        };
        let reply = Reply::parse(buffer.get(..len).unwrap_or_default())?;
        if reply.id != id {
            return Err(Malformed::Syntax.into());
        }
        // Of a server that closes the connection after this, the next call notices.
        self.keep(connection);
        reply.content.map_err(KeyServerError::Refused)
    }

    fn exchange_on_new(
        &self,
        request: &[u8],
        buffer: &mut [u8],
    ) -> Result<(Connection, usize), KeyServerError> {
        let connection = Connection::open(&self.settings)?;
        let len = connection.exchange(request, buffer, &self.settings)?;
        Ok((connection, len))
    }

    fn idle_connection(&self) -> Option<Connection> {
        self.pool().idle.pop()
    }

    fn keep(&self, connection: Connection) {
        let mut pool = self.pool();
        if pool.idle.len() < MAX_IDLE {
            pool.idle.push(connection);
        }
    }

    /// Returns the connections of this process.
    fn pool(&self) -> MutexGuard<'_, Pool> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let process = process::id();
        if pool.process != process {
            *pool = Pool { process, idle: Vec::new() };
        }
        pool
    }
}

/// A connection to a key server whose user is trusted.
#[derive(Debug)]
struct Connection(OwnedFd);

impl Connection {
    fn open(settings: &Settings) -> Result<Self, KeyServerError> {
        let connected = || {
            let socket = stream_socket()?;
            // 0 would be no limit.
            let limit = settings.time_limit.max(Duration::from_millis(1));
            let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
            let limit = TimeVal::new(seconds, limit.subsec_micros().into());
            setsockopt(&socket, SendTimeout, &limit)?;
            setsockopt(&socket, ReceiveTimeout, &limit)?;
            uninterrupted(|| connect(socket.as_raw_fd(), &UnixAddr::new(&settings.path)?))?;
            Ok(socket)
        };
        let cannot = |error| KeyServerError::CannotConnect(settings.path.clone(), error);
        let socket = connected().map_err(|error: Errno| cannot(error.into()))?;
        let server = Peer::of(&socket).map_err(cannot)?;
        if !settings.trusted.contains(&server.uid) {
            return Err(KeyServerError::OtherUser(server.uid));
        }
        Ok(Self(socket))
    }

    /// Sends a request and receives a whole reply, whose length is returned. Any other result than
    /// success leaves the connection unusable.
    fn exchange(
        &self,
        request: &[u8],
        buffer: &mut [u8],
        settings: &Settings,
    ) -> Result<usize, KeyServerError> {
        let started = Instant::now();
        let socket = self.0.as_raw_fd();
        let mut left = request;
        while !left.is_empty() {
            // Programs in C do not expect a signal.
            let sent = uninterrupted(|| send(socket, left, MsgFlags::MSG_NOSIGNAL));
            left = left.get(sent.map_err(failure)?..).unwrap_or_default();
        }
        let mut len = 0;
        loop {
            let place = buffer.get_mut(len..).unwrap_or_default();
            let flags = match started.elapsed() < settings.busy_poll.min(settings.time_limit) {
                true => MsgFlags::MSG_DONTWAIT,
                false => MsgFlags::empty(),
            };
            match uninterrupted(|| recv(socket, place, flags)) {
                // The key server may need this processor.
                Err(Errno::EAGAIN) if !flags.is_empty() => {
                    thread::yield_now();
                    continue;
                }
                Ok(0) => return Err(KeyServerError::Closed),
                received => len += received.map_err(failure)?,
            }
            let received = buffer.get(..len).unwrap_or_default();
            match message_len(received, buffer.len())? {
                Some(whole) if whole == len => return Ok(len),
                Some(whole) if whole < len => return Err(Malformed::Syntax.into()),
                Some(_) | None if started.elapsed() > settings.time_limit => {
                    return Err(KeyServerError::TimedOut);
                }
                Some(_) | None => {}
            }
        }
    }
}

fn uninterrupted<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

fn failure(error: Errno) -> KeyServerError {
    match error {
        Errno::EPIPE | Errno::ECONNRESET => KeyServerError::Closed,
        Errno::EAGAIN => KeyServerError::TimedOut,
        other => KeyServerError::Io(other.into()),
    }
}

/// Default limit of a call.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Most connections that wait for a call.
const MAX_IDLE: usize = 64;

const ROOT: u32 = 0;

const OTHER_VERSION_RULE: Error =
    Error::NotAllowed("a key server accepts only the offered version in the premaster secret");

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::sync::Mutex;

    use ssl_provider::default_backend;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;
    use crate::{Event, Limits, Listener, Peers, ServedKeys, Server};

    fn path(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("sslp-{}-{name}.sock", process::id()))
    }

    #[test]
    fn the_key_server_of_a_user_who_is_not_trusted_gets_no_request() {
        let path = path("trust");
        let listener = UnixListener::bind(&path).unwrap();
        let settings = KeyServer::at(&path).0.settings.clone();
        let server = KeyServer::new(Settings { trusted: vec![u32::MAX], ..settings });
        let refused = server.public_keys();
        assert!(matches!(refused, Err(KeyServerError::OtherUser(_))), "{refused:?}");
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0, "nothing was sent");
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_peer_that_is_not_allowed_gets_no_reply() {
        let path = path("allow");
        let listener = Listener::bind(&path, Peers::nobody()).unwrap();
        let mut keys = ServedKeys::new(default_backend().unwrap(), false);
        keys.add(&TestKey::rsa_1024().der).unwrap();
        let server = Server::new(listener, keys, Limits::default()).unwrap();
        let (stop, events) = (server.stop_handle(), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            let observer = |event: Event<'_>| events.lock().unwrap().push(format!("{event:?}"));
            let running = scope.spawn(move || server.run(&observer));
            let refused = KeyServer::at(&path).public_keys();
            stop.stop();
            running.join().unwrap().unwrap();
            assert!(matches!(refused, Err(KeyServerError::Closed)), "{refused:?}");
        });
        let events = events.into_inner().unwrap();
        assert!(events.len() == 1 && events[0].starts_with("Refused(Peer"), "{events:?}");
    }

    #[test]
    fn a_forked_child_does_not_use_the_connections_of_its_parent() {
        let server = KeyServer::at("/nowhere");
        let (one, _other) = UnixStream::pair().unwrap();
        server.0.keep(Connection(one.into()));
        assert_eq!(server.0.pool().idle.len(), 1);
        server.0.pool.lock().unwrap().process = process::id() + 1;
        assert!(server.0.idle_connection().is_none());
        let (one, _other) = UnixStream::pair().unwrap();
        server.0.keep(Connection(one.into()));
        assert!(server.0.idle_connection().is_some());
    }
}
