//! STARTTLS: asks a server for TLS in the protocol that is spoken before it.
//!
//! Replies are read byte by byte, so nothing behind the last one is taken for a reply: what an
//! attacker put there goes to the TLS client, which refuses it (CVE-2011-0411). Lines and their
//! number are bounded.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use clap::ValueEnum;

use crate::client::refusal::printable;

/// A protocol that TLS can begin in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartTls {
    /// SMTP (RFC 3207)
    Smtp,
    /// IMAP (RFC 9051)
    Imap,
    /// POP3 (RFC 2595)
    Pop3,
    /// FTP (RFC 4217)
    Ftp,
    /// PostgreSQL's SSLRequest
    Postgres,
    /// LDAP (RFC 4511)
    Ldap,
}

impl fmt::Display for StartTls {
    /// Writes the value of `--starttls`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Postgres => "postgres",
            Self::Ldap => "ldap",
        })
    }
}

/// Why TLS cannot begin.
#[derive(Debug)]
pub(super) enum NoTls {
    /// The server replied otherwise; its reply, and what was expected.
    Reply(String, &'static str),
    /// A line or a reply is too long.
    TooLong,
    /// The time is over before the server's greeting.
    NoGreeting,
    /// The time is over before a reply.
    NoReply,
    /// The socket failed.
    Io(io::Error),
}

impl fmt::Display for NoTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(reply, expected) => {
                write!(f, "expected {expected}, the server replied '{}'", printable(reply))
            }
            Self::TooLong => f.write_str("the server's reply is too long"),
            Self::NoGreeting => f.write_str("no greeting from the server"),
            Self::NoReply => f.write_str("no reply from the server"),
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("the server closed the connection")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl NoTls {
    /// Whether the time is over.
    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::NoGreeting | Self::NoReply)
    }
}

impl From<io::Error> for NoTls {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::NoReply,
            _ => Self::Io(error),
        }
    }
}

impl StartTls {
    /// Asks the server for TLS; afterwards a ClientHello may follow.
    pub(super) fn ask(self, stream: &mut TcpStream, deadline: Instant) -> Result<(), NoTls> {
        stream.set_nodelay(true)?;
        let mut stream = Timed { stream, deadline, has_sent: false };
        self.converse(&mut stream).map_err(|why| match why {
            NoTls::NoReply if !stream.has_sent => NoTls::NoGreeting,
            other => other,
        })
    }

    fn converse(self, stream: &mut (impl Read + Write)) -> Result<(), NoTls> {
        match self {
            Self::Smtp => {
                numbered(stream, "220")?;
                stream.write_all(b"EHLO sslprov.invalid\r\n")?;
                let reply = numbered(stream, "250")?;
                let offers = |line: &String| {
                    line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case("STARTTLS"))
                };
                if !reply.iter().any(offers) {
                    return Err(NoTls::Reply(reply.join(", "), "an offer of STARTTLS"));
                }
                stream.write_all(b"STARTTLS\r\n")?;
                numbered(stream, "220").map(drop)
            }
            Self::Ftp => {
                numbered(stream, "220")?;
                stream.write_all(b"AUTH TLS\r\n")?;
                numbered(stream, "234").map(drop)
            }
            Self::Pop3 => {
                begins(&line(stream)?, "+OK")?;
                stream.write_all(b"STLS\r\n")?;
                begins(&line(stream)?, "+OK")
            }
            Self::Imap => {
                begins(&line(stream)?, "* OK")?;
                stream.write_all(b"a1 STARTTLS\r\n")?;
                // Other lines may come before the one with the tag.
                for _ in 0..MAX_LINES {
                    let line = line(stream)?;
                    if !line.starts_with("* ") {
                        return begins(&line, "a1 OK");
                    }
                }
                Err(NoTls::TooLong)
            }
            Self::Postgres => {
                // Its length, and the number that stands for a request of TLS.
                stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])?;
                match byte(stream)? {
                    b'S' => Ok(()),
                    b'N' => Err(NoTls::Reply("N".to_owned(), "S: the server has no TLS")),
                    other => Err(NoTls::Reply(char::from(other).to_string(), "S")),
                }
            }
            Self::Ldap => ldap(stream),
        }
    }
}

/// Reads the lines of a reply that begin with this number; the last has a space behind it.
fn numbered(stream: &mut impl Read, number: &'static str) -> Result<Vec<String>, NoTls> {
    let mut lines = Vec::new();
    while lines.len() < MAX_LINES {
        let line = line(stream)?;
        begins(&line, number)?;
        let is_last = !line.get(3..).is_some_and(|rest| rest.starts_with('-'));
        lines.push(line);
        if is_last {
            return Ok(lines);
        }
    }
    Err(NoTls::TooLong)
}

