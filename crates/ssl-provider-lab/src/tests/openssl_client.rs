//! OpenSSL as a client with a certificate, over a connection in memory.

use std::io::{self, Read, Write};

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVersion};
use openssl::x509::{X509, X509Name};
use ssl_provider::{Operation, backends};

use super::*;
use crate::group::NamedGroup;
use crate::settings::ClientAuth;

/// What the client writes is received at once, and the replies wait to be read.
struct Wire(Connection);

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

fn self_signed(key: &PKey<Private>) -> X509 {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "client").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    certificate.set_pubkey(key).unwrap();
    certificate.sign(key, MessageDigest::sha256()).unwrap();
    certificate.build()
}

#[test]
fn openssl_clients_that_sign_with_sha_512_are_accepted() {
    let p256 = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let ec = PKey::from_ec_key(EcKey::generate(&p256).unwrap()).unwrap();
    for key in [rsa, ec] {
        let certificate = self_signed(&key);
        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
        context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
        // The server's test key has 1024 bits.
        context.set_cipher_list("AES128-GCM-SHA256:@SECLEVEL=0").unwrap();
        context.set_sigalgs_list("RSA+SHA512:ECDSA+SHA512").unwrap();
        context.set_certificate(&certificate).unwrap();
        context.set_private_key(&key).unwrap();
        let context = context.build();
        let fingerprint = certificate.digest(MessageDigest::sha256()).unwrap();
        for backend in backends() {
            let settings =
                settings_on(&backend, |options| options.client_auth = ClientAuth::Require);
            let wire = Wire(Connection::new(settings));
            let mut stream = SslStream::new(Ssl::new(&context).unwrap(), wire).unwrap();
            let name = backend.info().name;
            stream.connect().unwrap_or_else(|error| panic!("{name}, {:?}: {error}", key.id()));
            let session = stream.get_ref().0.established().expect("an established session");
            assert_eq!(session.client_certificate.unwrap()[..], fingerprint[..], "{name}");
        }
    }
}

#[test]
fn openssl_clients_agree_on_every_curve() {
    for backend in key_exchange::with_ephemeral_keys() {
        let settings = ephemeral_settings(&backend, |_| {});
        for curve in &settings.curves {
            let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
            context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
            context.set_cipher_list("ECDHE+aRSA:@SECLEVEL=0").unwrap();
            context.set_groups_list(curve.name()).unwrap();
            let wire = Wire(Connection::new(Arc::clone(&settings)));
            let mut stream = SslStream::new(Ssl::new(&context.build()).unwrap(), wire).unwrap();
            let case = format!("{}, {}", backend.info().name, curve.name());
            stream.connect().unwrap_or_else(|error| panic!("{case}: {error}"));
            let session = stream.get_ref().0.established().expect("established");
            assert_eq!(session.group, Some(NamedGroup::Curve(*curve)), "{case}");
        }
    }
}

#[test]
fn openssl_clients_agree_on_ephemeral_keys() {
    let schemes = [
        ("ECDHE+aRSA", &["RSA+SHA1", "RSA+SHA256", "RSA+SHA512", "RSA-PSS+SHA256"][..]),
        ("ECDHE+aECDSA", &["ECDSA+SHA1", "ECDSA+SHA256", "ECDSA+SHA512"]),
        ("DHE+aRSA", &["RSA+SHA1", "RSA+SHA384", "RSA-PSS+SHA384"]),
    ];
    let versions = [
        (SslVersion::TLS1, ProtocolVersion::TLS1_0),
        (SslVersion::TLS1_1, ProtocolVersion::TLS1_1),
        (SslVersion::TLS1_2, ProtocolVersion::TLS1_2),
    ];
    for backend in key_exchange::with_ephemeral_keys() {
        let name = backend.info().name;
        let settings = ephemeral_settings(&backend, |_| {});
        let has_dh = backend.support(Operation::Dh).is_supported();
        for (ciphers, schemes) in schemes {
            let is_dhe = ciphers.starts_with("DHE");
            if is_dhe && !has_dh {
                continue;
            }
            for (version, protocol) in versions {
                for scheme in schemes {
                    for group in ["X25519:P-256", "P-521:P-256"] {
                        let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
                        context.set_min_proto_version(Some(version)).unwrap();
                        context.set_max_proto_version(Some(version)).unwrap();
                        context.set_cipher_list(&format!("{ciphers}:@SECLEVEL=0")).unwrap();
                        context.set_sigalgs_list(scheme).unwrap();
                        context.set_groups_list(group).unwrap();
                        let wire = Wire(Connection::new(Arc::clone(&settings)));
                        let ssl = Ssl::new(&context.build()).unwrap();
                        let mut stream = SslStream::new(ssl, wire).unwrap();
                        let case = format!("{name}, {protocol}, {ciphers}, {scheme}, {group}");
                        stream.connect().unwrap_or_else(|error| panic!("{case}: {error}"));
                        let session = stream.get_ref().0.established().expect("established");
                        assert_eq!(session.protocol, protocol, "{case}");
                        assert!(session.extended_master_secret, "{case}");
                        // P-256 comes before P-384 and P-521 in the server's order.
                        let expected = match group {
                            _ if is_dhe => "ffdhe2048",
                            "X25519:P-256" => "x25519",
                            _ => "secp256r1",
                        };
                        assert_eq!(session.group.map(NamedGroup::name), Some(expected), "{case}");
                    }
                }
            }
        }
    }
}
