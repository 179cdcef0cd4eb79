//! A sliding window over an input of any length: the bytes that a parser looks at next.
//! Grows to what is asked for, which the caller bounds, and knows its offset in the input.

use std::io::{self, Read};

use super::reader::CaptureError;

/// Bytes that are read at a time.
const CHUNK: usize = 256 * 1024;

/// The part of `input` that is in memory.
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; CHUNK], start: 0, end: 0, offset: 0 }
    }

    /// Where the window starts in the input.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The first `len` bytes of the window, or none at the end of the input.
    ///
    /// # Errors
    ///
    /// Fails when reading does, and when the input ends within these bytes.
    pub(super) fn head(&mut self, len: usize) -> Result<Option<&[u8]>, CaptureError> {
        let offset = self.offset;
        if self.peek(len)?.is_none() {
            let ended = self.available().is_empty();
            return if ended { Ok(None) } else { Err(CaptureError::Truncated { offset }) };
        }
        self.peek(len)
    }

    /// The first `len` bytes of the window, or none where the input has no such bytes any more.
    ///
    /// # Errors
    ///
    /// Fails when reading does.
    pub(super) fn peek(&mut self, len: usize) -> Result<Option<&[u8]>, CaptureError> {
        Ok(self.peek_mut(len)?.map(|bytes| &*bytes))
    }

    /// The same bytes to be rewritten in memory.
    ///
    /// # Errors
    ///
    /// Fails when reading does.
    pub(super) fn peek_mut(&mut self, len: usize) -> Result<Option<&mut [u8]>, CaptureError> {
        let offset = self.offset;
        self.fill(len).map_err(|error| CaptureError::Io { offset, error })?;
        Ok(self.buffer.get_mut(self.start..self.end).and_then(|window| window.get_mut(..len)))
    }

    /// The bytes that are in memory without reading further.
    pub(super) fn available(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Moves on by `len` bytes.
    ///
    /// # Errors
    ///
    /// Fails when reading does, and when the input has fewer bytes.
    pub(super) fn skip(&mut self, len: u64) -> Result<(), CaptureError> {
        let offset = self.offset;
        let mut left = len;
        loop {
            let step = left.min(self.available().len() as u64);
            // `step` is at most the length of `available()`.
            self.start += usize::try_from(step).unwrap_or(usize::MAX);
            self.offset += step;
            left -= step;
            if left == 0 {
                return Ok(());
            }
            self.fill(1).map_err(|error| CaptureError::Io { offset, error })?;
            if self.available().is_empty() {
                return Err(CaptureError::Truncated { offset });
            }
        }
    }

    /// Reads until the window has `wanted` bytes or the input ends.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        if self.available().len() >= wanted {
            return Ok(());
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        while self.end < wanted {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_grows_slides_and_ends() {
        let input: Vec<u8> = (0..600_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut window = Window::new(&input[..]);
        assert_eq!(window.peek(4).unwrap(), Some(&[0, 1, 2, 3][..]));
        window.skip(2).unwrap();
        assert_eq!(window.peek(500_000).unwrap().unwrap().len(), 500_000);
        window.skip(599_990).unwrap();
        assert_eq!(window.offset(), 599_992);
        assert_eq!(window.peek(9).unwrap(), None);
        assert_eq!(window.peek(8).unwrap().unwrap().len(), 8);
        assert!(window.head(9).is_err());
        assert!(window.skip(9).is_err());
    }
}
