//! Secrets stay inside: nothing that can be printed shows them, and the key log asks policy first.
//!
//! That they can be neither copied, compared nor printed is a matter of types:
//!
//! ```compile_fail,E0599
//! let copy = ssl_provider_core::MasterSecret::zeroed().clone();
//! ```
//! ```compile_fail,E0369
//! use ssl_provider_core::PremasterSecret;
//! let same = PremasterSecret::zeroed() == PremasterSecret::zeroed();
//! ```
//! ```compile_fail,E0277
//! println!("{}", ssl_provider_core::MasterSecret::zeroed());
//! ```
//! ```compile_fail,E0599
//! fn copy(key: &ssl_provider_core::MasterKey) -> ssl_provider_core::MasterKey {
//!     key.clone()
//! }
//! ```
//! ```compile_fail,E0599
//! fn copy(keys: ssl_provider_core::SessionKeys) {
//!     let copy = keys.clone();
//! }
//! ```

use std::fmt::Debug;

use ssl_provider_core::backend::KemPrivateKey;
use ssl_provider_core::{
    AeadAlgorithm, Backend, CbcAlgorithm, CipherSuite, Error, KemAlgorithm, KeyExportPolicy,
    KeyLogPolicy, Policy, ProtocolVersion, Provider, RecordOptions, RsaPrivateKeyDer, Side,
    SigningKeyDer,
};

use crate::bytes::{Rng, to_hex};
use crate::cases::signing::EcKey;
use crate::exchange::{Exchange, POLICY, concatenated, open};
use crate::group;
use crate::rsa_key::TestKey;

/// Asserts that the printed forms show none of the secrets, in any usual notation.
pub(super) fn assert_hidden(what: &str, value: &dyn Debug, secrets: &[&[u8]]) {
    let shown = format!("{value:?}\n{value:#?}");
    let plain: String = shown.split_whitespace().collect();
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        // Any four bytes of it would be too many.
        for window in secret.windows(4) {
            let hex = to_hex(window);
            let decimal = format!("{window:?}").replace(' ', "");
            let decimal = decimal.trim_matches(['[', ']']);
            let hidden = !plain.contains(&hex)
                && !plain.contains(&hex.to_uppercase())
                && !plain.contains(decimal);
            assert!(hidden, "{what} shows a secret: {shown:.200}");
        }
    }
}

/// The debug output of every object of a key exchange shows no secret.
pub fn secrets_are_not_in_debug_output(backend: &Backend) {
    let provider = open(backend);
    let test_key = TestKey::rsa_1024();
    let der = RsaPrivateKeyDer::from_der(&test_key.der).unwrap();
    let mut key_secrets = vec![der.private_exponent()];
    key_secrets.extend(der.primes());
    key_secrets.extend(der.crt_parts());
    let key = test_key.load(&provider);
    let raw_key = backend.rsa_decryption().load(&der).unwrap();
    assert_hidden("RsaPrivateKeyDer", &der, &key_secrets);
    assert_hidden("PrivateKey", &key, &key_secrets);
    assert_hidden("RsaPrivateKey of the backend", &raw_key, &key_secrets);
    assert_hidden("Provider", &provider, &key_secrets);

    let exchange =
        Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
    let mut rng = Rng::new(50);
    let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
    let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
    let master_secret = master_key.secret_for_key_log().unwrap();
    let session_keys = master_key.session_keys(&exchange.parameters()).unwrap();
    let session_secrets = concatenated(&session_keys);
    let secrets: [&[u8]; 3] = [&premaster_secret, master_secret.expose(), &session_secrets];
    assert_hidden("MasterKey", &master_key, &secrets);
    assert_hidden("MasterSecret", master_secret, &secrets);
    assert_hidden("SessionKeys", &session_keys, &secrets);
    assert_hidden("WriteKeys", &session_keys.expose(Side::Client).unwrap(), &secrets);

    let mut hash = provider.handshake_hash(exchange.protocol, exchange.suite.id).unwrap();
    hash.update(master_secret.expose());
    assert_hidden("HandshakeHash", &hash, &[&hash.current().unwrap(), master_secret.expose()]);
    let mut context =
        backend.hashing().hash_context(ssl_provider_core::HashAlgorithm::Sha256).unwrap();
    context.update(master_secret.expose());
    assert_hidden("HashContext of the backend", &context, &secrets);
}

