//! `sslprov import` as a user runs it: the third-party handshakes, single exchanges, and bad input.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// Helpers unwrap as tests do; clippy.toml knows only functions that are marked as tests.
#![allow(clippy::unwrap_used)]

mod common;

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use ssl_provider::backends;
use ssl_provider_testkit::vectors;
use tempfile::TempDir;

use common::{Run, command, key, sslprov, sslprov_with};

/// The arguments of a batch on all backends.
fn batch(path: &Path, more: &[&str]) -> Run {
    let mut arguments: Vec<OsString> = vec!["import".into(), "--batch".into(), path.into()];
    arguments.extend(["--backend", "all"].map(OsString::from));
    arguments.extend(more.iter().map(OsString::from));
    sslprov(arguments)
}

/// Checks the results against the input file: every RSA exchange on every backend has its master
/// secret, and everything else is skipped.
fn assert_results(run: &Run, exchanges: &[Value]) {
    let mut lines = run.lines().into_iter();
    for (index, exchange) in exchanges.iter().enumerate() {
        if exchange["encrypted_premaster"].as_str().is_none_or(str::is_empty) {
            let expected = json!({"index": index, "skipped": "no encrypted_premaster"});
            assert_eq!(lines.next(), Some(expected));
            continue;
        }
        for backend in backends() {
            let expected = json!({
                "index": index,
                "backend": backend.info().name,
                "status": "0x00000000",
                "master_secret": exchange["master_secret"],
            });
            assert_eq!(lines.next(), Some(expected), "{}", exchange["suite"]);
        }
    }
    assert_eq!(lines.next(), None);
}

fn exchanges(path: &Path) -> Vec<Value> {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn rsa_count(exchanges: &[Value]) -> usize {
    exchanges
        .iter()
        .filter(|it| it["encrypted_premaster"].as_str().is_some_and(|text| !text.is_empty()))
        .count()
}

#[test]
fn every_recorded_handshake_of_go_has_its_master_secret() {
    let Some(vectors) = vectors::folder_with("go-tls/handshakes.json") else { return };
    for folder in ["go-tls", "go-tls-no-ems"] {
        let path = vectors.join(folder).join("handshakes.json");
        let exchanges = exchanges(&path);
        assert_eq!(rsa_count(&exchanges), 24, "{folder}");
        let run = batch(&path, &["--reveal-secrets"]).expect_code(0);
        assert_results(&run, &exchanges);
        let tally = format!("{} imported, 0 failed", 24 * backends().len());
        run.expect_stderr(&tally);
    }
}

#[test]
fn recorded_ssl_3_needs_its_switch_and_has_its_master_secret() {
    let Some(vectors) = vectors::folder_with("captures/handshakes.json") else { return };
    let path = vectors.join("captures/handshakes.json");
    let mut exchanges = exchanges(&path);
    // The file names its keys in a folder that the captures came from.
    for exchange in &mut exchanges {
        let name = Path::new(exchange["key"].as_str().unwrap()).file_name().unwrap();
        exchange["key"] = vectors.join("captures").join(name).to_str().unwrap().into();
    }
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "batch.json", &Value::from(exchanges.clone()).to_string());
    let run = batch(&path, &["--reveal-secrets", "--allow-ssl3"]).expect_code(0);
    assert_results(&run, &exchanges);

    let run = batch(&path, &["--reveal-secrets"]).expect_code(3);
    for line in run.lines() {
        let index = usize::try_from(line["index"].as_u64().unwrap()).unwrap();
        let ssl3 = exchanges[index]["version"] == "0300";
        assert_eq!(line["status"], if ssl3 { "0x80090029" } else { "0x00000000" });
        let hint = line["error"].as_str().is_some_and(|text| text.contains("--allow-ssl3"));
        assert_eq!(hint, ssl3);
    }
}

