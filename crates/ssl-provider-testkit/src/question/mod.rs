//! Questions to a backend as plain data: what is asked, what a backend answers, what the answer
//! must be. The same question is asked of every backend, and the answers are compared.
//!
//! A question can be written as JSON and read again, so a disagreement can be kept, sent and asked
//! again; [`Question::smaller`] makes the questions by which one is reduced.
//!
//! ```
//! use ssl_provider_testkit::fake::Fake;
//! use ssl_provider_testkit::question::{Answer, Question, Subject};
//!
//! let question: Question = serde_json::from_str(
//!     r#"{"operation": "hash", "hash": "SHA-256", "input": ["61", "6263"]}"#,
//! )?;
//! let fake = Subject::new(&Fake::new().share());
//! // A backend without a real hash does not give what SHA-256 gives.
//! assert_ne!(Some(question.ask(&fake, &[])), question.reference());
//! # Ok::<(), serde_json::Error>(())
//! ```

pub mod agreement;
pub mod cipher;
pub mod compare;
pub mod corpus;
pub mod generate;
pub mod hashing;
pub mod import;
pub mod kem;
pub mod master_key;
pub mod record;
pub mod rsa;
pub mod signature;
mod text;
pub mod tls13;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use ssl_provider_core::{
    Backend, Error, Operation, PrivateKey, ProtocolVersion, Provider, SecurityStatus, SigningKey,
};

pub use self::text::{Bytes, Hex16, Key};

use crate::exchange::open;

/// A backend that is asked, opened under [`POLICY`](crate::exchange::POLICY).
pub struct Subject {
    provider: Provider,
    /// Keys that it has loaded, so that a thousand questions about a key load it once.
    private_keys: Mutex<HashMap<Key, Arc<PrivateKey>>>,
    signing_keys: Mutex<HashMap<Bytes, Arc<SigningKey>>>,
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its keys may be somebody's.
        f.debug_struct("Subject").field("backend", &self.name()).finish_non_exhaustive()
    }
}

impl Subject {
    /// Opens a backend to be asked.
    pub fn new(backend: &Backend) -> Self {
        Self {
            provider: open(backend),
            private_keys: Mutex::default(),
            signing_keys: Mutex::default(),
        }
    }

    /// Returns the name of the backend.
    pub fn name(&self) -> &'static str {
        self.backend().info().name
    }

    /// Returns the backend.
    pub fn backend(&self) -> &Backend {
        self.provider.backend()
    }

    /// Returns the backend, opened.
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    fn private_key(&self, key: &Key) -> Result<Arc<PrivateKey>, Error> {
        once(&self.private_keys, key, || self.provider.load_private_key(&key.der()))
    }

    fn signing_key(&self, der: &Bytes) -> Result<Arc<SigningKey>, Error> {
        once(&self.signing_keys, der, || self.provider.load_signing_key(der))
    }
}

/// Returns what was loaded before, or loads it. Failures are not kept.
fn once<K: Clone + Eq + std::hash::Hash, V>(
    loaded: &Mutex<HashMap<K, Arc<V>>>,
    key: &K,
    load: impl FnOnce() -> Result<V, Error>,
) -> Result<Arc<V>, Error> {
    let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = loaded.get(key) {
        return Ok(Arc::clone(value));
    }
    let value = Arc::new(load()?);
    loaded.insert(key.clone(), Arc::clone(&value));
    Ok(value)
}

/// What a backend answers, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The call succeeds with these bytes.
    Bytes(Bytes),
    /// The call succeeds: a signature verifies, or peers accept a result that differs each time.
    Accepted,
    /// The call fails with this status.
    Status(Status),
    /// The backend does not support it.
    Unsupported,
    /// The call panics, with this message, or returns what no caller can use.
    Defect(String),
}

/// A status code in JSON: its number in hex.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Status(pub u32);

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08x}", self.0)
    }
}

impl From<Status> for String {
    fn from(status: Status) -> Self {
        format!("0x{:08x}", status.0)
    }
}

impl TryFrom<String> for Status {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix("0x").unwrap_or(&text);
        let number = u32::from_str_radix(digits, 16);
        number.map(Self).map_err(|_| format!("expected a status in hex, got {text:?}"))
    }
}

impl Answer {
    /// Returns what a call comes to: `then` makes bytes of a success.
    pub fn of<T>(result: Result<T, Error>, then: impl FnOnce(T) -> Vec<u8>) -> Self {
        match result {
            Ok(value) => Self::Bytes(then(value).into()),
            Err(Error::Unsupported(_)) => Self::Unsupported,
            Err(error) => Self::Status(Status(error.status().code())),
        }
    }

