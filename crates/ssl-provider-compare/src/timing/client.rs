//! The client that times a TLS server from outside: a handshake up to ServerHelloDone, then a
//! ClientKeyExchange with the ciphertext, ChangeCipherSpec and a Finished of random bytes, and the
//! time until the answer begins. What the server does with the ciphertext is in this time.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use ssl_provider::{
    CipherSuite, CipherSuiteInfo, KeyExchange, ProtocolVersion, PublicKeyDer, PublicKeyParts,
};
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::rsa_key::TestPublicKey;
use ssl_provider_wire::{
    Alert, Assembler, ContentType, EMPTY_RENEGOTIATION_INFO_SCSV, ExtensionType, HandshakeType,
    RecordHeader, ServerHello, View, first_certificate, put_certificate, put_extension,
    put_message, put_vec,
};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Encode};

use crate::timing::input::Inputs;
use crate::timing::meter::{nanoseconds, rounds_for, spin};
use crate::timing::sampling::Subject;

/// The server, and what is offered to it.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    addresses: Vec<SocketAddr>,
    /// The name to send, if the host is no address.
    server_name: Option<String>,
    protocol: ProtocolVersion,
    suites: Vec<CipherSuite>,
}

/// How long a server may take to connect or answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before a handshake that failed is tried again, in milliseconds: a server that
/// is full may recover.
const PAUSES: [u64; 2] = [100, 2_000];

/// Longest message of a server, such as a long chain of certificates.
const MAX_MESSAGE_LEN: usize = 1 << 17;

/// Most records until ServerHelloDone.
const MAX_RECORDS: usize = 64;

/// Length of the record that stands for Finished: whole blocks of every cipher, with room for IV,
/// MAC and padding.
const FINISHED_LEN: usize = 64;

