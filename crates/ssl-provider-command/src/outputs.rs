//! Output files: none that is also an input or another output, none replaced unasked, none written
//! in part. A typing error must not destroy the only copy of a capture, a key or a report.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::Builder;

use crate::exit::Failure;

/// A file of the command line if it is given, with the name of its option, such as `--output`.
pub type Named<'a> = (&'a str, Option<&'a Path>);

/// Checks that no output is also an input or another output, through any path or link.
/// Devices and pipes lose nothing when written, so they are not checked.
///
/// # Errors
///
/// [`Failure::Usage`] that names both files.
pub fn keep_apart(outputs: &[Named<'_>], inputs: &[Named<'_>]) -> Result<(), Failure> {
    let outputs: Vec<_> = outputs.iter().filter_map(given).collect();
    for (at, (name, path)) in outputs.iter().enumerate() {
        let Some(place) = Place::of(path) else { continue };
        let later = outputs.iter().skip(at + 1).copied();
        for (other_name, other) in inputs.iter().filter_map(given).chain(later) {
            if Place::of(other).is_some_and(|other| other.is_same(&place)) {
                return Err(Failure::Usage(format!(
                    "{name} {} is the same file as {other_name} {}; choose another",
                    path.display(),
                    other.display()
                )));
            }
        }
    }
    Ok(())
}

/// Checks, before the work begins, that a report can be written: its folder is there, and it is no
/// file that exists, unless `--force` is given.
///
/// # Errors
///
/// [`Failure::Usage`] that names the option and the file.
pub fn check_new(option: &str, path: Option<&Path>, force: bool) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let wrong = |what: &str| Failure::Usage(format!("{option} {}: {what}", path.display()));
    if path.is_dir() {
        return Err(wrong("is a folder"));
    }
    if path.is_file() && !force {
        return Err(wrong("exists; --force replaces it"));
    }
    match folder(path).is_dir() {
        true => Ok(()),
        false => Err(wrong("its folder does not exist")),
    }
}

/// Writes a report, whole or not at all. A device or a pipe is written to as it is.
///
/// # Errors
///
/// [`Failure::Write`] that names the file; also when it has come to exist since
/// [`check_new`], unless `force` is set.
pub fn write_new(path: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let written = match fs::metadata(path) {
        Ok(found) if !found.is_file() => fs::write(path, bytes),
        _ => write_beside(path, bytes, force),
    };
    written.map_err(|error| Failure::Write(format!("{}: {error}", path.display())))
}

/// Writes to a temporary file in the same folder, which then takes the place of the file.
fn write_beside(path: &Path, bytes: &[u8], force: bool) -> io::Result<()> {
    let mut builder = Builder::new();
    // Not only for the owner, unlike a file with secrets: as far as the umask lets others read.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut beside = builder.tempfile_in(folder(path))?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    let persisted = if force { beside.persist(path) } else { beside.persist_noclobber(path) };
    persisted.map_err(|failed| failed.error)?;
    Ok(())
}

fn folder(path: &Path) -> &Path {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

fn given<'a>((name, path): &Named<'a>) -> Option<(&'a str, &'a Path)> {
    path.map(|path| (*name, path))
}

/// Where a file is, or will be.
struct Place {
    path: PathBuf,
    /// Device and inode, which hard links share; none where the file or its system has none.
    inode: Option<(u64, u64)>,
}

impl Place {
    /// Returns the place of a regular file, or of one that does not exist yet.
    fn of(path: &Path) -> Option<Self> {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => {
                Some(Self { path: fs::canonicalize(path).ok()?, inode: inode(&found) })
            }
            Ok(_) => None,
            Err(_) => Some(Self { path: path_to_be_created(path).ok()?, inode: None }),
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.path == other.path || (self.inode.is_some() && self.inode == other.inode)
    }
}

/// Returns the full path of a file that does not exist yet.
fn path_to_be_created(path: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(folder(path))?;
    Ok(folder.join(path.file_name().unwrap_or_default()))
}

#[cfg(unix)]
fn inode(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn inode(_found: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_nothing_unless_it_is_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        check_new("--html", Some(&path), false).unwrap();
        write_new(&path, b"first", false).unwrap();
        let text = check_new("--html", Some(&path), false).unwrap_err().to_string();
        assert!(text.contains("--html") && text.contains("--force"), "{text}");
        assert!(matches!(write_new(&path, b"second", false), Err(Failure::Write(_))));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        check_new("--html", Some(&path), true).unwrap();
        write_new(&path, b"second", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_is_missing_is_named_before_the_work() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("missing/report.html")] {
            assert!(check_new("--html", Some(&path), true).is_err(), "{}", path.display());
        }
        check_new("--html", None, false).unwrap();
    }
}
