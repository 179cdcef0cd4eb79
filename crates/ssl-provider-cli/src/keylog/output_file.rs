//! A file that is there in full or not at all: written beside its place, then moved there.
//! Devices and pipes are written directly, and so is the key log of a live capture.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::exit::Failure;

/// A file that is being written. Dropping it leaves what was there before.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    mode: Mode,
    target: Target,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// Whether a file that exists already is replaced, or stays, and the new one is refused.
    pub(super) replace: bool,
    /// Whether the file is in its place from the first line on, with every line at once, and not
    /// only when it is complete.
    pub(super) live: bool,
}

#[derive(Debug)]
enum Target {
    Beside(BufWriter<NamedTempFile>),
    /// A device or pipe, which nothing can be moved to, or a file that is in its place.
    Direct(BufWriter<File>),
}

impl OutputFile {
    /// Starts writing; only the owner may read the file, for it holds secrets.
    pub(super) fn create(path: &Path, mode: Mode) -> Result<Self, Failure> {
        let target = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Failure::Usage(format!("{}: is a directory", path.display())));
            }
            Ok(metadata) if metadata.is_file() && !mode.replace => {
                return Err(Failure::Usage(format!(
                    "{}: the file exists; choose another name, or replace it with --force",
                    path.display()
                )));
            }
            Ok(metadata) if !metadata.is_file() => File::options()
                .write(true)
                .open(path)
                .map(|file| Target::Direct(BufWriter::new(file))),
            Ok(_) | Err(_) => {
                let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                Builder::new()
                    .make_in(folder.unwrap_or(Path::new(".")), create_new)
                    .map(|file| Target::Beside(BufWriter::new(file)))
            }
        };
        let target = target.map_err(|error| {
            Failure::Usage(format!("{}: cannot be written: {error}", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), mode, target })
    }

    /// Writes a line. Only a file that is replaced as a whole keeps it back.
    pub(super) fn line(self, line: &str) -> Result<Self, Failure> {
        let mut file = if self.mode.live { self.put_in_place()? } else { self };
        let written = writeln!(file, "{line}").and_then(|()| match file.target {
            Target::Beside(_) => Ok(()),
            Target::Direct(_) => file.flush(),
        });
        written.map_err(|error| file.failure(&error))?;
        Ok(file)
    }

    /// Completes the file, and puts it in its place.
    pub(super) fn commit(self) -> Result<(), Failure> {
        let mut file = self.put_in_place()?;
        file.flush().map_err(|error| file.failure(&error))
    }

    fn put_in_place(self) -> Result<Self, Failure> {
        let Self { path, mode, target } = self;
        let target = match target {
            Target::Direct(file) => Ok(Target::Direct(file)),
            Target::Beside(file) => {
                file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
                    let persisted = match mode.replace {
                        true => file.persist(&path),
                        false => file.persist_noclobber(&path),
                    };
                    persisted
                        .map(|file| Target::Direct(BufWriter::new(file)))
                        .map_err(|error| error.error)
                })
            }
        };
        let target = target.map_err(|error| cannot_write(&path, &error))?;
        Ok(Self { path, mode, target })
    }

    /// The failure that an error of writing to this file is.
    pub(super) fn failure(&self, error: &io::Error) -> Failure {
        cannot_write(&self.path, error)
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.target {
            Target::Beside(file) => file.write(bytes),
            Target::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Beside(file) => file.flush(),
            Target::Direct(file) => file.flush(),
        }
    }
}

/// Creates a file that only the owner may read. The library would do the same, but its errors show
/// the temporary name, which says nothing to the user.
fn create_new(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Write(format!("{}: cannot be written: {error}", path.display()))
}
