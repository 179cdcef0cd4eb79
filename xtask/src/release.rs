//! `cargo xtask release`: every member that is published, as a package that builds by itself.
//! Cargo orders them by what they depend on, and resolves each against the others' packages.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::command::Run;
use crate::workspace::Workspace;

/// What to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Make and build the packages without publishing them.
    #[arg(long)]
    dry_run: bool,
    /// Do not build them.
    #[arg(long, requires = "dry_run")]
    no_verify: bool,
}

/// What each package must hold.
const NEEDED: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// Checks what is in the packages, builds each of them, and publishes them unless it is a dry run.
///
/// # Errors
///
/// Fails when a package lacks something, holds a file from outside, or does not build.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let is_published = |publish: Option<&[String]>| publish.is_none_or(|to| !to.is_empty());
    let mut packages = Vec::new();
    for member in workspace.members() {
        if is_published(member.publish.as_deref()) {
            packages.extend(["--package", &member.name]);
            let list = Run::cargo("package")
                .args(["--list", "--allow-dirty", "--package", &member.name])
                .quiet()
                .read(workspace)?;
            let directory = member.manifest_path.as_std_path().with_file_name("");
            let faults = faults(&workspace.root().canonicalize()?, &directory, &list);
            ensure!(faults.is_empty(), "{}: {}", member.name, faults.join(", "));
        }
    }
    let run = Run::cargo(if options.dry_run { "package" } else { "publish" });
    let run = if options.dry_run { run.args(["--allow-dirty"]) } else { run };
    let run = if options.no_verify { run.args(["--no-verify"]) } else { run };
    run.args(packages).run(workspace)
}

/// Makes the packages without building them, for CI.
///
/// # Errors
///
/// As for [`run`].
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    run(workspace, &Options { dry_run: true, no_verify: true })
}

/// What is wrong with the files of a package. Links are followed, so that none can take in the
/// third-party vectors, which are outside the repository.
fn faults(root: &Path, directory: &Path, list: &str) -> Vec<String> {
    let is_outside =
        |file: &&str| directory.join(file).canonicalize().is_ok_and(|path| !path.starts_with(root));
    let missing = NEEDED.iter().filter(|needed| !list.lines().any(|file| file == **needed));
    let outside = list.lines().filter(is_outside);
    missing
        .map(|file| format!("no {file}"))
        .chain(outside.map(|file| format!("{file} is from outside the repository")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_licences_or_with_a_file_from_outside_is_refused() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap();
        let complete = "Cargo.lock\nLICENSE-APACHE\nLICENSE-MIT\nREADME.md\nsrc/main.rs\n";
        assert_eq!(faults(&directory, &directory, complete), [""; 0]);
        assert_eq!(faults(&directory, &directory, "LICENSE-MIT\nREADME.md"), ["no LICENSE-APACHE"]);
        let reaching_out = format!("{complete}../README.md\n");
        let found = faults(&directory, &directory, &reaching_out);
        assert_eq!(found, ["../README.md is from outside the repository"]);
    }
}
