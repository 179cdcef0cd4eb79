//! Peers that deviate from TLS 1.3, on either side: our own ones, whose records are tampered with
//! before they are encrypted.

use std::sync::atomic::{AtomicUsize, Ordering};

use ssl_provider::{HashAlgorithm, NamedCurve, default_backend};
use ssl_provider_wire::{ExtensionType, HandshakeType};

use super::tls13::{client, exchange_data, handshake, pair, server, with_tickets};
use super::*;
use crate::client::session::{SessionSecret, Tls13Ticket};
use crate::connection::Ending;
use crate::record_layer::{Tamper, TamperFn};
use crate::refusal::Cause;
use crate::settings::{ClientAuth, EarlyData, Settings};
use crate::tls13::psk::ExternalPsk;

const HANDSHAKE: ContentType = ContentType::Handshake;

/// The messages in the payload of a record.
fn split(payload: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Assembler::default();
    messages.extend(payload);
    std::iter::from_fn(|| messages.next_of_any_type().map(|it| it.bytes)).collect()
}

/// Changes the messages of the flight that begins with this one, all in one record.
fn flight(first: HandshakeType, change: impl Fn(&mut Vec<Vec<u8>>) + Send + 'static) -> Tamper {
    let tamper: Box<TamperFn> = Box::new(move |content_type, payload: &[u8]| {
        if content_type != HANDSHAKE || payload.first() != Some(&first.0) {
            return None;
        }
        let mut messages = split(payload);
        change(&mut messages);
        let payload = messages.concat();
        Some(if payload.is_empty() { Vec::new() } else { vec![(HANDSHAKE, payload)] })
    });
    Tamper(Some(tamper))
}

/// Changes the first message of a flight.
fn message(kind: HandshakeType, change: impl Fn(&mut Vec<u8>) + Send + 'static) -> Tamper {
    flight(kind, move |messages| change(&mut messages[0]))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Missing(usize),
    Twice(usize),
    /// With the one behind it.
    Swapped(usize),
}

impl Change {
    fn all(len: usize) -> impl Iterator<Item = Self> {
        let each = (0..len).flat_map(|index| [Self::Missing(index), Self::Twice(index)]);
        each.chain((1..len).map(|index| Self::Swapped(index - 1)))
    }

    fn apply(self, messages: &mut Vec<Vec<u8>>) {
        match self {
            Self::Missing(index) => drop(messages.remove(index)),
            Self::Twice(index) => messages.insert(index, messages[index].clone()),
            Self::Swapped(index) => messages.swap(index, index + 1),
        }
    }
}

fn asking(client_auth: ClientAuth) -> Arc<Settings> {
    server(|options| options.client_auth = client_auth)
}

/// Settings of a client with a certificate.
fn certified() -> Arc<ClientSettings> {
    let provider = provider(&default_backend().unwrap());
    let made = crate::identity::Identity::self_signed_ecdsa(&provider).unwrap();
    let key = provider.load_signing_key(&made.key_der).unwrap();
    let identity = ClientIdentity::new(&provider, key, vec![made.certificate_der]).unwrap();
    let options = ClientOptions {
        versions: ProtocolVersion::TLS1_3..=ProtocolVersion::TLS1_3,
        ..all_options()
    };
    ClientSettings::new(provider, options, Box::new(TrustAll), Some(identity), None).unwrap()
}

#[track_caller]
fn expect_client_refuses(client: &ClientConnection, alert: Alert, what: impl std::fmt::Debug) {
    assert!(client.established().is_none(), "{what:?}");
    let fault = client.fault();
    assert_eq!(client.ending(), Some(ClientEnding::Refused(alert)), "{what:?}: {fault:?}");
    assert!(!fault.unwrap().to_string().is_empty());
}

#[track_caller]
fn expect_server_refuses(server: &Connection, alert: Alert, what: impl std::fmt::Debug) {
    let (ending, cause) = (server.ending(), server.cause());
    assert_eq!(ending, Some(Ending::Refused(alert)), "{what:?}: {cause:?}");
}

#[test]
fn messages_of_a_server_out_of_order_twice_or_missing_are_refused() {
    const FIRST: HandshakeType = HandshakeType::ENCRYPTED_EXTENSIONS;
    for client_auth in [ClientAuth::None, ClientAuth::Request] {
        let asks = client_auth != ClientAuth::None;
        let (settings, len) = (asking(client_auth), if asks { 5 } else { 4 });
        for change in Change::all(len) {
            let (mut client, mut server) = pair(&certified(), &settings, None);
            server.records().tamper = flight(FIRST, move |messages| {
                assert_eq!(messages.len(), len);
                change.apply(messages);
            });
            pump(&mut client, &mut server);
            match change {
                // It waits.
                Change::Missing(index) if index == len - 1 => assert_eq!(client.ending(), None),
                // A server need not ask, but what it signs tells that it did.
                Change::Missing(1) if asks => {
                    expect_client_refuses(&client, Alert::DecryptError, change);
                }
                _ => expect_client_refuses(&client, Alert::UnexpectedMessage, change),
            }
            assert!(client.established().is_none());
        }
    }
    for change in [Change::Missing(0), Change::Twice(0)] {
        let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::None), None);
        server.records().tamper =
            flight(HandshakeType::SERVER_HELLO, move |messages| change.apply(messages));
        pump(&mut client, &mut server);
        expect_client_refuses(&client, Alert::UnexpectedMessage, change);
    }
}

