//! The keys that a process has imported through `NCryptImportKey`, found by their public halves.
//! `SslOpenPrivateKey` gets from a certificate to its key this way; there is no Windows store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pkcs1::der::Decode;
use pkcs8::spki::SubjectPublicKeyInfoRef;
use ssl_provider::{Error, PublicKeyDer, PublicKeyParts};
use ssl_provider_keys::{
    BlobType, CheckedKey, EcAlgorithm, EcPublicKey, KeyError, PublicKey, RsaPublicKey,
};

use crate::abi::{
    BCRYPT_DH_PUBLIC_BLOB, BCRYPT_ECCPRIVATE_BLOB, BCRYPT_ECCPUBLIC_BLOB, BCRYPT_PUBLIC_KEY_BLOB,
    BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_RSAPRIVATE_BLOB, BCRYPT_RSAPUBLIC_BLOB,
    LEGACY_RSAPUBLIC_BLOB, NTE_BAD_TYPE, NTE_NOT_SUPPORTED,
};
use crate::failure::Failure;

/// Bytes of a blob that are looked at. A key of 8192 bits takes less than 6 KiB.
pub(crate) const MAX_BLOB_LEN: u32 = 1 << 16;

/// The type of a blob, which must be one of those that `pszBlobType` names and `allowed` accepts.
///
/// # Errors
///
/// `NTE_NOT_SUPPORTED` for another name, [`KeyError::Magic`] for a blob of another type.
pub(crate) fn check_blob_type(
    name: &str,
    blob: &[u8],
    allowed: fn(BlobType) -> bool,
) -> Result<BlobType, Failure> {
    let named = blob_types(name);
    if !named.iter().any(|blob_type| allowed(*blob_type)) {
        return Err(Failure::Status(NTE_NOT_SUPPORTED, "pszBlobType: not valid here"));
    }
    let found = BlobType::of(blob).filter(|found| named.contains(found) && allowed(*found));
    Ok(found.ok_or(KeyError::Magic)?)
}

/// The types that a name stands for; none for a name that is not supported.
fn blob_types(name: &str) -> &'static [BlobType] {
    match name {
        BCRYPT_PUBLIC_KEY_BLOB => &[
            BlobType::RsaPublic,
            BlobType::EcPublic,
            BlobType::EcGenericPublic,
            BlobType::DhPublic,
        ],
        BCRYPT_RSAPUBLIC_BLOB => &[BlobType::RsaPublic],
        LEGACY_RSAPUBLIC_BLOB => &[BlobType::RsaCapiPublic],
        BCRYPT_RSAPRIVATE_BLOB => &[BlobType::RsaPrivate],
        BCRYPT_RSAFULLPRIVATE_BLOB => &[BlobType::RsaFullPrivate],
        BCRYPT_ECCPUBLIC_BLOB => &[BlobType::EcPublic, BlobType::EcGenericPublic],
        BCRYPT_DH_PUBLIC_BLOB => &[BlobType::DhPublic],
        BCRYPT_ECCPRIVATE_BLOB => &[BlobType::EcPrivate],
        _ => &[],
    }
}

/// The public key as a blob of this type.
///
/// # Errors
///
/// `NTE_NOT_SUPPORTED` for a type that is not for its algorithm.
pub(crate) fn public_blob(key: &PublicKey, name: &str) -> Result<Vec<u8>, Failure> {
    if !blob_types(name).contains(&key.blob_type()) {
        let reason = "pszBlobType: not valid for this key type";
        return Err(Failure::Status(NTE_NOT_SUPPORTED, reason));
    }
    Ok(key.to_blob())
}

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
pub(crate) fn certificate_key(der: &[u8]) -> Result<PublicKey, Failure> {
    const MALFORMED: Error = Error::InvalidParameter("pCertContext: not a certificate");
    let (whole, info) = subject_public_key_info(der).ok_or(MALFORMED)?;
    if info.algorithm.oid == pkcs1::ALGORITHM_OID {
        let bits = info.subject_public_key.as_bytes().ok_or(MALFORMED)?;
        let key = pkcs1::RsaPublicKeyRef::from_der(bits).map_err(|_| MALFORMED)?;
        return Ok(PublicKey::Rsa(RsaPublicKey {
            modulus: key.modulus.as_bytes().into(),
            exponent: key.public_exponent.as_bytes().into(),
        }));
    }
    match PublicKeyDer::from_der(whole).map(|key| key.parts()) {
        Ok(PublicKeyParts::Ec { curve, point }) => Ok(PublicKey::Ec(EcPublicKey {
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

/// A key behind a handle of key storage.
#[derive(Clone, Debug)]
pub(crate) enum StoredKey {
    Private(Arc<CheckedKey>),
    /// To verify signatures with; `SslOpenPrivateKey` does not find it.
    Public(Arc<PublicKey>),
}

impl StoredKey {
    pub(crate) fn public(&self) -> PublicKey {
        match self {
            Self::Private(key) => key.public(),
            Self::Public(key) => PublicKey::clone(key),
        }
    }
}

/// Keys by their public halves, as certificates carry them. A key stays findable for as long as a
/// handle holds it.
#[derive(Debug, Default)]
pub(crate) struct KeyStore(Mutex<BTreeMap<Vec<u8>, Vec<Weak<CheckedKey>>>>);

impl KeyStore {
    /// Makes a key findable until its last holder drops it.
    ///
    /// # Errors
    ///
    /// Those of [`PublicKey::subject_public_key_info`].
    pub(crate) fn add(&self, key: &Arc<CheckedKey>) -> Result<(), Error> {
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
    pub(crate) fn find(&self, public: &PublicKey) -> Result<Option<Arc<CheckedKey>>, Error> {
        let public = public.subject_public_key_info()?;
        Ok(self.lock().get(&public).and_then(|of_one| of_one.iter().find_map(Weak::upgrade)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<Weak<CheckedKey>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Walks a certificate down to its SubjectPublicKeyInfo, and returns that in both forms.
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
        let key = Arc::new(CheckedKey::from_der(KEY).unwrap());
        let public = key.public();
        assert!(store.find(&public).unwrap().is_none());
        store.add(&key).unwrap();
        assert!(Arc::ptr_eq(&store.find(&public).unwrap().unwrap(), &key));
        drop(key);
        assert!(store.find(&public).unwrap().is_none());
        let again = Arc::new(CheckedKey::from_der(KEY).unwrap());
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
            assert!(certificate_key(der).is_err(), "{:?}", &der[..der.len().min(8)]);
        }
    }
}
