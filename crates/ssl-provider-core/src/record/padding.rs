//! The padding of CBC records: minimal when written, and removed without telling how long it was.
//! Which bytes are read, and how often, follows from the length of the record alone.

use crate::ct::Mask;
use crate::error::Error;

/// What the protocol asks of padding.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// Shorter than a block, of any content (RFC 6101 section 5.2.3.2).
    Ssl3 {
        /// Bytes of a block.
        block_len: usize,
    },
    /// Up to 256 bytes, each the number of those before the last (RFC 5246 section 6.2.3.2).
    Tls,
}

/// What is known of a CBC record whose padding and MAC have been looked at. All of it is secret
/// until it is revealed, but for the bounds, which follow from the length of the record.
#[derive(Clone, Copy)]
pub struct Verdict {
    /// Whether the record is good, as far as it has been checked.
    pub(super) good: Mask,
    /// Bytes before MAC and padding; where the padding is bad, one of the lengths that are
    /// possible.
    pub(super) payload_len: usize,
    /// The shortest and the longest payload that the length of the record leaves possible.
    pub(super) bounds: (usize, usize),
}

impl Verdict {
    /// Tells the length of the payload of a good record. After this nothing is secret.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecord`] for any other record.
    pub fn reveal(self) -> Result<usize, Error> {
        if self.good.reveal() { Ok(self.payload_len) } else { Err(Error::BadRecord) }
    }

    /// The verdict as a byte that is still secret, for tools that follow secrets through memory.
    #[doc(hidden)]
    pub fn secret(&self) -> u8 {
        self.good.keep(0xff)
    }
}

crate::redacted_debug! { Verdict { bounds, .. } }

/// Fills `padding`, which is 1 to 256 bytes, with its length less one.
pub(super) fn fill(padding: &mut [u8]) {
    let [value, ..] = padding.len().wrapping_sub(1).to_le_bytes();
    padding.fill(value);
}

/// Checks and removes the padding at the end of `blocks`, which hold more than `mac_len` bytes.
#[cfg_attr(feature = "__asm", inline(never))]
pub(super) fn remove(blocks: &[u8], rule: Rule, mac_len: usize) -> Verdict {
    let room = blocks.len().saturating_sub(mac_len);
    let longest = room.min(match rule {
        Rule::Ssl3 { block_len } => block_len,
        Rule::Tls => 256,
    });
    let last = blocks.last().copied().unwrap_or_default();
    let padding_len = usize::from(last) + 1;
    let mut good = Mask::less(longest, padding_len).not();
    if let Rule::Tls = rule {
        let mut difference = 0;
        for (distance, byte) in (0..=u8::MAX).zip(blocks.iter().rev()) {
            let is_padding = Mask::less_byte(last, distance).not();
            difference |= is_padding.keep(byte ^ last);
        }
        good = good.and(Mask::is_zero(difference));
    }
    Verdict {
        good,
        payload_len: room - good.choose_len(padding_len, 1),
        bounds: (room - longest, room - 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plain reading of the rule: branches, early returns.
    fn reference(blocks: &[u8], rule: Rule, mac_len: usize) -> Option<usize> {
        let padding_len = usize::from(*blocks.last().unwrap()) + 1;
        let before = blocks.len().checked_sub(mac_len + padding_len)?;
        let good = match rule {
            Rule::Ssl3 { block_len } => padding_len <= block_len,
            Rule::Tls => {
                blocks[before + mac_len..].iter().all(|byte| usize::from(*byte) + 1 == padding_len)
            }
        };
        good.then_some(before)
    }

    fn check(blocks: &[u8], rule: Rule, mac_len: usize) {
        let verdict = remove(blocks, rule, mac_len);
        let (shortest, longest) = verdict.bounds;
        let len = verdict.payload_len;
        assert!((shortest..=longest).contains(&len), "{len} is not in {shortest}..={longest}");
        let expected = reference(blocks, rule, mac_len).ok_or(Error::BadRecord);
        let most = match rule {
            Rule::Ssl3 { block_len } => block_len,
            Rule::Tls => 256,
        };
        let room = blocks.len() - mac_len;
        assert_eq!(verdict.bounds, (room.saturating_sub(most), room - 1));
        assert_eq!(verdict.secret(), if expected.is_ok() { 0xff } else { 0 });
        assert_eq!(verdict.reveal(), expected, "{rule:?} {mac_len} {blocks:02x?}");
    }

    #[test]
    fn every_last_byte_on_every_size_agrees_with_the_plain_reading() {
        let step = if cfg!(miri) { 19 } else { 1 };
        for (block_len, mac_len) in [(8, 16), (8, 20), (16, 20), (16, 32), (16, 48), (16, 0)] {
            for count in ((mac_len / block_len + 1)..(320 / block_len)).step_by(step) {
                let mut blocks = vec![0; count * block_len];
                for last in (0..=u8::MAX).step_by(step) {
                    blocks.fill(last);
                    check(&blocks, Rule::Tls, mac_len);
                    check(&blocks, Rule::Ssl3 { block_len }, mac_len);
                }
            }
        }
    }

    #[test]
    fn every_wrong_byte_of_padding_is_found_in_tls_and_ignored_in_ssl3() {
        let mut blocks = [0xaa; 336];
        let step = if cfg!(miri) { 85 } else { 1 };
        for len in (1..=256).step_by(step) {
            fill(&mut blocks[336 - len..]);
            check(&blocks, Rule::Tls, 20);
            for position in (336 - len..336).step_by(step) {
                blocks[position] ^= 0x80;
                check(&blocks, Rule::Tls, 20);
                check(&blocks, Rule::Ssl3 { block_len: 16 }, 20);
                blocks[position] ^= 0x80;
            }
        }
    }
}