fn begins(line: &str, expected: &'static str) -> Result<(), NoTls> {
    let begins = line.get(..expected.len()).is_some_and(|it| it.eq_ignore_ascii_case(expected));
    if begins { Ok(()) } else { Err(NoTls::Reply(line.to_owned(), expected)) }
}

/// Reads a line; bytes that are not UTF-8 are replaced.
fn line(stream: &mut impl Read) -> Result<String, NoTls> {
    let mut line = Vec::new();
    loop {
        match byte(stream)? {
            b'\n' => break,
            byte => line.push(byte),
        }
        if line.len() > MAX_LINE_LEN {
            return Err(NoTls::TooLong);
        }
    }
    Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned())
}

fn byte(stream: &mut impl Read) -> Result<u8, NoTls> {
    let mut byte = [0];
    stream.read_exact(&mut byte)?;
    let [byte] = byte;
    Ok(byte)
}

/// An ExtendedRequest, and the ExtendedResponse to it (RFC 4511 sections 4.12 and 4.14.1).
fn ldap(stream: &mut (impl Read + Write)) -> Result<(), NoTls> {
    const OID: &[u8] = b"1.3.6.1.4.1.1466.20037";
    // Message 1: [APPLICATION 23] { [0] requestName }. All lengths fit one byte.
    let head = [0x30, 0x1d, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16];
    stream.write_all(&[&head[..], OID].concat())?;
    let strange = |what: &str| NoTls::Reply(what.to_owned(), "an ExtendedResponse of LDAP");
    if byte(stream)? != 0x30 {
        return Err(strange("something that is not LDAP"));
    }
    let message = ber_content(stream)?;
    let mut message = &message[..];
    let (id, number) = ber(&mut message)?;
    let (response, content) = ber(&mut message)?;
    // [APPLICATION 24], which begins with resultCode, ENUMERATED.
    if (id, &number[..], response) != (0x02, &[1], 0x78) {
        return Err(strange("another message"));
    }
    let mut content = &content[..];
    match ber(&mut content)? {
        (0x0a, code) if code == [0] => Ok(()),
        (0x0a, code) => match code[..] {
            [code] => Err(NoTls::Reply(format!("resultCode {code}"), "resultCode 0: success")),
            _ => Err(strange("a resultCode that is not one byte")),
        },
        _ => Err(strange("a response without resultCode")),
    }
}

/// Reads a tag, and what it stands before (X.690 section 8.1).
fn ber(stream: &mut impl Read) -> Result<(u8, Vec<u8>), NoTls> {
    Ok((byte(stream)?, ber_content(stream)?))
}

/// Reads a length, and as many bytes.
fn ber_content(stream: &mut impl Read) -> Result<Vec<u8>, NoTls> {
    let len = match byte(stream)? {
        len @ 0..=0x7f => usize::from(len),
        0x81 => usize::from(byte(stream)?),
        0x82 => usize::from(byte(stream)?) << 8 | usize::from(byte(stream)?),
        0x84 => {
            let [high, low] = [byte(stream)?, byte(stream)?];
            if high != 0 || low != 0 {
                return Err(NoTls::TooLong);
            }
            usize::from(byte(stream)?) << 8 | usize::from(byte(stream)?)
        }
        _ => return Err(NoTls::TooLong),
    };
    if len > MAX_LINE_LEN {
        return Err(NoTls::TooLong);
    }
    let mut content = vec![0; len];
    stream.read_exact(&mut content)?;
    Ok(content)
}

/// A socket whose reads and writes end at a deadline.
struct Timed<'a> {
    stream: &'a mut TcpStream,
    deadline: Instant,
    has_sent: bool,
}

impl Timed<'_> {
    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(out)
    }
}

impl Write for Timed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.has_sent = true;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Longest line or message of a server in bytes.
const MAX_LINE_LEN: usize = 4096;

