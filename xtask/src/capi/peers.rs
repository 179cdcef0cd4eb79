//! The whole server and the whole client in C and their peers: TLS stacks of others shake hands
//! with them in each version, with suites of each kind, and read and serve a page.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::command::is_installed;
use crate::interop::process::Killed;

/// The clients of others, with the Debian package of each.
const CLIENTS: [(&str, &str); 2] = [("openssl", "openssl"), ("gnutls-cli", "gnutls-bin")];

/// What is negotiated, as each of the peers names it.
struct Conversation {
    version: &'static Version,
    number: u16,
    suite: &'static str,
    openssl: &'static str,
    gnutls: &'static str,
}

/// A version, as the page and each peer name it.
struct Version {
    protocol: &'static str,
    openssl: &'static str,
    gnutls: &'static str,
}

const TLS1_0: Version = Version { protocol: "0301", openssl: "-tls1", gnutls: "+VERS-TLS1.0" };
const TLS1_1: Version = Version { protocol: "0302", openssl: "-tls1_1", gnutls: "+VERS-TLS1.1" };
const TLS1_2: Version = Version { protocol: "0303", openssl: "-tls1_2", gnutls: "+VERS-TLS1.2" };

const fn conversation(
    version: &'static Version,
    number: u16,
    suite: &'static str,
    openssl: &'static str,
    gnutls: &'static str,
) -> Conversation {
    Conversation { version, number, suite, openssl, gnutls }
}

#[rustfmt::skip]
const CONVERSATIONS: [Conversation; 13] = [
    conversation(&TLS1_0, 0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA",
        "AES128-SHA", "+RSA:+AES-128-CBC:+SHA1"),
    conversation(&TLS1_1, 0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA",
        "AES256-SHA", "+RSA:+AES-256-CBC:+SHA1"),
    conversation(&TLS1_2, 0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA",
        "AES128-SHA", "+RSA:+AES-128-CBC:+SHA1"),
    conversation(&TLS1_2, 0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256",
        "AES128-SHA256", "+RSA:+AES-128-CBC:+SHA256"),
    conversation(&TLS1_2, 0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256",
        "AES256-SHA256", "+RSA:+AES-256-CBC:+SHA256"),
    conversation(&TLS1_2, 0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256",
        "AES128-GCM-SHA256", "+RSA:+AES-128-GCM:+AEAD"),
    conversation(&TLS1_2, 0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384",
        "AES256-GCM-SHA384", "+RSA:+AES-256-GCM:+AEAD"),
    conversation(&TLS1_0, 0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
        "ECDHE-ECDSA-AES128-SHA", "+ECDHE-ECDSA:+AES-128-CBC:+SHA1"),
    conversation(&TLS1_1, 0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
        "ECDHE-RSA-AES128-SHA", "+ECDHE-RSA:+AES-128-CBC:+SHA1"),
    conversation(&TLS1_0, 0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA",
        "DHE-RSA-AES256-SHA", "+DHE-RSA:+AES-256-CBC:+SHA1"),
    conversation(&TLS1_2, 0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "ECDHE-ECDSA-AES256-GCM-SHA384", "+ECDHE-ECDSA:+AES-256-GCM:+AEAD"),
    conversation(&TLS1_2, 0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256", "+ECDHE-RSA:+AES-128-GCM:+AEAD"),
    conversation(&TLS1_2, 0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
        "DHE-RSA-AES128-GCM-SHA256", "+DHE-RSA:+AES-128-GCM:+AEAD"),
];

/// Who a client is: what the page says about it, and the key with its certificate.
type Identity = (&'static str, Option<&'static str>);

const IDENTITIES: [Identity; 3] =
    [("none", None), ("RSA", Some("client-2048")), ("ECDSA", Some("ec-p256"))];

/// Which of [`IDENTITIES`] hold a conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Identities {
    Each,
    /// One, in turn: where a run is slow, or is not the first of its kind.
    InTurn,
}

/// The groups that the client is limited to, one after the other: P-256, P-384, P-521, X25519.
const GROUPS: [&str; 4] = ["23", "24", "25", "29"];

const REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// The programs, and how they are run.
pub(super) struct Peers<'a> {
    pub(super) server: &'a Path,
    pub(super) client: &'a Path,
    /// Those of TLS 1.3.
    pub(super) tls13_server: &'a Path,
    pub(super) tls13_client: &'a Path,
    /// A folder with the keys of [`IDENTITIES`].
    pub(super) keys: &'a Path,
    /// A program that they run under, with its arguments, or nothing.
    pub(super) wrapper: &'a [String],
    /// The index of the provider that they open.
    pub(super) provider: Option<usize>,
    pub(super) identities: Identities,
}

