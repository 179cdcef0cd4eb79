//! Full handshakes of TLS 1.3 of the lab server, of rustls and of OpenSSL, in one run.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::Options;
use super::parameters::{EC_CERTIFICATE, EC_KEY, Group};
use super::ratio::{Ratio, median};
use super::server::Server;
use crate::command::Run;
use crate::workspace::Workspace;

/// A server in the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contender<'a> {
    /// The lab server on a backend.
    Ours(&'a str),
    Rustls,
    /// A server as small as that of rustls, on OpenSSL from source.
    OpenSsl,
    /// The command of the system's OpenSSL.
    Command,
}

impl fmt::Display for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(backend) => write!(f, "`sslprov serve`, {backend}"),
            Self::Rustls => f.write_str("rustls, aws-lc-rs"),
            Self::OpenSsl => f.write_str("OpenSSL from source"),
            Self::Command => f.write_str("`openssl s_server`"),
        }
    }
}

impl Contender<'_> {
    fn start(self, workspace: &Workspace, tickets: &str) -> Result<Server> {
        let peer = |library| {
            let mut command = Command::new(workspace.target("release").join("handshake-peer"));
            command.args([library, EC_KEY, EC_CERTIFICATE, tickets]);
            command
        };
        let mut command = match self {
            Self::Ours(backend) => ours(workspace, backend, tickets),
            Self::Rustls => peer("rustls"),
            Self::OpenSsl => peer("openssl"),
            Self::Command => {
                let arguments = ["-tls1_3", "-num_tickets", tickets];
                return Server::s_server(workspace, [EC_KEY, EC_CERTIFICATE], &arguments);
            }
        };
        command.current_dir(workspace.root()).stderr(Stdio::null());
        Server::announced(&mut command).with_context(|| format!("{self} does not start"))
    }
}

/// The lab server on one thread, as all others have.
fn ours(workspace: &Workspace, backend: &str, tickets: &str) -> Command {
    let mut command = Command::new(workspace.target("release").join("sslprov"));
    command.args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--backend", backend]).args([
        "--ecdsa-key",
        EC_KEY,
        "--ecdsa-cert",
        EC_CERTIFICATE,
        "--versions",
        "tls1.3",
        "--key-exchange",
        "ecdhe",
        "--threads",
        "1",
    ]);
    if tickets != NO_TICKETS {
        command.arg("--tickets");
    }
    command
}

/// How many tickets each server sends: `sslprov serve` sends two with `--tickets`, else none.
pub(super) const TICKETS: [&str; 2] = [NO_TICKETS, "2"];

const NO_TICKETS: &str = "0";

/// Measures all servers in turns, in each group and with each number of tickets, and prints a
/// table.
///
/// # Errors
///
/// Fails when a server or the client does.
pub(super) fn run(workspace: &Workspace, options: &Options, backends: &[&str]) -> Result<()> {
    build(workspace)?;
    let groups = match &options.groups[..] {
        [] => &[Group::X25519, Group::X25519MlKem768],
        some => some,
    };
    let tickets: Vec<&str> = match &options.tickets[..] {
        [] => TICKETS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    println!("Full handshakes of TLS 1.3 per second of the processor time of the server, with");
    println!("TLS_AES_128_GCM_SHA256 and ECDSA on P-256, {} rounds", options.rounds);
    println!("of {} seconds each, in turns; ratios with 95 % intervals:", options.seconds);
    println!("| group | tickets | server | handshakes | / rustls | / OpenSSL | / s_server |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for group in groups {
        for tickets in &tickets {
            let contenders = contenders(backends, *group);
            let rates = measure(workspace, options, &contenders, *group, tickets)?;
            for row in rows(&contenders, &rates) {
                println!("| {} | {tickets} | {row} |", group.name());
            }
        }
    }
    Ok(())
}

/// Builds client and peers. The peers take the versions that are tested here.
fn build(workspace: &Workspace) -> Result<()> {
    Run::cargo("build")
        .args(["--release", "--package", "ssl-provider-lab", "--example", "connect"])
        .run(workspace)?;
    let folder = workspace.root().join("tests/peers");
    let lock = folder.join("Cargo.lock");
    fs::copy(workspace.root().join("Cargo.lock"), &lock)
        .with_context(|| format!("cannot write {}", lock.display()))?;
    Run::cargo("build")
        .args(["--release"])
        .args([Path::new("--manifest-path"), &folder.join("Cargo.toml")])
        .args([Path::new("--target-dir"), &workspace.target("")])
        .run(workspace)
}

/// The servers that have the group.
fn contenders<'a>(backends: &[&'a str], group: Group) -> Vec<Contender<'a>> {
    let mut contenders: Vec<_> = backends.iter().copied().map(Contender::Ours).collect();
    contenders.extend([Contender::Rustls, Contender::OpenSsl]);
    if !group.is_hybrid() {
        contenders.push(Contender::Command);
    }
    contenders
}

