//! What must work in TLS 1.3 between our client and our server, on every backend.

use std::fs;
use std::time::Duration;

use ssl_provider::{
    CipherSuite, HashAlgorithm, HybridGroup, KeyLogPolicy, NamedCurve, backends, default_backend,
};
use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_wire::{DOWNGRADE_FROM_TLS_1_2, DOWNGRADE_FROM_TLS_1_3};

use super::*;
use crate::connection::Ending;
use crate::exporter::ExportFrom;
use crate::identity::{Identity, IdentityError};
use crate::key_log::KeyLog;
use crate::refusal::Cause;
use crate::settings::{ClientAuth, EarlyData, Options, Settings, TLS13_SUITES};
use crate::tests::rsa_identity;
use crate::tls13::TLS13_GROUPS;
use crate::tls13::psk::ExternalPsk;

const TLS1_3: ProtocolVersion = ProtocolVersion::TLS1_3;

/// Settings of a server of TLS 1.3 with certificates of both kinds, as far as the backend signs.
pub(super) fn server_on(backend: &Backend, change: impl FnOnce(&mut Options)) -> Arc<Settings> {
    let provider = provider(backend);
    let rsa = rsa_identity(&provider);
    let identity = match Identity::self_signed_ecdsa(&provider) {
        Ok(made) => rsa.and(made.identity).unwrap(),
        Err(IdentityError::NoUse) => rsa,
        Err(other) => panic!("{other}"),
    };
    server_of(provider, identity, change)
}

fn server_of(
    provider: Provider,
    identity: Identity,
    change: impl FnOnce(&mut Options),
) -> Arc<Settings> {
    let mut options = Options { versions: vec![TLS1_3], ..Options::default() };
    change(&mut options);
    Settings::new(provider, identity, options, None, None).unwrap()
}

pub(super) fn server(change: impl FnOnce(&mut Options)) -> Arc<Settings> {
    server_on(&default_backend().unwrap(), change)
}

pub(super) fn client_on(
    backend: &Backend,
    change: impl FnOnce(&mut ClientOptions),
) -> Arc<ClientSettings> {
    settings_on(backend, |options| {
        options.versions = TLS1_3..=TLS1_3;
        change(options);
    })
}

pub(super) fn client(change: impl FnOnce(&mut ClientOptions)) -> Arc<ClientSettings> {
    client_on(&default_backend().unwrap(), change)
}

pub(super) fn with_tickets(options: &mut Options) {
    options.session_tickets = Some(Duration::from_secs(100));
}

fn with_early_data(options: &mut Options) {
    with_tickets(options);
    options.early_data = Some(EarlyData { max_len: 1000, window: Duration::from_secs(10) });
}

pub(super) fn pair(
    client_settings: &Arc<ClientSettings>,
    server_settings: &Arc<Settings>,
    session: Option<Arc<ClientSession>>,
) -> (ClientConnection, Connection) {
    let settings = Arc::clone(client_settings);
    let client = ClientConnection::new(settings, Some("localhost"), session).unwrap();
    (client, Connection::new(Arc::clone(server_settings)))
}

/// Performs a handshake, which must succeed on both sides.
#[track_caller]
pub(super) fn handshake(
    client_settings: &Arc<ClientSettings>,
    server_settings: &Arc<Settings>,
    session: Option<Arc<ClientSession>>,
) -> (ClientConnection, Connection) {
    let (mut client, mut server) = pair(client_settings, server_settings, session);
    pump(&mut client, &mut server);
    expect_established(&client, &server);
    (client, server)
}

#[track_caller]
fn expect_established(client: &ClientConnection, server: &Connection) {
    let Some(info) = client.established() else {
        let (ending, fault) = (client.ending(), client.fault());
        panic!("{ending:?}, {fault:?}; {:?}, {:?}", server.ending(), server.cause());
    };
    let session = server.established().expect("the server is done too");
    assert_eq!((info.protocol, info.suite.id), (session.protocol, session.suite.id));
    assert_eq!(info.agreement.and_then(|it| it.group), session.group);
    assert_eq!(info.agreement.and_then(|it| it.scheme), session.signature_scheme);
    assert_eq!(info.resumed.is_some(), session.resumed);
    assert_eq!(info.external_psk, session.external_psk.is_some() && !session.resumed);
    assert_eq!(info.early_data == EarlyDataStatus::Accepted, session.early_data.is_some());
}

