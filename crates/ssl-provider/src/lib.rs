//! Portable implementation of the CNG SSL provider interface, with swappable crypto backends.
//! This crate has everything of the core, and the list of backends compiled in.
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
//! The [`guide`] goes on from here: [choosing a backend](guide::choose_a_backend),
//! [records](guide::protect_records), [backends of one's own](guide::write_a_backend), and
//! [what is defended](guide::what_is_defended).
//!
//! Each Cargo feature adds one backend to [`backends`] and does nothing else. [`default_backend`]
//! takes the first of aws-lc, openssl, rustcrypto, ring: a feature moves the default only to a
//! backend that stands earlier in that order, and never changes a program that names its backend by
//! [`backend()`].

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

#[cfg(feature = "multi-buffer")]
pub use crate::registry::with_multi_buffer;
pub use crate::registry::{backend, backends, default_backend, register};
