//! What systemd expects of a service: it may pass the listening socket (sd_listen_fds(3)), and is
//! told when the service is ready and when it stops (sd_notify(3)). Nothing happens elsewhere.

use std::net::TcpListener;

use crate::exit::Failure;

/// Returns the socket that systemd passed to this process, if it did.
///
/// # Errors
///
/// [`Failure::Usage`] for several sockets, and for one that does not listen for TCP.
#[cfg(target_os = "linux")]
pub(super) fn listener() -> Result<Option<TcpListener>, Failure> {
    let mut passed = listenfd::ListenFd::from_env();
    match passed.len() {
        0 => Ok(None),
        1 => passed.take_tcp_listener(0).map_err(|error| {
            Failure::usage(format_args!(
                "LISTEN_FDS: expected a socket that listens for TCP: {error}; the socket unit \
                 needs ListenStream= with a port"
            ))
        }),
        count => Err(Failure::usage(format_args!(
            "LISTEN_FDS: expected one socket, got {count}; ListenStream= of the socket unit takes \
             one address here, and [::]:PORT is for IPv4, too"
        ))),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn listener() -> Result<Option<TcpListener>, Failure> {
    Ok(None)
}

/// Tells the service manager a state, such as `READY=1`. That nobody listens is no error.
#[cfg(target_os = "linux")]
pub(super) fn notify(state: &str) {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn notify(_state: &str) {}
