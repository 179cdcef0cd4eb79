//! A client that does little itself: full TLS 1.2 handshakes with a server on many connections at
//! once, for `cargo xtask handshakes`.
//!
//! All clients send the same premaster secret, encrypted once, so that the machine's time goes to
//! the server. Prints the handshakes, the seconds, and the median and the 99th percentile of a
//! handshake in microseconds, from the connect to the server's Finished.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use openssl::rsa::Padding;
use openssl::x509::X509;
use ssl_provider::{
    CipherSuite, Error, MasterSecret, ParameterList, PremasterSecret, PrivateKey, ProtocolVersion,
    Provider, RecordOptions, RsaExchange, RsaKeyExchange, Side, default_backend,
};
use ssl_provider_wire::{
    Assembler, ContentType, ExtensionType, HandshakeType, Message, ServerHello, View,
    put_extension, put_message, put_vec,
};

const VERSION: ProtocolVersion = ProtocolVersion::TLS1_2;
const SUITE: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;
const CLIENT_RANDOM: [u8; 32] = [7; 32];

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, clients, seconds] = &arguments[..] else {
        eprintln!("usage: load ADDRESS CLIENTS SECONDS");
        return ExitCode::from(2);
    };
    match run(address, clients, seconds) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(address: &str, clients: &str, seconds: &str) -> Fallible<String> {
    let (clients, seconds): (usize, u64) = (clients.parse()?, seconds.parse()?);
    let client = Client::of(address)?;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(|| client.repeat(end))).collect();
        let times = threads.into_iter().map(|thread| thread.join().expect("no panic"));
        times.collect::<Fallible<Vec<_>>>()
    })?
    .concat();
    let took = start.elapsed();
    times.sort_unstable();
    let percentile = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    let [median, high] = [50, 99].map(|part| percentile(part).as_micros());
    Ok(format!("{} {:.3} {median} {high}", times.len(), took.as_secs_f64()))
}

/// What all connections share.
struct Client {
    address: String,
    provider: Provider,
    /// The server's key, of which nothing is known but the premaster secret of the ciphertext.
    key: PrivateKey,
    ciphertext: Vec<u8>,
}

/// The premaster secret of all handshakes.
fn premaster() -> [u8; 48] {
    let mut premaster = [9; 48];
    premaster[..2].copy_from_slice(&VERSION.wire().to_be_bytes());
    premaster
}

/// A key exchange that knows its premaster secret.
#[derive(Debug)]
struct Known;

impl RsaKeyExchange for Known {
    fn master_secret(&self, it: &RsaExchange<'_>, out: &mut MasterSecret) -> Result<(), Error> {
        let mut secret = PremasterSecret::zeroed();
        secret.expose_mut().copy_from_slice(&premaster());
        it.parameters.master_secret(&secret, it.seed, out)
    }
}

impl Client {
    /// Takes the key out of the server's certificate.
    fn of(address: &str) -> Fallible<Self> {
        let mut connection = Connection::open(address)?;
        let flight = connection.hello()?;
        let message = flight.iter().find(|it| it.kind == HandshakeType::CERTIFICATE);
        let message = message.ok_or("the server sent no certificate")?;
        // Two lengths of three bytes: that of the list and that of its first entry.
        let der = message.body().get(6..).ok_or("no certificate in the list")?;
        let len = message.body()[3..6].iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let certificate = X509::from_der(der.get(..len).ok_or("the list is cut short")?)?;
        let public = certificate.public_key()?.rsa()?;
        let (modulus, exponent) = (public.n().to_vec(), public.e().to_vec());
        // PKCS#1 v1.5 with padding that is not random; nothing here is secret.
        let padding = modulus.len().checked_sub(3 + 48).ok_or("the key is too short")?;
        let block = [&[0, 2][..], &vec![1; padding], &[0], &premaster()].concat();
        let mut ciphertext = vec![0; modulus.len()];
        public.public_encrypt(&block, &mut ciphertext, Padding::NONE)?;
        let provider = Provider::open(default_backend()?);
        let key = provider.private_key_of_exchange(&modulus, &exponent, Box::new(Known))?;
        Ok(Self { address: address.to_owned(), provider, key, ciphertext })
    }

    fn repeat(&self, end: Instant) -> Fallible<Vec<Duration>> {
        let mut times = Vec::new();
        while Instant::now() < end {
            let start = Instant::now();
            let (mut connection, close) = self.handshake()?;
            times.push(start.elapsed());
            connection.stream.write_all(&close)?;
        }
        Ok(times)
    }

