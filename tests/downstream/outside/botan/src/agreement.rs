//! Key agreement of Botan, on every curve of the interface and in finite fields.

use botan::{MPI, Privkey};
use ssl_provider::backend::{AgreementKey, BAD_AGREEMENT_KEY, BAD_OUTPUT_LEN, KeyAgreement};
use ssl_provider::{DhParameters, Error, NamedCurve, Operation};
use zeroize::Zeroizing;

use crate::{Botan, failure, is_in_range, number, random};

impl KeyAgreement for Botan {
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        let name = name(curve).ok_or(Error::Unsupported(Operation::Ecdh(curve)))?;
        let mut random = random()?;
        let key = match curve.is_montgomery() {
            true => Privkey::create("Curve25519", "", &mut random),
            false => Privkey::create("ECDH", name, &mut random),
        };
        Key::boxed(key.map_err(failure)?)
    }

    fn load_ecdh(
        &self,
        curve: NamedCurve,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        let name = name(curve).ok_or(Error::Unsupported(Operation::EcdhLoad(curve)))?;
        if private_key.len() != curve.coordinate_len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        if curve.is_montgomery() {
            return Key::boxed(Privkey::load_x25519(private_key).map_err(|_| BAD_AGREEMENT_KEY)?);
        }
        let number = number(private_key)?;
        // It refuses 0.
        let key = Privkey::load_ecdh(&number, name).map_err(|_| BAD_AGREEMENT_KEY)?;
        if !is_in_range(&key, &number).map_err(failure)? {
            return Err(BAD_AGREEMENT_KEY);
        }
        Key::boxed(key)
    }

    fn generate_dh(&self, group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        let mut private_key = MPI::new().map_err(failure)?;
        private_key.randomize(&mut random()?, group.private_key_bits()).map_err(failure)?;
        in_field(group, &private_key)
    }

    fn load_dh(
        &self,
        group: &DhParameters,
        private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        if private_key.len() > group.prime().len() {
            return Err(BAD_AGREEMENT_KEY);
        }
        in_field(group, &number(private_key)?)
    }
}

fn in_field(group: &DhParameters, private_key: &MPI) -> Result<Box<dyn AgreementKey>, Error> {
    let (prime, generator) = (number(group.prime())?, number(group.generator())?);
    Key::boxed(Privkey::load_dh(&prime, &generator, private_key).map_err(failure)?)
}

/// What Botan calls a curve.
pub(crate) fn name(curve: NamedCurve) -> Option<&'static str> {
    Some(match curve {
        NamedCurve::X25519 => "x25519",
        NamedCurve::Secp256r1 => "secp256r1",
        NamedCurve::Secp384r1 => "secp384r1",
        NamedCurve::Secp521r1 => "secp521r1",
        NamedCurve::Secp256k1 => "secp256k1",
        NamedCurve::BrainpoolP256r1 => "brainpool256r1",
        NamedCurve::BrainpoolP384r1 => "brainpool384r1",
        NamedCurve::BrainpoolP512r1 => "brainpool512r1",
        _ => return None,
    })
}

/// A private key of any group. Botan wipes it when it is freed.
#[derive(Debug)]
struct Key {
    key: Privkey,
    public_key: Vec<u8>,
}

impl Key {
    fn boxed(key: Privkey) -> Result<Box<dyn AgreementKey>, Error> {
        let public_key = key.key_agreement_key().map_err(failure)?;
        Ok(Box::new(Self { key, public_key }))
    }
}

impl AgreementKey for Key {
    fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error> {
        // It fails for a point that is not on the curve, and for a number that is out of range.
        let shared = self.key.agree(peer, 0, &[], "Raw").map_err(|_| Error::BadKeyShare)?;
        let shared = Zeroizing::new(shared);
        if shared.len() != secret.len() {
            return Err(BAD_OUTPUT_LEN);
        }
        secret.copy_from_slice(&shared);
        Ok(())
    }
}
