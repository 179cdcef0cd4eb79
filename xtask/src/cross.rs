//! `cargo xtask cross`: type-checks for other systems, as far as this one can.
//! Backends that compile C need a compiler for the target, so RustCrypto stands for them; hosted CI
//! builds all of them on their systems.

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

/// The facade, the C library and the command.
const PROGRAMS: &[&str] = &[
    "--package=ssl-provider",
    "--package=ssl-provider-capi",
    "--package=ssl-provider-cli",
    "--features=ssl-provider/rustcrypto",
];

/// The facade alone: the others need sockets and files.
const FACADE: &[&str] = &["--package=ssl-provider", "--features=wasm-js"];

const TARGETS: [(&str, &[&str]); 5] = [
    ("aarch64-apple-darwin", PROGRAMS),
    ("aarch64-unknown-linux-gnu", PROGRAMS),
    ("wasm32-unknown-unknown", FACADE),
    ("x86_64-pc-windows-gnu", PROGRAMS),
    ("x86_64-pc-windows-msvc", PROGRAMS),
];

/// Checks each target, after installing its standard library where it is absent.
///
/// # Errors
///
/// Fails at the first target that rustup does not install or the code is wrong for.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    for (target, checked) in TARGETS {
        Run::new("rustup").args(["--quiet", "target", "add", target]).run(workspace)?;
        Run::cargo("clippy")
            .args(["--target", target, "--no-default-features"])
            .args(checked)
            .args(["--", "-D", "warnings"])
            .run(workspace)?;
    }
    Ok(())
}
