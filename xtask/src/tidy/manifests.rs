//! Rules on manifests: each dependency has its justification, and lints are the workspace's.
//! Read as text, because the comments are checked.

use std::path::Path;

use super::Finding;

/// Checks a `Cargo.toml`.
pub(super) fn check(path: &Path, contents: &str) -> Vec<Finding> {
    let mut findings = dependencies(path, contents);
    let table = |name: &str| contents.lines().any(|line| line.trim() == name);
    // A package that is a workspace by itself has no lints to inherit.
    let is_alone = table("[workspace]") && !table("members = [");
    if table("[package]") && !is_alone && !(table("[lints]") && table("workspace = true")) {
        findings.push(Finding::new(path.display(), "no `[lints] workspace = true`"));
    }
    if table("[package]") && !table("publish = false") {
        for key in ["categories", "documentation", "keywords"] {
            if !contents.lines().any(|line| line.starts_with(&format!("{key} = "))) {
                let message = format!("no `{key}`, nor `publish = false`");
                findings.push(Finding::new(path.display(), message));
            }
        }
    }
    findings
}

/// Each dependency on somebody else's crate stands under a comment that is a sentence; lines that
/// follow without a gap share it.
fn dependencies(path: &Path, contents: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_dependencies = false;
    let mut sentence = false;
    for (index, line) in contents.lines().enumerate() {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[').filter(|_| line.ends_with(']')) {
            let table = table.trim_end_matches(']');
            // The versions of the workspace are explained where they are used.
            in_dependencies = table.ends_with("dependencies") && table != "workspace.dependencies";
            sentence = false;
        } else if let Some(comment) = line.strip_prefix('#') {
            sentence = comment.trim_end().ends_with('.');
        } else if let Some((name, _)) = line.split_once('=').filter(|_| in_dependencies) {
            let name = name.split('.').next().unwrap_or(name).trim();
            if !sentence && !name.starts_with("ssl-provider") {
                let message = format!("no comment above justifies `{name}` in a sentence");
                findings.push(Finding::at(path, index + 1, message));
            }
        } else if line.is_empty() {
            sentence = false;
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(contents: &str) -> usize {
        check(Path::new("Cargo.toml"), contents).len()
    }

    #[test]
    fn a_dependency_without_a_sentence_is_found() {
        assert_eq!(count("[dependencies]\nring.workspace = true\n"), 1);
        assert_eq!(count("[dev-dependencies]\nring = \"0.17\"\n"), 1);
        assert_eq!(count("[target.'cfg(unix)'.dependencies]\nlibc = \"0.2\"\n"), 1);
        assert_eq!(count("[dependencies]\n# no sentence\nring.workspace = true\n"), 1);
        let apart = "[dependencies]\n# Says why.\nring.workspace = true\n\nrsa.workspace = true\n";
        assert_eq!(count(apart), 1);
    }

    #[test]
    fn an_explained_dependency_and_our_own_crates_are_fine() {
        assert_eq!(count("[dependencies]\n# Says why.\nring.workspace = true\n"), 0);
        assert_eq!(count("[dependencies]\nssl-provider-core.workspace = true\n"), 0);
        assert_eq!(count("[workspace.dependencies]\nring = \"0.17\"\n"), 0);
        assert_eq!(count("[features]\nring = []\n"), 0);
    }

    #[test]
    fn a_published_crate_without_what_its_page_shows_is_found() {
        let lints = "[lints]\nworkspace = true\n";
        assert_eq!(count(&format!("[package]\nname = \"x\"\n{lints}")), 3);
        assert_eq!(count(&format!("[package]\nname = \"x\"\nkeywords = []\n{lints}")), 2);
        assert_eq!(count(&format!("[package]\npublish = false\n{lints}")), 0);
    }

    #[test]
    fn a_member_without_the_lints_of_the_workspace_is_found() {
        assert_eq!(count("[package]\npublish = false\n"), 1);
        assert_eq!(count("[package]\npublish = false\n\n[workspace]\nmembers = [\n\"y\"]\n"), 1);
        assert_eq!(count("[package]\npublish = false\n\n[workspace]\n"), 0);
        assert_eq!(count("[package]\npublish = false\n\n[lints]\nworkspace = true\n"), 0);
    }
}
