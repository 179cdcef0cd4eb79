//! The comparison of multi-buffer RSA with aws-lc and with Intel's crypto_mb, all in one process
//! and in turns, and with the rate at which the processor issues multiply-adds.

use std::fmt::Write;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::crypto_mb;
use crate::bench_report::{digits, table};
use crate::command::Run;
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// How much is measured.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rounds; ratios are medians over them. Default: 15.
    #[arg(long, conflicts_with = "quick", value_parser = clap::value_parser!(u32).range(7..))]
    rounds: Option<u32>,
    /// Measure briefly, to see that everything runs; the figures are not for quoting.
    #[arg(long)]
    quick: bool,
    /// Print the JSON lines of the program instead of the table.
    #[arg(long)]
    json: bool,
}

/// Measures and prints the table.
///
/// # Errors
///
/// Fails when the program does, as it does for a wrong result of any contestant.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let extent = match options.rounds {
        _ if options.quick => QUICK,
        None => USUAL,
        Some(rounds) => Extent { rounds, ..USUAL },
    };
    let lines = measure(workspace, extent)?;
    let comparison = Comparison::parse(&lines)?;
    if options.json {
        print!("{lines}");
    } else {
        println!("\n{}", comparison.text());
    }
    Ok(())
}

/// Runs the program once without crypto_mb, in the debug build that the tests have made.
///
/// # Errors
///
/// Fails when the program does.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    Run::cargo("build")
        .args(["--quiet", "--workspace", "--bin", PROGRAM, "--features", &all_of_facade()])
        .run(workspace)?;
    let lines =
        Run::new(workspace.target("debug").join(PROGRAM)).args(["1", "1"]).read(workspace)?;
    let comparison = Comparison::parse(&lines)?;
    comparison.print_missing();
    println!("multi-buffer: {} sizes of key, every result is right", comparison.sizes.len());
    Ok(())
}

/// How long is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    rounds: u32,
    /// For each contestant in each round.
    milliseconds: u32,
}

pub(crate) const USUAL: Extent = Extent { rounds: 15, milliseconds: 60 };
pub(crate) const QUICK: Extent = Extent { rounds: 3, milliseconds: 10 };

/// The program of the package `ssl-provider-benches` that measures.
const PROGRAM: &str = "multi-buffer";

/// Installs crypto_mb, builds the program and runs it. Returns its JSON lines.
///
/// # Errors
///
/// Fails when the program does. Without crypto_mb, a line says why it is missing.
pub(crate) fn measure(workspace: &Workspace, extent: Extent) -> Result<String> {
    Run::cargo("build")
        .args(["--quiet", "--release", "--package", "ssl-provider-benches", "--bin", PROGRAM])
        .run(workspace)?;
    let Extent { rounds, milliseconds } = extent;
    let program = Run::new(workspace.target("release").join(PROGRAM))
        .args([rounds, milliseconds].map(|number| number.to_string()));
    let (run, missing) = match crypto_mb::prepare(workspace) {
        Ok(theirs) => (program.args([theirs.library]).env("LD_LIBRARY_PATH", theirs.needed), None),
        Err(error) => (program, Some(format!("{error:#}"))),
    };
    let printed = run.read(workspace)?;
    let lines = match missing {
        // The program knows only that it got no library.
        Some(why) => {
            let is_other = |line: &&str| !line.contains(r#""missing":"crypto_mb""#);
            let others = printed.lines().filter(is_other).map(str::to_owned);
            let line = json!({ "missing": "crypto_mb", "why": why }).to_string();
            [line].into_iter().chain(others).map(|line| line + "\n").collect()
        }
        None => printed,
    };
    Comparison::parse(&lines)?.print_missing();
    Ok(lines)
}

/// What was measured.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// A line for each size of key.
    sizes: Vec<Value>,
    /// The version of crypto_mb.
    version: Option<String>,
    /// The contestants that could not be measured, each with the reason.
    missing: Vec<(String, String)>,
    /// Multiply-adds a second; null where the processor has no such instruction.
    issue_rate: Value,
}

