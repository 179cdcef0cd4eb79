//! Requests to valgrind, as a few instructions that do nothing on a bare processor.
//! The sequence and the numbers are the interface of valgrind.h, memcheck.h and callgrind.h.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
use std::arch::asm;
use std::ffi::CStr;

/// Whether valgrind runs this program.
pub(crate) fn is_running() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0, 0) != 0
}

/// The errors that the tool has reported so far.
pub(crate) fn error_count() -> usize {
    request(COUNT_ERRORS, 0, 0, 0)
}

/// Marks `bytes` as undefined: no branch or address may depend on them. They stay as they are.
pub(crate) fn mark_undefined(bytes: &[u8]) {
    request(MAKE_MEM_UNDEFINED, bytes.as_ptr().expose_provenance(), bytes.len(), 0);
}

/// Marks `value` as defined from here on.
pub(crate) fn mark_defined<T>(value: &mut T) {
    let address = std::ptr::from_mut(value).expose_provenance();
    request(MAKE_MEM_DEFINED, address, size_of::<T>(), 0);
}

/// Marks memory of the arena as undefined, where a library keeps a number; of an odd one all bits
/// but the lowest, which is no secret.
pub(crate) fn mark_number_at(address: usize, len: usize, is_odd: bool) {
    request(MAKE_MEM_UNDEFINED, address, len, 0);
    if is_odd {
        request(SET_VBITS, address, [0xfe_u8].as_ptr().expose_provenance(), 1);
    }
}

/// Returns whether memcheck regards every bit of `bytes` as undefined.
pub(crate) fn is_wholly_undefined(bytes: &[u8]) -> bool {
    let bits = undefined_bits(bytes);
    !bits.is_empty() && bits.iter().all(|bits| *bits == 0xff)
}

/// Returns whether memcheck regards some bits of each byte as undefined: the number in them may be
/// known to be short.
pub(crate) fn is_undefined_in_each_byte(bytes: &[u8]) -> bool {
    let bits = undefined_bits(bytes);
    !bits.is_empty() && bits.iter().all(|bits| *bits != 0)
}

/// Returns whether memcheck regards some bits of `bytes` as undefined.
pub(crate) fn is_undefined_in_part(bytes: &[u8]) -> bool {
    undefined_bits(bytes).iter().any(|bits| *bits != 0)
}

/// Returns the bits that memcheck regards as undefined; none where it does not know the memory.
///
/// The request itself is not reported as an error, and its result is not derived from the bytes.
fn undefined_bits(bytes: &[u8]) -> Vec<u8> {
    let mut bits = vec![0u8; bytes.len()];
    let answer = request(
        GET_VBITS,
        bytes.as_ptr().expose_provenance(),
        bits.as_mut_ptr().expose_provenance(),
        bits.len(),
    );
    // 1 means that all of the memory is addressable and the bits are written.
    if answer == 1 { bits } else { Vec::new() }
}

/// Sets callgrind's counts to zero.
pub(crate) fn zero_counts() {
    request(ZERO_STATS, 0, 0, 0);
}

/// Makes callgrind write its counts since the last dump, under `label`, and reset them.
pub(crate) fn dump_counts(label: &CStr) {
    request(DUMP_STATS_AT, label.as_ptr().expose_provenance(), 0, 0);
}

/// Makes a request; returns 0 outside valgrind.
///
/// The parameters are numbers and addresses; valgrind reads and writes the program's memory at the
/// addresses as the request defines.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn request(number: usize, first: usize, second: usize, third: usize) -> usize {
    let arguments: [usize; 6] = [number, first, second, third, 0, 0];
    let mut answer = 0;
    // SAFETY: on a bare processor the instructions rotate rdi by 3 + 13 + 61 + 51 = 128 bits, which
    // leaves it as it was, and exchange rbx with itself; only the flags change, which an asm block
    // may do. Under valgrind the result is in rdx, declared as output. `arguments` outlives
    // the block, and every address among them, with its length, is that of a live slice or string
    // of the one caller, mutable where the request writes, or of the arena, which is never freed.
    // The block is not `nomem`, so the compiler expects memory to be read and written.
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") arguments.as_ptr(),
            inout("rdx") answer,
            options(nostack),
        );
    }
    answer
}

/// Other systems use other sequences; there the program finds no valgrind.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn request(_number: usize, _first: usize, _second: usize, _third: usize) -> usize {
    0
}

const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MAKE_MEM_UNDEFINED: usize = tool(b'M', b'C') + 1;
const MAKE_MEM_DEFINED: usize = tool(b'M', b'C') + 2;
const GET_VBITS: usize = tool(b'M', b'C') + 8;
const SET_VBITS: usize = tool(b'M', b'C') + 9;
const ZERO_STATS: usize = tool(b'C', b'T') + 1;
const DUMP_STATS_AT: usize = tool(b'C', b'T') + 3;

/// The first request of a tool: its two letters in the high bytes.
const fn tool(first: u8, second: u8) -> usize {
    (first as usize) << 24 | (second as usize) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_return_zero_outside_valgrind() {
        if is_running() {
            return;
        }
        assert_eq!(error_count(), 0);
        let mut bytes = [1, 2, 3];
        mark_undefined(&bytes);
        assert_eq!(bytes, [1, 2, 3]);
        mark_defined(&mut bytes);
        assert_eq!(bytes, [1, 2, 3]);
        assert!(!is_wholly_undefined(&bytes) && !is_undefined_in_part(&bytes));
    }
}
