//! The MAC of records: HMAC (RFC 5246 section 6.2.3.1), and what SSL 3.0 had before it
//! (RFC 6101 section 5.2.3.1). Also over a payload whose length is secret.

use zeroize::Zeroizing;

use crate::backend::{HashAlgorithm, HashContext, KeyExchangeBackend};
use crate::ct::Mask;
use crate::error::Error;
use crate::protocol::{Protocol, Schedule};
use crate::record::padding::Unpadded;

/// The longest MAC, which is that of SHA-384.
pub(super) const MAX_MAC_LEN: usize = 48;

/// The longest block of a hash, which is that of SHA-384.
const MAX_HASH_BLOCK_LEN: usize = 128;

/// What a MAC or an AEAD cipher covers besides the payload: sequence number, content type, version
/// and length. SSL 3.0 leaves out the version.
#[derive(Clone, Copy)]
pub(super) struct MacHeader {
    bytes: [u8; 13],
    len: usize,
}

impl MacHeader {
    /// The header for a payload of `payload_len` bytes, which may be secret.
    pub(super) fn new(
        protocol: Protocol,
        sequence_number: u64,
        content_type: u8,
        payload_len: usize,
    ) -> Self {
        let mut bytes = [0; 13];
        let [major, minor] = protocol.wire().to_be_bytes();
        let [.., high, low] = payload_len.to_be_bytes();
        let (number, rest) = bytes.split_at_mut(8);
        number.copy_from_slice(&sequence_number.to_be_bytes());
        let len = if protocol == Protocol::Ssl3 {
            rest.copy_from_slice(&[content_type, high, low, 0, 0]);
            11
        } else {
            rest.copy_from_slice(&[content_type, major, minor, high, low]);
            13
        };
        Self { bytes, len }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        // `len` is 11 or 13.
        &self.bytes[..self.len]
    }
}

/// The key of a MAC, as two hashes that have been fed all that comes before the message: of the
/// message, and of its hash.
pub(super) struct RecordMac {
    hash: HashAlgorithm,
    inner: Box<dyn HashContext>,
    outer: Box<dyn HashContext>,
}

impl RecordMac {
    /// Takes a key as long as the hash, which is shorter than a block of it.
    pub(super) fn new(
        backend: &dyn KeyExchangeBackend,
        schedule: Schedule,
        hash: HashAlgorithm,
        key: &[u8],
    ) -> Result<Self, Error> {
        let prefix = |ssl3_pad: u8, hmac_pad: u8| {
            let mut prefix = Zeroizing::new([0; MAX_HASH_BLOCK_LEN]);
            let (pad, len) = match (schedule, hash) {
                (Schedule::Ssl3, HashAlgorithm::Md5) => (ssl3_pad, key.len() + 48),
                (Schedule::Ssl3, _) => (ssl3_pad, key.len() + 40),
                _ => (hmac_pad, hash.block_len()),
            };
            let used = &mut prefix[..len];
            let (start, rest) = used.split_at_mut(key.len());
            rest.fill(pad);
            start.copy_from_slice(key);
            if schedule != Schedule::Ssl3 {
                start.iter_mut().for_each(|byte| *byte ^= pad);
            }
            let mut context = backend.hash_context(hash)?;
            context.update(used);
            Ok(context)
        };
        Ok(Self { hash, inner: prefix(0x36, 0x36)?, outer: prefix(0x5c, 0x5c)? })
    }

    /// Bytes of the MAC.
    pub(super) fn len(&self) -> usize {
        self.hash.output_len()
    }

    /// Writes the MAC of a message into `out`, which is [`len`](Self::len) bytes.
    pub(super) fn compute(
        &self,
        header: &MacHeader,
        message: &[u8],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let mut inner = self.inner.duplicate();
        inner.update(header.as_bytes());
        inner.update(message);
        inner.finish(out)?;
        self.finish(out)
    }

    /// Checks the MAC of a message, in time that does not depend on how much of it is right.
    pub(super) fn verify(
        &self,
        header: &MacHeader,
        message: &[u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        let mut expected = Zeroizing::new([0; MAX_MAC_LEN]);
        let expected = &mut expected[..self.len()];
        self.compute(header, message, expected)?;
        if Mask::eq_bytes(expected, tag).reveal() { Ok(()) } else { Err(Error::BadRecord) }
    }

    /// Checks the MAC that stands behind a payload of secret length, for every length that is
    /// possible, and keeps the result for the right one.
    pub(super) fn verify_unpadded(
        &self,
        header: impl Fn(usize) -> MacHeader,
        blocks: &[u8],
        unpadded: &Unpadded,
    ) -> Result<Unpadded, Error> {
        let Unpadded { good, payload_len, bounds: (shortest, longest) } = *unpadded;
        let mut expected = Zeroizing::new([0; MAX_MAC_LEN]);
        let mut candidate = Zeroizing::new([0; MAX_MAC_LEN]);
        let expected = &mut expected[..self.len()];
        let candidate = &mut candidate[..self.len()];

        // The bounds come from the length of the fragment, so they lie within it.
        let (always, window) = blocks.split_at(shortest);
        let mut running = self.inner.duplicate();
        running.update(header(payload_len).as_bytes());
        running.update(always);
        for (len, byte) in (shortest..=longest).zip(window) {
            running.duplicate().finish(candidate)?;
            Mask::eq_len(len, payload_len).merge(candidate, expected);
            running.update(&[*byte]);
        }
        self.finish(expected)?;

        let found =
            Mask::eq_bytes(expected, &extract(window, payload_len - shortest)[..self.len()]);
        Ok(Unpadded { good: good.and(found), ..*unpadded })
    }

    /// From the hash of the message to the MAC, in place.
    fn finish(&self, hash: &mut [u8]) -> Result<(), Error> {
        let mut outer = self.outer.duplicate();
        outer.update(hash);
        outer.finish(hash)
    }
}

/// Most bytes that a MAC and padding before it can take, and room to shift them.
const WINDOW_LEN: usize = 256 + 256 + MAX_MAC_LEN;

/// The bytes of `window` from `offset` on, which is secret and less than 256: the window is moved by
/// each power of two, or not.
fn extract(window: &[u8], offset: usize) -> Zeroizing<[u8; WINDOW_LEN]> {
    let mut bytes = Zeroizing::new([0; WINDOW_LEN]);
    for (to, from) in bytes.iter_mut().zip(window) {
        *to = *from;
    }
    let mut before = Zeroizing::new([0; WINDOW_LEN]);
    for bit in 0..8 {
        let move_by = 1 << bit;
        before.copy_from_slice(bytes.as_slice());
        Mask::bit(offset, bit).replace(&before[move_by..], bytes.as_mut_slice());
    }
    bytes
}
