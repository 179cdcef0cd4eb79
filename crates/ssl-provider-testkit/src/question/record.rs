//! Records of every version and suite.

use serde::{Deserialize, Serialize};
use ssl_provider_core::{
    CipherMode, CipherSuite, Error, ProtocolVersion, RecordKey, RecordOptions, WriteKeys,
};

use super::{
    Answer, Bytes, Hex16, Kind, Subject, accepted_by_most, smaller_bytes, with_each, zeroed_bytes,
};
use crate::direction;

/// The keys of one direction, and what the hellos agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// The version.
    pub protocol: Hex16,
    /// The suite.
    pub suite: Hex16,
    /// Whether encrypt-then-MAC (RFC 7366) was negotiated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encrypt_then_mac: bool,
    /// The key of the MAC; empty for AEAD suites.
    pub mac_key: Bytes,
    /// The key of the cipher.
    pub write_key: Bytes,
    /// The first IV, or the salt of nonces; empty where records carry their own.
    pub write_iv: Bytes,
}

impl Keys {
    /// Returns the keys of a direction of the test kit.
    pub fn of(direction: &direction::Direction) -> Self {
        Self {
            protocol: direction.protocol.into(),
            suite: Hex16::of_suite(direction.suite),
            encrypt_then_mac: direction.options.encrypt_then_mac,
            mac_key: direction.mac_key.clone().into(),
            write_key: direction.write_key.clone().into(),
            write_iv: direction.write_iv.clone().into(),
        }
    }

    /// Returns the record key of a backend, at the beginning of the direction.
    ///
    /// # Errors
    ///
    /// Those of [`RecordKey::new`].
    pub fn record_key(&self, subject: &Subject) -> Result<RecordKey, Error> {
        let (version, suite) = (self.protocol.into(), self.suite.into());
        let connection = subject.provider().security_parameters(version, suite)?;
        let encrypt_then_mac = self.encrypt_then_mac;
        let options = RecordOptions { encrypt_then_mac, ..RecordOptions::default() };
        let (mac_key, write_key, write_iv) = (&self.mac_key, &self.write_key, &self.write_iv);
        RecordKey::new(&connection, options, WriteKeys { mac_key, write_key, write_iv })
    }

    fn mode(&self) -> &'static str {
        match CipherSuite::from(self.suite).info().map(|suite| suite.cipher.mode) {
            Some(CipherMode::Stream) => "stream",
            Some(CipherMode::Cbc) if self.encrypt_then_mac => "CBC, encrypt-then-MAC",
            Some(CipherMode::Cbc) => "CBC",
            Some(_) => "AEAD",
            None => "of an unknown suite",
        }
    }

    fn smaller(&self) -> impl Iterator<Item = Self> {
        let macs = with_each(self, zeroed_bytes(&self.mac_key), |it, key| it.mac_key = key);
        let keys = with_each(self, zeroed_bytes(&self.write_key), |it, key| it.write_key = key);
        let ivs = with_each(self, zeroed_bytes(&self.write_iv), |it, iv| it.write_iv = iv);
        macs.chain(keys).chain(ivs)
    }
}

/// A suite that no backend has ciphers for is one more thing that is unsupported.
fn unsupported(error: Error) -> Answer {
    match error {
        Error::UnsupportedSuite { .. } => Answer::Unsupported,
        other => other.into(),
    }
}

/// A record that is decrypted: the first of its direction, unless the sequence number says
/// otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecryptRecord {
    /// The keys.
    pub keys: Keys,
    /// The records right before it, all good, which are decrypted first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preceding: Vec<Bytes>,
    /// The sequence number; in DTLS with the epoch in its upper 16 bits.
    pub sequence_number: u64,
    /// The whole record with its header.
    pub record: Bytes,
}

