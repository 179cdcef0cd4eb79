//! Key logs out of captures.

pub mod command;
