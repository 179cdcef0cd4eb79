//! The options with which `sslprov serve` uses the key of a key server: none, except on Linux.

#[cfg(target_os = "linux")]
pub use self::linux::KeyServerArgs;
#[cfg(not(target_os = "linux"))]
pub use self::other::KeyServerArgs;

#[cfg(target_os = "linux")]
mod linux {
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use ssl_provider::{PrivateKey, Provider};
    use ssl_provider_remote::{KeyServer, KeyServerError};

    use crate::exit::Failure;
    use crate::key_server::user_id;
    use crate::keylog::certificate::{PublicKey, public_key};

    /// A key server, which has the key in place of a file.
    #[derive(Clone, Debug, Default, clap::Args)]
    pub struct KeyServerArgs {
        /// Socket of the `sslprov key-server` that has the key of --cert. It decrypts with a
        /// backend and in batches of its own
        #[arg(long, value_name = "SOCKET", group = "private_key", requires = "cert")]
        pub key_server: Option<PathBuf>,

        /// Trust a key server of this user, by number, and not only of one's own or of root
        #[arg(long, value_name = "UID", requires = "key_server", value_parser = user_id)]
        pub key_server_uid: Option<u32>,

        /// How long a key exchange asks the key server for its reply over and over before it
        /// sleeps: shorter delays, for a processor in use. 0 is not at all
        #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, requires = "key_server")]
        pub key_server_busy_poll: u16,
    }

    impl KeyServerArgs {
        /// Whether a key server is named.
        pub(crate) fn is_given(&self) -> bool {
            self.key_server.is_some()
        }

        /// Returns the private key of the first certificate of the file `cert`, or `None` without a
        /// key server.
        ///
        /// # Errors
        ///
        /// [`Failure::Usage`] when the certificate has no RSA key, and when the key server cannot
        /// be used or does not have the key.
        pub(crate) fn private_key(
            &self,
            provider: &Provider,
            cert: &Path,
            chain: &[Vec<u8>],
        ) -> Result<Option<PrivateKey>, Failure> {
            let Some(path) = &self.key_server else { return Ok(None) };
            let cert = cert.display();
            let Some(PublicKey::Rsa(modulus)) = chain.first().map(|leaf| public_key(leaf)) else {
                let text = format_args!("--cert {cert}: the first certificate has no RSA key");
                return Err(Failure::usage(text));
            };
            let server = KeyServer::at(path)
                .trusting(self.key_server_uid)
                .with_busy_poll(Duration::from_micros(self.key_server_busy_poll.into()));
            server.private_key(provider, &modulus).map(Some).map_err(|error| {
                let more = match &error {
                    KeyServerError::OtherUser(uid) => {
                        format!("; --key-server-uid {uid} trusts it")
                    }
                    KeyServerError::NoSuchKey => format!(" of --cert {cert}"),
                    _ => String::new(),
                };
                Failure::usage(format_args!("--key-server {}: {error}{more}", path.display()))
            })
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::path::Path;

    use ssl_provider::{PrivateKey, Provider};

    use crate::exit::Failure;

    /// No options.
    #[derive(Clone, Debug, Default, clap::Args)]
    pub struct KeyServerArgs {}

    impl KeyServerArgs {
        pub(crate) fn is_given(&self) -> bool {
            false
        }

        pub(crate) fn private_key(
            &self,
            _provider: &Provider,
            _cert: &Path,
            _chain: &[Vec<u8>],
        ) -> Result<Option<PrivateKey>, Failure> {
            Ok(None)
        }
    }
}
