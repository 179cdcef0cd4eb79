//! Servers that are measured, and the processor time that they or their clients take.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::parameters::{Exchange, Parameters, SCHEMES};
use crate::interop::process::Dialogue;
use crate::workspace::Workspace;

/// A server that runs until it is dropped.
pub(super) struct Server {
    process: Dialogue,
    pub(super) address: String,
}

impl Server {
    pub(super) fn ours(
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
        Self::announced(&mut command).context("the lab server does not start")
    }

    /// Starts a server that prints its address.
    pub(super) fn announced(command: &mut Command) -> Result<Self> {
        let mut process = Dialogue::start(command)?;
        loop {
            let line = process.receive().context("it does not listen")?;
            if let Some(address) = line.strip_prefix("listening on ") {
                let address = address.to_owned();
                return Ok(Self { process, address });
            }
        }
    }

    pub(super) fn openssl(workspace: &Workspace, parameters: &Parameters) -> Result<Self> {
        let [key, certificate] = parameters.exchange.identity();
        let group = parameters.group.name();
        let suite = parameters.exchange.suite();
        let version = ["-tls1_2", "-cipher", suite, "-no_ticket", "-curves", group];
        Self::s_server(workspace, [key, certificate], &version)
    }

    /// Starts `openssl s_server` with a key and its certificate.
    pub(super) fn s_server(
        workspace: &Workspace,
        [key, certificate]: [&str; 2],
        arguments: &[&str],
    ) -> Result<Self> {
        // Free now; another program is unlikely to take it before the server does.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-accept", &address, "-key", key, "-cert", certificate])
            .args(arguments)
            .args(["-sigalgs", SCHEMES, "-www", "-quiet"])
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
    pub(super) fn rate(&self, client: &mut Command) -> Result<f64> {
        let before = self.processor_time()?;
        let handshakes = handshakes(client)?;
        let used = self.processor_time()? - before;
        Ok(handshakes / used.as_secs_f64())
    }

    /// Returns the handshakes per second of the processor time of a client.
    pub(super) fn rate_of_client(&self, client: &mut Command) -> Result<f64> {
        let before = processor_time_of_children()?;
        let handshakes = handshakes(client)?;
        let used = processor_time_of_children()? - before;
        Ok(handshakes / used.as_secs_f64())
    }

    /// Returns the processor time of all threads so far.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let statistics = fs::read_to_string(task?.path().join("schedstat"))?;
            let first = statistics.split_whitespace().next().context("schedstat is empty")?;
            nanoseconds += first.parse::<u64>().context("schedstat has no number")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

/// Runs a client to its end, and returns its handshakes.
fn handshakes(client: &mut Command) -> Result<f64> {
    let output = client
        .output()
        .with_context(|| format!("{} does not start", client.get_program().display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let handshakes = connections(&text).with_context(|| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        format!("the client reported no connections:\n{text}{complaint}")
    })?;
    ensure!(handshakes > 0.0, "no handshake was done");
    Ok(handshakes)
}

/// The number in what a client prints.
fn connections(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.split_once(" connections in ")?.0.trim().parse().ok())
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

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_in_the_fields_16_and_17() {
        let line = "7 (a) b) S 1 7 7 0 -1 4194304 900 800 0 0 11 12 130 14 20 0 1 0 99";
        assert_eq!(ticks_of_children(line), Some(144));
        assert_eq!(ticks_of_children("7 (a) S 1"), None);
    }

    #[test]
    fn the_number_of_connections_is_read_from_either_client() {
        let s_time = "Collecting connection statistics for 1 seconds\n\n\n\
                      1213 connections in 0.49s; 2475.51 connections/user sec, bytes read 0\n\
                      1213 connections in 2 real seconds, 0 bytes read per connection\n";
        assert_eq!(connections(s_time), Some(1213.0));
        assert_eq!(connections("977 connections in 1.00s"), Some(977.0));
        for nothing in ["", "no connections", "many connections in 1.00s"] {
            assert_eq!(connections(nothing), None);
        }
    }
}
