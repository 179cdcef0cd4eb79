//! The server of the matrix: `sslprov serve`, one process for each stack and backend, and the list
//! of what the backends support.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::Run;
use crate::features::{BACKENDS, OpenSsl, feature_of};
use crate::interop::cell::Cipher;
use crate::interop::conversation::Secret;
use crate::interop::process::Dialogue;
use crate::workspace::Workspace;

/// The server's key, in `tests/data`.
pub(crate) const KEY: &str = "tests/data/keys/server-2048.pem";
/// The certificate of [`KEY`].
pub(crate) const CERTIFICATE: &str = "tests/data/keys/server-2048.cert.pem";

/// The program, with the ciphers of each of its backends.
#[derive(Debug)]
pub(crate) struct Servers {
    program: PathBuf,
    key: PathBuf,
    pub(crate) certificate: PathBuf,
    operations: BTreeMap<String, BTreeSet<String>>,
}

impl Servers {
    /// Builds the program with all four backends.
    ///
    /// # Errors
    ///
    /// Fails when cargo does.
    pub(crate) fn build(workspace: &Workspace) -> Result<Self> {
        let openssl = OpenSsl::choose();
        let features = BACKENDS.map(|backend| feature_of(backend, openssl)).join(",");
        Run::cargo("build")
            .args(["--package", "ssl-provider-cli", "--no-default-features", "--features"])
            .args([features])
            .run(workspace)?;
        let program = workspace.target("debug/sslprov");
        let listed = Run::new(&program).args(["backends", "--json"]).quiet().read(workspace)?;
        Ok(Self {
            program,
            key: workspace.root().join(KEY),
            certificate: workspace.root().join(CERTIFICATE),
            operations: operations(&listed).context("sslprov backends --json: bad format")?,
        })
    }

    /// Returns whether the backend supports the cipher.
    pub(crate) fn has(&self, backend: &str, cipher: Cipher) -> bool {
        let operations = self.operations.get(backend);
        cipher == Cipher::NULL || operations.is_some_and(|it| it.contains(cipher.operation))
    }

    /// Starts a server with `backend` that keeps its files in `directory`.
    ///
    /// # Errors
    ///
    /// Fails when it does not print its address in time.
    pub(crate) fn start(&self, backend: &str, directory: &Path) -> Result<Server> {
        let key_log = directory.join("server-keys");
        let errors = File::create(directory.join("server-errors")).context("server-errors")?;
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--backend", backend])
            .args(["--allow-ssl3", "--suites", "default,legacy"])
            .args([Path::new("--key"), &self.key, Path::new("--cert"), &self.certificate])
            .args([Path::new("--keylog"), &key_log])
            .stderr(errors);
        let mut process = Dialogue::start(&mut command)?;
        let line = process.receive().context("the server does not start")?;
        let port = line
            .strip_prefix("listening on 127.0.0.1:")
            .and_then(|port| port.trim().parse().ok())
            .with_context(|| format!("unexpected line from the server: {line:?}"))?;
        Ok(Server { process, port, key_log })
    }
}

/// What each backend supports, as `sslprov backends --json` lists it.
fn operations(listed: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let listed: Value = serde_json::from_str(listed).ok()?;
    let backends = listed.as_array()?.iter().map(|backend| {
        let operations = backend["operations"].as_array()?.iter();
        let supported = operations.filter(|operation| !operation["by"].is_null());
        let names = supported.map(|operation| operation["operation"].as_str().map(str::to_owned));
        Some((backend["name"].as_str()?.to_owned(), names.collect::<Option<_>>()?))
    });
    backends.collect()
}

/// A running server, which ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    process: Dialogue,
    pub(crate) port: u16,
    key_log: PathBuf,
}

impl Server {
    /// The secrets that it has written so far.
    ///
    /// # Errors
    ///
    /// Fails when the key log cannot be read, and when the server has ended.
    pub(crate) fn secrets(&mut self) -> Result<Vec<Secret>> {
        ensure!(self.process.is_running(), "the server has ended");
        let text = fs::read_to_string(&self.key_log).context("cannot read the server's key log")?;
        Ok(Secret::of_key_log(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_somebody_does_is_supported() {
        let listed = r#"[{"name": "ring", "operations": [
            {"operation": "RC4", "by": null}, {"operation": "AES-128-GCM", "by": "ring"}]}]"#;
        let operations = operations(listed).unwrap();
        assert!(operations["ring"].contains("AES-128-GCM"));
        assert!(!operations["ring"].contains("RC4"));
        assert!(super::operations(r#"[{"name": "ring"}]"#).is_none());
    }
}
