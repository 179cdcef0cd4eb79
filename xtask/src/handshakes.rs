//! `cargo xtask handshakes`: compares the full handshakes per second of processor time of the lab
//! server and of `openssl s_server`, with the same key, suite, group, scheme and client, in turns;
//! and those of the lab client and of `openssl s_time`, with the same server.
//!
//! With `--version tls1.3` the lab server is compared with `openssl s_server`, and with two servers
//! of `tests/peers`: on rustls, and on an OpenSSL that has ML-KEM.
//!
//! With `--clients` there are many connections at once, with RSA key exchange, of a client that
//! costs less than the servers: `examples/load.rs` of the lab. Latencies are then printed too; they
//! are those of a machine that runs client and server.

mod clients;
mod parameters;
mod ratio;
mod server;
mod tls13;

use std::process::Command;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

use self::parameters::{Exchange, Group, Parameters};
use self::server::Server;
use crate::command::Run;
use crate::features::{all_of_facade, chosen_backends};
use crate::workspace::Workspace;

/// The version of the handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Version {
    /// TLS 1.2
    #[value(name = "tls1.2")]
    Tls12,
    /// TLS 1.3
    #[value(name = "tls1.3")]
    Tls13,
}

/// Whose processor time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The lab server beside `openssl s_server`
    Server,
    /// The lab client beside `openssl s_time`
    Client,
}

/// Options of `cargo xtask handshakes`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Seconds for each server in each round.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Rounds; the result is the median of their ratios.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Compare this backend only; may be given several times.
    #[arg(long = "backend", value_name = "NAME")]
    backends: Vec<String>,
    /// The version. TLS 1.3 is measured with ECDSA, on the side of the server.
    #[arg(long, value_enum, default_value = "tls1.2")]
    version: Version,
    /// Measure this side only.
    #[arg(long, value_enum, conflicts_with = "clients")]
    side: Option<Side>,
    /// Measure this key exchange only; may be given several times.
    #[arg(long = "exchange", value_enum, value_name = "KIND", conflicts_with = "clients")]
    exchanges: Vec<Exchange>,
    /// The group; may be given several times in TLS 1.3. Default: P-256, in TLS 1.3 X25519 alone
    /// and with ML-KEM-768.
    #[arg(long = "group", value_enum, value_name = "GROUP", conflicts_with = "clients")]
    groups: Vec<Group>,
    /// In TLS 1.3: the tickets that each server sends; may be given twice. Default: both.
    #[arg(long, value_name = "N", value_parser = tls13::TICKETS)]
    tickets: Vec<String>,
    /// Concurrent connections; may be given several times. Default: one, of `openssl s_time`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    clients: Vec<u32>,
    /// With `--clients`: measure this `--batch-wait` in microseconds; may be given several times.
    #[arg(long, value_name = "MICROSECONDS", requires = "clients", default_value = "0")]
    batch_wait: Vec<u16>,
}

impl Options {
    /// Checks what the version has.
    fn check(&self) -> Result<()> {
        match self.version {
            Version::Tls12 => {
                ensure!(self.tickets.is_empty(), "--tickets: add --version tls1.3");
                if let Some(hybrid) = self.groups.iter().find(|group| group.is_hybrid()) {
                    bail!("--group: TLS 1.2 has no {}; add --version tls1.3", hybrid.name());
                }
                ensure!(self.groups.len() <= 1, "--group: one at a time in TLS 1.2");
            }
            Version::Tls13 => {
                ensure!(
                    self.exchanges.is_empty(),
                    "--exchange: TLS 1.3 is measured with ECDSA; choose a --group"
                );
                ensure!(
                    self.side != Some(Side::Client),
                    "--side client: TLS 1.3 is measured on the server's side"
                );
                ensure!(
                    self.clients.is_empty(),
                    "--clients: they use RSA key exchange, which TLS 1.3 does not have"
                );
            }
        }
        Ok(())
    }
}

