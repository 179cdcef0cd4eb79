//! RSA keys for tests: the generated ones of this crate, and keys put together from their parts, so
//! that parts may be wrong. The public operation lives here; it encrypts blocks of any shape.

use num_bigint::BigUint;

use ssl_provider_core::{Error, PrivateKey, Provider, RsaPrivateKeyDer};

use crate::bytes::Rng;
use crate::reference;

macro_rules! generated {
    ($($(#[$doc:meta])* $function:ident $file:literal;)*) => {
        impl TestKey {
            $($(#[$doc])* pub fn $function() -> Self {
                Self::from_der($file, include_bytes!(concat!("../keys/", $file, ".der")))
            })*

            /// Every generated key.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$function()),*]
            }
        }
    };
}

generated! {
    /// 1024 bits: the smallest that is taken, and the fastest.
    rsa_1024 "rsa-1024";
    /// 1536 bits.
    rsa_1536 "rsa-1536";
    /// 2048 bits.
    rsa_2048 "rsa-2048";
    /// 2048 bits with public exponent 3.
    rsa_2048_e3 "rsa-2048-e3";
    /// 2048 bits with the smaller prime first.
    rsa_2048_p_lt_q "rsa-2048-p-lt-q";
    /// 2056 bits: a byte count that no word size divides.
    rsa_2056 "rsa-2056";
    /// 3072 bits.
    rsa_3072 "rsa-3072";
    /// 4096 bits.
    rsa_4096 "rsa-4096";
    /// 8192 bits: the largest that is taken.
    rsa_8192 "rsa-8192";
}

/// A key with its parts in view. Nothing about it is secret.
#[derive(Clone, Debug)]
pub struct TestKey {
    /// A name for messages.
    pub name: String,
    /// The key as PKCS#1 or PKCS#8 DER.
    pub der: Vec<u8>,
    n: BigUint,
    e: BigUint,
    d: BigUint,
}

impl TestKey {
    /// Takes a key that is known to be well formed.
    pub fn from_der(name: &str, der: &[u8]) -> Self {
        let parts = RsaPrivateKeyDer::from_der(der)
            .unwrap_or_else(|error| panic!("test key {name}: {error}"));
        Self {
            name: name.to_owned(),
            n: BigUint::from_bytes_be(parts.modulus()),
            e: BigUint::from_bytes_be(parts.public_exponent()),
            d: BigUint::from_bytes_be(parts.private_exponent()),
            der: der.to_owned(),
        }
    }

    /// Length of the modulus in bytes.
    pub fn len(&self) -> usize {
        self.n.to_bytes_be().len()
    }

    /// A key is never empty; here because `len` is.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The modulus.
    pub fn modulus(&self) -> &BigUint {
        &self.n
    }

    /// The private exponent as a string of the modulus length.
    pub fn private_exponent(&self) -> Vec<u8> {
        self.left_pad(&self.d)
    }

    /// What the key's fallback depends on.
    pub fn reject_key(&self) -> Vec<u8> {
        let KeyParts { p, q, .. } = self.parts();
        reference::reject_key([&p.to_bytes_be(), &q.to_bytes_be()])
    }

    /// Loads the key into a provider.
    pub fn load(&self, provider: &Provider) -> PrivateKey {
        self.try_load(provider)
            .unwrap_or_else(|error| panic!("key {} does not load: {error}", self.name))
    }

    /// Loads the key into a provider, or says why not.
    ///
    /// # Errors
    ///
    /// Those of [`Provider::load_private_key`].
    pub fn try_load(&self, provider: &Provider) -> Result<PrivateKey, Error> {
        provider.load_private_key(&self.der)
    }

    /// The public operation RSAEP (RFC 8017 section 5.1.1): `block`^e mod n, in modulus length.
    pub fn encrypt(&self, block: &[u8]) -> Vec<u8> {
        self.public_key().encrypt(block)
    }

    /// The public key.
    pub fn public_key(&self) -> TestPublicKey {
        TestPublicKey { n: self.n.clone(), e: self.e.clone() }
    }

    /// A number as a string of the modulus length. It must fit.
    pub fn left_pad(&self, number: &BigUint) -> Vec<u8> {
        left_pad(number, self.len())
    }

    /// A well-formed block around `message`: 00 02, padding, 00, message.
    pub fn pad(&self, message: &[u8], rng: &mut Rng) -> Vec<u8> {
        pad(self.len(), message, rng)
    }

    /// The parts, to be changed and written again.
    pub fn parts(&self) -> KeyParts {
        let key = RsaPrivateKeyDer::from_der(&self.der).expect("parsed when it was made");
        let number = BigUint::from_bytes_be;
        let [p, q] = key.primes().map(number);
        let [dp, dq, qinv] = key.crt_parts().map(number);
        let (n, e, d) = (self.n.clone(), self.e.clone(), self.d.clone());
        KeyParts { version: 0, n, e, d, p, q, dp, dq, qinv }
    }
}

/// A public key, such as the one in the certificate of a server under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPublicKey {
    n: BigUint,
    e: BigUint,
}

