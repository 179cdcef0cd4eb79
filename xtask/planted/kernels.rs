//! Kernels with a fault each, which `cargo xtask multi-buffer lint` must find in every run. The
//! crate is compiled under the name of the one that has the real kernels.

pub mod avx512 {
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_testz_si256, _mm512_cmpeq_epi64_mask, _mm512_maskz_add_epi64,
    };
    use std::hint::black_box;

    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub fn jump(a: __m256i, b: __m256i) -> u64 {
        if _mm256_testz_si256(a, b) == 0 { black_box(3) } else { 7 }
    }

    #[inline(never)]
    #[target_feature(enable = "avx512f")]
    pub fn masked_memory(mask: u8, a: &__m512i, b: __m512i) -> __m512i {
        _mm512_maskz_add_epi64(mask, *a, b)
    }

    #[inline(never)]
    #[target_feature(enable = "avx512f")]
    pub fn mask_and_reveal(a: __m512i, b: __m512i) -> u64 {
        if _mm512_cmpeq_epi64_mask(a, b) == 0 { black_box(3) } else { 7 }
    }

    #[inline(never)]
    pub fn division(a: u64, b: u64) -> u64 {
        a.checked_div(b).unwrap_or(0)
    }
}

pub mod avx_ifma {
    use std::arch::x86_64::{__m256i, _mm256_maskstore_epi64};

    #[inline(never)]
    #[target_feature(enable = "avx2")]
    pub fn masked_memory_of_halves(mask: __m256i, a: __m256i, out: &mut [i64; 4]) {
        // SAFETY: there is room for four numbers.
        unsafe { _mm256_maskstore_epi64(out.as_mut_ptr(), mask, a) }
    }
}
