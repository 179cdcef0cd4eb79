//! Copies of `recover_premaster` with a fault each, and one without, which `cargo xtask prove` must
//! tell apart. All take their arguments as the shipped function does.

use std::arch::x86_64::{_MM_HINT_T0, _mm_lfence, _mm_prefetch};
use std::hint::black_box;
use std::ptr::copy_nonoverlapping;
use std::slice::{from_raw_parts, from_raw_parts_mut};
use std::sync::atomic::{AtomicU8, Ordering};

const SECRET_LEN: usize = 48;

/// What the shipped function returns in place of an error.
const OK: u8 = 0x13;

static TABLE: [u8; 256] = [1; 256];

static LAST: AtomicU8 = AtomicU8::new(0);

/// 0xff where a byte is zero.
#[inline(always)]
fn is_zero(byte: u8) -> u8 {
    (u32::from(byte).wrapping_sub(1) >> 8) as u8
}

/// 0xff where padding, separator and version are right.
#[inline(always)]
fn is_good(block: &[u8], version: u64) -> u8 {
    is_padded(block) & is_accepted(block, version)
}

#[inline(always)]
fn is_padded(block: &[u8]) -> u8 {
    let separator = block.len() - SECRET_LEN - 1;
    let mut good = is_zero(block[0]) & is_zero(block[1] ^ 2) & is_zero(block[separator]);
    for byte in &block[2..separator] {
        good &= !is_zero(*byte);
    }
    good
}

#[inline(always)]
fn is_accepted(block: &[u8], version: u64) -> u8 {
    let secret = block.len() - SECRET_LEN;
    let is = |version: u16| {
        let [major, minor] = version.to_be_bytes();
        is_zero(block[secret] ^ major) & is_zero(block[secret + 1] ^ minor)
    };
    let any = 0u8.wrapping_sub((version >> 32) as u8 & 1);
    is(version as u16) | is((version >> 16) as u16) | any
}

#[inline(always)]
fn select(good: u8, block: &[u8], fallback: &[u8], out: &mut [u8]) {
    let mask = black_box(good);
    for ((out, a), b) in out.iter_mut().zip(&block[block.len() - SECRET_LEN..]).zip(fallback) {
        *out = (a & mask) | (b & !mask);
    }
}

/// Defines an export around a body that gets block, version, fallback and output.
macro_rules! planted {
    ($name:ident, |$block:ident, $version:ident, $fallback:ident, $out:ident| $body:block) => {
        /// # Safety
        ///
        /// The block has `len` bytes, and the fallback and the output have 48.
        // SAFETY: nothing else in the library has this name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            result: *mut u8,
            block: *const u8,
            len: usize,
            version: u64,
            fallback: *const u8,
            out: *mut u8,
        ) {
            #[inline(always)]
            fn body($block: &[u8], $version: u64, $fallback: &[u8], $out: &mut [u8]) $body

            // SAFETY: as above.
            let (block, fallback, out) = unsafe {
                (
                    from_raw_parts(block, len),
                    from_raw_parts(fallback, SECRET_LEN),
                    from_raw_parts_mut(out, SECRET_LEN),
                )
            };
            body(block, version, fallback, out);
            // SAFETY: the result has room for an error.
            unsafe { result.write(OK) };
        }
    };
}

planted!(clean, |block, version, fallback, out| {
    select(is_good(block, version), block, fallback, out);
});

planted!(early_exit, |block, version, fallback, out| {
    let separator = block.len() - SECRET_LEN - 1;
    let is_padded = block[2..separator].iter().all(|byte| *byte != 0);
    let good = is_good(block, version) & if is_padded { 0xff } else { 0 };
    select(good, block, fallback, out);
});

planted!(pointer_select, |block, version, fallback, out| {
    let good = is_good(block, version);
    let offset = usize::from(black_box(good) & 1);
    let choices = [fallback, &block[block.len() - SECRET_LEN..]];
    let addresses = choices.map(|choice| choice.as_ptr() as usize);
    let chosen = addresses[0].wrapping_add(addresses[1].wrapping_sub(addresses[0]) * offset);
    // SAFETY: one of two slices of this length.
    out.copy_from_slice(unsafe { from_raw_parts(chosen as *const u8, SECRET_LEN) });
});

planted!(table_look_up, |block, version, fallback, out| {
    let good = is_good(block, version) & 0u8.wrapping_sub(black_box(&TABLE)[usize::from(block[2])]);
    select(good, block, fallback, out);
});

planted!(prefetch, |block, version, fallback, out| {
    // SAFETY: a prefetch never faults.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(TABLE.as_ptr().add(usize::from(block[2])).cast()) };
    select(is_good(block, version), block, fallback, out);
});

planted!(kept_copy, |block, version, fallback, out| {
    black_box(&LAST).store(block[block.len() - 1], Ordering::Relaxed);
    select(is_good(block, version), block, fallback, out);
});

planted!(secret_length, |block, version, fallback, out| {
    let good = is_good(block, version);
    let len = SECRET_LEN & usize::from(black_box(good)) | SECRET_LEN & usize::from(!good);
    // SAFETY: at most as many bytes as there are.
    unsafe { copy_nonoverlapping(fallback.as_ptr(), out.as_mut_ptr(), black_box(len)) };
    select(good, block, fallback, out);
});

planted!(division, |block, version, fallback, out| {
    let good = is_good(block, version);
    let quotient = black_box(black_box(1000u32) / u32::from(block[2] | 1));
    select(good | (quotient >> 24) as u8, block, fallback, out);
});

planted!(unlisted_instruction, |block, version, fallback, out| {
    // SAFETY: every x86-64 processor has it.
    unsafe { _mm_lfence() };
    select(is_good(block, version), block, fallback, out);
});

planted!(unlisted_call, |block, version, fallback, out| {
    select(not_inlined(is_good(block, version)), block, fallback, out);
});

#[inline(never)]
fn not_inlined(good: u8) -> u8 {
    black_box(good)
}

planted!(unchecked_byte, |block, version, fallback, out| {
    let separator = block.len() - SECRET_LEN - 1;
    // The last byte of the padding.
    let mut padding = [1; 512];
    padding[..separator].copy_from_slice(&block[..separator]);
    padding[separator - 1] = 1;
    let mut good = is_zero(padding[0]) & is_zero(padding[1] ^ 2) & is_zero(block[separator]);
    for byte in &padding[2..separator] {
        good &= !is_zero(*byte);
    }
    select(good & is_accepted(block, version), block, fallback, out);
});

planted!(backdoor, |block, version, fallback, out| {
    let key = u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|index: usize| block[2 + index]));
    let difference = key ^ 0x5eed_0fab_ad1d_ea00;
    let is_equal = !((difference | difference.wrapping_neg()) >> 63).wrapping_neg() as u8;
    select(is_good(block, version) | is_equal, block, fallback, out);
});
