//! RSA key exchanges and pre-shared keys.

use serde::{Deserialize, Serialize};
use ssl_provider_core::{
    CipherSuite, CipherSuiteInfo, Error, MasterKey, ParameterList, ProtocolVersion, Side,
};

use super::master_key::Referred;
use super::rsa::private_operation;
use super::{Answer, Bytes, Hex16, Key, Kind, Subject, smaller_bytes, with_each, zeroed_bytes};
use crate::exchange;
use crate::reference;

/// An RSA key exchange, as a server imports it. Anything in it may be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportMasterKey {
    /// The key of the server.
    pub key: Key,
    /// The negotiated version.
    pub protocol: Hex16,
    /// The negotiated suite.
    pub suite: Hex16,
    /// The random of the ClientHello, 32 bytes; none leaves it out of the parameter list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_random: Option<Bytes>,
    /// The random of the ServerHello, 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_random: Option<Bytes>,
    /// The session hash of RFC 7627, with which the extended master secret is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_hash: Option<Bytes>,
    /// The version that the client offered; none stands for the negotiated one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_version: Option<Hex16>,
    /// The RSA ciphertext of the ClientKeyExchange.
    pub ciphertext: Bytes,
}

impl ImportMasterKey {
    /// Returns an exchange with the facts of one of the test kit.
    pub fn of(exchange: &exchange::Exchange, key: Key, ciphertext: Vec<u8>) -> Self {
        Self {
            key,
            protocol: exchange.protocol.into(),
            suite: Hex16::of_suite(exchange.suite),
            client_random: Some(exchange.client_random.into()),
            server_random: Some(exchange.server_random.into()),
            session_hash: exchange.session_hash.clone().map(Bytes::from),
            client_version: exchange.client_version.map(Hex16),
            ciphertext: ciphertext.into(),
        }
    }

    pub(super) fn protocol_version(&self) -> ProtocolVersion {
        self.protocol.into()
    }

    pub(super) fn parameters(&self) -> Result<ParameterList, Error> {
        let (client, server) = (self.client_random.as_ref(), self.server_random.as_ref());
        let list = parameters(client, server, self.session_hash.as_ref())?;
        Ok(match self.client_version {
            Some(version) => list.highest_version(version.into()),
            None => list,
        })
    }

    pub(super) fn master_key(&self, subject: &Subject) -> Result<MasterKey, Error> {
        let parameters = self.parameters()?;
        let key = subject.private_key(&self.key)?;
        let (version, suite) = (self.protocol_version(), self.suite.into());
        subject.provider().import_master_key(&key, version, suite, &parameters, &self.ciphertext)
    }

    /// Returns the exchange as the reference has it; none where a public fact is wrong, for which a
    /// reference has no status.
    pub(super) fn referred(&self) -> Option<Referred> {
        let version = self.protocol_version();
        let suite = CipherSuite::from(self.suite).info()?;
        if !exchange::PROTOCOLS.contains(&version)
            || !suite.key_exchange.is_rsa()
            || !suite.allows(version)
        {
            return None;
        }
        let array = |bytes: &Option<Bytes>| bytes.as_deref()?.try_into().ok();
        let exchange = exchange::Exchange {
            protocol: version,
            suite,
            client_random: array(&self.client_random)?,
            server_random: array(&self.server_random)?,
            session_hash: self.session_hash.as_deref().map(<[u8]>::to_vec),
            client_version: self.client_version.map(|version| version.0),
        };
        let hash_len = self.session_hash.as_ref().map(|hash| hash.len());
        if hash_len.is_some() && exchange::session_hash_len(version, suite) != hash_len {
            return None;
        }
        // Shorter keys are refused.
        let key = self.key.parts().filter(|key| key.modulus().bits() >= 1024)?;
        // An invalid ciphertext (wrong length, or >= n) is rejected like bad padding.
        let number = num_bigint::BigUint::from_bytes_be(&self.ciphertext);
        let is_one = self.ciphertext.len() == key.len() && number < *key.modulus();
        let block = is_one.then(|| private_operation(&key, &self.ciphertext));
        let version = Some(exchange.expected_version());
        let premaster_secret = block.and_then(|block| reference::unpad(&block, version));
        let premaster_secret = premaster_secret.as_deref();
        Some(Referred {
            protocol: exchange.protocol,
            suite,
            client_random: exchange.client_random,
            server_random: exchange.server_random,
            master_secret: exchange.expected_secret(&key, &self.ciphertext, premaster_secret),
        })
    }

