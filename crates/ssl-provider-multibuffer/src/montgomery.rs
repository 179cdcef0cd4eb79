//! Montgomery arithmetic in eight lanes, modulo numbers of any whole number of blocks.

use zeroize::{Zeroize, ZeroizeOnDrop, optimization_barrier};

use crate::blocks::{
    AddProduct, AddSquare, Carry, IndexBits, Interleaved, LookupPart, ModulusBlock, Reduce,
    ReduceAndCarry, Selection, TABLE_LEN,
};
use crate::number::{DIGIT_MASK, Digit, Digits, LANES, Number, side_by_side};
use crate::vector::Kernel;

/// Computes with the block that is right for a length and a kernel: of `B` digits, and `T` is twice
/// as many.
macro_rules! in_blocks {
    ($len:expr, $kernel:ty, $block:ident, $twice:ident => $work:expr) => {
        match const { block_len($len, <$kernel>::LARGEST_BLOCK) } {
            20 => in_blocks!(@ 20, 40, $block, $twice, $work),
            15 => in_blocks!(@ 15, 30, $block, $twice, $work),
            10 => in_blocks!(@ 10, 20, $block, $twice, $work),
            _ => in_blocks!(@ 5, 10, $block, $twice, $work),
        }
    };
    (@ $len:literal, $twice_len:literal, $block:ident, $twice:ident, $work:expr) => {{
        const $block: usize = $len;
        const $twice: usize = $twice_len;
        $work
    }};
}

/// An odd modulus in each lane, as Montgomery multiplication needs it. Wiped on drop.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Modulus<const N: usize> {
    pub(crate) number: Number<N>,
    /// -1 / modulus mod 2^52.
    negative_inverse: Digit,
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

    /// Lanes of one modulus beside lanes of another; see [`side_by_side`].
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

/// Room for a product of two numbers before it is reduced. Wiped on drop.
struct Product<const N: usize>([[Digit; N]; 2]);

impl<const N: usize> Drop for Product<N> {
    fn drop(&mut self) {
        self.0 = [[Digit::ZERO; N]; 2];
        optimization_barrier(&self.0);
    }
}

/// Montgomery multiplication modulo `S` moduli at once, with the room that it takes.
///
/// R is 2^(52 N). If the product of a and b is below R times the modulus, the result is below twice
/// the modulus.
pub(crate) struct Context<'m, K, const S: usize, const N: usize> {
    kernel: K,
    moduli: [&'m Modulus<N>; S],
    products: [Product<N>; S],
}

