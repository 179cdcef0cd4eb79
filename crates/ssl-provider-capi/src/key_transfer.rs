//! Import and export of keys as blobs: session keys for another process, public keys, those of a
//! key agreement, and pre-shared keys.

use std::sync::Arc;

use ssl_provider::{Backend, Error, MAX_PSK_LEN};
use ssl_provider_keys::{BlobType, KeyShare, PublicKey, ShareFormat};
use zeroize::Zeroizing;

use crate::abi::{
    BCRYPT_DH_PUBLIC_BLOB, BCRYPT_ECCPUBLIC_BLOB, BCRYPT_KEY_DATA_BLOB, BCRYPT_OPAQUE_KEY_BLOB,
    BCRYPT_PUBLIC_KEY_BLOB, KeyHandle, NTE_NOT_SUPPORTED, ProviderHandle, SSL_ECCPUBLIC_BLOB,
    TLS_13_PRE_SHARED_KEY, TLS_HYBRID_KEYEXCHANGE,
};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::{Failure, ensure};
use crate::key_store::{MAX_BLOB_LEN, check_blob_type, public_blob};
use crate::object::{ImportedPublicKey, Object, PreSharedKey, PublicHalf};
use crate::pointer::{Bytes, Out, OutBytes, WideStr};
use crate::process::process;
use crate::session_key::SessionKey;

export! {
    /// Exports a session key for another process (OpaqueKeyBlob), or the public half of another
    /// key: RSAPUBLICBLOB; ECCPUBLICBLOB of a key on P-256, P-384 or P-521, or of X25519, which has
    /// the magic `BCRYPT_ECDH_PUBLIC_GENERIC_MAGIC`, the 32 bytes of TLS as x and zeros as y;
    /// SSLECCPUBLICBLOB of an ECDH key on any curve, where X25519 has no y; DHPUBLICBLOB;
    /// PUBLICBLOB, which is that of its algorithm; and TLS_HYBRID_KEYEXCHANGE of a key in a hybrid
    /// group. An ephemeral key is exported before and after it has agreed. A point of TLS is 04 and
    /// both coordinates, and a number of DHE is as long as the prime in the blob; TLS up to 1.2
    /// lets it have leading zeros, and TLS 1.3 asks for them.
    ///
    /// TLS_HYBRID_KEYEXCHANGE is the bare share, as the extension key_share carries it: an
    /// extension of this library. `TLS_HYBRID_KEYEXCHANGE_BLOB`, whose use Windows has not
    /// documented, is not written.
    ///
    /// Returns `NTE_NOT_SUPPORTED` for a blob type that is not valid for this key type, and
    /// `NTE_PERM` if the policy of the provider denies the export of session keys. Premaster,
    /// master and pre-shared keys and the secrets of TLS 1.3 are not exported.
    ///
    /// An opaque blob holds the key unencrypted, with its position in the connection: the importer
    /// continues with the next record, and the exported key must not be used for the same records.
    fn SslExportKey is ExportKeyFn(
        provider: ProviderHandle,
        key: KeyHandle,
        blob_type: WideStr,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        process().handles.any_key(key, &provider)?;
        let blob_type = blob_type.required("pszBlobType is NULL")?;
        let output = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        if blob_type == BCRYPT_OPAQUE_KEY_BLOB {
            let key = process().handles.session_key(key, &provider).map_err(|_| NOT_VALID)?;
            let blob = key.records()?.key().export()?;
            // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
            return unsafe { output.write(blob.expose()) };
        }
        let half = match process().handles.ephemeral_key(key, &provider) {
            Ok(key) => PublicHalf::Share(key.share.clone()),
            Err(_) => process().handles.public_half(key, &provider).map_err(|_| NOT_VALID)?,
        };
        let blob = match &half {
            PublicHalf::Share(share) => share_blob(share, &blob_type)?,
            PublicHalf::Key(PublicKey::Ec(key)) if blob_type == SSL_ECCPUBLIC_BLOB => {
                share_blob(&KeyShare::of_ec(key).ok_or(NOT_VALID)?, &blob_type)?
            }
            PublicHalf::Key(key) => public_blob(key, &blob_type)?,
        };
        // SAFETY: as above.
        unsafe { output.write(&blob) }
    }
}

