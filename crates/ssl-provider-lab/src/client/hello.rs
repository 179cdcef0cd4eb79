//! The hellos of a client: what it offers, and the checks of what the server chose from that.
//! A server that chooses anything else is refused.

use std::sync::Arc;

use ssl_provider::tls13::{ExporterSecret, PreSharedKey, PskKind, Tls13Parameters, TrafficSecret};
use ssl_provider::{
    CipherAlgorithm, CipherMode, CipherSuite, CipherSuiteInfo, EphemeralKey, Error, HandshakeHash,
    ProtocolVersion,
};
use ssl_provider_wire::{
    Alert, DOWNGRADE_FROM_TLS_1_2, DOWNGRADE_FROM_TLS_1_3, EMPTY_RENEGOTIATION_INFO_SCSV,
    ExtensionType, Extensions, FALLBACK_SCSV, HandshakeType, KeyShare, PskIdentity, PskMode,
    ServerHello, UNCOMPRESSED_POINTS, put_extension, put_message, put_psks, put_vec,
};

use crate::client::fault::{Refused, ServerFault, refuse};
use crate::client::session::{ClientSession, Resumption};
use crate::client::settings::ClientSettings;
use crate::client::tls13::suite_of_psk;
use crate::group::NamedGroup;
use crate::tls13::psk::ExternalPsk;

/// What a ClientHello offers.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) random: [u8; 32],
    /// The name or address that the connection is for.
    pub(super) server_name: Option<String>,
    /// The same if it is not an address.
    host_name: Option<String>,
    /// The ticket of TLS 1.2 that is offered; may be empty.
    ticket: Vec<u8>,
    tls13: Tls13Offer,
    /// The session that is offered, and by what.
    session: Option<(Arc<ClientSession>, Resumption)>,
    session_id: Vec<u8>,
    extensions: Vec<ExtensionType>,
    /// The message.
    pub(super) message: Vec<u8>,
}

/// What a ClientHello offers besides in TLS 1.3; nothing if that is not offered.
#[derive(Debug, Default)]
struct Tls13Offer {
    /// The keys whose public keys are sent.
    keys: Vec<(NamedGroup, EphemeralKey)>,
    psks: Vec<OfferedPsk>,
    /// Extensions that are of TLS 1.3, and those of every version.
    extensions: Vec<ExtensionType>,
    cookie: Vec<u8>,
    early_data: bool,
    retry: Option<Retry>,
}

/// What a HelloRetryRequest has fixed.
#[derive(Debug)]
struct Retry {
    suite: CipherSuite,
    /// Up to HelloRetryRequest.
    transcript: HandshakeHash,
}

/// A pre-shared key that is offered.
#[derive(Debug)]
pub(super) struct OfferedPsk {
    pub(super) key: Arc<PreSharedKey>,
    /// The session that it comes from; none for one that was agreed outside TLS.
    pub(super) session: Option<Arc<ClientSession>>,
    identity: Vec<u8>,
}

