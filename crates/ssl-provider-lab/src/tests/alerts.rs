//! What must be refused, when, and with which alert (RFC 5246 section 7.2).
//! One test for each rule; those about ciphertexts are in `oracles`.

use ssl_provider::{MAX_PAYLOAD_LEN, ProtocolVersion};

use super::*;

fn client() -> Client {
    Client::new(&settings(), ProtocolVersion::TLS1_2)
}

/// A client that has received ServerHelloDone.
fn opened() -> Client {
    let mut client = client();
    client.open(&[AES_128_GCM], &[]);
    client
}

fn established() -> Client {
    let mut client = client();
    client.handshake(&[AES_128_GCM], &[]);
    client
}

fn refusal_of_hello(offered: u16, suites: &[u16], extensions: &[(u16, &[u8])]) -> Alert {
    let mut client = client();
    client.offered = offered;
    let hello = client.hello(suites, extensions);
    client.send(ContentType::Handshake, &hello);
    client.refusal()
}

#[test]
fn an_alert_cannot_span_a_change_of_keys() {
    // Half an alert from an attacker would shift all authenticated alerts by one byte.
    let mut client = opened();
    client.key_exchange();
    client.send(ContentType::Alert, &[1]);
    client.send(ContentType::ChangeCipherSpec, &[1]);
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn nothing_comes_between_the_halves_of_an_alert() {
    let mut before = client();
    before.send(ContentType::Alert, &[1]);
    before.send(ContentType::Handshake, &[1, 0]);
    assert_eq!(before.refusal(), Alert::UnexpectedMessage);
    let mut after = established();
    after.send(ContentType::Alert, &[1]);
    after.send(ContentType::ApplicationData, b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(after.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn each_fault_of_a_client_hello_has_its_alert() {
    let suites = &[AES_128_GCM];
    assert_eq!(refusal_of_hello(0x0200, suites, &[]), Alert::ProtocolVersion);
    assert_eq!(refusal_of_hello(0x0002, suites, &[]), Alert::ProtocolVersion);
    assert_eq!(refusal_of_hello(0x0303, &[0xc02f, 0x1301], &[]), Alert::HandshakeFailure);
    assert_eq!(refusal_of_hello(0x0301, suites, &[]), Alert::HandshakeFailure, "not in TLS 1.0");
    assert_eq!(refusal_of_hello(0x0302, &[0x2f, 0x5600], &[]), Alert::InappropriateFallback);
    assert_eq!(refusal_of_hello(0x0303, suites, &[(0xff01, &[1, 9])]), Alert::HandshakeFailure);
    assert_eq!(refusal_of_hello(0x0303, suites, &[(23, &[0])]), Alert::DecodeError);
    assert_eq!(refusal_of_hello(0x0303, &[], &[]), Alert::DecodeError);
}

#[test]
fn each_fault_of_a_client_hello_has_its_cause() {
    let cause_of = |offered, suites: &[u16], extensions: &[(u16, &[u8])]| {
        let mut client = client();
        client.offered = offered;
        let hello = client.hello(suites, extensions);
        client.send(ContentType::Handshake, &hello);
        client.server.cause().cloned()
    };
    assert_eq!(
        cause_of(0x0200, &[AES_128_GCM], &[]),
        Some(Cause::Version(ProtocolVersion(0x0200)))
    );
    let none_in_common =
        Cause::Suites(ProtocolVersion::TLS1_0, [CipherSuite(AES_128_GCM.into())].into());
    assert_eq!(cause_of(0x0301, &[AES_128_GCM], &[]), Some(none_in_common));
    assert_eq!(cause_of(0x0302, &[0x2f, 0x5600], &[]), Some(Cause::Fallback));
    let renegotiates: &[(u16, &[u8])] = &[(0xff01, &[1, 9])];
    assert_eq!(cause_of(0x0303, &[AES_128_GCM], renegotiates), Some(Cause::Renegotiation));
    assert_eq!(cause_of(0x0303, &[AES_128_GCM], &[]), None, "accepted");

    let mut noise = client();
    noise.server.receive(b"GET / HTTP/1.1\r\n");
    assert_eq!(noise.server.cause(), Some(&Cause::PlainHttp));
}

#[test]
fn an_unencrypted_alert_is_read_whatever_its_record_version() {
    // OpenSSL rejects the version of a ServerHello in a record of its own highest version.
    let mut client = opened();
    client.server.receive(&[21, 3, 1, 0, 2, 2, 70]);
    assert_eq!(client.server.ending(), Some(Ending::FailedByClient(70)));
    let mut client = established();
    client.server.receive(&[21, 3, 1, 0, 2, 2, 70]);
    assert_eq!(client.refusal(), Alert::ProtocolVersion);
}

#[test]
fn an_encrypted_record_is_refused_without_a_cause() {
    let mut client = opened();
    client.key_exchange();
    client.send(ContentType::ChangeCipherSpec, &[1]);
    client.server.receive(&[22, 3, 3, 0, 3, 1, 2, 3]);
    assert_eq!(client.refusal(), Alert::BadRecordMac);
    assert_eq!(client.server.cause(), None);
}

#[test]
fn a_fallback_to_the_highest_version_is_accepted() {
    let mut client = client();
    client.handshake(&[AES_128_GCM, 0x5600], &[]);
}

#[test]
fn a_hello_without_null_compression_is_refused() {
    let mut client = client();
    let mut hello = client.hello(&[AES_128_GCM], &[]);
    *hello.last_mut().unwrap() = 1;
    client.send(ContentType::Handshake, &hello);
    assert_eq!(client.refusal(), Alert::IllegalParameter);
}

#[test]
fn resumption_with_other_parameters_is_refused() {
    let settings = settings();
    let mut first = Client::new(&settings, ProtocolVersion::TLS1_2);
    first.handshake(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]);
    // RFC 7627 section 5.3.
    let mut without = first.again();
    let hello = without.hello(&[AES_128_CBC_SHA], &[]);
    without.send(ContentType::Handshake, &hello);
    assert_eq!(without.refusal(), Alert::HandshakeFailure);
    // RFC 5246 section 7.4.1.2.
    let mut other_suite = first.again();
    let hello = other_suite.hello(&[AES_128_GCM], &[EXTENDED_MASTER_SECRET]);
    other_suite.send(ContentType::Handshake, &hello);
    assert_eq!(other_suite.refusal(), Alert::IllegalParameter);
}

#[test]
fn a_length_field_that_does_not_match_its_message_is_a_decode_error() {
    let len = test_key().len();
    let field = |prefix: usize, len: usize| {
        let prefix = u16::try_from(prefix).unwrap().to_be_bytes();
        [&prefix[..], &vec![0x55; len]].concat()
    };
    let bodies = [
        vec![],
        vec![0],
        field(0, 1),
        field(len, len - 1),
        field(len - 1, len),
        field(len + 1, len),
        field(len, len + 1),
        vec![0x55; len],
    ];
    for body in bodies {
        let mut client = opened();
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_KEY_EXCHANGE, |out| {
            out.extend_from_slice(&body)
        });
        client.send(ContentType::Handshake, &message);
        assert_eq!(client.refusal(), Alert::DecodeError, "{} bytes", body.len());
    }
    // One byte more than the length field can express.
    for (version, expected) in [
        (ProtocolVersion::TLS1_2, Alert::DecodeError),
        (ProtocolVersion::SSL3, Alert::HandshakeFailure),
    ] {
        let mut client = Client::new(&settings(), version);
        client.open(&[AES_128_CBC_SHA], &[]);
        client.send(ContentType::Handshake, &[HandshakeType::CLIENT_KEY_EXCHANGE.0, 1, 0, 2]);
        assert_eq!(client.refusal(), expected, "before anything is collected");
    }
}

#[test]
fn messages_out_of_order_are_refused_at_their_first_byte() {
    for kind in [0, 2, 11, 13, 14, 15, 16, 20, 99] {
        let mut client = client();
        client.send(ContentType::Handshake, &[kind]);
        assert_eq!(client.refusal(), Alert::UnexpectedMessage, "{kind} first");
    }
    for kind in [0, 1, 2, 11, 15, 20] {
        let mut client = opened();
        client.send(ContentType::Handshake, &[kind]);
        assert_eq!(client.refusal(), Alert::UnexpectedMessage, "{kind} for ClientKeyExchange");
    }
    for kind in [0, 1, 15, 16, 20] {
        let mut client = opened();
        client.key_exchange();
        client.send(ContentType::Handshake, &[kind]);
        assert_eq!(client.refusal(), Alert::UnexpectedMessage, "{kind} for ChangeCipherSpec");
    }
    for kind in [0, 1, 16] {
        let mut client = opened();
        client.key_exchange();
        client.change_cipher_spec();
        client.send(ContentType::Handshake, &[kind]);
        assert_eq!(client.refusal(), Alert::UnexpectedMessage, "{kind} for Finished");
    }
    for kind in [0, 2, 16, 20] {
        let mut client = established();
        client.send(ContentType::Handshake, &[kind]);
        assert_eq!(client.refusal(), Alert::UnexpectedMessage, "{kind} when established");
    }
}

#[test]
fn change_cipher_spec_out_of_place_or_malformed_is_refused() {
    for (count, early) in [client(), opened(), established()].iter_mut().enumerate() {
        early.send(ContentType::ChangeCipherSpec, &[1]);
        assert_eq!(early.refusal(), Alert::UnexpectedMessage, "{count}");
    }
    for bad in [&[0][..], &[2], &[1, 1]] {
        let mut client = opened();
        client.key_exchange();
        client.send(ContentType::ChangeCipherSpec, bad);
        assert_eq!(client.refusal(), Alert::DecodeError, "{bad:?}");
    }
    let mut twice = opened();
    twice.key_exchange();
    twice.change_cipher_spec();
    twice.send(ContentType::ChangeCipherSpec, &[1]);
    assert_eq!(twice.refusal(), Alert::UnexpectedMessage);
    // Within a message, and with the start of the next one before it.
    let mut within = opened();
    within.send(ContentType::Handshake, &[HandshakeType::CLIENT_KEY_EXCHANGE.0, 0]);
    within.send(ContentType::ChangeCipherSpec, &[1]);
    assert_eq!(within.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn application_data_before_finished_is_refused() {
    for mut early in [client(), opened()] {
        early.send(ContentType::ApplicationData, b"x");
        assert_eq!(early.refusal(), Alert::UnexpectedMessage);
    }
    let mut early = opened();
    early.key_exchange();
    early.change_cipher_spec();
    early.send(ContentType::ApplicationData, b"x");
    assert_eq!(early.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn application_data_within_a_handshake_message_is_refused() {
    let mut client = established();
    let hello = client.hello(&[AES_128_GCM], &[]);
    client.send(ContentType::Handshake, &hello[..7]);
    client.send(ContentType::ApplicationData, b"x");
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn finished_of_another_length_or_value_is_refused() {
    for (at, len, expected) in [
        (4, 16, Alert::DecryptError),
        (15, 16, Alert::DecryptError),
        (0, 15, Alert::DecodeError),
        (0, 17, Alert::DecodeError),
        (0, 4, Alert::DecodeError),
        (0, 41, Alert::DecodeError),
    ] {
        let mut client = opened();
        client.key_exchange();
        client.change_cipher_spec();
        let mut finished = client.finished_message();
        if at > 0 {
            finished[at] ^= 1;
        }
        finished.resize(len, 0);
        finished[3] = u8::try_from(len - 4).unwrap();
        client.send(ContentType::Handshake, &finished);
        assert_eq!(client.refusal(), expected, "byte {at}, {len} bytes");
    }
}

#[test]
fn records_without_content_are_refused_but_for_a_few_of_application_data() {
    for content_type in [ContentType::Handshake, ContentType::Alert, ContentType::ChangeCipherSpec]
    {
        for mut client in [client(), opened(), established()] {
            client.send(content_type, &[]);
            assert_eq!(client.refusal(), Alert::UnexpectedMessage, "{content_type:?}");
        }
    }
    let mut client = established();
    for round in 0..3 {
        for _ in 0..32 {
            client.send(ContentType::ApplicationData, &[]);
        }
        client.send(ContentType::ApplicationData, &[round]);
    }
    client.expect_silence();
    for _ in 0..33 {
        client.send(ContentType::ApplicationData, &[]);
    }
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn the_number_of_warnings_is_limited() {
    let mut client = client();
    for _ in 0..32 {
        client.send(ContentType::Alert, &[1, 90]);
    }
    client.expect_silence();
    client.send(ContentType::Alert, &[1, 90]);
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);

    let mut client = established();
    let hello = client.hello(&[AES_128_GCM], &[]);
    for _ in 0..32 {
        client.send(ContentType::Handshake, &hello);
        client.received();
    }
    client.send(ContentType::Handshake, &hello);
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn an_alert_of_an_unknown_level_is_an_illegal_parameter() {
    for level in [0, 3, 255] {
        let mut client = client();
        client.send(ContentType::Alert, &[level, 0]);
        assert_eq!(client.refusal(), Alert::IllegalParameter);
    }
}

#[test]
fn records_longer_than_allowed_overflow() {
    let header = |len: u16| [&[22, 3, 3][..], &len.to_be_bytes()].concat();
    let mut plain = client();
    plain.server.receive(&header(16385));
    assert_eq!(plain.refusal(), Alert::RecordOverflow);
    let mut protected = established();
    protected.server.receive(&header(16384 + 2048 + 1));
    assert_eq!(protected.refusal(), Alert::RecordOverflow);
    // Of a legal length, so that it fails authentication instead.
    let mut fits = established();
    fits.server.receive(&[header(16384 + 2048), vec![0; 16384 + 2048]].concat());
    assert_eq!(fits.refusal(), Alert::BadRecordMac);
}

#[test]
fn a_payload_that_is_too_long_overflows_once_its_mac_is_right() {
    for (version, suite, extensions) in [
        (ProtocolVersion::TLS1_2, AES_128_GCM, &[][..]),
        (ProtocolVersion::TLS1_2, AES_128_CBC_SHA, &[ENCRYPT_THEN_MAC]),
        (ProtocolVersion::TLS1_1, AES_128_CBC_SHA, &[]),
        (ProtocolVersion::TLS1_0, 0x0005, &[]),
    ] {
        let overlong = |damage: u8| {
            let mut client = Client::new(&settings(), version);
            client.open(&[suite], extensions);
            client.key_exchange();
            let payload = vec![b'x'; MAX_PAYLOAD_LEN + 1];
            let backend = default_backend().unwrap();
            let mut record = client.write_direction().seal(&backend, &payload);
            *record.last_mut().unwrap() ^= damage;
            client.change_cipher_spec();
            client.server.receive(&record);
            client.refusal()
        };
        assert_eq!(overlong(0), Alert::RecordOverflow, "{version:?} {suite:04x}");
        assert_eq!(overlong(1), Alert::BadRecordMac, "{version:?} {suite:04x}");
    }
}

#[test]
fn a_record_of_another_version_than_agreed_is_refused() {
    let mut client = opened();
    client.version = ProtocolVersion::TLS1_1;
    client.send(ContentType::Handshake, &[HandshakeType::CLIENT_KEY_EXCHANGE.0]);
    assert_eq!(client.refusal(), Alert::ProtocolVersion);
}

#[test]
fn what_is_not_tls_is_refused_at_its_first_byte() {
    let mut client = client();
    client.server.receive(b"G");
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn ssl_3_clients_get_alerts_of_ssl_3() {
    let mut client = Client::new(&settings(), ProtocolVersion::SSL3);
    client.open(&[AES_128_CBC_SHA], &[]);
    client.send(ContentType::Handshake, &[HandshakeType::CLIENT_KEY_EXCHANGE.0, 1, 0, 2]);
    assert_eq!(client.refusal(), Alert::HandshakeFailure);
    let off = settings_with(|options| options.versions = vec![ProtocolVersion::TLS1_2]);
    let mut client = Client::new(&off, ProtocolVersion::SSL3);
    let hello = client.hello(&[AES_128_CBC_SHA], &[]);
    client.send(ContentType::Handshake, &hello);
    assert_eq!(client.server.output(), [21, 3, 0, 0, 2, 2, 70], "in a record of SSL 3.0");
}

#[test]
fn arbitrary_input_makes_the_server_neither_panic_nor_buffer() {
    let settings = settings();
    let mut rng = Rng::new(0x5e7e);
    for round in 0..3000 {
        let mut client = Client::new(&settings, *rng.pick(&VERSIONS));
        let steps = rng.below(5);
        if steps > 0 {
            client.open(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]);
        }
        if steps > 1 {
            client.key_exchange();
        }
        if steps > 2 {
            client.change_cipher_spec();
        }
        if steps > 3 {
            let finished = client.finished_message();
            client.send_message(&finished);
            client.received();
        }
        for _ in 0..20 {
            let len = rng.below(60);
            let mut payload = rng.bytes(len);
            if let Some(kind) = payload.first_mut().filter(|_| rng.one_in(2)) {
                *kind = *rng.pick(&[1, 16, 20]);
            }
            let content_type = *rng.pick(&[20, 21, 22, 22, 22, 23, 24]);
            let mut record = client.record(content_type, &payload);
            if rng.one_in(4) {
                let at = rng.below(record.len());
                record[at] ^= 1 << rng.below(8);
            }
            client.server.receive(&record);
            client.server.take_data();
            assert!(client.server.output().len() < 4000, "round {round}");
        }
    }
}
