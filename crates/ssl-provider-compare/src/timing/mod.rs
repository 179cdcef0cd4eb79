//! `sslprov timing`: whether the time of an RSA key exchange depends on its plaintext, on this
//! machine and with these libraries (Bleichenbacher; Marvin).
//!
//! A subject is timed on every class of plaintext, in blocks of random order (`sampling`); each
//! class is compared with well-formed ones (`statistics`), and nothing is free of leaks unless
//! those that were planted are found in the same run (`verdict`).

mod client;
mod environment;
mod html;
mod input;
mod local;
mod markdown;
mod measure;
mod meter;
mod plot;
pub mod report;
mod sampling;
mod server;
mod statistics;
mod text;
mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;

use ssl_provider::{Backend, CipherSuite, CipherSuiteInfo, ProtocolVersion};
use ssl_provider_command::backend_choice::SomeBackendsArgs;
use ssl_provider_command::exit::{Failure, Outcome, print};
use ssl_provider_command::outputs;

use crate::duration;
use crate::timing::client::Offer;
use crate::timing::measure::{Extent, Request, measure};
use crate::timing::report::{Kind, Report};

/// The arguments of `timing`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub struct Args {
    /// The backends.
    #[command(flatten)]
    backend: SomeBackendsArgs,

    /// What to time, separated by commas. Default: all of them
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    subject: Vec<Choice>,

    /// Bits of the RSA key; a shorter key adds less noise
    #[arg(long, default_value = "1024", value_parser = ["1024", "2048"])]
    bits: String,

    /// Blocks of each subject; each times every class once. Default: as many as the size asked for
    /// by --detect needs, up to four times 200000 for a selection, 30000 for an import, 10000 for a
    /// batch, 5000 for a socket and 3000 with --connect
    #[arg(long, value_parser = clap::value_parser!(u32).range(16..=10_000_000))]
    blocks: Option<u32>,

    /// How long to measure in all, such as 90s, 10m or 2h; each subject has the same share, and at
    /// most 1000000 blocks
    #[arg(long, value_parser = time)]
    time: Option<Duration>,

    /// The effect in nanoseconds that must be detectable, else a pair is inconclusive. Default: 0.2
    /// for a selection, 100 for an import or a batch, 5000 for a socket, 20000 with --connect
    #[arg(long, value_name = "NANOSECONDS", value_parser = positive)]
    detect: Option<f64>,

    /// Seed of the inputs and of the order of classes in each block
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// Compare every class with every other, not only with well-formed ones
    #[arg(long)]
    all_pairs: bool,

    /// Measure for seconds, to see that everything can be measured. It proves nothing: no time is
    /// judged. A server whose answers differ by themselves is a leak all the same
    #[arg(long, conflicts_with_all = ["blocks", "time", "detect"])]
    smoke: bool,

    /// Time a TLS server of your own end to end, with a new connection for each sample. Never
    /// measure a server of somebody else: it receives thousands of broken handshakes
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["subject", "bits"])]
    connect: Option<String>,

    /// Version to offer to that server: ssl3, tls1.0, tls1.1 or tls1.2
    #[arg(long, value_enum, default_value = "tls1.2", requires = "connect")]
    protocol: Protocol,

    /// Suite to offer to that server, by name or hex number. Default: all with RSA key exchange
    #[arg(long, value_parser = suite, requires = "connect")]
    suite: Option<CipherSuite>,

    /// Show reports that --json has printed instead of measuring; several become one
    #[arg(long, value_name = "FILE", num_args = 1..)]
    #[arg(conflicts_with_all = [
        "smoke", "connect", "subject", "bits", "blocks", "time", "detect", "seed", "all_pairs",
    ])]
    from: Vec<PathBuf>,

    /// Print one JSON object with all figures instead of the tables
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print a document with method, classes and results instead of the tables
    #[arg(long)]
    markdown: bool,

    /// Write the results with drawings to this file too, one page that loads nothing
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Replace that file if it exists
    #[arg(long, requires = "html")]
    force: bool,

    /// Show no progress, and no tables: only how it ended
    #[arg(long)]
    quiet: bool,
}

