//! Protocols as the command line takes them: by number in hex, or by name.

use ssl_provider::Protocol;

use crate::hex;

/// Reads a protocol that may be unknown; the provider refuses those.
pub(crate) fn number(text: &str) -> Result<u32, String> {
    match by_name(text) {
        Some(protocol) => Ok(u32::from(protocol.wire())),
        None => hex::number(text).map_err(|_| EXPECTED.to_owned()),
    }
}

/// Reads a protocol that must be known.
pub(crate) fn known(text: &str) -> Result<Protocol, String> {
    Protocol::try_from(number(text)?).map_err(|_| EXPECTED.to_owned())
}

/// Finds a name in any case, with or without space or a zero at the end: `tls1` is TLS 1.0.
fn by_name(text: &str) -> Option<Protocol> {
    let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_', '-'], "");
    let wanted = plain(text);
    Protocol::ALL.into_iter().find(|protocol| {
        let name = plain(protocol.name());
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
            assert_eq!(known(text), Ok(Protocol::Tls1_2), "{text}");
        }
        assert_eq!(known("ssl3"), Ok(Protocol::Ssl3));
        assert_eq!(known("tls1"), Ok(Protocol::Tls1_0));
        assert_eq!(known("DTLS1.2"), Ok(Protocol::Dtls1_2));
        assert_eq!(number("0305"), Ok(0x0305));
        for bad in ["tls1.9", "", "1.2"] {
            assert!(number(bad).is_err(), "{bad}");
        }
        assert!(known("0305").is_err());
    }
}
