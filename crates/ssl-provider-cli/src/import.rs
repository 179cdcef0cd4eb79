//! `sslprov import`.

use crate::exit::{Failure, Outcome};

/// Arguments of `sslprov import`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `sslprov import`.
///
/// # Errors
///
/// Says that this build lacks the subcommand.
pub fn run(_args: &Args) -> Result<Outcome, Failure> {
    Err(Failure::usage("import: not in this build"))
}
