//! The TLS PRF for libraries that have HMAC but no PRF: what [`Hashing::prf`] does by default.

use zeroize::{Zeroize, Zeroizing};

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::Hashing;
use crate::error::Error;
use crate::operation::Operation;

/// Longest HMAC output in bytes that the PRF uses: SHA-384.
const MAX_OUTPUT_LEN: usize = 48;

/// An HMAC key that is ready for many messages, with the padded key already hashed.
pub trait HmacKey {
    /// Computes the HMAC over `head`, `label` and the parts of `seed`, one after another.
    /// `out` is exactly [`HashAlgorithm::output_len`] bytes of the hash that
    /// [`Hashing::with_hmac_key`] was called with.
    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]);
}

/// The PRF of TLS 1.2 is P_hash (RFC 5246 section 5); that of TLS 1.0 and 1.1 is P_MD5 of the first
/// half of the secret xor P_SHA1 of the second (RFC 2246 section 5).
pub(super) fn prf(
    hashing: &(impl Hashing + ?Sized),
    algorithm: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let mut p_hash = |hash: HashAlgorithm| {
        with_key(hashing, hash, secret, out, |key, out| {
            out.fill(0);
            xor_p_hash(key, hash.output_len(), label, seed, out);
        })
    };
    let done = match algorithm {
        PrfAlgorithm::Sha256 => p_hash(HashAlgorithm::Sha256),
        PrfAlgorithm::Sha384 => p_hash(HashAlgorithm::Sha384),
        PrfAlgorithm::Md5Sha1 => md5_sha1(hashing, secret, label, seed, out),
    };
    done.map_err(|error| match error {
        Error::Unsupported(_) => Error::Unsupported(Operation::Prf(algorithm)),
        other => other,
    })
}

/// P_MD5 xor P_SHA1. Both keys are there before anything is written.
fn md5_sha1(
    hashing: &(impl Hashing + ?Sized),
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let (first, second) = split_secret(secret);
    let mut by_sha1 = Ok(());
    let by_md5 = with_key(hashing, HashAlgorithm::Md5, first, out, |md5, out| {
        by_sha1 = with_key(hashing, HashAlgorithm::Sha1, second, out, |sha1, out| {
            out.fill(0);
            xor_p_hash(md5, HashAlgorithm::Md5.output_len(), label, seed, out);
            xor_p_hash(sha1, HashAlgorithm::Sha1.output_len(), label, seed, out);
        });
    });
    by_md5.and(by_sha1)
}

/// Calls `work` with an HMAC key. A backend that reports success without it would leave what was in
/// `out`, such as zeros, as a secret that everybody knows; one that fails after it, a result.
pub(super) fn with_key(
    hashing: &(impl Hashing + ?Sized),
    hash: HashAlgorithm,
    key: &[u8],
    out: &mut [u8],
    mut work: impl FnMut(&dyn HmacKey, &mut [u8]),
) -> Result<(), Error> {
    let mut done = false;
    let result = hashing.with_hmac_key(hash, key, &mut |key| {
        work(key, out);
        done = true;
    });
    match result {
        Ok(()) if !done => Err(Error::Internal("the backend made no HMAC key")),
        Err(_) if done => {
            out.zeroize();
            result
        }
        result => result,
    }
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

    /// Makes no key and reports success, or makes one and reports a failure.
    #[derive(Debug)]
    struct Untrue {
        makes_a_key: bool,
    }

    struct Ones;

    impl HmacKey for Ones {
        fn mac(&self, _: &[u8], _: &[u8], _: &[&[u8]], out: &mut [u8]) {
            out.fill(1);
        }
    }

    impl Hashing for Untrue {
        fn with_hmac_key(
            &self,
            _: HashAlgorithm,
            _: &[u8],
            work: &mut dyn FnMut(&dyn HmacKey),
        ) -> Result<(), Error> {
            if self.makes_a_key {
                work(&Ones);
                return Err(Error::NoMemory);
            }
            Ok(())
        }
    }

    #[test]
    fn a_backend_that_reports_what_it_has_not_done_is_not_believed() {
        for (makes_a_key, left) in [(false, 7), (true, 0)] {
            let hashing = Untrue { makes_a_key };
            let mut out = [7; 32];
            assert!(hashing.hmac(HashAlgorithm::Sha256, &[], &[], &mut out).is_err());
            assert_eq!(out, [left; 32]);
            for algorithm in PrfAlgorithm::ALL {
                let mut out = [7; 48];
                assert!(hashing.prf(algorithm, &[0; 48], b"", &[], &mut out).is_err());
                assert_eq!(out, [left; 48], "{algorithm:?}");
            }
        }
    }
}
