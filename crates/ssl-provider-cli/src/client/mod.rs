//! What `connect` and `proxy` share: the options of a TLS client, and its settings made of them.
//! The client itself is `ssl-provider-lab`.

pub(crate) mod host_names;
pub(crate) mod refusal;
pub(crate) mod target;
pub(crate) mod trust;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ssl_provider::{Backend, CipherSuite, KeyLogPolicy, Policy, ProtocolVersion, Provider};
use ssl_provider_lab::client::{
    CERTIFICATE_OF_ANOTHER_KEY, ClientIdentity, ClientOptions, ClientSettings, DEFAULT_GROUPS,
    default_client_suites, legacy_client_suites,
};
use ssl_provider_lab::{KeyLog, NamedGroup};

use crate::backend_choice::OneBackendArgs;
use crate::client::target::Target;
use crate::client::trust::{Roots, Trust, Verifier};
use crate::exit::Failure;
use crate::key_file::{self, PasswordArgs, not_usable};
use crate::{external_psk, key_log, protocol_argument, suite_argument};

/// The options of a TLS client.
#[derive(Debug, clap::Args)]
pub struct ClientArgs {
    /// Name to send and to look for in the certificate, in place of HOST
    #[arg(long, value_name = "NAME")]
    pub server_name: Option<String>,

    /// Do not send the name of the server
    #[arg(long)]
    pub no_server_name: bool,

    /// Lowest version to accept; ssl3 has to be asked for
    #[arg(long, value_name = "VERSION", default_value = "tls1.0")]
    #[arg(value_parser = protocol_argument::of_client)]
    pub min_version: ProtocolVersion,

    /// Highest version to offer
    #[arg(long, value_name = "VERSION", default_value = "tls1.3")]
    #[arg(value_parser = protocol_argument::of_client)]
    pub max_version: ProtocolVersion,

    /// Cipher suites in order of preference, by hex number or name; `default` means those with AES,
    /// ChaCha20 and Camellia, `legacy` those with 3DES, RC4, DES and no encryption
    #[arg(long, value_name = "SUITE,…", value_delimiter = ',', default_value = "default")]
    #[arg(value_parser = suites)]
    pub suites: Vec<SuiteList>,

    /// Groups in order of preference, such as x25519,secp256r1,ffdhe2048. Default: the hybrid ones
    /// of TLS 1.3 as far as the backend has them, X25519, P-256, P-384, P-521, and ffdhe2048 to
    /// ffdhe4096
    #[arg(long, value_name = "GROUP,…", value_delimiter = ',', value_parser = group)]
    pub groups: Vec<NamedGroup>,

    /// Do not offer the extended master secret (RFC 7627)
    #[arg(long)]
    pub no_ems: bool,

    /// Do not offer encrypt-then-MAC (RFC 7366)
    #[arg(long)]
    pub no_etm: bool,

    /// Do not offer session tickets (RFC 5077); sessions are then resumed by id, and those of TLS
    /// 1.3 not at all
    #[arg(long)]
    pub no_tickets: bool,

    /// File with a pre-shared key for TLS 1.3, in one line: its name, the key in hex of at least 16
    /// bytes, and sha256 or sha384 (default: sha256). If the server knows it, there are no
    /// certificates
    #[arg(long, value_name = "FILE")]
    pub external_psk: Option<PathBuf>,

    /// PEM file of certificates to trust, in place of the system's. The server's own may be one
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,

    /// Go on with a certificate that is not trusted, and show why it is not. Its key must still fit
    /// the suite and sign
    #[arg(long)]
    pub insecure: bool,

    /// Append the secrets of each session to this file, as an NSS key log
    #[arg(long, value_name = "FILE", alias = "keylog", env = "SSLKEYLOGFILE")]
    pub key_log: Option<PathBuf>,

    /// The backend.
    #[command(flatten)]
    pub backend: OneBackendArgs,
}

/// The suites that one value of `--suites` stands for.
#[derive(Clone, Debug)]
pub struct SuiteList(Vec<CipherSuite>);

fn suites(text: &str) -> Result<SuiteList, String> {
    match text {
        "default" => Ok(SuiteList(default_client_suites().collect())),
        "legacy" => Ok(SuiteList(legacy_client_suites().collect())),
        other => suite_argument::of_list(other).map(|suite| SuiteList(vec![suite])),
    }
}

/// Checks a label of keying material (RFC 5705 section 4).
pub(crate) fn exporter_label(text: &str) -> Result<String, String> {
    let is_label = (1..=249).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic());
    match is_label {
        true => Ok(text.to_owned()),
        false => Err("expected 1 to 249 letters, digits and signs of ASCII".to_owned()),
    }
}

