//! The s2n-tls peer of the interoperability matrix. `../../README.md` describes its input and
//! output. A program chooses one of the policies of s2n-tls by name, which fixes the suites, the
//! groups and their order; the other side has to narrow them to those of the cell.

use std::env;
use std::ffi::{CStr, CString, c_int, c_void};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::slice;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, ensure};
use interop_peer::{
    Cell, EXPORT_LABEL, EXPORT_LEN, HOST, MAX_EARLY_DATA, PSK_NAME, Peer, group, tell_export,
    tell_secret,
};
use s2n_tls_sys as s2n;

/// Of the crate that has the sources, which do not tell their version; the manifest asks for it.
const VERSION: &str = "of s2n-tls-sys 0.3";

const AES_128_GCM: u16 = 0x1301;
const AES_256_GCM: u16 = 0x1302;
const SUITES: [u16; 3] = [AES_128_GCM, AES_256_GCM, 0x1303];

const CURVES: [u16; 4] = [group::SECP256R1, group::SECP384R1, group::SECP521R1, group::X25519];
const HYBRIDS: [u16; 3] =
    [group::X25519MLKEM768, group::SECP256R1MLKEM768, group::SECP384R1MLKEM1024];

/// What a policy of s2n-tls fixes, as `tls/s2n_security_policies.c` lists it. A client sends a
/// public key of its first curve, and one of its first hybrid group.
#[derive(Clone, Copy, Debug)]
struct Policy {
    name: &'static CStr,
    suites: &'static [u16],
    curves: &'static [u16],
    hybrids: &'static [u16],
}

/// The first that fits a cell is taken: a server asks for the group of a cell only if its policy
/// lacks the one that the client comes with, or prefers the group strongly, as 20251113 does
/// secp384r1.
const POLICIES: [Policy; 5] = [
    Policy {
        name: c"TLS12_20261021_1",
        suites: &SUITES,
        curves: &[group::SECP256R1, group::X25519],
        hybrids: &[],
    },
    Policy { name: c"20250414", suites: &[AES_256_GCM], curves: &[group::SECP384R1], hybrids: &[] },
    Policy {
        name: c"20251113",
        suites: &[AES_128_GCM, AES_256_GCM],
        curves: &[group::SECP384R1, group::SECP256R1, group::SECP521R1],
        hybrids: &[],
    },
    Policy {
        name: c"20240603",
        suites: &SUITES,
        curves: &[group::X25519, group::SECP256R1, group::SECP384R1, group::SECP521R1],
        hybrids: &[],
    },
    Policy {
        name: c"20250721",
        suites: &SUITES,
        curves: &[group::SECP256R1, group::X25519, group::SECP384R1, group::SECP521R1],
        hybrids: &HYBRIDS,
    },
];

impl Policy {
    /// Chooses one for a cell.
    fn of(cell: &Cell, is_client: bool) -> Result<&'static CStr> {
        let known: Vec<(u16, u16)> = SUITES.map(|suite| (suite, suite)).to_vec();
        let suite = cell.suite_among(&known)?;
        let known: Vec<(u16, u16)> =
            CURVES.iter().chain(&HYBRIDS).map(|group| (*group, *group)).collect();
        let groups = cell.groups_among(&known)?;
        let group = *groups.last().context("no group")?;
        let is_retried = groups.len() > 1;
        let fits = |policy: &&Policy| {
            let has = policy.curves.contains(&group) || policy.hybrids.contains(&group);
            let sends = [policy.curves, policy.hybrids].map(<[u16]>::first).contains(&Some(&group));
            policy.suites.contains(&suite) && has && (!is_client || sends != is_retried)
        };
        let policy = POLICIES.iter().find(fits).with_context(|| match is_retried {
            true => format!("every policy with the group {group:#06x} sends a public key of it"),
            false => format!("no policy sends a public key of the group {group:#06x} at first"),
        })?;
        Ok(policy.name)
    }
}

