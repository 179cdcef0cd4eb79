//! `sslprov keylog` on the recorded handshakes: verdicts and key logs match those of the peers and
//! of the manifest, for every backend, thread count, shard and kind of input.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use ssl_provider::backends;
use ssl_provider_testkit::diagnostics::{CPU_FEATURES, not_tested_without};
use ssl_provider_testkit::vectors;

use common::{command, key, sslprov, sslprov_with, workspace};

/// The recorded captures and the manifest.
fn corpus() -> Vec<Value> {
    let manifest = fs::read(workspace("tests/data/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let captures = manifest["captures"].as_array().unwrap().clone();
    assert!(captures.len() > 20, "the corpus is there");
    captures
}

fn data(name: &str) -> PathBuf {
    workspace("tests/data").join(name)
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is text in {value}"))
}

/// The arguments for a capture of the corpus, with its keys.
fn arguments(capture: &Value, options: &[&str]) -> Vec<String> {
    let mut arguments = vec!["keylog".to_owned()];
    for key in capture["keys"].as_array().unwrap() {
        arguments.push("--key".to_owned());
        arguments.push(data(key.as_str().unwrap()).display().to_string());
    }
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
    arguments.push(data(text(capture, "file")).display().to_string());
    arguments
}

fn sorted_lines(text: &str) -> Vec<String> {
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// The session of the manifest in what was reported; one whose ClientHello is missing has no name.
fn find<'r>(reported: &'r [Value], expected: &Value) -> &'r Value {
    let by_name = |one: &&Value| one["client_random"] == expected["client_random"];
    let nameless = |one: &&Value| one["client_random"].is_null();
    reported
        .iter()
        .find(by_name)
        .or_else(|| reported.iter().find(nameless))
        .unwrap_or_else(|| panic!("no verdict for {expected}"))
}

fn check_session(file: &str, session: &Value, expected: &Value, verdict: &str) {
    assert_eq!(text(session, "verdict"), verdict, "{file}: {session} is not {expected}");
    assert_eq!(session["backends_agree"], true, "{file}: {session}");
    let master_secret = session["key_log"].as_str().map(|line| line.rsplit(' ').next().unwrap());
    match verdict {
        "proven" => {
            assert_eq!(master_secret, expected["master_secret"].as_str(), "{file}");
            for field in ["protocol", "suite", "ems", "etm", "offered_version"] {
                assert_eq!(session[field], expected[field], "{file}: {field} of {session}");
            }
            // Inside a renegotiation the peers' records do not show it.
            if !expected["premaster_version"].is_null() {
                assert_eq!(session["premaster_version"], expected["premaster_version"], "{file}");
            }
        }
        "resumed" if !session["key_log"].is_null() => {
            assert_eq!(master_secret, expected["master_secret"].as_str(), "{file}");
            assert_eq!(session["resumes"], expected["resumes"], "{file}");
        }
        _ => {
            assert_eq!(master_secret, None, "{file}: {session}");
            assert_ne!(text(session, "reason"), "", "{file}: {session}");
        }
    }
}

/// Runs a capture on all backends and compares every session with the manifest.
fn check_capture(capture: &Value, allow_ssl3: bool) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("keys.txt");
    let mut options = vec!["--json", "--backend", "all", "--output", output.to_str().unwrap()];
    let field = if allow_ssl3 { "expected_allow_ssl3" } else { "expected" };
    if allow_ssl3 {
        options.push("--allow-ssl3");
    }
    let run = sslprov(arguments(capture, &options));
    let file = text(capture, "file");
    let lines = run.lines();
    let (summary, reported) =
        lines.split_last().unwrap_or_else(|| panic!("{file}: {}", run.stderr));
    assert_eq!(text(summary, "type"), "summary", "{file}");

    let expected = capture["sessions"].as_array().unwrap();
    assert_eq!(reported.len(), expected.len(), "{file}: {}", run.stdout);
    for session in expected {
        check_session(file, find(reported, session), session, text(session, field));
    }

    // The key log has the lines of the peers' key log, and those of resumed sessions.
    let written = fs::read_to_string(&output).unwrap();
    let in_verdicts: Vec<_> = reported.iter().filter_map(|one| one["key_log"].as_str()).collect();
    assert_eq!(written.lines().collect::<Vec<_>>(), in_verdicts, "{file}");
    let oracle = fs::read_to_string(data(text(capture, "key_log"))).unwrap();
    for line in oracle.lines().filter(|_| allow_ssl3) {
        assert!(in_verdicts.contains(&line), "{file}: {line}");
    }

    let (mut opened, mut closed) = (0, 0);
    for session in reported.iter().filter(|one| one["verdict"] != "forward-secret") {
        if session["key_log"].is_null() { closed += 1 } else { opened += 1 }
    }
    let code = match (opened, closed) {
        (0, _) => 1,
        (_, 0) => 0,
        (_, _) => 3,
    };
    run.expect_code(code);
}

