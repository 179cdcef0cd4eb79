//! Protocols as the command line takes them: by number in hex, or by name.

use ssl_provider::ProtocolVersion;

use crate::hex;

/// Reads a protocol that may be unknown; the provider refuses those.
pub(crate) fn version(text: &str) -> Result<ProtocolVersion, String> {
    let by_number = || ProtocolVersion::try_from(hex::number(text).ok()?).ok();
    by_name(text).or_else(by_number).ok_or_else(|| EXPECTED.to_owned())
}

/// Reads a protocol that must be known.
pub(crate) fn known(text: &str) -> Result<ProtocolVersion, String> {
    let version = version(text)?;
    version.name().map(|_| version).ok_or_else(|| EXPECTED.to_owned())
}

/// Reads a protocol that the client of `connect` and `proxy` speaks.
pub(crate) fn of_client(text: &str) -> Result<ProtocolVersion, String> {
    of_lab(text, "client")
}

/// Reads a protocol that the server of `serve` speaks.
pub(crate) fn of_server(text: &str) -> Result<ProtocolVersion, String> {
    of_lab(text, "server")
}

fn of_lab(text: &str, who: &str) -> Result<ProtocolVersion, String> {
    match known(text) {
        Ok(version) if (ProtocolVersion::SSL3..=ProtocolVersion::TLS1_3).contains(&version) => {
            Ok(version)
        }
        Ok(_) => Err(format!("this {who} speaks SSL 3.0 to TLS 1.3")),
        Err(_) => Err(EXPECTED_OF_LAB.to_owned()),
    }
}

/// Returns the name by which an option takes a protocol, such as `tls1.0`.
pub(crate) fn name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::SSL3 => "ssl3".to_owned(),
        other => other.to_string().to_ascii_lowercase().replace(' ', ""),
    }
}

/// Finds a name in any case, with or without space or a zero at the end: `tls1` is TLS 1.0.
fn by_name(text: &str) -> Option<ProtocolVersion> {
    let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_', '-'], "");
    let wanted = plain(text);
    ProtocolVersion::ALL.into_iter().find(|version| {
        let name = plain(&version.to_string());
        name == wanted || name.strip_suffix(".0") == Some(wanted.as_str())
    })
}

const EXPECTED: &str = "expected a hex number such as 0303, or ssl3.0, tls1.0, tls1.1, tls1.2, \
                        tls1.3, dtls1.0, dtls1.2";

const EXPECTED_OF_LAB: &str =
    "expected ssl3, tls1.0, tls1.1, tls1.2 or tls1.3, or its number in hex, such as 0303";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_taken_by_number_and_by_name() {
        for text in ["0303", "0x303", "tls1.2", "TLS 1.2", "TLS-1.2"] {
            assert_eq!(known(text), Ok(ProtocolVersion::TLS1_2), "{text}");
        }
        assert_eq!(known("ssl3"), Ok(ProtocolVersion::SSL3));
        assert_eq!(known("tls1"), Ok(ProtocolVersion::TLS1_0));
        assert_eq!(known("DTLS1.2"), Ok(ProtocolVersion::DTLS1_2));
        assert_eq!(version("0305"), Ok(ProtocolVersion(0x0305)));
        for bad in ["tls1.9", "", "1.2", "10303"] {
            assert!(version(bad).is_err(), "{bad}");
        }
        assert!(known("0305").is_err());
    }

    #[test]
    fn the_lab_refuses_protocols_that_it_does_not_speak() {
        let all = ProtocolVersion::SSL3..=ProtocolVersion::TLS1_3;
        for version in ProtocolVersion::ALL.into_iter().filter(|it| all.contains(it)) {
            assert_eq!(of_client(&name(version)), Ok(version));
            assert_eq!(of_server(&name(version)), Ok(version));
        }
        for other in ["dtls1.0", "dtls1.2", "feff", "ssl2.0"] {
            let client = of_client(other).unwrap_err();
            assert_eq!(client, "this client speaks SSL 3.0 to TLS 1.3", "{other}");
            let server = of_server(other).unwrap_err();
            assert_eq!(server, "this server speaks SSL 3.0 to TLS 1.3", "{other}");
        }
        for unknown in ["tls1.9", "0305", ""] {
            let text = of_server(unknown).unwrap_err();
            assert!(text.contains("tls1.2") && !text.contains("dtls"), "{text}");
        }
    }
}
