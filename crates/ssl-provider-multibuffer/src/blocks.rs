//! The three loops where all the time goes, on blocks of digits: product, square and Montgomery
//! reduction. Longer numbers are made of blocks by [`montgomery`](crate::montgomery).
//!
//! A block is straight code: no step depends on a number, and every sum stays in a register. What
//! is a loop here is unrolled, since a loop at run time would keep the sums in memory.
//!
//! # How large a sum gets
//!
//! Sums are not carried before the end. With D for 2^52 and N for the digits of the numbers:
//!
//! | what | at most | since |
//! |---|---|---|
//! | factor | D - 1 | multiplications take the lower 52 bits of a digit |
//! | lower half of a product | D - 1 | |
//! | upper half | D - 2 | (D - 1)^2 = (D - 2) D + 1 |
//! | quotient | D - 1 | it is a lower half |
//! | column of a product | (2 N - 1) (D - 1) | N lower and N - 1 upper halves, or the reverse |
//! | column of a square | the same | half as many products of two digits, then doubled |
//! | column of quotients times modulus | the same | it is a product |
//! | carry of a column that becomes zero | 4 N - 1 | it is rounded up, by D - 1 |
//! | column, with the carry from below | (4 N - 2) D + 1 | two products and the carry |
//! | any sum | (4 N - 1) D | a column and D - 1 |
//! | digit that leaves a block | (4 N - 1) D | a column and the carry from below |
//!
//! 64 bits hold 4096 D, so all of it fits for N up to 1024; the longest numbers have 160 digits.
//! The bounds hold for any D, and the tests assert the last but one at every sum, with small D.
//!
//! A product a b that is reduced is below R m, for a modulus m and R = D^N. The quotients make q
//! below R, so the result, (a b + q m) / R, is below 2 m, and fits where m is below R / 2. Moduli
//! are below R / 2^8 ([`SPARE_BITS`](crate::number::SPARE_BITS)); the sums and differences of
//! results, which the next product takes, need two of these bits.
//!
//! Digits that leave a block may have a carry above their 52 bits that the next digit has already
//! been given; multiplications ignore it, and [`Number`](crate::number::Number) masks it.

#![allow(clippy::absurd_extreme_comparisons, reason = "unrolled indexes are compared with limits")]

use std::array;
use std::hint::black_box;

use crate::number::{Digit, LANES};
use crate::vector::{Vector, Work};

/// Repeats a block with a constant that counts from zero: over streams, over pairs of rows, or over
/// the columns that two rows of the largest block reach.
macro_rules! unroll {
    ($index:ident in STREAMS $body:block) => { unroll!(@ $index $body 0 1) };
    ($index:ident in PAIRS $body:block) => { unroll!(@ $index $body 0 1 2 3 4 5 6 7 8 9) };
    ($index:ident in COLUMNS $body:block) => {
        unroll!(@ $index $body 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21)
    };
    (@ $index:ident $body:block $($number:literal)*) => {
        $({ const $index: usize = $number; $body })*
    };
}

