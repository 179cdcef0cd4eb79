//! `sslprov connect` as a process, against `openssl s_server` and servers that misbehave.
//! The protocol itself is tested in `ssl-provider-lab`, without sockets.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ssl_provider::backends;
use ssl_provider_testkit::diagnostics::not_tested;
use tempfile::TempDir;

use common::s_server::SServer;
use common::{Run, key, sslprov, sslprov_with};

/// Starts a server that sends every line back with its characters reversed.
fn start(name: &str, arguments: &[&str]) -> Option<SServer> {
    SServer::start(name, &[&["-rev"], arguments].concat())
}

fn connect(address: &str, arguments: &[&str]) -> Run {
    sslprov(["connect", address].iter().chain(arguments))
}

#[track_caller]
fn report(address: &str, arguments: &[&str]) -> Value {
    let run = connect(address, &[&["--json"][..], arguments].concat()).expect_code(0);
    run.lines().pop().expect("a report")
}

#[test]
fn every_version_and_key_exchange_of_s_server_is_reported() {
    for (name, ciphers) in
        [("server-2048", &["kRSA", "kECDHE", "kDHE"][..]), ("ec-p256", &["kECDHE"])]
    {
        for cipher in ciphers {
            let list = format!("{cipher}:@SECLEVEL=0");
            let Some(server) = start(name, &["-cipher", &list]) else { return };
            for version in ["TLS 1.0", "TLS 1.1", "TLS 1.2"] {
                let highest = version.to_ascii_lowercase().replace(' ', "");
                let report = report(&server.address, &["--insecure", "--max-version", &highest]);
                assert_eq!(report["event"], "established");
                assert_eq!(report["version"], version);
                let exchange = match (*cipher, name) {
                    ("kRSA", _) => "RSA",
                    ("kDHE", _) => "DHE_RSA",
                    (_, "ec-p256") => "ECDHE_ECDSA",
                    (_, _) => "ECDHE_RSA",
                };
                assert_eq!(report["key_exchange"], exchange);
                assert_eq!(report["group"].is_null(), *cipher != "kECDHE", "{report}");
                assert_eq!(report["group_bits"].is_null(), *cipher == "kRSA", "{report}");
                assert_eq!(report["extended_master_secret"], true);
                assert_eq!(report["trusted"], false);
                let certificate = &report["certificates"][0];
                let subject = certificate["subject"].as_str().unwrap();
                assert!(subject.starts_with(&format!("CN={name}")), "{certificate}");
            }
        }
    }
}

#[test]
fn every_backend_speaks_tls_1_3() {
    for (name, groups, arguments) in [
        ("server-2048", "X25519", &[][..]),
        ("ec-p256", "P-384", &["--groups", "x25519,secp384r1"]),
    ] {
        let Some(server) = start(name, &["-tls1_3", "-groups", groups]) else { return };
        for backend in backends() {
            let backend = ["--insecure", "--backend", backend.info().name];
            let report = report(&server.address, &[&backend[..], arguments].concat());
            assert_eq!(report["version"], "TLS 1.3");
            assert_eq!(report["group"], if groups == "X25519" { "x25519" } else { "secp384r1" });
            let scheme = report["signature_scheme"].as_str().unwrap();
            assert_eq!(scheme.contains("PSS"), name == "server-2048", "{scheme}");
        }
    }
}

#[test]
fn an_external_key_stands_for_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let hex = "00112233445566778899aabbccddeeff";
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = file("good", &format!("lab {hex}\n"));
    let psk = ["-tls1_3", "-psk_identity", "lab", "-psk", hex];
    let Some(server) = start("server-2048", &psk) else { return };
    // Without --insecure: no certificate is asked for.
    let report = report(&server.address, &["--external-psk", &good]);
    assert_eq!(report["version"], "TLS 1.3");
    assert_eq!(report["signature_scheme"], Value::Null);
    assert_eq!(report["certificates"].as_array().unwrap().len(), 0);
    let wrong = file("wrong", "lab ffffffffffffffffffffffffffffffff\n");
    let run = connect(&server.address, &["--external-psk", &wrong]).expect_code(1);
    run.expect_stderr("the server sent the alert");
    let short = file("short", "lab 001122\n");
    let run = connect("127.0.0.1:1", &["--external-psk", &short]).expect_code(2);
    run.expect_stderr("short: line 1: the key has 3 bytes");
}

