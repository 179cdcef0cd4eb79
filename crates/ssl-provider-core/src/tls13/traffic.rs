//! Traffic secrets: Finished, record keys, KeyUpdate (RFC 8446 sections 4.4.4, 7.2 and 7.3).

use zeroize::Zeroizing;

use crate::backend::NONCE_LEN;
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::record::{RecordKey, RecordOptions, WriteKeys};
use crate::schedule::Side;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::tls13::Tls13Parameters;
use crate::tls13::secret::Secret;

/// When records are protected under a traffic secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrafficPhase {
    /// Early data (0-RTT), which only clients send.
    Early,
    /// The handshake after ServerHello.
    Handshake,
    /// After Finished.
    Application,
}

/// A traffic secret: what one side writes with in one phase.
pub struct TrafficSecret {
    secret: Secret,
    writer: Side,
    phase: TrafficPhase,
    is_first: bool,
}

impl TrafficSecret {
    pub(super) fn new(secret: Secret, writer: Side, phase: TrafficPhase) -> Self {
        Self { secret, writer, phase, is_first: true }
    }

    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.secret.connection
    }

    /// Returns the side that writes with it.
    pub fn writer(&self) -> Side {
        self.writer
    }

    /// Returns the phase.
    pub fn phase(&self) -> TrafficPhase {
        self.phase
    }

    /// Derives key and IV of the records (`SslExpandWriteKey`), whose sequence numbers start at 0.
    /// The other side decrypts with the same key.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for options that TLS 1.3 does not have, [`Error::Unsupported`]
    /// for a cipher that the backend lacks; errors of the backend.
    pub fn record_key(&self, options: RecordOptions) -> Result<RecordKey, Error> {
        let connection = &self.secret.connection;
        let mut key = Zeroizing::new([0; MAX_KEY_LEN]);
        let mut write_iv = Zeroizing::new([0; NONCE_LEN]);
        with_stack_wiped::<_, STACK_LEN>(|| {
            let write_key = &mut key[..connection.suite().cipher.key_len];
            self.secret.expand_label(b"key", &[], write_key)?;
            self.secret.expand_label(b"iv", &[], write_iv.as_mut())?;
            let keys = WriteKeys { mac_key: &[], write_key, write_iv: write_iv.as_ref() };
            RecordKey::new(&connection.parameters, options, keys)
        })
    }

    /// Computes the verify_data of the Finished message of [`writer`](Self::writer)
    /// (`SslComputeFinishedHash`), as long as the hash of the suite. More messages can be added to
    /// the transcript hash afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for another length, for a transcript hash of another suite, and
    /// for early data, which have no Finished; errors of the backend.
    pub fn verify_data(&self, transcript: &HandshakeHash, out: &mut [u8]) -> Result<(), Error> {
        self.check_finished()?;
        with_stack_wiped::<_, STACK_LEN>(|| self.secret.finished(transcript, out))
    }

    /// Checks that `received` is the verify_data that [`writer`](Self::writer) must send now, in
    /// constant time.
    ///
    /// # Errors
    ///
    /// [`Error::BadFinished`] when it is not, and those of [`verify_data`](Self::verify_data).
    pub fn verify_finished(
        &self,
        transcript: &HandshakeHash,
        received: &[u8],
    ) -> Result<(), Error> {
        self.check_finished()?;
        with_stack_wiped::<_, STACK_LEN>(|| self.secret.verify_finished(transcript, received))
    }

    /// Early data end without a Finished message. After the handshake, a client that authenticates
    /// late sends another one, under its application traffic secret.
    fn check_finished(&self) -> Result<(), Error> {
        match self.phase {
            TrafficPhase::Handshake | TrafficPhase::Application => Ok(()),
            TrafficPhase::Early => {
                Err(Error::InvalidParameter("traffic secret: early data have no Finished"))
            }
        }
    }

    /// Derives the secret after KeyUpdate (RFC 8446 section 7.2).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] before the application phase; errors of the backend.
    pub fn updated(&self) -> Result<Self, Error> {
        if self.phase != TrafficPhase::Application {
            return Err(Error::InvalidParameter(
                "traffic secret: only one of the application phase is updated",
            ));
        }
        let secret = with_stack_wiped::<_, STACK_LEN>(|| self.secret.derive(b"traffic upd", &[]))?;
        Ok(Self { secret, is_first: false, ..*self })
    }

    /// Returns the label under which a key log has the secret (RFC 9850 section 2). One after
    /// KeyUpdate has none, as it follows from the first.
    pub fn key_log_label(&self) -> Option<&'static str> {
        match (self.writer, self.phase) {
            (Side::Client, TrafficPhase::Early) => Some("CLIENT_EARLY_TRAFFIC_SECRET"),
            // Servers send no early data.
            (Side::Server, TrafficPhase::Early) => None,
            (Side::Client, TrafficPhase::Handshake) => Some("CLIENT_HANDSHAKE_TRAFFIC_SECRET"),
            (Side::Server, TrafficPhase::Handshake) => Some("SERVER_HANDSHAKE_TRAFFIC_SECRET"),
            (_, TrafficPhase::Application) if !self.is_first => None,
            (Side::Client, TrafficPhase::Application) => Some("CLIENT_TRAFFIC_SECRET_0"),
            (Side::Server, TrafficPhase::Application) => Some("SERVER_TRAFFIC_SECRET_0"),
        }
    }

    /// Returns the secret itself, for a key log.
    ///
    /// # Errors
    ///
    /// [`Error::NotAllowed`] unless the provider's policy is
    /// [`KeyLogPolicy::Allowed`](crate::KeyLogPolicy::Allowed).
    pub fn secret_for_key_log(&self) -> Result<&[u8], Error> {
        self.secret.for_key_log()
    }
}

crate::redacted_debug! { TrafficSecret { writer, phase, .. } }

/// Longest key of a cipher of TLS 1.3 in bytes.
const MAX_KEY_LEN: usize = 32;
