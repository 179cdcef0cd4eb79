//! `cargo xtask deny`: cargo-deny on duplicates, licences and sources, to `deny.toml`.
//! If the tool is not installed, it warns, and the check of `tidy` runs instead.

use anyhow::Result;

use crate::command::{Run, is_installed};
use crate::tidy;
use crate::workspace::Workspace;

/// Runs cargo-deny, or the part of tidy that covers licences and sources.
///
/// # Errors
///
/// Fails when either finds something.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    if is_installed("cargo-deny") {
        return Run::cargo("deny")
            .args(["--all-features", "check", "bans", "licenses", "sources"])
            .run(workspace);
    }
    println!("WARNING: cargo-deny is ABSENT (cargo install --locked cargo-deny).");
    println!("WARNING: only tidy's own check of licences, sources and versions runs instead.");
    tidy::supply_chain(workspace)
}
