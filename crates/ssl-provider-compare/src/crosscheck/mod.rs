//! `crosscheck`: every conformance case on every backend.

use ssl_provider_command::backend_choice::BackendArgs;
use ssl_provider_command::exit::{Failure, Outcome, print};
use ssl_provider_testkit::check;

/// Arguments of `crosscheck`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The backends.
    #[command(flatten)]
    pub backend: BackendArgs,
}

/// Runs `crosscheck`.
///
/// # Errors
///
/// [`Failure::Usage`] for an unknown backend, [`Failure::Output`] when the report cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut failed = false;
    for backend in args.backend.choose()? {
        let report = check(backend);
        failed |= !report.passed();
        print(format!("{report}\n"))?;
    }
    Ok(if failed { Outcome::Disagreement } else { Outcome::All })
}