#[test]
fn every_backend_connects_and_shows_a_report_for_people() {
    let Some(server) = start("server-2048", &[]) else { return };
    for backend in backends() {
        let name = backend.info().name;
        let run = connect(&server.address, &["--insecure", "--backend", name]).expect_code(0);
        for word in ["TLS 1.3", "_GCM_", "RSA, 2048 bits", "CN=server-2048.test", name, "no: "] {
            assert!(run.stdout.contains(word), "{word} is not in: {}", run.stdout);
        }
        assert!(run.stderr.is_empty(), "{}", run.stderr);
    }
}

#[test]
fn a_certificate_is_trusted_by_ca_file_and_name_only() {
    let Some(server) = start("server-2048", &[]) else { return };
    let own = key("server-2048.cert.pem").display().to_string();
    let other = key("other-2048.cert.pem").display().to_string();
    let right = ["--server-name", "server-2048.test"];
    for backend in backends() {
        let backend = ["--backend", backend.info().name];
        let arguments = [&right[..], &["--ca-file", &own], &backend].concat();
        assert_eq!(report(&server.address, &arguments)["trusted"], true);
    }
    for (arguments, word) in [
        (&right[..], "not itself one of the trusted"),
        (
            &["--server-name", "server-2048.test", "--ca-file", &other],
            "not itself one of the trusted",
        ),
        (&["--ca-file", &own], "it is for server-2048.test, not for 127.0.0.1"),
        (
            &["--ca-file", &own, "--server-name", "x.test"],
            "it is for server-2048.test, not for x.test",
        ),
    ] {
        let run = connect(&server.address, arguments).expect_code(1);
        let run = run.expect_stderr("not trusted").expect_stderr(word);
        let run = run.expect_stderr("--insecure goes on");
        run.expect_stderr(match word.contains("not for") {
            true => "--server-name gives a name in the certificate",
            false => "--ca-file names the certificates to trust",
        });
        let insecure = report(&server.address, &[arguments, &["--insecure"]].concat());
        assert_eq!(insecure["trusted"], false);
        assert!(insecure["distrust"].as_str().unwrap().contains(word), "{insecure}");
        let refused = connect(&server.address, &[arguments, &["--json"]].concat()).expect_code(1);
        let refused = refused.lines().pop().unwrap();
        assert_eq!(
            (&refused["event"], &refused["alert_sent_by"]),
            (&"failed".into(), &"client".into())
        );
        assert_eq!(refused["certificates"].as_array().unwrap().len(), 1);
    }
}

/// Runs `openssl`; returns whether it is installed.
fn openssl(arguments: &[&str]) -> bool {
    match Command::new("openssl").args(arguments).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "openssl {arguments:?}: {text}");
            true
        }
        Err(_) => {
            not_tested("openssl", "it is not installed");
            false
        }
    }
}

/// A folder of new keys and certificates.
struct Certificates(TempDir);

