//! TLS 1.3: all secrets of a handshake, and its records.

use serde::{Deserialize, Serialize};
use ssl_provider_core::tls13::{MAX_TICKET_NONCE_LEN, PskKind, TrafficPhase, TrafficSecret};
use ssl_provider_core::{
    CipherSuite, CipherSuiteInfo, Error, HashAlgorithm, MAX_PAYLOAD_LEN, MAX_PSK_LEN,
    ProtocolVersion, Provider, RecordKey, RecordOptions, Side,
};

use super::{Answer, Bytes, Hex16, Kind, Subject, smaller_bytes, text, with_each, zeroed_bytes};
use crate::reference13 as reference;

/// A secret, or what follows from it, with the name that it has in published handshakes.
pub type Value = (String, Vec<u8>);

/// Where a pre-shared key comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PskOrigin {
    /// Agreed outside TLS.
    External,
    /// An earlier connection.
    Resumption,
}

impl From<PskOrigin> for PskKind {
    fn from(origin: PskOrigin) -> Self {
        match origin {
            PskOrigin::External => Self::External,
            PskOrigin::Resumption => Self::Resumption,
        }
    }
}

/// A pre-shared key that the client offers, and that the server takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Psk {
    /// The key.
    pub key: Bytes,
    /// Where it comes from.
    pub origin: PskOrigin,
    /// Bytes of the list of binders, at the end of ClientHello.
    pub binders_len: usize,
}

/// What is exported with both exporter secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exporter {
    /// The label.
    pub label: String,
    /// The context; none is the same as an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Bytes>,
    /// Length of the output in bytes, at most 1 MiB.
    #[serde(deserialize_with = "text::output_len")]
    pub len: usize,
}

/// All secrets of a handshake (RFC 8446 section 7.1), one after the other, with binder, verify_data
/// and keying material. The messages need not be any: what counts are their bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The suite.
    pub suite: Hex16,
    /// The pre-shared key, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psk: Option<Psk>,
    /// The (EC)DHE secret; none where the pre-shared key is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_secret: Option<Bytes>,
    /// The first ClientHello, where the server answered it with HelloRetryRequest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retried_client_hello: Option<Bytes>,
    /// ClientHello, after HelloRetryRequest if there was one.
    pub client_hello: Bytes,
    /// ServerHello.
    pub server_hello: Bytes,
    /// What the server sends between ServerHello and Finished.
    pub server_flight: Bytes,
    /// The server's Finished.
    pub server_finished: Bytes,
    /// What the client sends before its Finished.
    pub client_flight: Bytes,
    /// The client's Finished.
    pub client_finished: Bytes,
    /// What is exported.
    pub exporter: Exporter,
    /// The nonce of a ticket.
    pub ticket_nonce: Bytes,
    /// How often both sides update their keys.
    pub key_updates: u8,
    /// The name of the value that is asked for; none for all of them, one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<String>,
}

