//! Published test vectors, read in place: where they are, and one small parser for each format.
//! Where they are absent, tests on them are skipped with a warning, unless they are required.

use std::any::Any;
use std::collections::HashMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use bzip2::read::BzDecoder;
use data_encoding::BASE64;
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::bytes::hex;
use crate::diagnostics::not_tested;
use crate::skip_current;

/// The variable that says where the vectors are: a folder; `require` for the one beside the
/// repository, `../shared/vectors`, or else `target/vectors`, one of which must exist; or `none` to
/// skip the tests on them. Where it is not set, these two are used if they exist.
pub const VARIABLE: &str = "SSL_PROVIDER_VECTORS";

/// The file in a folder of vectors that lists what nobody publishes as a file: an object with the
/// reason for each path. `cargo xtask vectors` writes it; tests on such a path are skipped.
pub const ABSENT: &str = "absent.json";

/// Returns the folder of published vectors; where there is none, writes to standard error which
/// test is skipped.
///
/// # Panics
///
/// When [`VARIABLE`] asks for a folder that does not exist.
pub fn folder() -> Option<PathBuf> {
    let beside = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    let fetched = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/vectors"));
    match locate(env::var_os(VARIABLE).as_deref(), [beside, fetched]) {
        Ok(folder) => Some(folder),
        Err(reason) => {
            skip(&reason);
            None
        }
    }
}

/// Returns the folder as [`folder`] does, for a test that needs `path` in it; none also where the
/// folder says that nobody publishes that.
///
/// # Panics
///
/// As [`folder`] does, and when what the folder says is malformed.
pub fn folder_with(path: &str) -> Option<PathBuf> {
    let folder = folder()?;
    match absence(&folder, path) {
        Some(reason) => {
            skip(&format!("{path} is absent: {reason}"));
            None
        }
        None => Some(folder),
    }
}

/// Reports that the test that runs is skipped.
fn skip(reason: &str) {
    // The test runner names the thread of a test after it.
    let thread = thread::current();
    let test = skip_current().or(thread.name()).unwrap_or("a test");
    not_tested(&format!("{test}, on published vectors"), reason);
}

/// Why a folder cannot have `path`, if [`ABSENT`] says so.
fn absence(folder: &Path, path: &str) -> Option<String> {
    let list = fs::read_to_string(folder.join(ABSENT)).ok()?;
    let list: HashMap<String, String> =
        serde_json::from_str(&list).unwrap_or_else(|error| panic!("{ABSENT}: {error}"));
    list.get(path).cloned()
}

/// Returns the folder, or the reason why the tests on it are skipped. Of `places`, the first that
/// exists is used where none is named.
fn locate(asked: Option<&OsStr>, places: [&Path; 2]) -> Result<PathBuf, String> {
    let found = places.into_iter().find(|place| place.is_dir());
    let folder = match asked {
        Some(value) if value == "none" => return Err(format!("{VARIABLE}=none")),
        None if found.is_none() => {
            return Err(format!(
                "{VARIABLE} is not set, and ../shared/vectors and target/vectors are absent"
            ));
        }
        Some(value) if value != "require" => Path::new(value),
        _ => found.unwrap_or(places[0]),
    };
    assert!(
        folder.is_dir(),
        "published vectors not found at {}: run `cargo xtask vectors`, set {VARIABLE} to their \
         folder, or to \"none\" to run without them",
        folder.display()
    );
    Ok(folder.to_owned())
}

