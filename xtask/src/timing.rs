//! `cargo xtask timing`: checks that the time of an import does not depend on its plaintext.
//! An effect counts by its size and its significance; the controls must be found in each run.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::workspace::Workspace;

/// How much is measured.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
    /// Measure for seconds, and check only that everything was measured.
    #[arg(long)]
    smoke: bool,
    /// Bits of the RSA key; a shorter key adds less noise.
    #[arg(long, default_value = "1024", value_parser = ["1024", "2048"])]
    bits: String,
    /// Blocks of imports; each block times every class once. Default: 30000. Where they are too
    /// few, up to four times as many are measured.
    #[arg(long, conflicts_with = "smoke")]
    blocks: Option<u32>,
    /// Print one JSON object for each class instead of the table.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask timing
  cargo xtask timing --blocks 100000
  cargo xtask timing --json > differences.jsonl";

/// Runs what CI runs. On a busy machine, times of seconds prove nothing, so none is judged:
/// instructions are counted instead, see [`crate::valgrind`].
///
/// # Errors
///
/// Fails when something was not measured.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    let options = Options { smoke: true, bits: "1024".to_owned(), blocks: None, json: false };
    run(workspace, &options)
}

/// Runs the measurement and judges it.
///
/// # Errors
///
/// Fails when something was not measured, and, but for the smoke run, when a class stands out, a
/// control does not, or an interval is too wide.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (blocks, selections, rounds) = match options.smoke {
        true => (300, 3_000, 1),
        false => (options.blocks.unwrap_or(30_000), 200_000, 4),
    };
    let program = if options.smoke { build_for_tests(workspace)? } else { build(workspace)? };
    let mut run = Run::new(program)
        .args([&options.bits])
        .args([blocks, selections, rounds].map(|number| number.to_string()));
    if options.json {
        run = run.quiet();
    }
    let differences = parse(&run.read(workspace)?)?;
    for difference in &differences {
        if options.json {
            println!("{}", difference.json());
        } else {
            println!("{difference}");
        }
    }
    ensure_complete(&differences)?;
    if !options.smoke {
        judge(&differences)?;
    }
    let verdict = match options.smoke {
        true => "everything was measured; a run this short judges no time",
        false => "no class stands out, and each does in every control",
    };
    if !options.json {
        println!("timing: {verdict}");
    }
    Ok(())
}

/// Builds what measures, optimised.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    Run::cargo("build")
        .args(["--quiet", "--release", "--package", "ssl-provider-benches", "--bin", PROGRAM])
        .run(workspace)?;
    Ok(workspace.target("release").join(PROGRAM))
}

/// Builds it as the tests are built, whose libraries it shares.
fn build_for_tests(workspace: &Workspace) -> Result<PathBuf> {
    Run::cargo("build")
        .args(["--quiet", "--workspace", "--bin", PROGRAM, "--features", &all_of_facade()])
        .run(workspace)?;
    Ok(workspace.target("debug").join(PROGRAM))
}

/// The program of the package `ssl-provider-benches` that measures.
const PROGRAM: &str = "timing";

/// How much longer an operation takes on one class of plaintext than on well-formed ones.
#[derive(Clone, Debug, Deserialize)]
struct Difference {
    /// What was timed.
    subject: String,
    class: String,
    blocks: u64,
    nanoseconds: f64,
    /// The standard error.
    error: f64,
}

impl Difference {
    /// In standard errors; none if the clock measured no difference in any block.
    fn z(&self) -> f64 {
        if self.nanoseconds == 0.0 { 0.0 } else { self.nanoseconds / self.error }
    }

    /// Half the width of the interval that holds the difference at 95 % confidence.
    fn half_width(&self) -> f64 {
        1.96 * self.error
    }

    fn limits(&self) -> Limits {
        if OF_SELECTIONS.contains(&self.subject.as_str()) { OF_SELECTION } else { OF_IMPORT }
    }

    /// A rare effect of a noisy machine is large or significant, not both.
    fn stands_out(&self) -> bool {
        self.z().abs() >= SIGNIFICANT && self.nanoseconds.abs() > self.limits().effect
    }

    fn is_wide(&self) -> bool {
        self.nanoseconds.abs() + self.half_width() > self.limits().bound
    }

    fn is_control(&self) -> bool {
        self.subject.starts_with(CONTROL)
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "subject": self.subject, "class": self.class, "blocks": self.blocks,
            "nanoseconds": self.nanoseconds, "half_width": self.half_width(), "z": self.z(),
            "stands_out": self.stands_out(),
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, class, nanoseconds, .. } = self;
        let (width, z) = (self.half_width(), self.z());
        let found = if self.stands_out() { "  stands out" } else { "" };
        write!(
            f,
            "{subject:<24} {class:<20} {nanoseconds:>9.3} ns +-{width:<8.3} z {z:>8.1}{found}"
        )
    }
}

/// What is tolerated, in nanoseconds.
#[derive(Clone, Copy)]
struct Limits {
    /// The smallest effect that counts, below what a network could carry.
    effect: f64,
    /// Where the interval must end.
    bound: f64,
}

/// Effects that occur only in the first of several timed calls appear diluted: a branch that is
/// mispredicted once shows as a sixteenth of its cost.
const OF_SELECTION: Limits = Limits { effect: 0.1, bound: 0.1 };
const OF_IMPORT: Limits = Limits { effect: 10.0, bound: 50.0 };

/// Standard errors. A class that was like the first has been seen at 3.1.
const SIGNIFICANT: f64 = 4.5;

/// The names of the subjects.
const CONTROL: &str = "control";

/// The selection routine, and the control that must be found with it.
const OF_SELECTIONS: [&str; 3] =
    ["selection", "control of the selection", "control with one branch"];
