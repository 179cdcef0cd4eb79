//! `sslprov timing`: its options, reports, exit codes, and a server that is timed through a socket.
//! No time is judged here: a busy machine would make that fail.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

mod common;

use std::fs;
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};
use ssl_provider::backends;
use ssl_provider_testkit::timing_class::CLASSES;

use common::server::Server;
use common::{Run, command, sslprov, sslprov_with};

/// The first backend, so that runs are short.
fn backend() -> &'static str {
    backends()[0].info().name
}

fn timing(arguments: &[&str]) -> Run {
    sslprov([&["timing"], arguments].concat())
}

fn report(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).expect("one JSON object")
}

/// The subjects of a report by name, with whether they are controls.
fn subjects(report: &Value) -> Vec<(&str, bool)> {
    let subjects = report["subjects"].as_array().expect("an array").iter();
    let subjects = subjects.map(|subject| {
        (
            subject["name"].as_str().expect("a text"),
            subject["is_control"].as_bool().expect("true or false"),
        )
    });
    subjects.collect()
}

#[test]
fn the_help_says_whose_servers_may_be_measured_and_what_the_exit_codes_mean() {
    let help = timing(&["--help"]).expect_code(0).stdout;
    // However wide the terminal is taken to be.
    let help = help.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "Never measure a server of somebody else",
        "Measure only servers of your own",
        "It proves nothing",
        "Exit codes:",
        "4 the time, or the answer, depends on the plaintext",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn a_short_run_measures_everything_and_says_that_it_proves_nothing() {
    let run = timing(&["--smoke", "--backend", backend(), "--json"]).expect_code(0);
    let report = report(&run);
    let subjects = subjects(&report);
    for name in ["selection", "import with X", "socket with X"] {
        let name = name.replace('X', backend());
        assert!(subjects.contains(&(&name, false)), "{name}: {subjects:?}");
    }
    assert_eq!(subjects.iter().filter(|(_, is_control)| *is_control).count(), 5, "{subjects:?}");
    for subject in report["subjects"].as_array().expect("an array") {
        let name = &subject["name"];
        assert_eq!(
            subject["pairs"].as_array().expect("an array").len(),
            CLASSES.len() - 1,
            "{name}"
        );
        for class in subject["classes"].as_array().expect("an array") {
            let quantiles = class["quantiles_ns"].as_array().expect("an array");
            assert!(quantiles.iter().all(|time| time.as_f64().unwrap() > 0.0), "{name} {class}");
        }
        for pair in subject["pairs"].as_array().expect("an array") {
            assert!(pair["standard_error_ns"].as_f64().unwrap() > 0.0, "{name} {pair}");
            let verdict = pair["verdict"]["is"].as_str().expect("a text");
            assert!(!["leak", "no-leak"].contains(&verdict), "{name} {pair}");
        }
    }
    assert_eq!(report["settings"]["smoke"], true);
    assert!(report["environment"]["libraries"][backend()].is_string());
}

#[test]
fn the_same_report_is_shown_as_tables_document_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (saved, page) = (path("report.json"), path("report.html"));
    let run = timing(&["--smoke", "--subject", "selection", "--json"]).expect_code(0);
    fs::write(&saved, &run.stdout).unwrap();

    let shown = timing(&["--from", &saved, "--html", &page]).expect_code(0);
    assert!(shown.stdout.contains("a run this short proves nothing"), "{}", shown.stdout);
    assert!(shown.stdout.contains("control: one branch: 1000 blocks"), "{}", shown.stdout);
    let html = fs::read_to_string(&page).unwrap();
    let rows = html.matches("<tr data-target=").count();
    assert_eq!(rows, 3 * CLASSES.len(), "a row for each of three subjects and each of its pairs");
    assert!(!html.contains("http"), "it loads nothing");

    let quiet = timing(&["--from", &saved, "--quiet"]).expect_code(0);
    assert!(quiet.stdout.lines().count() < 5, "{}", quiet.stdout);
    let document = timing(&["--from", &saved, "--markdown"]).expect_code(0).stdout;
    assert!(document.starts_with("# Timing\n") && document.contains("\n### Selection\n"));
    // The same report twice is one.
    let again = timing(&["--from", &saved, &saved, "--json"]).expect_code(0);
    assert!(report(&again) == report(&run), "another report: {}", again.stdout.len());

    let refused = timing(&["--from", &saved, "--html", &page]).expect_code(2);
    refused.expect_stderr("report.html: exists; --force replaces it");
    timing(&["--from", &saved, "--html", &page, "--force"]).expect_code(0);
    let same = timing(&["--from", &saved, "--html", &saved, "--force"]).expect_code(2);
    same.expect_stderr("is the same file as --from");
}

