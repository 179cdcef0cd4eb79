//! Verification of signatures with a fault.

use num_bigint::BigUint;
use ssl_provider_core::backend::{SignatureKey, Signatures};
use ssl_provider_core::{
    Curve, Error, NamedCurve, PublicKeyDer, PublicKeyParts, SignatureAlgorithm, SignatureScheme,
    SigningKeyDer,
};

use super::Fault;
use super::backend::FaultyBackend;
use super::encoded_numbers::{ecdsa_numbers, padded};
use crate::curve;
use crate::reference::hash;
use crate::signature::encoded;

impl Signatures for FaultyBackend {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let sound = self.inner.signatures().verify(key, scheme, digest, signature);
        match (self.defect.fault, sound) {
            (Some(fault), Ok(()) | Err(Error::BadSignature | Error::InvalidParameter(_))) => {
                let question = Question { backend: self, key, scheme, digest, signature };
                let faulty = question.verify_wrongly(fault, sound);
                self.defect.settle(&sound, faulty)
            }
            _ => sound,
        }
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        self.load_signing_key(key)
    }
}

/// What is asked of a verification.
struct Question<'a> {
    backend: &'a FaultyBackend,
    key: &'a PublicKeyDer<'a>,
    scheme: SignatureScheme,
    digest: &'a [u8],
    signature: &'a [u8],
}

impl Question<'_> {
    /// The result of a faulty library, where that of a sound one is known.
    fn verify_wrongly(&self, fault: Fault, sound: Result<(), Error>) -> Result<(), Error> {
        let Self { scheme, digest, signature, .. } = *self;
        let is_bad = sound == Err(Error::BadSignature);
        match (fault, scheme.algorithm()) {
            (Fault::SignatureIsNotChecked, _) if is_bad => Ok(()),
            (Fault::SignatureMayBeTooLong, SignatureAlgorithm::Ecdsa) if is_bad => {
                match signature {
                    [shorter @ .., _] => self.verify(scheme, digest, shorter),
                    [] => sound,
                }
            }
            (Fault::BadSignaturesHaveAnErrorOfTheirOwn, _) if is_bad => {
                Err(self.backend.defect.failure())
            }
            (Fault::BadPublicKeysAreBadSignatures, _) if !is_bad && sound.is_err() => {
                Err(Error::BadSignature)
            }
            (Fault::DigestInfoIsOptional, SignatureAlgorithm::RsaPkcs1) if is_bad => {
                self.verify(SignatureScheme::RsaWithoutDigestInfo, digest, signature)
            }
            (Fault::PaddingMayBeShort, SignatureAlgorithm::RsaPkcs1) if is_bad => {
                accept(self.has_digest_behind_padding())
            }
            (Fault::PssMayBePkcs1, SignatureAlgorithm::RsaPss) if is_bad => {
                let is_pkcs1 = |other: &SignatureScheme| {
                    other.algorithm() == SignatureAlgorithm::RsaPkcs1
                        && other.hashes() == scheme.hashes()
                };
                let pkcs1 = SignatureScheme::ALL.into_iter().find(is_pkcs1);
                pkcs1.map_or(sound, |pkcs1| self.verify(pkcs1, digest, signature))
            }
            (Fault::PssSaltHasAnyLength, SignatureAlgorithm::RsaPss) if is_bad => {
                accept(self.is_pss_with_any_salt())
            }
            (Fault::EcdsaTakesZeros, SignatureAlgorithm::Ecdsa) if is_bad => {
                accept(ecdsa_numbers(signature) == Some([BigUint::ZERO, BigUint::ZERO]))
            }
            (Fault::EcdsaReducesItsNumbers, SignatureAlgorithm::Ecdsa) if is_bad => {
                self.verify_rewritten(|number, order| number % order)
            }
            (Fault::EcdsaDerIsLax, SignatureAlgorithm::Ecdsa) if is_bad => {
                self.verify_rewritten(|number, _| number)
            }
            (
                Fault::EcdsaTakesTheDigestsEnd | Fault::EcdsaPadsTheDigestsEnd,
                SignatureAlgorithm::Ecdsa,
            ) => {
                let PublicKeyParts::Ec { curve, .. } = self.key.parts() else { return sound };
                let other = match fault {
                    Fault::EcdsaTakesTheDigestsEnd => digests_end(curve, digest),
                    _ => digest_with_padding(curve, digest),
                };
                other.map_or(sound, |(scheme, digest)| self.verify(scheme, &digest, signature))
            }
            _ => sound,
        }
    }

    /// Asks the sound library something else.
    fn verify(
        &self,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.backend.inner.signatures().verify(self.key, scheme, digest, signature)
    }

    /// Verifies a signature of ECDSA whose numbers are changed and written anew.
    fn verify_rewritten(&self, change: impl Fn(BigUint, &BigUint) -> BigUint) -> Result<(), Error> {
        let PublicKeyParts::Ec { curve, .. } = self.key.parts() else {
            return Err(Error::BadSignature);
        };
        let rewritten = || {
            let order = curve::Curve::new(NamedCurve::from(curve))?.order;
            let numbers = ecdsa_numbers(self.signature)?;
            let [r, s] = numbers.map(|number| change(number, &order));
            let len = curve.coordinate_len();
            let fixed = [padded(&r, len)?, padded(&s, len)?].concat();
            self.key.ecdsa_signature_to_der(&fixed)
        };
        match rewritten() {
            Some(signature) => self.verify(self.scheme, self.digest, &signature),
            None => Err(Error::BadSignature),
        }
    }

    /// The block of an RSA signature, and the bits of its modulus; none if it is out of range.
    fn block(&self) -> Option<(Vec<u8>, usize)> {
        let PublicKeyParts::Rsa { modulus, exponent } = self.key.parts() else { return None };
        let [n, e] = [modulus, exponent].map(BigUint::from_bytes_be);
        let number = BigUint::from_bytes_be(self.signature);
        if self.signature.len() != modulus.len() || number >= n {
            return None;
        }
        let block = padded(&number.modpow(&e, &n), modulus.len())?;
        Some((block, self.key.modulus_bits()?))
    }

    /// Whether the block of PKCS#1 v1.5 begins with enough padding and the digest, as in
    /// Bleichenbacher's attack of 2006 on keys with exponent 3.
    fn has_digest_behind_padding(&self) -> bool {
        let Some((block, _)) = self.block() else { return false };
        let sound = encoded(self.scheme, self.digest, self.digest.len() + 80);
        let content = content_behind_padding(&sound);
        content.is_some_and(|content| {
            content_behind_padding(&block).is_some_and(|found| found.starts_with(content))
        })
    }

    /// Whether the block is one of RSASSA-PSS (RFC 8017 section 9.1.2) with a salt of any length.
    fn is_pss_with_any_salt(&self) -> bool {
        let (Some((block, bits)), [algorithm]) = (self.block(), self.scheme.hashes()) else {
            return false;
        };
        let (bits, hash_len) = (bits - 1, algorithm.output_len());
        let (above, block) = block.split_at(block.len() - bits.div_ceil(8));
        let Some((masked, rest)) = block.split_at_checked(block.len().saturating_sub(hash_len + 1))
        else {
            return false;
        };
        let [hashed @ .., 0xbc] = rest else { return false };
        let unused = !(0xff_u8 >> (8 * block.len() - bits));
        if above.iter().any(|byte| *byte != 0) || masked.first().is_none_or(|b| b & unused != 0) {
            return false;
        }
        let mask = (0_u32..).flat_map(|n| hash(*algorithm, &[hashed, &n.to_be_bytes()]));
        let mut data: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        data[0] &= !unused;
        let zeros = data.iter().take_while(|byte| **byte == 0).count();
        let [0x01, salt @ ..] = &data[zeros..] else { return false };
        hash(*algorithm, &[&[0; 8], self.digest, salt]) == hashed
    }
}

