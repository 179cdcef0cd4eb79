//! Stacks whose own command is the peer: OpenSSL, GnuTLS and Botan. As a client, each conversation
//! is a process of its own for every connection; as a server, one for each cell.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{Run, is_installed};
use crate::interop::cell::{Cell, EXPORT, Exchange, Extra, Group, PSK, Resumption, Version};
use crate::interop::conversation::{REQUEST, Secret, Told, session_in};
use crate::interop::identities::Identities;
use crate::interop::process::{Asked, Killed, ask_in_turns, ask_once, last_lines};
use crate::interop::stacks::Role;
use crate::workspace::Workspace;

/// A stack's own command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    OpenSsl,
    GnuTls,
    Botan,
}

/// Where a command has its files.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) identities: Identities,
    /// Of this stack alone.
    pub(crate) directory: PathBuf,
}

impl Tool {
    const fn program(self, role: Role) -> &'static str {
        match (self, role) {
            (Self::OpenSsl, _) => "openssl",
            (Self::GnuTls, Role::Client) => "gnutls-cli",
            (Self::GnuTls, Role::Server) => "gnutls-serv",
            (Self::Botan, _) => "botan",
        }
    }

    /// Returns the stack's version, as its command reports it.
    ///
    /// # Errors
    ///
    /// Fails when the command is missing.
    pub(crate) fn version(
        self,
        workspace: &Workspace,
        role: Role,
        packages: &str,
    ) -> Result<String> {
        let program = self.program(role);
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

    /// Two connections as a client, the second with the session of the first.
    ///
    /// # Errors
    ///
    /// Fails when there is no response, with the client's own message.
    pub(crate) fn converse(self, place: &Place, cell: &Cell, port: u16) -> Result<Told> {
        forget_files(&place.directory)?;
        let mut told = Told::default();
        for is_second in [false, true] {
            let resume = is_second && (cell.resumption.resumes() || !cell.is_tls13());
            let mut command = Command::new(self.program(Role::Client));
            command.current_dir(&place.directory).env("SSLKEYLOGFILE", "keys");
            match self {
                Self::OpenSsl => openssl_client(&mut command, place, cell, port, resume)?,
                Self::GnuTls => gnutls_client(&mut command, place, cell, port, resume)?,
                Self::Botan => botan_client(&mut command, place, cell, port)?,
            }
            let is_early = resume && cell.extra == Extra::EarlyData;
            let Asked { output, complaint } = match (self, cell.extra) {
                (_, Extra::EarlyData) if is_early => ask_once(&mut command, b"")?,
                // Each reads commands at the beginning of what it gets at once.
                (Self::OpenSsl, Extra::KeyUpdate) => {
                    ask_in_turns(&mut command, b"K\n", "KEYUPDATE", REQUEST)?
                }
                (Self::GnuTls, Extra::KeyUpdate) => {
                    ask_in_turns(&mut command, b"^rekey^\n", "Rekey was completed", REQUEST)?
                }
                _ => ask_once(&mut command, REQUEST)?,
            };
            let session = session_in(&output);
            let session = session.with_context(|| format!("{complaint}; {}", last_lines(&output)));
            told.sessions.push(session?);
            told.exports.extend(exports_in(&output).pop());
        }
        told.secrets = secrets_in(&place.directory)?;
        Ok(told)
    }

    /// Starts a server for a cell, and waits until it listens.
    ///
    /// # Errors
    ///
    /// Fails when it does not listen in time, with its own message.
    pub(crate) fn serve(self, place: &Place, cell: &Cell) -> Result<CommandServer> {
        forget_files(&place.directory)?;
        let port = free_port()?;
        let mut command = Command::new(self.program(Role::Server));
        command.current_dir(&place.directory).env("SSLKEYLOGFILE", "keys");
        match self {
            Self::OpenSsl => openssl_server(&mut command, place, cell, port)?,
            Self::GnuTls => gnutls_server(&mut command, place, cell, port)?,
            Self::Botan => botan_server(&mut command, place, cell, port)?,
        }
        let log = place.directory.join("output");
        let output = File::create(&log).context("cannot create the server's output")?;
        let errors = output.try_clone().context("cannot create the server's output")?;
        let process = Killed::start_with(command.stdout(output).stderr(errors))?;
        let mut server = CommandServer { process, port, directory: place.directory.clone() };
        let start = Instant::now();
        while !is_listening(port) {
            if !matches!(server.process.child.try_wait(), Ok(None)) {
                bail!("the server does not start: {}", server.complaint());
            }
            ensure!(start.elapsed() < STARTING, "the server does not listen");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }
}

/// Longest time that a server may take to start.
const STARTING: Duration = Duration::from_secs(60);

/// A server of a command, which ends with this value.
#[derive(Debug)]
pub(crate) struct CommandServer {
    process: Killed,
    pub(crate) port: u16,
    directory: PathBuf,
}

impl CommandServer {
    /// Returns what it printed in the end, which may be why it refused a client.
    pub(crate) fn complaint(&self) -> String {
        last_lines(&fs::read(self.directory.join("output")).unwrap_or_default())
    }

    /// Ends it, and returns the secrets in its key log.
    ///
    /// # Errors
    ///
    /// Fails when the key log cannot be read.
    pub(crate) fn finish(self) -> Result<Vec<Secret>> {
        let directory = self.directory.clone();
        drop(self);
        secrets_in(&directory)
    }
}

/// Whether somebody listens on a port of this machine. It is looked up, since a server would count
/// a connection.
fn is_listening(port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    let is_wanted = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (local, _, state) = (words.next(), words.next(), words.next());
        local.is_some_and(|local| local.ends_with(&wanted)) && state == Some("0A")
    };
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let mut tables = tables.iter().filter_map(|table| fs::read_to_string(table).ok()).peekable();
    match tables.peek() {
        Some(_) => tables.any(|table| table.lines().any(is_wanted)),
        // Another system than Linux.
        None => TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok(),
    }
}

