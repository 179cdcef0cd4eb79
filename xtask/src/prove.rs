//! `cargo xtask prove`: symbolic execution of the release build of the C library, by the Python
//! program in tests/proof.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::features::all_of_facade;
use crate::python;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "tests/proof/requirements.txt";
const PLANTED: &str = "xtask/planted/premaster.rs";

/// Runs every routine with a few lengths, and finds the planted faults.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        println!(
            "NOT CHECKED: the proof on the binary: it reads machine code of x86_64 Linux only"
        );
        return Ok(());
    }
    run(workspace, &[])
}

/// Prepares Python and the libraries, and runs the program with `arguments`.
///
/// # Errors
///
/// Fails when a claim does not hold, when a planted fault is not found, and when Python, a package
/// or the C compiler is missing.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    ensure!(
        cfg!(all(target_arch = "x86_64", target_os = "linux")),
        "the proof reads machine code of x86_64 Linux only"
    );
    let python = python::prepare_apart(workspace, "venv-proof", &[REQUIREMENTS])?;
    let directory = workspace.target("proof");
    fs::create_dir_all(&directory).context("cannot create the folder of the proof")?;
    let (lines, planted) = (directory.join("lines.so"), directory.join("libplanted.so"));
    let core = directory.join("core");
    let (object, layout) = (core.join("layout.o"), core.join("layout.so"));
    let release = workspace.target("release");
    if !arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        Run::cargo("build")
            .args(["--release", "--package", "ssl-provider-capi", "--features", &all_of_facade()])
            .run(workspace)?;
        // The shared library has no line table; the static one has the same object files with it.
        Run::new("cc")
            .args(["-shared", "-nostdlib", "-Wl,--whole-archive"])
            .args([release.join("libsslprovider.a")])
            .args(["-Wl,--no-whole-archive", "-Wl,--unresolved-symbols=ignore-all"])
            .args(["-Wl,--allow-multiple-definition", "-o"])
            .args([&lines])
            .run(workspace)?;
        // Where fields lie does not depend on debug information, but only the full one has it.
        Run::cargo("rustc")
            .args(["--release", "--package", "ssl-provider-core", "--lib", "--target-dir"])
            .args([&core])
            .args(["--config", "profile.release.package.ssl-provider-core.debug=2", "--"])
            .args(["-C", "codegen-units=1"])
            .args([format!("--emit=obj={}", object.display())])
            .run(workspace)?;
        // Linked, as the program does not know the relocations of thread-local variables.
        Run::new("cc")
            .args(["-shared", "-nostdlib", "-Wl,--unresolved-symbols=ignore-all", "-o"])
            .args([&layout, &object])
            .run(workspace)?;
        Run::new("rustc")
            .args(["--edition", "2024", "-C", "opt-level=3", "-C", "debuginfo=line-tables-only"])
            .args(["--crate-type", "cdylib", PLANTED, "-o"])
            .args([&planted])
            .run(workspace)?;
    }
    Run::new(&python)
        .args(["tests/proof/run.py", "--library"])
        .args([release.join("libsslprovider.so")])
        .args(["--lines"])
        .args([lines])
        .args(["--layout"])
        .args([layout])
        .args(["--planted"])
        .args([planted])
        .args(arguments)
        .run(workspace)
}