const CONTROLS_OF_IMPORT: [&str; 2] = ["control of the import", "control of 20 ns"];

/// The class that is like the first, which must not stand out in a control either.
const LIKE_THE_FIRST: &str = "well formed too";

/// Classes of plaintext that are compared with the first.
const CLASSES: usize = 8;

fn parse(lines: &str) -> Result<Vec<Difference>> {
    let parse = |line| serde_json::from_str(line).with_context(|| format!("`{line}`"));
    lines.lines().map(parse).collect()
}

/// Every subject must have been timed on every class, and each difference have an error.
fn ensure_complete(differences: &[Difference]) -> Result<()> {
    let required = OF_SELECTIONS.into_iter().chain(CONTROLS_OF_IMPORT).chain(BACKENDS);
    // What the processor cannot do is not there, and else complete.
    let subjects = required.chain(differences.iter().map(|it| it.subject.as_str()));
    for subject in subjects.collect::<BTreeSet<_>>() {
        let of_subject = differences.iter().filter(|difference| difference.subject == subject);
        let known = of_subject.filter(|difference| difference.error.is_finite());
        let classes: BTreeSet<_> = known.map(|difference| &difference.class).collect();
        let count = classes.len();
        ensure!(count == CLASSES, "{subject}: expected {CLASSES} classes, got {count}");
    }
    Ok(())
}

fn judge(differences: &[Difference]) -> Result<()> {
    let mut problems = Vec::new();
    for difference in differences {
        if difference.is_control() && difference.class != LIKE_THE_FIRST {
            if !difference.stands_out() {
                problems.push(format!("a planted fault was not found: {difference}"));
            }
        } else if difference.stands_out() {
            problems.push(format!("the time depends on the plaintext: {difference}"));
        } else if difference.is_wide() {
            problems.push(format!("too much noise; measure longer (--blocks): {difference}"));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(subject: &str, nanoseconds: f64, error: f64) -> Difference {
        let (subject, class) = (subject.to_owned(), "no separator".to_owned());
        Difference { subject, class, blocks: 9, nanoseconds, error }
    }

    /// A run in which all is well.
    fn good() -> Vec<Difference> {
        let of_subject = |(subject, nanoseconds, error)| {
            (0..CLASSES).map(move |class| match class {
                0 => Difference {
                    class: LIKE_THE_FIRST.to_owned(),
                    ..difference(subject, 0.01, 0.01)
                },
                _ => Difference {
                    class: format!("class {class}"),
                    ..difference(subject, nanoseconds, error)
                },
            })
        };
        let mut subjects = vec![
            ("selection", 0.05, 0.008),
            ("control of the selection", 40.0, 0.1),
            ("control with one branch", -1.0, 0.01),
            ("control of the import", 60.0, 5.0),
            ("control of 20 ns", 21.0, 2.0),
            ("aws-lc in batches", -2.0, 3.0),
        ];
        subjects.extend(BACKENDS.map(|backend| (backend, -9.0, 1.0)));
        subjects.into_iter().flat_map(of_subject).collect()
    }

    #[test]
    fn an_effect_counts_when_it_is_large_and_significant() {
        judge(&good()).unwrap();
        for (nanoseconds, error, taken) in
            [(11.0, 1.0, false), (-11.0, 1.0, false), (9.9, 0.1, true), (20.0, 5.0, true)]
        {
            let mut run = good();
            run.push(difference("openssl", nanoseconds, error));
            assert_eq!(judge(&run).is_ok(), taken, "{nanoseconds} +- {error}");
        }
    }

    #[test]
    fn a_branch_in_the_selection_counts() {
        for (nanoseconds, taken) in [(0.11, false), (-0.3, false), (0.08, true)] {
            let mut run = good();
            run.push(difference("selection", nanoseconds, 0.002));
            assert_eq!(judge(&run).is_ok(), taken, "{nanoseconds}");
        }
    }

    #[test]
    fn an_interval_that_is_wide_does_not_pass() {
        let mut run = good();
        run.push(difference("ring", 0.0, 100.0));
        assert!(judge(&run).is_err());
    }

    #[test]
    fn a_control_in_which_one_class_is_not_found_does_not_pass() {
        for control in ["control of the import", "control of 20 ns", "control with one branch"] {
            for class in 1..CLASSES {
                let mut weak = good();
                let of_class = weak.iter_mut().filter(|difference| {
                    difference.subject == control && difference.class == format!("class {class}")
                });
                of_class.for_each(|difference| difference.nanoseconds = 0.05);
                assert!(judge(&weak).is_err(), "{control}, {class}");
            }
            let mut artefact = good();
            let alike = artefact.iter_mut().filter(|difference| {
                difference.subject == control && difference.class == LIKE_THE_FIRST
            });
            alike.for_each(|difference| difference.nanoseconds = 30.0);
            assert!(judge(&artefact).is_err(), "{control}");
        }
    }

    #[test]
    fn a_class_that_was_not_measured_does_not_pass() {
        ensure_complete(&good()).unwrap();
        for at in 0..good().len() {
            let mut run = good();
            run.remove(at);
            assert!(ensure_complete(&run).is_err(), "{at}");
            let mut run = good();
            run[at].error = f64::INFINITY;
            assert!(ensure_complete(&run).is_err(), "{at}");
        }
    }

    #[test]
    fn lines_of_the_program_are_read() {
        let line = r#"{"blocks":9,"class":"a","error":1.5,"nanoseconds":-2.0,"subject":"ring"}"#;
        let read = parse(line).unwrap();
        assert_eq!((read[0].nanoseconds, read[0].error, read[0].blocks), (-2.0, 1.5, 9));
        assert!(parse("noise").is_err());
    }
}
