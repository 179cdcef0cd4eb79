//! Truncated, corrupt and synthetic captures: no panic, no hang, bounded memory, and every proven
//! key is right.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Cursor;
use std::ops::ControlFlow;

use ssl_provider::default_backend;
use ssl_provider_cli::capture::{CaptureError, Limits, source};
use ssl_provider_cli::key_file::{PasswordArgs, read_keys};
use ssl_provider_cli::keylog::analysis::analyse;
use ssl_provider_cli::keylog::input::{Delivery, Input};
use ssl_provider_cli::keylog::keyring::Keyring;
use ssl_provider_cli::keylog::resumption::KnownSessions;
use ssl_provider_cli::keylog::session::Session;
use ssl_provider_testkit::bytes::{Rng, number_from_env};

use common::{key, sslprov_with, workspace};

fn capture(name: &str) -> Vec<u8> {
    fs::read(workspace("tests/data").join(name)).unwrap()
}

fn oracle(name: &str) -> String {
    fs::read_to_string(workspace("tests/data").join(name)).unwrap()
}

/// The key of the corpus in the default backend.
fn keyring() -> Keyring {
    let backend = default_backend().unwrap();
    let password = PasswordArgs::default().password().unwrap();
    let keys = read_keys(&key("server-2048.pem"), &password).unwrap();
    Keyring::load(backend, &keys, true).unwrap()
}

/// The results for a capture, in memory.
fn sessions(bytes: &[u8], keyring: &Keyring) -> Result<Vec<Session>, CaptureError> {
    let mut found = Vec::new();
    let mut take = |delivery: Delivery| {
        let analysis = analyse(&delivery.conversation, keyring, &KnownSessions::default());
        found.extend(analysis.sessions);
        ControlFlow::Continue(())
    };
    let limits = Limits { early_bytes: 1 << 16, connections: 64, memory: 1 << 20 };
    let mut input = Input::new(limits);
    let bytes = source::decompress(Cursor::new(bytes.to_vec())).unwrap();
    let read = input.read("capture", bytes, &mut take)?;
    assert!(read.is_continue());
    let summary = input.finish(&mut take);
    assert!(summary.warnings.len() < 100);
    Ok(found)
}

/// Every line that is written must be one of the peers'.
fn assert_true_lines(found: &[Session], oracle: &str, what: &str) {
    for session in found {
        if let Some(line) = &session.key_log {
            assert!(oracle.contains(line.expose()), "{what}: a false line for {}", session.stream);
        }
    }
}

#[test]
fn a_capture_cut_at_any_byte_gives_what_comes_before() {
    let keyring = keyring();
    for name in ["no-close.pcap", "qinq.pcapng.gz"] {
        let whole = capture(name);
        let oracle = oracle(&name.replace(".pcap", ".keys").replace("ng.gz", ""));
        let mut most = 0;
        for len in 0..=whole.len() {
            let Ok(found) = sessions(&whole[..len], &keyring) else {
                assert!(len < 30 || name.ends_with("gz"), "{name} is a capture from its header on");
                continue;
            };
            assert_true_lines(&found, &oracle, &format!("{name} cut at {len}"));
            let proven = found.iter().filter(|session| session.key_log.is_some()).count();
            assert!(proven >= most || name.ends_with("gz"), "{name} cut at {len}");
            most = most.max(proven);
        }
        assert_eq!(most, oracle.lines().count(), "{name}");
    }
}

#[test]
fn damaged_captures_never_panic_and_never_lie() {
    let seed = number_from_env("SSL_PROVIDER_SEED", 20_261_122);
    println!("SSL_PROVIDER_SEED={seed}");
    let mut rng = Rng::new(seed);
    let keyring = keyring();
    let captures = [
        ("no-close.pcap", "no-close.keys"),
        ("mixed.pcapng", "mixed.keys"),
        ("coalesced.pcap", "coalesced.keys"),
        ("sslv2-hello.pcap", "sslv2-hello.keys"),
    ];
    for (name, log) in captures {
        let (whole, oracle) = (capture(name), oracle(log));
        for round in 0..600 {
            let mut bytes = whole.clone();
            for _ in 0..=rng.below(8) {
                let at = rng.below(bytes.len());
                match rng.below(4) {
                    0 => bytes[at] = 0xff,
                    1 => bytes[at] = 0,
                    _ => bytes[at] ^= 1 << rng.below(8),
                }
            }
            if let Ok(found) = sessions(&bytes, &keyring) {
                // A flipped bit in the random of a hello invalidates Finished: nothing is proven.
                assert_true_lines(&found, &oracle, &format!("{name}, round {round}, seed {seed}"));
            }
        }
    }
}

#[test]
fn noise_is_refused_or_read_as_nothing() {
    let keyring = keyring();
    let mut rng = Rng::new(1);
    let magics: [&[u8]; 7] = [
        &[],
        &[0xd4, 0xc3, 0xb2, 0xa1],
        &[0xa1, 0xb2, 0xc3, 0xd4],
        &[0x4d, 0x3c, 0xb2, 0xa1],
        &[0x34, 0xcd, 0xb2, 0xa1],
        &[0x0a, 0x0d, 0x0d, 0x0a, 0x1c, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a],
        &[0x1f, 0x8b, 8],
    ];
    for magic in magics {
        for len in 0..300 {
            let mut bytes = magic.to_vec();
            bytes.extend(rng.bytes(len));
            if let Ok(found) = sessions(&bytes, &keyring) {
                assert!(found.is_empty());
            }
        }
    }
}

#[test]
fn huge_length_fields_are_refused_without_the_memory_they_ask_for() {
    let mut pcap = capture("no-close.pcap")[..24].to_vec();
    pcap.extend([0; 8]);
    pcap.extend(u32::MAX.to_le_bytes());
    pcap.extend(u32::MAX.to_le_bytes());
    let key = key("server-2048.pem");
    let arguments = ["keylog", "--key", key.to_str().unwrap(), "-"];
    sslprov_with(arguments, &pcap, &[])
        .expect_code(1)
        .expect_stderr("a packet claims to be 4294967295 bytes long");

    for (kind, len) in
        [(6_u32, 0xffff_fff0_u32), (6, 0x7fff_ffff), (1, 0x1000_0000), (6, 0), (6, 8)]
    {
        let mut pcapng = vec![0x0a, 0x0d, 0x0d, 0x0a, 28, 0, 0, 0, 0x4d, 0x3c, 0x2b, 0x1a];
        pcapng.extend([1, 0, 0, 0]);
        pcapng.extend([0xff; 8]);
        pcapng.extend([28, 0, 0, 0]);
        pcapng.extend(kind.to_le_bytes());
        pcapng.extend(len.to_le_bytes());
        pcapng.extend([0; 24]);
        sslprov_with(arguments, &pcapng, &[])
            .expect_code(1)
            .expect_stderr("at byte 28: a block claims to be");
    }
}

#[test]
fn empty_and_foreign_files_are_named_as_such() {
    let key = key("server-2048.pem");
    let arguments = ["keylog", "--key", key.to_str().unwrap(), "-"];
    for (input, message) in [
        (&b""[..], "the file is empty"),
        (b"-----BEGIN CERTIFICATE-----\n", "not a pcap or pcapng file"),
        (&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0], "the file ends"),
        (&[0x1f, 0x8b, 8, 0], "reading failed"),
    ] {
        sslprov_with(arguments, input, &[]).expect_code(2).expect_stderr(message);
    }
}
