//! The hellos of a client: what it offers, and the checks of what the server chose from that.
//! A server that chooses anything else is refused.

use std::sync::Arc;

use ssl_provider::{
    CipherAlgorithm, CipherMode, CipherSuite, CipherSuiteInfo, Error, ProtocolVersion,
};
use ssl_provider_wire::{
    Alert, DOWNGRADE_FROM_TLS_1_2, EMPTY_RENEGOTIATION_INFO_SCSV, ExtensionType, Extensions,
    FALLBACK_SCSV, HandshakeType, ServerHello, UNCOMPRESSED_POINTS, put_extension, put_message,
    put_vec,
};

use crate::client::fault::{Refused, ServerFault, refuse};
use crate::client::session::{ClientSession, Resumption};
use crate::client::settings::ClientSettings;
use crate::group::NamedGroup;

/// What a ClientHello offers.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) random: [u8; 32],
    /// The name or address that the connection is for.
    pub(super) server_name: Option<String>,
    /// The session that is offered, and by what.
    session: Option<(Arc<ClientSession>, Resumption)>,
    session_id: Vec<u8>,
    extensions: Vec<ExtensionType>,
    /// The message.
    pub(super) message: Vec<u8>,
}

/// What the hellos negotiated.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) protocol: ProtocolVersion,
    pub(super) suite: &'static CipherSuiteInfo,
    pub(super) server_random: [u8; 32],
    /// The id of the session; empty if the server keeps none.
    pub(super) session_id: Vec<u8>,
    pub(super) extended_master_secret: bool,
    pub(super) encrypt_then_mac: bool,
    pub(super) secure_renegotiation: bool,
    /// Whether the server will send a NewSessionTicket.
    pub(super) sends_ticket: bool,
    pub(super) application_protocol: Option<Vec<u8>>,
    pub(super) resumed: Option<(Arc<ClientSession>, Resumption)>,
}

impl Offer {
    /// Makes a ClientHello, with a session if it is one for this server. `host_name` is the server
    /// name if it is not an address.
    pub(super) fn new(
        settings: &Arc<ClientSettings>,
        server_name: Option<&str>,
        host_name: Option<&str>,
        session: Option<Arc<ClientSession>>,
    ) -> Result<Self, Error> {
        let random_bytes = |out: &mut [u8]| settings.provider.backend().random().fill(out);
        let mut random = [0; 32];
        random_bytes(&mut random)?;
        let session = session.filter(|session| session.is_for(settings, server_name));
        let (mut session_id, mut ticket) = (Vec::new(), Vec::new());
        let session = match session {
            Some(session) => match session.good_ticket(settings) {
                Some(good) => {
                    // An id of our own, which the server repeats if it takes the ticket (RFC 5077
                    // section 3.4).
                    session_id = vec![0; 32];
                    random_bytes(&mut session_id)?;
                    ticket.clone_from(&good.bytes);
                    Some((session, Resumption::Ticket))
                }
                None => {
                    session_id.clone_from(&session.id);
                    Some((session, Resumption::Id))
                }
            },
            None => None,
        };
        let mut offer = Self {
            random,
            server_name: server_name.map(str::to_owned),
            session,
            session_id,
            extensions: Vec::new(),
            message: Vec::new(),
        };
        let mut list = Vec::new();
        // SSL 3.0 has no extensions; its servers need not skip them.
        if settings.highest() > ProtocolVersion::SSL3 {
            offer.put_extensions(settings, host_name, &ticket, &mut list);
        }
        offer.put(settings, &list);
        Ok(offer)
    }

    /// Returns the session that is offered.
    pub(super) fn session(&self) -> Option<&Arc<ClientSession>> {
        self.session.as_ref().map(|(session, _)| session)
    }

    /// Writes the message.
    fn put(&mut self, settings: &ClientSettings, extensions: &[u8]) {
        let mut message = Vec::new();
        put_message(&mut message, HandshakeType::CLIENT_HELLO, |out| {
            out.extend(settings.highest().wire().to_be_bytes());
            out.extend(self.random);
            put_vec::<1>(out, |out| out.extend_from_slice(&self.session_id));
            put_vec::<2>(out, |out| {
                let suites = settings.suites.iter().filter_map(|it| u16::try_from(it.id.0).ok());
                // In place of the extension, since some old servers reject that (RFC 5746
                // section 3.3).
                let signals = [
                    (EMPTY_RENEGOTIATION_INFO_SCSV, true),
                    (FALLBACK_SCSV, settings.options.fallback),
                ];
                let signals = signals.into_iter().filter(|(_, is_sent)| *is_sent);
                let all = suites.chain(signals.map(|(signal, _)| signal));
                out.extend(all.flat_map(u16::to_be_bytes));
            });
            put_vec::<1>(out, |out| out.push(0));
            if !extensions.is_empty() {
                put_vec::<2>(out, |out| out.extend_from_slice(extensions));
            }
        });
        self.message = message;
    }

