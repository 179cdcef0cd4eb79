//! Portable implementation of the CNG SSL provider interface, with swappable crypto backends.

#![forbid(unsafe_code)]

pub use ssl_provider_core::*;
