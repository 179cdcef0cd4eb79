//! Paired measurements: each round runs every operation equally often, in turns.
//! A disturbance of the machine then affects all of them, and their ratio stays valid.

use std::env;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, BenchmarkId, measurement::WallTime};
use serde_json::{Value, json};

/// The variable that names the file for ratios and versions, one JSON object per line.
pub const NOTES_FILE: &str = "SSL_PROVIDER_BENCH_NOTES";

/// An operation with a name. Its argument is the number of the round.
pub struct Contestant<'a> {
    /// The name.
    pub name: &'static str,
    /// The operation.
    pub operation: Box<dyn FnMut(usize) + 'a>,
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Benchmarks every contestant under `backend`, and reports how the first relates to the others
/// round by round.
///
/// # Errors
///
/// Fails when the file of notes cannot be written.
pub fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    group_name: &str,
    backend: &str,
    contestants: &mut [Contestant<'_>],
) -> io::Result<()> {
    bench_many(group, group_name, backend, 1, contestants)
}

/// As [`bench()`], for contestants that do `many` operations per call; times are of one operation.
///
/// # Errors
///
/// Fails when the file of notes cannot be written.
pub fn bench_many(
    group: &mut BenchmarkGroup<'_, WallTime>,
    group_name: &str,
    backend: &str,
    many: u32,
    contestants: &mut [Contestant<'_>],
) -> io::Result<()> {
    let mut rounds: Vec<Vec<Duration>> = Vec::new();
    let times_over = times_over(contestants);
    let operations = times_over * many;
    for measured in 0..contestants.len() {
        let id = BenchmarkId::new(contestants[measured].name, backend);
        group.bench_function(id, |bencher| {
            bencher.iter_custom(|iterations| {
                let mut total = Duration::ZERO;
                for _ in 0..iterations {
                    let times = round(contestants, rounds.len(), times_over);
                    total += times[measured] / operations;
                    rounds.push(times);
                }
                total
            });
        });
    }
    for (index, contestant) in contestants.iter().enumerate() {
        let mut times: Vec<Duration> = rounds.iter().map(|times| times[index]).collect();
        times.sort();
        // Unlike criterion's sums, the median of single times is robust on a shared machine.
        if let Some(median) = times.get(times.len() / 2) {
            note(&json!({
                "group": group_name, "backend": backend, "name": contestant.name,
                "nanoseconds": median.as_nanos() as f64 / f64::from(operations),
            }))?;
        }
    }
    for (index, other) in contestants.iter().enumerate().skip(1) {
        let ratios = rounds
            .iter()
            .map(|times| times[0].as_secs_f64() / times[index].as_secs_f64())
            .collect();
        // With a filter on the command line there may be nothing to compare.
        if let Some(ratio) = Ratio::of(ratios) {
            ratio.report(group_name, backend, contestants[0].name, other.name)?;
        }
    }
    Ok(())
}

/// Notes the versions of the libraries behind a backend.
///
/// # Errors
///
/// Fails when the file of notes cannot be written.
pub fn note_library(backend: &str, library: &str) -> io::Result<()> {
    note(&json!({ "backend": backend, "library": library }))
}

/// How often an operation runs in a round, so that a clock with a resolution of tens of nanoseconds
/// does not affect the ratios.
fn times_over(contestants: &mut [Contestant<'_>]) -> u32 {
    const LONG_ENOUGH: Duration = Duration::from_micros(50);
    const MOST: u32 = 100;
    let fastest = (0..10).flat_map(|number| round(contestants, number, 1)).min();
    let fits = fastest.map_or(0, |time| LONG_ENOUGH.as_nanos() / time.as_nanos().max(1));
    u32::try_from(fits).map_or(MOST, |fits| fits.clamp(1, MOST))
}

/// Runs each contestant this many times, starting with another one each time, and returns their
/// times.
fn round(contestants: &mut [Contestant<'_>], number: usize, times_over: u32) -> Vec<Duration> {
    let mut times = vec![Duration::ZERO; contestants.len()];
    for turn in 0..contestants.len() {
        let index = (number + turn) % contestants.len();
        let start = Instant::now();
        for _ in 0..times_over {
            (contestants[index].operation)(number);
        }
        times[index] = start.elapsed();
    }
    times
}

/// The median of the ratios of many rounds, with its 95 % confidence interval.
#[derive(Debug, PartialEq)]
struct Ratio {
    median: f64,
    low: f64,
    high: f64,
    rounds: usize,
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        let rounds = ratios.len();
        // The interval of a median by order statistics: ranks n/2 -+ 1.96 sqrt(n)/2.
        let reach = (rounds as f64).sqrt() * 0.98;
        let rank = |shift: f64| {
            let rank = (rounds as f64 / 2.0 + shift).clamp(0.0, rounds.saturating_sub(1) as f64);
            // Clamped to the existing ranks.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            ratios.get(rank as usize).copied()
        };
        Some(Self { median: rank(0.0)?, low: rank(-reach)?, high: rank(reach)?, rounds })
    }

    fn report(&self, group: &str, backend: &str, name: &str, other: &str) -> io::Result<()> {
        let Self { median, low, high, rounds } = self;
        println!(
            "{group} {backend}: {name} / {other} = {median:.4} \
             (95 % confidence: {low:.4} to {high:.4}, {rounds} rounds)\n"
        );
        note(&json!({
            "group": group, "backend": backend, "name": name, "other": other,
            "median": median, "low": low, "high": high, "rounds": rounds,
        }))
    }
}

/// Adds a line to the file of notes for the report.
fn note(line: &Value) -> io::Result<()> {
    let Some(path) = env::var_os(NOTES_FILE) else { return Ok(()) };
    writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_its_interval() {
        let ratio = Ratio::of((1..=101).map(f64::from).collect()).unwrap();
        assert_eq!((ratio.median, ratio.rounds), (51.0, 101));
        assert_eq!((ratio.low, ratio.high), (41.0, 61.0));
        assert_eq!(Ratio::of(vec![]), None);
    }

    #[test]
    fn short_operations_run_many_times_in_a_round_and_long_ones_once() {
        let lasting = |time| Contestant {
            name: "waits",
            operation: Box::new(move |_| std::thread::sleep(Duration::from_micros(time))),
        };
        assert_eq!(times_over(&mut [lasting(200), lasting(300)]), 1);
        let mut count = 0_u32;
        let nothing = Contestant { name: "counts", operation: Box::new(|_| count += 1) };
        assert_eq!(times_over(&mut [nothing]), 100);
        assert_eq!(count, 10);
    }

    #[test]
    fn every_contestant_runs_once_a_round_and_the_first_turn_moves() {
        let order = std::cell::RefCell::new(Vec::new());
        let order_of = |name| {
            let order = &order;
            Contestant { name, operation: Box::new(move |_| order.borrow_mut().push(name)) }
        };
        let mut contestants = ["a", "b"].map(order_of);
        round(&mut contestants, 0, 1);
        round(&mut contestants, 1, 1);
        assert_eq!(*order.borrow(), ["a", "b", "b", "a"]);
    }
}
