//! What a server chooses in TLS 1.3: suite, group, pre-shared key or signature scheme.
//! A function of the settings and the ClientHello; binders are checked by the handshake.

use std::sync::Arc;
use std::time::Duration;

use ssl_provider::tls13::{PreSharedKey, PskKind};
use ssl_provider::{
    CipherSuite, CipherSuiteInfo, Error, HashAlgorithm, PeerPublicKey, ProtocolVersion,
    SignatureScheme,
};
use ssl_provider_wire::{
    Alert, ClientHello, ExtensionType, KeyShare, OfferedPsks, PskIdentity, PskMode,
};

use crate::alert::{internal_error, require};
use crate::group::NamedGroup;
use crate::negotiation::{application_protocol, offers, refused};
use crate::refusal::{Cause, Refusal};
use crate::settings::Settings;
use crate::signed_params::is_tls13_scheme;
use crate::tickets::TicketState;

/// How many pre-shared keys of a hello are looked at.
const MAX_PSKS: usize = 8;

/// What was chosen.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) suite: &'static CipherSuiteInfo,
    /// The group and the client's public key; none where a pre-shared key is used alone.
    pub(crate) agreement: Option<(NamedGroup, PeerPublicKey)>,
    pub(crate) psk: Option<Psk>,
    /// What the server signs with; none with a pre-shared key.
    pub(crate) scheme: Option<SignatureScheme>,
    pub(crate) application_protocol: Option<String>,
    /// Whether the client can use tickets: those are for pre-shared keys with an agreement.
    pub(crate) takes_tickets: bool,
}

/// A pre-shared key that the client offers and the server knows.
#[derive(Debug)]
pub(crate) struct Psk {
    pub(crate) index: usize,
    pub(crate) key: Arc<PreSharedKey>,
    pub(crate) origin: Origin,
}

/// Where a pre-shared key comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// Agreed outside TLS, under this name.
    External(Vec<u8>),
    /// A ticket of this suite, and how old it is by the client's clock.
    Ticket { suite: CipherSuite, state: TicketState, said_age: Duration },
}

impl Psk {
    pub(crate) fn kind(&self) -> PskKind {
        match self.origin {
            Origin::External(_) => PskKind::External,
            Origin::Ticket { .. } => PskKind::Resumption,
        }
    }
}

/// What a HelloRetryRequest has fixed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retried {
    pub(crate) suite: &'static CipherSuiteInfo,
    pub(crate) group: NamedGroup,
}

/// What follows from a ClientHello.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The handshake goes on.
    Agreed(Choice),
    /// The client is to send a public key of this group.
    Retry(Retried, Option<Psk>),
}

/// Returns whether the client offers TLS 1.3 and the settings have it.
pub(crate) fn is_tls13(settings: &Settings, hello: &ClientHello<'_>) -> Result<bool, Refusal> {
    if settings.tls13_suites().is_none() {
        return Ok(false);
    }
    let listed = hello.extensions.supported_versions()?;
    Ok(listed.is_some_and(|listed| listed.contains(&ProtocolVersion::TLS1_3.wire())))
}

/// The lists of a hello.
struct Offer<'a> {
    groups: Vec<u16>,
    shares: Vec<KeyShare<'a>>,
    psks: Option<OfferedPsks<'a>>,
    takes_agreement: bool,
    takes_psk_alone: bool,
}

