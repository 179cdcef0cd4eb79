//! `cargo xtask bench-report`: measures with the command `bench` and writes docs/benchmarks.md,
//! with charts. All figures of a report are from one run; times depend on the machine, ratios less
//! so.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::features::all_of_facade;
use crate::multi_buffer::bench::{self, Comparison};
use crate::workspace::Workspace;

/// Measures, unless the last run is to be used, and writes the report.
///
/// # Errors
///
/// Fails when the measurement does, and when a file cannot be read or written.
pub(crate) fn run(workspace: &Workspace, quick: bool, no_run: bool) -> Result<()> {
    let directory = workspace.target("bench-report");
    let report = directory.join("report.json");
    if !no_run {
        workspace.empty_target("bench-report")?;
        let seconds = if quick { QUICK_SECONDS } else { USUAL_SECONDS };
        command()
            .args(["--backend", "all", "--bits", "2048,3072,4096", "--time", seconds])
            .args([Path::new("--json"), &report])
            .run(workspace)?;
        let extent = if quick { bench::QUICK } else { bench::USUAL };
        fs::write(directory.join(COMPARISON), bench::measure(workspace, extent)?)
            .context("cannot record the comparison with crypto_mb")?;
    }
    let comparison = fs::read_to_string(directory.join(COMPARISON))
        .context("the last run has no comparison with crypto_mb")?;

    // A quick run shows that everything works; its figures are not for quoting.
    let docs = if quick { directory.clone() } else { workspace.root().join("docs") };
    let charts = docs.join("benchmarks");
    remove_charts(&charts)?;
    let markdown = command()
        .args([Path::new("--from"), &report, Path::new("--charts"), &charts])
        .args(["--markdown"])
        .read(workspace)?;
    let made_by = made_by(workspace)?;
    let text = render(&markdown, &made_by, &Comparison::parse(&comparison)?, quick)?;
    let path = docs.join("benchmarks.md");
    fs::write(&path, text).context("cannot write the report")?;
    println!("{}: written, with its charts beside it", path.display());
    Ok(())
}

/// Measures every operation a few times, in the debug build that the tests have made.
///
/// # Errors
///
/// Fails when an operation does.
pub(crate) fn run_once(workspace: &Workspace) -> Result<()> {
    let table = Run::cargo("test")
        .args(["--quiet", "--workspace", "--bench", BENCH, "--features", &all_of_facade()])
        .args(["--", "--backend", "all", "--time", "0"])
        .read(workspace)?;
    let rows = table.lines().filter(|line| line.contains(" aws-lc ")).count();
    ensure!(rows > 0, "the benchmarks measured nothing:\n{table}");
    println!("benches: {rows} rows for each backend");
    // One group of the same under criterion, each operation once.
    Run::cargo("test")
        .args(["--quiet", "--workspace", "--bench", "criterion", "--features", &all_of_facade()])
        .args(["--", "--test", "agreement"])
        .run(workspace)
}

/// The file with the lines of the comparison with crypto_mb.
const COMPARISON: &str = "multi-buffer.jsonl";

/// The benchmark of the package `ssl-provider-benches`, which is the command with more groups.
const BENCH: &str = "bench";

/// How long is measured.
const USUAL_SECONDS: &str = "300";
const QUICK_SECONDS: &str = "5";

fn command() -> Run {
    Run::cargo("bench").args([
        "--quiet",
        "--package",
        "ssl-provider-benches",
        "--bench",
        BENCH,
        "--",
    ])
}

/// Removes the charts of an earlier report, of which some may not come again.
fn remove_charts(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).context("cannot create the folder of the charts")?;
    for entry in fs::read_dir(folder).context("cannot read the folder of the charts")? {
        let path = entry.context("cannot read the folder of the charts")?.path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}

/// Returns what the report was made by.
fn made_by(workspace: &Workspace) -> Result<String> {
    let read = |program: &str, args: &[&str]| -> Result<String> {
        let text = Run::new(program).args(args).quiet().read(workspace)?;
        Ok(text.trim().to_owned())
    };
    let compiler = read("rustc", &["--version"])?;
    let commit = read("git", &["rev-parse", "--short=12", "HEAD"])?;
    Ok(format!("Made by `cargo xtask bench-report` at commit {commit} with {compiler}"))
}

/// Returns the report: what the command says, and the comparison with crypto_mb.
fn render(markdown: &str, made_by: &str, comparison: &Comparison, quick: bool) -> Result<String> {
    const MADE_BY: &str = "Made by `sslprov bench`";
    ensure!(markdown.contains(MADE_BY), "the command does not say what made its report");
    let mut text = markdown.replacen(MADE_BY, made_by, 1);
    if quick {
        let brief = "\n\n**A brief run: these figures are not to be quoted.**\n\n";
        text = text.replacen("\n\n", brief, 1);
    }
    Ok(text + "\n" + &comparison.section())
}

/// Returns a Markdown table.
pub(crate) fn table(header: Vec<String>, rows: Vec<Vec<String>>) -> String {
    let rule = vec!["---".to_owned(); header.len()];
    let lines = [header, rule].into_iter().chain(rows);
    lines.map(|cells| format!("| {} |\n", cells.join(" | "))).collect()
}

/// Returns a number with three digits, or all those before the decimal point.
pub(crate) fn digits(value: f64) -> String {
    match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_made_it_and_ends_with_the_comparison() {
        let comparison = Comparison::parse(&bench::tests::lines()).unwrap();
        let markdown = "# Benchmarks\n\nMade by `sslprov bench`; do not edit.\n\n## Records\n";
        let text = render(markdown, "Made by a test", &comparison, false).unwrap();
        assert!(text.starts_with("# Benchmarks\n\nMade by a test; do not edit.\n"), "{text}");
        let records = text.find("## Records").unwrap();
        assert!(text.find("## Multi-buffer RSA and crypto_mb").unwrap() > records, "{text}");
        let brief = render(markdown, "Made by a test", &comparison, true).unwrap();
        assert!(brief.contains("not to be quoted") && !text.contains("not to be quoted"));
        assert!(render("# Other", "x", &comparison, false).is_err());
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!([1.234, 12.34, 1234.5].map(digits), ["1.23", "12.3", "1234"]);
    }
}
