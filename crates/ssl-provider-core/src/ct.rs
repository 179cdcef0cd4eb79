//! Comparison and selection on secret bytes without a branch or a secret index.
//! Masks are bytes, 0xff for true and 0x00 for false, and pass a barrier before they select.

use std::hint::black_box;

/// A truth value held as a byte mask: 0xff for true, 0x00 for false.
///
/// There is no way to turn it into a `bool`: what it says about a secret stays secret.
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

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) fn not(self) -> Self {
        Self(!self.0)
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
