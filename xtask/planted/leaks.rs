//! Functions with a leak each, which `cargo xtask asm` must find on every target in every run. What
//! they read from memory is secret, and so is an `offset`.

use std::hint::black_box;

/// A byte of zero ends the search.
#[inline(never)]
pub fn early_return(em: &[u8]) -> usize {
    em.iter().take_while(|byte| **byte != 0).count()
}

/// Copies from one place or the other.
#[inline(never)]
pub fn chosen_pointer(good: &bool, a: &[u64; 6], b: &[u64; 6], out: &mut [u64; 6]) {
    let from = if *good { a } else { b };
    *out = *black_box(from);
}

#[inline(never)]
pub fn look_up(table: &[u8; 256], secret: &u8) -> u8 {
    table[usize::from(*secret)]
}

/// As the extraction of a MAC would be without care.
#[inline(never)]
pub fn at_secret_offset(window: &[u8], offset: usize) -> [u8; 560] {
    let mut bytes = [0; 560];
    for (to, from) in bytes.iter_mut().zip(window.iter().skip(offset)) {
        *to = *from;
    }
    bytes
}

#[inline(never)]
pub fn division(em: &[u8; 2]) -> u8 {
    em[0].checked_div(em[1] | 1).unwrap_or(0)
}

/// The compiler makes a call of it that returns at the first difference.
#[inline(never)]
pub fn library_comparison(a: &[u8; 200], b: &[u8; 200]) -> bool {
    a == b
}

/// The last byte says how much is copied.
#[inline(never)]
pub fn secret_length(blocks: &[u8; 256], out: &mut [u8; 256]) {
    let len = usize::from(blocks[255]);
    out[..len].copy_from_slice(&blocks[..len]);
}
