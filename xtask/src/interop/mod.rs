//! `cargo xtask interop`: real TLS stacks as clients of `sslprov serve` and as servers of
//! `sslprov connect`, on every backend. Cells that a stack or a backend does not support are tried
//! too, and must fail for the expected reason. Writes docs/interop.md.

mod cell;
mod choose;
mod commands;
mod connect;
mod conversation;
mod identities;
mod peer;
mod planted;
pub(crate) mod process;
mod programs;
mod relay;
mod report;
pub(crate) mod server;
mod stacks;

use std::fs;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::in_parallel_by;
use crate::features::{BACKENDS, chosen_backends};
use crate::interop::cell::{Cell, Version};
use crate::interop::choose::cells_of;
use crate::interop::commands::Place;
use crate::interop::conversation::Conversation;
use crate::interop::peer::{Meddling, Peer};
use crate::interop::planted::{Planted, kinds, plant};
use crate::interop::process::OutOfTime;
use crate::interop::server::Servers;
use crate::interop::stacks::{CLIENTS, Kind, Ready, Refusal, Role, SERVERS, Stack, Start};
use crate::workspace::Workspace;

/// Which part of the matrix to run.
#[derive(Args, Debug, Default)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
    /// Only this stack, on both sides; may be given several times.
    #[arg(long = "stack", value_name = "NAME")]
    stacks: Vec<String>,
    /// Only stacks in this role: `client`, of `sslprov serve`, or `server`, of `sslprov connect`.
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Only this backend of our side; may be given several times.
    #[arg(long = "backend", value_name = "NAME")]
    backends: Vec<String>,
    /// Only cells of this version, such as `tls1.3`.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    version: Option<Version>,
    /// A few cells with OpenSSL, GnuTLS and tlslite-ng, and one of TLS 1.3 with each stack that
    /// cargo need not build; or with the given stacks, as far as they are installed.
    #[arg(long)]
    smoke: bool,
    /// Continue without the stacks that are not installed.
    #[arg(long)]
    allow_missing: bool,
    /// Stacks at a time. Default: one more than there are processors, since each waits a lot.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,
    /// Also write every cell as JSON to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask interop                            the matrix; writes docs/interop.md
  cargo xtask interop --version tls1.3           of one version; writes docs/interop-tls1.3.md
  cargo xtask interop --smoke                    a few cells, with what is installed
  cargo xtask interop --stack nss --role server --backend ring --json cells.json
  cargo xtask interop --allow-missing            all stacks that are installed

Parts of the matrix are reported in target/interop/interop.md.";

fn version(text: &str) -> Result<Version, String> {
    let names = Version::ALL.map(Version::argument).join(", ");
    let found = Version::ALL.into_iter().find(|version| version.argument() == text);
    found.ok_or_else(|| format!("expected one of {names}"))
}

/// The stacks of a short run up to TLS 1.2: those that differ little between distributions.
const SMOKE_STACKS: [&str; 3] = ["openssl", "gnutls", "tlslite-ng"];

/// Runs the few cells that CI runs.
///
/// # Errors
///
/// As `run`.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    run(workspace, &Options { smoke: true, ..Options::default() })
}

