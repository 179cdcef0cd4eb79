//! Client certificates: requested, sent, verified, and every way in which that can fail.
//! For simplicity the client uses the server's key and certificate.

use ssl_provider::{KeyExchange, ProtocolVersion, SignatureScheme, backends};
use ssl_provider_testkit::signature::{encoded, sign_block};
use ssl_provider_wire::{Reader, put_certificate};
use x509_cert::ext::pkix::{KeyUsage, KeyUsages};

use super::*;
use crate::client_auth::schemes;
use crate::identity::rsa_certificate;
use crate::settings::ClientAuth;

const CERTIFICATE: u8 = HandshakeType::CERTIFICATE.0;

const TLS: [ProtocolVersion; 3] =
    [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2];

fn asking(client_auth: ClientAuth) -> Arc<Settings> {
    settings_with(|options| options.client_auth = client_auth)
}

/// A client that has received a CertificateRequest.
fn asked(settings: &Arc<Settings>, version: ProtocolVersion) -> Client {
    let mut client = Client::new(settings, version);
    client.open(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]);
    client
}

fn own_certificate(settings: &Settings) -> Vec<u8> {
    settings.identity.certificate_message(KeyExchange::Rsa).to_vec()
}

/// Sends the client's messages up to CertificateVerify.
pub(super) fn send_certificate_and_key_exchange(client: &mut Client) {
    let certificate = own_certificate(client.server.settings());
    client.send_message(&certificate);
    client.key_exchange();
    let verify = certificate_verify(client, |_| {});
    client.send_message(&verify);
}

fn no_certificate() -> Vec<u8> {
    vec![CERTIFICATE, 0, 0, 3, 0, 0, 0]
}

/// Returns a valid CertificateVerify, but for a change of the signed messages.
fn certificate_verify(client: &Client, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    certificate_verify_by(client, 0x0401, change)
}

/// The same with another signature scheme in TLS 1.2.
fn certificate_verify_by(
    client: &Client,
    scheme: u16,
    change: impl FnOnce(&mut Vec<u8>),
) -> Vec<u8> {
    let backend = client.provider.backend();
    let mut messages = client.transcript.clone();
    change(&mut messages);
    let number = (client.version == ProtocolVersion::TLS1_2).then_some(scheme);
    let scheme = number.map_or(SignatureScheme::RsaMd5Sha1, |number| {
        SignatureScheme::from_wire(number).expect("a scheme")
    });
    let mut digest = Vec::new();
    for hash in scheme.hashes() {
        let mut out = vec![0; hash.output_len()];
        backend.hashing().hash(*hash, &[&messages], &mut out).unwrap();
        digest.extend(out);
    }
    let key = &client.test_key;
    let signature = sign_block(key, &encoded(scheme, &digest, key.len()));
    let mut message = Vec::new();
    put_message(&mut message, HandshakeType::CERTIFICATE_VERIFY, |out| {
        out.extend(number.iter().flat_map(|number| number.to_be_bytes()));
        put_vec::<2>(out, |out| out.extend(signature));
    });
    message
}

#[test]
fn sha_512_is_requested_with_rsa_and_ecdsa() {
    for backend in backends() {
        let settings = settings_on(&backend, |options| options.client_auth = ClientAuth::Request);
        let client = asked(&settings, ProtocolVersion::TLS1_2);
        let mut messages = Assembler::default();
        messages.extend(&client.transcript);
        let request = std::iter::from_fn(|| messages.next_of_any_type())
            .find(|message| message.kind == HandshakeType::CERTIFICATE_REQUEST)
            .expect("a CertificateRequest");
        let mut reader = Reader::new(request.body());
        assert_eq!(reader.vec8(), Some(&[1, 64][..]), "rsa_sign and ecdsa_sign");
        let schemes: Vec<_> = reader.vec16().unwrap().chunks(2).collect();
        for sha_512 in [[6, 1], [6, 3]] {
            assert!(schemes.contains(&&sha_512[..]), "{}: {schemes:?}", backend.info().name);
        }
    }
}

