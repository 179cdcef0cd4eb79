//! RSA key exchanges and pre-shared keys, and what follows from their master secret: session keys,
//! verify_data, exported keying material.

use serde::{Deserialize, Serialize};
use ssl_provider_core::{
    CipherSuite, Error, MasterKey, ParameterList, ProtocolVersion, RANDOMS_LEN, Side,
};

use super::rsa::private_operation;
use super::{Answer, Bytes, Hex16, Key, Kind, Subject, smaller_bytes, with_each, zeroed_bytes};
use crate::exchange::{self, concatenated};
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

    fn protocol_version(&self) -> ProtocolVersion {
        self.protocol.into()
    }

    fn parameters(&self) -> Result<ParameterList, Error> {
        let mut list = randoms(self.client_random.as_ref(), self.server_random.as_ref())?;
        if let Some(version) = self.client_version {
            list = list.highest_version(version.into());
        }
        match &self.session_hash {
            Some(hash) => list.session_hash(hash),
            None => Ok(list),
        }
    }

    fn master_key(&self, subject: &Subject) -> Result<MasterKey, Error> {
        let parameters = self.parameters()?;
        let key = subject.private_key(&self.key)?;
        let (version, suite) = (self.protocol_version(), self.suite.into());
        subject.provider().import_master_key(&key, version, suite, &parameters, &self.ciphertext)
    }

    /// Asks for something that follows from the master key.
    fn ask_then(
        &self,
        subject: &Subject,
        then: impl FnOnce(&MasterKey) -> Result<Vec<u8>, Error>,
    ) -> Answer {
        Answer::of(self.master_key(subject).and_then(|key| then(&key)), |bytes| bytes)
    }

    /// Returns the exchange as the reference has it, and its master secret; none where a public fact
    /// is wrong, for which a reference has no status.
    fn referred(&self) -> Option<(exchange::Exchange, Vec<u8>)> {
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
        let key = self.key.parts()?;
        // A ciphertext that is none is rejected like a bad block.
        let number = num_bigint::BigUint::from_bytes_be(&self.ciphertext);
        let is_one = self.ciphertext.len() == key.len() && number < *key.modulus();
        let block = is_one.then(|| private_operation(&key, &self.ciphertext));
        let version = Some(exchange.expected_version());
        let premaster_secret = block.and_then(|block| reference::unpad(&block, version));
        let secret = exchange.expected_secret(&key, &self.ciphertext, premaster_secret.as_deref());
        Some((exchange, secret))
    }

    /// Smaller exchanges: only what does not change the form of the question.
    fn smaller_exchange(&self) -> Vec<Self> {
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

fn randoms(client: Option<&Bytes>, server: Option<&Bytes>) -> Result<ParameterList, Error> {
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

fn secret(key: &MasterKey) -> Result<Vec<u8>, Error> {
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
        self.ask_then(subject, secret)
    }

    fn reference(&self) -> Option<Answer> {
        let (_, secret) = self.referred()?;
        Some(Answer::Bytes(secret.into()))
    }

    fn is_reference_cheap(&self) -> bool {
        self.ciphertext.len() <= 128
    }

    fn smaller(&self) -> Vec<Self> {
        self.smaller_exchange()
    }
}

/// What a kind shares that begins with an import.
macro_rules! after_import {
    () => {
        fn protocol(&self) -> Option<ProtocolVersion> {
            Some(self.exchange.protocol_version())
        }

        fn is_reference_cheap(&self) -> bool {
            self.exchange.is_reference_cheap()
        }
    };
}

/// The session keys after an import, in the order of the key block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionKeys {
    /// The exchange, with both randoms.
    pub exchange: ImportMasterKey,
}

impl Kind for SessionKeys {
    after_import!();

    fn operation(&self) -> String {
        "session keys".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        self.exchange.ask_then(subject, |key| {
            key.session_keys(&self.exchange.parameters()?).map(|keys| concatenated(&keys))
        })
    }

    fn reference(&self) -> Option<Answer> {
        let (exchange, secret) = self.exchange.referred()?;
        Some(Answer::Bytes(exchange.session_keys(&secret).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, self.exchange.smaller_exchange(), |it, exchange| it.exchange = exchange)
            .collect()
    }
}

/// A side of a connection in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sender {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl From<Sender> for Side {
    fn from(sender: Sender) -> Self {
        match sender {
            Sender::Client => Self::Client,
            Sender::Server => Self::Server,
        }
    }
}

/// The verify_data after an import, over handshake messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// The exchange.
    pub exchange: ImportMasterKey,
    /// The handshake messages so far.
    pub messages: Vec<Bytes>,
    /// Whose Finished it is.
    pub sender: Sender,
}

