//! Record ciphers of OpenSSL but RC4: CBC and AEAD, each set up once for its key.
//! They run in contexts that each record changes, and so under a lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;
use zeroize::Zeroizing;

#[cfg(not(openssl_without_rc4))]
use ssl_provider_core::backend::StreamCipher;
use ssl_provider_core::backend::{
    AeadCipher, BAD_BLOCKS, BAD_KEY_LEN, BAD_TAG_LEN, CbcCipher, NONCE_LEN, RecordCiphers,
};
use ssl_provider_core::{AeadAlgorithm, CbcAlgorithm, Error, Operation};

#[cfg(not(openssl_without_rc4))]
use crate::rc4::Rc4;
use crate::{OpenSsl, failure};

impl RecordCiphers for OpenSsl {
    #[cfg(not(openssl_without_rc4))]
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        Ok(Rc4::new(key)?)
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        let found =
            cbc_name(cipher).and_then(fetch).ok_or(Error::Unsupported(Operation::Cbc(cipher)))?;
        check_key(key, cipher.key_len())?;
        let tripled;
        let key = match cipher {
            // OpenSSL 3 keeps DES alone in a module that many systems do not install.
            CbcAlgorithm::Des => {
                tripled = Zeroizing::new(key.repeat(3));
                &tripled
            }
            _ => key,
        };
        Ok(Box::new(Cbc::new(&found, cipher.block_len(), key).map_err(failure)?))
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        let found =
            aead_name(cipher).and_then(fetch).ok_or(Error::Unsupported(Operation::Aead(cipher)))?;
        check_key(key, cipher.key_len())?;
        Ok(Box::new(Aead::new(&found, cipher, key).map_err(failure)?))
    }
}

/// Whether the OpenSSL at hand was built with the cipher that an operation takes.
pub(crate) fn is_built_in(operation: Operation) -> bool {
    match operation {
        Operation::Rc4 => cfg!(not(openssl_without_rc4)),
        Operation::Cbc(cipher) => cbc_name(cipher).and_then(fetch).is_some(),
        Operation::Aead(aead) => aead_name(aead).and_then(fetch).is_some(),
        _ => true,
    }
}

/// Looks a cipher up, among those of the default module.
fn fetch(name: &str) -> Option<Cipher> {
    // Nothing of OpenSSL runs before this. What sets itself up without being told takes itself down
    // in an exit handler, below calls of other threads and of handlers that were there before.
    openssl::init();
    Cipher::fetch(None, name, None).ok()
}

fn cbc_name(cipher: CbcAlgorithm) -> Option<&'static str> {
    Some(match cipher {
        CbcAlgorithm::Des | CbcAlgorithm::TripleDes => "DES-EDE3-CBC",
        CbcAlgorithm::Aes128 => "AES-128-CBC",
        CbcAlgorithm::Aes256 => "AES-256-CBC",
        CbcAlgorithm::Camellia128 => "CAMELLIA-128-CBC",
        CbcAlgorithm::Camellia256 => "CAMELLIA-256-CBC",
        _ => return None,
    })
}

fn aead_name(aead: AeadAlgorithm) -> Option<&'static str> {
    Some(match aead {
        AeadAlgorithm::Aes128Gcm => "AES-128-GCM",
        AeadAlgorithm::Aes256Gcm => "AES-256-GCM",
        AeadAlgorithm::Aes128Ccm | AeadAlgorithm::Aes128Ccm8 => "AES-128-CCM",
        AeadAlgorithm::Aes256Ccm | AeadAlgorithm::Aes256Ccm8 => "AES-256-CCM",
        AeadAlgorithm::ChaCha20Poly1305 => "ChaCha20-Poly1305",
        _ => return None,
    })
}

/// A block cipher in CBC mode: a context for each direction. OpenSSL wipes what it frees.
struct Cbc {
    encrypt: Mutex<CipherCtx>,
    decrypt: Mutex<CipherCtx>,
    block_len: usize,
}

impl Cbc {
    fn new(cipher: &Cipher, block_len: usize, key: &[u8]) -> Result<Self, ErrorStack> {
        let (mut encrypt, mut decrypt) = (CipherCtx::new()?, CipherCtx::new()?);
        encrypt.encrypt_init(Some(cipher), Some(key), None)?;
        encrypt.set_padding(false);
        decrypt.decrypt_init(Some(cipher), Some(key), None)?;
        decrypt.set_padding(false);
        Ok(Self { encrypt: Mutex::new(encrypt), decrypt: Mutex::new(decrypt), block_len })
    }

