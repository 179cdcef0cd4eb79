//! Records under an AEAD cipher (RFC 5246 section 6.2.3.3).

use ssl_provider_memory::SecretBytes;

use crate::backend::{AeadCipher, NONCE_LEN};
use crate::error::Error;
use crate::record::protection::{Payload, Protection, RecordHeader};

/// Bytes of a nonce that come from the key block where the record carries the rest.
const SALT_LEN: usize = 4;

/// An AEAD cipher, whose nonce is made of the write IV in one of two ways.
pub(super) struct Aead {
    cipher: Box<dyn AeadCipher>,
    tag_len: usize,
    write_iv: SecretBytes,
    /// The lowest sequence number that may be sealed next.
    next: u64,
}

impl Aead {
    /// Takes a write IV of 4 bytes, after which the record carries the other 8 of the nonce
    /// (RFC 5288 section 3), or of 12 bytes, to which the sequence number is added by exclusive or
    /// (RFC 7905 section 2).
    pub(super) fn new(cipher: Box<dyn AeadCipher>, tag_len: usize, write_iv: &[u8]) -> Self {
        Self { cipher, tag_len, write_iv: SecretBytes::copied(write_iv), next: 0 }
    }

    /// Returns the nonce of a record, of which `explicit` is what the record carries.
    fn nonce(&self, sequence_number: u64, explicit: &[u8]) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        for (to, from) in nonce.iter_mut().zip(self.write_iv.iter().chain(explicit)) {
            *to = *from;
        }
        if explicit.is_empty() {
            for (to, byte) in nonce.iter_mut().rev().zip(sequence_number.to_le_bytes()) {
                *to ^= byte;
            }
        }
        nonce
    }
}

impl Protection for Aead {
    fn explicit_len(&self) -> usize {
        if self.write_iv.len() == SALT_LEN { NONCE_LEN - SALT_LEN } else { 0 }
    }

    fn sealed_len(&self, payload_len: usize) -> usize {
        payload_len + self.tag_len
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
        let (explicit, rest) = fragment.split_at_mut(self.explicit_len());
        // The explicit nonce is the sequence number, 8 bytes, where there is one.
        for (to, byte) in explicit.iter_mut().zip(header.sequence_number.to_be_bytes()) {
            *to = byte;
        }
        let (text, tag) = rest.split_at_mut(payload.len());
        let nonce = self.nonce(header.sequence_number, explicit);
        let aad = header.mac_header(text.len());
        match payload {
            Payload::InPlace(_) => self.cipher.seal(&nonce, aad.as_bytes(), text, tag),
            Payload::Apart(payload) => {
                self.cipher.seal_apart(&nonce, aad.as_bytes(), payload, text, tag)
            }
        }
    }

    fn open(&mut self, header: &RecordHeader, fragment: &mut [u8]) -> Result<usize, Error> {
        let (explicit, rest) = fragment
            .split_at_mut_checked(self.explicit_len())
            .filter(|(_, rest)| rest.len() >= self.tag_len)
            .ok_or(Error::BadRecord)?;
        let payload_len = rest.len() - self.tag_len;
        let (text, tag) = rest.split_at_mut(payload_len);
        let nonce = self.nonce(header.sequence_number, explicit);
        self.cipher.open(&nonce, header.mac_header(payload_len).as_bytes(), text, tag)?;
        Ok(payload_len)
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

/// Returns the number after that of a record, whose lowest is `lowest`: no nonce is used twice,
/// since two records under one nonce give away the plaintext and the key of the tags.
pub(super) fn next_number(sequence_number: u64, lowest: u64) -> Result<u64, Error> {
    if sequence_number < lowest {
        return Err(USED_SEQUENCE_NUMBER);
    }
    sequence_number.checked_add(1).ok_or(LAST_SEQUENCE_NUMBER)
}

const LAST_SEQUENCE_NUMBER: Error =
    Error::InvalidParameter("sequence number: expected less than 2^64 - 1");
const USED_SEQUENCE_NUMBER: Error = Error::InvalidParameter(
    "sequence number: expected a larger one than the last (AEAD nonces must not repeat)",
);
