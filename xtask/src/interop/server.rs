//! The servers of the matrix: `sslprov serve`, one process for each set of options, and the list of
//! what the backends support.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::Run;
use crate::features::{BACKENDS, OpenSsl, feature_of};
use crate::interop::cell::{
    Cell, Cipher, ClientCertificate, EXPORT, Extra, Group, PSK, Resumption,
};
use crate::interop::commands::Place;
use crate::interop::identities::Identities;
use crate::interop::process::{Dialogue, last_lines};
use crate::workspace::Workspace;

/// The server's key, in `tests/data`.
pub(crate) const KEY: &str = "tests/data/keys/server-2048.pem";
/// The certificate of [`KEY`].
pub(crate) const CERTIFICATE: &str = "tests/data/keys/server-2048.cert.pem";

/// Versions before TLS 1.3, which has servers of its own.
const OLDER_VERSIONS: &str = "ssl3,tls1.0,tls1.1,tls1.2";

/// `sslprov`, with the ciphers of each of its backends, and its servers.
#[derive(Debug)]
pub(crate) struct Servers {
    pub(crate) program: PathBuf,
    pub(crate) identities: Identities,
    operations: BTreeMap<String, BTreeSet<String>>,
    running: Mutex<BTreeMap<Kind, Server>>,
}

