//! `cargo xtask fuzz`: runs the fuzz targets on mutated input, with the stable toolchain.
//! With nightly Rust and cargo-fuzz the same targets run under libFuzzer; see `fuzz/cargo-fuzz`.

use anyhow::Result;

use crate::command::Run;
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// The seconds that CI spends on all targets together.
const SMOKE: u32 = 20;

/// Runs every target for its share of the time.
///
/// # Errors
///
/// Fails when an input makes a target panic or hang; the input is kept.
pub(crate) fn run(workspace: &Workspace, seconds: u32, seed: u64) -> Result<()> {
    // The dev profile checks for overflows, and compiles the crypto with optimisation.
    Run::cargo("run")
        .args(["--quiet", "--package", "ssl-provider-fuzz", "--features", &all_of_facade(), "--"])
        .args(["--seconds", &seconds.to_string(), "--seed", &seed.to_string(), "--failures"])
        .args([workspace.target("fuzz")])
        .run(workspace)
}

/// Runs for the time of CI.
///
/// # Errors
///
/// As for [`run`].
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    run(workspace, SMOKE, 1)
}
