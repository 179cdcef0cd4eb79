//! Splits one direction of a connection into records. Handshake, alert and ChangeCipherSpec records
//! are kept; of application data only what it takes to decrypt the records behind it.

use std::mem;
use std::ops::Range;

use ssl_provider::MAX_FRAGMENT_LEN;
use ssl_provider_wire::{ContentType, RecordHeader, Ssl2Header};

use super::scan::{Scanner, Start};
use crate::capture::Moment;
use crate::counted::counted;

/// The version in a record of SSL 2.0, which holds a ClientHello in that framing.
const SSL2: u16 = 0x0002;
/// Most bytes that are kept of a direction, with what each record costs besides its fragment.
const MAX_KEPT: usize = 1 << 20;
/// Longest block of a cipher and longest MAC behind it (encrypt_then_mac), in bytes.
const TAIL_LEN: usize = 16 + 48;

/// A record that was kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// The content type.
    pub content_type: ContentType,
    /// The version in the header, which the MAC covers; 0x0002 for a ClientHello in the framing of
    /// SSL 2.0, of which only the message is kept.
    pub version: u16,
    /// When its last byte passed.
    pub moment: Moment,
    /// Records that were passed over between the one kept before and this one.
    pub skipped: Skipped,
    fragment: Range<usize>,
}

/// Records that were passed over: what ciphers need to know of them.
#[derive(Clone, Copy, Debug)]
pub struct Skipped {
    /// How many; sequence numbers count them.
    pub records: u64,
    /// Bytes of all their fragments; RC4 goes on that far.
    pub bytes: u64,
    /// The last bytes; CBC up to TLS 1.0 chains from them.
    pub tail: [u8; TAIL_LEN],
}

/// Why a direction has no further records, other than that the connection or the capture ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// Bytes were not captured.
    #[error("the capture lacks {} at {at} of the stream", counted(*missing, "byte"))]
    Gap {
        /// How many.
        missing: u64,
        /// Where in the stream.
        at: u64,
    },
    /// These bytes are not a record header.
    #[error("no TLS record at {at} of the stream")]
    NotARecord {
        /// Where in the stream.
        at: u64,
    },
    /// More handshake data than is kept.
    #[error("more handshake data than is kept")]
    TooMuch,
}

/// The records of one direction.
#[derive(Clone, Debug, Default)]
pub struct RecordStream {
    state: State,
    position: u64,
    kept: Vec<u8>,
    records: Vec<Record>,
    skipped: Skipped,
    stop: Option<Stop>,
    /// Whether a record under encryption was seen.
    finished: bool,
    start: Option<(Start, Moment)>,
    /// When the bytes passed that are being taken.
    moment: Moment,
    /// Bytes that were not captured before TLS started.
    missing_before: u64,
}

#[derive(Clone, Debug)]
enum State {
    /// Before TLS.
    Scanning(Scanner),
    /// Within a record header.
    Header([u8; RecordHeader::LEN], usize),
    /// Within the two-byte header of SSL 2.0.
    Ssl2Header([u8; Ssl2Header::LEN], usize),
    /// Within a fragment that is kept.
    Keeping { content_type: ContentType, version: u16, left: usize },
    /// Within a fragment that is passed over.
    Passing { left: usize },
    /// Nothing more is taken.
    Stopped,
}

impl Default for State {
    fn default() -> Self {
        Self::Scanning(Scanner::default())
    }
}

impl Record {
    /// Returns whether it is a ClientHello in the framing of SSL 2.0.
    pub fn is_ssl2(&self) -> bool {
        self.version == SSL2
    }
}

impl RecordStream {
    /// Takes the next bytes of the stream.
    pub fn bytes(&mut self, mut bytes: &[u8], moment: Moment) {
        self.moment = moment;
        if let State::Scanning(scanner) = &mut self.state {
            let Some(found) = scanner.scan(bytes) else {
                self.position += bytes.len() as u64;
                return;
            };
            self.position = (self.position + found.at as u64) - found.before.len() as u64;
            self.start = Some((found.start, moment));
            self.state = match found.start {
                Start::Ssl2ClientHello => State::Ssl2Header([0; Ssl2Header::LEN], 0),
                Start::ClientHello | Start::ServerHello => State::Header([0; RecordHeader::LEN], 0),
            };
            self.records(&found.before);
            bytes = bytes.get(found.at..).unwrap_or_default();
        }
        self.records(bytes);
    }

