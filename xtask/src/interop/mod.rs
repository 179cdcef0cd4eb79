//! `cargo xtask interop`: real TLS clients against `sslprov serve`, on every backend.
//! Cells that a client or a backend does not support are tried too, and must fail. Writes
//! docs/interop.md.

mod cell;
mod commands;
mod conversation;
pub(crate) mod process;
mod programs;
mod report;
pub(crate) mod server;
mod stacks;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::command::in_parallel;
use crate::features::{BACKENDS, chosen_backends};
use crate::interop::cell::{Cell, cells_of};
use crate::interop::conversation::{Conversation, Secret};
use crate::interop::process::OutOfTime;
use crate::interop::server::Servers;
use crate::interop::stacks::{Place, Ready, STACKS, Stack};
use crate::workspace::Workspace;

/// Which part of the matrix to run.
#[derive(Args, Debug, Default)]
pub(crate) struct Options {
    /// Only this client stack; may be given several times.
    #[arg(long = "stack", value_name = "NAME")]
    stacks: Vec<String>,
    /// Only this backend of the server; may be given several times.
    #[arg(long = "backend", value_name = "NAME")]
    backends: Vec<String>,
    /// A few cells with OpenSSL, GnuTLS and tlslite-ng, or with the given stacks, as far as they
    /// are installed.
    #[arg(long)]
    smoke: bool,
    /// Continue without the stacks that are not installed.
    #[arg(long)]
    allow_missing: bool,
    /// Also write every cell as JSON to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The stacks of a short run: those that differ little between distributions.
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
/// Fails when a cell is red, when a stack is missing that may not be, and when nothing is left.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let smoke_stacks = SMOKE_STACKS.map(str::to_owned);
    let stacks = match &options.stacks[..] {
        [] if options.smoke => chosen_stacks(&smoke_stacks)?,
        names => chosen_stacks(names)?,
    };
    let backends = chosen_backends(&options.backends)?;
    let (ready, missing) = prepare(workspace, &stacks);
    ensure!(!ready.is_empty(), "no client stack is installed");
    let may_miss = options.smoke || options.allow_missing;
    ensure!(may_miss || missing == 0, "{missing} client stacks are missing (--allow-missing)");

    let bench = Bench { workspace, servers: Servers::build(workspace)?, smoke: options.smoke };
    let pairs: Vec<_> = backends
        .iter()
        .flat_map(|backend| ready.iter().map(move |stack| (stack, *backend)))
        .collect();
    let runs = in_parallel(&pairs, |(ready, backend)| {
        let run = bench.run_one(ready, backend);
        println!("{}", summary(&run));
        run
    });

    let whole = ready.len() == STACKS.len() && backends.len() == BACKENDS.len() && !options.smoke;
    let directory = if whole { workspace.root().join("docs") } else { workspace.target("interop") };
    let path = directory.join("interop.md");
    fs::write(&path, report::markdown(&ready, &runs)).context("cannot write the report")?;
    println!("{}: written", path.display());
    if let Some(path) = &options.json {
        fs::write(path, report::json(&runs)?).context("cannot write the cells")?;
    }
    conclude(&runs)
}

fn chosen_stacks(names: &[String]) -> Result<Vec<&'static Stack>> {
    for name in names {
        let known = STACKS.map(|stack| stack.key).join(", ");
        ensure!(known.split(", ").any(|key| key == name), "no stack `{name}`, only {known}");
    }
    let is_chosen = |stack: &&Stack| names.is_empty() || names.iter().any(|name| name == stack.key);
    Ok(STACKS.iter().filter(is_chosen).collect())
}

/// Prepares the clients; a missing one is named and counted.
fn prepare(workspace: &Workspace, stacks: &[&'static Stack]) -> (Vec<Ready>, usize) {
    let mut ready = Vec::new();
    for stack in stacks {
        match stack.prepare(workspace) {
            Ok(stack) => ready.push(stack),
            Err(error) => println!("{} is missing: {error:#}", stack.name),
        }
    }
    let missing = stacks.len() - ready.len();
    (ready, missing)
}

/// The result of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Both connections are as the cell requests.
    Green,
    /// The client does not support this, and it failed.
    PeerCannot(&'static str),
    /// The backend does not support the cipher, and the server declined.
    BackendCannot,
    /// Anything else.
    Red(String),
}

/// Every cell of a stack with a backend.
#[derive(Debug)]
struct StackRun {
    stack: &'static Stack,
    backend: &'static str,
    cells: Vec<(Cell, Verdict)>,
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
}

/// What all runs share.
struct Bench<'a> {
    workspace: &'a Workspace,
    servers: Servers,
    smoke: bool,
}

