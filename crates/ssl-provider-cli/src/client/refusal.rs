//! Why a handshake with a server failed, in words, and the option that may help.
//! Names and texts of a server may be hostile: control characters are escaped.

use ssl_provider::ProtocolVersion;
use ssl_provider_lab::client::{ClientConnection, ClientEnding, ServerFault};
use ssl_provider_wire::Alert;

use crate::client::{ClientArgs, trust};
use crate::protocol_argument;

/// Why an alert ended a handshake; none if no alert did.
pub(crate) fn reason(connection: &ClientConnection) -> Option<String> {
    Some(match connection.ending()? {
        ClientEnding::Refused(alert) => {
            let fault = connection.fault().map(|fault| printable(&fault.to_string()));
            format!("{} (alert {})", fault.unwrap_or_default(), Alert::name_of(alert.code()))
        }
        other => ending(other),
    })
}

/// How a connection ended, in words.
pub(crate) fn ending(ending: ClientEnding) -> String {
    match ending {
        ClientEnding::Closed => "closed".to_owned(),
        ClientEnding::Refused(alert) => {
            format!("ended by this client with the alert {}", Alert::name_of(alert.code()))
        }
        ClientEnding::FailedByServer(code) => {
            format!("the server sent the alert {}", Alert::name_of(code))
        }
    }
}

/// Escapes what could control a terminal or look like another line.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char.is_control() || is_bidirectional(char) {
            true => out.extend(char.escape_unicode()),
            false => out.push(char),
        }
    }
    out
}

/// Marks that change the direction of the text after them.
fn is_bidirectional(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl ClientArgs {
    /// What may help where a handshake failed; `key_options` are those for a client certificate.
    pub(crate) fn advice(
        &self,
        connection: &ClientConnection,
        key_options: &str,
    ) -> Option<String> {
        const HANDSHAKE_FAILURE: u8 = Alert::HandshakeFailure.code();
        const CERTIFICATE_REQUIRED: u8 = Alert::CertificateRequired.code();
        const PROTOCOL_VERSION: u8 = Alert::ProtocolVersion.code();
        const INSUFFICIENT_SECURITY: u8 = Alert::InsufficientSecurity.code();
        match (connection.ending()?, connection.fault()) {
            (ClientEnding::FailedByServer(HANDSHAKE_FAILURE | INSUFFICIENT_SECURITY), _) => {
                Some(format!(
                    "the server may accept none of the suites or groups; --suites default,legacy \
                     offers more, and some servers ask for a client certificate ({key_options})"
                ))
            }
            (ClientEnding::FailedByServer(CERTIFICATE_REQUIRED), _) => {
                Some(format!("the server asks for a client certificate ({key_options})"))
            }
            (ClientEnding::FailedByServer(PROTOCOL_VERSION), _)
                if self.max_version < ProtocolVersion::TLS1_3 =>
            {
                Some(format!(
                    "the server accepts no version up to {}; some speak TLS 1.3 only, which \
                     --max-version tls1.3 offers",
                    self.max_version
                ))
            }
            (ClientEnding::FailedByServer(PROTOCOL_VERSION), _) => {
                let name = protocol_argument::name(self.min_version);
                Some(format!("the server accepts no version from {name} on"))
            }
            (_, Some(ServerFault::Version(version)))
                if (ProtocolVersion::SSL3..self.min_version).contains(version) =>
            {
                let name = protocol_argument::name(*version);
                Some(format!("--min-version {name} accepts it"))
            }
            (_, Some(ServerFault::Untrusted(reason))) => Some(trust::advice(reason).to_owned()),
            (_, Some(ServerFault::KeyUsage(_))) => Some("--insecure goes on".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_control_a_terminal_is_escaped() {
        assert_eq!(printable("CN=x\u{1b}[31m\nO=\u{fc}"), "CN=x\\u{1b}[31m\\u{a}O=\u{fc}");
        assert_eq!(printable("\u{202e}moc"), "\\u{202e}moc");
        assert_eq!(printable("\u{9b}"), "\\u{9b}");
    }
}
