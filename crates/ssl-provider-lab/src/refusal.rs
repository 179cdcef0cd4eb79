//! Why a client was refused, as text: an alert alone does not show what to change.
//! Only what was wrong with unencrypted messages has a text, so that the log is no oracle.

use std::fmt;

use ssl_provider::{CipherSuite, Error, ProtocolVersion};
use ssl_provider_wire::{
    Alert, ClientHello, EMPTY_RENEGOTIATION_INFO_SCSV, FALLBACK_SCSV, HandshakeType,
};

/// How many suites are listed; of the rest only the number is shown.
const MAX_LISTED: usize = 8;

/// What was wrong with a client's first messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The first bytes are an HTTP request.
    PlainHttp,
    /// The first byte is not that of a TLS record.
    NotTls,
    /// The highest version that the client offers is below every enabled one.
    Version(ProtocolVersion),
    /// The client retries with a lower version than both support (RFC 7507).
    Fallback,
    /// The client does not offer null compression.
    Compression,
    /// The renegotiation_info of an initial ClientHello is not empty (RFC 5746 section 3.6).
    Renegotiation,
    /// None of these suites, which the client offers, is enabled in the negotiated version.
    Suites(ProtocolVersion, Box<[CipherSuite]>),
    /// A suite with ephemeral keys is common, but no group of it.
    Group,
    /// A suite with ephemeral keys is common, but no scheme to sign it with.
    SignatureScheme,
    /// The client lists curves, but not the encoding of points that all must have (RFC 8422 section
    /// 5.1.2).
    PointFormats,
    /// The client offers application protocols, and none that the server has.
    ApplicationProtocol,
    /// The session to resume has the extended master secret, which the client no longer offers
    /// (RFC 7627 section 5.3).
    SessionWithoutExtendedMasterSecret,
    /// The session to resume has a suite that the client no longer offers.
    SessionWithoutSuite,
    /// The client sent no certificate.
    NoClientCertificate,
    /// The key usage of the client's certificate allows no signatures.
    KeyUsageOfClientCertificate,
    /// Client certificates are required, and are not supported in SSL 3.0.
    NoClientCertificateInSsl3,
    /// The hello of TLS 1.3 lacks this extension (RFC 8446 section 9.2).
    MissingExtension(&'static str),
    /// The public keys of the hello do not fit its groups, or what was asked for.
    KeyShare,
    /// The second ClientHello differs from the first where it must not (RFC 8446 section 4.1.2).
    ChangedHello,
    /// The binder of a pre-shared key is wrong (RFC 8446 section 4.2.11.2).
    Binder,
    /// The session cannot be written to the key log, which is not the client's fault.
    KeyLog,
    /// The library failed, such as where a key server cannot be reached; nor is that the client's.
    Library(Error),
}

/// An alert and its cause.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) alert: Alert,
    pub(crate) cause: Option<Cause>,
}

impl From<Alert> for Refusal {
    fn from(alert: Alert) -> Self {
        Self { alert, cause: None }
    }
}

impl Cause {
    /// Returns the cause for refused first bytes, or `None` if they are the start of a TLS record.
    pub(crate) fn of_first_bytes(bytes: &[u8]) -> Option<Self> {
        const METHODS: [&[u8]; 7] =
            [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT "];
        const CLIENT_HELLO: u8 = HandshakeType::CLIENT_HELLO.0;
        match bytes {
            // An SSL 2.0 ClientHello: two bytes of length, its type, the version.
            [0x80..=0xff, _, CLIENT_HELLO, 0, 2, ..] => Some(Self::Version(ProtocolVersion::SSL2)),
            [20..=23, 3, ..] => None,
            _ if METHODS.into_iter().any(|method| bytes.starts_with(method)) => {
                Some(Self::PlainHttp)
            }
            _ => Some(Self::NotTls),
        }
    }

    pub(crate) fn no_suite(protocol: ProtocolVersion, hello: &ClientHello<'_>) -> Self {
        Self::Suites(protocol, hello.suites().map(|suite| CipherSuite(suite.into())).collect())
    }
}

impl std::error::Error for Cause {}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PlainHttp => "this is HTTP without TLS; use https://",
            Self::NotTls => "this is not TLS",
            Self::Version(version) => {
                return write!(f, "{version} is the highest version that the client offers");
            }
            Self::Fallback => "inappropriate fallback: both sides support a higher version",
            Self::Compression => "the client does not offer null compression",
            Self::Renegotiation => "the renegotiation_info of the first ClientHello is not empty",
            Self::Suites(protocol, suites) => return write_suites(f, *protocol, suites),
            Self::Group => "the client offers no group that the server has for ephemeral keys",
            Self::SignatureScheme => {
                "the client offers no signature scheme that the server's key has"
            }
            Self::PointFormats => "the client offers curves, but no uncompressed points",
            Self::ApplicationProtocol => {
                "the client offers none of the server's application protocols"
            }
            Self::SessionWithoutExtendedMasterSecret => {
                "the session has the extended master secret, which the client no longer offers"
            }
            Self::SessionWithoutSuite => "the session has a suite that the client no longer offers",
            Self::NoClientCertificate => "the client sent no certificate",
            Self::KeyUsageOfClientCertificate => {
                "the key usage of the client's certificate has no digitalSignature"
            }
            Self::NoClientCertificateInSsl3 => "client certificates are not supported in SSL 3.0",
            Self::MissingExtension(name) => return write!(f, "the client sent no {name}"),
            Self::KeyShare => "the key_share of the client is not one for its groups",
            Self::ChangedHello => "the second ClientHello is not the first one",
            Self::Binder => "the binder is wrong: the client has another pre-shared key",
            Self::KeyLog => "the key log cannot be written",
            Self::Library(error) => return write!(f, "the library failed: {error}"),
        })
    }
}

