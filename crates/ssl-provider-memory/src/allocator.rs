//! A global allocator that leaves nothing behind in freed memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;

/// Wipes every block before it goes back to the allocator `A`.
///
/// Some crypto libraries free keys and intermediate values as they are (RustCrypto's `rsa`, ring).
/// A program that has this as its global allocator finds none of them in freed heap memory. What a
/// C library takes from `malloc` itself is not covered; AWS-LC and OpenSSL wipe their keys.
///
/// A block that grows is copied and wiped, never extended in place.
///
/// ```
/// use ssl_provider_memory::WipingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: WipingAllocator = WipingAllocator::system();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct WipingAllocator<A = System>(A);

impl WipingAllocator {
    /// Takes memory from the system's allocator.
    pub const fn system() -> Self {
        Self(System)
    }
}

impl<A> WipingAllocator<A> {
    /// Takes memory from another allocator.
    pub const fn around(inner: A) -> Self {
        Self(inner)
    }
}

// SAFETY: every block comes from `A` and goes back to it with the layout that it was allocated
// with, and is written to only between the two. `realloc` is the default, which is made of `alloc`
// and `dealloc`.
unsafe impl<A: GlobalAlloc> GlobalAlloc for WipingAllocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`, which is the same.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller gives back a live block of this layout, so that many bytes may be
        // written.
        unsafe { pointer.write_bytes(0, layout.size()) };
        // The compiler knows what `free` does, and would drop a write to memory that is freed next.
        let pointer = black_box(pointer);
        // SAFETY: the block came from `A` through a function above, with this layout.
        unsafe { self.0.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Keeps what blocks contained when they were freed.
    struct Recorder(Mutex<Vec<Vec<u8>>>);

    // SAFETY: every call goes to the system's allocator unchanged.
    unsafe impl GlobalAlloc for Recorder {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`, which is the same.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the block is live, and the test below has written all of it.
            let contents = unsafe { std::slice::from_raw_parts(pointer, layout.size()) };
            self.0.lock().unwrap().push(contents.to_vec());
            // SAFETY: the pointer came from `System` through `alloc`, with this layout.
            unsafe { System.dealloc(pointer, layout) }
        }
    }

    #[test]
    fn a_block_that_is_freed_or_grows_is_all_zeros_when_it_goes_back() {
        let allocator = WipingAllocator::around(Recorder(Mutex::default()));
        let layout = Layout::array::<u8>(100).unwrap();
        // SAFETY: the layout is not empty.
        let block = unsafe { allocator.alloc(layout) };
        assert!(!block.is_null());
        // SAFETY: the block has this length.
        unsafe { block.write_bytes(0xa5, layout.size()) };
        // SAFETY: the block has this layout, and the new size is not zero.
        let block = unsafe { allocator.realloc(block, layout, 300) };
        assert!(!block.is_null());
        // SAFETY: the block has 300 bytes, of which the first hundred were copied.
        assert_eq!(unsafe { std::slice::from_raw_parts(block, 100) }, [0xa5; 100]);
        // SAFETY: the block has this length.
        unsafe { block.write_bytes(0x5a, 300) };
        // SAFETY: the block has this layout now.
        unsafe { allocator.dealloc(block, Layout::array::<u8>(300).unwrap()) };
        assert_eq!(*allocator.0.0.lock().unwrap(), [vec![0; 100], vec![0; 300]]);
    }
}
