//! `cargo xtask timing`: whether the time of an import tells how its plaintext was wrong.
//! Judged by the size of an effect and by its significance; the controls must be found in each run.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use crate::command::Run;
use crate::workspace::Workspace;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure for seconds instead of minutes; intervals may then be wide.
    #[arg(long)]
    smoke: bool,
    /// Bits of the RSA key; less time for RSA leaves less noise.
    #[arg(long, default_value = "1024", value_parser = ["1024", "2048"])]
    bits: String,
    /// Blocks of imports, in each of which every class is timed once; without it 30000.
    #[arg(long, conflicts_with = "smoke")]
    blocks: Option<u32>,
    /// Print one JSON object for each class instead of the table.
    #[arg(long)]
    json: bool,
}

/// What CI runs: enough to find the controls.
///
/// # Errors
///
/// Fails when a class stands out, and when a control does not.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    let options = Options { smoke: true, bits: "1024".to_owned(), blocks: None, json: false };
    run(workspace, &options)
}

/// Runs the measurement and judges it.
///
/// # Errors
///
/// Fails when a class stands out, when a control does not, and, but for the smoke run, when an
/// interval is too wide to say.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let (blocks, selections) = match options.smoke {
        true => (3_000, 50_000),
        false => (options.blocks.unwrap_or(30_000), 1_000_000),
    };
    let mut run = Run::cargo("run")
        .args(["--quiet", "--release", "--package", "ssl-provider-benches", "--bin", "timing"])
        .args(["--", &options.bits])
        .args([blocks, selections].map(|number| number.to_string()));
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
    judge(&differences, options.smoke)?;
    if !options.json {
        println!("timing: no class stands out, and both controls do");
    }
    Ok(())
}

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
    fn z(&self) -> f64 {
        self.nanoseconds / self.error
    }

    /// Half the width of the interval that holds the difference at 95 % confidence.
    fn half_width(&self) -> f64 {
        1.96 * self.error
    }

    fn limits(&self) -> Limits {
        if self.subject.contains(SELECTION) { OF_SELECTION } else { OF_IMPORT }
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
            "{subject:<24} {class:<20} {nanoseconds:>9.2} ns +-{width:<8.2} z {z:>8.1}{found}"
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

const OF_SELECTION: Limits = Limits { effect: 1.0, bound: 1.0 };
const OF_IMPORT: Limits = Limits { effect: 10.0, bound: 50.0 };

/// Standard errors. A class that was like the first has been seen at 3.1.
const SIGNIFICANT: f64 = 4.5;

/// What the names of the subjects say.
const SELECTION: &str = "selection";
const CONTROL: &str = "control";

fn parse(lines: &str) -> Result<Vec<Difference>> {
    let parse = |line| serde_json::from_str(line).with_context(|| format!("`{line}`"));
    lines.lines().map(parse).collect()
}

fn judge(differences: &[Difference], smoke: bool) -> Result<()> {
    let mut controls: BTreeMap<&str, bool> = BTreeMap::new();
    let mut problems = Vec::new();
    for difference in differences {
        if difference.is_control() {
            *controls.entry(&difference.subject).or_default() |= difference.stands_out();
        } else if difference.stands_out() {
            problems.push(format!("time tells: {difference}"));
        } else if !smoke && difference.is_wide() {
            problems.push(format!("too much noise to tell, measure longer: {difference}"));
        }
    }
    ensure!(controls.len() == 2, "{} controls were measured instead of 2", controls.len());
    for (control, found) in controls {
        if !found {
            problems.push(format!("the {control} is not found, so nothing else would be"));
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
        vec![
            difference("selection", 0.05, 0.008),
            difference("control of the selection", 40.0, 0.1),
            difference("aws-lc", -9.0, 1.0),
            difference("control of the import", 60.0, 5.0),
        ]
    }

    #[test]
    fn an_effect_counts_when_it_is_large_and_significant() {
        judge(&good(), false).unwrap();
        for (nanoseconds, error, taken) in
            [(11.0, 1.0, false), (-11.0, 1.0, false), (9.9, 0.1, true), (20.0, 5.0, true)]
        {
            let mut run = good();
            run[2] = difference("openssl", nanoseconds, error);
            assert_eq!(judge(&run, false).is_ok(), taken, "{nanoseconds} +- {error}");
        }
    }

    #[test]
    fn a_wide_interval_passes_in_a_smoke_run_only() {
        let mut run = good();
        run[2] = difference("ring", 0.0, 100.0);
        assert!(judge(&run, false).is_err());
        assert!(judge(&run, true).is_ok());
    }

    #[test]
    fn without_both_controls_nothing_is_proven() {
        let mut weak = good();
        weak[3].nanoseconds = 5.0;
        assert!(judge(&weak, true).is_err());
        assert!(judge(&good()[..3], true).is_err());
    }

    #[test]
    fn lines_of_the_program_are_read() {
        let line = r#"{"blocks":9,"class":"a","error":1.5,"nanoseconds":-2.0,"subject":"ring"}"#;
        let read = parse(line).unwrap();
        assert_eq!((read[0].nanoseconds, read[0].error, read[0].blocks), (-2.0, 1.5, 9));
        assert!(parse("noise").is_err());
    }
}