#[track_caller]
pub(super) fn exchange_data(client: &mut ClientConnection, server: &mut Connection) {
    for data in [&b"x"[..], &[b'y'; 40_000]] {
        assert!(client.send(data));
        pump(client, server);
        assert_eq!(server.take_data(), data);
        assert!(server.send(data));
        pump(client, server);
        assert_eq!(client.take_data(), data);
    }
}

#[test]
fn neither_side_shows_data_as_text() {
    let (mut client, mut server) = handshake(&client(|_| {}), &server(|_| {}), None);
    let data = b"hidden words";
    assert!(client.send(data) && server.send(data));
    pump(&mut client, &mut server);
    let texts = [format!("{client:?} {client:#?}"), format!("{server:?} {server:#?}")];
    for text in texts {
        assert!(text.contains("TLS_AES_128_GCM_SHA256") && !text.contains("hidden"), "{text}");
        let has_numbers = text.split_whitespace().collect::<String>().contains("104,105,100,100");
        assert!(!has_numbers, "{text}");
    }
    assert_eq!((&client.take_data()[..], &server.take_data()[..]), (&data[..], &data[..]));
}

fn close(client: &mut ClientConnection, server: &mut Connection) {
    client.close();
    pump(client, server);
    assert!(server.is_closed_by_client());
    assert_eq!(client.ending(), Some(ClientEnding::Closed));
    server.close();
    assert_eq!(server.ending(), Some(Ending::Closed));
}

#[test]
fn every_suite_of_every_backend_carries_data_both_ways() {
    for backend in backends() {
        let server = server_on(&backend, |_| {});
        let name = backend.info().name;
        for suite in TLS13_SUITES {
            let info = suite.info().unwrap();
            let is_usable = info.has_records(&**server.provider.backend());
            let usable = &server.usable()[0].1;
            assert_eq!(usable.iter().any(|it| it.id == suite), is_usable, "{name}, {suite}");
            if !is_usable {
                continue;
            }
            let (mut client, mut server) =
                handshake(&client_on(&backend, |it| it.suites = vec![suite]), &server, None);
            assert_eq!(client.established().unwrap().suite.id, suite, "{name}");
            exchange_data(&mut client, &mut server);
            close(&mut client, &mut server);
        }
    }
}

#[test]
fn every_group_of_every_backend_is_agreed_on_with_and_without_a_retry() {
    for backend in backends() {
        let name = backend.info().name;
        for group in TLS13_GROUPS {
            let provider = provider(&backend);
            if !group.is_supported(&provider) {
                not_tested(group.name(), name);
                continue;
            }
            let first = NamedGroup::Curve(NamedCurve::X25519);
            let only = server_on(&backend, |it| it.groups = vec![group]);
            for groups in [vec![group], vec![first, group]] {
                let client = client_on(&backend, |it| it.groups = groups.clone());
                let (mut client, mut server) = handshake(&client, &only, None);
                assert_eq!(server.established().unwrap().group, Some(group), "{name}");
                // Of hybrid groups, the client sends a public key in any case.
                let is_hybrid = matches!(group, NamedGroup::Hybrid(_));
                let retried = groups.len() == 2 && group != first && !is_hybrid;
                assert_eq!(server.established().unwrap().retried, retried, "{name}, {group:?}");
                exchange_data(&mut client, &mut server);
            }
        }
    }
}

#[test]
fn a_hybrid_group_is_preferred_even_if_it_takes_a_retry() {
    for backend in backends() {
        let group = NamedGroup::Hybrid(HybridGroup::Secp256r1MlKem768);
        if !group.is_supported(&provider(&backend)) {
            not_tested(group.name(), backend.info().name);
            continue;
        }
        let groups = vec![group, NamedGroup::Curve(NamedCurve::X25519)];
        let server = server_on(&backend, |it| it.groups = groups);
        let (_, server) = handshake(&client_on(&backend, |_| {}), &server, None);
        let session = server.established().unwrap();
        assert_eq!((session.group, session.retried), (Some(group), true));
    }
}

