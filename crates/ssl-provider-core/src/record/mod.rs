//! Records: what `SslEncryptPacket` and `SslDecryptPacket` write and open, from SSL 3.0 to TLS 1.2.
//! One [`RecordKey`] serves one direction, and its calls go in the order of the records.

mod blob;
mod mac;
mod padding;

use std::fmt;
use std::mem;
use std::ops::Range;

use zeroize::{Zeroize, Zeroizing};

use crate::backend::{BackendInfo, KeyExchangeBackend, Operation, Support};
use crate::cipher::{AeadAlgorithm, AeadCipher, CbcAlgorithm, CbcCipher, NONCE_LEN, StreamCipher};
use crate::cipher_suite::{CipherAlgorithm, CipherMode, CipherSuite};
use crate::error::Error;
use crate::protocol::{Protocol, Schedule};
use crate::record::blob::KeyParts;
use crate::record::mac::{MacHeader, RecordMac};
use crate::schedule::schedule_of;
use crate::secret::{STACK_LEN, on_wiped_stack};

pub use crate::record::blob::{MAX_KEY_STREAM_POSITION, OpaqueKeyBlob};
pub use crate::record::padding::Verdict;

/// Most bytes of payload in a record (RFC 5246 section 6.2.1).
pub const MAX_PAYLOAD_LEN: usize = 1 << 14;

/// Most bytes of an encrypted fragment (RFC 5246 section 6.2.3).
pub const MAX_FRAGMENT_LEN: usize = MAX_PAYLOAD_LEN + 2048;

/// Bytes of a record header of TLS (RFC 5246 section 6.2.1).
const HEADER_LEN: usize = 5;

/// Bytes of a record header of DTLS, with epoch and sequence number (RFC 6347 section 4.1).
const DTLS_HEADER_LEN: usize = 13;

/// Bytes of an AEAD nonce that come from the key block; the record carries the rest.
const SALT_LEN: usize = 4;

/// Bytes of an AEAD nonce that the record carries (RFC 5288 section 3).
const EXPLICIT_NONCE_LEN: usize = NONCE_LEN - SALT_LEN;

/// What the hellos agreed on about records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// Encrypt, then MAC (RFC 7366): for CBC suites of TLS and DTLS.
    pub encrypt_then_mac: bool,
}

/// The key of one direction of a connection, with what carries over from record to record: the
/// chained initialisation vector of TLS 1.0 and earlier, and the key stream of RC4.
///
/// Sequence numbers are the caller's. They count from 0 with each new key, and for DTLS the upper
/// 16 bits are the epoch. To write with one number twice is fatal to the secrecy of AEAD suites,
/// whose nonces are made of it.
///
/// After [`Error::BadRecord`] TLS ends the connection; the key is then of no more use where
/// something carries over.
///
/// # What is left to the caller
///
/// In TLS 1.0 and SSL 3.0 an attacker who chooses plaintext can test guesses at an earlier record,
/// because its last block is the next vector. The remedy is to split application data into a record
/// of one byte and a record of the rest, which two calls do; this type writes what it is given.
pub struct RecordKey {
    backend: &'static dyn KeyExchangeBackend,
    protocol: Protocol,
    suite: &'static CipherSuite,
    options: RecordOptions,
    protection: Protection,
    /// Where [`decrypt_packet`](Self::decrypt_packet) works; empty before the first call.
    scratch: Zeroizing<Vec<u8>>,
    /// How many bytes of key stream RC4 has used up; 0 for other ciphers.
    key_stream_position: u64,
    /// What [`export`](Self::export) needs besides; none where policy forbids that.
    exportable: Option<KeyParts>,
}

enum Protection {
    Stream { cipher: Option<Box<dyn StreamCipher>>, mac: RecordMac },
    Cbc { cipher: Box<dyn CbcCipher>, block_len: usize, iv: Iv, mac: RecordMac },
    Aead { cipher: Box<dyn AeadCipher>, salt: Zeroizing<[u8; SALT_LEN]>, tag_len: usize },
}

