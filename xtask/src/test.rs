//! `cargo xtask test`: every test of the workspace, on all four backends.
//! It passes the list of required backends and the place of the third-party vectors to the tests.

use std::env;
use std::ffi::OsString;

use anyhow::{Result, ensure};

use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::workspace::Workspace;

/// Runs the tests.
///
/// # Errors
///
/// Fails when a test does.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("backends under test: {}", BACKENDS.join(", "));
    with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--workspace", "--no-fail-fast", "--features", &all_of_facade()])
        .run_and_repeat(workspace, failures())?;
    // Has an allocator of its own, so the library must not have one; the benchmarks ask for it. Of
    // the whole workspace otherwise, so that most is built already, with the same features.
    let printed = with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--workspace", "--exclude", "ssl-provider-benches", "--no-default-features"])
        .args(["--features", &all_of_facade(), "--test", "no_memory"])
        .read(workspace)?;
    print!("{printed}");
    ensure!(printed.contains(" 1 passed"), "the library has an allocator: no_memory did not run");
    println!("all tests passed on {}", BACKENDS.join(", "));
    Ok(())
}

/// Picks what a test program prints of the tests that failed, with the program's name.
fn failures() -> impl FnMut(&str) -> bool {
    let mut within = false;
    move |line| {
        within = (within || line == "failures:") && !line.starts_with("test result:");
        within && !line.is_empty()
    }
}

/// Tells the tests which backends must answer, what the processor has, and where the third-party
/// vectors are.
pub(crate) fn with_expectations(run: Run, workspace: &Workspace, backends: &[&str]) -> Run {
    // Whoever asks for more gets it.
    let cpu = env::var_os(EXPECT_CPU).unwrap_or_else(|| {
        let present = cpu_features().into_iter().filter(|(.., is_present)| *is_present);
        present.map(|(name, ..)| name).collect::<Vec<_>>().join(",").into()
    });
    run.env("SSL_PROVIDER_EXPECT_BACKENDS", backends.join(","))
        .env(EXPECT_CPU, cpu)
        .env("SSL_PROVIDER_VECTORS", vectors(workspace))
}

/// The variable that lists what the processor must have; tests that need it then do not skip.
pub(crate) const EXPECT_CPU: &str = "SSL_PROVIDER_EXPECT_CPU";

/// What multi-buffer RSA computes with: the name in [`EXPECT_CPU`], the name for people, and
/// whether this processor has it.
pub(crate) fn cpu_features() -> [(&'static str, &'static str, bool); 2] {
    [("avx512ifma", "AVX-512 IFMA", has_avx512()), ("avxifma", "AVX-IFMA", has_avx_ifma())]
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512ifma")
        && is_x86_feature_detected!("avx512vl")
}

#[cfg(target_arch = "x86_64")]
fn has_avx_ifma() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("avxifma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx_ifma() -> bool {
    false
}

/// What the tests are told about the third-party vectors; their absence is a warning.
fn vectors(workspace: &Workspace) -> OsString {
    find_vectors(workspace).unwrap_or_else(|| {
        println!("WARNING: the third-party vectors are absent (looked for ../shared/vectors and");
        println!(
            "WARNING: target/vectors). Tests on them are skipped; `cargo xtask vectors` fetches"
        );
        println!("WARNING: those that are public files.");
        "none".into()
    })
}

/// Returns what the environment says of the third-party vectors, or `require` if the folder beside
/// the repository exists, or the folder that `cargo xtask vectors` fetches into.
pub(crate) fn find_vectors(workspace: &Workspace) -> Option<OsString> {
    env::var_os("SSL_PROVIDER_VECTORS").or_else(|| {
        let beside = workspace.root().join("../shared/vectors");
        let fetched = workspace.target("vectors");
        match (beside.is_dir(), fetched.is_dir()) {
            (true, _) => Some("require".into()),
            (false, true) => Some(fetched.into()),
            (false, false) => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_picked_from_the_output_of_tests() {
        let output = "running 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n\
                      ---- b stdout ----\nwhy\n\nfailures:\n    b\n\n\
                      test result: FAILED. 1\nrunning";
        let mut picks = failures();
        let picked: Vec<&str> = output.lines().filter(|line| picks(line)).collect();
        assert_eq!(picked, ["failures:", "---- b stdout ----", "why", "failures:", "    b"]);
    }
}