/// Measures every backend against OpenSSL, and prints a table.
///
/// # Errors
///
/// Fails when a server or the client does.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let backends = chosen_backends(&options.backends)?;
    options.check()?;
    ensure!(cfg!(target_os = "linux"), "processor time is read from /proc: this needs Linux");
    Run::cargo("build")
        .args(["--release", "--package", "ssl-provider-cli", "--features", &all_of_facade()])
        .run(workspace)?;
    if options.version == Version::Tls13 {
        return tls13::run(workspace, options, &backends);
    }
    if !options.clients.is_empty() {
        Run::cargo("build")
            .args(["--release", "--package", "ssl-provider-lab", "--example", "load"])
            .run(workspace)?;
        return backends
            .iter()
            .try_for_each(|backend| clients::with_clients(workspace, options, backend));
    }
    let parameters = |exchange| Parameters {
        exchange,
        group: options.groups.first().copied().unwrap_or(Group::P256),
        configuration: workspace.target("handshakes.cnf"),
    };
    let sides = options.side.map_or(vec![Side::Server, Side::Client], |side| vec![side]);
    let exchanges = match &options.exchanges[..] {
        [] => Exchange::value_variants(),
        some => some,
    };
    if sides.contains(&Side::Client) {
        Run::cargo("build")
            .args(["--release", "--package", "ssl-provider-lab", "--example", "connect"])
            .run(workspace)?;
    }
    println!("Full handshakes of TLS 1.2 per second of the processor time of one process,");
    println!("{} rounds of {} seconds each, in turns:", options.rounds, options.seconds);
    println!("| side | suite | backend | ours | openssl | ratio | lowest | highest |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for side in sides {
        for exchange in exchanges {
            let parameters = parameters(*exchange);
            parameters.configure()?;
            for backend in &backends {
                compare(workspace, options, side, &parameters, backend)?;
            }
        }
    }
    Ok(())
}

/// Measures ours and OpenSSL's in turns, and prints a row: values are those of the round with the
/// median of the ratios.
fn compare(
    workspace: &Workspace,
    options: &Options,
    side: Side,
    parameters: &Parameters,
    backend: &str,
) -> Result<()> {
    let seconds = options.seconds;
    let mut rounds = Vec::new();
    let rate = |server: &Server| server.rate(&mut parameters.s_time(&server.address, seconds));
    for _ in 0..options.rounds {
        let (ours, theirs) = match side {
            Side::Server => (
                rate(&Server::ours(workspace, backend, parameters, &[])?)?,
                rate(&Server::openssl(workspace, parameters)?)?,
            ),
            Side::Client => {
                let server = Server::openssl(workspace, parameters)?;
                let ours = server
                    .rate_of_client(&mut ours(workspace, parameters, &server, backend, seconds))?;
                (ours, server.rate_of_client(&mut parameters.s_time(&server.address, seconds))?)
            }
        };
        rounds.push((ours / theirs, ours, theirs));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, ours, theirs) = rounds[rounds.len() / 2];
    let (lowest, highest) = (rounds[0].0, rounds[rounds.len() - 1].0);
    let (suite, side) = (parameters.exchange.suite(), format!("{side:?}").to_lowercase());
    println!(
        "| {side} | {suite} | {backend} | {ours:.0} | {theirs:.0} | {ratio:.3} | {lowest:.3} | \
         {highest:.3} |"
    );
    Ok(())
}

/// The lab client, which connects again and again.
fn ours(
    workspace: &Workspace,
    parameters: &Parameters,
    server: &Server,
    backend: &str,
    seconds: u32,
) -> Command {
    let mut command = Command::new(workspace.target("release").join("examples/connect"));
    command.args([&server.address, &seconds.to_string(), backend]);
    command.args([parameters.exchange.number(), parameters.group.number()]);
    command
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn refusal(line: &str) -> Option<String> {
        let words = ["handshakes"].into_iter().chain(line.split_whitespace());
        match Line::try_parse_from(words) {
            Ok(line) => line.options.check().err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn what_a_version_does_not_have_is_refused_with_what_to_do() {
        for (line, expected) in [
            ("--tickets 2", "--tickets: add --version tls1.3"),
            ("--group x25519mlkem768", "TLS 1.2 has no X25519MLKEM768; add --version tls1.3"),
            ("--group p256 --group x25519", "--group: one at a time"),
            ("--version tls1.3 --exchange rsa", "choose a --group"),
            ("--version tls1.3 --side client", "on the server's side"),
            ("--version tls1.3 --clients 8", "--clients: they use RSA key exchange"),
            ("--version tls1.3 --tickets 1", "[possible values: 0, 2]"),
            ("--version tls1.4", "[possible values: tls1.2, tls1.3]"),
            ("--clients 8 --group p256", "cannot be used with"),
        ] {
            let refused = refusal(line).expect(line);
            assert!(refused.contains(expected), "{line}: {refused}");
        }
        for fine in [
            "",
            "--group x25519 --side client --exchange ecdhe-rsa",
            "--clients 8",
            "--version tls1.3 --group x25519 --group x25519mlkem768 --tickets 0 --tickets 2",
        ] {
            assert_eq!(refusal(fine), None, "{fine}");
        }
    }
}
