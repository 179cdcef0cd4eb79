//! The private keys of a run, loaded into one backend, and which of them a certificate asks for.
//! Each backend of a run has a keyring of its own.

use ssl_provider::{
    Backend, Error, KeyExportPolicy, KeyLogPolicy, Policy, PremasterVersion, PrivateKey, Provider,
};

use super::certificate::PublicKey;
use super::recorder::Recorder;
use super::weak_key;
use crate::key_file::KeyDer;

/// A key with the name of its file.
#[derive(Debug)]
pub struct Key {
    /// The file, and the number of the key in it where there are several.
    pub label: String,
    /// The key, for premaster secrets with the offered version.
    pub private_key: PrivateKey,
    /// The key once more, for premaster secrets with any version: a key keeps its rule.
    pub(super) lenient_key: PrivateKey,
}

/// A backend with the keys of the run.
#[derive(Debug)]
pub struct Keyring {
    pub(super) keys: Vec<Key>,
    /// Takes the offered version only.
    pub(super) strict: Provider,
    /// Takes a premaster secret with any version.
    pub(super) lenient: Provider,
    /// Keeps what is imported, if that is asked for.
    pub(super) recorder: Option<Recorder>,
}

impl Keyring {
    /// Loads the keys into a backend; of several with one modulus the first counts.
    ///
    /// # Errors
    ///
    /// Names the key that the backend refuses, and why.
    pub fn load(
        backend: impl Into<Backend>,
        keys: &[KeyDer],
        allow_ssl3: bool,
    ) -> Result<Self, (String, Error)> {
        let policy = Policy {
            legacy_ssl3: allow_ssl3,
            key_log: KeyLogPolicy::Allowed,
            key_export: KeyExportPolicy::Allowed,
            // Which keys are taken is decided where they are read.
            min_modulus_bits: 0,
            ..Policy::default()
        };
        let strict = Provider::open(backend).with_policy(policy);
        let lenient = strict
            .clone()
            .with_policy(Policy { premaster_version: PremasterVersion::InsecureAny, ..policy });
        let mut loaded: Vec<Key> = Vec::new();
        for key in keys {
            let load = |provider: &Provider| {
                let loaded = match key.weakness {
                    Some(_) => weak_key::load(provider, &key.der),
                    None => provider.load_private_key(&key.der),
                };
                loaded.map_err(|error| (key.label.clone(), error))
            };
            let private_key = load(&strict)?;
            let modulus = private_key.modulus();
            if loaded.iter().all(|other| other.private_key.modulus() != modulus) {
                let (label, lenient_key) = (key.label.clone(), load(&lenient)?);
                loaded.push(Key { label, private_key, lenient_key });
            }
        }
        Ok(Self { keys: loaded, strict, lenient, recorder: None })
    }

    /// The keys that may open a session with this certificate: the one that it names, or all where
    /// the certificate could not be read.
    pub(super) fn candidates(&self, certificate: &PublicKey) -> Vec<&Key> {
        match certificate {
            PublicKey::Rsa(modulus) => {
                self.keys.iter().filter(|key| key.private_key.modulus() == *modulus).collect()
            }
            PublicKey::Other => Vec::new(),
            PublicKey::Unreadable => self.keys.iter().collect(),
        }
    }

    /// The backend.
    pub fn backend(&self) -> &Backend {
        self.strict.backend()
    }

    /// Whether SSL 3.0 is spoken.
    pub(super) fn allows_ssl3(&self) -> bool {
        self.strict.policy().legacy_ssl3
    }
}