#[test]
fn the_server_signs_with_the_key_that_the_client_takes() {
    for backend in backends() {
        let (client, provider) = (client_on(&backend, |_| {}), provider(&backend));
        if let Ok(made) = Identity::self_signed_ecdsa(&provider) {
            let server = server_of(provider.clone(), made.identity, |_| {});
            let (_, server) = handshake(&client, &server, None);
            let scheme = server.established().unwrap().signature_scheme;
            assert_eq!(scheme, Some(SignatureScheme::EcdsaSha256), "{}", backend.info().name);
        }
        let server = server_of(provider.clone(), rsa_identity(&provider), |_| {});
        let (mut client, mut server) = handshake(&client, &server, None);
        let scheme = server.established().unwrap().signature_scheme;
        assert_eq!(scheme, Some(SignatureScheme::RsaPssSha256), "{}", backend.info().name);
        exchange_data(&mut client, &mut server);
    }
}

#[test]
fn the_highest_common_version_is_chosen_and_a_lower_one_is_marked() {
    let (lowest, tls1_2) = (ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_2);
    let full = server(|options| {
        options.versions = vec![lowest, ProtocolVersion::TLS1_1, tls1_2, TLS1_3];
    });
    let old = server(|options| options.versions = vec![lowest, ProtocolVersion::TLS1_1, tls1_2]);
    let offering = |highest| client(|options| options.versions = lowest..=highest);
    for (client_highest, settings, chosen, mark) in [
        (TLS1_3, &full, TLS1_3, None),
        (tls1_2, &full, tls1_2, Some(DOWNGRADE_FROM_TLS_1_3)),
        (ProtocolVersion::TLS1_1, &full, ProtocolVersion::TLS1_1, Some(DOWNGRADE_FROM_TLS_1_2)),
        (TLS1_3, &old, tls1_2, None),
        (tls1_2, &old, tls1_2, None),
        (lowest, &old, lowest, Some(DOWNGRADE_FROM_TLS_1_2)),
    ] {
        let (client, mut server) = pair(&offering(client_highest), settings, None);
        server.receive(client.output());
        let random = &server.output()[5 + 4 + 2..][..32];
        for known in [DOWNGRADE_FROM_TLS_1_3, DOWNGRADE_FROM_TLS_1_2] {
            assert_eq!(random.ends_with(&known), mark == Some(known), "{client_highest}");
        }
        let (_, server) = handshake(&offering(client_highest), settings, None);
        assert_eq!(server.established().unwrap().protocol, chosen);
    }
    let (mut client, mut server) = pair(&client(|_| {}), &old, None);
    pump(&mut client, &mut server);
    // This server does not know TLS 1.3, and finds no suite.
    assert_eq!(client.ending(), Some(ClientEnding::FailedByServer(40)));
    assert_eq!(server.cause().unwrap().to_string(), "the client offers TLS 1.3 only");
}

#[test]
fn a_version_that_somebody_has_removed_from_the_hello_is_seen() {
    let server = server(|it| it.versions = vec![ProtocolVersion::TLS1_2, TLS1_3]);
    let settings = client(|it| it.versions = ProtocolVersion::TLS1_2..=TLS1_3);
    let (mut client, mut server) = pair(&settings, &server, None);
    let mut hello = client.output().to_vec();
    // supported_versions becomes an extension that nobody knows.
    let place = hello.windows(5).position(|it| it == [0, 43, 0, 5, 4]).unwrap();
    hello[place] = 0x7a;
    server.receive(&hello);
    client.sent(hello.len());
    client.receive(server.output());
    assert_eq!(client.ending(), Some(ClientEnding::Refused(Alert::IllegalParameter)));
    assert_eq!(client.fault(), Some(&ServerFault::Downgrade(ProtocolVersion::TLS1_2)));
}

#[test]
fn a_ticket_resumes_its_session_on_every_backend() {
    for backend in backends() {
        let name = backend.info().name;
        let server = server_on(&backend, with_tickets);
        for suite in [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384] {
            let client = client_on(&backend, |it| it.suites = vec![suite]);
            let (mut first, mut server_side) = handshake(&client, &server, None);
            exchange_data(&mut first, &mut server_side);
            let session = first.session().cloned().expect("a ticket");
            assert!(session.has_ticket());
            let (mut second, mut server_side) = handshake(&client, &server, Some(session));
            let info = second.established().unwrap();
            assert_eq!(info.resumed, Some(Resumption::Ticket), "{name}");
            assert!(info.agreement.unwrap().group.is_some() && !info.certificates.is_empty());
            exchange_data(&mut second, &mut server_side);
            let session = second.session().cloned().expect("another ticket");
            let (third, _) = handshake(&client, &server, Some(session));
            assert!(third.established().unwrap().resumed.is_some());
        }
    }
}

