//! Private keys that sign: RSA against plain arithmetic, ECDSA against the arithmetic of
//! [`crate::curve`], and all of it against the backend's own verification.

use num_bigint::BigUint;

use ssl_provider_core::{
    Backend, Curve, Error, InvalidKey, Operation, Policy, Provider, SignatureAlgorithm,
    SignatureScheme, SigningKey,
};

use crate::bytes::{Rng, hex};
use crate::curve;
use crate::exchange::{POLICY, open};
use crate::rsa_key::{KeyParts, RSA_OID, TestKey, der, pkcs8, with_key_usage};
use crate::signature::{digest, ec_algorithm, ec_public_key, encoded, rsa_public_key, sign_block};

/// A private key on a curve, as PKCS#8, and its public key.
#[derive(Debug)]
pub struct EcKey {
    /// The curve.
    pub curve: Curve,
    /// The private key as PKCS#8 in DER.
    pub der: Vec<u8>,
    /// The public key, an uncompressed point.
    pub point: Vec<u8>,
    /// The same as `SubjectPublicKeyInfo` in DER.
    pub public_key: Vec<u8>,
}

impl EcKey {
    /// The key of a private number.
    pub fn new(curve: Curve, number: &BigUint) -> Self {
        let arithmetic = arithmetic(curve);
        let point = arithmetic.public_key(&(number % &arithmetic.order));
        let public_key = ec_public_key(curve.oid(), &point);
        Self { curve, der: ec_private_key(curve, number), point, public_key }
    }

    /// A key on each curve of ECDSA.
    pub fn all(rng: &mut Rng) -> Vec<Self> {
        Curve::ALL
            .into_iter()
            .map(|curve| {
                let number = BigUint::from_bytes_be(&rng.bytes(curve.coordinate_len()));
                Self::new(curve, &(number % &arithmetic(curve).order))
            })
            .collect()
    }
}

/// PKCS#8 around an `ECPrivateKey` without a public key (RFC 5915).
fn ec_private_key(curve: Curve, number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let padded = [vec![0; curve.coordinate_len().saturating_sub(bytes.len())], bytes].concat();
    let sec1 = der(0x30, &[&[2, 1, 1], &der(0x04, &[&padded])]);
    der(0x30, &[&[2, 1, 0], &ec_algorithm(curve.oid()), &der(0x04, &[&sec1])])
}

fn arithmetic(curve: Curve) -> curve::Curve {
    curve::Curve::new(curve.into()).expect("a curve of ECDSA")
}

fn supported(backend: &Backend, scheme: SignatureScheme) -> bool {
    backend.support(Operation::Sign(scheme)).is_supported()
}

fn load(provider: &Provider, der: &[u8]) -> SigningKey {
    provider.load_signing_key(der).unwrap()
}

/// RSA signatures of PKCS#1 v1.5 have one right value, for every size of key.
pub fn signing_rsa_is_that_of_the_reference(backend: &Backend) {
    let provider = open(backend);
    for key in [TestKey::rsa_1024(), TestKey::rsa_2048(), TestKey::rsa_3072()] {
        let signing_key = load(&provider, &key.der);
        assert_eq!(signing_key.max_signature_len(), key.len());
        for scheme in SignatureScheme::ALL {
            if scheme.algorithm() != SignatureAlgorithm::RsaPkcs1 || !supported(backend, scheme) {
                continue;
            }
            let digest = digest(scheme);
            let expected = sign_block(&key, &encoded(scheme, &digest, key.len()));
            let found = signing_key.sign(scheme, &digest);
            assert_eq!(found, Ok(expected), "{} {}", key.name, scheme.name());
        }
    }
}

