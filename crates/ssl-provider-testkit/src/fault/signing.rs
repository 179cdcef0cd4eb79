//! Private keys that sign with a fault.

use std::fmt;

use num_bigint::BigUint;
use ssl_provider_core::backend::SignatureKey;
use ssl_provider_core::{Curve, Error, SignatureAlgorithm, SignatureScheme, SigningKeyDer};

use super::Fault;
use super::backend::FaultyBackend;
use super::defect::{Defect, flip};
use super::encoded_numbers::{ecdsa_numbers, padded};
use super::verification::digests_end;
use crate::bytes::to_hex;
use crate::cases::signing::EcKey;
use crate::rsa_key::TestKey;
use crate::signature::{Pss, sign_block};

impl FaultyBackend {
    pub(super) fn load_signing_key(
        &self,
        key: &SigningKeyDer<'_>,
    ) -> Result<Box<dyn SignatureKey>, Error> {
        let takes_any = self.defect.is(Fault::SigningKeysOutOfRangeAreTaken);
        let inner = match (self.inner.signatures().load(key), key) {
            (Err(Error::Key(_)), SigningKeyDer::Ec(key)) if takes_any => {
                let other = EcKey::new(key.curve(), &BigUint::from(7_u8));
                let other = SigningKeyDer::from_der(&other.der)?;
                self.defect.count_if(true);
                self.inner.signatures().load(&other)?
            }
            (loaded, _) => loaded?,
        };
        if self.defect.fault.is_none() {
            return Ok(inner);
        }
        let number = match key {
            SigningKeyDer::Rsa(key) => {
                Number::Rsa(TestKey::from_der("key of a faulty backend", key.pkcs1()))
            }
            SigningKeyDer::Ec(key) => Number::Ec(key.curve(), key.number().to_vec()),
            _ => return Ok(inner),
        };
        Ok(Box::new(FaultySigningKey { inner, number, defect: self.defect.clone() }))
    }
}

/// The private key itself.
enum Number {
    Rsa(TestKey),
    Ec(Curve, Vec<u8>),
}

/// A key that signs with a fault.
struct FaultySigningKey {
    inner: Box<dyn SignatureKey>,
    number: Number,
    defect: Defect,
}

impl fmt::Debug for FaultySigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("FaultySigningKey");
        if self.defect.is(Fault::DebugShowsTheSigningKey) {
            self.defect.count_if(true);
            let number = match &self.number {
                Number::Rsa(key) => key.private_exponent(),
                Number::Ec(_, number) => number.clone(),
            };
            shown.field("number", &to_hex(&number));
        }
        shown.finish_non_exhaustive()
    }
}

impl SignatureKey for FaultySigningKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        let sound = self.inner.sign(scheme, digest)?;
        let faulty = match (self.defect.fault, scheme.algorithm(), &self.number) {
            (Some(Fault::SigningIsOneBitOff), _, _) => {
                let mut signature = sound.clone();
                flip(&mut signature);
                signature
            }
            (Some(Fault::SigningLeavesOutDigestInfo), _, _)
                if scheme == SignatureScheme::RsaSha256 =>
            {
                self.inner.sign(SignatureScheme::RsaWithoutDigestInfo, digest)?
            }
            (
                Some(Fault::SigningLeavesOutTheSalt),
                SignatureAlgorithm::RsaPss,
                Number::Rsa(key),
            ) => {
                let pss = Pss { salt: Vec::new(), ..Pss::new(scheme.hashes()[0]) };
                pss_signature(&pss, digest, key)?
            }
            (Some(Fault::SigningRepeatsTheSalt), SignatureAlgorithm::RsaPss, Number::Rsa(key)) => {
                pss_signature(&Pss::new(scheme.hashes()[0]), digest, key)?
            }
            (
                Some(Fault::SigningTakesTheDigestsEnd),
                SignatureAlgorithm::Ecdsa,
                Number::Ec(curve, _),
            ) => match digests_end(*curve, digest) {
                Some((scheme, digest)) => self.inner.sign(scheme, &digest)?,
                None => return Ok(sound),
            },
            (Some(Fault::SigningLeavesOutDer), SignatureAlgorithm::Ecdsa, Number::Ec(curve, _)) => {
                fixed(&sound, curve.coordinate_len()).ok_or(BAD_NUMBERS)?
            }
            _ => return Ok(sound),
        };
        Ok(self.defect.settle(&sound, faulty))
    }
}

const BAD_NUMBERS: Error = Error::Internal("the sound library made no ECDSA signature");

fn pss_signature(pss: &Pss, digest: &[u8], key: &TestKey) -> Result<Vec<u8>, Error> {
    let block = pss.encode(digest, key);
    let block = block.ok_or(Error::Internal("the key is too short for RSASSA-PSS"))?;
    Ok(sign_block(key, &block))
}

/// An ECDSA signature as r ‖ s, the form of CNG.
fn fixed(signature: &[u8], len: usize) -> Option<Vec<u8>> {
    let [r, s] = ecdsa_numbers(signature)?;
    Some([padded(&r, len)?, padded(&s, len)?].concat())
}
