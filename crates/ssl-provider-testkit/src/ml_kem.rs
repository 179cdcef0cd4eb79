//! ML-KEM by plain arithmetic, step by step as FIPS 203 has it, and slow. Its hashes are those of
//! RustCrypto's crates, which the rustcrypto backend uses too; all else shares nothing with the
//! backends.

use sha3::digest::{Digest, ExtendableOutput, Update, XofReader};
use sha3::{Sha3_256, Sha3_512};
use shake::{Shake128, Shake256};
use ssl_provider_core::KemAlgorithm;

/// The modulus.
pub const Q: u16 = 3329;

/// Coefficients of a polynomial, and length of a polynomial that is encoded in full, in bytes.
const N: usize = 256;
const POLYNOMIAL_LEN: usize = 12 * N / 8;

/// Both mechanisms of the interface draw their noise alike (FIPS 203 table 2).
const ETA: usize = 2;

type Polynomial = [u16; N];

/// A mechanism with its parameters (FIPS 203 table 2).
#[derive(Clone, Copy, Debug)]
pub struct MlKem {
    k: u8,
    du: usize,
    dv: usize,
}

/// A key pair: the encapsulation key, and the decapsulation key in its expanded form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// The encapsulation key.
    pub encapsulation_key: Vec<u8>,
    /// The expanded decapsulation key.
    pub decapsulation_key: Vec<u8>,
}

impl MlKem {
    /// Returns the mechanism; none for one that is not ML-KEM-768 or ML-KEM-1024.
    pub fn new(kem: KemAlgorithm) -> Option<Self> {
        match kem {
            KemAlgorithm::MlKem768 => Some(Self { k: 3, du: 10, dv: 4 }),
            KemAlgorithm::MlKem1024 => Some(Self { k: 4, du: 11, dv: 5 }),
            _ => None,
        }
    }

    fn rank(self) -> usize {
        usize::from(self.k)
    }

    fn vector_len(self) -> usize {
        self.rank() * POLYNOMIAL_LEN
    }

    /// The parts of an expanded decapsulation key: the secret vector, the encapsulation key, its
    /// hash, and z.
    fn parts(self, dk: &[u8]) -> [&[u8]; 4] {
        let (vector, rest) = dk.split_at(self.vector_len());
        let (ek, rest) = rest.split_at(self.vector_len() + 32);
        let (hash, z) = rest.split_at(32);
        [vector, ek, hash, z]
    }

    /// ML-KEM.KeyGen_internal of a seed: d, then z (algorithm 16).
    pub fn key_pair(self, seed: &[u8; 64]) -> KeyPair {
        let (d, z) = seed.split_at(32);
        let (rho, sigma) = g(&[d, &[self.k]]);
        let noise = |from: u8| -> Vec<Polynomial> {
            (from..from + self.k).map(|counter| ntt(noise(&sigma, counter))).collect()
        };
        let (s, e) = (noise(0), noise(self.k));
        let matrix = self.matrix(&rho);
        let t = matrix.iter().zip(&e).map(|(row, e)| add(&dot(row, &s), e));
        let encode = |vector: Vec<Polynomial>| -> Vec<u8> {
            vector.iter().flat_map(|polynomial| encode(12, polynomial)).collect()
        };
        let encapsulation_key = [encode(t.collect()), rho.to_vec()].concat();
        let hash = h(&encapsulation_key);
        let decapsulation_key = [&encode(s)[..], &encapsulation_key, &hash, z].concat();
        KeyPair { encapsulation_key, decapsulation_key }
    }

    /// The modulus check (section 7.2) of a key that has its length.
    pub fn is_reduced(self, encapsulation_key: &[u8]) -> bool {
        let vector = &encapsulation_key[..self.vector_len()];
        let polynomials = vector.chunks(POLYNOMIAL_LEN).map(|bytes| decode(12, bytes));
        polynomials.flatten().all(|coefficient| coefficient < Q)
    }

    /// A copy of an encapsulation key with the coefficient at this place set, to any number of 12
    /// bits.
    pub fn with_coefficient(self, encapsulation_key: &[u8], at: usize, value: u16) -> Vec<u8> {
        let mut key = encapsulation_key.to_vec();
        let polynomial = &mut key[at / N * POLYNOMIAL_LEN..][..POLYNOMIAL_LEN];
        let mut coefficients = decode(12, polynomial);
        coefficients[at % N] = value;
        polynomial.copy_from_slice(&encode(12, &coefficients));
        key
    }

