//! Compares imports by a key server with imports in this process, side by side, with the key
//! `rsa-2048` of the test kit: `cargo xtask key-server` starts the server and this client.
//!
//! Arguments: the socket, the wrapper of the backend as the server has it (`batches` or `library`),
//! rounds, seconds for each measurement of a round, and microseconds of busy polling.

// A measurement that cannot go on panics.
#![allow(clippy::unwrap_used)]

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("key servers need Linux");
}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(target_os = "linux")]
mod linux {
    use std::env;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::thread;
    use std::time::{Duration, Instant};

    use ssl_provider::{
        Backend, PrivateKey, Provider, default_backend, with_batcher, with_multi_buffer,
    };
    use ssl_provider_remote::KeyServer;
    use ssl_provider_testkit::bytes::Rng;
    use ssl_provider_testkit::exchange::{Exchange, POLICY};
    use ssl_provider_testkit::rsa_key::TestKey;

    const CLIENTS: usize = 8;

    /// A key with what imports with it need.
    struct Measured {
        provider: Provider,
        key: PrivateKey,
        exchange: Exchange,
        ciphertext: Vec<u8>,
    }

    impl Measured {
        fn import(&self) {
            self.exchange.import(&self.provider, &self.key, &self.ciphertext).unwrap();
        }

        fn latency(&self) -> f64 {
            let start = Instant::now();
            self.import();
            start.elapsed().as_secs_f64() * 1e6
        }

        /// Imports per second of concurrent clients.
        fn rate(&self, time: Duration) -> f64 {
            let (ended, count) = (AtomicBool::new(false), AtomicU64::new(0));
            let start = Instant::now();
            thread::scope(|scope| {
                for _ in 0..CLIENTS {
                    let builder = thread::Builder::new().stack_size(2 << 20);
                    let client = || {
                        while !ended.load(Ordering::Relaxed) {
                            self.import();
                            count.fetch_add(1, Ordering::Relaxed);
                        }
                    };
                    builder.spawn_scoped(scope, client).unwrap();
                }
                thread::sleep(time);
                ended.store(true, Ordering::Relaxed);
            });
            count.into_inner() as f64 / start.elapsed().as_secs_f64()
        }
    }

    pub(super) fn main() {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let [socket, wrapper, rounds, seconds, busy_poll] = &arguments[..] else {
            panic!("usage: compare SOCKET batches|library ROUNDS SECONDS MICROSECONDS");
        };
        let polling = Duration::from_micros(busy_poll.parse().unwrap());
        let rounds: usize = rounds.parse().unwrap();
        let time = Duration::from_secs_f64(seconds.parse().unwrap());
        let library = default_backend().unwrap();
        let test_key = TestKey::rsa_2048();
        let measured = |backend: Backend, socket: Option<&str>| {
            let provider = Provider::open(backend).with_policy(POLICY);
            let local = test_key.load(&provider);
            let key = match socket {
                Some(path) => {
                    let server = KeyServer::at(path).with_busy_poll(polling);
                    server.private_key(&provider, local.modulus()).unwrap()
                }
                None => local,
            };
            let exchange = Exchange::tls1_2();
            let (_, ciphertext) = exchange.encrypted(&test_key, &mut Rng::new(1));
            Measured { provider, key, exchange, ciphertext }
        };
        let batches = || {
            let fast = with_multi_buffer(&library)?;
            with_batcher(&fast, Duration::ZERO)
        };
        let own = match wrapper.as_str() {
            "batches" => batches().unwrap_or(library.clone()),
            _ => library.clone(),
        };
        let (here, there) = (measured(own, None), measured(library.clone(), Some(socket)));

        let mut overheads = Vec::new();
        let (mut latencies, mut rates) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let [mut in_process, mut remote] = [Vec::new(), Vec::new()];
            let start = Instant::now();
            while start.elapsed() < time {
                in_process.push(here.latency());
                remote.push(there.latency());
            }
            let [local, remote] = [in_process, remote].map(median);
            overheads.push(remote - local);
            latencies[0].push(local);
            latencies[1].push(remote);
            let [local, remote] = [here.rate(time), there.rate(time)];
            ratios.push(remote / local);
            rates[0].push(local);
            rates[1].push(remote);
        }
        let [local, remote] = latencies.map(median);
        let [local_rate, remote_rate] = rates.map(median);
        println!(
            "| {wrapper} | {busy_poll} µs | {local:.0} µs | {remote:.0} µs | {:.1} µs | \
             {local_rate:.0} | {remote_rate:.0} | {:.3} |",
            median(overheads),
            median(ratios),
        );
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }
}
