//! The TLS PRF: published vectors, and agreement with the reference for secrets, seeds and outputs
//! of any length.

use ssl_provider_core::{Backend, PrfAlgorithm};

use crate::bytes::{Rng, hex};
use crate::reference;
use crate::vectors::{colon_lines, paragraphs, value, with_folder};

fn prf(
    backend: &Backend,
    algorithm: PrfAlgorithm,
    secret: &[u8],
    label: &[u8],
    seed: &[&[u8]],
    len: usize,
) -> Vec<u8> {
    let mut out = vec![0xa5; len];
    backend.hashing().prf(algorithm, secret, label, seed, &mut out).unwrap();
    out
}

/// The values that the TLS working group's mailing list agreed on for TLS 1.2 (message 03416).
pub fn prf_ietf_known_answers(backend: &Backend) {
    let rows = [
        (
            PrfAlgorithm::Sha256,
            "9bbe436ba940f017b17652849a71db35",
            "a0ba9f936cda311827a6f796ffd5198c",
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9\
             c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789ba\
             a48082d122ee42c5a72e5a5110fff70187347b66",
        ),
        (
            PrfAlgorithm::Sha384,
            "b80b733d6ceefcdc71566ea48e5567df",
            "cd665cf6a8447dd6ff8b27555edb7465",
            "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe3\
             4f82b1233c9146a0e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3\
             d416d473ebc2c5fd4abfdad05d9184259b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236\
             a3e52655c9e9aee691c8f3a26854308d5eaa3be85e0990703d73e56f",
        ),
    ];
    for (algorithm, secret, seed, output) in rows {
        let output = hex(output);
        let out = prf(backend, algorithm, &hex(secret), b"test label", &[&hex(seed)], output.len());
        assert_eq!(out, output, "{}", algorithm.name());
    }
}

/// Secrets of 0 to 130 bytes: halves that share a byte, keys longer than a block, and none at all.
pub fn prf_secret_of_any_length(backend: &Backend) {
    let mut rng = Rng::new(4);
    for algorithm in PrfAlgorithm::ALL {
        for len in (0..=130).chain([255, 256, 257, 1024]) {
            let (secret, seed) = (rng.bytes(len), rng.bytes(64));
            let expected = reference::prf(algorithm, &secret, b"label", &[&seed], 104);
            let out = prf(backend, algorithm, &secret, b"label", &[&seed], 104);
            assert_eq!(out, expected, "{} secret of {len}", algorithm.name());
        }
    }
}

/// Outputs of 0 to 200 bytes are the beginnings of one another and of what the reference says.
pub fn prf_output_of_any_length(backend: &Backend) {
    let mut rng = Rng::new(5);
    let (secret, seed) = (rng.bytes(48), rng.bytes(64));
    for algorithm in PrfAlgorithm::ALL {
        let longest = reference::prf(algorithm, &secret, b"key expansion", &[&seed], 1000);
        for len in (0..=200).chain([1000]) {
            let out = prf(backend, algorithm, &secret, b"key expansion", &[&seed], len);
            assert_eq!(out, longest[..len], "{} output of {len}", algorithm.name());
        }
    }
}

/// Label and parts of the seed are one string, wherever they are cut, and may be empty.
pub fn prf_label_and_seed_are_one_string(backend: &Backend) {
    let mut rng = Rng::new(6);
    for algorithm in PrfAlgorithm::ALL {
        for _ in 0..200 {
            let (secret, len) = (rng.bytes(48), rng.below(200));
            let text = rng.bytes(len);
            let (label, seed) = text.split_at(rng.below(len + 1));
            let (first, second) = seed.split_at(rng.below(seed.len() + 1));
            let whole = prf(backend, algorithm, &secret, &text, &[], 48);
            assert_eq!(whole, reference::prf(algorithm, &secret, &text, &[], 48));
            assert_eq!(prf(backend, algorithm, &secret, label, &[first, &[], second], 48), whole);
            assert_eq!(prf(backend, algorithm, &secret, &[], &[label, seed], 48), whole);
        }
    }
}

