//! Reads the fields of a message one after the other, and writes fields behind their length.
//! How much a parser requires, and the error of a message that does not meet it.

use std::fmt;

use crate::alert::Alert;

/// How much a parser requires of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// All that an endpoint must check.
    Strict,
    /// No more than it takes to find the fields. For readers of captures, where both endpoints have
    /// accepted what they received.
    Lenient,
}

impl View {
    /// Fails with `reason` in the strict view, unless `good`.
    pub(crate) fn require(self, good: bool, reason: &'static str) -> Result<(), Malformed> {
        if good || self == Self::Lenient { Ok(()) } else { Err(reason.into()) }
    }
}

/// A malformed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field that is wrong, and how.
    pub reason: &'static str,
    /// The alert that an endpoint sends.
    pub alert: Alert,
}

impl From<&'static str> for Malformed {
    /// The usual case: a length out of range.
    fn from(reason: &'static str) -> Self {
        Self { reason, alert: Alert::DecodeError }
    }
}

impl From<Malformed> for Alert {
    fn from(malformed: Malformed) -> Self {
        malformed.alert
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Malformed {}

/// The unread rest of a message. Each method returns `None` for a field that exceeds it.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts at the first byte of a message.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads the next `len` bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// Reads the next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// Reads a number of one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// Reads a number of two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// Reads a number of three bytes.
    pub fn u24(&mut self) -> Option<usize> {
        let [a, b, c] = self.array()?;
        Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    /// Reads a field behind its length in one byte.
    pub fn vec8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// Reads a field behind its length in two bytes.
    pub fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// Reads a field behind its length in three bytes.
    pub fn vec24(&mut self) -> Option<&'a [u8]> {
        let len = self.u24()?;
        self.take(len)
    }

    /// Returns all that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Returns whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes what `body` writes, behind its length in `N` bytes. The content has to fit.
pub fn put_vec<const N: usize>(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; N]);
    body(out);
    let len = (out.len() - start - N) as u64;
    debug_assert!(len >> (8 * N) == 0, "longer than its length field can express");
    let len = len.to_be_bytes();
    out[start..start + N].copy_from_slice(&len[len.len() - N..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{HandshakeType, put_message};

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        put_message(&mut out, HandshakeType(7), |out| {
            put_vec::<2>(out, |out| out.extend([1, 2, 3]));
            put_vec::<1>(out, |_| {});
        });
        assert_eq!(out, [7, 0, 0, 6, 0, 3, 1, 2, 3, 0]);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.u8(), Some(7));
        let mut body = Reader::new(reader.vec24().unwrap());
        assert_eq!((body.vec16(), body.vec8()), (Some(&[1, 2, 3][..]), Some(&[][..])));
        assert!(reader.is_empty() && body.is_empty());
    }

    #[test]
    fn a_field_that_exceeds_the_message_is_none() {
        let mut reader = Reader::new(&[2, 1]);
        assert_eq!(reader.vec8(), None);
        assert_eq!(Reader::new(&[0, 0]).u24(), None);
        assert_eq!(Reader::new(&[0]).u16(), None);
        assert_eq!(Reader::new(&[0, 0, 1]).vec24(), None);
    }
}