    /// Returns whether the backend supports what was asked.
    pub fn is_supported(&self) -> bool {
        *self != Self::Unsupported
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self::of(Err::<Vec<u8>, _>(error), |bytes| bytes)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) if bytes.is_empty() => f.write_str("no bytes"),
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Accepted => f.write_str("accepted"),
            Self::Status(Status(code)) => {
                let status = SecurityStatus(code.cast_signed());
                let named = SecurityStatus::NAMED.iter().find(|(known, _)| *known == status);
                match named {
                    Some((_, name)) => f.write_str(name),
                    None => write!(f, "status 0x{code:08x}"),
                }
            }
            Self::Unsupported => f.write_str("unsupported"),
            Self::Defect(what) => f.write_str(what),
        }
    }
}

/// One kind of question.
trait Kind: Clone {
    /// The row of the matrix.
    fn operation(&self) -> String;

    /// The protocol, where the question is of one.
    fn protocol(&self) -> Option<ProtocolVersion> {
        None
    }

    /// Asks a backend. A result that differs each time is given to `peers`.
    fn ask(&self, subject: &Subject, peers: &[&Subject]) -> Answer;

    /// The answer by independent code, where there is any.
    fn reference(&self) -> Option<Answer> {
        None
    }

    /// Whether the reference costs so little that it is always asked.
    fn is_reference_cheap(&self) -> bool {
        true
    }

    /// Questions that are smaller and might show the same.
    fn smaller(&self) -> Vec<Self>;
}

