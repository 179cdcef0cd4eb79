//! A subcommand that serves, as a process, and its clients.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ssl_provider_testkit::diagnostics::not_tested;

const LONG_ENOUGH: Duration = Duration::from_secs(20);

/// A server that runs, and is ended with the test.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
    /// The address or the path on which it listens.
    pub(crate) address: String,
}

impl Server {
    /// Starts a server, or returns the output of one that ends before it listens. It may be one in
    /// a test program, which prints lines of its own before.
    pub(crate) fn start_command(mut command: Command) -> Result<Self, Output> {
        let mut child = command
            .env_remove("SSLKEYLOGFILE")
            .stdout(Stdio::piped())
            .spawn()
            .expect("sslprov starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        while stdout.read_line(&mut line).expect("a line") > 0 {
            if let Some(address) = address(&line) {
                return Ok(Self { child, stdout, address });
            }
            line.clear();
        }
        Err(child.wait_with_output().expect("it ends"))
    }

    /// The next event of `--json`.
    pub(crate) fn event(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill runs").success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < LONG_ENOUGH {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("the server goes on");
    }
}

/// The address or the path in a line that says where a server listens.
fn address(line: &str) -> Option<String> {
    let Some(start) = line.find('{') else {
        return Some(line.strip_prefix("listening on ")?.trim().to_owned());
    };
    let event: Value = serde_json::from_str(&line[start..]).ok()?;
    Some(event.get("address").or(event.get("path"))?.as_str()?.to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns whether a program is installed; if not, prints that the test is skipped.
pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        not_tested(program, "it is not installed");
    }
    found
}

/// Runs a client on this input and returns its output.
pub(crate) fn run_client(mut client: Command, input: &[u8]) -> String {
    let mut child = client
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client starts");
    // A client that fails reads no input; its output has the reason.
    let _ = child.stdin.take().expect("standard input is a pipe").write_all(input);
    let output = child.wait_with_output().expect("the client ends");
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}
