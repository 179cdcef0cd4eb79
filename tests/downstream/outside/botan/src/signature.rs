//! Signatures of Botan over digests: RSA PKCS#1 v1.5 and PSS, and ECDSA, whose nonces are derived
//! from key and digest (RFC 6979).

use std::sync::{Mutex, PoisonError};

use botan::{Privkey, Pubkey, Signer, Verifier};
use ssl_provider::backend::{BAD_PUBLIC_KEY, SignatureKey, Signatures};
use ssl_provider::{
    Error, InvalidKey, Operation, PublicKeyDer, PublicKeyParts, SignatureAlgorithm,
    SignatureScheme, SigningKeyDer,
};

use crate::{Botan, agreement, failure, hash, is_in_range, number, random, rsa};

impl Signatures for Botan {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let padding = padding(scheme).map_err(|_| Error::Unsupported(Operation::Verify(scheme)))?;
        let loaded = Pubkey::load_der(key.der()).map_err(|_| BAD_PUBLIC_KEY)?;
        let verifier = match key.parts() {
            PublicKeyParts::Rsa { modulus, .. } => {
                // Botan takes a shorter one for the number that it is.
                if signature.len() != modulus.len() {
                    return Err(Error::BadSignature);
                }
                Verifier::new(&loaded, padding)
            }
            _ => Verifier::new_with_der_formatted_signatures(&loaded, padding),
        };
        let mut verifier = verifier.map_err(failure)?;
        verifier.update(digest).map_err(failure)?;
        // It has an error of its own for a signature that is not well formed.
        match verifier.finish(signature) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::BadSignature),
        }
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        let (key, is_rsa) = match key {
            SigningKeyDer::Rsa(der) => (rsa::load(der)?, true),
            SigningKeyDer::Ec(der) => {
                let name = agreement::name(der.curve().into());
                let name = name.ok_or(Error::Key(InvalidKey::Curve))?;
                let number = number(der.number())?;
                let key = Privkey::load_ecdsa(&number, name).map_err(|_| rsa::INCONSISTENT)?;
                if !is_in_range(&key, &number).map_err(failure)? {
                    return Err(rsa::INCONSISTENT);
                }
                (key, false)
            }
            _ => return Err(Error::Key(InvalidKey::NotRsaOrEc)),
        };
        Ok(Box::new(Key { key: Mutex::new(key), is_rsa }))
    }
}

/// A key that signs. Botan wipes it when it is freed, and checks the results of RSA.
#[derive(Debug)]
struct Key {
    key: Mutex<Privkey>,
    is_rsa: bool,
}

impl SignatureKey for Key {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        if scheme.is_rsa() != self.is_rsa {
            return Err(Error::Unsupported(Operation::Sign(scheme)));
        }
        let padding = padding(scheme)?;
        let key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let signer = match self.is_rsa {
            true => Signer::new(&key, padding),
            false => Signer::new_with_der_formatted_signatures(&key, padding),
        };
        let mut signer = signer.map_err(failure)?;
        signer.update(digest).map_err(failure)?;
        signer.finish(&mut random()?).map_err(failure)
    }
}

/// What Botan calls a scheme, over digests.
fn padding(scheme: SignatureScheme) -> Result<String, Error> {
    let unsupported = Error::Unsupported(Operation::Sign(scheme));
    let name = match scheme.hashes() {
        [hash] => Some((hash::name(*hash).map_err(|_| unsupported)?, hash.output_len())),
        _ => None,
    };
    Ok(match (scheme.algorithm(), name) {
        (SignatureAlgorithm::RsaPkcs1, None) => "EMSA3(Raw)".to_owned(),
        (SignatureAlgorithm::RsaPkcs1, Some((name, _))) => format!("EMSA3(Raw,{name})"),
        (SignatureAlgorithm::RsaPss, Some((name, len))) => {
            format!("PSSR_Raw({name},MGF1,{len})")
        }
        // The digest is cut to the length of the order.
        (SignatureAlgorithm::Ecdsa, _) => "Raw".to_owned(),
        _ => return Err(Error::Unsupported(Operation::Sign(scheme))),
    })
}
