//! Secrets that both sides agree on: ephemeral Diffie-Hellman, alone or with key encapsulation, and
//! the master keys that come of it and of pre-shared keys.

use ssl_provider_memory::SecretBytes;
use zeroize::Zeroizing;

use crate::algorithm::{HybridGroup, KEM_SECRET_LEN, NamedCurve};
use crate::backend::{AgreementKey, Backend, DecapsulationKey};
use crate::cipher_suite::CipherSuite;
use crate::ct::Mask;
use crate::dh_parameters::DhParameters;
use crate::error::Error;
use crate::master_key::MasterKey;
use crate::parameter_list::ParameterList;
use crate::provider::Provider;
use crate::schedule::{MasterSeed, Side};
use crate::secret::{with_stack_of_kem_wiped, with_stack_of_key_wiped};
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
    /// A curve with key encapsulation, in TLS 1.3.
    Hybrid(HybridGroup),
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

impl From<HybridGroup> for Group {
    fn from(group: HybridGroup) -> Self {
        Self::Hybrid(group)
    }
}

impl Group {
    /// Returns the length of a public key in bytes, of a hybrid group that of the client, and of
    /// the shared secret.
    fn lengths(&self) -> (usize, usize) {
        match self {
            Self::Curve(curve) => (curve.public_key_len(), curve.coordinate_len()),
            Self::FiniteField(parameters) => (parameters.prime().len(), parameters.prime().len()),
            Self::Hybrid(group) => (group.client_share_len(), group.secret_len()),
        }
    }

    /// Does `work`, an operation of a library in this group, and wipes the stack below it, as
    /// [`with_stack_wiped`] does. Which group it is is public.
    pub(crate) fn with_stack_wiped<T>(&self, work: impl FnOnce() -> T) -> T {
        match self {
            Self::Curve(_) => with_stack_of_key_wiped(true, work),
            Self::FiniteField(_) => with_stack_of_key_wiped(false, work),
            Self::Hybrid(group) => with_stack_of_kem_wiped(group.kem(), work),
        }
    }

    /// Returns whether TLS 1.3 has the group: P-256, P-384, P-521, X25519, the finite fields that
    /// have a name (RFC 8446 section 4.2.7), and hybrid groups.
    pub fn is_of_tls13(&self) -> bool {
        match self {
            Self::Curve(curve) => curve.is_of_tls13(),
            Self::FiniteField(parameters) => parameters.name().is_some(),
            Self::Hybrid(_) => true,
        }
    }

