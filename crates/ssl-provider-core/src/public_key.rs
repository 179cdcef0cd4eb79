//! Public keys as certificates carry them, and the forms of the signatures that they verify.
//! Everything here is public, so a wrong signature may have an error of its own.

use pkcs1::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use pkcs1::der::{Decode, Encode, Error as DerError, Tag};
use pkcs8::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::algorithm::{NamedCurve, SignatureScheme};
use crate::error::Error;
use crate::rsa_der::{MAX_EXPONENT_BITS, MAX_MODULUS_LEN, MIN_MODULUS_BITS, bit_len, is_even};

/// A public key: the `SubjectPublicKeyInfo` of a certificate (RFC 5280 section 4.1.2.7).
///
/// The form has been checked: structure, sizes and curve. Whether a point is on its curve is for
/// the library that uses it.
#[derive(Clone, Copy, Debug)]
pub struct PublicKeyDer<'a> {
    der: &'a [u8],
    parts: PublicKeyParts<'a>,
}

/// What a public key consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKeyParts<'a> {
    /// An RSA key of 1024 to 8192 bits; both numbers are big-endian without leading zeros.
    Rsa {
        /// The modulus n.
        modulus: &'a [u8],
        /// The public exponent e.
        exponent: &'a [u8],
    },
    /// A point on a curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// The point, uncompressed: 04, then both coordinates (SEC 1 section 2.3.3).
        point: &'a [u8],
    },
}

/// A curve of ECDSA (RFC 8422 section 5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256, also secp256r1.
    P256,
    /// NIST P-384, also secp384r1.
    P384,
    /// NIST P-521, also secp521r1.
    P521,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// Returns the object identifier (RFC 5480 section 2.1.1.1).
    pub const fn oid(self) -> &'static str {
        match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        }
    }

    /// Returns the length of a coordinate in bytes.
    pub const fn coordinate_len(self) -> usize {
        self.named().coordinate_len()
    }

    /// Returns the length in bytes of a number modulo the order with its sign, as DER writes it:
    /// P-521 has room for the sign.
    pub(crate) const fn signature_number_len(self) -> usize {
        match self {
            Self::P256 | Self::P384 => 1 + self.coordinate_len(),
            Self::P521 => self.coordinate_len(),
        }
    }

    /// Returns the length of a coordinate, and of the order, in bits.
    pub const fn bits(self) -> u32 {
        self.named().bits()
    }

    /// Returns the same curve as one of key agreement.
    const fn named(self) -> NamedCurve {
        match self {
            Self::P256 => NamedCurve::Secp256r1,
            Self::P384 => NamedCurve::Secp384r1,
            Self::P521 => NamedCurve::Secp521r1,
        }
    }
}

impl From<Curve> for NamedCurve {
    fn from(curve: Curve) -> Self {
        curve.named()
    }
}

impl PublicKeyParts<'_> {
    /// Returns the key as certificates carry it: a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] if a part cannot be encoded.
    pub fn to_der(&self) -> Result<Vec<u8>, Error> {
        self.encode().map_err(|_| BAD_PUBLIC_KEY)
    }

    fn encode(&self) -> Result<Vec<u8>, DerError> {
        match self {
            Self::Rsa { modulus, exponent } => {
                let key = pkcs1::RsaPublicKeyRef {
                    modulus: UintRef::new(modulus)?,
                    public_exponent: UintRef::new(exponent)?,
                };
                let key = key.to_der()?;
                let info = SubjectPublicKeyInfoRef {
                    algorithm: pkcs1::ALGORITHM_ID,
                    subject_public_key: BitStringRef::from_bytes(&key)?,
                };
                info.to_der()
            }
            Self::Ec { curve, point } => {
                let oid = ObjectIdentifier::new(curve.oid())?;
                let info = SubjectPublicKeyInfoRef {
                    algorithm: AlgorithmIdentifierRef {
                        oid: EC_PUBLIC_KEY,
                        parameters: Some(AnyRef::from(&oid)),
                    },
                    subject_public_key: BitStringRef::from_bytes(point)?,
                };
                info.to_der()
            }
        }
    }
}

