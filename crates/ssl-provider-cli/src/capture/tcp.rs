//! TCP reassembly: segments in any order become two streams of bytes per connection.
//! Where copies of a byte differ the first one counts; what never came is reported as a gap.
//!
//! Memory is bounded whatever the input: each direction keeps so many bytes that came early, all
//! together so many, and so many connections are open at a time. The one that has been silent
//! longest gives way.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

use super::ip::Segment;

/// Bytes that a piece that came early costs besides its content, about.
const EARLY_COST: usize = 64;

/// Which of the two ends sent something. `A` is the end whose segment was seen first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The end that was seen sending first.
    A,
    /// The other one.
    B,
}

impl Peer {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A place in the capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The number of the packet, counting from 1 over all captures.
    pub packet: u64,
    /// Its timestamp in nanoseconds since 1970, if the capture has one.
    pub time: Option<u64>,
}

/// What is made of the bytes of one connection.
pub trait StreamHandler {
    /// Takes the next bytes of a direction, in order and without gaps.
    fn bytes(&mut self, from: Peer, bytes: &[u8], moment: Moment);

    /// Skips bytes of a direction that were not captured.
    fn gap(&mut self, from: Peer, missing: u64);

    /// Whether more bytes of a direction can be of use. Those of no use are not kept.
    fn wants(&self, from: Peer) -> bool;

    /// Whether the connection may be given up at its RST, with nothing of interest to follow.
    fn is_settled(&self) -> bool;

    /// Bytes of memory that the handler holds.
    fn memory(&self) -> usize;
}

/// The two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// The end that was seen sending first.
    pub a: SocketAddr,
    /// The other one.
    pub b: SocketAddr,
}

/// What bounds the memory of a [`TcpStage`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes that came early and are kept, for each direction.
    pub early_bytes: usize,
    /// Connections that are followed at a time.
    pub connections: usize,
    /// Bytes of memory for all connections.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { early_bytes: 1 << 20, connections: 1 << 16, memory: 256 << 20 }
    }
}

/// Follows the connections of a capture.
#[derive(Debug, Default)]
pub struct TcpStage<H> {
    connections: HashMap<ConnectionKey, Connection<H>>,
    limits: Limits,
    /// The packet being handled, by which the silence of connections is measured.
    moment: Moment,
    memory: usize,
}

/// Both ends, smaller first, so that both directions find the same connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ConnectionKey(SocketAddr, SocketAddr);

impl ConnectionKey {
    fn of(segment: &Segment<'_>) -> Self {
        let (source, destination) = (segment.source, segment.destination);
        if source <= destination { Self(source, destination) } else { Self(destination, source) }
    }
}

#[derive(Debug)]
struct Connection<H> {
    endpoints: Endpoints,
    /// None once the connection has ended; what still comes are copies.
    handler: Option<H>,
    directions: [Direction; 2],
    touched: Moment,
    memory: usize,
}

/// One direction of a connection.
#[derive(Debug, Default)]
struct Direction {
    /// The sequence number behind SYN, or of the first byte seen.
    first_sequence: Option<u32>,
    /// Bytes handed out, and gaps. The next one has the sequence number `first_sequence` plus this.
    position: u64,
    /// Bytes that came before their turn, by their position. Never overlapping.
    early: BTreeMap<u64, Vec<u8>>,
    early_len: usize,
    /// The position of FIN.
    end: Option<u64>,
}

/// A connection that is over, or that was given up, with what its handler has gathered.
#[derive(Debug)]
pub struct Ended<H> {
    /// Who talked.
    pub endpoints: Endpoints,
    /// What was gathered.
    pub handler: H,
    /// Whether it was given up to save memory.
    pub evicted: bool,
}

impl<H: StreamHandler> TcpStage<H> {
    /// Starts without connections.
    pub fn new(limits: Limits) -> Self {
        Self { connections: HashMap::new(), limits, moment: Moment::default(), memory: 0 }
    }

