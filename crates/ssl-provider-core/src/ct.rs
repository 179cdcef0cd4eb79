//! Comparison and selection on secret bytes without a branch or a secret index.
//! Masks are bytes, 0xff for true and 0x00 for false, and pass a barrier before they select.

use std::hint::black_box;

/// A truth value held as a byte mask: 0xff for true, 0x00 for false.
///
/// [`reveal`](Self::reveal) is the one way to turn it into a `bool`. What it says about an RSA
/// block is never revealed.
#[derive(Clone, Copy)]
pub(crate) struct Mask(u8);

impl Mask {
    /// The mask of a public truth value.
    pub(crate) fn public(value: bool) -> Self {
        Self(0u8.wrapping_sub(u8::from(value)))
    }

    /// True where `byte` is zero.
    pub(crate) fn is_zero(byte: u8) -> Self {
        // Only zero borrows, and the borrow fills bits 8 to 31.
        let [_, borrow, ..] = u32::from(byte).wrapping_sub(1).to_le_bytes();
        Self(borrow)
    }

    /// True where `a` equals `b`.
    pub(crate) fn eq(a: u8, b: u8) -> Self {
        Self::is_zero(a ^ b)
    }

    /// True where `a` is less than `b`.
    pub(crate) fn less_byte(a: u8, b: u8) -> Self {
        // The borrow fills bits 8 to 15.
        let [_, borrow] = u16::from(a).wrapping_sub(u16::from(b)).to_le_bytes();
        Self(borrow)
    }

    /// True where `a` is less than `b`, for lengths below half of the type's range.
    pub(crate) fn less(a: usize, b: usize) -> Self {
        let [borrow, ..] = (a.wrapping_sub(b) >> (usize::BITS - 1)).to_le_bytes();
        Self(0u8.wrapping_sub(borrow))
    }

    /// True where `a` equals `b`, for lengths below half of the type's range.
    pub(crate) fn eq_len(a: usize, b: usize) -> Self {
        Self::less(a, b).or(Self::less(b, a)).not()
    }

