//! Settings of a client: provider, what it offers, whom it trusts, and its own certificate.
//! What the backend does not support is not offered, so no handshake fails for it.

use std::ops::RangeInclusive;
use std::sync::Arc;

use ssl_provider::{
    CipherSuite, CipherSuiteInfo, Error, KeyExchange, KeyLogPolicy, NamedCurve, Operation,
    ProtocolVersion, Provider, SignatureScheme,
};

use crate::client::certificate::{ClientIdentity, VerifyServer};
use crate::group::NamedGroup;
use crate::key_log::KeyLog;
use crate::settings::{
    DEFAULT_SUITES, DHE_SUITES, ECDHE_SUITES, LEGACY_SUITES, NO_KEY_LOG, NO_SUITE, TLS13_SUITES,
    check_version,
};
use crate::signed_params::{can_verify, fixed_scheme, is_tls13_scheme};
use crate::tls13::TLS13_GROUPS;
use crate::tls13::psk::ExternalPsk;

/// Groups that are offered by default, in order of preference. The hybrid ones are for TLS 1.3.
pub const DEFAULT_GROUPS: [NamedGroup; 10] = TLS13_GROUPS;

/// Signature schemes of TLS 1.2 and 1.3 that are offered, in order of preference. SHA-1 comes last:
/// old servers know nothing else.
const SCHEMES: [SignatureScheme; 11] = [
    SignatureScheme::EcdsaSha256,
    SignatureScheme::RsaPssSha256,
    SignatureScheme::RsaSha256,
    SignatureScheme::EcdsaSha384,
    SignatureScheme::RsaPssSha384,
    SignatureScheme::RsaSha384,
    SignatureScheme::EcdsaSha512,
    SignatureScheme::RsaPssSha512,
    SignatureScheme::RsaSha512,
    SignatureScheme::EcdsaSha1,
    SignatureScheme::RsaSha1,
];

/// What a client offers. The default is TLS 1.0 to 1.3 with everything but legacy suites. Later
/// versions have more fields: end with `..ClientOptions::default()`.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The versions; SSL 3.0 only if the policy of the provider allows it. A hello of TLS 1.2 and
    /// before names the highest version only, so there is no gap in the range. TLS 1.3 is offered
    /// where a suite of it is, too.
    pub versions: RangeInclusive<ProtocolVersion>,
    /// Suites, in the order of preference.
    pub suites: Vec<CipherSuite>,
    /// Groups, in the order of preference. A server may choose a finite field of its own for DHE,
    /// which is taken if the prime is long enough for the policy of the provider.
    pub groups: Vec<NamedGroup>,
    /// Application protocols to choose from (RFC 7301), in the order of preference, each of 1 to
    /// 255 bytes and at most 4096 with a byte of length before each; may be empty.
    pub protocols: Vec<Vec<u8>>,
    /// Whether the extended master secret (RFC 7627) is offered.
    pub extended_master_secret: bool,
    /// Whether encrypt-then-MAC (RFC 7366) is offered.
    pub encrypt_then_mac: bool,
    /// Whether session tickets (RFC 5077, RFC 8446 section 4.6.1) are offered.
    pub session_tickets: bool,
    /// A pre-shared key of TLS 1.3 that was agreed outside TLS. If the server knows it, it stands
    /// for certificates on both sides.
    pub external_psk: Option<Arc<ExternalPsk>>,
    /// Whether a server may use a pre-shared key of TLS 1.3 alone, without forward secrecy
    /// (psk_ke).
    pub psk_without_agreement: bool,
    /// Whether early data of TLS 1.3 (0-RTT) are offered with a ticket that allows them; see
    /// [`ClientConnection::send_early_data`](super::ClientConnection::send_early_data).
    pub early_data: bool,
    /// Whether the hello is marked as a retry with a lower version (RFC 7507).
    pub fallback: bool,
    /// Whether the key usage of the certificate must allow what the suite does with the key
    /// (RFC 5246 section 7.4.2).
    pub check_key_usage: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            versions: ProtocolVersion::TLS1_0..=ProtocolVersion::TLS1_3,
            suites: default_client_suites().collect(),
            groups: DEFAULT_GROUPS.to_vec(),
            protocols: Vec::new(),
            extended_master_secret: true,
            encrypt_then_mac: true,
            session_tickets: true,
            external_psk: None,
            psk_without_agreement: false,
            early_data: false,
            fallback: false,
            check_key_usage: true,
        }
    }
}

/// Returns the suites that a client offers by default, in the order of preference: those with
/// forward secrecy come first.
pub fn default_client_suites() -> impl Iterator<Item = CipherSuite> {
    TLS13_SUITES.into_iter().chain(ECDHE_SUITES).chain(DHE_SUITES).chain(DEFAULT_SUITES)
}

/// Returns the suites for old servers that are not offered by default.
pub fn legacy_client_suites() -> impl Iterator<Item = CipherSuite> {
    std::iter::once(CipherSuite::TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA).chain(LEGACY_SUITES)
}