#[test]
fn exit_codes_follow_the_verdicts_of_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.json");
    let file = path.to_str().unwrap();
    let run = timing(&["--smoke", "--subject", "selection", "--json"]).expect_code(0);
    let with = |verdict: Value| {
        let mut report = report(&run);
        report["settings"]["smoke"] = false.into();
        for subject in report["subjects"].as_array_mut().unwrap() {
            for pair in subject["pairs"].as_array_mut().unwrap() {
                pair["verdict"] = json!({ "is": "no-leak", "above_ns": 0.1 });
            }
        }
        report["subjects"][2]["pairs"][3]["verdict"] = verdict;
        fs::write(&path, report.to_string()).unwrap();
        timing(&["--from", file])
    };
    with(json!({ "is": "no-leak", "above_ns": 0.1 })).expect_code(0);
    let leak = with(json!({ "is": "leak", "by": "5 ns longer" })).expect_code(4);
    assert!(leak.stdout.contains("LEAK in 1 of 17 pairs"), "{}", leak.stdout);
    let unsure = json!({ "is": "inconclusive", "advice": "measure at night" });
    let unsure = with(unsure).expect_code(3);
    assert!(unsure.stdout.contains("selection: measure at night"), "{}", unsure.stdout);
    fs::write(&path, "{}").unwrap();
    timing(&["--from", file]).expect_code(2).expect_stderr("not a report of `sslprov timing");
}

#[test]
fn a_server_is_timed_through_a_socket() {
    let mut serve = command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--backend", backend()]);
    let server = Server::start_command(serve).expect("the server listens");
    let run = timing(&["--connect", &server.address, "--smoke", "--json"]).expect_code(0);
    let report = report(&run);
    assert_eq!(subjects(&report), [(server.address.as_str(), false)]);
    assert_eq!(report["settings"]["bits"], 2048, "of the server's own key");
    let subject = &report["subjects"][0];
    let classes = subject["classes"].as_array().expect("an array");
    assert_eq!(classes.len(), CLASSES.len() + 1);
    assert_eq!(classes[CLASSES.len()]["role"], "delayed");
    for class in classes {
        let answers = class["answers"].as_object().unwrap();
        let kinds: Vec<_> = answers.keys().collect();
        assert_eq!(kinds, ["alert bad_record_mac"], "{}", class["name"]);
        assert!(answers["alert bad_record_mac"].as_u64() >= Some(16));
    }
}

#[test]
fn old_versions_and_one_suite_can_be_offered() {
    let mut serve = command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--backend", backend(), "--allow-ssl3"]);
    let server = Server::start_command(serve).expect("the server listens");
    let connect = ["--connect", &server.address, "--smoke", "--quiet"];
    let suite = ["--suite", "TLS_RSA_WITH_AES_128_CBC_SHA"];
    for protocol in ["ssl3", "tls1.0"] {
        let offer = ["--protocol", protocol];
        timing(&[&connect[..], &offer, &suite].concat()).expect_code(0);
    }
    let refused = timing(&[&connect[..], &["--suite", "TLS_RSA_WITH_NULL_MD5"]].concat());
    refused.expect_code(2).expect_stderr("the server ends the handshake: alert handshake_failure");
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_reason() {
    // One that speaks no TLS.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            use std::io::Write;
            let _ = (&stream).write_all(b"SSH-2.0-x\r\n");
        }
    });
    let run = timing(&["--connect", &address, "--smoke"]).expect_code(2);
    run.expect_stderr(&address).expect_stderr("the server");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = timing(&["--connect", &port.to_string(), "--smoke"]).expect_code(2);
    nobody.expect_stderr("cannot connect to");
    for (arguments, part) in [
        (&["--connect", "nowhere"][..], "expected HOST:PORT"),
        (&["--backend", "nss"], "no backend 'nss' is compiled in"),
        (&["--blocks", "1"], "16..=10000000"),
        (&["--time", "soon"], "expected a time such as 90s"),
        (&["--suite", "2f"], "--connect"),
        (&["--smoke", "--blocks", "100"], "cannot be used with"),
        (&["--from", "x", "--bits", "2048"], "cannot be used with"),
        (&["--from", "/no/such/report"], "/no/such/report"),
        (&["--smoke", "--html", "/no/such/folder/x"], "its folder does not exist"),
        (&["--force"], "--html"),
    ] {
        timing(arguments).expect_code(2).expect_stderr(part);
    }
    let environment = [("SSL_PROVIDER_BACKEND", "nss")];
    sslprov_with(["timing", "--smoke"], b"", &environment).expect_code(2);
}