    /// Skips bytes that were not captured.
    pub fn gap(&mut self, missing: u64) {
        match &mut self.state {
            State::Scanning(scanner) => {
                scanner.reset();
                self.missing_before += missing;
            }
            State::Stopped => {}
            State::Header(..)
            | State::Ssl2Header(..)
            | State::Keeping { .. }
            | State::Passing { .. } => self.stop(Stop::Gap { missing, at: self.position }),
        }
        self.position += missing;
    }

    /// Returns what TLS started with, and when; `None` before it did.
    pub fn start(&self) -> Option<(Start, Moment)> {
        self.start
    }

    /// Returns the records that were kept.
    pub fn kept_records(&self) -> &[Record] {
        &self.records
    }

    /// Returns the fragment of a record of this stream.
    pub fn fragment(&self, record: &Record) -> &[u8] {
        self.kept.get(record.fragment.clone()).unwrap_or_default()
    }

    /// Returns why there are no further records.
    pub fn stopped(&self) -> Option<&Stop> {
        self.stop.as_ref()
    }

    /// Returns whether the stream ends within a record.
    pub fn ends_within_a_record(&self) -> bool {
        match self.state {
            State::Keeping { left, .. } | State::Passing { left } => left > 0,
            State::Header(_, have) | State::Ssl2Header(_, have) => have > 0,
            State::Scanning(_) | State::Stopped => false,
        }
    }

    /// Returns how many bytes were not captured before TLS started; all if it never did.
    pub fn missing_before(&self) -> u64 {
        self.missing_before
    }

    /// Returns whether further bytes can be of use.
    pub fn wants(&self) -> bool {
        !matches!(self.state, State::Stopped)
    }

    /// Whether a record behind ChangeCipherSpec was seen, or application data.
    pub fn has_finished(&self) -> bool {
        self.finished
    }

    /// Returns how many bytes of memory are in use.
    pub fn memory(&self) -> usize {
        self.kept.len() + self.records.len() * mem::size_of::<Record>()
    }

    /// Takes bytes that lie within records.
    fn records(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.step(bytes);
            self.position += taken as u64;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Takes what belongs to the current state. Returns how many bytes that was.
    fn step(&mut self, bytes: &[u8]) -> usize {
        match &mut self.state {
            State::Stopped | State::Scanning(_) => bytes.len(),
            State::Header(header, have) => {
                let taken = fill(header, have, bytes);
                if *have == RecordHeader::LEN {
                    let header = RecordHeader::from_bytes(*header);
                    self.begin(header);
                }
                taken
            }
            State::Ssl2Header(header, have) => {
                let taken = fill(header, have, bytes);
                if *have == Ssl2Header::LEN {
                    let left = usize::from(Ssl2Header::from_bytes(*header).message_len);
                    self.keep(ContentType::Handshake, SSL2, left);
                }
                taken
            }
            State::Keeping { content_type, version, left } => {
                let (content_type, version) = (*content_type, *version);
                let taken = (*left).min(bytes.len());
                *left -= taken;
                let done = *left == 0;
                self.kept.extend_from_slice(bytes.get(..taken).unwrap_or_default());
                if done {
                    self.kept_one(content_type, version);
                }
                taken
            }
            State::Passing { left } => {
                let taken = (*left).min(bytes.len());
                *left -= taken;
                let done = *left == 0;
                self.skipped.pass(bytes.get(..taken).unwrap_or_default());
                if done {
                    self.passed_one();
                }
                taken
            }
        }
    }

    /// Begins the record with this header.
    fn begin(&mut self, header: RecordHeader) {
        let left = usize::from(header.fragment_len);
        // The position is still that before the last bytes of the header; near enough to find it.
        let at = self.position;
        if header.version >> 8 != 3 || left > MAX_FRAGMENT_LEN {
            return self.stop(Stop::NotARecord { at });
        }
        match (ContentType::from_wire(header.content_type), header.content_type) {
            (Some(ContentType::ApplicationData), _) | (None, ContentType::HEARTBEAT) => {
                self.state = State::Passing { left };
                if left == 0 {
                    self.passed_one();
                }
            }
            (Some(content_type), _) => self.keep(content_type, header.version, left),
            (None, _) => self.stop(Stop::NotARecord { at }),
        }
    }

    fn keep(&mut self, content_type: ContentType, version: u16, left: usize) {
        if self.memory() + left + mem::size_of::<Record>() > MAX_KEPT {
            return self.stop(Stop::TooMuch);
        }
        self.state = State::Keeping { content_type, version, left };
        if left == 0 {
            self.kept_one(content_type, version);
        }
    }

    /// The fragment that was being passed over is whole.
    fn passed_one(&mut self) {
        self.skipped.records += 1;
        self.finished = true;
        self.state = State::Header([0; RecordHeader::LEN], 0);
    }

    /// The fragment that was being kept is whole.
    fn kept_one(&mut self, content_type: ContentType, version: u16) {
        let start = self.records.last().map_or(0, |last| last.fragment.end);
        self.finished |= self
            .records
            .last()
            .is_some_and(|last| last.content_type == ContentType::ChangeCipherSpec);
        let skipped = mem::take(&mut self.skipped);
        let fragment = start..self.kept.len();
        let moment = self.moment;
        self.records.push(Record { content_type, version, moment, skipped, fragment });
        self.state = State::Header([0; RecordHeader::LEN], 0);
    }

    fn stop(&mut self, stop: Stop) {
        self.state = State::Stopped;
        self.stop = Some(stop);
    }
}

impl Default for Skipped {
    fn default() -> Self {
        Self { records: 0, bytes: 0, tail: [0; TAIL_LEN] }
    }
}

impl Skipped {
    /// Adds a whole record.
    pub fn add_record(&mut self, fragment: &[u8]) {
        self.pass(fragment);
        self.records += 1;
    }