impl Secrets {
    /// Returns the suite, if it is one of TLS 1.3.
    pub fn suite(&self) -> Option<&'static CipherSuiteInfo> {
        tls13_suite(self.suite)
    }

    /// Those of the values that are asked for, without their names.
    fn asked(&self, values: Vec<Value>) -> Vec<u8> {
        let is_asked = |name: &str| self.only.as_ref().is_none_or(|only| only == name);
        let asked = values.into_iter().filter(|(name, _)| is_asked(name));
        asked.flat_map(|(_, bytes)| bytes).collect()
    }

    /// ClientHello without its binders.
    fn truncated_client_hello(&self, psk: &Psk) -> &[u8] {
        &self.client_hello[..self.client_hello.len().saturating_sub(psk.binders_len)]
    }

    /// Computes every value by core over a backend, under a policy that shows secrets. Finished and
    /// binder are verified besides.
    ///
    /// # Errors
    ///
    /// Those of the functions of [`ssl_provider_core::tls13`].
    pub fn by_core(&self, provider: &Provider) -> Result<Vec<Value>, Error> {
        let connection = provider.tls13_parameters(self.suite.into())?;
        let mut values = Vec::new();
        let mut push = |name: &str, bytes: &[u8]| values.push((name.to_owned(), bytes.to_vec()));
        let mut tag = vec![0; connection.hash_len()];
        let mut exported = vec![0; self.exporter.len];
        let psk = match &self.psk {
            Some(psk) => Some((psk, provider.pre_shared_key(connection.hash(), &psk.key)?)),
            None => None,
        };

        let early = connection.early_secret(psk.as_ref().map(|(_, key)| key))?;
        push("early_secret", early.secret_for_vectors()?);
        let mut transcript = connection.transcript()?;
        if let Some(client_hello) = &self.retried_client_hello {
            transcript.update(client_hello);
            transcript = connection.transcript_after_retry(&transcript)?;
        }
        if let Some((psk, _)) = &psk {
            let binder_key = early.binder_key(psk.origin.into())?;
            push("binder_key", binder_key.secret_for_vectors()?);
            let mut truncated = transcript.duplicate();
            truncated.update(self.truncated_client_hello(psk));
            push("binder_hash", &truncated.current()?);
            binder_key.binder(&truncated, &mut tag)?;
            binder_key.verify_binder(&truncated, &tag)?;
            push("binder", &tag);
        }
        transcript.update(&self.client_hello);
        push("hash of ClientHello", &transcript.current()?);
        if psk.is_some() {
            let secret = early.traffic_secret(&transcript)?;
            push("client_early_traffic_secret", secret.secret_for_key_log()?);
            let secret = early.exporter_secret(&transcript)?;
            push("early_exporter_master_secret", secret.secret_for_key_log()?);
            let Exporter { label, context, .. } = &self.exporter;
            secret.export_keying_material(label.as_bytes(), context.as_deref(), &mut exported)?;
            push("early exported", &exported);
        }

        let handshake = match &self.shared_secret {
            Some(shared) => early.handshake_secret_of_shared(shared)?,
            None => early.handshake_secret_of_psk()?,
        };
        push("handshake_secret", handshake.secret_for_vectors()?);
        transcript.update(&self.server_hello);
        push("hash of ServerHello", &transcript.current()?);
        let client = handshake.traffic_secret(Side::Client, &transcript)?;
        push("client_handshake_traffic_secret", client.secret_for_key_log()?);
        let server = handshake.traffic_secret(Side::Server, &transcript)?;
        push("server_handshake_traffic_secret", server.secret_for_key_log()?);
        transcript.update(&self.server_flight);
        push("hash before the server's Finished", &transcript.current()?);
        server.verify_data(&transcript, &mut tag)?;
        server.verify_finished(&transcript, &tag)?;
        push("server_verify_data", &tag);
        transcript.update(&self.server_finished);
        push("hash of the server's Finished", &transcript.current()?);

        let master = handshake.master_secret()?;
        push("master_secret", master.secret_for_vectors()?);
        let traffic = [(Side::Client, "client"), (Side::Server, "server")];
        for (side, name) in traffic {
            let mut secret = master.traffic_secret(side, &transcript)?;
            push(&application_secret(name, 0), secret.secret_for_key_log()?);
            for number in 1..=self.key_updates {
                secret = secret.updated()?;
                push(&application_secret(name, number), secret.secret_for_key_log()?);
            }
        }
        let exporter = master.exporter_secret(&transcript)?;
        push("exporter_master_secret", exporter.secret_for_key_log()?);
        let Exporter { label, context, .. } = &self.exporter;
        exporter.export_keying_material(label.as_bytes(), context.as_deref(), &mut exported)?;
        push("exported", &exported);
        transcript.update(&self.client_flight);
        push("hash before the client's Finished", &transcript.current()?);
        client.verify_data(&transcript, &mut tag)?;
        client.verify_finished(&transcript, &tag)?;
        push("client_verify_data", &tag);
        transcript.update(&self.client_finished);
        push("hash of the client's Finished", &transcript.current()?);
        let resumption = master.resumption_secret(&transcript)?;
        push("resumption_master_secret", resumption.secret_for_vectors()?);
        // Nothing reads a pre-shared key; the Early Secret of the next connection shows it.
        let psk = resumption.pre_shared_key(&self.ticket_nonce)?;
        let early = connection.early_secret(Some(&psk))?;
        push("early_secret of the ticket", early.secret_for_vectors()?);
        Ok(values)
    }

    /// Computes every value by the reference; none where core has to refuse something.
    pub fn by_reference(&self) -> Option<Vec<Value>> {
        let hash = reference::hash_of(self.suite()?);
        let label = self.exporter.label.as_bytes();
        let is_label = (1..=249).contains(&label.len())
            && label.iter().all(|byte| (b' '..=b'~').contains(byte));
        let lengths = [
            (self.exporter.len, 1..=255 * hash.output_len()),
            (self.ticket_nonce.len(), 0..=MAX_TICKET_NONCE_LEN),
            (self.psk.as_ref().map_or(1, |psk| psk.key.len()), 1..=MAX_PSK_LEN),
        ];
        let has_secret = self.psk.is_some() || self.shared_secret.is_some();
        if !is_label || !has_secret || lengths.iter().any(|(len, range)| !range.contains(len)) {
            return None;
        }
        Some(self.values(hash))
    }

    fn values(&self, hash: HashAlgorithm) -> Vec<Value> {
        let mut values = Vec::new();
        let mut push = |name: &str, bytes: &[u8]| values.push((name.to_owned(), bytes.to_vec()));
        let retried = self.retried_client_hello.as_deref();
        let messages: [&[u8]; 6] = [
            &self.client_hello,
            &self.server_hello,
            &self.server_flight,
            &self.server_finished,
            &self.client_flight,
            &self.client_finished,
        ];
        let up_to = |count| reference::transcript_hash(hash, retried, &messages[..count]);
        let derive = |secret: &[u8], label: &[u8], context: &[u8]| {
            reference::derive(hash, secret, label, context)
        };
        let finished = |secret: &[u8], context: &[u8]| reference::finished(hash, secret, context);
        let Exporter { label, context, len } = &self.exporter;
        let context = context.as_deref().unwrap_or_default();
        let export =
            |secret: &[u8]| reference::exported(hash, secret, label.as_bytes(), context, *len);

        let psk = self.psk.as_ref();
        let key = psk.map(|psk| &psk.key[..]);
        let schedule = reference::Schedule::new(hash, key, self.shared_secret.as_deref());
        push("early_secret", &schedule.early);
        if let Some(psk) = psk {
            let key = schedule.binder_key(psk.origin == PskOrigin::External);
            push("binder_key", &key);
            let truncated = [self.truncated_client_hello(psk)];
            let context = reference::transcript_hash(hash, retried, &truncated);
            push("binder_hash", &context);
            push("binder", &finished(&key, &context));
        }
        push("hash of ClientHello", &up_to(1));
        if psk.is_some() {
            push(
                "client_early_traffic_secret",
                &derive(&schedule.early, b"c e traffic", &up_to(1)),
            );
            let secret = derive(&schedule.early, b"e exp master", &up_to(1));
            push("early_exporter_master_secret", &secret);
            push("early exported", &export(&secret));
        }
        push("handshake_secret", &schedule.handshake);
        push("hash of ServerHello", &up_to(2));
        let client = derive(&schedule.handshake, b"c hs traffic", &up_to(2));
        push("client_handshake_traffic_secret", &client);
        let server = derive(&schedule.handshake, b"s hs traffic", &up_to(2));
        push("server_handshake_traffic_secret", &server);
        push("hash before the server's Finished", &up_to(3));
        push("server_verify_data", &finished(&server, &up_to(3)));
        push("hash of the server's Finished", &up_to(4));
        push("master_secret", &schedule.master);
        for (name, label) in [("client", b"c ap traffic"), ("server", b"s ap traffic")] {
            let mut secret = derive(&schedule.master, label, &up_to(4));
            push(&application_secret(name, 0), &secret);
            for number in 1..=self.key_updates {
                secret = reference::updated(hash, &secret);
                push(&application_secret(name, number), &secret);
            }
        }
        let exporter = derive(&schedule.master, b"exp master", &up_to(4));
        push("exporter_master_secret", &exporter);
        push("exported", &export(&exporter));
        push("hash before the client's Finished", &up_to(5));
        push("client_verify_data", &finished(&client, &up_to(5)));
        push("hash of the client's Finished", &up_to(6));
        let resumption = derive(&schedule.master, b"res master", &up_to(6));
        push("resumption_master_secret", &resumption);
        let psk = reference::resumption_psk(hash, &resumption, &self.ticket_nonce);
        let next = reference::Schedule::new(hash, Some(&psk), None);
        push("early_secret of the ticket", &next.early);
        values
    }
}

