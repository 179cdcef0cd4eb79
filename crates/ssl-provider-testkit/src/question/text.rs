//! Byte strings, numbers, keys and algorithms as JSON has them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use num_bigint::BigUint;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ssl_provider_core::{
    AeadAlgorithm, CbcAlgorithm, CipherSuite, CipherSuiteInfo, HashAlgorithm, KemAlgorithm,
    PrfAlgorithm, ProtocolVersion, SignatureScheme,
};

use crate::rsa_key::{KeyParts, TestKey};

/// A byte string; in JSON, hex. Clones share it: a thousand questions about a key hold it once.
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Bytes(Arc<[u8]>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl<const N: usize> From<[u8; N]> for Bytes {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes.into())
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        bytes.to_string()
    }
}

impl TryFrom<String> for Bytes {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let decoded = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        decoded.map(Self::from).map_err(|error| format!("expected hex, got {text:.40?}: {error}"))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// A number of 16 bits; in JSON, four hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hex16(pub u16);

impl From<Hex16> for String {
    fn from(number: Hex16) -> Self {
        format!("{:04x}", number.0)
    }
}

impl TryFrom<String> for Hex16 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let number = u16::from_str_radix(digits, 16);
        number.map(Self).map_err(|_| format!("expected up to four hex digits, got {text:?}"))
    }
}

impl fmt::Debug for Hex16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:04x}", self.0)
    }
}

impl From<ProtocolVersion> for Hex16 {
    fn from(version: ProtocolVersion) -> Self {
        Self(version.wire())
    }
}

impl From<Hex16> for ProtocolVersion {
    fn from(number: Hex16) -> Self {
        Self(number.0)
    }
}

impl From<Hex16> for CipherSuite {
    fn from(number: Hex16) -> Self {
        Self(number.0.into())
    }
}

impl Hex16 {
    /// Returns the number of a suite. All suites of the table have 16 bits.
    pub fn of_suite(suite: &CipherSuiteInfo) -> Self {
        Self(u16::try_from(suite.id.0).unwrap_or_default())
    }
}

/// An RSA private key: one of the test kit's by name, such as `rsa-1024`, or DER; in JSON, hex.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Key {
    /// A key of the test kit.
    Named(String),
    /// PKCS#1 or PKCS#8 in DER.
    Der(Bytes),
}

impl Key {
    /// Returns a key of the test kit.
    pub fn of(key: &TestKey) -> Self {
        Self::Named(key.name.clone())
    }

    /// Returns the key with all its numbers; none for DER that is no usable key.
    pub fn parts(&self) -> Option<TestKey> {
        match self {
            Self::Named(name) => TestKey::all().into_iter().find(|key| key.name == *name),
            Self::Der(der) => {
                ssl_provider_core::RsaPrivateKeyDer::from_der(der).ok()?;
                Some(TestKey::from_der("key", der)).filter(|key| is_consistent(&key.parts()))
            }
        }
    }

    /// Returns the key in DER.
    pub fn der(&self) -> Vec<u8> {
        match self {
            Self::Named(_) => self.parts().map(|key| key.der).unwrap_or_default(),
            Self::Der(der) => der.to_vec(),
        }
    }
}

/// Whether the parts of a key belong together; backends refuse others, and arithmetic with them
/// means nothing.
fn is_consistent(key: &KeyParts) -> bool {
    let one = BigUint::from(1_u8);
    if key.p <= one || key.q <= one || &key.p * &key.q != key.n {
        return false;
    }
    let (p1, q1) = (&key.p - 1_u8, &key.q - 1_u8);
    let product = &key.e * &key.d;
    &product % &p1 == one
        && product % &q1 == one
        && &key.d % p1 == key.dp
        && &key.d % q1 == key.dq
        && &key.q * &key.qinv % &key.p == one
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        match key {
            Key::Named(name) => name,
            Key::Der(der) => der.into(),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if TestKey::all().iter().any(|key| key.name == text) {
            return Ok(Self::Named(text));
        }
        if text.starts_with("rsa-") {
            return Err(format!("no key {text} in the test kit"));
        }
        Bytes::try_from(text).map(Self::Der)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            // It may be somebody's.
            Self::Der(_) => f.write_str("a key in DER"),
        }
    }
}

/// The longest output that is asked for, 1 MiB: a number in a file allocates no more.
const MAX_OUTPUT_LEN: usize = 1 << 20;

/// Reads the length of an output, in bytes.
pub(super) fn output_len<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    let len = usize::deserialize(from)?;
    if len > MAX_OUTPUT_LEN {
        let what = format!("expected a length of at most {MAX_OUTPUT_LEN} bytes, got {len}");
        return Err(serde::de::Error::custom(what));
    }
    Ok(len)
}

/// Writes an algorithm as its name, and reads it again.
macro_rules! by_name {
    ($($module:ident: $type:ty;)*) => {
        $(pub(super) mod $module {
            use super::*;

            pub(crate) fn serialize<S>(value: &$type, to: S) -> Result<S::Ok, S::Error>
            where
                S: Serializer,
            {
                to.serialize_str(value.name())
            }

            pub(crate) fn deserialize<'de, D>(from: D) -> Result<$type, D::Error>
            where
                D: Deserializer<'de>,
            {
                let text = String::deserialize(from)?;
                let found = <$type>::ALL.into_iter().find(|value| value.name() == text);
                found.ok_or_else(|| {
                    let known: Vec<_> = <$type>::ALL.iter().map(|value| value.name()).collect();
                    let known = known.join(", ");
                    serde::de::Error::custom(format!("expected one of {known}, got {text:?}"))
                })
            }
        })*
    };
}

by_name! {
    hash: HashAlgorithm;
    prf: PrfAlgorithm;
    kem: KemAlgorithm;
    cbc: CbcAlgorithm;
    aead: AeadAlgorithm;
    scheme: SignatureScheme;
}
