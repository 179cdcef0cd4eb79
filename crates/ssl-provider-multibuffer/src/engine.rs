//! The RSA private operation in eight lanes: exponentiation by the Chinese remainder theorem,
//! blinded, and checked against faults by its public inverse. Eight operations take an
//! exponentiation modulo each prime; up to four take one, with half of the lanes for each prime.

use std::array;
use std::fmt;
use std::mem;
use std::sync::{Mutex, PoisonError};

use ssl_provider_core::backend::RawDecryption;
use ssl_provider_core::{Error, RsaPrivateKeyDer};
use zeroize::Zeroizing;

#[cfg(any(test, feature = "__probe"))]
use crate::kernel::Portable;
use crate::kernel::{Kernel, Modulus, TABLE_LEN, Window};
use crate::number::{
    DIGIT_BITS, HALF, LANES, Number, SPARE_BITS, digits_of, power_of_two, side_by_side,
};

/// Batches after which the blinding factors are made anew; in between they are squared.
const BLINDING_USES: u32 = 32;

/// Percent of an engine's digits that a prime has to fill.
const LEAST_FILLED: usize = 80;

/// Bits of an exponent that one multiplication takes; 16 is the size of the kernel's table.
const WINDOW_BITS: usize = 4;
const _: () = assert!(1 << WINDOW_BITS == TABLE_LEN);

/// A private key whose primes have `H` digits and whose modulus has `N`, twice as many.
pub(crate) struct Engine<K, const H: usize, const N: usize> {
    kernel: K,
    crt: Crt<H>,
    modulus: Modulus<N>,
    /// R^2 mod n, where R is 2^(52 N): brings a number into Montgomery form.
    r_squared: Number<N>,
    modulus_len: usize,
    public_exponent: u64,
    /// For batches of each width.
    blindings: [Mutex<Option<Blinding<N>>>; 2],
}

/// The private key, for computing modulo its primes and putting the results together.
struct Crt<const H: usize> {
    p: Primes<H>,
    q: Primes<H>,
    /// p in the lower half of the lanes, q in the upper.
    p_beside_q: Primes<H>,
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
    /// [`HALF`] as many as there are lanes, each in two lanes: one for each prime.
    Half,
    /// As many as there are lanes, modulo one prime after the other.
    Full,
}

impl Width {
    fn of(jobs: usize) -> Self {
        if jobs <= HALF { Self::Half } else { Self::Full }
    }

    fn numbers(self) -> usize {
        match self {
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
}

impl<K: Kernel, const H: usize, const N: usize> Engine<K, H, N> {
    const HALVES: () = assert!(N == 2 * H);

    /// Loads a key, if its primes have the length that this engine is for.
    pub(crate) fn new(kernel: K, der: &RsaPrivateKeyDer<'_>) -> Option<Self> {
        let () = Self::HALVES;
        let [p, q] = der.primes();
        let [dp, dq, coefficient] = der.crt_parts();
        let short_enough = |bytes: &[u8], digits: usize| {
            // Without leading zeros; the lengths are public.
            8 * bytes.len() <= digits * DIGIT_BITS - SPARE_BITS
        };
        let fits = [p, q, dp, dq, coefficient].iter().all(|part| short_enough(part, H));
        // Shorter primes would pay for digits that are empty.
        let fills = p.len() >= H * DIGIT_BITS / 8 * LEAST_FILLED / 100;
        if !fits || !short_enough(der.modulus(), N) || !fills {
            return None;
        }
        let digits = digits_of(der.modulus());
        Some(Self {
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
            blindings: [Mutex::new(None), Mutex::new(None)],
        })
    }

    /// Runs the private operation for up to eight jobs. Says for each whether its result passed the
    /// check; where it did not, nothing was written.
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
            if let Some(job) = jobs.get(lane % width.numbers()).or(jobs.first()) {
                ciphertext.set_lane(lane, job.ciphertext);
            }
        }
        let blinding = self.next_blinding(width, random)?;
        let blinded = self.multiply(&ciphertext, &blinding.factor);
        let power = self.crt.power(self.kernel, &blinded, Power::Private, width);
        let em = self.multiply(&power, &blinding.inverse).reduce_once(&self.modulus.number);
        let good = self.public_power(&em).equal_lanes(&ciphertext);
        for (lane, job) in jobs.iter_mut().enumerate().take(LANES) {
            if good[lane] {
                em.write_lane(lane, job.em);
            }
        }
        Ok(good)
    }

