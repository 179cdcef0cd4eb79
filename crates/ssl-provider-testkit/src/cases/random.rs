//! Random numbers: not their quality, which no test can show, but that there are any.
//! A generator that does nothing, or gives the same bytes twice, is found.

use std::collections::HashSet;

use ssl_provider_core::Backend;

/// Buffers of many sizes are filled, and no two of 1000 answers are the same.
pub fn random_bytes_fill_the_buffer_and_never_repeat(backend: &Backend) {
    let mut seen = HashSet::new();
    for _ in 0..1000 {
        let mut out = [0; 32];
        backend.random().fill(&mut out).unwrap();
        assert!(seen.insert(out), "the generator repeated itself");
    }
    for len in [0, 1, 7, 48, 1000] {
        // A byte that stays zero in 40 draws has a chance of 2^-320.
        let mut touched = vec![0; len];
        for _ in 0..40 {
            let mut out = vec![0; len];
            backend.random().fill(&mut out).unwrap();
            touched.iter_mut().zip(out).for_each(|(touched, byte)| *touched |= byte);
        }
        assert!(touched.iter().all(|byte| *byte != 0), "some bytes of {len} are never filled");
    }
}