/// Returns a port that is free now, for commands that cannot choose one. Each is given once, and
/// systems give none of these to whoever asks for any: so nobody takes it before the command does.
fn free_port() -> Result<u16> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Runs at the same time begin at different places.
    let count = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id() % u32::from(count))?;
    let mut ports = (0..count).map(|_| {
        let given = GIVEN.fetch_add(1, Ordering::Relaxed) % count;
        PORTS.start + (first + given) % count
    });
    let free = ports.find(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok());
    free.context("no free port from 20000 to 32000")
}

/// Below the ports that Linux (32768) and IANA (49152) give to clients.
const PORTS: Range<u16> = 20_000..32_000;

fn forget_files(directory: &Path) -> Result<()> {
    for file in ["keys", "session"].map(|name| directory.join(name)) {
        if file.exists() {
            fs::remove_file(file).context("cannot remove the files of the last cell")?;
        }
    }
    Ok(())
}

fn secrets_in(directory: &Path) -> Result<Vec<Secret>> {
    let key_log = directory.join("keys");
    if !key_log.exists() {
        return Ok(Vec::new());
    }
    Ok(Secret::of_key_log(&fs::read_to_string(&key_log).context("cannot read the key log")?))
}

/// The keying material in the output of a command: of OpenSSL and of GnuTLS.
fn exports_in(output: &[u8]) -> Vec<String> {
    let output = String::from_utf8_lossy(output);
    let lines = output.lines().map(str::trim_start);
    let values = lines.filter_map(|line| {
        line.strip_prefix("Keying material: ").or_else(|| line.strip_prefix("- Key material: "))
    });
    values.map(|hex| hex.trim().to_owned()).collect()
}

/// Returns the keying material in the output of a server in this place.
pub(crate) fn server_exports(place: &Place) -> Vec<String> {
    exports_in(&fs::read(place.directory.join("output")).unwrap_or_default())
}

impl Cell {
    fn openssl_suite(&self) -> String {
        let exchange = match self.suite.exchange {
            Exchange::Rsa | Exchange::Tls13 => "",
            Exchange::EcdheEcdsa => "ECDHE-ECDSA-",
            Exchange::EcdheRsa => "ECDHE-RSA-",
            Exchange::DheRsa => "DHE-RSA-",
        };
        format!("{exchange}{}{}:@SECLEVEL=0", self.suite.cipher.openssl, self.suite.mac.openssl)
    }