    /// Factors for one batch. Those for the next are their squares.
    fn next_blinding(
        &self,
        width: Width,
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<Blinding<N>, Error> {
        let [half, full] = &self.blindings;
        let kept = match width {
            Width::Half => half,
            Width::Full => full,
        };
        // Factors are replaced as a whole, so a panic elsewhere leaves them usable.
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match kept.take() {
            Some(last) if last.uses < BLINDING_USES => Blinding {
                factor: self.multiply(&last.factor, &last.factor),
                inverse: self.multiply(&last.inverse, &last.inverse),
                uses: last.uses + 1,
            },
            _ => self.new_blinding(width, random)?,
        };
        *kept = Some(next.copy());
        Ok(next)
    }

    fn new_blinding(
        &self,
        width: Width,
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<Blinding<N>, Error> {
        let mut bytes = Zeroizing::new(vec![0; self.modulus_len]);
        let mut number = Number::zero();
        for first in 0..width.numbers() {
            random(&mut bytes)?;
            for lane in (first..LANES).step_by(width.numbers()) {
                number.set_lane(lane, &bytes);
            }
        }
        let inverse = self.crt.power(self.kernel, &number, Power::Inverse, width);
        Ok(Blinding {
            factor: self.montgomery_form(&self.public_power(&number)),
            inverse: self.montgomery_form(&inverse),
            uses: 1,
        })
    }

    /// The number to the public exponent, reduced.
    fn public_power(&self, number: &Number<N>) -> Number<N> {
        let number = self.montgomery_form(number);
        let mut power = number.copy();
        // The exponent is odd and above 1, as `RsaPrivateKeyDer` has checked, so it has bits.
        let bits = u64::BITS - self.public_exponent.leading_zeros();
        for bit in (0..bits - 1).rev() {
            power = self.multiply(&power, &power);
            if self.public_exponent >> bit & 1 == 1 {
                power = self.multiply(&power, &number);
            }
        }
        self.multiply(&power, &Number::one()).reduce_once(&self.modulus.number)
    }

    fn montgomery_form(&self, number: &Number<N>) -> Number<N> {
        self.multiply(number, &self.r_squared)
    }

    fn multiply(&self, a: &Number<N>, b: &Number<N>) -> Number<N> {
        multiply(self.kernel, a, b, &self.modulus)
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

    /// A power of a number below 2^(104 H), reduced. With half the width the number is the same in
    /// both halves of the lanes, and so is the power.
    fn power<K: Kernel, const N: usize>(
        &self,
        kernel: K,
        number: &Number<N>,
        power: Power,
        width: Width,
    ) -> Number<N> {
        let (p, q) = (&self.p, &self.q);
        let [mod_p, mod_q] = match width {
            Width::Half => self.p_beside_q.power(kernel, number, power).halves(),
            Width::Full => [p, q].map(|prime| prime.power(kernel, number, power)),
        };
        let mod_q = multiply(kernel, &mod_q, &Number::one(), &q.modulus);
        let mod_q = mod_q.reduce_once(&q.modulus.number);
        // Garner's formula: the difference in Montgomery form, plus 2 p to be positive, times the
        // plain coefficient is plain.
        let subtrahend = multiply(kernel, &mod_q, &p.r_squared, &p.modulus);
        let twice_p = p.modulus.number.add(&p.modulus.number);
        let (difference, _) = mod_p.add(&twice_p).subtract(&subtrahend);
        let factor = multiply(kernel, &difference, &self.coefficient, &p.modulus);
        let factor = factor.reduce_once(&p.modulus.number);
        let mut result = mod_q.part::<N>(0);
        result.add_product(&factor, &q.modulus.number);
        result
    }
}

impl<const H: usize> Primes<H> {
    /// The same prime in every lane, with exponents for primes of up to `len` bytes.
    fn new<K: Kernel>(kernel: K, prime: &[u8], exponent: &[u8], len: usize) -> Self {
        let digits = Zeroizing::new(digits_of(prime));
        let modulus = Modulus::new(&digits);
        let r_squared = Zeroizing::new(power_of_two(2 * DIGIT_BITS * H, &digits));
        let r_squared = Number::splat(&r_squared);
        let r_cubed = multiply(kernel, &r_squared, &r_squared, &modulus);
        let mut less_two = Zeroizing::new(prime.to_vec());
        // An odd number above 2: only the lowest byte changes unless it is 1.
        let mut borrow = 2;
        for byte in less_two.iter_mut().rev() {
            let (less, below_zero) = byte.overflowing_sub(borrow);
            *byte = less;
            borrow = u8::from(below_zero);
        }
        let inversion = windows(&less_two, len);
        Self { modulus, r_squared, r_cubed, exponent: windows(exponent, len), inversion }
    }

    /// The primes of half of the lanes beside half of others, whose exponents are as long.
    fn beside(&self, other: &Self) -> Self {
        let beside = |lower: &[Window], upper: &[Window]| {
            let both = lower.iter().zip(upper).map(|(lower, upper)| side_by_side(*lower, *upper));
            Zeroizing::new(both.collect::<Vec<_>>())
        };
        Self {
            modulus: self.modulus.beside(&other.modulus),
            r_squared: self.r_squared.beside(&other.r_squared),
            r_cubed: self.r_cubed.beside(&other.r_cubed),
            exponent: beside(&self.exponent, &other.exponent),
            inversion: beside(&self.inversion, &other.inversion),
        }
    }

    /// A power of a number below R, in Montgomery form.
    fn power<K: Kernel, const N: usize>(
        &self,
        kernel: K,
        number: &Number<N>,
        power: Power,
    ) -> Number<H> {
        // number = high R + low, so that number R = high R^3 / R + low R^2 / R.
        let (low, high) = (number.part::<H>(0), number.part::<H>(H));
        let modulus = &self.modulus;
        let base = multiply(kernel, &low, &self.r_squared, modulus);
        let base = base.add(&multiply(kernel, &high, &self.r_cubed, modulus));

        let mut last = multiply(kernel, &Number::one(), &self.r_squared, modulus);
        let table: [Number<H>; TABLE_LEN] = array::from_fn(|_| {
            let next = multiply(kernel, &last, &base, modulus);
            mem::replace(&mut last, next)
        });
        let windows = match power {
            Power::Private => &self.exponent,
            Power::Inverse => &self.inversion,
        };
        // The hot loop: it goes back and forth between the two numbers.
        let mut result = table[0].copy();
        let mut other = Number::zero();
        let mut entry = Number::zero();
        for window in windows.iter() {
            for _ in 0..WINDOW_BITS / 2 {
                kernel.multiply(&result, &result, modulus, &mut other);
                kernel.multiply(&other, &other, modulus, &mut result);
            }
            kernel.select(&table, *window, &mut entry);
            kernel.multiply(&result, &entry, modulus, &mut other);
            mem::swap(&mut result, &mut other);
        }
        result
    }
}

/// Raises a number of 128 bytes to the power of a private key with primes of 64 bytes, and writes
/// the result, which is as long, twice: as one of a few and as one of many. This is the private
/// operation, as it ships but for the kernel and the blinding, in a form that `cargo xtask ctgrind`
/// runs under valgrind, which knows no AVX-512.
///
/// `primes`, `exponents` and `coefficient` are p and q, d mod p-1 and q-1, and q^-1 mod p.
#[cfg(any(test, feature = "__probe"))]
pub fn private_power(
    primes: [&[u8]; 2],
    exponents: [&[u8]; 2],
    coefficient: &[u8],
    number: &[u8],
    out: [&mut [u8]; 2],
) {
    let crt = Crt::<10>::new(Portable, primes, exponents, coefficient);
    let mut numbers = Number::<20>::zero();
    for lane in 0..LANES {
        numbers.set_lane(lane, number);
    }
    for (out, width) in out.into_iter().zip([Width::Half, Width::Full]) {
        crt.power(Portable, &numbers, Power::Private, width).write_lane(0, out);
    }
}

fn multiply<K: Kernel, const N: usize>(
    kernel: K,
    a: &Number<N>,
    b: &Number<N>,
    modulus: &Modulus<N>,
) -> Number<N> {
    let mut product = Number::zero();
    kernel.multiply(a, b, modulus, &mut product);
    product
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
        Self { factor: self.factor.copy(), inverse: self.inverse.copy(), uses: self.uses }
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
    use std::thread;

    use num_bigint::BigUint;
    use ssl_provider_testkit::bytes::Rng;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;
    use crate::kernel::Avx512;
    use crate::key::STACK_LEN;

    type Portable1024 = Engine<Portable, 10, 20>;

    fn engine<K: Kernel, const H: usize, const N: usize>(
        kernel: K,
        key: &TestKey,
    ) -> Option<Engine<K, H, N>> {
        Engine::new(kernel, &RsaPrivateKeyDer::from_der(&key.der).unwrap())
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
        batches: usize,
    ) {
        let mut rng = Rng::new(86);
        let d = BigUint::from_bytes_be(&key.private_exponent());
        for batch in 0..batches {
            let numbers: Vec<BigUint> = (0..1 + batch % LANES)
                .map(|_| BigUint::from_bytes_be(&rng.bytes(key.len())) % key.modulus())
                .collect();
            let ciphertexts: Vec<_> = numbers.iter().map(|number| key.left_pad(number)).collect();
            let (blocks, good) = decrypt(engine, &ciphertexts);
            assert_eq!(good, [true; LANES], "{}", key.name);
            for (number, block) in numbers.iter().zip(blocks) {
                let expected = key.left_pad(&number.modpow(&d, key.modulus()));
                assert_eq!(block, expected, "{}, batch {batch}", key.name);
            }
        }
    }

    #[test]
    fn results_are_those_of_big_integers() {
        let key = TestKey::rsa_1024();
        assert_decrypts(&engine::<_, 10, 20>(Portable, &key).unwrap(), &key, 3);
        for key in [TestKey::rsa_2048(), TestKey::rsa_2048_e3(), TestKey::rsa_2048_p_lt_q()] {
            assert_decrypts(&engine::<_, 20, 40>(Portable, &key).unwrap(), &key, 1);
        }
        let key = TestKey::rsa_3072();
        assert_decrypts(&engine::<_, 30, 60>(Portable, &key).unwrap(), &key, 1);
    }

    #[test]
    fn a_private_power_is_that_of_big_integers() {
        let key = TestKey::rsa_1024();
        let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
        let [dp, dq, coefficient] = der.crt_parts();
        let number = Rng::new(87).bytes(128);
        let [mut few, mut many] = [[0; 128]; 2];
        private_power(der.primes(), [dp, dq], coefficient, &number, [&mut few, &mut many]);
        let d = BigUint::from_bytes_be(&key.private_exponent());
        let expected = key.left_pad(&BigUint::from_bytes_be(&number).modpow(&d, key.modulus()));
        assert_eq!([few.to_vec(), many.to_vec()], [expected.clone(), expected]);
    }

    #[test]
    fn blinding_factors_are_renewed_and_still_cancel() {
        let key = TestKey::rsa_1024();
        let engine: Portable1024 = engine(Portable, &key).unwrap();
        let random = generator();
        let mut factors: Vec<Vec<u8>> = Vec::new();
        for width in [Width::Half, Width::Full] {
            for uses in (1..=BLINDING_USES).chain([1, 2]) {
                let blinding = engine.next_blinding(width, &random).unwrap();
                assert_eq!(blinding.uses, uses);
                let inverse = engine.multiply(&blinding.inverse, &Number::one());
                let product = engine.multiply(&blinding.factor, &engine.public_power(&inverse));
                let product = product.reduce_once(&engine.modulus.number);
                assert_eq!(product.equal_lanes(&Number::one()), [true; LANES]);
                let lanes = lanes(&blinding.factor);
                factors.extend(lanes.into_iter().take(width.numbers()));
            }
        }
        // No factor is that of another number, of an earlier batch, or of those before renewal.
        let all: BTreeSet<&Vec<u8>> = factors.iter().collect();
        assert_eq!(all.len(), factors.len());
        assert_decrypts(&engine, &key, 3);
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
        let mut engine: Portable1024 = engine(Portable, &key).unwrap();
        // A fault in the half of one prime would give away the other (Boneh, DeMillo, Lipton).
        for primes in [&mut engine.crt.p, &mut engine.crt.p_beside_q] {
            primes.exponent.last_mut().unwrap()[0] ^= 1;
        }
        for jobs in [1, HALF, HALF + 1, LANES] {
            let ciphertexts = vec![vec![0x11; key.len()]; jobs];
            let (blocks, good) = decrypt(&engine, &ciphertexts);
            let mut expected = [true; LANES];
            for faulty in expected.iter_mut().step_by(Width::of(jobs).numbers()) {
                *faulty = false;
            }
            assert_eq!(good, expected, "{jobs} jobs");
            assert_eq!(blocks[0], vec![0xa5; key.len()], "{jobs} jobs");
        }
    }

    #[test]
    fn a_failing_generator_is_an_error_and_the_next_batch_is_well() {
        let key = TestKey::rsa_1024();
        let engine: Portable1024 = engine(Portable, &key).unwrap();
        let ciphertext = vec![0x11; key.len()];
        let mut em = vec![0; key.len()];
        let mut jobs = [RawDecryption { ciphertext: &ciphertext, em: &mut em }];
        let failed = engine.decrypt(&mut jobs, &|_| Err(Error::Random));
        assert_eq!(failed, Err(Error::Random));
        assert_decrypts(&engine, &key, 1);
    }

    /// On a thread with less stack than it takes, it would end the process.
    #[test]
    fn the_stack_that_is_wiped_holds_a_batch_and_the_loading_of_a_key() {
        fn load_and_decrypt(kernel: impl Kernel) {
            let key = TestKey::rsa_3072();
            let engine = Box::new(engine::<_, 30, 60>(kernel, &key).unwrap());
            for jobs in [1, LANES] {
                let (_, good) = decrypt(&engine, &vec![vec![0x11; key.len()]; jobs]);
                assert_eq!(good, [true; LANES]);
            }
        }
        let run = || match Avx512::detect() {
            Some(kernel) => load_and_decrypt(kernel),
            None => load_and_decrypt(Portable),
        };
        thread::Builder::new().stack_size(STACK_LEN).spawn(run).unwrap().join().unwrap();
    }

    #[test]
    fn keys_whose_primes_do_not_fill_the_digits_are_left_to_the_library() {
        for key in [TestKey::rsa_1536(), TestKey::rsa_2056(), TestKey::rsa_4096()] {
            let fits = (
                engine::<_, 10, 20>(Portable, &key).is_some(),
                engine::<_, 20, 40>(Portable, &key).is_some(),
                engine::<_, 30, 60>(Portable, &key).is_some(),
            );
            let expected = (false, key.name == "rsa-2056", false);
            assert_eq!(fits, expected, "{}", key.name);
        }
    }
}
