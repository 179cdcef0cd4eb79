//! `sslprov backends` and `sslprov suites`: their output matches the library's own data.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

mod common;

use serde_json::Value;
use ssl_provider::{CipherSuiteInfo, Operation, Support, backends, multi_buffer_instructions};

use common::sslprov;

#[test]
fn the_json_table_has_every_backend_and_every_operation() {
    let run = sslprov(["backends", "--json"]).expect_code(0);
    let table: Value = serde_json::from_str(&run.stdout).unwrap();
    let rows = table.as_array().unwrap();
    assert_eq!(rows.len(), backends().len());
    for (row, backend) in rows.iter().zip(backends()) {
        let info = backend.info();
        assert_eq!(row["name"], info.name);
        assert_eq!(row["provider_name"], info.provider_name);
        assert_eq!(row["library"], info.library);
        assert_eq!(row["multi_buffer"], Value::from(multi_buffer_instructions()));
        let operations = row["operations"].as_array().unwrap();
        assert_eq!(operations.len(), Operation::all().count());
        for (shown, operation) in operations.iter().zip(Operation::all()) {
            assert_eq!(shown["operation"], operation.to_string());
            let expected = match backend.support(operation) {
                Support::By(owner) => Value::from(owner),
                Support::Unsupported => Value::Null,
            };
            assert_eq!(shown["by"], expected, "{operation} by {}", info.name);
        }
    }
    let defaults = rows.iter().filter(|row| row["default"] == true).count();
    assert_eq!((defaults, &rows[0]["default"]), (1, &Value::Bool(true)));
}

#[test]
fn text_and_markdown_name_every_backend() {
    let text = sslprov(["backends"]).expect_code(0).stdout;
    let markdown = sslprov(["backends", "--markdown"]).expect_code(0).stdout;
    let instructions = multi_buffer_instructions().unwrap_or("not supported by this processor");
    assert!(text.ends_with(&format!("\nmulti-buffer RSA: {instructions}\n")), "{text}");
    assert!(!markdown.contains("multi-buffer"), "processors differ between machines: {markdown}");
    for backend in backends() {
        let info = backend.info();
        assert!(text.contains(&info.library), "{text}");
        assert!(markdown.contains(&format!("| `{}` |", info.name)), "{markdown}");
        assert!(!markdown.contains(&info.library), "versions differ between machines: {markdown}");
    }
    let bars = |line: &str| line.matches('|').count();
    let header = markdown.lines().next().unwrap();
    assert!(markdown.lines().all(|line| bars(line) == bars(header)), "{markdown}");
}

#[test]
fn the_suites_are_those_of_the_library() {
    let run = sslprov(["suites", "--json"]).expect_code(0);
    let table: Value = serde_json::from_str(&run.stdout).unwrap();
    let rows = table.as_array().unwrap();
    assert_eq!(rows.len(), CipherSuiteInfo::all().len());
    let find = |id: &str| rows.iter().find(|row| row["id"] == id).unwrap();
    let gcm = find("0x009d");
    assert_eq!(gcm["name"], "TLS_RSA_WITH_AES_256_GCM_SHA384");
    assert_eq!((&gcm["mac"], &gcm["prf"]), (&Value::Null, &Value::from("SHA-384")));
    assert_eq!(gcm["protocols"], serde_json::json!(["TLS 1.2", "DTLS 1.2"]));
    assert_eq!((&gcm["importable"], &gcm["in_windows_header"]), (&true.into(), &true.into()));
    assert_eq!(find("0xc02f")["importable"], false, "ECDHE");
    assert_eq!(find("0x10080")["importable"], false, "SSL 2.0");
    assert_eq!(find("0x0041")["in_windows_header"], false);
    let unnamed = rows.iter().find(|row| row["cipher"] == "?" || row["mode"] == "?");
    assert_eq!(unnamed, None);
}

#[test]
fn suites_can_be_cut_down_to_a_protocol() {
    let count = |protocol| {
        sslprov(["suites", "--protocol", protocol]).expect_code(0).stdout.lines().count() - 1
    };
    assert_eq!(count("tls1.3"), 5);
    assert_eq!(count("0303"), count("tls1.2"));
    assert!(count("tls1.2") > count("tls1.0"));
    sslprov(["suites", "--protocol", "tls9"]).expect_code(2).expect_stderr("tls1.2");
}

#[test]
fn every_help_has_examples_and_exit_codes() {
    let mut commands = vec!["keylog", "import", "serve", "backends", "suites"];
    commands.extend(cfg!(target_os = "linux").then_some("key-server"));
    for command in commands {
        let help = sslprov([command, "--help"]).expect_code(0).stdout;
        assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{command}: {help}");
        let listed = |code: &str| {
            let codes = help.split("Exit codes:").nth(1).unwrap_or_default();
            codes.lines().any(|line| line.split_whitespace().next() == Some(code))
        };
        // Each writes to standard output, which may be full or closed.
        for code in ["0", "2", "5", "141"] {
            assert!(listed(code), "{command} lists no exit code {code}: {help}");
        }
    }
    assert!(sslprov(["--version"]).expect_code(0).stdout.starts_with("sslprov 0."));
    sslprov(["no-such-command"]).expect_code(2);
}
