//! Records: what `SslEncryptPacket` and `SslDecryptPacket` write and open, from SSL 3.0 to TLS 1.2.
//! One [`RecordKey`] serves one direction, and its calls go in the order of the records.

use std::fmt;
use std::ops::Range;

use zeroize::Zeroizing;

use crate::backend::{KeyExchangeBackend, Operation};
use crate::cipher::{AeadAlgorithm, AeadCipher, CbcAlgorithm, CbcCipher, StreamCipher};
use crate::cipher_suite::{CipherAlgorithm, CipherMode, CipherSuite};
use crate::error::Error;
use crate::protocol::Protocol;

/// Most bytes of payload in a record (RFC 5246 section 6.2.1).
pub const MAX_PAYLOAD_LEN: usize = 1 << 14;

/// Most bytes of an encrypted fragment (RFC 5246 section 6.2.3).
pub const MAX_FRAGMENT_LEN: usize = MAX_PAYLOAD_LEN + 2048;

/// What the hellos agreed on about records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// Encrypt, then MAC (RFC 7366); for CBC suites of TLS 1.0 and later.
    pub encrypt_then_mac: bool,
}

/// The key of one direction of a connection, with what carries over from record to record: the
/// chained initialisation vector of TLS 1.0 and earlier, and the key stream of RC4.
///
/// Sequence numbers are the caller's: they count from 0 with each new key, and for DTLS the upper
/// 16 bits are the epoch. A sequence number must never be used twice for writing: AEAD nonces are
/// made of it. After an error the key is of no use for stream ciphers and chained vectors; TLS ends
/// the connection then.
pub struct RecordKey {
    backend: &'static dyn KeyExchangeBackend,
    protocol: Protocol,
    suite: &'static CipherSuite,
    options: RecordOptions,
    protection: Protection,
}

enum Protection {
    Stream { cipher: Option<Box<dyn StreamCipher>> },
    Cbc { cipher: Box<dyn CbcCipher>, chained_iv: Zeroizing<Vec<u8>> },
    Aead { cipher: Box<dyn AeadCipher>, salt: Zeroizing<[u8; 4]>, tag_len: usize },
}

impl RecordKey {
    pub(crate) fn new(
        backend: &'static dyn KeyExchangeBackend,
        protocol: Protocol,
        suite: &'static CipherSuite,
        options: RecordOptions,
        mac_key: &[u8],
        write_key: &[u8],
        write_iv: &[u8],
    ) -> Result<Self, Error> {
        _ = mac_key;
        let unknown = Error::UnsupportedSuite { given: suite.id };
        let protection = match suite.cipher.mode {
            CipherMode::Stream => Protection::Stream {
                cipher: match suite.cipher.algorithm {
                    CipherAlgorithm::Null => None,
                    CipherAlgorithm::Rc4 => Some(backend.rc4(write_key)?),
                    _ => return Err(unknown),
                },
            },
            CipherMode::Cbc => Protection::Cbc {
                cipher: backend.cbc(cbc_algorithm(suite).ok_or(unknown)?, write_key)?,
                chained_iv: Zeroizing::new(write_iv.to_vec()),
            },
            CipherMode::Gcm | CipherMode::Ccm | CipherMode::Ccm8 => {
                let algorithm = aead_algorithm(suite).ok_or(unknown)?;
                let salt = write_iv.try_into().map_err(|_| Error::Internal("salt: 4 bytes"))?;
                Protection::Aead {
                    cipher: backend.aead(algorithm, write_key)?,
                    salt: Zeroizing::new(salt),
                    tag_len: algorithm.tag_len(),
                }
            }
        };
        Ok(Self { backend, protocol, suite, options, protection })
    }

    /// Bytes of the header: 5, and 13 for DTLS.
    pub fn header_len(&self) -> usize {
        if self.protocol.is_dtls() { 13 } else { 5 }
    }

    /// Where the payload stands in a record: behind the header and what the record carries of its
    /// initialisation vector or nonce.
    pub fn payload_offset(&self) -> usize {
        self.header_len()
            + match self.protection {
                Protection::Stream { .. } => 0,
                Protection::Cbc { .. } if self.protocol.has_explicit_iv() => {
                    self.suite.cipher.block_len()
                }
                Protection::Cbc { .. } => 0,
                Protection::Aead { .. } => 8,
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
        let mac_len = self.suite.mac.map_or(0, |hash| hash.output_len());
        let sealed_len = match &self.protection {
            Protection::Stream { .. } => payload_len + mac_len,
            Protection::Cbc { .. } => {
                let block_len = self.suite.cipher.block_len();
                let whole_blocks = |len: usize| (len / block_len + 1) * block_len;
                if self.options.encrypt_then_mac {
                    whole_blocks(payload_len) + mac_len
                } else {
                    whole_blocks(payload_len + mac_len)
                }
            }
            Protection::Aead { tag_len, .. } => payload_len + tag_len,
        };
        Ok(self.payload_offset() + sealed_len)
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
        _sequence_number: u64,
        _content_type: u8,
        _payload: &[u8],
        _record: &mut [u8],
    ) -> Result<usize, Error> {
        Err(self.unsupported())
    }

    /// As [`encrypt_packet`](Self::encrypt_packet), with the payload already in its place at
    /// [`payload_offset`](Self::payload_offset).
    ///
    /// # Errors
    ///
    /// Those of [`encrypt_packet`](Self::encrypt_packet).
    pub fn encrypt_in_place(
        &mut self,
        _sequence_number: u64,
        _content_type: u8,
        _payload_len: usize,
        _record: &mut [u8],
    ) -> Result<usize, Error> {
        Err(self.unsupported())
    }

    /// Most bytes of payload that a record of `record_len` bytes can hold. It is exact but for CBC,
    /// where the record does not show how long its padding is.
    pub fn max_payload_len(&self, record_len: usize) -> usize {
        let mac_len = self.suite.mac.map_or(0, |hash| hash.output_len());
        let overhead = match &self.protection {
            Protection::Stream { .. } => mac_len,
            Protection::Cbc { .. } => mac_len + 1,
            Protection::Aead { tag_len, .. } => *tag_len,
        };
        record_len.saturating_sub(self.payload_offset() + overhead).min(MAX_PAYLOAD_LEN)
    }

    /// Opens a whole record with its header, writes the payload and returns its length
    /// (`SslDecryptPacket`). Nothing is written on failure.
    ///
    /// # Errors
    ///
    /// [`Error::BufferTooSmall`] when `payload` is shorter than
    /// [`max_payload_len`](Self::max_payload_len); the key is as before then.
    /// [`Error::BadRecord`] when the record does not open, and what the backend answers.
    pub fn decrypt_packet(
        &mut self,
        _sequence_number: u64,
        _record: &[u8],
        _payload: &mut [u8],
    ) -> Result<usize, Error> {
        Err(self.unsupported())
    }

    /// As [`decrypt_packet`](Self::decrypt_packet), in place: returns where the payload stands in
    /// `record`. On failure the fragment is wiped.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecord`] when the record does not open, and what the backend answers.
    pub fn decrypt_in_place(
        &mut self,
        _sequence_number: u64,
        _record: &mut [u8],
    ) -> Result<Range<usize>, Error> {
        Err(self.unsupported())
    }

    fn unsupported(&self) -> Error {
        match &self.protection {
            Protection::Stream { cipher } => _ = cipher,
            Protection::Cbc { cipher, chained_iv } => _ = (cipher, chained_iv),
            Protection::Aead { cipher, salt, .. } => _ = (cipher, salt),
        }
        Error::Unsupported(Operation::Rc4)
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