/// Where the initialisation vector of a CBC record comes from.
enum Iv {
    /// It is the last block of the record before.
    Chained(Zeroizing<Vec<u8>>),
    /// It is random, and stands before the ciphertext.
    Explicit,
}

impl RecordKey {
    /// Makes a key from its parts, which
    /// [`SessionKeys::record_key`](crate::SessionKeys::record_key) cuts from the key block.
    ///
    /// `mac_key` is as long as the MAC (empty for AEAD suites), `write_key` as the cipher asks, and
    /// `write_iv` is [`fixed_iv_len`](crate::cipher_suite::BulkCipher::fixed_iv_len) bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a part has another length or encrypt-then-MAC is not for
    /// this protocol and suite, [`Error::UnsupportedProtocol`] and [`Error::UnsupportedSuite`] for
    /// what has no records here, and [`Error::Unsupported`] for a cipher that the backend lacks.
    pub fn new(
        backend: &'static dyn KeyExchangeBackend,
        protocol: Protocol,
        suite: &'static CipherSuite,
        options: RecordOptions,
        mac_key: &[u8],
        write_key: &[u8],
        write_iv: &[u8],
    ) -> Result<Self, Error> {
        let schedule = schedule_of(protocol)?;
        let unknown = Error::UnsupportedSuite { given: suite.id };
        if !suite.allows(protocol) {
            return Err(unknown);
        }
        if mac_key.len() != suite.mac.map_or(0, |hash| hash.output_len())
            || write_key.len() != suite.cipher.key_len
            || write_iv.len() != suite.cipher.fixed_iv_len(protocol)
        {
            return Err(Error::InvalidParameter("record key: a part has another length"));
        }
        let is_cbc = suite.cipher.mode == CipherMode::Cbc;
        if options.encrypt_then_mac && !(is_cbc && schedule != Schedule::Ssl3) {
            return Err(Error::InvalidParameter("encrypt-then-MAC: only for CBC suites of TLS"));
        }
        let protect = || {
            Ok(match (suite.cipher.mode, suite.mac) {
                (CipherMode::Stream, Some(hash)) => Protection::Stream {
                    cipher: match suite.cipher.algorithm {
                        CipherAlgorithm::Null => None,
                        CipherAlgorithm::Rc4 => Some(backend.rc4(write_key)?),
                        _ => return Err(unknown),
                    },
                    mac: RecordMac::new(backend, schedule, hash, mac_key)?,
                },
                (CipherMode::Cbc, Some(hash)) => Protection::Cbc {
                    cipher: backend.cbc(cbc_algorithm(suite).ok_or(unknown)?, write_key)?,
                    block_len: suite.cipher.block_len(),
                    iv: if protocol.has_explicit_iv() {
                        Iv::Explicit
                    } else {
                        Iv::Chained(Zeroizing::new(write_iv.to_vec()))
                    },
                    mac: RecordMac::new(backend, schedule, hash, mac_key)?,
                },
                (CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8, None) => {
                    let algorithm = aead_algorithm(suite).ok_or(unknown)?;
                    let salt =
                        write_iv.try_into().map_err(|_| Error::Internal("a salt is 4 bytes"))?;
                    Protection::Aead {
                        cipher: backend.aead(algorithm, write_key)?,
                        salt: Zeroizing::new(salt),
                        tag_len: algorithm.tag_len(),
                    }
                }
                _ => return Err(Error::Internal("a suite has a MAC or an AEAD cipher")),
            })
        };
        let protection = on_wiped_stack::<_, STACK_LEN>(protect)?;
        Ok(Self {
            backend,
            protocol,
            suite,
            options,
            protection,
            scratch: Zeroizing::default(),
            key_stream_position: 0,
            exportable: None,
        })
    }

