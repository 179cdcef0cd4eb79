//! No heap memory is freed with a secret in it: searches every freed block for the premaster
//! secret, master secret, session keys and private key. A separate program, because it replaces the
//! allocator.
//!
//! It does not see what C libraries free through their own allocator, nor stacks. Padding inside a
//! freed value is formally uninitialised, and is read all the same: knowingly, and only in this
//! test.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use num_bigint::BigUint;
use ssl_provider::backend::KemPrivateKey;
use ssl_provider::{
    CipherSuite, Curve, Group, HybridGroup, Operation, ProtocolVersion, RecordOptions, Side,
    SignatureScheme,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::cases::signing::EcKey;
use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_testkit::exchange::{Exchange, open};
use ssl_provider_testkit::group;
use ssl_provider_testkit::known_random::KnownRandom;
use ssl_provider_testkit::ml_kem::MlKem;
use ssl_provider_testkit::rsa_key::TestKey;
use ssl_provider_testkit::signature::rsa_public_key;

/// Length of a searched piece: long enough not to occur in other memory by chance.
const NEEDLE_LEN: usize = 12;
const NEEDLES: usize = 24;

/// Most blocks that are live at once while needles are wanted.
const BLOCKS: usize = 4096;

/// The system's allocator, which searches freed blocks.
struct Searching;

/// A block: where it is, and how long.
type Block = (*mut u8, usize);

const NO_BLOCK: Block = (ptr::null_mut(), 0);

thread_local! {
    // Constant and without a destructor, so that the allocator may use them at any time.
    static WANTED: Cell<[Option<[u8; NEEDLE_LEN]>; NEEDLES]> =
        const { Cell::new([None; NEEDLES]) };
    // Of each needle, whether it was found.
    static FOUND: Cell<[bool; NEEDLES]> = const { Cell::new([false; NEEDLES]) };
    // What was allocated while needles were wanted, and is live.
    static LIVE: [Cell<Block>; BLOCKS] = const { [const { Cell::new(NO_BLOCK) }; BLOCKS] };
}

/// Replaces the entry of a live block, or an empty one; nothing where there is none.
fn replace_live(pointer: *mut u8, block: Block) {
    LIVE.with(|live| {
        if let Some(entry) = live.iter().find(|entry| entry.get().0 == pointer) {
            entry.set(block);
        }
    });
}

fn is_searching() -> bool {
    WANTED.with(Cell::get).iter().any(Option::is_some)
}

/// Searches a block that is about to be freed for the needles.
///
/// # Safety
///
/// `pointer` is live for reads of `size` bytes, all of which have been written at least once.
unsafe fn search(pointer: *const u8, size: usize) {
    if !is_searching() {
        return;
    }
    let wanted = WANTED.with(Cell::get);
    let mut window = [0; NEEDLE_LEN];
    for offset in 0..size {
        window.rotate_left(1);
        // SAFETY: the offset is below the size, which the caller guarantees. The read is volatile
        // so that it is of the memory as it is, and nothing is concluded from its being dead.
        window[NEEDLE_LEN - 1] = unsafe { pointer.wrapping_add(offset).read_volatile() };
        for (index, needle) in wanted.iter().enumerate() {
            if *needle == Some(window) {
                FOUND.with(|found| {
                    let mut now = found.get();
                    now[index] = true;
                    found.set(now);
                });
            }
        }
    }
}

// SAFETY: every block comes from and goes to the system's allocator with its own layout; `search`
// only reads, and neither allocates nor unwinds.
unsafe impl GlobalAlloc for Searching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that `search` never reads uninitialised memory.
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() && is_searching() {
            replace_live(ptr::null_mut(), (pointer, layout.size()));
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the block is live until the next line, and was zeroed when it was allocated.
        unsafe { search(pointer, layout.size()) };
        if is_searching() {
            replace_live(pointer, NO_BLOCK);
        }
        // SAFETY: the pointer came from `System` through `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    // `realloc` is the provided one: a new block, a copy, and `dealloc` of the old, which finds a
    // secret that growing has left behind.
}

#[global_allocator]
static ALLOCATOR: Searching = Searching;

/// A piece of a secret, with its name.
type Needle = (String, Vec<u8>);

/// Returns the needles that were found in the blocks that `work` freed.
fn found_by(needles: &[Needle], work: impl FnOnce()) -> Vec<&str> {
    want(needles);
    work();
    found(needles)
}

/// Returns the needles that are in live blocks that `make` has allocated for its result.
fn kept_by<T>(needles: &[Needle], make: impl FnOnce() -> T) -> Vec<&str> {
    want(needles);
    let made = make();
    FOUND.with(|found| found.set([false; NEEDLES]));
    LIVE.with(|live| {
        for (pointer, size) in live.iter().map(Cell::get) {
            // SAFETY: the block is live, since `dealloc` would have removed it, and was zeroed.
            unsafe { search(pointer, size) };
        }
    });
    let kept = found(needles);
    drop(made);
    kept
}

fn want(needles: &[Needle]) {
    let mut wanted = [None; NEEDLES];
    assert!(needles.len() <= NEEDLES);
    for (slot, (_, needle)) in wanted.iter_mut().zip(needles) {
        *slot = Some(needle.as_slice().try_into().expect("a needle of the right length"));
    }
    LIVE.with(|live| live.iter().for_each(|entry| entry.set(NO_BLOCK)));
    FOUND.with(|found| found.set([false; NEEDLES]));
    WANTED.with(|cell| cell.set(wanted));
}

/// Ends the search.
fn found(needles: &[Needle]) -> Vec<&str> {
    WANTED.with(|cell| cell.set([None; NEEDLES]));
    let found = FOUND.with(Cell::get);
    needles.iter().zip(found).filter(|(_, found)| *found).map(|((name, _), _)| &**name).collect()
}

/// Two pieces of a secret, and one in little-endian order, as numbers are stored.
fn pieces(name: &str, secret: &[u8]) -> [Needle; 3] {
    let middle = secret.len() / 2;
    let mut reversed = secret[middle..middle + NEEDLE_LEN].to_vec();
    reversed.reverse();
    [
        (format!("{name} end"), secret[secret.len() - NEEDLE_LEN..].to_vec()),
        (name.to_owned(), secret[middle..middle + NEEDLE_LEN].to_vec()),
        (format!("{name} reversed"), reversed),
    ]
}

#[test]
fn a_secret_that_is_freed_as_it_is_gets_found() {
    let secret: Vec<u8> = (1..).take(NEEDLE_LEN).collect();
    let needles = vec![("planted".to_owned(), secret.clone())];
    assert_eq!(found_by(&needles, || drop(secret.clone())), ["planted"]);
    assert_eq!(found_by(&needles, || drop([vec![9; 5], secret.clone()].concat())), ["planted"]);
    // Left behind by growing.
    let grown = found_by(&needles, || {
        let mut copy = secret.clone();
        copy.reserve(1000);
        copy.fill(0);
    });
    assert_eq!(grown, ["planted"]);
    let wiped = found_by(&needles, || {
        let mut copy = secret.clone();
        copy.iter_mut().for_each(|byte| *byte = 0);
        drop(std::hint::black_box(copy));
    });
    assert_eq!(wiped, [""; 0]);
}

#[test]
fn no_freed_block_holds_a_secret_of_the_key_exchange() {
    let test_key = TestKey::rsa_1024();
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let key = test_key.load(&provider);
        for exchange in [
            Exchange::new(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
            Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256),
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384)
                .extended(),
        ] {
            // ring's running hash cannot be wiped, and SSL 3.0 hashes secrets with it.
            if backend.info().name == "ring" && exchange.protocol == ProtocolVersion::SSL3 {
                continue;
            }
            let mut rng = Rng::new(80);
            let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
            let parameters = exchange.parameters();
            let master_secret = exchange.master_secret(&premaster_secret);
            let session_keys = exchange.session_keys(&master_secret);
            let needles = [
                pieces("premaster", &premaster_secret),
                pieces("master", &master_secret),
                pieces("keys", &session_keys),
            ]
            .concat();
            let found = found_by(&needles, || {
                let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
                let keys = master_key.session_keys(&parameters).unwrap();
                assert!(!keys.expose(Side::Client).unwrap().write_key.is_empty());
            });
            let name = backend.info().name;
            assert_eq!(found, [""; 0], "{name}, {}", exchange.describe());
        }
    }
}

