//! The file of the options `--keylog` and `--key-log`: opened with a warning, since it has secrets.

use std::path::Path;

use ssl_provider_lab::KeyLog;

use crate::exit::{Failure, tell};

/// Opens the key log that `option` names, and says so.
///
/// # Errors
///
/// [`Failure::Usage`] when it cannot be opened.
pub(crate) fn open(option: &str, path: &Path) -> Result<KeyLog, Failure> {
    let key_log = KeyLog::append_to(path).map_err(|error| {
        let file = path.display();
        Failure::usage(format_args!("{option} {file}: cannot be written: {error}"))
    })?;
    // With --quiet too: the environment variable may have been set long ago.
    tell(format_args!("writing the master secrets of all sessions to {}", path.display()));
    warn_of_readers(path, &key_log)?;
    Ok(key_log)
}

#[cfg(unix)]
fn warn_of_readers(path: &Path, key_log: &KeyLog) -> Result<(), Failure> {
    use ssl_provider_lab::Readers;
    let file = path.display();
    let readers = key_log.readers();
    match readers.map_err(|error| Failure::usage(format_args!("{file}: {error}")))? {
        Readers::Owner | Readers::NotAFile => {}
        Readers::Others => {
            tell(format_args!("others can read {file}; to prevent that: chmod 600 {file}"));
        }
        Readers::AnotherOwner => {
            tell(format_args!(
                "{file} belongs to another user, who can read it; choose another file"
            ));
        }
    }
    Ok(())
}

/// A file mode here does not show who may read the file.
#[cfg(not(unix))]
fn warn_of_readers(_path: &Path, _key_log: &KeyLog) -> Result<(), Failure> {
    Ok(())
}
