//! Where to connect to: HOST:PORT, and the socket.

use std::fmt;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// The host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A host name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Reads HOST:PORT; an IPv6 address has brackets around it.
pub(crate) fn parse(text: &str) -> Result<Target, String> {
    let expected = || "expected HOST:PORT, such as device.example:443 or [::1]:443".to_owned();
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(expected)?;
    let bare = host.strip_prefix('[').map(|rest| rest.strip_suffix(']'));
    let host = match bare {
        Some(Some(address)) if address.contains(':') => address,
        None if !host.contains(':') && !host.is_empty() => host,
        _ => return Err(expected()),
    };
    Ok(Target { host: host.to_owned(), port })
}

impl Target {
    /// Finds the addresses of the host, of which there is at least one.
    pub(crate) fn addresses(&self) -> Result<Vec<SocketAddr>, String> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found: Vec<_> =
            found.map_err(|error| format!("cannot find the host: {error}"))?.collect();
        match found.is_empty() {
            true => Err("the host has no address".to_owned()),
            false => Ok(found),
        }
    }

    /// Connects to the first address of the host that accepts.
    pub(crate) fn connect(&self, deadline: Instant) -> Result<TcpStream, String> {
        let addresses = self.addresses()?;
        let mut failure = String::new();
        let mut left = addresses.len();
        for address in addresses {
            let share = share_of_time(deadline, left);
            left -= 1;
            match TcpStream::connect_timeout(&address, share) {
                Ok(stream) => return Ok(stream),
                Err(error) => failure = format!("cannot connect to {address}: {error}"),
            }
        }
        Err(failure)
    }
}

/// The time that the next of `left` addresses gets: an equal share of what there is.
pub(crate) fn share_of_time(deadline: Instant, left: usize) -> Duration {
    let time = deadline.saturating_duration_since(Instant::now());
    (time / u32::try_from(left).unwrap_or(1).max(1)).max(Duration::from_millis(1))
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_port_and_ipv6_addresses_brackets() {
        for (text, host, port) in [
            ("device.example:443", "device.example", 443),
            ("192.0.2.7:8443", "192.0.2.7", 8443),
            ("[2001:db8::1]:443", "2001:db8::1", 443),
        ] {
            let target = parse(text).unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.to_string(), text);
        }
        for bad in
            ["device.example", "device.example:", ":443", "::1:443", "[::1]", "[x]:1", "x:0", "x:y"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