#[test]
fn every_requested_rsa_scheme_is_accepted() {
    for backend in backends() {
        let settings = settings_on(&backend, |options| {
            options.client_auth = ClientAuth::Require;
        });
        let requested: Vec<_> =
            schemes(&settings.provider).filter(|scheme| scheme.is_rsa()).collect();
        assert_eq!(requested.len(), 4, "{requested:?}");
        for scheme in requested {
            let number = scheme.wire().expect("a scheme of TLS 1.2");
            let mut client = asked(&settings, ProtocolVersion::TLS1_2);
            client.send_message(&own_certificate(&settings));
            client.key_exchange();
            let verify = certificate_verify_by(&client, number, |_| {});
            client.send_message(&verify);
            assert!(client.finish().client_certificate.is_some(), "{}", scheme.name());
        }
    }
}

#[test]
fn a_verified_certificate_stays_with_the_session() {
    for backend in backends() {
        let settings = settings_on(&backend, |options| {
            options.client_auth = ClientAuth::Require;
        });
        for version in TLS {
            let mut client = asked(&settings, version);
            client.send_message(&own_certificate(&settings));
            client.key_exchange();
            let verify = certificate_verify(&client, |_| {});
            client.send_message(&verify);
            let full = client.finish();
            let fingerprint = full.client_certificate.expect("a certificate");
            let mut again = client.again();
            let resumed = again.handshake(&[AES_128_CBC_SHA], &[EXTENDED_MASTER_SECRET]);
            assert!(resumed.resumed);
            assert_eq!(resumed.client_certificate, Some(fingerprint));
        }
    }
}

#[test]
fn a_client_without_a_certificate_is_accepted_unless_one_is_required() {
    for version in TLS {
        let mut client = asked(&asking(ClientAuth::Request), version);
        client.send_message(&no_certificate());
        client.key_exchange();
        assert_eq!(client.finish().client_certificate, None);
        let mut client = asked(&asking(ClientAuth::Require), version);
        client.send(ContentType::Handshake, &no_certificate());
        assert_eq!(client.refusal(), Alert::HandshakeFailure);
    }
}

/// RFC 5246 sections 7.4.6 and 7.4.4.
#[test]
fn the_key_usage_of_a_certificate_must_allow_signatures() {
    let settings = asking(ClientAuth::Require);
    let key = || rsa::PrivateKey::from_pkcs1_der(&test_key().der).unwrap();
    let (encipherment, signature) = (KeyUsages::KeyEncipherment, KeyUsages::DigitalSignature);
    for (usage, is_good) in [
        (signature.into(), true),
        (encipherment | signature, true),
        (encipherment.into(), false),
        (KeyUsages::KeyCertSign.into(), false),
    ] {
        let certificate = rsa_certificate(key(), KeyUsage(usage)).unwrap();
        let mut message = Vec::new();
        put_certificate(&mut message, [&certificate[..]]);
        let mut client = asked(&settings, ProtocolVersion::TLS1_2);
        client.send(ContentType::Handshake, &message);
        match is_good {
            true => client.expect_silence(),
            false => {
                assert_eq!(client.refusal(), Alert::UnsupportedCertificate);
                assert_eq!(client.server.cause(), Some(&Cause::KeyUsageOfClientCertificate));
            }
        }
    }
}

#[test]
fn ssl_3_clients_get_no_certificate_request() {
    let mut client = Client::new(&asking(ClientAuth::Request), ProtocolVersion::SSL3);
    client.handshake(&[AES_128_CBC_SHA], &[]);
    let mut client = Client::new(&asking(ClientAuth::Require), ProtocolVersion::SSL3);
    let hello = client.hello(&[AES_128_CBC_SHA], &[]);
    client.send(ContentType::Handshake, &hello);
    assert_eq!(client.refusal(), Alert::HandshakeFailure);
}

