//! Keying material for other protocols, and the key blocks of EAP methods.

use zeroize::Zeroizing;

use ssl_provider::{EAP_TLS_KEY_BLOCK_LEN, EapKeyBlock, Error, RANDOMS_LEN};

use crate::abi::{KeyHandle, ProviderHandle};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::{Failure, ensure};
use crate::pointer::{AsciiStr, Bytes, Out, OutBytes, usize_of};
use crate::process::process;

export! {
    /// Fills `pbOutput` with 1 to 65536 bytes of keying material (RFC 5705). `sLabel` is printable
    /// ASCII with a terminator, and not a label reserved by TLS; `pbRandoms` is the client's random
    /// and the server's, 64 bytes; a NULL `pbContextValue` of length 0 is no context, which is not
    /// the same as an empty one. Returns `NTE_NOT_SUPPORTED` in SSL 3.0. Without the extended
    /// master secret, callers must not use it for authentication within the session (RFC 7627,
    /// 5.4); as on Windows, it is not refused.
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
        let master_key = process().handles.master_key(master_key, &provider)?;
        // SAFETY: the caller of the export promises that sLabel is terminated.
        let label = unsafe { label.read("sLabel is NULL") }?;
        ensure(!output.is_null(), "pbOutput is NULL")?;
        no_flags(flags)?;
        // SAFETY: the caller of the export promises that pbRandoms is readable for cbRandoms bytes.
        let randoms = unsafe { copy_randoms(randoms, randoms_len) }?;
        let context = if context.is_null() && context_len == 0 {
            None
        } else {
            // SAFETY: the caller of the export promises that pbContextValue is readable for
            // cbContextValue bytes.
            Some(unsafe { context.copy(context_len.into(), "pbContextValue is NULL") }?)
        };
        let mut material = room_for(usize_of(output_len))?;
        let context = context.as_ref().map(|context| context.as_slice());
        master_key.export_keying_material(&label, &randoms, context, &mut material)?;
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
