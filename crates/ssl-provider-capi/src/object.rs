//! The objects behind handles, and the look-ups that each export begins with.
//! A look-up returns a reference, so freeing a handle does not disturb a call in progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use ssl_provider::tls13::{
    self, BinderKey, EarlySecret, ExporterSecret, HandshakeSecret, ResumptionSecret, TrafficSecret,
};
use ssl_provider::{
    Backend, Error, Handle, HandleKind, HandleTable, HandshakeHash, HashAlgorithm, MasterKey,
    PremasterKey, PrivateKey, Provider, SecurityParameters, SigningKey,
};
use ssl_provider_keys::{KeyShare, PublicKey};
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::key_store::StoredKey;
use crate::own_key::OwnKey;
use crate::session_key::SessionKey;

/// An object behind a handle.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Provider(Arc<OpenProvider>),
    PrivateKey(OpenedKey),
    MasterKey(Arc<MasterKey>),
    SessionKey(Arc<SessionKey>),
    HandshakeHash(Arc<RunningHash>),
    KeyStorageProvider,
    StoredKey(StoredKey),
    PublicKey(Arc<ImportedPublicKey>),
    EphemeralKey(Arc<OwnKey>),
    PremasterKey(Arc<PremasterKey>),
    PreSharedKey(Arc<PreSharedKey>),
    ResumptionPreSharedKey(Arc<tls13::PreSharedKey>),
    EarlySecret(Arc<EarlySecret>),
    HandshakeSecret(Arc<HandshakeSecret>),
    Tls13MasterSecret(Arc<tls13::MasterSecret>),
    TrafficSecret(Arc<TrafficSecret>),
    ExporterSecret(Arc<ExporterSecret>),
    ResumptionSecret(Arc<ResumptionSecret>),
    BinderKey(Arc<BinderKey>),
}

impl Object {
    fn kind(&self) -> HandleKind {
        match self {
            Self::Provider(_) => HandleKind::Provider,
            Self::PrivateKey(_) => HandleKind::PrivateKey,
            Self::MasterKey(_) => HandleKind::MasterKey,
            Self::SessionKey(_) => HandleKind::SessionKey,
            Self::HandshakeHash(_) => HandleKind::HandshakeHash,
            Self::KeyStorageProvider => HandleKind::KeyStorageProvider,
            Self::StoredKey(_) => HandleKind::StoredKey,
            Self::PublicKey(_) => HandleKind::PublicKey,
            Self::EphemeralKey(_) => HandleKind::EphemeralKey,
            Self::PremasterKey(_) => HandleKind::PremasterKey,
            Self::PreSharedKey(_) => HandleKind::PreSharedKey,
            Self::ResumptionPreSharedKey(_) => HandleKind::ResumptionPreSharedKey,
            Self::EarlySecret(_) => HandleKind::EarlySecret,
            Self::HandshakeSecret(_) => HandleKind::HandshakeSecret,
            Self::Tls13MasterSecret(_) => HandleKind::Tls13MasterSecret,
            Self::TrafficSecret(_) => HandleKind::TrafficSecret,
            Self::ExporterSecret(_) => HandleKind::ExporterSecret,
            Self::ResumptionSecret(_) => HandleKind::ResumptionSecret,
            Self::BinderKey(_) => HandleKind::BinderKey,
        }
    }
}

/// An open provider and the reference count of its handle.
#[derive(Debug)]
pub(crate) struct OpenProvider {
    provider: Provider,
    references: AtomicU64,
}

impl OpenProvider {
    pub(crate) fn new(provider: Provider) -> Self {
        Self { provider, references: AtomicU64::new(1) }
    }

    pub(crate) fn provider(&self) -> &Provider {
        &self.provider
    }

    /// Sets the references to what `next` returns, and returns the number before; fails with
    /// [`Error::InvalidHandle`] where `next` returns none.
    fn count(&self, next: fn(u64) -> Option<u64>) -> Result<u64, Error> {
        self.references
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, next)
            .map_err(|_| Error::InvalidHandle)
    }
}

