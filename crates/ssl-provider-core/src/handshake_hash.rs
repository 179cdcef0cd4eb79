//! The running hash over the handshake messages, and what is computed from it.
//! Messages are fed whole, each with its four-byte header and without record headers.

use std::fmt;

use zeroize::Zeroizing;

use crate::backend::{HashAlgorithm, HashContext, KeyExchangeBackend, PrfAlgorithm};
use crate::cipher_suite::CipherSuite;
use crate::error::Error;
use crate::protocol::Protocol;
use crate::schedule::schedule_of;
use crate::secret::{STACK_LEN, on_wiped_stack};

/// A running handshake hash: MD5 and SHA-1 side by side up to TLS 1.1, the suite's hash in 1.2.
pub struct HandshakeHash {
    digest: Digest,
}

enum Digest {
    Md5Sha1 { md5: Box<dyn HashContext>, sha1: Box<dyn HashContext> },
    One { context: Box<dyn HashContext>, len: usize },
}

impl HandshakeHash {
    /// Starts a hash for a protocol and a suite (`SslCreateHandshakeHash`).
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedProtocol`] for SSL 2.0 and TLS 1.3, and what the backend answers.
    pub fn new(
        backend: &dyn KeyExchangeBackend,
        protocol: Protocol,
        suite: &CipherSuite,
    ) -> Result<Self, Error> {
        let hash = match schedule_of(protocol)?.prf(suite.prf) {
            None | Some(PrfAlgorithm::Md5Sha1) => {
                let md5 = backend.hash_context(HashAlgorithm::Md5)?;
                let sha1 = backend.hash_context(HashAlgorithm::Sha1)?;
                return Ok(Self { digest: Digest::Md5Sha1 { md5, sha1 } });
            }
            Some(PrfAlgorithm::Sha256) => HashAlgorithm::Sha256,
            Some(PrfAlgorithm::Sha384) => HashAlgorithm::Sha384,
        };
        Self::of_algorithm(backend, hash)
    }

    /// Starts a hash of one algorithm, whatever the handshake hash is.
    pub(crate) fn of_algorithm(
        backend: &dyn KeyExchangeBackend,
        hash: HashAlgorithm,
    ) -> Result<Self, Error> {
        let context = backend.hash_context(hash)?;
        Ok(Self { digest: Digest::One { context, len: hash.output_len() } })
    }

    /// Whether this is MD5 and SHA-1 side by side.
    pub(crate) fn is_md5_sha1(&self) -> bool {
        matches!(self.digest, Digest::Md5Sha1 { .. })
    }

    /// Feeds handshake messages (`SslHashHandshake`).
    pub fn update(&mut self, messages: &[u8]) {
        match &mut self.digest {
            Digest::Md5Sha1 { md5, sha1 } => {
                md5.update(messages);
                sha1.update(messages);
            }
            Digest::One { context, .. } => context.update(messages),
        }
    }

    /// A second hash that has been fed the same messages.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let digest = match &self.digest {
            Digest::Md5Sha1 { md5, sha1 } => {
                Digest::Md5Sha1 { md5: md5.duplicate(), sha1: sha1.duplicate() }
            }
            Digest::One { context, len } => Digest::One { context: context.duplicate(), len: *len },
        };
        Self { digest }
    }

    /// The hash of all messages so far, which goes on running: 36 bytes up to TLS 1.1, 32 or 48 in
    /// TLS 1.2. Fed up to and including ClientKeyExchange, it is the session hash of RFC 7627.
    ///
    /// # Errors
    ///
    /// What the backend answers.
    pub fn current(&self) -> Result<Vec<u8>, Error> {
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
        backend: &dyn KeyExchangeBackend,
        sender: &[u8],
        master_secret: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let Digest::Md5Sha1 { md5, sha1 } = &self.digest else {
            return Err(Error::InvalidParameter("handshake hash: not one of SSL 3.0"));
        };
        let (md5_out, sha1_out) =
            out.split_at_mut_checked(16).ok_or(Error::Internal("a hash of SSL 3.0 is 36 bytes"))?;
        let halves =
            [(HashAlgorithm::Md5, md5, 48, md5_out), (HashAlgorithm::Sha1, sha1, 40, sha1_out)];
        on_wiped_stack::<_, STACK_LEN>(|| {
            for (hash, context, pad_len, out) in halves {
                let mut inner = Zeroizing::new([0; 20]);
                let inner = &mut inner[..hash.output_len()];
                let mut context = context.duplicate();
                context.update(sender);
                context.update(master_secret);
                context.update(&[0x36; 48][..pad_len]);
                context.finish(inner)?;
                backend.hash(hash, &[master_secret, &[0x5c; 48][..pad_len], inner], out)?;
            }
            Ok(())
        })
    }
}

impl fmt::Debug for HandshakeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeHash").finish_non_exhaustive()
    }
}
