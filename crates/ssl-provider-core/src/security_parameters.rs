//! What a connection has agreed on, made once when its key exchange starts (RFC 5246 section 6.1).

use std::fmt;

use crate::algorithm::{HashAlgorithm, PrfAlgorithm};
use crate::backend::Backend;
use crate::cipher_suite::{CipherSuite, CipherSuiteInfo};
use crate::error::Error;
use crate::policy::Policy;
use crate::version::{KeySchedule, ProtocolVersion};

/// The version and the cipher suite of a connection, with the backend that computes and the policy
/// of the provider.
///
/// [`Provider::security_parameters`](crate::Provider::security_parameters) makes it; one that
/// exists has a key schedule and a suite of its version. Master key, session keys, record keys and
/// handshake hash carry it.
#[derive(Clone)]
pub struct SecurityParameters {
    backend: Backend,
    version: ProtocolVersion,
    suite: &'static CipherSuiteInfo,
    schedule: KeySchedule,
    policy: Policy,
}

impl SecurityParameters {
    /// Takes a version that `policy` allows, and a suite of that version; errors as in
    /// [`Provider::security_parameters`](crate::Provider::security_parameters).
    pub(crate) fn new(
        backend: Backend,
        policy: Policy,
        version: ProtocolVersion,
        suite: CipherSuite,
    ) -> Result<Self, Error> {
        // A bad version is reported before a bad suite; the PRF does not matter for that.
        policy.key_schedule(version, PrfAlgorithm::Sha256)?;
        let info = suite.info().filter(|info| info.allows(version));
        let suite = info.ok_or(Error::UnsupportedSuite { given: suite.0 })?;
        let schedule = policy.key_schedule(version, suite.prf)?;
        Ok(Self { backend, version, suite, schedule, policy })
    }

    /// Takes a suite of TLS 1.3, and returns its hash too; errors as in
    /// [`Provider::tls13_parameters`](crate::Provider::tls13_parameters).
    pub(crate) fn of_tls13(
        backend: Backend,
        policy: Policy,
        suite: CipherSuite,
    ) -> Result<(Self, HashAlgorithm), Error> {
        let version = ProtocolVersion::TLS1_3;
        let info = suite.info().filter(|info| info.allows(version));
        let found = info.and_then(|info| Some((info, info.prf.hash()?)));
        let (suite, hash) = found.ok_or(Error::UnsupportedSuite { given: suite.0 })?;
        let schedule = KeySchedule::Tls13(hash);
        Ok((Self { backend, version, suite, schedule, policy }, hash))
    }

    /// Takes a version and a suite of it, whichever that is.
    pub(crate) fn of_version(
        backend: Backend,
        policy: Policy,
        version: ProtocolVersion,
        suite: CipherSuite,
    ) -> Result<Self, Error> {
        match version {
            ProtocolVersion::TLS1_3 => Ok(Self::of_tls13(backend, policy, suite)?.0),
            _ => Self::new(backend, policy, version, suite),
        }
    }

    /// Returns the same with another version and another hash of the MAC, for published records
    /// that no suite of TLS has: never dropped, since only tests ask for it.
    #[doc(hidden)]
    #[must_use]
    pub fn for_vectors(self, version: ProtocolVersion, mac: Option<HashAlgorithm>) -> Self {
        let suite = CipherSuiteInfo { mac, lowest: version, ..*self.suite };
        let schedule = version.key_schedule(suite.prf).unwrap_or(self.schedule);
        Self { version, schedule, suite: Box::leak(Box::new(suite)), ..self }
    }

    /// Returns the backend.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the negotiated version.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Returns the negotiated cipher suite.
    pub fn suite(&self) -> &'static CipherSuiteInfo {
        self.suite
    }

    /// Returns the key schedule.
    pub fn schedule(&self) -> KeySchedule {
        self.schedule
    }

    /// Returns the policy of the provider that the parameters come from.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the PRF.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedProtocol`] for SSL 3.0 and TLS 1.3, which have none.
    pub(crate) fn prf(&self) -> Result<PrfAlgorithm, Error> {
        match self.schedule {
            KeySchedule::Tls(prf) => Ok(prf),
            KeySchedule::Ssl3 | KeySchedule::Tls13(_) => Err(self.version.unsupported()),
        }
    }
}

impl fmt::Debug for SecurityParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityParameters")
            .field("backend", &self.backend)
            .field("version", &self.version)
            .field("suite", &self.suite.name)
            .finish_non_exhaustive()
    }
}
