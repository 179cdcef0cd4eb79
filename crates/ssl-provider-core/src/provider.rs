//! A provider: a backend with a policy, opened by the application. Here the master key is imported.
//! The contract of [`Provider::import_master_key`] is that of `SslImportMasterKey`.

use std::ptr;

use zeroize::Zeroizing;

use crate::backend::{
    ConstantTime, FipsStatus, HashAlgorithm, KeyExchangeBackend, Operation, PrfAlgorithm, Support,
};
use crate::cipher_suite::CipherSuite;
use crate::error::Error;
use crate::handshake_hash::HandshakeHash;
use crate::master_key::MasterKey;
use crate::parameter_list::ParameterList;
use crate::premaster::{VersionCheck, recover_premaster};
use crate::private_key::{Block, DecryptedPremaster, PrivateKey};
use crate::protocol::Protocol;
use crate::record::has_cipher;
use crate::rsa_der::{MIN_MODULUS_BITS, RsaPrivateKeyDer};
use crate::schedule::{MasterSeed, master_secret, schedule_of};
use crate::secret::{MasterSecret, PremasterSecret, STACK_LEN, on_wiped_stack};
use crate::signature::{PublicKeyDer, SignatureScheme};

/// Flags of the interface, as a number because callers may pass any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags(pub u32);

impl Flags {
    /// `NCRYPT_SSL_CLIENT_FLAG`.
    pub const CLIENT: Self = Self(1);
    /// `NCRYPT_SSL_SERVER_FLAG`.
    pub const SERVER: Self = Self(2);
}

/// Whether the application may read master secrets to write a key log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyLogPolicy {
    /// Master secrets stay inside.
    #[default]
    Denied,
    /// [`MasterKey::secret_for_key_log`] answers.
    Allowed,
}

/// Whether the application may see record keys, and take them to another process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyExportPolicy {
    /// Record keys stay inside.
    #[default]
    Denied,
    /// [`RecordKey::export`](crate::RecordKey::export) and
    /// [`SessionKeys::expose`](crate::SessionKeys::expose) answer.
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
/// Use one rule for a key. The answers to one ciphertext under two rules tell whether it is
/// well-formed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PremasterVersion {
    /// The one that the client offered: type 22 of the list, or the negotiated one without it.
    #[default]
    Offered,
    /// That, or the negotiated one, for clients with an old defect (RFC 5246 section 7.4.7.1).
    ///
    /// Only where whoever imports can choose neither version. One ciphertext imported with two
    /// offered versions has equal answers exactly when it is well-formed and carries the negotiated
    /// version; with two negotiated ones, different answers. No fallback can hide that.
    OfferedOrNegotiated,
    /// Any. Rollback protection is then left to Finished.
    Any,
}

/// What an application allows on a provider.
///
/// The default is strict but for the key size: 1024-bit keys are taken, because captures and old
/// devices have them. A server should ask for 2048.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether SSL 3.0 is spoken.
    pub legacy_ssl3: bool,
    /// Whether master secrets may be read.
    pub key_log: KeyLogPolicy,
    /// Whether record keys may be seen, and taken to another process.
    pub key_export: KeyExportPolicy,
    /// Which version the premaster secret must carry.
    pub premaster_version: PremasterVersion,
    /// Shortest modulus in bits that a key may have; less than 1024 has no effect.
    pub min_modulus_bits: usize,
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

/// Properties that a backend must have for a provider to open on it.
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

/// An open provider, as `SslOpenProvider` returns. Cheap to copy and to share between threads.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    backend: &'static dyn KeyExchangeBackend,
    policy: Policy,
}

impl Provider {
    /// Opens a provider on `backend` with the strict policy.
    pub fn open(backend: &'static dyn KeyExchangeBackend) -> Self {
        Self { backend, policy: Policy::default() }
    }

    /// Opens a provider on `backend` if it has the required properties.
    ///
    /// # Errors
    ///
    /// [`Error::RequirementNotMet`] names the property that is missing.
    pub fn open_requiring(
        backend: &'static dyn KeyExchangeBackend,
        requirements: Requirements,
    ) -> Result<Self, Error> {
        requirements.check(backend)?;
        Ok(Self::open(backend))
    }

    /// The same provider with another policy.
    #[must_use]
    pub fn with_policy(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The backend behind the provider.
    pub fn backend(&self) -> &'static dyn KeyExchangeBackend {
        self.backend
    }

    /// The policy in force.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Loads an RSA private key from DER, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    ///
    /// [`Error::Key`] says what is wrong with the key, [`Error::NotAllowed`] that it is shorter
    /// than the policy asks.
    pub fn load_private_key(&self, der: &[u8]) -> Result<PrivateKey, Error> {
        let der = RsaPrivateKeyDer::from_der(der)?;
        if der.modulus_bits() < self.policy.min_modulus_bits {
            return Err(KEY_TOO_SHORT);
        }
        PrivateKey::load(self.backend, &der)
    }

