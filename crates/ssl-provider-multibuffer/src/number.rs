//! Numbers in eight lanes: the digits of eight numbers side by side, 52 bits each.
//! Nothing here branches or indexes by a digit.

#![allow(clippy::needless_range_loop, reason = "one index runs over several arrays")]

use std::array;
use std::hint::black_box;

use bytemuck::{Pod, Zeroable};
use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

/// Numbers that are computed with at once.
pub(crate) const LANES: usize = 8;

/// Half of the lanes.
pub(crate) const HALF: usize = LANES / 2;

/// A quarter of the lanes.
pub(crate) const QUARTER: usize = LANES / 4;

/// Bits of a digit: what the instructions of IFMA multiply.
pub(crate) const DIGIT_BITS: usize = 52;

/// All bits of a digit.
pub(crate) const DIGIT_MASK: u64 = (1 << DIGIT_BITS) - 1;

/// Bytes of two digits.
const PAIR_LEN: usize = 2 * DIGIT_BITS / 8;

/// Bits by which a modulus is shorter than its digits, so that sums and differences of a few
/// residues need no reduction.
pub(crate) const SPARE_BITS: usize = 8;

/// One digit of eight numbers, as wide as a vector register and a line of the cache.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C, align(64))]
pub(crate) struct Digit(pub(crate) [u64; LANES]);

impl Digit {
    pub(crate) const ZERO: Self = Self([0; LANES]);

    /// The digit of a lane, without a carry that may be above it.
    fn lane(&self, lane: usize) -> u64 {
        self.0[lane] & DIGIT_MASK
    }
}

impl Zeroize for Digit {
    fn zeroize(&mut self) {
        *self = Self::ZERO;
        optimization_barrier(self);
    }
}

/// Eight numbers of `N` digits, the lowest first. Wiped on drop.
///
/// A digit may have a carry above its 52 bits that is also in the next digit already, and does not
/// count; see [`blocks`](crate::blocks).
pub(crate) struct Number<const N: usize>(pub(crate) [Digit; N]);

/// The digits of one number, the lowest first.
pub(crate) type Digits<const N: usize> = [u64; N];

impl<const N: usize> Zeroize for Number<N> {
    fn zeroize(&mut self) {
        // At once; digit by digit it takes a tenth of the time of a short key's operation.
        self.0 = [Digit::ZERO; N];
        optimization_barrier(&self.0);
    }
}

impl<const N: usize> Drop for Number<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> ZeroizeOnDrop for Number<N> {}

impl<const N: usize> Number<N> {
    pub(crate) const fn zero() -> Self {
        Self([Digit::ZERO; N])
    }

    /// The same number in every lane.
    pub(crate) fn splat(digits: &Digits<N>) -> Self {
        Self(digits.map(|digit| Digit([digit; LANES])))
    }

    pub(crate) fn one() -> Self {
        let mut one = Self::zero();
        if let Some(lowest) = one.0.first_mut() {
            *lowest = Digit([1; LANES]);
        }
        one
    }

    /// Puts a big-endian number into a lane.
    pub(crate) fn set_lane(&mut self, lane: usize, bytes: &[u8]) {
        let mut digits = digits_of::<N>(bytes);
        for (digit, value) in self.0.iter_mut().zip(&digits) {
            digit.0[lane] = *value;
        }
        digits.zeroize();
    }

    /// Writes the number of a lane, which fits, big-endian into `out`.
    pub(crate) fn write_lane(&self, lane: usize, out: &mut [u8]) {
        let mut digits = self.0.iter().map(|digit| u128::from(digit.lane(lane)));
        for bytes in out.rchunks_mut(PAIR_LEN) {
            let [low, high] = [digits.next().unwrap_or(0), digits.next().unwrap_or(0)];
            let pair = (low | high << DIGIT_BITS).to_be_bytes();
            let (_, end) = pair.split_at(pair.len() - bytes.len());
            bytes.copy_from_slice(end);
        }
    }

    pub(crate) fn copy(&self) -> Self {
        Self(self.0)
    }

    /// Lanes of one number beside lanes of another; see [`side_by_side`].
    pub(crate) fn beside(&self, other: &Self) -> Self {
        let mut both = Self::zero();
        for ((both, a), b) in both.0.iter_mut().zip(&self.0).zip(&other.0) {
            both.0 = side_by_side(a.0, b.0);
        }
        both
    }

    /// Takes apart what stands [side by side](side_by_side): what is in the lanes of the first
    /// number, and what is in those of the second, each in the other's lanes too.
    pub(crate) fn apart(&self) -> [Self; 2] {
        let mut swapped = self.copy();
        for digit in &mut swapped.0 {
            digit.0 = array::from_fn(|lane| digit.0[lane ^ QUARTER]);
        }
        [self.beside(&swapped), swapped.beside(self)]
    }

