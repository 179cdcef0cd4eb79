//! Random numbers of ring.

use ring::rand::{SecureRandom as _, SystemRandom};

use ssl_provider_core::Error;
use ssl_provider_core::backend::SecureRandom;

use crate::Ring;

impl SecureRandom for Ring {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        SystemRandom::new().fill(out).map_err(|_| Error::Random)
    }
}