impl Offer {
    /// Finds the addresses of HOST:PORT; without suites, all with RSA key exchange are offered.
    ///
    /// # Errors
    ///
    /// What is wrong with the target, or why it is not found.
    pub(crate) fn new(
        target: &str,
        protocol: ProtocolVersion,
        suite: Option<CipherSuite>,
    ) -> Result<Self, String> {
        let expected = || format!("{target}: expected HOST:PORT, such as server.example:443");
        let (host, _) = target.rsplit_once(':').ok_or_else(expected)?;
        let found = target.to_socket_addrs().map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => expected(),
            _ => format!("{target}: cannot find the host: {error}"),
        })?;
        let addresses: Vec<_> = found.collect();
        if addresses.is_empty() {
            return Err(format!("{target}: the host has no address"));
        }
        let is_address = host.starts_with('[') || host.parse::<IpAddr>().is_ok();
        let server_name = (!is_address).then(|| host.to_owned());
        let of_version = |info: &&CipherSuiteInfo| {
            info.key_exchange == KeyExchange::Rsa
                && (info.lowest..=info.highest).contains(&protocol)
        };
        let all = || CipherSuiteInfo::all().iter().filter(of_version).map(|info| info.id).collect();
        let suites = suite.map_or_else(all, |suite| vec![suite]);
        Ok(Self { addresses, server_name, protocol, suites })
    }

    /// The version that is offered.
    pub(crate) fn version(&self) -> u16 {
        self.protocol.wire()
    }

    /// Returns the ClientHello in its record.
    fn client_hello(&self, random: [u8; 32]) -> Vec<u8> {
        let version = self.version().to_be_bytes();
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_HELLO, |out| {
            out.extend(version);
            out.extend(random);
            put_vec::<1>(out, |_| ());
            put_vec::<2>(out, |out| {
                let suites = self.suites.iter().filter_map(|suite| u16::try_from(suite.0).ok());
                out.extend(suites.flat_map(u16::to_be_bytes));
                out.extend(EMPTY_RENEGOTIATION_INFO_SCSV.to_be_bytes());
            });
            put_vec::<1>(out, |out| out.push(0));
            // SSL 3.0 has no extensions.
            if self.protocol > ProtocolVersion::SSL3 {
                put_vec::<2>(out, |out| out.extend(self.extensions()));
            }
        });
        // Old servers expect a version that every server knows in the first record (RFC 5246
        // appendix E.1).
        let lowest = self.version().min(ProtocolVersion::TLS1_0.wire());
        record(ContentType::Handshake, lowest, &message)
    }

    fn extensions(&self) -> Vec<u8> {
        let mut list = Vec::new();
        if let Some(name) = &self.server_name {
            let mut data = Vec::new();
            put_vec::<2>(&mut data, |out| {
                out.push(0);
                put_vec::<2>(out, |out| out.extend_from_slice(name.as_bytes()));
            });
            put_extension(&mut list, ExtensionType::SERVER_NAME, &data);
        }
        // Servers choose their certificate by it: RSA with SHA-512 to SHA-1.
        let mut schemes = Vec::new();
        put_vec::<2>(&mut schemes, |out| out.extend([6, 1, 5, 1, 4, 1, 3, 1, 2, 1]));
        put_extension(&mut list, ExtensionType::SIGNATURE_ALGORITHMS, &schemes);
        list
    }

    fn connect(&self) -> Result<TcpStream, String> {
        let mut failure = String::new();
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, PATIENCE) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = format!("cannot connect to {address}: {error}"),
            }
        }
        Err(failure)
    }

    /// Does the handshake up to ServerHelloDone.
    fn begin(&self, random: [u8; 32]) -> Result<Begun, String> {
        let stream = self.connect()?;
        let failed = |error: io::Error| format!("the server ends the handshake: {error}");
        stream.set_nodelay(true).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
        let mut begun = Begun { stream, version: 0, certificate: Vec::new(), is_asked: false };
        begun.stream.write_all(&self.client_hello(random)).map_err(failed)?;
        let mut messages = Assembler::default();
        for _ in 0..MAX_RECORDS {
            let (header, fragment) = read_record(&mut begun.stream).map_err(failed)?;
            match ContentType::from_wire(header.content_type) {
                Some(ContentType::Handshake) => messages.extend(&fragment),
                Some(ContentType::Alert) => {
                    return Err(format!("the server ends the handshake: {}", alert(&fragment)));
                }
                _ => return Err("the server does not speak TLS up to 1.2".to_owned()),
            }
            loop {
                let message = messages.next(|_| Ok(MAX_MESSAGE_LEN));
                let message = message.map_err(|_| "the server sends a message that is too long")?;
                let Some(message) = message else { break };
                match message.kind {
                    HandshakeType::SERVER_HELLO => {
                        let hello = ServerHello::parse(&message, View::Lenient);
                        let hello = hello.map_err(|it| format!("ServerHello: {}", it.reason))?;
                        begun.version = hello.selected_version();
                        self.check(hello.suite, begun.version)?;
                    }
                    HandshakeType::CERTIFICATE => {
                        let first = first_certificate(message.body());
                        begun.certificate = first.unwrap_or_default().to_vec();
                    }
                    HandshakeType::CERTIFICATE_REQUEST => begun.is_asked = true,
                    HandshakeType::SERVER_HELLO_DONE => return Ok(begun),
                    _ => (),
                }
            }
        }
        Err("the server sends no ServerHelloDone".to_owned())
    }

    /// Refuses a choice without RSA key exchange.
    fn check(&self, suite: u16, version: u16) -> Result<(), String> {
        let id = CipherSuite(suite.into());
        if !self.suites.contains(&id) {
            return Err(format!("the server chooses the suite 0x{suite:04x}, not offered"));
        }
        let known = [ProtocolVersion::SSL3.wire(), ProtocolVersion::TLS1_2.wire()];
        if !(known[0]..=known[1]).contains(&version) {
            return Err(format!("the server chooses the version 0x{version:04x}, not offered"));
        }
        Ok(())
    }
}

