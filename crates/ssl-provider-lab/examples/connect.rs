//! The client of this crate: one full TLS 1.2 handshake after another, for `xtask handshakes`.
//!
//! It does what `openssl s_time -new` does: it checks the server's signature, trusts any
//! certificate, and closes the socket once it has the server's Finished. Prints the handshakes as
//! `openssl s_time` does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ssl_provider::{CipherSuite, FfdheGroup, NamedCurve, ProtocolVersion, Provider, backend};
use ssl_provider_lab::NamedGroup;
use ssl_provider_lab::client::{
    ClientConnection, ClientOptions, ClientSettings, Distrust, VerifyServer,
};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, seconds, backend, suite, group] = &arguments[..] else {
        eprintln!("usage: connect ADDRESS SECONDS BACKEND SUITE GROUP, such as 0xc02b and 23");
        return ExitCode::from(2);
    };
    match run(address, seconds, backend, suite, group) {
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
) -> Fallible<String> {
    let suite = u32::from_str_radix(suite.trim_start_matches("0x"), 16)?;
    let options = ClientOptions {
        versions: ProtocolVersion::TLS1_2..=ProtocolVersion::TLS1_2,
        suites: vec![CipherSuite(suite)],
        groups: vec![named_group(group.parse()?).ok_or("an unknown group")?],
        session_tickets: false,
        ..ClientOptions::default()
    };
    let provider = Provider::open(backend(backend_name)?);
    let settings = ClientSettings::new(provider, options, Box::new(TrustAll), None, None)?;
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds.parse()?);
    let mut handshakes = 0_u64;
    let mut buffer = vec![0; 16 << 10];
    while Instant::now() < end {
        handshake(address, &settings, &mut buffer)?;
        handshakes += 1;
    }
    Ok(format!("{handshakes} connections in {:.2}s", start.elapsed().as_secs_f64()))
}

fn named_group(number: u16) -> Option<NamedGroup> {
    let curve = NamedCurve::from_wire(number).map(NamedGroup::Curve);
    curve.or_else(|| FfdheGroup::from_wire(number).map(NamedGroup::FiniteField))
}

fn handshake(address: &str, settings: &Arc<ClientSettings>, buffer: &mut [u8]) -> Fallible<()> {
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
