//! `sslprov import`: one RSA key exchange from arguments, or many from a batch of JSON.
//! Each is imported with `Provider::import_master_key`; each result is one line of JSON.

mod answer;
mod batch;
mod exchange;
mod keys;
mod pipeline;
mod questions;

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::thread;

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use ssl_provider::{CipherSuite, Policy, PremasterVersion, ProtocolVersion};

use crate::backend_choice::BackendArgs;
use crate::exit::{Failure, Outcome, print, tell};
use crate::key_file::{PasswordArgs, not_usable};
use crate::protocol_argument;
use crate::suite_argument;

use self::answer::{Answer, Importer, Tally};
use self::exchange::{Exchange, Fields, Problem};
use self::keys::Keys;
pub(crate) use self::questions::read_all;

/// Arguments of `sslprov import`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Import every exchange of a JSON file, or of standard input: JSON lines or one array of
    /// objects. Fields, all strings: version, suite_id, client_version (in hex or by name),
    /// client_random, server_random, session_hash, encrypted_premaster (in hex), and key, the path
    /// of a key file relative to the batch file. An empty session_hash or encrypted_premaster
    /// counts as absent. Other fields are ignored
    #[arg(long, value_name = "FILE|-")]
    #[arg(conflicts_with_all = ["protocol", "suite", "client_version", "client_random",
        "server_random", "session_hash", "encrypted_premaster"])]
    pub batch: Option<PathBuf>,

    /// Key file of the server: PEM, DER, PKCS#12 or CNG blob. With --batch, the key for exchanges
    /// without a `key` field
    #[arg(long, short, value_name = "FILE", required_unless_present = "batch")]
    pub key: Option<PathBuf>,

    /// Negotiated protocol: its number in hex such as 0303, or a name such as tls1.2
    #[arg(
        long,
        value_name = "VERSION",
        value_parser = protocol_argument::version,
        required_unless_present = "batch"
    )]
    pub protocol: Option<ProtocolVersion>,

    /// Negotiated cipher suite: its number in hex such as 0x002f, or its name
    #[arg(
        long,
        value_name = "SUITE",
        value_parser = suite_argument::suite,
        required_unless_present = "batch"
    )]
    pub suite: Option<CipherSuite>,

    /// Version in the ClientHello, which the premaster secret must repeat: a number or a name.
    /// Default: the negotiated version
    #[arg(long, value_name = "VERSION", value_parser = protocol_argument::version)]
    pub client_version: Option<ProtocolVersion>,

    /// Random of the ClientHello, 32 bytes
    #[arg(long, value_name = "HEX", required_unless_present_any = ["session_hash", "batch"])]
    pub client_random: Option<String>,

    /// Random of the ServerHello, 32 bytes
    #[arg(long, value_name = "HEX", required_unless_present_any = ["session_hash", "batch"])]
    pub server_random: Option<String>,

    /// Session hash of RFC 7627, 32, 36 or 48 bytes; selects the extended master secret
    #[arg(long, value_name = "HEX")]
    pub session_hash: Option<String>,

    /// RSA ciphertext of the ClientKeyExchange, without the two-byte length prefix of TLS
    #[arg(long, value_name = "HEX", required_unless_present = "batch")]
    pub encrypted_premaster: Option<String>,

    /// Accept SSL 3.0 too
    #[arg(long)]
    pub allow_ssl3: bool,

    /// Version that the premaster secret must contain
    #[arg(long, value_enum, value_name = "RULE", default_value_t)]
    pub premaster_version: VersionRule,

    /// Print master secrets instead of their SHA-256
    #[arg(long)]
    pub reveal_secrets: bool,

    /// Print JSON, which this command always does
    #[arg(long)]
    pub json: bool,

    /// The backend.
    #[command(flatten)]
    pub backend: BackendArgs,

    /// The password of the key.
    #[command(flatten)]
    pub password: PasswordArgs,
}

/// Which version the premaster secret must contain: the values of `--premaster-version`.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum VersionRule {
    /// The version in the ClientHello, as RFC 5246 section 7.4.7.1 requires
    #[default]
    Offered,
    /// That, or the negotiated version, for clients with an old defect
    OfferedOrNegotiated,
    /// Any version
    Any,
}

