//! Conversations of the client with our server, with OpenSSL, and with hostile servers.

mod hostile;
mod openssl_server;
mod our_server;
mod tls13;
mod tls13_hostile;
mod tls13_openssl;
mod tls13_rustls;

use std::sync::Arc;

use ssl_provider::{Backend, Policy, Provider, default_backend};

use super::*;
use crate::connection::Connection;

/// Trusts any server.
#[derive(Debug)]
pub(crate) struct TrustAll;

impl VerifyServer for TrustAll {
    fn verify(&self, _: &[Vec<u8>], _: Option<&str>) -> Result<(), Distrust> {
        Ok(())
    }
}

/// The provider of a client; SSL 3.0 is allowed.
pub(crate) fn provider(backend: &Backend) -> Provider {
    Provider::open(backend.clone()).with_policy(Policy { legacy_ssl3: true, ..Policy::default() })
}

/// Everything enabled.
pub(crate) fn all_options() -> ClientOptions {
    ClientOptions {
        versions: ProtocolVersion::SSL3..=ProtocolVersion::TLS1_2,
        suites: default_client_suites().chain(legacy_client_suites()).collect(),
        ..ClientOptions::default()
    }
}

/// Settings with everything enabled, with a change, on a backend.
pub(crate) fn settings_on(
    backend: &Backend,
    change: impl FnOnce(&mut ClientOptions),
) -> Arc<ClientSettings> {
    let mut options = all_options();
    change(&mut options);
    ClientSettings::new(provider(backend), options, Box::new(TrustAll), None, None).unwrap()
}

/// The same on the default backend.
pub(crate) fn settings_with(change: impl FnOnce(&mut ClientOptions)) -> Arc<ClientSettings> {
    settings_on(&default_backend().unwrap(), change)
}

/// A connection to a server without a name.
pub(crate) fn connect(settings: &Arc<ClientSettings>) -> ClientConnection {
    ClientConnection::new(Arc::clone(settings), None, None).unwrap()
}

/// Carries bytes both ways until neither side has any left.
pub(crate) fn pump(client: &mut ClientConnection, server: &mut Connection) {
    loop {
        let (to_server, to_client) = (client.output().to_vec(), server.output().to_vec());
        if to_server.is_empty() && to_client.is_empty() {
            return;
        }
        client.sent(to_server.len());
        server.sent(to_client.len());
        server.receive(&to_server);
        client.receive(&to_client);
    }
}

#[test]
fn server_names_are_host_names_or_addresses() {
    for name in ["localhost", "a-b.example.com", "example.com.", "_x.example", "127.0.0.1", "::1"] {
        assert!(ClientConnection::new(settings_with(|_| {}), Some(name), None).is_ok(), "{name}");
    }
    let long = format!("{}.example", "a".repeat(64));
    for name in ["", ".", "a..b", "b\u{fc}cher.example", "a b", "a\0b", &long, "[::1]"] {
        assert!(ClientConnection::new(settings_with(|_| {}), Some(name), None).is_err(), "{name}");
    }
}
