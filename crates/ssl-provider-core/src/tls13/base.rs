//! The chain of secrets: early, handshake, master (RFC 8446 section 7.1).

use ssl_provider_memory::SecretBytes;

use crate::ephemeral_key::{EphemeralKey, PeerPublicKey};
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::schedule::Side;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::tls13::constants::Constants;
use crate::tls13::secret::Secret;
use crate::tls13::{
    BinderKey, ExporterSecret, PreSharedKey, PskKind, ResumptionSecret, Tls13Parameters,
    TrafficPhase, TrafficSecret,
};

/// The Early Secret.
pub struct EarlySecret {
    pub(super) secret: Secret,
    has_psk: bool,
}

/// The Handshake Secret.
pub struct HandshakeSecret(pub(super) Secret);

/// The Master Secret of TLS 1.3.
pub struct MasterSecret(pub(super) Secret);

impl Tls13Parameters {
    /// Computes the Early Secret, from a pre-shared key or without one (`SslExtractEarlyKey`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a pre-shared key of another backend,
    /// [`Error::InvalidParameter`] for one of another hash; errors of the backend.
    pub fn early_secret(&self, psk: Option<&PreSharedKey>) -> Result<EarlySecret, Error> {
        let secret = match psk {
            Some(psk) => {
                psk.check(self)?;
                with_stack_wiped::<_, STACK_LEN>(|| Secret::extract(self, &[], Some(psk.expose())))
            }
            None => {
                let bytes = SecretBytes::copied(Constants::of(self.hash()).early_secret);
                Ok(Secret::of_bytes(self, bytes))
            }
        };
        Ok(EarlySecret { secret: secret?, has_psk: psk.is_some() })
    }
}

impl EarlySecret {
    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.secret.connection
    }

    /// Derives the key that binds ClientHello to the pre-shared key (`SslExpandBinderKey`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when there is no pre-shared key; errors of the backend.
    pub fn binder_key(&self, kind: PskKind) -> Result<BinderKey, Error> {
        self.check_psk()?;
        with_stack_wiped::<_, STACK_LEN>(|| {
            self.secret.derive_from_nothing(kind.binder_label()).map(BinderKey)
        })
    }

    /// Derives client_early_traffic_secret (`SslExpandTrafficKeys`), over ClientHello.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when there is no pre-shared key, and for a transcript hash of
    /// another suite; errors of the backend.
    pub fn traffic_secret(&self, client_hello: &HandshakeHash) -> Result<TrafficSecret, Error> {
        self.check_psk()?;
        traffic_secret(&self.secret, Side::Client, TrafficPhase::Early, client_hello)
    }

    /// Derives early_exporter_master_secret (`SslExpandExporterMasterKey`), over ClientHello.
    ///
    /// # Errors
    ///
    /// Those of [`traffic_secret`](Self::traffic_secret).
    pub fn exporter_secret(&self, client_hello: &HandshakeHash) -> Result<ExporterSecret, Error> {
        self.check_psk()?;
        with_stack_wiped::<_, STACK_LEN>(|| {
            let secret = self.secret.derive_from(b"e exp master", client_hello)?;
            Ok(ExporterSecret { secret, is_early: true })
        })
    }

    /// Computes the Handshake Secret by key agreement, with or without a pre-shared key
    /// (`SslExtractHandshakeKey`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a key of another backend, [`Error::InvalidParameter`] for a
    /// group that is not one of TLS 1.3 and for a public key of another group,
    /// [`Error::BadKeyShare`] for a public key that must be refused; errors of the backend.
    pub fn handshake_secret(
        &self,
        key: EphemeralKey,
        peer: &PeerPublicKey,
    ) -> Result<HandshakeSecret, Error> {
        self.check_agreement(&key, peer)?;
        let has_secret = key.has_secret();
        let work = || {
            let shared = key.agree(peer)?;
            self.next(&shared)
        };
        // Of a group with key encapsulation the library uses much stack, but a server has been
        // there before.
        if has_secret {
            with_stack_wiped::<_, STACK_LEN>(work)
        } else {
            peer.group().with_stack_wiped(work)
        }
    }

    /// Checks what [`handshake_secret`](Self::handshake_secret) checks before it uses the key up:
    /// for a program that wants to keep the key when it has made a mistake.
    ///
    /// # Errors
    ///
    /// Those of `handshake_secret` but for the backend's, and [`Error::BadKeyShare`] only for a
    /// share of a hybrid group whose length is that of the other side.
    pub fn check_agreement(&self, key: &EphemeralKey, peer: &PeerPublicKey) -> Result<(), Error> {
        key.check_peer_in_tls13(self.parameters().backend(), peer)
    }

    /// Computes the Handshake Secret from the pre-shared key alone, without forward secrecy
    /// (psk_ke, RFC 8446 section 4.2.9).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when there is no pre-shared key, so that anybody would know the
    /// secret; errors of the backend.
    pub fn handshake_secret_of_psk(&self) -> Result<HandshakeSecret, Error> {
        self.check_psk()?;
        with_stack_wiped::<_, STACK_LEN>(|| self.secret.next(None).map(HandshakeSecret))
    }

    /// The next secret in the chain. The caller wipes the stack.
    pub(super) fn next(&self, shared: &[u8]) -> Result<HandshakeSecret, Error> {
        let secret = match self.has_psk {
            true => self.secret.next(Some(shared)),
            false => {
                let connection = self.parameters();
                let salt = Constants::of(connection.hash()).derived;
                Secret::extract(connection, salt, Some(shared))
            }
        };
        secret.map(HandshakeSecret)
    }

    fn check_psk(&self) -> Result<(), Error> {
        if self.has_psk { Ok(()) } else { Err(NO_PSK) }
    }
}