    const fn openssl_version(&self) -> &'static str {
        match self.version {
            Version::Ssl3 => "-ssl3",
            Version::Tls1_0 => "-tls1",
            Version::Tls1_1 => "-tls1_1",
            Version::Tls1_2 => "-tls1_2",
            Version::Tls1_3 => "-tls1_3",
        }
    }

    fn gnutls_priority(&self, role: Role) -> String {
        let exchange = match self.suite.exchange {
            Exchange::Rsa => "RSA",
            Exchange::EcdheEcdsa => "ECDHE-ECDSA",
            Exchange::EcdheRsa => "ECDHE-RSA",
            Exchange::DheRsa => "DHE-RSA",
            // Its client asks for a key wherever it may use one.
            Exchange::Tls13 if self.resumption == Resumption::ExternalPsk => "ECDHE-PSK:+DHE-PSK",
            Exchange::Tls13 => "ECDHE-RSA:+ECDHE-ECDSA:+DHE-RSA",
        };
        let version = self.version.name().replace(' ', "");
        let (cipher, mac) = (self.suite.cipher.gnutls, self.suite.mac.gnutls);
        let mut priority = format!(
            "NONE:+{exchange}:+{cipher}:+{mac}:+VERS-{version}:+SIGN-ALL:+COMP-NULL:+CTYPE-X509"
        );
        for group in self.peer_groups(role) {
            priority.push_str(&format!(":+GROUP-{}", group.name().to_uppercase()));
        }
        if !self.extended_master_secret {
            priority.push_str(":%NO_SESSION_HASH");
        }
        if !self.encrypt_then_mac {
            priority.push_str(":%NO_ETM");
        }
        priority
    }

    fn botan_policy(&self, role: Role) -> String {
        let exchange = match self.suite.exchange {
            Exchange::Rsa => "RSA",
            Exchange::EcdheEcdsa | Exchange::EcdheRsa => "ECDH",
            Exchange::DheRsa | Exchange::Tls13 => "DH",
        };
        let signature = match self.suite.exchange {
            Exchange::Rsa => "IMPLICIT RSA",
            Exchange::EcdheEcdsa => "ECDSA",
            Exchange::EcdheRsa | Exchange::DheRsa | Exchange::Tls13 => "RSA",
        };
        let groups: Vec<_> = self.groups(role).into_iter().map(Group::botan).collect();
        let groups = if groups.is_empty() { "x25519".to_owned() } else { groups.join(" ") };
        format!(
            "allow_tls10 = true\nallow_tls11 = true\nallow_tls12 = true\nciphers = {}\n\
             macs = {}\nkey_exchange_methods = {exchange}\n\
             signature_methods = {signature}\ngroups = {groups}\n\
             signature_hashes = SHA-512 SHA-384 SHA-256 SHA-1\nnegotiate_encrypt_then_mac = {}\n",
            self.suite.cipher.botan, self.suite.mac.botan, self.encrypt_then_mac,
        )
    }
}

/// OpenSSL 3.0 has no option for the two extensions, only a configuration.
fn openssl_configuration(command: &mut Command, place: &Place, cell: &Cell) -> Result<()> {
    let sign = |wanted: bool| if wanted { "" } else { "-" };
    let configuration = format!(
        "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = options\n\
         [options]\nOptions = {}ExtendedMasterSecret,{}EncryptThenMac\n",
        sign(cell.extended_master_secret),
        sign(cell.encrypt_then_mac)
    );
    write(&place.directory.join("openssl.cnf"), &configuration)?;
    command.env("OPENSSL_CONF", "openssl.cnf");
    Ok(())
}

fn openssl_groups(command: &mut Command, cell: &Cell, role: Role) {
    let names: Vec<_> = cell.peer_groups(role).into_iter().map(openssl_group).collect();
    if !names.is_empty() {
        command.args(["-groups", &names.join(":")]);
    }
}

const fn openssl_group(group: Group) -> &'static str {
    match group {
        Group::P256 => "P-256",
        Group::P384 => "P-384",
        Group::P521 => "P-521",
        Group::X25519 => "X25519",
        _ => group.name(),
    }
}