impl Comparison {
    /// Reads the lines of the program.
    ///
    /// # Errors
    ///
    /// Fails when something was neither measured nor reported as missing.
    pub(crate) fn parse(lines: &str) -> Result<Self> {
        let (mut sizes, mut version, mut missing, mut issue_rate) = (vec![], None, vec![], None);
        for line in lines.lines() {
            let line: Value =
                serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
            let text = |name: &str| line[name].as_str().map(str::to_owned);
            if line["bits"].is_u64() {
                sizes.push(line);
            } else if let Some(found) = text("crypto_mb") {
                version = Some(found);
            } else if let Some(reason) = text("missing").zip(text("why")) {
                missing.push(reason);
            } else if let Some(rates) = line.get("issue_rate") {
                issue_rate = Some(rates.clone());
            }
        }
        let issue_rate = issue_rate.context("the program did not finish")?;
        let bits: Vec<_> = sizes.iter().filter_map(|size| size["bits"].as_u64()).collect();
        ensure!(bits == BITS, "expected keys of {BITS:?} bits, got {bits:?}");
        let is_missing = |name| missing.iter().any(|(it, _)| it == name);
        for size in &sizes {
            let bits = &size["bits"];
            for name in ["library", "ours", "crypto_mb"] {
                let expected = !is_missing(name) && (name != "crypto_mb" || *bits != 1536);
                let measured = size[name]["low"].is_f64();
                ensure!(measured == expected, "{bits} bits, {name}: measured is {measured}");
            }
        }
        Ok(Self { sizes, version, missing, issue_rate })
    }

    fn print_missing(&self) {
        for (name, why) in &self.missing {
            println!("NOT MEASURED: {name}: {why}");
        }
    }

    /// The section of the report.
    pub(crate) fn section(&self) -> String {
        format!("## Multi-buffer RSA and crypto_mb\n\n{}", self.text())
    }

    /// The table, with what the figures mean.
    fn text(&self) -> String {
        let header = [
            "key, bits",
            "aws-lc, op/s",
            "crypto_mb (8), op/s",
            "ours (16), op/s",
            "ours / crypto_mb",
            "bound, op/s",
            "ours / bound",
        ];
        let rows = self.sizes.iter().map(|size| self.row(size)).collect();
        let mut text = TEXT.to_owned();
        text.push_str("\n\n");
        text.push_str(&table(header.map(str::to_owned).to_vec(), rows));
        for (name, why) in &self.missing {
            let _ = write!(text, "\nNot measured: {name}: {why}\n");
        }
        if let Some(version) = &self.version {
            let _ = write!(text, "\ncrypto_mb is version {version}.");
        }
        if let Some(state) = self.state() {
            let _ = write!(text, "\n{state}");
        }
        text.push('\n');
        text
    }

    fn row(&self, size: &Value) -> Vec<String> {
        // The tenth percentile of the times: what the machine does undisturbed.
        let rate = |name: &str| Some(1e9 / size[name]["low"].as_f64()?);
        let bound =
            || Some(LANES * self.issue_rate["median"].as_f64()? / size["products"].as_f64()?);
        let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), digits);
        let ratio = size["ours/crypto_mb"].as_object().and_then(|ratio| {
            let number = |name| ratio.get(name)?.as_f64();
            let (median, low, high) = (number("median")?, number("low")?, number("high")?);
            Some(format!("{median:.2} ({low:.2} to {high:.2})"))
        });
        let of_bound =
            rate("ours").zip(bound()).map(|(ours, bound)| format!("{:.2}", ours / bound));
        let none = || "–".to_owned();
        vec![
            size["bits"].to_string(),
            shown(rate("library")),
            shown(rate("crypto_mb")),
            shown(rate("ours")),
            ratio.unwrap_or_else(none),
            shown(bound()),
            of_bound.unwrap_or_else(none),
        ]
    }

    /// Whether the machine was disturbed, as far as the issue rates and the times show.
    fn state(&self) -> Option<String> {
        let rate = |name: &str| self.issue_rate[name].as_f64();
        let (first, last, median) = (rate("first")?, rate("last")?, rate("median")?);
        let (low, high) = (rate("low")? / median, rate("high")? / median);
        let of_memory = rate("memory_median")? / median;
        let slower = self.sizes.iter().flat_map(|size| {
            ["library", "crypto_mb", "ours"].map(|name| {
                let time = |rank: &str| size[name][rank].as_f64();
                Some(time("median")? / time("low")?)
            })
        });
        let slower = slower.flatten().fold(1.0, f64::max);
        let quiet = low > 0.98 && high < 1.02 && of_memory > 0.97 && slower < 1.05;
        let verdict = match quiet {
            true => "No disturbance of the machine shows",
            false => "The machine was disturbed: only ratios in one row mean anything",
        };
        let [first, last, median] = [first, last, median].map(|rate| format!("{:.2}", rate / 1e9));
        Some(format!(
            "{verdict}. Issue rate in G multiply-adds a second: {first} at the beginning, {last} \
             at the end, median {median}, which is that of the bound. Relative to it, the tenth \
             percentile was {low:.3}, the ninetieth {high:.3}, the median with operands from the \
             cache {of_memory:.3}. Of the times, the largest median was {slower:.3} of its tenth \
             percentile."
        ))
    }
}

