//! Bytes for tests: hex in and out, and a small seeded generator so that a failure can be repeated.
//! The generator is SplitMix64: good enough to vary inputs, and nothing else.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Decodes hex of either case.
pub fn hex(text: &str) -> Vec<u8> {
    HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .unwrap_or_else(|error| panic!("not hex ({error}): {text:.80}"))
}

/// Encodes as lower-case hex.
pub fn to_hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// `N` bytes that count up from `first`, as the published example values do.
pub fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [first; N];
    for index in 1..N {
        bytes[index] = bytes[index - 1].wrapping_add(1);
    }
    bytes
}

/// A copy of `bytes` with one bit flipped.
pub fn flipped(bytes: &[u8], bit: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[bit / 8] ^= 1 << (bit % 8);
    flipped
}

/// A seeded generator of test inputs.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that always gives the same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.next_u64().to_le_bytes()[7]
    }

    /// A byte other than zero.
    pub fn nonzero_byte(&mut self) -> u8 {
        loop {
            let byte = self.byte();
            if byte != 0 {
                return byte;
            }
        }
    }

    /// A number below `bound`, which is not zero. Slightly uneven, which tests do not mind.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("usize is at most 64 bits");
        usize::try_from(self.next_u64() % bound).expect("below a usize")
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `choices`, which is not empty.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.fill(&mut bytes);
        bytes
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| self.byte());
    }

    /// Fills `out` with bytes other than zero, as PKCS#1 padding wants them.
    pub fn fill_nonzero(&mut self, out: &mut [u8]) {
        out.fill_with(|| self.nonzero_byte());
    }
}

/// A number from the environment, or `default` where the variable is not set.
pub fn number_from_env(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text}: expected a number")),
        Err(_) => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_survives_the_round_trip_in_either_case() {
        assert_eq!(hex("00fFa1"), [0x00, 0xff, 0xa1]);
        assert_eq!(to_hex(&hex("00FFA1")), "00ffa1");
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        assert_eq!(Rng::new(1).array::<32>(), Rng::new(1).array::<32>());
        assert_ne!(Rng::new(1).array::<32>(), Rng::new(2).array::<32>());
    }

    #[test]
    fn padding_bytes_are_never_zero() {
        let mut bytes = [0; 4096];
        Rng::new(3).fill_nonzero(&mut bytes);
        assert!(!bytes.contains(&0));
    }
}
