//! A TLS server for the lab: SSL 3.0 to TLS 1.3, with RSA key exchange, ECDHE and DHE, on top of
//! `ssl-provider`. For tests, captures and old devices. It is not a TLS stack for the internet: by
//! default it also takes RSA key exchange, which has no forward secrecy.
//!
//! [`Connection`] is the whole protocol without sockets: bytes in, bytes out. [`Server`] runs many
//! of them on a few threads and responds to HTTP requests with a page about the session.
//!
//! [`client`] is the other side, also without sockets: it connects to old devices, and refuses
//! servers that deviate from the protocol.
//!
//! # Without sockets
//!
//! Both sides are driven the same way: pass on what was received, take the data, and send the
//! output. This server returns what the client sends, until the client closes:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std::sync::Arc;
//!
//! use ssl_provider_lab::{Connection, Settings};
//!
//! fn serve(mut socket: impl Read + Write, settings: &Arc<Settings>) -> io::Result<()> {
//!     let mut connection = Connection::new(Arc::clone(settings));
//!     let mut buffer = [0; 4096];
//!     while connection.ending().is_none() {
//!         let len = socket.read(&mut buffer)?;
//!         if len == 0 {
//!             // Without close_notify: what was received may be cut off.
//!             return Err(io::ErrorKind::UnexpectedEof.into());
//!         }
//!         connection.receive(&buffer[..len]);
//!         let data = connection.take_data();
//!         connection.send(&data);
//!         if connection.is_closed_by_client() {
//!             connection.close();
//!         }
//!         // After an alert too, which is part of the output.
//!         let sent = connection.output().len();
//!         socket.write_all(connection.output())?;
//!         connection.sent(sent);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! [`client::ClientConnection`] has its ClientHello in the output from the start: send before the
//! first `read`.
//!
//! [`worker`] runs the threads of a server so that a panic does not end it.

#![forbid(unsafe_code)]

mod alert;
pub mod client;
mod client_auth;
mod connection;
mod exporter;
mod group;
mod http;
mod identity;
mod key_log;
mod negotiation;
mod record_layer;
mod refusal;
mod server;
mod session;
mod settings;
mod signed_params;
mod tickets;
mod tls13;
pub mod worker;

pub use ssl_provider_wire::Alert;
/// What secrets are returned in: it wipes them when dropped.
pub use zeroize::Zeroizing;

pub use crate::connection::{Connection, Ending, SessionInfo};
pub use crate::exporter::ExportFrom;
pub use crate::group::NamedGroup;
pub use crate::identity::{Identity, IdentityError, SelfSigned};
#[cfg(unix)]
pub use crate::key_log::Readers;
pub use crate::key_log::{KeyLog, key_log_line};
pub use crate::refusal::Cause;
pub use crate::server::{End, Event, Limits, Server, StopHandle};
pub use crate::session::SessionCache;
pub use crate::settings::{
    ClientAuth, DEFAULT_SUITES, DEFAULT_VERSIONS, DHE_SUITES, ECDHE_SUITES, EarlyData,
    LEGACY_SUITES, Options, Settings, TLS13_SUITES,
};
pub use crate::tls13::TLS13_GROUPS;
pub use crate::tls13::negotiation::DEFAULT_PSK_HASH;
pub use crate::tls13::psk::ExternalPsk;

#[cfg(test)]
mod tests;
