//! The RSA private operation in eight lanes: exponentiation by the Chinese remainder theorem,
//! blinded, and checked against faults by its public inverse.

use std::array;
use std::fmt;
use std::mem;
use std::sync::{Mutex, PoisonError};

use ssl_provider_core::{Error, RawDecryption, RsaPrivateKeyDer};
use zeroize::{Zeroize, Zeroizing};

#[cfg(any(test, feature = "__probe"))]
use crate::kernel::Portable;
use crate::kernel::{Kernel, Modulus, TABLE_LEN};
use crate::number::{DIGIT_BITS, LANES, Number, SPARE_BITS, digits_of, power_of_two};

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
    p: Prime<H>,
    q: Prime<H>,
    /// q^-1 mod p.
    coefficient: Number<H>,
    modulus: Modulus<N>,
    /// R^2 mod n, where R is 2^(52 N): brings a number into Montgomery form.
    r_squared: Number<N>,
    modulus_len: usize,
    public_exponent: u64,
    blinding: Mutex<Option<Blinding<N>>>,
}

/// A prime with what it takes to compute modulo it.
struct Prime<const H: usize> {
    modulus: Modulus<H>,
    /// R^2 and R^3 mod the prime, where R is 2^(52 H).
    r_squared: Number<H>,
    r_cubed: Number<H>,
    /// d mod the prime less one, as windows, the highest first.
    exponent: Zeroizing<Vec<u8>>,
    /// The prime less two: to this power a number is its inverse (Fermat).
    inversion: Zeroizing<Vec<u8>>,
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
            p: Prime::new(kernel, p, dp),
            q: Prime::new(kernel, q, dq),
            coefficient: Number::splat(&digits_of(coefficient)),
            modulus: Modulus::new(digits),
            r_squared: Number::splat(&power_of_two(2 * DIGIT_BITS * N, &digits)),
            modulus_len: der.modulus().len(),
            // At most 33 bits, as `RsaPrivateKeyDer` has checked.
            public_exponent: der
                .public_exponent()
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
            blinding: Mutex::new(None),
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
        let mut ciphertext = Number::zero();
        for lane in 0..LANES {
            // A lane to spare repeats the first job.
            if let Some(job) = jobs.get(lane).or(jobs.first()) {
                ciphertext.set_lane(lane, job.ciphertext);
            }
        }
        let blinding = self.next_blinding(random)?;
        let blinded = self.multiply(&ciphertext, &blinding.factor);
        let em = self.multiply(&self.power(&blinded, Power::Private), &blinding.inverse);
        let em = em.reduce_once(&self.modulus.digits);
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
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<Blinding<N>, Error> {
        // Factors are replaced as a whole, so a panic elsewhere leaves them usable.
        let mut kept = self.blinding.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match kept.take() {
            Some(last) if last.uses < BLINDING_USES => Blinding {
                factor: self.multiply(&last.factor, &last.factor),
                inverse: self.multiply(&last.inverse, &last.inverse),
                uses: last.uses + 1,
            },
            _ => self.new_blinding(random)?,
        };
        *kept = Some(next.copy());
        Ok(next)
    }

    fn new_blinding(
        &self,
        random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    ) -> Result<Blinding<N>, Error> {
        let mut bytes = Zeroizing::new(vec![0; self.modulus_len]);
        let mut number = Number::zero();
        for lane in 0..LANES {
            random(&mut bytes)?;
            number.set_lane(lane, &bytes);
        }
        let inverse = self.power(&number, Power::Inverse);
        Ok(Blinding {
            factor: self.montgomery_form(&self.public_power(&number)),
            inverse: self.montgomery_form(&inverse),
            uses: 1,
        })
    }

    /// A power of a number below R that only whoever knows the primes can compute, reduced.
    fn power(&self, number: &Number<N>, power: Power) -> Number<N> {
        let (p, q) = (&self.p, &self.q);
        let mod_p = p.power(self.kernel, number, power);
        let mod_q = q.power(self.kernel, number, power);
        let mod_q = multiply(self.kernel, &mod_q, &Number::one(), &q.modulus);
        let mod_q = mod_q.reduce_once(&q.modulus.digits);
        // Garner's formula: the difference in Montgomery form, plus 2 p to be positive, times the
        // plain coefficient is plain.
        let subtrahend = multiply(self.kernel, &mod_q, &p.r_squared, &p.modulus);
        let twice_p = Number::splat(&p.modulus.digits);
        let twice_p = twice_p.add(&twice_p);
        let (difference, _) = mod_p.add(&twice_p).subtract(&subtrahend);
        let factor = multiply(self.kernel, &difference, &self.coefficient, &p.modulus);
        let factor = factor.reduce_once(&p.modulus.digits);
        let mut result = mod_q.part::<N>(0);
        result.add_product(&factor, &q.modulus.digits);
        result
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
        self.multiply(&power, &Number::one()).reduce_once(&self.modulus.digits)
    }

    fn montgomery_form(&self, number: &Number<N>) -> Number<N> {
        self.multiply(number, &self.r_squared)
    }

