//! Settings of a server: provider, identity, and what it may negotiate.
//! A suite that the backend does not support is left out here, so no handshake fails for it.

use std::sync::Arc;
use std::time::Duration;

use ssl_provider::{
    CipherSuite, CipherSuiteInfo, DecryptedPremaster, Error, FfdheGroup, KeyExchange, KeyLogPolicy,
    NamedCurve, Operation, ParameterList, Policy, ProtocolVersion, Provider, RecordOptions, Side,
};

use crate::group::NamedGroup;
use crate::identity::Identity;
use crate::key_log::KeyLog;
use crate::session::SessionCache;
use crate::signed_params::{fixed_scheme, is_tls13_scheme};
use crate::tickets::Tickets;
use crate::tls13::psk::{ExternalPsk, ReplayWindow};
use crate::tls13::{TLS13_GROUPS, record_key};

/// Versions that are enabled by default. TLS 1.3 is used where suites of it are, too.
pub const DEFAULT_VERSIONS: [ProtocolVersion; 4] = [
    ProtocolVersion::TLS1_0,
    ProtocolVersion::TLS1_1,
    ProtocolVersion::TLS1_2,
    ProtocolVersion::TLS1_3,
];

/// Suites of TLS 1.3 in the order of preference, enabled by default.
pub const TLS13_SUITES: [CipherSuite; 5] = [
    CipherSuite::TLS_AES_128_GCM_SHA256,
    CipherSuite::TLS_AES_256_GCM_SHA384,
    CipherSuite::TLS_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_AES_128_CCM_SHA256,
    CipherSuite::TLS_AES_128_CCM_8_SHA256,
];

/// Suites up to TLS 1.2 that are enabled by default, in the server's order of preference.
pub const DEFAULT_SUITES: [CipherSuite; 14] = [
    CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_RSA_WITH_AES_128_CCM,
    CipherSuite::TLS_RSA_WITH_AES_256_CCM,
    CipherSuite::TLS_RSA_WITH_AES_128_CCM_8,
    CipherSuite::TLS_RSA_WITH_AES_256_CCM_8,
    CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_128_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_256_CBC_SHA256,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_128_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_CAMELLIA_256_CBC_SHA,
];

/// Suites with ephemeral keys on curves, not enabled by default, in the order of preference.
pub const ECDHE_SUITES: [CipherSuite; 14] = [
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
];

/// Suites with ephemeral keys in finite fields, not enabled by default, in the order of preference.
pub const DHE_SUITES: [CipherSuite; 5] = [
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_GCM_SHA384,
    CipherSuite::TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    CipherSuite::TLS_DHE_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite::TLS_DHE_RSA_WITH_AES_256_CBC_SHA,
];

/// Suites for old devices, not enabled by default. DES provides little confidentiality, NULL none.
pub const LEGACY_SUITES: [CipherSuite; 7] = [
    CipherSuite::TLS_RSA_WITH_3DES_EDE_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_RC4_128_SHA,
    CipherSuite::TLS_RSA_WITH_RC4_128_MD5,
    CipherSuite::TLS_RSA_WITH_DES_CBC_SHA,
    CipherSuite::TLS_RSA_WITH_NULL_SHA256,
    CipherSuite::TLS_RSA_WITH_NULL_SHA,
    CipherSuite::TLS_RSA_WITH_NULL_MD5,
];

/// Whether a client certificate is requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// It is not requested.
    #[default]
    None,
    /// It is requested; clients without one are accepted. The issuer is not checked: the server
    /// verifies that the client holds the private key, and shows the certificate.
    Request,
    /// It is requested; clients without one are refused.
    Require,
}

/// When a server accepts early data of TLS 1.3 (0-RTT).
///
/// Whoever sees early data can send it again, to this server within the window, and to others that
/// have the same tickets at any time (RFC 8446 section 8). This server remembers the hellos of the
/// window, but not over a restart, after which its tickets are unknown too. A program must take no
/// early data that would do harm twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarlyData {
    /// Most bytes of early data on a connection.
    pub max_len: u32,
    /// How far the ages of a ticket by the two clocks may differ; 10 seconds are usual.
    pub window: Duration,
}

