//! Walks through the handshakes of one connection and reaches a verdict on each session.
//! A handshake that is proven opens the way to the one inside its encryption (renegotiation).

use std::sync::Arc;

use ssl_provider::{DecryptedPremaster, HandshakeHash, ParameterList, ProtocolVersion, Side};
use ssl_provider_wire::{
    Alert, ClientHello, ExtensionType, HandshakeType, Malformed, Message, ServerHello, View,
    session_ticket,
};

use super::certificate::PublicKey;
use super::ciphertext::Ciphertext;
use super::conversation::RecordedConversation;
use super::flow::{End, Flow};
use super::handshake::{Half, Halves};
use super::keyring::{Key, Keyring};
use super::negotiation::{TLS_1_3, agreed, both_have, early_draft, not_rsa, suite_of, version_of};
use super::proof::{Exchange, Handshake, NoProof, Proven};
use super::recorder::RecordedExchange;
use super::resumption::{KnownSession, KnownSessions, SessionName};
use super::session::{KeyLogLine, Session, Verdict};
use crate::counted::counted;

/// Most handshakes of one connection that are followed.
const MAX_HANDSHAKES: usize = 1000;

/// What came of a connection.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Its sessions, the first one and those of renegotiations.
    pub sessions: Vec<Session>,
    /// Sessions that others may resume.
    pub learned: Vec<(SessionName, KnownSession)>,
    /// Whether a session is resumed that is not known: ask again when more are.
    pub resumes_unknown: bool,
}

/// Analyses a connection. `known` are the sessions of earlier ones.
pub fn analyse(
    conversation: &RecordedConversation,
    keyring: &Keyring,
    known: &KnownSessions,
) -> Analysis {
    analyse_from(&Halves::first_of(conversation), conversation, keyring, known, None)
}

/// As [`analyse`], from the first handshake on, which has been read, and whose private operation
/// may have been done.
pub(super) fn analyse_from<'t>(
    first: &Halves<'t>,
    conversation: &'t RecordedConversation,
    keyring: &Keyring,
    known: &KnownSessions,
    decrypted: Option<&DecryptedPremaster<'_>>,
) -> Analysis {
    let mut walk = Walk {
        conversation,
        keyring,
        known,
        decrypted,
        own: KnownSessions::default(),
        analysis: Analysis::default(),
    };
    let mut flows = walk.handshake(first, false);
    for _ in 1..MAX_HANDSHAKES {
        let Some((client, server)) = flows.take() else { break };
        flows = walk.handshake(&Halves::read(client, server), true);
    }
    if let (Some(_), Some(last)) = (flows, walk.analysis.sessions.last_mut()) {
        let note = format!("whatever follows the first {MAX_HANDSHAKES} handshakes is not read");
        last.notes.push(note);
    }
    walk.analysis
}

struct Walk<'w, 't> {
    conversation: &'t RecordedConversation,
    keyring: &'w Keyring,
    known: &'w KnownSessions,
    decrypted: Option<&'w DecryptedPremaster<'w>>,
    /// Sessions of this connection.
    own: KnownSessions,
    analysis: Analysis,
}

/// Both directions, each behind the Finished of its side.
type Flows<'t> = Option<(Flow<'t>, Flow<'t>)>;

/// Both halves of a handshake, with its hellos.
struct Parts<'h, 't> {
    halves: &'h Halves<'t>,
    client_hello: &'h ClientHello<'h>,
    server_hello: &'h ServerHello<'h>,
    handshake: &'h Handshake,
}

/// The messages of a full handshake, each flight cut in two.
struct Flights<'h> {
    to_hello_done: &'h [Message],
    behind_hello_done: &'h [Message],
    to_key_exchange: &'h [Message],
    behind_key_exchange: &'h [Message],
}

/// The messages before Finished as they count in the schedule.
struct Transcript {
    /// The hash of all of them.
    hash: HandshakeHash,
    /// The hash up to ClientKeyExchange, with the extended master secret only.
    session_hash: Option<Vec<u8>>,
    /// The parameters of the import.
    parameters: ParameterList,
}

/// The verdict on a session that is not proven, and the reason.
type NotProven = (Verdict, String);

