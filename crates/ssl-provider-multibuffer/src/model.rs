//! The arithmetic with digits of two to eight bits in place of 52, from the same source: so small
//! that every operand and every modulus can be tried, and compared with plain integers.
//!
//! The model is a [`Vector`], so what runs on it is [`blocks`](crate::blocks) and
//! [`montgomery`](crate::montgomery) as they ship. It also checks that no sum exceeds the bound
//! that the table of [`blocks`](crate::blocks) proves.

use std::array;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use num_bigint::BigUint;
use ssl_provider_testkit::bytes::{Rng, number_from_env};

use crate::blocks::{AddProduct, AddSquare, Carry, ModulusBlock, Reduce, ReduceAndCarry};
use crate::montgomery::{Context, Modulus};
use crate::number::tests::awkward_digit;
use crate::number::{Digit, LANES, Number};
use crate::vector::{Kernel, Vector, Work};

/// Registers of digits of `BITS` bits; a column is summed up `COLUMNS` at a time. `FAULT` is one of
/// those below.
#[derive(Clone, Copy, Debug)]
struct Model<const BITS: u32, const COLUMNS: usize, const FAULT: u8> {
    /// The largest sum that the table of bounds allows.
    most: u64,
}

/// The instructions as they should be.
const RIGHT: u8 = 0;
/// The lowest bit of a carry is dropped where the digit below it is zero.
const DROPPED_CARRY: u8 = 1;
/// The upper half of the product of the two largest digits is too small by one.
const WRONG_HIGH: u8 = 2;
/// A sum is not rounded up where the digit is one.
const NOT_ROUNDED_UP: u8 = 3;

impl<const BITS: u32, const COLUMNS: usize, const FAULT: u8> Model<BITS, COLUMNS, FAULT> {
    const MASK: u64 = (1 << BITS) - 1;

    /// For numbers of `digits` digits.
    fn of(digits: usize) -> Self {
        Self { most: largest_sum(digits) << BITS }
    }

    fn product(a: u64, b: u64) -> u64 {
        (a & Self::MASK) * (b & Self::MASK)
    }

    /// A sum in each lane, which fits.
    fn sum(self, of_lane: impl Fn(usize) -> u64) -> Digit {
        Digit(array::from_fn(|lane| {
            let sum = of_lane(lane);
            assert!(sum <= self.most, "the sum {sum:#x} exceeds the bound {:#x}", self.most);
            sum
        }))
    }
}

/// The largest sum for numbers of this many digits, in units of a digit's range: see the table of
/// [`blocks`](crate::blocks).
fn largest_sum(digits: usize) -> u64 {
    4 * digits as u64 - 1
}

/// Not inlined, for the reason that [`Portable`](crate::vector::Portable) gives.
impl<const BITS: u32, const COLUMNS: usize, const FAULT: u8> Vector
    for Model<BITS, COLUMNS, FAULT>
{
    type Register = Digit;

    const COLUMNS: usize = COLUMNS;

    const LARGEST_DIGIT: &'static Digit =
        &Digit([Self::MASK - (FAULT == NOT_ROUNDED_UP) as u64; LANES]);

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
        self.sum(|lane| sum.0[lane] + (Self::product(a.0[lane], b.0[lane]) & Self::MASK))
    }

    #[inline(never)]
    fn add_high(self, sum: Digit, a: Digit, b: Digit) -> Digit {
        self.sum(|lane| {
            let product = Self::product(a.0[lane], b.0[lane]);
            let is_wrong = FAULT == WRONG_HIGH && product == Self::MASK * Self::MASK;
            sum.0[lane] + (product >> BITS) - u64::from(is_wrong)
        })
    }

    #[inline(never)]
    fn add(self, a: Digit, b: Digit) -> Digit {
        self.sum(|lane| a.0[lane] + b.0[lane])
    }

    #[inline(never)]
    fn carry(self, sum: Digit) -> Digit {
        Digit(sum.0.map(|sum| {
            let drops = FAULT == DROPPED_CARRY && sum & Self::MASK == 0;
            sum >> BITS & !u64::from(drops)
        }))
    }

    fn choose(self, mask: Digit, one: Digit, other: Digit) -> Digit {
        Digit(array::from_fn(|lane| (one.0[lane] & mask.0[lane]) | (other.0[lane] & !mask.0[lane])))
    }
}