    /// Adds records that came behind these.
    pub fn add(&mut self, later: &Self) {
        let tail_len = usize::try_from(later.bytes).map_or(TAIL_LEN, |len| len.min(TAIL_LEN));
        self.pass(&later.tail[TAIL_LEN - tail_len..]);
        self.bytes += later.bytes - tail_len as u64;
        self.records += later.records;
    }

    fn pass(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        if let Some(tail) = bytes.last_chunk() {
            self.tail = *tail;
        } else {
            self.tail.rotate_left(bytes.len());
            let start = TAIL_LEN - bytes.len();
            self.tail[start..].copy_from_slice(bytes);
        }
    }
}

/// Copies into `header` until it is full. Returns how many bytes were taken.
fn fill(header: &mut [u8], have: &mut usize, bytes: &[u8]) -> usize {
    let free = header.get_mut(*have..).unwrap_or_default();
    let taken = free.len().min(bytes.len());
    free[..taken].copy_from_slice(&bytes[..taken]);
    *have += taken;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, fragment: &[u8]) -> Vec<u8> {
        let len = u16::try_from(fragment.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3][..], &len, fragment].concat()
    }

    fn hello() -> Vec<u8> {
        record(22, &[1, 0, 0, 4, 3, 3, 9, 9])
    }

    #[test]
    fn records_are_kept_or_counted_whatever_the_pieces() {
        let data: Vec<u8> = (0..50).collect();
        let stream = [
            &b"220 ready\r\n"[..],
            &hello(),
            &record(20, &[1]),
            &record(23, &data),
            &record(ContentType::HEARTBEAT, &[7; 3]),
            &record(21, &[1, 0]),
        ]
        .concat();
        for piece_len in 1..stream.len() {
            let mut records = RecordStream::default();
            for piece in stream.chunks(piece_len) {
                records.bytes(piece, Moment::default());
            }
            let kept = records.kept_records();
            let kinds: Vec<_> = kept.iter().map(|one| one.content_type.wire()).collect();
            assert_eq!(kinds, [22, 20, 21]);
            let skipped = kept[2].skipped;
            assert_eq!((skipped.records, skipped.bytes), (2, 53));
            assert_eq!(skipped.tail[TAIL_LEN - 6..], [47, 48, 49, 7, 7, 7]);
            assert_eq!(records.fragment(&kept[2]), [1, 0]);
            assert!(!records.ends_within_a_record());
        }
    }

    #[test]
    fn a_gap_stops_records_but_not_the_search_for_them() {
        let mut records = RecordStream::default();
        records.gap(10);
        records.bytes(&hello(), Moment::default());
        records.gap(5);
        records.bytes(&hello(), Moment::default());
        assert_eq!(records.kept_records().len(), 1);
        assert_eq!(records.stopped(), Some(&Stop::Gap { missing: 5, at: 23 }));
        assert_eq!(records.missing_before(), 10);
    }

    #[test]
    fn endless_handshake_data_stops_at_the_limit() {
        let mut records = RecordStream::default();
        records.bytes(&hello(), Moment::default());
        for _ in 0..1000 {
            records.bytes(&record(22, &[0; 16_000]), Moment::default());
            assert!(records.memory() <= MAX_KEPT);
        }
        assert_eq!(records.stopped(), Some(&Stop::TooMuch));
    }
}
