//! Ciphertexts of every kind that a server may meet: good, and wrong in each way there is.
//! Each kind is a row with a name, so that a failure says what was wrong with the input.

use num_bigint::BigUint;

use crate::bytes::Rng;
use crate::exchange::premaster_secret;
use crate::rsa_key::{TestKey, pad};

/// A kind of ciphertext.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What is wrong with it, in words.
    pub name: &'static str,
    /// Whether a server takes the premaster secret in it.
    pub good: bool,
    shape: Shape,
}

/// How a ciphertext is made.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// By encrypting a block: generator, block length, version.
    Block(fn(&mut Rng, usize, u16) -> Vec<u8>),
    /// By changing a good ciphertext, or by ignoring it.
    Ciphertext(fn(&mut Rng, &TestKey, Vec<u8>) -> Vec<u8>),
}

/// A ciphertext with what it should lead to.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The ciphertext.
    pub ciphertext: Vec<u8>,
    /// The premaster secret in it; none where it must be rejected.
    pub premaster_secret: Option<Vec<u8>>,
}

impl Kind {
    /// Makes a ciphertext of this kind for a key and the version that the client offered.
    pub fn sample(&self, rng: &mut Rng, key: &TestKey, version: u16) -> Sample {
        match self.shape {
            Shape::Block(block) => {
                let block = block(rng, key.len(), version);
                assert_eq!(block.len(), key.len(), "{}", self.name);
                let secret = block[block.len() - 48..].to_vec();
                Sample {
                    ciphertext: key.encrypt(&block),
                    premaster_secret: self.good.then_some(secret),
                }
            }
            Shape::Ciphertext(change) => {
                let good = key.encrypt(&good_block(rng, key.len(), version));
                Sample { ciphertext: change(rng, key, good), premaster_secret: None }
            }
        }
    }

    /// The block that is encrypted, where the kind is made that way.
    pub fn block(&self, rng: &mut Rng, len: usize, version: u16) -> Option<Vec<u8>> {
        match self.shape {
            Shape::Block(block) => Some(block(rng, len, version)),
            Shape::Ciphertext(_) => None,
        }
    }
}

const fn good(name: &'static str, block: fn(&mut Rng, usize, u16) -> Vec<u8>) -> Kind {
    Kind { name, good: true, shape: Shape::Block(block) }
}

const fn bad(name: &'static str, block: fn(&mut Rng, usize, u16) -> Vec<u8>) -> Kind {
    Kind { name, good: false, shape: Shape::Block(block) }
}

const fn bad_ciphertext(
    name: &'static str,
    change: fn(&mut Rng, &TestKey, Vec<u8>) -> Vec<u8>,
) -> Kind {
    Kind { name, good: false, shape: Shape::Ciphertext(change) }
}

