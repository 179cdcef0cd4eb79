//! Master keys that both sides agree on: ephemeral Diffie-Hellman, and pre-shared keys.

use zeroize::Zeroizing;

use crate::algorithm::NamedCurve;
use crate::backend::{AgreementKey, Backend};
use crate::cipher_suite::CipherSuite;
use crate::ct::Mask;
use crate::dh_parameters::DhParameters;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::parameter_list::ParameterList;
use crate::provider::Provider;
use crate::schedule::{MasterSeed, Side};
use crate::secret::with_stack_of_key_wiped;
use crate::security_parameters::SecurityParameters;
use crate::version::ProtocolVersion;

/// The group of an ephemeral key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Group {
    /// A curve, for ECDHE suites.
    Curve(NamedCurve),
    /// A finite field, for DHE suites.
    FiniteField(DhParameters),
}

impl From<NamedCurve> for Group {
    fn from(curve: NamedCurve) -> Self {
        Self::Curve(curve)
    }
}

impl From<DhParameters> for Group {
    fn from(parameters: DhParameters) -> Self {
        Self::FiniteField(parameters)
    }
}

impl Group {
    /// Returns the length of a public key in bytes, and of the shared secret.
    fn lengths(&self) -> (usize, usize) {
        match self {
            Self::Curve(curve) => (curve.public_key_len(), curve.coordinate_len()),
            Self::FiniteField(parameters) => (parameters.prime().len(), parameters.prime().len()),
        }
    }

    /// Returns whether anybody knows a shared secret: zeros on X25519 (RFC 8422 section 5.11),
    /// and 0, 1 or p - 1 in a finite field (SP 800-56A section 5.7.1.1). Curves of prime order have
    /// none: there a point with x = 0 is one like any other.
    fn is_trivial(&self, secret: &[u8]) -> Mask {
        let zeros = vec![0; secret.len()];
        match self {
            Self::Curve(curve) if curve.is_montgomery() => Mask::eq_bytes(secret, &zeros),
            Self::Curve(_) => Mask::public(false),
            Self::FiniteField(parameters) => {
                let mut one = zeros.clone();
                if let Some(last) = one.last_mut() {
                    *last = 1;
                }
                Mask::eq_bytes(secret, &zeros)
                    .or(Mask::eq_bytes(secret, &one))
                    .or(Mask::eq_bytes(secret, &parameters.prime_minus_one()))
            }
        }
    }

    /// Takes a public key of the peer, as the message carries it, in the form of this group.
    ///
    /// A number of a finite field is between 1 and p - 1, of any length. Whether a point is on its
    /// curve is seen in the agreement.
    ///
    /// # Errors
    ///
    /// [`Error::BadKeyShare`].
    pub fn public_key(&self, peer: &[u8]) -> Result<PeerPublicKey, Error> {
        let bytes = match self {
            Self::Curve(curve) => {
                let uncompressed = curve.is_montgomery() || peer.first() == Some(&4);
                if peer.len() != curve.public_key_len() || !uncompressed {
                    return Err(Error::BadKeyShare);
                }
                peer.to_vec()
            }
            Self::FiniteField(parameters) => parameters.public_key(peer)?,
        };
        Ok(PeerPublicKey { group: self.clone(), bytes })
    }
}

/// A public key of the peer, whose form is that of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPublicKey {
    group: Group,
    bytes: Vec<u8>,
}

impl PeerPublicKey {
    /// Returns the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the key as TLS carries it; a number of a finite field as long as the prime.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A private key of one key exchange (`SslCreateEphemeralKey`).
///
/// It is used up by the agreement. A server that kept it for the next connection would lose forward
/// secrecy, and with finite fields the key: since TLS strips the leading zeros of a secret, the
/// time of the PRF tells something about it, and many connections with one key tell enough
/// (Raccoon).
pub struct EphemeralKey {
    backend: Backend,
    group: Group,
    key: Box<dyn AgreementKey>,
}

impl EphemeralKey {
    /// Returns the backend that holds the key.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Returns the public key as TLS carries it: an uncompressed point, the 32 bytes of X25519, or
    /// a number as long as the prime.
    pub fn public_key(&self) -> &[u8] {
        self.key.public_key()
    }

