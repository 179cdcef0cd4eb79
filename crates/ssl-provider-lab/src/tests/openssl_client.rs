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
use ssl_provider::backends;

use super::*;
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
