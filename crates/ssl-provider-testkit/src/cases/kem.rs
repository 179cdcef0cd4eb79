//! Key encapsulation: ML-KEM against published vectors and plain arithmetic, and what is refused.

use serde_json::Value;

use ssl_provider_core::backend::{
    BAD_KEM_KEY, DecapsulationKey, KemPrivateKey, encapsulation_key_in,
};
use ssl_provider_core::{Backend, Error, KEM_SECRET_LEN, KemAlgorithm, Operation};

use crate::bytes::{Rng, flipped};
use crate::ml_kem::{MlKem, Q, rejection};
use crate::vectors::{field, hex_field, with_folder};

/// The mechanisms for which the backend has an operation.
fn mechanisms(
    backend: &Backend,
    of: fn(KemAlgorithm) -> Operation,
) -> impl Iterator<Item = KemAlgorithm> + '_ {
    let all = KemAlgorithm::ALL.into_iter();
    all.filter(move |kem| backend.support(of(*kem)).is_supported())
}

/// Ciphertext and secret, or why there are none; then the buffers are as they were before.
type Encapsulated = Result<(Vec<u8>, [u8; KEM_SECRET_LEN]), Error>;

fn encapsulated(
    kem: KemAlgorithm,
    call: impl FnOnce(&mut [u8], &mut [u8; KEM_SECRET_LEN]) -> Result<(), Error>,
) -> Encapsulated {
    let (mut ciphertext, mut secret) = (vec![0xa5; kem.ciphertext_len()], [0xa5; KEM_SECRET_LEN]);
    let result = call(&mut ciphertext, &mut secret);
    if result.is_err() {
        let is_untouched = ciphertext.iter().chain(&secret).all(|byte| *byte == 0xa5);
        assert!(is_untouched, "{}: a call that fails writes", kem.name());
    }
    result.map(|()| (ciphertext, secret))
}

fn encapsulate(backend: &Backend, kem: KemAlgorithm, key: &[u8]) -> Encapsulated {
    let library = backend.key_encapsulation();
    encapsulated(kem, |ciphertext, secret| library.encapsulate(kem, key, ciphertext, secret))
}

fn encapsulate_with(
    backend: &Backend,
    kem: KemAlgorithm,
    key: &[u8],
    m: &[u8; 32],
) -> Encapsulated {
    let library = backend.key_encapsulation();
    encapsulated(kem, |ciphertext, secret| {
        library.encapsulate_with(kem, key, m, ciphertext, secret)
    })
}

fn decapsulate(
    key: Box<dyn DecapsulationKey>,
    ciphertext: &[u8],
) -> Result<[u8; KEM_SECRET_LEN], Error> {
    let mut secret = [0xa5; KEM_SECRET_LEN];
    let result = key.decapsulate(ciphertext, &mut secret);
    if result.is_err() {
        assert_eq!(secret, [0xa5; KEM_SECRET_LEN], "a call that fails writes");
    }
    result.map(|()| secret)
}

fn load(
    backend: &Backend,
    kem: KemAlgorithm,
    key: KemPrivateKey<'_>,
) -> Result<Box<dyn DecapsulationKey>, Error> {
    backend.key_encapsulation().load_kem(kem, key)
}

/// Runs a case of the ACVP file on each test of these functions, if the backend has mechanisms to
/// run them on; the tests of mechanisms that it lacks count all the same.
fn with_acvp(
    backend: &Backend,
    expected: usize,
    part: &str,
    functions: &[&str],
    check: impl Fn(KemAlgorithm, &Value, &str),
) {
    with_folder(expected, |vectors| {
        let file = vectors.json_gz("ml-kem/acvp-ml-kem-768-1024.json.gz");
        let tests = file[part].as_array().expect("a list of tests");
        let tests = tests
            .iter()
            .filter(|test| functions.is_empty() || functions.contains(&field(test, "function")));
        let mut count = 0;
        for test in tests {
            let name = field(test, "parameterSet");
            let known = KemAlgorithm::ALL.into_iter().find(|kem| kem.name() == name);
            let kem = known.unwrap_or_else(|| panic!("{name}: a mechanism not of the interface"));
            if backend.support(Operation::KemLoad(kem)).is_supported() {
                check(kem, test, &format!("{name} {}", test["tcId"]));
            }
            count += 1;
        }
        count
    });
}

/// The seed of a test: d, then z.
fn seed(test: &Value) -> [u8; 64] {
    let seed = [hex_field(test, "d"), hex_field(test, "z")].concat();
    seed.try_into().expect("32 bytes each")
}

