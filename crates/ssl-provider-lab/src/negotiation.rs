//! Negotiation: version, suite, extensions, and whether a session is resumed.
//! A function of the settings, the ClientHello and the session that it asks for.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ssl_provider::{
    CipherMode, CipherSuiteInfo, FfdheGroup, NamedCurve, ProtocolVersion, SignatureScheme,
};
use ssl_provider_wire::{
    Alert, ClientHello, EMPTY_RENEGOTIATION_INFO_SCSV, ExtensionType, Extensions, FALLBACK_SCSV,
    Malformed, ServerHello, UNCOMPRESSED_POINTS, put_extension, put_vec,
};

use crate::group::NamedGroup;
use crate::refusal::{Cause, Refusal};
use crate::session::Session;
use crate::settings::Settings;
use crate::signed_params::fixed_scheme;

/// What was negotiated.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    pub(crate) protocol: ProtocolVersion,
    pub(crate) suite: &'static CipherSuiteInfo,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    /// Whether the client supports secure renegotiation (RFC 5746).
    pub(crate) secure_renegotiation: bool,
    /// The verify_data of both sides in the handshake before this one; empty in the first.
    pub(crate) renegotiated_connection: Vec<u8>,
    /// The ephemeral key of a full handshake; `None` for RSA key exchange.
    pub(crate) ephemeral: Option<Ephemeral>,
    /// Whether the client lists its encodings of points.
    pub(crate) lists_point_formats: bool,
    /// The application protocol (RFC 7301).
    pub(crate) application_protocol: Option<String>,
    /// Whether the server sends a ticket before its Finished (RFC 5077).
    pub(crate) issues_ticket: bool,
    /// The session to resume.
    pub(crate) resumed: Option<Arc<Session>>,
}

/// The server's part of a key exchange with ephemeral keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ephemeral {
    pub(crate) group: NamedGroup,
    /// What the server signs its public key with.
    pub(crate) scheme: SignatureScheme,
    /// The number of the scheme where the message has it, which is in TLS 1.2.
    pub(crate) wire_scheme: Option<u16>,
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
        let mut protocol = Vec::new();
        if let Some(name) = &self.application_protocol {
            put_vec::<2>(&mut protocol, |out| {
                put_vec::<1>(out, |out| out.extend_from_slice(name.as_bytes()));
            });
        }
        let mut renegotiation_info = Vec::new();
        put_vec::<1>(&mut renegotiation_info, |out| {
            out.extend_from_slice(&self.renegotiated_connection);
        });
        let has_points = self.lists_point_formats && self.suite.key_exchange.is_ecdhe();
        for (kind, data, is_agreed) in [
            (ExtensionType::EC_POINT_FORMATS, &[1, UNCOMPRESSED_POINTS][..], has_points),
            (
                ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
                &protocol,
                self.application_protocol.is_some(),
            ),
            (ExtensionType::SESSION_TICKET, &[], self.issues_ticket),
            (ExtensionType::ENCRYPT_THEN_MAC, &[], self.encrypt_then_mac),
            (ExtensionType::EXTENDED_MASTER_SECRET, &[], self.extended_master_secret),
            (ExtensionType::RENEGOTIATION_INFO, &renegotiation_info, self.secure_renegotiation),
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

/// The handshake before a renegotiation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Previous<'a> {
    pub(crate) protocol: ProtocolVersion,
    pub(crate) extended_master_secret: bool,
    /// Whether this or an earlier one agreed on encrypt-then-MAC.
    pub(crate) encrypt_then_mac: bool,
    /// The verify_data of both sides.
    pub(crate) client_verify_data: &'a [u8],
    pub(crate) server_verify_data: &'a [u8],
}

