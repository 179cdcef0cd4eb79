//! The opaque key blob: a record key on its way to another process, as `SslExportKey` and
//! `SslImportKey` hand it over when one process shakes hands and another goes on from there.
//!
//! Numbers are big-endian. In order: magic and version (8 bytes), protocol (2), suite (4), options
//! (1: bit 0 is encrypt-then-MAC), position in the key stream (8); then, each after its length in
//! one byte, the provider name, the MAC key, the write key and the initialisation vector or salt;
//! and SHA-256 of all that.

use std::fmt;

use zeroize::Zeroizing;

use super::{Iv, Protection, RecordKey, RecordOptions};
use crate::backend::{HashAlgorithm, KeyExchangeBackend};
use crate::cipher_suite::CipherSuite;
use crate::ct::Mask;
use crate::error::Error;
use crate::provider::{KeyExportPolicy, NO_KEY_EXPORT, Provider};
use crate::secret::{STACK_LEN, on_wiped_stack};

/// Furthest position in the key stream of RC4 that a key is exported at, in bytes: whoever imports
/// it has to run that far.
pub const MAX_KEY_STREAM_POSITION: u64 = 1 << 24;

/// A record key in bytes, for [`Provider::import_record_key`] in this or another process.
///
/// It is as secret as the key: it is not encrypted, and its checksum finds damage, not forgery.
/// Send it over nothing that others read or write.
pub struct OpaqueKeyBlob(Zeroizing<Vec<u8>>);

impl OpaqueKeyBlob {
    /// The bytes. Whoever calls this answers for where they go.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for OpaqueKeyBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpaqueKeyBlob").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

/// What an exportable key keeps of what it was made from.
pub(super) struct KeyParts {
    mac_key: Zeroizing<Vec<u8>>,
    write_key: Zeroizing<Vec<u8>>,
}

impl RecordKey {
    /// The same key, which [`export`](Self::export) answers for if `policy` allows it.
    pub(crate) fn with_export(
        self,
        policy: KeyExportPolicy,
        mac_key: &[u8],
        write_key: &[u8],
    ) -> Self {
        let kept = |part: &[u8]| Zeroizing::new(part.to_vec());
        let exportable = match policy {
            KeyExportPolicy::Denied => None,
            KeyExportPolicy::Allowed => {
                Some(KeyParts { mac_key: kept(mac_key), write_key: kept(write_key) })
            }
        };
        Self { exportable, ..self }
    }

