//! The part of key storage that a server needs: import of keys, and export of their public halves.
//! An imported key can be found by its certificate while its handle is live.

use std::sync::Arc;

use ssl_provider::HandleKind;
use ssl_provider_keys::{CheckedKey, PublicKey};

use crate::abi::{
    BCRYPT_ECCPRIVATE_BLOB, BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_RSAPRIVATE_BLOB, KeyHandle,
    MS_KEY_STORAGE_PROVIDER, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NCRYPT_SILENT_FLAG, NTE_NOT_SUPPORTED,
    NTE_PERM, NTE_PROV_DLL_NOT_FOUND, ObjectHandle, ProviderHandle,
};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::{Failure, ensure};
use crate::key_store::{MAX_BLOB_LEN, StoredKey, check_blob_type, public_blob};
use crate::object::Object;
use crate::pointer::{BufferList, Bytes, Out, OutBytes, WideStr};
use crate::process::process;

export! {
    /// Opens key storage. `pszProviderName` is NULL or `MS_KEY_STORAGE_PROVIDER`; there is one
    /// storage, in memory, shared by all handles. Returns `NTE_PROV_DLL_NOT_FOUND` for another
    /// name. Free the handle with [`NCryptFreeObject`].
    fn NCryptOpenStorageProvider(provider: Out<ProviderHandle>, name: WideStr, flags: u32) {
        provider.preset(0);
        let place = provider.required("phProvider is NULL")?;
        no_flags(flags & !NCRYPT_SILENT_FLAG)?;
        match name.read()?.as_deref() {
            None | Some(MS_KEY_STORAGE_PROVIDER) => {}
            Some(_) => {
                return Err(Failure::Status(NTE_PROV_DLL_NOT_FOUND, "no key storage of this name"));
            }
        }
        place.write(process().handles.insert(Object::KeyStorageProvider)?);
        Ok(())
    }
}

export! {
    /// Imports a private key: `BCRYPT_RSAPRIVATE_BLOB`, `BCRYPT_RSAFULLPRIVATE_BLOB`,
    /// `BCRYPT_ECCPRIVATE_BLOB` or `NCRYPT_PKCS8_PRIVATE_KEY_BLOB` (DER, not encrypted; PKCS#1 too,
    /// an extension). RSA keys have 1024 to 8192 bits; EC keys are on P-256, P-384 or P-521. While
    /// the handle is live, `SslOpenPrivateKey` finds the key by a certificate with the same public
    /// key. `hImportKey` is 0, and `pParameterList` is NULL or empty.
    ///
    /// Imports a public key too, for `SslVerifySignature` or `SslGenerateMasterKey`:
    /// `BCRYPT_RSAPUBLIC_BLOB`, `BCRYPT_ECCPUBLIC_BLOB`, `BCRYPT_PUBLIC_KEY_BLOB`, which is either
    /// of them, or `LEGACY_RSAPUBLIC_BLOB`.
    ///
    /// A key usage in the attributes of a PKCS#8 structure is honoured: such an RSA key decrypts
    /// with keyEncipherment or dataEncipherment and signs with digitalSignature, and an EC key
    /// without the latter is for ECDH.
    ///
    /// Returns `NTE_BAD_KEY` for a key whose numbers are invalid or do not belong together, and for
    /// an RSA key whose key usage allows neither, `NTE_BAD_TYPE` for another kind of key, and
    /// `NTE_NOT_SUPPORTED` for an encrypted key or another blob type.
    fn NCryptImportKey(
        provider: ProviderHandle,
        import_key: KeyHandle,
        blob_type: WideStr,
        parameters: BufferList,
        key: Out<KeyHandle>,
        data: Bytes,
        data_len: u32,
        flags: u32,
    ) {
        key.preset(0);
        process().handles.key_storage_provider(provider)?;
        if import_key != 0 {
            process().handles.stored_key(import_key)?;
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "wrapped keys are not supported"));
        }
        let place = key.required("phKey is NULL")?;
        let blob_type = blob_type.required("pszBlobType is NULL")?;
        no_flags(flags & !NCRYPT_SILENT_FLAG)?;
        if parameters.has_entries()? {
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "pParameterList: not supported here"));
        }
        ensure(data_len <= MAX_BLOB_LEN, "key blob: longer than 64 KiB")?;
        // SAFETY: the caller of the export promises that pbData is readable for cbData bytes.
        let blob = unsafe { data.copy(data_len, "pbData is NULL") }?;
        let key = match blob_type.as_str() {
            NCRYPT_PKCS8_PRIVATE_KEY_BLOB => CheckedKey::from_der(&blob)?,
            other if check_blob_type(other, &blob, |found| !found.is_key_share())?.is_public() => {
                let stored = StoredKey::Public(PublicKey::from_blob(&blob)?.into());
                place.write(process().handles.insert(Object::StoredKey(stored))?);
                return Ok(());
            }
            _ => CheckedKey::from_blob(&blob)?,
        };
        let key = Arc::new(key);
        process().keys.add(&key)?;
        let stored = StoredKey::Private(key);
        place.write(process().handles.insert(Object::StoredKey(stored))?);
        Ok(())
    }
}

export! {
    /// Exports the public half of a key, `BCRYPT_RSAPUBLIC_BLOB` or `BCRYPT_ECCPUBLIC_BLOB`.
    /// Returns `NTE_PERM` for the blob types of private keys, which are never exported, and
    /// `NTE_NOT_SUPPORTED` for a type that is not valid for this key type.
    fn NCryptExportKey(
        key: KeyHandle,
        export_key: KeyHandle,
        blob_type: WideStr,
        parameters: BufferList,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let stored = process().handles.stored_key(key)?;
        if export_key != 0 {
            process().handles.stored_key(export_key)?;
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "wrapped keys are not supported"));
        }
        let output = SizedOutput::new(output, output_len, result_len)?;
        let blob_type = blob_type.required("pszBlobType is NULL")?;
        no_flags(flags & !NCRYPT_SILENT_FLAG)?;
        if parameters.has_entries()? {
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "pParameterList: not supported here"));
        }
        if let BCRYPT_RSAPRIVATE_BLOB
        | BCRYPT_RSAFULLPRIVATE_BLOB
        | BCRYPT_ECCPRIVATE_BLOB
        | NCRYPT_PKCS8_PRIVATE_KEY_BLOB = blob_type.as_str()
        {
            return Err(Failure::Status(NTE_PERM, "private keys are not exported"));
        }
        let blob = public_blob(&stored.public(), &blob_type)?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(&blob) }
    }
}

export! {
    /// Frees a handle of key storage, or of a key in it. A key that `SslOpenPrivateKey` has opened
    /// remains usable; opening it again needs another import.
    fn NCryptFreeObject(object: ObjectHandle) {
        process().handles.free(object, &[HandleKind::KeyStorageProvider, HandleKind::StoredKey])?;
        Ok(())
    }
}
