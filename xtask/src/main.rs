//! Tasks of the workspace, run as `cargo xtask TASK`; each prints the commands that it runs.
//! One module per task. `ci` runs what must pass before a change goes in.

#![forbid(unsafe_code)]

mod asm;
mod attack;
mod bench_report;
mod capi;
mod ci;
mod command;
mod corpus;
mod coverage;
mod cross;
mod deny;
mod disassembly;
mod doc;
mod downstream;
mod faults;
mod features;
mod fuzz;
mod handshakes;
mod interop;
mod key_server;
mod matrix;
mod miri;
mod msrv;
mod multi_buffer;
mod mutants;
mod pages;
mod prove;
mod public_api;
mod python;
mod release;
mod residue;
mod support;
mod test;
mod tidy;
mod timing;
mod tshark;
mod valgrind;
mod vector_runners;
mod vectors;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};

use crate::workspace::Workspace;

/// Tasks of the ssl-provider workspace.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// The names of the tasks.
fn commands() -> Vec<String> {
    Arguments::command().get_subcommands().map(|task| task.get_name().to_owned()).collect()
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test of the workspace on all four backends.
    Test,
    /// Run everything that CI runs, and print a summary table.
    Ci {
        /// Run this step only, as its table names it.
        #[arg(long, value_name = "NAME")]
        step: Option<String>,
    },
    /// Build and test the facade and the command with each backend alone, with all and with none.
    Matrix {
        /// Also with OpenSSL built from source, which takes two more minutes.
        #[arg(long)]
        full: bool,
    },
    /// Build each library with the oldest Rust that it promises.
    Msrv,
    /// Type-check the facade, the C library and the command for other systems.
    Cross,
    /// Check the repository against its own rules: layering, licences, comments, headers.
    Tidy,
    /// Check formatting.
    Fmt,
    /// Run clippy on every target of every member; warnings are errors.
    Clippy,
    /// Build the documentation; warnings are errors.
    Doc,
    /// Build and test programs and backends that depend on this workspace, as others write them.
    Downstream {
        /// Also a backend on BoringSSL, which it builds from source: needs cmake and libclang.
        #[arg(long)]
        outside: bool,
    },
    /// Fetch the third-party vectors that are public files into target/vectors.
    Vectors(vectors::Options),
    /// Change the code of core in one place after another, and check that a test notices.
    Mutants(mutants::Options),
    /// Report which lines and regions of the libraries the tests run.
    Coverage(coverage::Options),
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
        /// Measure briefly, to see that everything runs; the figures are not for quoting.
        #[arg(long)]
        quick: bool,
        /// Write the report from the last run, without measuring.
        #[arg(long, conflicts_with = "quick")]
        no_run: bool,
    },
    /// Regenerate the support table of docs/support.md.
    Support {
        /// Only check that it is up to date.
        #[arg(long)]
        check: bool,
    },
    /// Make the package of every published crate, build it by itself, and publish it.
    Release(release::Options),
    /// Generate captures of real TLS stacks; `cargo xtask corpus --help` lists the sets.
    #[command(disable_help_flag = true)]
    Corpus {
        /// Arguments for tests/corpus/generate.py.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
    /// Open the HTML reports of `sslprov` in headless Chromium and click through them.
    Pages {
        /// Make docs/crosscheck.png instead.
        #[arg(long)]
        picture: bool,
    },
    /// Run the vectors of tests/vectors with the examples for other projects, in Python, Go and C.
    VectorRunners,
    /// Attack `sslprov serve`; `cargo xtask attack --help` lists the classes of attacks.
    #[command(disable_help_flag = true)]
    Attack {
        /// Arguments for tests/attack/run.py.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Follow secrets through the machine code of unpadding, record padding, MACs and masks.
    Asm(asm::Options),
    /// Prove by symbolic execution that routines of the shipped library have one path and the
    /// specified result; `cargo xtask prove --help` lists the options.
    #[command(disable_help_flag = true)]
    Prove {
        /// Arguments for tests/proof/run.py.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Multi-buffer RSA: compare its speed, check many results, search its machine code.
    #[command(subcommand)]
    MultiBuffer(multi_buffer::Task),
    /// Compare the full handshakes per second of the lab server and of `openssl s_server`.
    Handshakes(handshakes::Options),
    /// Compare imports by `sslprov key-server` with imports in the process: latency, throughput.
    KeyServer(key_server::Options),
    /// Build and test the C library; run its C programs under sanitizers and valgrind.
    Capi(capi::Options),
    /// Test `sslprov serve` and `sslprov connect` with real TLS stacks, and write docs/interop.md.
    Interop(interop::Options),
    /// Check that tshark decrypts the captures of tests/data with our key log.
    Tshark,
    /// Fuzz the parsers, the import, records and the lab server with mutated input.
    Fuzz {
        /// Seconds for all targets together.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// Seed of the inputs; the same seed makes the same inputs.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run what handles pointers, handles and secret bytes under Miri; needs nightly Rust.
    Miri,
    /// Flip bits of loaded private keys in memory; no result of a faulty operation may come out.
    Faults(faults::Options),
    /// Search the stack and the heap for secrets that calls leave there, in the release build.
    Residue {
        /// Search the whole memory and the registers of a C program that has freed everything, and
        /// of `sslprov serve` after a connection.
        #[arg(long)]
        process: bool,
    },
    /// Check by cycles or a clock that the time of an import does not depend on its plaintext.
    Timing(timing::Options),
    /// Check with memcheck that no branch or index depends on the decrypted RSA block.
    Ctgrind {
        /// At every optimisation level, also for x86-64-v3, and with every library's PRF.
        #[arg(long)]
        full: bool,
    },
    /// Check with callgrind that every class of RSA block takes the same number of instructions.
    Callgrind {
        /// Also count the RSA private operations of the libraries.
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
        Task::Ci { step } => ci::run(&workspace, step.as_deref()),
        Task::Matrix { full: true } => matrix::run(&workspace, matrix::Extent::Vendored),
        Task::Matrix { full: false } => matrix::run(&workspace, matrix::Extent::Tests),
        Task::Msrv => msrv::run(&workspace),
        Task::Cross => cross::run(&workspace),
        Task::Tidy => tidy::run(&workspace),
        Task::Fmt => ci::fmt(&workspace),
        Task::Clippy => ci::clippy(&workspace),
        Task::Doc => doc::run(&workspace),
        Task::PublicApi { update } => public_api::run(&workspace, update),
        Task::Downstream { outside: true } => {
            downstream::run(&workspace, downstream::Extent::Outside)
        }
        Task::Downstream { outside: false } => {
            downstream::run(&workspace, downstream::Extent::Usual)
        }
        Task::Vectors(options) => vectors::run(&workspace, &options),
        Task::Mutants(options) => mutants::run(&workspace, &options),
        Task::Coverage(options) => coverage::run(&workspace, &options),
        Task::Deny => deny::run(&workspace),
        Task::BenchReport { quick, no_run } => bench_report::run(&workspace, quick, no_run),
        Task::Support { check } => support::run(&workspace, check),
        Task::Release(options) => release::run(&workspace, &options),
        Task::Corpus { arguments } => corpus::run(&workspace, &arguments),
        Task::Pages { picture: true } => pages::picture(&workspace),
        Task::Pages { picture: false } => pages::run(&workspace),
        Task::VectorRunners => vector_runners::run(&workspace),
        Task::Attack { arguments } => attack::run(&workspace, &arguments),
        Task::Asm(options) => asm::run(&workspace, &options),
        Task::Prove { arguments } => prove::run(&workspace, &arguments),
        Task::Capi(options) => capi::task(&workspace, &options),
        Task::MultiBuffer(task) => multi_buffer::run(&workspace, &task),
        Task::Handshakes(options) => handshakes::run(&workspace, &options),
        Task::KeyServer(options) => key_server::run(&workspace, &options),
        Task::Interop(options) => interop::run(&workspace, &options),
        Task::Tshark => tshark::run(&workspace),
        Task::Miri => miri::run(&workspace),
        Task::Fuzz { seconds, seed } => fuzz::run(&workspace, seconds, seed),
        Task::Residue { process: false } => residue::calls(&workspace),
        Task::Residue { process: true } => residue::processes(&workspace),
        Task::Faults(options) => faults::run(&workspace, &options),
        Task::Timing(options) => timing::run(&workspace, &options),
        Task::Ctgrind { full } => valgrind::ctgrind(&workspace, valgrind::Extent::of(full)),
        Task::Callgrind { full } => valgrind::callgrind(&workspace, valgrind::Extent::of(full)),
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