/// Key generation of ACVP: the encapsulation key, and that a key from the seed and one from the
/// expanded form are the same.
pub fn kem_acvp_key_generation(backend: &Backend) {
    with_acvp(backend, 50, "keyGen", &[], |kem, test, what| {
        let (ek, dk, seed) = (hex_field(test, "ek"), hex_field(test, "dk"), seed(test));
        let forms = [KemPrivateKey::Seed(&seed), KemPrivateKey::Expanded(&dk)];
        let (ciphertext, secret) = encapsulate_with(backend, kem, &ek, &[7; 32]).unwrap();
        for form in forms {
            let key = load(backend, kem, form).unwrap();
            assert_eq!(key.encapsulation_key(), ek, "{what}");
            assert_eq!(decapsulate(key, &ciphertext), Ok(secret), "{what}");
        }
        // No library hands out its decapsulation key: that it is the expected one shows in the
        // rejection, which is made of z, and above in the rest.
        let other = flipped(&ciphertext, 8);
        let key = load(backend, kem, KemPrivateKey::Seed(&seed)).unwrap();
        assert_eq!(decapsulate(key, &other), Ok(rejection(&seed[32..], &other)), "{what}");
    });
}

/// Encapsulation of ACVP, and back.
pub fn kem_acvp_encapsulation(backend: &Backend) {
    with_acvp(backend, 50, "encapDecap", &["encapsulation"], |kem, test, what| {
        let m = hex_field(test, "m").try_into().expect("32 bytes");
        let (ciphertext, secret) =
            encapsulate_with(backend, kem, &hex_field(test, "ek"), &m).unwrap();
        assert_eq!(ciphertext, hex_field(test, "c"), "{what}");
        assert_eq!(secret[..], hex_field(test, "k"), "{what}");
        let dk = hex_field(test, "dk");
        let key = load(backend, kem, KemPrivateKey::Expanded(&dk)).unwrap();
        assert_eq!(decapsulate(key, &ciphertext), Ok(secret), "{what}");
    });
}

/// Decapsulation of ACVP, of keys in both forms; half of the ciphertexts are rejected.
pub fn kem_acvp_decapsulation(backend: &Backend) {
    with_acvp(backend, 40, "encapDecap", &["decapsulation"], |kem, test, what| {
        let (dk, seed, ciphertext) = (hex_field(test, "dk"), seed(test), hex_field(test, "c"));
        for form in [KemPrivateKey::Seed(&seed), KemPrivateKey::Expanded(&dk)] {
            let secret = decapsulate(load(backend, kem, form).unwrap(), &ciphertext).unwrap();
            assert_eq!(secret[..], hex_field(test, "k"), "{what}");
            let is_rejected = secret == rejection(&seed[32..], &ciphertext);
            assert_eq!(is_rejected, field(test, "reason") == "modified ciphertext", "{what}");
        }
    });
}

/// The key checks of ACVP: encapsulation keys out of range, decapsulation keys with another hash.
pub fn kem_acvp_key_checks(backend: &Backend) {
    let functions = ["encapsulationKeyCheck", "decapsulationKeyCheck"];
    with_acvp(backend, 40, "encapDecap", &functions, |kem, test, what| {
        let is_good = test["testPassed"].as_bool().expect("a verdict");
        if field(test, "function") == "encapsulationKeyCheck" {
            let key = hex_field(test, "ek");
            let expected = if is_good { Ok(()) } else { Err(Error::BadKeyShare) };
            assert_eq!(encapsulate(backend, kem, &key).map(drop), expected, "{what}");
            let known = encapsulate_with(backend, kem, &key, &[1; 32]);
            assert_eq!(known.map(drop), expected, "{what}");
        } else {
            let loaded = load(backend, kem, KemPrivateKey::Expanded(&hex_field(test, "dk")));
            let expected = if is_good { Ok(()) } else { Err(BAD_KEM_KEY) };
            assert_eq!(loaded.map(drop), expected, "{what}");
        }
    });
}

