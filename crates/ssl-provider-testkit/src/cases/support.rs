//! What a backend says about itself against what it does, and against the support matrix.
//! A promise that is not kept fails, and so does a service that is not announced.

use num_bigint::BigUint;

use ssl_provider_core::backend::KemPrivateKey;
use ssl_provider_core::{
    AeadAlgorithm, Backend, CbcAlgorithm, DhParameters, Error, FfdheGroup, FipsStatus,
    HashAlgorithm, KEM_SECRET_LEN, KemAlgorithm, Operation, Provider, PublicKeyDer, Requirements,
    RsaPrivateKeyDer, SignatureScheme, SigningKeyDer, Support,
};

use crate::bytes::{counting, to_hex};
use crate::cases::signing::EcKey;
use crate::curve::{Curve, x25519};
use crate::ml_kem::MlKem;
use crate::reference;
use crate::rsa_key::TestKey;
use crate::signature::{digest, rsa_public_key, signers};
use crate::support::column;

/// Tries one operation, on an input whose answer the reference knows, and returns each result.
pub fn attempt(backend: &Backend, operation: Operation) -> Vec<Result<(), Error>> {
    let right = |result: Result<(), Error>, out: &[u8], expected: &[u8]| {
        if result.is_ok() {
            assert_eq!(out, expected, "{operation} gives a wrong answer");
        }
        result
    };
    let mut out = vec![0; 64];
    match operation {
        Operation::Random => vec![backend.random().fill(&mut out)],
        Operation::Hash(hash) => {
            let expected = reference::hash(hash, &[b"abc"]);
            let out = &mut out[..expected.len()];
            let whole = backend.hashing().hash(hash, &[b"abc"], out);
            let whole = right(whole, out, &expected);
            let running = backend.hashing().hash_context(hash).and_then(|mut context| {
                context.update(b"abc");
                context.finish(out)
            });
            vec![whole, right(running, out, &expected)]
        }
        Operation::CompressionFunction(hash) => vec![attempt_compression(backend, hash)],
        Operation::Hmac(hash) => {
            let expected = reference::hmac(hash, b"key", &[b"abc"]);
            let out = &mut out[..expected.len()];
            let result = backend.hashing().hmac(hash, b"key", &[b"abc"], out);
            vec![right(result, out, &expected)]
        }
        Operation::Prf(prf) => {
            let expected = reference::prf(prf, b"secret", b"label", &[b"seed"], 64);
            let result = backend.hashing().prf(prf, b"secret", b"label", &[b"seed"], &mut out);
            vec![right(result, &out, &expected)]
        }
        Operation::RsaDecryptRaw => {
            let key = TestKey::rsa_1024();
            let der = RsaPrivateKeyDer::from_der(&key.der).unwrap();
            let mut expected = vec![7; key.len()];
            expected[0] = 0;
            let result = backend.rsa_decryption().load(&der).and_then(|loaded| {
                let mut block = vec![0; key.len()];
                let result = loaded.decrypt_raw(&key.encrypt(&expected), &mut block);
                right(result, &block, &expected)
            });
            vec![result]
        }
        Operation::Rc4 => vec![attempt_rc4(backend)],
        Operation::Cbc(cipher) => vec![attempt_cbc(backend, cipher)],
        Operation::Aead(cipher) => vec![attempt_aead(backend, cipher)],
        Operation::Verify(scheme) => attempt_verify(backend, scheme),
        Operation::Sign(scheme) => vec![attempt_sign(backend, scheme)],
        Operation::RsaEncryptRaw => {
            let key = TestKey::rsa_1024();
            let public_key = rsa_public_key(&key);
            let public_key = PublicKeyDer::from_der(&public_key).unwrap();
            let mut block = vec![7; key.len()];
            block[0] = 0;
            let mut ciphertext = vec![0; key.len()];
            let encryption = backend.rsa_encryption();
            let result = encryption.encrypt_raw(&public_key, &block, &mut ciphertext);
            vec![right(result, &ciphertext, &key.encrypt(&block))]
        }
        Operation::Ecdh(curve) => vec![backend.key_agreement().generate_ecdh(curve).map(drop)],
        Operation::EcdhLoad(curve) => {
            let mut number = vec![0; curve.coordinate_len()];
            number[0] = 1;
            let loaded = backend.key_agreement().load_ecdh(curve, &number);
            let expected = match Curve::new(curve) {
                Some(curve) => curve.public_key(&BigUint::from_bytes_be(&number)),
                None => x25519(number[..].try_into().unwrap(), &x25519_base()).to_vec(),
            };
            vec![loaded.map(|key| assert_eq!(key.public_key(), expected, "{operation}"))]
        }
        Operation::Dh => {
            let group = DhParameters::named(FfdheGroup::Ffdhe2048);
            let agreement = backend.key_agreement();
            let mut expected = vec![0; 256];
            expected[255] = 32;
            let loaded = agreement.load_dh(&group, &[5]);
            let loaded = loaded.map(|key| assert_eq!(key.public_key(), expected, "{operation}"));
            vec![agreement.generate_dh(&group).map(drop), loaded]
        }
        Operation::Kem(kem) => attempt_kem(backend, kem),
        Operation::KemLoad(kem) => attempt_kem_load(backend, kem),
        other => panic!("{other}: an operation that this case does not know"),
    }
}