/// Runs `check` on the folder of vectors and compares the number of cases that it returns. If it
/// reads a file that nobody publishes, the test is skipped.
pub fn with_folder(expected: usize, check: impl FnOnce(&Vectors) -> usize) {
    let Some(folder) = folder() else { return };
    match catch_unwind(AssertUnwindSafe(|| check(&Vectors(folder)))) {
        Ok(run) => assert_eq!(run, expected, "number of vectors that were run"),
        Err(panic) => match panic.downcast::<Absent>() {
            Ok(absent) => skip(&absent.0),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// What ends a check that reads a file that nobody publishes: why it is skipped.
struct Absent(String);

/// The folder of vectors.
#[derive(Debug)]
pub struct Vectors(PathBuf);

impl Vectors {
    /// A file as text.
    pub fn text(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path)).expect("vectors are text")
    }

    /// A file.
    pub fn bytes(&self, path: &str) -> Vec<u8> {
        let place = self.0.join(path);
        fs::read(&place).unwrap_or_else(|error| match absence(&self.0, path) {
            // Not a failure, so the panic hook is not to print it.
            Some(reason) => {
                let reason = Absent(format!("{path} is absent: {reason}"));
                resume_unwind(Box::new(reason) as Box<dyn Any + Send>)
            }
            None => panic!("{}: {error}", place.display()),
        })
    }

    /// A JSON file.
    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A JSON file under bzip2.
    pub fn json_bz2(&self, path: &str) -> Value {
        from_compressed(path, BzDecoder::new(self.bytes(path).as_slice()))
    }

    /// A JSON file under gzip.
    pub fn json_gz(&self, path: &str) -> Value {
        from_compressed(path, GzDecoder::new(self.bytes(path).as_slice()))
    }

    /// The first PEM block of a file, decoded.
    pub fn pem(&self, path: &str) -> Vec<u8> {
        let blocks = pem_blocks(&self.text(path));
        blocks.into_iter().next().unwrap_or_else(|| panic!("{path}: no PEM block"))
    }
}

fn from_compressed(path: &str, decoder: impl Read) -> Value {
    serde_json::from_reader(decoder).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every PEM block of a text, decoded.
pub fn pem_blocks(text: &str) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut body: Option<String> = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with("-----BEGIN ") {
            body = Some(String::new());
        } else if line.starts_with("-----END ") {
            let base64 = body.take().expect("BEGIN before END");
            blocks.push(BASE64.decode(base64.as_bytes()).expect("base64"));
        } else if let Some(body) = &mut body {
            body.push_str(line);
        }
    }
    blocks
}

/// A text field of a JSON object.
pub fn field<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("no text field {name}"))
}

/// A hex field of a JSON object.
pub fn hex_field(object: &Value, name: &str) -> Vec<u8> {
    hex(field(object, name))
}

/// One case of the ACVP format: facts of its group, questions, and the expected answers.
#[derive(Debug)]
pub struct AcvpCase {
    /// The name of the hash.
    pub hash: String,
    /// The questions, by name.
    pub prompt: Value,
    /// The answers, by name.
    pub expected: Value,
}

/// Joins the prompts and the expected results of an ACVP vector set.
pub fn acvp(prompts: &Value, expected: &Value) -> Vec<AcvpCase> {
    let groups = |set: &Value| set["testGroups"].as_array().expect("groups").clone();
    let tests = |group: &Value| group["tests"].as_array().expect("tests").clone();
    let mut answers: HashMap<u64, Value> = groups(expected)
        .iter()
        .flat_map(tests)
        .map(|test| (test["tcId"].as_u64().expect("tcId"), test))
        .collect();
    let mut cases = Vec::new();
    for group in groups(prompts) {
        let hash = group["hashAlg"].as_str().or(group["hmacAlg"].as_str());
        let hash = hash.expect("the name of a hash").to_owned();
        for prompt in tests(&group) {
            let id = prompt["tcId"].as_u64().expect("tcId");
            let expected = answers.remove(&id).unwrap_or_else(|| panic!("no answer to {id}"));
            cases.push(AcvpCase { hash: hash.clone(), prompt, expected });
        }
    }
    assert!(answers.is_empty(), "answers without a question");
    cases
}

/// The vector set of an ACVP file as some projects keep it: after an element of its own.
pub fn acvp_set(file: &Value) -> &Value {
    file.as_array().and_then(|list| list.last()).unwrap_or(file)
}

/// The paragraphs of a file of `Name = value` lines, each as its pairs in order. Comments begin
/// with `#`; a value may be empty.
pub fn paragraphs(text: &str) -> Vec<Vec<(String, String)>> {
    let mut paragraphs = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        if line.is_empty() {
            paragraphs.push(Vec::new());
        } else if let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#'))
        {
            let pair = (name.trim().to_owned(), value.trim().to_owned());
            paragraphs.last_mut().expect("never empty").push(pair);
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

/// The value of a name in a paragraph.
pub fn value<'a>(paragraph: &'a [(String, String)], name: &str) -> Option<&'a str> {
    paragraph.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
}

