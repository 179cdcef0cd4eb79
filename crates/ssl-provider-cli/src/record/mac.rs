//! The MAC of a record: HMAC from TLS 1.0 on (RFC 5246 section 6.2.3.1), its predecessor in SSL 3.0
//! (RFC 6101 section 5.2.3.1).

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};
use ssl_provider::HashAlgorithm;
use zeroize::Zeroizing;

/// Length of a MAC with truncated_hmac (RFC 6066 section 7).
const TRUNCATED_LEN: usize = 10;

/// What a MAC covers in addition to the data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) sequence: u64,
    pub(super) content_type: u8,
    pub(super) version: u16,
}

impl Header {
    /// Sequence number, type, version and length: the MAC input of HMACs and the additional data of
    /// AEAD ciphers (RFC 5246 section 6.2.3.3).
    pub(super) fn with_len(self, len: usize) -> Vec<u8> {
        let mut bytes = self.without_version(len);
        let at = bytes.len() - 2;
        bytes.splice(at..at, self.version.to_be_bytes());
        bytes
    }

    /// Sequence number, type and length, as in SSL 3.0.
    fn without_version(self, len: usize) -> Vec<u8> {
        // Fragments are shorter than 2^16 bytes: their length field has two bytes.
        let len = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        let mut bytes = Vec::with_capacity(13);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.push(self.content_type);
        bytes.extend_from_slice(&len);
        bytes
    }
}

/// The MAC of one direction.
pub(super) struct RecordMac {
    hash: HashAlgorithm,
    ssl3: bool,
    key: Zeroizing<Vec<u8>>,
    len: usize,
}

impl RecordMac {
    pub(super) fn new(hash: HashAlgorithm, ssl3: bool, key: &[u8], truncated: bool) -> Self {
        let len = if truncated { TRUNCATED_LEN } else { hash.output_len() };
        Self { hash, ssl3, key: Zeroizing::new(key.to_vec()), len }
    }

    /// Returns the length of the MAC.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether `given` is the MAC of `data`. Not in constant time: this runs offline.
    pub(super) fn verify(&self, header: Header, data: &[u8], given: &[u8]) -> bool {
        let mac = match (self.hash, self.ssl3) {
            (HashAlgorithm::Md5, true) => self.ssl3::<Md5>(48, header, data),
            (HashAlgorithm::Sha1, true) => self.ssl3::<Sha1>(40, header, data),
            (HashAlgorithm::Md5, false) => self.hmac::<Hmac<Md5>>(header, data),
            (HashAlgorithm::Sha1, false) => self.hmac::<Hmac<Sha1>>(header, data),
            (HashAlgorithm::Sha256, false) => self.hmac::<Hmac<Sha256>>(header, data),
            (HashAlgorithm::Sha384, false) => self.hmac::<Hmac<Sha384>>(header, data),
            _ => return false,
        };
        mac.get(..self.len) == Some(given)
    }

    fn hmac<M: Mac + KeyInit>(&self, header: Header, data: &[u8]) -> Vec<u8> {
        // HMAC accepts a key of any length.
        let Ok(mut mac) = <M as KeyInit>::new_from_slice(&self.key) else { return Vec::new() };
        mac.update(&header.with_len(data.len()));
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    }

    fn ssl3<D: Digest>(&self, pad_len: usize, header: Header, data: &[u8]) -> Vec<u8> {
        let inner = D::new()
            .chain_update(&self.key)
            .chain_update(&[0x36; 48][..pad_len])
            .chain_update(header.without_version(data.len()))
            .chain_update(data)
            .finalize();
        let outer = D::new()
            .chain_update(&self.key)
            .chain_update(&[0x5c; 48][..pad_len])
            .chain_update(&inner)
            .finalize();
        outer.to_vec()
    }
}