    /// Bytes of the header: 5, and 13 for DTLS.
    pub fn header_len(&self) -> usize {
        if self.protocol.is_dtls() { DTLS_HEADER_LEN } else { HEADER_LEN }
    }

    /// Where the payload stands in a record: behind the header and what the record carries of its
    /// initialisation vector or nonce.
    pub fn payload_offset(&self) -> usize {
        self.header_len()
            + match &self.protection {
                Protection::Cbc { iv: Iv::Explicit, block_len, .. } => *block_len,
                Protection::Cbc { iv: Iv::Chained(_), .. } | Protection::Stream { .. } => 0,
                Protection::Aead { .. } => EXPLICIT_NONCE_LEN,
            }
    }

    /// Bytes of the whole record, with its header, that [`encrypt_packet`](Self::encrypt_packet)
    /// writes for `payload_len` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for more than [`MAX_PAYLOAD_LEN`] bytes.
    pub fn record_len(&self, payload_len: usize) -> Result<usize, Error> {
        if payload_len > MAX_PAYLOAD_LEN {
            return Err(Error::InvalidParameter("payload: expected at most 16384 bytes"));
        }
        let sealed_len = match &self.protection {
            Protection::Stream { mac, .. } => payload_len + mac.len(),
            Protection::Cbc { block_len, mac, .. } if self.options.encrypt_then_mac => {
                padded_len(payload_len, *block_len) + mac.len()
            }
            Protection::Cbc { block_len, mac, .. } => {
                padded_len(payload_len + mac.len(), *block_len)
            }
            Protection::Aead { tag_len, .. } => payload_len + tag_len,
        };
        Ok(self.payload_offset() + sealed_len)
    }

    /// Most bytes of payload that a record of `record_len` bytes can hold. It is exact but for CBC,
    /// where the record does not show how long its padding is.
    pub fn max_payload_len(&self, record_len: usize) -> usize {
        let overhead = match &self.protection {
            Protection::Stream { mac, .. } => mac.len(),
            Protection::Cbc { mac, .. } => mac.len() + 1,
            Protection::Aead { tag_len, .. } => *tag_len,
        };
        record_len.saturating_sub(self.payload_offset() + overhead).min(MAX_PAYLOAD_LEN)
    }

    /// Writes a record with its header into `record` and returns its length (`SslEncryptPacket`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a payload of more than [`MAX_PAYLOAD_LEN`] bytes,
    /// [`Error::BufferTooSmall`] when `record` is shorter than [`record_len`](Self::record_len),
    /// and what the backend answers.
    pub fn encrypt_packet(
        &mut self,
        sequence_number: u64,
        content_type: u8,
        payload: &[u8],
        record: &mut [u8],
    ) -> Result<usize, Error> {
        self.encrypt(sequence_number, content_type, Payload::Apart(payload), record)
    }

    /// As [`encrypt_packet`](Self::encrypt_packet), with the payload already in its place at
    /// [`payload_offset`](Self::payload_offset). When the backend fails, the record is wiped.
    ///
    /// # Errors
    ///
    /// Those of [`encrypt_packet`](Self::encrypt_packet).
    pub fn encrypt_in_place(
        &mut self,
        sequence_number: u64,
        content_type: u8,
        payload_len: usize,
        record: &mut [u8],
    ) -> Result<usize, Error> {
        self.encrypt(sequence_number, content_type, Payload::InPlace(payload_len), record)
    }

