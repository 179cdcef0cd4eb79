//! `cargo xtask vector-runners`: the corpus of tests/vectors with the examples for other projects,
//! in Python, Go and C. Its verifier is run by the tests of `ssl-provider-compare`.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::workspace::Workspace;

/// Runs the three examples, then again on a copy with a mistake in each of the files that they
/// read, which they must find.
///
/// # Errors
///
/// Fails when a program or library is missing, when a vector is wrong, and when an example does not
/// find a mistake.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let corpus = workspace.root().join("tests/vectors");
    let own = workspace.empty_target("vector-runners")?;
    let flags = Run::new("pkg-config")
        .args(["--cflags", "--libs", "jansson", "libcrypto"])
        .read(workspace)
        .context("the example in C takes libjansson-dev and libssl-dev; `.ci/run` installs them")?;
    let [go, c] = ["run-go", "run-c"].map(|name| own.join(name));
    Run::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&c, &corpus.join("runners/run.c")])
        .args(flags.split_whitespace())
        .run(workspace)?;
    Run::new("go")
        .args(["build", "-o"])
        .args([&go, &corpus.join("runners/run.go")])
        // One file of the standard library: no module, and nothing to fetch.
        .env("GO111MODULE", "off")
        .env("GOCACHE", own.join("go-cache"))
        .run(workspace)?;

    let copy = own.join("copy");
    fs::create_dir_all(&copy).context("cannot make a folder for the copy")?;
    for name in [IMPORT, SCHEDULE] {
        let text =
            fs::read_to_string(corpus.join(name)).with_context(|| format!("cannot read {name}"))?;
        fs::write(copy.join(name), damaged(&text)?).context("cannot write the copy")?;
    }
    for (folder, is_good) in [(&corpus, true), (&copy, false)] {
        for (run, name) in [
            (Run::new("python3").args([corpus.join("runners/run.py")]), IMPORT),
            (Run::new(&go), SCHEDULE),
            (Run::new(&c), SCHEDULE),
        ] {
            let run = run.args([folder.join(name)]).env(NO_BYTECODE.0, NO_BYTECODE.1);
            let (status, printed) = run.outcome(workspace)?;
            print!("{printed}");
            let expected = if is_good { Some(0) } else { Some(1) };
            ensure!(status.code() == expected, "expected exit code {expected:?}, got {status}");
            ensure!(
                printed.contains(if is_good { " 0 failed" } else { " 1 failed" }),
                "other count"
            );
        }
    }
    Ok(())
}

const IMPORT: &str = "tls_rsa_import.json";
const SCHEDULE: &str = "tls_key_schedule.json";

/// Python writes no compiled files beside the corpus.
const NO_BYTECODE: (&str, &str) = ("PYTHONDONTWRITEBYTECODE", "1");

/// Changes the last digit of the last master secret, which is of DTLS 1.2, that every example runs.
fn damaged(text: &str) -> Result<String> {
    let name = "\n          \"masterSecret\": \"";
    let start = text.rfind(name).context("no master secret in the file")? + name.len();
    let end = start + text[start..].find('"').context("the string has no end")?;
    let (before, last) = text[..end].split_at(end - 1);
    let other = if last == "0" { "1" } else { "0" };
    Ok([before, other, &text[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_master_secret_is_changed() {
        let line = |digits: &str| format!("\n          \"masterSecret\": \"{digits}\",\n");
        let text = [line("0a"), line("0b")].concat();
        assert_eq!(damaged(&text).unwrap(), [line("0a"), line("00")].concat());
        assert_eq!(damaged(&line("0")).unwrap(), line("1"));
        assert!(damaged("{}").is_err());
    }
}
