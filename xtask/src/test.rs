//! `cargo xtask test`: every test of the workspace, on all four backends.
//! Tests are told which backends they must have seen, and where third-party vectors are.

use std::env;
use std::ffi::OsString;

use anyhow::Result;

use crate::command::Run;
use crate::features::{BACKENDS, OpenSsl, all_of_facade};
use crate::workspace::Workspace;

/// Runs the tests.
///
/// # Errors
///
/// Fails when a test does.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let openssl = OpenSsl::choose();
    println!("backends under test: {}", BACKENDS.join(", "));
    let features = all_of_facade(openssl);
    with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--workspace", "--no-fail-fast", "--features", features.as_str()])
        .run(workspace)?;
    println!("all tests passed on {}", BACKENDS.join(", "));
    Ok(())
}

/// Looks for secrets that calls leave on the stack and the heap, in the release build: where they
/// lie is up to the optimiser.
///
/// # Errors
///
/// Fails when one is found.
pub(crate) fn residue(workspace: &Workspace) -> Result<()> {
    let features = all_of_facade(OpenSsl::choose());
    with_expectations(Run::cargo("test"), workspace, &BACKENDS)
        .args(["--release", "--package", "ssl-provider", "--features", features.as_str()])
        .args(["--test", "stack", "--test", "wiping"])
        .run(workspace)
}

/// Tells the tests which backends must answer, and where the third-party vectors are.
pub(crate) fn with_expectations(run: Run, workspace: &Workspace, backends: &[&str]) -> Run {
    run.env("SSL_PROVIDER_EXPECT_BACKENDS", backends.join(","))
        .env("SSL_PROVIDER_VECTORS", vectors(workspace))
}

/// The directory with the third-party vectors, or `none`, said loudly.
fn vectors(workspace: &Workspace) -> OsString {
    find_vectors(workspace).unwrap_or_else(|| {
        println!("WARNING: the third-party vectors are absent (looked for ../shared/vectors).");
        println!("WARNING: tests on them do not run; set SSL_PROVIDER_VECTORS to their place.");
        "none".into()
    })
}

/// Where the environment says that the third-party vectors are, which may be `none`, or the folder
/// beside the repository, if it is there.
pub(crate) fn find_vectors(workspace: &Workspace) -> Option<OsString> {
    if let Some(given) = env::var_os("SSL_PROVIDER_VECTORS") {
        return Some(given);
    }
    let beside = workspace.root().join("../shared/vectors").canonicalize().ok()?;
    beside.is_dir().then(|| beside.into())
}