    /// Computes the shared secret, a premaster secret of TLS up to 1.2, with a key of this group.
    fn agree(self, peer: &PeerPublicKey) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (_, len) = self.group.lengths();
        let mut secret = Zeroizing::new(vec![0; len]);
        self.key.agree(&peer.bytes, &mut secret)?;
        // May be revealed: only a public key of small order leads to such a secret, which its
        // sender knows in advance.
        if self.group.is_trivial(&secret).reveal() {
            return Err(Error::BadKeyShare);
        }
        Ok(secret)
    }
}

crate::redacted_debug! { EphemeralKey { backend, group, .. } }

impl Provider {
    /// Generates a private key for one key exchange (`SslCreateEphemeralKey`).
    ///
    /// # Errors
    ///
    /// - [`Error::NotAllowed`]: the prime of a finite field is shorter than
    ///   [`Policy::min_modulus_bits`](crate::Policy::min_modulus_bits).
    /// - [`Error::BadKeyShare`]: the public key would be 1 or p - 1, as happens in a finite field
    ///   whose generator is of small order.
    /// - [`Error::Unsupported`]: the backend lacks the group.
    /// - [`Error::Random`], [`Error::Backend`].
    pub fn generate_ephemeral_key(&self, group: impl Into<Group>) -> Result<EphemeralKey, Error> {
        let group = group.into();
        let agreement = self.backend().key_agreement();
        let is_on_curve = matches!(group, Group::Curve(_));
        let key = with_stack_of_key_wiped(is_on_curve, || match &group {
            Group::Curve(curve) => agreement.generate_ecdh(*curve),
            Group::FiniteField(parameters) => {
                if parameters.bits() < self.policy().min_modulus_bits {
                    return Err(Error::NotAllowed(
                        "the Diffie-Hellman prime is shorter than min_modulus_bits",
                    ));
                }
                agreement.generate_dh(parameters)
            }
        })?;
        self.ephemeral_key_of(group, key)
    }

    /// Takes a private key that was not generated here, such as one of a known answer, from
    /// [`KeyAgreement::load_ecdh`](crate::backend::KeyAgreement::load_ecdh).
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: its public key has another length than those of the group.
    /// - [`Error::BadKeyShare`]: its public key is one that a peer must refuse (RFC 7919 section
    ///   5.1): 0, 1 or p - 1 in a finite field.
    pub fn ephemeral_key_of(
        &self,
        group: impl Into<Group>,
        key: Box<dyn AgreementKey>,
    ) -> Result<EphemeralKey, Error> {
        let group = group.into();
        if key.public_key().len() != group.lengths().0 {
            return Err(Error::InvalidParameter("ephemeral key: not one of the group"));
        }
        if let Group::FiniteField(parameters) = &group {
            parameters.public_key(key.public_key())?;
        }
        Ok(EphemeralKey { backend: self.backend().clone(), group, key })
    }

    /// Agrees on a master key with the peer, on either side of a DHE or ECDHE suite
    /// (`SslGenerateMasterKey`).
    ///
    /// - `parameters`: both randoms, or the session hash for the extended master secret, which wins
    ///   when both are given. Everything else in the list is ignored.
    /// - `side`: the one that this program is on.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidHandle`]: the ephemeral key is of another backend.
    /// - [`Error::UnsupportedProtocol`], [`Error::UnsupportedSuite`]: also where the group is not
    ///   one of the suite.
    /// - [`Error::InvalidParameter`]: the public key is of another group, or randoms or session
    ///   hash are missing or of a wrong length.
    /// - [`Error::BadKeyShare`]: the public key is not on its curve, or of so small an order that
    ///   anybody knows the secret.
    /// - [`Error::Backend`].
    pub fn generate_master_key(
        &self,
        key: EphemeralKey,
        peer: &PeerPublicKey,
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
        side: Side,
    ) -> Result<MasterKey, Error> {
        let (connection, seed) = self.agreement(&key, peer, version, suite, parameters)?;
        // RFC 5246 section 8.1.2. The number of zeros is secret, and the time of the PRF shows it
        // (Raccoon). That is fine since `agree` uses the key up: one number helps nobody.
        let strips_zeros = matches!(key.group, Group::FiniteField(_));
        with_stack_of_key_wiped(!strips_zeros, || {
            let secret = key.agree(peer)?;
            let zeros = match strips_zeros {
                true => secret.iter().take_while(|byte| **byte == 0).count(),
                false => 0,
            };
            MasterKey::of_premaster_unwiped(&connection, side, &secret[zeros..], seed)
        })
    }

