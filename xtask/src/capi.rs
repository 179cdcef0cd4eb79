//! `cargo xtask capi`: builds the C library, proves its interface, and runs the C programs with
//! every compiler, under the sanitizers and under valgrind.

mod install;
mod peers;
mod peers13;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Package;

use self::peers::Identities;
use crate::command::{Run, in_parallel, is_installed};
use crate::features::{BACKENDS, OpenSsl, feature_of};
use crate::workspace::Workspace;

/// The C programs, one per group of functions.
const PROGRAMS: [&str; 23] = [
    "layout",
    "providers",
    "policy",
    "batches",
    "suites",
    "keys",
    "curves",
    "hashes",
    "master_key",
    "records",
    "exporters",
    "transfer",
    "client_auth",
    "agreement",
    "rsa_client",
    "signing",
    "direct_caller",
    "tls13",
    "every_export",
    "abuse",
    "at_exit",
    "stack",
    "forks",
];

/// The whole server and the whole client, which need somebody to talk to, and those of TLS 1.3.
const SERVER: &str = "server";
const CLIENT: &str = "client";
const TLS13_SERVER: &str = "tls13_server";
const TLS13_CLIENT: &str = "tls13_client";

/// Forks with other threads at work, which the allocator of AddressSanitizer does not survive, and
/// whose children lose what those threads were working with.
const FORKS: &str = "forks";

const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-g"];

/// A compiler in the language that it compiles the programs as.
#[derive(Clone, Copy)]
struct Compiler {
    program: &'static str,
    language: &'static [&'static str],
}

const GCC: Compiler = Compiler { program: "gcc", language: &["-std=c99"] };
const COMPILERS: [Compiler; 4] = [
    GCC,
    Compiler { program: "clang", language: &["-std=c99"] },
    Compiler { program: "g++", language: &["-std=c++17", "-x", "c++"] },
    Compiler { program: "clang++", language: &["-std=c++17", "-x", "c++"] },
];

const SANITIZERS: [&str; 2] = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// The program that forges handles and races.
const ABUSE: &str = "abuse";

/// How many forged values and how many calls, of all threads that race, it makes: at full length,
/// and under valgrind, which takes a hundred times as long.
const FULL_ABUSE: [u32; 2] = [100_000_000, 10_000_000];
const LITTLE_ABUSE: [u32; 2] = [10_000, 1_000];

fn with_abuse(run: Run, [values, calls]: [u32; 2]) -> Run {
    run.env("SSL_PROVIDER_ABUSE_VALUES", values.to_string())
        .env("SSL_PROVIDER_ABUSE_CALLS", calls.to_string())
}

/// What the task takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Options {
    /// Install the release build under this directory, for pkg-config and CMake to find.
    #[arg(long, value_name = "DIR")]
    prefix: Option<PathBuf>,
    /// Build and install only, without the proof and the C programs.
    #[arg(long, requires = "prefix")]
    install_only: bool,
    /// Do nothing but the abuse at its full length, on the release build: 100 000 000 forged values
    /// and 10 000 000 mixed calls, on eight threads. Takes about ten minutes on two cores.
    #[arg(long, conflicts_with = "prefix")]
    full_abuse: bool,
    /// Only what CI runs: the C programs on the release build, with the default provider.
    #[arg(long, conflicts_with_all = ["full_abuse", "compare_cinstall", "install_only"])]
    short: bool,
    /// Only check that `cargo cinstall` installs the same files as `--prefix`; needs cargo-c.
    #[arg(long, conflicts_with_all = ["prefix", "full_abuse"])]
    compare_cinstall: bool,
}

/// Does what `cargo xtask capi` is asked for.
///
/// # Errors
///
/// Fails at the first step that does.
pub(crate) fn task(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.full_abuse {
        return abuse(workspace);
    }
    if options.compare_cinstall {
        return install::compare(workspace);
    }
    if let (true, Some(prefix)) = (options.install_only, &options.prefix) {
        Build::under(workspace, prefix)?.install(Profile::Release)?;
        println!("installed under {}", prefix.display());
        return Ok(());
    }
    let extent = if options.short { Extent::Short } else { Extent::Full };
    run(workspace, extent, options.prefix.as_deref())
}

/// Runs the abuse at its full length against the release build.
fn abuse(workspace: &Workspace) -> Result<()> {
    let build = Build::under(workspace, &workspace.empty_target("capi/release")?)?;
    build.install(Profile::Release)?;
    build.compile(GCC, ABUSE, Library::Shared, &[])?;
    with_abuse(build.program(ABUSE), FULL_ABUSE).run(workspace)?;
    println!("capi: no crash, nothing left, and every status is one that its function may return");
    Ok(())
}

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Everything.
    Full,
    /// What a change must pass: without the Rust tests, which `cargo xtask test` runs, with the
    /// default provider only, and on the release build only.
    Short,
}