fn openssl_client(
    command: &mut Command,
    place: &Place,
    cell: &Cell,
    port: u16,
    resume: bool,
) -> Result<()> {
    if cell.is_tls13() {
        return openssl_tls13_client(command, place, cell, port, resume);
    }
    openssl_configuration(command, place, cell)?;
    command
        .args(["s_client", "-quiet", "-ign_eof", cell.openssl_version()])
        .args(["-connect", &format!("127.0.0.1:{port}")])
        .args(["-cipher", &cell.openssl_suite()])
        .args(["-keylogfile", "keys", if resume { "-sess_in" } else { "-sess_out" }, "session"])
        .args((cell.resumption == Resumption::Id).then_some("-no_ticket"));
    openssl_groups(command, cell, Role::Client);
    if let Some(name) = cell.client_certificate.identity() {
        command.arg("-key").arg(place.identities.key(name));
        command.arg("-cert").arg(place.identities.certificate(name));
    }
    Ok(())
}

/// With `-quiet`, it does not print keying material and knows no commands.
fn openssl_tls13_client(
    command: &mut Command,
    place: &Place,
    cell: &Cell,
    port: u16,
    resume: bool,
) -> Result<()> {
    command
        .args(["s_client", cell.openssl_version(), "-ciphersuites", cell.suite.name])
        .args(["-connect", &format!("127.0.0.1:{port}"), "-servername", "localhost"])
        .args(["-keylogfile", "keys", if resume { "-sess_in" } else { "-sess_out" }, "session"])
        .args(["-keymatexport", EXPORT.0, "-keymatexportlen", &EXPORT.1.to_string()])
        .args((cell.extra != Extra::KeyUpdate).then_some("-ign_eof"));
    if resume && cell.extra == Extra::EarlyData {
        write_request(place)?;
        command.args(["-early_data", "request"]);
    }
    if cell.resumption == Resumption::ExternalPsk {
        command.args(["-psk_identity", PSK.0, "-psk", PSK.1]);
    }
    openssl_groups(command, cell, Role::Client);
    if let Some(name) = cell.client_certificate.identity() {
        command.arg("-key").arg(place.identities.key(name));
        command.arg("-cert").arg(place.identities.certificate(name));
    }
    Ok(())
}

/// Writes the file of early data.
fn write_request(place: &Place) -> Result<()> {
    let path = place.directory.join("request");
    fs::write(path, REQUEST).context("cannot write the early data")
}

/// The server reverses every line. Its finite fields are those of a file.
fn openssl_server(command: &mut Command, place: &Place, cell: &Cell, port: u16) -> Result<()> {
    openssl_configuration(command, place, cell)?;
    let name = cell.server_identity();
    let suite = match cell.is_tls13() {
        true => ["-ciphersuites".to_owned(), cell.suite.name.to_owned()],
        false => ["-cipher".to_owned(), cell.openssl_suite()],
    };
    if cell.resumption == Resumption::ExternalPsk {
        command.args(["s_server", "-psk_identity", PSK.0, "-psk", PSK.1]);
    } else {
        command.arg("s_server");
    }
    command
        .args(["-rev", cell.openssl_version()])
        .args(["-accept", &format!("127.0.0.1:{port}")])
        .args(suite)
        .args(["-keylogfile", "keys"])
        .arg("-key")
        .arg(place.identities.key(name))
        .arg("-cert")
        .arg(place.identities.certificate(name))
        .args((cell.resumption == Resumption::Id).then_some("-no_ticket"));
    if !cell.is_tls13()
        && let Some(field @ (Group::Ffdhe2048 | Group::Ffdhe3072 | Group::Ffdhe4096)) = cell.group
    {
        let file = place.identities.directory.join(format!("{}.pem", field.name()));
        command.arg("-dhparam").arg(file);
    }
    openssl_groups(command, cell, Role::Server);
    if let Some(name) = cell.client_certificate.identity() {
        command.args(["-Verify", "1", "-verify_return_error", "-CAfile"]);
        command.arg(place.identities.certificate(name));
    }
    Ok(())
}

