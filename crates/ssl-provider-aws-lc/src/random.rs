//! Random numbers of AWS-LC.

use aws_lc_rs::rand;

use ssl_provider_core::Error;
use ssl_provider_core::backend::SecureRandom;

use crate::AwsLc;

impl SecureRandom for AwsLc {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        rand::fill(out).map_err(|_| Error::Random)
    }
}
