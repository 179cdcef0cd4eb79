//! The parts of an import besides RSA: PRF, padding check and selection, and handle look-up.
//! Each is measured the same way for every backend, with setup outside the loop.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};

use ssl_provider::{
    Handle, HandleKind, HandleTable, MasterKey, PremasterSecret, PrfAlgorithm, ProtocolVersion,
    Provider, VersionCheck, recover_premaster, with_multi_buffer,
};
use ssl_provider_benches::exchange::{KEYS, ciphertexts};
use ssl_provider_benches::paired::{self, Contestant};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    prf(&mut criterion);
    premaster(&mut criterion);
    multi_buffer(&mut criterion);
    multi_buffer_single(&mut criterion);
    handle_lookup(&mut criterion);
    criterion.final_summary();
}

/// The 48 bytes of a master secret, by algorithm and backend.
fn prf(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("prf");
    for backend in ssl_provider::backends() {
        for algorithm in PrfAlgorithm::ALL {
            let id = BenchmarkId::new(algorithm.name(), backend.info().name);
            group.bench_function(id, |bencher| {
                let seed: [&[u8]; 2] = [&[0xc1; 32], &[0x5e; 32]];
                let mut out = [0; 48];
                bencher.iter(|| {
                    backend
                        .hashing()
                        .prf(algorithm, black_box(&[3; 48]), b"master secret", &seed, &mut out)
                        .expect("every backend has every PRF");
                    black_box(&out);
                });
            });
        }
    }
    group.finish();
}

/// Padding check, version check and selection: core's own part, by block length.
fn premaster(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("premaster");
    for bits in [2048_usize, 3072, 4096] {
        let mut em = vec![0x77; bits / 8];
        em[..2].copy_from_slice(&[0, 2]);
        let secret = em.len() - 48;
        em[secret - 1..secret + 2].copy_from_slice(&[0, 3, 3]);
        let version = VersionCheck::offered(ProtocolVersion::TLS1_2);
        group.bench_function(BenchmarkId::new("recover_premaster", bits), |bencher| {
            let fallback = PremasterSecret::zeroed();
            let mut out = PremasterSecret::zeroed();
            bencher.iter(|| {
                recover_premaster(black_box(&em), version, &fallback, &mut out)
                    .expect("the block is long enough");
                black_box(out.expose());
            });
        });
    }
    group.finish();
}

/// A batch of private operations on the default backend, one by one and with multi-buffer RSA, if
/// the processor supports it.
fn multi_buffer(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("multi_buffer");
    let single = ssl_provider::default_backend().expect("backends are compiled in");
    let around = with_multi_buffer(&single);
    let backends = [("one by one", Some(single)), ("at once", around)];
    for key in &KEYS[..2] {
        let batch = ciphertexts(key).expect("the key is well-formed");
        let batch: Vec<&[u8]> = batch.iter().map(Vec::as_slice).collect();
        for (name, backend) in &backends {
            let Some(backend) = backend else { continue };
            let provider = Provider::open(backend);
            let private_key = provider.load_private_key(key.der).expect("the key is well-formed");
            group.bench_function(BenchmarkId::new(*name, key.name), |bencher| {
                bencher.iter(|| {
                    black_box(private_key.decrypt_premasters(&batch)).expect("the library works")
                });
            });
        }
    }
    group.finish();
}

/// One private operation of each backend, with its own library and with multi-buffer RSA around it,
/// if the processor supports it.
fn multi_buffer_single(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("multi_buffer_single");
    let key = &KEYS[0];
    let ciphertexts = ciphertexts(key).expect("the key is well-formed");
    for single in ssl_provider::backends() {
        let around = with_multi_buffer(&single);
        let backends = [("multi-buffer", around), ("library", Some(single.clone()))];
        let contestants = backends.into_iter().filter_map(|(name, backend)| {
            let private_key =
                Provider::open(backend?).load_private_key(key.der).expect("the key is well-formed");
            let ciphertexts = &ciphertexts;
            let decrypt = move |round: usize| {
                let ciphertext = ciphertexts[round % ciphertexts.len()].as_slice();
                black_box(
                    private_key.decrypt_premasters(&[ciphertext]).expect("the library works"),
                );
            };
            Some(Contestant { name, operation: Box::new(decrypt) })
        });
        let mut contestants: Vec<Contestant<'_>> = contestants.collect();
        let name = single.info().name;
        paired::bench(&mut group, "multi_buffer_single", name, &mut contestants)
            .expect("the notes can be written");
    }
    group.finish();
}

/// Looking up a handle, by the number of live handles: the same few handles with one thread and
/// with two at once, and all handles in an order that defeats the caches.
fn handle_lookup(criterion: &mut Criterion) {
    /// Handles that a thread works with.
    const IN_USE: usize = 64;
    let mut group = criterion.benchmark_group("handle_lookup");
    for live in [10_usize, 1_000, 100_000, 1_000_000] {
        let table = HandleTable::new(&[1; 16]);
        let handles: Vec<Handle> = (0..live)
            .map(|number| {
                table
                    .insert(HandleKind::MasterKey, Object::new([number; _]))
                    .expect("the table holds a million")
            })
            .collect();
        // Spread over the whole table, and different ones for each thread.
        let in_use = |thread: usize| -> Vec<Handle> {
            let step = (live / (2 * IN_USE)).max(1);
            handles.iter().skip(thread).step_by(2).step_by(step).take(IN_USE).copied().collect()
        };
        beside_another_thread(&mut group, live, &table, [in_use(0), in_use(1)]);
        group.bench_function(BenchmarkId::new("1 thread, cold", live), |bencher| {
            bencher.iter_custom(|lookups| {
                let start = Instant::now();
                look_up(&table, &handles, 7919, lookups);
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// Lookups by two threads at once and by one alone, in turns.
fn beside_another_thread(
    group: &mut BenchmarkGroup<'_, WallTime>,
    live: usize,
    table: &HandleTable<Object>,
    [ours, others]: [Vec<Handle>; 2],
) {
    /// This many take milliseconds, so the time to wake the other thread is negligible.
    const LOOKUPS: u32 = 100_000;
    let [start, end] = [Barrier::new(2), Barrier::new(2)];
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                start.wait();
                if stop.load(Ordering::Acquire) {
                    break;
                }
                look_up(table, &others, 1, LOOKUPS.into());
                end.wait();
            }
        });
        let both = |_| {
            start.wait();
            look_up(table, &ours, 1, LOOKUPS.into());
            end.wait();
        };
        let alone = |_| look_up(table, &ours, 1, LOOKUPS.into());
        let mut contestants = [
            Contestant { name: "2 threads", operation: Box::new(both) },
            Contestant { name: "1 thread", operation: Box::new(alone) },
        ];
        let name = live.to_string();
        let done = paired::bench_many(group, "handle_lookup", &name, LOOKUPS, &mut contestants);
        stop.store(true, Ordering::Release);
        start.wait();
        done.expect("the notes can be written");
    });
}

/// As large as the object of a master key in the C interface.
type Object = Arc<[usize; size_of::<MasterKey>() / size_of::<usize>()]>;

/// Looks up handles, advancing by `stride` each time.
fn look_up(table: &HandleTable<Object>, handles: &[Handle], stride: usize, lookups: u64) {
    let mut index = 0;
    for _ in 0..lookups {
        index = (index + stride) % handles.len();
        let object =
            table.get(black_box(handles[index]), HandleKind::MasterKey).expect("a live handle");
        black_box(object);
    }
}