impl<'m, K: Kernel, const S: usize, const N: usize> Context<'m, K, S, N> {
    pub(crate) fn new(kernel: K, moduli: [&'m Modulus<N>; S]) -> Self {
        let products = [const { Product([[Digit::ZERO; N]; 2]) }; S];
        Self { kernel, moduli, products }
    }

    /// `result` = a b / R mod the modulus, not fully reduced.
    pub(crate) fn multiply(
        &mut self,
        a: [&Number<N>; S],
        b: [&Number<N>; S],
        result: [&mut Number<N>; S],
    ) {
        in_blocks!(N, K, B, T => {
            self.multiply_blocks::<B, T>(a, b);
            self.reduce::<B, T>(result);
        });
    }

    /// `result` = a^2 / R mod the modulus, not fully reduced.
    pub(crate) fn square(&mut self, a: [&Number<N>; S], result: [&mut Number<N>; S]) {
        in_blocks!(N, K, B, T => {
            self.square_blocks::<B, T>(a);
            self.reduce::<B, T>(result);
        });
    }

    /// Squares, and does one of the [`LOOKUP_PARTS`](crate::blocks::LOOKUP_PARTS) of `lookups`
    /// meanwhile. Two streams need all registers: with them, all of it is done before the first
    /// squaring.
    pub(crate) fn square_and_look_up(
        &mut self,
        a: [&Number<N>; S],
        result: [&mut Number<N>; S],
        lookups: &mut [Lookup<'_, N>; S],
        part: usize,
    ) {
        if S > 1 {
            if part == 0 {
                for lookup in lookups {
                    lookup.run(self.kernel);
                }
            }
            return self.square(a, result);
        }
        in_blocks!(N, K, B, T => {
            self.square_blocks::<B, T>(a);
            self.reduce_and_look_up::<B, T>(result, lookups, part);
        });
    }

    fn multiply_blocks<const B: usize, const T: usize>(
        &mut self,
        a: [&Number<N>; S],
        b: [&Number<N>; S],
    ) {
        let sums = self.products.each_mut().map(|product| product.0.as_flattened_mut());
        if const { N == B } {
            let sum = sums.map(|sum| chunk_mut(sum, 0));
            self.kernel.run(AddProduct::<S, B, T, true> { a: whole(a), b: whole(b), sum });
            return;
        }
        for ((a, b), sum) in a.iter().zip(b).zip(sums) {
            put_product::<K, B, T>(self.kernel, &a.0, &b.0, sum);
        }
    }

    fn square_blocks<const B: usize, const T: usize>(&mut self, a: [&Number<N>; S]) {
        let sums = self.products.each_mut().map(|product| product.0.as_flattened_mut());
        if const { N == B } {
            let sum = sums.map(|sum| chunk_mut(sum, 0));
            self.kernel.run(AddSquare::<S, B, T, true> { a: whole(a), sum });
            return;
        }
        for (a, sum) in a.iter().zip(sums) {
            put_square::<K, B, T>(self.kernel, &a.0, sum);
        }
    }

    fn reduce<const B: usize, const T: usize>(&mut self, results: [&mut Number<N>; S]) {
        #[cfg(feature = "__planted-leak")]
        planted_leak(&self.products[0]);
        if const { N == B } {
            self.reduce_block::<B, T>(results, ());
            return;
        }
        for (stream, result) in results.into_iter().enumerate() {
            self.reduce_blocks::<B, T>(stream, result, None, 0);
        }
    }

    fn reduce_and_look_up<const B: usize, const T: usize>(
        &mut self,
        results: [&mut Number<N>; S],
        lookups: &mut [Lookup<'_, N>; S],
        part: usize,
    ) {
        if const { N == B } {
            let selections = lookups.each_mut().map(|lookup| lookup.of_block::<B>(0));
            self.reduce_block::<B, T>(results, LookupPart { selections, part });
            return;
        }
        for (stream, (result, lookup)) in results.into_iter().zip(lookups).enumerate() {
            self.reduce_blocks::<B, T>(stream, result, Some(lookup), part);
        }
    }

    /// Reduces numbers of one block.
    fn reduce_block<const B: usize, const T: usize>(
        &mut self,
        results: [&mut Number<N>; S],
        interleaved: impl Interleaved,
    ) {
        self.kernel.run(ReduceAndCarry::<S, B, T, _> {
            modulus_block: ModulusBlock {
                modulus: self.moduli.map(|modulus| chunk(&modulus.number.0, 0)),
                negative_inverse: self.moduli.map(|modulus| &modulus.negative_inverse),
            },
            sum: self.products.each_ref().map(|product| chunk(product.0.as_flattened(), 0)),
            number: results.map(|result| chunk_mut(&mut result.0, 0)),
            interleaved,
        });
    }

    /// Reduces numbers of several blocks, and does a part of a lookup meanwhile.
    fn reduce_blocks<const B: usize, const T: usize>(
        &mut self,
        stream: usize,
        result: &mut Number<N>,
        mut lookup: Option<&mut Lookup<'_, N>>,
        part: usize,
    ) {
        let Modulus { number: modulus, negative_inverse } = self.moduli[stream];
        let sums = self.products[stream].0.as_flattened_mut();
        let mut quotients = [Digit::ZERO; B];
        for row in (0..N).step_by(B) {
            let modulus_block = ModulusBlock {
                modulus: [chunk(&modulus.0, 0)],
                negative_inverse: [negative_inverse],
            };
            let sum = [chunk_mut::<T, _>(sums, row)];
            let row_reduction =
                Reduce { modulus_block, sum, quotients: [&mut quotients], interleaved: () };
            match &mut lookup {
                Some(lookup) => {
                    let selections = [lookup.of_block::<B>(row)];
                    self.kernel.run(row_reduction.beside(LookupPart { selections, part }));
                }
                None => self.kernel.run(row_reduction),
            }
            for column in (B..N).step_by(B) {
                let at = &mut sums[row..];
                add_block::<K, B, T, false>(self.kernel, &modulus.0, column, &quotients, 0, at);
            }
        }
        quotients = [Digit::ZERO; B];
        optimization_barrier(&quotients);
        let [_, sums] = &self.products[stream].0;
        self.kernel.run(Carry { sums, number: &mut result.0 });
    }
}

/// A table of numbers: for each digit, that of every entry. Wiped on drop.
pub(crate) struct Table<const N: usize>([[Digit; TABLE_LEN]; N]);

impl<const N: usize> Table<N> {
    pub(crate) const fn zero() -> Self {
        Self([[Digit::ZERO; TABLE_LEN]; N])
    }

    /// Sets an entry, which is below [`TABLE_LEN`].
    pub(crate) fn set(&mut self, entry: usize, number: &Number<N>) {
        for (digits, digit) in self.0.iter_mut().zip(&number.0) {
            digits[entry] = *digit;
        }
    }

    /// Gets an entry, whose place is public.
    pub(crate) fn get(&self, entry: usize, number: &mut Number<N>) {
        for (digits, digit) in self.0.iter().zip(&mut number.0) {
            *digit = digits[entry];
        }
    }
}

impl<const N: usize> Drop for Table<N> {
    fn drop(&mut self) {
        self.0 = [[Digit::ZERO; TABLE_LEN]; N];
        optimization_barrier(&self.0);
    }
}

/// What is looked up in each lane: the entry of a table at a secret index.
pub(crate) struct Lookup<'a, const N: usize> {
    pub(crate) table: &'a Table<N>,
    pub(crate) index: &'a IndexBits,
    pub(crate) entry: &'a mut Number<N>,
}

impl<const N: usize> Lookup<'_, N> {
    /// Does all of it.
    pub(crate) fn run(&mut self, kernel: impl Kernel) {
        let Self { table, index, entry } = self;
        kernel.run(Selection { table: &table.0, index, entry: &mut entry.0 });
    }

    /// The part of it that yields the block that begins at a place.
    fn of_block<const B: usize>(&mut self, at: usize) -> Selection<'_, B> {
        Selection {
            table: chunk(&self.table.0, at),
            index: self.index,
            entry: chunk_mut(&mut self.entry.0, at),
        }
    }
}

