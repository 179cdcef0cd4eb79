//! Many connections at once, of a client that costs less than the servers.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::Options;
use super::parameters::{Exchange, Group, Parameters};
use super::ratio::median;
use super::server::Server;
use crate::workspace::Workspace;

/// Measures servers with many connections at once, and prints a table. A value is the median of
/// the rounds, by itself; the ratio is that of the rounds' ratios.
pub(super) fn with_clients(workspace: &Workspace, options: &Options, backend: &str) -> Result<()> {
    let rsa = Parameters {
        exchange: Exchange::Rsa,
        group: Group::P256,
        configuration: workspace.target("handshakes.cnf"),
    };
    let waits = options.batch_wait.iter().map(u16::to_string).collect::<Vec<_>>();
    let mut servers: Vec<(String, Vec<&str>)> = waits
        .iter()
        .map(|wait| (format!("--batch-wait {wait}"), vec!["--batch-wait", wait]))
        .collect();
    servers.push(("--no-multi-buffer".to_owned(), vec!["--no-multi-buffer"]));
    println!("{backend}:");
    println!(
        "| clients | server | handshakes per second of processor time | / openssl | per second | \
         median | 99 % |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for clients in &options.clients {
        let load = |server: &Server| load(server, workspace, *clients, options.seconds);
        let mut rounds: Vec<Vec<Load>> = vec![Vec::new(); servers.len() + 1];
        for _ in 0..options.rounds {
            for ((_, arguments), results) in servers.iter().zip(&mut rounds) {
                results.push(load(&Server::ours(workspace, backend, &rsa, arguments)?)?);
            }
            if let Some(theirs) = rounds.last_mut() {
                theirs.push(load(&Server::openssl(workspace, &rsa)?)?);
            }
        }
        let (theirs, ours) = rounds.split_last().context("there is a server")?;
        for ((name, _), results) in servers.iter().zip(ours) {
            print_loads(*clients, &format!("`sslprov serve {name}`"), results, theirs);
        }
        print_loads(*clients, "`openssl s_server`", theirs, theirs);
    }
    Ok(())
}

fn print_loads(clients: u32, name: &str, rounds: &[Load], theirs: &[Load]) {
    let of = |value: fn(&Load) -> f64| median(rounds.iter().map(value));
    let ratio =
        median(rounds.iter().zip(theirs).map(|(it, other)| it.efficiency / other.efficiency));
    println!(
        "| {clients} | {name} | {:.0} | {ratio:.2} | {:.0} | {:.2} ms | {:.2} ms |",
        of(|it| it.efficiency),
        of(|it| it.rate),
        of(|it| it.median) / 1000.0,
        of(|it| it.high) / 1000.0,
    );
}

/// What one run of the load client measured.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// Handshakes per second of the server's processor time.
    efficiency: f64,
    /// Handshakes per second.
    rate: f64,
    /// Of the time of a handshake, in microseconds.
    median: f64,
    /// The 99th percentile of that.
    high: f64,
}

/// Performs handshakes on many connections at once.
fn load(server: &Server, workspace: &Workspace, clients: u32, seconds: u32) -> Result<Load> {
    let before = server.processor_time()?;
    let output = Command::new(workspace.target("release").join("examples/load"))
        .args([&server.address, &clients.to_string(), &seconds.to_string()])
        .output()
        .context("the load client does not start")?;
    let used = (server.processor_time()? - before).as_secs_f64();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the load client failed: {complaint}");
    let text = String::from_utf8(output.stdout)?;
    let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [handshakes, took, median, high] = numbers[..] else {
        bail!("the load client printed {text}");
    };
    Ok(Load { efficiency: handshakes / used, rate: handshakes / took, median, high })
}
