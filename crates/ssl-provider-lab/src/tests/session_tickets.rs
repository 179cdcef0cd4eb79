//! Session tickets (RFC 5077).

use ssl_provider::backends;

use super::*;
use crate::settings::ClientAuth;

const KIND: u16 = ExtensionType::SESSION_TICKET.0;

/// The length of a nonce and a tag of AES-GCM.
const OVERHEAD: usize = 12 + 16;

fn ticket_settings(backend: &Backend, change: impl FnOnce(&mut Options)) -> Arc<Settings> {
    settings_on(backend, |options| {
        options.session_tickets = Some(Duration::from_secs(100));
        change(options);
    })
}

fn default_settings() -> Arc<Settings> {
    ticket_settings(&default_backend().unwrap(), |_| {})
}

/// Returns the client of a full handshake that asked for a ticket, and the ticket.
fn with_ticket(
    settings: &Arc<Settings>,
    version: ProtocolVersion,
    extensions: &[(u16, &[u8])],
) -> (Client, Vec<u8>) {
    let mut client = Client::new(settings, version);
    let session = client.handshake(&[AES_128_CBC_SHA], &[&[(KIND, &b""[..])], extensions].concat());
    assert!(!session.resumed);
    let ticket = sent_ticket(&client).expect("a NewSessionTicket");
    (client, ticket)
}

fn sent_ticket(client: &Client) -> Option<Vec<u8>> {
    let message = client.message_of_server(HandshakeType::NEW_SESSION_TICKET)?;
    Some(ssl_provider_wire::session_ticket(message.body()).expect("not empty").to_vec())
}

/// Returns whether a ticket resumes the session of a client.
fn resumes(client: &Client, ticket: &[u8], extensions: &[(u16, &[u8])]) -> bool {
    let mut next = client.again();
    // Which id does not matter; with one, the client sees at once that the server agrees.
    next.session_id = vec![9; 32];
    let extensions = [&[(KIND, ticket)], extensions].concat();
    next.handshake(&[AES_128_CBC_SHA], &extensions).resumed
}

#[test]
fn a_ticket_resumes_its_session_in_every_version_on_every_backend() {
    for backend in backends() {
        let settings = ticket_settings(&backend, |_| {});
        for version in [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2] {
            for extensions in [&[][..], &[EXTENDED_MASTER_SECRET, ENCRYPT_THEN_MAC]] {
                let (client, ticket) = with_ticket(&settings, version, extensions);
                let name = backend.info().name;
                assert!(
                    client.session_id.is_empty(),
                    "{name}: the session is the client's to keep"
                );
                assert!(resumes(&client, &ticket, extensions), "{name}, {version}");
                assert!(resumes(&client, &ticket, extensions), "{name}, {version}: again");
            }
        }
    }
}

#[test]
fn tickets_are_for_clients_that_ask_and_servers_that_have_them() {
    let settings = default_settings();
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_CBC_SHA], &[]);
    assert_eq!(sent_ticket(&client), None);
    assert!(client.again().handshake(&[AES_128_CBC_SHA], &[]).resumed, "by session id");
    let mut client = Client::new(&super::settings(), ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_CBC_SHA], &[(KIND, &[])]);
    assert_eq!(sent_ticket(&client), None);
    assert!(client.again().handshake(&[AES_128_CBC_SHA], &[(KIND, &[])]).resumed, "by session id");
    let mut client = Client::new(&settings, ProtocolVersion::SSL3);
    client.handshake(&[AES_128_CBC_SHA], &[(KIND, &[])]);
    assert_eq!(sent_ticket(&client), None, "SSL 3.0");
}

#[test]
fn a_client_that_sends_a_ticket_does_not_ask_for_a_session_of_the_cache() {
    let settings = default_settings();
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_CBC_SHA], &[]);
    assert_eq!(client.session_id.len(), 32);
    assert!(!client.again().open(&[AES_128_CBC_SHA], &[(KIND, &[7; 192])]), "RFC 5077 section 3.4");
    assert!(client.again().open(&[AES_128_CBC_SHA], &[(KIND, &[])]), "an empty one is none");
}

#[test]
fn an_altered_ticket_is_unknown_whatever_was_altered() {
    let settings = default_settings();
    let (client, ticket) = with_ticket(&settings, ProtocolVersion::TLS1_2, &[]);
    for at in 0..ticket.len() {
        let mut altered = ticket.clone();
        altered[at] ^= 1 << (at % 8);
        assert!(!resumes(&client, &altered, &[]), "byte {at}");
        if at % 7 == 0 && at > 0 {
            assert!(!resumes(&client, &ticket[..at], &[]), "{at} bytes");
        }
    }
    assert!(!resumes(&client, &[&ticket[..], &[0]].concat(), &[]));
    assert!(resumes(&client, &ticket, &[]), "and the right one is known");
}

