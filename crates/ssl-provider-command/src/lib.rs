//! What the commands of `ssl-provider` share: exit codes, choice of backends, output files, tables.

#![forbid(unsafe_code)]

pub mod backend_choice;
pub mod exit;
pub mod outputs;
pub mod panics;
pub mod table;