/// The name of an application traffic secret after so many updates.
pub fn application_secret(side: &str, updates: u8) -> String {
    format!("{side}_application_traffic_secret_{updates}")
}

fn tls13_suite(suite: Hex16) -> Option<&'static CipherSuiteInfo> {
    CipherSuite::from(suite).info().filter(|suite| suite.allows(ProtocolVersion::TLS1_3))
}

impl Kind for Secrets {
    fn operation(&self) -> String {
        let hash = self.suite().map(|suite| reference::hash_of(suite).name());
        format!("secrets of TLS 1.3, {}", hash.unwrap_or("of another suite"))
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(ProtocolVersion::TLS1_3)
    }

    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        Answer::of(self.by_core(subject.provider()), |values| self.asked(values))
    }

    fn reference(&self) -> Option<Answer> {
        self.by_reference().map(|values| Answer::Bytes(self.asked(values).into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let without = [
            Self { psk: None, ..self.clone() },
            Self { shared_secret: None, ..self.clone() },
            Self { retried_client_hello: None, ..self.clone() },
            Self { key_updates: 0, ..self.clone() },
            Self {
                exporter: Exporter { context: None, len: 1, ..self.exporter.clone() },
                ..self.clone()
            },
        ];
        let without = without.into_iter().filter(|smaller| smaller != self);
        type Field = fn(&mut Secrets) -> &mut Bytes;
        let fields: [Field; 7] = [
            |it| &mut it.client_hello,
            |it| &mut it.server_hello,
            |it| &mut it.server_flight,
            |it| &mut it.server_finished,
            |it| &mut it.client_flight,
            |it| &mut it.client_finished,
            |it| &mut it.ticket_nonce,
        ];
        let shorter = fields.into_iter().flat_map(|field| {
            let bytes = field(&mut self.clone()).clone();
            with_each(self, smaller_bytes(&bytes), move |it, bytes| *field(it) = bytes)
        });
        without.chain(shorter).collect()
    }
}

/// What one side writes with: a traffic secret of its suite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// The suite.
    pub suite: Hex16,
    /// The traffic secret, as long as the hash of the suite.
    pub secret: Bytes,
}

