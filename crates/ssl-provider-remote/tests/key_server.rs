//! A key server and its clients: imports are those of a key in the process, nothing at the socket
//! tells a good ciphertext from a bad one, and whoever misbehaves is disconnected.
#![cfg(target_os = "linux")]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ssl_provider::backend::{
    Composed, KeyExchangeBackend, RawDecryption, RsaDecryption, RsaPrivateKey,
};
use ssl_provider::{
    Backend, BackendInfo, CipherSuite, Error, MasterSeed, Operation, Policy, PremasterVersion,
    PrivateKey, ProtocolVersion, Provider, RsaPrivateKeyDer, Support, default_backend,
    with_batcher, with_multi_buffer,
};
use ssl_provider_remote::protocol::{
    Command, Exchange as RemoteExchange, KeyId, MASTER_SECRET_REPLY_LEN, MAX_REQUEST_LEN, Reply,
    Request, Status, message_len,
};
use ssl_provider_remote::{
    CannotAdd, Event, KeyServer, KeyServerError, Limits, Listener, Peers, ServedKeys, Server,
};
use ssl_provider_testkit::bytes::{Rng, to_hex};
use ssl_provider_testkit::ciphertext::KINDS;
use ssl_provider_testkit::exchange::{Exchange, POLICY};
use ssl_provider_testkit::rsa_key::TestKey;

const LONG_ENOUGH: Duration = Duration::from_secs(20);
const CBC: CipherSuite = CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA;

/// A path for a socket that no other test has.
fn socket_path() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("sslp-test-{}-{number}.sock", std::process::id()))
}

fn keys(test_keys: &[&TestKey], allow_ssl3: bool) -> ServedKeys {
    let mut keys = ServedKeys::new(default_backend().unwrap(), allow_ssl3);
    for key in test_keys {
        keys.add(&key.der).unwrap();
    }
    keys
}

/// Runs a key server while `work` runs, and returns what it reported.
fn serving_with(keys: ServedKeys, limits: Limits, path: &Path, work: impl FnOnce()) -> Vec<String> {
    let listener = Listener::bind(path, Peers::same_user()).unwrap();
    let server = Server::new(listener, keys, limits).unwrap();
    let stop = server.stop_handle();
    let events = Mutex::new(Vec::new());
    let observer = |event: Event<'_>| events.lock().unwrap().push(format!("{event:?}"));
    thread::scope(|scope| {
        /// Stops the server when `work` panics too, else the scope would wait for it.
        struct Stop(ssl_provider_remote::StopHandle);
        impl Drop for Stop {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let running = scope.spawn(|| server.run(&observer));
        let stop = Stop(stop);
        work();
        drop(stop);
        running.join().unwrap().unwrap();
    });
    assert!(!path.exists(), "the socket is removed");
    events.into_inner().unwrap()
}

fn serving(test_keys: &[&TestKey], work: impl FnOnce(&Path)) -> Vec<String> {
    let path = socket_path();
    serving_with(keys(test_keys, true), Limits::default(), &path, || work(&path))
}

fn provider() -> Provider {
    Provider::open(default_backend().unwrap()).with_policy(POLICY)
}

/// Opens a key of a key server, and the same key in the process.
fn both_keys(path: &Path, provider: &Provider, test_key: &TestKey) -> (PrivateKey, PrivateKey) {
    let local = test_key.load(provider);
    let server = KeyServer::at(path);
    let remote = server.private_key(provider, local.modulus()).unwrap();
    (local, remote)
}

fn key_id(provider: &Provider, key: &PrivateKey) -> KeyId {
    KeyId::of(&**provider.backend(), key.modulus(), key.public_exponent()).unwrap()
}

#[test]
fn imports_have_the_results_of_a_key_in_the_process_good_and_bad_alike() {
    let (one, other) = (TestKey::rsa_1024(), TestKey::rsa_2056());
    let events = serving(&[&one, &other], |path| {
        let provider = provider();
        let mut rng = Rng::new(12);
        for test_key in [&one, &other] {
            let (local, remote) = both_keys(path, &provider, test_key);
            assert_eq!(remote.modulus_bits(), local.modulus_bits());
            for kind in KINDS {
                let exchange = Exchange::random(&mut rng);
                let version = exchange.expected_version();
                let ciphertext = kind.sample(&mut rng, test_key, version).ciphertext;
                let [here, there] = [&local, &remote]
                    .map(|it| exchange.imported_secret(&provider, it, &ciphertext));
                assert_eq!(to_hex(&there), to_hex(&here), "{}, {exchange:?}", kind.name);
                let decrypted = remote.decrypt_premasters(&[&ciphertext]).unwrap();
                assert_eq!(exchange.decrypted_secret(&provider, &decrypted[0]), there);
            }
        }
    });
    assert_eq!(events, [""; 0]);
}

#[test]
fn a_ciphertext_of_any_length_is_rejected_implicitly_and_the_same_way_each_time() {
    let test_key = TestKey::rsa_1024();
    serving(&[&test_key], |path| {
        let provider = provider();
        let (_, remote) = both_keys(path, &provider, &test_key);
        let exchange = Exchange::tls1_2();
        let secret = |ciphertext: &[u8]| exchange.imported_secret(&provider, &remote, ciphertext);
        let mut seen = Vec::new();
        for len in [0, 1, 127, 129, 1024, 1025, 5000, 100_000] {
            let mut ciphertext = vec![7; len];
            assert_eq!(secret(&ciphertext), secret(&ciphertext), "{len}");
            seen.push(secret(&ciphertext));
            if let Some(last) = ciphertext.last_mut() {
                *last = 8;
                seen.push(secret(&ciphertext));
            }
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count, "each ciphertext has a fallback of its own");
    });
}

/// One request on a connection, and all that a client can see of the reply but the secret itself.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    reply_len: usize,
    status: Option<Status>,
    content_len: usize,
    is_repeatable: bool,
    is_still_connected: bool,
}