impl<'a> Offer<'a> {
    /// Reads them, and checks what RFC 8446 section 9.2 asks of a hello.
    fn of(settings: &Settings, hello: &ClientHello<'a>) -> Result<Self, Refusal> {
        let extensions = hello.extensions;
        let groups = extensions.numbers(ExtensionType::SUPPORTED_GROUPS)?;
        let shares = extensions.key_shares()?;
        if groups.is_some() != shares.is_some() {
            let missing = if groups.is_some() { "key_share" } else { "supported_groups" };
            return lacks(missing);
        }
        let (groups, shares) = (groups.unwrap_or_default(), shares.unwrap_or_default());
        if shares.iter().any(|share| !groups.contains(&share.group)) {
            return refused(Alert::IllegalParameter, Cause::KeyShare);
        }
        extensions.cookie()?;
        let psks = extensions.offered_psks()?;
        let modes = extensions.psk_modes()?;
        if psks.is_some() && modes.is_none() {
            return lacks("psk_key_exchange_modes");
        }
        let early_data = extensions.get(ExtensionType::EARLY_DATA);
        require(early_data.is_none_or(<[u8]>::is_empty), Alert::DecodeError)?;
        let takes = |mode: PskMode| modes.is_some_and(|modes| modes.contains(&mode.0));
        Ok(Self {
            groups,
            shares,
            psks,
            takes_agreement: takes(PskMode::PSK_DHE_KE),
            takes_psk_alone: takes(PskMode::PSK_KE) && settings.options.psk_without_agreement,
        })
    }

    /// Returns the group to agree in: a hybrid one if both sides have one, whether the client sent
    /// a public key for it or not; else one with a public key, in the server's order.
    fn group(&self, settings: &Settings) -> Option<NamedGroup> {
        let common = settings.groups.iter().filter(|group| self.groups.contains(&group.wire()));
        let common: Vec<NamedGroup> = common.copied().collect();
        let mut hybrid = common.iter().filter(|group| matches!(group, NamedGroup::Hybrid(_)));
        let mut shared = common.iter().filter(|group| self.share(**group).is_some());
        hybrid.next().or_else(|| shared.next()).or(common.first()).copied()
    }

    fn share(&self, group: NamedGroup) -> Option<&'a [u8]> {
        let share = self.shares.iter().find(|share| share.group == group.wire());
        share.map(|share| share.public_key)
    }
}

/// Returns what the server chooses, or the alert for the hello and its cause.
pub(crate) fn choose(
    settings: &Settings,
    hello: &ClientHello<'_>,
    retried: Option<Retried>,
) -> Result<Outcome, Refusal> {
    let protocol = ProtocolVersion::TLS1_3;
    // RFC 8446 section D.5.
    if hello.version <= ProtocolVersion::SSL3.wire() {
        return refused(Alert::ProtocolVersion, Cause::Version(ProtocolVersion(hello.version)));
    }
    if !hello.offers_only_null_compression() {
        return refused(Alert::IllegalParameter, Cause::Compression);
    }
    let offer = Offer::of(settings, hello)?;
    let schemes = hello.extensions.numbers(ExtensionType::SIGNATURE_ALGORITHMS)?;
    let protocols = &settings.options.application_protocols;
    let application_protocol = application_protocol(protocols, hello)?;
    let suites: Vec<_> = match retried {
        Some(retried) => vec![retried.suite],
        None => settings.tls13_suites().unwrap_or_default().to_vec(),
    };
    let suites: Vec<_> = suites.into_iter().filter(|suite| offers(hello, suite)).collect();
    let Some(&first) = suites.first() else {
        return refused(Alert::HandshakeFailure, Cause::no_suite(protocol, hello));
    };
    let found = psk(settings, hello, &offer, &suites)?;
    let (suite, psk) = match found {
        Some((suite, psk)) => (suite, Some(psk)),
        None => (first, None),
    };
    let scheme = match (&psk, schemes) {
        (Some(_), _) => None,
        (None, None) => return lacks("signature_algorithms"),
        (None, Some(offered)) => match scheme(settings, &offered) {
            None => return refused(Alert::HandshakeFailure, Cause::SignatureScheme),
            found => found,
        },
    };
    let takes_tickets = offer.takes_agreement;
    let choice = |agreement, psk| {
        Outcome::Agreed(Choice {
            suite,
            agreement,
            psk,
            scheme,
            application_protocol: application_protocol.clone(),
            takes_tickets,
        })
    };
    if psk.is_some() && !offer.takes_agreement {
        return Ok(choice(None, psk));
    }
    let Some(group) = retried.map(|it| it.group).or_else(|| offer.group(settings)) else {
        return match &psk {
            Some(_) if offer.takes_psk_alone => Ok(choice(None, psk)),
            // Without pre-shared key and groups, the hello lacks an extension.
            None if offer.groups.is_empty() => lacks("supported_groups"),
            _ => refused(Alert::HandshakeFailure, Cause::Group),
        };
    };
    // The one share that was asked for (RFC 8446 section 4.2.8).
    if retried.is_some() && offer.shares.len() != 1 {
        return refused(Alert::IllegalParameter, Cause::KeyShare);
    }
    let Some(share) = offer.share(group) else {
        return match retried {
            Some(_) => refused(Alert::IllegalParameter, Cause::KeyShare),
            None => Ok(Outcome::Retry(Retried { suite, group }, psk)),
        };
    };
    let share = match group.group().public_key(share) {
        Ok(key) if group.has_share_len(share) => key,
        Ok(_) | Err(Error::BadKeyShare) => {
            return refused(Alert::IllegalParameter, Cause::KeyShare);
        }
        Err(other) => return Err(internal_error(other).into()),
    };
    Ok(choice(Some((group, share)), psk))
}

