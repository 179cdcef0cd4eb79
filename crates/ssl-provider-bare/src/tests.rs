//! Every library does what its backend does: results are compared with those of the backend, or
//! verified by it. The backends are in `ssl-provider`, on which only the tests depend.

use ssl_provider::{
    AeadAlgorithm, Backend, DhParameters, FfdheGroup, Group, NamedCurve, Provider, PublicKeyParts,
    RsaPrivateKeyDer, SignatureScheme, backends,
};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::signature::{EC_P256_PKCS8, ec_p256_public_key};

use super::*;

fn libraries() -> Vec<(Backend, &'static dyn Library)> {
    let all = backends().into_iter();
    all.filter_map(|backend| Some((backend.clone(), library(backend.info().name)?))).collect()
}

#[test]
fn a_backend_that_is_not_ours_has_no_library() {
    assert!(library("boring").is_none());
    assert_eq!(libraries().len(), backends().len());
}

#[test]
fn the_raw_operation_is_that_of_the_backend() {
    let key = TestKey::rsa_2048();
    let mut block = vec![5; key.len()];
    block[0] = 0;
    let ciphertext = key.encrypt(&block);
    for (_, library) in libraries() {
        let mut em = vec![0; key.len()];
        assert_eq!(library.rsa(&key.der).unwrap()(&ciphertext, &mut em), Ok(()));
        assert_eq!(em, block);
        assert_eq!(library.rsa(&key.der).unwrap()(&ciphertext, &mut em[1..]), Err(Failed));
    }
}

#[test]
fn aead_ciphers_are_those_of_the_backend() {
    let (nonce, aad) = ([7; 12], [9; 13]);
    for (backend, library) in libraries() {
        for algorithm in
            [AeadAlgorithm::Aes128Gcm, AeadAlgorithm::Aes256Gcm, AeadAlgorithm::ChaCha20Poly1305]
        {
            let key = &[3; 32][..algorithm.key_len()];
            let mut theirs = library.aead(algorithm, key).unwrap();
            let ours = backend.record_ciphers().aead(algorithm, key).unwrap();
            let text = vec![0x6d; 100];
            let (mut sealed, mut tag) = (text.clone(), [0; 16]);
            ours.seal(&nonce, &aad, &mut sealed, &mut tag).unwrap();

            let (mut place, mut apart) = (text.clone(), vec![0; 100]);
            let (mut place_tag, mut apart_tag) = ([0; 16], [0; 16]);
            theirs.seal(&nonce, &aad, &mut place, &mut place_tag).unwrap();
            theirs.seal_apart(&nonce, &aad, &text, &mut apart, &mut apart_tag).unwrap();
            assert_eq!([(&place, place_tag), (&apart, apart_tag)], [(&sealed, tag); 2]);

            let mut opened = vec![0; 100];
            assert_eq!(theirs.open_apart(&nonce, &aad, &sealed, &mut opened, &tag), Ok(()));
            assert_eq!(opened, text);
            tag[0] ^= 1;
            assert!(theirs.open_apart(&nonce, &aad, &sealed, &mut opened, &tag).is_err());
        }
    }
}

#[test]
fn cbc_and_hmac_are_those_of_the_backend() {
    use ssl_provider::{CbcAlgorithm, HashAlgorithm};

    let (key, mac_key, iv) = ([1; 16], [2; 20], [3; 16]);
    for (backend, library) in libraries() {
        let mut library = library.cbc_hmac(&key, &mac_key).unwrap();
        let text = vec![0x6d; 96];
        let (mut blocks, mut mac, mut expected_mac) = (text.clone(), [0; 20], [0; 20]);
        library.encrypt(&iv, &mut blocks, &mut mac).unwrap();
        let mut expected = text.clone();
        let cipher = backend.record_ciphers().cbc(CbcAlgorithm::Aes128, &key).unwrap();
        cipher.encrypt(&iv, &mut expected).unwrap();
        let hashing = backend.hashing();
        hashing.hmac(HashAlgorithm::Sha1, &mac_key, &[&text], &mut expected_mac).unwrap();
        assert_eq!((&blocks, mac), (&expected, expected_mac));
        mac = [0; 20];
        library.decrypt(&iv, &mut blocks, &mut mac).unwrap();
        assert_eq!((&blocks, mac), (&text, expected_mac));
        assert_eq!(library.decrypt(&iv, &mut blocks[1..], &mut mac), Err(Failed));
    }
}

#[test]
fn agreements_are_with_the_key_of_a_peer() {
    let field = || Group::FiniteField(DhParameters::named(FfdheGroup::Ffdhe2048));
    for (backend, library) in libraries() {
        let provider = Provider::open(backend.clone());
        for (group, secret_len) in [
            (Group::Curve(NamedCurve::X25519), 32),
            (Group::Curve(NamedCurve::Secp256r1), 32),
            (Group::Curve(NamedCurve::Secp384r1), 48),
            (field(), 256),
        ] {
            let Some(mut agree) = library.agreement(&group) else {
                let name = backend.info().name;
                assert!(group == field() && ["rustcrypto", "ring"].contains(&name), "{name}");
                continue;
            };
            let peer = provider.generate_ephemeral_key(group).unwrap();
            let (mut first, mut second) = (vec![0; secret_len], vec![0; secret_len]);
            assert_eq!(agree(peer.public_key(), &mut first), Ok(()));
            assert_eq!(agree(peer.public_key(), &mut second), Ok(()));
            // New keys each time.
            assert_ne!(first, second);
            assert!(agree(&[0xff; 3], &mut first).is_err());
        }
    }
}

#[test]
fn signatures_verify_on_both_sides() {
    let rsa = TestKey::rsa_2048();
    let parts = RsaPrivateKeyDer::from_der(&rsa.der).unwrap();
    let (modulus, exponent) = (parts.modulus(), parts.public_exponent());
    let rsa_public = PublicKeyParts::Rsa { modulus, exponent }.to_der().unwrap();
    let ec_public = ec_p256_public_key();
    for (backend, library) in libraries() {
        let (name, provider) = (backend.info().name, Provider::open(backend.clone()));
        for (scheme, ours, der, public) in [
            (Scheme::RsaPkcs1, SignatureScheme::RsaSha256, &rsa.der[..], &rsa_public),
            (Scheme::RsaPss, SignatureScheme::RsaPssSha256, &rsa.der, &rsa_public),
            (Scheme::EcdsaP256, SignatureScheme::EcdsaSha256, EC_P256_PKCS8, &ec_public),
        ] {
            let mut out = [0; 256];
            let len = library.signer(scheme, der).unwrap()(&[7; 32], &mut out).unwrap();
            let verified = provider.verify_signature(public, ours, &[7; 32], &out[..len]);
            assert_eq!(verified, Ok(()), "{name}, {scheme:?}");
            let signed = provider.load_signing_key(der).unwrap().sign(ours, &[8; 32]).unwrap();
            let mut verify = library.verifier(scheme).unwrap();
            assert_eq!(verify(public, &[8; 32], &signed), Ok(()), "{name}, {scheme:?}");
            assert_eq!(verify(public, &[7; 32], &signed), Err(Failed), "{name}, {scheme:?}");
        }
    }
}
