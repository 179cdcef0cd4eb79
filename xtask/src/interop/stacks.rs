//! The TLS stacks of the matrix, as clients and as servers: what each can offer, and what it does
//! not support. A cell that a table here lists as unsupported is tried all the same, and must fail
//! for the reason that is listed.

use anyhow::Result;

use crate::command::Run;
use crate::interop::cell::{
    Cell, Cipher, ClientCertificate, Exchange, Extra, Group, Mac, Resumption, Version,
};
use crate::interop::commands::Tool;
use crate::interop::programs::{self, Build, CLibrary, Launch, Program};
use crate::workspace::Workspace;

/// A TLS stack.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) role: Role,
    /// Its name, as `--stack` takes it.
    pub(crate) key: &'static str,
    /// Its usual name.
    pub(crate) name: &'static str,
    /// The packages of Debian that have it.
    pub(crate) packages: &'static str,
    pub(crate) extended_master_secret: Offer,
    pub(crate) encrypt_then_mac: Offer,
    /// How it resumes sessions.
    pub(crate) resumptions: &'static [Resumption],
    pub(crate) secrets: Secrets,
    /// The versions that its cells have, the oldest first.
    pub(crate) versions: &'static [Version],
    /// Which secrets of TLS 1.3 it reports.
    pub(crate) tls13_secrets: Secrets,
    /// Whether it exports keying material in TLS 1.3.
    pub(crate) exports: Exports,
    pub(crate) kind: Kind,
    /// What it reports of the alert `handshake_failure`.
    pub(crate) handshake_failure: &'static [&'static str],
    refusal: fn(&Cell) -> Option<Refusal>,
}

/// On which side a stack is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// A client of `sslprov serve`.
    Client,
    /// A server for `sslprov connect`.
    Server,
}

impl Role {
    /// Returns its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// The program.
#[derive(Debug)]
pub(crate) enum Kind {
    /// The stack's own command.
    Command(Tool),
    /// A program of ours on the stack's library.
    Program(Program),
    /// A program of ours in Rust, which cargo builds with the library: a package in
    /// `tests/interop/peers`.
    Peer(&'static str),
}

/// Why a cell does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason, for the report.
    pub(crate) reason: &'static str,
    /// What must be in the message with which the cell fails: one of these.
    pub(crate) said: &'static [&'static str],
}

/// Which master secrets a stack reports, to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrets {
    /// Those of every connection.
    All,
    /// Not that of a resumed session, which is the one of the first connection.
    OfFullHandshakes,
    /// None, for this reason.
    None(&'static str),
}

impl Secrets {
    /// Returns how many there must be for a number of connections.
    pub(crate) const fn at_least(self, connections: usize) -> usize {
        match self {
            Self::All => connections,
            Self::OfFullHandshakes => 1,
            Self::None(_) => 0,
        }
    }

    /// Returns its description in the report.
    pub(crate) fn words(self) -> String {
        match self {
            Self::All => "yes".to_owned(),
            Self::OfFullHandshakes => "of full handshakes".to_owned(),
            Self::None(reason) => format!("no: {reason}"),
        }
    }
}

/// Whether a stack exports keying material in TLS 1.3, to be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exports {
    /// On every connection.
    All,
    /// Never, for this reason.
    None(&'static str),
}

impl Exports {
    /// Whether there is something to compare.
    pub(crate) const fn is_compared(self) -> bool {
        matches!(self, Self::All)
    }

    /// Returns its description in the report.
    pub(crate) fn words(self) -> String {
        match self {
            Self::All => "yes".to_owned(),
            Self::None(reason) => format!("no: {reason}"),
        }
    }
}

