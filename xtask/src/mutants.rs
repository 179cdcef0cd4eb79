//! `cargo xtask mutants`: changes the code of core where a mistake would be worst, one place at a
//! time, by cargo-mutants, and checks that a test notices. A change that none notices needs its
//! reason in `xtask/mutants.json`.
//!
//! Core's own tests come first, which build in seconds; only what they do not notice is tried with
//! the cases of the test kit on one backend, and with the tests of core on the fake backend.
//! Neither is optimized: a change costs more time to build than to notice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;

use crate::command::{Run, is_installed};
use crate::test::with_expectations;
use crate::workspace::Workspace;

/// What is changed, and how.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// One of the files by name, such as `premaster`; several may be given.
    #[arg(long = "file", value_name = "NAME")]
    files: Vec<String>,
    /// A part of the changes, such as 0/4 for the first quarter.
    #[arg(long, value_name = "K/N")]
    shard: Option<String>,
    /// Changes at a time; each builds in a copy of the repository.
    #[arg(long, default_value_t = 1)]
    jobs: u32,
}

/// The files, in the source folder of core.
const FILES: [&str; 8] = [
    "premaster",
    "ct",
    "schedule",
    "record/padding",
    "record/mac",
    "handle",
    "parameter_list",
    "rsa_der",
];

/// Where they are.
const SOURCE: &str = "crates/ssl-provider-core/src";

/// The reasons for what no test notices, relative to the root.
const REASONS: &str = "xtask/mutants.json";

/// Changes the files and checks what the tests say.
///
/// # Errors
///
/// Names the changes that no test notices and that have no reason, and the reasons that no change
/// needs any more. Fails if the tests fail without a change.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let files = chosen(&options.files)?;
    let reasons = Reasons::load(&workspace.root().join(REASONS))?;
    let program = install(workspace)?;
    let mutants = Mutants { workspace, program: &program, options };
    for stage in [&CORE, &CASES] {
        // cargo-mutants would run those of one package only.
        stage
            .environment(Run::cargo("test"), workspace)
            .args(["--quiet"])
            .args(stage.packages.iter().flat_map(|package| ["--package", package]))
            .args(stage.targets)
            .args(["--"])
            .args(stage.skipped.iter().flat_map(|group| ["--skip", group]))
            .run(workspace)
            .context("the tests fail without any change")?;
    }

    let paths: Vec<String> = files.iter().map(|file| format!("{SOURCE}/{file}.rs")).collect();
    let mut tried = mutants.run(&CORE, &paths, &[])?;
    if !tried.missed.is_empty() {
        println!("{} are left for the cases of the test kit", tried.missed.len());
        let left: Vec<String> = tried.missed.iter().map(|name| exactly(name)).collect();
        let with_cases = mutants.run(&CASES, &paths, &left)?;
        let count = with_cases.caught.len() + with_cases.missed.len() + with_cases.unviable;
        ensure!(count == left.len(), "{count} of them were tried");
        tried.caught.extend(with_cases.caught);
        tried.missed = with_cases.missed;
    }
    let (caught, missed) = (tried.caught.len(), tried.missed.len());
    println!("{caught} changes noticed, {missed} not, {} do not compile", tried.unviable);
    let is_whole = options.shard.is_none();
    let findings =
        reasons.compare(&tried.missed, |path| is_whole && paths.iter().any(|p| p == path));
    ensure!(findings.is_empty(), "{}:\n  {}", REASONS, findings.join("\n  "));
    println!("each that is not noticed has its reason in {REASONS}");
    Ok(())
}

/// Tests that a change has to get past.
struct Stage {
    name: &'static str,
    packages: &'static [&'static str],
    targets: &'static [&'static str],
    /// Groups of cases that none of the files matter to, and that take most of the time.
    skipped: &'static [&'static str],
    /// Seconds for the tests of one change, after which it counts as an endless loop. On a machine
    /// that is busy otherwise, harmless changes may take as long, so those are listed.
    timeout: &'static str,
}

/// Core's own tests, which take two seconds.
const CORE: Stage = Stage {
    name: "core",
    packages: &["ssl-provider-core"],
    targets: &["--lib"],
    skipped: &[],
    timeout: "180",
};