impl Certificates {
    fn new() -> Self {
        let new = Self(TempDir::new().unwrap());
        fs::write(new.path("config"), "[req]\ndistinguished_name = name\n[name]\n").unwrap();
        new
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// Makes an RSA key and its certificate, with `/CN=subject`; returns whether OpenSSL is there.
    fn make(&self, name: &str, subject: &str, bits: &str, more: &[&str]) -> bool {
        let (key, cert) = (self.file(&format!("{name}.key")), self.file(name));
        let (config, new) = (self.file("config"), format!("rsa:{bits}"));
        let subject = format!("/CN={subject}");
        let fixed = ["req", "-config", &config, "-x509", "-newkey", &new, "-nodes", "-days", "2"];
        let named = ["-keyout", &key, "-out", &cert, "-subj", &subject];
        openssl(&[&fixed[..], &named, more].concat())
    }

    /// Starts a server with one of them.
    fn serve(&self, name: &str) -> Option<SServer> {
        let every_version = ["-rev", "-cipher", "ALL:@SECLEVEL=0"];
        SServer::with(&self.path(name), &self.path(&format!("{name}.key")), &every_version)
    }
}

#[test]
fn a_self_signed_certificate_is_not_called_wrongly_signed() {
    let made = Certificates::new();
    let plain = ["-addext", "subjectAltName=DNS:x.test", "-addext", "basicConstraints=CA:FALSE"];
    if !made.make("server", "same", "2048", &plain) {
        return;
    }
    // As the certificate that Debian makes for localhost, and takes for a root.
    assert!(made.make("root", "same", "2048", &["-addext", "basicConstraints=critical,CA:TRUE"]));
    assert!(made.make("other", "other", "2048", &["-addext", "basicConstraints=critical,CA:TRUE"]));
    let Some(server) = made.serve("server") else { return };
    for root in ["root", "other"] {
        let ca = made.file(root);
        let run = connect(&server.address, &["--server-name", "x.test", "--ca-file", &ca]);
        let run = run.expect_code(1).expect_stderr("(alert unknown_ca)");
        run.expect_stderr("it is self-signed, and not itself one of the trusted");
    }
}

#[test]
fn a_named_certificate_is_trusted_whatever_its_signature_is() {
    let made = Certificates::new();
    let names = ["-addext", "subjectAltName=DNS:x.test"];
    for authority in ["TRUE", "FALSE"] {
        for (bits, hash) in [("1024", "-sha256"), ("2048", "-sha1")] {
            let basic = format!("basicConstraints=CA:{authority}");
            let more = [&names[..], &["-addext", &basic, hash]].concat();
            if !made.make("device", "device", bits, &more) {
                return;
            }
            let Some(server) = made.serve("device") else { return };
            let by_itself = ["--server-name", "x.test", "--ca-file", &made.file("device")];
            assert_eq!(report(&server.address, &by_itself)["trusted"], true, "{more:?}");
        }
    }
}

#[test]
fn a_certificate_without_a_name_and_one_with_many_are_described() {
    let made = Certificates::new();
    let plain = ["-addext", "basicConstraints=CA:FALSE"];
    if !made.make("none", "localhost", "2048", &plain) {
        return;
    }
    let many = "subjectAltName=DNS:a.test,DNS:b.test,IP:192.0.2.1,DNS:d.test,DNS:e.test";
    assert!(made.make("many", "localhost", "2048", &["-addext", many]));
    for (name, text, advice) in [
        (
            "none",
            "it has no host name (subjectAltName) to compare with 127.0.0.1",
            "sslprov: --insecure goes on",
        ),
        (
            "many",
            "it is for a.test, b.test, 192.0.2.1 and 2 more, not for 127.0.0.1",
            "sslprov: --server-name gives",
        ),
    ] {
        let Some(server) = made.serve(name) else { return };
        let run = connect(&server.address, &["--ca-file", &made.file(name)]).expect_code(1);
        run.expect_stderr(text).expect_stderr(advice);
    }
}

#[test]
fn a_short_rsa_key_is_not_trusted_under_an_authority_but_by_itself() {
    let made = Certificates::new();
    let file = |name: &str| made.file(name);
    let request = |name: &str, bits: &str, more: &[&str]| made.make(name, name, bits, more);
    let authority = ["-addext", "basicConstraints=critical,CA:TRUE"];
    if !request("authority", "2048", &authority) {
        return;
    }
    let (ca, ca_key) = (file("authority"), file("authority.key"));
    for bits in ["1024", "2048"] {
        let by = ["-CA", &ca, "-CAkey", &ca_key];
        let of_server =
            ["-addext", "subjectAltName=DNS:x.test", "-addext", "basicConstraints=CA:FALSE"];
        assert!(request(bits, bits, &[&by[..], &of_server].concat()));
        let Some(server) = made.serve(bits) else { return };
        let name = ["--server-name", "x.test", "--ca-file"];
        let by_itself = report(&server.address, &[&name[..], &[&file(bits)]].concat());
        assert_eq!(by_itself["trusted"], true);
        let under_authority = [&name[..], &[&ca]].concat();
        if bits == "2048" {
            assert_eq!(report(&server.address, &under_authority)["trusted"], true);
            continue;
        }
        let run = connect(&server.address, &under_authority).expect_code(1);
        run.expect_stderr("not trusted").expect_stderr("1024 bits");
        let insecure = report(&server.address, &[&under_authority[..], &["--insecure"]].concat());
        assert_eq!(insecure["trusted"], false);
    }
}

#[test]
fn standard_input_and_output_are_piped() {
    let every_version = ["-cipher", "ALL:@SECLEVEL=0"];
    let Some(server) = start("server-2048", &every_version) else { return };
    let pipe = |input: &[u8], arguments: &[&str]| {
        let fixed = ["connect", &server.address, "--insecure", "--pipe", "--timeout", "3"];
        sslprov_with(fixed.iter().chain(arguments), input, &[])
    };
    // The server goes on; a silence after the end of the input ends the connection.
    let run = pipe(b"hello\n", &[]).expect_code(0);
    assert_eq!(run.stdout, "olleh\n");
    assert!(run.stderr.contains("TLS 1.3"), "the report: {}", run.stderr);
    let quiet = pipe(b"abc\n", &["--quiet"]).expect_code(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("cba\n", ""));
    // Both directions are full at some time.
    let line = [&[b'a'; 999][..], b"\n"].concat();
    let run = pipe(&line.repeat(1500), &["--quiet", "--max-version", "tls1.0"]).expect_code(0);
    assert_eq!(run.stdout.len(), 1_500_000);
    // The end of the input ends the connection, before the answer or after it.
    let start = Instant::now();
    let run = pipe(b"hello\n", &["--quiet", "--close-at-end"]).expect_code(0);
    assert!(["", "olleh\n"].contains(&run.stdout.as_str()), "{}", run.stdout);
    assert!(start.elapsed() < Duration::from_secs(3), "waited for the server");
    // The server closes.
    let run = pipe(b"CLOSE\n", &["--quiet"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""), "{}", run.stderr);
}

#[test]
fn sessions_are_resumed_by_ticket_and_by_id() {
    let older = ["--max-version", "tls1.2"];
    for (arguments, how) in [
        (&[][..], "ticket"),
        (&older, "ticket"),
        (&["--no-tickets", "--max-version", "tls1.2"], "id"),
    ] {
        let Some(server) = start("server-2048", &[]) else { return };
        let all = [&["--insecure", "--resume", "--json"][..], arguments].concat();
        let run = connect(&server.address, &all).expect_code(0);
        let lines = run.lines();
        let resumed: Vec<_> = lines.iter().map(|line| line["resumed"].as_str()).collect();
        assert_eq!(resumed, [None, Some(how)]);
        assert_eq!(lines[0]["resumable_by"], how);
        assert_eq!(lines[0]["certificates"], lines[1]["certificates"]);
    }
    let Some(server) = start("server-2048", &["-no_ticket", "-no_cache"]) else { return };
    let arguments = [&["--insecure", "--resume"][..], &older].concat();
    connect(&server.address, &arguments).expect_code(3).expect_stderr("resumed");
    let Some(server) = start("server-2048", &["-num_tickets", "0"]) else { return };
    let run = connect(&server.address, &["--insecure", "--resume"]).expect_code(3);
    run.expect_stderr("does not let the session be resumed");
}

#[test]
fn client_certificates_are_sent() {
    let Some(server) = start("server-2048", &["-Verify", "1"]) else { return };
    let files = |name: &str| {
        let path = |suffix| key(&format!("{name}{suffix}")).display().to_string();
        (path(".cert.pem"), path(".pem"))
    };
    for backend in backends() {
        for (cert, private) in [files("client-2048"), files("ec-p256")] {
            let arguments = ["--insecure", "--cert", &cert, "--key", &private];
            let backend = ["--backend", backend.info().name];
            let report = report(&server.address, &[&arguments[..], &backend].concat());
            assert_eq!(report["client_certificate"], "sent", "{private}");
        }
    }
    let run = connect(&server.address, &["--insecure"]).expect_code(1);
    run.expect_stderr("the server sent the alert").expect_stderr("--key");
    let ((_, private), (other, _)) = (files("client-2048"), files("other-2048"));
    let wrong = ["--cert", &other, "--key", &private];
    let text = format!("{other}: the first certificate does not match the private key {private}\n");
    connect(&server.address, &wrong).expect_code(2).expect_stderr(&text);
    let empty = ["--cert", &private, "--key", &private];
    let text = format!("--cert {private}: no certificate in PEM or PKCS#12\n");
    connect(&server.address, &empty).expect_code(2).expect_stderr(&text);
}

#[test]
fn the_key_log_is_that_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let Some(server) = start("server-2048", &["-keylogfile", &at("server")]) else {
        return;
    };
    let tls12 = ["--max-version", "tls1.2"];
    let of_client = at("client");
    let arguments = [&["--insecure", "--key-log", &of_client][..], &tls12].concat();
    connect(&server.address, &arguments).expect_code(0).expect_stderr("master secrets");
    let read = |name| fs::read_to_string(at(name)).unwrap();
    let line = read("client");
    assert!(line.starts_with("CLIENT_RANDOM ") && line.lines().count() == 1, "{line}");
    assert!(read("server").contains(line.trim()), "{}", read("server"));
    let environment = [("SSLKEYLOGFILE", &*at("other"))];
    let arguments = [&["connect", &server.address, "--insecure"][..], &tls12].concat();
    let run = sslprov_with(arguments, b"", &environment);
    run.expect_code(0);
    assert!(read("other").starts_with("CLIENT_RANDOM "));

