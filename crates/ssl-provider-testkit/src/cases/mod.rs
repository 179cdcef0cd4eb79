//! The conformance cases, by subject. Each is a function of a backend that panics when it fails.
//! The list that names them all is in [`crate::conformance_tests!`].

pub mod agreement;
pub mod batch;
pub mod cipher;
pub mod client_auth;
pub mod exporter;
pub mod external_key;
pub mod finished;
pub mod handshakes;
pub mod hash;
pub mod hkdf;
pub mod hmac;
pub mod hybrid;
pub mod import;
pub mod kem;
pub mod key_blob;
pub mod keys;
pub mod premaster;
pub mod prf;
pub mod psk;
pub mod random;
pub mod record;
pub mod rejection;
pub mod rsa;
pub mod schedule;
pub mod secrets;
pub mod session_keys;
pub mod signature;
pub mod signing;
pub mod suites;
pub mod support;
pub mod threads;
pub mod ticket;
pub mod tls13;
pub mod tls13_record;
