//! OpenSSL as the server, over a connection in memory: every version and key exchange on every
//! backend, with client certificates, tickets, session ids, application protocols and data.

use std::io::{self, Read, Write};

use openssl::bn::BigNum;
use openssl::dh::Dh;
use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Params, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    AlpnError, HandshakeError, MidHandshakeSslStream, Ssl, SslContext, SslContextBuilder,
    SslMethod, SslOptions, SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
    select_next_proto,
};
use openssl::x509::X509;
use ssl_provider::{CipherSuite, FfdheGroup, NamedCurve, backends};
use ssl_provider_testkit::rsa_key::TestKey;

use super::hostile::certificate;
use super::*;
use crate::exporter::ExportFrom;

const TLS: [ProtocolVersion; 3] =
    [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2];

/// What the server writes is received at once, and what the client replies waits to be read.
#[derive(Debug)]
struct Wire(ClientConnection);

impl Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut output = self.0.output();
        if output.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let len = output.read(out)?;
        self.0.sent(len);
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.receive(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn rsa_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::private_key_from_der(&TestKey::rsa_2048().der).unwrap()).unwrap()
}

fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// A server with this key that supports every version and suite.
fn server_with(key: &PKey<Private>) -> SslContextBuilder {
    let mut context = SslContext::builder(SslMethod::tls_server()).unwrap();
    context.set_min_proto_version(Some(SslVersion::TLS1)).unwrap();
    context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    context.set_cipher_list("ALL:COMPLEMENTOFALL:@SECLEVEL=0").unwrap();
    context.set_certificate(&X509::from_der(&certificate(key, None)).unwrap()).unwrap();
    context.set_private_key(key).unwrap();
    context.set_session_id_context(b"lab").unwrap();
    context
}

/// Returns both sides of a completed handshake.
#[track_caller]
fn accept(context: &SslContext, client: ClientConnection) -> SslStream<Wire> {
    let mut step = Ssl::new(context).unwrap().accept(Wire(client));
    for _ in 0..8 {
        match step {
            Ok(stream) => {
                let client = &stream.get_ref().0;
                assert!(client.established().is_some(), "{:?}", client.fault());
                return stream;
            }
            Err(HandshakeError::WouldBlock(middle)) => step = next(middle),
            Err(HandshakeError::Failure(failed)) => {
                panic!("{:?}: {:?}", failed.get_ref().0.fault(), failed.error());
            }
            Err(HandshakeError::SetupFailure(error)) => panic!("{error}"),
        }
    }
    panic!("the handshake does not end");
}

fn next(middle: MidHandshakeSslStream<Wire>) -> Result<SslStream<Wire>, HandshakeError<Wire>> {
    let client = &middle.get_ref().0;
    assert_eq!(client.ending(), None, "{:?}", client.fault());
    middle.handshake()
}

fn info(stream: &SslStream<Wire>) -> ServerInfo {
    stream.get_ref().0.established().expect("an established session").clone()
}

#[track_caller]
fn exchange_data(stream: &mut SslStream<Wire>) {
    for data in [&b"x"[..], &[b'y'; 40_000]] {
        assert!(stream.get_mut().0.send(data));
        let mut received = vec![0; data.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, data);
        stream.write_all(data).unwrap();
        assert_eq!(stream.get_mut().0.take_data(), data);
    }
}

/// Both sides export the same keying material.
#[track_caller]
fn exports_agree(stream: &SslStream<Wire>) {
    let client = &stream.get_ref().0;
    for context in [None, Some(&b""[..]), Some(b"context")] {
        let (mut ours, mut theirs) = ([0; 48], [1; 48]);
        let label = "EXPERIMENTAL lab";
        let only = ExportFrom::default();
        client.export_keying_material(only, label.as_bytes(), context, &mut ours).unwrap();
        stream.ssl().export_keying_material(&mut theirs, label, context).unwrap();
        assert_eq!(ours, theirs);
    }
}

fn client_of(
    backend: &Backend,
    version: ProtocolVersion,
    suite: CipherSuite,
) -> Option<Arc<ClientSettings>> {
    let options = ClientOptions {
        versions: version..=version,
        suites: vec![suite],
        ..ClientOptions::default()
    };
    ClientSettings::new(provider(backend), options, Box::new(TrustAll), None, None).ok()
}

