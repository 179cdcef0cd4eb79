//! `sslprov proxy`: takes plain TCP or modern TLS from clients, and speaks old TLS to a device.
//! The device's side is the client of `ssl-provider-lab`, the clients' side is rustls.

mod connecting;
mod device;
mod ending;
mod files;
mod inbound;
mod metrics;
mod pair;
mod server;
mod socket;
mod systemd;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::ServerConfig;
use serde_json::json;
use ssl_provider_lab::client::{ClientConnection, ClientSettings};

use crate::client::target::{self, Target};
use crate::client::{self, ClientArgs};
use crate::exit::{Failure, Outcome, print, tell};
use crate::key_file::PasswordArgs;
use crate::proxy::device::{Addresses, Sessions};
use crate::proxy::metrics::Metrics;
use crate::proxy::server::{Event, Server};
use crate::report::{ReportArgs, Reporter};
use crate::{listen_address, outputs};

/// Arguments of `sslprov proxy`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Address to listen on; with port 0, any free port, which is printed. Not needed where systemd
    /// passes a socket
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,

    /// Device to connect to, such as `device.example:443` or `[::1]:443`
    #[arg(long, value_name = "HOST:PORT", value_parser = target::parse)]
    pub to: Target,

    /// Key file of the proxy, for TLS with its clients: PEM, DER, PKCS#12 or CNG blob
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// PEM or PKCS#12 file of certificates of the proxy, its own first. Default: those in the key
    /// file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Accept plain TCP in place of TLS
    #[arg(long, conflicts_with_all = ["key", "cert"])]
    pub plain: bool,

    /// What the client of the device offers and whom it trusts.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Key file of a certificate that the device asks for: PEM, DER, PKCS#12 or CNG blob
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,

    /// PEM or PKCS#12 file of certificates for the device, the client's own first. Default: those
    /// in the file of --client-key
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub client_cert: Option<PathBuf>,

    /// Do not resume sessions with the device
    #[arg(long)]
    pub no_resumption: bool,

    /// Most connections at once; more wait in the listener's queue
    #[arg(long, value_name = "N", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_connections: u32,

    /// Longest time in seconds for each of: the ClientHello of a client, connecting to the device,
    /// the handshake with it, and the handshake with the client
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub handshake_timeout: u64,

    /// Longest time in seconds in which no byte moves
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub idle_timeout: u64,

    /// Bytes in KiB that may wait for a slow reader, in each direction of a connection
    #[arg(long, value_name = "KIB", default_value_t = 64)]
    #[arg(value_parser = clap::value_parser!(u32).range(16..=1_048_576))]
    pub buffer: u32,

    /// Time in seconds that open connections have to end when the proxy is stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=86400))]
    pub grace: u64,

    /// Threads. Default: one for each processor
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Serve metrics for Prometheus at this address, over plain HTTP at /metrics
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<String>,

    /// The reports.
    #[command(flatten)]
    pub report: ReportArgs,

    /// The password of the keys.
    #[command(flatten)]
    pub password: PasswordArgs,
}

const AFTER_HELP: &str = "\
For devices that speak nothing newer than RSA key exchange, TLS 1.0 or 3DES: browsers and tools of
today connect to the proxy, and the proxy to the device. Run it next to the device: between proxy
and device, the traffic is as weak as the device's TLS.

Clients speak TLS 1.2 or 1.3 with the certificate of --key and --cert, or plain TCP with --plain.
The device's certificate is verified as `sslprov connect` does. A client whose device cannot be
reached or is refused gets the alert internal_error, and without TLS a reset.

When a client closes its side, the device gets close_notify, and its reply is still carried. When a
device closes, the client gets close_notify if the device sent it; without it, the end of the
socket only, since data may be missing. Plain clients cannot tell the two apart: see `reason` in the
log.

Standard output has a line `listening on ADDRESS`; with --json it has a line for each event,
`listening` first. Without --json, each connection has a line on standard error when it ends: what
was spoken with the device, bytes, duration and reason.

SIGTERM and SIGINT stop it: no connection is accepted any more, and open ones have --grace seconds
to end; a second signal ends them at once. Under systemd, it takes a socket of a socket unit and
says when it is ready (Type=notify).

