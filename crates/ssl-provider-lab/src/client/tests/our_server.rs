//! What must work between our client and our server, on every backend.

use std::fs;
use std::time::Duration;

use rsa::pkcs1::DecodeRsaPrivateKey;
use ssl_provider::{CipherMode, KeyLogPolicy, backends};
use ssl_provider_testkit::rsa_key::TestKey;

use super::*;
use crate::connection::Ending;
use crate::exporter::ExportFrom;
use crate::identity::Identity;
use crate::key_log::KeyLog;
use crate::settings::{ClientAuth, Options, Settings};
use crate::tests::{VERSIONS, ephemeral_settings, settings_on as server_settings_on};

/// Performs a handshake, which must succeed on both sides.
#[track_caller]
fn handshake(
    client_settings: &Arc<ClientSettings>,
    server_settings: &Arc<Settings>,
    session: Option<Arc<ClientSession>>,
) -> (ClientConnection, Connection) {
    let settings = Arc::clone(client_settings);
    let mut client = ClientConnection::new(settings, Some("localhost"), session).unwrap();
    let mut server = Connection::new(Arc::clone(server_settings));
    pump(&mut client, &mut server);
    let Some(info) = client.established() else {
        panic!("{:?}, {:?}; {:?}", client.ending(), client.fault(), server.ending());
    };
    let session = server.established().expect("the server is done too");
    assert_eq!((info.protocol, info.suite.id), (session.protocol, session.suite.id));
    assert_eq!(info.extended_master_secret, session.extended_master_secret);
    assert_eq!(info.encrypt_then_mac, session.encrypt_then_mac);
    assert_eq!(info.resumed.is_some(), session.resumed);
    assert!(info.secure_renegotiation && session.secure_renegotiation);
    (client, server)
}

fn exchange_data(client: &mut ClientConnection, server: &mut Connection) {
    for data in [&b"x"[..], &[b'y'; 40_000]] {
        assert!(client.send(data));
        pump(client, server);
        assert_eq!(server.take_data(), data);
        assert!(server.send(data));
        pump(client, server);
        assert_eq!(client.take_data(), data);
    }
    client.close();
    pump(client, server);
    assert!(server.is_closed_by_client());
    assert_eq!(client.ending(), Some(ClientEnding::Closed));
}

#[test]
fn a_client_that_has_closed_its_side_still_reads_and_sends_nothing_more() {
    let server = server_settings_on(&ssl_provider::default_backend().unwrap(), |_| {});
    let (mut client, mut server) = handshake(&settings_with(|_| {}), &server, None);
    assert!(client.send(b"request"));
    client.close_write();
    pump(&mut client, &mut server);
    assert_eq!(server.take_data(), b"request");
    assert!(server.is_closed_by_client());
    assert_eq!(client.ending(), None);
    // The server has received it; what it sends arrives.
    assert!(server.send(&[b'z'; 40_000]));
    pump(&mut client, &mut server);
    client.release_memory();
    assert_eq!(client.take_data(), [b'z'; 40_000]);
    assert!(!client.send(b"more"));
    client.close_write();
    client.close();
    assert_eq!(client.output(), b"", "one close_notify, and nothing after it");
    assert_eq!(client.ending(), Some(ClientEnding::Closed));
}

#[test]
fn an_idle_client_frees_its_buffers_when_asked() {
    let server = server_settings_on(&ssl_provider::default_backend().unwrap(), |_| {});
    let (mut client, mut server) = handshake(&settings_with(|_| {}), &server, None);
    for _ in 0..2 {
        let data = [b'z'; 40_000];
        assert!(client.send(&data));
        assert!(server.send(&data));
        pump(&mut client, &mut server);
        assert_eq!((&client.take_data()[..], &server.take_data()[..]), (&data[..], &data[..]));
        // Both keep what the longest flight needed until then.
        let buffers = |client: &ClientConnection| {
            [client.input.capacity(), client.data.capacity(), client.records.output_capacity()]
        };
        let [input, data, output] = buffers(&client);
        assert!(input >= 40_000 && data == 0 && output >= 40_000, "{input}, {data}, {output}");
        client.release_memory();
        assert_eq!(buffers(&client), [0; 3]);
    }
}