    /// Opens a whole record with its header, writes the payload and returns its length
    /// (`SslDecryptPacket`). Nothing is written on failure.
    ///
    /// # Errors
    ///
    /// - [`Error::BufferTooSmall`] when `payload` is shorter than
    ///   [`max_payload_len`](Self::max_payload_len) of the record; the record can then be tried
    ///   again.
    /// - [`Error::BadRecord`] when the record does not open, whatever the reason.
    /// - [`Error::RecordOverflow`] for a fragment of more than [`MAX_FRAGMENT_LEN`] bytes, and when
    ///   the record opens and its payload is more than [`MAX_PAYLOAD_LEN`] bytes.
    /// - What the backend answers.
    pub fn decrypt_packet(
        &mut self,
        sequence_number: u64,
        record: &[u8],
        payload: &mut [u8],
    ) -> Result<usize, Error> {
        let needed = self.max_payload_len(record.len());
        if payload.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let mut scratch = mem::take(&mut self.scratch);
        if scratch.is_empty() {
            // Once and for all: to grow would leave plaintext behind.
            *scratch = vec![0; self.header_len() + MAX_FRAGMENT_LEN];
        }
        let opened = match scratch.get_mut(..record.len()) {
            Some(copy) => {
                copy.copy_from_slice(record);
                self.decrypt_in_place(sequence_number, copy).map(|range| {
                    // A payload is never longer than what `needed` says.
                    let (from, len) = (&mut copy[range.clone()], range.len());
                    payload[..len].copy_from_slice(from);
                    // The key may be idle for hours after this.
                    from.zeroize();
                    len
                })
            }
            None => Err(Error::RecordOverflow),
        };
        self.scratch = scratch;
        opened
    }

    /// As [`decrypt_packet`](Self::decrypt_packet), in place: returns where the payload stands in
    /// `record`. On failure everything behind the header is wiped.
    ///
    /// # Errors
    ///
    /// Those of [`decrypt_packet`](Self::decrypt_packet) but for the buffer.
    pub fn decrypt_in_place(
        &mut self,
        sequence_number: u64,
        record: &mut [u8],
    ) -> Result<Range<usize>, Error> {
        let Some((header, fragment)) = record.split_at_mut_checked(self.header_len()) else {
            return Err(Error::BadRecord);
        };
        let opened = self
            .check_header(sequence_number, header, fragment.len())
            .and_then(|content_type| self.open(sequence_number, content_type, fragment));
        match opened {
            Ok(len) => {
                let start = self.payload_offset();
                Ok(start..start + len)
            }
            Err(error) => {
                fragment.zeroize();
                Err(error)
            }
        }
    }

    /// Checks padding and MAC of a CBC record that has been decrypted, as
    /// [`decrypt_in_place`](Self::decrypt_in_place) does before it reveals the verdict. Apart from
    /// it so that tools can see that nothing secret decides what happens here.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a key that protects its records otherwise, and for blocks
    /// that are not whole or leave no room for a MAC; what the backend answers.
    pub fn check_blocks(
        &self,
        sequence_number: u64,
        content_type: u8,
        blocks: &[u8],
    ) -> Result<Verdict, Error> {
        let header = |len| MacHeader::new(self.protocol, sequence_number, content_type, len);
        match &self.protection {
            Protection::Cbc { block_len, mac, .. }
                if !self.options.encrypt_then_mac
                    && blocks.len() > mac.len()
                    && blocks.len().is_multiple_of(*block_len) =>
            {
                check_blocks(mac, padding_rule(self.protocol, *block_len), header, blocks)
            }
            _ => Err(Error::InvalidParameter("blocks: expected those of a CBC record with a MAC")),
        }
    }

    /// Writes a record, whose payload is elsewhere or in its place already.
    fn encrypt(
        &mut self,
        sequence_number: u64,
        content_type: u8,
        payload: Payload<'_>,
        record: &mut [u8],
    ) -> Result<usize, Error> {
        let needed = self.record_len(payload.len())?;
        let record = record.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        let (header, fragment) = record.split_at_mut(self.header_len());
        self.write_header(sequence_number, content_type, fragment.len(), header);
        let sealed = self.seal(sequence_number, content_type, payload, fragment);
        if sealed.is_err() {
            record.zeroize();
        }
        sealed.map(|()| needed)
    }