    fn check(&self, iv: &[u8], blocks: &[u8]) -> Result<(), Error> {
        if iv.len() != self.block_len || !blocks.len().is_multiple_of(self.block_len) {
            return Err(BAD_BLOCKS);
        }
        Ok(())
    }
}

impl CbcCipher for Cbc {
    fn encrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.check(iv, blocks)?;
        let mut context = lock(&self.encrypt);
        context.encrypt_init(None, None, Some(iv)).map_err(failure)?;
        apply(&mut context, self.block_len, blocks)
    }

    fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Result<(), Error> {
        self.check(iv, blocks)?;
        let mut context = lock(&self.decrypt);
        context.decrypt_init(None, None, Some(iv)).map_err(failure)?;
        apply(&mut context, self.block_len, blocks)
    }
}

/// Runs a context over whole blocks in place. Its update wants room for a block more than it reads,
/// so the last block goes through a buffer.
fn apply(context: &mut CipherCtx, block_len: usize, blocks: &mut [u8]) -> Result<(), Error> {
    let Some(head_len) = blocks.len().checked_sub(block_len) else { return Ok(()) };
    context.cipher_update_inplace(blocks, head_len).map_err(failure)?;
    let last = &mut blocks[head_len..];
    let mut room = Zeroizing::new([0; 2 * MAX_BLOCK_LEN]);
    context.cipher_update(last, Some(room.as_mut())).map_err(failure)?;
    last.copy_from_slice(&room[..block_len]);
    Ok(())
}

/// An authenticated cipher: a context for each direction, since CCM decides by it when it takes the
/// key. OpenSSL wipes what it frees.
struct Aead {
    seal: Mutex<CipherCtx>,
    open: Mutex<CipherCtx>,
    tag_len: usize,
    is_ccm: bool,
}

impl Aead {
    fn new(cipher: &Cipher, aead: AeadAlgorithm, key: &[u8]) -> Result<Self, ErrorStack> {
        let is_ccm = !matches!(
            aead,
            AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm | AeadAlgorithm::ChaCha20Poly1305
        );
        let tag_len = aead.tag_len();
        let (mut seal, mut open) = (CipherCtx::new()?, CipherCtx::new()?);
        seal.encrypt_init(Some(cipher), None, None)?;
        open.decrypt_init(Some(cipher), None, None)?;
        for context in [&mut seal, &mut open] {
            context.set_iv_length(NONCE_LEN)?;
            if is_ccm {
                context.set_tag_length(tag_len)?;
            }
        }
        seal.encrypt_init(None, Some(key), None)?;
        open.decrypt_init(None, Some(key), None)?;
        Ok(Self { seal: Mutex::new(seal), open: Mutex::new(open), tag_len, is_ccm })
    }

    fn check(&self, tag: &[u8]) -> Result<(), Error> {
        if tag.len() == self.tag_len { Ok(()) } else { Err(BAD_TAG_LEN) }
    }

    /// Feeds a whole record. With a wrong tag, this fails.
    fn feed(&self, context: &mut CipherCtx, aad: &[u8], text: &mut [u8]) -> Result<(), ErrorStack> {
        let len = text.len();
        if self.is_ccm {
            context.set_data_len(len)?;
        }
        context.cipher_update(aad, None)?;
        context.cipher_update_inplace(text, len)?;
        context.cipher_final(&mut [])?;
        Ok(())
    }
}

impl AeadCipher for Aead {
    fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Error> {
        self.check(tag)?;
        let mut context = lock(&self.seal);
        context.encrypt_init(None, None, Some(nonce)).map_err(failure)?;
        self.feed(&mut context, aad, text).map_err(failure)?;
        context.tag(tag).map_err(failure)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        self.check(tag)?;
        let mut context = lock(&self.open);
        context.decrypt_init(None, None, Some(nonce)).map_err(failure)?;
        context.set_tag(tag).map_err(failure)?;
        self.feed(&mut context, aad, text).map_err(|_| Error::BadRecord)
    }
}

ssl_provider_core::redacted_debug! { Cbc { .. } Aead { .. } }

/// Takes the lock. What a panic left in a context does not matter: each record starts it anew.
fn lock(context: &Mutex<CipherCtx>) -> MutexGuard<'_, CipherCtx> {
    context.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_key(key: &[u8], len: usize) -> Result<(), Error> {
    if key.len() == len { Ok(()) } else { Err(BAD_KEY_LEN) }
}

/// Length in bytes of the longest block.
const MAX_BLOCK_LEN: usize = 16;