/// Returns the parameters of the connection, or the alert for the hello and its cause. A hello that
/// renegotiates has to be of the client of the handshake before it (RFC 5746 section 3.7).
pub(crate) fn choose(
    settings: &Settings,
    hello: &ClientHello<'_>,
    previous: Option<Previous<'_>>,
) -> Result<Choice, Refusal> {
    let best = settings.usable.first().map(|(protocol, _)| *protocol);
    let (offered, (protocol, suites)) = version(settings, hello)?;
    if hello.offers(FALLBACK_SCSV) && best.is_some_and(|best| best > offered) {
        return refused(Alert::InappropriateFallback, Cause::Fallback);
    }
    if !hello.offers_null_compression() {
        return refused(Alert::IllegalParameter, Cause::Compression);
    }
    let secure_renegotiation = check_binding(hello, protocol, previous)?;
    let renegotiated_connection = previous.map_or_else(Vec::new, |previous| {
        [previous.client_verify_data, previous.server_verify_data].concat()
    });
    // SSL 3.0 has neither extension, whatever the hello offers.
    let is_tls = protocol != ProtocolVersion::SSL3;
    let extended_master_secret = is_tls
        && settings.options.extended_master_secret
        && hello.extensions.has(ExtensionType::EXTENDED_MASTER_SECRET);
    // Dropping it would undo the binding of the master secret to the handshake.
    if previous.is_some_and(|previous| previous.extended_master_secret) && !extended_master_secret {
        return Err(Alert::HandshakeFailure.into());
    }
    let wants_encrypt_then_mac = is_tls
        && settings.options.encrypt_then_mac
        && hello.extensions.has(ExtensionType::ENCRYPT_THEN_MAC);
    // No renegotiation goes back to MAC-then-encrypt (RFC 7366 section 3.1).
    let needs_encrypt_then_mac = previous.is_some_and(|previous| previous.encrypt_then_mac);
    let goes_back = |suite: &CipherSuiteInfo| {
        needs_encrypt_then_mac && !wants_encrypt_then_mac && suite.cipher.mode == CipherMode::Cbc
    };
    let capabilities = Capabilities::of(hello, protocol, suites)?;
    let application_protocol = match is_tls {
        true => application_protocol(&settings.options.application_protocols, hello)?,
        false => None,
    };
    let takes_tickets =
        is_tls && settings.tickets.is_some() && hello.extensions.has(ExtensionType::SESSION_TICKET);
    let with = |suite: &'static CipherSuiteInfo, resumed: Option<_>| Choice {
        protocol,
        suite,
        extended_master_secret,
        // Not for stream and AEAD ciphers (RFC 7366 section 3).
        encrypt_then_mac: wants_encrypt_then_mac && suite.cipher.mode == CipherMode::Cbc,
        secure_renegotiation,
        renegotiated_connection: renegotiated_connection.clone(),
        ephemeral: None,
        lists_point_formats: capabilities.lists_point_formats,
        application_protocol: application_protocol.clone(),
        issues_ticket: takes_tickets && resumed.is_none(),
        resumed,
    };

    if let Some(session) = session(settings, hello, protocol, suites) {
        let suite = session.master_key.suite();
        // RFC 7627 section 5.3: abort, or fall back to a full handshake.
        let is_same = session.extended_master_secret == extended_master_secret;
        if session.extended_master_secret && !is_same {
            let cause = Cause::SessionWithoutExtendedMasterSecret;
            return refused(Alert::HandshakeFailure, cause);
        }
        // A session must not be downgraded from encrypt-then-MAC (RFC 7366 section 3.1).
        let had_encrypt_then_mac = session.encrypt_then_mac;
        let choice = with(suite, Some(session));
        let is_downgrade = had_encrypt_then_mac && !choice.encrypt_then_mac;
        if is_same && !is_downgrade && !goes_back(suite) {
            // "This vector MUST include at least the cipher_suite from that session"
            // (RFC 5246 section 7.4.1.2).
            return match offers(hello, suite) {
                true => Ok(choice),
                false => refused(Alert::IllegalParameter, Cause::SessionWithoutSuite),
            };
        }
    }
    let mut cause = None;
    for suite in suites.iter().filter(|suite| offers(hello, suite) && !goes_back(suite)) {
        match capabilities.ephemeral(settings, protocol, suite) {
            Ok(ephemeral) => return Ok(Choice { ephemeral, ..with(suite, None) }),
            // That of the most preferred suite.
            Err(missing) => cause = cause.or(Some(missing)),
        }
    }
    refused(Alert::HandshakeFailure, cause.unwrap_or_else(|| Cause::no_suite(protocol, hello)))
}

/// Checks that a hello is bound to the handshake before it, or to none (RFC 5746), and returns
/// whether the client supports that. A hello that renegotiates came encrypted, so its refusal has
/// no cause.
fn check_binding(
    hello: &ClientHello<'_>,
    protocol: ProtocolVersion,
    previous: Option<Previous<'_>>,
) -> Result<bool, Refusal> {
    let received = hello.extensions.renegotiated_connection();
    let signals = hello.offers(EMPTY_RENEGOTIATION_INFO_SCSV);
    match previous {
        // RFC 5746 section 3.6.
        None if received.is_none_or(<[u8]>::is_empty) => Ok(received.is_some() || signals),
        None => refused(Alert::HandshakeFailure, Cause::Renegotiation),
        // RFC 5746 section 3.7.
        Some(previous) if signals || received != Some(previous.client_verify_data) => {
            Err(Alert::HandshakeFailure.into())
        }
        Some(previous) if previous.protocol != protocol => Err(Alert::ProtocolVersion.into()),
        Some(_) => Ok(true),
    }
}

