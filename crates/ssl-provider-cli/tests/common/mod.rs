//! Shared by the tests of `sslprov`: running it, and finding test data.

// Each test program uses some of this.
#![allow(dead_code)]

pub(crate) mod device;
#[cfg(feature = "aws-lc")]
pub(crate) mod modern;
pub(crate) mod s_server;
pub(crate) mod server;

use std::env;
use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

/// The result of a run of `sslprov`.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `sslprov` with nothing on standard input.
pub(crate) fn sslprov<I: IntoIterator<Item: AsRef<OsStr>>>(arguments: I) -> Run {
    sslprov_with(arguments, b"", &[])
}

/// Runs `sslprov` with this input and environment; no variable that it reads is inherited.
pub(crate) fn sslprov_with<I: IntoIterator<Item: AsRef<OsStr>>>(
    arguments: I,
    input: &[u8],
    environment: &[(&str, &str)],
) -> Run {
    let mut child = command()
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sslprov starts");
    let mut stdin = child.stdin.take().expect("standard input is a pipe");
    let output: Output = thread::scope(|scope| {
        // A program that reads no input closes the pipe; that is not an error here.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().expect("sslprov ends")
    });
    Run {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    }
}

/// `sslprov` without the environment variables that it reads.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sslprov"));
    command.env_remove("SSL_PROVIDER_BACKEND").env_remove("SSL_PROVIDER_KEY_PASSWORD");
    command
}

impl Run {
    /// The lines of standard output, each a JSON object.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).expect("a line of JSON");
        assert!(self.stdout.is_empty() || self.stdout.ends_with('\n'), "half a line");
        self.stdout.lines().map(parse).collect()
    }

    /// Asserts the exit code; on failure, prints the whole output.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "stdout:\n{stdout}\nstderr:\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        self
    }

    /// Asserts that standard error has a text.
    #[track_caller]
    pub(crate) fn expect_stderr(self, part: &str) -> Self {
        assert!(self.stderr.contains(part), "expected {part:?} in: {}", self.stderr);
        self
    }
}

/// A path below the root of the workspace.
pub(crate) fn workspace(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", path].iter().collect()
}

/// A test key of the corpus.
pub(crate) fn key(name: &str) -> PathBuf {
    workspace("tests/data/keys").join(name)
}

/// The link type of captures without a link layer.
pub(crate) const RAW_IP: u32 = 101;

/// A pcap file of this link type.
pub(crate) fn pcap(link_type: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    file.extend([0, 0, 0xffff, link_type].iter().flat_map(|number: &u32| number.to_le_bytes()));
    for packet in packets {
        let len = u32::try_from(packet.len()).expect("a short packet");
        file.extend([0, 0, len, len].iter().flat_map(|number| number.to_le_bytes()));
        file.extend(packet);
    }
    file
}

/// An IPv4 packet, with the field of flags and fragment offset.
pub(crate) fn ip(protocol: u8, fragment: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(20 + payload.len()).expect("a short packet").to_be_bytes();
    let [flags, offset] = fragment.to_be_bytes();
    let mut packet = vec![0x45, 0, len[0], len[1], 0, 9, flags, offset, 64, protocol, 0, 0];
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    packet.extend(payload);
    packet
}
