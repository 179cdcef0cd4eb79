//! The committed corpus: it is what the generator makes, every backend passes it, the verifier in
//! Python confirms it, and both verifiers find mistakes that are planted in a copy.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use ssl_provider::backends;
use ssl_provider_command::exit::{Failure, Outcome};
use ssl_provider_compare::vectors::{generate, verify};
use ssl_provider_testkit::question::Subject;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors")
}

const FILES: [&str; 6] = [
    "tls13_key_schedule.json",
    "tls13_records.json",
    "tls_key_agreement.json",
    "tls_key_schedule.json",
    "tls_records.json",
    "tls_rsa_import.json",
];

/// The names of the JSON files in a folder.
fn json_files(folder: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".json")).collect()
}

#[test]
fn the_committed_files_are_what_the_generator_makes() {
    let files = generate::files();
    for file in &files {
        let committed = fs::read_to_string(corpus().join(&file.path)).unwrap();
        assert!(
            committed == file.contents,
            "{} differs: run `sslprov vectors generate --force` and look at the difference",
            file.path
        );
    }
    let schemas = json_files(&corpus().join("schema"));
    let schemas = schemas.into_iter().map(|name| format!("schema/{name}"));
    let there: BTreeSet<String> = json_files(&corpus()).into_iter().chain(schemas).collect();
    let made: BTreeSet<String> = files.into_iter().map(|file| file.path).collect();
    assert_eq!(there, made);
}

#[test]
fn every_backend_passes() {
    let files = verify::read(&corpus()).unwrap();
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), FILES);
    for backend in backends() {
        for (name, file) in &files {
            for row in verify::verify(&Subject::new(&backend), name, file) {
                assert_eq!(row.failures, [], "{} {name}", row.backend);
                assert!(row.passed > 0, "{} {name} {}", row.backend, row.group_type);
                let may_lack = row.group_type == "TlsEcdhe";
                assert!(may_lack || row.unsupported == 0, "{} {name}", row.backend);
            }
        }
    }
}

/// A copy of the corpus, with the first tests of each kind only, and with mistakes.
struct Copy {
    folder: TempDir,
    /// The mistakes: file and test.
    planted: BTreeSet<(String, u64)>,
}

impl Copy {
    /// Keeps tests with a flag that no test before them has in a group like theirs.
    fn of_the_corpus() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            let text = fs::read_to_string(corpus().join(name)).unwrap();
            let mut file: Value = serde_json::from_str(&text).unwrap();
            let (mut seen, mut count) = (BTreeSet::new(), 0);
            for group in file["testGroups"].as_array_mut().unwrap() {
                let kind = group["type"].to_string();
                let tests = group["tests"].as_array_mut().unwrap();
                tests.retain(|test| {
                    let is_short = test["record"].as_str().is_none_or(|hex| hex.len() < 2000);
                    is_short && seen.insert((kind.clone(), test["flags"].to_string()))
                });
                count += tests.len();
            }
            file["numberOfTests"] = json!(count);
            fs::write(folder.path().join(name), file.to_string()).unwrap();
        }
        Self { folder, planted: BTreeSet::new() }
    }

    fn read(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.folder.path().join(name)).unwrap()).unwrap()
    }

    fn write(&self, name: &str, file: &Value) {
        fs::write(self.folder.path().join(name), file.to_string()).unwrap();
    }

    /// Changes the first test, not yet changed, that has something at a path.
    fn plant(&mut self, name: &str, path: &str, change: impl Fn(&mut Value)) {
        let mut file = self.read(name);
        let groups = file["testGroups"].as_array_mut().unwrap().iter_mut();
        let mut tests = groups.flat_map(|group| group["tests"].as_array_mut().unwrap());
        let (id, place) = tests
            .find_map(|test| {
                let id = test["tcId"].as_u64().unwrap();
                let is_new = !self.planted.contains(&(name.to_owned(), id));
                let place = test.pointer_mut(path).filter(|place| is_new && **place != json!(""));
                place.map(|place| (id, place))
            })
            .unwrap_or_else(|| panic!("{name}: no test has {path}"));
        change(place);
        self.planted.insert((name.to_owned(), id));
        self.write(name, &file);
    }

    /// What `sslprov vectors verify` finds on a backend.
    fn found_by_backend(&self) -> BTreeSet<(String, u64)> {
        let backend = backends().into_iter().next_back().unwrap();
        let mut found = BTreeSet::new();
        for (name, file) in verify::read(self.folder.path()).unwrap() {
            for row in verify::verify(&Subject::new(&backend), &name, &file) {
                found.extend(row.failures.iter().map(|it| (name.clone(), u64::from(it.tc_id))));
            }
        }
        found
    }

    /// What `verify.py` finds.
    fn found_by_python(&self) -> BTreeSet<(String, u64)> {
        let output = python(self.folder.path());
        let text = String::from_utf8(output.stdout).unwrap();
        let found: BTreeSet<_> = text
            .lines()
            .filter_map(|line| {
                let (name, rest) = line.split_once(" tcId ")?;
                Some((name.to_owned(), rest.split(' ').next()?.parse().unwrap()))
            })
            .collect();
        assert_eq!(output.status.code(), Some(i32::from(!found.is_empty())), "{text}");
        found
    }
}

