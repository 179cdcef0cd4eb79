//! `vectors`: makes the public corpus of test vectors, and verifies a corpus on backends.

pub mod generate;
pub mod verify;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use ssl_provider_command::exit::{Failure, Outcome, print};
use ssl_provider_command::outputs::write_new;

use self::generate::Generated;

/// Where the corpus is in a clone of the repository.
const FOLDER: &str = "tests/vectors";

/// Arguments of `vectors`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make every file of the corpus and its schemas; the same bytes on every machine
    #[command(after_long_help = GENERATE_HELP)]
    Generate(GenerateArgs),
    /// Run every test of a folder of vectors on a backend
    #[command(after_long_help = verify::HELP)]
    Verify(verify::Args),
}

/// Arguments of `vectors generate`.
#[derive(Debug, clap::Args)]
struct GenerateArgs {
    /// Folder to write to, which is made if there is none
    #[arg(long, value_name = "DIR", default_value = FOLDER)]
    out: PathBuf,

    /// Replace files that exist and differ
    #[arg(long)]
    force: bool,
}

const GENERATE_HELP: &str = "\
Expected values come from a second implementation of the key schedule, from plain arithmetic and
from cipher crates, never from a backend. `verify.py` beside the corpus recomputes all of them.

Exit codes:
  0  every file is written, or was there with the same contents
  2  the folder is not usable, or a file exists and differs (without --force); nothing is written
  5  writing failed part-way, such as on a full disk

Examples:
  sslprov vectors generate --out vectors
  sslprov vectors generate --out tests/vectors --force";

/// Runs `vectors`.
///
/// # Errors
///
/// [`Failure::Usage`] for folders and files that are not usable and for an unknown backend,
/// [`Failure::Write`] when a file, and [`Failure::Output`] when the report cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    match &args.command {
        Command::Generate(args) => generate(args),
        Command::Verify(args) => verify::run(args),
    }
}

fn generate(args: &GenerateArgs) -> Result<Outcome, Failure> {
    let files = generate::files();
    let written = store(&files, &args.out, args.force)?;
    let (count, folder) = (files.len(), args.out.display());
    print(format!("{folder}: {written} of {count} files written, the others are up to date\n"))?;
    Ok(Outcome::All)
}

/// Writes the files that are not there with these contents, and returns how many those were.
/// Without `force`, nothing is written when one is there with others.
fn store(files: &[Generated], out: &Path, force: bool) -> Result<usize, Failure> {
    let mut changed = Vec::new();
    for file in files {
        let path = out.join(&file.path);
        match fs::read(&path) {
            Ok(there) if there == file.contents.as_bytes() => {}
            Ok(_) if !force => {
                return Err(Failure::Usage(format!(
                    "{} exists and differs; --force replaces it",
                    path.display()
                )));
            }
            Ok(_) => changed.push((file, path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                changed.push((file, path));
            }
            Err(error) => return Err(not_usable(&path, &error)),
        }
    }
    for (file, path) in &changed {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| not_usable(folder, &error))?;
        write_new(path, file.contents.as_bytes(), true)?;
    }
    Ok(changed.len())
}

fn not_usable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, contents: &str) -> Generated {
        Generated { path: path.to_owned(), contents: contents.to_owned() }
    }

    #[test]
    fn a_file_that_differs_is_replaced_with_force_only() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("new");
        let files = [file("a.json", "1"), file("schema/b.json", "2")];
        assert_eq!(store(&files, &out, false).unwrap(), 2);
        assert_eq!(store(&files, &out, false).unwrap(), 0);

        fs::write(out.join("schema/b.json"), "mine").unwrap();
        let other = [file("a.json", "1"), file("c.json", "3"), file("schema/b.json", "2")];
        let refused = store(&other, &out, false).unwrap_err().to_string();
        assert!(refused.contains("b.json exists and differs; --force"), "{refused}");
        assert!(!out.join("c.json").exists(), "nothing is written then");
        assert_eq!(fs::read_to_string(out.join("schema/b.json")).unwrap(), "mine");
        assert_eq!(store(&other, &out, true).unwrap(), 2);
        assert_eq!(fs::read_to_string(out.join("schema/b.json")).unwrap(), "2");
    }

    #[test]
    fn a_folder_that_is_a_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("file");
        fs::write(&out, "").unwrap();
        let refused = store(&[file("a.json", "1")], &out, true).unwrap_err();
        assert!(matches!(&refused, Failure::Usage(text) if text.contains("file")), "{refused}");
    }
}
