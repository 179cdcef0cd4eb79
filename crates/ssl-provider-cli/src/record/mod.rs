//! Decrypts captured records: SSL 3.0 to TLS 1.2, every cipher of a suite with RSA key exchange.
//!
//! This runs offline on a capture, so its time is no side channel: unlike a live endpoint, it may
//! branch on secrets. MACs and tags are verified all the same.

mod bulk;
mod inflate;
mod mac;

use std::fmt;

use ssl_provider::{CipherMode, CipherSuiteInfo, ProtocolVersion, SessionKeys, Side, WriteKeys};
use zeroize::Zeroizing;

use self::bulk::{AeadOpen, CbcDecrypt, Rc4Stream};
use self::inflate::Inflate;
use self::mac::{Header, RecordMac};
use crate::tls::Skipped;

/// Length of the explicit nonce of each AEAD record (RFC 5288 section 3, RFC 6655 section 3).
const EXPLICIT_NONCE_LEN: usize = 8;

/// Longest block of a cipher, in bytes.
const MAX_BLOCK_LEN: usize = 16;

/// Record-layer options negotiated in the hellos, besides protocol and suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// encrypt_then_mac (RFC 7366); affects CBC suites only.
    pub encrypt_then_mac: bool,
    /// truncated_hmac (RFC 6066 section 7).
    pub truncated_hmac: bool,
    /// The compression method (RFC 3749).
    pub compression: u8,
}