fn main() -> Result<()> {
    // SAFETY: no other thread runs yet. Locked memory may be short, and has no use here.
    unsafe { env::set_var("S2N_DONT_MLOCK", "1") };
    // SAFETY: called once, before everything else of the library.
    check("initialization", unsafe { s2n::s2n_init() })?;
    interop_peer::run::<S2n>(VERSION)
}

/// Makes a failure of the library an error.
fn check(what: &'static str, status: c_int) -> Result<()> {
    ensure!(status >= 0, "{what}: {}", Failure::last());
    Ok(())
}

/// An error of the library.
#[derive(Clone, Copy)]
struct Failure(c_int);

impl Failure {
    /// Returns that of the last call in this thread.
    fn last() -> Self {
        // SAFETY: it only returns the address of the error number of this thread.
        let number = unsafe { s2n::s2n_errno_location() };
        // SAFETY: the address is valid as long as this thread runs.
        Self(unsafe { *number })
    }

    fn is_blocked(self) -> bool {
        // SAFETY: it takes any number.
        let kind = unsafe { s2n::s2n_error_get_type(self.0) };
        u32::try_from(kind) == Ok(s2n::s2n_error_type::BLOCKED)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: it takes any number, and the language is a string with an end.
        let text = unsafe { s2n::s2n_strerror(self.0, c"EN".as_ptr()) };
        if text.is_null() {
            return write!(f, "error {}", self.0);
        }
        // SAFETY: the library returns strings of its own, which are constant.
        let text = unsafe { CStr::from_ptr(text) };
        f.write_str(&text.to_string_lossy())
    }
}

/// The newest ticket of a client.
type Newest = Mutex<Option<Vec<u8>>>;

/// What all connections of a cell share.
#[derive(Debug)]
struct Config {
    pointer: NonNull<s2n::s2n_config>,
    /// Of this side; the library only refers to it.
    identity: Option<NonNull<s2n::s2n_cert_chain_and_key>>,
    /// At a fixed address, for the callback.
    newest: Box<Newest>,
}

impl Config {
    fn new(cell: &Cell, is_client: bool) -> Result<Self> {
        // SAFETY: the library was initialized.
        let pointer = NonNull::new(unsafe { s2n::s2n_config_new_minimal() });
        let pointer = pointer.with_context(|| format!("configuration: {}", Failure::last()))?;
        let mut config = Self { pointer, identity: None, newest: Box::default() };
        let it = config.pointer.as_ptr();
        let policy = Policy::of(cell, is_client)?;
        // SAFETY: the configuration is live, and the name a string with an end.
        let done = unsafe { s2n::s2n_config_set_cipher_preferences(it, policy.as_ptr()) };
        check("policy", done)?;
        // SAFETY: the configuration is live; the function lives as long as the program.
        let done = unsafe { s2n::s2n_config_set_key_log_cb(it, Some(log), ptr::null_mut()) };
        check("key log", done)?;
        match is_client {
            true => config.be_client(cell)?,
            false => config.be_server(cell)?,
        }
        Ok(config)
    }

    fn be_client(&mut self, cell: &Cell) -> Result<()> {
        let it = self.pointer.as_ptr();
        // SAFETY: the configuration is live.
        check("trust", unsafe { s2n::s2n_config_disable_x509_verification(it) })?;
        if let Some(name) = cell.client {
            self.identify(cell, name)?;
            let kind = s2n::s2n_cert_auth_type::OPTIONAL;
            // SAFETY: the configuration is live.
            check("certificate", unsafe { s2n::s2n_config_set_client_auth_type(it, kind) })?;
        }
        if cell.resumes {
            // SAFETY: the configuration is live.
            check("tickets", unsafe { s2n::s2n_config_set_session_tickets_onoff(it, 1) })?;
            let newest = ptr::from_ref::<Newest>(&self.newest).cast_mut().cast::<c_void>();
            // SAFETY: the configuration is live; what the pointer is to lives as long as it.
            let done = unsafe { s2n::s2n_config_set_session_ticket_cb(it, Some(keep), newest) };
            check("tickets", done)?;
        }
        Ok(())
    }

