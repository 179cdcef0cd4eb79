//! `cargo xtask doc`: the documentation of every member, with warnings as errors.
//! It fails on a broken link and on an undocumented public item.

use anyhow::Result;

use crate::command::Run;
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// Builds the documentation.
///
/// # Errors
///
/// Fails on the first warning.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    Run::cargo("doc")
        .env("RUSTDOCFLAGS", "-D warnings")
        .args(["--workspace", "--no-deps", "--features", &all_of_facade()])
        .run(workspace)
}