/// Keys, ciphertexts and secrets are those of plain arithmetic, from a seed and from the expanded
/// form; and a key that the backend generates decapsulates what the arithmetic encapsulates.
pub fn kem_is_that_of_the_reference(backend: &Backend) {
    let mut rng = Rng::new(0x0203);
    for kem in mechanisms(backend, Operation::KemLoad) {
        let reference = MlKem::new(kem).unwrap();
        for _ in 0..4 {
            let (seed, m) = (rng.array(), rng.array());
            let pair = reference.key_pair(&seed);
            let expected = reference.encapsulate(&pair.encapsulation_key, &m);
            let made = encapsulate_with(backend, kem, &pair.encapsulation_key, &m);
            assert_eq!(made, Ok(expected.clone()), "{}", kem.name());
            let expanded = KemPrivateKey::Expanded(&pair.decapsulation_key);
            for form in [KemPrivateKey::Seed(&seed), expanded] {
                let key = load(backend, kem, form).unwrap();
                assert_eq!(key.encapsulation_key(), pair.encapsulation_key, "{}", kem.name());
                assert_eq!(decapsulate(key, &expected.0), Ok(expected.1), "{}", kem.name());
            }
        }
    }
    for kem in mechanisms(backend, Operation::Kem) {
        let reference = MlKem::new(kem).unwrap();
        let key = backend.key_encapsulation().generate_kem(kem).unwrap();
        assert!(reference.is_reduced(key.encapsulation_key()), "{}", kem.name());
        let (ciphertext, secret) = reference.encapsulate(key.encapsulation_key(), &rng.array());
        assert_eq!(decapsulate(key, &ciphertext), Ok(secret), "{}", kem.name());
        let pair = reference.key_pair(&rng.array());
        let (ciphertext, secret) = encapsulate(backend, kem, &pair.encapsulation_key).unwrap();
        let found = reference.decapsulate(&pair.decapsulation_key, &ciphertext);
        assert_eq!(found, secret, "{}", kem.name());
    }
}

/// Two keys, and two encapsulations to one key, have nothing in common.
pub fn kem_keys_and_secrets_are_new_every_time(backend: &Backend) {
    for kem in mechanisms(backend, Operation::Kem) {
        let keys = [(); 2].map(|()| backend.key_encapsulation().generate_kem(kem).unwrap());
        let [key, other] = keys;
        assert_ne!(key.encapsulation_key(), other.encapsulation_key(), "{}", kem.name());
        let [one, two] =
            [(); 2].map(|()| encapsulate(backend, kem, key.encapsulation_key()).unwrap());
        assert!(one.0 != two.0 && one.1 != two.1, "{}", kem.name());
        assert_eq!(decapsulate(key, &one.0), Ok(one.1), "{}", kem.name());
        // The ciphertext is for the other key, which does not tell.
        let elsewhere = decapsulate(other, &one.0);
        assert!(elsewhere.is_ok_and(|secret| secret != one.1), "{}", kem.name());
    }
}

/// A ciphertext that nobody made has a secret that follows from z, whatever is wrong with it.
pub fn kem_rejection_is_implicit_and_the_same_every_time(backend: &Backend) {
    let mut rng = Rng::new(0x0204);
    for kem in mechanisms(backend, Operation::KemLoad) {
        let seed: [u8; 64] = rng.array();
        let load = || load(backend, kem, KemPrivateKey::Seed(&seed)).unwrap();
        let ek = load().encapsulation_key().to_vec();
        let (good, secret) = encapsulate_with(backend, kem, &ek, &rng.array()).unwrap();
        assert_eq!(decapsulate(load(), &good), Ok(secret));
        let len = good.len();
        let bits = [0, 7, 8 * len / 2, 8 * len - 8, 8 * len - 1];
        let mut bad: Vec<_> = bits.into_iter().map(|bit| flipped(&good, bit)).collect();
        bad.extend([vec![0; len], vec![0xff; len], rng.bytes(len)]);
        for ciphertext in bad {
            let expected = rejection(&seed[32..], &ciphertext);
            for _ in 0..2 {
                assert_eq!(decapsulate(load(), &ciphertext), Ok(expected), "{}", kem.name());
            }
        }
    }
}