Exit codes:
  0  the proxy was stopped (SIGINT, SIGTERM)
  2  the arguments are not usable, the device's name is not found, the address cannot be bound, or
     too few files may be open
  5  standard output cannot be written
  6  the proxy cannot continue, such as without sockets
  141  the reader of standard output has gone away

Examples:
  sslprov proxy --listen 127.0.0.1:8080 --plain --to printer.example:443 --insecure \\
      --suites default,legacy
  sslprov proxy --listen '[::]:8443' --key proxy.pem --cert chain.pem --to 192.0.2.7:443 \\
      --ca-file device.pem --server-name device.example
  sslprov proxy --listen 127.0.0.1:8443 --key proxy.pem --to bmc.example:443 --insecure \\
      --suites default,legacy --min-version ssl3 --metrics 127.0.0.1:9100
  curl --cacert chain.pem https://proxy.example:8443/";

/// What all connections share.
struct Shared<'a> {
    args: &'a Args,
    /// Settings of the client of the device, and the name that it sends.
    settings: Arc<ClientSettings>,
    server_name: Option<String>,
    addresses: Addresses,
    sessions: Sessions,
    /// TLS with clients; `None` for plain TCP.
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
    metrics: Arc<Metrics>,
}

impl Shared<'_> {
    /// What may help where a handshake with the device failed.
    fn advice(&self, connection: &ClientConnection) -> Option<String> {
        self.args.client.advice(connection, "--client-key, --client-cert")
    }
}

/// Limits of number, memory and time.
#[derive(Clone, Copy, Debug)]
struct Limits {
    connections: u64,
    /// Bytes that may wait, for each direction of a connection.
    buffer: usize,
    handshake: Duration,
    idle: Duration,
    grace: Duration,
}

/// Runs `sslprov proxy`.
///
/// # Errors
///
/// [`Failure::Usage`] when a file, an option or an address cannot be used, [`Failure::Output`] when
/// standard output cannot be written, [`Failure::Server`] when the proxy cannot continue.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let backend = args.client.backend.choose()?;
    args.keep_key_log_apart()?;
    let tls = args.tls()?;
    let provider = args.client.provider(&backend);
    let (key, cert) = (args.client_key.as_deref(), args.client_cert.as_deref());
    let identity = client::identity(&provider, key, cert, "--client-cert", &args.password)?;
    let (verifier, _) = args.client.verifier(&backend, &args.to)?;
    let addresses = Addresses::of(&args.to)
        .map_err(|error| Failure::usage(format_args!("--to {}: {error}", args.to)))?;
    let limits = args.limits();
    files::allow(limits.connections)?;
    let listener = args.listener()?;
    let metrics = Arc::new(Metrics::default());
    args.serve_metrics(&metrics)?;
    let settings = args.client.settings(provider, args.client.options(), verifier, identity)?;
    let shared = Shared {
        args,
        settings,
        server_name: args.client.sent_name(&args.to).map(str::to_owned),
        addresses,
        sessions: Sessions::new(!args.no_resumption),
        tls,
        limits,
        metrics,
    };
    let server = Server::new(&listener, args.threads()).map_err(Failure::Server)?;
    let address = listener.local_addr().map_err(Failure::Server)?;
    // The threads have handles of their own, and close them when they stop.
    drop(listener);

    let stop = server.stop_handle();
    let stopped = move || {
        systemd::notify("STOPPING=1");
        stop.stop();
    };
    ctrlc::set_handler(stopped).map_err(Failure::usage)?;
    args.announce(address, backend.info().name)?;
    systemd::notify("READY=1");

    let stop = server.stop_handle();
    let reporter = Reporter::new(args.report, || stop.stop());
    let observer = |event: Event<'_>| match event {
        Event::Ended(ended) => reporter.report(|| ended.to_json(), || ended.to_text()),
        Event::CannotAccept(error) => reporter.report(
            || json!({ "event": "cannot accept", "detail": error.to_string() }),
            || format!("cannot accept connections for now: {error}"),
        ),
    };
    server.run(&shared, &observer).map_err(Failure::Server)?;
    reporter.outcome()
}

