//! The classes of plaintext that the time of an import must not distinguish (Marvin).
//! All others are compared with the first; the second, which is like it, shows the noise.

use crate::bytes::Rng;
use crate::exchange::premaster_secret;
use crate::rsa_key::pad;

/// A class of RSA blocks.
#[derive(Clone, Copy, Debug)]
pub struct TimingClass {
    /// Its name, unique among the classes.
    pub name: &'static str,
    /// What is special about its blocks.
    pub description: &'static str,
    /// Whether a server takes the premaster secret in them.
    pub good: bool,
    /// Where the blocks of a measurement come from.
    pub supply: Supply,
    change: Change,
}

/// Where the blocks of a measurement come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// From a stock that is made before.
    Stock,
    /// It is the same block, and the same ciphertext, every time.
    Repeated,
    /// It is made anew every time.
    Fresh,
}

/// How a well-formed block is modified. In the block that it is given, the separator is the only
/// zero behind the first byte.
type Change = fn(&mut Rng, &mut [u8]);

/// Every class; the first is the one that the others are compared with.
pub const CLASSES: &[TimingClass] = &[
    good("well formed", "the reference: each block different", Supply::Stock),
    good("well formed too", "like the reference, to show the noise", Supply::Stock),
    good("repeated ciphertext", "well formed, the same every time", Supply::Repeated),
    good("fresh ciphertext", "well formed, never sent before", Supply::Fresh),
    bad("wrong first byte", "begins with 01 02", |_, block| block[0] = 1),
    bad("wrong second byte", "begins with 00 01, as a signature", |_, block| block[1] = 1),
    bad("zero in the padding", "a zero among the first eight bytes of padding", |_, block| {
        block[3] = 0;
    }),
    bad("no separator", "no zero behind the first byte", |rng, block| {
        rng.fill_nonzero(&mut block[2..]);
    }),
    bad("wrong version", "another version than the client offered", |_, block| {
        let version = block.len() - 47;
        // Neither zero nor another version that a server knows.
        block[version] ^= 0x50;
    }),
    bad("length 0", "no secret: the separator is the last byte", |rng, block| {
        secret_of(0, rng, block);
    }),
    bad("length 1", "a secret of one byte", |rng, block| secret_of(1, rng, block)),
    bad("length 40", "a secret of 40 bytes", |rng, block| secret_of(40, rng, block)),
    bad("length 47", "a secret that is one byte too short", |rng, block| {
        secret_of(47, rng, block);
    }),
    bad("length 49", "a secret that is one byte too long", |rng, block| {
        secret_of(49, rng, block);
    }),
    bad("longest", "only eight bytes of padding, the rest is secret", |rng, block| {
        secret_of(block.len() - 11, rng, block);
    }),
    bad("few leading zeros", "begins with three zeros", |_, block| {
        block[..3].fill(0);
    }),
    bad("short number", "begins with nine zeros", |_, block| block[..9].fill(0)),
    bad("many leading zeros", "zeros up to the last eight bytes", |_, block| {
        let end = block.len() - 8;
        block[..end].fill(0);
    }),
];

const fn good(name: &'static str, description: &'static str, supply: Supply) -> TimingClass {
    TimingClass { name, description, good: true, supply, change: |_, _| () }
}

const fn bad(name: &'static str, description: &'static str, change: Change) -> TimingClass {
    TimingClass { name, description, good: false, supply: Supply::Stock, change }
}

/// Moves the separator to where a secret of `len` bytes begins.
fn secret_of(len: usize, rng: &mut Rng, block: &mut [u8]) {
    rng.fill_nonzero(&mut block[2..]);
    let separator = block.len() - 1 - len;
    block[separator] = 0;
}

impl TimingClass {
    /// Returns a block of this class, of `len` bytes (at least 64) and with the version that the
    /// client offers.
    pub fn block(&self, rng: &mut Rng, len: usize, version: u16) -> Vec<u8> {
        let secret = premaster_secret(version, rng);
        let [major, minor] = version.to_be_bytes();
        // No zero except the separator, so that each class has only its own fault.
        let mut secret = secret.map(|byte| byte.max(1));
        secret[..2].copy_from_slice(&[major, minor]);
        let mut block = pad(len, &secret, rng);
        (self.change)(rng, &mut block);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What RFC 8017 section 7.2.2 and RFC 5246 section 7.4.7.1 take: 48 bytes with the version.
    fn is_good(block: &[u8]) -> bool {
        let [0, 2, rest @ ..] = block else { return false };
        let Some(padding) = rest.iter().position(|byte| *byte == 0) else { return false };
        padding >= 8 && rest.len() - padding - 1 == 48 && rest[padding + 1..].starts_with(&[3, 3])
    }

    #[test]
    fn classes_are_good_or_bad_as_stated_in_every_length() {
        let mut rng = Rng::new(1);
        for len in [64, 128, 129, 256] {
            for class in CLASSES {
                for _ in 0..20 {
                    let block = class.block(&mut rng, len, 0x0303);
                    assert_eq!(block.len(), len, "{}", class.name);
                    assert_eq!(is_good(&block), class.good, "{} {block:02x?}", class.name);
                    assert!(block[0] < 2, "below every modulus");
                    // Core treats the numbers 0 and 1 apart.
                    assert!(block[..len - 1].iter().any(|byte| *byte != 0), "{}", class.name);
                }
            }
        }
    }

    #[test]
    fn names_are_unique_and_the_second_is_like_the_first() {
        let names: std::collections::BTreeSet<_> = CLASSES.iter().map(|it| it.name).collect();
        assert_eq!(names.len(), CLASSES.len());
        assert!(CLASSES[..2].iter().all(|it| it.good && it.supply == Supply::Stock));
    }
}