#[test]
fn messages_of_a_client_out_of_order_twice_or_missing_are_refused() {
    for change in Change::all(3) {
        let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::Require), None);
        client.records.tamper = flight(HandshakeType::CERTIFICATE, move |messages| {
            assert_eq!(messages.len(), 3);
            change.apply(messages);
        });
        pump(&mut client, &mut server);
        match change {
            Change::Missing(2) => assert_eq!(server.ending(), None),
            _ => expect_server_refuses(&server, Alert::UnexpectedMessage, change),
        }
        assert!(server.established().is_none());
    }
    let (mut client_side, mut server_side) = pair(&client(|_| {}), &server(|_| {}), None);
    client_side.records.tamper =
        flight(HandshakeType::FINISHED, |messages| Change::Twice(0).apply(messages));
    pump(&mut client_side, &mut server_side);
    expect_server_refuses(&server_side, Alert::UnexpectedMessage, "Finished twice");

    let (client_side, mut server_side) = pair(&client(|_| {}), &server(|_| {}), None);
    let hello = client_side.output().to_vec();
    server_side.receive(&hello);
    server_side.receive(&hello);
    expect_server_refuses(&server_side, Alert::UnexpectedMessage, "ClientHello twice");
    let (_, mut server_side) = pair(&client(|_| {}), &server(|_| {}), None);
    let mut record = vec![22, 3, 1];
    let both = [&hello[5..], &hello[5..]].concat();
    ssl_provider_wire::put_vec::<2>(&mut record, |out| out.extend(both));
    server_side.receive(&record);
    expect_server_refuses(&server_side, Alert::UnexpectedMessage, "ClientHello twice in a record");
}

#[test]
fn no_other_type_is_accepted_at_any_place() {
    const FIRST: HandshakeType = HandshakeType::ENCRYPTED_EXTENSIONS;
    let (client_settings, settings) = (certified(), asking(ClientAuth::Require));
    for index in 0..5 {
        for kind in 0..=u8::MAX {
            let (mut client, mut server) = pair(&client_settings, &settings, None);
            let expected = Arc::new(AtomicUsize::new(0));
            let next = Arc::clone(&expected);
            server.records().tamper = flight(FIRST, move |messages| {
                next.store(messages[index][0].into(), Ordering::Relaxed);
                messages.insert(index, vec![kind, 0, 0, 0]);
            });
            pump(&mut client, &mut server);
            // An empty one of these has a wrong length.
            let is_expected = expected.load(Ordering::Relaxed) == usize::from(kind)
                || (index == 1 && kind == HandshakeType::CERTIFICATE.0);
            match is_expected {
                true => assert!(matches!(client.ending(), Some(ClientEnding::Refused(_)))),
                false => expect_client_refuses(&client, Alert::UnexpectedMessage, (index, kind)),
            }
        }
    }
    for index in 0..3 {
        for kind in 0..=u8::MAX {
            let (mut client, mut server) = pair(&client_settings, &settings, None);
            let expected = [HandshakeType::CERTIFICATE, HandshakeType::CERTIFICATE_VERIFY];
            let expected = expected.get(index).copied().unwrap_or(HandshakeType::FINISHED);
            client.records.tamper = flight(HandshakeType::CERTIFICATE, move |messages| {
                messages.insert(index, vec![kind, 0, 0, 0]);
            });
            pump(&mut client, &mut server);
            match kind == expected.0 {
                true => assert!(matches!(server.ending(), Some(Ending::Refused(_)))),
                false => expect_server_refuses(&server, Alert::UnexpectedMessage, (index, kind)),
            }
        }
    }
}

#[test]
fn after_the_handshake_there_are_tickets_and_changes_of_keys_alone() {
    let (offering, settings) = (client(|_| {}), server(|_| {}));
    for kind in 0..=u8::MAX {
        let (mut client_side, mut server_side) = handshake(&offering, &settings, None);
        server_side.records().write(HANDSHAKE, &[kind, 0, 0, 0]).unwrap();
        pump(&mut client_side, &mut server_side);
        let alert = match HandshakeType(kind) {
            HandshakeType::NEW_SESSION_TICKET | HandshakeType::KEY_UPDATE => Alert::DecodeError,
            _ => Alert::UnexpectedMessage,
        };
        assert_eq!(client_side.ending(), Some(ClientEnding::Refused(alert)), "{kind}");
        let (mut client_side, mut server_side) = handshake(&offering, &settings, None);
        client_side.records.write(HANDSHAKE, &[kind, 0, 0, 0]).unwrap();
        pump(&mut client_side, &mut server_side);
        let alert = match HandshakeType(kind) {
            HandshakeType::KEY_UPDATE => Alert::DecodeError,
            _ => Alert::UnexpectedMessage,
        };
        expect_server_refuses(&server_side, alert, kind);
    }
}

#[test]
fn fragments_of_any_length_make_whole_messages() {
    let whole = |len: usize| {
        let tamper: Box<TamperFn> = Box::new(move |content_type, payload: &[u8]| {
            let is_handshake = content_type == HANDSHAKE;
            let fragments = payload.chunks(len).map(|fragment| (HANDSHAKE, fragment.to_vec()));
            is_handshake.then(|| fragments.collect())
        });
        Tamper(Some(tamper))
    };
    for len in [1, 2, 3, 4, 5, 7, 50] {
        let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::Require), None);
        client.records.tamper = whole(len);
        server.records().tamper = whole(len);
        pump(&mut client, &mut server);
        assert!(client.established().is_some(), "{len}: {:?}", client.fault());
        assert!(server.established().is_some(), "{len}: {:?}", server.ending());
        exchange_data(&mut client, &mut server);
    }
}

const CCS: [u8; 6] = [20, 3, 3, 0, 1, 1];

