//! Drafts of TLS 1.3 are forward secret as the final version is, and named as drafts; suites that
//! the library does not know have their registered names.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

mod common;

use serde_json::Value;

use common::{RAW_IP, ip, key, pcap, sslprov_with};

/// A record with one handshake message.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u8::try_from(body.len()).unwrap();
    [&[22, 3, 1, 0, len + 4, kind, 0, 0, len], body].concat()
}

/// A ServerHello of this version in the shape of TLS 1.2, with these extensions.
fn server_hello(version: u16, suite: u16, extensions: &[u8]) -> Vec<u8> {
    let (version, suite) = (version.to_be_bytes(), suite.to_be_bytes());
    message(2, &[&version, &[9; 32][..], &[0], &suite, &[0], extensions].concat())
}

/// The session that keylog reports between a client that offers drafts and this server.
fn session(server: &[u8]) -> Value {
    let versions = [0, 9, 0, 43, 0, 5, 4, 0x7f, 18, 3, 3];
    let hello = [&[3, 3], &[7; 32][..], &[0, 0, 2, 0x13, 1, 1, 0], &versions].concat();
    let segment = |ports: [u16; 2], payload: &[u8]| {
        let ports = ports.map(u16::to_be_bytes).concat();
        let rest = [0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0];
        ip(6, 0, &[&ports, &rest[..], payload].concat())
    };
    let client = segment([50_000, 443], &message(1, &hello));
    let mut server = segment([443, 50_000], server);
    // The addresses.
    server[12..20].rotate_left(4);
    let key = key("server-2048.pem");
    let arguments = ["keylog", "--json", "--key", key.to_str().unwrap(), "-"];
    sslprov_with(arguments, &pcap(RAW_IP, &[client, server]), &[]).lines().swap_remove(0)
}

fn assert_draft(session: &Value, protocol: &str, suite_name: &str) {
    assert_eq!(session["verdict"], "forward-secret", "{session}");
    assert_eq!(session["protocol"], protocol, "{session}");
    assert_eq!(session["suite_name"], suite_name, "{session}");
}

#[test]
fn drafts_of_tls_1_3_are_forward_secret() {
    let suite = "TLS_AES_128_GCM_SHA256";
    // From draft 22 on the version is in supported_versions.
    let late = [0, 6, 0, 43, 0, 2, 0x7f, 28];
    assert_draft(&session(&server_hello(0x0303, 0x1301, &late)), "7f1c", suite);
    // Before, it stands first, and there is no session id and no compression.
    let early = [&[0x7f, 18], &[9; 32][..], &[0x13, 1, 0, 0]].concat();
    assert_draft(&session(&message(2, &early)), "7f12", suite);
    assert_draft(&session(&message(6, &[0x7f, 18, 0, 0])), "7f12", "unknown suite");
    // Only that version has that shape.
    let other = [&[0x03, 0x03], &early[2..]].concat();
    assert_eq!(session(&message(2, &other))["verdict"], "malformed");
}

#[test]
fn a_suite_that_the_library_does_not_know_has_its_registered_name() {
    let exchange = message(12, &[1; 8]);
    for (suite, name) in [
        (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        (0xccac, "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256"),
        (0xe011, "suite 0xe011"),
    ] {
        let session = session(&[server_hello(0x0303, suite, &[]), exchange.clone()].concat());
        assert_draft(&session, "0303", name);
        assert!(session["reason"].as_str().unwrap().contains(name), "{session}");
    }
}
