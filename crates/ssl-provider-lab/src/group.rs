//! Groups of ephemeral keys by name: curves, and the finite fields of RFC 7919.

use ssl_provider::{DhParameters, FfdheGroup, Group, NamedCurve};
use ssl_provider_wire::KeyExchangeParameters;

/// A group of ephemeral keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedGroup {
    /// A curve, of ECDHE.
    Curve(NamedCurve),
    /// A finite field, of DHE.
    FiniteField(FfdheGroup),
}

impl NamedGroup {
    /// Returns the name in the IANA registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Curve(curve) => curve.name(),
            Self::FiniteField(group) => group.name(),
        }
    }

    /// Returns the group for a provider.
    pub(crate) fn group(self) -> Group {
        match self {
            Self::Curve(curve) => curve.into(),
            Self::FiniteField(group) => DhParameters::named(group).into(),
        }
    }
}

/// Writes the parameters of a key exchange, which are signed, with a public key of the group.
pub(crate) fn put_parameters(out: &mut Vec<u8>, group: &Group, public_key: &[u8]) {
    match group {
        Group::Curve(curve) => {
            KeyExchangeParameters::Curve { curve: curve.wire(), public_key }.put(out);
        }
        Group::FiniteField(parameters) => {
            let (prime, generator) = (parameters.prime(), parameters.generator());
            KeyExchangeParameters::FiniteField { prime, generator, public_key }.put(out);
        }
        _ => {}
    }
}