#[test]
fn change_cipher_spec_is_passed_over_during_the_handshake_only() {
    let settings = server(|_| {});
    let mut first = Connection::new(Arc::clone(&settings));
    first.receive(&CCS);
    expect_server_refuses(&first, Alert::UnexpectedMessage, "before ClientHello");

    let awaiting = || {
        let (mut client, mut server) = pair(&client(|_| {}), &settings, None);
        server.receive(client.output());
        client.sent(client.output().len());
        (client, server)
    };
    let (mut client_side, mut server_side) = awaiting();
    (0..10).for_each(|_| server_side.receive(&CCS));
    pump(&mut client_side, &mut server_side);
    exchange_data(&mut client_side, &mut server_side);
    server_side.receive(&CCS);
    assert_eq!(server_side.ending(), Some(Ending::Refused(Alert::UnexpectedMessage)), "late");
    for bad in [&[20, 3, 3, 0, 1, 2][..], &[20, 3, 3, 0, 2, 1, 1], &[20, 3, 3, 0, 0]] {
        let (_, mut server) = awaiting();
        server.receive(bad);
        expect_server_refuses(&server, Alert::UnexpectedMessage, bad);
    }
    let (_, mut server_side) = awaiting();
    (0..100).for_each(|_| server_side.receive(&CCS));
    expect_server_refuses(&server_side, Alert::UnexpectedMessage, "many");

    // The client's side.
    let (mut client_side, mut server_side) = awaiting();
    client_side.receive(&CCS);
    pump(&mut client_side, &mut server_side);
    exchange_data(&mut client_side, &mut server_side);
    client_side.receive(&CCS);
    let refused = Some(ClientEnding::Refused(Alert::UnexpectedMessage));
    assert_eq!(client_side.ending(), refused);
    for bad in [&[20, 3, 3, 0, 1, 2][..], &[20, 3, 3, 0, 2, 1, 1], &[20, 3, 3, 0, 0]] {
        let (mut client, _) = awaiting();
        client.receive(bad);
        assert_eq!(client.ending(), refused);
    }
    // Within a message.
    let (mut client, mut server) = awaiting();
    let flight = server.output().to_vec();
    server.sent(flight.len());
    client.receive(&[22, 3, 3, 0, 1, flight[5]]);
    client.receive(&CCS);
    assert_eq!(client.ending(), refused);
}

#[test]
fn a_server_of_an_older_version_may_not_begin_with_change_cipher_spec() {
    let old = server(|it| it.versions = vec![ProtocolVersion::TLS1_2]);
    let settings = client(|it| it.versions = ProtocolVersion::TLS1_2..=ProtocolVersion::TLS1_3);
    let (mut client, mut server) = pair(&settings, &old, None);
    client.receive(&CCS);
    pump(&mut client, &mut server);
    expect_client_refuses(&client, Alert::UnexpectedMessage, "early ChangeCipherSpec");
}

/// It is a message of older versions, and no transcript covers it.
#[test]
fn a_hello_request_before_server_hello_is_for_older_versions_only() {
    const REQUEST: [u8; 4] = [0; 4];
    let before = |first: HandshakeType| flight(first, |it| it.insert(0, REQUEST.to_vec()));
    let both = ProtocolVersion::TLS1_2..=ProtocolVersion::TLS1_3;
    for versions in [ProtocolVersion::TLS1_3..=ProtocolVersion::TLS1_3, both.clone()] {
        let settings = client(|it| it.versions = versions.clone());
        let (mut client, mut server) = pair(&settings, &server(|_| {}), None);
        server.records().tamper = before(HandshakeType::SERVER_HELLO);
        pump(&mut client, &mut server);
        expect_client_refuses(&client, Alert::UnexpectedMessage, versions);
    }

    // After HelloRetryRequest.
    let [x25519, p256] =
        [NamedCurve::X25519, NamedCurve::Secp256r1].map(crate::group::NamedGroup::Curve);
    let settings = client(|it| (it.versions, it.groups) = (both.clone(), vec![x25519, p256]));
    let (mut client_side, mut server_side) =
        pair(&settings, &server(|it| it.groups = vec![p256]), None);
    server_side.receive(client_side.output());
    client_side.sent(client_side.output().len());
    client_side.receive(server_side.output());
    client_side.receive(&[&[22, 3, 3, 0, 4], &REQUEST[..]].concat());
    expect_client_refuses(&client_side, Alert::UnexpectedMessage, "after HelloRetryRequest");

    let old = server(|it| it.versions = vec![ProtocolVersion::TLS1_2]);
    let (mut client, mut server) = pair(&client(|it| it.versions = both), &old, None);
    server.records().tamper = before(HandshakeType::SERVER_HELLO);
    pump(&mut client, &mut server);
    assert!(client.established().is_some(), "{:?}", client.fault());
}

#[test]
fn records_in_the_clear_are_refused_once_there_are_keys() {
    for record in [&[22, 3, 3, 0, 1, 20][..], &[21, 3, 3, 0, 2, 2, 40]] {
        let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
        server_side.receive(record);
        client_side.receive(record);
        let alert = Alert::UnexpectedMessage;
        assert_eq!(server_side.ending(), Some(Ending::Refused(alert)));
        assert_eq!(client_side.ending(), Some(ClientEnding::Refused(alert)));
    }
    // A client that refuses ServerHello has no keys yet.
    let (client_side, mut server_side) = pair(&client(|_| {}), &server(|_| {}), None);
    server_side.receive(client_side.output());
    server_side.receive(&[21, 3, 3, 0, 2, 2, 47]);
    assert_eq!(server_side.ending(), Some(Ending::FailedByClient(47)));
    let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
    let record = [&[23, 3, 3, 0, 30][..], &[7; 30]].concat();
    server_side.receive(&record);
    client_side.receive(&record);
    let alert = Alert::BadRecordMac;
    assert_eq!(server_side.ending(), Some(Ending::Refused(alert)));
    assert_eq!(client_side.ending(), Some(ClientEnding::Refused(alert)));
}

