//! What clients sign in CertificateVerify, by version and kind of key.

use ssl_provider_core::{Backend, CipherSuite, ClientKey, HashAlgorithm, ProtocolVersion};

use crate::exchange::{Exchange, PROTOCOLS, open};
use crate::reference;

/// From the handshake hash: MD5 and SHA-1 for RSA keys and SHA-1 for others, with the master secret
/// in SSL 3.0; the suite's hash in TLS 1.2. The hash goes on running.
pub fn client_auth_hash_of_every_version(backend: &Backend) {
    for protocol in PROTOCOLS {
        let exchange = Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
        let key = exchange.master_key(backend);
        let secret = *key.secret_for_key_log().unwrap().expose();
        let mut hash = open(backend).handshake_hash(protocol, exchange.suite.id).unwrap();
        let mut messages = Vec::new();
        for part in [b"first".as_slice(), b"", b"second", &[7; 300]] {
            hash.update(part);
            messages.extend(part);
            let for_rsa = match protocol {
                // The construction of Finished without a sender (RFC 6101 section 5.6.8).
                ProtocolVersion::SSL3 => reference::ssl3_verify_data(b"", &secret, &messages),
                _ => reference::handshake_hash(protocol, exchange.suite, &messages),
            };
            let for_others = match protocol {
                ProtocolVersion::TLS1_2 | ProtocolVersion::DTLS1_2 => &for_rsa[..],
                _ => &for_rsa[16..],
            };
            for _ in 0..2 {
                let name = protocol;
                let computed = |kind| key.client_auth_hash(kind, &hash).unwrap();
                assert_eq!(computed(ClientKey::Rsa), for_rsa, "{name}");
                assert_eq!(computed(ClientKey::DsaOrEcdsa), for_others, "{name}");
            }
        }
    }
}

/// In TLS 1.2 a client signs with a hash of its choice, which is not that of the suite.
pub fn client_auth_hash_of_every_algorithm(backend: &Backend) {
    let provider = open(backend);
    for protocol in PROTOCOLS {
        let has_choice = matches!(protocol, ProtocolVersion::TLS1_2 | ProtocolVersion::DTLS1_2);
        let key =
            Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA).master_key(backend);
        for algorithm in HashAlgorithm::ALL {
            let Ok(mut hash) = provider.client_auth_hash(protocol, algorithm) else {
                assert!(!has_choice, "{}", protocol);
                continue;
            };
            assert!(has_choice, "{}", protocol);
            hash.update(b"messages");
            let expected = reference::hash(algorithm, &[b"messages"]);
            for kind in [ClientKey::Rsa, ClientKey::DsaOrEcdsa] {
                assert_eq!(key.client_auth_hash(kind, &hash).unwrap(), expected);
            }
        }
    }
    for version in [0, 0x0002, 0x0304, 0xffff].map(ProtocolVersion) {
        let refused = provider.client_auth_hash(version, HashAlgorithm::Sha256).unwrap_err();
        assert_eq!(refused.status().code(), 0x8009_0027, "{version}");
    }
}

/// A hash of another version is none of what a client of this one signs.
pub fn client_auth_hash_refuses_the_hash_of_another_version(backend: &Backend) {
    let old = [
        ProtocolVersion::SSL3,
        ProtocolVersion::TLS1_0,
        ProtocolVersion::TLS1_1,
        ProtocolVersion::DTLS1_0,
    ];
    for protocol in PROTOCOLS {
        let key =
            Exchange::new(protocol, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA).master_key(backend);
        for other in PROTOCOLS {
            let hash = open(backend)
                .handshake_hash(other, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA)
                .unwrap();
            let computed = key.client_auth_hash(ClientKey::Rsa, &hash);
            let alike = old.contains(&protocol) == old.contains(&other);
            let name = format!("{} with a hash of {}", protocol, other);
            match computed {
                Ok(_) => assert!(alike, "{name}"),
                Err(error) => {
                    assert!(!alike, "{name}");
                    assert_eq!(error.status().code(), 0x8009_0027, "{name}");
                }
            }
        }
    }
}
