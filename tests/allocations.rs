//! Importing a master key allocates the same, whatever the ciphertext holds, and so does opening a
//! record: how often, and how much. A program of its own, because it replaces the allocator.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ssl_provider::{CipherSuite, ProtocolVersion};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::ciphertext::KINDS;
use ssl_provider_testkit::direction::Direction;
use ssl_provider_testkit::exchange::{Exchange, open};
use ssl_provider_testkit::rsa_key::TestKey;

/// The system's allocator, with a trace of what each thread asks of it.
struct Tracing;

/// What a thread asked for: how often, how much, and a fingerprint of the sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Trace {
    calls: u64,
    bytes: u64,
    fingerprint: u64,
}

thread_local! {
    // Constant and without a destructor, so that the allocator may use it at any time.
    static TRACE: Cell<Trace> = const { Cell::new(Trace { calls: 0, bytes: 0, fingerprint: 0 }) };
}

fn note(kind: u64, size: usize) {
    let size = size as u64;
    TRACE.with(|trace| {
        let Trace { calls, bytes, fingerprint } = trace.get();
        trace.set(Trace {
            calls: calls + 1,
            bytes: bytes + size,
            // FNV-1a over the calls in their order.
            fingerprint: (fingerprint ^ (size << 2 | kind)).wrapping_mul(0x0000_0100_0000_01b3),
        });
    });
}

// SAFETY: every call goes to the system's allocator unchanged, so its contract is kept; `note`
// neither allocates nor unwinds.
unsafe impl GlobalAlloc for Tracing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(0, layout.size());
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(1, layout.size());
        // SAFETY: the pointer came from `System` through `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(2, new_size);
        // SAFETY: the pointer came from `System` through `alloc` above, with this layout.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Tracing = Tracing;

/// What `work` asks of the allocator on this thread.
fn traced<T>(work: impl FnOnce() -> T) -> (T, Trace) {
    TRACE.with(|trace| trace.set(Trace::default()));
    let result = work();
    (result, TRACE.with(Cell::get))
}

#[test]
fn the_trace_sees_allocations() {
    let (_, trace) = traced(|| vec![0_u8; 100]);
    assert_eq!((trace.calls, trace.bytes), (1, 100));
}

/// Imports per class. A library that blinds draws its random factor until it fits, and allocates
/// for each draw; the quietest of so many imports has drawn once.
const REPETITIONS: usize = 32;

#[test]
fn an_import_allocates_the_same_whatever_the_plaintext() {
    let test_key = TestKey::rsa_1024();
    let exchanges = [
        Exchange::new(ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA),
        Exchange::new(ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256),
        Exchange::new(ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384)
            .extended(),
    ];
    for backend in ssl_provider::backends() {
        let provider = open(&backend);
        let key = test_key.load(&provider);
        for exchange in &exchanges {
            let mut rng = Rng::new(70);
            let mut first: Option<(&str, Trace)> = None;
            for kind in KINDS {
                let version = exchange.expected_version();
                // Ciphertexts that are no encryption differ in public facts, such as their length.
                let Some(block) = kind.block(&mut rng, test_key.len(), version) else { continue };
                let ciphertext = test_key.encrypt(&block);
                let import = || exchange.import(&provider, &key, &ciphertext).unwrap();
                // The first use of a key may set up what later ones share.
                drop(import());
                let quietest = (0..REPETITIONS)
                    .map(|_| traced(import).1)
                    .min_by_key(|trace| trace.calls)
                    .unwrap();
                let (other, expected) = *first.get_or_insert((kind.name, quietest));
                assert_eq!(
                    quietest,
                    expected,
                    "{}, {}: {:?} allocates otherwise than {other:?}",
                    backend.info().name,
                    exchange.protocol,
                    kind.name,
                );
            }
        }
    }
}

#[test]
fn opening_a_record_allocates_the_same_whatever_padding_and_mac() {
    for backend in ssl_provider::backends() {
        for (protocol, suite) in [
            (ProtocolVersion::SSL3, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA),
            (ProtocolVersion::TLS1_0, CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA),
            (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256),
        ] {
            let direction = Direction::of(protocol, suite, false);
            let mut first = None;
            for last in 0..=u8::MAX {
                // Blocks that end in every possible byte: most are bad padding, and no MAC is
                // right.
                let mut blocks = [0x11; 320];
                blocks[320 - usize::from(last % 64) - 1..].fill(last);
                let mut record = direction.forge(&backend, &blocks);
                let mut key = direction.key(&backend).unwrap();
                let (opened, trace) = traced(|| key.decrypt_in_place(0, &mut record).map(drop));
                assert!(opened.is_err());
                let expected = *first.get_or_insert(trace);
                let name = backend.info().name;
                assert_eq!(trace, expected, "{name} {} {last}", direction.name());
            }
        }
    }
}

#[test]
fn records_of_aead_suites_allocate_nothing() {
    for backend in ssl_provider::backends() {
        for suite in [0x009C, 0x009D, 0xC09C, 0xC0A0].map(CipherSuite) {
            let direction = Direction::of(ProtocolVersion::TLS1_2, suite, false);
            let (mut writer, mut reader) =
                (direction.key(&backend).unwrap(), direction.key(&backend).unwrap());
            let (payload, mut opened) = ([7; 1000], [0; 1000]);
            let mut record = vec![0; writer.record_len(payload.len()).unwrap()];
            let mut round_trip = |sequence_number| {
                writer.encrypt_packet(sequence_number, 23, &payload, &mut record).unwrap();
                reader.decrypt_packet(sequence_number, &record, &mut opened).unwrap();
            };
            // The first record makes room for all that follow.
            round_trip(0);
            let (_, trace) = traced(|| (1..10).for_each(&mut round_trip));
            assert_eq!(trace, Trace::default(), "{} {}", backend.info().name, direction.name());
        }
    }
}
