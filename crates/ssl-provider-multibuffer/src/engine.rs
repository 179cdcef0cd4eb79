//! The RSA private operation in eight lanes: exponentiation by the Chinese remainder theorem,
//! blinded, and checked against faults by its public inverse. Eight operations take an
//! exponentiation modulo each prime; up to four take one, with half of the lanes for each prime,
//! and up to two take one in half of the lanes.

use std::array;
use std::fmt;
use std::mem;
use std::process;
use std::sync::{Mutex, PoisonError};

use ssl_provider_core::backend::RawDecryption;
use ssl_provider_core::{Error, RsaPrivateKeyDer};
use zeroize::Zeroizing;

use crate::blocks::{IndexBits, LOOKUP_PARTS, TABLE_LEN, Window};
use crate::montgomery::{Context, Lookup, Modulus, Table, multiply_and_add};
use crate::number::{
    DIGIT_BITS, HALF, LANES, Number, QUARTER, SPARE_BITS, digits_of, power_of_two, side_by_side,
};
use crate::vector::Kernel;
#[cfg(any(test, feature = "__probe"))]
use crate::vector::Portable;

/// Batches after which the blinding factors are made anew; in between they are squared.
const BLINDING_USES: u32 = 32;

/// Blinding factors that are kept for each width: as many as there are threads that decrypt with a
/// key at once, unless they are more.
const BLINDINGS_KEPT: usize = 16;

/// Percent of an engine's digits that a prime has to fill. With less, a batch takes as long as a
/// library for one after the other.
const LEAST_FILLED: usize = 55;

/// Bits of an exponent that one multiplication takes; 16 is the size of the kernel's table.
const WINDOW_BITS: usize = 4;
const _: () = assert!(1 << WINDOW_BITS == TABLE_LEN && WINDOW_BITS == LOOKUP_PARTS);

/// Digits of primes that are computed with in two streams, p beside q, where the kernel
/// [starts two multiplications a cycle](Kernel::starts_two_a_cycle). The tables of longer primes
/// would not fit into the cache side by side.
const IN_TWO_STREAMS: usize = 10;

/// A private key whose primes have `H` digits and whose modulus has `N`, twice as many.
pub(crate) struct Engine<K, const H: usize, const N: usize> {
    kernel: K,
    crt: Crt<H>,
    modulus: Modulus<N>,
    /// R^2 mod n, where R is 2^(52 N): brings a number into Montgomery form.
    r_squared: Number<N>,
    modulus_len: usize,
    public_exponent: u64,
    /// For batches of each width. A batch takes one, and puts back its successor.
    blindings: [Mutex<Vec<Box<Blinding<N>>>>; 3],
}

/// The private key, for computing modulo its primes and putting the results together.
struct Crt<const H: usize> {
    p: Box<Primes<H>>,
    q: Box<Primes<H>>,
    /// Both, for less than the full width.
    p_beside_q: Box<Primes<H>>,
    /// q^-1 mod p.
    coefficient: Number<H>,
}

/// A prime in each lane, with what it takes to compute modulo it.
struct Primes<const H: usize> {
    modulus: Modulus<H>,
    /// R^2 and R^3 mod the prime, where R is 2^(52 H).
    r_squared: Number<H>,
    r_cubed: Number<H>,
    /// d mod the prime less one, as windows, the highest first.
    exponent: Zeroizing<Vec<Window>>,
    /// The prime less two: to this power a number is its inverse (Fermat).
    inversion: Zeroizing<Vec<Window>>,
}

/// How many numbers are raised to a power at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// A quarter as many as there are lanes, in the lower half of them; each is in two lanes, one
    /// for each prime.
    Quarter,
    /// Half as many as there are lanes; each is in two lanes, one for each prime.
    Half,
    /// As many as there are lanes, modulo one prime after the other.
    Full,
}

impl Width {
    fn of(jobs: usize) -> Self {
        match jobs {
            0..=QUARTER => Self::Quarter,
            _ if jobs <= HALF => Self::Half,
            _ => Self::Full,
        }
    }

    /// The number in a lane; see [`side_by_side`].
    fn number_in(self, lane: usize) -> usize {
        match self {
            Self::Quarter => lane % QUARTER,
            Self::Half => lane / HALF * QUARTER + lane % QUARTER,
            Self::Full => lane,
        }
    }

    /// The lane in which the result for a number is.
    fn lane_of(self, number: usize) -> usize {
        match self {
            Self::Quarter | Self::Full => number,
            Self::Half => number / QUARTER * HALF + number % QUARTER,
        }
    }

