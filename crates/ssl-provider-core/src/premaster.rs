//! Implicit rejection: from the decrypted RSA block to 48 bytes in constant time.
//! Padding, length and version fall into one mask, which selects the premaster or the fallback.
//!
//! This is the defence against Bleichenbacher's attack and its descendants (ROBOT, DROWN): a
//! padding oracle needs a visible difference, and there is none. Marvin showed that time is one, so
//! the routine has no branch and no index that depends on the block.

use crate::ct::Mask;
use crate::error::Error;
use crate::secret::{MASTER_SECRET_LEN, PremasterSecret};
use crate::version::ProtocolVersion;

/// Shortest RSA block in bytes that can hold a premaster secret: 00 02, eight bytes of padding,
/// 00, and the secret (RFC 8017 section 7.2.1).
pub const MIN_BLOCK_LEN: usize = 2 + 8 + 1 + MASTER_SECRET_LEN;

/// Which versions the first two bytes of a premaster secret may carry (RFC 5246 section 7.4.7.1).
///
/// All of it is public: it follows from the ClientHello and from policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionCheck {
    expected: ProtocolVersion,
    alternate: ProtocolVersion,
    any: bool,
}

impl VersionCheck {
    /// Only the version that the client offered.
    pub fn offered(offered: ProtocolVersion) -> Self {
        Self { expected: offered, alternate: offered, any: false }
    }

    /// The version that the client offered, or the negotiated one, which clients with an old
    /// defect send (RFC 5246 section 7.4.7.1).
    pub fn offered_or_negotiated(offered: ProtocolVersion, negotiated: ProtocolVersion) -> Self {
        Self { expected: offered, alternate: negotiated, any: false }
    }

    /// Every version. The padding then is the only check, as in servers that leave rollback
    /// protection to Finished.
    pub fn any() -> Self {
        Self { expected: NO_VERSION, alternate: NO_VERSION, any: true }
    }

    /// Returns the versions that are accepted; none where every version is.
    pub fn accepted(self) -> Option<[ProtocolVersion; 2]> {
        (!self.any).then_some([self.expected, self.alternate])
    }

    /// The version that the fallback may depend on: none where any is taken.
    ///
    /// Where any version is accepted, a good premaster secret has one result whatever version was
    /// expected. A fallback that differed by it would reveal the bad ones to whoever imports twice.
    pub(crate) fn fallback_version(self) -> ProtocolVersion {
        if self.any { NO_VERSION } else { self.expected }
    }
}

/// Recovers a premaster secret from `em`, the full block that the raw private operation returned,
/// or selects `fallback` where padding, length or version are wrong (implicit rejection,
/// RFC 5246 section 7.4.7.1).
///
/// Time, memory access and control flow depend on the length of `em` alone, which is the public
/// modulus length. Which of the two was selected is not reported.
///
/// # Errors
///
/// [`Error::InvalidParameter`] when `em` is shorter than [`MIN_BLOCK_LEN`]: no key that small is
/// loaded, so this does not happen behind [`crate::Provider`].
pub fn recover_premaster(
    em: &[u8],
    version: VersionCheck,
    fallback: &PremasterSecret,
    out: &mut PremasterSecret,
) -> Result<(), Error> {
    // The length is public: it is the modulus size.
    let (padded, secret) = em.split_last_chunk::<MASTER_SECRET_LEN>().ok_or(TOO_SHORT)?;
    let [first, second, padding @ .., separator] = padded else { return Err(TOO_SHORT) };
    if em.len() < MIN_BLOCK_LEN {
        return Err(TOO_SHORT);
    }

    let mut good = Mask::is_zero(*first).and(Mask::eq(*second, 2)).and(Mask::is_zero(*separator));
    for byte in padding {
        good = good.and(Mask::is_zero(*byte).not());
    }
    good = good.and(version_mask(secret, version));

    good.select(secret, fallback.expose(), out.expose_mut());
    Ok(())
}

