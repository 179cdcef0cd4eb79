//! The keys that a process has imported through `NCryptImportKey`, found by their public halves.
//! `SslOpenPrivateKey` gets from a certificate to its key this way; there is no Windows store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pkcs1::der::Decode;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use ssl_provider::signature::PublicKeyParts;
use ssl_provider::{Error, PublicKeyDer, RsaPrivateKeyDer};

use crate::abi::{BCRYPT_ECCPUBLIC_BLOB, BCRYPT_RSAPUBLIC_BLOB, NTE_BAD_TYPE, NTE_NOT_SUPPORTED};
use crate::ec_key::{EcAlgorithm, EcPublicKey};
use crate::failure::Failure;
use crate::key_blob::{check_consistency, public_blob, public_key_of_blob};

/// A public key.
#[derive(Clone, Debug)]
pub(crate) enum PublicKey {
    Rsa(RsaPublicKey),
    Ec(EcPublicKey),
}

/// An RSA public key: big-endian numbers without leading zeros.
#[derive(Clone)]
pub(crate) struct RsaPublicKey {
    pub(crate) modulus: Box<[u8]>,
    pub(crate) exponent: Box<[u8]>,
}

impl PublicKey {
    /// The key that a certificate is for.
    ///
    /// Only the path to the key is read, the frame of RFC 5280 section 4.1: whoever opens a key
    /// with a certificate trusts it already, and old devices have certificates that a strict
    /// reader refuses.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for what is no certificate, `NTE_BAD_TYPE` for a key of another
    /// algorithm or on another curve.
    pub(crate) fn of_certificate(der: &[u8]) -> Result<Self, Failure> {
        const MALFORMED: Error = Error::InvalidParameter("pCertContext: not a certificate");
        let (whole, info) = subject_public_key_info(der).ok_or(MALFORMED)?;
        if info.algorithm.oid == pkcs1::ALGORITHM_OID {
            let bits = info.subject_public_key.as_bytes().ok_or(MALFORMED)?;
            let key = pkcs1::RsaPublicKeyRef::from_der(bits).map_err(|_| MALFORMED)?;
            return Ok(Self::Rsa(RsaPublicKey {
                modulus: key.modulus.as_bytes().into(),
                exponent: key.public_exponent.as_bytes().into(),
            }));
        }
        match PublicKeyDer::from_der(whole).map(|key| key.parts()) {
            Ok(PublicKeyParts::Ec { curve, point }) => Ok(Self::Ec(EcPublicKey {
                algorithm: EcAlgorithm::Ecdsa,
                curve,
                point: point.into(),
            })),
            _ => Err(Failure::Status(
                NTE_BAD_TYPE,
                "pCertContext: its key is not RSA, nor on P-256, P-384 or P-521",
            )),
        }
    }

    /// The key as certificates carry it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for numbers that no structure holds.
    pub(crate) fn subject_public_key_info(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Rsa(RsaPublicKey { modulus, exponent }) => {
                PublicKeyParts::Rsa { modulus, exponent }.to_der()
            }
            Self::Ec(EcPublicKey { curve, point, .. }) => {
                PublicKeyParts::Ec { curve: *curve, point }.to_der()
            }
        }
    }

    /// The key as a blob of a type that is for its algorithm.
    ///
    /// # Errors
    ///
    /// `NTE_NOT_SUPPORTED` for every other type.
    pub(crate) fn blob(&self, blob_type: &str) -> Result<Vec<u8>, Failure> {
        match (self, blob_type) {
            (Self::Rsa(key), BCRYPT_RSAPUBLIC_BLOB) => Ok(public_blob(key)?),
            (Self::Ec(key), BCRYPT_ECCPUBLIC_BLOB) => Ok(key.public_blob()?),
            _ => {
                Err(Failure::Status(NTE_NOT_SUPPORTED, "pszBlobType: not valid for this key type"))
            }
        }
    }

    /// The key of a blob of one of both types.
    ///
    /// # Errors
    ///
    /// `NTE_NOT_SUPPORTED` for every other type, and what is wrong with the blob.
    pub(crate) fn of_blob(blob_type: &str, blob: &[u8]) -> Result<Self, Failure> {
        match blob_type {
            BCRYPT_RSAPUBLIC_BLOB => Ok(Self::Rsa(public_key_of_blob(blob)?)),
            BCRYPT_ECCPUBLIC_BLOB => Ok(Self::Ec(EcPublicKey::of_public_blob(blob)?)),
            _ => Err(Failure::Status(NTE_NOT_SUPPORTED, "pszBlobType: not supported")),
        }
    }
}

impl RsaPublicKey {
    /// Length of the modulus in bits.
    pub(crate) fn bits(&self) -> u32 {
        bit_len(&self.modulus)
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaPublicKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

/// Length in bits of a big-endian number without leading zeros.
pub(crate) fn bit_len(number: &[u8]) -> u32 {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(number.len() * 8).unwrap_or(u32::MAX).saturating_sub(unused)
}

/// A private key in storage.
pub(crate) enum StoredKey {
    /// An RSA key, as a PKCS#1 structure until a provider opens it.
    Rsa { pkcs1: Zeroizing<Vec<u8>>, public: RsaPublicKey },
    /// A key on a curve. Its private half was seen to be one, and is not kept: no function of the
    /// interface uses it yet.
    Ec(EcPublicKey),
}

impl StoredKey {
    /// Takes a PKCS#1 structure, or a PKCS#8 structure of either kind of key.
    ///
    /// # Errors
    ///
    /// `NTE_NOT_SUPPORTED` for an encrypted one, and what is wrong with the key.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Failure> {
        if is_encrypted(der) {
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "the key is encrypted"));
        }
        if let Some(key) = EcPublicKey::of_pkcs8(der)? {
            return Ok(Self::Ec(key));
        }
        let key = RsaPrivateKeyDer::from_der(der)?;
        // Else a certificate would find it before a good key with the same public half.
        check_consistency(&key)?;
        Ok(Self::Rsa {
            pkcs1: Zeroizing::new(key.pkcs1().to_vec()),
            public: RsaPublicKey {
                modulus: key.modulus().into(),
                exponent: key.public_exponent().into(),
            },
        })
    }

    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Rsa { public, .. } => PublicKey::Rsa(public.clone()),
            Self::Ec(public) => PublicKey::Ec(public.clone()),
        }
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// Keys by their public halves, as certificates carry them. A key stays findable for as long as a
/// handle holds it.
#[derive(Debug, Default)]
pub(crate) struct KeyStore(Mutex<BTreeMap<Vec<u8>, Vec<Weak<StoredKey>>>>);

