//! What must work: every version and suite on every backend, full and abbreviated handshakes,
//! fragmented and coalesced messages, and established connections.

use ssl_provider::{CipherMode, ProtocolVersion, backends};

use super::*;

#[test]
fn every_version_suite_and_extension_works_on_every_backend() {
    for backend in backends() {
        let settings = settings_on(&backend, |_| {});
        let mut count = 0;
        for (version, suites) in settings.usable() {
            for suite in suites {
                for extensions in [&[][..], &[EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC]] {
                    let mut client = Client::new(&settings, *version);
                    let id = u16::try_from(suite.id.0).unwrap();
                    let session = client.handshake(&[id], extensions);
                    assert_eq!((session.protocol, session.suite.id), (*version, suite.id));
                    let with_extensions =
                        !extensions.is_empty() && *version != ProtocolVersion::SSL3;
                    assert_eq!(session.extended_master_secret, with_extensions);
                    let is_cbc = suite.name.contains("CBC");
                    assert_eq!(session.encrypt_then_mac, with_extensions && is_cbc);
                    assert!(!session.resumed);
                    exchange_data(&mut client);
                    count += 1;
                }
            }
        }
        assert!(count > 50, "{}: only {count} handshakes", backend.info().name);
    }
}

fn exchange_data(client: &mut Client) {
    client.send(ContentType::ApplicationData, b"hello ");
    client.send(ContentType::ApplicationData, b"");
    client.send(ContentType::ApplicationData, &[b'x'; 16384]);
    let data = client.server.take_data();
    assert_eq!((&data[..6], data.len()), (&b"hello "[..], 6 + 16384));
    assert!(client.server.send(&[b'y'; 20_000]));
    let lens: Vec<_> = client.received().iter().map(|record| record.payload.len()).collect();
    // The 1/n-1 split: up to TLS 1.0, CBC chains its IVs.
    let mode = client.suite.info().unwrap().cipher.mode;
    let chains_ivs = client.version < ProtocolVersion::TLS1_1 && mode == CipherMode::Cbc;
    assert_eq!(lens, if chains_ivs { vec![1, 16384, 3615] } else { vec![16384, 3616] });
    assert!(client.server.send(b"z"));
    assert_eq!(client.received().len(), 1);
    client.server.close();
    assert_eq!(client.received().last().unwrap().payload, [1, 0]);
    assert_eq!(client.server.ending(), Some(Ending::Closed));
}

#[test]
fn sessions_are_resumed_in_every_version() {
    let settings = settings();
    for version in VERSIONS {
        for extensions in [&[][..], &[EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC]] {
            let mut first = Client::new(&settings, version);
            let full = first.handshake(&[AES_128_CBC_SHA], extensions);
            let mut second = first.again();
            let resumed = second.handshake(&[AES_128_GCM, AES_128_CBC_SHA], extensions);
            assert!(resumed.resumed, "{version:?}");
            assert_eq!(resumed.extended_master_secret, full.extended_master_secret);
            exchange_data(&mut second);
            assert!(second.again().open(&[AES_128_CBC_SHA], extensions), "a third time");
        }
    }
}

#[test]
fn a_client_hello_in_the_format_of_ssl_2_is_accepted() {
    for version in VERSIONS {
        let mut client = Client::new(&settings(), version);
        let suites = [1, 0, 0x80, 0, 0, 0x2f, 0, 0, 0xff];
        let [high, low] = version.wire().to_be_bytes();
        let head = [1, high, low, 0, 9, 0, 0, 0, 32];
        client.send_ssl2_hello(&[&head[..], &suites, &CLIENT_RANDOM].concat());
        assert!(!client.read_flight());
        client.key_exchange();
        let session = client.finish();
        assert_eq!(
            (session.protocol, session.suite.id),
            (version, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA)
        );
        assert!(session.secure_renegotiation && !session.extended_master_secret);
        exchange_data(&mut client);
    }
}

