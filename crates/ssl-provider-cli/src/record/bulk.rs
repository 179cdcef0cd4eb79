//! The record ciphers, from RustCrypto's crates, as three types of function.
//! `None` means that no crate has the cipher.

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
use ssl_provider::{CipherAlgorithm, CipherMode};

/// Decrypts whole blocks in place: key, IV, blocks. `None` if the key or the IV has a wrong
/// length.
pub(super) type CbcDecrypt = fn(&[u8], &[u8], &mut [u8]) -> Option<()>;

/// Decrypts a ciphertext with its tag in place: key, nonce, additional data, ciphertext. `None`
/// if authentication fails.
pub(super) type AeadOpen = fn(&[u8], &[u8], &[u8], &mut Vec<u8>) -> Option<()>;

/// The RC4 key stream, which continues from record to record.
pub(super) struct Rc4Stream(Rc4);

impl Rc4Stream {
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        self.0.apply_keystream(bytes);
    }

    /// Advances by `len` bytes.
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

/// Returns a stream cipher with its key: a key stream, or none for the NULL cipher.
pub(super) fn stream(algorithm: CipherAlgorithm, key: &[u8]) -> Option<Option<Box<Rc4Stream>>> {
    match algorithm {
        CipherAlgorithm::Null => Some(None),
        CipherAlgorithm::Rc4 => Some(Some(Box::new(Rc4Stream(Rc4::new_from_slice(key).ok()?)))),
        _ => None,
    }
}

/// Returns a block cipher in CBC mode.
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

/// Returns a block cipher in GCM or CCM mode.
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
        // The caller passes whole blocks only.
        if let Ok(block) = <&mut Block<C>>::try_from(block) {
            cipher.decrypt_block(block);
        }
    })
}

fn decrypt_cbc_seed(key: &[u8], iv: &[u8], blocks: &mut [u8]) -> Option<()> {
    let cipher = SEED::new_from_slice(key).ok()?;
    unchain(iv, blocks, |block| cipher.decrypt_block(block.into()))
}

/// CBC decryption, with `decrypt` for one block; `iv` is one block long.
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

#[cfg(test)]
mod tests {
    use super::*;

    const PLAINTEXT: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn bytes(hex: &str) -> Vec<u8> {
        crate::hex::decode(hex).unwrap()
    }

    /// Keys and IVs count upwards, from 00 and f0. The ciphertexts are from OpenSSL 3.0, for IDEA
    /// from libgcrypt 1.10.
    #[test]
    fn every_block_cipher_decrypts_known_ciphertexts_in_cbc_mode() {
        let answers = [
            (
                CipherAlgorithm::Rc2,
                16,
                8,
                "ee35f94461235541f2bb62ae7efb6bb3a7a745574330ed9822d71496c73baa3f",
            ),
            (
                CipherAlgorithm::Idea,
                16,
                8,
                "4b9b6277ec442a794f0a5d068e7d7ce91406cb838a03dc951a82e31eab1416a5",
            ),
            (
                CipherAlgorithm::Des,
                8,
                8,
                "73bc624af1cc4e39130d366115a4f411e490fc59e6f94f8f2507f10d3838b17a",
            ),
            (
                CipherAlgorithm::TripleDes,
                24,
                8,
                "845ca9a4d1116749ea73ad71b7bbb5dc69114995f04669cb0225c8179b74848c",
            ),
            (
                CipherAlgorithm::Seed,
                16,
                16,
                "af47ae8bca5caa959e4a52bb6dfcd0bdd3bbcb8c0ae25f4a1b115c33f511ca47",
            ),
            (
                CipherAlgorithm::Aria,
                16,
                16,
                "4897884b802a08d8fe96476815dfee95336f9e6ddfc43febf5108d2e3eebb337",
            ),
            (
                CipherAlgorithm::Aria,
                32,
                16,
                "30f60edf430500c4789b98fcb3f7dd31cb4c736c277ff94af0321ce5a1fe6ed3",
            ),
            (
                CipherAlgorithm::Camellia,
                16,
                16,
                "bee663a7dc7da748fdad3e546d3269db48a9ef9aae489d75ae27cc6cd70e562b",
            ),
            (
                CipherAlgorithm::Camellia,
                32,
                16,
                "6d452fa0dac3179462caaae8bebcbdb5a48827137bb9655b38221654d70af876",
            ),
            (
                CipherAlgorithm::Aes,
                16,
                16,
                "71e21619aa870db1922c69f851b5160f5adca316ac4f5df730c577b11b73c558",
            ),
            (
                CipherAlgorithm::Aes,
                32,
                16,
                "cd951146cc74046a56c93a30e4a7cd504382b0cfb2b1dcfebeb9914799e6e32b",
            ),
        ];
        for (algorithm, key_len, block_len, answer) in answers {
            let key: Vec<u8> = (0..key_len).collect();
            let iv: Vec<u8> = (0xf0..=0xff).take(block_len).collect();
            let mut blocks = bytes(answer);
            let decrypt = cbc(algorithm, key.len()).unwrap();
            assert_eq!(decrypt(&key, &iv, &mut blocks), Some(()), "{algorithm:?}");
            assert_eq!(blocks, PLAINTEXT, "{algorithm:?} {key_len}");
            let wrong_len = decrypt(&[0; 5], &iv, &mut blocks);
            assert!(wrong_len.is_none() || algorithm == CipherAlgorithm::Rc2, "{algorithm:?}");
        }
    }

    #[test]
    fn rc4_makes_the_known_key_stream_and_can_skip_within_it() {
        let key: Vec<u8> = (0..16).collect();
        let expected = bytes("d9ad72ca73d72ffb3ee2f6a46db94f29e340b36cc68274d9b7a7c4bb9a538664");
        for skipped in 0..expected.len() {
            let mut rc4 = stream(CipherAlgorithm::Rc4, &key).unwrap().unwrap();
            let mut rest = expected[skipped..].to_vec();
            rc4.skip(skipped as u64);
            rc4.apply(&mut rest);
            assert_eq!(rest, PLAINTEXT[skipped..]);
        }
    }

    #[test]
    fn every_rsa_suite_finds_its_cipher() {
        for suite in ssl_provider::CipherSuiteInfo::all() {
            let cipher = suite.cipher;
            let known = match cipher.mode {
                CipherMode::Stream => stream(cipher.algorithm, &[0; 16]).is_some(),
                CipherMode::Cbc => cbc(cipher.algorithm, cipher.key_len).is_some(),
                mode => aead(cipher.algorithm, mode, cipher.key_len).is_some(),
            };
            assert!(known || !suite.key_exchange.is_rsa(), "{}", suite.name);
        }
    }
}