    /// Takes a segment. `start` makes the handler of a new connection, `ended` takes those that are
    /// over.
    pub fn segment(
        &mut self,
        segment: &Segment<'_>,
        moment: Moment,
        start: impl FnOnce() -> H,
        mut ended: impl FnMut(Ended<H>),
    ) {
        self.moment = moment;
        let key = ConnectionKey::of(segment);
        if segment.syn && self.connections.get(&key).is_some_and(|old| old.is_replaced_by(segment))
        {
            self.end(key, false, &mut ended);
            self.connections.remove(&key);
        }
        if !self.connections.contains_key(&key) {
            // A bare acknowledgement or the end of something opens nothing.
            if !segment.syn && segment.payload.is_empty() {
                return;
            }
            if self.connections.len() >= self.limits.connections {
                self.evict(&mut ended);
            }
            self.connections.insert(key, Connection::new(segment, start()));
        }
        let Some(connection) = self.connections.get_mut(&key) else { return };
        connection.touched = moment;
        let over = connection.segment(segment, moment, self.limits.early_bytes);
        let memory = connection.measure();
        self.memory = self.memory + memory - connection.memory;
        connection.memory = memory;
        if over {
            self.end(key, false, &mut ended);
        }
        if self.memory > self.limits.memory {
            self.evict(&mut ended);
        }
    }

    /// Ends every connection, oldest activity first: the capture is over.
    pub fn finish(&mut self, mut ended: impl FnMut(Ended<H>)) {
        for key in self.by_activity() {
            self.end(key, false, &mut ended);
        }
        self.connections.clear();
    }

    /// The connection that a segment belongs to, while it is open.
    pub fn open_connection(&mut self, segment: &Segment<'_>) -> Option<(Endpoints, &mut H)> {
        let connection = self.connections.get_mut(&ConnectionKey::of(segment))?;
        Some((connection.endpoints, connection.handler.as_mut()?))
    }

    /// Connections that are followed, or whose late copies are waited for.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// The handlers of the connections that are open, in no order.
    pub fn handlers(&self) -> impl Iterator<Item = &H> {
        self.connections.values().filter_map(|connection| connection.handler.as_ref())
    }

    /// Gives up a quarter of the connections: those that have ended, then those silent longest.
    fn evict(&mut self, ended: &mut impl FnMut(Ended<H>)) {
        let order = self.by_activity();
        for key in order.iter().take(order.len().div_ceil(4)) {
            self.end(*key, true, ended);
            self.connections.remove(key);
        }
    }

    /// The connections that have ended first, then by how long they have been silent.
    fn by_activity(&self) -> Vec<ConnectionKey> {
        let mut order: Vec<_> = self
            .connections
            .iter()
            .map(|(key, connection)| (connection.handler.is_some(), connection.touched, *key))
            .collect();
        order.sort_unstable_by_key(|(open, touched, _)| (*open, *touched));
        order.into_iter().map(|(.., key)| key).collect()
    }

    fn end(&mut self, key: ConnectionKey, evicted: bool, ended: &mut impl FnMut(Ended<H>)) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let Some(mut handler) = connection.handler.take() else { return };
        for peer in [Peer::A, Peer::B] {
            let mut out = Out { peer, moment: self.moment, handler: &mut handler };
            connection.directions[peer as usize].flush(&mut out);
        }
        self.memory -= connection.memory;
        connection.memory = 0;
        ended(Ended { endpoints: connection.endpoints, handler, evicted });
    }
}

impl<H: StreamHandler> Connection<H> {
    fn new(segment: &Segment<'_>, handler: H) -> Self {
        // If the SYN is missing, its SYN-ACK shows who opened the connection.
        let (a, b) = if segment.syn && segment.ack {
            (segment.destination, segment.source)
        } else {
            (segment.source, segment.destination)
        };
        Self {
            endpoints: Endpoints { a, b },
            handler: Some(handler),
            directions: Default::default(),
            touched: Moment::default(),
            memory: 0,
        }
    }

    fn peer_of(&self, segment: &Segment<'_>) -> Peer {
        if segment.source == self.endpoints.a { Peer::A } else { Peer::B }
    }

    /// Whether a SYN opens another connection between the same ends.
    fn is_replaced_by(&self, syn: &Segment<'_>) -> bool {
        let direction = &self.directions[self.peer_of(syn) as usize];
        match direction.first_sequence {
            // A copy of the SYN, or a SYN that came behind the first data.
            Some(first) if first == syn.sequence.wrapping_add(1) => false,
            Some(_) => true,
            // The other direction is open: this is its SYN-ACK.
            None => self.handler.is_none(),
        }
    }