impl Peers<'_> {
    /// Has every client that is installed, and the one in C, hold the conversations with one run of
    /// the server, which must then exit without an error; then the client in C with the server of
    /// OpenSSL, if that is installed.
    ///
    /// # Errors
    ///
    /// Fails when a page does not come or says something else, and when no peer is installed.
    pub(super) fn converse(&self) -> Result<()> {
        let installed = |(client, _): &(&'static str, _)| is_installed(client).then_some(*client);
        let clients: Vec<&str> = CLIENTS.iter().filter_map(installed).collect();
        for (client, package) in CLIENTS {
            if !clients.contains(&client) {
                println!(
                    "NOT TESTED: handshakes with {client}, which is not installed; on Debian: \
                     apt-get install {package}"
                );
            }
        }
        ensure!(!clients.is_empty(), "no TLS stack is installed to shake hands with");
        self.serve(&clients)?;
        self.serve_tls13(&clients)?;
        if clients.contains(&"openssl") {
            self.visit()?;
            self.visit_tls13()?;
        }
        Ok(())
    }

    /// The conversations, and who holds them.
    fn pairs(&self) -> Vec<(&'static Conversation, Identity)> {
        let in_turn = self.identities == Identities::InTurn;
        let numbered = CONVERSATIONS.iter().enumerate();
        numbered
            .flat_map(|(number, conversation)| {
                let identities = IDENTITIES.into_iter().enumerate();
                let taken = identities
                    .filter(move |(index, _)| !in_turn || number % IDENTITIES.len() == *index);
                taken.map(move |(_, identity)| (conversation, identity))
            })
            .collect()
    }

    /// The server in C and its clients.
    fn serve(&self, clients: &[&str]) -> Result<()> {
        let pairs = self.pairs();
        let count = pairs.len() * (clients.len() + 2) + GROUPS.len();
        let (mut running, port) = self.start(self.server, &[&count.to_string()])?;
        let port = port.as_str();
        for (conversation, (name, key)) in pairs {
            for client in clients {
                let files = key.map(|key| self.files(key));
                let expected = page(conversation, 1, name);
                let mut command = of_others(conversation, client, port, files);
                read_page(&mut command, client, &expected)?;
            }
            for extended in [0, 1] {
                let expected = page(conversation, extended, name);
                let mut client = self.client(conversation, port, name, extended);
                read_page(&mut client, "the client in C", &expected)?;
            }
        }
        let [.., with_groups, _] = &CONVERSATIONS;
        for group in GROUPS {
            let mut client = self.client(with_groups, port, "none", 1);
            read_page(client.arg(group), "the client in C", &page(with_groups, 1, "none"))?;
        }
        let status = running.child.wait().context("cannot wait for the server")?;
        ensure!(status.success(), "the server failed: {status}");
        println!(
            "the server held {count} conversations with {} and our client",
            clients.join(", ")
        );
        Ok(())
    }

    /// Starts a server in C, and returns it with its port.
    pub(super) fn start(&self, server: &Path, arguments: &[&str]) -> Result<(Killed, String)> {
        let mut command = self.command(server);
        command.args(arguments);
        println!("$ {} {} {}", self.wrapper.join(" "), server.display(), arguments.join(" "));
        let mut running = Killed::start(&mut command)?;
        let output = running.child.stdout.take().context("the output of the server")?;
        let mut port = String::new();
        BufReader::new(output)
            .read_line(&mut port)
            .context("cannot read the port of the server")?;
        Ok((running, port.trim().to_owned()))
    }

    /// Starts the server of OpenSSL, with both certificates, and returns it with its port.
    pub(super) fn start_openssl(&self, options: &[&str]) -> Result<(Killed, String)> {
        let [certificate, key] = self.files("client-2048");
        let [curve_certificate, curve_key] = self.files("ec-p256");
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www"]).args(options);
        command.arg("-cert").arg(certificate).arg("-key").arg(key);
        command.arg("-dcert").arg(curve_certificate).arg("-dkey").arg(curve_key);
        let mut running = Killed::start(command.stdin(Stdio::piped()))?;
        let output = running.child.stdout.take().context("the output of openssl s_server")?;
        let mut lines = BufReader::new(output).lines();
        let port = loop {
            let line = lines.next().context("openssl s_server printed no port")??;
            if let Some((_, port)) = line.strip_prefix("ACCEPT ").and_then(|at| at.rsplit_once(':'))
            {
                break port.to_owned();
            }
        };
        // It goes on to print, and must not wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Ok((running, port))
    }

    /// The client in C and the server of OpenSSL.
    fn visit(&self) -> Result<()> {
        let options = ["-verify", "1", "-cipher", "ALL:@SECLEVEL=0"];
        let (_running, port) = self.start_openssl(&options)?;
        let pairs = self.pairs();
        let count = pairs.len();
        for (conversation, (name, _)) in pairs {
            let mut client = self.client(conversation, &port, name, 1);
            let expected = format!("Cipher is {}", conversation.openssl);
            let page = run(&mut client, "the client in C")?;
            ensure!(
                page.contains(&expected) && page.contains("Extended master secret: yes"),
                "openssl s_server does not say `{expected}`:\n{page}"
            );
        }
        println!("the client held {count} conversations with openssl s_server");
        Ok(())
    }

    /// The certificate and the key of a name.
    pub(super) fn files(&self, key: &str) -> [PathBuf; 2] {
        [".cert.pem", ".pem"].map(|ending| self.keys.join(format!("{key}{ending}")))
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let words = [self.wrapper, &[program.display().to_string()]].concat();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command.envs(self.provider.map(|index| ("SSL_PROVIDER_TEST_INDEX", index.to_string())));
        command
    }

    fn client(
        &self,
        conversation: &Conversation,
        port: &str,
        identity: &str,
        extended: u8,
    ) -> Command {
        let mut command = self.command(self.client);
        let number = format!("{:04x}", conversation.number);
        command.args([port, conversation.version.protocol, &number, identity]);
        command.arg(extended.to_string());
        command
    }
}

