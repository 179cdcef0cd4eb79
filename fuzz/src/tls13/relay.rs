//! Carries records between both ends, which it can read and write by their key logs, changes those
//! of one end as a plan says, and checks after each record what must hold.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use ssl_provider::{HashAlgorithm, Side, SignatureScheme};
use ssl_provider_lab::Alert;
use ssl_provider_testkit::reference;
use ssl_provider_testkit::reference13;
use ssl_provider_wire::{
    Assembler, CertificateVerify, ClientHello, ContentType, HandshakeType, Message, RecordHeader,
    View, put_message,
};

use super::end::{Delivery, End, Ended};
use super::keys::{Epoch, Log, Opened, Opener, Sealer};
use super::model::{Model, other};
use super::plan::{Change, Kind, Plan, change_extension, mend};
use super::scenario::{self, EARLY_DATA, MAX_EARLY_DATA, PSK, STEPS, Scenario, Step};

const HANDSHAKE: u8 = ContentType::Handshake.wire();
const ALERT: u8 = ContentType::Alert.wire();
const APPLICATION_DATA: u8 = ContentType::ApplicationData.wire();
const CHANGE_CIPHER_SPEC: u8 = ContentType::ChangeCipherSpec.wire();

/// Most bytes of payload, and of padding besides, in a record (RFC 8446 section 5.4).
const MAX_PAYLOAD_LEN: usize = ssl_provider::MAX_PAYLOAD_LEN;

/// Most bytes that an end keeps: a record, and the longest message that it reads.
const MAX_BUFFERED_LEN: usize = MAX_RECORD_LEN + (1 << 17);

/// The longest record (RFC 8446 section 5.2).
const MAX_RECORD_LEN: usize = RecordHeader::LEN + MAX_PAYLOAD_LEN + 256;

/// Most bytes that an end writes of itself: a flight with certificate and tickets, and alerts.
const MAX_FLIGHT_LEN: usize = 16 << 10;

/// Most bytes that an end writes for each record that it gets: a KeyUpdate.
const MAX_REPLY_LEN: usize = 64;

/// Most rounds of records to and fro; a conversation takes two for each of its steps.
const MAX_ROUNDS: usize = 200;

/// The longest record that a change makes, in bytes of payload: beyond the limits.
const MAX_CHANGED_LEN: usize = 17_000;

/// Types of messages that are put in; others are rare.
const TYPES: [HandshakeType; 13] = [
    HandshakeType::HELLO_REQUEST,
    HandshakeType::CLIENT_HELLO,
    HandshakeType::SERVER_HELLO,
    HandshakeType::NEW_SESSION_TICKET,
    HandshakeType::END_OF_EARLY_DATA,
    HandshakeType::ENCRYPTED_EXTENSIONS,
    HandshakeType::CERTIFICATE,
    HandshakeType::CERTIFICATE_REQUEST,
    HandshakeType::CERTIFICATE_VERIFY,
    HandshakeType::FINISHED,
    HandshakeType::KEY_UPDATE,
    HandshakeType::KEY_UPDATE,
    HandshakeType(254),
];

/// Puts a fault into an end.
pub type Plant = dyn Fn(Side, Box<dyn End>) -> Box<dyn End>;

/// What a run has come to, for tests and for figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether a change has met its unit.
    pub is_changed: bool,
    /// Whether a message was repaired.
    pub is_repaired: bool,
    /// Whether each end, the client first, has completed its handshake.
    pub established: [bool; 2],
    /// How each has ended.
    pub ended: [Option<Ended>; 2],
    /// How many handshake messages each has received.
    pub messages: [usize; 2],
    /// How many records the attacked end has received under keys.
    pub protected: u64,
}

/// Runs a plan against an end.
///
/// # Panics
///
/// Panics when something does not hold.
pub fn run(scenario: &Scenario, plan: &Plan, attacked: Side, plant: &Plant) -> Outcome {
    let mut shared = scenario.lock();
    let [client, server] = scenario.connect(&mut shared);
    let ends = [plant(Side::Client, client), plant(Side::Server, server)];
    let mut relay = Relay {
        scenario,
        logs: &mut shared.logs,
        plan,
        sender: other(attacked),
        ends,
        openers: [Opener::new(Side::Client), Opener::new(Side::Server)],
        models: [Model::new(Side::Client), Model::new(Side::Server)],
        sealers: [BTreeMap::new(), BTreeMap::new()],
        queues: [VecDeque::new(), VecDeque::new()],
        written: [0; 2],
        received: [0; 2],
        owed: [0; 2],
        sent: [Vec::new(), Vec::new()],
        taken: [Vec::new(), Vec::new()],
        alerts: [None; 2],
        exported: [None; 2],
        units: 0,
        later: None,
        joined: Vec::new(),
        seen: Vec::new(),
        is_changed: false,
        is_repaired: false,
    };
    relay.talk();
    relay.finish()
}

