//! The bound of multi-buffer RSA: how many multiply-adds of 52 bits a batch takes at least, and how
//! many the processor issues. The rate is measured, since no system reports the clock.

use std::time::Duration;

use serde_json::{Value, json};

use ssl_provider_benches::clock;

use crate::rank;

/// Multiply-adds of eight lanes in a second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IssueRates {
    /// With all operands in registers.
    pub(crate) register: f64,
    /// With one operand in four from the first-level cache, as multiplications have it. On a core
    /// whose other hardware thread is busy only this rate falls, and with it every contestant's.
    pub(crate) memory: f64,
}

impl IssueRates {
    /// Measures both; none where the processor has no AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn measure() -> Option<Self> {
        use std::hint::black_box;

        if !is_x86_feature_detected!("avx512f") || !is_x86_feature_detected!("avx512ifma") {
            return None;
        }
        let digits = black_box([[0x3_1415_9265_3589_u64; 8]; x86::DIGITS]);
        // SAFETY: the features were detected above.
        let register = best(|turns| unsafe { x86::in_registers(turns) });
        // SAFETY: the features were detected above.
        let memory = best(|turns| unsafe { x86::from_memory(turns, &digits) });
        Some(Self { register, memory })
    }

    /// There is no such instruction.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn measure() -> Option<Self> {
        None
    }
}

/// Returns the rate of the fastest of a few bursts of a millisecond or less.
fn best(burst: impl Fn(u32) -> u64) -> f64 {
    const BURSTS: usize = 6;
    const TURNS: u32 = 40_000;
    let time = |_| {
        let start = clock::thread_time();
        let products = burst(TURNS);
        let time = clock::thread_time() - start;
        products as f64 / time.max(Duration::from_nanos(1)).as_secs_f64()
    };
    (0..BURSTS).map(time).fold(0.0, f64::max)
}

/// Returns the line about the rates of a run, in the order in which they were measured.
pub(crate) fn summary(rates: &[IssueRates]) -> Value {
    let (Some(first), Some(last)) = (rates.first(), rates.last()) else {
        return json!({ "issue_rate": null });
    };
    let register: Vec<f64> = rates.iter().map(|rates| rates.register).collect();
    let memory: Vec<f64> = rates.iter().map(|rates| rates.memory).collect();
    json!({ "issue_rate": {
        "first": first.register,
        "last": last.register,
        "low": rank(&register, 0.1),
        "median": rank(&register, 0.5),
        "high": rank(&register, 0.9),
        "memory_median": rank(&memory, 0.5),
    }})
}

/// The multiply-adds of eight private operations on keys of `modulus_bits`: Montgomery arithmetic
/// on two primes in digits of 52 bits, the exponent in windows of five bits. Nothing else counts:
/// not the table of the windows, blinding, the check, carries. So no program gets there.
pub(crate) fn products_of_batch(modulus_bits: u64) -> u64 {
    const DIGIT_BITS: u64 = 52;
    const WINDOW_BITS: u64 = 5;
    let prime_bits = modulus_bits / 2;
    let digits = prime_bits.div_ceil(DIGIT_BITS);
    // Each product has a low and a high half. In a square all but N are used twice. Of a reduction,
    // the low half of the lowest digit need not be computed, but the quotient digit.
    let square = digits * (digits + 1);
    let product = 2 * digits * digits;
    let reduction = 2 * digits * digits;
    let squarings = prime_bits * (square + reduction);
    let multiplications = prime_bits.div_ceil(WINDOW_BITS) * (product + reduction);
    2 * (squarings + multiplications)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
        _mm512_set1_epi64, _mm512_setzero_si512,
    };
    use std::hint::black_box;

    /// Numbers in memory, as many as an RSA-2048 prime has digits.
    pub(super) const DIGITS: usize = 20;

    /// Sums that do not wait for each other: more than a multiply-add takes cycles, on two ports.
    const SUMS: usize = 24;

    /// Multiply-adds of registers. Returns how many.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn in_registers(turns: u32) -> u64 {
        let a = _mm512_set1_epi64(black_box(0x3_1415_9265_3589));
        let b = _mm512_set1_epi64(black_box(0x2_7182_8182_8459));
        let mut sums = different_sums::<SUMS>();
        for _ in 0..turns {
            for pair in 0..SUMS / 2 {
                sums[2 * pair] = _mm512_madd52lo_epu64(sums[2 * pair], a, b);
                sums[2 * pair + 1] = _mm512_madd52hi_epu64(sums[2 * pair + 1], a, b);
            }
        }
        black_box(sums);
        u64::from(turns) * SUMS as u64
    }

    /// Multiply-adds as in a product: each digit that is loaded is multiplied by two digits, and
    /// the halves are added to three sums. Returns how many.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn from_memory(turns: u32, digits: &[[u64; 8]; DIGITS]) -> u64 {
        let a = _mm512_set1_epi64(black_box(0x3_1415_9265_3589));
        let b = _mm512_set1_epi64(black_box(0x2_7182_8182_8459));
        let mut sums = different_sums::<{ DIGITS + 2 }>();
        for _ in 0..turns {
            // The digits are read where they are, in every turn.
            let digits = black_box(digits);
            for place in 0..DIGITS {
                // SAFETY: the pointer is to 64 readable bytes.
                let digit = unsafe { _mm512_loadu_si512(digits[place].as_ptr().cast()) };
                sums[place] = _mm512_madd52lo_epu64(sums[place], a, digit);
                sums[place + 1] = _mm512_madd52hi_epu64(sums[place + 1], a, digit);
                sums[place + 1] = _mm512_madd52lo_epu64(sums[place + 1], b, digit);
                sums[place + 2] = _mm512_madd52hi_epu64(sums[place + 2], b, digit);
            }
        }
        black_box(sums);
        u64::from(turns) * 4 * DIGITS as u64
    }

    /// Different, so that the compiler does not merge equal ones.
    #[target_feature(enable = "avx512f")]
    fn different_sums<const N: usize>() -> [__m512i; N] {
        let mut sums = [_mm512_setzero_si512(); N];
        for (number, sum) in (0_i64..).zip(&mut sums) {
            *sum = _mm512_set1_epi64(black_box(number));
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bounds that were computed by hand for 5.54 G multiply-adds a second.
    #[test]
    fn bounds_are_those_of_the_published_table() {
        for (bits, published) in
            [(1024, 111_000.0), (2048, 14_060.0), (3072, 4_180.0), (4096, 1_765.0)]
        {
            let bound = 8.0 * 5.54e9 / products_of_batch(bits) as f64;
            assert!((bound / published - 1.0).abs() < 0.01, "{bits}: {bound}");
        }
    }

    #[test]
    fn the_summary_has_the_spread_and_the_ends() {
        let rates = [(5.0, 4.0), (6.0, 4.5), (5.5, 3.0)]
            .map(|(register, memory)| IssueRates { register, memory });
        let expected = json!({ "issue_rate": {
            "first": 5.0, "last": 5.5, "low": 5.0, "median": 5.5, "high": 6.0,
            "memory_median": 4.0,
        }});
        assert_eq!(summary(&rates), expected);
        assert_eq!(summary(&[]), json!({ "issue_rate": null }));
    }
}
