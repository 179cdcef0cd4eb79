//! `sslprov serve` as a process: independent clients read its page, and its options work.
//! The protocol itself is tested in `ssl-provider-lab`, without sockets.
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ssl_provider::{NamedCurve, Operation, SignatureScheme, backends, with_multi_buffer};
use ssl_provider_testkit::rsa_key::with_key_usage;

use common::server::{Server, is_installed, run_client};
use common::{Run, command, key, sslprov, sslprov_with};

impl Server {
    fn start(arguments: &[&str]) -> Self {
        Self::spawn(command(), arguments, Stdio::null()).expect("it listens")
    }

    /// With a key of the corpus, which need not be generated.
    fn with_key(arguments: &[&str]) -> Self {
        Self::spawn_with_key(command(), arguments, Stdio::null()).expect("it listens")
    }

    fn spawn_with_key(sslprov: Command, arguments: &[&str], stderr: Stdio) -> Result<Self, Output> {
        let (key, cert) = (key("server-2048.pem"), key("server-2048.cert.pem"));
        let files = ["--key", key.to_str().unwrap(), "--cert", cert.to_str().unwrap()];
        Self::spawn(sslprov, &[&files, arguments].concat(), stderr)
    }

    fn spawn(mut sslprov: Command, arguments: &[&str], stderr: Stdio) -> Result<Self, Output> {
        sslprov.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).stderr(stderr);
        Self::start_command(sslprov)
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }
}

const REQUEST: &[u8] = b"GET /session.json HTTP/1.0\r\n\r\n";

fn s_client(server: &Server, arguments: &[&str]) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &server.address, "-ign_eof"]).args(arguments);
    run_client(client, REQUEST)
}

/// Returns the JSON of the page in the output of a client.
#[track_caller]
fn page(printed: &str) -> Value {
    let line = printed.lines().find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("no page in: {printed}"));
    serde_json::from_str(line).expect("JSON")
}

#[test]
fn openssl_reads_the_page_from_every_backend() {
    if !is_installed("openssl") {
        return;
    }
    for backend in backends() {
        let name = backend.info().name;
        let around = with_multi_buffer(&backend).unwrap_or(backend.clone());
        for (option, used) in [(None, around), (Some("--no-multi-buffer"), backend.clone())] {
            let arguments: Vec<_> = ["--backend", name].into_iter().chain(option).collect();
            let server = Server::start(&arguments);
            let page = page(&s_client(&server, &["-tls1_2", "-cipher", "AES128-SHA"]));
            assert_eq!(page["version"], "TLS 1.2");
            assert_eq!(page["suite"], "TLS_RSA_WITH_AES_128_CBC_SHA");
            assert_eq!(page["backend"], name);
            assert_eq!(page["library"], used.info().library, "{arguments:?}");
            assert_eq!(
                (&page["extended_master_secret"], &page["resumed"]),
                (&true.into(), &false.into())
            );
        }
    }
}

#[test]
fn openssl_speaks_every_version_and_suite_that_it_has() {
    if !is_installed("openssl") {
        return;
    }
    let server = Server::with_key(&["--suites", "default,legacy"]);
    let legacy = ["AES128-SHA", "AES256-SHA", "NULL-SHA"];
    let newest = [
        "AES128-SHA256",
        "AES256-SHA256",
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-CCM",
        "AES256-CCM8",
    ];
    let mut suites = HashSet::new();
    for (version, ciphers) in
        [("-tls1", &legacy[..]), ("-tls1_1", &legacy), ("-tls1_2", &legacy), ("-tls1_2", &newest)]
    {
        for cipher in ciphers {
            let cipher = format!("{cipher}:@SECLEVEL=0");
            let page = page(&s_client(&server, &[version, "-cipher", &cipher]));
            let number = version.trim_start_matches("-tls").replace('_', ".");
            let number = if number == "1" { "1.0" } else { &number };
            assert_eq!(page["version"], format!("TLS {number}"), "{cipher}");
            suites.insert(page["suite"].to_string());
        }
    }
    assert_eq!(suites.len(), legacy.len() + newest.len(), "{suites:?}");
}

#[test]
fn openssl_resumes_its_session_unless_that_is_off() {
    if !is_installed("openssl") {
        return;
    }
    let session = tempfile::NamedTempFile::new().unwrap();
    let file = session.path().to_str().unwrap();
    let resumed = |server: &Server| {
        let arguments = ["-tls1_2", "-cipher", "AES128-SHA"];
        s_client(server, &[&arguments[..], &["-sess_out", file]].concat());
        page(&s_client(server, &[&arguments[..], &["-sess_in", file]].concat()))["resumed"].clone()
    };
    assert_eq!(resumed(&Server::with_key(&[])), true);
    assert_eq!(resumed(&Server::with_key(&["--no-resumption"])), false);
}

