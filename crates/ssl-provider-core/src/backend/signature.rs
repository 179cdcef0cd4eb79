//! The kind of signatures. Schemes are in [`crate::algorithm`], public keys in
//! [`crate::public_key`].

use std::fmt;

use crate::algorithm::SignatureScheme;
use crate::error::Error;
use crate::operation::Operation;
use crate::public_key::PublicKeyDer;

/// Verification of signatures.
pub trait Signatures: fmt::Debug + Send + Sync {
    /// Verifies `signature` over `digest` with a key that is of the scheme. The digest is
    /// [`SignatureScheme::digest_len`] bytes; without a DigestInfo, from 1 byte to 11 less than the
    /// modulus has.
    ///
    /// RSA signatures are as long as the modulus; ECDSA signatures are a DER `Ecdsa-Sig-Value`
    /// (RFC 8422 section 5.10).
    ///
    /// # Errors
    ///
    /// [`Error::BadSignature`] when verification fails, for whatever reason;
    /// [`BAD_PUBLIC_KEY`](crate::backend::BAD_PUBLIC_KEY) for a key that the library refuses, such
    /// as a point that is not on its curve; [`Error::Unsupported`] when the library lacks the
    /// scheme.
    fn verify(
        &self,
        _key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        _digest: &[u8],
        _signature: &[u8],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Verify(scheme)))
    }
}
