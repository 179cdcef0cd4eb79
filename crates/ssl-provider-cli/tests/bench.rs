//! `sslprov bench`: the structure of its reports, from runs that are too short for any figure.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use ssl_provider::backends;

use common::sslprov;

/// Runs `sslprov bench` for as short as it can.
fn bench(arguments: &[&str]) -> common::Run {
    sslprov([&["bench", "--time", "0"], arguments].concat())
}

fn rows(report: &Value) -> &[Value] {
    report["rows"].as_array().expect("rows")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}

#[test]
fn every_backend_is_measured_beside_its_library() {
    let run = bench(&["--backend", "all", "--bits", "1024", "--json", "-"]).expect_code(0);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["format"], &report["version"]), (&"sslprov-bench".into(), &1.into()));
    let of = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    for backend in backends() {
        let name = backend.info().name;
        let rows = || rows(&report).iter().filter(|row| row["backend"] == name);
        let groups: BTreeSet<String> = rows().map(|row| of(row, "group")).collect();
        for group in ["import", "handshakes", "records", "agreement", "signatures", "threads"] {
            assert!(groups.contains(group), "{name}: {groups:?}");
        }
        let parts: Vec<String> = rows()
            .filter(|row| row["group"] == "import")
            .map(|row| {
                assert_eq!((&row["case"], &row["x"]), (&"RSA".into(), &1024.into()));
                of(row, "operation")
            })
            .collect();
        assert_eq!(parts, ["import", "RSA", "unpadding", "fallback", "PRF", "rest"], "{name}");
        for row in rows() {
            let time = |end: &str| row["time"][end].as_f64().unwrap();
            assert!(time("low") <= time("median") && time("median") <= time("high"), "{row}");
            // What is left of a whole may be below zero.
            let is_time = time("low") > 0.0 || row["operation"] == "rest";
            assert!(row["rounds"].as_u64().unwrap() >= 6 && is_time, "{row}");
            let is_load = row["group"] == "threads";
            assert_eq!(row["latency"].is_object(), is_load, "{row}");
            let has_library = match of(row, "group").as_str() {
                "records" | "signatures" => true,
                // There is no crate of finite fields.
                "agreement" => row["case"] != "ffdhe2048" || ["aws-lc", "openssl"].contains(&name),
                _ => continue,
            };
            let other = if has_library { Value::from("library") } else { Value::Null };
            assert_eq!(row["other"]["name"], other, "{row}");
        }
    }
    assert!(report["noise"]["pairs"].as_u64().unwrap() > 30, "{}", report["noise"]);
    assert!(report["machine"]["logical_processors"].as_u64().unwrap() > 0);
}

#[test]
fn files_are_written_compared_and_not_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let [json, page] = ["a.json", "a.html"].map(|name| folder.path().join(name));
    let charts = folder.path().join("charts");
    fs::create_dir(&charts).unwrap();
    let group = ["--group", "records,batches"];
    let files = ["--json", text(&json), "--html", text(&page), "--charts", text(&charts)];
    let run = bench(&[&group[..], &files].concat()).expect_code(0);
    assert!(run.stdout.is_ascii(), "not a terminal");
    assert!(run.stdout.contains("AES-128-GCM, 16384 bytes") && run.stdout.contains('#'));
    assert!(!run.stdout.contains("\nHandshakes"), "{}", run.stdout);

    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<svg ") && !html.contains("http"), "a page of its own");
    let drawn: Vec<String> = fs::read_dir(&charts)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(drawn.contains(&"records-aes-128-gcm-encrypt.svg".to_owned()), "{drawn:?}");

    // A second time the files are there.
    let before = fs::read(&json).unwrap();
    for files in [&files[..2], &files[2..4], &files[4..]] {
        let refused = bench(&[&group[..], files].concat()).expect_code(2);
        refused.expect_stderr("--force");
    }
    assert_eq!(fs::read(&json).unwrap(), before);

    // The same run has not changed since itself.
    let shown = sslprov(["bench", "--from", text(&json), "--compare", text(&json)]);
    let shown = shown.expect_code(0).stdout;
    assert!(shown.contains("0 of ") && shown.contains("changed beyond noise"), "{shown}");
    // One that took a tenth of the time has.
    let mut report: Value = serde_json::from_slice(&before).unwrap();
    for row in report["rows"].as_array_mut().unwrap() {
        for end in ["median", "low", "high"] {
            row["time"][end] = (row["time"][end].as_f64().unwrap() / 1e6).into();
        }
    }
    report["machine"]["processor"] = "another processor".into();
    let old = folder.path().join("old.json");
    fs::write(&old, report.to_string()).unwrap();
    let shown = sslprov(["bench", "--from", text(&json), "--compare", text(&old), "--markdown"]);
    let shown = shown.expect_code(0).stdout;
    assert!(shown.contains(" slower |") && shown.contains("another processor then"), "{shown}");
}

#[test]
fn what_would_be_measured_is_listed_without_measuring() {
    let run = sslprov(["bench", "--backend", "all", "--list", "--bits", "2048,3072"]);
    let list = run.expect_code(0).stdout;
    assert!(list.contains("\n  RSA-3072: ") && list.contains("\nrecords: Records\n"), "{list}");
    for backend in backends() {
        assert!(list.contains(backend.info().name), "{list}");
    }
}

#[test]
fn bad_arguments_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.json");
    fs::write(&other, "{}").unwrap();
    for (arguments, told) in [
        (&["--group", "speed"][..], "--group speed: expected some of import, handshakes"),
        (&["--bits", "2047"], "expected a multiple of 8 from 1024 to 8192"),
        (&["--time", "soon"], "expected a time such as 90s"),
        (&["--compare", text(&other)], "other.json: not a report of `bench --json`"),
        (&["--compare", "no such file"], "--compare no such file: "),
        (&["--json", "-", "--markdown"], "both are for standard output"),
        (&["--charts", text(&other)], "the folder cannot be read"),
        (&["--html", text(folder.path())], "is a folder"),
        (&["--json", text(&other), "--html", text(&other)], "is the same file as"),
    ] {
        let run = sslprov([&["bench"], arguments].concat()).expect_code(2);
        assert_eq!(run.stdout, "", "{arguments:?}");
        run.expect_stderr(told);
    }
}