/// A handshake after ServerHelloDone.
struct Begun {
    stream: TcpStream,
    version: u16,
    /// DER; empty if there is none.
    certificate: Vec<u8>,
    /// Whether the server asks for a certificate.
    is_asked: bool,
}

impl Begun {
    /// Returns the client's messages around a ciphertext, which are sent at once.
    fn flight(&self, ciphertext: &[u8], finished: &[u8]) -> Vec<u8> {
        let mut message = Vec::new();
        if self.is_asked {
            // None: servers that require one refuse it, and cannot be timed.
            put_certificate(&mut message, []);
        }
        put_message(&mut message, HandshakeType::CLIENT_KEY_EXCHANGE, |out| {
            // SSL 3.0 has no length field here (RFC 5246 section 7.4.7.1).
            match self.version == ProtocolVersion::SSL3.wire() {
                true => out.extend_from_slice(ciphertext),
                false => put_vec::<2>(out, |out| out.extend_from_slice(ciphertext)),
            }
        });
        [
            record(ContentType::Handshake, self.version, &message),
            record(ContentType::ChangeCipherSpec, self.version, &[1]),
            record(ContentType::Handshake, self.version, finished),
        ]
        .concat()
    }

    /// Closes without TIME_WAIT, so that thousands of connections leave no port behind.
    fn close(self) {
        #[cfg(unix)]
        {
            // If it fails, the ports last for a while.
            let _ = rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO));
        }
        drop(self.stream);
    }
}

/// Returns a record around a fragment that fits one.
fn record(kind: ContentType, version: u16, fragment: &[u8]) -> Vec<u8> {
    let fragment_len = u16::try_from(fragment.len()).expect("a short message");
    let header = RecordHeader { content_type: kind.wire(), version, fragment_len };
    [&header.to_bytes()[..], fragment].concat()
}

fn read_record(stream: &mut impl Read) -> io::Result<(RecordHeader, Vec<u8>)> {
    let mut header = [0; RecordHeader::LEN];
    stream.read_exact(&mut header)?;
    let header = RecordHeader::from_bytes(header);
    let mut fragment = vec![0; header.fragment_len.into()];
    stream.read_exact(&mut fragment)?;
    Ok((header, fragment))
}

fn alert(payload: &[u8]) -> String {
    match payload {
        [_, code] => format!("alert {}", Alert::name_of(*code)),
        _ => "an alert that is not two bytes long".to_owned(),
    }
}

/// A server that is timed.
pub(crate) struct Served {
    offer: Offer,
    key: TestPublicKey,
    certificate: Vec<u8>,
    inputs: Inputs,
    /// For each class, how often the server has answered what.
    answers: Vec<BTreeMap<String, u64>>,
    /// Rounds of delay that are added to the last class, which is beyond those of the test kit.
    delay: Option<u32>,
    rng: Rng,
}

impl Served {
    /// Connects once to learn the server's key. With a delay in nanoseconds there is one class
    /// more: well formed, and the client itself waits before it stops the clock.
    ///
    /// # Errors
    ///
    /// Why there is no handshake with RSA key exchange, or no key to encrypt with.
    pub(crate) fn new(offer: Offer, delay: Option<f64>, rng: &mut Rng) -> Result<Self, String> {
        let begun = offer.begin(rng.array())?;
        let certificate = begun.certificate.clone();
        begun.close();
        let key = public_key(&certificate)?;
        let inputs = Inputs::ciphertexts(&key, offer.version(), rng);
        let classes = ssl_provider_testkit::timing_class::CLASSES.len();
        let answers = vec![BTreeMap::new(); classes + usize::from(delay.is_some())];
        let delay = delay.map(rounds_for);
        let rng = Rng::new(rng.next_u64());
        Ok(Self { offer, key, certificate, inputs, answers, delay, rng })
    }

