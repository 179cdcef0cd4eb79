//! Tasks of the workspace, run as `cargo xtask TASK`; each prints the commands that it runs.
//! One module per task. `ci` runs what must pass before a change goes in.

#![forbid(unsafe_code)]

mod attack;
mod bench_report;
mod capi;
mod chart;
mod ci;
mod command;
mod corpus;
mod deny;
mod doc;
mod downstream;
mod features;
mod fuzz;
mod handshakes;
mod interop;
mod matrix;
mod miri;
mod public_api;
mod python;
mod readme;
mod test;
mod tidy;
mod timing;
mod tshark;
mod valgrind;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Tasks of the ssl-provider workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test of the workspace on all four backends.
    Test,
    /// Run everything that CI runs, and end with a table.
    Ci,
    /// Build and test the facade and the CLI with each backend alone, all and none.
    Matrix {
        /// Also with OpenSSL built from source, which takes two minutes more.
        #[arg(long)]
        full: bool,
    },
    /// Check the repository against its own rules: layering, licences, comments, headers.
    Tidy,
    /// Check formatting.
    Fmt,
    /// Run clippy on every target of every member; warnings are errors.
    Clippy,
    /// Build the documentation; warnings are errors.
    Doc,
    /// Build and test a workspace that depends on this one, as others do.
    Downstream,
    /// Compare the public API of core and facade with tests/public-api.
    PublicApi {
        /// Write the snapshots anew.
        #[arg(long)]
        update: bool,
    },
    /// Check duplicates, licences and sources of all dependencies with cargo-deny.
    Deny,
    /// Run the benchmarks and write docs/benchmarks.md with its charts.
    BenchReport {
        /// Measure briefly: enough to see that everything runs, not to quote.
        #[arg(long)]
        quick: bool,
        /// Write the report from the last run, without measuring.
        #[arg(long, conflicts_with = "quick")]
        no_run: bool,
    },
    /// Regenerate the generated parts of README.md.
    Readme {
        /// Only say whether they are up to date.
        #[arg(long)]
        check: bool,
    },
    /// Generate captures from real TLS stacks; `cargo xtask corpus --help` lists what.
    #[command(disable_help_flag = true)]
    Corpus {
        /// What to generate: the arguments of tests/corpus/generate.py.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Attack the server of `sslprov`; `cargo xtask attack --help` lists with what.
    #[command(disable_help_flag = true)]
    Attack {
        /// What to do: the arguments of tests/attack/run.py.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure full handshakes of the lab server beside those of `openssl s_server`.
    Handshakes(handshakes::Options),
    /// Build the C library, prove its interface, and run its C programs under every tool.
    Capi(capi::Options),
    /// Let real TLS clients talk to `sslprov serve`, and write docs/interop.md.
    Interop(interop::Options),
    /// Let tshark decrypt the captures of tests/data with our key log.
    Tshark,
    /// Run what reads the bytes of others on damaged input for a while.
    Fuzz {
        /// How long, for all targets together.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// What chooses the inputs; the same seed gives the same ones.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run the handle table and the readers of C's pointers under Miri; needs nightly Rust.
    Miri,
    /// Look for secrets that calls leave on the stack and the heap, in the release build.
    Residue,
    /// Check with a clock that the time of an import does not tell how its plaintext was wrong.
    Timing(timing::Options),
    /// Check with memcheck that nothing depends on the decrypted RSA block.
    Ctgrind {
        /// At every optimisation level, for a newer processor too, and with every library's PRF.
        #[arg(long)]
        full: bool,
    },
    /// Check with callgrind that every kind of RSA block costs the same number of instructions.
    Callgrind {
        /// Also count the private operations of the libraries.
        #[arg(long)]
        full: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::load()?;
    match task {
        Task::Test => test::run(&workspace),
        Task::Ci => ci::run(&workspace),
        Task::Matrix { full } => matrix::run(&workspace, full),
        Task::Tidy => tidy::run(&workspace),
        Task::Fmt => ci::fmt(&workspace),
        Task::Clippy => ci::clippy(&workspace),
        Task::Doc => doc::run(&workspace),
        Task::PublicApi { update } => public_api::run(&workspace, update),
        Task::Downstream => downstream::run(&workspace),
        Task::Deny => deny::run(&workspace),
        Task::BenchReport { quick, no_run } => bench_report::run(&workspace, quick, no_run),
        Task::Readme { check } => readme::run(&workspace, check),
        Task::Corpus { arguments } => corpus::run(&workspace, &arguments),
        Task::Attack { arguments } => attack::run(&workspace, &arguments),
        Task::Capi(options) => capi::task(&workspace, &options),
        Task::Handshakes(options) => handshakes::run(&workspace, &options),
        Task::Interop(options) => interop::run(&workspace, &options),
        Task::Tshark => tshark::run(&workspace),
        Task::Miri => miri::run(&workspace),
        Task::Fuzz { seconds, seed } => fuzz::run(&workspace, seconds, seed),
        Task::Residue => test::residue(&workspace),
        Task::Timing(options) => timing::run(&workspace, &options),
        Task::Ctgrind { full } => valgrind::ctgrind(&workspace, full),
        Task::Callgrind { full } => valgrind::callgrind(&workspace, full),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_task_has_a_line_of_help() {
        for task in Arguments::command().get_subcommands() {
            assert!(task.get_about().is_some(), "{}", task.get_name());
        }
    }
}
