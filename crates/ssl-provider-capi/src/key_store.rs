//! The keys that a process has imported through `NCryptImportKey`, found by their public halves.
//! `SslOpenPrivateKey` gets from a certificate to its key this way; there is no Windows store.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use pkcs1::der::asn1::{BitStringRef, UintRef};
use pkcs1::der::{Decode, Encode};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use zeroize::Zeroizing;

use ssl_provider::{Error, KeyFault, RsaPrivateKeyDer};

/// An RSA public key: big-endian numbers without leading zeros.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PublicKey {
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
    /// [`Error::InvalidParameter`] for what is no certificate, [`Error::Key`] for a key of another
    /// algorithm.
    pub(crate) fn of_certificate(der: &[u8]) -> Result<Self, Error> {
        const MALFORMED: Error = Error::InvalidParameter("pCertContext: not a certificate");
        let info = subject_public_key_info(der).ok_or(MALFORMED)?;
        if info.algorithm.oid != pkcs1::ALGORITHM_OID {
            return Err(Error::Key(KeyFault::NotRsa("a certificate of another algorithm")));
        }
        let bits = info.subject_public_key.as_bytes().ok_or(MALFORMED)?;
        let key = pkcs1::RsaPublicKeyRef::from_der(bits).map_err(|_| MALFORMED)?;
        Ok(Self {
            modulus: key.modulus.as_bytes().into(),
            exponent: key.public_exponent.as_bytes().into(),
        })
    }

    /// The key as certificates carry it.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for numbers that no structure holds.
    pub(crate) fn subject_public_key_info(&self) -> Result<Vec<u8>, Error> {
        let malformed = |_| Error::Key(KeyFault::Malformed);
        let key = pkcs1::RsaPublicKeyRef {
            modulus: UintRef::new(&self.modulus).map_err(malformed)?,
            public_exponent: UintRef::new(&self.exponent).map_err(malformed)?,
        };
        let key = key.to_der().map_err(malformed)?;
        let info = SubjectPublicKeyInfoRef {
            algorithm: pkcs1::ALGORITHM_ID,
            subject_public_key: BitStringRef::from_bytes(&key).map_err(malformed)?,
        };
        info.to_der().map_err(malformed)
    }

    /// Length of the modulus in bits.
    pub(crate) fn bits(&self) -> u32 {
        bit_len(&self.modulus)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("bits", &self.bits()).finish_non_exhaustive()
    }
}

/// Length in bits of a big-endian number without leading zeros.
pub(crate) fn bit_len(number: &[u8]) -> u32 {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    u32::try_from(number.len() * 8).unwrap_or(u32::MAX).saturating_sub(unused)
}

/// A private key in storage, as DER until a provider opens it.
pub(crate) struct StoredKey {
    pkcs1: Zeroizing<Vec<u8>>,
    public: PublicKey,
}

impl StoredKey {
    /// Takes a PKCS#1 or PKCS#8 structure.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] says what is wrong with the key.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, Error> {
        let key = RsaPrivateKeyDer::from_der(der)?;
        Ok(Self {
            pkcs1: Zeroizing::new(key.pkcs1().to_vec()),
            public: PublicKey {
                modulus: key.modulus().into(),
                exponent: key.public_exponent().into(),
            },
        })
    }

    /// The key as a PKCS#1 structure. Secret.
    pub(crate) fn pkcs1(&self) -> &[u8] {
        &self.pkcs1
    }

    pub(crate) fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Keys by their public halves. A key stays findable for as long as a handle holds it.
#[derive(Debug, Default)]
pub(crate) struct KeyStore(Mutex<BTreeMap<PublicKey, Vec<Weak<StoredKey>>>>);

impl KeyStore {
    /// Makes a key findable until its last holder drops it.
    pub(crate) fn add(&self, key: &Arc<StoredKey>) {
        let mut keys = self.lock();
        keys.retain(|_, of_one| {
            of_one.retain(|key| key.strong_count() > 0);
            !of_one.is_empty()
        });
        keys.entry(key.public.clone()).or_default().push(Arc::downgrade(key));
    }

    /// The private half of a public key, where a live handle holds one.
    pub(crate) fn find(&self, public: &PublicKey) -> Option<Arc<StoredKey>> {
        self.lock().get(public)?.iter().find_map(Weak::upgrade)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PublicKey, Vec<Weak<StoredKey>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Walks a certificate down to its SubjectPublicKeyInfo.
fn subject_public_key_info(der: &[u8]) -> Option<SubjectPublicKeyInfoRef<'_>> {
    const SEQUENCE: u8 = 0x30;
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
    SubjectPublicKeyInfoRef::from_der(info.whole).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = include_bytes!("../../ssl-provider-testkit/keys/rsa-2048.der");

    #[test]
    fn a_key_is_found_while_somebody_holds_it() {
        let store = KeyStore::default();
        let key = Arc::new(StoredKey::from_der(KEY).unwrap());
        let public = key.public().clone();
        assert!(store.find(&public).is_none());
        store.add(&key);
        assert_eq!(store.find(&public).unwrap().pkcs1(), key.pkcs1());
        drop(key);
        assert!(store.find(&public).is_none());
        let again = Arc::new(StoredKey::from_der(KEY).unwrap());
        store.add(&again);
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
        assert_eq!(format!("{key:?}"), "StoredKey { public: PublicKey { bits: 2048, .. }, .. }");
    }
}
