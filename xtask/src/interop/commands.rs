//! Stacks whose own command is the client: `openssl s_client`, `gnutls-cli`, `botan tls_client`.
//! Each conversation is a process of its own for every connection.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{Run, is_installed};
use crate::interop::cell::{Cell, Version};
use crate::interop::conversation::{Conversation, REQUEST, Secret, Session};
use crate::interop::process::ask_once;
use crate::interop::stacks::Place;
use crate::workspace::Workspace;

/// A stack's own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    OpenSsl,
    GnuTls,
    Botan,
}

impl Tool {
    const fn program(self) -> &'static str {
        match self {
            Self::OpenSsl => "openssl",
            Self::GnuTls => "gnutls-cli",
            Self::Botan => "botan",
        }
    }

    /// Returns the stack's version, as its command reports it.
    ///
    /// # Errors
    ///
    /// Fails when the command is missing.
    pub(crate) fn version(self, workspace: &Workspace, packages: &str) -> Result<String> {
        let program = self.program();
        let installed = is_installed(program);
        ensure!(installed, "{program} is not installed; on Debian: apt-get install {packages}");
        let (argument, word) = match self {
            Self::OpenSsl => ("version", 1),
            Self::GnuTls => ("--version", 1),
            Self::Botan => ("version", 0),
        };
        let printed = Run::new(program).args([argument]).quiet().read(workspace)?;
        let line = printed.lines().next().unwrap_or_default();
        let version = line.split_whitespace().nth(word);
        version.map(str::to_owned).with_context(|| format!("{program} does not report its version"))
    }

    /// Two connections, the second with the session of the first.
    ///
    /// # Errors
    ///
    /// Fails when there is no response, with the client's own message.
    pub(crate) fn converse(self, place: &Place, cell: &Cell) -> Result<Conversation> {
        let key_log = place.directory.join("keys");
        for file in [&key_log, &place.directory.join("session")] {
            if file.exists() {
                fs::remove_file(file).context("cannot remove the files of the last cell")?;
            }
        }
        let mut answers = Vec::new();
        for resume in [false, true] {
            let mut command = Command::new(self.program());
            command.current_dir(&place.directory).env("SSLKEYLOGFILE", &key_log);
            match self {
                Self::OpenSsl => openssl(&mut command, place, cell, resume)?,
                Self::GnuTls => gnutls(&mut command, place, cell, resume)?,
                Self::Botan => botan(&mut command, place, cell)?,
            }
            let (output, complaint) = ask_once(&mut command, REQUEST)?;
            ensure!(Session::find(&output).is_ok(), "no response: {complaint}");
            answers.push(output);
        }
        let secrets = if key_log.exists() {
            Secret::of_key_log(&fs::read_to_string(&key_log).context("cannot read the key log")?)
        } else {
            Vec::new()
        };
        Ok(Conversation { answers, secrets })
    }
}

/// OpenSSL 3.0 has no option for the two extensions, only a configuration.
fn openssl(command: &mut Command, place: &Place, cell: &Cell, resume: bool) -> Result<()> {
    let sign = |wanted: bool| if wanted { "" } else { "-" };
    let configuration = format!(
        "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = options\n\
         [options]\nOptions = {}ExtendedMasterSecret,{}EncryptThenMac\n",
        sign(cell.extended_master_secret),
        sign(cell.encrypt_then_mac)
    );
    write(&place.directory.join("openssl.cnf"), &configuration)?;
    let version = match cell.version {
        Version::Ssl3 => "-ssl3",
        Version::Tls1_0 => "-tls1",
        Version::Tls1_1 => "-tls1_1",
        Version::Tls1_2 => "-tls1_2",
    };
    let cipher = cell.suite.cipher.openssl;
    let mac = cell.suite.mac.openssl;
    command
        .env("OPENSSL_CONF", "openssl.cnf")
        .args(["s_client", "-quiet", "-ign_eof", "-no_ticket", version])
        .args(["-connect", &format!("127.0.0.1:{}", place.port)])
        .args(["-cipher", &format!("{cipher}{mac}:@SECLEVEL=0")])
        .args(["-keylogfile", "keys", if resume { "-sess_in" } else { "-sess_out" }, "session"]);
    Ok(())
}

/// The first connection of `--resume` only fetches a session, so it comes after one without.
fn gnutls(command: &mut Command, place: &Place, cell: &Cell, resume: bool) -> Result<()> {
    // Re-enables what the distribution's policy disables.
    write(&place.directory.join("gnutls.conf"), "")?;
    let version = cell.version.name().replace(' ', "");
    let cipher = cell.suite.cipher.gnutls;
    let mac = cell.suite.mac.gnutls;
    let mut priority =
        format!("NONE:+RSA:+{cipher}:+{mac}:+VERS-{version}:+SIGN-ALL:+COMP-NULL:+CTYPE-X509");
    if !cell.extended_master_secret {
        priority.push_str(":%NO_SESSION_HASH");
    }
    if !cell.encrypt_then_mac {
        priority.push_str(":%NO_ETM");
    }
    command
        .env("GNUTLS_SYSTEM_PRIORITY_FILE", "gnutls.conf")
        .args(["--insecure", "--no-ca-verification", "--priority", &priority])
        .args(["--port", &place.port.to_string()])
        .args(resume.then_some("--resume"))
        .arg("127.0.0.1");
    Ok(())
}

/// The session is in a database, found by the name of the host.
fn botan(command: &mut Command, place: &Place, cell: &Cell) -> Result<()> {
    let cipher = cell.suite.cipher.botan;
    let mac = cell.suite.mac.botan;
    let policy = format!(
        "allow_tls10 = true\nallow_tls11 = true\nallow_tls12 = true\nciphers = {cipher}\n\
         macs = {mac}\nkey_exchange_methods = RSA\nsignature_methods = IMPLICIT RSA\n\
         signature_hashes = SHA-512 SHA-384 SHA-256 SHA-1\nnegotiate_encrypt_then_mac = {}\n",
        cell.encrypt_then_mac
    );
    write(&place.directory.join("policy"), &policy)?;
    let version = cell.version.name().replace(' ', "").to_lowercase();
    command
        .args(["tls_client", "localhost", &format!("--{version}"), "--policy=policy"])
        .arg(format!("--port={}", place.port))
        .arg("--skip-system-cert-store")
        .arg(format!("--trusted-cas={}", place.certificate.display()))
        .args(["--session-db=session", "--session-db-pass=none"]);
    Ok(())
}

fn write(path: &Path, contents: &str) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
