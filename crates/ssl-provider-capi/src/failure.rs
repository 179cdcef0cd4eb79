//! Why a call failed: an error of the library, or a status that one function's page names.
//! The status of a library error is decided in core, in one place.

use std::borrow::Cow;

use ssl_provider::{Error, SecurityStatus};
use ssl_provider_keys::KeyError;

/// What an export answers with when it does not succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// An error of the library.
    Error(Error),
    /// A key that is none, or not of the type that was named.
    Key(KeyError),
    /// A status that this edge decides, with the reason in words. No word of it is secret.
    Status(i32, &'static str),
}

impl Failure {
    pub(crate) fn status(self) -> SecurityStatus {
        match self {
            Self::Error(error) => error.status(),
            Self::Key(error) => error.status(),
            Self::Status(status, _) => SecurityStatus(status),
        }
    }

    /// The reason in words, for the trace.
    pub(crate) fn reason(self) -> Cow<'static, str> {
        match self {
            Self::Error(error) => error.to_string().into(),
            Self::Key(error) => error.to_string().into(),
            Self::Status(_, reason) => reason.into(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}
