//! `sslprov backends`.

use crate::exit::{Failure, Outcome};

/// Arguments of `sslprov backends`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `sslprov backends`.
///
/// # Errors
///
/// Says that this build lacks the subcommand.
pub fn run(_args: &Args) -> Result<Outcome, Failure> {
    Err(Failure::usage("backends: not in this build"))
}
