//! The BoringSSL peer of the interoperability matrix. `../../README.md` describes its input and
//! output. BoringSSL has the first three suites of TLS 1.3, and does not let a program choose.

use std::ffi::c_int;
use std::fmt;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use boring::pkey::PKey;
use boring::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslSession, SslSessionCacheMode,
    SslStream, SslStreamBuilder, SslVerifyMode, SslVersion,
};
use boring::x509::X509;
use foreign_types::ForeignTypeRef;
use interop_peer::{Cell, EXPORT_LABEL, EXPORT_LEN, HOST, Peer, group, tell_export, tell_secret};

/// Both sides replace their keys (SSL_KEY_UPDATE_REQUESTED).
const REQUESTED: c_int = 1;

const SUITES: [(u16, ()); 3] = [(0x1301, ()), (0x1302, ()), (0x1303, ())];

const GROUPS: [(u16, &str); 5] = [
    (group::SECP256R1, "P-256"),
    (group::SECP384R1, "P-384"),
    (group::SECP521R1, "P-521"),
    (group::X25519, "X25519"),
    (group::X25519MLKEM768, "X25519MLKEM768"),
];

/// Of the crate that has the sources, which have no version; the manifest asks for it.
const VERSION: &str = "of boring 5";

fn main() -> Result<()> {
    interop_peer::run::<BoringSsl>(VERSION)
}

/// Client or server, for the connections of a cell.
struct BoringSsl {
    context: SslContext,
    /// The last session of a client that can be resumed.
    session: Arc<Mutex<Option<SslSession>>>,
    updates_keys: bool,
    has_early_data: bool,
}

impl fmt::Debug for BoringSsl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoringSsl").finish_non_exhaustive()
    }
}

impl BoringSsl {
    fn connection(&self) -> Result<Ssl> {
        let ssl = Ssl::new(&self.context)?;
        if self.has_early_data {
            // SAFETY: the pointer is that of a live connection that nobody else uses.
            unsafe { boring_sys::SSL_set_early_data_enabled(ssl.as_ptr(), 1) };
        }
        Ok(ssl)
    }

    /// What both sides do after the handshake.
    fn after_handshake(&self, stream: &mut SslStream<TcpStream>) -> Result<()> {
        let mut material = [0; EXPORT_LEN];
        let exported = stream.ssl().export_keying_material(&mut material, EXPORT_LABEL, None);
        exported.context("export")?;
        tell_export(&material)?;
        if self.updates_keys {
            // SAFETY: the pointer is that of a live connection that nobody else uses.
            let done = unsafe { boring_sys::SSL_key_update(stream.ssl().as_ptr(), REQUESTED) };
            ensure!(done == 1, "KeyUpdate: {}", boring::error::ErrorStack::get());
        }
        Ok(())
    }
}

/// Whether the handshake goes on, and data are early meanwhile.
fn is_early(stream: &SslStream<TcpStream>) -> bool {
    // SAFETY: the pointer is that of a live connection, which is only read.
    unsafe { boring_sys::SSL_in_early_data(stream.ssl().as_ptr()) == 1 }
}

fn identity(context: &mut SslContextBuilder, cell: &Cell, name: &str) -> Result<()> {
    let certificate = X509::from_pem(&cell.certificate(name)?)?;
    let key = PKey::private_key_from_pem(&cell.key(name)?)?;
    context.set_certificate(&certificate)?;
    context.set_private_key(&key)?;
    Ok(())
}

impl Peer for BoringSsl {
    type Stream = SslStream<TcpStream>;

    fn new(cell: &Cell, is_client: bool) -> Result<Self> {
        ensure!(!cell.has_psk, "no external pre-shared keys");
        cell.suite_among(&SUITES)?;
        let mut context = SslContext::builder(SslMethod::tls())?;
        context.set_min_proto_version(Some(SslVersion::TLS1_3))?;
        context.set_max_proto_version(Some(SslVersion::TLS1_3))?;
        let groups = cell.groups_among(&GROUPS)?.join(":");
        context.set_curves_list(&groups).with_context(|| format!("groups {groups}"))?;
        context.set_keylog_callback(|_, line| tell_secret(line));
        let session = Arc::new(Mutex::new(None));
        if is_client {
            if let Some(name) = cell.client {
                identity(&mut context, cell, name)?;
            }
            if cell.resumes {
                context.set_session_cache_mode(SslSessionCacheMode::CLIENT);
                let newest = Arc::clone(&session);
                context.set_new_session_callback(move |_, session| {
                    *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                });
            }
        } else {
            identity(&mut context, cell, &cell.server)?;
            context.set_session_id_context(b"interop")?;
            if let Some(name) = cell.client {
                let expected = X509::from_pem(&cell.certificate(name)?)?.to_der()?;
                let modes = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
                context.set_verify_callback(modes, move |_, chain| {
                    let received = chain.current_cert().and_then(|it| it.to_der().ok());
                    received.as_ref() == Some(&expected)
                });
            }
        }
        let (updates_keys, has_early_data) = (cell.updates_keys, cell.has_early_data);
        Ok(Self { context: context.build(), session, updates_keys, has_early_data })
    }

    fn connect(&mut self, stream: TcpStream, early: &[u8]) -> Result<Self::Stream> {
        let mut ssl = self.connection()?;
        ssl.set_hostname(HOST)?;
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = &session {
            // SAFETY: the session comes from a connection of the same context.
            unsafe { ssl.set_session(session) }.context("session")?;
        }
        let stream = SslStreamBuilder::new(ssl, stream).connect();
        let mut stream = stream.map_err(|error| anyhow!("handshake: {error}"))?;
        if !early.is_empty() {
            ensure!(is_early(&stream), "no early data with this session");
            stream.write_all(early).context("early data")?;
        }
        while is_early(&stream) {
            // SAFETY: the pointer is that of a live connection that nobody else uses.
            let done = unsafe { boring_sys::SSL_do_handshake(stream.ssl().as_ptr()) };
            ensure!(done == 1, "handshake: {}", boring::error::ErrorStack::get());
        }
        self.after_handshake(&mut stream)?;
        Ok(stream)
    }

    fn accept(&mut self, stream: TcpStream) -> Result<(Self::Stream, Vec<u8>)> {
        let stream = SslStreamBuilder::new(self.connection()?, stream).accept();
        let mut stream = stream.map_err(|error| anyhow!("handshake: {error}"))?;
        let mut early = Vec::new();
        let mut buffer = [0; 4096];
        // Reading also continues the handshake.
        while is_early(&stream) {
            let len = stream.read(&mut buffer).context("early data")?;
            ensure!(len > 0, "the client closed within early data");
            early.extend_from_slice(buffer.get(..len).unwrap_or_default());
        }
        // Its tickets wait for data, which may not come on the first connection.
        // SAFETY: the pointer is that of a live connection that nobody else uses; no byte is read.
        unsafe { boring_sys::SSL_write(stream.ssl().as_ptr(), b"".as_ptr().cast(), 0) };
        self.after_handshake(&mut stream)?;
        Ok((stream, early))
    }

    fn close(stream: &mut Self::Stream) -> Result<()> {
        match stream.shutdown() {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(()),
            Err(error) => Err(error).context("close_notify"),
        }
    }
}
