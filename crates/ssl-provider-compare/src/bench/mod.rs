//! `bench`: how fast the backends are on this machine, each beside its library called directly.
//!
//! Every operation is measured in turns with what it is compared with, in two halves of the run
//! that are some time apart: the halves are an A/A pair, and show how much of a difference is
//! noise.

pub mod cases;
mod charts;
pub mod compare;
pub mod exchange;
pub mod machine;
pub mod paired;
mod peers;
mod render;
pub mod report;
pub mod statistics;
mod tables;
pub mod units;

use std::fs;
use std::io::{IsTerminal, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use ssl_provider::Backend;
use ssl_provider_command::backend_choice::SomeBackendsArgs;
use ssl_provider_command::exit::{Failure, Outcome, print, tell};
use ssl_provider_command::outputs::{check_new, keep_apart, write_new};

use crate::duration;

use self::cases::{Case, GROUPS, Group, Scope};
use self::compare::{Comparison, compare};
use self::machine::Machine;
use self::report::{BackendVersion, FORMAT, Report, VERSION};
use self::statistics::Noise;
use self::units::Style;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// The backends.
    #[command(flatten)]
    pub backend: SomeBackendsArgs,

    /// Measure only these groups, separated by commas; --list shows them
    #[arg(long, value_name = "GROUP,...", value_delimiter = ',')]
    pub group: Vec<String>,

    /// Sizes of RSA keys in bits, separated by commas: multiples of 8 from 1024 to 8192. The
    /// threads use the first. Sizes other than 1024, 1536, 2048, 3072, 4096 and 8192 need new keys,
    /// which takes some seconds
    #[arg(long, value_name = "BITS,...", value_delimiter = ',', default_value = "2048")]
    #[arg(value_parser = bits)]
    pub bits: Vec<u64>,

    /// How long to measure in all, such as 90s or 10m, spread over the operations. A short run has
    /// wide intervals
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub time: Duration,

    /// Write the report as JSON to a file, or with `-` to standard output instead of the table
    #[arg(long, value_name = "FILE|-")]
    pub json: Option<PathBuf>,

    /// Write the report as a page with charts to a file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Print the report as Markdown instead of the table
    #[arg(long)]
    pub markdown: bool,

    /// Write the charts as SVG into this folder; the Markdown refers to them by its last component
    #[arg(long, value_name = "FOLDER")]
    pub charts: Option<PathBuf>,

    /// Show what has changed beyond noise since the run with this JSON report
    #[arg(long, value_name = "OLD.json")]
    pub compare: Option<PathBuf>,

    /// Show the run with this JSON report instead of measuring
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["group", "bits", "time", "json", "list"])]
    pub from: Option<PathBuf>,

    /// Replace files that exist
    #[arg(long)]
    pub force: bool,

    /// Show no progress
    #[arg(long)]
    pub quiet: bool,

    /// List the groups and what would be measured, without measuring
    #[arg(long)]
    pub list: bool,
}

const AFTER_HELP: &str = "\
`library` is the same operation by the backend's library called directly. The two run in turns, and
the ratio of their times is the median over the rounds with its 95 % confidence interval: it holds
on a busy machine too. A backend that is not one of the four has no such column. `peers` is what
`openssl speed` says, if that program is installed and the openssl backend is measured.

--compare counts a difference as a change only if the 95 % intervals are apart and it exceeds the
noise of its group in both runs, which A/A pairs show, and 1 %: each operation is measured in two
halves of a run, with everything prepared anew. Runs on different days may differ more; the
comparison says if machine, versions or load do.

Exit codes:
  0  everything was measured
  1  nothing was measured
  2  the arguments, or the files that they name, are not usable
  3  some of it could not be measured; the report says what
  5  standard output or a file cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov bench
  sslprov bench --bits 2048,4096 --json before.json --html before.html
  sslprov bench --bits 2048,4096 --compare before.json
  sslprov bench --group records,agreement --time 20";

fn bits(text: &str) -> Result<u64, String> {
    let bits = text.parse().ok().filter(|bits| (1024..=8192).contains(bits) && bits % 8 == 0);
    bits.ok_or_else(|| "expected a multiple of 8 from 1024 to 8192".to_owned())
}