/// Generates a key, and encapsulates; plain arithmetic does the other side.
fn attempt_kem(backend: &Backend, kem: KemAlgorithm) -> Vec<Result<(), Error>> {
    let (library, reference) = (backend.key_encapsulation(), MlKem::new(kem).unwrap());
    let mut secret = [0; KEM_SECRET_LEN];
    let generated = library.generate_kem(kem).and_then(|key| {
        let (ciphertext, expected) = reference.encapsulate(key.encapsulation_key(), &[3; 32]);
        key.decapsulate(&ciphertext, &mut secret)?;
        assert_eq!(secret, expected, "{} decapsulates to a wrong secret", kem.name());
        Ok(())
    });
    let pair = reference.key_pair(&[5; 64]);
    let mut ciphertext = vec![0; kem.ciphertext_len()];
    let made = library.encapsulate(kem, &pair.encapsulation_key, &mut ciphertext, &mut secret);
    if made.is_ok() {
        let expected = reference.decapsulate(&pair.decapsulation_key, &ciphertext);
        assert_eq!(secret, expected, "{} encapsulates a wrong secret", kem.name());
    }
    vec![generated, made]
}

/// Loads a key in both forms, and encapsulates with known randomness.
fn attempt_kem_load(backend: &Backend, kem: KemAlgorithm) -> Vec<Result<(), Error>> {
    let (library, reference) = (backend.key_encapsulation(), MlKem::new(kem).unwrap());
    let seed = [5; 64];
    let pair = reference.key_pair(&seed);
    let forms = [KemPrivateKey::Seed(&seed), KemPrivateKey::Expanded(&pair.decapsulation_key)];
    let loaded = forms.map(|form| {
        let key = library.load_kem(kem, form)?;
        assert_eq!(key.encapsulation_key(), pair.encapsulation_key, "{}", kem.name());
        Ok(())
    });
    let (mut ciphertext, mut secret) = (vec![0; kem.ciphertext_len()], [0; KEM_SECRET_LEN]);
    let key = &pair.encapsulation_key;
    let made = library.encapsulate_with(kem, key, &[3; 32], &mut ciphertext, &mut secret);
    if made.is_ok() {
        let expected = reference.encapsulate(key, &[3; 32]);
        assert_eq!((ciphertext, secret), expected, "{} gives a wrong answer", kem.name());
    }
    loaded.into_iter().chain([made]).collect()
}