/// `sum` += the product of digits of `a` and `b`, in `S` streams at once.
///
/// `T` is twice `B`. A stream is a product of its own; with two of them, one computes while the
/// other waits. Where `FRESH` is set, what `sum` holds counts as zero.
pub(crate) struct AddProduct<'a, const S: usize, const B: usize, const T: usize, const FRESH: bool>
{
    pub(crate) a: [&'a [Digit; B]; S],
    pub(crate) b: [&'a [Digit; B]; S],
    pub(crate) sum: [&'a mut [Digit; T]; S],
}

impl<const S: usize, const B: usize, const T: usize, const FRESH: bool> Work
    for AddProduct<'_, S, B, T, FRESH>
{
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V) {
        let Self { a, b, sum } = self;
        all_columns::<V, S, B, T, FRESH, false>(vector, *a, *b, sum);
    }
}

/// `sum` = 2 `sum` + the square of `a`, in `S` streams at once; see [`AddProduct`].
pub(crate) struct AddSquare<'a, const S: usize, const B: usize, const T: usize, const FRESH: bool> {
    pub(crate) a: [&'a [Digit; B]; S],
    pub(crate) sum: [&'a mut [Digit; T]; S],
}

impl<const S: usize, const B: usize, const T: usize, const FRESH: bool> Work
    for AddSquare<'_, S, B, T, FRESH>
{
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V) {
        let Self { a, sum } = self;
        all_columns::<V, S, B, T, FRESH, true>(vector, *a, *a, sum);
    }
}

/// A product, or a square where `a` and `b` are the same: all columns at once if the registers hold
/// them, else the lower half and then the upper.
#[inline(always)]
fn all_columns<
    V: Vector,
    const S: usize,
    const B: usize,
    const T: usize,
    const FRESH: bool,
    const SQUARE: bool,
>(
    vector: V,
    a: [&[Digit; B]; S],
    b: [&[Digit; B]; S],
    sum: &mut [&mut [Digit; T]; S],
) {
    if const { S * T <= V::COLUMNS } {
        columns::<V, S, B, T, T, 0, FRESH, SQUARE>(vector, a, b, sum);
    } else {
        columns::<V, S, B, T, B, 0, FRESH, SQUARE>(vector, a, b, sum);
        columns::<V, S, B, T, B, B, FRESH, SQUARE>(vector, a, b, sum);
    }
}

/// The columns from `START` on, `W` of them, of a product or a square.
///
/// Two digits of `b` are taken at once, so that a digit of `a` is loaded for four multiplications:
/// two rows of the product, of which the second is a column further up.
#[inline(always)]
fn columns<
    V: Vector,
    const S: usize,
    const B: usize,
    const T: usize,
    const W: usize,
    const START: usize,
    const FRESH: bool,
    const SQUARE: bool,
>(
    vector: V,
    a: [&[Digit; B]; S],
    b: [&[Digit; B]; S],
    sum: &mut [&mut [Digit; T]; S],
) {
    const { assert!(T == 2 * B && B <= 20, "as `unroll` repeats") };
    let mut sums: [[V::Register; W]; S] = [[vector.zero(); W]; S];
    if !FRESH {
        for (sums, sum) in sums.iter_mut().zip(&*sum) {
            unroll!(K in COLUMNS {
                if const { K < W } {
                    sums[K] = vector.load(&sum[START + K]);
                }
            });
        }
    }
    unroll!(PAIR in PAIRS {
        if const { 2 * PAIR < B } {
            for stream in 0..S {
                // The digits are read where they are. They are more than the registers hold, and
                // the compiler would copy them to the stack.
                let a = black_box(a[stream]);
                let sums = &mut sums[stream];
                let first = vector.load(&b[stream][2 * PAIR]);
                let second = match const { 2 * PAIR + 1 < B } {
                    true => vector.load(&b[stream][2 * PAIR + 1]),
                    false => vector.zero(),
                };
                unroll!(J in COLUMNS {
                    // In a square, products of two different digits are counted once.
                    let counts = const { J < B && (!SQUARE || J > 2 * PAIR) };
                    if counts && const { reaches(2 * PAIR + J, W, START) } {
                        let digit = vector.load(&a[J]);
                        if const { within(2 * PAIR + J, W, START) } {
                            let column = &mut sums[2 * PAIR + J - START];
                            *column = vector.add_low(*column, digit, first);
                        }
                        if const { within(2 * PAIR + J + 1, W, START) } {
                            let column = &mut sums[2 * PAIR + J + 1 - START];
                            *column = vector.add_high(*column, digit, first);
                        }
                        if const { 2 * PAIR + 1 < B && (!SQUARE || J > 2 * PAIR + 1) } {
                            if const { within(2 * PAIR + J + 1, W, START) } {
                                let column = &mut sums[2 * PAIR + J + 1 - START];
                                *column = vector.add_low(*column, digit, second);
                            }
                            if const { within(2 * PAIR + J + 2, W, START) } {
                                let column = &mut sums[2 * PAIR + J + 2 - START];
                                *column = vector.add_high(*column, digit, second);
                            }
                        }
                    }
                });
            }
        }
    });
    for stream in 0..S {
        let a = black_box(a[stream]);
        let sums = &mut sums[stream];
        unroll!(K in COLUMNS {
            if const { K < W } {
                if SQUARE {
                    let digit = vector.load(&a[(START + K) / 2]);
                    let doubled = vector.add(sums[K], sums[K]);
                    sums[K] = match (START + K) % 2 {
                        0 => vector.add_low(doubled, digit, digit),
                        _ => vector.add_high(doubled, digit, digit),
                    };
                }
                vector.store(&mut sum[stream][START + K], sums[K]);
            }
        });
    }
}

/// Whether the column `place` is one of the `len` from `start` on.
const fn within(place: usize, len: usize, start: usize) -> bool {
    place >= start && place < start + len
}

/// Whether one of the columns from `place` to `place` + 2 is.
const fn reaches(place: usize, len: usize, start: usize) -> bool {
    place + 2 >= start && place < start + len
}

/// What reduction takes of `S` moduli: their lowest digits, and -1 / modulus mod 2^52.
#[derive(Clone, Copy)]
pub(crate) struct ModulusBlock<'a, const S: usize, const B: usize> {
    pub(crate) modulus: [&'a [Digit; B]; S],
    pub(crate) negative_inverse: [&'a Digit; S],
}

/// Montgomery reduction by one block, in `S` streams at once: adds to `sum` the multiple of a
/// modulus whose lowest digits are `modulus` that makes the lowest `B` digits of `sum` zero, as far
/// as these digits of the modulus go. What the zeros carry is in the digit above them.
///
/// `T` is twice `B`.
pub(crate) struct Reduce<'a, const S: usize, const B: usize, const T: usize, A> {
    pub(crate) modulus_block: ModulusBlock<'a, S, B>,
    pub(crate) sum: [&'a mut [Digit; T]; S],
    /// The factors of the modulus, for its higher digits.
    pub(crate) quotients: [&'a mut [Digit; B]; S],
    pub(crate) interleaved: A,
}

impl<'a, const S: usize, const B: usize, const T: usize> Reduce<'a, S, B, T, ()> {
    /// The same with something done meanwhile.
    pub(crate) fn beside<A>(self, interleaved: A) -> Reduce<'a, S, B, T, A> {
        let Self { modulus_block, sum, quotients, .. } = self;
        Reduce { modulus_block, sum, quotients, interleaved }
    }
}

impl<const S: usize, const B: usize, const T: usize, A: Interleaved> Work
    for Reduce<'_, S, B, T, A>
{
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V) {
        let Self { modulus_block, sum, quotients, interleaved } = self;
        let sums = array::from_fn(|stream| &*sum[stream]);
        let sums = reduce(vector, *modulus_block, sums, Some(quotients), interleaved);
        for (sum, sums) in sum.iter_mut().zip(&sums) {
            unroll!(K in COLUMNS {
                if const { K < B } {
                    vector.store(&mut sum[B + K], sums[B + K]);
                }
            });
        }
    }
}

/// [`Reduce`] and [`Carry`] at once, where the modulus has no more digits than a block.
pub(crate) struct ReduceAndCarry<'a, const S: usize, const B: usize, const T: usize, A> {
    pub(crate) modulus_block: ModulusBlock<'a, S, B>,
    pub(crate) sum: [&'a [Digit; T]; S],
    pub(crate) number: [&'a mut [Digit; B]; S],
    pub(crate) interleaved: A,
}

impl<const S: usize, const B: usize, const T: usize, A: Interleaved> Work
    for ReduceAndCarry<'_, S, B, T, A>
{
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V) {
        let Self { modulus_block, sum, number, interleaved } = self;
        let sums = reduce(vector, *modulus_block, *sum, None, interleaved);
        for (number, sums) in number.iter_mut().zip(&sums) {
            let mut carry = vector.zero();
            unroll!(K in COLUMNS {
                if const { K < B } {
                    let digit = vector.add(sums[B + K], carry);
                    vector.store(&mut number[K], digit);
                    carry = vector.carry(digit);
                }
            });
        }
    }
}

/// What is done during a reduction, whose multiplications leave time for loads.
pub(crate) trait Interleaved {
    /// Does a bit of it, for each stream and pair of rows. To be inlined, as [`Work::run`].
    fn run<V: Vector>(&mut self, vector: V, stream: usize, pair: usize);
}

/// Nothing.
impl Interleaved for () {
    #[inline(always)]
    fn run<V: Vector>(&mut self, _vector: V, _stream: usize, _pair: usize) {}
}

/// A part of a selection in each stream.
pub(crate) struct LookupPart<'a, const S: usize, const B: usize> {
    pub(crate) selections: [Selection<'a, B>; S],
    /// Which one, below [`LOOKUP_PARTS`].
    pub(crate) part: usize,
}

impl<const S: usize, const B: usize> Interleaved for LookupPart<'_, S, B> {
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V, stream: usize, pair: usize) {
        if pair < B.div_ceil(LOOKUP_PARTS) {
            let place = self.part * B.div_ceil(LOOKUP_PARTS) + pair;
            self.selections[stream].select(vector, place);
        }
    }
}

