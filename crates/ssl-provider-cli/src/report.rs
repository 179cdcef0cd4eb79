//! How servers report their events: `--json` and `--quiet`, and what becomes of a report that
//! cannot be written.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::exit::{Failure, Outcome, print, show};

/// The options of a server for its reports.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct ReportArgs {
    /// Report as JSON lines on standard output
    #[arg(long)]
    pub json: bool,

    /// Report only where the server listens, and that secrets are written
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,
}

/// Reports the events of a server that runs. An observer cannot return an error, so the first one
/// is kept, and stops the server.
pub(crate) struct Reporter<S> {
    args: ReportArgs,
    stop: S,
    failed: Mutex<Option<io::Error>>,
}

impl<S: Fn()> Reporter<S> {
    pub(crate) fn new(args: ReportArgs, stop: S) -> Self {
        Self { args, stop, failed: Mutex::new(None) }
    }

    /// Reports an event in the form that the options ask for.
    pub(crate) fn report(&self, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
        if self.args.json {
            if let Err(error) = print(format!("{}\n", json())) {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                (self.stop)();
            }
        } else if !self.args.quiet {
            show(text());
        }
    }

    /// Returns how the command ends.
    ///
    /// # Errors
    ///
    /// [`Failure::Output`] when a report could not be written.
    pub(crate) fn outcome(self) -> Result<Outcome, Failure> {
        match self.failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error.into()),
            None => Ok(Outcome::All),
        }
    }
}
