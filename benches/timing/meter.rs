//! What an operation took, on a machine that does other work too: cycles in user space where the
//! kernel counts them, else a clock that leaves out what was interrupted. The thread stays on one
//! processor.

use std::fs;
use std::time::{Duration, Instant};

use ssl_provider_benches::clock::thread_time;

/// Measures operations.
pub(crate) struct Meter {
    /// Cycles, and how many a nanosecond has.
    cycles: Option<(Counter, f64)>,
    /// How often an operation is done at most, if it is interrupted.
    attempts: usize,
}

impl Meter {
    /// Prints to standard error what is measured, and why no better thing is.
    pub(crate) fn new(attempts: usize) -> Self {
        pin();
        match Counter::new(HARDWARE, CPU_CYCLES) {
            Ok(counter) => {
                let rate = counter.rate();
                eprintln!("MEASURED: cycles in user space, {rate:.2} a nanosecond");
                Self { cycles: Some((counter, rate)), attempts }
            }
            Err(error) => {
                eprintln!(
                    "NOT COUNTED: the kernel counts no cycles here ({error}), so a clock is used. \
                     It leaves out operations that were interrupted; what shares the processor's \
                     caches or its core still disturbs it, and a busy machine takes longer."
                );
                Self { cycles: None, attempts }
            }
        }
    }

    /// Does `work` and returns how many nanoseconds it took, or what its cycles are worth. With a
    /// clock, it is done again when something interrupted it.
    pub(crate) fn time(&self, mut work: impl FnMut()) -> f64 {
        if let Some((counter, rate)) = &self.cycles {
            let start = counter.read();
            work();
            return (counter.read() - start) as f64 / rate;
        }
        let mut last = 0.0;
        for _ in 0..self.attempts {
            let (began, used) = (Instant::now(), thread_time());
            let start = Instant::now();
            work();
            let took = start.elapsed();
            let used = thread_time().saturating_sub(used);
            last = took.as_secs_f64() * 1e9;
            if !was_interrupted(began.elapsed(), used) {
                break;
            }
        }
        // One that is always interrupted is an outlier, which the mean leaves out.
        last
    }
}

/// Whether more time passed than the thread had, but for the ticks of the system's timer.
fn was_interrupted(passed: Duration, used: Duration) -> bool {
    const TICKS: Duration = Duration::from_micros(10);
    passed.saturating_sub(used) > TICKS + passed / 50
}

/// The time that the hypervisor has taken from all processors so far, in ticks of 10 ms; 0 where
/// the system does not say.
pub(crate) fn stolen() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let all = stat.lines().next().unwrap_or_default();
    all.split_ascii_whitespace().nth(8).and_then(|ticks| ticks.parse().ok()).unwrap_or(0)
}

/// Leaves this thread on the processor that it is on.
fn pin() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: the call has no arguments.
        let processor = unsafe { libc::sched_getcpu() };
        // SAFETY: a set of processors is plain bits, of which none may be set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        let Ok(processor) = usize::try_from(processor) else { return };
        if processor < 8 * size_of::<libc::cpu_set_t>() {
            // SAFETY: the set has a bit for the processor.
            unsafe { libc::CPU_SET(processor, &mut set) };
        }
        // SAFETY: the set is readable and as long as stated; 0 means the calling thread.
        let status = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
        if status != 0 {
            eprintln!("NOT PINNED: {}", std::io::Error::last_os_error());
        }
    }
}

#[cfg(target_os = "linux")]
use self::counter::{CPU_CYCLES, Counter, HARDWARE};
#[cfg(not(target_os = "linux"))]
use self::no_counter::{CPU_CYCLES, Counter, HARDWARE};

/// The counters of the processor, by perf_event_open(2).
#[cfg(target_os = "linux")]
mod counter {
    use std::fs::File;
    use std::io::{Error, Read};
    use std::os::fd::{FromRawFd, RawFd};
    use std::time::{Duration, Instant};

    use ssl_provider_benches::clock::thread_time;

    /// Types of events, and events, of linux/perf_event.h.
    pub(super) const HARDWARE: u64 = 0;
    pub(super) const CPU_CYCLES: u64 = 0;
    #[cfg(test)]
    pub(super) const SOFTWARE: u64 = 1;
    #[cfg(test)]
    pub(super) const TASK_CLOCK: u64 = 1;

