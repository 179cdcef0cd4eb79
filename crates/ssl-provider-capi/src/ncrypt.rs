//! The part of key storage that a server needs: keys come in, their public halves go out.
//! An imported key is findable by its certificate for as long as its handle lives.

use std::sync::Arc;

use ssl_provider::{Error, HandleKind};
use ssl_provider_keys::{CheckedKey, PublicKey};

use crate::abi::{
    BCRYPT_ECCPRIVATE_BLOB, BCRYPT_RSAFULLPRIVATE_BLOB, BCRYPT_RSAPRIVATE_BLOB, KeyHandle,
    MS_KEY_STORAGE_PROVIDER, NCRYPT_PKCS8_PRIVATE_KEY_BLOB, NCRYPT_SILENT_FLAG, NTE_NOT_SUPPORTED,
    NTE_PERM, NTE_PROV_DLL_NOT_FOUND, ObjectHandle, ProviderHandle,
};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::Failure;
use crate::key_store::{MAX_BLOB_LEN, StoredKey, check_blob_type, public_blob};
use crate::object::Object;
use crate::pointer::{BufferList, Bytes, Out, OutBytes, WideStr};
use crate::process::process;

export! {
    /// Opens key storage. `name` is NULL or "Microsoft Software Key Storage Provider"; there is one
    /// storage, in memory, whatever handles are open on it. Freed by [`NCryptFreeObject`].
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
    /// Imports a private key: `RSAPRIVATEBLOB`, `RSAFULLPRIVATEBLOB`, `ECCPRIVATEBLOB` on P-256,
    /// P-384 or P-521, or `PKCS8_PRIVATEKEY` of either kind without encryption. Its public half
    /// must be that of its private one. While its handle lives, `SslOpenPrivateKey` finds it by a
    /// certificate with the same public key.
    ///
    /// Imports a public key for `SslVerifySignature` too: `RSAPUBLICBLOB`, `ECCPUBLICBLOB`,
    /// `PUBLICBLOB`, which is either of them, or `CAPIPUBLICBLOB`.
    ///
    /// `import_key` must be 0 and `parameters` empty: no key is wrapped or named.
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
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "key names and passwords"));
        }
        if data_len > MAX_BLOB_LEN {
            return Err(Error::InvalidParameter("key blob: longer than 64 KiB").into());
        }
        // SAFETY: the caller of the export promises that pbData is as long as cbData says.
        let blob = unsafe { data.copy(data_len, "pbData is NULL") }?;
        let key = match blob_type.as_str() {
            NCRYPT_PKCS8_PRIVATE_KEY_BLOB => CheckedKey::from_der(&blob)?,
            other if check_blob_type(other, &blob, |_| true)?.is_public() => {
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
    /// Exports the public half of a key as an `RSAPUBLICBLOB` or an `ECCPUBLICBLOB`; private halves
    /// stay inside. With a NULL `output` only the size is given.
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
            return Err(Failure::Status(NTE_NOT_SUPPORTED, "parameters of an export"));
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
    /// Frees a handle of key storage or of a key in it. A key that `SslOpenPrivateKey` has opened
    /// goes on working; opening it again needs another import.
    fn NCryptFreeObject(object: ObjectHandle) {
        process().handles.free(object, &[HandleKind::KeyStorageProvider, HandleKind::StoredKey])?;
        Ok(())
    }
}
