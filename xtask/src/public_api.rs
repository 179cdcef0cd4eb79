//! `cargo xtask public-api`: the public API of core and facade against `tests/public-api`, one line
//! an item, so that a change to it is seen in review. Read from the JSON of nightly's rustdoc.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// Compares each crate with its snapshot, or writes the snapshots anew.
///
/// # Errors
///
/// Fails when a snapshot differs, with the items that came and went.
pub(crate) fn run(workspace: &Workspace, update: bool) -> Result<()> {
    let nightly = Run::new("rustup").args(["run", "nightly", "rustc", "--version"]).quiet();
    if !nightly.outcome(workspace).is_ok_and(|(status, _)| status.success()) {
        println!("WARNING: nightly Rust is ABSENT (rustup toolchain install nightly).");
        println!("WARNING: the public API is NOT compared with tests/public-api.");
        return Ok(());
    }
    let core = check(workspace, "ssl-provider-core", &[], update);
    core.and(check(workspace, "ssl-provider", &["--features", &all_of_facade()], update))
}

fn check(workspace: &Workspace, package: &str, features: &[&str], update: bool) -> Result<()> {
    let target = workspace.target("public-api");
    Run::new("cargo")
        .args(["+nightly", "rustdoc", "--quiet", "--lib", "--package", package])
        .args(features)
        .args([Path::new("--target-dir"), &target])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .run(workspace)?;
    let json = target.join("doc").join(package.replace('-', "_")).with_extension("json");
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .context("cannot read what this nightly's rustdoc wrote: `cargo update -p public-api`")?
        .to_string();
    let snapshot = workspace.root().join("tests/public-api").join(package).with_extension("txt");
    if update {
        return fs::write(&snapshot, api)
            .with_context(|| format!("cannot write {}", snapshot.display()));
    }
    let expected = fs::read_to_string(&snapshot)
        .with_context(|| format!("cannot read {}", snapshot.display()))?;
    let changes = changes(&expected, &api);
    changes.iter().for_each(|line| println!("{line}"));
    ensure!(
        changes.is_empty(),
        "the public API of {package} has changed; if that is meant, `cargo xtask public-api \
         --update` and a line in CHANGELOG.md"
    );
    Ok(())
}

/// The lines that went and those that came.
fn changes(before: &str, after: &str) -> Vec<String> {
    let missing = |from: &str, other: &str, sign: char| {
        let other: Vec<_> = other.lines().collect();
        let lines = from.lines().filter(|line| !other.contains(line));
        lines.map(|line| format!("{sign}{line}")).collect::<Vec<_>>()
    };
    [missing(before, after, '-'), missing(after, before, '+')].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_came_and_went_are_told_and_order_is_not() {
        assert_eq!(changes("a\nb\n", "b\na\n"), [""; 0]);
        assert_eq!(changes("a\nb\n", "b\nc\n"), ["-a", "+c"]);
    }
}
