//! `sslprov proxy` as a process: curl and rustls in front of it, `openssl s_server` and devices
//! that misbehave behind it.
#![cfg(all(target_os = "linux", feature = "aws-lc"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::Value;
use ssl_provider::{default_backend, register};
use ssl_provider_cli::CommandLine;
use ssl_provider_testkit::trap;

use common::device::Device;
use common::modern::ModernClient;
use common::s_server::SServer;
use common::server::{Server, is_installed};
use common::{command, key, sslprov};

const TLS1_2: &rustls::SupportedProtocolVersion = &rustls::version::TLS12;
const TLS1_3: &rustls::SupportedProtocolVersion = &rustls::version::TLS13;

/// What has to be waited for on a busy machine.
const LONG: Duration = Duration::from_secs(60);
const PATIENT: [&str; 2] = ["--handshake-timeout", "120"];

fn file(name: &str) -> String {
    key(name).display().to_string()
}

impl Server {
    /// Starts the proxy in front of `device`.
    fn proxy(device: &str, arguments: &[&str]) -> Self {
        let mut command = command();
        command.args(["proxy", "--json", "--listen", "127.0.0.1:0", "--to", device]);
        if !arguments.contains(&"--handshake-timeout") {
            command.args(PATIENT);
        }
        command.args(arguments).stderr(Stdio::inherit());
        Self::start_command(command).expect("it listens")
    }

    /// Its clients speak TLS to it.
    fn with_tls(device: &str, arguments: &[&str]) -> Self {
        let (key, cert) = (file("ec-p256.pem"), file("ec-p256.cert.pem"));
        Self::proxy(device, &[&["--key", &key, "--cert", &cert], arguments].concat())
    }

    /// Its clients speak plain TCP, and the device is trusted whatever its certificate is.
    fn plain(device: &str, arguments: &[&str]) -> Self {
        Self::proxy(device, &[&["--plain", "--insecure"], arguments].concat())
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the proxy listens");
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).expect("a number").parse().unwrap()
    }

    /// Waits for the end of a connection, and checks why it ended.
    #[track_caller]
    fn expect_end(&mut self, reason: &str) -> Value {
        let event = self.event();
        assert_eq!(event["event"], "ended", "{event}");
        assert_eq!(event["reason"], reason, "{event}");
        event
    }
}

/// Arguments with which the device of the tests is trusted.
fn trusted() -> [String; 4] {
    let ca = file("server-2048.cert.pem");
    ["--ca-file".into(), ca, "--server-name".into(), "server-2048.test".into()]
}

/// Runs curl for a path of the proxy; the name of its certificate is checked.
fn curl(proxy: &Server, arguments: &[&str], path: &str) -> Output {
    let port = proxy.address.rsplit_once(':').unwrap().1;
    let resolve = format!("ec-p256.test:{port}:127.0.0.1");
    let url = format!("https://ec-p256.test:{port}{path}");
    Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "60"])
        .args(["--cacert", &file("ec-p256.cert.pem"), "--resolve", &resolve])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl runs")
}

/// `openssl s_server` that speaks TLS 1.0 with RSA key exchange only, and has a page.
fn old_device() -> Option<SServer> {
    SServer::start("server-2048", &["-www", "-tls1", "-cipher", "kRSA:@SECLEVEL=0"])
}