fn ask(stream: &mut UnixStream, request: &[u8]) -> Vec<u8> {
    let _ = stream.write_all(request);
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match message_len(&received, buffer.len()) {
            Ok(Some(len)) if received.len() >= len => return received,
            Ok(_) => {}
            Err(_) => return received,
        }
        match stream.read(&mut buffer) {
            Ok(len) if len > 0 => received.extend_from_slice(&buffer[..len]),
            _ => return received,
        }
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LONG_ENOUGH)).unwrap();
    stream
}

fn request(id: KeyId, exchange: &Exchange, ciphertext: &[u8]) -> Vec<u8> {
    let seed = match &exchange.session_hash {
        Some(hash) => MasterSeed::SessionHash(hash),
        None => MasterSeed::Randoms(&exchange.client_random, &exchange.server_random),
    };
    let command = Command::MasterSecret(RemoteExchange {
        key: id,
        version: exchange.protocol,
        suite: exchange.suite.id,
        offered: ProtocolVersion(exchange.expected_version()),
        seed,
        ciphertext,
    });
    Request { id: 7, command }.to_bytes().unwrap()
}

fn look(path: &Path, request: &[u8]) -> Seen {
    let mut stream = connect(path);
    let [first, second] = [(); 2].map(|()| ask(&mut stream, request));
    let reply = Reply::parse(&first).ok();
    stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    let after = stream.read(&mut [0]).map_err(|error| error.kind());
    Seen {
        reply_len: first.len(),
        status: reply.as_ref().and_then(|reply| reply.content.err()),
        content_len: reply.and_then(|reply| reply.content.ok()).map_or(0, <[u8]>::len),
        is_repeatable: first == second,
        is_still_connected: after == Err(ErrorKind::WouldBlock),
    }
}

