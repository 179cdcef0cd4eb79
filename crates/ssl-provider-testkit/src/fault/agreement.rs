//! Key agreement with a fault.

use std::fmt;

use num_bigint::BigUint;
use ssl_provider_core::backend::{AgreementKey, KeyAgreement};
use ssl_provider_core::{DhParameters, Error, FfdheGroup, NamedCurve};

use super::Fault;
use super::backend::FaultyBackend;
use super::defect::{Defect, drop_leading_zeros, flip};
use crate::bytes::to_hex;
use crate::curve::{Curve, x25519_prime, x25519_unclamped};

impl FaultyBackend {
    /// A key of a sound library; `number` is the private key where it is known.
    fn agreement_key(
        &self,
        inner: Box<dyn AgreementKey>,
        curve: Option<NamedCurve>,
        number: Option<&[u8]>,
    ) -> Box<dyn AgreementKey> {
        let Some(fault) = self.defect.fault else { return inner };
        let number = number.map(<[u8]>::to_vec);
        let sound = inner.public_key();
        let public_key = match fault {
            Fault::PublicKeysAreCompressed if curve.is_some_and(|curve| !curve.is_montgomery()) => {
                compressed(sound)
            }
            Fault::PublicKeysOfFieldsAreShort if curve.is_none() => {
                sound.iter().copied().skip_while(|byte| *byte == 0).collect()
            }
            Fault::X25519DoesNotClamp if curve == Some(NamedCurve::X25519) => {
                let scalar = number.as_deref().and_then(|number| number.try_into().ok());
                scalar.map_or(sound.to_vec(), |scalar| x25519_unclamped(scalar, &BASE).to_vec())
            }
            _ => sound.to_vec(),
        };
        let defect = self.defect.clone();
        Box::new(FaultyAgreement { inner, curve, number, public_key, defect })
    }
}

impl KeyAgreement for FaultyBackend {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        let inner = self.inner.key_agreement().generate_ecdh(curve)?;
        if self.defect.is(Fault::AgreementRepeatsItsKeys) {
            let same = vec![1; curve.coordinate_len()];
            if let Ok(key) = self.inner.key_agreement().load_ecdh(curve, &same) {
                self.defect.count_if(true);
                return Ok(key);
            }
        }
        Ok(self.agreement_key(inner, Some(curve), None))
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        let agreement = self.inner.key_agreement();
        let is_short = private_key.len() + 1 == curve.coordinate_len();
        let inner = match (agreement.load_ecdh(curve, private_key), self.defect.fault) {
            (Err(Error::InvalidParameter(_)), Some(Fault::PrivateKeysOutOfRangeAreTaken)) => {
                self.defect.count_if(true);
                agreement.generate_ecdh(curve)?
            }
            (Err(Error::InvalidParameter(_)), Some(Fault::ShortPrivateKeysAreTaken))
                if is_short =>
            {
                let key = agreement.load_ecdh(curve, &[&[0], private_key].concat())?;
                self.defect.count_if(true);
                key
            }
            (loaded, _) => loaded?,
        };
        Ok(self.agreement_key(inner, Some(curve), Some(private_key)))
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        let inner = self.inner.key_agreement().generate_dh(group)?;
        self.check_field(group)?;
        if self.defect.is(Fault::AgreementRepeatsItsKeys) {
            self.defect.count_if(true);
            return self.inner.key_agreement().load_dh(group, &[1; 28]);
        }
        Ok(self.agreement_key(inner, None, None))
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        let inner = self.inner.key_agreement().load_dh(group, private_key)?;
        self.check_field(group)?;
        Ok(self.agreement_key(inner, None, Some(private_key)))
    }
}

impl FaultyBackend {
    /// Refuses a field that a faulty library does not know.
    fn check_field(&self, group: &DhParameters) -> Result<(), Error> {
        let is_named = || FfdheGroup::ALL.into_iter().any(|named| named.prime() == group.prime());
        if self.defect.is(Fault::FieldsWithoutANameAreRefused) && !is_named() {
            self.defect.count_if(true);
            return Err(self.defect.failure());
        }
        Ok(())
    }
}

/// The base point of X25519 (RFC 7748 section 4.1).
const BASE: [u8; 32] = {
    let mut base = [0; 32];
    base[0] = 9;
    base
};

