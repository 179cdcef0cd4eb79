//! Locked memory in a forked child. A program of its own, as the child of a program with threads
//! may find their locks held.

#![cfg(target_os = "linux")]

use std::panic;

use ssl_provider_memory::{SecretBytes, secret_memory, wipe_secret_memory_in_children};

/// Runs `check` in a forked child, and returns whether it was true there.
fn in_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: this process has one thread besides that of the test harness, which waits.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(check));
        // SAFETY: ends the child without the exit handlers of its parent.
        unsafe { libc::_exit(i32::from(!outcome.unwrap_or(false))) };
    }
    let mut status = 0;
    // SAFETY: the status is written to a variable that lives long enough.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[test]
fn a_child_may_use_what_its_parent_made_unless_the_program_has_it_wiped() {
    let kept = SecretBytes::copied(&[0xa5; 48]);
    assert!(in_child(|| *kept == [0xa5; 48]));

    wipe_secret_memory_in_children();
    // Of another length, so that it is in memory that is mapped from here on.
    let wiped = SecretBytes::copied(&[0xa5; 200]);
    assert!(in_child(|| {
        panic::set_hook(Box::new(|_| {}));
        let refused = panic::catch_unwind(|| wiped.len()).is_err();
        // What is new in the child is its own.
        let before = secret_memory();
        let mut new = SecretBytes::zeroed(200);
        let is_empty = *new == [0; 200];
        new.fill(1);
        refused && is_empty && *new == [1; 200] && secret_memory() != before && *kept == [0xa5; 48]
    }));
    assert_eq!(*wiped, [0xa5; 200], "the parent has lost nothing");
}
