//! Tests of the server: batches, panics, limits.

use std::io::{Read, Write};
use std::net::{self, Shutdown};
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::Instant;

use openssl::ssl::{ErrorCode, Ssl, SslContext, SslMethod, SslStream, SslVersion};
use ssl_provider::backend::{
    Composed, KeyExchangeBackend, RawDecryption, RsaDecryption, RsaPrivateKey,
};
use ssl_provider::{
    Backend, BackendInfo, Error, Operation, ProtocolVersion, RsaPrivateKeyDer, Support,
    default_backend,
};
use ssl_provider_testkit::trap;

use ssl_provider_wire::Alert;

use super::client::LINGER;
use super::poller::BATCH_LEN;
use super::*;

/// A backend whose batches are recorded, and of which the first waits to be let go.
#[derive(Clone, Debug)]
struct Gate {
    library: Backend,
    shared: Arc<(Mutex<Batches>, Condvar)>,
}

#[derive(Debug, Default)]
struct Batches {
    lens: Vec<usize>,
    is_open: bool,
}

impl KeyExchangeBackend for Gate {
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

impl RsaDecryption for Gate {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        let key = self.library.rsa_decryption().load(key)?;
        Ok(Box::new(GatedKey { key, gate: self.clone() }))
    }
}

#[derive(Debug)]
struct GatedKey {
    key: Box<dyn RsaPrivateKey>,
    gate: Gate,
}

impl RsaPrivateKey for GatedKey {
    fn modulus_len(&self) -> usize {
        self.key.modulus_len()
    }

    fn decrypt_raw(&self, ciphertext: &[u8], em: &mut [u8]) -> Result<(), Error> {
        self.key.decrypt_raw(ciphertext, em)
    }

