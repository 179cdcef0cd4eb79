//! Loading keys: every good form is taken, and every bad key is refused with the same error by all.
//! Errors about keys may be precise; nobody attacks with them.

use num_bigint::BigUint;

use ssl_provider_core::{
    Backend, CipherSuite, Error, InvalidKey, Policy, ProtocolVersion, Provider,
};

use crate::bytes::Rng;
use crate::ciphertext::KINDS;
use crate::exchange::{Exchange, POLICY, open};
use crate::rsa_key::{KeyParts, RSA_OID, TestKey, der, pkcs8};
use crate::vectors::{colon_lines, with_folder};

fn load(backend: &Backend, der: &[u8]) -> Result<(), Error> {
    open(backend).load_private_key(der).map(drop)
}

/// PKCS#1 and PKCS#8 give the same key, with its public facts.
pub fn keys_load_from_both_containers(backend: &Backend) {
    let provider = open(backend);
    let mut rng = Rng::new(12);
    for test_key in [TestKey::rsa_1024(), TestKey::rsa_2048(), TestKey::rsa_2048_p_lt_q()] {
        let exchange = Exchange::tls1_2();
        let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
        for der in [test_key.der.clone(), pkcs8(RSA_OID, &test_key.der)] {
            let key = provider.load_private_key(&der).unwrap();
            assert_eq!(key.modulus(), test_key.modulus().to_bytes_be());
            assert_eq!(key.modulus_len(), test_key.len());
            assert_eq!(key.backend().info().name, backend.info().name);
            let secret = exchange.imported_secret(&provider, &key, &ciphertext);
            assert_eq!(secret.as_slice(), exchange.master_secret(&premaster_secret));
        }
    }
}

/// Moduli below 1024 and above 8192 bits, and even ones, are refused by size; 1024 is taken.
pub fn keys_of_a_size_out_of_range_are_refused(backend: &Backend) {
    for bits in [512, 768, 1023] {
        let der = KeyParts::generate(bits, bits).to_der();
        let bits = usize::try_from(bits).unwrap();
        assert_eq!(load(backend, &der), Err(Error::Key(InvalidKey::Modulus { bits })));
    }
    assert_eq!(load(backend, &KeyParts::generate(1024, 1).to_der()), Ok(()));

    let one = BigUint::from(1u8);
    let mut parts = TestKey::rsa_8192().parts();
    parts.n = (&one << 8192) + 1u8;
    assert_eq!(load(backend, &parts.to_der()), Err(Error::Key(InvalidKey::Modulus { bits: 8193 })));
    parts.n = (&one << 20_000) + 1u8;
    assert_eq!(
        load(backend, &parts.to_der()),
        Err(Error::Key(InvalidKey::Modulus { bits: 20_001 }))
    );
    let mut even = TestKey::rsa_1024().parts();
    even.n -= 1u8;
    assert_eq!(load(backend, &even.to_der()), Err(Error::Key(InvalidKey::Modulus { bits: 1024 })));
}

/// A key that is shorter than policy asks is not allowed; the status is another than for a bad key.
pub fn keys_shorter_than_the_policy_are_refused(backend: &Backend) {
    let short = TestKey::rsa_1024();
    for (min_modulus_bits, taken) in [(0, true), (1024, true), (1025, false), (2048, false)] {
        let policy = Policy { min_modulus_bits, ..POLICY };
        let provider = Provider::open(backend).with_policy(policy);
        let result = short.try_load(&provider).map_err(|error| error.status().code());
        assert_eq!(result.map(drop), if taken { Ok(()) } else { Err(0x8009_0010) });
        assert!(TestKey::rsa_2048().try_load(&provider).is_ok());
    }
}

/// A short key that another provider has loaded does not get past the policy of this one.
pub fn keys_shorter_than_the_policy_import_nothing(backend: &Backend) {
    let test_key = TestKey::rsa_1024();
    let key = test_key.load(&open(backend));
    let strict = Provider::open(backend).with_policy(Policy { min_modulus_bits: 2048, ..POLICY });
    let exchange = Exchange::tls1_2();
    let result = exchange.import(&strict, &key, &vec![7; test_key.len()]);
    assert_eq!(result.map(drop).map_err(|error| error.status().code()), Err(0x8009_0010));
}

/// Public exponents that are even, 1, or longer than 33 bits are refused.
pub fn keys_with_a_bad_public_exponent_are_refused(backend: &Backend) {
    for exponent in [0_u64, 1, 2, 4, 65536, (1 << 33) + 1, u64::MAX] {
        let mut parts = TestKey::rsa_1024().parts();
        parts.e = BigUint::from(exponent);
        let result = load(backend, &parts.to_der());
        assert_eq!(result, Err(Error::Key(InvalidKey::Exponent)), "e = {exponent}");
    }
}

