//! `sslprov connect`: a TLS client that shows what a server negotiates, and carries data.
//! The client is `ssl-provider-lab`; this module has its options, files and reports.

mod certificate;
mod link;
mod report;
mod starttls;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssl_provider::Backend;
use ssl_provider_lab::client::{
    ClientCertificate, ClientConnection, ClientEnding, ClientOptions, ClientSession,
    ClientSettings, EarlyDataStatus, ServerFault,
};
use ssl_provider_lab::{ExportFrom, Zeroizing};

use crate::client::target::{self, Target};
use crate::client::trust::Trust;
use crate::client::{self, ClientArgs};
use crate::connect::link::{Link, Lost};
use crate::connect::report::{Reached, Report};
use crate::connect::starttls::StartTls;
use crate::exit::{Failure, Outcome, print, show, tell};
use crate::key_file::PasswordArgs;
use crate::outputs;

/// Arguments of `sslprov connect`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Server to connect to, such as `device.example:443` or `[::1]:443`
    #[arg(value_name = "HOST:PORT", value_parser = target::parse)]
    pub target: Target,

    /// Ask for TLS in this protocol first
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub starttls: Option<StartTls>,

    /// What the client offers and whom it trusts.
    #[command(flatten)]
    pub client: ClientArgs,

    /// Application protocols to offer (ALPN), such as h2,http/1.1
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub alpn: Vec<String>,

    /// Mark the hello as a retry with a lower version (RFC 7507), which a server that supports a
    /// higher one refuses
    #[arg(long)]
    pub fallback_scsv: bool,

    /// Key file of a client certificate: PEM, DER, PKCS#12 or CNG blob
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// PEM or PKCS#12 file of client certificates, the client's own first. Default: those in the
    /// key file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Connect a second time and resume the session
    #[arg(long)]
    pub resume: bool,

    /// With --resume and --pipe, send this file as early data of TLS 1.3 (0-RTT) on the second
    /// connection, before standard input. Whoever records them can send them to the server again.
    /// What the server does not take is sent after the handshake
    #[arg(long, value_name = "FILE", requires = "resume", requires = "pipe")]
    pub early_data: Option<PathBuf>,

    /// Send standard input to the server, and write what it sends to standard output; the report
    /// goes to standard error. At the end of the input, wait until the server closes
    #[arg(long, short)]
    pub pipe: bool,

    /// With --pipe, close at the end of the input instead of waiting for the server
    #[arg(long, requires = "pipe")]
    pub close_at_end: bool,

    /// Longest time in seconds for connecting, and for the handshake with what comes before it;
    /// with --pipe also the longest silence after the end of the input
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub timeout: u64,

    /// With --pipe, the longest silence in seconds before the end of the input. Default: no limit
    #[arg(long, value_name = "SECONDS", requires = "pipe")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub idle_timeout: Option<u64>,

    /// Show 32 bytes of keying material that are exported under this label (RFC 5705), such as
    /// EXPERIMENTAL-lab; the server has the same. Up to TLS 1.2 only with the extended master
    /// secret
    #[arg(long, value_name = "LABEL", value_parser = client::exporter_label)]
    pub keying_material: Option<String>,

    /// Report as JSON, one line for each connection
    #[arg(long)]
    pub json: bool,

    /// Report nothing but errors, and that secrets are written
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,

    /// The password of the client's key.
    #[command(flatten)]
    pub password: PasswordArgs,
}

const AFTER_HELP: &str = "\
Without --pipe, connects, reports what was negotiated with the certificates of the server, and
closes. With --pipe, works like `openssl s_client -quiet`: standard input goes to the server.

Certificates are verified with the roots of the system, or with --ca-file. One that is not trusted
ends the handshake, and the report shows why; with --insecure the connection goes on.

TLS 1.3 is offered with everything before it. In its report, secure renegotiation and the extended
master secret are always `yes`: it has what they are for. With --resume, the first connection waits
for a ticket of the server, at most two seconds; --early-data needs one that allows early data.

Exit codes:
  0  connected; with --resume, the session was resumed
  1  no connection: it was refused by either side, timed out, or its certificate is not trusted
  2  the arguments or the files that they name are not usable
  3  connected, but the session was not resumed (--resume), or the server cut the data off without
     close_notify (--pipe)
  5  standard output cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov connect www.example.com:443
  sslprov connect 192.0.2.7:443 --insecure --suites default,legacy --max-version tls1.0
  sslprov connect mail.example.com:25 --starttls smtp --json
  sslprov connect device.example:443 --ca-file device.pem --key-log keys.txt --resume
  sslprov connect ldap.example.com:389 --starttls ldap --key me.pem --cert me-chain.pem
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | sslprov connect www.example.com:443 --pipe --quiet";

