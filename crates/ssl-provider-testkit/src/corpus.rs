//! The files of the public corpus, `tests/vectors/*.json`, as plain types: read, checked, written.
//! Its README describes the fields for other projects; names here are those in JSON.

mod tls13;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Deref;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::bytes::to_hex;

pub use self::tls13::{
    Tls13KeyScheduleGroup, Tls13KeyScheduleTest, Tls13Messages, Tls13Psk, Tls13RecordGroup,
    Tls13RecordTest,
};

/// The version of the format of all files. It changes when a reader has to.
pub const FORMAT_VERSION: &str = "1.0";

/// Bytes, in JSON as lower-case hex.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Deref for Hex {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: AsRef<[u8]>> From<T> for Hex {
    fn from(bytes: T) -> Self {
        Self(bytes.as_ref().to_vec())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes());
        bytes.map(Self).map_err(|error| D::Error::custom(format!("not lower-case hex: {error}")))
    }
}

/// A number of two bytes on the wire, such as a protocol version or a cipher suite; in JSON four
/// digits of hex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wire(pub u16);

impl Serialize for Wire {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:04x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Hex::deserialize(deserializer)?;
        let bytes =
            bytes.0.try_into().map_err(|_| D::Error::custom("expected two bytes in hex"))?;
        Ok(Self(u16::from_be_bytes(bytes)))
    }
}

/// A sequence number, for DTLS with the epoch in its two first bytes; in JSON 16 digits of hex.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceNumber(pub u64);

impl Serialize for SequenceNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for SequenceNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Hex::deserialize(deserializer)?;
        let bytes = bytes.0.try_into().map_err(|_| D::Error::custom("expected 8 bytes in hex"))?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }
}

/// What an implementation must do with a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Accept it and compute what the test has.
    Valid,
    /// Refuse it, in the way that its [`Class`] says.
    Invalid,
}

/// How an invalid test must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The peer must not be able to tell this failure from any other of this class: same alert,
    /// same time, same state. An RSA key exchange goes on with a premaster secret that nobody
    /// knows, and fails at Finished.
    MustLookLikeAnyOtherFailure,
    /// Authentic, but longer than the protocol allows: `record_overflow` is fine.
    RecordOverflow,
    /// Not a public key of the group: the handshake is aborted, which may be seen.
    InvalidPublicKey,
    /// Authentic, but nothing that may be there: `unexpected_message` is fine.
    UnexpectedMessage,
}

/// What a flag stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Note {
    /// The kind of bug that tests with the flag find, as Wycheproof names them.
    pub bug_type: String,
    /// What such a test looks like, and what is known about it.
    pub description: String,
    /// Standards and papers.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub links: Vec<String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File<G> {
    /// What is tested.
    pub algorithm: String,
    /// The path of the JSON schema, from the folder of the file.
    pub schema: String,
    /// [`FORMAT_VERSION`].
    pub generator_version: String,
    /// How many tests all groups have together.
    pub number_of_tests: usize,
    /// Lines for a reader.
    pub header: Vec<String>,
    /// What each flag stands for.
    pub notes: BTreeMap<String, Note>,
    /// The groups.
    pub test_groups: Vec<G>,
}

/// What the tests of all files have in common.
pub trait Test {
    /// The number of the test, unique in its file.
    fn tc_id(&self) -> u32;
    /// What the test is, in words.
    fn comment(&self) -> &str;
    /// The flags, each of which the notes explain.
    fn flags(&self) -> &[String];
    /// What must be done.
    fn result(&self) -> Verdict;
}

/// What the groups of all files have in common.
pub trait Group: Serialize + DeserializeOwned {
    /// The tests.
    type Test: Test;
    /// The value of `type` in every group of such a file.
    const TYPES: &'static [&'static str];

    /// The type of the group.
    fn kind(&self) -> &str;
    /// The tests.
    fn tests(&self) -> &[Self::Test];
}

macro_rules! tests {
    ($($group:ident $test:ident $types:expr;)*) => {$(
        impl Test for $test {
            fn tc_id(&self) -> u32 {
                self.tc_id
            }

            fn comment(&self) -> &str {
                &self.comment
            }

            fn flags(&self) -> &[String] {
                &self.flags
            }

            fn result(&self) -> Verdict {
                self.result
            }
        }

        impl Group for $group {
            type Test = $test;
            const TYPES: &'static [&'static str] = &$types;

            fn kind(&self) -> &str {
                &self.kind
            }

            fn tests(&self) -> &[$test] {
                &self.tests
            }
        }
    )*};
}