/// Finds a group by its name in the registry, or the one that people use.
pub(crate) fn group(text: &str) -> Result<NamedGroup, String> {
    const OTHER_NAMES: [(&str, &str); 4] = [
        ("p-256", "secp256r1"),
        ("p-384", "secp384r1"),
        ("p-521", "secp521r1"),
        ("prime256v1", "secp256r1"),
    ];
    let wanted = text.to_ascii_lowercase();
    let other = OTHER_NAMES.into_iter().find(|(other, _)| *other == wanted);
    let wanted = other.map_or(wanted.as_str(), |(_, name)| name);
    NamedGroup::all().find(|group| group.name().eq_ignore_ascii_case(wanted)).ok_or_else(|| {
        let names: Vec<_> = NamedGroup::all().map(NamedGroup::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

impl ClientArgs {
    /// Opens the provider, with the policy that the options need.
    pub(crate) fn provider(&self, backend: &Backend) -> Provider {
        Provider::open(backend).with_policy(Policy {
            legacy_ssl3: self.min_version == ProtocolVersion::SSL3,
            key_log: match self.key_log() {
                Some(_) => KeyLogPolicy::Allowed,
                None => KeyLogPolicy::Denied,
            },
            ..Policy::default()
        })
    }

    /// Returns the path of the key log; an empty variable counts as not set.
    pub(crate) fn key_log(&self) -> Option<&Path> {
        self.key_log.as_deref().filter(|path| !path.as_os_str().is_empty())
    }

    /// Opens the key log, if there is one.
    fn open_key_log(&self) -> Result<Option<KeyLog>, Failure> {
        self.key_log().map(|path| key_log::open("--key-log", path)).transpose()
    }

    /// The name that the certificate must have.
    pub(crate) fn name<'a>(&'a self, target: &'a Target) -> &'a str {
        self.server_name.as_deref().unwrap_or(&target.host)
    }

    /// The name that is sent.
    pub(crate) fn sent_name<'a>(&'a self, target: &'a Target) -> Option<&'a str> {
        (!self.no_server_name).then(|| self.name(target))
    }

    /// Returns what the options ask the client to offer.
    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions {
            versions: self.min_version..=self.max_version,
            suites: self.suites.iter().flat_map(|list| &list.0).copied().collect(),
            groups: match self.groups.is_empty() {
                true => DEFAULT_GROUPS.to_vec(),
                false => self.groups.clone(),
            },
            protocols: Vec::new(),
            extended_master_secret: !self.no_ems,
            encrypt_then_mac: !self.no_etm,
            session_tickets: !self.no_tickets,
            check_key_usage: !self.insecure,
            ..ClientOptions::default()
        }
    }

    /// Checks that there is a version between the lowest and the highest.
    fn check_versions(&self) -> Result<(), Failure> {
        if self.min_version <= self.max_version {
            return Ok(());
        }
        Err(Failure::usage(match self.max_version {
            ProtocolVersion::SSL3 => {
                "--max-version ssl3: SSL 3.0 also needs --min-version ssl3".to_owned()
            }
            highest => format!(
                "--min-version {} is above --max-version {}",
                protocol_argument::name(self.min_version),
                protocol_argument::name(highest)
            ),
        }))
    }

    /// Returns the settings of the client with these options.
    pub(crate) fn settings(
        &self,
        provider: Provider,
        mut options: ClientOptions,
        verifier: Verifier,
        identity: Option<ClientIdentity>,
    ) -> Result<Arc<ClientSettings>, Failure> {
        self.check_versions()?;
        if let Some(path) = &self.external_psk {
            options.external_psk = Some(external_psk::of_client(&provider, path)?);
        }
        let key_log = self.open_key_log()?;
        ClientSettings::new(provider, options, Box::new(verifier), identity, key_log).map_err(
            |error| Failure::usage(format_args!("{error}; see `sslprov suites` and `backends`")),
        )
    }

    /// Returns the verifier of the server's certificates, and where it leaves its verdict.
    pub(crate) fn verifier(
        &self,
        backend: &Backend,
        target: &Target,
    ) -> Result<(Verifier, Trust), Failure> {
        let roots = match &self.ca_file {
            Some(path) => {
                let certificates = key_file::read_certificates(path, &key_file::Password(None))
                    .map_err(not_usable)?;
                if certificates.is_empty() {
                    let file = path.display();
                    return Err(Failure::usage(format_args!("{file}: no certificate in PEM")));
                }
                Roots::of(certificates)
            }
            None => Roots::of_system(),
        };
        Ok(Verifier::new(backend.clone(), roots, self.name(target), self.insecure))
    }
}

/// Loads the key and the certificates of a client, if there is a key. `cert_option` names the file
/// of the certificates; by default they are in that of the key.
pub(crate) fn identity(
    provider: &Provider,
    key: Option<&Path>,
    cert: Option<&Path>,
    cert_option: &str,
    password: &PasswordArgs,
) -> Result<Option<ClientIdentity>, Failure> {
    let Some(path) = key else { return Ok(None) };
    let password = password.password()?;
    let failure = |path: &Path, why: &dyn fmt::Display| {
        Failure::usage(format_args!("{}: {why}", path.display()))
    };
    let key = key_file::read_signing_key(path, &password).map_err(not_usable)?;
    let key = provider.load_signing_key(&key.der).map_err(|error| failure(path, &error))?;
    let chain = key_file::read_chain(path, cert, cert_option, &password)?;
    let cert = cert.unwrap_or(path);
    ClientIdentity::new(provider, key, chain).map(Some).map_err(|error| match error {
        CERTIFICATE_OF_ANOTHER_KEY => {
            let key = path.display();
            let why = "the first certificate does not match the private key";
            failure(cert, &format_args!("{why} {key}"))
        }
        other => failure(cert, &other),
    })
}
