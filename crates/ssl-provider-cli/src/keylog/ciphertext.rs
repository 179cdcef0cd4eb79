//! The RSA ciphertext in a ClientKeyExchange, with or without the length that belongs before it.
//! Only public lengths decide.

/// The ciphertext in a ClientKeyExchange.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ciphertext<'m> {
    pub(super) bytes: &'m [u8],
    /// What is odd about the length before it.
    pub(super) note: Option<&'static str>,
}

impl<'m> Ciphertext<'m> {
    /// TLS puts two bytes of length before it (RFC 5246 section 7.4.7.1), SSL 3.0 does not, and
    /// clients of both kinds err. The lengths decide, which are public.
    pub(super) fn of(body: &'m [u8], modulus_len: usize, ssl3: bool) -> Option<Self> {
        let found = |bytes, note| Some(Self { bytes, note });
        if body.len() == modulus_len {
            let note = "the length that TLS puts before the ciphertext is missing";
            return found(body, (!ssl3).then_some(note));
        }
        match body.split_first_chunk() {
            Some((prefix, rest)) if usize::from(u16::from_be_bytes(*prefix)) == rest.len() => {
                let note = "a length precedes the ciphertext, which SSL 3.0 does not have";
                found(rest, ssl3.then_some(note))
            }
            // Whatever is of another length is for the import to reject.
            _ if ssl3 => found(body, None),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first bytes of the ciphertext that was found and whether something was odd.
    fn find(body: &[u8], ssl3: bool) -> Option<(usize, bool)> {
        Ciphertext::of(body, 8, ssl3).map(|found| (found.bytes.len(), found.note.is_some()))
    }

    #[test]
    fn either_protocol_is_read_with_and_without_the_length() {
        let bare = [0xaa; 8];
        let prefixed = [0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(find(&prefixed, false), Some((8, false)));
        assert_eq!(find(&bare, false), Some((8, true)));
        assert_eq!(find(&bare, true), Some((8, false)));
        assert_eq!(find(&prefixed, true), Some((8, true)));
    }

    #[test]
    fn a_ciphertext_of_another_length_is_for_the_import_to_reject() {
        assert_eq!(find(&[0, 3, 1, 2, 3], false), Some((3, false)));
        assert_eq!(find(&[1, 2, 3], true), Some((3, false)));
        assert_eq!(find(&[0, 0], false), Some((0, false)));
    }

    #[test]
    fn lengths_that_contradict_each_other_are_malformed() {
        for body in [&[][..], &[0], &[0, 9, 1, 2, 3, 4, 5, 6, 7, 8], &[0, 4, 1, 2, 3]] {
            assert_eq!(find(body, false), None, "{body:?}");
        }
    }
}