tests! {
    RsaImportGroup RsaImportTest ["TlsRsaImport"];
    KeyScheduleGroup KeyScheduleTest ["TlsKeySchedule"];
    RecordGroup RecordTest ["TlsRecord"];
    KeyAgreementGroup KeyAgreementTest ["TlsEcdhe", "TlsDhe"];
    Tls13KeyScheduleGroup Tls13KeyScheduleTest ["Tls13KeySchedule"];
    Tls13RecordGroup Tls13RecordTest ["Tls13Record"];
}

/// An RSA private key. Numbers are big-endian without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RsaKey {
    /// Length of the modulus in bits.
    pub bits: usize,
    /// Modulus.
    pub n: Hex,
    /// Public exponent.
    pub e: Hex,
    /// Private exponent.
    pub d: Hex,
    /// First prime.
    pub p: Hex,
    /// Second prime, which may be the larger one.
    pub q: Hex,
    /// The key as DER: PKCS#1 `RSAPrivateKey`.
    pub pkcs1: Hex,
}

/// Tests of RSA key exchanges with one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RsaImportGroup {
    /// `TlsRsaImport`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The server's key.
    pub key: RsaKey,
    /// The tests.
    pub tests: Vec<RsaImportTest>,
}

/// One RSA key exchange: what a server does with a ClientKeyExchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RsaImportTest {
    /// The number of the test.
    pub tc_id: u32,
    /// What the test is.
    pub comment: String,
    /// What is special about it.
    pub flags: Vec<String>,
    /// The name of the negotiated version, such as `TLS 1.2`.
    pub protocol: String,
    /// The negotiated version on the wire.
    pub version: Wire,
    /// The name of the suite in the IANA registry.
    pub suite: String,
    /// The number of the suite.
    pub suite_number: Wire,
    /// The version that the ClientHello offered, and that the premaster secret must repeat.
    pub client_version: Wire,
    /// The random of the ClientHello, 32 bytes.
    pub client_random: Hex,
    /// The random of the ServerHello, 32 bytes.
    pub server_random: Hex,
    /// The session hash, where the extended master secret was negotiated (RFC 7627).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_hash: Option<Hex>,
    /// The RSA ciphertext, without the length that TLS puts before it.
    pub encrypted_premaster: Hex,
    /// The premaster secret in it, 48 bytes; none where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub premaster: Option<Hex>,
    /// The master secret, 48 bytes; none where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub master_secret: Option<Hex>,
    /// What ssl-provider goes on with where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub implicit_rejection: Option<ImplicitRejection>,
    /// What must be done.
    pub result: Verdict,
    /// How, where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<Class>,
}

/// The fallback of ssl-provider. Other implementations have another one, most a random one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImplicitRejection {
    /// Whose fallback it is: [`OWN_FALLBACK`].
    pub note: String,
    /// The premaster secret that takes the place of the bad one, 48 bytes.
    pub premaster: Hex,
    /// The master secret that follows from it, 48 bytes.
    pub master_secret: Hex,
}

/// The note of every [`ImplicitRejection`].
pub const OWN_FALLBACK: &str = "ssl-provider's own fallback; others differ";

/// Tests of the key schedule of one protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyScheduleGroup {
    /// `TlsKeySchedule`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the version.
    pub protocol: String,
    /// The version on the wire.
    pub version: Wire,
    /// The tests.
    pub tests: Vec<KeyScheduleTest>,
}

