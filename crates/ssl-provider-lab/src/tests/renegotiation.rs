//! Secure renegotiation (RFC 5746): off unless asked for, and bound to the handshake before it.

use super::*;

const RENEGOTIATION_INFO: u16 = ExtensionType::RENEGOTIATION_INFO.0;
const SCSV: u16 = 0x00ff;

fn renegotiating() -> Arc<Settings> {
    settings_with(|options| options.renegotiation = true)
}

/// A client that has completed its first handshake with the extended master secret.
fn established(settings: &Arc<Settings>, version: ProtocolVersion) -> Client {
    let mut client = Client::new(settings, version);
    let extensions = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &[0])];
    assert!(client.handshake(&[AES_128_CBC_SHA], &extensions).secure_renegotiation);
    client
}

/// Returns the renegotiation_info of this client's next hello.
fn info(client: &Client) -> Vec<u8> {
    let mut info = Vec::new();
    put_vec::<1>(&mut info, |out| out.extend_from_slice(&client.finished[0]));
    info
}

/// Sends a hello under the keys in use, which begins a transcript of its own.
fn send_hello(client: &mut Client, suites: &[u16], extensions: &[(u16, &[u8])]) {
    client.transcript.clear();
    client.session_id.clear();
    let hello = client.hello(suites, extensions);
    client.send_message(&hello);
}

/// Begins a renegotiation, and returns the renegotiation_info of the server.
fn begin(client: &mut Client, suites: &[u16]) -> Vec<u8> {
    let info = info(client);
    send_hello(client, suites, &[EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &info)]);
    client.received();
    let message = client.message_of_server(HandshakeType::SERVER_HELLO).expect("a ServerHello");
    let hello = ServerHello::parse(&message, View::Strict).unwrap();
    client.server_random = hello.random;
    client.session_id = hello.session_id.to_vec();
    client.suite = CipherSuite(hello.suite.into());
    client.encrypt_then_mac = false;
    hello.extensions.renegotiated_connection().expect("renegotiation_info").to_vec()
}

fn exchange_data(client: &mut Client) {
    client.send(ContentType::ApplicationData, b"from the client");
    assert_eq!(client.server.take_data(), b"from the client");
    assert!(client.server.send(b"from the server"));
    let payloads = client.received().into_iter().map(|record| record.payload);
    assert_eq!(payloads.collect::<Vec<_>>().concat(), b"from the server");
}

#[test]
fn a_client_renegotiates_as_often_as_it_may() {
    for version in [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2] {
        let mut client = established(&renegotiating(), version);
        for number in 1..=16 {
            let suite = if number % 2 == 0 { AES_128_CBC_SHA } else { 0x0035 };
            let both = client.finished.concat();
            assert_eq!(begin(&mut client, &[suite]), both, "RFC 5746 section 3.7");
            client.key_exchange();
            let session = client.finish();
            assert_eq!(session.suite.id.0, u32::from(suite));
            assert_ne!(client.finished.concat(), both);
            exchange_data(&mut client);
        }
        let info = info(&client);
        let extensions = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &info[..])];
        send_hello(&mut client, &[AES_128_CBC_SHA], &extensions);
        let declined = Sent { content_type: 21, payload: vec![1, 100] };
        assert_eq!(client.received(), [declined]);
        exchange_data(&mut client);
    }
}

#[test]
fn a_renegotiation_that_is_not_bound_to_the_handshake_before_it_is_refused() {
    let settings = renegotiating();
    let refusal = |suites: &[u16], change: fn(&mut Vec<u8>), with_info: bool| {
        let mut client = established(&settings, ProtocolVersion::TLS1_2);
        let mut info = info(&client);
        change(&mut info);
        let extensions = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &info[..])];
        send_hello(&mut client, suites, &extensions[..if with_info { 2 } else { 1 }]);
        let alert = client.refusal();
        assert_eq!(client.server.cause(), None, "of an encrypted message");
        alert
    };
    let suites = [AES_128_CBC_SHA];
    let failure = Alert::HandshakeFailure;
    assert_eq!(refusal(&suites, |_| {}, false), failure, "no renegotiation_info");
    assert_eq!(refusal(&[AES_128_CBC_SHA, SCSV], |_| {}, true), failure, "signaled by suite");
    assert_eq!(refusal(&[AES_128_CBC_SHA, SCSV], |_| {}, false), failure, "as in a first hello");
    assert_eq!(refusal(&suites, |info| *info = vec![0], true), failure, "empty");
    assert_eq!(refusal(&suites, |info| info[12] ^= 1, true), failure, "one bit");
    let cut = |info: &mut Vec<u8>| {
        info.pop();
        info[0] -= 1;
    };
    assert_eq!(refusal(&suites, cut, true), failure, "one byte less");
    assert_eq!(refusal(&suites, |info| info[0] += 1, true), Alert::DecodeError);
}

