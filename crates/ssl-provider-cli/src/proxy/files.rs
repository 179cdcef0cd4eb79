//! How many files the process may open: two sockets for each connection, and some more.
//! The soft limit is often 1024, for programs that use select(2); this one does not.

use crate::exit::Failure;

/// Files besides the sockets of connections.
#[cfg(unix)]
const OTHERS: u64 = 64;

/// Raises the limit as far as so many connections need.
///
/// # Errors
///
/// [`Failure::Usage`] where the system does not allow it.
#[cfg(unix)]
pub(super) fn allow(connections: u64) -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = OTHERS.saturating_add(connections.saturating_mul(2));
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        let allowed = limit.maximum.unwrap_or(u64::MAX);
        Failure::usage(format_args!(
            "--max-connections {connections} needs {needed} open files, and the limit is \
             {allowed}; raise it with `ulimit -Hn` or LimitNOFILE=, or allow fewer connections"
        ))
    })
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(super) fn allow(_connections: u64) -> Result<(), Failure> {
    Ok(())
}
