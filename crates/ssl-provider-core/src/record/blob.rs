//! The opaque key blob: a record key on its way to another process, as `SslExportKey` and
//! `SslImportKey` hand it over when one process shakes hands and another goes on from there.
//!
//! Numbers are big-endian. In order: magic and version (8 bytes), protocol (2), suite (4), options
//! (1: bit 0 is encrypt-then-MAC, bit 1 a key that reads), padding block of TLS 1.3 (2), position
//! (8: bytes of key stream used by RC4, next sequence number of an AEAD cipher); then, each after
//! its length in one byte, the provider name, the MAC key, the write key and the IV or salt; and
//! SHA-256 of all that.

use std::fmt;

use ssl_provider_memory::SecretBytes;
use zeroize::Zeroizing;

use super::{RecordKey, RecordOptions, WriteKeys};
use crate::algorithm::HashAlgorithm;
use crate::backend::{Backend, KeyExchangeBackend};
use crate::cipher_suite::{CipherAlgorithm, CipherSuite};
use crate::ct::Mask;
use crate::error::Error;
use crate::policy::{KeyExportPolicy, NO_KEY_EXPORT, Policy};
use crate::secret::{STACK_LEN, with_stack_wiped};
use crate::security_parameters::SecurityParameters;
use crate::version::ProtocolVersion;

/// Furthest position in the key stream of RC4 that a key is exported at, in bytes: whoever imports
/// it has to run that far.
pub const MAX_KEY_STREAM_POSITION: u64 = 1 << 24;

/// A record key in bytes, for
/// [`Provider::import_record_key`](crate::Provider::import_record_key) in this or another process.
///
/// It is as secret as the key: it is not encrypted, and its checksum finds damage, not forgery.
/// Send it over nothing that others read or write.
pub struct OpaqueKeyBlob(Zeroizing<Vec<u8>>);

impl OpaqueKeyBlob {
    /// Returns the bytes. The caller is responsible for where they go.
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
    mac_key: SecretBytes,
    write_key: SecretBytes,
}

impl KeyParts {
    /// Keeps the keys if `policy` allows to export them.
    pub(super) fn keep(policy: KeyExportPolicy, keys: WriteKeys<'_>) -> Option<Self> {
        let kept = SecretBytes::copied;
        match policy {
            KeyExportPolicy::Denied => None,
            KeyExportPolicy::Allowed => {
                Some(Self { mac_key: kept(keys.mac_key), write_key: kept(keys.write_key) })
            }
        }
    }
}

impl RecordKey {
    /// Writes the key, with what carries over from record to record, for another process
    /// (`SslExportKey` with `OpaqueKeyBlob`). Only one of the two may then go on writing: what both
    /// write under one sequence number is not secret, and neither knows of the other.
    ///
    /// # Errors
    ///
    /// - [`Error::NotAllowed`] unless the policy of the provider that the key comes from is
    ///   [`KeyExportPolicy::Allowed`].
    /// - [`Error::InvalidParameter`] for RC4 beyond [`MAX_KEY_STREAM_POSITION`].
    /// - Errors of the backend.
    pub fn export(&self) -> Result<OpaqueKeyBlob, Error> {
        let Some(KeyParts { mac_key, write_key }) = &self.exportable else {
            return Err(NO_KEY_EXPORT);
        };
        let position = self.protection.position();
        if self.uses_key_stream() && position > MAX_KEY_STREAM_POSITION {
            return Err(Error::InvalidParameter(
                "key: too far on in its key stream to be exported",
            ));
        }
        let fixed = [
            MAGIC.as_slice(),
            &self.parameters.version().wire().to_be_bytes(),
            &self.parameters.suite().id.0.to_be_bytes(),
            &[u8::from(self.options.encrypt_then_mac) | u8::from(self.reads) << 1],
            &self.options.padding_block.to_be_bytes(),
            &position.to_be_bytes(),
        ];
        let backend = self.parameters.backend();
        let name = backend.info().provider_name.as_bytes();
        let counted = [name, mac_key, write_key, self.protection.iv()];
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
        let checksum = checksum(&**backend, &blob)?;
        blob.extend_from_slice(checksum.as_ref());
        Ok(OpaqueKeyBlob(blob))
    }

    /// Takes a blob of [`export`](Self::export), for a provider with this backend and policy.
    pub(crate) fn import(backend: &Backend, policy: Policy, blob: &[u8]) -> Result<Self, Error> {
        let content_len = blob.len().checked_sub(CHECKSUM_LEN).ok_or(DAMAGED)?;
        let (content, found) = blob.split_at(content_len);
        let expected = checksum(&**backend, content)?;
        if !Mask::eq_bytes(expected.as_ref(), found).reveal() {
            return Err(DAMAGED);
        }
        let mut rest = content;
        if take(&mut rest)? != MAGIC {
            return Err(DAMAGED);
        }
        let version = ProtocolVersion(u16::from_be_bytes(take(&mut rest)?));
        let suite = CipherSuite(u32::from_be_bytes(take(&mut rest)?));
        let [options] = take(&mut rest)?;
        if options > 3 {
            return Err(DAMAGED);
        }
        let (reads, encrypt_then_mac) = (options & 2 != 0, options & 1 != 0);
        let padding_block = u16::from_be_bytes(take(&mut rest)?);
        let options = RecordOptions { encrypt_then_mac, padding_block };
        let position = u64::from_be_bytes(take(&mut rest)?);
        let name = counted(&mut rest)?;
        let (mac_key, write_key) = (counted(&mut rest)?, counted(&mut rest)?);
        let write_iv = counted(&mut rest)?;
        if !rest.is_empty() {
            return Err(DAMAGED);
        }
        if name != backend.info().provider_name.as_bytes() {
            return Err(Error::InvalidParameter("opaque key blob: of another backend"));
        }
        if suite.info().is_none() {
            return Err(DAMAGED);
        }
        let parameters = SecurityParameters::of_version(backend.clone(), policy, version, suite)?;
        let keys = WriteKeys { mac_key, write_key, write_iv };
        let mut key = RecordKey::new(&parameters, options, keys)?;
        if key.uses_key_stream() && position > MAX_KEY_STREAM_POSITION {
            return Err(DAMAGED);
        }
        key.protection.resume_at(position).map_err(|_| DAMAGED)?;
        Ok(Self { reads, ..key })
    }

    /// Returns whether the key has a key stream, whose position whoever imports it runs up to.
    fn uses_key_stream(&self) -> bool {
        self.parameters.suite().cipher.algorithm == CipherAlgorithm::Rc4
    }
}

fn checksum(
    backend: &dyn KeyExchangeBackend,
    content: &[u8],
) -> Result<Zeroizing<[u8; CHECKSUM_LEN]>, Error> {
    let mut checksum = Zeroizing::new([0; CHECKSUM_LEN]);
    with_stack_wiped::<_, STACK_LEN>(|| {
        backend.hashing().hash(HashAlgorithm::Sha256, &[content], checksum.as_mut())
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
const MAGIC: [u8; 8] = *b"SSLPRK\x00\x03";

const CHECKSUM_LEN: usize = HashAlgorithm::Sha256.output_len();

const DAMAGED: Error = Error::InvalidParameter("opaque key blob: damaged, or of another version");
const TOO_LONG: Error = Error::Internal("a part of a key is at most 255 bytes");
