//! Key encapsulation and the hybrid groups between backends: each is the client of each, itself
//! included, and each is its server.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use ssl_provider::backend::KemPrivateKey;
use ssl_provider::{
    Backend, CipherSuite, Group, HybridGroup, KEM_SECRET_LEN, KemAlgorithm, Operation, Provider,
    backends,
};
use ssl_provider_testkit::cases::hybrid::traffic_secrets;
use ssl_provider_testkit::exchange::POLICY;

/// Every pair of backends that both have all these operations.
fn pairs(operations: &[Operation]) -> Vec<(Backend, Backend)> {
    let has_all = |backend: &Backend| {
        operations.iter().all(|operation| backend.support(*operation).is_supported())
    };
    let able: Vec<Backend> = backends().into_iter().filter(has_all).collect();
    let with_each = |one: &Backend| -> Vec<_> {
        able.iter().map(|other| (one.clone(), other.clone())).collect()
    };
    able.iter().flat_map(with_each).collect()
}

/// Only an OpenSSL before 3.5 lacks ML-KEM.
fn assert_not_vacuous(pairs: &[(Backend, Backend)]) {
    let able = backends().iter().filter(|backend| backend.info().name != "openssl").count();
    assert!(pairs.len() >= able * able, "{} pairs of {able} backends", pairs.len());
}

#[test]
fn hybrid_groups_have_one_secret_between_any_two_backends() {
    for group in HybridGroup::ALL {
        let pairs = pairs(&[Operation::Ecdh(group.curve()), Operation::Kem(group.kem())]);
        assert_not_vacuous(&pairs);
        for (client, server) in pairs {
            let what =
                format!("{}: {} and {}", group.name(), client.info().name, server.info().name);
            let [client, server] =
                [client, server].map(|backend| Provider::open(backend).with_policy(POLICY));
            for suite in [CipherSuite::TLS_AES_128_GCM_SHA256, CipherSuite::TLS_AES_256_GCM_SHA384]
            {
                let own = client.generate_ephemeral_key(group).unwrap();
                let to_server = Group::from(group).public_key(own.public_key()).unwrap();
                let answer = server.answer_ephemeral_key(&to_server).unwrap();
                let to_client = Group::from(group).public_key(answer.public_key()).unwrap();
                let sides = [(&client, own, to_client), (&server, answer, to_server)];
                let [of_client, of_server] = sides.map(|(provider, key, peer)| {
                    let connection = provider.tls13_parameters(suite).unwrap();
                    traffic_secrets(&connection, b"hellos", key, &peer).unwrap()
                });
                assert_eq!(of_client, of_server, "{what}");
            }
        }
    }
}

#[test]
fn what_one_backend_encapsulates_another_decapsulates() {
    for kem in KemAlgorithm::ALL {
        let pairs = pairs(&[Operation::Kem(kem), Operation::KemLoad(kem)]);
        assert_not_vacuous(&pairs);
        for (one, other) in pairs {
            let what = format!("{}: {} and {}", kem.name(), one.info().name, other.info().name);
            let (receiver, sender) = (one.key_encapsulation(), other.key_encapsulation());
            let mut ciphertext = vec![0; kem.ciphertext_len()];
            let [mut sent, mut received] = [[0; KEM_SECRET_LEN]; 2];
            let key = receiver.generate_kem(kem).unwrap();
            sender.encapsulate(kem, key.encapsulation_key(), &mut ciphertext, &mut sent).unwrap();
            key.decapsulate(&ciphertext, &mut received).unwrap();
            assert_eq!(received, sent, "{what}");

            // From one seed and the same random bytes all is the same, rejection too.
            let seed = [0x2c; 64];
            let load = |library: &Backend| {
                library.key_encapsulation().load_kem(kem, KemPrivateKey::Seed(&seed)).unwrap()
            };
            let (key, same) = (load(&one), load(&other));
            let ek = key.encapsulation_key().to_vec();
            assert_eq!(same.encapsulation_key(), ek, "{what}");
            sender.encapsulate_with(kem, &ek, &[9; 32], &mut ciphertext, &mut sent).unwrap();
            key.decapsulate(&ciphertext, &mut received).unwrap();
            assert_eq!(received, sent, "{what}");
            ciphertext[3] ^= 1;
            load(&one).decapsulate(&ciphertext, &mut received).unwrap();
            same.decapsulate(&ciphertext, &mut sent).unwrap();
            assert_eq!(received, sent, "{what}");
        }
    }
}