#[test]
fn curl_reaches_a_device_that_speaks_tls_1_0_with_rsa_key_exchange_only() {
    if !is_installed("curl") {
        return;
    }
    let Some(device) = old_device() else { return };
    let trusted = trusted();
    let mut proxy = Server::with_tls(&device.address, &trusted.each_ref().map(String::as_str));
    for (arguments, client_version) in
        [(&["--tlsv1.3"][..], "TLS 1.3"), (&["--tlsv1.2", "--tls-max", "1.2"], "TLS 1.2")]
    {
        let output = curl(&proxy, arguments, "/");
        assert!(output.status.success(), "{output:?}");
        let page = String::from_utf8_lossy(&output.stdout);
        // What the device says about the session.
        assert!(page.contains("TLSv1\n") && page.contains("-SHA"), "{page}");
        let event = proxy.event();
        assert_eq!(event["version"], "TLS 1.0", "{event}");
        assert!(event["suite"].as_str().unwrap().starts_with("TLS_RSA_WITH_AES_"), "{event}");
        assert_eq!(event["client_version"], client_version);
        assert_eq!(event["failed"], false, "{event}");
        assert!(event["bytes_to_client"].as_u64().unwrap() >= page.len() as u64, "{event}");
    }
    // Without the proxy, a client of today finds nothing in common with it.
    ModernClient::connect(&device.address, TLS1_2).map(drop).unwrap_err();

    // Plain in.
    let mut proxy = Server::plain(&device.address, &[]);
    let url = format!("http://{}/", proxy.address);
    let output =
        Command::new("curl").args(["--silent", "--max-time", "60", &url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("TLSv1\n"), "{output:?}");
    assert_eq!(proxy.event()["version"], "TLS 1.0");
}

#[test]
fn a_device_that_is_not_trusted_or_not_there_is_a_clean_failure_for_the_client() {
    let device = Device::echo();
    let other = file("other-2048.cert.pem");
    let wrong_name = [&trusted()[..2], &["--server-name".into(), "x.test".into()]].concat();
    let wrong_name: Vec<&str> = wrong_name.iter().map(String::as_str).collect();
    let cases: [(&[&str], &str); 3] = [
        (&[], "not trusted"),
        (&["--ca-file", &other], "not trusted"),
        (&wrong_name, "it is for "),
    ];
    for (arguments, why) in cases {
        let start = Instant::now();
        let mut proxy = Server::with_tls(&device.address, arguments);
        if is_installed("curl") {
            let output = curl(&proxy, &[], "/");
            // 35: the handshake failed.
            assert_eq!(output.status.code(), Some(35), "{output:?}");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(text.contains("internal error"), "{text}");
            let event = proxy.expect_end("device_refused");
            assert!(event["detail"].as_str().unwrap().contains(why), "{event}");
            assert!(event["advice"].as_str().unwrap().contains("--insecure"), "{event}");
        }
        let error = ModernClient::connect(&proxy.address, TLS1_3).map(drop).unwrap_err();
        assert!(error.to_string().contains("InternalError"), "{error}");
        proxy.expect_end("device_refused");
        assert!(start.elapsed() < LONG);
    }
    let arguments = [&["--plain"][..], &["--ca-file", &other]].concat();
    let mut proxy = Server::proxy(&device.address, &arguments);
    let error = proxy.connect().read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    proxy.expect_end("device_refused");

    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut proxy = Server::with_tls(&free, &["--insecure"]);
    ModernClient::connect(&proxy.address, TLS1_2).map(drop).unwrap_err();
    let event = proxy.expect_end("device_unreachable");
    assert!(event["detail"].as_str().unwrap().contains("cannot connect"), "{event}");
}

#[test]
fn each_side_may_close_first_and_the_other_has_the_rest() {
    let device = Device::echo();
    let mut proxy = Server::with_tls(&device.address, &["--insecure"]);
    for version in [TLS1_2, TLS1_3] {
        let mut client = ModernClient::connect(&proxy.address, version).unwrap();
        client.write(&[b'x'; 100_000]).unwrap();
        client.close_write();
        // The device has seen close_notify, and its last words arrive with a close_notify.
        let data = client.read_to_end().unwrap();
        assert_eq!((data.len(), &data[100_000..]), (100_003, &b"bye"[..]));
        let event = proxy.expect_end("closed_by_client");
        assert_eq!(
            (&event["bytes_to_device"], &event["bytes_to_client"]),
            (&100_000.into(), &100_003.into())
        );
    }
    let mut proxy = Server::plain(&device.address, &[]);
    let mut client = proxy.connect();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert_eq!(text, "hellobye");
    proxy.expect_end("closed_by_client");

    let closes = Device::start(|mut talk| {
        talk.handshake();
        talk.write(b"only this");
        talk.close();
    });
    let mut proxy = Server::with_tls(&closes.address, &["--insecure"]);
    let mut client = ModernClient::connect(&proxy.address, TLS1_3).unwrap();
    assert_eq!(client.read_to_end().unwrap(), b"only this");
    drop(client);
    proxy.expect_end("closed_by_device");
    let mut proxy = Server::plain(&closes.address, &[]);
    let mut client = proxy.connect();
    let mut data = Vec::new();
    client.read_to_end(&mut data).unwrap();
    assert_eq!(data, b"only this");
    drop(client);
    proxy.expect_end("closed_by_device");
}

#[test]
fn a_device_that_dies_in_the_middle_is_no_end_of_the_data() {
    // Without close_notify, as by a process that ends.
    let dies = Device::start(|mut talk| {
        talk.handshake();
        talk.write(&[b'x'; 50_000]);
    });
    let mut proxy = Server::with_tls(&dies.address, &["--insecure"]);
    for version in [TLS1_2, TLS1_3] {
        let mut client = ModernClient::connect(&proxy.address, version).unwrap();
        client.read_exact(&mut [0; 50_000]).unwrap();
        let error = client.read_to_end().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}");
        drop(client);
        let event = proxy.expect_end("cut_off_by_device");
        assert_eq!(event["bytes_to_client"], 50_000);
    }
    // With a record that fails authentication, and with a reset.
    let garbage = Device::start(|mut talk| {
        // The client's handshake is complete by then, too.
        talk.read();
        talk.write(b"x");
        let _ = talk.stream.write_all(&[&[23, 3, 1, 0, 64][..], &[7; 64]].concat());
        while talk.stream.read(&mut [0; 100]).is_ok_and(|len| len > 0) {}
    });
    let mut proxy = Server::with_tls(&garbage.address, &["--insecure"]);
    let mut client = ModernClient::connect(&proxy.address, TLS1_3).unwrap();
    client.write(b"go").unwrap();
    assert_eq!(client.read_to_end().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    drop(client);
    let event = proxy.expect_end("device_refused");
    assert!(event["detail"].as_str().unwrap().contains("authentication"), "{event}");
    let mut proxy = Server::plain(&garbage.address, &[]);
    let mut data = Vec::new();
    let mut client = proxy.connect();
    client.write_all(b"go").unwrap();
    let error = client.read_to_end(&mut data).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    proxy.expect_end("device_refused");
}

#[test]
fn a_client_that_does_not_speak_tls_is_refused() {
    let device = Device::echo();
    let mut proxy = Server::with_tls(&device.address, &["--insecure"]);
    let mut client = proxy.connect();
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut reply = Vec::new();
    client.read_to_end(&mut reply).unwrap();
    // An alert, and no more.
    assert!(reply.len() <= 7 && reply.first().is_none_or(|byte| *byte == 21), "{reply:?}");
    drop(client);
    let event = proxy.expect_end("client_tls");
    let text = "the client does not speak TLS; use https://, or --plain takes plain TCP";
    assert_eq!(event["detail"], text);
    // And what OpenSSL of old sends.
    let mut client = proxy.connect();
    client.write_all(&[0x80, 46, 1, 3, 1, 0, 21, 0, 0, 0, 16]).unwrap();
    client.read_to_end(&mut reply).unwrap();
    drop(client);
    proxy.expect_end("client_tls");
    assert_eq!(connections_of(&proxy), 0);
}

/// How many sockets the proxy has open, besides those for itself.
fn connections_of(proxy: &Server) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", proxy.child.id())).unwrap();
    let sockets = links.filter(|link| {
        let link = link.as_ref().unwrap().path();
        fs::read_link(link).is_ok_and(|target| target.to_string_lossy().starts_with("socket:"))
    });
    // The handles of the listener, one for each thread.
    sockets.count() - thread::available_parallelism().unwrap().get()
}

