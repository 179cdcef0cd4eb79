//! HMAC of ring, and the TLS PRF made of it by core's adapter.
//! A `hmac::Key` has the padded key already hashed, so it serves many messages.

use ring::hmac;

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, HmacKey, prf_sha2};
use ssl_provider_core::{Error, HashAlgorithm, Operation, PrfAlgorithm};

/// Computes HMAC over the parts of `input`, one after another.
pub(crate) fn hmac(
    hash: HashAlgorithm,
    key: &[u8],
    input: &[&[u8]],
    out: &mut [u8],
) -> Result<(), Error> {
    let algorithm = match hash {
        HashAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        HashAlgorithm::Sha256 => hmac::HMAC_SHA256,
        HashAlgorithm::Sha384 => hmac::HMAC_SHA384,
        HashAlgorithm::Sha512 => hmac::HMAC_SHA512,
        _ => return Err(Error::Unsupported(Operation::Hmac(hash))),
    };
    if out.len() != hash.output_len() {
        return Err(BAD_OUTPUT_LEN);
    }
    Key(hmac::Key::new(algorithm, key)).mac(&[], &[], input, out);
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
    let algorithm = match prf {
        PrfAlgorithm::Sha256 => hmac::HMAC_SHA256,
        PrfAlgorithm::Sha384 => hmac::HMAC_SHA384,
        _ => return Err(Error::Unsupported(Operation::Prf(prf))),
    };
    prf_sha2(&Key(hmac::Key::new(algorithm, secret)), label, seed, out);
    Ok(())
}

/// An HMAC key. ring has no way to wipe it, nor the tag it returns; SECURITY.md says so.
struct Key(hmac::Key);

impl HmacKey for Key {
    fn output_len(&self) -> usize {
        self.0.algorithm().digest_algorithm().output_len()
    }

    fn mac(&self, head: &[u8], label: &[u8], seed: &[&[u8]], out: &mut [u8]) {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(head);
        context.update(label);
        for part in seed {
            context.update(part);
        }
        // The callers in this file and in core pass exactly `output_len` bytes.
        out.copy_from_slice(context.sign().as_ref());
    }
}
