//! `vectors verify`: runs every test of a folder on backends, through the public interface.

mod key_agreement;
mod key_schedule;
mod record;
mod rsa_import;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use ssl_provider::{
    CipherSuite, Error, ParameterList, ProtocolVersion, Provider, SessionKeys, Side,
};
use ssl_provider_command::backend_choice::BackendArgs;
use ssl_provider_command::exit::{Failure, Outcome, print};
use ssl_provider_command::table::Table;
use ssl_provider_testkit::corpus::{self, AnyFile, File, Group, Hex, Test, Wire};
use ssl_provider_testkit::exchange::open;

use super::{FOLDER, not_usable};

/// Arguments of `vectors verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the vectors: every `.json` file directly in it
    #[arg(value_name = "DIR", default_value = FOLDER)]
    pub folder: PathBuf,

    /// The backends.
    #[command(flatten)]
    pub backend: BackendArgs,

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
  sslprov vectors verify vectors --backend all --json | jq '.[] | select(.failed > 0)'";

/// Why a test did not pass.
enum Fault {
    /// The backend does not have what it takes.
    Unsupported,
    /// The result is another than the test has.
    Wrong(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::Unsupported(_)
            | Error::UnsupportedSuite { .. }
            | Error::UnsupportedProtocol { .. } => Self::Unsupported,
            other => Self::Wrong(format!("failed: {other}")),
        }
    }
}

/// The result of a test on a backend.
type Answer = Result<(), Fault>;

/// How a group is verified: its tests, with a result for each.
trait Verify: Group {
    fn verify(&self, provider: &Provider) -> Vec<Answer>;
}

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
        let provider = open(backend);
        for (name, file) in &files {
            rows.extend(verify(&provider, name, file));
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
pub fn verify(provider: &Provider, name: &str, file: &AnyFile) -> Vec<Row> {
    match file {
        AnyFile::RsaImport(file) => rows(provider, name, file),
        AnyFile::KeySchedule(file) => rows(provider, name, file),
        AnyFile::Record(file) => rows(provider, name, file),
        AnyFile::KeyAgreement(file) => rows(provider, name, file),
    }
}

fn rows<G: Verify>(provider: &Provider, name: &str, file: &File<G>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for group in &file.test_groups {
        let index = rows.iter().position(|row| row.group_type == group.kind());
        let index = index.unwrap_or_else(|| {
            rows.push(Row {
                backend: provider.backend().info().name,
                file: name.to_owned(),
                group_type: group.kind().to_owned(),
                passed: 0,
                failed: 0,
                unsupported: 0,
                failures: Vec::new(),
            });
            rows.len() - 1
        });
        let row = &mut rows[index];
        for (test, answer) in group.tests().iter().zip(group.verify(provider)) {
            match answer {
                Ok(()) => row.passed += 1,
                Err(Fault::Unsupported) => row.unsupported += 1,
                Err(Fault::Wrong(message)) => {
                    row.failed += 1;
                    let (tc_id, comment) = (test.tc_id(), test.comment().to_owned());
                    row.failures.push(Failed { tc_id, comment, message });
                }
            }
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

/// Compares one value.
fn same(what: &str, expected: &[u8], found: &[u8]) -> Answer {
    if expected == found {
        return Ok(());
    }
    let hex = |bytes: &[u8]| ssl_provider_testkit::bytes::to_hex(bytes);
    Err(Fault::Wrong(format!("{what}: expected {}, got {}", hex(expected), hex(found))))
}

/// Compares a value that the test may lack by mistake.
fn same_as(what: &str, expected: Option<&Hex>, found: &[u8]) -> Answer {
    let expected = expected.ok_or_else(|| Fault::Wrong(format!("the test has no {what}")))?;
    same(what, expected, found)
}

fn version(number: Wire) -> ProtocolVersion {
    ProtocolVersion(number.0)
}

fn suite(number: Wire) -> CipherSuite {
    CipherSuite(number.0.into())
}

/// The parameter list of an exchange.
fn parameters(
    client: &Hex,
    server: &Hex,
    session_hash: Option<&Hex>,
) -> Result<ParameterList, Fault> {
    let random = |bytes: &Hex| {
        let random = bytes.0.as_slice().try_into();
        random.map_err(|_| Fault::Wrong("a random has another length than 32 bytes".to_owned()))
    };
    let list = ParameterList::new().client_random(random(client)?).server_random(random(server)?);
    match session_hash {
        Some(hash) => Ok(list.session_hash(hash)?),
        None => Ok(list),
    }
}

/// Compares the keys of both directions.
fn same_keys(expected: &corpus::SessionKeys, found: &SessionKeys) -> Answer {
    let [client, server] = [Side::Client, Side::Server].map(|writer| found.expose(writer));
    let (client, server) = (client?, server?);
    same("client MAC key", &expected.client_mac_key, client.mac_key)?;
    same("server MAC key", &expected.server_mac_key, server.mac_key)?;
    same("client write key", &expected.client_write_key, client.write_key)?;
    same("server write key", &expected.server_write_key, server.write_key)?;
    same("client write IV", &expected.client_write_iv, client.write_iv)?;
    same("server write IV", &expected.server_write_iv, server.write_iv)
}
