//! The kind of signatures. Schemes are in [`crate::algorithm`], public keys in
//! [`crate::public_key`].

use std::fmt;

use crate::algorithm::SignatureScheme;
use crate::error::Error;
use crate::operation::Operation;
use crate::public_key::PublicKeyDer;
use crate::signing_key_der::SigningKeyDer;

/// Signatures: verification, and private keys that sign.
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

    /// Loads a private key that signs.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] when the library refuses the key, for the same keys in all backends;
    /// [`Error::Unsupported`] when it signs with no key of the kind.
    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        Err(Error::Unsupported(Operation::Sign(key.any_scheme())))
    }
}

/// A private key that signs, inside a library.
pub trait SignatureKey: fmt::Debug + Send + Sync {
    /// Signs `digest`, whose length is right for the scheme, which is one of the key. The result is
    /// in the form that [`Signatures::verify`] takes.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`]; [`Error::Unsupported`] when the library lacks the
    /// scheme.
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error>;
}
