//! `cargo xtask attack`: attacks `sslprov serve`, the server in C and `sslprov connect` on each
//! backend, and runs scanners. What attacks them is in tests/attack.

use anyhow::Result;

use crate::capi;
use crate::command::{Run, is_installed};
use crate::features::all_of_facade;
use crate::python;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "tests/attack/requirements.txt";
const SCANNERS: &str = "tests/attack/scanners.txt";

/// The conversations about premaster secrets, with a server whose key is in another process.
const KEY_SERVER: [&str; 8] = [
    "--smoke",
    "--key-server",
    "--backend",
    "aws-lc",
    "--only",
    "bleichenbacher",
    "--only",
    "key-exchange",
];

/// Runs a sample of the conversations, and checks that planted faults are found.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    // Conversations wait for each other's time-outs, more than for a processor.
    run(workspace, &["--smoke", "--jobs", "4"].map(str::to_owned))?;
    if cfg!(target_os = "linux") {
        run(workspace, &KEY_SERVER.map(str::to_owned))?;
    }
    run(workspace, &["--planted".into()])
}

/// Prepares Python and the programs, and attacks them with `arguments`.
///
/// # Errors
///
/// Fails when a program gives a wrong reply, and when Python, a package or a scanner is missing.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let has = |names: &[&str]| arguments.iter().any(|argument| names.contains(&argument.as_str()));
    if has(&["--help", "-h"]) {
        // With any Python: help needs no package.
        return Run::new("python3").args(["tests/attack/run.py", "--help"]).run(workspace);
    }
    let is_short = has(&["--smoke", "--planted"]);
    let requirements = if is_short { &[REQUIREMENTS][..] } else { &[REQUIREMENTS, SCANNERS] };
    let python = python::prepare(workspace, requirements)?;
    if !has(&["--planted", "--openssl"]) {
        Run::cargo("build")
            .args(["--package", "ssl-provider-cli", "--features", &all_of_facade()])
            .run(workspace)?;
    }
    let mut run = Run::new(&python)
        .args(["tests/attack/run.py", "--sslprov"])
        .args([workspace.target("debug").join("sslprov")]);
    if !has(&["--openssl", "--key-server"]) && is_installed("gcc") {
        let server = capi::server_to_attack(workspace, is_short)?;
        run = run.args(["--c-server"]).args([server]);
    }
    run.args(arguments).run(workspace)
}