/// Runs the C programs, with all four backends in the library.
///
/// # Errors
///
/// Fails at the first step that does.
pub(crate) fn run(workspace: &Workspace, extent: Extent, prefix: Option<&Path>) -> Result<()> {
    let is_short = extent == Extent::Short;
    let (profile, prefix_of_build) =
        if is_short { (Profile::Release, "capi/release") } else { (Profile::Debug, "capi/debug") };
    let build = Build::under(workspace, &workspace.empty_target(prefix_of_build)?)?;
    build.install(profile)?;
    let (compilers, missing): (Vec<Compiler>, Vec<Compiler>) =
        COMPILERS.into_iter().partition(|compiler| is_installed(compiler.program));
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|compiler| compiler.program).collect();
        println!("NOT TESTED: compilers that are not installed: {}", names.join(", "));
    }
    if !is_short {
        // The Rust tests: prototypes, layouts, constants, header, behaviour, planted mismatches.
        build.cargo("test").run(workspace)?;
    }
    build.model()?;
    build.exports()?;
    let repeated = if is_short { Identities::InTurn } else { Identities::Each };
    for compiler in compilers {
        build.header(compiler)?;
        build.programs(compiler, Library::Shared, &[])?;
        build.compile_peers(compiler, &[])?;
        // Those of the other compilers hold theirs in a full run.
        let is_first = compiler.program == GCC.program;
        if is_first || !is_short {
            build.converse(&[], None, Identities::Each)?;
        }
    }
    build.programs(GCC, Library::Static, &[])?;
    build.compile_all(GCC, &[])?;
    if !is_short {
        // The provider of each backend; the one at index 0 is the default by name.
        for program in PROGRAMS {
            for index in 0..=BACKENDS.len() {
                let run = build.program(program);
                run.env("SSL_PROVIDER_TEST_INDEX", index.to_string()).run(workspace)?;
            }
        }
        for index in 0..=BACKENDS.len() {
            build.converse(&[], Some(index), Identities::Each)?;
        }
    }
    build.valgrind()?;
    build.programs(GCC, Library::Shared, &SANITIZERS)?;
    build.compile_peers(GCC, &SANITIZERS)?;
    build.converse(&[], None, repeated)?;
    build.hook()?;
    if is_short && prefix.is_none() {
        build.check()?;
    } else {
        // What was proven may be the debug build, which is not for use.
        let installed = match prefix {
            Some(prefix) => Build::under(workspace, prefix)?,
            None => Build::under(workspace, &workspace.empty_target("capi/release")?)?,
        };
        installed.install(Profile::Release)?;
        installed.check()?;
    }
    println!("capi: the interface is proven, and {} C programs pass", PROGRAMS.len() + 4);
    Ok(())
}

/// Installs the release build, and compiles one of the C programs against its shared library.
/// Returns the program.
///
/// # Errors
///
/// Fails when one of them does.
pub(crate) fn compile_with_release(workspace: &Workspace, program: &str) -> Result<PathBuf> {
    let build = Build::under(workspace, &workspace.empty_target("capi/release")?)?;
    build.install(Profile::Release)?;
    build.compile(GCC, program, Library::Shared, &[])?;
    Ok(build.output.join(program))
}

/// Installs the debug build, or the release build, which [`Extent::Short`] has too, and compiles
/// the server in C against its shared library. Returns the program.
///
/// # Errors
///
/// Fails when one of them does, such as without gcc.
pub(crate) fn server_to_attack(workspace: &Workspace, is_release: bool) -> Result<PathBuf> {
    let build = Build::under(workspace, &workspace.empty_target("capi/attack")?)?;
    // The debug build checks for overflows; the release build of a whole `cargo xtask ci` is there.
    build.install(if is_release { Profile::Release } else { Profile::Debug })?;
    build.compile(GCC, SERVER, Library::Shared, &[])?;
    Ok(build.output.join(SERVER))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Library {
    Shared,
    Static,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    Debug,
    Release,
}

/// What the library is built with.
pub(crate) fn features() -> String {
    let openssl = OpenSsl::choose();
    BACKENDS.map(|backend| feature_of(backend, openssl)).join(",")
        + ",multi-buffer,wiping-allocator"
}

/// An installed build, and where things are.
struct Build<'a> {
    workspace: &'a Workspace,
    package: &'a Package,
    features: String,
    sources: PathBuf,
    prefix: PathBuf,
    include: PathBuf,
    libraries: PathBuf,
    output: PathBuf,
}