/// A message, or the content of a record of another type, on its way.
#[derive(Clone, Debug)]
struct Piece {
    epoch: Epoch,
    content_type: u8,
    payload: Vec<u8>,
    /// Whether it shares a record with the one before it.
    joins: bool,
    /// Zeros behind the content type.
    zeros: usize,
    /// Changes to the record: where, and the bits that are flipped.
    flips: Vec<(usize, u8)>,
    is_replayed: bool,
    /// The record as it was sent, for an epoch that the receiver has no key of.
    record: Vec<u8>,
    /// Bytes that are no record.
    is_raw: bool,
}

impl Piece {
    fn new(epoch: Epoch, content_type: u8, payload: Vec<u8>) -> Self {
        Self {
            epoch,
            content_type,
            payload,
            joins: false,
            zeros: 0,
            flips: Vec::new(),
            is_replayed: false,
            record: Vec::new(),
            is_raw: false,
        }
    }

    fn is_handshake(&self) -> bool {
        self.content_type == HANDSHAKE && !self.is_raw
    }

    fn is_plain(&self) -> bool {
        self.zeros == 0 && self.flips.is_empty() && !self.is_replayed
    }
}

struct Relay<'a> {
    scenario: &'a Scenario,
    logs: &'a mut [Log; 2],
    plan: &'a Plan,
    /// The side whose messages are changed.
    sender: Side,
    ends: [Box<dyn End>; 2],
    openers: [Opener; 2],
    models: [Model; 2],
    /// The keys that each end reads with.
    sealers: [BTreeMap<Epoch, Sealer>; 2],
    /// What each end has sent and was not carried.
    queues: [VecDeque<Opened>; 2],
    /// Bytes that each end has written.
    written: [usize; 2],
    /// Records that each end has received.
    received: [usize; 2],
    /// Bytes that each end was told to write.
    owed: [usize; 2],
    /// Application data that each end was told to send, and that it has received.
    sent: [Vec<u8>; 2],
    taken: [Vec<u8>; 2],
    /// The last alert of each end.
    alerts: [Option<[u8; 2]>; 2],
    /// What each end exported once it was established.
    exported: [Option<[u8; 32]>; 2],
    units: usize,
    /// A unit that goes after the next one.
    later: Option<Piece>,
    /// A payload that goes into the record of the next message.
    joined: Vec<u8>,
    /// Every handshake message of both sides.
    seen: Vec<Vec<u8>>,
    is_changed: bool,
    is_repaired: bool,
}

