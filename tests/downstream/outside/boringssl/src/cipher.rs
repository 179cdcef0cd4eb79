//! Record ciphers of BoringSSL. Its crate has no cipher whose IV can be set anew, so each record in
//! CBC mode makes one of the key.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use boring::aead::{AeadCtx, Algorithm};
use boring::symm::{Cipher, Crypter, Mode};
use ssl_provider::backend::{
    AeadCipher, BAD_BLOCKS, BAD_KEY_LEN, BAD_TAG_LEN, CbcCipher, NONCE_LEN, RC4_KEY_LEN,
    RecordCiphers, StreamCipher,
};
use ssl_provider::{AeadAlgorithm, CbcAlgorithm, Error, Operation};
use zeroize::Zeroizing;

use crate::{BoringSsl, failure};

impl RecordCiphers for BoringSsl {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        if key.len() != RC4_KEY_LEN {
            return Err(BAD_KEY_LEN);
        }
        let crypter = Crypter::new(Cipher::rc4(), Mode::Encrypt, key, None).map_err(failure)?;
        Ok(Box::new(Rc4(crypter)))
    }

    fn cbc(&self, algorithm: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        let cipher = cbc(algorithm).ok_or(Error::Unsupported(Operation::Cbc(algorithm)))?;
        if key.len() != algorithm.key_len() {
            return Err(BAD_KEY_LEN);
        }
        Ok(Box::new(Cbc {
            cipher,
            key: Zeroizing::new(key.to_vec()),
            block_len: algorithm.block_len(),
        }))
    }

    fn aead(&self, algorithm: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        let aead = aead(algorithm).ok_or(Error::Unsupported(Operation::Aead(algorithm)))?;
        if key.len() != algorithm.key_len() {
            return Err(BAD_KEY_LEN);
        }
        let context = AeadCtx::new_default_tag(&aead, key).map_err(failure)?;
        Ok(Box::new(Aead { context: Mutex::new(context), tag_len: algorithm.tag_len() }))
    }
}

/// What BoringSSL calls a block cipher in CBC mode; it has no Camellia.
pub(crate) fn cbc(algorithm: CbcAlgorithm) -> Option<Cipher> {
    Some(match algorithm {
        CbcAlgorithm::Des => Cipher::des_cbc(),
        CbcAlgorithm::TripleDes => Cipher::des_ede3_cbc(),
        CbcAlgorithm::Aes128 => Cipher::aes_128_cbc(),
        CbcAlgorithm::Aes256 => Cipher::aes_256_cbc(),
        _ => return None,
    })
}

/// What BoringSSL calls an AEAD cipher; it has CCM with nonces of 13 bytes only.
pub(crate) fn aead(algorithm: AeadAlgorithm) -> Option<Algorithm> {
    Some(match algorithm {
        AeadAlgorithm::Aes128Gcm => Algorithm::aes_128_gcm(),
        AeadAlgorithm::Aes256Gcm => Algorithm::aes_256_gcm(),
        AeadAlgorithm::ChaCha20Poly1305 => Algorithm::chacha20_poly1305(),
        _ => return None,
    })
}

/// RC4 with its state.
struct Rc4(Crypter);

impl StreamCipher for Rc4 {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut out = Zeroizing::new(vec![0; bytes.len()]);
        let written = self.0.update(bytes, &mut out).map_err(failure)?;
        copy(&out[..written], bytes)
    }
}

struct Cbc {
    cipher: Cipher,
    key: Zeroizing<Vec<u8>>,
    block_len: usize,
}

impl Cbc {
    fn apply(&self, mode: Mode, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        if iv.len() != self.block_len || !blocks.len().is_multiple_of(self.block_len) {
            return Err(BAD_BLOCKS);
        }
        // The crate asks for room for one block more.
        let mut out = Zeroizing::new(vec![0; blocks.len() + self.block_len]);
        let mut run = || {
            let mut crypter = Crypter::new(self.cipher, mode, &self.key, Some(iv))?;
            crypter.pad(false);
            crypter.update(blocks, &mut out)
        };
        let written = run().map_err(failure)?;
        copy(&out[..written], blocks)
    }
}

impl CbcCipher for Cbc {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.apply(Mode::Encrypt, iv, blocks)
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.apply(Mode::Decrypt, iv, blocks)
    }
}

/// An AEAD cipher with its key. The crate wants it to be unshared, for the sake of those of its
/// ciphers that have a state.
struct Aead {
    context: Mutex<AeadCtx>,
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
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        context.seal_in_place_mut(nonce, text, tag, aad).map_err(failure)?;
        Ok(())
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
        let mut context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        // With lengths that are right, nothing but the tag can be wrong.
        context.open_in_place_mut(nonce, text, tag, aad).map_err(|_| Error::BadRecord)
    }
}

macro_rules! named_debug {
    ($($name:ident)+) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        })+
    };
}

named_debug! { Rc4 Cbc Aead }

fn copy(from: &[u8], to: &mut [u8]) -> Result<(), Error> {
    if from.len() != to.len() {
        return Err(Error::Internal("BoringSSL returned another length than that of the record"));
    }
    to.copy_from_slice(from);
    Ok(())
}
