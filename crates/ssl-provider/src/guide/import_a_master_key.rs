//! From a ClientKeyExchange to a master key, as `SslImportMasterKey` does it.
//!
//! ```
//! use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion, Provider};
//!
//! # fn main() -> Result<(), ssl_provider::Error> {
//! # let key_der = include_bytes!(concat!(
//! #     env!("CARGO_MANIFEST_DIR"), "/crates/ssl-provider-testkit/keys/rsa-2048.der"));
//! # let (client_random, server_random, encrypted_premaster) = ([1; 32], [2; 32], [3; 256]);
//! // Once for each server key; share it between threads behind an `Arc`.
//! let provider = Provider::open(ssl_provider::default_backend()?);
//! let key = provider.load_private_key(key_der)?;
//!
//! // For each handshake.
//! let parameters = ParameterList::new()
//!     .client_random(client_random)
//!     .server_random(server_random)
//!     .highest_version(ProtocolVersion::TLS1_2);
//! let master_key = provider.import_master_key(
//!     &key,
//!     ProtocolVersion::TLS1_2,
//!     CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
//!     &parameters,
//!     &encrypted_premaster,
//! )?;
//! # assert_eq!(master_key.verify_data_len(), 12);
//! # Ok(())
//! # }
//! ```
//!
//! - The key is DER, PKCS#1 or PKCS#8. For PEM, PKCS#12 and encrypted keys, the crate
//!   `ssl-provider-keys` has readers (`files::read_keys`, with its feature `files`). Keys outside
//!   of memory: [`write_a_backend`].
//! - Version and suite are the negotiated ones. `highest_version` is `ClientHello.client_version`,
//!   which the premaster secret must repeat, and not the version of the record layer; without it,
//!   the negotiated version is expected. A wrong one is no error: the handshake fails at Finished.
//! - The ciphertext is what follows the two length bytes of ClientKeyExchange.
//! - A version or suite that arrives as a number becomes a type where it arrives:
//!   `ProtocolVersion(0x0303)`, `CipherSuite(0x009C)`. Any number can be held, and an unknown one
//!   is refused by the call.
//!
//! # No error for a bad premaster secret
//!
//! The example above runs on a ciphertext that is not one. Padding, length and version of the
//! premaster secret are never an error: such an import returns a master key derived from a fallback
//! (implicit rejection, RFC 5246 section 7.4.7.1), and the handshake fails at Finished. Do not add
//! a check of your own: whatever tells the two apart is an oracle ([`what_is_defended`]).
//!
//! # Extended master secret
//!
//! Where both hellos had the extension (RFC 7627), give the session hash, which is the handshake
//! hash up to and including ClientKeyExchange.
//!
//! ```
//! # use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion, Provider};
//! # fn main() -> Result<(), ssl_provider::Error> {
//! # let provider = Provider::open(ssl_provider::default_backend()?);
//! # let (version, suite) = (ProtocolVersion::TLS1_2, CipherSuite(0x009C));
//! # let messages: [&[u8]; 2] = [b"ClientHello and so on", b"ClientKeyExchange"];
//! # let key_der = include_bytes!(concat!(
//! #     env!("CARGO_MANIFEST_DIR"), "/crates/ssl-provider-testkit/keys/rsa-2048.der"));
//! # let key = provider.load_private_key(key_der)?;
//! # let (client_random, server_random) = ([1; 32], [2; 32]);
//! let mut handshake = provider.handshake_hash(version, suite)?;
//! for message in messages {
//!     handshake.update(message);
//! }
//! // The session keys still need the randoms.
//! let parameters = ParameterList::new()
//!     .client_random(client_random)
//!     .server_random(server_random)
//!     .highest_version(ProtocolVersion::TLS1_2)
//!     .session_hash(&handshake.current()?)?;
//! let master_key = provider.import_master_key(&key, version, suite, &parameters, &[3; 256])?;
//! let session_keys = master_key.session_keys(&parameters)?;
//! # let _ = session_keys;
//! # Ok(())
//! # }
//! ```
//!
//! # Session resumption
//!
//! Keep the [`MasterKey`]. An abbreviated handshake derives new session keys from it and the new
//! randoms, by [`MasterKey::session_keys`]; nothing is imported.
//!
//! # Key logs
//!
//! The master secret stays inside. A program that writes a key log for Wireshark opens its provider
//! with [`KeyLogPolicy::Allowed`] and calls [`MasterKey::secret_for_key_log`].
//!
//! [`write_a_backend`]: super::write_a_backend
//! [`what_is_defended`]: super::what_is_defended
//! [`MasterKey`]: crate::MasterKey
//! [`MasterKey::session_keys`]: crate::MasterKey::session_keys
//! [`MasterKey::secret_for_key_log`]: crate::MasterKey::secret_for_key_log
//! [`KeyLogPolicy::Allowed`]: crate::KeyLogPolicy::Allowed
