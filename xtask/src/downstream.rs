//! `cargo xtask downstream`: `tests/downstream`, a workspace of programs as others write them. They
//! depend on this one by path, with backends and dependencies of their own choice.

use std::fs;

use anyhow::{Context, Result};

use crate::command::Run;
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// Builds and tests it. Dependencies that this workspace builds alike are not built again.
///
/// # Errors
///
/// Fails when a test does.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    // The versions that were tested here; cargo leaves out what is not needed there.
    let lock = workspace.root().join("tests/downstream/Cargo.lock");
    fs::copy(workspace.root().join("Cargo.lock"), &lock)
        .with_context(|| format!("cannot write {}", lock.display()))?;
    with_expectations(Run::cargo("test"), workspace, &["aws-lc", "rustcrypto"])
        .args(["--workspace", "--manifest-path", "tests/downstream/Cargo.toml", "--target-dir"])
        .args([workspace.target("")])
        .run(workspace)
}
