//! The client's premaster secret: how it is padded, whom it is encrypted to, and that a server
//! which imports it has the same master key.

use num_bigint::BigUint;

use ssl_provider_core::{
    Backend, CipherSuite, Error, MasterKey, Operation, ParameterList, Policy, PremasterKey,
    ProtocolVersion, Side,
};

use crate::bytes::counting;
use crate::exchange::{Exchange, POLICY, open, open_with_key, rsa_suites};
use crate::reference;
use crate::rsa_key::TestKey;
use crate::signature::{rsa_public_key, signers};

/// Whether the backend encrypts; none of the cases applies to one that does not.
fn encrypts(backend: &Backend) -> bool {
    backend.support(Operation::RsaEncryptRaw).is_supported()
}

/// A premaster key for `exchange`, encrypted to `key`.
fn generate(backend: &Backend, key: &TestKey, exchange: &Exchange) -> PremasterKey {
    let (version, suite) = (exchange.protocol, exchange.suite.id);
    let parameters = exchange.parameters();
    open(backend)
        .generate_premaster_key(&rsa_public_key(key), version, suite, &parameters)
        .unwrap_or_else(|error| panic!("{}: {error}", key.name))
}

/// Decrypts with plain arithmetic.
fn decrypt(key: &TestKey, ciphertext: &[u8]) -> Vec<u8> {
    let exponent = BigUint::from_bytes_be(&key.private_exponent());
    key.left_pad(&BigUint::from_bytes_be(ciphertext).modpow(&exponent, key.modulus()))
}

fn secret(master_key: &MasterKey) -> Vec<u8> {
    master_key.secret_for_key_log().unwrap().expose().to_vec()
}

/// For every size of key, the ciphertext is a block of RSAES-PKCS1-v1_5 that ends in the version
/// that the client offered and 46 other bytes, and the master secret is that of the 48.
pub fn premaster_is_encrypted_to_the_server(backend: &Backend) {
    if !encrypts(backend) {
        return;
    }
    for key in TestKey::all() {
        let exchange = Exchange { client_version: Some(0x0305), ..Exchange::tls1_2() };
        let premaster = generate(backend, &key, &exchange);
        assert_eq!(premaster.encrypted().len(), key.len(), "{}", key.name);
        let block = decrypt(&key, premaster.encrypted());
        let (padded, carried) = block.split_at(key.len() - 48);
        assert_eq!((&padded[..2], padded.last()), (&[0, 2][..], Some(&0)), "{}", key.name);
        assert!(!padded[2..padded.len() - 1].contains(&0), "{}", key.name);
        assert_eq!(carried[..2], [3, 5], "{}", key.name);

        let (client, server) = (exchange.client_random, exchange.server_random);
        let (version, suite) = (exchange.protocol, exchange.suite);
        let expected = reference::master_secret(version, suite, carried, &client, &server);
        let master_key = premaster.generate_master_key(&exchange.parameters()).unwrap();
        assert_eq!(secret(&master_key), expected, "{}", key.name);
        assert_eq!(master_key.side(), Side::Client);
    }
}

/// The server that imports the ciphertext has the client's master key: every version with an RSA
/// suite, with randoms and with a session hash, which the client has only after the ciphertext.
pub fn premaster_is_imported_by_the_server(backend: &Backend) {
    if !encrypts(backend) {
        return;
    }
    let (provider, test_key, key) = open_with_key(backend);
    for (version, suite) in rsa_suites() {
        let plain = Exchange::new(version, suite.id);
        let premaster = generate(backend, &test_key, &plain);
        let exchange = match version {
            ProtocolVersion::SSL3 => plain,
            _ => plain.extended(),
        };
        let imported = exchange.import(&provider, &key, premaster.encrypted()).unwrap();
        assert_eq!(imported.side(), Side::Server);
        let generated = premaster.generate_master_key(&exchange.parameters()).unwrap();
        assert_eq!(secret(&generated), secret(&imported), "{version} {}", suite.name);
    }
}

/// Two ciphertexts of one key have nothing in common, and of many paddings none has a zero.
pub fn premaster_padding_has_no_zeros_and_never_repeats(backend: &Backend) {
    if !encrypts(backend) {
        return;
    }
    let (key, exchange) = (TestKey::rsa_2048(), Exchange::tls1_2());
    let mut blocks = Vec::new();
    for _ in 0..16 {
        let block = decrypt(&key, generate(backend, &key, &exchange).encrypted());
        // With a chance of a zero in every byte, a padding of 205 had one in more than half.
        assert!(!block[2..207].contains(&0), "{block:?}");
        blocks.push(block);
    }
    for (index, block) in blocks.iter().enumerate() {
        for other in &blocks[..index] {
            assert_ne!(block[2..207], other[2..207]);
            assert_ne!(block[210..], other[210..]);
        }
    }
}

/// Keys that are malformed, no RSA keys or below the policy, suites of another key exchange, and
/// lists without randoms are refused.
pub fn premaster_keys_are_checked(backend: &Backend) {
    if !encrypts(backend) {
        return;
    }
    let exchange = Exchange::tls1_2();
    let rsa = rsa_public_key(&TestKey::rsa_1024());
    let (tls1_2, suite) = (exchange.protocol, exchange.suite.id);
    let attempt = |policy, key: &[u8], version, suite| {
        let provider = open(backend).with_policy(policy);
        let list = ParameterList::new();
        provider.generate_premaster_key(key, version, suite, &list).map(drop)
    };
    assert_eq!(attempt(POLICY, &rsa, tls1_2, suite), Ok(()));
    let ec = signers().pop().unwrap().public_key;
    for key in [&[][..], &rsa[..rsa.len() - 1], &counting::<64>(0), &ec] {
        let refused = attempt(POLICY, key, tls1_2, suite);
        assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{refused:?}");
    }
    let strict = Policy { min_modulus_bits: 2048, ..POLICY };
    assert!(matches!(attempt(strict, &rsa, tls1_2, suite), Err(Error::NotAllowed(_))));
    let ecdhe = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
    let refused = attempt(POLICY, &rsa, tls1_2, ecdhe);
    assert_eq!(refused, Err(Error::UnsupportedSuite { given: ecdhe.0 }));
    let refused = attempt(POLICY, &rsa, ProtocolVersion::TLS1_3, suite);
    assert_eq!(refused, Err(Error::UnsupportedProtocol { given: 0x0304 }));

    let premaster = generate(backend, &TestKey::rsa_1024(), &exchange);
    let without = premaster.generate_master_key(&ParameterList::new()).map(drop);
    assert!(matches!(without, Err(Error::InvalidParameter(_))), "{without:?}");
}
