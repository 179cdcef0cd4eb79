//! `sslprov crosscheck`: sound backends agree, a planted fault turns its cells red and no others,
//! and every report says so.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

mod common;

use std::fs;

use serde_json::Value;
use ssl_provider::backends;
use ssl_provider_testkit::bytes::{Rng, to_hex};
use ssl_provider_testkit::exchange::Exchange;
use ssl_provider_testkit::fault::Fault;
use ssl_provider_testkit::rsa_key::TestKey;

use common::sslprov;

/// The default backend, into which faults are put.
fn first() -> &'static str {
    backends()[0].info().name
}

fn json(stdout: &str) -> Value {
    serde_json::from_str(stdout).expect("one JSON object")
}

/// The rows with a cell in this state, as backend and operation.
fn cells_in(report: &Value, state: &str) -> Vec<(String, String)> {
    let rows = report["rows"].as_array().expect("rows");
    rows.iter()
        .flat_map(|row| {
            let cells = row["cells"].as_array().expect("cells").iter();
            cells.filter(|cell| cell["state"] == state).map(|cell| {
                let text = |value: &Value| value.as_str().expect("a text").to_owned();
                (text(&cell["backend"]), text(&row["operation"]))
            })
        })
        .collect()
}

#[test]
fn sound_backends_agree_on_generated_questions() {
    let run = sslprov(["crosscheck", "--generate", "200", "--no-cases", "--json"]).expect_code(0);
    let report = json(&run.stdout);
    assert_eq!(report["asked"], 200);
    assert_eq!(report["disagreements"], Value::Array(Vec::new()));
    assert_eq!(cells_in(&report, "disagree"), []);
    // Each kind has its turn within 40 questions, and each backend has a cell of every import.
    let agreeing = cells_in(&report, "agree");
    for backend in backends() {
        let import = (backend.info().name.to_owned(), "import of a master key".to_owned());
        assert!(agreeing.contains(&import), "{import:?}");
    }
}

#[test]
fn cases_of_an_operation_run_alone() {
    let arguments = ["crosscheck", "--generate", "0", "--only", "cases of hash"];
    let run = sslprov(arguments).expect_code(0);
    assert!(run.stdout.contains("cases of hash"), "{}", run.stdout);
    assert!(!run.stdout.contains("cases of prf"), "{}", run.stdout);
    sslprov(["crosscheck", "--generate", "0", "--only", "no such operation"]).expect_code(1);
}

#[test]
fn a_planted_fault_turns_its_cells_red_in_every_report_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (page, junit) = (file("report.html"), file("report.xml"));
    let fault = format!("{}:hash-sha384-is-sha512", first());
    let arguments = ["crosscheck", "--generate", "800", "--no-cases", "--inject-fault", &fault];
    let run =
        sslprov(arguments.iter().copied().chain(["--json", "--html", &page, "--junit", &junit]))
            .expect_code(4)
            .expect_stderr("has a fault on purpose");
    let report = json(&run.stdout);
    let red = cells_in(&report, "disagree");
    let with_fault = format!("{} with hash-sha384-is-sha512", first());
    assert!(red.contains(&(with_fault.clone(), "SHA-384".to_owned())), "{red:?}");
    for (backend, operation) in &red {
        // The hash by itself is that of the transcript, and in MACs of records.
        assert_eq!(*backend, with_fault);
        let of_transcript = ["Finished", "handshake hash", "secrets of TLS 1.3, SHA-384"];
        let hashes = operation == "SHA-384" || of_transcript.contains(&operation.as_str());
        assert!(hashes || operation.contains("of records"), "{operation}");
    }

    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("DIFFER") && page.contains("regression_of_sha_384"), "no disagreement");
    assert!(!page.contains("http"), "the page names something on the network");
    let junit = fs::read_to_string(junit).unwrap();
    assert!(junit.contains("<failure message=\"disagrees\">"), "{junit}");
    assert_eq!(junit.matches("<testsuite name=").count(), backends().len());

    // The smallest questions, asked again of sound backends, are answered right.
    let replayed = file("replayed.json");
    fs::write(&replayed, &run.stdout).unwrap();
    let disagreements = report["disagreements"].as_array().unwrap();
    let shortest = |entry: &Value| entry["vector"]["question"]["input"] == Value::Array(vec![]);
    assert!(disagreements.iter().any(shortest), "no question was reduced to an empty message");
    let run = sslprov(["crosscheck", "--generate", "0", "--no-cases", "--json", &replayed]);
    let again = json(&run.expect_code(0).stdout);
    assert_eq!(again["asked"], disagreements.len());
}

#[test]
fn a_case_that_fails_is_a_disagreement_with_its_test() {
    let fault = format!("{}:random-is-zero", first());
    let arguments = ["crosscheck", "--generate", "0", "--only", "random", "--inject-fault", &fault];
    let run = sslprov(arguments).expect_code(4);
    let test = "ssl_provider_testkit::cases::random::random_bytes_fill_the_buffer_and_never_repeat";
    assert!(run.stdout.contains("1 of 1 DIFFER") && run.stdout.contains(test), "{}", run.stdout);
}

