//! `sslprov serve`: a TLS server for the lab, whose page shows what was negotiated.
//! The server is `ssl-provider-lab`; this module has its options, files and reports.

mod advice;
mod event;
mod identity;
mod key_server_args;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;
use ssl_provider::{Backend, CipherSuite, KeyLogPolicy, Policy, ProtocolVersion, Provider};
use ssl_provider_lab::{
    ClientAuth, DEFAULT_SUITES, DEFAULT_VERSIONS, DHE_SUITES, ECDHE_SUITES, EarlyData, Event,
    Identity, KeyLog, LEGACY_SUITES, Limits, NamedGroup, Options, Server, SessionCache, Settings,
    TLS13_SUITES,
};

use crate::backend_choice::{BatchArgs, OneBackendArgs};
use crate::client;
use crate::exit::{Failure, Outcome, print, tell};
use crate::external_psk;
use crate::key_file::PasswordArgs;
use crate::key_log;
use crate::listen_address;
use crate::outputs;
use crate::protocol_argument;
use crate::report::{ReportArgs, Reporter};
use crate::serve::advice::Advisor;
use crate::serve::event::{as_json, as_text};
pub use crate::serve::key_server_args::KeyServerArgs;
use crate::suite_argument;

/// Longest duration of a handshake, unless --handshake-timeout gives one.
const HANDSHAKE_SECONDS: u64 = 10;

/// How many sessions can be resumed.
const SESSIONS: usize = 4096;