/// Returns the rates of each server in each round.
fn measure(
    workspace: &Workspace,
    options: &Options,
    contenders: &[Contender<'_>],
    group: Group,
    tickets: &str,
) -> Result<Vec<Vec<f64>>> {
    let servers: Vec<Server> = contenders
        .iter()
        .map(|contender| contender.start(workspace, tickets))
        .collect::<Result<_>>()?;
    let turn = |(contender, server): (&Contender<'_>, &Server), seconds| {
        let mut client = client(workspace, &server.address, seconds, group, tickets);
        server.rate(&mut client).with_context(|| format!("{contender} failed"))
    };
    // What a library does for its first connections only is not measured.
    for both in contenders.iter().zip(&servers) {
        turn(both, 1)?;
    }
    let mut rates = vec![Vec::new(); contenders.len()];
    for _ in 0..options.rounds {
        for (both, rates) in contenders.iter().zip(&servers).zip(&mut rates) {
            rates.push(turn(both, options.seconds)?);
        }
    }
    Ok(rates)
}

/// The client of all servers: that of the lab on AWS-LC, which offers this group only, and takes
/// tickets where some are sent.
fn client(
    workspace: &Workspace,
    address: &str,
    seconds: u32,
    group: Group,
    tickets: &str,
) -> Command {
    let mut command = Command::new(workspace.target("release").join("examples/connect"));
    command.args([address, &seconds.to_string(), "aws-lc", "0x1301", group.number()]);
    if tickets != NO_TICKETS {
        command.arg("tickets");
    }
    command
}

/// Returns the cells of each server: its rate, and its ratios to the peers.
fn rows(contenders: &[Contender<'_>], rates: &[Vec<f64>]) -> Vec<String> {
    let of = |contender| {
        let found = contenders.iter().zip(rates).find(|(it, _)| **it == contender);
        found.map(|(_, rates)| rates)
    };
    let peers = [Contender::Rustls, Contender::OpenSsl, Contender::Command];
    let row = |(contender, own): (&Contender<'_>, &Vec<f64>)| {
        let ratios = peers.map(|peer| match of(peer) {
            Some(theirs) if peer != *contender => {
                let Ratio { median, low, high } = Ratio::of(own, theirs);
                format!("{median:.3} ({low:.3} to {high:.3})")
            }
            _ => "–".to_owned(),
        });
        let rate = median(own.iter().copied());
        format!("{contender} | {rate:.0} | {}", ratios.join(" | "))
    };
    contenders.iter().zip(rates).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_ratios_to_the_peers_that_have_the_group() {
        let rates = [vec![6.0, 6.0], vec![5.0, 5.0], vec![4.0, 4.0]];
        let hybrid = contenders(&["aws-lc"], Group::X25519MlKem768);
        assert_eq!(
            rows(&hybrid, &rates),
            [
                "`sslprov serve`, aws-lc | 6 | 1.200 (1.200 to 1.200) | 1.500 (1.500 to 1.500) | –",
                "rustls, aws-lc-rs | 5 | – | 1.250 (1.250 to 1.250) | –",
                "OpenSSL from source | 4 | 0.800 (0.800 to 0.800) | – | –",
            ]
        );
        let x25519 = contenders(&["aws-lc", "ring"], Group::X25519);
        assert_eq!(x25519.len(), 5);
        assert_eq!(x25519.last(), Some(&Contender::Command));
    }
}