#[test]
fn encrypted_records_of_other_types_and_many_empty_ones_are_refused() {
    let (offering, settings) = (client(|_| {}), server(|_| {}));
    let refused = Alert::UnexpectedMessage;
    for content_type in [1, 19, 24, 25, 26, 255] {
        let (mut client, mut server) = handshake(&offering, &settings, None);
        client.records.write_of_type(content_type, &[1]);
        pump(&mut client, &mut server);
        expect_server_refuses(&server, refused, content_type);
        let (mut client, mut server) = handshake(&offering, &settings, None);
        server.records().write_of_type(content_type, &[1]);
        pump(&mut client, &mut server);
        assert_eq!(client.ending(), Some(ClientEnding::Refused(refused)), "{content_type}");
    }
    let (mut client, mut server) = handshake(&offering, &settings, None);
    let data = ContentType::ApplicationData.wire();
    (0..20).for_each(|_| client.records.write_of_type(data, &[]));
    exchange_data(&mut client, &mut server);
    (0..100).for_each(|_| client.records.write_of_type(data, &[]));
    pump(&mut client, &mut server);
    expect_server_refuses(&server, refused, "empty records");
    let (mut client, mut server) = handshake(&offering, &settings, None);
    (0..100).for_each(|_| server.records().write_of_type(data, &[]));
    pump(&mut client, &mut server);
    assert_eq!(client.ending(), Some(ClientEnding::Refused(refused)));
}

#[test]
fn no_changed_byte_of_a_handshake_goes_unnoticed() {
    let (client_settings, settings) = (certified(), asking(ClientAuth::Require));
    // A signature may be shorter than the one that was measured: then it is the last byte.
    let flip = |place: usize| {
        move |messages: &mut Vec<Vec<u8>>| {
            let mut all = messages.concat();
            let place = place.min(all.len() - 1);
            all[place] ^= 1 << (place % 8);
            *messages = vec![all];
        }
    };
    let len = Arc::new(AtomicUsize::new(0));
    for first in [
        HandshakeType::SERVER_HELLO,
        HandshakeType::ENCRYPTED_EXTENSIONS,
        HandshakeType::CERTIFICATE,
    ] {
        let of_client = first == HandshakeType::CERTIFICATE;
        let seen = Arc::clone(&len);
        let (mut client, mut server) = pair(&client_settings, &settings, None);
        let measure = flight(first, move |it| seen.store(it.concat().len(), Ordering::Relaxed));
        let tampered = if of_client { &mut client.records } else { server.records() };
        tampered.tamper = measure;
        pump(&mut client, &mut server);
        assert!(client.established().is_some() && server.established().is_some());
        let len = len.load(Ordering::Relaxed);
        assert!(len > 100, "{first:?}: {len}");
        for place in 0..len {
            let (mut client, mut server) = pair(&client_settings, &settings, None);
            let tampered = if of_client { &mut client.records } else { server.records() };
            tampered.tamper = flight(first, flip(place));
            pump(&mut client, &mut server);
            // The client is done before the server sees its flight.
            assert!(server.established().is_none(), "{first:?}, {place}");
            assert!(of_client || client.established().is_none(), "{first:?}, {place}");
        }
    }
    let hello = pair(&client_settings, &settings, None).0.output().len();
    for place in 5..hello {
        let (mut client, mut server) = pair(&client_settings, &settings, None);
        let mut changed = client.output().to_vec();
        changed[place] ^= 1 << (place % 8);
        client.sent(changed.len());
        server.receive(&changed);
        pump(&mut client, &mut server);
        assert!(client.established().is_none() && server.established().is_none(), "{place}");
    }
}

#[test]
fn a_cookie_comes_back_in_the_second_hello() {
    let groups = [NamedCurve::X25519, NamedCurve::Secp384r1].map(NamedGroup::Curve);
    let settings = server(|it| it.groups = vec![groups[1]]);
    let offering = client(|it| it.groups = groups.to_vec());
    for keeps_group in [true, false] {
        let (mut client, mut server) = pair(&offering, &settings, None);
        server.records().tamper = message(HandshakeType::SERVER_HELLO, move |it| {
            if !keeps_group {
                // key_share, which is the last one.
                it.truncate(it.len() - 6);
            }
            ssl_provider_wire::put_extension(it, ExtensionType::COOKIE, &[0, 3, 7, 8, 9]);
            let list = u16::try_from(it.len() - OF_SERVER - 2).unwrap().to_be_bytes();
            it[OF_SERVER..OF_SERVER + 2].copy_from_slice(&list);
            let body = u32::try_from(it.len() - 4).unwrap().to_be_bytes();
            it[1..4].copy_from_slice(&body[1..]);
        });
        server.receive(client.output());
        client.sent(client.output().len());
        client.receive(server.output());
        assert_eq!(client.ending(), None, "{:?}", client.fault());
        let output = client.output();
        let start = output.iter().position(|byte| *byte == 22).unwrap();
        let hello = &output[start + 5..];
        let cookie = extension(hello, of_client(hello), 44);
        assert_eq!(hello[cookie..cookie + 5], [0, 3, 7, 8, 9]);
        let share = extension(hello, of_client(hello), 51);
        let expected = if keeps_group { groups[1] } else { groups[0] };
        assert_eq!(hello[share + 2..share + 4], expected.wire().to_be_bytes());
    }
}

#[test]
fn records_have_the_lengths_of_tls_1_3() {
    let headers = [(16640, None), (16641, Some(Alert::RecordOverflow))];
    for (len, alert) in headers {
        let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
        let [high, low] = u16::try_from(len).unwrap().to_be_bytes();
        server_side.receive(&[23, 3, 3, high, low]);
        client_side.receive(&[23, 3, 3, high, low]);
        assert_eq!(server_side.ending(), alert.map(Ending::Refused));
        assert_eq!(client_side.ending(), alert.map(ClientEnding::Refused));
    }
}

