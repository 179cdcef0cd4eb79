//! The reject key against OpenSSL: our fallback begins like the implicit rejection of
//! draft-irtf-cfrg-rsa-guidance, so its first steps must reproduce OpenSSL's published answers.

use num_bigint::BigUint;

use ssl_provider_core::HashAlgorithm;
use ssl_provider_testkit::bytes::{hex, to_hex};
use ssl_provider_testkit::reference::{hash, hmac};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::vectors::{paragraphs, pem_blocks, value, with_folder};

/// The key derivation key: HMAC of the ciphertext under SHA-256 of the private exponent, both as
/// long as the modulus. [`ssl_provider_testkit::reference::fallback_premaster`] begins so.
fn derivation_key(key: &TestKey, ciphertext: &[u8]) -> Vec<u8> {
    let reject_key = hash(HashAlgorithm::Sha256, &[&key.private_exponent()]);
    hmac(HashAlgorithm::Sha256, &reject_key, &[ciphertext])
}

/// The draft's own expansion, `len` bytes.
fn expand(key: &[u8], label: &[u8], len: usize) -> Vec<u8> {
    let bits = u16::try_from(len * 8).expect("short").to_be_bytes();
    let mut out = Vec::new();
    for counter in 0_u16.. {
        if out.len() >= len {
            break;
        }
        let block = [&counter.to_be_bytes()[..], label, &bits];
        out.extend(hmac(HashAlgorithm::Sha256, key, &block));
    }
    out.truncate(len);
    out
}

/// The message that the draft gives in place of a bad one.
fn synthetic_message(key: &TestKey, ciphertext: &[u8]) -> Vec<u8> {
    let derivation_key = derivation_key(key, ciphertext);
    let longest = key.len() - 2 - 8;
    let mask = longest.next_power_of_two() - 1;
    let len = expand(&derivation_key, b"length", 256)
        .chunks(2)
        .map(|pair| (usize::from(pair[0]) * 256 + usize::from(pair[1])) & mask)
        .rfind(|len| *len < longest)
        .unwrap_or(0);
    expand(&derivation_key, b"message", key.len()).split_off(key.len() - len)
}

/// The message of a well-formed block of any length.
fn unpad(block: &[u8]) -> Option<&[u8]> {
    let [0, 2, rest @ ..] = block else { return None };
    let separator = rest.iter().position(|byte| *byte == 0).filter(|position| *position >= 8)?;
    Some(&rest[separator + 1..])
}

#[test]
fn the_derivation_key_is_that_of_openssl() {
    with_folder(48, |vectors| {
        let text = vectors.text("openssl/evppkey_rsa_common.txt");
        let (mut count, mut synthetic) = (0, 0);
        for name in ["RSA-2048-2", "RSA-2049", "RSA-3072"] {
            let (_, after) = text.split_once(&format!("PrivateKey = {name}\n")).unwrap();
            let key = TestKey::from_der(name, &pem_blocks(after)[0]);
            let exponent = BigUint::from_bytes_be(&key.private_exponent());
            for case in paragraphs(&text) {
                if value(&case, "Decrypt") != Some(name) {
                    continue;
                }
                // OpenSSL takes short ciphertexts for numbers; the draft pads them.
                let number = BigUint::from_bytes_be(&hex(value(&case, "Input").unwrap()));
                let ciphertext = key.left_pad(&number);
                let block = key.left_pad(&number.modpow(&exponent, key.modulus()));
                let message = unpad(&block).map_or_else(
                    || {
                        synthetic += 1;
                        synthetic_message(&key, &ciphertext)
                    },
                    <[u8]>::to_vec,
                );
                let output = value(&case, "Output").unwrap();
                let expected = match output.trim_matches('"') {
                    quoted if quoted.len() != output.len() => quoted.as_bytes().to_vec(),
                    plain => hex(plain),
                };
                assert_eq!(to_hex(&message), to_hex(&expected), "{name} {case:?}");
                count += 1;
            }
        }
        assert!(synthetic >= 20, "{synthetic} synthetic messages");
        count
    });
}