/// Returns the sums after a reduction; those of the lowest `B` columns are of no use.
///
/// Two quotients are taken at once: two rows, of which the second is a column further up. While
/// their products are added up, the quotients of the next two rows are found.
#[allow(unused_assignments, reason = "no rows come after the last")]
#[inline(always)]
fn reduce<V: Vector, const S: usize, const B: usize, const T: usize>(
    vector: V,
    ModulusBlock { modulus, negative_inverse }: ModulusBlock<'_, S, B>,
    sum: [&[Digit; T]; S],
    mut kept: Option<&mut [&mut [Digit; B]; S]>,
    interleaved: &mut impl Interleaved,
) -> [[V::Register; T]; S] {
    const { assert!(T == 2 * B && B <= 20, "as `unroll` repeats") };
    let mut sums = [[vector.zero(); T]; S];
    // By stream, those of the next two rows.
    let mut quotients = [[vector.zero(); 2]; S];
    for stream in 0..S {
        let sums = &mut sums[stream];
        let inverse = vector.load(negative_inverse[stream]);
        sums[0] = vector.load(&sum[stream][0]);
        sums[1] = vector.load(&sum[stream][1]);
        let first = vector.add_low(vector.zero(), sums[0], inverse);
        sums[1] = finish(vector, sums[1], sums[0], first, modulus[stream]);
        let second = vector.add_low(vector.zero(), sums[1], inverse);
        quotients[stream] = [first, second];
    }
    unroll!(PAIR in PAIRS {
        if const { 2 * PAIR < B } {
            unroll!(STREAM in STREAMS { if const { STREAM < S } { let stream = STREAM;
                // See `columns`.
                let modulus = black_box(modulus[stream]);
                let sums = &mut sums[stream];
                let rows = const { if 2 * PAIR + 1 < B { 2 } else { 1 } };
                let pair = quotients[stream];
                let mut next = pair;
                if let Some(kept) = &mut kept {
                    vector.store(&mut kept[stream][2 * PAIR], pair[0]);
                    if rows == 2 {
                        vector.store(&mut kept[stream][2 * PAIR + 1], pair[1]);
                    }
                }
                unroll!(K in COLUMNS {
                    // The columns that no row before has reached.
                    if const { K >= 2 && (PAIR == 0 || K >= B) && 2 * PAIR + K < T && K < B + 2 } {
                        sums[2 * PAIR + K] = vector.load(&sum[stream][2 * PAIR + K]);
                    }
                });
                unroll!(K in COLUMNS {
                    if const { K >= 2 && 2 * PAIR + K < T && K < B + 2 } {
                        let mut column = sums[2 * PAIR + K];
                        if K == 2 && rows == 2 {
                            column = vector.add(column, carry_of_zero(vector, sums[2 * PAIR + 1]));
                        }
                        sums[2 * PAIR + K] = add_multiples(vector, column, K, modulus, pair, rows);
                    }
                    // The first of the next quotients, whose column is complete.
                    if const { K == 2 && 2 * PAIR + 2 < B } {
                        let inverse = vector.load(negative_inverse[stream]);
                        next[0] = vector.add_low(vector.zero(), sums[2 * PAIR + 2], inverse);
                    }
                    // The second, when the first has had time.
                    if const { K == half(B) && 2 * PAIR + 2 < B } {
                        let (column, below) = (sums[2 * PAIR + 3], sums[2 * PAIR + 2]);
                        let column = finish(vector, column, below, next[0], modulus);
                        sums[2 * PAIR + 3] = column;
                        let inverse = vector.load(negative_inverse[stream]);
                        next[1] = vector.add_low(vector.zero(), column, inverse);
                    }
                });
                if const { 2 * PAIR + 2 < B } {
                    quotients[stream] = next;
                }
                interleaved.run(vector, stream, PAIR);
            }});
        }
    });
    sums
}

