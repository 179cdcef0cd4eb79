//! The processor time of the thread. Unlike the time of day, it excludes that of other programs on
//! the same processor.

use std::time::Duration;

/// Returns the processor time of this thread so far.
///
/// # Panics
///
/// On a system that has no such clock.
pub fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is writable, and the clock is one that Linux and macOS have.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(status, 0, "this system has no clock for the time of a thread");
    let seconds = u64::try_from(time.tv_sec).expect("time is positive");
    Duration::from_secs(seconds)
        + Duration::from_nanos(u64::try_from(time.tv_nsec).expect("time is positive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_takes_no_processor_time() {
        let start = thread_time();
        std::thread::sleep(Duration::from_millis(50));
        let slept = thread_time() - start;
        assert!(slept < Duration::from_millis(25), "{slept:?}");
    }
}