impl<const BITS: u32, const COLUMNS: usize, const FAULT: u8> Kernel
    for Model<BITS, COLUMNS, FAULT>
{
    const LARGEST_BLOCK: usize = COLUMNS;

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

/// One factor and the other, of each lane.
type Pairs = [(u64, u64); LANES];

/// A block of `B` digits, with `T` twice as many columns, on a model.
struct Blocks<
    const BITS: u32,
    const COLUMNS: usize,
    const FAULT: u8,
    const B: usize,
    const T: usize,
> {
    model: Model<BITS, COLUMNS, FAULT>,
    /// What stands above the digits of factors, where it does not count.
    above: u64,
}

impl<const BITS: u32, const COLUMNS: usize, const FAULT: u8, const B: usize, const T: usize>
    Blocks<BITS, COLUMNS, FAULT, B, T>
{
    const MASK: u64 = (1 << BITS) - 1;

    /// R: the number of numbers.
    const RANGE: u64 = 1 << (BITS as usize * B);

    fn new() -> Self {
        Self { model: Model::of(B), above: 0 }
    }

    fn digits(number: u64) -> [u64; B] {
        array::from_fn(|place| number >> (place * BITS as usize) & Self::MASK)
    }

    fn number(&self, lanes: [u64; LANES]) -> [Digit; B] {
        let digits = lanes.map(Self::digits);
        array::from_fn(|place| {
            Digit(array::from_fn(|lane| digits[lane][place] | self.above << BITS))
        })
    }

    /// The number in a lane, without what is above its digits.
    fn value(number: &[Digit; B], lane: usize) -> u64 {
        let digits = number.iter().rev();
        digits.fold(0, |value, digit| value << BITS | digit.0[lane] & Self::MASK)
    }

    /// The value of columns that have not been carried.
    fn value_of_columns(columns: &[Digit; T], lane: usize) -> u64 {
        columns.iter().rev().fold(0, |value, column| (value << BITS) + column.0[lane])
    }

    /// Multiplies and squares modulo one number in each of `S` streams, and compares with integers.
    /// The product of both factors is below R times the modulus.
    fn check<const S: usize>(&self, moduli: [u64; S], pairs: [Pairs; S]) {
        let model = self.model;
        let a = pairs.map(|pairs| self.number(pairs.map(|(a, _)| a)));
        let b = pairs.map(|pairs| self.number(pairs.map(|(_, b)| b)));
        let mut sums = [[Digit([Self::MASK; LANES]); T]; S];
        model.run(AddProduct::<S, B, T, true> {
            a: a.each_ref(),
            b: b.each_ref(),
            sum: sums.each_mut(),
        });
        for (sums, pairs) in sums.iter().zip(&pairs) {
            for (lane, (a, b)) in pairs.iter().enumerate() {
                assert_eq!(Self::value_of_columns(sums, lane), a * b, "{a} * {b}");
            }
        }
        // Twice the product, by adding the same again.
        let mut twice = sums;
        model.run(AddProduct::<S, B, T, false> {
            a: b.each_ref(),
            b: a.each_ref(),
            sum: twice.each_mut(),
        });
        for (sums, pairs) in twice.iter().zip(&pairs) {
            for (lane, (a, b)) in pairs.iter().enumerate() {
                assert_eq!(Self::value_of_columns(sums, lane), 2 * a * b, "2 * {a} * {b}");
            }
        }
        self.check_reduction(moduli, &sums, pairs.map(|pairs| pairs.map(|(a, b)| a * b)));

        let mut squares = [[Digit([Self::MASK; LANES]); T]; S];
        model.run(AddSquare::<S, B, T, true> { a: a.each_ref(), sum: squares.each_mut() });
        // Squares are tried where they are what may be reduced.
        let fits = |stream: usize, a: u64| a * a < Self::RANGE * moduli[stream];
        for (squares, pairs) in squares.iter().zip(&pairs) {
            for (lane, (a, _)) in pairs.iter().enumerate() {
                assert_eq!(Self::value_of_columns(squares, lane), a * a, "{a} squared");
            }
        }
        let all_fit = (0..S).all(|stream| pairs[stream].iter().all(|(a, _)| fits(stream, *a)));
        if all_fit {
            self.check_reduction(moduli, &squares, pairs.map(|pairs| pairs.map(|(a, _)| a * a)));
        }
    }

    /// Reduces columns of these values in both ways.
    fn check_reduction<const S: usize>(
        &self,
        moduli: [u64; S],
        columns: &[[Digit; T]; S],
        values: [[u64; LANES]; S],
    ) {
        let modulus = moduli.map(|modulus| self.number([modulus; LANES]));
        let inverse = moduli.map(|modulus| Digit([negative_inverse(modulus); LANES]));
        let modulus_block =
            ModulusBlock { modulus: modulus.each_ref(), negative_inverse: inverse.each_ref() };
        let mut at_once = [[Digit::ZERO; B]; S];
        self.model.run(ReduceAndCarry::<S, B, T, _> {
            modulus_block,
            sum: columns.each_ref(),
            number: at_once.each_mut(),
            interleaved: (),
        });

        let mut sums = *columns;
        let mut quotients = [[Digit::ZERO; B]; S];
        self.model.run(Reduce::<S, B, T, _> {
            modulus_block,
            sum: sums.each_mut(),
            quotients: quotients.each_mut(),
            interleaved: (),
        });
        for stream in 0..S {
            let upper: &[Digit; B] = sums[stream].last_chunk().unwrap();
            let mut by_steps = [Digit::ZERO; B];
            self.model.run(Carry { sums: upper, number: &mut by_steps });
            let modulus = moduli[stream];
            for (lane, value) in values[stream].iter().enumerate() {
                let found = Self::value(&at_once[stream], lane);
                assert!(found < 2 * modulus, "{value} mod {modulus}: {found} is too large");
                let same = (found * Self::RANGE) % modulus == value % modulus;
                assert!(same, "{value} / R mod {modulus} is not {found}");
                assert_eq!(Self::value(&by_steps, lane), found, "{value} mod {modulus}");
                // The quotients are digits, and make the lower half zero.
                let quotient = Self::value(&quotients[stream], lane);
                let are_digits = quotients[stream].iter().all(|it| it.0[lane] <= Self::MASK);
                assert!(are_digits, "{value} mod {modulus}: a quotient is no digit");
                let lower = (value + quotient * modulus) % Self::RANGE;
                assert_eq!(lower, 0, "{value} mod {modulus}: quotient {quotient}");
            }
        }
    }

    /// Tries every pair of factors whose product may be reduced. Returns how many.
    fn check_pairs(&mut self, modulus: u64, factors: &[u64]) -> u64 {
        // The other stream has another modulus, and other factors.
        let other = modulus ^ 2;
        let most = Self::RANGE * modulus;
        let least = Self::RANGE * modulus.min(other);
        let mut checked = 0;
        let mut lanes = Vec::with_capacity(2 * LANES);
        for a in factors {
            let fitting = factors.iter().take_while(|b| a * **b < most);
            for b in fitting {
                lanes.push((*a, *b));
                checked += 1;
                if lanes.len() == 2 * LANES {
                    self.check_lanes(modulus, other, least, &lanes);
                    lanes.clear();
                }
            }
        }
        lanes.resize(2 * LANES, (0, 0));
        self.check_lanes(modulus, other, least, &lanes);
        checked
    }

    fn check_lanes(&mut self, modulus: u64, other: u64, least: u64, lanes: &[(u64, u64)]) {
        self.above = (self.above + 1) % 4;
        let (halves, _) = lanes.as_chunks::<LANES>();
        let [first, second] = [halves[0], halves[1]];
        if lanes.iter().all(|(a, b)| a * b < least) {
            self.check([modulus, other], [first, second]);
            self.check([other], [first]);
        }
        self.check([modulus], [first]);
        self.check([modulus], [second]);
    }
}

/// -1 / modulus mod 2^64.
fn negative_inverse(modulus: u64) -> u64 {
    let mut inverse = modulus;
    for _ in 0..5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(modulus.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
}

/// Tries every modulus of a list, with all pairs of these factors, on all processors. Returns how
/// many products it has tried.
fn try_all<
    const BITS: u32,
    const COLUMNS: usize,
    const FAULT: u8,
    const B: usize,
    const T: usize,
>(
    moduli: &[u64],
    factors: &[u64],
) -> u64 {
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let started: Vec<_> = (0..workers)
            .map(|worker| {
                // Dealt out, since larger moduli have more products.
                let moduli = moduli.iter().skip(worker).step_by(workers);
                scope.spawn(|| {
                    let mut blocks = Blocks::<BITS, COLUMNS, FAULT, B, T>::new();
                    moduli.map(|modulus| blocks.check_pairs(*modulus, factors)).sum::<u64>()
                })
            })
            .collect();
        let results = started.into_iter().map(|worker| worker.join().expect("it found nothing"));
        results.sum()
    })
}

