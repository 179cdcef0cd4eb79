//! Key blobs of CNG with RSA keys: keys in and their public halves out.
//! A private blob with nothing but the primes is completed here.

use std::mem;

use crypto_bigint::{BoxedUint, Gcd, Integer, NonZero};
use pkcs1::der::asn1::UintRef;
use pkcs1::der::{Encode, Length};
use zeroize::Zeroizing;

use ssl_provider::secret::on_wiped_stack;
use ssl_provider::{Error, KeyFault, RsaPrivateKeyDer};

use crate::abi::{
    BCRYPT_RSAFULLPRIVATE_MAGIC, BCRYPT_RSAKEY_BLOB, BCRYPT_RSAPRIVATE_MAGIC,
    BCRYPT_RSAPUBLIC_MAGIC,
};
use crate::key_store::{RsaPublicKey, bit_len};
use crate::pointer::usize_of;

/// Bytes of a blob that are looked at. A key of 8192 bits takes less than 6 KiB.
pub(crate) const MAX_BLOB_LEN: u32 = 1 << 16;

/// Longest modulus in bytes that is computed with.
const MAX_MODULUS_LEN: usize = ssl_provider::rsa_der::MAX_MODULUS_LEN;

/// Turns a `BCRYPT_RSAPRIVATE_BLOB` into a PKCS#1 structure.
///
/// # Errors
///
/// [`Error::InvalidParameter`] when the blob is not what its header says, [`Error::Key`] when its
/// numbers are not those of an RSA key.
pub(crate) fn pkcs1_of_private_blob(blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut fields = Fields::new(blob, BCRYPT_RSAPRIVATE_MAGIC)?;
    let (exponent, modulus) = fields.public()?;
    let (prime1, prime2) =
        (fields.take(fields.header.cbPrime1)?, fields.take(fields.header.cbPrime2)?);
    fields.end()?;
    let parts = on_wiped_stack::<_, STACK_LEN>(|| complete(exponent, modulus, prime1, prime2))?;
    encode(&Parts {
        modulus,
        exponent,
        private_exponent: &parts.private_exponent,
        prime1,
        prime2,
        exponent1: &parts.exponent1,
        exponent2: &parts.exponent2,
        coefficient: &parts.coefficient,
    })
}

/// Turns a `BCRYPT_RSAFULLPRIVATE_BLOB` into a PKCS#1 structure.
///
/// # Errors
///
/// As for [`pkcs1_of_private_blob`].
pub(crate) fn pkcs1_of_full_private_blob(blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut fields = Fields::new(blob, BCRYPT_RSAFULLPRIVATE_MAGIC)?;
    let (exponent, modulus) = fields.public()?;
    let BCRYPT_RSAKEY_BLOB { cbModulus, cbPrime1, cbPrime2, .. } = fields.header;
    let parts = Parts {
        modulus,
        exponent,
        prime1: fields.take(cbPrime1)?,
        prime2: fields.take(cbPrime2)?,
        exponent1: fields.take(cbPrime1)?,
        exponent2: fields.take(cbPrime2)?,
        coefficient: fields.take(cbPrime1)?,
        private_exponent: fields.take(cbModulus)?,
    };
    fields.end()?;
    encode(&parts)
}

/// A `BCRYPT_RSAPUBLIC_BLOB` of a key.
///
/// # Errors
///
/// [`Error::Internal`] for a key longer than 4 GiB, which none is.
pub(crate) fn public_blob(key: &RsaPublicKey) -> Result<Vec<u8>, Error> {
    let len = |number: &[u8]| {
        u32::try_from(number.len()).map_err(|_| Error::Internal("a number longer than 4 GiB"))
    };
    let header = [
        BCRYPT_RSAPUBLIC_MAGIC,
        bit_len(&key.modulus),
        len(&key.exponent)?,
        len(&key.modulus)?,
        0,
        0,
    ];
    let mut blob: Vec<u8> = header.iter().flat_map(|field| field.to_ne_bytes()).collect();
    blob.extend_from_slice(&key.exponent);
    blob.extend_from_slice(&key.modulus);
    Ok(blob)
}

/// The key of a `BCRYPT_RSAPUBLIC_BLOB`.
///
/// # Errors
///
/// [`Error::InvalidParameter`] when the blob is not what its header says, [`Error::Key`] for a size
/// that is not computed with.
pub(crate) fn public_key_of_blob(blob: &[u8]) -> Result<RsaPublicKey, Error> {
    let mut fields = Fields::new(blob, BCRYPT_RSAPUBLIC_MAGIC)?;
    let (exponent, modulus) = fields.public()?;
    fields.end()?;
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    if modulus.len() > MAX_MODULUS_LEN || exponent.len() > modulus.len() {
        return Err(Error::Key(KeyFault::Modulus { bits: modulus.len() * 8 }));
    }
    Ok(RsaPublicKey { modulus: modulus.into(), exponent: exponent.into() })
}

