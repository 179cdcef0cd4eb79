//! `cargo xtask ci`: every check that a change must pass, and a table. A step that fails does not
//! stop the others, so that one run shows everything.
//!
//! Steps that leave a processor idle run beside others, as processes of their own, whose output is
//! printed when they end.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

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

/// What runs at the same time: steps that print as they go, and others beside them, one after
/// another.
struct Stage {
    steps: &'static [Step],
    beside: &'static [Step],
}

/// Only one process builds at a time, so that steps beside others should build little. Nothing runs
/// beside what measures time.
const STAGES: [Stage; 5] = [
    Stage {
        steps: &[
            ("needs", needs),
            ("fmt", fmt),
            ("deny", deny::run),
            ("clippy", clippy),
            ("test", test::run),
        ],
        beside: &[],
    },
    Stage {
        steps: &[("capi", |workspace| capi::run(workspace, capi::Extent::Short, None))],
        beside: &[
            ("fuzz", fuzz::smoke),
            ("runners", vector_runners::run),
            ("pages", pages::run),
            ("interop", interop::smoke),
            ("tidy", tidy::run),
            // In a target directory of its own.
            ("public-api", |workspace| public_api::run(workspace, false)),
        ],
    },
    Stage {
        steps: &[
            ("matrix", |workspace| matrix::run(workspace, matrix::Extent::Smoke)),
            ("msrv", msrv::run),
            ("doc", doc::run),
            ("downstream", |workspace| downstream::run(workspace, downstream::Extent::Ci)),
        ],
        beside: &[
            ("attack", attack::smoke),
            ("tshark", tshark::run),
            ("release", release::smoke),
            ("multi-buffer", multi_buffer::smoke),
            ("asm", asm::smoke),
        ],
    },
    Stage { steps: &[("benches", bench_report::run_once), ("timing", timing::smoke)], beside: &[] },
    Stage {
        steps: &[
            ("residue", residue::calls),
            ("process", residue::process),
            ("ctgrind", |workspace| valgrind::ctgrind(workspace, valgrind::Extent::Release)),
            ("callgrind", |workspace| valgrind::callgrind(workspace, valgrind::Extent::Release)),
        ],
        beside: &[("faults", faults::smoke), ("prove", prove::smoke)],
    },
];

/// The steps of all stages.
fn steps() -> impl Iterator<Item = &'static Step> {
    STAGES.iter().flat_map(|stage| stage.steps.iter().chain(stage.beside))
}

/// Runs every step, or the one of this name.
///
/// # Errors
///
/// Names the steps that failed, or what failed in the one.
pub(crate) fn run(workspace: &Workspace, only: Option<&str>) -> Result<()> {
    if let Some(name) = only {
        let step = steps().find(|(found, _)| *found == name);
        let (_, step) = step.with_context(|| format!("no step `{name}`"))?;
        return step(workspace);
    }
    let start = Instant::now();
    let mut done = Vec::new();
    for stage in STAGES {
        thread::scope(|scope| {
            let beside = scope.spawn(|| {
                let apart = |step: &Step| Done::of(step.0, || run_apart(workspace, step.0));
                stage.beside.iter().map(apart).collect::<Vec<_>>()
            });
            for (name, step) in stage.steps {
                println!("\n=== {name}");
                done.push(Done::of(name, || step(workspace)));
            }
            done.extend(beside.join().unwrap_or_else(|panic| resume_unwind(panic)));
        });
    }
    println!("\n{}", render(&done, start.elapsed()));
    // Again, for whoever sees the end of the output only.
    let failures: Vec<String> = done.iter().filter_map(Done::failure).collect();
    ensure!(failures.is_empty(), "these steps failed:{}", failures.concat());
    println!("all {} steps passed", done.len());
    Ok(())
}

/// Runs a step in a process of its own, and prints its output once it has ended.
fn run_apart(workspace: &Workspace, name: &str) -> Result<()> {
    let program = workspace.target("debug/xtask");
    let (status, printed) =
        Run::new(program).args(["ci", "--step", name]).quiet().outcome(workspace)?;
    println!("\n=== {name}, beside the others\n{printed}");
    // The last line is the error of the step.
    let error = printed.lines().last().unwrap_or_default();
    ensure!(status.success(), "{}", error.trim_start_matches("error: "));
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

/// A step that has ended.
struct Done {
    name: &'static str,
    took: Duration,
    outcome: Result<()>,
}

impl Done {
    fn of(name: &'static str, step: impl FnOnce() -> Result<()>) -> Self {
        let start = Instant::now();
        let outcome = step();
        if let Err(error) = &outcome {
            println!("{name} FAILED: {error:#}");
        }
        Self { name, took: start.elapsed(), outcome }
    }

    fn failure(&self) -> Option<String> {
        let error = self.outcome.as_ref().err()?;
        Some(format!("\n{}: {error:#}", self.name))
    }
}

fn render(steps: &[Done], whole: Duration) -> String {
    let line = |name: &str, took: Duration, result: &str| {
        let seconds = took.as_secs();
        format!("{name:<12} {:>4}:{:02}  {result}\n", seconds / 60, seconds % 60)
    };
    let result = |step: &Done| if step.outcome.is_ok() { "passed" } else { "FAILED" };
    let rows = steps.iter().map(|step| line(step.name, step.took, result(step)));
    rows.chain([line("total", whole, "").trim_end().to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use anyhow::bail;

    use super::*;

    #[test]
    fn the_table_has_a_line_per_step_and_the_whole_time() {
        let seconds = Duration::from_secs;
        let done = [
            Done { name: "fmt", took: seconds(2), outcome: Ok(()) },
            Done { name: "test", took: seconds(78), outcome: (|| bail!("planted"))() },
        ];
        let expected = "fmt             0:02  passed\n\
                        test            1:18  FAILED\n\
                        total           1:19";
        assert_eq!(render(&done, seconds(79)), expected);
        assert_eq!(done[0].failure(), None);
        assert_eq!(done[1].failure().as_deref(), Some("\ntest: planted"));
    }

    #[test]
    fn each_step_has_a_name_of_its_own() {
        let names: Vec<&str> = steps().map(|(name, _)| *name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert_eq!(names.len(), 29);
    }
}