    /// Length of the server's modulus in bits, rounded up to whole bytes.
    pub(crate) fn bits(&self) -> usize {
        8 * self.key.len()
    }

    /// For each class, how often the server has answered what.
    pub(crate) fn into_answers(self) -> Vec<BTreeMap<String, u64>> {
        self.answers
    }

    fn sample(&mut self, class: usize) -> Result<f64, String> {
        let (plain_class, delay) = match self.delay {
            Some(rounds) if class + 1 == self.answers.len() => (0, rounds),
            _ => (class, 0),
        };
        let mut begun = self.offer.begin(self.rng.array())?;
        if begun.certificate != self.certificate {
            return Err("the server has changed its certificate; one host with one key is needed"
                .to_owned());
        }
        let finished: [u8; FINISHED_LEN] = self.rng.array();
        let flight = begun.flight(self.inputs.of(plain_class), &finished);
        let mut buffer = [0; 64];
        let start = Instant::now();
        let sent = begun.stream.write_all(&flight);
        let read = sent.and_then(|()| begun.stream.read(&mut buffer));
        spin(delay, 0);
        let took = nanoseconds(start.elapsed());
        let answer = answer(&mut begun.stream, read, &mut buffer);
        begun.close();
        // To other classes, silence is an answer like any other, and may tell them apart.
        if answer == NO_ANSWER && class == 0 {
            let seconds = PATIENCE.as_secs();
            return Err(format!("the server does not answer a bad Finished within {seconds} s"));
        }
        *self.answers[class].entry(answer).or_default() += 1;
        Ok(took)
    }
}

impl Subject for Served {
    fn prepare(&mut self, rng: &mut Rng) {
        self.inputs.prepare(rng);
    }

    fn time(&mut self, class: usize) -> Result<f64, String> {
        for pause in PAUSES {
            if let Ok(time) = self.sample(class) {
                return Ok(time);
            }
            std::thread::sleep(Duration::from_millis(pause));
        }
        self.sample(class)
    }
}

/// What silence is called.
const NO_ANSWER: &str = "no answer";

/// Names what the server has answered: an alert, another record, or how it has closed.
fn answer(stream: &mut impl Read, first: io::Result<usize>, buffer: &mut [u8; 64]) -> String {
    const ALERT_LEN: usize = RecordHeader::LEN + 2;
    let mut len = match first {
        Ok(0) => return "closed".to_owned(),
        Ok(len) => len,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => NO_ANSWER.to_owned(),
                _ => "reset".to_owned(),
            };
        }
    };
    while len < ALERT_LEN {
        match stream.read(&mut buffer[len..]) {
            Ok(more @ 1..) => len += more,
            _ => return "closed within a record".to_owned(),
        }
    }
    let (kind, payload) = (buffer[0], &buffer[RecordHeader::LEN..ALERT_LEN]);
    match ContentType::from_wire(kind) {
        Some(ContentType::Alert) => alert(payload),
        _ => format!("a record of type {kind}"),
    }
}

