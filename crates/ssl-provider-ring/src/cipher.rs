//! AES-GCM of ring, the one cipher that it shares with the records of RSA suites.
//! ring has no CBC, no CCM and no RC4; the composition asks RustCrypto for them.

use std::fmt;

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, Tag, UnboundKey};

use ssl_provider_core::backend::{AeadCipher, BAD_KEY_LEN, BAD_TAG_LEN, NONCE_LEN, RecordCiphers};
use ssl_provider_core::{AeadAlgorithm, Error, Operation};

use crate::{NAME, Ring};

impl RecordCiphers for Ring {
    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        aead(cipher, key)
    }
}

/// An AEAD cipher with its key.
pub(crate) fn aead(cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
    let algorithm = match cipher {
        AeadAlgorithm::Aes128Gcm => &AES_128_GCM,
        AeadAlgorithm::Aes256Gcm => &AES_256_GCM,
        _ => return Err(Error::Unsupported(Operation::Aead(cipher))),
    };
    let key = UnboundKey::new(algorithm, key).map_err(|_| BAD_KEY_LEN)?;
    Ok(Box::new(Gcm(LessSafeKey::new(key))))
}

/// AES-GCM with its key, which ring has no way to wipe; SECURITY.md says so.
struct Gcm(LessSafeKey);

impl AeadCipher for Gcm {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if tag.len() != self.0.algorithm().tag_len() {
            return Err(BAD_TAG_LEN);
        }
        let nonce = Nonce::assume_unique_for_key(*nonce);
        // Fails for texts longer than the mode allows only; ring has no error numbers.
        let sealed = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), text)
            .map_err(|_| Error::Backend { backend: NAME, code: 0 })?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(())
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let tag = Tag::try_from(tag).map_err(|_| BAD_TAG_LEN)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0
            .open_in_place_separate_tag(nonce, Aad::from(aad), tag, text, 0..)
            .map_err(|_| Error::BadRecord)?;
        Ok(())
    }
}

impl fmt::Debug for Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gcm({:?})", self.0.algorithm())
    }
}
