//! TLS 1.3 with rustls on the other side, either way: handshakes, tickets, retries, client
//! certificates, early data, changes of keys; exported keying material and key logs are compared.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, verify_tls12_signature};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error as RustlsError, HandshakeKind,
    SignatureScheme as RustlsScheme,
};
use ssl_provider::{HybridGroup, KeyLogPolicy, NamedCurve, backends};
use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_testkit::rsa_key::TestKey;

use super::*;
use crate::exporter::ExportFrom;
use crate::identity::{Identity, SelfSigned};
use crate::key_log::KeyLog;
use crate::settings::{ClientAuth, EarlyData, Options, Settings, TLS13_SUITES};

const TLS1_3: ProtocolVersion = ProtocolVersion::TLS1_3;
const LABEL: &[u8] = b"EXPERIMENTAL lab";

/// Trusts anybody who holds the key of the certificate.
#[derive(Debug)]
struct Trusting(WebPkiSupportedAlgorithms);

/// What both traits of rustls ask alike: that signatures are right.
macro_rules! verify_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, RustlsError> {
            verify_tls12_signature(message, certificate, signed, &self.0)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, RustlsError> {
            verify_tls13_signature(message, certificate, signed, &self.0)
        }

        fn supported_verify_schemes(&self) -> Vec<RustlsScheme> {
            self.0.supported_schemes()
        }
    };
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, RustlsError> {
        Ok(ServerCertVerified::assertion())
    }

    verify_signatures! {}
}

impl ClientCertVerifier for Trusting {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, RustlsError> {
        Ok(ClientCertVerified::assertion())
    }

    verify_signatures! {}
}

/// The lines of a key log of rustls.
#[derive(Debug, Default)]
struct Lines(Mutex<BTreeSet<String>>);

impl rustls::KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| base16ct::lower::encode_string(bytes);
        let line = format!("{label} {} {}", hex(client_random), hex(secret));
        self.0.lock().unwrap().insert(line);
    }
}

/// Compares a key log of ours with that of rustls.
#[track_caller]
fn expect_same_log(path: &Path, lines: &Lines, count: usize) {
    let text = fs::read_to_string(path).unwrap();
    let ours: BTreeSet<_> = text.lines().map(str::to_owned).collect();
    // rustls does not log the early exporter secret on either side.
    let is_known = |line: &&String| !line.starts_with("EARLY_EXPORTER_SECRET");
    let ours: BTreeSet<_> = ours.iter().filter(is_known).cloned().collect();
    let theirs = lines.0.lock().unwrap();
    let theirs: BTreeSet<_> = theirs.iter().filter(is_known).cloned().collect();
    assert_eq!(ours, theirs);
    assert_eq!(ours.len(), count);
}