fn accept(good: bool) -> Result<(), Error> {
    if good { Ok(()) } else { Err(Error::BadSignature) }
}

/// What follows 00 01, at least eight ff, and 00.
fn content_behind_padding(block: &[u8]) -> Option<&[u8]> {
    let [0, 1, rest @ ..] = block else { return None };
    let padding = rest.iter().take_while(|byte| **byte == 0xff).count();
    match &rest[padding..] {
        [0, content @ ..] if padding >= 8 => Some(content),
        _ => None,
    }
}

/// The end of a digest that is longer than the order, with a scheme that takes so much; none for
/// other digests.
pub(super) fn digests_end(curve: Curve, digest: &[u8]) -> Option<(SignatureScheme, Vec<u8>)> {
    let start = digest.len().checked_sub(curve.coordinate_len()).filter(|start| *start > 0)?;
    Some((scheme_of(curve), digest[start..].to_vec()))
}

/// A digest that is shorter than the order with zeros behind it, with a scheme that takes so much;
/// none for other digests.
fn digest_with_padding(curve: Curve, digest: &[u8]) -> Option<(SignatureScheme, Vec<u8>)> {
    let scheme = scheme_of(curve);
    let len = scheme.digest_len().filter(|len| *len > digest.len())?;
    let mut digest = digest.to_vec();
    digest.resize(len, 0);
    Some((scheme, digest))
}

/// The scheme whose digest is as long as the order of the curve, or nearly.
fn scheme_of(curve: Curve) -> SignatureScheme {
    match curve {
        Curve::P256 => SignatureScheme::EcdsaSha256,
        Curve::P384 => SignatureScheme::EcdsaSha384,
        _ => SignatureScheme::EcdsaSha512,
    }
}