    /// Writes the key, with what carries over from record to record, for another process
    /// (`SslExportKey` with `OpaqueKeyBlob`). Only one of the two may then go on writing: what both
    /// write under one sequence number is not secret.
    ///
    /// # Errors
    ///
    /// - [`Error::NotAllowed`] unless the policy of the provider that the key comes from is
    ///   [`KeyExportPolicy::Allowed`].
    /// - [`Error::InvalidParameter`] for RC4 beyond [`MAX_KEY_STREAM_POSITION`].
    /// - What the backend answers.
    pub fn export(&self) -> Result<OpaqueKeyBlob, Error> {
        let Some(KeyParts { mac_key, write_key }) = &self.exportable else {
            return Err(NO_KEY_EXPORT);
        };
        if self.key_stream_position > MAX_KEY_STREAM_POSITION {
            return Err(Error::InvalidParameter(
                "key: too far on in its key stream to be exported",
            ));
        }
        let iv: &[u8] = match &self.protection {
            Protection::Cbc { iv: Iv::Chained(iv), .. } => iv,
            Protection::Aead { salt, .. } => salt.as_ref(),
            Protection::Cbc { iv: Iv::Explicit, .. } | Protection::Stream { .. } => &[],
        };
        let fixed = [
            MAGIC.as_slice(),
            &self.protocol.wire().to_be_bytes(),
            &self.suite.id.to_be_bytes(),
            &[u8::from(self.options.encrypt_then_mac)],
            &self.key_stream_position.to_be_bytes(),
        ];
        let name = self.backend.info().provider_name.as_bytes();
        let counted = [name, mac_key, write_key, iv];
        // Allocated at its final size, so that no copy of a key stays behind.
        let len = fixed.iter().map(|part| part.len()).sum::<usize>()
            + counted.iter().map(|part| 1 + part.len()).sum::<usize>();
        let mut blob = Zeroizing::new(Vec::with_capacity(len + CHECKSUM_LEN));
        for part in fixed {
            blob.extend_from_slice(part);
        }
        for part in counted {
            blob.push(u8::try_from(part.len()).map_err(|_| TOO_LONG)?);
            blob.extend_from_slice(part);
        }
        let checksum = checksum(self.backend, &blob)?;
        blob.extend_from_slice(checksum.as_ref());
        Ok(OpaqueKeyBlob(blob))
    }
}

impl Provider {
    /// Takes over a record key from another process of the same backend (`SslImportKey` with
    /// `OpaqueKeyBlob`). What it can be used for is decided by the policy of this provider.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the blob is damaged, or of another version or backend.
    /// - [`Error::UnsupportedProtocol`]: policy forbids the protocol.
    /// - What [`RecordKey::new`] answers.
    pub fn import_record_key(&self, blob: &[u8]) -> Result<RecordKey, Error> {
        let content_len = blob.len().checked_sub(CHECKSUM_LEN).ok_or(DAMAGED)?;
        let (content, found) = blob.split_at(content_len);
        let expected = checksum(self.backend(), content)?;
        if !Mask::eq_bytes(expected.as_ref(), found).reveal() {
            return Err(DAMAGED);
        }
        let mut rest = content;
        if take(&mut rest)? != MAGIC {
            return Err(DAMAGED);
        }
        let protocol = u32::from(u16::from_be_bytes(take(&mut rest)?));
        let suite = CipherSuite::from_id(u32::from_be_bytes(take(&mut rest)?)).ok_or(DAMAGED)?;
        let options = match take(&mut rest)? {
            [0] => RecordOptions { encrypt_then_mac: false },
            [1] => RecordOptions { encrypt_then_mac: true },
            _ => return Err(DAMAGED),
        };
        let position = u64::from_be_bytes(take(&mut rest)?);
        let name = counted(&mut rest)?;
        let (mac_key, write_key) = (counted(&mut rest)?, counted(&mut rest)?);
        let iv = counted(&mut rest)?;
        if !rest.is_empty() || position > MAX_KEY_STREAM_POSITION {
            return Err(DAMAGED);
        }
        if name != self.backend().info().provider_name.as_bytes() {
            return Err(Error::InvalidParameter("opaque key blob: of another backend"));
        }
        let protocol = self.protocol(protocol)?;
        let backend = self.backend();
        let mut key = RecordKey::new(backend, protocol, suite, options, mac_key, write_key, iv)?;
        key.skip_key_stream(position)?;
        Ok(key.with_export(self.policy().key_export, mac_key, write_key))
    }
}

impl RecordKey {
    /// Runs RC4 on to `position`. Other ciphers have none, and are at 0.
    fn skip_key_stream(&mut self, position: u64) -> Result<(), Error> {
        let mut left = usize::try_from(position).map_err(|_| DAMAGED)?;
        let Protection::Stream { cipher: Some(cipher), .. } = &mut self.protection else {
            return if left == 0 { Ok(()) } else { Err(DAMAGED) };
        };
        let mut key_stream = Zeroizing::new([0; 1024]);
        while left > 0 {
            let step = left.min(key_stream.len());
            cipher.apply(&mut key_stream[..step])?;
            left -= step;
        }
        self.key_stream_position = position;
        Ok(())
    }
}

fn checksum(
    backend: &dyn KeyExchangeBackend,
    content: &[u8],
) -> Result<Zeroizing<[u8; CHECKSUM_LEN]>, Error> {
    let mut checksum = Zeroizing::new([0; CHECKSUM_LEN]);
    on_wiped_stack::<_, STACK_LEN>(|| {
        backend.hash(HashAlgorithm::Sha256, &[content], checksum.as_mut())
    })?;
    Ok(checksum)
}

/// Takes the next `N` bytes.
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Error> {
    let (taken, after) = rest.split_first_chunk().ok_or(DAMAGED)?;
    *rest = after;
    Ok(*taken)
}

/// Takes the next part that stands after its length.
fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], Error> {
    let [len] = take(rest)?;
    let (taken, after) = rest.split_at_checked(usize::from(len)).ok_or(DAMAGED)?;
    *rest = after;
    Ok(taken)
}

/// The last byte is the version of the format.
const MAGIC: [u8; 8] = *b"SSLPRK\x00\x01";

const CHECKSUM_LEN: usize = HashAlgorithm::Sha256.output_len();

const DAMAGED: Error = Error::InvalidParameter("opaque key blob: damaged, or of another version");
const TOO_LONG: Error = Error::Internal("a part of a key is at most 255 bytes");