    /// True where all bytes are equal. The lengths are public, and must be equal too.
    pub(crate) fn eq_bytes(a: &[u8], b: &[u8]) -> Self {
        let difference = a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b));
        Self::is_zero(difference).and(Self::public(a.len() == b.len()))
    }

    /// True where this bit of `value` is set.
    pub(crate) fn bit(value: usize, bit: u32) -> Self {
        let [byte, ..] = (value >> bit).to_le_bytes();
        Self(0u8.wrapping_sub(byte & 1))
    }

    /// Tells the truth value, which from here on is public.
    pub(crate) fn reveal(self) -> bool {
        self.0 != 0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn not(self) -> Self {
        Self(!self.0)
    }

    /// `byte` where the mask is true, and zero where it is false.
    pub(crate) fn keep(self, byte: u8) -> u8 {
        byte & self.0
    }

    /// `a` where the mask is true, and `b` where it is false.
    pub(crate) fn choose_len(self, a: usize, b: usize) -> usize {
        let mask = usize::from_ne_bytes([black_box(self.0); size_of::<usize>()]);
        (a & mask) | (b & !mask)
    }

    /// Adds the bits of `from` to `into` where the mask is true.
    pub(crate) fn merge(self, from: &[u8], into: &mut [u8]) {
        let mask = black_box(self.0);
        for (into, from) in into.iter_mut().zip(from) {
            *into |= from & mask;
        }
    }

    /// Writes `from` over `into` where the mask is true.
    pub(crate) fn replace(self, from: &[u8], into: &mut [u8]) {
        let mask = black_box(self.0);
        for (into, from) in into.iter_mut().zip(from) {
            *into = (from & mask) | (*into & !mask);
        }
    }

    /// Writes `a` where the mask is true and `b` where it is false, byte by byte.
    ///
    /// The barrier keeps the compiler from seeing that the mask has two values only: rustc 1.95
    /// otherwise turns such a loop into a choice between the two addresses.
    pub(crate) fn select<const N: usize>(self, a: &[u8; N], b: &[u8; N], out: &mut [u8; N]) {
        let mask = black_box(self.0);
        for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
            *out = (a & mask) | (b & !mask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_zero_holds_for_zero_alone() {
        for byte in 0..=u8::MAX {
            assert_eq!(Mask::is_zero(byte).0, if byte == 0 { 0xff } else { 0 }, "{byte}");
        }
    }

    #[test]
    fn eq_agrees_with_the_operator_on_every_pair() {
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                assert_eq!(Mask::eq(a, b).0, if a == b { 0xff } else { 0 }, "{a} {b}");
            }
        }
    }

    #[test]
    fn less_agrees_with_the_operator_on_every_pair() {
        for a in 0..=u8::MAX {
            for b in 0..=u8::MAX {
                let expected = if a < b { 0xff } else { 0 };
                assert_eq!(Mask::less_byte(a, b).0, expected, "{a} {b}");
                let (a, b) = (usize::from(a) * 257, usize::from(b) * 257);
                assert_eq!(Mask::less(a, b).0, expected, "{a} {b}");
                assert_eq!(Mask::eq_len(a, b).reveal(), a == b, "{a} {b}");
            }
        }
    }

    #[test]
    fn bytes_are_equal_when_all_are() {
        let mut bytes = [7; 40];
        assert!(Mask::eq_bytes(&bytes, &[7; 40]).reveal());
        assert!(!Mask::eq_bytes(&bytes, &[7; 39]).reveal());
        for position in 0..bytes.len() {
            bytes[position] ^= 0x10;
            assert!(!Mask::eq_bytes(&bytes, &[7; 40]).reveal(), "{position}");
            // Two bytes that differ alike do not make up for one another.
            let other = (position + 1) % bytes.len();
            bytes[other] ^= 0x10;
            assert!(!Mask::eq_bytes(&bytes, &[7; 40]).reveal(), "{position} and {other}");
            bytes[other] ^= 0x10;
            bytes[position] ^= 0x10;
        }
    }

    #[test]
    fn masks_combine_as_truth_values_do() {
        for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
            let (x, y) = (Mask::public(a), Mask::public(b));
            assert_eq!(x.and(y).0, Mask::public(a && b).0, "{a} and {b}");
            assert_eq!(x.or(y).0, Mask::public(a || b).0, "{a} or {b}");
            assert_eq!(x.not().0, Mask::public(!a).0, "not {a}");
        }
    }

    #[test]
    fn merge_replace_keep_and_choose_act_when_true_alone() {
        for (mask, merged, replaced, len) in [
            (Mask::bit(0b100, 2), [0x33, 0x0f], [0x03, 0x0c], 1000),
            (Mask::bit(0b100, 1), [0x30, 0x0f], [0x30, 0x0f], 7),
        ] {
            // The second byte has the bits already.
            let mut bytes = [0x30, 0x0f];
            mask.merge(&[0x03, 0x0c], &mut bytes);
            assert_eq!(bytes, merged);
            let mut bytes = [0x30, 0x0f];
            mask.replace(&[0x03, 0x0c], &mut bytes);
            assert_eq!(bytes, replaced);
            assert_eq!(mask.choose_len(1000, 7), len);
            assert_eq!(mask.keep(9), if mask.reveal() { 9 } else { 0 });
        }
    }

    #[test]
    fn select_takes_the_first_when_true_and_the_second_when_false() {
        let (a, b) = ([1, 2, 3], [4, 5, 6]);
        let mut out = [0; 3];
        Mask::public(true).select(&a, &b, &mut out);
        assert_eq!(out, a);
        Mask::public(false).select(&a, &b, &mut out);
        assert_eq!(out, b);
        assert_eq!(Mask::public(true).and(Mask::public(true).not()).0, 0);
        assert_eq!(Mask::public(false).or(Mask::public(true)).0, 0xff);
    }
}
