//! `sslprov connect`: a TLS client that shows what a server negotiates, and carries data.
//! The client is `ssl-provider-lab`; this module has its options, files and reports.

mod certificate;
mod link;
mod report;
mod starttls;
mod target;
mod trust;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssl_provider::{Backend, CipherSuite, KeyLogPolicy, Policy, ProtocolVersion, Provider};
use ssl_provider_lab::client::{
    ClientConnection, ClientIdentity, ClientOptions, ClientSession, ClientSettings, DEFAULT_GROUPS,
    default_client_suites, legacy_client_suites,
};
use ssl_provider_lab::{KeyLog, NamedGroup};

use crate::backend_choice::OneBackendArgs;
use crate::connect::link::{Link, Lost};
use crate::connect::report::{Reached, Report};
use crate::connect::starttls::StartTls;
use crate::connect::target::Target;
use crate::connect::trust::{Roots, Trust, Verifier};
use crate::exit::{Failure, Outcome, print, show, tell};
use crate::key_file::{self, Fault, KeyFileError, PasswordArgs};
use crate::serve::warn_of_readers;
use crate::{outputs, protocol_argument, suite_argument};

/// Arguments of `sslprov connect`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Server to connect to, such as `device.example:443` or `[::1]:443`
    #[arg(value_name = "HOST:PORT", value_parser = target::parse)]
    pub target: Target,

    /// Name to send and to look for in the certificate, in place of HOST
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// Do not send the name of the server
    #[arg(long)]
    pub no_server_name: bool,

    /// Ask for TLS in this protocol first
    #[arg(long, value_enum, value_name = "PROTOCOL")]
    pub starttls: Option<StartTls>,

    /// Lowest version to accept; ssl3 has to be asked for
    #[arg(long, value_name = "VERSION", default_value = "tls1.0")]
    #[arg(value_parser = protocol_argument::known)]
    pub min_version: ProtocolVersion,

    /// Highest version to offer
    #[arg(long, value_name = "VERSION", default_value = "tls1.2")]
    #[arg(value_parser = protocol_argument::known)]
    pub max_version: ProtocolVersion,

    /// Cipher suites in order of preference, by hex number or name; `default` means those with AES,
    /// ChaCha20 and Camellia, `legacy` those with 3DES, RC4, DES and no encryption
    #[arg(long, value_name = "SUITE,…", value_delimiter = ',', default_value = "default")]
    #[arg(value_parser = suites)]
    pub suites: Vec<SuiteList>,

    /// Groups in order of preference, such as x25519,secp256r1,ffdhe2048. Default: X25519, P-256,
    /// P-384, P-521, and ffdhe2048 to ffdhe4096
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',', value_parser = group)]
    pub groups: Vec<NamedGroup>,

    /// Application protocols to offer (ALPN), such as h2,http/1.1
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub alpn: Vec<String>,

    /// Do not offer the extended master secret (RFC 7627)
    #[arg(long)]
    pub no_ems: bool,

    /// Do not offer encrypt-then-MAC (RFC 7366)
    #[arg(long)]
    pub no_etm: bool,

    /// Do not offer session tickets (RFC 5077); sessions are then resumed by id
    #[arg(long)]
    pub no_tickets: bool,

    /// Mark the hello as a retry with a lower version (RFC 7507), which a server that supports a
    /// higher one refuses
    #[arg(long)]
    pub fallback_scsv: bool,

    /// PEM file of certificates to trust, in place of the system's. The server's own may be one
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Go on with a certificate that is not trusted, and show why it is not. Its key must still fit
    /// the suite and sign
    #[arg(long)]
    pub insecure: bool,

    /// Key file of a client certificate: PEM, DER, PKCS#12 or CNG blob
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// PEM or PKCS#12 file of client certificates, the client's own first. Default: those in the
    /// key file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,

    /// Append the master secret of each session to this file, as an NSS key log
    #[arg(long, value_name = "FILE", alias = "keylog", env = "SSLKEYLOGFILE")]
    pub key_log: Option<PathBuf>,

    /// Connect a second time and resume the session
    #[arg(long)]
    pub resume: bool,

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

    /// Report as JSON, one line for each connection
    #[arg(long)]
    pub json: bool,

    /// Report nothing but errors, and that secrets are written
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,

    /// The backend.
    #[command(flatten)]
    pub backend: OneBackendArgs,

    /// The password of the client's key.
    #[command(flatten)]
    pub password: PasswordArgs,
}

