//! Threads that import one master key at a time, as in a server with a thread for each connection:
//! with the library alone, and with a batcher around multi-buffer RSA. Look at how the wait trades
//! latency for throughput, and that a single thread does not wait.
//!
//! `cargo run --release --example batcher --features multi-buffer -- [MILLISECONDS]`

use std::thread;
use std::time::{Duration, Instant};

use ssl_provider::{
    Backend, CipherSuite, Error, ParameterList, PrivateKey, ProtocolVersion, Provider,
    default_backend, with_batcher, with_multi_buffer,
};
use ssl_provider_testkit::rsa_key::TestKey;

fn main() -> Result<(), Error> {
    let milliseconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000);
    let library = default_backend()?;
    let Some(fast) = with_multi_buffer(&library) else {
        println!("this processor has neither AVX-512 IFMA nor AVX-IFMA");
        return Ok(());
    };
    let mut backends = vec![("library".to_owned(), library)];
    for wait in [0, 20, 50, 100] {
        let batcher = with_batcher(&fast, Duration::from_micros(wait));
        backends.extend(batcher.map(|batcher| (format!("{wait} µs"), batcher)));
    }
    println!("| threads | wait | imports per second | median | 99 % |");
    println!("| --- | --- | --- | --- | --- |");
    for threads in [1, 8, 64] {
        for (name, backend) in &backends {
            let took = Duration::from_millis(milliseconds);
            let mut times = imports(backend, threads, took)?;
            times.sort_unstable();
            let percentile = |part: usize| {
                times.get(times.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
            };
            println!(
                "| {threads} | {name} | {:.0} | {:.2} ms | {:.2} ms |",
                times.len() as f64 / took.as_secs_f64(),
                percentile(50),
                percentile(99),
            );
        }
    }
    Ok(())
}

/// Imports with one key in many threads, and returns how long each import took.
fn imports(backend: &Backend, threads: u8, took: Duration) -> Result<Vec<Duration>, Error> {
    let provider = Provider::open(backend);
    let key = provider.load_private_key(&TestKey::rsa_2048().der)?;
    let end = Instant::now() + took;
    let results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|id| {
                scope.spawn({
                    let (provider, key) = (&provider, &key);
                    move || import_until(end, provider, key, id)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    Ok(results.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

fn import_until(
    end: Instant,
    provider: &Provider,
    key: &PrivateKey,
    id: u8,
) -> Result<Vec<Duration>, Error> {
    let parameters = ParameterList::new().client_random([id; 32]).server_random([2; 32]);
    // Not what a client would send, which makes no difference to the time.
    let ciphertext = vec![id.wrapping_add(1) & 0x7f; key.modulus_len()];
    let (version, suite) = (ProtocolVersion::TLS1_2, CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256);
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        provider.import_master_key(key, version, suite, &parameters, &ciphertext)?;
        times.push(start.elapsed());
    }
    Ok(times)
}
