//! RustCrypto's private operation with its key marked as undefined, then with the ciphertext.
//! The numbers of the key are found in memory after it was loaded: marks that were set before would
//! spread to lengths and pointers, which loading computes of them.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result, bail, ensure};
use num_bigint::BigUint;
use ssl_provider::RsaPrivateKeyDer;

use crate::{ARENA, measured_raw, valgrind};

/// Runs the private operation with `secret`, which is `key` or `ciphertext`, marked as undefined.
///
/// The random factors of the blinding are not marked, as the operating system writes them.
///
/// # Errors
///
/// Names where the mark was not set or was lost: then a clean run would prove nothing.
pub(crate) fn poison(der: &[u8], secret: &str) -> Result<String> {
    let parsed = RsaPrivateKeyDer::from_der(der)?;
    let numbers = numbers(&parsed)?;
    let start = ARENA.end();
    let key = ssl_provider::backend("rustcrypto")?.rsa_decryption().load(&parsed)?;
    let loaded = start..ARENA.end();
    // Below the modulus, whose highest bit is set.
    let ciphertext = vec![0x2c; key.modulus_len()];
    let places = match secret {
        "key" => mark(&numbers, loaded)?,
        "ciphertext" => {
            valgrind::mark_undefined(&ciphertext);
            1
        }
        _ => bail!("neither `key` nor `ciphertext`: {secret}"),
    };
    let mut em = vec![0; ciphertext.len()];
    let before = valgrind::error_count();
    measured_raw(key.as_ref(), &ciphertext, &mut em)?;
    let reports = valgrind::error_count() - before;
    ensure!(valgrind::is_wholly_undefined(&em), "the mark is lost before the block");
    Ok(format!("rustcrypto, secret {secret} in {places} places, reports: {reports}"))
}

/// A secret number of the key in the form in which the library keeps it.
struct Number {
    name: &'static str,
    bytes: Vec<u8>,
    /// Whether everybody knows that it is odd: the library checks that of a modulus.
    is_odd: bool,
}

/// The numbers that a private operation reads: words, the lowest first.
fn numbers(key: &RsaPrivateKeyDer<'_>) -> Result<Vec<Number>> {
    let number = BigUint::from_bytes_be;
    let ([p, q], [dp, dq, qinv]) = (key.primes().map(number), key.crt_parts().map(number));
    let d = number(key.private_exponent());
    let radix = BigUint::from(1u8) << p.bits().next_multiple_of(64);
    let word = BigUint::from(1u8) << 64;
    let inverse = |prime: &BigUint| prime.modinv(&word).context("a prime is odd");
    let numbers = [
        ("R mod p", &radix % &p),
        ("R mod q", &radix % &q),
        ("R^2 mod p", &radix * &radix % &p),
        ("R^2 mod q", &radix * &radix % &q),
        ("R / q mod p", &radix * &qinv % &p),
        ("1 / p mod 2^64", inverse(&p)?),
        ("1 / q mod 2^64", inverse(&q)?),
        ("p", p),
        ("q", q),
        ("d mod p - 1", dp),
        ("d mod q - 1", dq),
        ("d", d),
    ];
    let numbers = numbers.map(|(name, number)| {
        let is_odd = ["p", "q"].contains(&name);
        Number { name, bytes: number.to_bytes_le(), is_odd }
    });
    Ok(numbers.into())
}

/// Marks the numbers of a key that was loaded into `range`, and returns in how many places.
///
/// # Errors
///
/// Names a number that is not there.
pub(crate) fn mark_key(key: &RsaPrivateKeyDer<'_>, range: Range<usize>) -> Result<usize> {
    mark(&numbers(key)?, range)
}

/// Marks each number wherever it is in `range`, and returns in how many places.
fn mark(numbers: &[Number], range: Range<usize>) -> Result<usize> {
    // Read through the kernel, since the memory is the library's.
    let mut memory = vec![0; range.len()];
    File::open("/proc/self/mem")?.read_exact_at(&mut memory, range.start as u64)?;
    let mut places = 0;
    for Number { name, bytes, is_odd } in numbers {
        let of_number = find(&memory, bytes);
        ensure!(!of_number.is_empty(), "{name} is not in the memory of the loaded key");
        for at in &of_number {
            valgrind::mark_number_at(range.start + at, bytes.len(), *is_odd);
        }
        places += of_number.len();
    }
    Ok(places)
}

/// Where `bytes` are, at a multiple of the length of a word.
fn find(memory: &[u8], bytes: &[u8]) -> Vec<usize> {
    let words = (0..memory.len()).step_by(8);
    words.filter(|at| memory[*at..].starts_with(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_in_the_memory_of_a_loaded_key() {
        let der = RsaPrivateKeyDer::from_der(crate::KEY).unwrap();
        let numbers = numbers(&der).unwrap();
        let start = ARENA.end();
        assert!(mark(&numbers, start..start).is_err());
        let key = ssl_provider::backend("rustcrypto").unwrap().rsa_decryption().load(&der);
        let key = key.unwrap();
        assert!(mark(&numbers, start..ARENA.end()).unwrap() >= numbers.len());
        drop(key);
    }

    #[test]
    fn a_number_is_found_at_words_only() {
        assert_eq!(find(&[0, 7, 7, 0, 0, 0, 0, 0, 7, 7], &[7, 7]), [8]);
    }
}