/// Sends ciphertexts of every kind to a key server, as whoever reaches its socket can, and returns
/// the kinds whose replies differ from that of a good ciphertext (Bleichenbacher).
fn distinguishable(path: &Path, provider: &Provider, test_key: &TestKey) -> Vec<String> {
    let id = key_id(provider, &test_key.load(provider));
    let mut rng = Rng::new(1998);
    let mut found = Vec::new();
    for exchange in [
        Exchange::tls1_2(),
        Exchange::tls1_2().extended(),
        Exchange::new(ProtocolVersion::TLS1_0, CBC),
    ] {
        for kind in KINDS {
            let ciphertext = kind.sample(&mut rng, test_key, exchange.expected_version());
            let seen = look(path, &request(id, &exchange, &ciphertext.ciphertext));
            let expected = Seen {
                reply_len: MASTER_SECRET_REPLY_LEN,
                status: None,
                content_len: 48,
                is_repeatable: true,
                is_still_connected: true,
            };
            if seen != expected {
                found.push(format!("{}: {seen:?}", kind.name));
            }
        }
    }
    found
}

#[test]
fn nothing_at_the_socket_tells_good_ciphertexts_from_bad_ones() {
    let test_key = TestKey::rsa_1024();
    let events = serving(&[&test_key], |path| {
        assert_eq!(distinguishable(path, &provider(), &test_key), [""; 0]);
    });
    assert_eq!(events, [""; 0], "the owner of the server learns nothing either");
}

/// What a careless key server does with bad padding.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It reports an error.
    Reports,
    /// It closes the connection.
    Disconnects,
    /// It replies with a new random secret each time.
    IsNotRepeatable,
    /// It replies with one byte less.
    IsShorter,
}

/// A key server with a fault, until the flag is set.
fn careless(listener: &UnixListener, key: &dyn RsaPrivateKey, fault: Fault, ended: &AtomicBool) {
    let counter = AtomicU32::new(0);
    for stream in listener.incoming() {
        if ended.load(Ordering::Acquire) {
            return;
        }
        let mut stream = stream.unwrap();
        let mut buffer = [0; MAX_REQUEST_LEN];
        while let Ok(len @ 1..) = stream.read(&mut buffer) {
            let request = Request::parse(&buffer[..len]).unwrap();
            let Command::MasterSecret(exchange) = request.command else { panic!() };
            let mut em = vec![0; key.modulus_len()];
            let is_good = exchange.ciphertext.len() == em.len()
                && key.decrypt_raw(exchange.ciphertext, &mut em).is_ok()
                && em.starts_with(&[0, 2])
                && em.iter().skip(2).position(|byte| *byte == 0) == Some(em.len() - 51)
                && em[em.len() - 48..].starts_with(&exchange.offered.wire().to_be_bytes());
            let mut secret = [5; 48];
            let content = match fault {
                _ if is_good => Ok(&secret[..]),
                Fault::Reports => Err(Status::Failed),
                Fault::Disconnects => break,
                Fault::IsNotRepeatable => {
                    let number = counter.fetch_add(1, Ordering::Relaxed);
                    secret[..4].copy_from_slice(&number.to_be_bytes());
                    Ok(&secret[..])
                }
                Fault::IsShorter => Ok(&secret[..47]),
            };
            let reply = Reply { id: request.id, content }.to_bytes().unwrap();
            stream.write_all(&reply).unwrap();
        }
    }
}

