//! Backend of ssl-provider on the RustCrypto crates.
