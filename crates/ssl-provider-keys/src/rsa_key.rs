//! RSA keys in CNG's blobs. A private blob with nothing but the primes is completed here, and the
//! numbers of a key are checked against each other.

use std::fmt;
use std::mem;

use crypto_bigint::{BoxedUint, Gcd, Integer, NonZero};
use pkcs1::der::asn1::UintRef;
use pkcs1::der::{Decode, Encode, Length};
use zeroize::Zeroizing;

use ssl_provider_core::backend::with_stack_wiped;
use ssl_provider_core::{Error, InvalidKey, MAX_MODULUS_LEN};

use crate::blob::{self, Blob};
use crate::{BlobType, KeyError};

/// An RSA public key: big-endian numbers without leading zeros.
#[derive(Clone)]
pub struct RsaPublicKey {
    /// The modulus.
    pub modulus: Box<[u8]>,
    /// The public exponent.
    pub exponent: Box<[u8]>,
}

impl RsaPublicKey {
    /// Length of the modulus in bits.
    pub fn bits(&self) -> usize {
        bit_len(&self.modulus)
    }

    /// The key of either public blob.
    pub(crate) fn of_blob(blob: &Blob<'_>) -> Result<Self, KeyError> {
        if blob.blob_type == BlobType::RsaCapiPublic {
            return Self::of_capi_blob(blob);
        }
        let [bits, exponent, modulus, ..] = blob.header::<HEADER_FIELDS>()?;
        let [exponent, modulus] = blob.numbers::<HEADER_FIELDS, 2>([exponent, modulus])?;
        Self::checked(modulus, exponent, bits)
    }

    /// `PUBLICKEYSTRUC`, `RSAPUBKEY`, and the modulus in little-endian order.
    fn of_capi_blob(blob: &Blob<'_>) -> Result<Self, KeyError> {
        const CALG_RSA_SIGN: usize = 0x2400;
        const CALG_RSA_KEYX: usize = 0xa400;
        const MAGIC: usize = u32::from_le_bytes(*b"RSA1") as usize;

        let [algorithm, magic, bits, exponent] = blob.header()?;
        if !matches!((algorithm, magic), (CALG_RSA_SIGN | CALG_RSA_KEYX, MAGIC)) {
            return Err(KeyError::Magic);
        }
        let [modulus] = blob.numbers::<4, 1>([bits.div_ceil(8)])?;
        let modulus: Vec<u8> = modulus.iter().rev().copied().collect();
        Self::checked(&modulus, &exponent.to_be_bytes(), bits)
    }

    fn checked(modulus: &[u8], exponent: &[u8], bits: usize) -> Result<Self, KeyError> {
        check_bit_length(modulus, bits)?;
        let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
        check_size(modulus, exponent)?;
        Ok(Self { modulus: modulus.into(), exponent: exponent.into() })
    }

