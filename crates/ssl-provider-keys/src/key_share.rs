//! Public keys of ephemeral key agreement in CNG's blobs, and the parameters of finite fields.
//! Sources: Microsoft's pages on `BCRYPT_ECCKEY_BLOB`, `BCRYPT_DH_KEY_BLOB` and
//! `BCRYPT_DH_PARAMETER_HEADER`; `SSL_ECCKEY_BLOB` of `Sslprovider.h`.

use ssl_provider_core::{
    Curve, DhParameters, Error, Group, HybridGroup, NamedCurve, PeerPublicKey,
};

use crate::blob::{self, Blob};
use crate::ec_key::{INCONSISTENT, is_on_curve};
use crate::{BlobType, EcAlgorithm, EcPublicKey, KeyError};

/// A public key for one key agreement, one's own or the peer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShare(PeerPublicKey);

/// How a blob holds a public key of key agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShareFormat {
    /// `BCRYPT_ECCPUBLIC_BLOB`: on P-256, P-384, P-521, or X25519 as the curve without a name.
    Ecc,
    /// `SSL_ECCPUBLIC_BLOB`, which names the curve by its number in TLS.
    SslEcc,
    /// `BCRYPT_DH_PUBLIC_BLOB`.
    Dh,
    /// The bare share of a hybrid group, as TLS 1.3 carries it.
    Hybrid,
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

    /// Takes the bare share of a hybrid group, of a client or of a server, as the extension
    /// key_share of TLS 1.3 carries it. Its length tells the group.
    ///
    /// # Errors
    ///
    /// [`KeyError::Key`] for a share of no group, and for a point that is not uncompressed.
    pub fn from_hybrid(bytes: &[u8]) -> Result<Self, KeyError> {
        let is_long_enough = |group: &HybridGroup| {
            [group.client_share_len(), group.server_share_len()].contains(&bytes.len())
        };
        let group = HybridGroup::ALL.into_iter().find(is_long_enough).ok_or(NOT_HYBRID)?;
        Self::read(&group.into(), bytes)
    }

    /// A key from a blob: what is not of its group is a bad key.
    fn read(group: &Group, key: &[u8]) -> Result<Self, KeyError> {
        Self::new(group, key).map_err(|_| INCONSISTENT)
    }

    /// Returns an ECDH key for key agreement; none for a key of ECDSA.
    pub fn of_ec(key: &EcPublicKey) -> Option<Self> {
        match key.algorithm {
            EcAlgorithm::Ecdh => Self::new(&NamedCurve::from(key.curve).into(), &key.point).ok(),
            EcAlgorithm::Ecdsa => None,
        }
    }

    /// Returns the key as core takes it.
    pub fn as_peer(&self) -> &PeerPublicKey {
        &self.0
    }

    /// Returns the format for keys of its kind that has a magic, or is the only one. `Ecc` does not
    /// hold every curve.
    pub fn format(&self) -> ShareFormat {
        match self.0.group() {
            Group::FiniteField(_) => ShareFormat::Dh,
            Group::Hybrid(_) => ShareFormat::Hybrid,
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
            (Group::Hybrid(_), ShareFormat::Hybrid) => Some(key.to_vec()),
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

/// Returns the curve, if it is one of those that have blobs of their own.
fn named(curve: NamedCurve) -> Option<Curve> {
    Curve::ALL.into_iter().find(|named| NamedCurve::from(*named) == curve)
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

const NOT_HYBRID: KeyError = KeyError::Key(Error::InvalidParameter(
    "share of a hybrid group: expected 1120, 1153, 1216, 1249 or 1665 bytes",
));

/// `SSL_ECCKEY_BLOB`: dwCurveType, cbKey.
const SSL_HEADER_LEN: usize = 8;

/// `BCRYPT_DH_PARAMETER_HEADER`: cbLength, dwMagic, cbKeyLength.
const DH_HEADER_LEN: usize = 12;

#[cfg(test)]
mod tests {
    use ssl_provider_core::FfdheGroup;

    use super::*;
    use crate::ec_key::public_half;

    /// A key of each group, and the formats that hold it.
    fn shares() -> Vec<(KeyShare, Vec<ShareFormat>)> {
        let curves = NamedCurve::ALL.into_iter().map(|curve| {
            let mut scalar = vec![0; curve.coordinate_len()];
            scalar[curve.coordinate_len() - 1] = 5;
            let key = match named(curve) {
                Some(named) => public_half(named, &scalar, None).unwrap().into(),
                None if curve.is_montgomery() => vec![0x9a; 32],
                None => [&[4][..], &vec![7; 2 * curve.coordinate_len()]].concat(),
            };
            let with_magic = named(curve).is_some() || curve.is_montgomery();
            let formats = [ShareFormat::SslEcc, ShareFormat::Ecc];
            let formats = formats[..1 + usize::from(with_magic)].to_vec();
            (KeyShare::new(&curve.into(), &key).unwrap(), formats)
        });
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        let number = KeyShare::new(&group.into(), &[0, 0, 3]).unwrap();
        let hybrids = HybridGroup::ALL.into_iter().flat_map(|group| {
            [group.client_share_len(), group.server_share_len()].map(|len| {
                let share = KeyShare::new(&group.into(), &vec![4; len]).unwrap();
                (share, vec![ShareFormat::Hybrid])
            })
        });
        curves.chain([(number, vec![ShareFormat::Dh])]).chain(hybrids).collect()
    }

    fn read(format: ShareFormat, blob: &[u8]) -> Result<KeyShare, KeyError> {
        match format {
            ShareFormat::SslEcc => KeyShare::from_ssl_blob(blob),
            ShareFormat::Ecc | ShareFormat::Dh => KeyShare::from_blob(blob),
            ShareFormat::Hybrid => KeyShare::from_hybrid(blob),
        }
    }

    #[test]
    fn a_key_that_is_written_is_read_again_from_each_format_of_its_group() {
        for (share, formats) in shares() {
            let all = [ShareFormat::SslEcc, ShareFormat::Ecc, ShareFormat::Dh, ShareFormat::Hybrid];
            for format in all {
                let Some(blob) = share.to_blob(format) else {
                    assert!(!formats.contains(&format), "{share:?} {format:?}");
                    continue;
                };
                assert!(formats.contains(&format), "{share:?} {format:?}");
                assert_eq!(read(format, &blob).as_ref(), Ok(&share));
            }
        }
    }

    #[test]
    fn x25519_is_the_curve_without_a_name_and_has_zeros_in_place_of_y() {
        let share = KeyShare::new(&NamedCurve::X25519.into(), &[0x9a; 32]).unwrap();
        let blob = share.to_blob(ShareFormat::Ecc).unwrap();
        let expected = [&b"ECKP\x20\0\0\0"[..], &[0x9a; 32], &[0; 32]].concat();
        assert_eq!(blob, expected);
        let ssl_blob = share.to_blob(ShareFormat::SslEcc).unwrap();
        assert_eq!(ssl_blob, [&[29, 0, 0, 0, 32, 0, 0, 0][..], &[0x9a; 32]].concat());
        for at in 40..72 {
            let mut point = blob.clone();
            point[at] = 1;
            assert_eq!(KeyShare::from_blob(&point), Err(KeyError::Curve), "{at}");
        }
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        for (share, formats) in shares() {
            for format in formats.into_iter().filter(|format| *format != ShareFormat::Hybrid) {
                let blob = share.to_blob(format).unwrap();
                for len in 0..blob.len() {
                    assert!(read(format, &blob[..len]).is_err(), "{share:?}: {len}");
                }
                let longer = [&blob[..], &[0]].concat();
                let lengths = KeyError::Length { expected: blob.len(), got: longer.len() };
                assert_eq!(read(format, &longer), Err(lengths));
            }
        }
    }

    /// A truncated share may be as long as one of another group, and is then that.
    #[test]
    fn a_hybrid_share_is_of_the_group_of_its_length_and_has_an_uncompressed_point() {
        for len in 0..2000 {
            let group = KeyShare::from_hybrid(&vec![4; len]).map(|share| {
                let Group::Hybrid(group) = share.as_peer().group() else { panic!("{share:?}") };
                *group
            });
            let expected = match len {
                1120 | 1216 => Ok(HybridGroup::X25519MlKem768),
                1153 | 1249 => Ok(HybridGroup::Secp256r1MlKem768),
                1665 => Ok(HybridGroup::Secp384r1MlKem1024),
                _ => Err(NOT_HYBRID),
            };
            assert_eq!(group, expected, "{len}");
        }
        for len in [1153, 1249, 1665] {
            assert_eq!(KeyShare::from_hybrid(&vec![2; len]), Err(INCONSISTENT), "{len}");
        }
    }

    /// A header that differs is refused, but for the number of a curve of the same size; a point of
    /// a NIST curve is refused, other keys differ.
    #[test]
    fn every_bit_that_is_flipped_is_seen() {
        for (share, formats) in shares() {
            for format in formats {
                let blob = share.to_blob(format).unwrap();
                let Group::Curve(curve) = share.as_peer().group() else { continue };
                for bit in 0..8 * blob.len() {
                    let mut bad = blob.clone();
                    bad[bit / 8] ^= 1 << (bit % 8);
                    match read(format, &bad) {
                        Err(_) => {}
                        Ok(other) => {
                            assert_ne!(other, share, "{share:?}: {bit}");
                            let has_checked_point = named(*curve).is_some() && bit >= 64;
                            assert!(!has_checked_point, "{share:?}: {bit}");
                            let is_number_of_curve = format == ShareFormat::SslEcc && bit < 32;
                            assert!(bit >= 64 || is_number_of_curve, "{share:?}: {bit}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_finite_field_has_numbers_of_one_length_and_a_key_in_range() {
        let group = DhParameters::named(FfdheGroup::Ffdhe2048);
        let share = KeyShare::new(&group.clone().into(), &[9; 256]).unwrap();
        let blob = share.to_blob(ShareFormat::Dh).unwrap();
        assert_eq!(blob.len(), 8 + 3 * 256);
        let key = 8 + 2 * 256;
        let with_key = |number: &[u8]| {
            let zeros = vec![0; 256 - number.len()];
            KeyShare::from_blob(&[&blob[..key], &zeros, number].concat())
        };
        let mut below = group.prime().to_vec();
        below[255] -= 1;
        for bad in [&[][..], &[1], &below, group.prime(), &[0xff; 256]] {
            assert_eq!(with_key(bad), Err(INCONSISTENT), "{:?}", bad.len());
        }
        below[255] -= 1;
        for good in [&[2][..], &below] {
            assert_eq!(with_key(good).unwrap().as_peer().as_bytes().len(), 256);
        }
        let mut even = blob.clone();
        even[8 + 255] ^= 1;
        assert!(KeyShare::from_blob(&even).is_err());
        // A prime with leading zeros is not as long as its blob says.
        let zeros = [&blob[..4], &260_u32.to_le_bytes(), &[0; 4], group.prime()].concat();
        let zeros = [&zeros[..], &vec![0; 259], &[2], &vec![0; 258], &[0, 9]].concat();
        let wrong = KeyError::Header { field: "cbKey", expected: 256, got: 260 };
        assert_eq!(KeyShare::from_blob(&zeros), Err(wrong));
    }

    #[test]
    fn parameters_that_are_written_are_read_again_and_a_wrong_header_is_refused() {
        for group in FfdheGroup::ALL.map(DhParameters::named) {
            let bytes = write_dh_parameters(&group);
            assert_eq!(read_dh_parameters(&bytes), Ok(group.clone()));
            for len in (0..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
                assert!(read_dh_parameters(&bytes[..len]).is_err(), "{len}");
            }
            assert!(read_dh_parameters(&[&bytes[..], &[0]].concat()).is_err());
            for bit in 0..8 * DH_HEADER_LEN {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                assert!(read_dh_parameters(&bad).is_err(), "{bit}");
            }
        }
        assert!(read_dh_parameters(&[0xff; 12]).is_err());
        let no_numbers = [&12_u32.to_le_bytes()[..], b"DHPM", &[0; 4]].concat();
        assert!(read_dh_parameters(&no_numbers).is_err());
    }

    #[test]
    fn blobs_of_other_keys_are_none() {
        let ecdsa = EcPublicKey {
            algorithm: EcAlgorithm::Ecdsa,
            curve: Curve::P256,
            point: public_half(Curve::P256, &[1; 32], None).unwrap(),
        };
        assert_eq!(KeyShare::from_blob(&ecdsa.to_blob()), Err(KeyError::Magic));
        assert_eq!(KeyShare::of_ec(&ecdsa), None);
        let ecdh = EcPublicKey { algorithm: EcAlgorithm::Ecdh, ..ecdsa };
        assert_eq!(KeyShare::from_blob(&ecdh.to_blob()).ok(), KeyShare::of_ec(&ecdh));
        assert!(KeyShare::of_ec(&ecdh).is_some());
        for magic in [b"RSA1", b"RSA2", b"ECK2", b"ECS1", b"KDBM", b"DHPM"] {
            let blob = [&magic[..], &[32, 0, 0, 0], &[7; 64]].concat();
            assert!(KeyShare::from_blob(&blob).is_err(), "{magic:?}");
        }
    }
}
