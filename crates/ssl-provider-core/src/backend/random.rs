//! The kind of random numbers.

use std::fmt;

use crate::error::Error;
use crate::operation::Operation;

/// A generator of random numbers that is fit for keys.
pub trait SecureRandom: fmt::Debug + Send + Sync {
    /// Fills `out`.
    ///
    /// # Errors
    ///
    /// [`Error::Random`] when the generator fails.
    fn fill(&self, _out: &mut [u8]) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Random))
    }
}
