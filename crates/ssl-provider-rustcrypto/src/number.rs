//! Numbers of `crypto-bigint` as bytes, for RSA and for Diffie-Hellman in finite fields.

use crypto_bigint::BoxedUint;
use zeroize::Zeroizing;

/// Writes a number that may be secret, big-endian, with its leading zeros; none when it is stored
/// in less than `out`.
///
/// A number is as wide as its modulus in whole words. `out` is as long as the modulus, and the
/// number below it, so that what is cut is zero.
pub(crate) fn write(number: &BoxedUint, out: &mut [u8]) -> Option<()> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let start = bytes.len().checked_sub(out.len())?;
    out.copy_from_slice(bytes.get(start..)?);
    Some(())
}