    /// The digits from `start` on, without carries above them, and with zeros above the last.
    pub(crate) fn part<const M: usize>(&self, start: usize) -> Number<M> {
        let mut part = Number::zero();
        for (to, from) in part.0.iter_mut().zip(self.0.iter().skip(start)) {
            to.0 = from.0.map(|digit| digit & DIGIT_MASK);
        }
        part
    }

    /// `self` + `other`, which must fit.
    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut sum = Self::zero();
        let mut carry = [0; LANES];
        for ((sum, a), b) in sum.0.iter_mut().zip(&self.0).zip(&other.0) {
            for lane in 0..LANES {
                let digit = a.lane(lane) + b.lane(lane) + carry[lane];
                sum.0[lane] = digit & DIGIT_MASK;
                carry[lane] = digit >> DIGIT_BITS;
            }
        }
        sum
    }

    /// `self` - `other`, and for each lane all ones where that is negative and zero elsewhere; the
    /// difference is then too large by 2^(52 N).
    pub(crate) fn subtract(&self, other: &Self) -> (Self, [u64; LANES]) {
        let mut difference = Self::zero();
        let mut borrow = [0; LANES];
        for ((difference, a), b) in difference.0.iter_mut().zip(&self.0).zip(&other.0) {
            for lane in 0..LANES {
                let digit = a.lane(lane).wrapping_sub(b.lane(lane)).wrapping_sub(borrow[lane]);
                difference.0[lane] = digit & DIGIT_MASK;
                borrow[lane] = digit >> 63;
            }
        }
        (difference, borrow.map(mask))
    }

    /// `self` mod `modulus`, for less than twice the modulus.
    pub(crate) fn reduce_once(&self, modulus: &Self) -> Self {
        let (mut reduced, negative) = self.subtract(modulus);
        for (reduced, unchanged) in reduced.0.iter_mut().zip(&self.0) {
            for lane in 0..LANES {
                let mask = negative[lane];
                reduced.0[lane] = (unchanged.lane(lane) & mask) | (reduced.0[lane] & !mask);
            }
        }
        reduced
    }

    /// For each lane, whether both numbers are equal. They are public.
    pub(crate) fn equal_lanes(&self, other: &Self) -> [bool; LANES] {
        let mut difference = [0; LANES];
        for (a, b) in self.0.iter().zip(&other.0) {
            for lane in 0..LANES {
                difference[lane] |= a.lane(lane) ^ b.lane(lane);
            }
        }
        #[cfg(feature = "__probe")]
        crate::probe::reveal(&mut difference);
        difference.map(|difference| difference == 0)
    }
}

/// All ones for 1, and zero for 0.
///
/// The barrier keeps the compiler from seeing that a mask has two values only: rustc 1.95 otherwise
/// turns a selection by it into branches, or into a choice between two addresses.
pub(crate) fn mask(bit: u64) -> u64 {
    black_box(bit.wrapping_neg())
}

/// In each half of the lanes, the lower of one beside the upper of another: a quarter of all lanes,
/// so that half of the lanes has some of both.
pub(crate) fn side_by_side<T: Copy>(one: [T; LANES], other: [T; LANES]) -> [T; LANES] {
    array::from_fn(|lane| if lane % HALF < QUARTER { one[lane] } else { other[lane] })
}

/// The digits of a big-endian number, which fits.
pub(crate) fn digits_of<const N: usize>(bytes: &[u8]) -> Digits<N> {
    let mut digits = [0; N];
    for (bytes, digits) in bytes.rchunks(PAIR_LEN).zip(digits.chunks_mut(2)) {
        let mut pair = [0; size_of::<u128>()];
        let (_, end) = pair.split_at_mut(size_of::<u128>() - bytes.len());
        end.copy_from_slice(bytes);
        let number = u128::from_be_bytes(pair);
        for (digit, number) in digits.iter_mut().zip([number, number >> DIGIT_BITS]) {
            #[expect(clippy::cast_possible_truncation, reason = "the lower 52 bits are kept")]
            let low = number as u64 & DIGIT_MASK;
            *digit = low;
        }
    }
    digits
}

/// 2^`exponent` mod `modulus`, in time that depends on `exponent` and the number of digits only.
pub(crate) fn power_of_two<const N: usize>(exponent: usize, modulus: &Digits<N>) -> Digits<N> {
    let mut power = [0; N];
    if let Some(lowest) = power.first_mut() {
        *lowest = 1;
    }
    for _ in 0..exponent {
        let mut doubled = [0; N];
        let mut reduced = [0; N];
        let (mut carry, mut borrow) = (0, 0);
        for place in 0..N {
            let twice = 2 * power[place] + carry;
            doubled[place] = twice & DIGIT_MASK;
            carry = twice >> DIGIT_BITS;
            let less = doubled[place].wrapping_sub(modulus[place]).wrapping_sub(borrow);
            reduced[place] = less & DIGIT_MASK;
            borrow = less >> 63;
        }
        let negative = mask(borrow);
        for place in 0..N {
            power[place] = (doubled[place] & negative) | (reduced[place] & !negative);
        }
        doubled.zeroize();
        reduced.zeroize();
    }
    power
}

