//! A provider: a backend with a policy, opened by the application. Here the master key is imported.
//! The contract of [`Provider::import_master_key`] is that of `SslImportMasterKey`.

use crate::algorithm::SignatureScheme;
use crate::backend::{Backend, ConstantTime, FipsStatus, KeyExchangeBackend, RsaPrivateKey};
use crate::cipher_suite::CipherSuite;
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::master_key::MasterKey;
use crate::operation::Operation;
use crate::parameter_list::ParameterList;
use crate::policy::Policy;
use crate::private_key::{Block, DecryptedPremaster, PrivateKey, RsaExchange, RsaKeyExchange};
use crate::public_key::{PublicKeyDer, PublicKeyParts};
use crate::record::RecordKey;
use crate::rsa_der::RsaPrivateKeyDer;
use crate::schedule::{MasterSeed, Side};
use crate::secret::MasterSecret;
use crate::security_parameters::SecurityParameters;
use crate::version::ProtocolVersion;

/// Properties that a backend must have for a provider to open on it.
///
/// Later versions have more fields: end with `..Requirements::default()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// The RSA private operation must be claimed to be constant-time.
    pub constant_time_rsa: bool,
    /// The RSA private operation must be blinded.
    pub blinded_rsa: bool,
    /// The code that runs must be FIPS 140 validated.
    pub fips: bool,
}

impl Requirements {
    fn check(&self, backend: &dyn KeyExchangeBackend) -> Result<(), Error> {
        let info = backend.info();
        let rsa = info.rsa;
        if self.constant_time_rsa && rsa.is_none_or(|rsa| rsa.constant_time < ConstantTime::Claimed)
        {
            return Err(Error::RequirementNotMet("constant-time RSA"));
        }
        if self.blinded_rsa && rsa.is_none_or(|rsa| !rsa.blinding) {
            return Err(Error::RequirementNotMet("blinded RSA"));
        }
        if self.fips && info.fips < FipsStatus::Validated {
            return Err(Error::RequirementNotMet("FIPS 140 validation"));
        }
        Ok(())
    }
}

/// An open provider, as `SslOpenProvider` returns. Cheap to clone and to share between threads.
#[derive(Clone, Debug)]
pub struct Provider {
    backend: Backend,
    policy: Policy,
}

impl Provider {
    /// Opens a provider on `backend` with the default policy, which takes keys of 1024 bits and
    /// more.
    pub fn open(backend: impl Into<Backend>) -> Self {
        Self { backend: backend.into(), policy: Policy::default() }
    }

    /// Opens a provider on `backend` if it has the required properties.
    ///
    /// # Errors
    ///
    /// [`Error::RequirementNotMet`] names the property that is missing.
    pub fn open_requiring(
        backend: impl Into<Backend>,
        requirements: Requirements,
    ) -> Result<Self, Error> {
        let provider = Self::open(backend);
        requirements.check(&*provider.backend)?;
        Ok(provider)
    }

    /// Returns the same provider with another policy.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Returns the backend behind the provider.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Loads an RSA private key from DER, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] with what is wrong with the key; [`Error::NotAllowed`] when it is shorter
    /// than the policy asks.
    pub fn load_private_key(&self, der: &[u8]) -> Result<PrivateKey, Error> {
        let der = RsaPrivateKeyDer::from_der(der)?;
        self.check_modulus(der.modulus_bits())?;
        PrivateKey::load(self.backend.clone(), &der, self.policy.premaster_version)
    }

    /// Takes an RSA private key whose raw operation is done elsewhere, such as by a token.
    ///
    /// - `modulus`, `public_exponent`: big-endian without leading zeros.
    ///
    /// The fallback of implicit rejection is keyed with a random secret of this process and the
    /// modulus, since the private exponent is hidden: it is the same for every object of one key,
    /// and another in another process. Requirements on RSA that the provider was opened with are
    /// not checked for this key.
    ///
    /// # Errors
    ///
    /// - [`Error::Key`] for a modulus that is even, starts with 0, or is shorter than 59 or longer
    ///   than 1024 bytes, and for an exponent that is even, starts with 0, or is 1.
    /// - [`Error::InvalidParameter`] when the modulus has another length than `key` says.
    /// - [`Error::NotAllowed`] when it is shorter than the policy asks.
    /// - [`Error::Random`].
    pub fn private_key_of_raw(
        &self,
        modulus: &[u8],
        public_exponent: &[u8],
        key: Box<dyn RsaPrivateKey>,
    ) -> Result<PrivateKey, Error> {
        let (backend, rule) = (self.backend.clone(), self.policy.premaster_version);
        let key = PrivateKey::of_raw(backend, modulus, public_exponent, rule, key)?;
        self.check_modulus(key.modulus_bits())?;
        Ok(key)
    }

