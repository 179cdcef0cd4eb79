//! `cargo xtask coverage`: which lines and regions of the libraries the tests run, by
//! cargo-llvm-cov with the LLVM tools of the toolchain. A report, not a gate: what is run need not
//! be checked, which `cargo xtask mutants` tells.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::{Run, is_installed};
use crate::features::all_of_facade;
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// What is measured.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The tests of one package, such as `ssl-provider-core`; several may be given. Without, those
    /// of core, facade, test kit, keys and wire formats.
    #[arg(long = "package", value_name = "NAME")]
    packages: Vec<String>,
}

/// The packages whose tests run without other programs.
const PACKAGES: [&str; 5] = [
    "ssl-provider-core",
    "ssl-provider-testkit",
    "ssl-provider",
    "ssl-provider-keys",
    "ssl-provider-wire",
];

/// Runs the tests and writes `target/coverage/report.txt` and `report.json`.
///
/// # Errors
///
/// Fails when a test does, and without the LLVM tools that read the profiles of this rustc.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let program = install(workspace)?;
    let folder = workspace.target("coverage");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let llvm_cov = || Run::new(&program).args(["llvm-cov"]);
    let packages: Vec<&str> = match options.packages.as_slice() {
        [] => PACKAGES.to_vec(),
        named => named.iter().map(String::as_str).collect(),
    };
    // Features of the facade may be named for packages that depend on it.
    let features = all_of_facade();
    let all = packages.contains(&"ssl-provider");
    let features: &[&str] = if all { &["--features", &features] } else { &[] };
    llvm_cov().args(["clean", "--workspace"]).run(workspace)?;
    with_expectations(llvm_cov(), workspace, if all { &crate::features::BACKENDS } else { &[] })
        .args(["--no-report", "--no-fail-fast"])
        .args(packages.iter().flat_map(|package| ["--package", package]))
        .args(features)
        .run(workspace)?;
    for (file, kind) in [("report.json", &["--json", "--summary-only"][..]), ("report.txt", &[])] {
        let path = folder.join(file);
        llvm_cov()
            .args(["report"])
            .args(packages.iter().flat_map(|package| ["--package", package]))
            .args(kind)
            .args(["--output-path".as_ref(), path.as_os_str()])
            .run(workspace)?;
    }
    let report = fs::read_to_string(folder.join("report.txt")).context("no report.txt")?;
    println!("{report}");
    println!("{}: report.txt, report.json", folder.display());
    Ok(())
}

/// Returns the program, which is installed below the target directory if it is not on the path.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    let tools = Run::new("rustc").args(["--print", "sysroot"]).quiet().read(workspace)?;
    let has_tools = glob_has(&PathBuf::from(tools.trim()).join("lib/rustlib"), "bin/llvm-profdata");
    let from_environment = std::env::var_os("LLVM_PROFDATA").is_some();
    ensure!(
        has_tools || from_environment,
        "the toolchain has no LLVM tools: `rustup component add llvm-tools`, or set LLVM_COV and \
         LLVM_PROFDATA to those of the LLVM that `rustc --version --verbose` names"
    );
    if is_installed("cargo-llvm-cov") {
        return Ok("cargo-llvm-cov".into());
    }
    let root = workspace.target("tools");
    let program = root.join("bin/cargo-llvm-cov");
    if !program.is_file() {
        Run::cargo("install")
            .args(["--locked", "--version", "^0.9", "cargo-llvm-cov", "--root"])
            .args([&root])
            .run(workspace)?;
    }
    Ok(program)
}

/// Whether a folder in `parent` has a file at `path`.
fn glob_has(parent: &Path, path: &str) -> bool {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().join(path).is_file())
}
