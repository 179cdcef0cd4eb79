//! Compares BoringSSL with the backends that are compiled in: `cargo run -- crosscheck`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match ssl_provider::register(outside_boringssl::backend()) {
        Ok(()) => ssl_provider_compare::main(),
        Err(error) => {
            eprintln!("error: cannot register the backend on BoringSSL: {error}");
            ExitCode::FAILURE
        }
    }
}
