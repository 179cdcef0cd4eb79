//! Hashes of the RustCrypto crates, at once and running.
//! The four are told apart here, and only here and in the HMAC.

use std::any;
use std::fmt;

use hmac::digest::{Digest, FixedOutputReset};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

use ssl_provider_core::{Error, HashAlgorithm, HashContext};

/// Hashes the parts of `input`, one after another.
pub(crate) fn hash(hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
    let mut context = context(hash);
    for part in input {
        context.update(part);
    }
    context.finish(out)
}

/// A running hash.
pub(crate) fn context(hash: HashAlgorithm) -> Box<dyn HashContext> {
    match hash {
        HashAlgorithm::Md5 => Box::new(Context(Md5::new())),
        HashAlgorithm::Sha1 => Box::new(Context(Sha1::new())),
        HashAlgorithm::Sha256 => Box::new(Context(Sha256::new())),
        HashAlgorithm::Sha384 => Box::new(Context(Sha384::new())),
    }
}

#[derive(Clone)]
struct Context<D>(D);

impl<D: Digest + FixedOutputReset + Clone + Send + Sync + 'static> HashContext for Context<D> {
    fn update(&mut self, input: &[u8]) {
        Digest::update(&mut self.0, input);
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(self.clone())
    }

    fn finish(mut self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        let out =
            out.try_into().map_err(|_| Error::Internal("output is not of the hash's length"))?;
        // In place, so that the state is wiped where it lies: one that is moved out of its box
        // leaves its bytes behind there.
        Digest::finalize_into_reset(&mut self.0, out);
        Ok(())
    }
}

impl<D> fmt::Debug for Context<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({})", any::type_name::<D>())
    }
}