/// Why a record could not be decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Length, padding, MAC or tag are wrong: the keys are not those of the record, or it is
    /// corrupt.
    #[error("the record has a wrong {0}")]
    Bad(&'static str),
    /// The record depends on records that were not kept.
    #[error("{0}")]
    Missing(&'static str),
}

/// The read state of one direction: decrypts its records in order.
pub struct RecordCipher {
    protection: Protection,
    mac: Option<RecordMac>,
    ssl3: bool,
    encrypt_then_mac: bool,
    inflate: Option<Inflate>,
    sequence: u64,
}

enum Protection {
    Stream(Option<Box<Rc4Stream>>),
    Cbc { decrypt: CbcDecrypt, key: Zeroizing<Vec<u8>>, block_len: usize, chain: Chain },
    Aead { open: AeadOpen, key: Zeroizing<Vec<u8>>, salt: Zeroizing<Vec<u8>>, tag_len: usize },
}

/// Where a CBC record gets its IV from.
enum Chain {
    /// The record carries it (TLS 1.1 and later).
    Explicit,
    /// The last block of the previous record; for the first record, from the key block.
    Last([u8; MAX_BLOCK_LEN]),
}

impl RecordCipher {
    /// Returns the read state for records that `writer` writes.
    ///
    /// # Errors
    ///
    /// Names the cipher or compression method that is not supported.
    pub fn new(
        protocol: ProtocolVersion,
        suite: &CipherSuiteInfo,
        keys: &SessionKeys,
        writer: Side,
        options: Options,
    ) -> Result<Self, String> {
        let cipher = suite.cipher;
        let WriteKeys { mac_key, write_key: key, write_iv } =
            keys.expose(writer).map_err(|error| error.to_string())?;
        let unsupported = || format!("decryption of {:?} is not supported", cipher.algorithm);
        let protection = match cipher.mode {
            CipherMode::Stream => {
                Protection::Stream(bulk::stream(cipher.algorithm, key).ok_or_else(unsupported)?)
            }
            CipherMode::Cbc => {
                let decrypt = bulk::cbc(cipher.algorithm, key.len()).ok_or_else(unsupported)?;
                let mut first = [0; MAX_BLOCK_LEN];
                let chain = match first.get_mut(..cipher.block_len()) {
                    Some(first_block) if !protocol.has_explicit_iv() => {
                        first_block.copy_from_slice(write_iv);
                        Chain::Last(first)
                    }
                    _ => Chain::Explicit,
                };
                let key = Zeroizing::new(key.to_vec());
                Protection::Cbc { decrypt, key, block_len: cipher.block_len(), chain }
            }
            mode => Protection::Aead {
                open: bulk::aead(cipher.algorithm, mode, key.len()).ok_or_else(unsupported)?,
                key: Zeroizing::new(key.to_vec()),
                salt: Zeroizing::new(write_iv.to_vec()),
                tag_len: if mode == CipherMode::Ccm8 { 8 } else { 16 },
            },
        };
        let inflate = match options.compression {
            0 => None,
            1 => Some(Inflate::new()),
            other => return Err(format!("compression method {other} is not supported")),
        };
        let ssl3 = protocol == ProtocolVersion::SSL3;
        let mac = suite
            .mac
            .map(|hash| RecordMac::new(hash, ssl3, mac_key, options.truncated_hmac && !ssl3));
        let encrypt_then_mac = options.encrypt_then_mac && !ssl3 && cipher.mode == CipherMode::Cbc;
        Ok(Self { protection, mac, ssl3, encrypt_then_mac, inflate, sequence: 0 })
    }

    /// Advances past records that are not decrypted.
    pub fn skip(&mut self, skipped: &Skipped) {
        if skipped.records == 0 {
            return;
        }
        self.sequence += skipped.records;
        if let Some(inflate) = &mut self.inflate {
            inflate.lose();
        }
        match &mut self.protection {
            Protection::Stream(Some(rc4)) => rc4.skip(skipped.bytes),
            Protection::Cbc { chain: Chain::Last(last), block_len, .. } => {
                // Under encrypt_then_mac the last block stands before the MAC.
                let mac_len = self.mac.as_ref().filter(|_| self.encrypt_then_mac);
                let behind = mac_len.map_or(0, RecordMac::len);
                let end = skipped.tail.len() - behind;
                last[..*block_len].copy_from_slice(&skipped.tail[end - *block_len..end]);
            }
            Protection::Stream(None) | Protection::Cbc { .. } | Protection::Aead { .. } => {}
        }
    }

    /// Decrypts the next record: content type and version are those of its header.
    ///
    /// # Errors
    ///
    /// [`RecordError`] names what is wrong.
    pub fn open(
        &mut self,
        content_type: u8,
        version: u16,
        fragment: &[u8],
    ) -> Result<Vec<u8>, RecordError> {
        let header = Header { sequence: self.sequence, content_type, version };
        self.sequence += 1;
        let plaintext = match &mut self.protection {
            Protection::Aead { open, key, salt, tag_len } => {
                let content = fragment.len().checked_sub(EXPLICIT_NONCE_LEN + *tag_len);
                let content = content.ok_or(RecordError::Bad("length"))?;
                let (explicit, sealed) = fragment.split_at(EXPLICIT_NONCE_LEN);
                let nonce = [&salt[..], explicit].concat();
                let mut bytes = sealed.to_vec();
                open(key, &nonce, &header.with_len(content), &mut bytes)
                    .ok_or(RecordError::Bad("tag"))?;
                bytes
            }
            Protection::Stream(rc4) => {
                let mut bytes = fragment.to_vec();
                if let Some(rc4) = rc4 {
                    rc4.apply(&mut bytes);
                }
                strip_mac(self.mac.as_ref(), header, bytes)?
            }
            Protection::Cbc { decrypt, key, block_len, chain } => {
                let mut covered = fragment.to_vec();
                if self.encrypt_then_mac {
                    covered = strip_mac(self.mac.as_ref(), header, covered)?;
                }
                let (iv, mut bytes) = chain.split(&covered, *block_len)?;
                decrypt(key, &iv, &mut bytes).ok_or(RecordError::Bad("key length"))?;
                let content = unpad(&bytes, *block_len, self.ssl3)?;
                bytes.truncate(content);
                if self.encrypt_then_mac {
                    bytes
                } else {
                    strip_mac(self.mac.as_ref(), header, bytes)?
                }
            }
        };
        match &mut self.inflate {
            None => Ok(plaintext),
            Some(inflate) => inflate.inflate(&plaintext),
        }
    }
}

impl Chain {
    /// Splits a fragment into the IV and the encrypted blocks.
    fn split(
        &mut self,
        fragment: &[u8],
        block_len: usize,
    ) -> Result<(Vec<u8>, Vec<u8>), RecordError> {
        let (iv, blocks) = match self {
            Self::Explicit => {
                let (iv, blocks) =
                    fragment.split_at_checked(block_len).ok_or(RecordError::Bad("length"))?;
                (iv.to_vec(), blocks)
            }
            Self::Last(last) => (last[..block_len].to_vec(), fragment),
        };
        if blocks.is_empty() || !blocks.len().is_multiple_of(block_len) {
            return Err(RecordError::Bad("length"));
        }
        if let Self::Last(last) = self {
            // Whole blocks, at least one.
            last[..block_len].copy_from_slice(&blocks[blocks.len() - block_len..]);
        }
        Ok((iv, blocks.to_vec()))
    }
}

/// Returns the length of the content before the padding (RFC 5246 section 6.2.3.2, RFC 6101
/// section 5.2.3.2).
fn unpad(bytes: &[u8], block_len: usize, ssl3: bool) -> Result<usize, RecordError> {
    let (last, rest) = bytes.split_last().ok_or(RecordError::Bad("length"))?;
    let padding_len = usize::from(*last);
    let content = rest.len().checked_sub(padding_len).ok_or(RecordError::Bad("padding"))?;
    let good = if ssl3 {
        // The padding bytes of SSL 3.0 are arbitrary, but never a block more than needed.
        padding_len < block_len
    } else {
        rest.iter().skip(content).all(|byte| byte == last)
    };
    if good { Ok(content) } else { Err(RecordError::Bad("padding")) }
}

/// Verifies the MAC at the end and removes it.
fn strip_mac(
    mac: Option<&RecordMac>,
    header: Header,
    mut bytes: Vec<u8>,
) -> Result<Vec<u8>, RecordError> {
    let Some(mac) = mac else { return Ok(bytes) };
    let content = bytes.len().checked_sub(mac.len()).ok_or(RecordError::Bad("length"))?;
    let (data, given) = bytes.split_at(content);
    if !mac.verify(header, data, given) {
        return Err(RecordError::Bad("MAC"));
    }
    bytes.truncate(content);
    Ok(bytes)
}

impl fmt::Debug for RecordCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordCipher").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_of_tls_repeats_its_length_and_that_of_ssl_3_is_arbitrary_but_short() {
        let bad = Err(RecordError::Bad("padding"));
        assert_eq!(unpad(&[9, 9, 9, 9, 3, 3, 3, 3], 8, false), Ok(4));
        assert_eq!(unpad(&[9, 9, 9, 9, 9, 9, 9, 0], 8, false), Ok(7));
        assert_eq!(unpad(&[7; 8], 8, false), Ok(0));
        assert_eq!(unpad(&[9, 9, 9, 9, 3, 2, 3, 3], 8, false), bad);
        assert_eq!(unpad(&[8; 8], 8, false), bad);
        assert_eq!(unpad(&[9, 9, 9, 9, 1, 2, 4, 3], 8, true), Ok(4));
        assert_eq!(unpad(&[8; 16], 8, true), bad);
        assert_eq!(unpad(&[8; 16], 8, false), Ok(7));
        assert_eq!(unpad(&[], 8, true), Err(RecordError::Bad("length")));
    }

    #[test]
    fn the_iv_of_a_chained_record_is_the_last_block_of_the_previous_one() {
        let mut chain = Chain::Last([1; MAX_BLOCK_LEN]);
        assert_eq!(chain.split(&[2; 16], 8), Ok((vec![1; 8], vec![2; 16])));
        assert_eq!(chain.split(&[3; 8], 8), Ok((vec![2; 8], vec![3; 8])));
        for bad in [0, 7, 9] {
            assert_eq!(chain.split(&vec![4; bad], 8), Err(RecordError::Bad("length")));
        }
        assert_eq!(Chain::Explicit.split(&[5; 16], 8), Ok((vec![5; 8], vec![5; 8])));
        assert_eq!(Chain::Explicit.split(&[5; 8], 8), Err(RecordError::Bad("length")));
    }
}
