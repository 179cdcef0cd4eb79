//! Records of TLS 1.3 (RFC 8446 section 5): the content type is encrypted behind the payload, with
//! zeros behind it as padding.

use ssl_provider_memory::SecretBytes;

use crate::backend::{AeadCipher, NONCE_LEN};
use crate::ct::Mask;
use crate::error::Error;
use crate::record::aead::next_number;
use crate::record::protection::{Payload, Protection, RecordHeader};
use crate::record::{HEADER_LEN, MAX_PAYLOAD_LEN};

/// Most bytes of an encrypted record behind its header (RFC 8446 section 5.2).
pub(super) const MAX_CIPHERTEXT_LEN: usize = MAX_PAYLOAD_LEN + 256;

/// Most bytes that are encrypted: payload, content type, padding (RFC 8446 section 5.4).
const MAX_INNER_LEN: usize = MAX_PAYLOAD_LEN + 1;

/// The content type on the wire, whatever is inside.
pub(super) const APPLICATION_DATA: u8 = 23;

/// An AEAD cipher with the nonces of RFC 8446 section 5.3.
pub(super) struct Tls13 {
    cipher: Box<dyn AeadCipher>,
    tag_len: usize,
    write_iv: SecretBytes,
    padding_block: usize,
    /// The lowest sequence number that may be sealed next.
    next: u64,
}

impl Tls13 {
    /// Takes a write IV of 12 bytes. Payload and content type are padded to a multiple of
    /// `padding_block`, if it is not 0.
    pub(super) fn new(
        cipher: Box<dyn AeadCipher>,
        tag_len: usize,
        write_iv: &[u8],
        padding_block: usize,
    ) -> Self {
        let write_iv = SecretBytes::copied(write_iv);
        Self { cipher, tag_len, write_iv, padding_block, next: 0 }
    }

    fn nonce(&self, sequence_number: u64) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip(self.write_iv.iter()) {
            *to = *from;
        }
        for (to, byte) in nonce.iter_mut().rev().zip(sequence_number.to_le_bytes()) {
            *to ^= byte;
        }
        nonce
    }

    /// What is authenticated: the header on the wire (RFC 8446 section 5.2).
    fn additional_data(fragment_len: usize) -> [u8; HEADER_LEN] {
        let [.., high, low] = fragment_len.to_be_bytes();
        [APPLICATION_DATA, 3, 3, high, low]
    }
}

impl Protection for Tls13 {
    fn sealed_len(&self, payload_len: usize) -> usize {
        let inner = payload_len + 1;
        let padded = match self.padding_block {
            0 => inner,
            // Never shorter than what is padded.
            block => inner.next_multiple_of(block).min(MAX_INNER_LEN).max(inner),
        };
        padded + self.tag_len
    }

    fn overhead(&self) -> usize {
        1 + self.tag_len
    }

    fn start_sealing(&mut self, sequence_number: u64) -> Result<(), Error> {
        self.next = next_number(sequence_number, self.next)?;
        Ok(())
    }

    fn seal(
        &mut self,
        header: &RecordHeader,
        payload: Payload<'_>,
        fragment: &mut [u8],
    ) -> Result<(), Error> {
        let additional_data = Self::additional_data(fragment.len());
        let nonce = self.nonce(header.sequence_number);
        let (text, tag) = fragment.split_at_mut(fragment.len() - self.tag_len);
        let (_, rest) = text.split_at_mut(payload.len());
        rest.fill(0);
        if let Some(content_type) = rest.first_mut() {
            *content_type = header.content_type;
        }
        match payload {
            Payload::InPlace(_) => self.cipher.seal(&nonce, &additional_data, text, tag),
            Payload::Apart(payload) => {
                self.cipher.seal_apart(&nonce, &additional_data, payload, text, tag)
            }
        }
    }

    /// Returns the length of the payload, behind which the content type stands.
    fn open(&mut self, header: &RecordHeader, fragment: &mut [u8]) -> Result<usize, Error> {
        let additional_data = Self::additional_data(fragment.len());
        let nonce = self.nonce(header.sequence_number);
        let text_len = fragment.len().checked_sub(self.tag_len).ok_or(Error::BadRecord)?;
        let (text, tag) = fragment.split_at_mut(text_len);
        self.cipher.open(&nonce, &additional_data, text, tag)?;
        // The record is authentic: what follows tells nobody anything but its writer.
        if text.len() > MAX_INNER_LEN {
            return Err(Error::RecordOverflow);
        }
        payload_len(text).ok_or(Error::UnexpectedRecord)
    }

    fn content_type(&self, _header: &RecordHeader, fragment: &[u8], payload_len: usize) -> u8 {
        fragment.get(payload_len).copied().unwrap_or_default()
    }

    fn iv(&self) -> &[u8] {
        &self.write_iv
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn resume_at(&mut self, position: u64) -> Result<(), Error> {
        self.next = position;
        Ok(())
    }
}

/// Returns where the last byte stands that is not zero; none where all are.
///
/// Whether a record is padded at all is revealed, how much is not: the padding is there to hide how
/// long the payload is (RFC 8446 appendix E.3).
fn payload_len(text: &[u8]) -> Option<usize> {
    let (last, before) = text.split_last()?;
    if !Mask::is_zero(*last).reveal() {
        return Some(before.len());
    }
    let (mut len, mut found) = (0, Mask::public(false));
    for (place, byte) in before.iter().enumerate() {
        let is_set = Mask::is_zero(*byte).not();
        len = is_set.choose_len(place, len);
        found = found.or(is_set);
    }
    // An empty record is the fault of its writer, who holds the key.
    found.reveal().then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_ends_before_the_last_byte_that_is_not_zero() {
        for len in 0..40 {
            for padding in 0..40 {
                let text = [&vec![0; len][..], &[22], &vec![0; padding]].concat();
                assert_eq!(payload_len(&text), Some(len));
            }
        }
        for zeros in 0..40 {
            assert_eq!(payload_len(&vec![0; zeros]), None);
        }
    }
}
