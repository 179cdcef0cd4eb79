//! Random numbers of the system, through `getrandom`.

use getrandom::SysRng;
use getrandom::rand_core::TryRng;

use ssl_provider_core::Error;
use ssl_provider_core::backend::SecureRandom;

use crate::RustCrypto;

impl SecureRandom for RustCrypto {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        SysRng.try_fill_bytes(out).map_err(|_| Error::Random)
    }
}

/// A source of random numbers that has none.
#[cfg(test)]
pub(crate) mod broken {
    use getrandom::rand_core::{TryCryptoRng, TryRng};

    pub(crate) struct Broken;

    impl TryRng for Broken {
        type Error = getrandom::Error;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(getrandom::Error::UNSUPPORTED)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(getrandom::Error::UNSUPPORTED)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(getrandom::Error::UNSUPPORTED)
        }
    }

    impl TryCryptoRng for Broken {}
}
