//! The server's flight, from ServerHello to Finished (RFC 8446 section 2), and the keys that change
//! in it.

use std::sync::Arc;
use std::time::Instant;

use ssl_provider::backend::with_one_wipe;
use ssl_provider::tls13::{EarlySecret, ExporterSecret, HandshakeSecret, TrafficSecret};
use ssl_provider::{Error, ProtocolVersion, Side};
use ssl_provider_wire::{
    Alert, CertificateRequest, CertificateVerify, ClientHello, ContentType, ExtensionType,
    Extensions, HandshakeType, KeyShare, put_encrypted_extensions, put_extension, put_message,
    put_vec,
};

use super::{Hellos, Pending, State, TLS1_3, put_server_hello};
use crate::alert::internal_error;
use crate::client_auth::tls13_schemes;
use crate::connection::ephemeral::bad_share;
use crate::connection::handshake::State as ConnectionState;
use crate::connection::{Connection, SessionInfo};
use crate::exporter::Exporter;
use crate::refusal::Cause;
use crate::settings::{ClientAuth, Settings};
use crate::signed_params::{certificate_verify_digest, is_tls13_scheme};
use crate::tls13::negotiation::{Choice, Origin, Psk};
use crate::tls13::{Secrets, record_key};

/// How many bytes of records with early data are passed over where they are declined, at least: a
/// client may have a ticket from settings that accepted some.
const MAX_SKIPPED_LEN: usize = 20 << 10;

/// The secrets from ServerHello on.
struct HandshakeKeys {
    handshake: HandshakeSecret,
    client: TrafficSecret,
    server: TrafficSecret,
    early_data: Option<EarlyDataSecrets>,
}

/// The secrets of early data that are accepted.
struct EarlyDataSecrets {
    traffic: TrafficSecret,
    exporter: ExporterSecret,
}

/// What a ClientHello led to.
struct Answer {
    choice: Choice,
    /// To a second ClientHello.
    is_second: bool,
    /// The bytes of early data that are accepted, if any are.
    early_data: Option<usize>,
    requests_certificate: bool,
}

impl Connection {
    /// Sends the flight.
    pub(super) fn tls13_flight(
        &mut self,
        mut hellos: Hellos<'_>,
        choice: Choice,
        early: &EarlySecret,
        is_second: bool,
    ) -> Result<ConnectionState, Alert> {
        let settings = Arc::clone(&self.settings);
        self.records.skip_early_data(0);
        let answer = Answer {
            early_data: accepts_early_data(&settings, hellos.hello, &choice, is_second)?,
            requests_certificate: settings.options.client_auth != ClientAuth::None
                && choice.psk.is_none(),
            choice,
            is_second,
        };
        // Ended before the signature, which may wait for another process.
        let keys = with_one_wipe(|| self.handshake_keys(&mut hellos, &answer, early))?;
        let flight = tls13_messages(&settings, &mut hellos, &answer, &keys.server)?;
        self.records.write(ContentType::Handshake, &flight)?;
        let pending = with_one_wipe(|| self.application_keys(hellos, &answer, keys))?;
        let state = if answer.early_data.is_some() {
            State::EndOfEarlyData(pending)
        } else if answer.requests_certificate {
            State::Certificate(pending)
        } else {
            State::Finished(pending)
        };
        Ok(ConnectionState::Tls13(state))
    }

    /// Agrees on the handshake secret, sends ServerHello, and writes with the keys of the handshake
    /// from there on.
    fn handshake_keys(
        &mut self,
        hellos: &mut Hellos<'_>,
        answer: &Answer,
        early: &EarlySecret,
    ) -> Result<HandshakeKeys, Alert> {
        let settings = Arc::clone(&self.settings);
        let choice = &answer.choice;
        let early_data = match answer.early_data {
            None => None,
            Some(_) => Some(EarlyDataSecrets {
                traffic: early.traffic_secret(&hellos.transcript).map_err(internal_error)?,
                exporter: early.exporter_secret(&hellos.transcript).map_err(internal_error)?,
            }),
        };
        let (handshake, share) = match &choice.agreement {
            Some((_, client)) => {
                let key = settings.provider.answer_ephemeral_key(client).map_err(bad_share)?;
                let share = key.public_key().to_vec();
                (early.handshake_secret(key, client).map_err(bad_share)?, share)
            }
            None => (early.handshake_secret_of_psk().map_err(internal_error)?, Vec::new()),
        };

        let message = server_hello(&settings, hellos, choice, &share)?;
        hellos.transcript.update(&message);
        self.records.write(ContentType::Handshake, &message)?;
        let hello = hellos.hello;
        if !answer.is_second {
            self.tls13_change_cipher_spec(hello)?;
        }

        let traffic = |side| handshake.traffic_secret(side, &hellos.transcript);
        let client = traffic(Side::Client).map_err(internal_error)?;
        let server = traffic(Side::Server).map_err(internal_error)?;
        if let Some(EarlyDataSecrets { traffic, exporter }) = &early_data {
            self.log_secret(hello, traffic.key_log_label(), traffic.secret_for_key_log())?;
            self.log_secret(hello, exporter.key_log_label(), exporter.secret_for_key_log())?;
        }
        for secret in [&client, &server] {
            self.log_secret(hello, secret.key_log_label(), secret.secret_for_key_log())?;
        }
        self.records.write_with(record_key(&server).map_err(internal_error)?, choice.suite);
        Ok(HandshakeKeys { handshake, client, server, early_data })
    }

