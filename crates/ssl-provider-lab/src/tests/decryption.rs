//! Pauses at the ClientKeyExchange, after which the owner of the connection decrypts.

use ssl_provider::Error;

use super::*;

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
        client.server.continue_with(outcome);
        assert_eq!(client.refusal(), Alert::InternalError);
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