#[test]
fn every_capture_gives_the_verdicts_and_keys_of_the_manifest_on_all_backends() {
    for capture in corpus() {
        check_capture(&capture, false);
        check_capture(&capture, true);
    }
}

/// Captures of several backends are read without multi-buffer RSA, and so are those above.
#[test]
fn every_capture_gives_the_same_with_multi_buffer_as_without() {
    let backend = ssl_provider::default_backend().unwrap();
    if ssl_provider::with_multi_buffer(&backend).is_none() {
        not_tested_without(&CPU_FEATURES, "multi-buffer RSA");
    }
    for capture in corpus() {
        let options = ["--json", "--allow-ssl3"];
        let at_once = sslprov(arguments(&capture, &options));
        let alone = sslprov(arguments(&capture, &[&options[..], &["--no-multi-buffer"]].concat()));
        let file = text(&capture, "file");
        assert!(!alone.stdout.is_empty(), "{file}: {}", alone.stderr);
        assert_eq!((&at_once.stdout, &at_once.stderr), (&alone.stdout, &alone.stderr), "{file}");
    }
}

fn handshakes(options: &[&str]) -> common::Run {
    let (key, capture) = (key("server-2048.pem"), data("handshakes.pcapng"));
    let fixed = ["keylog", "--key", key.to_str().unwrap(), capture.to_str().unwrap()];
    sslprov(fixed.iter().chain(options))
}

#[test]
fn the_key_log_is_that_of_the_peers_and_does_not_depend_on_threads() {
    let oracle = fs::read_to_string(data("handshakes.keys")).unwrap();
    let one = handshakes(&["--threads", "1"]).expect_code(0).expect_stderr("18 proven");
    assert_eq!(sorted_lines(&one.stdout), sorted_lines(&oracle));
    for threads in ["2", "3", "8"] {
        let more = handshakes(&["--threads", threads]).expect_code(0);
        assert_eq!((&more.stdout, &more.stderr), (&one.stdout, &one.stderr));
    }
    assert_eq!(handshakes(&["--quiet"]).expect_code(0).stderr, "");
}

#[test]
fn each_backend_alone_gives_the_same_key_log() {
    let logs: Vec<_> = backends()
        .iter()
        .map(|backend| handshakes(&["-q", "--backend", backend.info().name]).expect_code(0).stdout)
        .collect();
    assert!(logs.windows(2).all(|pair| pair[0] == pair[1]));
    println!("tested: {:?}", backends().iter().map(|one| one.info().name).collect::<Vec<_>>());
}

