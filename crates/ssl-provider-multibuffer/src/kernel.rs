//! The two loops where all the time goes, multiplication and selection, for each kind of processor.
//! Both take the same steps whatever the numbers are.

#![allow(clippy::needless_range_loop, reason = "one index runs over several arrays")]

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::number::{DIGIT_MASK, Digit, Digits, LANES, Number, side_by_side};
#[cfg(any(test, feature = "__probe"))]
use crate::number::{mask, split};

/// Numbers that [`Kernel::select`] selects from: what a window of four bits can say.
pub(crate) const TABLE_LEN: usize = 16;

/// An odd modulus in each lane, as Montgomery multiplication needs it. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Modulus<const N: usize> {
    pub(crate) number: Number<N>,
    /// -1 / modulus mod 2^52.
    pub(crate) negative_inverse: Digit,
}

impl<const N: usize> Modulus<N> {
    /// The same modulus in every lane.
    pub(crate) fn new(digits: &Digits<N>) -> Self {
        let lowest = digits.first().copied().unwrap_or(1);
        // Each step doubles the number of right bits; an odd number is its own inverse mod 8.
        let mut inverse = lowest;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(lowest.wrapping_mul(inverse)));
        }
        let negative_inverse = inverse.wrapping_neg() & DIGIT_MASK;
        Self { number: Number::splat(digits), negative_inverse: Digit([negative_inverse; LANES]) }
    }

    /// Half of the lanes of one modulus beside half of those of another.
    pub(crate) fn beside(&self, other: &Self) -> Self {
        Self {
            number: self.number.beside(&other.number),
            negative_inverse: Digit(side_by_side(
                self.negative_inverse.0,
                other.negative_inverse.0,
            )),
        }
    }
}

/// Four bits of the exponent of each lane.
pub(crate) type Window = [u8; LANES];

/// Arithmetic in eight lanes.
pub(crate) trait Kernel: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// Montgomery multiplication: `product` = a b / 2^(52 N) mod `modulus`, not fully reduced. For
    /// a b below 2^(52 N) times the modulus, the product is below twice the modulus.
    fn multiply<const N: usize>(
        self,
        a: &Number<N>,
        b: &Number<N>,
        modulus: &Modulus<N>,
        product: &mut Number<N>,
    );

    /// Takes in each lane the entry of the table at a secret index. Reads every entry.
    fn select<const N: usize>(
        self,
        table: &[Number<N>; TABLE_LEN],
        index: Window,
        entry: &mut Number<N>,
    );
}

/// Plain Rust. Too slow to be of use, but it runs everywhere: under Miri, under valgrind, and
/// beside the other kernel in its tests.
#[cfg(any(test, feature = "__probe"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

#[cfg(any(test, feature = "__probe"))]
impl Kernel for Portable {
    fn multiply<const N: usize>(
        self,
        a: &Number<N>,
        b: &Number<N>,
        modulus: &Modulus<N>,
        product: &mut Number<N>,
    ) {
        for lane in 0..LANES {
            let mut sums = [0u64; N];
            for factor in &a.0 {
                let factor = factor.0[lane];
                let mut carry = 0;
                let lowest = sums[0] + low_half(factor, b.0[0].0[lane]);
                let multiple = low_half(lowest, modulus.negative_inverse.0[lane]);
                for place in 0..N {
                    let sum = u128::from(carry)
                        + u128::from(sums[place])
                        + u128::from(factor) * u128::from(b.0[place].0[lane])
                        + u128::from(multiple) * u128::from(modulus.number.0[place].0[lane]);
                    let [low, high] = split(sum);
                    carry = high;
                    if place > 0 {
                        sums[place - 1] = low;
                    }
                }
                sums[N - 1] = carry;
            }
            for (digit, sum) in product.0.iter_mut().zip(sums) {
                digit.0[lane] = sum;
            }
        }
    }

    fn select<const N: usize>(
        self,
        table: &[Number<N>; TABLE_LEN],
        index: Window,
        entry: &mut Number<N>,
    ) {
        *entry = Number::zero();
        for (number, candidate) in (0u64..).zip(table) {
            // A number below 2^63 is zero if taking 1 from it sets the highest bit.
            let masks = index.map(|index| mask((number ^ u64::from(index)).wrapping_sub(1) >> 63));
            for (digit, other) in entry.0.iter_mut().zip(&candidate.0) {
                for lane in 0..LANES {
                    digit.0[lane] |= other.0[lane] & masks[lane];
                }
            }
        }
    }
}