/// The hash of nothing is one block of padding: a bit, and zeros for the length.
fn attempt_compression(backend: &Backend, hash: HashAlgorithm) -> Result<(), Error> {
    let mut block = vec![0; hash.block_len()];
    block[0] = 0x80;
    let mut function = backend.hashing().compression_function(hash)?;
    function.compress(&block);
    let expected = reference::hash(hash, &[]);
    let mut value = vec![0; expected.len()];
    function.chaining_value(&mut value);
    assert_eq!(value, expected, "the compression function of {} gives a wrong answer", hash.name());
    Ok(())
}

/// What the ciphers encrypt here. Keys count upwards from 00, initialisation vectors and nonces
/// from f0, and the answers are those of OpenSSL 3.0.
const PLAINTEXT: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

fn attempt_rc4(backend: &Backend) -> Result<(), Error> {
    let ciphertext = "d9ad72ca73d72ffb3ee2f6a46db94f29e340b36cc68274d9b7a7c4bb9a538664";
    let mut text = *PLAINTEXT;
    let mut cipher = backend.record_ciphers().rc4(&counting::<16>(0))?;
    // In two steps, since the key stream goes on.
    let (head, tail) = text.split_at_mut(5);
    cipher.apply(head)?;
    cipher.apply(tail)?;
    assert_eq!(to_hex(&text), ciphertext, "RC4 gives a wrong answer");
    Ok(())
}

fn attempt_cbc(backend: &Backend, cipher: CbcAlgorithm) -> Result<(), Error> {
    let ciphertext = match cipher {
        CbcAlgorithm::Des => "73bc624af1cc4e39130d366115a4f411e490fc59e6f94f8f2507f10d3838b17a",
        CbcAlgorithm::TripleDes => {
            "845ca9a4d1116749ea73ad71b7bbb5dc69114995f04669cb0225c8179b74848c"
        }
        CbcAlgorithm::Aes128 => "71e21619aa870db1922c69f851b5160f5adca316ac4f5df730c577b11b73c558",
        CbcAlgorithm::Aes256 => "cd951146cc74046a56c93a30e4a7cd504382b0cfb2b1dcfebeb9914799e6e32b",
        CbcAlgorithm::Camellia128 => {
            "bee663a7dc7da748fdad3e546d3269db48a9ef9aae489d75ae27cc6cd70e562b"
        }
        CbcAlgorithm::Camellia256 => {
            "6d452fa0dac3179462caaae8bebcbdb5a48827137bb9655b38221654d70af876"
        }
        other => panic!("{}: a cipher that this case does not know", other.name()),
    };
    let name = cipher.name();
    let iv = &counting::<16>(0xf0)[..cipher.block_len()];
    let key = counting::<32>(0);
    let cipher = backend.record_ciphers().cbc(cipher, &key[..cipher.key_len()])?;
    let mut blocks = *PLAINTEXT;
    cipher.encrypt(iv, &mut blocks)?;
    assert_eq!(to_hex(&blocks), ciphertext, "{name} gives a wrong answer");
    cipher.decrypt(iv, &mut blocks)?;
    assert_eq!(&blocks, PLAINTEXT, "{name} does not decrypt its own answer");
    Ok(())
}