#[test]
fn captures_come_from_standard_input_too_compressed_or_not() {
    let key = key("server-2048.pem");
    let fixed = ["keylog", "-q", "--key", key.to_str().unwrap()];
    for (capture, log) in [("no-close.pcap", "no-close.keys"), ("suites.pcap.gz", "suites.keys")] {
        let input = fs::read(data(capture)).unwrap();
        let oracle = sorted_lines(&fs::read_to_string(data(log)).unwrap());
        for way in ["-", "--stdin"] {
            let run = sslprov_with(fixed.iter().chain([&way]), &input, &[]).expect_code(0);
            assert_eq!(sorted_lines(&run.stdout), oracle, "{capture} by {way}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_capture_may_be_a_pipe_with_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::write(pipe, fs::read(data("no-close.pcap")).unwrap()))
    };
    let run = sslprov([Path::new("keylog"), Path::new("--key"), &key("server-2048.pem"), &pipe]);
    writer.join().unwrap().unwrap();
    let oracle = fs::read_to_string(data("no-close.keys")).unwrap();
    assert_eq!(sorted_lines(&run.expect_code(0).stdout), sorted_lines(&oracle));
}

/// Nothing is written to the pipe: the command refuses it before it opens it.
#[cfg(unix)]
#[test]
fn a_copy_of_a_pipe_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, copy) = (folder.path().join("pipe"), folder.path().join("copy.pcapng"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let key = key("server-2048.pem");
    let fixed: [&Path; 5] = ["keylog", "--key", "", "--dsb", ""].map(Path::new);
    let mut arguments = fixed.to_vec();
    (arguments[2], arguments[4]) = (&key, &copy);
    arguments.push(&pipe);
    sslprov(arguments).expect_code(2).expect_stderr("--dsb copies one capture, which must be");
    assert!(!copy.exists());
}

#[test]
fn several_captures_are_read_as_one() {
    // A connection continues in the second file, as with capture tools that rotate files.
    let whole = fs::read(data("no-close.pcap")).unwrap();
    let mut cut = 24;
    for _ in 0..8 {
        let len = u32::from_le_bytes(whole[cut + 8..cut + 12].try_into().unwrap());
        cut += 16 + usize::try_from(len).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("1.pcap"), folder.path().join("2.pcap"));
    fs::write(&first, &whole[..cut]).unwrap();
    fs::write(&second, [&whole[..24], &whole[cut..]].concat()).unwrap();
    let key = key("server-2048.pem");
    let run = sslprov([Path::new("keylog"), Path::new("--key"), &key, &first, &second]);
    let oracle = fs::read_to_string(data("no-close.keys")).unwrap();
    assert_eq!(sorted_lines(&run.expect_code(0).stdout), sorted_lines(&oracle));
}

#[test]
fn shards_share_the_work_and_make_the_whole() {
    let whole = handshakes(&["-q"]).expect_code(0).stdout;
    let parts: Vec<_> =
        ["1/3", "2/3", "3/3"].map(|part| handshakes(&["-q", "--shard", part]).stdout).into();
    assert!(parts.iter().all(|part| part.lines().count() == 6), "{parts:?}");
    assert_eq!(sorted_lines(&parts.concat()), sorted_lines(&whole));
}

#[test]
fn an_output_file_is_written_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("keys.txt");
    fs::write(&output, "before").unwrap();
    let garbage = folder.path().join("garbage.pcap");
    fs::write(&garbage, [7; 1000]).unwrap();
    let key = key("server-2048.pem");
    let run = |capture: &Path| {
        let fixed: [&Path; 6] = ["keylog", "--force", "--key", "", "--output", ""].map(Path::new);
        let mut arguments = fixed.to_vec();
        (arguments[3], arguments[5]) = (&key, &output);
        arguments.push(capture);
        sslprov(arguments)
    };
    run(&garbage).expect_code(2).expect_stderr("garbage.pcap: not a pcap or pcapng file");
    assert_eq!(fs::read_to_string(&output).unwrap(), "before");
    assert_eq!(run(&data("no-close.pcap")).expect_code(0).stdout, "");
    let oracle = fs::read_to_string(data("no-close.keys")).unwrap();
    assert_eq!(sorted_lines(&fs::read_to_string(&output).unwrap()), sorted_lines(&oracle));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn an_output_that_is_also_an_input_or_the_other_output_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let inputs = [("--key", "key.pem"), ("--key-password-file", "word"), ("the capture", "a.pcap")];
    fs::copy(key("server-2048.pem"), at("key.pem")).unwrap();
    fs::write(at("word"), "secret").unwrap();
    fs::copy(data("no-close.pcap"), at("a.pcap")).unwrap();
    let refused = |outputs: &[&str], names: [&str; 2]| {
        let (key, word, capture) = (at("key.pem"), at("word"), at("a.pcap"));
        let fixed = ["keylog", "--key", &key, "--key-password-file", &word, &capture];
        let run = sslprov(fixed.iter().chain(outputs)).expect_code(2);
        names.iter().fold(run, |run, name| run.expect_stderr(name));
    };
    for option in ["--output", "--dsb"] {
        for (name, file) in inputs {
            let before = fs::read(at(file)).unwrap();
            fs::hard_link(at(file), at("link")).unwrap();
            for path in [at(file), at(&format!("./{file}")), at("link")] {
                refused(&[option, &path], [option, name]);
            }
            fs::remove_file(at("link")).unwrap();
            assert_eq!(fs::read(at(file)).unwrap(), before, "{option} {name}");
        }
    }
    let both = ["--output", &at("new"), "--dsb", &at("./new")];
    refused(&both, ["--output", "--dsb"]);
    fs::write(at("new"), "before").unwrap();
    refused(&both, ["--output", "--dsb"]);
    assert_eq!(fs::read_to_string(at("new")).unwrap(), "before");
    let input = fs::read(at("a.pcap")).unwrap();
    let run = command()
        .args(["keylog", "--key", &at("key.pem"), "--output", &at("a.pcap"), "-"])
        .stdin(fs::File::open(at("a.pcap")).unwrap())
        .output()
        .unwrap();
    if cfg!(target_os = "linux") {
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(2) && said.contains("standard input"), "{said}");
        assert_eq!(fs::read(at("a.pcap")).unwrap(), input);
    }
}

