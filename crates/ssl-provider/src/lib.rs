//! Portable implementation of the CNG SSL provider interface (Microsoft's `Sslprovider.h`), with
//! swappable crypto backends: the core, and the list of backends that are compiled in.
//!
//! For both sides of TLS 1.0 to 1.3, DTLS 1.0 and 1.2 and, by policy, SSL 3.0, and for readers of
//! captures, with RSA key exchange, (EC)DHE, hybrid groups and pre-shared keys. It is not a TLS
//! stack, and RSA key exchange has no forward secrecy: do not deploy it. A bad ciphertext is never
//! an error of the import; the handshake fails at Finished.
//!
//! ```
//! use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion, Provider};
//!
//! # fn demo(key_der: &[u8], encrypted_premaster: &[u8]) -> Result<(), ssl_provider::Error> {
//! let provider = Provider::open(ssl_provider::default_backend()?);
//! let key = provider.load_private_key(key_der)?;
//! let parameters = ParameterList::new()
//!     .client_random([1; 32])
//!     .server_random([2; 32])
//!     .highest_version(ProtocolVersion::TLS1_2);
//! let master_key = provider.import_master_key(
//!     &key,
//!     ProtocolVersion::TLS1_2,
//!     CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
//!     &parameters,
//!     encrypted_premaster,
//! )?;
//! let session_keys = master_key.session_keys(&parameters)?;
//! # let _ = session_keys;
//! # Ok(())
//! # }
//! ```
//!
//! The [`guide`] goes on from here: [the import](guide::import_a_master_key),
//! [key agreement and clients](guide::agree_on_a_master_key),
//! [TLS 1.3](guide::derive_tls13_secrets), [records](guide::protect_records),
//! [choosing a backend](guide::choose_a_backend), [other backends](guide::write_a_backend),
//! [C](guide::use_from_c), and [what is defended](guide::what_is_defended).
//!
//! A feature with the name of a backend adds it to [`backends`] and changes nothing else;
//! `openssl-vendored` and `wasm-js` change how one is built, and `multi-buffer` adds
//! `with_multi_buffer` and `with_batcher`. [`default_backend`] takes the first of aws-lc, openssl,
//! rustcrypto, ring: a feature moves the default only to a backend that stands earlier in that
//! order, and never changes a program that names its backend by [`backend()`].

#![forbid(unsafe_code)]

/// The code of the README, compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

pub use ssl_provider_core::*;

// Its examples run on the default backend.
#[cfg(any(
    all(doc, not(doctest)),
    feature = "aws-lc",
    feature = "openssl",
    feature = "rustcrypto",
    feature = "ring"
))]
pub mod guide;
mod registry;

pub use crate::registry::{backend, backends, default_backend, register};
#[cfg(feature = "multi-buffer")]
pub use crate::registry::{with_batcher, with_multi_buffer};
#[cfg(feature = "multi-buffer")]
pub use ssl_provider_multibuffer::instructions as multi_buffer_instructions;
