//! Private keys that sign as DER: parsed once, the same for every backend.

use pkcs8::der::Decode;
use pkcs8::der::asn1::ObjectIdentifier;
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use crate::algorithm::SignatureScheme;
use crate::error::{Error, InvalidKey};
use crate::public_key::{Curve, EC_PUBLIC_KEY};
use crate::rsa_der::{KeyUse, RsaPrivateKeyDer};

/// A private key in DER that can sign.
#[derive(Debug)]
#[non_exhaustive]
pub enum SigningKeyDer<'a> {
    /// An RSA key.
    Rsa(RsaPrivateKeyDer<'a>),
    /// A key on a curve.
    Ec(EcPrivateKeyDer),
}

impl<'a> SigningKeyDer<'a> {
    /// Takes DER of PKCS#1, SEC 1 (RFC 5915) or PKCS#8. A key usage in the attributes of PKCS#8
    /// must allow digital signatures.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] with what is wrong with the key.
    pub fn from_der(der: &'a [u8]) -> Result<Self, Error> {
        match RsaPrivateKeyDer::from_der_for(der, KeyUse::Signing) {
            Err(Error::Key(InvalidKey::NotRsa(_) | InvalidKey::Malformed)) => {
                EcPrivateKeyDer::from_der(der).map(Self::Ec)
            }
            rsa => rsa.map(Self::Rsa),
        }
    }

    /// A scheme that every key of this kind has.
    pub(crate) fn any_scheme(&self) -> SignatureScheme {
        match self {
            Self::Rsa(_) => SignatureScheme::RsaSha256,
            Self::Ec(_) => SignatureScheme::EcdsaSha256,
        }
    }
}

/// A private key on a curve, from DER.
///
/// Curve and length have been checked. Whether the number is one of the curve is for the library
/// that loads it.
pub struct EcPrivateKeyDer {
    curve: Curve,
    number: Zeroizing<Vec<u8>>,
}

impl EcPrivateKeyDer {
    /// Takes DER of either kind: an `ECPrivateKey` that names its curve (RFC 5915 section 3) or a
    /// PKCS#8 `PrivateKeyInfo` (RFC 5958) that holds one. A key usage in its attributes must allow
    /// digital signatures.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] with what is wrong with the key.
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        match pkcs8::PrivateKeyInfoRef::from_der(der) {
            Ok(info) if info.algorithm.oid == EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters_oid().ok();
                let key = Self::from_sec1(info.private_key.as_bytes(), curve)?;
                KeyUse::Signing.check(der).map(|()| key)
            }
            Ok(_) => Err(Error::Key(InvalidKey::NotRsaOrEc)),
            Err(_) => Self::from_sec1(der, None),
        }
    }

    /// Takes an `ECPrivateKey` whose curve is named outside of it or inside.
    fn from_sec1(der: &[u8], curve: Option<ObjectIdentifier>) -> Result<Self, Error> {
        let key = EcPrivateKey::from_der(der).map_err(|_| Error::Key(InvalidKey::NotRsaOrEc))?;
        let inside = key.parameters.and_then(|parameters| parameters.named_curve());
        let oid = match (curve, inside) {
            (Some(outside), Some(inside)) if outside != inside => None,
            (outside, inside) => outside.or(inside),
        };
        let curve = oid
            .map(|oid| oid.to_string())
            .and_then(|oid| Curve::ALL.into_iter().find(|known| known.oid() == oid))
            .ok_or(Error::Key(InvalidKey::Curve))?;
        // RFC 5915 asks for the whole length; some write numbers without leading zeros.
        let mut number = Zeroizing::new(vec![0; curve.coordinate_len()]);
        let start = number.len().checked_sub(key.private_key.len());
        let start = start.ok_or(Error::Key(InvalidKey::Inconsistent))?;
        number[start..].copy_from_slice(key.private_key);
        Ok(Self { curve, number })
    }

    /// Returns the curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Returns the private key d, big-endian, as long as a coordinate. Secret.
    pub fn number(&self) -> &[u8] {
        &self.number
    }
}

crate::redacted_debug! { EcPrivateKeyDer { curve, .. } }

#[cfg(test)]
mod tests {
    use super::*;

    /// `ECPrivateKey` with the number 1 in `len` bytes, and the name of P-256 if it has that.
    fn sec1(len: u8, names_curve: bool) -> Vec<u8> {
        let mut number = vec![0; usize::from(len)];
        if let Some(last) = number.last_mut() {
            *last = 1;
        }
        const P256: &[u8] = &[0xa0, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
        let curve = if names_curve { P256 } else { &[] };
        let content = [&[2, 1, 1, 4, len][..], &number, curve].concat();
        [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    /// PKCS#8 around the number 1 on P-256, with attributes if there are any.
    fn pkcs8(attributes: &[u8]) -> Vec<u8> {
        // SEQUENCE { OBJECT IDENTIFIER id-ecPublicKey, OBJECT IDENTIFIER prime256v1 }.
        const ALGORITHM: [u8; 21] = [
            0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce,
            0x3d, 3, 1, 7,
        ];
        let sec1 = sec1(32, false);
        let key = [&[4, u8::try_from(sec1.len()).unwrap()], &sec1[..]].concat();
        let content = [&[2, 1, 0], &ALGORITHM[..], &key, attributes].concat();
        [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    #[test]
    fn a_key_usage_that_allows_no_signatures_is_refused_and_none_allows_all() {
        let load = |attributes: &[u8]| EcPrivateKeyDer::from_der(&pkcs8(attributes)).err();
        assert_eq!(load(&[]), None);
        // [0] { SEQUENCE { OBJECT IDENTIFIER 2.5.29.15, SET { BIT STRING of a byte } } }.
        let attribute =
            |usage| [0xa0, 13, 0x30, 11, 0x06, 3, 0x55, 0x1d, 0x0f, 0x31, 4, 0x03, 2, 0, usage];
        for usage in [0x80, 0x88, 0xff] {
            assert_eq!(load(&attribute(usage)), None, "{usage:#x}");
        }
        let refused = Some(Error::Key(InvalidKey::Usage));
        for usage in [0x08, 0x20, 0x00] {
            assert_eq!(load(&attribute(usage)), refused, "{usage:#x}");
            let der = pkcs8(&attribute(usage));
            assert_eq!(SigningKeyDer::from_der(&der).err(), refused, "{usage:#x}");
        }
        // One that cannot be read allows nothing.
        let mut malformed = attribute(0x80);
        malformed[12] = 0x7f;
        assert_eq!(load(&malformed), refused);
    }

    #[test]
    fn a_number_is_as_long_as_a_coordinate_whatever_the_encoder_wrote() {
        let expected = [&[0; 31][..], &[1]].concat();
        for len in [1, 2, 31, 32] {
            let key = EcPrivateKeyDer::from_der(&sec1(len, true)).unwrap();
            assert_eq!((key.curve(), key.number()), (Curve::P256, &expected[..]), "{len}");
            assert_eq!(format!("{key:?}"), "EcPrivateKeyDer { curve: P256, .. }");
        }
        let refused = |der: &[u8]| EcPrivateKeyDer::from_der(der).err();
        assert_eq!(refused(&sec1(33, true)), Some(Error::Key(InvalidKey::Inconsistent)));
        assert_eq!(refused(&sec1(32, false)), Some(Error::Key(InvalidKey::Curve)));
        for garbage in [&[][..], &[0x30], &[0x30, 3, 2, 1, 0], &[0xff; 64]] {
            assert_eq!(refused(garbage), Some(Error::Key(InvalidKey::NotRsaOrEc)));
        }
    }
}