/// True where the premaster secret begins with an accepted version.
fn version_mask(secret: &[u8; MASTER_SECRET_LEN], version: VersionCheck) -> Mask {
    let is = |version: ProtocolVersion| {
        let [major, minor] = version.wire().to_be_bytes();
        Mask::eq(secret[0], major).and(Mask::eq(secret[1], minor))
    };
    is(version.expected).or(is(version.alternate)).or(Mask::public(version.any))
}

/// Stands for the expected version where any is accepted.
const NO_VERSION: ProtocolVersion = ProtocolVersion(0);

const TOO_SHORT: Error = Error::InvalidParameter("RSA block: expected at least 59 bytes");

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 5] = [59, 128, 256, 257, 384];

    fn block(len: usize, version: u16) -> Vec<u8> {
        let mut em: Vec<u8> = (0..len).map(|i| u8::try_from(i % 255).unwrap() + 1).collect();
        em[0] = 0;
        em[1] = 2;
        em[len - 49] = 0;
        em[len - 48..len - 46].copy_from_slice(&version.to_be_bytes());
        em
    }

    /// Whether the block's own premaster secret came out; the fallback is told apart by its bytes.
    fn accepted(em: &[u8], version: VersionCheck) -> bool {
        let mut fallback = PremasterSecret::zeroed();
        fallback.expose_mut().fill(0xee);
        let mut out = PremasterSecret::zeroed();
        recover_premaster(em, version, &fallback, &mut out).unwrap();
        if out.expose() == fallback.expose() {
            return false;
        }
        assert_eq!(out.expose(), em.last_chunk().unwrap());
        true
    }

    #[test]
    fn a_well_formed_block_yields_its_last_48_bytes() {
        for len in SIZES {
            assert!(
                accepted(&block(len, 0x0303), VersionCheck::offered(ProtocolVersion::TLS1_2)),
                "{len}"
            );
        }
    }

    #[test]
    fn each_head_byte_is_checked_with_every_value() {
        for len in SIZES {
            for position in 0..len - 48 {
                for value in 0..=u8::MAX {
                    let mut em = block(len, 0x0303);
                    em[position] = value;
                    let good = match position {
                        0 => value == 0,
                        1 => value == 2,
                        separator if separator == len - 49 => value == 0,
                        _ => value != 0,
                    };
                    let got = accepted(&em, VersionCheck::offered(ProtocolVersion::TLS1_2));
                    assert_eq!(got, good, "len {len} position {position} value {value}");
                }
            }
        }
    }

    /// Whether a block is good, with an early return for each way to be bad.
    fn specification(em: &[u8], version: VersionCheck) -> bool {
        let (padded, secret) = em.split_at(em.len() - MASTER_SECRET_LEN);
        if padded[0] != 0 || padded[1] != 2 || padded[padded.len() - 1] != 0 {
            return false;
        }
        if padded[2..padded.len() - 1].contains(&0) {
            return false;
        }
        match version.accepted() {
            None => true,
            Some(accepted) => {
                let carried = u16::from_be_bytes([secret[0], secret[1]]);
                accepted.iter().any(|version| version.wire() == carried)
            }
        }
    }

    /// Every block of the shortest lengths, by shape: each byte of the padding zero or not, what is
    /// around it right or wrong in one way or another, each byte of the version right or wrong.
    /// Compares `is_good` with the specification, and returns how many blocks there were.
    fn compare_by_shape(
        is_good: impl Fn(&[u8], VersionCheck) -> bool,
    ) -> Result<u64, (Vec<u8>, VersionCheck)> {
        let checks = [
            VersionCheck::offered(ProtocolVersion::TLS1_2),
            VersionCheck::offered_or_negotiated(ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_0),
            VersionCheck::any(),
        ];
        // Bytes that are not zero, one after another.
        let mut nonzero = [1, 0x80, 0xff, 2, 0x7f].into_iter().cycle();
        let mut count = 0;
        // Under Miri, a few shapes of the shortest.
        let (lengths, step) = if cfg!(miri) { (1, 37) } else { (4, 1) };
        for len in (MIN_BLOCK_LEN..).take(lengths) {
            let mut em = block(len, 0x0303);
            let padding = 2..len - 49;
            for zeros in (0..1_u32 << padding.len()).step_by(step) {
                for (bit, byte) in em[padding.clone()].iter_mut().enumerate() {
                    let is_zero = zeros >> bit & 1 == 1;
                    *byte = if is_zero { 0 } else { nonzero.next().unwrap() };
                }
                // Every value beside a padding that is good or nearly so, else a few.
                let around = match zeros.count_ones() {
                    0 | 1 if !cfg!(miri) => &[0, 1, 2, 3, 0x80, 0x82, 0xff][..],
                    _ => &[0, 2],
                };
                for (first, second, separator) in combinations(around) {
                    (em[0], em[1], em[len - 49]) = (first, second, separator);
                    for version in [0x0303, 0x0301, 0x0302, 0x0203, 0x0103, 0x0000, 0xfefd] {
                        em[len - 48..len - 46].copy_from_slice(&u16::to_be_bytes(version));
                        for check in checks {
                            if is_good(&em, check) != specification(&em, check) {
                                return Err((em, check));
                            }
                            count += 1;
                        }
                    }
                }
            }
        }
        Ok(count)
    }

    fn combinations(values: &[u8]) -> impl Iterator<Item = (u8, u8, u8)> {
        values.iter().flat_map(move |a| {
            values.iter().flat_map(move |b| values.iter().map(move |c| (*a, *b, *c)))
        })
    }

    #[test]
    fn blocks_of_59_to_62_bytes_agree_with_the_specification_in_every_shape() {
        let count = compare_by_shape(accepted).unwrap();
        let expected = if cfg!(miri) { 1_000 } else { 900_000 };
        assert!(count > expected, "{count}");
    }

    /// If such a fault could hide, the test above would hold for nothing.
    #[test]
    fn a_byte_that_is_not_checked_is_found_in_some_shape() {
        for unchecked in [0, 1, 2, 5, 9, 10] {
            let found = compare_by_shape(|em, version| {
                let mut em = em.to_vec();
                // What a routine would see that does not look at this byte.
                em[unchecked] = block(em.len(), 0x0303)[unchecked];
                specification(&em, version)
            });
            assert!(found.is_err(), "byte {unchecked}");
        }
        // One that looks at the lower byte of the version only.
        let found = compare_by_shape(|em, version| {
            let mut em = em.to_vec();
            let at = em.len() - MASTER_SECRET_LEN;
            em[at] = 3;
            specification(&em, version)
        });
        assert!(found.is_err(), "the version");
    }

    #[test]
    fn of_65536_versions_only_the_offered_one_is_taken() {
        for offered in [0x0300, 0x0301, 0x0303, 0xfeff, 0x0000].map(ProtocolVersion) {
            let taken: Vec<u16> = (0..=u16::MAX)
                .filter(|carried| accepted(&block(64, *carried), VersionCheck::offered(offered)))
                .collect();
            assert_eq!(taken, [offered.wire()]);
        }
    }

    #[test]
    fn the_alternate_version_and_any_version_are_opt_in() {
        let both =
            VersionCheck::offered_or_negotiated(ProtocolVersion::TLS1_2, ProtocolVersion::TLS1_0);
        let taken: Vec<u16> =
            (0..=u16::MAX).filter(|carried| accepted(&block(64, *carried), both)).collect();
        assert_eq!(taken, [0x0301, 0x0303]);
        assert!((0..=u16::MAX).all(|carried| accepted(&block(64, carried), VersionCheck::any())));
    }

    #[test]
    fn any_version_does_not_excuse_bad_padding() {
        let mut em = block(128, 0x0303);
        em[40] = 0;
        assert!(!accepted(&em, VersionCheck::any()));
    }

    #[test]
    fn a_block_that_cannot_hold_a_premaster_is_an_error() {
        let mut out = PremasterSecret::zeroed();
        for len in 0..MIN_BLOCK_LEN {
            let fallback = PremasterSecret::zeroed();
            let result = recover_premaster(&vec![0; len], VersionCheck::any(), &fallback, &mut out);
            assert!(result.is_err(), "{len}");
        }
    }
}
