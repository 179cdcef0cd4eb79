//! Registers the backend and compares it with those that the manifest asks for.

use std::process::ExitCode;

fn main() -> ExitCode {
    let registered = my_backend::backend().and_then(ssl_provider::register);
    if let Err(error) = registered {
        eprintln!("error: cannot register {}: {error}", my_backend::NAME);
        return ExitCode::FAILURE;
    }
    ssl_provider_compare::main()
}
