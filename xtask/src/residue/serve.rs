//! `sslprov serve` after a connection that is not kept for resumption. Its private key goes on in
//! use; nothing of the session must be left. While it is open, its secrets must be found.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::image::Image;
use super::secrets::Secrets;
use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::interop::process::Dialogue;
use crate::workspace::Workspace;

/// Secrets that must be found while the connection is open. The others are not kept even then.
const IN_CONTROL: [&str; 2] = ["client write key", "server write key"];

/// Searches the release build with every backend.
///
/// # Errors
///
/// Names what is left; fails too when the control finds nothing, and without `openssl` or gdb.
pub(super) fn run(workspace: &Workspace) -> Result<()> {
    Run::cargo("build")
        .args(["--release", "--package", "ssl-provider-cli", "--features", &all_of_facade()])
        .run(workspace)?;
    for backend in BACKENDS {
        let connection = Connection::watch(workspace, backend)
            .with_context(|| format!("sslprov serve with {backend}"))?;
        let Connection { secrets, open, ended } = connection;
        let (found, left) = (secrets.search(&open)?, secrets.search(&ended)?);
        for secret in IN_CONTROL {
            ensure!(found.contains_key(secret), "{backend}: an open connection has no {secret}");
        }
        ensure!(left.is_empty(), "sslprov serve with {backend} leaves {left:?}");
        println!("sslprov serve, {backend}: {} secrets found while open, 0 after", found.len());
    }
    Ok(())
}

/// A server's memory while a connection is open and after its end, and the secrets of that.
struct Connection {
    secrets: Secrets,
    open: Image,
    ended: Image,
}

impl Connection {
    fn watch(workspace: &Workspace, backend: &str) -> Result<Self> {
        let mut command = Command::new(workspace.target("release").join("sslprov"));
        command
            .args(["serve", "--json", "--no-resumption", "--backend", backend])
            .args(["--listen", "127.0.0.1:0", "--timeout", "600"])
            .stderr(Stdio::null());
        let mut server = Dialogue::start(&mut command)?;
        let address = event(&mut server, "listening")?["address"].as_str().map(str::to_owned);

        let key_log = workspace.target("residue.keylog");
        // The client appends to it.
        let _ = fs::remove_file(&key_log);
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-msg", "-tls1_2", "-cipher", "AES128-GCM-SHA256", "-connect"])
            .args([address.context("the server has no address")?])
            .arg("-keylogfile")
            .arg(&key_log)
            .stderr(Stdio::null());
        let mut client = Dialogue::start(&mut command)?;
        let server_random = server_random(&mut client)?;
        event(&mut server, "established")?;
        let open = Image::of(workspace, server.id())?;
        client.send("Q")?;
        event(&mut server, "ended")?;
        let ended = Image::of(workspace, server.id())?;

        let log = fs::read_to_string(&key_log).context("the client wrote no key log")?;
        let _ = fs::remove_file(&key_log);
        let entry = |label: &str| {
            let mut words = log.lines().find(|line| line.starts_with(label))?.split(' ').skip(1);
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        };
        let (_, premaster) = entry("RSA ").context("no premaster secret in the key log")?;
        let (random, master) =
            entry("CLIENT_RANDOM ").context("no master secret in the key log")?;
        let secrets = Secrets::of_session(workspace, [premaster, master, random, server_random])?;
        Ok(Self { secrets, open, ended })
    }
}

/// Waits for an event of the server.
fn event(server: &mut Dialogue, name: &str) -> Result<serde_json::Value> {
    loop {
        let line = server.receive().with_context(|| format!("no event `{name}`"))?;
        let event: serde_json::Value = serde_json::from_str(&line).context("an event")?;
        if event["event"] == name {
            return Ok(event);
        }
    }
}

/// Reads from the messages that the client prints the random of the server, in hexadecimal.
fn server_random(client: &mut Dialogue) -> Result<String> {
    while !client.receive().context("no ServerHello")?.ends_with(", ServerHello") {}
    let mut hello = String::new();
    // Message type, length and version, and the random.
    while hello.len() < 2 * (6 + 32) {
        hello.extend(client.receive()?.split_whitespace());
    }
    Ok(hello[2 * 6..2 * (6 + 32)].to_owned())
}
