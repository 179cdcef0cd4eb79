//! AES-GCM and ChaCha20-Poly1305 of ring.
//! ring has no CBC, no CCM and no RC4; the composition asks RustCrypto for them.

use std::fmt;

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag,
    UnboundKey,
};

use ssl_provider_core::backend::{AeadCipher, BAD_KEY_LEN, BAD_TAG_LEN, NONCE_LEN, RecordCiphers};
use ssl_provider_core::{AeadAlgorithm, Error, Operation};

use crate::{NAME, Ring};

impl RecordCiphers for Ring {
    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        let algorithm = algorithm(cipher).ok_or(Error::Unsupported(Operation::Aead(cipher)))?;
        let key = UnboundKey::new(algorithm, key).map_err(|_| BAD_KEY_LEN)?;
        Ok(Box::new(Aead(LessSafeKey::new(key))))
    }
}

/// Returns ring's name of a cipher, if it has it.
pub(crate) fn algorithm(cipher: AeadAlgorithm) -> Option<&'static Algorithm> {
    match cipher {
        AeadAlgorithm::Aes128Gcm => Some(&AES_128_GCM),
        AeadAlgorithm::Aes256Gcm => Some(&AES_256_GCM),
        AeadAlgorithm::ChaCha20Poly1305 => Some(&CHACHA20_POLY1305),
        _ => None,
    }
}

/// An AEAD cipher with its key, which ring has no way to wipe; SECURITY.md says so.
struct Aead(LessSafeKey);

impl AeadCipher for Aead {
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

impl fmt::Debug for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aead({:?})", self.0.algorithm())
    }
}
