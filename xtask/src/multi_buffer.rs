//! `cargo xtask multi-buffer`: compares the speed of multi-buffer RSA with a library and Intel's
//! crypto_mb, checks many results, and searches its machine code for steps that depend on data.

pub(crate) mod bench;
mod check;
mod crypto_mb;
mod lint;

use anyhow::Result;
use clap::Subcommand;

use crate::workspace::Workspace;

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Compare the private operations per second of aws-lc, of crypto_mb and of ours.
    Bench(bench::Options),
    /// Compare many results with those of aws-lc and of big integers.
    Check(check::Options),
    /// Search the kernels' machine code for branches and memory accesses that depend on data.
    Lint,
}

/// Does it.
///
/// # Errors
///
/// Those of the task.
pub(crate) fn run(workspace: &Workspace, task: &Task) -> Result<()> {
    match task {
        Task::Bench(options) => bench::run(workspace, options),
        Task::Check(options) => check::run(workspace, options),
        Task::Lint => lint::run(workspace),
    }
}

/// Runs what CI runs: the lint, and the comparison once, without crypto_mb. The checks are tests
/// and run with the others.
///
/// # Errors
///
/// Fails when one of them does.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    lint::run(workspace)?;
    bench::smoke(workspace)
}
