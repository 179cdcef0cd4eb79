//! The kind of hashing: hashes, their compression functions, HMAC and the TLS PRF.

use std::fmt;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::{HmacKey, hkdf, prf};
use crate::error::Error;
use crate::operation::Operation;

/// Hashes, HMAC, the TLS PRF and HKDF. A backend implements [`hmac`](Self::hmac) and
/// [`prf`](Self::prf), or only [`with_hmac_key`](Self::with_hmac_key), which both use by default.
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

    /// Makes an HMAC key and calls `work` with it, once, unless it fails. `work` may make another
    /// key meanwhile. The key is a reference so that it need not be moved, which would leave a copy
    /// behind. Only the defaults of [`hmac`](Self::hmac) and [`prf`](Self::prf) call this; a
    /// library that has both as a whole leaves it out. A backend that has it announces in `support`
    /// every PRF whose hashes it has.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks; `work` is not called then.
    fn with_hmac_key(
        &self,
        hash: HashAlgorithm,
        _key: &[u8],
        _work: &mut dyn FnMut(&dyn HmacKey),
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Hmac(hash)))
    }

    /// Computes HMAC (RFC 2104); `out` is exactly [`HashAlgorithm::output_len`] bytes. The default
    /// uses [`with_hmac_key`](Self::with_hmac_key).
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for a hash that the library lacks, [`BAD_OUTPUT_LEN`].
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        if out.len() != hash.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        prf::with_key(self, hash, key, out, |key, out| key.mac(&[], &[], input, out))
    }

    /// Computes the TLS PRF of `secret`, `label` and the concatenation of `seed`
    /// (RFC 2246 section 5, RFC 5246 section 5) and fills `out`, whatever its length.
    /// The default uses [`with_hmac_key`](Self::with_hmac_key).
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for an algorithm that the library lacks.
    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        prf::prf(self, prf, secret, label, seed, out)
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