/// The backends that agree on keys and sign.
fn backends_with_ephemeral_keys() -> Vec<&'static str> {
    let needed = [
        Operation::Ecdh(NamedCurve::X25519),
        Operation::Sign(SignatureScheme::RsaSha256),
        Operation::Sign(SignatureScheme::EcdsaSha256),
    ];
    let able = backends()
        .into_iter()
        .filter(|backend| needed.iter().all(|it| backend.support(*it).is_supported()));
    let names: Vec<_> = able.map(|backend| backend.info().name).collect();
    assert!(!names.is_empty(), "no backend has ephemeral keys and signatures");
    names
}

#[test]
fn an_unmodified_openssl_gets_ephemeral_keys_where_they_are_enabled() {
    if !is_installed("openssl") {
        return;
    }
    let (ec, cert) = (key("ec-p256.pem"), key("ec-p256.cert.pem"));
    let ecdsa = ["--ecdsa-key", ec.to_str().unwrap(), "--ecdsa-cert", cert.to_str().unwrap()];
    for name in backends_with_ephemeral_keys() {
        let exchanges = ["--backend", name, "--key-exchange", "ecdhe,dhe,rsa"];
        let server = Server::with_key(&[&exchanges[..], &ecdsa].concat());
        let negotiated = |arguments: &[&str]| {
            let page = page(&s_client(&server, &[&["-tls1_2"], arguments].concat()));
            ["suite", "group", "signature_scheme"].map(|fact| page[fact].clone())
        };
        let [suite, group, scheme] = negotiated(&[]);
        assert_eq!(suite, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "{name}");
        assert_eq!((group, scheme), ("x25519".into(), "ECDSA with SHA-256".into()), "{name}");
        let cipher = "ECDHE-RSA-AES256-GCM-SHA384";
        let [suite, group, scheme] = negotiated(&["-cipher", cipher, "-groups", "P-384"]);
        assert_eq!(suite, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "{name}");
        assert_eq!((group, scheme), ("secp384r1".into(), "RSA-PSS with SHA-256".into()), "{name}");
        let [suite, group, scheme] = negotiated(&["-cipher", "AES128-SHA"]);
        assert_eq!(suite, "TLS_RSA_WITH_AES_128_CBC_SHA", "{name}");
        assert_eq!((group, scheme), (Value::Null, Value::Null), "{name}");

        let server = Server::start(&["--backend", name, "--key-exchange", "ecdhe"]);
        let page = page(&s_client(&server, &["-tls1_2"]));
        assert_eq!(page["group"], "x25519", "{name}: with generated keys");
    }
    let server = Server::with_key(&[]);
    let page = page(&s_client(&server, &["-tls1_2"]));
    assert_eq!(page["group"], Value::Null, "RSA key exchange is the default");
}

#[test]
fn tls_1_3_comes_with_ephemeral_keys_or_by_its_name() {
    for name in backends_with_ephemeral_keys() {
        for (arguments, version) in [
            (&["--key-exchange", "ecdhe,rsa"][..], "TLS 1.3"),
            (&["--versions", "tls1.3"], "TLS 1.3"),
            (&["--suites", "TLS_AES_128_GCM_SHA256"], "TLS 1.3"),
            (&[], "TLS 1.2"),
        ] {
            let server = Server::start(&[&["--backend", name], arguments].concat());
            let run = sslprov(["connect", &server.address, "--insecure", "--json"]);
            let report = run.expect_code(0).lines().pop().unwrap();
            assert_eq!(report["version"], version, "{name}, {arguments:?}");
        }
        let server = Server::start(&["--backend", name, "--versions", "tls1.3", "--tickets"]);
        let run = sslprov(["connect", &server.address, "--insecure", "--json", "--resume"]);
        let reports = run.expect_code(0).lines();
        assert_eq!(reports[1]["resumed"], "ticket", "{name}");
        if is_installed("openssl") {
            let page = page(&s_client(&server, &["-tls1_3"]));
            assert_eq!(page["version"], "TLS 1.3", "{name}");
            assert_eq!(page["retried"], false, "{name}");
        }
    }
}

