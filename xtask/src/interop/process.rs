//! Child processes with a time limit: one for a single request, one for a dialogue. Both are killed
//! when they are dropped.

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a process may take for a response.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process exceeded its time limit, which is a failure also for an unsupported cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfTime;

impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing came in time")
    }
}

impl Error for OutOfTime {}

/// Runs `command` with `input`, without closing its standard input, and returns its output and the
/// last line of its error output.
///
/// # Errors
///
/// Fails when it does not start, or does not end in time.
pub(crate) fn ask_once(command: &mut Command, input: &[u8]) -> Result<(Vec<u8>, String)> {
    let mut child = Killed::start(command.stderr(Stdio::piped()))?;
    let output = child.child.stdout.take().map(read_to_end).context("no standard output")?;
    let errors = child.child.stderr.take().map(read_to_end).context("no standard error")?;
    let mut stdin = child.child.stdin.take().context("no standard input")?;
    // A client that fails may not read; its error output has the reason.
    let _ = stdin.write_all(input);
    let output = output.recv_timeout(PATIENCE).map_err(|_| OutOfTime)?;
    let errors = errors.recv_timeout(PATIENCE).map_err(|_| OutOfTime)?;
    let complaint = String::from_utf8_lossy(&errors);
    let complaint = complaint.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    Ok((output, complaint.trim().to_owned()))
}

fn read_to_end(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // Output before a failure is kept; after the time limit there is no receiver.
        let _ = pipe.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}

/// A process that replies to lines with lines.
#[derive(Debug)]
pub(crate) struct Dialogue {
    stdin: ChildStdin,
    lines: Receiver<String>,
    process: Killed,
}

impl Dialogue {
    /// Starts `command`.
    ///
    /// # Errors
    ///
    /// Fails when it does not start.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut process = Killed::start(command)?;
        let stdin = process.child.stdin.take().context("no standard input")?;
        let stdout = process.child.stdout.take().context("no standard output")?;
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { stdin, lines, process })
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.child.id()
    }

    /// Whether the process has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.process.child.try_wait(), Ok(None))
    }

    /// Sends a line.
    ///
    /// # Errors
    ///
    /// Fails when the process has ended.
    pub(crate) fn send(&mut self, line: &str) -> Result<()> {
        writeln!(self.stdin, "{line}").context("the process has ended")?;
        self.stdin.flush().context("the process has ended")
    }

    /// Waits for a line.
    ///
    /// # Errors
    ///
    /// Fails when none comes in time, or the process ends.
    pub(crate) fn receive(&mut self) -> Result<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Timeout) => bail!(OutOfTime),
            Err(RecvTimeoutError::Disconnected) => {
                let status = self.process.child.wait().context("cannot wait for it")?;
                bail!("the process ended: {status}")
            }
        }
    }
}

/// A child process that does not outlive this value.
#[derive(Debug)]
pub(crate) struct Killed {
    pub(crate) child: Child,
}

impl Killed {
    /// Starts it, with pipes for its input and its output.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be started.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        Ok(Self { child })
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_asked_and_its_complaint_kept() {
        let script = "read line; echo \"heard $line\"; echo first >&2; echo last >&2; echo >&2";
        let asked = ask_once(Command::new("sh").args(["-c", script]), b"this\n").unwrap();
        assert_eq!(asked, (b"heard this\n".to_vec(), "last".to_owned()));
    }

    #[test]
    fn a_dialogue_continues_until_the_process_ends() {
        let script = "read a; echo $a; read b; echo $b; exit 3";
        let mut dialogue = Dialogue::start(Command::new("sh").args(["-c", script])).unwrap();
        for line in ["one", "two"] {
            assert!(dialogue.is_running());
            dialogue.send(line).unwrap();
            assert_eq!(dialogue.receive().unwrap(), line);
        }
        assert!(dialogue.receive().unwrap_err().to_string().contains("exit status: 3"));
        assert!(!dialogue.is_running());
    }
}