#[test]
fn every_version_and_suite_of_openssl_works_on_every_backend() {
    let (rsa, ec) = (rsa_key(), ec_key(Nid::X9_62_PRIME256V1));
    let mut rsa_context = server_with(&rsa);
    // Not one of the groups that are offered.
    rsa_context.set_tmp_dh(&dh(BigNum::get_rfc3526_prime_2048().unwrap())).unwrap();
    let contexts = [rsa_context.build(), server_with(&ec).build()];
    // Those that the system's OpenSSL is built without or never had.
    let is_missing = |suite: &CipherSuite| {
        let name = suite.info().unwrap().name;
        ["RC4", "3DES", "_DES_", "NULL_MD5"].iter().any(|word| name.contains(word))
    };
    for backend in backends() {
        let mut count = [0; 3];
        for version in TLS {
            for suite in all_options().suites.into_iter().filter(|suite| !is_missing(suite)) {
                let Some(settings) = client_of(&backend, version, suite) else { continue };
                let exchange = suite.info().unwrap().key_exchange;
                let is_ecdsa = exchange == ssl_provider::KeyExchange::EcdheEcdsa;
                let context = &contexts[usize::from(is_ecdsa)];
                let mut stream = accept(context, connect(&settings));
                let info = info(&stream);
                let name = backend.info().name;
                assert_eq!((info.protocol, info.suite.id), (version, suite), "{name}");
                assert!(info.extended_master_secret);
                assert_eq!(info.agreement.is_some(), !exchange.is_rsa(), "{name}, {suite}");
                exchange_data(&mut stream);
                exports_agree(&stream);
                count[if exchange.is_rsa() { 0 } else { 1 + usize::from(exchange.is_dhe()) }] += 1;
            }
        }
        println!("{}: {count:?} handshakes", backend.info().name);
        let [rsa, ecdhe, dhe] = count;
        let no_dh = !backend.support(ssl_provider::Operation::Dh).is_supported();
        assert!(rsa >= 18 && ecdhe >= 18, "{}: {count:?}", backend.info().name);
        assert_eq!(dhe == 0, no_dh, "{}", backend.info().name);
    }
}

#[test]
fn every_group_works_where_the_backend_has_it() {
    let key = rsa_key();
    for backend in backends() {
        let mut found = Vec::new();
        for group in NamedGroup::all() {
            let (suite, openssl_name) = match group {
                NamedGroup::Curve(curve) => {
                    let name = match curve {
                        NamedCurve::X25519 => "X25519",
                        NamedCurve::Secp256r1 => "P-256",
                        NamedCurve::Secp384r1 => "P-384",
                        NamedCurve::Secp521r1 => "P-521",
                        other => other.name(),
                    };
                    (CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, name)
                }
                // OpenSSL 3.0 does not negotiate these in TLS 1.2; it takes parameters.
                NamedGroup::FiniteField(_) => {
                    (CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, "")
                }
                // Of TLS 1.3.
                NamedGroup::Hybrid(_) => continue,
            };
            let options = ClientOptions {
                suites: vec![suite],
                groups: vec![group],
                ..ClientOptions::default()
            };
            let trust = Box::new(TrustAll);
            let settings = ClientSettings::new(provider(&backend), options, trust, None, None);
            let Ok(settings) = settings else { continue };
            if settings.groups().is_empty() {
                continue;
            }
            let mut context = server_with(&key);
            match group {
                NamedGroup::Curve(_) => context.set_groups_list(openssl_name).unwrap(),
                NamedGroup::FiniteField(ffdhe) => context.set_tmp_dh(&dh_of(ffdhe)).unwrap(),
                NamedGroup::Hybrid(_) => continue,
            }
            let mut stream = accept(&context.build(), connect(&settings));
            let agreement = info(&stream).agreement.unwrap();
            assert_eq!(agreement.group, Some(group), "{}", backend.info().name);
            exchange_data(&mut stream);
            found.push(group.name());
        }
        println!("{}: {found:?}", backend.info().name);
        for name in ["x25519", "secp256r1", "secp384r1"] {
            assert!(found.contains(&name), "{}: {found:?}", backend.info().name);
        }
    }
}

fn dh_of(group: FfdheGroup) -> Dh<Params> {
    dh(BigNum::from_slice(&group.prime()).unwrap())
}

fn dh(prime: BigNum) -> Dh<Params> {
    Dh::from_pqg(prime, None, BigNum::from_u32(2).unwrap()).unwrap()
}