const fn index(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

impl Relay<'_> {
    /// Shakes hands, and takes the steps.
    fn talk(&mut self) {
        self.ends[index(Side::Client)].send_early_data(EARLY_DATA);
        self.owed[index(Side::Client)] += EARLY_DATA.len() + MAX_REPLY_LEN;
        self.collect(Side::Client);
        self.pump();
        for step in STEPS {
            match step {
                Step::Send(side, len) => self.send(side, &vec![0x61; len]),
                Step::Update(side, both) => self.update(side, both),
                Step::Close(side) => self.ends[index(side)].close(),
            }
            self.collect(Side::Client);
            self.collect(Side::Server);
            self.pump();
        }
    }

    fn send(&mut self, side: Side, data: &[u8]) {
        let end = &mut self.ends[index(side)];
        if end.is_established() && end.ended().is_none() {
            end.send(data);
            self.sent[index(side)].extend_from_slice(data);
            self.owed[index(side)] += data.len() + MAX_REPLY_LEN;
        }
    }

    fn update(&mut self, side: Side, both: bool) {
        self.ends[index(side)].update_keys(both);
        self.owed[index(side)] += MAX_REPLY_LEN;
    }

    /// Carries records until neither side has any left.
    fn pump(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let is_quiet = self.queues.iter().all(VecDeque::is_empty);
            if is_quiet {
                if let Some(piece) = self.later.take() {
                    self.deliver(piece);
                } else if !self.joined.is_empty() {
                    let (payload, receiver) = (mem::take(&mut self.joined), other(self.sender));
                    let epoch = self.models[index(receiver)].epoch();
                    self.deliver(Piece::new(epoch, HANDSHAKE, payload));
                } else {
                    return;
                }
            }
            for side in [Side::Client, Side::Server] {
                if let Some(opened) = self.queues[index(side)].pop_front() {
                    self.carry(side, opened);
                }
            }
        }
        panic!("more than {MAX_ROUNDS} rounds");
    }

    /// Reads what an end has written.
    fn collect(&mut self, side: Side) {
        let place = index(side);
        let output = self.ends[place].take_output();
        self.written[place] += output.len();
        let most = MAX_FLIGHT_LEN + self.owed[place] + MAX_REPLY_LEN * self.received[place];
        assert!(
            self.written[place] <= most,
            "{side:?} writes {} bytes in reply to {} records",
            self.written[place],
            self.received[place]
        );
        self.openers[place].extend(&output);
        loop {
            let suites = (self.scenario.suite, self.models[place].suite());
            let provider = &self.scenario.provider;
            let opened = self.openers[place].next(provider, &mut self.logs[place], suites);
            let Some(opened) = opened else { return };
            let is_blind = self.models.iter().any(|model| model.is_blind);
            assert!(opened.content_type != 0 || is_blind, "{side:?}: a record under no secret");
            if opened.content_type == HANDSHAKE {
                self.models[place].sends(&opened.payload);
                if opened.payload.first() == Some(&HandshakeType::KEY_UPDATE.0) {
                    self.openers[place].update();
                }
            }
            if opened.content_type == ALERT {
                self.alerts[place] = opened.payload.first_chunk().copied();
            }
            self.queues[place].push_back(opened);
        }
    }

    /// Carries a record of an end to the other one.
    fn carry(&mut self, side: Side, opened: Opened) {
        let Opened { epoch, content_type, payload, record } = opened;
        if content_type == 0 {
            self.models[index(other(side))].is_blind = true;
            return self.pass_record(
                other(side),
                &Piece::new(epoch, 0, Vec::new()),
                &record,
                false,
            );
        }
        let mut parts = vec![payload];
        if content_type == HANDSHAKE {
            let mut messages = Assembler::default();
            messages.extend(&parts[0]);
            parts = std::iter::from_fn(|| messages.next_of_any_type()).map(|it| it.bytes).collect();
        }
        let mut pieces = Vec::new();
        for (number, payload) in parts.into_iter().enumerate() {
            let mut piece = Piece::new(epoch, content_type, payload);
            piece.joins = number > 0 && !self.plan.repairs();
            piece.record.clone_from(&record);
            let unit = self.units;
            self.units += usize::from(side == self.sender);
            if self.plan.repairs() && piece.is_handshake() {
                self.repair(side, &mut piece.payload);
            }
            if piece.is_handshake() {
                self.seen.push(piece.payload.clone());
            }
            let changed = match side == self.sender {
                true => self.change(unit, piece),
                false => vec![piece],
            };
            if self.plan.repairs() {
                changed.into_iter().for_each(|piece| self.deliver_to(other(side), piece));
            } else {
                pieces.extend(changed);
            }
        }
        for piece in merge(pieces) {
            self.deliver_to(other(side), piece);
        }
    }

    /// Makes a message that depends on the transcript for that of the receiver.
    fn repair(&mut self, side: Side, message: &mut Vec<u8>) {
        let receiver = index(other(side));
        let Some(kind) = message.first().copied().map(HandshakeType) else { return };
        let mut repaired = Vec::new();
        match kind {
            HandshakeType::FINISHED => {
                let verify_data = self.models[receiver].verify_data(&mut self.logs[receiver]);
                let Some(verify_data) = verify_data else { return };
                put_message(&mut repaired, kind, |out| out.extend(verify_data));
            }
            HandshakeType::CERTIFICATE_VERIFY => {
                let of_receiver = self.models[receiver].transcript_hash();
                let Some(transcript_hash) = of_receiver else { return };
                if self.models[index(side)].transcript_hash_before(message) == transcript_hash {
                    return;
                }
                let name = if side == Side::Client { "client" } else { "server" };
                let context = format!("TLS 1.3, {name} CertificateVerify\0");
                let content = [&[0x20; 64][..], context.as_bytes(), &transcript_hash].concat();
                let scheme = SignatureScheme::EcdsaSha256;
                let digest = reference::hash(HashAlgorithm::Sha256, &[&content]);
                let signature = self.scenario.signing_keys[index(side)].sign(scheme, &digest);
                let signature = signature.expect("a key for this scheme");
                CertificateVerify { scheme: 0x0403, signature: &signature }.put(&mut repaired);
            }
            _ => return,
        }
        if *message != repaired {
            (*message, self.is_repaired) = (repaired, true);
        }
    }

    /// Makes the binder of a changed ClientHello right, where the key is known.
    fn repair_binder(&mut self, bytes: &mut [u8]) {
        let kind = HandshakeType::CLIENT_HELLO;
        if !self.scenario.kind.has_external_psk() || bytes.first() != Some(&kind.0) {
            return;
        }
        let message = Message { kind, bytes: bytes.to_vec(), ssl2_framing: false };
        let Ok(hello) = ClientHello::parse(&message, View::Strict) else { return };
        let Ok(Some(offered)) = hello.extensions.offered_psks() else { return };
        let Some(place) = bytes.len().checked_sub(offered.binders_len) else { return };
        let hash = HashAlgorithm::Sha256;
        let before = self.models[index(Side::Server)].handshake();
        let mut messages: Vec<&[u8]> = before.iter().map(|(_, message)| &message[..]).collect();
        let first = if messages.is_empty() { None } else { Some(messages.remove(0)) };
        messages.push(&bytes[..place]);
        let transcript_hash = reference13::transcript_hash(hash, first, &messages);
        let key = reference13::Schedule::new(hash, Some(&PSK), None).binder_key(true);
        let binder = reference13::finished(hash, &key, &transcript_hash);
        // Behind the length of the list, and its own.
        if let Some(old) = bytes.get_mut(place + 3..place + 3 + binder.len())
            && *old != binder
        {
            old.copy_from_slice(&binder);
            self.is_repaired = true;
        }
    }

    /// Does what the plan says about a unit.
    fn change(&mut self, unit: usize, mut piece: Piece) -> Vec<Piece> {
        let plan = self.plan;
        let (epoch, mut before) = (piece.epoch, Vec::new());
        let (mut is_dropped, mut is_twice, mut is_later, mut joins_next) = Default::default();
        let mut fragment_len = None;
        for change in plan.changes.iter().filter(|change| usize::from(change.unit) == unit) {
            let Change { kind, at, value, literal, .. } = change;
            let (at, value) = (usize::from(*at), *value);
            let is_content = matches!(piece.content_type, HANDSHAKE | APPLICATION_DATA);
            let is_harmless = match kind {
                Kind::Fragment => is_content,
                Kind::Pad => piece.payload.len() + at % 300 <= MAX_PAYLOAD_LEN && value & 1 == 0,
                _ => false,
            };
            self.is_changed |= !is_harmless;
            let bytes = &mut piece.payload;
            let place = at % bytes.len().max(1);
            match kind {
                Kind::Flip => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte ^= value.max(1);
                    }
                }
                Kind::Set => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte = value;
                    }
                }
                Kind::Truncate => bytes.truncate(place),
                Kind::Insert => drop(bytes.splice(place..place, literal.iter().copied())),
                Kind::Delete => {
                    let end = bytes.len().min(place + usize::from(value));
                    drop(bytes.drain(place.min(end)..end));
                }
                Kind::Length => {
                    let number = [literal.first().copied().unwrap_or_default(), value];
                    if let Some(field) = bytes.get_mut(place..place + 2) {
                        field.copy_from_slice(&number);
                    }
                }
                Kind::Mend => mend(bytes),
                Kind::Extension => drop(change_extension(bytes, change)),
                Kind::Drop => is_dropped = true,
                Kind::Twice => is_twice = true,
                Kind::Later => is_later = true,
                Kind::Message => {
                    let kind = TYPES.get(usize::from(value % 16)).copied();
                    let kind = kind.unwrap_or(HandshakeType(value));
                    let mut message = Vec::new();
                    put_message(&mut message, kind, |out| out.extend(literal));
                    before.push(Piece::new(epoch, HANDSHAKE, message));
                }
                Kind::Record => {
                    let len = at.min(MAX_CHANGED_LEN).max(literal.len());
                    let cycle = literal.iter().copied().chain([0]).cycle();
                    let payload: Vec<u8> = cycle.take(len).collect();
                    let known = [0, 20, 21, 22, 23, 23, 24].get(usize::from(value % 8)).copied();
                    before.push(Piece::new(epoch, known.unwrap_or(value), payload));
                }
                Kind::Raw => {
                    let mut raw = Piece::new(epoch, 0, literal.clone());
                    raw.is_raw = true;
                    before.push(raw);
                }
                Kind::Seen => {
                    let message = self.seen.get(at % self.seen.len().max(1)).cloned();
                    before.extend(message.map(|it| Piece::new(epoch, HANDSHAKE, it)));
                }
                Kind::Fragment => fragment_len = Some(usize::from(value) + 1),
                Kind::Join => joins_next = true,
                Kind::Wire => piece.flips.push((RecordHeader::LEN + at, value.max(1))),
                Kind::Header => piece.flips.push((at % RecordHeader::LEN, value.max(1))),
                Kind::Replay => piece.is_replayed = true,
                Kind::Clear => piece.epoch = Epoch::Clear,
                Kind::Epoch => {
                    let (zero, one) = (Epoch::Application(0), Epoch::Application(1));
                    piece.epoch =
                        [Epoch::Early, Epoch::Handshake, zero, one][usize::from(value % 4)];
                    piece.record.clear();
                }
                Kind::Pad => {
                    piece.zeros = if value & 1 == 0 { at % 300 } else { at % MAX_CHANGED_LEN };
                }
                Kind::KeyUpdate => self.update(self.sender, value & 1 == 1),
                Kind::Data => self.send(self.sender, literal),
                Kind::Close => self.ends[index(self.sender)].close(),
            }
        }
        self.collect(self.sender);
        if self.plan.repairs() {
            self.repair_binder(&mut piece.payload);
        }
        let mut pieces = before;
        if !is_dropped {
            let whole = match fragment_len.filter(|_| !piece.payload.is_empty()) {
                Some(len) => piece
                    .payload
                    .chunks(len)
                    .map(|part| Piece { payload: part.to_vec(), joins: false, ..piece.clone() })
                    .collect(),
                None => vec![piece],
            };
            if joins_next && whole.iter().all(Piece::is_handshake) {
                self.joined.extend(whole.into_iter().flat_map(|piece| piece.payload));
            } else if is_later {
                pieces.extend(self.later.replace(whole[0].clone()));
            } else {
                if is_twice {
                    pieces.extend(whole.iter().cloned());
                }
                pieces.extend(whole);
                pieces.extend(self.later.take());
            }
        }
        if !self.joined.is_empty()
            && !joins_next
            && let Some(next) = pieces.iter_mut().find(|piece| piece.is_handshake())
        {
            next.payload.splice(0..0, mem::take(&mut self.joined));
        }
        pieces
    }

    fn deliver(&mut self, piece: Piece) {
        self.deliver_to(other(self.sender), piece);
    }

    /// Protects a piece for its receiver, and passes it on.
    fn deliver_to(&mut self, side: Side, piece: Piece) {
        let place = index(side);
        if piece.is_raw {
            self.models[place].is_blind = true;
            return self.pass(side, &piece.payload, None);
        }
        let model = &self.models[place];
        let suite = match piece.epoch {
            Epoch::Early => Some(self.scenario.suite),
            _ => model.suite(),
        };
        let log = &mut self.logs[place];
        let secret = suite.and_then(|suite| log.secret(suite, other(side), piece.epoch));
        let (record, is_readable) = match (piece.epoch, suite.zip(secret)) {
            (Epoch::Clear, _) => {
                let is_free = matches!(piece.content_type, CHANGE_CIPHER_SPEC | ALERT);
                let is_readable = model.epoch() == Epoch::Clear || is_free;
                (clear_record(piece.content_type, &piece.payload), is_readable)
            }
            (epoch, Some((suite, secret))) => {
                let number = model.number(epoch);
                let provider = &self.scenario.provider;
                let sealer = self.sealers[place].entry(epoch);
                let sealer = sealer.or_insert_with(|| Sealer::new(provider, suite, secret));
                let record = sealer.seal(number, piece.content_type, &piece.payload, piece.zeros);
                (record, epoch == model.epoch())
            }
            // Early data that are declined.
            (_, None) if !piece.record.is_empty() => (piece.record.clone(), false),
            (_, None) => {
                let suite = self.scenario.suite;
                let secret = vec![0; reference13::hash_of(suite).output_len()];
                let mut sealer = Sealer::new(&self.scenario.provider, suite, secret);
                (sealer.seal(0, piece.content_type, &piece.payload, piece.zeros), false)
            }
        };
        let mut wire = record.clone();
        let len = wire.len();
        for (at, bits) in &piece.flips {
            let at = if *at < RecordHeader::LEN { *at } else { at % len };
            self.models[place].is_blind |= at < RecordHeader::LEN;
            wire[at] ^= bits;
        }
        let mut is_whole = wire == record;
        for _ in 0..=usize::from(piece.is_replayed) {
            // The second one has a sequence number that has passed.
            let is_readable = is_readable && (is_whole || piece.epoch == Epoch::Clear);
            self.pass_record(side, &piece, &wire, is_readable);
            is_whole = false;
        }
    }

    /// Passes a record on, and has the model follow.
    fn pass_record(&mut self, side: Side, piece: &Piece, wire: &[u8], is_readable: bool) {
        let place = index(side);
        let is_encrypted = piece.epoch != Epoch::Clear;
        // In the clear it is what stands there.
        let payload = if is_encrypted { &piece.payload[..] } else { &wire[RecordHeader::LEN..] };
        let inner = content(piece.content_type, payload, is_encrypted);
        let end = &self.ends[place];
        let model = &mut self.models[place];
        let mut shown = None;
        if end.ended().is_none() && !end.is_closed_by_peer() && !model.is_blind {
            let zeros = if is_encrypted { piece.zeros } else { 0 };
            let is_too_long = payload.len() + zeros > MAX_PAYLOAD_LEN;
            if is_readable && is_too_long || wire.len() > MAX_RECORD_LEN {
                model.must_refuse = Some("a record that is too long".to_owned());
            } else if !is_readable {
                model.receives_garbage();
            } else if let Some((content_type, payload)) = inner {
                model.receives(content_type, payload, is_encrypted, &mut self.logs[place]);
                shown = inner;
            } else {
                model.must_refuse = Some("a record without a content type".to_owned());
            }
        }
        self.pass(side, wire, shown);
    }

    /// Passes bytes on in pieces, and checks what must hold.
    fn pass(&mut self, side: Side, bytes: &[u8], content: Option<(u8, &[u8])>) {
        let place = index(side);
        let before = self.ends[place].ended();
        let was_over = before.is_some() || self.ends[place].is_closed_by_peer();
        self.received[place] += 1;
        let piece_len = self.plan.piece_len().max(bytes.len() / 64 + 1);
        let mut pieces = bytes.chunks(piece_len).peekable();
        while let Some(bytes) = pieces.next() {
            let is_last = pieces.peek().is_none();
            self.ends[place].receive(Delivery { bytes, content, is_last });
        }
        let written = self.written[place];
        self.collect(side);
        // Of what was not carried on: half a message, and the data of this record.
        let (len, model) = (self.ends[place].buffered_len(), &self.models[place]);
        let most = match was_over || model.is_blind {
            true => MAX_BUFFERED_LEN,
            false => model.pending_len() + bytes.len(),
        };
        assert!(len <= most, "{side:?} keeps {len} bytes");
        if was_over {
            assert_eq!(self.written[place], written, "{side:?} writes after its end");
            assert_eq!(self.ends[place].ended(), before, "{side:?} ends twice");
        }
        self.check(side);
    }

    /// Checks an end after a record.
    fn check(&mut self, side: Side) {
        let place = index(side);
        let end = &mut self.ends[place];
        let model = &mut self.models[place];
        let ended = end.ended();
        let is_over = ended.is_some() || end.is_closed_by_peer();
        if let Some(Ended::Refused(alert)) = ended {
            assert!(ALERTS.contains(&alert), "{side:?} sends {alert:?}");
            let sent = self.alerts[place];
            let is_right = sent == Some([2, alert.code()]) || model.is_blind;
            assert!(is_right, "{side:?}: {sent:?} was sent for {alert:?}");
        }
        let (data, early) = (end.take_data(), end.take_early_data());
        self.taken[place].extend_from_slice(&data);
        let is_established = end.is_established();
        if is_established && self.exported[place].is_none() {
            self.exported[place] = end.exported();
        }
        assert!(data.is_empty() || is_established, "{side:?} delivers data before Finished");
        let accepts = model.accepts_early_data && self.scenario.kind == scenario::Kind::EarlyData;
        assert!(early.is_empty() || accepts || model.is_blind, "{side:?} delivers early data");
        assert!(early.len() <= MAX_EARLY_DATA as usize, "{side:?} delivers too much early data");
        if model.is_blind {
            return;
        }
        for (taken, expected) in [(data, &mut model.data), (early, &mut model.early_data)] {
            let expected = mem::take(expected);
            let is_right = if is_over { expected.starts_with(&taken) } else { expected == taken };
            assert!(is_right, "{side:?} delivers {taken:x?}, sent were {expected:x?}");
        }
        if let Some(why) = &model.must_refuse {
            assert!(is_over, "{side:?} has taken {why}");
        }
        assert!(!model.is_over || is_over, "{side:?} goes on after an alert: {model:?}");
        if is_established {
            assert_eq!(model.finished, Some(true), "{side:?} is established without Finished");
        }
    }

    /// Checks both ends together.
    fn finish(mut self) -> Outcome {
        let [client, server] = &self.ends;
        let established = [client.is_established(), server.is_established()];
        let ended = [client.ended(), server.ended()];
        let [of_client, of_server] = &self.models;
        let is_blind = of_client.is_blind || of_server.is_blind;
        if established == [true; 2] {
            let is_same = of_client.handshake() == of_server.handshake();
            assert!(
                is_same || self.is_repaired || is_blind,
                "established on two transcripts: {of_client:?}, {of_server:?}"
            );
        }
        if let [Some(one), Some(two)] = self.exported {
            let is_same = of_client.hellos() == of_server.hellos();
            assert!(
                (one == two) == is_same || is_blind,
                "the same exporter: {}, the same transcript: {is_same}",
                one == two
            );
            assert!(one == two || self.is_repaired, "two sessions of one handshake");
        }
        let outcome = Outcome {
            is_changed: self.is_changed,
            is_repaired: self.is_repaired,
            established,
            ended,
            messages: [of_client.received_messages(), of_server.received_messages()],
            protected: self.models[index(other(self.sender))].protected(),
        };
        if !self.is_changed {
            assert_eq!(established, [true; 2], "nothing was changed, but {ended:?}");
            assert_eq!(ended, [Some(Ended::Closed); 2], "nothing was changed");
            let sent = mem::take(&mut self.sent);
            assert_eq!((&sent[0], &sent[1]), (&self.taken[1], &self.taken[0]));
            let accepts = self.scenario.kind == scenario::Kind::EarlyData;
            assert!(self.ends.iter().all(|end| end.has_accepted_early_data() == accepts));
        }
        outcome
    }
}

