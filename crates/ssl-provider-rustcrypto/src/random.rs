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
