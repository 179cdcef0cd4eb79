//! Paired measurements: each round runs every operation, in turns, and its times are compared with
//! each other only. A disturbance of the machine then affects all of them, and ratios stay valid.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::report::{Other, Row};
use super::statistics::Interval;

/// Measures something in one half of the run. For the other half all is prepared anew, so that keys
/// and buffers are at other places in memory, as they are in another run.
pub trait Measure {
    /// Measures for about this long.
    ///
    /// # Errors
    ///
    /// The text says which operation failed, and why.
    fn measure(&mut self, budget: Duration) -> Result<(), String>;

    /// Returns what was measured.
    fn samples(&mut self) -> Samples;

    /// Returns the rows of both halves, from the samples of each.
    fn rows(&self, halves: [Samples; 2]) -> Vec<Row>;

    /// Returns the names of the operations that another harness can time one by one; none where
    /// they are measured together only, as under load.
    fn operations(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Runs one of the [`operations`](Self::operations) so many times, and returns the time.
    ///
    /// # Errors
    ///
    /// The text says why the operation failed, or that there is none at this place.
    fn run(&mut self, operation: usize, times: u32) -> Result<Duration, String> {
        Err(format!("no operation {operation} that runs {times} times by itself"))
    }
}

/// What one half of the run has measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// Values by round.
    pub rounds: Vec<Vec<f64>>,
    /// Nanoseconds of single operations.
    pub latencies: Vec<f64>,
}

/// An operation that is measured in turns with others.
pub struct Contestant<'a> {
    /// The name, such as `library`.
    pub name: &'static str,
    /// The operation. Its argument is the number of the round.
    pub operation: Box<dyn FnMut(usize) -> Result<(), String> + 'a>,
    /// The time of the operation, where only a part of it counts; it adds to this.
    pub own_clock: Option<Rc<Cell<Duration>>>,
}

impl std::fmt::Debug for Contestant<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contestant").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<'a> Contestant<'a> {
    /// An operation whose whole time counts.
    pub fn new<E: std::fmt::Display>(
        name: &'static str,
        mut operation: impl FnMut(usize) -> Result<(), E> + 'a,
    ) -> Self {
        let operation = move |round| operation(round).map_err(|error| format!("{name}: {error}"));
        Self { name, operation: Box::new(operation), own_clock: None }
    }

    /// An operation that adds the part of its time that counts to a clock.
    #[must_use]
    pub fn with_clock(self, clock: Rc<Cell<Duration>>) -> Self {
        Self { own_clock: Some(clock), ..self }
    }

    /// Runs the operation this many times and returns the time.
    fn run(&mut self, round: usize, times: u32) -> Result<Duration, String> {
        if let Some(clock) = &self.own_clock {
            clock.set(Duration::ZERO);
        }
        let start = Instant::now();
        for _ in 0..times {
            (self.operation)(round)?;
        }
        let elapsed = start.elapsed();
        Ok(self.own_clock.as_ref().map_or(elapsed, |clock| clock.get()))
    }
}

/// A row that is made of the times of a set.
#[derive(Clone, Debug)]
pub struct RowOf {
    /// What it is the time of.
    pub operation: &'static str,
    /// The contestants whose times are added.
    pub plus: Vec<usize>,
    /// The contestants whose times are subtracted.
    pub minus: Vec<usize>,
    /// The contestant that it is compared with, round by round.
    pub against: Option<usize>,
}

/// Operations that are measured in turns.
#[derive(Debug)]
pub struct Set<'a> {
    /// Group, case, backend and so on of each row.
    pub template: Row,
    /// How many operations a call of a contestant does; times are of one.
    pub many: u32,
    contestants: Vec<Contestant<'a>>,
    rows: Vec<RowOf>,
    /// How often each contestant runs in a round.
    times_over: Vec<u32>,
    /// The nanoseconds of one operation, by round and contestant.
    rounds: Vec<Vec<f64>>,
}

/// A round with less takes its ratios from a clock with a resolution of tens of nanoseconds.
const LONG_ENOUGH: Duration = Duration::from_micros(50);

/// The most calls of an operation in a round.
const MOST_TIMES_OVER: u128 = 10_000;

/// How many rounds a half has at least.
const FEWEST_ROUNDS: usize = 3;