/// The debug output of keys inside a library shows none of them: keys that sign, keys of agreement
/// that were given, and keys of ciphers.
pub fn secrets_of_the_library_are_not_in_debug_output(backend: &Backend) {
    let mut rng = Rng::new(52);
    let rsa = TestKey::rsa_1024();
    let on_curves = EcKey::all(&mut rng);
    let ders = on_curves.iter().map(|key| &key.der).chain([&rsa.der]);
    for der in ders {
        let der = SigningKeyDer::from_der(der).unwrap();
        let number = match &der {
            SigningKeyDer::Rsa(key) => key.private_exponent().to_vec(),
            SigningKeyDer::Ec(key) => key.number().to_vec(),
            other => panic!("{other:?}: a key that this case does not know"),
        };
        assert_hidden("SigningKeyDer", &der, &[&number]);
        match backend.signatures().load(&der) {
            Ok(key) => assert_hidden("SignatureKey of the backend", &key, &[&number]),
            Err(error) => assert!(matches!(error, Error::Unsupported(_)), "{error}"),
        }
    }
    for group in group::of(backend) {
        let number = group::private_key(&group, &mut rng);
        let Some(key) = group::load(backend, &group, &number) else { continue };
        assert_hidden("AgreementKey of the backend", &key, &[&number]);
    }
    for kem in KemAlgorithm::ALL {
        let seed = rng.array();
        match backend.key_encapsulation().load_kem(kem, KemPrivateKey::Seed(&seed)) {
            Ok(key) => assert_hidden("DecapsulationKey of the backend", &key, &[&seed]),
            Err(error) => assert!(matches!(error, Error::Unsupported(_)), "{error}"),
        }
        assert_hidden("KemPrivateKey", &KemPrivateKey::Seed(&seed), &[&seed]);
        assert_hidden("KemPrivateKey", &KemPrivateKey::Expanded(&seed), &[&seed]);
    }
    let (ciphers, key) = (backend.record_ciphers(), rng.bytes(32));
    if let Ok(cipher) = ciphers.rc4(&key[..16]) {
        assert_hidden("RC4 of the backend", &cipher, &[&key]);
    }
    for algorithm in CbcAlgorithm::ALL {
        if let Ok(cipher) = ciphers.cbc(algorithm, &key[..algorithm.key_len()]) {
            assert_hidden("CbcCipher of the backend", &cipher, &[&key]);
        }
    }
    for algorithm in AeadAlgorithm::ALL {
        if let Ok(cipher) = ciphers.aead(algorithm, &key[..algorithm.key_len()]) {
            assert_hidden("AeadCipher of the backend", &cipher, &[&key]);
        }
    }
}

/// The master secret and the session keys are read where the application allowed it when it opened
/// the provider, each by itself; records are protected without.
pub fn secrets_are_read_only_where_policy_allows(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256);
    let mut rng = Rng::new(51);
    let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
    let master_secret = exchange.master_secret(&premaster_secret);
    let log_only = Policy { key_export: KeyExportPolicy::Denied, ..POLICY };
    let export_only = Policy { key_log: KeyLogPolicy::Denied, ..POLICY };
    for (policy, log, export) in
        [(Policy::default(), false, false), (log_only, true, false), (export_only, false, true)]
    {
        let provider = Provider::open(backend).with_policy(policy);
        let key = test_key.load(&provider);
        let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
        let keys = master_key.session_keys(&exchange.parameters()).unwrap();
        match master_key.secret_for_key_log() {
            Ok(secret) => assert_eq!(secret.expose(), master_secret.as_slice()),
            Err(error) => assert_eq!(error.status().code(), 0x8009_0010),
        }
        assert_eq!(master_key.secret_for_key_log().is_ok(), log);
        match keys.expose(Side::Client) {
            Ok(_) => assert_eq!(concatenated(&keys), exchange.session_keys(&master_secret)),
            Err(error) => assert_eq!(error.status().code(), 0x8009_0010),
        }
        assert_eq!(keys.expose(Side::Server).is_ok(), export);
        let mut record_key = keys.record_key(Side::Server, RecordOptions::default()).unwrap();
        record_key.encrypt_packet(1, 23, b"text", &mut [0; 128]).unwrap();
    }
}