fn attempt_aead(backend: &Backend, cipher: AeadAlgorithm) -> Result<(), Error> {
    let sealed = match cipher {
        AeadAlgorithm::Aes128Gcm => {
            "212bd4400eed53430bc55ed2b464c81175be1107dffec17ae088b42907d57dc4\
             ed499a4926cf778f7aafe658bd758c45"
        }
        AeadAlgorithm::Aes256Gcm => {
            "59377133480fe443a7ce96f8ed2e07d020d06bf10c3279af6e6f52c23a57b761\
             a938a665e335281d86da319af7f1efcb"
        }
        AeadAlgorithm::Aes128Ccm => {
            "4777df7ec7fc1c1dab8d38412c0a4f71f88ea8ca4560fcece91a0e50ae5c1bf2\
             74b12575ea20fa65693010c04841379e"
        }
        AeadAlgorithm::Aes256Ccm => {
            "0e6e3c72f659ebb0de7bc674ebdf3c34afa1df91cac23e04f737ff85c4f3df88\
             9bf15100dd5feb36898aa4649bedbef6"
        }
        AeadAlgorithm::Aes128Ccm8 => {
            "4777df7ec7fc1c1dab8d38412c0a4f71f88ea8ca4560fcece91a0e50ae5c1bf2\
             9dd9a7318ab72bde"
        }
        AeadAlgorithm::Aes256Ccm8 => {
            "0e6e3c72f659ebb0de7bc674ebdf3c34afa1df91cac23e04f737ff85c4f3df88\
             c5d66133265b3736"
        }
        // Of OpenSSL through Python's `cryptography` 48: the command `openssl enc` has no AEAD.
        AeadAlgorithm::ChaCha20Poly1305 => {
            "f07d0cf5b39de8e067c7fa9fe4495db705ba96a136b6d57d05bc1166fef879d7\
             128f7c1a88b4f8f0faa0c23c2acac6a8"
        }
        other => panic!("{}: a cipher that this case does not know", other.name()),
    };
    let (name, tag_len) = (cipher.name(), cipher.tag_len());
    let (nonce, aad) = (counting::<12>(0xf0), b"header");
    let key = counting::<32>(0);
    let cipher = backend.record_ciphers().aead(cipher, &key[..cipher.key_len()])?;
    let (mut text, mut tag) = (*PLAINTEXT, vec![0; tag_len]);
    cipher.seal(&nonce, aad, &mut text, &mut tag)?;
    assert_eq!(to_hex(&[&text[..], &tag].concat()), sealed, "{name} gives a wrong answer");
    let (mut apart, mut apart_tag) = ([0; 32], vec![0; tag_len]);
    cipher.seal_apart(&nonce, aad, PLAINTEXT, &mut apart, &mut apart_tag)?;
    assert_eq!((apart, &apart_tag), (text, &tag), "{name} seals otherwise apart");
    // What stands behind the plaintext is sealed with it, however long it is.
    for more in [1, 16, 17, 300] {
        let whole = [&PLAINTEXT[..], &vec![0x5a; more]].concat();
        let (mut expected, mut expected_tag) = (whole.clone(), vec![0; tag_len]);
        cipher.seal(&nonce, aad, &mut expected, &mut expected_tag)?;
        let mut longer = [&[0; 32][..], &whole[32..]].concat();
        cipher.seal_apart(&nonce, aad, PLAINTEXT, &mut longer, &mut apart_tag)?;
        assert_eq!((longer, &apart_tag), (expected, &expected_tag), "{name}, {more} bytes behind");
    }
    let shorter = cipher.seal_apart(&nonce, aad, PLAINTEXT, &mut apart[1..], &mut apart_tag);
    assert!(matches!(shorter, Err(Error::Internal(_))), "{name} seals into less room");
    let mut forged = text;
    tag[0] ^= 1;
    assert_eq!(cipher.open(&nonce, aad, &mut forged, &tag), Err(Error::BadRecord), "{name}");
    tag[0] ^= 1;
    cipher.open(&nonce, aad, &mut text, &tag)?;
    assert_eq!(&text, PLAINTEXT, "{name} does not open its own answer");
    Ok(())
}

/// The base point of X25519 (RFC 7748 section 4.1).
fn x25519_base() -> [u8; 32] {
    let mut base = [0; 32];
    base[0] = 9;
    base
}