    /// Writes the extensions. An empty one is not the last, which some old servers reject.
    fn put_extensions(
        &mut self,
        settings: &ClientSettings,
        host_name: Option<&str>,
        ticket: &[u8],
        list: &mut Vec<u8>,
    ) {
        let options = &settings.options;
        let mut put = |kind, data: &[u8]| {
            put_extension(list, kind, data);
            self.extensions.push(kind);
        };
        let vec = |len_bytes: u8, content: &[u8]| {
            let mut out = Vec::new();
            let content = |out: &mut Vec<u8>| out.extend_from_slice(content);
            match len_bytes {
                1 => put_vec::<1>(&mut out, content),
                _ => put_vec::<2>(&mut out, content),
            }
            out
        };
        if let Some(name) = host_name {
            const HOST_NAME: u8 = 0;
            let entry = [&[HOST_NAME][..], &vec(2, name.as_bytes())].concat();
            put(ExtensionType::SERVER_NAME, &vec(2, &entry));
        }
        if options.extended_master_secret {
            put(ExtensionType::EXTENDED_MASTER_SECRET, &[]);
        }
        let is_cbc = |suite: &&CipherSuiteInfo| suite.cipher.mode == CipherMode::Cbc;
        if options.encrypt_then_mac && settings.suites.iter().copied().any(|it| is_cbc(&it)) {
            put(ExtensionType::ENCRYPT_THEN_MAC, &[]);
        }
        if options.session_tickets {
            put(ExtensionType::SESSION_TICKET, ticket);
        }
        if !options.protocols.is_empty() {
            let names: Vec<u8> = options.protocols.iter().flat_map(|name| vec(1, name)).collect();
            put(ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, &vec(2, &names));
        }
        let numbers = |numbers: Vec<u16>| {
            vec(2, &numbers.into_iter().flat_map(u16::to_be_bytes).collect::<Vec<u8>>())
        };
        let any = |is_wanted: fn(&CipherSuiteInfo) -> bool| {
            settings.suites.iter().any(|suite| is_wanted(suite))
        };
        let (ecdhe, dhe) =
            (any(|it| it.key_exchange.is_ecdhe()), any(|it| it.key_exchange.is_dhe()));
        // Servers look up the curve of a client certificate in the list too.
        let signs_on_curve =
            settings.identity.as_ref().is_some_and(|identity| identity.key.curve().is_some());
        let groups = settings.groups.iter().filter(|group| match group {
            NamedGroup::Curve(_) => ecdhe || (dhe && signs_on_curve),
            NamedGroup::FiniteField(_) => dhe,
        });
        let groups: Vec<u16> = groups.map(|group| group.wire()).collect();
        if ecdhe {
            put(ExtensionType::EC_POINT_FORMATS, &vec(1, &[UNCOMPRESSED_POINTS]));
        }
        if !groups.is_empty() {
            put(ExtensionType::SUPPORTED_GROUPS, &numbers(groups));
        }
        // Older versions do not have it (RFC 5246 section 7.4.1.4.1).
        let schemes: Vec<u16> = settings.schemes.iter().filter_map(|it| it.wire()).collect();
        if settings.highest() == ProtocolVersion::TLS1_2 && !schemes.is_empty() {
            put(ExtensionType::SIGNATURE_ALGORITHMS, &numbers(schemes));
        }
    }

