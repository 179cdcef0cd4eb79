//! The whole server in C and its peers: TLS clients of other libraries shake hands with it in each
//! version, with suites of each kind, and read its page.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::command::is_installed;
use crate::interop::process::Killed;

/// The clients, with the Debian package of each.
const CLIENTS: [(&str, &str); 2] = [("openssl", "openssl"), ("gnutls-cli", "gnutls-bin")];

/// What is negotiated: a version, the suite, and the suite as each client names it.
type Conversation = (&'static Version, &'static str, &'static str, &'static str);

/// A version, as the page and each client name it.
struct Version {
    protocol: &'static str,
    openssl: &'static str,
    gnutls: &'static str,
}

const TLS1_0: Version = Version { protocol: "0301", openssl: "-tls1", gnutls: "+VERS-TLS1.0" };
const TLS1_1: Version = Version { protocol: "0302", openssl: "-tls1_1", gnutls: "+VERS-TLS1.1" };
const TLS1_2: Version = Version { protocol: "0303", openssl: "-tls1_2", gnutls: "+VERS-TLS1.2" };

const CONVERSATIONS: [Conversation; 7] = [
    (&TLS1_0, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", "+AES-128-CBC:+SHA1"),
    (&TLS1_1, "TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA", "+AES-256-CBC:+SHA1"),
    (&TLS1_2, "TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA", "+AES-128-CBC:+SHA1"),
    (&TLS1_2, "TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256", "+AES-128-CBC:+SHA256"),
    (&TLS1_2, "TLS_RSA_WITH_AES_256_CBC_SHA256", "AES256-SHA256", "+AES-256-CBC:+SHA256"),
    (&TLS1_2, "TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256", "+AES-128-GCM:+AEAD"),
    (&TLS1_2, "TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384", "+AES-256-GCM:+AEAD"),
];

/// Who the clients are: what the page says about it, and the key with its certificate.
const IDENTITIES: [(&str, Option<&str>); 3] =
    [("none", None), ("RSA", Some("client-2048")), ("ECDSA", Some("ec-p256"))];

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// Has every client that is installed hold every conversation, as each of the identities of which
/// `keys` holds the keys, with one run of the server, which must then exit without an error.
/// `wrapper` is a program that the server runs under, with its
/// arguments, or nothing; `provider` is the index of the provider that the server opens.
///
/// # Errors
///
/// Fails when a page does not come or says something else, and when no client is installed.
pub(super) fn converse(
    server: &Path,
    keys: &Path,
    wrapper: &[String],
    provider: Option<usize>,
) -> Result<()> {
    let clients: Vec<&str> =
        CLIENTS.iter().map(|(client, _)| *client).filter(|client| is_installed(client)).collect();
    for (client, package) in CLIENTS {
        if !is_installed(client) {
            println!(
                "NOT TESTED: handshakes with {client}, which is not installed; on Debian: \
                 apt-get install {package}"
            );
        }
    }
    ensure!(!clients.is_empty(), "no TLS client is installed to shake hands with");
    let count = clients.len() * CONVERSATIONS.len() * IDENTITIES.len();
    let words = [wrapper, &[server.display().to_string(), count.to_string()]].concat();
    println!("$ {}", words.join(" "));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command.envs(provider.map(|index| ("SSL_PROVIDER_TEST_INDEX", index.to_string())));
    let mut running = Killed::start(&mut command)?;
    let output = running.child.stdout.take().context("the output of the server")?;
    let mut port = String::new();
    BufReader::new(output).read_line(&mut port).context("cannot read the port of the server")?;
    for conversation in &CONVERSATIONS {
        for client in &clients {
            for (name, key) in IDENTITIES {
                let files = key.map(|key| {
                    [".cert.pem", ".pem"].map(|ending| keys.join(format!("{key}{ending}")))
                });
                hold(conversation, client, port.trim(), name, files)?;
            }
        }
    }
    let status = running.child.wait().context("cannot wait for the server")?;
    ensure!(status.success(), "the server failed: {status}");
    println!("the server and {} held {count} conversations", clients.join(" and "));
    Ok(())
}

fn hold(
    conversation: &Conversation,
    client: &str,
    port: &str,
    identity: &str,
    files: Option<[PathBuf; 2]>,
) -> Result<()> {
    let (Version { protocol, openssl, gnutls }, suite, cipher, ciphers) = conversation;
    // A client that waits for ever must not stop the run.
    let mut command = Command::new("timeout");
    command.args(["60", client]);
    if client == "openssl" {
        let address = format!("127.0.0.1:{port}");
        let cipher = format!("{cipher}:@SECLEVEL=0");
        command.args(["s_client", "-connect", &address, openssl, "-cipher", &cipher]);
        command.args(["-ign_eof", "-quiet"]);
        if let Some([certificate, key]) = files {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
    } else {
        let fixed = "NONE:+RSA:+COMP-NULL:+CTYPE-X509:+SIGN-ALL:+GROUP-ALL";
        let priority = format!("{fixed}:{gnutls}:{ciphers}");
        command.args(["--insecure", "--port", port, "--priority", &priority, "127.0.0.1"]);
        if let Some([certificate, key]) = files {
            command.arg("--x509certfile").arg(certificate).arg("--x509keyfile").arg(key);
        }
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {client}"))?;
    let mut input = child.stdin.take().context("the input of the client")?;
    input.write_all(REQUEST).with_context(|| format!("cannot write to {client}"))?;
    drop(input);
    let output = child.wait_with_output().with_context(|| format!("cannot run {client}"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let expected = format!("protocol {protocol} suite {suite} extended 1 client {identity}");
    if !printed.lines().any(|line| line == expected) {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{client} did not read `{expected}`, {}:\n{printed}{errors}", output.status);
    }
    Ok(())
}