/// The TLS1-PRF cases of OpenSSL's own tests that expect an output and use a hash that we have.
pub fn prf_openssl_vectors(backend: &Backend) {
    // 15 expect an output; two of them use SHA-512/256.
    with_folder(13, |vectors| {
        let files = ["evpkdf_tls11_prf.txt", "evpkdf_tls12_prf.txt", "evppkey_kdf_tls1_prf.txt"];
        let mut count = 0;
        for file in files {
            for case in paragraphs(&vectors.text(&format!("openssl/{file}"))) {
                let digest = value(&case, "Ctrl.digest").or(value(&case, "Ctrl.md"));
                let algorithm = match digest.and_then(|digest| digest.split_once(':')) {
                    Some((_, "MD5-SHA1")) => PrfAlgorithm::Md5Sha1,
                    Some((_, "SHA256")) => PrfAlgorithm::Sha256,
                    Some((_, "SHA384")) => PrfAlgorithm::Sha384,
                    _ => continue,
                };
                let (None, Some(output)) = (value(&case, "Result"), value(&case, "Output")) else {
                    continue;
                };
                let mut secret = Vec::new();
                let mut seed = Vec::new();
                for (_, argument) in case.iter().filter(|(name, _)| name.starts_with("Ctrl.")) {
                    match argument.split_once(':').unwrap() {
                        ("hexsecret", text) => secret = hex(text),
                        ("seed", text) => seed.extend(text.as_bytes()),
                        ("hexseed", text) => seed.extend(hex(text)),
                        ("digest" | "md" | "key-check", _) => {}
                        (unknown, _) => panic!("{file}: {unknown}"),
                    }
                }
                let output = hex(output);
                let out = prf(backend, algorithm, &secret, &[], &[&seed], output.len());
                assert_eq!(out, output, "{file}: {case:?}");
                count += 1;
            }
        }
        count
    });
}

/// Botan's PRF cases: 32 of TLS 1.0 with outputs of 1 to 32 bytes, and TLS 1.2 with our hashes.
pub fn prf_botan_vectors(backend: &Backend) {
    with_folder(34, |vectors| {
        let text = vectors.text("botan/tls_prf.vec");
        let mut count = 0;
        for section in text.split("\n[").map(|section| section.trim_start_matches('[')) {
            let (name, body) = section.split_once(']').unwrap();
            let algorithm = match name {
                "TLS-PRF" => PrfAlgorithm::Md5Sha1,
                "TLS-12-PRF(HMAC(SHA-256))" => PrfAlgorithm::Sha256,
                "TLS-12-PRF(HMAC(SHA-384))" => PrfAlgorithm::Sha384,
                _ => continue,
            };
            for case in paragraphs(body) {
                let part = |name| hex(value(&case, name).unwrap_or_default());
                let output = part("Output");
                let (label, salt) = (part("Label"), part("Salt"));
                let out = prf(backend, algorithm, &part("Secret"), &label, &[&salt], output.len());
                assert_eq!(out, output, "{name}: {case:?}");
                count += 1;
            }
        }
        count
    });
}

/// Mbed TLS: the PRF of each version, and the TLS 1.2 PRF of its PSA interface.
pub fn prf_mbedtls_vectors(backend: &Backend) {
    // 4 of the first file (its fifth is SSL 3.0), 10 and 6 of the second.
    with_folder(20, |vectors| {
        let mut count = 0;
        for case in colon_lines(&vectors.text("mbedtls/ssl_prf.data"), "ssl_tls_prf") {
            let [algorithm, secret, seed, label, output, "0"] = case[..] else { continue };
            let algorithm = match algorithm {
                "MBEDTLS_SSL_TLS_PRF_TLS1" => PrfAlgorithm::Md5Sha1,
                "MBEDTLS_SSL_TLS_PRF_SHA256" => PrfAlgorithm::Sha256,
                "MBEDTLS_SSL_TLS_PRF_SHA384" => PrfAlgorithm::Sha384,
                _ => continue,
            };
            let (secret, seed, output) = (hex(secret), hex(seed), hex(output));
            let out = prf(backend, algorithm, &secret, label.as_bytes(), &[&seed], output.len());
            assert_eq!(out, output, "{case:?}");
            count += 1;
        }
        for case in colon_lines(&vectors.text("mbedtls/psa_tls12_prf.data"), "derive_output") {
            let [algorithm, _, seed, _, secret, _, label, _, first, second] = case[..] else {
                panic!("another shape: {case:?}");
            };
            let hash = if algorithm.contains("SHA_384") {
                PrfAlgorithm::Sha384
            } else {
                PrfAlgorithm::Sha256
            };
            let secret = if algorithm.contains("PSK_TO_MS") {
                premaster_of_pre_shared_key(&hex(secret))
            } else {
                hex(secret)
            };
            let output = [hex(first), hex(second)].concat();
            let out = prf(backend, hash, &secret, &hex(label), &[&hex(seed)], output.len());
            assert_eq!(out, output, "{case:?}");
            count += 1;
        }
        count
    });
}

/// RFC 4279 section 2: as many zeros as the key is long, then the key, each after its length.
fn premaster_of_pre_shared_key(key: &[u8]) -> Vec<u8> {
    let len = u16::try_from(key.len()).unwrap().to_be_bytes();
    [&len, vec![0; key.len()].as_slice(), &len, key].concat()
}
