//! Record ciphers of Botan. A cipher of it has a state, and so is under a lock.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use botan::{Cipher, CipherDirection, ErrorType};
use ssl_provider::backend::{
    AeadCipher, BAD_BLOCKS, BAD_KEY_LEN, BAD_TAG_LEN, CbcCipher, NONCE_LEN, RC4_KEY_LEN,
    RecordCiphers, StreamCipher,
};
use ssl_provider::{AeadAlgorithm, CbcAlgorithm, Error, Operation};
use zeroize::Zeroizing;

use crate::{Botan, failure};

impl RecordCiphers for Botan {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        let mut cipher = keyed("RC4", CipherDirection::Encrypt, key, RC4_KEY_LEN)?;
        cipher.start(&[]).map_err(failure)?;
        let step = cipher.update_granularity().max(1);
        Ok(Box::new(Stream { cipher, step, left: Zeroizing::default() }))
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        let name = cbc_name(cipher).ok_or(Error::Unsupported(Operation::Cbc(cipher)))?;
        let (directions, block_len) =
            (Directions::new(name, key, cipher.key_len())?, cipher.block_len());
        Ok(Box::new(Cbc { directions, block_len }))
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        let name = aead_name(cipher).ok_or(Error::Unsupported(Operation::Aead(cipher)))?;
        let directions = Directions::new(name, key, cipher.key_len())?;
        Ok(Box::new(Aead { directions, tag_len: cipher.tag_len() }))
    }
}

/// What Botan calls a block cipher in CBC mode.
pub(crate) fn cbc_name(cipher: CbcAlgorithm) -> Option<&'static str> {
    Some(match cipher {
        CbcAlgorithm::Des => "DES/CBC/NoPadding",
        CbcAlgorithm::TripleDes => "3DES/CBC/NoPadding",
        CbcAlgorithm::Aes128 => "AES-128/CBC/NoPadding",
        CbcAlgorithm::Aes256 => "AES-256/CBC/NoPadding",
        CbcAlgorithm::Camellia128 => "Camellia-128/CBC/NoPadding",
        CbcAlgorithm::Camellia256 => "Camellia-256/CBC/NoPadding",
        _ => return None,
    })
}

/// What Botan calls an AEAD cipher. CCM has the length of the tag and that of the length field,
/// which a nonce of 12 bytes leaves 3 bytes for (RFC 3610 section 2.1).
pub(crate) fn aead_name(cipher: AeadAlgorithm) -> Option<&'static str> {
    Some(match cipher {
        AeadAlgorithm::Aes128Gcm => "AES-128/GCM",
        AeadAlgorithm::Aes256Gcm => "AES-256/GCM",
        AeadAlgorithm::Aes128Ccm => "AES-128/CCM(16,3)",
        AeadAlgorithm::Aes256Ccm => "AES-256/CCM(16,3)",
        AeadAlgorithm::Aes128Ccm8 => "AES-128/CCM(8,3)",
        AeadAlgorithm::Aes256Ccm8 => "AES-256/CCM(8,3)",
        AeadAlgorithm::ChaCha20Poly1305 => "ChaCha20Poly1305",
        _ => return None,
    })
}

/// A cipher with its key.
fn keyed(
    name: &str,
    direction: CipherDirection,
    key: &[u8],
    key_len: usize,
) -> Result<Cipher, Error> {
    if key.len() != key_len {
        return Err(BAD_KEY_LEN);
    }
    let mut cipher = Cipher::new(name, direction).map_err(failure)?;
    cipher.set_key(key).map_err(failure)?;
    Ok(cipher)
}

/// A cipher with its key, once for each direction. Botan wipes what it frees.
#[derive(Debug)]
struct Directions {
    encrypt: Mutex<Cipher>,
    decrypt: Mutex<Cipher>,
}

impl Directions {
    fn new(name: &str, key: &[u8], key_len: usize) -> Result<Self, Error> {
        let of = |direction| keyed(name, direction, key, key_len).map(Mutex::new);
        let (encrypt, decrypt) = (of(CipherDirection::Encrypt)?, of(CipherDirection::Decrypt)?);
        Ok(Self { encrypt, decrypt })
    }
}

fn locked(cipher: &Mutex<Cipher>) -> MutexGuard<'_, Cipher> {
    cipher.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Cbc {
    directions: Directions,
    block_len: usize,
}

impl Cbc {
    fn apply(&self, cipher: &Mutex<Cipher>, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        if iv.len() != self.block_len || !blocks.len().is_multiple_of(self.block_len) {
            return Err(BAD_BLOCKS);
        }
        if blocks.is_empty() {
            return Ok(());
        }
        let result = locked(cipher).process(iv, blocks).map(Zeroizing::new).map_err(failure)?;
        copy(&result, blocks)
    }
}

impl CbcCipher for Cbc {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.apply(&self.directions.encrypt, iv, blocks)
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.apply(&self.directions.decrypt, iv, blocks)
    }
}

#[derive(Debug)]
struct Aead {
    directions: Directions,
    tag_len: usize,
}

impl AeadCipher for Aead {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        if tag.len() != self.tag_len {
            return Err(BAD_TAG_LEN);
        }
        let sealed = process(&self.directions.encrypt, nonce, aad, text).map_err(failure)?;
        let (sealed, computed) = sealed.split_at_checked(text.len()).ok_or(BAD_RESULT)?;
        copy(computed, tag)?;
        copy(sealed, text)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        if tag.len() != self.tag_len {
            return Err(BAD_TAG_LEN);
        }
        let sealed = [text, tag].concat();
        let opened = process(&self.directions.decrypt, nonce, aad, &sealed);
        let opened = opened.map_err(|error| match error.error_type() {
            ErrorType::BadAuthCode => Error::BadRecord,
            _ => failure(error),
        })?;
        copy(&opened, text)
    }
}

/// Encrypts or decrypts one record. A nonce is set after what is authenticated.
fn process(
    cipher: &Mutex<Cipher>,
    nonce: &[u8],
    aad: &[u8],
    text: &[u8],
) -> Result<Zeroizing<Vec<u8>>, botan::Error> {
    let mut cipher = locked(cipher);
    cipher.set_associated_data(aad)?;
    cipher.process(nonce, text).map(Zeroizing::new)
}

/// RC4. Botan processes whole steps, so that what is left of one is kept for the next call.
struct Stream {
    cipher: Cipher,
    step: usize,
    left: Zeroizing<Vec<u8>>,
}

impl StreamCipher for Stream {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let missing = bytes.len().saturating_sub(self.left.len()).next_multiple_of(self.step);
        if missing > 0 {
            let more = self.cipher.update(&vec![0; missing]).map_err(failure)?;
            let more = Zeroizing::new(more);
            self.left = Zeroizing::new([&self.left[..], &more].concat());
        }
        let rest = self.left.get(bytes.len()..).ok_or(BAD_RESULT)?;
        let rest = Zeroizing::new(rest.to_vec());
        bytes.iter_mut().zip(self.left.iter()).for_each(|(byte, key)| *byte ^= key);
        self.left = rest;
        Ok(())
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

fn copy(from: &[u8], to: &mut [u8]) -> Result<(), Error> {
    if from.len() != to.len() {
        return Err(BAD_RESULT);
    }
    to.copy_from_slice(from);
    Ok(())
}

const BAD_RESULT: Error = Error::Internal("Botan returned another length than that of the record");
