//! What `sslprov keylog` does not look into is counted and named, in words and in JSON.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot go on says so by panicking.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use serde_json::{Value, json};

use common::{RAW_IP, Run, ip, key, pcap, sslprov_with, workspace};

const ETHERNET: u32 = 1;

fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + payload.len()).unwrap();
    let header = [50_000, port, len, 0].map(u16::to_be_bytes).concat();
    ip(17, 0, &[&header, payload].concat())
}

fn dtls_record(fragment_len: u8) -> Vec<u8> {
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, fragment_len];
    record.extend(vec![7; usize::from(fragment_len)]);
    record
}

fn keylog(capture: &[u8], options: &[&str]) -> Run {
    let key = key("server-2048.pem");
    let fixed = ["keylog", "--key", key.to_str().unwrap(), "-"];
    sslprov_with(fixed.iter().chain(options), capture, &[])
}

/// The counts of the JSON summary.
fn counts(capture: &[u8]) -> Value {
    let lines = keylog(capture, &["--json"]).expect_code(1).lines();
    lines.last().unwrap()["not_looked_into"].clone()
}

#[test]
fn tunnels_and_datagrams_are_counted_by_kind() {
    let mut packets = vec![udp(4789, &[8; 60]); 30];
    packets.extend(vec![udp(4433, &[dtls_record(3), dtls_record(0)].concat()); 6]);
    packets.extend([ip(47, 0, &[0, 0, 8, 0]), ip(253, 0, &[1]), udp(53, b"query"), udp(53, b"")]);
    let capture = pcap(RAW_IP, &packets);
    let expected = json!({ "VXLAN": 30, "DTLS": 12, "GRE": 1, "IP protocol 253": 1, "UDP": 2 });
    assert_eq!(counts(&capture), expected);
    keylog(&capture, &[])
        .expect_code(1)
        .expect_stderr("no TLS sessions over TCP in 40 packets\n")
        .expect_stderr(
            "not looked into: 30 packets in VXLAN, 12 DTLS records, 2 packets in UDP, \
         1 packet in GRE, 1 packet in IP protocol 253\n",
        );
    assert_eq!(keylog(&capture, &["--quiet"]).stderr, "");
}

#[test]
fn only_fragments_whose_packet_stays_incomplete_are_counted() {
    let segment = [&[0x30, 0x39, 0x01, 0xbb, 0, 0, 0, 7, 0, 0, 0, 0, 0x50, 0x18][..], &[0; 10]];
    let segment = segment.concat();
    let (first, last) = (ip(6, 0x2000, &segment[..16]), ip(6, 2, &segment[16..]));
    assert_eq!(counts(&pcap(RAW_IP, &[first.clone(), last])), json!({}));
    let capture = pcap(RAW_IP, &[first]);
    assert_eq!(counts(&capture), json!({ "incomplete IP fragments": 1 }));
    keylog(&capture, &[]).expect_stderr("not looked into: 1 incomplete IP fragment\n");
}

#[test]
fn frames_without_ip_and_unknown_link_layers_are_counted() {
    let frame = |ether_type: u16| [&[0x11; 12][..], &ether_type.to_be_bytes(), &[1; 30]].concat();
    let frames = [frame(0x0806), frame(0x8847), frame(0x88cc), frame(0x0800), vec![1; 5]];
    let expected = json!({ "ARP": 1, "MPLS": 1, "EtherType 0x88cc": 1, "unreadable": 2 });
    assert_eq!(counts(&pcap(ETHERNET, &frames)), expected);
    let capture = pcap(189, &frames);
    assert_eq!(counts(&capture), json!({ "link type 189": 5 }));
    let warned = keylog(&capture, &["-q"]).expect_stderr("link type 189 is not supported");
    assert_eq!(warned.stderr.lines().count(), 1);
}

#[test]
fn a_capture_of_tcp_leaves_nothing_out() {
    let capture = fs::read(workspace("tests/data/no-close.pcap")).unwrap();
    let run = keylog(&capture, &[]).expect_code(0);
    assert!(!run.stderr.contains("not looked into"), "{}", run.stderr);
}
