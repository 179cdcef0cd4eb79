//! The modern TLS that clients speak to the proxy: versions 1.2 and 1.3 by rustls, with the crypto
//! of AWS-LC or ring, whichever is compiled in. The device's side is the library's own.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::exit::Failure;
use crate::key_file::{self, PasswordArgs, not_usable};

/// Returns the configuration with a key and its certificates, which may be in the file of the key.
///
/// # Errors
///
/// [`Failure::Usage`] for files that cannot be used, and in a build without modern TLS.
pub(super) fn from_files(
    key: &Path,
    cert: Option<&Path>,
    password: &PasswordArgs,
) -> Result<Arc<ServerConfig>, Failure> {
    let provider = provider()?;
    let password = password.password()?;
    let key_der = key_file::read_signing_key(key, &password).map_err(not_usable)?.der;
    let chain = key_file::read_chain(key, cert, "--cert", &password)?;
    config(provider, &key_der, chain).map_err(|error| {
        let (cert, key) = (cert.unwrap_or(key).display(), key.display());
        match error {
            rustls::Error::InconsistentKeys(_) => Failure::usage(format_args!(
                "{cert}: the first certificate does not match the private key {key}"
            )),
            other => Failure::usage(format_args!("{cert}: {other}")),
        }
    })
}

/// Returns the configuration with a key in DER and its certificates.
fn config(
    provider: CryptoProvider,
    key_der: &[u8],
    chain: Vec<Vec<u8>>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let key = PrivateKeyDer::try_from(key_der);
    let key = key.map_err(|why| rustls::Error::General(why.to_owned()))?.clone_key();
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .and_then(|it| it.with_no_client_auth().with_single_cert(chain, key))
        .map(Arc::new)
}

/// Returns the crypto of modern TLS.
fn provider() -> Result<CryptoProvider, Failure> {
    cfg_if::cfg_if! {
        if #[cfg(feature = "aws-lc")] {
            Ok(rustls::crypto::aws_lc_rs::default_provider())
        } else if #[cfg(feature = "ring")] {
            Ok(rustls::crypto::ring::default_provider())
        } else {
            Err(Failure::usage(
                "this build has no modern TLS, which takes the feature aws-lc or ring; accept \
                 plain TCP with --plain",
            ))
        }
    }
}