impl<'a> Set<'a> {
    /// The first operation is compared with the second, if there is one.
    pub fn new(template: Row, operation: &'static str, contestants: Vec<Contestant<'a>>) -> Self {
        let against = (contestants.len() > 1).then_some(1);
        let row = RowOf { operation, plus: vec![0], minus: Vec::new(), against };
        Self::with_rows(template, contestants, vec![row])
    }

    /// As [`new`](Self::new), with rows of any kind.
    pub fn with_rows(template: Row, contestants: Vec<Contestant<'a>>, rows: Vec<RowOf>) -> Self {
        Self { template, many: 1, contestants, rows, times_over: Vec::new(), rounds: Vec::new() }
    }

    /// The same for contestants that do so many operations in a call.
    #[must_use]
    pub fn of_many(self, many: u32) -> Self {
        Self { many, ..self }
    }

    /// Warms up and finds out how often each runs in a round.
    fn calibrate(&mut self) -> Result<(), String> {
        for contestant in &mut self.contestants {
            let first = contestant.run(0, 1)?;
            let again = if first < LONG_ENOUGH * 20 { contestant.run(1, 3)? / 3 } else { first };
            let fits = LONG_ENOUGH.as_nanos() / first.min(again).as_nanos().max(1);
            let times = fits.clamp(1, MOST_TIMES_OVER);
            self.times_over.push(u32::try_from(times).unwrap_or(1));
        }
        Ok(())
    }

    /// Runs each contestant, starting with another one each time.
    fn round(&mut self) -> Result<(), String> {
        let (number, count) = (self.rounds.len(), self.contestants.len());
        let mut times = vec![0.0; count];
        for turn in 0..count {
            let index = (number + turn) % count;
            let times_over = self.times_over.get(index).copied().unwrap_or(1);
            let time = self.contestants[index].run(number, times_over)?;
            let operations = f64::from(times_over) * f64::from(self.many);
            times[index] = time.as_secs_f64() * 1e9 / operations;
        }
        self.rounds.push(times);
        Ok(())
    }
}

/// Returns the times of a row by round, and those of what it is compared with.
fn times(row: &RowOf, rounds: &[Vec<f64>]) -> (Vec<f64>, Option<Vec<f64>>) {
    let sum = |round: &[f64], of: &[usize]| of.iter().map(|index| round[*index]).sum::<f64>();
    let own = rounds.iter().map(|round| sum(round, &row.plus) - sum(round, &row.minus)).collect();
    (own, row.against.map(|index| rounds.iter().map(|round| round[index]).collect()))
}

