//! How a subcommand ends: the outcomes and failures, and the exit code of each.
//! The codes are the same for every subcommand, and each `--help` lists them.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

/// The result of a subcommand that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything asked for succeeded: exit code 0.
    All,
    /// Nothing succeeded, or there was nothing to do: 1.
    None,
    /// Some of it succeeded: 3.
    Some,
    /// Two backends returned different results: 4.
    Disagreement,
}

impl Outcome {
    /// Returns the outcome for these counts. No work at all counts as failure, so that a script
    /// does not take an empty output for a good one.
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
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The arguments, or the files that they name, are not usable: exit code 2. The text names them
    /// and the reason.
    #[error("{0}")]
    Usage(String),
    /// Standard output could not be written: 5, or 141 when its reader has closed it, which is what
    /// a shell shows for a program that SIGPIPE ended. Errors of reading name their file as
    /// `Usage`.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// Writing an output file failed part-way: 5. The text names the file and the reason.
    #[error("{0}")]
    Write(String),
    /// The server cannot continue, such as without sockets: 6.
    #[error("the server cannot continue: {0}")]
    Server(io::Error),
}

impl Failure {
    /// Returns a [`Failure::Usage`] with this text.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::Usage(text.to_string())
    }

    /// Reports the failure on standard error and returns the exit code.
    pub fn report(&self) -> ExitCode {
        let code = match self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return ExitCode::from(141);
            }
            Self::Usage(_) => 2,
            Self::Output(_) | Self::Write(_) => 5,
            Self::Server(_) => 6,
        };
        tell(self);
        ExitCode::from(code)
    }
}

/// Writes to standard output, at once.
///
/// # Errors
///
/// Fails when standard output cannot be written.
pub fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_ref())?;
    stdout.flush()
}

/// Writes a message to standard error, prefixed with the name of the program.
pub fn tell(text: impl fmt::Display) {
    show(format_args!("{}: {text}", program()));
}

/// Returns the name of the program as it was called: `sslprov`, or that of whoever has these
/// commands in a program of their own.
pub fn program() -> String {
    let called = std::env::args_os().next();
    let name = called.as_ref().and_then(|path| std::path::Path::new(path).file_stem());
    name.map_or_else(|| "sslprov".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Writes a line to standard error; if that fails, there is nowhere to report it.
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