#[test]
fn alerts_are_whole_and_their_level_says_nothing() {
    for (payload, ending) in [
        (&[1, 40][..], Some(Ending::FailedByClient(40))),
        (&[2, 40], Some(Ending::FailedByClient(40))),
        (&[7, 99], Some(Ending::FailedByClient(99))),
        (&[1, 90], None),
        (&[2], Some(Ending::Refused(Alert::DecodeError))),
        (&[1, 0, 1], Some(Ending::Refused(Alert::DecodeError))),
        (&[1, 0, 1, 0], Some(Ending::Refused(Alert::DecodeError))),
    ] {
        let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
        client_side.records.write(ContentType::Alert, payload).unwrap();
        pump(&mut client_side, &mut server_side);
        assert_eq!(server_side.ending(), ending, "{payload:?}");
        let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
        server_side.records().write(ContentType::Alert, payload).unwrap();
        pump(&mut client_side, &mut server_side);
        let ending = match ending {
            Some(Ending::FailedByClient(code)) => Some(ClientEnding::FailedByServer(code)),
            Some(_) => Some(ClientEnding::Refused(Alert::DecodeError)),
            None => None,
        };
        assert_eq!(client_side.ending(), ending, "{payload:?}");
    }
    let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
    client_side.records.write(ContentType::Alert, &[2, 0]).unwrap();
    pump(&mut client_side, &mut server_side);
    assert!(server_side.is_closed_by_client(), "close_notify with another level");
}

#[test]
fn keys_change_at_the_end_of_a_record_only() {
    for (payload, alert) in [
        (&[24, 0, 0, 1, 0, 24, 0, 0, 1, 0][..], Alert::UnexpectedMessage),
        (&[24, 0, 0, 1, 1, 24], Alert::UnexpectedMessage),
        (&[24, 0, 0, 1, 2], Alert::IllegalParameter),
        (&[24, 0, 0, 2, 0, 0], Alert::DecodeError),
        (&[24, 0, 0, 0], Alert::DecodeError),
    ] {
        let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
        client_side.records.write(HANDSHAKE, payload).unwrap();
        pump(&mut client_side, &mut server_side);
        expect_server_refuses(&server_side, alert, payload);
        let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
        server_side.records().write(HANDSHAKE, payload).unwrap();
        pump(&mut client_side, &mut server_side);
        assert_eq!(client_side.ending(), Some(ClientEnding::Refused(alert)), "{payload:?}");
    }
}

/// Where the content of an extension begins in a message whose list begins at `place`.
fn extension(message: &[u8], place: usize, kind: u16) -> usize {
    let mut place = place + 2;
    loop {
        let number = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
        if number(place) == kind {
            return place + 4;
        }
        place += 4 + usize::from(number(place + 2));
    }
}

/// Where the extensions of a ServerHello with an id of 32 bytes begin.
const OF_SERVER: usize = 4 + 2 + 32 + 1 + 32 + 2 + 1;

/// Sets a byte of an extension in a ServerHello, counted from its type on.
fn edit(message: &mut [u8], kind: u16, offset: usize, value: u8) {
    let place = extension(message, OF_SERVER, kind) - 4 + offset;
    message[place] = value;
}

#[test]
fn a_server_hello_that_chooses_what_was_not_offered_is_refused() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [(&str, Edit, Alert); 11] = [
        ("legacy_version", |it| it[5] = 4, Alert::IllegalParameter),
        ("legacy_session_id_echo", |it| it[4 + 2 + 32 + 1] ^= 1, Alert::IllegalParameter),
        (
            "suite of TLS 1.2",
            |it| it[71..73].copy_from_slice(&[0xc0, 0x2f]),
            Alert::IllegalParameter,
        ),
        ("unknown suite", |it| it[71..73].copy_from_slice(&[0x13, 0x77]), Alert::IllegalParameter),
        ("compression", |it| it[73] = 1, Alert::IllegalParameter),
        ("version", |it| edit(it, 43, 5, 3), Alert::IllegalParameter),
        ("later version", |it| edit(it, 43, 5, 5), Alert::IllegalParameter),
        ("group", |it| edit(it, 51, 5, 24), Alert::IllegalParameter),
        ("unknown extension", |it| edit(it, 51, 1, 99), Alert::UnsupportedExtension),
        ("extension of another message", |it| edit(it, 51, 1, 10), Alert::IllegalParameter),
        (
            "share of another length",
            |it| {
                it.truncate(it.len() - 1);
                shorten(it)
            },
            Alert::IllegalParameter,
        ),
    ];
    /// Makes the lengths of a ServerHello fit whose last byte, of key_share, is cut.
    fn shorten(message: &mut [u8]) {
        let share = extension(message, OF_SERVER, 51);
        for at in [3, OF_SERVER + 1, share - 1, share + 3] {
            message[at] -= 1;
        }
    }
    let x25519 = vec![NamedGroup::Curve(NamedCurve::X25519)];
    let settings = server(|it| it.groups = x25519.clone());
    let offering = client(|it| it.groups = x25519.clone());
    for (what, edit, alert) in edits {
        let (mut client, mut server) = pair(&offering, &settings, None);
        server.records().tamper = message(HandshakeType::SERVER_HELLO, edit);
        pump(&mut client, &mut server);
        expect_client_refuses(&client, alert, what);
    }
    let (mut client, mut server) = pair(&offering, &settings, None);
    server.records().tamper = message(HandshakeType::SERVER_HELLO, |it| {
        let share = extension(it, OF_SERVER, 51);
        it[share + 4..].fill(0);
    });
    pump(&mut client, &mut server);
    expect_client_refuses(&client, Alert::IllegalParameter, "a public key of small order");
}

