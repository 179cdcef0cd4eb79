//! The program that `cargo xtask ctgrind` and `cargo xtask callgrind` run under valgrind.
//! It imports master keys from RSA blocks of every class, marked as secret or counted one by one.
//!
//! `probe poison LIBRARY N` marks each block as undefined the moment the private operation has
//! written it, so memcheck reports every branch and every address that depends on it, in core and
//! in the library's hashes. `probe count N` asks callgrind for the number of instructions of each
//! import, `probe raw LIBRARY N` for those of the library's private operation. N is how many
//! ciphertexts are taken for each kind of block. `probe poison-records LIBRARY` and
//! `probe count-records` do to decrypted CBC records what the first two do to RSA blocks, and
//! `probe poison-arithmetic` marks key, blinding and number of multi-buffer RSA, and
//! `probe poison-private-operation key|ciphertext` those of RustCrypto's private operation.
//! `probe poison-handshakes` and `probe count-handshakes` do so with the secrets of key
//! agreement, of clients, of pre-shared keys, tickets and signing. With the feature `planted-leak`
//! a branch on the secret is in the path, and all must notice.

mod arena;
mod backend;
mod classes;
mod exchange;
mod handshake;
mod private_operation;
mod record;
mod valgrind;

use std::cell::Cell;
use std::env;
use std::ffi::CString;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, anyhow, ensure};
use num_bigint::BigUint;
use ssl_provider::backend::{RawDecryption, RsaPrivateKey};
use ssl_provider::{KeyLogPolicy, MasterKey, Provider, RsaPrivateKeyDer, Side};

use crate::arena::Arena;
use crate::backend::ProbeBackend;
use crate::exchange::{Variant, ciphertexts};

#[global_allocator]
static ARENA: Arena = Arena::new();

/// A 2048-bit key. Only its modulus is used, which decides which ciphertexts are valid.
const KEY: &[u8] = include_bytes!("../../../tests/data/keys/server-2048.der");

