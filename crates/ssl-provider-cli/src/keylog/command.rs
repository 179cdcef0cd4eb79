//! `sslprov keylog`: its arguments, and the run from keys and captures to the exit code.
//! What happens in between is in `engine`.

use std::fs;
use std::io::{BufWriter, stdout};
use std::path::{Path, PathBuf};
use std::thread;

use clap::{ArgGroup, value_parser};
use indicatif::{ProgressBar, ProgressStyle};

use super::engine::{self, Plan};
use super::keyring::Keyring;
use super::output_file::{Mode, OutputFile};
use super::report::{Counts, KeptLines, Report};
use super::shard::Shard;
use super::{dsb, input};
use crate::backend_choice::{BackendArgs, MultiBufferArgs};
use crate::capture::source;
use crate::exit::{Failure, Outcome};
use crate::key_file::{
    Fault, KeyDer, KeyFileError, PasswordArgs, not_usable, read_keys, read_keys_even_weak,
};
use crate::outputs;

/// Arguments of `sslprov keylog`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
#[command(group = ArgGroup::new("outputs").multiple(true))]
pub struct Args {
    /// Private key of the server: PEM, DER, PKCS#12 or CNG blob, encrypted or not. May be repeated;
    /// the certificates in the capture tell which key is whose
    #[arg(long, short, value_name = "FILE", required = true)]
    pub key: Vec<PathBuf>,

    /// The password of encrypted keys.
    #[command(flatten)]
    pub password: PasswordArgs,

    /// The backends to run on.
    #[command(flatten)]
    pub backend: BackendArgs,

    /// Open SSL 3.0 sessions too
    #[arg(long)]
    pub allow_ssl3: bool,

    /// Take RSA keys that are refused otherwise: below 1024 bits, or with a public exponent above
    /// 33 bits
    #[arg(long)]
    pub allow_weak_keys: bool,

    /// Write one JSON object for each session to standard output, and a summary as the last one.
    /// They hold the key log lines; the key log by itself is then written only with --output
    #[arg(long)]
    pub json: bool,

    /// Write the key log to this file, once it is complete; in a live capture, from the first line
    /// on
    #[arg(long, short, value_name = "FILE", group = "outputs")]
    pub output: Option<PathBuf>,

    /// Write a copy of the capture as pcapng, with the key log inside (Decryption Secrets Block),
    /// so that Wireshark opens it without further settings
    #[arg(long, value_name = "FILE", group = "outputs")]
    pub dsb: Option<PathBuf>,

    /// Replace the files of --output and --dsb if they exist; that of --output only if a session
    /// was opened
    #[arg(long, requires = "outputs")]
    pub force: bool,

    /// Threads for the cryptography; as many as there are processors without it
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Whether private operations are done in batches.
    #[command(flatten)]
    pub multi_buffer: MultiBufferArgs,

    /// Take every n-th connection only, so that n runs or machines share the work. Resumed sessions
    /// can be opened only if the one they resume is in the same part
    #[arg(long, value_name = "i/n")]
    pub shard: Option<Shard>,

    /// Read a capture from standard input, as the capture `-` does
    #[arg(long)]
    pub stdin: bool,

    /// No verdicts and no summary on standard error; warnings and errors remain
    #[arg(long, short)]
    pub quiet: bool,

    /// Captures, in the order of time; `-` is standard input
    #[arg(value_name = "CAPTURE", required_unless_present = "stdin")]
    pub captures: Vec<PathBuf>,
}

const AFTER_HELP: &str = "\
Captures are pcap or pcapng, gzip or not. TLS is found on any port, also behind STARTTLS or CONNECT.
For each session with RSA key exchange the master key is imported as the server did it, the keys are
derived, and the client's Finished is opened and compared. The key log has a line for every session
that stood this test, and no other. Packets that are not TCP over IP, such as tunnels and DTLS, are
not looked into; the summary counts them by kind.

Verdicts, one for each session, on standard error or with --json on standard output:
  proven          the client's Finished was decrypted and is right
  resumed         resumes another session; with a key log line if that one is proven here and the
                  Finished of this one is right
  wrong-key       none of the keys is the server's, or the exchange was tampered with or the
                  capture is damaged
  forward-secret  the key exchange is not RSA, so that the private key does not open it: (EC)DHE
                  and TLS 1.3; also PSK and static DH, which need other keys
  incomplete      a message is missing from the capture; the reason names it
  malformed       a message cannot be parsed; the reason names it
  unverified      Finished cannot be checked; see the reason
  not-allowed     SSL 3.0 without --allow-ssl3

The premaster secret should carry the version that the client offered. Some clients put another one
there; such a session is proven too, and the verdict says which version it is. A ciphertext with the
length before it that SSL 3.0 does not have, or without the one that TLS has, is taken as well, and
noted.

With --allow-weak-keys the private operation of a weak key is this program's own, whatever the
backend. It is neither blinded nor checked for faults, which matters to servers only.

With --backend all each backend computes by itself, as with --no-multi-buffer.

Sessions of files are reported in the order in which they began. A capture that comes through a
pipe, standard input among them, is live: a session is reported at Finished, or when its connection
ends without one.

Exit codes:
  0    all RSA sessions were opened
  1    none was, or there was none
  2    the arguments, keys or captures are not usable, or --output or --dsb cannot be created,
       or exists and --force is not given
  3    some were opened and some were not
  4    two backends returned different results (--backend all)
  5    writing standard output, --output or --dsb failed on the way, such as on a full disk
  141  the reader of standard output has gone away

