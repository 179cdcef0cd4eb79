//! Signatures of TLS handshakes: their schemes, and public keys as certificates carry them.
//! Everything here is public, so a wrong signature may be an answer of its own.

use pkcs1::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier, UintRef};
use pkcs1::der::{Decode, Encode, Error as DerError};
use pkcs8::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::error::Error;
use crate::rsa_der::{MAX_EXPONENT_BITS, MAX_MODULUS_LEN, MIN_MODULUS_BITS, bit_len, is_even};

/// How a digest was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5 over MD5 and SHA-1, one after the other, without a name of the hash: for
    /// RSA keys up to TLS 1.1 (RFC 2246 section 7.4.3).
    RsaMd5Sha1,
    /// RSASSA-PKCS1-v1_5 over SHA-1 (RFC 8017 section 8.2; so are those below).
    RsaSha1,
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    RsaSha256,
    /// RSASSA-PKCS1-v1_5 over SHA-384.
    RsaSha384,
    /// RSASSA-PKCS1-v1_5 over SHA-512.
    RsaSha512,
    /// ECDSA over SHA-1, which is also that of TLS 1.1 and earlier (RFC 8422 section 5.10).
    EcdsaSha1,
    /// ECDSA over SHA-256.
    EcdsaSha256,
    /// ECDSA over SHA-384.
    EcdsaSha384,
    /// ECDSA over SHA-512.
    EcdsaSha512,
}

impl SignatureScheme {
    /// Every scheme of the interface.
    pub const ALL: [Self; 9] = [
        Self::RsaMd5Sha1,
        Self::RsaSha1,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::EcdsaSha1,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
    ];

    /// The scheme of a `SignatureAndHashAlgorithm` of TLS 1.2, its two bytes as a big-endian number
    /// such as 0x0401 (RFC 5246 section 7.4.1.4.1); none for one that is not verified here.
    pub const fn from_wire(number: u16) -> Option<Self> {
        match number {
            0x0201 => Some(Self::RsaSha1),
            0x0401 => Some(Self::RsaSha256),
            0x0501 => Some(Self::RsaSha384),
            0x0601 => Some(Self::RsaSha512),
            0x0203 => Some(Self::EcdsaSha1),
            0x0403 => Some(Self::EcdsaSha256),
            0x0503 => Some(Self::EcdsaSha384),
            0x0603 => Some(Self::EcdsaSha512),
            _ => None,
        }
    }

    /// Length of the digest in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::RsaMd5Sha1 => 36,
            Self::RsaSha1 | Self::EcdsaSha1 => 20,
            Self::RsaSha256 | Self::EcdsaSha256 => 32,
            Self::RsaSha384 | Self::EcdsaSha384 => 48,
            Self::RsaSha512 | Self::EcdsaSha512 => 64,
        }
    }

    /// Whether keys of this scheme are RSA keys; they are on a curve otherwise.
    pub const fn is_rsa(self) -> bool {
        match self {
            Self::RsaMd5Sha1
            | Self::RsaSha1
            | Self::RsaSha256
            | Self::RsaSha384
            | Self::RsaSha512 => true,
            Self::EcdsaSha1 | Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => false,
        }
    }

    /// The usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaMd5Sha1 => "RSA with MD5+SHA-1",
            Self::RsaSha1 => "RSA with SHA-1",
            Self::RsaSha256 => "RSA with SHA-256",
            Self::RsaSha384 => "RSA with SHA-384",
            Self::RsaSha512 => "RSA with SHA-512",
            Self::EcdsaSha1 => "ECDSA with SHA-1",
            Self::EcdsaSha256 => "ECDSA with SHA-256",
            Self::EcdsaSha384 => "ECDSA with SHA-384",
            Self::EcdsaSha512 => "ECDSA with SHA-512",
        }
    }
}

/// A public key: the `SubjectPublicKeyInfo` of a certificate (RFC 5280 section 4.1.2.7).
///
/// The shape has been checked: structure, sizes and curve. Whether a point is on its curve is for
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

    /// The object identifier (RFC 5480 section 2.1.1.1).
    pub const fn oid(self) -> &'static str {
        match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        }
    }

    /// Length of a coordinate in bytes.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Length of a coordinate, and of the order, in bits.
    pub const fn bits(self) -> u32 {
        match self {
            Self::P256 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }
}

impl PublicKeyParts<'_> {
    /// The key as certificates carry it: a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a number that is none, or longer than any structure.
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

    /// The key as it was given.
    pub fn der(&self) -> &'a [u8] {
        self.der
    }

    /// What the key consists of.
    pub fn parts(&self) -> PublicKeyParts<'a> {
        self.parts
    }

    /// Length of the modulus in bits; none for a key that is not RSA.
    pub fn modulus_bits(&self) -> Option<usize> {
        match self.parts {
            PublicKeyParts::Rsa { modulus, .. } => Some(bit_len(modulus)),
            PublicKeyParts::Ec { .. } => None,
        }
    }

    /// Checks that the key and a digest are of `scheme`.
    pub(crate) fn check(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<(), Error> {
        if digest.len() != scheme.digest_len() {
            return Err(Error::InvalidParameter("digest: its length is not that of the scheme"));
        }
        if self.modulus_bits().is_some() != scheme.is_rsa() {
            return Err(Error::InvalidParameter("public key: not of the kind that signed so"));
        }
        Ok(())
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

/// What every backend answers for a public key that is none.
pub const BAD_PUBLIC_KEY: Error = Error::InvalidParameter(
    "public key: expected RSA of 1024 to 8192 bits, or a point on P-256, P-384 or \
     P-521, as SubjectPublicKeyInfo",
);

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

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
    fn wire_numbers_name_hash_and_key() {
        for number in 0..=u16::MAX {
            let Some(scheme) = SignatureScheme::from_wire(number) else { continue };
            let [hash, key] = number.to_be_bytes();
            assert_eq!(scheme.is_rsa(), key == 1, "{number:04x}");
            assert_eq!(scheme.digest_len(), [20, 0, 32, 48, 64][usize::from(hash) - 2]);
        }
        assert_eq!(SignatureScheme::from_wire(0x0101), None, "MD5");
        assert_eq!(SignatureScheme::from_wire(0x0202), None, "DSA");
        assert_eq!(SignatureScheme::from_wire(0x0804), None, "RSA-PSS");
    }
}