#[test]
fn a_renegotiation_keeps_version_and_extended_master_secret() {
    let settings = renegotiating();
    let mut client = established(&settings, ProtocolVersion::TLS1_2);
    let info_of_client = info(&client);
    send_hello(&mut client, &[AES_128_CBC_SHA], &[(RENEGOTIATION_INFO, &info_of_client)]);
    assert_eq!(client.refusal(), Alert::HandshakeFailure, "without the extended master secret");

    let mut client = established(&settings, ProtocolVersion::TLS1_2);
    let info_of_client = info(&client);
    client.offered = 0x0302;
    let extensions = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &info_of_client[..])];
    send_hello(&mut client, &[AES_128_CBC_SHA], &extensions);
    assert_eq!(client.refusal(), Alert::ProtocolVersion);
}

#[test]
fn a_client_without_secure_renegotiation_is_declined() {
    let mut client = Client::new(&renegotiating(), ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_CBC_SHA], &[]);
    for extensions in [&[][..], &[(RENEGOTIATION_INFO, &[0][..])]] {
        send_hello(&mut client, &[AES_128_CBC_SHA], extensions);
        let declined = Sent { content_type: 21, payload: vec![1, 100] };
        assert_eq!(client.received(), [declined]);
    }
    exchange_data(&mut client);
}

/// Else a server between the two has sessions of one master secret with both, and what follows them
/// is bound to neither (the triple handshake, RFC 7627 section 5.4).
#[test]
fn a_resumption_without_the_extended_master_secret_is_never_renegotiated() {
    let settings = renegotiating();
    for extended in [false, true] {
        let mut first = Client::new(&settings, ProtocolVersion::TLS1_2);
        let extensions = [(RENEGOTIATION_INFO, &[0][..]), EXTENDED_MASTER_SECRET];
        let extensions = &extensions[..if extended { 2 } else { 1 }];
        assert!(!first.handshake(&[AES_128_CBC_SHA], extensions).resumed);
        let mut client = first.again();
        assert!(client.handshake(&[AES_128_CBC_SHA], extensions).resumed);
        let info = info(&client);
        let bound = [(RENEGOTIATION_INFO, &info[..]), EXTENDED_MASTER_SECRET];
        send_hello(&mut client, &[AES_128_CBC_SHA], &bound);
        let sent = client.received();
        let declined = Sent { content_type: 21, payload: vec![1, 100] };
        assert_eq!(sent == [declined], !extended, "extended master secret: {extended}");
        // A full handshake is bound to its own transcript.
        begin(&mut first, &[AES_128_CBC_SHA]);
        first.key_exchange();
        first.finish();
    }
}

/// A connection that has had encrypt-then-MAC.
fn encrypting_then_mac(settings: &Arc<Settings>) -> Client {
    let mut client = Client::new(settings, ProtocolVersion::TLS1_2);
    let extensions = [ENCRYPT_THEN_MAC, EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &[0])];
    assert!(client.handshake(&[AES_128_CBC_SHA], &extensions).encrypt_then_mac);
    client
}

#[test]
fn a_renegotiation_does_not_go_back_to_mac_then_encrypt() {
    let settings = renegotiating();
    let mut full = encrypting_then_mac(&settings);
    let of_full = info(&full);
    let without = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &of_full[..])];
    send_hello(&mut full, &[AES_128_CBC_SHA, 0x0035], &without);
    assert_eq!(full.refusal(), Alert::HandshakeFailure);

    // Nor by a session that never had it.
    let other = established(&settings, ProtocolVersion::TLS1_2);
    let mut resuming = encrypting_then_mac(&settings);
    let of_resuming = info(&resuming);
    let without = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &of_resuming[..])];
    resuming.transcript.clear();
    resuming.session_id = other.session_id;
    let hello = resuming.hello(&[AES_128_CBC_SHA], &without);
    resuming.send_message(&hello);
    assert_eq!(resuming.refusal(), Alert::HandshakeFailure);

    // An AEAD suite takes its place, and is no way around it.
    let mut around = encrypting_then_mac(&settings);
    begin(&mut around, &[AES_128_CBC_SHA, AES_128_GCM]);
    around.key_exchange();
    assert_eq!(around.finish().suite.id.0, u32::from(AES_128_GCM));
    let of_around = info(&around);
    let without = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &of_around[..])];
    send_hello(&mut around, &[AES_128_CBC_SHA], &without);
    assert_eq!(around.refusal(), Alert::HandshakeFailure);
}