#[cfg(unix)]
#[test]
fn both_outputs_may_go_to_a_device_that_keeps_nothing() {
    handshakes(&["--output", "/dev/null", "--dsb", "/dev/null"]).expect_code(0);
}

/// /dev/full simulates a full disk.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_has_an_exit_code_of_its_own_wherever_it_is() {
    for option in ["--output", "--dsb"] {
        handshakes(&[option, "/dev/full"]).expect_code(5).expect_stderr("/dev/full");
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = command()
        .args(["keylog", "-q", "--key"])
        .arg(key("server-2048.pem"))
        .arg(data("handshakes.pcapng"))
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(5));
    // A file that cannot be created is an unusable argument.
    for option in ["--output", "--dsb"] {
        let run = handshakes(&[option, "/nonexistent/keys.txt"]).expect_code(2);
        let text = "sslprov: /nonexistent/keys.txt: cannot be written: No such file or directory";
        assert!(run.stderr.starts_with(text), "{}", run.stderr);
        assert!(!run.stderr.contains(".tmp"), "a temporary name: {}", run.stderr);
    }
}

#[test]
fn the_copy_with_secrets_holds_the_packets_and_the_key_log() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("opened.pcapng");
    for capture in ["handshakes.pcapng", "qinq.pcapng.gz", "raw-ip.pcap"] {
        let (key, capture) = (key("server-2048.pem"), data(capture));
        let fixed = ["keylog", "--key", key.to_str().unwrap(), capture.to_str().unwrap()];
        let arguments = ["--force", "--dsb", copy.to_str().unwrap()];
        let run = sslprov(fixed.iter().chain(&arguments)).expect_code(0);
        let written = fs::read(&copy).unwrap();
        assert!(written.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]), "a section header");
        // A Decryption Secrets Block of a TLS key log follows at once.
        assert_eq!(written[28..32], 10_u32.to_le_bytes());
        assert_eq!(written[36..40], 0x544c_534b_u32.to_le_bytes());
        assert_eq!(&written[44..44 + run.stdout.len()], run.stdout.as_bytes());
        let again = ["keylog", "--key", key.to_str().unwrap(), copy.to_str().unwrap()];
        assert_eq!(sslprov(again).expect_code(0).stdout, run.stdout);
    }
}

#[test]
fn an_existing_file_is_replaced_only_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    for (option, start) in [("--dsb", &b"\x0a\x0d\x0d\x0a"[..]), ("--output", b"CLIENT_RANDOM ")] {
        let file = folder.path().join("written");
        fs::write(&file, "before").unwrap();
        let arguments = [option, file.to_str().unwrap()];
        let refused = handshakes(&arguments).expect_code(2);
        refused.expect_stderr("the file exists").expect_stderr("--force");
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
        handshakes(&["--force", option, arguments[1]]).expect_code(0);
        assert!(fs::read(&file).unwrap().starts_with(start), "{option}");
        fs::remove_file(&file).unwrap();
        handshakes(&arguments).expect_code(0);
        fs::remove_file(&file).unwrap();
    }
    handshakes(&["--force"]).expect_code(2).expect_stderr("--output");
}

#[test]
fn a_key_log_is_not_replaced_by_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    let (key, capture) = (key("other-2048.pem"), data("handshakes.pcapng"));
    let run = |quiet: &[&str]| {
        let fixed = ["keylog", "--key", key.to_str().unwrap(), capture.to_str().unwrap()];
        let output = ["--force", "--output", file.to_str().unwrap()];
        sslprov([&fixed[..], &output, quiet].concat()).expect_code(1)
    };
    fs::write(&file, "before").unwrap();
    for quiet in [&[][..], &["--quiet"]] {
        let text = format!("nothing was opened; {} is unchanged", file.display());
        run(quiet).expect_stderr(&text);
        assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    fs::remove_file(&file).unwrap();
    let run = run(&[]);
    assert!(!run.stderr.contains("unchanged"), "{}", run.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), "");
}