    /// Starts a handshake hash (`SslCreateHandshakeHash`).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidParameter`] for unknown numbers, for a protocol that policy forbids and for
    /// a suite that is not of the protocol: this function answers so where the import of a master
    /// key answers that it is not supported.
    pub fn handshake_hash(&self, protocol: u32, suite: u32) -> Result<HandshakeHash, Error> {
        let protocol = self
            .protocol(protocol)
            .map_err(|_| Error::InvalidParameter("protocol: unknown or not switched on"))?;
        let suite = CipherSuite::from_id(suite)
            .filter(|suite| suite.allows(protocol))
            .ok_or(Error::InvalidParameter("cipher suite: unknown or not of this protocol"))?;
        HandshakeHash::new(self.backend, protocol, suite)
    }

    /// Decrypts a premaster secret and derives the master key from it (`SslImportMasterKey`).
    ///
    /// - `protocol`: the negotiated version, such as 0x0303; `suite`: an RSA suite of it.
    /// - `parameters`: both randoms, or the session hash for the extended master secret, which wins
    ///   when both are given; optionally the version that the client offered.
    /// - `encrypted_premaster`: the RSA ciphertext, without the length prefix that TLS puts before
    ///   it (RFC 5246 section 7.4.7.1).
    /// - `flags`: exactly [`Flags::SERVER`].
    ///
    /// Nothing that the ciphertext decides is an error. A premaster secret that is wrong in
    /// padding, length or version, and a ciphertext of another length or out of range, give a
    /// master key too, derived from a secret that depends on the key, the ciphertext, the expected
    /// version and the randoms or session hash, and that nobody without the key can predict. The
    /// handshake then fails at Finished, as RFC 5246 section 7.4.7.1 asks.
    ///
    /// # Errors
    ///
    /// - [`Error::InvalidHandle`]: the key is of another backend.
    /// - [`Error::NotAllowed`]: the key is shorter than the policy asks.
    /// - [`Error::BadFlags`], [`Error::UnsupportedProtocol`], [`Error::UnsupportedSuite`].
    /// - [`Error::InvalidParameter`]: randoms or session hash are missing or of a wrong length.
    /// - [`Error::Random`], [`Error::Backend`]: the library failed.
    pub fn import_master_key(
        &self,
        key: &PrivateKey,
        protocol: u32,
        suite: u32,
        parameters: &ParameterList,
        encrypted_premaster: &[u8],
        flags: Flags,
    ) -> Result<MasterKey, Error> {
        let premaster = Premaster::Encrypted(key, encrypted_premaster);
        self.import(premaster, protocol, suite, parameters, flags)
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
        protocol: u32,
        suite: u32,
        parameters: &ParameterList,
        flags: Flags,
    ) -> Result<MasterKey, Error> {
        self.import(Premaster::Decrypted(premaster), protocol, suite, parameters, flags)
    }

    fn import(
        &self,
        premaster: Premaster<'_>,
        protocol: u32,
        suite: u32,
        parameters: &ParameterList,
        flags: Flags,
    ) -> Result<MasterKey, Error> {
        let key = premaster.key();
        // Each backend has one description, at one address.
        if !ptr::eq(key.backend().info(), self.backend.info()) {
            return Err(Error::InvalidHandle);
        }
        if key.modulus_bits() < self.policy.min_modulus_bits {
            return Err(KEY_TOO_SHORT);
        }
        if flags != Flags::SERVER {
            return Err(Error::BadFlags { given: flags.0 });
        }
        let protocol = self.protocol(protocol)?;
        let suite = CipherSuite::for_rsa_key_exchange(suite, protocol)?;
        let seed = match parameters.extended_hash() {
            Some(hash) => MasterSeed::SessionHash(hash.as_bytes()),
            None => {
                let (client_random, server_random) = parameters.randoms()?;
                MasterSeed::Randoms(client_random, server_random)
            }
        };
        seed.check(protocol, suite)?;
        let negotiated = protocol.wire();
        let offered = parameters.offered_version().unwrap_or(negotiated);
        let version = match self.policy.premaster_version {
            PremasterVersion::Offered => VersionCheck::offered(offered),
            PremasterVersion::OfferedOrNegotiated => {
                VersionCheck::offered_or_negotiated(offered, negotiated)
            }
            PremasterVersion::Any => VersionCheck::any(),
        };

        // Everything is ready before the plaintext is: memory, and the fallback.
        let mut secret = Box::new(MasterSecret::zeroed());
        on_wiped_stack::<_, STACK_LEN>(|| {
            let mut fallback = PremasterSecret::zeroed();
            let asked = version.fallback_version();
            fallback_premaster(key, premaster.ciphertext(), asked, seed, &mut fallback)?;
            let mut premaster_secret = PremasterSecret::zeroed();
            let mut decrypted_now = Block::new();
            let block = premaster.block(&mut decrypted_now)?;
            recover_premaster(block.expose(), version, &fallback, &mut premaster_secret)?;
            master_secret(self.backend, protocol, suite, &premaster_secret, seed, &mut secret)
        })?;

        let Policy { key_log, key_export, .. } = self.policy;
        Ok(MasterKey { backend: self.backend, protocol, suite, secret, key_log, key_export })
    }

