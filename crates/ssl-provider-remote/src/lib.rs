//! Private keys in a process of their own, the key server, behind a Unix socket: server and client.
//! [`protocol`] has the messages. A client sends a request and waits for the reply before it sends
//! the next one; it opens a connection for each call that it makes at the same time.
//!
#![cfg_attr(target_os = "linux", doc = include_str!("../README.md"))]
#![forbid(unsafe_code)]

/// What secrets are returned in: it wipes them when dropped.
pub use zeroize::Zeroizing;

pub mod protocol;

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod keys;
#[cfg(target_os = "linux")]
mod listener;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod server;

#[cfg(target_os = "linux")]
pub use crate::client::{KeyServer, KeyServerError, PublicKey};
#[cfg(target_os = "linux")]
pub use crate::keys::{CannotAdd, MAX_KEYS, ServedKeys};
#[cfg(target_os = "linux")]
pub use crate::listener::{CannotListen, Listener};
#[cfg(target_os = "linux")]
pub use crate::peer::{Peer, Peers, deny_inspection};
#[cfg(target_os = "linux")]
pub use crate::server::{Event, Limits, Server, StopHandle};