/// Runs the matrix and writes the report: the one of the repository when the matrix is whole.
///
/// # Errors
///
/// Fails when a cell is red, when a planted fault is not found, when a stack is missing that may
/// not be, and when nothing is left.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let smoke_stacks = SMOKE_STACKS;
    let mut stacks = match &options.stacks[..] {
        // Of the other stacks, TLS 1.3 only; those that cargo has to build are left out.
        [] if options.smoke => {
            let mut stacks = chosen_stacks(&[])?;
            stacks.retain(|stack| {
                let speaks = stack.versions.contains(&Version::Tls1_3);
                smoke_stacks.contains(&stack.key) || speaks && !matches!(stack.kind, Kind::Peer(_))
            });
            stacks
        }
        names => chosen_stacks(names)?,
    };
    stacks.retain(|stack| {
        let has_version = options.version.is_none_or(|it| stack.versions.contains(&it));
        options.role.is_none_or(|role| role == stack.role) && has_version
    });
    let mut backends = chosen_backends(&options.backends)?;
    // The one that supports everything comes first: what it refuses, the stack does not support.
    backends.sort_by_key(|backend| *backend != "openssl");
    let (ready, missing) = prepare(workspace, &stacks);
    ensure!(!ready.is_empty(), "no stack is installed");
    let may_miss = options.smoke || options.allow_missing;
    ensure!(may_miss || missing == 0, "{missing} stacks are missing (--allow-missing)");

    let servers = Servers::build(workspace)?;
    let is_chosen = !options.stacks.is_empty();
    let bench = Bench {
        workspace,
        servers,
        backends,
        smoke: options.smoke,
        is_chosen,
        version: options.version,
    };
    let start = Instant::now();
    let processors = thread::available_parallelism().map_or(2, NonZero::get);
    let jobs = options.jobs.map_or(processors + 1, NonZero::get);
    let runs = in_parallel_by(jobs, &ready, |ready| {
        let run = bench.run_one(ready);
        println!("{}", summary(&run));
        run
    });
    println!("interop: {} s", start.elapsed().as_secs());

    let has_version =
        |stack: &&Stack| options.version.is_none_or(|it| stack.versions.contains(&it));
    let all = CLIENTS.iter().chain(&SERVERS).filter(has_version).count();
    let whole = ready.len() == all && bench.backends.len() == BACKENDS.len() && !options.smoke;
    let directory = if whole { workspace.root().join("docs") } else { workspace.target("interop") };
    let path = directory.join(match options.version {
        Some(version) => format!("interop-{}.md", version.argument()),
        None => "interop.md".to_owned(),
    });
    fs::write(&path, report::markdown(&ready, &runs)).context("cannot write the report")?;
    println!("{}: written", path.display());
    if let Some(path) = &options.json {
        fs::write(path, report::json(&runs)?).context("cannot write the cells")?;
    }
    conclude(&runs, whole && options.version.is_none())
}

fn chosen_stacks(names: &[String]) -> Result<Vec<&'static Stack>> {
    let all = || CLIENTS.iter().chain(&SERVERS);
    for name in names {
        let known = distinct(all().map(|stack| stack.key));
        ensure!(known.contains(&name.as_str()), "no stack `{name}`, only {}", known.join(", "));
    }
    let is_chosen = |stack: &&Stack| names.is_empty() || names.iter().any(|name| name == stack.key);
    Ok(all().filter(is_chosen).collect())
}

