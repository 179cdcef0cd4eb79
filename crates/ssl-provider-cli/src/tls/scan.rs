//! Finds where TLS begins in a stream: at once, or behind another protocol's STARTTLS or CONNECT.
//! Any port will do; the shape of a hello in its record decides.

use std::ops::RangeInclusive;

use memchr::memchr_iter;
use ssl_provider::MAX_FRAGMENT_LEN;

/// Bytes that decide whether a hello starts: record header, handshake header, version.
const PATTERN_LEN: usize = 11;

/// What starts in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// A record with a ClientHello.
    ClientHello,
    /// A ClientHello in the framing of SSL 2.0.
    Ssl2ClientHello,
    /// A record with a ServerHello, or with the alert that a server sends instead.
    ServerHello,
}

/// Looks for the start of TLS in a stream that is given piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Scanner {
    /// The end of what was given so far, where a hello may have begun.
    carry: Vec<u8>,
}

/// What a [`Scanner`] found in a piece.
#[derive(Debug)]
pub struct Found {
    /// What starts.
    pub start: Start,
    /// The bytes from the start on that were in earlier pieces.
    pub before: Vec<u8>,
    /// Where in this piece the rest follows.
    pub at: usize,
}

enum Match {
    Yes(Start),
    No,
    /// The bytes so far fit, and more are needed.
    Perhaps,
}

impl Scanner {
    /// Takes the next piece of the stream.
    pub fn scan(&mut self, piece: &[u8]) -> Option<Found> {
        let carried = self.carry.len();
        let joined;
        let bytes = if carried == 0 {
            piece
        } else {
            joined = [&self.carry[..], piece].concat();
            &joined
        };
        match find(bytes) {
            Ok((start, at)) => {
                // What was carried starts with the candidate, so that a find lies there or behind.
                let before = bytes.get(at..carried).unwrap_or_default().to_vec();
                self.carry = Vec::new();
                Some(Found { start, before, at: at.saturating_sub(carried) })
            }
            Err(rest) => {
                self.carry = bytes.get(rest..).unwrap_or_default().to_vec();
                None
            }
        }
    }

    /// Forgets what was carried: bytes are missing here.
    pub fn reset(&mut self) {
        self.carry.clear();
    }
}

/// Returns where TLS starts in `bytes`, or from where on they are needed again.
fn find(bytes: &[u8]) -> Result<(Start, usize), usize> {
    match at_the_beginning(bytes) {
        Match::Yes(start) => return Ok((start, 0)),
        Match::Perhaps => return Err(0),
        Match::No => {}
    }
    for at in memchr_iter(0x16, bytes) {
        match hello_record(bytes.get(at..).unwrap_or_default()) {
            Match::Yes(start) => return Ok((start, at)),
            Match::Perhaps => return Err(at),
            Match::No => {}
        }
    }
    Err(bytes.len())
}

/// TLS usually starts at the beginning of a segment, so less is required there: a hello may be
/// split into records of a byte, a server may begin with an alert, a client with SSL 2.0 framing.
fn at_the_beginning(bytes: &[u8]) -> Match {
    match *bytes {
        // 6 is the HelloRetryRequest of drafts of TLS 1.3.
        [0x16, 0x03, 0..=4, high, low, kind @ (1 | 2 | 6), ..] if fits(high, low) => {
            Match::Yes(if kind == 1 { Start::ClientHello } else { Start::ServerHello })
        }
        [0x15, 0x03, 0..=4, 0, 2, 1 | 2, ..] => Match::Yes(Start::ServerHello),
        [0x16] | [0x16, 0x03] | [0x16, 0x03, 0..=4] | [0x16, 0x03, 0..=4, _] => Match::Perhaps,
        [0x16, 0x03, 0..=4, high, low] if fits(high, low) => Match::Perhaps,
        [0x15] | [0x15, 0x03] | [0x15, 0x03, 0..=4] => Match::Perhaps,
        [0x15, 0x03, 0..=4, 0] | [0x15, 0x03, 0..=4, 0, 2] => Match::Perhaps,
        _ => ssl2_client_hello(bytes),
    }
}