/// Arguments of `sslprov serve`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Address to listen on; with port 0, any free port, which is printed
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4433")]
    pub listen: String,

    /// Key file of the server: PEM, DER, PKCS#12 or CNG blob. Default: a key and a certificate are
    /// generated, and discarded when the server stops
    #[arg(long, short, value_name = "FILE", group = "private_key")]
    pub key: Option<PathBuf>,

    /// Where the key is, if it is in no file.
    #[command(flatten)]
    pub key_server: KeyServerArgs,

    /// PEM or PKCS#12 file of certificates, the server's own first. Default: those in the key file
    #[arg(long, value_name = "FILE", requires = "private_key")]
    pub cert: Option<PathBuf>,

    /// Key file of a second certificate with a key on P-256, P-384 or P-521, for the ECDHE_ECDSA
    /// suites: PEM, DER or PKCS#12. Without --key it is the only one
    #[arg(long, value_name = "FILE")]
    pub ecdsa_key: Option<PathBuf>,

    /// PEM or PKCS#12 file of the certificates of --ecdsa-key. Default: those in the key file
    #[arg(long, value_name = "FILE", requires = "ecdsa_key")]
    pub ecdsa_cert: Option<PathBuf>,

    /// Key exchanges in order of preference. RSA key exchange has no forward secrecy; this server
    /// exists for it, so the others are used on request only, and TLS 1.3 with `ecdhe`. `ecdhe` and
    /// `dhe` sign with the key of the certificate, for which a key server has no operation
    #[arg(long, value_enum, value_name = "KIND,…", value_delimiter = ',', default_value = "rsa")]
    pub key_exchange: Vec<Exchange>,

    /// Protocol versions to accept. Default: TLS 1.0 to 1.2; and TLS 1.3 where --key-exchange has
    /// ecdhe or --suites names a suite of it
    #[arg(long, value_name = "VERSION,…", value_delimiter = ',')]
    #[arg(value_parser = protocol_argument::of_server)]
    pub versions: Vec<ProtocolVersion>,

    /// Accept SSL 3.0 too
    #[arg(long)]
    pub allow_ssl3: bool,

    /// Cipher suites in order of preference, by hex number or name, as far as --key-exchange has
    /// them, and those of TLS 1.3; `default` means those with AES, Camellia and ChaCha20, `legacy`
    /// those with RSA key exchange and 3DES, RC4, DES and no encryption
    #[arg(long, value_name = "SUITE,…", value_delimiter = ',', default_value = "default")]
    #[arg(value_parser = suites)]
    pub suites: Vec<SuiteList>,

    /// Groups of TLS 1.3 in order of preference, such as x25519,secp256r1; hybrid ones come first
    /// in any case. A client without a public key for one of them gets a HelloRetryRequest.
    /// Default: those of `connect`
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',', value_parser = client::group)]
    pub groups: Vec<NamedGroup>,

    /// Request a certificate from clients. The client must have its key; the issuer is not checked.
    /// Never requested in SSL 3.0
    #[arg(long, value_enum, value_name = "MODE", default_value_t)]
    pub client_auth: AskForCertificate,

    /// Do not negotiate the extended master secret (RFC 7627)
    #[arg(long)]
    pub no_ems: bool,

    /// Do not negotiate encrypt-then-MAC (RFC 7366)
    #[arg(long)]
    pub no_etm: bool,

    /// Do not resume sessions by session id
    #[arg(long)]
    pub no_resumption: bool,

    /// How long a session can be resumed, in seconds, by session id or ticket
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub session_lifetime: u64,

    /// Let clients renegotiate that support secure renegotiation (RFC 5746). By default all are
    /// declined
    #[arg(long)]
    pub renegotiation: bool,

    /// Issue session tickets (RFC 5077) to clients that ask for one; in TLS 1.3, there is no other
    /// way to resume. Keys of tickets stay in this process, and are replaced after the lifetime of
    /// a session
    #[arg(long)]
    pub tickets: bool,

    /// File with pre-shared keys for TLS 1.3, one in a line: its name, the key in hex, of at least
    /// 16 bytes, and sha256 or sha384 (default: sha256). They stand for certificates on both sides
    #[arg(long, value_name = "FILE")]
    pub external_psk: Option<PathBuf>,

    /// Accept so many bytes of early data of TLS 1.3 (0-RTT) on a connection that resumes. Whoever
    /// records them can send them once more to another process, and to this one after the window;
    /// the page takes no harm from that
    #[arg(long, value_name = "BYTES", requires = "tickets")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=0xffff))]
    pub early_data: Option<u32>,

    /// For how many seconds a client may be late, or its clock differ, for its early data to be
    /// accepted; what is sent again within this time is recognized
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "early_data")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=60))]
    pub early_data_window: u64,

    /// Application protocols in order of preference (RFC 7301), such as http/1.1, which the page
    /// takes. Clients that offer others only are refused. Default: the extension is ignored
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = application_protocol)]
    pub alpn: Vec<String>,

    /// Show in /session.json 32 bytes of keying material that are exported under this label
    /// (RFC 5705), such as EXPERIMENTAL-lab; the client has the same. Up to TLS 1.2 only with the
    /// extended master secret
    #[arg(long, value_name = "LABEL", value_parser = client::exporter_label)]
    pub keying_material: Option<String>,

    /// Append the secrets of each session to this file, as an NSS key log
    #[arg(long, value_name = "FILE", alias = "key-log", env = "SSLKEYLOGFILE")]
    pub keylog: Option<PathBuf>,

    /// Worker threads. Default: one for each processor, and with --key-server at least 8
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: Option<u16>,

    /// Longest duration of a connection, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: u64,

    /// Longest duration of a handshake, in seconds, at most --timeout. Default: 10, or --timeout if
    /// that is shorter
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub handshake_timeout: Option<u64>,

    /// Stop after one connection
    #[arg(long, conflicts_with = "max_connections")]
    pub once: bool,

    /// Stop after this many connections
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_connections: Option<u64>,

    /// The reports.
    #[command(flatten)]
    pub report: ReportArgs,

    /// The backend.
    #[command(flatten)]
    pub backend: OneBackendArgs,

    /// Batches of private operations.
    #[command(flatten)]
    pub batches: BatchArgs,

    /// The password of the key.
    #[command(flatten)]
    pub password: PasswordArgs,
}

