//! One TCP connection as TLS sees it: the records of both directions, and who is the client.
//! Gathered while packets are read; analysed when the connection ends, and in a live capture when
//! its first handshake is complete.

use ssl_provider_wire::ContentType;

use crate::capture::{Endpoints, Moment, Peer, StreamHandler};
use crate::tls::RecordStream;
use crate::tls::scan::Start;

/// The records of a connection.
#[derive(Debug, Default)]
pub struct Conversation {
    streams: [RecordStream; 2],
    opening: Option<Opening>,
}

/// What was handed over of a conversation before its end.
#[derive(Clone, Copy, Debug)]
struct Opening {
    number: u64,
    handshake_records: usize,
}

/// How much of a connection is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its first handshake; all of it comes again when it ends.
    Opening,
    /// All of it, after its opening.
    Again {
        /// Whether there is a handshake that the opening does not have.
        renegotiated: bool,
    },
}

/// A conversation that is over, or its opening, ready to be analysed.
#[derive(Debug)]
pub struct RecordedConversation {
    /// Who talked.
    pub endpoints: Endpoints,
    /// Which peer is the client.
    pub client: Peer,
    /// When TLS started.
    pub moment: Moment,
    /// Counts the connections with TLS; both parts of one have the same number.
    pub number: u64,
    /// How much of the connection this is.
    pub part: Part,
    /// Whether the rest was given up to save memory.
    pub evicted: bool,
    streams: [RecordStream; 2],
}

impl Conversation {
    /// When TLS started; none before it did.
    pub fn started(&self) -> Option<Moment> {
        self.streams.iter().filter_map(|stream| stream.start()).map(|(_, moment)| moment).min()
    }

    /// Returns the records so far, once: when both sides have sent what may be Finished, or lack
    /// bytes of it.
    pub fn opening(&mut self, endpoints: Endpoints, number: u64) -> Option<RecordedConversation> {
        if self.opening.is_some() || !self.is_settled() {
            return None;
        }
        self.opening = Some(Opening { number, handshake_records: self.handshake_records() });
        let copy = Self { streams: self.streams.clone(), opening: self.opening };
        Some(RecordedConversation { part: Part::Opening, ..copy.finish(endpoints, false)? })
    }

    fn handshake_records(&self) -> usize {
        let is_handshake = |content_type| content_type == ContentType::Handshake;
        let records = self.streams.iter().flat_map(RecordStream::kept_records);
        records.filter(|record| is_handshake(record.content_type)).count()
    }

    /// The recorded conversation, if there was any TLS.
    pub fn finish(self, endpoints: Endpoints, evicted: bool) -> Option<RecordedConversation> {
        let moment = self.started()?;
        let begins_as_client = |peer: Peer| {
            self.streams[peer as usize].start().map(|(start, _)| match start {
                Start::ClientHello | Start::Ssl2ClientHello => true,
                Start::ServerHello => false,
            })
        };
        let client = match (begins_as_client(Peer::A), begins_as_client(Peer::B)) {
            (Some(true), Some(true)) | (Some(true), None) | (_, Some(false)) => Peer::A,
            (_, Some(true)) | (Some(false), None) => Peer::B,
            // Excluded above: without any start there is no moment.
            (None, None) => return None,
        };
        let (number, part) = self.opening.map_or((0, Part::Whole), |opening| {
            let renegotiated = self.handshake_records() > opening.handshake_records;
            (opening.number, Part::Again { renegotiated })
        });
        let streams = self.streams;
        Some(RecordedConversation { endpoints, client, moment, number, part, evicted, streams })
    }
}

impl RecordedConversation {
    /// The records of one peer.
    pub fn stream(&self, peer: Peer) -> &RecordStream {
        &self.streams[peer as usize]
    }

    /// Bytes of memory in use.
    pub fn memory(&self) -> usize {
        self.streams.iter().map(RecordStream::memory).sum()
    }

    /// Frees the records.
    pub(super) fn forget_records(&mut self) {
        self.streams = Default::default();
    }

    /// Client and server, with their ports.
    pub fn label(&self) -> String {
        let (client, server) = match self.client {
            Peer::A => (self.endpoints.a, self.endpoints.b),
            Peer::B => (self.endpoints.b, self.endpoints.a),
        };
        format!("{client} > {server}")
    }
}

impl StreamHandler for Conversation {
    fn bytes(&mut self, from: Peer, bytes: &[u8], moment: Moment) {
        self.streams[from as usize].bytes(bytes, moment);
    }

    fn gap(&mut self, from: Peer, missing: u64) {
        self.streams[from as usize].gap(missing);
    }

    fn wants(&self, from: Peer) -> bool {
        self.streams[from as usize].wants()
    }

    fn is_settled(&self) -> bool {
        let settled = |stream: &RecordStream| stream.has_finished() || !stream.wants();
        self.streams.iter().all(settled)
    }

    fn memory(&self) -> usize {
        self.streams.iter().map(RecordStream::memory).sum()
    }
}