/// Half of the columns of a row, but at least those before the second quotient is needed.
const fn half(digits: usize) -> usize {
    if digits / 2 > 3 { digits / 2 } else { 3 }
}

/// Adds to a column what a row above its first digit adds to it, and the carry from `below`.
#[inline(always)]
fn finish<V: Vector, const B: usize>(
    vector: V,
    column: V::Register,
    below: V::Register,
    quotient: V::Register,
    modulus: &[Digit; B],
) -> V::Register {
    let column = vector.add(column, carry_of_zero(vector, below));
    let column = vector.add_high(column, quotient, vector.load(&modulus[0]));
    vector.add_low(column, quotient, vector.load(&modulus[1]))
}

/// What a column carries once the multiple of the modulus has made its 52 bits zero: the bits above
/// them, and one more where there was something to make zero. The lower half of the product with
/// the lowest digit of the modulus is not needed for that.
#[inline(always)]
fn carry_of_zero<V: Vector>(vector: V, column: V::Register) -> V::Register {
    vector.carry(vector.add(column, vector.load(V::LARGEST_DIGIT)))
}

/// Adds to the column `place`, as counted from the first row, its products of both rows. Those of
/// the first two columns are added where the quotients are found.
#[inline(always)]
fn add_multiples<V: Vector, const B: usize>(
    vector: V,
    mut column: V::Register,
    place: usize,
    modulus: &[Digit; B],
    [first, second]: [V::Register; 2],
    rows: usize,
) -> V::Register {
    if place <= B {
        column = vector.add_high(column, first, vector.load(&modulus[place - 1]));
    }
    if place < B {
        column = vector.add_low(column, first, vector.load(&modulus[place]));
    }
    if rows == 2 {
        column = vector.add_high(column, second, vector.load(&modulus[place - 2]));
        if place <= B {
            column = vector.add_low(column, second, vector.load(&modulus[place - 1]));
        }
    }
    column
}