impl<K: Kernel, const N: usize> Context<'_, K, 1, N> {
    /// Returns a b / R mod the modulus, not fully reduced.
    pub(crate) fn product(&mut self, a: &Number<N>, b: &Number<N>) -> Number<N> {
        let mut product = Number::zero();
        self.multiply([a], [b], [&mut product]);
        product
    }

    /// Returns a^2 / R mod the modulus, not fully reduced.
    pub(crate) fn squared(&mut self, a: &Number<N>) -> Number<N> {
        let mut square = Number::zero();
        self.square([a], [&mut square]);
        square
    }
}

/// Returns `summand` + a b, which fits.
pub(crate) fn multiply_and_add<K: Kernel, const H: usize, const N: usize>(
    kernel: K,
    a: &Number<H>,
    b: &Number<H>,
    summand: &Number<H>,
) -> Number<N> {
    let mut sums = summand.part::<N>(0);
    in_blocks!(H, K, B, T => add_product::<K, B, T>(kernel, &a.0, &b.0, &mut sums.0));
    let mut result = Number::zero();
    kernel.run(Carry { sums: &sums.0, number: &mut result.0 });
    result
}

/// A careless reduction, which looks whether there is anything to do.
#[cfg(feature = "__planted-leak")]
#[inline(never)]
fn planted_leak<const N: usize>(product: &Product<N>) {
    if product.0[1][N - 1].0[0] == 0 {
        std::hint::black_box(product);
    }
}

