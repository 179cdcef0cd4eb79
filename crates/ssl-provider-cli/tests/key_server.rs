//! `sslprov key-server` as a process: `serve` and other programs use its keys, nobody reads its
//! memory, and it can be killed and restarted while they do.
#![cfg(target_os = "linux")]
#![cfg(any(feature = "aws-lc", feature = "openssl", feature = "rustcrypto", feature = "ring"))]
// A test that cannot continue panics.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ssl_provider::{Error, PrivateKey, Provider, default_backend};
use ssl_provider_cli::key_file::{PasswordArgs, read_key};
use ssl_provider_remote::KeyServer;
use ssl_provider_testkit::bytes::Rng;
use ssl_provider_testkit::diagnostics::not_tested;
use ssl_provider_testkit::exchange::{Exchange, POLICY};
use ssl_provider_testkit::rsa_key::TestKey;

use common::server::{Server, is_installed, run_client};
use common::{command, key, sslprov};

const LONG_ENOUGH: Duration = Duration::from_secs(20);
const KEY: &str = "server-2048.pem";
const CERTIFICATE: &str = "server-2048.cert.pem";

/// Starts a server that listens.
fn start_server(command: Command) -> Server {
    Server::start_command(command).expect("it listens")
}

impl Server {
    fn key_server(socket: &Path, arguments: &[&str]) -> Self {
        let mut sslprov = command();
        sslprov.args(["key-server", "--key"]).arg(key(KEY)).arg("--listen").arg(socket);
        sslprov.args(arguments);
        start_server(sslprov)
    }

    fn serve(socket: &Path, arguments: &[&str]) -> Self {
        let mut sslprov = command();
        sslprov
            .args(["serve", "--listen", "127.0.0.1:0", "--quiet", "--cert"])
            .arg(key(CERTIFICATE));
        sslprov.arg("--key-server").arg(socket).args(arguments);
        start_server(sslprov)
    }
}

fn folder_and_socket() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("keys.sock");
    (folder, socket)
}

fn s_client(address: &str, arguments: &[&str]) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", address, "-ign_eof"]).args(arguments);
    run_client(client, b"GET /plain HTTP/1.0\r\n\r\n")
}

#[test]
fn clients_of_the_lab_server_do_not_notice_where_the_key_is() {
    let (_folder, socket) = folder_and_socket();
    for (batches, extension) in
        [(&["--no-multi-buffer"][..], &["--no-ems"][..]), (&["--batch-wait", "50"], &[])]
    {
        let key_server = Server::key_server(&socket, batches);
        assert_eq!(Path::new(&key_server.address), socket);
        let serve = Server::serve(&socket, extension);
        if is_installed("openssl") {
            for (version, cipher) in [
                ("-tls1", "AES128-SHA"),
                ("-tls1_1", "AES256-SHA"),
                ("-tls1_2", "AES128-SHA"),
                ("-tls1_2", "AES256-GCM-SHA384"),
            ] {
                let cipher = format!("{cipher}:@SECLEVEL=0");
                let page = s_client(&serve.address, &[version, "-cipher", &cipher]);
                assert!(page.contains("Cipher suite: TLS_RSA_WITH_AES"), "{version}: {page}");
            }
        }
        if is_installed("curl") {
            let mut client = Command::new("curl");
            client.args(["-sk", "--tlsv1.0", "--tls-max", "1.2"]);
            client.args(["--ciphers", "kRSA:@SECLEVEL=0"]);
            client.arg(format!("https://{}/plain", serve.address));
            let page = run_client(client, b"");
            assert!(page.contains("Version: TLS 1.2\n"), "{page}");
        }
    }
}

fn local_and_remote(socket: &Path) -> (Provider, PrivateKey, PrivateKey) {
    let provider = Provider::open(default_backend().unwrap()).with_policy(POLICY);
    let der = read_key(&key(KEY), &PasswordArgs::default().password().unwrap()).unwrap().der;
    let local = provider.load_private_key(&der).unwrap();
    let server = KeyServer::at(socket).with_time_limit(LONG_ENOUGH);
    let remote = server.private_key(&provider, local.modulus()).unwrap();
    (provider, local, remote)
}