    /// A copy of an encapsulation key with its coefficients reduced.
    pub fn reduced(self, encapsulation_key: &[u8]) -> Vec<u8> {
        let (vector, rho) = encapsulation_key.split_at(self.vector_len());
        let reduced = vector
            .chunks(POLYNOMIAL_LEN)
            .flat_map(|bytes| encode(12, &decode(12, bytes).map(|x| x % Q)));
        reduced.chain(rho.iter().copied()).collect()
    }

    /// How many coefficients an encapsulation key has.
    pub fn coefficients(self) -> usize {
        self.rank() * N
    }

    /// The hash check (section 7.3) of a key that has its length.
    pub fn has_right_hash(self, decapsulation_key: &[u8]) -> bool {
        let [_, ek, hash, _] = self.parts(decapsulation_key);
        h(ek) == hash
    }

    /// Whether the parts of a decapsulation key that has its length belong together: the ranges and
    /// the hash are right, and what is encapsulated to it is decapsulated by it.
    pub fn is_consistent(self, decapsulation_key: &[u8]) -> bool {
        let [vector, ek, ..] = self.parts(decapsulation_key);
        let is_reduced = self.is_reduced(vector) && self.is_reduced(ek);
        is_reduced && self.has_right_hash(decapsulation_key) && {
            let (ciphertext, secret) = self.encapsulate(ek, &[0x55; 32]);
            self.decapsulate(decapsulation_key, &ciphertext) == secret
        }
    }

    /// A copy of a decapsulation key with the hash that belongs there.
    pub fn with_right_hash(self, decapsulation_key: &[u8]) -> Vec<u8> {
        let [vector, ek, _, z] = self.parts(decapsulation_key);
        [vector, ek, &h(ek), z].concat()
    }

    /// ML-KEM.Encaps_internal (algorithm 17): ciphertext and secret.
    pub fn encapsulate(self, encapsulation_key: &[u8], m: &[u8; 32]) -> (Vec<u8>, [u8; 32]) {
        let (secret, r) = g(&[m, &h(encapsulation_key)]);
        (self.encrypt(encapsulation_key, m, &r), secret)
    }

    /// ML-KEM.Decaps_internal (algorithm 18) of a ciphertext that has its length.
    pub fn decapsulate(self, decapsulation_key: &[u8], ciphertext: &[u8]) -> [u8; 32] {
        let [vector, ek, hash, z] = self.parts(decapsulation_key);
        let m = self.decrypt(vector, ciphertext);
        let (secret, r) = g(&[&m, hash]);
        if self.encrypt(ek, &m, &r) == ciphertext { secret } else { rejection(z, ciphertext) }
    }

    /// The matrix A in the domain of the transform.
    fn matrix(self, rho: &[u8; 32]) -> Vec<Vec<Polynomial>> {
        let row = |i| (0..self.k).map(|j| uniform(rho, j, i)).collect();
        (0..self.k).map(row).collect()
    }

    /// K-PKE.Encrypt (algorithm 14).
    fn encrypt(self, ek: &[u8], m: &[u8; 32], r: &[u8; 32]) -> Vec<u8> {
        let (vector, rho) = ek.split_at(self.vector_len());
        let t: Vec<_> = vector.chunks(POLYNOMIAL_LEN).map(|bytes| decode(12, bytes)).collect();
        let matrix = self.matrix(rho.try_into().expect("32 bytes behind the vector"));
        let y: Vec<_> = (0..self.k).map(|counter| ntt(noise(r, counter))).collect();
        let mut ciphertext = Vec::new();
        for (column, counter) in (0..self.rank()).zip(self.k..) {
            let transposed: Vec<_> = matrix.iter().map(|row| row[column]).collect();
            let u = add(&inverse_ntt(dot(&transposed, &y)), &noise(r, counter));
            ciphertext.extend(encode(self.du, &u.map(|x| compress(self.du, x))));
        }
        let message = decode(1, m).map(|bit| decompress(1, bit));
        let v = add(&add(&inverse_ntt(dot(&t, &y)), &noise(r, 2 * self.k)), &message);
        ciphertext.extend(encode(self.dv, &v.map(|x| compress(self.dv, x))));
        ciphertext
    }

