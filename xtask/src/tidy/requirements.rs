//! The rule on docs/requirements.md: whatever it names as the test of a requirement is run as one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Finding;

/// The table of requirements and their tests.
const FILE: &str = "docs/requirements.md";

/// What stands before the name of a command.
const COMMAND: &str = "cargo xtask ";

/// The list of cases of the test kit, which each backend is tested with.
const CASES: &str = "crates/ssl-provider-testkit/src/lib.rs";

/// Where the list begins and ends.
const LIST: (&str, &str) = ("$crate::conformance_tests! { $($then)*;", "}");

/// Checks that each requirement of the table has a test, and that each test is one: a function of
/// this name with `#[test]`, a case in the list of the test kit, or one of these commands.
pub(super) fn check(files: &[(PathBuf, String)], commands: &[String]) -> Vec<Finding> {
    let path = Path::new(FILE);
    let Some((_, table)) = files.iter().find(|(file, _)| file == path) else {
        return vec![Finding::new(FILE, "is missing")];
    };
    let code = files.iter().filter(|(file, _)| file.extension().is_some_and(|it| it == "rs"));
    let mut tests: BTreeSet<&str> =
        code.flat_map(|(_, contents)| test_functions(contents)).collect();
    let list = files.iter().find(|(file, _)| file == Path::new(CASES));
    let cases: Option<Vec<_>> = list.and_then(|(_, contents)| cases(contents));
    let Some(cases) = cases.filter(|cases| !cases.is_empty()) else {
        return vec![Finding::new(CASES, "has no list of cases")];
    };
    tests.extend(cases);
    let mut findings = Vec::new();
    let rows = table.lines().enumerate().filter(|(_, line)| line.starts_with("| R"));
    for (index, row) in rows {
        let named = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            findings.push(Finding::at(path, index + 1, "no test"));
        }
        for name in names {
            let is_test = match name.strip_prefix(COMMAND) {
                Some(command) => commands.iter().any(|known| known == command),
                None => tests.contains(name),
            };
            if !is_test {
                let text = format!("`{name}` is no test, case of the test kit or command");
                findings.push(Finding::at(path, index + 1, text));
            }
        }
    }
    findings
}

/// Returns the names of the functions with the attribute `#[test]`.
fn test_functions(contents: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in contents.lines().map(str::trim) {
        if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            names.extend(rest.split(['(', '<']).next().filter(|_| is_test));
            is_test = false;
        } else {
            // Between attribute and function are other attributes and comments only.
            is_test &= line.starts_with("#[") || line.starts_with("//");
        }
    }
    names
}

/// Returns the names in the list of cases, such as those of `module: a_case another_case;`.
fn cases(contents: &str) -> Option<Vec<&str>> {
    let (_, rest) = contents.split_once(LIST.0)?;
    let (list, _) = rest.split_once(LIST.1)?;
    let of_module = |entry| -> &str { str::split_once(entry, ':').map_or("", |(_, names)| names) };
    Some(list.split(';').flat_map(|entry| of_module(entry).split_whitespace()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test with another attribute, and functions that nothing runs.
    const CODE: &str = "#[test]
    #[cfg(unix)]
    // Why it is so.
    fn a_fact() {}
    fn helper() {}
pub fn a_case(backend: &Backend) {}
pub fn a_case_that_is_not_in_the_list(backend: &Backend) {}
";

    fn check_with(row: &str, list: &str) -> Vec<Finding> {
        let table = format!("| | Requirement | Test |\n|---|---|---|\n{row}\n");
        let files = [
            (FILE.into(), table),
            ("tests/facts.rs".into(), CODE.to_owned()),
            (CASES.into(), list.to_owned()),
        ];
        check(&files, &["tidy".to_owned()])
    }

    fn findings(row: &str) -> usize {
        let list = format!("{}\n    module: a_case\n another_case;\n{}", LIST.0, LIST.1);
        check_with(row, &list).len()
    }

    #[test]
    fn a_test_that_does_not_exist_is_found() {
        assert_eq!(findings("| R1 | it is so | `a_fact`, `a_case`, `cargo xtask tidy` |"), 0);
        assert_eq!(findings("| R1 | it is so | `a_fact`, `a_fiction` |"), 1);
        assert_eq!(findings("| R1 | it is so | `cargo xtask untidy` |"), 1);
        assert_eq!(findings("| R1 | `it` is so | trust |"), 1);
    }

    #[test]
    fn a_function_that_is_not_run_is_no_test() {
        for name in ["helper", "a_case_that_is_not_in_the_list", "module"] {
            assert_eq!(findings(&format!("| R1 | it is so | `{name}` |")), 1, "{name}");
        }
        assert_eq!(check_with("| R1 | it is so | `a_fact` |", "").len(), 1, "no list");
    }
}