/// The provider of rustls with these groups, the first of which has a public key in its hello.
fn crypto(groups: &[&'static dyn SupportedKxGroup]) -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { kx_groups: groups.to_vec(), ..aws_lc_rs::default_provider() })
}

fn all_groups() -> Arc<CryptoProvider> {
    crypto(&[kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1])
}

fn trusting(crypto: &CryptoProvider) -> Arc<Trusting> {
    Arc::new(Trusting(crypto.signature_verification_algorithms))
}

type Credential = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn credential(made: &SelfSigned) -> Credential {
    let key = PrivateKeyDer::try_from(made.key_der.to_vec()).unwrap();
    (vec![CertificateDer::from(made.certificate_der.clone())], key)
}

fn rustls_client(
    crypto: Arc<CryptoProvider>,
    credential: Option<Credential>,
) -> rustls::ClientConfig {
    let verifier = trusting(&crypto);
    let builder = rustls::ClientConfig::builder_with_provider(crypto);
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    match credential {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    }
}

fn rustls_server(
    crypto: Arc<CryptoProvider>,
    credential: Credential,
    asks: bool,
) -> rustls::ServerConfig {
    let verifier = trusting(&crypto);
    let builder = rustls::ServerConfig::builder_with_provider(crypto);
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let builder = match asks {
        true => builder.with_client_cert_verifier(verifier),
        false => builder.with_no_client_auth(),
    };
    builder.with_single_cert(credential.0, credential.1).unwrap()
}

/// One of our two sides.
trait Side {
    fn receive(&mut self, bytes: &[u8]);
    fn take_output(&mut self) -> Vec<u8>;
}

impl Side for ClientConnection {
    fn receive(&mut self, bytes: &[u8]) {
        self.receive(bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        let output = self.output().to_vec();
        self.sent(output.len());
        output
    }
}

impl Side for Connection {
    fn receive(&mut self, bytes: &[u8]) {
        self.receive(bytes);
    }

    fn take_output(&mut self) -> Vec<u8> {
        let output = self.output().to_vec();
        self.sent(output.len());
        output
    }
}

/// Carries bytes both ways until neither side has any left. Returns the error of rustls.
fn carry(ours: &mut impl Side, theirs: &mut rustls::Connection) -> Result<(), RustlsError> {
    loop {
        let (to_them, mut to_us) = (ours.take_output(), Vec::new());
        while theirs.wants_write() {
            theirs.write_tls(&mut to_us).unwrap();
        }
        if to_them.is_empty() && to_us.is_empty() {
            return Ok(());
        }
        let mut rest = &to_them[..];
        while !rest.is_empty() {
            theirs.read_tls(&mut rest).unwrap();
            theirs.process_new_packets()?;
        }
        ours.receive(&to_us);
    }
}

/// Returns a server of ours, and a client of rustls, after the handshake.
#[track_caller]
fn accept(settings: &Arc<Settings>, config: &Arc<rustls::ClientConfig>) -> (Connection, Rustls) {
    let mut server = Connection::new(Arc::clone(settings));
    let name = ServerName::try_from("localhost").unwrap();
    let client = rustls::ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut client = rustls::Connection::Client(client);
    let carried = carry(&mut server, &mut client);
    assert!(server.established().is_some(), "{carried:?}; {:?}", server.ending());
    assert_eq!(carried, Ok(()));
    (server, client)
}

type Rustls = rustls::Connection;

/// Returns a client of ours, and a server of rustls, after the handshake.
#[track_caller]
fn connect_to(
    settings: &Arc<ClientSettings>,
    config: &Arc<rustls::ServerConfig>,
    session: Option<Arc<ClientSession>>,
) -> (ClientConnection, Rustls) {
    let mut client =
        ClientConnection::new(Arc::clone(settings), Some("localhost"), session).unwrap();
    let server = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
    let mut server = rustls::Connection::Server(server);
    let carried = carry(&mut client, &mut server);
    let (ending, fault) = (client.ending(), client.fault());
    assert!(client.established().is_some(), "{carried:?}; {ending:?}, {fault:?}");
    assert_eq!(carried, Ok(()));
    (client, server)
}

fn their_data(theirs: &mut Rustls) -> Vec<u8> {
    let mut data = Vec::new();
    // It would block, or is at its end.
    let _ = theirs.reader().read_to_end(&mut data);
    data
}

#[track_caller]
fn exchange_with_client(server: &mut Connection, client: &mut Rustls) {
    for data in [&b"x"[..], &[b'y'; 15_000]] {
        client.writer().write_all(data).unwrap();
        carry(server, client).unwrap();
        assert_eq!(server.take_data(), data);
        assert!(server.send(data));
        carry(server, client).unwrap();
        assert_eq!(their_data(client), data);
    }
}

#[track_caller]
fn exchange_with_server(client: &mut ClientConnection, server: &mut Rustls) {
    for data in [&b"x"[..], &[b'y'; 15_000]] {
        server.writer().write_all(data).unwrap();
        carry(client, server).unwrap();
        assert_eq!(client.take_data(), data);
        assert!(client.send(data));
        carry(client, server).unwrap();
        assert_eq!(their_data(server), data);
    }
}

fn log_provider(backend: &Backend) -> Provider {
    Provider::open(backend.clone())
        .with_policy(Policy { key_log: KeyLogPolicy::Allowed, ..Policy::default() })
}

/// A key that rustls takes, which needs 2048 bits.
fn rsa_2048(provider: &Provider) -> SelfSigned {
    Identity::self_signed_with(provider, &TestKey::rsa_2048().der).unwrap()
}

fn server_of(
    provider: &Provider,
    identity: Identity,
    key_log: Option<KeyLog>,
    change: impl FnOnce(&mut Options),
) -> Arc<Settings> {
    let mut options = Options {
        versions: vec![TLS1_3],
        session_tickets: Some(Duration::from_secs(100)),
        ..Options::default()
    };
    change(&mut options);
    Settings::new(provider.clone(), identity, options, None, key_log).unwrap()
}

fn client_of(
    provider: &Provider,
    identity: Option<ClientIdentity>,
    key_log: Option<KeyLog>,
    change: impl FnOnce(&mut ClientOptions),
) -> Arc<ClientSettings> {
    let mut options = ClientOptions { versions: TLS1_3..=TLS1_3, ..ClientOptions::default() };
    change(&mut options);
    let trust = Box::new(TrustAll);
    ClientSettings::new(provider.clone(), options, trust, identity, key_log).unwrap()
}

#[test]
fn rustls_connects_to_every_backend_with_each_suite_group_and_key() {
    for backend in backends() {
        let (provider, name) = (log_provider(&backend), backend.info().name);
        let mut identities = vec![rsa_2048(&provider).identity];
        identities.extend(Identity::self_signed_ecdsa(&provider).map(|made| made.identity));
        for identity in identities {
            let settings = server_of(&provider, identity, None, |_| {});
            for suite in &settings.usable()[0].1 {
                let mut crypto = aws_lc_rs::default_provider();
                crypto.cipher_suites.retain(|it| u32::from(u16::from(it.suite())) == suite.id.0);
                if crypto.cipher_suites.is_empty() {
                    assert!(suite.name.contains("CCM"), "rustls has no CCM, {}", suite.name);
                    continue;
                }
                crypto.kx_groups = vec![kx_group::X25519];
                let config = Arc::new(rustls_client(Arc::new(crypto), None));
                let (mut server, mut client) = accept(&settings, &config);
                assert_eq!(server.established().unwrap().suite.id, suite.id, "{name}");
                exchange_with_client(&mut server, &mut client);
            }
            for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1] {
                let config = Arc::new(rustls_client(crypto(&[group]), None));
                let (server, _) = accept(&settings, &config);
                let found = server.established().unwrap().group.unwrap();
                assert_eq!(found.wire(), u16::from(group.name()), "{name}");
            }
        }
    }
}

#[test]
fn rustls_accepts_every_backend_with_each_suite_and_key() {
    for backend in backends() {
        let (provider, name) = (log_provider(&backend), backend.info().name);
        for made in [rsa_2048(&provider)].into_iter().chain(Identity::self_signed_ecdsa(&provider))
        {
            let config = Arc::new(rustls_server(all_groups(), credential(&made), false));
            for suite in TLS13_SUITES.into_iter().take(3) {
                let options = |it: &mut ClientOptions| it.suites = vec![suite];
                let (mut client, mut server) =
                    connect_to(&client_of(&provider, None, None, options), &config, None);
                assert_eq!(client.established().unwrap().suite.id, suite, "{name}");
                assert_eq!(client.certificates(), std::slice::from_ref(&made.certificate_der));
                exchange_with_server(&mut client, &mut server);
            }
        }
    }
}

#[test]
fn hybrid_groups_agree_with_those_of_rustls() {
    let group = NamedGroup::Hybrid(HybridGroup::X25519MlKem768);
    for backend in backends() {
        let provider = log_provider(&backend);
        if !group.is_supported(&provider) {
            not_tested("X25519MLKEM768 with rustls", backend.info().name);
            continue;
        }
        let crypto = crypto(&[kx_group::X25519MLKEM768, kx_group::X25519]);
        let made = rsa_2048(&provider);
        let config = Arc::new(rustls_server(Arc::clone(&crypto), credential(&made), false));
        let (mut client, mut server) =
            connect_to(&client_of(&provider, None, None, |_| {}), &config, None);
        assert_eq!(client.established().unwrap().agreement.unwrap().group, Some(group));
        exchange_with_server(&mut client, &mut server);
        let settings = server_of(&provider, made.identity, None, |_| {});
        let (mut server, mut client) = accept(&settings, &Arc::new(rustls_client(crypto, None)));
        assert_eq!(server.established().unwrap().group, Some(group));
        exchange_with_client(&mut server, &mut client);
    }
}

#[test]
fn secrets_of_a_client_of_rustls_are_the_same_with_retry_ticket_and_early_data() {
    for backend in backends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let provider = log_provider(&backend);
        let identity = rsa_2048(&provider).identity;
        let key_log = Some(KeyLog::append_to(&path).unwrap());
        let settings = server_of(&provider, identity, key_log, |it| {
            it.early_data = Some(EarlyData { max_len: 1000, window: Duration::from_secs(10) });
        });
        let lines = Arc::new(Lines::default());
        let mut config = rustls_client(all_groups(), None);
        config.key_log = Arc::clone(&lines) as _;
        config.enable_early_data = true;
        let config = Arc::new(config);
        let (mut server, mut client) = accept(&settings, &config);
        assert!(!server.established().unwrap().resumed);
        exchange_with_client(&mut server, &mut client);
        expect_same_exports(&server, &client);
        expect_same_log(&path, &lines, 5);

        let mut server = Connection::new(Arc::clone(&settings));
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        client.early_data().expect("a ticket that allows it").write_all(b"early").unwrap();
        let mut client = rustls::Connection::Client(client);
        carry(&mut server, &mut client).unwrap();
        let session = server.established().expect("resumed");
        assert!(session.resumed && session.early_data == Some(5));
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Resumed));
        assert_eq!(server.take_data(), b"early");
        exchange_with_client(&mut server, &mut client);
        expect_same_exports(&server, &client);
        // And one for early data.
        expect_same_log(&path, &lines, 11);

        // With a retry.
        let mut config = rustls_client(crypto(&[kx_group::SECP384R1, kx_group::X25519]), None);
        config.key_log = Arc::clone(&lines) as _;
        let only = server_of(
            &provider,
            rsa_2048(&provider).identity,
            Some(KeyLog::append_to(&path).unwrap()),
            |it| it.groups = vec![NamedGroup::Curve(NamedCurve::X25519)],
        );
        let (mut server, mut client) = accept(&only, &Arc::new(config));
        assert!(server.established().unwrap().retried);
        exchange_with_client(&mut server, &mut client);
        expect_same_exports(&server, &client);
        expect_same_log(&path, &lines, 16);
    }
}