impl<'a> Build<'a> {
    /// What is installed under `prefix`, or is going to be.
    fn under(workspace: &'a Workspace, prefix: &Path) -> Result<Self> {
        fs::create_dir_all(prefix)?;
        let prefix = prefix.canonicalize()?;
        let mut members = workspace.members().into_iter();
        Ok(Self {
            workspace,
            package: members
                .find(|member| member.name == "ssl-provider-capi")
                .context("the workspace has no C library")?,
            features: features(),
            sources: workspace.root().join("crates/ssl-provider-capi/tests/c"),
            include: prefix.join("include"),
            libraries: prefix.join("lib"),
            output: workspace.target("capi"),
            prefix,
        })
    }

    fn cargo(&self, subcommand: &str) -> Run {
        Run::cargo(subcommand)
            .args(["--package", "ssl-provider-capi", "--no-default-features", "--features"])
            .args([&self.features])
    }

    /// The handle table under thousands of schedules of the threads that use and free a handle.
    fn model(&self) -> Result<()> {
        Run::cargo("test")
            .args(["--quiet", "--locked", "--manifest-path", "xtask/model/Cargo.toml"])
            .args(["--target-dir"])
            .args([self.workspace.target("model")])
            .run(self.workspace)
    }

    /// The shared library exports what the header declares, and nothing else, each with the soname
    /// as its version.
    fn exports(&self) -> Result<()> {
        let printed = Run::new("nm")
            .args(["--dynamic", "--defined-only", "--with-symbol-versions", "--format=posix"])
            .args([self.libraries.join("libsslprovider.so")])
            .read(self.workspace)?;
        let soname = self.soname();
        // The version is a symbol too.
        let names = printed.lines().filter_map(|line| line.split(' ').next());
        let mut exported = names
            .filter(|name| *name != soname)
            .map(|name| {
                let (name, version) = name.split_once("@@").unwrap_or((name, "none"));
                ensure!(version == soname, "{name} has the version {version}, not {soname}");
                Ok(name)
            })
            .collect::<Result<Vec<&str>>>()?;
        exported.sort_unstable();
        let header = fs::read_to_string(self.include.join("sslprovider.h"))?;
        let mut declared = declared(&header);
        declared.sort_unstable();
        if exported != declared {
            bail!("the library exports {exported:?}, the header declares {declared:?}");
        }
        let interface = exported.iter().filter(|name| is_of_interface(name)).count();
        ensure!(interface == 47, "{interface} functions of the interface instead of 47");
        println!(
            "{interface} functions of the interface are exported, and {} others",
            exported.len() - interface
        );
        Ok(())
    }

    fn header(&self, compiler: Compiler) -> Result<()> {
        Run::new(compiler.program)
            .args(compiler.language)
            .args(STRICT)
            .args(["-fsyntax-only"])
            .args([self.include.join("sslprovider.h")])
            .run(self.workspace)
    }

    fn compile(
        &self,
        compiler: Compiler,
        program: &str,
        library: Library,
        options: &[&str],
    ) -> Result<()> {
        let run = Run::new(compiler.program)
            .args(compiler.language)
            .args(STRICT)
            .args(["-O1"])
            .args(options)
            .args([Path::new("-I"), &self.include])
            .args([Path::new("-o"), &self.output.join(program)])
            .args([self.sources.join(format!("{program}.c"))])
            // What follows is no source, whatever the language is set to.
            .args(["-x", "none"]);
        let run = match library {
            Library::Shared => run
                .args([self.libraries.join("libsslprovider.so")])
                .args([format!("-Wl,-rpath,{}", self.libraries.display())])
                .args(["-lpthread"]),
            Library::Static => run
                .args([self.libraries.join("libsslprovider.a")])
                .args(self.private_libraries().split(' ')),
        };
        run.run(self.workspace)
    }

    fn program(&self, program: &str) -> Run {
        Run::new(self.output.join(program))
    }

    /// Compiles every program and runs it, as many at a time as there are processors. The
    /// sanitizers do not survive [`FORKS`].
    fn programs(&self, compiler: Compiler, library: Library, options: &[&str]) -> Result<()> {
        let is_sanitized = options == SANITIZERS;
        let outcomes = in_parallel(&PROGRAMS, |program| {
            if is_sanitized && *program == FORKS {
                return Ok(());
            }
            self.compile(compiler, program, library, options)?;
            let (status, printed) = self.program(program).outcome(self.workspace)?;
            ensure!(status.success(), "{program} failed: {status}\n{printed}");
            print!("{printed}");
            Ok(())
        });
        outcomes.into_iter().collect()
    }

    /// Compiles every program, the server and the client.
    fn compile_all(&self, compiler: Compiler, options: &[&str]) -> Result<()> {
        let compiled = in_parallel(&PROGRAMS, |program| {
            self.compile(compiler, program, Library::Shared, options)
        });
        compiled.into_iter().collect::<Result<()>>()?;
        self.compile_peers(compiler, options)
    }