/// Returns the server's first protocol that the client offers. A server without protocols passes
/// over the extension; one that has some refuses a client that offers none of them (RFC 7301
/// section 3.2).
pub(crate) fn application_protocol(
    known: &[String],
    hello: &ClientHello<'_>,
) -> Result<Option<String>, Refusal> {
    if known.is_empty() {
        return Ok(None);
    }
    let Some(offered) = hello.extensions.application_protocols()? else { return Ok(None) };
    match known.iter().find(|name| offered.contains(&name.as_bytes())) {
        Some(name) => Ok(Some(name.clone())),
        None => refused(Alert::NoApplicationProtocol, Cause::ApplicationProtocol),
    }
}

/// What a client supports for ephemeral keys. Its lists are read only where a suite depends on
/// them.
#[derive(Debug, Default)]
struct Capabilities {
    groups: Option<Vec<u16>>,
    lists_point_formats: bool,
    has_uncompressed: bool,
    schemes: Option<Vec<u16>>,
}

impl Capabilities {
    fn of(
        hello: &ClientHello<'_>,
        protocol: ProtocolVersion,
        suites: &[&'static CipherSuiteInfo],
    ) -> Result<Self, Refusal> {
        let has_ecdhe = suites.iter().any(|suite| suite.key_exchange.is_ecdhe());
        if !has_ecdhe && !suites.iter().any(|suite| suite.key_exchange.is_dhe()) {
            return Ok(Self::default());
        }
        let groups = hello.extensions.numbers(ExtensionType::SUPPORTED_GROUPS)?;
        let point_formats = match has_ecdhe {
            true => hello.extensions.point_formats()?,
            false => None,
        };
        let has_uncompressed = point_formats.is_none_or(|list| list.contains(&UNCOMPRESSED_POINTS));
        // RFC 8422 section 5.1.2, about its own curves: P-256 to P-521, X25519 and X448.
        let is_of_rfc_8422 = |group: &u16| matches!(group, 23..=25 | 29 | 30);
        if !has_uncompressed && groups.iter().flatten().any(is_of_rfc_8422) {
            return refused(Alert::IllegalParameter, Cause::PointFormats);
        }
        let schemes = match protocol {
            ProtocolVersion::TLS1_2 => {
                hello.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS)?
            }
            _ => None,
        };
        let lists_point_formats = point_formats.is_some();
        Ok(Self { groups, lists_point_formats, has_uncompressed, schemes })
    }

    /// Returns group and signature scheme for a suite; `None` for one with RSA key exchange.
    fn ephemeral(
        &self,
        settings: &Settings,
        protocol: ProtocolVersion,
        suite: &CipherSuiteInfo,
    ) -> Result<Option<Ephemeral>, Cause> {
        let exchange = suite.key_exchange;
        if exchange.is_rsa() {
            return Ok(None);
        }
        let group = match exchange.is_ecdhe() {
            true => self.curve(&settings.curves).map(NamedGroup::Curve),
            false => self.finite_field().map(NamedGroup::FiniteField),
        };
        let group = group.ok_or(Cause::Group)?;
        let signer = settings.identity.signer(exchange).ok_or(Cause::SignatureScheme)?;
        // The certificate's curve has to be one of the client's too (RFC 8422 section 5.3).
        if !signer.curve().is_none_or(|curve| self.has_curve(curve)) {
            return Err(Cause::Group);
        }
        let is_rsa = signer.curve().is_none();
        let fixed = fixed_scheme(protocol, is_rsa);
        let scheme = match fixed {
            Some(fixed) => signer.schemes.contains(&fixed).then_some(fixed),
            None => self.scheme(&signer.schemes, is_rsa),
        };
        let scheme = scheme.ok_or(Cause::SignatureScheme)?;
        let wire_scheme = scheme.wire().filter(|_| fixed.is_none());
        Ok(Some(Ephemeral { group, scheme, wire_scheme }))
    }

    /// Returns the server's first curve that the client has. A client without a list is old, and
    /// may have any (RFC 8422 section 4); P-256 is the one that it most likely has.
    fn curve(&self, curves: &[NamedCurve]) -> Option<NamedCurve> {
        let has = |curve: &NamedCurve| match &self.groups {
            Some(groups) => groups.contains(&curve.wire()),
            None => *curve == NamedCurve::Secp256r1,
        };
        curves.iter().copied().find(has).filter(|_| self.has_uncompressed)
    }

