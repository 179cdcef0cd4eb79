//! What an operation took, on a machine that does other work too: cycles in user space where the
//! kernel counts them, else a clock that leaves out what was interrupted.

use std::fs;
use std::time::{Duration, Instant};

/// Measures operations of this thread.
#[derive(Debug)]
pub(crate) struct Meter {
    /// Cycles, and how many a nanosecond has.
    cycles: Option<(counter::Counter, f64)>,
    /// How often an operation is done at most, if it is interrupted.
    attempts: usize,
}

impl Meter {
    /// A meter of cycles if the kernel counts them, else of time.
    pub(crate) fn new(attempts: usize) -> Self {
        let counter = counter::Counter::new();
        let cycles = counter.and_then(|mut counter| {
            let rate = rate(&mut counter)?;
            Some((counter, rate))
        });
        Self { cycles, attempts }
    }

    /// Says what is measured, for the report.
    pub(crate) fn describe(&self) -> String {
        match &self.cycles {
            Some((_, rate)) => format!("cycles in user space, {rate:.2} a nanosecond"),
            None => "a clock, since the kernel counts no cycles here; operations that were \
                     interrupted are timed again"
                .to_owned(),
        }
    }

    /// Does `work` and returns how many nanoseconds it took, or what its cycles are worth. With a
    /// clock, it is done again when something interrupted it.
    pub(crate) fn time(&mut self, mut work: impl FnMut()) -> f64 {
        if let Some((counter, rate)) = &mut self.cycles
            && let Some(start) = counter.read()
        {
            work();
            if let Some(end) = counter.read() {
                return end.wrapping_sub(start) as f64 / *rate;
            }
        }
        let mut last = 0.0;
        for _ in 0..self.attempts {
            let (began, used) = (Instant::now(), thread_time());
            let start = Instant::now();
            work();
            let took = start.elapsed();
            let used = thread_time().zip(used).map(|(end, start)| end.saturating_sub(start));
            last = nanoseconds(took);
            if !was_interrupted(began.elapsed(), used) {
                break;
            }
        }
        // One that is always interrupted is an outlier, which the mean leaves out.
        last
    }
}

/// Returns a duration in nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// Whether more time passed than the thread had, but for the ticks of the system's timer. Nothing
/// is known on a system that has no clock for a thread.
fn was_interrupted(passed: Duration, used: Option<Duration>) -> bool {
    const TICKS: Duration = Duration::from_micros(10);
    used.is_some_and(|used| passed.saturating_sub(used) > TICKS + passed / 50)
}