    /// Writes a header, whose length is that of `header`.
    fn write_header(
        &self,
        sequence_number: u64,
        content_type: u8,
        fragment_len: usize,
        header: &mut [u8],
    ) {
        let [.., len_high, len_low] = fragment_len.to_be_bytes();
        let [major, minor] = self.protocol.wire().to_be_bytes();
        let number = sequence_number.to_be_bytes();
        let number = if self.protocol.is_dtls() { number.as_slice() } else { &[] };
        let bytes = [content_type, major, minor].into_iter().chain(number.iter().copied());
        for (to, byte) in header.iter_mut().zip(bytes.chain([len_high, len_low])) {
            *to = byte;
        }
    }

    /// Takes only the header that [`write_header`](Self::write_header) would write, with any
    /// content type, which it returns.
    fn check_header(
        &self,
        sequence_number: u64,
        header: &[u8],
        fragment_len: usize,
    ) -> Result<u8, Error> {
        if fragment_len > MAX_FRAGMENT_LEN {
            return Err(Error::RecordOverflow);
        }
        let content_type = header.first().copied().unwrap_or_default();
        let mut expected = [0; DTLS_HEADER_LEN];
        let expected = &mut expected[..self.header_len()];
        self.write_header(sequence_number, content_type, fragment_len, expected);
        if header == expected { Ok(content_type) } else { Err(Error::BadRecord) }
    }

    /// Encrypts a fragment, which is exactly as long as [`record_len`](Self::record_len) says.
    fn seal(
        &mut self,
        sequence_number: u64,
        content_type: u8,
        payload: Payload<'_>,
        fragment: &mut [u8],
    ) -> Result<(), Error> {
        let payload_len = payload.len();
        let header = |len| MacHeader::new(self.protocol, sequence_number, content_type, len);
        match &mut self.protection {
            Protection::Stream { cipher, mac } => {
                let (text, tag) = fragment.split_at_mut(payload_len);
                payload.copy_to(text);
                mac.compute(&header(payload_len), text, tag)?;
                match cipher {
                    Some(cipher) => {
                        self.key_stream_position += fragment.len() as u64;
                        cipher.apply(fragment)
                    }
                    None => Ok(()),
                }
            }
            Protection::Cbc { cipher, block_len, iv, mac } => {
                let mac_first = !self.options.encrypt_then_mac;
                let outer_tag_len = if mac_first { 0 } else { mac.len() };
                let (sealed, outer_tag) = fragment.split_at_mut(fragment.len() - outer_tag_len);
                let (explicit, blocks) = sealed.split_at_mut(iv.explicit_len(*block_len));
                let (text, tail) = blocks.split_at_mut(payload_len);
                payload.copy_to(text);
                if mac_first {
                    let (tag, padding) = tail.split_at_mut(mac.len());
                    mac.compute(&header(payload_len), text, tag)?;
                    padding::fill(padding);
                } else {
                    padding::fill(tail);
                }
                match iv {
                    Iv::Explicit => {
                        self.backend.random(explicit)?;
                        cipher.encrypt(explicit, blocks)?;
                    }
                    Iv::Chained(iv) => {
                        cipher.encrypt(iv, blocks)?;
                        iv.copy_from_slice(last_block(blocks, *block_len));
                    }
                }
                if mac_first {
                    return Ok(());
                }
                mac.compute(&header(sealed.len()), sealed, outer_tag)
            }
            Protection::Aead { cipher, salt, .. } => {
                let (explicit, rest) = fragment.split_at_mut(EXPLICIT_NONCE_LEN);
                explicit.copy_from_slice(&sequence_number.to_be_bytes());
                let (text, tag) = rest.split_at_mut(payload_len);
                let (nonce, header) = (nonce(salt, explicit), header(payload_len));
                match payload {
                    Payload::InPlace(_) => cipher.seal(&nonce, header.as_bytes(), text, tag),
                    Payload::Apart(payload) => {
                        cipher.seal_apart(&nonce, header.as_bytes(), payload, text, tag)
                    }
                }
            }
        }
    }

