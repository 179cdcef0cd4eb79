//! What an application allows on a provider, and the default, which is strict.

use crate::algorithm::PrfAlgorithm;
use crate::error::Error;
use crate::premaster::VersionCheck;
use crate::rsa_der::MIN_MODULUS_BITS;
use crate::version::{KeySchedule, ProtocolVersion};

/// Whether the application may read master secrets to write a key log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyLogPolicy {
    /// Master secrets stay inside.
    #[default]
    Denied,
    /// [`MasterKey::secret_for_key_log`](crate::MasterKey::secret_for_key_log) returns them.
    Allowed,
}

/// Whether the application may see record keys, and take them to another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyExportPolicy {
    /// Record keys stay inside.
    #[default]
    Denied,
    /// [`RecordKey::export`](crate::RecordKey::export) and
    /// [`SessionKeys::expose`](crate::SessionKeys::expose) return them.
    Allowed,
}

impl KeyExportPolicy {
    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Self::Allowed => Ok(()),
            Self::Denied => Err(NO_KEY_EXPORT),
        }
    }
}

/// Which version the premaster secret must carry.
///
/// A key keeps the rule that it was loaded under, and an import under another is refused: the
/// results of one ciphertext under two rules tell whether it is well-formed, and no fallback can
/// hide that. Load a key under one policy only: two objects of one key under two rules are the same
/// oracle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PremasterVersion {
    /// The one that the client offered: type 22 of the list, or the negotiated one without it.
    #[default]
    Offered,
    /// That, or the negotiated one, for clients with an old defect (RFC 5246 section 7.4.7.1).
    ///
    /// Only where whoever imports can choose neither version. One ciphertext imported with two
    /// offered versions has equal results exactly when it is well-formed and carries the negotiated
    /// version; with two negotiated ones, different results.
    InsecureOfferedOrNegotiated,
    /// Any version; rollback is then detected by Finished only.
    InsecureAny,
}

impl PremasterVersion {
    pub(crate) fn check(
        self,
        offered: ProtocolVersion,
        negotiated: ProtocolVersion,
    ) -> VersionCheck {
        match self {
            Self::Offered => VersionCheck::offered(offered),
            Self::InsecureOfferedOrNegotiated => {
                VersionCheck::offered_or_negotiated(offered, negotiated)
            }
            Self::InsecureAny => VersionCheck::any(),
        }
    }
}

/// What an application allows on a provider.
///
/// The default is strict but for the key size: 1024-bit keys are taken, because captures and old
/// devices have them. A server should ask for 2048. Later versions have more fields: end with
/// `..Policy::default()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether SSL 3.0 is allowed.
    pub legacy_ssl3: bool,
    /// Whether master secrets may be read.
    pub key_log: KeyLogPolicy,
    /// Whether record keys may be seen, and taken to another process.
    pub key_export: KeyExportPolicy,
    /// Which version the premaster secret must carry.
    pub premaster_version: PremasterVersion,
    /// Shortest modulus in bits that an RSA key may have, private or public, and shortest prime of
    /// finite-field Diffie-Hellman (Logjam). RSA keys loaded from DER have at least 1024 bits.
    pub min_modulus_bits: usize,
}

impl Policy {
    /// Returns the key schedule of a version that the policy allows.
    pub(crate) fn key_schedule(
        &self,
        version: ProtocolVersion,
        suite_prf: PrfAlgorithm,
    ) -> Result<KeySchedule, Error> {
        match version.key_schedule(suite_prf) {
            Some(KeySchedule::Ssl3) if !self.legacy_ssl3 => Err(version.unsupported()),
            Some(schedule) => Ok(schedule),
            None => Err(version.unsupported()),
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            legacy_ssl3: false,
            key_log: KeyLogPolicy::Denied,
            key_export: KeyExportPolicy::Denied,
            premaster_version: PremasterVersion::Offered,
            min_modulus_bits: MIN_MODULUS_BITS,
        }
    }
}

pub(crate) const NO_KEY_EXPORT: Error =
    Error::NotAllowed("the provider was opened without key export");
