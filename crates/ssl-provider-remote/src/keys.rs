//! The keys of a key server, and its replies to requests. No sockets.
//!
//! Core does the whole exchange, implicit rejection included, so a request has the same reply in
//! status, length and time whatever its ciphertext holds (Bleichenbacher, Marvin).

use std::fmt;

use ssl_provider_core::{
    Backend, Error, KeyLogPolicy, MasterKey, MasterSeed, ParameterList, Policy, PrivateKey,
    Provider,
};
use zeroize::Zeroizing;

use crate::protocol::{Command, Exchange, KeyId, PublicKeyContent, Reply, Request, Status};

/// Most keys of a server.
pub const MAX_KEYS: usize = 1024;

/// RSA keys, and the provider that does their exchanges.
#[derive(Debug)]
pub struct ServedKeys {
    provider: Provider,
    keys: Vec<ServedKey>,
}

#[derive(Debug)]
struct ServedKey {
    id: KeyId,
    key: PrivateKey,
}

/// Why a key cannot be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CannotAdd {
    /// The key cannot be loaded.
    Key(Error),
    /// The same key is served already.
    Twice(KeyId),
    /// There are [`MAX_KEYS`].
    TooMany,
}

impl fmt::Display for CannotAdd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Twice(id) => write!(f, "the key {id} is given twice"),
            Self::TooMany => write!(f, "a key server has at most {MAX_KEYS} keys"),
        }
    }
}

impl std::error::Error for CannotAdd {}

impl ServedKeys {
    /// Takes keys of 1024 bits and more, and imports for TLS, and for SSL 3.0 where it is allowed.
    /// The premaster secret must carry the version that the client has offered.
    pub fn new(backend: impl Into<Backend>, allow_ssl3: bool) -> Self {
        let policy = Policy {
            legacy_ssl3: allow_ssl3,
            // A reply contains the master secret.
            key_log: KeyLogPolicy::Allowed,
            ..Policy::default()
        };
        Self { provider: Provider::open(backend).with_policy(policy), keys: Vec::new() }
    }

    /// Loads a key from DER, PKCS#1 or PKCS#8, and returns its name.
    ///
    /// # Errors
    ///
    /// [`CannotAdd`].
    pub fn add(&mut self, der: &[u8]) -> Result<KeyId, CannotAdd> {
        let key = self.provider.load_private_key(der).map_err(CannotAdd::Key)?;
        let backend = self.provider.backend();
        let id = KeyId::of(&**backend, key.modulus(), key.public_exponent());
        let id = id.map_err(CannotAdd::Key)?;
        if self.keys.iter().any(|other| other.id == id) {
            return Err(CannotAdd::Twice(id));
        }
        if self.keys.len() == MAX_KEYS {
            return Err(CannotAdd::TooMany);
        }
        self.keys.push(ServedKey { id, key });
        Ok(id)
    }

    /// Returns the names of the keys and the lengths of their moduli in bits.
    pub fn names(&self) -> impl Iterator<Item = (KeyId, usize)> {
        self.keys.iter().map(|key| (key.id, key.key.modulus_bits()))
    }