impl Traffic {
    /// Returns the traffic secret on a backend, as that of the server's application data.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedSuite`], [`Error::InvalidParameter`] for a secret of another length.
    pub fn traffic_secret(&self, provider: &Provider) -> Result<TrafficSecret, Error> {
        let connection = provider.tls13_parameters(self.suite.into())?;
        connection.traffic_secret_for_vectors(Side::Server, TrafficPhase::Application, &self.secret)
    }

    /// Returns the key of its records.
    ///
    /// # Errors
    ///
    /// Those of [`traffic_secret`](Self::traffic_secret) and of [`TrafficSecret::record_key`].
    pub fn record_key(
        &self,
        provider: &Provider,
        options: RecordOptions,
    ) -> Result<RecordKey, Error> {
        self.traffic_secret(provider)?.record_key(options)
    }

    /// Returns the suite, if the secret is one of it.
    fn suite(&self) -> Option<&'static CipherSuiteInfo> {
        let is_of_suite =
            |suite: &&CipherSuiteInfo| reference::hash_of(suite).output_len() == self.secret.len();
        tls13_suite(self.suite).filter(is_of_suite)
    }

    fn operation(&self, what: &str) -> String {
        let cipher = tls13_suite(self.suite).map(|suite| reference::cipher(suite).name());
        format!("{what} of TLS 1.3 records, {}", cipher.unwrap_or("of another suite"))
    }

    fn smaller(&self) -> impl Iterator<Item = Self> {
        with_each(self, zeroed_bytes(&self.secret), |it, secret| it.secret = secret)
    }
}

/// A record that is protected; the answer is the whole record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// What it is written with.
    pub traffic: Traffic,
    /// The sequence number.
    pub sequence_number: u64,
    /// The content type that is encrypted.
    pub content_type: u8,
    /// The payload.
    pub payload: Bytes,
    /// Payload and content type are padded to a multiple of so many bytes; 0 is no padding.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub padding_block: u16,
}

// Serde hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u16) -> bool {
    *number == 0
}

impl Seal {
    /// Zeros behind the content type.
    fn padding(&self) -> usize {
        let inner = self.payload.len() + 1;
        match usize::from(self.padding_block) {
            0 => 0,
            block => (inner.div_ceil(block) * block).min(MAX_PAYLOAD_LEN + 1) - inner,
        }
    }
}

impl Kind for Seal {
    fn operation(&self) -> String {
        self.traffic.operation("protection")
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(ProtocolVersion::TLS1_3)
    }

