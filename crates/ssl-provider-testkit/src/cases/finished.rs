//! Finished: lengths of verify_data, and that the handshake hash goes on running.
//! The values themselves are compared in the handshakes of [`super::handshakes`].

use ssl_provider_core::{Backend, CipherSuite, Error, ProtocolVersion, Side};

use super::handshakes::expected_verify_data;
use crate::bytes::flipped;
use crate::exchange::{Exchange, open};

/// TLS gives 12 bytes or more, of which shorter ones are the beginning; SSL 3.0 gives 36.
pub fn finished_has_the_lengths_of_its_protocol(backend: &Backend) {
    for protocol in crate::exchange::PROTOCOLS {
        let exchange = Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
        let key = exchange.master_key(backend);
        let hash = open(backend).handshake_hash(protocol, exchange.suite.id).unwrap();
        let mut longest = [0; 64];
        if protocol != ProtocolVersion::SSL3 {
            key.verify_data(Side::Client, &hash, &mut longest).unwrap();
        }
        for len in 0..=64 {
            let mut out = vec![0xa5; len];
            let result = key.verify_data(Side::Client, &hash, &mut out);
            let good = if protocol == ProtocolVersion::SSL3 { len == 36 } else { len >= 12 };
            assert_eq!(result.is_ok(), good, "{} {len}", protocol);
            match result {
                Ok(()) if protocol == ProtocolVersion::SSL3 => {}
                Ok(()) => assert_eq!(out, longest[..len], "{} {len}", protocol),
                Err(error) => {
                    assert_eq!(error.status().code(), 0x8009_0027, "{}", protocol);
                    assert!(out.iter().all(|byte| *byte == 0xa5), "written on failure");
                }
            }
        }
    }
}

/// The verify_data of a side is taken from that side, but not with any bit flipped, and not when it
/// is shorter or longer.
pub fn finished_is_verified_down_to_a_bit(backend: &Backend) {
    for protocol in crate::exchange::PROTOCOLS {
        let exchange = Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
        let key = exchange.master_key(backend);
        let mut hash = open(backend).handshake_hash(protocol, exchange.suite.id).unwrap();
        hash.update(b"hello");
        let mut good = vec![0; key.verify_data_len()];
        key.verify_data(Side::Client, &hash, &mut good).unwrap();
        let verify = |side, data: &[u8]| key.verify_finished(side, &hash, data);
        let bad = Err(Error::BadFinished);
        assert_eq!(verify(Side::Client, &good), Ok(()), "{}", protocol);
        assert_eq!(verify(Side::Server, &good), bad, "{}", protocol);
        for bit in 0..good.len() * 8 {
            assert_eq!(verify(Side::Client, &flipped(&good, bit)), bad, "{protocol} {bit}");
        }
        for len in 0..good.len() {
            assert_eq!(verify(Side::Client, &good[..len]), bad, "{} {len}", protocol);
        }
        let longer = [&good[..], &[0]].concat();
        assert_eq!(verify(Side::Client, &longer), bad, "{}", protocol);
    }
}

/// A hash of another length would give a verify_data that no peer computes.
pub fn finished_refuses_the_hash_of_another_protocol_or_suite(backend: &Backend) {
    // No two of these share a handshake hash but the first two, in which SSL 3.0 differs by its
    // verify_data alone.
    let kinds = [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, 36),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA, 36),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256, 32),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384, 48),
    ];
    for (protocol, suite, hash_len) in kinds {
        let key = Exchange::new(protocol, suite).master_key(backend);
        for (other, other_suite, other_len) in kinds {
            let hash = open(backend).handshake_hash(other, other_suite).unwrap();
            let mut out = vec![0xa5; if protocol == ProtocolVersion::SSL3 { 36 } else { 12 }];
            let result = key.verify_data(Side::Client, &hash, &mut out);
            let name = format!("{} with a hash of {}", protocol, other);
            assert_eq!(result.is_ok(), hash_len == other_len, "{name}");
            if let Err(error) = result {
                assert_eq!(error.status().code(), 0x8009_0027, "{name}");
                assert!(out.iter().all(|byte| *byte == 0xa5), "{name}: written on failure");
            }
        }
    }
}

/// Asking for verify_data or for the hash so far does not end or change the running hash, and a
/// duplicate goes its own way.
pub fn finished_leaves_the_hash_running(backend: &Backend) {
    for (protocol, suite) in [
        (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384),
    ] {
        let exchange = Exchange::new(protocol, suite);
        let key = exchange.master_key(backend);
        let secret = *key.secret_for_key_log().unwrap().expose();
        let mut hash = open(backend).handshake_hash(protocol, suite).unwrap();
        let mut aside = hash.duplicate();
        aside.update(b"of no interest");
        let mut messages = Vec::new();
        for part in [b"first".as_slice(), b"", b"second", &[7; 300]] {
            hash.update(part);
            messages.extend(part);
            for side in [Side::Client, Side::Server] {
                let expected =
                    expected_verify_data(protocol, exchange.suite, side, &secret, &messages);
                let mut out = vec![0; expected.len()];
                for _ in 0..2 {
                    key.verify_data(side, &hash, &mut out).unwrap();
                    assert_eq!(out, expected, "{} {side:?}", protocol);
                }
            }
            let current = hash.duplicate().current().unwrap();
            let expected = crate::reference::handshake_hash(protocol, exchange.suite, &messages);
            assert_eq!(current, expected, "{}", protocol);
        }
    }
}