#[test]
fn after_a_fatal_alert_no_session_of_the_connection_is_resumed() {
    for is_fatal in [false, true] {
        let mut client = established(&renegotiating(), ProtocolVersion::TLS1_2);
        let first = client.again();
        begin(&mut client, &[AES_128_CBC_SHA]);
        client.key_exchange();
        client.finish();
        let second = client.again();
        client.send(ContentType::Alert, if is_fatal { &[2, 80] } else { &[1, 0] });
        client.server.close();
        let ending = if is_fatal { Ending::FailedByClient(80) } else { Ending::Closed };
        assert_eq!(client.server.ending(), Some(ending));
        for mut next in [first, second] {
            assert_eq!(next.open(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]), !is_fatal);
        }
    }
}

#[test]
fn no_data_of_the_client_comes_within_a_renegotiation() {
    let mut client = established(&renegotiating(), ProtocolVersion::TLS1_2);
    begin(&mut client, &[AES_128_CBC_SHA]);
    assert!(client.server.send(b"of the session before"));
    let payloads = client.received().into_iter().map(|record| record.payload);
    assert_eq!(payloads.collect::<Vec<_>>().concat(), b"of the session before");
    client.send(ContentType::ApplicationData, b"of which session?");
    assert_eq!(client.refusal(), Alert::UnexpectedMessage);
    assert!(client.server.take_data().is_empty());
}

/// Begins a renegotiation that resumes the session, up to the server's Finished.
fn resume_within(client: &mut Client) {
    let (session_id, both) = (client.session_id.clone(), client.finished.concat());
    let info = info(client);
    client.transcript.clear();
    let extensions = [EXTENDED_MASTER_SECRET, (RENEGOTIATION_INFO, &info[..])];
    let hello = client.hello(&[AES_128_CBC_SHA], &extensions);
    client.send_message(&hello);
    // The server's Finished comes at once, under keys of its new random.
    let mut output = client.server.output().to_vec();
    let (key, number) = client.read.as_mut().unwrap();
    let len = 5 + usize::from(u16::from_be_bytes([output[3], output[4]]));
    let payload = key.decrypt_in_place(*number, &mut output[..len]).unwrap();
    let mut messages = Assembler::default();
    messages.extend(&output[payload]);
    let message = messages.next_of_any_type().unwrap();
    let hello = ServerHello::parse(&message, View::Strict).unwrap();
    assert_eq!(hello.session_id, session_id);
    assert_eq!(hello.extensions.renegotiated_connection(), Some(&both[..]));
    client.server_random = hello.random;
    client.derive();
    // As a fresh key for what was just decrypted apart from the client.
    let (key, number) = client.read.take().unwrap();
    client.server.sent(len);
    client.transcript.extend_from_slice(&message.bytes);
    client.read = Some((key, number + 1));
    client.received();
}

#[test]
fn a_session_is_resumed_in_a_renegotiation() {
    let mut client = established(&renegotiating(), ProtocolVersion::TLS1_2);
    resume_within(&mut client);
    assert!(client.finish().resumed);
    exchange_data(&mut client);
}

/// Sends the client's ChangeCipherSpec and Finished, and returns what the server sends then.
fn complete(client: &mut Client) -> Vec<Sent> {
    client.change_cipher_spec();
    let finished = client.finished_message();
    client.send_message(&finished);
    client.received()
}

/// "Once a side has sent its Finished message and received and validated the Finished message from
/// its peer, it may begin to send and receive application data" (RFC 5246 section 7.4.9).
#[test]
fn data_of_the_server_waits_for_the_finished_of_a_client_that_resumes() {
    let held = Sent { content_type: 23, payload: b"held back".to_vec() };
    let closed = Sent { content_type: 21, payload: vec![1, 0] };

    let mut client = established(&renegotiating(), ProtocolVersion::TLS1_2);
    resume_within(&mut client);
    assert!(client.server.send(b"held "));
    client.expect_silence();
    assert!(client.server.send(b"back"));
    client.expect_silence();
    assert_eq!(complete(&mut client), std::slice::from_ref(&held));
    exchange_data(&mut client);

    // Nor does the end come before the data.
    let mut client = established(&renegotiating(), ProtocolVersion::TLS1_2);
    resume_within(&mut client);
    assert!(client.server.send(b"held back"));
    client.server.close();
    client.expect_silence();
    assert_eq!(complete(&mut client), [held, closed.clone()]);
    assert_eq!(client.server.ending(), Some(Ending::Closed));

    // Unless the client has closed, and will send no Finished.
    let mut client = established(&renegotiating(), ProtocolVersion::TLS1_2);
    resume_within(&mut client);
    assert!(client.server.send(b"held back"));
    client.send(ContentType::Alert, &[1, 0]);
    client.server.close();
    assert_eq!(client.received(), [closed]);
    assert_eq!(client.server.ending(), Some(Ending::Closed));
}