#[track_caller]
fn expect_same_exports(server: &Connection, client: &Rustls) {
    for context in [None, Some(&b"context"[..])] {
        let mut ours = [0; 40];
        let from = ExportFrom::default();
        server.export_keying_material(from, LABEL, context, &mut ours).unwrap();
        assert_eq!(client.export_keying_material([0; 40], LABEL, context), Ok(ours));
    }
}

#[test]
fn secrets_of_a_server_of_rustls_are_the_same_with_retry_ticket_and_early_data() {
    for backend in backends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let provider = log_provider(&backend);
        let lines = Arc::new(Lines::default());
        let made = rsa_2048(&provider);
        let mut config = rustls_server(all_groups(), credential(&made), false);
        config.key_log = Arc::clone(&lines) as _;
        config.max_early_data_size = 1000;
        let config = Arc::new(config);
        let key_log = || Some(KeyLog::append_to(&path).unwrap());
        let settings = client_of(&provider, None, key_log(), |it| it.early_data = true);
        let (mut client, mut server) = connect_to(&settings, &config, None);
        exchange_with_server(&mut client, &mut server);
        expect_same_exports_of_client(&client, &server);
        expect_same_log(&path, &lines, 5);
        let session = client.session().cloned().expect("a ticket");

        let mut client =
            ClientConnection::new(Arc::clone(&settings), Some("localhost"), Some(session)).unwrap();
        assert_eq!(client.send_early_data(b"early"), 5);
        let server = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut server = rustls::Connection::Server(server);
        carry(&mut client, &mut server).unwrap();
        let info = client.established().expect("resumed");
        assert_eq!(info.resumed, Some(Resumption::Ticket));
        assert_eq!(info.early_data, EarlyDataStatus::Accepted);
        let rustls::Connection::Server(inner) = &mut server else { unreachable!() };
        let mut early = Vec::new();
        inner.early_data().expect("accepted").read_to_end(&mut early).unwrap();
        assert_eq!(early, b"early");
        exchange_with_server(&mut client, &mut server);
        expect_same_exports_of_client(&client, &server);
        expect_same_log(&path, &lines, 11);

        let mut config = rustls_server(crypto(&[kx_group::SECP384R1]), credential(&made), false);
        config.key_log = Arc::clone(&lines) as _;
        let settings = client_of(&provider, None, key_log(), |_| {});
        let (mut client, mut server) = connect_to(&settings, &Arc::new(config), None);
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::FullWithHelloRetryRequest));
        exchange_with_server(&mut client, &mut server);
        expect_same_exports_of_client(&client, &server);
        expect_same_log(&path, &lines, 16);
    }
}

