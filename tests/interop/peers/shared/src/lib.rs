//! What the peers of the interoperability matrix in Rust share: they read cells, connect or listen,
//! and print what they know. `../README.md` describes the lines. They speak TLS 1.3 only.

use std::env;
use std::fs;
use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use data_encoding::HEXLOWER;

/// The request of a client.
pub const REQUEST: &[u8] = b"GET /session.json HTTP/1.0\r\n\r\n";

/// The label of the keying material that is compared.
pub const EXPORT_LABEL: &str = "EXPERIMENTAL-interop";

/// Its bytes.
pub const EXPORT_LEN: usize = 32;

/// The name of the external pre-shared key.
pub const PSK_NAME: &str = "interop";

/// The key itself, in hexadecimal.
const PSK: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The host name in the certificates of servers.
pub const HOST: &str = "localhost";

/// Most bytes of early data.
pub const MAX_EARLY_DATA: u32 = 4096;

/// Longest silence on a connection.
const TIMEOUT: Duration = Duration::from_secs(15);

/// One line of standard input.
#[derive(Clone, Debug)]
pub struct Cell {
    directory: String,
    port: u16,
    /// The number of the suite.
    pub suite: u16,
    /// The numbers of the groups; a client sends a public key of the first.
    pub groups: Vec<u16>,
    /// The identity of the client's certificate.
    pub client: Option<&'static str>,
    /// Whether the second connection resumes the session of the first.
    pub resumes: bool,
    /// Whether a pre-shared key stands for certificates.
    pub has_psk: bool,
    /// The identity of the server.
    pub server: String,
    /// Whether keys are replaced before data are sent.
    pub updates_keys: bool,
    /// Whether the data of the second connection come early.
    pub has_early_data: bool,
}

impl Cell {
    fn parse(directory: &str, line: &str) -> Result<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [port, version, suite, _, _, groups, client, resumption, server, extra] = words[..]
        else {
            bail!("expected ten words, got {}", words.len());
        };
        ensure!(version == "0304", "no version {version}");
        let number = |hex| u16::from_str_radix(hex, 16).context("a number that is not hex");
        Ok(Self {
            directory: directory.to_owned(),
            port: port.parse().context("the port is not a number")?,
            suite: number(suite)?,
            groups: groups.split(',').map(number).collect::<Result<_>>()?,
            client: match client {
                "rsa" => Some("client-rsa"),
                "ecdsa" => Some("client-p256"),
                _ => None,
            },
            resumes: resumption == "ticket",
            has_psk: resumption == "psk",
            server: server.to_owned(),
            updates_keys: extra == "key-update",
            has_early_data: extra == "early-data",
        })
    }

    /// Returns the certificate of an identity in PEM.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn certificate(&self, name: &str) -> Result<Vec<u8>> {
        self.file(name, "cert")
    }

    /// Returns its private key in PEM.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read.
    pub fn key(&self, name: &str) -> Result<Vec<u8>> {
        self.file(name, "key")
    }

    fn file(&self, name: &str, what: &str) -> Result<Vec<u8>> {
        let path = format!("{}/{name}.{what}.pem", self.directory);
        fs::read(&path).with_context(|| format!("cannot read {path}"))
    }

    /// Returns the external pre-shared key.
    ///
    /// # Errors
    ///
    /// Never, for the key that this crate has.
    pub fn psk(&self) -> Result<Vec<u8>> {
        HEXLOWER.decode(PSK.as_bytes()).context("the pre-shared key is not hex")
    }

    /// Finds what this library has for each group of the cell, by its number.
    ///
    /// # Errors
    ///
    /// Fails for a group that the library does not have.
    pub fn groups_among<T: Copy>(&self, known: &[(u16, T)]) -> Result<Vec<T>> {
        let find = |group: &u16| {
            let found = known.iter().find(|(number, _)| number == group);
            found.map(|(_, group)| *group).with_context(|| format!("no group {group:#06x}"))
        };
        self.groups.iter().map(find).collect()
    }

    /// Finds what this library has for the suite of the cell, by its number.
    ///
    /// # Errors
    ///
    /// Fails for a suite that the library does not have.
    pub fn suite_among<T: Copy>(&self, known: &[(u16, T)]) -> Result<T> {
        let found = known.iter().find(|(number, _)| *number == self.suite);
        found.map(|(_, suite)| *suite).with_context(|| format!("no suite {:#06x}", self.suite))
    }
}

/// The numbers of the groups.
pub mod group {
    #![allow(missing_docs, reason = "their names are those of the registry")]

    pub const SECP256R1: u16 = 0x0017;
    pub const SECP384R1: u16 = 0x0018;
    pub const SECP521R1: u16 = 0x0019;
    pub const X25519: u16 = 0x001D;
    pub const FFDHE2048: u16 = 0x0100;
    pub const SECP256R1MLKEM768: u16 = 0x11EB;
    pub const X25519MLKEM768: u16 = 0x11EC;
    pub const SECP384R1MLKEM1024: u16 = 0x11ED;
}

/// What a library does with a connection.
pub trait Peer: Sized {
    /// The connection after its handshake.
    type Stream: Read + Write;

