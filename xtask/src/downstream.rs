//! `cargo xtask downstream`: programs and backends as others write them, which depend on this
//! workspace by path, with backends and dependencies of their own choice.
//!
//! `tests/downstream` is a program with a backend of its own; `examples/backend-template` is a
//! folder to copy, and is tested as a copy; `tests/downstream/outside` has backends on Botan and on
//! BoringSSL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::Run;
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// How much is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All but what builds BoringSSL. What the machine lacks is skipped with a warning.
    Usual,
    /// The same; what the machine lacks is an error.
    Ci,
    /// BoringSSL too, which takes minutes to build.
    Outside,
}

/// Builds and tests them. Dependencies that this workspace builds alike are not built again.
///
/// # Errors
///
/// Fails when a test does.
pub(crate) fn run(workspace: &Workspace, extent: Extent) -> Result<()> {
    test(workspace, &workspace.root().join("tests/downstream"), &["aws-lc", "rustcrypto"], &[])?;
    test(workspace, &copy_template(workspace)?, &["rustcrypto"], &[])?;
    let outside = workspace.root().join("tests/downstream/outside");
    if has_botan() {
        test(workspace, &outside, &["rustcrypto"], &["--package", "outside-botan"])?;
    } else if extent == Extent::Usual {
        println!("NOT TESTED: the backend on Botan: {NO_BOTAN}");
    } else {
        bail!(NO_BOTAN);
    }
    if extent == Extent::Outside {
        test(workspace, &outside, &["rustcrypto"], &["--package", "outside-boringssl"])?;
    }
    Ok(())
}

const NO_BOTAN: &str = "pkg-config finds no Botan; on Debian: apt-get install libbotan-2-dev";

fn has_botan() -> bool {
    ["botan-3", "botan-2"].into_iter().any(|package| {
        let mut command = Command::new("pkg-config");
        let status = command.args(["--exists", package]).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

/// Tests the workspace in `folder`, or the packages of it that `packages` names.
fn test(workspace: &Workspace, folder: &Path, backends: &[&str], packages: &[&str]) -> Result<()> {
    // The versions that were tested here; cargo adds what is needed there alone, and leaves out
    // what is not.
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace.root().join("Cargo.lock"), &lock)
        .with_context(|| format!("cannot write {}", lock.display()))?;
    let packages = if packages.is_empty() { &["--workspace"] } else { packages };
    with_expectations(Run::cargo("test"), workspace, backends)
        .args(packages)
        .args([Path::new("--manifest-path"), &folder.join("Cargo.toml")])
        .args([Path::new("--target-dir"), &workspace.target("")])
        .run(workspace)
}

/// Copies the template as its README says, and returns the folder.
fn copy_template(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.empty_target("downstream/my-backend")?;
    let template = workspace.root().join("examples/backend-template");
    for file in ["Cargo.toml", "src/lib.rs", "src/main.rs", "tests/conformance.rs"] {
        let mut text = fs::read_to_string(template.join(file))
            .with_context(|| format!("no {file} in {}", template.display()))?;
        if file == "Cargo.toml" {
            text = text.replace("\"../..", &format!("\"{}", workspace.root().display()));
        }
        let place = target.join(file);
        fs::create_dir_all(place.parent().unwrap_or(&target))
            .and_then(|()| fs::write(&place, text))
            .with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(target)
}
