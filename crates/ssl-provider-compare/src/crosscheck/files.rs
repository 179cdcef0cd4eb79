//! Vectors in files: as this command's reports have them, one or an array of them, and the files of
//! the public corpus.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use ssl_provider_command::exit::Failure;
use ssl_provider_testkit::corpus::AnyFile;
use ssl_provider_testkit::question::{Vector, corpus};

use super::{Asked, Extra};

/// The group of vectors in files.
pub const GROUP: &str = "vectors";

/// Reads files, and folders with whatever in them ends in `.json`.
///
/// # Errors
///
/// [`Failure::Usage`] that names the file and what is wrong with it.
pub fn read(paths: &[PathBuf]) -> Result<Extra, Failure> {
    let mut vectors = Extra::new();
    for path in paths {
        for file in files_of(path)? {
            let wrong = |what: String| Failure::Usage(format!("{}: {what}", file.display()));
            let text = fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
            let read = parse(&text).map_err(wrong)?;
            let asked = |vector| Asked { group: GROUP, vector, is_confidential: false };
            vectors.extend(read.into_iter().map(asked));
        }
    }
    Ok(vectors)
}

/// The file itself, or the JSON files of a folder in the order of their names.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let wrong =
        |what: &dyn std::fmt::Display| Failure::Usage(format!("{}: {what}", path.display()));
    let entries = fs::read_dir(path).map_err(|error| wrong(&error))?;
    let mut files = Vec::new();
    for entry in entries {
        let file = entry.map_err(|error| wrong(&error))?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(wrong(&"no file in it ends in .json"));
    }
    files.sort();
    Ok(files)
}

/// Reads the text of a file: a vector, an array of them, a report of this command, or a file of the
/// public corpus.
///
/// # Errors
///
/// Says what is wrong with the JSON, and with which vector.
pub fn parse(text: &str) -> Result<Vec<Vector>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let of_one = |value: Value| serde_json::from_value(value).map_err(|error| error.to_string());
    match value {
        Value::Array(entries) => entries
            .into_iter()
            .enumerate()
            .map(|(at, entry)| of_one(entry).map_err(|what| format!("vector {at}: {what}")))
            .collect(),
        // A report of this command.
        Value::Object(mut report) if report.contains_key("disagreements") => {
            let of_report = report.remove("disagreements").unwrap_or_default();
            let kept = of_report.as_array().into_iter().flatten();
            let vectors = kept.filter_map(|disagreement| disagreement.get("vector"));
            vectors.filter(|vector| !vector.is_null()).cloned().map(of_one).collect()
        }
        Value::Object(file) if file.contains_key("testGroups") => {
            let file = AnyFile::parse(text).map_err(|error| error.to_string())?;
            Ok(corpus::questions(&file).into_iter().flat_map(|test| test.vectors).collect())
        }
        other => Ok(vec![of_one(other)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VECTOR: &str =
        r#"{"name": "abc", "question": {"operation": "hash", "hash": "SHA-1", "input": ["61"]}}"#;

    #[test]
    fn one_vector_an_array_and_a_report_are_read() {
        assert_eq!(parse(VECTOR).unwrap().len(), 1);
        assert_eq!(parse(&format!("[{VECTOR}, {VECTOR}]")).unwrap().len(), 2);
        let report =
            format!(r#"{{"disagreements": [{{"vector": {VECTOR}}}, {{"vector": null}}]}}"#);
        assert_eq!(parse(&report).unwrap().len(), 1);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong =
            parse(&format!("[{VECTOR}, {}]", VECTOR.replace("SHA-1", "SHA-0"))).unwrap_err();
        assert!(wrong.contains("vector 1") && wrong.contains("SHA-0"), "{wrong}");
        assert!(parse("{").is_err());
        assert!(parse(r#"{"name": "x"}"#).unwrap_err().contains("question"));
    }
}