#[track_caller]
fn expect_same_exports_of_client(client: &ClientConnection, server: &Rustls) {
    for context in [None, Some(&b"context"[..])] {
        let mut ours = [0; 40];
        let from = ExportFrom::default();
        client.export_keying_material(from, LABEL, context, &mut ours).unwrap();
        assert_eq!(server.export_keying_material([0; 40], LABEL, context), Ok(ours));
    }
}

#[test]
fn client_certificates_are_verified_by_either_side() {
    for backend in backends() {
        let provider = log_provider(&backend);
        let identities =
            || [rsa_2048(&provider)].into_iter().chain(Identity::self_signed_ecdsa(&provider));
        for made in identities() {
            let settings = server_of(&provider, rsa_2048(&provider).identity, None, |it| {
                it.client_auth = ClientAuth::Require;
            });
            let config = Arc::new(rustls_client(all_groups(), Some(credential(&made))));
            let (mut server, mut client) = accept(&settings, &config);
            assert!(server.established().unwrap().client_certificate.is_some());
            exchange_with_client(&mut server, &mut client);

            let config = rustls_server(all_groups(), credential(&rsa_2048(&provider)), true);
            let key = provider.load_signing_key(&made.key_der).unwrap();
            let chain = vec![made.certificate_der.clone()];
            let identity = ClientIdentity::new(&provider, key, chain).unwrap();
            let settings = client_of(&provider, Some(identity), None, |_| {});
            let (mut client, mut server) = connect_to(&settings, &Arc::new(config), None);
            let sent = client.established().unwrap().client_certificate;
            assert!(matches!(sent, ClientCertificate::Sent(_)), "{sent:?}");
            let peer = server.peer_certificates().expect("the client's certificate");
            assert_eq!(peer[0].as_ref(), made.certificate_der);
            exchange_with_server(&mut client, &mut server);
        }
    }
}

#[test]
fn keys_are_replaced_with_rustls_on_the_other_side() {
    for backend in backends() {
        let provider = log_provider(&backend);
        let settings = server_of(&provider, rsa_2048(&provider).identity, None, |_| {});
        let (mut server, mut client) =
            accept(&settings, &Arc::new(rustls_client(all_groups(), None)));
        for both in [false, true] {
            assert!(server.update_keys(both));
            exchange_with_client(&mut server, &mut client);
            client.refresh_traffic_keys().unwrap();
            exchange_with_client(&mut server, &mut client);
        }
        let config = rustls_server(all_groups(), credential(&rsa_2048(&provider)), false);
        let settings = client_of(&provider, None, None, |_| {});
        let (mut client, mut server) = connect_to(&settings, &Arc::new(config), None);
        for both in [false, true] {
            assert!(client.update_keys(both));
            exchange_with_server(&mut client, &mut server);
            server.refresh_traffic_keys().unwrap();
            exchange_with_server(&mut client, &mut server);
        }
    }
}