#[test]
fn early_data_are_accepted_where_the_option_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("request");
    fs::write(&path, REQUEST).unwrap();
    let early = ["--early-data", path.to_str().unwrap()];
    for (arguments, status) in [
        (&["--early-data", "4096"][..], "accepted"),
        // What is over the limit goes after the handshake.
        (&["--early-data", "10"], "accepted"),
        (&[], "none"),
    ] {
        let fixed = ["--versions", "tls1.3", "--tickets"];
        let server = Server::start(&[&fixed[..], arguments].concat());
        let client = ["connect", &server.address, "--insecure", "--resume", "--pipe", "--json"];
        let run = sslprov([&client[..], &early].concat()).expect_code(0);
        let page = page(&run.stdout);
        assert_eq!(page["resumed"], true);
        assert_eq!(page["early_data"].is_null(), status == "none", "{page}");
        let report = run.stderr.lines().rfind(|line| line.starts_with('{')).unwrap();
        let report: Value = serde_json::from_str(report).unwrap();
        // Without the option of the server, its tickets allow none.
        let expected = if status == "none" { Value::Null } else { status.into() };
        assert_eq!(report["early_data"], expected, "{report}");
    }
    let missing = ["connect", "127.0.0.1:1", "--early-data", "/no/such"];
    sslprov(missing).expect_code(2).expect_stderr("--resume");
    let missing = [&missing[..], &["--resume", "--pipe"]].concat();
    sslprov(missing).expect_code(2).expect_stderr("--early-data /no/such: ");
}

#[test]
fn both_sides_show_the_same_keying_material_and_whether_there_was_a_retry() {
    let label = ["--keying-material", "EXPERIMENTAL-lab"];
    let fixed = ["--versions", "tls1.2,tls1.3", "--key-exchange", "ecdhe"];
    let server = Server::start(&[&fixed[..], &["--groups", "secp384r1"], &label].concat());
    let client = ["connect", &server.address, "--insecure", "--pipe", "--json", "--groups"];
    for (version, groups, retried) in [
        ("tls1.3", "secp384r1", false),
        ("tls1.3", "secp256r1,secp384r1", true),
        ("tls1.2", "secp384r1", false),
    ] {
        let more = [groups, "--max-version", version];
        let arguments = [&client[..], &more, &label].concat();
        let run = sslprov_with(arguments, REQUEST, &[]).expect_code(0);
        let page = page(&run.stdout);
        let report = run.stderr.lines().rfind(|line| line.starts_with('{')).unwrap();
        let report: Value = serde_json::from_str(report).unwrap();
        let material = page["keying_material"].as_str().unwrap();
        assert_eq!((material.len(), &report["keying_material"]), (64, &page["keying_material"]));
        assert_eq!(report["retried"], retried, "{report}");
        assert_eq!(page["retried"], if version == "tls1.3" { retried.into() } else { Value::Null });
    }
    // Without the option there is none, and without the extended master secret none to show.
    let plain = Server::start(&fixed);
    let client = ["connect", &plain.address, "--insecure", "--json"];
    let report = sslprov(client).expect_code(0).lines().pop().unwrap();
    assert_eq!(report.get("keying_material"), None);
    let without = [&client[..], &["--no-ems", "--max-version", "tls1.2"], &label].concat();
    let report = sslprov(without).expect_code(0).lines().pop().unwrap();
    assert_eq!(report.get("keying_material"), Some(&Value::Null));
    let bad = ["connect", &plain.address, "--keying-material", "two words"];
    sslprov(bad).expect_code(2).expect_stderr("letters, digits and signs of ASCII");
    let bad = ["serve", "--groups", "p-257"];
    sslprov(bad).expect_code(2).expect_stderr("expected one of x25519");
}

#[test]
fn a_key_on_a_curve_is_enough_for_tls_1_3() {
    let (key, cert) = (key("ec-p256.pem"), key("ec-p256.cert.pem"));
    let files = ["--ecdsa-key", key.to_str().unwrap(), "--ecdsa-cert", cert.to_str().unwrap()];
    let server = Server::start(&[&files[..], &["--versions", "tls1.3"]].concat());
    let client = ["connect", &server.address, "--insecure", "--json"];
    let report = sslprov(client).expect_code(0).lines().pop().unwrap();
    assert_eq!(report["signature_scheme"], "ECDSA with SHA-256");
}

