//! Key files: every format is read to the same key, and everything else is named.
// Helpers unwrap as tests do; clippy.toml knows only functions that are marked as tests.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, Pkcs12Archive, Pkcs12ImportPolicy,
};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::der::Encode;
use pkcs8::der::asn1::OctetStringRef;
use pkcs8::pkcs5::pbes2::{self, Kdf};
use pkcs8::pkcs5::scrypt;
use ssl_provider::{EcPrivateKeyDer, RsaPrivateKeyDer, SecurityStatus};
use ssl_provider_cli::Failure;
use ssl_provider_cli::key_file::{
    KeyDer, KeyFileError, Password, PasswordArgs, not_usable, read_certificates, read_ec_key,
    read_keys,
};
use ssl_provider_testkit::diagnostics::not_tested;
use tempfile::TempDir;

use common::key;

const PASSWORD: &str = "test";

/// Reads a file, with the password of the test keys or none.
fn read(path: &Path, password: Option<&str>) -> Result<Vec<KeyDer>, KeyFileError> {
    read_keys(path, &given(password))
}

/// What the user gives as a password.
fn given(password: Option<&str>) -> Password {
    let folder = TempDir::new().unwrap();
    let file = password.map(|password| write(&folder, "password", password.as_bytes()));
    PasswordArgs { key_password_file: file }.password().unwrap()
}

fn write(folder: &TempDir, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The modulus of the one key of a file.
fn modulus(path: &Path, password: Option<&str>) -> Vec<u8> {
    let keys = read(path, password).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(keys.len(), 1, "{}", path.display());
    RsaPrivateKeyDer::from_der(&keys[0].der).unwrap().modulus().to_vec()
}

#[track_caller]
fn message(path: &Path, password: Option<&str>) -> String {
    let error = read(path, password).expect_err("refused");
    let Failure::Usage(text) = not_usable(error) else { panic!("{path:?}: not a usage error") };
    assert!(text.contains(&path.display().to_string()), "the file is not named: {text}");
    text
}

#[test]
fn every_format_gives_the_same_key() {
    let expected = modulus(&key("server-2048.pem"), None);
    assert_eq!(expected.len(), 256);
    for plain in ["server-2048.der", "server-2048.pkcs1.der", "server-2048.pkcs1.pem"] {
        assert_eq!(modulus(&key(plain), None), expected, "{plain}");
    }
    for encrypted in ["server-2048.encrypted.pem", "server-2048.encrypted.der", "server-2048.p12"] {
        assert_eq!(modulus(&key(encrypted), Some(PASSWORD)), expected, "{encrypted}");
    }
    assert_ne!(modulus(&key("other-2048.pem"), None), expected);
}

#[test]
fn a_password_that_is_wrong_or_missing_is_named() {
    for file in ["server-2048.encrypted.pem", "server-2048.encrypted.der", "server-2048.p12"] {
        assert!(message(&key(file), Some("wrong")).contains("wrong password"), "{file}");
        assert!(message(&key(file), None).contains("SSL_PROVIDER_KEY_PASSWORD"), "{file}");
    }
}

#[test]
fn a_password_file_ends_its_password_at_the_first_line() {
    for password in ["test\n", "test\r\n", "test\nmore\n"] {
        modulus(&key("server-2048.encrypted.pem"), Some(password));
    }
}

/// Encrypts the server's key as PKCS#8 with these parameters.
fn encrypted(parameters: pbes2::Parameters) -> Vec<u8> {
    let der = fs::read(key("server-2048.der")).unwrap();
    let data = parameters.encrypt(PASSWORD, &der).unwrap();
    pkcs8_of(parameters, &data)
}

fn pkcs8_of(parameters: pbes2::Parameters, data: &[u8]) -> Vec<u8> {
    let info = EncryptedPrivateKeyInfoRef {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetStringRef::new(data).unwrap(),
    };
    info.to_der().unwrap()
}

#[test]
fn pkcs8_is_decrypted_whatever_scheme_of_pbes2_it_has() {
    let folder = TempDir::new().unwrap();
    let expected = modulus(&key("server-2048.pem"), None);
    let (salt, iv) = ([1; 16], [2; 16]);
    let cheap = scrypt::Params::new(4, 8, 1).unwrap();
    for (name, parameters) in [
        ("pbkdf2", pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1000, &salt, iv)),
        ("scrypt", pbes2::Parameters::generate_scrypt_aes256cbc(cheap, &salt, iv)),
    ] {
        let path = write(&folder, name, &encrypted(parameters.unwrap()));
        assert_eq!(modulus(&path, Some(PASSWORD)), expected, "{name}");
    }
}