    /// Takes an RSA private key that does the whole key exchange, such as one of a key server.
    ///
    /// - `modulus`, `public_exponent`: big-endian without leading zeros.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] for a modulus that is even, starts with 0, or is shorter than 59 or longer
    /// than 1024 bytes, and for an exponent that is even, starts with 0, or is 1;
    /// [`Error::NotAllowed`] when the modulus is shorter than the policy asks.
    pub fn private_key_of_exchange(
        &self,
        modulus: &[u8],
        public_exponent: &[u8],
        exchange: Box<dyn RsaKeyExchange>,
    ) -> Result<PrivateKey, Error> {
        let (backend, rule) = (self.backend.clone(), self.policy.premaster_version);
        let key = PrivateKey::of_exchange(backend, modulus, public_exponent, rule, exchange)?;
        self.check_modulus(key.modulus_bits())?;
        Ok(key)
    }

    /// Decrypts a premaster secret and derives the master key from it (`SslImportMasterKey`).
    ///
    /// - `version`: the negotiated version; `suite`: an RSA suite of it.
    /// - `parameters`: both randoms, or the session hash for the extended master secret, which wins
    ///   when both are given; optionally the version that the client offered.
    /// - `encrypted_premaster`: the RSA ciphertext, without the length prefix that TLS puts before
    ///   it (RFC 5246 section 7.4.7.1).
    ///
    /// Nothing that the ciphertext decides is an error (implicit rejection). A premaster secret
    /// that is wrong in padding, length or version, and a ciphertext of another length or out of
    /// range, return a master key too, derived from a secret that depends on the key, the
    /// ciphertext, the expected version and the randoms or session hash, and that nobody without
    /// the key can predict. The handshake then fails at Finished, as RFC 5246 section 7.4.7.1 asks.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidHandle`]: the key is of another backend.
    /// - [`Error::NotAllowed`]: the key is shorter than the policy asks, or was loaded under
    ///   another rule about premaster versions.
    /// - [`Error::UnsupportedProtocol`], [`Error::UnsupportedSuite`].
    /// - [`Error::InvalidParameter`]: randoms or session hash are missing or of a wrong length.
    /// - [`Error::Random`], [`Error::Backend`]: the library failed.
    /// - [`Error::Unavailable`]: what holds the key cannot be reached.
    pub fn import_master_key(
        &self,
        key: &PrivateKey,
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
        encrypted_premaster: &[u8],
    ) -> Result<MasterKey, Error> {
        self.import(key, version, suite, parameters, encrypted_premaster, None)
    }

    /// As [`import_master_key`](Self::import_master_key), for a ciphertext whose private operation
    /// was done before, by [`PrivateKey::decrypt_premasters`].
    ///
    /// # Errors
    ///
    /// Those of [`import_master_key`](Self::import_master_key).
    pub fn import_decrypted(
        &self,
        premaster: &DecryptedPremaster<'_>,
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
    ) -> Result<MasterKey, Error> {
        let DecryptedPremaster { key, ciphertext, block } = premaster;
        self.import(key, version, suite, parameters, ciphertext, block.as_deref())
    }

    fn import(
        &self,
        key: &PrivateKey,
        version: ProtocolVersion,
        suite: CipherSuite,
        parameters: &ParameterList,
        ciphertext: &[u8],
        decrypted: Option<&Block>,
    ) -> Result<MasterKey, Error> {
        if *key.backend() != self.backend {
            return Err(Error::InvalidHandle);
        }
        self.check_modulus(key.modulus_bits())?;
        let rule = self.policy.premaster_version;
        if key.premaster_version() != rule {
            return Err(OTHER_VERSION_RULE);
        }
        let connection = self.rsa_parameters(version, suite)?;
        let seed = MasterSeed::of(parameters, &connection)?;
        let offered = parameters.offered_version().unwrap_or(version);
        let premaster_version = rule.check(offered, version);
        let exchange = RsaExchange { ciphertext, premaster_version, parameters: &connection, seed };
        let mut secret = MasterSecret::zeroed();
        key.master_secret(&exchange, decrypted, &mut secret)?;
        Ok(MasterKey { parameters: connection, side: Side::Server, secret })
    }

    /// Returns the parameters of a connection with an RSA key exchange.
    pub(crate) fn rsa_parameters(
        &self,
        version: ProtocolVersion,
        suite: CipherSuite,
    ) -> Result<SecurityParameters, Error> {
        let parameters = self.security_parameters(version, suite)?;
        suite.for_rsa_key_exchange(version)?;
        Ok(parameters)
    }