impl TestPublicKey {
    /// Takes modulus and public exponent, big-endian; neither may be zero.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Self {
        Self { n: BigUint::from_bytes_be(modulus), e: BigUint::from_bytes_be(exponent) }
    }

    /// Length of the modulus in bytes.
    pub fn len(&self) -> usize {
        self.n.to_bytes_be().len()
    }

    /// A key is never empty; here because `len` is.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The public operation RSAEP (RFC 8017 section 5.1.1): `block`^e mod n, in modulus length.
    pub fn encrypt(&self, block: &[u8]) -> Vec<u8> {
        let message = BigUint::from_bytes_be(block);
        assert!(message < self.n, "a block must be below the modulus");
        left_pad(&message.modpow(&self.e, &self.n), self.len())
    }
}

fn left_pad(number: &BigUint, len: usize) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let mut out = vec![0; len.checked_sub(bytes.len()).expect("fits the modulus")];
    out.extend(bytes);
    out
}

/// A well-formed block of `len` bytes around `message` (RFC 8017 section 7.2.1).
pub fn pad(len: usize, message: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut block = vec![0; len];
    let separator = len - message.len() - 1;
    block[1] = 2;
    rng.fill_nonzero(&mut block[2..separator]);
    block[separator + 1..].copy_from_slice(message);
    block
}

/// The parts of an RSA private key, right or wrong.
#[derive(Clone, Debug)]
pub struct KeyParts {
    /// The version of the structure: 0 for two primes, 1 for more.
    pub version: u8,
    /// Modulus.
    pub n: BigUint,
    /// Public exponent.
    pub e: BigUint,
    /// Private exponent.
    pub d: BigUint,
    /// First prime.
    pub p: BigUint,
    /// Second prime.
    pub q: BigUint,
    /// d mod p-1.
    pub dp: BigUint,
    /// d mod q-1.
    pub dq: BigUint,
    /// q^-1 mod p.
    pub qinv: BigUint,
}

impl KeyParts {
    /// The parts that follow from two primes and a public exponent that fits them.
    pub fn from_primes(p: BigUint, q: BigUint, e: u32) -> Self {
        let one = BigUint::from(1u8);
        let (p1, q1) = (&p - &one, &q - &one);
        let e = BigUint::from(e);
        let d = e.modinv(&(&p1 * &q1)).expect("e has an inverse");
        let qinv = q.modinv(&p).expect("two different primes");
        Self { version: 0, n: &p * &q, dp: &d % &p1, dq: &d % &q1, e, d, p, q, qinv }
    }

    /// A key of exactly `bits` bits, found from `seed`. Slow; for sizes that no file has.
    pub fn generate(bits: u64, seed: u64) -> Self {
        Self::generate_uneven([bits - bits / 2, bits / 2], seed)
    }

    /// A key whose primes have these bits, found from `seed`; the modulus has as many as both.
    pub fn generate_uneven([p, q]: [u64; 2], seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let bits = p + q;
        loop {
            let (p, q) = (prime(p, &mut rng), prime(q, &mut rng));
            if p != q && (&p * &q).bits() == bits {
                return Self::from_primes(p, q, 65537);
            }
        }
    }

    /// The parts as a PKCS#1 `RSAPrivateKey` (RFC 8017 appendix A.1.2).
    pub fn to_der(&self) -> Vec<u8> {
        let Self { n, e, d, p, q, dp, dq, qinv, .. } = self;
        let numbers = [n, e, d, p, q, dp, dq, qinv].map(integer).concat();
        // Another prime, with its exponent and its coefficient.
        let other = der(0x30, &[&[0x02, 1, 3].repeat(3)]);
        let others = if self.version == 1 { der(0x30, &[&other]) } else { Vec::new() };
        der(0x30, &[&[0x02, 1, self.version], &numbers, &others])
    }
}

