//! The C library, with the names and numbers of the Windows headers.
//!
//! `crates/ssl-provider-capi` builds `libsslprovider` with the header `sslprovider.h`, a pkg-config
//! file and a CMake package. The header is the reference: each function has its contract there.
//! `docs/c.md` says how to build and install.
//!
//! ```c
//! #include "sslprovider.h"
//!
//! NCRYPT_PROV_HANDLE provider;
//! NCRYPT_KEY_HANDLE master_key;
//! SslOpenProvider(&provider, NULL, 0);
//! /* `key` is from SslOpenPrivateKey, `list` holds the randoms or the session hash. */
//! SslImportMasterKey(provider, key, &master_key, TLS1_2_PROTOCOL_VERSION,
//!                    TLS_RSA_WITH_AES_128_GCM_SHA256, &list, encrypted, encrypted_len,
//!                    NCRYPT_SSL_SERVER_FLAG);
//! ```
//!
//! What a Rust program finds under other names:
//!
//! | C | Rust |
//! |---|---|
//! | `SslOpenProvider`, by provider name | [`Provider::open`], on the [`Backend`] of that name |
//! | `SslOpenPrivateKey`, by certificate | [`Provider::load_private_key`] |
//! | `NCryptBufferDesc` | [`ParameterList`] |
//! | `SslImportMasterKey` | [`Provider::import_master_key`] |
//! | `SslCreateEphemeralKey` | [`Provider::generate_ephemeral_key`] |
//! | `SslGenerateMasterKey` | [`Provider::generate_master_key`], [`generate_psk_master_key`] |
//! | `SslGeneratePreMasterKey` | [`Provider::generate_premaster_key`] |
//! | `SslSignHash` | [`Provider::load_signing_key`], [`SigningKey::sign`] |
//! | `SslGenerateSessionKeys` | [`MasterKey::session_keys`], [`SessionKeys::record_key`] |
//! | `SslCreateHandshakeHash` | [`Provider::handshake_hash`] |
//! | `SslHashHandshake` | [`HandshakeHash::update`] |
//! | `SslComputeFinishedHash` | [`MasterKey::verify_data`] |
//! | `SslEncryptPacket` | [`RecordKey::encrypt_packet`] |
//! | `SslDecryptPacket` | [`RecordKey::decrypt_packet`] |
//! | `SslVerifySignature` | [`Provider::verify_signature`] |
//! | `SslExportKeyingMaterial` | [`MasterKey::export_keying_material`] |
//! | `SslExportKey`, `SslImportKey` | [`RecordKey::export`], [`Provider::import_record_key`] |
//! | the same, with the peer's key | [`EphemeralKey::public_key`], [`Group::public_key`] |
//! | `SECURITY_STATUS` | [`Error`], and [`Error::status`] for the number |
//!
//! `SslOpenProvider` lets session keys be exported, which [`Provider::open`] does not.
//!
//! # Handles
//!
//! A handle is an opaque number, never a pointer. A value that is not a live handle of the right
//! kind and backend is `NTE_INVALID_HANDLE`, also one that was freed (`STATUS_INVALID_HANDLE` from
//! the functions that free). Objects behind handles have a reference count: freeing one in a thread
//! while another is using it does no harm.
//!
//! [`Provider::open`]: crate::Provider::open
//! [`Provider::load_private_key`]: crate::Provider::load_private_key
//! [`Provider::import_master_key`]: crate::Provider::import_master_key
//! [`Provider::generate_ephemeral_key`]: crate::Provider::generate_ephemeral_key
//! [`Provider::generate_master_key`]: crate::Provider::generate_master_key
//! [`generate_psk_master_key`]: crate::Provider::generate_psk_master_key
//! [`Provider::generate_premaster_key`]: crate::Provider::generate_premaster_key
//! [`Provider::load_signing_key`]: crate::Provider::load_signing_key
//! [`SigningKey::sign`]: crate::SigningKey::sign
//! [`EphemeralKey::public_key`]: crate::EphemeralKey::public_key
//! [`Group::public_key`]: crate::Group::public_key
//! [`Provider::handshake_hash`]: crate::Provider::handshake_hash
//! [`Provider::verify_signature`]: crate::Provider::verify_signature
//! [`Provider::import_record_key`]: crate::Provider::import_record_key
//! [`MasterKey::export_keying_material`]: crate::MasterKey::export_keying_material
//! [`RecordKey::export`]: crate::RecordKey::export
//! [`Backend`]: crate::Backend
//! [`ParameterList`]: crate::ParameterList
//! [`MasterKey::session_keys`]: crate::MasterKey::session_keys
//! [`MasterKey::verify_data`]: crate::MasterKey::verify_data
//! [`SessionKeys::record_key`]: crate::SessionKeys::record_key
//! [`HandshakeHash::update`]: crate::HandshakeHash::update
//! [`RecordKey::encrypt_packet`]: crate::RecordKey::encrypt_packet
//! [`RecordKey::decrypt_packet`]: crate::RecordKey::decrypt_packet
//! [`Error`]: crate::Error
//! [`Error::status`]: crate::Error::status
