//! `sslprov keylog`.

use crate::exit::{Failure, Outcome};

/// Arguments of `sslprov keylog`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `sslprov keylog`.
///
/// # Errors
///
/// Says that this build cannot read captures.
pub fn run(_args: &Args) -> Result<Outcome, Failure> {
    Err(Failure::usage("keylog: this build cannot read captures"))
}
