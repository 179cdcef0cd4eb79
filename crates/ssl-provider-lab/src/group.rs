//! Groups of ephemeral keys by name: curves, the finite fields of RFC 7919, and the groups of TLS
//! 1.3 that join a curve with key encapsulation.

use ssl_provider::{DhParameters, FfdheGroup, Group, HybridGroup, NamedCurve, Operation, Provider};
use ssl_provider_wire::KeyExchangeParameters;

/// A group of ephemeral keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NamedGroup {
    /// A curve, of ECDHE.
    Curve(NamedCurve),
    /// A finite field, of DHE.
    FiniteField(FfdheGroup),
    /// A curve with key encapsulation, of TLS 1.3.
    Hybrid(HybridGroup),
}

impl NamedGroup {
    /// Returns every group.
    pub fn all() -> impl Iterator<Item = Self> {
        let curves = NamedCurve::ALL.into_iter().map(Self::Curve);
        let finite_fields = FfdheGroup::ALL.into_iter().map(Self::FiniteField);
        curves.chain(finite_fields).chain(HybridGroup::ALL.into_iter().map(Self::Hybrid))
    }

    /// Returns the number on the wire.
    pub const fn wire(self) -> u16 {
        match self {
            Self::Curve(curve) => curve.wire(),
            Self::FiniteField(group) => group.wire(),
            Self::Hybrid(group) => group.wire(),
        }
    }

    /// Returns the group with a name that the group of a key agreement is; none for numbers that a
    /// server chose itself.
    pub fn of(group: &Group) -> Option<Self> {
        match group {
            Group::Curve(curve) => Some(Self::Curve(*curve)),
            Group::Hybrid(group) => Some(Self::Hybrid(*group)),
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
            Self::Hybrid(group) => group.name(),
        }
    }

    /// Returns the group with this number.
    pub(crate) fn from_wire(number: u16) -> Option<Self> {
        Self::all().find(|group| group.wire() == number)
    }

    /// Returns whether the backend has the group.
    pub(crate) fn is_supported(self, provider: &Provider) -> bool {
        let supports = |operation| provider.backend().support(operation).is_supported();
        match self {
            Self::Curve(curve) => supports(Operation::Ecdh(curve)),
            Self::FiniteField(_) => supports(Operation::Dh),
            Self::Hybrid(group) => {
                supports(Operation::Ecdh(group.curve())) && supports(Operation::Kem(group.kem()))
            }
        }
    }

    /// Returns whether TLS 1.3 has the group (RFC 8446 section 4.2.7).
    pub(crate) const fn is_of_tls13(self) -> bool {
        match self {
            Self::Curve(curve) => curve.is_of_tls13(),
            Self::FiniteField(_) | Self::Hybrid(_) => true,
        }
    }

    /// Returns whether the prime of a finite field is as long as the policy asks; other groups have
    /// none.
    pub(crate) fn is_allowed(self, provider: &Provider) -> bool {
        match self {
            Self::FiniteField(group) => group.bits() >= provider.policy().min_modulus_bits,
            Self::Curve(_) | Self::Hybrid(_) => true,
        }
    }

    /// Returns the bits of a coordinate or of the prime; of a hybrid group those of the curve.
    pub(crate) fn bits(self) -> usize {
        match self {
            Self::Curve(curve) => usize::try_from(curve.bits()).unwrap_or_default(),
            Self::FiniteField(group) => group.bits(),
            Self::Hybrid(group) => usize::try_from(group.curve().bits()).unwrap_or_default(),
        }
    }

    /// Returns whether a public key in TLS 1.3 has the length that it must have there: of a finite
    /// field that of the prime (RFC 8446 section 4.2.8.1). Of other groups it is checked elsewhere.
    pub(crate) fn has_share_len(self, public_key: &[u8]) -> bool {
        match self {
            Self::FiniteField(group) => public_key.len() == group.bits() / 8,
            Self::Curve(_) | Self::Hybrid(_) => true,
        }
    }

    /// Returns the group for a provider.
    pub(crate) fn group(self) -> Group {
        match self {
            Self::Curve(curve) => curve.into(),
            Self::FiniteField(group) => DhParameters::named(group).into(),
            Self::Hybrid(group) => group.into(),
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
