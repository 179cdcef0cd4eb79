//! Key agreement on curves and in finite fields, with private keys that the question names.

use num_bigint::BigUint;
use serde::{Deserialize, Serialize};
use ssl_provider_core::backend::AgreementKey;
use ssl_provider_core::{
    CipherSuite, DhParameters, Error, FfdheGroup, Group, MasterKey, NamedCurve, ProtocolVersion,
    Side,
};

use super::import::{parameters, referred, secret};
use super::master_key::Referred;
use super::{Answer, Bytes, Hex16, Kind, Subject, smaller_bytes, with_each, zeroed_bytes};
use crate::{curve, group};

/// A group: a curve or a field of RFC 7919 by its name in the IANA registry, or a prime and a
/// generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GroupName {
    /// By name.
    Named(String),
    /// A finite field.
    Field {
        /// The prime, big-endian.
        prime: Bytes,
        /// The generator, big-endian.
        generator: Bytes,
    },
}

impl GroupName {
    /// Returns the group.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for an unknown name, and those of [`DhParameters::new`].
    pub fn group(&self) -> Result<Group, Error> {
        match self {
            Self::Named(name) => {
                let curve = NamedCurve::ALL.into_iter().find(|curve| curve.name() == name);
                let field = || FfdheGroup::ALL.into_iter().find(|field| field.name() == name);
                let field = || field().map(|field| Group::from(DhParameters::named(field)));
                curve.map(Group::from).or_else(field).ok_or(Error::InvalidParameter("group: name"))
            }
            Self::Field { prime, generator } => {
                DhParameters::new(prime, generator).map(Group::from)
            }
        }
    }
}

impl From<&Group> for GroupName {
    fn from(group: &Group) -> Self {
        match group {
            Group::Curve(curve) => Self::Named(curve.name().to_owned()),
            Group::FiniteField(field) => {
                let of_name = |known: &FfdheGroup| known.prime() == field.prime();
                match FfdheGroup::ALL.into_iter().find(of_name) {
                    Some(known) => Self::Named(known.name().to_owned()),
                    None => Self::Field {
                        prime: field.prime().to_vec().into(),
                        generator: field.generator().to_vec().into(),
                    },
                }
            }
            other => Self::Named(format!("{other:?}")),
        }
    }
}

/// The secret that a private key shares with a public key, as the group has it: a coordinate, or a
/// number as long as the prime, zeros in front included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agree {
    /// The group.
    pub group: GroupName,
    /// The private key: big-endian, on X25519 as RFC 7748 has it.
    pub private_key: Bytes,
    /// The public key of the peer, which may be wrong in any way.
    pub public_key: Bytes,
}

impl Agree {
    fn load(&self, subject: &Subject) -> Result<(Group, Box<dyn AgreementKey>), Error> {
        let group = self.group.group()?;
        let agreement = subject.backend().key_agreement();
        let key = match &group {
            Group::Curve(curve) => agreement.load_ecdh(*curve, &self.private_key)?,
            Group::FiniteField(field) => agreement.load_dh(field, &self.private_key)?,
            _ => return Err(Error::InvalidParameter("group: of another kind")),
        };
        Ok((group, key))
    }

    /// Whether the arithmetic of the reference is defined for the keys: it checks none.
    fn is_defined(&self, group: &Group) -> bool {
        let private_key = BigUint::from_bytes_be(&self.private_key);
        match group {
            Group::Curve(NamedCurve::X25519) => {
                self.private_key.len() == 32 && self.public_key.len() == 32
            }
            Group::Curve(named) => {
                let is_uncompressed = self.public_key.len() == named.public_key_len()
                    && self.public_key.first() == Some(&4);
                is_uncompressed
                    && self.private_key.len() == named.coordinate_len()
                    && private_key > BigUint::ZERO
                    && curve::Curve::new(*named).is_some_and(|curve| {
                        private_key < curve.order && curve.is_on_curve(&self.public_key)
                    })
            }
            Group::FiniteField(field) => {
                let (prime, public_key) = (
                    BigUint::from_bytes_be(field.prime()),
                    BigUint::from_bytes_be(&self.public_key),
                );
                private_key > BigUint::from(1_u8)
                    && public_key > BigUint::from(1_u8)
                    && public_key < prime - 1_u8
            }
            _ => false,
        }
    }

    fn shared_secret(&self) -> Option<(Group, Vec<u8>)> {
        let group = self.group.group().ok().filter(|group| self.is_defined(group))?;
        let (_, secret) = group::peer(&group, &self.private_key, &self.public_key);
        (!is_known_to_anybody(&group, &secret)).then_some((group, secret))
    }
}

/// Whether a secret follows from the public key alone, which is of small order then. Core refuses
/// it for backends that do not.
fn is_known_to_anybody(group: &Group, secret: &[u8]) -> bool {
    match group {
        Group::FiniteField(field) => {
            let number = BigUint::from_bytes_be(secret);
            number <= BigUint::from(1_u8) || number == BigUint::from_bytes_be(field.prime()) - 1_u8
        }
        Group::Curve(NamedCurve::X25519) => secret.iter().all(|byte| *byte == 0),
        _ => false,
    }
}

