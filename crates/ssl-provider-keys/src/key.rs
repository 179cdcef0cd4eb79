//! Keys of either algorithm: public ones in and out, private ones in.

use pkcs8::der::{AnyRef, Decode, Reader, SliceReader, Tag, Tagged};
use zeroize::Zeroizing;

use ssl_provider_core::{Error, InvalidKey, PublicKeyParts, RsaPrivateKeyDer, SigningKeyDer};

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
        /// The key as PKCS#1 or PKCS#8, of the shape that [`SigningKeyDer`] or
        /// [`RsaPrivateKeyDer`] takes, or both, as its key usage allows. Secret.
        der: Zeroizing<Vec<u8>>,
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
            _ => Self::rsa(pkcs1_of_blob(&blob)?),
        }
    }

    /// Reads a PKCS#1 structure, or a PKCS#8 structure of either algorithm. A key usage in its
    /// attributes must allow an RSA key to decrypt or to sign; a key on a curve is one of ECDH
    /// where it does not allow signatures.
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
            None => Self::rsa(Zeroizing::new(der.to_vec())),
        }
    }

    fn ec(EcPrivateParts { sec1, public }: EcPrivateParts) -> Self {
        Self::Ec { sec1, public }
    }

    fn rsa(der: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let key = checked_rsa(&der)?;
        let (modulus, exponent) = (key.modulus().into(), key.public_exponent().into());
        Ok(Self::Rsa { der, public: RsaPublicKey { modulus, exponent } })
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

/// An RSA key as PKCS#1 or PKCS#8, whose numbers belong together. Its key usage allows decryption
/// or signatures; which of them is for whoever loads the key.
pub(crate) fn checked_rsa(der: &[u8]) -> Result<RsaPrivateKeyDer<'_>, Error> {
    let key = match (RsaPrivateKeyDer::from_der(der), SigningKeyDer::from_der(der)) {
        (Err(Error::Key(InvalidKey::Usage)), Ok(SigningKeyDer::Rsa(key))) => key,
        (key, _) => key?,
    };
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
    use ssl_provider_testkit::bytes::hex;
    use ssl_provider_testkit::rsa_key::{RSA_OID, TestKey, pkcs8, with_key_usage};

    use super::*;
    use crate::EcAlgorithm;

    #[test]
    fn an_rsa_key_may_be_for_one_use_and_stays_for_that() {
        let plain = pkcs8(RSA_OID, &TestKey::rsa_1024().parts().to_der());
        for (usage, decrypts, signs) in
            [(0x20, true, false), (0x10, true, false), (0x80, false, true), (0xa0, true, true)]
        {
            let key = CheckedKey::from_der(&with_key_usage(&plain, usage)).unwrap();
            let CheckedKey::Rsa { der, .. } = key else { panic!("{key:?}") };
            assert_eq!(RsaPrivateKeyDer::from_der(&der).is_ok(), decrypts, "{usage:#x}");
            assert_eq!(SigningKeyDer::from_der(&der).is_ok(), signs, "{usage:#x}");
        }
        for usage in [0x08, 0x00] {
            let refused = CheckedKey::from_der(&with_key_usage(&plain, usage)).unwrap_err();
            assert_eq!(refused, KeyError::Key(Error::Key(InvalidKey::Usage)), "{usage:#x}");
        }
        // Also where the numbers do not belong together.
        let mut numbers = TestKey::rsa_1024().parts();
        numbers.qinv += 2_u8;
        let bad = with_key_usage(&pkcs8(RSA_OID, &numbers.to_der()), 0x80);
        let refused = CheckedKey::from_der(&bad).unwrap_err();
        assert_eq!(refused, KeyError::Key(Error::Key(InvalidKey::Inconsistent)));
    }

    #[test]
    fn a_key_on_a_curve_whose_usage_allows_no_signatures_is_one_of_ecdh() {
        // PKCS#8 of the number 1 on P-256.
        let plain = hex("3041020100301306072a8648ce3d020106082a8648ce3d030107\
             042730250201010420\
             0000000000000000000000000000000000000000000000000000000000000001");
        let algorithm = |der: &[u8]| match CheckedKey::from_der(der).unwrap() {
            CheckedKey::Ec { public, .. } => public.algorithm,
            other => panic!("{other:?}"),
        };
        assert_eq!(algorithm(&plain), EcAlgorithm::Ecdsa);
        for (usage, expected) in [
            (0x80, EcAlgorithm::Ecdsa),
            (0x88, EcAlgorithm::Ecdsa),
            (0x08, EcAlgorithm::Ecdh),
            (0x00, EcAlgorithm::Ecdh),
        ] {
            assert_eq!(algorithm(&with_key_usage(&plain, usage)), expected, "{usage:#x}");
        }
    }

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
