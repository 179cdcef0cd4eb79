//! Records of TLS 1.3, under libFuzzer.
//! What is done with an input, and what must hold, says `tls13/parts.rs` of `ssl-provider-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ssl_provider_fuzz::tls13::parts::tls13_record(input));