    /// Takes a segment. Returns whether the connection is over.
    fn segment(&mut self, segment: &Segment<'_>, moment: Moment, early_limit: usize) -> bool {
        let peer = self.peer_of(segment);
        let Some(handler) = &mut self.handler else { return false };
        if segment.rst {
            // Its sequence number is not to be relied on, and others may have forged it.
            return handler.is_settled();
        }
        let direction = &mut self.directions[peer as usize];
        let sequence = segment.sequence.wrapping_add(u32::from(segment.syn));
        let first = *direction.first_sequence.get_or_insert(sequence);
        if let Some(at) = direction.position_of(first, sequence) {
            let mut out = Out { peer, moment, handler };
            direction.data(at, segment.payload, early_limit, &mut out);
            if segment.fin {
                direction.end = u64::try_from(at).ok().map(|at| at + segment.payload.len() as u64);
            }
        }
        self.directions.iter().all(|one| one.end.is_some_and(|end| one.position >= end))
    }

    fn measure(&self) -> usize {
        let handler = self.handler.as_ref().map_or(0, StreamHandler::memory);
        handler + self.directions.iter().map(|one| one.early_len).sum::<usize>()
    }
}

/// Where the bytes of a direction go.
struct Out<'h, H> {
    peer: Peer,
    moment: Moment,
    handler: &'h mut H,
}

impl Direction {
    /// The position of a sequence number, the one nearest to where the direction is; none before
    /// its start.
    fn position_of(&self, first: u32, sequence: u32) -> Option<i64> {
        // Sequence numbers wrap, positions do not: compare with where the direction stands.
        let [.., a, b, c, d] = self.position.to_be_bytes();
        let expected = first.wrapping_add(u32::from_be_bytes([a, b, c, d]));
        let ahead = i64::from(sequence.wrapping_sub(expected).cast_signed());
        i64::try_from(self.position).ok()?.checked_add(ahead)
    }

    /// Takes bytes that start at position `at`.
    fn data(
        &mut self,
        at: i64,
        bytes: &[u8],
        early_limit: usize,
        out: &mut Out<'_, impl StreamHandler>,
    ) {
        // What lies before the current position is a copy.
        let position = i64::try_from(self.position).unwrap_or(i64::MAX);
        let behind = usize::try_from(position.saturating_sub(at)).unwrap_or(0);
        let bytes = bytes.get(behind..).unwrap_or_default();
        let at = u64::try_from(at).unwrap_or(0).max(self.position);
        if bytes.is_empty() {
            return;
        }
        if at == self.position && self.early.is_empty() {
            self.position += bytes.len() as u64;
            out.handler.bytes(out.peer, bytes, out.moment);
            return;
        }
        if !out.handler.wants(out.peer) {
            // Only the position counts from here on.
            self.position = self.position.max(at + bytes.len() as u64);
            return;
        }
        self.keep(at, bytes);
        self.hand_out(out);
        while self.early_len > early_limit {
            self.jump(out);
        }
    }