    /// The servers and the clients.
    fn compile_peers(&self, compiler: Compiler, options: &[&str]) -> Result<()> {
        [SERVER, CLIENT, TLS13_SERVER, TLS13_CLIENT]
            .into_iter()
            .try_for_each(|program| self.compile(compiler, program, Library::Shared, options))
    }

    /// The server with every client, and the client with another server.
    fn converse(
        &self,
        wrapper: &[String],
        provider: Option<usize>,
        identities: Identities,
    ) -> Result<()> {
        let keys = self.workspace.root().join("tests/data/keys");
        let [server, client, tls13_server, tls13_client] =
            [SERVER, CLIENT, TLS13_SERVER, TLS13_CLIENT].map(|program| self.output.join(program));
        peers::Peers {
            server: &server,
            client: &client,
            tls13_server: &tls13_server,
            tls13_client: &tls13_client,
            keys: &keys,
            wrapper,
            provider,
            identities,
        }
        .converse()
    }

    /// Every program under valgrind, as many at a time as there are processors; the conversations,
    /// which take longest, are one of them.
    fn valgrind(&self) -> Result<()> {
        let work: Vec<_> = [SERVER].into_iter().chain(PROGRAMS).collect();
        let outcomes = in_parallel(&work, |program| {
            let valgrind = self.valgrind_for(program);
            if *program == SERVER {
                return self.converse(&valgrind, None, Identities::InTurn);
            }
            let run = Run::new(&valgrind[0]).args(&valgrind[1..]);
            let run = with_abuse(run.args([self.output.join(program)]), LITTLE_ABUSE);
            let (status, printed) = run.outcome(self.workspace)?;
            ensure!(status.success(), "{program} failed under valgrind: {status}\n{printed}");
            println!("{program}: under valgrind no error, and nothing lost\n{printed}");
            Ok(())
        });
        outcomes.into_iter().collect()
    }

    /// The command that a program runs under for valgrind: no error, and not a byte lost.
    fn valgrind_for(&self, program: &str) -> Vec<String> {
        const FIXED: [&str; 7] = [
            "valgrind",
            "--quiet",
            "--error-exitcode=99",
            "--leak-check=full",
            "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible",
            // Deep enough to see which thread allocated.
            "--num-callers=50",
        ];
        let expected = format!("--suppressions={}", self.sources.join("forks.supp").display());
        let expected = (program == FORKS).then_some(expected);
        FIXED.into_iter().map(str::to_owned).chain(expected).collect()
    }

    /// The example hook sees the client random of every import that has one.
    fn hook(&self) -> Result<()> {
        let hook = self.output.join("client_random.so");
        let source = self.sources.join("../../examples/hook/client_random.c");
        Run::new("gcc")
            .args(["-std=c99", "-shared", "-fPIC"])
            .args(STRICT)
            .args([Path::new("-I"), &self.include])
            .args([Path::new("-o"), &hook])
            .args([&source])
            .args(["-ldl"])
            .run(self.workspace)?;
        self.compile(GCC, "master_key", Library::Shared, &[])?;
        let (status, printed) =
            self.program("master_key").env("LD_PRELOAD", &hook).outcome(self.workspace)?;
        let random: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let expected = format!("CLIENT_RANDOM {random}");
        let seen = printed.lines().filter(|line| *line == expected).count();
        let without = printed.lines().filter(|line| line.starts_with("no client random")).count();
        if !status.success() || seen < 4 || without < 4 {
            bail!("the hook saw {seen} randoms and {without} lists without, {status}:\n{printed}");
        }
        println!("the hook saw {seen} client randoms, and {without} lists without one");
        Ok(())
    }
}

/// The names that a header declares.
fn declared(header: &str) -> Vec<&str> {
    header
        .lines()
        .filter(|line| line.starts_with("SSLP_API "))
        .filter_map(|line| line.split_once(" WINAPI "))
        .filter_map(|(_, rest)| rest.split('(').next())
        .collect()
}

/// Whether a function is one of `Sslprovider.h`.
fn is_of_interface(name: &str) -> bool {
    (name.starts_with("Ssl") && !name.starts_with("SslProvider")) || name.starts_with("GetSChannel")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_found_and_told_apart() {
        let header = "SSLP_API NTSTATUS WINAPI GetSChannelInterface(\n    LPCWSTR name);\n\
                      SSLP_API void WINAPI SslProviderSetTrace(\n\
                      typedef LONG (WINAPI *SslSignHashFn)(\n";
        let names = declared(header);
        assert_eq!(names, ["GetSChannelInterface", "SslProviderSetTrace"]);
        assert!(is_of_interface(names[0]) && !is_of_interface(names[1]));
        assert!(is_of_interface("SslSignHash") && !is_of_interface("NCryptImportKey"));
    }
}