#[test]
fn a_ticket_that_does_not_fit_leads_to_a_full_handshake() {
    let settings = server(with_tickets);
    let client = client(|_| {});
    let (first, _) = handshake(&client, &settings, None);
    let session = first.session().cloned().unwrap();
    // Of another server.
    let (other, _) = handshake(&client, &server(with_tickets), Some(Arc::clone(&session)));
    assert_eq!(other.established().unwrap().resumed, None);
    // Another server name: the client does not even offer it.
    let mut named = ClientConnection::new(client, Some("other"), Some(session)).unwrap();
    let mut server = Connection::new(Arc::clone(&settings));
    pump(&mut named, &mut server);
    assert!(!server.established().unwrap().resumed);
}

#[test]
fn a_ticket_works_after_a_retry() {
    let group = NamedGroup::Curve(NamedCurve::Secp384r1);
    let settings = server(|options| {
        with_tickets(options);
        options.groups = vec![group];
    });
    let client = client(|_| {});
    let (first, server) = handshake(&client, &settings, None);
    assert!(server.established().unwrap().retried);
    let (_, server) = handshake(&client, &settings, first.session().cloned());
    let session = server.established().unwrap();
    assert!(session.retried && session.resumed);
}

#[test]
fn tickets_come_where_both_sides_have_them() {
    let (first, _) =
        handshake(&client(|it| it.session_tickets = false), &server(with_tickets), None);
    assert!(first.session().is_none());
    let (first, _) = handshake(&client(|_| {}), &server(|_| {}), None);
    assert!(first.session().is_none());
}

/// An external pre-shared key for both sides.
fn psk(identity: &[u8], hash: HashAlgorithm, byte: u8) -> Arc<ExternalPsk> {
    let provider = provider(&default_backend().unwrap());
    Arc::new(ExternalPsk::new(&provider, identity, hash, &[byte; 32]).unwrap())
}

#[test]
fn an_external_key_stands_for_certificates() {
    let known = |key: &Arc<ExternalPsk>| server(|it| it.external_psks.push(Arc::clone(key)));
    let offered = |key: &Arc<ExternalPsk>| client(|it| it.external_psk = Some(Arc::clone(key)));
    for hash in [HashAlgorithm::Sha256, HashAlgorithm::Sha384] {
        let key = psk(b"device 7", hash, 1);
        let (mut client, mut server) = handshake(&offered(&key), &known(&key), None);
        let session = server.established().unwrap();
        assert_eq!(session.external_psk.as_deref(), Some(&b"device 7"[..]));
        assert_eq!(session.suite.prf.hash(), Some(hash));
        assert!(client.certificates().is_empty() && session.group.is_some());
        exchange_data(&mut client, &mut server);
    }
    let (one, other) = (psk(b"x", HashAlgorithm::Sha256, 1), psk(b"x", HashAlgorithm::Sha256, 2));
    let (mut client_side, mut server_side) = pair(&offered(&one), &known(&other), None);
    pump(&mut client_side, &mut server_side);
    assert_eq!(server_side.ending(), Some(Ending::Refused(Alert::DecryptError)));
    assert_eq!(server_side.cause(), Some(&Cause::Binder));
    // One that is not known is passed over.
    let unknown = psk(b"y", HashAlgorithm::Sha256, 1);
    let (client, _) = handshake(&offered(&unknown), &known(&other), None);
    assert!(!client.established().unwrap().external_psk && !client.certificates().is_empty());
}

#[test]
fn a_resumed_session_keeps_the_name_of_its_external_key() {
    let key = psk(b"device 7", HashAlgorithm::Sha256, 1);
    let settings = server(|it| {
        with_tickets(it);
        it.external_psks.push(Arc::clone(&key));
    });
    let client = client(|it| it.external_psk = Some(Arc::clone(&key)));
    let (mut first, mut server_side) = handshake(&client, &settings, None);
    for _ in 0..2 {
        exchange_data(&mut first, &mut server_side);
        let session = first.session().cloned().expect("a ticket");
        (first, server_side) = handshake(&client, &settings, Some(session));
        let session = server_side.established().unwrap();
        assert!(session.resumed);
        assert_eq!(session.external_psk.as_deref(), Some(&b"device 7"[..]));
    }
}