/// A key of more than two primes is refused as such.
pub fn keys_of_more_than_two_primes_are_refused(backend: &Backend) {
    let mut parts = TestKey::rsa_1024().parts();
    parts.version = 1;
    assert_eq!(load(backend, &parts.to_der()), Err(Error::Key(InvalidKey::MultiPrime)));
}

/// Whichever part does not belong to the others, every backend finds it, and says the same.
pub fn keys_whose_parts_disagree_are_refused(backend: &Backend) {
    type Change = fn(&mut KeyParts);
    let other = TestKey::rsa_1536().parts();
    let changes: [(&str, Change); 16] = [
        ("n + 2", |parts| parts.n += 2u8),
        ("n - 2", |parts| parts.n -= 2u8),
        ("d + 2", |parts| parts.d += 2u8),
        ("d - 1", |parts| parts.d -= 1u8),
        ("d = 1", |parts| parts.d = BigUint::from(1u8)),
        ("another e", |parts| parts.e = BigUint::from(17u8)),
        ("p + 2", |parts| parts.p += 2u8),
        ("q + 2", |parts| parts.q += 2u8),
        ("p = q", |parts| parts.p = parts.q.clone()),
        ("p = 1, q = n", |parts| {
            parts.p = BigUint::from(1u8);
            parts.q = parts.n.clone();
        }),
        ("p = 0", |parts| parts.p = BigUint::ZERO),
        ("d mod p-1 + 1", |parts| parts.dp += 1u8),
        ("d mod q-1 + 1", |parts| parts.dq += 1u8),
        ("q^-1 mod p + 1", |parts| parts.qinv += 1u8),
        ("coefficient of the primes exchanged", |parts| {
            parts.qinv = parts.p.modinv(&parts.q).unwrap();
        }),
        ("d = 0", |parts| parts.d = BigUint::ZERO),
    ];
    for (what, change) in changes {
        let mut parts = TestKey::rsa_1024().parts();
        change(&mut parts);
        let result = load(backend, &parts.to_der());
        assert_eq!(result, Err(Error::Key(InvalidKey::Inconsistent)), "{what}");
    }
    let mut mixed = TestKey::rsa_1024().parts();
    (mixed.p, mixed.q) = (other.p, other.q);
    let result = load(backend, &mixed.to_der());
    assert_eq!(result, Err(Error::Key(InvalidKey::Inconsistent)), "primes of another key");
}

/// A key with any one bit flipped, in any of its parts, is refused: such a key would decrypt
/// wrongly, and tell its factors by doing so.
pub fn keys_with_a_flipped_bit_are_refused(backend: &Backend) {
    type Part = fn(&mut KeyParts) -> &mut BigUint;
    let accessors: [(&str, Part); 8] = [
        ("n", |parts| &mut parts.n),
        ("e", |parts| &mut parts.e),
        ("d", |parts| &mut parts.d),
        ("p", |parts| &mut parts.p),
        ("q", |parts| &mut parts.q),
        ("d mod p-1", |parts| &mut parts.dp),
        ("d mod q-1", |parts| &mut parts.dq),
        ("q^-1 mod p", |parts| &mut parts.qinv),
    ];
    let good = TestKey::rsa_1024().parts();
    let mut rng = Rng::new(15);
    for (name, part) in accessors {
        let mut copy = good.clone();
        let bits = usize::try_from(part(&mut copy).bits()).unwrap();
        // Both ends, and bits in between.
        let inner = (0..40).map(|_| rng.below(bits)).collect::<Vec<_>>();
        for bit in inner.into_iter().chain([0, 1, bits - 2, bits - 1]) {
            let mut flipped = good.clone();
            *part(&mut flipped) ^= BigUint::from(1u8) << bit;
            let expected = match name {
                "n" if bit == 0 => InvalidKey::Modulus { bits: 1024 },
                "n" if bit == 1023 => {
                    InvalidKey::Modulus { bits: usize::try_from(flipped.n.bits()).unwrap() }
                }
                // 65537 becomes even, or 1.
                "e" if bit == 0 || bit == 16 => InvalidKey::Exponent,
                _ => InvalidKey::Inconsistent,
            };
            let result = load(backend, &flipped.to_der());
            assert_eq!(result, Err(Error::Key(expected)), "bit {bit} of {name}");
        }
    }
}

/// A factor that is itself a product is found by no comparison of the parts, for they all belong
/// together; every backend tries the key before it takes it.
pub fn keys_with_a_factor_that_is_not_prime_are_refused(backend: &Backend) {
    let der = include_bytes!("../../keys/rsa-1024-composite.der");
    assert_eq!(load(backend, der), Err(Error::Key(InvalidKey::Inconsistent)));
}