/// Counts for each nanosecond of this thread; none where that cannot be found out.
fn rate(counter: &mut counter::Counter) -> Option<f64> {
    let (count, start, began) = (counter.read()?, thread_time()?, Instant::now());
    while began.elapsed() < Duration::from_millis(100) {
        std::hint::spin_loop();
    }
    let used = thread_time()?.saturating_sub(start);
    let rate = counter.read()?.wrapping_sub(count) as f64 / nanoseconds(used);
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

/// Returns the processor time of this thread; unlike the time of day, it excludes that of other
/// programs on the same processor. None on a system that has no such clock.
pub(crate) fn thread_time() -> Option<Duration> {
    #[cfg(unix)]
    {
        use rustix::time::{ClockId, clock_gettime};
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
    }
    #[cfg(not(unix))]
    None
}

/// The time that the hypervisor has taken from all processors so far, in ticks of 10 ms; 0 where
/// the system does not say.
pub(crate) fn stolen() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = stat.lines().next().unwrap_or_default();
    all.split_ascii_whitespace().nth(8).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// Steps that wait for each other, for a planted delay. The first waits for `start`, the result of
/// what is delayed; a processor would else do both at the same time, and the delay would be none.
pub(crate) fn spin(rounds: u32, start: u8) {
    let mut value = u64::from(start) | 3;
    for _ in 0..rounds {
        value = std::hint::black_box(value.wrapping_mul(value));
    }
}

/// Returns how many rounds of [`spin`] take so many nanoseconds, at the least.
pub(crate) fn rounds_for(nanoseconds: f64) -> u32 {
    const TRIAL: u32 = 100_000;
    let trial = || {
        let start = Instant::now();
        spin(TRIAL, 0);
        start.elapsed()
    };
    // The fastest was interrupted least.
    let fastest = (0..20).map(|_| trial()).min().unwrap_or_default();
    let rounds = nanoseconds * f64::from(TRIAL) / self::nanoseconds(fastest).max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let rounds = rounds.ceil() as u32;
    rounds
}

/// Keeps this thread on the processor that it is on, until it is dropped. Threads that are started
/// meanwhile stay there too.
#[derive(Debug)]
pub(crate) struct Pinned {
    #[cfg(target_os = "linux")]
    before: Option<rustix::thread::CpuSet>,
}

impl Pinned {
    /// Stays on this processor, where the system allows it.
    pub(crate) fn here() -> Self {
        #[cfg(target_os = "linux")]
        {
            use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
            let before = sched_getaffinity(None).ok();
            let mut here = CpuSet::new();
            let processor = sched_getcpu();
            if processor < CpuSet::MAX_CPU {
                here.set(processor);
            }
            let pinned = sched_setaffinity(None, &here).is_ok();
            Self { before: before.filter(|_| pinned) }
        }
        #[cfg(not(target_os = "linux"))]
        Self {}
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if let Some(before) = &self.before {
            // It was allowed before; if no more, the thread stays where it is.
            let _ = rustix::thread::sched_setaffinity(None, before);
        }
    }
}

/// The counter of cycles (perf_event_open(2)).
#[cfg(target_os = "linux")]
mod counter {
    use perf_event::Builder;
    use perf_event::events::Hardware;

    #[derive(Debug)]
    pub(super) struct Counter(perf_event::Counter);

    impl Counter {
        /// Counts cycles of this thread in user space; none where the kernel does not.
        pub(super) fn new() -> Option<Self> {
            let mut builder = Builder::new(Hardware::CPU_CYCLES);
            builder.exclude_kernel(true).exclude_hv(true);
            Self::start(&builder)
        }

        fn start(builder: &Builder<'_>) -> Option<Self> {
            let mut counter = builder.build().ok()?;
            counter.enable().ok()?;
            Some(Self(counter))
        }

        pub(super) fn read(&mut self) -> Option<u64> {
            self.0.read().ok()
        }

        /// Counts the nanoseconds of this thread, which every kernel can.
        #[cfg(test)]
        pub(super) fn of_time() -> Option<Self> {
            Self::start(&Builder::new(perf_event::events::Software::TASK_CLOCK))
        }
    }
}

/// Other systems have other counters.
#[cfg(not(target_os = "linux"))]
mod counter {
    #[derive(Debug)]
    pub(super) enum Counter {}

    impl Counter {
        pub(super) fn new() -> Option<Self> {
            None
        }

        pub(super) fn read(&mut self) -> Option<u64> {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cycles are counted by the same calls, but only where there are counters.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_counter_counts_what_this_thread_does() {
        let Some(mut counter) = counter::Counter::of_time() else {
            // Where perf_event_paranoid is above 2, or a sandbox forbids the call.
            ssl_provider_testkit::diagnostics::not_tested("counters", "the kernel allows none");
            return;
        };
        let rate = rate(&mut counter).unwrap();
        assert!((0.5..2.0).contains(&rate), "{rate} nanoseconds counted in one");
        let idle = counter.read().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        assert!(counter.read().unwrap() - idle < 25_000_000);
    }

    #[test]
    fn what_interrupts_is_noticed_and_a_tick_is_not() {
        let micros = Duration::from_micros;
        assert!(!was_interrupted(micros(100), Some(micros(95))));
        assert!(!was_interrupted(micros(10_000), Some(micros(9_850))));
        assert!(was_interrupted(micros(100), Some(micros(80))));
        assert!(was_interrupted(micros(4_000), Some(micros(1_000))));
        assert!(!was_interrupted(micros(4_000), None));
    }

    #[cfg(unix)]
    #[test]
    fn an_operation_that_sleeps_is_tried_again() {
        let mut meter = Meter { cycles: None, attempts: 10 };
        let mut calls = 0;
        let took = meter.time(|| {
            calls += 1;
            if calls < 3 {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        assert!(calls >= 3 && took < 1e6, "{calls} calls, {took} ns");
    }

    #[test]
    fn a_planted_delay_takes_as_long_as_asked_and_not_ten_times_as_long() {
        let rounds = rounds_for(100_000.0);
        let times = (0..20).map(|_| {
            let start = Instant::now();
            spin(rounds, 0);
            nanoseconds(start.elapsed())
        });
        let fastest = times.fold(f64::INFINITY, f64::min);
        assert!((50_000.0..1_000_000.0).contains(&fastest), "{fastest} ns");
    }
}