impl Kind for Agree {
    fn operation(&self) -> String {
        match &self.group {
            GroupName::Named(name) if name.starts_with("ffdhe") => "Diffie-Hellman".to_owned(),
            GroupName::Named(name) => format!("ECDH {name}"),
            GroupName::Field { .. } => "Diffie-Hellman".to_owned(),
        }
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let agreed = self.load(subject).and_then(|(group, key)| {
            // Core checks the form, and the backend the rest.
            group.public_key(&self.public_key)?;
            let mut public_key = self.public_key.to_vec();
            let len = match &group {
                Group::Curve(curve) => curve.coordinate_len(),
                Group::FiniteField(field) => {
                    let len = field.prime().len();
                    // Backends take numbers as long as the prime; core has checked their range.
                    public_key = public_key.into_iter().skip_while(|byte| *byte == 0).collect();
                    public_key.splice(0..0, vec![0; len.saturating_sub(public_key.len())]);
                    len
                }
                _ => 0,
            };
            let mut secret = vec![0; len];
            key.agree(&public_key, &mut secret)?;
            if is_known_to_anybody(&group, &secret) { Err(Error::BadKeyShare) } else { Ok(secret) }
        });
        Answer::of(agreed, |secret| secret)
    }

    fn reference(&self) -> Option<Answer> {
        self.shared_secret().map(|(_, secret)| Answer::Bytes(secret.into()))
    }

    fn is_reference_cheap(&self) -> bool {
        matches!(&self.group, GroupName::Named(name) if name == "x25519")
    }

    fn smaller(&self) -> Vec<Self> {
        let private = with_each(self, zeroed_bytes(&self.private_key), |it, key| {
            it.private_key = key;
        });
        let public = with_each(self, smaller_bytes(&self.public_key), |it, key| {
            it.public_key = key;
        });
        private.chain(public).collect()
    }
}

/// The public key of a private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicKey {
    /// The group.
    pub group: GroupName,
    /// The private key: big-endian, on X25519 as RFC 7748 has it.
    pub private_key: Bytes,
}

impl PublicKey {
    /// The key with a peer's that does not matter.
    fn key(&self) -> Agree {
        Agree {
            group: self.group.clone(),
            private_key: self.private_key.clone(),
            public_key: Bytes::default(),
        }
    }
}

impl Kind for PublicKey {
    fn operation(&self) -> String {
        self.key().operation()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        Answer::of(self.key().load(subject), |(_, key)| key.public_key().to_vec())
    }

    fn reference(&self) -> Option<Answer> {
        let group = self.group.group().ok()?;
        let number = BigUint::from_bytes_be(&self.private_key);
        let public_key = match &group {
            Group::Curve(NamedCurve::X25519) => {
                let private_key = self.private_key[..].try_into().ok()?;
                let mut base = [0; 32];
                base[0] = 9;
                curve::x25519(private_key, &base).to_vec()
            }
            Group::Curve(named) => {
                let curve = curve::Curve::new(*named)?;
                let is_in_range = number > BigUint::ZERO && number < curve.order;
                if !is_in_range || self.private_key.len() != named.coordinate_len() {
                    return None;
                }
                curve.public_key(&number)
            }
            Group::FiniteField(field) if number > BigUint::from(1_u8) => {
                let prime = BigUint::from_bytes_be(field.prime());
                let power = BigUint::from_bytes_be(field.generator()).modpow(&number, &prime);
                let bytes = power.to_bytes_be();
                [vec![0; field.prime().len() - bytes.len()], bytes].concat()
            }
            _ => return None,
        };
        Some(Answer::Bytes(public_key.into()))
    }

    fn is_reference_cheap(&self) -> bool {
        self.key().is_reference_cheap()
    }

    fn smaller(&self) -> Vec<Self> {
        let keys = zeroed_bytes(&self.private_key);
        with_each(self, keys, |it, key| it.private_key = key).collect()
    }
}

/// The master secret of a key agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreeMasterKey {
    /// The agreement.
    pub agreement: Agree,
    /// The negotiated version.
    pub protocol: Hex16,
    /// The negotiated suite.
    pub suite: Hex16,
    /// The random of the ClientHello, 32 bytes.
    pub client_random: Bytes,
    /// The random of the ServerHello, 32 bytes.
    pub server_random: Bytes,
    /// The session hash of RFC 7627, with which the extended master secret is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_hash: Option<Bytes>,
}

impl AgreeMasterKey {
    pub(super) fn master_key(&self, subject: &Subject) -> Result<MasterKey, Error> {
        let (client, server) = (Some(&self.client_random), Some(&self.server_random));
        let list = parameters(client, server, self.session_hash.as_ref())?;
        let (group, key) = self.agreement.load(subject)?;
        let peer = group.public_key(&self.agreement.public_key)?;
        let key = subject.provider().ephemeral_key_of(group, key)?;
        let (version, suite) = (self.protocol.into(), self.suite.into());
        subject.provider().generate_master_key(key, &peer, version, suite, &list, Side::Server)
    }

    pub(super) fn referred(&self) -> Option<Referred> {
        let (group, secret) = self.agreement.shared_secret()?;
        let premaster = &secret[group::stripped_zeros(&group, &secret)..];
        let suite = CipherSuite::from(self.suite).info()?;
        let protocol = ProtocolVersion::from(self.protocol);
        let is_of_group = match group {
            Group::Curve(_) => suite.key_exchange.is_ecdhe(),
            _ => suite.key_exchange.is_dhe(),
        };
        if !suite.allows(protocol) || !is_of_group {
            return None;
        }
        referred(
            protocol,
            suite,
            premaster,
            [&self.client_random, &self.server_random],
            self.session_hash.as_ref(),
        )
    }
}

impl Kind for AgreeMasterKey {
    fn operation(&self) -> String {
        "master key of a key agreement".to_owned()
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(self.protocol.into())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        Answer::of(self.master_key(subject).and_then(|key| secret(&key)), |secret| secret)
    }

    fn reference(&self) -> Option<Answer> {
        self.referred().map(|referred| Answer::Bytes(referred.master_secret.into()))
    }

    fn is_reference_cheap(&self) -> bool {
        self.agreement.is_reference_cheap()
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, self.agreement.smaller(), |it, agreement| it.agreement = agreement)
            .collect()
    }
}