    /// Derives the keys of the time after the handshake, and writes with them; what the client
    /// sends next is read with those of early data or of the handshake.
    fn application_keys(
        &mut self,
        hellos: Hellos<'_>,
        answer: &Answer,
        keys: HandshakeKeys,
    ) -> Result<Box<Pending>, Alert> {
        let Hellos { hello, parameters, transcript } = hellos;
        let choice = &answer.choice;
        let master = keys.handshake.master_secret().map_err(internal_error)?;
        let traffic = |side| master.traffic_secret(side, &transcript).map_err(internal_error);
        let secrets = Secrets { read: traffic(Side::Client)?, write: traffic(Side::Server)? };
        let exporter = master.exporter_secret(&transcript).map_err(internal_error)?;
        for secret in [&secrets.read, &secrets.write] {
            self.log_secret(hello, secret.key_log_label(), secret.secret_for_key_log())?;
        }
        self.log_secret(hello, exporter.key_log_label(), exporter.secret_for_key_log())?;
        self.records.write_with(record_key(&secrets.write).map_err(internal_error)?, choice.suite);

        let read = keys.early_data.as_ref().map_or(&keys.client, |early| &early.traffic);
        self.records.read_with(record_key(read).map_err(internal_error)?);
        self.records.take_clear_alerts();
        if answer.early_data.is_none() && hello.extensions.has(ExtensionType::EARLY_DATA) {
            self.skip_early_data();
        }
        self.early_exporter = keys.early_data.map(|early| Exporter::Secret(early.exporter));
        self.early_data_left = answer.early_data;
        Ok(Box::new(Pending {
            parameters,
            transcript,
            client_handshake: keys.client,
            master,
            secrets,
            exporter,
            info: answer.session_info(),
            began: match choice.psk.as_ref().map(|psk| &psk.origin) {
                Some(Origin::Ticket { state, .. }) => state.began,
                Some(Origin::External(_)) | None => Instant::now(),
            },
            server_name: hello.extensions.get(ExtensionType::SERVER_NAME).map(Into::into),
            client_certificate: None,
            takes_tickets: choice.takes_tickets,
        }))
    }

    /// Passes over the records of early data that are declined.
    pub(super) fn skip_early_data(&mut self) {
        // As much as any ticket of these settings allows.
        let max = self.settings.options.early_data.map_or(0, |early_data| early_data.max_len);
        // Records with little in each are several times as long.
        let len = usize::try_from(max).unwrap_or(usize::MAX).saturating_mul(2);
        self.records.skip_early_data(MAX_SKIPPED_LEN.max(len));
    }

    /// Sends ChangeCipherSpec to a client that wants TLS 1.3 to look like TLS 1.2 (RFC 8446
    /// appendix D.4).
    pub(super) fn tls13_change_cipher_spec(
        &mut self,
        hello: &ClientHello<'_>,
    ) -> Result<(), Alert> {
        match hello.session_id.is_empty() {
            true => Ok(()),
            false => self.records.write(ContentType::ChangeCipherSpec, &[1]),
        }
    }

    /// Writes a secret to the key log, if there is one and the secret has a label there.
    fn log_secret(
        &mut self,
        hello: &ClientHello<'_>,
        label: impl Into<Option<&'static str>>,
        secret: Result<&[u8], Error>,
    ) -> Result<(), Alert> {
        let (Some(key_log), Some(label)) = (&self.settings.key_log, label.into()) else {
            return Ok(());
        };
        let written = key_log.write_secret(label, &hello.random, secret);
        written.inspect_err(|_| self.cause = Some(Cause::KeyLog))
    }
}

impl Answer {
    fn session_info(&self) -> SessionInfo {
        let choice = &self.choice;
        let origin = choice.psk.as_ref().map(|psk| &psk.origin);
        // Who the client is stays known when the session is resumed.
        let (client_certificate, external_psk) = match origin {
            Some(Origin::Ticket { state, .. }) => {
                (state.client_certificate, state.external_psk.clone())
            }
            Some(Origin::External(identity)) => (None, Some(identity.clone())),
            None => (None, None),
        };
        SessionInfo {
            protocol: ProtocolVersion::TLS1_3,
            suite: choice.suite,
            group: choice.agreement.as_ref().map(|(group, _)| *group),
            signature_scheme: choice.scheme,
            extended_master_secret: true,
            encrypt_then_mac: false,
            resumed: matches!(origin, Some(Origin::Ticket { .. })),
            secure_renegotiation: true,
            application_protocol: choice.application_protocol.clone(),
            client_certificate,
            external_psk,
            early_data: self.early_data.map(|_| 0),
            retried: self.is_second,
        }
    }
}

