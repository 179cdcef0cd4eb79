//! Reads keys, the same for the C library and for `sslprov`.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod blob;
mod ec_key;
mod error;
#[cfg(feature = "files")]
pub mod files;
mod key;
mod key_share;
mod rsa_key;

/// What secrets are returned in: it wipes them when dropped.
pub use zeroize::Zeroizing;

pub use crate::blob::BlobType;
pub use crate::ec_key::{EcAlgorithm, EcPublicKey};
pub use crate::error::KeyError;
pub use crate::key::{CheckedKey, PublicKey};
pub use crate::key_share::{KeyShare, ShareFormat, read_dh_parameters, write_dh_parameters};
pub use crate::rsa_key::RsaPublicKey;