/// Signs with a key of the scheme; that the signature is right is for other cases.
fn attempt_sign(backend: &Backend, scheme: SignatureScheme) -> Result<(), Error> {
    let der = match scheme.is_rsa() {
        true => TestKey::rsa_2048().der,
        false => EcKey::new(ssl_provider_core::Curve::P256, &BigUint::from(7_u8)).der,
    };
    let key = SigningKeyDer::from_der(&der).unwrap();
    let key = backend.signatures().load(&key).map_err(|error| match error {
        // One that signs with no key of a kind names any scheme of it.
        Error::Unsupported(_) => Error::Unsupported(Operation::Sign(scheme)),
        other => other,
    })?;
    key.sign(scheme, &digest(scheme)).map(drop)
}

fn attempt_verify(backend: &Backend, scheme: SignatureScheme) -> Vec<Result<(), Error>> {
    let signers = signers();
    let known = signers.iter().flat_map(|signer| {
        let signatures = signer.signatures.iter().filter(|(known, _)| *known == scheme);
        signatures.map(|(_, signature)| (&signer.public_key, signature))
    });
    known
        .map(|(public_key, signature)| {
            let key = PublicKeyDer::from_der(public_key).unwrap();
            backend.signatures().verify(&key, scheme, &digest(scheme), signature)
        })
        .collect()
}

/// Each operation works where the table of the backend says so, and answers `Unsupported`, naming
/// the operation, where it does not. The one case that a part of a backend has to pass.
pub fn support_is_what_the_backend_says(backend: &Backend) {
    let info = backend.info();
    for operation in Operation::all() {
        for result in attempt(backend, operation) {
            let expected = match backend.support(operation) {
                Support::By(_) => Ok(()),
                Support::Unsupported => Err(Error::Unsupported(operation)),
            };
            assert_eq!(result, expected, "{operation} by {}", info.name);
        }
    }
}

/// The backends of this project say what the support matrix says, operation by operation.
pub fn support_is_what_the_matrix_says(backend: &Backend) {
    let info = backend.info();
    // A backend of somebody else has no column; its own table is checked by the other case.
    let Some(column) = column(info.provider_name) else { return };
    for operation in Operation::all() {
        let (found, expected) = (backend.support(operation), (column.support)(operation));
        if found == Support::Unsupported && (column.may_lack)(operation) {
            continue;
        }
        assert_eq!(found, expected, "{operation} by {}", info.name);
    }
}

/// The description is complete: names, a library with a version, and whose code does what.
pub fn support_table_is_well_formed(backend: &Backend) {
    let info = backend.info();
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(!info.name.is_empty() && info.name.chars().all(is_name), "{}", info.name);
    assert!(!info.provider_name.is_empty());
    let library = &info.library;
    let versioned = library.contains(|c: char| c.is_ascii_digit());
    assert!(versioned, "BackendInfo.library: expected names with versions, found {library}");
    for operation in Operation::all() {
        assert_ne!(backend.support(operation), Support::By(""), "{operation}");
    }
    let decrypts = backend.support(Operation::RsaDecryptRaw) != Support::Unsupported;
    assert_eq!(info.rsa.is_some(), decrypts, "properties of RSA and support of RSA disagree");
}

/// A property that is required is there or is refused by name; none required, every backend opens.
pub fn support_requirements_are_met_or_refused(backend: &Backend) {
    let info = backend.info();
    let none = Requirements::default();
    assert!(Provider::open_requiring(backend, none).is_ok());
    let rows = [
        (
            Requirements { constant_time_rsa: true, ..none },
            info.rsa
                .is_some_and(|rsa| rsa.constant_time == ssl_provider_core::ConstantTime::Claimed),
        ),
        (Requirements { blinded_rsa: true, ..none }, info.rsa.is_some_and(|rsa| rsa.blinding)),
        (Requirements { fips: true, ..none }, info.fips == FipsStatus::Validated),
    ];
    for (requirements, met) in rows {
        match Provider::open_requiring(backend, requirements) {
            Ok(_) => assert!(met, "{requirements:?}"),
            Err(error) => {
                assert!(!met, "{requirements:?}");
                assert!(matches!(error, Error::RequirementNotMet(_)));
            }
        }
    }
}
