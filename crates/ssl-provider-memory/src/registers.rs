//! Vector registers, in which ciphers and hashes leave round keys and blocks. Nothing clears them:
//! whoever saves them next, such as the dynamic linker, puts them on the stack.

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

    /// Runs instructions that change vector registers and nothing else. The compiler saves those
    /// that a function must keep, as Windows asks of some.
    macro_rules! clear {
        ($($instruction:literal,)*) => {
            asm!(
                $($instruction,)*
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
                options(nomem, nostack, preserves_flags),
            )
        };
    }

    #[inline(always)]
    pub(super) fn wipe() {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the processor and the system have AVX-512, as was detected above. Besides
            // `xmm0` to `xmm15`, which are listed, only registers are changed that every function
            // may change; this is all of one, which is not inlined and keeps nothing in them.
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
            // SAFETY: the processor and the system have AVX, as was detected above.
            unsafe {
                clear! { "vzeroall", }
            }
        } else {
            // SAFETY: every x86-64 processor has SSE2.
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

    #[inline(always)]
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
    use std::arch::x86_64::{__m256i, _mm256_set1_epi8, _mm256_storeu_si256};

    use super::*;

    /// Fills the first and the last register of each kind, then does `work`, and returns whether
    /// any of them still has the pattern. The registers are saved by the reading itself.
    #[target_feature(enable = "avx2")]
    fn is_left_after(work: extern "C" fn()) -> bool {
        let pattern: __m256i = _mm256_set1_epi8(0x5a);
        let mut left = [[0_u8; 32]; 2];
        // SAFETY: AVX2 is there, as the attribute demands; the call keeps to the calling
        // convention, whose changes `clobber_abi` declares, with the stack aligned by hand, as the
        // block is not in a leaf; `r12` and `r13` are kept by the callee.
        unsafe {
            asm!(
                "vmovdqu ymm0, [rdi]",
                "vmovdqa ymm15, ymm0",
                "mov r12, rsp",
                "and rsp, -64",
                "call r14",
                "mov rsp, r12",
                "vmovdqu [r13], ymm0",
                "vmovdqu [r13 + 32], ymm15",
                in("rdi") &raw const pattern,
                in("r13") &raw mut left,
                in("r14") work,
                out("r12") _,
                clobber_abi("C"),
            );
        }
        let mut expected = [0; 32];
        // SAFETY: 32 bytes have room for the register.
        unsafe { _mm256_storeu_si256((&raw mut expected).cast(), pattern) };
        left.contains(&expected)
    }

    #[test]
    fn a_register_keeps_its_contents_over_a_call_and_loses_them_when_wiped() {
        if !is_x86_feature_detected!("avx2") {
            println!("WARNING: no AVX2 here; the registers were not looked at");
            return;
        }
        extern "C" fn nothing() {}
        extern "C" fn wipe() {
            wipe_vector_registers();
        }

        // SAFETY: AVX2 was detected above.
        assert!(unsafe { is_left_after(nothing) });
        // SAFETY: AVX2 was detected above.
        assert!(!unsafe { is_left_after(wipe) });
    }
}
