//! HKDF from HMAC (RFC 5869), for libraries that have no HKDF of their own.

use zeroize::{Zeroize, Zeroizing};

use crate::algorithm::HashAlgorithm;
use crate::backend::{BAD_OUTPUT_LEN, Hashing};
use crate::error::Error;

/// Longest HMAC output in bytes: SHA-512.
const MAX_OUTPUT_LEN: usize = 64;

/// Computes HKDF-Extract (RFC 5869 section 2.2); `out` is one hash long.
pub(super) fn extract<H: Hashing + ?Sized>(
    hashing: &H,
    hash: HashAlgorithm,
    salt: &[u8],
    input: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    hashing.hmac(hash, salt, input, out)
}

/// Computes HKDF-Expand (RFC 5869 section 2.3) and fills `out`.
pub(super) fn expand<H: Hashing + ?Sized>(
    hashing: &H,
    hash: HashAlgorithm,
    secret: &[u8],
    info: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let len = hash.output_len();
    if out.len() > 255 * len {
        return Err(BAD_OUTPUT_LEN);
    }
    // T(i), and the one before it; none before the first.
    let mut block = Zeroizing::new([0; MAX_OUTPUT_LEN]);
    let mut previous = Zeroizing::new([0; MAX_OUTPUT_LEN]);
    let mut previous_len = 0;
    for (counter, start) in (1..=u8::MAX).zip((0..out.len()).step_by(len)) {
        let counter = [counter];
        let mut input = Vec::with_capacity(info.len() + 2);
        input.push(&previous[..previous_len]);
        input.extend_from_slice(info);
        input.push(&counter);
        if let Err(error) = hashing.hmac(hash, secret, &input, &mut block[..len]) {
            out.zeroize();
            return Err(error);
        }
        for (to, from) in out.iter_mut().skip(start).zip(&block[..len]) {
            *to = *from;
        }
        previous.copy_from_slice(block.as_ref());
        previous_len = len;
    }
    Ok(())
}