export! {
    /// Imports one of these, and returns `NTE_NOT_SUPPORTED` for other blob types:
    ///
    /// - OpaqueKeyBlob: a session key that another process exported from a provider with the same
    ///   backend.
    /// - RSAPUBLICBLOB, CAPIPUBLICBLOB, or ECCPUBLICBLOB with a magic of ECDSA: a public key for
    ///   `SslVerifySignature`, or of RSA for `SslGenerateMasterKey`.
    /// - ECCPUBLICBLOB with a magic of ECDH, SSLECCPUBLICBLOB, DHPUBLICBLOB: the peer's key of an
    ///   (EC)DHE key agreement, in the form that `SslExportKey` writes. An ECCPUBLICBLOB of the
    ///   generic magic is X25519; of other curves it would not say which, so they need an
    ///   SSLECCPUBLICBLOB, whose `dwCurveType` is the number of the curve in TLS. A DHPUBLICBLOB
    ///   has the prime and generator of one's own ephemeral key.
    /// - PUBLICBLOB: RSAPUBLICBLOB, ECCPUBLICBLOB or DHPUBLICBLOB, which the magic tells.
    /// - TLS_HYBRID_KEYEXCHANGE: the peer's share in a hybrid group of TLS 1.3, bare as
    ///   `SslExportKey` writes it, of a client (1216, 1249 or 1665 bytes) or of a server (1120,
    ///   1153 or 1665): an extension of this library. The length tells the group.
    /// - KeyDataBlob, or TLS13PRESHAREDKEY, which is a KeyDataBlob, or else, if it does not begin
    ///   as one, the bare key: a pre-shared key of 1 to 1024 bytes, for `SslExtractEarlyKey`. What
    ///   Windows expects in it is not public. That it is also the `hPrivateKey` of
    ///   `SslGenerateMasterKey` is an extension of this library.
    ///
    /// Returns `NTE_INVALID_PARAMETER` for a blob that is not as its header says or has another
    /// magic, `NTE_BAD_KEY` for a point that is not on P-256, P-384 or P-521 and for a number that
    /// is not between 1 and p - 1, and `NTE_BAD_TYPE` for a curve that is not known. Points of
    /// other curves, and shares of hybrid groups, are checked when they agree.
    fn SslImportKey is ImportKeyFn(
        provider: ProviderHandle,
        key: Out<KeyHandle>,
        blob_type: WideStr,
        blob: Bytes,
        blob_len: u32,
        flags: u32,
    ) {
        key.preset(0);
        let provider = process().handles.provider(provider)?;
        let place = key.required("phKey is NULL")?;
        let blob_type = blob_type.required("pszBlobType is NULL")?;
        ensure(!blob.is_null(), "pbKeyBlob is NULL")?;
        no_flags(flags)?;
        ensure(blob_len <= MAX_BLOB_LEN, "key blob: longer than 64 KiB")?;
        // SAFETY: the caller of the export promises that pbKeyBlob is readable for cbKeyBlob bytes.
        let blob = unsafe { blob.copy(blob_len, "pbKeyBlob is NULL") }?;
        let backend = provider.provider().backend().clone();
        let object = match blob_type.as_str() {
            BCRYPT_OPAQUE_KEY_BLOB => {
                let key = provider.provider().import_record_key(&blob)?;
                Object::SessionKey(Arc::new(SessionKey::new(backend, key)))
            }
            TLS_13_PRE_SHARED_KEY if !has_header(&blob) => pre_shared_key(backend, &blob)?,
            BCRYPT_KEY_DATA_BLOB | TLS_13_PRE_SHARED_KEY => {
                pre_shared_key(backend, key_data(&blob)?)?
            }
            SSL_ECCPUBLIC_BLOB => {
                let key = PublicHalf::Share(KeyShare::from_ssl_blob(&blob)?);
                Object::PublicKey(Arc::new(ImportedPublicKey { backend, key }))
            }
            TLS_HYBRID_KEYEXCHANGE => {
                let key = PublicHalf::Share(KeyShare::from_hybrid(&blob)?);
                Object::PublicKey(Arc::new(ImportedPublicKey { backend, key }))
            }
            other => {
                let found = check_blob_type(other, &blob, BlobType::is_public)?;
                let key = if found.is_key_share() {
                    PublicHalf::Share(KeyShare::from_blob(&blob)?)
                } else {
                    PublicHalf::Key(PublicKey::from_blob(&blob)?)
                };
                Object::PublicKey(Arc::new(ImportedPublicKey { backend, key }))
            }
        };
        place.write(process().handles.insert(object)?);
        Ok(())
    }
}

