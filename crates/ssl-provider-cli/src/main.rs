//! The command `sslprov`: parses the command line and calls the library.
//! Everything else is in `lib.rs`, where tests reach it.

use std::process::ExitCode;

use clap::Parser;

use ssl_provider_cli::{CommandLine, run};

fn main() -> ExitCode {
    run(&CommandLine::parse())
}
