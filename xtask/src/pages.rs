//! `cargo xtask pages`: the HTML reports of `sslprov`, opened in headless Chromium and clicked
//! through: each loads nothing from elsewhere, and its rows open what is behind them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{Run, is_installed};
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// Makes the picture of a cross-check in which a fault was planted, `docs/crosscheck.png`.
///
/// # Errors
///
/// Fails when Chromium is missing or the report is not made.
pub(crate) fn picture(workspace: &Workspace) -> Result<()> {
    let sslprov = build(workspace)?;
    let page = workspace.empty_target("pages")?.join("crosscheck.html");
    let fault = "openssl:prf-of-another-hash";
    let (status, printed) = Run::new(&sslprov)
        .args(["crosscheck", "--no-cases", "--generate", "2000", "--only", "sha-384"])
        .args(["--inject-fault", fault, "--html"])
        .args([&page])
        .outcome(workspace)?;
    ensure!(status.code() == Some(4), "crosscheck ended with {status}:\n{printed}");
    Run::new("python3")
        .args([workspace.root().join(CLICK)])
        .args(["--size", "1000,640", "--screenshot"])
        .args([workspace.root().join("docs/crosscheck.png"), page])
        .run(workspace)
}

/// What clicks through pages.
const CLICK: &str = "tests/pages/click.py";

/// Builds the program as the tests use it.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    for program in ["chromium", "chromedriver"] {
        ensure!(
            is_installed(program),
            "{program} is not installed; on Debian: apt-get install chromium chromium-driver"
        );
    }
    Run::cargo("build")
        .args(["--quiet", "--workspace", "--bin", "sslprov", "--features", &all_of_facade()])
        .run(workspace)?;
    Ok(workspace.target("debug/sslprov"))
}

/// Makes the three reports with the program that the tests use, and clicks through them; then
/// through two damaged copies, in which that must fail.
///
/// # Errors
///
/// Fails when Chromium is missing, when a report is not made, and when a page is not as it should
/// be.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let sslprov = build(workspace)?;
    let folder = workspace.empty_target("pages")?;
    let fault = "aws-lc:hash-sha384-is-sha512";
    let reports: [(&str, i32, &[&str]); 3] = [
        // A page with a disagreement in it.
        ("crosscheck", 4, &["--no-cases", "--generate", "400", "--inject-fault", fault]),
        ("timing", 0, &["--smoke"]),
        ("bench", 0, &["--time", "3", "--group", "records,signatures"]),
    ];
    let mut pages = Vec::new();
    for (command, expected, arguments) in reports {
        let page = folder.join(format!("{command}.html"));
        let run = Run::new(&sslprov).args([command]).args(arguments).args(["--html"]).args([&page]);
        let (status, printed) = run.outcome(workspace)?;
        ensure!(status.code() == Some(expected), "{command} ended with {status}:\n{printed}");
        pages.push(page);
    }
    let click =
        |pages: &[PathBuf]| Run::new("python3").args([workspace.root().join(CLICK)]).args(pages);
    click(&pages).run(workspace)?;

    let whole = fs::read_to_string(&pages[0]).context("cannot read the report")?;
    for (name, from, to) in [
        ("leads-nowhere", "data-target=\"", "data-target=\"no-"),
        ("loads", "</body>", "<img src=\"http://127.0.0.1:9/\"></body>"),
    ] {
        let damaged = folder.join(format!("{name}.html"));
        fs::write(&damaged, whole.replace(from, to)).context("cannot write a page")?;
        let (status, printed) = click(&[damaged]).outcome(workspace)?;
        if status.success() {
            bail!("a page that {name} passes:\n{printed}");
        }
    }
    println!("pages: three reports are whole, and two damaged ones were found");
    Ok(())
}
