//! Refuses an output file that is also an input or another output.
//! A typing error must not destroy the only copy of a capture or of a key.

use std::fs::{self, Metadata};
use std::io;
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