    /// Returns the reply to each request, in order. The exchanges of one key are decrypted
    /// together. `failed` is called for each failure of the library.
    pub fn respond(
        &self,
        requests: &[Request<'_>],
        failed: &dyn Fn(Error),
    ) -> Vec<Zeroizing<Vec<u8>>> {
        let mut replies: Vec<_> = requests.iter().map(|_| None).collect();
        if let [request] = requests {
            replies[0] = Some(self.respond_to_one(request, failed));
        } else {
            for key in &self.keys {
                self.respond_with(key, requests, &mut replies, failed);
            }
        }
        let all = requests.iter().zip(replies);
        all.map(|(request, reply)| reply.unwrap_or_else(|| self.respond_to_one(request, failed)))
            .collect()
    }

    fn respond_to_one(&self, request: &Request<'_>, failed: &dyn Fn(Error)) -> Zeroizing<Vec<u8>> {
        match &request.command {
            Command::PublicKey { index } => {
                let content = self.public_key(*index);
                write(request.id, content.as_deref().map_err(|status| *status))
            }
            Command::MasterSecret(exchange) => {
                let imported = self.key(exchange.key).map(|key| self.import(&key.key, exchange));
                write_secret(request.id, imported, failed)
            }
        }
    }

    /// Decrypts all exchanges of a key at once.
    fn respond_with(
        &self,
        key: &ServedKey,
        requests: &[Request<'_>],
        replies: &mut [Option<Zeroizing<Vec<u8>>>],
        failed: &dyn Fn(Error),
    ) {
        let exchanges = || {
            requests.iter().enumerate().filter_map(|(at, request)| match &request.command {
                Command::MasterSecret(it) if it.key == key.id => Some((at, request.id, it)),
                Command::MasterSecret(_) | Command::PublicKey { .. } => None,
            })
        };
        let ciphertexts: Vec<_> = exchanges().map(|(_, _, it)| it.ciphertext).collect();
        if ciphertexts.is_empty() {
            return;
        }
        match key.key.decrypt_premasters(&ciphertexts) {
            Ok(decrypted) => {
                for ((at, id, exchange), premaster) in exchanges().zip(&decrypted) {
                    let imported = parameters(exchange).and_then(|parameters| {
                        let Exchange { version, suite, .. } = *exchange;
                        self.provider.import_decrypted(premaster, version, suite, &parameters)
                    });
                    replies[at] = Some(write_secret(id, Ok(imported), failed));
                }
            }
            Err(error) => {
                for (at, id, _) in exchanges() {
                    replies[at] = Some(write_secret(id, Ok(Err(error)), failed));
                }
            }
        }
    }

    fn import(&self, key: &PrivateKey, exchange: &Exchange<'_>) -> Result<MasterKey, Error> {
        let parameters = parameters(exchange)?;
        let Exchange { version, suite, ciphertext, .. } = *exchange;
        self.provider.import_master_key(key, version, suite, &parameters, ciphertext)
    }

    fn key(&self, id: KeyId) -> Result<&ServedKey, Status> {
        self.keys.iter().find(|key| key.id == id).ok_or(Status::NoSuchKey)
    }

    fn public_key(&self, index: u16) -> Result<Vec<u8>, Status> {
        let ServedKey { key, .. } = self.keys.get(usize::from(index)).ok_or(Status::NoSuchKey)?;
        let content = PublicKeyContent { modulus: key.modulus(), exponent: key.public_exponent() };
        content.to_bytes().map_err(|_| Status::Failed)
    }
}

fn parameters(exchange: &Exchange<'_>) -> Result<ParameterList, Error> {
    let list = ParameterList::new().highest_version(exchange.offered);
    match exchange.seed {
        MasterSeed::Randoms(client, server) => {
            Ok(list.client_random(*client).server_random(*server))
        }
        MasterSeed::SessionHash(hash) => list.session_hash(hash),
    }
}

fn write_secret(
    id: u32,
    imported: Result<Result<MasterKey, Error>, Status>,
    failed: &dyn Fn(Error),
) -> Zeroizing<Vec<u8>> {
    let imported = imported.and_then(|imported| imported.map_err(|error| status(error, failed)));
    let secret = match &imported {
        Ok(key) => key.secret_for_key_log().map_err(|error| status(error, failed)),
        Err(status) => Err(*status),
    };
    write(id, secret.map(|secret| &secret.expose()[..]))
}

fn write(id: u32, content: Result<&[u8], Status>) -> Zeroizing<Vec<u8>> {
    let written = Reply { id, content }.to_bytes();
    // No content is that long; after an empty reply the connection is closed.
    written.unwrap_or_default()
}

/// The one mapping of errors to statuses. None is decided by what a ciphertext holds.
fn status(error: Error, failed: &dyn Fn(Error)) -> Status {
    match error {
        Error::UnsupportedProtocol { .. } => Status::UnsupportedProtocol,
        Error::UnsupportedSuite { .. } => Status::UnsupportedSuite,
        Error::InvalidParameter(_) => Status::InvalidParameter,
        Error::Unsupported(_) => Status::Unsupported,
        other => {
            failed(other);
            Status::Failed
        }
    }
}
