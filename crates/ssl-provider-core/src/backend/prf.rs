//! The TLS PRF for libraries that have HMAC but no PRF: what [`Hashing::prf`] does by default.

use zeroize::Zeroizing;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::Hashing;
use crate::error::Error;
use crate::operation::Operation;

/// Longest HMAC output in bytes that the PRF uses: SHA-384.
const MAX_OUTPUT_LEN: usize = 48;

/// An HMAC key that is ready for many messages, with the padded key already hashed.
pub trait HmacKey {
    /// Computes the HMAC over `head`, `label` and the parts of `seed`, one after another.
    /// `out` is exactly [`HashAlgorithm::output_len`] bytes.
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]);
}

/// The PRF of TLS 1.2 is P_hash (RFC 5246 section 5); that of TLS 1.0 and 1.1 is P_MD5 of the first
/// half of the secret xor P_SHA1 of the second (RFC 2246 section 5).
pub(super) fn prf(
    hashing: &(impl Hashing + ?Sized),
    prf: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let mut p_hash = |hash, secret| {
        hashing.with_hmac_key(hash, secret, &mut |key| {
            out.fill(0);
            xor_p_hash(key, hash.output_len(), label, seed, out);
        })
    };
    let done = match prf {
        PrfAlgorithm::Sha256 => p_hash(HashAlgorithm::Sha256, secret),
        PrfAlgorithm::Sha384 => p_hash(HashAlgorithm::Sha384, secret),
        PrfAlgorithm::Md5Sha1 => {
            let (first, second) = split_secret(secret);
            // Both keys are there before anything is written.
            let mut by_sha1 = Ok(());
            let by_md5 = hashing.with_hmac_key(HashAlgorithm::Md5, first, &mut |md5| {
                by_sha1 = hashing.with_hmac_key(HashAlgorithm::Sha1, second, &mut |sha1| {
                    out.fill(0);
                    xor_p_hash(md5, HashAlgorithm::Md5.output_len(), label, seed, out);
                    xor_p_hash(sha1, HashAlgorithm::Sha1.output_len(), label, seed, out);
                });
            });
            by_md5.and(by_sha1)
        }
    };
    done.map_err(|error| match error {
        Error::Unsupported(_) => Error::Unsupported(Operation::Prf(prf)),
        other => other,
    })
}

/// The halves of a secret for P_MD5 and P_SHA1; they share the middle byte when the length is odd
/// (RFC 2246 section 5).
fn split_secret(secret: &[u8]) -> (&[u8], &[u8]) {
    // The length is public: 48 bytes, or that of a shared key.
    let half = secret.len().div_ceil(2);
    (&secret[..half], &secret[secret.len() - half..])
}

/// Adds P_hash to `out` by exclusive or, with HMACs of `len` bytes.
fn xor_p_hash(key: &dyn HmacKey, len: usize, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    // A(i), then the output block of the same round.
    let mut a = Zeroizing::new([0; MAX_OUTPUT_LEN]);
    let mut block = Zeroizing::new([0; MAX_OUTPUT_LEN]);
    key.mac(&[], label, seed, &mut a[..len]);
    let mut chunks = out.chunks_mut(len).peekable();
    while let Some(chunk) = chunks.next() {
        key.mac(&a[..len], label, seed, &mut block[..len]);
        for (out, byte) in chunk.iter_mut().zip(&block[..len]) {
            *out ^= byte;
        }
        if chunks.peek().is_some() {
            key.mac(&a[..len], &[], &[], &mut block[..len]);
            a.copy_from_slice(block.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_share_the_middle_byte_of_an_odd_secret() {
        assert_eq!(split_secret(&[1, 2, 3, 4]), (&[1, 2][..], &[3, 4][..]));
        assert_eq!(split_secret(&[1, 2, 3]), (&[1, 2][..], &[2, 3][..]));
        assert_eq!(split_secret(&[]), (&[][..], &[][..]));
    }
}
