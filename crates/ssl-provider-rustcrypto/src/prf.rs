//! HMAC of the RustCrypto crates, and the TLS PRF made of it by core's adapter.
//! A keyed `Hmac` has the padded key already hashed, so copying it saves that for every message.

use hmac::digest::{FixedOutput, OutputSizeUser};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, HmacKey, prf_md5_sha1, prf_sha2, split_secret};
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

/// Computes HMAC over the parts of `input`, one after another.
pub(crate) fn hmac(
    hash: HashAlgorithm,
    key: &[u8],
    input: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    if out.len() != hash.output_len() {
        return Err(BAD_OUTPUT_LEN);
    }
    match hash {
        HashAlgorithm::Md5 => Key::<Md5>::new(key).mac(&[], &[], input, out),
        HashAlgorithm::Sha1 => Key::<Sha1>::new(key).mac(&[], &[], input, out),
        HashAlgorithm::Sha256 => Key::<Sha256>::new(key).mac(&[], &[], input, out),
        HashAlgorithm::Sha384 => Key::<Sha384>::new(key).mac(&[], &[], input, out),
        HashAlgorithm::Sha512 => Key::<Sha512>::new(key).mac(&[], &[], input, out),
        _ => return Err(Error::Unsupported(Operation::Hmac(hash))),
    }
    Ok(())
}

/// Computes the TLS PRF.
pub(crate) fn prf(
    prf: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    match prf {
        PrfAlgorithm::Md5Sha1 => {
            let (first, second) = split_secret(secret);
            prf_md5_sha1(&Key::<Md5>::new(first), &Key::<Sha1>::new(second), label, seed, out);
        }
        PrfAlgorithm::Sha256 => prf_sha2(&Key::<Sha256>::new(secret), label, seed, out),
        PrfAlgorithm::Sha384 => prf_sha2(&Key::<Sha384>::new(secret), label, seed, out),
        _ => return Err(Error::Unsupported(Operation::Prf(prf))),
    }
    Ok(())
}

/// An HMAC key: two hash states, which are wiped on drop by the crates' feature `zeroize`.
struct Key<D: EagerHash>(Hmac<D>);

impl<D: EagerHash> Key<D> {
    fn new(key: &[u8]) -> Self {
        // HMAC takes keys of every length (RFC 2104 section 3), so this never fails.
        Self(Hmac::new_from_slice(key).expect("HMAC takes a key of any length"))
    }
}

impl<D: EagerHash + Clone> HmacKey for Key<D> {
    fn output_len(&self) -> usize {
        Hmac::<D>::output_size()
    }

    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut mac = self.0.clone();
        mac.update(head);
        mac.update(label);
        for part in seed {
            mac.update(part);
        }
        // The callers in this file and in core pass exactly `output_len` bytes.
        mac.finalize_into(out.try_into().expect("out is of the hash's length"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use zeroize::ZeroizeOnDrop;

    /// Holds by compiling, and no longer does when a feature `zeroize` is lost.
    #[test]
    fn the_states_that_a_key_consists_of_are_wiped_on_drop() {
        fn check<T: ZeroizeOnDrop>() {}
        check::<Md5>();
        check::<Sha1>();
        check::<Sha256>();
        check::<Sha384>();
        check::<Sha512>();
    }
}
