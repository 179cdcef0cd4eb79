//! The key log of NSS, which Wireshark and `sslprov keylog` write and read.
//! One line for each completed handshake: a label, the client random, the master secret.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ssl_provider::MasterKey;
use ssl_provider::secret::MASTER_SECRET_LEN;
use ssl_provider_wire::Alert;
use zeroize::Zeroizing;

use crate::alert::internal_error;

/// A file that key log lines are added to.
pub struct KeyLog {
    file: Mutex<File>,
}

/// Who can read a key log.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The user of this process alone.
    Owner,
    /// Others too: its permissions say so.
    Others,
    /// Another user, whose file it is.
    AnotherOwner,
    /// Whoever is at the other end: it is a pipe or a device.
    NotAFile,
}

impl KeyLog {
    /// Opens a file to be added to. A new file can be read by its owner only.
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

    /// Who can read the file, as its owner and its permissions say.
    ///
    /// # Errors
    ///
    /// Those of asking the system for them.
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

    /// Adds the line of a session. A session whose line is lost does not go on.
    pub(crate) fn write(
        &self,
        client_random: &[u8; 32],
        master_key: &MasterKey,
    ) -> Result<(), Alert> {
        let secret = master_key.secret_for_key_log().map_err(internal_error)?;
        // Room for all of it, so that no copy stays behind.
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
const _: () = assert!(MASTER_SECRET_LEN == 48, "the room of a line");

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