#[test]
fn no_freed_block_holds_a_record_key_that_is_used_and_exported() {
    let test_key = TestKey::rsa_1024();
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let key = test_key.load(&provider);
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA);
        let mut rng = Rng::new(81);
        let (premaster_secret, ciphertext) = exchange.encrypted(&test_key, &mut rng);
        let parameters = exchange.parameters();
        let session_keys = exchange.session_keys(&exchange.master_secret(&premaster_secret));
        // Two MAC keys of 20 bytes, then two write keys of 32; the server's are the second.
        let needles =
            [pieces("MAC key", &session_keys[16..40]), pieces("write key", &session_keys[72..104])]
                .concat();
        let found = found_by(&needles, || {
            let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
            let keys = master_key.session_keys(&parameters).unwrap();
            let mut key = keys.record_key(Side::Server, RecordOptions::default()).unwrap();
            let mut record = vec![0; key.record_len(5).unwrap()];
            key.encrypt_packet(0, 23, b"first", &mut record).unwrap();
            let blob = key.export().unwrap();
            let mut copy = provider.import_record_key(blob.expose()).unwrap();
            copy.encrypt_packet(1, 23, b"other", &mut record).unwrap();
        });
        assert_eq!(found, [""; 0], "{}", backend.info().name);
    }
}

