//! The fuzz targets: functions that parse or process untrusted bytes and must never panic.
//! The driver here calls them on stable Rust, the programs in `cargo-fuzz` under libFuzzer.

#![forbid(unsafe_code)]

pub mod corpus;
pub mod mutate;
pub mod targets;
pub mod tls13;

pub use crate::targets::{TARGETS, Target};
