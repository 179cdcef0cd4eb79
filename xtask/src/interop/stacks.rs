//! The TLS stacks of the matrix: what each can offer, and what it does not support.
//! A cell that a table here lists as unsupported is tried all the same, and must fail.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::Run;
use crate::interop::cell::{Cell, Cipher, Mac, Suite, Version};
use crate::interop::commands::Tool;
use crate::interop::conversation::Conversation;
use crate::interop::programs::{Build, CLibrary, Launch, Program, Running};
use crate::workspace::Workspace;

/// A TLS stack.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Its name, as `--stack` takes it.
    pub(crate) key: &'static str,
    /// Its usual name.
    pub(crate) name: &'static str,
    /// The packages of Debian that have it.
    pub(crate) packages: &'static str,
    pub(crate) extended_master_secret: Offer,
    pub(crate) encrypt_then_mac: Offer,
    /// Why the second connection does not resume the session of the first, if so.
    pub(crate) no_resumption: Option<&'static str>,
    /// Why master secrets cannot be compared, if so.
    pub(crate) no_secrets: Option<&'static str>,
    pub(crate) client: ClientKind,
    refusal: fn(Version, &Suite) -> Option<&'static str>,
}

/// The client program.
#[derive(Debug)]
pub(crate) enum ClientKind {
    /// The stack's own command.
    Command(Tool),
    /// A program of ours on the stack's library.
    Program(Program),
}

/// Whether a client offers an extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Never,
    Always,
    AsAsked,
}

impl Offer {
    /// The values that a cell may ask for.
    pub(crate) const fn values(self) -> &'static [bool] {
        match self {
            Self::Never => &[false],
            Self::Always => &[true],
            Self::AsAsked => &[true, false],
        }
    }

    /// Returns its description in the report.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Always => "always",
            Self::AsAsked => "with and without",
        }
    }
}

impl Stack {
    /// Why the client cannot negotiate `suite` in `version`, if so.
    pub(crate) fn refusal(&self, version: Version, suite: &Suite) -> Option<&'static str> {
        (self.refusal)(version, suite)
    }

    /// Prepares the client.
    ///
    /// # Errors
    ///
    /// Fails when a package is missing, and names it.
    pub(crate) fn prepare(&'static self, workspace: &Workspace) -> Result<Ready> {
        let packages = self.packages;
        let (version, start) = match &self.client {
            ClientKind::Command(tool) => {
                (tool.version(workspace, packages)?, Start::Command(*tool))
            }
            ClientKind::Program(program) => {
                let launch = program.build(workspace, packages)?;
                (launch.version(workspace)?, Start::Program(launch))
            }
        };
        let version =
            if version.is_empty() { package_version(workspace, packages) } else { version };
        Ok(Ready { stack: self, version, start })
    }
}

/// Returns the version of the package, for a library that does not report its own.
fn package_version(workspace: &Workspace, packages: &str) -> String {
    let package = packages.rsplit(' ').next().unwrap_or(packages);
    let query = Run::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).quiet();
    match query.outcome(workspace) {
        Ok((status, version)) if status.success() => version,
        Ok(_) | Err(_) => "of unknown version".into(),
    }
}

/// A stack of this machine.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) stack: &'static Stack,
    pub(crate) version: String,
    start: Start,
}

/// How its client starts.
#[derive(Debug)]
enum Start {
    Command(Tool),
    Program(Launch),
}

/// A client. For each cell it makes two connections as the cell wants them, the second with the
/// session of the first; it fails when a connection does, with the client's own message.
pub(crate) type Client<'a> = Box<dyn FnMut(&Cell) -> Result<Conversation> + 'a>;

impl Ready {
    /// Returns a client that has not started yet.
    pub(crate) fn client(&self, place: Place) -> Client<'_> {
        match &self.start {
            Start::Command(tool) => Box::new(move |cell| tool.converse(&place, cell)),
            Start::Program(launch) => {
                let mut running = Running::new(launch);
                Box::new(move |cell| running.converse(&place, cell))
            }
        }
    }
}

