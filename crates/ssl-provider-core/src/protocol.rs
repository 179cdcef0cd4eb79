//! The protocol versions of the interface and the facts about each that the key exchange needs.
//! Values are those of `Sslprovider.h`, which are also the versions on the wire.

use crate::backend::PrfAlgorithm;
use crate::error::Error;

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Protocol {
    /// SSL 2.0, known by number only.
    Ssl2 = 0x0002,
    /// SSL 3.0 (RFC 6101), off unless the policy `legacy_ssl3` is on.
    Ssl3 = 0x0300,
    /// TLS 1.0 (RFC 2246).
    Tls1_0 = 0x0301,
    /// TLS 1.1 (RFC 4346).
    Tls1_1 = 0x0302,
    /// TLS 1.2 (RFC 5246).
    Tls1_2 = 0x0303,
    /// TLS 1.3 (RFC 8446), which has no RSA key exchange.
    Tls1_3 = 0x0304,
    /// DTLS 1.0 (RFC 4347).
    Dtls1_0 = 0xfeff,
    /// DTLS 1.2 (RFC 6347).
    Dtls1_2 = 0xfefd,
}

impl Protocol {
    /// Every protocol, in the order of the header.
    pub const ALL: [Self; 8] = [
        Self::Ssl2,
        Self::Ssl3,
        Self::Tls1_0,
        Self::Tls1_1,
        Self::Tls1_2,
        Self::Tls1_3,
        Self::Dtls1_0,
        Self::Dtls1_2,
    ];

    /// The version as two bytes on the wire, big-endian in the number.
    pub const fn wire(self) -> u16 {
        self as u16
    }

    /// The usual name, such as `TLS 1.2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ssl2 => "SSL 2.0",
            Self::Ssl3 => "SSL 3.0",
            Self::Tls1_0 => "TLS 1.0",
            Self::Tls1_1 => "TLS 1.1",
            Self::Tls1_2 => "TLS 1.2",
            Self::Tls1_3 => "TLS 1.3",
            Self::Dtls1_0 => "DTLS 1.0",
            Self::Dtls1_2 => "DTLS 1.2",
        }
    }

    /// The key schedule that the version follows, where it has an RSA key exchange.
    pub const fn schedule(self) -> Option<Schedule> {
        match self {
            Self::Ssl3 => Some(Schedule::Ssl3),
            Self::Tls1_0 | Self::Tls1_1 | Self::Dtls1_0 => Some(Schedule::Md5Sha1),
            Self::Tls1_2 | Self::Dtls1_2 => Some(Schedule::SuiteHash),
            Self::Ssl2 | Self::Tls1_3 => None,
        }
    }

    /// Whether records travel in datagrams.
    pub const fn is_dtls(self) -> bool {
        matches!(self, Self::Dtls1_0 | Self::Dtls1_2)
    }

    /// Whether each CBC record carries its own initialisation vector (TLS 1.1 and later).
    pub const fn has_explicit_iv(self) -> bool {
        !matches!(self, Self::Ssl2 | Self::Ssl3 | Self::Tls1_0)
    }
}

/// How a version derives its secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// MD5 over SHA-1 with the letters A, BB, CCC (RFC 6101 section 6.1).
    Ssl3,
    /// The PRF of TLS 1.0 and 1.1: P_MD5 xor P_SHA1 (RFC 2246 section 5).
    Md5Sha1,
    /// The PRF of TLS 1.2 with the hash of the cipher suite (RFC 5246 section 5).
    SuiteHash,
}

impl Schedule {
    /// The PRF of this schedule for a suite whose TLS 1.2 PRF is `suite_prf`; none for SSL 3.0.
    pub const fn prf(self, suite_prf: PrfAlgorithm) -> Option<PrfAlgorithm> {
        match self {
            Self::Ssl3 => None,
            Self::Md5Sha1 => Some(PrfAlgorithm::Md5Sha1),
            Self::SuiteHash => Some(suite_prf),
        }
    }
}

impl TryFrom<u32> for Protocol {
    type Error = Error;

    /// Takes a `dwProtocol` value.
    fn try_from(value: u32) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|protocol| u32::from(protocol.wire()) == value)
            .ok_or(Error::UnsupportedProtocol { given: value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_survives_the_round_trip_through_its_number() {
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::try_from(u32::from(protocol.wire())), Ok(protocol));
        }
        for unknown in [0, 0x0305, 0xfefe, 0x1_0303, u32::MAX] {
            assert_eq!(
                Protocol::try_from(unknown),
                Err(Error::UnsupportedProtocol { given: unknown })
            );
        }
    }
}
