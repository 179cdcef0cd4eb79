//! The server and the client of TLS 1.3 in C and their peers: suites, groups, HelloRetryRequest,
//! resumption by a ticket, KeyUpdate, and what both sides export.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::peers::{Identities, Peers, run};
use crate::command::in_parallel_by;

/// Suites, with the name of each in OpenSSL, which is that of the registry, and in GnuTLS.
const SUITES: [(&str, &str, &str); 3] = [
    ("1301", "TLS_AES_128_GCM_SHA256", "+AES-128-GCM"),
    ("1302", "TLS_AES_256_GCM_SHA384", "+AES-256-GCM"),
    ("1303", "TLS_CHACHA20_POLY1305_SHA256", "+CHACHA20-POLY1305"),
];

/// Groups that peers have, with the name of each in OpenSSL and in GnuTLS.
const GROUPS: [(&str, &str, &str); 4] = [
    ("29", "X25519", "+GROUP-X25519"),
    ("23", "P-256", "+GROUP-SECP256R1"),
    ("24", "P-384", "+GROUP-SECP384R1"),
    ("25", "P-521", "+GROUP-SECP521R1"),
];

/// The signatures that a client takes, by which the server chooses its certificate.
const SIGNATURES: [(&str, &str); 2] = [
    ("ecdsa_secp256r1_sha256", "+SIGN-ECDSA-SECP256R1-SHA256"),
    ("rsa_pss_rsae_sha256", "+SIGN-RSA-PSS-RSAE-SHA256"),
];

impl Peers<'_> {
    /// The server in C and its clients: those of others with each suite, group and certificate, and
    /// with a HelloRetryRequest; the one in C with each group that the provider has, hybrid ones
    /// included, and with its ticket.
    pub(super) fn serve_tls13(&self, clients: &[&str]) -> Result<()> {
        let (suites, groups) = (self.suites_of_tls13(), self.groups_of_tls13()?);
        let others = suites.len() * GROUPS.len() * clients.len();
        let ours = suites.len() * groups.len() * 2;
        let count = others + 2 * ours;
        let (mut running, port) = self.start(self.tls13_server, &[&count.to_string()])?;
        for (number, (suite_number, suite, gnutls_suite)) in suites.iter().enumerate() {
            for (at, (group, openssl_group, gnutls_group)) in GROUPS.into_iter().enumerate() {
                let signature = SIGNATURES[(number + at) % SIGNATURES.len()];
                for client in clients {
                    let mut command = match *client {
                        "openssl" => of_openssl(&port, suite, openssl_group, signature.0),
                        _ => of_gnutls(&port, &[gnutls_suite, gnutls_group, signature.1]),
                    };
                    let printed = run(&mut command, client)?;
                    check_page(&printed, &page(suite, group, false, false), client)?;
                    check_exports(&printed, "    Keying material: ", *client == "openssl")?;
                }
            }
            for group in &groups {
                for retries in [false, true] {
                    let mut client = self.tls13_client(&port, suite_number, group, retries, true);
                    let printed = run(&mut client, "the client of TLS 1.3 in C")?;
                    for resumed in [false, true] {
                        let expected = page(suite, group, retries, resumed);
                        check_page(&printed, &expected, "the client of TLS 1.3 in C")?;
                    }
                    check_exports(&printed, "own exporter ", true)?;
                }
            }
        }
        let status = running.child.wait().context("cannot wait for the server")?;
        ensure!(status.success(), "the server of TLS 1.3 failed: {status}");
        self.retry_tls13(clients)?;
        println!("the server of TLS 1.3 held {count} conversations, {} groups", groups.len());
        Ok(())
    }

    /// The server in C with one group, of which the clients send no share at first.
    fn retry_tls13(&self, clients: &[&str]) -> Result<()> {
        let count = clients.len().to_string();
        let (mut running, port) = self.start(self.tls13_server, &[&count, "24"])?;
        let (_, suite, gnutls_suite) = SUITES[1];
        let (openssl, gnutls) = SIGNATURES[0];
        for client in clients {
            let mut command = match *client {
                "openssl" => of_openssl(&port, suite, "X25519:P-384", openssl),
                _ => {
                    let groups = ["+GROUP-X25519", "+GROUP-SECP384R1"];
                    of_gnutls(&port, &[gnutls_suite, groups[0], groups[1], gnutls])
                }
            };
            let printed = run(&mut command, client)?;
            // GnuTLS sends two shares, so that there is nothing to ask for.
            let retried = page(suite, "24", true, false);
            let expected = match printed.lines().any(|line| line == retried) {
                true => retried,
                false => page(suite, "24", *client == "openssl", false),
            };
            check_page(&printed, &expected, client)?;
        }
        let status = running.child.wait().context("cannot wait for the server")?;
        ensure!(status.success(), "the server of TLS 1.3 failed: {status}");
        Ok(())
    }

    /// The client in C and the server of OpenSSL, with its tickets. That server sleeps for a second
    /// after each KeyUpdate, so there is one for each group.
    pub(super) fn visit_tls13(&self) -> Result<()> {
        let counts = in_parallel_by(GROUPS.len(), &GROUPS, |(group, ..)| {
            let (_running, port) = self.start_openssl(&["-tls1_3"])?;
            let mut count = 0;
            for (suite_number, suite, _) in self.suites_of_tls13() {
                for retries in [false, true] {
                    let mut client = self.tls13_client(&port, suite_number, group, retries, true);
                    let printed = run(&mut client, "the client of TLS 1.3 in C")?;
                    for kind in ["New", "Reused"] {
                        let expected = format!("{kind}, TLSv1.3, Cipher is {suite}");
                        check_page(&printed, &expected, "the client of TLS 1.3 in C")?;
                    }
                    count += 2;
                }
            }
            Ok(count)
        });
        let count: usize = counts.into_iter().sum::<Result<usize>>()?;
        println!("the client of TLS 1.3 held {count} conversations with openssl s_server");
        Ok(())
    }

    /// The suites; the first alone where a run is slow, or is not the first of its kind.
    fn suites_of_tls13(&self) -> &'static [(&'static str, &'static str, &'static str)] {
        match self.identities {
            Identities::Each => &SUITES,
            Identities::InTurn => &SUITES[..1],
        }
    }

    /// The numbers of the groups that the provider has for TLS 1.3.
    fn groups_of_tls13(&self) -> Result<Vec<String>> {
        let mut command = self.command(self.tls13_client);
        let printed = run(command.arg("groups"), "the client of TLS 1.3 in C")?;
        let groups: Vec<String> = printed.lines().map(str::to_owned).collect();
        ensure!(groups.len() >= GROUPS.len(), "the provider lists the groups {groups:?} only");
        Ok(groups)
    }

    fn tls13_client(
        &self,
        port: &str,
        suite: &str,
        group: &str,
        retries: bool,
        resumes: bool,
    ) -> Command {
        let mut command = self.command(self.tls13_client);
        let [retries, resumes] = [retries, resumes].map(|flag| u8::from(flag).to_string());
        command.args([port, suite, group, &retries, &resumes]);
        command
    }
}