#[test]
fn an_excessive_cost_is_refused_before_it_is_paid() {
    let folder = TempDir::new().unwrap();
    let (salt, iv) = ([1; 16], [2; 16]);
    let refused = |parameters: pbes2::Parameters| {
        let path = write(&folder, "costly", &pkcs8_of(parameters, &[0; 64]));
        let text = message(&path, Some(PASSWORD));
        assert!(text.contains("excessive"), "{text}");
    };
    for iterations in [0, 10_000_001, u32::MAX] {
        let mut parameters =
            pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1000, &salt, iv).unwrap();
        let Kdf::Pbkdf2(kdf) = &mut parameters.kdf else { panic!("asked for PBKDF2") };
        kdf.iteration_count = iterations;
        refused(parameters);
    }
    for (cost, block, parallelization) in
        [(0, 8, 1), (1 << 40, 8, 1), (16, 0, 1), (1 << 14, u16::MAX, 1), (16, 8, 0), (16, 8, 99)]
    {
        let cheap = scrypt::Params::new(4, 8, 1).unwrap();
        let mut parameters =
            pbes2::Parameters::generate_scrypt_aes256cbc(cheap, &salt, iv).unwrap();
        let Kdf::Scrypt(kdf) = &mut parameters.kdf else { panic!("asked for scrypt") };
        kdf.cost_parameter = cost;
        kdf.block_size = block;
        kdf.parallelization = parallelization;
        refused(parameters);
    }
}

#[test]
fn pkcs12_of_old_and_of_new_tools_is_read() {
    let folder = TempDir::new().unwrap();
    let file = fs::read(key("server-2048.p12")).unwrap();
    let store = KeyStore::from_pkcs12(&file, PASSWORD, Pkcs12ImportPolicy::Relaxed).unwrap();
    let expected = modulus(&key("server-2048.pem"), None);
    for algorithm in [
        EncryptionAlgorithm::PbeWithHmacSha256AndAes256,
        EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc,
    ] {
        for password in [PASSWORD, ""] {
            let made = store.writer(password).encryption_algorithm(algorithm).write().unwrap();
            let path = write(&folder, "made.pfx", &made);
            let given = (!password.is_empty()).then_some(password);
            assert_eq!(modulus(&path, given), expected, "{algorithm:?} {password:?}");
        }
    }
}

#[test]
fn pkcs12_with_the_empty_password_is_read_whatever_password_is_given() {
    let folder = TempDir::new().unwrap();
    let file = fs::read(key("server-2048.p12")).unwrap();
    let store = KeyStore::from_pkcs12(&file, PASSWORD, Pkcs12ImportPolicy::Relaxed).unwrap();
    let path = write(&folder, "made.pfx", &store.writer("").write().unwrap());
    assert_eq!(modulus(&path, Some("of the others")), modulus(&key("server-2048.pem"), None));
    assert_eq!(read_certificates(&path, &given(Some("of the others"))).unwrap().len(), 1);
}

#[test]
fn certificates_of_pkcs12_are_read_with_that_of_the_key_first() {
    let folder = TempDir::new().unwrap();
    let pem = |name| read_certificates(&key(name), &given(None)).unwrap().remove(0);
    let (own, other) = (pem("server-2048.cert.pem"), pem("other-2048.cert.pem"));
    let path = key("server-2048.p12");
    let alone = read_certificates(&path, &given(Some(PASSWORD))).unwrap();
    assert_eq!(alone, std::slice::from_ref(&own));
    for wrong in [None, Some("wrong")] {
        let error = read_certificates(&path, &given(wrong)).expect_err("refused");
        assert!(error.to_string().contains("password"), "{error}");
    }

    let file = fs::read(&path).unwrap();
    let mut store = KeyStore::from_pkcs12(&file, PASSWORD, Pkcs12ImportPolicy::Relaxed).unwrap();
    let certificate = Certificate::from_der(&other).unwrap();
    store.add_entry("other", KeyStoreEntry::Certificate(certificate));
    let made = store.writer(PASSWORD).write().unwrap();
    let archive = Pkcs12Archive::from_pkcs12(&made, PASSWORD).unwrap();
    assert_eq!(archive.certs[0].cert.as_der(), other, "the other one comes first in the file");
    let path = write(&folder, "made.pfx", &made);
    assert_eq!(read_certificates(&path, &given(Some(PASSWORD))).unwrap(), [own, other]);
    assert!(read_certificates(&key("server-2048.der"), &given(None)).unwrap().is_empty());
}