#[test]
fn ecdsa_certificates_on_every_curve_and_every_scheme_are_verified() {
    let suite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    for backend in backends() {
        let settings = client_of(&backend, ProtocolVersion::TLS1_2, suite).unwrap();
        for (curve, bits) in
            [(Nid::X9_62_PRIME256V1, 256), (Nid::SECP384R1, 384), (Nid::SECP521R1, 521)]
        {
            for scheme in [SignatureScheme::EcdsaSha256, SignatureScheme::EcdsaSha384] {
                let mut context = server_with(&ec_key(curve));
                let hash = if scheme == SignatureScheme::EcdsaSha256 { "256" } else { "384" };
                context.set_sigalgs_list(&format!("ECDSA+SHA{hash}")).unwrap();
                let stream = accept(&context.build(), connect(&settings));
                let agreement = info(&stream).agreement.unwrap();
                assert_eq!(agreement.scheme, Some(scheme), "{}, {bits}", backend.info().name);
            }
        }
    }
    let suite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    for backend in backends() {
        let settings = client_of(&backend, ProtocolVersion::TLS1_2, suite).unwrap();
        for (list, scheme) in [
            ("RSA-PSS+SHA256", SignatureScheme::RsaPssSha256),
            ("RSA-PSS+SHA512", SignatureScheme::RsaPssSha512),
            ("RSA+SHA256", SignatureScheme::RsaSha256),
            ("RSA+SHA1", SignatureScheme::RsaSha1),
        ] {
            let mut context = server_with(&rsa_key());
            context.set_sigalgs_list(list).unwrap();
            let stream = accept(&context.build(), connect(&settings));
            let agreement = info(&stream).agreement.unwrap();
            assert_eq!(agreement.scheme, Some(scheme), "{}", backend.info().name);
        }
    }
}

#[test]
fn sessions_are_resumed_by_id_and_by_ticket() {
    for tickets in [false, true] {
        for version in TLS {
            for suite in [
                CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
                CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
            ] {
                let mut context = server_with(&rsa_key());
                context.set_session_cache_mode(SslSessionCacheMode::SERVER);
                if !tickets {
                    context.set_options(SslOptions::NO_TICKET);
                }
                let context = context.build();
                let backend = default_backend().unwrap();
                let settings = client_of(&backend, version, suite).unwrap();
                let mut session = None;
                for round in 0..3 {
                    let settings = Arc::clone(&settings);
                    let client =
                        ClientConnection::new(settings, Some("localhost"), session.take()).unwrap();
                    let mut stream = accept(&context, client);
                    let how = if tickets { Resumption::Ticket } else { Resumption::Id };
                    let resumed = info(&stream).resumed;
                    assert_eq!(resumed, (round > 0).then_some(how), "{version}, {suite}");
                    exchange_data(&mut stream);
                    session = stream.get_ref().0.session().cloned();
                    assert_eq!(session.as_ref().unwrap().has_ticket(), tickets);
                    // Else OpenSSL takes the session out of its cache.
                    let _ = stream.shutdown();
                }
            }
        }
    }
}

#[test]
fn client_certificates_are_accepted_in_every_version() {
    for backend in backends() {
        let signs = |scheme| backend.support(ssl_provider::Operation::Sign(scheme)).is_supported();
        for key in [rsa_key(), ec_key(Nid::X9_62_PRIME256V1), ec_key(Nid::SECP384R1)] {
            for version in TLS {
                let scheme = match (version, key.rsa().is_ok()) {
                    (ProtocolVersion::TLS1_2, true) => SignatureScheme::RsaSha256,
                    (ProtocolVersion::TLS1_2, false) => SignatureScheme::EcdsaSha256,
                    (_, true) => SignatureScheme::RsaMd5Sha1,
                    (_, false) => SignatureScheme::EcdsaSha1,
                };
                let own = certificate(&key, None);
                let provider = provider(&backend);
                let der = key.private_key_to_pkcs8().unwrap();
                let signing = provider.load_signing_key(&der).unwrap();
                let identity = ClientIdentity::new(&provider, signing, vec![own.clone()]).unwrap();
                let options =
                    ClientOptions { versions: version..=version, ..ClientOptions::default() };
                let trust = Box::new(TrustAll);
                let settings =
                    ClientSettings::new(provider, options, trust, Some(identity), None).unwrap();
                let mut context = server_with(&rsa_key());
                context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
                let mut stream = accept(&context.build(), connect(&settings));
                let sent = info(&stream).client_certificate;
                let name = backend.info().name;
                if !signs(scheme) && version != ProtocolVersion::TLS1_2 {
                    assert_eq!(sent, ClientCertificate::Declined, "{name}, {version}");
                    continue;
                }
                assert!(matches!(sent, ClientCertificate::Sent(_)), "{name}, {version}: {sent:?}");
                let received = stream.ssl().peer_certificate().unwrap().to_der().unwrap();
                assert_eq!(received, own, "{name}, {version}");
                exchange_data(&mut stream);
            }
        }
    }
}