/// Every kind.
pub const KINDS: &[Kind] = &[
    good("well formed", good_block),
    good("well formed, padding of 0x01", |rng, len, version| fill_padding(rng, len, version, 1)),
    good("well formed, padding of 0xff", |rng, len, version| fill_padding(rng, len, version, 0xff)),
    good("well formed, eight 0x03 before the separator as SSL 2.0 clients mark", |rng, len, v| {
        let mut block = good_block(rng, len, v);
        block[len - 57..len - 49].fill(3);
        block
    }),
    good("well formed, premaster secret of zeros after the version", |rng, len, version| {
        let mut block = good_block(rng, len, version);
        block[len - 46..].fill(0);
        block
    }),
    // The first two bytes.
    bad("first byte 1", |rng, len, version| set(rng, len, version, 0, 1)),
    bad("first byte 2", |rng, len, version| set(rng, len, version, 0, 2)),
    bad("first byte 0x7f", |rng, len, version| set(rng, len, version, 0, 0x7f)),
    bad("second byte 0", |rng, len, version| set(rng, len, version, 1, 0)),
    bad("second byte 1, a signature's", |rng, len, version| set(rng, len, version, 1, 1)),
    bad("second byte 3", |rng, len, version| set(rng, len, version, 1, 3)),
    bad("second byte 0x82", |rng, len, version| set(rng, len, version, 1, 0x82)),
    bad("second byte 0xff", |rng, len, version| set(rng, len, version, 1, 0xff)),
    bad("a signature block: 00 01 ff … 00", |rng, len, version| {
        let mut block = fill_padding(rng, len, version, 0xff);
        block[1] = 1;
        block
    }),
    // Zeros in the padding.
    bad("zero as first padding byte", |rng, len, version| set(rng, len, version, 2, 0)),
    bad("zero as second padding byte", |rng, len, version| set(rng, len, version, 3, 0)),
    bad("seven bytes of padding", |rng, len, version| set(rng, len, version, 9, 0)),
    bad("eight bytes of padding", |rng, len, version| set(rng, len, version, 10, 0)),
    bad("zero somewhere in the padding", |rng, len, version| {
        let position = 2 + rng.below(len - 51);
        set(rng, len, version, position, 0)
    }),
    bad("zero right before the separator", |rng, len, version| set(rng, len, version, len - 50, 0)),
    bad("padding all zeros", |rng, len, version| fill_padding(rng, len, version, 0)),
    // The separator.
    bad("no separator in its place", |rng, len, version| {
        let value = rng.nonzero_byte();
        set(rng, len, version, len - 49, value)
    }),
    bad("no zero anywhere", |rng, len, version| {
        let mut block = good_block(rng, len, version);
        rng.fill_nonzero(&mut block[2..]);
        block
    }),
    // Length.
    bad("empty message", |rng, len, _| pad(len, &[], rng)),
    bad("message of one byte", |rng, len, _| pad(len, &[3], rng)),
    bad("message of 2 bytes, the version alone", |rng, len, version| {
        pad(len, &version.to_be_bytes(), rng)
    }),
    bad("message of 46 bytes", |rng, len, version| message(rng, len, version, 46)),
    bad("message of 47 bytes", |rng, len, version| message(rng, len, version, 47)),
    bad("message of 49 bytes", |rng, len, version| message(rng, len, version, 49)),
    bad("message of 50 bytes", |rng, len, version| message(rng, len, version, 50)),
    bad("message of 64 bytes", |rng, len, version| message(rng, len, version, 64)),
    bad("longest message", |rng, len, version| message(rng, len, version, len - 11)),
    bad("premaster secret after its length in two bytes", |rng, len, version| {
        let secret = premaster_secret(version, rng);
        pad(len, &[&[0, 48][..], &secret].concat(), rng)
    }),
    bad("premaster secret before a zero", |rng, len, version| {
        let secret = premaster_secret(version, rng);
        pad(len, &[&secret[..], &[0]].concat(), rng)
    }),
    // Version.
    bad("other major version", |rng, len, version| with_version(rng, len, version ^ 0x0100)),
    bad("other minor version", |rng, len, version| with_version(rng, len, version ^ 0x0001)),
    bad("version one higher", |rng, len, version| with_version(rng, len, version + 1)),
    bad("version one lower", |rng, len, version| with_version(rng, len, version - 1)),
    bad("version with bytes swapped", |rng, len, version| {
        with_version(rng, len, version.swap_bytes() ^ u16::from(version.swap_bytes() == version))
    }),
    bad("version 0", |rng, len, _| with_version(rng, len, 0)),
    bad("version 0xffff", |rng, len, _| with_version(rng, len, 0xffff)),
    bad("top bit of the major version", |rng, len, version| {
        with_version(rng, len, version ^ 0x8000)
    }),
    bad("random message of 48 bytes", |rng, len, version| {
        let mut secret: [u8; 48] = rng.array();
        // Never the right version by chance.
        secret[0] = version.to_be_bytes()[0] ^ 0x55;
        pad(len, &secret, rng)
    }),
    // Leading zeros: blocks whose number is short.
    bad("premaster secret alone after zeros", |rng, len, version| {
        let mut block = vec![0; len];
        block[len - 48..].copy_from_slice(&premaster_secret(version, rng));
        block
    }),
    bad("well formed for a modulus 8 bytes shorter", |rng, len, version| {
        [vec![0; 8], good_block(rng, len - 8, version)].concat()
    }),
    bad("well formed for a modulus one byte shorter", |rng, len, version| {
        [vec![0; 1], good_block(rng, len - 1, version)].concat()
    }),
    bad("half zeros", |rng, len, _| [vec![0; len / 2], rng.bytes(len - len / 2)].concat()),
    bad("the number 3", |_, len, _| [vec![0; len - 1], vec![3]].concat()),
    // Noise.
    bad("random block after 00", |rng, len, _| {
        let mut block = rng.bytes(len);
        block[0] = 0;
        block[1] ^= u8::from(block[1] == 2);
        block
    }),
    bad("well formed backwards", |rng, len, version| {
        let mut block = good_block(rng, len, version);
        block[len - 1] = 1;
        block.reverse();
        block
    }),
    // Ciphertexts that are no encryption of anything.
    bad_ciphertext("empty ciphertext", |_, _, _| Vec::new()),
    bad_ciphertext("one byte", |rng, _, _| rng.bytes(1)),
    bad_ciphertext("one byte short at the end", |_, _, mut good| {
        good.pop();
        good
    }),
    bad_ciphertext("one byte short at the front", |_, _, good| good[1..].to_vec()),
    bad_ciphertext("half", |_, _, good| good[..good.len() / 2].to_vec()),
    bad_ciphertext("one zero in front", |_, _, good| [vec![0], good].concat()),
    bad_ciphertext("its length in two bytes in front", |_, _, good| {
        let len = u16::try_from(good.len()).expect("at most 1024");
        [len.to_be_bytes().to_vec(), good].concat()
    }),
    bad_ciphertext("one byte more at the end", |rng, _, good| [good, rng.bytes(1)].concat()),
    bad_ciphertext("twice", |_, _, good| [good.clone(), good].concat()),
    bad_ciphertext("zero", |_, key, _| vec![0; key.len()]),
    bad_ciphertext("one", |_, key, _| key.left_pad(&BigUint::from(1u8))),
    bad_ciphertext("two", |_, key, _| key.left_pad(&BigUint::from(2u8))),
    bad_ciphertext("n - 2", |_, key, _| key.left_pad(&(key.modulus() - 2u8))),
    bad_ciphertext("n - 1", |_, key, _| key.left_pad(&(key.modulus() - 1u8))),
    bad_ciphertext("n", |_, key, _| key.left_pad(key.modulus())),
    bad_ciphertext("n + 1", |_, key, _| key.left_pad(&(key.modulus() + 1u8))),
    bad_ciphertext("all ones", |_, key, _| vec![0xff; key.len()]),
    bad_ciphertext("one bit changed", |rng, _, mut good| {
        let position = 1 + rng.below(good.len() - 1);
        good[position] ^= 1 << rng.below(8);
        good
    }),
    bad_ciphertext("random below the modulus", |rng, key, _| {
        key.left_pad(&(BigUint::from_bytes_be(&rng.bytes(key.len())) % key.modulus()))
    }),
];