    /// Returns what the server chose, if it was offered.
    pub(super) fn check(
        &self,
        settings: &ClientSettings,
        hello: &ServerHello<'_>,
    ) -> Result<Choice, Refused> {
        let protocol = ProtocolVersion(hello.version);
        let is_known = ProtocolVersion::ALL.contains(&protocol);
        if !is_known || !settings.options.versions.contains(&protocol) {
            return refuse(Alert::ProtocolVersion, ServerFault::Version(protocol));
        }
        if settings.highest() == ProtocolVersion::TLS1_2
            && protocol < ProtocolVersion::TLS1_2
            && hello.random.ends_with(&DOWNGRADE_FROM_TLS_1_2)
        {
            return refuse(Alert::IllegalParameter, ServerFault::Downgrade(protocol));
        }
        let suite = CipherSuite(hello.suite.into());
        let offered = settings.suites.iter().find(|offered| offered.id == suite);
        let Some(suite) = offered.filter(|suite| settings.allows(protocol, suite)) else {
            return refuse(Alert::IllegalParameter, ServerFault::Suite(suite, protocol));
        };
        if hello.compression != 0 {
            let fault = ServerFault::Compression(hello.compression);
            return refuse(Alert::IllegalParameter, fault);
        }
        self.check_extensions(protocol, hello.extensions)?;
        let encrypt_then_mac = hello.extensions.has(ExtensionType::ENCRYPT_THEN_MAC);
        // RFC 7366 section 3. OpenSSL chooses it without encryption too, where it makes no
        // difference.
        let (is_cbc, is_null) =
            (suite.cipher.mode == CipherMode::Cbc, suite.cipher.algorithm == CipherAlgorithm::Null);
        if encrypt_then_mac && !is_cbc && !is_null {
            return refuse(Alert::IllegalParameter, ServerFault::EncryptThenMac(suite.id));
        }
        let secure_renegotiation = match hello.extensions.renegotiated_connection() {
            // RFC 5746 section 3.4.
            Some(connection) if !connection.is_empty() => {
                return refuse(Alert::HandshakeFailure, ServerFault::Renegotiation);
            }
            connection => connection.is_some(),
        };
        let choice = Choice {
            protocol,
            suite,
            server_random: hello.random,
            session_id: hello.session_id.to_vec(),
            extended_master_secret: hello.extensions.has(ExtensionType::EXTENDED_MASTER_SECRET),
            encrypt_then_mac: encrypt_then_mac && is_cbc,
            secure_renegotiation,
            sends_ticket: hello.extensions.has(ExtensionType::SESSION_TICKET),
            application_protocol: application_protocol(settings, hello.extensions)?,
            resumed: self.resumed(hello.session_id),
        };
        check_resumption(&choice)?;
        Ok(choice)
    }

    /// A server sends no extension that the client did not (RFC 5246 section 7.4.1.4). To offer
    /// secure renegotiation, a suite stands for the extension.
    fn check_extensions(
        &self,
        protocol: ProtocolVersion,
        extensions: Extensions<'_>,
    ) -> Result<(), Refused> {
        for kind in extensions.kinds() {
            let is_offered = kind == ExtensionType::RENEGOTIATION_INFO
                || (protocol > ProtocolVersion::SSL3 && self.extensions.contains(&kind));
            if !is_offered {
                return refuse(Alert::UnsupportedExtension, ServerFault::Extension(kind.0));
            }
            if kind == ExtensionType::SIGNATURE_ALGORITHMS {
                return refuse(Alert::IllegalParameter, ServerFault::ExtensionOfClient(kind.0));
            }
        }
        let formats = extensions.point_formats();
        let formats = formats.map_err(|why| Refused::malformed("ServerHello", why))?;
        match formats.is_none_or(|formats| formats.contains(&UNCOMPRESSED_POINTS)) {
            true => Ok(()),
            false => refuse(Alert::IllegalParameter, ServerFault::PointFormats),
        }
    }

    /// Returns the session that the server resumes, which it tells by its id.
    fn resumed(&self, session_id: &[u8]) -> Option<(Arc<ClientSession>, Resumption)> {
        let is_resumed = !session_id.is_empty() && session_id == self.session_id;
        self.session.clone().filter(|_| is_resumed)
    }
}

/// Checks that a session goes on as it was.
fn check_resumption(choice: &Choice) -> Result<(), Refused> {
    let Some((session, _)) = &choice.resumed else { return Ok(()) };
    let is_same = session.master_key.version() == choice.protocol
        && session.master_key.suite().id == choice.suite.id;
    if !is_same {
        return refuse(Alert::IllegalParameter, ServerFault::ResumedOtherwise);
    }
    // RFC 7627 section 5.3.
    if session.extended_master_secret != choice.extended_master_secret {
        return refuse(Alert::HandshakeFailure, ServerFault::ResumedExtendedMasterSecret);
    }
    // RFC 7366 section 3.1.
    if session.encrypt_then_mac && !choice.encrypt_then_mac {
        return refuse(Alert::HandshakeFailure, ServerFault::ResumedEncryptThenMac);
    }
    Ok(())
}

/// Returns the application protocol that the server chose: one, of those that were offered
/// (RFC 7301 section 3.1).
fn application_protocol(
    settings: &ClientSettings,
    extensions: Extensions<'_>,
) -> Result<Option<Vec<u8>>, Refused> {
    let list = extensions.application_protocols();
    let list = list.map_err(|why| Refused::malformed("ServerHello", why))?;
    let name = match list.as_deref() {
        None => return Ok(None),
        Some(&[name]) => name,
        Some(_) => {
            return Err(Refused::malformed("ServerHello", "several application protocols"));
        }
    };
    if !settings.options.protocols.iter().any(|offered| offered == name) {
        let name = name.escape_ascii().to_string();
        return refuse(Alert::IllegalParameter, ServerFault::Protocol(name));
    }
    Ok(Some(name.to_vec()))
}
