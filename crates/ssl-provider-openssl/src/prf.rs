//! HMAC (RFC 2104) on OpenSSL's hashes, and the TLS PRF made of it by core's adapter.
//! OpenSSL's own TLS1-PRF and HMAC look algorithms up and allocate at every call.

use zeroize::Zeroizing;

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, HmacKey, prf_md5_sha1, prf_sha2, split_secret};
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

use crate::hash::{Digest, Md5, Sha1, Sha256, Sha384, Sha512};

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

/// An HMAC key: the states of the two hashes after the padded key.
struct Key<D> {
    inner: D,
    outer: D,
}

impl<D: Digest> Key<D> {
    fn new(key: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; MAX_BLOCK_LEN]);
        // The length of a key is public.
        if key.len() > D::BLOCK_LEN {
            let mut hash = D::new();
            hash.update(key);
            hash.finish(&mut block[..D::HASH.output_len()]);
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let block = &mut block[..D::BLOCK_LEN];
        let mut padded = |pad| {
            block.iter_mut().for_each(|byte| *byte ^= pad);
            let mut hash = D::new();
            hash.update(block);
            hash
        };
        // The second pad takes the first off again.
        Self { inner: padded(INNER_PAD), outer: padded(INNER_PAD ^ OUTER_PAD) }
    }
}

impl<D: Digest> HmacKey for Key<D> {
    fn output_len(&self) -> usize {
        D::HASH.output_len()
    }

    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut inner = self.inner.clone();
        inner.update(head);
        inner.update(label);
        for part in seed {
            inner.update(part);
        }
        let mut outer = self.outer.clone();
        inner.finish(out);
        outer.update(out);
        outer.finish(out);
    }
}

const INNER_PAD: u8 = 0x36;
const OUTER_PAD: u8 = 0x5c;

/// Length in bytes of the longest block: SHA-384.
const MAX_BLOCK_LEN: usize = 128;
