//! Another crypto library, a token or a key server behind the same interface.
//!
//! # A key elsewhere
//!
//! When only the private key is elsewhere, no backend is needed. Open a provider on any backend and
//! give it the key by one of two interfaces:
//!
//! | The holder of the key returns | Implement | Pass it to |
//! |---|---|---|
//! | the raw result, padding included | [`RsaPrivateKey`] | [`Provider::private_key_of_raw`] |
//! | the master secret only | [`RsaKeyExchange`] | [`Provider::private_key_of_exchange`] |
//!
//! With the raw result, core does implicit rejection. With the second, the holder must: its
//! contract says how. The crate `ssl-provider-remote` has such a holder: a key server for Linux,
//! and its client, whose `KeyServer::private_key` returns a key for imports.
//!
//! # A library
//!
//! Implement [`KeyExchangeBackend`] and the traits of the kinds that the library has: the table in
//! [`backend`](mod@crate::backend) lists them. [`offers!`](crate::offers) implements the accessors
//! of the kinds that it names. What a library lacks is left out, and comes from another backend by
//! [`Composed`].
//!
//! ```
//! use ssl_provider::backend::{Composed, KeyExchangeBackend, SecureRandom};
//! use ssl_provider::{Backend, BackendInfo, Error, Operation, Support};
//!
//! /// A generator of random numbers, such as one in hardware.
//! #[derive(Debug)]
//! struct Generator(BackendInfo);
//!
//! impl KeyExchangeBackend for Generator {
//!     fn info(&self) -> &BackendInfo {
//!         &self.0
//!     }
//!
//!     fn support(&self, operation: Operation) -> Support {
//!         match operation {
//!             Operation::Random => Support::By("the generator"),
//!             _ => Support::Unsupported,
//!         }
//!     }
//!
//!     ssl_provider::offers! { random }
//! }
//!
//! impl SecureRandom for Generator {
//!     fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
//!         // Here the device is read.
//! #       ssl_provider::default_backend()?.random().fill(out)?;
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Error> {
//! let rest = ssl_provider::default_backend()?;
//! let library = format!("generator 1.0 and {}", rest.info().library);
//! let alone = BackendInfo::new("generator-alone", "Generator Alone", library.clone());
//! let whole = BackendInfo::new("generator", "Generator", library).with_rsa(rest.info().rsa);
//! ssl_provider::register(Backend::new(Composed::new(whole, Generator(alone), rest)))?;
//!
//! assert_eq!(ssl_provider::backend("generator")?.info().provider_name, "Generator");
//! # Ok(())
//! # }
//! ```
//!
//! A backend translates arguments and errors. It decides nothing about the protocol, and above all
//! it does not look at a decrypted block: [`RsaPrivateKey::decrypt_raw`] returns it with its
//! padding, and core checks that in constant time.
//!
//! A library with HMAC and no PRF wraps its key in [`HmacKey`] and has [`Hashing::with_hmac_key`];
//! HMAC, the PRF and HKDF come with it by themselves.
//!
//! # Its life
//!
//! [`Backend::new`](crate::Backend::new) shares an instance by reference count: providers and keys
//! hold it, and the last of them drops it. One that lives as long as the program is
//! [`Backend::from_static`](crate::Backend::from_static). A key that one backend loaded is refused
//! by every other, also by a second instance of the same type.
//!
//! # Check it
//!
//! The crate `ssl-provider-testkit` has every conformance case as a function: `check(backend)` runs
//! them all and returns a report, `conformance_tests!` makes a test of each. What the backend says
//! it does not support is left out. The example `custom_backend` is a whole backend that passes.
//!
//! [`KeyExchangeBackend`]: crate::backend::KeyExchangeBackend
//! [`Composed`]: crate::backend::Composed
//! [`HmacKey`]: crate::backend::HmacKey
//! [`Hashing::with_hmac_key`]: crate::backend::Hashing::with_hmac_key
//! [`RsaPrivateKey`]: crate::backend::RsaPrivateKey
//! [`RsaPrivateKey::decrypt_raw`]: crate::backend::RsaPrivateKey::decrypt_raw
//! [`RsaKeyExchange`]: crate::RsaKeyExchange
//! [`Provider::private_key_of_raw`]: crate::Provider::private_key_of_raw
//! [`Provider::private_key_of_exchange`]: crate::Provider::private_key_of_exchange
