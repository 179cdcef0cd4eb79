//! A TLS 1.3 server of another library, for `cargo xtask handshakes`. It performs one handshake
//! after another on blocking sockets, which costs the least system calls, and waits for the
//! client's close_notify.

mod openssl;
mod rustls;

use std::fmt;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [library, key, certificate, tickets] = &arguments[..] else {
        eprintln!("usage: handshake-peer rustls|openssl KEY CERTIFICATE TICKETS");
        return ExitCode::from(2);
    };
    match run(library, Path::new(key), Path::new(certificate), tickets) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("handshake-peer: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(library: &str, key: &Path, certificate: &Path, tickets: &str) -> Fallible<()> {
    let tickets: usize =
        tickets.parse().map_err(|_| format!("TICKETS: expected a number, got `{tickets}`"))?;
    let server: Box<dyn Server> = match library {
        "rustls" => Box::new(rustls::Rustls::new(key, certificate, tickets)?),
        "openssl" => Box::new(openssl::OpenSsl::new(key, certificate, tickets)?),
        _ => return Err(format!("no library `{library}`; choose rustls or openssl").into()),
    };
    serve(&TcpListener::bind("127.0.0.1:0")?, server.as_ref())
}

/// A server of a library.
trait Server: fmt::Debug {
    /// Serves a client: handshake, tickets, and close_notify of both sides.
    ///
    /// # Errors
    ///
    /// Those of the client or its socket.
    fn serve(&self, stream: TcpStream) -> Fallible<()>;
}

fn serve(listener: &TcpListener, server: &dyn Server) -> Fallible<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "listening on {}", listener.local_addr()?)?;
    output.flush()?;
    loop {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // What becomes of a connection is the client's to say.
        if let Err(error) = server.serve(stream) {
            eprintln!("handshake-peer: {error}");
        }
    }
}

/// How long a client may take for a flight.
const PATIENCE: Duration = Duration::from_secs(20);