macro_rules! questions {
    ($($(#[$doc:meta])* $kind:ident($type:ty);)*) => {
        /// What is asked of a backend, with all that the answer depends on.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
        #[non_exhaustive]
        pub enum Question {
            $($(#[$doc])* $kind($type),)*
        }

        impl Question {
            /// Returns the row of the matrix that the question belongs to.
            pub fn operation(&self) -> String {
                match self { $(Self::$kind(question) => question.operation(),)* }
            }

            /// Returns the protocol, where the question is of one.
            pub fn protocol(&self) -> Option<ProtocolVersion> {
                match self { $(Self::$kind(question) => question.protocol(),)* }
            }

            fn ask_directly(&self, subject: &Subject, peers: &[&Subject]) -> Answer {
                match self { $(Self::$kind(question) => question.ask(subject, peers),)* }
            }

            /// Returns the answer by independent arithmetic, where there is any. Its hashes are
            /// those of RustCrypto's crates, which the rustcrypto backend uses too; all else
            /// shares nothing with the backends.
            pub fn reference(&self) -> Option<Answer> {
                match self { $(Self::$kind(question) => question.reference(),)* }
            }

            /// Returns whether [`reference`](Self::reference) costs so little that it is worth
            /// asking where all backends agree.
            pub fn is_reference_cheap(&self) -> bool {
                match self { $(Self::$kind(question) => question.is_reference_cheap(),)* }
            }

            /// Returns questions that are smaller and might show the same disagreement: shorter
            /// inputs, and inputs of zeros.
            pub fn smaller(&self) -> Vec<Self> {
                match self {
                    $(Self::$kind(question) => {
                        question.smaller().into_iter().map(Self::$kind).collect()
                    })*
                }
            }
        }
    };
}

questions! {
    /// The hash of an input in parts.
    Hash(hashing::Hash);
    /// The chaining value of a hash's compression function.
    Compression(hashing::Compression);
    /// An HMAC.
    Hmac(hashing::Hmac);
    /// The TLS PRF.
    Prf(hashing::Prf);
    /// HKDF, both steps.
    Hkdf(hashing::Hkdf);
    /// Whether a private key is taken, and its modulus.
    LoadPrivateKey(rsa::LoadPrivateKey);
    /// The RSA private operation.
    RsaPrivate(rsa::RsaPrivate);
    /// The RSA public operation.
    RsaPublic(rsa::RsaPublic);
    /// The master secret of an RSA key exchange.
    ImportMasterKey(import::ImportMasterKey);
    /// The session keys of a key exchange.
    SessionKeys(master_key::SessionKeys);
    /// The verify_data of a Finished message.
    Finished(master_key::Finished);
    /// The hash of handshake messages.
    HandshakeHash(master_key::HandshakeHash);
    /// Exported keying material.
    Export(master_key::Export);
    /// The master secret of a pre-shared key.
    Psk(import::Psk);
    /// The public key of a private key of key agreement.
    PublicKey(agreement::PublicKey);
    /// The shared secret of a key agreement.
    Agree(agreement::Agree);
    /// The master secret of a key agreement.
    AgreeMasterKey(agreement::AgreeMasterKey);
    /// A key encapsulation with given random bytes.
    Encapsulate(kem::Encapsulate);
    /// The secret of an encapsulated key.
    Decapsulate(kem::Decapsulate);
    /// RC4.
    Rc4(cipher::Rc4);
    /// A block cipher in CBC.
    Cbc(cipher::Cbc);
    /// An AEAD that encrypts.
    AeadSeal(cipher::AeadSeal);
    /// An AEAD that decrypts.
    AeadOpen(cipher::AeadOpen);
    /// A record that is decrypted.
    DecryptRecord(record::DecryptRecord);
    /// A record that is encrypted, and decrypted by the peers.
    EncryptRecord(record::EncryptRecord);
    /// All secrets of a handshake of TLS 1.3.
    Tls13Secrets(tls13::Secrets);
    /// A record of TLS 1.3 that is protected.
    Tls13Seal(tls13::Seal);
    /// A record of TLS 1.3 that is opened.
    Tls13Open(tls13::Open);
    /// A signature that is verified.
    Verify(signature::Verify);
    /// A signature that is made, and verified by the peers where it differs each time.
    Sign(signature::Sign);
}

impl Question {
    /// Asks a backend. Where a result differs each time, such as an ECDSA signature, the answer is
    /// whether most of `peers` accept it; without peers the backend itself decides.
    ///
    /// A panic is an answer too. The panic hook runs all the same; set one that prints nothing to
    /// keep it quiet.
    pub fn ask(&self, subject: &Subject, peers: &[&Subject]) -> Answer {
        let asked = catch_unwind(AssertUnwindSafe(|| self.ask_directly(subject, peers)));
        asked.unwrap_or_else(|panic| Answer::Defect(panicked(panic.as_ref())))
    }
}

/// A question with its answer, where that is known, such as one of a published vector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// Where it is from, and what is asked.
    pub name: String,
    /// What is asked.
    pub question: Question,
    /// The answer, by whoever published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Answer>,
}

impl Vector {
    /// Reads a vector from JSON.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the JSON, or with a field.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(json)
    }

    /// Writes the vector as JSON.
    pub fn to_json(&self) -> String {
        // Strings and numbers into memory: neither the types nor the writing can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Asserts that a backend that supports what is asked gives the expected answer. What differs
    /// each time is judged by `peers`, other backends, where there are any.
    ///
    /// # Panics
    ///
    /// Panics when it does not, and for a vector without an expected answer.
    pub fn check(&self, backend: &Backend, peers: &[Backend]) {
        let peers = peers.iter().filter(|peer| *peer != backend);
        let peers: Vec<Subject> = peers.map(Subject::new).collect();
        let peers: Vec<&Subject> = peers.iter().collect();
        let answer = self.question.ask(&Subject::new(backend), &peers);
        if answer.is_supported() {
            assert_eq!(Some(answer), self.expected, "{}: {}", backend.info().name, self.name);
        }
    }
}

fn panicked(panic: &(dyn Any + Send)) -> String {
    format!("panicked: {}", crate::message(panic))
}

/// Returns whether most of the peers accept a result, of those that support it: at least half of
/// them, so that one peer's defect is not the subject's. Without any, `own` decides.
fn accepted_by_most(
    own: &Subject,
    peers: &[&Subject],
    accepts: impl Fn(&Subject) -> Answer,
) -> Answer {
    let verdicts: Vec<Answer> =
        peers.iter().map(|peer| accepts(peer)).filter(Answer::is_supported).collect();
    let accepting = verdicts.iter().filter(|verdict| **verdict == Answer::Accepted).count();
    let supporting = verdicts.len();
    match verdicts.into_iter().find(|verdict| *verdict != Answer::Accepted) {
        Some(refusal) if 2 * accepting < supporting => refusal,
        None if supporting == 0 => accepts(own),
        _ => Answer::Accepted,
    }
}

/// Returns whether a backend announces an operation.
fn announces(subject: &Subject, operation: Operation) -> bool {
    subject.backend().support(operation).is_supported()
}

/// Returns variants of a byte string that are smaller: cut in half, without the last byte, zeros.
fn smaller_bytes(bytes: &Bytes) -> Vec<Bytes> {
    let mut smaller = Vec::new();
    let len = bytes.len();
    if len > 0 {
        smaller.push(Bytes::from(Vec::new()));
    }
    if len > 1 {
        smaller.push(bytes[..len / 2].to_vec().into());
        smaller.push(bytes[len / 2..].to_vec().into());
        smaller.push(bytes[..len - 1].to_vec().into());
    }
    smaller.extend(zeroed_bytes(bytes));
    smaller
}

/// Returns variants of a byte string of the same length, with more zeros in it.
fn zeroed_bytes(bytes: &Bytes) -> Vec<Bytes> {
    let len = bytes.len();
    let ranges = [0..len, 0..len / 2, len / 2..len];
    let changed = ranges.into_iter().filter_map(|range| {
        let mut zeroed = bytes.to_vec();
        zeroed[range].fill(0);
        (zeroed != **bytes).then(|| Bytes::from(zeroed))
    });
    changed.collect()
}

/// Returns the lists with one item less.
fn without_each<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let without = |at: usize| [&items[..at], &items[at + 1..]].concat();
    (0..items.len()).map(without).collect()
}

/// Returns variants of `whole` in which `field` is one of `values`.
fn with_each<T: Clone, V>(
    whole: &T,
    values: Vec<V>,
    set: impl Fn(&mut T, V),
) -> impl Iterator<Item = T> {
    values.into_iter().map(move |value| {
        let mut changed = whole.clone();
        set(&mut changed, value);
        changed
    })
}
