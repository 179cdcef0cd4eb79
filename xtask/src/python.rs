//! Python for the tasks that need it: a virtual environment under the target directory, with what
//! each task's list of requirements pins.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

/// Creates the environment if needed, installs what the files list, and returns its Python.
///
/// # Errors
///
/// Fails when Python or a package is missing.
pub(crate) fn prepare(workspace: &Workspace, requirements: &[&str]) -> Result<PathBuf> {
    install(workspace, "venv", requirements, &[])
}

/// As [`prepare_alone`], in an environment of its own, since others pin other versions.
///
/// # Errors
///
/// As for [`prepare`].
pub(crate) fn prepare_apart(
    workspace: &Workspace,
    environment: &str,
    requirements: &[&str],
) -> Result<PathBuf> {
    install(workspace, environment, requirements, &["--no-deps"])
}

/// As [`prepare`], without what the packages depend on.
///
/// # Errors
///
/// As for [`prepare`].
pub(crate) fn prepare_alone(workspace: &Workspace, requirements: &[&str]) -> Result<PathBuf> {
    install(workspace, "venv", requirements, &["--no-deps"])
}

fn install(
    workspace: &Workspace,
    environment: &str,
    requirements: &[&str],
    options: &[&str],
) -> Result<PathBuf> {
    let environment = workspace.target(environment);
    let python = environment.join("bin/python");
    if !python.is_file() {
        Run::new("python3").args(["-m", "venv"]).args([&environment]).run(workspace)?;
    }
    Run::new(&python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(options)
        .args(requirements.iter().flat_map(|file| ["--requirement", file]))
        .run(workspace)?;
    Ok(python)
}