/// A ClientHello of SSL 2.0 that offers SSL 3.0 or later: its lengths must add up.
fn ssl2_client_hello(bytes: &[u8]) -> Match {
    let [0x80..=0xff, ..] = *bytes else { return Match::No };
    if !matches!(*bytes, [_] | [_, _] | [_, _, 1] | [_, _, 1, 3] | [_, _, 1, 3, 0..=4, ..]) {
        return Match::No;
    }
    let Some(head) = bytes.first_chunk::<11>() else { return Match::Perhaps };
    let number = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    let (suites, session_id, challenge) = (number(5), number(7), number(9));
    let adds_up = number(0) & 0x7fff == 9 + suites + session_id + challenge;
    if adds_up
        && suites > 0
        && suites % 3 == 0
        && session_id <= 32
        && (16..=32).contains(&challenge)
    {
        Match::Yes(Start::Ssl2ClientHello)
    } else {
        Match::No
    }
}

/// A whole pattern, for the middle of other data.
fn hello_record(bytes: &[u8]) -> Match {
    const ANY: RangeInclusive<u8> = 0..=0xff;
    const SHAPE: [RangeInclusive<u8>; PATTERN_LEN] =
        [0x16..=0x16, 3..=3, 0..=4, 0..=0x48, ANY, 1..=2, 0..=0, ANY, ANY, 3..=3, 0..=4];
    if !bytes.iter().zip(SHAPE).all(|(byte, range)| range.contains(byte)) {
        return Match::No;
    }
    match bytes.get(5) {
        Some(1) if bytes.len() >= PATTERN_LEN => Match::Yes(Start::ClientHello),
        Some(2) if bytes.len() >= PATTERN_LEN => Match::Yes(Start::ServerHello),
        _ => Match::Perhaps,
    }
}

/// Returns whether a record may be that long (RFC 5246 section 6.2.3) and is not empty.
fn fits(high: u8, low: u8) -> bool {
    (1..=MAX_FRAGMENT_LEN).contains(&usize::from(u16::from_be_bytes([high, low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = &[0x16, 3, 1, 0, 80, 1, 0, 0, 76, 3, 3, 7, 7, 7];

    fn scan_in_pieces(stream: &[u8], piece_len: usize) -> Option<(Start, Vec<u8>)> {
        let mut scanner = Scanner::default();
        for (number, piece) in stream.chunks(piece_len).enumerate() {
            if let Some(found) = scanner.scan(piece) {
                let rest = &stream[number * piece_len + found.at..];
                return Some((found.start, [&found.before[..], rest].concat()));
            }
        }
        None
    }

    #[test]
    fn a_hello_is_found_behind_anything_and_in_any_pieces() {
        for before in [&b""[..], b"EHLO x\r\nSTARTTLS\r\n", &[0x16, 0x16, 3, 0x16, 9], &[0x80]] {
            let stream = [before, HELLO].concat();
            for piece_len in 1..=stream.len() {
                let found = scan_in_pieces(&stream, piece_len);
                assert_eq!(found, Some((Start::ClientHello, HELLO.to_vec())), "{before:x?}");
            }
        }
    }

    #[test]
    fn at_the_beginning_records_may_be_tiny_and_servers_may_refuse() {
        assert_eq!(scan_in_pieces(&[0x16, 3, 0, 0, 1, 1], 9).unwrap().0, Start::ClientHello);
        assert_eq!(scan_in_pieces(&[0x15, 3, 1, 0, 2, 2, 40], 3).unwrap().0, Start::ServerHello);
        let mut ssl2 = vec![0x80, 9 + 3 + 16, 1, 3, 1, 0, 3, 0, 0, 0, 16];
        ssl2.extend([9; 19]);
        assert_eq!(scan_in_pieces(&ssl2, 2).unwrap().0, Start::Ssl2ClientHello);
        ssl2[1] += 1;
        assert_eq!(scan_in_pieces(&ssl2, 2), None);
    }
}