#[test]
fn a_key_is_used_alone_only_where_both_sides_allow_it() {
    let key = psk(b"x", HashAlgorithm::Sha256, 1);
    let known = |alone| {
        server(|it| {
            it.external_psks.push(Arc::clone(&key));
            it.psk_without_agreement = alone;
            // No group in common.
            it.groups = vec![NamedGroup::Curve(NamedCurve::Secp521r1)];
        })
    };
    let offered = |alone| {
        client(|it| {
            it.external_psk = Some(Arc::clone(&key));
            it.psk_without_agreement = alone;
            it.groups = vec![NamedGroup::Curve(NamedCurve::X25519)];
        })
    };
    let (client, server) = handshake(&offered(true), &known(true), None);
    assert_eq!(client.established().unwrap().agreement, None);
    assert_eq!(server.established().unwrap().group, None);
    for (of_client, of_server) in [(true, false), (false, true), (false, false)] {
        let (mut client, mut server) = pair(&offered(of_client), &known(of_server), None);
        pump(&mut client, &mut server);
        assert_eq!(server.ending(), Some(Ending::Refused(Alert::HandshakeFailure)));
    }
}

#[test]
fn client_certificates_are_requested_and_verified() {
    for backend in backends() {
        let provider = provider(&backend);
        let client = |identity: Option<ClientIdentity>| {
            let mut options = all_options();
            options.versions = TLS1_3..=TLS1_3;
            let trust = Box::new(TrustAll);
            ClientSettings::new(provider.clone(), options, trust, identity, None).unwrap()
        };
        let mut identities = Vec::new();
        let rsa = rsa_certificate_of(&provider);
        identities.push((ClientIdentity::new(&provider, rsa.0, vec![rsa.1]), true));
        if let Ok(made) = Identity::self_signed_ecdsa(&provider) {
            let key = provider.load_signing_key(&made.key_der).unwrap();
            identities
                .push((ClientIdentity::new(&provider, key, vec![made.certificate_der]), false));
        }
        let required = server_on(&backend, |it| {
            with_tickets(it);
            it.client_auth = ClientAuth::Require;
        });
        for (identity, is_rsa) in identities {
            let settings = client(Some(identity.unwrap()));
            let (mut one, mut server) = handshake(&settings, &required, None);
            let ClientCertificate::Sent(scheme) = one.established().unwrap().client_certificate
            else {
                panic!("{:?}", one.established());
            };
            assert_eq!(scheme.is_rsa(), is_rsa);
            let fingerprint = server.established().unwrap().client_certificate;
            assert!(fingerprint.is_some());
            exchange_data(&mut one, &mut server);
            let (_, server) = handshake(&settings, &required, one.session().cloned());
            assert!(server.established().unwrap().resumed);
            assert_eq!(server.established().unwrap().client_certificate, fingerprint);
        }
        let requested = server_on(&backend, |it| it.client_auth = ClientAuth::Request);
        let (one, server) = handshake(&client(None), &requested, None);
        let info = one.established().unwrap();
        assert_eq!(info.client_certificate, ClientCertificate::Declined);
        assert_eq!(server.established().unwrap().client_certificate, None);
        let (mut one, mut server) = pair(&client(None), &required, None);
        pump(&mut one, &mut server);
        assert_eq!(server.ending(), Some(Ending::Refused(Alert::CertificateRequired)));
        assert_eq!(server.cause(), Some(&Cause::NoClientCertificate));
        assert_eq!(one.ending(), Some(ClientEnding::FailedByServer(116)), "and it is encrypted");
    }
}

/// A key of 1024 bits with a certificate.
fn rsa_certificate_of(provider: &Provider) -> (ssl_provider::SigningKey, Vec<u8>) {
    use rsa::pkcs1::DecodeRsaPrivateKey;
    use ssl_provider_testkit::rsa_key::TestKey;

    let key = rsa::PrivateKey::from_pkcs1_der(&TestKey::rsa_1024().der).unwrap();
    let made = Identity::of(provider, key).unwrap();
    (provider.load_signing_key(&made.key_der).unwrap(), made.certificate_der)
}

#[test]
fn keys_are_replaced_in_either_direction_and_both() {
    let (mut client, mut server) = handshake(&client(|_| {}), &server(|_| {}), None);
    for both in [false, true] {
        for _ in 0..3 {
            assert!(client.update_keys(both));
            exchange_data(&mut client, &mut server);
            assert!(server.update_keys(both));
            exchange_data(&mut client, &mut server);
        }
        // At the same time.
        assert!(client.update_keys(both) && server.update_keys(both));
        exchange_data(&mut client, &mut server);
    }
    close(&mut client, &mut server);
    assert!(!client.update_keys(true) && !server.update_keys(true));
}