const AFTER_HELP: &str = "\
This server is for tests, captures and old devices in a lab, not for the internet: RSA key exchange
has no forward secrecy, so whoever gets the key can decrypt recorded sessions. With --key-exchange
ecdhe,dhe,rsa it prefers ephemeral keys, and RSA key exchange is left to clients without them.

The page is at /, as text at /plain and as JSON at /session.json. Standard output has a line
`listening on ADDRESS`; with --json it has a line for each event, `listening` first. Without --json,
events are on standard error.

How a connection ends:
  closed            with close_notify
  refused           by this server; with the reason if it was visible in the clear, and the option
                    that helps, if any
  failed by client  the client sent a fatal alert
  lost              the client disconnected without close_notify
  timed out         the connection took longer than --timeout, or the handshake than
                    --handshake-timeout

Exit codes:
  0  the server was stopped (SIGINT, SIGTERM), or has served the requested number of connections
  2  the arguments are not usable, the address cannot be bound, or too few files may be open
  5  standard output cannot be written
  6  the server cannot continue, such as without sockets
  141  the reader of standard output has gone away

Examples:
  sslprov serve
  sslprov serve --key server.pem --cert chain.pem --keylog keys.txt --listen 127.0.0.1:0
  sslprov serve --versions tls1.2 --suites 0x009c,TLS_RSA_WITH_AES_128_CBC_SHA --backend openssl
  sslprov serve --allow-ssl3 --suites default,legacy
  sslprov serve --key-exchange ecdhe,dhe,rsa --ecdsa-key ec.pem --ecdsa-cert ec-chain.pem
  sslprov serve --key-exchange ecdhe,rsa --alpn http/1.1 --tickets
  sslprov serve --versions tls1.3 --tickets --early-data 4096
  sslprov serve --external-psk keys.psk
  sslprov serve --key-server /run/user/1000/keys.sock --cert chain.pem    (on Linux)
  curl -k --ciphers 'kRSA:@SECLEVEL=0' --tlsv1.0 --tls-max 1.2 https://127.0.0.1:4433/plain";

/// The values of `--client-auth`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum AskForCertificate {
    /// Do not request a certificate
    #[default]
    None,
    /// Request a certificate, and accept clients without one
    Request,
    /// Require a certificate
    Require,
}

impl From<AskForCertificate> for ClientAuth {
    fn from(asks: AskForCertificate) -> Self {
        match asks {
            AskForCertificate::None => Self::None,
            AskForCertificate::Request => Self::Request,
            AskForCertificate::Require => Self::Require,
        }
    }
}

/// The values of `--key-exchange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Exchange {
    /// The client encrypts the premaster secret to the server's key
    Rsa,
    /// Ephemeral keys on curves: X25519, P-256, P-384, P-521, and what else the backend has
    Ecdhe,
    /// Ephemeral keys in the finite fields of RFC 7919
    Dhe,
}

impl Exchange {
    /// Whether a suite exchanges keys like this.
    fn has(self, suite: CipherSuite) -> bool {
        suite.info().is_some_and(|suite| match self {
            Self::Rsa => suite.key_exchange.is_rsa(),
            Self::Ecdhe => suite.key_exchange.is_ecdhe(),
            Self::Dhe => suite.key_exchange.is_dhe(),
        })
    }

    fn default_suites(self) -> &'static [CipherSuite] {
        match self {
            Self::Rsa => &DEFAULT_SUITES,
            Self::Ecdhe => &ECDHE_SUITES,
            Self::Dhe => &DHE_SUITES,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ecdhe => "ecdhe",
            Self::Dhe => "dhe",
        }
    }
}

/// One value of `--suites`.
#[derive(Clone, Copy, Debug)]
pub enum SuiteList {
    /// Those that are enabled without the option.
    Default,
    /// Those for old devices.
    Legacy,
    /// One suite.
    One(CipherSuite),
}

