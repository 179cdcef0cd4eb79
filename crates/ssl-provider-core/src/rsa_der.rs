//! RSA private keys as DER: parsed and checked once, the same for every backend.
//! PEM, encryption and containers are the business of whoever reads files.

use pkcs8::der::asn1::{BitStringRef, ObjectIdentifier};
use pkcs8::der::{AnyRef, Decode, Reader, SliceReader, Tagged};

use crate::error::{Error, InvalidKey};

/// Longest modulus in bytes: 8192 bits.
pub const MAX_MODULUS_LEN: usize = 1024;

/// Shortest modulus in bits. [`crate::Policy`] may ask for more.
pub const MIN_MODULUS_BITS: usize = 1024;

/// Longest public exponent in bits; AWS-LC and `rsa` accept no more.
pub(crate) const MAX_EXPONENT_BITS: usize = 33;

/// A two-prime RSA private key as PKCS#1 DER, with its parts in view.
///
/// The shape has been checked: structure, number of primes, modulus and public exponent. Whether
/// the parts belong together is for the library that loads it.
pub struct RsaPrivateKeyDer<'a> {
    pkcs1: &'a [u8],
    parts: pkcs1::RsaPrivateKeyRef<'a>,
}

impl<'a> RsaPrivateKeyDer<'a> {
    /// Takes DER of either kind: a PKCS#1 `RSAPrivateKey` (RFC 8017 appendix A.1.2) or a PKCS#8
    /// `PrivateKeyInfo` (RFC 5958) that holds one. A key usage in its attributes must allow the
    /// encipherment of keys or data, of which Windows writes the second.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] with what is wrong with the key.
    pub fn from_der(der: &'a [u8]) -> Result<Self, Error> {
        Self::from_der_for(der, KeyUse::Decryption)
    }

    /// As [`from_der`](Self::from_der), for a key usage that allows `key_use`.
    pub(crate) fn from_der_for(der: &'a [u8], key_use: KeyUse) -> Result<Self, Error> {
        if let Ok(info) = pkcs8::PrivateKeyInfoRef::from_der(der) {
            return match info.algorithm.oid {
                pkcs1::ALGORITHM_OID => {
                    let key = Self::from_pkcs1(info.private_key.as_bytes())?;
                    key_use.check(der).map(|()| key)
                }
                other => Err(Error::Key(InvalidKey::NotRsa(algorithm_name(&other.to_string())))),
            };
        }
        Self::from_pkcs1(der)
    }

    fn from_pkcs1(der: &'a [u8]) -> Result<Self, Error> {
        let parts = pkcs1::RsaPrivateKeyRef::from_der(der).map_err(|_| malformed(der))?;
        let key = Self { pkcs1: der, parts };
        key.check()?;
        Ok(key)
    }

    fn check(&self) -> Result<(), Error> {
        if self.parts.version() != pkcs1::Version::TwoPrime {
            return Err(Error::Key(InvalidKey::MultiPrime));
        }
        let bits = self.modulus_bits();
        if !(MIN_MODULUS_BITS..=MAX_MODULUS_LEN * 8).contains(&bits) || is_even(self.modulus()) {
            return Err(Error::Key(InvalidKey::Modulus { bits }));
        }
        let exponent = self.public_exponent();
        if is_even(exponent) || exponent == [1] || bit_len(exponent) > MAX_EXPONENT_BITS {
            return Err(Error::Key(InvalidKey::Exponent));
        }
        // RFC 8017 section 3.2 has d below n, which AWS-LC does not check; shorter is less, strings
        // of one length compare like the numbers. The other parts are bounded so that no library
        // computes with longer ones.
        let (n, d) = (self.modulus(), self.private_exponent());
        let mut others = self.primes().into_iter().chain(self.crt_parts());
        if (d.len(), d) >= (n.len(), n) || others.any(|part| part.len() > n.len()) {
            return Err(Error::Key(InvalidKey::Inconsistent));
        }
        Ok(())
    }

