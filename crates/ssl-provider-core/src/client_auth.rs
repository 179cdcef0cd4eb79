//! What a client signs in CertificateVerify: a hash of the handshake messages before it.
//! Which hash that is depends on the version, and before TLS 1.2 on the kind of its key.

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::master_key::MasterKey;
use crate::provider::Provider;
use crate::schedule::SSL3_VERIFY_DATA_LEN;
use crate::version::{KeySchedule, ProtocolVersion};

/// The kind of key that a client signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientKey {
    /// An RSA key.
    Rsa,
    /// A DSA key, or one on a curve.
    DsaOrEcdsa,
}

impl Provider {
    /// Starts a hash of one algorithm for CertificateVerify in TLS 1.2 (`SslCreateClientAuthHash`),
    /// to be fed the same messages as the handshake hash. A server has one for each algorithm that
    /// it lets clients sign with, since it learns late which one that is.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a version that is not TLS 1.2 or DTLS 1.2, where clients
    /// have no choice; and errors of the backend.
    pub fn client_auth_hash(
        &self,
        version: ProtocolVersion,
        hash: HashAlgorithm,
    ) -> Result<HandshakeHash, Error> {
        if version.as_tls() != ProtocolVersion::TLS1_2 {
            return Err(Error::InvalidParameter("protocol: expected TLS 1.2 or DTLS 1.2"));
        }
        HandshakeHash::of_algorithm(self.backend(), hash)
    }
}

impl MasterKey {
    /// Computes what the client signs (`SslComputeClientAuthHash`), from a hash of all messages up
    /// to ClientKeyExchange: MD5 and SHA-1 for RSA, 36 bytes, and SHA-1 for other keys, before TLS
    /// 1.2 (RFC 2246 section 7.4.8), with the master secret in SSL 3.0 (RFC 6101 section 5.6.8);
    /// the hash as it is in TLS 1.2 (RFC 5246 section 7.4.8). More messages can be added
    /// afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when the hash is of another version, and errors of the backend.
    pub fn client_auth_hash(
        &self,
        key: ClientKey,
        handshake: &HandshakeHash,
    ) -> Result<Vec<u8>, Error> {
        let schedule = self.parameters.schedule();
        let md5_sha1 =
            matches!(schedule, KeySchedule::Ssl3 | KeySchedule::Tls(PrfAlgorithm::Md5Sha1));
        if handshake.is_md5_sha1() != md5_sha1 {
            return Err(Error::InvalidParameter("handshake hash: not one of this version"));
        }
        let mut hash = match schedule {
            KeySchedule::Tls(PrfAlgorithm::Md5Sha1) => handshake.current()?,
            KeySchedule::Tls(_) => return handshake.current(),
            KeySchedule::Tls13(_) => return Err(self.version().unsupported()),
            KeySchedule::Ssl3 => {
                let mut hash = [0; SSL3_VERIFY_DATA_LEN];
                handshake.ssl3_hash(&self.parameters, &[], self.secret.expose(), &mut hash)?;
                hash.to_vec()
            }
        };
        match key {
            ClientKey::Rsa => Ok(hash),
            ClientKey::DsaOrEcdsa => Ok(hash.split_off(MD5_LEN)),
        }
    }
}

const MD5_LEN: usize = 16;
