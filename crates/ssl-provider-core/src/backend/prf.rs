//! The TLS PRF for libraries that have HMAC but no PRF.
//! Such a backend wraps its HMAC key in [`HmacKey`] and calls [`prf_sha2`] or [`prf_md5_sha1`].

use zeroize::Zeroizing;

/// Longest HMAC output in bytes that the PRF uses: SHA-384.
const MAX_OUTPUT_LEN: usize = 48;

/// An HMAC key that is ready for many messages, with the padded key already hashed.
pub trait HmacKey {
    /// Length of the HMAC in bytes: 1 to 48.
    fn output_len(&self) -> usize;

    /// Computes the HMAC over `head`, `label` and the parts of `seed`, one after another.
    /// `out` is exactly [`output_len`](Self::output_len) bytes.
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]);
}

/// The PRF of TLS 1.2: P_hash (RFC 5246 section 5), filling `out`.
pub fn prf_sha2<K: HmacKey>(key: &K, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    out.fill(0);
    xor_p_hash(key, label, seed, out);
}

/// The PRF of TLS 1.0 and 1.1: P_MD5 of the first half of the secret xor P_SHA1 of the second
/// (RFC 2246 section 5), filling `out`. See [`split_secret`] for the halves.
pub fn prf_md5_sha1<M: HmacKey, S: HmacKey>(
    md5: &M,
    sha1: &S,
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) {
    out.fill(0);
    xor_p_hash(md5, label, seed, out);
    xor_p_hash(sha1, label, seed, out);
}

/// The halves of a secret for P_MD5 and P_SHA1; they share the middle byte when the length is odd
/// (RFC 2246 section 5).
pub fn split_secret(secret: &[u8]) -> (&[u8], &[u8]) {
    // The length is public: 48 bytes, or that of a shared key.
    let half = secret.len().div_ceil(2);
    (&secret[..half], &secret[secret.len() - half..])
}

/// Adds P_hash to `out` by exclusive or.
fn xor_p_hash<K: HmacKey>(key: &K, label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
    let len = key.output_len();
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