/// A well-formed block around a premaster secret with `version`.
fn good_block(rng: &mut Rng, len: usize, version: u16) -> Vec<u8> {
    let secret = premaster_secret(version, rng);
    pad(len, &secret, rng)
}

fn fill_padding(rng: &mut Rng, len: usize, version: u16, value: u8) -> Vec<u8> {
    let mut block = good_block(rng, len, version);
    block[2..len - 49].fill(value);
    block
}

fn set(rng: &mut Rng, len: usize, version: u16, position: usize, value: u8) -> Vec<u8> {
    let mut block = good_block(rng, len, version);
    block[position] = value;
    block
}

fn with_version(rng: &mut Rng, len: usize, version: u16) -> Vec<u8> {
    good_block(rng, len, version)
}

/// A block around a message of `message_len` bytes that begins with the version.
fn message(rng: &mut Rng, len: usize, version: u16, message_len: usize) -> Vec<u8> {
    let mut message = rng.bytes(message_len);
    message[..2].copy_from_slice(&version.to_be_bytes());
    pad(len, &message, rng)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::reference;

    #[test]
    fn there_are_more_kinds_than_the_requirement_asks_and_each_has_its_name() {
        let names: HashSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().filter(|kind| !kind.good).count() >= 32, "{}", KINDS.len());
    }

    #[test]
    fn each_block_is_as_good_or_bad_as_its_row_says() {
        let mut rng = Rng::new(1);
        for kind in KINDS {
            for version in [0x0300, 0x0301, 0x0302, 0x0303, 0xfeff, 0xfefd] {
                for len in [128, 256, 257] {
                    for _ in 0..20 {
                        let Some(block) = kind.block(&mut rng, len, version) else { continue };
                        let premaster_secret = reference::unpad(&block, Some(version));
                        assert_eq!(premaster_secret.is_some(), kind.good, "{}", kind.name);
                    }
                }
            }
        }
    }
}