/// What a server may negotiate. The default is TLS 1.3, and everything with RSA key exchange,
/// except for legacy versions and suites. Later versions have more fields: end with
/// `..Options::default()`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Versions, in any order.
    pub versions: Vec<ProtocolVersion>,
    /// Suites, in the order of preference.
    pub suites: Vec<CipherSuite>,
    /// Whether the extended master secret (RFC 7627) is negotiated.
    pub extended_master_secret: bool,
    /// Whether encrypt-then-MAC (RFC 7366) is negotiated.
    pub encrypt_then_mac: bool,
    /// Whether a client certificate is requested.
    pub client_auth: ClientAuth,
    /// Whether clients may renegotiate, if they bind the new handshake to the one before it
    /// (RFC 5746). Others are declined, as all are without it.
    pub renegotiation: bool,
    /// How long sessions are resumed by tickets (RFC 5077); `None` for no tickets. In TLS 1.3 seven
    /// days at most.
    pub session_tickets: Option<Duration>,
    /// Groups of TLS 1.3, in the order of preference; hybrid ones come first in any case. Those
    /// that the backend lacks are left out. Older versions have every curve of the backend.
    pub groups: Vec<NamedGroup>,
    /// Pre-shared keys of TLS 1.3 that were agreed outside TLS. They stand for certificates on both
    /// sides.
    pub external_psks: Vec<Arc<ExternalPsk>>,
    /// Whether a pre-shared key of TLS 1.3 may be used alone, without forward secrecy (psk_ke), by
    /// a client that offers nothing better.
    pub psk_without_agreement: bool,
    /// Whether early data of TLS 1.3 are accepted; `None` to decline them.
    pub early_data: Option<EarlyData>,
    /// Application protocols in the order of preference (RFC 7301), each of 1 to 255 bytes. Clients
    /// that offer others only are refused; without any here the extension is passed over.
    pub application_protocols: Vec<String>,
    /// Label of keying material (RFC 5705) of which the page shows 32 bytes as JSON; `None` for no
    /// keying material.
    pub exported_label: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            versions: DEFAULT_VERSIONS.to_vec(),
            suites: TLS13_SUITES.into_iter().chain(DEFAULT_SUITES).collect(),
            extended_master_secret: true,
            encrypt_then_mac: true,
            client_auth: ClientAuth::None,
            renegotiation: false,
            session_tickets: None,
            groups: TLS13_GROUPS.to_vec(),
            external_psks: Vec::new(),
            psk_without_agreement: false,
            early_data: None,
            application_protocols: Vec::new(),
            exported_label: None,
        }
    }
}

/// What all connections of a server share.
#[derive(Debug)]
pub struct Settings {
    pub(crate) provider: Provider,
    pub(crate) identity: Identity,
    pub(crate) options: Options,
    /// The suites of each version, best version first; none is empty.
    pub(crate) usable: Vec<(ProtocolVersion, Vec<&'static CipherSuiteInfo>)>,
    /// The curves of the backend, preferred ones first.
    pub(crate) curves: Vec<NamedCurve>,
    /// The groups of TLS 1.3, preferred ones first.
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) replay_window: Option<ReplayWindow>,
    pub(crate) sessions: Option<SessionCache>,
    pub(crate) tickets: Option<Tickets>,
    pub(crate) key_log: Option<KeyLog>,
}

impl Settings {
    /// Returns the settings. Suites are left out that a version does not have, that have a key
    /// exchange other than RSA, ECDHE and DHE or one that the identity has no key for, or that the
    /// backend does not support.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedProtocol`] for a version other than SSL 3.0 to TLS 1.3, or one that
    ///   the policy of the provider forbids.
    /// - [`Error::InvalidParameter`] if no suite is left, and for an application protocol of a
    ///   wrong length.
    /// - [`Error::InvalidHandle`] for a pre-shared key of another backend.
    /// - [`Error::NotAllowed`] if the policy denies the key, or a key log that is given.
    /// - Errors of the trial of a suite that are not about the suite, such as
    ///   [`Error::Unavailable`] and [`Error::InvalidHandle`].
    pub fn new(
        provider: Provider,
        identity: Identity,
        options: Options,
        sessions: Option<SessionCache>,
        key_log: Option<KeyLog>,
    ) -> Result<Arc<Self>, Error> {
        if options.application_protocols.iter().any(|name| !(1..=255).contains(&name.len())) {
            return Err(Error::InvalidParameter("application protocol: expected 1 to 255 bytes"));
        }
        for version in &options.versions {
            check_version(*version, provider.policy())?;
        }
        let curves: Vec<_> = NamedCurve::ALL
            .into_iter()
            .filter(|curve| provider.backend().support(Operation::Ecdh(*curve)).is_supported())
            .collect();
        let is_usable = |group: &NamedGroup| {
            group.is_of_tls13() && group.is_supported(&provider) && group.is_allowed(&provider)
        };
        let groups: Vec<_> = options.groups.iter().copied().filter(is_usable).collect();
        let trial = |protocol, suite: CipherSuite| match protocol {
            ProtocolVersion::TLS1_3 => tls13_trial(&provider, &identity, &options, &groups, suite),
            _ => trial(&provider, &identity, &curves, protocol, suite),
        };
        let mut versions = options.versions.clone();
        versions.sort_unstable_by(|one, other| other.cmp(one));
        versions.dedup();
        let mut usable = Vec::new();
        for protocol in versions {
            let works = |suite: &CipherSuite| match trial(protocol, *suite) {
                Ok(suite) => Some(Ok(suite)),
                Err(error) if is_about_suite(error) => None,
                Err(error) => Some(Err(error)),
            };
            let suites = options.suites.iter().filter_map(works).collect::<Result<Vec<_>, _>>()?;
            // No version without suites is left.
            if !suites.is_empty() {
                usable.push((protocol, suites));
            }
        }
        if usable.is_empty() {
            return Err(NO_SUITE);
        }
        if key_log.is_some() && provider.policy().key_log != KeyLogPolicy::Allowed {
            return Err(NO_KEY_LOG);
        }
        let tickets = options.session_tickets.map(|lifetime| Tickets::new(&provider, lifetime));
        let tickets = tickets.transpose()?;
        let early_data = options.early_data;
        Ok(Arc::new(Self {
            provider,
            identity,
            options,
            usable,
            curves,
            groups,
            replay_window: early_data.map(|early_data| ReplayWindow::new(early_data.window)),
            sessions,
            tickets,
            key_log,
        }))
    }