/// The server's key as a CNG blob of this magic: every number for `RSA3`, no more than the primes
/// for `RSA2`.
fn cng_blob(magic: &[u8; 4], bit_length: u32) -> Vec<u8> {
    let der = fs::read(key("server-2048.der")).unwrap();
    let parts = RsaPrivateKeyDer::from_der(&der).unwrap();
    let padded =
        |number: &[u8], len: usize| [vec![0; len - number.len()], number.to_vec()].concat();
    let ([p, q], [dp, dq, qinv]) = (parts.primes(), parts.crt_parts());
    let mut blob = magic.to_vec();
    for field in [bit_length, 3, 256, 128, 128] {
        blob.extend(field.to_le_bytes());
    }
    blob.extend(padded(parts.public_exponent(), 3));
    blob.extend(padded(parts.modulus(), 256));
    blob.extend([p, q].map(|half| padded(half, 128)).concat());
    if magic == b"RSA3" {
        blob.extend([dp, dq, qinv].map(|half| padded(half, 128)).concat());
        blob.extend(padded(parts.private_exponent(), 256));
    }
    blob
}

#[test]
fn a_cng_blob_is_read_with_every_number_or_with_the_primes_only() {
    let folder = TempDir::new().unwrap();
    let expected = modulus(&key("server-2048.pem"), None);
    for magic in [b"RSA2", b"RSA3"] {
        let mut blob = cng_blob(magic, 2048);
        let path = write(&folder, "key.blob", &blob);
        assert_eq!(modulus(&path, None), expected);

        for len in (1..blob.len()).step_by(97) {
            message(&write(&folder, "cut.blob", &blob[..len]), None);
        }
        let long = message(&write(&folder, "long.blob", &[&blob[..], &[0]].concat()), None);
        let (expected, got) = (blob.len(), blob.len() + 1);
        assert!(long.contains(&format!("expected {expected} bytes, got {got}")), "{long}");
        // The last byte of the modulus.
        blob[24 + 3 + 255] ^= 1;
        let refused = message(&write(&folder, "even.blob", &blob), None);
        assert!(refused.contains(if magic == b"RSA3" { "modulus" } else { "belong" }), "{refused}");
    }
}

#[test]
fn a_cng_blob_with_a_wrong_bit_length_is_refused() {
    let folder = TempDir::new().unwrap();
    for magic in [b"RSA2", b"RSA3"] {
        for wrong in [0, 2047, 2049, u32::MAX] {
            let path = write(&folder, "key.blob", &cng_blob(magic, wrong));
            let expected = format!("key blob: expected BitLength 2048, got {wrong}");
            assert!(message(&path, None).ends_with(&expected), "{wrong}");
            assert_eq!(read(&path, None).unwrap_err().status(), SecurityStatus::NTE_BAD_KEY);
        }
    }
}

#[test]
fn several_keys_and_certificates_in_one_file_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let mut file = Vec::new();
    for part in ["server-2048.cert.pem", "server-2048.pem", "ec-p256.pem", "other-2048.pem"] {
        file.extend(fs::read(key(part)).unwrap());
    }
    let path = write(&folder, "many.pem", &file);
    let keys = read(&path, None).unwrap();
    let labels: Vec<_> = keys.iter().map(|key| key.label.clone()).collect();
    let path = path.display();
    assert_eq!(labels, [format!("{path}#1"), format!("{path}#2")]);
    let modulus_of =
        |key: &KeyDer| RsaPrivateKeyDer::from_der(&key.der).unwrap().modulus().to_vec();
    assert_eq!(modulus_of(&keys[1]), modulus(&key("other-2048.pem"), None));
}

