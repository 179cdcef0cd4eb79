//! Vector registers, in which ciphers and hashes leave round keys and blocks. Nothing clears them:
//! whoever saves them next, such as the dynamic linker, writes them to the stack.

/// Clears all vector and mask registers of x86-64 and AArch64 that a function may change. On other
/// processors it does nothing.
#[inline(never)]
pub fn wipe_vector_registers() {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    x86_64::wipe();
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    aarch64::wipe();
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86_64 {
    use std::arch::asm;

    /// Runs instructions that change vector and mask registers and nothing else. A function of the
    /// System V ABI may change all of these; of those that Windows keeps, the compiler saves what
    /// it has to.
    macro_rules! clear {
        ($($instruction:literal,)*) => {
            asm!(
                $($instruction,)*
                clobber_abi("sysv64"),
                options(nomem, nostack, preserves_flags),
            )
        };
    }

    pub(super) fn wipe() {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor and the system have AVX-512, as was detected above; all
            // registers that are changed are among those that `clobber_abi` declares.
            unsafe {
                clear! {
                    "vzeroall",
                    "vpxord zmm16, zmm16, zmm16",
                    "vpxord zmm17, zmm17, zmm17",
                    "vpxord zmm18, zmm18, zmm18",
                    "vpxord zmm19, zmm19, zmm19",
                    "vpxord zmm20, zmm20, zmm20",
                    "vpxord zmm21, zmm21, zmm21",
                    "vpxord zmm22, zmm22, zmm22",
                    "vpxord zmm23, zmm23, zmm23",
                    "vpxord zmm24, zmm24, zmm24",
                    "vpxord zmm25, zmm25, zmm25",
                    "vpxord zmm26, zmm26, zmm26",
                    "vpxord zmm27, zmm27, zmm27",
                    "vpxord zmm28, zmm28, zmm28",
                    "vpxord zmm29, zmm29, zmm29",
                    "vpxord zmm30, zmm30, zmm30",
                    "vpxord zmm31, zmm31, zmm31",
                    "kxorw k0, k0, k0",
                    "kxorw k1, k1, k1",
                    "kxorw k2, k2, k2",
                    "kxorw k3, k3, k3",
                    "kxorw k4, k4, k4",
                    "kxorw k5, k5, k5",
                    "kxorw k6, k6, k6",
                    "kxorw k7, k7, k7",
                }
            }
        } else if is_x86_feature_detected!("avx") {
            // SAFETY: the processor and the system have AVX, as was detected above; the registers
            // are declared, as above.
            unsafe {
                clear! { "vzeroall", }
            }
        } else {
            // SAFETY: every x86-64 processor has SSE2; the registers are declared, as above.
            unsafe {
                clear! {
                    "pxor xmm0, xmm0", "pxor xmm1, xmm1", "pxor xmm2, xmm2", "pxor xmm3, xmm3",
                    "pxor xmm4, xmm4", "pxor xmm5, xmm5", "pxor xmm6, xmm6", "pxor xmm7, xmm7",
                    "pxor xmm8, xmm8", "pxor xmm9, xmm9", "pxor xmm10, xmm10",
                    "pxor xmm11, xmm11", "pxor xmm12, xmm12", "pxor xmm13, xmm13",
                    "pxor xmm14, xmm14", "pxor xmm15, xmm15",
                }
            }
        }
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod aarch64 {
    use std::arch::asm;

    pub(super) fn wipe() {
        // SAFETY: changes only vector registers, all of which are listed, so that the compiler
        // saves the lower halves of `v8` to `v15`, which a function must keep.
        unsafe {
            asm!(
                "movi v0.2d, #0", "movi v1.2d, #0", "movi v2.2d, #0", "movi v3.2d, #0",
                "movi v4.2d, #0", "movi v5.2d, #0", "movi v6.2d, #0", "movi v7.2d, #0",
                "movi v8.2d, #0", "movi v9.2d, #0", "movi v10.2d, #0", "movi v11.2d, #0",
                "movi v12.2d, #0", "movi v13.2d, #0", "movi v14.2d, #0", "movi v15.2d, #0",
                "movi v16.2d, #0", "movi v17.2d, #0", "movi v18.2d, #0", "movi v19.2d, #0",
                "movi v20.2d, #0", "movi v21.2d, #0", "movi v22.2d, #0", "movi v23.2d, #0",
                "movi v24.2d, #0", "movi v25.2d, #0", "movi v26.2d, #0", "movi v27.2d, #0",
                "movi v28.2d, #0", "movi v29.2d, #0", "movi v30.2d, #0", "movi v31.2d, #0",
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                options(nomem, nostack, preserves_flags),
            )
        }
    }
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use std::arch::asm;

    use super::*;

    static PATTERN: [u8; 64] = [0x5a; 64];

    /// Fills the first and the last vector register of AVX, calls `work`, and returns whether
    /// either still has the pattern. The processor must have AVX.
    fn is_left_by_avx(work: extern "C" fn()) -> bool {
        let mut left = [[0_u8; 32]; 2];
        // SAFETY: AVX is there. The pattern and `left` are as long as what is read and written. The
        // call keeps to the C calling convention, whose changes `clobber_abi` declares and of which
        // `r13` is none; without `nostack`, the stack is aligned for a call.
        unsafe {
            asm!(
                "vmovdqu ymm0, [rdi]",
                "vmovdqa ymm15, ymm0",
                "call r14",
                "vmovdqu [r13], ymm0",
                "vmovdqu [r13 + 32], ymm15",
                in("rdi") &raw const PATTERN,
                in("r13") &raw mut left,
                in("r14") work,
                clobber_abi("C"),
            );
        }
        left.iter().any(|register| register == &PATTERN[..32])
    }

    /// The same of the registers that AVX-512 adds: the first and the last one, and a mask. The
    /// processor must have AVX-512.
    fn is_left_by_avx512(work: extern "C" fn()) -> bool {
        let mut left = [[0_u8; 64]; 3];
        // SAFETY: as in `is_left_by_avx`, with AVX-512.
        unsafe {
            asm!(
                "vmovdqu64 zmm16, [rdi]",
                "vmovdqa64 zmm31, zmm16",
                "kmovw k7, [rdi]",
                "call r14",
                "vmovdqu64 [r13], zmm16",
                "vmovdqu64 [r13 + 64], zmm31",
                "kmovw [r13 + 128], k7",
                in("rdi") &raw const PATTERN,
                in("r13") &raw mut left,
                in("r14") work,
                clobber_abi("C"),
            );
        }
        left[..2].contains(&PATTERN) || left[2][..2] == PATTERN[..2]
    }

    extern "C" fn nothing() {}

    extern "C" fn wipe() {
        wipe_vector_registers();
    }

    #[test]
    fn a_register_keeps_its_contents_over_a_call_and_loses_them_when_wiped() {
        if is_x86_feature_detected!("avx") {
            assert!(is_left_by_avx(nothing));
            assert!(!is_left_by_avx(wipe));
        } else {
            println!("NOT TESTED: this processor has no AVX");
        }
        if is_x86_feature_detected!("avx512f") {
            assert!(is_left_by_avx512(nothing));
            assert!(!is_left_by_avx512(wipe));
        } else {
            println!("NOT TESTED: this processor has no AVX-512");
        }
    }
}