#[test]
fn what_is_kept_for_later_is_counted() {
    let settings = server_settings_on(&ssl_provider::default_backend().unwrap(), |_| {});
    let mut fresh = Connection::new(Arc::clone(&settings));
    // Half a record, then half a message in a whole one.
    fresh.receive(&[22, 3, 1, 0, 6, 1, 0]);
    assert_eq!(fresh.buffered_len(), 7);
    fresh.receive(&[1, 0, 3, 3]);
    assert_eq!(fresh.buffered_len(), 6);

    let (mut client, mut server) = handshake(&settings_with(|_| {}), &settings, None);
    assert_eq!((client.buffered_len(), server.buffered_len()), (0, 0));
    assert!(client.send(b"abc") && server.send(b"de"));
    assert!(client.buffered_len() > 3 && server.buffered_len() > 2, "output");
    pump(&mut client, &mut server);
    assert_eq!((client.buffered_len(), server.buffered_len()), (2, 3), "data");
    client.take_data();
    client.receive(&[23, 3]);
    assert_eq!(client.buffered_len(), 2);
}

/// The keying material that both sides export, which must be the same.
#[track_caller]
fn exported(
    (client, server): &(ClientConnection, Connection),
    from: ExportFrom,
    label: &[u8],
    context: Option<&[u8]>,
) -> Result<[u8; 40], Error> {
    let (mut of_client, mut of_server) = ([0; 40], [1; 40]);
    let results = (
        client.export_keying_material(from, label, context, &mut of_client),
        server.export_keying_material(from, label, context, &mut of_server),
    );
    assert_eq!(results.0, results.1);
    results.0.inspect_err(|_| assert_eq!((of_client, of_server), ([0; 40], [1; 40])))?;
    assert_eq!(of_client, of_server);
    Ok(of_client)
}

#[test]
fn both_sides_export_the_same_from_sessions_with_the_extended_master_secret() {
    const LABEL: &[u8] = b"EXPERIMENTAL lab";
    let only = ExportFrom::default();
    for backend in backends() {
        let server_settings = server_settings_on(&backend, |_| {});
        for version in [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_2] {
            let of_version = |with_ems: bool| {
                settings_on(&backend, |options| {
                    options.versions = version..=version;
                    options.extended_master_secret = with_ems;
                })
            };
            let with = of_version(true);
            let both = handshake(&with, &server_settings, None);
            let material = exported(&both, only, LABEL, None).unwrap();
            for (label, context) in
                [(LABEL, Some(&[][..])), (LABEL, Some(b"x")), (b"EXPERIMENTAL other", None)]
            {
                assert_ne!(exported(&both, only, label, context), Ok(material));
            }
            assert_eq!(exported(&both, ExportFrom::AnySession, LABEL, None), Ok(material));
            let reserved = exported(&both, only, b"key expansion", None);
            assert!(matches!(reserved, Err(Error::InvalidParameter(_))), "{reserved:?}");
            // A resumed session has randoms of its own.
            let session = both.0.session().cloned();
            let resumed = handshake(&with, &server_settings, session);
            assert!(resumed.0.established().unwrap().resumed.is_some());
            assert_ne!(exported(&resumed, only, LABEL, None).unwrap(), material);

            let without = of_version(false);
            let both = handshake(&without, &server_settings, None);
            let resumed = handshake(&without, &server_settings, both.0.session().cloned());
            for both in [both, resumed] {
                let refused = exported(&both, only, LABEL, None);
                assert!(matches!(refused, Err(Error::NotAllowed(_))), "{refused:?}");
                exported(&both, ExportFrom::AnySession, LABEL, None).unwrap();
            }
        }
    }
}

#[test]
fn nothing_is_exported_in_ssl_3_0_nor_before_or_after_the_session() {
    let server_settings = server_settings_on(&ssl_provider::default_backend().unwrap(), |_| {});
    let ssl3 = settings_with(|options| {
        options.versions = ProtocolVersion::SSL3..=ProtocolVersion::SSL3;
    });
    let both = handshake(&ssl3, &server_settings, None);
    let label = b"EXPERIMENTAL lab";
    let refused = exported(&both, ExportFrom::AnySession, label, None);
    assert!(matches!(refused, Err(Error::UnsupportedProtocol { .. })), "{refused:?}");

    let settings = settings_with(|_| {});
    let client = ClientConnection::new(Arc::clone(&settings), None, None).unwrap();
    let before = (client, Connection::new(Arc::clone(&server_settings)));
    let mut after = handshake(&settings, &server_settings, None);
    after.0.close();
    pump(&mut after.0, &mut after.1);
    after.1.close();
    for both in [before, after] {
        let refused = exported(&both, ExportFrom::AnySession, label, None);
        assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{refused:?}");
    }
}