    /// Smaller exchanges: only what does not change the form of the question.
    pub(super) fn smaller_exchange(&self) -> Vec<Self> {
        let randoms = |bytes: &Option<Bytes>| bytes.as_ref().map(zeroed_bytes).unwrap_or_default();
        let client = with_each(self, randoms(&self.client_random), |it, random| {
            it.client_random = Some(random);
        });
        let server = with_each(self, randoms(&self.server_random), |it, random| {
            it.server_random = Some(random);
        });
        let hash = with_each(self, randoms(&self.session_hash), |it, hash| {
            it.session_hash = Some(hash);
        });
        let without_hash = self.session_hash.is_some().then(|| {
            let mut without = self.clone();
            without.session_hash = None;
            without
        });
        let ciphertext = with_each(self, smaller_bytes(&self.ciphertext), |it, ciphertext| {
            it.ciphertext = ciphertext;
        });
        client.chain(server).chain(hash).chain(without_hash).chain(ciphertext).collect()
    }
}

/// Returns the parameter list of randoms and a session hash, whichever there are.
pub(super) fn parameters(
    client_random: Option<&Bytes>,
    server_random: Option<&Bytes>,
    session_hash: Option<&Bytes>,
) -> Result<ParameterList, Error> {
    let list = randoms(client_random, server_random)?;
    match session_hash {
        Some(hash) => list.session_hash(hash),
        None => Ok(list),
    }
}

pub(super) fn randoms(
    client: Option<&Bytes>,
    server: Option<&Bytes>,
) -> Result<ParameterList, Error> {
    let array = |bytes: &Bytes| {
        bytes[..].try_into().map_err(|_| Error::InvalidParameter("random: expected 32 bytes"))
    };
    let mut list = ParameterList::new();
    if let Some(random) = client {
        list = list.client_random(array(random)?);
    }
    if let Some(random) = server {
        list = list.server_random(array(random)?);
    }
    Ok(list)
}

pub(super) fn secret(key: &MasterKey) -> Result<Vec<u8>, Error> {
    Ok(key.secret_for_key_log()?.expose().to_vec())
}

impl Kind for ImportMasterKey {
    fn operation(&self) -> String {
        "import of a master key".to_owned()
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(self.protocol_version())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        Answer::of(self.master_key(subject).and_then(|key| secret(&key)), |secret| secret)
    }

    fn reference(&self) -> Option<Answer> {
        self.referred().map(|referred| Answer::Bytes(referred.master_secret.into()))
    }

    fn is_reference_cheap(&self) -> bool {
        self.ciphertext.len() <= 256
    }

    fn smaller(&self) -> Vec<Self> {
        self.smaller_exchange()
    }
}

/// The master secret of a pre-shared key (RFC 4279 section 2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Psk {
    /// The pre-shared key.
    pub psk: Bytes,
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

impl Psk {
    pub(super) fn master_key(&self, subject: &Subject) -> Result<MasterKey, Error> {
        let (client, server) = (Some(&self.client_random), Some(&self.server_random));
        let list = parameters(client, server, self.session_hash.as_ref())?;
        let (version, suite) = (self.protocol.into(), self.suite.into());
        let provider = subject.provider();
        provider.generate_psk_master_key(&self.psk, version, suite, &list, Side::Server)
    }

    pub(super) fn referred(&self) -> Option<Referred> {
        let suite = CipherSuite::from(self.suite).info()?;
        let protocol = self.protocol.into();
        if !suite.key_exchange.is_psk() || !suite.allows(protocol) || self.psk.is_empty() {
            return None;
        }
        let len = u16::try_from(self.psk.len()).ok().filter(|len| *len <= 1024)?.to_be_bytes();
        let premaster = [&len[..], &vec![0; self.psk.len()], &len, &self.psk].concat();
        referred(
            protocol,
            suite,
            &premaster,
            [&self.client_random, &self.server_random],
            self.session_hash.as_ref(),
        )
    }
}

/// Returns what follows from a premaster secret; none for a session hash or randoms of another
/// length.
pub(super) fn referred(
    protocol: ProtocolVersion,
    suite: &'static CipherSuiteInfo,
    premaster: &[u8],
    [client_random, server_random]: [&Bytes; 2],
    session_hash: Option<&Bytes>,
) -> Option<Referred> {
    let (client, server) = (client_random[..].try_into().ok()?, server_random[..].try_into().ok()?);
    let hash_len = session_hash.map(|hash| hash.len());
    if hash_len.is_some() && exchange::session_hash_len(protocol, suite) != hash_len {
        return None;
    }
    let master_secret = match session_hash {
        Some(hash) => reference::extended_master_secret(protocol, suite, premaster, hash),
        None => reference::master_secret(protocol, suite, premaster, client_random, server_random),
    };
    Some(Referred { protocol, suite, client_random: client, server_random: server, master_secret })
}

impl Kind for Psk {
    fn operation(&self) -> String {
        "master key of a pre-shared key".to_owned()
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

    fn smaller(&self) -> Vec<Self> {
        with_each(self, smaller_bytes(&self.psk), |it, psk| it.psk = psk).collect()
    }
}
