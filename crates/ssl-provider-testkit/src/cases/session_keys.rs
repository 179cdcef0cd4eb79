//! Session keys: how the key block is cut, and what the parameter list must hold for it.
//! Export suites derive twice, which no other case reaches.

use ssl_provider_core::{
    Backend, CipherSuite, CipherSuiteInfo, HashAlgorithm, ParameterList, ProtocolVersion, Side,
};

use crate::exchange::{Exchange, concatenated};
use crate::reference;

/// Each part has the length that the suite and the version say, and lies where RFC 5246
/// section 6.3 puts it.
pub fn session_keys_are_cut_from_the_key_block_in_order(backend: &Backend) {
    // Protocol, suite, length of MAC key, write key and initialisation vector.
    let rows = [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA, 20, 32, 16),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA, 20, 32, 16),
        (ProtocolVersion::TLS1_1, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA, 20, 32, 0),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256, 32, 32, 0),
        (ProtocolVersion::DTLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, 20, 16, 0),
        (ProtocolVersion::DTLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256, 0, 16, 4),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA, 20, 24, 8),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_RC4_128_MD5, 16, 16, 0),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_NULL_SHA, 20, 0, 0),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_NULL_SHA256, 32, 0, 0),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384, 0, 32, 4),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CCM_8, 0, 16, 4),
    ];
    for (protocol, suite, mac_len, key_len, iv_len) in rows {
        let exchange = Exchange::new(protocol, suite);
        let key = exchange.master_key(backend);
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
pub fn session_keys_of_export_suites_are_derived_again(backend: &Backend) {
    let mut count = 0;
    for suite in CipherSuiteInfo::all() {
        for protocol in [ProtocolVersion::SSL3, ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1] {
            if suite.key_exchange != ssl_provider_core::KeyExchange::RsaExport
                || !suite.allows(protocol)
            {
                continue;
            }
            let exchange = Exchange::new(protocol, suite.id);
            let key = exchange.master_key(backend);
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
pub fn session_keys_take_both_randoms_from_the_list(backend: &Backend) {
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256);
    let key = exchange.master_key(backend);
    let secret = *key.secret_for_key_log().unwrap().expose();
    let both = ParameterList::new().client_random([1; 32]).server_random([2; 32]);
    let keys = concatenated(&key.session_keys(&both).unwrap());
    let resumed = Exchange { client_random: [1; 32], server_random: [2; 32], ..exchange };
    assert_eq!(keys, resumed.session_keys(&secret));
    let more = both.highest_version(ProtocolVersion::TLS1_0).session_hash(&[3; 32]).unwrap();
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
