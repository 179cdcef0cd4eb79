//! Keying material for other protocols, and the key blocks of EAP methods.

use std::sync::Arc;

use ssl_provider::tls13::{self, EarlySecret, ExporterSecret};
use ssl_provider::{EAP_TLS_KEY_BLOCK_LEN, EapKeyBlock, Error, MasterKey, RANDOMS_LEN};
use zeroize::Zeroizing;

use crate::abi::{HashHandle, KeyHandle, ProviderHandle};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::{Failure, ensure};
use crate::handshake_hash::transcript;
use crate::object::{Object, OpenProvider};
use crate::pointer::{AsciiStr, BufferList, Bytes, Out, OutBytes, usize_of};
use crate::process::process;

export! {
    /// Fills `pbOutput` with 1 to 65536 bytes of keying material (RFC 5705). `sLabel` is printable
    /// ASCII with a terminator, and not a label reserved by TLS; `pbRandoms` is the client's random
    /// and the server's, 64 bytes; a NULL `pbContextValue` of length 0 is no context, which is not
    /// the same as an empty one. Returns `NTE_NOT_SUPPORTED` in SSL 3.0. Without the extended
    /// master secret, callers must not use it for authentication within the session (RFC 7627,
    /// 5.4); as on Windows, it is not refused.
    ///
    /// In TLS 1.3 (RFC 8446, 7.5), `hMasterKey` is a secret of `SslExpandExporterMasterKey`,
    /// `pbRandoms` is NULL, and no context is the same as an empty one. At most 8160 bytes are
    /// filled, 12240 with SHA-384, and a label has at most 249 characters.
    fn SslExportKeyingMaterial is ExportKeyingMaterialFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        label: AsciiStr,
        randoms: Bytes,
        randoms_len: u32,
        context: Bytes,
        context_len: u16,
        output: OutBytes,
        output_len: u32,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = ExportingKey::of(master_key, &provider)?;
        // SAFETY: the caller of the export promises that sLabel is terminated.
        let label = unsafe { label.read("sLabel is NULL") }?;
        ensure(!output.is_null(), "pbOutput is NULL")?;
        no_flags(flags)?;
        let randoms = match &key {
            // SAFETY: the caller of the export promises that pbRandoms is readable for cbRandoms
            // bytes.
            ExportingKey::Master(_) => unsafe { copy_randoms(randoms, randoms_len) }?,
            ExportingKey::Exporter(_) => {
                let is_null = randoms.is_null() && randoms_len == 0;
                ensure(is_null, "pbRandoms: expected NULL in TLS 1.3")?;
                Zeroizing::default()
            }
        };
        // SAFETY: the caller of the export promises that pbContextValue is readable for
        // cbContextValue bytes.
        let context =
            unsafe { context.copy_optional(context_len.into(), "pbContextValue is NULL") }?;
        let mut material = room_for(usize_of(output_len))?;
        let context = context.as_ref().map(|context| context.as_slice());
        match key {
            ExportingKey::Master(key) => {
                key.export_keying_material(&label, &randoms, context, &mut material)
            }
            ExportingKey::Exporter(secret) => {
                secret.export_keying_material(&label, context, &mut material)
            }
        }?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { output.write(output_len, &material, "pbOutput is NULL") }.map_err(Failure::from)
    }
}

export! {
    /// Computes a key block of an EAP method; `pbRandoms` is the client's random and the server's,
    /// 64 bytes. `dwFlags` is 0 for EAP-TLS (`SecPkgContext_EapKeyBlock`, 192 bytes), 1 for the
    /// keys of EAP-TTLSv0 and 2 for its challenge, both of `cbOutput` bytes, up to 65536. 1 and 2
    /// are also the flags of client and server: with them, an output of exactly 192 bytes and a
    /// size query are EAP-TLS as well. Without the extended master secret, see
    /// `SslExportKeyingMaterial`.
    fn SslComputeEapKeyBlock is ComputeEapKeyBlockFn(
        provider: ProviderHandle,
        master_key: KeyHandle,
        randoms: Bytes,
        randoms_len: u32,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let master_key = process().handles.master_key(master_key, &provider)?;
        ensure(!randoms.is_null(), "pbRandoms is NULL")?;
        let place = SizedOutput::new(output, output_len, result_len)?;
        let wanted_len =
            if output.is_null() { EAP_TLS_KEY_BLOCK_LEN } else { usize_of(output_len) };
        let kind = EapKeyBlock::from_flags(flags, wanted_len)?;
        let len = if kind == EapKeyBlock::Tls { EAP_TLS_KEY_BLOCK_LEN } else { wanted_len };
        if place.answer_size_query(len)? {
            return Ok(());
        }
        // SAFETY: the caller of the export promises that pbRandoms is readable for cbRandoms bytes.
        let randoms = unsafe { copy_randoms(randoms, randoms_len) }?;
        let mut block = room_for(len)?;
        master_key.eap_key_block(kind, &randoms, &mut block)?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { place.write(&block) }
    }
}