/// A blob that is read field by field.
struct Fields<'a> {
    header: BCRYPT_RSAKEY_BLOB,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn new(blob: &'a [u8], magic: u32) -> Result<Self, Error> {
        const WRONG: Error =
            Error::InvalidParameter("key blob: not one of the type that was named");
        let (header, rest) = blob.split_at_checked(size_of::<BCRYPT_RSAKEY_BLOB>()).ok_or(WRONG)?;
        let mut numbers = header.as_chunks::<4>().0.iter().map(|bytes| u32::from_ne_bytes(*bytes));
        let mut next = || numbers.next().ok_or(WRONG);
        let header = BCRYPT_RSAKEY_BLOB {
            Magic: next()?,
            BitLength: next()?,
            cbPublicExp: next()?,
            cbModulus: next()?,
            cbPrime1: next()?,
            cbPrime2: next()?,
        };
        if header.Magic != magic {
            return Err(WRONG);
        }
        Ok(Self { header, rest })
    }

    /// Exponent and modulus, which must be as long as the header says.
    fn public(&mut self) -> Result<(&'a [u8], &'a [u8]), Error> {
        let exponent = self.take(self.header.cbPublicExp)?;
        let modulus = self.take(self.header.cbModulus)?;
        if bit_len(without_zeros(modulus)) != self.header.BitLength {
            return Err(Error::InvalidParameter("key blob: BitLength is not that of the modulus"));
        }
        Ok((exponent, modulus))
    }

    fn take(&mut self, len: u32) -> Result<&'a [u8], Error> {
        let (field, rest) = self
            .rest
            .split_at_checked(usize_of(len))
            .ok_or(Error::InvalidParameter("key blob: shorter than its header says"))?;
        self.rest = rest;
        Ok(field)
    }

    fn end(&self) -> Result<(), Error> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Error::InvalidParameter("key blob: longer than its header says"))
        }
    }
}

/// The numbers of a key, big-endian, leading zeros allowed.
struct Parts<'a> {
    modulus: &'a [u8],
    exponent: &'a [u8],
    private_exponent: &'a [u8],
    prime1: &'a [u8],
    prime2: &'a [u8],
    exponent1: &'a [u8],
    exponent2: &'a [u8],
    coefficient: &'a [u8],
}

fn encode(parts: &Parts<'_>) -> Result<Zeroizing<Vec<u8>>, Error> {
    fn number(bytes: &[u8]) -> Result<UintRef<'_>, Error> {
        UintRef::new(bytes).map_err(|_| Error::Key(KeyFault::Malformed))
    }
    let key = pkcs1::RsaPrivateKeyRef {
        modulus: number(parts.modulus)?,
        public_exponent: number(parts.exponent)?,
        private_exponent: number(parts.private_exponent)?,
        prime1: number(parts.prime1)?,
        prime2: number(parts.prime2)?,
        exponent1: number(parts.exponent1)?,
        exponent2: number(parts.exponent2)?,
        coefficient: number(parts.coefficient)?,
        other_prime_infos: None,
    };
    let malformed = |_| Error::Key(KeyFault::Malformed);
    let len = key.encoded_len().and_then(|len: Length| usize::try_from(len)).map_err(malformed)?;
    let mut der = Zeroizing::new(vec![0; len]);
    key.encode_to_slice(&mut der).map_err(malformed)?;
    Ok(der)
}

/// What a private blob leaves out.
struct Completed {
    private_exponent: Zeroizing<Box<[u8]>>,
    exponent1: Zeroizing<Box<[u8]>>,
    exponent2: Zeroizing<Box<[u8]>>,
    coefficient: Zeroizing<Box<[u8]>>,
}

/// Bytes of stack that completing a key may use, of any length, as numbers are on the heap.
const STACK_LEN: usize = 16 * 1024;

/// Computes d = e^-1 mod lcm(p-1, q-1), d mod p-1, d mod q-1 and q^-1 mod p (RFC 8017 section 3.2),
/// in a time that depends on the sizes only.
fn complete(e: &[u8], n: &[u8], p: &[u8], q: &[u8]) -> Result<Completed, Error> {
    let (e, n) = (without_zeros(e), without_zeros(n));
    if n.len() > MAX_MODULUS_LEN || e.len() > n.len() {
        return Err(Error::Key(KeyFault::Modulus { bits: n.len() * 8 }));
    }
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
    Ok(Completed {
        exponent1: bytes(d.rem(&p_minus_1)),
        exponent2: bytes(d.rem(&q_minus_1)),
        coefficient: bytes(coefficient),
        private_exponent: Zeroizing::new(d.to_be_bytes()),
    })
}

