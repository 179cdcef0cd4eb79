//! `vectors verify`: runs every test of a folder on backends, through the public interface.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use ssl_provider_command::backend_choice::SomeBackendsArgs;
use ssl_provider_command::exit::{Failure, Outcome, print};
use ssl_provider_command::table::Table;
use ssl_provider_testkit::corpus::AnyFile;
use ssl_provider_testkit::question::corpus::{Asked, questions};
use ssl_provider_testkit::question::{Answer, Subject, Vector};

use super::{FOLDER, not_usable};

/// Arguments of `vectors verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the vectors: every `.json` file directly in it
    #[arg(value_name = "DIR", default_value = FOLDER)]
    pub folder: PathBuf,

    /// The backends.
    #[command(flatten)]
    pub backend: SomeBackendsArgs,

    /// Print JSON: an array with an object for each backend, file and type of group
    #[arg(long)]
    pub json: bool,
}

/// The end of the help of `vectors verify`.
pub(super) const HELP: &str = "\
`unsupported` counts tests of operations that the backend does not have.

Exit codes:
  0  every test passed that the backend supports
  1  no test passed, or there was none
  2  the folder, a file in it or the arguments are not usable
  3  some tests failed; each is named
  5  standard output cannot be written
  141  the reader of standard output has gone away

Examples:
  sslprov vectors verify
  sslprov vectors verify vectors --json | jq '.[] | select(.failed > 0)'";

/// The tests of one type in one file on one backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The backend.
    pub backend: &'static str,
    /// The file.
    pub file: String,
    /// The type of the groups.
    pub group_type: String,
    /// How many tests passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many the backend does not support.
    pub unsupported: u64,
    /// What failed, one entry for each test.
    pub failures: Vec<Failed>,
}

/// A test that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// Its number.
    pub tc_id: u32,
    /// What it is.
    pub comment: String,
    /// What is wrong with the result.
    pub message: String,
}

/// Runs `vectors verify`.
///
/// # Errors
///
/// [`Failure::Usage`] for an unknown backend and a folder or file that is not usable,
/// [`Failure::Output`] when the report cannot be written.
pub fn run(args: &Args) -> Result<Outcome, Failure> {
    let backends = args.backend.choose()?;
    let files = read(&args.folder)?;
    let mut rows = Vec::new();
    for backend in &backends {
        let subject = Subject::new(backend);
        for (name, file) in &files {
            rows.extend(verify(&subject, name, file));
        }
    }
    // Strings and numbers: neither the types nor the writing can fail.
    let json = || serde_json::to_string_pretty(&rows).unwrap_or_default() + "\n";
    print(if args.json { json() } else { text(&rows) })?;
    let sum = |of: fn(&Row) -> u64| rows.iter().map(of).sum();
    Ok(Outcome::of(sum(|row| row.passed), sum(|row| row.failed)))
}

/// Reads every file of a folder, in the order of their names.
///
/// # Errors
///
/// [`Failure::Usage`] when the folder or a file cannot be read or is not of the corpus, and when
/// there is no file.
pub fn read(folder: &Path) -> Result<Vec<(String, AnyFile)>, Failure> {
    let entries = fs::read_dir(folder).map_err(|error| {
        Failure::Usage(format!(
            "{}: {error}; give the folder with the vectors, or make them: sslprov vectors generate",
            folder.display()
        ))
    })?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| not_usable(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Failure::Usage(format!("{}: no .json files in it", folder.display())));
    }
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(|error| not_usable(&path, &error))?;
        let file = AnyFile::parse(&text)
            .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((name, file));
    }
    Ok(files)
}

/// Verifies a file, with a row for each type of group in it.
pub fn verify(subject: &Subject, name: &str, file: &AnyFile) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for test in questions(file) {
        let index = rows.iter().position(|row| row.group_type == test.group_type);
        let index = index.unwrap_or_else(|| {
            rows.push(Row {
                backend: subject.name(),
                file: name.to_owned(),
                group_type: test.group_type.clone(),
                passed: 0,
                failed: 0,
                unsupported: 0,
                failures: Vec::new(),
            });
            rows.len() - 1
        });
        let row = &mut rows[index];
        let Asked { tc_id, comment, vectors, .. } = test;
        let answers: Vec<(&Vector, Answer)> =
            vectors.iter().map(|vector| (vector, vector.question.ask(subject, &[]))).collect();
        let is_wrong = |(vector, answer): &&(&Vector, Answer)| {
            answer.is_supported() && Some(answer) != vector.expected.as_ref()
        };
        if let Some((vector, answer)) = answers.iter().find(is_wrong) {
            let expected = vector.expected.as_ref().map(ToString::to_string).unwrap_or_default();
            let what = vector.question.operation();
            let message = format!("{what}: expected {expected}, got {answer}");
            row.failed += 1;
            row.failures.push(Failed { tc_id, comment, message });
        } else if answers.iter().any(|(_, answer)| answer.is_supported()) {
            row.passed += 1;
        } else {
            row.unsupported += 1;
        }
    }
    rows
}

fn text(rows: &[Row]) -> String {
    let mut table = Table::new(["backend", "file", "type", "passed", "failed", "unsupported"]);
    for row in rows {
        table.row([
            row.backend.to_owned(),
            row.file.clone(),
            row.group_type.clone(),
            row.passed.to_string(),
            row.failed.to_string(),
            row.unsupported.to_string(),
        ]);
    }
    let mut text = table.to_text();
    for row in rows {
        for Failed { tc_id, comment, message } in &row.failures {
            let (backend, file) = (row.backend, &row.file);
            text.push_str(&format!("{backend} {file} tcId {tc_id} ({comment}): {message}\n"));
        }
    }
    text
}