impl<'a> PublicKeyDer<'a> {
    /// Takes a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when it is malformed, or a key of another kind or size.
    pub fn from_der(der: &'a [u8]) -> Result<Self, Error> {
        let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| BAD_PUBLIC_KEY)?;
        let key = info.subject_public_key.as_bytes().ok_or(BAD_PUBLIC_KEY)?;
        let parts = match info.algorithm.oid {
            pkcs1::ALGORITHM_OID if info.algorithm.parameters == Some(AnyRef::NULL) => rsa(key),
            EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters_oid().map_err(|_| BAD_PUBLIC_KEY)?;
                ec(curve, key)
            }
            _ => None,
        };
        Ok(Self { der, parts: parts.ok_or(BAD_PUBLIC_KEY)? })
    }

    /// Returns the DER as it was given.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// Returns the numbers of the key.
    pub fn parts(&self) -> PublicKeyParts<'a> {
        self.parts
    }

    /// Returns the length of the modulus in bits; none for a key that is not RSA.
    pub fn modulus_bits(&self) -> Option<usize> {
        match self.parts {
            PublicKeyParts::Rsa { modulus, .. } => Some(bit_len(modulus)),
            PublicKeyParts::Ec { .. } => None,
        }
    }

    /// Returns the DER of an ECDSA signature that is r ‖ s, each as long as a coordinate: the form
    /// of CNG and of IEEE P1363, in place of the `Ecdsa-Sig-Value` that
    /// [`Provider::verify_signature`](crate::Provider::verify_signature) takes. None when the key
    /// is not on a curve or the signature has another length; r and s may be any numbers.
    pub fn ecdsa_signature_to_der(&self, fixed: &[u8]) -> Option<Vec<u8>> {
        let PublicKeyParts::Ec { curve, .. } = self.parts else { return None };
        if fixed.len() != 2 * curve.coordinate_len() {
            return None;
        }
        let (r, s) = fixed.split_at(curve.coordinate_len());
        let integer = |bytes| UintRef::new(bytes)?.to_der();
        let integers = [integer(r).ok()?, integer(s).ok()?].concat();
        AnyRef::new(Tag::Sequence, &integers).ok()?.to_der().ok()
    }

    /// Checks that the key and a digest are of `scheme`.
    pub(crate) fn check(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<(), Error> {
        let kind = match self.parts {
            PublicKeyParts::Rsa { modulus, .. } => KeyKind::Rsa { bits: bit_len(modulus) },
            PublicKeyParts::Ec { curve, .. } => KeyKind::Ec(curve),
        };
        kind.check(scheme, digest)
    }
}

/// The kind of a key that signs or verifies, with its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// RSA.
    Rsa {
        /// The length of the modulus.
        bits: usize,
    },
    /// On a curve.
    Ec(Curve),
}

impl KeyKind {
    /// Checks that the key and a digest are of `scheme`.
    pub(crate) fn check(self, scheme: SignatureScheme, digest: &[u8]) -> Result<(), Error> {
        if matches!(self, Self::Rsa { .. }) != scheme.is_rsa() {
            return Err(Error::InvalidParameter(
                "the algorithm of the key does not match the signature scheme",
            ));
        }
        let good = match (scheme.digest_len(), self) {
            (Some(len), _) => digest.len() == len,
            // 11 bytes of the block are padding at least (RFC 8017 section 9.2).
            (None, Self::Rsa { bits }) => (1..=bits.div_ceil(8) - 11).contains(&digest.len()),
            (None, Self::Ec(_)) => false,
        };
        if good { Ok(()) } else { Err(BAD_DIGEST_LEN) }
    }
}

fn rsa(pkcs1: &[u8]) -> Option<PublicKeyParts<'_>> {
    let key = pkcs1::RsaPublicKeyRef::from_der(pkcs1).ok()?;
    let (modulus, exponent) = (key.modulus.as_bytes(), key.public_exponent.as_bytes());
    let sizes = MIN_MODULUS_BITS..=MAX_MODULUS_LEN * 8;
    let good = sizes.contains(&bit_len(modulus))
        && !is_even(modulus)
        && !is_even(exponent)
        && exponent != [1]
        && bit_len(exponent) <= MAX_EXPONENT_BITS;
    good.then_some(PublicKeyParts::Rsa { modulus, exponent })
}

fn ec(curve: ObjectIdentifier, point: &[u8]) -> Option<PublicKeyParts<'_>> {
    let oid = curve.to_string();
    let curve = Curve::ALL.into_iter().find(|known| known.oid() == oid)?;
    let good = point.len() == 1 + 2 * curve.coordinate_len() && point.first() == Some(&4);
    good.then_some(PublicKeyParts::Ec { curve, point })
}

