//! The same generated agreements and signatures on every backend, good and bad: status and result
//! must be equal, also where a library would rather say something else.
//!
//! `SSL_PROVIDER_SEED` chooses the inputs; `SSL_PROVIDER_AGREEMENTS` and `SSL_PROVIDER_SIGNATURES`
//! their number. A failure prints the seed and the number of the input.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ssl_provider::{
    Backend, CipherSuite, DhParameters, Error, Group, NamedCurve, Operation, ParameterList,
    ProtocolVersion, Provider, Side, SignatureScheme, SigningKey,
};
use ssl_provider_testkit::bytes::{Rng, number_from_env, to_hex};
use ssl_provider_testkit::cases::signing::EcKey;
use ssl_provider_testkit::exchange::{Exchange, open};
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::signature::{digest, rsa_public_key};

const DEFAULT_SEED: u64 = 0x4543_4448;
const DEFAULT_COUNT: u64 = 10_000;

/// Runs `check` on the numbers below `count` in as many threads as there are processors, and counts
/// what it returns.
fn count_each(
    count: usize,
    check: impl Fn(usize) -> &'static str + Sync,
) -> BTreeMap<&'static str, usize> {
    let next = AtomicUsize::new(0);
    let tally: Mutex<BTreeMap<&str, usize>> = Mutex::default();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let kind = check(number);
                    *tally.lock().expect("no thread has panicked").entry(kind).or_default() += 1;
                }
            });
        }
    });
    tally.into_inner().expect("no thread has panicked")
}

fn generator(seed: u64, number: usize) -> Rng {
    let offset = u64::try_from(number).expect("64 bits").wrapping_mul(0x2545_f491_4f6c_dd1d);
    Rng::new(seed.wrapping_add(offset))
}

fn count(name: &str) -> usize {
    number_from_env(name, DEFAULT_COUNT).try_into().expect("a number that fits")
}

/// The curves that two backends or more take given keys on, and two finite fields of 1024 bits, the
/// shortest that the policy of the cases takes.
fn groups(backends: &[Backend]) -> Vec<Group> {
    let is_common = |curve: &NamedCurve| {
        let load = Operation::EcdhLoad(*curve);
        backends.iter().filter(|backend| backend.support(load).is_supported()).count() > 1
    };
    let curves = NamedCurve::ALL.into_iter().filter(is_common).map(Group::Curve);
    let key = TestKey::rsa_2048().parts();
    let primes = [key.p, key.q].map(|prime| DhParameters::new(&prime.to_bytes_be(), &[2]));
    curves.chain(primes.map(|prime| Group::from(prime.expect("an odd number")))).collect()
}

/// A master secret, or the status of the refusal.
type Answer = Result<Vec<u8>, u32>;

fn agree(
    provider: &Provider,
    group: &Group,
    private_key: &[u8],
    peer: &[u8],
    list: &ParameterList,
) -> Option<Answer> {
    let agreement = provider.backend().key_agreement();
    let (key, suite) = match group {
        Group::Curve(curve) => {
            let load = Operation::EcdhLoad(*curve);
            if !provider.backend().support(load).is_supported() {
                return None;
            }
            let suite = CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
            (agreement.load_ecdh(*curve, private_key), suite)
        }
        Group::FiniteField(group) => {
            let suite = CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256;
            (agreement.load_dh(group, private_key), suite)
        }
        other => panic!("{other:?}: a group that this test does not know"),
    };
    let agreed = key.and_then(|key| {
        let key = provider.ephemeral_key_of(group.clone(), key)?;
        let peer = group.public_key(peer)?;
        let version = ProtocolVersion::TLS1_2;
        provider.generate_master_key(key, &peer, version, suite, list, Side::Server)
    });
    Some(match agreed {
        Ok(master_key) => Ok(master_key.secret_for_key_log().expect("allowed").expose().to_vec()),
        Err(error) => Err(error.status().code()),
    })
}