/// The first connection of `--resume` only fetches a session, so it comes after one without.
fn gnutls_client(
    command: &mut Command,
    place: &Place,
    cell: &Cell,
    port: u16,
    resume: bool,
) -> Result<()> {
    // Re-enables what the distribution's policy disables.
    write(&place.directory.join("gnutls.conf"), "")?;
    let mut priority = cell.gnutls_priority(Role::Client);
    if cell.resumption == Resumption::Id {
        priority.push_str(":%NO_TICKETS_TLS12");
    }
    command
        .env("GNUTLS_SYSTEM_PRIORITY_FILE", "gnutls.conf")
        .args(["--insecure", "--no-ca-verification", "--priority", &priority])
        .args(["--port", &port.to_string()])
        .args(resume.then_some("--resume"));
    if cell.is_tls13() {
        command.args(["--keymatexport", EXPORT.0, "--keymatexportsize", &EXPORT.1.to_string()]);
        command.args(["--sni-hostname", "localhost"]);
    }
    if resume && cell.extra == Extra::EarlyData {
        write_request(place)?;
        command.args(["--earlydata", "request"]);
    }
    if cell.extra == Extra::KeyUpdate {
        command.arg("--inline-commands");
    }
    if cell.resumption == Resumption::ExternalPsk {
        command.args(["--pskusername", PSK.0, "--pskkey", PSK.1]);
    }
    if let Some(name) = cell.client_certificate.identity() {
        command.arg("--x509keyfile").arg(place.identities.key(name));
        command.arg("--x509certfile").arg(place.identities.certificate(name));
    }
    command.arg("127.0.0.1");
    Ok(())
}

fn gnutls_server(command: &mut Command, place: &Place, cell: &Cell, port: u16) -> Result<()> {
    write(&place.directory.join("gnutls.conf"), "")?;
    let name = cell.server_identity();
    command
        .env("GNUTLS_SYSTEM_PRIORITY_FILE", "gnutls.conf")
        .args(["--echo", "--priority", &cell.gnutls_priority(Role::Server)])
        .args(["--port", &port.to_string()])
        .arg("--x509keyfile")
        .arg(place.identities.key(name))
        .arg("--x509certfile")
        .arg(place.identities.certificate(name))
        .args((cell.resumption == Resumption::Id).then_some("--noticket"));
    if cell.is_tls13() {
        command.args(["--keymatexport", EXPORT.0, "--keymatexportsize", &EXPORT.1.to_string()]);
    }
    if cell.extra == Extra::EarlyData {
        command.args(["--earlydata", "--maxearlydata", "4096"]);
    }
    if cell.resumption == Resumption::ExternalPsk {
        write(&place.directory.join("psk-passwd"), &format!("{}:{}\n", PSK.0, PSK.1))?;
        command.args(["--pskpasswd", "psk-passwd"]);
    }
    match cell.client_certificate.identity() {
        Some(name) => {
            command.args(["--require-client-cert", "--verify-client-cert", "--x509cafile"]);
            command.arg(place.identities.certificate(name));
        }
        None => drop(command.arg("--disable-client-cert")),
    }
    Ok(())
}

/// The session is in a database, found by the name of the host.
fn botan_client(command: &mut Command, place: &Place, cell: &Cell, port: u16) -> Result<()> {
    write(&place.directory.join("policy"), &cell.botan_policy(Role::Client))?;
    let version = cell.version.name().replace(' ', "").to_lowercase();
    let certificate = place.identities.certificate(cell.server_identity());
    command
        .args(["tls_client", "localhost", &format!("--{version}"), "--policy=policy"])
        .arg(format!("--port={port}"))
        .arg("--skip-system-cert-store")
        .arg(format!("--trusted-cas={}", certificate.display()))
        .args(["--session-db=session", "--session-db-pass=none"]);
    Ok(())
}

fn botan_server(command: &mut Command, place: &Place, cell: &Cell, port: u16) -> Result<()> {
    write(&place.directory.join("policy"), &cell.botan_policy(Role::Server))?;
    let name = cell.server_identity();
    command
        .arg("tls_server")
        .args([place.identities.certificate(name), place.identities.key(name)])
        .args([format!("--port={port}"), "--policy=policy".to_owned()]);
    Ok(())
}

fn write(path: &Path, contents: &str) -> Result<()> {
    fs::write(path, contents).with_context(|| format!("cannot write {}", path.display()))
}
