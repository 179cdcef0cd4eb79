//! `cargo xtask key-server`: compares imports by `sslprov key-server` with imports in the process,
//! by latency with one client and by throughput with eight, in turns.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::command::Run;
use crate::interop::process::Dialogue;
use crate::workspace::Workspace;

/// Options of `cargo xtask key-server`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Rounds; each figure is the median of the rounds.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds for each measurement of a round, of which there are three.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Microseconds of busy polling on both sides: none, and more than a private operation takes.
const BUSY_POLL: [&str; 2] = ["0", "1000"];

/// The key of both, of 2048 bits.
const KEY: &str = "crates/ssl-provider-testkit/keys/rsa-2048.der";

/// Measures the default backend with and without multi-buffer RSA, and prints a table.
///
/// # Errors
///
/// Fails when the server or the client does.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "key servers need Linux");
    Run::cargo("build").args(["--release", "--package", "ssl-provider-cli"]).run(workspace)?;
    Run::cargo("build")
        .args(["--release", "--package", "ssl-provider-remote", "--example", "compare"])
        .run(workspace)?;
    println!(
        "| private operation | busy polling | in the process, 1 client | key server | overhead | \
         in the process, 8 clients | key server | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    let (rounds, seconds) = (options.rounds.to_string(), options.seconds.to_string());
    let wrappers = [("library", &["--no-multi-buffer"][..]), ("batches", &[])];
    for ((wrapper, arguments), busy_poll) in
        wrappers.into_iter().flat_map(|it| BUSY_POLL.map(|us| (it, us)))
    {
        // Paths of sockets must be short.
        let name = format!("sslp-compare-{}-{wrapper}.sock", std::process::id());
        let socket = std::env::temp_dir().join(name);
        let mut command = Command::new(workspace.target("release").join("sslprov"));
        command
            .args(["key-server", "--quiet", "--key", KEY, "--listen"])
            .arg(&socket)
            .args(arguments)
            .args(["--busy-poll", busy_poll])
            .current_dir(workspace.root())
            .stderr(Stdio::inherit());
        let mut server = Dialogue::start(&mut command).context("the key server does not start")?;
        let line = server.receive().context("the key server does not listen")?;
        ensure!(line.starts_with("listening on "), "the key server says: {line}");
        Run::new(workspace.target("release").join("examples/compare"))
            .args([&socket])
            .args([wrapper, &rounds, &seconds, busy_poll])
            .quiet()
            .run(workspace)?;
    }
    Ok(())
}