/// The arguments of each line that calls `function`, in the format `function:"hex":number:…`.
pub fn colon_lines<'a>(text: &'a str, function: &str) -> Vec<Vec<&'a str>> {
    text.lines()
        .filter_map(|line| line.strip_prefix(function)?.strip_prefix(':'))
        .map(|arguments| arguments.split(':').map(|part| part.trim_matches('"')).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/keys");
    const NOWHERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/nowhere");

    fn located(asked: Option<&str>, beside: &str) -> Result<PathBuf, String> {
        located_in(asked, [beside, NOWHERE])
    }

    fn located_in(asked: Option<&str>, places: [&str; 2]) -> Result<PathBuf, String> {
        locate(asked.map(OsStr::new), places.map(Path::new))
    }

    #[test]
    fn without_the_variable_absent_vectors_are_a_reason_to_skip() {
        assert_eq!(located(None, SOURCES), Ok(SOURCES.into()));
        let reason = located(None, NOWHERE).unwrap_err();
        assert!(reason.contains(VARIABLE), "{reason}");
    }

    #[test]
    fn none_skips_also_where_the_vectors_are() {
        assert_eq!(located(Some("none"), SOURCES), Err("SSL_PROVIDER_VECTORS=none".into()));
    }

    #[test]
    fn a_folder_that_is_required_or_named_must_exist() {
        assert_eq!(located(Some("require"), SOURCES), Ok(SOURCES.into()));
        assert_eq!(located(Some(SOURCES), NOWHERE), Ok(SOURCES.into()));
        assert!(catch_unwind(|| located(Some("require"), NOWHERE)).is_err());
        assert!(catch_unwind(|| located(Some(NOWHERE), SOURCES)).is_err());
        assert!(catch_unwind(|| located(Some(""), SOURCES)).is_err());
    }

    #[test]
    fn fetched_vectors_are_used_where_there_are_none_beside_the_repository() {
        for asked in [None, Some("require")] {
            assert_eq!(located_in(asked, [NOWHERE, KEYS]), Ok(KEYS.into()));
            assert_eq!(located_in(asked, [SOURCES, KEYS]), Ok(SOURCES.into()));
        }
        assert!(catch_unwind(|| located_in(Some("require"), [NOWHERE; 2])).is_err());
    }

    #[test]
    fn only_what_is_listed_may_be_absent() {
        let folder = std::env::temp_dir().join(format!("absent-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(ABSENT), r#"{"derived.json": "made by hand"}"#).unwrap();
        let read = |path: &str| catch_unwind(|| Vectors(folder.clone()).bytes(path)).unwrap_err();
        let absent = read("derived.json").downcast::<Absent>().map(|absent| absent.0).ok();
        let other = read("other.json").downcast::<Absent>().is_ok();
        let reason = absence(&folder, "derived.json");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(absent.as_deref(), Some("derived.json is absent: made by hand"));
        assert!(!other, "what is not listed is a failure");
        assert_eq!(reason.as_deref(), Some("made by hand"));
    }

    #[test]
    fn paragraphs_skip_comments_and_keep_empty_values() {
        let parsed = paragraphs("# a = b\nA = 1\nB =\n\n\nC = x = y\n");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(parsed, [vec![pair("A", "1"), pair("B", "")], vec![pair("C", "x = y")]]);
        assert_eq!(value(&parsed[0], "B"), Some(""));
        assert_eq!(value(&parsed[1], "A"), None);
    }

    #[test]
    fn colon_lines_give_the_arguments_without_quotes() {
        let text = "title\nf:\"aa\":3:\"\"\ngf:1\n";
        assert_eq!(colon_lines(text, "f"), [vec!["aa", "3", ""]]);
    }

    #[test]
    fn pem_blocks_are_decoded() {
        let text =
            "-----BEGIN A-----\nAQID\n-----END A-----\n-----BEGIN B-----\nBA==\n-----END B-----";
        assert_eq!(pem_blocks(text), [vec![1, 2, 3], vec![4]]);
    }
}
