//! Checks of multi-buffer RSA that take minutes: many private operations, compared with those of
//! aws-lc, and many products, compared with those of big integers. `cargo test` runs a few of each.

use anyhow::{Result, ensure};
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
    DECRYPTIONS.run(workspace, "SSL_PROVIDER_DECRYPTIONS", options.decryptions)?;
    PRODUCTS.run(workspace, "SSL_PROVIDER_PRODUCTS", options.products)
}

const DECRYPTIONS: Tests = Tests {
    package: &["--package", "ssl-provider", "--features", "aws-lc,multi-buffer"],
    target: &["--test", "multi_buffer"],
    name: "decryptions",
};

const PRODUCTS: Tests = Tests {
    package: &["--package", "ssl-provider-multibuffer"],
    target: &["--lib"],
    name: "products",
};

/// The tests of a target whose names contain a word.
struct Tests {
    package: &'static [&'static str],
    target: &'static [&'static str],
    name: &'static str,
}

impl Tests {
    /// Runs them with the count in this variable.
    fn run(&self, workspace: &Workspace, variable: &str, count: u64) -> Result<()> {
        if count == 0 {
            println!("NOT CHECKED: {}: the count is 0", self.name);
            return Ok(());
        }
        let listed = self.command().args(["--list"]).read(workspace)?;
        let tests = listed.lines().filter(|line| line.ends_with(": test")).count();
        ensure!(tests > 0, "no test has `{}` in its name", self.name);
        self.command()
            .env(variable, count.to_string())
            .args(["--nocapture", "--test-threads", "1"])
            .run(workspace)?;
        println!("multi-buffer: {count} {}: {tests} tests passed", self.name);
        Ok(())
    }

    fn command(&self) -> Run {
        Run::cargo("test")
            .args(["--quiet", "--release"])
            .args(self.package)
            .args(self.target)
            .args([self.name, "--"])
    }
}
