//! Public keys of ephemeral key agreement in CNG's blobs, and the parameters of finite fields.
//! Sources: Microsoft's pages on `BCRYPT_ECCKEY_BLOB`, `BCRYPT_DH_KEY_BLOB` and
//! `BCRYPT_DH_PARAMETER_HEADER`; `SSL_ECCKEY_BLOB` of `Sslprovider.h`.

use ssl_provider_core::{Curve, DhParameters, Error, Group, NamedCurve, PeerPublicKey};

use crate::blob::{self, Blob};
use crate::ec_key::{INCONSISTENT, is_on_curve};
use crate::{BlobType, EcAlgorithm, EcPublicKey, KeyError};

/// A public key for one key agreement, one's own or the peer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShare(PeerPublicKey);

/// How a blob holds a public key of key agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShareFormat {
    /// `BCRYPT_ECCPUBLIC_BLOB`: on P-256, P-384, P-521, or X25519 as the curve without a name.
    Ecc,
    /// `SSL_ECCPUBLIC_BLOB`, which names the curve by its number in TLS.
    SslEcc,
    /// `BCRYPT_DH_PUBLIC_BLOB`.
    Dh,
}

impl KeyShare {
    /// Takes a public key of the form of its group.
    ///
    /// # Errors
    ///
    /// Those of [`Group::public_key`].
    pub fn new(group: &Group, key: &[u8]) -> Result<Self, Error> {
        group.public_key(key).map(Self)
    }

    /// Reads a blob with a magic: one of [`BlobType::is_key_share`], or of a key on a curve for
    /// ECDH.
    ///
    /// The blob of the curve without a name has 32 bytes of x, as RFC 7748 encodes it, and 32 zeros
    /// in place of y, and can be no other curve's.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when header and content differ, and for a key that is not of its group.
    pub fn from_blob(bytes: &[u8]) -> Result<Self, KeyError> {
        let blob = Blob::new(bytes).ok_or(KeyError::Magic)?;
        match blob.blob_type {
            BlobType::EcGenericPublic => {
                let (curve, [len]) = (NamedCurve::X25519, blob.header()?);
                check_len(len, curve.coordinate_len())?;
                let [x, y] = blob.numbers::<1, 2>([len; 2])?;
                if y.iter().any(|byte| *byte != 0) {
                    return Err(KeyError::Curve);
                }
                Self::read(&curve.into(), x)
            }
            BlobType::DhPublic => {
                let [len] = blob.header()?;
                let [prime, generator, key] = blob.numbers::<1, 3>([len; 3])?;
                let group = DhParameters::new(prime, generator)?;
                check_len(len, group.prime().len())?;
                Self::read(&group.into(), key)
            }
            BlobType::EcPublic => {
                let key = EcPublicKey::of_public_blob(&blob)?;
                Self::of_ec(&key).ok_or(KeyError::Magic)
            }
            _ => Err(KeyError::Magic),
        }
    }

    /// Reads an `SSL_ECCPUBLIC_BLOB`: the number of the curve and the length of a coordinate, in
    /// the order of this machine, then x and y, or x alone for X25519.
    ///
    /// # Errors
    ///
    /// [`KeyError::Curve`] for a number that is not known; as [`from_blob`](Self::from_blob).
    pub fn from_ssl_blob(bytes: &[u8]) -> Result<Self, KeyError> {
        let wrong_length = |expected| KeyError::Length { expected, got: bytes.len() };
        let number = |at: usize| {
            let field = bytes.get(4 * at..).and_then(|rest| rest.first_chunk());
            field.map(|field| u32::from_ne_bytes(*field)).ok_or(wrong_length(SSL_HEADER_LEN))
        };
        let (curve, len) = (number(0)?, number(1)?);
        let curve = u16::try_from(curve).ok().and_then(NamedCurve::from_wire);
        let curve = curve.ok_or(KeyError::Curve)?;
        check_len(usize::try_from(len).unwrap_or(usize::MAX), curve.coordinate_len())?;
        let key = bytes.get(SSL_HEADER_LEN..).unwrap_or_default();
        let key_len = curve.public_key_len() - usize::from(!curve.is_montgomery());
        if key.len() != key_len {
            return Err(wrong_length(SSL_HEADER_LEN + key_len));
        }
        let key = if curve.is_montgomery() { key.to_vec() } else { [&[4], key].concat() };
        match named(curve) {
            Some(named) if !is_on_curve(named, &key) => Err(INCONSISTENT),
            _ => Self::read(&curve.into(), &key),
        }
    }

    /// A key from a blob: what is not of its group is a bad key.
    fn read(group: &Group, key: &[u8]) -> Result<Self, KeyError> {
        Self::new(group, key).map_err(|_| INCONSISTENT)
    }

    /// The key of a key on a curve; none for one of ECDSA.
    pub fn of_ec(key: &EcPublicKey) -> Option<Self> {
        let curve = match key.curve {
            Curve::P256 => NamedCurve::Secp256r1,
            Curve::P384 => NamedCurve::Secp384r1,
            Curve::P521 => NamedCurve::Secp521r1,
        };
        let is_for_agreement = key.algorithm == EcAlgorithm::Ecdh;
        is_for_agreement.then(|| Self::new(&curve.into(), &key.point).ok()).flatten()
    }

