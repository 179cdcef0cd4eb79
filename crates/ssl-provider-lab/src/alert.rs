//! The alert for a failed call of the provider, and the alert that a version has for it.

use ssl_provider::{Error, ProtocolVersion};
use ssl_provider_wire::Alert;

/// Returns the alert for a failed call of the provider. No ciphertext makes one fail.
pub(crate) fn internal_error(_: Error) -> Alert {
    Alert::InternalError
}

/// Returns `alert` unless what the client sent is good.
pub(crate) fn require(good: bool, alert: Alert) -> Result<(), Alert> {
    if good { Ok(()) } else { Err(alert) }
}

/// Returns the alert to send in `protocol` in place of `alert`; SSL 3.0 has fewer.
pub(crate) fn in_protocol(alert: Alert, protocol: Option<ProtocolVersion>) -> Alert {
    if protocol == Some(ProtocolVersion::SSL3) { alert.in_ssl3() } else { alert }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ssl_3_gets_another_alert() {
        let alert = Alert::DecodeError;
        assert_eq!(in_protocol(alert, Some(ProtocolVersion::SSL3)), Alert::HandshakeFailure);
        assert_eq!(in_protocol(alert, Some(ProtocolVersion::TLS1_0)), alert);
        assert_eq!(in_protocol(alert, None), alert);
    }
}