#[test]
fn an_external_key_stands_for_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.psk");
    fs::write(
        &path,
        "one 00112233445566778899aabbccddeeff\ntwo ffeeddccbbaa99887766554433221100\n",
    )
    .unwrap();
    let mine = folder.path().join("mine.psk");
    fs::write(&mine, "two ffeeddccbbaa99887766554433221100").unwrap();
    let server = Server::start(&["--external-psk", path.to_str().unwrap()]);
    let own = ["--external-psk", mine.to_str().unwrap(), "--json"];
    let run = sslprov([&["connect", &server.address][..], &own].concat());
    let report = run.expect_code(0).lines().pop().unwrap();
    assert_eq!(report["version"], "TLS 1.3");
    assert_eq!(report["certificates"].as_array().unwrap().len(), 0);
    let several = ["--external-psk", path.to_str().unwrap()];
    sslprov([&["connect", &server.address][..], &several].concat())
        .expect_code(2)
        .expect_stderr("several keys");
}

#[test]
fn an_application_protocol_is_negotiated_where_there_are_some() {
    if !is_installed("openssl") {
        return;
    }
    let server = Server::with_key(&["--alpn", "http/1.1"]);
    let arguments = ["-tls1_2", "-cipher", "AES128-SHA", "-alpn"];
    let page = page(&s_client(&server, &[&arguments[..], &["h2,http/1.1"]].concat()));
    assert_eq!(page["application_protocol"], "http/1.1");
    let refused = s_client(&server, &[&arguments[..], &["h2"]].concat());
    assert!(refused.contains("no application protocol"), "{refused}");
}

