//! Import and export of keys as blobs: session keys for another process, public keys, and the
//! verification of signatures with them.

use std::sync::Arc;

use ssl_provider::{Error, SignatureScheme};
use ssl_provider_keys::{BlobType, EcAlgorithm, PublicKey};

use crate::abi::{
    BCRYPT_OPAQUE_KEY_BLOB, KeyHandle, NCRYPT_SSL_SIGN_INCLUDE_HASHOID, NTE_BAD_TYPE,
    NTE_NOT_SUPPORTED, ProviderHandle,
};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::Failure;
use crate::key_store::{MAX_BLOB_LEN, check_blob_type, public_blob};
use crate::object::{ImportedPublicKey, Object};
use crate::pointer::{Bytes, Out, OutBytes, WideStr, usize_of};
use crate::process::process;
use crate::session_key::SessionKey;

export! {
    /// Exports a session key for another process (OpaqueKeyBlob), or the public half of another key
    /// (RSAPUBLICBLOB, ECCPUBLICBLOB). Returns `NTE_NOT_SUPPORTED` for a blob type that is not
    /// valid for this key type, and `NTE_PERM` if the policy of the provider denies the export of
    /// session keys.
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
        match blob_type.as_str() {
            BCRYPT_OPAQUE_KEY_BLOB => {
                let key = process().handles.session_key(key, &provider).map_err(|_| NOT_VALID)?;
                let blob = key.records()?.key().export()?;
                // SAFETY: the caller of the export promises that pbOutput has room for cbOutput
                // bytes.
                unsafe { output.write(blob.expose()) }
            }
            other => {
                let Ok(key) = process().handles.public_half(key, &provider) else {
                    let reason = "pszBlobType: not valid for this key type";
                    return Err(Failure::Status(NTE_NOT_SUPPORTED, reason));
                };
                // SAFETY: as above.
                unsafe { output.write(&public_blob(&key, other)?) }
            }
        }
    }
}

export! {
    /// Imports a session key that another process exported from a provider with the same backend
    /// (OpaqueKeyBlob), or a public key for `SslVerifySignature` (RSAPUBLICBLOB, ECCPUBLICBLOB on
    /// P-256, P-384 or P-521, PUBLICBLOB, which is either of them, or CAPIPUBLICBLOB). Returns
    /// `NTE_NOT_SUPPORTED` for other blob types.
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
        blob.not_null("pbKeyBlob is NULL")?;
        no_flags(flags)?;
        if blob_len > MAX_BLOB_LEN {
            return Err(Error::InvalidParameter("key blob: longer than 64 KiB").into());
        }
        // SAFETY: the caller of the export promises that pbKeyBlob is readable for cbKeyBlob bytes.
        let blob = unsafe { blob.copy(blob_len, "pbKeyBlob is NULL") }?;
        let backend = provider.provider().backend().clone();
        let object = match blob_type.as_str() {
            BCRYPT_OPAQUE_KEY_BLOB => {
                let key = provider.provider().import_record_key(&blob)?;
                Object::SessionKey(Arc::new(SessionKey::new(backend, key)))
            }
            other => {
                check_blob_type(other, &blob, BlobType::is_public)?;
                let key = PublicKey::from_blob(&blob)?;
                Object::PublicKey(Arc::new(ImportedPublicKey { backend, key }))
            }
        };
        place.write(process().handles.insert(object)?);
        Ok(())
    }
}

export! {
    /// Verifies a signature over a hash with the public half of an RSA or ECDSA key, of this
    /// provider or of key storage. RSA is PKCS#1 v1.5: a hash of 36 bytes (MD5 and SHA-1) without
    /// DigestInfo, or one of 20, 32, 48 or 64 bytes with the DigestInfo of the SHA of that length,
    /// where `NCRYPT_SSL_SIGN_INCLUDE_HASHOID` may be set. For ECDSA the hash has 20, 32, 48 or 64
    /// bytes, and the signature is in DER, as in CertificateVerify (RFC 8422, 5.4). Returns
    /// `NTE_BAD_SIGNATURE` if verification fails, and `NTE_BAD_TYPE` for an ECDH key.
    fn SslVerifySignature is VerifySignatureFn(
        provider: ProviderHandle,
        public_key: KeyHandle,
        hash: Bytes,
        hash_len: u32,
        signature: Bytes,
        signature_len: u32,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = process().handles.public_half(public_key, &provider)?;
        hash.not_null("pbHashValue is NULL")?;
        signature.not_null("pbSignature is NULL")?;
        let schemes = match &key {
            PublicKey::Rsa(_) => SignatureScheme::is_rsa,
            PublicKey::Ec(key) if key.algorithm == EcAlgorithm::Ecdsa => is_ecdsa,
            PublicKey::Ec(_) => {
                return Err(Failure::Status(NTE_BAD_TYPE, "an ECDH key cannot verify signatures"));
            }
        };
        let scheme = SignatureScheme::ALL
            .into_iter()
            .find(|scheme| schemes(*scheme) && scheme.digest_len() == Some(usize_of(hash_len)))
            .ok_or(Error::InvalidParameter("cbHashValue: not valid for this key type"))?;
        let has_name = scheme.is_rsa() && scheme != SignatureScheme::RsaMd5Sha1;
        no_flags(if has_name { flags & !NCRYPT_SSL_SIGN_INCLUDE_HASHOID } else { flags })?;
        if signature_len > MAX_BLOB_LEN {
            return Err(Error::BadSignature.into());
        }
        let key = key.subject_public_key_info()?;
        // SAFETY: the caller of the export promises that each is readable for its size.
        let hash = unsafe { hash.copy(hash_len, "pbHashValue is NULL") }?;
        // SAFETY: as above.
        let signature = unsafe { signature.copy(signature_len, "pbSignature is NULL") }?;
        provider.provider().verify_signature(&key, scheme, &hash, &signature)?;
        Ok(())
    }
}

/// The failure for a blob type of another kind of key.
const NOT_VALID: Failure =
    Failure::Status(NTE_NOT_SUPPORTED, "pszBlobType: not valid for this key type");

fn is_ecdsa(scheme: SignatureScheme) -> bool {
    !scheme.is_rsa()
}
