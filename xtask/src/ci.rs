//! `cargo xtask ci`: every check that a change must pass, one after another, and a table.
//! A step that fails does not stop the others, so that one run shows everything.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::command::{Run, is_installed};
use crate::features::all_of_facade;
use crate::workspace::Workspace;
use crate::{
    asm, attack, bench_report, capi, deny, doc, downstream, faults, fuzz, interop, matrix, msrv,
    multi_buffer, pages, prove, public_api, release, residue, test, tidy, timing, tshark, valgrind,
    vector_runners,
};

/// A step: its name and its function.
type Step = (&'static str, fn(&Workspace) -> Result<()>);

const STEPS: [Step; 29] = [
    ("needs", needs),
    ("fmt", fmt),
    ("deny", deny::run),
    ("clippy", clippy),
    ("test", test::run),
    ("capi", |workspace| capi::run(workspace, capi::Extent::Short, None)),
    ("fuzz", fuzz::smoke),
    ("runners", vector_runners::run),
    ("pages", pages::run),
    ("tshark", tshark::run),
    ("interop", interop::smoke),
    ("attack", attack::smoke),
    ("tidy", tidy::run),
    ("release", release::smoke),
    ("matrix", |workspace| matrix::run(workspace, matrix::Extent::Smoke)),
    ("msrv", msrv::run),
    ("doc", doc::run),
    ("public-api", |workspace| public_api::run(workspace, false)),
    ("downstream", |workspace| downstream::run(workspace, downstream::Extent::Ci)),
    ("benches", bench_report::run_once),
    ("multi-buffer", multi_buffer::smoke),
    ("asm", asm::smoke),
    ("residue", residue::calls),
    ("process", residue::process),
    ("faults", faults::smoke),
    ("timing", timing::smoke),
    ("ctgrind", |workspace| valgrind::ctgrind(workspace, valgrind::Extent::Release)),
    ("callgrind", |workspace| valgrind::callgrind(workspace, valgrind::Extent::Release)),
    ("prove", prove::smoke),
];

/// Runs every step.
///
/// # Errors
///
/// Names the steps that failed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let (mut table, mut failed) = (Vec::new(), Vec::new());
    for (name, step) in STEPS {
        println!("\n=== {name}");
        let start = Instant::now();
        let outcome = step(workspace);
        if let Err(error) = &outcome {
            println!("{name} FAILED: {error:#}");
        }
        table.push(Row { name, took: start.elapsed(), passed: outcome.is_ok() });
        failed.extend(outcome.err().map(|error| format!("\n{name}: {error:#}")));
    }
    println!("\n{}", render(&table));
    // Again, for whoever sees the end of the output only.
    ensure!(failed.is_empty(), "these steps failed:{}", failed.concat());
    println!("all {} steps passed", table.len());
    Ok(())
}

/// Fails when a program is missing without which a step would check less than it claims, and warns
/// when the third-party vectors are missing.
///
/// # Errors
///
/// Names the missing programs.
fn needs(workspace: &Workspace) -> Result<()> {
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|program| !is_installed(program)).collect();
    ensure!(missing.is_empty(), "not installed: {}; `.ci/run` installs them", missing.join(", "));
    if test::find_vectors(workspace).is_none() {
        println!("WARNING: tests on third-party vectors will not run: SSL_PROVIDER_VECTORS is not");
        println!("WARNING: set to their folder, and there is none beside the repository.");
    }
    for (name, shown, is_present) in test::cpu_features() {
        if !is_present {
            println!(
                "WARNING: this processor has no {shown}: multi-buffer RSA with it will not be"
            );
            println!("WARNING: tested. {}={name} makes that a failure.", test::EXPECT_CPU);
        }
    }
    Ok(())
}

/// Programs without which some steps or tests only print a warning; `.ci/run` installs them.
const PROGRAMS: [&str; 14] = [
    "chromedriver",
    "chromium",
    "clang",
    "cmake",
    "curl",
    "g++",
    "gcc",
    "gdb",
    "gnutls-cli",
    "go",
    "python3",
    "openssl",
    "tshark",
    "valgrind",
];

/// Checks formatting.
///
/// # Errors
///
/// Fails when a file is not formatted.
pub(crate) fn fmt(workspace: &Workspace) -> Result<()> {
    Run::cargo("fmt").args(["--all", "--check"]).run(workspace)
}

/// Runs clippy on every target of every member, on all four backends.
///
/// # Errors
///
/// Fails on the first warning.
pub(crate) fn clippy(workspace: &Workspace) -> Result<()> {
    Run::cargo("clippy")
        .args(["--workspace", "--all-targets", "--features", &all_of_facade()])
        .args(["--", "-D", "warnings"])
        .run(workspace)
}

struct Row {
    name: &'static str,
    took: Duration,
    passed: bool,
}

fn render(table: &[Row]) -> String {
    let line = |name: &str, took: Duration, result: &str| {
        let seconds = took.as_secs();
        format!("{name:<12} {:>4}:{:02}  {result}\n", seconds / 60, seconds % 60)
    };
    let rows = table
        .iter()
        .map(|row| line(row.name, row.took, if row.passed { "passed" } else { "FAILED" }));
    let total = line("total", table.iter().map(|row| row.took).sum(), "");
    rows.chain([total.trim_end().to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_per_step_and_the_total() {
        let seconds = Duration::from_secs;
        let table = [
            Row { name: "fmt", took: seconds(2), passed: true },
            Row { name: "test", took: seconds(78), passed: false },
        ];
        let expected = "fmt             0:02  passed\n\
                        test            1:18  FAILED\n\
                        total           1:20";
        assert_eq!(render(&table), expected);
    }
}