    /// Returns a client or a server for all connections of a cell.
    ///
    /// # Errors
    ///
    /// Fails for what the library does not have.
    fn new(cell: &Cell, is_client: bool) -> Result<Self>;

    /// Connects, with early data if the session of an earlier connection allows them, and does what
    /// the cell asks for after the handshake.
    ///
    /// # Errors
    ///
    /// Fails when the handshake does.
    fn connect(&mut self, stream: TcpStream, early: &[u8]) -> Result<Self::Stream>;

    /// Accepts a connection, and does what the cell asks for after the handshake. Returns early
    /// data too.
    ///
    /// # Errors
    ///
    /// Fails when the handshake does.
    fn accept(&mut self, stream: TcpStream) -> Result<(Self::Stream, Vec<u8>)>;

    /// Ends this side with `close_notify`; the other one may still send.
    ///
    /// # Errors
    ///
    /// Fails when it cannot be sent.
    fn close(stream: &mut Self::Stream) -> Result<()>;
}

/// Runs the program. Arguments: `client` or `server`, and the directory of the identities; without
/// that, it prints the version of the library.
///
/// # Errors
///
/// Fails for other arguments, and when standard input or output fails.
pub fn run<P: Peer>(version: &str) -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (role, directory) = match arguments[..] {
        [_] => {
            println!("{version}");
            return Ok(());
        }
        [role @ ("client" | "server"), directory] => (role, directory),
        _ => bail!("expected `client` or `server`, and the directory of the identities"),
    };
    for line in io::stdin().lock().lines() {
        let line = line.context("standard input")?;
        let done = Cell::parse(directory, &line).and_then(|cell| match role {
            "client" => visit::<P>(&cell),
            _ => serve::<P>(&cell),
        });
        let last = match done {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed {}", format!("{error:#}").replace('\n', " ")),
        };
        say(&last)?;
    }
    Ok(())
}

fn visit<P: Peer>(cell: &Cell) -> Result<()> {
    let mut peer = P::new(cell, true)?;
    for is_second in [false, true] {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, cell.port)).context("connect")?;
        limit(&stream)?;
        let early = if is_second && cell.has_early_data { REQUEST } else { &[] };
        let mut stream = peer.connect(stream, early)?;
        if early.is_empty() {
            stream.write_all(REQUEST).context("write")?;
            stream.flush().context("write")?;
        }
        let mut answer = Vec::new();
        read_to_end(&mut stream, &mut answer).context("read")?;
        say(&format!("answer {}", HEXLOWER.encode(&answer)))?;
        // The server has closed already.
        let _ = P::close(&mut stream);
    }
    Ok(())
}

fn serve<P: Peer>(cell: &Cell) -> Result<()> {
    let mut peer = P::new(cell, false)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listen")?;
    say(&format!("listening {}", listener.local_addr().context("listen")?.port()))?;
    for _ in 0..if cell.resumes { 2 } else { 1 } {
        let (stream, _) = listener.accept().context("accept")?;
        limit(&stream)?;
        let (mut stream, mut line) = peer.accept(stream)?;
        let mut buffer = [0; 4096];
        while !line.ends_with(b"\n") {
            match stream.read(&mut buffer) {
                // A client may also close without a line.
                Ok(0) => break,
                Ok(len) => line.extend_from_slice(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::ConnectionReset && line.is_empty() => {
                    break;
                }
                Err(error) => return Err(error).context("read"),
            }
        }
        stream.write_all(&line).context("write")?;
        stream.flush().context("write")?;
        let closed = P::close(&mut stream).context("close");
        // A client that sent nothing may have gone.
        if !line.is_empty() {
            closed?;
        }
        // A socket that is closed with something unread in it resets the connection.
        let _ = read_to_end(&mut stream, &mut Vec::new());
    }
    Ok(())
}

fn limit(stream: &TcpStream) -> Result<()> {
    stream.set_read_timeout(Some(TIMEOUT)).context("socket")?;
    stream.set_nodelay(true).context("socket")
}

/// A library may call the end of a connection that was closed on both sides an error.
fn read_to_end(stream: &mut impl Read, answer: &mut Vec<u8>) -> io::Result<()> {
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(len) => answer.extend_from_slice(buffer.get(..len).unwrap_or_default()),
            Err(error) => return Err(error),
        }
    }
}

fn say(line: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}").and_then(|()| output.flush()).context("standard output")
}

/// Tells what is exported on a connection.
///
/// # Errors
///
/// Fails when standard output does.
pub fn tell_export(material: &[u8]) -> Result<()> {
    say(&format!("export {}", HEXLOWER.encode(material)))
}

/// Tells a line of the key log. They come from callbacks that cannot fail.
pub fn tell_secret(line: &str) {
    static TELLING: Mutex<()> = Mutex::new(());
    let _one_by_one = TELLING.lock().unwrap_or_else(PoisonError::into_inner);
    // A line that is lost is missed by the comparison.
    let _ = say(&format!("log {line}"));
}

/// Writes bytes as a key log has them.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}
