//! The peer of the interoperability matrix on a recent OpenSSL, which is built from source.
//! `../../README.md` describes its input and output.

use std::ffi::c_int;
use std::fmt;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use foreign_types_shared::ForeignTypeRef;
use interop_peer::{Cell, EXPORT_LABEL, EXPORT_LEN, HOST, MAX_EARLY_DATA, PSK_NAME, Peer, group};
use interop_peer::{tell_export, tell_secret};
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSession,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::X509;

// The bindings lack this function of OpenSSL 1.1.1 and later.
unsafe extern "C" {
    fn SSL_key_update(ssl: *mut openssl_sys::SSL, kind: c_int) -> c_int;
}

/// Both sides replace their keys (SSL_KEY_UPDATE_REQUESTED).
const REQUESTED: c_int = 1;

const SUITES: [(u16, &str); 5] = [
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0x1304, "TLS_AES_128_CCM_SHA256"),
    (0x1305, "TLS_AES_128_CCM_8_SHA256"),
];

const GROUPS: [(u16, &str); 8] = [
    (group::SECP256R1, "P-256"),
    (group::SECP384R1, "P-384"),
    (group::SECP521R1, "P-521"),
    (group::X25519, "X25519"),
    (group::FFDHE2048, "ffdhe2048"),
    (group::X25519MLKEM768, "X25519MLKEM768"),
    (group::SECP256R1MLKEM768, "SecP256r1MLKEM768"),
    (group::SECP384R1MLKEM1024, "SecP384r1MLKEM1024"),
];

fn main() -> Result<()> {
    let version = openssl::version::version();
    interop_peer::run::<OpenSsl>(version.split(' ').nth(1).unwrap_or(version))
}

/// Client or server, for the connections of a cell.
struct OpenSsl {
    context: SslContext,
    /// The last session of a client that can be resumed.
    session: Arc<Mutex<Option<SslSession>>>,
    updates_keys: bool,
    has_early_data: bool,
}

impl fmt::Debug for OpenSsl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSsl").finish_non_exhaustive()
    }
}

impl OpenSsl {
    /// What both sides do after the handshake.
    fn after_handshake(&self, stream: &mut SslStream<TcpStream>) -> Result<()> {
        let mut material = [0; EXPORT_LEN];
        stream.ssl().export_keying_material(&mut material, EXPORT_LABEL, None).context("export")?;
        tell_export(&material)?;
        if self.updates_keys {
            // SAFETY: the pointer is that of a live connection that nobody else uses.
            let done = unsafe { SSL_key_update(stream.ssl().as_ptr(), REQUESTED) };
            ensure!(done == 1, "KeyUpdate: {}", openssl::error::ErrorStack::get());
        }
        Ok(())
    }
}

fn identity(context: &mut SslContextBuilder, cell: &Cell, name: &str) -> Result<()> {
    let certificate = X509::from_pem(&cell.certificate(name)?)?;
    let key = PKey::private_key_from_pem(&cell.key(name)?)?;
    context.set_certificate(&certificate)?;
    context.set_private_key(&key)?;
    Ok(())
}

impl Peer for OpenSsl {
    type Stream = SslStream<TcpStream>;

    fn new(cell: &Cell, is_client: bool) -> Result<Self> {
        let method = if is_client { SslMethod::tls_client() } else { SslMethod::tls_server() };
        let mut context = SslContext::builder(method)?;
        context.set_min_proto_version(Some(SslVersion::TLS1_3))?;
        // CCM with a short tag is below the usual level.
        context.set_cipher_list("DEFAULT:@SECLEVEL=0")?;
        context.set_ciphersuites(cell.suite_among(&SUITES)?)?;
        let groups = cell.groups_among(&GROUPS)?.join(":");
        context.set_groups_list(&groups).with_context(|| format!("groups {groups}"))?;
        context.set_keylog_callback(|_, line| tell_secret(line));
        let psk = cell.psk()?;
        let session = Arc::new(Mutex::new(None));
        if is_client {
            if let Some(name) = cell.client {
                identity(&mut context, cell, name)?;
            }
            if cell.has_psk {
                context.set_psk_client_callback(move |_, _, name, key| {
                    let zero_terminated = [PSK_NAME.as_bytes(), &[0]].concat();
                    let place = name.get_mut(..zero_terminated.len());
                    place.map(|place| place.copy_from_slice(&zero_terminated));
                    key.get_mut(..psk.len()).map(|place| place.copy_from_slice(&psk));
                    Ok(psk.len())
                });
            }
            if cell.resumes {
                context.set_session_cache_mode(
                    SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL,
                );
                let newest = Arc::clone(&session);
                context.set_new_session_callback(move |_, session| {
                    *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
                });
            }
        } else {
            identity(&mut context, cell, &cell.server)?;
            context.set_session_id_context(b"interop")?;
            context.set_num_tickets(if cell.resumes { 2 } else { 0 })?;
            if let Some(name) = cell.client {
                let expected = X509::from_pem(&cell.certificate(name)?)?.to_der()?;
                let modes = SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT;
                context.set_verify_callback(modes, move |_, chain| {
                    let received = chain.current_cert().and_then(|it| it.to_der().ok());
                    received.as_ref() == Some(&expected)
                });
            }
            if cell.has_psk {
                context.set_psk_server_callback(move |_, name, key| {
                    let is_known = name == Some(PSK_NAME.as_bytes());
                    key.get_mut(..psk.len()).map(|place| place.copy_from_slice(&psk));
                    Ok(if is_known { psk.len() } else { 0 })
                });
            }
            if cell.has_early_data {
                context.set_max_early_data(MAX_EARLY_DATA)?;
                context.set_options(SslOptions::NO_TICKET);
            }
        }
        Ok(Self {
            context: context.build(),
            session,
            updates_keys: cell.updates_keys,
            has_early_data: cell.has_early_data,
        })
    }

    fn connect(&mut self, stream: TcpStream, early: &[u8]) -> Result<Self::Stream> {
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_hostname(HOST)?;
        ssl.set_connect_state();
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = &session {
            // SAFETY: the session comes from a connection of the same context.
            unsafe { ssl.set_session(session) }.context("session")?;
        }
        let mut stream = SslStream::new(ssl, stream)?;
        if !early.is_empty() {
            let written = stream.write_early_data(early).context("early data")?;
            ensure!(written == early.len(), "{written} bytes of early data were written");
        }
        stream.connect().map_err(|error| anyhow!("handshake: {error}"))?;
        self.after_handshake(&mut stream)?;
        Ok(stream)
    }

    fn accept(&mut self, stream: TcpStream) -> Result<(Self::Stream, Vec<u8>)> {
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_accept_state();
        let mut stream = SslStream::new(ssl, stream)?;
        let mut early = Vec::new();
        if self.has_early_data {
            let mut buffer = [0; MAX_EARLY_DATA as usize];
            loop {
                match stream.read_early_data(&mut buffer).context("early data")? {
                    0 => break,
                    len => early.extend_from_slice(buffer.get(..len).unwrap_or_default()),
                }
            }
        }
        stream.accept().map_err(|error| anyhow!("handshake: {error}"))?;
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
