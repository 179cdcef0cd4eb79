//! The mask type of core, compiled from its own file, each function by itself, so that `cargo xtask
//! asm` can search the machine code of each. A mask comes in as a byte that is zero or not.

#![allow(dead_code, reason = "core has more")]

#[path = "../../crates/ssl-provider-core/src/ct.rs"]
mod ct;

use ct::Mask;

fn mask(byte: u8) -> Mask {
    Mask::is_zero(byte)
}

fn byte(mask: Mask) -> u8 {
    mask.keep(0xff)
}

#[inline(never)]
pub fn is_zero(secret: u8) -> u8 {
    byte(Mask::is_zero(secret))
}

#[inline(never)]
pub fn eq(a: u8, b: u8) -> u8 {
    byte(Mask::eq(a, b))
}

#[inline(never)]
pub fn less_byte(a: u8, b: u8) -> u8 {
    byte(Mask::less_byte(a, b))
}

#[inline(never)]
pub fn less(a: usize, b: usize) -> u8 {
    byte(Mask::less(a, b))
}

#[inline(never)]
pub fn eq_len(a: usize, b: usize) -> u8 {
    byte(Mask::eq_len(a, b))
}

#[inline(never)]
pub fn eq_bytes(a: &[u8], b: &[u8]) -> u8 {
    byte(Mask::eq_bytes(a, b))
}

#[inline(never)]
pub fn bit(value: usize, bit: u32) -> u8 {
    byte(Mask::bit(value, bit))
}

/// Of two masks, so that what joins masks is here too.
#[inline(never)]
pub fn choose_len(secret: u8, a: usize, b: usize) -> usize {
    let (one, other) = (mask(secret), Mask::eq(secret, 7).not());
    one.and(other).or(Mask::less(a, b)).choose_len(a, b)
}

#[inline(never)]
pub fn merge(secret: u8, from: &[u8], into: &mut [u8]) {
    mask(secret).merge(from, into);
}

#[inline(never)]
pub fn replace(secret: u8, from: &[u8], into: &mut [u8]) {
    mask(secret).replace(from, into);
}

#[inline(never)]
pub fn select(secret: u8, a: &[u8; 48], b: &[u8; 48], out: &mut [u8; 48]) {
    mask(secret).select(a, b, out);
}