    /// Keeps the parts of `bytes` that are not there yet.
    fn keep(&mut self, mut at: u64, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let before = self.early.range(..=at).next_back();
            let covered =
                before.map_or(0, |(start, kept)| (start + kept.len() as u64).saturating_sub(at));
            let covered = usize::try_from(covered).unwrap_or(usize::MAX).min(bytes.len());
            (at, bytes) = (at + covered as u64, bytes.get(covered..).unwrap_or_default());
            let next = self.early.range(at..).next().map_or(u64::MAX, |(start, _)| *start);
            let free = usize::try_from(next - at).unwrap_or(usize::MAX).min(bytes.len());
            let (fresh, rest) = bytes.split_at(free);
            if !fresh.is_empty() {
                self.early_len += fresh.len() + EARLY_COST;
                self.early.insert(at, fresh.to_vec());
            }
            (at, bytes) = (at + free as u64, rest);
        }
    }

    /// Hands out what has its turn.
    fn hand_out(&mut self, out: &mut Out<'_, impl StreamHandler>) {
        while let Some(entry) = self.early.first_entry() {
            if *entry.key() > self.position {
                return;
            }
            let bytes = entry.remove();
            self.early_len -= bytes.len() + EARLY_COST;
            self.position += bytes.len() as u64;
            out.handler.bytes(out.peer, &bytes, out.moment);
        }
    }

    /// Gives up waiting for what is missing before the first early byte.
    fn jump(&mut self, out: &mut Out<'_, impl StreamHandler>) {
        let Some((start, _)) = self.early.first_key_value() else { return };
        let missing = start.saturating_sub(self.position);
        self.position = *start;
        out.handler.gap(out.peer, missing);
        if out.handler.wants(out.peer) {
            self.hand_out(out);
        } else {
            self.position = self
                .early
                .last_key_value()
                .map_or(self.position, |(start, bytes)| start + bytes.len() as u64);
            self.early.clear();
            self.early_len = 0;
        }
    }

    /// Hands out everything, gaps included: nothing more will come.
    fn flush(&mut self, out: &mut Out<'_, impl StreamHandler>) {
        while !self.early.is_empty() {
            self.jump(out);
        }
        let missing = self.end.map_or(0, |end| end.saturating_sub(self.position));
        if missing > 0 {
            out.handler.gap(out.peer, missing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it gets.
    #[derive(Debug, Default)]
    struct Notes {
        streams: [Vec<u8>; 2],
        gaps: Vec<(Peer, u64)>,
        deaf: bool,
    }

    impl StreamHandler for Notes {
        fn bytes(&mut self, from: Peer, bytes: &[u8], _moment: Moment) {
            self.streams[from as usize].extend(bytes);
        }

        fn gap(&mut self, from: Peer, missing: u64) {
            self.gaps.push((from, missing));
            self.streams[from as usize].push(b'|');
        }

        fn wants(&self, _from: Peer) -> bool {
            !self.deaf
        }

        fn is_settled(&self) -> bool {
            true
        }

        fn memory(&self) -> usize {
            self.streams.iter().map(Vec::len).sum()
        }
    }

    struct Bench {
        stage: TcpStage<Notes>,
        packet: u64,
        ended: Vec<Ended<Notes>>,
    }

    const CLIENT: &str = "10.0.0.1:40000";
    const SERVER: &str = "10.0.0.2:443";

    impl Bench {
        fn new(limits: Limits) -> Self {
            Self { stage: TcpStage::new(limits), packet: 0, ended: Vec::new() }
        }

        fn send(&mut self, from: &str, to: &str, flags: &str, sequence: u32, payload: &[u8]) {
            self.packet += 1;
            let segment = Segment {
                source: from.parse().unwrap(),
                destination: to.parse().unwrap(),
                sequence,
                syn: flags.contains('S'),
                ack: flags.contains('A'),
                fin: flags.contains('F'),
                rst: flags.contains('R'),
                payload,
            };
            let moment = Moment { packet: self.packet, time: None };
            let ended = &mut self.ended;
            self.stage.segment(&segment, moment, Notes::default, |end| ended.push(end));
        }

        fn client(&mut self, sequence: u32, payload: &str) {
            self.send(CLIENT, SERVER, "A", sequence, payload.as_bytes());
        }

        /// The client's stream, with `|` for gaps, of each connection.
        fn finish(mut self) -> Vec<String> {
            let ended = &mut self.ended;
            self.stage.finish(|end| ended.push(end));
            let text = |end: &Ended<Notes>| {
                String::from_utf8(end.handler.streams[Peer::A as usize].clone()).unwrap()
            };
            self.ended.iter().map(text).collect()
        }
    }

    fn bench() -> Bench {
        Bench::new(Limits::default())
    }

    #[test]
    fn segments_in_any_order_make_one_stream() {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
            let mut bench = bench();
            bench.send(CLIENT, SERVER, "S", 99, b"");
            for piece in order {
                let text = ["abc", "def", "ghi", "jkl"][piece];
                bench.client(100 + 3 * u32::try_from(piece).unwrap(), text);
            }
            assert_eq!(bench.finish(), ["abcdefghijkl"], "{order:?}");
        }
    }

    #[test]
    fn copies_are_dropped_and_the_first_copy_of_a_byte_counts() {
        let mut bench = bench();
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.client(100, "abc");
        bench.client(100, "XYZ");
        bench.client(101, "YZdef");
        bench.client(110, "klm");
        bench.client(109, "JKLMn");
        bench.client(104, "EFghiJK");
        assert_eq!(bench.finish(), ["abcdefghiJklmn"]);
    }

    #[test]
    fn sequence_numbers_wrap_around() {
        let mut bench = bench();
        bench.send(CLIENT, SERVER, "S", u32::MAX - 4, b"");
        bench.client(3, "ijk");
        bench.client(u32::MAX - 3, "abcd");
        bench.client(0, "efg");
        assert_eq!(bench.finish(), ["abcdefgijk"]);
    }

    #[test]
    fn what_never_came_is_a_gap() {
        let mut bench = bench();
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.client(100, "abc");
        bench.client(110, "xyz");
        bench.send(CLIENT, SERVER, "FA", 120, b"");
        let ended = &mut bench.ended;
        bench.stage.finish(|end| ended.push(end));
        assert_eq!(bench.ended[0].handler.gaps, [(Peer::A, 7), (Peer::A, 7)]);
        assert_eq!(bench.finish(), ["abc|xyz|"]);
    }

    #[test]
    fn a_stream_may_start_in_the_middle() {
        let mut bench = bench();
        bench.client(5000, "abc");
        bench.client(5003, "def");
        assert_eq!(bench.finish(), ["abcdef"]);
    }

    #[test]
    fn a_new_syn_opens_a_new_connection_and_a_copied_one_does_not() {
        let mut bench = bench();
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.send(SERVER, CLIENT, "SA", 499, b"");
        bench.client(100, "first");
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.client(105, "!");
        bench.send(CLIENT, SERVER, "S", 7000, b"");
        bench.client(7001, "second");
        assert_eq!(bench.finish(), ["first!", "second"]);
    }

    #[test]
    fn a_connection_ends_when_both_sides_have_finished_and_late_copies_open_nothing() {
        let mut bench = bench();
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.send(SERVER, CLIENT, "SA", 499, b"");
        bench.send(CLIENT, SERVER, "FA", 103, b"def");
        assert!(bench.ended.is_empty());
        bench.send(SERVER, CLIENT, "FA", 500, b"");
        assert!(bench.ended.is_empty(), "bytes before the client's FIN are missing");
        bench.client(100, "abc");
        assert_eq!(bench.ended.len(), 1);
        bench.client(100, "abc");
        assert_eq!(bench.finish(), ["abcdef"]);
    }

    #[test]
    fn the_limit_for_early_bytes_makes_a_gap() {
        let mut bench = Bench::new(Limits { early_bytes: 5 + EARLY_COST, ..Limits::default() });
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.client(110, "klm");
        bench.client(120, "uvw");
        bench.client(100, "late");
        bench.client(113, "nopqrst");
        assert_eq!(bench.finish(), ["|klmnopqrstuvw"]);
    }

    #[test]
    fn memory_and_connections_are_bounded() {
        let limits = Limits { connections: 100, memory: 20_000, ..Limits::default() };
        let mut bench = Bench::new(limits);
        for port in 1000..3000 {
            let from = format!("10.0.0.1:{port}");
            bench.send(&from, SERVER, "A", 0, &[0; 1000]);
            assert!(bench.stage.connections.len() <= 100);
            assert!(bench.stage.memory <= 20_000);
        }
        assert!(bench.ended.iter().all(|end| end.evicted));
        assert_eq!(bench.finish().len(), 2000);
    }

    #[test]
    fn a_deaf_handler_costs_no_memory() {
        let mut bench = bench();
        bench.send(CLIENT, SERVER, "S", 99, b"");
        bench.client(100, "abc");
        for connection in bench.stage.connections.values_mut() {
            connection.handler.as_mut().unwrap().deaf = true;
        }
        bench.client(200, "zzz");
        assert_eq!(bench.stage.memory, 3);
        assert_eq!(bench.finish(), ["abc"]);
    }
}
