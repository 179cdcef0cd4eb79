//! The kind of key encapsulation: ML-KEM (FIPS 203). Joining it with a curve is for core.

use std::fmt;

use crate::algorithm::{KEM_SECRET_LEN, KemAlgorithm};
use crate::error::Error;
use crate::operation::Operation;

/// Key encapsulation.
pub trait KeyEncapsulation: fmt::Debug + Send + Sync {
    /// Generates a decapsulation key.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`]; [`Error::Unsupported`] for a mechanism that the
    /// library lacks.
    fn generate_kem(&self, kem: KemAlgorithm) -> Result<Box<dyn DecapsulationKey>, Error> {
        Err(Error::Unsupported(Operation::Kem(kem)))
    }

    /// Takes a decapsulation key, for known answers.
    ///
    /// # Errors
    ///
    /// [`BAD_KEM_KEY`] for an expanded key of another length, that fails the hash check of FIPS
    /// 203 section 7.3, or whose parts do not belong together; those of
    /// [`generate_kem`](Self::generate_kem).
    fn load_kem(
        &self,
        kem: KemAlgorithm,
        _key: KemPrivateKey<'_>,
    ) -> Result<Box<dyn DecapsulationKey>, Error> {
        Err(Error::Unsupported(Operation::KemLoad(kem)))
    }

    /// Makes a secret and its ciphertext, which is [`KemAlgorithm::ciphertext_len`] bytes.
    ///
    /// # Errors
    ///
    /// [`Error::BadKeyShare`] for a key of another length or that fails the modulus check of FIPS
    /// 203 section 7.2; those of [`generate_kem`](Self::generate_kem).
    fn encapsulate(
        &self,
        kem: KemAlgorithm,
        _encapsulation_key: &[u8],
        _ciphertext: &mut [u8],
        _secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::Kem(kem)))
    }

    /// As [`encapsulate`](Self::encapsulate), with the random bytes `m` of FIPS 203 section 6.2,
    /// for known answers.
    ///
    /// # Errors
    ///
    /// Those of [`encapsulate`](Self::encapsulate).
    fn encapsulate_with(
        &self,
        kem: KemAlgorithm,
        _encapsulation_key: &[u8],
        _m: &[u8; 32],
        _ciphertext: &mut [u8],
        _secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error> {
        Err(Error::Unsupported(Operation::KemLoad(kem)))
    }
}

/// A decapsulation key as bytes. Secret.
#[derive(Clone, Copy)]
pub enum KemPrivateKey<'a> {
    /// The seed: d, then z (FIPS 203 section 7.1).
    Seed(&'a [u8; 64]),
    /// The expanded form (FIPS 203 section 6.1), [`KemAlgorithm::decapsulation_key_len`] bytes.
    Expanded(&'a [u8]),
}

crate::redacted_debug! { KemPrivateKey<'_> { .. } }

/// A decapsulation key inside a library. It is used once.
pub trait DecapsulationKey: fmt::Debug + Send + Sync {
    /// Returns the encapsulation key, [`KemAlgorithm::encapsulation_key_len`] bytes.
    fn encapsulation_key(&self) -> &[u8];

    /// Computes the secret of a ciphertext. One that nobody made with the key gives a secret that
    /// nobody knows (implicit rejection, FIPS 203 section 6.3), in the same time.
    ///
    /// # Errors
    ///
    /// [`Error::BadKeyShare`] for a ciphertext of another length; [`Error::Backend`].
    fn decapsulate(
        self: Box<Self>,
        ciphertext: &[u8],
        secret: &mut [u8; KEM_SECRET_LEN],
    ) -> Result<(), Error>;
}

/// Returns the encapsulation key inside an expanded decapsulation key (FIPS 203 section 6.1).
///
/// # Errors
///
/// [`BAD_KEM_KEY`] for a decapsulation key of another length.
pub fn encapsulation_key_in(kem: KemAlgorithm, expanded: &[u8]) -> Result<&[u8], Error> {
    if expanded.len() != kem.decapsulation_key_len() {
        return Err(BAD_KEM_KEY);
    }
    // Behind it are its hash and z.
    let end = expanded.len() - 2 * KEM_SECRET_LEN;
    Ok(&expanded[end - kem.encapsulation_key_len()..end])
}

/// What every backend returns for an expanded decapsulation key that is not one.
pub const BAD_KEM_KEY: Error =
    Error::InvalidParameter("decapsulation key: of another length, or its parts disagree");

/// What every backend returns when the buffer for a ciphertext has another length.
pub const BAD_CIPHERTEXT_LEN: Error =
    Error::Internal("ciphertext: its length is not that of the mechanism");
