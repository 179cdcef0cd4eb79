//! The server on rustls and AWS-LC.

use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::version::TLS13;
use rustls::{ServerConfig, ServerConnection};

use crate::{Fallible, Server};

#[derive(Debug)]
pub(crate) struct Rustls(Arc<ServerConfig>);

impl Rustls {
    /// Takes a key and its certificate in PEM, and how many tickets clients are sent.
    pub(crate) fn new(key: &Path, certificate: &Path, tickets: usize) -> Fallible<Self> {
        let certificates = CertificateDer::pem_file_iter(certificate)?.collect::<Result<_, _>>()?;
        let mut config = ServerConfig::builder_with_provider(default_provider().into())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
        // Sealed tickets, as all others send, and no memory of sessions.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = tickets;
        if tickets > 0 {
            config.ticketer = Ticketer::new()?;
        }
        Ok(Self(Arc::new(config)))
    }
}

impl Server for Rustls {
    fn serve(&self, mut stream: TcpStream) -> Fallible<()> {
        let mut connection = ServerConnection::new(Arc::clone(&self.0))?;
        loop {
            while connection.wants_write() {
                connection.write_tls(&mut stream)?;
            }
            if connection.read_tls(&mut stream)? == 0 {
                return Err("the client closed without close_notify".into());
            }
            if connection.process_new_packets()?.peer_has_closed() {
                break;
            }
        }
        connection.send_close_notify();
        while connection.wants_write() {
            connection.write_tls(&mut stream)?;
        }
        Ok(())
    }
}
