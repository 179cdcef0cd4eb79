//! The TLS pseudorandom functions by name.

use crate::algorithm::HashAlgorithm;

/// A TLS pseudorandom function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrfAlgorithm {
    /// P_MD5 xor P_SHA1, of TLS 1.0 and 1.1 (RFC 2246 section 5).
    Md5Sha1,
    /// P_SHA256, of TLS 1.2 (RFC 5246 section 5).
    Sha256,
    /// P_SHA384, of TLS 1.2 suites that say so (RFC 5288 section 3).
    Sha384,
}

impl PrfAlgorithm {
    /// Every PRF of the interface.
    pub const ALL: [Self; 3] = [Self::Md5Sha1, Self::Sha256, Self::Sha384];

    /// Returns the usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5Sha1 => "MD5+SHA-1",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
        }
    }

    /// Returns the hash of P_hash, which is the hash of a suite of TLS 1.3; none for two of them.
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::Md5Sha1 => None,
            Self::Sha256 => Some(HashAlgorithm::Sha256),
            Self::Sha384 => Some(HashAlgorithm::Sha384),
        }
    }

    /// Returns the length in bytes of the handshake hash that goes with this PRF (RFC 7627 section
    /// 3).
    pub const fn handshake_hash_len(self) -> usize {
        match self {
            Self::Md5Sha1 => 36,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}