#[cfg(test)]
pub(crate) mod tests {
    use num_bigint::BigUint;
    use ssl_provider_testkit::bytes::Rng;

    use super::*;

    /// A digit of this many bits at which carries go wrong: none, one, all ones, the highest bit,
    /// all below it, and any.
    pub(crate) fn awkward_digit(bits: usize, rng: &mut Rng) -> u64 {
        let all = (1 << bits) - 1;
        match rng.next_u64() % 8 {
            0 => 0,
            1 => 1,
            2 | 3 => all,
            4 => all - 1,
            5 => 1 << (bits - 1),
            6 => all >> 1,
            _ => rng.next_u64() & all,
        }
    }

    /// A number of `N` awkward digits.
    pub(crate) fn adversarial<const N: usize>(rng: &mut Rng) -> BigUint {
        (0..N).fold(BigUint::ZERO, |number, _| {
            (number << DIGIT_BITS) | BigUint::from(awkward_digit(DIGIT_BITS, rng))
        })
    }

    #[test]
    fn what_is_put_into_a_lane_comes_out_of_it() {
        let mut rng = Rng::new(82);
        for len in 1..=65 {
            let mut number = Number::<10>::zero();
            let values: Vec<Vec<u8>> = (0..LANES).map(|_| rng.bytes(len)).collect();
            for (lane, bytes) in values.iter().enumerate() {
                number.set_lane(lane, bytes);
            }
            for (lane, bytes) in values.iter().enumerate() {
                let mut found = vec![0xa5; len];
                number.write_lane(lane, &mut found);
                assert_eq!(found, *bytes, "{len} bytes");
            }
        }
    }

    #[test]
    fn numbers_that_stand_side_by_side_come_apart() {
        let mut rng = Rng::new(88);
        let mut random = || {
            let mut number = Number::<10>::zero();
            let values: [Vec<u8>; LANES] = array::from_fn(|_| rng.bytes(64));
            for (lane, bytes) in values.iter().enumerate() {
                number.set_lane(lane, bytes);
            }
            (number, values)
        };
        let numbers = [random(), random()];
        let both = numbers[0].0.beside(&numbers[1].0);
        // Where the lanes of each number are that were taken.
        let lanes = [[0, 1, 0, 1, 4, 5, 4, 5], [2, 3, 2, 3, 6, 7, 6, 7]];
        for ((part, (_, values)), lanes) in both.apart().iter().zip(&numbers).zip(lanes) {
            for (lane, from) in lanes.into_iter().enumerate() {
                let mut found = vec![0; 64];
                part.write_lane(lane, &mut found);
                assert_eq!(found, values[from], "lane {lane}");
            }
        }
    }

    #[test]
    fn sums_and_differences_are_those_of_big_integers() {
        let mut rng = Rng::new(83);
        for _ in 0..if cfg!(miri) { 5 } else { 1000 } {
            let modulus = adversarial::<10>(&mut rng) >> SPARE_BITS | BigUint::from(1u32);
            let digits = Number::<10>::splat(&digits_of(&modulus.to_bytes_be()));
            let values: [BigUint; 2] =
                std::array::from_fn(|_| adversarial::<10>(&mut rng) % &modulus);
            let [a, b] = [&values[0], &values[1]].map(|value| {
                let mut number = Number::<10>::zero();
                number.set_lane(3, &value.to_bytes_be());
                // What is above a digit does not count.
                for digit in &mut number.0 {
                    digit.0[3] |= rng.next_u64() << DIGIT_BITS;
                }
                number
            });
            let of = |number: &Number<10>| {
                let mut bytes = [0; 66];
                number.write_lane(3, &mut bytes);
                BigUint::from_bytes_be(&bytes)
            };
            assert_eq!(of(&a.add(&b)), &values[0] + &values[1]);
            assert_eq!(of(&a.add(&b).reduce_once(&digits)), (&values[0] + &values[1]) % &modulus);
            let (difference, negative) = a.subtract(&b);
            if values[0] >= values[1] {
                assert_eq!(of(&difference), &values[0] - &values[1]);
            }
            assert_eq!(negative[3] == u64::MAX, values[0] < values[1]);
            assert_eq!(negative[3] == 0, values[0] >= values[1]);
        }
    }

    #[test]
    fn powers_of_two_are_reduced() {
        let mut rng = Rng::new(84);
        for exponent in [0, 1, 511, 512, 1040, 3120] {
            for _ in 0..if cfg!(miri) { 1 } else { 20 } {
                let modulus = adversarial::<10>(&mut rng) >> SPARE_BITS | BigUint::from(3u32);
                let power = power_of_two::<10>(exponent, &digits_of(&modulus.to_bytes_be()));
                let expected = (BigUint::from(1u32) << exponent) % &modulus;
                assert_eq!(power, digits_of(&expected.to_bytes_be()), "2^{exponent} mod {modulus}");
            }
        }
    }
}