#[test]
fn key_servers_with_planted_faults_are_found() {
    let test_key = TestKey::rsa_1024();
    let (provider, path) = (provider(), socket_path());
    let der = RsaPrivateKeyDer::from_der(&test_key.der).unwrap();
    let key = provider.backend().rsa_decryption().load(&der).unwrap();
    let bad = 3 * KINDS.iter().filter(|kind| !kind.good).count();
    for fault in [Fault::Reports, Fault::Disconnects, Fault::IsNotRepeatable, Fault::IsShorter] {
        let listener = UnixListener::bind(&path).unwrap();
        let ended = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| careless(&listener, &*key, fault, &ended));
            let found = distinguishable(&path, &provider, &test_key);
            ended.store(true, Ordering::Release);
            drop(UnixStream::connect(&path));
            assert_eq!(found.len(), bad, "{fault:?}: {found:#?}");
        });
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_the_request_says_in_the_clear_has_a_status_and_the_connection_goes_on() {
    let test_key = TestKey::rsa_1024();
    let path = socket_path();
    serving_with(keys(&[&test_key], false), Limits::default(), &path, || {
        let provider = provider();
        let id = key_id(&provider, &test_key.load(&provider));
        let of = |change: fn(&mut RemoteExchange<'_>)| {
            let mut exchange = RemoteExchange {
                key: id,
                version: ProtocolVersion::TLS1_2,
                suite: Exchange::tls1_2().suite.id,
                offered: ProtocolVersion::TLS1_2,
                seed: MasterSeed::Randoms(&[1; 32], &[2; 32]),
                ciphertext: &[3; 128],
            };
            change(&mut exchange);
            Request { id: 1, command: Command::MasterSecret(exchange) }.to_bytes().unwrap()
        };
        let mut stream = connect(&path);
        for (request, status) in [
            (of(|it| it.key.0[0] ^= 1), Some(Status::NoSuchKey)),
            (of(|it| it.version = ProtocolVersion::TLS1_3), Some(Status::UnsupportedProtocol)),
            (of(|it| it.version = ProtocolVersion::SSL3), Some(Status::UnsupportedProtocol)),
            (of(|it| it.suite.0 = 0x1301), Some(Status::UnsupportedSuite)),
            (of(|it| it.seed = MasterSeed::SessionHash(&[7; 36])), Some(Status::InvalidParameter)),
            (of(|_| {}), None),
        ] {
            let reply = ask(&mut stream, &request);
            assert_eq!(Reply::parse(&reply).unwrap().content.err(), status);
        }
        // Clients have the errors of core.
        let (_, remote) = both_keys(&path, &provider, &test_key);
        let ssl3 = Exchange::new(ProtocolVersion::SSL3, CBC);
        let refused = ssl3.import(&provider, &remote, &[3; 128]).map(drop);
        assert_eq!(refused, Err(Error::UnsupportedProtocol { given: 0x0300 }));
    });
}

#[test]
fn what_is_no_request_ends_the_connection_and_is_reported() {
    let test_key = TestKey::rsa_1024();
    let events = serving(&[&test_key], |path| {
        let public_key =
            Request { id: 1, command: Command::PublicKey { index: 0 } }.to_bytes().unwrap();
        let mut other_version = public_key.clone();
        other_version[2] = 9;
        let two_at_once = [&public_key[..], &public_key].concat();
        for (bytes, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], Status::Version),
            (&[0, 6, 1, 0, 0, 0, 0, 77], Status::Malformed),
            (&[0xff, 0xff, 1], Status::Malformed),
            (&[0, 0, 1], Status::Malformed),
            (&other_version, Status::Version),
            (&two_at_once, Status::Malformed),
        ] {
            let mut stream = connect(path);
            let reply = ask(&mut stream, bytes);
            assert_eq!(Reply::parse(&reply).unwrap().content.err(), Some(status), "{bytes:?}");
            // With bytes left unread, the end is a reset.
            assert!(!matches!(stream.read(&mut [0]), Ok(1..)), "it is closed");
        }
        // Cut anywhere, it is not a request.
        for len in 0..public_key.len() {
            let mut stream = connect(path);
            stream.write_all(&public_key[..len]).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
        // The server goes on, also for a client that sends its request byte by byte.
        let mut stream = connect(path);
        for byte in &public_key[..public_key.len() - 1] {
            stream.write_all(&[*byte]).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        let reply = ask(&mut stream, &public_key[public_key.len() - 1..]);
        assert!(Reply::parse(&reply).unwrap().content.is_ok());
    });
    assert_eq!(events.len(), 6, "{events:?}");
    assert!(events.iter().all(|event| event.starts_with("Malformed")), "{events:?}");
}