/// One run of the key schedule, from the premaster secret to keys, Finished and exporters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyScheduleTest {
    /// The number of the test.
    pub tc_id: u32,
    /// What the test is.
    pub comment: String,
    /// What is special about it.
    pub flags: Vec<String>,
    /// The name of the suite in the IANA registry.
    pub suite: String,
    /// The number of the suite.
    pub suite_number: Wire,
    /// The PRF: `SSL3`, `MD5+SHA1`, `SHA256` or `SHA384`.
    pub prf: String,
    /// The premaster secret. That of a PSK suite has the form of RFC 4279 section 2.
    pub premaster: Hex,
    /// The random of the ClientHello, 32 bytes.
    pub client_random: Hex,
    /// The random of the ServerHello, 32 bytes.
    pub server_random: Hex,
    /// Handshake messages, from ClientHello to ClientKeyExchange, as they are hashed.
    pub messages: Hex,
    /// Their hash, where the extended master secret was negotiated (RFC 7627).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_hash: Option<Hex>,
    /// The master secret, 48 bytes.
    pub master_secret: Hex,
    /// What is expanded from the master secret, as long as is needed: the keys one after another.
    /// In export suites it ends with short keys, from which the write keys are derived.
    pub key_block: Hex,
    /// The keys of both directions.
    pub keys: SessionKeys,
    /// The verify_data of the client's Finished, over the messages.
    pub client_verify_data: Hex,
    /// The client's Finished, as it is hashed for the server's.
    pub client_finished: Hex,
    /// The verify_data of the server's Finished, over the messages and the client's Finished.
    pub server_verify_data: Hex,
    /// Keying material for other protocols (RFC 5705); none in SSL 3.0.
    pub exporters: Vec<Exporter>,
    /// What must be done, which is always `valid`.
    pub result: Verdict,
}

/// The keys of both directions. A part that the suite does not have is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionKeys {
    /// The key of the MAC of what the client writes.
    pub client_mac_key: Hex,
    /// The key of the MAC of what the server writes.
    pub server_mac_key: Hex,
    /// The key of the cipher of what the client writes.
    pub client_write_key: Hex,
    /// The key of the cipher of what the server writes.
    pub server_write_key: Hex,
    /// The client's IV, or the fixed part of its nonces.
    pub client_write_iv: Hex,
    /// The server's IV, or the fixed part of its nonces.
    pub server_write_iv: Hex,
}

/// One call of an exporter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exporter {
    /// The label, as text.
    pub label: String,
    /// The context; null is not the same as an empty one.
    pub context: Option<Hex>,
    /// The keying material, as long as was asked for.
    pub keying_material: Hex,
}

/// Tests of records under one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordGroup {
    /// `TlsRecord`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the version.
    pub protocol: String,
    /// The version on the wire.
    pub version: Wire,
    /// The name of the suite in the IANA registry.
    pub suite: String,
    /// The number of the suite.
    pub suite_number: Wire,
    /// Whether encrypt-then-MAC was negotiated (RFC 7366).
    pub encrypt_then_mac: bool,
    /// The key of the MAC; empty for AEAD suites.
    pub mac_key: Hex,
    /// The key of the cipher; empty for the NULL cipher.
    pub write_key: Hex,
    /// The IV of the first record, or the fixed part of nonces; empty where records carry an IV.
    pub write_iv: Hex,
    /// The tests, each of which starts with fresh keys.
    pub tests: Vec<RecordTest>,
}

/// One record, as its reader gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordTest {
    /// The number of the test.
    pub tc_id: u32,
    /// What the test is.
    pub comment: String,
    /// What is special about it.
    pub flags: Vec<String>,
    /// The records right before it in this direction, all valid, whose sequence numbers lead up to
    /// that of the test.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub preceding: Vec<Hex>,
    /// The sequence number that the reader expects.
    pub sequence_number: SequenceNumber,
    /// The content type that the record was written with.
    pub content_type: u8,
    /// The plaintext; where the test is invalid, none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub plaintext: Option<Hex>,
    /// The record with its header.
    pub record: Hex,
    /// What must be done.
    pub result: Verdict,
    /// How, where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<Class>,
}

/// Tests of key agreement in one group of Diffie-Hellman.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyAgreementGroup {
    /// `TlsEcdhe` or `TlsDhe`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the group in the IANA registry, or `custom`.
    pub group: String,
    /// The number of a group with a name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub group_number: Option<Wire>,
    /// The prime of a finite field.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prime: Option<Hex>,
    /// The generator of a finite field.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generator: Option<Hex>,
    /// The tests.
    pub tests: Vec<KeyAgreementTest>,
}

