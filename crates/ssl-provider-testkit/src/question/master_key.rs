//! What follows from a master key, whichever key exchange it is from: session keys, verify_data,
//! exported keying material.

use serde::{Deserialize, Serialize};
use ssl_provider_core::{
    CipherSuite, CipherSuiteInfo, Error, MasterKey, ParameterList, ProtocolVersion, RANDOM_LEN,
    Side,
};

use super::agreement::AgreeMasterKey;
use super::import::{ImportMasterKey, Psk, randoms};
use super::{Answer, Bytes, Hex16, Kind, Subject, smaller_bytes, text, with_each, without_each};
use crate::cases::handshakes::expected_verify_data;
use crate::exchange::{PROTOCOLS, concatenated};
use crate::reference;

/// A key exchange, by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    /// RSA.
    Rsa(ImportMasterKey),
    /// A pre-shared key.
    Psk(Psk),
    /// (EC)DHE.
    Agreement(AgreeMasterKey),
}

/// A key exchange that succeeds, as the reference has it.
pub(super) struct Referred {
    pub(super) protocol: ProtocolVersion,
    pub(super) suite: &'static CipherSuiteInfo,
    pub(super) client_random: [u8; RANDOM_LEN],
    pub(super) server_random: [u8; RANDOM_LEN],
    pub(super) master_secret: Vec<u8>,
}

impl Exchange {
    fn numbers(&self) -> (Hex16, Hex16) {
        match self {
            Self::Rsa(it) => (it.protocol, it.suite),
            Self::Psk(it) => (it.protocol, it.suite),
            Self::Agreement(it) => (it.protocol, it.suite),
        }
    }

    fn randoms(&self) -> (Option<&Bytes>, Option<&Bytes>) {
        match self {
            Self::Rsa(it) => (it.client_random.as_ref(), it.server_random.as_ref()),
            Self::Psk(it) => (Some(&it.client_random), Some(&it.server_random)),
            Self::Agreement(it) => (Some(&it.client_random), Some(&it.server_random)),
        }
    }

    fn both_randoms(&self) -> Result<ParameterList, Error> {
        let (client, server) = self.randoms();
        randoms(client, server)
    }

    fn master_key(&self, subject: &Subject) -> Result<MasterKey, Error> {
        match self {
            Self::Rsa(it) => it.master_key(subject),
            Self::Psk(it) => it.master_key(subject),
            Self::Agreement(it) => it.master_key(subject),
        }
    }

    /// Asks for something that follows from the master key.
    fn ask_then(
        &self,
        subject: &Subject,
        then: impl FnOnce(&MasterKey) -> Result<Vec<u8>, Error>,
    ) -> Answer {
        Answer::of(self.master_key(subject).and_then(|key| then(&key)), |bytes| bytes)
    }

    fn referred(&self) -> Option<Referred> {
        match self {
            Self::Rsa(it) => it.referred(),
            Self::Psk(it) => it.referred(),
            Self::Agreement(it) => it.referred(),
        }
    }

    fn is_reference_cheap(&self) -> bool {
        match self {
            Self::Rsa(it) => it.is_reference_cheap(),
            Self::Psk(it) => it.is_reference_cheap(),
            Self::Agreement(it) => it.is_reference_cheap(),
        }
    }

    fn smaller(&self) -> Vec<Self> {
        match self {
            Self::Rsa(it) => it.smaller().into_iter().map(Self::Rsa).collect(),
            Self::Psk(it) => it.smaller().into_iter().map(Self::Psk).collect(),
            Self::Agreement(it) => it.smaller().into_iter().map(Self::Agreement).collect(),
        }
    }
}

/// What the kinds share that begin with a key exchange.
macro_rules! after_exchange {
    () => {
        fn protocol(&self) -> Option<ProtocolVersion> {
            Some(self.exchange.numbers().0.into())
        }

        fn is_reference_cheap(&self) -> bool {
            self.exchange.is_reference_cheap()
        }
    };
}

/// The session keys, in the order of the key block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionKeys {
    /// The exchange, with both randoms.
    pub exchange: Exchange,
}

impl Kind for SessionKeys {
    after_exchange!();

    fn operation(&self) -> String {
        "session keys".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        self.exchange.ask_then(subject, |key| {
            key.session_keys(&self.exchange.both_randoms()?).map(|keys| concatenated(&keys))
        })
    }