    fn be_server(&mut self, cell: &Cell) -> Result<()> {
        self.identify(cell, &cell.server)?;
        let it = self.pointer.as_ptr();
        if let Some(name) = cell.client {
            let kind = s2n::s2n_cert_auth_type::REQUIRED;
            // SAFETY: the configuration is live.
            check("certificate", unsafe { s2n::s2n_config_set_client_auth_type(it, kind) })?;
            let only = CString::new(cell.certificate(name)?).context("certificate")?;
            // SAFETY: the configuration is live, and the certificate a string with an end.
            let done = unsafe { s2n::s2n_config_add_pem_to_trust_store(it, only.as_ptr()) };
            check("trust", done)?;
            let nobody = ptr::null_mut();
            // SAFETY: the configuration is live; the function lives as long as the program.
            let done = unsafe { s2n::s2n_config_set_verify_host_callback(it, Some(any), nobody) };
            check("trust", done)?;
        }
        if cell.resumes {
            // SAFETY: the configuration is live.
            check("tickets", unsafe { s2n::s2n_config_set_session_tickets_onoff(it, 1) })?;
            let mut key = cell.psk()?;
            let len = u32::try_from(key.len()).context("ticket key")?;
            let (name, name_len) = (PSK_NAME.as_ptr(), u32::try_from(PSK_NAME.len())?);
            let (key, now) = (key.as_mut_ptr(), 0);
            // SAFETY: the configuration is live, and name and key have these many bytes.
            let done =
                unsafe { s2n::s2n_config_add_ticket_crypto_key(it, name, name_len, key, len, now) };
            check("ticket key", done)?;
        }
        if cell.has_early_data {
            // SAFETY: the configuration is live.
            let done =
                unsafe { s2n::s2n_config_set_server_max_early_data_size(it, MAX_EARLY_DATA) };
            check("early data", done)?;
        }
        Ok(())
    }

    fn identify(&mut self, cell: &Cell, name: &str) -> Result<()> {
        let (mut certificate, mut key) = (cell.certificate(name)?, cell.key(name)?);
        let len = u32::try_from(certificate.len()).context("certificate")?;
        let key_len = u32::try_from(key.len()).context("key")?;
        // SAFETY: the library was initialized.
        let identity = NonNull::new(unsafe { s2n::s2n_cert_chain_and_key_new() });
        let identity = identity.with_context(|| format!("identity: {}", Failure::last()))?;
        // Freed with the configuration.
        self.identity = Some(identity);
        let (certificate, key) = (certificate.as_mut_ptr(), key.as_mut_ptr());
        // SAFETY: the identity is live, and both texts have these many bytes.
        let done = unsafe {
            s2n::s2n_cert_chain_and_key_load_pem_bytes(
                identity.as_ptr(),
                certificate,
                len,
                key,
                key_len,
            )
        };
        check("identity", done)?;
        let (it, identity) = (self.pointer.as_ptr(), identity.as_ptr());
        // SAFETY: both are live, and the identity as long as the configuration.
        let done = unsafe { s2n::s2n_config_add_cert_chain_and_key_to_store(it, identity) };
        check("identity", done)
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: the pointer is that of a live configuration, which no connection has any more.
        unsafe { s2n::s2n_config_free(self.pointer.as_ptr()) };
        if let Some(identity) = self.identity {
            // SAFETY: the configuration, which referred to it, is gone.
            unsafe { s2n::s2n_cert_chain_and_key_free(identity.as_ptr()) };
        }
    }
}

/// Prints a line of the key log.
unsafe extern "C" fn log(
    _: *mut c_void,
    _: *mut s2n::s2n_connection,
    line: *mut u8,
    len: usize,
) -> c_int {
    // SAFETY: the library passes a line of this length.
    let line = unsafe { slice::from_raw_parts(line, len) };
    tell_secret(&String::from_utf8_lossy(line));
    0
}

