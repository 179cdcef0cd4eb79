//! The ciphers of records, by the RustCrypto crates themselves: blocks chained by hand, AEADs
//! whole. No backend is asked, so that none makes its own test; the verifier in Python checks them.

use aes::cipher::{BlockCipherEncrypt, KeyInit, StreamCipher as _};
use aes::{Aes128, Aes256};
use aes_gcm::AesGcm;
use aes_gcm::aead::{Aead, Payload};
use ccm::Ccm;
use ccm::consts::{U8, U12, U16};
use chacha20poly1305::ChaCha20Poly1305;
use des::TdesEde3;
use rc4::Rc4;

use ssl_provider::{BulkCipher, CipherAlgorithm, CipherMode};

const SUITE: &str = "a suite of the corpus";
const LENGTHS: &str = "lengths of the suite";

/// A key stream in its place; none for the NULL cipher.
pub(super) struct Stream(Option<Rc4>);

impl Stream {
    pub(super) fn new(cipher: BulkCipher, key: &[u8]) -> Self {
        let is_rc4 = cipher.algorithm == CipherAlgorithm::Rc4;
        Self(is_rc4.then(|| Rc4::new_from_slice(key).expect(LENGTHS)))
    }

    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        if let Some(rc4) = &mut self.0 {
            rc4.apply_keystream(bytes);
        }
    }
}

/// Encrypts whole blocks in CBC mode (SP 800-38A section 6.2).
pub(super) fn cbc(cipher: BulkCipher, key: &[u8], iv: &[u8], blocks: &[u8]) -> Vec<u8> {
    match (cipher.algorithm, cipher.key_len) {
        (CipherAlgorithm::Aes, 16) => chain::<Aes128>(key, iv, blocks),
        (CipherAlgorithm::Aes, 32) => chain::<Aes256>(key, iv, blocks),
        (CipherAlgorithm::TripleDes, _) => chain::<TdesEde3>(key, iv, blocks),
        other => panic!("{SUITE}: {other:?}"),
    }
}

fn chain<C: BlockCipherEncrypt + KeyInit>(key: &[u8], iv: &[u8], blocks: &[u8]) -> Vec<u8> {
    let cipher = C::new_from_slice(key).expect(LENGTHS);
    assert!(blocks.len().is_multiple_of(iv.len()), "whole blocks");
    let mut last = iv.to_vec();
    let mut out = Vec::new();
    for block in blocks.chunks(iv.len()) {
        let mixed: Vec<u8> = block.iter().zip(&last).map(|(a, b)| a ^ b).collect();
        let mut block = aes::cipher::Block::<C>::try_from(mixed.as_slice()).expect("a block");
        cipher.encrypt_block(&mut block);
        last = block.to_vec();
        out.extend(&last);
    }
    out
}

/// Encrypts with an AEAD and appends the tag.
pub(super) fn aead(
    cipher: BulkCipher,
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    msg: &[u8],
) -> Vec<u8> {
    let payload = Payload { msg, aad };
    match (cipher.mode, cipher.key_len) {
        (CipherMode::Gcm, 16) => seal::<AesGcm<Aes128, U12>>(key, nonce, payload),
        (CipherMode::Gcm, 32) => seal::<AesGcm<Aes256, U12>>(key, nonce, payload),
        (CipherMode::Ccm, 16) => seal::<Ccm<Aes128, U16, U12>>(key, nonce, payload),
        (CipherMode::Ccm, 32) => seal::<Ccm<Aes256, U16, U12>>(key, nonce, payload),
        (CipherMode::Ccm8, 16) => seal::<Ccm<Aes128, U8, U12>>(key, nonce, payload),
        (CipherMode::Ccm8, 32) => seal::<Ccm<Aes256, U8, U12>>(key, nonce, payload),
        (CipherMode::Poly1305, 32) => seal::<ChaCha20Poly1305>(key, nonce, payload),
        other => panic!("{SUITE}: {other:?}"),
    }
}

fn seal<A: Aead + KeyInit>(key: &[u8], nonce: &[u8], payload: Payload<'_, '_>) -> Vec<u8> {
    let cipher = A::new_from_slice(key).expect(LENGTHS);
    let nonce = nonce.try_into().expect(LENGTHS);
    cipher.encrypt(nonce, payload).expect("short texts")
}
