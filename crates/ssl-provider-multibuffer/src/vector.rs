//! The instructions of each kind of processor. [`Work`] is arithmetic written once for any
//! registers, [`Vector`] is the instructions on registers, and [`Kernel`] is the entry to them, the
//! only one. Each instruction takes the same time whatever the numbers are.

use crate::number::{DIGIT_BITS, DIGIT_MASK, Digit, LANES};

/// Takes a sum to what it carries into the next digit.
const DIGIT_SHIFT: u32 = 52;
const _: () = assert!(DIGIT_SHIFT as usize == DIGIT_BITS);

/// Registers that hold a digit of several lanes, and what is done with them.
pub(crate) trait Vector: Copy {
    /// A digit, or a sum of up to 64 bits, of each lane.
    type Register: Copy;

    /// Columns of a product that are summed up at once: as many as leave registers for the rest.
    const COLUMNS: usize;

    /// The largest digit in every lane: what is added before a carry that rounds up. Only the model
    /// of the tests, whose digits are shorter, has another.
    const LARGEST_DIGIT: &'static Digit = &Digit([DIGIT_MASK; LANES]);

    fn zero(self) -> Self::Register;

    fn load(self, digit: &Digit) -> Self::Register;

    fn store(self, digit: &mut Digit, value: Self::Register);

    /// `sum` + the lower 52 bits of the product of two digits. Of each factor the lower 52 bits
    /// count.
    fn add_low(self, sum: Self::Register, a: Self::Register, b: Self::Register) -> Self::Register;

    /// `sum` + the upper 52 bits of the product of two digits. Of each factor the lower 52 bits
    /// count.
    fn add_high(self, sum: Self::Register, a: Self::Register, b: Self::Register) -> Self::Register;

    fn add(self, a: Self::Register, b: Self::Register) -> Self::Register;

    /// What is above the lower 52 bits.
    fn carry(self, sum: Self::Register) -> Self::Register;

    /// The bits of `one` where `mask` has ones, and those of `other` where it has zeros.
    fn choose(
        self,
        mask: Self::Register,
        one: Self::Register,
        other: Self::Register,
    ) -> Self::Register;
}

/// Arithmetic for any kind of registers.
pub(crate) trait Work {
    /// Does the work in the lanes that `vector` stands for. To be inlined, since only the caller
    /// may use the instructions.
    fn run<V: Vector>(&mut self, vector: V);
}

/// A kind of processor. A value is the proof that this processor is of that kind.
pub(crate) trait Kernel: Copy + std::fmt::Debug + Send + Sync + 'static {
    /// Does the work in all lanes.
    fn run(self, work: impl Work);

    /// The same for the lower half of the lanes only, which may take less time. What the upper half
    /// holds afterwards is of no use.
    fn lower(self) -> Self;

    /// Whether it starts two multiplications of all lanes in each cycle. One stream of short
    /// numbers then waits for its own results, and two do not.
    fn starts_two_a_cycle(self) -> bool;

    /// Fewest operations that are worth a batch, in place of a library with assembly for one after
    /// the other, for primes of this many digits. Measured with AVX-512, and for AVX-IFMA estimated
    /// from the half of the lanes that AVX-512 computes in as many cycles.
    fn min_batch_with_assembly(self, digits_of_primes: usize) -> usize;

    /// Digits of the largest [block](crate::blocks): one half of its product is summed up at once.
    const LARGEST_BLOCK: usize;
}

/// Plain Rust. Too slow to be of use, but it runs everywhere: under valgrind, and beside the other
/// kernels in their tests.
#[cfg(any(test, feature = "__probe"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

#[cfg(any(test, feature = "__probe"))]
impl Kernel for Portable {
    const LARGEST_BLOCK: usize = <Self as Vector>::COLUMNS;

    fn run(self, mut work: impl Work) {
        work.run(self);
    }

    fn lower(self) -> Self {
        self
    }

    fn starts_two_a_cycle(self) -> bool {
        true
    }

    fn min_batch_with_assembly(self, _digits_of_primes: usize) -> usize {
        2
    }
}