/// What a server is started with: backend, identity of ECDSA, whether it requires a client
/// certificate, and how it resumes. Each resumes in one way only, so that there is no other.
type Kind = (&'static str, &'static str, bool, Resumption);

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
            identities: Identities::of(workspace),
            operations: operations(&listed).context("sslprov backends --json: bad format")?,
            running: Mutex::default(),
        })
    }

    /// Returns whether the backend supports the cipher.
    pub(crate) fn has(&self, backend: &str, cipher: Cipher) -> bool {
        let operations = self.operations.get(backend);
        cipher == Cipher::NULL || operations.is_some_and(|it| it.contains(cipher.operation))
    }

    /// Returns whether the backend has the group, which few have if it is hybrid.
    pub(crate) fn has_group(&self, backend: &str, group: Option<Group>) -> bool {
        let operations = self.operations.get(backend);
        let has = |name: &str| operations.is_some_and(|it| it.contains(name));
        match group {
            Some(Group::P521) => has("ECDH secp521r1"),
            Some(group) => group.kem().is_none_or(has),
            None => true,
        }
    }

    /// Starts a server for one cell of TLS 1.3 alone, with the files of a stack. It has the suite,
    /// the group and the certificate of the cell.
    ///
    /// # Errors
    ///
    /// Fails with its message when it does not start, such as without a suite or a group.
    pub(crate) fn of_tls13_cell(&self, place: &Place, cell: &Cell) -> Result<Server> {
        let key_log = place.directory.join("server-keys");
        if key_log.exists() {
            fs::remove_file(&key_log).context("cannot remove the key log of the last cell")?;
        }
        let errors = place.directory.join("server-errors");
        let file = File::create(&errors).context("cannot create a file")?;
        let identity = cell.server_identity();
        let is_rsa = identity == "server-rsa";
        let requires = cell.client_certificate != ClientCertificate::None;
        let (key, certificate) = match is_rsa {
            true => ("--key", "--cert"),
            false => ("--ecdsa-key", "--ecdsa-cert"),
        };
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--backend", cell.backend])
            .args(["--versions", "tls1.3", "--threads", "1", "--timeout", "60"])
            .arg(format!("--suites=0x{:04x}", cell.suite.id))
            .args(cell.group.map(|group| format!("--groups={}", group.name())))
            .args(["--client-auth", if requires { "require" } else { "none" }])
            .args(["--keying-material", EXPORT.0])
            .args((cell.resumption == Resumption::Ticket).then_some("--tickets"))
            .args((cell.extra == Extra::EarlyData).then_some("--early-data=4096"))
            .args((cell.extra == Extra::EarlyData).then_some("--early-data-window=60"))
            .args([Path::new(key), &self.identities.key(identity)])
            .args([Path::new(certificate), &self.identities.certificate(identity)])
            .args([Path::new("--keylog"), &key_log])
            .stderr(file);
        if cell.resumption == Resumption::ExternalPsk {
            command.arg("--external-psk").arg(psk_file(place, cell)?);
        }
        let mut process = Dialogue::start(&mut command)?;
        let line = process.receive().with_context(|| {
            let errors = fs::read(&errors).unwrap_or_default();
            format!("our server does not start: {}", last_lines(&errors))
        })?;
        Ok(Server { process, port: port_in(&line)?, key_log })
    }

    /// Returns the port of the server for a cell, which is started if it does not run yet, and the
    /// path of its key log.
    ///
    /// # Errors
    ///
    /// Fails when it does not print its address in time, and when it has ended.
    pub(crate) fn of_cell(&self, workspace: &Workspace, cell: &Cell) -> Result<(u16, PathBuf)> {
        let identity = match cell.server_identity() {
            "server-rsa" => "server-p256",
            ecdsa => ecdsa,
        };
        let requires = cell.client_certificate != ClientCertificate::None;
        let kind = (cell.backend, identity, requires, cell.resumption);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let server = match running.entry(kind) {
            Entry::Occupied(server) => server.into_mut(),
            Entry::Vacant(place) => place.insert(self.start(workspace, kind)?),
        };
        ensure!(server.process.is_running(), "the server has ended");
        Ok((server.port, server.key_log.clone()))
    }

    fn start(&self, workspace: &Workspace, kind: Kind) -> Result<Server> {
        let (backend, ecdsa, requires, resumption) = kind;
        let name = format!("{backend}-{ecdsa}-{requires}-{}", resumption.name());
        let directory = workspace.empty_target(&format!("interop/runs/servers/{name}"))?;
        let key_log = directory.join("keys");
        let errors = File::create(directory.join("errors")).context("cannot create a file")?;
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--backend", backend])
            .args(["--allow-ssl3", "--versions", OLDER_VERSIONS, "--threads", "2"])
            .args(["--suites", "default,legacy"])
            // Botan checks for seconds that a large prime is one, on a busy machine for longer.
            .args(["--timeout", "120", "--handshake-timeout", "120"])
            .args(["--key-exchange", "ecdhe,dhe,rsa"])
            .args(["--client-auth", if requires { "require" } else { "none" }])
            .args(match resumption {
                Resumption::Id => &[][..],
                Resumption::Ticket => &["--tickets", "--no-resumption"],
                Resumption::None | Resumption::ExternalPsk => &["--no-resumption"],
            })
            .args([Path::new("--key"), &self.identities.key("server-rsa")])
            .args([Path::new("--cert"), &self.identities.certificate("server-rsa")])
            .args([Path::new("--ecdsa-key"), &self.identities.key(ecdsa)])
            .args([Path::new("--ecdsa-cert"), &self.identities.certificate(ecdsa)])
            .args([Path::new("--keylog"), &key_log])
            .stderr(errors);
        let mut process = Dialogue::start(&mut command)?;
        let line = process.receive().context("the server does not start")?;
        Ok(Server { process, port: port_in(&line)?, key_log })
    }
}

fn port_in(line: &str) -> Result<u16> {
    line.strip_prefix("listening on 127.0.0.1:")
        .and_then(|port| port.trim().parse().ok())
        .with_context(|| format!("unexpected line from the server: {line:?}"))
}

/// Writes the pre-shared key for our side, with the hash of the suite.
///
/// # Errors
///
/// Fails when the file cannot be written.
pub(crate) fn psk_file(place: &Place, cell: &Cell) -> Result<PathBuf> {
    let path = place.directory.join("psk");
    let hash = if cell.suite.has_sha384() { "sha384" } else { "sha256" };
    let (name, key) = PSK;
    fs::write(&path, format!("{name} {key} {hash}\n")).context("cannot write the key")?;
    Ok(path)
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
    pub(crate) key_log: PathBuf,
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
