//! Published test vectors, read in place: where they are, and one small parser for each format.
//! Their absence is a failure, unless the environment says that it is meant.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;

use bzip2::read::BzDecoder;
use data_encoding::BASE64;
use serde_json::Value;

use crate::bytes::hex;
use crate::loud::not_tested;

/// The variable that says where the vectors are: a folder, or `none` to do without them.
pub const VARIABLE: &str = "SSL_PROVIDER_VECTORS";

/// The folder of published vectors, or none where [`VARIABLE`] is `none`.
///
/// # Panics
///
/// When the folder does not exist: a suite without vectors has to be asked for by name.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var(VARIABLE) {
        Ok(value) if value == "none" => {
            not_tested("what published vectors say", format_args!("{VARIABLE}=none"));
            return None;
        }
        Ok(value) => PathBuf::from(value),
        Err(_) => PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors")),
    };
    assert!(
        folder.is_dir(),
        "published vectors not found at {}: set {VARIABLE} to their folder, or to \"none\" to \
         run without them",
        folder.display()
    );
    Some(folder)
}

/// Runs `check` on the folder of vectors and compares the number of cases that it returns.
pub fn with_folder(expected: usize, check: impl FnOnce(&Vectors) -> usize) {
    if let Some(folder) = folder() {
        assert_eq!(check(&Vectors(folder)), expected, "number of vectors that were run");
    }
}

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
        let path = self.0.join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A JSON file.
    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A JSON file under bzip2.
    pub fn json_bz2(&self, path: &str) -> Value {
        let mut text = String::new();
        BzDecoder::new(self.bytes(path).as_slice())
            .read_to_string(&mut text)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The first PEM block of a file, decoded.
    pub fn pem(&self, path: &str) -> Vec<u8> {
        let blocks = pem_blocks(&self.text(path));
        blocks.into_iter().next().unwrap_or_else(|| panic!("{path}: no PEM block"))
    }
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
        let hash = field(&group, "hashAlg").to_owned();
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
    use super::*;

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
