//! What reads the bytes of others, as functions that answer or refuse whatever they are given.
//! The driver here calls them on stable Rust, the programs in `cargo-fuzz` under libFuzzer.

#![forbid(unsafe_code)]

pub mod mutate;
pub mod targets;

pub use crate::targets::{TARGETS, Target};