/// Most lines of a reply.
const MAX_LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    /// A server whose replies were all sent in advance, and what it was sent.
    struct Script<'a> {
        replies: &'a [u8],
        sent: Vec<u8>,
    }

    impl Read for Script<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.replies.read(out)
        }
    }

    impl Write for Script<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns what was sent, and what was left of the replies.
    fn converse(protocol: StartTls, replies: &[u8]) -> Result<(Vec<u8>, usize), String> {
        let mut script = Script { replies, sent: Vec::new() };
        protocol.converse(&mut script).map_err(|error| error.to_string())?;
        Ok((script.sent, script.replies.len()))
    }

    const LDAP_SUCCESS: &[u8] = &[0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 0, 4, 0, 4, 0];

    const GOOD: [(StartTls, &[u8], &[u8]); 6] = [
        (
            StartTls::Smtp,
            b"220-mail.example\r\n220 ready\r\n250-mail.example\r\n250-SIZE 1\r\n250 starttls\r\n\
              220 go\r\n",
            b"EHLO sslprov.invalid\r\nSTARTTLS\r\n",
        ),
        (
            StartTls::Imap,
            b"* OK ready\r\n* CAPABILITY IMAP4rev1\r\na1 OK go\r\n",
            b"a1 STARTTLS\r\n",
        ),
        (StartTls::Pop3, b"+OK ready\r\n+OK go\n", b"STLS\r\n"),
        (StartTls::Ftp, b"220 ready\r\n234 go\r\n", b"AUTH TLS\r\n"),
        (StartTls::Postgres, b"S", &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]),
        (
            StartTls::Ldap,
            LDAP_SUCCESS,
            b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037",
        ),
    ];

    #[test]
    fn every_protocol_asks_for_tls_and_reads_no_byte_behind_the_reply() {
        for (protocol, replies, sent) in GOOD {
            let with_more = [replies, b"injected\r\n"].concat();
            assert_eq!(converse(protocol, &with_more), Ok((sent.to_vec(), 10)), "{protocol:?}");
            for len in 0..replies.len() {
                let refused = converse(protocol, &replies[..len]).unwrap_err();
                assert!(refused.contains("closed the connection"), "{protocol:?} {len}: {refused}");
            }
        }
    }

    #[test]
    fn protocols_are_shown_as_they_are_taken() {
        for protocol in StartTls::value_variants() {
            assert_eq!(StartTls::from_str(&protocol.to_string(), false), Ok(*protocol));
        }
    }

    #[test]
    fn a_server_that_declines_is_quoted() {
        for (protocol, replies, word) in [
            (StartTls::Smtp, &b"554 no\r\n"[..], "554 no"),
            (StartTls::Smtp, b"220 x\r\n250-x\r\n250 SIZE\r\n", "offer of STARTTLS"),
            (StartTls::Smtp, b"220 x\r\n250 STARTTLS\r\n454 not now\r\n", "454 not now"),
            (StartTls::Imap, b"* OK\r\na1 BAD no\r\n", "a1 BAD no"),
            (StartTls::Pop3, b"+OK\r\n-ERR no\r\n", "-ERR no"),
            (StartTls::Ftp, b"220 x\r\n500 \x1b[31mno\r\n", "500 \\u{1b}[31mno"),
            (StartTls::Postgres, b"N", "no TLS"),
            (StartTls::Postgres, b"E", "'E'"),
            (StartTls::Ldap, &[0x30, 12, 2, 1, 1, 0x78, 7, 10, 1, 2, 4, 0, 4, 0], "'resultCode 2'"),
            (StartTls::Ldap, &[0x30, 12, 2, 1, 2, 0x78, 7, 10, 1, 0, 4, 0, 4, 0], "another"),
            (StartTls::Ldap, b"HTTP/1.1 400 Bad Request", "not LDAP"),
        ] {
            let refused = converse(protocol, replies).unwrap_err();
            assert!(refused.contains(word), "{protocol:?}: {refused}");
        }
    }

    #[test]
    fn replies_without_an_end_are_bounded() {
        let line = [b'x'; MAX_LINE_LEN + 2];
        assert!(converse(StartTls::Pop3, &line).unwrap_err().contains("too long"));
        let lines = b"220-x\r\n".repeat(MAX_LINES + 1);
        assert!(converse(StartTls::Smtp, &lines).unwrap_err().contains("too long"));
        let lines = [&b"* OK\r\n"[..], &b"* x\r\n".repeat(MAX_LINES + 1)].concat();
        assert!(converse(StartTls::Imap, &lines).unwrap_err().contains("too long"));
        for long in [&[0x30, 0x83, 1, 0, 0][..], &[0x30, 0x84, 1, 0, 0, 0], &[0x30, 0x82, 0xff, 0]]
        {
            assert!(converse(StartTls::Ldap, long).unwrap_err().contains("too long"));
        }
    }
}