/// Keeps a ticket with its session.
unsafe extern "C" fn keep(
    _: *mut s2n::s2n_connection,
    newest: *mut c_void,
    ticket: *mut s2n::s2n_session_ticket,
) -> c_int {
    let mut len = 0;
    // SAFETY: the library passes a live ticket.
    let done = unsafe { s2n::s2n_session_ticket_get_data_len(ticket, &raw mut len) };
    if done < 0 {
        return done;
    }
    let mut session = vec![0; len];
    // SAFETY: the ticket is live, and there is room for this many bytes.
    let done = unsafe { s2n::s2n_session_ticket_get_data(ticket, len, session.as_mut_ptr()) };
    if done < 0 {
        return done;
    }
    // SAFETY: the configuration, which outlives its connections, owns what the pointer is to.
    let newest = unsafe { &*newest.cast::<Newest>() };
    *newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
    0
}

/// Accepts any name: a client may have any certificate that is trusted, which is one.
unsafe extern "C" fn any(_: *const std::ffi::c_char, _: usize, _: *mut c_void) -> u8 {
    1
}

/// A connection on a socket that blocks.
#[derive(Debug)]
struct Stream {
    pointer: NonNull<s2n::s2n_connection>,
    socket: TcpStream,
    updates_keys: bool,
    /// Lives as long as the connection.
    _config: Rc<Config>,
}

impl Stream {
    fn new(peer: &S2n, is_client: bool, socket: TcpStream) -> Result<Self> {
        let mode = if is_client { s2n::s2n_mode::CLIENT } else { s2n::s2n_mode::SERVER };
        // SAFETY: the library was initialized.
        let pointer = NonNull::new(unsafe { s2n::s2n_connection_new(mode) });
        let pointer = pointer.with_context(|| format!("connection: {}", Failure::last()))?;
        let config = Rc::clone(&peer.config);
        let shared = config.pointer.as_ptr();
        let stream = Self { pointer, socket, updates_keys: peer.updates_keys, _config: config };
        let it = stream.pointer.as_ptr();
        // SAFETY: both are live.
        check("configuration", unsafe { s2n::s2n_connection_set_config(it, shared) })?;
        let socket = stream.socket.as_raw_fd();
        // SAFETY: the connection is live, and its socket is open as long as it.
        check("socket", unsafe { s2n::s2n_connection_set_fd(it, socket) })?;
        // Otherwise it sleeps for seconds behind an altered record.
        let blinding = s2n::s2n_blinding::SELF_SERVICE_BLINDING;
        // SAFETY: the connection is live.
        check("blinding", unsafe { s2n::s2n_connection_set_blinding(it, blinding) })?;
        if let Some((key, hash)) = &peer.psk {
            stream.append_psk(key, *hash)?;
        }
        Ok(stream)
    }

    fn append_psk(&self, key: &[u8], hash: s2n::s2n_psk_hmac::Type) -> Result<()> {
        // SAFETY: the library was initialized.
        let mut psk = unsafe { s2n::s2n_external_psk_new() };
        ensure!(!psk.is_null(), "pre-shared key: {}", Failure::last());
        let name = PSK_NAME.as_bytes();
        let (name_len, key_len) = (u16::try_from(name.len())?, u16::try_from(key.len())?);
        // SAFETY: the key is live, and its name has this many bytes.
        let named = unsafe { s2n::s2n_psk_set_identity(psk, name.as_ptr(), name_len) };
        // SAFETY: the key is live, and has this many bytes.
        let set = unsafe { s2n::s2n_psk_set_secret(psk, key.as_ptr(), key_len) };
        // SAFETY: the key is live.
        let hashed = unsafe { s2n::s2n_psk_set_hmac(psk, hash) };
        // SAFETY: both are live; the connection copies the key.
        let appended = unsafe { s2n::s2n_connection_append_psk(self.pointer.as_ptr(), psk) };
        let done = named.min(set).min(hashed).min(appended);
        let done = check("pre-shared key", done);
        // SAFETY: nobody has the pointer any more.
        unsafe { s2n::s2n_psk_free(&raw mut psk) };
        done
    }