#[test]
fn a_key_on_a_curve_is_read_as_pkcs8_and_sec1_and_what_came_in_its_place_is_named() {
    let folder = TempDir::new().unwrap();
    let read = |path: &Path| {
        read_ec_key(path, &Password(None))
            .map(|key| EcPrivateKeyDer::from_der(&key.der).unwrap().number().to_vec())
    };
    let pkcs8 = key("ec-p256.pem");
    let number = read(&pkcs8).unwrap();
    let sec1 = folder.path().join("sec1.pem");
    let converted = Command::new("openssl")
        .args(["ec", "-in", pkcs8.to_str().unwrap(), "-out", sec1.to_str().unwrap()])
        .output();
    match converted {
        Ok(_) => assert_eq!(read(&sec1).unwrap(), number),
        Err(error) => not_tested("openssl", error),
    }
    let both = [fs::read(key("server-2048.pem")).unwrap(), fs::read(&pkcs8).unwrap()].concat();
    assert_eq!(read(&write(&folder, "both.pem", &both)).unwrap(), number);
    let twice = [fs::read(&pkcs8).unwrap(), fs::read(&pkcs8).unwrap()].concat();
    for (path, word) in [
        (key("server-2048.pem"), "found an RSA key"),
        (key("server-2048.cert.pem"), "found a certificate"),
        (write(&folder, "twice.pem", &twice), "found 2; give each a file"),
        (write(&folder, "text", b"hello"), "none of these"),
    ] {
        let text = read(&path).unwrap_err().to_string();
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn what_came_in_place_of_a_key_is_named() {
    let folder = TempDir::new().unwrap();
    let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n";
    let dsa = "-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n";
    for (path, word) in [
        (key("ec-p256.pem"), "an EC key"),
        (key("server-2048.cert.pem"), "a certificate"),
        (write(&folder, "public.pem", public.as_bytes()), "a public key"),
        (write(&folder, "dsa.pem", dsa.as_bytes()), "a DSA key"),
        (write(&folder, "public.blob", &cng_blob(b"RSA1", 2048)), "a public key"),
        (
            write(&folder, "capi.blob", b"\x07\x02\0\0\0\xa4\0\0RSA2\0\x08\0\0"),
            "a CAPI PRIVATEKEYBLOB",
        ),
        (write(&folder, "text", b"hello"), "none of these"),
        (write(&folder, "zeros", &[0; 1000]), "none of these"),
        (write(&folder, "empty", b""), "empty"),
        (write(&folder, "huge", &vec![b'-'; 2 << 20]), "1 MiB"),
        (folder.path().join("absent"), "No such file"),
        (folder.path().to_owned(), "cannot read"),
    ] {
        let text = message(&path, None);
        assert!(text.contains(word), "expected {word:?} in: {text}");
    }
    // The outer shape of a certificate: two values of type SEQUENCE and a BIT STRING.
    let certificate = [0x30, 0x07, 0x30, 0x00, 0x30, 0x00, 0x03, 0x01, 0x00];
    assert!(message(&write(&folder, "cert.der", &certificate), None).contains("a certificate"));
    let status = read(&key("ec-p256.pem"), None).unwrap_err().status();
    assert_eq!(status, SecurityStatus::NTE_BAD_TYPE);
}

#[test]
fn encryption_that_is_not_supported_comes_with_the_command_that_converts_it() {
    let folder = TempDir::new().unwrap();
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                  DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let text = message(&write(&folder, "legacy.pem", legacy.as_bytes()), Some(PASSWORD));
    assert!(text.contains("openssl pkcs8 -topk8") && text.contains("legacy.pem"), "{text}");

    // EncryptedPrivateKeyInfo with pbeWithMD5AndDES-CBC (RFC 8018 appendix A.3), 8 bytes of salt.
    let pbes1 = [
        &[0x30, 0x29, 0x30, 0x1b, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05][..],
        &[0x03, 0x30, 0x0e, 0x04, 0x08, 1, 2, 3, 4, 5, 6, 7, 8, 0x02, 0x02, 0x08, 0x00],
        &[0x04, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    let text = message(&write(&folder, "pbes1.der", &pbes1.concat()), Some(PASSWORD));
    assert!(text.contains("PBES1") && text.contains("openssl pkcs8 -topk8"), "{text}");
}

#[test]
fn truncated_and_damaged_files_are_refused_without_a_panic() {
    let folder = TempDir::new().unwrap();
    for name in ["server-2048.der", "server-2048.pkcs1.der", "server-2048.pem", "server-2048.p12"] {
        let whole = fs::read(key(name)).unwrap();
        for len in (0..whole.len() - 3).step_by(13) {
            let path = write(&folder, "cut", &whole[..len]);
            assert!(read(&path, Some(PASSWORD)).is_err(), "{name} cut to {len}");
        }
        for place in (0..whole.len()).step_by(29) {
            let mut flipped = whole.clone();
            flipped[place] ^= 0x80;
            let path = write(&folder, "flipped", &flipped);
            // A flip in a number leaves a readable file with another key, which loading refuses.
            if let Err(error) = read(&path, Some(PASSWORD)) {
                assert!(error.to_string().contains("flipped"), "{error}");
            }
        }
    }
}

#[test]
fn no_debug_output_has_a_secret() {
    let keys = read(&key("server-2048.pem"), None).unwrap();
    let shown = format!("{keys:?}");
    assert!(shown.contains("server-2048.pem") && shown.len() < 200, "{shown}");
    let folder = TempDir::new().unwrap();
    let file = write(&folder, "password", b"hunter2");
    let password = PasswordArgs { key_password_file: Some(file) }.password().unwrap();
    assert!(!format!("{password:?}").contains("hunter2"));
}