/// Every scheme of every key verifies, over its digest and no other, and PSS and ECDSA do not
/// repeat their salt.
pub fn signing_verifies_with_every_scheme(backend: &Backend) {
    let provider = open(backend);
    let rsa = TestKey::rsa_2048();
    let mut keys = vec![(rsa.der.clone(), rsa_public_key(&rsa))];
    let on_curves = EcKey::all(&mut Rng::new(0x6979));
    keys.extend(on_curves.into_iter().map(|key| (key.der, key.public_key)));
    for (private_key, public_key) in keys {
        let key = load(&provider, &private_key);
        for scheme in SignatureScheme::ALL {
            let of_key = scheme.is_rsa() == key.curve().is_none();
            let verifies = backend.support(Operation::Verify(scheme)).is_supported();
            if !of_key || !supported(backend, scheme) || !verifies {
                continue;
            }
            let mut digest = digest(scheme);
            let signature = key.sign(scheme, &digest).unwrap();
            assert!(signature.len() <= key.max_signature_len(), "{}", scheme.name());
            let verify = |digest: &[u8], signature: &[u8]| {
                provider.verify_signature(&public_key, scheme, digest, signature)
            };
            assert_eq!(verify(&digest, &signature), Ok(()), "{}", scheme.name());
            if scheme.algorithm() == SignatureAlgorithm::RsaPss {
                assert_ne!(key.sign(scheme, &digest).unwrap(), signature, "{}", scheme.name());
            }
            digest[0] ^= 1;
            let other = verify(&digest, &signature);
            assert_eq!(other, Err(Error::BadSignature), "{}", scheme.name());
        }
    }
}

/// ECDSA signatures are DER of two numbers that verify by plain arithmetic, for digests that are
/// shorter and longer than the order.
pub fn signing_ecdsa_verifies_by_the_reference(backend: &Backend) {
    let provider = open(backend);
    for key in EcKey::all(&mut Rng::new(0x186)) {
        let arithmetic = arithmetic(key.curve);
        let signing_key = load(&provider, &key.der);
        assert_eq!(signing_key.curve(), Some(key.curve));
        for scheme in SignatureScheme::ALL {
            if scheme.algorithm() != SignatureAlgorithm::Ecdsa || !supported(backend, scheme) {
                continue;
            }
            let digest = digest(scheme);
            let signature = signing_key.sign(scheme, &digest).unwrap();
            let (r, s) = signature_numbers(&signature);
            let good = arithmetic.verify(&key.point, &digest, &r, &s);
            assert!(good, "{:?} {}", key.curve, scheme.name());
            let again = signature_numbers(&signing_key.sign(scheme, &digest).unwrap());
            assert!(arithmetic.verify(&key.point, &digest, &again.0, &again.1));
        }
    }
}

/// The numbers of an `Ecdsa-Sig-Value`, whose DER must be the shortest.
fn signature_numbers(signature: &[u8]) -> (BigUint, BigUint) {
    let content = match signature {
        [0x30, 0x81, len, content @ ..] if *len >= 0x80 => (*len, content),
        [0x30, len, content @ ..] if *len < 0x80 => (*len, content),
        other => panic!("no sequence: {other:02x?}"),
    };
    assert_eq!(usize::from(content.0), content.1.len());
    let integer = |bytes: &'_ [u8]| {
        let [0x02, len, rest @ ..] = bytes else { panic!("no integer: {bytes:02x?}") };
        let (number, rest) = rest.split_at(usize::from(*len));
        let shortest = match number {
            [0, next, ..] => *next >= 0x80,
            [first, ..] => *first < 0x80,
            [] => false,
        };
        assert!(shortest, "{number:02x?}");
        (BigUint::from_bytes_be(number), rest.to_vec())
    };
    let (r, rest) = integer(content.1);
    let (s, rest) = integer(&rest);
    assert!(rest.is_empty());
    (r, s)
}