/// A private key of a group: mostly one in range, now and then a number at an edge.
fn private_key(group: &Group, rng: &mut Rng) -> Vec<u8> {
    match group {
        Group::Curve(curve) => {
            let len = curve.coordinate_len();
            let mut key = rng.bytes(len);
            match rng.below(40) {
                0 => key.fill(0),
                1 => key.fill(0xff),
                2 => _ = key.pop(),
                // Below the order of every curve.
                _ if len == 66 => key[0] = 0,
                _ => key[0] &= 0x7f,
            }
            key
        }
        _ => rng.bytes(20),
    }
}

/// What is done to the public key of the peer.
fn spoil(key: &mut Vec<u8>, rng: &mut Rng) -> &'static str {
    let at = rng.below(key.len());
    match rng.below(8) {
        0 => {
            key[at] ^= 1 << rng.below(8);
            "a flipped bit"
        }
        1 => {
            key.fill(0);
            "zeros"
        }
        2 => {
            let rest = rng.bytes(key.len() - 1);
            key[1..].copy_from_slice(&rest);
            "random bytes"
        }
        3 => {
            key.truncate(at);
            "cut short"
        }
        4 => {
            key.push(0);
            "a byte more"
        }
        5 => {
            key[1..].fill(0xff);
            "numbers at the end of their range"
        }
        6 => {
            key[0] = *rng.pick(&[0, 2, 3, 4, 5, 6, 7]);
            "another form"
        }
        _ => {
            let half = key.len().div_ceil(2);
            key.rotate_left(half);
            "coordinates exchanged"
        }
    }
}

#[test]
fn generated_agreements_have_the_same_results_on_every_backend() {
    let seed = number_from_env("SSL_PROVIDER_SEED", DEFAULT_SEED);
    let agreements = count("SSL_PROVIDER_AGREEMENTS");
    println!("SSL_PROVIDER_SEED={seed} SSL_PROVIDER_AGREEMENTS={agreements}");
    let backends = ssl_provider::backends();
    let groups = groups(&backends);
    let providers: Vec<Provider> = backends.iter().map(open).collect();
    let exchange = Exchange::tls1_2();
    let list = exchange.parameters();
    let kinds = count_each(agreements, |number| {
        let mut rng = generator(seed, number);
        let group = &groups[number % groups.len()];
        // The peer's key is generated by one backend after the other.
        let maker = &providers[number % providers.len()];
        let Ok(peer) = maker.generate_ephemeral_key(group.clone()) else {
            return "the maker lacks the group";
        };
        let mut peer = peer.public_key().to_vec();
        let kind = if rng.one_in(3) { spoil(&mut peer, &mut rng) } else { "good" };
        let own = private_key(group, &mut rng);
        let answers: Vec<(&str, Answer)> = providers
            .iter()
            .filter_map(|provider| {
                let answer = agree(provider, group, &own, &peer, &list)?;
                Some((provider.backend().info().name, answer))
            })
            .collect();
        let first = &answers[0].1;
        assert!(
            answers.iter().all(|(_, answer)| answer == first),
            "number {number}, {kind}: {group:?} private {} peer {}\n{answers:#?}",
            to_hex(&own),
            to_hex(&peer)
        );
        match first {
            Ok(_) if kind == "good" => "agreed",
            Ok(_) => "agreed all the same",
            Err(_) => kind,
        }
    });
    println!("{} backends, {} groups: {kinds:?}", backends.len(), groups.len());
    assert_eq!(kinds.values().sum::<usize>(), agreements);
    assert!(kinds["agreed"] >= agreements / 2);
    assert!(agreements < 1000 || kinds.len() >= 9, "{kinds:?}");
}

/// A key that signs, loaded by each backend, and its public half.
struct Signer {
    keys: Vec<SigningKey>,
    public_key: Vec<u8>,
}