/// The alerts that an end of TLS 1.3 sends to a peer that is at fault (RFC 8446 section 6.2).
const ALERTS: [Alert; 14] = [
    Alert::UnexpectedMessage,
    Alert::BadRecordMac,
    Alert::RecordOverflow,
    Alert::HandshakeFailure,
    Alert::BadCertificate,
    Alert::UnsupportedCertificate,
    Alert::IllegalParameter,
    Alert::DecodeError,
    Alert::DecryptError,
    Alert::ProtocolVersion,
    Alert::MissingExtension,
    Alert::UnsupportedExtension,
    Alert::CertificateRequired,
    Alert::NoApplicationProtocol,
];

/// A record in the clear; one that is too long is cut at what its header can say.
fn clear_record(content_type: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &payload[..payload.len().min(usize::from(u16::MAX))];
    let fragment_len = u16::try_from(payload.len()).expect("it was cut");
    let header = RecordHeader { content_type, version: 0x0303, fragment_len };
    [&header.to_bytes()[..], payload].concat()
}

/// The type and the content of a record; none for an encrypted one of nothing but zeros.
fn content(content_type: u8, payload: &[u8], is_encrypted: bool) -> Option<(u8, &[u8])> {
    if !is_encrypted || content_type != 0 {
        return Some((content_type, payload));
    }
    let last = payload.iter().rposition(|byte| *byte != 0)?;
    Some((payload[last], &payload[..last]))
}

/// Puts messages into one record that came in one.
fn merge(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut merged: Vec<Piece> = Vec::new();
    for piece in pieces {
        match merged.last_mut() {
            Some(last)
                if piece.joins
                    && last.is_handshake()
                    && last.is_plain()
                    && piece.is_plain()
                    && last.epoch == piece.epoch =>
            {
                last.payload.extend_from_slice(&piece.payload);
            }
            _ => merged.push(piece),
        }
    }
    merged
}
