//! The client of this crate: one full handshake after another, for `xtask handshakes`.
//!
//! It does what `openssl s_time -new` does: it checks the server's signature, trusts any
//! certificate, and closes the socket once it has the server's Finished. In TLS 1.3, where that is
//! not the end, it sends close_notify with its Finished and reads to the end of the stream, so that
//! each server does all that it does for a client. Prints the handshakes as `openssl s_time` does.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssl_provider::{
    CipherSuite, FfdheGroup, HybridGroup, NamedCurve, ProtocolVersion, Provider, backend,
};
use ssl_provider_lab::NamedGroup;
use ssl_provider_lab::client::{
    ClientConnection, ClientOptions, ClientSettings, Distrust, VerifyServer,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (arguments, tickets) = match arguments.split_last() {
        Some((last, rest)) if last == "tickets" => (rest, true),
        _ => (&arguments[..], false),
    };
    let [address, seconds, backend, suite, group] = arguments else {
        eprintln!("usage: connect ADDRESS SECONDS BACKEND SUITE GROUP [tickets]");
        eprintln!("such as 0xc02b and 23 for TLS 1.2, 0x1301 and 29 for TLS 1.3");
        return ExitCode::from(2);
    };
    match run(address, seconds, backend, suite, group, tickets) {
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

fn run(
    address: &str,
    seconds: &str,
    backend_name: &str,
    suite: &str,
    group: &str,
    tickets: bool,
) -> Fallible<String> {
    let suite = CipherSuite(u32::from_str_radix(suite.trim_start_matches("0x"), 16)?);
    let version = match suite.info().ok_or("an unknown suite")?.allows(ProtocolVersion::TLS1_3) {
        true => ProtocolVersion::TLS1_3,
        false => ProtocolVersion::TLS1_2,
    };
    let options = ClientOptions {
        versions: version..=version,
        suites: vec![suite],
        groups: vec![named_group(group.parse()?).ok_or("an unknown group")?],
        session_tickets: tickets,
        ..ClientOptions::default()
    };
    let provider = Provider::open(backend(backend_name)?);
    let settings = ClientSettings::new(provider, options, Box::new(TrustAll), None, None)?;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds.parse()?);
    let mut handshakes = 0_u64;
    let mut buffer = vec![0; 16 << 10];
    while Instant::now() < end {
        let (mut connection, mut stream) = handshake(address, &settings, &mut buffer)?;
        if version == ProtocolVersion::TLS1_3 {
            close(&mut connection, &mut stream, &mut buffer)?;
        }
        handshakes += 1;
    }
    Ok(format!("{handshakes} connections in {:.2}s", start.elapsed().as_secs_f64()))
}

fn named_group(number: u16) -> Option<NamedGroup> {
    let curve = NamedCurve::from_wire(number).map(NamedGroup::Curve);
    curve
        .or_else(|| FfdheGroup::from_wire(number).map(NamedGroup::FiniteField))
        .or_else(|| HybridGroup::from_wire(number).map(NamedGroup::Hybrid))
}

fn handshake(
    address: &str,
    settings: &Arc<ClientSettings>,
    buffer: &mut [u8],
) -> Fallible<(ClientConnection, TcpStream)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut connection = ClientConnection::new(Arc::clone(settings), None, None)?;
    while connection.established().is_none() {
        stream.write_all(connection.output())?;
        connection.sent(connection.output().len());
        let len = stream.read(buffer)?;
        if len == 0 {
            return Err("the server closed".into());
        }
        connection.receive(buffer.get(..len).unwrap_or_default());
        if let Some(ending) = connection.ending() {
            return Err(format!("{ending:?}, {:?}", connection.fault()).into());
        }
    }
    Ok((connection, stream))
}

/// Sends Finished and close_notify, and reads what the server sends after its Finished.
fn close(
    connection: &mut ClientConnection,
    stream: &mut TcpStream,
    buffer: &mut [u8],
) -> Fallible<()> {
    connection.close();
    stream.write_all(connection.output())?;
    connection.sent(connection.output().len());
    stream.shutdown(Shutdown::Write)?;
    while stream.read(buffer)? > 0 {}
    Ok(())
}

/// Trusts any certificate, as `openssl s_time` does unless told otherwise.
#[derive(Debug)]
struct TrustAll;

impl VerifyServer for TrustAll {
    fn verify(&self, _chain: &[Vec<u8>], _server_name: Option<&str>) -> Result<(), Distrust> {
        Ok(())
    }
}