impl HandshakeSecret {
    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.0.connection
    }

    /// Derives the handshake traffic secret of `writer` (`SslExpandTrafficKeys`), over the messages
    /// up to ServerHello.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a transcript hash of another suite; errors of the backend.
    pub fn traffic_secret(
        &self,
        writer: Side,
        transcript: &HandshakeHash,
    ) -> Result<TrafficSecret, Error> {
        traffic_secret(&self.0, writer, TrafficPhase::Handshake, transcript)
    }

    /// Computes the Master Secret (`SslExtractMasterKey`).
    ///
    /// # Errors
    ///
    /// Errors of the backend.
    pub fn master_secret(&self) -> Result<MasterSecret, Error> {
        with_stack_wiped::<_, STACK_LEN>(|| self.0.next(None).map(MasterSecret))
    }
}

impl MasterSecret {
    /// Returns the connection.
    pub fn parameters(&self) -> &Tls13Parameters {
        &self.0.connection
    }

    /// Derives the first application traffic secret of `writer` (`SslExpandTrafficKeys`), over the
    /// messages up to the server's Finished.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a transcript hash of another suite; errors of the backend.
    pub fn traffic_secret(
        &self,
        writer: Side,
        transcript: &HandshakeHash,
    ) -> Result<TrafficSecret, Error> {
        traffic_secret(&self.0, writer, TrafficPhase::Application, transcript)
    }

    /// Derives exporter_master_secret (`SslExpandExporterMasterKey`), over the messages up to the
    /// server's Finished.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a transcript hash of another suite; errors of the backend.
    pub fn exporter_secret(&self, transcript: &HandshakeHash) -> Result<ExporterSecret, Error> {
        with_stack_wiped::<_, STACK_LEN>(|| {
            let secret = self.0.derive_from(b"exp master", transcript)?;
            Ok(ExporterSecret { secret, is_early: false })
        })
    }

    /// Derives resumption_master_secret (`SslExpandResumptionMasterKey`), over the messages up to
    /// the client's Finished.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a transcript hash of another suite; errors of the backend.
    pub fn resumption_secret(&self, transcript: &HandshakeHash) -> Result<ResumptionSecret, Error> {
        with_stack_wiped::<_, STACK_LEN>(|| {
            self.0.derive_from(b"res master", transcript).map(ResumptionSecret)
        })
    }
}

/// Derives the traffic secret of `writer` for a phase from the secret of that phase.
fn traffic_secret(
    base: &Secret,
    writer: Side,
    phase: TrafficPhase,
    transcript: &HandshakeHash,
) -> Result<TrafficSecret, Error> {
    let label: &[u8] = match (phase, writer) {
        (TrafficPhase::Early, Side::Client) => b"c e traffic",
        (TrafficPhase::Early, Side::Server) => return Err(NO_EARLY_DATA),
        (TrafficPhase::Handshake, Side::Client) => b"c hs traffic",
        (TrafficPhase::Handshake, Side::Server) => b"s hs traffic",
        (TrafficPhase::Application, Side::Client) => b"c ap traffic",
        (TrafficPhase::Application, Side::Server) => b"s ap traffic",
    };
    with_stack_wiped::<_, STACK_LEN>(|| {
        let secret = base.derive_from(label, transcript)?;
        Ok(TrafficSecret::new(secret, writer, phase))
    })
}

const NO_PSK: Error = Error::InvalidParameter("early secret: expected one of a pre-shared key");
const NO_EARLY_DATA: Error = Error::Internal("servers send no early data");

crate::redacted_debug! {
    EarlySecret { has_psk, .. }
    HandshakeSecret { .. }
    MasterSecret { .. }
}
