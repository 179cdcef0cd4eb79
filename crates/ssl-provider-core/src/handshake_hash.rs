//! The running hash over the handshake messages, and what is computed from it.
//! Messages are fed whole, each with its four-byte header and without record headers.

use std::sync::OnceLock;

use zeroize::Zeroizing;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::{Backend, HashContext};
use crate::error::Error;
use crate::schedule::SSL3_VERIFY_DATA_LEN;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::security_parameters::SecurityParameters;
use crate::version::KeySchedule;

/// A running handshake hash: MD5 and SHA-1 side by side up to TLS 1.1, the suite's hash in 1.2 and
/// 1.3.
pub struct HandshakeHash {
    digest: Digest,
    /// The hash of all messages so far, once it was asked for: TLS 1.3 derives several secrets from
    /// the same one.
    current: OnceLock<Vec<u8>>,
}

enum Digest {
    Md5Sha1 { md5: Box<dyn HashContext>, sha1: Box<dyn HashContext> },
    One { context: Box<dyn HashContext>, len: usize },
}

impl HandshakeHash {
    /// Starts the hash of a connection (`SslCreateHandshakeHash`).
    ///
    /// # Errors
    ///
    /// Errors of the backend.
    pub fn new(parameters: &SecurityParameters) -> Result<Self, Error> {
        let backend = parameters.backend();
        let hash = match parameters.schedule() {
            KeySchedule::Ssl3 | KeySchedule::Tls(PrfAlgorithm::Md5Sha1) => {
                let md5 = backend.hashing().hash_context(HashAlgorithm::Md5)?;
                let sha1 = backend.hashing().hash_context(HashAlgorithm::Sha1)?;
                return Ok(Self::of_digest(Digest::Md5Sha1 { md5, sha1 }));
            }
            KeySchedule::Tls(PrfAlgorithm::Sha256) => HashAlgorithm::Sha256,
            KeySchedule::Tls(PrfAlgorithm::Sha384) => HashAlgorithm::Sha384,
            KeySchedule::Tls13(hash) => hash,
        };
        Self::of_algorithm(backend, hash)
    }

    /// Starts a hash of one algorithm, whatever the handshake hash is.
    pub(crate) fn of_algorithm(backend: &Backend, hash: HashAlgorithm) -> Result<Self, Error> {
        let context = backend.hashing().hash_context(hash)?;
        Ok(Self::of_digest(Digest::One { context, len: hash.output_len() }))
    }

    fn of_digest(digest: Digest) -> Self {
        Self { digest, current: OnceLock::new() }
    }

    /// Returns whether this is MD5 and SHA-1 side by side.
    pub(crate) fn is_md5_sha1(&self) -> bool {
        matches!(self.digest, Digest::Md5Sha1 { .. })
    }

    /// Feeds handshake messages (`SslHashHandshake`).
    pub fn update(&mut self, messages: &[u8]) {
        self.current.take();
        match &mut self.digest {
            Digest::Md5Sha1 { md5, sha1 } => {
                md5.update(messages);
                sha1.update(messages);
            }
            Digest::One { context, .. } => context.update(messages),
        }
    }

    /// Returns a second hash that has been fed the same messages.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let digest = match &self.digest {
            Digest::Md5Sha1 { md5, sha1 } => {
                Digest::Md5Sha1 { md5: md5.duplicate(), sha1: sha1.duplicate() }
            }
            Digest::One { context, len } => Digest::One { context: context.duplicate(), len: *len },
        };
        Self { digest, current: self.current.clone() }
    }

    /// Returns the hash of all messages so far, which goes on running: 36 bytes up to TLS 1.1, 32
    /// or 48 in TLS 1.2 and 1.3. Fed up to and including ClientKeyExchange, it is the session hash
    /// of RFC 7627.
    ///
    /// # Errors
    ///
    /// Errors of the backend.
    pub fn current(&self) -> Result<Vec<u8>, Error> {
        if let Some(current) = self.current.get() {
            return Ok(current.clone());
        }
        let current = self.finished()?;
        // Another thread may have been first, with the same.
        Ok(self.current.get_or_init(|| current).clone())
    }

    fn finished(&self) -> Result<Vec<u8>, Error> {
        match &self.digest {
            Digest::Md5Sha1 { md5, sha1 } => {
                let mut out = vec![0; 36];
                let (first, second) = out.split_at_mut(16);
                md5.duplicate().finish(first)?;
                sha1.duplicate().finish(second)?;
                Ok(out)
            }
            Digest::One { context, len } => {
                let mut out = vec![0; *len];
                context.duplicate().finish(&mut out)?;
                Ok(out)
            }
        }
    }

    /// The verify_data of SSL 3.0 (RFC 6101 section 5.6.9), or with no sender what a client signs
    /// (section 5.6.8): 36 bytes.
    pub(crate) fn ssl3_hash(
        &self,
        parameters: &SecurityParameters,
        sender: &[u8],
        master_secret: &[u8],
        out: &mut [u8; SSL3_VERIFY_DATA_LEN],
    ) -> Result<(), Error> {
        let Digest::Md5Sha1 { md5, sha1 } = &self.digest else {
            return Err(Error::InvalidParameter("handshake hash: not one of SSL 3.0"));
        };
        let (md5_out, sha1_out) = out.split_at_mut(16);
        let halves =
            [(HashAlgorithm::Md5, md5, 48, md5_out), (HashAlgorithm::Sha1, sha1, 40, sha1_out)];
        with_stack_wiped::<_, STACK_LEN>(|| {
            for (hash, context, pad_len, out) in halves {
                let mut inner = Zeroizing::new([0; 20]);
                let inner = &mut inner[..hash.output_len()];
                let mut context = context.duplicate();
                context.update(sender);
                context.update(master_secret);
                context.update(&[0x36; 48][..pad_len]);
                context.finish(inner)?;
                let outer = [master_secret, &[0x5c; 48][..pad_len], inner];
                parameters.hashing().hash(hash, &outer, out)?;
            }
            Ok(())
        })
    }
}

crate::redacted_debug! { HandshakeHash { .. } }