#[test]
fn too_many_changes_of_keys_without_data_are_refused() {
    let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
    for _ in 0..40 {
        client_side.update_keys(false);
        pump(&mut client_side, &mut server_side);
    }
    assert_eq!(server_side.ending(), Some(Ending::Refused(Alert::UnexpectedMessage)));
    let (mut client_side, mut server_side) = handshake(&client(|_| {}), &server(|_| {}), None);
    for _ in 0..40 {
        server_side.update_keys(false);
        pump(&mut client_side, &mut server_side);
    }
    assert_eq!(client_side.ending(), Some(ClientEnding::Refused(Alert::UnexpectedMessage)));
}

#[test]
fn both_sides_export_the_same_and_nothing_after_the_end() {
    let export = |client: &ClientConnection, server: &Connection, context: Option<&[u8]>| {
        let (mut of_client, mut of_server) = ([0; 40], [1; 40]);
        let from = ExportFrom::default();
        let label = b"EXPERIMENTAL lab";
        let one = client.export_keying_material(from, label, context, &mut of_client);
        let other = server.export_keying_material(from, label, context, &mut of_server);
        assert_eq!(one, other);
        one.map(|()| {
            assert_eq!(of_client, of_server);
            of_client
        })
    };
    let (client_settings, server_settings) = (client(|_| {}), server(|_| {}));
    let (mut client, mut server) = handshake(&client_settings, &server_settings, None);
    let plain = export(&client, &server, None).unwrap();
    assert_eq!(export(&client, &server, Some(b"")).unwrap(), plain, "RFC 8446 section 7.5");
    assert_ne!(export(&client, &server, Some(b"x")).unwrap(), plain);
    client.update_keys(true);
    exchange_data(&mut client, &mut server);
    assert_eq!(export(&client, &server, None).unwrap(), plain);
    close(&mut client, &mut server);
    assert!(export(&client, &server, None).is_err());
    let (other, server) = handshake(&client_settings, &server_settings, None);
    assert_ne!(export(&other, &server, None).unwrap(), plain);
}

#[test]
fn both_sides_log_the_same_secrets_under_the_labels_of_rfc_9850() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["client", "server"].map(|name| folder.path().join(name));
    let provider = provider(&default_backend().unwrap())
        .with_policy(Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() });
    let identity = Identity::self_signed_ecdsa(&provider).unwrap().identity;
    let mut options = Options { versions: vec![TLS1_3], ..Options::default() };
    with_early_data(&mut options);
    let log = |path| Some(KeyLog::append_to(path).unwrap());
    let server = Settings::new(provider.clone(), identity, options, None, log(&paths[1])).unwrap();
    let mut options = all_options();
    options.versions = TLS1_3..=TLS1_3;
    options.early_data = true;
    let trust = Box::new(TrustAll);
    let client = ClientSettings::new(provider, options, trust, None, log(&paths[0])).unwrap();
    let (first, _) = handshake(&client, &server, None);
    handshake(&client, &server, first.session().cloned());
    let [of_client, of_server] = paths.map(|path| {
        let mut lines: Vec<_> =
            fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    });
    assert_eq!(of_client, of_server);
    let mut labels: Vec<_> =
        of_client.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    labels.dedup();
    assert_eq!(
        labels,
        [
            "CLIENT_EARLY_TRAFFIC_SECRET",
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            "CLIENT_TRAFFIC_SECRET_0",
            "EARLY_EXPORTER_SECRET",
            "EXPORTER_SECRET",
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            "SERVER_TRAFFIC_SECRET_0",
        ]
    );
}

