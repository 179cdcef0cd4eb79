//! TLS 1.3 with OpenSSL on the other side, either way, over a connection in memory: what rustls
//! does not have, CCM, P-521 and finite fields, and exported keying material.

use std::fmt;
use std::io::{self, Read, Write};

use openssl::ec::{EcGroup, EcKey};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{
    HandshakeError, Ssl, SslContext, SslContextBuilder, SslMethod, SslStream, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509;
use ssl_provider::backends;
use ssl_provider_testkit::rsa_key::TestKey;

use super::hostile::certificate;
use super::tls13::{client_on, server_on};
use super::*;
use crate::exporter::ExportFrom;
use crate::settings::{ClientAuth, TLS13_SUITES};
use crate::tls13::TLS13_GROUPS;

/// One of our two sides.
trait Side: fmt::Debug {
    fn receive(&mut self, bytes: &[u8]);
    fn output(&self) -> &[u8];
    fn sent(&mut self, len: usize);
    fn send(&mut self, data: &[u8]) -> bool;
    fn take_data(&mut self) -> Vec<u8>;
    fn export(&self, label: &str, context: Option<&[u8]>) -> [u8; 48];
    fn check(&self);
}

macro_rules! side {
    ($side:ty, $why:ident) => {
        impl Side for $side {
            fn receive(&mut self, bytes: &[u8]) {
                self.receive(bytes);
            }

            fn output(&self) -> &[u8] {
                self.output()
            }

            fn sent(&mut self, len: usize) {
                self.sent(len);
            }

            fn send(&mut self, data: &[u8]) -> bool {
                self.send(data)
            }

            fn take_data(&mut self) -> Vec<u8> {
                self.take_data()
            }

            fn export(&self, label: &str, context: Option<&[u8]>) -> [u8; 48] {
                let mut out = [0; 48];
                let from = ExportFrom::default();
                self.export_keying_material(from, label.as_bytes(), context, &mut out).unwrap();
                out
            }

            fn check(&self) {
                assert_eq!(self.ending(), None, "{:?}", self.$why());
            }
        }
    };
}

side! { ClientConnection, fault }
side! { Connection, cause }

/// What OpenSSL writes is received at once, and the reply waits to be read.
#[derive(Debug)]
struct Wire<S>(S);

impl<S: Side> Read for Wire<S> {
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

impl<S: Side> Write for Wire<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.receive(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Completes a handshake.
#[track_caller]
fn complete<S: Side>(
    mut step: Result<SslStream<Wire<S>>, HandshakeError<Wire<S>>>,
) -> SslStream<Wire<S>> {
    for _ in 0..8 {
        match step {
            Ok(stream) => return stream,
            Err(HandshakeError::WouldBlock(middle)) => {
                middle.get_ref().0.check();
                step = middle.handshake();
            }
            Err(HandshakeError::Failure(failed)) => {
                failed.get_ref().0.check();
                panic!("{:?}", failed.error());
            }
            Err(HandshakeError::SetupFailure(error)) => panic!("{error}"),
        }
    }
    panic!("the handshake does not end");
}

#[track_caller]
fn exchange_data<S: Side>(stream: &mut SslStream<Wire<S>>) {
    for data in [&b"x"[..], &[b'y'; 40_000]] {
        assert!(stream.get_mut().0.send(data));
        let mut received = vec![0; data.len()];
        stream.read_exact(&mut received).unwrap();
        assert_eq!(received, data);
        stream.write_all(data).unwrap();
        assert_eq!(stream.get_mut().0.take_data(), data);
    }
    for context in [None, Some(&b"context"[..])] {
        let mut theirs = [1; 48];
        let label = "EXPERIMENTAL lab";
        stream.ssl().export_keying_material(&mut theirs, label, context).unwrap();
        assert_eq!(stream.get_ref().0.export(label, context), theirs);
    }
}

fn rsa_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::private_key_from_der(&TestKey::rsa_2048().der).unwrap()).unwrap()
}

fn ec_key(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Every suite and group, and keys of any length.
fn context(method: SslMethod) -> SslContextBuilder {
    let mut context = SslContext::builder(method).unwrap();
    context.set_min_proto_version(Some(SslVersion::TLS1_3)).unwrap();
    let suites = TLS13_SUITES.map(|suite| suite.info().unwrap().name);
    context.set_ciphersuites(&suites.join(":")).unwrap();
    context.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
    context
}

fn server_context(key: &PKey<Private>) -> SslContextBuilder {
    let mut context = context(SslMethod::tls_server());
    context.set_certificate(&X509::from_der(&certificate(key, None)).unwrap()).unwrap();
    context.set_private_key(key).unwrap();
    context
}

/// Groups that every OpenSSL from 3.0 on has.
fn groups() -> impl Iterator<Item = NamedGroup> {
    TLS13_GROUPS.into_iter().filter(|group| !matches!(group, NamedGroup::Hybrid(_)))
}

#[test]
fn openssl_accepts_every_suite_group_and_key_of_every_backend() {
    let keys =
        [rsa_key(), ec_key(Nid::X9_62_PRIME256V1), ec_key(Nid::SECP384R1), ec_key(Nid::SECP521R1)];
    for backend in backends() {
        let all = client_on(&backend, |_| {});
        let server = server_context(&keys[0]).build();
        let accept = |context: &SslContext, settings: &Arc<ClientSettings>| {
            complete(Ssl::new(context).unwrap().accept(Wire(connect(settings))))
        };
        for suite in all.suites() {
            let only = client_on(&backend, |it| it.suites = vec![suite.id]);
            let mut stream = accept(&server, &only);
            let info = stream.get_ref().0.established().unwrap();
            assert_eq!(info.suite.id, suite.id, "{}", backend.info().name);
            exchange_data(&mut stream);
        }
        for group in groups().filter(|group| all.groups().contains(group)) {
            let only = client_on(&backend, |it| it.groups = vec![group]);
            let mut context = server_context(&keys[1]);
            context.set_groups_list(group.name()).unwrap();
            let mut stream = accept(&context.build(), &only);
            let info = stream.get_ref().0.established().unwrap();
            assert_eq!(info.agreement.unwrap().group, Some(group), "{}", backend.info().name);
            exchange_data(&mut stream);
        }
        for key in &keys {
            let mut stream = accept(&server_context(key).build(), &all);
            exchange_data(&mut stream);
        }
    }
}

#[test]
fn openssl_connects_to_every_suite_and_group_of_every_backend() {
    for backend in backends() {
        let name = backend.info().name;
        let all = server_on(&backend, |_| {});
        for suite in &all.usable()[0].1 {
            let mut context = context(SslMethod::tls_client());
            context.set_ciphersuites(suite.name).unwrap();
            let wire = Wire(Connection::new(Arc::clone(&all)));
            let mut stream = complete(Ssl::new(&context.build()).unwrap().connect(wire));
            assert_eq!(stream.get_ref().0.established().unwrap().suite.id, suite.id, "{name}");
            exchange_data(&mut stream);
        }
        for group in groups().filter(|group| all.groups.contains(group)) {
            // The first one has a public key in the hello, the second one needs a retry.
            let lists = [group.name().to_owned(), format!("P-521:{}", group.name())];
            let count = if group.name() == "secp521r1" { 1 } else { 2 };
            for list in lists.into_iter().take(count) {
                let only = server_on(&backend, |it| it.groups = vec![group]);
                let mut context = context(SslMethod::tls_client());
                context.set_groups_list(&list).unwrap();
                let wire = Wire(Connection::new(only));
                let mut stream = complete(Ssl::new(&context.build()).unwrap().connect(wire));
                let session = stream.get_ref().0.established().unwrap();
                assert_eq!(session.group, Some(group), "{name}");
                assert_eq!(session.retried, list.starts_with("P-521:"), "{name}, {list}");
                exchange_data(&mut stream);
            }
        }
    }
}

#[test]
fn client_certificates_with_keys_on_every_curve_are_verified() {
    for key in
        [rsa_key(), ec_key(Nid::X9_62_PRIME256V1), ec_key(Nid::SECP384R1), ec_key(Nid::SECP521R1)]
    {
        let der = certificate(&key, None);
        let mut client = context(SslMethod::tls_client());
        client.set_certificate(&X509::from_der(&der).unwrap()).unwrap();
        client.set_private_key(&key).unwrap();
        let client = client.build();
        let mut server = server_context(&rsa_key());
        server.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            |_, _| true,
        );
        let server = server.build();
        for backend in backends() {
            let name = backend.info().name;
            let settings = server_on(&backend, |it| it.client_auth = ClientAuth::Require);
            let wire = Wire(Connection::new(settings));
            let mut stream = complete(Ssl::new(&client).unwrap().connect(wire));
            let session = stream.get_ref().0.established().unwrap();
            assert!(session.client_certificate.is_some(), "{name}");
            exchange_data(&mut stream);

            let provider = provider(&backend);
            let loaded = provider.load_signing_key(&key.private_key_to_pkcs8().unwrap()).unwrap();
            let identity = ClientIdentity::new(&provider, loaded, vec![der.clone()]).unwrap();
            let options = ClientOptions {
                versions: ProtocolVersion::TLS1_3..=ProtocolVersion::TLS1_3,
                ..ClientOptions::default()
            };
            let trust = Box::new(TrustAll);
            let settings =
                ClientSettings::new(provider, options, trust, Some(identity), None).unwrap();
            let accepted = Ssl::new(&server).unwrap().accept(Wire(connect(&settings)));
            let mut stream = complete(accepted);
            assert!(stream.ssl().peer_certificate().is_some(), "{name}");
            exchange_data(&mut stream);
        }
    }
}