/// A key of a key agreement as a blob of this type.
fn share_blob(share: &KeyShare, blob_type: &str) -> Result<Vec<u8>, Failure> {
    let format = match blob_type {
        BCRYPT_ECCPUBLIC_BLOB => ShareFormat::Ecc,
        SSL_ECCPUBLIC_BLOB => ShareFormat::SslEcc,
        BCRYPT_DH_PUBLIC_BLOB => ShareFormat::Dh,
        TLS_HYBRID_KEYEXCHANGE => ShareFormat::Hybrid,
        // What is told by its magic, which a share of a hybrid group does not have.
        BCRYPT_PUBLIC_KEY_BLOB if share.format() != ShareFormat::Hybrid => share.format(),
        _ => return Err(NOT_VALID),
    };
    share.to_blob(format).ok_or(NOT_VALID)
}

/// The magic number of a `BCRYPT_KEY_DATA_BLOB`, in the order of Windows.
const KEY_DATA_MAGIC: [u8; 4] = *b"KDBM";

/// Returns whether bytes begin as a `BCRYPT_KEY_DATA_BLOB` does: one that is malformed is no key.
fn has_header(blob: &[u8]) -> bool {
    let of_machine = u32::from_le_bytes(KEY_DATA_MAGIC).to_ne_bytes();
    blob.starts_with(&KEY_DATA_MAGIC) || blob.starts_with(&of_machine)
}

/// The key in a `BCRYPT_KEY_DATA_BLOB`: magic, version 1, the length of the key, and the key. In
/// the order of Windows, or of the machine that filled the structure in memory.
fn key_data(blob: &[u8]) -> Result<&[u8], Error> {
    const HEADER_LEN: usize = 12;
    const VERSION: u32 = 1;
    let parts = || {
        let (header, key) = blob.split_at_checked(HEADER_LEN)?;
        let [magic, version, len] = *header.as_chunks::<4>().0 else { return None };
        let number: fn([u8; 4]) -> u32 = match magic {
            KEY_DATA_MAGIC => u32::from_le_bytes,
            _ => u32::from_ne_bytes,
        };
        let is_known =
            number(magic) == u32::from_le_bytes(KEY_DATA_MAGIC) && number(version) == VERSION;
        (is_known && usize::try_from(number(len)) == Ok(key.len())).then_some(key)
    };
    parts().ok_or(Error::InvalidParameter("key blob: not a KeyDataBlob of version 1"))
}

fn pre_shared_key(backend: Backend, key: &[u8]) -> Result<Object, Error> {
    ensure((1..=MAX_PSK_LEN).contains(&key.len()), "pre-shared key: expected 1 to 1024 bytes")?;
    let key = PreSharedKey::new(backend, Zeroizing::new(key.to_vec()));
    Ok(Object::PreSharedKey(key.into()))
}

/// The failure for a blob type of another kind of key.
const NOT_VALID: Failure =
    Failure::Status(NTE_NOT_SUPPORTED, "pszBlobType: not valid for this key type");
