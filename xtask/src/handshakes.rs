//! `cargo xtask handshakes`: compares the full handshakes per second of processor time of the lab
//! server and of `openssl s_server`, with the same key, suite, group, scheme and client, in turns;
//! and those of the lab client and of `openssl s_time`, with the same server.
//!
//! With `--clients` there are many connections at once, with RSA key exchange, of a client that
//! costs less than the servers: `examples/load.rs` of the lab. Latencies are then printed too; they
//! are those of a machine that runs client and server.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use crate::command::Run;
use crate::features::{all_of_facade, chosen_backends};
use crate::interop::process::Dialogue;
use crate::interop::server::{CERTIFICATE, KEY};
use crate::workspace::Workspace;

/// A P-256 key and its certificate.
const EC_KEY: &str = "tests/data/keys/ec-p256.pem";
const EC_CERTIFICATE: &str = "tests/data/keys/ec-p256.cert.pem";

/// The scheme of each kind of key, for OpenSSL: servers would choose others for other clients.
const SCHEMES: &str = "ECDSA+SHA256:RSA+SHA256";

/// How keys are exchanged, and with which key the server signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Exchange {
    /// ECDHE, and ECDSA on P-256
    EcdheEcdsa,
    /// ECDHE, and RSA with 2048 bits
    EcdheRsa,
    /// RSA with 2048 bits
    Rsa,
}

impl Exchange {
    /// The suite in TLS 1.2, by OpenSSL's name; every old device supports that of RSA.
    fn suite(self) -> &'static str {
        match self {
            Self::EcdheEcdsa => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Self::EcdheRsa => "ECDHE-RSA-AES128-GCM-SHA256",
            Self::Rsa => "AES128-SHA",
        }
    }

    fn number(self) -> &'static str {
        match self {
            Self::EcdheEcdsa => "0xc02b",
            Self::EcdheRsa => "0xc02f",
            Self::Rsa => "0x002f",
        }
    }

    /// The files of key and certificate.
    fn identity(self) -> [&'static str; 2] {
        match self {
            Self::EcdheEcdsa => [EC_KEY, EC_CERTIFICATE],
            Self::EcdheRsa | Self::Rsa => [KEY, CERTIFICATE],
        }
    }
}

/// The group of ECDHE.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Group {
    /// P-256
    P256,
    /// X25519
    X25519,
}

impl Group {
    /// OpenSSL's name.
    fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::X25519 => "X25519",
        }
    }

    fn number(self) -> &'static str {
        match self {
            Self::P256 => "23",
            Self::X25519 => "29",
        }
    }
}

