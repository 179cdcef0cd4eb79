//! Pre-shared keys of TLS 1.3: their binders, and those that a connection leaves to the next (RFC
//! 8446 sections 4.2.11 and 4.6.1).

use ssl_provider::Error;
use ssl_provider::tls13::PskKind;

use crate::abi::{
    HashHandle, KeyHandle, NCRYPT_SSL_EXTERNAL_PSK_FLAG, NCRYPT_SSL_RESUMPTION_PSK_FLAG,
    ProviderHandle,
};
use crate::boundary::export;
use crate::check::no_flags;
use crate::handshake_hash::transcript;
use crate::object::Object;
use crate::pointer::{BufferList, Bytes, Out};
use crate::process::process;

export! {
    /// Derives the key of the binder by which ClientHello shows that its sender has a pre-shared
    /// key. `dwFlags` is `NCRYPT_SSL_EXTERNAL_PSK_FLAG` for one that was agreed outside TLS, or
    /// `NCRYPT_SSL_RESUMPTION_PSK_FLAG` for one of an earlier connection. The binder is the value
    /// of `SslComputeFinishedHash`, over ClientHello without its list of binders. Returns
    /// `NTE_INVALID_PARAMETER` for an Early Secret without a pre-shared key.
    fn SslExpandBinderKey is ExpandBinderKeyFn(
        provider: ProviderHandle,
        early_key: KeyHandle,
        binder_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        binder_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let early = process().handles.early_secret(early_key, &provider)?;
        let place = binder_key.required("phBinderKey is NULL")?;
        let kind = match flags {
            NCRYPT_SSL_EXTERNAL_PSK_FLAG => PskKind::External,
            NCRYPT_SSL_RESUMPTION_PSK_FLAG => PskKind::Resumption,
            _ => return Err(Error::BadFlags { given: flags }.into()),
        };
        parameters.check_ignored()?;
        let key = early.binder_key(kind)?;
        place.write(process().handles.insert(Object::BinderKey(key.into()))?);
        Ok(())
    }
}

export! {
    /// Derives the resumption secret of a connection of TLS 1.3 from its Master Secret, over
    /// ClientHello to the client's Finished, for `SslExpandPreSharedKey`. Returns
    /// `NTE_INVALID_PARAMETER` for a hash that is not one of TLS 1.3 with the hash of the suite.
    fn SslExpandResumptionMasterKey is ExpandResumptionMasterKeyFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        hash: HashHandle,
        resumption_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        resumption_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let master = process().handles.tls13_master_secret(master_key, &provider)?;
        let hash = process().handles.handshake_hash(hash, &provider)?;
        let place = resumption_key.required("phResumptionMasterKey is NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        let secret = master.resumption_secret(&transcript(&hash, master.parameters())?)?;
        place.write(process().handles.insert(Object::ResumptionSecret(secret.into()))?);
        Ok(())
    }
}

export! {
    /// Derives the pre-shared key of a session ticket, for `SslExtractEarlyKey` of a later
    /// connection. `pbTicketNonce` is the nonce in NewSessionTicket, 0 to 255 bytes, which differs
    /// between the tickets of a connection; NULL is an empty one. The key is for TLS 1.3 alone:
    /// `SslGenerateMasterKey` returns `NTE_INVALID_HANDLE` for it.
    fn SslExpandPreSharedKey is ExpandPreSharedKeyFn(
        provider: ProviderHandle,
        resumption_key: KeyHandle,
        nonce: Bytes,
        nonce_len: u32,
        pre_shared_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        pre_shared_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let secret = process().handles.resumption_secret(resumption_key, &provider)?;
        let place = pre_shared_key.required("phPreSharedKey is NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        // One byte more than the longest, so that a longer one is still seen to be too long.
        let len = nonce_len.min(MAX_NONCE_LEN + 1);
        // SAFETY: the caller of the export promises that pbTicketNonce is readable for
        // cbTicketNonce bytes, and `len` is no more.
        let nonce = unsafe { nonce.copy_optional(len, "pbTicketNonce is NULL") }?;
        let nonce = nonce.as_deref().map(Vec::as_slice).unwrap_or_default();
        let key = secret.pre_shared_key(nonce)?;
        place.write(process().handles.insert(Object::ResumptionPreSharedKey(key.into()))?);
        Ok(())
    }
}

/// Longest nonce of a ticket in bytes.
const MAX_NONCE_LEN: u32 = 255;