#[test]
fn no_freed_block_holds_a_part_of_the_private_key() {
    let test_key = TestKey::rsa_1024();
    let parts = test_key.parts();
    // With the reject key, one can recognise every rejected ciphertext.
    let reject_key = test_key.reject_key();
    let needles = [
        pieces("reject key", &reject_key),
        pieces("d", &parts.d.to_bytes_be()),
        pieces("p", &parts.p.to_bytes_be()),
        pieces("q", &parts.q.to_bytes_be()),
        pieces("dp", &parts.dp.to_bytes_be()),
        pieces("dq", &parts.dq.to_bytes_be()),
        pieces("qinv", &parts.qinv.to_bytes_be()),
    ]
    .concat();
    let der = test_key.der.clone();
    let all_found = found_by(&needles, || drop(der.clone()));
    let of_der = ["d", "p", "q", "dp", "dq", "qinv"];
    let expected: Vec<_> =
        of_der.iter().flat_map(|it| [format!("{it} end"), (*it).into()]).collect();
    assert_eq!(all_found, expected, "DER that is not wiped is found");
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let found = found_by(&needles, || {
            drop(provider.load_private_key(&der).unwrap());
        });
        let name = backend.info().name;
        // The rsa crate multiplies the primes to check the modulus, inverts q, and does not wipe
        // intermediates.
        let (left_behind, kept): (&[&str], &[&str]) = match name {
            "rustcrypto" | "ring" => (
                &["p reversed", "q reversed", "qinv reversed"],
                // Of q^-1 it has the Montgomery form.
                &["d reversed", "p reversed", "q reversed", "dp reversed", "dq reversed"],
            ),
            // Their keys are in memory of `malloc`, which `cargo xtask residue --process` searches.
            _ => (&[], &[]),
        };
        assert_eq!(found, left_behind, "{name}");
        // While the key lives, what is looked for is there.
        assert_eq!(kept_by(&needles, || provider.load_private_key(&der).unwrap()), kept, "{name}");
    }
}

