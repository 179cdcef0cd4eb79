//! Why a call failed: an error of the library, or a status that one function's page names.
//! The status of a library error is decided in core, in one place.

use std::borrow::Cow;

use ssl_provider::{Error, SecurityStatus};
use ssl_provider_keys::KeyError;

/// Why an export did not succeed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    /// An error of the library.
    Error(Error),
    /// An invalid key, or one of another type than the caller named.
    Key(KeyError),
    /// A status that this crate decides, with the reason. The reason contains no secrets.
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

    /// Returns the reason, for the trace.
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

/// Returns an error of the caller unless `condition` holds.
pub(crate) fn ensure(condition: bool, message: &'static str) -> Result<(), Error> {
    if condition { Ok(()) } else { Err(Error::InvalidParameter(message)) }
}
