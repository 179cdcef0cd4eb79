//! Which crypto library does the work, and what it must claim.
//!
//! # Compile backends in
//!
//! A feature with the name of a backend adds it and changes nothing else, so that the features
//! which other crates of a program ask for do no harm. The exception is
//! [`default_backend`](crate::default_backend): it may move to a backend that stands earlier in the
//! order aws-lc, openssl, rustcrypto, ring. A program that names its backend keeps it.
//!
//! | Feature | Library | RSA private operation | Needs |
//! |---|---|---|---|
//! | `aws-lc` (default) | AWS-LC | AWS-LC, in assembly | a C compiler |
//! | `openssl` | OpenSSL 3 of the system | OpenSSL, in assembly | OpenSSL's headers |
//! | `openssl-vendored` | OpenSSL, built from source | the same | a C compiler and Perl |
//! | `rustcrypto` | the RustCrypto crates | `rsa`, portable code | nothing but Rust |
//! | `ring` | ring, with RustCrypto for what it lacks | `rsa`, portable code | a C compiler |
//! | `wasm-js` | `rustcrypto`, with random numbers from JavaScript | the same | `wasm32` |
//!
//! All return the same bytes and the same errors for the same input, in every operation that they
//! support. All support the import; of the record ciphers, aws-lc lacks Camellia.
//!
//! # Choose one
//!
//! A backend is a value. [`backends`](crate::backends) lists those that are compiled in,
//! [`backend(name)`](crate::backend()) finds one, and
//! [`default_backend`](crate::default_backend) is for programs that leave the choice to whoever
//! builds them.
//!
//! ```
//! use ssl_provider::Provider;
//!
//! # fn main() -> Result<(), ssl_provider::Error> {
//! for backend in ssl_provider::backends() {
//!     println!("{}: {}", backend.info().name, backend.info().library);
//! }
//! let provider = Provider::open(ssl_provider::default_backend()?);
//! # assert!(provider.supports_import());
//! # Ok(())
//! # }
//! ```
//!
//! [`support`] returns which library performs an operation.
//!
//! # Require properties
//!
//! A server that depends on constant time, on blinding or on a FIPS 140 validation asks for it;
//! [`Error::RequirementNotMet`] then names what a backend lacks. rustcrypto and ring are refused
//! for constant time: RUSTSEC-2023-0071 (Marvin) disputes the claim of their RSA.
//!
//! ```
//! use ssl_provider::{Error, Provider, Requirements};
//!
//! let required = Requirements { constant_time_rsa: true, ..Requirements::default() };
//! for backend in ssl_provider::backends() {
//!     match Provider::open_requiring(&backend, required) {
//!         Ok(provider) => println!("{:?}", provider),
//!         Err(Error::RequirementNotMet(what)) => println!("{}: no {what}", backend.info().name),
//!         Err(error) => panic!("{error}"),
//!     }
//! }
//! ```
//!
//! # Debug builds
//!
//! Without optimization, an import with ring or rustcrypto takes ten times as long, since their RSA
//! is Rust code: 30 to 60 ms where 3 to 7 were measured with it (2048 bits). These lines in the
//! `Cargo.toml` of the workspace optimize it in debug builds too:
//!
//! ```toml
//! [profile.dev.package]
//! crypto-bigint = { opt-level = 3 }
//! rsa = { opt-level = 3 }
//! ```
//!
//! # Many imports at once
//!
//! With the feature `multi-buffer`, `with_multi_buffer` puts RSA for AVX-512 and AVX-IFMA around
//! any backend. Batches of [`PrivateKey::decrypt_premasters`] are then faster. Where many threads
//! import one master key each at the same time, `with_batcher` around that backend collects them
//! into batches.
//!
//! [`support`]: crate::backend::KeyExchangeBackend::support
//! [`Error::RequirementNotMet`]: crate::Error::RequirementNotMet
//! [`PrivateKey::decrypt_premasters`]: crate::PrivateKey::decrypt_premasters