    /// Verifies a signature over a digest (`SslVerifySignature`), such as a client's in its
    /// CertificateVerify.
    ///
    /// - `public_key`: the `SubjectPublicKeyInfo` of the certificate, in DER.
    /// - `digest`: [`SignatureScheme::digest_len`] bytes.
    /// - `signature`: as the message carries it.
    ///
    /// # Errors
    ///
    /// - [`Error::BadSignature`]: it is not the signature.
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
        if key.modulus_bits().is_some_and(|bits| bits < self.policy.min_modulus_bits) {
            return Err(Error::NotAllowed("the public key is shorter than min_modulus_bits"));
        }
        self.backend.verify_signature(&key, scheme, digest, signature)
    }

    /// A protocol that this interface derives keys for and that policy allows.
    pub(crate) fn protocol(&self, number: u32) -> Result<Protocol, Error> {
        let protocol = Protocol::try_from(number)?;
        schedule_of(protocol)?;
        if protocol == Protocol::Ssl3 && !self.policy.legacy_ssl3 {
            return Err(Error::UnsupportedProtocol { given: number });
        }
        Ok(protocol)
    }

    /// Whether the backend supports everything that importing a master key takes.
    pub fn supports_import(&self) -> bool {
        let info = self.backend.info();
        let mut needed = Operation::ALL.into_iter().filter(|operation| operation.is_for_import());
        needed.all(|operation| info.support(operation) != Support::Unsupported)
    }

    /// Whether the backend has the cipher of a suite, for records of sessions with it.
    pub fn supports_records(&self, suite: &CipherSuite) -> bool {
        has_cipher(self.backend.info(), suite)
    }
}

/// A premaster secret on its way in.
#[derive(Clone, Copy)]
enum Premaster<'p> {
    Encrypted(&'p PrivateKey, &'p [u8]),
    Decrypted(&'p DecryptedPremaster<'p>),
}

impl<'p> Premaster<'p> {
    fn key(self) -> &'p PrivateKey {
        match self {
            Self::Encrypted(key, _) => key,
            Self::Decrypted(premaster) => premaster.key,
        }
    }

    fn ciphertext(self) -> &'p [u8] {
        match self {
            Self::Encrypted(_, ciphertext) => ciphertext,
            Self::Decrypted(premaster) => &premaster.ciphertext,
        }
    }

    /// The decrypted block, in `room` where the private operation is still to be done.
    fn block<'b>(self, room: &'b mut Block) -> Result<&'b Block, Error>
    where
        'p: 'b,
    {
        match self {
            Self::Encrypted(key, ciphertext) => {
                key.decrypt_block(ciphertext, room)?;
                Ok(room)
            }
            Self::Decrypted(premaster) => Ok(&premaster.block),
        }
    }
}

pub(crate) const NO_KEY_EXPORT: Error =
    Error::NotAllowed("the provider was opened without key export");
const KEY_TOO_SHORT: Error = Error::NotAllowed("the private key is shorter than min_modulus_bits");

/// The premaster secret that stands in for a bad one.
///
/// A key is derived from the reject key and the ciphertext as in draft-irtf-cfrg-rsa-guidance, and
/// expanded over the expected version and the randoms or session hash, so that the same question
/// has the same answer. Protocol and suite stay out: those that derive alike get the same answer
/// for a good premaster secret too. Computed always, before the plaintext is known.
fn fallback_premaster(
    key: &PrivateKey,
    ciphertext: &[u8],
    expected_version: u16,
    seed: MasterSeed<'_>,
    out: &mut PremasterSecret,
) -> Result<(), Error> {
    let mut derivation_key = Zeroizing::new([0; 32]);
    key.backend().hmac(
        HashAlgorithm::Sha256,
        key.reject_key().expose(),
        &[ciphertext],
        derivation_key.as_mut(),
    )?;
    let version = expected_version.to_be_bytes();
    let (first, second): (&[u8], &[u8]) = match seed {
        MasterSeed::Randoms(client_random, server_random) => (client_random, server_random),
        MasterSeed::SessionHash(hash) => (hash, &[]),
    };
    key.backend().prf(
        PrfAlgorithm::Sha256,
        derivation_key.as_ref(),
        b"fallback premaster secret",
        &[&version, first, second],
        out.expose_mut(),
    )
}