const AFTER_HELP: &str = "\
Without --pipe, connects, reports what was negotiated with the certificates of the server, and
closes. With --pipe, works like `openssl s_client -quiet`: standard input goes to the server.

Certificates are verified with the roots of the system, or with --ca-file. One that is not trusted
ends the handshake, and the report shows why; with --insecure the connection goes on.

Versions end at TLS 1.2: a server with TLS 1.3 only sends the alert protocol_version. Whether it has
secure renegotiation, the extended master secret and others is in the report.

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

/// The suites that one value of `--suites` stands for.
#[derive(Clone, Debug)]
pub struct SuiteList(Vec<CipherSuite>);

fn suites(text: &str) -> Result<SuiteList, String> {
    match text {
        "default" => Ok(SuiteList(default_client_suites().collect())),
        "legacy" => Ok(SuiteList(legacy_client_suites().collect())),
        other => suite_argument::suite(other).map(|suite| SuiteList(vec![suite])),
    }
}

/// Finds a group by its name in the registry, or the one that people use.
fn group(text: &str) -> Result<NamedGroup, String> {
    const OTHER_NAMES: [(&str, &str); 4] = [
        ("p-256", "secp256r1"),
        ("p-384", "secp384r1"),
        ("p-521", "secp521r1"),
        ("prime256v1", "secp256r1"),
    ];
    let wanted = text.to_ascii_lowercase();
    let other = OTHER_NAMES.into_iter().find(|(other, _)| *other == wanted);
    let wanted = other.map_or(wanted.as_str(), |(_, name)| name);
    NamedGroup::all().find(|group| group.name().eq_ignore_ascii_case(wanted)).ok_or_else(|| {
        let names: Vec<_> = NamedGroup::all().map(NamedGroup::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// Runs `sslprov connect`.
///
/// # Errors
///
/// [`Failure::Usage`] when a file or an option cannot be used, [`Failure::Output`] when standard
/// output cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let backend = args.backend.choose()?;
    let provider = Provider::open(&backend).with_policy(Policy {
        legacy_ssl3: args.min_version == ProtocolVersion::SSL3,
        key_log: match args.key_log() {
            Some(_) => KeyLogPolicy::Allowed,
            None => KeyLogPolicy::Denied,
        },
        ..Policy::default()
    });
    args.keep_key_log_apart()?;
    let identity = args.identity(&provider)?;
    let (verifier, trust) = args.verifier(&backend)?;
    let key_log = args.open_key_log()?;
    let options = args.options();
    let settings = ClientSettings::new(provider, options, Box::new(verifier), identity, key_log)
        .map_err(|error| {
            Failure::usage(format_args!("{error}; see `sslprov suites` and `backends`"))
        })?;
    let client = Client { args, backend: &backend, settings, trust };
    client.run()
}

/// A client with its settings.
struct Client<'a> {
    args: &'a Args,
    backend: &'a Backend,
    settings: Arc<ClientSettings>,
    trust: Trust,
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
        let name = self.args.server_name();
        let connection = ClientConnection::new(Arc::clone(&self.settings), name, session)
            .map_err(|error| Failure::usage(format_args!("{}: {error}", self.args.name())))?;
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
        let connection = link.connection();
        let (Ok(()), Some(info)) = (handshake.as_ref(), connection.established().cloned()) else {
            let why = report::why_failed(connection, handshake.err());
            self.report(&report, &Reached::Failed(&why, Some(connection)))?;
            link.close();
            return Ok((Outcome::None, None));
        };
        let session = connection.session().cloned();
        self.report(&report, &Reached::Established(&info, session.as_deref()))?;
        let is_resumed = info.resumed.is_some() || !resumes;
        if !is_resumed && !self.args.json {
            tell("the session was not resumed: the server made a new one");
        }
        let is_whole = match pipes {
            true => self.pipe(&mut link)?,
            false => {
                link.close();
                true
            }
        };
        Ok((if is_resumed && is_whole { Outcome::All } else { Outcome::Some }, session))
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
            protocol.ask(&mut stream, deadline).map_err(|why| format!("--starttls: {why}"))?;
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
    /// Returns the path of the key log; an empty variable counts as not set.
    fn key_log(&self) -> Option<&Path> {
        self.key_log.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Checks that the key log is not also an input.
    fn keep_key_log_apart(&self) -> Result<(), Failure> {
        let inputs = [
            ("--key", self.key.as_deref()),
            ("--cert", self.cert.as_deref()),
            ("--ca-file", self.ca_file.as_deref()),
            ("--key-password-file", self.password.key_password_file.as_deref()),
        ];
        outputs::keep_apart(&[("--key-log", self.key_log())], &inputs)
    }

    /// The name that the certificate must have.
    fn name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.target.host)
    }

    /// The name that is sent.
    fn server_name(&self) -> Option<&str> {
        (!self.no_server_name).then(|| self.name())
    }

    fn options(&self) -> ClientOptions {
        ClientOptions {
            versions: self.min_version..=self.max_version,
            suites: self.suites.iter().flat_map(|list| &list.0).copied().collect(),
            groups: match self.groups.is_empty() {
                true => DEFAULT_GROUPS.to_vec(),
                false => self.groups.clone(),
            },
            protocols: self.alpn.iter().map(|name| name.clone().into_bytes()).collect(),
            extended_master_secret: !self.no_ems,
            encrypt_then_mac: !self.no_etm,
            session_tickets: !self.no_tickets,
            fallback: self.fallback_scsv,
            check_key_usage: !self.insecure,
        }
    }

    fn identity(&self, provider: &Provider) -> Result<Option<ClientIdentity>, Failure> {
        let Some(path) = &self.key else { return Ok(None) };
        let password = self.password.password()?;
        let failure = |path: &Path, why: &dyn std::fmt::Display| {
            Failure::usage(format_args!("{}: {why}", path.display()))
        };
        let key = match key_file::read_key(path, &password) {
            // Another kind of key: one on a curve, unless that is not found either.
            Err(KeyFileError { fault: Fault::NoRsaKey { .. }, .. }) => {
                key_file::read_ec_key(path, &password)?
            }
            other => other?,
        };
        let key = provider.load_signing_key(&key.der).map_err(|error| failure(path, &error))?;
        let cert = self.cert.as_deref().unwrap_or(path);
        let chain = key_file::read_certificates(cert, &password)?;
        if chain.is_empty() {
            let why = "no certificate in the file; add one with --cert";
            return Err(failure(cert, &why));
        }
        let identity = ClientIdentity::new(provider, key, chain);
        identity.map(Some).map_err(|error| failure(cert, &error))
    }

    fn verifier(&self, backend: &Backend) -> Result<(Verifier, Trust), Failure> {
        let roots = match &self.ca_file {
            Some(path) => {
                let certificates = key_file::read_certificates(path, &key_file::Password(None))?;
                if certificates.is_empty() {
                    let file = path.display();
                    return Err(Failure::usage(format_args!("{file}: no certificate in PEM")));
                }
                Roots::of(certificates)
            }
            None => Roots::of_system(),
        };
        Ok(Verifier::new(backend.clone(), roots, self.name(), self.insecure))
    }

    fn open_key_log(&self) -> Result<Option<KeyLog>, Failure> {
        let Some(path) = self.key_log() else { return Ok(None) };
        let key_log = KeyLog::append_to(path).map_err(|error: io::Error| {
            Failure::usage(format_args!("--key-log {}: {error}", path.display()))
        })?;
        // With --quiet too: the environment variable may have been set long ago.
        tell(format_args!("writing the master secrets of all sessions to {}", path.display()));
        warn_of_readers(path, &key_log)?;
        Ok(Some(key_log))
    }
}
