//! Pauses at the ClientKeyExchange, after which the owner of the connection decrypts.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use ssl_provider::backend::{Composed, KeyExchangeBackend, SecureRandom};
use ssl_provider::{BackendInfo, Error, Operation, Support};
use ssl_provider_wire::Reader;

use super::*;
use crate::server::{Limits, Server};

/// A client whose server waits for the decryption, with everything up to its Finished sent at once.
fn paused(settings: &Arc<Settings>, fragment_len: usize) -> (Client, Vec<u8>) {
    let mut client = Client::new(settings, ProtocolVersion::TLS1_2);
    client.open(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]);
    let encrypted = client.encrypted_premaster();
    let message = client.key_exchange_message(&encrypted);
    client.transcript.extend_from_slice(&message);
    let mut bytes: Vec<u8> = Vec::new();
    for fragment in message.chunks(fragment_len) {
        bytes.extend(client.record(ContentType::Handshake.wire(), fragment));
    }
    client.take_keys_of(&encrypted);
    bytes.extend(client.record(ContentType::ChangeCipherSpec.wire(), &[1]));
    client.change_write_key();
    let finished = client.finished_message();
    bytes.extend(client.record(ContentType::Handshake.wire(), &finished));
    client.transcript.extend_from_slice(&finished);
    client.server.receive_until_decryption(&bytes);
    (client, encrypted)
}

#[test]
fn a_paused_connection_has_the_ciphertext_and_continues_with_what_was_buffered() {
    let settings = settings();
    for fragment_len in [1000, 7] {
        let (mut client, encrypted) = paused(&settings, fragment_len);
        client.expect_silence();
        assert!(client.server.established().is_none());
        assert_eq!(client.server.pending_ciphertext(), Some(&encrypted[..]));
        let decrypted = settings.decrypt_premasters(&[&encrypted]).unwrap();
        client.server.continue_with(Ok(decrypted.into_iter().next()));
        assert_eq!(client.server.pending_ciphertext(), None);
        assert_eq!(client.received().len(), 2, "ChangeCipherSpec and Finished");
        assert!(client.server.established().is_some());
    }
}

#[test]
fn every_ciphertext_pauses_alike_and_none_is_refused_for_what_it_holds() {
    let settings = settings();
    for ciphertext in [vec![], vec![0; 128], vec![0xff; 128], vec![9; 128], vec![9; 127]] {
        let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
        client.open(&[AES_128_CBC_SHA], &[]);
        let message = client.key_exchange_message(&ciphertext);
        let record = client.record(ContentType::Handshake.wire(), &message);
        client.server.receive_until_decryption(&record);
        assert_eq!(client.server.pending_ciphertext(), Some(&ciphertext[..]));
        let decrypted = settings.decrypt_premasters(&[&ciphertext]).unwrap();
        client.server.continue_with(Ok(decrypted.into_iter().next()));
        client.expect_silence();
    }
}

#[test]
fn a_library_that_fails_ends_a_paused_connection_with_internal_error() {
    let settings = settings();
    for outcome in [Err(Error::Random), Ok(None)] {
        let (mut client, _) = paused(&settings, 1000);
        let cause = outcome.as_ref().err().copied().map(Cause::Library);
        client.server.continue_with(outcome);
        assert_eq!(client.refusal(), Alert::InternalError);
        assert_eq!(client.server.cause(), cause.as_ref());
    }
}

#[test]
fn a_connection_that_is_not_paused_does_not_continue() {
    let settings = settings();
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
    client.server.continue_with(Err(Error::Random));
    client.expect_silence();
    client.handshake(&[AES_128_CBC_SHA], &[]);
    client.server.continue_with(Err(Error::Random));
    client.expect_silence();

    let (mut client, _) = paused(&settings, 1000);
    client.server.close();
    assert_eq!(client.server.pending_ciphertext(), None);
    client.server.continue_with(Err(Error::Random));
    assert_eq!(client.server.ending(), Some(Ending::Closed));
}

/// Random numbers that are always the same, so that a server has the same messages and keys for
/// what another client has sent.
#[derive(Debug)]
struct SameEveryTime(BackendInfo);

impl KeyExchangeBackend for SameEveryTime {
    fn info(&self) -> &BackendInfo {
        &self.0
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::Random => Support::By("this test"),
            _ => Support::Unsupported,
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self
    }
}

impl SecureRandom for SameEveryTime {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        out.fill(9);
        Ok(())
    }
}

/// All that a client sends that renegotiates up to a second ClientKeyExchange, and then goes wrong.
fn two_key_exchanges(settings: &Arc<Settings>) -> Vec<u8> {
    let mut client = Client::new(settings, ProtocolVersion::TLS1_2);
    let renegotiation_info = ExtensionType::RENEGOTIATION_INFO.0;
    let extensions = [EXTENDED_MASTER_SECRET, (renegotiation_info, &[0])];
    client.handshake(&[AES_128_CBC_SHA], &extensions);
    let mut info = Vec::new();
    put_vec::<1>(&mut info, |out| out.extend_from_slice(&client.finished[0]));
    client.session_id.clear();
    let extensions = [EXTENDED_MASTER_SECRET, (renegotiation_info, &info[..])];
    let hello = client.hello(&[AES_128_CBC_SHA], &extensions);
    client.send_message(&hello);
    let message = client.key_exchange_message(&[9; 128]);
    client.send_message(&message);
    client.send(ContentType::ApplicationData, b"out of order");
    assert_eq!(client.server.ending(), Some(Ending::Refused(Alert::UnexpectedMessage)));
    client.sent
}

#[test]
fn a_server_decrypts_again_for_a_client_that_sends_two_key_exchanges_at_once() {
    let library = default_backend().unwrap();
    let info = || BackendInfo::new("same", "Same", String::new()).with_rsa(library.info().rsa);
    let backend = Backend::new(Composed::new(info(), SameEveryTime(info()), library.clone()));
    let settings = settings_on(&backend, |options| options.renegotiation = true);
    let bytes = two_key_exchanges(&settings);
    let limits = Limits { threads: 1, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0", settings, limits).unwrap();
    let (address, stop) = (server.local_address().unwrap(), server.stop_handle());
    let reply = thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&|_| {}));
        let mut stream = TcpStream::connect(address).unwrap();
        // Half the time that the server grants.
        stream.set_read_timeout(Some(limits.connection / 2)).unwrap();
        stream.write_all(&bytes).unwrap();
        let mut reply = Vec::new();
        let read = stream.read_to_end(&mut reply).map(|_| reply);
        stop.stop();
        running.join().unwrap().unwrap();
        read
    });
    let reply = reply.expect("an end before the time limit");
    let mut reader = Reader::new(&reply);
    let mut kinds = Vec::new();
    while let (Some(kind), Some(_), Some(_)) = (reader.u8(), reader.u16(), reader.vec16()) {
        kinds.push(kind);
    }
    assert_eq!(kinds, [22, 20, 22, 22, 21], "two flights, and the alert");
}
