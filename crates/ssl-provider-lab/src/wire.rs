//! Reads the fields of a message one after the other, and writes fields behind their length.
//! Nothing here indexes by what a peer sent, so that no length field can make it panic.

/// What is left of a message. A field that does not fit is none.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A message of which nothing was read.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `len` bytes.
    pub fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// A number of one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    /// A number of two bytes.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// A number of three bytes.
    pub fn u24(&mut self) -> Option<usize> {
        let [a, b, c] = self.array()?;
        Some(usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c))
    }

    /// A field behind its length in one byte.
    pub fn vec8(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        self.take(usize::from(len))
    }

    /// A field behind its length in two bytes.
    pub fn vec16(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A field behind its length in three bytes.
    pub fn vec24(&mut self) -> Option<&'a [u8]> {
        let len = self.u24()?;
        self.take(len)
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Writes what `body` writes, behind its length in `N` bytes. The content has to fit.
pub(crate) fn put_vec<const N: usize>(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([0; N]);
    body(out);
    let len = (out.len() - start - N) as u64;
    debug_assert!(len >> (8 * N) == 0, "longer than its length field can say");
    let len = len.to_be_bytes();
    out[start..start + N].copy_from_slice(&len[len.len() - N..]);
}

/// Writes a handshake message around what `body` writes (RFC 5246 section 7.4).
pub(crate) fn put_message(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    put_vec::<3>(out, body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        put_message(&mut out, 7, |out| {
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
    fn a_field_that_does_not_fit_is_none() {
        let mut reader = Reader::new(&[2, 1]);
        assert_eq!(reader.vec8(), None);
        assert_eq!(Reader::new(&[0, 0]).u24(), None);
        assert_eq!(Reader::new(&[0]).u16(), None);
        assert_eq!(Reader::new(&[0, 0, 1]).vec24(), None);
    }
}