    /// The key as core takes it.
    pub fn as_peer(&self) -> &PeerPublicKey {
        &self.0
    }

    /// The format with a magic that holds the key, if there is one.
    pub fn format(&self) -> ShareFormat {
        match self.0.group() {
            Group::FiniteField(_) => ShareFormat::Dh,
            _ => ShareFormat::Ecc,
        }
    }

    /// Writes the key as a blob; none in a format that is not for its group: that of another kind,
    /// or `Ecc` for a curve that this does not name.
    pub fn to_blob(&self, format: ShareFormat) -> Option<Vec<u8>> {
        let key = self.0.as_bytes();
        match (self.0.group(), format) {
            (Group::Curve(curve), ShareFormat::Ecc) => {
                let len = curve.coordinate_len();
                if curve.is_montgomery() {
                    return Some(blob::write(*b"ECKP", &[len], &[key, &vec![0; len]]));
                }
                let curve = named(*curve)?;
                let point = key.into();
                let key = EcPublicKey { algorithm: EcAlgorithm::Ecdh, curve, point };
                Some(key.to_blob())
            }
            (Group::Curve(curve), ShareFormat::SslEcc) => {
                let wire = u32::from(curve.wire()).to_le_bytes();
                let key = if curve.is_montgomery() { key } else { key.get(1..)? };
                Some(blob::write(wire, &[curve.coordinate_len()], &[key]))
            }
            (Group::FiniteField(group), ShareFormat::Dh) => {
                let prime = group.prime();
                let generator = padded(group.generator(), prime.len());
                Some(blob::write(*b"DHPB", &[prime.len()], &[prime, &generator, key]))
            }
            _ => None,
        }
    }
}

/// Reads a `BCRYPT_DH_PARAMETERS` structure: the length of the whole and a magic, the length of a
/// number, prime and generator.
///
/// # Errors
///
/// [`KeyError`] when header and content differ, or the numbers are no group.
pub fn read_dh_parameters(bytes: &[u8]) -> Result<DhParameters, KeyError> {
    let (fields, numbers) = bytes
        .split_at_checked(DH_HEADER_LEN)
        .ok_or(KeyError::Length { expected: DH_HEADER_LEN, got: bytes.len() })?;
    let fields = fields.as_chunks::<4>().0;
    let [whole, magic, len] = *fields else { return Err(KeyError::Magic) };
    // In the order of Windows, or of the machine that filled the structure in memory.
    let number: fn([u8; 4]) -> u32 = match &magic {
        b"DHPM" => u32::from_le_bytes,
        _ if u32::from_ne_bytes(magic) == u32::from_le_bytes(*b"DHPM") => u32::from_ne_bytes,
        _ => return Err(KeyError::Magic),
    };
    let size = |field| usize::try_from(number(field)).unwrap_or(usize::MAX);
    let (whole, len) = (size(whole), size(len));
    let expected = len.saturating_mul(2).saturating_add(DH_HEADER_LEN);
    if bytes.len() != expected {
        return Err(KeyError::Length { expected, got: bytes.len() });
    }
    if whole != expected {
        return Err(KeyError::Header { field: "cbLength", expected, got: whole });
    }
    let (prime, generator) = numbers.split_at(len);
    let group = DhParameters::new(prime, generator)?;
    check_len(len, group.prime().len())?;
    Ok(group)
}

/// Writes what [`read_dh_parameters`] reads.
pub fn write_dh_parameters(group: &DhParameters) -> Vec<u8> {
    let prime = group.prime();
    let (len, generator) = (prime.len(), padded(group.generator(), prime.len()));
    let whole = u32::try_from(DH_HEADER_LEN + 2 * len).unwrap_or(u32::MAX);
    [&whole.to_ne_bytes()[..], &blob::write(*b"DHPM", &[len], &[prime, &generator])].concat()
}

/// The curve, if it is one of those that have blobs of their own.
fn named(curve: NamedCurve) -> Option<Curve> {
    match curve {
        NamedCurve::Secp256r1 => Some(Curve::P256),
        NamedCurve::Secp384r1 => Some(Curve::P384),
        NamedCurve::Secp521r1 => Some(Curve::P521),
        _ => None,
    }
}

fn check_len(got: usize, expected: usize) -> Result<(), KeyError> {
    if got == expected {
        return Ok(());
    }
    Err(KeyError::Header { field: "cbKey", expected, got })
}

/// A number with leading zeros.
fn padded(number: &[u8], len: usize) -> Vec<u8> {
    [&vec![0; len.saturating_sub(number.len())], number].concat()
}

/// `SSL_ECCKEY_BLOB`: dwCurveType, cbKey.
const SSL_HEADER_LEN: usize = 8;

/// `BCRYPT_DH_PARAMETER_HEADER`: cbLength, dwMagic, cbKeyLength.
const DH_HEADER_LEN: usize = 12;
