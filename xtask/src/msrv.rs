//! `cargo xtask msrv`: builds each library with the oldest Rust that its manifest promises, where
//! rustup has it. Clippy's `incompatible_msrv` checks the same of the standard library everywhere.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;

use crate::command::Run;
use crate::workspace::Workspace;

/// Checks the libraries, version by version, as dependencies of a program that takes no newer Rust:
/// our lock file has releases of other crates that do.
///
/// # Errors
///
/// Fails at the first version that one of its libraries does not build with.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut libraries: BTreeMap<String, String> = BTreeMap::new();
    for member in workspace.members() {
        let version = member.rust_version.as_ref();
        let version = version.map(|version| format!("{}.{}", version.major, version.minor));
        // Programs promise no more than the toolchain that everything else is checked with.
        if let Some(version) = version.filter(|it| it != env!("CARGO_PKG_RUST_VERSION")) {
            let directory = member.manifest_path.with_file_name("");
            let dependency = format!("{} = {{ path = {directory:?} }}\n", member.name);
            libraries.entry(version).or_default().push_str(&dependency);
        }
    }
    for (version, dependencies) in libraries {
        let cargo = || Run::new("rustup").args(["run", &version, "cargo"]);
        if cargo().args(["--version"]).quiet().read(workspace).is_err() {
            println!("WARNING: Rust {version} is ABSENT: rustup toolchain install {version}.");
            println!("WARNING: only clippy's incompatible_msrv stands for it.");
            continue;
        }
        let program = workspace.target("msrv").join(&version);
        let manifest = program.join("Cargo.toml");
        fs::create_dir_all(program.join("src"))?;
        fs::write(program.join("src/lib.rs"), "")?;
        fs::write(&manifest, manifest_of(&version, &dependencies))?;
        cargo().args(["check", "--manifest-path"]).args([manifest]).run(workspace)?;
    }
    Ok(())
}

/// The manifest of a program whose dependencies may need no Rust newer than `version`.
fn manifest_of(version: &str, dependencies: &str) -> String {
    format!(
        "[package]\nname = \"msrv\"\nedition = \"2024\"\nrust-version = \"{version}\"\n\n\
         [workspace]\n\n[dependencies]\n{dependencies}"
    )
}
