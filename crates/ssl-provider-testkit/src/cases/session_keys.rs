//! Session keys: how the key block is cut, and what the parameter list must hold for it.
//! Export suites derive twice, which no other case reaches.

use ssl_provider_core::{
    CipherSuite, HashAlgorithm, KeyExchangeBackend, MasterKey, ParameterList, Protocol, Side,
};

use crate::bytes::Rng;
use crate::exchange::{Exchange, concatenated, open};
use crate::reference;
use crate::rsa_key::TestKey;

fn imported(backend: &'static dyn KeyExchangeBackend, exchange: &Exchange) -> MasterKey {
    let provider = open(backend);
    let test_key = TestKey::rsa_1024();
    let mut rng = Rng::new(9);
    let premaster_secret = exchange.premaster_secret(&mut rng);
    let ciphertext = test_key.encrypt(&test_key.pad(&premaster_secret, &mut rng));
    exchange.import(&provider, &test_key.load(&provider), &ciphertext).unwrap()
}

/// Each part has the length that the suite and the version say, and lies where RFC 5246
/// section 6.3 puts it.
pub fn session_keys_are_cut_from_the_key_block_in_order(backend: &'static dyn KeyExchangeBackend) {
    // Protocol, suite, length of MAC key, write key and initialisation vector.
    let rows = [
        (Protocol::Ssl3, 0x0035, 20, 32, 16),
        (Protocol::Tls1_0, 0x0035, 20, 32, 16),
        (Protocol::Tls1_1, 0x0035, 20, 32, 0),
        (Protocol::Tls1_2, 0x003D, 32, 32, 0),
        (Protocol::Dtls1_0, 0x002F, 20, 16, 0),
        (Protocol::Dtls1_2, 0x009C, 0, 16, 4),
        (Protocol::Tls1_0, 0x000A, 20, 24, 8),
        (Protocol::Tls1_0, 0x0004, 16, 16, 0),
        (Protocol::Tls1_0, 0x0002, 20, 0, 0),
        (Protocol::Tls1_2, 0x003B, 32, 0, 0),
        (Protocol::Tls1_2, 0x009D, 0, 32, 4),
        (Protocol::Tls1_2, 0xC0A0, 0, 16, 4),
    ];
    for (protocol, suite, mac_len, key_len, iv_len) in rows {
        let exchange = Exchange::new(protocol, suite);
        let key = imported(backend, &exchange);
        let secret = *key.secret_for_key_log().unwrap().expose();
        let keys = key.session_keys(&exchange.parameters()).unwrap();
        let block = reference::key_block(
            protocol,
            exchange.suite,
            &secret,
            &exchange.client_random,
            &exchange.server_random,
            2 * (mac_len + key_len + iv_len),
        );
        let mut rest = block.as_slice();
        let mut next = |len| {
            let (part, after) = rest.split_at(len);
            rest = after;
            part
        };
        let name = exchange.suite.name;
        let [client, server] = [Side::Client, Side::Server].map(|side| keys.expose(side).unwrap());
        assert_eq!(client.mac_key, next(mac_len), "{name}");
        assert_eq!(server.mac_key, next(mac_len), "{name}");
        assert_eq!(client.write_key, next(key_len), "{name}");
        assert_eq!(server.write_key, next(key_len), "{name}");
        assert_eq!(client.write_iv, next(iv_len), "{name}");
        assert_eq!(server.write_iv, next(iv_len), "{name}");
    }
}

/// Export suites shorten what the block gives and derive the keys that are used from that.
pub fn session_keys_of_export_suites_are_derived_again(backend: &'static dyn KeyExchangeBackend) {
    let mut count = 0;
    for suite in CipherSuite::all() {
        for protocol in [Protocol::Ssl3, Protocol::Tls1_0, Protocol::Tls1_1] {
            if suite.key_exchange != ssl_provider_core::cipher_suite::KeyExchange::RsaExport
                || !suite.allows(protocol)
            {
                continue;
            }
            let exchange = Exchange::new(protocol, suite.id);
            let key = imported(backend, &exchange);
            let secret = *key.secret_for_key_log().unwrap().expose();
            let keys = key.session_keys(&exchange.parameters()).unwrap();
            assert_eq!(concatenated(&keys), exchange.session_keys(&secret), "{}", suite.name);
            assert_eq!(keys.expose(Side::Client).unwrap().write_key.len(), suite.cipher.key_len);
            count += 1;
        }
    }
    // Five suites of the table in three versions.
    assert_eq!(count, 15);
}

/// Both randoms are needed, whatever else is in the list, and nothing else counts: a resumed
/// session has randoms of its own.
pub fn session_keys_take_both_randoms_from_the_list(backend: &'static dyn KeyExchangeBackend) {
    let exchange = Exchange::new(Protocol::Tls1_2, 0x003C);
    let key = imported(backend, &exchange);
    let secret = *key.secret_for_key_log().unwrap().expose();
    let both = ParameterList::new().client_random([1; 32]).server_random([2; 32]);
    let keys = concatenated(&key.session_keys(&both).unwrap());
    let resumed = Exchange { client_random: [1; 32], server_random: [2; 32], ..exchange };
    assert_eq!(keys, resumed.session_keys(&secret));
    let more = both.highest_version(0x0301).session_hash(&[3; 32]).unwrap();
    assert_eq!(concatenated(&key.session_keys(&more).unwrap()), keys);

    for incomplete in [
        ParameterList::new(),
        ParameterList::new().client_random([1; 32]),
        ParameterList::new().server_random([2; 32]),
        ParameterList::new().session_hash(&[3; 32]).unwrap(),
    ] {
        let error = key.session_keys(&incomplete).unwrap_err();
        assert_eq!(error.status().code(), 0x8009_0027);
    }
    assert_eq!(HashAlgorithm::Sha256.output_len(), 32);
}
