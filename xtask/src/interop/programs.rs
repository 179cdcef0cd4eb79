//! Stacks with a program of ours in `tests/interop`, as clients and as servers: C, Java, Go and
//! Python. One process holds many conversations; the README there describes the protocol.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail, ensure};
use data_encoding::HEXLOWER;

use crate::command::{Run, is_installed};
use crate::interop::cell::{Cell, Group};
use crate::interop::commands::Place;
use crate::interop::conversation::{Secret, Told, session_in};
use crate::interop::process::{Dialogue, OutOfTime};
use crate::interop::stacks::Role;
use crate::python;
use crate::workspace::Workspace;

/// Where Debian installs the libraries of Java.
const JAVA_LIBRARIES: &str = "/usr/share/java";

/// The corpus has the same stack.
const PYTHON_PACKAGES: &str = "tests/corpus/requirements.txt";

/// A program of ours.
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
        let output = workspace.target("interop/programs");
        fs::create_dir_all(&output).context("cannot create the folder of the programs")?;
        let sources = workspace.root().join("tests/interop");
        let source = sources.join(self.source);
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
                Ok(Launch { program, arguments: Vec::new(), properties: None })
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
                    .args([&output, Path::new("-sourcepath"), &sources, &source])
                    .quiet()
                    .run(workspace)?;
                let arguments = [
                    // A short-lived program: start fast rather than run fast.
                    "-Xshare:auto",
                    "-XX:TieredStopAtLevel=1",
                    "-Xmx128m",
                    // Java has no key log, but its sessions know the secret.
                    "--add-opens=java.base/sun.security.ssl=ALL-UNNAMED",
                    "-cp",
                    &class_path,
                    class,
                ];
                Ok(Launch {
                    program: "java".into(),
                    arguments: arguments.map(str::to_owned).to_vec(),
                    properties: libraries.is_empty().then_some(jsse),
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
                Ok(Launch { program, arguments: Vec::new(), properties: None })
            }
            Build::Python => {
                ensure!(is_installed("python3"), missing("python3"));
                let program = python::prepare(workspace, &[PYTHON_PACKAGES])?;
                let arguments = vec![source.display().to_string()];
                Ok(Launch { program, arguments, properties: None })
            }
        }
    }
}

/// Builds a peer in Rust. Its workspace is its own, since OpenSSL from source would be that of all
/// others here too; the first build takes minutes.
///
/// # Errors
///
/// Fails when cargo does, such as without a compiler for the library.
pub(crate) fn build_peer(workspace: &Workspace, package: &str, role: Role) -> Result<Launch> {
    let manifest = workspace.root().join("tests/interop/peers/Cargo.toml");
    let target = workspace.target("interop/peers");
    Run::cargo("build")
        .args(["--quiet", "--locked", "--package", package, "--manifest-path"])
        .args([&manifest, Path::new("--target-dir"), &target])
        .run(workspace)?;
    let program = target.join("debug").join(package);
    Ok(Launch { program, arguments: vec![role.name().to_owned()], properties: None })
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

/// What Java's own TLS reads once in a process.
fn jsse(cell: &Cell, role: Role) -> Vec<String> {
    let groups: Vec<_> = cell.peer_groups(role).into_iter().map(Group::name).collect();
    let mut properties =
        vec![format!("-Djdk.tls.useExtendedMasterSecret={}", cell.extended_master_secret)];
    if !groups.is_empty() {
        properties.push(format!("-Djdk.tls.namedGroups={}", groups.join(",")));
    }
    // For clients of SSL 3.0, which list no groups.
    if let Some(bits) = cell.group.and_then(|group| group.name().strip_prefix("ffdhe")) {
        properties.push(format!("-Djdk.tls.ephemeralDHKeySize={bits}"));
    }
    properties
}

/// How a program is started.
#[derive(Debug)]
pub(crate) struct Launch {
    program: PathBuf,
    arguments: Vec<String>,
    /// The properties for a cell, in a stack that reads them once in a process.
    properties: Option<fn(&Cell, Role) -> Vec<String>>,
}

impl Launch {
    /// Returns what a process has to be started with for a cell.
    pub(crate) fn properties(&self, cell: &Cell, role: Role) -> Vec<String> {
        self.properties.map(|properties| properties(cell, role)).unwrap_or_default()
    }

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
}

/// A running program, which is started anew for other properties, and after it failed in an
/// unexpected way.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    launch: &'a Launch,
    place: &'a Place,
    current: Option<(Vec<String>, Dialogue)>,
}