#[test]
fn a_ticket_of_another_server_is_unknown() {
    let (client, ticket) = with_ticket(&default_settings(), ProtocolVersion::TLS1_2, &[]);
    let mut next = Client::new(&default_settings(), ProtocolVersion::TLS1_2);
    next.session_id = vec![9; 32];
    next.master_key = client.master_key.clone();
    let session = next.handshake(&[AES_128_CBC_SHA], &[(KIND, &ticket)]);
    assert!(!session.resumed);
    let renewed = sent_ticket(&next).expect("one of this server");
    assert!(resumes(&next, &renewed, &[]));
}

#[test]
fn the_rules_of_resumption_hold_for_tickets() {
    let settings = default_settings();
    let (client, ticket) = with_ticket(&settings, ProtocolVersion::TLS1_2, &[]);
    let name = (0, &b"\0\x08\0\0\x05other"[..]);
    assert!(!resumes(&client, &ticket, &[name]), "another server name");
    assert!(!resumes(&client, &ticket, &[EXTENDED_MASTER_SECRET]), "RFC 7627 section 5.3");
    let mut other = client.again();
    other.session_id = vec![9; 32];
    other.offered = 0x0302;
    assert!(!other.open(&[AES_128_CBC_SHA], &[(KIND, &ticket)]), "another version");

    let (client, ticket) =
        with_ticket(&settings, ProtocolVersion::TLS1_2, &[EXTENDED_MASTER_SECRET, name]);
    assert!(resumes(&client, &ticket, &[EXTENDED_MASTER_SECRET, name]));
    let mut without = client.again();
    let hello = without.hello(&[AES_128_CBC_SHA], &[(KIND, &ticket), name]);
    without.send(ContentType::Handshake, &hello);
    assert_eq!(without.refusal(), Alert::HandshakeFailure, "RFC 7627 section 5.3");

    let (client, ticket) = with_ticket(&settings, ProtocolVersion::TLS1_2, &[ENCRYPT_THEN_MAC]);
    assert!(!resumes(&client, &ticket, &[]), "no step back from encrypt-then-MAC");
}

#[test]
fn a_verified_certificate_is_in_the_ticket() {
    let backend = default_backend().unwrap();
    let settings = ticket_settings(&backend, |options| options.client_auth = ClientAuth::Require);
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
    client.open(&[AES_128_CBC_SHA], &[(KIND, &[]), EXTENDED_MASTER_SECRET]);
    client_certificates::send_certificate_and_key_exchange(&mut client);
    let full = client.finish();
    let ticket = sent_ticket(&client).unwrap();
    let mut next = client.again();
    next.session_id = vec![9; 32];
    let resumed = next.handshake(&[AES_128_CBC_SHA], &[(KIND, &ticket), EXTENDED_MASTER_SECRET]);
    assert!(resumed.resumed && resumed.client_certificate.is_some());
    assert_eq!(resumed.client_certificate, full.client_certificate);
}

#[test]
fn two_tickets_of_a_session_differ_and_neither_holds_its_secret() {
    let settings = default_settings();
    let mut client = Client::new(&settings, ProtocolVersion::TLS1_2);
    client.handshake(&[AES_128_CBC_SHA], &[]);
    let session = settings.sessions.as_ref().unwrap().get(&client.session_id).unwrap();
    let tickets = settings.tickets.as_ref().unwrap();
    let seal = || tickets.seal(&settings.provider, &session).unwrap().unwrap();
    let (one, other) = (seal(), seal());
    // Name of the key; nonce and tag; version, suite, secret; flags and age.
    assert_eq!(one.len(), 16 + OVERHEAD + 2 + 4 + 48 + 1 + 8);
    assert_eq!(one[..16], other[..16], "the name of the key");
    for start in 16..one.len() - 8 {
        assert_ne!(one[start..start + 8], other[start..start + 8]);
    }
}

#[test]
fn keys_are_replaced_and_an_expired_ticket_is_unknown() {
    let backend = default_backend().unwrap();
    let lifetime = Duration::from_millis(400);
    let settings = settings_on(&backend, |options| options.session_tickets = Some(lifetime));
    let (client, first) = with_ticket(&settings, ProtocolVersion::TLS1_2, &[]);
    std::thread::sleep(lifetime);
    assert!(!resumes(&client, &first, &[]), "expired");
    let (client, second) = with_ticket(&settings, ProtocolVersion::TLS1_2, &[]);
    assert_ne!(first[..16], second[..16], "another key");
    std::thread::sleep(2 * lifetime);
    assert!(!resumes(&client, &second, &[]), "its key is gone");
}
