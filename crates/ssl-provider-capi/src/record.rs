//! Records: encrypted and decrypted with session keys, in memory that belongs to the key.
//! The caller's input is read once, before the operation; its output is written once, on success.

use ssl_provider::{Error, ProtocolVersion, RecordKey};
use zeroize::Zeroize;

use crate::abi::{CT_APPLICATIONDATA, CT_CHANGE_CIPHER_SPEC, KeyHandle, ProviderHandle};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::failure::ensure;
use crate::pointer::{Bytes, Out, OutBytes, usize_of};
use crate::process::process;

export! {
    /// Encrypts up to 16384 bytes of content of type 20 to 23 and writes a whole record, with its
    /// header. The sequence number starts at 0 with each new key; in DTLS its upper 16 bits are the
    /// epoch. Records of one key must be processed in order. For an AEAD suite, a number that is
    /// not above that of the key's last record, or is 2^64 - 1, returns `NTE_INVALID_PARAMETER`, so
    /// that no nonce is used twice. With any suite, a key for decryption returns it too: the read
    /// key of `SslGenerateSessionKeys`, and a key that [`SslDecryptPacket`] was called with,
    /// successfully or not.
    ///
    /// In TLS 1.3, `dwContentType` is encrypted behind the content, and the header says 23. Type 20
    /// is never encrypted, and only content of type 23 may be empty: others return
    /// `NTE_INVALID_PARAMETER`. Records are not padded, and not counted: with AES-GCM a key has to
    /// be replaced before it has encrypted 2^24.5 full ones (RFC 8446, 5.5), by
    /// `SslProviderUpdateTrafficKey`.
    ///
    /// Input and output may overlap in any way: a caller may encrypt in place at `dwHeaderLen`
    /// bytes (`SslLookupCipherLengths`) into `pbOutput`, or at 5 + `dwHeaderLen`. Whether
    /// `dwHeaderLen` includes the five bytes of the record header can be settled only on Windows;
    /// here it does.
    fn SslEncryptPacket is EncryptPacketFn(
        provider: ProviderHandle,
        key: KeyHandle,
        input: Bytes,
        input_len: u32,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        sequence_number: u64,
        content_type: u32,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = process().handles.session_key(key, &provider)?;
        ensure(!input.is_null(), "pbInput is NULL")?;
        let place = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let content_type = u8::try_from(content_type)
            .ok()
            .filter(|known| CONTENT_TYPES.contains(&u32::from(*known)))
            .ok_or(Error::InvalidParameter("dwContentType: expected 20 to 23"))?;
        let mut records = key.records()?;
        let payload_len = usize_of(input_len);
        let record_len = records.key().record_len(payload_len)?;
        if place.answer_size_query(record_len)? {
            return Ok(());
        }
        let offset = records.key().payload_offset();
        let (key, work) = records.parts()?;
        let payload = room(work, offset, payload_len)?;
        // SAFETY: the caller of the export promises that pbInput is readable for cbInput bytes.
        unsafe { input.copy_to(payload, "pbInput is NULL") }?;
        // A payload that is refused must not stay behind until the next record.
        let len = key
            .encrypt_in_place(sequence_number, content_type, payload_len, work)
            .inspect_err(|_| work.zeroize())?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { place.write(room(work, 0, len)?) }
    }
}

export! {
    /// Decrypts a whole record, with its header, and returns its content, which may be empty.
    /// `pbOutput` needs room for the longest content that a record of this length can hold, because
    /// the length of the padding is secret; a NULL `pbOutput` asks for that size. Sequence numbers
    /// count and buffers overlap as for [`SslEncryptPacket`], but a number may repeat: protection
    /// against replay is the caller's.
    ///
    /// In TLS 1.3, where the content type is encrypted and there is no parameter for it, it is
    /// written right behind the content, at `pbOutput` + `*pcbResult`, and `pbOutput` needs room
    /// for one byte more. `*pcbResult` does not count it, except where the size is asked for, or is
    /// too small. How Windows returns the type is not public. Padding is removed.
    ///
    /// Returns `NTE_DECRYPTION_FAILURE` for every record that fails authentication, for whatever
    /// reason, and for one that is too long or, in TLS 1.3, holds no content type, and writes
    /// nothing.
    fn SslDecryptPacket is DecryptPacketFn(
        provider: ProviderHandle,
        key: KeyHandle,
        input: Bytes,
        input_len: u32,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        sequence_number: u64,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = process().handles.session_key(key, &provider)?;
        ensure(!input.is_null(), "pbInput is NULL")?;
        let place = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let mut records = key.records()?;
        let record_len = usize_of(input_len);
        let max_payload_len = records.key().max_payload_len(record_len);
        // Of the content type.
        let type_len = usize::from(has_inner_type(records.key()));
        if place.answer_size_query(max_payload_len + type_len)? {
            return Ok(());
        }
        let (key, work) = records.parts()?;
        // `cbInput` is longer than any record.
        let record = work.get_mut(..record_len).ok_or(Error::BadRecord)?;
        // SAFETY: the caller of the export promises that pbInput is readable for cbInput bytes.
        unsafe { input.copy_to(record, "pbInput is NULL") }?;
        let opened = key.open_in_place(sequence_number, record)?;
        let payload = room(record, opened.payload.start, opened.payload.len())?;
        let content_type = &[opened.content_type][..type_len];
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        let written = unsafe { place.write_with(payload, content_type) };
        // The key may be idle for hours after this.
        payload.zeroize();
        written
    }
}

/// The content types that the interface knows.
const CONTENT_TYPES: std::ops::RangeInclusive<u32> = CT_CHANGE_CIPHER_SPEC..=CT_APPLICATIONDATA;

/// Returns whether the content type of a record is encrypted.
fn has_inner_type(key: &RecordKey) -> bool {
    key.security_parameters().version() == ProtocolVersion::TLS1_3
}

/// Returns `len` bytes of `work` after `offset`.
fn room(work: &mut [u8], offset: usize, len: usize) -> Result<&mut [u8], Error> {
    work.get_mut(offset..)
        .and_then(|rest| rest.get_mut(..len))
        .ok_or(Error::Internal("a record is longer than the memory for it"))
}
