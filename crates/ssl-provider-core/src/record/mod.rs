//! Records: what `SslEncryptPacket` and `SslDecryptPacket` write and read, from SSL 3.0 to TLS 1.3.
//! One [`RecordKey`] serves one direction, and its calls go in the order of the records.

mod aead;
mod blob;
mod cbc;
mod mac;
mod padding;
mod protection;
mod stream;
mod tls13;

use std::mem;
use std::ops::Range;

use ssl_provider_memory::wipe_vector_registers;
use zeroize::{Zeroize, Zeroizing};

use crate::cipher_suite::RecordCipher;
use crate::error::Error;
use crate::record::aead::Aead;
use crate::record::blob::KeyParts;
use crate::record::cbc::{Cbc, Iv};
use crate::record::mac::RecordMac;
use crate::record::protection::{Payload, Protection, RecordHeader};
use crate::record::stream::Stream;
use crate::record::tls13::{APPLICATION_DATA, MAX_CIPHERTEXT_LEN, Tls13};
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::security_parameters::SecurityParameters;
use crate::version::{KeySchedule, ProtocolVersion};

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

/// Record-layer extensions negotiated in the hellos.
///
/// Later versions have more fields: end with `..RecordOptions::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// Encrypt, then MAC (RFC 7366): for CBC suites of TLS and DTLS.
    pub encrypt_then_mac: bool,
    /// Pads payload and content type to a multiple of so many bytes, to hide how long the payload
    /// is (RFC 8446 section 5.4): for TLS 1.3. 0 and 1 are no padding.
    pub padding_block: u16,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedRecord {
    /// The content type: in TLS 1.3 the one that is encrypted, before that the one of the header.
    pub content_type: u8,
    /// Where the payload stands in the record.
    pub payload: Range<usize>,
}

/// What one side writes with (RFC 5246 section 6.3). Secret.
#[derive(Clone, Copy)]
pub struct WriteKeys<'a> {
    /// The key of the record MAC; empty for AEAD ciphers.
    pub mac_key: &'a [u8],
    /// The key of the cipher; empty for NULL.
    pub write_key: &'a [u8],
    /// The first IV, or the salt of an AEAD cipher; empty where records carry their own.
    pub write_iv: &'a [u8],
}

