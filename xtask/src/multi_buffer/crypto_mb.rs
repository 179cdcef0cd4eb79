//! Intel's crypto_mb from the Python package that has it, for the comparison. It is loaded at run
//! time and neither linked nor shipped.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::python;
use crate::workspace::Workspace;

/// Libraries of Intel's compiler that crypto_mb names as needed, without using their functions.
const NEEDED: [&str; 4] = ["libsvml.so", "libirng.so", "libimf.so", "libintlc.so.5"];

/// Where the library is, and where the loader finds what it needs.
pub(crate) struct CryptoMb {
    pub(crate) library: PathBuf,
    pub(crate) needed: PathBuf,
}

/// Installs the package and makes an empty library for each one that is needed by name only.
///
/// # Errors
///
/// Fails when the package or the C compiler is missing.
pub(crate) fn prepare(workspace: &Workspace) -> Result<CryptoMb> {
    ensure!(
        cfg!(all(target_arch = "x86_64", target_os = "linux")),
        "its package is for Linux on x86_64"
    );
    let python = python::prepare_alone(workspace, &["xtask/multi-buffer-requirements.txt"])
        .context("its package cannot be installed")?;
    // The package puts its libraries beside those of Python: `bin/python` and `lib`.
    let environment = python.ancestors().nth(2).context("the environment has no folder")?;
    let library = environment.join("lib/libcrypto_mb.so");
    ensure!(library.is_file(), "{}: not in its package", library.display());
    let needed = workspace.target("multi-buffer");
    fs::create_dir_all(&needed).context("cannot create the folder of empty libraries")?;
    for name in NEEDED {
        let path = needed.join(name);
        if !path.is_file() {
            Run::new("cc")
                .args(["-shared", "-x", "c", "/dev/null", "-o"])
                .args([&path])
                .run(workspace)?;
        }
    }
    Ok(CryptoMb { library, needed })
}