#[test]
fn an_answer_that_takes_longer_than_the_limit_is_slow() {
    let arguments = ["crosscheck", "--generate", "20", "--no-cases", "--limit", "0"];
    let run = sslprov(arguments).expect_code(3);
    assert!(run.stdout.contains("slower than the limit"), "{}", run.stdout);
}

#[test]
fn every_fault_of_the_drill_is_found_where_it_is_and_nowhere_else() {
    let run = sslprov(["crosscheck", "--drill", "--generate", "400", "--json"]).expect_code(0);
    let report = json(&run.stdout);
    let drills = report["drills"].as_array().unwrap();
    assert_eq!(report["faults"], Fault::ALL.len());
    // And one without a fault.
    assert_eq!(drills.len() as u64, report["faults"].as_u64().unwrap() + 1);
    let by_questions = drills.iter().filter(|drill| drill["found_by_questions"] != empty()).count();
    assert!(by_questions >= 60, "{by_questions} faults are found by questions");
}

#[test]
fn exchanges_of_captures_and_batches_are_asked_and_stay_confidential() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data");
    let (capture, key) =
        (format!("{data}/handshakes.pcapng"), format!("{data}/keys/server-2048.pem"));
    let fault = format!("{}:prf-of-another-hash", first());
    let arguments = ["crosscheck", "--generate", "0", "--no-cases", "--json"];
    let of_capture = ["--capture", &capture, "--key", &key];
    let sound = sslprov(arguments.into_iter().chain(of_capture)).expect_code(0);
    assert!(json(&sound.stdout)["asked"].as_u64().unwrap() > 20, "{}", sound.stdout);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (page, junit) = (file("report.html"), file("report.xml"));
    let faulty = arguments.into_iter().chain(of_capture).chain([
        "--inject-fault",
        &fault,
        "--html",
        &page,
        "--junit",
        &junit,
    ]);
    let faulty = sslprov(faulty).expect_code(4);
    for report in
        [&faulty.stdout, &fs::read_to_string(page).unwrap(), &fs::read_to_string(junit).unwrap()]
    {
        // A master secret has 96 digits of hex, a key a thousand; a hash has 64.
        let longest = report.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
        assert!(longest.is_some_and(|len| len <= 64), "{longest:?}");
    }
    let disagreements = json(&faulty.stdout)["disagreements"].clone();
    for disagreement in disagreements.as_array().unwrap() {
        assert_eq!(disagreement["vector"], Value::Null);
        for answer in disagreement["answers"].as_array().unwrap() {
            assert!(answer.as_str().unwrap().starts_with("SHA-256 "), "{answer}");
        }
    }

    let test_key = TestKey::rsa_1024();
    fs::write(folder.path().join("key.der"), &test_key.der).unwrap();
    let exchange = Exchange::tls1_2();
    let (_, ciphertext) = exchange.encrypted(&test_key, &mut Rng::new(1));
    let entry = serde_json::json!({
        "version": "0303", "suite_id": "009c", "key": "key.der",
        "client_random": to_hex(&exchange.client_random),
        "server_random": to_hex(&exchange.server_random),
        "encrypted_premaster": to_hex(&ciphertext),
    });
    let batch = folder.path().join("batch.jsonl");
    fs::write(&batch, format!("{entry}\n{{\"version\": \"0303\"}}\n")).unwrap();
    let batch = batch.to_str().unwrap();
    let run = sslprov(arguments.into_iter().chain(["--batch", batch])).expect_code(0);
    // The master key and the session keys; the second entry has no ciphertext.
    assert_eq!(json(&run.stdout)["asked"], 2);
    fs::write(batch, entry.to_string().replace("009c", "suite")).unwrap();
    let run = sslprov(arguments.into_iter().chain(["--batch", batch])).expect_code(2);
    run.expect_stderr("exchange 0: suite_id");
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

#[test]
fn arguments_that_are_not_usable_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let existing = folder.path().join("report.html");
    fs::write(&existing, "of yesterday").unwrap();
    let bad = folder.path().join("bad.json");
    fs::write(&bad, r#"[{"name": "x", "question": {"operation": "guess"}}]"#).unwrap();
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let fault = format!("{}:no-such-fault", first());
    for (arguments, expected) in [
        (vec!["--backend", "nss"], "choose one of"),
        (vec!["--inject-fault", &fault], "--list-faults"),
        (vec!["--inject-fault", "nss:random-is-zero"], "choose from"),
        (vec!["--html", &text(&existing)], "--force"),
        (vec!["--html", &text(&bad), "--force", &text(&bad)], "the vectors"),
        (vec!["--html", &text(&bad), "--force", "--key", &text(&bad)], "--key"),
        (vec!["--html", "no/such/folder/report.html"], "folder"),
        (vec![&text(&bad)], "unknown variant `guess`"),
        (vec![&text(folder.path().join("missing.json").as_path())], "missing.json"),
    ] {
        let run = sslprov(["crosscheck"].into_iter().chain(arguments.iter().copied()));
        run.expect_code(2).expect_stderr(expected);
    }
    assert_eq!(fs::read_to_string(existing).unwrap(), "of yesterday");
}