#[test]
fn a_client_that_is_slow_or_one_too_many_is_disconnected_and_an_idle_one_is_not() {
    let test_key = TestKey::rsa_1024();
    let path = socket_path();
    let request = Duration::from_millis(300);
    let limits = Limits { threads: 1, connections: 2, request, ..Limits::default() };
    let events = serving_with(keys(&[&test_key], false), limits, &path, || {
        let public_key =
            Request { id: 1, command: Command::PublicKey { index: 0 } }.to_bytes().unwrap();
        let mut idle = connect(&path);
        assert!(Reply::parse(&ask(&mut idle, &public_key)).is_ok());
        let mut slow = connect(&path);
        let started = Instant::now();
        let mut bytes = public_key.iter().cycle();
        // Each byte arrives, but the request does not.
        while slow.write_all(&[*bytes.next().unwrap()]).is_ok() {
            thread::sleep(Duration::from_millis(60));
            assert!(started.elapsed() < LONG_ENOUGH, "it is still open");
        }
        assert!(started.elapsed() >= request / 2);
        let mut third = connect(&path);
        assert!(Reply::parse(&ask(&mut third, &public_key)).is_ok(), "there is room again");
        let mut fourth = connect(&path);
        assert!(ask(&mut fourth, &public_key).is_empty());
        assert!(Reply::parse(&ask(&mut idle, &public_key)).is_ok());
    });
    let count = |name: &str| events.iter().filter(|event| event.starts_with(name)).count();
    assert_eq!((count("TooSlow"), count("Full")), (1, 1), "{events:?}");
}

#[test]
fn a_key_server_that_does_not_reply_ends_the_call_in_time() {
    let (path, test_key) = (socket_path(), TestKey::rsa_1024());
    let _listener = UnixListener::bind(&path).unwrap();
    let server = KeyServer::at(&path).with_time_limit(Duration::from_millis(50));
    // Also where busy polling ends before the limit, and where it would end after it.
    for busy_poll in [Duration::ZERO, Duration::from_millis(10), 2 * LONG_ENOUGH] {
        let started = Instant::now();
        let result = server.clone().with_busy_poll(busy_poll).public_keys();
        assert!(matches!(result, Err(KeyServerError::TimedOut)), "{busy_poll:?}: {result:?}");
        assert!(started.elapsed() < LONG_ENOUGH);
    }
    fs::remove_file(&path).unwrap();

    let (provider, n) = (provider(), test_key.modulus().to_bytes_be());
    let result = server.private_key(&provider, &n).map(drop).unwrap_err();
    let text = result.to_string();
    assert!(text.contains("cannot connect") && text.contains("sslprov key-server"), "{text}");
}

#[test]
fn replies_to_other_requests_are_refused() {
    let (path, sent) = (socket_path(), b"\0\x06\x01\xff\xff\xff\xff\x03");
    let listener = UnixListener::bind(&path).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 64]);
            stream.write_all(sent).unwrap();
        });
        let result = KeyServer::at(&path).public_keys();
        assert!(matches!(result, Err(KeyServerError::Malformed(_))), "{result:?}");
    });
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_restarted_server_is_connected_to_again() {
    let test_key = TestKey::rsa_1024();
    let (path, provider) = (socket_path(), provider());
    let exchange = Exchange::tls1_2();
    let mut opened = None;
    let run = |work: &mut dyn FnMut()| {
        serving_with(keys(&[&test_key], true), Limits::default(), &path, work)
    };
    run(&mut || opened = Some(both_keys(&path, &provider, &test_key)));
    let (local, remote) = opened.unwrap();
    let error = exchange.import(&provider, &remote, &[7; 128]).map(drop).unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    for _ in 0..2 {
        run(&mut || {
            for _ in 0..2 {
                let [here, there] = [&local, &remote]
                    .map(|key| exchange.imported_secret(&provider, key, &[7; 128]));
                assert_eq!(here, there, "the fallback is the same after a restart");
            }
        });
    }
}

