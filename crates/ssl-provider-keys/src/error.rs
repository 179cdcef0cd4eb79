//! Why no key was read. Keys are the caller's own, so the reasons may be precise.

use std::error;
use std::fmt;

use ssl_provider_core::{Error, SecurityStatus};

/// What is wrong with a key blob or an unencrypted key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The blob is not of the expected type.
    Magic,
    /// The blob is not as long as its header requires.
    Length {
        /// Bytes by the header.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// A number in the header does not fit the key.
    Header {
        /// Its name in `bcrypt.h`.
        field: &'static str,
        /// The number that fits.
        expected: usize,
        /// The number that came.
        got: usize,
    },
    /// The key is on a curve other than P-256, P-384 and P-521.
    Curve,
    /// The key is an encrypted PKCS#8 structure.
    Encrypted,
    /// The key itself cannot be used.
    Key(Error),
}

impl KeyError {
    /// The status that the C interface returns.
    pub const fn status(self) -> SecurityStatus {
        match self {
            Self::Magic | Self::Length { .. } | Self::Header { .. } => {
                SecurityStatus::NTE_INVALID_PARAMETER
            }
            Self::Curve => SecurityStatus::NTE_BAD_TYPE,
            Self::Encrypted => SecurityStatus::NTE_NOT_SUPPORTED,
            Self::Key(error) => error.status(),
        }
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("key blob: magic does not match the blob type"),
            Self::Length { expected, got } => {
                write!(f, "key blob: expected {expected} bytes, got {got}")
            }
            Self::Header { field, expected, got } => {
                write!(f, "key blob: expected {field} {expected}, got {got}")
            }
            Self::Curve => f.write_str("expected a key on P-256, P-384 or P-521"),
            Self::Encrypted => f.write_str("expected an unencrypted key; decrypt it first"),
            Self::Key(error) => error.fmt(f),
        }
    }
}

impl error::Error for KeyError {}

impl From<Error> for KeyError {
    fn from(error: Error) -> Self {
        Self::Key(error)
    }
}