impl<'t> Walk<'_, 't> {
    /// Judges a handshake. Returns where the next one would start, if that can be decrypted.
    fn handshake(&mut self, halves: &Halves<'t>, renegotiation: bool) -> Flows<'t> {
        let Halves { client, server, .. } = halves;
        if renegotiation && (client.messages.is_empty() || server.messages.is_empty()) {
            // There was no renegotiation, or it was declined.
            return None;
        }
        let conversation = self.conversation;
        let moment = client.moment.or(server.moment).unwrap_or(conversation.moment);
        let mut session = Session::new(moment, conversation.label(), renegotiation);
        let next = self.judge(&mut session, halves).unwrap_or_else(|(verdict, reason)| {
            session.judge(verdict, reason);
            None
        });
        self.analysis.sessions.push(session);
        next
    }

    fn judge(
        &mut self,
        session: &mut Session,
        halves: &Halves<'t>,
    ) -> Result<Flows<'t>, NotProven> {
        let (client_hello, server_hello) = self.hellos(session, halves)?;
        let handshake =
            agreed(&client_hello, &server_hello).map_err(|reason| (Verdict::Unverified, reason))?;
        let extension = ExtensionType::EXTENDED_MASTER_SECRET;
        session.extended_master_secret = handshake.version != ProtocolVersion::SSL3
            && both_have(&client_hello, &server_hello, extension);
        session.encrypt_then_mac = handshake.options.encrypt_then_mac;
        if handshake.version == ProtocolVersion::SSL3 && !self.keyring.allows_ssl3() {
            let reason = "SSL 3.0 is off; --allow-ssl3 turns it on";
            return Err((Verdict::NotAllowed, reason.to_owned()));
        }
        let parts = Parts {
            halves,
            client_hello: &client_hello,
            server_hello: &server_hello,
            handshake: &handshake,
        };
        if parts.is_resumption() {
            Ok(self.resumed(session, &parts))
        } else {
            self.full(session, &parts)
        }
    }

    /// Returns both hellos. Records the fields of each in `session` as soon as it is parsed.
    fn hellos<'h>(
        &self,
        session: &mut Session,
        halves: &'h Halves<'t>,
    ) -> Result<(ClientHello<'h>, ServerHello<'h>), NotProven> {
        let Halves { client, server, .. } = halves;
        let malformed =
            |name: &str, error: Malformed| (Verdict::Malformed, format!("{name}: {error}"));
        let client_hello = hello(client, HandshakeType::CLIENT_HELLO, ClientHello::parse)
            .map_err(|error| malformed("ClientHello", error))?;
        if let Some(hello) = &client_hello {
            session.client_random = Some(hello.random);
            session.offered_version = Some(hello.version);
        }
        if let Some((version, suite)) = early_draft(server) {
            (session.protocol, session.suite) = (Some(version), suite);
            return Err((Verdict::ForwardSecret, TLS_1_3.to_owned()));
        }
        let server_hello = hello(server, HandshakeType::SERVER_HELLO, ServerHello::parse)
            .map_err(|error| malformed("ServerHello", error))?;
        if let Some(hello) = &server_hello {
            session.protocol = Some(version_of(hello));
            session.suite = Some(suite_of(hello));
            if let Some(reason) = not_rsa(hello, server) {
                return Err((Verdict::ForwardSecret, reason));
            }
        }
        let client_hello = client_hello
            .ok_or_else(|| (Verdict::Incomplete, self.missing("ClientHello", client, true)))?;
        let server_hello = server_hello.ok_or_else(|| {
            session.refused = server.alert.is_some();
            (Verdict::Incomplete, self.missing("ServerHello", server, false))
        })?;
        Ok((client_hello, server_hello))
    }

    /// A handshake with a key exchange.
    fn full(
        &mut self,
        session: &mut Session,
        parts: &Parts<'_, 't>,
    ) -> Result<Flows<'t>, NotProven> {
        let flights = self.flights(parts.halves)?;
        let certificate = parts.halves.certificate();
        let candidates = self.keyring.candidates(certificate);
        if candidates.is_empty() {
            return Err((Verdict::WrongKey, wrong_key_reason(certificate)));
        }
        let transcript = self
            .transcript(parts, &flights, session.extended_master_secret)
            .map_err(|error| (Verdict::Unverified, error.to_string()))?;
        let reason = match certificate {
            PublicKey::Unreadable => "no certificate could be read, and none of the keys opens it",
            PublicKey::Rsa(_) | PublicKey::Other => {
                "the key of the certificate does not open it: the exchange was tampered with, or \
                 the capture is damaged"
            }
        };
        let mut not_proven = (Verdict::WrongKey, reason.to_owned());
        for key in candidates {
            match self.prove(parts, &flights, key, &transcript) {
                Ok((proven, note)) => {
                    session.key = Some(key.label.clone());
                    session.notes.extend(note.map(str::to_owned));
                    return Ok(self.proven(session, parts, proven, flights.behind_hello_done));
                }
                Err(Some(reason)) => not_proven = reason,
                Err(None) => {}
            }
        }
        Err(not_proven)
    }

    /// The messages before Finished, where all of them are there and something follows.
    fn flights<'h>(&self, halves: &'h Halves<'t>) -> Result<Flights<'h>, NotProven> {
        let Halves { client, server, client_flow, .. } = halves;
        let missing = |message, half, from_client| {
            (Verdict::Incomplete, self.missing(message, half, from_client))
        };
        let (to_hello_done, behind_hello_done) = server
            .split_after(HandshakeType::SERVER_HELLO_DONE)
            .ok_or_else(|| missing("ServerHelloDone", server, false))?;
        let (to_key_exchange, behind_key_exchange) = client
            .split_after(HandshakeType::CLIENT_KEY_EXCHANGE)
            .ok_or_else(|| missing("ClientKeyExchange", client, true))?;
        if !client.is_whole() {
            return Err(missing("Finished", client, true));
        }
        if !client_flow.has_more() {
            let behind_change = Half { end: Some(client_flow.end()), ..Half::default() };
            return Err(missing("Finished", &behind_change, true));
        }
        Ok(Flights { to_hello_done, behind_hello_done, to_key_exchange, behind_key_exchange })
    }

    /// What is hashed before Finished, and the parameters of the import.
    fn transcript(
        &self,
        parts: &Parts<'_, 't>,
        flights: &Flights<'_>,
        extended_master_secret: bool,
    ) -> Result<Transcript, ssl_provider::Error> {
        let Handshake { version, suite, .. } = *parts.handshake;
        let mut hash = self.keyring.strict.handshake_hash(version, suite.id)?;
        // The client's flight starts with its hello, which comes before the server's.
        let (client_hello, client_flight) = flights.to_key_exchange.split_at(1);
        for messages in [client_hello, flights.to_hello_done, client_flight] {
            messages.iter().for_each(|message| hash.update(&message.bytes));
        }
        let session_hash = if extended_master_secret { Some(hash.current()?) } else { None };
        let parameters = match &session_hash {
            Some(hash) => ParameterList::new().session_hash(hash)?,
            None => parts.handshake.randoms.clone(),
        };
        flights.behind_key_exchange.iter().for_each(|message| hash.update(&message.bytes));
        Ok(Transcript { hash, session_hash, parameters })
    }

    /// Tries one key. Returns the reason if it fails for another one than a wrong key.
    fn prove(
        &self,
        parts: &Parts<'_, 't>,
        flights: &Flights<'_>,
        key: &Key,
        transcript: &Transcript,
    ) -> Result<(Proven<'t>, Option<&'static str>), Option<NotProven>> {
        let body = flights.to_key_exchange.last().map(Message::body).unwrap_or_default();
        let ssl3 = parts.handshake.version == ProtocolVersion::SSL3;
        let Some(ciphertext) = Ciphertext::of(body, key.private_key.modulus_len(), ssl3) else {
            let reason = "ClientKeyExchange: the length of the ciphertext does not fit";
            return Err(Some((Verdict::Malformed, reason.to_owned())));
        };
        if let Some(recorder) = &self.keyring.recorder {
            recorder.add(RecordedExchange {
                stream: self.conversation.label(),
                key: key.label.clone(),
                version: parts.handshake.version,
                suite: parts.handshake.suite.id,
                offered_version: parts.client_hello.version,
                client_random: parts.client_hello.random,
                server_random: parts.server_hello.random,
                session_hash: transcript.session_hash.clone(),
                encrypted_premaster: ciphertext.bytes.to_vec(),
            });
        }
        let exchange = Exchange {
            handshake: parts.handshake,
            parameters: transcript.parameters.clone(),
            offered_version: parts.client_hello.version,
            encrypted_premaster: ciphertext.bytes,
            decrypted: self.decrypted,
            transcript: transcript.hash.duplicate(),
            client: &parts.halves.client_flow,
        };
        match exchange.prove(self.keyring, key) {
            Ok(proven) => Ok((proven, ciphertext.note)),
            Err(NoProof::WrongKey) => Err(None),
            Err(NoProof::Incomplete(end)) => {
                Err(Some((Verdict::Incomplete, format!("Finished of the client: {end}"))))
            }
            Err(NoProof::Unverified(reason)) => Err(Some((Verdict::Unverified, reason))),
        }
    }

    /// A master key is proven: writes it down, and goes on behind the server's Finished.
    fn proven(
        &mut self,
        session: &mut Session,
        parts: &Parts<'_, 't>,
        proven: Proven<'t>,
        server_rest: &[Message],
    ) -> Flows<'t> {
        let client_random = parts.client_hello.random;
        session.premaster_version = proven.premaster_version;
        if proven.premaster_version != Some(parts.client_hello.version) {
            session.notes.push(match proven.premaster_version {
                Some(version) => format!("the premaster secret carries version {version:04x}"),
                None => "the premaster secret carries an unknown version".to_owned(),
            });
        }
        match proven.master_key.secret_for_key_log() {
            Ok(secret) => {
                session.key_log = Some(KeyLogLine::new(&client_random, secret));
                session.judge(Verdict::Proven, "");
            }
            Err(error) => session.judge(Verdict::Unverified, error.to_string()),
        }
        let known = KnownSession { master_key: Arc::clone(&proven.master_key), client_random };
        self.learn(parts, known);
        if !parts.halves.server.is_whole() {
            return None;
        }
        let mut transcript = proven.transcript;
        server_rest.iter().for_each(|message| transcript.update(&message.bytes));
        let checked = parts.handshake.check_finished(
            &proven.master_key,
            &proven.keys,
            Side::Server,
            &parts.halves.server_flow,
            transcript,
        );
        match checked {
            Ok((server, _)) => Some((proven.client, server)),
            Err(NoProof::WrongKey) => {
                session.notes.push("the Finished of the server is wrong".to_owned());
                None
            }
            Err(NoProof::Incomplete(_) | NoProof::Unverified(_)) => None,
        }
    }

    /// An abbreviated handshake (session resumption).
    fn resumed(&mut self, session: &mut Session, parts: &Parts<'_, 't>) -> Flows<'t> {
        session.judge(Verdict::Resumed, "the session that it resumes was not opened here");
        let (client, server) = (parts.client_hello, parts.server_hello);
        let Some(known) = self.own.find(client, server).or_else(|| self.known.find(client, server))
        else {
            self.analysis.resumes_unknown = true;
            return None;
        };
        let known = known.clone();
        session.resumes = Some(known.client_random);
        match self.check_resumed(parts, &known) {
            Ok(flows) => {
                session.reason.clear();
                if let Ok(secret) = known.master_key.secret_for_key_log() {
                    session.key_log = Some(KeyLogLine::new(&client.random, secret));
                }
                self.learn(parts, known);
                flows
            }
            Err(reason) => {
                session.judge(Verdict::Resumed, reason);
                None
            }
        }
    }

    /// Checks the Finished of both sides, server first, as far as they are there.
    fn check_resumed(
        &self,
        parts: &Parts<'_, 't>,
        known: &KnownSession,
    ) -> Result<Flows<'t>, String> {
        let master_key = &known.master_key;
        let handshake = parts.handshake;
        let halves = parts.halves;
        if (master_key.version(), master_key.suite().id) != (handshake.version, handshake.suite.id)
        {
            return Err("protocol or suite differ from those of the session it resumes".to_owned());
        }
        let setup = |error: ssl_provider::Error| error.to_string();
        let keys = master_key.session_keys(&handshake.randoms).map_err(setup)?;
        let provider = &self.keyring.strict;
        let mut transcript =
            provider.handshake_hash(handshake.version, handshake.suite.id).map_err(setup)?;
        for message in halves.client.messages.iter().chain(&halves.server.messages) {
            transcript.update(&message.bytes);
        }
        let check = |sender, flow: &Flow<'t>, transcript| {
            handshake.check_finished(master_key, &keys, sender, flow, transcript)
        };
        let why = |side: &str, no_proof| match no_proof {
            NoProof::WrongKey => format!("the Finished of the {side} is wrong"),
            NoProof::Incomplete(end) => format!("Finished of the {side}: {end}"),
            NoProof::Unverified(reason) => reason,
        };
        let (server, transcript) = check(Side::Server, &halves.server_flow, transcript)
            .map_err(|error| why("server", error))?;
        if !halves.client.is_whole() {
            return Ok(None);
        }
        match check(Side::Client, &halves.client_flow, transcript) {
            Ok((client, _)) => Ok(Some((client, server))),
            // The server's Finished has proven it.
            Err(NoProof::Incomplete(_)) => Ok(None),
            Err(error) => Err(why("client", error)),
        }
    }

    /// Stores a session under its session id and ticket, for resumption.
    fn learn(&mut self, parts: &Parts<'_, '_>, session: KnownSession) {
        let id = parts.server_hello.session_id;
        let id = (!id.is_empty()).then(|| SessionName::Id(id.to_vec()));
        let ticket = parts
            .halves
            .server
            .find(HandshakeType::NEW_SESSION_TICKET)
            .and_then(|message| session_ticket(message.body()))
            .map(SessionName::of_ticket);
        for name in [id, ticket].into_iter().flatten() {
            self.own.learn(name.clone(), session.clone());
            self.analysis.learned.push((name, session.clone()));
        }
    }

    /// Why a message is missing from a half.
    fn missing(&self, message: &str, half: &Half, from_client: bool) -> String {
        let side = if from_client { "client" } else { "server" };
        if let Some(description) = half.alert {
            return format!(
                "no {message}: the {side} sent the alert {}",
                Alert::name_of(description)
            );
        }
        let client = self.conversation.client;
        let stream = self.conversation.stream(if from_client { client } else { client.other() });
        let why = match (&half.end, stream.start()) {
            (_, None) if stream.missing_before() > 0 => {
                let missing = counted(stream.missing_before(), "byte");
                format!("the capture lacks {missing} of the {side}")
            }
            (_, None) => format!("nothing of the {side} was captured"),
            (Some(End::Stream { within_a_record: false }), Some(_))
                if self.conversation.evicted =>
            {
                "the connection was given up to save memory".to_owned()
            }
            (Some(end), Some(_)) => end.to_string(),
            (None, Some(_)) => format!("the {side} left it out"),
        };
        format!("no {message} of the {side}: {why}")
    }
}

