//! The keys and certificates of `sslprov serve`: from files, from a key server, or generated.

use std::path::Path;

use ssl_provider::{CipherSuite, Error, KeyExchange, PrivateKey, Provider};
use ssl_provider_lab::{Identity, IdentityError};

use crate::exit::Failure;
use crate::key_file::{self, Password, not_usable};
use crate::serve::{Args, Exchange, is_tls13};

impl Args {
    /// Loads or generates the keys and certificates of the server.
    pub(super) fn identity(
        &self,
        provider: &Provider,
        suites: &[CipherSuite],
    ) -> Result<Identity, Failure> {
        let has_ecdsa = suites.iter().any(|suite| {
            suite.info().is_some_and(|suite| suite.key_exchange == KeyExchange::EcdheEcdsa)
        });
        if self.generates() {
            let rsa = Identity::self_signed(provider).map_err(Failure::usage)?.identity;
            if !has_ecdsa {
                return Ok(rsa);
            }
            return match Identity::self_signed_ecdsa(provider) {
                Ok(ecdsa) => rsa.and(ecdsa.identity).map_err(Failure::usage),
                // Its suites are left out for a backend that does not sign.
                Err(IdentityError::NoUse) => Ok(rsa),
                Err(other) => Err(Failure::usage(other)),
            };
        }
        let password = self.password.password()?;
        let ecdsa = match &self.ecdsa_key {
            None => None,
            Some(_) if !has_ecdsa && !suites.iter().any(|suite| is_tls13(*suite)) => {
                return Err(Failure::usage(
                    "--ecdsa-key: no suite takes this key; add --key-exchange ecdhe,rsa",
                ));
            }
            Some(path) => {
                let key = key_file::read_ec_key(path, &password).map_err(not_usable)?;
                let cert = self.ecdsa_cert.as_deref();
                let chain = key_file::read_chain(path, cert, "--ecdsa-cert", &password)?;
                let identity = Identity::from_der(provider, &key.der, &chain);
                Some(identity.map_err(|error| unusable(path, cert, error))?)
            }
        };
        let signs = suites.iter().any(|suite| !Exchange::Rsa.has(*suite));
        match (self.rsa_identity(provider, &password, signs)?, ecdsa) {
            (Some(rsa), Some(ecdsa)) => rsa.and(ecdsa).map_err(Failure::usage),
            (Some(only), None) | (None, Some(only)) => Ok(only),
            (None, None) => Err(Failure::usage("no key: name one with --key or --ecdsa-key")),
        }
    }

    /// Returns the identity of `--key` or `--key-server`, if one of them is given.
    fn rsa_identity(
        &self,
        provider: &Provider,
        password: &Password,
        signs: bool,
    ) -> Result<Option<Identity>, Failure> {
        let cert = self.cert.as_deref();
        let Some(path) = &self.key else {
            let Some(cert) = cert else { return Ok(None) };
            let chain = key_file::read_chain(cert, Some(cert), "--cert", password)?;
            let key = self.key_server.private_key(provider, cert, &chain)?;
            let key = key.ok_or_else(|| Failure::usage("--cert needs --key or --key-server"))?;
            let identity = Identity::new(key, &chain);
            return identity.map(Some).map_err(|error| unusable(cert, None, error));
        };
        let der = key_file::read_key(path, password).map_err(not_usable)?.der;
        let chain =
            key_file::read_certificates(cert.unwrap_or(path), password).map_err(not_usable)?;
        match (chain.is_empty(), cert) {
            (false, _) => {}
            (true, Some(cert)) => return Err(key_file::no_certificate("--cert", cert)),
            (true, None) => {
                return Err(Failure::usage(format_args!(
                    "{} has no certificate; add one with --cert, or omit --key to have both \
                     generated",
                    path.display()
                )));
            }
        }
        let identity = match signs {
            true => Identity::from_der(provider, &der, &chain),
            false => Identity::new(load_key(provider, path, &der)?, &chain),
        };
        identity.map(Some).map_err(|error| match error {
            IdentityError::Provider(error) => unloadable(path, error),
            other => unusable(path, cert, other),
        })
    }
}

/// Loads the RSA key of a file for decryption.
fn load_key(provider: &Provider, path: &Path, der: &[u8]) -> Result<PrivateKey, Failure> {
    provider.load_private_key(der).map_err(|error| unloadable(path, error))
}

fn unloadable(path: &Path, error: Error) -> Failure {
    Failure::usage(format_args!("{}: {error}", path.display()))
}

/// Why a key and its certificates cannot be used, which are in `cert` or in the file of the key.
fn unusable(key: &Path, cert: Option<&Path>, error: IdentityError) -> Failure {
    let (cert, key) = (cert.unwrap_or(key).display(), key.display());
    match error {
        IdentityError::OtherKey => Failure::usage(format_args!("{cert}: {error} {key}")),
        other => Failure::usage(format_args!("{cert}: {other}")),
    }
}