    /// K-PKE.Decrypt (algorithm 15).
    fn decrypt(self, vector: &[u8], ciphertext: &[u8]) -> [u8; 32] {
        let s: Vec<_> = vector.chunks(POLYNOMIAL_LEN).map(|bytes| decode(12, bytes)).collect();
        let (u, v) = ciphertext.split_at(self.rank() * self.du * N / 8);
        let u: Vec<_> = u
            .chunks(self.du * N / 8)
            .map(|bytes| ntt(decode(self.du, bytes).map(|x| decompress(self.du, x))))
            .collect();
        let v = decode(self.dv, v).map(|x| decompress(self.dv, x));
        let product = inverse_ntt(dot(&s, &u));
        let w: Polynomial = std::array::from_fn(|at| (v[at] + Q - product[at]) % Q);
        let bits = encode(1, &w.map(|x| compress(1, x)));
        bits.try_into().expect("a bit for each coefficient")
    }
}

/// The secret of a ciphertext that nobody made (FIPS 203 section 6.3): J of z and the ciphertext.
pub fn rejection(z: &[u8], ciphertext: &[u8]) -> [u8; 32] {
    let mut secret = [0; 32];
    xof(Shake256::default(), &[z, ciphertext]).read(&mut secret);
    secret
}

/// H, of section 4.1.
fn h(input: &[u8]) -> [u8; 32] {
    Sha3_256::digest(input).into()
}

/// G, of section 4.1.
fn g(input: &[&[u8]]) -> ([u8; 32], [u8; 32]) {
    let output = Sha3_512::digest(input.concat());
    let (first, second) = output.split_at(32);
    (first.try_into().expect("half of 64"), second.try_into().expect("half of 64"))
}

fn xof<X: ExtendableOutput + Update>(mut xof: X, input: &[&[u8]]) -> X::Reader {
    input.iter().for_each(|part| xof.update(part));
    xof.finalize_xof()
}

/// SampleNTT (algorithm 7).
fn uniform(rho: &[u8; 32], j: u8, i: u8) -> Polynomial {
    let mut reader = xof(Shake128::default(), &[rho, &[j, i]]);
    let mut coefficients = Vec::new();
    while coefficients.len() < N {
        let mut bytes = [0; 3];
        reader.read(&mut bytes);
        let [a, b, c] = bytes.map(u16::from);
        let pair = [a + 256 * (b % 16), b / 16 + 16 * c];
        coefficients.extend(pair.into_iter().filter(|number| *number < Q));
    }
    std::array::from_fn(|at| coefficients[at])
}

/// SamplePolyCBD of PRF (algorithm 8, and section 4.1).
fn noise(seed: &[u8; 32], counter: u8) -> Polynomial {
    let mut bytes = [0; 64 * ETA];
    xof(Shake256::default(), &[seed, &[counter]]).read(&mut bytes);
    let bit = |at: usize| u16::from(bytes[at / 8] >> (at % 8) & 1);
    std::array::from_fn(|at| {
        let sum = |from: usize| (from..from + ETA).map(bit).sum::<u16>();
        (sum(2 * ETA * at) + Q - sum(2 * ETA * at + ETA)) % Q
    })
}

/// ByteEncode (algorithm 5).
fn encode(bits: usize, polynomial: &Polynomial) -> Vec<u8> {
    let mut bytes = vec![0; bits * N / 8];
    for at in 0..bits * N {
        let bit = polynomial[at / bits] >> (at % bits) & 1;
        bytes[at / 8] |= u8::from(bit == 1) << (at % 8);
    }
    bytes
}

/// ByteDecode (algorithm 6), but for the reduction of 12 bits.
fn decode(bits: usize, bytes: &[u8]) -> Polynomial {
    let bit = |at: usize| u16::from(bytes[at / 8] >> (at % 8) & 1);
    std::array::from_fn(|at| (0..bits).map(|low| bit(at * bits + low) << low).sum())
}

/// Compress (section 4.2.1): the number times 2^bits / q, rounded.
fn compress(bits: usize, x: u16) -> u16 {
    let q = u32::from(Q);
    let rounded = ((u32::from(x) << bits) + q / 2) / q % (1 << bits);
    u16::try_from(rounded).expect("at most 11 bits")
}

/// Decompress (section 4.2.1): the number times q / 2^bits, rounded.
fn decompress(bits: usize, y: u16) -> u16 {
    let rounded = (u32::from(y) * u32::from(Q) + (1 << (bits - 1))) >> bits;
    u16::try_from(rounded).expect("below q")
}

fn product(a: u16, b: u16) -> u16 {
    let product = u32::from(a) * u32::from(b) % u32::from(Q);
    u16::try_from(product).expect("below q")
}