    /// Checks what [`generate_master_key`](Self::generate_master_key) checks before it uses the key
    /// up: for a program that wants to keep the key when it has made a mistake.
    ///
    /// # Errors
    ///
    /// Those of `generate_master_key` but for the last two.
    pub fn check_agreement(
        &self,
        key: &EphemeralKey,
        peer: &PeerPublicKey,
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
    ) -> Result<(), Error> {
        self.agreement(key, peer, version, suite, parameters).map(|_| ())
    }

    fn agreement<'p>(
        &self,
        key: &EphemeralKey,
        peer: &PeerPublicKey,
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &'p ParameterList,
    ) -> Result<(SecurityParameters, MasterSeed<'p>), Error> {
        if key.backend != *self.backend() {
            return Err(Error::InvalidHandle);
        }
        let connection = self.security_parameters(version, suite)?;
        let exchange = connection.suite().key_exchange;
        let fits = match key.group {
            Group::Curve(_) => exchange.is_ecdhe(),
            Group::FiniteField(_) => exchange.is_dhe(),
        };
        if !fits {
            return Err(Error::UnsupportedSuite { given: suite.0 });
        }
        if key.group != peer.group {
            return Err(Error::InvalidParameter(
                "public key: not of the group of the ephemeral key",
            ));
        }
        let seed = MasterSeed::of(parameters, &connection)?;
        Ok((connection, seed))
    }

    /// Derives a master key from a pre-shared key (RFC 4279 section 2).
    ///
    /// - `psk`: 1 to [`MAX_PSK_LEN`] bytes. Secret; its length is not.
    /// - `parameters`, `side`: as in [`generate_master_key`](Self::generate_master_key).
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedProtocol`], [`Error::UnsupportedSuite`] for a suite that is not of PSK,
    /// [`Error::InvalidParameter`], and errors of the backend.
    pub fn generate_psk_master_key(
        &self,
        psk: &[u8],
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
        side: Side,
    ) -> Result<MasterKey, Error> {
        let connection = self.security_parameters(version, suite)?;
        if !connection.suite().key_exchange.is_psk() {
            return Err(Error::UnsupportedSuite { given: suite.0 });
        }
        let len = u16::try_from(psk.len())
            .ok()
            .filter(|len| (1..=MAX_PSK_LEN).contains(&usize::from(*len)));
        let len = len.ok_or(BAD_PSK_LEN)?.to_be_bytes();
        let seed = MasterSeed::of(parameters, &connection)?;
        // As many zeros as the key has bytes, then the key, each with its length before it.
        let mut premaster = Zeroizing::new(vec![0; 2 * (2 + psk.len())]);
        let (other, own) = premaster.split_at_mut(2 + psk.len());
        other[..2].copy_from_slice(&len);
        own[..2].copy_from_slice(&len);
        own[2..].copy_from_slice(psk);
        MasterKey::of_premaster(&connection, side, &premaster, seed)
    }
}

/// Longest pre-shared key that [`Provider::generate_psk_master_key`] takes, in bytes; RFC 4279
/// section 5.3 asks for at least 64.
pub const MAX_PSK_LEN: usize = 1024;

const BAD_PSK_LEN: Error = Error::InvalidParameter("pre-shared key: expected 1 to 1024 bytes");
