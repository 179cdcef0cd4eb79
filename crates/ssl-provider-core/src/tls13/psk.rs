//! Pre-shared keys, of other origin or of an earlier connection (RFC 8446 sections 4.2.11, 4.6.1).

use ssl_provider_memory::SecretBytes;

use crate::algorithm::HashAlgorithm;
use crate::backend::Backend;
use crate::ephemeral_key::{BAD_PSK_LEN, MAX_PSK_LEN};
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::provider::Provider;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::tls13::Tls13Parameters;
use crate::tls13::secret::Secret;

// Longer ones would panic.
const _: () = assert!(MAX_PSK_LEN <= SecretBytes::MAX_LEN);

/// Longest nonce of a ticket in bytes (RFC 8446 section 4.6.1).
pub const MAX_TICKET_NONCE_LEN: usize = 255;

/// Where a pre-shared key comes from, which its binder tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PskKind {
    /// Agreed outside TLS.
    External,
    /// Derived from an earlier connection.
    Resumption,
}

impl PskKind {
    pub(super) fn binder_label(self) -> &'static [u8] {
        match self {
            Self::External => b"ext binder",
            Self::Resumption => b"res binder",
        }
    }
}

/// A pre-shared key of TLS 1.3, which belongs to a hash (RFC 8446 section 4.2.11).
pub struct PreSharedKey {
    pub(crate) backend: Backend,
    pub(crate) hash: HashAlgorithm,
    pub(crate) bytes: SecretBytes,
}

impl Provider {
    /// Takes a pre-shared key that was agreed outside TLS, for suites with `hash`. RFC 8446 section
    /// 4.2.11 says SHA-256 where nothing else was agreed.
    ///
    /// It is 1 to [`MAX_PSK_LEN`] bytes of at least 128 bits of entropy; a password is none (RFC
    /// 9257 section 4.2). Secret; its length is not.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for another length, and for a hash that no suite of TLS 1.3 has.
    pub fn pre_shared_key(&self, hash: HashAlgorithm, psk: &[u8]) -> Result<PreSharedKey, Error> {
        if !(1..=MAX_PSK_LEN).contains(&psk.len()) {
            return Err(BAD_PSK_LEN);
        }
        if !matches!(hash, HashAlgorithm::Sha256 | HashAlgorithm::Sha384) {
            return Err(Error::InvalidParameter("hash: no suite of TLS 1.3 has it"));
        }
        let backend = self.backend().clone();
        Ok(PreSharedKey { backend, hash, bytes: SecretBytes::copied(psk) })
    }
}

impl PreSharedKey {
    /// Returns the backend that the key belongs to.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the hash of the suites that the key is for.
    pub fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    pub(super) fn check(&self, connection: &Tls13Parameters) -> Result<(), Error> {
        if self.backend != *connection.backend() {
            return Err(Error::InvalidHandle);
        }
        if self.hash != connection.hash() {
            return Err(Error::InvalidParameter("pre-shared key: not of the hash of the suite"));
        }
        Ok(())
    }

    pub(super) fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

/// The key that binds ClientHello to a pre-shared key.
pub struct BinderKey(pub(super) Secret);

impl BinderKey {
    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.0.connection
    }

    /// Computes the binder (`SslComputeFinishedHash`, RFC 8446 section 4.2.11.2), as long as the
    /// hash, over all messages up to ClientHello without its list of binders.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for another length and for a transcript hash of another suite;
    /// errors of the backend.
    pub fn binder(&self, transcript: &HandshakeHash, out: &mut [u8]) -> Result<(), Error> {
        with_stack_wiped::<_, STACK_LEN>(|| self.0.finished(transcript, out))
    }

    /// Checks a binder in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::BadFinished`] when it is another one, and those of [`binder`](Self::binder).
    pub fn verify_binder(&self, transcript: &HandshakeHash, received: &[u8]) -> Result<(), Error> {
        with_stack_wiped::<_, STACK_LEN>(|| self.0.verify_finished(transcript, received))
    }
}

/// resumption_master_secret.
pub struct ResumptionSecret(pub(super) Secret);

impl ResumptionSecret {
    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.0.connection
    }

    /// Derives the pre-shared key of a ticket (`SslExpandPreSharedKey`, RFC 8446 section 4.6.1).
    /// Each ticket of a connection has another nonce.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a nonce of more than [`MAX_TICKET_NONCE_LEN`] bytes; errors
    /// of the backend.
    pub fn pre_shared_key(&self, nonce: &[u8]) -> Result<PreSharedKey, Error> {
        if nonce.len() > MAX_TICKET_NONCE_LEN {
            return Err(Error::InvalidParameter("nonce: expected at most 255 bytes"));
        }
        let connection = &self.0.connection;
        let mut bytes = SecretBytes::zeroed(connection.hash_len());
        with_stack_wiped::<_, STACK_LEN>(|| self.0.expand_label(b"resumption", nonce, &mut bytes))?;
        let backend = connection.backend().clone();
        Ok(PreSharedKey { backend, hash: connection.hash(), bytes })
    }
}

crate::redacted_debug! {
    PreSharedKey { hash, .. }
    BinderKey { .. }
    ResumptionSecret { .. }
}
