//! How a subcommand ends: the outcomes and failures, and the exit code of each.
//! The codes are the same for every subcommand, and each `--help` lists them.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// What came of the work, when it could be done at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything asked for succeeded: exit code 0.
    All,
    /// Nothing did, or there was nothing to do: 1.
    None,
    /// Some did and some did not: 3.
    Some,
    /// Two backends gave different answers: 4.
    Disagreement,
}

impl Outcome {
    /// The outcome of so many successes and failures. No work at all counts as nothing done, so
    /// that a script does not take an empty answer for a good one.
    pub fn of(succeeded: u64, failed: u64) -> Self {
        match (succeeded, failed) {
            (0, _) => Self::None,
            (_, 0) => Self::All,
            (_, _) => Self::Some,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::All => 0,
            Outcome::None => 1,
            Outcome::Some => 3,
            Outcome::Disagreement => 4,
        })
    }
}

/// Why a subcommand could not do its work.
#[derive(Debug)]
pub enum Failure {
    /// The arguments, or the files that they name, are not usable: exit code 2. The text says which
    /// and why.
    Usage(String),
    /// Standard output could not be written: 5, or 141 when its reader has gone away, which is what
    /// a shell shows for a program that the closed pipe ended.
    Output(io::Error),
    /// An output file could not be written to its end: 5. The text says which and why.
    Write(String),
    /// The server cannot go on, such as when the system gives it no more sockets: 6.
    Server(io::Error),
}

impl Failure {
    /// A [`Failure::Usage`] of anything that can be shown.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::Usage(text.to_string())
    }

    /// Tells the user, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            Self::Usage(text) => {
                tell(text);
                ExitCode::from(2)
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(141),
            Self::Output(error) => {
                tell(format_args!("cannot write to standard output: {error}"));
                ExitCode::from(5)
            }
            Self::Write(text) => {
                tell(text);
                ExitCode::from(5)
            }
            Self::Server(error) => {
                tell(format_args!("the server stops: {error}"));
                ExitCode::from(6)
            }
        }
    }
}

impl From<io::Error> for Failure {
    /// Takes an error of writing to standard output; errors of reading name their file as `Usage`.
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Writes a message to standard error, under the name of the program.
pub fn tell(text: impl fmt::Display) {
    show(format_args!("sslprov: {text}"));
}

/// Writes a line to standard error. When that has no reader, there is nobody to tell.
pub fn show(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_outcomes() {
        assert_eq!(Outcome::of(3, 0), Outcome::All);
        assert_eq!(Outcome::of(0, 0), Outcome::None);
        assert_eq!(Outcome::of(0, 3), Outcome::None);
        assert_eq!(Outcome::of(1, 2), Outcome::Some);
    }

    #[test]
    fn failures_have_codes_of_their_own() {
        let error = || io::Error::other("no sockets");
        let gone = io::Error::from(io::ErrorKind::BrokenPipe);
        for (failure, code) in [
            (Failure::usage("no such file"), 2),
            (Failure::Output(error()), 5),
            (Failure::Write("disk full".into()), 5),
            (Failure::Server(error()), 6),
            (Failure::Output(gone), 141),
        ] {
            assert_eq!(failure.report(), ExitCode::from(code), "{failure:?}");
        }
    }
}