impl Args {
    /// Checks that the key log is not also an input.
    fn keep_key_log_apart(&self) -> Result<(), Failure> {
        let inputs = [
            ("--key", self.key.as_deref()),
            ("--cert", self.cert.as_deref()),
            ("--client-key", self.client_key.as_deref()),
            ("--client-cert", self.client_cert.as_deref()),
            ("--ca-file", self.client.ca_file.as_deref()),
            ("--external-psk", self.client.external_psk.as_deref()),
            ("--key-password-file", self.password.key_password_file.as_deref()),
        ];
        outputs::keep_apart(&[("--key-log", self.client.key_log())], &inputs)
    }

    /// Returns the configuration of TLS with clients; none for plain TCP.
    fn tls(&self) -> Result<Option<Arc<ServerConfig>>, Failure> {
        match &self.key {
            Some(key) => tls::from_files(key, self.cert.as_deref(), &self.password).map(Some),
            None if self.plain => Ok(None),
            None => Err(Failure::usage(
                "clients speak TLS to the proxy, which needs --key, and --cert unless the key file \
                 has the certificate; with --plain they speak plain TCP",
            )),
        }
    }

    /// Returns the socket that systemd passes, or one at the address of `--listen`.
    fn listener(&self) -> Result<TcpListener, Failure> {
        match (systemd::listener()?, &self.listen) {
            (Some(passed), None) => Ok(passed),
            (Some(_), Some(_)) => Err(Failure::usage(
                "--listen: systemd passes a socket already (LISTEN_FDS); leave one of them out",
            )),
            (None, None) => Err(Failure::usage(
                "no address to listen on: name one with --listen, such as 127.0.0.1:8443",
            )),
            (None, Some(listen)) => bind("--listen", listen),
        }
    }

    fn serve_metrics(&self, metrics: &Arc<Metrics>) -> Result<(), Failure> {
        let Some(address) = &self.metrics else { return Ok(()) };
        let listener = bind("--metrics", address)?;
        let address = listener.local_addr().map_err(Failure::Server)?;
        if !self.report.quiet {
            tell(format_args!("metrics at http://{address}/metrics"));
        }
        let metrics = Arc::clone(metrics);
        // Not joined: it serves as long as the process lives, also while the proxy drains.
        thread::spawn(move || metrics.serve(&listener));
        Ok(())
    }

    fn announce(&self, address: SocketAddr, backend: &str) -> Result<(), Failure> {
        let listening = match self.report.json {
            true => json!({
                "event": "listening",
                "address": address.to_string(),
                "to": self.to.to_string(),
                "tls": !self.plain,
                "backend": backend,
            })
            .to_string(),
            false => format!("listening on {address}"),
        };
        print(listening + "\n")?;
        if self.plain && !address.ip().is_loopback() && !self.report.quiet {
            tell("--plain: this address is reachable from other machines, in the clear");
        }
        if self.client.insecure && !self.report.quiet {
            tell(
                "--insecure: whoever is between the proxy and the device can read and change data",
            );
        }
        Ok(())
    }

    fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections.into(),
            buffer: usize::try_from(self.buffer).unwrap_or(usize::MAX).saturating_mul(1 << 10),
            handshake: Duration::from_secs(self.handshake_timeout),
            idle: Duration::from_secs(self.idle_timeout),
            grace: Duration::from_secs(self.grace),
        }
    }

    fn threads(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, Into::into);
        self.threads.map_or_else(processors, Into::into)
    }
}

/// Listens at the first address of several that can be bound.
fn bind(option: &str, address: &str) -> Result<TcpListener, Failure> {
    let addresses = listen_address::resolve(option, address)?;
    let bound = TcpListener::bind(&addresses[..]).and_then(|listener| {
        lengthen_queue(&listener)?;
        Ok(listener)
    });
    bound.map_err(|error| listen_address::cannot_bind(option, address, &error))
}

/// Lets more connections wait than the 128 of the standard library: a client that finds the queue
/// full tries again after a second only.
#[cfg(unix)]
fn lengthen_queue(listener: &TcpListener) -> io::Result<()> {
    Ok(rustix::net::listen(listener, QUEUE_LEN)?)
}

#[cfg(not(unix))]
fn lengthen_queue(_listener: &TcpListener) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
const QUEUE_LEN: i32 = 1024;
