//! A client of today: TLS 1.2 or 1.3 by rustls. It trusts any certificate.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// A connection.
pub(crate) struct ModernClient {
    stream: TcpStream,
    connection: ClientConnection,
}

impl ModernClient {
    /// Connects and completes the handshake.
    pub(crate) fn connect(
        address: &str,
        version: &'static rustls::SupportedProtocolVersion,
    ) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[version])
            .expect("the version is known")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
            .with_no_client_auth();
        let name = ServerName::try_from("proxy.test").expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a connection");
        let mut client = Self { stream, connection };
        while client.connection.is_handshaking() {
            client.connection.complete_io(&mut client.stream)?;
        }
        Ok(client)
    }

    pub(crate) fn write(&mut self, data: &[u8]) -> io::Result<()> {
        rustls::Stream::new(&mut self.connection, &mut self.stream).write_all(data)
    }

    /// Sends `close_notify` and closes this side of the socket.
    pub(crate) fn close_write(&mut self) {
        self.connection.send_close_notify();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.stream).expect("it is sent");
        }
        self.stream.shutdown(Shutdown::Write).expect("it is open");
    }

    pub(crate) fn read_exact(&mut self, data: &mut [u8]) -> io::Result<()> {
        rustls::Stream::new(&mut self.connection, &mut self.stream).read_exact(data)
    }

    /// Reads until `close_notify`; fails where that is missing.
    pub(crate) fn read_to_end(&mut self) -> io::Result<Vec<u8>> {
        let mut data = Vec::new();
        rustls::Stream::new(&mut self.connection, &mut self.stream).read_to_end(&mut data)?;
        Ok(data)
    }
}

#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
