//! What a crypto library must supply: the backend trait, its kinds of operation, its description.
//! A backend translates arguments and errors; protocol decisions are made elsewhere in this crate.
//!
//! [`KeyExchangeBackend`] groups what a library offers by kind. Each kind is a small trait whose
//! methods return [`Error::Unsupported`](crate::Error::Unsupported) by default, so a backend
//! implements what its library has:
//!
//! | Kind | Trait |
//! |---|---|
//! | random numbers | [`SecureRandom`] |
//! | hash, HMAC, PRF, HKDF | [`Hashing`] |
//! | RSA private operation | [`RsaDecryption`] |
//! | RSA public operation | [`RsaEncryption`] |
//! | Diffie-Hellman key agreement | [`KeyAgreement`] |
//! | key encapsulation | [`KeyEncapsulation`] |
//! | record ciphers | [`RecordCiphers`] |
//! | signatures | [`Signatures`] |
//!
//! Inputs that hold several parts are lists of slices, processed one after another; outputs go to
//! the caller's buffer.

mod agreement;
mod cipher;
mod compose;
pub(crate) mod handle;
mod hash;
mod hkdf;
pub(crate) mod info;
mod kem;
mod prf;
mod random;
mod rsa;
mod signature;

use std::fmt;

use crate::operation::{Operation, Support};

pub use crate::backend::agreement::{AgreementKey, BAD_AGREEMENT_KEY, KeyAgreement};
pub use crate::backend::cipher::{
    AeadCipher, BAD_BLOCKS, BAD_KEY_LEN, BAD_TAG_LEN, BAD_TEXT_LEN, CbcCipher, NONCE_LEN,
    RC4_KEY_LEN, RecordCiphers, StreamCipher,
};
pub use crate::backend::compose::Composed;
pub use crate::backend::handle::BackendId;
pub use crate::backend::hash::{BAD_OUTPUT_LEN, CompressionFunction, HashContext, Hashing};
pub use crate::backend::kem::{
    BAD_CIPHERTEXT_LEN, BAD_KEM_KEY, DecapsulationKey, KemPrivateKey, KeyEncapsulation,
    encapsulation_key_in,
};
pub use crate::backend::prf::HmacKey;
pub use crate::backend::random::SecureRandom;
pub use crate::backend::rsa::{
    BAD_BLOCK_LEN, RawDecryption, RsaDecryption, RsaEncryption, RsaPrivateKey, trial_decryption,
};
pub use crate::backend::signature::{SignatureKey, Signatures};
pub use crate::public_key::BAD_PUBLIC_KEY;
pub use crate::secret::{with_one_wipe, with_stack_wiped};

// What programs need too has its public path at the root of the crate.
pub(crate) use crate::backend::handle::Backend;
pub(crate) use crate::backend::info::{BackendInfo, ConstantTime, FipsStatus};

/// A crypto library, as this project uses it.
///
/// A backend returns the kinds that it offers, usually as `self`, and in
/// [`support`](Self::support) whose code does each operation. Programs hold it as a [`Backend`].
///
/// # Contract
///
/// - Errors never depend on the value of a secret, only on public facts and on the environment.
/// - `out` is written only on success.
pub trait KeyExchangeBackend: fmt::Debug + Send + Sync {
    /// Returns the description of the library, the same on every call. It is the identity of the
    /// backend: a wrapper around another backend has one of its own.
    fn info(&self) -> &BackendInfo;

    /// Returns whose code does `operation`. What is [`Support::Unsupported`] here returns
    /// [`Error::Unsupported`](crate::Error::Unsupported), and nothing else does.
    fn support(&self, operation: Operation) -> Support;

    /// Returns the generator of random numbers.
    fn random(&self) -> &dyn SecureRandom {
        &NotOffered
    }

    /// Returns the hashes, HMAC, the TLS PRF and HKDF.
    fn hashing(&self) -> &dyn Hashing {
        &NotOffered
    }

    /// Returns the RSA private operation.
    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        &NotOffered
    }

    /// Returns the RSA public operation.
    fn rsa_encryption(&self) -> &dyn RsaEncryption {
        &NotOffered
    }

    /// Returns the key agreement.
    fn key_agreement(&self) -> &dyn KeyAgreement {
        &NotOffered
    }

    /// Returns the key encapsulation.
    fn key_encapsulation(&self) -> &dyn KeyEncapsulation {
        &NotOffered
    }

    /// Returns the ciphers of records.
    fn record_ciphers(&self) -> &dyn RecordCiphers {
        &NotOffered
    }

    /// Returns the signatures.
    fn signatures(&self) -> &dyn Signatures {
        &NotOffered
    }
}

/// Implements accessors of [`KeyExchangeBackend`](crate::backend::KeyExchangeBackend) that return
/// `self`: any of `random`, `hashing`, `rsa_decryption`, `rsa_encryption`, `key_agreement`,
/// `key_encapsulation`, `record_ciphers` and `signatures`. It stands in the `impl` of a backend
/// that implements the traits of these kinds itself: `offers! { random, hashing }`.
#[macro_export]
macro_rules! offers {
    (@kind random) => { dyn $crate::backend::SecureRandom };
    (@kind hashing) => { dyn $crate::backend::Hashing };
    (@kind rsa_decryption) => { dyn $crate::backend::RsaDecryption };
    (@kind rsa_encryption) => { dyn $crate::backend::RsaEncryption };
    (@kind key_agreement) => { dyn $crate::backend::KeyAgreement };
    (@kind key_encapsulation) => { dyn $crate::backend::KeyEncapsulation };
    (@kind record_ciphers) => { dyn $crate::backend::RecordCiphers };
    (@kind signatures) => { dyn $crate::backend::Signatures };
    ($($accessor:ident),+) => {
        $(fn $accessor(&self) -> &$crate::offers!(@kind $accessor) {
            self
        })+
    };
}

/// The kinds that a backend does not offer: every operation is unsupported.
#[derive(Debug)]
struct NotOffered;

impl SecureRandom for NotOffered {}
impl Hashing for NotOffered {}
impl RsaDecryption for NotOffered {}
impl RsaEncryption for NotOffered {}
impl KeyAgreement for NotOffered {}
impl KeyEncapsulation for NotOffered {}
impl RecordCiphers for NotOffered {}
impl Signatures for NotOffered {}
