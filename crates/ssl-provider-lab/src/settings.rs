//! Settings of a server: provider, identity, and what it may negotiate.
//! A suite that the backend does not support is left out here, so no handshake fails for it.

use std::sync::Arc;
use std::time::Duration;

use ssl_provider::{
    CipherSuite, CipherSuiteInfo, DecryptedPremaster, Error, FfdheGroup, KeyExchange, MasterKey,
    NamedCurve, Operation, ParameterList, ProtocolVersion, Provider, RecordOptions, Side,
};

use crate::group::NamedGroup;
use crate::identity::Identity;
use crate::key_log::KeyLog;
use crate::session::SessionCache;
use crate::signed_params::fixed_scheme;
use crate::tickets::Tickets;

/// Versions that are enabled by default.
pub const DEFAULT_VERSIONS: [ProtocolVersion; 3] =
    [ProtocolVersion::TLS1_0, ProtocolVersion::TLS1_1, ProtocolVersion::TLS1_2];

/// Suites that are enabled by default, in the server's order of preference.
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

/// What a server may negotiate. The default is everything with RSA key exchange, except for legacy
/// versions and suites. Later versions have more fields: end with `..Options::default()`.
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
    /// How long sessions are resumed by tickets (RFC 5077); `None` for no tickets.
    pub session_tickets: Option<Duration>,
    /// Application protocols in the order of preference (RFC 7301), each of 1 to 255 bytes. Clients
    /// that offer others only are refused; without any here the extension is passed over.
    pub application_protocols: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            versions: DEFAULT_VERSIONS.to_vec(),
            suites: DEFAULT_SUITES.to_vec(),
            extended_master_secret: true,
            encrypt_then_mac: true,
            client_auth: ClientAuth::None,
            renegotiation: false,
            session_tickets: None,
            application_protocols: Vec::new(),
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
    /// [`Error::RequirementNotMet`] if no suite is left, [`Error::NotAllowed`] if the provider's
    /// policy denies a key log that is given, [`Error::InvalidParameter`] for an application
    /// protocol of a wrong length.
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
        let curves: Vec<_> = NamedCurve::ALL
            .into_iter()
            .filter(|curve| provider.backend().support(Operation::Ecdh(*curve)).is_supported())
            .collect();
        let trial = |protocol, suite| trial(&provider, &identity, &curves, protocol, suite);
        let mut versions = options.versions.clone();
        versions.sort_unstable_by(|one, other| other.cmp(one));
        versions.dedup();
        let usable: Vec<_> = versions
            .into_iter()
            .map(|protocol| {
                let works = |suite: &CipherSuite| trial(protocol, *suite).ok();
                let keys = options.suites.iter().filter_map(works);
                (protocol, keys.map(|key| key.suite()).collect::<Vec<_>>())
            })
            .filter(|(_, suites)| !suites.is_empty())
            .collect();
        // No version without suites is left.
        let best = usable.first().and_then(|(protocol, suites)| Some((*protocol, suites.first()?)));
        let Some((protocol, suite)) = best else {
            return Err(Error::RequirementNotMet("one of these suites in one of these versions"));
        };
        if key_log.is_some() {
            trial(protocol, suite.id)?.secret_for_key_log()?;
        }
        let tickets = options.session_tickets.map(|lifetime| Tickets::new(&provider, lifetime));
        let tickets = tickets.transpose()?;
        Ok(Arc::new(Self {
            provider,
            identity,
            options,
            usable,
            curves,
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

    /// Returns the versions and suites that can be negotiated.
    pub fn usable(&self) -> &[(ProtocolVersion, Vec<&'static CipherSuiteInfo>)] {
        &self.usable
    }
}

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
) -> Result<MasterKey, Error> {
    let unsupported = Error::UnsupportedSuite { given: suite.0 };
    let exchange = suite.info().ok_or(unsupported)?.key_exchange;
    // Export suites need a temporary RSA key, which the interface does not have.
    if protocol.is_dtls() || exchange.is_export() {
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
            _ if exchange.is_dhe() => NamedGroup::FiniteField(FfdheGroup::Ffdhe2048),
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
    Ok(master_key)
}