impl Bench<'_> {
    /// If the run itself fails, every cell has failed.
    fn run_one(&self, ready: &Ready, backend: &'static str) -> StackRun {
        let stack = ready.stack;
        let cells = cells_of(stack, self.smoke);
        let cells = self.try_cells(ready, backend, &cells).unwrap_or_else(|error| {
            let red = Verdict::Red(format!("{error:#}"));
            cells.into_iter().map(|cell| (cell, red.clone())).collect()
        });
        StackRun { stack, backend, cells }
    }

    fn try_cells(
        &self,
        ready: &Ready,
        backend: &str,
        cells: &[Cell],
    ) -> Result<Vec<(Cell, Verdict)>> {
        let stack = ready.stack;
        let run = format!("interop/runs/{}-{backend}", stack.key);
        let directory = self.workspace.empty_target(&run)?;
        let mut server = self.servers.start(backend, &directory)?;
        let certificate = self.servers.certificate.clone();
        let mut client = ready.client(Place { port: server.port, certificate, directory });
        let mut conversations = Vec::new();
        for cell in cells {
            conversations.push((*cell, client(cell)));
        }
        let secrets = server.secrets()?;
        let judged = conversations.into_iter().map(|(cell, outcome)| {
            let verdict = match self.excuse(stack, backend, &cell) {
                Some(excuse) => excused(excuse, outcome),
                None => outcome
                    .and_then(|heard| check(&heard, stack, &cell, backend, &secrets))
                    .map_or_else(|error| Verdict::Red(format!("{error:#}")), |()| Verdict::Green),
            };
            (cell, verdict)
        });
        Ok(judged.collect())
    }

    /// Returns why a cell is unsupported, if it is.
    fn excuse(&self, stack: &Stack, backend: &str, cell: &Cell) -> Option<Verdict> {
        if let Some(reason) = stack.refusal(cell.version, cell.suite) {
            Some(Verdict::PeerCannot(reason))
        } else if self.servers.has(backend, cell.suite.cipher) {
            None
        } else {
            Some(Verdict::BackendCannot)
        }
    }
}

/// An unsupported cell must fail, and before the time limit.
fn excused(excuse: Verdict, outcome: Result<Conversation>) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Red(format!("expected a failure ({excuse:?}), but it works")),
        Err(error) if error.is::<OutOfTime>() => Verdict::Red(format!("{error:#}")),
        Err(_) => excuse,
    }
}

/// Both sessions are the cell's, and client and server agree on the master secrets.
fn check(
    conversation: &Conversation,
    stack: &Stack,
    cell: &Cell,
    backend: &str,
    of_server: &[Secret],
) -> Result<()> {
    conversation.check(cell, backend, stack.no_resumption.is_none())?;
    let of_client = &conversation.secrets;
    if stack.no_secrets.is_none() && of_client.len() < 2 {
        bail!("the client reports {} secrets for two connections", of_client.len());
    }
    for secret in of_client {
        let known = of_server.iter().any(|of_server| of_server.agrees_with(secret));
        ensure!(known, "a secret of the client is not in the server's key log");
    }
    Ok(())
}

/// One line for a run, and one for each red cell.
fn summary(run: &StackRun) -> String {
    let peer = run.count(|verdict| matches!(verdict, Verdict::PeerCannot(_)));
    let backend = run.count(|verdict| *verdict == Verdict::BackendCannot);
    let red = run.cells.iter().filter_map(|(cell, verdict)| match verdict {
        Verdict::Red(message) => Some(format!("\n  RED {cell}: {message}")),
        Verdict::Green | Verdict::PeerCannot(_) | Verdict::BackendCannot => None,
    });
    let red: Vec<_> = red.collect();
    format!(
        "{:<13} {:<10} {:>4} green, {peer:>3} peer cannot, {backend:>3} backend cannot, {:>3} \
         red{}",
        run.stack.key,
        run.backend,
        run.green(),
        red.len(),
        red.concat()
    )
}

fn conclude(runs: &[StackRun]) -> Result<()> {
    let green: usize = runs.iter().map(StackRun::green).sum();
    let red: usize = runs.iter().map(StackRun::red).sum();
    ensure!(red == 0, "interop: {red} red cells, {green} green");
    ensure!(green > 0, "interop: no cell was run");
    println!("interop: {green} cells green, none red");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_refused_with_the_right_ones() {
        let error = chosen_stacks(&["gnutsl".into()]).unwrap_err().to_string();
        assert!(error.contains("gnutls") && error.contains("bouncy-castle"), "{error}");
        assert_eq!(chosen_stacks(&[]).unwrap().len(), STACKS.len());
    }

    #[test]
    fn an_excuse_holds_for_what_fails_in_time_only() {
        let excuse = Verdict::PeerCannot("too old");
        let failed = || anyhow::anyhow!("handshake failure");
        assert_eq!(excused(excuse.clone(), Err(failed())), excuse);
        let works = excused(excuse.clone(), Ok(Conversation::default()));
        assert!(matches!(works, Verdict::Red(_)));
        let late = Err(OutOfTime).context("the client");
        assert!(matches!(excused(excuse, late), Verdict::Red(_)));
    }

    #[test]
    fn a_red_cell_fails_the_run_and_is_reported() {
        let stack = &STACKS[0];
        let cell = cells_of(stack, true)[0];
        let run = |verdict| StackRun { stack, backend: "ring", cells: vec![(cell, verdict)] };
        assert!(conclude(&[run(Verdict::Green)]).is_ok());
        assert!(conclude(&[run(Verdict::BackendCannot)]).is_err());
        let red = run(Verdict::Red("why".into()));
        assert!(summary(&red).contains(": why"));
        assert!(conclude(&[run(Verdict::Green), red]).is_err());
    }
}