    fn decrypt_raw_batch(&self, jobs: &mut [RawDecryption<'_>]) -> Result<(), Error> {
        let (batches, changed) = &*self.gate.shared;
        let mut batches = batches.lock().unwrap();
        let panics = batches.is_open && jobs.iter().any(|job| job.ciphertext == PANICS);
        // The trials of the suites have no ciphertext.
        if !jobs.is_empty() {
            batches.lens.push(jobs.len());
            changed.notify_all();
            drop(changed.wait_while(batches, |batches| !batches.is_open).unwrap());
        }
        assert!(!panics, "planted");
        self.key.decrypt_raw_batch(jobs)
    }
}

/// A ciphertext at which the library of a gate panics.
const PANICS: [u8; 128] = [7; 128];

fn gated() -> (Gate, Arc<Settings>) {
    let library = default_backend().unwrap();
    let info = BackendInfo::new("gate", "Gate", String::new()).with_rsa(library.info().rsa);
    let gate = Gate { library: library.clone(), shared: Arc::default() };
    let backend = Backend::new(Composed::new(info, gate.clone(), library));
    (gate, crate::tests::settings_on(&backend, |_| {}))
}

fn connect(address: SocketAddr) -> SslStream<net::TcpStream> {
    let mut context = SslContext::builder(SslMethod::tls_client()).unwrap();
    context.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    // The server's test key has 1024 bits.
    context.set_cipher_list("AES128-SHA:@SECLEVEL=0").unwrap();
    let socket = net::TcpStream::connect(address).unwrap();
    let mut stream = SslStream::new(Ssl::new(&context.build()).unwrap(), socket).unwrap();
    stream.connect().unwrap();
    stream
}

#[test]
fn clients_that_wait_at_the_same_time_are_decrypted_together_and_each_is_served() {
    let (gate, settings) = gated();
    let (batches, changed) = &*gate.shared;
    serving_with(settings, Limits { threads: 1, ..Limits::default() }, |address| {
        thread::scope(|scope| {
            let mut clients = vec![scope.spawn(move || connect(address))];
            let first = batches.lock().unwrap();
            drop(changed.wait_while(first, |batches| batches.lens.is_empty()).unwrap());
            clients.extend((0..20).map(|_| scope.spawn(move || connect(address))));
            // The others can connect now, but have no reply to their hellos.
            thread::sleep(Duration::from_millis(200));
            batches.lock().unwrap().is_open = true;
            changed.notify_all();
            for client in clients {
                let mut client = client.join().unwrap();
                client.write_all(b"GET /plain HTTP/1.0\r\n\r\n").unwrap();
                let mut page = String::new();
                client.read_to_string(&mut page).unwrap();
                assert!(page.contains("TLS_RSA_WITH_AES_128_CBC_SHA"), "{page}");
            }
        });
    });
    let lens = &batches.lock().unwrap().lens;
    assert_eq!((lens.first(), lens.iter().sum()), (Some(&1), 21));
    assert!(lens.iter().any(|len| *len > 1), "{lens:?}");
    assert!(lens.iter().all(|len| *len <= BATCH_LEN), "{lens:?}");
}

/// Sends a hello and a ClientKeyExchange with this ciphertext, then a record that is not
/// encrypted.
fn send_ciphertext(address: SocketAddr, settings: &Arc<Settings>, ciphertext: &[u8]) -> Reply {
    let mut client = crate::tests::Client::new(settings, ProtocolVersion::TLS1_2);
    let hello = client.hello(&[crate::tests::AES_128_CBC_SHA], &[]);
    let exchange = client.key_exchange_message(ciphertext);
    let bytes = [(22, &hello[..]), (22, &exchange), (20, &[1]), (22, &[0; 64])]
        .map(|(content_type, payload)| client.record(content_type, payload))
        .concat();
    let mut stream = net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(&bytes).unwrap();
    Reply(stream)
}

/// A connection to be read from.
struct Reply(net::TcpStream);

impl Reply {
    /// Returns the last record.
    #[track_caller]
    fn alert(mut self) -> [u8; 7] {
        let mut reply = Vec::new();
        self.0.read_to_end(&mut reply).unwrap();
        *reply.last_chunk().unwrap()
    }
}

const BAD_RECORD_MAC: [u8; 7] = [21, 3, 3, 0, 2, 2, 20];
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

#[test]
fn a_panic_of_the_library_costs_one_connection_also_in_a_batch_with_others() {
    let (gate, settings) = gated();
    let (batches, changed) = &*gate.shared;
    let limits = Limits { threads: 1, ..Limits::default() };
    serving_with(Arc::clone(&settings), limits, |address| {
        let send = |ciphertext| send_ciphertext(address, &settings, ciphertext);
        let mut good = vec![send(&[9; 128])];
        let first = batches.lock().unwrap();
        drop(changed.wait_while(first, |batches| batches.lens.is_empty()).unwrap());
        good.extend([(); 3].map(|()| send(&[9; 128])));
        let bad = send(&PANICS);
        good.extend([(); 3].map(|()| send(&[9; 128])));
        batches.lock().unwrap().is_open = true;
        changed.notify_all();
        assert_eq!(bad.alert(), INTERNAL_ERROR);
        for reply in good {
            assert_eq!(reply.alert(), BAD_RECORD_MAC);
        }
        // By itself.
        assert_eq!(send(&PANICS).alert(), INTERNAL_ERROR);
        drop(connect(address));
    });
    let lens = &batches.lock().unwrap().lens;
    assert!(lens.iter().any(|len| *len > 1), "{lens:?}");
}

#[test]
fn a_panic_in_a_handshake_costs_that_connection_and_one_of_the_observer_none() {
    let armed = Arc::<AtomicBool>::default();
    let is_armed = Arc::clone(&armed);
    let panic_once = move || assert!(!is_armed.swap(false, Ordering::AcqRel), "planted");
    let backend = trap::backend(&default_backend().unwrap(), panic_once);
    let settings = crate::tests::settings_on(&backend, |_| {});
    let limits = Limits { threads: 1, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0", Arc::clone(&settings), limits).unwrap();
    let (address, stop) = (server.local_address().unwrap(), server.stop_handle());
    let ends = Mutex::new(Vec::new());
    let observer = |event: Event<'_>| {
        if let Event::Ended { how, .. } = event {
            ends.lock().unwrap().push(how);
        }
        panic!("planted");
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&observer));
        armed.store(true, Ordering::Release);
        let refused = send_ciphertext(address, &settings, &[9; 128]).alert();
        let mut client = connect(address);
        client.write_all(b"GET /plain HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        client.read_to_string(&mut page).unwrap();
        drop(client);
        stop.stop();
        running.join().expect("the server goes on").unwrap();
        assert_eq!(refused[5..], [2, 80]);
        assert!(page.contains("TLS_RSA_WITH_AES_128_CBC_SHA"), "{page}");
    });
    let refused = End::Tls(Ending::Refused(Alert::InternalError));
    let ends = ends.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(ends, [refused, End::Tls(Ending::Closed)]);
}

