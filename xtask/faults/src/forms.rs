//! Every form in which a library keeps the numbers of a private key.
//! A form is kept with its bytes changed, so that the search does not find this program's own copy.

use num_bigint::BigUint;
use ssl_provider_testkit::rsa_key::KeyParts;

/// The parts of which a private operation by the Chinese remainder theorem is computed.
pub(crate) const CRT: [&str; 5] = ["p", "q", "dp", "dq", "qinv"];

/// Those, the private exponent and the modulus.
pub(crate) const ALL: [&str; 7] = [CRT[0], CRT[1], CRT[2], CRT[3], CRT[4], "d", "n"];

/// One form of one part of the key: pieces of memory, each `stride` after the one before.
pub(crate) struct Form {
    /// The part of the key that it is, or is computed from.
    pub(crate) part: &'static str,
    pub(crate) name: &'static str,
    pub(crate) stride: usize,
    /// Which bits of each piece hold the number; as long as a piece.
    mask: &'static [u8],
    /// All pieces, each byte exclusive-or [`HIDDEN`].
    pattern: Vec<u8>,
}

const HIDDEN: u8 = 0x5a;

impl Form {
    fn new(
        (part, name): (&'static str, &'static str),
        (mask, stride): (&'static [u8], usize),
        bytes: impl IntoIterator<Item = u8>,
    ) -> Self {
        let pattern: Vec<u8> = bytes.into_iter().map(|byte| byte ^ HIDDEN).collect();
        assert!(pattern.len() >= 64 && pattern.len().is_multiple_of(mask.len()), "{part}, {name}");
        Self { part, name, stride, mask, pattern }
    }

    pub(crate) fn piece_len(&self) -> usize {
        self.mask.len()
    }

    pub(crate) fn pieces(&self) -> usize {
        self.pattern.len() / self.mask.len()
    }

    /// The bytes from the first to the last.
    pub(crate) fn span(&self) -> usize {
        (self.pieces() - 1) * self.stride + self.piece_len()
    }

    /// The first byte.
    pub(crate) fn first(&self) -> u8 {
        self.pattern[0] ^ HIDDEN
    }

    /// Whether memory begins with this form.
    pub(crate) fn is_at(&self, memory: &[u8]) -> bool {
        let pieces = self.pattern.chunks_exact(self.mask.len());
        memory.len() >= self.span()
            && pieces.zip((0..).step_by(self.stride)).all(|(piece, start)| {
                let bytes = piece.iter().zip(&memory[start..]).zip(self.mask);
                bytes
                    .into_iter()
                    .all(|((expected, byte), mask)| (byte ^ HIDDEN ^ expected) & mask == 0)
            })
    }
}

/// The forms in which multi-buffer RSA keeps a key with primes of 1024 bits, or those of every
/// other library.
pub(crate) fn all(key: &KeyParts, engine: bool) -> Vec<Form> {
    if engine { of_engine(key) } else { of_library(key) }
}

/// Numbers as bytes and as words, and in the Montgomery form of words of 64 bits, powers of whose
/// radix R are kept modulo the primes and the modulus.
fn of_library(key: &KeyParts) -> Vec<Form> {
    const BYTES: (&[u8], usize) = (&[0xff], 1);
    let KeyParts { n, d, p, q, dp, dq, qinv, .. } = key;
    let mut forms = Vec::new();
    let parts = [("p", p), ("q", q), ("dp", dp), ("dq", dq), ("qinv", qinv), ("d", d), ("n", n)];
    for (part, number) in parts {
        // The lowest word first is the same as little-endian, on the processors that libraries have
        // assembly for.
        forms.push(Form::new((part, "words"), BYTES, number.to_bytes_le()));
        forms.push(Form::new((part, "bytes"), BYTES, number.to_bytes_be()));
        let words = number.to_u64_digits().into_iter().rev().flat_map(u64::to_le_bytes);
        forms.push(Form::new((part, "words, the highest first"), BYTES, words));
    }
    for (part, modulus) in [("p", p), ("q", q), ("n", n)] {
        let radix = BigUint::from(1u8) << modulus.bits().next_multiple_of(64);
        let mut add = |part, name, number: BigUint| {
            forms.push(Form::new((part, name), BYTES, number.to_bytes_le()));
        };
        add(part, "R", &radix % modulus);
        add(part, "R^2", &radix * &radix % modulus);
        add(part, "R^3", &radix * &radix * &radix % modulus);
        if part == "p" {
            add("qinv", "Montgomery form", qinv * &radix % modulus);
        }
    }
    forms
}

/// Digits of 52 bits and windows of four, in lanes: a lane is a place of its own.
fn of_engine(key: &KeyParts) -> Vec<Form> {
    const LANES: usize = 8;
    /// What is above the 52 bits of a digit does not count.
    const DIGITS: (&[u8], usize) = (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], 8 * LANES);
    const WINDOWS: (&[u8], usize) = (&[0xff], LANES);
    /// Digits of a prime, with some bits to spare.
    const DIGITS_OF_PRIMES: u32 = 20;
    let digits = |number: &BigUint| {
        let mask = (1u64 << 52) - 1;
        let shifts = (0..number.bits()).step_by(52);
        let digits = shifts.map(|shift| (number >> shift).to_u64_digits()[0] & mask);
        digits.flat_map(u64::to_le_bytes).collect::<Vec<_>>()
    };
    let windows = |number: &BigUint| {
        let bytes = number.to_bytes_be();
        bytes.into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]).collect::<Vec<_>>()
    };
    let KeyParts { p, q, dp, dq, qinv, .. } = key;
    let radix = BigUint::from(1u8) << (52 * DIGITS_OF_PRIMES);
    let mut forms = vec![Form::new(("qinv", "digits"), DIGITS, digits(qinv))];
    for (part, prime, exponent_part, exponent) in [("p", p, "dp", dp), ("q", q, "dq", dq)] {
        let r_squared = &radix * &radix % prime;
        let r_cubed = &r_squared * &radix % prime;
        forms.extend([
            Form::new((part, "digits"), DIGITS, digits(prime)),
            Form::new((part, "R^2 mod the prime"), DIGITS, digits(&r_squared)),
            // A square is below twice the prime.
            Form::new((part, "R^3 mod the prime"), DIGITS, digits(&r_cubed)),
            Form::new((part, "R^3 mod the prime"), DIGITS, digits(&(&r_cubed + prime))),
            Form::new((part, "windows of the prime less two"), WINDOWS, windows(&(prime - 2u8))),
            Form::new((exponent_part, "windows"), WINDOWS, windows(exponent)),
        ]);
    }
    forms
}

#[cfg(test)]
mod tests {
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;

    #[test]
    fn a_form_is_where_all_its_pieces_are_and_nowhere_else() {
        for engine in [false, true] {
            for form in all(&TestKey::rsa_2048().parts(), engine) {
                let mut memory = vec![0x11; form.span()];
                for (number, piece) in form.pattern.chunks_exact(form.piece_len()).enumerate() {
                    let place = &mut memory[number * form.stride..][..piece.len()];
                    place.copy_from_slice(&piece.iter().map(|it| it ^ HIDDEN).collect::<Vec<_>>());
                }
                assert!(form.is_at(&memory), "{} {}", form.part, form.name);
                assert_eq!(form.first(), memory[0]);
                assert!(!form.is_at(&memory[..form.span() - 1]));
                memory[form.span() - form.piece_len()] ^= 1;
                assert!(!form.is_at(&memory), "{} {}", form.part, form.name);
            }
        }
    }

    #[test]
    fn every_part_has_a_form() {
        for engine in [false, true] {
            let forms = all(&TestKey::rsa_2048().parts(), engine);
            assert!(CRT.iter().all(|part| forms.iter().any(|form| form.part == *part)));
        }
    }
}
