//! `cargo xtask handshakes`: compares the full RSA handshakes per second of processor time of the
//! lab server and of `openssl s_server`, with the same key, suite and client, in turns.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

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
    println!("| backend | handshakes per second of processor time | openssl s_server | ratio |");
    println!("| --- | --- | --- | --- |");
    for backend in backends {
        let mut rounds = Vec::new();
        for _ in 0..options.rounds {
            let ours = Server::ours(workspace, backend)?.rate(options.seconds)?;
            let theirs = Server::openssl(workspace)?.rate(options.seconds)?;
            rounds.push((ours / theirs, ours, theirs));
        }
        rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (ratio, ours, theirs) = rounds[rounds.len() / 2];
        println!("| {backend} | {ours:.0} | {theirs:.0} | {ratio:.3} |");
    }
    Ok(())
}

/// A server that runs until it is dropped.
struct Server {
    process: Dialogue,
    address: String,
}

impl Server {
    fn ours(workspace: &Workspace, backend: &str) -> Result<Self> {
        let mut command = Command::new(workspace.target("release").join("sslprov"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--backend", backend])
            .args(["--key", KEY, "--cert", CERTIFICATE])
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