impl Kind for Finished {
    after_import!();

    fn operation(&self) -> String {
        "Finished".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        self.exchange.ask_then(subject, |key| {
            let (version, suite) = (self.exchange.protocol_version(), self.exchange.suite.into());
            let mut hash = subject.provider().handshake_hash(version, suite)?;
            self.messages.iter().for_each(|message| hash.update(message));
            let mut data = vec![0; key.verify_data_len()];
            key.verify_data(self.sender.into(), &hash, &mut data)?;
            Ok(data)
        })
    }

    fn reference(&self) -> Option<Answer> {
        let (exchange, secret) = self.exchange.referred()?;
        let messages: Vec<u8> = self.messages.iter().flat_map(|part| part.to_vec()).collect();
        let (protocol, suite) = (exchange.protocol, exchange.suite);
        let side = self.sender.into();
        let data = crate::cases::handshakes::expected_verify_data(
            protocol, suite, side, &secret, &messages,
        );
        Some(Answer::Bytes(data.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let fewer = (0..self.messages.len()).map(|at| {
            let mut fewer = self.clone();
            fewer.messages.remove(at);
            fewer
        });
        let exchanges = self.exchange.smaller_exchange();
        fewer.chain(with_each(self, exchanges, |it, exchange| it.exchange = exchange)).collect()
    }
}

/// Keying material (RFC 5705) after an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The exchange, with both randoms.
    pub exchange: ImportMasterKey,
    /// The label.
    pub label: String,
    /// The context; none is not the same as an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// Length of the output in bytes.
    pub len: usize,
}

impl Export {
    fn randoms(&self) -> Vec<u8> {
        let parts = [&self.exchange.client_random, &self.exchange.server_random];
        parts.into_iter().flatten().flat_map(|part| part.to_vec()).collect()
    }
}

impl Kind for Export {
    after_import!();

    fn operation(&self) -> String {
        "exported keying material".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        self.exchange.ask_then(subject, |key| {
            let mut out = vec![0; self.len];
            let (label, context) = (self.label.as_bytes(), self.context.as_deref());
            key.export_keying_material(label, &self.randoms(), context, &mut out)?;
            Ok(out)
        })
    }

    fn reference(&self) -> Option<Answer> {
        let (exchange, secret) = self.exchange.referred()?;
        let prf = reference::prf_of(exchange.protocol, exchange.suite)?;
        // Labels that are refused are for the cases.
        if !self.label.starts_with("EXPORTER") || self.randoms().len() != RANDOMS_LEN {
            return None;
        }
        let context = match self.context.as_deref() {
            Some(context) => [&u16::try_from(context.len()).ok()?.to_be_bytes(), context].concat(),
            None => Vec::new(),
        };
        let seed = [&self.randoms()[..], &context];
        let out = reference::prf(prf, &secret, self.label.as_bytes(), &seed, self.len);
        Some(Answer::Bytes(out.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let contexts = self.context.as_ref().map(smaller_bytes).unwrap_or_default();
        let contexts = with_each(self, contexts, |it, context| it.context = Some(context));
        let exchanges = self.exchange.smaller_exchange();
        contexts.chain(with_each(self, exchanges, |it, exchange| it.exchange = exchange)).collect()
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
}

impl Kind for Psk {
    fn operation(&self) -> String {
        "master key of a pre-shared key".to_owned()
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(self.protocol.into())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let list = randoms(Some(&self.client_random), Some(&self.server_random));
        let generated = list.and_then(|list| {
            let (version, suite) = (self.protocol.into(), self.suite.into());
            let provider = subject.provider();
            provider.generate_psk_master_key(&self.psk, version, suite, &list, Side::Server)
        });
        Answer::of(generated.and_then(|key| secret(&key)), |bytes| bytes)
    }

    fn reference(&self) -> Option<Answer> {
        let suite = CipherSuite::from(self.suite).info()?;
        let version = self.protocol.into();
        if !suite.key_exchange.is_psk() || !suite.allows(version) || self.psk.is_empty() {
            return None;
        }
        let len = u16::try_from(self.psk.len()).ok().filter(|len| *len <= 1024)?.to_be_bytes();
        let premaster = [&len[..], &vec![0; self.psk.len()], &len, &self.psk].concat();
        let (client, server) = (&self.client_random, &self.server_random);
        let secret = reference::master_secret(version, suite, &premaster, client, server);
        Some(Answer::Bytes(secret.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, smaller_bytes(&self.psk), |it, psk| it.psk = psk).collect()
    }
}
