//! Negotiation: version, suite, extensions, and whether a session is resumed.
//! A function of the settings, the ClientHello and the session that it asks for.

use std::sync::Arc;

use ssl_provider::{CipherMode, CipherSuiteInfo, ProtocolVersion};
use ssl_provider_wire::{
    Alert, ClientHello, EMPTY_RENEGOTIATION_INFO_SCSV, ExtensionType, Extensions, FALLBACK_SCSV,
    ServerHello, put_extension,
};

use crate::refusal::{Cause, Refusal};
use crate::session::Session;
use crate::settings::Settings;

/// What was negotiated.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) protocol: ProtocolVersion,
    pub(crate) suite: &'static CipherSuiteInfo,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    /// Whether the client supports secure renegotiation (RFC 5746).
    pub(crate) secure_renegotiation: bool,
    /// The session to resume.
    pub(crate) resumed: Option<Arc<Session>>,
}

impl Choice {
    /// Writes the ServerHello.
    pub(crate) fn put_server_hello(
        &self,
        out: &mut Vec<u8>,
        server_random: [u8; 32],
        session_id: &[u8],
    ) {
        let mut extensions = Vec::new();
        for (kind, data, is_agreed) in [
            (ExtensionType::ENCRYPT_THEN_MAC, &[][..], self.encrypt_then_mac),
            (ExtensionType::EXTENDED_MASTER_SECRET, &[], self.extended_master_secret),
            (ExtensionType::RENEGOTIATION_INFO, &[0], self.secure_renegotiation),
        ] {
            if is_agreed {
                put_extension(&mut extensions, kind, data);
            }
        }
        let hello = ServerHello {
            version: self.protocol.wire(),
            random: server_random,
            session_id,
            // Suites of TLS have numbers of two bytes.
            suite: u16::try_from(self.suite.id.0).unwrap_or_default(),
            compression: 0,
            extensions: Extensions::new(&extensions),
        };
        hello.put(out);
    }
}

/// Returns the parameters of the connection, or the alert for the hello and its cause.
pub(crate) fn choose(settings: &Settings, hello: &ClientHello<'_>) -> Result<Choice, Refusal> {
    let offered = ProtocolVersion(hello.version);
    let (protocol, suites) = version(settings, offered)?;
    let best = settings.usable.first().map(|(protocol, _)| *protocol);
    if hello.offers(FALLBACK_SCSV) && best.is_some_and(|best| best > offered) {
        return refused(Alert::InappropriateFallback, Cause::Fallback);
    }
    if !hello.offers_null_compression() {
        return refused(Alert::IllegalParameter, Cause::Compression);
    }
    // Must be empty in an initial handshake (RFC 5746 section 3.6).
    let renegotiated_connection = hello.extensions.renegotiated_connection();
    if renegotiated_connection.is_some_and(|connection| !connection.is_empty()) {
        return refused(Alert::HandshakeFailure, Cause::Renegotiation);
    }
    let secure_renegotiation =
        renegotiated_connection.is_some() || hello.offers(EMPTY_RENEGOTIATION_INFO_SCSV);
    // SSL 3.0 has neither extension, whatever the hello offers.
    let is_tls = protocol != ProtocolVersion::SSL3;
    let extended_master_secret = is_tls
        && settings.options.extended_master_secret
        && hello.extensions.has(ExtensionType::EXTENDED_MASTER_SECRET);
    let wants_encrypt_then_mac = is_tls
        && settings.options.encrypt_then_mac
        && hello.extensions.has(ExtensionType::ENCRYPT_THEN_MAC);
    let with = |suite: &'static CipherSuiteInfo, resumed| Choice {
        protocol,
        suite,
        extended_master_secret,
        // Not for stream and AEAD ciphers (RFC 7366 section 3).
        encrypt_then_mac: wants_encrypt_then_mac && suite.cipher.mode == CipherMode::Cbc,
        secure_renegotiation,
        resumed,
    };

    if let Some(session) = session(settings, hello, protocol, suites) {
        // RFC 7627 section 5.3: abort, or fall back to a full handshake.
        let resumes = match (session.extended_master_secret, extended_master_secret) {
            (true, false) => {
                let cause = Cause::SessionWithoutExtendedMasterSecret;
                return refused(Alert::HandshakeFailure, cause);
            }
            (false, true) => false,
            (true, true) | (false, false) => true,
        };
        let suite = session.master_key.suite();
        let choice = with(suite, Some(session));
        // A session must not be downgraded from encrypt-then-MAC (RFC 7366 section 3.1).
        let is_downgrade = choice
            .resumed
            .as_ref()
            .is_some_and(|session| session.encrypt_then_mac && !choice.encrypt_then_mac);
        if resumes && !is_downgrade {
            // "This vector MUST include at least the cipher_suite from that session"
            // (RFC 5246 section 7.4.1.2).
            return match offers(hello, suite) {
                true => Ok(choice),
                false => refused(Alert::IllegalParameter, Cause::SessionWithoutSuite),
            };
        }
    }
    match suites.iter().find(|suite| offers(hello, suite)) {
        Some(suite) => Ok(with(suite, None)),
        None => refused(Alert::HandshakeFailure, Cause::no_suite(protocol, hello)),
    }
}

fn refused<T>(alert: Alert, cause: Cause) -> Result<T, Refusal> {
    Err(Refusal { alert, cause })
}

/// Returns the highest version that both sides support (RFC 5246 appendix E.1), with its suites.
fn version(
    settings: &Settings,
    offered: ProtocolVersion,
) -> Result<(ProtocolVersion, &[&'static CipherSuiteInfo]), Refusal> {
    match settings.usable.iter().find(|(protocol, _)| *protocol <= offered) {
        Some((protocol, suites)) => Ok((*protocol, suites)),
        None => refused(Alert::ProtocolVersion, Cause::Version(offered)),
    }
}

/// Returns the session that the client asks for, if its version, suite and server name match.
fn session(
    settings: &Settings,
    hello: &ClientHello<'_>,
    protocol: ProtocolVersion,
    suites: &[&'static CipherSuiteInfo],
) -> Option<Arc<Session>> {
    let session = settings.sessions.as_ref()?.get(hello.session_id)?;
    let fits = session.master_key.version() == protocol
        && suites.iter().any(|suite| suite.id == session.master_key.suite().id)
        // A session belongs to its server name (RFC 6066 section 3).
        && session.server_name.as_deref() == hello.extensions.get(ExtensionType::SERVER_NAME);
    fits.then_some(session)
}

fn offers(hello: &ClientHello<'_>, suite: &CipherSuiteInfo) -> bool {
    u16::try_from(suite.id.0).is_ok_and(|id| hello.offers(id))
}
