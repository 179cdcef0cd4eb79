//! Hashes of ring, at once and running.
//! ring has no MD5; the composition asks RustCrypto for it.

use std::fmt;

use ring::digest::{self, Algorithm};
use ring::hmac;

use ssl_provider_core::backend::{BAD_OUTPUT_LEN, HashContext, Hashing, HmacKey};
use ssl_provider_core::{Error, HashAlgorithm, Operation};

use crate::Ring;
use crate::prf::Key;

impl Hashing for Ring {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        // Not in a box: ring does not wipe its contexts, and what is freed lies about for longer
        // than what is on the stack.
        let mut context = digest::Context::new(algorithm(hash)?);
        for part in input {
            context.update(part);
        }
        write(context, out)
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Ok(Box::new(Context(digest::Context::new(algorithm(hash)?))))
    }

    fn with_hmac_key(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        work: &mut dyn FnMut(&dyn HmacKey),
    ) -> Result<(), Error> {
        let algorithm = match hash {
            HashAlgorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            HashAlgorithm::Sha256 => hmac::HMAC_SHA256,
            HashAlgorithm::Sha384 => hmac::HMAC_SHA384,
            HashAlgorithm::Sha512 => hmac::HMAC_SHA512,
            _ => return Err(Error::Unsupported(Operation::Hmac(hash))),
        };
        work(&Key(hmac::Key::new(algorithm, key)));
        Ok(())
    }
}

fn algorithm(hash: HashAlgorithm) -> Result<&'static Algorithm, Error> {
    match hash {
        HashAlgorithm::Sha1 => Ok(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        HashAlgorithm::Sha256 => Ok(&digest::SHA256),
        HashAlgorithm::Sha384 => Ok(&digest::SHA384),
        HashAlgorithm::Sha512 => Ok(&digest::SHA512),
        _ => Err(Error::Unsupported(Operation::Hash(hash))),
    }
}

#[derive(Clone)]
struct Context(digest::Context);

impl HashContext for Context {
    fn update(&mut self, input: &[u8]) {
        self.0.update(input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(self.clone())
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        write(self.0, out)
    }
}

/// Writes the hash of what `context` was fed.
fn write(context: digest::Context, out: &mut [u8]) -> Result<(), Error> {
    if out.len() != context.algorithm().output_len() {
        return Err(BAD_OUTPUT_LEN);
    }
    out.copy_from_slice(context.finish().as_ref());
    Ok(())
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({:?})", self.0.algorithm())
    }
}
