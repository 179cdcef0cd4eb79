//! `sslprov keylog` on captures that go on: what is proven leaves at Finished, whatever connections
//! are open, and in the end there is the same as from a file.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use common::{command, key, sslprov, sslprov_with, workspace};

/// A run takes milliseconds until it waits for more of the capture.
const LIMIT: Duration = Duration::from_secs(60);
const PCAP_HEADER_LEN: usize = 24;

fn data(name: &str) -> PathBuf {
    workspace("tests/data").join(name)
}

/// A run of `sslprov keylog` whose capture goes on.
struct Live {
    child: Child,
    capture: ChildStdin,
    lines: Receiver<String>,
}

impl Live {
    fn start(options: &[&str]) -> Self {
        let mut child = command()
            .args(["keylog", "--quiet", "--key"])
            .arg(key("server-2048.pem"))
            .args(options)
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
        let capture = child.stdin.take().unwrap();
        Self { child, capture, lines }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.capture.write_all(bytes).unwrap();
        self.capture.flush().unwrap();
    }

    fn next_line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a line while the capture goes on")
    }

    /// Ends the capture. Returns the exit code and the lines that came then.
    fn finish(mut self) -> (Option<i32>, Vec<String>) {
        drop(self.capture);
        let code = self.child.wait().unwrap().code();
        (code, self.lines.iter().collect())
    }
}

/// Where each packet of a pcap file ends.
fn packet_ends(pcap: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = PCAP_HEADER_LEN;
    while let Some(field) = pcap.get(at + 8..at + 12) {
        at += 16 + usize::try_from(u32::from_le_bytes(field.try_into().unwrap())).unwrap();
        ends.push(at);
    }
    ends
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn oracle(name: &str) -> Vec<String> {
    let log = fs::read_to_string(data(name)).unwrap();
    sorted(log.lines().map(str::to_owned).collect())
}

/// Four connections one after the other; and where the packet with the last Finished of the first
/// one ends, long before that connection does.
fn four_connections() -> (Vec<u8>, usize) {
    let capture = fs::read(data("client-certificate.pcap")).unwrap();
    let first_finished = packet_ends(&capture)[9];
    (capture, first_finished)
}

#[test]
fn the_key_log_line_of_an_open_connection_leaves_at_finished() {
    let (capture, first_finished) = four_connections();
    let mut live = Live::start(&[]);
    live.write(&capture[..first_finished]);
    let mut lines = vec![live.next_line()];
    live.write(&capture[first_finished..]);
    let (code, rest) = live.finish();
    lines.extend(rest);
    assert_eq!((code, sorted(lines)), (Some(0), oracle("client-certificate.keys")));
}

#[test]
fn an_older_connection_that_stays_open_holds_nothing_back() {
    let (younger, _) = four_connections();
    // SYN, SYN and ACK, ACK, ClientHello; from another port than the connections behind it.
    let ends = &packet_ends(&younger)[..4];
    let mut capture = younger[..ends[3]].to_vec();
    let headers_len = 16 + 16 + 20;
    let client_ports = [PCAP_HEADER_LEN, ends[0] + 2, ends[1], ends[2]];
    for at in client_ports.map(|at| at + headers_len) {
        assert_eq!(capture[at..at + 2], 40_000_u16.to_be_bytes());
        capture[at..at + 2].copy_from_slice(&50_000_u16.to_be_bytes());
    }
    capture.extend(&younger[PCAP_HEADER_LEN..]);
    let expected = oracle("client-certificate.keys");
    let mut live = Live::start(&["--json"]);
    live.write(&capture);
    let mut lines = Vec::new();
    for _ in &expected {
        let session: Value = serde_json::from_str(&live.next_line()).unwrap();
        assert_eq!(session["verdict"], "proven", "{session}");
        lines.push(session["key_log"].as_str().unwrap().to_owned());
    }
    assert_eq!(sorted(lines), expected);
    let (code, rest) = live.finish();
    assert_eq!(code, Some(3));
    let rest: Vec<Value> = rest.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [older, summary] = &rest[..] else { panic!("{rest:?}") };
    assert_eq!((&older["verdict"], &summary["type"]), (&"incomplete".into(), &"summary".into()));
}

#[test]
fn the_output_file_of_a_live_capture_has_each_line_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("keys.txt");
    fs::write(&output, "before").unwrap();
    let (capture, first_finished) = four_connections();
    let read = || fs::read_to_string(&output).unwrap();
    let mut live = Live::start(&["--force", "--output", output.to_str().unwrap()]);
    live.write(&capture[..PCAP_HEADER_LEN]);
    assert_eq!(read(), "before", "no line yet");
    live.write(&capture[PCAP_HEADER_LEN..first_finished]);
    let expected = oracle("client-certificate.keys");
    let started = Instant::now();
    // The file is replaced, and then gets its line.
    while !expected.contains(&read().trim_end().to_owned()) {
        assert!(started.elapsed() < LIMIT, "{}", read());
        thread::sleep(Duration::from_millis(10));
    }
    live.write(&capture[first_finished..]);
    assert_eq!(live.finish(), (Some(0), vec![]));
    assert_eq!(sorted(read().lines().map(str::to_owned).collect()), expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

/// The arguments for a capture of the corpus, without the capture.
fn arguments(capture: &Value) -> Vec<String> {
    let keys = capture["keys"].as_array().unwrap().iter();
    let keys = keys.map(|key| data(key.as_str().unwrap()).display().to_string());
    let keys = keys.flat_map(|key| ["--key".to_owned(), key]);
    ["keylog", "--json", "--allow-ssl3"].map(str::to_owned).into_iter().chain(keys).collect()
}

/// The sessions of a run, in an order that does not depend on when they were reported.
fn sessions(run: &common::Run) -> Vec<String> {
    let lines = run.stdout.lines().filter(|line| line.contains(r#""type":"session""#));
    sorted(lines.map(str::to_owned).collect())
}

#[test]
fn a_pipe_gives_the_sessions_of_the_file_each_once() {
    let manifest = fs::read(data("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for capture in manifest["captures"].as_array().unwrap() {
        let name = capture["file"].as_str().unwrap();
        let (arguments, path) = (arguments(capture), data(name));
        let path: &Path = &path;
        let with_file = arguments.iter().map(Path::new).chain([path]);
        let file = sslprov(with_file);
        let bytes = fs::read(path).unwrap();
        let with_pipe = || arguments.iter().map(String::as_str);
        let pipe = sslprov_with(with_pipe().chain(["-"]), &bytes, &[]);
        assert_eq!(sessions(&pipe), sessions(&file), "{name}: {}", pipe.stderr);
        assert_eq!(pipe.code, file.code, "{name}");
        // The sessions of a connection, renegotiated ones too, are all in one part.
        let parts = ["1/2", "2/2"].map(|part| {
            let options = ["--shard", part, "-"];
            sessions(&sslprov_with(with_pipe().chain(options), &bytes, &[])).len()
        });
        assert_eq!(parts.iter().sum::<usize>(), sessions(&file).len(), "{name}");
    }
}