#[test]
fn openssl_renegotiates_where_that_is_on() {
    if !is_installed("openssl") {
        return;
    }
    let renegotiated = |server: &Server| {
        let mut client = Command::new("openssl")
            .args(["s_client", "-connect", &server.address, "-tls1_2", "-cipher", "AES128-SHA"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the client starts");
        let mut input = client.stdin.take().unwrap();
        input.write_all(b"R\n").unwrap();
        let mut errors = BufReader::new(client.stderr.take().unwrap());
        let mut told = String::new();
        // It takes what it reads at once for one command, so the request comes later.
        while !told.contains("RENEGOTIATING") {
            assert_ne!(errors.read_line(&mut told).unwrap(), 0, "{told}");
        }
        // A client that was declined may have ended.
        let _ = input.write_all(REQUEST);
        let mut text = String::new();
        client.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        errors.read_to_string(&mut told).unwrap();
        drop(input);
        client.wait().unwrap();
        text + &told
    };
    let printed = renegotiated(&Server::with_key(&["--renegotiation"]));
    assert!(printed.contains("RENEGOTIATING"), "{printed}");
    assert_eq!(page(&printed)["secure_renegotiation"], true);
    let printed = renegotiated(&Server::with_key(&[]));
    assert!(printed.contains("no renegotiation"), "{printed}");
}

#[test]
fn openssl_keeps_its_session_in_a_ticket() {
    if !is_installed("openssl") {
        return;
    }
    let session = tempfile::NamedTempFile::new().unwrap();
    let file = session.path().to_str().unwrap();
    let server = Server::with_key(&["--tickets", "--no-resumption", "--session-lifetime", "900"]);
    let arguments = ["-tls1_2", "-cipher", "AES128-SHA"];
    let printed = s_client(&server, &[&arguments[..], &["-sess_out", file]].concat());
    assert!(printed.contains("TLS session ticket lifetime hint: 900"), "{printed}");
    let page = page(&s_client(&server, &[&arguments[..], &["-sess_in", file]].concat()));
    assert_eq!(page["resumed"], true);
}

#[test]
fn openssl_shows_a_certificate_and_proves_it() {
    if !is_installed("openssl") {
        return;
    }
    let server = Server::with_key(&["--client-auth", "request"]);
    for (certificate, private) in
        [("client-2048.cert.pem", "client-2048.pem"), ("ec-p256.cert.pem", "ec-p256.pem")]
    {
        let (certificate, private) = (key(certificate), key(private));
        let files = ["-cert", certificate.to_str().unwrap(), "-key", private.to_str().unwrap()];
        for version in ["-tls1", "-tls1_1", "-tls1_2"] {
            let arguments = [version, "-cipher", "AES128-SHA:@SECLEVEL=0"];
            let page = page(&s_client(&server, &[&arguments[..], &files].concat()));
            let fingerprint = page["client_certificate"].as_str().expect("a fingerprint");
            assert_eq!(fingerprint.len(), 64);
        }
    }
    let page = page(&s_client(&server, &["-tls1_2", "-cipher", "AES128-SHA"]));
    assert_eq!(page["client_certificate"], Value::Null);
}

#[test]
fn gnutls_and_curl_read_the_page() {
    let server = Server::with_key(&[]);
    let port = server.address.rsplit(':').next().unwrap().to_owned();
    if is_installed("gnutls-cli") {
        for version in ["TLS1.0", "TLS1.1", "TLS1.2"] {
            for extensions in ["", ":%NO_SESSION_HASH:%NO_ETM"] {
                let mut client = Command::new("gnutls-cli");
                let priority = format!("LEGACY:-KX-ALL:+RSA:-VERS-ALL:+VERS-{version}{extensions}");
                client.args(["--insecure", "--port", &port, "127.0.0.1", "--priority", &priority]);
                let page = page(&run_client(client, REQUEST));
                assert_eq!(page["version"], version.replace("TLS", "TLS "));
                assert_eq!(page["extended_master_secret"], extensions.is_empty());
            }
        }
    }
    if is_installed("curl") {
        let mut client = Command::new("curl");
        client.args(["-sk", "--tlsv1.0", "--tls-max", "1.2", "--ciphers", "kRSA:@SECLEVEL=0"]);
        client.arg(format!("https://{}/plain", server.address));
        let printed = run_client(client, b"");
        assert!(printed.contains("Version: TLS 1.2\n"), "{printed}");
    }
}

#[test]
fn the_key_log_has_a_line_for_each_session() {
    if !is_installed("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("keys.txt");
    // As `connect` and `proxy` name it; `--keylog` is tested below.
    let server = Server::with_key(&["--key-log", log.to_str().unwrap()]);
    let theirs = folder.path().join("theirs.txt");
    for _ in 0..2 {
        let arguments = ["-tls1_2", "-cipher", "AES128-SHA", "-keylogfile"];
        page(&s_client(&server, &[&arguments[..], &[theirs.to_str().unwrap()]].concat()));
    }
    let lines = |path| {
        let text = fs::read_to_string(path).unwrap();
        let lines = text.lines().filter(|line| line.starts_with("CLIENT_RANDOM"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let (ours, theirs) = (lines(&log), lines(&theirs));
    assert_eq!(ours.len(), 2);
    let upper = |lines: Vec<String>| lines.iter().map(|it| it.to_uppercase()).collect::<Vec<_>>();
    assert_eq!(upper(ours), upper(theirs));
}

#[test]
#[cfg(unix)]
fn a_key_log_is_announced_and_so_is_who_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let said = |log: &Path, report: &str| {
        let mut child = command()
            .env("SSLKEYLOGFILE", log)
            .args(["serve", "--listen", "127.0.0.1:0", "--once", report])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sslprov starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let is_digit = |c: &char| c.is_ascii_digit();
        let port = line.split("127.0.0.1:").nth(1).expect("its address").chars();
        let port: u16 = port.take_while(is_digit).collect::<String>().parse().unwrap();
        drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
        stdout.read_to_string(&mut line).expect("it ends");
        String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
    };
    let new = folder.path().join("new.txt");
    for report in ["--json", "--quiet"] {
        let announced = said(&new, report);
        let words = ["master secrets", "new.txt"];
        assert!(words.iter().all(|word| announced.contains(word)), "{announced}");
        assert!(!announced.contains("others can read"), "{announced}");
    }
    let open = folder.path().join("open.txt");
    fs::write(&open, "").unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(said(&open, "--json").contains("others can read"));
}

#[test]
fn a_key_log_that_is_also_an_input_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let files = [
        ("--key", "server-2048.pem"),
        ("--cert", "server-2048.cert.pem"),
        ("--key-password-file", "word"),
    ];
    for (_, file) in &files[..2] {
        fs::copy(key(file), at(file)).unwrap();
    }
    fs::write(at("word"), "secret").unwrap();
    let fixed: Vec<_> =
        files.iter().flat_map(|(option, file)| [option.to_string(), at(file)]).collect();
    for (option, file) in files {
        let before = fs::read(at(file)).unwrap();
        let log = ["serve", "--listen", "127.0.0.1:0", "--keylog", &at(file)];
        let arguments = log.iter().map(|it| it.to_string()).chain(fixed.clone());
        let run = sslprov(arguments).expect_code(2);
        run.expect_stderr("--keylog").expect_stderr(&format!("the same file as {option}"));
        assert_eq!(fs::read(at(file)).unwrap(), before);
    }
}

/// The client's end of stream may be read in the same turn as the bytes that cause the alert.
#[test]
fn a_client_that_half_closes_at_once_still_gets_the_alert() {
    let server = Server::with_key(&[]);
    for _ in 0..200 {
        let mut stream = server.connect();
        stream.write_all(&[0; 64]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        // A fatal unexpected_message.
        assert_eq!(answer.get(5..), Some(&[2, 10][..]), "{answer:?}");
    }
}

#[test]
fn a_connection_that_does_nothing_holds_no_thread_and_is_ended() {
    for limit in [&["--timeout", "2"][..], &["--timeout", "300", "--handshake-timeout", "2"]] {
        let server = Server::with_key(&[&["--threads", "1"], limit].concat());
        let mut idle: Vec<_> = (0..200).map(|_| server.connect()).collect();
        assert_eq!(refusal(&server), [21, 3, 1, 0, 2, 2, 10]);
        let start = Instant::now();
        let mut rest = Vec::new();
        idle[0].read_to_end(&mut rest).expect("the end, not a reset");
        assert!(start.elapsed() < Duration::from_secs(8), "{limit:?}");
        assert!(rest.is_empty());
    }
}

/// Returns the server's reply to bytes that are not TLS, to the end of the stream.
fn refusal(server: &Server) -> Vec<u8> {
    let mut stream = server.connect();
    // More than the server reads before it replies: the alert must arrive nevertheless.
    stream.write_all(&[b'G'; 5000]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("the end, not a reset");
    answer
}

#[test]
fn events_are_json_lines_and_the_server_stops_after_its_last_connection() {
    let mut server = Server::with_key(&["--json", "--max-connections", "2"]);
    refusal(&server);
    drop(server.connect());
    assert_eq!(server.wait().code(), Some(0));
    let mut events = Vec::new();
    for line in (&mut server.stdout).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(event["event"], "ended");
        events.push(["reason", "alert", "detail"].map(|key| event[key].to_string()));
    }
    events.sort();
    let refused = ["\"refused\"", "\"unexpected_message\"", "\"this is not TLS\""];
    assert_eq!(events, [["\"lost\"", "null", "null"], refused]);
}

#[test]
fn a_refusal_names_the_option_that_helps() {
    let mut server = Server::with_key(&["--json", "--max-connections", "2"]);
    for (minor, suite) in [(0, [0, 0x2f]), (3, [0, 0x0a])] {
        let body = [&[3, minor][..], &[7; 32], &[0, 0, 2], &suite, &[1, 0]].concat();
        let len = u8::try_from(body.len()).unwrap();
        let hello = [&[22, 3, minor, 0, len + 4, 1, 0, 0, len][..], &body].concat();
        let mut stream = server.connect();
        stream.write_all(&hello).unwrap();
        stream.read_to_end(&mut Vec::new()).expect("an alert and the end");
    }
    assert_eq!(server.wait().code(), Some(0));
    let mut advice: Vec<String> = (&mut server.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["advice"].to_string())
        .collect();
    advice.sort();
    assert!(advice[0].contains("--allow-ssl3"), "{advice:?}");
    assert!(advice[1].contains("--suites default,legacy"), "{advice:?}");
}

#[cfg(unix)]
#[test]
fn a_signal_closes_open_connections_and_stops_the_server() {
    for signal in ["-INT", "-TERM"] {
        let mut server = Server::with_key(&["--threads", "2", "--timeout", "600"]);
        let (mut closes, stays_open) = (server.connect(), server.connect());
        // Served after the others, so they have been accepted.
        refusal(&server);
        server.signal(signal);
        let start = Instant::now();
        let mut received = Vec::new();
        closes.read_to_end(&mut received).expect("the end, not a reset");
        assert_eq!(received, [21, 3, 1, 0, 2, 1, 0], "the warning close_notify");
        assert_eq!(server.wait().code(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        drop(stays_open);
    }
}

#[cfg(unix)]
#[test]
fn a_signal_ends_an_established_connection_with_close_notify() {
    if !is_installed("openssl") {
        return;
    }
    let mut server = Server::with_key(&["--json"]);
    let client = Command::new("openssl")
        .args(["s_client", "-connect", &server.address, "-tls1_2", "-cipher", "AES128-SHA"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the client starts");
    assert_eq!(server.event()["event"], "established");
    server.signal("-TERM");
    let event = server.event();
    assert_eq!((&event["event"], &event["reason"]), (&"ended".into(), &"closed".into()));
    assert_eq!(server.wait().code(), Some(0));
    let output = client.wait_with_output().expect("the client ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !errors.contains("unexpected eof"), "{errors}");
}

/// `sslprov` with so many file descriptors.
#[cfg(unix)]
fn with_descriptors(limit: u32) -> Command {
    let mut shell = Command::new("sh");
    for (variable, _) in command().get_envs() {
        shell.env_remove(variable);
    }
    shell.arg("-c").arg(format!("ulimit -n {limit}; exec \"$0\" \"$@\""));
    shell.arg(command().get_program());
    shell
}

#[cfg(unix)]
#[test]
fn idle_clients_make_room_when_descriptors_run_out() {
    for report in [&[][..], &["--json"]] {
        let arguments = [&["--threads", "2", "--timeout", "600"], report].concat();
        let server = Server::spawn_with_key(with_descriptors(40), &arguments, Stdio::piped());
        let mut server = server.expect("it listens");
        let idle: Vec<_> = (0..60).map(|_| server.connect()).collect();
        let start = Instant::now();
        assert_eq!(refusal(&server), [21, 3, 1, 0, 2, 2, 10]);
        // A handshake may take ten seconds while there is room.
        assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
        drop(idle);
        server.signal("-TERM");
        assert_eq!(server.wait().code(), Some(0));
        let mut output = String::new();
        server.child.stderr.take().expect("it is a pipe").read_to_string(&mut output).unwrap();
        assert_eq!(output.is_empty(), !report.is_empty(), "{output}");
        server.stdout.read_to_string(&mut output).unwrap();
        assert_eq!(output.matches("cannot accept").count(), 1, "{output}");
        assert_eq!(output.matches("ulimit -n").count(), 1, "{output}");
    }
}

#[cfg(unix)]
#[test]
fn a_limit_of_descriptors_is_refused_at_start_or_leaves_room_for_a_client() {
    let (mut served, mut refused) = (0, 0);
    for limit in 6..40 {
        let arguments = ["--threads", "2", "--once"];
        match Server::spawn_with_key(with_descriptors(limit), &arguments, Stdio::piped()) {
            Ok(mut server) => {
                assert_eq!(refusal(&server), [21, 3, 1, 0, 2, 2, 10], "{limit}");
                assert_eq!(server.wait().code(), Some(0), "{limit}");
                served += 1;
            }
            Err(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{limit}: {errors}");
                assert!(errors.contains("ulimit -n"), "{limit}: {errors}");
                refused += 1;
            }
        }
    }
    assert!(served > 0 && refused > 0, "{served} {refused}");
}

#[test]
fn key_and_certificate_of_a_pkcs12_file_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let word = folder.path().join("word");
    fs::write(&word, "test\n").unwrap();
    let (store, word) = (key("server-2048.p12"), word.to_str().unwrap());
    let files = ["--key", store.to_str().unwrap(), "--key-password-file", word];
    let server = Server::start(&files);
    if is_installed("openssl") {
        let arguments = ["-tls1_2", "-cipher", "AES128-SHA", "-showcerts"];
        let printed = s_client(&server, &arguments);
        let pem = fs::read_to_string(key("server-2048.cert.pem")).unwrap();
        assert!(printed.contains(pem.trim()), "{printed}");
        page(&printed);
    }
}

#[test]
fn a_key_for_signatures_alone_is_served_with_ephemeral_keys_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.der");
    let plain = fs::read(key("server-2048.der")).unwrap();
    fs::write(&file, with_key_usage(&plain, 0x80)).unwrap();
    let cert = key("server-2048.cert.pem");
    let files = ["--key", file.to_str().unwrap(), "--cert", cert.to_str().unwrap()];
    let run = sslprov([&["serve", "--listen", "127.0.0.1:0"], &files[..]].concat());
    run.expect_code(2).expect_stderr("key.der: ").expect_stderr("key usage");
    for name in backends_with_ephemeral_keys() {
        let options = ["--backend", name, "--key-exchange", "ecdhe"];
        let server = Server::start(&[&files[..], &options].concat());
        if is_installed("openssl") {
            let page = page(&s_client(&server, &["-tls1_2"]));
            assert_eq!(page["suite"], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "{name}");
        }
    }
}

#[test]
fn files_and_options_that_do_not_match_are_errors() {
    let (server, other) = (key("server-2048.pem"), key("other-2048.cert.pem"));
    let (server, other) = (server.to_str().unwrap(), other.to_str().unwrap());
    let serve = |arguments: &[&str]| {
        sslprov([&["serve", "--listen", "127.0.0.1:0"], arguments].concat()).expect_code(2)
    };
    let other_key = format!("{other}: the first certificate does not match the private key");
    serve(&["--key", server, "--cert", other]).expect_stderr(&format!("{other_key} {server}\n"));
    let advice = "has no certificate; add one with --cert, or omit --key to have both generated";
    serve(&["--key", server]).expect_stderr(advice);
    let empty = format!("{server}: no certificate in PEM or PKCS#12\n");
    serve(&["--key", server, "--cert", server]).expect_stderr(&format!("--cert {empty}"));
    serve(&["--keylog", "/no/such/file"])
        .expect_stderr("--keylog /no/such/file: cannot be written: ");
    serve(&["--cert", other]).expect_stderr("--key");
    let tells_no_key = |run: Run| {
        assert!(!run.stderr.contains("generated a 2048-bit key"), "{}", run.stderr);
    };
    let run = serve(&["--suites", "0x0007"]).expect_stderr("see `sslprov suites`");
    tells_no_key(run.expect_stderr("suites: none that the versions"));
    for (arguments, text) in [
        (
            &["--suites", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"][..],
            "--suites: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 needs --key-exchange ecdhe\n",
        ),
        (
            &["--suites", "legacy", "--key-exchange", "ecdhe"],
            "--suites: legacy needs --key-exchange rsa\n",
        ),
        (&["--versions", "tls1.2,dtls1.2"], "this server speaks SSL 3.0 to TLS 1.3"),
    ] {
        let run = serve(arguments).expect_stderr(text);
        assert!(!run.stderr.contains("sslprov suites"), "{}", run.stderr);
        tells_no_key(run);
    }
    let ec = key("ec-p256.pem");
    let ec = ec.to_str().unwrap();
    serve(&["--ecdsa-key", ec]).expect_stderr("add --key-exchange ecdhe,rsa");
    let with_ecdhe = ["--key-exchange", "ecdhe,rsa", "--ecdsa-key"];
    serve(&[&with_ecdhe[..], &[server]].concat()).expect_stderr("found an RSA key");
    let run =
        serve(&[&with_ecdhe[..], &[ec]].concat()).expect_stderr("add one with --ecdsa-cert\n");
    assert!(!run.stderr.contains("omit --key"), "{}", run.stderr);
    serve(&[&with_ecdhe[..], &[ec, "--ecdsa-cert", other]].concat())
        .expect_stderr(&format!("{other_key} {ec}\n"));
    serve(&[&with_ecdhe[..], &[ec, "--ecdsa-cert", server]].concat())
        .expect_stderr(&format!("--ecdsa-cert {empty}"));
    serve(&["--alpn", ""]).expect_stderr("1 to 255 bytes");
    serve(&["--versions", "ssl3"]).expect_stderr("--allow-ssl3");
    for bad in ["localhost", "4433", "127.0.0.1:x"] {
        let run = sslprov(["serve", "--listen", bad]).expect_code(2);
        tells_no_key(run.expect_stderr("expected ADDRESS:PORT"));
    }
    serve(&["--timeout", "5", "--handshake-timeout", "10"])
        .expect_stderr("--handshake-timeout 10 is above --timeout 5\n");
    serve(&["--backend", "all"]).expect_stderr("one backend");
    for option in ["--timeout", "--handshake-timeout", "--max-connections", "--threads"] {
        serve(&[option, "0"]).expect_stderr("0 is not in 1..");
    }
    let help = sslprov(["serve", "--help"]).expect_code(0).stdout;
    assert!(help.contains("--backend <NAME>") && !help.contains("`all`"), "{help}");
    let taken = Server::with_key(&[]);
    let run = sslprov(["serve", "--listen", &taken.address]).expect_code(2);
    tells_no_key(run.expect_stderr("--listen").expect_stderr("cannot bind the address"));
}

#[test]
fn the_wait_for_a_batch_has_a_limit_and_needs_multi_buffer_rsa() {
    for wrong in [&["--batch-wait", "1001"][..], &["--batch-wait", "5", "--no-multi-buffer"]] {
        sslprov([&["serve", "--listen", "127.0.0.1:0", "--once"], wrong].concat()).expect_code(2);
    }
    if !is_installed("openssl") {
        return;
    }
    for wait in ["0", "1000"] {
        let server = Server::with_key(&["--batch-wait", wait]);
        thread::scope(|scope| {
            let clients: Vec<_> = (0..12)
                .map(|_| scope.spawn(|| s_client(&server, &["-tls1_2", "-cipher", "AES128-SHA"])))
                .collect();
            for client in clients {
                assert_eq!(page(&client.join().unwrap())["resumed"], false, "{wait}");
            }
        });
    }
}