#[cfg(any(test, feature = "__probe"))]
fn low_half(a: u64, b: u64) -> u64 {
    a.wrapping_mul(b) & DIGIT_MASK
}

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::{
        __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
        _mm512_or_si512, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srai_epi64,
        _mm512_srli_epi64, _mm512_sub_epi64, _mm512_xor_si512,
    };
    use std::hint::black_box;

    use super::{Kernel, Modulus, TABLE_LEN, Window};
    use crate::number::{DIGIT_BITS, DIGIT_MASK, Digit, Number};

    /// Takes a sum to what it carries into the next digit.
    const DIGIT_SHIFT: u32 = 52;
    const _: () = assert!(DIGIT_SHIFT as usize == DIGIT_BITS);

    /// AVX-512 with IFMA: a register holds a digit of all lanes. A value is the proof that the
    /// processor has it.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Avx512(());

    impl Avx512 {
        /// The kernel, where the processor and the operating system support it.
        pub(crate) fn detect() -> Option<Self> {
            (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma"))
                .then_some(Self(()))
        }
    }

    impl Kernel for Avx512 {
        fn multiply<const N: usize>(
            self,
            a: &Number<N>,
            b: &Number<N>,
            modulus: &Modulus<N>,
            product: &mut Number<N>,
        ) {
            // SAFETY: the features were detected when `self` was made.
            unsafe { multiply(a, b, modulus, product) }
        }

        fn select<const N: usize>(
            self,
            table: &[Number<N>; TABLE_LEN],
            index: Window,
            entry: &mut Number<N>,
        ) {
            // SAFETY: the features were detected when `self` was made.
            unsafe { select(table, index, entry) }
        }
    }

    /// Adds up products without carrying: a digit takes 4 N products of 52 bits, which 64 bits hold
    /// for every N below 1024. Each step adds one digit of `a` times `b`, and drops a digit.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply<const N: usize>(
        a: &Number<N>,
        b: &Number<N>,
        modulus: &Modulus<N>,
        product: &mut Number<N>,
    ) {
        let zero = _mm512_setzero_si512();
        let mut sums = [zero; N];
        for digit in &a.0 {
            // Both are read where they are. They are more than the registers hold, and the compiler
            // would copy them to the stack, where they straddle lines of the cache.
            let (b, modulus) = black_box((b, modulus));
            let factor = vector(*digit);
            let mut above = zero;
            for place in 0..N {
                let other = vector(b.0[place]);
                sums[place] = _mm512_madd52lo_epu64(sums[place], factor, other);
                let next = if place + 1 < N { &mut sums[place + 1] } else { &mut above };
                *next = _mm512_madd52hi_epu64(*next, factor, other);
            }
            drop_lowest(&mut sums, above, modulus);
        }
        carry_out(&sums, product);
    }

    /// Adds the multiple of the modulus that makes the lowest digit zero, and moves all digits down
    /// by one, with `above` as the new highest.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn drop_lowest<const N: usize>(
        sums: &mut [__m512i; N],
        mut above: __m512i,
        modulus: &Modulus<N>,
    ) {
        let zero = _mm512_setzero_si512();
        let multiple = _mm512_madd52lo_epu64(zero, sums[0], vector(modulus.negative_inverse));
        let lowest = vector(modulus.number.0[0]);
        let dropped = _mm512_madd52lo_epu64(sums[0], multiple, lowest);
        let carry = _mm512_srli_epi64::<DIGIT_SHIFT>(dropped);
        sums[1] = _mm512_add_epi64(sums[1], carry);
        sums[1] = _mm512_madd52hi_epu64(sums[1], multiple, lowest);
        for place in 1..N {
            let other = vector(modulus.number.0[place]);
            sums[place - 1] = _mm512_madd52lo_epu64(sums[place], multiple, other);
            let next = if place + 1 < N { &mut sums[place + 1] } else { &mut above };
            *next = _mm512_madd52hi_epu64(*next, multiple, other);
        }
        sums[N - 1] = above;
    }

    /// Brings sums down to digits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn carry_out<const N: usize>(sums: &[__m512i; N], number: &mut Number<N>) {
        let mask = splat(DIGIT_MASK);
        let mut carry = _mm512_setzero_si512();
        for place in 0..N {
            let sum = _mm512_add_epi64(sums[place], carry);
            carry = _mm512_srli_epi64::<DIGIT_SHIFT>(sum);
            number.0[place] = digit(_mm512_and_si512(sum, mask));
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn select<const N: usize>(
        table: &[Number<N>; TABLE_LEN],
        index: Window,
        entry: &mut Number<N>,
    ) {
        let index = vector(Digit(index.map(u64::from)));
        let mut selected = [_mm512_setzero_si512(); N];
        for (number, candidate) in (0u64..).zip(table) {
            // Zero less 1 is negative, and all other differences are not. The barrier keeps the
            // compiler from seeing that, as it would take a mask register then: with one of those
            // a load may leave out what the mask does, and this reads all of it.
            let difference = _mm512_xor_si512(index, splat(number));
            let below = _mm512_sub_epi64(difference, splat(1));
            let mask = black_box(_mm512_srai_epi64::<63>(below));
            for place in 0..N {
                let other = _mm512_and_si512(vector(candidate.0[place]), mask);
                selected[place] = _mm512_or_si512(selected[place], other);
            }
        }
        for place in 0..N {
            entry.0[place] = digit(selected[place]);
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn splat(value: u64) -> __m512i {
        _mm512_set1_epi64(value.cast_signed())
    }

    fn vector(digit: Digit) -> __m512i {
        bytemuck::must_cast(digit)
    }

    fn digit(vector: __m512i) -> Digit {
        bytemuck::must_cast(vector)
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(crate) use elsewhere::Avx512;

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    use super::{Kernel, Modulus, TABLE_LEN, Window};
    use crate::number::Number;

    /// No other processor has AVX-512, so there is no value.
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Avx512 {}

    impl Avx512 {
        pub(crate) fn detect() -> Option<Self> {
            None
        }
    }

    impl Kernel for Avx512 {
        fn multiply<const N: usize>(
            self,
            _a: &Number<N>,
            _b: &Number<N>,
            _modulus: &Modulus<N>,
            _product: &mut Number<N>,
        ) {
            match self {}
        }

        fn select<const N: usize>(
            self,
            _table: &[Number<N>; TABLE_LEN],
            _index: Window,
            _entry: &mut Number<N>,
        ) {
            match self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use ssl_provider_testkit::bytes::Rng;

    use super::*;
    use crate::number::{DIGIT_BITS, HALF, SPARE_BITS, digits_of};

    /// Eight numbers below 2^(52 N) and the bytes of each.
    fn random<const N: usize>(rng: &mut Rng) -> (Number<N>, Vec<BigUint>) {
        let mut number = Number::zero();
        let mut values = Vec::new();
        for lane in 0..LANES {
            let bytes = rng.bytes(N * DIGIT_BITS / 8);
            number.set_lane(lane, &bytes);
            values.push(BigUint::from_bytes_be(&bytes));
        }
        (number, values)
    }

    fn value<const N: usize>(number: &Number<N>, lane: usize) -> BigUint {
        let mut bytes = vec![0; N * DIGIT_BITS / 8 + 1];
        number.write_lane(lane, &mut bytes);
        BigUint::from_bytes_be(&bytes)
    }

    fn assert_multiplies<const N: usize>(kernel: impl Kernel) {
        let mut rng = Rng::new(80);
        let bits = N * DIGIT_BITS;
        for _ in 0..50 {
            let moduli: [Vec<u8>; 2] = std::array::from_fn(|_| {
                let mut modulus = rng.bytes((bits - SPARE_BITS) / 8);
                *modulus.last_mut().unwrap() |= 1;
                modulus
            });
            let [lower, upper] =
                [&moduli[0], &moduli[1]].map(|bytes| Modulus::<N>::new(&digits_of(bytes)));
            let n: [BigUint; LANES] =
                std::array::from_fn(|lane| BigUint::from_bytes_be(&moduli[lane / HALF]));
            let (a, a_values) = random::<N>(&mut rng);
            // One factor is anything, the other is below the modulus.
            let (_, b_values) = random::<N>(&mut rng);
            let mut b = Number::zero();
            let b_values: Vec<BigUint> =
                b_values.into_iter().zip(&n).map(|(value, n)| value % n).collect();
            for (lane, value) in b_values.iter().enumerate() {
                b.set_lane(lane, &value.to_bytes_be());
            }
            let mut product = Number::zero();
            kernel.multiply(&a, &b, &lower.beside(&upper), &mut product);
            for lane in 0..LANES {
                let (found, n) = (value(&product, lane), &n[lane]);
                assert!(found < n * 2u32, "{kernel:?} with {N} digits");
                let expected = (&a_values[lane] * &b_values[lane]) % n;
                assert_eq!((found << bits) % n, expected, "{kernel:?} with {N} digits");
            }
        }
    }

    fn assert_selects<const N: usize>(kernel: impl Kernel) {
        let mut rng = Rng::new(81);
        let table: [Number<N>; TABLE_LEN] = std::array::from_fn(|_| random(&mut rng).0);
        for first in 0..TABLE_LEN {
            // Every index is asked for in every lane, beside others.
            let index: [usize; LANES] = std::array::from_fn(|lane| (first + 5 * lane) % TABLE_LEN);
            let mut found = Number::one();
            kernel.select(&table, index.map(|index| u8::try_from(index).unwrap()), &mut found);
            for (lane, index) in index.into_iter().enumerate() {
                let wanted = value(&table[index], lane);
                assert_eq!(value(&found, lane), wanted, "{kernel:?}, lane {lane} of {index}");
            }
        }
    }

    fn assert_kernel(kernel: impl Kernel) {
        assert_multiplies::<10>(kernel);
        assert_multiplies::<20>(kernel);
        assert_multiplies::<30>(kernel);
        assert_multiplies::<60>(kernel);
        assert_selects::<10>(kernel);
        assert_selects::<30>(kernel);
    }

    #[test]
    fn the_portable_kernel_multiplies_and_selects() {
        assert_kernel(Portable);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_avx512_kernel_multiplies_and_selects() {
        use ssl_provider_testkit::loud::not_tested;

        match Avx512::detect() {
            Some(kernel) => assert_kernel(kernel),
            None => not_tested("multi-buffer RSA", "this processor has no AVX-512 IFMA"),
        }
    }
}