#[test]
fn no_freed_block_holds_a_key_or_a_secret_of_an_agreement() {
    let mut rng = Rng::new(82);
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        for group in group::of(&backend) {
            let number = group::private_key(&group, &mut rng);
            // ring loads no private key.
            let generated = provider.generate_ephemeral_key(group.clone()).unwrap();
            let own_public = match group::load(&backend, &group, &number) {
                Some(key) => key.public_key().to_vec(),
                None => generated.public_key().to_vec(),
            };
            let peer_number = group::private_key(&group, &mut rng);
            let (share, secret) = group::peer(&group, &peer_number, &own_public);
            let (protocol, suite) = (ProtocolVersion::TLS1_2, group::suite(&group));
            let exchange = Exchange::new(protocol, suite);
            let zeros = group::stripped_zeros(&group, &secret);
            let needles = [
                pieces("private key", &number),
                pieces("agreed secret", &secret),
                pieces("master secret", &exchange.master_secret(&secret[zeros..])),
            ]
            .concat();
            let parameters = exchange.parameters();
            let share = group.public_key(&share).unwrap();
            let found = found_by(&needles, || {
                let key = match group::load(&backend, &group, &number) {
                    Some(key) => provider.ephemeral_key_of(group.clone(), key).unwrap(),
                    None => generated,
                };
                let side = Side::Server;
                drop(
                    provider
                        .generate_master_key(key, &share, protocol, suite, &parameters, side)
                        .unwrap(),
                );
            });
            assert_eq!(found, [""; 0], "{}, {group:?}", backend.info().name);
        }
    }
}

#[test]
fn no_freed_block_holds_a_key_or_a_secret_of_a_hybrid_group() {
    let mut rng = Rng::new(83);
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let connection = provider.tls13_parameters(CipherSuite::TLS_AES_128_GCM_SHA256).unwrap();
        for group in HybridGroup::ALL {
            let (curve, kem) = (group.curve(), group.kem());
            if !backend.support(Operation::KemLoad(kem)).is_supported() {
                assert_eq!(backend.info().name, "openssl", "one before 3.5 alone lacks ML-KEM");
                not_tested(group.name(), backend.info().name);
                continue;
            }
            let seed: [u8; 64] = rng.array();
            let ml_kem = MlKem::new(kem).unwrap();
            let pair = ml_kem.key_pair(&seed);
            let m = rng.array();
            let (ciphertext, kem_secret) = ml_kem.encapsulate(&pair.encapsulation_key, &m);
            let on_curve = Group::from(curve);
            let agreement = backend.key_agreement().generate_ecdh(curve).unwrap();
            let number = group::private_key(&on_curve, &mut rng);
            let (point, curve_secret) = group::peer(&on_curve, &number, agreement.public_key());
            let joined = |point: &[u8], kem: &[u8]| match group.is_kem_first() {
                true => [kem, point].concat(),
                false => [point, kem].concat(),
            };
            let share = |bytes: &[u8]| Group::from(group).public_key(bytes).unwrap();
            let of_server = share(&joined(&point, &ciphertext));
            let of_client = share(&joined(&point, &pair.encapsulation_key));
            let needles = [
                pieces("z", &seed[32..]),
                pieces("vector", &pair.decapsulation_key[..36]),
                pieces("secret of the curve", &curve_secret),
                pieces("secret of ML-KEM", &kem_secret),
                pieces("m", &m),
            ]
            .concat();
            let found = found_by(&needles, || {
                let early = connection.early_secret(None).unwrap();
                let library = backend.key_encapsulation();
                let loaded = library.load_kem(kem, KemPrivateKey::Seed(&seed)).unwrap();
                let client = provider.hybrid_key_of(group, agreement, loaded).unwrap();
                drop(early.handshake_secret(client, &of_server).unwrap());
                let expanded = KemPrivateKey::Expanded(&pair.decapsulation_key);
                drop(library.load_kem(kem, expanded).unwrap());
                let agreement = backend.key_agreement().generate_ecdh(curve).unwrap();
                let server = provider.answer_ephemeral_key_with(&of_client, agreement, &m);
                drop(early.handshake_secret(server.unwrap(), &of_client).unwrap());
            });
            assert_eq!(found, [""; 0], "{}, {}", backend.info().name, group.name());
        }
    }
}

