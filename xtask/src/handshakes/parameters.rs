//! What both sides of a comparison do alike: key exchange, group, key and certificate.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::interop::server::{CERTIFICATE, KEY};

/// A P-256 key and its certificate.
pub(super) const EC_KEY: &str = "tests/data/keys/ec-p256.pem";
pub(super) const EC_CERTIFICATE: &str = "tests/data/keys/ec-p256.cert.pem";

/// The scheme of each kind of key, for OpenSSL: servers would choose others for other clients.
pub(super) const SCHEMES: &str = "ECDSA+SHA256:RSA+SHA256";

/// How keys are exchanged, and with which key the server signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Exchange {
    /// ECDHE, and ECDSA on P-256
    EcdheEcdsa,
    /// ECDHE, and RSA with 2048 bits
    EcdheRsa,
    /// RSA with 2048 bits
    Rsa,
}

impl Exchange {
    /// The suite in TLS 1.2, by OpenSSL's name; every old device supports that of RSA.
    pub(super) fn suite(self) -> &'static str {
        match self {
            Self::EcdheEcdsa => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Self::EcdheRsa => "ECDHE-RSA-AES128-GCM-SHA256",
            Self::Rsa => "AES128-SHA",
        }
    }

    pub(super) fn number(self) -> &'static str {
        match self {
            Self::EcdheEcdsa => "0xc02b",
            Self::EcdheRsa => "0xc02f",
            Self::Rsa => "0x002f",
        }
    }

    /// The files of key and certificate.
    pub(super) fn identity(self) -> [&'static str; 2] {
        match self {
            Self::EcdheEcdsa => [EC_KEY, EC_CERTIFICATE],
            Self::EcdheRsa | Self::Rsa => [KEY, CERTIFICATE],
        }
    }
}

/// The group of ECDHE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Group {
    /// P-256
    P256,
    /// X25519
    X25519,
    /// X25519 with ML-KEM-768, in TLS 1.3
    #[value(name = "x25519mlkem768")]
    X25519MlKem768,
}

impl Group {
    /// Whether it takes key encapsulation, which TLS 1.2 does not have.
    pub(super) fn is_hybrid(self) -> bool {
        self == Self::X25519MlKem768
    }

    /// OpenSSL's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::X25519 => "X25519",
            Self::X25519MlKem768 => "X25519MLKEM768",
        }
    }

    pub(super) fn number(self) -> &'static str {
        match self {
            Self::P256 => "23",
            Self::X25519 => "29",
            Self::X25519MlKem768 => "4588",
        }
    }
}

/// What both sides of a comparison of TLS 1.2 do alike.
pub(super) struct Parameters {
    pub(super) exchange: Exchange,
    pub(super) group: Group,
    /// OpenSSL's configuration file: `s_time` has no options for group and scheme.
    pub(super) configuration: PathBuf,
}

impl Parameters {
    pub(super) fn configure(&self) -> Result<()> {
        let text = format!(
            "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n\
             [tls]\nGroups = {}\nSignatureAlgorithms = {SCHEMES}\n",
            self.group.name()
        );
        fs::write(&self.configuration, text).context("cannot write OpenSSL's configuration")
    }

    pub(super) fn s_time(&self, address: &str, seconds: u32) -> Command {
        let mut command = Command::new("openssl");
        command
            .args(["s_time", "-connect", address, "-new", "-tls1_2"])
            .args(["-cipher", self.exchange.suite(), "-time", &seconds.to_string()])
            .env("OPENSSL_CONF", &self.configuration);
        command
    }
}