/// The line of the page.
fn page(conversation: &Conversation, extended: u8, identity: &str) -> String {
    let Conversation { version, suite, .. } = conversation;
    format!("protocol {} suite {suite} extended {extended} client {identity}", version.protocol)
}

/// A client of another library.
fn of_others(
    conversation: &Conversation,
    client: &str,
    port: &str,
    files: Option<[PathBuf; 2]>,
) -> Command {
    let Conversation { version, openssl, gnutls, .. } = conversation;
    // A client that waits for ever must not stop the run.
    let mut command = Command::new("timeout");
    command.args(["60", client]);
    if client == "openssl" {
        let address = format!("127.0.0.1:{port}");
        let cipher = format!("{openssl}:@SECLEVEL=0");
        command.args(["s_client", "-connect", &address, version.openssl, "-cipher", &cipher]);
        command.args(["-ign_eof", "-quiet"]);
        if let Some([certificate, key]) = files {
            command.arg("-cert").arg(certificate).arg("-key").arg(key);
        }
    } else {
        let fixed = "NONE:+COMP-NULL:+CTYPE-X509:+SIGN-ALL:+GROUP-ALL";
        let priority = format!("{fixed}:{}:{gnutls}", version.gnutls);
        command.args(["--insecure", "--port", port, "--priority", &priority, "127.0.0.1"]);
        if let Some([certificate, key]) = files {
            command.arg("--x509certfile").arg(certificate).arg("--x509keyfile").arg(key);
        }
    }
    command
}

/// Runs a client, which must print this line.
fn read_page(command: &mut Command, client: &str, expected: &str) -> Result<()> {
    let printed = run(command, client)?;
    if !printed.lines().any(|line| line == expected) {
        bail!("{client} did not read `{expected}`:\n{printed}");
    }
    Ok(())
}

/// Runs a client, and returns what it printed, with its errors at the end. Clients of others fail
/// where a server that they talk to closes first, so the page decides and not their status.
pub(super) fn run(command: &mut Command, client: &str) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {client}"))?;
    let mut input = child.stdin.take().context("the input of the client")?;
    // Ours does not read it, and may have ended.
    let _ = input.write_all(REQUEST);
    drop(input);
    let output = child.wait_with_output().with_context(|| format!("cannot run {client}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    let is_ours = !command.get_program().to_string_lossy().contains("timeout");
    ensure!(!is_ours || output.status.success(), "{client}: {}:\n{printed}{errors}", output.status);
    Ok(format!("{printed}{errors}"))
}
