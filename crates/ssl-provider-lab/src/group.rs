//! Groups of ephemeral keys by name: curves, and the finite fields of RFC 7919.

use ssl_provider::{DhParameters, FfdheGroup, Group, NamedCurve, Operation};
use ssl_provider_wire::KeyExchangeParameters;

/// A group of ephemeral keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamedGroup {
    /// A curve, of ECDHE.
    Curve(NamedCurve),
    /// A finite field, of DHE.
    FiniteField(FfdheGroup),
}

impl NamedGroup {
    /// Returns every group.
    pub fn all() -> impl Iterator<Item = Self> {
        let curves = NamedCurve::ALL.into_iter().map(Self::Curve);
        curves.chain(FfdheGroup::ALL.into_iter().map(Self::FiniteField))
    }

    /// Returns the number on the wire.
    pub const fn wire(self) -> u16 {
        match self {
            Self::Curve(curve) => curve.wire(),
            Self::FiniteField(group) => group.wire(),
        }
    }

    /// Returns the group with a name that the group of a key agreement is; none for numbers that a
    /// server chose itself.
    pub fn of(group: &Group) -> Option<Self> {
        match group {
            Group::Curve(curve) => Some(Self::Curve(*curve)),
            Group::FiniteField(parameters) => FfdheGroup::ALL
                .into_iter()
                .find(|named| DhParameters::named(*named) == *parameters)
                .map(Self::FiniteField),
            _ => None,
        }
    }

    /// Returns the name in the IANA registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Curve(curve) => curve.name(),
            Self::FiniteField(group) => group.name(),
        }
    }

    /// Returns the operation that a backend needs for the group.
    pub(crate) const fn operation(self) -> Operation {
        match self {
            Self::Curve(curve) => Operation::Ecdh(curve),
            Self::FiniteField(_) => Operation::Dh,
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