    fn multiply(&self, a: &Number<N>, b: &Number<N>) -> Number<N> {
        multiply(self.kernel, a, b, &self.modulus)
    }
}

impl<const H: usize> Prime<H> {
    fn new<K: Kernel>(kernel: K, prime: &[u8], exponent: &[u8]) -> Self {
        let modulus = Modulus::new(digits_of(prime));
        let r_squared = Number::splat(&power_of_two(2 * DIGIT_BITS * H, &modulus.digits));
        let r_cubed = multiply(kernel, &r_squared, &r_squared, &modulus);
        let mut less_two = Zeroizing::new(prime.to_vec());
        // An odd number above 2: only the lowest byte changes unless it is 1.
        let mut borrow = 2;
        for byte in less_two.iter_mut().rev() {
            let (less, below_zero) = byte.overflowing_sub(borrow);
            *byte = less;
            borrow = u8::from(below_zero);
        }
        let inversion = windows(&less_two, prime.len());
        Self { modulus, r_squared, r_cubed, exponent: windows(exponent, prime.len()), inversion }
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

/// Raises a number of 128 bytes at most to a secret exponent modulo a secret prime of 64, and
/// writes the result into 64 bytes: the private operation, as it ships but for the kernel, in a
/// form that `cargo xtask ctgrind` runs under valgrind, which knows no AVX-512.
#[cfg(any(test, feature = "__probe"))]
pub fn private_power(prime: &[u8], exponent: &[u8], number: &[u8], out: &mut [u8]) {
    let prime = Prime::<10>::new(Portable, prime, exponent);
    let mut numbers = Number::<20>::zero();
    for lane in 0..LANES {
        numbers.set_lane(lane, number);
    }
    let power = prime.power(Portable, &numbers, Power::Private);
    let plain = multiply(Portable, &power, &Number::one(), &prime.modulus);
    plain.reduce_once(&prime.modulus.digits).write_lane(0, out);
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

/// A big-endian number as windows of four bits, as many as `len` bytes have.
fn windows(number: &[u8], len: usize) -> Zeroizing<Vec<u8>> {
    let mut windows = Zeroizing::new(Vec::with_capacity(2 * len));
    windows.resize(2 * len.saturating_sub(number.len()), 0);
    windows.extend(number.iter().flat_map(|byte| [byte >> 4, byte & 0xf]));
    windows
}

impl<const N: usize> Blinding<N> {
    fn copy(&self) -> Self {
        Self { factor: self.factor.copy(), inverse: self.inverse.copy(), uses: self.uses }
    }
}

impl<const H: usize> Drop for Prime<H> {
    fn drop(&mut self) {
        self.modulus.digits.zeroize();
        self.modulus.negative_inverse.zeroize();
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

    use num_bigint::BigUint;
    use ssl_provider_testkit::bytes::Rng;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;

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
        let mut rng = Rng::new(87);
        let prime = BigUint::from_bytes_be(&rng.bytes(64)) | BigUint::from(1u32);
        let (exponent, number) = (rng.bytes(64), rng.bytes(128));
        let mut found = [0; 64];
        private_power(&prime.to_bytes_be(), &exponent, &number, &mut found);
        let expected =
            BigUint::from_bytes_be(&number).modpow(&BigUint::from_bytes_be(&exponent), &prime);
        assert_eq!(BigUint::from_bytes_be(&found), expected);
    }

    #[test]
    fn blinding_factors_are_renewed_and_still_cancel() {
        let key = TestKey::rsa_1024();
        let engine: Portable1024 = engine(Portable, &key).unwrap();
        let random = generator();
        let mut factors: Vec<[Vec<u8>; LANES]> = Vec::new();
        for uses in (1..=BLINDING_USES).chain([1, 2]) {
            let blinding = engine.next_blinding(&random).unwrap();
            assert_eq!(blinding.uses, uses);
            let inverse = engine.multiply(&blinding.inverse, &Number::one());
            let product = engine.multiply(&blinding.factor, &engine.public_power(&inverse));
            let product = product.reduce_once(&engine.modulus.digits);
            assert_eq!(product.equal_lanes(&Number::one()), [true; LANES]);
            factors.push(lanes(&blinding.factor));
        }
        // No factor is that of another lane, of an earlier batch, or of the batches before renewal.
        let all: BTreeSet<&Vec<u8>> = factors.iter().flatten().collect();
        assert_eq!(all.len(), factors.len() * LANES);
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
        engine.next_blinding(&generator()).unwrap();
        // A fault in the half of one prime would give away the other (Boneh, DeMillo, Lipton).
        if let Some(window) = engine.p.exponent.last_mut() {
            *window ^= 1;
        }
        let ciphertexts = vec![vec![0x11; key.len()]; 5];
        let (blocks, good) = decrypt(&engine, &ciphertexts);
        assert_eq!(good, [false; LANES]);
        assert_eq!(blocks, vec![vec![0xa5; key.len()]; 5]);
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
