//! Addresses to listen on, as the command line takes them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};

use crate::exit::Failure;

/// Finds the addresses that the value of `option` stands for.
///
/// # Errors
///
/// [`Failure::Usage`] for one that is none, or whose host is not found.
pub(crate) fn resolve(option: &str, address: &str) -> Result<Vec<SocketAddr>, Failure> {
    let addresses = address.to_socket_addrs().map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure::usage(format_args!(
            "{option} {address}: expected ADDRESS:PORT, such as 127.0.0.1:4433"
        )),
        _ => Failure::usage(format_args!("{option} {address}: {error}")),
    })?;
    Ok(addresses.collect())
}

/// An address that cannot be listened on.
pub(crate) fn cannot_bind(option: &str, address: &str, error: &io::Error) -> Failure {
    Failure::usage(format_args!("{option} {address}: cannot bind the address: {error}"))
}