/// A DER element with these contents.
pub fn der(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let content = contents.concat();
    let len = content.len().to_be_bytes();
    let len: Vec<u8> = len.into_iter().skip_while(|byte| *byte == 0).collect();
    let head = match len.as_slice() {
        [] => vec![tag, 0],
        [len] if *len < 0x80 => vec![tag, *len],
        long => [&[tag, 0x80 | u8::try_from(long.len()).expect("at most 8")], long].concat(),
    };
    [head, content].concat()
}

/// A DER INTEGER.
pub fn integer(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let sign: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
    der(0x02, &[sign, &bytes])
}

/// A PKCS#8 `PrivateKeyInfo` (RFC 5958) around `key`, under the algorithm with the DER-encoded
/// object identifier `oid` and NULL parameters.
pub fn pkcs8(oid: &[u8], key: &[u8]) -> Vec<u8> {
    let algorithm = der(0x30, &[&der(0x06, &[oid]), &der(0x05, &[])]);
    der(0x30, &[&[0x02, 1, 0], &algorithm, &der(0x04, &[key])])
}

/// A PKCS#8 structure with a key usage (RFC 5280 section 4.2.1.3) as its attribute.
pub fn with_key_usage(pkcs8: &[u8], usage: u8) -> Vec<u8> {
    let header_len = match pkcs8[1] {
        0x81 => 3,
        0x82 => 4,
        _ => 2,
    };
    let name = der(0x06, &[&[0x55, 0x1d, 0x0f]]);
    let values = der(0x31, &[&der(0x03, &[&[0, usage]])]);
    let attributes = der(0xa0, &[&der(0x30, &[&name, &values])]);
    der(0x30, &[&pkcs8[header_len..], &attributes])
}

/// The content of the object identifier of RSA keys, 1.2.840.113549.1.1.1.
pub const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

fn prime(bits: u64, rng: &mut Rng) -> BigUint {
    let one = BigUint::from(1u8);
    loop {
        let len = usize::try_from(bits.div_ceil(8)).expect("small");
        let mut candidate = BigUint::from_bytes_be(&rng.bytes(len)) % (&one << bits);
        // Both top bits, so that a product of two has all its bits; odd.
        candidate |= BigUint::from(3u8) << (bits - 2);
        candidate |= &one;
        let fits_exponent = &candidate % 65537u32 != one;
        if fits_exponent && is_probably_prime(&candidate, rng) {
            return candidate;
        }
    }
}

/// Miller-Rabin with 20 random bases.
fn is_probably_prime(candidate: &BigUint, rng: &mut Rng) -> bool {
    let one = BigUint::from(1u8);
    let small = [3u32, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47];
    if small.iter().any(|small| candidate % *small == BigUint::ZERO) {
        return false;
    }
    let minus_one = candidate - &one;
    let twos = minus_one.trailing_zeros().expect("an even number that is not zero");
    let odd = &minus_one >> twos;
    'base: for _ in 0..20 {
        let base = BigUint::from_bytes_be(&rng.bytes(16)) + 2u8;
        let mut power = base.modpow(&odd, candidate);
        if power == one || power == minus_one {
            continue;
        }
        for _ in 1..twos {
            power = &power * &power % candidate;
            if power == minus_one {
                continue 'base;
            }
        }
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_written_again_are_the_same_file() {
        for key in TestKey::all() {
            assert_eq!(key.parts().to_der(), key.der, "{}", key.name);
        }
    }

    #[test]
    fn parts_follow_from_the_primes() {
        let key = TestKey::rsa_1024();
        let parts = key.parts();
        let again = KeyParts::from_primes(parts.p.clone(), parts.q.clone(), 65537);
        assert_eq!(again.n, parts.n);
        assert_eq!((again.dp, again.dq, again.qinv), (parts.dp, parts.dq, parts.qinv));
    }

    #[test]
    fn decryption_undoes_the_public_operation() {
        let key = TestKey::rsa_1024();
        let block = key.pad(&[7; 48], &mut Rng::new(1));
        let ciphertext = BigUint::from_bytes_be(&key.encrypt(&block));
        assert_eq!(key.left_pad(&ciphertext.modpow(&key.d, &key.n)), block);
    }

    #[test]
    fn a_generated_key_has_the_asked_size() {
        assert_eq!(KeyParts::generate(257, 5).n.bits(), 257);
        let uneven = KeyParts::generate_uneven([100, 156], 5);
        assert_eq!([uneven.p.bits(), uneven.q.bits(), uneven.n.bits()], [100, 156, 256]);
    }
}
