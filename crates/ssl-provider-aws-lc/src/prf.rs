//! HMAC of AWS-LC, and the TLS PRF, which AWS-LC has as a whole.
//! `CRYPTO_tls1_prf` takes two parts of a seed; more are joined first.

use std::ptr::{self, NonNull};

use aws_lc_sys::{
    CRYPTO_tls1_prf, EVP_md5_sha1, HMAC_CTX, HMAC_CTX_free, HMAC_CTX_new, HMAC_Final, HMAC_Init_ex,
    HMAC_Update,
};

use ssl_provider_core::backend::BAD_OUTPUT_LEN;
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

use crate::hash::digest;
use crate::succeeded;

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
    let digest = digest(hash).map_err(|_| Error::Unsupported(Operation::Hmac(hash)))?;
    let context = Context::new()?;
    // SAFETY: the context is live; the key's pointer is to `key.len()` bytes and not null even for
    // none, which would mean the previous key; the digest is AWS-LC's; null is for no engine.
    succeeded(unsafe {
        HMAC_Init_ex(context.0.as_ptr(), key.as_ptr().cast(), key.len(), digest, ptr::null_mut())
    })?;
    for part in input {
        // SAFETY: the context is live and has a key; the pointer is to `part.len()` bytes.
        succeeded(unsafe { HMAC_Update(context.0.as_ptr(), part.as_ptr(), part.len()) })?;
    }
    // SAFETY: the context is live and has a key; the pointer is to as many writable bytes as the
    // hash has; null is for a length that is not needed.
    succeeded(unsafe { HMAC_Final(context.0.as_ptr(), out.as_mut_ptr(), ptr::null_mut()) })
}

/// Computes the TLS PRF.
pub(crate) fn prf(
    prf: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let digest = match prf {
        // SAFETY: the call takes no pointer.
        PrfAlgorithm::Md5Sha1 => unsafe { EVP_md5_sha1() },
        PrfAlgorithm::Sha256 => digest(HashAlgorithm::Sha256)?,
        PrfAlgorithm::Sha384 => digest(HashAlgorithm::Sha384)?,
        _ => return Err(Error::Unsupported(Operation::Prf(prf))),
    };
    let joined;
    let (first, second): (&[u8], &[u8]) = match seed {
        [] => (&[], &[]),
        [first] => (first, &[]),
        [first, second] => (first, second),
        [first, rest @ ..] => {
            // Seeds are randoms, hashes, versions and the contexts of exporters: none is a secret.
            joined = rest.concat();
            (first, &joined)
        }
    };
    // SAFETY: each pointer is to as many bytes as the length after it says, `out` is writable and
    // overlaps none of the others, and the digest is AWS-LC's.
    succeeded(unsafe {
        CRYPTO_tls1_prf(
            digest,
            out.as_mut_ptr(),
            out.len(),
            secret.as_ptr(),
            secret.len(),
            label.as_ptr().cast(),
            label.len(),
            first.as_ptr(),
            first.len(),
            second.as_ptr(),
            second.len(),
        )
    })
}

/// Owns an HMAC context. AWS-LC wipes what it frees.
struct Context(NonNull<HMAC_CTX>);

impl Context {
    fn new() -> Result<Self, Error> {
        // SAFETY: the call takes no pointer.
        NonNull::new(unsafe { HMAC_CTX_new() }).map(Self).ok_or(Error::NoMemory)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is live and nobody else has the pointer.
        unsafe { HMAC_CTX_free(self.0.as_ptr()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_in_parts_is_the_seed_in_one() {
        let seed: Vec<u8> = (0..40).collect();
        for algorithm in PrfAlgorithm::ALL {
            let mut whole = [0; 100];
            prf(algorithm, b"secret", b"label", &[&seed], &mut whole).unwrap();
            for part_len in [1, 7, 20, 39] {
                let parts: Vec<&[u8]> = seed.chunks(part_len).collect();
                let mut out = [0; 100];
                prf(algorithm, b"secret", b"label", &parts, &mut out).unwrap();
                assert_eq!(out, whole, "{algorithm:?} in parts of {part_len}");
            }
        }
    }
}