/// One key agreement. A valid one is the same from either side; an invalid one is the client's,
/// whose peer sent a bad public key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyAgreementTest {
    /// The number of the test.
    pub tc_id: u32,
    /// What the test is.
    pub comment: String,
    /// What is special about it.
    pub flags: Vec<String>,
    /// The name of the version.
    pub protocol: String,
    /// The version on the wire.
    pub version: Wire,
    /// The name of the suite in the IANA registry.
    pub suite: String,
    /// The number of the suite.
    pub suite_number: Wire,
    /// The client's private key: a big-endian number, or the 32 bytes of X25519.
    pub client_private: Hex,
    /// Its public key, as the message carries it.
    pub client_public: Hex,
    /// The server's private key; none where its public key is bad.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub server_private: Option<Hex>,
    /// Its public key, as the message carries it.
    pub server_public: Hex,
    /// The random of the ClientHello, 32 bytes.
    pub client_random: Hex,
    /// The random of the ServerHello, 32 bytes.
    pub server_random: Hex,
    /// The session hash, where the extended master secret was negotiated (RFC 7627).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub session_hash: Option<Hex>,
    /// The shared secret, as long as a coordinate or as the prime.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shared_secret: Option<Hex>,
    /// The premaster secret: in a finite field the shared secret without leading zeros.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub premaster: Option<Hex>,
    /// The master secret, 48 bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub master_secret: Option<Hex>,
    /// The keys that follow.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub keys: Option<SessionKeys>,
    /// What must be done.
    pub result: Verdict,
    /// How, where the test is invalid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub class: Option<Class>,
}

/// A file of any type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyFile {
    /// RSA key exchanges.
    RsaImport(File<RsaImportGroup>),
    /// Key schedules.
    KeySchedule(File<KeyScheduleGroup>),
    /// Records.
    Record(File<RecordGroup>),
    /// Key agreements.
    KeyAgreement(File<KeyAgreementGroup>),
    /// Key schedules of TLS 1.3.
    Tls13KeySchedule(File<Tls13KeyScheduleGroup>),
    /// Records of TLS 1.3.
    Tls13Record(File<Tls13RecordGroup>),
}

impl AnyFile {
    /// Reads a file, whose first group tells the type, and checks that it is what the README says.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the file, and where.
    pub fn parse(text: &str) -> Result<Self, BadFile> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Outline {
            generator_version: String,
            test_groups: Vec<Kind>,
        }
        #[derive(Deserialize)]
        struct Kind {
            #[serde(rename = "type")]
            kind: String,
        }
        let outline: Outline = serde_json::from_str(text)?;
        if outline.generator_version != FORMAT_VERSION {
            let version = outline.generator_version;
            return Err(BadFile(format!(
                "generatorVersion: expected {FORMAT_VERSION}, got {version}"
            )));
        }
        let kind = outline.test_groups.first().map_or("none", |group| &group.kind);
        if RsaImportGroup::TYPES.contains(&kind) {
            File::parse(text).map(Self::RsaImport)
        } else if KeyScheduleGroup::TYPES.contains(&kind) {
            File::parse(text).map(Self::KeySchedule)
        } else if RecordGroup::TYPES.contains(&kind) {
            File::parse(text).map(Self::Record)
        } else if KeyAgreementGroup::TYPES.contains(&kind) {
            File::parse(text).map(Self::KeyAgreement)
        } else if Tls13KeyScheduleGroup::TYPES.contains(&kind) {
            File::parse(text).map(Self::Tls13KeySchedule)
        } else if Tls13RecordGroup::TYPES.contains(&kind) {
            File::parse(text).map(Self::Tls13Record)
        } else {
            Err(BadFile(format!("type of the first group: unknown: {kind}")))
        }
    }
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadFile(String);

impl fmt::Display for BadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadFile {}

impl From<serde_json::Error> for BadFile {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

impl<G: Group> File<G> {
    /// Reads a file of this type and [checks](Self::check) it.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the file, and where.
    pub fn parse(text: &str) -> Result<Self, BadFile> {
        let file: Self = serde_json::from_str(text)?;
        file.check()?;
        Ok(file)
    }

