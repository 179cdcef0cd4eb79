//! Where a capture comes from: a file or standard input, compressed with gzip or not.
//! The first two bytes tell.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// The name that stands for standard input.
pub const STDIN: &str = "-";

/// A capture as bytes.
pub type Input = Box<dyn Read + Send>;

/// Opens `path`, or standard input for `-`, and looks through gzip.
///
/// # Errors
///
/// Those of opening the file and of reading its first bytes.
pub fn open(path: &Path) -> io::Result<Input> {
    open_watched(path, &|input| input)
}

/// The same, with `watch` around the bytes as they are in the file.
///
/// # Errors
///
/// Those of opening the file and of reading its first bytes.
pub fn open_watched(path: &Path, watch: &dyn Fn(Input) -> Input) -> io::Result<Input> {
    let input: Input = match path {
        path if path.as_os_str() == STDIN => Box::new(io::stdin()),
        path => Box::new(File::open(path)?),
    };
    decompress(watch(input))
}

/// Looks through gzip where `input` is compressed.
///
/// # Errors
///
/// Those of reading the first bytes.
pub fn decompress(input: impl Read + Send + 'static) -> io::Result<Input> {
    let mut input = BufReader::with_capacity(64 * 1024, input);
    if input.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        Ok(Box::new(MultiGzDecoder::new(input)))
    } else {
        Ok(Box::new(input))
    }
}
