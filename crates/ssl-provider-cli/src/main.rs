//! The command `sslprov`: parses the command line and calls the library.
//! Everything else is in `lib.rs`, where tests reach it.

use std::process::ExitCode;

use clap::Parser;

use ssl_provider::WipingAllocator;
use ssl_provider_cli::{CommandLine, run};

/// Freed memory holds no secret, whatever a crypto library in Rust leaves there.
#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator::system();

fn main() -> ExitCode {
    run(&CommandLine::parse())
}
