//! Imports by several threads at once: throughput, and how long single imports take under load.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ssl_provider::{Backend, PrivateKey, Provider, with_batcher, with_multi_buffer};
use ssl_provider_testkit::rsa_key::TestKey;

use super::{Case, Chart, Group, Scope, text};
use crate::bench::exchange::{SUITE, VERSION, ciphertexts, parameters};
use crate::bench::machine::logical_processors;
use crate::bench::paired::{Measure, Samples};
use crate::bench::report::{Latency, Row};
use crate::bench::statistics::{Interval, percentile};

/// The group.
pub(crate) const GROUP: Group = Group {
    name: "threads",
    title: "Threads",
    text: "Imports by this many threads that share a key: the throughput of all of them, and the \
        time of single imports under this load. `batcher` collects the private operations of the \
        threads for multi-buffer RSA. With more threads than processors, a thread waits for one.",
    x: "threads",
    chart: Chart::Curves,
    cases,
};

/// Returns numbers of threads: powers of two up to the processors, those, and twice as many.
fn numbers(processors: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = std::iter::successors(Some(1), |number| Some(number * 2))
        .take_while(|number| *number < processors)
        .collect();
    numbers.extend([processors, 2 * processors]);
    numbers
}

fn cases(scope: &Scope) -> Vec<Case> {
    let mut cases = Vec::new();
    let able = |backend: &&Backend| super::import::supports_import(backend);
    let Some(key) = scope.keys.first() else { return cases };
    for backend in scope.backends.iter().filter(able) {
        let name = backend.info().name;
        let batcher =
            with_multi_buffer(backend).and_then(|around| with_batcher(&around, Duration::ZERO));
        for (operation, backend) in [("import", Some(backend.clone())), ("batcher", batcher)] {
            let Some(backend) = backend else { continue };
            for threads in numbers(logical_processors()) {
                let (key, backend) = (Arc::clone(key), backend.clone());
                cases.push(Case {
                    group: GROUP.name,
                    name: format!("{}, {operation}, {threads}", super::import::name(&key)),
                    backend: name,
                    weight: 4,
                    prepare: Box::new(move || {
                        Load::prepare(&key, &backend, name, operation, threads)
                    }),
                });
            }
        }
    }
    cases
}

/// Threads that import, and when each import ended and how long it took.
struct Load {
    template: Row,
    provider: Provider,
    key: PrivateKey,
    ciphertexts: Vec<Vec<u8>>,
    threads: usize,
    /// Imports a second, a round for each window, and the nanoseconds of single imports.
    samples: Samples,
}

/// What the threads of a run share.
#[derive(Default)]
struct Run {
    stops: AtomicBool,
    /// How many imports have ended.
    done: AtomicUsize,
}

/// An import: when it ended, since the start, and how long it took.
type Import = (Duration, Duration);

impl Load {
    fn prepare(
        key: &TestKey,
        backend: &Backend,
        name: &'static str,
        operation: &'static str,
        threads: usize,
    ) -> Result<Box<dyn Measure>, String> {
        let provider = Provider::open(backend);
        let template = Row {
            group: GROUP.name.into(),
            case: super::import::name(key),
            backend: name.into(),
            operation: operation.into(),
            x: u64::try_from(threads).ok(),
            ..Row::default()
        };
        let samples = Samples::default();
        let (ciphertexts, key) = (ciphertexts(key), key.try_load(&provider).map_err(text)?);
        Ok(Box::new(Self { template, provider, key, ciphertexts, threads, samples }))
    }