    fn has_curve(&self, curve: NamedCurve) -> bool {
        self.groups.as_ref().is_none_or(|groups| groups.contains(&curve.wire()))
    }

    /// Returns the smallest finite field that the client has. One that lists none takes any; one
    /// that lists unknown ones only takes no other (RFC 7919 section 4).
    fn finite_field(&self) -> Option<FfdheGroup> {
        let mut listed =
            self.groups.iter().flatten().filter(|group| FINITE_FIELDS.contains(group)).peekable();
        if listed.peek().is_none() {
            return Some(FfdheGroup::Ffdhe2048);
        }
        listed.filter_map(|group| FfdheGroup::from_wire(*group)).min_by_key(|group| group.bits())
    }

    /// Returns the server's first scheme that the client has. A client without a list has SHA-1
    /// (RFC 5246 section 7.4.1.4.1).
    fn scheme(&self, schemes: &[SignatureScheme], is_rsa: bool) -> Option<SignatureScheme> {
        let default = if is_rsa { SignatureScheme::RsaSha1 } else { SignatureScheme::EcdsaSha1 };
        let has = |scheme: &SignatureScheme| match &self.schemes {
            Some(offered) => scheme.wire().is_some_and(|number| offered.contains(&number)),
            None => *scheme == default,
        };
        schemes.iter().copied().find(has)
    }
}

/// Numbers of finite fields, known or not (RFC 7919 section 4).
const FINITE_FIELDS: RangeInclusive<u16> = 256..=511;

pub(crate) fn refused<T>(alert: Alert, cause: Cause) -> Result<T, Refusal> {
    Err(Refusal { alert, cause: Some(cause) })
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self { alert: malformed.alert, cause: None }
    }
}

/// Returns the highest version that the client offers, and the highest below TLS 1.3 that both
/// sides support (RFC 5246 appendix E.1), with its suites. A server of TLS 1.3 goes by the list of
/// supported_versions alone, if there is one (RFC 8446 section 4.2.1); others do not know it.
fn version<'a>(
    settings: &'a Settings,
    hello: &ClientHello<'_>,
) -> Result<(ProtocolVersion, (ProtocolVersion, &'a [&'static CipherSuiteInfo])), Refusal> {
    let listed = match settings.tls13_suites() {
        Some(_) => hello.extensions.supported_versions()?,
        None => None,
    };
    let known = |number: &u16| ProtocolVersion::ALL.contains(&ProtocolVersion(*number));
    let offered = match &listed {
        Some(list) => list.iter().copied().filter(known).max().unwrap_or_default(),
        // There is no TLS 1.3 without the list.
        None if settings.tls13_suites().is_some() => hello.version.min(TLS1_2.wire()),
        None => hello.version,
    };
    let offered = ProtocolVersion(offered);
    let is_offered = |protocol: ProtocolVersion| match &listed {
        Some(list) => list.contains(&protocol.wire()),
        None => protocol <= offered,
    };
    let mut usable = settings.usable.iter();
    match usable.find(|(protocol, _)| *protocol <= TLS1_2 && is_offered(*protocol)) {
        Some((protocol, suites)) => Ok((offered, (*protocol, suites))),
        None => refused(Alert::ProtocolVersion, Cause::Version(offered)),
    }
}

const TLS1_2: ProtocolVersion = ProtocolVersion::TLS1_2;

/// Returns the session that the client asks for, if its version, suite and server name match. A
/// client that sends a ticket does not ask for a session of the cache (RFC 5077 section 3.4).
fn session(
    settings: &Settings,
    hello: &ClientHello<'_>,
    protocol: ProtocolVersion,
    suites: &[&'static CipherSuiteInfo],
) -> Option<Arc<Session>> {
    let ticket = hello.extensions.session_ticket().filter(|_| protocol != ProtocolVersion::SSL3);
    let session = match (&settings.tickets, ticket) {
        (Some(tickets), Some(ticket)) => Arc::new(tickets.open(&settings.provider, ticket)?),
        _ => settings.sessions.as_ref()?.get(hello.session_id)?,
    };
    let fits = session.master_key.version() == protocol
        && suites.iter().any(|suite| suite.id == session.master_key.suite().id)
        // A session belongs to its server name (RFC 6066 section 3).
        && session.server_name.as_deref() == hello.extensions.get(ExtensionType::SERVER_NAME);
    fits.then_some(session)
}

pub(crate) fn offers(hello: &ClientHello<'_>, suite: &CipherSuiteInfo) -> bool {
    u16::try_from(suite.id.0).is_ok_and(|id| hello.offers(id))
}