#[test]
fn a_retry_request_that_repeats_itself_or_asks_for_nothing_new_is_refused() {
    let (x25519, p384) = (NamedCurve::X25519, NamedCurve::Secp384r1);
    let settings = server(|it| it.groups = vec![NamedGroup::Curve(p384)]);
    let offering = client(|it| it.groups = vec![x25519.into_group(), p384.into_group()]);
    for (what, group) in [("sent already", 29), ("not offered", 25), ("unknown", 99)] {
        let (mut client, mut server) = pair(&offering, &settings, None);
        server.records().tamper = message(HandshakeType::SERVER_HELLO, move |it| {
            let share = extension(it, OF_SERVER, 51);
            it[share + 1] = group;
        });
        pump(&mut client, &mut server);
        expect_client_refuses(&client, Alert::IllegalParameter, what);
    }
    // The same again in place of the ServerHello.
    let (mut client, mut server) = pair(&offering, &settings, None);
    let mut first: Option<Vec<u8>> = None;
    server.records().tamper = Tamper(Some(Box::new(move |content_type, payload: &[u8]| {
        if content_type != HANDSHAKE {
            return None;
        }
        let first = first.get_or_insert_with(|| payload.to_vec());
        Some(vec![(HANDSHAKE, first.clone())])
    })));
    pump(&mut client, &mut server);
    expect_client_refuses(&client, Alert::UnexpectedMessage, "twice");
    // Another suite than the retry request had.
    let (mut client, mut server) = pair(&offering, &settings, None);
    let mut count = 0;
    server.records().tamper = Tamper(Some(Box::new(move |content_type, payload: &[u8]| {
        count += usize::from(content_type == HANDSHAKE);
        let mut payload = payload.to_vec();
        (count == 2 && content_type == HANDSHAKE).then(|| {
            payload[72] = 3;
            vec![(HANDSHAKE, payload)]
        })
    })));
    pump(&mut client, &mut server);
    expect_client_refuses(&client, Alert::IllegalParameter, "another suite");
}

