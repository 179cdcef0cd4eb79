//! What both sides of TLS 1.3 share: keys after the handshake, and pre-shared keys.
//! The server's choice is in `negotiation.rs`; the handshakes are with those of older versions.

pub(crate) mod negotiation;
pub(crate) mod psk;

use ssl_provider::tls13::TrafficSecret;
use ssl_provider::{Error, FfdheGroup, HybridGroup, NamedCurve, RecordKey, RecordOptions};
use ssl_provider_wire::{ContentType, KeyUpdate};

use crate::alert::internal_error;
use crate::group::NamedGroup;
use crate::record_layer::RecordLayer;

/// Groups of TLS 1.3 in the order of preference (RFC 8446 section 4.2.7): those that hold against a
/// quantum computer come first.
pub const TLS13_GROUPS: [NamedGroup; 10] = [
    NamedGroup::Hybrid(HybridGroup::X25519MlKem768),
    NamedGroup::Hybrid(HybridGroup::Secp256r1MlKem768),
    NamedGroup::Hybrid(HybridGroup::Secp384r1MlKem1024),
    NamedGroup::Curve(NamedCurve::X25519),
    NamedGroup::Curve(NamedCurve::Secp256r1),
    NamedGroup::Curve(NamedCurve::Secp384r1),
    NamedGroup::Curve(NamedCurve::Secp521r1),
    NamedGroup::FiniteField(FfdheGroup::Ffdhe2048),
    NamedGroup::FiniteField(FfdheGroup::Ffdhe3072),
    NamedGroup::FiniteField(FfdheGroup::Ffdhe4096),
];

/// Returns the key of the records under a traffic secret.
pub(crate) fn record_key(secret: &TrafficSecret) -> Result<RecordKey, Error> {
    secret.record_key(RecordOptions::default())
}

/// The secrets of both directions after the handshake, which KeyUpdate replaces (RFC 8446 section
/// 4.6.3).
#[derive(Debug)]
pub(crate) struct Secrets {
    pub(crate) read: TrafficSecret,
    pub(crate) write: TrafficSecret,
}

impl Secrets {
    /// Replaces the key that records are read with.
    pub(crate) fn update_read(&mut self, records: &mut RecordLayer) -> Result<(), Error> {
        self.read = self.read.updated()?;
        records.read_with(record_key(&self.read)?);
        Ok(())
    }

    /// Sends a KeyUpdate, and replaces the key that records are written with.
    pub(crate) fn update_write(
        &mut self,
        records: &mut RecordLayer,
        update_requested: bool,
    ) -> Result<(), ssl_provider_wire::Alert> {
        let mut message = Vec::new();
        KeyUpdate { update_requested }.put(&mut message);
        records.write(ContentType::Handshake, &message)?;
        self.write = self.write.updated().map_err(internal_error)?;
        let suite = self.write.parameters().suite();
        records.write_with(record_key(&self.write).map_err(internal_error)?, suite);
        Ok(())
    }
}
