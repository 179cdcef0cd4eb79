//! `cargo xtask residue`: what calls leave on the stack and in freed blocks; with `--process`, what
//! the shipped C library leaves in a process, and `sslprov serve` of a connection.
//!
//! For that, a C program works with keys, frees everything and waits; gdb writes its memory and
//! registers to a file, pages included that are kept from core dumps; the file is searched for
//! every secret. The same program without freeing is the control: there, each kind of secret must
//! be found.
//!
//! Secrets that the library draws at random become known by what the program sends to a peer, whose
//! private keys are known. Ephemeral private keys do not: every place in the file is tried as one.

mod ephemeral;
mod image;
mod secrets;
mod serve;

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::capi;
use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::residue::image::Image;
use crate::residue::secrets::Secrets;
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// Secrets of which something must be found in the program that has freed nothing: names, or their
/// beginnings. Every part of the private key is there, as the C library stores imported keys.
const IN_CONTROL: [&str; 22] = [
    "d",
    "p",
    "q",
    "dp",
    "dq",
    "q^-1 mod p",
    "reject key",
    "master secret ",
    "client key ",
    "agreed master secret ",
    "client premaster secret ",
    "client master secret ",
    "pre-shared key",
    "PSK master secret",
    "EC private key",
    "TLS 1.3 early secret ",
    "TLS 1.3 handshake secret ",
    "TLS 1.3 server handshake secret ",
    "TLS 1.3 master secret ",
    "TLS 1.3 exporter secret ",
    "TLS 1.3 ticket key ",
    "ephemeral key unused-",
];

/// The name of the pattern that the program puts on its stacks and into a register.
const PATTERN: &str = "planted pattern";

/// Searches the stack and the heap for secrets that calls leave there, in the release build: where
/// they are depends on the optimiser.
///
/// # Errors
///
/// Fails when one is found.
pub(crate) fn calls(workspace: &Workspace) -> Result<()> {
    // What the rest relies on: freed blocks and registers are wiped, also where code is optimised.
    Run::cargo("test").args(["--release", "--package", "ssl-provider-memory"]).run(workspace)?;
    with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--release", "--package", "ssl-provider", "--features", &all_of_facade()])
        .args(["--test", "stack", "--test", "wiping"])
        .run(workspace)
}

/// Searches the C program, and `sslprov serve`, of which CI has no release build.
///
/// # Errors
///
/// See [`process`] and [`serve::run`].
pub(crate) fn processes(workspace: &Workspace) -> Result<()> {
    process(workspace)?;
    serve::run(workspace)
}

/// Runs the C program with every backend, with and without batches.
///
/// # Errors
///
/// Names what was found where; fails too when the control finds nothing.
pub(crate) fn process(workspace: &Workspace) -> Result<()> {
    let secrets = Secrets::read(workspace)?;
    let program = capi::compile_with_release(workspace, "residue")?;
    let mut left = Vec::new();
    // The provider at index 0 is the default one.
    for (index, backend) in (1..).zip(BACKENDS) {
        for options in [&[][..], &["batches"]] {
            let name = [&[backend], options].concat().join(", ");
            let look = |mode: &str| {
                let mut command = Command::new(&program);
                command.arg(mode).args(options);
                command.env("SSL_PROVIDER_TEST_INDEX", index.to_string());
                Image::take(workspace, &mut command)
            };
            let Some(live) = look("live")? else {
                println!("WARNING: {name}: not looked at, for lack of AVX-512 IFMA and AVX-IFMA");
                continue;
            };
            let released = look("released")?.context("batches come and go")?;
            let (live, mut released) = (
                secrets.found_in(workspace, &live, &released)?,
                secrets.found_in(workspace, &released, &live)?,
            );
            let is_found = |kind: &str| match kind.ends_with([' ', '-']) {
                true => live.keys().any(|secret| secret.starts_with(kind)),
                false => live.contains_key(kind),
            };
            for kind in IN_CONTROL {
                ensure!(is_found(kind), "{name}: the program that frees nothing has no {kind}");
            }
            for places in [live.get(PATTERN).cloned(), released.remove(PATTERN)] {
                let places = places.unwrap_or_default();
                for place in PLACES {
                    ensure!(places.contains(*place), "{name}: {PATTERN} not found in {place}");
                }
            }
            let (found, still) = (live.len(), released.len());
            println!("{name}: {found} secrets found while they live, {still} after");
            left.extend(released.into_iter().map(|(secret, places)| {
                format!("{name}: {secret} in {}", Vec::from_iter(places).join(", "))
            }));
        }
    }
    ensure!(left.is_empty(), "left behind:\n{}", left.join("\n"));
    println!("nothing is left in heap, stack and registers, with every backend");
    Ok(())
}

/// Where the pattern must be found: the stacks of both threads, and the registers, into which the C
/// program can put it on x86-64 only.
const PLACES: &[&str] = if cfg!(target_arch = "x86_64") {
    &["[stack]", "anonymous memory", "registers"]
} else {
    &["[stack]", "anonymous memory"]
};