/// The powers of 17, a root of unity of order 256.
const ZETA: [u16; N] = {
    let (mut powers, mut at) = ([1; N], 1);
    while at < N {
        powers[at] = powers[at - 1] * 17 % Q;
        at += 1;
    }
    powers
};

/// The seven bits of a number in reverse order.
fn reversed(number: usize) -> usize {
    (0..7).map(|bit| (number >> bit & 1) << (6 - bit)).sum()
}

fn add(a: &Polynomial, b: &Polynomial) -> Polynomial {
    std::array::from_fn(|at| (a[at] + b[at]) % Q)
}

/// NTT (algorithm 9).
fn ntt(mut f: Polynomial) -> Polynomial {
    let mut i = 1;
    for len in [128, 64, 32, 16, 8, 4, 2] {
        for start in (0..N).step_by(2 * len) {
            let zeta = ZETA[reversed(i)];
            i += 1;
            for j in start..start + len {
                let t = product(zeta, f[j + len]);
                f[j + len] = (f[j] + Q - t) % Q;
                f[j] = (f[j] + t) % Q;
            }
        }
    }
    f
}

/// The inverse of NTT (algorithm 10).
fn inverse_ntt(mut f: Polynomial) -> Polynomial {
    let mut i = 127;
    for len in [2, 4, 8, 16, 32, 64, 128] {
        for start in (0..N).step_by(2 * len) {
            let zeta = ZETA[reversed(i)];
            i -= 1;
            for j in start..start + len {
                let t = f[j];
                f[j] = (t + f[j + len]) % Q;
                f[j + len] = product(zeta, (f[j + len] + Q - t) % Q);
            }
        }
    }
    // 128^-1.
    f.map(|x| product(x, 3303))
}

/// The product of a row and a column in the domain of the transform (algorithms 11 and 12).
fn dot(row: &[Polynomial], column: &[Polynomial]) -> Polynomial {
    let mut sum = [0; N];
    for (f, g) in row.iter().zip(column) {
        for i in 0..N / 2 {
            let (even, odd) = (2 * i, 2 * i + 1);
            let gamma = ZETA[2 * reversed(i) + 1];
            let low = product(f[even], g[even]) + product(product(f[odd], g[odd]), gamma);
            let high = product(f[even], g[odd]) + product(f[odd], g[even]);
            sum[even] = (sum[even] + low) % Q;
            sum[odd] = (sum[odd] + high) % Q;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::{Rng, flipped};

    #[test]
    fn both_sides_have_the_same_secret_and_another_ciphertext_is_rejected() {
        let mut rng = Rng::new(203);
        for kem in KemAlgorithm::ALL {
            let ml_kem = MlKem::new(kem).unwrap();
            let seed = rng.array();
            let KeyPair { encapsulation_key, decapsulation_key } = ml_kem.key_pair(&seed);
            assert_eq!(encapsulation_key.len(), kem.encapsulation_key_len());
            assert_eq!(decapsulation_key.len(), kem.decapsulation_key_len());
            assert!(ml_kem.is_reduced(&encapsulation_key));
            assert!(ml_kem.has_right_hash(&decapsulation_key));
            let (ciphertext, secret) = ml_kem.encapsulate(&encapsulation_key, &rng.array());
            assert_eq!(ciphertext.len(), kem.ciphertext_len());
            assert_eq!(ml_kem.decapsulate(&decapsulation_key, &ciphertext), secret);
            let other = flipped(&ciphertext, 77);
            let rejected = ml_kem.decapsulate(&decapsulation_key, &other);
            assert_eq!(rejected, rejection(&seed[32..], &other));
        }
    }

    #[test]
    fn the_transform_and_its_inverse_cancel() {
        let polynomial: Polynomial = std::array::from_fn(|at| u16::try_from(at * 13).unwrap() % Q);
        assert_eq!(inverse_ntt(ntt(polynomial)), polynomial);
    }

    #[test]
    fn a_coefficient_out_of_range_is_seen_wherever_it_is() {
        for kem in KemAlgorithm::ALL {
            let ml_kem = MlKem::new(kem).unwrap();
            let zeros = vec![0; kem.encapsulation_key_len()];
            for at in [0, 1, 255, 256, ml_kem.coefficients() - 1] {
                assert!(ml_kem.is_reduced(&ml_kem.with_coefficient(&zeros, at, Q - 1)));
                assert!(!ml_kem.is_reduced(&ml_kem.with_coefficient(&zeros, at, Q)));
                assert!(!ml_kem.is_reduced(&ml_kem.with_coefficient(&zeros, at, 4095)));
            }
        }
    }
}