/// Runs `sslprov connect`.
///
/// # Errors
///
/// [`Failure::Usage`] when a file or an option cannot be used, [`Failure::Output`] when standard
/// output cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let backend = args.client.backend.choose()?;
    let provider = args.client.provider(&backend);
    args.keep_key_log_apart()?;
    let (key, cert) = (args.key.as_deref(), args.cert.as_deref());
    let identity = client::identity(&provider, key, cert, "--cert", &args.password)?;
    let (verifier, trust) = args.client.verifier(&backend, &args.target)?;
    let settings = args.client.settings(provider, args.options(), verifier, identity)?;
    let early_data = args.read_early_data()?;
    let client = Client { args, backend: &backend, settings, trust, early_data };
    client.run()
}

/// How long a ticket of TLS 1.3 is awaited.
const TICKET_WAIT: Duration = Duration::from_secs(2);

/// Most bytes of the file of `--early-data`.
const MAX_EARLY_DATA_LEN: u64 = 1 << 20;

/// A client with its settings.
struct Client<'a> {
    args: &'a Args,
    backend: &'a Backend,
    settings: Arc<ClientSettings>,
    trust: Trust,
    /// What is sent before standard input on the connection that resumes.
    early_data: Vec<u8>,
}

impl Client<'_> {
    fn run(&self) -> Result<Outcome, Failure> {
        let (first, session) = self.connect(None, self.args.pipe && !self.args.resume)?;
        let (Outcome::All, true) = (first, self.args.resume) else { return Ok(first) };
        let Some(session) = session else {
            tell("the server does not let the session be resumed");
            return Ok(Outcome::Some);
        };
        let (second, _) = self.connect(Some(session), self.args.pipe)?;
        // The first connection was good in any case.
        Ok(if second == Outcome::None { Outcome::Some } else { second })
    }

    /// Connects once. Returns the outcome, and the session if it can be resumed.
    fn connect(
        &self,
        session: Option<Arc<ClientSession>>,
        pipes: bool,
    ) -> Result<(Outcome, Option<Arc<ClientSession>>), Failure> {
        let resumes = session.is_some();
        let start = Instant::now();
        let deadline = start + Duration::from_secs(self.args.timeout);
        let name = self.args.client.sent_name(&self.args.target);
        let mut connection = ClientConnection::new(Arc::clone(&self.settings), name, session)
            .map_err(|error| {
                Failure::usage(format_args!(
                    "{}: {error}",
                    self.args.client.name(&self.args.target)
                ))
            })?;
        let data = if resumes { &self.early_data[..] } else { &[] };
        let early = connection.send_early_data(data);
        let mut report = Report::new(&self.args.target, self.backend, &self.trust);
        let mut link = match self.reach(connection, deadline, &mut report) {
            Ok(link) => link,
            Err(why) => {
                self.report(&report, &Reached::Failed(&why, None))?;
                return Ok((Outcome::None, None));
            }
        };
        let handshake = link.handshake(deadline);
        report.duration = start.elapsed();
        // In TLS 1.3, what the server thinks of a client certificate and its tickets come behind
        // the handshake.
        let awaits = link.connection().established().is_some_and(|info| {
            (self.args.resume && !resumes)
                || info.client_certificate != ClientCertificate::NotRequested
        });
        if awaits {
            // The end is seen below.
            let _ = link.await_session(deadline.min(Instant::now() + TICKET_WAIT));
        }
        let connection = link.connection();
        let is_refused = matches!(connection.ending(), Some(ClientEnding::FailedByServer(_)));
        let info = connection.established().cloned().filter(|_| !is_refused);
        let (Ok(()), Some(info)) = (handshake.as_ref(), info) else {
            let why = report::why_failed(connection, handshake.err());
            self.report(&report, &Reached::Failed(&why, Some(connection)))?;
            link.close();
            return Ok((Outcome::None, None));
        };
        let session = connection.session().cloned();
        report.keying_material = self.keying_material(connection);
        self.report(&report, &Reached::Established(&info, session.as_deref()))?;
        let is_resumed = info.resumed.is_some() || !resumes;
        if !is_resumed && !self.args.json {
            tell("the session was not resumed: the server made a new one");
        }
        let is_whole = match pipes {
            true => {
                let taken = match info.early_data {
                    EarlyDataStatus::Accepted => early,
                    _ => 0,
                };
                link.send(data.get(taken..).unwrap_or_default());
                self.pipe(&mut link)?
            }
            false => {
                link.close();
                true
            }
        };
        Ok((if is_resumed && is_whole { Outcome::All } else { Outcome::Some }, session))
    }

    /// Exports the keying material that is shown, in hexadecimal; none where the session may not.
    fn keying_material(&self, connection: &ClientConnection) -> Option<Option<String>> {
        let label = self.args.keying_material.as_deref()?.as_bytes();
        let mut material = Zeroizing::new([0; 32]);
        let from = ExportFrom::default();
        let exported = connection.export_keying_material(from, label, None, &mut *material);
        Some(exported.ok().map(|()| base16ct::lower::encode_string(&*material)))
    }

    /// Connects the socket, and asks for TLS in the protocol that is spoken first.
    fn reach(
        &self,
        connection: ClientConnection,
        deadline: Instant,
        report: &mut Report<'_>,
    ) -> Result<Link, String> {
        let mut stream = self.args.target.connect(deadline)?;
        report.address = stream.peer_addr().ok();
        if let Some(protocol) = self.args.starttls {
            protocol.ask(&mut stream, deadline).map_err(|why| {
                let limit = match why.is_timeout() {
                    true => format!(" within {} s", self.args.timeout),
                    false => String::new(),
                };
                format!("--starttls {protocol}: {why}{limit}")
            })?;
        }
        Link::new(stream, connection).map_err(|error| format!("the socket: {error}"))
    }

    /// Carries data both ways. Returns whether the server ended it with `close_notify`.
    fn pipe(&self, link: &mut Link) -> Result<bool, Failure> {
        let after_input = Duration::from_secs(self.args.timeout);
        let before = self.args.idle_timeout.map(Duration::from_secs);
        let after_input = (!self.args.close_at_end).then_some(after_input);
        match link.pipe(before, after_input) {
            Ok(()) => Ok(true),
            Err(Lost::Output(error)) => Err(Failure::Output(error)),
            Err(lost) => {
                tell(format_args!("{}: {lost}", self.args.target));
                Ok(false)
            }
        }
    }

    /// Shows a report where it belongs: data has standard output for itself.
    fn report(&self, report: &Report<'_>, reached: &Reached<'_>) -> Result<(), Failure> {
        let to_stdout = !self.args.pipe;
        let text = match self.args.json {
            true => report.to_json(reached).to_string() + "\n",
            false => {
                if let Reached::Failed(why, connection) = reached {
                    tell(format_args!("{}: {why}", self.args.target));
                    if let Some(advice) = connection.and_then(|it| self.args.advice(it)) {
                        tell(advice);
                    }
                }
                match self.args.quiet {
                    true => String::new(),
                    false => report.to_text(reached),
                }
            }
        };
        match to_stdout {
            true => print(text)?,
            false if text.is_empty() => {}
            false => show(text.trim_end()),
        }
        Ok(())
    }
}

