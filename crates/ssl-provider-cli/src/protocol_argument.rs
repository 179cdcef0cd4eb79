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

/// Finds a name in any case, with or without space or a zero at the end: `tls1` is TLS 1.0.
fn by_name(text: &str) -> Option<ProtocolVersion> {
    let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_', '-'], "");
    let wanted = plain(text);
    ProtocolVersion::ALL.into_iter().find(|version| {
        let name = plain(&version.to_string());
        name == wanted || name.strip_suffix(".0") == Some(wanted.as_str())
    })
}

const EXPECTED: &str =
    "expected a hex number such as 0303, or ssl3.0, tls1.0, tls1.1, tls1.2, dtls1.0, dtls1.2";

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
}
