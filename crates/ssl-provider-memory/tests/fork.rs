//! Locked memory in a forked child. A program of its own, as the child of a program with other
//! tests may find their locks held.

#![cfg(target_os = "linux")]

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ssl_provider_memory::{SecretBytes, secret_memory, wipe_secret_memory_in_children};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret type as others make them.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Key(SecretBytes);

/// Runs `check` in a forked child, and returns whether it was true there.
fn in_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: of what other threads may hold locks of, the child uses only the allocator, which the
    // system leaves usable after `fork`, and the memory for secrets, whose locks are under test.
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
    let mut wiped = SecretBytes::copied(&[0xa5; 200]);
    let key = Key(SecretBytes::copied(&[0xa5; 200]));
    assert!(in_child(|| {
        panic::set_hook(Box::new(|_| {}));
        let refused = panic::catch_unwind(|| wiped.len()).is_err();
        wiped.zeroize();
        drop(key);
        // What is new in the child is its own.
        let before = secret_memory();
        let mut new = SecretBytes::zeroed(200);
        let is_empty = *new == [0; 200];
        new.fill(1);
        let grown = secret_memory() != before;
        refused && is_empty && *new == [1; 200] && grown && *kept == [0xa5; 48]
    }));
    assert_eq!(*wiped, [0xa5; 200], "the parent has lost nothing");

    // Other threads hold the locks of the lists at any time.
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    drop(SecretBytes::zeroed(48));
                }
            });
        }
        let all = (0..200).all(|_| in_child(|| *SecretBytes::zeroed(48) == [0; 48]));
        stop.store(true, Ordering::Relaxed);
        assert!(all);
    });
}