const AFTER_HELP: &str = "\
Output: one line of JSON per exchange and backend, in the order of the input:
  {\"index\":0,\"backend\":\"aws-lc\",\"status\":\"0x00000000\",\"master_secret_sha256\":\"…\"}
with master_secret in place of its hash if --reveal-secrets is given, an error text if the status
is not zero, and {\"index\":N,\"skipped\":\"no encrypted_premaster\"} for an exchange without one,
such as (EC)DHE.

An import with a bad ciphertext succeeds (implicit rejection). A premaster secret with wrong
padding, length or version is replaced by a pseudorandom one, so that the command is not a
Bleichenbacher oracle for anyone without the key (RFC 5246 section 7.4.7.1). Only the Finished
messages prove that a secret is right; `sslprov keylog` checks them.

Exit codes:
  0  every import succeeded (skipped ones do not count)
  1  no import succeeded, or there was none
  2  the arguments or the batch are not usable
  3  some imports failed
  4  two backends returned different results
  5  standard output cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov import --batch handshakes.json --backend all
  sslprov import --batch - --key server.pem --reveal-secrets < exchanges.jsonl
  sslprov import --key server.pem --protocol tls1.2 --suite TLS_RSA_WITH_AES_128_GCM_SHA256 \\
      --client-random HEX --server-random HEX --encrypted-premaster HEX";

/// Runs `sslprov import`.
///
/// # Errors
///
/// [`Failure::Usage`] for arguments that cannot be used, a key that cannot be read, and a batch
/// that is not JSON; the results of the exchanges before that point have been written by then.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let policy = Policy {
        legacy_ssl3: args.allow_ssl3,
        premaster_version: args.premaster_version.into(),
        ..Policy::default()
    };
    let importer = Importer::new(&args.backend.choose()?, policy, args.reveal_secrets);
    let password = args.password.password()?;
    match &args.batch {
        Some(path) => {
            // Key paths are relative to the folder of the batch; for standard input, to the
            // current folder.
            let folder = path.parent().map(Path::to_owned).unwrap_or_default();
            let keys = Keys::new(&importer, &password, folder, args.key.clone());
            run_batch(&importer, keys, path)
        }
        None => {
            let exchange = single(args)?;
            // clap guarantees that the key is there.
            let path = args.key.clone().unwrap_or_default();
            let keys = Keys::new(&importer, &password, PathBuf::new(), None);
            let key = keys.read(&path).map_err(not_usable)?;
            let answer = importer.answer(0, Ok(Some((exchange, key))));
            let mut tally = Tally::default();
            write_answer(&answer, &mut tally)?;
            Ok(tally.outcome())
        }
    }
}

fn run_batch(importer: &Importer, mut keys: Keys<'_>, path: &Path) -> Result<Outcome, Failure> {
    let name = batch_name(path);
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(path);
        Box::new(file.map_err(|error| Failure::Usage(format!("{name}: {error}")))?)
    };

    let progress = progress_bar();
    let mut index = 0;
    let mut tally = Tally::default();
    let (read, written) = pipeline::run(
        thread::available_parallelism().map_or(1, usize::from),
        |submit| {
            batch::read(input, |entry| {
                let request = Exchange::from_entry(entry).and_then(|parsed| match parsed {
                    None => Ok(None),
                    Some((exchange, key)) => Ok(Some((exchange, keys.find(key.as_deref())?))),
                });
                let job = (index, request);
                index += 1;
                submit(job)
            })
        },
        |(index, request)| importer.answer(index, request),
        |answer| {
            progress.inc(1);
            write_answer(&answer, &mut tally)
        },
    );
    progress.finish_and_clear();
    written?;
    // Where the first entry is not JSON, the error says all.
    if index > 0 || read.is_ok() {
        tell(format_args!("{name}: {tally}"));
    }
    match read {
        // A disagreement of backends is the more serious error.
        Err(fault) if tally.outcome() == Outcome::Disagreement => {
            tell(format_args!("{name}: {fault}"));
            Ok(Outcome::Disagreement)
        }
        Err(fault) => Err(Failure::Usage(format!("{name}: {fault}"))),
        Ok(()) => Ok(tally.outcome()),
    }
}

/// Writes the lines of one exchange and flushes them, for a reader at the end of a pipe.
fn write_answer(answer: &Answer, tally: &mut Tally) -> Result<(), Failure> {
    tally.add(answer);
    if let Some(note) = &answer.note {
        tell(note);
    }
    if let Some(disagreement) = &answer.disagreement {
        tell(format_args!("BACKENDS DISAGREE: {disagreement}"));
    }
    Ok(print(&*answer.lines)?)
}

/// Returns the exchange that the arguments describe.
fn single(args: &Args) -> Result<Exchange, Failure> {
    let fields = Fields {
        // clap guarantees that both are there.
        version: args.protocol.unwrap_or(ProtocolVersion::TLS1_2),
        suite: args.suite.unwrap_or(CipherSuite(0)),
        client_version: args.client_version,
        client_random: args.client_random.as_deref(),
        server_random: args.server_random.as_deref(),
        session_hash: args.session_hash.as_deref(),
        encrypted_premaster: args.encrypted_premaster.as_deref().unwrap_or_default(),
    };
    let by_option = |problem: Problem| format!("--{}", problem.text.replace('_', "-"));
    fields.parse().map_err(|problem| Failure::Usage(by_option(problem)))
}

fn batch_name(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Returns a progress counter on standard error, hidden if standard output is a terminal: there,
/// results and counter would mix.
fn progress_bar() -> ProgressBar {
    if io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} exchanges, {per_sec}") {
        bar.set_style(style);
    }
    bar
}

impl From<VersionRule> for PremasterVersion {
    fn from(rule: VersionRule) -> Self {
        match rule {
            VersionRule::Offered => Self::Offered,
            VersionRule::OfferedOrNegotiated => Self::InsecureOfferedOrNegotiated,
            VersionRule::Any => Self::InsecureAny,
        }
    }
}