    fn reference(&self) -> Option<Answer> {
        let Referred { protocol, suite, client_random, server_random, master_secret } =
            self.exchange.referred()?;
        let keys = reference::session_keys(
            protocol,
            suite,
            &master_secret,
            &client_random,
            &server_random,
        );
        Some(Answer::Bytes(keys.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, self.exchange.smaller(), |it, exchange| it.exchange = exchange).collect()
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

/// The verify_data of a Finished message, over handshake messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// The exchange.
    pub exchange: Exchange,
    /// The handshake messages so far.
    pub messages: Vec<Bytes>,
    /// Whose Finished it is.
    pub sender: Sender,
}

impl Kind for Finished {
    after_exchange!();

    fn operation(&self) -> String {
        "Finished".to_owned()
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        self.exchange.ask_then(subject, |key| {
            let (version, suite) = self.exchange.numbers();
            let mut hash = subject.provider().handshake_hash(version.into(), suite.into())?;
            self.messages.iter().for_each(|message| hash.update(message));
            let mut data = vec![0; key.verify_data_len()];
            key.verify_data(self.sender.into(), &hash, &mut data)?;
            Ok(data)
        })
    }

    fn reference(&self) -> Option<Answer> {
        let Referred { protocol, suite, master_secret, .. } = self.exchange.referred()?;
        let messages: Vec<u8> = self.messages.iter().flat_map(|part| part.to_vec()).collect();
        let side = self.sender.into();
        let data = expected_verify_data(protocol, suite, side, &master_secret, &messages);
        Some(Answer::Bytes(data.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let lists = without_each(&self.messages);
        let fewer = with_each(self, lists, |it, messages| it.messages = messages);
        let exchanges = self.exchange.smaller();
        fewer.chain(with_each(self, exchanges, |it, exchange| it.exchange = exchange)).collect()
    }
}

/// The hash of handshake messages, as Finished and the extended master secret take it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandshakeHash {
    /// The negotiated version.
    pub protocol: Hex16,
    /// The negotiated suite.
    pub suite: Hex16,
    /// The messages.
    pub messages: Vec<Bytes>,
}

impl Kind for HandshakeHash {
    fn operation(&self) -> String {
        "handshake hash".to_owned()
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(self.protocol.into())
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let started = subject.provider().handshake_hash(self.protocol.into(), self.suite.into());
        let hash = started.and_then(|mut hash| {
            self.messages.iter().for_each(|message| hash.update(message));
            hash.current()
        });
        Answer::of(hash, |hash| hash)
    }

    fn reference(&self) -> Option<Answer> {
        let (protocol, suite) =
            (ProtocolVersion::from(self.protocol), CipherSuite::from(self.suite).info()?);
        if !PROTOCOLS.contains(&protocol) || !suite.allows(protocol) {
            return None;
        }
        let messages: Vec<u8> = self.messages.iter().flat_map(|part| part.to_vec()).collect();
        Some(Answer::Bytes(reference::handshake_hash(protocol, suite, &messages).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let lists = without_each(&self.messages);
        let fewer = with_each(self, lists, |it, messages| it.messages = messages);
        fewer.collect()
    }
}

/// Keying material for another protocol (RFC 5705).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The exchange, with both randoms.
    pub exchange: Exchange,
    /// The label.
    pub label: String,
    /// The context; none is not the same as an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// Length of the output in bytes, at most 1 MiB.
    #[serde(deserialize_with = "text::output_len")]
    pub len: usize,
}

impl Export {
    fn randoms(&self) -> Vec<u8> {
        let (client, server) = self.exchange.randoms();
        [client, server].into_iter().flatten().flat_map(|part| part.to_vec()).collect()
    }
}

impl Kind for Export {
    after_exchange!();

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
        // Labels that are refused are for the cases.
        let is_plain = self.label.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !self.label.starts_with("EXPORTER") || !is_plain {
            return None;
        }
        let Referred { protocol, suite, master_secret, .. } = self.exchange.referred()?;
        let prf = reference::prf_of(protocol, suite)?;
        let context = match self.context.as_deref() {
            Some(context) => [&u16::try_from(context.len()).ok()?.to_be_bytes(), context].concat(),
            None => Vec::new(),
        };
        let seed = [&self.randoms()[..], &context];
        let out = reference::prf(prf, &master_secret, self.label.as_bytes(), &seed, self.len);
        Some(Answer::Bytes(out.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let contexts = self.context.as_ref().map(smaller_bytes).unwrap_or_default();
        let contexts = with_each(self, contexts, |it, context| it.context = Some(context));
        let exchanges = self.exchange.smaller();
        contexts.chain(with_each(self, exchanges, |it, exchange| it.exchange = exchange)).collect()
    }
}
