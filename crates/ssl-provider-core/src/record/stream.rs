//! Records under a stream cipher, or none, with a MAC (RFC 5246 section 6.2.3.1).

use zeroize::Zeroizing;

use crate::backend::StreamCipher;
use crate::error::Error;
use crate::record::mac::RecordMac;
use crate::record::protection::{Payload, Protection, RecordHeader};

/// NULL or RC4, with a MAC that stands before the encryption.
pub(super) struct Stream {
    pub(super) cipher: Option<Box<dyn StreamCipher>>,
    pub(super) mac: RecordMac,
    /// How many bytes of key stream are used up.
    pub(super) position: u64,
}

impl Stream {
    fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        let Some(cipher) = &mut self.cipher else { return Ok(()) };
        self.position += bytes.len() as u64;
        cipher.apply(bytes)
    }
}

impl Protection for Stream {
    fn sealed_len(&self, payload_len: usize) -> usize {
        payload_len + self.mac.len()
    }

    fn seal(
        &mut self,
        header: &RecordHeader,
        payload: Payload<'_>,
        fragment: &mut [u8],
    ) -> Result<(), Error> {
        let (text, tag) = fragment.split_at_mut(payload.len());
        payload.copy_to(text);
        self.mac.compute(&header.mac_header(text.len()), text, tag)?;
        self.apply(fragment)
    }

    fn open(&mut self, header: &RecordHeader, fragment: &mut [u8]) -> Result<usize, Error> {
        let payload_len = fragment.len().checked_sub(self.mac.len()).ok_or(Error::BadRecord)?;
        self.apply(fragment)?;
        let (payload, tag) = fragment.split_at(payload_len);
        self.mac.verify(&header.mac_header(payload_len), payload, tag)?;
        Ok(payload_len)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn resume_at(&mut self, position: u64) -> Result<(), Error> {
        if self.cipher.is_none() && position != 0 {
            return Err(super::BAD_POSITION);
        }
        let mut key_stream = Zeroizing::new([0; 1024]);
        let mut left = position;
        while left > 0 {
            let step = left.min(1024);
            // At most the length of the buffer.
            let bytes = usize::try_from(step).unwrap_or_default();
            self.apply(&mut key_stream[..bytes])?;
            left -= step;
        }
        Ok(())
    }
}