Examples:
  sslprov keylog --key server.pem --output keys.txt capture.pcapng
  tshark -r capture.pcapng -o tls.keylog_file:keys.txt -Y http
  tcpdump -w - port 443 | sslprov keylog --key server.pem --json - | jq -r .verdict
  sslprov keylog --key a.pem --key b.p12 --dsb opened.pcapng capture.pcap.gz
  sslprov keylog --key server.pem --backend all --output keys.txt capture.pcapng
";

/// Runs `sslprov keylog`.
///
/// # Errors
///
/// [`Failure::Usage`] for keys, captures and output files that cannot be used, [`Failure::Write`]
/// when an output file cannot be written, and [`Failure::Output`] when standard output cannot.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let mut captures = args.captures.clone();
    if args.stdin {
        captures.push(PathBuf::from(source::STDIN));
    }
    if args.dsb.is_some() && (captures.len() != 1 || captures.iter().any(|it| is_pipe(it))) {
        let text = "--dsb copies one capture, which must be a regular file: it is read twice";
        return Err(Failure::usage(text));
    }
    if captures.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Failure::usage("standard input can be read once only"));
    }
    keep_outputs_apart(args, &captures)?;
    let keyrings = load_keys(args)?;
    input::check(&captures)?;
    let live = captures.iter().any(|it| is_pipe(it));
    let create = |path: &Option<PathBuf>, live| {
        let mode = Mode { replace: args.force, live };
        path.as_deref().map(|path| OutputFile::create(path, mode)).transpose()
    };
    let (output, dsb) = (create(&args.output, live)?, create(&args.dsb, false)?);

    let progress = progress_bar(args, &captures);
    let mut stdout = BufWriter::new(stdout().lock());
    let mut report = Report {
        backends: keyrings.iter().map(|keyring| keyring.backend().info().name).collect(),
        json: args.json,
        quiet: args.quiet,
        progress: &progress,
        stdout: &mut stdout,
        output,
        kept: dsb.as_ref().map(|_| KeptLines::default()),
        counts: Counts::default(),
    };
    let processors = || thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        captures: &captures,
        keyrings: &keyrings,
        threads: args.threads.map_or_else(processors, usize::from),
        shard: args.shard.unwrap_or(Shard::ALL),
        live,
    };
    let wrap = |capture| -> source::Input { Box::new(progress.wrap_read(capture)) };
    let summary = engine::run(&plan, &wrap, |judged| report.session(judged))?;
    let kept = report.kept.take();
    // The key log comes first: it stays whole when the copy fails.
    let outcome = report.finish(&summary)?;
    if let (Some(out), Some(kept)) = (dsb, kept) {
        dsb::write(&captures[0], &kept.join(), out)?;
    }
    Ok(outcome)
}

/// Makes sure that what is written is not what is read.
fn keep_outputs_apart(args: &Args, captures: &[PathBuf]) -> Result<(), Failure> {
    let outputs = [("--output", args.output.as_deref()), ("--dsb", args.dsb.as_deref())];
    let keys = args.key.iter().map(|path| ("--key", Some(path.as_path())));
    let password = [("--key-password-file", args.password.key_password_file.as_deref())];
    let captures = captures.iter().map(|path| match is_stdin(path) {
        // A file that is redirected there, where the system has a name for that.
        true => ("standard input", Some(Path::new("/dev/stdin"))),
        false => ("the capture", Some(path.as_path())),
    });
    let inputs: Vec<_> = keys.chain(password).chain(captures).collect();
    outputs::keep_apart(&outputs, &inputs)
}

/// Loads every key into every backend.
fn load_keys(args: &Args) -> Result<Vec<Keyring>, Failure> {
    let backends = args.backend.choose()?;
    let password = args.password.password()?;
    let mut keys: Vec<KeyDer> = Vec::new();
    let read = if args.allow_weak_keys { read_keys_even_weak } else { read_keys };
    for path in &args.key {
        keys.extend(read(path, &password).map_err(unusable)?);
    }
    let refused = |(label, error)| Failure::Usage(format!("{label}: {error}"));
    // Where backends are compared, each computes by itself.
    let compared = backends.len() > 1;
    backends
        .into_iter()
        .map(|backend| if compared { backend } else { args.multi_buffer.around(backend) })
        .map(|backend| Keyring::load(backend, &keys, args.allow_ssl3).map_err(refused))
        .collect()
}

/// What is wrong with a key file, with the option that helps.
fn unusable(error: KeyFileError) -> Failure {
    match error.fault {
        Fault::Weak(_) => Failure::Usage(format!("{error}; --allow-weak-keys takes it")),
        _ => not_usable(error),
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == source::STDIN
}

/// Whether a capture can be read once only, as standard input, a named pipe or a process
/// substitution. A file that does not exist is reported when it is opened.
fn is_pipe(path: &Path) -> bool {
    is_stdin(path) || fs::metadata(path).is_ok_and(|found| !found.is_file())
}

/// A bar over the bytes of all captures, a counter where a pipe is among them; drawn only if
/// standard error is a terminal.
fn progress_bar(args: &Args, captures: &[PathBuf]) -> ProgressBar {
    if args.quiet {
        return ProgressBar::hidden();
    }
    let size = |path: &PathBuf| match fs::metadata(path) {
        Ok(found) if found.is_file() => Some(found.len()),
        Ok(_) | Err(_) => None,
    };
    let sizes: Option<u64> = captures.iter().map(size).sum();
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} left");
    match (sizes, style) {
        (Some(total), Ok(style)) => ProgressBar::new(total).with_style(style),
        _ => ProgressBar::new_spinner(),
    }
}
