//! The key log of NSS, which Wireshark and `sslprov keylog` write and read.
//! One line for each completed handshake: a label, the client random, the master secret.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ssl_provider::MasterKey;
use ssl_provider::secret::MASTER_SECRET_LEN;
use zeroize::Zeroizing;

use crate::alert::Alert;

/// A file that key log lines are added to.
pub struct KeyLog {
    file: Mutex<File>,
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

    /// Whether the file was there before, and is another user's or has permissions that let others
    /// than its owner read it.
    ///
    /// # Errors
    ///
    /// Those of asking the system for owner and permissions.
    #[cfg(unix)]
    pub fn others_can_read(&self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt;
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let metadata = file.metadata()?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        Ok(!is_ours || metadata.mode() & 0o044 != 0)
    }

    /// Adds the line of a session. A session whose line is lost does not go on.
    pub(crate) fn write(
        &self,
        client_random: &[u8; 32],
        master_key: &MasterKey,
    ) -> Result<(), Alert> {
        let secret = master_key.secret_for_key_log()?;
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