/// Returns a ServerHello with a fresh random.
fn server_hello(
    settings: &Settings,
    hellos: &Hellos<'_>,
    choice: &Choice,
    share: &[u8],
) -> Result<Vec<u8>, Alert> {
    let mut random = [0; 32];
    settings.provider.backend().random().fill(&mut random).map_err(internal_error)?;
    let mut list = Vec::new();
    put_extension(&mut list, ExtensionType::SUPPORTED_VERSIONS, &TLS1_3);
    if let Some((group, _)) = &choice.agreement {
        let mut data = Vec::new();
        KeyShare { group: group.wire(), public_key: share }.put(&mut data);
        put_extension(&mut list, ExtensionType::KEY_SHARE, &data);
    }
    if let Some(psk) = &choice.psk {
        let index = u16::try_from(psk.index).map_err(|_| Alert::InternalError)?;
        put_extension(&mut list, ExtensionType::PRE_SHARED_KEY, &index.to_be_bytes());
    }
    Ok(put_server_hello(hellos, random, &list))
}

/// Returns how many bytes of early data are accepted; none where they are declined, or the client
/// offers none (RFC 8446 section 4.2.10).
fn accepts_early_data(
    settings: &Settings,
    hello: &ClientHello<'_>,
    choice: &Choice,
    is_second: bool,
) -> Result<Option<usize>, Alert> {
    let (Some(_), Some(window), Some(Psk { index: 0, origin, .. })) =
        (settings.options.early_data, &settings.replay_window, &choice.psk)
    else {
        return Ok(None);
    };
    let Origin::Ticket { suite, state, said_age } = origin else { return Ok(None) };
    let is_same = *suite == choice.suite.id
        && state.application_protocol == choice.application_protocol
        && state.max_early_data > 0;
    if is_second || !is_same || !hello.extensions.has(ExtensionType::EARLY_DATA) {
        return Ok(None);
    }
    let offered = hello.extensions.offered_psks()?;
    let binder = offered.as_ref().and_then(|psks| psks.binders.first().copied());
    let is_fresh = window.accepts(binder.unwrap_or_default(), *said_age, state.issued);
    Ok(usize::try_from(state.max_early_data).ok().filter(|_| is_fresh))
}

/// Returns the messages from EncryptedExtensions to Finished.
fn tls13_messages(
    settings: &Settings,
    hellos: &mut Hellos<'_>,
    answer: &Answer,
    server_handshake: &TrafficSecret,
) -> Result<Vec<u8>, Alert> {
    let Hellos { parameters, transcript, .. } = hellos;
    let choice = &answer.choice;
    let mut flight = Vec::new();
    let mut list = Vec::new();
    if let Some(name) = &choice.application_protocol {
        let mut data = Vec::new();
        put_vec::<2>(&mut data, |out| {
            put_vec::<1>(out, |out| out.extend_from_slice(name.as_bytes()));
        });
        let kind = ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION;
        put_extension(&mut list, kind, &data);
    }
    if answer.early_data.is_some() {
        put_extension(&mut list, ExtensionType::EARLY_DATA, &[]);
    }
    put_encrypted_extensions(&mut flight, &list);
    if answer.requests_certificate {
        let (mut data, mut list) = (Vec::new(), Vec::new());
        put_vec::<2>(&mut data, |out| {
            let numbers = tls13_schemes(&settings.provider).filter_map(|scheme| scheme.wire());
            out.extend(numbers.flat_map(u16::to_be_bytes));
        });
        put_extension(&mut list, ExtensionType::SIGNATURE_ALGORITHMS, &data);
        CertificateRequest { context: &[], extensions: Extensions::new(&list) }.put(&mut flight);
    }
    let signer = choice.scheme.and_then(|scheme| {
        let fits = |curve| is_tls13_scheme(scheme, curve);
        let mut signers = settings.identity.tls13_signers();
        let found = signers.find(|(it, _)| it.schemes.contains(&scheme) && fits(it.curve()));
        found.map(|(signer, message)| (scheme, signer, message))
    });
    let mut hashed = 0;
    if let Some((scheme, signer, message)) = signer {
        flight.extend_from_slice(message);
        transcript.update(&flight);
        hashed = flight.len();
        let provider = &settings.provider;
        let digest =
            certificate_verify_digest(provider, parameters, Side::Server, transcript, scheme);
        let signature =
            signer.key.sign(scheme, &digest.map_err(internal_error)?).map_err(internal_error)?;
        let number = scheme.wire().ok_or(Alert::InternalError)?;
        CertificateVerify { scheme: number, signature: &signature }.put(&mut flight);
    }
    transcript.update(flight.get(hashed..).unwrap_or_default());
    let mut verify_data = vec![0; parameters.hash_len()];
    server_handshake.verify_data(transcript, &mut verify_data).map_err(internal_error)?;
    let start = flight.len();
    put_message(&mut flight, HandshakeType::FINISHED, |out| out.extend_from_slice(&verify_data));
    transcript.update(flight.get(start..).unwrap_or_default());
    Ok(flight)
}