#[test]
fn every_version_suite_and_extension_works_on_every_backend() {
    for backend in backends() {
        let name = backend.info().name;
        let server = server_settings_on(&backend, |_| {});
        let mut count = 0;
        for (version, suites) in server.usable() {
            for suite in suites {
                for with_extensions in [false, true] {
                    let client = settings_on(&backend, |options| {
                        options.versions = *version..=*version;
                        options.suites = vec![suite.id];
                        options.extended_master_secret = with_extensions;
                        options.encrypt_then_mac = with_extensions;
                    });
                    let (mut client, mut server) = handshake(&client, &server, None);
                    let info = client.established().unwrap().clone();
                    assert_eq!((info.protocol, info.suite.id), (*version, suite.id), "{name}");
                    let expected = with_extensions && *version != ProtocolVersion::SSL3;
                    assert_eq!(info.extended_master_secret, expected);
                    let is_cbc = suite.cipher.mode == CipherMode::Cbc;
                    assert_eq!(info.encrypt_then_mac, expected && is_cbc);
                    assert_eq!(info.certificates.len(), 1);
                    exchange_data(&mut client, &mut server);
                    count += 1;
                }
            }
        }
        assert!(count > 50, "{name}: only {count} handshakes");
    }
}

#[test]
fn every_suite_with_ephemeral_keys_works_on_every_backend() {
    for backend in backends() {
        let name = backend.info().name;
        let server = ephemeral_settings(&backend, |_| {});
        let mut count = 0;
        for (version, suites) in server.usable() {
            for suite in suites.iter().filter(|suite| !suite.key_exchange.is_rsa()) {
                let client = settings_on(&backend, |options| {
                    options.versions = *version..=*version;
                    options.suites = vec![suite.id];
                });
                let (mut client, mut server) = handshake(&client, &server, None);
                let info = client.established().unwrap();
                let agreement = info.agreement.expect("an agreement");
                let is_dhe = matches!(agreement.group, Some(NamedGroup::FiniteField(_)));
                assert_eq!(is_dhe, suite.key_exchange.is_dhe(), "{name}, {suite:?}");
                exchange_data(&mut client, &mut server);
                count += 1;
            }
        }
        assert!(count >= 4, "{name}: only {count} handshakes");
    }
}

#[test]
fn tickets_and_application_protocols_of_our_server_are_taken() {
    for backend in backends() {
        let server = ephemeral_settings(&backend, |options| {
            options.session_tickets = Some(Duration::from_secs(100));
            options.application_protocols = vec!["http/1.1".to_owned()];
        });
        let client = settings_on(&backend, |options| {
            options.protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        });
        let mut session = None;
        for round in 0..3 {
            let (mut client, mut server) = handshake(&client, &server, session.take());
            let info = client.established().unwrap();
            assert_eq!(info.application_protocol.as_deref(), Some(&b"http/1.1"[..]));
            assert_eq!(info.resumed, (round > 0).then_some(Resumption::Ticket), "{round}");
            session = client.session().cloned();
            assert!(session.as_ref().is_some_and(|session| session.has_ticket()));
            exchange_data(&mut client, &mut server);
        }
    }
}

#[test]
fn sessions_are_resumed_in_every_version() {
    let backend = ssl_provider::default_backend().unwrap();
    let server = server_settings_on(&backend, |_| {});
    for version in VERSIONS {
        for with_extensions in [false, true] {
            let client = settings_on(&backend, |options| {
                options.versions = version..=version;
                options.extended_master_secret = with_extensions;
                options.encrypt_then_mac = with_extensions;
            });
            let (first, _) = handshake(&client, &server, None);
            let mut session = Arc::clone(first.session().expect("a session"));
            for _ in 0..2 {
                let (mut next, mut server) = handshake(&client, &server, Some(session));
                let info = next.established().unwrap();
                assert!(info.resumed.is_some(), "{version}");
                assert_eq!(info.certificates, first.established().unwrap().certificates);
                session = Arc::clone(next.session().expect("a session"));
                exchange_data(&mut next, &mut server);
            }
        }
    }
}