#[test]
fn a_signature_over_other_messages_is_a_decrypt_error() {
    let settings = asking(ClientAuth::Request);
    for version in TLS {
        let mut client = asked(&settings, version);
        client.send_message(&own_certificate(&settings));
        client.key_exchange();
        let verify = certificate_verify(&client, |messages| {
            messages.pop();
        });
        client.send(ContentType::Handshake, &verify);
        assert_eq!(client.refusal(), Alert::DecryptError);
    }
}

#[test]
fn a_malformed_certificate_verify_is_refused() {
    let settings = asking(ClientAuth::Request);
    for (change, expected) in [
        ((4, 3), Alert::IllegalParameter), // SHA-224 was not requested.
        ((5, 3), Alert::IllegalParameter), // ECDSA, with an RSA key.
        ((7, 0x7f), Alert::DecodeError),
        ((7, 0x81), Alert::DecodeError),
    ] {
        let mut client = asked(&settings, ProtocolVersion::TLS1_2);
        client.send_message(&own_certificate(&settings));
        client.key_exchange();
        let mut verify = certificate_verify(&client, |_| {});
        let (at, value) = change;
        verify[at] = value;
        client.send(ContentType::Handshake, &verify);
        assert_eq!(client.refusal(), expected, "{change:?}");
    }
}

#[test]
fn certificate_messages_out_of_order_are_refused() {
    let settings = asking(ClientAuth::Request);
    let mut skipped = asked(&settings, ProtocolVersion::TLS1_2);
    skipped.send(ContentType::Handshake, &[HandshakeType::CLIENT_KEY_EXCHANGE.0]);
    assert_eq!(skipped.refusal(), Alert::UnexpectedMessage);

    let mut unproven = asked(&settings, ProtocolVersion::TLS1_2);
    unproven.send_message(&own_certificate(&settings));
    unproven.key_exchange();
    unproven.send(ContentType::ChangeCipherSpec, &[1]);
    assert_eq!(unproven.refusal(), Alert::UnexpectedMessage);

    let mut proof_of_nothing = asked(&settings, ProtocolVersion::TLS1_2);
    proof_of_nothing.send_message(&no_certificate());
    proof_of_nothing.key_exchange();
    proof_of_nothing.send(ContentType::Handshake, &[HandshakeType::CERTIFICATE_VERIFY.0]);
    assert_eq!(proof_of_nothing.refusal(), Alert::UnexpectedMessage);
}

#[test]
fn malformed_certificates_are_refused() {
    let settings = asking(ClientAuth::Request);

    let message = |certificate: &[u8]| {
        let mut message = Vec::new();
        put_certificate(&mut message, [certificate]);
        message
    };
    let own = own_certificate(&settings);
    // A public key of an unknown algorithm.
    let mut other_key = own.clone();
    let oid = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let at = other_key.windows(oid.len()).position(|window| window == oid).unwrap();
    other_key[at + oid.len() - 1] = 0x7f;
    for (message, expected) in [
        (vec![CERTIFICATE, 0, 0, 2, 0, 0], Alert::DecodeError),
        (vec![CERTIFICATE, 0, 0, 4, 0, 0, 0, 0], Alert::DecodeError),
        (vec![CERTIFICATE, 0, 0, 6, 0, 0, 3, 0, 0, 1], Alert::DecodeError),
        (message(&[]), Alert::DecodeError),
        (message(b"no certificate"), Alert::BadCertificate),
        (other_key, Alert::UnsupportedCertificate),
        (vec![CERTIFICATE, 1, 0, 0], Alert::DecodeError),
    ] {
        let mut client = asked(&settings, ProtocolVersion::TLS1_2);
        client.send(ContentType::Handshake, &message);
        assert_eq!(client.refusal(), expected, "{message:?}");
    }
}
