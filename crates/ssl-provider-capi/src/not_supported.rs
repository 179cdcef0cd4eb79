//! Operations that the Rust API does not have yet: each checks its handles and pointers, and fails.
//! An operation that is implemented moves to a module of its own.

use ssl_provider::Error;

use crate::abi::{HashHandle, KeyHandle, NCRYPT_SSL_ECC_CURVE, NTE_NOT_SUPPORTED, ProviderHandle};
use crate::boundary::export;
use crate::failure::{Failure, ensure};
use crate::pointer::{BufferList, Bytes, Out, OutBytes};
use crate::process::process;

export! {
    /// Generates an ephemeral key for one (EC)DHE key agreement. Not supported yet: checks its
    /// handles and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslCreateEphemeralKey is CreateEphemeralKeyFn(
        provider: ProviderHandle,
        key: Out<KeyHandle>,
        _protocol: u32,
        _cipher_suite: u32,
        _key_type: u32,
        _key_bits: u32,
        _parameters: Bytes,
        _parameters_len: u32,
        _flags: u32,
    ) {
        key.preset(0);
        process().handles.provider(provider)?;
        key.required("phEphemeralKey is NULL")?;
        not_yet("ephemeral keys are not supported yet")
    }
}

export! {
    /// Lists the curves of ephemeral keys. Not supported yet: checks its handles and pointers, and
    /// returns `NTE_NOT_SUPPORTED`.
    fn SslEnumEccCurves is EnumEccCurvesFn(
        provider: ProviderHandle,
        count: Out<u32>,
        curves: Out<*mut NCRYPT_SSL_ECC_CURVE>,
        _flags: u32,
    ) {
        curves.preset(std::ptr::null_mut());
        process().handles.provider(provider)?;
        count.required("pEccCurveCount is NULL")?;
        curves.required("ppEccCurve is NULL")?;
        not_yet("ephemeral keys are not supported yet")
    }
}

export! {
    /// Generates the premaster secret of a client and encrypts it. Not supported yet: checks its
    /// handles and pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslGeneratePreMasterKey is GeneratePreMasterKeyFn(
        provider: ProviderHandle,
        public_key: KeyHandle,
        premaster_key: Out<KeyHandle>,
        _protocol: u32,
        _cipher_suite: u32,
        parameters: BufferList,
        _output: OutBytes,
        _output_len: u32,
        result_len: Out<u32>,
        _flags: u32,
    ) {
        premaster_key.preset(0);
        live(provider, &[public_key], None)?;
        premaster_key.required("phPreMasterKey is NULL")?;
        ensure(!parameters.is_null(), "pParameterList is NULL")?;
        result_len.required("pcbResult is NULL")?;
        not_yet("this key exchange is not supported yet")
    }
}

export! {
    /// Computes the master key of a client, or of an (EC)DHE key agreement. `hPrivateKey` may be 0,
    /// and `pcbResult` may be NULL if `pbOutput` is. Not supported yet: checks its handles and
    /// pointers, and returns `NTE_NOT_SUPPORTED`.
    fn SslGenerateMasterKey is GenerateMasterKeyFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        public_key: KeyHandle,
        master_key: Out<KeyHandle>,
        _protocol: u32,
        _cipher_suite: u32,
        parameters: BufferList,
        output: OutBytes,
        _output_len: u32,
        result_len: Out<u32>,
        _flags: u32,
    ) {
        master_key.preset(0);
        if private_key != 0 {
            live(provider, &[private_key], None)?;
        }
        live(provider, &[public_key], None)?;
        master_key.required("phMasterKey is NULL")?;
        ensure(!parameters.is_null(), "pParameterList is NULL")?;
        // Only an RSA key exchange has an output; others pass NULL for both.
        if !output.is_null() {
            result_len.required("pcbResult is NULL")?;
        }
        not_yet("this key exchange is not supported yet")
    }
}

export! {
    /// Signs a hash. Not supported yet: checks its handles and pointers, and returns
    /// `NTE_NOT_SUPPORTED`.
    fn SslSignHash is SignHashFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        hash: Bytes,
        _hash_len: u32,
        _signature: OutBytes,
        _signature_len: u32,
        result_len: Out<u32>,
        _flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        process().handles.private_key(private_key, &provider)?;
        ensure(!hash.is_null(), "pbHashValue is NULL")?;
        result_len.required("pcbResult is NULL")?;
        not_yet("signing is not supported yet")
    }
}

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
