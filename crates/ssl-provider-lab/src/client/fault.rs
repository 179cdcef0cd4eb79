//! Why the client refused a server, as text: an alert alone does not show what is wrong with it.
//! Records that fail authentication have one text, whatever the reason.

use std::fmt;

use ssl_provider::{CipherSuite, Error, ProtocolVersion, SignatureScheme};
use ssl_provider_wire::{Alert, Malformed};

use crate::group::NamedGroup;

/// What was wrong with what a server sent, or what failed here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerFault {
    /// The first bytes are not a TLS record; the text says what they look like.
    NotTls(&'static str),
    /// A record was refused: its header, its length, or its authentication.
    Record(Alert),
    /// Another message was expected.
    Order {
        /// What came.
        found: String,
        /// What should have come.
        expected: &'static str,
    },
    /// A message is longer than any that is accepted.
    TooLong(&'static str),
    /// A message is malformed.
    Malformed {
        /// The message.
        message: &'static str,
        /// The field, and what is wrong with it.
        reason: &'static str,
    },
    /// Too many records in a row made no progress.
    Idle,
    /// The server chose a version that was not offered.
    Version(ProtocolVersion),
    /// The server chose this version although it supports a higher one that was offered, as its
    /// random shows: somebody changed a hello (RFC 8446 section 4.1.3).
    Downgrade(ProtocolVersion),
    /// The server chose a suite that was not offered for this version.
    Suite(CipherSuite, ProtocolVersion),
    /// The server chose to compress.
    Compression(u8),
    /// The ServerHello has an extension that was not offered.
    Extension(u16),
    /// The ServerHello has an extension that is not allowed there.
    ExtensionOfClient(u16),
    /// The extension belongs in another message than this one (RFC 8446 section 4.2).
    ExtensionOfMessage(u16, &'static str),
    /// The record of this message, after which keys change, holds more (RFC 8446 section 5.1).
    KeyChange(&'static str),
    /// The server accepts early data with another suite or application protocol than those of the
    /// ticket (RFC 8446 section 4.2.10).
    EarlyData,
    /// The renegotiation_info of the first ServerHello is not empty (RFC 5746 section 3.4).
    Renegotiation,
    /// The server does not support uncompressed points (RFC 8422 section 5.1.2).
    PointFormats,
    /// The server chose encrypt-then-MAC for a suite that is not CBC (RFC 7366 section 3).
    EncryptThenMac(CipherSuite),
    /// The server chose an application protocol that was not offered.
    Protocol(String),
    /// A session is resumed with another version or suite than it has.
    ResumedOtherwise,
    /// A session with the extended master secret is resumed without it, or the other way round
    /// (RFC 7627 section 5.3).
    ResumedExtendedMasterSecret,
    /// A session with encrypt-then-MAC is resumed without it (RFC 7366 section 3.1).
    ResumedEncryptThenMac,
    /// The server sent no certificate.
    NoCertificate,
    /// The chain has more certificates than are accepted.
    ManyCertificates(usize),
    /// The first certificate cannot be read.
    UnreadableCertificate,
    /// The key of the first certificate is of no kind, size or curve that is supported.
    UnsupportedKey,
    /// The key of the first certificate is not one of the suite.
    KeyOfSuite(CipherSuite),
    /// The key of the first certificate is on a curve that was not offered (RFC 8422 section 5.3).
    CurveOfKey(u16),
    /// The key usage of the first certificate does not allow what the suite does with the key.
    KeyUsage(&'static str),
    /// The certificates are not trusted, for this reason.
    Untrusted(String),
    /// The server chose a group that was not offered.
    Group(u16),
    /// The prime of the group has fewer bits than the policy asks.
    DhPrime {
        /// Bits of the prime.
        bits: usize,
        /// Bits that the policy asks for.
        min: usize,
    },
    /// The numbers are not a group.
    DhParameters,
    /// The server's public key is not one of the group.
    KeyShare,
    /// The server chose a signature scheme that was not offered.
    Scheme(u16),
    /// The server chose a signature scheme for keys of another kind than its own.
    SchemeOfKey(SignatureScheme),
    /// The key of the certificate is shorter than the policy asks.
    ShortKey,
    /// The signature over the key exchange is wrong.
    Signature,
    /// The server's Finished is wrong: the two sides saw different handshakes.
    Finished,
    /// A client certificate is wanted and cannot be used here; the text says why.
    ClientCertificate(&'static str),
    /// The session cannot be written to the key log, which is not the server's fault.
    KeyLog,
    /// The library failed, which is not the server's fault.
    Library(Error),
}

/// An alert and its cause.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) alert: Alert,
    pub(crate) fault: ServerFault,
}

pub(crate) fn refuse<T>(alert: Alert, fault: ServerFault) -> Result<T, Refused> {
    Err(Refused { alert, fault })
}

impl Refused {
    /// Returns the refusal of a malformed message.
    pub(crate) fn malformed(message: &'static str, why: impl Into<Malformed>) -> Self {
        let Malformed { reason, alert } = why.into();
        Self { alert, fault: ServerFault::Malformed { message, reason } }
    }
}

impl From<Error> for Refused {
    /// The library failed; errors that the server causes are told apart where they occur.
    fn from(error: Error) -> Self {
        Self { alert: Alert::InternalError, fault: ServerFault::Library(error) }
    }
}

impl ServerFault {
    /// Returns the fault of first bytes that are not a TLS record.
    pub(crate) fn of_first_bytes(bytes: &[u8]) -> Option<Self> {
        const GREETINGS: [(&[u8], &str); 7] = [
            (b"HTTP/", "the server replies in HTTP without TLS"),
            (b"220", "it looks like SMTP or FTP, which begin TLS by STARTTLS or AUTH TLS"),
            (b"* ", "it looks like IMAP, which begins TLS by STARTTLS"),
            (b"+OK", "it looks like POP3, which begins TLS by STARTTLS"),
            (b"SSH-", "it looks like SSH"),
            (b"-ERR", "it looks like POP3, which begins TLS by STARTTLS"),
            (b"<", "it looks like HTML or XML"),
        ];
        if let [20..=23, 3, ..] = bytes {
            return None;
        }
        let known = GREETINGS.into_iter().find(|(start, _)| bytes.starts_with(start));
        Some(Self::NotTls(known.map_or("it looks like no known protocol", |(_, text)| text)))
    }
}

impl std::error::Error for ServerFault {}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTls(what) => return write!(f, "the reply is not TLS: {what}"),
            Self::Record(alert) => record(*alert),
            Self::Order { found, expected } => {
                return write!(f, "expected {expected}, the server sent {found}");
            }
            Self::TooLong(message) => return write!(f, "{message}: longer than is accepted"),
            Self::Malformed { message, reason } => return write!(f, "{message}: {reason}"),
            Self::Idle => "too many records in a row without any content",
            Self::Version(version) => {
                return write!(f, "the server chose {version}, which is not enabled here");
            }
            Self::Downgrade(version) => {
                return write!(
                    f,
                    "downgrade attack: the server chose {version}, and its random says that it \
                     supports a higher version that was offered"
                );
            }
            Self::Suite(suite, version) => {
                return write!(f, "the server chose {suite}, not offered for {version}");
            }
            Self::Compression(method) => {
                return write!(f, "the server chose compression method {method}, not offered");
            }
            Self::Extension(kind) => {
                return write!(f, "the server sent the extension {kind}, which was not offered");
            }
            Self::ExtensionOfMessage(kind, message) => {
                return write!(f, "{message}: extension {kind} does not belong there");
            }
            Self::KeyChange(message) => {
                return write!(f, "the record of {message} holds more, although keys change there");
            }
            Self::EarlyData => "the server accepts early data, and changes what they depend on",
            Self::ExtensionOfClient(kind) => {
                return write!(f, "ServerHello: extension {kind} is for clients only");
            }
            Self::Renegotiation => "the renegotiation_info of the first ServerHello is not empty",
            Self::PointFormats => "the server does not support uncompressed points",
            Self::EncryptThenMac(suite) => {
                return write!(
                    f,
                    "the server chose encrypt-then-MAC for {suite}, which is not CBC"
                );
            }
            Self::Protocol(name) => {
                return write!(f, "the server chose the application protocol {name}, not offered");
            }
            Self::ResumedOtherwise => "the session is resumed with another version or suite",
            Self::ResumedExtendedMasterSecret => {
                "the session is resumed with another choice about the extended master secret"
            }
            Self::ResumedEncryptThenMac => "the session is resumed without its encrypt-then-MAC",
            Self::NoCertificate => "the server sent no certificate",
            Self::ManyCertificates(max) => {
                return write!(f, "the server sent more than {max} certificates");
            }
            Self::UnreadableCertificate => "the server's certificate cannot be read",
            Self::UnsupportedKey => {
                "the key of the certificate is not supported: expected RSA of 1024 to 8192 bits, \
                 P-256, P-384 or P-521"
            }
            Self::KeyOfSuite(suite) => {
                return write!(f, "the key of the certificate is not one for {suite}");
            }
            Self::CurveOfKey(curve) => {
                let curve = group_name(*curve);
                return write!(
                    f,
                    "the key of the certificate is on the curve {curve}, not offered"
                );
            }
            Self::KeyUsage(usage) => {
                return write!(f, "the key usage of the certificate has no {usage}");
            }
            Self::Untrusted(reason) => {
                return write!(f, "the certificate is not trusted: {reason}");
            }
            Self::Group(group) => {
                return write!(f, "the server chose the group {}, not offered", group_name(*group));
            }
            Self::DhPrime { bits, min } => {
                return write!(
                    f,
                    "the server's Diffie-Hellman prime has {bits} bits; at least {min} are needed"
                );
            }
            Self::DhParameters => {
                "the server's Diffie-Hellman group is not valid: expected an odd prime of at most \
                 8192 bits and 1 < g < p - 1"
            }
            Self::KeyShare => "the server's public key is not one of its group",
            Self::Scheme(scheme) => {
                return write!(f, "the server signed with scheme 0x{scheme:04x}, not offered");
            }
            Self::SchemeOfKey(scheme) => {
                return write!(f, "{} is not for the key of the certificate", scheme.name());
            }
            Self::ShortKey => "the key of the certificate is shorter than min_modulus_bits",
            Self::Signature => {
                "the server's signature is wrong: it does not hold the key of its certificate"
            }
            Self::Finished => "the server's Finished is wrong: the handshake was changed",
            Self::ClientCertificate(why) => {
                return write!(f, "the client certificate cannot be used: {why}");
            }
            Self::KeyLog => "the key log cannot be written",
            Self::Library(error) => return error.fmt(f),
        })
    }
}