/// The line of the page.
fn page(suite: &str, group: &str, retried: bool, resumed: bool) -> String {
    let [retried, resumed] = [retried, resumed].map(u8::from);
    format!("protocol 0304 suite {suite} group {group} retried {retried} resumed {resumed}")
}

fn of_openssl(port: &str, suite: &str, groups: &str, signature: &str) -> Command {
    // A client that waits for ever must not stop the run.
    let mut command = Command::new("timeout");
    command.args(["60", "openssl", "s_client", "-connect", &format!("127.0.0.1:{port}")]);
    command.args(["-tls1_3", "-ciphersuites", suite, "-groups", groups, "-sigalgs", signature]);
    command.args(["-keymatexport", "EXPORTER-test", "-keymatexportlen", "20", "-ign_eof"]);
    command
}

fn of_gnutls(port: &str, choices: &[&str]) -> Command {
    let fixed = "NONE:+COMP-NULL:+CTYPE-X509:+VERS-TLS1.3:+AEAD:+ECDHE-ECDSA:+ECDHE-RSA";
    let priority = format!("{fixed}:{}", choices.join(":"));
    let mut command = Command::new("timeout");
    command.args(["60", "gnutls-cli", "--insecure", "--port", port, "--priority", &priority]);
    command.arg("127.0.0.1");
    command
}

fn check_page(printed: &str, expected: &str, client: &str) -> Result<()> {
    let is_there = printed.lines().any(|line| line == expected);
    ensure!(is_there, "{client} did not read `{expected}`:\n{printed}");
    Ok(())
}

/// Checks that the client, if it says so in a line that begins with `own`, exports what the server
/// does, in each of its connections.
fn check_exports(printed: &str, own: &str, says_so: bool) -> Result<()> {
    let [mine, theirs] = [own, "exporter "].map(|start| {
        let found = printed.lines().filter_map(|line| line.strip_prefix(start));
        found.collect::<Vec<&str>>()
    });
    let is_there = !theirs.is_empty() && (!says_so || mine == theirs);
    ensure!(is_there, "what is exported differs:\n{printed}");
    Ok(())
}