#[test]
fn a_client_that_has_sent_close_notify_is_not_waited_for() {
    let settings = crate::tests::settings();
    let limits = Limits { threads: 1, ..Limits::default() };
    let server = Server::bind("127.0.0.1:0", settings, limits).unwrap();
    let (address, stop) = (server.local_address().unwrap(), server.stop_handle());
    let (ended, ends) = mpsc::channel();
    let observer = |event: Event<'_>| {
        if let Event::Ended { how, .. } = event {
            ended.send(how).unwrap();
        }
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&observer));
        let mut client = connect(address);
        client.shutdown().unwrap();
        let how = ends.recv_timeout(LINGER / 2);
        // Its socket is open until here.
        drop(client);
        stop.stop();
        running.join().unwrap().unwrap();
        assert_eq!(how, Ok(End::Tls(Ending::Closed)));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn no_flight_waits_for_acknowledgements() {
    let server = Server::bind("127.0.0.1:0", crate::tests::settings(), Limits::default()).unwrap();
    let _client = net::TcpStream::connect(server.local_address().unwrap()).unwrap();
    let accepted = std::iter::repeat_with(|| server.listener.accept()).find_map(Result::ok);
    assert!(accepted.unwrap().0.nodelay().unwrap());
}

/// Runs a server while `work` runs on its address.
fn serving(limits: Limits, work: impl FnOnce(SocketAddr)) {
    serving_with(crate::tests::settings(), limits, work);
}

fn serving_with(settings: Arc<Settings>, limits: Limits, work: impl FnOnce(SocketAddr)) {
    let server = Server::bind("127.0.0.1:0", settings, limits).unwrap();
    let (address, stop) = (server.local_address().unwrap(), server.stop_handle());
    thread::scope(|scope| {
        let running = scope.spawn(|| server.run(&|_| {}));
        // A failure is reported once the server has ended, for which the scope waits.
        let worked = catch_unwind(AssertUnwindSafe(|| work(address)));
        stop.stop();
        running.join().unwrap().unwrap();
        worked.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// Returns the reply to bytes that are not a record, and the time it took.
fn refusal(address: SocketAddr) -> (Vec<u8>, Duration) {
    let start = Instant::now();
    let mut stream = net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET / HTTP/1.0").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    (reply, start.elapsed())
}

#[test]
fn idle_clients_make_room_for_others() {
    let limits = Limits { threads: 1, connections: 4, ..Limits::default() };
    serving(limits, |address| {
        let slow: Vec<_> = (0..9).map(|_| net::TcpStream::connect(address).unwrap()).collect();
        // Two rounds of four, with a margin for a busy machine.
        let (reply, took) = refusal(address);
        assert_eq!(reply, [21, 3, 1, 0, 2, 2, 10]);
        assert!(took < limits.handshake, "{took:?}");
        drop(slow);
    });
}

#[test]
fn a_full_server_keeps_the_clients_that_it_has_while_nobody_waits() {
    let handshake = Duration::from_secs(1);
    let limits = Limits { threads: 1, connections: 1, handshake, ..Limits::default() };
    serving(limits, |address| {
        let mut client = connect(address);
        thread::sleep(2 * handshake);
        client.write_all(b"GET /plain HTTP/1.0\r\n\r\n").unwrap();
        let mut page = String::new();
        client.read_to_string(&mut page).unwrap();
        assert!(page.contains("TLS_RSA_WITH_AES_128_CBC_SHA"), "{page}");
    });
}

#[test]
fn the_threads_of_a_server_are_full_together_and_who_makes_room_is_told() {
    let handshake = Duration::from_secs(1);
    let limits = Limits { threads: 4, connections: 1, handshake, ..Limits::default() };
    serving(limits, |address| {
        let start = Instant::now();
        let mut client = connect(address);
        assert_eq!(refusal(address).0, [21, 3, 1, 0, 2, 2, 10]);
        assert!(start.elapsed() >= handshake, "{:?}", start.elapsed());
        let end = client.ssl_read(&mut [0]).unwrap_err();
        assert_eq!(end.code(), ErrorCode::ZERO_RETURN, "{end}");
    });
}

#[test]
fn a_client_that_sends_a_byte_at_a_time_has_no_more_time_than_others() {
    let handshake = Duration::from_secs(1);
    serving(Limits { threads: 1, handshake, ..Limits::default() }, |address| {
        let mut slow = net::TcpStream::connect(address).unwrap();
        let start = Instant::now();
        let mut record = [22, 3, 1, 0x40, 0].into_iter().chain(std::iter::repeat(0));
        while slow.write_all(&[record.next().unwrap()]).is_ok() {
            thread::sleep(Duration::from_millis(20));
            assert!(start.elapsed() < Duration::from_secs(20), "it is still open");
        }
        assert!(start.elapsed() >= handshake);
        assert_eq!(refusal(address).0, [21, 3, 1, 0, 2, 2, 10], "the server still serves");
    });
}
