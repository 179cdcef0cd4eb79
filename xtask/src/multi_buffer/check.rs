//! Checks of multi-buffer RSA that take minutes: many private operations, compared with those of
//! aws-lc, and many products, compared with those of big integers. `cargo test` runs a few of each.

use std::fs;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::command::Run;
use crate::workspace::Workspace;

/// How much is checked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Private operations with each key; 0 for none.
    #[arg(long, default_value_t = 100_000)]
    decryptions: u64,
    /// Products and squares with each kernel; 0 for none.
    #[arg(long, default_value_t = 10_000_000)]
    products: u64,
}

/// Runs the tests with these counts, in the release build.
///
/// # Errors
///
/// Fails at the first result that is wrong, and when there is no test to run.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    DECRYPTIONS.run(workspace, options.decryptions)?;
    PRODUCTS.run(workspace, options.products)
}

const DECRYPTIONS: Tests = Tests {
    package: &["--package", "ssl-provider", "--features", "aws-lc,multi-buffer"],
    target: &["--test", "multi_buffer"],
    name: "decryptions",
    count: "SSL_PROVIDER_DECRYPTIONS",
    source: "tests/multi_buffer.rs",
};

const PRODUCTS: Tests = Tests {
    package: &["--package", "ssl-provider-multibuffer"],
    target: &["--lib"],
    name: "products",
    count: "SSL_PROVIDER_PRODUCTS",
    source: "crates/ssl-provider-multibuffer/src",
};

/// The tests of a target whose names contain a word.
struct Tests {
    package: &'static [&'static str],
    target: &'static [&'static str],
    name: &'static str,
    /// The variable with the count.
    count: &'static str,
    /// Where the tests are.
    source: &'static str,
}

impl Tests {
    /// Runs them with this count.
    fn run(&self, workspace: &Workspace, count: u64) -> Result<()> {
        if count == 0 {
            println!("NOT CHECKED: {}: the count is 0", self.name);
            return Ok(());
        }
        let listed = self.command().args(["--list"]).read(workspace)?;
        let tests = listed.lines().filter(|line| line.ends_with(": test")).count();
        ensure!(tests > 0, "no test has `{}` in its name", self.name);
        // Else they would pass after as few as in `cargo test`.
        ensure!(self.reads_count(workspace)?, "{}: nothing reads {}", self.source, self.count);
        self.command()
            .env(self.count, count.to_string())
            .args(["--nocapture", "--test-threads", "1"])
            .run(workspace)?;
        println!("multi-buffer: {count} {}: {tests} tests passed", self.name);
        Ok(())
    }

    /// Whether the variable is named where the tests are.
    fn reads_count(&self, workspace: &Workspace) -> Result<bool> {
        for path in workspace.files()?.iter().filter(|path| path.starts_with(self.source)) {
            let text = fs::read_to_string(workspace.root().join(path))
                .with_context(|| format!("cannot read {}", path.display()))?;
            if text.contains(self.count) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn command(&self) -> Run {
        Run::cargo("test")
            .args(["--quiet", "--release"])
            .args(self.package)
            .args(self.target)
            .args([self.name, "--"])
    }
}