impl DecryptRecord {
    /// Returns a key that has decrypted the records before.
    fn reader(&self, subject: &Subject) -> Result<RecordKey, Error> {
        let mut key = self.keys.record_key(subject)?.for_reading();
        let numbers = (0..self.sequence_number).rev().take(self.preceding.len());
        let numbers = numbers.collect::<Vec<_>>().into_iter().rev();
        for (number, record) in numbers.zip(&self.preceding) {
            let mut payload = vec![0; key.max_payload_len(record.len())];
            key.decrypt_packet(number, record, &mut payload)?;
        }
        Ok(key)
    }
}

impl Kind for DecryptRecord {
    fn operation(&self) -> String {
        format!("decryption of records, {}", self.keys.mode())
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(self.keys.protocol.into())
    }

    /// Apart and in place, which must be the same.
    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let (mut apart, mut in_place) = match (self.reader(subject), self.reader(subject)) {
            (Ok(apart), Ok(in_place)) => (apart, in_place),
            (Err(error), _) | (_, Err(error)) => return unsupported(error),
        };
        let mut payload = vec![0; apart.max_payload_len(self.record.len())];
        let decrypted = apart.decrypt_packet(self.sequence_number, &self.record, &mut payload);
        let decrypted = Answer::of(decrypted, |len| {
            payload.truncate(len);
            payload
        });
        let mut record = self.record.to_vec();
        let opened = in_place.decrypt_in_place(self.sequence_number, &mut record);
        let opened =
            Answer::of(opened, |range| record.get(range).map(<[u8]>::to_vec).unwrap_or_default());
        if decrypted == opened {
            return decrypted;
        }
        Answer::Defect(format!("apart: {decrypted}; in place: {opened}"))
    }

    fn smaller(&self) -> Vec<Self> {
        // With other keys the records before are none.
        let keys = if self.preceding.is_empty() { self.keys.smaller().collect() } else { vec![] };
        let keys = with_each(self, keys, |it, keys| it.keys = keys);
        let records = with_each(self, smaller_bytes(&self.record), |it, record| it.record = record);
        keys.chain(records).collect()
    }
}

/// A record that is encrypted. Some have a random IV or nonce, so the answer is whether the peers
/// decrypt it to the payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptRecord {
    /// The keys.
    pub keys: Keys,
    /// The sequence number; in DTLS with the epoch in its upper 16 bits.
    pub sequence_number: u64,
    /// The content type, such as 23 for application data.
    pub content_type: u8,
    /// The payload.
    pub payload: Bytes,
}

impl Kind for EncryptRecord {
    fn operation(&self) -> String {
        format!("encryption of records, {}", self.keys.mode())
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(self.keys.protocol.into())
    }

    fn ask(&self, subject: &Subject, peers: &[&Subject]) -> Answer {
        let mut key = match self.keys.record_key(subject) {
            Ok(key) => key,
            Err(error) => return unsupported(error),
        };
        let encrypted = key.record_len(self.payload.len()).and_then(|len| {
            let mut record = vec![0; len];
            let (number, content_type) = (self.sequence_number, self.content_type);
            let len = key.encrypt_packet(number, content_type, &self.payload, &mut record)?;
            record.truncate(len);
            Ok(record)
        });
        let record = match encrypted {
            Ok(record) => record,
            Err(error) => return error.into(),
        };
        let (keys, sequence_number) = (self.keys.clone(), self.sequence_number);
        let preceding = Vec::new();
        let written = DecryptRecord { keys, preceding, sequence_number, record: record.into() };
        accepted_by_most(subject, peers, |peer| match written.ask(peer, &[]) {
            Answer::Bytes(payload) if payload == self.payload => Answer::Accepted,
            Answer::Bytes(other) => Answer::Defect(format!("a peer decrypts it to {other}")),
            other => other,
        })
    }

    fn smaller(&self) -> Vec<Self> {
        let keys = with_each(self, self.keys.smaller().collect(), |it, keys| it.keys = keys);
        let payloads = with_each(self, smaller_bytes(&self.payload), |it, payload| {
            it.payload = payload;
        });
        keys.chain(payloads).collect()
    }
}
