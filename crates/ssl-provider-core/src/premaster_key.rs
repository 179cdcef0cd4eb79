//! The client's part of an RSA key exchange: a premaster secret, encrypted to the server's key.

use zeroize::Zeroizing;

use crate::cipher_suite::CipherSuite;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::parameter_list::ParameterList;
use crate::provider::Provider;
use crate::public_key::{PublicKeyDer, PublicKeyParts};
use crate::schedule::{MasterSeed, Side};
use crate::secret::{MASTER_SECRET_LEN, PremasterSecret, STACK_LEN, with_stack_wiped};
use crate::security_parameters::SecurityParameters;
use crate::version::ProtocolVersion;

/// A premaster secret that a client made, with the ciphertext for ClientKeyExchange.
///
/// With the extended master secret, the master key depends on that message (RFC 7627), so the two
/// are made one after the other.
pub struct PremasterKey {
    parameters: SecurityParameters,
    secret: Box<PremasterSecret>,
    encrypted: Vec<u8>,
}

impl PremasterKey {
    /// Returns the ciphertext, as long as the modulus. In TLS it has a length of two bytes before
    /// it (RFC 5246 section 7.4.7.1), in SSL 3.0 none.
    pub fn encrypted(&self) -> &[u8] {
        &self.encrypted
    }

    /// Returns backend, version, suite and policy of the connection.
    pub fn security_parameters(&self) -> &SecurityParameters {
        &self.parameters
    }

    /// Derives the master key (`SslGenerateMasterKey`), from both randoms in `parameters` or from
    /// the session hash, which wins when both are given. Everything else in the list is ignored.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] when randoms or session hash are missing or of a wrong length;
    /// errors of the backend.
    pub fn generate_master_key(&self, parameters: &ParameterList) -> Result<MasterKey, Error> {
        MasterKey::of_premaster(
            &self.parameters,
            Side::Client,
            self.secret.expose(),
            MasterSeed::of(parameters, &self.parameters)?,
        )
    }
}

crate::redacted_debug! { PremasterKey { parameters, .. } }

impl Provider {
    /// Makes a premaster secret and encrypts it to the RSA key of the server
    /// (`SslGeneratePreMasterKey`, and the first half of `SslGenerateMasterKey`).
    ///
    /// - `server_key`: the `SubjectPublicKeyInfo` of the certificate, in DER.
    /// - `version`: the negotiated version; `suite`: an RSA suite of it.
    /// - `parameters`: the version that the client offered, which the premaster secret carries, or
    ///   without it the negotiated one. Everything else in the list is ignored.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedProtocol`], [`Error::UnsupportedSuite`].
    /// - [`Error::InvalidParameter`]: the key is malformed or no RSA key.
    /// - [`Error::NotAllowed`]: the key is shorter than the policy asks.
    /// - [`Error::Random`], [`Error::Backend`], [`Error::Unsupported`].
    pub fn generate_premaster_key(
        &self,
        server_key: &[u8],
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
    ) -> Result<PremasterKey, Error> {
        let connection = self.rsa_parameters(version, suite)?;
        let server_key = PublicKeyDer::from_der(server_key)?;
        let PublicKeyParts::Rsa { modulus, .. } = server_key.parts() else {
            return Err(Error::InvalidParameter("public key: expected an RSA key"));
        };
        self.check_public_key(&server_key)?;
        let mut secret = Box::new(PremasterSecret::zeroed());
        let mut encrypted = vec![0; modulus.len()];
        with_stack_wiped::<_, STACK_LEN>(|| {
            let (carried, random) = secret.expose_mut().split_at_mut(2);
            let offered = parameters.offered_version().unwrap_or(version);
            carried.copy_from_slice(&offered.wire().to_be_bytes());
            self.backend().random().fill(random)?;
            let block = self.pad(modulus.len(), &secret)?;
            self.backend().rsa_encryption().encrypt_raw(&server_key, &block, &mut encrypted)
        })?;
        Ok(PremasterKey { parameters: connection, secret, encrypted })
    }

    /// Returns the block of RSAES-PKCS1-v1_5 with a premaster secret at its end (RFC 8017 section
    /// 7.2.1).
    fn pad(&self, len: usize, secret: &PremasterSecret) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut block = Zeroizing::new(vec![0; len]);
        let mut random = Zeroizing::new(vec![0; 2 * (len - 3 - MASTER_SECRET_LEN)]);
        self.backend().random().fill(&mut random)?;
        let (head, tail) = block.split_at_mut(len - MASTER_SECRET_LEN);
        tail.copy_from_slice(secret.expose());
        if let [_, kind, padding @ .., _separator] = head {
            *kind = 2;
            for (byte, random) in padding.iter_mut().zip(random.as_chunks::<2>().0) {
                *byte = nonzero(*random);
            }
        }
        Ok(block)
    }
}

/// Returns a byte that is not 0, made of 16 random bits without a branch. The values that
/// are more likely than others have 258 of the 65536 in place of 257.
fn nonzero(random: [u8; 2]) -> u8 {
    // Below 255 * 2^16, so the second byte is below 255.
    let [_, value, ..] = (u32::from(u16::from_be_bytes(random)) * 255).to_be_bytes();
    value + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_has_every_value_but_zero_about_as_often() {
        let mut counts = [0; 256];
        for random in 0..=u16::MAX {
            counts[usize::from(nonzero(random.to_be_bytes()))] += 1;
        }
        assert_eq!(counts[0], 0);
        assert!(counts[1..].iter().all(|count| (257..=258).contains(count)), "{counts:?}");
    }
}