/// Primes exchanged together with what belongs to them are the same key: p < q is no fault.
pub fn keys_with_the_primes_in_either_order_are_taken(backend: &Backend) {
    let provider = open(backend);
    let test_key = TestKey::rsa_1024();
    let parts = test_key.parts();
    let exchanged = KeyParts::from_primes(parts.q.clone(), parts.p.clone(), 65537);
    let exchanged = TestKey::from_der("primes exchanged", &exchanged.to_der());
    let mut rng = Rng::new(13);
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA);
    let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
    for key in [test_key.load(&provider), exchanged.load(&provider)] {
        let secret = exchange.imported_secret(&provider, &key, &ciphertext);
        assert_eq!(secret.as_slice(), exchange.master_secret(&premaster_secret));
    }
}

/// A private exponent reduced by lambda(n) or by phi(n), and primes in either order, are one key
/// written in several ways. Whoever may ask under two of them learns nothing: bad ciphertexts too
/// have the same answer under all.
pub fn keys_answer_alike_however_they_are_written(backend: &Backend) {
    let provider = open(backend);
    let parts = TestKey::rsa_1024().parts();
    let one = BigUint::from(1u8);
    let phi = (&parts.p - &one) * (&parts.q - &one);
    // Both are even, so lambda is phi over at least 2; dividing by 2 keeps a multiple of lambda.
    let half = &phi / 2u8;
    let by = |modulus| KeyParts { d: parts.e.modinv(modulus).unwrap(), ..parts.clone() };
    let forms =
        [by(&phi), by(&half), KeyParts::from_primes(parts.q.clone(), parts.p.clone(), 65537)];
    assert_ne!(forms[0].d, forms[1].d);
    let keys = forms.map(|parts| TestKey::from_der("other form", &parts.to_der()));
    let exchange =
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256);
    let mut rng = Rng::new(14);
    for kind in KINDS {
        let ciphertext = kind.sample(&mut rng, &keys[0], 0x0303).ciphertext;
        let [first, others @ ..] = keys
            .each_ref()
            .map(|key| exchange.imported_secret(&provider, &key.load(&provider), &ciphertext));
        for other in others {
            assert_eq!(other, first, "{}", kind.name);
        }
    }
}

/// Keys of other algorithms are named, and get the status for a wrong type.
pub fn keys_of_another_algorithm_are_named(backend: &Backend) {
    let oids: [(&[u8], &str); 4] = [
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01], "EC"),
        (&[0x2b, 0x65, 0x70], "Ed25519"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a], "PSS"),
        (&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x81, 0x7f], "another algorithm"),
    ];
    for (oid, name) in oids {
        let error = load(backend, &pkcs8(oid, &TestKey::rsa_1024().der)).unwrap_err();
        assert!(matches!(error, Error::Key(InvalidKey::NotRsa(_))), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.status().code(), 0x8009_000A);
    }
}

/// Cut at every byte, or with something appended, a key is refused; never a panic.
pub fn keys_cut_short_or_extended_are_refused(backend: &Backend) {
    let pkcs1 = TestKey::rsa_1024().der;
    let pkcs8 = pkcs8(RSA_OID, &pkcs1);
    for der in [pkcs1, pkcs8] {
        for len in 0..der.len() {
            let error = load(backend, &der[..len]).unwrap_err();
            assert!(matches!(error, Error::Key(_)), "cut to {len}: {error}");
            assert_eq!(error.status().code(), 0x8009_0003, "cut to {len}");
        }
        let extended = [der.as_slice(), &[0]].concat();
        assert_eq!(load(backend, &extended), Err(Error::Key(InvalidKey::Malformed)));
    }
    let negative = der(0x02, &[&[0xff]]);
    assert_eq!(load(backend, &negative), Err(Error::Key(InvalidKey::Malformed)));
}

/// The keys of Mbed TLS's decryption tests, put together from two primes, load and reject their
/// six ciphertexts, none of which holds 48 bytes.
pub fn keys_from_primes_reject_the_mbedtls_vectors(backend: &Backend) {
    with_folder(6, |vectors| {
        let text = vectors.text("mbedtls/test_suite_pkcs1_v15.data");
        let cases = colon_lines(&text, "pkcs1_rsaes_v15_decrypt");
        let number = |hex: &str| BigUint::parse_bytes(hex.as_bytes(), 16).unwrap();
        for case in &cases {
            let ["1024", p, q, n, e, _, _, _, ciphertext, _] = case[..] else {
                panic!("another shape: {case:?}");
            };
            let e = u32::from_str_radix(e, 16).unwrap();
            let parts = KeyParts::from_primes(number(p), number(q), e);
            assert_eq!(parts.n, number(n));
            let key = TestKey::from_der("mbedtls", &parts.to_der());
            super::rejection::assert_rejected(backend, &key, &crate::bytes::hex(ciphertext));
        }
        cases.len()
    });
}
