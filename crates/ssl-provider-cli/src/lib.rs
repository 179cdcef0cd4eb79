//! The command `sslprov`, as a library: the command line, and one module for each subcommand.
//! Each of those has `Args`, which clap fills, and `run`, which does the work.

#![forbid(unsafe_code)]

pub mod backend_choice;
pub mod backends;
pub mod capture;
mod counted;
pub mod exit;
mod hex;
pub mod import;
pub mod key_file;
pub mod keylog;
mod outputs;
mod protocol_argument;
pub mod record;
pub mod serve;
mod suite_argument;
pub mod suites;
mod table;
pub mod tls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use crate::exit::{Failure, Outcome};

/// What the user typed.
#[derive(Debug, Parser)]
#[command(name = "sslprov", version, about, max_term_width = 100)]
pub struct CommandLine {
    /// The subcommand with its arguments.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Get the key log out of a capture, with the server's private key
    Keylog(keylog::command::Args),
    /// Import the master key of one RSA key exchange, or of many
    Import(Box<import::Args>),
    /// Serve TLS with RSA key exchange, for tests, captures and old devices in a lab
    Serve(Box<serve::Args>),
    /// Show the crypto backends that are compiled in, and who does what in each
    Backends(backends::Args),
    /// Show the cipher suites that are known
    Suites(suites::Args),
}

/// Runs the subcommand; a failure is told on standard error.
pub fn run(command_line: &CommandLine) -> ExitCode {
    let result = match &command_line.command {
        Command::Keylog(args) => keylog::command::run(args),
        Command::Import(args) => import::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Backends(args) => backends::run(args),
        Command::Suites(args) => suites::run(args),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => failure.report(),
    }
}
