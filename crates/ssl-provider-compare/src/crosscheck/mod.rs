//! `crosscheck`: the same questions to every backend, and a comparison of the answers.
//!
//! Questions are the conformance cases and the generated questions of `ssl-provider-testkit`, and
//! what is read from files. [`run_with`] takes more, for commands that read captures and batches.

pub mod drill;
pub mod engine;
pub mod files;
pub mod matrix;
pub mod report;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use ssl_provider::{Backend, backends};
use ssl_provider_command::backend_choice::SomeBackendsArgs;
use ssl_provider_command::exit::{Failure, Outcome, print, tell};
use ssl_provider_command::outputs::{self, Named, write_new};
use ssl_provider_command::table::Table;
use ssl_provider_testkit::fault::Fault;
use ssl_provider_testkit::question::generate::Generator;
use ssl_provider_testkit::question::{Subject, Vector};

use self::drill::Drill;
use self::engine::Plan;
use self::matrix::{Matrix, State};

/// Arguments of `crosscheck`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Files of vectors, or folders of them: JSON, as a report of this command has them, or of the
    /// public corpus
    #[arg(value_name = "FILE|FOLDER")]
    pub vectors: Vec<PathBuf>,

    /// The backends.
    #[command(flatten)]
    pub backend: SomeBackendsArgs,

    /// Number of questions to make from the seed
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub generate: usize,

    /// Seed of the questions; the same seed makes the same ones
    #[arg(long, value_name = "NUMBER", default_value_t = Generator::DEFAULT_SEED)]
    pub seed: u64,

    /// Leave out the conformance cases
    #[arg(long)]
    pub no_cases: bool,

    /// Only operations whose name contains this text, in any case
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,

    /// An answer that takes longer than this many milliseconds counts as slow; a conformance case,
    /// a hundred times as long
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 2_000)]
    pub limit: u64,

    /// Number of threads. Default: one for each processor
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,

    /// Print JSON in place of the table
    #[arg(long)]
    pub json: bool,

    /// Write a JUnit file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,

    /// Write a page with the matrix and the questions behind each cell, which needs no network
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,

    /// Replace files that exist
    #[arg(long)]
    pub force: bool,

    /// Show no progress, and no table: only disagreements and how it ended
    #[arg(long, conflicts_with_all = ["json", "drill"])]
    pub quiet: bool,

    /// Put a fault into a backend, to see that it is found: its cells turn red. May be repeated,
    /// for other backends
    #[arg(long, value_name = "BACKEND:FAULT", value_parser = parse_fault)]
    pub inject_fault: Vec<(String, Fault)>,

    /// Put every known fault into a backend, one after the other, and check that each is found
    /// where it is and nowhere else. With --backend, into each of those; else into the default one
    #[arg(long, conflicts_with_all = [
        "inject_fault", "vectors", "html", "junit", "only", "no_cases", "limit",
    ])]
    pub drill: bool,

    /// List the known faults
    #[arg(long, exclusive = true)]
    pub list_faults: bool,
}

/// The end of the help, for commands that take more arguments.
pub const AFTER_HELP: &str = "\
A backend disagrees when its answer, bytes or status, is not the one that is published, else not the
one of independent arithmetic, else not that of most backends. A disagreement is reduced to the
smallest question that shows it, and printed as a test in Rust. What a backend does not support is
no disagreement.

Exit codes:
  0  every answer agrees
  1  nothing was compared
  2  the arguments or a file of vectors are not usable
  3  every answer agrees, but some took longer than the limit
  4  a backend disagrees
  5  standard output or a file cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov crosscheck
  sslprov crosscheck --generate 10000 --html matrix.html tests/vectors
  sslprov crosscheck --backend aws-lc,openssl --only ECDSA --no-cases
  sslprov crosscheck --json | jq '.disagreements[].test' -r
  sslprov crosscheck --inject-fault openssl:prf-sha384-is-sha256 --no-cases
  sslprov crosscheck --drill";

/// A question from a batch or a capture.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Where it is from, a word such as `batch`.
    pub group: &'static str,
    /// The question.
    pub vector: Vector,
    /// Whether a report has neither the question nor the answers, which hold somebody's keys: only
    /// hashes of the answers.
    pub is_confidential: bool,
}

/// Questions from batches and captures.
pub type Extra = Vec<Asked>;

/// Runs `crosscheck`.
///
/// # Errors
///
/// [`Failure::Usage`] for unknown backends and for files that are not usable, [`Failure::Output`]
/// and [`Failure::Write`] when a report cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    run_with(args, &[], || Ok(Extra::new()))
}