/// Runs `bench`.
///
/// # Errors
///
/// [`Failure::Usage`] for arguments and files that are not usable, [`Failure::Output`] and
/// [`Failure::Write`] when the report cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    run_groups(args, &GROUPS)
}

/// Runs `bench` with these groups.
///
/// # Errors
///
/// Those of [`run`].
pub fn run_groups(args: &Args, groups: &[Group]) -> Result<Outcome, Failure> {
    check_files(args)?;
    let old = args.compare.as_deref().map(|path| read("--compare", path)).transpose()?;
    let (report, failed) = match &args.from {
        Some(path) => (read("--from", path)?, 0),
        None => match measure(args, groups)? {
            Some(measured) => measured,
            None => return Ok(Outcome::All),
        },
    };
    let comparison = old.map(|old| compare(&old, &report));
    write(args, groups, &report, comparison.as_ref())?;
    Ok(match (report.rows.is_empty() && report.peers.is_empty(), failed) {
        (true, _) => Outcome::None,
        (false, 0) => Outcome::All,
        (false, _) => Outcome::Some,
    })
}

/// Checks the files before the measurement, which takes a while.
fn check_files(args: &Args) -> Result<(), Failure> {
    let json = args.json.as_deref().filter(|path| !is_stdout(path));
    let outputs = [("--json", json), ("--html", args.html.as_deref())];
    let inputs = [("--compare", args.compare.as_deref()), ("--from", args.from.as_deref())];
    keep_apart(&outputs, &inputs)?;
    for (option, path) in outputs {
        check_new(option, path, args.force)?;
    }
    if args.markdown && args.json.as_deref().is_some_and(is_stdout) {
        return Err(Failure::usage("--markdown and --json -: both are for standard output"));
    }
    if let Some(folder) = &args.charts {
        let wrong = |what| Failure::Usage(format!("--charts {}: {what}", folder.display()));
        let entries = fs::read_dir(folder).map_err(|_| wrong("the folder cannot be read"))?;
        let is_chart =
            |entry: fs::DirEntry| Path::new(&entry.file_name()).extension() == Some("svg".as_ref());
        if !args.force && entries.flatten().any(is_chart) {
            return Err(wrong("there are charts in it; --force replaces them"));
        }
    }
    Ok(())
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

fn read(option: &str, path: &Path) -> Result<Report, Failure> {
    let failed = |reason: String| Failure::Usage(format!("{option} {}: {reason}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Report::from_json(&text).map_err(failed)
}

/// Measures, or lists what would be measured. Returns the report and how many cases failed.
fn measure(args: &Args, groups: &[Group]) -> Result<Option<(Report, usize)>, Failure> {
    let backends = args.backend.choose()?;
    let names = || groups.iter().map(|group| group.name).chain([peers::NAME]);
    if let Some(unknown) = args.group.iter().find(|name| !names().any(|known| known == *name)) {
        let known: Vec<&str> = names().collect();
        let known = known.join(", ");
        return Err(Failure::usage(format_args!("--group {unknown}: expected some of {known}")));
    }
    let is_wanted = |name: &str| args.group.is_empty() || args.group.iter().any(|it| it == name);
    let keys = args.bits.iter().map(|bits| Arc::new(exchange::rsa_key(*bits))).collect();
    let scope = Scope { backends: backends.clone(), keys };
    let wanted = groups.iter().filter(|group| is_wanted(group.name));
    let cases: Vec<Case> = wanted.flat_map(|group| (group.cases)(&scope)).collect();
    let has_openssl = backends.iter().any(|backend| backend.info().name == "openssl");
    // They take seconds of their own, which a short run does not have.
    let with_peers = is_wanted(peers::NAME) && has_openssl;
    let seconds = args.time.as_secs_f64();
    let fits = seconds >= 3.0 * peers::SECONDS || args.group.iter().any(|it| it == peers::NAME);
    if args.list {
        let mut text = list(groups, &cases);
        if with_peers {
            text += "peers: what `openssl speed` says, if it is installed\n";
        }
        print(text)?;
        return Ok(None);
    }
    let mut notes = Vec::new();
    let machine = Machine::here();
    let mut rest = seconds;
    if with_peers && fits {
        rest = (rest - peers::SECONDS).max(0.0);
    } else if with_peers {
        notes.push(format!(
            "peers: `openssl speed` takes more than a third of {seconds} s; --group peers runs it \
             anyway"
        ));
    }
    if machine.multi_buffer.is_none() && is_wanted("batches") {
        notes.push("batches: the processor has neither AVX-512 IFMA nor AVX-IFMA".to_owned());
    }
    let notes_before = notes.len();
    let progress = if args.quiet { Progress::hidden() } else { Progress::new(rest) };
    let rows = measure_cases(&cases, rest, &progress, &mut notes);
    let failed = notes.len() - notes_before;
    let peers = if with_peers && fits { peers::measure(&mut notes) } else { Vec::new() };
    let mut report = Report {
        format: FORMAT.to_owned(),
        version: VERSION,
        machine,
        backends: backends.iter().map(version).collect(),
        seconds,
        noise: Noise::of(&[]),
        rows,
        peers,
        notes,
    };
    report.noise = report.noise_of(None);
    Ok(Some((report, failed)))
}

fn version(backend: &Backend) -> BackendVersion {
    let info = backend.info();
    BackendVersion { name: info.name.to_owned(), library: info.library.clone() }
}

/// Returns the groups, and the cases in the order in which they are measured.
fn list(groups: &[Group], cases: &[Case]) -> String {
    let mut text = String::new();
    for group in groups {
        let of_group: Vec<&Case> = cases.iter().filter(|case| case.group == group.name).collect();
        if of_group.is_empty() {
            continue;
        }
        text += &format!("{}: {}\n", group.name, group.title);
        for name in crate::chart::distinct(of_group.iter().map(|case| case.name.as_str())) {
            let here = of_group.iter().filter(|case| case.name == name);
            let backends: Vec<&str> = here.map(|case| case.backend).collect();
            text += &format!("  {name}: {}\n", backends.join(", "));
        }
    }
    text
}

/// Measures every case in two halves of the run, and returns the rows. What fails is in the notes.
fn measure_cases(
    cases: &[Case],
    seconds: f64,
    progress: &Progress,
    notes: &mut Vec<String>,
) -> Vec<report::Row> {
    let weights: u32 = cases.iter().map(|case| case.weight).sum();
    let share = |weight: u32| {
        Duration::from_secs_f64(seconds * f64::from(weight) / f64::from(weights.max(1)) / 2.0)
    };
    let half = |case: &Case| {
        let title = format!("{}: {}, {}", case.group, case.name, case.backend);
        progress.show(&title);
        let measured = (case.prepare)().and_then(|mut measured| {
            measured.measure(share(case.weight))?;
            Ok((measured.samples(), measured))
        });
        progress.advance(share(case.weight));
        measured.map_err(|error| format!("{title}: {error}"))
    };
    // What was measured first stays, so that what is prepared anew is at other places in memory.
    let first: Vec<_> = cases.iter().map(half).collect();
    let mut rows = Vec::new();
    for (case, first) in cases.iter().zip(&first) {
        let both = first.as_ref().map_err(Clone::clone).and_then(|first| Ok((first, half(case)?)));
        match both {
            Ok(((first, _), (second, measured))) => {
                let of_case = measured.rows([first.clone(), second]);
                if of_case.is_empty() {
                    let Case { group, name, backend, .. } = case;
                    notes.push(format!("{group}: {name}, {backend}: the time was too short"));
                }
                rows.extend(of_case);
            }
            Err(error) => notes.push(error),
        }
    }
    progress.end();
    rows
}

/// The progress on a terminal, with the time that is left.
struct Progress {
    bar: ProgressBar,
}

impl Progress {
    fn new(seconds: f64) -> Self {
        let total = Duration::from_secs_f64(seconds).as_millis();
        let bar = ProgressBar::new(u64::try_from(total).unwrap_or(u64::MAX));
        let template = "{bar:20} {percent:>3} %, {eta} left  {wide_msg}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    fn hidden() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    fn show(&self, title: &str) {
        self.bar.set_message(title.to_owned());
    }

    fn advance(&self, by: Duration) {
        self.bar.inc(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Writes the report in all forms that were asked for, the files first.
fn write(
    args: &Args,
    groups: &[Group],
    report: &Report,
    comparison: Option<&Comparison>,
) -> Result<(), Failure> {
    let json = args.json.as_deref();
    if let Some(path) = json.filter(|path| !is_stdout(path)) {
        write_new(path, report.to_json().as_bytes(), args.force)?;
    }
    if let Some(path) = &args.html {
        write_new(path, render::html(report, groups, comparison).as_bytes(), args.force)?;
    }
    let mut linked = None;
    if let Some(folder) = &args.charts {
        for group in groups {
            for (name, chart) in charts::of(&tables::rows_of(report, group.name), group) {
                let path = folder.join(name + ".svg");
                write_new(&path, chart.standalone().as_bytes(), args.force)?;
            }
        }
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
        linked = Some(name.unwrap_or_else(|| ".".to_owned()));
    }
    if json.is_some_and(is_stdout) {
        print(report.to_json())?;
    } else if args.markdown {
        print(render::markdown(report, groups, comparison, linked.as_deref()))?;
    } else {
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let style = Style { unicode: stdout().is_terminal() && has_colour };
        print(render::text(report, groups, comparison, style))?;
    }
    for path in [json.filter(|path| !is_stdout(path)), args.html.as_deref()].into_iter().flatten() {
        tell(format_args!("{}: written", path.display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use clap::Parser;

    use super::paired::{Measure, Samples};
    use super::report::Row;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parse(words: &[&str]) -> Result<Args, String> {
        let line = Line::try_parse_from(["bench"].iter().chain(words));
        line.map(|line| line.args).map_err(|error| error.to_string())
    }

    #[test]
    fn sizes_and_times_are_checked() {
        let args = parse(&["--bits", "2048,3072", "--time", "0.5"]).unwrap();
        assert_eq!((args.bits, args.time), (vec![2048, 3072], Duration::from_millis(500)));
        for words in [["--bits", "1023"], ["--bits", "2050"], ["--bits", "8200"], ["--bits", "x"]] {
            let told = parse(&words).err().unwrap();
            assert!(told.contains("expected a multiple of 8 from 1024 to 8192"), "{told}");
        }
        for words in [["--time", "-1"], ["--time", "NaN"], ["--time", "1e9"]] {
            assert!(parse(&words).is_err(), "{words:?}");
        }
        assert!(parse(&["--from", "a", "--time", "1"]).is_err());
    }

    #[test]
    fn an_unknown_group_is_told_the_names() {
        let mut args = parse(&["--group", "import,speed"]).unwrap();
        if args.backend.choose().is_err() {
            return;
        }
        let Err(Failure::Usage(told)) = run(&args) else { panic!() };
        assert!(told.starts_with("--group speed: expected some of import, handshakes"), "{told}");
        args.group.clear();
        args.compare = Some("no such file".into());
        assert!(matches!(run(&args), Err(Failure::Usage(told)) if told.contains("no such file")));
    }

    /// Takes no time, and fails if it is said.
    struct Planted {
        fails: bool,
    }

    impl Measure for Planted {
        fn measure(&mut self, _budget: Duration) -> Result<(), String> {
            if self.fails { Err("planted".into()) } else { Ok(()) }
        }

        fn samples(&mut self) -> Samples {
            Samples { rounds: vec![vec![1.0]], latencies: Vec::new() }
        }

        fn rows(&self, halves: [Samples; 2]) -> Vec<Row> {
            halves.map(|half| Row { rounds: half.rounds.len(), ..Row::default() }).to_vec()
        }
    }

    #[test]
    fn what_fails_is_noted_and_the_rest_is_measured() {
        let case = |name: &str, fails_in| Case {
            group: "g",
            name: name.into(),
            backend: "b",
            weight: 1,
            prepare: {
                let half = Cell::new(0);
                Box::new(move || {
                    half.set(half.get() + 1);
                    match fails_in {
                        0 => Err("not prepared".into()),
                        _ => Ok(Box::new(Planted { fails: half.get() == fails_in })),
                    }
                })
            },
        };
        let mut notes = Vec::new();
        let cases = vec![case("zero", 0), case("one", 1), case("two", 2), case("never", 9)];
        let rows = measure_cases(&cases, 0.0, &Progress::hidden(), &mut notes);
        assert_eq!(rows.len(), 2, "of the one that never fails, after both halves");
        let expected = ["g: zero, b: not prepared", "g: one, b: planted", "g: two, b: planted"];
        assert_eq!(notes, expected);
    }
}
