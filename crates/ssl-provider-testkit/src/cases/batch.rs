//! Private operations of several ciphertexts at once: whatever a backend does to be fast there, the
//! answers are those of one by one.

use num_bigint::BigUint;

use ssl_provider_core::backend::RawDecryption;
use ssl_provider_core::{
    Backend, CipherSuite, DecryptedPremaster, Policy, PrivateKey, ProtocolVersion, Provider,
    RsaPrivateKeyDer,
};

use crate::bytes::Rng;
use crate::ciphertext::KINDS;
use crate::exchange::{Exchange, POLICY, open, open_with_key};
use crate::fake::Fake;
use crate::rsa_key::TestKey;

fn decrypt<'k>(key: &'k PrivateKey, ciphertexts: &[Vec<u8>]) -> Vec<DecryptedPremaster<'k>> {
    let ciphertexts: Vec<&[u8]> = ciphertexts.iter().map(Vec::as_slice).collect();
    key.decrypt_premasters(&ciphertexts).unwrap()
}

/// Blocks decrypt to what was encrypted, with every size of key and in batches of 0 to 17.
pub fn batch_decrypts_with_every_size_of_key(backend: &Backend) {
    let mut rng = Rng::new(70);
    for test_key in TestKey::all() {
        let der = RsaPrivateKeyDer::from_der(&test_key.der).unwrap();
        let key = backend.rsa_decryption().load(&der).unwrap();
        let sizes = match test_key.len() {
            128 => (0..=17).collect(),
            129..=256 => vec![1, 8, 11],
            257..=512 => vec![9],
            _ => vec![2],
        };
        for size in sizes {
            let blocks: Vec<Vec<u8>> = (0..size)
                .map(|_| BigUint::from_bytes_be(&rng.bytes(test_key.len())) % test_key.modulus())
                .map(|number| test_key.left_pad(&number))
                .collect();
            let ciphertexts: Vec<_> = blocks.iter().map(|block| test_key.encrypt(block)).collect();
            let mut found = vec![vec![0xa5; test_key.len()]; size];
            let mut jobs: Vec<_> = ciphertexts
                .iter()
                .zip(&mut found)
                .map(|(ciphertext, em)| RawDecryption { ciphertext, em })
                .collect();
            key.decrypt_raw_batch(&mut jobs).unwrap();
            assert_eq!(found, blocks, "{} in a batch of {size}", test_key.name);
        }
    }
}

/// Good ciphertexts and bad ones of every kind, side by side in one batch, give the master secrets
/// that they give one by one.
pub fn batch_of_every_kind_is_imported_as_one_by_one(backend: &Backend) {
    let provider = open(backend);
    let mut rng = Rng::new(71);
    for test_key in [TestKey::rsa_1024(), TestKey::rsa_2048_p_lt_q()] {
        let key = test_key.load(&provider);
        let exchange = Exchange::tls1_2();
        let version = exchange.expected_version();
        let ciphertexts: Vec<Vec<u8>> =
            KINDS.iter().map(|kind| kind.sample(&mut rng, &test_key, version).ciphertext).collect();
        let decrypted = decrypt(&key, &ciphertexts);
        assert_eq!(decrypted.len(), ciphertexts.len());
        for ((kind, ciphertext), premaster) in KINDS.iter().zip(&ciphertexts).zip(&decrypted) {
            assert_eq!(premaster.ciphertext(), ciphertext);
            assert_eq!(
                exchange.decrypted_secret(&provider, premaster),
                exchange.imported_secret(&provider, &key, ciphertext),
                "{} with {}",
                kind.name,
                test_key.name,
            );
        }
    }
}

/// What was decrypted ahead is imported under the same conditions as a ciphertext.
pub fn batch_is_imported_under_the_same_conditions(backend: &Backend) {
    let (provider, test_key, key) = open_with_key(backend);
    let mut rng = Rng::new(72);
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256);
    let block = test_key.pad(&exchange.premaster_secret(&mut rng), &mut rng);
    let decrypted = decrypt(&key, &[test_key.encrypt(&block)]);
    let premaster = decrypted.first().unwrap();
    let parameters = exchange.parameters();
    let status = |provider: &Provider, version, suite| {
        provider
            .import_decrypted(premaster, version, suite, &parameters)
            .map_or_else(|error| error.status().code(), |_| 0)
    };
    let (tls1_2, suite) = (exchange.protocol, exchange.suite.id);
    assert_eq!(status(&provider, tls1_2, suite), 0);
    assert_eq!(status(&provider, ProtocolVersion::TLS1_3, suite), 0x8009_0029);
    assert_eq!(status(&provider, tls1_2, CipherSuite::TLS_AES_128_GCM_SHA256), 0x8009_0029);
    let strict = provider.with_policy(Policy { min_modulus_bits: 2048, ..POLICY });
    assert_eq!(status(&strict, tls1_2, suite), 0x8009_0010);
    let other = open(&Fake::new().share());
    assert_eq!(status(&other, tls1_2, suite), 0x8009_0026);
}
