//! TLS 1.3: from the hellos to records, Finished, tickets and exporters, on either side.
//!
//! Each secret of RFC 8446 section 7.1 has a type of its own in [`tls13`](crate::tls13), which
//! derives what the specification derives from it, so that one cannot be taken for another.
//!
//! ```
//! use ssl_provider::{CipherSuite, Group, NamedCurve, Provider, RecordOptions, Side};
//!
//! # fn main() -> Result<(), ssl_provider::Error> {
//! let provider = Provider::open(ssl_provider::default_backend()?);
//! let connection = provider.tls13_parameters(CipherSuite::TLS_AES_128_GCM_SHA256)?;
//! let group = Group::from(NamedCurve::X25519);
//!
//! // The client: its public key goes into the extension key_share.
//! let client = provider.generate_ephemeral_key(group.clone())?;
//! let client_share = client.public_key().to_vec();
//!
//! // The server: its own goes into that of ServerHello.
//! let peer = group.public_key(&client_share)?;
//! let server = provider.answer_ephemeral_key(&peer)?;
//! let server_share = server.public_key().to_vec();
//! let of_server = connection.early_secret(None)?.handshake_secret(server, &peer)?;
//!
//! // Handshake messages are hashed with their headers, in their order.
//! # let (client_hello, server_hello) = (b"ClientHello", b"ServerHello");
//! let mut transcript = connection.transcript()?;
//! transcript.update(client_hello);
//! transcript.update(server_hello);
//!
//! // The server's Finished, in a record. EncryptedExtensions and others come before it.
//! let writer = of_server.traffic_secret(Side::Server, &transcript)?;
//! let mut finished = vec![0; 4 + connection.hash_len()];
//! finished[..4].copy_from_slice(&[20, 0, 0, 32]);
//! writer.verify_data(&transcript, &mut finished[4..])?;
//! let mut server_writes = writer.record_key(RecordOptions::default())?;
//! let mut record = vec![0; server_writes.record_len(finished.len())?];
//! server_writes.encrypt_packet(0, 22, &finished, &mut record)?;
//!
//! // The client has the same secret. The content type is inside of the record.
//! let peer = group.public_key(&server_share)?;
//! let of_client = connection.early_secret(None)?.handshake_secret(client, &peer)?;
//! let writer = of_client.traffic_secret(Side::Server, &transcript)?;
//! let mut client_reads = writer.record_key(RecordOptions::default())?.for_reading();
//! let mut content = vec![0; client_reads.max_payload_len(record.len())];
//! let (content_type, len) = client_reads.open_packet(0, &record, &mut content)?;
//! assert_eq!(content_type, 22);
//! writer.verify_finished(&transcript, &content[4..len])?;
//! transcript.update(&content[..len]);
//!
//! // Application data, and keying material for another protocol.
//! let master = of_client.master_secret()?;
//! let traffic = master.traffic_secret(Side::Client, &transcript)?;
//! let client_writes = traffic.record_key(RecordOptions::default())?;
//! let mut key = [0; 32];
//! let exporter = master.exporter_secret(&transcript)?;
//! exporter.export_keying_material(b"EXPORTER-example", None, &mut key)?;
//! # let _ = client_writes;
//! # Ok(())
//! # }
//! ```
//!
//! | What | How |
//! |---|---|
//! | hybrid groups | a [`HybridGroup`] as the group; [`answer_ephemeral_key`] answers one share |
//! | HelloRetryRequest | [`transcript_after_retry`], with the hash of the first ClientHello |
//! | CertificateVerify | sign the digest of [`certificate_verify_content`] |
//! | an external pre-shared key | [`Provider::pre_shared_key`], and [`early_secret`] with it |
//! | a ticket | [`resumption_secret`], then [`pre_shared_key`], which a [`TicketKey`] seals |
//! | a binder | [`binder_key`], over ClientHello without its binders |
//! | early data (0-RTT) | the [`traffic_secret`] of the Early Secret; anybody can send them again |
//! | no key agreement (psk_ke) | [`handshake_secret_of_psk`], without forward secrecy |
//! | KeyUpdate | [`updated`], then another record key |
//! | a key log | `secret_for_key_log` and `key_log_label`, if the policy allows it |
//!
//! [`HybridGroup`]: crate::HybridGroup
//! [`Provider::pre_shared_key`]: crate::Provider::pre_shared_key
//! [`TicketKey`]: crate::TicketKey
//! [`answer_ephemeral_key`]: crate::Provider::answer_ephemeral_key
//! [`binder_key`]: crate::tls13::EarlySecret::binder_key
//! [`certificate_verify_content`]: crate::tls13::Tls13Parameters::certificate_verify_content
//! [`early_secret`]: crate::tls13::Tls13Parameters::early_secret
//! [`handshake_secret_of_psk`]: crate::tls13::EarlySecret::handshake_secret_of_psk
//! [`pre_shared_key`]: crate::tls13::ResumptionSecret::pre_shared_key
//! [`resumption_secret`]: crate::tls13::MasterSecret::resumption_secret
//! [`traffic_secret`]: crate::tls13::EarlySecret::traffic_secret
//! [`transcript_after_retry`]: crate::tls13::Tls13Parameters::transcript_after_retry
//! [`updated`]: crate::tls13::TrafficSecret::updated