fn write_suites(
    f: &mut fmt::Formatter<'_>,
    protocol: ProtocolVersion,
    suites: &[CipherSuite],
) -> fmt::Result {
    let is_suite = |suite: &&CipherSuite| {
        // Not GREASE (RFC 8701 section 2), nor signaling values.
        suite.0 & 0x0f0f != 0x0a0a
            && ![EMPTY_RENEGOTIATION_INFO_SCSV, FALLBACK_SCSV].map(u32::from).contains(&suite.0)
    };
    let suites: Vec<_> = suites.iter().filter(is_suite).copied().collect();
    if !suites.is_empty() && suites.iter().all(|suite| suite.0 >> 8 == 0x13) {
        return f.write_str("the client offers TLS 1.3 only");
    }
    write!(f, "the client offers none of the suites enabled in {protocol}: ")?;
    for (index, suite) in suites.iter().take(MAX_LISTED).enumerate() {
        write!(f, "{}{suite}", if index == 0 { "" } else { ", " })?;
    }
    match suites.len().saturating_sub(MAX_LISTED) {
        0 if suites.is_empty() => f.write_str("none at all"),
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(suites: &[u32]) -> String {
        Cause::Suites(ProtocolVersion::TLS1_2, suites.iter().copied().map(CipherSuite).collect())
            .to_string()
    }

    #[test]
    fn the_suites_that_a_client_offers_are_listed() {
        assert_eq!(suites(&[0x1a1a, 0x1301, 0x1302, 0x00ff]), "the client offers TLS 1.3 only");
        let no_rsa = "the client offers none of the suites enabled in TLS 1.2: \
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, 0xFF02";
        assert_eq!(suites(&[0xc02f, 0xff02, 0x00ff]), no_rsa);
        let other = "the client offers none of the suites enabled in TLS 1.2: \
            TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384";
        assert_eq!(suites(&[0x000a, 0xc030]), other);
        let many: Vec<_> = (0xff01..=0xff0b).collect();
        assert!(suites(&many).ends_with(", 0xFF08 and 3 more"), "{}", suites(&many));
        assert!(suites(&[0x00ff]).ends_with("none at all"));
        assert!(
            Cause::Version(ProtocolVersion::SSL3).to_string().starts_with("SSL 3.0 is the highest")
        );
        assert!(Cause::Version(ProtocolVersion(0x0200)).to_string().starts_with("0x0200"));
    }

    #[test]
    fn http_is_distinguished_from_other_input() {
        assert_eq!(Cause::of_first_bytes(b"GET / HTTP/1.0\r\n"), Some(Cause::PlainHttp));
        for noise in [&b"G"[..], b"SSH-2.0-x", b"\0\0\0", b"", &[22, 0xfe, 0xfd]] {
            assert_eq!(Cause::of_first_bytes(noise), Some(Cause::NotTls));
        }
        let ssl2 = Cause::of_first_bytes(&[0x80, 46, 1, 0, 2, 0, 3]).unwrap();
        assert!(ssl2.to_string().starts_with("SSL 2.0 is the highest"));
        assert_eq!(Cause::of_first_bytes(&[22, 3, 1, 0xff, 0xff]), None, "a record too long");
    }
}
