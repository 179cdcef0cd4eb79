//! Hexadecimal numbers and bytes in arguments and JSON.
//! Reads both cases, with or without a 0x prefix; writes lower case.

use base16ct::{Error, lower, mixed};
use zeroize::Zeroizing;

/// Reads bytes. The error text never repeats the input.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    mixed::decode_vec(digits).map_err(|error| match error {
        Error::InvalidLength => {
            format!("expected hex, found an odd number of digits ({})", digits.len())
        }
        Error::InvalidEncoding => "expected hex, found another character".to_owned(),
    })
}

/// Reads a number of at most 32 bits, such as `0x002f`.
pub(crate) fn number(text: &str) -> Result<u32, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    // `from_str_radix` would accept a sign.
    match digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        true => u32::from_str_radix(digits, 16)
            .map_err(|_| "expected a hex number of 1 to 8 digits".to_owned()),
        false => Err("expected a hex number, found another character".to_owned()),
    }
}

/// Writes bytes, which may be secret: the text is wiped on drop and never grows.
pub(crate) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(lower::encode_string(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_in_either_case_and_with_a_prefix() {
        assert_eq!(decode("00fFA5"), Ok(vec![0x00, 0xff, 0xa5]));
        assert_eq!(decode("0x0aB0"), Ok(vec![0x0a, 0xb0]));
        assert_eq!(decode(""), Ok(vec![]));
        for bad in ["0", "0x0", "0g", " 00", "00 11", "é"] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_hex_and_have_no_sign() {
        assert_eq!(number("0303"), Ok(0x0303));
        assert_eq!(number("0xC02F"), Ok(0xc02f));
        assert_eq!(number("ffffffff"), Ok(u32::MAX));
        for bad in ["", "0x", "+303", "-1", "1ffffffff", "tls", "0x0x1"] {
            assert!(number(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_are_written_in_lower_case() {
        assert_eq!(*encode(&[0x00, 0xAB, 0x0f]), "00ab0f");
    }
}