#[cfg(any(test, feature = "__probe"))]
impl Portable {
    fn product(a: u64, b: u64) -> u128 {
        u128::from(a & DIGIT_MASK) * u128::from(b & DIGIT_MASK)
    }
}

/// Not inlined: a block has hundreds of calls, and compiling would take minutes.
#[cfg(any(test, feature = "__probe"))]
impl Vector for Portable {
    type Register = Digit;

    // Those of AVX-512, so that both do the same.
    const COLUMNS: usize = 20;

    fn zero(self) -> Digit {
        Digit::ZERO
    }

    fn load(self, digit: &Digit) -> Digit {
        *digit
    }

    fn store(self, digit: &mut Digit, value: Digit) {
        *digit = value;
    }

    #[inline(never)]
    fn add_low(self, sum: Digit, a: Digit, b: Digit) -> Digit {
        let low = |lane: usize| {
            #[expect(clippy::cast_possible_truncation, reason = "the lower 52 bits are asked for")]
            let low = Self::product(a.0[lane], b.0[lane]) as u64 & DIGIT_MASK;
            sum.0[lane].wrapping_add(low)
        };
        Digit(std::array::from_fn::<_, LANES, _>(low))
    }

    #[inline(never)]
    fn add_high(self, sum: Digit, a: Digit, b: Digit) -> Digit {
        let high = |lane: usize| {
            #[expect(clippy::cast_possible_truncation, reason = "52 bits of 104 are left")]
            let high = (Self::product(a.0[lane], b.0[lane]) >> DIGIT_SHIFT) as u64;
            sum.0[lane].wrapping_add(high)
        };
        Digit(std::array::from_fn::<_, LANES, _>(high))
    }

    #[inline(never)]
    fn add(self, a: Digit, b: Digit) -> Digit {
        Digit(std::array::from_fn(|lane| a.0[lane].wrapping_add(b.0[lane])))
    }

    #[inline(never)]
    fn carry(self, sum: Digit) -> Digit {
        Digit(sum.0.map(|sum| sum >> DIGIT_SHIFT))
    }

    #[inline(never)]
    fn choose(self, mask: Digit, one: Digit, other: Digit) -> Digit {
        let choose = |lane: usize| (one.0[lane] & mask.0[lane]) | (other.0[lane] & !mask.0[lane]);
        Digit(std::array::from_fn(choose))
    }
}