/// Whose processor time is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The lab server beside `openssl s_server`
    Server,
    /// The lab client beside `openssl s_time`
    Client,
}

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
    /// Measure this side only.
    #[arg(long, value_enum, conflicts_with = "clients")]
    side: Option<Side>,
    /// Measure this key exchange only; may be given several times.
    #[arg(long = "exchange", value_enum, value_name = "KIND", conflicts_with = "clients")]
    exchanges: Vec<Exchange>,
    /// The group of ECDHE.
    #[arg(long, value_enum, default_value = "p256")]
    group: Group,
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
    let parameters = |exchange| Parameters {
        exchange,
        group: options.group,
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
    for _ in 0..options.rounds {
        let (ours, theirs) = match side {
            Side::Server => (
                Server::ours(workspace, backend, parameters, &[])?.rate(parameters, seconds)?,
                Server::openssl(workspace, parameters)?.rate(parameters, seconds)?,
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

/// What both sides of a comparison do alike.
struct Parameters {
    exchange: Exchange,
    group: Group,
    /// OpenSSL's configuration file: `s_time` has no options for group and scheme.
    configuration: PathBuf,
}

impl Parameters {
    fn configure(&self) -> Result<()> {
        let text = format!(
            "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n\
             [tls]\nGroups = {}\nSignatureAlgorithms = {SCHEMES}\n",
            self.group.name()
        );
        fs::write(&self.configuration, text).context("cannot write OpenSSL's configuration")
    }

    fn s_time(&self, address: &str, seconds: u32) -> Command {
        let mut command = Command::new("openssl");
        command
            .args(["s_time", "-connect", address, "-new", "-tls1_2"])
            .args(["-cipher", self.exchange.suite(), "-time", &seconds.to_string()])
            .env("OPENSSL_CONF", &self.configuration);
        command
    }
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

/// Runs a client to its end, and returns its handshakes.
fn handshakes(client: &mut Command) -> Result<f64> {
    let output = client
        .output()
        .with_context(|| format!("{} does not start", client.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let handshakes: f64 = text
        .lines()
        .find_map(|line| line.split_once(" connections in ")?.0.trim().parse().ok())
        .with_context(|| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("the client reported no connections:\n{text}{complaint}")
        })?;
    ensure!(handshakes > 0.0, "no handshake was done");
    Ok(handshakes)
}

/// Measures servers with many connections at once, and prints a table. A value is the median of
/// the rounds, by itself; the ratio is that of the rounds' ratios.
fn with_clients(workspace: &Workspace, options: &Options, backend: &str) -> Result<()> {
    let rsa = Parameters {
        exchange: Exchange::Rsa,
        group: options.group,
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
        let load = |server: &Server| server.load(workspace, *clients, options.seconds);
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
    fn ours(
        workspace: &Workspace,
        backend: &str,
        parameters: &Parameters,
        arguments: &[&str],
    ) -> Result<Self> {
        let [key, certificate] = parameters.exchange.identity();
        let [key_option, certificate_option, exchange] = match parameters.exchange {
            Exchange::EcdheEcdsa => ["--ecdsa-key", "--ecdsa-cert", "ecdhe"],
            Exchange::EcdheRsa => ["--key", "--cert", "ecdhe"],
            Exchange::Rsa => ["--key", "--cert", "rsa"],
        };
        let mut command = Command::new(workspace.target("release").join("sslprov"));
        command
            .args(["serve", "--quiet", "--listen", "127.0.0.1:0", "--backend", backend])
            .args([key_option, key, certificate_option, certificate, "--key-exchange", exchange])
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

    fn openssl(workspace: &Workspace, parameters: &Parameters) -> Result<Self> {
        let [key, certificate] = parameters.exchange.identity();
        let group = parameters.group.name();
        // Free now; another program is unlikely to take it before the server does.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-accept", &address, "-key", key, "-cert", certificate])
            .args(["-tls1_2", "-cipher", parameters.exchange.suite(), "-no_ticket"])
            .args(["-curves", group, "-sigalgs", SCHEMES, "-www", "-quiet"])
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
    fn rate(&self, parameters: &Parameters, seconds: u32) -> Result<f64> {
        let before = self.processor_time()?;
        let handshakes = handshakes(&mut parameters.s_time(&self.address, seconds))?;
        let used = self.processor_time()? - before;
        Ok(handshakes / used.as_secs_f64())
    }

    /// Returns the handshakes per second of the processor time of a client.
    fn rate_of_client(&self, client: &mut Command) -> Result<f64> {
        let before = processor_time_of_children()?;
        let handshakes = handshakes(client)?;
        let used = processor_time_of_children()? - before;
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

/// Returns the processor time of all children of this process that have ended and were waited for.
fn processor_time_of_children() -> Result<Duration> {
    let statistics =
        fs::read_to_string("/proc/self/stat").context("cannot read /proc/self/stat")?;
    ticks_of_children(&statistics)
        .map(|ticks| Duration::from_millis(1000 / TICKS_PER_SECOND * ticks))
        .context("unexpected format of /proc/self/stat")
}

/// `USER_HZ`, which is the same on all platforms of Linux that this runs on.
const TICKS_PER_SECOND: u64 = 100;

/// The fields `cutime` and `cstime` of proc(5), behind a name that may have anything in it.
fn ticks_of_children(statistics: &str) -> Option<u64> {
    let (_, fields) = statistics.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_in_the_fields_16_and_17() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194304 900 800 0 0 11 12 130 14 20 0 1 0 99";
        assert_eq!(ticks_of_children(line), Some(144));
        assert_eq!(ticks_of_children("7 (a) S 1"), None);
    }
}