/// A coefficient of q or more is refused wherever it is (FIPS 203 section 7.2); one of q - 1 is
/// not.
pub fn kem_encapsulation_keys_that_are_not_reduced_are_refused(backend: &Backend) {
    let mut rng = Rng::new(0x0205);
    for kem in mechanisms(backend, Operation::Kem) {
        let reference = MlKem::new(kem).unwrap();
        let good = reference.key_pair(&rng.array()).encapsulation_key;
        let last = reference.coefficients() - 1;
        for at in [0, 1, 255, 256, rng.below(last), last - 1, last] {
            let with = |value| reference.with_coefficient(&good, at, value);
            assert!(encapsulate(backend, kem, &with(Q - 1)).is_ok(), "{} {at}", kem.name());
            for value in [Q, Q + 1, 4095] {
                let refused = encapsulate(backend, kem, &with(value));
                assert_eq!(refused, Err(Error::BadKeyShare), "{} {at}", kem.name());
                let library = backend.support(Operation::KemLoad(kem));
                if library.is_supported() {
                    let refused = encapsulate_with(backend, kem, &with(value), &[1; 32]);
                    assert_eq!(refused, Err(Error::BadKeyShare), "{} {at}", kem.name());
                }
            }
        }
    }
}

/// An expanded key with a bit flipped is refused, but for z, which belongs to nothing.
pub fn kem_expanded_keys_whose_parts_disagree_are_refused(backend: &Backend) {
    let mut rng = Rng::new(0x0206);
    for kem in mechanisms(backend, Operation::KemLoad) {
        let pair = MlKem::new(kem).unwrap().key_pair(&rng.array());
        let good = pair.decapsulation_key;
        let attempt = |key: &[u8]| load(backend, kem, KemPrivateKey::Expanded(key));
        let end = good.len();
        let (z, hash) = (end - 32, end - 64);
        let vector = hash - kem.encapsulation_key_len();
        assert_eq!(encapsulation_key_in(kem, &good), Ok(&pair.encapsulation_key[..]));
        for at in [0, vector - 1, vector, vector + 7, hash - 1, hash, z - 1] {
            let refused = attempt(&flipped(&good, 8 * at + rng.below(8))).map(drop);
            assert_eq!(refused, Err(BAD_KEM_KEY), "{}, byte {at}", kem.name());
        }
        // The hash is right and the encapsulation key is that of another.
        let other = MlKem::new(kem).unwrap().key_pair(&rng.array()).decapsulation_key;
        let mixed = [&good[..vector], &other[vector..]].concat();
        assert_eq!(attempt(&mixed).map(drop), Err(BAD_KEM_KEY), "{}", kem.name());
        for at in [z, end - 1] {
            let key = attempt(&flipped(&good, 8 * at)).unwrap();
            assert_eq!(key.encapsulation_key(), pair.encapsulation_key, "{}", kem.name());
        }
    }
}

/// Keys and ciphertexts of another length are refused.
pub fn kem_lengths_are_checked(backend: &Backend) {
    for kem in mechanisms(backend, Operation::Kem) {
        let library = backend.key_encapsulation();
        let generate = || library.generate_kem(kem).unwrap();
        let key = generate();
        let own = key.encapsulation_key();
        assert_eq!(own.len(), kem.encapsulation_key_len());
        let others = |len: usize| [0, 1, 32, len - 1, len + 1, 1184, 1568, 1088, 2 * len];
        let resized = |bytes: &[u8], len| {
            let mut bytes = bytes.to_vec();
            bytes.resize(len, 0);
            bytes
        };
        for len in others(own.len()).into_iter().filter(|len| *len != own.len()) {
            let refused = encapsulate(backend, kem, &resized(own, len));
            assert_eq!(refused, Err(Error::BadKeyShare), "{} {len}", kem.name());
        }
        let (ciphertext, _) = encapsulate(backend, kem, own).unwrap();
        let right = kem.ciphertext_len();
        for len in others(right).into_iter().filter(|len| *len != right) {
            let refused = decapsulate(generate(), &resized(&ciphertext, len));
            assert_eq!(refused, Err(Error::BadKeyShare), "{} {len}", kem.name());
            // A buffer of another length is a mistake of the caller.
            let mut room = vec![0; len];
            let refused = library.encapsulate(kem, own, &mut room, &mut [0; KEM_SECRET_LEN]);
            assert!(matches!(refused, Err(Error::Internal(_))), "{} {len}", kem.name());
        }
    }
    for kem in mechanisms(backend, Operation::KemLoad) {
        let good = MlKem::new(kem).unwrap().key_pair(&[5; 64]).decapsulation_key;
        for len in [0, 64, good.len() - 1, good.len() + 1, 2400, 3168] {
            let mut key = good.clone();
            key.resize(len, 0);
            let loaded = load(backend, kem, KemPrivateKey::Expanded(&key)).map(drop);
            let expected = if key == good { Ok(()) } else { Err(BAD_KEM_KEY) };
            assert_eq!(loaded, expected, "{} {len}", kem.name());
        }
    }
}
