//! Installs the C library as `cargo cinstall` of cargo-c does, by the same metadata of its crate,
//! and checks an install: names, links, versions, and that pkg-config and CMake find it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Build, Profile, STRICT};
use crate::command::{Run, is_installed};
use crate::workspace::Workspace;

/// Checks what we install and what cargo-c does, and that they are the same files.
pub(super) fn compare(workspace: &Workspace) -> Result<()> {
    let ours = Build::under(workspace, &workspace.empty_target("capi/release")?)?;
    ours.install(Profile::Release)?;
    let theirs = Build::under(workspace, &workspace.empty_target("capi/cinstall")?)?;
    theirs
        .cargo("cinstall")
        .args(["--locked", "--libdir", "lib", "--prefix"])
        .args([&theirs.prefix])
        .run(workspace)?;
    for build in [&ours, &theirs] {
        build.check()?;
    }
    // Of these the bytes differ, and each has passed the check.
    Run::new("diff")
        .args(["--recursive", "--no-dereference", "--exclude=*.a", "--exclude=*.pc"])
        .args([format!("--exclude={}", ours.shared())])
        .args([&ours.prefix, &theirs.prefix])
        .run(workspace)?;
    println!("capi: `cargo cinstall` installs the same files");
    Ok(())
}

impl Build<'_> {
    /// Builds the libraries, and installs them and what goes with them.
    pub(super) fn install(&self, profile: Profile) -> Result<()> {
        let (options, built): (&[&str], PathBuf) = match profile {
            Profile::Debug => (&[], self.workspace.target("debug")),
            Profile::Release => (&["--release"], self.workspace.target("release")),
        };
        self.cargo("build").args(options).run(self.workspace)?;
        let shared = self.shared();
        self.copy(built.join("libsslprovider.so"), format!("lib/{shared}"))?;
        self.copy(built.join("libsslprovider.a"), "lib/libsslprovider.a")?;
        for link in ["libsslprovider.so", &self.soname()] {
            let link = self.libraries.join(link);
            Run::new("ln").args(["-sf", &shared]).args([link]).run(self.workspace)?;
        }
        for (kind, directory) in [("include", "include"), ("data", "share")] {
            let assets = self.package.metadata["capi"]["install"][kind]["asset"].as_array();
            for asset in assets.context("the crate has no metadata for cargo-c")? {
                let [from, to] = ["from", "to"].map(|key| asset[key].as_str().unwrap_or_default());
                let from = self.sources.join("../..").join(from);
                let name = from.file_name().context("an asset is a file")?.to_owned();
                self.copy(from, Path::new(directory).join(to).join(name))?;
            }
        }
        let pkgconfig = self.libraries.join("pkgconfig");
        fs::create_dir_all(&pkgconfig)?;
        fs::write(pkgconfig.join("sslprovider.pc"), self.pkg_config())?;
        Ok(())
    }

    /// Puts a copy in place of a file that running programs may have mapped.
    fn copy(&self, from: PathBuf, to: impl AsRef<Path>) -> Result<()> {
        Run::new("install")
            .args(["-D", "--mode=644"])
            .args([from, self.prefix.join(to)])
            .run(self.workspace)
    }

    fn pkg_config(&self) -> String {
        format!(
            "prefix={}\n\
             libdir=${{prefix}}/lib\n\
             includedir=${{prefix}}/include\n\
             \n\
             Name: sslprovider\n\
             Description: {}\n\
             Version: {}\n\
             Libs: -L${{libdir}} -lsslprovider\n\
             Cflags: -I${{includedir}}\n\
             Libs.private: {}\n",
            self.prefix.display(),
            self.package.description.as_deref().unwrap_or_default(),
            self.package.version,
            self.private_libraries()
        )
    }

    /// What the static library needs of the system: an OpenSSL built from source is in it.
    pub(super) fn private_libraries(&self) -> String {
        let openssl = if self.features.contains("vendored") { "" } else { " -lssl -lcrypto" };
        format!("-lpthread -ldl -lm{openssl}")
    }

    /// The name of the file that the shared library is.
    fn shared(&self) -> String {
        format!("libsslprovider.so.{}", self.package.version)
    }

    /// The name that programs look for the shared library by.
    pub(super) fn soname(&self) -> String {
        let version = &self.package.version;
        match version.major {
            0 => format!("libsslprovider.so.0.{}", version.minor),
            major => format!("libsslprovider.so.{major}"),
        }
    }

    /// Checks an installed release.
    pub(super) fn check(&self) -> Result<()> {
        let (soname, shared) = (self.soname(), self.shared());
        let printed = Run::new("readelf")
            .args(["--wide", "--dynamic", "--section-headers"])
            .args([self.libraries.join("libsslprovider.so")])
            .read(self.workspace)?;
        let expected = format!("Library soname: [{soname}]");
        ensure!(printed.contains(&expected), "the soname is not {soname}:\n{printed}");
        ensure!(!printed.contains(" .debug_"), "there are debug sections:\n{printed}");
        for link in ["libsslprovider.so", &soname] {
            let target = fs::read_link(self.libraries.join(link)).context(link.to_owned())?;
            ensure!(target == Path::new(&shared), "{link} leads to {}", target.display());
        }
        self.exports()?;
        self.example()
    }

    /// Builds the example with what pkg-config and CMake find, and runs it.
    fn example(&self) -> Result<()> {
        let flags = Run::new("pkg-config")
            .args(["--cflags", "--libs", "sslprovider"])
            .env("PKG_CONFIG_PATH", self.libraries.join("pkgconfig"))
            .read(self.workspace)?;
        Run::new("gcc")
            .args(STRICT)
            .args([self.sources.join("../../examples/import_master_key.c")])
            .args(["-o"])
            .args([self.output.join("import_master_key")])
            .args(flags.split_whitespace())
            .run(self.workspace)?;
        let keys = self.workspace.root().join("tests/data/keys");
        let certificate = self.output.join("certificate.der");
        Run::new("openssl")
            .args(["x509", "-outform", "DER", "-in"])
            .args([&keys.join("server-2048.cert.pem")])
            .args(["-out"])
            .args([&certificate])
            .run(self.workspace)?;
        // No client made it, which an import does not tell.
        let encrypted = self.output.join("encrypted");
        fs::write(&encrypted, [0x55; 256])?;
        let arguments = [keys.join("server-2048.der"), certificate, encrypted];
        self.program("import_master_key")
            .args(&arguments)
            .env("LD_LIBRARY_PATH", &self.libraries)
            .run(self.workspace)?;
        if !is_installed("cmake") {
            println!(
                "NOT TESTED: the CMake package, as cmake is not installed; on Debian: apt-get \
                 install cmake"
            );
            return Ok(());
        }
        let directory = self.workspace.empty_target("capi/cmake")?;
        Run::new("cmake")
            .args(["-S".as_ref(), self.sources.join("../cmake").as_os_str()])
            .args(["-B".as_ref(), directory.as_os_str()])
            .args([format!("-DCMAKE_PREFIX_PATH={}", self.prefix.display())])
            .args([format!("-DVERSION={}", self.package.version)])
            .run(self.workspace)?;
        Run::new("cmake").args(["--build"]).args([&directory]).run(self.workspace)?;
        for program in ["with_SSLProvider", "with_SSLProvider_static"] {
            Run::new(directory.join(program)).args(&arguments).run(self.workspace)?;
        }
        Ok(())
    }
}