/// A private key that was opened.
#[derive(Clone, Debug)]
pub(crate) struct OpenedKey {
    /// The backend that the key belongs to.
    pub(crate) backend: Backend,
    pub(crate) public: Arc<PublicKey>,
    /// The key as one that decrypts, or the reason why it does not.
    pub(crate) decryption: Result<Arc<PrivateKey>, Failure>,
    /// The key as one that signs, or the reason why it does not.
    pub(crate) signing: Result<Arc<SigningKey>, Failure>,
}

/// A public key, with the backend that it belongs to.
#[derive(Debug)]
pub(crate) struct ImportedPublicKey {
    pub(crate) backend: Backend,
    pub(crate) key: PublicHalf,
}

/// A public key, or the public half of another.
#[derive(Clone, Debug)]
pub(crate) enum PublicHalf {
    /// A key such as certificates have, or on one of their curves.
    Key(PublicKey),
    /// A key for one key agreement.
    Share(KeyShare),
}

/// A pre-shared key that was agreed outside TLS, with the backend that it belongs to.
pub(crate) struct PreSharedKey {
    pub(crate) backend: Backend,
    key: Zeroizing<Vec<u8>>,
    /// The hash of TLS 1.3 that it belongs to, once it has been used there.
    hash: OnceLock<HashAlgorithm>,
}

impl PreSharedKey {
    pub(crate) fn new(backend: Backend, key: Zeroizing<Vec<u8>>) -> Self {
        Self { backend, key, hash: OnceLock::new() }
    }

    /// The hash of TLS 1.3 that the key belongs to: that of its first use, which may be this one
    /// (RFC 8446 section 4.2.11).
    pub(crate) fn hash_of_tls13(&self, first: HashAlgorithm) -> HashAlgorithm {
        *self.hash.get_or_init(|| first)
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.key
    }
}

ssl_provider::redacted_debug! { PreSharedKey { backend, .. } }

/// The purpose of a running hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashUse {
    /// The handshake hash of the protocol and the suite.
    Handshake,
    /// A hash for CertificateVerify.
    ClientAuth,
}

/// A hash of handshake messages, with its purpose and what the connection has agreed on.
#[derive(Debug)]
pub(crate) struct RunningHash {
    pub(crate) parameters: SecurityParameters,
    pub(crate) hash_use: HashUse,
    hash: Mutex<HandshakeHash>,
}

impl RunningHash {
    pub(crate) fn new(
        parameters: SecurityParameters,
        hash_use: HashUse,
        hash: HandshakeHash,
    ) -> Self {
        Self { parameters, hash_use, hash: Mutex::new(hash) }
    }

    /// Locks the hash for one caller.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] after a panic in an earlier call: part of a message may be missing.
    pub(crate) fn hash(&self) -> Result<MutexGuard<'_, HandshakeHash>, Error> {
        self.hash
            .lock()
            .map_err(|_| Error::Internal("an earlier call panicked while it used the hash"))
    }
}

/// The object of a kind behind a handle; returns early if there is none.
macro_rules! object {
    ($handles:expr, $handle:expr, $kind:ident) => {
        match $handles.get($handle, HandleKind::$kind)? {
            Object::$kind(object) => object,
            _ => return Err(OUT_OF_STEP),
        }
    };
}