    fn negotiate(&mut self) -> Result<()> {
        let (it, mut blocked) = (self.pointer.as_ptr(), 0);
        // SAFETY: the connection is live, and nobody else uses it.
        let done = unsafe { s2n::s2n_negotiate(it, &raw mut blocked) };
        if done < 0 {
            let failure = Failure::last();
            // The alert; there may be nobody to take it.
            let _ = self.end();
            return Err(anyhow!("handshake: {failure}"));
        }
        Ok(())
    }

    /// Sends early data behind the ClientHello, before the server has answered.
    fn send_early(&mut self, data: &[u8]) -> Result<()> {
        self.socket.set_nonblocking(true).context("socket")?;
        let (it, len) = (self.pointer.as_ptr(), isize::try_from(data.len())?);
        let (mut sent, mut blocked) = (0, 0);
        // SAFETY: the connection is live, and nobody else uses it; the data have this length.
        let done = unsafe {
            s2n::s2n_send_early_data(it, data.as_ptr(), len, &raw mut sent, &raw mut blocked)
        };
        let failure = Failure::last();
        self.socket.set_nonblocking(false).context("socket")?;
        // The handshake waits for the server.
        ensure!(done >= 0 || failure.is_blocked(), "early data: {failure}");
        ensure!(sent == len, "early data: {sent} of {len} bytes sent");
        Ok(())
    }

    /// Returns what comes before the handshake has ended, which it ends.
    fn receive_early(&mut self) -> Result<Vec<u8>> {
        let mut data = vec![0; usize::try_from(MAX_EARLY_DATA)?];
        let (it, len) = (self.pointer.as_ptr(), isize::try_from(data.len())?);
        let (mut received, mut blocked) = (0, 0);
        // SAFETY: the connection is live, and nobody else uses it; there is room for this length.
        let done = unsafe {
            s2n::s2n_recv_early_data(
                it,
                data.as_mut_ptr(),
                len,
                &raw mut received,
                &raw mut blocked,
            )
        };
        check("early data", done)?;
        data.truncate(usize::try_from(received).context("early data")?);
        Ok(data)
    }

    /// What both sides do after the handshake.
    fn after_handshake(&mut self) -> Result<()> {
        let it = self.pointer.as_ptr();
        let mut material = [0; EXPORT_LEN];
        let (label, label_len) = (EXPORT_LABEL.as_ptr(), u32::try_from(EXPORT_LABEL.len())?);
        let (output, output_len) = (material.as_mut_ptr(), u32::try_from(EXPORT_LEN)?);
        let empty = [0_u8; 0];
        // SAFETY: the connection is live, label and output have these lengths, the context none.
        let done = unsafe {
            s2n::s2n_connection_tls_exporter(
                it,
                label,
                label_len,
                empty.as_ptr(),
                0,
                output,
                output_len,
            )
        };
        check("export", done)?;
        tell_export(&material)?;
        if self.updates_keys {
            // It cannot ask the other side. The message goes before the next data.
            let ask = s2n::s2n_peer_key_update::KEY_UPDATE_NOT_REQUESTED;
            // SAFETY: the connection is live.
            check("KeyUpdate", unsafe { s2n::s2n_connection_request_key_update(it, ask) })?;
        }
        Ok(())
    }