/// Where a client connects to, and where it may leave files.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) port: u16,
    /// Of the server.
    pub(crate) certificate: PathBuf,
    /// Of this client alone.
    pub(crate) directory: PathBuf,
}

const NO_SSL3: &str = "no SSL 3.0";
const NO_SUITE: &str = "not implemented";
const NOT_BUILT: &str = "disabled in Debian's build";
const WITHDRAWN: &str = "not in TLS 1.2 (RFC 5469)";

/// What most stacks have in common; each overrides what differs.
const COMMON: Stack = Stack {
    key: "",
    name: "",
    packages: "",
    extended_master_secret: Offer::AsAsked,
    encrypt_then_mac: Offer::AsAsked,
    no_resumption: None,
    no_secrets: None,
    client: ClientKind::Command(Tool::OpenSsl),
    refusal: |_, _| None,
};

/// Every stack of the matrix.
pub(crate) const STACKS: [Stack; 10] = [
    Stack {
        key: "openssl",
        name: "OpenSSL",
        packages: "openssl",
        client: ClientKind::Command(Tool::OpenSsl),
        refusal: |version, suite| match suite.cipher {
            _ if version == Version::Ssl3 => Some("no SSL 3.0 in Debian's build"),
            Cipher::RC4 | Cipher::DES | Cipher::TRIPLE_DES => Some(NOT_BUILT),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "gnutls",
        name: "GnuTLS",
        packages: "gnutls-bin",
        client: ClientKind::Command(Tool::GnuTls),
        refusal: |version, suite| match suite.cipher {
            _ if version == Version::Ssl3 => Some("no SSL 3.0 in Debian's build"),
            Cipher::DES => Some(NO_SUITE),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "nss",
        name: "NSS",
        packages: "gcc pkg-config libnss3-dev",
        encrypt_then_mac: Offer::Never,
        no_secrets: Some("Debian builds it without a key log"),
        client: ClientKind::Program(Program {
            source: "nss_client.c",
            build: Build::C { header: "nss.h", library: CLibrary::PkgConfig("nss") },
        }),
        refusal: |_, suite| match (suite.cipher, suite.mac) {
            (Cipher::CAMELLIA_128_CBC | Cipher::CAMELLIA_256_CBC, Mac::SHA256)
            | (
                Cipher::AES_128_CCM
                | Cipher::AES_256_CCM
                | Cipher::AES_128_CCM_8
                | Cipher::AES_256_CCM_8,
                _,
            ) => Some(NO_SUITE),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "tlslite-ng",
        name: "tlslite-ng",
        packages: "python3 python3-venv",
        client: ClientKind::Program(Program { source: "tlslite_client.py", build: Build::Python }),
        refusal: |_, suite| match suite.cipher {
            Cipher::DES | Cipher::CAMELLIA_128_CBC | Cipher::CAMELLIA_256_CBC => Some(NO_SUITE),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "jsse",
        name: "Java JSSE",
        packages: "default-jdk-headless",
        encrypt_then_mac: Offer::Never,
        client: ClientKind::Program(Program {
            source: "JsseClient.java",
            build: Build::Java { class: "JsseClient", libraries: &[] },
        }),
        refusal: |version, suite| match suite.cipher {
            Cipher::CAMELLIA_128_CBC
            | Cipher::CAMELLIA_256_CBC
            | Cipher::AES_128_CCM
            | Cipher::AES_256_CCM
            | Cipher::AES_128_CCM_8
            | Cipher::AES_256_CCM_8 => Some(NO_SUITE),
            Cipher::DES if version == Version::Tls1_2 => Some(WITHDRAWN),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "bouncy-castle",
        name: "Bouncy Castle",
        packages: "default-jdk-headless libbctls-java",
        client: ClientKind::Program(Program {
            source: "BouncyCastleClient.java",
            build: Build::Java {
                class: "BouncyCastleClient",
                libraries: &["bctls", "bcprov", "bcutil"],
            },
        }),
        refusal: |_, suite| match (suite.cipher, suite.mac) {
            (Cipher::RC4 | Cipher::DES, _) | (Cipher::NULL, Mac::MD5) => Some(NO_SUITE),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "go",
        name: "Go",
        packages: "golang-go",
        extended_master_secret: Offer::Never,
        encrypt_then_mac: Offer::Never,
        no_resumption: Some("resumes only by tickets"),
        client: ClientKind::Program(Program { source: "go_client.go", build: Build::Go }),
        refusal: |version, suite| match (suite.cipher, suite.mac) {
            _ if version == Version::Ssl3 => Some(NO_SSL3),
            (Cipher::RC4 | Cipher::TRIPLE_DES, Mac::SHA1)
            | (Cipher::AES_128_CBC, _)
            | (Cipher::AES_256_CBC, Mac::SHA1)
            | (Cipher::AES_128_GCM | Cipher::AES_256_GCM, _) => None,
            _ => Some(NO_SUITE),
        },
        ..COMMON
    },
    Stack {
        key: "botan",
        name: "Botan",
        packages: "botan",
        extended_master_secret: Offer::Always,
        no_secrets: Some("its command has no key log"),
        client: ClientKind::Command(Tool::Botan),
        refusal: |version, suite| match suite.cipher {
            _ if version == Version::Ssl3 => Some(NO_SSL3),
            Cipher::NULL | Cipher::RC4 | Cipher::DES => Some(NO_SUITE),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "mbedtls",
        name: "mbedTLS",
        packages: "gcc libmbedtls-dev",
        client: ClientKind::Program(Program {
            source: "mbedtls_client.c",
            build: Build::C {
                header: "mbedtls/ssl.h",
                library: CLibrary::Names(&["mbedtls", "mbedx509", "mbedcrypto"]),
            },
        }),
        refusal: |version, suite| match suite.cipher {
            _ if version == Version::Ssl3 => Some("no SSL 3.0 in Debian's build"),
            Cipher::NULL | Cipher::RC4 | Cipher::DES => Some(NOT_BUILT),
            _ => None,
        },
        ..COMMON
    },
    Stack {
        key: "bearssl",
        name: "BearSSL",
        packages: "gcc libbearssl-dev",
        extended_master_secret: Offer::Never,
        encrypt_then_mac: Offer::Never,
        client: ClientKind::Program(Program {
            source: "bearssl_client.c",
            build: Build::C { header: "bearssl.h", library: CLibrary::Names(&["bearssl"]) },
        }),
        refusal: |version, suite| match suite.cipher {
            _ if version == Version::Ssl3 => Some(NO_SSL3),
            Cipher::NULL
            | Cipher::RC4
            | Cipher::DES
            | Cipher::CAMELLIA_128_CBC
            | Cipher::CAMELLIA_256_CBC => Some(NO_SUITE),
            _ => None,
        },
        ..COMMON
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::interop::cell::SUITES;

    #[test]
    fn every_suite_and_every_version_has_two_stacks_at_least() {
        for version in Version::ALL {
            for suite in SUITES.iter().filter(|suite| suite.exists_in(version)) {
                let able = STACKS.iter().filter(|stack| stack.refusal(version, suite).is_none());
                let able = able.count();
                // Only NSS has DES in TLS 1.2, which RFC 5469 withdrew.
                let enough = suite.cipher == Cipher::DES && version == Version::Tls1_2;
                assert!(
                    able >= 2 || enough && able == 1,
                    "{} {}: {able}",
                    version.name(),
                    suite.name
                );
            }
        }
    }

    #[test]
    fn stacks_have_names_of_their_own() {
        let keys: BTreeSet<_> = STACKS.iter().map(|stack| stack.key).collect();
        assert_eq!(keys.len(), STACKS.len());
    }
}
