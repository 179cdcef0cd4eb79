//! The examples as tests: each asserts what it shows, so that to run it is to check it.

#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// Each example is whole by itself, so several of them have the same recording.
#![allow(clippy::duplicate_mod)]

macro_rules! examples {
    ($($name:ident $file:literal;)*) => {
        $(#[path = $file]
        mod $name;)*

        $(#[test]
        fn $name() {
            $name::main().expect("the example ends well");
        })*
    };
}

examples! {
    import_master_key "../crates/ssl-provider/examples/import_master_key.rs";
    server_session "../crates/ssl-provider/examples/server_session.rs";
    compare_backends "../crates/ssl-provider/examples/compare_backends.rs";
    custom_backend "../crates/ssl-provider/examples/custom_backend.rs";
}