const HELP: &str = "\
Each class of plaintext is compared with well-formed ones: wrong bytes, no separator, secrets of
other lengths, leading zeros, repeated and fresh ciphertexts. The verdict of a pair is `leak`, `no
leak above X`, or `inconclusive` if a planted leak is not found or the noise hides what was asked
for. The effect is the mean of the middle 60 % of the paired differences, which interruptions do not
move: an effect in fewer calls than that can be larger. A quiet machine helps: no other load, a
fixed clock rate.

With --connect, each sample is a handshake of its own: ClientHello to ServerHelloDone, then
ClientKeyExchange with a plaintext of one of the classes, ChangeCipherSpec and a Finished of random
bytes. The time is from there to the first byte of the answer, or to the close. The server's RSA key
is that of its certificate. Measure only servers of your own, from as near as you can.

Exit codes:
  0  no leak in any pair; with --smoke, also where times are not judged
  1  nothing could be measured
  2  the arguments or files are not usable, or the server could not be measured
  3  pairs are inconclusive: measure longer or on a quiet machine; or something failed
  4  the time, or the answer, depends on the plaintext
  5  the output could not be written
  141  the reader of standard output has gone away

Examples:
  sslprov timing
  sslprov timing --subject selection --blocks 1000000
  sslprov timing --backend openssl --time 1h --html openssl.html
  sslprov timing --connect localhost:4433 --time 30m";

/// What can be timed in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// The routine that checks the padding and selects the premaster secret
    Selection,
    /// Whole imports with each backend
    Import,
    /// Imports in batches of eight, with multi-buffer RSA around each backend
    Batch,
    /// A TLS server in this process, through a socket
    Socket,
}

impl Choice {
    fn kind(self) -> Kind {
        match self {
            Self::Selection => Kind::Selection,
            Self::Import => Kind::Import,
            Self::Batch => Kind::Batch,
            Self::Socket => Kind::Socket,
        }
    }
}

/// Versions with RSA key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// SSL 3.0
    #[value(name = "ssl3")]
    Ssl3,
    /// TLS 1.0
    #[value(name = "tls1.0")]
    Tls1_0,
    /// TLS 1.1
    #[value(name = "tls1.1")]
    Tls1_1,
    /// TLS 1.2
    #[value(name = "tls1.2")]
    Tls1_2,
}

