//! `cargo xtask pages`: the HTML reports of `sslprov`, opened in headless Chromium and clicked
//! through: each loads nothing from elsewhere, and its rows open what is behind them.

use anyhow::{Result, bail, ensure};

use crate::command::{Run, is_installed};
use crate::features::all_of_facade;
use crate::workspace::Workspace;

/// Makes the three reports with the program that the tests use, and clicks through them; then
/// through two damaged copies, in which that must fail.
///
/// # Errors
///
/// Fails when Chromium is missing, when a report is not made, and when a page is not as it should
/// be.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    for program in ["chromium", "chromedriver"] {
        ensure!(
            is_installed(program),
            "{program} is not installed; on Debian: apt-get install chromium chromium-driver"
        );
    }
    Run::cargo("build")
        .args(["--quiet", "--workspace", "--bin", "sslprov", "--features", &all_of_facade()])
        .run(workspace)?;
    let sslprov = workspace.target("debug/sslprov");
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
    let click = |pages: &[std::path::PathBuf]| {
        Run::new("python3").args([workspace.root().join("tests/pages/click.py")]).args(pages)
    };
    click(&pages).run(workspace)?;

    let whole = std::fs::read_to_string(&pages[0])?;
    for (name, from, to) in [
        ("leads-nowhere", "data-target=\"", "data-target=\"no-"),
        ("loads", "</body>", "<img src=\"http://127.0.0.1:9/\"></body>"),
    ] {
        let damaged = folder.join(format!("{name}.html"));
        std::fs::write(&damaged, whole.replace(from, to))?;
        let (status, printed) = click(&[damaged]).outcome(workspace)?;
        if status.success() {
            bail!("a page that {name} passes:\n{printed}");
        }
    }
    println!("pages: three reports are whole, and two damaged ones were found");
    Ok(())
}
