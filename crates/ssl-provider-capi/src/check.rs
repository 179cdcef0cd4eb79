//! Checks and outputs that many exports share.

use ssl_provider::Error;

use crate::failure::Failure;
use crate::pointer::{Out, OutBytes, OutSlot, usize_of};

/// Refuses flags where the interface defines none.
pub(crate) fn no_flags(flags: u32) -> Result<(), Error> {
    if flags == 0 { Ok(()) } else { Err(Error::BadFlags { given: flags }) }
}

/// An output whose size the caller may query first, with a NULL buffer.
#[derive(Debug)]
pub(crate) struct SizedOutput {
    output: OutBytes,
    len: u32,
    result_len: OutSlot<u32>,
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

    /// Returns whether this is a size query, with a NULL buffer. Writes the size for a query, and
    /// for a buffer that is too small.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`].
    pub(crate) fn answer_size_query(&self, len: usize) -> Result<bool, Error> {
        let fits = self.output.is_null() || len <= usize_of(self.len);
        if self.output.is_null() || !fits {
            self.write_len(len)?;
        }
        if fits { Ok(self.output.is_null()) } else { Err(Error::BufferTooSmall { needed: len }) }
    }

    /// Writes `bytes` and their number, or for a size query the number alone.
    ///
    /// Writes nothing to a buffer that is too small, and the number that it needs.
    ///
    /// # Safety
    ///
    /// Unless the buffer is NULL, it must be valid for writing as many bytes as its size.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`].
    pub(crate) unsafe fn write(self, bytes: &[u8]) -> Result<(), Failure> {
        // SAFETY: the caller of this function promises what that one asks for.
        unsafe { self.write_with(bytes, &[]) }
    }

    /// As [`write`](Self::write), and writes `behind` after the bytes, for which the buffer needs
    /// room too. The number that is written is that of the bytes alone.
    ///
    /// # Safety
    ///
    /// As for [`write`](Self::write).
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`].
    pub(crate) unsafe fn write_with(self, bytes: &[u8], behind: &[u8]) -> Result<(), Failure> {
        if self.answer_size_query(bytes.len() + behind.len())? {
            return Ok(());
        }
        // SAFETY: the caller of this function promises room for `self.len` bytes.
        unsafe { self.output.write(self.len, bytes, "pbOutput is NULL") }?;
        // SAFETY: as above; the place is inside, since there is room for both.
        unsafe { self.output.write_at(bytes.len(), behind) };
        Ok(self.write_len(bytes.len())?)
    }

    fn write_len(&self, len: usize) -> Result<(), Error> {
        let len = u32::try_from(len).map_err(|_| Error::Internal("an output longer than 4 GiB"))?;
        self.result_len.write(len);
        Ok(())
    }
}