#[test]
fn silence_ends_connections_in_each_stage() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let limits = ["--insecure", "--handshake-timeout", "4"];
    let mut proxy = Server::with_tls(&address, &limits);
    // No ClientHello.
    let client = proxy.connect();
    proxy.expect_end("client_timed_out");
    assert_eq!((&client).read(&mut [0; 1]).unwrap(), 0);
    // No ServerHello.
    ModernClient::connect(&proxy.address, TLS1_3).map(drop).unwrap_err();
    proxy.expect_end("device_timed_out");
    let mut proxy = Server::plain(&address, &limits[1..]);
    let client = proxy.connect();
    proxy.expect_end("device_timed_out");
    assert_eq!((&client).read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    // No data.
    let device = Device::echo();
    let limits = ["--insecure", "--handshake-timeout", "60", "--idle-timeout", "2"];
    let mut proxy = Server::with_tls(&device.address, &limits);
    let mut client = ModernClient::connect(&proxy.address, TLS1_3).unwrap();
    assert_eq!(client.read_to_end().unwrap_err().kind(), ErrorKind::UnexpectedEof);
    drop(client);
    proxy.expect_end("idle");
}

#[test]
fn sessions_with_the_device_are_resumed_unless_that_is_off() {
    let device = Device::echo();
    for (arguments, expected) in [(&[][..], true), (&["--no-resumption"], false)] {
        let mut proxy = Server::plain(&device.address, arguments);
        for resumed in [false, expected] {
            let mut client = proxy.connect();
            client.write_all(b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
            drop(client);
            assert_eq!(proxy.event()["resumed"], resumed);
        }
    }
}

#[test]
fn a_slow_reader_costs_no_memory_however_fast_the_writer() {
    const LEN: usize = 200 << 20;
    /// More than this is a buffer that grows.
    const BOUND: u64 = 4 << 10;
    let block: Vec<u8> = (0..=250).cycle().take(251 * 64).collect();
    let fast = Device::start(move |mut talk| {
        talk.handshake();
        let mut left = LEN;
        while left > 0 {
            let len = left.min(block.len());
            if talk.write(&block[..len]).is_none() {
                return;
            }
            left -= len;
        }
        talk.close();
    });
    // Waits until nothing moves, or memory has grown by so much; returns by how much.
    let growth = |proxy: &Server, before: u64, enough: u64, patience: Duration| {
        let (start, mut last, mut since) = (Instant::now(), 0, Instant::now());
        loop {
            let now = proxy.resident().saturating_sub(before);
            if now > last {
                (last, since) = (now, Instant::now());
            }
            if last > enough || since.elapsed() > patience || start.elapsed() > LONG {
                return last;
            }
            thread::sleep(Duration::from_millis(20));
        }
    };
    let mut proxy = Server::plain(&fast.address, &[]);
    // The first connection takes what any needs.
    drop(proxy.connect());
    proxy.event();
    let before = proxy.resident();
    let mut client = proxy.connect();
    let grown = growth(&proxy, before, BOUND, Duration::from_secs(2));
    assert!(grown < BOUND, "the device waits, and memory grew by {grown} KiB");
    // Then everything arrives, unchanged, through the same memory.
    let (mut received, mut most) = (0, 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let len = client.read(&mut buffer).unwrap();
        if len == 0 {
            break;
        }
        for (at, byte) in buffer[..len].iter().enumerate().step_by(997) {
            assert_eq!(usize::from(*byte), (received + at) % 251, "at {}", received + at);
        }
        received += len;
        most = most.max(proxy.resident().saturating_sub(before));
    }
    assert_eq!(received, LEN);
    println!("memory grew by {most} KiB");
    assert!(most < BOUND, "memory grew by {most} KiB");
    drop(client);
    proxy.expect_end("closed_by_device");

    // The other way: a device that reads nothing.
    let deaf = Device::start(|mut talk| {
        talk.handshake();
        thread::sleep(LONG);
    });
    let proxy = Server::plain(&deaf.address, &[]);
    let client = proxy.connect();
    thread::sleep(Duration::from_millis(200));
    let before = proxy.resident();
    client.set_nonblocking(true).unwrap();
    let (start, mut blocked) = (Instant::now(), Instant::now());
    while blocked.elapsed() < Duration::from_secs(2) && start.elapsed() < LONG {
        match (&client).write(&[0; 1 << 16]) {
            Ok(_) => blocked = Instant::now(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        thread::yield_now();
    }
    let grown = proxy.resident().saturating_sub(before);
    assert!(grown < BOUND, "the client waits, and memory grew by {grown} KiB");

    // Planted: a buffer that is as good as without a limit is found.
    let proxy = Server::plain(&fast.address, &["--buffer", "1048576"]);
    let before = proxy.resident();
    let _client = proxy.connect();
    let grown = growth(&proxy, before, 2 * BOUND, LONG);
    assert!(grown > 2 * BOUND, "a buffer of 1 GiB grew by {grown} KiB only");
}

#[test]
fn a_thousand_connections_at_once_share_a_bounded_memory() {
    const COUNT: usize = 1000;
    /// KiB for each connection that is idle. Measured: 16 to 36; without `Pair::release_memory` 73
    /// to 75, and 61 to 74 where it leaves out the client's output or the device's input.
    const EACH: u64 = 48;
    // This process has the clients and the device.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let device = Device::echo();
    let mut proxy = Server::plain(&device.address, &[]);
    drop(proxy.connect());
    proxy.event();
    let before = proxy.resident();
    let clients: Vec<_> = (0..COUNT).map(|_| proxy.connect()).collect();
    // Each carries something, all of them at the same time.
    let data = vec![b'd'; 50_000];
    let exchange = |clients: &[TcpStream]| {
        for mut client in clients {
            client.write_all(&data).unwrap();
        }
        let mut buffer = vec![0; data.len()];
        for mut client in clients {
            client.read_exact(&mut buffer).unwrap();
            assert!(buffer == data);
        }
    };
    for some in clients.chunks(100) {
        exchange(some);
    }
    // Idle, they give their buffers back.
    let start = Instant::now();
    let mut each = u64::MAX;
    while each > EACH && start.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(200));
        each = proxy.resident().saturating_sub(before) / COUNT as u64;
    }
    println!("{each} KiB for each of {COUNT} connections");
    assert!(each <= EACH, "{each} KiB for each connection");
    // All work, and one more has to wait until one of them ends.
    let mut waiting = proxy.connect();
    waiting.write_all(b"wait").unwrap();
    waiting.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let error = waiting.read(&mut [0; 4]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    exchange(&clients[..10]);
    drop(clients);
    for _ in 0..COUNT {
        assert_eq!(proxy.event()["failed"], false);
    }
    waiting.set_read_timeout(Some(LONG)).unwrap();
    let mut reply = [0; 4];
    waiting.read_exact(&mut reply).unwrap();
    assert_eq!(&reply, b"wait");
}

#[test]
fn as_many_connections_as_allowed_are_open_and_others_wait() {
    let device = Device::echo();
    let mut proxy = Server::plain(&device.address, &["--max-connections", "2"]);
    let talk = |mut client: &TcpStream| {
        client.write_all(b"x").unwrap();
        client.read(&mut [0]).map(|_| ())
    };
    let clients = [proxy.connect(), proxy.connect()];
    clients.iter().for_each(|client| talk(client).unwrap());
    let third = proxy.connect();
    third.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    talk(&third).unwrap_err();
    drop(clients);
    proxy.expect_end("closed_by_client");
    third.set_read_timeout(Some(LONG)).unwrap();
    (&third).read_exact(&mut [0]).unwrap();
}

#[test]
fn a_client_without_a_hello_has_less_time_while_others_wait() {
    let device = Device::echo();
    let limits = ["--insecure", "--max-connections", "2", "--handshake-timeout", "3600"];
    let mut proxy = Server::with_tls(&device.address, &limits);
    let _silent = [proxy.connect(), proxy.connect()];
    thread::sleep(Duration::from_millis(2500));
    // Nobody had to wait, so both are still there; now somebody does.
    assert_eq!(connections_of(&proxy), 2);
    let mut client = ModernClient::connect(&proxy.address, TLS1_3).unwrap();
    client.write(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    proxy.expect_end("client_timed_out");
}

#[test]
fn sigterm_lets_open_connections_end() {
    let device = Device::echo();
    for signal in ["-TERM", "-INT"] {
        let mut proxy = Server::plain(&device.address, &[]);
        let mut client = proxy.connect();
        client.write_all(b"a").unwrap();
        client.read_exact(&mut [0]).unwrap();
        proxy.signal(signal);
        // Nobody else may come.
        let start = Instant::now();
        while TcpStream::connect(&proxy.address).is_ok() {
            assert!(start.elapsed() < LONG, "it still listens");
            thread::sleep(Duration::from_millis(10));
        }
        client.write_all(b"b").unwrap();
        let mut last = [0];
        client.read_exact(&mut last).unwrap();
        assert_eq!(&last, b"b");
        assert!(proxy.child.try_wait().unwrap().is_none(), "it does not wait");
        drop(client);
        assert_eq!(proxy.wait().code(), Some(0));
    }
    // Not forever.
    let mut proxy = Server::plain(&device.address, &["--grace", "1"]);
    let client = proxy.connect();
    (&client).write_all(b"a").unwrap();
    (&client).read_exact(&mut [0]).unwrap();
    proxy.signal("-TERM");
    assert_eq!(proxy.wait().code(), Some(0));
    proxy.expect_end("stopped");
    assert_eq!((&client).read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    // A second signal does not wait.
    let mut proxy = Server::plain(&device.address, &["--grace", "3600"]);
    let client = proxy.connect();
    (&client).write_all(b"a").unwrap();
    (&client).read_exact(&mut [0]).unwrap();
    proxy.signal("-TERM");
    thread::sleep(Duration::from_millis(300));
    proxy.signal("-TERM");
    assert_eq!(proxy.wait().code(), Some(0));
}

#[test]
fn systemd_passes_the_socket_and_hears_of_each_state() {
    let device = Device::echo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let notified = UnixDatagram::bind(&path).unwrap();
    notified.set_read_timeout(Some(LONG)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // The socket is file 3, as systemd has it, and the process is the one it is for.
    let start = |arguments: &[&str], fds: &str| {
        let mut command = Command::new("sh");
        let script = "exec 3<&0 4<&0 0</dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"";
        command.args(["-c", script, env!("CARGO_BIN_EXE_sslprov"), "proxy", "--json", "--plain"]);
        command.args(["--insecure", "--to", &device.address]).args(PATIENT).args(arguments);
        command.env("LISTEN_FDS", fds).env("NOTIFY_SOCKET", &path);
        command.stdin(OwnedFd::from(listener.try_clone().unwrap())).stderr(Stdio::piped());
        Server::start_command(command)
    };
    let message = || {
        let mut buffer = [0; 100];
        let len = notified.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..len]).into_owned()
    };
    let mut proxy = start(&[], "1").map_err(|output| format!("{output:?}")).expect("it listens");
    assert_eq!(proxy.address, address);
    assert_eq!(message(), "READY=1");
    let mut client = proxy.connect();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    drop(client);
    proxy.signal("-TERM");
    assert_eq!(message(), "STOPPING=1");
    assert_eq!(proxy.wait().code(), Some(0));
    // The socket of the test is still open, as that of systemd would be.
    TcpStream::connect(&address).unwrap();

    for (arguments, fds, why) in [
        (&["--listen", "127.0.0.1:0"][..], "1", "leave one of them out"),
        (&[], "2", "expected one socket, got 2"),
    ] {
        let output = start(arguments, fds).map(|_| ()).unwrap_err();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(why), "{text}");
    }
}

/// Sends a request and returns the response.
fn http(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// The value of a sample in the text of metrics, all of which must have the form that Prometheus
/// reads.
#[track_caller]
fn sample(text: &str, wanted: &str) -> f64 {
    let mut found = None;
    let mut typed = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let words: Vec<&str> = rest.splitn(3, ' ').collect();
            match words[..] {
                ["HELP", _, help] => assert!(!help.is_empty()),
                ["TYPE", name, "counter" | "gauge" | "histogram"] => typed.push(name.to_owned()),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
        let name = series.split('{').next().unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{line}");
        assert!(typed.iter().any(|it| name.starts_with(it.as_str())), "{name} has no type");
        if let Some(labels) = series.strip_prefix(name).filter(|rest| !rest.is_empty()) {
            let labels = labels.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            for label in labels.unwrap_or_else(|| panic!("{line}")).split("\",") {
                let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
                assert!(!name.is_empty() && !value.trim_end_matches('"').is_empty(), "{line}");
            }
        }
        if series == wanted {
            assert_eq!(found.replace(value), None, "{wanted} comes twice");
        }
    }
    found.unwrap_or_else(|| panic!("no {wanted} in:\n{text}"))
}

#[test]
fn metrics_count_what_happens() {
    let device = Device::echo();
    let mut command = command();
    command.args(["proxy", "--plain", "--insecure", "--listen", "127.0.0.1:0"]);
    command.args(["--to", &device.address, "--metrics", "127.0.0.1:0"]);
    command.args(PATIENT).stderr(Stdio::piped());
    let mut proxy = Server::start_command(command).map_err(|it| format!("{it:?}")).unwrap();
    let mut stderr = std::io::BufReader::new(proxy.child.stderr.take().unwrap());
    let mut line = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        line.trim_end().to_owned()
    };
    let url = line();
    let metrics =
        url.strip_prefix("sslprov: metrics at http://").unwrap_or_else(|| panic!("{url}"));
    let metrics = metrics.strip_suffix("/metrics").unwrap().to_owned();
    assert!(line().contains("--insecure"), "a warning");
    for _ in 0..2 {
        let mut client = proxy.connect();
        client.write_all(b"hello").unwrap();
        client.read_exact(&mut [0; 5]).unwrap();
        drop(client);
        // One line for people, with everything.
        let line = line();
        for part in ["127.0.0.1:", "TLS 1.0, TLS_RSA_WITH_AES_128_CBC_SHA", "5 bytes to the device"]
        {
            assert!(line.contains(part), "{part} is not in {line}");
        }
        assert!(line.ends_with(" s; closed by the client"), "{line}");
    }
    let mut open = proxy.connect();
    open.write_all(b"x").unwrap();
    open.read_exact(&mut [0]).unwrap();
    let response = http(&metrics, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, text) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("version=0.0.4"), "{head}");
    let suite = "version=\"TLS 1.0\",suite=\"TLS_RSA_WITH_AES_128_CBC_SHA\"";
    for (series, value) in [
        ("sslprov_proxy_connections_accepted_total".to_owned(), 3.0),
        ("sslprov_proxy_connections_active".to_owned(), 1.0),
        ("sslprov_proxy_connections_closed_total{reason=\"closed_by_client\"}".to_owned(), 2.0),
        ("sslprov_proxy_connections_failed_total{reason=\"device_refused\"}".to_owned(), 0.0),
        ("sslprov_proxy_bytes_total{direction=\"to_device\"}".to_owned(), 11.0),
        (format!("sslprov_proxy_device_handshakes_total{{{suite},resumed=\"false\"}}"), 1.0),
        (format!("sslprov_proxy_device_handshakes_total{{{suite},resumed=\"true\"}}"), 2.0),
        ("sslprov_proxy_device_handshake_seconds_count".to_owned(), 3.0),
        ("sslprov_proxy_device_handshake_seconds_bucket{le=\"+Inf\"}".to_owned(), 3.0),
    ] {
        assert_eq!(sample(text, &series), value, "{series}");
    }
    assert!(sample(text, "sslprov_proxy_device_handshake_seconds_sum") > 0.0);
    assert!(http(&metrics, "GET /x HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(http(&metrics, "POST /metrics HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 405 "));
    // One who sends nothing keeps others waiting for a short time only.
    let _silent = TcpStream::connect(&metrics).unwrap();
    let start = Instant::now();
    assert!(http(&metrics, "GET / HTTP/1.0\r\n\r\n").contains("accepted_total 3\n"));
    assert!(start.elapsed() < LONG / 2);
}

/// What a test program does as `sslprov proxy` on a backend that can be made to panic: the
/// arguments and a file whose presence makes it panic, once.
const ARGUMENTS: &str = "SSLPROV_TEST_ARGUMENTS";
const PANIC: &str = "SSLPROV_TEST_PANIC";

fn run_on_a_trap(arguments: &str) {
    let armed = PathBuf::from(std::env::var_os(PANIC).unwrap());
    let panic_once = move || {
        let is_armed = fs::remove_file(&armed).is_ok();
        assert!(!is_armed, "planted, with a secret: {}", armed.display());
    };
    register(trap::backend(&default_backend().unwrap(), panic_once)).unwrap();
    let command_line = CommandLine::parse_from(arguments.lines());
    assert_eq!(ssl_provider_cli::run(&command_line), ExitCode::SUCCESS);
}

#[test]
fn a_panic_costs_one_connection_and_is_counted_and_reported_without_secrets() {
    if let Ok(arguments) = std::env::var(ARGUMENTS) {
        return run_on_a_trap(&arguments);
    }
    let device = Device::echo();
    let folder = tempfile::tempdir().unwrap();
    let armed = folder.path().join("armed");
    let start = |arguments: &[&str]| {
        let fixed = ["sslprov", "proxy", "--json", "--backend", "trap", "--insecure"];
        let addresses = ["--listen", "127.0.0.1:0", "--to", &device.address];
        let all = [&fixed, &addresses[..], &["--threads", "1"], &PATIENT, arguments].concat();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let name = "a_panic_costs_one_connection_and_is_counted_and_reported_without_secrets";
        command.args(["--exact", name, "--nocapture"]);
        command.env(ARGUMENTS, all.join("\n")).env(PANIC, &armed).stderr(Stdio::piped());
        Server::start_command(command).map_err(|output| format!("{output:?}")).expect("it listens")
    };
    let echo = |mut stream: &TcpStream| {
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    };

    let mut proxy = start(&["--plain", "--metrics", "127.0.0.1:0"]);
    let mut stderr = std::io::BufReader::new(proxy.child.stderr.take().unwrap());
    let mut text = String::new();
    let metrics = loop {
        assert!(std::io::BufRead::read_line(&mut stderr, &mut text).unwrap() > 0, "{text}");
        if let Some((_, url)) = text.split_once("metrics at http://") {
            break url.trim_end().strip_suffix("/metrics").unwrap().to_owned();
        }
    };
    let first = proxy.connect();
    echo(&first);
    fs::write(&armed, "").unwrap();
    let error = proxy.connect().read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}");
    let event = proxy.expect_end("panicked");
    assert!(event["detail"].as_str().unwrap().contains("proxy.rs:"), "{event}");
    assert!(!armed.exists());
    // The others on its thread go on, and new ones come.
    echo(&first);
    echo(&proxy.connect());
    drop(first);
    for _ in 0..2 {
        proxy.expect_end("closed_by_client");
    }
    let response = http(&metrics, "GET /metrics HTTP/1.0\r\n\r\n");
    let (_, samples) = response.split_once("\r\n\r\n").unwrap();
    let panicked = "sslprov_proxy_connections_failed_total{reason=\"panicked\"}";
    assert_eq!(sample(samples, panicked), 1.0);
    assert_eq!(sample(samples, "sslprov_proxy_connections_active"), 0.0);
    proxy.signal("-TERM");
    assert_eq!(proxy.wait().code(), Some(0));
    stderr.read_to_string(&mut text).unwrap();
    // The program of this test, which the proxy runs in.
    let begin = format!("{}: panicked at ", ssl_provider_command::exit::program());
    assert!(text.contains(&begin) && text.contains("proxy.rs:"), "{text}");
    assert!(!text.contains("with a secret"), "{text}");

    // A client that speaks TLS gets an alert.
    let (key, cert) = (file("ec-p256.pem"), file("ec-p256.cert.pem"));
    let mut proxy = start(&["--key", &key, "--cert", &cert]);
    fs::write(&armed, "").unwrap();
    let error = ModernClient::connect(&proxy.address, TLS1_3).map(drop).unwrap_err();
    assert!(error.to_string().contains("InternalError"), "{error}");
    proxy.expect_end("panicked");
    let mut client = ModernClient::connect(&proxy.address, TLS1_3).unwrap();
    client.write(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
}

#[test]
fn the_key_log_has_the_secrets_and_nothing_else_does() {
    let device = Device::echo();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.txt").display().to_string();
    let mut command = command();
    command.args(["proxy", "--json", "--plain", "--insecure", "--listen", "127.0.0.1:0"]);
    command.args(["--to", &device.address, "--key-log", &path, "--no-resumption"]);
    command.args(PATIENT);
    command.stderr(Stdio::piped());
    let mut proxy = Server::start_command(command).map_err(|it| format!("{it:?}")).unwrap();
    let mut client = proxy.connect();
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    drop(client);
    let event = proxy.event().to_string();
    proxy.signal("-TERM");
    assert_eq!(proxy.wait().code(), Some(0));
    let mut stderr = String::new();
    proxy.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("master secrets"), "{stderr}");
    let log = fs::read_to_string(path).unwrap();
    let words: Vec<&str> = log.split_whitespace().collect();
    let ["CLIENT_RANDOM", random, secret] = words[..] else { panic!("{log}") };
    assert_eq!((random.len(), secret.len()), (64, 96));
    assert!(!event.contains(secret) && !stderr.contains(secret));
}

#[test]
fn options_that_cannot_be_used_are_refused_with_what_to_do() {
    let (ec, rsa) = (file("ec-p256.pem"), file("server-2048.cert.pem"));
    let to = ["--to", "127.0.0.1:1"];
    let listen = ["--listen", "127.0.0.1:0"];
    let many = ["--max-connections", "1000000"];
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let taken_by = TcpListener::bind(taken).unwrap();
    let taken = taken_by.local_addr().unwrap().to_string();
    let cases: [(&[&[&str]], &str); 15] = [
        (&[&listen, &["--plain"]], "--to"),
        (&[&to, &listen], "--plain"),
        (&[&to, &["--plain"]], "--listen"),
        (&[&to, &listen, &["--plain", "--key", &ec]], "--plain"),
        (&[&to, &listen, &["--cert", &rsa]], "--key"),
        (&[&to, &listen, &["--key", &rsa]], "found a certificate"),
        (&[&to, &listen, &["--key", &ec]], "add one with --cert"),
        (&[&to, &listen, &["--key", &ec, "--cert", &rsa]], "does not match the private key"),
        (&[&to, &["--plain", "--listen", "127.0.0.1"]], "expected ADDRESS:PORT"),
        (&[&to, &["--plain", "--listen", &taken]], "cannot bind the address"),
        (&[&to, &listen, &["--plain", "--metrics", &taken]], "--metrics"),
        (&[&["--to", "nowhere.invalid:1", "--plain"], &listen], "cannot find the host"),
        (&[&to, &listen, &["--plain", "--max-version", "ssl3"]], "--min-version ssl3"),
        (&[&to, &listen, &["--plain", "--buffer", "1"]], "16"),
        (&[&to, &listen, &["--plain"], &many], "--max-connections"),
    ];
    for (arguments, expected) in cases {
        if arguments.contains(&&many[..]) && may_open_millions() {
            continue;
        }
        let all = arguments.concat();
        let run = sslprov(["proxy"].iter().chain(&all)).expect_code(2);
        assert!(run.stderr.contains(expected), "{all:?}: {}", run.stderr);
    }
    let help = sslprov(["proxy", "--help"]).expect_code(0).stdout;
    for word in ["Examples:", "--listen", "--max-connections", "close_notify"] {
        assert!(help.contains(word), "{word} is not in: {help}");
    }
}

/// Whether the limit of open files is no limit here.
fn may_open_millions() -> bool {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let hard = line.split_whitespace().nth(4).unwrap_or_default();
    hard.parse::<u64>().is_ok_and(|hard| hard > 2_000_000) || hard == "unlimited"
}