/// The secrets of a server, and the keying material that it exports.
pub(crate) type OfServer = (Vec<Secret>, Vec<String>);

/// What a program replied with.
#[derive(Debug, Default)]
struct Reply {
    answers: Vec<Vec<u8>>,
    secrets: Vec<Secret>,
    exports: Vec<String>,
    failure: Option<String>,
}

impl<'a> Running<'a> {
    pub(crate) fn new(launch: &'a Launch, place: &'a Place) -> Self {
        Self { launch, place, current: None }
    }

    /// Runs a cell with a client.
    ///
    /// # Errors
    ///
    /// Fails when a connection does, with the client's own message, or when the program ends.
    pub(crate) fn converse(&mut self, cell: &Cell, port: u16) -> Result<Told> {
        let role = Role::Client;
        let mut dialogue = self.take(cell, role)?;
        dialogue.send(&format!("{port} {}", cell.line(role)))?;
        let reply = Reply::receive(&mut dialogue)?;
        self.current = Some((self.launch.properties(cell, role), dialogue));
        match reply.failure {
            Some(message) => Err(anyhow!(message)),
            None => {
                let sessions = reply.answers.iter().map(|answer| session_in(answer));
                Ok(Told {
                    sessions: sessions.collect::<Result<_>>()?,
                    secrets: reply.secrets,
                    exports: reply.exports,
                })
            }
        }
    }

    /// Starts a server for a cell, and returns its port. [`Running::finish`] has to be called.
    ///
    /// # Errors
    ///
    /// Fails with the message of the program when it does not listen.
    pub(crate) fn listen(&mut self, cell: &Cell) -> Result<u16> {
        let role = Role::Server;
        let mut dialogue = self.take(cell, role)?;
        dialogue.send(&format!("0 {}", cell.line(role)))?;
        let line = dialogue.receive()?;
        self.current = Some((self.launch.properties(cell, role), dialogue));
        match line.split_once(' ') {
            Some(("listening", port)) => port.parse().context("the port is not a number"),
            Some(("failed", message)) => bail!("{message}"),
            _ => bail!("unexpected line from the program: {line:?}"),
        }
    }

    /// Returns what the server knows, or why it failed. It may still wait for a connection:
    /// then it is ended.
    ///
    /// # Errors
    ///
    /// Fails when the program ends.
    pub(crate) fn finish(&mut self) -> Result<Result<OfServer, String>> {
        let (properties, mut dialogue) = self.current.take().context("no server runs")?;
        match Reply::receive(&mut dialogue) {
            Ok(reply) => {
                self.current = Some((properties, dialogue));
                Ok(reply.failure.map_or(Ok((reply.secrets, reply.exports)), Err))
            }
            Err(error) if error.is::<OutOfTime>() => Ok(Err("it still waits".into())),
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, cell: &Cell, role: Role) -> Result<Dialogue> {
        let properties = self.launch.properties(cell, role);
        match self.current.take() {
            Some((of_process, dialogue)) if of_process == properties => Ok(dialogue),
            Some(_) | None => {
                let mut command = Command::new(&self.launch.program);
                command
                    .args(&properties)
                    .args(&self.launch.arguments)
                    .arg(&self.place.identities.directory)
                    .current_dir(&self.place.directory);
                Dialogue::start(&mut command)
            }
        }
    }
}

impl Reply {
    /// Receives the lines of a whole conversation.
    fn receive(dialogue: &mut Dialogue) -> Result<Self> {
        let mut reply = Self::default();
        loop {
            let line = dialogue.receive()?;
            match line.split_once(' ').unwrap_or((&line, "")) {
                ("answer", hex) => reply
                    .answers
                    .push(HEXLOWER.decode(hex.as_bytes()).context("a response that is not hex")?),
                ("secret", words) => {
                    reply.secrets.push(Secret::parse(words).context("a malformed secret")?);
                }
                ("log", line) => {
                    reply.secrets.push(Secret::parse_line(line).context("a malformed key log")?);
                }
                ("export", hex) => reply.exports.push(hex.to_owned()),
                ("failed", message) => {
                    reply.failure = Some(message.to_owned());
                    return Ok(reply);
                }
                ("done", "") => return Ok(reply),
                _ => bail!("unexpected line from the program: {line:?}"),
            }
        }
    }
}
