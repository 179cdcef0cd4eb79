//! The MAC of records: HMAC (RFC 5246 section 6.2.3.1), and what SSL 3.0 had before it
//! (RFC 6101 section 5.2.3.1). Also over a payload whose length is secret.

use ssl_provider_memory::SecretBytes;
use zeroize::Zeroizing;

use crate::algorithm::HashAlgorithm;
use crate::backend::{Backend, CompressionFunction, HashContext};
use crate::ct::Mask;
use crate::error::Error;
use crate::record::padding::Verdict;
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::security_parameters::SecurityParameters;
use crate::version::{KeySchedule, ProtocolVersion};

/// The longest MAC, which is that of SHA-384.
pub(super) const MAX_MAC_LEN: usize = 48;

/// The longest block of a hash, which is that of SHA-384.
const MAX_HASH_BLOCK_LEN: usize = 128;

/// What a MAC or an AEAD cipher covers besides the payload: sequence number, content type, version
/// and length. SSL 3.0 leaves out the version.
#[derive(Clone, Copy)]
pub(super) struct MacHeader {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
}

impl MacHeader {
    const MAX_LEN: usize = 13;

    /// The header for a payload of `payload_len` bytes, which may be secret.
    pub(super) fn new(
        version: ProtocolVersion,
        sequence_number: u64,
        content_type: u8,
        payload_len: usize,
    ) -> Self {
        let mut bytes = [0; Self::MAX_LEN];
        let [major, minor] = version.wire().to_be_bytes();
        let [.., high, low] = payload_len.to_be_bytes();
        let (number, rest) = bytes.split_at_mut(8);
        number.copy_from_slice(&sequence_number.to_be_bytes());
        let len = if version == ProtocolVersion::SSL3 {
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

/// The key of a MAC: what comes before the message, and two hashes that have been fed all that
/// comes before it, and before its hash.
pub(super) struct RecordMac {
    backend: Backend,
    hash: HashAlgorithm,
    prefix: Prefix,
    /// SSL 3.0 hashes the key anew with every record, as its prefix is no whole block.
    hashes_key: bool,
    inner: Box<dyn HashContext>,
    outer: Box<dyn HashContext>,
}

impl RecordMac {
    /// Takes a key as long as the hash, which is shorter than a block of it.
    pub(super) fn new(
        parameters: &SecurityParameters,
        hash: HashAlgorithm,
        key: &[u8],
    ) -> Result<Self, Error> {
        let (backend, schedule) = (parameters.backend(), parameters.schedule());
        let prefix = Prefix::new(schedule, hash, key, 0x36);
        let mut inner = backend.hashing().hash_context(hash)?;
        inner.update(prefix.as_bytes());
        let mut outer = backend.hashing().hash_context(hash)?;
        outer.update(Prefix::new(schedule, hash, key, 0x5c).as_bytes());
        let hashes_key = schedule == KeySchedule::Ssl3;
        Ok(Self { backend: backend.clone(), hash, prefix, hashes_key, inner, outer })
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
        self.wiping(|| {
            let mut inner = self.inner.duplicate();
            inner.update(header.as_bytes());
            inner.update(message);
            inner.finish(out)?;
            self.finish(out)
        })
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

    /// Checks the MAC that stands behind a payload of secret length. Time and memory access follow
    /// from the length of `blocks` alone.
    pub(super) fn verify_behind_padding(
        &self,
        header: impl Fn(usize) -> MacHeader,
        blocks: &[u8],
        unpadded: &Verdict,
    ) -> Result<Verdict, Error> {
        let message = Message {
            header: header(unpadded.payload_len),
            blocks,
            len: unpadded.payload_len,
            bounds: unpadded.bounds,
        };
        let mut expected = Zeroizing::new([0; MAX_MAC_LEN]);
        let expected = &mut expected[..self.len()];
        self.wiping(|| {
            match self.backend.hashing().compression_function(self.hash) {
                Ok(mut compression) => self.hash_by_blocks(&mut *compression, &message, expected),
                Err(Error::Unsupported(_)) => self.hash_by_lengths(&message, expected)?,
                Err(error) => return Err(error),
            }
            self.finish(expected)
        })?;

        // The bounds come from the length of the fragment, so they lie within it.
        let (shortest, _) = unpadded.bounds;
        let found = extract(&blocks[shortest..], unpadded.payload_len - shortest);
        let is_right = Mask::eq_bytes(expected, &found[..self.len()]);
        Ok(Verdict { good: unpadded.good.and(is_right), ..*unpadded })
    }

    /// Hashes a message of secret length once for every length that is possible.
    fn hash_by_lengths(&self, message: &Message<'_>, out: &mut [u8]) -> Result<(), Error> {
        let mut candidate = Zeroizing::new([0; MAX_MAC_LEN]);
        let candidate = &mut candidate[..self.len()];
        let (shortest, longest) = message.bounds;
        let (always, window) = message.blocks.split_at(shortest);
        let mut running = self.inner.duplicate();
        running.update(message.header.as_bytes());
        running.update(always);
        for (len, byte) in (shortest..=longest).zip(window) {
            running.duplicate().finish(candidate)?;
            Mask::eq_len(len, message.len).merge(candidate, out);
            running.update(&[*byte]);
        }
        Ok(())
    }

    /// Hashes a message of secret length block by block, with the padding of the hash (RFC 1321
    /// section 3, FIPS 180-4 section 5.1) in the place where the message may end, and keeps the
    /// chaining value after the block that is the last for the right length.
    fn hash_by_blocks(
        &self,
        compression: &mut dyn CompressionFunction,
        message: &Message<'_>,
        out: &mut [u8],
    ) {
        let block_len = self.hash.block_len();
        // Bytes at the end of the last block for the length of the message.
        let count_len = block_len / 8;
        let mut head = Zeroizing::new([0; MAX_HASH_BLOCK_LEN + MacHeader::MAX_LEN]);
        let head_bytes = self.prefix.as_bytes().iter().chain(message.header.as_bytes());
        let mut head_len = 0;
        for (to, from) in head.iter_mut().zip(head_bytes) {
            *to = *from;
            head_len += 1;
        }
        let byte_at = |position: usize| match position.checked_sub(head_len) {
            Some(position) => message.blocks.get(position).copied().unwrap_or_default(),
            None => head.get(position).copied().unwrap_or_default(),
        };
        let (shortest, longest) = message.bounds;
        let total = head_len + message.len;

        // What lies before every possible end: the head, up to the next block, then as it is.
        let certain_len = (head_len + shortest) / block_len * block_len;
        let first_len = head_len.next_multiple_of(block_len).min(certain_len);
        let mut block = Zeroizing::new([0; 2 * MAX_HASH_BLOCK_LEN]);
        for (position, byte) in block[..first_len].iter_mut().enumerate() {
            *byte = byte_at(position);
        }
        compression.compress(&block[..first_len]);
        if let Some(start) = first_len.checked_sub(head_len) {
            compression.compress(&message.blocks[start..certain_len - head_len]);
        }

        // What may hold the end. Division by the length of a block is a shift by a public number.
        let block_bits = block_len.trailing_zeros();
        let last = (total + count_len) >> block_bits;
        let bit_count = (total as u64) << 3;
        let bit_count = match self.hash {
            HashAlgorithm::Md5 => bit_count.to_le_bytes(),
            _ => bit_count.to_be_bytes(),
        };
        let mut candidate = Zeroizing::new([0; MAX_MAC_LEN]);
        let candidate = &mut candidate[..self.len()];
        for index in certain_len / block_len..=(head_len + longest + count_len) / block_len {
            let is_last = Mask::eq_len(index, last);
            let block = &mut block[..block_len];
            for (position, byte) in (index * block_len..).zip(block.iter_mut()) {
                let in_message = Mask::less(position, total);
                let at_end = Mask::eq_len(position, total);
                *byte = in_message.keep(byte_at(position)) | at_end.keep(0x80);
            }
            is_last.merge(&bit_count, &mut block[block_len - 8..]);
            compression.compress(block);
            compression.chaining_value(candidate);
            is_last.merge(candidate, out);
        }
    }

    /// Does `work`, and wipes the stack below it where it hashes the key.
    fn wiping(&self, work: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        if self.hashes_key { with_stack_wiped::<_, STACK_LEN>(work) } else { work() }
    }

    /// From the hash of the message to the MAC, in place.
    fn finish(&self, hash: &mut [u8]) -> Result<(), Error> {
        let mut outer = self.outer.duplicate();
        outer.update(hash);
        outer.finish(hash)
    }
}

/// A message whose end is secret.
struct Message<'a> {
    header: MacHeader,
    /// The message, and what stands behind it.
    blocks: &'a [u8],
    /// Bytes of the message: secret.
    len: usize,
    /// The least and the most that they can be: public.
    bounds: (usize, usize),
}

/// What is hashed before a message, or before its hash: one block for HMAC, the key and as many
/// bytes as RFC 6101 has for SSL 3.0.
struct Prefix {
    bytes: SecretBytes,
}

impl Prefix {
    fn new(schedule: KeySchedule, hash: HashAlgorithm, key: &[u8], pad: u8) -> Self {
        let (len, key_pad) = match (schedule, hash) {
            (KeySchedule::Ssl3, HashAlgorithm::Md5) => (key.len() + 48, 0),
            (KeySchedule::Ssl3, _) => (key.len() + 40, 0),
            // Suites of TLS 1.3 have no MAC.
            (KeySchedule::Tls(_) | KeySchedule::Tls13(_), _) => (hash.block_len(), pad),
        };
        // At most a block: a key of SSL 3.0 is as long as its hash, MD5 or SHA-1.
        let mut bytes = SecretBytes::zeroed(len);
        bytes.fill(pad);
        for (to, from) in bytes.iter_mut().zip(key) {
            *to = from ^ key_pad;
        }
        Self { bytes }
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes in which a MAC is looked for: 256 places for its first byte.
const WINDOW_LEN: usize = 256 + MAX_MAC_LEN;

/// The bytes of `window` from `offset` on, which is secret and less than 256: the window is moved
/// by each power of two, or not.
#[cfg_attr(feature = "__asm", inline(never))]
fn extract(window: &[u8], offset: usize) -> Zeroizing<[u8; WINDOW_LEN]> {
    let mut bytes = Zeroizing::new([0; WINDOW_LEN]);
    for (to, from) in bytes.iter_mut().zip(window) {
        *to = *from;
    }
    let mut before = Zeroizing::new([0; WINDOW_LEN]);
    for bit in 0..8 {
        before.copy_from_slice(bytes.as_slice());
        Mask::bit(offset, bit).replace(&before[1 << bit..], bytes.as_mut_slice());
    }
    bytes
}
