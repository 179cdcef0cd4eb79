//! Importing a master key allocates the same, whatever the ciphertext holds: the number of
//! allocations and each of their sizes. A program of its own, because it replaces the allocator.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use ssl_provider::Protocol;
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::ciphertext::KINDS;
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
        Exchange::new(Protocol::Ssl3, 0x0035),
        Exchange::new(Protocol::Tls1_0, 0x002F),
        Exchange::new(Protocol::Tls1_2, 0x009C),
        Exchange::new(Protocol::Tls1_2, 0x009D).extended(),
    ];
    for backend in ssl_provider::backends() {
        let provider = open(*backend);
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
                    exchange.protocol.name(),
                    kind.name,
                );
            }
        }
    }
}