    /// Apart and in place, which must be the same.
    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let options =
            RecordOptions { padding_block: self.padding_block, ..RecordOptions::default() };
        let key = || self.traffic.record_key(subject.provider(), options);
        let (mut apart, mut in_place) = match (key(), key()) {
            (Ok(apart), Ok(in_place)) => (apart, in_place),
            (Err(error), _) | (_, Err(error)) => return error.into(),
        };
        let (number, content_type) = (self.sequence_number, self.content_type);
        let len = match apart.record_len(self.payload.len()) {
            Ok(len) => len,
            Err(error) => return error.into(),
        };
        let mut record = vec![0; len];
        let sealed = apart.encrypt_packet(number, content_type, &self.payload, &mut record);
        let sealed = Answer::of(sealed, |len| record[..len].to_vec());
        let mut record = vec![0xa5; len];
        let start = in_place.payload_offset();
        record[start..start + self.payload.len()].copy_from_slice(&self.payload);
        let payload_len = self.payload.len();
        let second = in_place.encrypt_in_place(number, content_type, payload_len, &mut record);
        let second = Answer::of(second, |len| record[..len].to_vec());
        if sealed == second {
            return sealed;
        }
        Answer::Defect(format!("apart: {sealed}; in place: {second}"))
    }

    fn reference(&self) -> Option<Answer> {
        let suite = self.traffic.suite()?;
        let may_be = match self.content_type {
            0 | 20 => false,
            21 | 22 => !self.payload.is_empty(),
            _ => true,
        };
        if !may_be || self.payload.len() > MAX_PAYLOAD_LEN || self.sequence_number == u64::MAX {
            return Some(Error::InvalidParameter("").into());
        }
        let text = reference::inner(self.content_type, &self.payload, self.padding());
        let record = reference::seal(suite, &self.traffic.secret, self.sequence_number, &text);
        Some(Answer::Bytes(record.into()))
    }

    fn smaller(&self) -> Vec<Self> {
        let secrets = with_each(self, self.traffic.smaller().collect(), |it, traffic| {
            it.traffic = traffic;
        });
        let payloads = with_each(self, smaller_bytes(&self.payload), |it, payload| {
            it.payload = payload;
        });
        let unpadded = (self.padding_block != 0).then(|| Self { padding_block: 0, ..self.clone() });
        secrets.chain(payloads).chain(unpadded).collect()
    }
}

/// A record that is opened; the answer is the payload with its content type behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// What it was written with.
    pub traffic: Traffic,
    /// The sequence number.
    pub sequence_number: u64,
    /// The whole record with its header.
    pub record: Bytes,
}

impl Kind for Open {
    fn operation(&self) -> String {
        self.traffic.operation("opening")
    }

    fn protocol(&self) -> Option<ProtocolVersion> {
        Some(ProtocolVersion::TLS1_3)
    }

    /// Apart and in place, which must be the same.
    fn ask(&self, subject: &Subject, _: &[&Subject]) -> Answer {
        let key = || self.traffic.record_key(subject.provider(), RecordOptions::default());
        let (mut apart, mut in_place) = match (key(), key()) {
            (Ok(apart), Ok(in_place)) => (apart, in_place),
            (Err(error), _) | (_, Err(error)) => return error.into(),
        };
        let mut payload = vec![0; apart.max_payload_len(self.record.len())];
        let opened = apart.open_packet(self.sequence_number, &self.record, &mut payload);
        let opened = Answer::of(opened, |(content_type, len)| {
            payload.truncate(len);
            payload.push(content_type);
            payload
        });
        let mut record = self.record.to_vec();
        let second = in_place.open_in_place(self.sequence_number, &mut record);
        let second = Answer::of(second, |opened| {
            let payload = record.get(opened.payload).unwrap_or_default();
            [payload, &[opened.content_type]].concat()
        });
        if opened == second {
            return opened;
        }
        Answer::Defect(format!("apart: {opened}; in place: {second}"))
    }

    fn reference(&self) -> Option<Answer> {
        let suite = self.traffic.suite()?;
        let (number, secret) = (self.sequence_number, &self.traffic.secret);
        let is_too_long = self.record.len() > 5 + MAX_PAYLOAD_LEN + 256;
        let text = (!is_too_long).then(|| reference::open(suite, secret, number, &self.record));
        let text = text.flatten().filter(|text| text.len() <= MAX_PAYLOAD_LEN + 1);
        let opened = text.and_then(|text| {
            let last = text.iter().rposition(|byte| *byte != 0)?;
            let may_be = match text[last] {
                20 => false,
                21 | 22 => last > 0,
                _ => true,
            };
            may_be.then(|| text[..=last].to_vec())
        });
        // Whatever is wrong with a record, the status is the same.
        Some(Answer::of(opened.ok_or(Error::BadRecord), |opened| opened))
    }

    fn smaller(&self) -> Vec<Self> {
        with_each(self, smaller_bytes(&self.record), |it, record| it.record = record).collect()
    }
}
