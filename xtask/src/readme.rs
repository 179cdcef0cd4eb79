//! `cargo xtask readme`: the generated parts of README.md, between markers that name their source.
//! A marker is a pair of comments, `<!-- generated: NAME -->` and `<!-- end of NAME -->`.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::features::{OpenSsl, all_of_facade};
use crate::workspace::Workspace;

/// The files with generated parts.
const FILES: [&str; 1] = ["README.md"];

/// Writes the generated parts, or checks them.
///
/// # Errors
///
/// Fails when a marker is missing, and in a check when a part is out of date.
pub(crate) fn run(workspace: &Workspace, check: bool) -> Result<()> {
    let table = backend_table(workspace)?;
    for file in FILES {
        let path = workspace.root().join(file);
        let old = fs::read_to_string(&path).with_context(|| format!("cannot read {file}"))?;
        let new = replace(&old, "backends", &table).with_context(|| file.to_owned())?;
        if old == new {
            println!("{file}: up to date");
        } else {
            ensure!(!check, "{file} is out of date: run cargo xtask readme");
            fs::write(&path, new).with_context(|| format!("cannot write {file}"))?;
            println!("{file}: regenerated");
        }
    }
    Ok(())
}

/// The support table, as the tool prints it with all backends compiled in.
fn backend_table(workspace: &Workspace) -> Result<String> {
    let features = all_of_facade(OpenSsl::choose());
    Run::cargo("run")
        .args(["--quiet", "--package", "ssl-provider-cli", "--features", features.as_str()])
        .args(["--", "backends", "--markdown"])
        .read(workspace)
}

/// Puts `part` between the markers of `name`.
fn replace(text: &str, name: &str, part: &str) -> Result<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) =
        text.split_once(&begin).with_context(|| format!("no marker `{}`", begin.trim_end()))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no marker `{end}`"))?;
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "before\n<!-- generated: x -->\nold\n<!-- end of x -->\nafter\n";

    #[test]
    fn the_part_between_the_markers_is_replaced_and_nothing_else() {
        let new = replace(OLD, "x", "| new |\n").unwrap();
        let expected = "before\n<!-- generated: x -->\n\n| new |\n\n<!-- end of x -->\nafter\n";
        assert_eq!(new, expected);
        assert_eq!(replace(&new, "x", "| new |\n").unwrap(), new, "twice is once");
    }

    #[test]
    fn a_missing_marker_is_named() {
        assert!(replace(OLD, "y", "").unwrap_err().to_string().contains("generated: y"));
        let open = OLD.replace("end of", "");
        assert!(replace(&open, "x", "").unwrap_err().to_string().contains("end of x"));
    }
}
