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

use ssl_provider_core::{
    Error, KeyExchangeBackend, KeyLogPolicy, Policy, Protocol, Provider, RsaPrivateKeyDer, Side,
};

use crate::bytes::{Rng, to_hex};
use crate::exchange::{Exchange, POLICY, concatenated, open};
use crate::rsa_key::TestKey;

/// Asserts that the printed forms show none of the secrets, in any usual notation.
fn assert_hidden(what: &str, value: &dyn Debug, secrets: &[&[u8]]) {
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
pub fn secrets_are_not_in_debug_output(backend: &'static dyn KeyExchangeBackend) {
    let provider = open(backend);
    let test_key = TestKey::rsa_1024();
    let der = RsaPrivateKeyDer::from_der(&test_key.der).unwrap();
    let mut key_secrets = vec![der.private_exponent()];
    key_secrets.extend(der.primes());
    key_secrets.extend(der.crt_parts());
    let key = test_key.load(&provider);
    let raw_key = backend.load_rsa_private_key(&der).unwrap();
    assert_hidden("RsaPrivateKeyDer", &der, &key_secrets);
    assert_hidden("PrivateKey", &key, &key_secrets);
    assert_hidden("RsaPrivateKey of the backend", &raw_key, &key_secrets);
    assert_hidden("Provider", &provider, &key_secrets);

    let exchange = Exchange::new(Protocol::Tls1_0, 0x002F);
    let mut rng = Rng::new(50);
    let premaster_secret = exchange.premaster_secret(&mut rng);
    let ciphertext = test_key.encrypt(&test_key.pad(&premaster_secret, &mut rng));
    let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
    let master_secret = master_key.secret_for_key_log().unwrap();
    let session_keys = master_key.session_keys(&exchange.parameters()).unwrap();
    let session_secrets = concatenated(&session_keys);
    let secrets: [&[u8]; 3] = [&premaster_secret, master_secret.expose(), &session_secrets];
    assert_hidden("MasterKey", &master_key, &secrets);
    assert_hidden("MasterSecret", master_secret, &secrets);
    assert_hidden("SessionKeys", &session_keys, &secrets);

    let mut hash = provider.handshake_hash(0x0301, 0x002F).unwrap();
    hash.update(master_secret.expose());
    assert_hidden("HandshakeHash", &hash, &[&hash.current().unwrap(), master_secret.expose()]);
    let mut context = backend.hash_context(ssl_provider_core::HashAlgorithm::Sha256).unwrap();
    context.update(master_secret.expose());
    assert_hidden("HashContext of the backend", &context, &secrets);
}

/// The master secret is read where the application allowed it when it opened the provider, and
/// nowhere else; everything else works without.
pub fn secrets_are_read_only_where_policy_allows(backend: &'static dyn KeyExchangeBackend) {
    let test_key = TestKey::rsa_1024();
    let exchange = Exchange::new(Protocol::Tls1_2, 0x003C);
    let mut rng = Rng::new(51);
    let premaster_secret = exchange.premaster_secret(&mut rng);
    let ciphertext = test_key.encrypt(&test_key.pad(&premaster_secret, &mut rng));
    let denied = Policy { key_log: KeyLogPolicy::Denied, ..POLICY };
    for provider in [Provider::open(backend), Provider::open(backend).with_policy(denied)] {
        let key = test_key.load(&provider);
        let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
        let error = master_key.secret_for_key_log().unwrap_err();
        assert!(matches!(error, Error::NotAllowed(_)));
        assert_eq!(error.status().code(), 0x8009_0010);
        let keys = master_key.session_keys(&exchange.parameters()).unwrap();
        let expected = exchange.session_keys(&exchange.master_secret(&premaster_secret));
        assert_eq!(concatenated(&keys), expected);
        assert_eq!(keys.write_key(Side::Client).len(), 16);
    }
}