#[test]
fn a_session_is_offered_to_its_server_and_with_its_settings_only() {
    let backend = ssl_provider::default_backend().unwrap();
    let server = server_settings_on(&backend, |_| {});
    let client = settings_on(&backend, |_| {});
    let (first, _) = handshake(&client, &server, None);
    let session = first.session().expect("a session");
    let hello_len = |settings: &Arc<ClientSettings>, name: &str| {
        let session = Some(Arc::clone(session));
        let client = ClientConnection::new(Arc::clone(settings), Some(name), session).unwrap();
        // The length of the session id, or of the ticket, in the clear.
        client.output().len()
    };
    let without = ClientConnection::new(Arc::clone(&client), Some("localhost"), None).unwrap();
    let without = without.output().len();
    assert!(hello_len(&client, "localhost") > without);
    assert_eq!(hello_len(&client, "localghost"), without + 1);
    assert_eq!(hello_len(&settings_on(&backend, |_| {}), "localhost"), without);
}

#[test]
fn a_fatal_alert_takes_the_session_away() {
    let backend = ssl_provider::default_backend().unwrap();
    let server = server_settings_on(&backend, |_| {});
    let client = settings_on(&backend, |_| {});
    let (mut by_client, _) = handshake(&client, &server, None);
    by_client.receive(&[23, 3, 3, 0, 1, 0]);
    assert_eq!(by_client.ending(), Some(ClientEnding::Refused(Alert::BadRecordMac)));
    assert_eq!(by_client.fault(), Some(&ServerFault::Record(Alert::BadRecordMac)));
    assert!(by_client.session().is_none());

    let (mut by_server, mut server) = handshake(&client, &server, None);
    server.receive(&[23, 3, 3, 0, 1, 0]);
    pump(&mut by_server, &mut server);
    let code = Alert::BadRecordMac.code();
    assert_eq!(by_server.ending(), Some(ClientEnding::FailedByServer(code)));
    assert!(by_server.session().is_none());
}

#[test]
fn a_fatal_alert_takes_every_copy_of_a_session_away() {
    let backend = ssl_provider::default_backend().unwrap();
    let server = server_settings_on(&backend, |_| {});
    let client = settings_on(&backend, |_| {});
    let resumed = |session: &Arc<ClientSession>, server: &Arc<Settings>| {
        let (client, _) = handshake(&client, server, Some(Arc::clone(session)));
        (client.established().unwrap().resumed.is_some(), client)
    };
    let (first, _) = handshake(&client, &server, None);
    let session = first.session().expect("a session");
    let (is_resumed, mut fails) = resumed(session, &server);
    let (is_other_resumed, other) = resumed(session, &server);
    assert!(is_resumed && is_other_resumed);
    let copy = Arc::clone(fails.session().expect("a session"));
    fails.receive(&[23, 3, 3, 0, 1, 0]);
    assert_eq!(fails.ending(), Some(ClientEnding::Refused(Alert::BadRecordMac)));
    for session in [session, &copy, other.session().expect("a session")] {
        // The server knows nothing of the failure.
        assert!(!resumed(session, &server).0);
    }

    // A handshake that fails takes the session that was offered for it.
    let (first, _) = handshake(&client, &server, None);
    let session = first.session().expect("a session");
    let offered = Some(Arc::clone(session));
    let mut fails = ClientConnection::new(Arc::clone(&client), Some("localhost"), offered).unwrap();
    fails.receive(&[21, 3, 3, 0, 2, 2, 40]);
    assert_eq!(fails.ending(), Some(ClientEnding::FailedByServer(40)));
    assert!(!resumed(session, &server).0);

    // A connection without it does not.
    let (first, _) = handshake(&client, &server, None);
    let session = first.session().expect("a session");
    let (is_resumed, mut fails) = resumed(session, &server_settings_on(&backend, |_| {}));
    assert!(!is_resumed);
    fails.receive(&[23, 3, 3, 0, 1, 0]);
    assert!(resumed(session, &server).0);
}

