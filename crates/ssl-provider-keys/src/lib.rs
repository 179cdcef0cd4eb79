//! Reads keys, the same for the C library and for `sslprov`.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

#[cfg(feature = "files")]
pub mod files;
