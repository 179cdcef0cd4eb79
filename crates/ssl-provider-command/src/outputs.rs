//! Output files: refuses one that is also an input or another output, since a typing error must not
//! destroy the only copy of a capture or of a key, and writes reports in full or not at all.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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

fn given<'a>((name, path): &Named<'a>) -> Option<(&'a str, &'a Path)> {
    path.map(|path| (*name, path))
}

/// Checks that a file can be written: that it does not exist, unless it may be replaced, and that
/// its folder does. Devices and pipes are written as they are.
///
/// # Errors
///
/// [`Failure::Usage`] that names the file and says what to do.
pub fn check_new(path: &Path, replace: bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::Usage(format!("{}: {why}", path.display())));
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => refuse("is a directory"),
        Ok(found) if found.is_file() && !replace => {
            refuse("the file exists; choose another name, or replace it with --force")
        }
        Ok(_) => Ok(()),
        Err(_) if folder_of(path).is_dir() => Ok(()),
        Err(_) => refuse("there is no such folder to write it in"),
    }
}

/// Writes a file that is there in full or not at all.
///
/// # Errors
///
/// Those of [`check_new`], and [`Failure::Write`] if it cannot be written.
pub fn write_new(path: &Path, replace: bool, contents: &[u8]) -> Result<(), Failure> {
    check_new(path, replace)?;
    let failed = |error: io::Error| {
        Failure::Write(format!("{}: cannot be written: {error}", path.display()))
    };
    // Nothing can be moved to the place of a device or pipe.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return fs::write(path, contents).map_err(failed);
    }
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path)).map_err(failed)?;
    file.write_all(contents).map_err(failed)?;
    let placed = match replace {
        true => file.persist(path),
        false => file.persist_noclobber(path),
    };
    placed.map(drop).map_err(|error| failed(error.error))
}

/// The folder that a file is in.
fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
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
    let folder = fs::canonicalize(folder_of(path))?;
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
    fn a_file_is_replaced_only_where_asked_and_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        check_new(&path, false).unwrap();
        write_new(&path, false, b"one").unwrap();
        for refused in [check_new(&path, false), write_new(&path, false, b"two")] {
            let Err(Failure::Usage(text)) = refused else { panic!("{refused:?}") };
            assert!(text.contains("report.html: the file exists") && text.contains("--force"));
        }
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write_new(&path, true, b"three").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn folders_and_files_in_none_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (path, why) in [("", "is a directory"), ("none/report.html", "no such folder")] {
            let refused = check_new(&folder.path().join(path), true);
            let Err(Failure::Usage(text)) = refused else { panic!("{refused:?}") };
            assert!(text.contains(why), "{text}");
        }
    }
}