/// The refusal of a hello without an extension that it needs.
fn lacks<T>(extension: &'static str) -> Result<T, Refusal> {
    refused(Alert::MissingExtension, Cause::MissingExtension(extension))
}

/// Returns the server's first scheme that the client has; that of the faster key comes first.
fn scheme(settings: &Settings, offered: &[u16]) -> Option<SignatureScheme> {
    settings.identity.tls13_signers().find_map(|(signer, _)| {
        let is_common = |scheme: &SignatureScheme| {
            is_tls13_scheme(*scheme, signer.curve())
                && scheme.wire().is_some_and(|number| offered.contains(&number))
        };
        signer.schemes.iter().copied().find(is_common)
    })
}

/// Returns the client's first pre-shared key that is known here, with the most preferred suite of
/// its hash.
fn psk(
    settings: &Settings,
    hello: &ClientHello<'_>,
    offer: &Offer<'_>,
    suites: &[&'static CipherSuiteInfo],
) -> Result<Option<(&'static CipherSuiteInfo, Psk)>, Refusal> {
    let Some(psks) = &offer.psks else { return Ok(None) };
    if !offer.takes_agreement && !offer.takes_psk_alone {
        return Ok(None);
    }
    for (index, identity) in psks.identities.iter().enumerate().take(MAX_PSKS) {
        let Some((key, origin)) = known(settings, hello, identity)? else { continue };
        let has_hash = |suite: &&&CipherSuiteInfo| suite.prf.hash() == Some(key.hash());
        if let Some(suite) = suites.iter().find(has_hash) {
            return Ok(Some((suite, Psk { index, key, origin })));
        }
    }
    Ok(None)
}

/// Returns the pre-shared key of a name, if there is one.
fn known(
    settings: &Settings,
    hello: &ClientHello<'_>,
    offered: &PskIdentity<'_>,
) -> Result<Option<(Arc<PreSharedKey>, Origin)>, Refusal> {
    let mut external = settings.options.external_psks.iter();
    if let Some(psk) = external.find(|psk| psk.identity == offered.identity) {
        let origin = Origin::External(psk.identity.clone());
        return Ok(Some((Arc::clone(&psk.key), origin)));
    }
    let Some(tickets) = &settings.tickets else { return Ok(None) };
    let Some((suite, key, state)) = tickets.open_psk(&settings.provider, offered.identity) else {
        return Ok(None);
    };
    // A session belongs to its server name, as in older versions (RFC 6066 section 3).
    if state.server_name.as_deref() != hello.extensions.get(ExtensionType::SERVER_NAME) {
        return Ok(None);
    }
    let said_age = offered.obfuscated_ticket_age.wrapping_sub(state.age_add);
    let said_age = Duration::from_millis(said_age.into());
    Ok(Some((Arc::new(key), Origin::Ticket { suite, state, said_age })))
}

/// The hash of an external pre-shared key where nothing else was agreed (RFC 8446 section 4.2.11).
pub const DEFAULT_PSK_HASH: HashAlgorithm = HashAlgorithm::Sha256;
