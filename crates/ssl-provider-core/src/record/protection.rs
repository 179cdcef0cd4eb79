//! How the fragments of one direction are protected: the trait that stream ciphers, CBC and AEAD
//! implement. Headers, sequence numbers and buffers are the business of the record key.

use crate::error::Error;
use crate::record::mac::MacHeader;
use crate::record::padding::Verdict;
use crate::version::ProtocolVersion;

/// The protection of one direction, with what carries over from record to record.
pub(super) trait Protection: Send + Sync {
    /// Returns the bytes that stand between header and payload: an IV or a part of the nonce.
    fn explicit_len(&self) -> usize {
        0
    }

    /// Returns the bytes behind those of [`explicit_len`](Self::explicit_len) for a payload.
    fn sealed_len(&self, payload_len: usize) -> usize;

    /// Returns the fewest bytes that sealing adds behind those of
    /// [`explicit_len`](Self::explicit_len).
    fn overhead(&self) -> usize {
        self.sealed_len(0)
    }

    /// Takes note of the number of a record before it is sealed.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when no record may be sealed under this number.
    fn start_sealing(&mut self, _sequence_number: u64) -> Result<(), Error> {
        Ok(())
    }

    /// Encrypts a fragment of [`explicit_len`](Self::explicit_len) and
    /// [`sealed_len`](Self::sealed_len) bytes.
    fn seal(
        &mut self,
        header: &RecordHeader,
        payload: Payload<'_>,
        fragment: &mut [u8],
    ) -> Result<(), Error>;

    /// Decrypts and checks a fragment in place, and returns the length of its payload, which stands
    /// behind the bytes of [`explicit_len`](Self::explicit_len).
    fn open(&mut self, header: &RecordHeader, fragment: &mut [u8]) -> Result<usize, Error>;

    /// Returns the content type of a fragment that [`open`](Self::open) has opened, whose payload
    /// has `payload_len` bytes.
    fn content_type(&self, header: &RecordHeader, _fragment: &[u8], _payload_len: usize) -> u8 {
        header.content_type
    }

    /// Checks padding and MAC of CBC blocks that have been decrypted.
    fn verify_padding_and_mac(
        &self,
        _header: &RecordHeader,
        _blocks: &[u8],
    ) -> Result<Verdict, Error> {
        Err(super::BAD_CBC_BLOCKS)
    }

    /// Returns the IV or salt that a copy of this key starts with now.
    fn iv(&self) -> &[u8] {
        &[]
    }

    /// Returns how far the key is used up: bytes of key stream for RC4, the next sequence number
    /// for AEAD ciphers, 0 for others.
    fn position(&self) -> u64 {
        0
    }

    /// Goes on from a [`position`](Self::position), with a key that is new.
    fn resume_at(&mut self, position: u64) -> Result<(), Error> {
        if position == 0 { Ok(()) } else { Err(super::BAD_POSITION) }
    }
}

/// The header of a record, but for its length.
#[derive(Clone, Copy)]
pub(super) struct RecordHeader {
    pub(super) version: ProtocolVersion,
    pub(super) sequence_number: u64,
    pub(super) content_type: u8,
}

impl RecordHeader {
    /// Returns what a MAC or an AEAD cipher covers, for `len` bytes, which may be secret.
    pub(super) fn mac_header(&self, len: usize) -> MacHeader {
        MacHeader::new(self.version, self.sequence_number, self.content_type, len)
    }
}

/// Where the payload of a record is that is being written.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// In its place in the record; so many bytes.
    InPlace(usize),
    /// Elsewhere.
    Apart(&'a [u8]),
}

impl Payload<'_> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::InPlace(len) => len,
            Self::Apart(payload) => payload.len(),
        }
    }

    /// Copies a payload that is elsewhere to `place`, which has its length.
    pub(super) fn copy_to(self, place: &mut [u8]) {
        if let Self::Apart(payload) = self {
            place.copy_from_slice(payload);
        }
    }
}
