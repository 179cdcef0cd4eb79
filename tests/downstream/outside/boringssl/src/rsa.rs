//! The raw RSA operations of BoringSSL. It blinds the private one and checks its result.

use std::fmt;

use boring::bn::BigNum;
use boring::pkey::Private;
use boring::rsa::{Padding, Rsa};
use ssl_provider::backend::{
    BAD_BLOCK_LEN, BAD_PUBLIC_KEY, RsaDecryption, RsaEncryption, RsaPrivateKey, trial_decryption,
};
use ssl_provider::{Error, InvalidKey, PublicKeyDer, PublicKeyParts, RsaPrivateKeyDer};

use crate::{BoringSsl, failure};

impl RsaDecryption for BoringSsl {
    fn load(&self, der: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        Ok(Box::new(Key::load(der)?))
    }
}

impl RsaEncryption for BoringSsl {
    fn encrypt_raw(
        &self,
        key: &PublicKeyDer<'_>,
        em: &[u8],
        ciphertext: &mut [u8],
    ) -> Result<(), Error> {
        let PublicKeyParts::Rsa { modulus, exponent } = key.parts() else {
            return Err(BAD_PUBLIC_KEY);
        };
        if em.len() != modulus.len() || ciphertext.len() != modulus.len() {
            return Err(BAD_BLOCK_LEN);
        }
        let n = BigNum::from_slice(modulus).map_err(failure)?;
        let e = BigNum::from_slice(exponent).map_err(failure)?;
        let key = Rsa::from_public_components(n, e).map_err(|_| BAD_PUBLIC_KEY)?;
        let written = key.public_encrypt(em, ciphertext, Padding::NONE).map_err(failure)?;
        if written == ciphertext.len() { Ok(()) } else { Err(BAD_BLOCK_LEN) }
    }
}

/// A private key. BoringSSL wipes it when it is freed.
pub(crate) struct Key(pub(crate) Rsa<Private>);

impl Key {
    /// Loads a key. BoringSSL checks that its parts belong together, not that factors are prime.
    pub(crate) fn load(der: &RsaPrivateKeyDer<'_>) -> Result<Self, Error> {
        let key = Self(Rsa::private_key_from_der(der.pkcs1()).map_err(|_| INCONSISTENT)?);
        trial_decryption(&key)?;
        Ok(key)
    }
}

impl RsaPrivateKey for Key {
    fn modulus_len(&self) -> usize {
        // A C unsigned int, at least 32 bits on every system that BoringSSL runs on.
        self.0.size() as usize
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        let len = self.modulus_len();
        if ciphertext.len() != len || em.len() != len {
            return Err(BAD_BLOCK_LEN);
        }
        let written = self.0.private_decrypt(ciphertext, em, Padding::NONE).map_err(failure)?;
        if written == len { Ok(()) } else { Err(BAD_BLOCK_LEN) }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("modulus_len", &self.modulus_len()).finish_non_exhaustive()
    }
}

const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);