/// Prepares the stacks; a missing one is named and counted.
fn prepare(workspace: &Workspace, stacks: &[&'static Stack]) -> (Vec<Ready>, usize) {
    let mut ready = Vec::new();
    for stack in stacks {
        match stack.prepare(workspace) {
            Ok(stack) => ready.push(stack),
            Err(error) => {
                println!("{} as a {} is missing: {error:#}", stack.name, stack.role.name());
            }
        }
    }
    let missing = stacks.len() - ready.len();
    (ready, missing)
}

/// The result of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// The connections are as the cell requests.
    Green,
    /// The stack does not support this, and it failed for this reason.
    PeerCannot(&'static str),
    /// The backend does not support this, and our side declined.
    BackendCannot(&'static str),
    /// Anything else.
    Red(String),
}

/// Every cell of a stack.
#[derive(Debug)]
struct StackRun {
    stack: &'static Stack,
    cells: Vec<(Cell, Verdict)>,
    planted: Vec<Planted>,
    seconds: u64,
}

impl StackRun {
    fn count(&self, wanted: fn(&Verdict) -> bool) -> usize {
        self.cells.iter().filter(|(_, verdict)| wanted(verdict)).count()
    }

    fn green(&self) -> usize {
        self.count(|verdict| *verdict == Verdict::Green)
    }

    fn red(&self) -> usize {
        self.count(|verdict| matches!(verdict, Verdict::Red(_)))
    }

    fn missed(&self) -> usize {
        self.planted.iter().filter(|planted| planted.missed.is_some()).count()
    }
}

/// What all runs share.
struct Bench<'a> {
    workspace: &'a Workspace,
    servers: Servers,
    backends: Vec<&'static str>,
    smoke: bool,
    /// Whether stacks were asked for by name.
    is_chosen: bool,
    version: Option<Version>,
}

impl Bench<'_> {
    /// If the run itself fails, every cell has failed.
    fn run_one(&self, ready: &Ready) -> StackRun {
        let stack = ready.stack;
        let start = Instant::now();
        let is_refused = |cell: &Cell| self.refusal(stack, cell).is_some();
        let mut cells = cells_of(stack, &self.backends, self.smoke, is_refused);
        if self.smoke && !self.is_chosen && !SMOKE_STACKS.contains(&stack.key) {
            cells.retain(Cell::is_tls13);
        }
        cells.retain(|cell| self.version.is_none_or(|version| version == cell.version));
        if let Start::Program(launch) = &ready.start {
            // A program that reads something once is started as seldom as possible.
            cells.sort_by_key(|cell| launch.properties(cell, stack.role));
        }
        let (cells, planted) = self.try_cells(ready, &cells).unwrap_or_else(|error| {
            let red = Verdict::Red(format!("{error:#}"));
            (cells.into_iter().map(|cell| (cell, red.clone())).collect(), Vec::new())
        });
        StackRun { stack, cells, planted, seconds: start.elapsed().as_secs() }
    }

    fn try_cells(&self, ready: &Ready, cells: &[Cell]) -> Result<Tried> {
        let stack = ready.stack;
        let run = format!("interop/runs/{}-{}", stack.role.name(), stack.key);
        let directory = self.workspace.empty_target(&run)?;
        let place = Place { identities: self.servers.identities.clone(), directory };
        let mut peer = Peer::new(self.workspace, &self.servers, ready, &place);
        let mut judged = Vec::new();
        for cell in cells {
            let outcome = peer.converse(cell, Meddling::None);
            judged.push((*cell, self.judge(stack, cell, outcome)));
        }
        let is_green =
            |(cell, verdict): &(Cell, Verdict)| (*verdict == Verdict::Green).then_some(*cell);
        let green: Vec<_> = judged.iter().filter_map(is_green).collect();
        let is_refused = |cell: &Cell| self.refusal(stack, cell).is_some();
        let planted = plant(&mut peer, stack, &self.backends, &green, self.smoke, &is_refused);
        Ok((judged, planted))
    }

    /// Compares an outcome with the cell. A cell that is expected to fail must do so in time and
    /// for the expected reason.
    fn judge(&self, stack: &Stack, cell: &Cell, outcome: Result<Conversation>) -> Verdict {
        let outcome = outcome.and_then(|conversation| conversation.check(cell, stack));
        let Some((refusal, excuse)) = self.refusal(stack, cell) else {
            return outcome
                .map_or_else(|error| Verdict::Red(format!("{error:#}")), |()| Verdict::Green);
        };
        excused(refusal, excuse, outcome)
    }

    /// Returns why a cell does not work, if it does not.
    fn refusal(&self, stack: &Stack, cell: &Cell) -> Option<(Refusal, Verdict)> {
        if let Some(refusal) = stack.refusal(cell) {
            let verdict = Verdict::PeerCannot(refusal.reason);
            return Some((refusal, verdict));
        }
        let reason = if !self.servers.has(cell.backend, cell.suite.cipher) {
            "the backend does not support the cipher"
        } else if cell.is_tls13() && !self.servers.has_group(cell.backend, cell.group) {
            "the backend does not support the group"
        } else {
            return None;
        };
        let said = match stack.role {
            Role::Client if !cell.is_tls13() => stack.handshake_failure,
            _ => &["see `sslprov suites`"],
        };
        Some((Refusal { reason, said }, Verdict::BackendCannot(reason)))
    }
}

/// The cells of a stack with their verdicts, and the planted faults.
type Tried = (Vec<(Cell, Verdict)>, Vec<Planted>);

/// Judges a cell that must fail.
fn excused(refusal: Refusal, excuse: Verdict, outcome: Result<()>) -> Verdict {
    let Refusal { reason, said } = refusal;
    match outcome {
        Ok(()) => Verdict::Red(format!("expected to fail ({reason}), but it works")),
        Err(error) if error.is::<OutOfTime>() => Verdict::Red(format!("{error:#}")),
        Err(error) => {
            let message = format!("{error:#}");
            match said.iter().any(|words| message.contains(words)) {
                true => excuse,
                false => Verdict::Red(format!("expected to fail ({reason}), failed as: {message}")),
            }
        }
    }
}