    pub(crate) fn check_public_key(&self, key: &PublicKeyDer<'_>) -> Result<(), Error> {
        if key.modulus_bits().is_some_and(|bits| bits < self.policy.min_modulus_bits) {
            return Err(Error::NotAllowed("the public key is shorter than min_modulus_bits"));
        }
        Ok(())
    }

    pub(crate) fn check_modulus(&self, bits: usize) -> Result<(), Error> {
        if bits < self.policy.min_modulus_bits { Err(KEY_TOO_SHORT) } else { Ok(()) }
    }

    /// Returns the parameters of a connection with this version and suite.
    ///
    /// # Errors
    ///
    /// [`Error::UnsupportedProtocol`] for a version that is unknown, that has no key schedule here
    /// or that policy forbids; [`Error::UnsupportedSuite`] for a suite that is unknown or not of
    /// the version.
    pub fn security_parameters(
        &self,
        version: ProtocolVersion,
        suite: CipherSuite,
    ) -> Result<SecurityParameters, Error> {
        SecurityParameters::new(self.backend.clone(), self.policy, version, suite)
    }

    /// Starts a handshake hash (`SslCreateHandshakeHash`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for a version or suite that
    /// [`security_parameters`](Self::security_parameters) refuses: `SslCreateHandshakeHash` has
    /// that status where `SslImportMasterKey` has `NTE_NOT_SUPPORTED`. Errors of the backend.
    pub fn handshake_hash(
        &self,
        version: ProtocolVersion,
        suite: CipherSuite,
    ) -> Result<HandshakeHash, Error> {
        let parameters = self.security_parameters(version, suite).map_err(|error| match error {
            Error::UnsupportedSuite { .. } => {
                Error::InvalidParameter("cipher suite: unknown or not of this version")
            }
            _ => Error::InvalidParameter("protocol: unknown or not enabled"),
        })?;
        HandshakeHash::new(&parameters)
    }

    /// Takes over a record key from another process of the same backend (`SslImportKey` with
    /// `OpaqueKeyBlob`). What it can be used for is decided by the policy of this provider.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidParameter`]: the blob is damaged, or of another version or backend.
    /// - [`Error::UnsupportedProtocol`]: policy forbids the version.
    /// - [`Error::UnsupportedSuite`]: the suite is not of the version.
    /// - Those of [`RecordKey::new`].
    pub fn import_record_key(&self, blob: &[u8]) -> Result<RecordKey, Error> {
        RecordKey::import(&self.backend, self.policy, blob)
    }

    /// Verifies a signature over a digest (`SslVerifySignature`), such as a client's in its
    /// CertificateVerify.
    ///
    /// - `public_key`: the `SubjectPublicKeyInfo` of the certificate, in DER.
    /// - `digest`: [`SignatureScheme::digest_len`] bytes; without a DigestInfo, 1 byte or more, and
    ///   at least 11 less than the modulus has.
    /// - `signature`: as the message carries it, in DER for ECDSA; r ‖ s goes through
    ///   [`PublicKeyDer::ecdsa_signature_to_der`].
    ///
    /// # Errors
    ///
    /// - [`Error::BadSignature`]: verification failed.
    /// - [`Error::InvalidParameter`]: the key is malformed, of another kind or not on its curve, or
    ///   the digest has another length.
    /// - [`Error::NotAllowed`]: the key is shorter than the policy asks.
    /// - [`Error::Unsupported`]: the backend lacks the scheme.
    pub fn verify_signature(
        &self,
        public_key: &[u8],
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = PublicKeyDer::from_der(public_key)?;
        key.check(scheme, digest)?;
        self.check_public_key(&key)?;
        // RFC 8017 sections 8.1.2 and 8.2.2, step 1: some libraries accept shorter ones.
        if let PublicKeyParts::Rsa { modulus, .. } = key.parts()
            && signature.len() != modulus.len()
        {
            return Err(Error::BadSignature);
        }
        self.backend.signatures().verify(&key, scheme, digest, signature)
    }

    /// Returns whether the backend supports everything that importing a master key takes.
    pub fn supports_import(&self) -> bool {
        let mut needed = Operation::all().filter(|operation| operation.is_for_import());
        needed.all(|operation| self.backend.support(operation).is_supported())
    }

    /// Returns whether the suite is known and the backend has its cipher, for records.
    pub fn supports_records(&self, suite: CipherSuite) -> bool {
        suite.info().is_some_and(|info| info.has_records(&*self.backend))
    }
}

const KEY_TOO_SHORT: Error = Error::NotAllowed("the private key is shorter than min_modulus_bits");
const OTHER_VERSION_RULE: Error =
    Error::NotAllowed("the private key was loaded under another premaster_version");