/// RFC 8446 section 4.1.4: the version of a HelloRetryRequest is that of the connection. In an
/// older one nothing would authenticate the request.
#[test]
fn a_server_may_not_choose_an_older_version_after_a_retry_request() {
    let (x25519, p384) = (NamedCurve::X25519.into_group(), NamedCurve::Secp384r1.into_group());
    let settings = server(|it| it.groups = vec![p384]);
    let offering = settings_with(|it| {
        it.versions = ProtocolVersion::TLS1_2..=ProtocolVersion::TLS1_3;
        it.groups = vec![x25519, p384];
    });
    let (mut client, mut server) = pair(&offering, &settings, None);
    let mut count = 0;
    server.records().tamper = Tamper(Some(Box::new(move |content_type, _: &[u8]| {
        count += usize::from(content_type == HANDSHAKE);
        (count == 2 && content_type == HANDSHAKE).then(|| {
            // Of TLS 1.2: a random without a mark, no id, ECDHE_RSA with AES-128-GCM, no extension.
            let body = [&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
            let len = u8::try_from(body.len()).unwrap();
            vec![(HANDSHAKE, [&[HandshakeType::SERVER_HELLO.0, 0, 0, len][..], &body].concat())]
        })
    })));
    pump(&mut client, &mut server);
    expect_client_refuses(&client, Alert::IllegalParameter, "TLS 1.2");
    assert_eq!(client.fault(), Some(&ServerFault::Version(ProtocolVersion::TLS1_2)));
}

trait IntoGroup {
    fn into_group(self) -> NamedGroup;
}

impl IntoGroup for NamedCurve {
    fn into_group(self) -> NamedGroup {
        NamedGroup::Curve(self)
    }
}

/// Changes the second ClientHello.
fn second_hello(change: impl Fn(&mut Vec<u8>) + Send + 'static) -> Tamper {
    let mut count = 0;
    Tamper(Some(Box::new(move |content_type, payload: &[u8]| {
        let is_hello = content_type == HANDSHAKE && payload[0] == HandshakeType::CLIENT_HELLO.0;
        count += usize::from(is_hello);
        let mut payload = payload.to_vec();
        (is_hello && count == 1).then(|| {
            change(&mut payload);
            vec![(HANDSHAKE, payload)]
        })
    })))
}

#[test]
fn a_second_hello_that_is_not_the_first_one_is_refused() {
    let (x25519, p384) = (NamedCurve::X25519.into_group(), NamedCurve::Secp384r1.into_group());
    let settings = server(|it| it.groups = vec![p384]);
    let offering = client(|it| it.groups = vec![x25519, p384]);
    type Edit = fn(&mut Vec<u8>);
    let changes: [(&str, Edit, bool); 5] = [
        ("version", |it| it[5] = 2, true),
        ("random", |it| it[6] ^= 1, true),
        ("session id", |it| it[40] ^= 1, true),
        ("suite", |it| it[4 + 2 + 32 + 33 + 3] ^= 6, true),
        (
            "another share",
            |it| {
                let share = extension(it, of_client(it), 51);
                it[share + 3] = 23;
            },
            false,
        ),
    ];
    for (what, change, is_told) in changes {
        // The first hello goes out before the tampering begins.
        let (mut client, mut server) = pair(&offering, &settings, None);
        client.records.tamper = second_hello(change);
        pump(&mut client, &mut server);
        expect_server_refuses(&server, Alert::IllegalParameter, what);
        assert_eq!(server.cause() == Some(&Cause::ChangedHello), is_told, "{what}");
    }
}

/// Where the extensions of a ClientHello begin.
fn of_client(message: &[u8]) -> usize {
    let id = 4 + 2 + 32;
    let suites = id + 1 + usize::from(message[id]);
    let len = usize::from(u16::from_be_bytes([message[suites], message[suites + 1]]));
    let compression = suites + 2 + len;
    compression + 1 + usize::from(message[compression])
}

#[test]
fn a_hello_that_lacks_what_tls_1_3_needs_is_refused() {
    let settings = server(with_tickets);
    let reply = |session: Option<Arc<ClientSession>>, change: &dyn Fn(&mut Vec<u8>)| {
        let (client, mut server) = pair(&client(|_| {}), &settings, session);
        let mut message = client.output()[5..].to_vec();
        change(&mut message);
        let mut record = vec![22, 3, 1];
        ssl_provider_wire::put_vec::<2>(&mut record, |out| out.extend(message));
        server.receive(&record);
        server.ending()
    };
    let refused = |alert| Some(Ending::Refused(alert));
    let without = |kind: u16| {
        move |it: &mut Vec<u8>| {
            let place = extension(it, of_client(it), kind);
            it[place - 4] = 0x7a;
        }
    };
    assert_eq!(reply(None, &|_| {}), None);
    for kind in [10, 13, 51] {
        assert_eq!(reply(None, &without(kind)), refused(Alert::MissingExtension), "{kind}");
    }
    let compression = |it: &mut Vec<u8>| {
        let place = of_client(it) - 1;
        it[place] = 1;
    };
    assert_eq!(reply(None, &compression), refused(Alert::IllegalParameter));
    assert_eq!(reply(None, &|it| it[5] = 0), refused(Alert::ProtocolVersion));
    let unknown_suites = |it: &mut Vec<u8>| {
        let suites = 4 + 2 + 32 + 33;
        let len = usize::from(it[suites + 1]);
        it[suites + 2..][..len].fill(0x77);
    };
    assert_eq!(reply(None, &unknown_suites), refused(Alert::HandshakeFailure));

    let (first, _) = handshake(&client(|_| {}), &settings, None);
    // A session is for its client settings; the same have to be used again.
    let again = |change: &dyn Fn(&mut Vec<u8>)| {
        let session = first.session().cloned();
        let settings_of_first = first.settings.clone();
        let client = ClientConnection::new(settings_of_first, Some("localhost"), session).unwrap();
        let mut server = Connection::new(Arc::clone(&settings));
        let mut message = client.output()[5..].to_vec();
        change(&mut message);
        let mut record = vec![22, 3, 1];
        ssl_provider_wire::put_vec::<2>(&mut record, |out| out.extend(message));
        server.receive(&record);
        server
    };
    assert_eq!(again(&|_| {}).ending(), None);
    let flip_binder = again(&|it| *it.last_mut().unwrap() ^= 1);
    expect_server_refuses(&flip_binder, Alert::DecryptError, "binder");
    assert_eq!(flip_binder.cause(), Some(&Cause::Binder));
    let changed = again(&|it| it[10] ^= 1);
    expect_server_refuses(&changed, Alert::DecryptError, "another random under the binder");
    expect_server_refuses(&again(&without(45)), Alert::MissingExtension, "no modes");
    let short = again(&|it| {
        // A binder less than there are keys is a list of none.
        let len = it.len() - 33;
        it.truncate(len);
        let psk = extension(it, of_client(it), 41);
        let binders = len - 2;
        it[binders..].copy_from_slice(&[0, 0]);
        let content = u16::try_from(len - psk).unwrap().to_be_bytes();
        it[psk - 2..psk].copy_from_slice(&content);
        let list = of_client(it);
        let all = u16::try_from(len - list - 2).unwrap().to_be_bytes();
        it[list..list + 2].copy_from_slice(&all);
        let body = u32::try_from(len - 4).unwrap().to_be_bytes();
        it[1..4].copy_from_slice(&body[1..]);
    });
    expect_server_refuses(&short, Alert::DecodeError, "no binder");
}

#[test]
fn an_altered_ticket_is_unknown() {
    let settings = server(with_tickets);
    let offering = client(|_| {});
    let (first, _) = handshake(&offering, &settings, None);
    let session = first.session().unwrap();
    let ticket = session.tls13().unwrap();
    for place in [0, 16, 28, ticket.bytes.len() - 1] {
        let mut bytes = ticket.bytes.clone();
        bytes[place] ^= 1;
        let altered = ClientSession {
            settings: session.settings.clone(),
            server_name: session.server_name.clone(),
            id: Vec::new(),
            ticket: None,
            secret: SessionSecret::Tls13(Tls13Ticket {
                suite: ticket.suite,
                psk: Arc::clone(&ticket.psk),
                bytes,
                age_add: ticket.age_add,
                received: ticket.received,
                lifetime: ticket.lifetime,
                max_early_data: 0,
                application_protocol: None,
            }),
            extended_master_secret: true,
            encrypt_then_mac: false,
            certificates: Arc::clone(&session.certificates),
            has_failed: Arc::default(),
        };
        let (client, _) = handshake(&offering, &settings, Some(Arc::new(altered)));
        assert_eq!(client.established().unwrap().resumed, None, "{place}");
    }
}

#[test]
fn a_signature_by_another_key_scheme_or_over_other_messages_is_refused() {
    type Edit = fn(&mut Vec<u8>);
    let edits: [(&str, Edit, Alert); 5] = [
        ("signature", |it| *it.last_mut().unwrap() ^= 1, Alert::DecryptError),
        ("scheme of TLS 1.2", |it| it[4..6].copy_from_slice(&[4, 1]), Alert::IllegalParameter),
        ("scheme of RSA", |it| it[4..6].copy_from_slice(&[8, 4]), Alert::IllegalParameter),
        ("another curve", |it| it[4..6].copy_from_slice(&[5, 3]), Alert::IllegalParameter),
        ("unknown scheme", |it| it[4..6].copy_from_slice(&[7, 8]), Alert::IllegalParameter),
    ];
    for (what, edit, alert) in edits {
        let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::None), None);
        server.records().tamper = flight(HandshakeType::ENCRYPTED_EXTENSIONS, move |messages| {
            edit(&mut messages[2]);
        });
        pump(&mut client, &mut server);
        expect_client_refuses(&client, alert, what);
        let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::Require), None);
        client.records.tamper =
            flight(HandshakeType::CERTIFICATE, move |messages| edit(&mut messages[1]));
        pump(&mut client, &mut server);
        expect_server_refuses(&server, alert, what);
    }
    for kind in [HandshakeType::ENCRYPTED_EXTENSIONS, HandshakeType::FINISHED] {
        let change = |messages: &mut Vec<Vec<u8>>| {
            *messages.last_mut().unwrap().last_mut().unwrap() ^= 1;
        };
        let (mut client_side, mut server_side) = pair(&client(|_| {}), &server(|_| {}), None);
        match kind {
            HandshakeType::FINISHED => client_side.records.tamper = flight(kind, change),
            _ => server_side.records().tamper = flight(kind, change),
        }
        pump(&mut client_side, &mut server_side);
        match kind {
            HandshakeType::FINISHED => {
                expect_server_refuses(&server_side, Alert::DecryptError, "Finished");
            }
            _ => expect_client_refuses(&client_side, Alert::DecryptError, "Finished"),
        }
    }
}