/// The test kit on the default backend, and the fake one.
const CASES: Stage = Stage {
    name: "cases",
    packages: &["ssl-provider-testkit", "ssl-provider"],
    targets: &["--test=conformance", "--test=core_with_fake"],
    skipped: &["::agreement", "::kem", "::signature", "::signing"],
    timeout: "600",
};

impl Stage {
    fn environment(&self, run: Run, workspace: &Workspace) -> Run {
        with_expectations(run, workspace, &["aws-lc"]).env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
    }
}

fn chosen(names: &[String]) -> Result<Vec<&'static str>> {
    let is_chosen = |file: &&str| {
        let short = file.rsplit('/').next().unwrap_or(file);
        names.is_empty() || names.iter().any(|name| name == file || name == short)
    };
    let files: Vec<&str> = FILES.into_iter().filter(is_chosen).collect();
    let known = FILES.join(", ");
    ensure!(names.len() <= files.len() || names.is_empty(), "choose the files from {known}");
    Ok(files)
}

/// Returns the program, which is installed below the target directory if it is not on the path.
fn install(workspace: &Workspace) -> Result<PathBuf> {
    if is_installed("cargo-mutants") {
        return Ok("cargo-mutants".into());
    }
    let root = workspace.target("tools");
    let program = root.join("bin/cargo-mutants");
    if !program.is_file() {
        Run::cargo("install")
            .args(["--locked", "--version", "^27", "cargo-mutants", "--root"])
            .args([&root])
            .run(workspace)?;
    }
    Ok(program)
}

/// What became of the changes.
#[derive(Debug, Default)]
struct Outcome {
    caught: Vec<String>,
    missed: Vec<String>,
    unviable: usize,
}

struct Mutants<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    options: &'a Options,
}

impl Mutants<'_> {
    /// Runs cargo-mutants on the changes of `files`, or on those that `only` matches.
    fn run(&self, stage: &Stage, files: &[String], only: &[String]) -> Result<Outcome> {
        let output = self.workspace.empty_target(&format!("mutants/{}", stage.name))?;
        let mut run = stage
            .environment(Run::new(self.program), self.workspace)
            .args(["mutants", "--package", "ssl-provider-core", "--no-times", "--colors", "never"])
            .args(["--baseline", "skip", "--timeout", stage.timeout, "--build-timeout", "900"])
            .args(["--jobs", &self.options.jobs.to_string()])
            .args(["--test-package", &stage.packages.join(",")])
            .args(files.iter().flat_map(|file| ["--file", file]))
            .args(only.iter().flat_map(|pattern| ["--re", pattern]))
            .args(stage.targets.iter().map(|target| format!("--cargo-arg={target}")))
            .args([Path::new("--output"), &output]);
        // The shard is of the changes, of which only those that were not noticed are left later.
        if let Some(shard) = self.options.shard.as_ref().filter(|_| only.is_empty()) {
            run = run.args(["--shard", shard]);
        }
        if !stage.skipped.is_empty() {
            // For cargo, and then for the tests.
            run = run.args(["--", "--"]);
            run = run.args(stage.skipped.iter().flat_map(|group| ["--skip", group]));
        }
        let (status, printed) = run.outcome(self.workspace)?;
        // 2: some were not noticed; 3: some ran into the timeout, which notices them.
        ensure!(matches!(status.code(), Some(0 | 2 | 3)), "cargo-mutants failed:\n{printed}");
        let lines = |file: &str| -> Result<Vec<String>> {
            let path = output.join("mutants.out").join(file);
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cargo-mutants wrote no {}", path.display()))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        let mut caught = lines("caught.txt")?;
        for name in lines("timeout.txt")? {
            println!("noticed by its endless loop, unless the machine is busy: {name}");
            caught.push(name);
        }
        let unviable = lines("unviable.txt")?.len();
        Ok(Outcome { caught, missed: lines("missed.txt")?, unviable })
    }
}