    /// Decrypts premaster secrets of clients.
    pub(crate) fn decrypt_premasters(
        &self,
        ciphertexts: &[&[u8]],
    ) -> Result<Vec<DecryptedPremaster<'_>>, Error> {
        let key = self.identity.decryption_key();
        key.ok_or(NO_DECRYPTION_KEY)?.decrypt_premasters(ciphertexts)
    }

    /// Returns the suites of TLS 1.3; none if that is not enabled.
    pub(crate) fn tls13_suites(&self) -> Option<&[&'static CipherSuiteInfo]> {
        let best = self.usable.first().filter(|it| it.0 == ProtocolVersion::TLS1_3);
        best.map(|(_, suites)| &suites[..])
    }

    /// Returns the versions and suites that can be negotiated.
    pub fn usable(&self) -> &[(ProtocolVersion, Vec<&'static CipherSuiteInfo>)] {
        &self.usable
    }
}

/// What no suite being left comes to, on either side.
pub(crate) const NO_SUITE: Error =
    Error::InvalidParameter("suites: none that the versions, the keys and the backend all have");

/// Checks a version that is to be negotiated.
pub(crate) fn check_version(version: ProtocolVersion, policy: Policy) -> Result<(), Error> {
    let is_known = (ProtocolVersion::SSL3..=ProtocolVersion::TLS1_3).contains(&version);
    if !is_known || (version == ProtocolVersion::SSL3 && !policy.legacy_ssl3) {
        return Err(Error::UnsupportedProtocol { given: version.wire().into() });
    }
    Ok(())
}

/// Whether a trial failed for what a suite is, so that the suite is left out.
fn is_about_suite(error: Error) -> bool {
    matches!(
        error,
        Error::UnsupportedSuite { .. } | Error::UnsupportedProtocol { .. } | Error::Unsupported(_)
    )
}

/// What a key log that the policy denies comes to, on either side.
pub(crate) const NO_KEY_LOG: Error = Error::NotAllowed("the provider was opened without key log");

/// Not reached: without such a key no suite is usable that takes it.
const NO_DECRYPTION_KEY: Error = Error::Internal("no key for RSA key exchange");

