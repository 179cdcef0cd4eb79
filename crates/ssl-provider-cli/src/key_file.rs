//! Key files for the subcommands: where their password comes from, and what to do about a fault.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use ssl_provider_keys::files::{
    Fault, KeyDer, KeyFileError, Password, keys_in, read_certificates, read_ec_key, read_key,
    read_keys, read_keys_even_weak,
};

use ssl_provider_keys::files::read_bounded;

use crate::exit::Failure;

/// The option for the password of encrypted keys. No option takes the password itself: other users
/// of the machine can read the arguments of a process.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct PasswordArgs {
    /// File whose first line is the password of encrypted keys. Without it the environment variable
    /// SSL_PROVIDER_KEY_PASSWORD is used. One password serves all key files
    #[arg(long, value_name = "FILE")]
    pub key_password_file: Option<PathBuf>,
}

impl PasswordArgs {
    /// Reads the password from the file or the environment variable; there may be none.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] when the file cannot be read or the password is not UTF-8.
    pub fn password(&self) -> Result<Password, Failure> {
        let Some(path) = &self.key_password_file else {
            return match env::var_os(PASSWORD_VARIABLE).map(OsString::into_string) {
                None => Ok(Password(None)),
                Some(Ok(password)) => Ok(Password(Some(Zeroizing::new(password)))),
                Some(Err(_)) => Err(Failure::Usage(format!("{PASSWORD_VARIABLE}: not UTF-8"))),
            };
        };
        let name = path.display();
        let content = read_bounded(path)
            .map_err(|error| Failure::Usage(format!("{name}: {error}")))?
            .ok_or_else(|| Failure::Usage(format!("{name}: too large for a password file")))?;
        let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match str::from_utf8(line) {
            Ok(password) => Ok(Password(Some(Zeroizing::new(password.to_owned())))),
            Err(_) => Err(Failure::Usage(format!("{name}: the password is not UTF-8"))),
        }
    }
}

/// What is wrong with a key file, with the option that helps.
pub(crate) fn explain(error: &KeyFileError) -> String {
    let hint = match error.fault {
        Fault::NoPassword => "; give it with --key-password-file or in SSL_PROVIDER_KEY_PASSWORD",
        _ => "",
    };
    format!("{error}{hint}")
}

/// Reads a key that signs: an RSA key, or one on a curve.
///
/// # Errors
///
/// That of reading an RSA key, unless the file has none.
pub(crate) fn read_signing_key(path: &Path, password: &Password) -> Result<KeyDer, KeyFileError> {
    match read_key(path, password) {
        Err(KeyFileError { fault: Fault::NoRsaKey { .. }, .. }) => read_ec_key(path, password),
        other => other,
    }
}

/// Reads the certificates of a key: those of `cert`, which `option` names, or those in the file of
/// the key.
///
/// # Errors
///
/// [`Failure::Usage`] when the file cannot be read or has none.
pub(crate) fn read_chain(
    key: &Path,
    cert: Option<&Path>,
    option: &str,
    password: &Password,
) -> Result<Vec<Vec<u8>>, Failure> {
    let chain = read_certificates(cert.unwrap_or(key), password).map_err(not_usable)?;
    match (chain.is_empty(), cert) {
        (false, _) => Ok(chain),
        (true, Some(cert)) => Err(no_certificate(option, cert)),
        (true, None) => {
            let key = key.display();
            let text = format_args!("{key}: no certificate in the file; add one with {option}");
            Err(Failure::usage(text))
        }
    }
}

/// The failure where `option` names a file without certificates.
pub(crate) fn no_certificate(option: &str, file: &Path) -> Failure {
    let file = file.display();
    Failure::usage(format_args!("{option} {file}: no certificate in PEM or PKCS#12"))
}

/// The failure where a key file is not usable.
pub fn not_usable(error: KeyFileError) -> Failure {
    Failure::Usage(explain(&error))
}

/// Where the password is when no file is named.
const PASSWORD_VARIABLE: &str = "SSL_PROVIDER_KEY_PASSWORD";
