//! The key log in the format of NSS, which `sslprov keylog` writes and Wireshark reads.
//! One line for each completed handshake: label, client random, master secret.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ssl_provider::{MASTER_SECRET_LEN, MasterKey};
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
        // Allocated once, so that no copy of the secret is left in freed memory.
        let mut line = Zeroizing::new(String::with_capacity(LABEL.len() + 2 * (32 + 48) + 2));
        line.push_str(LABEL);
        hex(&mut line, client_random);
        line.push(' ');
        hex(&mut line, secret.expose());
        line.push('\n');
        // A poisoned lock means a panic between two lines; the file is whole.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).map_err(|_| Alert::InternalError)
    }
}

const LABEL: &str = "CLIENT_RANDOM ";
const _: () = assert!(MASTER_SECRET_LEN == 48, "the capacity of a line");

fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog").finish_non_exhaustive()
    }
}