/// What every backend returns for an invalid public key.
pub const BAD_PUBLIC_KEY: Error = Error::InvalidParameter(
    "public key: expected RSA of 1024 to 8192 bits, or a point on P-256, P-384 or \
     P-521, as SubjectPublicKeyInfo",
);

const BAD_DIGEST_LEN: Error =
    Error::InvalidParameter("digest: its length is not that of the scheme or too long for the key");

pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn garbage_and_truncation_are_refused_and_never_a_panic() {
        for der in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0x03, 0x02, 0x01, 0x00], &[0xff; 64]] {
            assert_eq!(PublicKeyDer::from_der(der).unwrap_err(), BAD_PUBLIC_KEY, "{der:?}");
        }
    }

    #[test]
    fn a_curve_has_one_object_identifier_for_signatures_and_key_agreement() {
        for curve in Curve::ALL {
            assert_eq!(NamedCurve::from(curve).oid(), Some(curve.oid()));
        }
    }

    #[test]
    fn a_key_that_is_taken_apart_is_put_together_again() {
        let point = [&[4_u8][..], &[7; 132]].concat();
        for curve in Curve::ALL {
            let point = &point[..1 + 2 * curve.coordinate_len()];
            let der = PublicKeyParts::Ec { curve, point }.to_der().unwrap();
            let key = PublicKeyDer::from_der(&der).unwrap();
            assert_eq!(key.parts(), PublicKeyParts::Ec { curve, point });
        }
        let modulus = [0xff; 128];
        let parts = PublicKeyParts::Rsa { modulus: &modulus, exponent: &[1, 0, 1] };
        assert_eq!(PublicKeyDer::from_der(&parts.to_der().unwrap()).unwrap().parts(), parts);
    }

    #[test]
    fn a_signature_of_fixed_length_becomes_der_with_the_shortest_integers() {
        let key = |curve: Curve| {
            let point = [&[4_u8][..], &vec![7; 2 * curve.coordinate_len()]].concat();
            PublicKeyParts::Ec { curve, point: &point }.to_der().unwrap()
        };
        let p256 = key(Curve::P256);
        let p256 = PublicKeyDer::from_der(&p256).unwrap();
        let mut fixed = [0; 64];
        let der = |fixed: &[u8]| p256.ecdsa_signature_to_der(fixed).unwrap();
        assert_eq!(der(&fixed), [0x30, 6, 2, 1, 0, 2, 1, 0]);
        fixed[31] = 0x7f;
        fixed[63] = 0x80;
        assert_eq!(der(&fixed), [0x30, 7, 2, 1, 0x7f, 2, 2, 0, 0x80]);
        fixed = [0xff; 64];
        let integer = [&[2, 33, 0][..], &[0xff; 32]].concat();
        assert_eq!(der(&fixed), [&[0x30, 70][..], &integer, &integer].concat());

        // The longest needs a length of two bytes.
        let p521 = key(Curve::P521);
        let p521 = PublicKeyDer::from_der(&p521).unwrap();
        let integer = [&[2, 66][..], &[1; 66]].concat();
        let der = p521.ecdsa_signature_to_der(&[1; 132]).unwrap();
        assert_eq!(der, [&[0x30, 0x81, 136][..], &integer, &integer].concat());

        for len in [0, 63, 65, 96, 132] {
            assert_eq!(p256.ecdsa_signature_to_der(&vec![1; len]), None, "{len}");
        }
        let rsa = PublicKeyParts::Rsa { modulus: &[0xff; 128], exponent: &[1, 0, 1] };
        let rsa = rsa.to_der().unwrap();
        assert_eq!(PublicKeyDer::from_der(&rsa).unwrap().ecdsa_signature_to_der(&[1; 64]), None);
    }

    #[test]
    fn a_digest_without_digest_info_leaves_room_for_the_padding() {
        let der = PublicKeyParts::Rsa { modulus: &[0xff; 128], exponent: &[1, 0, 1] };
        let der = der.to_der().unwrap();
        let key = PublicKeyDer::from_der(&der).unwrap();
        for (len, expected) in
            [(0, Err(BAD_DIGEST_LEN)), (1, Ok(())), (117, Ok(())), (118, Err(BAD_DIGEST_LEN))]
        {
            let checked = key.check(SignatureScheme::RsaWithoutDigestInfo, &vec![0; len]);
            assert_eq!(checked, expected, "{len}");
        }
    }
}
