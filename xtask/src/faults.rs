//! `cargo xtask faults`: flips bits of loaded private keys in memory, and checks that no result of
//! a faulty RSA operation is delivered, neither a plaintext nor a signature, and that good and bad
//! ciphertexts keep one status.
//! Planted backends must be found in the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::command::{Run, in_parallel};
use crate::features::{BACKENDS, all_of_facade};
use crate::workspace::Workspace;

/// How much is injected, and where.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
    /// Flips for each backend that decrypts, for multi-buffer RSA around it, and for each that
    /// signs.
    #[arg(long, default_value_t = 1000)]
    flips: u32,
    /// Seed of the bits; the same seed flips the same ones.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these, such as `aws-lc`, `multi-buffer:openssl` or `sign:ring`, and the planted ones.
    #[arg(long = "target")]
    targets: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask faults
  cargo xtask faults --flips 100 --seed 7
  cargo xtask faults --target openssl --target multi-buffer:openssl";

/// Backends with a planted fault, and the problem that must be found with each.
const PLANTED: [(&str, &str); 3] = [
    ("planted:unchecked", "wrong plaintext"),
    ("planted:telling", "status"),
    ("sign:unchecked", "wrong signature"),
];

/// Flips of the planted backends: enough for each part of the key.
const FLIPS_OF_PLANTED: u32 = 14;

/// Parts of the key that every private operation uses.
const IN_USE: [&str; 5] = ["p", "q", "dp", "dq", "qinv"];

/// What the names of backends begin with that sign.
const SIGN: &str = "sign:";

/// What the names of backends begin with that have multi-buffer RSA around them.
const AROUND: &str = "multi-buffer:";

/// Runs what CI runs.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    run(workspace, &Options { flips: 50, seed: 1, targets: Vec::new() })
}

/// Flips bits for every backend, as it decrypts and as it signs, for multi-buffer RSA around it,
/// and for the planted backends.
///
/// # Errors
///
/// Fails when a wrong plaintext, secret or signature was delivered, when statuses differ, when a
/// process died or hung, when a part of a key was not found or not used, and when a planted fault
/// was not found.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure_platform()?;
    // As shipped: with debug assertions, RustCrypto panics where it would return an error.
    Run::cargo("build")
        .args(["--quiet", "--release", "--package", PROGRAM, "--features", &all_of_facade()])
        .run(workspace)?;
    inject(workspace, &workspace.target("release").join(PROGRAM), options)
}

const PROGRAM: &str = "ssl-provider-faults";

fn ensure_platform() -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "this check needs Linux: it finds the keys by /proc");
    Ok(())
}

fn inject(workspace: &Workspace, program: &Path, options: &Options) -> Result<()> {
    let around = BACKENDS.map(|backend| format!("{AROUND}{backend}"));
    let sign = BACKENDS.map(|backend| format!("{SIGN}{backend}"));
    let known = BACKENDS.map(str::to_owned).into_iter().chain(around).chain(sign);
    let known: Vec<String> = known.collect();
    for target in &options.targets {
        let choices = known.join(", ");
        ensure!(known.contains(target), "no target `{target}`; choose one of {choices}");
    }
    let is_chosen = |name: &String| options.targets.is_empty() || options.targets.contains(name);
    let chosen = known.into_iter().filter(is_chosen).map(|name| (name, options.flips));
    let planted = PLANTED.map(|(name, _)| (name.to_owned(), FLIPS_OF_PLANTED));
    let work: Vec<(String, u32)> = chosen.chain(planted).collect();
    let reports = in_parallel(&work, |(target, flips)| {
        Report::of(workspace, program, target, *flips, options.seed)
    });
    let mut problems = Vec::new();
    for ((target, _), report) in work.iter().zip(reports) {
        match report.with_context(|| target.clone())? {
            None => println!("NOT TESTED: {target}: the processor has no multi-buffer RSA"),
            Some(report) => {
                println!("{report}");
                let planted = PLANTED.iter().find(|(name, _)| name == target);
                let judged = planted.map_or_else(|| report.judge(), |(_, what)| report.has(what));
                problems.extend(judged.err());
            }
        }
    }
    let problems: Vec<String> = problems.iter().map(|problem| format!("{problem:#}")).collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    println!(
        "faults: no wrong plaintext or signature, one status, and the planted faults were found"
    );
    Ok(())
}

/// A line of the program: a flip, or a part of the key that it did not find.
#[derive(Clone, Debug, Deserialize)]
struct Flip {
    part: String,
    /// How often this part is in memory.
    places: usize,
    #[serde(default)]
    form: String,
    #[serde(default)]
    in_use: bool,
    #[serde(default)]
    outcome: String,
    #[serde(default)]
    problems: Vec<String>,
}

/// All flips of a target.
#[derive(Debug)]
struct Report {
    target: String,
    flips: Vec<Flip>,
}

impl Report {
    /// Runs the program; returns none if the processor does not have what the target needs.
    fn of(
        workspace: &Workspace,
        program: &Path,
        target: &str,
        flips: u32,
        seed: u64,
    ) -> Result<Option<Self>> {
        // A fault could make a library search for ever.
        let seconds = 120 + u64::from(flips) * 2;
        let (status, printed) = Run::new("timeout")
            .args([seconds.to_string()])
            .args([program])
            .args([target, &flips.to_string(), &seed.to_string()])
            // The C library then overwrites what is freed, so that only live numbers are found.
            .env("MALLOC_PERTURB_", "165")
            .outcome(workspace)?;
        if !status.success() {
            // The last line is the flip that was being tried.
            let last = printed.lines().rev().take(3).collect::<Vec<_>>();
            let last: Vec<&str> = last.into_iter().rev().collect();
            bail!("the process ended with {status} (124: it hung):\n{}", last.join("\n"));
        }
        Self::parse(target, &printed)
    }

