//! The rustls peer of the interoperability matrix. `../../README.md` describes input and output.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use interop_peer::{Cell, EXPORT_LABEL, EXPORT_LEN, HOST, MAX_EARLY_DATA, Peer, group, hex};
use interop_peer::{tell_export, tell_secret};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite, kx_group};
use rustls::crypto::{
    CryptoProvider, SupportedKxGroup, WebPkiSupportedAlgorithms, verify_tls12_signature,
    verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::version::TLS13;
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, DistinguishedName, Error,
    KeyLog, ServerConfig, ServerConnection, SignatureScheme, SupportedCipherSuite,
};

const SUITES: [(u16, SupportedCipherSuite); 3] = [
    (0x1301, suite::TLS13_AES_128_GCM_SHA256),
    (0x1302, suite::TLS13_AES_256_GCM_SHA384),
    (0x1303, suite::TLS13_CHACHA20_POLY1305_SHA256),
];

fn main() -> Result<()> {
    interop_peer::run::<Rustls>(VERSION)
}

/// Of the crate, which does not tell it; the manifest of this one asks for it.
const VERSION: &str = "0.23";

/// Client or server, for the connections of a cell.
#[derive(Debug)]
enum Config {
    Client(Arc<ClientConfig>),
    Server(Arc<ServerConfig>),
}

#[derive(Debug)]
struct Rustls {
    config: Config,
    updates_keys: bool,
}

/// Believes one certificate, or any.
#[derive(Debug)]
struct Believe {
    only: Option<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Believe {
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
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Believe {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.only.as_ref() == Some(certificate) {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(Error::General("not the certificate of the cell".into())),
        }
    }

    // Signatures are verified as those of a server are.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}

#[derive(Debug)]
struct Lines;

impl KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        tell_secret(&format!("{label} {} {}", hex(client_random), hex(secret)));
    }
}

fn certificate(cell: &Cell, name: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(&cell.certificate(name)?).context("certificate")
}

fn key(cell: &Cell, name: &str) -> Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(&cell.key(name)?).context("key")
}

/// One suite, and the groups of the cell.
fn crypto(cell: &Cell) -> Result<Arc<CryptoProvider>> {
    let groups: [(u16, &'static dyn SupportedKxGroup); 5] = [
        (group::X25519, kx_group::X25519),
        (group::SECP256R1, kx_group::SECP256R1),
        (group::SECP384R1, kx_group::SECP384R1),
        (group::X25519MLKEM768, kx_group::X25519MLKEM768),
        (group::SECP256R1MLKEM768, kx_group::SECP256R1MLKEM768),
    ];
    Ok(Arc::new(CryptoProvider {
        cipher_suites: vec![cell.suite_among(&SUITES)?],
        kx_groups: cell.groups_among(&groups)?,
        ..aws_lc_rs::default_provider()
    }))
}

/// Either side of a connection, with its socket.
#[derive(Debug)]
struct Stream {
    connection: Connection,
    socket: TcpStream,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.connection.complete_io(&mut self.socket)?;
                }
                other => return other,
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.connection.writer().write(bytes)?;
        self.flush()?;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

impl Rustls {
    /// What both sides do after the handshake.
    fn after_handshake(&self, connection: &mut Connection) -> Result<()> {
        let material = match connection {
            Connection::Client(it) => {
                it.export_keying_material([0; EXPORT_LEN], EXPORT_LABEL.as_bytes(), None)
            }
            Connection::Server(it) => {
                it.export_keying_material([0; EXPORT_LEN], EXPORT_LABEL.as_bytes(), None)
            }
        };
        tell_export(&material.context("export")?)?;
        if self.updates_keys {
            connection.refresh_traffic_keys().context("KeyUpdate")?;
        }
        Ok(())
    }
}

impl Peer for Rustls {
    type Stream = Stream;

    fn new(cell: &Cell, is_client: bool) -> Result<Self> {
        ensure!(!cell.has_psk, "no external pre-shared keys");
        let crypto = crypto(cell)?;
        let only = cell.client.map(|name| certificate(cell, name)).transpose()?;
        let algorithms = crypto.signature_verification_algorithms;
        let verifier = Arc::new(Believe { only, algorithms });
        let config = if is_client {
            let builder = ClientConfig::builder_with_provider(crypto);
            let builder = builder.with_protocol_versions(&[&TLS13])?.dangerous();
            let builder = builder.with_custom_certificate_verifier(verifier);
            let mut config = match cell.client {
                Some(name) => {
                    let chain = vec![certificate(cell, name)?];
                    builder.with_client_auth_cert(chain, key(cell, name)?)?
                }
                None => builder.with_no_client_auth(),
            };
            config.key_log = Arc::new(Lines);
            config.enable_early_data = cell.has_early_data;
            if !cell.resumes {
                config.resumption = rustls::client::Resumption::disabled();
            }
            Config::Client(Arc::new(config))
        } else {
            let builder = ServerConfig::builder_with_provider(crypto);
            let builder = builder.with_protocol_versions(&[&TLS13])?;
            let builder = match cell.client {
                Some(_) => builder.with_client_cert_verifier(verifier),
                None => builder.with_no_client_auth(),
            };
            let chain = vec![certificate(cell, &cell.server)?];
            let mut config = builder.with_single_cert(chain, key(cell, &cell.server)?)?;
            config.key_log = Arc::new(Lines);
            if cell.has_early_data {
                config.max_early_data_size = MAX_EARLY_DATA;
            }
            if !cell.resumes {
                config.send_tls13_tickets = 0;
            }
            Config::Server(Arc::new(config))
        };
        Ok(Self { config, updates_keys: cell.updates_keys })
    }

    fn connect(&mut self, mut stream: TcpStream, early: &[u8]) -> Result<Self::Stream> {
        let Config::Client(config) = &self.config else {
            anyhow::bail!("a server does not connect")
        };
        let name = ServerName::try_from(HOST).context("name")?;
        let mut connection = ClientConnection::new(Arc::clone(config), name)?;
        if !early.is_empty() {
            let mut writer = connection.early_data().context("no early data with this session")?;
            writer.write_all(early).context("early data")?;
        }
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).context("handshake")?;
        }
        ensure!(
            early.is_empty() || connection.is_early_data_accepted(),
            "early data were declined"
        );
        let mut connection = Connection::Client(connection);
        self.after_handshake(&mut connection)?;
        Ok(Stream { connection, socket: stream })
    }

    fn accept(&mut self, mut stream: TcpStream) -> Result<(Self::Stream, Vec<u8>)> {
        let Config::Server(config) = &self.config else {
            anyhow::bail!("a client does not accept")
        };
        let mut connection = ServerConnection::new(Arc::clone(config))?;
        let mut early = Vec::new();
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).context("handshake")?;
            if let Some(mut reader) = connection.early_data() {
                reader.read_to_end(&mut early).context("early data")?;
            }
        }
        let mut connection = Connection::Server(connection);
        self.after_handshake(&mut connection)?;
        Ok((Stream { connection, socket: stream }, early))
    }

    fn close(stream: &mut Self::Stream) -> Result<()> {
        stream.connection.send_close_notify();
        stream.flush().context("close_notify")
    }
}
