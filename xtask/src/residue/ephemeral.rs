//! Ephemeral private keys, which only the library knows: all bytes of memory that may be one are
//! tried, by the public key that belongs to them.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, ensure};
use data_encoding::HEXLOWER;
use p256::elliptic_curve::sec1::ToSec1Point;

/// Length in bytes of a private key on either curve.
const LEN: usize = 32;

/// Public keys that a program sent, by the names under which it did.
pub(super) struct PublicKeys {
    /// The x of points on P-256.
    p256: BTreeMap<[u8; LEN], String>,
    x25519: BTreeMap<[u8; LEN], String>,
}

impl PublicKeys {
    /// Takes the blobs of CNG out of what was sent: a header of eight bytes, then x.
    ///
    /// # Errors
    ///
    /// Fails for a blob that is too short, and if there is none for one of the curves.
    pub(super) fn of(sent: &[(String, String)]) -> Result<Self> {
        let mut keys = Self { p256: BTreeMap::new(), x25519: BTreeMap::new() };
        for (name, blob) in sent {
            let of_curve = match name.rsplit_once('-') {
                Some((_, "p256")) => &mut keys.p256,
                Some((_, "x25519")) => &mut keys.x25519,
                _ => continue,
            };
            let blob = HEXLOWER.decode(blob.as_bytes()).context("what the C program sends")?;
            let x = blob.get(8..8 + LEN).and_then(|x| x.try_into().ok());
            of_curve.insert(x.context("a blob that is too short")?, name.clone());
        }
        ensure!(!keys.p256.is_empty() && !keys.x25519.is_empty(), "the C program sent no keys");
        Ok(keys)
    }

    /// Finds the private keys of these, with where they are: at words, big-endian or little-endian.
    /// What other processes have too, such as tables, is none.
    pub(super) fn find_private<'a>(
        &'a self,
        memory: &[u8],
        of_others: &HashSet<[u8; LEN]>,
    ) -> Vec<(&'a str, usize)> {
        let mut found = Vec::new();
        for (at, bytes) in candidates(memory).filter(|(_, bytes)| !of_others.contains(*bytes)) {
            let mut reversed = *bytes;
            reversed.reverse();
            for number in [bytes, &reversed] {
                let x = p256_public_key(number);
                found.extend(x.and_then(|x| self.p256.get(&x)).map(|name| (name.as_str(), at)));
            }
            // A byte string, and nothing that a library would reverse.
            let public = x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(*bytes));
            found.extend(self.x25519.get(public.as_bytes()).map(|name| (name.as_str(), at)));
        }
        found
    }
}

/// Bytes that may be a private key, with where they are.
pub(super) fn candidates(memory: &[u8]) -> impl Iterator<Item = (usize, &[u8; LEN])> {
    let places = (0..memory.len()).step_by(8);
    let all = places.filter_map(|at| Some((at, memory.get(at..)?.first_chunk::<LEN>()?)));
    all.filter(|(_, bytes)| looks_random(bytes))
}

/// The x of the public key of a number; none if it is 0 or not below the order.
fn p256_public_key(number: &[u8; LEN]) -> Option<[u8; LEN]> {
    let private = p256::SecretKey::from_slice(number).ok()?;
    let point = private.public_key().to_sec1_point(false);
    point.as_bytes().get(1..1 + LEN)?.try_into().ok()
}

/// Whether these may be random bytes: pointers, lengths and text are not worth the trial. One key
/// in 8000 is missed, where one word of its four begins or ends with 16 bits of zero.
fn looks_random(bytes: &[u8; LEN]) -> bool {
    let (words, _) = bytes.as_chunks::<8>();
    let distinct = || bytes.iter().collect::<HashSet<_>>().len();
    words.iter().all(|word| word[..2] != [0; 2] && word[6..] != [0; 2]) && distinct() >= 20
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1, 2, 3 and so on.
    fn ascending() -> [u8; LEN] {
        let mut bytes = [0; LEN];
        for (byte, value) in bytes.iter_mut().zip(1..) {
            *byte = value;
        }
        bytes
    }

    #[test]
    fn a_private_key_is_found_in_either_order_and_no_other_bytes_are() {
        let mut number = ascending();
        number.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(37) ^ 0x59);
        let x = p256_public_key(&number).unwrap();
        let x25519 =
            x25519_dalek::PublicKey::from(&x25519_dalek::StaticSecret::from(number)).to_bytes();
        let sent = [("a-p256", x), ("b-x25519", x25519)]
            .map(|(name, x)| (name.to_owned(), HEXLOWER.encode(&[&[0; 8][..], &x].concat())));
        let keys = PublicKeys::of(&sent).unwrap();
        let mut reversed = number;
        reversed.reverse();
        let memory = [&[0; 16][..], &number, &[1; 24], &reversed].concat();
        let find = |memory: &[u8]| keys.find_private(memory, &HashSet::new());
        assert_eq!(find(&memory), [("a-p256", 16), ("b-x25519", 16), ("a-p256", 72)]);
        assert!(find(&memory[1..48]).is_empty());
        let of_others = candidates(&memory).map(|(_, bytes)| *bytes).collect();
        assert!(keys.find_private(&memory, &of_others).is_empty());
        assert!(PublicKeys::of(&sent[..1]).is_err());
    }

    #[test]
    fn what_programs_have_in_memory_does_not_look_random() {
        assert!(!looks_random(b"a text of thirty-two characters."));
        assert!(!looks_random(&[0x7f; LEN]));
        let mut pointer = ascending();
        assert!(looks_random(&pointer));
        pointer[6..8].fill(0);
        assert!(!looks_random(&pointer));
    }
}
