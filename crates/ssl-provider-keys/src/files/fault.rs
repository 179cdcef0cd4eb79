//! What can be wrong with a key file, in words that say what came and what to do about it.
//! Key files are the user's own, so precision costs nothing here.

use std::error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use ssl_provider_core::{Error, InvalidKey, SecurityStatus};

use crate::KeyError;

/// Why no key came from a file.
#[derive(Debug)]
pub struct KeyFileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a key file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It has no content.
    Empty,
    /// It is longer than any key file.
    TooLarge,
    /// It is of no format that keys come in.
    NotAKeyFile,
    /// It is readable, but has no RSA private key.
    NoRsaKey {
        /// What it has.
        found: Vec<&'static str>,
    },
    /// It is readable, but has no private key on P-256, P-384 or P-521.
    NoEcKey {
        /// What it has.
        found: Vec<&'static str>,
    },
    /// It has more private keys on curves than the one that is wanted.
    SeveralEcKeys(usize),
    /// It has more RSA private keys than the one that is wanted.
    SeveralKeys(usize),
    /// A PEM block is damaged; the text is the reason.
    Pem(&'static str),
    /// A CNG blob has a wrong length or header.
    Blob(KeyError),
    /// It is encrypted, and no password was given.
    NoPassword,
    /// The password does not fit, or the file is damaged: decryption cannot tell.
    WrongPassword,
    /// A PEM block has OpenSSL's old encryption, keyed with one round of MD5.
    LegacyEncryption,
    /// The encryption is one that is not supported; the text names it.
    UnsupportedEncryption(String),
    /// A container violates its standard; the text is the reason.
    Container(String),
    /// The key itself cannot be used.
    Key(Error),
    /// Providers refuse the key for its size or public exponent; nothing else is wrong with it.
    Weak(Error),
}

impl KeyFileError {
    /// The status that stands for the fault where one is asked for.
    pub fn status(&self) -> SecurityStatus {
        match &self.fault {
            Fault::Unreadable(_) => SecurityStatus::NTE_NOT_FOUND,
            Fault::NoRsaKey { .. } | Fault::NoEcKey { .. } => SecurityStatus::NTE_BAD_TYPE,
            Fault::Key(error) | Fault::Weak(error) => error.status(),
            Fault::NoPassword | Fault::WrongPassword => SecurityStatus::NTE_PERM,
            Fault::LegacyEncryption | Fault::UnsupportedEncryption(_) => {
                SecurityStatus::NTE_NOT_SUPPORTED
            }
            Fault::Empty
            | Fault::TooLarge
            | Fault::NotAKeyFile
            | Fault::SeveralKeys(_)
            | Fault::SeveralEcKeys(_)
            | Fault::Pem(_)
            | Fault::Blob(_)
            | Fault::Container(_) => SecurityStatus::NTE_BAD_KEY,
        }
    }
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        write!(f, "{file}: {}", self.fault)?;
        match self.fault {
            Fault::LegacyEncryption => {
                write!(f, "; convert it: openssl pkcs8 -topk8 -in {file} -out converted.pem")
            }
            Fault::UnsupportedEncryption(_) => write!(
                f,
                "; convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in {file} -out converted.pem \
                 (with -provider default -provider legacy where OpenSSL refuses)"
            ),
            _ => Ok(()),
        }
    }
}

/// Lists what was found, each thing once.
fn distinct(found: &[&'static str]) -> String {
    let mut distinct = found.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.join(" and ")
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot read the file: {error}"),
            Self::Empty => f.write_str("the file is empty"),
            Self::TooLarge => f.write_str("the file is larger than 1 MiB, so it is no key file"),
            Self::NotAKeyFile => f.write_str(
                "expected an RSA private key as PEM, DER, PKCS#12 or CNG blob, found none of these",
            ),
            Self::NoRsaKey { found } => {
                write!(f, "expected an RSA private key, found {}", distinct(found))
            }
            Self::NoEcKey { found } => write!(
                f,
                "expected a private key on P-256, P-384 or P-521, found {}",
                distinct(found)
            ),
            Self::SeveralEcKeys(count) => {
                write!(f, "expected one private key on a curve, found {count}; give each a file")
            }
            Self::SeveralKeys(count) => {
                write!(f, "expected one RSA private key, found {count}; give each a file")
            }
            Self::Pem(what) => write!(f, "damaged PEM: {what}"),
            Self::Blob(error) => error.fmt(f),
            Self::NoPassword => f.write_str("the key is encrypted, and no password was given"),
            Self::WrongPassword => f.write_str("wrong password, or the file is damaged"),
            Self::LegacyEncryption => {
                f.write_str("the key has OpenSSL's legacy encryption (Proc-Type: 4,ENCRYPTED)")
            }
            Self::UnsupportedEncryption(what) => {
                write!(f, "the key is encrypted in a way that is not supported ({what})")
            }
            Self::Container(what) => f.write_str(what),
            Self::Key(error) | Self::Weak(error) => error.fmt(f),
        }
    }
}

impl error::Error for KeyFileError {}

impl error::Error for Fault {}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Key(error) => error.into(),
            other => Self::Blob(other),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Key(InvalidKey::NotRsa(found)) => Self::NoRsaKey { found: vec![found] },
            other => Self::Key(other),
        }
    }
}