/// Performs every operation that a handshake needs for a suite: with an empty ciphertext, or with
/// two keys in the group that is the fastest.
fn trial(
    provider: &Provider,
    identity: &Identity,
    curves: &[NamedCurve],
    protocol: ProtocolVersion,
    suite: CipherSuite,
) -> Result<&'static CipherSuiteInfo, Error> {
    let unsupported = Error::UnsupportedSuite { given: suite.0 };
    let info = suite.info().ok_or(unsupported)?;
    let exchange = info.key_exchange;
    // Export suites need a temporary RSA key, which the interface does not have.
    if !info.allows(protocol) || exchange.is_export() {
        return Err(unsupported);
    }
    provider.handshake_hash(protocol, suite)?;
    let parameters = ParameterList::new().client_random([0; 32]).server_random([0; 32]);
    let master_key = if exchange.is_rsa() {
        let key = identity.decryption_key().ok_or(unsupported)?;
        provider.import_master_key(key, protocol, suite, &parameters, &[])?
    } else {
        let schemes = &identity.signer(exchange).ok_or(unsupported)?.schemes;
        let fixed = fixed_scheme(protocol, exchange != KeyExchange::EcdheEcdsa);
        if !fixed.is_none_or(|scheme| schemes.contains(&scheme)) {
            return Err(unsupported);
        }
        let group = match curves.first() {
            _ if exchange.is_dhe() => {
                let shortest = provider.policy().min_modulus_bits;
                let mut allowed = FfdheGroup::ALL.into_iter().filter(|it| it.bits() >= shortest);
                NamedGroup::FiniteField(allowed.next().ok_or(unsupported)?)
            }
            Some(curve) => NamedGroup::Curve(*curve),
            None => return Err(unsupported),
        };
        let group = group.group();
        let own = provider.generate_ephemeral_key(group.clone())?;
        let peer = provider.generate_ephemeral_key(group.clone())?;
        let peer = group.public_key(peer.public_key())?;
        provider.generate_master_key(own, &peer, protocol, suite, &parameters, Side::Server)?
    };
    master_key.session_keys(&parameters)?.record_key(Side::Server, RecordOptions::default())?;
    Ok(info)
}

/// The same for a suite of TLS 1.3. The server signs, or both sides have a pre-shared key.
fn tls13_trial(
    provider: &Provider,
    identity: &Identity,
    options: &Options,
    groups: &[NamedGroup],
    suite: CipherSuite,
) -> Result<&'static CipherSuiteInfo, Error> {
    let parameters = provider.tls13_parameters(suite)?;
    let mut psks = options.external_psks.iter().filter(|psk| psk.hash() == parameters.hash());
    let psk = psks.next().map(|psk| &*psk.key);
    let signs = identity.tls13_signers().any(|(signer, _)| {
        signer.schemes.iter().any(|scheme| is_tls13_scheme(*scheme, signer.curve()))
    });
    let is_fast = |group: &&NamedGroup| !matches!(group, NamedGroup::FiniteField(_));
    let group = groups.iter().find(is_fast).or(groups.first());
    let (Some(group), true) = (group, signs || psk.is_some()) else {
        return Err(Error::UnsupportedSuite { given: suite.0 });
    };
    let group = group.group();
    let client = provider.generate_ephemeral_key(group.clone())?;
    let client = group.public_key(client.public_key())?;
    let own = provider.answer_ephemeral_key(&client)?;
    let secret = parameters.early_secret(psk)?.handshake_secret(own, &client)?;
    let secret = secret.traffic_secret(Side::Server, &parameters.transcript()?)?;
    record_key(&secret)?;
    Ok(parameters.suite())
}

#[cfg(test)]
mod tests {
    use ssl_provider::default_backend;
    use ssl_provider_testkit::diagnostics::not_tested;

    use super::*;
    use crate::tests::rsa_identity;

    fn settings(policy: Policy, options: Options) -> Result<Arc<Settings>, Error> {
        let provider = Provider::open(default_backend().unwrap()).with_policy(policy);
        let identity = rsa_identity(&provider);
        Settings::new(provider, identity, options, None, None)
    }

    #[test]
    fn what_no_suite_is_to_blame_for_is_an_error() {
        settings(Policy::default(), Options::default()).unwrap();
        let ssl3 = Options { versions: vec![ProtocolVersion::SSL3], ..Options::default() };
        let refused = settings(Policy::default(), ssl3).err();
        assert_eq!(refused, Some(Error::UnsupportedProtocol { given: 0x0300 }));
        let unknown = vec![ProtocolVersion::TLS1_2, ProtocolVersion(0x0305)];
        let refused =
            settings(Policy::default(), Options { versions: unknown, ..Options::default() });
        assert_eq!(refused.err(), Some(Error::UnsupportedProtocol { given: 0x0305 }));
        let none = Options { suites: Vec::new(), ..Options::default() };
        assert_eq!(settings(Policy::default(), none).err(), Some(NO_SUITE));
    }

    #[test]
    fn a_key_of_another_backend_is_no_lack_of_suites() {
        let Some(other) = ssl_provider::backends().into_iter().nth(1) else {
            return not_tested("a key of another backend", "there is one backend only");
        };
        let own = Provider::open(default_backend().unwrap());
        let identity = rsa_identity(&own);
        let refused =
            Settings::new(Provider::open(other), identity, Options::default(), None, None);
        assert_eq!(refused.err(), Some(Error::InvalidHandle));
    }
}
