//! What the hellos of a handshake settle: whether the key exchange is RSA, and its parameters.
//! Suites and protocols are those of the facade's tables.

use ssl_provider::cipher_suite::KeyExchange;
use ssl_provider::{CipherSuite, ParameterList, Protocol};
use ssl_provider_wire::{ClientHello, ExtensionType, HandshakeType, ServerHello};

use super::handshake::Half;
use super::proof::Handshake;
use crate::record::Options;

/// Why a session has no RSA key exchange, unless it has one.
pub(super) fn not_rsa(hello: &ServerHello<'_>, server: &Half) -> Option<String> {
    if hello.selected_version() >= Protocol::Tls1_3.wire() {
        return Some("TLS 1.3 has no RSA key exchange".to_owned());
    }
    let id = hello.suite;
    let temporary_key = server.find(HandshakeType::SERVER_KEY_EXCHANGE);
    match CipherSuite::from_id(u32::from(id)).map(|suite| (suite.key_exchange, suite.name)) {
        Some((KeyExchange::Rsa | KeyExchange::RsaExport, _)) => {
            temporary_key.map(|_| "the server sent a temporary key in ServerKeyExchange".to_owned())
        }
        Some((other, name)) => Some(format!("{name} exchanges keys by {}", other.name())),
        // Of a suite that is not in the table, only the server's messages tell.
        None => temporary_key
            .map(|_| format!("suite 0x{id:04x}, with a temporary key in ServerKeyExchange")),
    }
}

/// What both hellos agree on.
pub(super) fn agreed(
    client: &ClientHello<'_>,
    server: &ServerHello<'_>,
) -> Result<Handshake, String> {
    let version = server.selected_version();
    let protocol = Protocol::try_from(u32::from(version))
        .ok()
        .filter(|protocol| protocol.schedule().is_some() && !protocol.is_dtls())
        .ok_or_else(|| format!("protocol 0x{version:04x} is not known"))?;
    let suite = CipherSuite::for_rsa_key_exchange(u32::from(server.suite), protocol)
        .map_err(|error| error.to_string())?;
    Ok(Handshake {
        protocol,
        suite,
        randoms: ParameterList::new().client_random(client.random).server_random(server.random),
        options: Options {
            encrypt_then_mac: both_have(client, server, ExtensionType::ENCRYPT_THEN_MAC),
            truncated_hmac: both_have(client, server, ExtensionType::TRUNCATED_HMAC),
            compression: server.compression,
        },
    })
}

/// Returns whether an extension is in both hellos, and so in force.
pub(super) fn both_have(
    client: &ClientHello<'_>,
    server: &ServerHello<'_>,
    kind: ExtensionType,
) -> bool {
    client.extensions.has(kind) && server.extensions.has(kind)
}