    fn kernel<K: Kernel>(self, kernel: K) -> K {
        match self {
            Self::Quarter => kernel.lower(),
            Self::Half | Self::Full => kernel,
        }
    }

    fn numbers(self) -> usize {
        match self {
            Self::Quarter => QUARTER,
            Self::Half => HALF,
            Self::Full => LANES,
        }
    }
}

/// Which power of a number is asked for.
#[derive(Clone, Copy)]
enum Power {
    /// That of the private exponent.
    Private,
    /// -1.
    Inverse,
}

/// Random factors, in Montgomery form: r^e, and r^-1, which takes it off again.
struct Blinding<const N: usize> {
    factor: Number<N>,
    inverse: Number<N>,
    uses: u32,
    /// The process that made them: a forked child inherits those of its parent.
    process: u32,
}

impl<K: Kernel, const H: usize, const N: usize> Engine<K, H, N> {
    const HALVES: () = assert!(N == 2 * H);

    /// Whether the longer prime of a key has the length that this engine is for.
    pub(crate) fn takes(der: &RsaPrivateKeyDer<'_>) -> bool {
        let () = Self::HALVES;
        let short_enough = |bytes: &[u8], digits: usize| {
            // Without leading zeros; the lengths are public.
            8 * bytes.len() <= digits * DIGIT_BITS - SPARE_BITS
        };
        let primes = der.primes();
        let fits = primes.iter().all(|prime| short_enough(prime, H));
        // Which a library need not check. Longer ones would have windows that are never read.
        let [p, q] = primes;
        let [dp, dq, coefficient] = der.crt_parts();
        let are_reduced =
            dp.len() <= p.len() && dq.len() <= q.len() && coefficient.len() <= p.len();
        // Shorter primes would pay for digits that are empty.
        let longest = primes.iter().map(|prime| prime.len()).max().unwrap_or(0);
        let fills = longest >= H * DIGIT_BITS / 8 * LEAST_FILLED / 100;
        fits && are_reduced && short_enough(der.modulus(), N) && fills
    }

    /// Loads a key that the engine [takes](Self::takes).
    pub(crate) fn new(kernel: K, der: &RsaPrivateKeyDer<'_>) -> Self {
        let [p, q] = der.primes();
        let [dp, dq, coefficient] = der.crt_parts();
        let digits = digits_of(der.modulus());
        Self {
            kernel,
            crt: Crt::new(kernel, [p, q], [dp, dq], coefficient),
            modulus: Modulus::new(&digits),
            r_squared: Number::splat(&power_of_two(2 * DIGIT_BITS * N, &digits)),
            modulus_len: der.modulus().len(),
            // At most 33 bits, as `RsaPrivateKeyDer` has checked.
            public_exponent: der
                .public_exponent()
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
            blindings: [const { Mutex::new(Vec::new()) }; 3],
        }
    }

