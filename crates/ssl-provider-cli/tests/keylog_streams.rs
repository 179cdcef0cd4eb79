//! Streams that were reassembled from a capture and modified: TLS that does not start at the
//! beginning of the connection, and bytes in odd pieces.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use ssl_provider::default_backend;
use ssl_provider_cli::capture::link::ip_packet;
use ssl_provider_cli::capture::{
    CaptureReader, Ended, Endpoints, IpStage, Limits, Moment, Peer, StreamHandler, TcpStage, source,
};
use ssl_provider_cli::key_file::{PasswordArgs, read_keys};
use ssl_provider_cli::keylog::analysis::{Analysis, analyse};
use ssl_provider_cli::keylog::conversation::Conversation;
use ssl_provider_cli::keylog::keyring::Keyring;
use ssl_provider_cli::keylog::resumption::KnownSessions;
use ssl_provider_cli::keylog::session::Verdict;

use common::{key, workspace};

/// Both streams of a connection.
#[derive(Clone, Debug, Default)]
struct Streams([Vec<u8>; 2]);

impl StreamHandler for Streams {
    fn bytes(&mut self, from: Peer, bytes: &[u8], _moment: Moment) {
        self.0[from as usize].extend(bytes);
    }

    fn gap(&mut self, _from: Peer, _missing: u64) {
        panic!("the capture is whole");
    }

    fn wants(&self, _from: Peer) -> bool {
        true
    }

    fn is_settled(&self) -> bool {
        false
    }

    fn memory(&self) -> usize {
        0
    }
}

/// The connections of a capture.
fn connections(name: &str) -> Vec<(Endpoints, Streams)> {
    let input = source::open(&workspace("tests/data").join(name)).unwrap();
    let mut reader = CaptureReader::new(input).unwrap();
    let (mut ip, mut tcp) = (IpStage::default(), TcpStage::new(Limits::default()));
    let mut ended: Vec<Ended<Streams>> = Vec::new();
    while let Some(packet) = reader.next_packet().unwrap() {
        let Ok(packet) = ip_packet(packet.link_type, packet.data) else { continue };
        if let Some(segment) = ip.segment(packet) {
            tcp.segment(&segment, Moment::default(), Streams::default, |end| ended.push(end));
        }
    }
    tcp.finish(|end| ended.push(end));
    ended.into_iter().map(|end| (end.endpoints, end.handler)).collect()
}

fn keyring() -> Keyring {
    let backend = default_backend().unwrap();
    let password = PasswordArgs::default().password().unwrap();
    let keys = read_keys(&key("server-2048.pem"), &password).unwrap();
    Keyring::load(backend, &keys, false).unwrap()
}

/// Feeds a conversation in pieces, first all of one side and then all of the other.
fn analyse_in_pieces(
    (endpoints, streams): &(Endpoints, Streams),
    order: [Peer; 2],
    piece_len: usize,
    keyring: &Keyring,
) -> Analysis {
    let mut conversation = Conversation::default();
    for peer in order {
        for piece in streams.0[peer as usize].chunks(piece_len) {
            conversation.bytes(peer, piece, Moment::default());
        }
    }
    let conversation = conversation.finish(*endpoints, false).unwrap();
    analyse(&conversation, keyring, &KnownSessions::default())
}

fn assert_proven(connection: &(Endpoints, Streams), keyring: &Keyring, what: &str) {
    for order in [[Peer::A, Peer::B], [Peer::B, Peer::A]] {
        for piece_len in [1, 7, 100, 100_000] {
            let analysis = analyse_in_pieces(connection, order, piece_len, keyring);
            let verdicts: Vec<_> = analysis.sessions.iter().map(|one| one.verdict).collect();
            let sessions = &analysis.sessions;
            assert_eq!(verdicts, [Verdict::Proven], "{what:?} by {piece_len}: {sessions:?}");
        }
    }
}

#[test]
fn pieces_of_any_size_and_either_side_first_make_no_difference() {
    let keyring = &keyring();
    for connection in connections("suites.pcap.gz") {
        assert_proven(&connection, keyring, "as captured");
    }
}

#[test]
fn tls_is_found_behind_starttls_and_connect() {
    let talks = [
        ("EHLO a\r\nSTARTTLS\r\n", "220 b ready\r\n250-b\r\n250 STARTTLS\r\n220 go ahead\r\n"),
        ("CONNECT c:443 HTTP/1.1\r\nHost: c\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
        ("\x16\x03\x16\x03", "\x16\x16\x03"),
    ];
    let keyring = &keyring();
    for (endpoints, streams) in connections("no-close.pcap") {
        for (client, server) in talks {
            let mut changed = streams.clone();
            changed.0[0].splice(0..0, client.bytes());
            changed.0[1].splice(0..0, server.bytes());
            assert_proven(&(endpoints, changed), keyring, client);
        }
    }
}

#[test]
fn garbage_behind_the_handshake_takes_nothing_away_from_it() {
    let keyring = &keyring();
    for (endpoints, mut streams) in connections("no-close.pcap") {
        streams.0[0].extend([0x55; 3000]);
        streams.0[1].extend([0xaa; 3000]);
        assert_proven(&(endpoints, streams), keyring, "garbage behind");
    }
}
