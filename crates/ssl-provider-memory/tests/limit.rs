//! The limit of locked memory: what `secret_memory` returns is what the kernel says, below the
//! limit and beyond it. A program of its own, since memory of the whole process is counted.

#![cfg(target_os = "linux")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::{fs, iter};

use ssl_provider_memory::{SecretBytes, secret_memory};

/// Bytes that are mapped, and locked, at once.
const SLAB_LEN: usize = 64 << 10;

/// A user without the right of root to lock what it likes.
const NOBODY: libc::uid_t = 65_534;

/// Returns how much memory of this process the kernel has locked.
fn locked_by_kernel() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has this file");
    let line = status.lines().find_map(|line| line.strip_prefix("VmLck:")).expect("such a line");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number of kB") << 10
}

/// Sets how many bytes this process may lock. Returns whether that holds.
fn limit_locked_memory(limit: usize) -> bool {
    let Ok(limit) = libc::rlim_t::try_from(limit) else { return false };
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: limit };
    // SAFETY: the limit is live.
    let is_set = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) } == 0;
    // SAFETY: the function has no conditions.
    let is_root = unsafe { libc::geteuid() } == 0;
    // SAFETY: as before; this process has one thread.
    is_set && (!is_root || unsafe { libc::setuid(NOBODY) } == 0)
}

/// Runs `check` in a forked child that may lock `limit` bytes.
#[track_caller]
fn assert_in_child(limit: usize, check: impl FnOnce()) {
    // SAFETY: this process has one thread besides that of the test harness, which waits.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            assert!(limit_locked_memory(limit), "the limit cannot be set");
            check();
        }));
        // SAFETY: ends the child without the exit handlers of its parent.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    let mut status = 0;
    // SAFETY: the status is written to a variable that lives long enough.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "the child failed");
}

/// Makes secrets until they have `len` bytes of memory, and compares all that is told meanwhile.
fn fill(len: usize) -> Vec<SecretBytes> {
    let is_less = || secret_memory().locked + secret_memory().unlocked < len;
    let secrets = iter::from_fn(|| is_less().then(|| SecretBytes::copied(&[0xa5; 500])));
    let secrets = secrets.inspect(|_| assert_eq!(secret_memory().locked, locked_by_kernel()));
    secrets.collect()
}

#[test]
fn what_is_locked_and_what_is_not_is_told_as_the_kernel_has_it() {
    for (limit, locked) in [(0, 0), (SLAB_LEN, SLAB_LEN), (4 * SLAB_LEN - 1, 3 * SLAB_LEN)] {
        assert_in_child(limit, || {
            let secrets = fill(6 * SLAB_LEN);
            let memory = secret_memory();
            assert_eq!((memory.locked, memory.unlocked), (locked, 6 * SLAB_LEN - locked));
            assert!(secrets.iter().all(|secret| **secret == [0xa5; 500]));
            // What is free again is still mapped, and as locked as before.
            drop(secrets);
            assert_eq!(secret_memory(), memory);
            assert_eq!(memory.locked, locked_by_kernel());
        });
    }
    // Below the limit, all of it is locked.
    assert_in_child(8 * SLAB_LEN, || {
        fill(6 * SLAB_LEN);
        assert_eq!((secret_memory().locked, secret_memory().unlocked), (6 * SLAB_LEN, 0));
    });
}