    /// Imports until it is told to stop.
    fn work(&self, start: Instant, run: &Run, first: usize) -> Result<Vec<Import>, String> {
        let parameters = parameters();
        let mut imports = Vec::new();
        for number in first.. {
            let ciphertext = &self.ciphertexts[number % self.ciphertexts.len()];
            let begun = start.elapsed();
            let master_key = self
                .provider
                .import_master_key(&self.key, VERSION, SUITE, &parameters, ciphertext)
                .map_err(text)?;
            drop(black_box(master_key));
            let ended = start.elapsed();
            imports.push((ended, ended.saturating_sub(begun)));
            run.done.fetch_add(1, Ordering::Relaxed);
            if run.stops.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(imports)
    }
}

/// How many imports a half has at least.
const FEWEST_IMPORTS: usize = 20;

/// How many parts the time of a half is cut into, for the interval of the throughput.
const WINDOWS: u32 = 10;

/// Returns imports a second in each window. What was done after the last window does not count.
fn rates(imports: &[Import], took: Duration) -> Vec<f64> {
    let window = took / WINDOWS;
    let ended_in = |number: u32| {
        let window = window * number..window * (number + 1);
        imports.iter().filter(|(ended, _)| window.contains(ended)).count()
    };
    (0..WINDOWS).map(|number| ended_in(number) as f64 / window.as_secs_f64()).collect()
}

impl Measure for Load {
    fn measure(&mut self, budget: Duration) -> Result<(), String> {
        let start = Instant::now();
        let (load, run) = (&*self, &Run::default());
        let mut took = Duration::ZERO;
        let imports: Vec<Vec<Import>> = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.threads)
                .map(|number| scope.spawn(move || load.work(start, run, number * 5)))
                .collect();
            thread::sleep(budget);
            // A short time on a busy machine has too few; a thread that failed adds none.
            let works = || !threads.iter().all(|thread| thread.is_finished());
            while run.done.load(Ordering::Relaxed) < FEWEST_IMPORTS && works() {
                thread::sleep(Duration::from_millis(1));
            }
            took = start.elapsed();
            run.stops.store(true, Ordering::Relaxed);
            let joined = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into())));
            joined.collect::<Result<_, String>>()
        })?;
        let imports = imports.concat();
        let rates = rates(&imports, took).into_iter().map(|rate| vec![rate]);
        let latencies = imports.iter().map(|(_, took)| took.as_secs_f64() * 1e9);
        self.samples = Samples { rounds: rates.collect(), latencies: latencies.collect() };
        Ok(())
    }

    fn samples(&mut self) -> Samples {
        std::mem::take(&mut self.samples)
    }

    fn rows(&self, halves: [Samples; 2]) -> Vec<Row> {
        let time_of = |rates: &[Vec<f64>]| {
            Interval::of(rates.iter().flatten().filter(|rate| **rate > 0.0).map(|rate| 1e9 / rate))
        };
        let all = halves.each_ref().map(|half| half.rounds.as_slice()).concat();
        let latencies = halves.each_ref().map(|half| half.latencies.as_slice()).concat();
        let row = || {
            let [first, second] = halves.each_ref().map(|half| time_of(&half.rounds));
            let at = |part| percentile(latencies.iter().copied(), part);
            let p999 = at(0.999).filter(|_| latencies.len() >= 1000);
            Some(Row {
                time: time_of(&all)?,
                rounds: all.len(),
                halves: Some([first?.median, second?.median]),
                latency: Some(Latency { p50: at(0.5)?, p90: at(0.9)?, p99: at(0.99)?, p999 }),
                ..self.template.clone()
            })
        };
        row().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_go_up_to_twice_the_processors() {
        assert_eq!(numbers(1), [1, 2]);
        assert_eq!(numbers(2), [1, 2, 4]);
        assert_eq!(numbers(6), [1, 2, 4, 6, 12]);
        assert_eq!(numbers(8), [1, 2, 4, 8, 16]);
    }

    #[test]
    fn rates_are_counted_by_window_and_late_imports_are_not() {
        let second = Duration::from_secs(1);
        let imports = [1, 2, 11, 95, 99, 120].map(|tenths| (second * tenths / 10, second));
        let rates = rates(&imports, second * 10);
        assert_eq!(rates.len(), 10);
        assert!((rates[0] - 2.0).abs() < 1e-9 && (rates[1] - 1.0).abs() < 1e-9, "{rates:?}");
        assert!((rates[9] - 2.0).abs() < 1e-9);
    }
}