/// Adds to each sum what the one below carries. The carry stays in the digit too, where it does not
/// count.
pub(crate) struct Carry<'a, const N: usize> {
    pub(crate) sums: &'a [Digit; N],
    pub(crate) number: &'a mut [Digit; N],
}

impl<const N: usize> Work for Carry<'_, N> {
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V) {
        let mut carry = vector.zero();
        for (sum, digit) in self.sums.iter().zip(&mut *self.number) {
            let sum = vector.add(vector.load(sum), carry);
            vector.store(digit, sum);
            carry = vector.carry(sum);
        }
    }
}

/// Entries of a table: what a window of four bits can say.
pub(crate) const TABLE_LEN: usize = 16;

/// Four bits of the exponent of each lane.
pub(crate) type Window = [u8; LANES];

/// For each bit of an index, the lowest first, all ones in the lanes where it is set.
pub(crate) struct IndexBits([Digit; 4]);

impl IndexBits {
    pub(crate) fn of(window: Window) -> Self {
        let of_bit = |bit: usize| window.map(|it| (u64::from(it) >> bit & 1).wrapping_neg());
        // Through a barrier, for the reason that `number::mask` gives.
        Self(black_box(array::from_fn(|bit| Digit(of_bit(bit)))))
    }
}

/// Parts of a selection: as many as there are squarings for a window.
pub(crate) const LOOKUP_PARTS: usize = 4;

/// Takes in each lane the entry of a table at a secret index. Reads every entry.
pub(crate) struct Selection<'a, const N: usize> {
    /// For each digit, that of every entry.
    pub(crate) table: &'a [[Digit; TABLE_LEN]; N],
    /// The index, by bits.
    pub(crate) index: &'a IndexBits,
    pub(crate) entry: &'a mut [Digit; N],
}

impl<const N: usize> Selection<'_, N> {
    /// Selects a digit by a tree of choices by one bit each. Beyond the last it selects that again,
    /// so that all parts are equally long.
    #[inline(always)]
    fn select<V: Vector>(&mut self, vector: V, place: usize) {
        let IndexBits(bits) = self.index;
        let place = place.min(const { N - 1 });
        let (digits, entry) = (&self.table[place], &mut self.entry[place]);
        let lower = of_eight(vector, digits, 0, bits);
        let upper = of_eight(vector, digits, 8, bits);
        vector.store(entry, vector.choose(vector.load(&bits[3]), upper, lower));
    }
}

impl<const N: usize> Work for Selection<'_, N> {
    #[inline(always)]
    fn run<V: Vector>(&mut self, vector: V) {
        for place in 0..N {
            self.select(vector, place);
        }
    }
}

/// The choice from eight entries.
#[inline(always)]
fn of_eight<V: Vector>(
    vector: V,
    digits: &[Digit; TABLE_LEN],
    first: usize,
    bits: &[Digit; 4],
) -> V::Register {
    let lower = of_four(vector, digits, first, bits);
    let upper = of_four(vector, digits, first + 4, bits);
    vector.choose(vector.load(&bits[2]), upper, lower)
}

/// The choice from four entries.
#[inline(always)]
fn of_four<V: Vector>(
    vector: V,
    digits: &[Digit; TABLE_LEN],
    first: usize,
    bits: &[Digit; 4],
) -> V::Register {
    let lower = of_two(vector, digits, first, bits);
    let upper = of_two(vector, digits, first + 2, bits);
    vector.choose(vector.load(&bits[1]), upper, lower)
}

/// The choice from two entries.
#[inline(always)]
fn of_two<V: Vector>(
    vector: V,
    digits: &[Digit; TABLE_LEN],
    first: usize,
    bits: &[Digit; 4],
) -> V::Register {
    let [lower, upper] = [vector.load(&digits[first]), vector.load(&digits[first + 1])];
    vector.choose(vector.load(&bits[0]), upper, lower)
}
