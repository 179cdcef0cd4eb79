//! A TLS 1.3 conversation with changed server messages, under libFuzzer.
//! What is done with an input, and what must hold, says `tls13/relay.rs` of `ssl-provider-fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ssl_provider_fuzz::tls13::tls13_client(input));