impl Measure for Set<'_> {
    fn operations(&self) -> Vec<&'static str> {
        self.contestants.iter().map(|contestant| contestant.name).collect()
    }

    fn run(&mut self, operation: usize, times: u32) -> Result<Duration, String> {
        let contestant = self.contestants.get_mut(operation);
        contestant.ok_or_else(|| format!("no operation {operation}"))?.run(0, times)
    }

    fn measure(&mut self, budget: Duration) -> Result<(), String> {
        let end = Instant::now() + budget;
        self.calibrate()?;
        while self.rounds.len() < FEWEST_ROUNDS || Instant::now() < end {
            self.round()?;
        }
        Ok(())
    }

    fn samples(&mut self) -> Samples {
        Samples { rounds: std::mem::take(&mut self.rounds), latencies: Vec::new() }
    }

    fn rows(&self, halves: [Samples; 2]) -> Vec<Row> {
        let all = halves.each_ref().map(|half| half.rounds.as_slice()).concat();
        let row = |spec: &RowOf| {
            let (own, others) = times(spec, &all);
            let median = |half: &Samples| {
                Interval::of(times(spec, &half.rounds).0).map(|interval| interval.median)
            };
            let [first, second] = &halves;
            let pair = median(first).zip(median(second)).map(|(first, second)| [first, second]);
            let other = match (spec.against, &others) {
                (Some(index), Some(times)) => Some(Other {
                    name: self.contestants[index].name.to_owned(),
                    time: Interval::of(times.iter().copied())?,
                    ratio: Interval::of(own.iter().zip(times).map(|(own, other)| own / other))?,
                }),
                _ => None,
            };
            Some(Row {
                operation: spec.operation.to_owned(),
                time: Interval::of(own.iter().copied())?,
                rounds: own.len(),
                halves: pair.filter(|_| spec.minus.is_empty()),
                other,
                ..self.template.clone()
            })
        };
        self.rows.iter().filter_map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::convert::Infallible;

    use super::*;

    fn waits(name: &'static str, time: u64) -> Contestant<'static> {
        Contestant::new(name, move |_| {
            std::thread::sleep(Duration::from_micros(time));
            Ok::<_, Infallible>(())
        })
    }

    #[test]
    fn short_operations_run_many_times_in_a_round_and_long_ones_once() {
        let short = Contestant::new("short", |_| {
            std::hint::black_box(0);
            Ok::<_, Infallible>(())
        });
        let mut set = Set::new(Row::default(), "x", vec![short, waits("long", 200)]);
        set.calibrate().unwrap();
        assert!(set.times_over[0] > 10, "{:?}", set.times_over);
        assert_eq!(set.times_over[1], 1);
    }

    #[test]
    fn every_contestant_runs_once_a_round_and_the_first_turn_moves() {
        let order = RefCell::new(Vec::new());
        let of = |name| {
            let order = &order;
            Contestant::new(name, move |_| {
                order.borrow_mut().push(name);
                Ok::<_, Infallible>(())
            })
        };
        let mut set = Set::new(Row::default(), "x", vec![of("a"), of("b")]);
        set.times_over = vec![1, 1];
        set.round().unwrap();
        set.round().unwrap();
        assert_eq!(*order.borrow(), ["a", "b", "b", "a"]);
    }

    #[test]
    fn rows_have_times_of_one_operation_ratios_and_halves() {
        let half = || {
            let template = Row { group: "g".into(), ..Row::default() };
            let set = Set::new(template, "sleep", vec![waits("ours", 400), waits("library", 200)]);
            let mut set = set.of_many(2);
            set.measure(Duration::ZERO).unwrap();
            (set.samples(), set)
        };
        let ((first, _), (second, set)) = (half(), half());
        let rows = set.rows([first, second]);
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((row.group.as_str(), row.operation.as_str()), ("g", "sleep"));
        assert_eq!(row.rounds, 2 * FEWEST_ROUNDS);
        // A thread sleeps longer than asked, never shorter.
        let halves = row.halves.unwrap();
        assert!(row.time.median >= 200_000.0 && halves.iter().all(|half| *half >= 200_000.0));
        let other = row.other.as_ref().unwrap();
        assert!(other.time.median >= 100_000.0 && other.name == "library");
        assert!(other.ratio.low <= other.ratio.median && other.ratio.median <= other.ratio.high);
    }

    #[test]
    fn what_is_left_of_a_whole_is_computed_in_each_round() {
        let set = vec![waits("whole", 300), waits("part", 100)];
        let rows = ["whole", "rest"].map(|operation| RowOf {
            operation,
            plus: vec![0],
            minus: if operation == "rest" { vec![1] } else { vec![] },
            against: None,
        });
        let mut set = Set::with_rows(Row::default(), set, rows.to_vec());
        set.rounds = vec![vec![30.0, 10.0], vec![36.0, 12.0]];
        let first = set.samples();
        let second = Samples { rounds: vec![vec![33.0, 11.0]], latencies: Vec::new() };
        let rows = set.rows([first, second]);
        let medians: Vec<f64> = rows.iter().map(|row| row.time.median).collect();
        assert_eq!(medians, [33.0, 22.0]);
        assert!(rows.iter().all(|row| row.other.is_none() && row.rounds == 3));
        // The noise of the whole is not that of the small rest.
        let halves: Vec<_> = rows.iter().map(|row| row.halves).collect();
        assert_eq!(halves, [Some([36.0, 33.0]), None]);
    }

    #[test]
    fn a_failure_names_the_operation() {
        let fails = Contestant::new("library", |_| Err("it is closed"));
        let mut set = Set::new(Row::default(), "x", vec![fails]);
        assert_eq!(set.measure(Duration::ZERO), Err("library: it is closed".into()));
    }

    #[test]
    fn only_the_part_on_the_clock_counts() {
        let clock = Rc::new(Cell::new(Duration::ZERO));
        let counted = Rc::clone(&clock);
        let mut contestant = Contestant::new("server", move |_| {
            counted.set(counted.get() + Duration::from_secs(7));
            Ok::<_, Infallible>(())
        })
        .with_clock(clock);
        assert_eq!(contestant.run(0, 2), Ok(Duration::from_secs(14)));
        assert_eq!(contestant.run(1, 1), Ok(Duration::from_secs(7)));
    }
}
