//! Keys of either algorithm: public ones in and out, private ones in.

use pkcs8::der::{AnyRef, Decode, Reader, SliceReader, Tag, Tagged};
use zeroize::Zeroizing;

use ssl_provider_core::{Error, PublicKeyParts, RsaPrivateKeyDer};

use crate::blob::Blob;
use crate::ec_key::EcPrivateParts;
use crate::rsa_key::{check_consistency, pkcs1_of_blob};
use crate::{BlobType, EcPublicKey, KeyError, RsaPublicKey};

/// A public key.
#[derive(Clone, Debug)]
pub enum PublicKey {
    /// An RSA key.
    Rsa(RsaPublicKey),
    /// A key on a curve.
    Ec(EcPublicKey),
}

impl PublicKey {
    /// Reads a public blob of either algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when header and content differ, or the key is invalid.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let blob = Blob::new(blob).ok_or(KeyError::Magic)?;
        match blob.blob_type {
            BlobType::RsaPublic | BlobType::RsaCapiPublic => {
                RsaPublicKey::of_blob(&blob).map(Self::Rsa)
            }
            BlobType::EcPublic => EcPublicKey::of_public_blob(&blob).map(Self::Ec),
            _ => Err(KeyError::Magic),
        }
    }

    /// The type of [`Self::to_blob`].
    pub const fn blob_type(&self) -> BlobType {
        match self {
            Self::Rsa(_) => BlobType::RsaPublic,
            Self::Ec(_) => BlobType::EcPublic,
        }
    }

    /// Writes the key as a public blob of its algorithm.
    pub fn to_blob(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.to_blob(),
            Self::Ec(key) => key.to_blob(),
        }
    }

    /// The key as certificates carry it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for numbers that no structure holds.
    pub fn subject_public_key_info(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Rsa(RsaPublicKey { modulus, exponent }) => {
                PublicKeyParts::Rsa { modulus, exponent }.to_der()
            }
            Self::Ec(EcPublicKey { curve, point, .. }) => {
                PublicKeyParts::Ec { curve: *curve, point }.to_der()
            }
        }
    }
}

/// A private key whose two halves belong together.
pub enum CheckedKey {
    /// An RSA key.
    Rsa {
        /// The key as PKCS#1, of the shape that [`RsaPrivateKeyDer`] takes. Secret.
        pkcs1: Zeroizing<Vec<u8>>,
        /// Its public half.
        public: RsaPublicKey,
    },
    /// A key on a curve.
    Ec {
        /// The key as an `ECPrivateKey` that names its curve (RFC 5915), of the shape that
        /// [`EcPrivateKeyDer`](ssl_provider_core::EcPrivateKeyDer) takes. Secret.
        sec1: Zeroizing<Vec<u8>>,
        /// Its public half.
        public: EcPublicKey,
    },
}

impl CheckedKey {
    /// Reads a private blob of either algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError`] when header and content differ, or the numbers are not those of one key.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let blob = Blob::new(blob).ok_or(KeyError::Magic)?;
        match blob.blob_type {
            BlobType::EcPrivate => EcPrivateParts::of_blob(&blob).map(Self::ec),
            _ => Ok(Self::rsa(&checked_rsa(&pkcs1_of_blob(&blob)?)?)),
        }
    }

    /// Reads a PKCS#1 structure, or a PKCS#8 structure of either algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError::Encrypted`] for encrypted PKCS#8, else what is wrong with the key.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if let [Tag::Sequence, Tag::OctetString] = tags(der).as_slice() {
            return Err(KeyError::Encrypted);
        }
        match EcPrivateParts::of_pkcs8(der)? {
            Some(key) => Ok(Self::ec(key)),
            None => Ok(Self::rsa(&checked_rsa(der)?)),
        }
    }

    fn ec(EcPrivateParts { sec1, public }: EcPrivateParts) -> Self {
        Self::Ec { sec1, public }
    }

    fn rsa(key: &RsaPrivateKeyDer<'_>) -> Self {
        Self::Rsa {
            pkcs1: Zeroizing::new(key.pkcs1().to_vec()),
            public: RsaPublicKey {
                modulus: key.modulus().into(),
                exponent: key.public_exponent().into(),
            },
        }
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Rsa { public, .. } => PublicKey::Rsa(public.clone()),
            Self::Ec { public, .. } => PublicKey::Ec(public.clone()),
        }
    }
}

ssl_provider_core::redacted_debug! { CheckedKey { public(), .. } }

/// An RSA key as PKCS#1 or PKCS#8, whose numbers belong together.
pub(crate) fn checked_rsa(der: &[u8]) -> Result<RsaPrivateKeyDer<'_>, Error> {
    let key = RsaPrivateKeyDer::from_der(der)?;
    check_consistency(key.pkcs1())?;
    Ok(key)
}

/// Returns the fields of a SEQUENCE, or `None` if they are not well-formed DER.
pub(crate) fn fields(der: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let outer = AnyRef::from_der(der).ok().filter(|outer| outer.tag() == Tag::Sequence)?;
    let mut reader = SliceReader::new(outer.value()).ok()?;
    let mut fields = Vec::new();
    while !reader.is_finished() {
        fields.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(fields)
}

/// The tags of [`fields`]; an EncryptedPrivateKeyInfo (RFC 5958 section 3) has two.
pub(crate) fn tags(der: &[u8]) -> Vec<Tag> {
    fields(der).iter().flatten().map(|field| field.tag()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        const KEY: &[u8] = include_bytes!("../../ssl-provider-testkit/keys/rsa-2048.der");
        let key = CheckedKey::from_der(KEY).unwrap();
        assert_eq!(
            format!("{key:?}"),
            "CheckedKey { public: Rsa(RsaPublicKey { bits: 2048, .. }), .. }"
        );
    }
}
