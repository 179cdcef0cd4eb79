//! `cargo xtask test`: every test of the workspace, on all four backends.
//! It passes the list of required backends and the place of the third-party vectors to the tests.

use std::env;
use std::ffi::OsString;

use anyhow::Result;

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
        .run(workspace)?;
    // Has an allocator of its own, so the library must not have one.
    with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--package", "ssl-provider-capi", "--no-default-features"])
        .args(["--features", &all_of_facade(), "--test", "no_memory"])
        .run(workspace)?;
    println!("all tests passed on {}", BACKENDS.join(", "));
    Ok(())
}

/// Tells the tests which backends must answer, and where the third-party vectors are.
pub(crate) fn with_expectations(run: Run, workspace: &Workspace, backends: &[&str]) -> Run {
    run.env("SSL_PROVIDER_EXPECT_BACKENDS", backends.join(","))
        .env("SSL_PROVIDER_VECTORS", vectors(workspace))
}

/// What the tests are told about the third-party vectors; their absence is said loudly.
fn vectors(workspace: &Workspace) -> OsString {
    find_vectors(workspace).unwrap_or_else(|| {
        println!("WARNING: the third-party vectors are absent (looked for ../shared/vectors).");
        println!("WARNING: tests on them are skipped; set SSL_PROVIDER_VECTORS to their folder.");
        "none".into()
    })
}

/// Returns what the environment says of the third-party vectors, or `require` if the folder beside
/// the repository exists.
pub(crate) fn find_vectors(workspace: &Workspace) -> Option<OsString> {
    env::var_os("SSL_PROVIDER_VECTORS").or_else(|| {
        let beside = workspace.root().join("../shared/vectors");
        beside.is_dir().then(|| "require".into())
    })
}