/// Whether a stack offers an extension.
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
    /// Why the stack cannot do what the cell requests, if so.
    pub(crate) fn refusal(&self, cell: &Cell) -> Option<Refusal> {
        if let Some(refusal) = (self.refusal)(cell) {
            return Some(refusal);
        }
        let reason = match cell.resumption {
            Resumption::None => return None,
            how if self.resumptions.contains(&how) => return None,
            Resumption::Id => "no resumption by id",
            Resumption::Ticket => "no resumption by ticket",
            Resumption::ExternalPsk => {
                return no("no external pre-shared keys", &["external_psk: expected"]);
            }
        };
        Some(Refusal { reason, said: &["resumed: expected"] })
    }

    /// Which secrets it reports for a cell.
    pub(crate) fn secrets_of(&self, cell: &Cell) -> Secrets {
        if cell.is_tls13() { self.tls13_secrets } else { self.secrets }
    }

    /// Prepares the program.
    ///
    /// # Errors
    ///
    /// Fails when a package is missing, and names it.
    pub(crate) fn prepare(&'static self, workspace: &Workspace) -> Result<Ready> {
        let packages = self.packages;
        let (version, start) = match &self.kind {
            Kind::Command(tool) => {
                (tool.version(workspace, self.role, packages)?, Start::Command(*tool))
            }
            Kind::Peer(package) => {
                let launch = programs::build_peer(workspace, package, self.role)?;
                (launch.version(workspace)?, Start::Program(launch))
            }
            Kind::Program(program) => {
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
    pub(crate) start: Start,
}

/// How it starts.
#[derive(Debug)]
pub(crate) enum Start {
    Command(Tool),
    Program(Launch),
}

/// Returns a refusal.
const fn no(reason: &'static str, said: &'static [&'static str]) -> Option<Refusal> {
    Some(Refusal { reason, said })
}

const NO_SSL3: &str = "no SSL 3.0";
const NO_SUITE: &str = "not implemented";
const NOT_BUILT: &str = "disabled in Debian's build";
const WITHDRAWN: &str = "not in TLS 1.2 (RFC 5469)";
const NO_FIELDS: &str = "no negotiation of finite fields (RFC 7919)";
const BOTH: &[Resumption] = &[Resumption::Id, Resumption::Ticket];
const WITH_PSK: &[Resumption] = &[Resumption::Id, Resumption::Ticket, Resumption::ExternalPsk];

/// What most stacks have in common; each overrides what differs.
const CLIENT: Stack = Stack {
    role: Role::Client,
    key: "",
    name: "",
    packages: "",
    extended_master_secret: Offer::AsAsked,
    encrypt_then_mac: Offer::AsAsked,
    resumptions: BOTH,
    secrets: Secrets::All,
    versions: &Version::OLDER,
    tls13_secrets: Secrets::All,
    exports: Exports::All,
    kind: Kind::Command(Tool::OpenSsl),
    handshake_failure: &[],
    refusal: |_| None,
};

const SERVER: Stack = Stack { role: Role::Server, ..CLIENT };

fn is_camellia(cipher: Cipher) -> bool {
    matches!(cipher, Cipher::CAMELLIA_128_CBC | Cipher::CAMELLIA_256_CBC)
}

const NO_HYBRID: &str = "no group with ML-KEM";
const TWO_SHARES: &str = "sends a public key of each kind of group, so that none is asked for";
const ONLY_ASKED: &str = "no policy sends a public key of the group before it is asked for";
/// Of the program; our server comes first, which does not start without the group.
const SENDS_NONE: &[&str] =
    &["no policy sends a public key of the group 0x", "see `sslprov suites`"];
const PSK_OF_SHA256: &str = "pre-shared keys with SHA-256 only";
const NO_COMMAND: &str = "not by its command";

/// Whether the group joins a curve with ML-KEM, which few stacks have.
fn is_hybrid(cell: &Cell) -> bool {
    cell.group.is_some_and(Group::is_hybrid)
}

/// What the command of OpenSSL 3.0 cannot do in TLS 1.3.
fn tls13_of_openssl(cell: &Cell, role: Role) -> Option<Refusal> {
    match (cell.resumption, cell.extra) {
        _ if is_hybrid(cell) => no(NO_HYBRID, &["SSL_CONF_cmd(-groups"]),
        (Resumption::ExternalPsk, _) if cell.suite.has_sha384() => {
            no(PSK_OF_SHA256, &["external_psk: expected", "alert decrypt error"])
        }
        (_, Extra::EarlyData) if role == Role::Server => no(NO_COMMAND, &["early_data: expected"]),
        _ => None,
    }
}

fn tls13_of_gnutls(cell: &Cell, role: Role) -> Option<Refusal> {
    match cell.group {
        _ if cell.resumption == Resumption::ExternalPsk && cell.suite.has_sha384() => {
            no(PSK_OF_SHA256, &["external_psk: expected", "Decrypt error", "illegal_parameter"])
        }
        _ if is_hybrid(cell) && role == Role::Client => no(NO_HYBRID, &["Syntax error at"]),
        _ if is_hybrid(cell) => no(NO_HYBRID, &["Syntax error at"]),
        Some(Group::X25519 | Group::Ffdhe2048) if cell.retried && role == Role::Client => {
            no(TWO_SHARES, &["retried: expected"])
        }
        _ => None,
    }
}

fn tls13_of_nss(cell: &Cell, _: Role) -> Option<Refusal> {
    match cell.suite.cipher {
        cipher if is_ccm(cipher) => no(NO_SUITE, &["configuration: -12266"]),
        _ if is_hybrid(cell) => no(NO_HYBRID, &["handshake: -12265", "handshake: -12286"]),
        _ => None,
    }
}

fn tls13_of_tlslite(cell: &Cell, _: Role) -> Option<Refusal> {
    match cell.extra {
        _ if is_hybrid(cell) => no(NO_HYBRID, &["no group"]),
        Extra::EarlyData => no("no early data", &["early_data: expected"]),
        // RFC 8446 section 7.1: it goes up to the server's Finished.
        _ if cell.client_certificate != ClientCertificate::None => {
            let reason = "its exporter secret depends on the client's certificate";
            no(reason, &["secrets: EXPORTER_SECRET of the peer"])
        }
        _ => None,
    }
}

fn tls13_of_jsse(cell: &Cell, role: Role) -> Option<Refusal> {
    match (cell.suite.cipher, cell.extra, cell.group) {
        (cipher, ..) if is_ccm(cipher) => no(NO_SUITE, &["no suite"]),
        _ if is_hybrid(cell) => no(NO_HYBRID, &["no group"]),
        (_, Extra::EarlyData, _) => no("no early data", &["early_data: expected"]),
        (_, Extra::KeyUpdate, _) => no("it decides itself when to replace keys", &["no KeyUpdate"]),
        (.., Some(Group::X25519)) if cell.retried && role == Role::Client => {
            no(TWO_SHARES, &["retried: expected"])
        }
        _ => None,
    }
}

fn tls13_of_bouncy_castle(cell: &Cell, _: Role) -> Option<Refusal> {
    match cell.extra {
        _ if is_hybrid(cell) => no(NO_HYBRID, &["no group"]),
        Extra::EarlyData => no("no early data", &["early_data: expected", "resumed: expected"]),
        Extra::KeyUpdate => no("it sends no KeyUpdate by itself", &["no KeyUpdate"]),
        _ => None,
    }
}

fn tls13_of_go(cell: &Cell, role: Role) -> Option<Refusal> {
    match (cell.suite.cipher, cell.extra) {
        (cipher, _) if is_ccm(cipher) => no(NO_SUITE, &["no suite 0x"]),
        _ if is_hybrid(cell) || cell.group == Some(Group::Ffdhe2048) => {
            no("no such group", &["no group"])
        }
        (_, Extra::EarlyData) => no("no early data", &["early_data: expected"]),
        (_, Extra::KeyUpdate) => no("it never asks for new keys", &["no KeyUpdate"]),
        _ if role == Role::Client && cell.retried && cell.resumption == Resumption::Ticket => {
            let reason = "wrong binders behind HelloRetryRequest, mended in Go 1.19.9";
            no(reason, &["error decrypting message"])
        }
        _ => None,
    }
}

fn tls13_of_rustls(cell: &Cell, _: Role) -> Option<Refusal> {
    match (cell.suite.cipher, cell.group) {
        _ if cell.resumption == Resumption::ExternalPsk => {
            no("no external pre-shared keys", &["no external pre-shared keys"])
        }
        (cipher, _) if is_ccm(cipher) => no(NO_SUITE, &["no suite 0x"]),
        (_, Some(Group::P521 | Group::Ffdhe2048 | Group::Secp384r1MlKem1024)) => {
            no("no such group", &["no group 0x"])
        }
        _ => None,
    }
}

fn tls13_of_new_openssl(cell: &Cell) -> Option<Refusal> {
    match cell.resumption {
        Resumption::ExternalPsk if cell.suite.has_sha384() => {
            no(PSK_OF_SHA256, &["external_psk: expected", "alert decrypt error"])
        }
        _ => None,
    }
}

fn tls13_of_boringssl(cell: &Cell, role: Role) -> Option<Refusal> {
    match (cell.suite.cipher, cell.group) {
        _ if cell.resumption == Resumption::ExternalPsk => {
            no("no external pre-shared keys", &["no external pre-shared keys"])
        }
        (cipher, _) if is_ccm(cipher) => no(NO_SUITE, &["no suite 0x"]),
        (_, Some(Group::Ffdhe2048 | Group::Secp256r1MlKem768 | Group::Secp384r1MlKem1024)) => {
            no("no such group", &["no group 0x"])
        }
        _ if cell.retried && is_hybrid(cell) && role == Role::Client => {
            no(TWO_SHARES, &["retried: expected"])
        }
        _ => None,
    }
}

/// What s2n-tls lacks, and what none of its policies has: a program chooses one by name, which
/// fixes the suites, the groups and their order.
fn tls13_of_s2n(cell: &Cell, role: Role) -> Option<Refusal> {
    let is_chacha = cell.suite.cipher == Cipher::CHACHA20;
    let has_certificate = cell.client_certificate != ClientCertificate::None;
    let is_only_asked = match cell.group {
        Some(Group::P521 | Group::Secp256r1MlKem768 | Group::Secp384r1MlKem1024) => true,
        Some(Group::P384) => is_chacha,
        _ => false,
    };
    match (role, cell.group) {
        _ if is_ccm(cell.suite.cipher) => no(NO_SUITE, &["no suite 0x"]),
        (_, Some(Group::Ffdhe2048)) => no("no such group", &["no group 0x"]),
        (Role::Server, _) if has_certificate && cell.resumption == Resumption::Ticket => {
            no("no tickets for clients with certificates", &["resumed: expected"])
        }
        (Role::Client, Some(Group::X25519MlKem768)) if cell.retried => {
            let reason = "every policy with the group sends a public key of it";
            no(reason, &["every policy with the group 0x"])
        }
        (Role::Client, _) if !cell.retried && is_only_asked => no(ONLY_ASKED, SENDS_NONE),
        (Role::Server, Some(Group::P256)) => None,
        (Role::Server, Some(Group::P384)) if !is_chacha => None,
        (Role::Server, _) if cell.retried => {
            let reason = "every policy with the group has the one that the client sends";
            no(reason, &["group: expected"])
        }
        _ => None,
    }
}

/// What NSS refuses on either side, with SSL_ERROR_UNKNOWN_CIPHER_SUITE.
fn of_nss(cell: &Cell) -> Option<Refusal> {
    if cell.is_tls13() {
        return tls13_of_nss(cell, Role::Client);
    }
    match (cell.suite.cipher, cell.suite.mac) {
        (cipher, Mac::SHA256) if is_camellia(cipher) => no(NO_SUITE, &["configuration: -12266"]),
        (cipher, _) if is_ccm(cipher) => no(NO_SUITE, &["configuration: -12266"]),
        _ => None,
    }
}

fn is_ccm(cipher: Cipher) -> bool {
    matches!(
        cipher,
        Cipher::AES_128_CCM | Cipher::AES_256_CCM | Cipher::AES_128_CCM_8 | Cipher::AES_256_CCM_8
    )
}

/// What a library is on both sides, whose program cargo builds.
const LIBRARY: Stack = Stack {
    versions: &[Version::Tls1_3],
    resumptions: &[Resumption::Ticket, Resumption::ExternalPsk],
    ..CLIENT
};

const RUSTLS: Stack = Stack {
    key: "rustls",
    name: "rustls",
    resumptions: &[Resumption::Ticket],
    kind: Kind::Peer("interop-rustls"),
    ..LIBRARY
};

const NEW_OPENSSL: Stack = Stack {
    key: "openssl-3.6",
    name: "OpenSSL",
    kind: Kind::Peer("interop-openssl"),
    refusal: tls13_of_new_openssl,
    ..LIBRARY
};

const BORINGSSL: Stack = Stack {
    key: "boringssl",
    name: "BoringSSL",
    resumptions: &[Resumption::Ticket],
    kind: Kind::Peer("interop-boringssl"),
    ..LIBRARY
};

const S2N: Stack =
    Stack { key: "s2n-tls", name: "s2n-tls", kind: Kind::Peer("interop-s2n"), ..LIBRARY };

/// Every stack of the matrix that is a client.
pub(crate) const CLIENTS: [Stack; 14] = [
    Stack {
        key: "openssl",
        versions: &Version::ALL,
        resumptions: WITH_PSK,
        name: "OpenSSL",
        packages: "openssl",
        kind: Kind::Command(Tool::OpenSsl),
        handshake_failure: &["alert handshake failure"],
        refusal: |cell| match (cell.suite.cipher, cell.group) {
            _ if cell.is_tls13() => tls13_of_openssl(cell, Role::Client),
            _ if cell.version == Version::Ssl3 => {
                no("no SSL 3.0 in Debian's build", &["Unknown option: -ssl3"])
            }
            (Cipher::RC4 | Cipher::DES | Cipher::TRIPLE_DES, _) => {
                no(NOT_BUILT, &["no cipher match"])
            }
            (_, Some(Group::Ffdhe3072 | Group::Ffdhe4096)) => no(NO_FIELDS, &["group: expected"]),
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "gnutls",
        versions: &Version::ALL,
        resumptions: WITH_PSK,
        name: "GnuTLS",
        packages: "gnutls-bin",
        handshake_failure: &["Handshake failed"],
        kind: Kind::Command(Tool::GnuTls),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_gnutls(cell, Role::Client),
            _ if cell.version == Version::Ssl3 => {
                no("no SSL 3.0 in Debian's build", &["No or insufficient priorities"])
            }
            Cipher::DES => no(NO_SUITE, &["No or insufficient priorities"]),
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "nss",
        versions: &Version::ALL,
        tls13_secrets: Secrets::None("Debian builds it without a key log"),
        name: "NSS",
        packages: "gcc pkg-config libnss3-dev",
        encrypt_then_mac: Offer::Never,
        secrets: Secrets::None("Debian builds it without a key log"),
        handshake_failure: &["handshake: -12286"],
        kind: Kind::Program(Program {
            source: "nss_client.c",
            build: Build::C { header: "nss.h", library: CLibrary::PkgConfig("nss") },
        }),
        refusal: of_nss,
        ..CLIENT
    },
    Stack {
        key: "tlslite-ng",
        versions: &Version::ALL,
        resumptions: WITH_PSK,
        name: "tlslite-ng",
        packages: "python3 python3-venv",
        kind: Kind::Program(Program { source: "tlslite_client.py", build: Build::Python }),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_tlslite(cell, Role::Client),
            Cipher::DES => no(NO_SUITE, &["no suite"]),
            cipher if is_camellia(cipher) => no(NO_SUITE, &["no suite"]),
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "jsse",
        versions: &Version::ALL,
        tls13_secrets: Secrets::None("its sessions know one secret only"),
        exports: Exports::None("it has no exporter before Java 25"),
        name: "Java JSSE",
        packages: "default-jdk-headless",
        encrypt_then_mac: Offer::Never,
        kind: Kind::Program(Program {
            source: "JsseClient.java",
            build: Build::Java { class: "JsseClient", libraries: &[] },
        }),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_jsse(cell, Role::Client),
            Cipher::DES if cell.version == Version::Tls1_2 => {
                no(WITHDRAWN, &["No appropriate protocol"])
            }
            cipher if is_camellia(cipher) || is_ccm(cipher) => no(NO_SUITE, &["no suite"]),
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "bouncy-castle",
        versions: &Version::ALL,
        tls13_secrets: Secrets::None("it has none"),
        name: "Bouncy Castle",
        packages: "default-jdk-headless libbctls-java",
        resumptions: &[Resumption::Id],
        handshake_failure: &["handshake_failure(40)"],
        kind: Kind::Program(Program {
            source: "BouncyCastleClient.java",
            build: Build::Java { class: "BouncyCastleClient", libraries: &BOUNCY_CASTLE },
        }),
        refusal: |cell| match (cell.suite.cipher, cell.suite.mac) {
            _ if cell.is_tls13() => tls13_of_bouncy_castle(cell, Role::Client),
            (Cipher::RC4 | Cipher::DES, _) | (Cipher::NULL, Mac::MD5) => {
                no(NO_SUITE, &["TlsFatalAlert: internal_error", "TlsFatalAlert: illegal_parameter"])
            }
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "go",
        versions: &Version::ALL,
        name: "Go",
        packages: "golang-go",
        extended_master_secret: Offer::Never,
        encrypt_then_mac: Offer::Never,
        secrets: Secrets::OfFullHandshakes,
        resumptions: &[Resumption::Ticket],
        kind: Kind::Program(Program { source: "go_client.go", build: Build::Go }),
        refusal: |cell| {
            if cell.is_tls13() {
                return tls13_of_go(cell, Role::Client);
            }
            if cell.version == Version::Ssl3 {
                return no(NO_SSL3, &["no version 0x300"]);
            }
            if cell.suite.exchange == Exchange::DheRsa {
                return no(NO_SUITE, &["no suite 0x"]);
            }
            match (cell.suite.cipher, cell.suite.mac) {
                (Cipher::RC4 | Cipher::TRIPLE_DES | Cipher::AES_256_CBC, Mac::SHA1)
                | (Cipher::AES_128_CBC | Cipher::AES_128_GCM, _)
                | (Cipher::AES_256_GCM | Cipher::CHACHA20, _) => None,
                _ => no(NO_SUITE, &["no suite 0x"]),
            }
        },
        ..CLIENT
    },
    Stack {
        key: "botan",
        name: "Botan",
        packages: "botan",
        extended_master_secret: Offer::Always,
        secrets: Secrets::None("its command has no key log"),
        handshake_failure: &["Alert: handshake_failure"],
        kind: Kind::Command(Tool::Botan),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.version == Version::Ssl3 => no(NO_SSL3, &["Unknown flag --ssl3.0"]),
            Cipher::NULL | Cipher::RC4 | Cipher::DES => {
                no(NO_SUITE, &["Policy does not allow any available cipher suite"])
            }
            _ if cell.client_certificate != ClientCertificate::None => {
                no("its command sends no certificate", &["Alert: handshake_failure"])
            }
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "mbedtls",
        name: "mbedTLS",
        packages: "gcc libmbedtls-dev",
        handshake_failure: &["handshake: -30592"],
        kind: Kind::Program(Program {
            source: "mbedtls_client.c",
            build: Build::C {
                header: "mbedtls/ssl.h",
                library: CLibrary::Names(&["mbedtls", "mbedx509", "mbedcrypto"]),
            },
        }),
        refusal: |cell| match (cell.suite.cipher, cell.group) {
            _ if cell.version == Version::Ssl3 => {
                no("no SSL 3.0 in Debian's build", &["handshake: -27648", "handshake: -30592"])
            }
            (Cipher::NULL | Cipher::RC4 | Cipher::DES, _) => no(NOT_BUILT, &["handshake: -30592"]),
            (_, Some(Group::Ffdhe3072 | Group::Ffdhe4096)) => no(NO_FIELDS, &["group: expected"]),
            _ => None,
        },
        ..CLIENT
    },
    Stack {
        key: "bearssl",
        name: "BearSSL",
        packages: "gcc libbearssl-dev",
        extended_master_secret: Offer::Never,
        encrypt_then_mac: Offer::Never,
        resumptions: &[Resumption::Id],
        kind: Kind::Program(Program {
            source: "bearssl_client.c",
            build: Build::C { header: "bearssl.h", library: CLibrary::Names(&["bearssl"]) },
        }),
        refusal: bearssl,
        ..CLIENT
    },
    Stack { refusal: |cell| tls13_of_rustls(cell, Role::Client), ..RUSTLS },
    NEW_OPENSSL,
    Stack { refusal: |cell| tls13_of_boringssl(cell, Role::Client), ..BORINGSSL },
    Stack { refusal: |cell| tls13_of_s2n(cell, Role::Client), ..S2N },
];

/// BearSSL is the same on both sides.
fn bearssl(cell: &Cell) -> Option<Refusal> {
    match cell.suite.cipher {
        _ if cell.version == Version::Ssl3 => no(NO_SSL3, &["no version: 768"]),
        _ if cell.suite.exchange == Exchange::DheRsa => no(NO_SUITE, &["error: 16", "error: 552"]),
        Cipher::NULL | Cipher::RC4 | Cipher::DES => no(NO_SUITE, &["error: 16", "error: 552"]),
        cipher if is_camellia(cipher) => no(NO_SUITE, &["error: 16", "error: 552"]),
        _ => None,
    }
}

const BOUNCY_CASTLE: [&str; 3] = ["bctls", "bcprov", "bcutil"];

/// Every stack of the matrix that is a server.
pub(crate) const SERVERS: [Stack; 14] = [
    Stack {
        key: "openssl",
        versions: &Version::ALL,
        resumptions: WITH_PSK,
        exports: Exports::None("its command prints none where it echoes"),
        name: "OpenSSL",
        packages: "openssl",
        kind: Kind::Command(Tool::OpenSsl),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_openssl(cell, Role::Server),
            _ if cell.version == Version::Ssl3 => {
                no("no SSL 3.0 in Debian's build", &["Unknown option: -ssl3"])
            }
            Cipher::RC4 | Cipher::DES | Cipher::TRIPLE_DES => no(NOT_BUILT, &["no cipher match"]),
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "gnutls",
        versions: &Version::ALL,
        resumptions: WITH_PSK,
        name: "GnuTLS",
        packages: "gnutls-bin",
        secrets: Secrets::OfFullHandshakes,
        kind: Kind::Command(Tool::GnuTls),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_gnutls(cell, Role::Server),
            _ if cell.version == Version::Ssl3 => {
                no("no SSL 3.0 in Debian's build", &["Syntax error at: NONE"])
            }
            Cipher::DES => no(NO_SUITE, &["Syntax error at: NONE"]),
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "nss",
        versions: &Version::ALL,
        tls13_secrets: Secrets::None("Debian builds it without a key log"),
        name: "NSS",
        packages: "gcc pkg-config libnss3-dev",
        encrypt_then_mac: Offer::Never,
        secrets: Secrets::None("Debian builds it without a key log"),
        kind: Kind::Program(Program {
            source: "nss_server.c",
            build: Build::C { header: "nss.h", library: CLibrary::PkgConfig("nss") },
        }),
        refusal: of_nss,
        ..SERVER
    },
    Stack {
        key: "tlslite-ng",
        versions: &Version::ALL,
        resumptions: WITH_PSK,
        name: "tlslite-ng",
        packages: "python3 python3-venv",
        kind: Kind::Program(Program { source: "tlslite_server.py", build: Build::Python }),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_tlslite(cell, Role::Server),
            Cipher::DES => no(NO_SUITE, &["no suite"]),
            cipher if is_camellia(cipher) => no(NO_SUITE, &["no suite"]),
            _ if cell.version == Version::Ssl3
                && cell.client_certificate == ClientCertificate::Ecdsa =>
            {
                no("no ECDSA in SSL 3.0", &["Signature failed to verify"])
            }
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "jsse",
        versions: &Version::ALL,
        tls13_secrets: Secrets::None("its sessions know one secret only"),
        exports: Exports::None("it has no exporter before Java 25"),
        name: "Java JSSE",
        packages: "default-jdk-headless",
        encrypt_then_mac: Offer::Never,
        kind: Kind::Program(Program {
            source: "JsseServer.java",
            build: Build::Java { class: "JsseServer", libraries: &[] },
        }),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.is_tls13() => tls13_of_jsse(cell, Role::Server),
            Cipher::DES if cell.version == Version::Tls1_2 => {
                no(WITHDRAWN, &["No appropriate protocol"])
            }
            cipher if is_camellia(cipher) || is_ccm(cipher) => no(NO_SUITE, &["no suite"]),
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "bouncy-castle",
        versions: &Version::ALL,
        tls13_secrets: Secrets::None("it has none"),
        name: "Bouncy Castle",
        packages: "default-jdk-headless libbctls-java",
        resumptions: &[Resumption::Id],
        kind: Kind::Program(Program {
            source: "BouncyCastleServer.java",
            build: Build::Java { class: "BouncyCastleServer", libraries: &BOUNCY_CASTLE },
        }),
        refusal: |cell| match (cell.suite.cipher, cell.suite.mac) {
            _ if cell.is_tls13() => tls13_of_bouncy_castle(cell, Role::Server),
            (Cipher::RC4 | Cipher::DES, _) | (Cipher::NULL, Mac::MD5) => {
                no(NO_SUITE, &["TlsFatalAlert: internal_error"])
            }
            _ if cell.resumption == Resumption::Id && !cell.extended_master_secret => {
                no("no resumption without the extended master secret", &["resumed: expected"])
            }
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "go",
        versions: &Version::ALL,
        name: "Go",
        packages: "golang-go",
        extended_master_secret: Offer::Never,
        encrypt_then_mac: Offer::Never,
        secrets: Secrets::OfFullHandshakes,
        resumptions: &[Resumption::Ticket],
        kind: Kind::Program(Program { source: "go_server.go", build: Build::Go }),
        refusal: |cell| {
            if cell.is_tls13() {
                return tls13_of_go(cell, Role::Server);
            }
            if cell.version == Version::Ssl3 {
                return no(NO_SSL3, &["client offered only unsupported versions"]);
            }
            if cell.suite.exchange == Exchange::DheRsa {
                return no(NO_SUITE, &["no cipher suite supported by both client and server"]);
            }
            match (cell.suite.cipher, cell.suite.mac) {
                (Cipher::RC4 | Cipher::TRIPLE_DES | Cipher::AES_256_CBC, Mac::SHA1)
                | (Cipher::AES_128_CBC | Cipher::AES_128_GCM, _)
                | (Cipher::AES_256_GCM | Cipher::CHACHA20, _) => None,
                _ => no(NO_SUITE, &["no cipher suite supported by both client and server"]),
            }
        },
        ..SERVER
    },
    Stack {
        key: "botan",
        name: "Botan",
        packages: "botan",
        secrets: Secrets::None("its command has no key log"),
        resumptions: &[Resumption::Id],
        kind: Kind::Command(Tool::Botan),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.version == Version::Ssl3 => no(NO_SSL3, &["SSLv3 is not supported"]),
            Cipher::NULL | Cipher::RC4 | Cipher::DES => {
                no(NO_SUITE, &["Policy does not allow any available cipher suite"])
            }
            _ if cell.client_certificate != ClientCertificate::None => {
                no("its command requests no certificate", &["client_certificate: expected"])
            }
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "mbedtls",
        name: "mbedTLS",
        packages: "gcc libmbedtls-dev",
        kind: Kind::Program(Program {
            source: "mbedtls_server.c",
            build: Build::C {
                header: "mbedtls/ssl.h",
                library: CLibrary::Names(&["mbedtls", "mbedx509", "mbedcrypto"]),
            },
        }),
        refusal: |cell| match cell.suite.cipher {
            _ if cell.version == Version::Ssl3 => {
                no("no SSL 3.0 in Debian's build", &["handshake: -27648", "handshake: -27008"])
            }
            Cipher::NULL | Cipher::RC4 | Cipher::DES => {
                no(NOT_BUILT, &["handshake: -27648", "handshake: -27008"])
            }
            _ => None,
        },
        ..SERVER
    },
    Stack {
        key: "bearssl",
        name: "BearSSL",
        packages: "gcc libbearssl-dev",
        extended_master_secret: Offer::Never,
        encrypt_then_mac: Offer::Never,
        resumptions: &[Resumption::Id],
        kind: Kind::Program(Program {
            source: "bearssl_server.c",
            build: Build::C { header: "bearssl.h", library: CLibrary::Names(&["bearssl"]) },
        }),
        refusal: bearssl,
        ..SERVER
    },
    Stack { role: Role::Server, refusal: |cell| tls13_of_rustls(cell, Role::Server), ..RUSTLS },
    Stack { role: Role::Server, ..NEW_OPENSSL },
    Stack {
        role: Role::Server,
        refusal: |cell| tls13_of_boringssl(cell, Role::Server),
        ..BORINGSSL
    },
    Stack { role: Role::Server, refusal: |cell| tls13_of_s2n(cell, Role::Server), ..S2N },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::interop::cell::SUITES;

    #[test]
    fn every_suite_and_every_version_has_two_stacks_at_least() {
        for stacks in [&CLIENTS, &SERVERS] {
            for version in Version::ALL {
                for suite in SUITES.iter().filter(|suite| suite.exists_in(version)) {
                    let speaks = |stack: &&Stack| stack.versions.contains(&version);
                    let able = stacks.iter().filter(speaks).filter(|stack| {
                        let group = suite.groups()[0];
                        let resumption = match stack.role {
                            Role::Client => stack.resumptions[0],
                            Role::Server => Resumption::None,
                        };
                        let cell = Cell {
                            backend: "ring",
                            version,
                            suite,
                            group,
                            client_certificate: ClientCertificate::None,
                            resumption,
                            extended_master_secret: false,
                            encrypt_then_mac: false,
                            retried: false,
                            extra: Extra::Nothing,
                        };
                        stack.refusal(&cell).is_none()
                    });
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
    }

    #[test]
    fn stacks_have_names_of_their_own() {
        for stacks in [&CLIENTS, &SERVERS] {
            let keys: BTreeSet<_> = stacks.iter().map(|stack| stack.key).collect();
            assert_eq!(keys.len(), stacks.len());
        }
    }
}
