//! The files of a report: complete or not there, and none replaced unasked.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use ssl_provider_command::exit::Failure;
use tempfile::NamedTempFile;

/// Checks before the measurement that a file can be written: that it does not exist, unless it may
/// be replaced, and that its folder does.
///
/// # Errors
///
/// [`Failure::Usage`] says what to do.
pub(crate) fn check(option: &str, path: &Path, force: bool) -> Result<(), Failure> {
    let shown = path.display();
    if !force && fs::symlink_metadata(path).is_ok() {
        let text = format!("{option} {shown}: the file exists; --force replaces it");
        return Err(Failure::Usage(text));
    }
    if path.is_dir() {
        return Err(Failure::Usage(format!("{option} {shown}: expected a file, this is a folder")));
    }
    match fs::metadata(folder_of(path)) {
        Ok(found) if found.is_dir() => Ok(()),
        _ => Err(Failure::Usage(format!("{option} {shown}: its folder does not exist"))),
    }
}

/// Writes a file as a whole.
///
/// # Errors
///
/// [`Failure::Write`]; nothing is left behind then.
pub(crate) fn write(option: &str, path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        let reason = match error.kind() {
            ErrorKind::AlreadyExists => "the file exists; --force replaces it".to_owned(),
            _ => error.to_string(),
        };
        Failure::Write(format!("{option} {}: {reason}", path.display()))
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As other files; what the user's mask takes away stays away.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file: NamedTempFile = builder.tempfile_in(folder_of(path)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let written = if force { file.persist(path) } else { file.persist_noclobber(path) };
    written.map(drop).map_err(|error| failed(error.error))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_replaced_only_if_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        check("--json", &path, false).unwrap();
        write("--json", &path, "one", false).unwrap();
        for result in [check("--json", &path, false), write("--json", &path, "two", false)] {
            let told = result.unwrap_err().to_string();
            assert!(told.contains("a.json: the file exists; --force replaces it"), "{told}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        check("--json", &path, true).unwrap();
        write("--json", &path, "two", true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn folders_and_what_is_in_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let told = check("--html", folder.path(), true).unwrap_err().to_string();
        assert!(told.contains("expected a file"), "{told}");
        let told = check("--html", &folder.path().join("no/a"), true).unwrap_err().to_string();
        assert!(told.contains("its folder does not exist"), "{told}");
    }
}