    /// The key as a PKCS#1 `RSAPrivateKey` structure.
    pub fn pkcs1(&self) -> &'a [u8] {
        self.pkcs1
    }

    /// The modulus n, big-endian without leading zeros.
    pub fn modulus(&self) -> &'a [u8] {
        self.parts.modulus.as_bytes()
    }

    /// Length of the modulus in bits.
    pub fn modulus_bits(&self) -> usize {
        bit_len(self.modulus())
    }

    /// The public exponent e, big-endian without leading zeros.
    pub fn public_exponent(&self) -> &'a [u8] {
        self.parts.public_exponent.as_bytes()
    }

    /// The private exponent d, big-endian without leading zeros. Secret.
    pub fn private_exponent(&self) -> &'a [u8] {
        self.parts.private_exponent.as_bytes()
    }

    /// The primes p and q, big-endian without leading zeros, in either order of size. Secret.
    pub fn primes(&self) -> [&'a [u8]; 2] {
        [self.parts.prime1.as_bytes(), self.parts.prime2.as_bytes()]
    }

    /// d mod p-1, d mod q-1 and q^-1 mod p, big-endian without leading zeros. Secret.
    pub fn crt_parts(&self) -> [&'a [u8]; 3] {
        [
            self.parts.exponent1.as_bytes(),
            self.parts.exponent2.as_bytes(),
            self.parts.coefficient.as_bytes(),
        ]
    }
}

crate::redacted_debug! { RsaPrivateKeyDer<'_> { modulus_bits(), .. } }

/// What a private key is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUse {
    Decryption,
    Signing,
}

impl KeyUse {
    /// The bits of a key usage that allow it (RFC 5280 section 4.2.1.3): keyEncipherment and
    /// dataEncipherment, or digitalSignature.
    const fn bits(self) -> u8 {
        match self {
            Self::Decryption => 0x30,
            Self::Signing => 0x80,
        }
    }

    /// Checks that the key usage of a PKCS#8 structure, if it has one, allows it.
    pub(crate) fn check(self, pkcs8: &[u8]) -> Result<(), Error> {
        match key_usage(pkcs8) {
            Some(usage) if usage & self.bits() == 0 => Err(Error::Key(InvalidKey::Usage)),
            Some(_) | None => Ok(()),
        }
    }
}

/// Returns the first byte of the key usage among the attributes of a PKCS#8 structure, if there is
/// one. Attributes that cannot be read allow nothing.
fn key_usage(pkcs8: &[u8]) -> Option<u8> {
    read_key_usage(pkcs8).unwrap_or(Some(0))
}

fn read_key_usage(pkcs8: &[u8]) -> pkcs8::der::Result<Option<u8>> {
    /// The extension of certificates by this number (RFC 5280), used as an attribute.
    const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

    let structure = elements(AnyRef::from_der(pkcs8)?)?;
    let [_version, _algorithm, _key, attributes, ..] = &structure[..] else { return Ok(None) };
    // The attributes have the tag [0]; a public key has [1].
    if attributes.tag().number().value() != 0 || !attributes.tag().is_context_specific() {
        return Ok(None);
    }
    for attribute in elements(*attributes)? {
        let name_and_values = elements(attribute)?;
        if let [name, values] = &name_and_values[..]
            && name.decode_as() == Ok(KEY_USAGE)
        {
            let values = elements(*values)?;
            let bits = values.first().copied().map(AnyRef::decode_as::<BitStringRef<'_>>);
            let bits = bits.transpose()?;
            return Ok(Some(bits.and_then(|bits| bits.raw_bytes().first().copied()).unwrap_or(0)));
        }
    }
    Ok(None)
}

/// The elements of a constructed value.
fn elements(constructed: AnyRef<'_>) -> pkcs8::der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(constructed.value())?;
    let mut elements = Vec::new();
    while !reader.is_finished() {
        elements.push(AnyRef::decode(&mut reader)?);
    }
    Ok(elements)
}

/// Returns the error for a DER structure that is not an RSA key.
fn malformed(der: &[u8]) -> Error {
    // SEC1 ECPrivateKey ::= SEQUENCE { version INTEGER (1), privateKey OCTET STRING, … }, with a
    // length of one byte, or of two for the larger curves.
    const VERSION_1_THEN_OCTET_STRING: [u8; 4] = [0x02, 0x01, 0x01, 0x04];
    let content = match der {
        [0x30, 0x81, _, content @ ..] | [0x30, _, content @ ..] => content,
        _ => &[],
    };
    Error::Key(if content.starts_with(&VERSION_1_THEN_OCTET_STRING) {
        InvalidKey::NotRsa("an EC key")
    } else {
        InvalidKey::Malformed
    })
}

/// The name of a private-key algorithm by its object identifier.
fn algorithm_name(oid: &str) -> &'static str {
    match oid {
        "1.2.840.113549.1.1.10" => "an RSASSA-PSS key, which may not decrypt",
        "1.2.840.10045.2.1" => "an EC key",
        "1.2.840.10040.4.1" => "a DSA key",
        "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => "a Diffie-Hellman key",
        "1.3.101.110" => "an X25519 key",
        "1.3.101.111" => "an X448 key",
        "1.3.101.112" => "an Ed25519 key",
        "1.3.101.113" => "an Ed448 key",
        _ => "a key of another algorithm",
    }
}