/// Defines look-ups of secrets of TLS 1.3, each of which is of a kind of its own.
macro_rules! secrets_of_tls13 {
    ($($(#[$doc:meta])* $name:ident: $kind:ident, $type:ty;)*) => {
        impl Handles {
            $(
                $(#[$doc])*
                pub(crate) fn $name(
                    &self,
                    handle: usize,
                    provider: &OpenProvider,
                ) -> Result<Arc<$type>, Error> {
                    let secret = object!(self, handle, $kind);
                    belongs(secret.parameters().backend(), provider).map(|()| secret)
                }
            )*

            /// Returns whether the handle is a secret of TLS 1.3 that the provider may use.
            fn is_secret_of_tls13(&self, handle: usize, provider: &OpenProvider) -> bool {
                [$(self.$name(handle, provider).is_ok()),*].contains(&true)
            }
        }
    };
}

secrets_of_tls13! {
    early_secret: EarlySecret, EarlySecret;
    handshake_secret: HandshakeSecret, HandshakeSecret;
    tls13_master_secret: Tls13MasterSecret, tls13::MasterSecret;
    traffic_secret: TrafficSecret, TrafficSecret;
    exporter_secret: ExporterSecret, ExporterSecret;
    resumption_secret: ResumptionSecret, ResumptionSecret;
    binder_key: BinderKey, BinderKey;
}

/// The live handles of a process.
#[derive(Debug)]
pub(crate) struct Handles(HandleTable<Object>);

impl Handles {
    /// No handles; see [`HandleTable::new`] for the key.
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self(HandleTable::new(key))
    }

    /// Makes a handle for an object.
    ///
    /// # Errors
    ///
    /// [`Error::NoMemory`] when there are 1 048 576 live ones.
    pub(crate) fn insert(&self, object: Object) -> Result<usize, Error> {
        let handle = self.0.insert(object.kind(), object)?;
        usize::try_from(handle.into_raw()).map_err(|_| Error::Internal("handles are 64 bits wide"))
    }

    /// Frees a handle of one of `kinds`; the object is dropped with its last reference.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for every other value.
    pub(crate) fn free(&self, handle: usize, kinds: &[HandleKind]) -> Result<(), Error> {
        let mut removed = kinds.iter().filter_map(|kind| self.0.remove(raw(handle), *kind).ok());
        removed.next().map(drop).ok_or(Error::InvalidHandle)
    }

    /// Returns whether the handle is a live one of one of `kinds`.
    pub(crate) fn is_live(&self, handle: usize, kinds: &[HandleKind]) -> bool {
        kinds.iter().any(|kind| self.get(handle, *kind).is_ok())
    }

    /// The number of live handles.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a reference to a provider's handle.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] when it is not a live provider.
    pub(crate) fn reference(&self, handle: usize) -> Result<(), Error> {
        // The last reference may have gone since the look-up.
        let add = |references: u64| if references == 0 { None } else { references.checked_add(1) };
        self.provider(handle)?.count(add).map(|_| ())
    }

    /// Drops a reference to a provider's handle, and frees the handle with the last one.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] when it is not a live provider.
    pub(crate) fn release(&self, handle: usize) -> Result<(), Error> {
        match self.provider(handle)?.count(|references| references.checked_sub(1))? {
            1 => self.free(handle, &[HandleKind::Provider]),
            _ => Ok(()),
        }
    }

    pub(crate) fn provider(&self, handle: usize) -> Result<Arc<OpenProvider>, Error> {
        Ok(object!(self, handle, Provider))
    }

    /// A private key of either kind, of any provider.
    pub(crate) fn any_private_key(&self, handle: usize) -> Result<OpenedKey, Error> {
        Ok(object!(self, handle, PrivateKey))
    }

    /// A private key of either kind.
    pub(crate) fn private_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<OpenedKey, Error> {
        self.any_private_key(handle).and_then(|key| belongs(&key.backend, provider).map(|()| key))
    }

    /// A private key for RSA key exchange.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for one on a curve, and for one whose key usage does not allow it.
    pub(crate) fn rsa_private_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<PrivateKey>, Failure> {
        self.private_key(handle, provider)?.decryption
    }

    pub(crate) fn master_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<MasterKey>, Error> {
        let key = object!(self, handle, MasterKey);
        belongs(key.security_parameters().backend(), provider).map(|()| key)
    }

    pub(crate) fn session_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<SessionKey>, Error> {
        let key = object!(self, handle, SessionKey);
        belongs(&key.backend, provider).map(|()| key)
    }

    pub(crate) fn handshake_hash(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<RunningHash>, Error> {
        let hash = object!(self, handle, HandshakeHash);
        belongs(hash.parameters.backend(), provider).map(|()| hash)
    }

    pub(crate) fn key_storage_provider(&self, handle: usize) -> Result<(), Error> {
        self.get(handle, HandleKind::KeyStorageProvider).map(|_| ())
    }

    pub(crate) fn stored_key(&self, handle: usize) -> Result<StoredKey, Error> {
        Ok(object!(self, handle, StoredKey))
    }

    pub(crate) fn ephemeral_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<OwnKey>, Error> {
        let key = object!(self, handle, EphemeralKey);
        belongs(&key.backend, provider).map(|()| key)
    }

    pub(crate) fn premaster_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<PremasterKey>, Error> {
        let key = object!(self, handle, PremasterKey);
        belongs(key.security_parameters().backend(), provider).map(|()| key)
    }

    /// A pre-shared key that was agreed outside TLS.
    pub(crate) fn pre_shared_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<PreSharedKey>, Error> {
        let key = object!(self, handle, PreSharedKey);
        belongs(&key.backend, provider).map(|()| key)
    }

    /// A pre-shared key that was derived from an earlier connection of TLS 1.3.
    pub(crate) fn resumption_pre_shared_key(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<Arc<tls13::PreSharedKey>, Error> {
        let key = object!(self, handle, ResumptionPreSharedKey);
        belongs(key.backend(), provider).map(|()| key)
    }

    /// The public half of a private key, of an imported public key or of a key in key storage.
    pub(crate) fn public_half(
        &self,
        handle: usize,
        provider: &OpenProvider,
    ) -> Result<PublicHalf, Error> {
        if let Ok(stored) = self.stored_key(handle) {
            return Ok(PublicHalf::Key(stored.public()));
        }
        if let Ok(key) = self.private_key(handle, provider) {
            return Ok(PublicHalf::Key(PublicKey::clone(&key.public)));
        }
        let key = object!(self, handle, PublicKey);
        belongs(&key.backend, provider).map(|()| key.key.clone())
    }

    /// A key of any kind that the provider may use: of its own, or from key storage.
    pub(crate) fn any_key(&self, handle: usize, provider: &OpenProvider) -> Result<(), Error> {
        if self.is_secret_of_tls13(handle, provider) {
            return Ok(());
        }
        self.private_key(handle, provider)
            .map(|_| ())
            .or_else(|_| self.master_key(handle, provider).map(|_| ()))
            .or_else(|_| self.session_key(handle, provider).map(|_| ()))
            .or_else(|_| self.ephemeral_key(handle, provider).map(|_| ()))
            .or_else(|_| self.premaster_key(handle, provider).map(|_| ()))
            .or_else(|_| self.pre_shared_key(handle, provider).map(|_| ()))
            .or_else(|_| self.resumption_pre_shared_key(handle, provider).map(|_| ()))
            .or_else(|_| self.public_half(handle, provider).map(|_| ()))
    }

    fn get(&self, handle: usize, kind: HandleKind) -> Result<Object, Error> {
        self.0.get(raw(handle), kind)
    }
}

/// Checks that an object is of this provider: two handles of one backend are the same provider.
fn belongs(backend: &Backend, provider: &OpenProvider) -> Result<(), Error> {
    if backend == provider.provider().backend() { Ok(()) } else { Err(Error::InvalidHandle) }
}

/// The table returned an object of another kind than was requested, which it never does.
const OUT_OF_STEP: Error = Error::Internal("handle table and object disagree about the kind");

fn raw(handle: usize) -> Handle {
    // This library is built for 64-bit targets only.
    Handle::from_raw(handle as u64)
}
