//! The allocator at work: what a freed block holds. A program of its own, as it replaces the
//! allocator. `cargo xtask residue` runs it optimised, where the compiler drops writes to memory
//! that is freed next.

use std::hint::black_box;

use ssl_provider_memory::WipingAllocator;

#[global_allocator]
static ALLOCATOR: WipingAllocator = WipingAllocator::system();

#[test]
fn a_freed_block_has_lost_its_contents() {
    const LEN: usize = 4096;
    let block = black_box(vec![0xa5_u8; LEN]);
    let place = block.as_ptr();
    drop(block);
    // The allocator keeps its own data at the beginning.
    let left = (64..LEN).filter(|offset| {
        // SAFETY: the read is of memory that was freed: knowingly, to see what is left there, and
        // only in this test. The allocator keeps so small a block mapped.
        let byte = unsafe { place.wrapping_add(*offset).read_volatile() };
        byte == 0xa5
    });
    assert_eq!(left.count(), 0);
}