    /// Decrypts and checks a fragment in place, and returns the length of its payload.
    fn open(
        &mut self,
        sequence_number: u64,
        content_type: u8,
        fragment: &mut [u8],
    ) -> Result<usize, Error> {
        let header = |len| MacHeader::new(self.protocol, sequence_number, content_type, len);
        let payload_len = match &mut self.protection {
            Protection::Stream { cipher, mac } => {
                let payload_len = fragment.len().checked_sub(mac.len()).ok_or(Error::BadRecord)?;
                if let Some(cipher) = cipher {
                    self.key_stream_position += fragment.len() as u64;
                    cipher.apply(fragment)?;
                }
                let (payload, tag) = fragment.split_at(payload_len);
                mac.verify(&header(payload_len), payload, tag)?;
                payload_len
            }
            Protection::Cbc { cipher, block_len, iv, mac } => {
                let mac_first = !self.options.encrypt_then_mac;
                let outer_tag_len = if mac_first { 0 } else { mac.len() };
                let inner_tag_len = mac.len() - outer_tag_len;
                let sealed_len =
                    fragment.len().checked_sub(outer_tag_len).ok_or(Error::BadRecord)?;
                let (sealed, outer_tag) = fragment.split_at_mut(sealed_len);
                if !mac_first {
                    mac.verify(&header(sealed_len), sealed, outer_tag)?;
                }
                let (explicit, blocks) = sealed
                    .split_at_mut_checked(iv.explicit_len(*block_len))
                    .filter(|(_, blocks)| {
                        blocks.len() > inner_tag_len && blocks.len().is_multiple_of(*block_len)
                    })
                    .ok_or(Error::BadRecord)?;
                match iv {
                    Iv::Explicit => cipher.decrypt(explicit, blocks)?,
                    Iv::Chained(iv) => {
                        let mut next = [0; MAX_BLOCK_LEN];
                        let next = &mut next[..*block_len];
                        next.copy_from_slice(last_block(blocks, *block_len));
                        cipher.decrypt(iv, blocks)?;
                        iv.copy_from_slice(next);
                    }
                }
                let rule = padding_rule(self.protocol, *block_len);
                if mac_first {
                    check_blocks(mac, rule, header, blocks)?.reveal()?
                } else {
                    padding::remove(blocks, rule, 0).reveal()?
                }
            }
            Protection::Aead { cipher, salt, tag_len } => {
                let (explicit, rest) = fragment
                    .split_at_mut_checked(EXPLICIT_NONCE_LEN)
                    .filter(|(_, rest)| rest.len() >= *tag_len)
                    .ok_or(Error::BadRecord)?;
                let payload_len = rest.len() - *tag_len;
                let (text, tag) = rest.split_at_mut(payload_len);
                let header = header(payload_len);
                cipher.open(&nonce(salt, explicit), header.as_bytes(), text, tag)?;
                payload_len
            }
        };
        // The record is known to be good, so that this tells nobody anything but its writer.
        if payload_len <= MAX_PAYLOAD_LEN { Ok(payload_len) } else { Err(Error::RecordOverflow) }
    }
}

/// Where the payload of a record is that is being written.
#[derive(Clone, Copy)]
enum Payload<'a> {
    /// In its place in the record; so many bytes.
    InPlace(usize),
    /// Elsewhere.
    Apart(&'a [u8]),
}

impl Payload<'_> {
    fn len(self) -> usize {
        match self {
            Self::InPlace(len) => len,
            Self::Apart(payload) => payload.len(),
        }
    }

    /// Sees to it that the payload is at `place`, which has its length.
    fn copy_to(self, place: &mut [u8]) {
        if let Self::Apart(payload) = self {
            place.copy_from_slice(payload);
        }
    }
}