fn suites(text: &str) -> Result<SuiteList, String> {
    match text {
        "default" => Ok(SuiteList::Default),
        "legacy" => Ok(SuiteList::Legacy),
        other => suite_argument::of_list(other).map(SuiteList::One),
    }
}

/// Whether TLS 1.3 has the suite.
fn is_tls13(suite: CipherSuite) -> bool {
    suite.info().is_some_and(|suite| suite.allows(ProtocolVersion::TLS1_3))
}

fn application_protocol(text: &str) -> Result<String, String> {
    match text.len() {
        1..=255 => Ok(text.to_owned()),
        len => Err(format!("expected a name of 1 to 255 bytes, such as http/1.1, got {len} bytes")),
    }
}

/// Runs `sslprov serve`.
///
/// # Errors
///
/// [`Failure::Usage`] when a file, an option or the address cannot be used, [`Failure::Output`]
/// when standard output cannot be written, [`Failure::Server`] when the server cannot continue.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let backend = args.backend()?;
    let provider = Provider::open(&backend).with_policy(Policy {
        legacy_ssl3: args.allow_ssl3,
        key_log: match args.keylog() {
            Some(_) => KeyLogPolicy::Allowed,
            None => KeyLogPolicy::Denied,
        },
        ..Policy::default()
    });
    args.keep_key_log_apart()?;
    let limits = args.limits()?;
    let mut options = args.options()?;
    if let Some(path) = &args.external_psk {
        options.external_psks = external_psk::read(&provider, path)?;
    }
    let advisor = args.advisor(backend.info().name, &options);
    let addresses = listen_address::resolve("--listen", &args.listen)?;
    let identity = args.identity(&provider, &options.suites)?;
    let key_log = args.open_key_log()?;
    let settings = args.settings(provider, identity, options, key_log)?;
    let server = Server::bind(&addresses[..], settings, limits)
        .map_err(|error| listen_address::cannot_bind("--listen", &args.listen, &error))?;
    let address = server.local_address().map_err(Failure::Server)?;
    if args.generates() && !args.report.quiet {
        tell("generated a 2048-bit key and a certificate for localhost, for this run only");
    }

    let stop = server.stop_handle();
    ctrlc::set_handler(move || stop.stop()).map_err(Failure::usage)?;
    let listening = if args.report.json {
        let listening = json!({
            "event": "listening",
            "address": address.to_string(),
            "backend": backend.info().name,
            "library": backend.info().library,
        });
        listening.to_string()
    } else {
        format!("listening on {address}")
    };
    print(listening + "\n")?;
    if !address.ip().is_loopback() && !args.report.quiet {
        tell("this address is reachable from other machines; this server is for use in a lab only");
    }

    let stop = server.stop_handle();
    let reporter = Reporter::new(args.report, || stop.stop());
    let observer = |event: Event<'_>| {
        reporter.report(|| as_json(event, &advisor), || as_text(event, &advisor));
    };
    server.run(&observer).map_err(Failure::Server)?;
    reporter.outcome()
}

impl Args {
    fn backend(&self) -> Result<Backend, Failure> {
        Ok(self.batches.around(self.backend.choose()?))
    }