impl Parts<'_, '_> {
    /// Whether the server went on to ChangeCipherSpec at once, or only with a new ticket before it
    /// (RFC 5246 section 7.3, RFC 5077 section 3.1).
    fn is_resumption(&self) -> bool {
        let Halves { client, server, .. } = self.halves;
        server.is_whole()
            && server.find(HandshakeType::SERVER_HELLO_DONE).is_none()
            && server.find(HandshakeType::CERTIFICATE).is_none()
            && client.find(HandshakeType::CLIENT_KEY_EXCHANGE).is_none()
    }
}

/// The hello of a half, parsed, if it starts with one.
fn hello<'h, H>(
    half: &'h Half,
    kind: HandshakeType,
    parse: impl FnOnce(&'h Message, View) -> Result<H, Malformed>,
) -> Result<Option<H>, Malformed> {
    let message = half.messages.first().filter(|message| message.kind == kind);
    message.map(|message| parse(message, View::Lenient)).transpose()
}

fn wrong_key_reason(certificate: &PublicKey) -> String {
    match certificate {
        PublicKey::Rsa(modulus) => {
            format!("no key given is that of the certificate, RSA with {} bits", 8 * modulus.len())
        }
        PublicKey::Other => "the key of the certificate is not RSA".to_owned(),
        PublicKey::Unreadable => "no key was given".to_owned(),
    }
}
