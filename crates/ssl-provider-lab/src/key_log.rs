//! The key log in the format of NSS, which `sslprov keylog` writes and Wireshark reads.
//! One line for each completed handshake: label, client random, master secret. In TLS 1.3 one for
//! each secret, as soon as there is one, with the labels of RFC 9850.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use base16ct::lower::encode_string;
use ssl_provider::{Error, MasterKey, MasterSecret, RANDOM_LEN};
use ssl_provider_wire::Alert;
use zeroize::Zeroizing;

use crate::alert::internal_error;

/// A file that key log lines are appended to.
pub struct KeyLog {
    file: Mutex<File>,
}

/// Who can read a key log.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Only the user of this process.
    Owner,
    /// Others too, by its permissions.
    Others,
    /// Another user, who owns it.
    AnotherOwner,
    /// Unknown: it is a pipe or a device.
    NotAFile,
}

impl KeyLog {
    /// Opens a file to append to. A new file is readable by its owner only.
    ///
    /// # Errors
    ///
    /// Those of opening the file.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        Ok(Self { file: Mutex::new(options.open(path)?) })
    }

    /// Returns who can read the file, by its owner and permissions.
    ///
    /// # Errors
    ///
    /// Those of reading its metadata.
    #[cfg(unix)]
    pub fn readers(&self) -> io::Result<Readers> {
        use std::os::unix::fs::MetadataExt;
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = file.metadata()?;
        Ok(if !metadata.is_file() {
            Readers::NotAFile
        } else if metadata.uid() != rustix::process::geteuid().as_raw() {
            Readers::AnotherOwner
        } else if metadata.mode() & 0o044 != 0 {
            Readers::Others
        } else {
            Readers::Owner
        })
    }

    /// Appends the line of a session. If that fails, the handshake fails.
    pub(crate) fn write(
        &self,
        client_random: &[u8; 32],
        master_key: &MasterKey,
    ) -> Result<(), Alert> {
        let secret = master_key.secret_for_key_log().map_err(internal_error)?;
        self.append(&key_log_line(client_random, secret))
    }

    /// Appends the line of a secret of TLS 1.3. If that fails, the handshake fails.
    pub(crate) fn write_secret(
        &self,
        label: &str,
        client_random: &[u8; 32],
        secret: Result<&[u8], Error>,
    ) -> Result<(), Alert> {
        self.append(&line(label, client_random, secret.map_err(internal_error)?))
    }

    fn append(&self, line: &str) -> Result<(), Alert> {
        let line = Zeroizing::new([line, "\n"].concat());
        // A poisoned lock means a panic between two lines; the file is whole.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|_| Alert::InternalError)
    }
}

/// The line of a session in a key log, without its end. Each part is allocated once, so that no
/// copy of the secret is left in freed memory.
pub fn key_log_line(client_random: &[u8; RANDOM_LEN], secret: &MasterSecret) -> Zeroizing<String> {
    line("CLIENT_RANDOM", client_random, secret.expose())
}

fn line(label: &str, client_random: &[u8; RANDOM_LEN], secret: &[u8]) -> Zeroizing<String> {
    let client_random = encode_string(client_random);
    let secret = Zeroizing::new(encode_string(secret));
    Zeroizing::new([label, " ", &client_random, " ", &secret].concat())
}

ssl_provider::redacted_debug! { KeyLog { .. } }
