//! Stacks with a client program of ours in `tests/interop`: C, Java, Go and Python.
//! One process holds many conversations; the README there describes the protocol.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use data_encoding::HEXLOWER;

use crate::command::{Run, is_installed};
use crate::interop::cell::Cell;
use crate::interop::conversation::{Conversation, Secret};
use crate::interop::process::Dialogue;
use crate::interop::stacks::Place;
use crate::python;
use crate::workspace::Workspace;

/// Where Debian installs the libraries of Java.
const JAVA_LIBRARIES: &str = "/usr/share/java";

/// The corpus has the same stack.
const PYTHON_PACKAGES: &str = "tests/corpus/requirements.txt";

/// A client of ours.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its file in `tests/interop`.
    pub(crate) source: &'static str,
    pub(crate) build: Build,
}

/// How it becomes a program that runs.
#[derive(Debug)]
pub(crate) enum Build {
    C {
        /// The header whose absence means that the library is missing.
        header: &'static str,
        /// The compiler flags for the library, or its name in pkg-config.
        library: CLibrary,
    },
    Java {
        class: &'static str,
        libraries: &'static [&'static str],
    },
    Go,
    Python,
}

/// How a C library is found.
#[derive(Debug)]
pub(crate) enum CLibrary {
    PkgConfig(&'static str),
    Names(&'static [&'static str]),
}

impl Program {
    /// Builds the program.
    ///
    /// # Errors
    ///
    /// Fails when something is missing, and names the `packages` that have it.
    pub(crate) fn build(&self, workspace: &Workspace, packages: &str) -> Result<Launch> {
        let output = workspace.target("interop/clients");
        fs::create_dir_all(&output).context("cannot create the folder of the clients")?;
        let source = workspace.root().join("tests/interop").join(self.source);
        let program = output.join(Path::new(self.source).with_extension(""));
        let missing =
            |what: &str| anyhow!("{what} is not installed; on Debian: apt-get install {packages}");
        match &self.build {
            Build::C { header, library } => {
                ensure!(is_installed("gcc"), missing("gcc"));
                let flags = library.flags(workspace).with_context(|| missing(header))?;
                let gcc = || {
                    Run::new("gcc")
                        .args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1"])
                        .args(&flags)
                        .quiet()
                };
                // An empty program with the header in it: does the library exist?
                let probe = gcc().args(["-fsyntax-only", "-include", header, "-xc"]);
                let (status, _) = probe.args(["/dev/null"]).outcome(workspace)?;
                ensure!(status.success(), missing(header));
                // Libraries come after what needs them.
                let build = gcc().args([&source]).args(&flags).args(["-o"]).args([&program]);
                build.run(workspace)?;
                Ok(Launch { program, arguments: Vec::new(), extended_master_secret: None })
            }
            Build::Java { class, libraries } => {
                ensure!(is_installed("java") && is_installed("javac"), missing("javac"));
                let mut class_path = vec![output.display().to_string()];
                for library in *libraries {
                    let library = Path::new(JAVA_LIBRARIES).join(library).with_extension("jar");
                    ensure!(library.is_file(), missing(&library.display().to_string()));
                    class_path.push(library.display().to_string());
                }
                let class_path = class_path.join(":");
                Run::new("javac")
                    // No warnings about the libraries' own code.
                    .args(["-Xlint:all,-path", "-Werror", "-cp", &class_path, "-d"])
                    .args([&output, &source])
                    .quiet()
                    .run(workspace)?;
                let arguments = [
                    // A short-lived program: start fast rather than run fast.
                    "-Xshare:auto",
                    "-XX:TieredStopAtLevel=1",
                    // Java has no key log, but its sessions know the secret.
                    "--add-opens=java.base/sun.security.ssl=ALL-UNNAMED",
                    "-cp",
                    &class_path,
                    class,
                ];
                Ok(Launch {
                    program: "java".into(),
                    arguments: arguments.map(str::to_owned).to_vec(),
                    extended_master_secret: Some("-Djdk.tls.useExtendedMasterSecret"),
                })
            }
            Build::Go => {
                ensure!(is_installed("go"), missing("go"));
                Run::new("go")
                    .args(["build", "-o"])
                    .args([&program, &source])
                    // One file of the standard library alone is no module.
                    .env("GO111MODULE", "off")
                    .quiet()
                    .run(workspace)?;
                Ok(Launch { program, arguments: Vec::new(), extended_master_secret: None })
            }
            Build::Python => {
                ensure!(is_installed("python3"), missing("python3"));
                let program = python::prepare(workspace, &[PYTHON_PACKAGES])?;
                let arguments = vec![source.display().to_string()];
                Ok(Launch { program, arguments, extended_master_secret: None })
            }
        }
    }
}

