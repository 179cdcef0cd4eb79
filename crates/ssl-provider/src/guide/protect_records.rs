//! Session keys, Finished and records, from SSL 3.0 to TLS 1.2 and DTLS.
//!
//! ```
//! use ssl_provider::{Error, RecordOptions, Side};
//! # use ssl_provider::{CipherSuite, ParameterList, ProtocolVersion, Provider};
//!
//! # fn main() -> Result<(), Error> {
//! # let key_der = include_bytes!(concat!(
//! #     env!("CARGO_MANIFEST_DIR"), "/crates/ssl-provider-testkit/keys/rsa-2048.der"));
//! # let provider = Provider::open(ssl_provider::default_backend()?);
//! # let key = provider.load_private_key(key_der)?;
//! # let (version, suite) = (ProtocolVersion::TLS1_2, CipherSuite(0x009C));
//! # let parameters = ParameterList::new().client_random([1; 32]).server_random([2; 32]);
//! # let master_key = provider.import_master_key(&key, version, suite, &parameters, &[3; 256])?;
//! // One key for each direction, named by who writes with it.
//! let session_keys = master_key.session_keys(&parameters)?;
//! let mut server_writes = session_keys.record_key(Side::Server, RecordOptions::default())?;
//! // The client reads with the same key; a server reads with that of `Side::Client`.
//! let client_reads = session_keys.record_key(Side::Server, RecordOptions::default())?;
//! let mut client_reads = client_reads.for_reading();
//!
//! // Sequence numbers are the caller's: 0 with each new key, and one more for each record.
//! let mut record = vec![0; server_writes.record_len(5)?];
//! server_writes.encrypt_packet(0, 23, b"hello", &mut record)?;
//!
//! let mut payload = vec![0; client_reads.max_payload_len(record.len())];
//! let len = client_reads.decrypt_packet(0, &record, &mut payload)?;
//! assert_eq!(&payload[..len], b"hello");
//!
//! record[8] ^= 1;
//! let refused = client_reads.decrypt_packet(0, &record, &mut payload);
//! assert_eq!(refused, Err(Error::BadRecord));
//! # Ok(())
//! # }
//! ```
//!
//! Header and content type are part of the record. [`RecordKey::encrypt_in_place`] and
//! [`RecordKey::decrypt_in_place`] save the copy.
//!
//! # Finished
//!
//! Feed every handshake message, whole and with its four-byte header, to a [`HandshakeHash`]. Then
//! [`MasterKey::verify_finished`] checks the peer's verify_data in constant time and
//! [`MasterKey::verify_data`] computes one's own. A server checks the client's first, feeds that
//! message, and computes its own after it. The example `server_session` has the order.
//!
//! # What a caller has to do
//!
//! - **End the connection at the first error.** [`Error::BadRecord`] is one error for a bad header,
//!   length, padding, MAC or tag, so that it is no padding oracle; send `bad_record_mac` for all of
//!   it.
//! - **Never reuse a sequence number.** Nonces of AEAD suites are made of it; a key refuses to
//!   write under one that is not above the last, and a key that was used to decrypt refuses to
//!   write.
//! - **Split application data in TLS 1.0 and SSL 3.0** into one byte and the rest, against BEAST:
//!   [`RecordKey`] says why.
//! - **Negotiate encrypt-then-MAC** (RFC 7366) for CBC suites where the peer can, in
//!   [`RecordOptions`]. Without it, padding and MAC are checked in constant time (Lucky Thirteen),
//!   which costs more.
//!
//! # Keys for other protocols
//!
//! [`MasterKey::export_keying_material`] derives keys for a protocol that runs along with the
//! connection, such as DTLS-SRTP (RFC 5705), and [`MasterKey::eap_key_block`] those of EAP-TLS and
//! EAP-TTLSv0. Both need the randoms. Without the extended master secret, another connection may
//! export the same: its master secret and randoms can be equal (triple handshake; RFC 7627 section
//! 5.4).
//!
//! # Another process
//!
//! Where [`Policy::key_export`] allows it, [`RecordKey::export`] takes a key with its state to
//! another process, and [`Provider::import_record_key`] goes on there.
//!
//! [`HandshakeHash`]: crate::HandshakeHash
//! [`MasterKey::eap_key_block`]: crate::MasterKey::eap_key_block
//! [`MasterKey::export_keying_material`]: crate::MasterKey::export_keying_material
//! [`MasterKey::verify_finished`]: crate::MasterKey::verify_finished
//! [`MasterKey::verify_data`]: crate::MasterKey::verify_data
//! [`RecordKey`]: crate::RecordKey
//! [`RecordKey::encrypt_in_place`]: crate::RecordKey::encrypt_in_place
//! [`RecordKey::decrypt_in_place`]: crate::RecordKey::decrypt_in_place
//! [`RecordKey::export`]: crate::RecordKey::export
//! [`Provider::import_record_key`]: crate::Provider::import_record_key
//! [`RecordOptions`]: crate::RecordOptions
//! [`Policy::key_export`]: crate::Policy::key_export
//! [`Error::BadRecord`]: crate::Error::BadRecord
