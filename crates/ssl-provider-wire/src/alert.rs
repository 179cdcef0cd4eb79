//! Alerts: their numbers, their registered names, and which of them SSL 3.0 has.
//! RFC 5246 section 7.2.2 has the meanings, the registry those that came later.

/// Defines [`Alert`]: the number and the registered name of each alert in one place.
macro_rules! alerts {
    ($($(#[$doc:meta])* $alert:ident = $code:literal $name:literal,)*) => {
        /// An alert to send. Received alerts stay numbers, since a peer may send any.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Alert {
            $($(#[$doc])* $alert = $code,)*
        }

        impl Alert {
            /// Returns the registered name of an alert, or its number if it has none.
            pub fn name_of(code: u8) -> String {
                match code {
                    $($code => $name.to_owned(),)*
                    _ => format!("alert {code}"),
                }
            }
        }
    };
}

alerts! {
    /// The sender sends no more data.
    CloseNotify = 0 "close_notify",
    /// A record or message out of order, or without content.
    UnexpectedMessage = 10 "unexpected_message",
    /// Record authentication failed, for whatever reason.
    BadRecordMac = 20 "bad_record_mac",
    /// In TLS 1.0, a record with bad padding; never sent, since it makes a padding oracle.
    DecryptionFailed = 21 "decryption_failed",
    /// An authentic record of more than 2^14 bytes, or one longer than encryption can make it.
    RecordOverflow = 22 "record_overflow",
    /// A record that cannot be decompressed.
    DecompressionFailure = 30 "decompression_failure",
    /// No common suite, a missing client certificate, or a first hello that claims to renegotiate.
    HandshakeFailure = 40 "handshake_failure",
    /// In SSL 3.0, a client without a certificate.
    NoCertificate = 41 "no_certificate",
    /// A certificate that cannot be parsed.
    BadCertificate = 42 "bad_certificate",
    /// A certificate with an unsupported kind of key.
    UnsupportedCertificate = 43 "unsupported_certificate",
    /// A revoked certificate.
    CertificateRevoked = 44 "certificate_revoked",
    /// A certificate that has expired or is not valid yet.
    CertificateExpired = 45 "certificate_expired",
    /// A certificate that is unacceptable for another reason.
    CertificateUnknown = 46 "certificate_unknown",
    /// Well-formed fields with values that are not allowed or contradict each other.
    IllegalParameter = 47 "illegal_parameter",
    /// A certificate of an untrusted authority.
    UnknownCa = 48 "unknown_ca",
    /// A valid certificate whose owner is not allowed access.
    AccessDenied = 49 "access_denied",
    /// A field out of range, or fields that exceed the message.
    DecodeError = 50 "decode_error",
    /// Verification of Finished or of a signature failed.
    DecryptError = 51 "decrypt_error",
    /// In TLS 1.0, more key bits than export rules allowed.
    ExportRestriction = 60 "export_restriction",
    /// A version that is not enabled, or a record of another version than agreed.
    ProtocolVersion = 70 "protocol_version",
    /// No common suite that is strong enough.
    InsufficientSecurity = 71 "insufficient_security",
    /// An internal failure, not caused by the peer.
    InternalError = 80 "internal_error",
    /// A fallback to a lower version than both support (RFC 7507).
    InappropriateFallback = 86 "inappropriate_fallback",
    /// The handshake was canceled.
    UserCanceled = 90 "user_canceled",
    /// A warning: renegotiation is declined.
    NoRenegotiation = 100 "no_renegotiation",
    /// A hello without a mandatory extension (RFC 8446).
    MissingExtension = 109 "missing_extension",
    /// An extension in a ServerHello that was not offered.
    UnsupportedExtension = 110 "unsupported_extension",
    /// A server name that is not known (RFC 6066).
    UnrecognizedName = 112 "unrecognized_name",
    /// A missing client certificate (RFC 8446).
    CertificateRequired = 116 "certificate_required",
    /// No common application protocol (RFC 7301).
    NoApplicationProtocol = 120 "no_application_protocol",
}

impl Alert {
    /// The level of an alert after which the connection may go on.
    pub const WARNING: u8 = 1;
    /// The level of an alert that ends the connection.
    pub const FATAL: u8 = 2;

    /// Returns the number on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Returns whether the alert is sent as a fatal one.
    pub const fn is_fatal(self) -> bool {
        !matches!(
            self,
            Self::CloseNotify | Self::NoCertificate | Self::UserCanceled | Self::NoRenegotiation
        )
    }

    /// Returns the payload of the alert: level and number.
    pub const fn to_bytes(self) -> [u8; 2] {
        [if self.is_fatal() { Self::FATAL } else { Self::WARNING }, self.code()]
    }

    /// Returns the alert to send in SSL 3.0 in place of this one, since it has fewer
    /// (RFC 6101 section 5.4.2).
    pub const fn in_ssl3(self) -> Self {
        match self {
            Self::CloseNotify
            | Self::UnexpectedMessage
            | Self::BadRecordMac
            | Self::DecompressionFailure
            | Self::HandshakeFailure
            | Self::NoCertificate
            | Self::BadCertificate
            | Self::UnsupportedCertificate
            | Self::CertificateRevoked
            | Self::CertificateExpired
            | Self::CertificateUnknown
            | Self::IllegalParameter => self,
            // The nearest that it has.
            Self::DecryptionFailed | Self::RecordOverflow => Self::BadRecordMac,
            Self::UnknownCa | Self::AccessDenied => Self::CertificateUnknown,
            _ => Self::HandshakeFailure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssl_3_gets_alerts_that_it_has() {
        for alert in [
            Alert::DecodeError,
            Alert::DecryptError,
            Alert::ProtocolVersion,
            Alert::InternalError,
            Alert::NoRenegotiation,
        ] {
            assert_eq!(alert.in_ssl3(), Alert::HandshakeFailure);
        }
        assert_eq!(Alert::BadRecordMac.in_ssl3(), Alert::BadRecordMac);
        assert_eq!(Alert::RecordOverflow.in_ssl3(), Alert::BadRecordMac);
        assert_eq!(Alert::UnknownCa.in_ssl3(), Alert::CertificateUnknown);
    }

    #[test]
    fn alerts_have_their_registered_names_and_levels() {
        assert_eq!(Alert::name_of(Alert::DecodeError.code()), "decode_error");
        assert_eq!(Alert::name_of(255), "alert 255");
        assert_eq!(Alert::CloseNotify.to_bytes(), [1, 0]);
        assert_eq!(Alert::NoRenegotiation.to_bytes(), [1, 100]);
        assert_eq!(Alert::BadRecordMac.to_bytes(), [2, 20]);
    }
}
