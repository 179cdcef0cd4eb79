//! Types, backend trait and protocol logic of `ssl-provider`, with no crypto library in it.
//! Start at [`Provider::import_master_key`]; implement [`KeyExchangeBackend`] to add a backend.
//!
//! Everything that is decided by the protocol lives here, written once and the same for every
//! backend: parsing the parameter list, removing the PKCS#1 padding and checking the version
//! without a branch, choosing the label and the hash, cutting the key block. What a library has to
//! supply is in [`KeyExchangeBackend`]: the raw RSA private operation, hashes and their compression
//! functions, HMAC, the TLS PRF, ciphers, the verification of signatures, and random numbers.
//!
//! # Invariants
//!
//! - Nothing that the plaintext of a ciphertext decides is visible: not as a status, a branch, an
//!   allocation or a time. A premaster secret that is wrong in padding, length or version yields
//!   success and a master secret derived from a fallback (RFC 5246 section 7.4.7.1).
//! - No `unsafe`, no crypto dependency, no C type.
//! - Secret types have no `Clone`, no `PartialEq` and a redacted `Debug`, and are wiped on drop.

#![forbid(unsafe_code)]

pub mod backend;
pub mod cipher;
pub mod cipher_suite;
pub mod client_auth;
pub mod compose;
mod ct;
pub mod error;
pub mod exporter;
pub mod handle;
pub mod handshake_hash;
pub mod master_key;
pub mod parameter_list;
pub mod premaster;
pub mod prf;
pub mod private_key;
pub mod protocol;
pub mod provider;
pub mod record;
pub mod rsa_der;
pub mod schedule;
pub mod secret;
pub mod signature;
pub mod status;
/// What the handle table shares with threads; `xtask/model` puts other locks in their place.
mod sync {
    pub(crate) use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
}

pub use crate::backend::{
    BackendInfo, CompressionFunction, ConstantTime, FipsStatus, HashAlgorithm, HashContext,
    KeyExchangeBackend, Operation, PrfAlgorithm, RawDecryption, RsaInfo, RsaPrivateKey, Support,
};
pub use crate::cipher::{AeadAlgorithm, AeadCipher, CbcAlgorithm, CbcCipher, StreamCipher};
pub use crate::cipher_suite::CipherSuite;
pub use crate::client_auth::ClientKey;
pub use crate::compose::Composed;
pub use crate::error::{Error, KeyFault};
pub use crate::exporter::EapKeyBlock;
pub use crate::handle::{Handle, HandleKind, HandleTable};
pub use crate::handshake_hash::HandshakeHash;
pub use crate::master_key::{MasterKey, SessionKeys, Side, WriteKeys};
pub use crate::parameter_list::{Buffer, BufferType, ParameterList};
pub use crate::premaster::VersionCheck;
pub use crate::private_key::{DecryptedPremaster, PrivateKey};
pub use crate::protocol::Protocol;
pub use crate::provider::{
    Flags, KeyExportPolicy, KeyLogPolicy, Policy, PremasterVersion, Provider, Requirements,
};
pub use crate::record::{OpaqueKeyBlob, RecordKey, RecordOptions};
pub use crate::rsa_der::RsaPrivateKeyDer;
pub use crate::secret::{MasterSecret, PremasterSecret};
pub use crate::signature::{PublicKeyDer, SignatureScheme};
pub use crate::status::SecurityStatus;
