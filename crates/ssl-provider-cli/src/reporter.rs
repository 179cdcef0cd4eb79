//! What a server reports while it runs: JSON lines on standard output, or text on standard error.

use std::io;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::exit::{Failure, Outcome, print, show};

/// Reports the events of a server, from several threads.
pub(crate) struct Reporter<S> {
    json: bool,
    quiet: bool,
    /// Stops the server.
    stop: S,
    /// The first error. An observer of events cannot return it.
    failed: Mutex<Option<io::Error>>,
}

impl<S: Fn()> Reporter<S> {
    pub(crate) fn new(json: bool, quiet: bool, stop: S) -> Self {
        Self { json, quiet, stop, failed: Mutex::new(None) }
    }

    /// Reports an event as JSON or as text. Stops the server when standard output cannot be
    /// written.
    pub(crate) fn report(&self, as_json: impl FnOnce() -> Value, as_text: impl FnOnce() -> String) {
        if self.json {
            if let Err(error) = print(format!("{}\n", as_json())) {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                (self.stop)();
            }
        } else if !self.quiet {
            show(as_text());
        }
    }

    /// Returns how a server ended that was stopped, here or by a signal.
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
