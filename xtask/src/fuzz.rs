//! `cargo xtask fuzz`: runs the fuzz targets on mutated input, with the stable toolchain.
//! With nightly Rust and cargo-fuzz the same targets run under libFuzzer; see `fuzz/cargo-fuzz`.

use anyhow::Result;

use crate::command::Run;
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// The driver of the targets.
const PROGRAM: &str = "ssl-provider-fuzz";

/// The seconds that CI spends on all targets together.
const SMOKE: u32 = 20;

/// Runs every target for its share of the time.
///
/// # Errors
///
/// Fails when an input makes a target panic or hang; the input is kept.
pub(crate) fn run(workspace: &Workspace, seconds: u32, seed: u64) -> Result<()> {
    // The dev profile checks for overflows, and compiles the crypto with optimisation. Built with
    // the workspace, it shares what the tests have built.
    Run::cargo("build")
        .args(["--quiet", "--workspace", "--bin", PROGRAM, "--features", &all_of_facade()])
        .run(workspace)?;
    Run::new(workspace.target("debug").join(PROGRAM))
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