/// What all connections of a client share.
#[derive(Debug)]
pub struct ClientSettings {
    pub(crate) provider: Provider,
    pub(crate) options: ClientOptions,
    /// Suites that at least one version has, in the order of preference.
    pub(crate) suites: Vec<&'static CipherSuiteInfo>,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) schemes: Vec<SignatureScheme>,
    pub(crate) verifier: Box<dyn VerifyServer>,
    pub(crate) identity: Option<ClientIdentity>,
    pub(crate) key_log: Option<KeyLog>,
}

impl ClientSettings {
    /// Returns the settings. Left out are suites that no version has, whose key exchange is not
    /// RSA, DHE or ECDHE, or that the backend does not support, and groups that it does not.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedProtocol`] for a version other than SSL 3.0 to TLS 1.3, or one that
    ///   the policy of the provider forbids.
    /// - [`Error::InvalidParameter`] for an empty range of versions, for an application protocol
    ///   that is empty or too long, and if no suite is left.
    /// - [`Error::NotAllowed`] if the policy denies a key log that is given.
    pub fn new(
        provider: Provider,
        options: ClientOptions,
        verifier: Box<dyn VerifyServer>,
        identity: Option<ClientIdentity>,
        key_log: Option<KeyLog>,
    ) -> Result<Arc<Self>, Error> {
        let policy = provider.policy();
        let (lowest, highest) = (*options.versions.start(), *options.versions.end());
        for version in [lowest, highest] {
            check_version(version, policy)?;
        }
        if lowest > highest {
            return Err(Error::InvalidParameter("versions: the lowest is above the highest"));
        }
        let protocols_len: usize = options.protocols.iter().map(|name| 1 + name.len()).sum();
        let is_name = |name: &Vec<u8>| (1..=255).contains(&name.len());
        if !options.protocols.iter().all(is_name) || protocols_len > MAX_PROTOCOLS_LEN {
            return Err(Error::InvalidParameter(
                "application protocols: expected 1 to 255 bytes each, and 4096 in all",
            ));
        }
        if key_log.is_some() && policy.key_log != KeyLogPolicy::Allowed {
            return Err(NO_KEY_LOG);
        }
        let offers_tls13 = options.versions.contains(&ProtocolVersion::TLS1_3);
        let is_usable = |group: &NamedGroup| {
            let is_hybrid = matches!(group, NamedGroup::Hybrid(_));
            group.is_supported(&provider) && (offers_tls13 || !is_hybrid)
        };
        let groups: Vec<NamedGroup> = options.groups.iter().copied().filter(is_usable).collect();
        let schemes: Vec<SignatureScheme> =
            SCHEMES.into_iter().filter(|scheme| can_verify(&provider, *scheme)).collect();
        let mut settings = Self {
            provider,
            options,
            suites: Vec::new(),
            groups,
            schemes,
            verifier,
            identity,
            key_log,
        };
        let all = settings.options.suites.iter().filter_map(|suite| suite.info());
        settings.suites = all
            .filter(|suite| settings.versions().any(|version| settings.allows(version, suite)))
            .collect();
        match settings.suites.is_empty() {
            true => Err(NO_SUITE),
            false => Ok(Arc::new(settings)),
        }
    }

    /// Returns the suites that are offered, in the order of preference.
    pub fn suites(&self) -> &[&'static CipherSuiteInfo] {
        &self.suites
    }

    /// Returns the groups that are offered, in the order of preference.
    pub fn groups(&self) -> &[NamedGroup] {
        &self.groups
    }

    /// Returns the versions, lowest first.
    pub(crate) fn versions(&self) -> impl Iterator<Item = ProtocolVersion> {
        let all = ProtocolVersion::ALL.into_iter();
        all.filter(|version| self.options.versions.contains(version))
    }

    /// Returns the lowest version.
    pub(crate) fn lowest(&self) -> ProtocolVersion {
        *self.options.versions.start()
    }

    /// Returns the highest version up to TLS 1.2, which a hello has in its first field.
    pub(crate) fn highest(&self) -> ProtocolVersion {
        (*self.options.versions.end()).min(ProtocolVersion::TLS1_2)
    }

    /// Returns the groups of TLS 1.3 that are offered, in the order of preference.
    pub(crate) fn tls13_groups(&self) -> impl Iterator<Item = NamedGroup> {
        let groups = self.groups.iter().copied().filter(|group| group.is_of_tls13());
        groups.filter(|group| group.is_allowed(&self.provider))
    }

    /// Returns whether TLS 1.3 is offered.
    pub(crate) fn offers_tls13(&self) -> bool {
        let version = ProtocolVersion::TLS1_3;
        self.options.versions.contains(&version)
            && self.suites.iter().any(|suite| suite.allows(version))
    }

