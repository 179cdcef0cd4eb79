//! Files of vectors, as the cross-check reads them, under libFuzzer.
//! What is done with an input, and what must hold, says `targets.rs` of `ssl-provider-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ssl_provider_fuzz::targets::vectors(input));
