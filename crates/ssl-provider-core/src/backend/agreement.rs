//! The kind of key agreement: ephemeral Diffie-Hellman on curves and in finite fields. Groups are
//! in [`crate::algorithm`] and [`crate::dh_parameters`].

use std::fmt;

use crate::algorithm::NamedCurve;
use crate::dh_parameters::DhParameters;
use crate::error::Error;
use crate::operation::Operation;

/// Ephemeral keys of key agreement.
///
/// Core checks what is the same for every library: the form of a public key on a curve, the range
/// of one in a finite field, and secrets that anybody knows, such as zeros of X25519. A library may
/// refuse those too.
pub trait KeyAgreement: fmt::Debug + Send + Sync {
    /// Generates a key on `curve`.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`]; [`Error::Unsupported`] for a curve that the library
    /// lacks.
    fn generate_ecdh(&self, curve: NamedCurve) -> Result<Box<dyn AgreementKey>, Error> {
        Err(Error::Unsupported(Operation::Ecdh(curve)))
    }

    /// Takes a private key on `curve`, for known answers: a number in the range of the curve,
    /// big-endian, or for X25519 32 bytes as RFC 7748 section 5 has them, neither of them reduced.
    /// It is [`NamedCurve::coordinate_len`] bytes long.
    ///
    /// # Errors
    ///
    /// [`BAD_AGREEMENT_KEY`] for a number out of range; those of
    /// [`generate_ecdh`](Self::generate_ecdh).
    fn load_ecdh(
        &self,
        curve: NamedCurve,
        _private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        Err(Error::Unsupported(Operation::EcdhLoad(curve)))
    }

    /// Generates a key in a finite field, of [`DhParameters::private_key_bits`] bits.
    ///
    /// # Errors
    ///
    /// [`Error::Random`], [`Error::Backend`], also for parameters that the library refuses;
    /// [`Error::Unsupported`].
    fn generate_dh(&self, _group: &DhParameters) -> Result<Box<dyn AgreementKey>, Error> {
        Err(Error::Unsupported(Operation::Dh))
    }

    /// Takes a private key in a finite field, big-endian, at most as long as the prime. It is for
    /// known answers; nothing else about the number is checked.
    ///
    /// # Errors
    ///
    /// [`BAD_AGREEMENT_KEY`] for a longer one; those of [`generate_dh`](Self::generate_dh).
    fn load_dh(
        &self,
        _group: &DhParameters,
        _private_key: &[u8],
    ) -> Result<Box<dyn AgreementKey>, Error> {
        Err(Error::Unsupported(Operation::Dh))
    }
}

/// A private key of key agreement inside a library. It agrees once: a key of Diffie-Hellman that is
/// used again may be found through the leading zeros of its secrets (Raccoon).
pub trait AgreementKey: fmt::Debug + Send + Sync {
    /// Returns the public key as TLS carries it: an uncompressed point (04, then both coordinates;
    /// SEC 1 section 2.3.3), the 32 bytes of X25519, or a number as long as the prime.
    fn public_key(&self) -> &[u8];

    /// Computes the shared secret with the public key of the peer, which has the form of one of
    /// this group: the x coordinate (RFC 8422 section 5.10), the output of X25519 (RFC 7748
    /// section 6.1), or the number g^xy mod p with its leading zeros, as long as the prime. The
    /// output has that length.
    ///
    /// # Errors
    ///
    /// [`Error::BadKeyShare`] for a point that is not on the curve, and for a secret that anybody
    /// knows; [`Error::Backend`].
    fn agree(self: Box<Self>, peer: &[u8], secret: &mut [u8]) -> Result<(), Error>;
}

/// What every backend returns for a private key whose length or number is not one of the group.
pub const BAD_AGREEMENT_KEY: Error =
    Error::InvalidParameter("private key: its length or its number is not one of the group");
