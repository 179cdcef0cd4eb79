//! `cargo xtask corpus`: captures from real TLS stacks, made by the generator in tests/corpus.
//! Its Python packages live in a virtual environment under the target directory.

use anyhow::Result;

use crate::command::Run;
use crate::python;
use crate::workspace::Workspace;

/// Prepares Python and runs the generator with `arguments`.
///
/// # Errors
///
/// Fails when Python, a package or a peer is missing, and when the generator does.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let python = python::prepare(workspace, &["tests/corpus/requirements.txt"])?;
    Run::new(&python).args(["tests/corpus/generate.py"]).args(arguments).run(workspace)
}