    /// Runs the private operation for up to eight jobs. Returns for each whether its result passed
    /// the check; where it did not, nothing was written.
    ///
    /// # Errors
    ///
    /// What `random` answers.
    pub(crate) fn decrypt(
        &self,
        jobs: &mut [RawDecryption<'_>],
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<[bool; LANES], Error> {
        let width = Width::of(jobs.len());
        let mut ciphertext = Number::zero();
        for lane in 0..LANES {
            // A lane to spare repeats the first job.
            if let Some(job) = jobs.get(width.number_in(lane)).or(jobs.first()) {
                ciphertext.set_lane(lane, job.ciphertext);
            }
        }
        let mut context = self.context(width);
        let blinding = self.next_blinding(&mut context, width, random)?;
        let blinded = context.product(&ciphertext, &blinding.factor);
        let power = self.crt.power(self.kernel, &blinded, Power::Private, width);
        let em = context.product(&power, &blinding.inverse).reduce_once(&self.modulus.number);
        let good = self.public_power(&mut context, &em).equal_lanes(&ciphertext);
        let good = array::from_fn(|job| job < jobs.len() && good[width.lane_of(job)]);
        for (number, (job, good)) in jobs.iter_mut().zip(good).enumerate() {
            if good {
                em.write_lane(width.lane_of(number), job.em);
            }
        }
        Ok(good)
    }

    /// Factors for one batch, which no other batch has: the squares of those of an earlier batch,
    /// or new ones. No other thread waits while they are computed.
    fn next_blinding(
        &self,
        context: &mut Context<'_, K, 1, N>,
        width: Width,
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<Blinding<N>, Error> {
        let [quarter, half, full] = &self.blindings;
        let kept = match width {
            Width::Quarter => quarter,
            Width::Half => half,
            Width::Full => full,
        };
        // Factors are moved as a whole, so a panic elsewhere leaves them usable.
        let kept = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        let last = kept().pop();
        let next = match last {
            Some(last) if last.uses < BLINDING_USES && last.process == process::id() => Blinding {
                factor: context.squared(&last.factor),
                inverse: context.squared(&last.inverse),
                uses: last.uses + 1,
                process: last.process,
            },
            _ => self.new_blinding(context, width, random)?,
        };
        let mut kept = kept();
        if kept.len() < BLINDINGS_KEPT {
            kept.push(Box::new(next.copy()));
        }
        Ok(next)
    }

    fn new_blinding(
        &self,
        context: &mut Context<'_, K, 1, N>,
        width: Width,
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<Blinding<N>, Error> {
        let mut bytes = Zeroizing::new(vec![0; self.modulus_len]);
        let mut number = Number::zero();
        for first in 0..width.numbers() {
            random(&mut bytes)?;
            for lane in (0..LANES).filter(|lane| width.number_in(*lane) == first) {
                number.set_lane(lane, &bytes);
            }
        }
        let inverse = self.crt.power(self.kernel, &number, Power::Inverse, width);
        let factor = self.public_power(context, &number);
        Ok(Blinding {
            factor: context.product(&factor, &self.r_squared),
            inverse: context.product(&inverse, &self.r_squared),
            uses: 1,
            process: process::id(),
        })
    }

    /// The number to the public exponent, reduced.
    fn public_power(&self, context: &mut Context<'_, K, 1, N>, number: &Number<N>) -> Number<N> {
        let in_montgomery_form = context.product(number, &self.r_squared);
        let [mut power, mut next] = [&mut in_montgomery_form.copy(), &mut Number::zero()];
        // The exponent is odd and above 1, as `RsaPrivateKeyDer` has checked, so it has bits.
        let bits = u64::BITS - self.public_exponent.leading_zeros();
        for bit in (0..bits - 1).rev() {
            context.square([power], [next]);
            mem::swap(&mut power, &mut next);
            if self.public_exponent >> bit & 1 == 1 {
                // The last factor takes the power out of Montgomery form.
                let factor = if bit == 0 { number } else { &in_montgomery_form };
                context.multiply([power], [factor], [next]);
                mem::swap(&mut power, &mut next);
            }
        }
        power.reduce_once(&self.modulus.number)
    }

    fn context(&self, width: Width) -> Context<'_, K, 1, N> {
        Context::new(width.kernel(self.kernel), [&self.modulus])
    }
}

impl<const H: usize> Crt<H> {
    fn new<K: Kernel>(
        kernel: K,
        primes: [&[u8]; 2],
        exponents: [&[u8]; 2],
        coefficient: &[u8],
    ) -> Self {
        // Without leading zeros; the lengths are public.
        let len = primes.iter().map(|prime| prime.len()).max().unwrap_or(0);
        let [p, q] = primes;
        let [dp, dq] = exponents;
        let p = Primes::new(kernel, p, dp, len);
        let q = Primes::new(kernel, q, dq, len);
        let coefficient = Zeroizing::new(digits_of(coefficient));
        Self { p_beside_q: p.beside(&q), p, q, coefficient: Number::splat(&coefficient) }
    }

    /// A power of a number below 2^(104 H), reduced. With less than the full width, the number is
    /// the same in the lanes of both primes, and so is the power.
    fn power<K: Kernel, const N: usize>(
        &self,
        kernel: K,
        number: &Number<N>,
        power: Power,
        width: Width,
    ) -> Number<N> {
        let (p, q) = (&self.p, &self.q);
        let kernel = width.kernel(kernel);
        let [mod_p, mod_q] = match width {
            Width::Quarter | Width::Half => {
                let [both] = Primes::power(kernel, [&self.p_beside_q], number, power);
                both.apart()
            }
            Width::Full if H == IN_TWO_STREAMS && kernel.starts_two_a_cycle() => {
                Primes::power(kernel, [p, q], number, power)
            }
            Width::Full => [p, q].map(|prime| {
                let [residue] = Primes::power(kernel, [prime], number, power);
                residue
            }),
        };
        let [mut modulo_p, mut modulo_q] =
            [p, q].map(|prime| Context::new(kernel, [&prime.modulus]));
        let mod_q = modulo_q.product(&mod_q, &Number::one()).reduce_once(&q.modulus.number);
        // Garner's formula: the difference in Montgomery form, plus 2 p to be positive, times the
        // plain coefficient is plain.
        let subtrahend = modulo_p.product(&mod_q, &p.r_squared);
        let twice_p = p.modulus.number.add(&p.modulus.number);
        let (difference, _) = mod_p.add(&twice_p).subtract(&subtrahend);
        let factor = modulo_p.product(&difference, &self.coefficient);
        let factor = factor.reduce_once(&p.modulus.number);
        multiply_and_add(kernel, &factor, &q.modulus.number, &mod_q)
    }
}

impl<const H: usize> Primes<H> {
    /// The same prime in every lane, with exponents for primes of up to `len` bytes.
    fn new<K: Kernel>(kernel: K, prime: &[u8], exponent: &[u8], len: usize) -> Box<Self> {
        let digits = Zeroizing::new(digits_of(prime));
        let modulus = Modulus::new(&digits);
        let r_squared = Zeroizing::new(power_of_two(2 * DIGIT_BITS * H, &digits));
        let r_squared = Number::splat(&r_squared);
        let r_cubed = Context::new(kernel, [&modulus]).squared(&r_squared);
        let mut less_two = Zeroizing::new(prime.to_vec());
        // An odd number above 2: only the lowest byte changes unless it is 1.
        let mut borrow = 2;
        for byte in less_two.iter_mut().rev() {
            let (less, below_zero) = byte.overflowing_sub(borrow);
            *byte = less;
            borrow = u8::from(below_zero);
        }
        let inversion = windows(&less_two, len);
        let exponent = windows(exponent, len);
        Box::new(Self { modulus, r_squared, r_cubed, exponent, inversion })
    }

    /// Lanes of these primes beside lanes of others, whose exponents are as long.
    fn beside(&self, other: &Self) -> Box<Self> {
        let beside = |lower: &[Window], upper: &[Window]| {
            let both = lower.iter().zip(upper).map(|(lower, upper)| side_by_side(*lower, *upper));
            Zeroizing::new(both.collect::<Vec<_>>())
        };
        Box::new(Self {
            modulus: self.modulus.beside(&other.modulus),
            r_squared: self.r_squared.beside(&other.r_squared),
            r_cubed: self.r_cubed.beside(&other.r_cubed),
            exponent: beside(&self.exponent, &other.exponent),
            inversion: beside(&self.inversion, &other.inversion),
        })
    }

    /// Powers of a number below R^2 modulo each of `S` primes, in Montgomery form.
    ///
    /// A modulus m is below R / 2^8, and what is multiplied stays below R m:
    ///
    /// | number | below |
    /// |---|---|
    /// | product, square, entry of the table | 2 m |
    /// | base, a sum of two products | 4 m |
    /// | difference of Garner's formula | 4 p |
    /// | coefficient of Garner's formula | p |
    // Not inlined: the caller has one for each width, and their tables would share a frame.
    #[inline(never)]
    fn power<K: Kernel, const S: usize, const N: usize>(
        kernel: K,
        primes: [&Self; S],
        number: &Number<N>,
        power: Power,
    ) -> [Number<H>; S] {
        let mut context = Context::new(kernel, primes.map(|prime| &prime.modulus));
        let mut result = [const { Number::zero() }; S];
        let mut other = [const { Number::zero() }; S];
        let mut entry = [const { Number::zero() }; S];
        // number = high R + low, so that number R = high R^3 / R + low R^2 / R.
        let (low, high) = (number.part::<H>(0), number.part::<H>(H));
        context.multiply([&low; S], primes.map(|it| &it.r_squared), result.each_mut());
        context.multiply([&high; S], primes.map(|it| &it.r_cubed), other.each_mut());
        let base: [_; S] = array::from_fn(|stream| result[stream].add(&other[stream]));

        // The powers from 0 to 15, of which each is a square or one base more than the last.
        let mut tables = [const { Table::zero() }; S];
        let one = Number::one();
        context.multiply([&one; S], primes.map(|it| &it.r_squared), other.each_mut());
        for place in 0..TABLE_LEN {
            if place > 0 && place % 2 == 0 {
                for (table, root) in tables.iter().zip(&mut entry) {
                    table.get(place / 2, root);
                }
                context.square(entry.each_ref(), other.each_mut());
            } else if place > 0 {
                for (table, last) in tables.iter().zip(&mut entry) {
                    table.get(place - 1, last);
                }
                context.multiply(base.each_ref(), entry.each_ref(), other.each_mut());
            }
            for (table, power) in tables.iter_mut().zip(&other) {
                table.set(place, power);
            }
        }

        let windows = primes.map(|prime| match power {
            Power::Private => &prime.exponent[..],
            Power::Inverse => &prime.inversion[..],
        });
        // All streams have as many windows, as the length is that of the longer prime.
        let len = windows.iter().map(|windows| windows.len()).min().unwrap_or(0);
        let [mut result, mut other] = [&mut result, &mut other];
        for mut lookup in
            lookups(&tables, &windows.map(|windows| IndexBits::of(windows[0])), result)
        {
            lookup.run(kernel);
        }
        // The hot loop: it goes back and forth between the two numbers.
        for place in 1..len {
            let indices = windows.map(|windows| IndexBits::of(windows[place]));
            for part in 0..LOOKUP_PARTS {
                let lookups = &mut lookups(&tables, &indices, &mut entry);
                context.square_and_look_up(result.each_ref(), other.each_mut(), lookups, part);
                mem::swap(&mut result, &mut other);
            }
            context.multiply(result.each_ref(), entry.each_ref(), other.each_mut());
            mem::swap(&mut result, &mut other);
        }
        result.each_ref().map(Number::copy)
    }
}

/// What is to be looked up in each stream.
fn lookups<'a, const S: usize, const H: usize>(
    tables: &'a [Table<H>; S],
    indices: &'a [IndexBits; S],
    entries: &'a mut [Number<H>; S],
) -> [Lookup<'a, H>; S] {
    let mut streams = 0..S;
    entries.each_mut().map(|entry| {
        let stream = streams.next().unwrap_or(0);
        Lookup { table: &tables[stream], index: &indices[stream], entry }
    })
}

/// Raises a number to the highest 16 bits of a private key's exponents, and writes the result
/// twice: as one of a few and as one of many. All steps of an exponentiation are there, in a form
/// that `cargo xtask ctgrind` runs under valgrind, which knows neither AVX-512 nor AVX-IFMA, with
/// keys whose whole operation takes minutes there. For short keys it runs
/// [`private_operations`](crate::private_operations).
///
/// `primes`, `exponents` and `coefficient` are p and q, d mod p-1 and q-1, and q^-1 mod p. Primes
/// have 128 bytes, which are one block of digits, or 192, which are two. Number and results are as
/// long as both.
#[cfg(any(test, feature = "__probe"))]
pub fn private_power(
    primes: [&[u8]; 2],
    exponents: [&[u8]; 2],
    coefficient: &[u8],
    number: &[u8],
    out: [&mut [u8]; 2],
) {
    fn write<const H: usize, const N: usize>(mut crt: Crt<H>, number: &[u8], out: [&mut [u8]; 2]) {
        for primes in [&mut crt.p, &mut crt.q, &mut crt.p_beside_q] {
            primes.exponent.truncate(16 / WINDOW_BITS);
        }
        let mut numbers = Number::<N>::zero();
        for lane in 0..LANES {
            numbers.set_lane(lane, number);
        }
        for (out, width) in out.into_iter().zip([Width::Half, Width::Full]) {
            crt.power(Portable, &numbers, Power::Private, width).write_lane(0, out);
        }
    }

    if primes[0].len() == 128 {
        write::<20, 40>(Crt::new(Portable, primes, exponents, coefficient), number, out);
    } else {
        write::<30, 60>(Crt::new(Portable, primes, exponents, coefficient), number, out);
    }
}

/// A big-endian number as windows of four bits in every lane, as many as `len` bytes have.
fn windows(number: &[u8], len: usize) -> Zeroizing<Vec<Window>> {
    let mut windows = Zeroizing::new(Vec::with_capacity(2 * len));
    windows.resize(2 * len.saturating_sub(number.len()), [0; LANES]);
    windows.extend(number.iter().flat_map(|byte| [[byte >> 4; LANES], [byte & 0xf; LANES]]));
    windows
}

impl<const N: usize> Blinding<N> {
    fn copy(&self) -> Self {
        let Self { factor, inverse, uses, process } = self;
        Self { factor: factor.copy(), inverse: inverse.copy(), uses: *uses, process: *process }
    }
}

impl<K: fmt::Debug, const H: usize, const N: usize> fmt::Debug for Engine<K, H, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("kernel", &self.kernel)
            .field("modulus_len", &self.modulus_len)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use num_bigint::BigUint;
    use ssl_provider_testkit::bytes::Rng;
    use ssl_provider_testkit::rsa_key::{KeyParts, TestKey};

    use super::*;
    use crate::key::STACK_LENS;
    use crate::vector::{on_every_fast_kernel, on_every_kernel};

    type Portable1024 = Engine<Portable, 10, 20>;

    fn engine<K: Kernel, const H: usize, const N: usize>(
        kernel: K,
        key: &TestKey,
    ) -> Engine<K, H, N> {
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        assert!(Engine::<K, H, N>::takes(&der), "{}", key.name);
        Engine::new(kernel, &der)
    }

    /// A key whose primes have these bits.
    fn of_lengths(lengths: [u64; 2]) -> TestKey {
        TestKey::from_der("generated", &KeyParts::generate_uneven(lengths, 92).to_der())
    }

    /// A generator that goes on from call to call.
    fn generator() -> impl Fn(&mut [u8]) -> Result<(), Error> {
        let rng = Mutex::new(Rng::new(85));
        move |bytes| {
            rng.lock().unwrap().fill(bytes);
            Ok(())
        }
    }

    /// Decrypts these and says which passed the check; the others keep what was in their buffer.
    fn decrypt<K: Kernel, const H: usize, const N: usize>(
        engine: &Engine<K, H, N>,
        ciphertexts: &[Vec<u8>],
    ) -> (Vec<Vec<u8>>, [bool; LANES]) {
        let mut blocks = vec![vec![0xa5; engine.modulus_len]; ciphertexts.len()];
        let mut jobs: Vec<_> = ciphertexts
            .iter()
            .zip(&mut blocks)
            .map(|(ciphertext, em)| RawDecryption { ciphertext, em })
            .collect();
        let good = engine.decrypt(&mut jobs, &generator()).unwrap();
        (blocks, good)
    }

    fn assert_decrypts<K: Kernel, const H: usize, const N: usize>(
        engine: &Engine<K, H, N>,
        key: &TestKey,
        batches: &[usize],
    ) {
        let mut rng = Rng::new(86);
        let d = BigUint::from_bytes_be(&key.private_exponent());
        for jobs in batches.iter().copied() {
            let numbers: Vec<BigUint> = (0..jobs)
                .map(|_| BigUint::from_bytes_be(&rng.bytes(key.len())) % key.modulus())
                .collect();
            let ciphertexts: Vec<_> = numbers.iter().map(|number| key.left_pad(number)).collect();
            let (blocks, good) = decrypt(engine, &ciphertexts);
            assert_eq!(good[..jobs], [true; LANES][..jobs], "{}", key.name);
            for (number, block) in numbers.iter().zip(blocks) {
                let expected = key.left_pad(&number.modpow(&d, key.modulus()));
                assert_eq!(block, expected, "{}, batch of {jobs}", key.name);
            }
        }
    }

    #[test]
    fn results_are_those_of_big_integers_for_every_size_on_every_kernel() {
        fn assert_kernel<K: Kernel>(kernel: K) {
            let key = TestKey::rsa_1024();
            assert_decrypts(
                &engine::<K, 10, 20>(kernel, &key),
                &key,
                &[1, 2, 3, 4, 5, 6, 7, 8, 1, 8],
            );
            let key = TestKey::rsa_1536();
            assert_decrypts(&engine::<K, 15, 30>(kernel, &key), &key, &[1, 4, 8]);
            for key in [TestKey::rsa_2048(), TestKey::rsa_2048_e3(), TestKey::rsa_2048_p_lt_q()] {
                assert_decrypts(&engine::<K, 20, 40>(kernel, &key), &key, &[2, 3, 8]);
            }
            let key = TestKey::rsa_3072();
            assert_decrypts(&engine::<K, 30, 60>(kernel, &key), &key, &[2, 3, 8]);
        }
        on_every_kernel!(assert_kernel);
    }

    /// Not with plain Rust, which is too slow for these keys.
    #[test]
    fn results_are_those_of_big_integers_for_long_keys() {
        fn assert_kernel<K: Kernel>(kernel: K) {
            // Each width.
            let key = TestKey::rsa_4096();
            let engine = Box::new(engine::<K, 40, 80>(kernel, &key));
            assert_decrypts(&engine, &key, &[1, 3, 8]);
            let key = TestKey::rsa_8192();
            let engine = Box::new(self::engine::<K, 80, 160>(kernel, &key));
            assert_decrypts(&engine, &key, &[1, 4, 8]);
        }
        on_every_fast_kernel!(assert_kernel);
    }

    #[test]
    fn primes_of_uneven_length_are_computed_by_the_engine_of_the_longer_one() {
        fn assert_kernel<K: Kernel>(kernel: K) {
            for lengths in [[589, 435], [435, 589], [480, 544], [600, 424]] {
                let key = of_lengths(lengths);
                assert_decrypts(&engine::<K, 15, 30>(kernel, &key), &key, &[1, 2, 3, 5, 8]);
            }
            // The shorter prime would fit into fewer digits.
            let key = of_lengths([520, 900]);
            assert_decrypts(&engine::<K, 20, 40>(kernel, &key), &key, &[2, 3, 8]);
        }
        on_every_kernel!(assert_kernel);
    }

    #[test]
    fn a_private_power_is_that_of_big_integers() {
        for (key, bits) in [(TestKey::rsa_2048(), 16), (TestKey::rsa_3072(), 16)] {
            let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
            let [dp, dq, coefficient] = der.crt_parts();
            let number = Rng::new(87).bytes(key.len());
            let [mut few, mut many] = [(); 2].map(|()| vec![0; key.len()]);
            let out = [&mut few[..], &mut many];
            private_power(der.primes(), [dp, dq], coefficient, &number, out);
            let number = BigUint::from_bytes_be(&number);
            for ((prime, exponent), out) in
                der.primes().into_iter().zip([dp, dq]).flat_map(|it| [(it, &few), (it, &many)])
            {
                // The highest bits of as many as the prime has.
                let exponent = BigUint::from_bytes_be(exponent) >> (8 * prime.len() - bits);
                let prime = BigUint::from_bytes_be(prime);
                let found = BigUint::from_bytes_be(out) % &prime;
                assert_eq!(found, number.modpow(&exponent, &prime), "{}", key.name);
            }
        }
    }

    #[test]
    fn every_number_has_a_lane_of_its_own_and_the_lanes_of_both_primes() {
        for width in [Width::Quarter, Width::Half, Width::Full] {
            for number in 0..width.numbers() {
                let lane = width.lane_of(number);
                assert_eq!(width.number_in(lane), number, "{width:?}");
                if width != Width::Full {
                    assert_eq!(side_by_side([0; LANES], [1; LANES])[lane], 0, "{width:?}");
                    assert_eq!(width.number_in(lane ^ QUARTER), number, "{width:?}");
                }
            }
        }
    }

    #[test]
    fn blinding_factors_are_renewed_and_still_cancel() {
        let key = TestKey::rsa_1024();
        let engine: Portable1024 = engine(Portable, &key);
        let random = generator();
        let mut factors: Vec<Vec<u8>> = Vec::new();
        for width in [Width::Quarter, Width::Half, Width::Full] {
            for uses in (1..=BLINDING_USES).chain([1, 2]) {
                let context = &mut engine.context(width);
                let blinding = engine.next_blinding(context, width, &random).unwrap();
                assert_eq!(blinding.uses, uses);
                let inverse = context.product(&blinding.inverse, &Number::one());
                let inverse = engine.public_power(context, &inverse);
                let product = context.product(&blinding.factor, &inverse);
                let product = product.reduce_once(&engine.modulus.number);
                assert_eq!(product.equal_lanes(&Number::one()), [true; LANES]);
                let lanes = lanes(&blinding.factor);
                factors.extend((0..width.numbers()).map(|it| lanes[width.lane_of(it)].clone()));
            }
        }
        // No factor is that of another number, of an earlier batch, or of those before renewal.
        let all: BTreeSet<&Vec<u8>> = factors.iter().collect();
        assert_eq!(all.len(), factors.len());
        assert_decrypts(&engine, &key, &[1, 3, 8]);
    }

    /// Each waits inside until the other has come there too, so a lock around it would never open.
    #[test]
    fn threads_take_blinding_factors_of_their_own() {
        let key = TestKey::rsa_1024();
        let engine: Portable1024 = engine(Portable, &key);
        let (generator, both) = (generator(), Barrier::new(2));
        let is_first = AtomicBool::new(true);
        let random = |bytes: &mut [u8]| {
            // Later rounds square what the first has made.
            if is_first.load(Ordering::Relaxed) {
                both.wait();
            }
            generator(bytes)
        };
        let factor = || {
            let context = &mut engine.context(Width::Quarter);
            let blinding = engine.next_blinding(context, Width::Quarter, &random).unwrap();
            lanes(&blinding.factor)
        };
        let mut factors = BTreeSet::new();
        for _ in 0..3 {
            let pair = thread::scope(|scope| {
                let other = scope.spawn(factor);
                [factor(), other.join().unwrap()]
            });
            factors.extend(pair);
            is_first.store(false, Ordering::Relaxed);
        }
        assert_eq!(factors.len(), 6, "no two batches have the same factor");
    }

    /// The number in each lane.
    fn lanes<const N: usize>(number: &Number<N>) -> [Vec<u8>; LANES] {
        array::from_fn(|lane| {
            let mut bytes = vec![0; N * DIGIT_BITS / 8];
            number.write_lane(lane, &mut bytes);
            bytes
        })
    }

    #[test]
    fn a_result_that_does_not_encrypt_back_is_not_handed_out() {
        let key = TestKey::rsa_1024();
        let mut engine: Portable1024 = engine(Portable, &key);
        // A fault in the half of one prime would give away the other (Boneh, DeMillo, Lipton).
        for primes in [&mut engine.crt.p, &mut engine.crt.p_beside_q] {
            primes.exponent.last_mut().unwrap()[0] ^= 1;
        }
        for jobs in [1, QUARTER, HALF, HALF + 1, LANES] {
            let ciphertexts = vec![vec![0x11; key.len()]; jobs];
            let (blocks, good) = decrypt(&engine, &ciphertexts);
            let expected: [bool; LANES] = array::from_fn(|job| job > 0 && job < jobs);
            assert_eq!(good, expected, "{jobs} jobs");
            assert_eq!(blocks[0], vec![0xa5; key.len()], "{jobs} jobs");
        }
    }

    #[test]
    fn a_failing_generator_is_an_error_and_the_next_batch_is_well() {
        let key = TestKey::rsa_1024();
        let engine: Portable1024 = engine(Portable, &key);
        let ciphertext = vec![0x11; key.len()];
        let mut em = vec![0; key.len()];
        let mut jobs = [RawDecryption { ciphertext: &ciphertext, em: &mut em }];
        let failed = engine.decrypt(&mut jobs, &|_| Err(Error::Random));
        assert_eq!(failed, Err(Error::Random));
        assert_decrypts(&engine, &key, &[1, 4, 8]);
    }

    /// On a thread with less stack than it takes, it would end the process.
    #[test]
    fn the_stack_that_is_wiped_holds_a_batch_and_the_loading_of_a_key() {
        fn assert_fits<K: Kernel, const H: usize, const N: usize>(
            kernel: K,
            key: &TestKey,
            len: usize,
        ) {
            let der = key.der.clone();
            let ciphertexts = vec![vec![0x11; key.len()]; LANES];
            let run = move || {
                let der = RsaPrivateKeyDer::from_der(&der).unwrap();
                let engine = Box::new(Engine::<K, H, N>::new(kernel, &der));
                for jobs in [1, LANES] {
                    let (_, good) = decrypt(&engine, &ciphertexts[..jobs]);
                    assert_eq!(good[..jobs], [true; LANES][..jobs]);
                }
            };
            thread::Builder::new().stack_size(len).spawn(run).unwrap().join().unwrap();
        }
        fn assert_kernel<K: Kernel>(kernel: K) {
            assert_fits::<K, 10, 20>(kernel, &TestKey::rsa_1024(), STACK_LENS[0]);
            assert_fits::<K, 20, 40>(kernel, &TestKey::rsa_2048(), STACK_LENS[1]);
            assert_fits::<K, 40, 80>(kernel, &TestKey::rsa_4096(), STACK_LENS[2]);
            assert_fits::<K, 80, 160>(kernel, &TestKey::rsa_8192(), STACK_LENS[3]);
        }
        on_every_fast_kernel!(assert_kernel);
    }

    #[test]
    fn a_key_goes_to_the_shortest_engine_that_its_longer_prime_fits_and_fills() {
        // Primes a byte too long for the engine before, and the shortest and longest that none
        // takes.
        for (key, engine) in [
            (TestKey::rsa_2056(), Some(20)),
            (of_lengths([513, 512]), Some(15)),
            (of_lengths([1033, 512]), Some(30)),
            (of_lengths([2073, 512]), None),
            (of_lengths([2280, 512]), None),
            (of_lengths([2281, 512]), Some(80)),
        ] {
            let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
            let takes = [
                (10, Engine::<Portable, 10, 20>::takes(&der)),
                (15, Engine::<Portable, 15, 30>::takes(&der)),
                (20, Engine::<Portable, 20, 40>::takes(&der)),
                (30, Engine::<Portable, 30, 60>::takes(&der)),
                (40, Engine::<Portable, 40, 80>::takes(&der)),
                (80, Engine::<Portable, 80, 160>::takes(&der)),
            ];
            let first = takes.into_iter().find(|(_, takes)| *takes).map(|(digits, _)| digits);
            assert_eq!(first, engine, "{} bytes", key.len());
        }
    }
}