#[test]
fn early_data_are_accepted_where_both_sides_say_so_and_only_once() {
    for backend in backends() {
        let server = server_on(&backend, with_early_data);
        let settings = client_on(&backend, |it| it.early_data = true);
        let (first, _) = handshake(&settings, &server, None);
        assert_eq!(first.early_data(), EarlyDataStatus::NotOffered);
        let session = first.session().cloned();

        let (mut client, mut server_side) = pair(&settings, &server, session.clone());
        assert_eq!(client.send_early_data(b"early"), 5);
        let recorded = client.output().to_vec();
        // "MUST be set to 0x0303 for all records [...] other than an initial ClientHello" (RFC 8446
        // section 5.1); GnuTLS insists.
        let mut rest = &recorded[..];
        let mut versions = Vec::new();
        while let [_, major, minor, high, low, ..] = *rest {
            versions.push([major, minor]);
            rest = &rest[5 + usize::from(u16::from_be_bytes([high, low]))..];
        }
        assert_eq!(versions, [[3, 1], [3, 3], [3, 3]], "hello, ChangeCipherSpec, early data");
        client.sent(recorded.len());
        server_side.receive(&recorded);
        assert_eq!(server_side.take_early_data(), b"early");
        assert!(server_side.send(b"reply"), "before the client's Finished");
        let (mut one, mut other) = ([0; 20], [1; 20]);
        let label = b"EXPERIMENTAL early";
        client.export_early_keying_material(label, None, &mut one).unwrap();
        server_side.export_early_keying_material(label, None, &mut other).unwrap();
        assert_eq!(one, other);
        pump(&mut client, &mut server_side);
        expect_established(&client, &server_side);
        assert_eq!(server_side.established().unwrap().early_data, Some(5));
        assert_eq!(client.take_data(), b"reply");
        assert_eq!(server_side.take_data(), b"", "it was taken before");
        exchange_data(&mut client, &mut server_side);

        // The same bytes again: the hello is good, what is early is not taken.
        let mut replayed = Connection::new(Arc::clone(&server));
        replayed.receive(&recorded);
        assert_eq!((replayed.take_early_data(), replayed.ending()), (Vec::new(), None));

        // Without take_early_data they come after the handshake.
        let (mut client, mut server_side) = pair(&settings, &server, first.session().cloned());
        assert_eq!(client.send_early_data(&[b'x'; 1001]), 1000, "as many as the ticket allows");
        pump(&mut client, &mut server_side);
        expect_established(&client, &server_side);
        assert_eq!(server_side.take_data(), [b'x'; 1000]);
        assert_eq!(client.send_early_data(b"late"), 0);
    }
}

#[test]
fn early_data_that_are_declined_are_passed_over() {
    let accepting = server(with_early_data);
    let settings = client(|it| it.early_data = true);
    let (first, _) = handshake(&settings, &accepting, None);
    let session = first.session().cloned();
    // Another server: the ticket is unknown. With and without a retry.
    let group = NamedGroup::Curve(NamedCurve::Secp384r1);
    for groups in [TLS13_GROUPS.to_vec(), vec![group]] {
        let other = server(|it| {
            with_tickets(it);
            it.groups = groups.clone();
        });
        let (mut client, mut server) = pair(&settings, &other, session.clone());
        assert_eq!(client.send_early_data(b"early"), 5);
        pump(&mut client, &mut server);
        expect_established(&client, &server);
        assert_eq!(client.early_data(), EarlyDataStatus::Declined);
        // The server has no such secret.
        let exported = client.export_early_keying_material(b"EXPORTER-x", None, &mut [0; 32]);
        assert!(exported.is_err());
        assert_eq!(server.established().unwrap().retried, groups.len() == 1);
        assert_eq!(server.take_data(), b"");
        exchange_data(&mut client, &mut server);
    }
    // A client that does not ask.
    let quiet = client(|_| {});
    let (first, _) = handshake(&quiet, &accepting, None);
    let (mut client, mut server) = pair(&quiet, &accepting, first.session().cloned());
    assert_eq!(client.send_early_data(b"early"), 0);
    pump(&mut client, &mut server);
    assert_eq!(server.established().unwrap().early_data, None);
}

#[test]
fn application_protocols_are_negotiated() {
    let server = server(|it| it.application_protocols = vec!["h2".to_owned(), "x".to_owned()]);
    let offering = |names: &[&[u8]]| {
        client(|it| it.protocols = names.iter().map(|name| name.to_vec()).collect())
    };
    let (one, server_side) = handshake(&offering(&[b"x", b"h2"]), &server, None);
    assert_eq!(one.established().unwrap().application_protocol.as_deref(), Some(&b"h2"[..]));
    assert_eq!(server_side.established().unwrap().application_protocol.as_deref(), Some("h2"));
    let (mut one, mut server_side) = pair(&offering(&[b"y"]), &server, None);
    pump(&mut one, &mut server_side);
    assert_eq!(server_side.ending(), Some(Ending::Refused(Alert::NoApplicationProtocol)));
}