#[test]
fn requests_of_many_clients_are_decrypted_together_with_their_own_results() {
    let (one, other) = (TestKey::rsa_1024(), TestKey::rsa_2048());
    let library = default_backend().unwrap();
    let fast = with_multi_buffer(&library).unwrap_or(library);
    let backend = with_batcher(&fast, Duration::from_micros(50)).unwrap();
    let mut served = ServedKeys::new(backend, true);
    for key in [&one, &other] {
        served.add(&key.der).unwrap();
    }
    assert_eq!(
        served.add(&one.der).map(drop),
        Err(CannotAdd::Twice(served.names().next().unwrap().0))
    );
    let limits = Limits { threads: 2, batch: 8, ..Limits::default() };
    let path = socket_path();
    let events = serving_with(served, limits, &path, || {
        let provider = provider();
        let opened = [&one, &other].map(|key| both_keys(&path, &provider, key));
        thread::scope(|scope| {
            for seed in 0..12 {
                let (opened, provider) = (&opened, &provider);
                let test_keys = [&one, &other];
                scope.spawn(move || {
                    let mut rng = Rng::new(seed);
                    for _ in 0..25 {
                        let which = rng.below(2);
                        let (local, remote) = &opened[which];
                        let exchange = Exchange::random(&mut rng);
                        let kind = rng.pick(KINDS);
                        let version = exchange.expected_version();
                        let it = kind.sample(&mut rng, test_keys[which], version).ciphertext;
                        let [here, there] =
                            [local, remote].map(|key| exchange.imported_secret(provider, key, &it));
                        assert_eq!(here, there, "{}", kind.name);
                    }
                });
            }
        });
    });
    assert_eq!(events, [""; 0]);
}

/// A library that panics at ciphertexts with [`PANICS`], and computes only while the gate is free.
#[derive(Clone, Debug)]
struct Panicking {
    library: Backend,
    gate: Arc<Mutex<()>>,
    /// The longest batch with such a ciphertext.
    longest: Arc<AtomicU32>,
}

/// What such a ciphertext begins with.
const PANICS: [u8; 4] = [0, 1, 2, 3];

impl Panicking {
    fn new() -> Self {
        Self { library: default_backend().unwrap(), gate: Arc::default(), longest: Arc::default() }
    }

    fn backend(&self) -> Backend {
        let info = BackendInfo::new("panicking", "Panicking", String::new());
        let info = info.with_rsa(self.library.info().rsa);
        Backend::new(Composed::new(info, self.clone(), self.library.clone()))
    }
}

impl KeyExchangeBackend for Panicking {
    fn info(&self) -> &BackendInfo {
        self.library.info()
    }

    fn support(&self, operation: Operation) -> Support {
        match operation {
            Operation::RsaDecryptRaw => self.library.support(operation),
            _ => Support::Unsupported,
        }
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }
}

impl RsaDecryption for Panicking {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = self.library.rsa_decryption().load(key)?;
        Ok(Box::new(PanickingKey { key, of: self.clone() }))
    }
}

#[derive(Debug)]
struct PanickingKey {
    key: Box<dyn RsaPrivateKey>,
    of: Panicking,
}

impl RsaPrivateKey for PanickingKey {
    fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.decrypt_raw_batch(&mut [RawDecryption { ciphertext, em }])
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        drop(self.of.gate.lock().unwrap());
        if jobs.iter().any(|job| job.ciphertext.starts_with(&PANICS)) {
            let len = u32::try_from(jobs.len()).unwrap();
            self.of.longest.fetch_max(len, Ordering::Relaxed);
            panic!("planted in a test");
        }
        self.key.decrypt_raw_batch(jobs)
    }
}

#[test]
fn a_panic_costs_the_connection_that_it_served_and_no_other() {
    const ROUNDS: usize = 5;
    let test_key = TestKey::rsa_1024();
    let provider = provider();
    let id = key_id(&provider, &test_key.load(&provider));
    let good = request(id, &Exchange::tls1_2(), &[7; 128]);
    let panics = request(id, &Exchange::tls1_2(), &[&PANICS[..], &[7; 124]].concat());
    for batch in [1, 8] {
        let library = Panicking::new();
        let mut served = ServedKeys::new(library.backend(), true);
        served.add(&test_key.der).unwrap();
        // One thread, which must go on, and fewer places than are used, which must be free again.
        let limits = Limits { threads: 1, connections: 8, batch, ..Limits::default() };
        let path = socket_path();
        let events = serving_with(served, limits, &path, || {
            let mut idle = connect(&path);
            let expected = ask(&mut idle, &good);
            assert!(Reply::parse(&expected).unwrap().content.is_ok());
            for _ in 0..ROUNDS {
                let mut streams = [(); 3].map(|()| connect(&path));
                let closed = library.gate.lock().unwrap();
                for (stream, request) in streams.iter_mut().zip([&good, &panics, &good]) {
                    stream.write_all(request).unwrap();
                }
                drop(closed);
                let [before, culprit, after] = &mut streams;
                assert_eq!(ask(before, &[]), expected);
                assert_eq!(culprit.read(&mut [0]).unwrap(), 0, "it is closed without a reply");
                assert_eq!(ask(after, &[]), expected);
                assert_eq!(ask(&mut idle, &good), expected);
            }
        });
        assert_eq!(events.len(), ROUNDS, "{events:?}");
        assert!(events.iter().all(|event| event.starts_with("Panicked(Some")), "{events:?}");
        assert_eq!(library.longest.load(Ordering::Relaxed) > 1, batch > 1, "were they together?");
    }
}