impl KeyStore {
    /// Makes a key findable until its last holder drops it.
    ///
    /// # Errors
    ///
    /// Those of [`PublicKey::subject_public_key_info`].
    pub(crate) fn add(&self, key: &Arc<StoredKey>) -> Result<(), Error> {
        let public = key.public().subject_public_key_info()?;
        let mut keys = self.lock();
        keys.retain(|_, of_one| {
            of_one.retain(|key| key.strong_count() > 0);
            !of_one.is_empty()
        });
        keys.entry(public).or_default().push(Arc::downgrade(key));
        Ok(())
    }

    /// The private half of a public key, where a live handle holds one.
    ///
    /// # Errors
    ///
    /// Those of [`PublicKey::subject_public_key_info`].
    pub(crate) fn find(&self, public: &PublicKey) -> Result<Option<Arc<StoredKey>>, Error> {
        let public = public.subject_public_key_info()?;
        Ok(self.lock().get(&public).and_then(|of_one| of_one.iter().find_map(Weak::upgrade)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<Weak<StoredKey>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Walks a certificate down to its SubjectPublicKeyInfo, and gives that in both forms.
fn subject_public_key_info(der: &[u8]) -> Option<(&[u8], SubjectPublicKeyInfoRef<'_>)> {
    const EXPLICIT_VERSION: u8 = 0xa0;
    const FIELDS_BEFORE_KEY: usize = 5;

    let (certificate, _) = element(der, SEQUENCE)?;
    let (mut rest, _) = element(certificate.content, SEQUENCE)
        .map(|(to_be_signed, after)| (to_be_signed.content, after))?;
    if let Some((_, after)) = element(rest, EXPLICIT_VERSION) {
        rest = after;
    }
    // Serial number, signature algorithm, issuer, validity, subject.
    for _ in 0..FIELDS_BEFORE_KEY {
        let tag = *rest.first()?;
        (_, rest) = element(rest, tag)?;
    }
    let (info, _) = element(rest, SEQUENCE)?;
    Some((info.whole, SubjectPublicKeyInfoRef::from_der(info.whole).ok()?))
}

/// Whether this is an EncryptedPrivateKeyInfo (RFC 5958 section 3): an algorithm and bytes.
fn is_encrypted(der: &[u8]) -> bool {
    const OCTET_STRING: u8 = 0x04;
    element(der, SEQUENCE)
        .and_then(|(info, _)| element(info.content, SEQUENCE))
        .and_then(|(_algorithm, rest)| element(rest, OCTET_STRING))
        .is_some_and(|(_, rest)| rest.is_empty())
}

/// One DER element.
struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// The first element of `der` if it has this tag of one byte, and what follows it. Lengths take up
/// to three bytes, as much as a certificate of a size that is accepted can need.
fn element(der: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    let (header, len) = match *der {
        [first, len @ 0..=0x7f, ..] if first == tag => (2, usize::from(len)),
        [first, 0x81, len, ..] if first == tag => (3, usize::from(len)),
        [first, 0x82, a, b, ..] if first == tag => (4, usize::from(u16::from_be_bytes([a, b]))),
        [first, 0x83, a, b, c, ..] if first == tag => {
            (5, usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?)
        }
        _ => return None,
    };
    let (whole, rest) = der.split_at_checked(header + len)?;
    Some((Element { whole, content: whole.get(header..)? }, rest))
}

const SEQUENCE: u8 = 0x30;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = include_bytes!("../../ssl-provider-testkit/keys/rsa-2048.der");

    #[test]
    fn a_key_is_found_while_somebody_holds_it() {
        let store = KeyStore::default();
        let key = Arc::new(StoredKey::from_der(KEY).unwrap());
        let public = key.public();
        assert!(store.find(&public).unwrap().is_none());
        store.add(&key).unwrap();
        assert!(Arc::ptr_eq(&store.find(&public).unwrap().unwrap(), &key));
        drop(key);
        assert!(store.find(&public).unwrap().is_none());
        let again = Arc::new(StoredKey::from_der(KEY).unwrap());
        store.add(&again).unwrap();
        assert_eq!(store.lock().values().map(Vec::len).sum::<usize>(), 1, "the dead are cleared");
    }

    #[test]
    fn nothing_but_a_certificate_is_taken_for_one() {
        for der in [
            &[][..],
            &[0x30],
            &[0x30, 0x80],
            &[0x30, 0x84, 1, 1, 1, 1],
            &[0x30, 0x03, 0x30, 0x01, 0xa0],
            KEY,
        ] {
            assert!(PublicKey::of_certificate(der).is_err(), "{:?}", &der[..der.len().min(8)]);
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = StoredKey::from_der(KEY).unwrap();
        assert_eq!(
            format!("{key:?}"),
            "StoredKey { public: Rsa(RsaPublicKey { bits: 2048, .. }), .. }"
        );
    }
}
