//! The key schedule of TLS 1.3 (RFC 8446 section 7.1).
//!
//! ```text
//! PSK ──▶ EarlySecret ──▶ HandshakeSecret ──▶ MasterSecret
//!           │ binder key     │ traffic           │ traffic, exporter, resumption ──▶ PSK
//!           │ traffic, exporter
//! ```
//!
//! Each secret is a type of its own that derives what the specification derives from it, so that a
//! program cannot take one for another. None of them is a [`MasterKey`](crate::MasterKey) of
//! earlier versions. Transcript hashes are read, not consumed: what they hold at the time of the
//! call counts.

mod base;
mod constants;
mod exporter;
mod known_answers;
mod psk;
mod secret;
mod traffic;

use crate::algorithm::HashAlgorithm;
use crate::backend::Backend;
use crate::cipher_suite::{CipherSuite, CipherSuiteInfo};
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::provider::Provider;
use crate::schedule::Side;
use crate::security_parameters::SecurityParameters;

pub use crate::tls13::base::{EarlySecret, HandshakeSecret, MasterSecret};
pub use crate::tls13::exporter::ExporterSecret;
pub use crate::tls13::psk::{
    BinderKey, MAX_TICKET_NONCE_LEN, PreSharedKey, PskKind, ResumptionSecret,
};
pub use crate::tls13::traffic::{TrafficPhase, TrafficSecret};

/// Longest hash of a suite of TLS 1.3 in bytes: SHA-384. Secrets, Finished and binders are as long
/// as the hash.
pub const MAX_SECRET_LEN: usize = 48;

/// A connection of TLS 1.3: a cipher suite, on the backend and under the policy of a provider.
#[derive(Clone, Debug)]
pub struct Tls13Parameters {
    parameters: SecurityParameters,
    hash: HashAlgorithm,
}

impl Provider {
    /// Takes a suite of TLS 1.3, whose hash is that of the key schedule.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedSuite`] for a suite that is not one of TLS 1.3.
    pub fn tls13_parameters(&self, suite: CipherSuite) -> Result<Tls13Parameters, Error> {
        let (parameters, hash) =
            SecurityParameters::of_tls13(self.backend().clone(), self.policy(), suite)?;
        Ok(Tls13Parameters { parameters, hash })
    }
}

impl Tls13Parameters {
    /// Returns the backend.
    pub fn backend(&self) -> &Backend {
        self.parameters.backend()
    }

    /// Returns what the connection has agreed on, as record keys and handshake hashes take it.
    pub fn security_parameters(&self) -> &SecurityParameters {
        &self.parameters
    }

    /// Returns the suite.
    pub fn suite(&self) -> &'static CipherSuiteInfo {
        self.parameters.suite()
    }

    /// Returns the hash of the suite: SHA-256 or SHA-384. Secrets, Finished and binders are as long
    /// as it.
    pub fn hash(&self) -> HashAlgorithm {
        self.hash
    }

    /// Returns the length of the hash of the suite in bytes: 32 or 48.
    pub fn hash_len(&self) -> usize {
        self.hash.output_len()
    }

    /// Starts the transcript hash (RFC 8446 section 4.4.1), to be fed handshake messages.
    ///
    /// # Errors
    ///
    /// Errors of the backend.
    pub fn transcript(&self) -> Result<HandshakeHash, Error> {
        HandshakeHash::new(&self.parameters)
    }

    /// Starts the transcript hash of a handshake with HelloRetryRequest: of a message_hash with the
    /// hash of the first ClientHello in its place (RFC 8446 section 4.4.1). HelloRetryRequest and
    /// all after it are to be fed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a hash of another suite; errors of the backend.
    pub fn transcript_after_retry(
        &self,
        client_hello: &HandshakeHash,
    ) -> Result<HandshakeHash, Error> {
        let hash = self.hash_of(client_hello)?;
        let mut transcript = self.transcript()?;
        // At most 48.
        let [len, ..] = hash.len().to_le_bytes();
        transcript.update(&[MESSAGE_HASH, 0, 0, len]);
        transcript.update(&hash);
        Ok(transcript)
    }

    /// Returns what CertificateVerify of `signer` signs (RFC 8446 section 4.4.3): 64 spaces, a text
    /// that names the side, a zero byte, and the hash of all messages up to Certificate.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a hash of another suite; errors of the backend.
    pub fn certificate_verify_content(
        &self,
        signer: Side,
        transcript: &HandshakeHash,
    ) -> Result<Vec<u8>, Error> {
        let text: &[u8] = match signer {
            Side::Client => b"TLS 1.3, client CertificateVerify\0",
            Side::Server => b"TLS 1.3, server CertificateVerify\0",
        };
        let hash = self.hash_of(transcript)?;
        Ok([&[b' '; 64][..], text, &hash].concat())
    }

    /// Returns what the transcript hash holds now, if it is of this suite.
    fn hash_of(&self, transcript: &HandshakeHash) -> Result<Vec<u8>, Error> {
        let hash = transcript.current()?;
        if hash.len() == self.hash_len() && !transcript.is_md5_sha1() {
            Ok(hash)
        } else {
            Err(Error::InvalidParameter("transcript hash: not of the hash of the suite"))
        }
    }
}

/// The type of the message that stands for the first ClientHello (RFC 8446 section 4).
const MESSAGE_HASH: u8 = 254;
