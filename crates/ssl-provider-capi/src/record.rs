//! Records: encrypted and decrypted with the session keys, in memory of the key's own.
//! The caller's buffers are read once, before the work, and written once, after it succeeded.

use zeroize::Zeroize;

use ssl_provider::Error;

use crate::abi::{CT_APPLICATIONDATA, CT_CHANGE_CIPHER_SPEC, KeyHandle, ProviderHandle};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::pointer::{Bytes, Out, OutBytes, usize_of};
use crate::process::process;

export! {
    /// Writes a whole record, header included, for at most 16384 bytes of content. With a NULL
    /// `output` only the size is given.
    ///
    /// The sequence number is the caller's: it counts from 0 with each new key, and in DTLS its
    /// upper 16 bits are the epoch. Input and output may overlap in any way.
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
        input.not_null("pbInput is NULL")?;
        let place = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let content_type = u8::try_from(content_type)
            .ok()
            .filter(|known| CONTENT_TYPES.contains(&u32::from(*known)))
            .ok_or(Error::InvalidParameter("dwContentType: expected 20 to 23"))?;
        let mut records = key.records()?;
        let payload_len = usize_of(input_len);
        let record_len = records.key().record_len(payload_len)?;
        if place.is_answered_by_len(record_len)? {
            return Ok(());
        }
        let offset = records.key().payload_offset();
        let (key, work) = records.parts()?;
        let payload = room(work, offset, payload_len)?;
        // SAFETY: the caller of the export promises that pbInput is as long as cbInput says.
        unsafe { input.copy_to(payload, "pbInput is NULL") }?;
        let len = key.encrypt_in_place(sequence_number, content_type, payload_len, work)?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        unsafe { place.write(room(work, 0, len)?) }
    }
}

export! {
    /// Opens a whole record, header included, and gives its content, which may be empty. With a
    /// NULL `output` only a size is given: the longest that the content of such a record can be.
    /// The output must have that room, for the record does not show how long its padding is.
    ///
    /// A record that does not open answers `NTE_DECRYPTION_FAILURE`, whatever is wrong with it, and
    /// nothing is written. Input and output may overlap in any way.
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
        input.not_null("pbInput is NULL")?;
        let place = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        let mut records = key.records()?;
        let record_len = usize_of(input_len);
        let max_payload_len = records.key().max_payload_len(record_len);
        if place.is_answered_by_len(max_payload_len)? {
            return Ok(());
        }
        let (key, work) = records.parts()?;
        // Longer than any record, by the length that the caller gave.
        let record = work.get_mut(..record_len).ok_or(Error::BadRecord)?;
        // SAFETY: the caller of the export promises that pbInput is as long as cbInput says.
        unsafe { input.copy_to(record, "pbInput is NULL") }?;
        let payload = key.decrypt_in_place(sequence_number, record)?;
        let payload = room(record, payload.start, payload.len())?;
        // SAFETY: the caller of the export promises that pbOutput has room for cbOutput bytes.
        let written = unsafe { place.write(payload) };
        // The key may be idle for hours after this.
        payload.zeroize();
        written
    }
}

/// The content types that the interface knows.
const CONTENT_TYPES: std::ops::RangeInclusive<u32> = CT_CHANGE_CIPHER_SPEC..=CT_APPLICATIONDATA;

/// The part of `work` for `len` bytes behind `offset`.
fn room(work: &mut [u8], offset: usize, len: usize) -> Result<&mut [u8], Error> {
    work.get_mut(offset..)
        .and_then(|rest| rest.get_mut(..len))
        .ok_or(Error::Internal("no record is longer than the memory for it"))
}