    /// Performs a handshake. Returns the record with `close_notify` too.
    fn handshake(&self) -> Fallible<(Connection, Vec<u8>)> {
        let mut connection = Connection::open(&self.address)?;
        let flight = connection.hello()?;
        let hello = ServerHello::parse(flight.first().ok_or("no message")?, View::Strict)?;
        if hello.suite != 0x002f {
            return Err("the server chose another suite".into());
        }
        let mut key_exchange = Vec::new();
        put_message(&mut key_exchange, HandshakeType::CLIENT_KEY_EXCHANGE, |out| {
            put_vec::<2>(out, |out| out.extend_from_slice(&self.ciphertext));
        });
        let mut hash = self.provider.handshake_hash(VERSION, SUITE)?;
        hash.update(&connection.transcript);
        hash.update(&key_exchange);

        let mut parameters = ParameterList::new()
            .client_random(CLIENT_RANDOM)
            .server_random(hello.random)
            .highest_version(VERSION);
        if hello.extensions.has(ExtensionType::EXTENDED_MASTER_SECRET) {
            parameters = parameters.session_hash(&hash.current()?)?;
        }
        let master_key = self.provider.import_master_key(
            &self.key,
            VERSION,
            SUITE,
            &parameters,
            &self.ciphertext,
        )?;
        let keys = master_key.session_keys(&parameters)?;
        let encrypt_then_mac = hello.extensions.has(ExtensionType::ENCRYPT_THEN_MAC);
        let options = RecordOptions { encrypt_then_mac, ..RecordOptions::default() };
        let mut write = keys.record_key(Side::Client, options)?;
        let mut read = keys.record_key(Side::Server, options)?;

        let finished = finished(|out| master_key.verify_data(Side::Client, &hash, out))?;
        hash.update(&finished);
        let mut records = Vec::new();
        put_record(&mut records, ContentType::Handshake, &key_exchange);
        put_record(&mut records, ContentType::ChangeCipherSpec, &[1]);
        let mut encrypted = |number, content_type: ContentType, payload: &[u8]| {
            let mut record = vec![0; write.record_len(payload.len())?];
            let content_type = content_type.wire();
            let len = write.encrypt_packet(number, content_type, payload, &mut record)?;
            record.truncate(len);
            Ok::<_, Error>(record)
        };
        records.extend(encrypted(0, ContentType::Handshake, &finished)?);
        let close = encrypted(1, ContentType::Alert, &[1, 0])?;
        connection.stream.write_all(&records)?;

        let mut reply = connection.record()?;
        if reply.first() != Some(&ContentType::ChangeCipherSpec.wire()) {
            return Err(format!("expected ChangeCipherSpec, got {reply:?}").into());
        }
        reply = connection.record()?;
        let range = read.decrypt_in_place(0, &mut reply)?;
        let received = reply.get(range).and_then(|it| it.get(Message::HEADER_LEN..));
        let received = received.ok_or("the Finished is short")?;
        master_key.verify_finished(Side::Server, &hash, received)?;
        Ok((connection, close))
    }
}

fn finished(verify_data: impl FnOnce(&mut [u8]) -> Result<(), Error>) -> Result<Vec<u8>, Error> {
    let mut data = [0; 12];
    verify_data(&mut data)?;
    let mut message = Vec::new();
    put_message(&mut message, HandshakeType::FINISHED, |out| out.extend_from_slice(&data));
    Ok(message)
}

fn put_record(out: &mut Vec<u8>, content_type: ContentType, payload: &[u8]) {
    out.push(content_type.wire());
    out.extend(VERSION.wire().to_be_bytes());
    put_vec::<2>(out, |out| out.extend_from_slice(payload));
}

/// A connection before its keys are in use.
struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    transcript: Vec<u8>,
}

impl Connection {
    fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { stream, input: Vec::new(), transcript: Vec::new() })
    }

    /// Sends a ClientHello as OpenSSL does, and returns the server's flight.
    fn hello(&mut self) -> Fallible<Vec<Message>> {
        let mut hello = Vec::new();
        put_message(&mut hello, HandshakeType::CLIENT_HELLO, |out| {
            out.extend(VERSION.wire().to_be_bytes());
            out.extend(CLIENT_RANDOM);
            put_vec::<1>(out, |_| {});
            put_vec::<2>(out, |out| out.extend([0x00, 0x2f, 0x00, 0xff]));
            put_vec::<1>(out, |out| out.push(0));
            put_vec::<2>(out, |out| {
                // rsa_pkcs1_sha256 for the certificate; servers assume SHA-1 otherwise.
                put_extension(out, ExtensionType::SIGNATURE_ALGORITHMS, &[0, 2, 4, 1]);
                put_extension(out, ExtensionType::ENCRYPT_THEN_MAC, &[]);
                put_extension(out, ExtensionType::EXTENDED_MASTER_SECRET, &[]);
            });
        });
        let mut record = Vec::new();
        put_record(&mut record, ContentType::Handshake, &hello);
        self.stream.write_all(&record)?;
        self.transcript.extend_from_slice(&hello);

        let mut assembler = Assembler::default();
        let mut flight = Vec::new();
        loop {
            let record = self.record()?;
            if record.first() != Some(&ContentType::Handshake.wire()) {
                return Err(format!("expected handshake messages, got {record:?}").into());
            }
            let payload = record.get(5..).unwrap_or_default();
            self.transcript.extend_from_slice(payload);
            assembler.extend(payload);
            while let Some(message) = assembler.next_of_any_type() {
                let is_last = message.kind == HandshakeType::SERVER_HELLO_DONE;
                flight.push(message);
                if is_last {
                    return Ok(flight);
                }
            }
        }
    }

    /// Returns the next record, header included.
    fn record(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 4096];
        loop {
            if let [_, _, _, high, low, ..] = self.input[..] {
                let len = 5 + usize::from(u16::from_be_bytes([high, low]));
                if self.input.len() >= len {
                    return Ok(self.input.drain(..len).collect());
                }
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.input.extend_from_slice(&buffer[..len]),
            }
        }
    }
}
