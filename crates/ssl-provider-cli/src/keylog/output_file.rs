//! A file that is there in full or not at all: written beside its place, then moved there.
//! Devices and pipes are written directly, and so is the key log of a live capture.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use crate::exit::Failure;

/// A file that is being written. Dropping it leaves what was there before.
#[derive(Debug)]
pub(super) struct OutputFile {
    path: PathBuf,
    mode: Mode,
    file: BufWriter<File>,
    /// Where the file is until it is in its place. None for a device or pipe, which nothing can be
    /// moved to.
    beside: Option<TempPath>,
    /// Whether anything has been written.
    has_content: bool,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mode {
    /// Whether a file that exists already is replaced; otherwise the new one is refused.
    pub(super) replace: bool,
    /// Whether the file is in its place from the first line on, with every line at once, and not
    /// only when it is complete.
    pub(super) live: bool,
}

impl OutputFile {
    /// Starts writing; only the owner may read the file, for it holds secrets.
    pub(super) fn create(path: &Path, mode: Mode) -> Result<Self, Failure> {
        let file = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return Err(Failure::Usage(format!("{}: is a directory", path.display())));
            }
            Ok(metadata) if metadata.is_file() && !mode.replace => {
                return Err(Failure::Usage(format!(
                    "{}: the file exists; choose another name, or replace it with --force",
                    path.display()
                )));
            }
            Ok(metadata) if !metadata.is_file() => {
                File::options().write(true).open(path).map(|file| (file, None))
            }
            Ok(_) | Err(_) => {
                let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                let file = Builder::new().make_in(folder.unwrap_or(Path::new(".")), create_new);
                file.map(|file| file.into_parts()).map(|(file, beside)| (file, Some(beside)))
            }
        };
        let (file, beside) = file.map_err(|error| {
            Failure::Usage(format!("{}: cannot be written: {error}", path.display()))
        })?;
        Ok(Self {
            path: path.to_owned(),
            mode,
            file: BufWriter::new(file),
            beside,
            has_content: false,
        })
    }

    /// Writes a line. It is in the file at once, unless the file is put in its place only when
    /// complete.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Failure> {
        if self.mode.live {
            self.put_in_place()?;
        }
        self.write(line.as_bytes())?;
        self.write(b"\n")?;
        if self.beside.is_some() { Ok(()) } else { self.flush() }
    }

    /// Writes bytes, perhaps not at once.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.has_content |= !bytes.is_empty();
        self.file.write_all(bytes).map_err(|error| self.failure(&error))
    }

    /// Completes the file, and puts it in its place. An empty one does not replace a file: that
    /// one is unchanged then, and its path is returned.
    pub(super) fn commit(mut self) -> Result<Option<PathBuf>, Failure> {
        if self.mode.replace && !self.has_content && self.beside.is_some() && self.path.exists() {
            return Ok(Some(self.path));
        }
        self.put_in_place()?;
        self.flush()?;
        Ok(None)
    }

    fn put_in_place(&mut self) -> Result<(), Failure> {
        let Some(beside) = self.beside.take() else { return Ok(()) };
        self.flush()?;
        let placed = match self.mode.replace {
            true => beside.persist(&self.path),
            false => beside.persist_noclobber(&self.path),
        };
        placed.map_err(|error| self.failure(&error.error))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.file.flush().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &io::Error) -> Failure {
        Failure::Write(format!("{}: cannot be written: {error}", self.path.display()))
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
