//! Master keys of pre-shared keys (RFC 4279, RFC 5487).

use ssl_provider_core::{Backend, CipherSuiteInfo, Error, ParameterList, ProtocolVersion, Side};

use crate::bytes::Rng;
use crate::exchange::{Exchange, open};
use crate::reference;

/// Every PSK suite in every version that it has, on either side, with keys of several lengths.
pub fn psk_master_keys_are_those_of_rfc_4279(backend: &Backend) {
    let provider = open(backend);
    let mut rng = Rng::new(0x4279);
    let mut count = 0;
    for suite in CipherSuiteInfo::all().iter().filter(|suite| suite.key_exchange.is_psk()) {
        let versions = ProtocolVersion::ALL.into_iter();
        for version in versions.filter(|version| suite.allows(*version)) {
            let exchange = Exchange::new(version, suite.id);
            for (len, side) in [(1, Side::Client), (32, Side::Server), (64, Side::Client)] {
                let psk = rng.bytes(len);
                let parameters = exchange.parameters();
                let master_key = provider
                    .generate_psk_master_key(&psk, version, suite.id, &parameters, side)
                    .unwrap();
                assert_eq!(master_key.side(), side);
                let len = u16::try_from(len).unwrap().to_be_bytes();
                let premaster = [&len[..], &vec![0; psk.len()], &len, &psk].concat();
                let (client, server) = (exchange.client_random, exchange.server_random);
                let expected =
                    reference::master_secret(version, suite, &premaster, &client, &server);
                let secret = master_key.secret_for_key_log().unwrap();
                assert_eq!(secret.expose()[..], expected, "{version} {}", suite.name);
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count}");
}

/// Empty keys, keys of more than 1024 bytes, suites of another key exchange and lists without
/// randoms are refused.
pub fn psk_lengths_and_suites_are_checked(backend: &Backend) {
    let provider = open(backend);
    let tls1_2 = ProtocolVersion::TLS1_2;
    let list = Exchange::tls1_2().parameters();
    let attempt = |psk: &[u8], suite, list: &ParameterList| {
        provider.generate_psk_master_key(psk, tls1_2, suite, list, Side::Client).map(drop)
    };
    let psk_suite = ssl_provider_core::CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256;
    for (len, good) in [(0, false), (1, true), (1024, true), (1025, false), (70_000, false)] {
        assert_eq!(attempt(&vec![7; len], psk_suite, &list).is_ok(), good, "{len}");
    }
    for suite in CipherSuiteInfo::all() {
        if suite.allows(tls1_2) && !suite.key_exchange.is_psk() {
            let refused = Err(Error::UnsupportedSuite { given: suite.id.0 });
            assert_eq!(attempt(&[7; 32], suite.id, &list), refused, "{}", suite.name);
        }
    }
    let without = attempt(&[7; 32], psk_suite, &ParameterList::new());
    assert!(matches!(without, Err(Error::InvalidParameter(_))), "{without:?}");
}
