//! Groups of key agreement with private keys that a test knows; the peer's part by plain numbers.

use num_bigint::BigUint;
use ssl_provider_core::backend::AgreementKey;
use ssl_provider_core::{
    Backend, CipherSuite, DhParameters, FfdheGroup, Group, NamedCurve, Operation,
};

use crate::bytes::Rng;
use crate::curve;

/// The groups of a backend.
pub fn of(backend: &Backend) -> Vec<Group> {
    let is_supported = |operation| backend.support(operation).is_supported();
    let curves = NamedCurve::ALL.into_iter().filter(|curve| is_supported(Operation::Ecdh(*curve)));
    let mut groups: Vec<Group> = curves.map(Group::from).collect();
    if is_supported(Operation::Dh) {
        groups.push(DhParameters::named(FfdheGroup::Ffdhe2048).into());
    }
    groups
}

/// A private key in the range of the group.
pub fn private_key(group: &Group, rng: &mut Rng) -> Vec<u8> {
    let Group::Curve(curve) = group else { return rng.bytes(28) };
    let mut number = rng.bytes(curve.coordinate_len());
    number[0] = if *curve == NamedCurve::Secp521r1 { 0 } else { 0x5a };
    number
}

/// The suite of a group.
pub fn suite(group: &Group) -> CipherSuite {
    match group {
        Group::FiniteField(_) => CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
        _ => CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    }
}

/// A private key of the library, if it takes any.
pub fn load(backend: &Backend, group: &Group, number: &[u8]) -> Option<Box<dyn AgreementKey>> {
    let agreement = backend.key_agreement();
    match group {
        Group::Curve(curve) => agreement.load_ecdh(*curve, number).ok(),
        Group::FiniteField(field) => agreement.load_dh(field, number).ok(),
        _ => None,
    }
}

/// The public key of a peer with this private key, and the secret that it shares with another.
pub fn peer(group: &Group, number: &[u8], public_key: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let value = BigUint::from_bytes_be(number);
    match group {
        Group::Curve(NamedCurve::X25519) => {
            let number = number.try_into().unwrap();
            let mut base = [0; 32];
            base[0] = 9;
            let secret = curve::x25519(number, public_key.try_into().unwrap());
            (curve::x25519(number, &base).to_vec(), secret.to_vec())
        }
        Group::Curve(named) => {
            let curve = curve::Curve::new(*named).unwrap();
            (curve.public_key(&value), curve.agree(&value, public_key))
        }
        Group::FiniteField(field) => {
            let power = |base: &[u8]| {
                let prime = BigUint::from_bytes_be(field.prime());
                let power = BigUint::from_bytes_be(base).modpow(&value, &prime).to_bytes_be();
                [vec![0; field.prime().len() - power.len()], power].concat()
            };
            (power(field.generator()), power(public_key))
        }
        _ => unreachable!("a group of `groups`"),
    }
}

/// How many leading zeros of an agreed secret TLS up to 1.2 strips: those of a finite field
/// (RFC 5246 section 8.1.2).
pub fn stripped_zeros(group: &Group, secret: &[u8]) -> usize {
    match group {
        Group::FiniteField(_) => secret.iter().take_while(|byte| **byte == 0).count(),
        _ => 0,
    }
}