    pub(crate) fn to_blob(&self) -> Vec<u8> {
        let Self { modulus, exponent } = self;
        blob::write(
            *b"RSA1",
            &[self.bits(), exponent.len(), modulus.len(), 0, 0],
            &[exponent, modulus],
        )
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

/// Turns a private blob, full or not, into a PKCS#1 structure.
pub(crate) fn pkcs1_of_blob(blob: &Blob<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let [bits, e, n, p, q] = blob.header()?;
    match blob.blob_type {
        BlobType::RsaPrivate => {
            let [e, n, p, q] = blob.numbers::<HEADER_FIELDS, 4>([e, n, p, q])?;
            check_bit_length(n, bits)?;
            let [exponent1, exponent2, coefficient, d] =
                with_stack_wiped::<_, STACK_LEN>(|| complete(e, n, p, q))?;
            encode([e, n, p, q, &exponent1, &exponent2, &coefficient, &d])
        }
        BlobType::RsaFullPrivate => {
            let numbers = blob.numbers::<HEADER_FIELDS, 8>([e, n, p, q, p, q, p, n])?;
            check_bit_length(numbers[1], bits)?;
            encode(numbers)
        }
        _ => Err(KeyError::Magic),
    }
}

/// The numbers in the header of `BCRYPT_RSAKEY_BLOB`, after its magic.
const HEADER_FIELDS: usize = 5;

fn check_bit_length(modulus: &[u8], given: usize) -> Result<(), KeyError> {
    match bit_len(without_zeros(modulus)) {
        expected if expected == given => Ok(()),
        expected => Err(KeyError::Header { field: "BitLength", expected, got: given }),
    }
}

/// Length in bits of a big-endian number without leading zeros.
fn bit_len(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Numbers of a key that are not computed with are refused; neither has leading zeros.
fn check_size(modulus: &[u8], exponent: &[u8]) -> Result<(), Error> {
    if modulus.len() > MAX_MODULUS_LEN || exponent.len() > modulus.len() {
        return Err(Error::Key(InvalidKey::Modulus { bits: modulus.len() * 8 }));
    }
    Ok(())
}

/// Writes PKCS#1 of the numbers in the order of a full blob: e, n, p, q, d mod p-1, d mod q-1,
/// q^-1 mod p, d. Leading zeros are allowed.
fn encode(numbers: [&[u8]; 8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let malformed = |_| Error::Key(InvalidKey::Malformed);
    let number = |at: usize| UintRef::new(numbers[at]).map_err(malformed);
    let key = pkcs1::RsaPrivateKeyRef {
        public_exponent: number(0)?,
        modulus: number(1)?,
        prime1: number(2)?,
        prime2: number(3)?,
        exponent1: number(4)?,
        exponent2: number(5)?,
        coefficient: number(6)?,
        private_exponent: number(7)?,
        other_prime_infos: None,
    };
    let len = key.encoded_len().and_then(|len: Length| usize::try_from(len)).map_err(malformed)?;
    let mut der = Zeroizing::new(vec![0; len]);
    key.encode_to_slice(&mut der).map_err(malformed)?;
    Ok(der)
}

/// What a private blob leaves out, in the order of a full one.
type Completed = [Zeroizing<Box<[u8]>>; 4];

/// Bytes of stack that completing a key may use, of any length, as numbers are on the heap.
const STACK_LEN: usize = 16 * 1024;

/// Computes d mod p-1, d mod q-1, q^-1 mod p and d = e^-1 mod lcm(p-1, q-1) (RFC 8017 section 3.2).
///
/// Its time shows whether the numbers belong together, the lengths in bits of p, q and
/// gcd(p-1, q-1), and how many zeros p-1 and q-1 end in: memcheck, with p and q marked as secret,
/// reports branches of `crypto-bigint` on nothing else. That is done once, when a key is imported.
fn complete(e: &[u8], n: &[u8], p: &[u8], q: &[u8]) -> Result<Completed, Error> {
    let (e, n) = (without_zeros(e), without_zeros(n));
    check_size(n, e)?;
    // One precision for all numbers, that of the modulus.
    let precision = u32::try_from(n.len() * 8).map_err(|_| INCONSISTENT)?;
    let number = |bytes: &[u8]| number(bytes, precision);
    let (e, n, mut p, q) = (number(e)?, number(n)?, number(p)?, number(q)?);
    let product = Option::<BoxedUint>::from(p.checked_mul(&*q)).map(Zeroizing::new);
    // An even factor would leave p-1 or q-1 odd, and a factor of 1 would leave it zero.
    let odd = |number: &BoxedUint| bool::from(number.is_odd());
    if product.as_deref() != Some(&*n) || !odd(&p) || !odd(&q) {
        return Err(INCONSISTENT);
    }

    let one = BoxedUint::one_with_precision(p.bits_precision());
    let p_minus_1 = non_zero(p.wrapping_sub(&one))?;
    let q_minus_1 = non_zero(q.wrapping_sub(&one))?;
    let common = Zeroizing::new(p_minus_1.gcd(&**q_minus_1));
    // The least common multiple of p-1 and q-1 is below n, so the product fits the precision.
    let reduced = Zeroizing::new(p_minus_1.wrapping_div(&common));
    let multiple =
        Option::<BoxedUint>::from(reduced.checked_mul(&**q_minus_1)).ok_or(INCONSISTENT)?;
    let multiple = non_zero(multiple)?;
    let d = Option::<BoxedUint>::from(e.invert_mod(&multiple)).ok_or(INCONSISTENT)?;
    let d = Zeroizing::new(d);
    let p = non_zero(mem::replace(&mut *p, one))?;
    let coefficient = Option::<BoxedUint>::from(q.invert_mod(&p)).ok_or(INCONSISTENT)?;

    let bytes = |number: BoxedUint| Zeroizing::new(Zeroizing::new(number).to_be_bytes());
    Ok([
        bytes(d.rem(&p_minus_1)),
        bytes(d.rem(&q_minus_1)),
        bytes(coefficient),
        Zeroizing::new(d.to_be_bytes()),
    ])
}

/// Whether the numbers of a PKCS#1 structure belong together (RFC 8017 section 3.2), in a time that
/// depends on their lengths in bits and on the answer. Whether its factors are prime is not looked
/// at.
///
/// # Errors
///
/// [`Error::Key`] when they do not.
pub(crate) fn check_consistency(pkcs1: &[u8]) -> Result<(), Error> {
    let key =
        pkcs1::RsaPrivateKeyRef::from_der(pkcs1).map_err(|_| Error::Key(InvalidKey::Malformed))?;
    // Room for the product of any two, as none is longer than the modulus.
    let room = 2 * key.modulus.as_bytes().len() * 8;
    let precision = u32::try_from(room).map_err(|_| INCONSISTENT)?;
    let number = |part: UintRef<'_>| number(part.as_bytes(), precision);
    let product = |one: &BoxedUint, other: &BoxedUint| {
        Option::<BoxedUint>::from(one.checked_mul(other)).map(Zeroizing::new).ok_or(INCONSISTENT)
    };
    let modulo = |value: &BoxedUint, modulus: BoxedUint| {
        Ok::<_, Error>(Zeroizing::new(value.rem(&*non_zero(modulus)?)))
    };
    with_stack_wiped::<_, STACK_LEN>(|| {
        let one = BoxedUint::one_with_precision(precision);
        let (e, n, d) =
            (number(key.public_exponent)?, number(key.modulus)?, number(key.private_exponent)?);
        let (p, q) = (number(key.prime1)?, number(key.prime2)?);
        let (dp, dq) = (number(key.exponent1)?, number(key.exponent2)?);
        let mut good = *product(&p, &q)? == *n;
        for (prime, exponent) in [(&p, dp), (&q, dq)] {
            let less_one = || prime.wrapping_sub(&one);
            good &= *modulo(&*product(&e, &exponent)?, less_one())? == one;
            good &= *modulo(&d, less_one())? == *exponent;
        }
        let inverse = product(&q, &*number(key.coefficient)?)?;
        good &= *modulo(&inverse, BoxedUint::clone(&p))? == one;
        if good { Ok(()) } else { Err(INCONSISTENT) }
    })
}

const INCONSISTENT: Error = Error::Key(InvalidKey::Inconsistent);

/// A big-endian number, with as many bits of room.
fn number(bytes: &[u8], precision: u32) -> Result<Zeroizing<BoxedUint>, Error> {
    BoxedUint::from_be_slice(without_zeros(bytes), precision)
        .map(Zeroizing::new)
        .map_err(|_| INCONSISTENT)
}

/// Takes the number: a clone would be left behind when it is freed.
fn non_zero(number: BoxedUint) -> Result<Zeroizing<NonZero<BoxedUint>>, Error> {
    let number = Option::<NonZero<BoxedUint>>::from(NonZero::new(number));
    number.map(Zeroizing::new).ok_or(INCONSISTENT)
}

/// A big-endian number without its leading zeros.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ssl_provider_core::RsaPrivateKeyDer;

    use super::*;

    const KEYS: [&[u8]; 4] = [
        include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der"),
        include_bytes!("../../ssl-provider-testkit/keys/rsa-2048.der"),
        include_bytes!("../../ssl-provider-testkit/keys/rsa-2048-e3.der"),
        include_bytes!("../../ssl-provider-testkit/keys/rsa-2048-p-lt-q.der"),
    ];

    fn pkcs1(blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        pkcs1_of_blob(&Blob::new(blob).ok_or(KeyError::Magic)?)
    }

    fn header(magic: [u8; 4], key: &RsaPrivateKeyDer<'_>) -> Vec<u8> {
        let [p, q] = key.primes();
        let lengths = [key.public_exponent(), key.modulus(), p, q].map(<[u8]>::len);
        let [e, n, p, q] = lengths;
        blob::write(magic, &[key.modulus_bits(), e, n, p, q], &[])
    }

    fn private_blob(key: &RsaPrivateKeyDer<'_>) -> Vec<u8> {
        let [p, q] = key.primes();
        let header = header(*b"RSA2", key);
        [&header, key.public_exponent(), key.modulus(), p, q].concat()
    }

    fn padded(number: &[u8], len: usize) -> Vec<u8> {
        [&vec![0; len - number.len()], number].concat()
    }

    #[test]
    fn a_key_of_primes_only_is_completed_to_the_same_numbers() {
        for der in KEYS {
            let key = RsaPrivateKeyDer::from_der(der).unwrap();
            let completed = pkcs1(&private_blob(&key)).unwrap();
            let completed = RsaPrivateKeyDer::from_der(&completed).unwrap();
            assert_eq!(completed.crt_parts(), key.crt_parts());
            assert_eq!(completed.primes(), key.primes());
            // RFC 8017 allows any d that inverts e; this is the least one, others may be larger.
            let (least, given) = (completed.private_exponent(), key.private_exponent());
            assert!((least.len(), least) <= (given.len(), given));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn completing_a_key_leaves_nothing_of_it_on_the_stack() {
        use ssl_provider_testkit::stack::{Remains, Secrets};

        // Primes are odd, so their last byte alone changes.
        let less_one =
            |prime: &[u8]| [&prime[..prime.len() - 1], &[prime[prime.len() - 1] - 1]].concat();
        for der in KEYS {
            let key = RsaPrivateKeyDer::from_der(der).unwrap();
            let ([p, q], [dp, dq, coefficient]) = (key.primes(), key.crt_parts());
            let secrets = Secrets::default()
                .and("p", p)
                .and("q", q)
                .and("p-1", &less_one(p))
                .and("q-1", &less_one(q))
                .and("d", key.private_exponent())
                .and("d mod p-1", dp)
                .and("d mod q-1", dq)
                .and("q^-1 mod p", coefficient);
            let blob = private_blob(&key);
            let complete = Remains::of(|| drop(pkcs1(&blob).unwrap()));
            let check = Remains::of(|| check_consistency(key.pkcs1()).unwrap());
            for remains in [complete, check] {
                assert_eq!(remains.found(&secrets), BTreeSet::new());
                assert!(remains.wiped_to_the_bottom());
            }
        }
    }

    #[test]
    fn a_key_with_a_number_of_another_key_is_inconsistent() {
        let keys = KEYS.map(|der| RsaPrivateKeyDer::from_der(der).unwrap());
        let parts = |key: &RsaPrivateKeyDer<'_>| {
            let ([p, q], [dp, dq, coefficient]) = (key.primes(), key.crt_parts());
            let (n, e, d) = (key.modulus(), key.public_exponent(), key.private_exponent());
            [e, n, p, q, dp, dq, coefficient, d].map(<[u8]>::to_vec)
        };
        let checked = |parts: &[Vec<u8>; 8]| {
            let der = encode(parts.each_ref().map(Vec::as_slice));
            check_consistency(RsaPrivateKeyDer::from_der(&der.unwrap())?.pkcs1())
        };
        for key in &keys {
            assert_eq!(checked(&parts(key)), Ok(()));
        }
        let (good, other) = (parts(&keys[1]), parts(&keys[2]));
        for index in 0..good.len() {
            let mut mixed = good.clone();
            mixed[index].clone_from(&other[index]);
            let fault = checked(&mixed).unwrap_err();
            assert!(matches!(fault, Error::Key(_)), "number {index}: {fault:?}");
        }
    }

    #[test]
    fn a_full_blob_keeps_every_number() {
        for der in KEYS {
            let key = RsaPrivateKeyDer::from_der(der).unwrap();
            let ([p, q], [dp, dq, coefficient]) = (key.primes(), key.crt_parts());
            let blob = [
                header(*b"RSA3", &key),
                key.public_exponent().to_vec(),
                key.modulus().to_vec(),
                p.to_vec(),
                q.to_vec(),
                padded(dp, p.len()),
                padded(dq, q.len()),
                padded(coefficient, p.len()),
                padded(key.private_exponent(), key.modulus().len()),
            ]
            .concat();
            let read = pkcs1(&blob).unwrap();
            assert_eq!(*read, key.pkcs1());
        }
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        let key = RsaPrivateKeyDer::from_der(KEYS[0]).unwrap();
        let blob = private_blob(&key);
        for len in 0..blob.len() {
            assert!(pkcs1(&blob[..len]).is_err(), "{len} bytes");
        }
        assert!(pkcs1(&[&blob[..], &[0]].concat()).is_err());
        let full = [b"RSA3", &blob[4..]].concat();
        let expected = blob.len() + 3 * (key.modulus().len() / 2) + key.modulus().len();
        assert_eq!(pkcs1(&full), Err(KeyError::Length { expected, got: blob.len() }));
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_refused() {
        let key = RsaPrivateKeyDer::from_der(KEYS[0]).unwrap();
        let good = private_blob(&key);
        let [p, _] = key.primes();
        let primes = good.len() - 2 * p.len();
        for (at, value) in [(primes, 0), (primes + 5, good[primes + 5] ^ 1), (good.len() - 1, 0)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert_eq!(
                pkcs1(&bad).unwrap_err(),
                KeyError::Key(Error::Key(InvalidKey::Inconsistent)),
                "{at}"
            );
        }
        let mut zeros = good.clone();
        zeros[24..].fill(0);
        assert!(pkcs1(&zeros).is_err());
    }

    #[test]
    fn a_huge_length_in_the_header_is_refused() {
        for field in 2..6 {
            let key = RsaPrivateKeyDer::from_der(KEYS[0]).unwrap();
            let mut blob = private_blob(&key);
            blob[4 * field..][..4].fill(0xff);
            assert!(pkcs1(&blob).is_err());
        }
    }
}
