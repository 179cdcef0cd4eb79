//! Checks and outputs that many exports share.

use ssl_provider::Error;

use crate::failure::Failure;
use crate::pointer::{Out, OutBytes, Place};

/// Refuses flags where the interface defines none.
pub(crate) fn no_flags(flags: u32) -> Result<(), Error> {
    if flags == 0 { Ok(()) } else { Err(Error::BadFlags { given: flags }) }
}

/// An answer of a size that the caller may ask for first, with a NULL buffer.
#[derive(Debug)]
pub(crate) struct SizedOutput {
    output: OutBytes,
    len: u32,
    result_len: Place<u32>,
}

impl SizedOutput {
    /// Takes `pbOutput`, `cbOutput` and `pcbResult`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when `pcbResult` is NULL.
    pub(crate) fn new(output: OutBytes, len: u32, result_len: Out<u32>) -> Result<Self, Error> {
        Ok(Self { output, len, result_len: result_len.required("pcbResult is NULL")? })
    }

    /// Answers with `bytes`, or with their number where the buffer is NULL.
    ///
    /// A buffer that is too small gets nothing, and the caller the number that it takes.
    ///
    /// # Safety
    ///
    /// Unless the buffer is NULL, as many bytes as its size says must be valid for writing.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`].
    pub(crate) unsafe fn write(self, bytes: &[u8]) -> Result<(), Failure> {
        let len = u32::try_from(bytes.len())
            .map_err(|_| Error::Internal("an answer longer than 4 GiB"))?;
        let outcome = if self.output.is_null() {
            Ok(())
        } else {
            // SAFETY: the caller of this function promises room for `self.len` bytes.
            unsafe { self.output.write(self.len, bytes, "pbOutput is NULL") }
        };
        if matches!(outcome, Ok(()) | Err(Error::BufferTooSmall { .. })) {
            self.result_len.write(len);
        }
        Ok(outcome?)
    }
}