impl Iv {
    /// Bytes of the vector that stand in the record.
    fn explicit_len(&self, block_len: usize) -> usize {
        match self {
            Self::Chained(_) => 0,
            Self::Explicit => block_len,
        }
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordKey")
            .field("backend", &self.backend.info().name)
            .field("protocol", &self.protocol)
            .field("suite", &self.suite.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The verdict over decrypted blocks that end in a MAC and padding.
fn check_blocks(
    mac: &RecordMac,
    rule: padding::Rule,
    header: impl Fn(usize) -> MacHeader,
    blocks: &[u8],
) -> Result<Verdict, Error> {
    mac.verify_behind_padding(header, blocks, &padding::remove(blocks, rule, mac.len()))
}

fn padding_rule(protocol: Protocol, block_len: usize) -> padding::Rule {
    match protocol {
        Protocol::Ssl3 => padding::Rule::Ssl3 { block_len },
        _ => padding::Rule::Tls,
    }
}

/// The longest block of a cipher.
const MAX_BLOCK_LEN: usize = 16;

/// Bytes of whole blocks for `len` bytes and at least one of padding.
fn padded_len(len: usize, block_len: usize) -> usize {
    (len / block_len + 1) * block_len
}

/// The last of `blocks`, of which there is at least one.
fn last_block(blocks: &[u8], block_len: usize) -> &[u8] {
    &blocks[blocks.len() - block_len..]
}

fn nonce(salt: &[u8; SALT_LEN], explicit: &[u8]) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().zip(salt.iter().chain(explicit)) {
        *to = *from;
    }
    nonce
}

/// Whether a backend has the cipher of a suite.
pub(crate) fn has_cipher(backend: &BackendInfo, suite: &CipherSuite) -> bool {
    let operation = match (suite.cipher.mode, suite.cipher.algorithm) {
        (CipherMode::Stream, CipherAlgorithm::Null) => return true,
        (CipherMode::Stream, CipherAlgorithm::Rc4) => Some(Operation::Rc4),
        (CipherMode::Stream, _) => None,
        (CipherMode::Cbc, _) => cbc_algorithm(suite).map(Operation::Cbc),
        (CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8, _) => {
            aead_algorithm(suite).map(Operation::Aead)
        }
    };
    operation.is_some_and(|operation| backend.support(operation) != Support::Unsupported)
}

fn cbc_algorithm(suite: &CipherSuite) -> Option<CbcAlgorithm> {
    Some(match (suite.cipher.algorithm, suite.cipher.key_len) {
        (CipherAlgorithm::Des, _) => CbcAlgorithm::Des,
        (CipherAlgorithm::TripleDes, _) => CbcAlgorithm::TripleDes,
        (CipherAlgorithm::Aes, 16) => CbcAlgorithm::Aes128,
        (CipherAlgorithm::Aes, 32) => CbcAlgorithm::Aes256,
        (CipherAlgorithm::Camellia, 16) => CbcAlgorithm::Camellia128,
        (CipherAlgorithm::Camellia, 32) => CbcAlgorithm::Camellia256,
        _ => return None,
    })
}

fn aead_algorithm(suite: &CipherSuite) -> Option<AeadAlgorithm> {
    let cipher = suite.cipher;
    Some(match (cipher.algorithm, cipher.mode, cipher.key_len) {
        (CipherAlgorithm::Aes, CipherMode::Gcm, 16) => AeadAlgorithm::Aes128Gcm,
        (CipherAlgorithm::Aes, CipherMode::Gcm, 32) => AeadAlgorithm::Aes256Gcm,
        (CipherAlgorithm::Aes, CipherMode::Ccm, 16) => AeadAlgorithm::Aes128Ccm,
        (CipherAlgorithm::Aes, CipherMode::Ccm, 32) => AeadAlgorithm::Aes256Ccm,
        (CipherAlgorithm::Aes, CipherMode::Ccm8, 16) => AeadAlgorithm::Aes128Ccm8,
        (CipherAlgorithm::Aes, CipherMode::Ccm8, 32) => AeadAlgorithm::Aes256Ccm8,
        _ => return None,
    })
}