#[test]
fn a_wrong_key_is_named_and_gives_an_empty_key_log() {
    let (key, capture) = (key("other-2048.pem"), data("handshakes.pcapng"));
    let run = sslprov(["keylog", "--key", key.to_str().unwrap(), capture.to_str().unwrap()])
        .expect_code(1)
        .expect_stderr("18 wrong-key");
    assert_eq!(run.stdout, "");
}

#[test]
fn several_keys_are_matched_by_certificate() {
    let (first, second) = (key("other-2048.pem"), key("server-2048.pem"));
    let capture = data("mixed.pcapng");
    let arguments = ["keylog", "--json", "--key", first.to_str().unwrap(), "--key"];
    let rest = [second.to_str().unwrap(), capture.to_str().unwrap()];
    let run = sslprov(arguments.iter().chain(&rest)).expect_code(3);
    let by_key = |name: &str| {
        let named = |one: &&Value| one["key"].as_str().is_some_and(|key| key.contains(name));
        run.lines().iter().filter(named).count()
    };
    assert_eq!((by_key("other-2048"), by_key("server-2048")), (1, 2), "{}", run.stdout);
}

#[test]
fn arguments_that_cannot_work_are_refused() {
    let (key, capture) = (key("server-2048.pem"), data("handshakes.pcapng"));
    let (key, capture) = (key.to_str().unwrap(), capture.to_str().unwrap());
    sslprov(["keylog", capture]).expect_code(2).expect_stderr("--key");
    sslprov(["keylog", "--key", key]).expect_code(2).expect_stderr("CAPTURE");
    sslprov(["keylog", "--key", key, "--shard", "3/2", capture])
        .expect_code(2)
        .expect_stderr("i/n");
    sslprov(["keylog", "--key", key, "--threads", "0", capture]).expect_code(2);
    sslprov(["keylog", "--key", key, "--threads", "1000000", capture])
        .expect_code(2)
        .expect_stderr("1024");
    sslprov(["keylog", "--key", key, "--dsb", "x", "-"]).expect_code(2).expect_stderr("--dsb");
    sslprov(["keylog", "--key", key, "-", "-"]).expect_code(2).expect_stderr("once");
    let missing = ["keylog", "--key", key, "/nonexistent/capture.pcap"];
    sslprov(missing).expect_code(2).expect_stderr("/nonexistent/capture.pcap");
    let folder = workspace("tests/data");
    sslprov(["keylog", "--key", key, folder.to_str().unwrap()])
        .expect_code(2)
        .expect_stderr("is a directory");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let mut child = command()
        .args(["keylog", "--key"])
        .arg(key("server-2048.pem"))
        .arg(data("handshakes.pcapng"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(141), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[test]
fn recorded_captures_of_others_open_too() {
    let Some(vectors) = vectors::folder_with("captures/handshakes.json") else { return };
    let expected = fs::read(vectors.join("captures/handshakes.json")).unwrap();
    let expected: Vec<Value> = serde_json::from_slice(&expected).unwrap();
    for (name, resumed) in [("rsasnakeoil2", 1), ("rsa-p-lt-q", 0)] {
        let key = vectors.join(format!("captures/{name}.key"));
        let capture = vectors.join(format!("captures/{name}.pcap"));
        let fixed = ["keylog", "--json", "--allow-ssl3", "--backend", "all", "--key"];
        let rest = [key.to_str().unwrap(), capture.to_str().unwrap()];
        let run = sslprov(fixed.iter().chain(&rest)).expect_code(0);
        let lines = run.lines();
        let of_file = |one: &&Value| text(one, "file") == format!("{name}.pcap");
        for handshake in expected.iter().filter(of_file) {
            let session = find(&lines, handshake);
            assert_eq!(text(session, "verdict"), "proven", "{session}");
            assert!(text(session, "key_log").ends_with(text(handshake, "master_secret")));
        }
        let proven_resumed =
            |one: &&Value| one["verdict"] == "resumed" && !one["key_log"].is_null();
        assert_eq!(lines.iter().filter(proven_resumed).count(), resumed, "{}", run.stdout);
    }
}