    // TLS 1.3 has a line for each secret.
    connect(&server.address, &["--insecure", "--key-log", &at("tls1.3")]).expect_code(0);
    let lines = read("tls1.3");
    assert_eq!(lines.lines().count(), 5, "{lines}");
    for line in lines.lines() {
        // The server writes the last ones after the client has gone.
        let start = Instant::now();
        while !read("server").lines().any(|other| other == line) {
            assert!(start.elapsed() < Duration::from_secs(5), "{line}: {}", read("server"));
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Listens, and runs `conversation` with the first client.
fn listen(conversation: impl FnOnce(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || conversation(listener.accept().unwrap().0));
    address
}

/// Carries bytes both ways between a client and a server; stops when either ends, or after `limit`
/// bytes of the server.
fn carry(client: TcpStream, server: &str, limit: u64) {
    let server = TcpStream::connect(server).unwrap();
    let (mut from_client, mut to_server) =
        (client.try_clone().unwrap(), server.try_clone().unwrap());
    let upwards = thread::spawn(move || std::io::copy(&mut from_client, &mut to_server));
    let _ = std::io::copy(&mut (&server).take(limit), &mut &client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    let _ = upwards.join();
}

#[test]
fn tls_begins_in_other_protocols() {
    let Some(server) = start("server-2048", &[]) else { return };
    let conversations: [(&str, &[(&str, &str)]); 4] = [
        (
            "smtp",
            &[("220 x\r\n", "EHLO"), ("250-x\r\n250 STARTTLS\r\n", "STARTTLS"), ("220 go\r\n", "")],
        ),
        ("imap", &[("* OK x\r\n", "a1 STARTTLS"), ("a1 OK go\r\n", "")]),
        ("pop3", &[("+OK x\r\n", "STLS"), ("+OK go\r\n", "")]),
        ("ftp", &[("220 x\r\n", "AUTH TLS"), ("234 go\r\n", "")]),
    ];
    for (protocol, turns) in conversations {
        let tls = server.address.clone();
        let address = listen(move |mut client| {
            let mut reader = BufReader::with_capacity(1, client.try_clone().unwrap());
            for (said, expected) in turns {
                client.write_all(said.as_bytes()).unwrap();
                if !expected.is_empty() {
                    let mut line = String::new();
                    reader.read_line(&mut line).unwrap();
                    assert!(line.starts_with(expected), "{line}");
                }
            }
            carry(client, &tls, u64::MAX);
        });
        let report = report(&address, &["--insecure", "--starttls", protocol]);
        assert_eq!(report["version"], "TLS 1.3", "{protocol}");
    }
    let address = listen(|mut client| {
        client.write_all(b"554 go away\r\n").unwrap();
        let _ = client.read(&mut [0; 100]);
    });
    let run = connect(&address, &["--starttls", "smtp"]).expect_code(1);
    run.expect_stderr("554 go away");
}

#[test]
fn data_that_is_cut_off_is_reported() {
    let Some(server) = start("server-2048", &[]) else { return };
    let tls = server.address.clone();
    // The handshake takes about 1500 bytes of the server.
    let address = listen(move |client| carry(client, &tls, 60_000));
    let arguments = ["connect", &address, "--insecure", "--pipe", "--quiet"];
    let line = [&[b'a'; 999][..], b"\n"].concat();
    let run = sslprov_with(arguments, &line.repeat(200), &[]).expect_code(3);
    assert!(run.stdout.len() > 20_000 && run.stdout.len() < 60_000);
    run.expect_stderr("without close_notify");
}

#[test]
fn servers_that_do_not_speak_tls_or_nothing_at_all_are_reported() {
    let http = listen(|mut client| {
        let _ = client.read(&mut [0; 1000]);
        client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    connect(&http, &[]).expect_code(1).expect_stderr("HTTP without TLS");
    let closes = listen(drop);
    connect(&closes, &[]).expect_code(1);
    let start = Instant::now();
    let silent = listen(|client| {
        thread::sleep(Duration::from_secs(30));
        drop(client);
    });
    connect(&silent, &["--timeout", "1"]).expect_code(1).expect_stderr("timed out");
    for (protocol, greeting, text) in [
        ("imap", "", "--starttls imap: no greeting from the server within 1 s"),
        ("pop3", "+OK x\r\n", "--starttls pop3: no reply from the server within 1 s"),
        ("ldap", "", "--starttls ldap: no reply from the server within 1 s"),
    ] {
        let silent = listen(move |mut client| {
            client.write_all(greeting.as_bytes()).unwrap();
            thread::sleep(Duration::from_secs(30));
            drop(client);
        });
        let run = connect(&silent, &["--timeout", "1", "--starttls", protocol]).expect_code(1);
        run.expect_stderr(text);
    }
    assert!(start.elapsed() < Duration::from_secs(20));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    connect(&free, &[]).expect_code(1).expect_stderr("cannot connect");
    let json = connect(&free, &["--json"]).expect_code(1).lines();
    assert_eq!(json[0]["event"], "failed");
}

#[test]
fn advice_names_the_option_that_helps() {
    let weak = ["-no_tls1_3", "-cipher", "NULL-SHA:@SECLEVEL=0"];
    let Some(server) = start("server-2048", &weak) else {
        return;
    };
    let run = connect(&server.address, &["--insecure"]).expect_code(1);
    run.expect_stderr("handshake_failure").expect_stderr("--suites default,legacy");
    let legacy = report(&server.address, &["--insecure", "--suites", "legacy"]);
    assert_eq!(legacy["suite"], "TLS_RSA_WITH_NULL_SHA");
    let Some(server) = start("server-2048", &["-tls1_3"]) else { return };
    let run = connect(&server.address, &["--insecure", "--max-version", "tls1.2"]).expect_code(1);
    run.expect_stderr("protocol_version").expect_stderr("TLS 1.3 only");
}

#[test]
fn arguments_that_cannot_be_used_are_refused() {
    for (arguments, word) in [
        (&["x"][..], "HOST:PORT"),
        (
            &["127.0.0.1:1", "--min-version", "tls1.2", "--max-version", "tls1.0"],
            "--min-version tls1.2 is above --max-version tls1.0\n",
        ),
        (
            &["127.0.0.1:1", "--max-version", "ssl3"],
            "--max-version ssl3: SSL 3.0 also needs --min-version ssl3\n",
        ),
        (&["127.0.0.1:1", "--max-version", "dtls1.2"], "this client speaks SSL 3.0 to TLS 1.3"),
        (&["127.0.0.1:1", "--suites", "0x1301", "--max-version", "tls1.2"], "suites"),
        (&["127.0.0.1:1", "--groups", "p-257"], "x25519"),
        (&["127.0.0.1:1", "--ca-file", "/no/such"], "/no/such"),
        (&["127.0.0.1:1", "--cert", "/no/such"], "--key"),
        (&["127.0.0.1:1", "--key-log", "/no/such/x"], "--key-log /no/such/x: cannot be written: "),
        (&["127.0.0.1:1", "--server-name", "a b"], "host name"),
        (&["127.0.0.1:1", "--starttls", "gopher"], "smtp"),
        (&["127.0.0.1:1", "--backend", "all"], "one backend"),
        (&["127.0.0.1:1", "--idle-timeout", "3"], "--pipe"),
        (&["127.0.0.1:1", "--close-at-end"], "--pipe"),
    ] {
        sslprov(["connect"].iter().chain(arguments)).expect_code(2).expect_stderr(word);
    }
}
