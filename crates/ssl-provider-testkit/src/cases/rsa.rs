//! The raw RSA operations: every key size, every leading zero kept, every shape of key.
//! The trait promises core 1 < ciphertext < n - 1, so that is what these ask.

use num_bigint::BigUint;

use ssl_provider_core::backend::{BAD_BLOCK_LEN, BAD_PUBLIC_KEY, RsaPrivateKey};
use ssl_provider_core::{Backend, Error, Operation, PublicKeyDer, RsaPrivateKeyDer};

use crate::bytes::Rng;
use crate::rsa_key::TestKey;
use crate::signature::{rsa_public_key, signers};

fn load(backend: &Backend, key: &TestKey) -> Box<dyn RsaPrivateKey> {
    let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
    backend.rsa_decryption().load(&der).unwrap_or_else(|error| panic!("{}: {error}", key.name))
}

fn decrypt(key: &dyn RsaPrivateKey, ciphertext: &[u8]) -> Vec<u8> {
    // Not zeros, so that a leading zero which is not written shows.
    let mut block = vec![0xa5; key.modulus_len()];
    key.decrypt_raw(ciphertext, &mut block).unwrap();
    block
}

/// Keys of 1024 to 8192 bits, with exponent 3, with the smaller prime first, with a modulus that
/// no word size divides: decryption undoes encryption.
pub fn rsa_decrypts_with_every_size_of_key(backend: &Backend) {
    let mut rng = Rng::new(10);
    for test_key in TestKey::all() {
        let key = load(backend, &test_key);
        assert_eq!(key.modulus_len(), test_key.len(), "{}", test_key.name);
        let rounds = if test_key.len() <= 256 { 8 } else { 2 };
        for _ in 0..rounds {
            let number = BigUint::from_bytes_be(&rng.bytes(test_key.len())) % test_key.modulus();
            let block = test_key.left_pad(&number);
            let ciphertext = test_key.encrypt(&block);
            assert_eq!(decrypt(key.as_ref(), &ciphertext), block, "{}", test_key.name);
        }
    }
}

/// Blocks with 1 to k-1 leading zero bytes keep them all: the output is never shortened.
pub fn rsa_keeps_leading_zeros(backend: &Backend) {
    let mut rng = Rng::new(11);
    let test_key = TestKey::rsa_1024();
    let key = load(backend, &test_key);
    for zeros in 0..test_key.len() {
        let mut block = rng.bytes(test_key.len());
        block[..zeros].fill(0);
        block[0] &= 0x7f;
        // Neither 0 nor 1, which are not asked.
        *block.last_mut().unwrap() |= 2;
        let ciphertext = test_key.encrypt(&block);
        assert_eq!(decrypt(key.as_ref(), &ciphertext), block, "{zeros} leading zeros");
    }
}

/// The smallest and largest ciphertexts of the promise, and ones with leading zeros, decrypt to
/// something that encrypts back.
pub fn rsa_decrypts_ciphertexts_at_the_edges(backend: &Backend) {
    for test_key in [TestKey::rsa_1024(), TestKey::rsa_2056(), TestKey::rsa_2048_e3()] {
        let key = load(backend, &test_key);
        let one = BigUint::from(1u8);
        let edges = [
            &one + 1u8,
            &one + 2u8,
            (&one << 64) + 1u8,
            &one << 500,
            test_key.modulus() - 2u8,
            test_key.modulus() - 3u8,
            test_key.modulus() >> 8,
        ];
        for edge in edges {
            let ciphertext = test_key.left_pad(&edge);
            let block = decrypt(key.as_ref(), &ciphertext);
            assert_eq!(test_key.encrypt(&block), ciphertext, "{} {edge}", test_key.name);
        }
    }
}

/// The same question has the same answer, blinded or not.
pub fn rsa_answers_alike_every_time(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let key = load(backend, &test_key);
    let ciphertext = test_key.left_pad(&BigUint::from(0x1234_5678_9abc_def0_u64));
    let block = decrypt(key.as_ref(), &ciphertext);
    for _ in 0..100 {
        assert_eq!(decrypt(key.as_ref(), &ciphertext), block);
    }
    assert_eq!(decrypt(load(backend, &test_key).as_ref(), &ciphertext), block);
}

/// Encrypts a block with a backend.
fn encrypt(backend: &Backend, public_key: &[u8], block: &[u8]) -> Result<Vec<u8>, Error> {
    let key = PublicKeyDer::from_der(public_key).unwrap();
    let mut ciphertext = vec![0xa5; block.len()];
    backend.rsa_encryption().encrypt_raw(&key, block, &mut ciphertext).map(|()| ciphertext)
}

/// With every size of key, blocks are encrypted as plain arithmetic does it: any block, a short
/// number, and blocks whose ciphertext begins with a zero, which it keeps.
pub fn rsa_encrypts_as_the_reference(backend: &Backend) {
    if !backend.support(Operation::RsaEncryptRaw).is_supported() {
        return;
    }
    let mut rng = Rng::new(16);
    for test_key in TestKey::all() {
        let public_key = rsa_public_key(&test_key);
        let mut random = || [&[0], &rng.bytes(test_key.len() - 1)[..]].concat();
        let mut blocks = vec![random(), random(), test_key.left_pad(&BigUint::from(7_u8))];
        if test_key.len() <= 256 {
            // One ciphertext in 256 at most, since a modulus has its top bit.
            let found = (0..8192).map(|_| random()).find(|block| test_key.encrypt(block)[0] == 0);
            blocks.push(found.expect("one of 256 ciphertexts begins with a zero"));
        }
        for block in blocks {
            let expected = test_key.encrypt(&block);
            assert_eq!(encrypt(backend, &public_key, &block), Ok(expected), "{}", test_key.name);
        }
    }
    let on_a_curve = signers().pop().unwrap().public_key;
    assert_eq!(encrypt(backend, &on_a_curve, &[0; 66]), Err(BAD_PUBLIC_KEY));
}

/// Ciphertexts and blocks of another length than the modulus are refused, and nothing is written.
/// Core never passes one; a library that pads or cuts them computes something else.
pub fn rsa_lengths_are_checked(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let (key, public_key) = (load(backend, &test_key), rsa_public_key(&test_key));
    let public_key = PublicKeyDer::from_der(&public_key).unwrap();
    let encrypts = backend.support(Operation::RsaEncryptRaw).is_supported();
    let len = test_key.len();
    for (input_len, output_len) in [
        (len - 1, len),
        (len + 1, len),
        (len, len - 1),
        (len, len + 1),
        (len - 1, len - 1),
        (len + 1, len + 1),
        (0, len),
    ] {
        let (mut input, mut output) = (vec![3; input_len], vec![0xa5; output_len]);
        if let Some(first) = input.first_mut() {
            *first = 0;
        }
        let what = format!("{input_len} into {output_len} bytes");
        assert_eq!(key.decrypt_raw(&input, &mut output), Err(BAD_BLOCK_LEN), "{what}");
        if encrypts {
            let encrypted = backend.rsa_encryption().encrypt_raw(&public_key, &input, &mut output);
            assert_eq!(encrypted, Err(BAD_BLOCK_LEN), "{what}");
        }
        assert!(output.iter().all(|byte| *byte == 0xa5), "{what}");
    }
}
