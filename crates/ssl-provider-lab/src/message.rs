//! Handshake messages: their numbers, and how they are put together out of records.
//! One may span records, and one record may hold several (RFC 5246 section 6.2.1).

use crate::alert::Alert;
use crate::wire::Reader;

pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const CERTIFICATE: u8 = 11;
pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
pub(crate) const SERVER_HELLO_DONE: u8 = 14;
pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
pub(crate) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(crate) const FINISHED: u8 = 20;

/// Bytes before the body of a message: its type and its length.
pub(crate) const HEADER_LEN: usize = 4;

/// Puts messages together. Holds less than one message between two records.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    bytes: Vec<u8>,
}

impl Assembler {
    /// Adds the payload of a record.
    pub(crate) fn extend(&mut self, payload: &[u8]) {
        self.bytes.extend_from_slice(payload);
    }

    /// Whether a message has begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes the next message, with its header, when it is whole. `max_len` says how long the body
    /// of a type may be, or why that type may not come now; it is asked as soon as the type is
    /// known, so that nothing is collected in vain.
    pub(crate) fn next(
        &mut self,
        max_len: impl FnOnce(u8) -> Result<usize, Alert>,
    ) -> Result<Option<Vec<u8>>, Alert> {
        let mut reader = Reader::new(&self.bytes);
        let Some(kind) = reader.u8() else { return Ok(None) };
        let max_len = max_len(kind)?;
        let Some(len) = reader.u24() else { return Ok(None) };
        if len > max_len {
            return Err(Alert::DecodeError);
        }
        if reader.rest().len() < len {
            return Ok(None);
        }
        let rest = self.bytes.split_off(HEADER_LEN + len);
        Ok(Some(std::mem::replace(&mut self.bytes, rest)))
    }
}

/// The body behind the header.
pub(crate) fn body(message: &[u8]) -> &[u8] {
    message.get(HEADER_LEN..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(_: u8) -> Result<usize, Alert> {
        Ok(100)
    }

    #[test]
    fn messages_come_out_whole_however_they_are_cut() {
        let messages: [&[u8]; 3] = [&[1, 0, 0, 2, 9, 9], &[14, 0, 0, 0], &[20, 0, 0, 1, 7]];
        let stream = messages.concat();
        for piece_len in 1..=stream.len() {
            let mut assembler = Assembler::default();
            let mut found = Vec::new();
            for piece in stream.chunks(piece_len) {
                assembler.extend(piece);
                while let Some(message) = assembler.next(any).unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, messages, "{piece_len}");
            assert!(assembler.is_empty());
        }
    }

    #[test]
    fn a_type_is_refused_at_its_first_byte_and_a_length_with_the_header() {
        let mut assembler = Assembler::default();
        assembler.extend(&[9]);
        let refused = assembler.next(|_| Err(Alert::UnexpectedMessage));
        assert_eq!(refused, Err(Alert::UnexpectedMessage));
        assembler.extend(&[0, 0, 101]);
        assert_eq!(assembler.next(any), Err(Alert::DecodeError));
    }
}