/// Digits of the longest block that a number of `len` digits is made of.
const fn block_len(len: usize, longest: usize) -> usize {
    let mut block = 20;
    while !len.is_multiple_of(block) || block > longest {
        block -= 5;
    }
    block
}

/// `sum` += a b.
fn add_product<K: Kernel, const B: usize, const T: usize>(
    kernel: K,
    a: &[Digit],
    b: &[Digit],
    sum: &mut [Digit],
) {
    for row in (0..b.len()).step_by(B) {
        for column in (0..a.len()).step_by(B) {
            add_block::<K, B, T, false>(kernel, a, column, b, row, sum);
        }
    }
}

/// `sum` = a b.
fn put_product<K: Kernel, const B: usize, const T: usize>(
    kernel: K,
    a: &[Digit],
    b: &[Digit],
    sum: &mut [Digit],
) {
    // Only what the first block does not set.
    sum[T..].fill(Digit::ZERO);
    for row in (0..b.len()).step_by(B) {
        for column in (0..a.len()).step_by(B) {
            match row + column {
                0 => add_block::<K, B, T, true>(kernel, a, column, b, row, sum),
                _ => add_block::<K, B, T, false>(kernel, a, column, b, row, sum),
            }
        }
    }
}

/// `sum` = a^2, of a number of more than one block.
fn put_square<K: Kernel, const B: usize, const T: usize>(
    kernel: K,
    a: &[Digit],
    sum: &mut [Digit],
) {
    // Only what the first block does not set.
    sum[..B].fill(Digit::ZERO);
    sum[B + T..].fill(Digit::ZERO);
    for row in (0..a.len()).step_by(B) {
        for column in (row + B..a.len()).step_by(B) {
            match row + column == B {
                true => add_block::<K, B, T, true>(kernel, a, column, a, row, sum),
                false => add_block::<K, B, T, false>(kernel, a, column, a, row, sum),
            }
        }
    }
    // These double what there is so far: each has its own columns.
    for row in (0..a.len()).step_by(B) {
        let sum = chunk_mut(sum, 2 * row);
        kernel.run(AddSquare::<1, B, T, false> { a: [chunk(a, row)], sum: [sum] });
    }
}

/// Adds the product of the block of `a` at `column` and that of `b` at `row`, or sets it where
/// there is nothing yet.
fn add_block<K: Kernel, const B: usize, const T: usize, const FRESH: bool>(
    kernel: K,
    a: &[Digit],
    column: usize,
    b: &[Digit],
    row: usize,
    sum: &mut [Digit],
) {
    let sum = [chunk_mut(sum, row + column)];
    let (a, b) = ([chunk(a, column)], [chunk(b, row)]);
    kernel.run(AddProduct::<1, B, T, FRESH> { a, b, sum });
}

/// Numbers that are one block each.
fn whole<const S: usize, const N: usize, const B: usize>(
    numbers: [&Number<N>; S],
) -> [&[Digit; B]; S] {
    numbers.map(|number| chunk(&number.0, 0))
}

/// The items of a block that begins at a place; lengths are whole numbers of blocks.
fn chunk<const B: usize, T>(items: &[T], at: usize) -> &[T; B] {
    items[at..].first_chunk().expect("a number of whole blocks")
}

/// As [`chunk`], to be changed.
fn chunk_mut<const B: usize, T>(items: &mut [T], at: usize) -> &mut [T; B] {
    items[at..].first_chunk_mut().expect("a number of whole blocks")
}

#[cfg(test)]
mod tests {
    use std::{array, thread};

    use num_bigint::BigUint;
    use ssl_provider_testkit::bytes::{Rng, number_from_env};
    use ssl_provider_testkit::diagnostics::{CPU_FEATURES, not_tested_without, progress};

