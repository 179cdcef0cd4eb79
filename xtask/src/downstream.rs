//! `cargo xtask downstream`: programs and backends as others write them, which depend on this
//! workspace by path, with backends and dependencies of their own choice.
//!
//! `tests/downstream` is a program with a backend of its own; `examples/backend-template` is a
//! folder to copy, and is tested as a copy; `tests/downstream/outside` has backends on Botan and on
//! BoringSSL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{Run, is_installed};
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
    action(workspace)?;
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

/// Runs the script of the action for other repositories on the copy of the template.
fn action(workspace: &Workspace) -> Result<()> {
    let script = workspace.root().join(ACTION).join("crosscheck.sh");
    if is_installed("shellcheck") {
        Run::new("shellcheck").args([&script]).run(workspace)?;
    }
    let folder = workspace.empty_target("downstream/action")?;
    let (page, outputs) = (folder.join("pages/crosscheck.html"), folder.join("outputs"));
    let run = |arguments: &str| {
        Run::new(&script)
            .env("MANIFEST_PATH", workspace.target("downstream/my-backend/Cargo.toml"))
            .env("PROFILE", "dev")
            .env("ARGUMENTS", arguments)
            .env("HTML", &page)
            .env("GITHUB_OUTPUT", &outputs)
            .env("CARGO_TARGET_DIR", workspace.target(""))
    };
    run("--no-cases\n--generate=200").run(workspace)?;
    let written = fs::read_to_string(&outputs).context("the action has no outputs")?;
    ensure!(written == format!("html={}\n", page.display()), "the outputs are {written:?}");
    ensure!(page.is_file(), "the action wrote no page");

    let fault = "--no-cases\n--force\n--inject-fault\nmine:prf-of-another-hash";
    let (status, printed) = run(fault).outcome(workspace)?;
    ensure!(status.code() == Some(4), "with a fault, the action ends with {status}:\n{printed}");
    Ok(())
}

/// The action for other repositories.
const ACTION: &str = ".github/actions/crosscheck";

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

#[cfg(test)]
mod tests {
    use super::*;

    /// The words after `marker` in `text`.
    fn words<'a>(text: &'a str, marker: &str) -> Vec<&'a str> {
        let parts = text.split(marker).skip(1);
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let words = parts.map(|part| part.split(|c| !is_name(c)).next().unwrap_or_default());
        words.collect()
    }

    #[test]
    fn the_inputs_of_the_action_are_those_that_it_uses() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(ACTION);
        let action = fs::read_to_string(folder.join("action.yml")).unwrap();
        let script = fs::read_to_string(folder.join("crosscheck.sh")).unwrap();
        let (inputs, rest) = action.split_once("outputs:\n").unwrap();
        let (_, inputs) = inputs.split_once("inputs:\n").unwrap();
        let is_key = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        let mut defined: Vec<&str> =
            inputs.lines().filter(is_key).map(|line| line.trim().trim_end_matches(':')).collect();
        let mut used = words(rest, "${{ inputs.");
        defined.sort_unstable();
        used.sort_unstable();
        assert_eq!(used, defined);
        for line in rest.lines().filter(|line| line.contains(": ${{ inputs.")) {
            let (variable, _) = line.trim().split_once(':').unwrap();
            let is_variable = variable.bytes().all(|byte| !byte.is_ascii_lowercase());
            let read = [format!("${{{variable}:-"), format!("${{{variable}}}")];
            let is_read = read.iter().any(|text| script.contains(text));
            assert!(!is_variable || is_read, "crosscheck.sh does not read {variable}");
        }
    }
}
