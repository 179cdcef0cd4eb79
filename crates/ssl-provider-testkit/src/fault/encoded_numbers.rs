//! Numbers in signatures and keys as bytes.

use num_bigint::BigUint;

/// A number, big-endian in `len` bytes; none if it does not fit.
pub(super) fn padded(number: &BigUint, len: usize) -> Option<Vec<u8>> {
    let bytes = number.to_bytes_be();
    let zeros = len.checked_sub(bytes.len())?;
    Some([vec![0; zeros], bytes].concat())
}

/// The numbers of an `Ecdsa-Sig-Value`, read without regard to superfluous zeros or the sign; none
/// if it is no sequence of two integers that ends with them.
pub(super) fn ecdsa_numbers(signature: &[u8]) -> Option<[BigUint; 2]> {
    let content = match signature {
        [0x30, 0x81, len, content @ ..] if usize::from(*len) == content.len() => content,
        [0x30, len, content @ ..] if *len < 0x80 && usize::from(*len) == content.len() => content,
        _ => return None,
    };
    let (r, rest) = integer(content)?;
    let (s, rest) = integer(rest)?;
    rest.is_empty().then_some([r, s])
}

fn integer(bytes: &[u8]) -> Option<(BigUint, &[u8])> {
    let [0x02, len, rest @ ..] = bytes else { return None };
    let (number, rest) = rest.split_at_checked(usize::from(*len))?;
    Some((BigUint::from_bytes_be(number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_signatures_are_read_with_superfluous_zeros() {
        let expected = Some([BigUint::from(1_u8), BigUint::from(2_u8)]);
        assert_eq!(ecdsa_numbers(&[0x30, 6, 2, 1, 1, 2, 1, 2]), expected);
        assert_eq!(ecdsa_numbers(&[0x30, 7, 2, 1, 1, 2, 2, 0, 2]), expected);
        assert_eq!(ecdsa_numbers(&[0x30, 0x81, 6, 2, 1, 1, 2, 1, 2]), expected);
        for bad in [&[][..], &[0x30, 5, 2, 1, 1, 2, 1, 2], &[0x30, 4, 2, 1, 1, 2], &[0x30, 0]] {
            assert_eq!(ecdsa_numbers(bad), None);
        }
    }

    #[test]
    fn a_number_that_does_not_fit_has_no_encoding() {
        assert_eq!(padded(&BigUint::from(0x0102_u16), 3), Some(vec![0, 1, 2]));
        assert_eq!(padded(&BigUint::from(0x0102_u16), 1), None);
    }
}