    fn parse(target: &str, printed: &str) -> Result<Option<Self>> {
        let mut flips = Vec::new();
        for line in printed.lines() {
            if line.starts_with("{\"missing\"") {
                return Ok(None);
            }
            // The announcement of a flip, whose outcome is the next line.
            if !line.starts_with('{') || line.contains("\"flipping\"") {
                continue;
            }
            flips.push(serde_json::from_str(line).with_context(|| format!("`{line}`"))?);
        }
        Ok(Some(Self { target: target.to_owned(), flips }))
    }

    /// The problem that a planted backend must have.
    fn has(&self, problem: &str) -> Result<()> {
        let mut problems = self.flips.iter().flat_map(|flip| &flip.problems);
        let found = problems.any(|found| found.starts_with(problem));
        ensure!(found, "{}: no flip showed the planted fault ({problem})", self.target);
        Ok(())
    }

    fn judge(&self) -> Result<()> {
        let target = &self.target;
        // All but multi-buffer RSA, whose own modulus is not searched for, must use that too.
        let modulus = (!target.starts_with(AROUND)).then_some("n");
        for part in IN_USE.into_iter().chain(modulus) {
            let of_part = || self.flips.iter().filter(|flip| flip.part == part);
            ensure!(of_part().any(|flip| flip.places > 0), "{target}: {part} was not found");
            let used = of_part().any(|flip| flip.in_use);
            ensure!(used, "{target}: no flip in {part} had an effect, so the run proves nothing");
        }
        for Flip { part, form, problems, .. } in &self.flips {
            ensure!(problems.is_empty(), "{target}: {part} ({form}): {}", problems.join("; "));
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for flip in &self.flips {
            *outcomes.entry(&flip.outcome).or_default() += 1;
            places.insert(&flip.part, flip.places);
        }
        let list = |counts: BTreeMap<&str, usize>| {
            let counts = counts.iter().map(|(name, count)| format!("{name} {count}"));
            counts.collect::<Vec<_>>().join(", ")
        };
        let in_use = self.flips.iter().filter(|flip| flip.in_use).count();
        let problems = self.flips.iter().filter(|flip| !flip.problems.is_empty()).count();
        let used: BTreeSet<_> =
            self.flips.iter().filter(|flip| flip.in_use).map(|it| (&it.part, &it.form)).collect();
        let idle = self.flips.iter().map(|flip| (&flip.part, &flip.form));
        let idle: BTreeSet<_> = idle.filter(|form| !used.contains(form)).collect();
        let idle: Vec<_> = idle.iter().map(|(part, form)| format!("{part} ({form})")).collect();
        write!(
            f,
            "{}: {} flips, {in_use} in numbers that are used; outcomes: {}; \
             problems: {problems}\n  places: {}",
            self.target,
            self.flips.len(),
            list(outcomes),
            list(places),
        )?;
        if idle.is_empty() { Ok(()) } else { write!(f, "; without effect: {}", idle.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(change: impl Fn(&mut Flip)) -> Report {
        let parts = IN_USE.into_iter().chain(["n"]);
        let flips = parts.map(|part| {
            let (places, form, outcome) = (2, "words".to_owned(), "error".to_owned());
            let part = part.to_owned();
            let mut flip = Flip { part, places, form, in_use: true, outcome, problems: Vec::new() };
            change(&mut flip);
            flip
        });
        Report { target: "aws-lc".to_owned(), flips: flips.collect() }
    }

    #[test]
    fn a_number_that_is_missing_or_idle_does_not_pass() {
        report(|_| ()).judge().unwrap();
        for part in IN_USE.into_iter().chain(["n"]) {
            let missing = report(|flip| flip.places *= usize::from(flip.part != part));
            assert!(missing.judge().is_err(), "{part}");
            assert!(report(|flip| flip.in_use = flip.part != part).judge().is_err(), "{part}");
        }
        let mut around = report(|flip| flip.in_use = flip.part != "n");
        around.target = "multi-buffer:aws-lc".to_owned();
        around.judge().unwrap();
    }

    #[test]
    fn a_problem_does_not_pass_and_a_planted_one_must_be_there() {
        let clean = report(|_| ());
        let wrong = report(|flip| flip.problems.push("wrong plaintext: another block".to_owned()));
        assert!(wrong.judge().is_err());
        wrong.has("wrong plaintext").unwrap();
        assert!(wrong.has("status").is_err());
        assert!(clean.has("wrong plaintext").is_err());
    }

    #[test]
    fn lines_of_the_program_are_read() {
        let lines = "$ timeout 1 x\n{\"flipping\":5,\"form\":\"words\",\"part\":\"p\"}\n\
            {\"bit\":5,\"form\":\"words\",\"in_use\":true,\"outcome\":\"error\",\"part\":\"p\",\
            \"places\":3,\"problems\":[]}\n{\"part\":\"q\",\"places\":0}\n";
        let report = Report::parse("x", lines).unwrap().unwrap();
        let parts: Vec<_> = report.flips.iter().map(|it| (&it.part[..], it.places)).collect();
        assert_eq!(parts, [("p", 3), ("q", 0)]);
        assert!(Report::parse("x", "{\"missing\":\"AVX\"}").unwrap().is_none());
        assert!(Report::parse("x", "{\"part\":3}").is_err());
    }
}