#[test]
fn generated_signatures_have_the_same_verdict_on_every_backend() {
    let seed = number_from_env("SSL_PROVIDER_SEED", DEFAULT_SEED);
    let signatures = count("SSL_PROVIDER_SIGNATURES");
    println!("SSL_PROVIDER_SEED={seed} SSL_PROVIDER_SIGNATURES={signatures}");
    let providers: Vec<Provider> = ssl_provider::backends().iter().map(open).collect();
    let rsa = [TestKey::rsa_1024(), TestKey::rsa_2048()];
    let rsa = rsa.map(|key| (key.der.clone(), rsa_public_key(&key))).into_iter();
    let on_curves = EcKey::all(&mut Rng::new(seed)).into_iter();
    let signers: Vec<Signer> = rsa
        .chain(on_curves.map(|key| (key.der, key.public_key)))
        .map(|(der, public_key)| {
            let load = |provider: &Provider| provider.load_signing_key(&der).unwrap();
            Signer { keys: providers.iter().map(load).collect(), public_key }
        })
        .collect();
    let kinds = count_each(signatures, |number| {
        let mut rng = generator(seed, number);
        let signer = &signers[number % signers.len()];
        let key = &signer.keys[number % signer.keys.len()];
        let of_key = |scheme: &SignatureScheme| scheme.is_rsa() == key.curve().is_none();
        let schemes: Vec<_> = SignatureScheme::ALL.into_iter().filter(of_key).collect();
        let scheme = *rng.pick(&schemes);
        let mut digest = digest(scheme);
        rng.fill(&mut digest);
        let signature = match key.sign(scheme, &digest) {
            Ok(signature) => signature,
            Err(Error::InvalidParameter(_)) => return "the key is too short for the scheme",
            Err(error) => panic!("number {number}: {error}"),
        };
        let mut presented = signature.clone();
        let mut presented_as = scheme;
        let kind = match rng.below(6) {
            0..=2 => "good",
            3 => {
                presented_as = *rng.pick(&schemes);
                if presented_as.digest_len() == scheme.digest_len() {
                    "as another scheme"
                } else {
                    "another length"
                }
            }
            4 => {
                let at = rng.below(digest.len());
                digest[at] ^= 1 << rng.below(8);
                "over another digest"
            }
            _ => spoil(&mut presented, &mut rng),
        };
        let verdicts: Vec<(&str, Result<(), u32>)> = providers
            .iter()
            .map(|provider| {
                let verified = provider.verify_signature(
                    &signer.public_key,
                    presented_as,
                    &digest,
                    &presented,
                );
                (provider.backend().info().name, verified.map_err(|error| error.status().code()))
            })
            .collect();
        let first = verdicts[0].1;
        assert!(
            verdicts.iter().all(|(_, verdict)| *verdict == first),
            "number {number}, {kind}: {} presented as {}, digest {}, signature {}, key {}\n\
             {verdicts:#?}",
            scheme.name(),
            presented_as.name(),
            to_hex(&digest),
            to_hex(&presented),
            to_hex(&signer.public_key)
        );
        // RSA without a DigestInfo signs the 36 bytes of MD5 and SHA-1 as TLS 1.1 does.
        let bare = [SignatureScheme::RsaWithoutDigestInfo, SignatureScheme::RsaMd5Sha1];
        let same_scheme =
            presented_as == scheme || [presented_as, scheme].iter().all(|it| bare.contains(it));
        let untouched = presented == signature && same_scheme;
        match first {
            Ok(()) if kind == "good" => "good",
            Ok(()) if untouched => "good all the same",
            Ok(()) => panic!("number {number}, {kind}: a spoilt signature verifies"),
            Err(status) => {
                assert_ne!(kind, "good", "number {number}: {status:#x}");
                kind
            }
        }
    });
    println!("{} backends: {kinds:?}", providers.len());
    assert_eq!(kinds.values().sum::<usize>(), signatures);
    assert!(kinds["good"] >= signatures / 3);
    assert!(signatures < 1000 || kinds.len() >= 10, "{kinds:?}");
}
