//! Operations of TLS 1.3 (interface 4.0 and 5.0), which the Rust API does not have yet: each checks
//! its handles and pointers, and fails. One that is implemented moves to a module of its own.

use ssl_provider::Error;

use crate::abi::{HashHandle, KeyHandle, NTE_NOT_SUPPORTED, ProviderHandle};
use crate::boundary::export;
use crate::failure::Failure;
use crate::pointer::{BufferList, Bytes, Out};
use crate::process::process;

export! {
    /// Starts the key schedule of TLS 1.3; `hPreSharedKey` may be 0. Not supported yet: checks its
    /// handles and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslExtractEarlyKey is ExtractEarlyKeyFn(
        provider: ProviderHandle,
        pre_shared_key: KeyHandle,
        early_key: Out<KeyHandle>,
        _protocol: u32,
        _cipher_suite: u32,
        _parameters: BufferList,
        _flags: u32,
    ) {
        let keys: &[KeyHandle] = if pre_shared_key == 0 { &[] } else { &[pre_shared_key] };
        refuse(provider, keys, None, early_key, "phEarlyKey is NULL")
    }
}

export! {
    /// Derives the handshake secret of TLS 1.3. Not supported yet: checks its handles and pointers,
    /// and returns `NTE_NOT_SUPPORTED`.
    fn SslExtractHandshakeKey is ExtractHandshakeKeyFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        public_key: KeyHandle,
        early_key: KeyHandle,
        handshake_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        let keys = [private_key, public_key, early_key];
        refuse(provider, &keys, None, handshake_key, "phHandshakeKey is NULL")
    }
}

export! {
    /// Derives the master secret of TLS 1.3. Not supported yet: checks its handles and pointers,
    /// and returns `NTE_NOT_SUPPORTED`.
    fn SslExtractMasterKey is ExtractMasterKeyFn(
        provider: ProviderHandle,
        handshake_key: KeyHandle,
        master_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        refuse(provider, &[handshake_key], None, master_key, "phMasterKey is NULL")
    }
}

export! {
    /// Derives the traffic secrets of TLS 1.3; either output may be NULL. Not supported yet: checks
    /// its handles and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslExpandTrafficKeys is ExpandTrafficKeysFn(
        provider: ProviderHandle,
        base_key: KeyHandle,
        hash: HashHandle,
        client_key: Out<KeyHandle>,
        server_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        client_key.preset(0);
        server_key.preset(0);
        live(provider, &[base_key], Some(hash))?;
        not_yet("TLS 1.3 is not supported yet")
    }
}

export! {
    /// Derives the record key of a traffic secret of TLS 1.3. Not supported yet: checks its handles
    /// and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslExpandWriteKey is ExpandWriteKeyFn(
        provider: ProviderHandle,
        base_traffic_key: KeyHandle,
        write_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        refuse(provider, &[base_traffic_key], None, write_key, "phWriteKey is NULL")
    }
}

export! {
    /// Derives the exporter secret of TLS 1.3. Not supported yet: checks its handles and pointers,
    /// and returns `NTE_NOT_SUPPORTED`.
    fn SslExpandExporterMasterKey is ExpandExporterMasterKeyFn(
        provider: ProviderHandle,
        base_key: KeyHandle,
        hash: HashHandle,
        exporter_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        refuse(provider, &[base_key], Some(hash), exporter_key, "phExporterMasterKey is NULL")
    }
}

export! {
    /// Derives the resumption secret of TLS 1.3. Not supported yet: checks its handles and
    /// pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslExpandResumptionMasterKey is ExpandResumptionMasterKeyFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        hash: HashHandle,
        resumption_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        refuse(provider, &[master_key], Some(hash), resumption_key, "phResumptionMasterKey is NULL")
    }
}

export! {
    /// Derives the binder key of a pre-shared key of TLS 1.3. Not supported yet: checks its handles
    /// and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslExpandBinderKey is ExpandBinderKeyFn(
        provider: ProviderHandle,
        early_key: KeyHandle,
        binder_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        refuse(provider, &[early_key], None, binder_key, "phBinderKey is NULL")
    }
}

export! {
    /// Derives the pre-shared key of a session ticket of TLS 1.3. Not supported yet: checks its
    /// handles and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslExpandPreSharedKey is ExpandPreSharedKeyFn(
        provider: ProviderHandle,
        resumption_key: KeyHandle,
        _nonce: Bytes,
        _nonce_len: u32,
        pre_shared_key: Out<KeyHandle>,
        _parameters: BufferList,
        _flags: u32,
    ) {
        refuse(provider, &[resumption_key], None, pre_shared_key, "phPreSharedKey is NULL")
    }
}

/// Checks the handles and the output of a TLS 1.3 key derivation, then fails: none is implemented
/// yet.
fn refuse(
    provider: ProviderHandle,
    from: &[KeyHandle],
    hash: Option<HashHandle>,
    output: Out<KeyHandle>,
    output_is_null: &'static str,
) -> Result<(), Failure> {
    output.preset(0);
    live(provider, from, hash)?;
    output.required(output_is_null)?;
    not_yet("TLS 1.3 is not supported yet")
}

/// Checks that the provider, keys of any kind and perhaps a handshake hash are live and its own.
fn live(
    provider: ProviderHandle,
    keys: &[KeyHandle],
    hash: Option<HashHandle>,
) -> Result<(), Error> {
    let handles = &process().handles;
    let provider = handles.provider(provider)?;
    keys.iter().try_for_each(|key| handles.any_key(*key, &provider))?;
    hash.map_or(Ok(()), |hash| handles.handshake_hash(hash, &provider).map(|_| ()))
}

/// Fails as every operation that is not implemented yet.
fn not_yet(operation: &'static str) -> Result<(), Failure> {
    Err(Failure::Status(NTE_NOT_SUPPORTED, operation))
}