/// Runs `crosscheck` with more questions than the arguments name: those that `read` returns. No
/// report may be one of the `inputs` that it reads.
///
/// # Errors
///
/// Those of [`run`], and of `read`.
pub fn run_with(
    args: &Args,
    inputs: &[Named<'_>],
    read: impl FnOnce() -> Result<Extra, Failure>,
) -> Result<Outcome, Failure> {
    if args.list_faults {
        print(list_of_faults())?;
        return Ok(Outcome::All);
    }
    if args.drill {
        return run_drill(args);
    }
    let chosen = inject(args.backend.choose()?, &args.inject_fault)?;
    check_outputs(args, inputs)?;
    let mut vectors = files::read(&args.vectors)?;
    vectors.extend(read()?);
    let plan = Plan {
        generated: (args.generate > 0).then(|| (args.generate, Generator::new(args.seed))),
        vectors,
        cases: !args.no_cases,
        limit: Duration::from_millis(args.limit),
        jobs: jobs(args),
        only: args.only.clone(),
    };
    let subjects: Vec<Subject> = chosen.iter().map(Subject::new).collect();
    if subjects.len() == 1 {
        tell("one backend: its answers are compared with published and independent ones only");
    }
    let progress = if args.quiet { ProgressBar::hidden() } else { progress_bar() };
    let mut matrix = engine::run(&plan, &subjects, &progress);
    progress.finish_and_clear();
    for (name, fault) in &args.inject_fault {
        matrix.rename(name, &format!("{name} with {}", fault.name()));
    }
    write_reports(args, &matrix)?;
    Ok(outcome(&matrix))
}

/// Reads the value of `--inject-fault`.
fn parse_fault(text: &str) -> Result<(String, Fault), String> {
    let (backend, name) = text.split_once(':').ok_or("expected BACKEND:FAULT")?;
    let fault = Fault::from_name(name)
        .ok_or_else(|| format!("no fault {name}; `--list-faults` lists them"))?;
    Ok((backend.to_owned(), fault))
}

fn list_of_faults() -> String {
    let mut table = Table::new(["fault", "what is wrong"]);
    for fault in Fault::ALL {
        table.row([fault.name().to_owned(), fault.description().to_owned()]);
    }
    table.to_text()
}

/// Puts faults into those of the backends that they name.
fn inject(mut chosen: Vec<Backend>, faults: &[(String, Fault)]) -> Result<Vec<Backend>, Failure> {
    for (name, fault) in faults {
        let known: Vec<_> = chosen.iter().map(|backend| backend.info().name).collect();
        let found = chosen.iter_mut().find(|backend| backend.info().name == name);
        let backend = found.ok_or_else(|| {
            let known = known.join(", ");
            Failure::Usage(format!("--inject-fault {name}:{}: choose from {known}", fault.name()))
        })?;
        tell(format_args!("{name} has a fault on purpose: {}", fault.description()));
        *backend = fault.inject(backend).backend().clone();
    }
    Ok(chosen)
}

fn run_drill(args: &Args) -> Result<Outcome, Failure> {
    let all = backends();
    let chosen = args.backend.choose()?;
    let is_chosen = |backend: &Backend| chosen.contains(backend);
    let mut places: Vec<usize> = (0..all.len()).filter(|at| is_chosen(&all[*at])).collect();
    if !args.backend.is_given() {
        places.truncate(1);
    }
    let drill = Drill::prepare(&all, args.generate, args.seed).map_err(Failure::Usage)?;
    let progress = progress_bar();
    let outcomes = drill.run(&places, jobs(args), &progress);
    progress.finish_and_clear();
    if args.json {
        print(format!("{:#}\n", json!({ "faults": Fault::ALL.len(), "drills": outcomes })))?;
    } else {
        print(drill::text(&outcomes))?;
    }
    let passed = outcomes.iter().all(drill::Outcome::passed);
    Ok(if passed { Outcome::All } else { Outcome::Disagreement })
}

fn jobs(args: &Args) -> usize {
    args.jobs.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}

fn outcome(matrix: &Matrix) -> Outcome {
    match matrix.state() {
        State::Disagree => Outcome::Disagreement,
        State::Slow => Outcome::Some,
        State::Agree => Outcome::All,
        State::Skipped | State::Unsupported | State::Unjudged => Outcome::None,
    }
}

fn check_outputs(args: &Args, inputs: &[Named<'_>]) -> Result<(), Failure> {
    let written = [("--junit", args.junit.as_deref()), ("--html", args.html.as_deref())];
    let vectors = args.vectors.iter().map(|path| ("the vectors", Some(path.as_path())));
    let read: Vec<Named<'_>> = vectors.chain(inputs.iter().copied()).collect();
    outputs::keep_apart(&written, &read)?;
    for (option, path) in written {
        outputs::check_new(option, path, args.force)?;
    }
    Ok(())
}

fn write_reports(args: &Args, matrix: &Matrix) -> Result<(), Failure> {
    for (path, render) in [
        (&args.junit, report::junit as fn(&Matrix) -> String),
        (&args.html, report::html as fn(&Matrix) -> String),
    ] {
        if let Some(path) = path {
            write_new(path, render(matrix).as_bytes(), args.force)?;
        }
    }
    print(match (args.json, args.quiet) {
        (true, _) => format!("{:#}\n", report::json(matrix)),
        (false, true) => report::without_table(matrix),
        (false, false) => report::text(matrix),
    })?;
    Ok(())
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{pos}/{len} questions {wide_bar} {eta} left");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant; without it the bar has another form.
    style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
}