/// Whether the numbers of a key belong together (RFC 8017 section 3.2), in a time that depends on
/// their sizes only. Whether its factors are prime is not looked at.
///
/// # Errors
///
/// [`Error::Key`] when they do not.
pub(crate) fn check_consistency(key: &RsaPrivateKeyDer<'_>) -> Result<(), Error> {
    let ([p, q], [dp, dq, coefficient]) = (key.primes(), key.crt_parts());
    // Room for the product of any two, as none is longer than the modulus.
    let precision = u32::try_from(2 * key.modulus().len() * 8).map_err(|_| INCONSISTENT)?;
    let number = |bytes: &[u8]| number(bytes, precision);
    let product = |one: &BoxedUint, other: &BoxedUint| {
        Option::<BoxedUint>::from(one.checked_mul(other)).map(Zeroizing::new).ok_or(INCONSISTENT)
    };
    let modulo = |value: &BoxedUint, modulus: BoxedUint| {
        Ok::<_, Error>(Zeroizing::new(value.rem(&*non_zero(modulus)?)))
    };
    on_wiped_stack::<_, STACK_LEN>(|| {
        let one = BoxedUint::one_with_precision(precision);
        let (e, n, d) = (
            number(key.public_exponent())?,
            number(key.modulus())?,
            number(key.private_exponent())?,
        );
        let (p, q) = (number(p)?, number(q)?);
        let mut good = *product(&p, &q)? == *n;
        for (prime, exponent) in [(&p, number(dp)?), (&q, number(dq)?)] {
            let less_one = || prime.wrapping_sub(&one);
            good &= *modulo(&*product(&e, &exponent)?, less_one())? == one;
            good &= *modulo(&d, less_one())? == *exponent;
        }
        let inverse = product(&q, &*number(coefficient)?)?;
        good &= *modulo(&inverse, BoxedUint::clone(&p))? == one;
        if good { Ok(()) } else { Err(INCONSISTENT) }
    })
}

const INCONSISTENT: Error = Error::Key(KeyFault::Inconsistent);

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
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KEYS: [&[u8]; 4] = [
        include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der"),
        include_bytes!("../../ssl-provider-testkit/keys/rsa-2048.der"),
        include_bytes!("../../ssl-provider-testkit/keys/rsa-2048-e3.der"),
        include_bytes!("../../ssl-provider-testkit/keys/rsa-2048-p-lt-q.der"),
    ];

    fn header(magic: u32, key: &RsaPrivateKeyDer<'_>) -> Vec<u8> {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let [p, q] = key.primes();
        [
            magic,
            u32::try_from(key.modulus_bits()).unwrap(),
            len(key.public_exponent()),
            len(key.modulus()),
            len(p),
            len(q),
        ]
        .iter()
        .flat_map(|field| field.to_ne_bytes())
        .collect()
    }

    fn private_blob(key: &RsaPrivateKeyDer<'_>) -> Vec<u8> {
        let [p, q] = key.primes();
        let header = header(BCRYPT_RSAPRIVATE_MAGIC, key);
        [&header, key.public_exponent(), key.modulus(), p, q].concat()
    }

    fn padded(number: &[u8], len: usize) -> Vec<u8> {
        [&vec![0; len - number.len()], number].concat()
    }

    #[test]
    fn a_key_of_primes_only_is_completed_to_the_same_numbers() {
        for der in KEYS {
            let key = RsaPrivateKeyDer::from_der(der).unwrap();
            let completed = pkcs1_of_private_blob(&private_blob(&key)).unwrap();
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
            let complete = Remains::of(|| drop(pkcs1_of_private_blob(&blob).unwrap()));
            let check = Remains::of(|| check_consistency(&key).unwrap());
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
            [n, e, d, p, q, dp, dq, coefficient].map(<[u8]>::to_vec)
        };
        let checked = |parts: &[Vec<u8>; 8]| {
            let der = encode(&Parts {
                modulus: &parts[0],
                exponent: &parts[1],
                private_exponent: &parts[2],
                prime1: &parts[3],
                prime2: &parts[4],
                exponent1: &parts[5],
                exponent2: &parts[6],
                coefficient: &parts[7],
            });
            check_consistency(&RsaPrivateKeyDer::from_der(&der.unwrap())?)
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
                header(BCRYPT_RSAFULLPRIVATE_MAGIC, &key),
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
            let read = pkcs1_of_full_private_blob(&blob).unwrap();
            assert_eq!(*read, key.pkcs1());
        }
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        let key = RsaPrivateKeyDer::from_der(KEYS[0]).unwrap();
        let blob = private_blob(&key);
        for len in 0..blob.len() {
            assert!(pkcs1_of_private_blob(&blob[..len]).is_err(), "{len} bytes");
        }
        assert!(pkcs1_of_private_blob(&[&blob[..], &[0]].concat()).is_err());
        assert!(pkcs1_of_full_private_blob(&blob).is_err(), "the other magic");
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
                pkcs1_of_private_blob(&bad).unwrap_err(),
                Error::Key(KeyFault::Inconsistent),
                "{at}"
            );
        }
        let mut zeros = good.clone();
        zeros[24..].fill(0);
        assert!(pkcs1_of_private_blob(&zeros).is_err());
    }

    #[test]
    fn a_huge_length_in_the_header_is_refused() {
        for field in 2..6 {
            let key = RsaPrivateKeyDer::from_der(KEYS[0]).unwrap();
            let mut blob = private_blob(&key);
            blob[4 * field..][..4].fill(0xff);
            assert!(pkcs1_of_private_blob(&blob).is_err());
        }
    }
}
