//! What functions that hand out memory do when there is none: they say so, hand out nothing, and
//! give the same item when they are called again. A program of its own, as it replaces the
//! allocator: `cargo xtask test` builds it without the one of the library.
#![cfg(not(feature = "wiping-allocator"))]
// Helpers of tests fail by panicking.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::{null, null_mut};

use sslprovider::abi::{NTE_NO_MEMORY, NTE_NO_MORE_ITEMS};
use windows_sys::Win32::Security::Cryptography::{
    SslEnumCipherSuites, SslFreeBuffer, SslOpenProvider,
};

/// The system's allocator, which has nothing left when it is told so. Zeroed memory of this
/// alignment is what the library hands out; whatever else it needs is left alone.
struct Scarce;

const ALIGNMENT: usize = 16;

thread_local! {
    /// Allocations that succeed before one fails.
    static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
}

// SAFETY: every call goes to the system's allocator unchanged, or gives no memory, as an allocator
// may; `LEFT` has no destructor and needs no memory.
unsafe impl GlobalAlloc for Scarce {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() == ALIGNMENT {
            match LEFT.get() {
                Some(0) => return null_mut(),
                Some(left) => LEFT.set(Some(left - 1)),
                None => {}
            }
        }
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`, which is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System` through a function above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Scarce = Scarce;

/// Protocol and suite of the next record, or the status.
fn next(provider: usize, state: &mut *mut c_void, left: Option<u32>) -> Result<(u32, u32), i32> {
    let untouched = *state;
    let mut suite = null_mut();
    LEFT.set(left);
    // SAFETY: both pointers are of variables that outlive the call.
    let status = unsafe { SslEnumCipherSuites(provider, 0, &raw mut suite, &raw mut *state, 0) };
    LEFT.set(None);
    if status != 0 {
        assert!(suite.is_null() && *state == untouched, "handed out with {status:#x}");
        return Err(status);
    }
    // SAFETY: the call succeeded, so this is a record, not freed yet.
    let record = unsafe { suite.read() };
    // SAFETY: the buffer was handed out above and not freed yet.
    assert_eq!(unsafe { SslFreeBuffer(suite.cast()) }, 0);
    Ok((record.dwProtocol, record.dwCipherSuite))
}

fn suites(provider: usize, failures: &[u32]) -> Vec<(u32, u32)> {
    let (mut state, mut found) = (null_mut::<c_void>(), Vec::new());
    loop {
        for left in failures {
            // The first call needs two blocks, each other one.
            let enough = u32::from(state.is_null());
            if *left <= enough {
                let status = next(provider, &mut state, Some(*left));
                assert_eq!(status, Err(NTE_NO_MEMORY), "{left} blocks left");
            }
        }
        match next(provider, &mut state, None) {
            Ok(suite) => found.push(suite),
            Err(status) => {
                assert_eq!(status, NTE_NO_MORE_ITEMS);
                break;
            }
        }
    }
    // SAFETY: the state was handed out by the first call and not freed yet.
    assert_eq!(unsafe { SslFreeBuffer(state) }, 0);
    found
}

#[test]
fn an_enumeration_that_met_no_memory_goes_on_where_it_was() {
    let mut provider = 0;
    // SAFETY: the handle outlives the call, and no name is the default one.
    assert_eq!(unsafe { SslOpenProvider(&raw mut provider, null(), 0) }, 0);
    let all = suites(provider, &[]);
    assert!(all.len() > 10);
    assert_eq!(suites(provider, &[0, 1]), all);
}