export! {
    /// Derives an exporter secret of TLS 1.3, for `SslExportKeyingMaterial`: from the Master
    /// Secret, over ClientHello to the server's Finished, or that of early data from the Early
    /// Secret of a pre-shared key, over ClientHello. Returns `NTE_INVALID_PARAMETER` for a hash
    /// that is not one of TLS 1.3 with the hash of the suite.
    fn SslExpandExporterMasterKey is ExpandExporterMasterKeyFn(
        provider: ProviderHandle,
        base_key: KeyHandle,
        hash: HashHandle,
        exporter_key: Out<KeyHandle>,
        parameters: BufferList,
        flags: u32,
    ) {
        exporter_key.preset(0);
        let provider = process().handles.provider(provider)?;
        let base = ExporterBase::of(base_key, &provider)?;
        let hash = process().handles.handshake_hash(hash, &provider)?;
        let place = exporter_key.required("phExporterMasterKey is NULL")?;
        no_flags(flags)?;
        parameters.check_ignored()?;
        let secret = match base {
            ExporterBase::Early(secret) => {
                secret.exporter_secret(&transcript(&hash, secret.parameters())?)
            }
            ExporterBase::Master(secret) => {
                secret.exporter_secret(&transcript(&hash, secret.parameters())?)
            }
        }?;
        place.write(process().handles.insert(Object::ExporterSecret(secret.into()))?);
        Ok(())
    }
}

/// A secret that an exporter secret is derived from.
enum ExporterBase {
    Early(Arc<EarlySecret>),
    Master(Arc<tls13::MasterSecret>),
}

impl ExporterBase {
    fn of(handle: KeyHandle, provider: &OpenProvider) -> Result<Self, Error> {
        let handles = &process().handles;
        match handles.early_secret(handle, provider) {
            Ok(secret) => Ok(Self::Early(secret)),
            Err(_) => handles.tls13_master_secret(handle, provider).map(Self::Master),
        }
    }
}

/// What keying material is derived from.
enum ExportingKey {
    /// Up to TLS 1.2.
    Master(Arc<MasterKey>),
    /// In TLS 1.3.
    Exporter(Arc<ExporterSecret>),
}

impl ExportingKey {
    fn of(handle: KeyHandle, provider: &OpenProvider) -> Result<Self, Error> {
        let handles = &process().handles;
        match handles.master_key(handle, provider) {
            Ok(key) => Ok(Self::Master(key)),
            Err(_) => handles.exporter_secret(handle, provider).map(Self::Exporter),
        }
    }
}

/// Longest output of one call in bytes.
const MAX_OUTPUT_LEN: usize = 1 << 16;

/// Copies the two randoms.
///
/// # Safety
///
/// Unless the pointer is NULL, `len` bytes must be valid for reading.
unsafe fn copy_randoms(randoms: Bytes, len: u32) -> Result<Zeroizing<Vec<u8>>, Error> {
    ensure(usize_of(len) == RANDOMS_LEN, "cbRandoms: expected 64 bytes, the client's first")?;
    // SAFETY: the caller of this function promises `len` readable bytes.
    unsafe { randoms.copy(len, "pbRandoms is NULL") }
}

fn room_for(len: usize) -> Result<Zeroizing<Vec<u8>>, Error> {
    ensure(len <= MAX_OUTPUT_LEN, "cbOutput: expected at most 65536 bytes")?;
    Ok(Zeroizing::new(vec![0; len]))
}