#[test]
fn killed_and_restarted_under_load_it_fails_calls_cleanly_and_then_serves_again() {
    let (_folder, socket) = folder_and_socket();
    let mut key_server = Server::key_server(&socket, &["--quiet"]);
    let serve = Server::serve(&socket, &[]);
    let (provider, local, remote) = local_and_remote(&socket);
    let (ended, imported, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let load = |seed| {
        let (mut rng, exchange) = (Rng::new(seed), Exchange::tls1_2());
        let test_key = TestKey::from_der("server", &read_der());
        while !ended.load(Ordering::Relaxed) {
            let (_, ciphertext) = exchange.encrypted(&test_key, &mut rng);
            let expected = exchange.imported_secret(&provider, &local, &ciphertext);
            match exchange.import(&provider, &remote, &ciphertext) {
                Ok(key) => {
                    assert_eq!(*key.secret_for_key_log().unwrap().expose(), expected);
                    imported.fetch_add(1, Ordering::Relaxed);
                }
                Err(Error::Unavailable(_)) => _ = failed.fetch_add(1, Ordering::Relaxed),
                Err(other) => panic!("{other}"),
            }
        }
    };
    let grows = |counter: &AtomicU64, what: &str| {
        let (before, start) = (counter.load(Ordering::Relaxed), Instant::now());
        while counter.load(Ordering::Relaxed) < before + 20 {
            assert!(start.elapsed() < LONG_ENOUGH, "no {what}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    /// Ends the load also when the test fails, else its threads would go on.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let handshake = || s_client(&serve.address, &["-tls1_2", "-cipher", "AES128-SHA"]);
    let has_openssl = is_installed("openssl");
    thread::scope(|scope| {
        let _end = End(&ended);
        for seed in 0..4 {
            let load = &load;
            scope.spawn(move || load(seed));
        }
        for _ in 0..3 {
            grows(&imported, "imports");
            key_server.signal("-KILL");
            assert_eq!(key_server.wait().code(), None);
            grows(&failed, "failures");
            assert!(socket.exists(), "it could not remove its socket");
            if has_openssl {
                let refused = handshake();
                assert!(refused.contains("alert internal error"), "{refused}");
            }
            key_server = Server::key_server(&socket, &["--quiet"]);
            grows(&imported, "imports after the restart");
            let failures = failed.load(Ordering::Relaxed);
            grows(&imported, "imports after the restart");
            assert_eq!(failed.load(Ordering::Relaxed), failures, "new calls fail");
            if has_openssl {
                let page = handshake();
                assert!(page.contains("Cipher suite: TLS_RSA_WITH_AES"), "{page}");
            }
        }
    });
}

fn read_der() -> Vec<u8> {
    let password = PasswordArgs::default().password().unwrap();
    read_key(&key(KEY), &password).unwrap().der.to_vec()
}

#[test]
fn signals_end_it_and_remove_the_socket() {
    let (_folder, socket) = folder_and_socket();
    for signal in ["-TERM", "-INT"] {
        let mut key_server = Server::key_server(&socket, &["--quiet"]);
        let metadata = fs::symlink_metadata(&socket).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        // With a connection that is open.
        let _remote = local_and_remote(&socket);
        key_server.signal(signal);
        assert_eq!(key_server.wait().code(), Some(0));
        assert!(!socket.exists());
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_advice() {
    let (folder, socket) = folder_and_socket();
    let (key, socket_name) = (key(KEY), socket.display().to_string());
    let key = key.to_str().unwrap();
    let start = |listen: &str, more: &[&str]| {
        sslprov([&["key-server", "--key", key, "--listen", listen], more].concat()).expect_code(2)
    };
    let _running = Server::key_server(&socket, &["--quiet"]);
    start(&socket_name, &[]).expect_stderr("another process listens");
    assert!(socket.exists());
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    start(file.to_str().unwrap(), &[]).expect_stderr("not a socket");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    start("/nowhere/keys.sock", &[]).expect_stderr("create its directory");
    start(&socket_name, &["--key", key]).expect_stderr("given twice");

    let serve = |socket: &str, more: &[&str]| {
        let fixed = ["serve", "--listen", "127.0.0.1:0", "--key-server", socket];
        sslprov([&fixed[..], more].concat()).expect_code(2)
    };
    let certificate = common::key(CERTIFICATE);
    let certificate = ["--cert", certificate.to_str().unwrap()];
    let other = common::key("client-2048.cert.pem");
    serve(&socket_name, &[]).expect_stderr("--cert");
    serve("/nowhere/keys.sock", &certificate).expect_stderr("is `sslprov key-server` running?");
    let other = other.to_str().unwrap();
    serve(&socket_name, &["--cert", other])
        .expect_stderr(&format!("the key server does not have the key of --cert {other}\n"));
    let ec = common::key("ec-p256.cert.pem");
    serve(&socket_name, &["--cert", ec.to_str().unwrap()]).expect_stderr("has no RSA key");
    serve(&socket_name, &["--cert", key]).expect_stderr("no certificate in PEM or PKCS#12");
    for (exchanges, named) in [("ecdhe,rsa", "ecdhe"), ("rsa,dhe", "dhe")] {
        let text = format!(
            "--key-exchange {named}: a key server does not sign; use --key, or rsa alone\n"
        );
        serve(&socket_name, &[&certificate[..], &["--key-exchange", exchanges]].concat())
            .expect_stderr(&text);
    }
    for (option, command) in [("--allow-uid", "`id -u NAME`"), ("--allow-gid", "`getent group")] {
        let text = format!("expected a number such as 33; {command}");
        start(&socket_name, &[option, "www-data"]).expect_stderr(&text);
    }
    let by_name = [&certificate[..], &["--key-server-uid", "www-data"]].concat();
    serve(&socket_name, &by_name).expect_stderr("`id -u NAME` prints it");
    let both = [&certificate[..], &["--key", key]].concat();
    serve(&socket_name, &both).expect_stderr("cannot be used with");
}

#[test]
fn who_is_not_served_is_disconnected_and_reported() {
    let (_folder, socket) = folder_and_socket();
    let mut key_server = Server::key_server(&socket, &["--json", "--max-connections", "1"]);
    let (_provider, _, _remote) = local_and_remote(&socket);
    let refused = KeyServer::at(&socket).public_keys().unwrap_err().to_string();
    assert!(refused.contains("--allow-uid"), "{refused}");
    let event = key_server.event();
    assert_eq!(event["event"], "full");
    assert_eq!(event["pid"], std::process::id());
    assert!(event["detail"].as_str().unwrap().contains("--max-connections"), "{event}");
}

/// A user that is not the one of the tests: nobody.
const NOBODY: u32 = 65534;

/// A command of another user than that of the tests, where they may switch to one, with a copy of
/// the program that every user can reach; else `None`, with a warning.
fn of_nobody(folder: &Path) -> Option<Command> {
    if fs::metadata("/proc/self").map(|it| std::os::unix::fs::MetadataExt::uid(&it)).unwrap() != 0 {
        not_tested("key servers of several users", "this needs root");
        return None;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.join("sslprov");
    if !program.exists() {
        // By another process: a child that a thread of this one forks would hold a file that this
        // one writes, and a program that is open for writing cannot be started.
        let copy = Command::new("cp").arg(env!("CARGO_BIN_EXE_sslprov")).arg(&program).status();
        assert!(copy.unwrap().success());
        fs::copy(key(KEY), folder.join(KEY)).unwrap();
        fs::set_permissions(folder.join(KEY), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let mut command = Command::new(program);
    command.uid(NOBODY).gid(NOBODY).env_remove("SSL_PROVIDER_BACKEND").current_dir("/");
    Some(command)
}

#[test]
fn other_users_are_refused_on_both_sides_unless_they_are_named() {
    let (folder, socket) = folder_and_socket();
    let start = |arguments: &[&str]| {
        let mut sslprov = of_nobody(folder.path())?;
        sslprov.args(["key-server", "--quiet", "--key"]).arg(folder.path().join(KEY));
        sslprov.arg("--listen").arg(&socket).args(arguments);
        Some(start_server(sslprov))
    };
    let Some(mut key_server) = start(&[]) else { return };
    // The other way round: its own socket is closed to others.
    let own = folder.path().join("own.sock");
    let _own = Server::key_server(&own, &["--quiet"]);
    let mut serve = of_nobody(folder.path()).unwrap();
    fs::copy(key(CERTIFICATE), folder.path().join("cert.pem")).unwrap();
    fs::set_permissions(folder.path().join("cert.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--cert"]).arg(folder.path().join("cert.pem"));
    let refused = serve.arg("--key-server").arg(&own).output().unwrap();
    let refused = String::from_utf8(refused.stderr).unwrap();
    let text = "this user may not connect: see --allow-uid of sslprov key-server";
    assert!(refused.contains(text) && !refused.contains("running?"), "{refused}");
    // Root opens the socket in spite of its mode, and does not trust what it reaches.
    let server = KeyServer::at(&socket);
    let refused = server.public_keys().unwrap_err().to_string();
    assert!(refused.contains("runs as user 65534"), "{refused}");
    let server = server.trusting([NOBODY]);
    let refused = server.public_keys().unwrap_err().to_string();
    assert!(refused.contains("does not serve this user"), "{refused}");
    for option in ["--allow-uid", "--allow-gid"] {
        key_server.signal("-TERM");
        key_server.wait();
        key_server = start(&[option, "0"]).unwrap();
        assert_eq!(server.public_keys().unwrap().len(), 1, "{option}");
        let mode = fs::symlink_metadata(&socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o666, "{option}");
    }
    let certificate = key(CERTIFICATE);
    let serve = |more: &[&str]| {
        let fixed = ["serve", "--once", "--listen", "127.0.0.1:0", "--cert"];
        let rest = ["--key-server", socket.to_str().unwrap()];
        let fixed = [&fixed[..], &[certificate.to_str().unwrap()], &rest].concat();
        [fixed, more.to_vec()].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    sslprov(serve(&[]))
        .expect_code(2)
        .expect_stderr("runs as user 65534, who is not trusted; --key-server-uid 65534 trusts it");
    let mut trusting = command();
    trusting.args(serve(&["--key-server-uid", "65534"]));
    assert!(start_server(trusting).address.starts_with("127.0.0.1:"));
}

#[test]
fn other_processes_of_the_same_user_cannot_read_its_memory() {
    let (folder, socket) = folder_and_socket();
    let command = of_nobody(folder.path());
    // Where the tests are not run by root, they are that other process themselves.
    let mut sslprov = command.unwrap_or_else(common::command);
    let key_file = folder.path().join(KEY);
    let key_file = if key_file.exists() { key_file } else { key(KEY) };
    sslprov.args(["key-server", "--quiet", "--key"]).arg(key_file);
    let key_server = start_server({
        sslprov.arg("--listen").arg(&socket);
        sslprov
    });
    let spy = |pid: u32| {
        let mut spy = Command::new("cat");
        if folder.path().join("sslprov").exists() {
            spy.uid(NOBODY).gid(NOBODY);
        }
        let output = spy.arg(format!("/proc/{pid}/environ")).current_dir("/").output().unwrap();
        output.status.success()
    };
    assert!(!spy(key_server.child.id()), "its memory can be read");
    // The control: a process without that protection.
    let mut other = Command::new("sleep");
    if folder.path().join("sslprov").exists() {
        other.uid(NOBODY).gid(NOBODY);
    }
    let mut other = other.arg("20").current_dir("/").spawn().unwrap();
    // It is protected until it has executed the program.
    let start = Instant::now();
    while !spy(other.id()) {
        assert!(start.elapsed() < LONG_ENOUGH, "nothing can be read: the control fails");
        thread::sleep(Duration::from_millis(10));
    }
    other.kill().unwrap();
    other.wait().unwrap();
}
