//! `sslprov suites`.

use crate::exit::{Failure, Outcome};

/// Arguments of `sslprov suites`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `sslprov suites`.
///
/// # Errors
///
/// Says that this build lacks the subcommand.
pub fn run(_args: &Args) -> Result<Outcome, Failure> {
    Err(Failure::usage("suites: not in this build"))
}
