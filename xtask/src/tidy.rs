//! `cargo xtask tidy`: checks the repository's own rules on its text and its dependency graph.
//! A rule is a function from text or from the dependency graph to findings, and has a test that
//! plants a violation.

mod graph;
mod licences;
mod manifests;
mod requirements;
mod text;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command::Run;
use crate::workspace::Workspace;
use crate::{python, support};

/// A violation of a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// File, with the line where there is one; or the package.
    place: String,
    message: String,
}

impl Finding {
    fn new(place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { place: place.to_string(), message: message.into() }
    }

    fn at(file: &Path, line: usize, message: impl Into<String>) -> Self {
        Self::new(format_args!("{}:{line}", file.display()), message)
    }
}

/// Checks every rule.
///
/// # Errors
///
/// Fails with the number of findings, after printing each.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut findings = Vec::new();
    let files = text_files(workspace)?;
    for (path, contents) in &files {
        findings.extend(text::check(path, contents));
        if path.file_name().is_some_and(|name| name == "Cargo.toml") {
            findings.extend(manifests::check(path, contents));
        }
    }
    findings.extend(requirements::check(&files, &crate::commands()));
    findings.extend(graph::check_layers(workspace));
    findings.extend(graph::check_circles(&files));
    findings.extend(supply_chain_findings(workspace));
    findings.extend(spelling(workspace)?);
    if let Err(error) = support::run(workspace, true) {
        findings.push(Finding::new(support::FILE, format!("{error:#}")));
    }
    let summary = format!("{} files, {} packages", files.len(), workspace.packages().len());
    conclude(&findings, &summary)
}

/// Checks licences, sources and versions of all dependencies, and nothing else.
///
/// # Errors
///
/// Fails with the number of findings, after printing each.
pub(crate) fn supply_chain(workspace: &Workspace) -> Result<()> {
    let summary = format!("{} packages", workspace.packages().len());
    conclude(&supply_chain_findings(workspace), &summary)
}

fn supply_chain_findings(workspace: &Workspace) -> Vec<Finding> {
    let packages = workspace.packages();
    let mut findings = licences::check(packages);
    findings.extend(graph::check_sources(packages));
    findings.extend(graph::check_single_versions(packages));
    findings
}

/// Misspelt words. `typos.toml` has the exceptions.
fn spelling(workspace: &Workspace) -> Result<Vec<Finding>> {
    let python = python::prepare(workspace, &["xtask/requirements.txt"])?;
    let typos = Run::new(python.with_file_name("typos")).args(["--format", "brief"]);
    let (status, printed) = typos.outcome(workspace)?;
    Ok(if status.success() { Vec::new() } else { misspelt(&printed) })
}

/// A finding for each line that typos printed, `file:line:column: error: message`.
fn misspelt(printed: &str) -> Vec<Finding> {
    let finding = |line: &str| match line.split_once(": error: ") {
        Some((place, message)) => Finding::new(place, message),
        None => Finding::new("typos", line),
    };
    printed.lines().map(finding).collect()
}

fn conclude(findings: &[Finding], summary: &str) -> Result<()> {
    for Finding { place, message } in findings {
        println!("{place}: {message}");
    }
    match findings.len() {
        0 => {
            println!("tidy: {summary}, nothing found");
            Ok(())
        }
        1 => bail!("tidy: 1 finding"),
        count => bail!("tidy: {count} findings"),
    }
}

/// The files of the repository that are text, with their contents.
fn text_files(workspace: &Workspace) -> Result<Vec<(PathBuf, String)>> {
    let mut files = Vec::new();
    for path in workspace.files()? {
        let bytes = fs::read(workspace.root().join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        // Captures and keys are not text.
        if let Ok(contents) = String::from_utf8(bytes) {
            files.push((path, contents));
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_found_in_the_file_where_it_is() {
        let word = ["rec", "ieve"].concat();
        let message = format!("`{word}` should be `receive`");
        let findings = misspelt(&format!("./a.rs:1:5: error: {message}\ncannot read b.rs\n"));
        let expected =
            [Finding::new("./a.rs:1:5", message), Finding::new("typos", "cannot read b.rs")];
        assert_eq!(findings, expected);
    }
}
