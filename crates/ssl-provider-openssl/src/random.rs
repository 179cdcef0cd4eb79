//! Random numbers of OpenSSL.

use openssl::rand;

use ssl_provider_core::Error;
use ssl_provider_core::backend::SecureRandom;

use crate::OpenSsl;

impl SecureRandom for OpenSsl {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        // OpenSSL takes a C int for the length.
        out.chunks_mut(1 << 20).try_for_each(rand::rand_priv_bytes).map_err(|_| Error::Random)
    }
}