#[test]
fn no_certificate_is_printed_by_debug() {
    let backend = ssl_provider::default_backend().unwrap();
    let provider = provider(&backend);
    let key = rsa::PrivateKey::from_pkcs1_der(&TestKey::rsa_1024().der).unwrap();
    let generated = Identity::of(&provider, key).unwrap();
    let server = server_settings_on(&backend, |_| {});
    let (client, _) = handshake(&settings_with(|_| {}), &server, None);
    let info = client.established().unwrap();
    let texts = [
        format!("{generated:?}"),
        format!("{:?}", generated.identity),
        format!("{server:?}"),
        format!("{:?}", rsa_identity(&provider)),
        format!("{info:?}"),
        format!("{client:?}"),
    ];
    for text in texts {
        // All of them begin so: a SEQUENCE with a length of two bytes.
        assert!(!text.contains("48, 130, "), "{text}");
    }
    assert!(format!("{info:?}").contains("certificate_lens: ["));
}

/// An identity of an RSA key.
fn rsa_identity(provider: &Provider) -> ClientIdentity {
    let der = TestKey::rsa_1024().der;
    let key = rsa::PrivateKey::from_pkcs1_der(&der).unwrap();
    let certificate = Identity::of(provider, key).unwrap().certificate_der;
    let key = provider.load_signing_key(&der).unwrap();
    ClientIdentity::new(provider, key, vec![certificate]).unwrap()
}

fn with_identity(
    backend: &Backend,
    version: ProtocolVersion,
    identity: Option<ClientIdentity>,
) -> Arc<ClientSettings> {
    let options = ClientOptions { versions: version..=version, ..all_options() };
    let trust = Box::new(TrustAll);
    ClientSettings::new(provider(backend), options, trust, identity, None).unwrap()
}

#[test]
fn client_certificates_are_sent_where_they_are_requested() {
    for backend in backends() {
        for version in [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2] {
            let identity = rsa_identity(&provider(&backend));
            let client = with_identity(&backend, version, Some(identity));
            let server = server_settings_on(&backend, |it| it.client_auth = ClientAuth::Require);
            let (mut client, mut server) = handshake(&client, &server, None);
            let sent = client.established().unwrap().client_certificate;
            assert!(matches!(sent, ClientCertificate::Sent(scheme) if scheme.is_rsa()), "{sent:?}");
            assert!(server.established().unwrap().client_certificate.is_some());
            exchange_data(&mut client, &mut server);
        }
    }
}

#[test]
fn a_client_without_a_certificate_sends_an_empty_list() {
    let backend = ssl_provider::default_backend().unwrap();
    let client = with_identity(&backend, ProtocolVersion::TLS1_2, None);
    let asks = server_settings_on(&backend, |it| it.client_auth = ClientAuth::Request);
    let (client_side, _) = handshake(&client, &asks, None);
    let declined = client_side.established().unwrap().client_certificate;
    assert_eq!(declined, ClientCertificate::Declined);

    let requires = server_settings_on(&backend, |it| it.client_auth = ClientAuth::Require);
    let (mut client, mut server) = (connect(&client), Connection::new(requires));
    pump(&mut client, &mut server);
    let code = Alert::HandshakeFailure.code();
    assert_eq!(client.ending(), Some(ClientEnding::FailedByServer(code)));
}

#[test]
fn a_certificate_of_another_key_is_refused_before_any_handshake() {
    let provider = provider(&ssl_provider::default_backend().unwrap());
    let own = rsa::PrivateKey::from_pkcs1_der(&TestKey::rsa_1024().der).unwrap();
    let certificate = Identity::of(&provider, own).unwrap().certificate_der;
    let other = provider.load_signing_key(&TestKey::rsa_2048().der).unwrap();
    let refused = ClientIdentity::new(&provider, other, vec![certificate]).unwrap_err();
    assert!(refused.to_string().contains("does not match"), "{refused}");
    let key = || provider.load_signing_key(&TestKey::rsa_1024().der).unwrap();
    for chain in [vec![], vec![vec![0x30, 0]], vec![vec![0; 70_000]]] {
        assert!(ClientIdentity::new(&provider, key(), chain).is_err());
    }
}

#[test]
fn a_handshake_that_arrives_byte_by_byte_is_the_same() {
    let backend = ssl_provider::default_backend().unwrap();
    let mut client = connect(&settings_on(&backend, |_| {}));
    let mut server = Connection::new(server_settings_on(&backend, |_| {}));
    for _ in 0..4 {
        let sent = client.output().to_vec();
        client.sent(sent.len());
        server.receive(&sent);
        let replied = server.output().to_vec();
        server.sent(replied.len());
        for byte in replied {
            client.receive(&[byte]);
        }
    }
    assert!(client.established().is_some(), "{:?}", client.fault());
}