/// The sizes of the keys.
const BITS: [u64; 5] = [1024, 1536, 2048, 3072, 4096];

/// Operations in a batch of the bound.
const LANES: f64 = 8.0;

const TEXT: &str = "Private operations a second of one core, by processor time. All contestants \
    run in one process, in turns; rates are of the tenth percentile of their times, the ratio is \
    the median over the rounds with the tenth and the ninetieth percentile. `ours` is \
    `decrypt_premasters` with sixteen ciphertexts: conversion, blinding, the check of every result \
    and wiping included. Intel's crypto_mb does the private operation only, eight at once: it has \
    no blinding and no check for faults. It has no keys of 1536 bits. The bound is the number of \
    multiply-adds of eight exponentiations, without anything else, at the rate at which this \
    processor issued them in the same run.";

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The lines of a run in which everything was measured.
    pub(crate) fn lines() -> String {
        joined(&values())
    }

    fn values() -> Vec<Value> {
        let time = |low: f64| json!({ "low": low, "median": low * 1.01 });
        let mut lines = vec![json!({ "crypto_mb": "2.3.0" })];
        lines.extend(BITS.map(|bits| {
            let mut line = json!({
                "bits": bits, "products": 3_154_560, "library": time(250_000.0),
                "ours": time(100_000.0),
            });
            if bits != 1536 {
                line["crypto_mb"] = time(125_000.0);
                line["ours/crypto_mb"] = json!({ "low": 1.2, "median": 1.25, "high": 1.3 });
            }
            line
        }));
        lines.push(json!({ "issue_rate": {
            "first": 5.5e9, "last": 5.49e9, "low": 5.5e9, "high": 5.55e9,
            "median": 5.54e9, "memory_median": 5.5e9,
        }}));
        lines
    }

    fn joined(lines: &[Value]) -> String {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn the_table_has_rates_the_ratio_and_the_bound() {
        let text = Comparison::parse(&lines()).unwrap().section();
        for part in [
            "## Multi-buffer RSA and crypto_mb",
            "| 2048 | 4000 | 8000 | 10000 | 1.25 (1.20 to 1.30) | 14050 | 0.71 |",
            "| 1536 | 4000 | – | 10000 | – | 14050 | 0.71 |",
            "crypto_mb is version 2.3.0.",
            "No disturbance of the machine shows. Issue rate in G multiply-adds a second: 5.50 at \
             the beginning, 5.49 at the end",
        ] {
            assert!(text.contains(part), "{part} in:\n{text}");
        }
    }

    #[test]
    fn a_disturbed_machine_shows() {
        let disturbed = [("low", 5.3e9), ("high", 5.8e9), ("memory_median", 4.4e9)];
        for (name, value) in disturbed {
            let mut lines = values();
            lines.last_mut().unwrap()["issue_rate"][name] = json!(value);
            let text = Comparison::parse(&joined(&lines)).unwrap().text();
            assert!(text.contains("The machine was disturbed"), "{name}");
        }
        let mut lines = values();
        lines[3]["ours"]["median"] = json!(120_000.0);
        let text = Comparison::parse(&joined(&lines)).unwrap().text();
        assert!(text.contains("The machine was disturbed"), "{text}");
    }

    #[test]
    fn what_is_missing_is_said_and_the_rest_is_there() {
        let mut lines = values();
        lines[0] = json!({ "missing": "crypto_mb", "why": "no network" });
        for line in &mut lines {
            for name in ["crypto_mb", "ours/crypto_mb"] {
                line.as_object_mut().unwrap().remove(name);
            }
        }
        let text = Comparison::parse(&joined(&lines)).unwrap().text();
        assert!(text.contains("Not measured: crypto_mb: no network"), "{text}");
        assert!(text.contains("| 2048 | 4000 | – | 10000 | – | 14050 | 0.71 |"), "{text}");
    }

    #[test]
    fn what_is_silently_missing_is_an_error() {
        for name in ["library", "ours", "crypto_mb"] {
            let mut lines = values();
            lines[3].as_object_mut().unwrap().remove(name);
            assert!(Comparison::parse(&joined(&lines)).is_err(), "{name}");
        }
        for left_out in 1..values().len() {
            let mut lines = values();
            lines.remove(left_out);
            assert!(Comparison::parse(&joined(&lines)).is_err(), "{left_out}");
        }
        assert!(Comparison::parse("noise").is_err());
    }
}
