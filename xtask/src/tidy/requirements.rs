//! The rule on docs/requirements.md: whatever it names as the test of a requirement exists.

use std::path::{Path, PathBuf};

use super::Finding;

/// The table of requirements and their tests.
const FILE: &str = "docs/requirements.md";

/// What stands before the name of a command.
const COMMAND: &str = "cargo xtask ";

/// Checks that each requirement of the table has a test, and that each test exists: a function of
/// this name, or one of these commands.
pub(super) fn check(files: &[(PathBuf, String)], commands: &[String]) -> Vec<Finding> {
    let path = Path::new(FILE);
    let Some((_, table)) = files.iter().find(|(file, _)| file == path) else {
        return vec![Finding::new(FILE, "is missing")];
    };
    let functions: Vec<&str> = files
        .iter()
        .filter(|(file, _)| file.extension().is_some_and(|it| it == "rs"))
        .flat_map(|(_, contents)| contents.lines())
        .filter_map(|line| line.trim_start().trim_start_matches("pub ").strip_prefix("fn "))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect();
    let mut findings = Vec::new();
    let rows = table.lines().enumerate().filter(|(_, line)| line.starts_with("| R"));
    for (index, row) in rows {
        let tests = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::at(path, index + 1, "no test"));
        }
        for name in names {
            let exists = match name.strip_prefix(COMMAND) {
                Some(command) => commands.iter().any(|known| known == command),
                None => functions.contains(&name),
            };
            if !exists {
                findings.push(Finding::at(path, index + 1, format!("there is no `{name}`")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(row: &str) -> usize {
        let table = format!("| | Requirement | Test |\n|---|---|---|\n{row}\n");
        let code = "#[test]\n    fn a_fact() {}\npub fn a_case(backend: &Backend) {}\n";
        let files = [(FILE.into(), table), ("tests/facts.rs".into(), code.to_owned())];
        check(&files, &["tidy".to_owned()]).len()
    }

    #[test]
    fn a_test_that_does_not_exist_is_found() {
        assert_eq!(findings("| R1 | it is so | `a_fact`, `a_case`, `cargo xtask tidy` |"), 0);
        assert_eq!(findings("| R1 | it is so | `a_fact`, `a_fiction` |"), 1);
        assert_eq!(findings("| R1 | it is so | `cargo xtask untidy` |"), 1);
        assert_eq!(findings("| R1 | `it` is so | trust |"), 1);
    }
}