    /// Checks what holds in every file: types of groups, the number of tests, numbers that are
    /// unique, and flags that are explained.
    ///
    /// # Errors
    ///
    /// Says what does not hold.
    pub fn check(&self) -> Result<(), BadFile> {
        if let Some(group) = self.test_groups.iter().find(|group| !G::TYPES.contains(&group.kind()))
        {
            let expected = G::TYPES.join(" or ");
            return Err(BadFile(format!("type: expected {expected}, got {}", group.kind())));
        }
        let count = self.tests().count();
        if count != self.number_of_tests {
            let stated = self.number_of_tests;
            return Err(BadFile(format!("numberOfTests: expected {count}, got {stated}")));
        }
        let mut seen = BTreeSet::new();
        for test in self.tests() {
            if !seen.insert(test.tc_id()) {
                return Err(BadFile(format!("tcId {}: appears twice", test.tc_id())));
            }
            let unknown = test.flags().iter().find(|flag| !self.notes.contains_key(*flag));
            if let Some(flag) = unknown {
                return Err(BadFile(format!("tcId {}: no note explains {flag}", test.tc_id())));
            }
        }
        Ok(())
    }

    /// The tests of all groups.
    pub fn tests(&self) -> impl Iterator<Item = &G::Test> {
        self.test_groups.iter().flat_map(|group| group.tests())
    }

    /// The file as JSON, the same bytes for the same contents.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists");
        json + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File<KeyAgreementGroup> {
        let test = KeyAgreementTest {
            tc_id: 1,
            comment: String::new(),
            flags: vec!["Small".into()],
            protocol: "TLS 1.2".into(),
            version: Wire(0x0303),
            suite: "TLS_DHE_RSA_WITH_AES_128_CBC_SHA".into(),
            suite_number: Wire(0x0033),
            client_private: Hex(vec![2]),
            client_public: Hex(vec![4]),
            server_private: None,
            server_public: Hex(vec![1]),
            client_random: Hex(vec![0; 32]),
            server_random: Hex(vec![1; 32]),
            session_hash: None,
            shared_secret: None,
            premaster: None,
            master_secret: None,
            keys: None,
            result: Verdict::Invalid,
            class: Some(Class::InvalidPublicKey),
        };
        let group = KeyAgreementGroup {
            kind: "TlsDhe".into(),
            group: "custom".into(),
            group_number: None,
            prime: Some(Hex(vec![11])),
            generator: Some(Hex(vec![2])),
            tests: vec![test],
        };
        let note =
            Note { bug_type: "EDGE_CASE".into(), description: "small".into(), links: Vec::new() };
        File {
            algorithm: "TLS key agreement".into(),
            schema: "schema/none.json".into(),
            generator_version: FORMAT_VERSION.into(),
            number_of_tests: 1,
            header: Vec::new(),
            notes: BTreeMap::from([("Small".into(), note)]),
            test_groups: vec![group],
        }
    }

    #[test]
    fn a_file_survives_the_round_trip() {
        let file = file();
        let read = AnyFile::parse(&file.to_json());
        assert_eq!(read, Ok(AnyFile::KeyAgreement(file)));
    }

    #[test]
    fn what_does_not_hold_is_named() {
        type Damage = fn(&mut File<KeyAgreementGroup>);
        let damages: [(Damage, &str); 6] = [
            (|file| file.number_of_tests = 2, "numberOfTests: expected 1, got 2"),
            (|file| file.notes.clear(), "tcId 1: no note explains Small"),
            (|file| file.generator_version = "9".into(), "generatorVersion: expected 1.0, got 9"),
            (|file| file.test_groups[0].kind = "Other".into(), "unknown: Other"),
            (
                |file| {
                    let test = file.test_groups[0].tests[0].clone();
                    file.test_groups[0].tests.push(test);
                    file.number_of_tests = 2;
                },
                "tcId 1: appears twice",
            ),
            (|file| file.test_groups.clear(), "unknown: none"),
        ];
        for (damage, expected) in damages {
            let mut file = file();
            damage(&mut file);
            let error = AnyFile::parse(&file.to_json()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let json = file().to_json();
        for (from, to, expected) in [
            ("\"0303\"", "\"03\"", "expected two bytes"),
            ("\"02\"", "\"0G\"", "not lower-case hex"),
            ("\"result\": \"invalid\"", "\"result\": \"maybe\"", "maybe"),
            ("\"comment\": \"\"", "\"comment\": \"\", \"other\": 1", "other"),
        ] {
            let damaged = json.replacen(from, to, 1);
            let error = AnyFile::parse(&damaged).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
