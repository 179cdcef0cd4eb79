//! The kind of hashing: hashes, their compression functions, HMAC and the TLS PRF.

use std::fmt;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::hkdf;
use crate::error::Error;
use crate::operation::Operation;

/// Hashes, HMAC and the TLS PRF. A library without a PRF makes one of its HMAC by
/// [`prf_sha2`](crate::backend::prf_sha2) and [`prf_md5_sha1`](crate::backend::prf_md5_sha1).
pub trait Hashing: fmt::Debug + Send + Sync {
    /// Hashes `input`; `out` is exactly [`HashAlgorithm::output_len`] bytes. The default uses
    /// [`hash_context`](Self::hash_context).
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks, [`BAD_OUTPUT_LEN`].
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        let mut context = self.hash_context(hash)?;
        input.iter().for_each(|part| context.update(part));
        context.finish(out)
    }

    /// Starts a running hash.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks.
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        Err(Error::Unsupported(Operation::Hash(hash)))
    }

    /// Returns the compression function of a hash, with which records compute the MAC of a message
    /// of secret length in constant time (Lucky Thirteen). Without it each such record takes the
    /// time of hundreds of hashes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] where the library does not offer it.
    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        Err(Error::Unsupported(Operation::CompressionFunction(hash)))
    }

    /// Computes HMAC (RFC 2104); `out` is exactly [`HashAlgorithm::output_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks, [`BAD_OUTPUT_LEN`].
    fn hmac(
        &self,
        hash: HashAlgorithm,
        _key: &[u8],
        _input: &[&[u8]],
        _out: &mut [u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Hmac(hash)))
    }

    /// Computes the TLS PRF of `secret`, `label` and the concatenation of `seed`
    /// (RFC 2246 section 5, RFC 5246 section 5) and fills `out`, whatever its length.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for an algorithm that the library lacks.
    fn prf(
        &self,
        prf: PrfAlgorithm,
        _secret: &[u8],
        _label: &[u8],
        _seed: &[&[u8]],
        _out: &mut [u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Prf(prf)))
    }

    /// Computes HKDF-Extract (RFC 5869 section 2.2) of the concatenation of `input`; `out` is
    /// exactly [`HashAlgorithm::output_len`] bytes.
    ///
    /// # Errors
    ///
    /// Those of [`hmac`](Self::hmac).
    fn hkdf_extract(
        &self,
        hash: HashAlgorithm,
        salt: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        hkdf::extract(self, hash, salt, input, out)
    }

    /// Computes HKDF-Expand (RFC 5869 section 2.3) of `secret` and the concatenation of `info`, and
    /// fills `out`.
    ///
    /// # Errors
    ///
    /// [`BAD_OUTPUT_LEN`] for more than 255 hashes of output, and those of [`hmac`](Self::hmac).
    fn hkdf_expand(
        &self,
        hash: HashAlgorithm,
        secret: &[u8],
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        hkdf::expand(self, hash, secret, info, out)
    }
}

/// A running hash.
pub trait HashContext: fmt::Debug + Send + Sync {
    /// Feeds `input`.
    fn update(&mut self, input: &[u8]);

    /// Returns a second context that has been fed the same input.
    fn duplicate(&self) -> Box<dyn HashContext>;

    /// Writes the hash of all input; `out` is exactly the hash's output length.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when `out` has another length.
    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error>;
}

/// The compression function of a hash with its chaining value. Padding is the caller's.
pub trait CompressionFunction: fmt::Debug + Send + Sync {
    /// Processes `blocks`, whole blocks of [`HashAlgorithm::block_len`] bytes, in constant time.
    fn compress(&mut self, blocks: &[u8]);

    /// Writes the chaining value as the hash writes its result. `out` is exactly the hash's output
    /// length; a buffer of another length is filled as far as it goes.
    fn chaining_value(&self, out: &mut [u8]);
}

/// What every backend returns for an output that is not of the hash's length.
pub const BAD_OUTPUT_LEN: Error = Error::Internal("output length differs from that of the hash");