/// Returns the name of a group, or its number if it is not known.
fn group_name(number: u16) -> String {
    let named = NamedGroup::all().find(|group| group.wire() == number);
    named.map_or_else(|| number.to_string(), |group| group.name().to_owned())
}

/// Returns why a record was refused.
fn record(alert: Alert) -> &'static str {
    match alert {
        Alert::UnexpectedMessage => "the server sent a record of an unknown type, or an empty one",
        Alert::ProtocolVersion => "the server sent a record of another version",
        Alert::RecordOverflow => "the server sent a record that is too long",
        Alert::BadRecordMac => "the server sent a record that fails authentication",
        _ => "a record could not be processed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_named_and_unknown_ones_have_their_number() {
        let text = |group| ServerFault::Group(group).to_string();
        assert_eq!(text(24), "the server chose the group secp384r1, not offered");
        assert_eq!(text(256), "the server chose the group ffdhe2048, not offered");
        assert_eq!(text(30), "the server chose the group 30, not offered");
        let text = ServerFault::CurveOfKey(25).to_string();
        assert_eq!(text, "the key of the certificate is on the curve secp521r1, not offered");
    }

    #[test]
    fn other_protocols_are_recognized_by_their_greeting() {
        let text = |bytes: &[u8]| ServerFault::of_first_bytes(bytes).map(|it| it.to_string());
        assert!(text(b"HTTP/1.1 400 Bad Request").unwrap().contains("HTTP without TLS"));
        assert!(text(b"220 mail ESMTP").unwrap().contains("SMTP"));
        assert!(text(b"* OK IMAP4rev1").unwrap().contains("IMAP"));
        assert!(text(b"\0\0").unwrap().contains("not TLS"));
        assert_eq!(text(&[22, 3, 3, 0, 1]), None);
        assert_eq!(text(&[21, 3, 0]), None);
    }
}
