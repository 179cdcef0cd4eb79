//! Reads RSA private keys from files, in the formats that servers keep them in.
//! The result is plain DER with a label; every backend loads that.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use ssl_provider::RsaPrivateKeyDer;
use zeroize::Zeroizing;

use crate::exit::Failure;

/// The option for the password of encrypted keys.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PasswordArgs {
    /// File whose first line is the password of encrypted keys; without it the environment variable
    /// SSL_PROVIDER_KEY_PASSWORD is used
    #[arg(long, value_name = "FILE")]
    pub key_password_file: Option<PathBuf>,
}

/// A private key from a file.
pub struct KeyDer {
    /// The file, and the number of the key in it where there are several.
    pub label: String,
    /// PKCS#1 or PKCS#8, unencrypted. Secret.
    pub der: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for KeyDer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyDer").field("label", &self.label).finish_non_exhaustive()
    }
}

impl PasswordArgs {
    /// Reads every RSA private key of a file; at least one.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] names the file and says what was found instead of a key.
    pub fn read_keys(&self, path: &Path) -> Result<Vec<KeyDer>, Failure> {
        let label = path.display().to_string();
        let der = Zeroizing::new(
            fs::read(path).map_err(|error| Failure::Usage(format!("{label}: {error}")))?,
        );
        RsaPrivateKeyDer::from_der(&der)
            .map_err(|error| Failure::Usage(format!("{label}: {error}")))?;
        Ok(vec![KeyDer { label, der }])
    }
}
