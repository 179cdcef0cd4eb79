//! What the hellos of a handshake settle: whether the key exchange is RSA, and its parameters.
//! Suites and protocols are those of the facade's tables.

use ssl_provider::{CipherSuite, KeyExchange, ParameterList, PrfAlgorithm, ProtocolVersion};
use ssl_provider_wire::{ClientHello, ExtensionType, HandshakeType, ServerHello};

use super::handshake::Half;
use super::proof::Handshake;
use super::session::suite_name;
use crate::record::Options;

/// Why no session of TLS 1.3 opens.
pub(super) const TLS_1_3: &str = "TLS 1.3 has no RSA key exchange";

/// The hello of a server that speaks a draft of TLS 1.3 before 22: version and suite. Its message
/// has another shape than later ones; HelloRetryRequest has a type of its own there, and no suite
/// in the first of these drafts.
pub(super) fn early_draft(server: &Half) -> Option<(ProtocolVersion, Option<CipherSuite>)> {
    let hello = server.messages.first()?;
    let [0x7f, draft, rest @ ..] = hello.body() else { return None };
    let suite = match hello.kind {
        HandshakeType::SERVER_HELLO => rest.get(32..)?.first_chunk().copied(),
        HandshakeType::HELLO_RETRY_REQUEST => None,
        _ => return None,
    };
    let suite = suite.map(|suite| CipherSuite(u16::from_be_bytes(suite).into()));
    Some((ProtocolVersion(u16::from_be_bytes([0x7f, *draft])), suite))
}

/// Why a session has no RSA key exchange, unless it has one.
pub(super) fn not_rsa(hello: &ServerHello<'_>, server: &Half) -> Option<String> {
    if version_of(hello) >= ProtocolVersion::TLS1_3 {
        return Some(TLS_1_3.to_owned());
    }
    let suite = suite_of(hello);
    let temporary_key = server.find(HandshakeType::SERVER_KEY_EXCHANGE);
    match suite.info().map(|suite| (suite.key_exchange, suite.name)) {
        Some((KeyExchange::Rsa | KeyExchange::RsaExport, _)) => {
            temporary_key.map(|_| "the server sent a temporary key in ServerKeyExchange".to_owned())
        }
        Some((other, name)) => Some(format!("{name} exchanges keys by {}", other.name())),
        // Of a suite that is not in the table, only the server's messages tell.
        None => temporary_key
            .map(|_| format!("{}, with a temporary key in ServerKeyExchange", suite_name(suite))),
    }
}

/// The version that the server chose.
pub(super) fn version_of(hello: &ServerHello<'_>) -> ProtocolVersion {
    ProtocolVersion(hello.selected_version())
}

/// The suite that the server chose.
pub(super) fn suite_of(hello: &ServerHello<'_>) -> CipherSuite {
    CipherSuite(hello.suite.into())
}

/// What both hellos agree on.
pub(super) fn agreed(
    client: &ClientHello<'_>,
    server: &ServerHello<'_>,
) -> Result<Handshake, String> {
    let version = version_of(server);
    let suite = suite_of(server);
    if version.is_dtls() || version.key_schedule(PrfAlgorithm::Sha256).is_none() {
        return Err(format!("protocol {version} is not known"));
    }
    let suite = suite.for_rsa_key_exchange(version).map_err(|error| error.to_string())?;
    Ok(Handshake {
        version,
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
