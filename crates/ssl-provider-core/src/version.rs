//! Protocol versions as they stand on the wire and in `Sslprovider.h`, and what follows from each.
//! A [`ProtocolVersion`] holds any number, known or not; its facts are looked up once.

use std::fmt;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::error::Error;

/// A protocol version: the two bytes on the wire as a big-endian number.
///
/// Any number can be held, because peers and C callers send any.
/// [`key_schedule`](Self::key_schedule) and [`name`](Self::name) return nothing for one that is not
/// known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProtocolVersion(pub u16);

impl ProtocolVersion {
    /// SSL 2.0, known by number only.
    pub const SSL2: Self = Self(0x0002);
    /// SSL 3.0 (RFC 6101), off unless [`Policy::legacy_ssl3`](crate::Policy::legacy_ssl3) is on.
    pub const SSL3: Self = Self(0x0300);
    /// TLS 1.0 (RFC 2246).
    pub const TLS1_0: Self = Self(0x0301);
    /// TLS 1.1 (RFC 4346).
    pub const TLS1_1: Self = Self(0x0302);
    /// TLS 1.2 (RFC 5246).
    pub const TLS1_2: Self = Self(0x0303);
    /// TLS 1.3 (RFC 8446), whose secrets are those of [`tls13`](crate::tls13).
    pub const TLS1_3: Self = Self(0x0304);
    /// DTLS 1.0 (RFC 4347).
    pub const DTLS1_0: Self = Self(0xfeff);
    /// DTLS 1.2 (RFC 6347).
    pub const DTLS1_2: Self = Self(0xfefd);

    /// Every known version, in the order of the header.
    pub const ALL: [Self; 8] = [
        Self::SSL2,
        Self::SSL3,
        Self::TLS1_0,
        Self::TLS1_1,
        Self::TLS1_2,
        Self::TLS1_3,
        Self::DTLS1_0,
        Self::DTLS1_2,
    ];

    /// Returns the number on the wire, big-endian.
    pub const fn wire(self) -> u16 {
        self.0
    }

    /// Returns the usual name, such as `TLS 1.2`; none for an unknown version.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::SSL2 => "SSL 2.0",
            Self::SSL3 => "SSL 3.0",
            Self::TLS1_0 => "TLS 1.0",
            Self::TLS1_1 => "TLS 1.1",
            Self::TLS1_2 => "TLS 1.2",
            Self::TLS1_3 => "TLS 1.3",
            Self::DTLS1_0 => "DTLS 1.0",
            Self::DTLS1_2 => "DTLS 1.2",
            _ => return None,
        })
    }

    /// Returns the key schedule of the version for a suite whose TLS 1.2 PRF is `suite_prf`; none
    /// for a version without a master key (SSL 2.0, TLS 1.3) and for an unknown one.
    pub const fn key_schedule(self, suite_prf: PrfAlgorithm) -> Option<KeySchedule> {
        match self {
            Self::SSL3 => Some(KeySchedule::Ssl3),
            Self::TLS1_0 | Self::TLS1_1 | Self::DTLS1_0 => {
                Some(KeySchedule::Tls(PrfAlgorithm::Md5Sha1))
            }
            Self::TLS1_2 | Self::DTLS1_2 => Some(KeySchedule::Tls(suite_prf)),
            _ => None,
        }
    }

    /// The error for a version that an operation does not support.
    pub(crate) const fn unsupported(self) -> Error {
        Error::UnsupportedProtocol { given: self.0 as u32 }
    }

    /// Returns whether records travel in datagrams.
    pub const fn is_dtls(self) -> bool {
        matches!(self, Self::DTLS1_0 | Self::DTLS1_2)
    }

    /// Returns whether each CBC record carries its own IV (TLS 1.1 and later).
    pub const fn has_explicit_iv(self) -> bool {
        !matches!(self, Self::SSL2 | Self::SSL3 | Self::TLS1_0)
    }

    /// Returns the TLS version that a DTLS version is defined by (RFC 4347, RFC 6347); any other
    /// version as it is.
    pub const fn as_tls(self) -> Self {
        match self {
            Self::DTLS1_0 => Self::TLS1_1,
            Self::DTLS1_2 => Self::TLS1_2,
            other => other,
        }
    }
}

impl TryFrom<u32> for ProtocolVersion {
    type Error = Error;

    /// Takes a `dwProtocol` value.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedProtocol`] for a number of more than 16 bits.
    fn try_from(value: u32) -> Result<Self, Error> {
        u16::try_from(value).map(Self).map_err(|_| Error::UnsupportedProtocol { given: value })
    }
}

impl fmt::Display for ProtocolVersion {
    /// Writes the name, or the number of an unknown version.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("0x{:04x}", self.0)),
        }
    }
}

impl fmt::Debug for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a version derives its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySchedule {
    /// MD5 over SHA-1 with the letters A, BB, CCC (RFC 6101 section 6.1).
    Ssl3,
    /// The PRF of TLS: P_MD5 xor P_SHA1 in TLS 1.0 and 1.1 (RFC 2246 section 5), P_hash with the
    /// hash of the cipher suite in TLS 1.2 (RFC 5246 section 5).
    Tls(PrfAlgorithm),
    /// HKDF with the hash of the cipher suite (RFC 8446 section 7.1).
    Tls13(HashAlgorithm),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_have_a_name_and_unknown_ones_show_their_number() {
        for version in ProtocolVersion::ALL {
            assert_eq!(ProtocolVersion::try_from(u32::from(version.wire())), Ok(version));
            assert_eq!(Some(version.to_string().as_str()), version.name());
        }
        for unknown in [0, 0x0305, 0xfefe, 0xffff] {
            let version = ProtocolVersion(unknown);
            assert_eq!(version.to_string(), format!("0x{unknown:04x}"));
            assert_eq!(version.key_schedule(PrfAlgorithm::Sha256), None);
        }
        for given in [0x1_0303, u32::MAX] {
            let refused = Err(Error::UnsupportedProtocol { given });
            assert_eq!(ProtocolVersion::try_from(given), refused);
        }
    }
}