/// One line for a run, and one for each red cell and each fault that was not found.
fn summary(run: &StackRun) -> String {
    let peer = run.count(|verdict| matches!(verdict, Verdict::PeerCannot(_)));
    let backend = run.count(|verdict| matches!(verdict, Verdict::BackendCannot(_)));
    let red = run.cells.iter().filter_map(|(cell, verdict)| match verdict {
        Verdict::Red(message) => Some(format!("\n  RED {cell}: {message}")),
        Verdict::Green | Verdict::PeerCannot(_) | Verdict::BackendCannot(_) => None,
    });
    let missed = run.planted.iter().filter_map(|planted| {
        let missed = planted.missed.as_ref()?;
        Some(format!("\n  NOT FOUND {}: {missed}", planted.what))
    });
    let lines: String = red.chain(missed).collect();
    format!(
        "{} {:<13} {:>4} green, {peer:>3} peer cannot, {backend:>3} backend cannot, {:>3} red, \
         {:>2} of {:>2} planted faults found, {:>3} s{lines}",
        run.stack.role.name(),
        run.stack.key,
        run.green(),
        run.red(),
        run.planted.len() - run.missed(),
        run.planted.len(),
        run.seconds,
    )
}

/// Fails unless all is green and found; in a whole run also unless every kind of fault was planted.
fn conclude(runs: &[StackRun], whole: bool) -> Result<()> {
    let green: usize = runs.iter().map(StackRun::green).sum();
    let red: usize = runs.iter().map(StackRun::red).sum();
    let missed: usize = runs.iter().map(StackRun::missed).sum();
    ensure!(red == 0, "interop: {red} red cells, {green} green");
    ensure!(green > 0, "interop: no cell was run");
    ensure!(missed == 0, "interop: {missed} planted faults were not found");
    let mut planted = 0;
    for role in [Role::Client, Role::Server] {
        let runs = runs.iter().filter(|run| run.stack.role == role);
        let found: Vec<_> = runs.flat_map(|run| &run.planted).map(|it| it.what).collect();
        planted += found.len();
        for kind in kinds(role).into_iter().filter(|_| whole) {
            let role = role.name();
            ensure!(found.contains(&kind), "interop: no fault of {kind} was planted for a {role}");
        }
    }
    ensure!(planted > 0, "interop: no fault was planted");
    println!("interop: {green} cells green, none red; {planted} planted faults, all found");
    Ok(())
}

/// Returns what is in `all`, each once, in the order of its first occurrence.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interop::choose::cells_of;

    #[test]
    fn a_misspelt_name_is_refused_with_the_right_ones() {
        let error = chosen_stacks(&["gnutsl".into()]).unwrap_err().to_string();
        assert!(error.contains("gnutls") && error.contains("bouncy-castle"), "{error}");
        assert_eq!(chosen_stacks(&[]).unwrap().len(), CLIENTS.len() + SERVERS.len());
    }

    #[test]
    fn an_excuse_holds_for_the_expected_reason_in_time_only() {
        let refusal = Refusal { reason: "too old", said: &["no cipher match", "no protocols"] };
        let judge = |outcome| excused(refusal, Verdict::PeerCannot("too old"), outcome);
        assert_eq!(judge(Err(anyhow::anyhow!("no protocols"))), Verdict::PeerCannot("too old"));
        assert!(matches!(judge(Err(anyhow::anyhow!("no route"))), Verdict::Red(_)));
        assert!(matches!(judge(Ok(())), Verdict::Red(_)));
        let late = Err(OutOfTime).context("no protocols");
        assert!(matches!(judge(late), Verdict::Red(_)));
    }

    #[test]
    fn a_red_cell_and_a_missed_fault_fail_the_run_and_are_reported() {
        let stack = &CLIENTS[0];
        let cell = cells_of(stack, &["ring"], true, |_| false)[0];
        let run = |verdict, missed: Option<&str>| StackRun {
            stack,
            cells: vec![(cell, verdict)],
            planted: vec![Planted { what: "suite", missed: missed.map(str::to_owned) }],
            seconds: 1,
        };
        let green = || run(Verdict::Green, None);
        assert!(conclude(&[green()], false).is_ok());
        assert!(conclude(&[green()], true).is_err(), "some kinds were not planted");
        assert!(conclude(&[run(Verdict::BackendCannot("no cipher"), None)], false).is_err());
        let red = run(Verdict::Red("why".into()), None);
        assert!(summary(&red).contains(": why"));
        assert!(conclude(&[green(), red], false).is_err());
        let missed = run(Verdict::Green, Some("not seen"));
        assert!(summary(&missed).contains("suite: not seen"));
        assert!(conclude(&[green(), missed], false).is_err());
        let none = StackRun { planted: Vec::new(), ..green() };
        assert!(conclude(&[none], false).is_err());
    }
}
