//! HMAC: published values, and agreement with the reference for keys of every length.
//! Keys longer than a block are hashed first, which is the branch that is easily missed.

use ssl_provider_core::backend::BAD_OUTPUT_LEN;
use ssl_provider_core::{Backend, HashAlgorithm};

use crate::bytes::{Rng, hex};
use crate::reference;

fn hmac(backend: &Backend, algorithm: HashAlgorithm, key: &[u8], input: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0xa5; algorithm.output_len()];
    backend.hashing().hmac(algorithm, key, input, &mut out).unwrap();
    out
}

/// Values of RFC 2202 and RFC 4231 (test case 2: key "Jefe") come out.
pub fn hmac_known_answers(backend: &Backend) {
    let rows = [
        (HashAlgorithm::Md5, "750c783e6ab0b503eaa86e310a5db738"),
        (HashAlgorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
        (HashAlgorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        (
            HashAlgorithm::Sha384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e\
             8e2240ca5e69e2c78b3239ecfab21649",
        ),
    ];
    for (algorithm, value) in rows {
        let out = hmac(backend, algorithm, b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(out, hex(value), "{}", algorithm.name());
    }
}

/// Keys of 0 to 200 bytes and messages in parts give what the reference says.
pub fn hmac_with_keys_of_any_length(backend: &Backend) {
    let mut rng = Rng::new(3);
    for algorithm in HashAlgorithm::ALL {
        for len in 0..=200 {
            let key = rng.bytes(len);
            let message_len = rng.below(200);
            let message = rng.bytes(message_len);
            let (left, right) = message.split_at(rng.below(message_len + 1));
            let expected = reference::hmac(algorithm, &key, &[&message]);
            let name = algorithm.name();
            assert_eq!(hmac(backend, algorithm, &key, &[&message]), expected, "{name} key {len}");
            assert_eq!(hmac(backend, algorithm, &key, &[left, right]), expected, "{name} parts");
        }
        let nothing = hmac(backend, algorithm, b"key", &[]);
        assert_eq!(nothing, reference::hmac(algorithm, b"key", &[]), "no message");
    }
}

/// Output that is not as long as the hash is refused, and stays as it was.
pub fn hmac_refuses_other_output_lengths(backend: &Backend) {
    for algorithm in HashAlgorithm::ALL {
        let right = algorithm.output_len();
        for len in [0, right - 1, right + 1] {
            let (name, mut out) = (algorithm.name(), vec![0xa5; len]);
            let refused = backend.hashing().hmac(algorithm, b"key", &[b"input"], &mut out);
            assert_eq!(refused, Err(BAD_OUTPUT_LEN), "{name} into {len}");
            assert!(out.iter().all(|byte| *byte == 0xa5), "{name} into {len}");
        }
    }
}