    use super::*;
    use crate::blocks::LOOKUP_PARTS;
    use crate::number::tests::adversarial;
    use crate::number::{DIGIT_BITS, HALF, SPARE_BITS, digits_of};
    use crate::vector::{Avx512, AvxIfma, AvxIfmaTwin, Portable, on_every_kernel};

    /// Products that are computed where the environment names no other number.
    const PRODUCTS: u64 = 20_000;

    /// Eight numbers, and the value of each. Above some digits are carries that do not count.
    fn numbers<const N: usize>(
        number: impl Fn(usize, &mut Rng) -> BigUint,
        rng: &mut Rng,
    ) -> (Number<N>, [BigUint; LANES]) {
        let values: [_; LANES] = array::from_fn(|lane| number(lane, rng));
        let mut numbers = Number::<N>::zero();
        for (lane, value) in values.iter().enumerate() {
            numbers.set_lane(lane, &value.to_bytes_be());
        }
        if rng.next_u64().is_multiple_of(2) {
            for digit in &mut numbers.0 {
                digit.0 = digit.0.map(|digit| digit | rng.next_u64() << DIGIT_BITS);
            }
        }
        (numbers, values)
    }

    /// An odd number that is short enough: near a power of two, or of awkward digits.
    fn adversarial_modulus<const N: usize>(rng: &mut Rng) -> BigUint {
        let bits = N * DIGIT_BITS - SPARE_BITS;
        let one = BigUint::from(1u32);
        match rng.next_u64() % 4 {
            0 => (&one << (1 + rng.below(bits - 1))) + &one,
            1 => (&one << (1 + rng.below(bits))) - &one,
            _ => (adversarial::<N>(rng) >> SPARE_BITS) | one,
        }
    }

    fn value<const N: usize>(number: &Number<N>, lane: usize) -> BigUint {
        let mut bytes = vec![0; N * DIGIT_BITS / 8 + 1];
        number.write_lane(lane, &mut bytes);
        BigUint::from_bytes_be(&bytes)
    }

    /// Computes products and squares modulo `S` moduli, as many as given or a few more.
    fn assert_products<K: Kernel, const S: usize, const N: usize>(
        kernel: K,
        seed: u64,
        count: u64,
        lanes: usize,
    ) {
        let mut rng = Rng::new(seed);
        let bits = N * DIGIT_BITS;
        for _ in 0..count.div_ceil((2 * S * lanes) as u64) {
            let halves: [[BigUint; 2]; S] =
                array::from_fn(|_| array::from_fn(|_| adversarial_modulus::<N>(&mut rng)));
            let moduli: [_; S] = array::from_fn(|stream| {
                let [lower, upper] = &halves[stream];
                let [lower, upper] =
                    [lower, upper].map(|n| Modulus::<N>::new(&digits_of(&n.to_bytes_be())));
                lower.beside(&upper)
            });
            let of_lanes = side_by_side([0; LANES], [1; LANES]);
            let modulus = |stream: usize, lane: usize| &halves[stream][of_lanes[lane]];
            // One factor is anything, the other is below the modulus.
            let (a, a_values): (Vec<_>, Vec<_>) =
                (0..S).map(|_| numbers(|_, rng| adversarial::<N>(rng), &mut rng)).unzip();
            let (b, b_values): (Vec<_>, Vec<_>) = (0..S)
                .map(|stream| {
                    let below = |lane, rng: &mut Rng| match rng.next_u64() % 4 {
                        0 => modulus(stream, lane) - BigUint::from(1u32),
                        _ => adversarial::<N>(rng) % modulus(stream, lane),
                    };
                    numbers(below, &mut rng)
                })
                .unzip();
            let mut context = Context::new(kernel, moduli.each_ref());
            let mut found: [Number<N>; S] = array::from_fn(|_| Number::zero());
            context.multiply(
                array::from_fn(|s| &a[s]),
                array::from_fn(|s| &b[s]),
                found.each_mut(),
            );
            let mut squares: [Number<N>; S] = array::from_fn(|_| Number::zero());
            context.square(array::from_fn(|s| &b[s]), squares.each_mut());
            for stream in 0..S {
                for lane in 0..lanes {
                    let n = modulus(stream, lane);
                    let b = &b_values[stream][lane];
                    for (found, a) in [(&found, &a_values[stream][lane]), (&squares, b)] {
                        let found = value(&found[stream], lane);
                        assert!(found < n * 2u32, "{kernel:?}, {N} digits, seed {seed}");
                        let same = (found << bits) % n == (a * b) % n;
                        assert!(same, "{kernel:?}, {N} digits, seed {seed}: {a} * {b} mod {n}");
                    }
                }
            }
        }
    }