    /// Whether a server may choose the suite in a version.
    pub(crate) fn allows(&self, version: ProtocolVersion, suite: &CipherSuiteInfo) -> bool {
        let backend = self.provider.backend();
        let supports = |operation| backend.support(operation).is_supported();
        if !suite.allows(version) || !suite.has_records(&**backend) {
            return false;
        }
        let verifies = |is_rsa: bool| match fixed_scheme(version, is_rsa) {
            Some(scheme) => can_verify(&self.provider, scheme),
            None => self.schemes.iter().any(|scheme| scheme.is_rsa() == is_rsa),
        };
        let has_curve = self.groups.iter().any(|group| matches!(group, NamedGroup::Curve(_)));
        match suite.key_exchange {
            KeyExchange::Rsa => supports(Operation::RsaEncryptRaw),
            KeyExchange::DheRsa => supports(Operation::Dh) && verifies(true),
            KeyExchange::EcdheRsa => has_curve && verifies(true),
            KeyExchange::EcdheEcdsa => has_curve && verifies(false),
            KeyExchange::Tls13 => {
                let curves = NamedCurve::ALL.into_iter().map(Some).chain([None]);
                let is_tls13 = |scheme: &SignatureScheme| {
                    curves.clone().any(|it| is_tls13_scheme(*scheme, it))
                };
                self.tls13_groups().next().is_some()
                    && (self.options.external_psk.is_some() || self.schemes.iter().any(is_tls13))
            }
            // Export suites need a temporary key; nobody signs with DSA any more.
            _ => false,
        }
    }
}

/// Longest list of application protocols in bytes; the hello stays within one record.
const MAX_PROTOCOLS_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use ssl_provider::{Policy, default_backend};

    use super::*;
    use crate::client::tests::TrustAll;

    fn settings(change: impl FnOnce(&mut ClientOptions)) -> Result<Arc<ClientSettings>, Error> {
        let mut options = ClientOptions::default();
        change(&mut options);
        let provider = Provider::open(default_backend().unwrap());
        ClientSettings::new(provider, options, Box::new(TrustAll), None, None)
    }

    #[test]
    fn versions_that_the_policy_forbids_or_nobody_knows_are_refused() {
        let refused = |versions| settings(|options| options.versions = versions).err();
        let (ssl3, tls1_0) = (ProtocolVersion::SSL3, ProtocolVersion::TLS1_0);
        let (tls1_2, unknown) = (ProtocolVersion::TLS1_2, ProtocolVersion(0x0305));
        assert_eq!(refused(ssl3..=tls1_2), Some(Error::UnsupportedProtocol { given: 0x0300 }));
        assert_eq!(refused(tls1_0..=unknown), Some(Error::UnsupportedProtocol { given: 0x0305 }));
        assert!(matches!(refused(tls1_2..=tls1_0), Some(Error::InvalidParameter(_))));
        assert_eq!(refused(tls1_0..=tls1_0), None);
        let provider = Provider::open(default_backend().unwrap())
            .with_policy(Policy { legacy_ssl3: true, ..Policy::default() });
        let options = ClientOptions { versions: ssl3..=ssl3, ..ClientOptions::default() };
        let settings =
            ClientSettings::new(provider, options, Box::new(TrustAll), None, None).unwrap();
        assert!(settings.suites().iter().all(|suite| suite.allows(ssl3)), "{settings:?}");
    }

    #[test]
    fn suites_that_cannot_be_used_are_not_offered() {
        let offered = |suites: &[CipherSuite], highest| {
            let settings = settings(|options| {
                options.suites = suites.to_vec();
                options.versions = ProtocolVersion::TLS1_0..=highest;
            });
            settings.map(|it| it.suites().iter().map(|suite| suite.id).collect::<Vec<_>>())
        };
        let (cbc, gcm) = (
            CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
            CipherSuite::TLS_RSA_WITH_AES_128_GCM_SHA256,
        );
        let others = [
            CipherSuite::TLS_RSA_EXPORT_WITH_RC4_40_MD5,
            CipherSuite::TLS_DHE_DSS_WITH_AES_128_CBC_SHA,
            CipherSuite::TLS_PSK_WITH_AES_128_GCM_SHA256,
            CipherSuite::TLS_AES_128_GCM_SHA256,
            CipherSuite::SSL_CK_RC4_128_WITH_MD5,
            CipherSuite(0x7777),
        ];
        let all = [&[gcm, cbc][..], &others].concat();
        assert_eq!(offered(&all, ProtocolVersion::TLS1_2), Ok(vec![gcm, cbc]));
        assert_eq!(offered(&all, ProtocolVersion::TLS1_1), Ok(vec![cbc]));
        assert_eq!(offered(&others, ProtocolVersion::TLS1_2), Err(NO_SUITE));
        assert_eq!(offered(&[gcm], ProtocolVersion::TLS1_1), Err(NO_SUITE));
    }

    #[test]
    fn application_protocols_have_the_lengths_of_rfc_7301() {
        let refused = |protocols: Vec<Vec<u8>>| settings(|it| it.protocols = protocols).is_err();
        assert!(!refused(vec![b"h2".to_vec(), vec![b'x'; 255]]));
        assert!(refused(vec![Vec::new()]));
        assert!(refused(vec![vec![b'x'; 256]]));
        assert!(refused(vec![vec![b'x'; 255]; 17]));
    }
}
