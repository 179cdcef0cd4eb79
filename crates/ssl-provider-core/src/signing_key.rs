//! A private key that signs: a server in ServerKeyExchange, a client in CertificateVerify.

use crate::algorithm::{SignatureAlgorithm, SignatureScheme};
use crate::backend::{Backend, SignatureKey};
use crate::error::Error;
use crate::provider::Provider;
use crate::public_key::{Curve, KeyKind};
use crate::secret::{LONG_NUMBERS_STACK_LEN, with_stack_of_key_wiped, with_stack_wiped};
use crate::signing_key_der::SigningKeyDer;

/// A private key that a provider signs with (`SslSignHash`). It belongs to the backend that loaded
/// it.
pub struct SigningKey {
    backend: Backend,
    kind: KeyKind,
    key: Box<dyn SignatureKey>,
}

impl SigningKey {
    /// Returns the backend that holds the key.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the length of the longest signature in bytes: that of the modulus, or of a DER
    /// `Ecdsa-Sig-Value` with two numbers of full length.
    pub fn max_signature_len(&self) -> usize {
        match self.kind {
            KeyKind::Rsa { bits } => bits.div_ceil(8),
            KeyKind::Ec(curve) => {
                // A zero byte keeps a number positive; the length of P-521's takes two bytes.
                let integers = 2 * (2 + curve.signature_number_len());
                integers + if integers < 0x80 { 2 } else { 3 }
            }
        }
    }

    /// Returns the curve; none for an RSA key.
    pub fn curve(&self) -> Option<Curve> {
        match self.kind {
            KeyKind::Rsa { .. } => None,
            KeyKind::Ec(curve) => Some(curve),
        }
    }

    /// Signs a digest of [`SignatureScheme::digest_len`] bytes; without a DigestInfo, of 1 byte to
    /// 11 less than the modulus has. Returns a signature as long as the modulus, or a DER
    /// `Ecdsa-Sig-Value` (RFC 8422 section 5.10).
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the scheme is not one of the key, the digest has another
    ///   length, or the modulus is too short for the scheme.
    /// - [`Error::Unsupported`]: the backend lacks the scheme.
    /// - [`Error::Random`], [`Error::Backend`]: the library failed.
    pub fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        self.kind.check(scheme, digest)?;
        if let (KeyKind::Rsa { bits }, SignatureAlgorithm::RsaPss) = (self.kind, scheme.algorithm())
        {
            // RFC 8017 sections 8.1.1 and 9.1.1 step 3, with a salt as long as the digest.
            if (bits - 1).div_ceil(8) < 2 * digest.len() + 2 {
                return Err(Error::InvalidParameter("the modulus is too short for the scheme"));
            }
        }
        let is_on_curve = matches!(self.kind, KeyKind::Ec(_));
        with_stack_of_key_wiped(is_on_curve, || self.key.sign(scheme, digest))
    }
}

crate::redacted_debug! { SigningKey { backend, kind, .. } }

impl Provider {
    /// Loads a private key that signs, from DER of PKCS#1, SEC 1 or PKCS#8: an RSA key, or one on
    /// P-256, P-384 or P-521.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] with what is wrong with the key; [`Error::NotAllowed`] when it is shorter
    /// than the policy asks.
    pub fn load_signing_key(&self, der: &[u8]) -> Result<SigningKey, Error> {
        let der = SigningKeyDer::from_der(der)?;
        let kind = match &der {
            SigningKeyDer::Rsa(rsa) => {
                self.check_modulus(rsa.modulus_bits())?;
                KeyKind::Rsa { bits: rsa.modulus_bits() }
            }
            SigningKeyDer::Ec(ec) => KeyKind::Ec(ec.curve()),
        };
        let load = || self.backend().signatures().load(&der);
        // Deeper than a key on a curve needs: what the caller left there while it made the DER
        // would be copied along with what the library moves.
        let key = with_stack_wiped::<_, LONG_NUMBERS_STACK_LEN>(load)?;
        Ok(SigningKey { backend: self.backend().clone(), kind, key })
    }
}
