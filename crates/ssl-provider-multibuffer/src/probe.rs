//! Whole private operations as they ship, but for the kernel, in a form that `cargo xtask ctgrind`
//! runs under valgrind: it supports neither AVX-512 nor AVX-IFMA.

use std::sync::OnceLock;

use ssl_provider_core::backend::RawDecryption;
use ssl_provider_core::{Error, RsaPrivateKeyDer};

use crate::engine::Engine;
use crate::number::LANES;
use crate::vector::Portable;

/// Called with what the fault check found, a number for each lane that is zero where the result is
/// right: from there on that is public.
static REVEALED: OnceLock<fn(&mut [u64; LANES])> = OnceLock::new();

/// Loads a key with primes of up to 768 bits and runs the private operation on each batch: with
/// new blinding factors the first time for each width, with their squares the next, each result
/// unblinded and checked. Returns whether all results passed the check.
///
/// `revealed` is called with what each check found, before anything branches on it.
///
/// # Errors
///
/// What `random` returns; and [`Error::Internal`] for a key of another length.
pub fn private_operations(
    der: &RsaPrivateKeyDer<'_>,
    batches: &mut [Vec<RawDecryption<'_>>],
    random: &dyn Fn(&mut [u8]) -> Result<(), Error>,
    revealed: fn(&mut [u64; LANES]),
) -> Result<bool, Error> {
    REVEALED.get_or_init(|| revealed);
    macro_rules! engines {
        ($($digits_of_primes:literal and $digits_of_modulus:literal,)*) => { $(
            if Engine::<Portable, $digits_of_primes, $digits_of_modulus>::takes(der) {
                let engine =
                    Engine::<Portable, $digits_of_primes, $digits_of_modulus>::new(Portable, der);
                let mut all_good = true;
                for jobs in batches {
                    let good = engine.decrypt(jobs, random)?;
                    all_good &= good[..jobs.len()].iter().all(|good| *good);
                }
                return Ok(all_good);
            }
        )* };
    }
    engines! {
        10 and 20,
        15 and 30,
    }
    Err(Error::Internal("the probe has a key that no engine takes"))
}

/// Passes on what a fault check found.
pub(crate) fn reveal(difference: &mut [u64; LANES]) {
    if let Some(revealed) = REVEALED.get() {
        revealed(difference);
    }
}
