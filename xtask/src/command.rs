//! Runs other programs: each command is printed in shell syntax, then run at the root.
//! The error for a missing program names the package that has it, where that is known.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, ErrorKind};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

use crate::workspace::Workspace;

/// About how many bytes of a command's output are repeated in an error.
const REPEATED: usize = 8 << 10;

/// A command to run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    program: OsString,
    shown: String,
    args: Vec<OsString>,
    envs: Vec<(String, OsString)>,
    quiet: bool,
}

impl Run {
    /// A command that runs `program`.
    pub(crate) fn new(program: impl AsRef<Path>) -> Self {
        let program = program.as_ref();
        let shown = program.display().to_string();
        Self { program: program.into(), shown, ..Self::default() }
    }

    /// A cargo command, of the toolchain that runs this program.
    pub(crate) fn cargo(subcommand: &str) -> Self {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self { program, ..Self::new("cargo") }.args([subcommand])
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.envs.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Runs without printing the command.
    pub(crate) fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Runs the command and waits for it.
    ///
    /// # Errors
    ///
    /// Fails when the program is missing or exits with anything but 0.
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let status = self.command(workspace).status().map_err(|error| self.not_started(error))?;
        self.check(status)
    }

    /// Runs the command like [`Run::run`], and repeats the lines of its standard output that
    /// `matters` picks in the error.
    ///
    /// # Errors
    ///
    /// Fails when the program is missing or exits with anything but 0.
    pub(crate) fn run_and_repeat(
        self,
        workspace: &Workspace,
        mut matters: impl FnMut(&str) -> bool,
    ) -> Result<()> {
        let mut child = self
            .command(workspace)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| self.not_started(error))?;
        let mut kept = String::new();
        for line in BufReader::new(child.stdout.take().expect("it is piped")).split(b'\n') {
            let line = line.context("cannot read what the command prints")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if matters(&line) && kept.len() < REPEATED {
                kept.extend(["\n", &line]);
            }
        }
        let status = child.wait().context("cannot wait for the command")?;
        self.check(status).map_err(|error| anyhow!("{error}{kept}"))
    }

    /// Runs the command and returns its standard output.
    ///
    /// # Errors
    ///
    /// Fails when the program is missing, exits with anything but 0, or prints no UTF-8.
    pub(crate) fn read(self, workspace: &Workspace) -> Result<String> {
        self.read_if(workspace, &[0])
    }

    /// Runs the command and returns its standard output, if it exits with one of these codes.
    ///
    /// # Errors
    ///
    /// Fails when the program is missing, exits with another code, or prints no UTF-8.
    pub(crate) fn read_if(self, workspace: &Workspace, codes: &[i32]) -> Result<String> {
        let output = self
            .command(workspace)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| self.not_started(error))?;
        let expected = output.status.code().is_some_and(|code| codes.contains(&code));
        ensure!(expected, "`{}` failed: {}", self.line(), output.status);
        String::from_utf8(output.stdout)
            .with_context(|| format!("the output of `{}` is not UTF-8", self.line()))
    }

    /// Runs the command and returns its exit status, whatever it is, and all its output.
    ///
    /// # Errors
    ///
    /// Fails when the program is missing.
    pub(crate) fn outcome(self, workspace: &Workspace) -> Result<(ExitStatus, String)> {
        let output = self.command(workspace).output().map_err(|error| self.not_started(error))?;
        let mut printed = String::from_utf8_lossy(&output.stdout).into_owned();
        printed.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output.status, printed))
    }

    fn command(&self, workspace: &Workspace) -> Command {
        if !self.quiet {
            println!("$ {}", self.line());
        }
        let mut command = Command::new(&self.program);
        command.args(&self.args).current_dir(workspace.root());
        command.envs(self.envs.iter().map(|(name, value)| (name, value)));
        command
    }

    fn check(&self, status: ExitStatus) -> Result<()> {
        ensure!(status.success(), "`{}` failed: {status}", self.line());
        Ok(())
    }

    fn not_started(&self, error: std::io::Error) -> anyhow::Error {
        match (error.kind(), package_of(&self.shown)) {
            (ErrorKind::NotFound, Some(package)) => {
                anyhow!("{} is not installed; on Debian: apt-get install {package}", self.shown)
            }
            (ErrorKind::NotFound, None) => anyhow!("{} is not installed", self.shown),
            _ => anyhow!("cannot run {}: {error}", self.shown),
        }
    }

    /// Returns the command in shell syntax.
    fn line(&self) -> String {
        let envs = self.envs.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let args = self.args.iter().map(|arg| quoted(arg));
        envs.chain([self.shown.clone()]).chain(args).collect::<Vec<_>>().join(" ")
    }
}

/// Does `work` on each of `items`, on as many at a time as there are processors, and returns the
/// results in the order of the items.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(2, NonZero::get);
    in_parallel_by(processors, items, work)
}

/// The same, with a number of items at a time.
pub(crate) fn in_parallel_by<T: Sync, R: Send>(
    workers: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let workers = workers.min(items.len());
    let waiting = Mutex::new(items.iter().enumerate());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let (sender, done) = channel();
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, item)) = next() {
                    let _ = sender.send((index, work(item)));
                }
            });
        }
    });
    drop(sender);
    done.into_iter().collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Whether a program is on the path.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory: PathBuf| directory.join(program).is_file())
}

fn package_of(program: &str) -> Option<&'static str> {
    match program {
        "valgrind" => Some("valgrind"),
        "git" => Some("git"),
        "python3" => Some("python3 python3-venv"),
        "objdump" => Some("binutils"),
        "cc" => Some("gcc"),
        _ => None,
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=/.,:+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_could_be_typed() {
        let run = Run::cargo("test").args(["-p", "a b"]).env("NAME", "it's");
        assert_eq!(run.line(), r"NAME='it'\''s' cargo test -p 'a b'");
    }
}
