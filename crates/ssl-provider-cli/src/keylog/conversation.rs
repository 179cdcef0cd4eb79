//! One TCP connection as TLS sees it: the records of both directions, and who is the client.
//! Gathered while packets are read; analysed as a whole when the connection ends.

use crate::capture::{Endpoints, Moment, Peer, StreamHandler};
use crate::tls::RecordStream;
use crate::tls::scan::Start;

/// The records of a connection.
#[derive(Debug, Default)]
pub struct Conversation {
    streams: [RecordStream; 2],
}

/// A conversation that is over, ready to be analysed.
#[derive(Debug)]
pub struct RecordedConversation {
    /// Who talked.
    pub endpoints: Endpoints,
    /// Which peer is the client.
    pub client: Peer,
    /// When TLS started.
    pub moment: Moment,
    /// Whether the rest was given up to save memory.
    pub evicted: bool,
    streams: [RecordStream; 2],
}

impl Conversation {
    /// When TLS started; none before it did.
    pub fn started(&self) -> Option<Moment> {
        self.streams.iter().filter_map(|stream| stream.start()).map(|(_, moment)| moment).min()
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
        Some(RecordedConversation { endpoints, client, moment, evicted, streams: self.streams })
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
        self.streams.iter().all(RecordStream::has_finished)
    }

    fn memory(&self) -> usize {
        self.streams.iter().map(RecordStream::memory).sum()
    }
}
