//! `cargo xtask handshakes`: compares the full RSA handshakes per second of processor time of the
//! lab server and of `openssl s_server`, with the same key, suite and client, in turns.
//!
//! With `--clients` there are many connections at once, of a client that costs less than the
//! servers: `examples/load.rs` of the lab. Latencies are then printed too; they are those of a
//! machine that runs client and server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::Run;
use crate::features::{all_of_facade, chosen_backends};
use crate::interop::process::Dialogue;
use crate::interop::server::{CERTIFICATE, KEY};
use crate::workspace::Workspace;

/// The suite of the comparison, in TLS 1.2; every old device supports it.
const SUITE: &str = "AES128-SHA";

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

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
    /// Concurrent connections; may be given several times. Default: one, of `openssl s_time`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    clients: Vec<u32>,
    /// With `--clients`: measure this `--batch-wait` in microseconds; may be given several times.
    #[arg(long, value_name = "MICROSECONDS", requires = "clients", default_value = "0")]
    batch_wait: Vec<u16>,
}

/// Measures every backend against OpenSSL, and prints a table.
///
/// # Errors
///
/// Fails when a server or the client does.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let backends = chosen_backends(&options.backends)?;
    ensure!(cfg!(target_os = "linux"), "processor time is read from /proc: this needs Linux");
    Run::cargo("build")
        .args(["--release", "--package", "ssl-provider-cli", "--features", &all_of_facade()])
        .run(workspace)?;
    if !options.clients.is_empty() {
        Run::cargo("build")
            .args(["--release", "--package", "ssl-provider-lab", "--example", "load"])
            .run(workspace)?;
        return backends.iter().try_for_each(|backend| with_clients(workspace, options, backend));
    }
    println!("| backend | handshakes per second of processor time | openssl s_server | ratio |");
    println!("| --- | --- | --- | --- |");
    for backend in backends {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let ours = Server::ours(workspace, backend, &[])?.rate(options.seconds)?;
            let theirs = Server::openssl(workspace)?.rate(options.seconds)?;
            rounds.push((ours / theirs, ours, theirs));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, ours, theirs) = rounds[rounds.len() / 2];
        println!("| {backend} | {ours:.0} | {theirs:.0} | {ratio:.3} |");
    }
    Ok(())
}

/// Measures servers with many connections at once, and prints a table. A value is the median of
/// the rounds, by itself; the ratio is that of the rounds' ratios.
fn with_clients(workspace: &Workspace, options: &Options, backend: &str) -> Result<()> {
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
        let load = |server: &Server| server.load(workspace, *clients, options.seconds);
        let mut rounds: Vec<Vec<Load>> = vec![Vec::new(); servers.len() + 1];
        for _ in 0..options.rounds {
            for ((_, arguments), results) in servers.iter().zip(&mut rounds) {
                results.push(load(&Server::ours(workspace, backend, arguments)?)?);
            }
            if let Some(theirs) = rounds.last_mut() {
                theirs.push(load(&Server::openssl(workspace)?)?);
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

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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

/// A server that runs until it is dropped.
struct Server {
    process: Dialogue,
    address: String,
}

impl Server {
    fn ours(workspace: &Workspace, backend: &str, arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(workspace.target("release").join("sslprov"));
        command
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--backend", backend])
            .args(["--key", KEY, "--cert", CERTIFICATE])
            .args(arguments)
            .current_dir(workspace.root())
            .stderr(Stdio::null());
        let mut process = Dialogue::start(&mut command).context("the lab server does not start")?;
        loop {
            let line = process.receive().context("the lab server does not listen")?;
            if let Some(address) = line.strip_prefix("listening on ") {
                let address = address.to_owned();
                return Ok(Self { process, address });
            }
        }
    }

    fn openssl(workspace: &Workspace) -> Result<Self> {
        // Free now; another program is unlikely to take it before the server does.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-accept", &address, "-key", KEY, "-cert", CERTIFICATE])
            .args(["-tls1_2", "-cipher", SUITE, "-no_ticket", "-www", "-quiet"])
            .current_dir(workspace.root())
            .stderr(Stdio::null());
        let process = Dialogue::start(&mut command)
            .context("openssl does not start; on Debian: apt-get install openssl")?;
        let start = Instant::now();
        while TcpStream::connect(&address).is_err() {
            ensure!(start.elapsed() < START, "openssl s_server does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(Self { process, address })
    }

    /// Returns the handshakes per second of the server's own processor time.
    fn rate(&self, seconds: u32) -> Result<f64> {
        let before = self.processor_time()?;
        let output = Command::new("openssl")
            .args(["s_time", "-connect", &self.address, "-new", "-tls1_2", "-cipher", SUITE])
            .args(["-time", &seconds.to_string()])
            .output()
            .context("openssl does not start; on Debian: apt-get install openssl")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let handshakes: f64 = text
            .lines()
            .find_map(|line| line.split_once(" connections in ")?.0.trim().parse().ok())
            .with_context(|| format!("openssl s_time reported no connections:\n{text}"))?;
        ensure!(handshakes > 0.0, "no handshake was done");
        let used = self.processor_time()? - before;
        Ok(handshakes / used.as_secs_f64())
    }

    /// Performs handshakes on many connections at once.
    fn load(&self, workspace: &Workspace, clients: u32, seconds: u32) -> Result<Load> {
        let before = self.processor_time()?;
        let output = Command::new(workspace.target("release").join("examples/load"))
            .args([&self.address, &clients.to_string(), &seconds.to_string()])
            .output()
            .context("the load client does not start")?;
        let used = (self.processor_time()? - before).as_secs_f64();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the load client failed: {complaint}");
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> =
            text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [handshakes, took, median, high] = numbers[..] else {
            bail!("the load client printed {text}");
        };
        Ok(Load { efficiency: handshakes / used, rate: handshakes / took, median, high })
    }

    /// Returns the processor time of all threads so far.
    fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let statistics = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = statistics.split_whitespace().next().context("schedstat is empty")?;
            nanoseconds += first.parse::<u64>().context("schedstat has no number")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}