#[test]
fn both_sides_log_the_same_secret() {
    let backend = ssl_provider::default_backend().unwrap();
    let policy = Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() };
    let provider = || Provider::open(backend.clone()).with_policy(policy);
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let key = rsa::PrivateKey::from_pkcs1_der(&TestKey::rsa_1024().der).unwrap();
    let identity = Identity::of(&provider(), key).unwrap().identity;
    let log = |name| Some(KeyLog::append_to(&path(name)).unwrap());
    let options = Options { versions: vec![ProtocolVersion::TLS1_2], ..Options::default() };
    let server = Settings::new(provider(), identity, options, None, log("server")).unwrap();
    let trust = || Box::new(TrustAll);
    let options = ClientOptions::default;
    let client = ClientSettings::new(provider(), options(), trust(), None, log("client")).unwrap();
    handshake(&client, &server, None);
    let read = |name| fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("client"), read("server"));
    assert!(read("client").starts_with("CLIENT_RANDOM "));

    let denied = Provider::open(backend.clone());
    assert!(ClientSettings::new(denied, options(), trust(), None, log("client")).is_err());
}

#[test]
fn a_server_that_chooses_a_version_below_the_lowest_is_refused() {
    let backend = ssl_provider::default_backend().unwrap();
    let old = vec![ProtocolVersion::TLS1_0];
    let server = server_settings_on(&backend, |options| options.versions = old);
    let lowest = ProtocolVersion::TLS1_1;
    let client = settings_on(&backend, |it| it.versions = lowest..=ProtocolVersion::TLS1_2);
    let (mut client, mut server) = (connect(&client), Connection::new(server));
    pump(&mut client, &mut server);
    assert_eq!(client.ending(), Some(ClientEnding::Refused(Alert::ProtocolVersion)));
    assert_eq!(client.fault(), Some(&ServerFault::Version(ProtocolVersion::TLS1_0)));
    let code = Alert::ProtocolVersion.code();
    assert_eq!(server.ending(), Some(Ending::FailedByClient(code)));
}

#[test]
fn a_marked_fallback_is_refused_by_a_server_that_can_do_better() {
    let backend = ssl_provider::default_backend().unwrap();
    let server = server_settings_on(&backend, |_| {});
    let (lowest, highest) = (ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1);
    let client = settings_on(&backend, |options| {
        options.versions = lowest..=highest;
        options.fallback = true;
    });
    let (mut client, mut server) = (connect(&client), Connection::new(server));
    pump(&mut client, &mut server);
    let code = Alert::InappropriateFallback.code();
    assert_eq!(client.ending(), Some(ClientEnding::FailedByServer(code)));
}

#[test]
fn whom_the_verifier_does_not_trust_is_refused_with_its_alert() {
    #[derive(Debug)]
    struct TrustNone;
    impl VerifyServer for TrustNone {
        fn verify(&self, chain: &[Vec<u8>], name: Option<&str>) -> Result<(), Distrust> {
            assert_eq!((chain.len(), name), (1, Some("localhost")));
            Err(Distrust::new(Alert::UnknownCa, "nobody vouches for it"))
        }
    }
    let backend = ssl_provider::default_backend().unwrap();
    let options = ClientOptions::default();
    let settings =
        ClientSettings::new(provider(&backend), options, Box::new(TrustNone), None, None).unwrap();
    let mut client = ClientConnection::new(settings, Some("localhost"), None).unwrap();
    let mut server = Connection::new(server_settings_on(&backend, |_| {}));
    pump(&mut client, &mut server);
    assert_eq!(client.ending(), Some(ClientEnding::Refused(Alert::UnknownCa)));
    assert!(client.fault().unwrap().to_string().contains("nobody vouches"));
    let distrust = Distrust::new(Alert::UnknownCa, "nobody vouches for it");
    let boxed: Box<dyn std::error::Error + Send + Sync> = distrust.into();
    assert_eq!(boxed.to_string(), "nobody vouches for it");
    assert_eq!(client.certificates().len(), 1, "to be looked at");
}