crate::redacted_debug! { WriteKeys<'_> { .. } }

/// The key of one direction of a connection, with what carries over from record to record: the
/// chained IV of TLS 1.0 and earlier, the key stream of RC4, and the sequence numbers that an AEAD
/// cipher has used.
///
/// Sequence numbers are the caller's. They count from 0 with each new key, and for DTLS the upper
/// 16 bits are the epoch. An AEAD suite, whose nonces are made of them, refuses to write under a
/// number that is not above the last. A second key of the same bytes knows nothing of the first:
/// one of the same session keys, or one that was imported twice, must not write the same records.
/// A key that was used to decrypt, or that [`for_reading`](Self::for_reading) marked, encrypts
/// nothing.
///
/// After [`Error::BadRecord`] TLS ends the connection; the key is then of no more use where
/// something carries over.
///
/// # What is left to the caller
///
/// In TLS 1.0 and SSL 3.0 an attacker who chooses plaintext can test guesses at an earlier record,
/// because its last block is the next IV (BEAST). The remedy is to split application data into a
/// record of one byte and a record of the rest (1/n-1 splitting), which two calls do; this type
/// writes what it is given.
///
/// Records are not counted: under one key of AES-GCM in TLS 1.3, at most 2^24.5 records of full
/// length may be written (RFC 8446 section 5.5). Before that, KeyUpdate replaces the key.
pub struct RecordKey {
    parameters: SecurityParameters,
    options: RecordOptions,
    protection: Box<dyn Protection>,
    /// Whether the key is for decryption only.
    reads: bool,
    /// Where [`decrypt_packet`](Self::decrypt_packet) works; empty before the first call.
    scratch: Zeroizing<Vec<u8>>,
    /// What [`export`](Self::export) needs besides; none where policy forbids that.
    exportable: Option<KeyParts>,
    /// The cipher leaves its key in registers between records, where a thread that waits keeps it.
    _registers: WipedRegisters,
}

/// Wipes the vector registers when it is dropped.
struct WipedRegisters;

impl Drop for WipedRegisters {
    fn drop(&mut self) {
        wipe_vector_registers();
    }
}

impl RecordKey {
    /// Makes a key from its parts, which
    /// [`SessionKeys::record_key`](crate::SessionKeys::record_key) cuts from the key block.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when a part has another length than the suite asks or
    /// encrypt-then-MAC is not for this version and suite, [`Error::UnsupportedSuite`] for a suite
    /// that has no records here, and [`Error::Unsupported`] for a cipher that the backend lacks.
    pub fn new(
        parameters: &SecurityParameters,
        options: RecordOptions,
        keys: WriteKeys<'_>,
    ) -> Result<Self, Error> {
        let suite = parameters.suite();
        if keys.mac_key.len() != suite.mac.map_or(0, |hash| hash.output_len())
            || keys.write_key.len() != suite.cipher.key_len
            || keys.write_iv.len() != suite.cipher.fixed_iv_len(parameters.version())
        {
            return Err(Error::InvalidParameter("record key: a part has another length"));
        }
        let cipher = suite.record_cipher().ok_or(Error::UnsupportedSuite { given: suite.id.0 })?;
        let may_mac_last =
            matches!(cipher, RecordCipher::Cbc(..)) && parameters.schedule() != KeySchedule::Ssl3;
        if options.encrypt_then_mac && !may_mac_last {
            return Err(Error::InvalidParameter("encrypt-then-MAC: only for CBC suites of TLS"));
        }
        if options.padding_block != 0 && !is_tls13(parameters) {
            return Err(Error::InvalidParameter("padding of records: only for TLS 1.3"));
        }
        let protection =
            with_stack_wiped::<_, STACK_LEN>(|| protection(parameters, options, cipher, keys))?;
        Ok(Self {
            parameters: parameters.clone(),
            options,
            protection,
            reads: false,
            scratch: Zeroizing::default(),
            exportable: KeyParts::keep(parameters.policy().key_export, keys),
            _registers: WipedRegisters,
        })
    }

    /// Returns the key for decryption only: [`encrypt_packet`](Self::encrypt_packet) refuses it. A
    /// key that was once used to decrypt, successfully or not, is for decryption only too: it is
    /// the key that the peer writes with, and a record under one of the peer's nonces would give
    /// away the plaintext of both.
    #[must_use]
    pub fn for_reading(self) -> Self {
        Self { reads: true, ..self }
    }

    /// Returns what the connection has agreed on.
    pub fn security_parameters(&self) -> &SecurityParameters {
        &self.parameters
    }

    /// Returns the bytes of the header: 5, and 13 for DTLS.
    pub fn header_len(&self) -> usize {
        if self.parameters.version().is_dtls() { DTLS_HEADER_LEN } else { HEADER_LEN }
    }

    /// Returns where the payload stands in a record: behind the header and what the record carries
    /// of its IV or nonce.
    pub fn payload_offset(&self) -> usize {
        self.header_len() + self.protection.explicit_len()
    }

    /// Returns the bytes of the whole record, with its header, that
    /// [`encrypt_packet`](Self::encrypt_packet) writes for `payload_len` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for more than [`MAX_PAYLOAD_LEN`] bytes.
    pub fn record_len(&self, payload_len: usize) -> Result<usize, Error> {
        if payload_len > MAX_PAYLOAD_LEN {
            return Err(Error::InvalidParameter("payload: expected at most 16384 bytes"));
        }
        Ok(self.payload_offset() + self.protection.sealed_len(payload_len))
    }

    /// Returns the most bytes of payload that a record of `record_len` bytes can hold. It is exact
    /// but for CBC, where the record does not show how long its padding is.
    pub fn max_payload_len(&self, record_len: usize) -> usize {
        let overhead = self.payload_offset() + self.protection.overhead();
        record_len.saturating_sub(overhead).min(MAX_PAYLOAD_LEN)
    }

    /// Writes a record with its header into `record` and returns its length (`SslEncryptPacket`).
    /// The content type is written as it is, known or not; in TLS 1.3 it must not be 0, which is
    /// padding, and an alert or a handshake message must not be empty (RFC 8446 section 5.4).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a payload of more than [`MAX_PAYLOAD_LEN`] bytes, for a
    /// sequence number that an AEAD suite has passed already, or 2^64 - 1, and for a key that reads
    /// ([`for_reading`](Self::for_reading)); [`Error::BufferTooSmall`] when `record` is shorter
    /// than [`record_len`](Self::record_len); and errors of the backend.
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

    /// Decrypts a whole record with its header, writes the payload and returns its length
    /// (`SslDecryptPacket`). Nothing is written on failure. In TLS 1.3 the content type is known
    /// after this only: use [`open_packet`](Self::open_packet). A sequence number may come again:
    /// protection against replay is the caller's, where a transport does not have it.
    ///
    /// # Errors
    ///
    /// - [`Error::BufferTooSmall`] when `payload` is shorter than
    ///   [`max_payload_len`](Self::max_payload_len) of the record; the record can then be tried
    ///   again.
    /// - [`Error::BadRecord`] when authentication fails, whatever the reason.
    /// - [`Error::RecordOverflow`] for a fragment of more than [`MAX_FRAGMENT_LEN`] bytes, in TLS
    ///   1.3 of more than 16640, and when an authentic record holds more than [`MAX_PAYLOAD_LEN`]
    ///   bytes.
    /// - [`Error::UnexpectedRecord`] in TLS 1.3 when an authentic record holds no content type, a
    ///   ChangeCipherSpec, or an alert or handshake message of no bytes.
    /// - Errors of the backend.
    pub fn decrypt_packet(
        &mut self,
        sequence_number: u64,
        record: &[u8],
        payload: &mut [u8],
    ) -> Result<usize, Error> {
        self.open_packet(sequence_number, record, payload).map(|(_, len)| len)
    }

    /// As [`decrypt_packet`](Self::decrypt_packet), and returns the content type too, before the
    /// length.
    ///
    /// # Errors
    ///
    /// Those of [`decrypt_packet`](Self::decrypt_packet).
    pub fn open_packet(
        &mut self,
        sequence_number: u64,
        record: &[u8],
        payload: &mut [u8],
    ) -> Result<(u8, usize), Error> {
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
                self.open_in_place(sequence_number, copy).map(|opened| {
                    // A payload is never longer than `needed`.
                    let len = opened.payload.len();
                    let from = &mut copy[opened.payload];
                    payload[..len].copy_from_slice(from);
                    // The key may be idle for hours after this.
                    from.zeroize();
                    (opened.content_type, len)
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
        self.open_in_place(sequence_number, record).map(|opened| opened.payload)
    }

    /// As [`decrypt_in_place`](Self::decrypt_in_place), and returns the content type too. In TLS
    /// 1.3 it stands right behind the payload.
    ///
    /// # Errors
    ///
    /// Those of [`decrypt_packet`](Self::decrypt_packet) but for the buffer.
    pub fn open_in_place(
        &mut self,
        sequence_number: u64,
        record: &mut [u8],
    ) -> Result<OpenedRecord, Error> {
        self.reads = true;
        let Some((header, fragment)) = record.split_at_mut_checked(self.header_len()) else {
            return Err(Error::BadRecord);
        };
        let opened = self
            .check_header(sequence_number, header, fragment.len())
            .and_then(|header| Ok((header, self.protection.open(&header, fragment)?)))
            // The record is authentic, so that this tells nobody anything but its writer.
            .and_then(|(header, len)| {
                let content_type = self.protection.content_type(&header, fragment, len);
                if len > MAX_PAYLOAD_LEN {
                    return Err(Error::RecordOverflow);
                }
                if is_tls13(&self.parameters) && check_inner(content_type, len).is_err() {
                    return Err(Error::UnexpectedRecord);
                }
                Ok((content_type, len))
            });
        match opened {
            Ok((content_type, len)) => {
                let start = self.payload_offset();
                Ok(OpenedRecord { content_type, payload: start..start + len })
            }
            Err(error) => {
                fragment.zeroize();
                Err(error)
            }
        }
    }

    /// Verifies padding and MAC of a CBC record that has been decrypted, as
    /// [`decrypt_in_place`](Self::decrypt_in_place) does before it reveals the verdict (Lucky
    /// Thirteen). Apart from it so that tools can see that it runs in constant time.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a key that protects its records otherwise, and for blocks
    /// that are not whole or too few for a MAC; errors of the backend.
    pub fn verify_padding_and_mac(
        &self,
        sequence_number: u64,
        content_type: u8,
        blocks: &[u8],
    ) -> Result<Verdict, Error> {
        let header = self.header(sequence_number, content_type);
        self.protection.verify_padding_and_mac(&header, blocks)
    }

    fn header(&self, sequence_number: u64, content_type: u8) -> RecordHeader {
        RecordHeader { version: self.parameters.version(), sequence_number, content_type }
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
        if is_tls13(&self.parameters) {
            check_inner(content_type, payload.len())?;
        }
        let record = record.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        if self.reads {
            return Err(READS);
        }
        self.protection.start_sealing(sequence_number)?;
        let (header, fragment) = record.split_at_mut(self.header_len());
        let contents = self.header(sequence_number, content_type);
        self.write_header(&contents, fragment.len(), header);
        let sealed = self.protection.seal(&contents, payload, fragment);
        if sealed.is_err() {
            record.zeroize();
        }
        sealed.map(|()| needed)
    }

    /// Writes a header, whose length is that of `out`.
    fn write_header(&self, contents: &RecordHeader, fragment_len: usize, out: &mut [u8]) {
        let [.., len_high, len_low] = fragment_len.to_be_bytes();
        // TLS 1.3 shows neither content type nor version (RFC 8446 section 5.2).
        let (content_type, version) = match contents.version {
            ProtocolVersion::TLS1_3 => (APPLICATION_DATA, ProtocolVersion::TLS1_2),
            version => (contents.content_type, version),
        };
        let [major, minor] = version.wire().to_be_bytes();
        let number = contents.sequence_number.to_be_bytes();
        let number = if contents.version.is_dtls() { number.as_slice() } else { &[] };
        let bytes = [content_type, major, minor].into_iter().chain(number.iter().copied());
        for (to, byte) in out.iter_mut().zip(bytes.chain([len_high, len_low])) {
            *to = byte;
        }
    }

    /// Accepts only the header that [`write_header`](Self::write_header) would write, with any
    /// content type.
    fn check_header(
        &self,
        sequence_number: u64,
        header: &[u8],
        fragment_len: usize,
    ) -> Result<RecordHeader, Error> {
        let limit = if is_tls13(&self.parameters) { MAX_CIPHERTEXT_LEN } else { MAX_FRAGMENT_LEN };
        if fragment_len > limit {
            return Err(Error::RecordOverflow);
        }
        let content_type = header.first().copied().unwrap_or_default();
        let contents = self.header(sequence_number, content_type);
        let mut expected = [0; DTLS_HEADER_LEN];
        let expected = &mut expected[..self.header_len()];
        self.write_header(&contents, fragment_len, expected);
        if header == expected { Ok(contents) } else { Err(Error::BadRecord) }
    }
}

/// Checks what RFC 8446 says of a record that is encrypted: ChangeCipherSpec is never (section 5),
/// and only application data may be empty (section 5.4).
fn check_inner(content_type: u8, payload_len: usize) -> Result<(), Error> {
    match (content_type, payload_len) {
        (0 | CHANGE_CIPHER_SPEC, _) => Err(Error::InvalidParameter(
            "content type: neither 0 nor change_cipher_spec is encrypted in TLS 1.3",
        )),
        (ALERT | HANDSHAKE, 0) => {
            Err(Error::InvalidParameter("payload: only application data may be empty in TLS 1.3"))
        }
        _ => Ok(()),
    }
}

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

fn is_tls13(parameters: &SecurityParameters) -> bool {
    parameters.version() == ProtocolVersion::TLS1_3
}

/// Makes the protection of a suite.
fn protection(
    parameters: &SecurityParameters,
    options: RecordOptions,
    cipher: RecordCipher,
    keys: WriteKeys<'_>,
) -> Result<Box<dyn Protection>, Error> {
    let ciphers = parameters.backend().record_ciphers();
    Ok(match cipher {
        RecordCipher::Null(hash) => Box::new(Stream {
            cipher: None,
            mac: RecordMac::new(parameters, hash, keys.mac_key)?,
            position: 0,
        }),
        RecordCipher::Rc4(hash) => Box::new(Stream {
            cipher: Some(ciphers.rc4(keys.write_key)?),
            mac: RecordMac::new(parameters, hash, keys.mac_key)?,
            position: 0,
        }),
        RecordCipher::Cbc(algorithm, hash) => Box::new(Cbc {
            backend: parameters.backend().clone(),
            cipher: ciphers.cbc(algorithm, keys.write_key)?,
            block_len: algorithm.block_len(),
            iv: if parameters.version().has_explicit_iv() {
                Iv::Explicit
            } else {
                Iv::Chained(Zeroizing::new(keys.write_iv.to_vec()))
            },
            mac: RecordMac::new(parameters, hash, keys.mac_key)?,
            rule: match parameters.schedule() {
                KeySchedule::Ssl3 => padding::Rule::Ssl3 { block_len: algorithm.block_len() },
                KeySchedule::Tls(_) | KeySchedule::Tls13(_) => padding::Rule::Tls,
            },
            encrypt_then_mac: options.encrypt_then_mac,
        }),
        RecordCipher::Aead(algorithm) => {
            let (cipher, tag_len) = (ciphers.aead(algorithm, keys.write_key)?, algorithm.tag_len());
            if is_tls13(parameters) {
                let padding_block = options.padding_block.into();
                Box::new(Tls13::new(cipher, tag_len, keys.write_iv, padding_block))
            } else {
                Box::new(Aead::new(cipher, tag_len, keys.write_iv))
            }
        }
    })
}

crate::redacted_debug! { RecordKey { parameters, options, .. } }

const READS: Error =
    Error::InvalidParameter("record key: for decryption only; encrypt with the key of this side");
const BAD_CBC_BLOCKS: Error =
    Error::InvalidParameter("blocks: expected those of a CBC record with a MAC");
const BAD_POSITION: Error = Error::InvalidParameter("key: this cipher has no position");