/// A key of agreement with a fault.
struct FaultyAgreement {
    inner: Box<dyn AgreementKey>,
    /// The curve; none in a finite field.
    curve: Option<NamedCurve>,
    number: Option<Vec<u8>>,
    public_key: Vec<u8>,
    defect: Defect,
}

impl fmt::Debug for FaultyAgreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FaultyAgreement");
        if let (true, Some(number)) =
            (self.defect.is(Fault::DebugShowsTheAgreementKey), &self.number)
        {
            self.defect.count_if(true);
            shown.field("private_key", &to_hex(number));
        }
        shown.finish_non_exhaustive()
    }
}

impl AgreementKey for FaultyAgreement {
    fn public_key(&self) -> &[u8] {
        self.defect.count_if(self.public_key != self.inner.public_key());
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        let Self { inner, curve, number, defect, .. } = *self;
        match (defect.fault, curve) {
            (Some(Fault::X25519DoesNotClamp), Some(NamedCurve::X25519)) => {
                let own = number.as_deref().and_then(|number| number.try_into().ok());
                let (Some(own), Ok(other)) = (own, peer.try_into()) else {
                    return inner.agree(peer, secret);
                };
                let faulty = |out: &mut [u8]| {
                    out.copy_from_slice(&x25519_unclamped(own, other));
                    Ok(())
                };
                return defect.replace(secret, |out| inner.agree(peer, out), faulty);
            }
            (Some(Fault::X25519KeepsTheHighBit), Some(NamedCurve::X25519)) => {
                // Another number is another point, so the secret is another one too.
                let other = with_high_bit(peer);
                defect.count_if(other != peer);
                return inner.agree(&other, secret);
            }
            (Some(Fault::PointsAreReduced), Some(curve))
                if peer.len() == curve.public_key_len() =>
            {
                let Some(arithmetic) = Curve::new(curve) else { return inner.agree(peer, secret) };
                let reduced = arithmetic.reduced(peer);
                let agreed = inner.agree(&reduced, secret);
                // A sound library refuses what had to be reduced.
                defect.count_if(reduced != peer && agreed != Err(Error::BadKeyShare));
                return agreed;
            }
            _ => {}
        }
        let is_point = curve.is_some_and(|curve| !curve.is_montgomery());
        match (inner.agree(peer, secret), defect.fault) {
            (Err(Error::BadKeyShare), Some(Fault::PointsAreNotChecked)) if is_point => {
                defect.count_if(true);
                secret.fill(7);
            }
            (Err(Error::BadKeyShare), Some(Fault::BadPointsHaveAnErrorOfTheirOwn)) if is_point => {
                defect.count_if(true);
                return Err(defect.failure());
            }
            (agreed, _) => agreed?,
        }
        match (defect.fault, curve) {
            (Some(Fault::AgreementIsOneBitOff), _)
            | (Some(Fault::AgreementOfP384IsOff), Some(NamedCurve::Secp384r1)) => {
                defect.alter(secret, flip);
            }
            (Some(Fault::AgreementOfP521IsShort), Some(NamedCurve::Secp521r1)) => {
                defect.alter(secret, |secret| {
                    secret.rotate_left(2);
                    secret[64..].fill(0);
                });
            }
            (Some(Fault::AgreementDropsZerosOfFields), None)
            | (Some(Fault::AgreementDropsZerosOfCurves), Some(_)) => {
                defect.alter(secret, drop_leading_zeros);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The compressed form of an uncompressed point (SEC 1 section 2.3.3).
fn compressed(point: &[u8]) -> Vec<u8> {
    let (x, y) = point[1..].split_at(point.len() / 2);
    let is_odd = y.last().is_some_and(|last| last & 1 == 1);
    [&[2 + u8::from(is_odd)], x].concat()
}

/// A public key of X25519 that a library understands as RFC 7748 has it, of the number that all 256
/// bits make.
fn with_high_bit(public_key: &[u8]) -> Vec<u8> {
    let has_high_bit = public_key.last().is_some_and(|last| last & 0x80 != 0);
    if !has_high_bit {
        return public_key.to_vec();
    }
    let number = BigUint::from_bytes_le(public_key) % x25519_prime();
    let mut bytes = number.to_bytes_le();
    bytes.resize(public_key.len(), 0);
    bytes
}