impl Protocol {
    fn version(self) -> ProtocolVersion {
        match self {
            Self::Ssl3 => ProtocolVersion::SSL3,
            Self::Tls1_0 => ProtocolVersion::TLS1_0,
            Self::Tls1_1 => ProtocolVersion::TLS1_1,
            Self::Tls1_2 => ProtocolVersion::TLS1_2,
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
///
/// [`Failure::Usage`] for arguments and files that are not usable and for a server that cannot be
/// measured, [`Failure::Output`] and [`Failure::Write`] when a report cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let html = args.html.as_deref();
    let reports: Vec<_> = args.from.iter().map(|path| ("--from", Some(path.as_path()))).collect();
    outputs::keep_apart(&[("--html", html)], &reports)?;
    // An hour of measuring must not end in a file that cannot be written.
    outputs::check_new("--html", html, args.force)?;
    let report = if args.from.is_empty() { measure(&args.request()?)? } else { read(&args.from)? };
    if let Some(path) = html {
        outputs::write_new(path, html::render(&report).as_bytes(), args.force)?;
    }
    print(args.to_text(&report)?)?;
    Ok(outcome(&report))
}

impl Args {
    fn request(&self) -> Result<Request, Failure> {
        let subjects = match self.subject.as_slice() {
            [] => Choice::value_variants(),
            chosen => chosen,
        };
        let connect = match &self.connect {
            Some(target) => {
                let offer = Offer::new(target, self.protocol.version(), self.suite);
                Some((target.clone(), offer.map_err(Failure::usage)?))
            }
            None => None,
        };
        let extent = match (self.smoke, self.blocks, self.time) {
            (true, ..) => Extent::Smoke,
            (false, None, None) => Extent::Precise,
            (false, blocks, time) => {
                Extent::Given { blocks: blocks.and_then(|it| usize::try_from(it).ok()), time }
            }
        };
        Ok(Request {
            backends: self.backends(connect.is_some())?,
            kinds: subjects.iter().map(|subject| subject.kind()).collect(),
            bits: if self.bits == "2048" { 2048 } else { 1024 },
            extent,
            target: self.detect,
            seed: self.seed,
            all_pairs: self.all_pairs,
            connect,
            quiet: self.quiet,
        })
    }

    /// The backends; a server elsewhere needs none.
    fn backends(&self, is_elsewhere: bool) -> Result<Vec<Backend>, Failure> {
        if is_elsewhere {
            return Ok(Vec::new());
        }
        self.backend.choose()
    }

    fn to_text(&self, report: &Report) -> Result<String, Failure> {
        Ok(match (self.json, self.markdown, self.quiet) {
            (true, ..) => {
                let json = serde_json::to_string(report);
                json.map_err(|error| Failure::Write(format!("the report: {error}")))? + "\n"
            }
            (_, true, _) => markdown::render(report),
            (.., true) => text::summary(report).join("\n") + "\n",
            _ => text::render(report),
        })
    }
}

/// Reads reports and merges them.
fn read(paths: &[PathBuf]) -> Result<Report, Failure> {
    let named = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::Usage(format!("{}: {error}", path.display()))
    };
    let mut merged: Option<Report> = None;
    for path in paths {
        let text = fs::read(path).map_err(|error| named(path, &error))?;
        let report: Report = serde_json::from_slice(&text).map_err(|error| {
            named(path, &format!("not a report of `sslprov timing --json`: {error}"))
        })?;
        match &mut merged {
            Some(merged) => merged.merge(report).map_err(|error| named(path, &error))?,
            None => merged = Some(report),
        }
    }
    merged.ok_or_else(|| Failure::usage("--from: no report"))
}

fn outcome(report: &Report) -> Outcome {
    let [leaks, none, unsure] = report.counts();
    match (leaks, none + unsure, unsure) {
        (0, 0, _) => Outcome::None,
        (0, ..) if report.settings.smoke => Outcome::All,
        (0, _, 0) if report.failed.is_empty() => Outcome::All,
        (0, ..) => Outcome::Some,
        _ => Outcome::Disagreement,
    }
}

/// Reads the time of a measurement.
fn time(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    if time >= Duration::from_secs(1) { Ok(time) } else { Err("expected 1s or more".to_owned()) }
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "expected nanoseconds, more than 0".to_owned())
}

/// Reads a suite with RSA key exchange.
fn suite(text: &str) -> Result<CipherSuite, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let by_number = || u32::from_str_radix(digits, 16).ok().map(CipherSuite);
    let named = CipherSuiteInfo::all().iter().find(|suite| suite.name.eq_ignore_ascii_case(text));
    let suite = named.map(|suite| suite.id).or_else(by_number);
    let suite = suite.and_then(|suite| suite.info());
    let suite = suite.filter(|suite| suite.key_exchange.is_rsa()).map(|suite| suite.id);
    suite.ok_or_else(|| {
        "expected a suite with RSA key exchange, by hex number such as 0x002f, or by a name that \
         `sslprov suites` lists"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timing::report::Verdict;
    use crate::timing::report::tests::example;

    #[test]
    fn a_leak_comes_before_what_is_inconclusive() {
        let mut report = example();
        assert_eq!(outcome(&report), Outcome::Disagreement);
        report.subjects[1].pairs[1].verdict = Verdict::NoLeak { above_ns: 1.0 };
        assert_eq!(outcome(&report), Outcome::Some);
        report.settings.smoke = true;
        assert_eq!(outcome(&report), Outcome::All);
        report.settings.smoke = false;
        report.subjects.pop();
        assert_eq!(outcome(&report), Outcome::All);
        report.subjects.truncate(1);
        assert_eq!(outcome(&report), Outcome::None, "controls only");
    }

    #[test]
    fn times_and_suites_of_the_command_line_are_read() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "0", "h", "-1m", "1d", "99999999h", "18446744073709551615h", "nan"] {
            assert!(time(bad).is_err(), "{bad}");
        }
        assert_eq!(suite("0x002f"), Ok(CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA));
        assert_eq!(suite("tls_rsa_with_aes_128_cbc_sha"), suite("2f"));
        for bad in ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "fffe", "x"] {
            assert!(suite(bad).is_err(), "{bad}");
        }
        assert!(positive("0").is_err() && positive("inf").is_err() && positive("0.5").is_ok());
    }
}