#[test]
fn a_panic_of_the_observer_costs_no_more_than_the_connection_that_it_is_about() {
    let test_key = TestKey::rsa_1024();
    let path = socket_path();
    let listener = Listener::bind(&path, Peers::same_user()).unwrap();
    let limits = Limits { threads: 1, connections: 3, ..Limits::default() };
    let server = Server::new(listener, keys(&[&test_key], true), limits).unwrap();
    let stop = server.stop_handle();
    thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&|event| panic!("planted in a test: {event:?}")));
        let public_key =
            Request { id: 1, command: Command::PublicKey { index: 0 } }.to_bytes().unwrap();
        let mut idle = connect(&path);
        for _ in 0..5 {
            let mut stream = connect(&path);
            ask(&mut stream, b"GET / HTTP/1.1\r\n\r\n");
            assert!(!matches!(stream.read(&mut [0]), Ok(1..)), "it is closed");
            assert!(Reply::parse(&ask(&mut idle, &public_key)).is_ok());
        }
        let _others = [(); 2].map(|()| connect(&path));
        assert!(ask(&mut connect(&path), &public_key).is_empty(), "it is one too many");
        assert!(Reply::parse(&ask(&mut idle, &public_key)).is_ok());
        stop.stop();
        running.join().unwrap().unwrap();
    });
}

#[test]
fn a_lax_rule_about_versions_is_refused_when_the_key_is_opened() {
    let test_key = TestKey::rsa_1024();
    serving(&[&test_key], |path| {
        let n = test_key.modulus().to_bytes_be();
        for rule in [PremasterVersion::InsecureAny, PremasterVersion::InsecureOfferedOrNegotiated] {
            let policy = Policy { premaster_version: rule, ..POLICY };
            let provider = provider().with_policy(policy);
            let refused = KeyServer::at(path).private_key(&provider, &n).map(drop);
            assert!(
                matches!(refused, Err(KeyServerError::Provider(Error::NotAllowed(_)))),
                "{refused:?}"
            );
        }
        let refused = KeyServer::at(path).private_key(&provider(), &[0xff; 128]).map(drop);
        assert!(matches!(refused, Err(KeyServerError::NoSuchKey)), "{refused:?}");
    });
}

#[test]
fn a_stopped_server_replies_to_what_it_computes_and_ends() {
    let test_key = TestKey::rsa_8192();
    let path = socket_path();
    let listener = Listener::bind(&path, Peers::same_user()).unwrap();
    let server = Server::new(listener, keys(&[&test_key], true), Limits::default()).unwrap();
    let stop = server.stop_handle();
    let provider = provider();
    thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&|_| {}));
        let id = key_id(&provider, &test_key.load(&provider));
        let request = request(id, &Exchange::tls1_2(), &[9; 1024]);
        let mut stream = connect(&path);
        let start = Instant::now();
        ask(&mut stream, &request);
        let third = start.elapsed() / 3;
        let (sent, was_sent) = mpsc::channel();
        let asking = scope.spawn(move || {
            stream.write_all(&request).unwrap();
            sent.send(()).unwrap();
            ask(&mut stream, &[])
        });
        was_sent.recv().unwrap();
        // It has been read by then, on a busy machine too, and is not yet computed.
        thread::sleep(third);
        stop.stop();
        running.join().unwrap().unwrap();
        assert!(Reply::parse(&asking.join().unwrap()).unwrap().content.is_ok());
    });
    assert!(!path.exists());
}
