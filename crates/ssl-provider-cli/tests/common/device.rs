//! A device that speaks TLS 1.0 with RSA key exchange, in this process: it does to each client what
//! a test asks for. A thread serves each client.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use ssl_provider::{CipherSuite, ProtocolVersion, Provider, default_backend};
use ssl_provider_cli::key_file::{Password, read_certificates, read_key};
use ssl_provider_lab::{Connection, Identity, Options, SessionCache, Settings};

use super::key;

/// A device that runs until the process ends.
pub(crate) struct Device {
    pub(crate) address: String,
}

impl Device {
    /// Starts a device that has this conversation with each client.
    pub(crate) fn start(conversation: impl Fn(Talk) + Send + Sync + 'static) -> Self {
        let settings = settings();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens").to_string();
        let conversation = Arc::new(conversation);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (settings, conversation) = (Arc::clone(&settings), Arc::clone(&conversation));
                let talk = Talk { stream, connection: Connection::new(settings) };
                let thread = thread::Builder::new().stack_size(256 << 10);
                thread.spawn(move || conversation(talk)).expect("a thread");
            }
        });
        Self { address }
    }

    /// Starts a device that sends back what it receives, and `bye` when the client has closed.
    pub(crate) fn echo() -> Self {
        Self::start(|mut talk| {
            while let Some(data) = talk.read() {
                if talk.write(&data).is_none() {
                    return;
                }
            }
            talk.write(b"bye");
            talk.close();
        })
    }
}

fn settings() -> Arc<Settings> {
    let provider = Provider::open(default_backend().expect("a backend"));
    let password = Password(None);
    let private = read_key(&key("server-2048.pem"), &password).expect("a key");
    let chain = read_certificates(&key("server-2048.cert.pem"), &password).expect("certificates");
    let identity = Identity::from_der(&provider, &private.der, &chain).expect("they match");
    let options = Options {
        versions: vec![ProtocolVersion::TLS1_0],
        suites: vec![CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA],
        ..Options::default()
    };
    let sessions = SessionCache::new(64, std::time::Duration::from_secs(600));
    Settings::new(provider, identity, options, Some(sessions), None).expect("settings")
}

/// A client of a device.
pub(crate) struct Talk {
    pub(crate) stream: TcpStream,
    connection: Connection,
}

impl Talk {
    /// Receives data; `None` when the client has closed or the connection has failed.
    pub(crate) fn read(&mut self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 16 << 10];
        loop {
            let data = self.connection.take_data();
            if !data.is_empty() {
                return Some(data);
            }
            if self.connection.is_closed_by_client() || self.connection.ending().is_some() {
                return None;
            }
            let len = self.stream.read(&mut buffer).ok().filter(|len| *len > 0)?;
            self.connection.receive(&buffer[..len]);
            self.flush()?;
        }
    }

    /// Performs the handshake.
    pub(crate) fn handshake(&mut self) -> Option<()> {
        let mut buffer = [0; 4096];
        while self.connection.established().is_none() {
            let len = self.stream.read(&mut buffer).ok().filter(|len| *len > 0)?;
            self.connection.receive(&buffer[..len]);
            self.flush()?;
        }
        Some(())
    }

    /// Sends data.
    pub(crate) fn write(&mut self, data: &[u8]) -> Option<()> {
        assert!(self.connection.send(data));
        self.flush()
    }

    /// Sends `close_notify`, and reads until the client closes, too.
    pub(crate) fn close(mut self) {
        self.connection.close();
        self.flush();
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        while self.stream.read(&mut [0; 4096]).is_ok_and(|len| len > 0) {}
    }

    fn flush(&mut self) -> Option<()> {
        let len = self.connection.output().len();
        self.stream.write_all(self.connection.output()).ok()?;
        self.connection.sent(len);
        Some(())
    }
}