    /// A counter of this thread, on every processor.
    pub(crate) struct Counter(File);

    impl Counter {
        /// Starts to count an event in user space.
        pub(super) fn new(kind: u64, event: u64) -> Result<Self, Error> {
            const EXCLUDE_KERNEL: u64 = 1 << 5;
            const EXCLUDE_HYPERVISOR: u64 = 1 << 6;
            // `struct perf_event_attr` as of its first version: type and length, event, period,
            // kinds of sample and of result, flags, and two that are unused here.
            let mut attributes = [0u64; 8];
            attributes[0] = kind | (size_of_val(&attributes) as u64) << 32;
            attributes[1] = event;
            attributes[5] = EXCLUDE_KERNEL | EXCLUDE_HYPERVISOR;
            let (this_thread, every_processor, no_group, no_flags) = (0, -1, -1, 0);
            // SAFETY: the kernel reads the attributes, as many bytes as they state.
            let descriptor = unsafe {
                libc::syscall(
                    libc::SYS_perf_event_open,
                    attributes.as_ptr(),
                    this_thread,
                    every_processor,
                    no_group,
                    no_flags,
                )
            };
            match RawFd::try_from(descriptor) {
                // SAFETY: the kernel has just opened it, and nobody else has its number.
                Ok(descriptor @ 0..) => Ok(Self(unsafe { File::from_raw_fd(descriptor) })),
                _ => Err(Error::last_os_error()),
            }
        }

        pub(super) fn read(&self) -> u64 {
            let mut count = [0; 8];
            (&self.0).read_exact(&mut count).expect("an open counter can be read");
            u64::from_ne_bytes(count)
        }

        /// Counts for each nanosecond of this thread.
        pub(super) fn rate(&self) -> f64 {
            let (count, start, began) = (self.read(), thread_time(), Instant::now());
            while began.elapsed() < Duration::from_millis(100) {
                std::hint::spin_loop();
            }
            let used = thread_time() - start;
            (self.read() - count) as f64 / (used.as_secs_f64() * 1e9)
        }
    }
}

/// Other systems have other counters.
#[cfg(not(target_os = "linux"))]
mod no_counter {
    use std::io::{Error, ErrorKind};

    pub(super) const HARDWARE: u64 = 0;
    pub(super) const CPU_CYCLES: u64 = 0;

    pub(crate) enum Counter {}

    impl Counter {
        pub(super) fn new(_kind: u64, _event: u64) -> Result<Self, Error> {
            Err(ErrorKind::Unsupported.into())
        }

        pub(super) fn read(&self) -> u64 {
            match *self {}
        }

        pub(super) fn rate(&self) -> f64 {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same call counts the time of a thread on every Linux; cycles only where there are
    /// counters.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_counter_counts_what_this_thread_does() {
        let counter = Counter::new(counter::SOFTWARE, counter::TASK_CLOCK);
        let Ok(counter) = counter else {
            // Where perf_event_paranoid is above 2, or a sandbox forbids the call.
            eprintln!("NOT TESTED: the kernel allows no counters");
            return;
        };
        let rate = counter.rate();
        assert!((0.5..2.0).contains(&rate), "{rate} nanoseconds counted in one");
        let idle = counter.read();
        std::thread::sleep(Duration::from_millis(50));
        assert!(counter.read() - idle < 25_000_000);
    }

    #[test]
    fn what_interrupts_is_noticed_and_a_tick_is_not() {
        let micros = Duration::from_micros;
        assert!(!was_interrupted(micros(100), micros(95)));
        assert!(!was_interrupted(micros(10_000), micros(9_850)));
        assert!(was_interrupted(micros(100), micros(80)));
        assert!(was_interrupted(micros(4_000), micros(1_000)));
    }

    #[test]
    fn an_operation_that_sleeps_is_tried_again() {
        let meter = Meter { cycles: None, attempts: 10 };
        let mut calls = 0;
        let took = meter.time(|| {
            calls += 1;
            if calls < 3 {
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        assert!(calls >= 3 && took < 1e6, "{calls} calls, {took} ns");
    }
}