#[test]
fn a_session_of_other_parameters_is_not_resumed() {
    let settings = settings();
    let session = || {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        client.handshake(&[AES_128_CBC_SHA], &[]);
        client.again()
    };
    let mut other_version = session();
    other_version.offered = 0x0302;
    assert!(!other_version.open(&[AES_128_CBC_SHA], &[]));
    assert!(!session().open(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]), "RFC 7627 5.3");
    assert!(!session().open(&[AES_128_CBC_SHA], &[(0, b"\0\x08\0\0\x05other")]));
    let mut unknown = session();
    unknown.session_id[0] ^= 1;
    assert!(!unknown.open(&[AES_128_CBC_SHA], &[]));
    let mut short = session();
    short.session_id.pop();
    assert!(!short.open(&[AES_128_CBC_SHA], &[]));
    assert!(session().open(&[AES_128_CBC_SHA], &[]), "and the right one does");

    let mut first = Client::new(&settings, ProtocolVersion::TLS1_2);
    first.handshake(&[AES_128_CBC_SHA], &[ENCRYPT_THEN_MAC]);
    assert!(!first.again().open(&[AES_128_CBC_SHA], &[]), "no step back from encrypt-then-MAC");
}

#[test]
fn a_session_is_not_resumed_after_a_fatal_alert() {
    let settings = settings();
    let mut first = Client::new(&settings, ProtocolVersion::TLS1_2);
    first.handshake(&[AES_128_CBC_SHA], &[]);
    first.send(ContentType::Alert, &[2, 80]);
    assert_eq!(first.server.ending(), Some(Ending::FailedByClient(80)));
    assert!(first.server.output().is_empty(), "no answer to a fatal alert");
    assert!(!first.again().open(&[AES_128_CBC_SHA], &[]));
}

#[test]
fn the_cache_evicts_the_oldest_session() {
    let settings = settings();
    let connect = || {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        client.handshake(&[AES_128_GCM], &[]);
        client
    };
    let first = connect();
    let others: Vec<_> = (0..10).map(|_| connect()).collect();
    assert!(!first.again().open(&[AES_128_GCM], &[]));
    assert!(others.iter().all(|client| client.again().open(&[AES_128_GCM], &[])));
}

#[test]
fn messages_may_be_fragmented_anywhere() {
    for version in [ProtocolVersion::SSL3, ProtocolVersion::TLS1_2] {
        let settings = settings();
        for cut in 1..200 {
            let mut client = Client::new(&settings, version);
            let hello = client.hello(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]);
            send_in_two(&mut client, &hello, cut);
            client.read_flight();
            let encrypted = client.encrypted_premaster();
            let message = client.key_exchange_message(&encrypted);
            send_in_two(&mut client, &message, cut);
            client.take_keys_of(&encrypted);
            client.change_cipher_spec();
            let finished = client.finished_message();
            send_in_two(&mut client, &finished, cut);
            client.received();
            assert!(client.server.established().is_some(), "cut at {cut}");
        }
    }
}

fn send_in_two(client: &mut Client, message: &[u8], cut: usize) {
    client.transcript.extend_from_slice(message);
    let (one, other) = message.split_at(cut.min(message.len() - 1));
    client.send(ContentType::Handshake, one);
    client.expect_silence();
    client.send(ContentType::Handshake, other);
}

#[test]
fn records_may_come_in_pieces_of_any_size() {
    for piece_len in [1, 2, 3, 5, 7, 100] {
        let mut client = Client::new(&settings(), ProtocolVersion::TLS1_2);
        let hello = client.hello(&[AES_128_GCM], &[]);
        client.transcript.extend_from_slice(&hello);
        let record = client.record(22, &hello);
        for piece in record.chunks(piece_len) {
            client.server.receive(piece);
        }
        client.read_flight();
        let encrypted = client.encrypted_premaster();
        let message = client.key_exchange_message(&encrypted);
        client.transcript.extend_from_slice(&message);
        let mut stream = client.record(22, &message);
        stream.extend(client.record(20, &[1]));
        client.take_keys_of(&encrypted);
        client.change_write_key();
        let finished = client.finished_message();
        client.transcript.extend_from_slice(&finished);
        stream.extend(client.record(22, &finished));
        stream.extend(client.record(23, b"data"));
        for piece in stream.chunks(piece_len) {
            client.server.receive(piece);
        }
        assert_eq!(client.server.take_data(), b"data", "{piece_len}");
    }
}