#[cfg(all(test, not(target_arch = "x86_64")))]
pub(crate) use elsewhere::AvxIfmaTwin;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use elsewhere::{Avx512, AvxIfma};
#[cfg(all(test, target_arch = "x86_64"))]
pub(crate) use x86_64::AvxIfmaTwin;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{Avx512, AvxIfma};

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::{
        __cpuid, __m256i, __m512i, _mm256_add_epi64, _mm256_and_si256, _mm256_andnot_si256,
        _mm256_madd52hi_avx_epu64, _mm256_madd52hi_epu64, _mm256_madd52lo_avx_epu64,
        _mm256_madd52lo_epu64, _mm256_or_si256, _mm256_setzero_si256, _mm256_srli_epi64,
        _mm512_add_epi64, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_setzero_si512,
        _mm512_srli_epi64, _mm512_ternarylogic_epi64,
    };

    use super::{DIGIT_SHIFT, Kernel, Vector, Work};
    use crate::number::Digit;

    /// Methods that are one instruction, or a few, of a processor that `self` is the proof of.
    macro_rules! instructions {
        ($($name:ident($($argument:ident),*) = $instructions:expr;)*) => { $(
            #[inline(always)]
            fn $name(self $(, $argument: Self::Register)*) -> Self::Register {
                #[allow(clippy::multiple_unsafe_ops_per_block, reason = "all need the same")]
                // SAFETY: the instructions take any values, and need the features that were
                // detected when `self` was made.
                unsafe { $instructions }
            }
        )* };
    }

    /// AVX-512 with IFMA: a register holds a digit of all lanes, or of half of them.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Avx512 {
        starts_two_a_cycle: bool,
        only_lower: bool,
    }

    impl Avx512 {
        /// The kernel, where the processor and the operating system support it.
        pub(crate) fn detect() -> Option<Self> {
            let is_supported = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512ifma")
                && is_x86_feature_detected!("avx512vl");
            is_supported.then(|| Self { starts_two_a_cycle: !is_zen4(), only_lower: false })
        }
    }

    /// Whether this is AMD's Zen 4 (family 19h with AVX-512), which computes 512 bits in halves.
    #[allow(unused_unsafe, reason = "safe from Rust 1.94 on")]
    fn is_zen4() -> bool {
        // SAFETY: every processor of 64 bits has the instruction, and these two leaves.
        let [vendor, version] = [0, 1].map(|leaf| unsafe { __cpuid(leaf) });
        is_zen4_signature([vendor.ebx, vendor.edx, vendor.ecx], version.eax)
    }

    /// Whether CPUID says AMD and family 19h: Zen 4, or Zen 3, which has no AVX-512.
    fn is_zen4_signature(vendor: [u32; 3], version: u32) -> bool {
        let is_amd = vendor.map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD";
        // The family, and what is added to it where it is 15.
        is_amd && version >> 8 & 0xf == 0xf && version >> 20 & 0xff == 0x19 - 0xf
    }

    #[test]
    fn zen_4_is_told_from_processors_that_start_two_multiplications_a_cycle() {
        let vendor = |name: &[u8; 12]| {
            let (words, _) = name.as_chunks::<4>();
            [words[0], words[1], words[2]].map(u32::from_le_bytes)
        };
        let amd = vendor(b"AuthenticAMD");
        assert!(is_zen4_signature(amd, 0x00a1_0f11), "Genoa");
        assert!(is_zen4_signature(amd, 0x00a6_0f12), "Raphael");
        assert!(!is_zen4_signature(amd, 0x00b0_0f21), "Turin, Zen 5");
        assert!(!is_zen4_signature(vendor(b"GenuineIntel"), 0x0008_06f8), "Sapphire Rapids");
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline(never)]
    fn avx512<W: Work>(kernel: Avx512, work: &mut W) {
        work.run(kernel);
    }

    #[target_feature(enable = "avx512f,avx512ifma,avx512vl")]
    #[inline(never)]
    fn avx512_lower<W: Work>(half: HalfOfAvx512, work: &mut W) {
        work.run(half);
    }

    impl Kernel for Avx512 {
        const LARGEST_BLOCK: usize = <Self as Vector>::COLUMNS;

        fn run(self, mut work: impl Work) {
            if self.only_lower {
                let half = HalfOfAvx512 { _kernel: self, upper: 0 };
                // SAFETY: the features were detected when `self` was made.
                unsafe { avx512_lower(half, &mut work) }
            } else {
                // SAFETY: the features were detected when `self` was made.
                unsafe { avx512(self, &mut work) }
            }
        }

        fn lower(self) -> Self {
            Self { only_lower: true, ..self }
        }

        fn starts_two_a_cycle(self) -> bool {
            self.starts_two_a_cycle
        }

        fn min_batch_with_assembly(self, digits_of_primes: usize) -> usize {
            match digits_of_primes {
                ..=15 => 1,
                _ => 2,
            }
        }
    }

    impl Vector for Avx512 {
        type Register = __m512i;

        // Of 32 registers.
        const COLUMNS: usize = 20;

        #[inline(always)]
        fn load(self, digit: &Digit) -> __m512i {
            bytemuck::must_cast(*digit)
        }

        #[inline(always)]
        fn store(self, digit: &mut Digit, value: __m512i) {
            *digit = bytemuck::must_cast(value);
        }

        instructions! {
            zero() = _mm512_setzero_si512();
            add_low(sum, a, b) = _mm512_madd52lo_epu64(sum, a, b);
            add_high(sum, a, b) = _mm512_madd52hi_epu64(sum, a, b);
            add(a, b) = _mm512_add_epi64(a, b);
            carry(sum) = _mm512_srli_epi64::<DIGIT_SHIFT>(sum);
            // A truth table: the bit 4 mask + 2 one + other is the result.
            choose(mask, one, other) = _mm512_ternarylogic_epi64::<0b1100_1010>(mask, one, other);
        }
    }

    /// Registers of half of the lanes. The multiplications are parameters: AVX-IFMA and AVX-512
    /// each have instructions for them, which mean the same.
    macro_rules! half_of_lanes {
        (
            $half:ident of $kernel:ident,
            $columns:literal columns of $registers:literal registers, $low:ident, $high:ident
        ) => {
            #[doc = concat!("Half of the lanes, in ", $registers, " registers.")]
            #[derive(Clone, Copy, Debug)]
            struct $half {
                /// The proof that the processor has the instructions.
                _kernel: $kernel,
                /// 0 for the lower lanes, 1 for the upper.
                upper: usize,
            }

            impl Vector for $half {
                type Register = __m256i;

                const COLUMNS: usize = $columns;

                #[inline(always)]
                fn load(self, digit: &Digit) -> __m256i {
                    let halves: &[__m256i; 2] = bytemuck::must_cast_ref(digit);
                    halves[self.upper & 1]
                }

                #[inline(always)]
                fn store(self, digit: &mut Digit, value: __m256i) {
                    let halves: &mut [__m256i; 2] = bytemuck::must_cast_mut(digit);
                    halves[self.upper & 1] = value;
                }

                instructions! {
                    zero() = _mm256_setzero_si256();
                    add_low(sum, a, b) = $low(sum, a, b);
                    add_high(sum, a, b) = $high(sum, a, b);
                    add(a, b) = _mm256_add_epi64(a, b);
                    carry(sum) = _mm256_srli_epi64::<{ DIGIT_SHIFT.cast_signed() }>(sum);
                    choose(mask, one, other) = _mm256_or_si256(
                        _mm256_and_si256(mask, one),
                        _mm256_andnot_si256(mask, other)
                    );
                }
            }
        };
    }

    half_of_lanes! {
        HalfOfAvx512 of Avx512, 20 columns of 32 registers,
        _mm256_madd52lo_epu64, _mm256_madd52hi_epu64
    }

    half_of_lanes! {
        HalfOfAvxIfma of AvxIfma, 10 columns of 16 registers,
        _mm256_madd52lo_avx_epu64, _mm256_madd52hi_avx_epu64
    }

    /// A kernel that computes one half of the lanes after the other.
    macro_rules! kernel_of_halves {
        (
            $(#[$doc:meta])* $kernel:ident of $half:ident, $entry:ident,
            $features:literal = [$($feature:tt),*]
        ) => {
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct $kernel {
                only_lower: bool,
            }

            impl $kernel {
                /// The kernel, where the processor and the operating system support it.
                pub(crate) fn detect() -> Option<Self> {
                    let is_supported = $(is_x86_feature_detected!($feature) &&)* true;
                    is_supported.then_some(Self { only_lower: false })
                }
            }

            #[target_feature(enable = $features)]
            #[inline(never)]
            fn $entry<W: Work>(half: $half, work: &mut W) {
                work.run(half);
            }

            impl Kernel for $kernel {
                const LARGEST_BLOCK: usize = <$half as Vector>::COLUMNS;

                fn run(self, mut work: impl Work) {
                    let halves = if self.only_lower { 0..1 } else { 0..2 };
                    for upper in halves {
                        let half = $half { _kernel: self, upper };
                        // SAFETY: the features were detected when `self` was made.
                        unsafe { $entry(half, &mut work) }
                    }
                }

                fn lower(self) -> Self {
                    Self { only_lower: true }
                }

                // It has too few registers for two streams.
                fn starts_two_a_cycle(self) -> bool {
                    false
                }

                fn min_batch_with_assembly(self, digits_of_primes: usize) -> usize {
                    match digits_of_primes {
                        ..=15 => 1,
                        _ => 2,
                    }
                }
            }
        };
    }

    kernel_of_halves! {
        /// AVX-IFMA, which processors without AVX-512 have.
        AvxIfma of HalfOfAvxIfma, avx_ifma, "avx2,avxifma" = ["avx2", "avxifma"]
    }

    #[cfg(test)]
    half_of_lanes! {
        HalfOfTwin of AvxIfmaTwin, 10 columns of 16 registers,
        _mm256_madd52lo_epu64, _mm256_madd52hi_epu64
    }

    #[cfg(test)]
    kernel_of_halves! {
        /// The twin of AVX-IFMA that processors with AVX-512 have, for tests.
        AvxIfmaTwin of HalfOfTwin, avx_ifma_twin,
        "avx2,avx512ifma,avx512vl" = ["avx2", "avx512ifma", "avx512vl"]
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod elsewhere {
    use super::{Kernel, Vector, Work};
    use crate::number::Digit;

    macro_rules! absent {
        ($($(#[$doc:meta])* $name:ident;)*) => { $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug)]
            pub(crate) enum $name {}

            // So that the compiler checks the arithmetic here too, and does not call it unused.
            impl Vector for $name {
                type Register = Digit;

                const COLUMNS: usize = 20;

                absent! { @instructions
                    zero();
                    add_low(Digit, Digit, Digit);
                    add_high(Digit, Digit, Digit);
                    add(Digit, Digit);
                    carry(Digit);
                    choose(Digit, Digit, Digit);
                }

                fn load(self, _digit: &Digit) -> Digit {
                    match self {}
                }

                fn store(self, _digit: &mut Digit, _value: Digit) {
                    match self {}
                }
            }

            impl $name {
                pub(crate) fn detect() -> Option<Self> {
                    None
                }
            }

            impl Kernel for $name {
                const LARGEST_BLOCK: usize = <Self as Vector>::COLUMNS;

                fn run(self, mut work: impl Work) {
                    work.run(self);
                }

                fn lower(self) -> Self {
                    self
                }

                fn starts_two_a_cycle(self) -> bool {
                    match self {}
                }

                fn min_batch_with_assembly(self, _digits_of_primes: usize) -> usize {
                    match self {}
                }
            }
        )* };
        (@instructions $($name:ident($($argument:ty),*);)*) => { $(
            fn $name(self $(, _: $argument)*) -> Digit {
                match self {}
            }
        )* };
    }

    absent! {
        /// No other processor has AVX-512, so there is no value.
        Avx512;
        /// No other processor has AVX-IFMA, so there is no value.
        AvxIfma;
    }

    #[cfg(test)]
    absent! {
        /// As [`AvxIfma`].
        AvxIfmaTwin;
    }
}

/// Runs a generic function with every kernel: the one in plain Rust, and the fast ones.
#[cfg(test)]
macro_rules! on_every_kernel {
    ($test:ident) => {{
        $test(crate::vector::Portable);
        crate::vector::on_every_fast_kernel!($test);
    }};
}

/// Runs a generic function with the kernels of this processor. Where one is missing, that is said,
/// or the test fails if `SSL_PROVIDER_EXPECT_CPU` lists it.
#[cfg(test)]
macro_rules! on_every_fast_kernel {
    ($test:ident) => {{
        use ssl_provider_testkit::diagnostics::{assert_not_expected, not_tested_without};

        use crate::vector::{Avx512, AvxIfma, AvxIfmaTwin};

        match Avx512::detect() {
            Some(kernel) => $test(kernel),
            None => not_tested_without(&["avx512ifma"], "multi-buffer RSA by AVX-512"),
        }
        match (AvxIfma::detect(), AvxIfmaTwin::detect()) {
            (Some(kernel), _) => $test(kernel),
            (None, Some(twin)) => {
                assert_not_expected(&["avxifma"]);
                $test(twin);
            }
            (None, None) => not_tested_without(&["avxifma"], "multi-buffer RSA by AVX-IFMA"),
        }
    }};
}

#[cfg(test)]
pub(crate) use {on_every_fast_kernel, on_every_kernel};

#[cfg(test)]
mod tests {
    use ssl_provider_testkit::diagnostics::{EXPECT_CPU, expected_cpu_features};

    use super::*;

    /// The tests above the kernels pass where there is none, so this one asks for them.
    #[test]
    fn the_kernels_are_those_that_the_environment_expects() {
        for name in expected_cpu_features() {
            let is_there = match name.as_str() {
                "avx512ifma" => Avx512::detect().is_some(),
                "avxifma" => AvxIfma::detect().is_some(),
                _ => false,
            };
            assert!(is_there, "{EXPECT_CPU} lists {name}, for which no kernel was found here");
        }
    }
}