    /// Returns whether anybody knows a shared secret: zeros on X25519 (RFC 8422 section 5.11),
    /// and 0, 1 or p - 1 in a finite field (SP 800-56A section 5.7.1.1). Curves of prime order have
    /// none: there a point with x = 0 is one like any other.
    fn is_trivial(&self, secret: &[u8]) -> Mask {
        let zeros = vec![0; secret.len()];
        match self {
            Self::Curve(curve) if curve.is_montgomery() => Mask::eq_bytes(secret, &zeros),
            // Of a hybrid group the part of the curve is asked for by itself.
            Self::Curve(_) | Self::Hybrid(_) => Mask::public(false),
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
    /// curve, and an encapsulation key in its range, is seen in the agreement.
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
            Self::Hybrid(group) => {
                // The share of a client, or of a server; which of them is seen in the agreement.
                let is_share = [group.client_share_len(), group.server_share_len()];
                let point = curve_part(*group, peer).and_then(|part| part.first());
                let uncompressed = group.curve().is_montgomery() || point == Some(&4);
                if !is_share.contains(&peer.len()) || !uncompressed {
                    return Err(Error::BadKeyShare);
                }
                peer.to_vec()
            }
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
    key: Key,
}

enum Key {
    /// Of Diffie-Hellman.
    Agreement(Box<dyn AgreementKey>),
    /// Of a client, in a hybrid group.
    Hybrid { agreement: Box<dyn AgreementKey>, kem: Box<dyn DecapsulationKey>, share: Vec<u8> },
    /// Of a server, in a hybrid group: the secret came with the share, for the share of one client.
    Answer { secret: SecretBytes, share: Vec<u8>, client_share: Vec<u8> },
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

    /// Returns the public key as TLS carries it: an uncompressed point, the 32 bytes of X25519, a
    /// number as long as the prime, or the share of a hybrid group.
    pub fn public_key(&self) -> &[u8] {
        match &self.key {
            Key::Agreement(key) => key.public_key(),
            Key::Hybrid { share, .. } | Key::Answer { share, .. } => share,
        }
    }

    /// Whether the secret is there already, so that agreeing is to copy it.
    pub(crate) fn has_secret(&self) -> bool {
        matches!(self.key, Key::Answer { .. })
    }

    /// Checks what TLS 1.3 asks of a group (RFC 8446 section 4.2.7) and of the public key in it,
    /// before the key is used up.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidHandle`] for a key of another backend; [`Error::InvalidParameter`] for a
    /// group that is not one of TLS 1.3, for a public key of another group, and for another share
    /// than the one that the key answers; [`Error::BadKeyShare`] for a share of a client where one
    /// of a server was expected.
    pub(crate) fn check_peer_in_tls13(
        &self,
        backend: &Backend,
        peer: &PeerPublicKey,
    ) -> Result<(), Error> {
        if self.backend != *backend {
            return Err(Error::InvalidHandle);
        }
        if !self.group.is_of_tls13() {
            return Err(Error::InvalidParameter("group: not one of TLS 1.3"));
        }
        if self.group != peer.group {
            return Err(ANOTHER_GROUP);
        }
        match (&self.group, &self.key) {
            (Group::Hybrid(group), Key::Hybrid { .. })
                if peer.bytes.len() != group.server_share_len() =>
            {
                Err(Error::BadKeyShare)
            }
            (_, Key::Answer { client_share, .. }) if peer.bytes != *client_share => {
                Err(Error::InvalidParameter("public key: not the share that the key answers"))
            }
            _ => Ok(()),
        }
    }

    /// Computes the shared secret, a premaster secret of TLS up to 1.2, with a key of this group.
    pub(crate) fn agree(self, peer: &PeerPublicKey) -> Result<Zeroizing<Vec<u8>>, Error> {
        let (_, len) = self.group.lengths();
        let mut secret = Zeroizing::new(vec![0; len]);
        match (self.key, &self.group) {
            (Key::Hybrid { agreement, kem, .. }, Group::Hybrid(group)) => {
                let (curve, ciphertext) = parts(*group, &peer.bytes).ok_or(Error::BadKeyShare)?;
                let (of_curve, of_kem) = secret_parts(*group, &mut secret);
                agree_on_curve(agreement, *group, curve, of_curve)?;
                kem.decapsulate(ciphertext, of_kem)?;
            }
            (Key::Answer { secret: known, .. }, _) => secret.copy_from_slice(&known),
            (Key::Agreement(key), _) => {
                key.agree(&peer.bytes, &mut secret)?;
                // May be revealed: only a public key of small order leads to such a secret, which
                // its sender knows in advance.
                if self.group.is_trivial(&secret).reveal() {
                    return Err(Error::BadKeyShare);
                }
            }
            (Key::Hybrid { .. }, _) => return Err(Error::Internal("a hybrid key of no hybrid")),
        }
        Ok(secret)
    }
}

/// Computes the part of the curve of a hybrid secret, with the same check as without the other part
/// (RFC 8446 section 7.4.2).
fn agree_on_curve(
    key: Box<dyn AgreementKey>,
    group: HybridGroup,
    peer: &[u8],
    secret: &mut [u8],
) -> Result<(), Error> {
    key.agree(peer, secret)?;
    if Group::Curve(group.curve()).is_trivial(secret).reveal() {
        return Err(Error::BadKeyShare);
    }
    Ok(())
}

/// Splits a share of a hybrid group: the part of the curve, then that of the key encapsulation.
fn parts(group: HybridGroup, share: &[u8]) -> Option<(&[u8], &[u8])> {
    let curve_len = group.curve().public_key_len();
    if group.is_kem_first() {
        let (kem, curve) = share.split_at_checked(share.len().checked_sub(curve_len)?)?;
        Some((curve, kem))
    } else {
        share.split_at_checked(curve_len)
    }
}

fn curve_part(group: HybridGroup, share: &[u8]) -> Option<&[u8]> {
    parts(group, share).map(|(curve, _)| curve)
}

/// Joins the parts of a share.
fn join(group: HybridGroup, curve: &[u8], kem: &[u8]) -> Vec<u8> {
    if group.is_kem_first() { [kem, curve].concat() } else { [curve, kem].concat() }
}

/// Splits a secret of a hybrid group as [`parts`] splits a share.
fn secret_parts(group: HybridGroup, secret: &mut [u8]) -> (&mut [u8], &mut [u8; KEM_SECRET_LEN]) {
    let curve_len = group.curve().coordinate_len();
    let (curve, kem) = if group.is_kem_first() {
        let (kem, curve) = secret.split_at_mut(KEM_SECRET_LEN);
        (curve, kem)
    } else {
        secret.split_at_mut(curve_len)
    };
    (curve, kem.try_into().expect("a secret has the length of its group"))
}

crate::redacted_debug! { EphemeralKey { backend, group, .. } }

impl Provider {
    /// Generates a private key for one key exchange (`SslCreateEphemeralKey`). The server's side of
    /// a hybrid group is for [`answer_ephemeral_key`](Self::answer_ephemeral_key).
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
        if let Group::Hybrid(group) = group {
            return self.generate_hybrid_key(group);
        }
        let agreement = self.backend().key_agreement();
        let key = group.with_stack_wiped(|| match &group {
            Group::Hybrid(_) => Err(Error::Internal("it has its own function")),
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
        if matches!(group, Group::Hybrid(_)) || key.public_key().len() != group.lengths().0 {
            return Err(NOT_OF_GROUP);
        }
        if let Group::FiniteField(parameters) = &group {
            parameters.public_key(key.public_key())?;
        }
        Ok(EphemeralKey { backend: self.backend().clone(), group, key: Key::Agreement(key) })
    }

    fn generate_hybrid_key(&self, group: HybridGroup) -> Result<EphemeralKey, Error> {
        let (agreement, kem) = Group::from(group).with_stack_wiped(|| {
            let agreement = self.backend().key_agreement().generate_ecdh(group.curve())?;
            let kem = self.backend().key_encapsulation().generate_kem(group.kem())?;
            Ok::<_, Error>((agreement, kem))
        })?;
        self.hybrid_key_of(group, agreement, kem)
    }

    /// Takes the private keys of a client in a hybrid group that were not generated here, such as
    /// those of a known answer.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`]: a public key has another length than those of the group.
    pub fn hybrid_key_of(
        &self,
        group: HybridGroup,
        agreement: Box<dyn AgreementKey>,
        kem: Box<dyn DecapsulationKey>,
    ) -> Result<EphemeralKey, Error> {
        let share = join(group, agreement.public_key(), kem.encapsulation_key());
        if agreement.public_key().len() != group.curve().public_key_len()
            || share.len() != group.client_share_len()
        {
            return Err(NOT_OF_GROUP);
        }
        let key = Key::Hybrid { agreement, kem, share };
        Ok(EphemeralKey { backend: self.backend().clone(), group: group.into(), key })
    }

    /// Generates the key with which a server answers the share of a client in TLS 1.3. In a hybrid
    /// group it is for this share alone, since the answer is encapsulated to it; in others it is
    /// one like any other.
    ///
    /// # Errors
    ///
    /// - [`Error::BadKeyShare`]: the share is one that must be refused.
    /// - Those of [`generate_ephemeral_key`](Self::generate_ephemeral_key).
    pub fn answer_ephemeral_key(&self, client: &PeerPublicKey) -> Result<EphemeralKey, Error> {
        let Group::Hybrid(group) = client.group else {
            return self.generate_ephemeral_key(client.group.clone());
        };
        let agreement = self.backend().key_agreement();
        client.group.with_stack_wiped(|| {
            let key = agreement.generate_ecdh(group.curve())?;
            self.answer(group, client, key, |ek, ciphertext, secret| {
                let kem = self.backend().key_encapsulation();
                kem.encapsulate(group.kem(), ek, ciphertext, secret)
            })
        })
    }

    /// As [`answer_ephemeral_key`](Self::answer_ephemeral_key), with a private key on the curve
    /// and the random bytes `m` of FIPS 203 section 6.2, for known answers.
    ///
    /// # Errors
    ///
    /// Those of [`answer_ephemeral_key`](Self::answer_ephemeral_key); [`Error::InvalidParameter`]
    /// for a share that is not of a hybrid group.
    pub fn answer_ephemeral_key_with(
        &self,
        client: &PeerPublicKey,
        key: Box<dyn AgreementKey>,
        m: &[u8; 32],
    ) -> Result<EphemeralKey, Error> {
        let Group::Hybrid(group) = client.group else { return Err(NOT_OF_GROUP) };
        self.answer(group, client, key, |ek, ciphertext, secret| {
            let kem = self.backend().key_encapsulation();
            kem.encapsulate_with(group.kem(), ek, m, ciphertext, secret)
        })
    }

    fn answer(
        &self,
        group: HybridGroup,
        client: &PeerPublicKey,
        key: Box<dyn AgreementKey>,
        encapsulate: impl FnOnce(&[u8], &mut [u8], &mut [u8; KEM_SECRET_LEN]) -> Result<(), Error>,
    ) -> Result<EphemeralKey, Error> {
        let is_client_share = client.bytes.len() == group.client_share_len();
        let (curve, encapsulation_key) =
            parts(group, &client.bytes).filter(|_| is_client_share).ok_or(Error::BadKeyShare)?;
        if key.public_key().len() != group.curve().public_key_len() {
            return Err(NOT_OF_GROUP);
        }
        let point = key.public_key().to_vec();
        let mut secret = SecretBytes::zeroed(group.secret_len());
        let mut ciphertext = vec![0; group.kem().ciphertext_len()];
        let (of_curve, of_kem) = secret_parts(group, &mut secret);
        encapsulate(encapsulation_key, &mut ciphertext, of_kem)?;
        agree_on_curve(key, group, curve, of_curve)?;
        let share = join(group, &point, &ciphertext);
        let key = Key::Answer { secret, share, client_share: client.bytes.clone() };
        Ok(EphemeralKey { backend: self.backend().clone(), group: group.into(), key })
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
            Group::Hybrid(_) => false,
        };
        if !fits {
            return Err(Error::UnsupportedSuite { given: suite.0 });
        }
        if key.group != peer.group {
            return Err(ANOTHER_GROUP);
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

const NOT_OF_GROUP: Error = Error::InvalidParameter("ephemeral key: not one of the group");
const ANOTHER_GROUP: Error =
    Error::InvalidParameter("public key: not of the group of the ephemeral key");
pub(crate) const BAD_PSK_LEN: Error =
    Error::InvalidParameter("pre-shared key: expected 1 to 1024 bytes");