#[test]
fn the_curve_of_a_client_certificate_is_offered_with_suites_that_need_no_curve() {
    // OpenSSL, and others after RFC 8422 section 5.3, refuse a signature on a curve that is not in
    // a list which was sent for the finite fields.
    let key = ec_key(Nid::X9_62_PRIME256V1);
    let provider = provider(&default_backend().unwrap());
    let signing = provider.load_signing_key(&key.private_key_to_pkcs8().unwrap()).unwrap();
    let identity = ClientIdentity::new(&provider, signing, vec![certificate(&key, None)]).unwrap();
    let options = ClientOptions {
        suites: vec![CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256],
        ..ClientOptions::default()
    };
    let trust = Box::new(TrustAll);
    let settings = ClientSettings::new(provider, options, trust, Some(identity), None).unwrap();
    let mut context = server_with(&rsa_key());
    context.set_tmp_dh(&dh(BigNum::get_rfc3526_prime_2048().unwrap())).unwrap();
    context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    let stream = accept(&context.build(), connect(&settings));
    let sent = ClientCertificate::Sent(SignatureScheme::EcdsaSha256);
    assert_eq!(info(&stream).client_certificate, sent);
}

#[test]
fn a_short_key_signs_with_what_it_is_long_enough_for() {
    // OpenSSL prefers PSS with SHA-512 here, which 1024 bits have no room for.
    let key = PKey::from_rsa(Rsa::private_key_from_der(&TestKey::rsa_1024().der).unwrap()).unwrap();
    let provider = provider(&default_backend().unwrap());
    let signing = provider.load_signing_key(&key.private_key_to_pkcs8().unwrap()).unwrap();
    let own = certificate(&key, None);
    let identity = ClientIdentity::new(&provider, signing, vec![own]).unwrap();
    let options = ClientOptions::default();
    let trust = Box::new(TrustAll);
    let settings = ClientSettings::new(provider, options, trust, Some(identity), None).unwrap();
    let mut context = server_with(&rsa_key());
    context.set_sigalgs_list("RSA-PSS+SHA512:RSA+SHA512:RSA-PSS+SHA256").unwrap();
    context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    let stream = accept(&context.build(), connect(&settings));
    let sent = ClientCertificate::Sent(SignatureScheme::RsaSha512);
    assert_eq!(info(&stream).client_certificate, sent);
}

#[test]
fn the_application_protocol_and_the_server_name_arrive() {
    let mut context = server_with(&rsa_key());
    context.set_alpn_select_callback(|_, offered| {
        select_next_proto(b"\x08http/1.1", offered).ok_or(AlpnError::ALERT_FATAL)
    });
    let context = context.build();
    let connect = |protocols: &[&[u8]], name| {
        let settings = settings_with(|options| {
            options.protocols = protocols.iter().map(|name| name.to_vec()).collect();
        });
        ClientConnection::new(settings, name, None).unwrap()
    };
    let stream = accept(&context, connect(&[b"h2", b"http/1.1"], Some("www.example")));
    assert_eq!(info(&stream).application_protocol.as_deref(), Some(&b"http/1.1"[..]));
    let name = stream.ssl().servername(openssl::ssl::NameType::HOST_NAME);
    assert_eq!(name, Some("www.example"));
    // An address is not a host name (RFC 6066 section 3).
    let stream = accept(&context, connect(&[], Some("127.0.0.1")));
    assert_eq!(stream.ssl().servername(openssl::ssl::NameType::HOST_NAME), None);
    assert_eq!(info(&stream).application_protocol, None);

    let step = Ssl::new(&context).unwrap().accept(Wire(connect(&[b"h3"], None)));
    let Err(HandshakeError::Failure(failed)) = step else { panic!("no protocol in common") };
    let code = Alert::NoApplicationProtocol.code();
    assert_eq!(failed.get_ref().0.ending(), Some(ClientEnding::FailedByServer(code)));
}

#[test]
fn a_prime_below_the_policy_is_refused() {
    let mut context = server_with(&rsa_key());
    context.set_tmp_dh(&Dh::get_1024_160().unwrap()).unwrap();
    let context = context.build();
    for (min_modulus_bits, fault) in
        [(1024, None), (2048, Some(ServerFault::DhPrime { bits: 1024, min: 2048 }))]
    {
        let policy = Policy { min_modulus_bits, ..Policy::default() };
        let provider = Provider::open(default_backend().unwrap()).with_policy(policy);
        let options = ClientOptions {
            suites: vec![CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256],
            ..ClientOptions::default()
        };
        let trust = Box::new(TrustAll);
        let settings = ClientSettings::new(provider, options, trust, None, None).unwrap();
        let found = match Ssl::new(&context).unwrap().accept(Wire(connect(&settings))) {
            Ok(stream) => stream.get_ref().0.fault().cloned(),
            Err(HandshakeError::Failure(it) | HandshakeError::WouldBlock(it)) => {
                it.get_ref().0.fault().cloned()
            }
            Err(HandshakeError::SetupFailure(error)) => panic!("{error}"),
        };
        assert_eq!(found, fault);
    }
}
