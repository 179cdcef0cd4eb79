//! A backend's description of itself.

use crate::backend::BackendId;

/// A backend's description of itself.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackendInfo {
    id: BackendId,
    /// The short name: the Cargo feature and the argument of `--backend`.
    pub name: &'static str,
    /// The provider name that `SslOpenProvider` takes for this backend.
    pub provider_name: &'static str,
    /// Libraries with their versions as they report them, such as `OpenSSL 3.0.19 27 Jan 2026`.
    pub library: String,
    /// Properties of the RSA private operation; none when it is unsupported.
    pub rsa: Option<RsaInfo>,
    /// Whether the code that runs has a FIPS 140 validation.
    pub fips: FipsStatus,
}

impl BackendInfo {
    /// Describes a new backend with an identity of its own, without RSA and without a validation.
    pub fn new(name: &'static str, provider_name: &'static str, library: String) -> Self {
        let fips = FipsStatus::NotValidated;
        Self { id: BackendId::unique(), name, provider_name, library, rsa: None, fips }
    }

    /// Returns the identity of the backend. A key that was loaded by one backend is refused by all
    /// others.
    pub fn id(&self) -> BackendId {
        self.id
    }

    /// Sets the properties of the RSA private operation.
    #[must_use]
    pub fn with_rsa(self, rsa: Option<RsaInfo>) -> Self {
        Self { rsa, ..self }
    }

    /// Sets the FIPS 140 status.
    #[must_use]
    pub fn with_fips(self, fips: FipsStatus) -> Self {
        Self { fips, ..self }
    }
}

/// Properties of a backend's RSA private operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RsaInfo {
    /// Whose code runs.
    pub implementation: &'static str,
    /// Whether its arithmetic is in assembly, on processors that the library has it for. In
    /// portable code it takes several times as long.
    pub assembly: bool,
    /// What its authors claim about its time.
    pub constant_time: ConstantTime,
    /// Whether the ciphertext is blinded with a random factor.
    pub blinding: bool,
    /// Whether the result is checked against faults before it is used.
    pub fault_check: bool,
}

impl RsaInfo {
    /// Describes an operation in portable code, without blinding and without a check for faults.
    pub const fn new(implementation: &'static str, constant_time: ConstantTime) -> Self {
        let (assembly, blinding, fault_check) = (false, false, false);
        Self { implementation, assembly, constant_time, blinding, fault_check }
    }

    /// Sets whether its arithmetic is in assembly.
    #[must_use]
    pub const fn with_assembly(self, assembly: bool) -> Self {
        Self { assembly, ..self }
    }

    /// Sets whether the ciphertext is blinded.
    #[must_use]
    pub const fn with_blinding(self, blinding: bool) -> Self {
        Self { blinding, ..self }
    }

    /// Sets whether the result is checked against faults.
    #[must_use]
    pub const fn with_fault_check(self, fault_check: bool) -> Self {
        Self { fault_check, ..self }
    }

    /// Returns what holds of two implementations of which either may run, by the name of both.
    #[must_use]
    pub fn of_both(self, other: Self, implementation: &'static str) -> Self {
        Self {
            implementation,
            assembly: self.assembly && other.assembly,
            constant_time: self.constant_time.min(other.constant_time),
            blinding: self.blinding && other.blinding,
            fault_check: self.fault_check && other.fault_check,
        }
    }
}

/// What the authors of an RSA implementation claim about its time, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ConstantTime {
    /// An open advisory states that the time may reveal the plaintext (Marvin).
    Disputed,
    /// The implementation is meant to be constant-time.
    Claimed,
}

impl ConstantTime {
    /// Returns the name, such as `claimed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Disputed => "disputed",
            Self::Claimed => "claimed",
        }
    }
}

/// FIPS 140 status, weakest first, so that the status of a whole is the minimum of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FipsStatus {
    /// No validated module is in use.
    NotValidated,
    /// A validated module is in use.
    Validated,
}

impl FipsStatus {
    /// Returns the status in words, such as `not validated`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotValidated => "not validated",
            Self::Validated => "validated",
        }
    }
}