/// Every odd modulus that is short enough: twice of it must fit.
fn every_modulus(range: u64) -> Vec<u64> {
    (1..range / 2).step_by(2).collect()
}

/// Numbers near powers of two, below `range`.
fn near_powers_of_two(range: u64) -> Vec<u64> {
    let near = (1..u64::from(range.ilog2())).flat_map(|bit| [(1 << bit) - 1, (1 << bit) + 1]);
    let mut numbers: Vec<_> = near.filter(|number| *number < range).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Whether everything is tried, as `cargo xtask multi-buffer check` asks, or what takes a second.
fn is_long_run() -> bool {
    number_from_env("SSL_PROVIDER_PRODUCTS", 0) > 0
}

/// Each test computes all columns at once in one model, and half of them in another.
#[test]
fn products_of_all_numbers_of_two_digits_of_four_bits_modulo_every_modulus() {
    let all: Vec<u64> = (0..1 << 8).collect();
    let moduli = every_modulus(1 << 8);
    let at_once = try_all::<4, 8, RIGHT, 2, 4>(&moduli, &all);
    let by_halves = try_all::<4, 2, RIGHT, 2, 4>(&moduli, &all);
    // For each modulus m and each factor a, those below R m / a.
    let expected: u64 = moduli
        .iter()
        .flat_map(|m| (0..1 << 8).map(move |a| (256 * m).div_ceil(a.max(1)).min(256)))
        .sum();
    assert_eq!([at_once, by_halves], [expected; 2]);
    assert!(expected > 2_000_000, "{expected}");
}

/// The shortest block that ships is one of five digits.
#[test]
fn products_of_all_numbers_of_three_to_five_digits_of_two_bits() {
    let all: Vec<u64> = (0..1 << 6).collect();
    try_all::<2, 6, RIGHT, 3, 6>(&every_modulus(1 << 6), &all);
    let all: Vec<u64> = (0..1 << 8).collect();
    try_all::<2, 4, RIGHT, 4, 8>(&every_modulus(1 << 8), &all);
    let (all, moduli): (Vec<u64>, _) = match is_long_run() {
        true => ((0..1 << 10).collect(), every_modulus(1 << 10)),
        // The lower three digits, and the upper.
        false => (
            (0..1 << 6).chain((1 << 6..1 << 10).step_by(1 << 6)).collect(),
            near_powers_of_two(1 << 9).into_iter().filter(|it| it % 2 == 1).collect(),
        ),
    };
    try_all::<2, 20, RIGHT, 5, 10>(&moduli, &all);
    try_all::<2, 5, RIGHT, 5, 10>(&moduli, &all);
}

#[test]
fn products_of_all_digits_of_eight_bits_and_of_awkward_numbers_of_two() {
    let odd = |range: u64| near_powers_of_two(range).into_iter().filter(|it| it % 2 == 1);
    let digits: Vec<u64> = (0..1 << 8).collect();
    let mut moduli: Vec<u64> = match is_long_run() {
        true => (1..1 << 8).step_by(2).collect(),
        false => odd(1 << 8).collect(),
    };
    moduli.extend(odd(1 << 15));
    try_all::<8, 4, RIGHT, 2, 4>(&moduli, &digits);

    let awkward = [0, 1, 2, 0x7f, 0x80, 0x81, 0xfe, 0xff];
    let mut numbers: Vec<u64> =
        awkward.iter().flat_map(|high| awkward.map(|low| high << 8 | low)).collect();
    numbers.sort_unstable();
    moduli.extend(numbers.iter().filter(|it| *it % 2 == 1 && **it < 1 << 15));
    try_all::<8, 2, RIGHT, 2, 4>(&moduli, &numbers);
}

/// Products and squares of numbers of several blocks, with moduli of awkward digits and with such
/// that are near powers of two.
fn try_context<
    const BITS: u32,
    const COLUMNS: usize,
    const FAULT: u8,
    const S: usize,
    const N: usize,
>(
    rounds: u64,
) {
    let bits = BITS as usize;
    let mask = (1 << BITS) - 1;
    let kernel = Model::<BITS, COLUMNS, FAULT>::of(N);
    let mut rng = Rng::new(u64::from(BITS) << 8 | N as u64);
    let number = |rng: &mut Rng| -> [u64; N] { array::from_fn(|_| awkward_digit(bits, rng)) };
    let value = |digits: &[u64; N]| {
        let digits = digits.iter().rev();
        digits.fold(BigUint::ZERO, |value, digit| (value << bits) + (digit & mask))
    };
    let to_digits = |value: &BigUint| -> [u64; N] {
        array::from_fn(|place| {
            let digit = (value >> (place * bits)) & BigUint::from(mask);
            digit.to_u64_digits().first().copied().unwrap_or(0)
        })
    };
    for round in 0..rounds {
        let moduli: [BigUint; S] = array::from_fn(|_| {
            let length = bits * N - 2;
            let one = BigUint::from(1u32);
            match round % 4 {
                0 => (&one << (1 + rng.below(length - 1))) + &one,
                1 => (&one << (1 + rng.below(length))) - &one,
                _ => (value(&number(&mut rng)) >> 2) | one,
            }
        });
        let of_moduli: [_; S] = array::from_fn(|s| Modulus::new(&to_digits(&moduli[s])));
        let mut context = Context::<_, S, N>::new(kernel, of_moduli.each_ref());
        // Any number, times one that is below the modulus.
        let a: [[_; LANES]; S] = array::from_fn(|_| array::from_fn(|_| number(&mut rng)));
        let b: [[_; LANES]; S] = array::from_fn(|s| {
            array::from_fn(|lane| match lane {
                0 => to_digits(&(&moduli[s] - 1u32)),
                _ => to_digits(&(value(&number(&mut rng)) % &moduli[s])),
            })
        });
        let in_lanes = |lanes: &[[u64; N]; LANES], above: u64| {
            Number(array::from_fn(|place| {
                Digit(array::from_fn(|lane| lanes[lane][place] | above << BITS))
            }))
        };
        let above = round % 3;
        let numbers_a: [_; S] = array::from_fn(|s| in_lanes(&a[s], above));
        let numbers_b: [_; S] = array::from_fn(|s| in_lanes(&b[s], above));
        let mut products: [Number<N>; S] = array::from_fn(|_| Number::zero());
        let mut squares: [Number<N>; S] = array::from_fn(|_| Number::zero());
        context.multiply(numbers_a.each_ref(), numbers_b.each_ref(), products.each_mut());
        context.square(numbers_b.each_ref(), squares.each_mut());
        for s in 0..S {
            let n = &moduli[s];
            for lane in 0..LANES {
                let [x, y] = [&a[s][lane], &b[s][lane]].map(value);
                for (found, x) in [(&products[s], x), (&squares[s], y.clone())] {
                    let found = value(&found.0.map(|digit| digit.0[lane]));
                    assert!(found < n * 2u32, "{x} * {y} mod {n}: {found} is too large");
                    let same = (&found << (bits * N)) % n == (&x * &y) % n;
                    assert!(same, "{x} * {y} / R mod {n} is not {found}");
                }
            }
        }
    }
}

#[test]
fn products_of_several_blocks_with_awkward_digits() {
    let rounds = match is_long_run() {
        _ if cfg!(miri) => 1,
        true => 20_000,
        false => 200,
    };
    try_context::<2, 5, RIGHT, 1, 10>(rounds);
    try_context::<4, 5, RIGHT, 1, 15>(rounds);
    try_context::<8, 10, RIGHT, 2, 10>(rounds);
    try_context::<8, 15, RIGHT, 1, 30>(rounds.div_ceil(4));
}

/// If a fault could hide, the tests above would hold for nothing.
#[test]
fn planted_faults_are_found_in_blocks_and_in_numbers_of_several() {
    fn assert_found(fault: &str, run: impl FnOnce()) {
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "{fault} was not found");
    }
    let all: Vec<u64> = (0..1 << 8).collect();
    let moduli = every_modulus(1 << 8);
    assert_found("a dropped carry", || {
        try_all::<4, 8, DROPPED_CARRY, 2, 4>(&moduli, &all);
    });
    assert_found("a wrong half", || {
        try_all::<4, 2, WRONG_HIGH, 2, 4>(&moduli, &all);
    });
    assert_found("a sum that is not rounded up", || {
        try_all::<4, 8, NOT_ROUNDED_UP, 2, 4>(&moduli, &all);
    });
    assert_found("a dropped carry", || try_context::<8, 5, DROPPED_CARRY, 1, 10>(200));
    assert_found("a wrong half", || try_context::<8, 5, WRONG_HIGH, 1, 10>(200));
    assert_found("a sum above the bound", || {
        let mut blocks = Blocks::<4, 8, RIGHT, 2, 4>::new();
        blocks.model.most /= 2;
        blocks.check_pairs(127, &all);
    });
}