#[test]
fn certificates_have_no_context_and_no_extension_that_was_not_offered() {
    // A context of one byte; an extension of the first entry is hard to add without lengths.
    let with_context = |messages: &mut Vec<Vec<u8>>, index: usize| {
        let message = &mut messages[index];
        message.splice(4..5, [1, 7]);
        let len = u32::try_from(message.len() - 4).unwrap().to_be_bytes();
        message[1..4].copy_from_slice(&len[1..]);
    };
    let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::Require), None);
    server.records().tamper =
        flight(HandshakeType::ENCRYPTED_EXTENSIONS, move |it| with_context(it, 2));
    pump(&mut client, &mut server);
    expect_client_refuses(&client, Alert::IllegalParameter, "context");
    let (mut client, mut server) = pair(&certified(), &asking(ClientAuth::Require), None);
    client.records.tamper = flight(HandshakeType::CERTIFICATE, move |it| with_context(it, 0));
    pump(&mut client, &mut server);
    expect_server_refuses(&server, Alert::IllegalParameter, "context");
}

#[test]
fn encrypted_extensions_reply_to_what_was_offered() {
    for (list, alert) in [
        (&[0x7a, 0x7a, 0, 0][..], Alert::UnsupportedExtension),
        (&[0, 42, 0, 0], Alert::UnsupportedExtension),
        (&[0, 43, 0, 2, 3, 4], Alert::IllegalParameter),
        (&[0, 0, 0, 1, 0], Alert::DecodeError),
        (&[0, 10, 0, 0, 0, 10, 0, 0], Alert::IllegalParameter),
    ] {
        let (mut client_side, mut server_side) = pair(&client(|_| {}), &server(|_| {}), None);
        server_side.records().tamper = message(HandshakeType::ENCRYPTED_EXTENSIONS, move |it| {
            it.clear();
            ssl_provider_wire::put_encrypted_extensions(it, list);
        });
        pump(&mut client_side, &mut server_side);
        expect_client_refuses(&client_side, alert, list);
    }
}

#[test]
fn early_data_have_a_limit_whether_they_are_accepted_or_not() {
    let accepting = server(|options| {
        with_tickets(options);
        let window = std::time::Duration::from_secs(10);
        options.early_data = Some(EarlyData { max_len: 1000, window });
    });
    let offering = client(|it| it.early_data = true);
    // A session that has failed is not offered again, so each has its own.
    let session = || handshake(&offering, &accepting, None).0.session().cloned();
    let (mut client_side, mut server_side) = pair(&offering, &accepting, session());
    client_side.early_data_left = usize::MAX;
    client_side.send_early_data(&[7; 1001]);
    pump(&mut client_side, &mut server_side);
    expect_server_refuses(&server_side, Alert::UnexpectedMessage, "accepted");
    let p384 = NamedCurve::Secp384r1.into_group();
    for (groups, alert) in [
        (crate::tls13::TLS13_GROUPS.to_vec(), Alert::BadRecordMac),
        (vec![p384], Alert::UnexpectedMessage),
    ] {
        let other = server(|it| it.groups = groups);
        let (mut client, mut server) = pair(&offering, &other, session());
        client.early_data_left = usize::MAX;
        client.send_early_data(&[7; 60_000]);
        pump(&mut client, &mut server);
        expect_server_refuses(&server, alert, "declined");
    }
    // Data after their end.
    let (mut client_side, mut server_side) = pair(&offering, &accepting, session());
    client_side.records.tamper = flight(HandshakeType::END_OF_EARLY_DATA, |it| {
        it.push(vec![20, 0, 0, 0]);
    });
    pump(&mut client_side, &mut server_side);
    expect_server_refuses(&server_side, Alert::UnexpectedMessage, "coalesced with the end");
}

#[test]
fn a_binder_of_another_kind_is_wrong() {
    // A ticket's binder under the name of an external key: the labels differ, so does the key.
    let provider = provider(&default_backend().unwrap());
    let key = |byte| {
        let made = ExternalPsk::new(&provider, b"x", HashAlgorithm::Sha256, &[byte; 32]);
        Arc::new(made.unwrap())
    };
    let settings = server(|it| it.external_psks.push(key(1)));
    let offering = client(|it| it.external_psk = Some(key(1)));
    let (mut client, mut server) = pair(&offering, &settings, None);
    let hello = client.output().to_vec();
    client.sent(hello.len());
    for place in [hello.len() - 1, hello.len() - 32] {
        let mut changed = hello.clone();
        changed[place] ^= 1;
        let mut server = Connection::new(Arc::clone(&settings));
        server.receive(&changed);
        expect_server_refuses(&server, Alert::DecryptError, place);
        assert_eq!(server.cause(), Some(&Cause::Binder));
    }
    server.receive(&hello);
    pump(&mut client, &mut server);
    assert!(server.established().is_some());
}
