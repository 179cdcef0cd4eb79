//! Commands that compare crypto backends: the same questions to each ([`crosscheck`]), how fast
//! they are ([`bench`](mod@bench)), whether their time depends on secrets ([`timing`]), and the
//! public corpus ([`vectors`]).
//! `sslprov` has them as subcommands; the author of a backend calls [`main`] after registering it.

#![forbid(unsafe_code)]

pub mod bench;
pub mod chart;
pub mod crosscheck;
pub mod page;
pub mod timing;
pub mod vectors;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use ssl_provider_command::exit::{Failure, Outcome};
use ssl_provider_command::panics;

/// The subcommands that compare backends.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask every backend the same questions and compare their answers
    Crosscheck(Box<crosscheck::Args>),
    /// Measure the speed of backends on this machine, each beside its library called directly
    Bench(Box<bench::Args>),
    /// Test whether the time of RSA key exchanges depends on the plaintext, on this machine
    Timing(Box<timing::Args>),
    /// Make the public corpus of TLS test vectors, or verify one on a backend
    Vectors(vectors::Args),
}

impl Command {
    /// Runs the subcommand.
    ///
    /// # Errors
    ///
    /// Those of the subcommand: [`Failure::Usage`] for arguments and files that are not usable, and
    /// [`Failure::Output`] or [`Failure::Write`] when a report cannot be written.
    pub fn run(&self) -> Result<Outcome, Failure> {
        match self {
            Self::Crosscheck(args) => crosscheck::run(args),
            Self::Bench(args) => bench::run(args),
            Self::Timing(args) => timing::run(args),
            Self::Vectors(args) => vectors::run(args),
        }
    }
}

/// Reads a time: seconds, or a number with s, m or h.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const LONGEST: f64 = 7.0 * 24.0 * 3600.0;
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) if text.ends_with('h') => (number, 3600.0),
        Some(number) if text.ends_with('m') => (number, 60.0),
        Some(number) => (number, 1.0),
        None => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok().map(|number| number * unit);
    let seconds = seconds.filter(|seconds| (0.0..=LONGEST).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "expected a time such as 90s, 10m or 2h, up to a week".to_owned())
}

/// The command line of a binary that has nothing but these subcommands.
#[derive(Debug, Parser)]
#[command(about = "Compare a crypto backend with others", max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// Runs the subcommand that the command line names, on all backends that are compiled in or
/// registered, and returns its exit code. A failure is reported on standard error.
pub fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    panics::install_hook();
    match command_line.command.run() {
        Ok(outcome) => outcome.into(),
        Err(failure) => failure.report(),
    }
}