fn write(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// An exchange that is complete; whether its ciphertext is good does not matter.
fn exchange() -> Value {
    json!({
        "version": "0303",
        "suite_id": "002f",
        "client_version": "0303",
        "client_random": "01".repeat(32),
        "server_random": "02".repeat(32),
        "session_hash": "",
        "encrypted_premaster": "03".repeat(256),
        "key": key("server-2048.pem").canonicalize().unwrap().to_str().unwrap(),
        "records": [{"ignored": true}],
    })
}

fn with(field: &str, value: impl Into<Value>) -> Value {
    let mut exchange = exchange();
    exchange[field] = value.into();
    exchange
}

/// Runs a batch on standard input.
fn batch_of(input: &str, more: &[&str]) -> Run {
    let arguments = [&["import", "--batch", "-"], more].concat();
    sslprov_with(arguments, input.as_bytes(), &[])
}

#[test]
fn arguments_and_batch_have_the_same_result() {
    let exchange = exchange();
    let field = |name: &str| exchange[name].as_str().unwrap().to_owned();
    let single = |more: &[&str]| {
        let mut arguments = vec!["import".to_owned()];
        for (option, value) in [
            ("--key", field("key")),
            ("--protocol", "tls1.2".to_owned()),
            ("--suite", "TLS_RSA_WITH_AES_128_CBC_SHA".to_owned()),
            ("--client-version", "tls1.2".to_owned()),
            ("--client-random", field("client_random").to_uppercase()),
            ("--server-random", field("server_random")),
            ("--encrypted-premaster", field("encrypted_premaster")),
        ] {
            arguments.extend([option.to_owned(), value]);
        }
        arguments.extend(more.iter().map(|it| (*it).to_owned()));
        sslprov(arguments)
    };
    let batch = |more: &[&str]| batch_of(&exchange.to_string(), more).expect_code(0).stdout;
    assert_eq!(single(&[]).expect_code(0).stdout, batch(&[]));
    let all = ["--backend", "all", "--reveal-secrets", "--json"];
    assert_eq!(single(&all).expect_code(0).stdout, batch(&all));

    let extended = ["--session-hash", &"04".repeat(32)];
    assert_ne!(single(&extended).expect_code(0).stdout, batch(&[]), "extended master secret");
    single(&["--session-hash", "0405"]).expect_code(2).expect_stderr("--session-hash: expected 32");
    single(&["--batch", "x"]).expect_code(2).expect_stderr("--batch");
}

#[test]
fn names_and_numbers_are_taken_alike() {
    let expected = batch_of(&exchange().to_string(), &[]).expect_code(0).stdout;
    let suite = "tls_rsa_with_aes_128_cbc_sha";
    for (field, name) in [("version", "tls1.2"), ("client_version", "TLS 1.2"), ("suite_id", suite)]
    {
        assert_eq!(batch_of(&with(field, name).to_string(), &[]).stdout, expected, "{field}");
    }
}

#[test]
fn secrets_are_shown_only_when_asked_for() {
    let input = exchange().to_string();
    let hidden = batch_of(&input, &[]).expect_code(0).lines().remove(0);
    let shown = batch_of(&input, &["--reveal-secrets"]).expect_code(0).lines().remove(0);
    assert_eq!(hidden.get("master_secret"), None);
    assert_eq!(shown.get("master_secret_sha256"), None);
    assert_eq!(hidden["master_secret_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(shown["master_secret"].as_str().unwrap().len(), 96);
    assert_eq!(hidden["backend"], backends()[0].info().name);
}

#[test]
fn a_bad_ciphertext_of_any_length_succeeds() {
    let ciphertexts = ["00", "ff", "03"].map(|byte| byte.repeat(256));
    let lengths = [1, 255, 257, 65535].map(|len| "05".repeat(len));
    let mut input = String::new();
    for ciphertext in ciphertexts.iter().chain(&lengths) {
        input += &with("encrypted_premaster", ciphertext.as_str()).to_string();
        input.push('\n');
    }
    let run = batch_of(&input, &["--backend", "all"]).expect_code(0);
    assert_eq!(run.lines().len(), 7 * backends().len());
}

#[test]
fn a_bad_entry_is_a_result_and_the_batch_continues() {
    let bad = [
        (with("client_random", "01".repeat(31)), "0x80090027", "32 bytes, found 31"),
        (with("client_random", "zz".repeat(32)), "0x80090027", "client_random"),
        (with("server_random", ""), "0x80090027", "server_random: expected a string"),
        (with("client_version", ""), "0x80090027", "found an empty one"),
        (with("key", ""), "0x80090027", "key: expected a string"),
        (with("server_random", Value::Null), "0x80090027", "server_random: missing"),
        (with("session_hash", "00".repeat(31)), "0x80090027", "48 bytes, found 31"),
        (with("encrypted_premaster", "0"), "0x80090027", "odd number"),
        (with("encrypted_premaster", "00".repeat(65536)), "0x80090027", "65535"),
        (with("encrypted_premaster", 5), "0x80090027", "expected a string, found a number"),
        (with("version", 771), "0x80090027", "version: expected a string"),
        (with("version", "tls1.9"), "0x80090027", "hex number such as 0303, or"),
        (with("version", ""), "0x80090027", "found an empty one"),
        (with("version", "0304"), "0x80090029", "0x0304"),
        (with("version", "0999"), "0x80090029", "0x0999"),
        (with("suite_id", "c02f"), "0x80090029", "0xc02f"),
        (with("suite_id", "ffff"), "0x80090029", "0xffff"),
        (with("client_version", "abcd0303"), "0x80090027", "client_version: expected a hex number"),
        (with("client_version", json!({})), "0x80090027", "client_version"),
        (with("key", "absent.pem"), "0x80090011", "absent.pem"),
        (with("key", key("ec-p256.pem").to_str().unwrap()), "0x8009000a", "an EC key"),
        (with("key", key("server-2048.encrypted.pem").to_str().unwrap()), "0x80090010", "password"),
        (with("key", Value::Null), "0x80090027", "--key"),
        (json!([1, 2]), "0x80090027", "expected an object, found an array"),
        (json!("text"), "0x80090027", "expected an object, found a string"),
        (Value::Null, "0x80090027", "expected an object, found null"),
    ];
    let mut entries = vec![exchange()];
    entries.extend(bad.iter().map(|(entry, _, _)| entry.clone()));
    entries.push(json!({"version": "0303"}));
    entries.push(exchange());

    let lines_of_json: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    let array = Value::from(entries).to_string();
    for input in [lines_of_json, array] {
        let lines = batch_of(&input, &[]).expect_code(3).lines();
        assert_eq!(lines.len(), bad.len() + 3);
        for ((index, line), (_, status, error)) in lines.iter().enumerate().skip(1).zip(&bad) {
            assert_eq!((&line["index"], &line["status"]), (&index.into(), &(*status).into()));
            let text = line["error"].as_str().unwrap();
            assert!(text.contains(error), "expected {error:?} in: {text}");
            assert!(line.get("master_secret_sha256").is_none(), "{line}");
        }
        let [.., skipped, last] = lines.as_slice() else { panic!("too few lines") };
        assert_eq!(skipped["skipped"], "no encrypted_premaster");
        assert_eq!(last["master_secret_sha256"], lines[0]["master_secret_sha256"]);
    }
}

#[test]
fn what_is_not_json_is_a_usage_error_after_the_results_before_it() {
    let good = exchange();
    for (input, place) in [
        (format!("{good}\n{good}\n{{\"version\": oops\n"), "line 3 column 13"),
        (format!("[{good},\n{good},\n oops]"), "line 3 column 2"),
        (format!("[{good},{good}"), "EOF"),
        (format!("{good}\n{good}\n]"), "line 3 column 1"),
    ] {
        let run = batch_of(&input, &[]).expect_code(2).expect_stderr(place);
        assert_eq!(run.lines().len(), 2, "{input}");
    }
}

#[test]
fn a_batch_with_nothing_to_import_exits_with_1() {
    for input in ["", "[]", "{}", "\n\n"] {
        batch_of(input, &[]).expect_code(1).expect_stderr("0 imported");
    }
}

#[test]
fn a_key_that_entries_do_not_name_comes_from_the_option() {
    let mut exchange = exchange();
    let own = exchange.as_object_mut().unwrap().remove("key").unwrap();
    let input = exchange.to_string();
    batch_of(&input, &[]).expect_code(1);
    let given = batch_of(&input, &["--key", own.as_str().unwrap()]).expect_code(0);
    assert_eq!(given.stdout, batch_of(&self::exchange().to_string(), &[]).stdout);
}

#[test]
fn an_encrypted_key_takes_its_password_from_the_environment_or_a_file() {
    let path = key("server-2048.encrypted.pem");
    let input = with("key", path.to_str().unwrap()).to_string();
    let expected = batch_of(&exchange().to_string(), &[]).expect_code(0).stdout;
    let arguments = ["import", "--batch", "-"];
    let environment = [("SSL_PROVIDER_KEY_PASSWORD", "test")];
    let run = sslprov_with(arguments, input.as_bytes(), &environment).expect_code(0);
    assert_eq!(run.stdout, expected);
    let folder = TempDir::new().unwrap();
    let file = write(&folder, "password", "test\n");
    let run = batch_of(&input, &["--key-password-file", file.to_str().unwrap()]).expect_code(0);
    assert_eq!(run.stdout, expected);
    batch_of(&input, &["--key-password-file", "absent"]).expect_code(2).expect_stderr("absent");
}

#[test]
fn the_backend_is_chosen_by_option_then_environment_then_default() {
    let input = exchange().to_string();
    let last = backends().last().unwrap().info().name;
    let arguments = ["import", "--batch", "-"];
    let run = |environment| sslprov_with(arguments, input.as_bytes(), &[environment]);
    let by_environment = run(("SSL_PROVIDER_BACKEND", last)).expect_code(0).lines();
    assert_eq!(by_environment[0]["backend"], last);
    let by_option = batch_of(&input, &["--backend", last]).expect_code(0).lines();
    assert_eq!(by_option, by_environment);
    run(("SSL_PROVIDER_BACKEND", "nss")).expect_code(2).expect_stderr(last);
}

#[test]
fn the_version_in_the_premaster_secret_is_checked_as_asked() {
    let Some(vectors) = vectors::folder_with("go-tls/handshakes.json") else { return };
    // The client offered the negotiated version, so with another offer the fallback is used.
    let path = vectors.join("go-tls/handshakes.json");
    let mut exchange = exchanges(&path)
        .into_iter()
        .find(|it| {
            let is_rsa = it["encrypted_premaster"].as_str().is_some_and(|text| !text.is_empty());
            is_rsa && it["client_version"] == it["version"]
        })
        .unwrap();
    let key = path.parent().unwrap().join(exchange["key"].as_str().unwrap());
    exchange["key"] = key.to_str().unwrap().into();
    exchange["client_version"] = "0399".into();
    let input = exchange.to_string();
    for (rule, is_right) in [("offered", false), ("offered-or-negotiated", true), ("any", true)] {
        let run = batch_of(&input, &["--reveal-secrets", "--premaster-version", rule]);
        let secret = run.expect_code(0).lines()[0]["master_secret"].clone();
        assert_eq!(secret == exchange["master_secret"], is_right, "{rule}");
    }
}

#[test]
fn a_ciphertext_of_another_length_than_the_key_is_pointed_out() {
    const PREFIX: &str = "expected 256 bytes for this key, got 258; remove the two-byte TLS";
    let ciphertext = "03".repeat(256);
    for (encrypted, told) in [
        (format!("0100{ciphertext}"), Some(PREFIX)),
        (
            format!("00ff{ciphertext}"),
            Some("expected 256 bytes for this key, got 258; implicit rejection"),
        ),
        ("cc".to_owned(), Some("expected 256 bytes for this key, got 1; implicit rejection")),
        (ciphertext, None),
    ] {
        let mut exchange = exchange();
        exchange["encrypted_premaster"] = encrypted.into();
        let run = batch_of(&exchange.to_string(), &[]).expect_code(0);
        assert_eq!(run.stderr.contains("for this key"), told.is_some(), "{}", run.stderr);
        assert!(run.stderr.contains(told.unwrap_or_default()), "{}", run.stderr);
    }
}

#[test]
fn results_come_while_the_input_is_still_open() {
    use std::io::{BufRead, BufReader, Write};

    let mut child = command()
        .args(["import", "--batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for index in 0..3 {
        writeln!(stdin, "{}", exchange()).unwrap();
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        assert!(line.starts_with(&format!("{{\"index\":{index},")), "{line}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "batch", &format!("{}\n", exchange()).repeat(2000));
    let mut child = command()
        .args(["import", "--batch"])
        .arg(path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn standard_error_without_a_reader_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "batch", &exchange().to_string());
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = command().args(["import", "--batch"]).arg(path).stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn output_that_cannot_be_written_is_an_error() {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "batch", &exchange().to_string());
    let output =
        command().args(["import", "--batch"]).arg(path).stdout(full).output().expect("it ends");
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn bytes_that_are_no_batch_are_refused_without_a_panic() {
    let folder = TempDir::new().unwrap();
    let good = exchange().to_string();
    for len in (1..good.len()).step_by(41) {
        batch_of(&good[..len], &[]).expect_code(2).expect_stderr("not JSON");
    }
    for (name, content) in [
        ("binary", &[0, 159, 146, 150, 0xff][..]),
        ("utf-16", &[0xff, 0xfe, b'{', 0][..]),
        ("deep", "{\"key\":".repeat(50_000).as_bytes()),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let run = batch(&path, &[]).expect_code(2).expect_stderr(name);
        assert!(!run.stderr.contains("0 imported"), "{}", run.stderr);
    }
    batch(&folder.path().join("absent"), &[]).expect_code(2).expect_stderr("absent");
    batch(folder.path(), &[]).expect_code(2);
}

#[test]
fn arguments_that_are_missing_or_wrong_are_usage_errors() {
    sslprov(["import"]).expect_code(2).expect_stderr("--key");
    let exchange = exchange();
    let field = |name: &str| exchange[name].as_str().unwrap().to_owned();
    let complete = [
        ("--key", field("key")),
        ("--protocol", "0303".to_owned()),
        ("--suite", "0x002f".to_owned()),
        ("--client-random", field("client_random")),
        ("--server-random", field("server_random")),
        ("--encrypted-premaster", field("encrypted_premaster")),
    ];
    let run = |options: &[(&str, String)]| {
        let options = options.iter().flat_map(|(name, value)| [(*name).to_owned(), value.clone()]);
        sslprov(["import".to_owned()].into_iter().chain(options))
    };
    run(&complete).expect_code(0);
    for (place, (name, _)) in complete.iter().enumerate() {
        let mut fewer = complete.to_vec();
        fewer.remove(place);
        run(&fewer).expect_code(2).expect_stderr(name);
        let mut wrong = complete.to_vec();
        wrong[place].1.clear();
        run(&wrong).expect_code(2);
        wrong[place].1 = "xyz".to_owned();
        run(&wrong).expect_code(2).expect_stderr(if *name == "--key" { "xyz" } else { name });
    }
    for option in ["--session-hash", "--client-version"] {
        let empty = [&complete[..], &[(option, String::new())]].concat();
        run(&empty).expect_code(2).expect_stderr(option);
    }
    let mut unsupported = complete.to_vec();
    unsupported[1].1 = "0304".to_owned();
    let lines = run(&unsupported).expect_code(1).lines();
    assert_eq!(lines[0]["status"], "0x80090029");
}
