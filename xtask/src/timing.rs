//! `cargo xtask timing`: runs `sslprov timing`, which tests whether the time of an import depends
//! on its plaintext, and writes `docs/timing.md`.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::command::Run;
use crate::features::{BACKENDS, all_of_facade};
use crate::workspace::Workspace;

/// What is measured.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Options {
    /// Measure for seconds, as CI does, to see that everything can be measured
    #[arg(long)]
    smoke: bool,
    /// Measure everything and write docs/timing.md; takes several hours, see --time. The machine
    /// must do nothing else meanwhile
    #[arg(long, conflicts_with = "smoke")]
    report: bool,
    /// Measure only this part of the report anew; the others are those of the last run. May be
    /// repeated
    #[arg(long = "part", value_name = "PART", requires = "report")]
    #[arg(value_parser = ["selection", "import", "socket"])]
    parts: Vec<String>,
    /// Minutes for the imports and batches of the report, and as many for its sockets
    #[arg(long, default_value_t = 60, requires = "report")]
    time: u32,
    /// Arguments of `sslprov timing`
    #[arg(last = true)]
    arguments: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  cargo xtask timing
  cargo xtask timing -- --backend openssl --time 10m --html target/timing.html
  cargo xtask timing --report";

/// The document with the results.
const DOCUMENT: &str = "docs/timing.md";

/// Runs what CI runs. On a busy machine, times of seconds prove nothing, so none is judged:
/// instructions are counted instead, see [`crate::valgrind`].
///
/// # Errors
///
/// Fails when something could not be measured.
pub(crate) fn smoke(workspace: &Workspace) -> Result<()> {
    let program = build_for_tests(workspace)?;
    let json = Run::new(program).args(["timing", "--smoke", "--json"]).read(workspace)?;
    let report: Value = serde_json::from_str(&json).context("the report is not JSON")?;
    ensure_complete(&report)?;
    println!("timing: everything was measured; a run this short judges no time");
    Ok(())
}

/// Every backend must have been measured, the selection, and controls for all of it.
fn ensure_complete(report: &Value) -> Result<()> {
    let subjects = report["subjects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_backends = BACKENDS
        .iter()
        .flat_map(|backend| [format!("import with {backend}"), format!("socket with {backend}")]);
    for name in of_backends.chain(["selection".to_owned()]) {
        let subject = subjects.iter().find(|subject| subject["name"] == name.as_str());
        let pairs = subject.and_then(|subject| subject["pairs"].as_array());
        ensure!(pairs.is_some_and(|pairs| pairs.len() >= PAIRS), "{name} was not measured");
    }
    for kind in ["selection", "import", "socket"] {
        let is_control =
            |subject: &&Value| subject["is_control"] == true && subject["kind"] == kind;
        ensure!(subjects.iter().any(|it| is_control(&it)), "no control of the {kind}");
    }
    Ok(())
}

/// Classes of plaintext that are compared with the first, at least.
const PAIRS: usize = 17;

/// Runs the measurement, or writes the report.
///
/// # Errors
///
/// Fails as `sslprov timing` does: when a class stands out, and when nothing can be said.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.smoke {
        return smoke(workspace);
    }
    if options.report {
        return report(workspace, options.time, &options.parts);
    }
    let program = build(workspace)?;
    Run::new(program).args(["timing"]).args(&options.arguments).run(workspace)
}

/// Measures everything and writes the document. Its verdicts are in it, so that of a leak does not
/// end this.
fn report(workspace: &Workspace, minutes: u32, only: &[String]) -> Result<()> {
    let time = format!("{minutes}m");
    let folder = workspace.target("timing");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let parts: [(&str, &[&str]); 3] = [
        ("selection", &["--subject", "selection", "--blocks", "1000000"]),
        // An import by RustCrypto takes longer and varies more, which hides what others show.
        ("import", &["--subject", "import,batch", "--time", &time, "--detect", "300"]),
        ("socket", &["--subject", "socket", "--time", &time]),
    ];
    let reports = parts.map(|(name, _)| folder.join(format!("{name}.json")));
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|it| it == name);
    // Before the hours of the others.
    for ((name, _), path) in parts.iter().zip(&reports) {
        let is_there = is_wanted(name) || path.is_file();
        ensure!(is_there, "{}: not measured yet; leave out --part", path.display());
    }
    let program = build(workspace)?;
    for ((name, arguments), path) in parts.iter().zip(&reports) {
        if is_wanted(name) {
            let arguments = ["timing", "--json"].iter().chain(*arguments);
            let json = Run::new(&program).args(arguments).read_if(workspace, &EXIT_CODES)?;
            fs::write(path, json).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    let document = Run::new(&program)
        .args(["timing", "--markdown", "--from"])
        .args(&reports)
        .read_if(workspace, &EXIT_CODES)?;
    let path = workspace.root().join(DOCUMENT);
    fs::write(&path, document).with_context(|| format!("cannot write {DOCUMENT}"))?;
    println!("{DOCUMENT}: written; the figures are in {}", folder.display());
    Ok(())
}

/// Exit codes of `sslprov timing` with which it has measured: no leak, inconclusive, a leak.
const EXIT_CODES: [i32; 3] = [0, 3, 4];

/// Builds `sslprov`, optimised.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    Run::cargo("build")
        .args(["--quiet", "--release", "--package", "ssl-provider-cli", "--bin", PROGRAM])
        .args(["--features", &all_of_facade()])
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

const PROGRAM: &str = "sslprov";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn complete() -> Value {
        let pairs = vec![0; PAIRS];
        let subject = |name: &str, kind: &str, is_control: bool| {
            let mut subject = json!({ "name": name, "kind": kind, "pairs": pairs });
            subject["is_control"] = is_control.into();
            subject
        };
        let mut subjects = vec![subject("selection", "selection", false)];
        for kind in ["selection", "import", "socket"] {
            subjects.push(subject("control", kind, true));
        }
        for backend in BACKENDS {
            subjects.push(subject(&format!("import with {backend}"), "import", false));
            subjects.push(subject(&format!("socket with {backend}"), "socket", false));
        }
        json!({ "subjects": subjects })
    }

    #[test]
    fn a_report_without_one_of_its_subjects_is_not_complete() {
        ensure_complete(&complete()).unwrap();
        let count = complete()["subjects"].as_array().unwrap().len();
        for at in 0..count {
            let mut report = complete();
            report["subjects"].as_array_mut().unwrap().remove(at);
            assert!(ensure_complete(&report).is_err(), "{at}");
            let mut report = complete();
            report["subjects"][at]["pairs"].as_array_mut().unwrap().pop();
            report["subjects"][at]["is_control"] = json!(false);
            assert!(ensure_complete(&report).is_err(), "{at}");
        }
    }
}
