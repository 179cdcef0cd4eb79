//! Types, backend trait and protocol logic of `ssl-provider`, with no crypto library in it. Start
//! at [`Provider::import_master_key`]; [`backend`] has what a new backend implements. The guide is
//! in the crate `ssl-provider`, as `ssl_provider::guide`, which re-exports all of this.
//!
//! Everything that is decided by the protocol lives here, written once and the same for every
//! backend: parsing the parameter list, removing the PKCS#1 padding and checking the version
//! without a branch, checking public keys of Diffie-Hellman and the secrets that they lead to,
//! choosing the label and the hash, cutting the key block. What a library has to supply is in
//! [`backend`]: the raw RSA operations, key agreement and encapsulation, hashes and their
//! compression functions, HMAC, the TLS PRF, ciphers, signatures, and random numbers.
//!
//! # Invariants
//!
//! - Nothing that the plaintext of a ciphertext decides is visible: not as a status, nor through a
//!   side channel such as a branch, an allocation or a time. A premaster secret that is wrong in
//!   padding, length or version yields success and a master secret derived from a fallback
//!   (RFC 5246 section 7.4.7.1).
//! - No `unsafe`, no crypto dependency, no C type.
//! - Secret types have no `Clone`, no `PartialEq` and a redacted `Debug`, and are wiped on drop.

#![forbid(unsafe_code)]

mod algorithm;
pub mod backend;
mod cipher_suite;
mod client_auth;
mod ct;
mod dh_parameters;
mod ephemeral_key;
mod error;
mod exporter;
mod handle;
mod handshake_hash;
mod master_key;
mod operation;
mod parameter_list;
mod policy;
mod premaster;
mod premaster_key;
mod private_key;
mod provider;
mod public_key;
mod record;
mod rsa_der;
mod schedule;
mod secret;
mod security_parameters;
mod session_ticket;
mod signing_key;
mod signing_key_der;
mod status;
pub mod tls13;
mod version;
/// What the handle table shares with threads; `xtask/model` puts other locks in their place.
mod sync {
    pub(crate) use std::sync::{Mutex, OnceLock, PoisonError, RwLock};
}

pub use crate::algorithm::{
    AeadAlgorithm, CbcAlgorithm, FfdheGroup, HashAlgorithm, HybridGroup, KEM_SECRET_LEN,
    KemAlgorithm, NamedCurve, PrfAlgorithm, SignatureAlgorithm, SignatureScheme,
};
pub use crate::backend::handle::Backend;
pub use crate::backend::info::{BackendInfo, ConstantTime, FipsStatus, RsaInfo};
pub use crate::cipher_suite::{
    BulkCipher, CipherAlgorithm, CipherMode, CipherSuite, CipherSuiteInfo, KeyExchange,
};
pub use crate::client_auth::ClientKey;
pub use crate::dh_parameters::DhParameters;
pub use crate::ephemeral_key::{EphemeralKey, Group, MAX_PSK_LEN, PeerPublicKey};
pub use crate::error::{Error, InvalidKey};
pub use crate::exporter::{EAP_TLS_KEY_BLOCK_LEN, EapKeyBlock, RANDOMS_LEN};
pub use crate::handle::{Handle, HandleKind, HandleTable};
pub use crate::handshake_hash::HandshakeHash;
pub use crate::master_key::{MasterKey, SessionKeys};
pub use crate::operation::{Operation, Support};
pub use crate::parameter_list::{Buffer, BufferType, ParameterList, RANDOM_LEN};
pub use crate::policy::{KeyExportPolicy, KeyLogPolicy, Policy, PremasterVersion};
pub use crate::premaster::{MIN_BLOCK_LEN, VersionCheck, recover_premaster};
pub use crate::premaster_key::PremasterKey;
pub use crate::private_key::{DecryptedPremaster, PrivateKey, RsaExchange, RsaKeyExchange};
pub use crate::provider::{Provider, Requirements};
pub use crate::public_key::{Curve, PublicKeyDer, PublicKeyParts};
pub use crate::record::{
    MAX_FRAGMENT_LEN, MAX_KEY_STREAM_POSITION, MAX_PAYLOAD_LEN, OpaqueKeyBlob, OpenedRecord,
    RecordKey, RecordOptions, Verdict, WriteKeys,
};
pub use crate::rsa_der::{MAX_MODULUS_LEN, MIN_MODULUS_BITS, RsaPrivateKeyDer};
pub use crate::schedule::{MasterSeed, SSL3_VERIFY_DATA_LEN, Side, VERIFY_DATA_LEN};
pub use crate::secret::{MASTER_SECRET_LEN, MasterSecret, PremasterSecret};
pub use crate::security_parameters::SecurityParameters;
pub use crate::session_ticket::TicketKey;
pub use crate::signing_key::SigningKey;
pub use crate::signing_key_der::{EcPrivateKeyDer, SigningKeyDer};
pub use crate::status::SecurityStatus;
pub use crate::version::{KeySchedule, ProtocolVersion};
pub use ssl_provider_memory::{
    SecretMemory, WipingAllocator, secret_memory, wipe_secret_memory_in_children,
    wipe_vector_registers,
};
/// What secrets are returned in: it wipes them when dropped.
pub use zeroize::Zeroizing;