#[test]
fn the_highest_common_version_and_the_server_s_first_suite_are_chosen() {
    let settings = settings();
    for (offered, expected) in [
        (0x0300, ProtocolVersion::SSL3),
        (0x0301, ProtocolVersion::TLS1_0),
        (0x0303, ProtocolVersion::TLS1_2),
        (0x0304, ProtocolVersion::TLS1_2),
        (0x0399, ProtocolVersion::TLS1_2),
        (0xffff, ProtocolVersion::TLS1_2),
    ] {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_0);
        client.offered = offered;
        client.open(&[0x0035, AES_128_CBC_SHA], &[]);
        assert_eq!(client.version, expected);
        assert_eq!(
            client.suite,
            CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
            "the server's order counts"
        );
        let marked = client.server_random.ends_with(b"DOWNGRD\0");
        assert_eq!(marked, expected < ProtocolVersion::TLS1_2);
    }
    let gap = settings_with(|options| {
        options.versions = vec![ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_2]
    });
    let mut client = Client::new(&gap, ProtocolVersion::TLS1_1);
    client.open(&[AES_128_CBC_SHA], &[]);
    assert_eq!(client.version, ProtocolVersion::TLS1_0);
}

#[test]
fn disabled_extensions_are_not_negotiated() {
    let off = settings_with(|options| {
        options.extended_master_secret = false;
        options.encrypt_then_mac = false;
    });
    let mut client = Client::new(&off, ProtocolVersion::TLS1_2);
    let extensions = [EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC];
    let session = client.handshake(&[AES_128_CBC_SHA], &extensions);
    assert!(!session.extended_master_secret && !session.encrypt_then_mac);
    assert!(!session.secure_renegotiation);
}

#[test]
fn secure_renegotiation_is_signaled_by_suite_or_extension() {
    let settings = settings();
    let mut client = Client::new(&settings, ProtocolVersion::SSL3);
    assert!(client.handshake(&[AES_128_CBC_SHA, 0x00ff], &[]).secure_renegotiation);
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_0);
    assert!(client.handshake(&[AES_128_CBC_SHA], &[(0xff01, &[0])]).secure_renegotiation);
}

#[test]
fn the_key_exchange_of_ssl_3_comes_with_and_without_a_length() {
    for with_length in [false, true] {
        let mut client = Client::new(&settings(), ProtocolVersion::SSL3);
        client.open(&[AES_128_CBC_SHA], &[]);
        let encrypted = client.encrypted_premaster();
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_KEY_EXCHANGE, |out| match with_length {
            true => put_vec::<2>(out, |out| out.extend_from_slice(&encrypted)),
            false => out.extend_from_slice(&encrypted),
        });
        client.send_message(&message);
        client.take_keys_of(&encrypted);
        client.finish();
    }
}

#[test]
fn a_renegotiation_is_declined_with_a_warning() {
    let settings = settings();
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_GCM], &[]);
    let hello = client.hello(&[AES_128_GCM], &[]);
    client.send(ContentType::Handshake, &hello);
    let expected = Sent { content_type: 21, payload: vec![1, 100] };
    assert_eq!(client.received(), [expected]);
    client.send(ContentType::ApplicationData, b"still open");
    assert_eq!(client.server.take_data(), b"still open");

    let mut client = Client::new(&settings, ProtocolVersion::SSL3);
    client.handshake(&[AES_128_CBC_SHA], &[]);
    let hello = client.hello(&[AES_128_CBC_SHA], &[]);
    client.send(ContentType::Handshake, &hello);
    assert_eq!(client.refusal(), Alert::HandshakeFailure, "SSL 3.0 has no such warning");
}

#[test]
fn close_notify_is_returned_and_alerts_may_be_fragmented() {
    let mut client = Client::new(&settings(), ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_GCM], &[]);
    client.send(ContentType::Alert, &[1]);
    client.send(ContentType::Alert, &[90, 1, 0]);
    assert!(client.server.is_closed_by_client());
    client.send(ContentType::ApplicationData, b"too late");
    assert_eq!(client.server.take_data(), b"");
    assert!(client.server.send(b"a last word"));
    client.server.close();
    let last = Sent { content_type: 23, payload: b"a last word".to_vec() };
    assert_eq!(client.received(), [last, Sent { content_type: 21, payload: vec![1, 0] }]);
    assert_eq!(client.server.ending(), Some(Ending::Closed));
    client.server.close();
    assert_eq!(client.received(), [], "once");
}