/// A regular expression that matches one name.
fn exactly(name: &str) -> String {
    let mut pattern = String::from("^");
    for letter in name.chars() {
        // Not all punctuation: `\<` is the start of a word.
        if r"\.+*?()|[]{}^$#&-~".contains(letter) {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('$');
    pattern
}

/// Why changes that no test notices are harmless, by file and by what they change.
#[derive(Debug, Deserialize)]
struct Reasons(Vec<Reason>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    /// The file and the change, as cargo-mutants names them without line and column.
    mutant: String,
    /// How many places of that name are not noticed.
    count: usize,
    /// Why that is right.
    reason: String,
}

impl Reasons {
    fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("no {}", path.display()))?;
        let reasons: Self =
            serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        for Reason { mutant, count, reason } in &reasons.0 {
            if reason.trim().is_empty() || *count == 0 {
                bail!("{}: no reason for {mutant}, or no place", path.display());
            }
        }
        Ok(reasons)
    }

    /// Compares with the changes that were not noticed. `is_tried` tells whether all changes of a
    /// file were tried.
    fn compare(&self, missed: &[String], is_tried: impl Fn(&str) -> bool) -> Vec<String> {
        let mut found: BTreeMap<String, usize> = BTreeMap::new();
        for name in missed {
            *found.entry(without_place(name)).or_default() += 1;
        }
        let mut findings = Vec::new();
        for (mutant, count) in &found {
            let reason = self.0.iter().find(|reason| reason.mutant == *mutant);
            let expected = reason.map_or(0, |reason| reason.count);
            if *count > expected {
                findings.push(format!(
                    "{mutant}: {count} not noticed, reasons for {expected}: write a test, or why \
                     none is needed"
                ));
            }
        }
        for Reason { mutant, count, .. } in &self.0 {
            let path = mutant.split(": ").next().unwrap_or_default();
            let found = found.get(mutant).copied().unwrap_or_default();
            if is_tried(path) && found < *count {
                findings.push(format!("{mutant}: a reason for {count}, {found} not noticed"));
            }
        }
        findings
    }
}

/// The name of a change without its line and column, which move.
fn without_place(name: &str) -> String {
    let (place, change) = name.split_once(": ").unwrap_or((name, ""));
    let path = place.split(':').next().unwrap_or(place);
    format!("{path}: {change}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(count: usize) -> Reasons {
        Reasons(vec![Reason { mutant: "a.rs: replace f".into(), count, reason: "equal".into() }])
    }

    #[test]
    fn a_change_without_a_reason_and_a_reason_without_a_change_are_findings() {
        let missed = ["a.rs:1:2: replace f".to_owned(), "a.rs:3:4: replace f".to_owned()];
        assert_eq!(reasons(2).compare(&missed, |_| true), [""; 0]);
        assert!(reasons(1).compare(&missed, |_| true)[0].contains("reasons for 1"));
        assert!(reasons(3).compare(&missed, |_| true)[0].contains("a reason for 3"));
        let other = ["b.rs:1:2: replace f".to_owned()];
        let findings = reasons(1).compare(&other, |_| true);
        assert!(findings[0].starts_with("b.rs: replace f: 1 not noticed"), "{findings:?}");
        assert!(findings[1].starts_with("a.rs: replace f: a reason"), "{findings:?}");
        // What was not tried is not judged.
        assert_eq!(reasons(1).compare(&[], |_| false), [""; 0]);
    }

    #[test]
    fn the_reasons_in_the_repository_are_of_files_that_are_changed() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/mutants.json");
        for reason in Reasons::load(Path::new(path)).unwrap().0 {
            let is_of = |file: &str| reason.mutant.starts_with(&format!("{SOURCE}/{file}.rs: "));
            assert!(FILES.into_iter().any(is_of), "{}", reason.mutant);
        }
    }

    #[test]
    fn files_are_chosen_by_their_names() {
        assert_eq!(chosen(&["mac".into(), "ct".into()]).unwrap(), ["ct", "record/mac"]);
        assert_eq!(chosen(&[]).unwrap().len(), FILES.len());
        assert!(chosen(&["master".into()]).unwrap_err().to_string().contains("premaster"));
    }

    #[test]
    fn a_pattern_matches_signs_as_they_are() {
        assert_eq!(exactly("a.rs:1: replace +="), r"^a\.rs:1: replace \+=$");
        assert_eq!(exactly("T<'a>::f -> &[u8]"), r"^T<'a>::f \-> \&\[u8\]$");
    }
}
