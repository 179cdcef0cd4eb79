//! The ciphers of records, from the crates that have them, behind three shapes of function.
//! None stands for a cipher that no crate offers.

use aes::{Aes128, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::AeadInOut;
use aria::{Aria128, Aria256};
use camellia::{Camellia128, Camellia256};
use ccm::Ccm;
use cipher::consts::{U8, U12, U16};
use cipher::{Array, Block, BlockCipherDecrypt, KeyInit, StreamCipher};
use cipher_04::{BlockDecrypt as _, KeyInit as _};
use des::{Des, TdesEde3};
use idea::Idea;
use kisaseed::SEED;
use rc2::Rc2;
use rc4::Rc4;
use ssl_provider::cipher_suite::{CipherAlgorithm, CipherMode};

/// Decrypts whole blocks in place: key, initialisation vector, blocks. None for a key or vector of
/// another length.
pub(super) type CbcDecrypt = fn(&[u8], &[u8], &mut [u8]) -> Option<()>;

/// Opens a sealed text with the tag at its end, in place: key, nonce, additional data, text. None
/// when the tag is wrong.
pub(super) type AeadOpen = fn(&[u8], &[u8], &[u8], &mut Vec<u8>) -> Option<()>;

/// The key stream of RC4, which goes on from record to record.
pub(super) struct Rc4Stream(Rc4);

impl Rc4Stream {
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }

    /// Goes on by `len` bytes.
    pub(super) fn skip(&mut self, len: u64) {
        let mut scratch = [0; 4096];
        let mut left = len;
        while left > 0 {
            let step = left.min(scratch.len() as u64);
            // `step` is at most the length of the scratch.
            let chunk = scratch.get_mut(..usize::try_from(step).unwrap_or(0)).unwrap_or_default();
            self.0.apply_keystream(chunk);
            left -= step;
        }
    }
}

/// A stream cipher with its key: some key stream, or none for the NULL cipher.
pub(super) fn stream(algorithm: CipherAlgorithm, key: &[u8]) -> Option<Option<Box<Rc4Stream>>> {
    match algorithm {
        CipherAlgorithm::Null => Some(None),
        CipherAlgorithm::Rc4 => Some(Some(Box::new(Rc4Stream(Rc4::new_from_slice(key).ok()?)))),
        _ => None,
    }
}

/// A block cipher in CBC mode.
pub(super) fn cbc(algorithm: CipherAlgorithm, key_len: usize) -> Option<CbcDecrypt> {
    Some(match (algorithm, key_len) {
        (CipherAlgorithm::Rc2, _) => decrypt_cbc::<Rc2>,
        (CipherAlgorithm::Idea, _) => decrypt_cbc::<Idea>,
        (CipherAlgorithm::Des, _) => decrypt_cbc::<Des>,
        (CipherAlgorithm::TripleDes, _) => decrypt_cbc::<TdesEde3>,
        (CipherAlgorithm::Aes, 16) => decrypt_cbc::<Aes128>,
        (CipherAlgorithm::Aes, 32) => decrypt_cbc::<Aes256>,
        (CipherAlgorithm::Camellia, 16) => decrypt_cbc::<Camellia128>,
        (CipherAlgorithm::Camellia, 32) => decrypt_cbc::<Camellia256>,
        (CipherAlgorithm::Aria, 16) => decrypt_cbc::<Aria128>,
        (CipherAlgorithm::Aria, 32) => decrypt_cbc::<Aria256>,
        (CipherAlgorithm::Seed, _) => decrypt_cbc_seed,
        _ => return None,
    })
}

/// A block cipher in GCM or CCM mode.
pub(super) fn aead(
    algorithm: CipherAlgorithm,
    mode: CipherMode,
    key_len: usize,
) -> Option<AeadOpen> {
    Some(match (algorithm, mode, key_len) {
        (CipherAlgorithm::Aes, CipherMode::Gcm, 16) => open::<AesGcm<Aes128, U12>>,
        (CipherAlgorithm::Aes, CipherMode::Gcm, 32) => open::<AesGcm<Aes256, U12>>,
        (CipherAlgorithm::Camellia, CipherMode::Gcm, 16) => open::<AesGcm<Camellia128, U12>>,
        (CipherAlgorithm::Camellia, CipherMode::Gcm, 32) => open::<AesGcm<Camellia256, U12>>,
        (CipherAlgorithm::Aria, CipherMode::Gcm, 16) => open::<AesGcm<Aria128, U12>>,
        (CipherAlgorithm::Aria, CipherMode::Gcm, 32) => open::<AesGcm<Aria256, U12>>,
        (CipherAlgorithm::Aes, CipherMode::Ccm, 16) => open::<Ccm<Aes128, U16, U12>>,
        (CipherAlgorithm::Aes, CipherMode::Ccm, 32) => open::<Ccm<Aes256, U16, U12>>,
        (CipherAlgorithm::Aes, CipherMode::Ccm8, 16) => open::<Ccm<Aes128, U8, U12>>,
        (CipherAlgorithm::Aes, CipherMode::Ccm8, 32) => open::<Ccm<Aes256, U8, U12>>,
        _ => return None,
    })
}

fn decrypt_cbc<C: KeyInit + BlockCipherDecrypt>(
    key: &[u8],
    iv: &[u8],
    blocks: &mut [u8],
) -> Option<()> {
    let cipher = C::new_from_slice(key).ok()?;
    unchain(iv, blocks, |block| {
        // The caller hands over whole blocks only.
        if let Ok(block) = <&mut Block<C>>::try_from(block) {
            cipher.decrypt_block(block);
        }
    })
}

fn decrypt_cbc_seed(key: &[u8], iv: &[u8], blocks: &mut [u8]) -> Option<()> {
    let cipher = SEED::new_from_slice(key).ok()?;
    unchain(iv, blocks, |block| cipher.decrypt_block(block.into()))
}

/// Cipher block chaining backwards, with `decrypt` for one block; the length of `iv` is that of a
/// block.
fn unchain(iv: &[u8], blocks: &mut [u8], decrypt: impl Fn(&mut [u8])) -> Option<()> {
    let mut before = iv.to_vec();
    if before.is_empty() {
        return None;
    }
    for block in blocks.chunks_exact_mut(iv.len()) {
        let ciphertext = block.to_vec();
        decrypt(block);
        for (byte, chained) in block.iter_mut().zip(&before) {
            *byte ^= chained;
        }
        before = ciphertext;
    }
    Some(())
}

fn open<A: KeyInit + AeadInOut>(
    key: &[u8],
    nonce: &[u8],
    additional: &[u8],
    text: &mut Vec<u8>,
) -> Option<()> {
    let cipher = A::new_from_slice(key).ok()?;
    let nonce = <&Array<u8, A::NonceSize>>::try_from(nonce).ok()?;
    cipher.decrypt_in_place(nonce, additional, text).ok()
}