fn python(folder: &Path) -> Output {
    Command::new("python3")
        .arg(corpus().join("verify.py"))
        .arg(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 is installed")
}

#[test]
fn the_verifier_in_python_confirms_every_test() {
    let output = python(&corpus());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for name in FILES {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        let number = |what: &str| -> u64 {
            let mut words = line.split_whitespace().rev().skip_while(|word| *word != what);
            words.nth(1).unwrap().parse().unwrap()
        };
        let text = fs::read_to_string(corpus().join(name)).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(Value::from(number("valid") + number("invalid")), file["numberOfTests"]);
        assert_eq!(number("wrong"), 0);
    }
}

/// Changes the last digit of hex, or of the first of several.
fn last_digit(value: &mut Value) {
    let text = value.as_str().unwrap();
    let (start, last) = text.split_at(text.len() - 1);
    *value = json!(format!("{start}{}", if last == "0" { "1" } else { "0" }));
}

#[test]
fn both_verifiers_find_planted_mistakes_and_no_others() {
    if backends().is_empty() {
        return;
    }
    let mut copy = Copy::of_the_corpus();
    assert_eq!(copy.found_by_python(), BTreeSet::new());
    assert_eq!(copy.found_by_backend(), BTreeSet::new());
    for (name, paths) in [
        ("tls_rsa_import.json", &["/masterSecret", "/implicitRejection/masterSecret"][..]),
        (
            "tls_key_schedule.json",
            &["/masterSecret", "/keys/serverWriteKey", "/serverVerifyData", "/messages"],
        ),
        ("tls_records.json", &["/plaintext", "/record", "/preceding/0"]),
        ("tls_key_agreement.json", &["/masterSecret", "/clientPublic", "/keys/clientWriteKey"]),
        (
            "tls13_key_schedule.json",
            &[
                "/earlySecret",
                "/psk/binder",
                "/messages/helloRetryRequest",
                "/serverApplicationTrafficSecrets/1",
                "/exporter/keyingMaterial",
                "/resumptionPsk",
            ],
        ),
        ("tls13_records.json", &["/plaintext", "/record"]),
    ] {
        for path in paths {
            copy.plant(name, path, last_digit);
        }
    }
    // Bad tests that are said to be good, and good ones that are said to be bad.
    for name in ["tls_records.json", "tls_key_agreement.json", "tls13_records.json"] {
        for (from, to) in [("valid", "invalid"), ("invalid", "valid")] {
            let planted = copy.planted.len();
            let mut file = copy.read(name);
            let groups = file["testGroups"].as_array_mut().unwrap().iter_mut();
            let mut tests = groups.flat_map(|group| group["tests"].as_array_mut().unwrap());
            let is_new = |id: u64| !copy.planted.contains(&(name.to_owned(), id));
            let test = tests
                .find(|test| test["result"] == from && is_new(test["tcId"].as_u64().unwrap()))
                .unwrap();
            test["result"] = json!(to);
            let id = test["tcId"].as_u64().unwrap();
            copy.planted.insert((name.to_owned(), id));
            copy.write(name, &file);
            assert_eq!(copy.planted.len(), planted + 1);
        }
    }
    assert_eq!(copy.found_by_python(), copy.planted);
    assert_eq!(copy.found_by_backend(), copy.planted);
}

/// What only the verifier in Python looks at.
#[test]
fn the_verifier_in_python_finds_mistakes_of_form() {
    let copy = Copy::of_the_corpus();
    let name = "tls_key_schedule.json";
    let good = copy.read(name);
    let test = "/testGroups/0/tests/0";
    let damages: [(&str, Value, &str); 7] = [
        ("/numberOfTests", json!(7), "numberOfTests"),
        ("/testGroups/0/tests/0/tcId", json!(0), "tcId"),
        ("/testGroups/0/tests/0/clientRandom", json!("00"), "masterSecret"),
        ("/testGroups/0/tests/0/flags", json!(["Unheard"]), "flags"),
        ("/testGroups/0/protocol", json!("TLS 1.1"), "version"),
        ("/testGroups/0/tests/0/keyBlock", json!("0000"), "keyBlock"),
        (test, json!({}), "KeyError('tcId')"),
    ];
    for (path, value, expected) in damages {
        let mut file = good.clone();
        *file.pointer_mut(path).unwrap() = value;
        copy.write(name, &file);
        let output = python(copy.folder.path());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{path}: {text}");
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        assert!(line.contains(expected), "{path}: {line}");
    }
}

#[derive(Debug, Parser)]
struct CommandLine {
    #[command(subcommand)]
    command: ssl_provider_compare::Command,
}

fn run(arguments: &[&str]) -> Result<Outcome, Failure> {
    let arguments = ["sslprov", "vectors", "verify"].iter().chain(arguments);
    CommandLine::try_parse_from(arguments).unwrap().command.run()
}

#[test]
fn a_folder_without_vectors_says_what_to_do() {
    if backends().is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let refused = |folder: &Path| run(&[folder.to_str().unwrap()]).unwrap_err().to_string();
    let text = refused(&missing);
    assert!(text.contains("missing") && text.contains("sslprov vectors generate"), "{text}");
    assert!(refused(folder.path()).contains("no .json files"));
    fs::write(folder.path().join("a.json"), "{}").unwrap();
    let text = refused(folder.path());
    assert!(text.contains("a.json") && text.contains("generatorVersion"), "{text}");
}

#[test]
fn the_exit_code_says_whether_all_passed() {
    if backends().is_empty() {
        return;
    }
    let mut copy = Copy::of_the_corpus();
    let folder = copy.folder.path().to_str().unwrap().to_owned();
    assert_eq!(run(&[&folder]).unwrap(), Outcome::All);
    copy.plant("tls_records.json", "/plaintext", last_digit);
    assert_eq!(run(&[&folder, "--json"]).unwrap(), Outcome::Some);
}