pub(crate) fn bit_len(big_endian: &[u8]) -> usize {
    match big_endian {
        [] => 0,
        [first, rest @ ..] => rest.len() * 8 + (8 - first.leading_zeros() as usize),
    }
}

pub(crate) fn is_even(big_endian: &[u8]) -> bool {
    big_endian.last().is_none_or(|byte| byte % 2 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_and_truncation_are_malformed_and_never_a_panic() {
        for der in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0x03, 0x02, 0x01, 0x00], &[0xff; 64]] {
            assert_eq!(
                RsaPrivateKeyDer::from_der(der).unwrap_err(),
                Error::Key(InvalidKey::Malformed),
                "{der:?}"
            );
        }
    }

    #[test]
    fn an_ec_key_is_named() {
        // SEC1: SEQUENCE { INTEGER 1, OCTET STRING of 4 bytes }.
        let sec1 = [0x30, 0x09, 0x02, 0x01, 0x01, 0x04, 0x04, 1, 2, 3, 4];
        assert_eq!(
            RsaPrivateKeyDer::from_der(&sec1).unwrap_err(),
            Error::Key(InvalidKey::NotRsa("an EC key"))
        );
    }

    const RSA_1024: &[u8] = include_bytes!("../../ssl-provider-testkit/keys/rsa-1024.der");

    /// PKCS#8 around PKCS#1, with attributes if there are any.
    fn pkcs8(pkcs1: &[u8], attributes: &[u8]) -> Vec<u8> {
        // INTEGER 0, SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }.
        const VERSION_AND_ALGORITHM: [u8; 18] =
            *b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let len = |content: &[u8]| u16::try_from(content.len()).unwrap().to_be_bytes();
        let key = [&[0x04, 0x82], &len(pkcs1)[..], pkcs1].concat();
        let content = [&VERSION_AND_ALGORITHM[..], &key, attributes].concat();
        [&[0x30, 0x82], &len(&content)[..], &content].concat()
    }

    /// [0] { SEQUENCE { OBJECT IDENTIFIER 2.5.29.15, SET { BIT STRING of a byte } } }.
    fn key_usage_attribute(usage: u8) -> Vec<u8> {
        vec![0xa0, 13, 0x30, 11, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 4, 0x03, 2, 0, usage]
    }

    #[test]
    fn a_key_usage_that_allows_no_encipherment_is_refused_and_none_allows_all() {
        let load =
            |attributes: &[u8]| RsaPrivateKeyDer::from_der(&pkcs8(RSA_1024, attributes)).err();
        assert_eq!(load(&[]), None);
        // What Windows and `openssl pkcs12 -keyex` write, and keyEncipherment.
        for usage in [0x10, 0x20, 0xa0, 0xff] {
            assert_eq!(load(&key_usage_attribute(usage)), None, "{usage:#x}");
        }
        // What they write for signatures, and nothing.
        for usage in [0x80, 0x40, 0x08, 0x00] {
            let refused = Some(Error::Key(InvalidKey::Usage));
            assert_eq!(load(&key_usage_attribute(usage)), refused, "{usage:#x}");
        }
        // One that cannot be read allows nothing.
        let mut malformed = key_usage_attribute(0x20);
        malformed[12] = 0x7f;
        assert_eq!(load(&malformed), Some(Error::Key(InvalidKey::Usage)));
        // An attribute of another name says nothing about the usage.
        let mut other = key_usage_attribute(0x80);
        other[8] = 0x0e;
        assert_eq!(load(&other), None);
    }

    #[test]
    fn a_public_key_behind_the_private_one_is_no_attribute() {
        // [1] BIT STRING, of PKCS#8 with a public key (RFC 5958 section 2).
        let public_key = [0x81, 3, 0, 1, 2];
        let mut key = pkcs8(RSA_1024, &public_key);
        // The version that allows it.
        key[6] = 1;
        assert!(RsaPrivateKeyDer::from_der(&key).is_ok());
    }

    /// A value with its tag and its length, in as few bytes as DER has it.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = match content.len() {
            len @ ..0x80 => vec![u8::try_from(len).unwrap()],
            len @ ..0x100 => vec![0x81, u8::try_from(len).unwrap()],
            len => [&[0x82], &u16::try_from(len).unwrap().to_be_bytes()[..]].concat(),
        };
        [&[tag], &len[..], content].concat()
    }

    /// PKCS#1 with a version of 0, and these numbers.
    fn pkcs1(numbers: [&[u8]; 8]) -> Vec<u8> {
        // A number whose highest bit is set has a zero before it.
        let positive = |number: &[u8]| [&[0][..usize::from(number[0] >> 7)], number].concat();
        let integers = numbers.map(|number| der(0x02, &positive(number)));
        der(0x30, &[der(0x02, &[0]), integers.concat()].concat())
    }

    #[test]
    fn numbers_of_a_key_are_bounded_one_by_one() {
        let modulus = [&[0x80][..], &[0; 126], &[3]].concat();
        let (as_long, longer) = (modulus.clone(), [&modulus[..], &[1]].concat());
        let below = [&[0x7f][..], &[0xff; 127]].concat();
        let load = |e: &[u8], d: &[u8], other: [&[u8]; 5]| {
            let [p, q, dp, dq, qinv] = other;
            let key = pkcs1([&modulus, e, d, p, q, dp, dq, qinv]);
            RsaPrivateKeyDer::from_der(&key).err()
        };
        let short: [&[u8]; 5] = [&[1]; 5];
        assert_eq!(load(&[3], &[5], short), None);
        for (e, is_refused) in [
            (&[1][..], true),
            (&[4], true),
            // 33 bits, and one more.
            (&[1, 0, 0, 0, 1], false),
            (&[2, 0, 0, 0, 1], true),
        ] {
            let expected = is_refused.then_some(Error::Key(InvalidKey::Exponent));
            assert_eq!(load(e, &[5], short), expected, "{e:?}");
        }
        let inconsistent = Some(Error::Key(InvalidKey::Inconsistent));
        assert_eq!(load(&[3], &below, short), None);
        assert_eq!(load(&[3], &as_long, short), inconsistent);
        assert_eq!(load(&[3], &longer, short), inconsistent);
        for place in 0..5 {
            let mut parts = short;
            parts[place] = &as_long;
            assert_eq!(load(&[3], &[5], parts), None, "{place}");
            parts[place] = &longer;
            assert_eq!(load(&[3], &[5], parts), inconsistent, "{place}");
        }
    }

    #[test]
    fn keys_of_other_algorithms_are_named() {
        for (oid, name) in [
            ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
            ("1.2.840.10045.2.1", "EC"),
            ("1.2.840.10040.4.1", "DSA"),
            ("1.2.840.113549.1.3.1", "Diffie-Hellman"),
            ("1.2.840.10046.2.1", "Diffie-Hellman"),
            ("1.3.101.110", "X25519"),
            ("1.3.101.111", "X448"),
            ("1.3.101.112", "Ed25519"),
            ("1.3.101.113", "Ed448"),
            ("1.3.101.114", "another algorithm"),
        ] {
            assert!(algorithm_name(oid).contains(name), "{oid}");
        }
    }

    #[test]
    fn bit_len_counts_from_the_highest_set_bit() {
        assert_eq!(bit_len(&[]), 0);
        assert_eq!(bit_len(&[1]), 1);
        assert_eq!(bit_len(&[0x80, 0]), 16);
        assert_eq!(bit_len(&[1, 0, 1]), 17);
    }
}
