//! The alerts that the server sends, and which of them SSL 3.0 knows.
//! The comment on each says what it answers; RFC 5246 section 7.2.2 has the meanings.

use ssl_provider::{Error, Protocol};

/// An alert that the server sends. All are fatal but [`Alert::CloseNotify`] and
/// [`Alert::NoRenegotiation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Alert {
    /// The end of the connection.
    CloseNotify = 0,
    /// A record or message at a time when it has no place, or without content.
    UnexpectedMessage = 10,
    /// A record that does not open, for whatever reason.
    BadRecordMac = 20,
    /// A record that opens and holds more than 2^14 bytes, or longer than encryption can make it.
    RecordOverflow = 22,
    /// No common suite, a client without the certificate that it must have, or an answer to a
    /// renegotiation that nobody began.
    HandshakeFailure = 40,
    /// A client certificate that cannot be read.
    BadCertificate = 42,
    /// A client certificate with a key of another kind.
    UnsupportedCertificate = 43,
    /// Fields that can be read and contradict each other.
    IllegalParameter = 47,
    /// A message whose fields do not fit into it.
    DecodeError = 50,
    /// A Finished or CertificateVerify that is not right.
    DecryptError = 51,
    /// A version that is not switched on, or a record of another version than agreed.
    ProtocolVersion = 70,
    /// The crypto library failed.
    InternalError = 80,
    /// A repeated hello with a lower version than the server could speak (RFC 7507).
    InappropriateFallback = 86,
    /// A warning: the handshake is not repeated.
    NoRenegotiation = 100,
}

impl Alert {
    /// The number on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether the connection ends with it.
    pub const fn is_fatal(self) -> bool {
        !matches!(self, Self::CloseNotify | Self::NoRenegotiation)
    }

    /// The alert that says this in `protocol`: SSL 3.0 knows fewer (RFC 6101 section 5.4.2).
    pub(crate) const fn in_protocol(self, protocol: Option<Protocol>) -> Self {
        if !matches!(protocol, Some(Protocol::Ssl3)) {
            return self;
        }
        match self {
            Self::CloseNotify
            | Self::UnexpectedMessage
            | Self::BadRecordMac
            | Self::HandshakeFailure
            | Self::BadCertificate
            | Self::UnsupportedCertificate
            | Self::IllegalParameter => self,
            // The nearest that it has.
            Self::RecordOverflow => Self::BadRecordMac,
            Self::DecodeError
            | Self::DecryptError
            | Self::ProtocolVersion
            | Self::InternalError
            | Self::InappropriateFallback
            | Self::NoRenegotiation => Self::HandshakeFailure,
        }
    }
}

impl From<Error> for Alert {
    /// What a failed call of the provider means to the client. A ciphertext never makes one fail.
    fn from(_: Error) -> Self {
        Self::InternalError
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssl_3_gets_alerts_that_it_knows() {
        for alert in [
            Alert::DecodeError,
            Alert::DecryptError,
            Alert::ProtocolVersion,
            Alert::InternalError,
            Alert::NoRenegotiation,
        ] {
            assert_eq!(alert.in_protocol(Some(Protocol::Ssl3)), Alert::HandshakeFailure);
            assert_eq!(alert.in_protocol(Some(Protocol::Tls1_0)), alert);
            assert_eq!(alert.in_protocol(None), alert);
        }
        let known = Alert::BadRecordMac;
        assert_eq!(known.in_protocol(Some(Protocol::Ssl3)), known);
    }
}
