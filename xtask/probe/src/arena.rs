//! An allocator that always takes the same instructions, unlike one that keeps lists of chunks.
//! Without it the counts of callgrind would depend on what was allocated and freed before.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Allocates from one block, front to back, and frees nothing: the probe ends soon.
#[repr(C, align(128))]
pub(crate) struct Arena {
    memory: UnsafeCell<[u8; LEN]>,
    used: AtomicUsize,
}

/// Bytes of the arena, of which nothing is reused: `callgrind --full` on `rsa` 0.10 takes more than
/// 256 MiB. Pages that are not touched cost nothing.
const LEN: usize = 1 << 30;

/// Every piece begins on a pair of cache lines, because copying takes other instructions elsewhere.
const ALIGNMENT: usize = 128;

impl Arena {
    pub(crate) const fn new() -> Self {
        Self { memory: UnsafeCell::new([0; LEN]), used: AtomicUsize::new(0) }
    }

    /// The address where the next piece begins.
    pub(crate) fn end(&self) -> usize {
        self.memory.get().expose_provenance() + self.used.load(Ordering::Relaxed)
    }
}

// SAFETY: no reference to the memory is made here, only pointers to pieces that do not overlap;
// the counter that keeps them apart is atomic.
unsafe impl Sync for Arena {}

// SAFETY: each piece lies within the memory, is as long as asked and aligned to 128 bytes, as the
// memory is, or the result is null. The counter only grows, so no byte is handed out twice. Nothing
// here panics.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let piece = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let len = layout.size().checked_next_multiple_of(ALIGNMENT)?;
            used.checked_add(len).filter(|end| *end <= LEN && layout.align() <= ALIGNMENT)
        });
        let Ok(start) = piece else { return ptr::null_mut() };
        self.memory.get().cast::<u8>().wrapping_add(start)
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_do_not_overlap_and_what_does_not_fit_is_refused() {
        // The arena of this program: a second one would not fit on a stack.
        let boxes: Vec<Box<[u8; 100]>> = (0..100).map(|byte| Box::new([byte; 100])).collect();
        for (byte, piece) in (0..100).zip(&boxes) {
            assert_eq!(**piece, [byte; 100]);
            assert_eq!(piece.as_ptr().addr() % ALIGNMENT, 0);
        }
        assert!(Vec::<u8>::new().try_reserve_exact(LEN).is_err());
    }
}