impl CLibrary {
    fn flags(&self, workspace: &Workspace) -> Result<Vec<String>> {
        match self {
            Self::PkgConfig(package) => {
                ensure!(is_installed("pkg-config"), "pkg-config is not installed");
                let run = Run::new("pkg-config").args(["--cflags", "--libs", package]).quiet();
                let (status, printed) = run.outcome(workspace)?;
                ensure!(status.success(), "pkg-config does not know {package}");
                Ok(printed.split_whitespace().map(str::to_owned).collect())
            }
            Self::Names(names) => Ok(names.iter().map(|name| format!("-l{name}")).collect()),
        }
    }
}

/// How a client is started.
#[derive(Debug)]
pub(crate) struct Launch {
    program: PathBuf,
    arguments: Vec<String>,
    /// The property that decides on the extended master secret, in a stack that reads it once.
    extended_master_secret: Option<&'static str>,
}

impl Launch {
    /// Returns the version of the stack, which a program prints without arguments.
    ///
    /// # Errors
    ///
    /// Fails when the program does, or when it prints nothing.
    pub(crate) fn version(&self, workspace: &Workspace) -> Result<String> {
        let run = Run::new(&self.program).args(&self.arguments).quiet();
        let printed = run.read(workspace)?;
        Ok(printed.trim().to_owned())
    }

    fn start(&self, place: &Place, extended_master_secret: bool) -> Result<Dialogue> {
        let property = self.extended_master_secret;
        let mut command = Command::new(&self.program);
        command
            .args(property.map(|property| format!("{property}={extended_master_secret}")))
            .args(&self.arguments)
            .arg(place.port.to_string())
            .arg(&place.certificate)
            .current_dir(&place.directory);
        Dialogue::start(&mut command)
    }
}

/// Running clients of one kind: one process, or one for each value that a stack reads once.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    launch: &'a Launch,
    without: Option<Dialogue>,
    with: Option<Dialogue>,
}

impl<'a> Running<'a> {
    pub(crate) fn new(launch: &'a Launch) -> Self {
        Self { launch, without: None, with: None }
    }

    /// Runs a cell. A program that fails in an unexpected way is restarted for the next cell.
    ///
    /// # Errors
    ///
    /// Fails when a connection does, with the client's own message, or when the program ends.
    pub(crate) fn converse(&mut self, place: &Place, cell: &Cell) -> Result<Conversation> {
        let with = cell.extended_master_secret && self.launch.extended_master_secret.is_some();
        let dialogue = if with { &mut self.with } else { &mut self.without };
        let mut running = match dialogue.take() {
            Some(running) => running,
            None => self.launch.start(place, cell.extended_master_secret)?,
        };
        let told = converse(&mut running, cell)?;
        *dialogue = Some(running);
        told.map_err(|message| anyhow!(message))
    }
}

/// A whole conversation; after an inner error, which is the client's own, the program continues.
fn converse(dialogue: &mut Dialogue, cell: &Cell) -> Result<Result<Conversation, String>> {
    dialogue.send(&format!(
        "{:04x} {:04x} {} {}",
        cell.version as u16,
        cell.suite.id,
        u8::from(cell.extended_master_secret),
        u8::from(cell.encrypt_then_mac)
    ))?;
    let mut conversation = Conversation::default();
    loop {
        let line = dialogue.receive()?;
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("answer", hex) => conversation
                .answers
                .push(HEXLOWER.decode(hex.as_bytes()).context("a response that is not hex")?),
            ("secret", words) => {
                conversation.secrets.push(Secret::parse(words).context("a malformed secret")?)
            }
            ("failed", message) => return Ok(Err(message.to_owned())),
            ("done", "") => return Ok(Ok(conversation)),
            _ => bail!("unexpected line from the client: {line:?}"),
        }
    }
}