    /// Returns the path of the key log; an empty variable counts as not set.
    fn keylog(&self) -> Option<&Path> {
        self.keylog.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Checks that the key log is not also an input.
    fn keep_key_log_apart(&self) -> Result<(), Failure> {
        let inputs = [
            ("--key", self.key.as_deref()),
            ("--cert", self.cert.as_deref()),
            ("--ecdsa-key", self.ecdsa_key.as_deref()),
            ("--ecdsa-cert", self.ecdsa_cert.as_deref()),
            ("--external-psk", self.external_psk.as_deref()),
            ("--key-password-file", self.password.key_password_file.as_deref()),
        ];
        outputs::keep_apart(&[("--keylog", self.keylog())], &inputs)
    }

    /// Whether no key is given, so that one is generated.
    fn generates(&self) -> bool {
        self.key.is_none() && self.cert.is_none() && self.ecdsa_key.is_none()
    }

    fn options(&self) -> Result<Options, Failure> {
        let mut versions = self.versions.clone();
        if versions.is_empty() {
            let wants_tls13 = self.wants_tls13();
            let is_wanted =
                |version: &ProtocolVersion| *version != ProtocolVersion::TLS1_3 || wants_tls13;
            versions.extend(DEFAULT_VERSIONS.into_iter().filter(is_wanted));
            versions.extend(self.allow_ssl3.then_some(ProtocolVersion::SSL3));
        }
        if versions.contains(&ProtocolVersion::SSL3) && !self.allow_ssl3 {
            return Err(Failure::usage("--versions: SSL 3.0 also needs --allow-ssl3"));
        }
        self.check_signer()?;
        let suites = self.suites(versions.contains(&ProtocolVersion::TLS1_3));
        if let (true, Some((name, exchange))) = (suites.is_empty(), self.missing_exchange()) {
            let exchange = exchange.name();
            let text = format_args!("--suites: {name} needs --key-exchange {exchange}");
            return Err(Failure::usage(text));
        }
        let defaults = Options::default();
        Ok(Options {
            versions,
            suites,
            extended_master_secret: !self.no_ems,
            encrypt_then_mac: !self.no_etm,
            client_auth: self.client_auth.into(),
            renegotiation: self.renegotiation,
            session_tickets: self.tickets.then_some(self.session_lifetime()),
            application_protocols: self.alpn.clone(),
            exported_label: self.keying_material.clone(),
            early_data: self.early_data.map(|max_len| EarlyData {
                max_len,
                window: Duration::from_secs(self.early_data_window),
            }),
            groups: match self.groups.is_empty() {
                true => defaults.groups,
                false => self.groups.clone(),
            },
            ..defaults
        })
    }

    /// Whether TLS 1.3 is a version by default: this server exists for RSA key exchange, which that
    /// does not have.
    fn wants_tls13(&self) -> bool {
        self.external_psk.is_some()
            || self.key_exchange.contains(&Exchange::Ecdhe)
            || self.suites.iter().any(|it| matches!(it, SuiteList::One(suite) if is_tls13(*suite)))
    }

    fn session_lifetime(&self) -> Duration {
        Duration::from_secs(self.session_lifetime)
    }

    fn open_key_log(&self) -> Result<Option<KeyLog>, Failure> {
        self.keylog().map(|path| key_log::open("--keylog", path)).transpose()
    }

    fn settings(
        &self,
        provider: Provider,
        identity: Identity,
        options: Options,
        key_log: Option<KeyLog>,
    ) -> Result<Arc<Settings>, Failure> {
        let versions = options.versions.clone();
        let has_older = versions.iter().any(|version| *version < ProtocolVersion::TLS1_3);
        let sessions =
            (!self.no_resumption).then(|| SessionCache::new(SESSIONS, self.session_lifetime()));
        let settings =
            Settings::new(provider, identity, options, sessions, key_log).map_err(|error| {
                Failure::usage(format_args!("{error}; see `sslprov suites` and `backends`"))
            })?;
        // Nobody asked for TLS 1.3 by its name.
        let is_asked = |version: &ProtocolVersion| {
            *version != ProtocolVersion::TLS1_3 || !self.versions.is_empty()
        };
        for version in versions.into_iter().filter(is_asked) {
            if !settings.usable().iter().any(|(usable, _)| *usable == version) && !self.report.quiet
            {
                tell(format_args!("{version}: none of the suites is usable"));
            }
        }
        // TLS 1.3 has a key exchange of its own.
        let exchanges = self.key_exchange.iter().filter(|_| has_older);
        for exchange in exchanges {
            let mut usable = settings.usable().iter().flat_map(|(_, suites)| suites);
            if !usable.any(|suite| exchange.has(suite.id)) && !self.report.quiet {
                let name = exchange.name();
                tell(format_args!(
                    "--key-exchange {name}: none of its suites is usable with this key, this \
                     certificate and this backend"
                ));
            }
        }
        Ok(settings)
    }

    /// Returns the suites of the key exchanges, and of TLS 1.3.
    fn suites(&self, with_tls13: bool) -> Vec<CipherSuite> {
        let exchanges = &self.key_exchange;
        let listed = self.suites.iter().flat_map(|list| match list {
            SuiteList::Default => {
                let older = exchanges.iter().flat_map(|it| it.default_suites());
                TLS13_SUITES.iter().chain(older).collect()
            }
            SuiteList::Legacy => LEGACY_SUITES.iter().collect(),
            SuiteList::One(suite) => vec![suite],
        });
        let is_enabled = |suite: &CipherSuite| match is_tls13(*suite) {
            true => with_tls13,
            false => exchanges.iter().any(|it| it.has(*suite)),
        };
        listed.copied().filter(is_enabled).collect()
    }

    /// Checks that a key exchange that is signed has a key for that, which a key server is not.
    fn check_signer(&self) -> Result<(), Failure> {
        let lacks_signer = |exchange: &&Exchange| match exchange {
            Exchange::Rsa => false,
            Exchange::Ecdhe => self.ecdsa_key.is_none(),
            Exchange::Dhe => true,
        };
        match self.key_exchange.iter().find(lacks_signer).filter(|_| self.key_server.is_given()) {
            None => Ok(()),
            Some(exchange) => Err(Failure::usage(format_args!(
                "--key-exchange {}: a key server does not sign; use --key, or rsa alone",
                exchange.name()
            ))),
        }
    }

    /// Returns the first of `--suites` with a key exchange that is off, and that key exchange.
    fn missing_exchange(&self) -> Option<(String, Exchange)> {
        let all = [Exchange::Rsa, Exchange::Ecdhe, Exchange::Dhe];
        let named = self.suites.iter().find_map(|list| match list {
            SuiteList::Default => None,
            SuiteList::Legacy => Some(("legacy".to_owned(), Exchange::Rsa)),
            SuiteList::One(suite) => {
                let exchange = all.into_iter().find(|exchange| exchange.has(*suite))?;
                Some((suite.to_string(), exchange))
            }
        });
        named.filter(|(_, exchange)| !self.key_exchange.contains(exchange))
    }

    fn advisor(&self, backend: &'static str, options: &Options) -> Advisor {
        let (versions, suites) = (options.versions.clone(), options.suites.clone());
        let exchanges = self.key_exchange.clone();
        let has_ecdsa_key = self.generates() || self.ecdsa_key.is_some();
        let allow_ssl3 = self.allow_ssl3;
        Advisor { backend, versions, suites, exchanges, has_ecdsa_key, allow_ssl3 }
    }

    /// One thread for each processor; with a key server more, which wait for its replies.
    fn default_threads(&self) -> usize {
        let processors = Limits::default().threads;
        if self.key_server.is_given() { processors.max(8) } else { processors }
    }

    fn limits(&self) -> Result<Limits, Failure> {
        let default = Limits::default();
        let connection = self.timeout;
        let handshake = match self.handshake_timeout {
            Some(longer) if longer > connection => {
                return Err(Failure::usage(format_args!(
                    "--handshake-timeout {longer} is above --timeout {connection}"
                )));
            }
            given => given.unwrap_or(HANDSHAKE_SECONDS.min(connection)),
        };
        Ok(Limits {
            threads: self.threads.map_or_else(|| self.default_threads(), Into::into),
            connection: Duration::from_secs(connection),
            handshake: Duration::from_secs(handshake),
            total: if self.once { Some(1) } else { self.max_connections },
            ..default
        })
    }
}