/// A scheme of another kind of key, a digest of another length, and a modulus that is too short for
/// the scheme are refused.
pub fn signing_refuses_what_is_not_of_the_key(backend: &Backend) {
    let provider = open(backend);
    let rsa = load(&provider, &TestKey::rsa_1024().der);
    let ec = load(&provider, &EcKey::all(&mut Rng::new(1)).remove(0).der);
    for scheme in SignatureScheme::ALL.into_iter().filter(|scheme| supported(backend, *scheme)) {
        let (own, other) = if scheme.is_rsa() { (&rsa, &ec) } else { (&ec, &rsa) };
        let digest = digest(scheme);
        let mixed = other.sign(scheme, &digest);
        assert!(matches!(mixed, Err(Error::InvalidParameter(_))), "{}: {mixed:?}", scheme.name());
        let longer = [&digest[..], &[0; 100]].concat();
        for wrong in [&[][..], &digest[..digest.len() - 1], &longer] {
            // Without a DigestInfo, the length is open.
            if scheme.digest_len().is_none() && (1..=117).contains(&wrong.len()) {
                continue;
            }
            let refused = own.sign(scheme, wrong);
            assert!(matches!(refused, Err(Error::InvalidParameter(_))), "{}", scheme.name());
        }
        let too_short = scheme == SignatureScheme::RsaPssSha512;
        assert_eq!(own.sign(scheme, &digest).is_err(), too_short, "{}", scheme.name());
    }
    // The block of RSASSA-PSS has a bit less than the modulus.
    let scheme = SignatureScheme::RsaPssSha512;
    for (bits, good) in [(1033, false), (1034, true)] {
        let key = load(&provider, &KeyParts::generate(bits, 0x8017).to_der());
        let signature = key.sign(scheme, &digest(scheme));
        let refused = matches!(signature, Err(Error::InvalidParameter(_)));
        assert_eq!((signature.is_ok(), refused), (good, !good), "{bits}: {signature:?}");
    }
}

/// Keys that are no keys, of another algorithm or curve, out of range, below the policy, or whose
/// usage allows no signatures are refused.
pub fn signing_keys_are_checked(backend: &Backend) {
    let load = |der: &[u8]| open(backend).load_signing_key(der).map(drop);
    let key = EcKey::new(Curve::P256, &BigUint::from(7_u8));
    assert_eq!(load(&key.der), Ok(()));
    for garbage in [&[][..], &[0x30, 0], &key.der[..key.der.len() - 1], &[0xff; 100]] {
        assert_eq!(load(garbage), Err(Error::Key(InvalidKey::NotRsaOrEc)));
    }
    // id-X25519, and secp256k1.
    let x25519 = pkcs8(&hex("06032b656e"), &der(0x04, &[&[7; 32]]));
    assert_eq!(load(&x25519), Err(Error::Key(InvalidKey::NotRsaOrEc)));
    for curve in Curve::ALL {
        let order = arithmetic(curve).order;
        for number in [BigUint::ZERO, order.clone(), &order + 1_u8] {
            let refused = load(&ec_private_key(curve, &number));
            assert_eq!(refused, Err(Error::Key(InvalidKey::Inconsistent)), "{curve:?} {number}");
        }
        assert_eq!(load(&ec_private_key(curve, &(order - 1_u8))), Ok(()), "{curve:?}");
    }
    let rsa = pkcs8(RSA_OID, &TestKey::rsa_1024().parts().to_der());
    for key in [&key.der, &rsa] {
        for usage in [0x80, 0xa0, 0xff] {
            assert_eq!(load(&with_key_usage(key, usage)), Ok(()), "{usage:#x}");
        }
        // Encipherment of keys, key agreement, certificates, and nothing.
        for usage in [0x20, 0x08, 0x04, 0x00] {
            let refused = Err(Error::Key(InvalidKey::Usage));
            assert_eq!(load(&with_key_usage(key, usage)), refused, "{usage:#x}");
        }
    }
    let strict = open(backend).with_policy(Policy { min_modulus_bits: 2048, ..POLICY });
    let short = strict.load_signing_key(&TestKey::rsa_1024().der).map(drop);
    assert!(matches!(short, Err(Error::NotAllowed(_))), "{short:?}");
}
