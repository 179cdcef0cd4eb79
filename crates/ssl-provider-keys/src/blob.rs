//! The frame of CNG's key blobs: a magic, lengths, then big-endian numbers of these lengths.
//! Source: Microsoft's pages on `BCRYPT_RSAKEY_BLOB` and `BCRYPT_ECCKEY_BLOB`.

use crate::KeyError;

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlobType {
    /// `BCRYPT_RSAPUBLIC_BLOB`.
    RsaPublic,
    /// `LEGACY_RSAPUBLIC_BLOB`, the public blob of CryptoAPI.
    RsaCapiPublic,
    /// `BCRYPT_RSAPRIVATE_BLOB`: the public key and the primes.
    RsaPrivate,
    /// `BCRYPT_RSAFULLPRIVATE_BLOB`: every number of PKCS#1.
    RsaFullPrivate,
    /// `BCRYPT_ECCPUBLIC_BLOB`, for ECDH or ECDSA on P-256, P-384 or P-521.
    EcPublic,
    /// `BCRYPT_ECCPRIVATE_BLOB`, for the same.
    EcPrivate,
    /// `BCRYPT_ECCPUBLIC_BLOB` for ECDH on a curve that the magic does not name: X25519.
    EcGenericPublic,
    /// `BCRYPT_DH_PUBLIC_BLOB`.
    DhPublic,
}

impl BlobType {
    /// The type of a blob by its magic; `None` for what has no magic of these types.
    pub fn of(blob: &[u8]) -> Option<Self> {
        Blob::new(blob).map(|blob| blob.blob_type)
    }

    /// Whether it holds a public key and nothing else.
    pub const fn is_public(self) -> bool {
        match self {
            Self::RsaPublic
            | Self::RsaCapiPublic
            | Self::EcPublic
            | Self::EcGenericPublic
            | Self::DhPublic => true,
            Self::RsaPrivate | Self::RsaFullPrivate | Self::EcPrivate => false,
        }
    }

    /// Whether it holds a public key that is good for key agreement only, which
    /// [`KeyShare`](crate::KeyShare) reads.
    pub const fn is_key_share(self) -> bool {
        matches!(self, Self::EcGenericPublic | Self::DhPublic)
    }

    fn of_magic(magic: [u8; 4]) -> Option<Self> {
        match &magic {
            b"RSA1" => Some(Self::RsaPublic),
            // PUBLICKEYBLOB, version 2, reserved.
            [6, 2, 0, 0] => Some(Self::RsaCapiPublic),
            b"RSA2" => Some(Self::RsaPrivate),
            b"RSA3" => Some(Self::RsaFullPrivate),
            [b'E', b'C', b'K' | b'S', b'1' | b'3' | b'5'] => Some(Self::EcPublic),
            [b'E', b'C', b'K' | b'S', b'2' | b'4' | b'6'] => Some(Self::EcPrivate),
            b"ECKP" => Some(Self::EcGenericPublic),
            b"DHPB" => Some(Self::DhPublic),
            _ => None,
        }
    }
}

/// A blob whose magic is known.
pub(crate) struct Blob<'a> {
    pub(crate) blob_type: BlobType,
    /// In the order of Windows.
    pub(crate) magic: [u8; 4],
    /// Reads a number of the header.
    number: fn([u8; 4]) -> u32,
    bytes: &'a [u8],
}

impl<'a> Blob<'a> {
    /// The header is little-endian as on Windows, or in the order of the machine that filled the
    /// structure in memory; the magic tells which.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let first = *bytes.first_chunk()?;
        let native = u32::from_ne_bytes(first).to_le_bytes();
        let (magic, number): (_, fn([u8; 4]) -> u32) = match BlobType::of_magic(first) {
            Some(_) => (first, u32::from_le_bytes),
            None => (native, u32::from_ne_bytes),
        };
        Some(Self { blob_type: BlobType::of_magic(magic)?, magic, number, bytes })
    }

    /// The `N` numbers after the magic.
    pub(crate) fn header<const N: usize>(&self) -> Result<[usize; N], KeyError> {
        let mut header = [0; N];
        let (numbers, _) = self.bytes.get(MAGIC_LEN..).unwrap_or_default().as_chunks();
        if numbers.len() < N {
            return Err(self.wrong_length(MAGIC_LEN * (N + 1)));
        }
        for (field, bytes) in header.iter_mut().zip(numbers) {
            *field = usize::try_from((self.number)(*bytes)).unwrap_or(usize::MAX);
        }
        Ok(header)
    }

    /// The numbers after a header of `N` fields, which must have these lengths and end the blob.
    pub(crate) fn numbers<const N: usize, const M: usize>(
        &self,
        lengths: [usize; M],
    ) -> Result<[&'a [u8]; M], KeyError> {
        let header_len = MAGIC_LEN * (N + 1);
        let expected = lengths.iter().fold(header_len, |sum, len| sum.saturating_add(*len));
        let mut rest = self.bytes.get(header_len..).unwrap_or_default();
        if self.bytes.len() != expected {
            return Err(self.wrong_length(expected));
        }
        Ok(lengths.map(|len| {
            let number;
            (number, rest) = rest.split_at_checked(len).unwrap_or_default();
            number
        }))
    }

    fn wrong_length(&self, expected: usize) -> KeyError {
        KeyError::Length { expected, got: self.bytes.len() }
    }
}

/// A blob of this header, in the order of this machine, and numbers.
pub(crate) fn write(magic: [u8; 4], header: &[usize], numbers: &[&[u8]]) -> Vec<u8> {
    let mut blob = u32::from_le_bytes(magic).to_ne_bytes().to_vec();
    // No key that was read has a number of 4 GiB.
    let fields = header.iter().map(|field| u32::try_from(*field).unwrap_or(u32::MAX));
    blob.extend(fields.flat_map(u32::to_ne_bytes));
    numbers.iter().for_each(|number| blob.extend_from_slice(number));
    blob
}

const MAGIC_LEN: usize = size_of::<u32>();
