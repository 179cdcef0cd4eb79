//! The command `sslprov`, as a library: the command line, and one module for each subcommand.
//! Each of those has `Args`, which clap fills, and `run`, which does the work.

#![forbid(unsafe_code)]

pub mod backends;
pub mod capture;
mod client;
pub mod connect;
mod counted;
pub mod crosscheck;
mod external_psk;
mod hex;
pub mod import;
pub mod key_file;
mod key_log;
#[cfg(target_os = "linux")]
pub mod key_server;
pub mod keylog;
mod listen_address;
mod protocol_argument;
pub mod proxy;
pub mod record;
pub mod report;
pub mod serve;
mod suite_argument;
pub mod suites;
pub mod tls;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use ssl_provider_command::exit::{Failure, Outcome};
pub use ssl_provider_command::{backend_choice, exit};
use ssl_provider_command::{outputs, panics, table};
use ssl_provider_compare::{bench, timing, vectors};

/// The command line.
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
    /// Decrypt a capture's handshakes with the server's private key, and write a key log
    Keylog(keylog::command::Args),
    /// Import the master key of one or many RSA key exchanges
    Import(Box<import::Args>),
    /// Run a TLS server with RSA key exchange, for tests, captures and old devices in a lab
    Serve(Box<serve::Args>),
    /// Connect to a TLS server, show what it negotiates, and carry data
    Connect(Box<connect::Args>),
    /// Listen for plain TCP or modern TLS, and speak old TLS to a device
    Proxy(Box<proxy::Args>),
    /// Keep private keys in a process of their own, which does RSA key exchanges for others
    #[cfg(target_os = "linux")]
    KeyServer(Box<key_server::Args>),
    /// Ask every backend the same questions and compare their answers
    Crosscheck(Box<crosscheck::Args>),
    /// Measure the speed of backends on this machine, each beside its library called directly
    Bench(Box<bench::Args>),
    /// Test whether the time of RSA key exchanges depends on the plaintext, on this machine
    Timing(Box<timing::Args>),
    /// Make the public corpus of TLS test vectors, or verify one on a backend
    Vectors(vectors::Args),
    /// List the compiled-in crypto backends, and whose code performs each operation
    Backends(backends::Args),
    /// List the known cipher suites
    Suites(suites::Args),
}

/// Runs the subcommand and returns its exit code; a failure is reported on standard error. So are
/// panics from then on, without values that may be secret.
pub fn run(command_line: &CommandLine) -> ExitCode {
    panics::install_hook();
    let result = match &command_line.command {
        Command::Keylog(args) => keylog::command::run(args),
        Command::Import(args) => import::run(args),
        Command::Serve(args) => serve::run(args),
        Command::Connect(args) => connect::run(args),
        Command::Proxy(args) => proxy::run(args),
        #[cfg(target_os = "linux")]
        Command::KeyServer(args) => key_server::run(args),
        Command::Crosscheck(args) => crosscheck::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Timing(args) => timing::run(args),
        Command::Vectors(args) => vectors::run(args),
        Command::Backends(args) => backends::run(args),
        Command::Suites(args) => suites::run(args),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(failure) => failure.report(),
    }
}