impl OfferedPsk {
    fn kind(&self) -> PskKind {
        match self.session {
            Some(_) => PskKind::Resumption,
            None => PskKind::External,
        }
    }
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
        let mut psks = Vec::new();
        let session = match session {
            Some(session) => match (session.tls13(), session.good_ticket(settings)) {
                (Some(tls13), _) => {
                    if settings.offers_tls13() {
                        psks.push(OfferedPsk {
                            key: Arc::clone(&tls13.psk),
                            identity: tls13.bytes.clone(),
                            session: Some(session),
                        });
                    }
                    None
                }
                (None, Some(good)) => {
                    // An id of our own, which the server repeats if it takes the ticket (RFC 5077
                    // section 3.4).
                    session_id = vec![0; 32];
                    random_bytes(&mut session_id)?;
                    ticket.clone_from(&good.bytes);
                    Some((session, Resumption::Ticket))
                }
                (None, None) => {
                    session_id.clone_from(&session.id);
                    Some((session, Resumption::Id))
                }
            },
            None => None,
        };
        let mut tls13 = Tls13Offer::default();
        if settings.offers_tls13() {
            // With an id, TLS 1.3 looks like a resumed session of TLS 1.2 to middleboxes (RFC 8446
            // appendix D.4).
            if session_id.is_empty() {
                session_id = vec![0; 32];
                random_bytes(&mut session_id)?;
            }
            let has_suite = |psk: &&Arc<ExternalPsk>| {
                settings.suites.iter().any(|suite| {
                    settings.allows(ProtocolVersion::TLS1_3, suite)
                        && suite.prf.hash() == Some(psk.hash())
                })
            };
            if let Some(psk) = settings.options.external_psk.as_ref().filter(has_suite) {
                let (key, identity) = (Arc::clone(&psk.key), psk.identity.clone());
                psks.push(OfferedPsk { key, identity, session: None });
            }
            tls13.early_data = settings.options.early_data
                && psks.first().and_then(|psk| psk.session.as_ref()?.tls13()).is_some_and(|it| {
                    it.max_early_data > 0
                        && settings.suites.iter().any(|suite| suite.id == it.suite.id)
                });
            tls13.psks = psks;
            // The group that holds against a quantum computer, and one that most servers have.
            let is_hybrid = |group: &NamedGroup| matches!(group, NamedGroup::Hybrid(_));
            let hybrid = settings.tls13_groups().find(is_hybrid);
            let other = settings.tls13_groups().find(|group| !is_hybrid(group));
            for group in hybrid.into_iter().chain(other) {
                let key = settings.provider.generate_ephemeral_key(group.group())?;
                tls13.keys.push((group, key));
            }
        }
        let mut offer = Self {
            random,
            server_name: server_name.map(str::to_owned),
            host_name: host_name.map(str::to_owned),
            ticket,
            tls13,
            session,
            session_id,
            extensions: Vec::new(),
            message: Vec::new(),
        };
        offer.write(settings)?;
        Ok(offer)
    }

    /// Writes the message with everything that is offered.
    fn write(&mut self, settings: &ClientSettings) -> Result<(), Error> {
        self.extensions.clear();
        self.tls13.extensions.clear();
        let mut list = Vec::new();
        let has_extensions = settings.highest() > ProtocolVersion::SSL3 || settings.offers_tls13();
        // SSL 3.0 has no extensions; its servers need not skip them.
        if has_extensions {
            self.put_extensions(settings, &mut list);
        }
        if settings.offers_tls13() {
            self.put_tls13_extensions(settings, &mut list);
        }
        self.put(settings, &list);
        self.fill_binders(settings)
    }

    /// Returns the session that is offered.
    pub(super) fn session(&self) -> Option<&Arc<ClientSession>> {
        let psk = self.tls13.psks.first().and_then(|psk| psk.session.as_ref());
        self.session.as_ref().map(|(session, _)| session).or(psk)
    }

    /// Returns the id of the session, which TLS 1.3 repeats.
    pub(super) fn session_id(&self) -> &[u8] {
        &self.session_id
    }

    /// Returns the extensions that TLS 1.3 may reply to.
    pub(super) fn tls13_extensions(&self) -> &[ExtensionType] {
        &self.tls13.extensions
    }

    /// Returns the suite of the HelloRetryRequest, if there was one.
    pub(super) fn retried(&self) -> Option<CipherSuite> {
        self.tls13.retry.as_ref().map(|retry| retry.suite)
    }

    /// Returns whether the public key of a group is sent.
    pub(super) fn has_key(&self, group: NamedGroup) -> bool {
        self.tls13.keys.iter().any(|(other, _)| *other == group)
    }

    /// Returns the private key of a group whose public key is sent.
    pub(super) fn take_key(&mut self, group: u16) -> Option<(NamedGroup, EphemeralKey)> {
        let index = self.tls13.keys.iter().position(|(other, _)| other.wire() == group)?;
        Some(self.tls13.keys.swap_remove(index))
    }

    /// Returns the pre-shared key of this index.
    pub(super) fn take_psk(&mut self, index: usize) -> Option<OfferedPsk> {
        (index < self.tls13.psks.len()).then(|| self.tls13.psks.swap_remove(index))
    }

    /// Returns the transcript up to this hello.
    pub(super) fn transcript(&self, parameters: &Tls13Parameters) -> Result<HandshakeHash, Error> {
        match &self.tls13.retry {
            Some(retry) => Ok(retry.transcript.duplicate()),
            None => parameters.transcript(),
        }
    }

    /// Returns what protects early data, and their most bytes; none if none are offered.
    pub(super) fn early_secret(
        &self,
        settings: &ClientSettings,
    ) -> Result<Option<(TrafficSecret, ExporterSecret, usize)>, Error> {
        let Some(psk) = self.tls13.psks.first().filter(|_| self.tls13.early_data) else {
            return Ok(None);
        };
        let Some(ticket) = psk.session.as_ref().and_then(|session| session.tls13()) else {
            return Ok(None);
        };
        let parameters = settings.provider.tls13_parameters(ticket.suite.id)?;
        let mut transcript = parameters.transcript()?;
        transcript.update(&self.message);
        let secret = parameters.early_secret(Some(&psk.key))?;
        let max = usize::try_from(ticket.max_early_data).unwrap_or(usize::MAX);
        let exporter = secret.exporter_secret(&transcript)?;
        Ok(Some((secret.traffic_secret(&transcript)?, exporter, max)))
    }

    /// Writes the second message (RFC 8446 section 4.1.2): with another public key, a cookie, or
    /// both, and without early data and pre-shared keys of another hash.
    pub(super) fn retry(
        &mut self,
        settings: &ClientSettings,
        parameters: &Tls13Parameters,
        transcript: HandshakeHash,
        group: Option<NamedGroup>,
        cookie: Option<&[u8]>,
    ) -> Result<(), Error> {
        let suite = parameters.suite().id;
        self.tls13.retry = Some(Retry { suite, transcript });
        self.tls13.psks.retain(|psk| psk.key.hash() == parameters.hash());
        self.tls13.early_data = false;
        self.tls13.cookie = cookie.unwrap_or_default().to_vec();
        if let Some(group) = group {
            let key = settings.provider.generate_ephemeral_key(group.group())?;
            self.tls13.keys = vec![(group, key)];
        }
        self.write(settings)
    }

    /// Writes the extensions of TLS 1.3; pre_shared_key is the last one (RFC 8446 section 4.2.11).
    fn put_tls13_extensions(&mut self, settings: &ClientSettings, list: &mut Vec<u8>) {
        let offer = &mut self.tls13;
        offer.extensions.clone_from(&self.extensions);
        let mut put = |kind, data: &[u8]| {
            put_extension(list, kind, data);
            offer.extensions.push(kind);
        };
        let mut data = Vec::new();
        put_vec::<1>(&mut data, |out| {
            let mut versions: Vec<_> = settings.versions().map(|version| version.wire()).collect();
            versions.reverse();
            out.extend(versions.into_iter().flat_map(u16::to_be_bytes));
        });
        put(ExtensionType::SUPPORTED_VERSIONS, &data);
        let mut data = Vec::new();
        put_vec::<2>(&mut data, |out| {
            for (group, key) in &offer.keys {
                KeyShare { group: group.wire(), public_key: key.public_key() }.put(out);
            }
        });
        put(ExtensionType::KEY_SHARE, &data);
        let alone = settings.options.psk_without_agreement;
        let modes = [PskMode::PSK_DHE_KE, PskMode::PSK_KE];
        let modes = modes.iter().filter(|mode| alone || **mode == PskMode::PSK_DHE_KE);
        if settings.options.session_tickets || !offer.psks.is_empty() {
            let mut data = Vec::new();
            put_vec::<1>(&mut data, |out| out.extend(modes.map(|mode| mode.0)));
            put(ExtensionType::PSK_KEY_EXCHANGE_MODES, &data);
        }
        if !offer.cookie.is_empty() {
            let mut data = Vec::new();
            put_vec::<2>(&mut data, |out| out.extend_from_slice(&offer.cookie));
            put(ExtensionType::COOKIE, &data);
        }
        if offer.early_data {
            put(ExtensionType::EARLY_DATA, &[]);
        }
        if !offer.psks.is_empty() {
            let psks = offer.psks.iter().map(|psk| {
                let ticket = psk.session.as_ref().and_then(|session| session.tls13());
                let age = ticket.map_or(0, |ticket| ticket.obfuscated_age());
                let identity = PskIdentity { identity: &psk.identity, obfuscated_ticket_age: age };
                (identity, psk.key.hash().output_len())
            });
            let mut data = Vec::new();
            put_psks(&mut data, psks);
            put(ExtensionType::PRE_SHARED_KEY, &data);
        }
    }

    /// Writes the binders over the zeros in their place at the end of the message (RFC 8446 section
    /// 4.2.11.2).
    fn fill_binders(&mut self, settings: &ClientSettings) -> Result<(), Error> {
        let lens = self.tls13.psks.iter().map(|psk| 1 + psk.key.hash().output_len());
        let binders_len = 2 + lens.sum::<usize>();
        let covered = self.message.len().saturating_sub(binders_len);
        let mut place = covered + 2;
        for psk in &self.tls13.psks {
            let suite = suite_of_psk(settings, psk);
            let suite = suite.ok_or(Error::Internal("a pre-shared key without a suite"))?;
            let parameters = settings.provider.tls13_parameters(suite.id)?;
            let mut transcript = self.transcript(&parameters)?;
            transcript.update(self.message.get(..covered).unwrap_or_default());
            let mut binder = vec![0; parameters.hash_len()];
            let early = parameters.early_secret(Some(&psk.key))?;
            early.binder_key(psk.kind())?.binder(&transcript, &mut binder)?;
            let end = place + 1 + binder.len();
            let out = self.message.get_mut(place + 1..end).unwrap_or_default();
            out.copy_from_slice(&binder);
            place = end;
        }
        Ok(())
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
    fn put_extensions(&mut self, settings: &ClientSettings, list: &mut Vec<u8>) {
        let options = &settings.options;
        let (host_name, ticket) = (self.host_name.clone(), self.ticket.clone());
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
            put(ExtensionType::SESSION_TICKET, &ticket);
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
        let tls13: Vec<_> = match settings.offers_tls13() {
            true => settings.tls13_groups().collect(),
            false => Vec::new(),
        };
        let groups = settings.groups.iter().filter(|group| match group {
            _ if tls13.contains(group) => true,
            NamedGroup::Curve(_) => ecdhe || (dhe && signs_on_curve),
            NamedGroup::FiniteField(_) => dhe,
            NamedGroup::Hybrid(_) => false,
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
        let negotiates = settings.highest() == ProtocolVersion::TLS1_2 || settings.offers_tls13();
        if negotiates && !schemes.is_empty() {
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
        // A HelloRetryRequest has fixed TLS 1.3, and no older version authenticates it (RFC 8446
        // section 4.1.4).
        if self.tls13.retry.is_some() {
            return refuse(Alert::IllegalParameter, ServerFault::Version(protocol));
        }
        // TLS 1.3 is told by supported_versions.
        let is_known =
            ProtocolVersion::ALL.contains(&protocol) && protocol <= ProtocolVersion::TLS1_2;
        if !is_known || !settings.options.versions.contains(&protocol) {
            return refuse(Alert::ProtocolVersion, ServerFault::Version(protocol));
        }
        // Early data were sent in the belief that there is TLS 1.3 (RFC 8446 section D.3).
        if self.tls13.early_data {
            return refuse(Alert::ProtocolVersion, ServerFault::Version(protocol));
        }
        let marks: &[[u8; 8]] = match settings.highest() {
            _ if settings.offers_tls13() => &[DOWNGRADE_FROM_TLS_1_3, DOWNGRADE_FROM_TLS_1_2],
            ProtocolVersion::TLS1_2 if protocol < ProtocolVersion::TLS1_2 => {
                &[DOWNGRADE_FROM_TLS_1_2]
            }
            _ => &[],
        };
        if marks.iter().any(|mark| hello.random.ends_with(mark)) {
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
    let is_same = session.master_key().is_some_and(|master_key| {
        master_key.version() == choice.protocol && master_key.suite().id == choice.suite.id
    });
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
pub(super) fn application_protocol(
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