    /// Every length, and two streams where they are used.
    fn assert_products_of_all_lengths<K: Kernel>(kernel: K, seed: u64, count: u64, lanes: usize) {
        let count = count.div_ceil(9);
        assert_products::<K, 1, 10>(kernel, seed, count, lanes);
        assert_products::<K, 2, 10>(kernel, seed, count, lanes);
        assert_products::<K, 1, 15>(kernel, seed, count, lanes);
        assert_products::<K, 1, 20>(kernel, seed, count, lanes);
        assert_products::<K, 1, 30>(kernel, seed, count, lanes);
        assert_products::<K, 1, 40>(kernel, seed, count, lanes);
        assert_products::<K, 1, 60>(kernel, seed, count, lanes);
        assert_products::<K, 1, 80>(kernel, seed, count, lanes);
        assert_products::<K, 1, 160>(kernel, seed, count, lanes);
    }

    #[test]
    fn products_are_those_of_big_integers_on_every_kernel() {
        fn assert_kernel(kernel: impl Kernel) {
            assert_products_of_all_lengths(kernel, 80, 500, LANES);
            assert_products_of_all_lengths(kernel.lower(), 81, 500, HALF);
        }
        on_every_kernel!(assert_kernel);
    }

    /// `cargo xtask multi-buffer check` asks for ten million.
    #[test]
    fn products_of_the_fast_kernels_are_those_of_big_integers() {
        /// Between two reports of progress.
        const ROUND: u64 = 10_000;
        if Avx512::detect().is_none() && AvxIfma::detect().is_none() {
            not_tested_without(&CPU_FEATURES, "products of the fast kernels");
        }
        let count = number_from_env("SSL_PROVIDER_PRODUCTS", PRODUCTS);
        let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
        let rounds = count.div_ceil(ROUND * workers);
        thread::scope(|scope| {
            for worker in 0..workers {
                scope.spawn(move || {
                    for round in 0..rounds {
                        let seed = 1000 + round * workers + worker;
                        match (Avx512::detect(), AvxIfma::detect(), AvxIfmaTwin::detect()) {
                            (Some(kernel), _, _) if round % 4 == 1 => {
                                assert_products_of_all_lengths(kernel.lower(), seed, ROUND, HALF);
                            }
                            (_, None, Some(kernel)) if round % 4 == 2 => {
                                assert_products_of_all_lengths(kernel, seed, ROUND, LANES);
                            }
                            (Some(kernel), _, _) => {
                                assert_products_of_all_lengths(kernel, seed, ROUND, LANES);
                            }
                            (None, Some(kernel), _) => {
                                assert_products_of_all_lengths(kernel, seed, ROUND, LANES);
                            }
                            (None, None, _) => {
                                assert_products_of_all_lengths(Portable, seed, ROUND, LANES);
                            }
                        }
                        if worker == 0 && count > PRODUCTS {
                            progress(format_args!(
                                "{} of {count} products",
                                (round + 1) * workers * ROUND
                            ));
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn a_wrong_product_is_found() {
        let mut rng = Rng::new(90);
        let n = adversarial::<10>(&mut rng) >> SPARE_BITS | BigUint::from(1u32);
        let mut modulus = Modulus::<10>::new(&digits_of(&n.to_bytes_be()));
        let (a, _) = numbers::<10>(|_, _| n.clone() >> 1, &mut rng);
        let right = Context::new(Portable, [&modulus]).product(&a, &a);
        modulus.negative_inverse.0[3] ^= 1 << 20;
        let wrong = Context::new(Portable, [&modulus]).product(&a, &a);
        for lane in 0..LANES {
            assert_eq!(value(&right, lane) == value(&wrong, lane), lane != 3, "lane {lane}");
        }
    }

    #[test]
    fn sums_with_products_are_those_of_big_integers() {
        fn assert_sums<K: Kernel, const H: usize, const N: usize>(kernel: K) {
            let mut rng = Rng::new(91);
            for _ in 0..20 {
                let [a, b, c]: [(Number<H>, _); 3] =
                    array::from_fn(|_| numbers(|_, rng| adversarial::<H>(rng), &mut rng));
                let found = multiply_and_add::<K, H, N>(kernel, &a.0, &b.0, &c.0);
                for lane in 0..LANES {
                    let expected = &a.1[lane] * &b.1[lane] + &c.1[lane];
                    assert_eq!(value(&found, lane), expected, "{kernel:?}, {H} digits");
                }
            }
        }
        fn assert_kernel(kernel: impl Kernel) {
            assert_sums::<_, 10, 20>(kernel);
            assert_sums::<_, 15, 30>(kernel);
            assert_sums::<_, 20, 40>(kernel);
            assert_sums::<_, 40, 80>(kernel);
        }
        on_every_kernel!(assert_kernel);
    }

    #[test]
    fn entries_are_looked_up_by_themselves_and_during_squares() {
        fn assert_lookups<K: Kernel, const N: usize>(kernel: K) {
            let mut rng = Rng::new(81);
            let n = adversarial::<N>(&mut rng) >> SPARE_BITS | BigUint::from(1u32);
            let modulus = Modulus::<N>::new(&digits_of(&n.to_bytes_be()));
            let mut context = Context::new(kernel, [&modulus]);
            let mut table = Table::zero();
            let entries: [_; TABLE_LEN] = array::from_fn(|entry| {
                let (number, values) = numbers(|_, rng| adversarial::<N>(rng), &mut rng);
                table.set(entry, &number);
                values
            });
            let (a, _) = numbers::<N>(|_, _| n.clone() >> 1, &mut rng);
            let square = context.squared(&a);
            for first in 0..TABLE_LEN {
                // Every index is asked for in every lane, beside others.
                let window =
                    array::from_fn(|lane| u8::try_from((first + 5 * lane) % TABLE_LEN).unwrap());
                let index = IndexBits::of(window);
                let [mut alone, mut beside] = [Number::<N>::one(), Number::one()];
                Lookup { table: &table, index: &index, entry: &mut alone }.run(kernel);
                for part in 0..LOOKUP_PARTS {
                    let mut result = Number::zero();
                    let lookup = Lookup { table: &table, index: &index, entry: &mut beside };
                    context.square_and_look_up([&a], [&mut result], &mut [lookup], part);
                    assert_eq!(
                        result.equal_lanes(&square),
                        [true; LANES],
                        "{kernel:?}, {N} digits"
                    );
                }
                for (lane, index) in window.into_iter().enumerate() {
                    let expected = &entries[usize::from(index)][lane];
                    assert_eq!(value(&alone, lane), *expected, "{kernel:?}, {N} digits");
                    assert_eq!(value(&beside, lane), *expected, "{kernel:?}, {N} digits");
                }
            }
        }
        fn assert_kernel(kernel: impl Kernel) {
            assert_lookups::<_, 10>(kernel);
            assert_lookups::<_, 15>(kernel);
            assert_lookups::<_, 20>(kernel);
            assert_lookups::<_, 30>(kernel);
            assert_lookups::<_, 40>(kernel);
            assert_lookups::<_, 80>(kernel);
        }
        on_every_kernel!(assert_kernel);
    }
}