/// Reads the RSA key of a certificate.
fn public_key(certificate: &[u8]) -> Result<TestPublicKey, String> {
    if certificate.is_empty() {
        return Err("the server sends no certificate".to_owned());
    }
    let parsed = CertificateInner::<Raw>::from_der(certificate);
    let info = parsed.map_err(|_| ()).and_then(|certificate| {
        certificate.tbs_certificate().subject_public_key_info().to_der().map_err(|_| ())
    });
    let info = info.map_err(|()| "the server's certificate cannot be read")?;
    let key = PublicKeyDer::from_der(&info).map_err(|error| format!("the server's key: {error}"));
    match key?.parts() {
        PublicKeyParts::Rsa { modulus, exponent } if modulus.first() > Some(&1) => {
            Ok(TestPublicKey::new(modulus, exponent))
        }
        PublicKeyParts::Rsa { .. } => {
            Err("the server's modulus begins with 01, so no block with a wrong first byte fits"
                .to_owned())
        }
        _ => Err("the server's certificate has no RSA key".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use ssl_provider_wire::{ClientHello, Message};

    use super::*;

    fn offer(target: &str, protocol: ProtocolVersion) -> Offer {
        Offer::new(target, protocol, None).unwrap()
    }

    #[test]
    fn the_hello_is_one_that_servers_accept() {
        for protocol in [ProtocolVersion::SSL3, ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_2] {
            let offer = offer("localhost:443", protocol);
            let record = offer.client_hello([7; 32]);
            let (header, bytes) = read_record(&mut Cursor::new(&record)).unwrap();
            assert_eq!(usize::from(header.fragment_len) + RecordHeader::LEN, record.len());
            assert!(header.version <= ProtocolVersion::TLS1_0.wire());
            let kind = HandshakeType::CLIENT_HELLO;
            let message = Message { kind, bytes, ssl2_framing: false };
            let hello = ClientHello::parse(&message, View::Strict).unwrap();
            assert_eq!((hello.version, hello.random), (protocol.wire(), [7; 32]));
            assert!(hello.offers(0x000a) && hello.offers_null_compression());
            let has_name = hello.extensions.has(ExtensionType::SERVER_NAME);
            assert_eq!(has_name, protocol > ProtocolVersion::SSL3);
            // Only RSA key exchange, or another answer would be timed.
            let info = |suite: u16| CipherSuite(suite.into()).info();
            assert!(hello.suites().filter_map(info).all(|it| it.key_exchange.is_rsa()));
        }
    }

    #[test]
    fn addresses_have_no_server_name() {
        for target in ["127.0.0.1:443", "[::1]:443"] {
            assert_eq!(offer(target, ProtocolVersion::TLS1_2).server_name, None, "{target}");
        }
        for bad in ["localhost", "localhost:x", "localhost:99999", ""] {
            let refused = Offer::new(bad, ProtocolVersion::TLS1_2, None).unwrap_err();
            assert!(refused.contains("expected HOST:PORT"), "{refused}");
        }
    }

    #[test]
    fn answers_are_named_however_they_are_cut() {
        let alert = [21, 3, 3, 0, 2, 2, 20];
        for first in 1..=alert.len() {
            let mut buffer = [0; 64];
            buffer[..first].copy_from_slice(&alert[..first]);
            let mut rest = Cursor::new(&alert[first..]);
            let named = answer(&mut rest, Ok(first), &mut buffer);
            assert_eq!(named, "alert bad_record_mac", "{first}");
        }
        let mut other = [0; 64];
        other[0] = 22;
        let named = |first, mut buffer: [u8; 64]| answer(&mut io::empty(), first, &mut buffer);
        assert_eq!(named(Ok(9), other), "a record of type 22");
        assert_eq!(named(Ok(3), other), "closed within a record");
        assert_eq!(named(Ok(0), other), "closed");
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(named(Err(reset), other), "reset");
        let late = io::Error::from(io::ErrorKind::WouldBlock);
        assert_eq!(named(Err(late), other), NO_ANSWER);
    }

    #[test]
    fn certificates_without_a_usable_key_are_refused() {
        for (certificate, part) in [(&[][..], "no certificate"), (&[0x30, 0], "cannot be read")] {
            let refused = public_key(certificate).unwrap_err();
            assert!(refused.contains(part), "{refused}");
        }
    }

    #[test]
    fn a_server_that_chooses_what_was_not_offered_is_refused() {
        let offer = offer("localhost:443", ProtocolVersion::TLS1_2);
        assert_eq!(offer.check(0x002f, 0x0303), Ok(()));
        assert!(offer.check(0xc02f, 0x0303).unwrap_err().contains("0xc02f"));
        assert!(offer.check(0x002f, 0x0304).unwrap_err().contains("0x0304"));
    }
}