#[test]
fn no_freed_block_holds_a_secret_of_a_client_or_a_ticket() {
    let test_key = TestKey::rsa_1024();
    let public_key = rsa_public_key(&test_key);
    for library in ssl_provider::backends() {
        let name = library.info().name;
        let exchange =
            Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384);
        let (protocol, suite) = (exchange.protocol, exchange.suite.id);
        let parameters = exchange.parameters();
        // The first numbers that are drawn are the secret behind its version.
        let mut expected = vec![3, 3];
        expected.extend(Rng::new(83).bytes(46));
        let provider = open(&KnownRandom::backend(&library, 83));
        let needles = [
            pieces("premaster secret", &expected),
            pieces("master secret", &exchange.master_secret(&expected)),
        ]
        .concat();
        let mut encrypted = Vec::new();
        let found = found_by(&needles, || {
            let premaster =
                provider.generate_premaster_key(&public_key, protocol, suite, &parameters).unwrap();
            drop(premaster.generate_master_key(&parameters).unwrap());
            encrypted.extend_from_slice(premaster.encrypted());
        });
        assert_eq!(found, [""; 0], "{name}");
        let d = BigUint::from_bytes_be(&test_key.private_exponent());
        let block = BigUint::from_bytes_be(&encrypted).modpow(&d, test_key.modulus());
        assert!(block.to_bytes_be().ends_with(&expected), "{name}: another premaster secret");

        let psk = Rng::new(84).bytes(32);
        let needles = pieces("pre-shared key", &psk);
        let suite = CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256;
        let found = found_by(&needles, || {
            let side = Side::Client;
            let made = provider.generate_psk_master_key(&psk, protocol, suite, &parameters, side);
            drop(made.unwrap());
        });
        assert_eq!(found, [""; 0], "{name}");

        let provider = open(&KnownRandom::backend(&library, 85));
        let needles = [
            pieces("ticket key", &Rng::new(85).bytes(32)),
            pieces("master secret", &exchange.master_secret(&expected)),
        ]
        .concat();
        let key = test_key.load(&provider);
        let ciphertext = test_key.encrypt(&test_key.pad(&expected, &mut Rng::new(86)));
        let master_key = exchange.import(&provider, &key, &ciphertext).unwrap();
        let found = found_by(&needles, || {
            let key = provider.generate_ticket_key().unwrap();
            let ticket = key.seal(&master_key, b"state").unwrap();
            assert!(key.open(&provider, &ticket).unwrap().is_some());
        });
        // ring does not wipe keys of ciphers.
        let left: &[&str] = if name == "ring" { &["ticket key end", "ticket key"] } else { &[] };
        assert_eq!(found, left, "{name}");
    }
}

#[test]
fn no_freed_block_holds_a_part_of_a_key_that_signs() {
    let rsa = TestKey::rsa_1024();
    for backend in ssl_provider::backends() {
        let (provider, name) = (open(&backend), backend.info().name);
        for curve in Curve::ALL {
            let number = Rng::new(87).bytes(curve.coordinate_len() - 1);
            let key = EcKey::new(curve, &BigUint::from_bytes_be(&number));
            let needles = pieces("private key", &number);
            let found = found_by(&needles, || {
                let key = provider.load_signing_key(&key.der).unwrap();
                drop(key.sign(SignatureScheme::EcdsaSha256, &[7; 32]).unwrap());
            });
            assert_eq!(found, [""; 0], "{name}, {curve:?}");
            // While the key lives, what is looked for is there: on the other curves as a product
            // (Montgomery), and with the other libraries in memory of `malloc`.
            let kept = kept_by(&needles, || provider.load_signing_key(&key.der).unwrap());
            let as_it_is = curve == Curve::P256 && ["rustcrypto", "ring"].contains(&name);
            assert_eq!(kept.contains(&"private key reversed"), as_it_is, "{name}, {curve:?}");
        }
        let parts = rsa.parts();
        let needles = [
            pieces("d", &parts.d.to_bytes_be()),
            pieces("p", &parts.p.to_bytes_be()),
            pieces("q", &parts.q.to_bytes_be()),
            pieces("dp", &parts.dp.to_bytes_be()),
            pieces("dq", &parts.dq.to_bytes_be()),
        ]
        .concat();
        let key = provider.load_signing_key(&rsa.der).unwrap();
        let found = found_by(&needles, || {
            for scheme in [SignatureScheme::RsaSha256, SignatureScheme::RsaPssSha256] {
                drop(key.sign(scheme, &[7; 32]).unwrap());
            }
            drop(key);
        });
        // As while a key is loaded: the rsa crate does not wipe intermediate values.
        let left: &[&str] = match name {
            "rustcrypto" | "ring" => &["p reversed", "q reversed"],
            _ => &[],
        };
        assert_eq!(found, left, "{name}");
    }
}