impl Args {
    /// Checks that the key log is not also an input.
    fn keep_key_log_apart(&self) -> Result<(), Failure> {
        let inputs = [
            ("--key", self.key.as_deref()),
            ("--cert", self.cert.as_deref()),
            ("--ca-file", self.client.ca_file.as_deref()),
            ("--external-psk", self.client.external_psk.as_deref()),
            ("--early-data", self.early_data.as_deref()),
            ("--key-password-file", self.password.key_password_file.as_deref()),
        ];
        outputs::keep_apart(&[("--key-log", self.client.key_log())], &inputs)
    }

    /// Reads the file of `--early-data`; nothing without it.
    fn read_early_data(&self) -> Result<Vec<u8>, Failure> {
        let Some(path) = &self.early_data else { return Ok(Vec::new()) };
        let failure = |why: &dyn fmt::Display| {
            Failure::usage(format_args!("--early-data {}: {why}", path.display()))
        };
        let file = File::open(path).map_err(|error| failure(&error))?;
        let mut data = Vec::new();
        file.take(MAX_EARLY_DATA_LEN + 1)
            .read_to_end(&mut data)
            .map_err(|error| failure(&error))?;
        match data.len() as u64 {
            0 => Err(failure(&"the file is empty")),
            1..=MAX_EARLY_DATA_LEN => Ok(data),
            _ => Err(failure(&format_args!("more than {MAX_EARLY_DATA_LEN} bytes"))),
        }
    }

    fn options(&self) -> ClientOptions {
        ClientOptions {
            protocols: self.alpn.iter().map(|name| name.clone().into_bytes()).collect(),
            fallback: self.fallback_scsv,
            early_data: self.early_data.is_some(),
            ..self.client.options()
        }
    }

    /// What may help where a handshake failed.
    fn advice(&self, connection: &ClientConnection) -> Option<String> {
        match connection.fault() {
            Some(ServerFault::NotTls(_)) if self.starttls.is_none() => {
                Some("--starttls begins TLS in another protocol".to_owned())
            }
            _ => self.client.advice(connection, "--key, --cert"),
        }
    }
}
