//! Keeps files that are written apart from those that are read, and from each other.
//! A slip of the finger must not cost the only copy of a capture or of a key.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// A file of the command line, under the name that the user knows it by: `--output`.
pub(crate) type Named<'a> = (&'a str, &'a Path);

/// Makes sure that no output is one of the inputs or another output, by whatever path or link.
/// Devices and pipes lose nothing when they are written, so they are not looked at.
///
/// # Errors
///
/// [`Failure::Usage`] names both.
pub(crate) fn keep_apart(outputs: &[Named<'_>], inputs: &[Named<'_>]) -> Result<(), Failure> {
    for (at, (name, path)) in outputs.iter().enumerate() {
        let Some(place) = Place::of(path) else { continue };
        for (other_name, other) in inputs.iter().chain(outputs.iter().skip(at + 1)) {
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

/// Where a file is, or will be.
struct Place {
    path: PathBuf,
    /// Device and inode, which hard links share, where the file is there and has them.
    inode: Option<(u64, u64)>,
}

impl Place {
    /// The place of a regular file, or of one that is not there yet.
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

/// The full path of a file that is not there yet.
fn path_to_be_created(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")))?;
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
