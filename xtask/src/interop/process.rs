//! Child processes with a time limit: one for a single request, one for a dialogue. Both are killed
//! when they are dropped.

use std::error::Error;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// How long a process may take for a response.
const PATIENCE: Duration = Duration::from_secs(40);

/// A process exceeded its time limit, which is a failure also for an unsupported cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutOfTime;

impl fmt::Display for OutOfTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing came in time")
    }
}

impl Error for OutOfTime {}

/// What a process printed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) output: Vec<u8>,
    /// The last lines of its error output.
    pub(crate) complaint: String,
}

/// Runs `command` with `input`, without closing its standard input.
///
/// # Errors
///
/// Fails when it does not start, or does not end in time.
pub(crate) fn ask_once(command: &mut Command, input: &[u8]) -> Result<Asked> {
    let mut child = Killed::start(command.stderr(Stdio::piped()))?;
    let output = child.child.stdout.take().map(read_to_end).context("no standard output")?;
    let errors = child.child.stderr.take().map(read_to_end).context("no standard error")?;
    let mut stdin = child.child.stdin.take().context("no standard input")?;
    // A client that fails may not read; its error output has the reason.
    let _ = stdin.write_all(input);
    let output = output.recv_timeout(PATIENCE).map_err(|_| OutOfTime)?;
    let errors = errors.recv_timeout(PATIENCE).map_err(|_| OutOfTime)?;
    Ok(Asked { output, complaint: last_lines(&errors) })
}

/// Runs `command` with `first`, and with `rest` once it has printed `sign` to either output, so
/// that it does not read both at once. Its standard input stays open.
///
/// # Errors
///
/// Fails when it does not start, or does not end in time.
pub(crate) fn ask_in_turns(
    command: &mut Command,
    first: &[u8],
    sign: &str,
    rest: &[u8],
) -> Result<Asked> {
    let mut child = Killed::start(command.stderr(Stdio::piped()))?;
    let (sender, chunks) = channel();
    let output = child.child.stdout.take().context("no standard output")?;
    let errors = child.child.stderr.take().context("no standard error")?;
    send_chunks(output, false, sender.clone());
    send_chunks(errors, true, sender);
    let mut stdin = child.child.stdin.take().context("no standard input")?;
    // As above.
    let _ = stdin.write_all(first);
    let mut printed = [Vec::new(), Vec::new()];
    let mut is_waiting = true;
    loop {
        let (is_error, chunk): (bool, Vec<u8>) = match chunks.recv_timeout(PATIENCE) {
            Ok(received) => received,
            Err(RecvTimeoutError::Timeout) => bail!(OutOfTime),
            Err(RecvTimeoutError::Disconnected) => break,
        };
        if let Some(printed) = printed.get_mut(usize::from(is_error)) {
            printed.extend_from_slice(&chunk);
        }
        let has_sign = || printed.iter().any(|it| String::from_utf8_lossy(it).contains(sign));
        if is_waiting && has_sign() {
            is_waiting = false;
            let _ = stdin.write_all(rest);
        }
    }
    let [output, errors] = printed;
    Ok(Asked { output, complaint: last_lines(&errors) })
}

/// Reads a pipe in a thread, and sends what comes with the number of the pipe.
fn send_chunks(mut pipe: impl Read + Send + 'static, mark: bool, sender: Sender<(bool, Vec<u8>)>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = pipe.read(&mut buffer) {
            if sender.send((mark, buffer.get(..len).unwrap_or_default().to_vec())).is_err() {
                break;
            }
        }
    });
}

/// Returns the last three lines that are not empty.
pub(crate) fn last_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join(" / ")
}

/// What a process did with one line.
#[derive(Debug)]
pub(crate) struct Exchanged {
    pub(crate) output: Vec<u8>,
    pub(crate) errors: String,
    pub(crate) success: bool,
}

/// Runs `command` with `input`, waits for `answer_len` bytes of output or for its end, closes its
/// standard input, and waits for its end.
///
/// # Errors
///
/// Fails when it does not start, or does not end in time.
pub(crate) fn exchange(
    command: &mut Command,
    input: &[u8],
    answer_len: usize,
) -> Result<Exchanged> {
    let mut child = Killed::start(command.stderr(Stdio::piped()))?;
    let mut stdout = child.child.stdout.take().context("no standard output")?;
    let errors = child.child.stderr.take().map(read_to_end).context("no standard error")?;
    let mut stdin = child.child.stdin.take().context("no standard input")?;
    let (sender, chunks) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer.get(..len).unwrap_or_default().to_vec()).is_err() {
                break;
            }
        }
    });
    // A client that fails may not read; its error output has the reason.
    let _ = stdin.write_all(input);
    let mut stdin = Some(stdin);
    let mut output = Vec::new();
    loop {
        if output.len() >= answer_len {
            stdin = None;
        }
        match chunks.recv_timeout(PATIENCE) {
            Ok(chunk) => output.extend_from_slice(&chunk),
            Err(RecvTimeoutError::Timeout) => bail!(OutOfTime),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(stdin);
    let errors = errors.recv_timeout(PATIENCE).map_err(|_| OutOfTime)?;
    let success = child.child.wait().context("cannot wait for it")?.success();
    Ok(Exchanged { output, errors: String::from_utf8_lossy(&errors).into_owned(), success })
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
        // At once: a process may end at the first letter of `Q`.
        self.stdin.write_all(format!("{line}\n").as_bytes()).context("the process has ended")?;
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
        Self::start_with(command.stdout(Stdio::piped()))
    }

    /// The same, with the output where `command` puts it.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be started.
    pub(crate) fn start_with(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::piped())
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
        let script = "read line; echo \"heard $line\"; printf '%s\\n' first 2 3 last '' >&2";
        let asked = ask_once(Command::new("sh").args(["-c", script]), b"this\n").unwrap();
        assert_eq!(asked.output, b"heard this\n");
        assert_eq!(asked.complaint, "2 / 3 / last");
    }

    #[test]
    fn the_second_turn_waits_for_the_sign_of_the_first() {
        let script = "read one; echo \"got $one\" >&2; read two; echo $two";
        let mut shell = Command::new("sh");
        let asked = ask_in_turns(shell.args(["-c", script]), b"a\n", "got a", b"b\n").unwrap();
        assert_eq!((asked.output.as_slice(), asked.complaint.as_str()), (&b"b\n"[..], "got a"));
    }

    #[test]
    fn an_exchange_closes_the_input_after_the_answer() {
        let script = "read line; echo \"$line\"; cat; echo end; echo why >&2; exit 3";
        let mut shell = Command::new("sh");
        let done = exchange(shell.args(["-c", script]), b"this\n", 5).unwrap();
        assert_eq!(done.output, b"this\nend\n");
        assert_eq!((done.errors.as_str(), done.success), ("why\n", false));
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