/// Keys that multi-buffer RSA decrypts with.
const RSA_1024: &[u8] = include_bytes!("../../../crates/ssl-provider-testkit/keys/rsa-1024.der");
const RSA_1536: &[u8] = include_bytes!("../../../crates/ssl-provider-testkit/keys/rsa-1536.der");

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words[..] {
        _ if !valgrind::is_running() => {
            Err(anyhow!("not under valgrind: nothing would be checked or counted"))
        }
        ["poison", library, number] => poison(library, number),
        ["count", number] => count(number),
        ["raw", library, number] => raw(library, number),
        ["poison-records", library] => records(library, record::poison),
        ["count-records"] => records("rustcrypto", record::count),
        ["poison-arithmetic"] => arithmetic(),
        ["poison-handshakes"] => handshake::poison(),
        ["count-handshakes"] => handshake::count(),
        ["poison-private-operation", secret] => private_operation::poison(KEY, secret),
        _ => Err(anyhow!(
            "usage: probe poison LIBRARY N | count N | raw LIBRARY N | \
                  poison-records LIBRARY | count-records | poison-arithmetic | \
                  poison-private-operation key|ciphertext | poison-handshakes | \
                  count-handshakes, under valgrind"
        )),
    };
    match outcome {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("probe: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Imports with the block marked as undefined, and derives what a connection needs.
///
/// # Errors
///
/// Names where the mark was not set or was lost: then a clean run would prove nothing.
fn poison(library: &str, ciphertext_count: &str) -> Result<String> {
    let backend = ProbeBackend::leak(&ssl_provider::backend(library)?, backend::Mark::Secret);
    let len = Provider::open(backend).load_private_key(KEY)?.modulus_len();
    let classes = classes::all(len);
    let ciphertexts = ciphertexts(len, ciphertext_count.parse()?);
    let mut imports = 0;
    for variant in Variant::all() {
        let provider = Provider::open(backend).with_policy(variant.policy(KeyLogPolicy::Allowed));
        // A key keeps the rule about premaster versions that it was loaded under.
        let key = provider.load_private_key(KEY)?;
        for class in &classes {
            for ciphertext in &ciphertexts {
                let name = format!("{}, {}", variant.name, class.name);
                backend.next_block(&class.block);
                let master_key = measured_import(&provider, &key, &variant, ciphertext)?;
                let secret = master_key.secret_for_key_log()?.expose();
                let is_marked = valgrind::is_wholly_undefined(secret);
                ensure!(is_marked, "{name}: the mark is lost before the master secret");
                derive(&provider, &variant, &master_key)?;
                imports += 1;
            }
        }
    }
    let marked = backend.blocks_marked();
    ensure!(marked == imports, "{marked} blocks marked in {imports} imports");
    Ok(format!(
        "{imports} imports of {} classes in {} variants, errors so far: {}",
        classes.len(),
        Variant::all().len(),
        valgrind::error_count()
    ))
}

/// Runs multi-buffer RSA with the key, the blinding factors and the number marked as undefined.
///
/// # Errors
///
/// Names where the mark was not set or was lost: then a clean run would prove nothing.
fn arithmetic() -> Result<String> {
    let mut operations = 0;
    // Blocks of 10 digits, two at once or with half of the lanes for each prime, and of 15.
    for (key, batches) in [(RSA_1024, &[1, 3, 8, 8][..]), (RSA_1536, &[2])] {
        operations += whole_operations(key, batches)?;
    }
    // Primes of one block of 20 digits, and of two of 15.
    for prime_len in [128, 192] {
        powers_with_primes_of(prime_len)?;
    }
    let errors = valgrind::error_count();
    Ok(format!("multi-buffer RSA: {operations} private operations, errors so far: {errors}"))
}

/// Loads a key and decrypts: from the blinding to the check for faults, which passes.
fn whole_operations(key: &[u8], batches: &[usize]) -> Result<usize> {
    let der = RsaPrivateKeyDer::from_der(key)?;
    let len = der.modulus().len();
    // Only the lengths of these are public, and those have been read.
    let secrets = der.primes().into_iter().chain(der.crt_parts());
    for secret in secrets.chain([der.private_exponent()]) {
        valgrind::mark_undefined(secret);
    }
    let mut seed = 0x5b_u8;
    let ciphertexts: Vec<Vec<u8>> = (0..8)
        .map(|_| {
            seed = seed.wrapping_mul(5).wrapping_add(1);
            // Below the modulus, whose highest bit is set.
            (0..len).map(|at| if at == 0 { 0x3a } else { seed ^ at.to_le_bytes()[0] }).collect()
        })
        .collect();
    let mut blocks: Vec<Vec<Vec<u8>>> =
        batches.iter().map(|jobs| vec![vec![0; len]; *jobs]).collect();
    let mut jobs: Vec<Vec<RawDecryption<'_>>> = blocks
        .iter_mut()
        .map(|blocks| {
            let jobs = blocks.iter_mut().zip(&ciphertexts);
            jobs.map(|(em, ciphertext)| RawDecryption { ciphertext, em }).collect()
        })
        .collect();
    let drawn = Cell::new(0_u8);
    let random = |bytes: &mut [u8]| {
        for byte in bytes.iter_mut() {
            drawn.set(drawn.get().wrapping_mul(29).wrapping_add(71));
            *byte = drawn.get();
        }
        // Less than the modulus, which is all that the blinding asks.
        bytes[0] &= 0x3f;
        valgrind::mark_undefined(bytes);
        Ok(())
    };
    let before = CHECKS.load(Ordering::Relaxed);
    let random: &dyn Fn(&mut [u8]) -> Result<(), ssl_provider::Error> = &random;
    let all_good = ssl_provider_multibuffer::private_operations(&der, &mut jobs, random, reveal)?;
    ensure!(all_good, "a result of multi-buffer RSA is wrong");
    let checks = CHECKS.load(Ordering::Relaxed) - before;
    ensure!(checks == batches.len(), "{checks} marked checks in {} batches", batches.len());
    for block in blocks.iter().flatten() {
        ensure!(valgrind::is_wholly_undefined(block), "the mark is lost before the result");
    }
    Ok(blocks.iter().flatten().count())
}

/// Checks for faults whose input was marked.
static CHECKS: AtomicUsize = AtomicUsize::new(0);

/// Whether a result is right is public, and the only thing that is. A lane without a mark would
/// show that something else was checked.
fn reveal(found: &mut [u64; 8]) {
    // The bits above a digit are known to be zero.
    let is_marked = found.iter().all(|lane| valgrind::is_undefined_in_part(&lane.to_ne_bytes()));
    CHECKS.fetch_add(usize::from(is_marked), Ordering::Relaxed);
    valgrind::mark_defined(found);
}

fn powers_with_primes_of(len: usize) -> Result<()> {
    // Any odd number serves as a prime, and the rest need not match it.
    let [p, q] = [0xb5, 0xc7].map(|byte| vec![byte; len]);
    let [dp, dq, coefficient] = [0x6d, 0x93, 0x5a].map(|byte| vec![byte; len]);
    let number = vec![0xa7; 2 * len];
    for secret in [&p[..], &q, &dp, &dq, &coefficient, &number] {
        valgrind::mark_undefined(secret);
    }
    let [mut few, mut many] = [(); 2].map(|()| vec![0; 2 * len]);
    let powers = [&mut few[..], &mut many];
    ssl_provider_multibuffer::private_power([&p, &q], [&dp, &dq], &coefficient, &number, powers);
    for power in [few, many] {
        ensure!(valgrind::is_wholly_undefined(&power), "the mark is lost before the result");
    }
    Ok(())
}

/// Counts the instructions of each import: one dump of callgrind for each, named by what it was.
///
/// # Errors
///
/// Names what failed.
fn count(ciphertext_count: &str) -> Result<String> {
    let rustcrypto = ssl_provider::backend("rustcrypto")?;
    let backend = ProbeBackend::leak(&rustcrypto, backend::Mark::Nothing);
    let len = Provider::open(backend).load_private_key(KEY)?.modulus_len();
    let classes = classes::all(len);
    let ciphertexts = ciphertexts(len, ciphertext_count.parse()?);
    for variant in Variant::all() {
        let provider = Provider::open(backend).with_policy(variant.policy(KeyLogPolicy::Denied));
        let key = provider.load_private_key(KEY)?;
        let import = |class: &classes::Class, ciphertext: &[u8]| {
            backend.next_block(&class.block);
            // The key is dropped outside the measured function.
            measured_import(&provider, &key, &variant, ciphertext).map(drop)
        };
        let labels: Vec<CString> = classes
            .iter()
            .map(|class| CString::new(format!("{}|{}", variant.name, class.name)))
            .collect::<Result<_, _>>()?;
        // Once before counting: lazy binding, the library's detection of the processor.
        import(&classes[0], &ciphertexts[0])?;
        valgrind::zero_counts();
        for (class, label) in classes.iter().zip(&labels) {
            for ciphertext in &ciphertexts {
                import(class, ciphertext)?;
                valgrind::dump_counts(label);
            }
        }
    }
    Ok(format!(
        "{} classes, {} ciphertexts, {} variants",
        classes.len(),
        ciphertexts.len(),
        Variant::all().len()
    ))
}

/// Counts the instructions of a library's private operation, over ciphertexts of every kind of
/// block that can be one.
///
/// # Errors
///
/// Names what failed.
fn raw(library: &str, samples: &str) -> Result<String> {
    let der = RsaPrivateKeyDer::from_der(KEY)?;
    let key = ssl_provider::backend(library)?.rsa_decryption().load(&der)?;
    let modulus = BigUint::from_bytes_be(der.modulus());
    let exponent = BigUint::from_bytes_be(der.public_exponent());
    let mut em = vec![0; key.modulus_len()];
    let mut operations = Vec::new();
    for sample in 0..samples.parse()? {
        for class in classes::sample(em.len(), sample) {
            let block = BigUint::from_bytes_be(&class.block);
            let number = block.modpow(&exponent, &modulus).to_bytes_be();
            if block < modulus && number.len() == em.len() {
                operations.push((
                    CString::new(format!("{library}|{}", class.name))?,
                    class,
                    number,
                ));
            }
        }
    }
    // Once before counting: lazy binding, the library's detection of the processor.
    measured_raw(key.as_ref(), &operations[0].2, &mut em)?;
    valgrind::zero_counts();
    for (label, class, ciphertext) in &operations {
        measured_raw(key.as_ref(), ciphertext, &mut em)?;
        valgrind::dump_counts(label);
        ensure!(em == class.block, "{}: decrypted to another block", class.name);
    }
    Ok(format!("{} private operations of {library}", operations.len()))
}

/// Runs a check on every kind of record.
///
/// # Errors
///
/// The error of the check.
fn records(library: &str, check: impl Fn(&[record::Variant]) -> Result<usize>) -> Result<String> {
    let open = ssl_provider::backend(library)?;
    let variants =
        record::Variant::all(&open, &ProbeBackend::leak(&open, backend::Mark::Nothing).into())?;
    let checked = check(&variants)?;
    let errors = valgrind::error_count();
    Ok(format!("{checked} records in {} variants, errors so far: {errors}", variants.len()))
}

/// The check of a record up to the verdict, of which callgrind counts what runs between entry and
/// exit.
#[inline(never)]
fn measured_check(
    variant: &record::Variant,
    blocks: &[u8],
) -> Result<ssl_provider::Verdict, ssl_provider::Error> {
    #[cfg(feature = "planted-leak")]
    record::planted_leak(blocks);
    variant.check(blocks)
}

/// The library's private operation, of which callgrind counts what runs between entry and exit.
#[inline(never)]
fn measured_raw(
    key: &dyn RsaPrivateKey,
    ciphertext: &[u8],
    em: &mut [u8],
) -> Result<(), ssl_provider::Error> {
    key.decrypt_raw(ciphertext, em)?;
    #[cfg(feature = "planted-leak")]
    backend::planted_leak(em);
    Ok(())
}

/// The operation under test. Callgrind counts what runs between its entry and its exit.
#[inline(never)]
fn measured_import(
    provider: &Provider,
    key: &ssl_provider::PrivateKey,
    variant: &Variant,
    ciphertext: &[u8],
) -> Result<MasterKey, ssl_provider::Error> {
    provider.import_master_key(
        key,
        variant.protocol,
        variant.suite,
        &variant.parameters,
        ciphertext,
    )
}

/// Derives session keys and both verify_data from a master key that is marked as secret.
fn derive(provider: &Provider, variant: &Variant, master_key: &MasterKey) -> Result<()> {
    let session_keys = master_key.session_keys(&variant.parameters)?;
    let is_marked = valgrind::is_wholly_undefined(session_keys.expose(Side::Client)?.write_key);
    ensure!(is_marked, "{}: the mark is lost before the session keys", variant.name);
    let protocol = variant.protocol;
    let mut handshake = provider.handshake_hash(protocol, variant.suite)?;
    handshake.update(b"handshake messages");
    for side in [Side::Client, Side::Server] {
        let mut verify_data = [0; 36];
        let verify_data = &mut verify_data[..variant.verify_data_len()];
        master_key.verify_data(side, &handshake, verify_data)?;
        let is_marked = valgrind::is_wholly_undefined(verify_data);
        ensure!(is_marked, "{}: the mark is lost before verify_data", variant.name);
    }
    Ok(())
}