    /// The keys for the data that were sent must be new.
    fn check_key_update(&self) -> Result<()> {
        let (it, mut own, mut others) = (self.pointer.as_ptr(), 0, 0);
        // SAFETY: the connection is live, and there is room for both numbers.
        let done =
            unsafe { s2n::s2n_connection_get_key_update_counts(it, &raw mut own, &raw mut others) };
        check("KeyUpdate", done)?;
        ensure!(own == 1, "KeyUpdate: {own} sent");
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let (it, mut blocked) = (self.pointer.as_ptr(), 0);
        // SAFETY: the connection is live, and nobody else uses it.
        check("end", unsafe { s2n::s2n_shutdown_send(it, &raw mut blocked) })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: the pointer is that of a live connection, which nobody has any more.
        unsafe { s2n::s2n_connection_free(self.pointer.as_ptr()) };
    }
}

/// Makes the result of a call the length that it is, if it is one.
fn length(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| {
        let failure = Failure::last();
        let kind = if failure.is_blocked() { ErrorKind::TimedOut } else { ErrorKind::Other };
        io::Error::new(kind, failure.to_string())
    })
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = isize::try_from(buffer.len()).map_err(io::Error::other)?;
        let (it, mut blocked) = (self.pointer.as_ptr(), 0);
        let buffer = buffer.as_mut_ptr().cast();
        // SAFETY: the connection is live, and nobody else uses it; there is room for this length.
        length(unsafe { s2n::s2n_recv(it, buffer, len, &raw mut blocked) })
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = isize::try_from(bytes.len()).map_err(io::Error::other)?;
        let (it, mut blocked) = (self.pointer.as_ptr(), 0);
        // SAFETY: the connection is live, and nobody else uses it; the bytes have this length.
        let sent = unsafe { s2n::s2n_send(it, bytes.as_ptr().cast(), len, &raw mut blocked) };
        let sent = length(sent)?;
        if self.updates_keys {
            self.check_key_update().map_err(io::Error::other)?;
        }
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Client or server, for the connections of a cell.
#[derive(Debug)]
struct S2n {
    config: Rc<Config>,
    /// With its hash.
    psk: Option<(Vec<u8>, s2n::s2n_psk_hmac::Type)>,
    updates_keys: bool,
    has_early_data: bool,
}

impl Peer for S2n {
    type Stream = Stream;

    fn new(cell: &Cell, is_client: bool) -> Result<Self> {
        let hash = match cell.suite {
            AES_256_GCM => s2n::s2n_psk_hmac::SHA384,
            _ => s2n::s2n_psk_hmac::SHA256,
        };
        let psk = if cell.has_psk { Some((cell.psk()?, hash)) } else { None };
        let config = Rc::new(Config::new(cell, is_client)?);
        let (updates_keys, has_early_data) = (cell.updates_keys, cell.has_early_data);
        Ok(Self { config, psk, updates_keys, has_early_data })
    }

    fn connect(&mut self, stream: TcpStream, early: &[u8]) -> Result<Self::Stream> {
        let mut stream = Stream::new(self, true, stream)?;
        let it = stream.pointer.as_ptr();
        let name = CString::new(HOST).context("name")?;
        // SAFETY: the connection is live, and the name a string with an end.
        check("name", unsafe { s2n::s2n_set_server_name(it, name.as_ptr()) })?;
        let session = self.config.newest.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = &session {
            let (bytes, len) = (session.as_ptr(), session.len());
            // SAFETY: the connection is live, and the session has this many bytes.
            check("session", unsafe { s2n::s2n_connection_set_session(it, bytes, len) })?;
        }
        if !early.is_empty() {
            stream.send_early(early)?;
        }
        stream.negotiate()?;
        stream.after_handshake()?;
        Ok(stream)
    }

    fn accept(&mut self, stream: TcpStream) -> Result<(Self::Stream, Vec<u8>)> {
        let mut stream = Stream::new(self, false, stream)?;
        let early = if self.has_early_data { stream.receive_early()? } else { Vec::new() };
        stream.negotiate()?;
        stream.after_handshake()?;
        Ok((stream, early))
    }

    fn close(stream: &mut Self::Stream) -> Result<()> {
        stream.end()
    }
}
