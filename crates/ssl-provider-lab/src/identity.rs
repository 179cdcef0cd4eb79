//! The server's private keys and certificates, or a self-signed certificate with a new key.
//! That key and certificate match is checked; whether clients trust them is not.

use std::fmt;
use std::time::Duration;

use getrandom::SysRng;
use rsa::pkcs1::{self, DecodeRsaPrivateKey, EncodeRsaPrivateKey, RsaPublicKeyRef};
use rsa::pkcs1v15;
use rsa::pkcs8::{Document, EncodePrivateKey, EncodePublicKey};
use sha2::Sha256;
use ssl_provider::backend::with_stack_wiped;
use ssl_provider::{
    Curve, Error, InvalidKey, KeyExchange, NamedCurve, PrivateKey, Provider, PublicKeyDer,
    SignatureScheme, SigningKey,
};
use ssl_provider_wire::{put_certificate, put_certificate_chain};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Ia5String, OctetString};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;
use zeroize::Zeroizing;

use crate::signed_params::{can_sign, can_verify};

/// Longest certificate chain in bytes.
const MAX_CHAIN_LEN: usize = 1 << 16;

/// The private keys of a server with their certificates: an RSA key, one on a curve, or both.
#[derive(Debug)]
pub struct Identity {
    rsa: Option<Credential>,
    ecdsa: Option<Credential>,
}

/// A private key and its certificates.
pub(crate) struct Credential {
    /// Decrypts premaster secrets.
    decrypts: Option<PrivateKey>,
    /// Signs key exchange parameters.
    signs: Option<Signer>,
    /// The Certificate message, the same for every client.
    certificate_message: Vec<u8>,
    /// That of TLS 1.3.
    tls13_certificate_message: Vec<u8>,
}

impl Credential {
    fn new(decrypts: Option<PrivateKey>, signs: Option<Signer>, chain: &[Vec<u8>]) -> Self {
        let chain = chain.iter().map(Vec::as_slice);
        let (mut certificate_message, mut tls13_certificate_message) = (Vec::new(), Vec::new());
        put_certificate(&mut certificate_message, chain.clone());
        put_certificate_chain(&mut tls13_certificate_message, &[], chain);
        Self { decrypts, signs, certificate_message, tls13_certificate_message }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { decrypts, signs, certificate_message, tls13_certificate_message: _ } = self;
        f.debug_struct("Credential")
            .field("decrypts", decrypts)
            .field("signs", signs)
            .field("certificate_message_len", &certificate_message.len())
            .finish()
    }
}

/// A private key that signs.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) key: SigningKey,
    /// What key and backend sign with, preferred schemes first.
    pub(crate) schemes: Vec<SignatureScheme>,
}

impl Signer {
    fn new(provider: &Provider, key: SigningKey) -> Option<Self> {
        use SignatureScheme as S;
        const RSA: [SignatureScheme; 8] = [
            S::RsaPssSha256,
            S::RsaPssSha384,
            S::RsaPssSha512,
            S::RsaSha256,
            S::RsaSha384,
            S::RsaSha512,
            S::RsaSha1,
            S::RsaMd5Sha1,
        ];
        let preferred = match key.curve() {
            None => &RSA[..],
            // A digest as long as the numbers of the curve.
            Some(Curve::P256) => &[S::EcdsaSha256, S::EcdsaSha384, S::EcdsaSha512, S::EcdsaSha1],
            Some(Curve::P384) => &[S::EcdsaSha384, S::EcdsaSha256, S::EcdsaSha512, S::EcdsaSha1],
            Some(Curve::P521) => &[S::EcdsaSha512, S::EcdsaSha384, S::EcdsaSha256, S::EcdsaSha1],
        };
        let signs = |scheme: &SignatureScheme| can_sign(provider, &key, *scheme);
        let schemes: Vec<_> = preferred.iter().copied().filter(signs).collect();
        (!schemes.is_empty()).then_some(Self { key, schemes })
    }

    /// Returns the curve of the key as key exchanges name it; `None` for an RSA key.
    pub(crate) fn curve(&self) -> Option<NamedCurve> {
        self.key.curve().map(NamedCurve::from)
    }
}

/// A new key with a self-signed certificate, and both as DER to be stored.
#[non_exhaustive]
pub struct SelfSigned {
    /// The identity.
    pub identity: Identity,
    /// The private key as DER, PKCS#1 or PKCS#8. Secret.
    pub key_der: Zeroizing<Vec<u8>>,
    /// The certificate as DER.
    pub certificate_der: Vec<u8>,
}

/// Why a key and certificates cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum IdentityError {
    /// The chain is empty.
    NoCertificate,
    /// The chain is longer than 64 KiB.
    TooLong,
    /// The first certificate is malformed.
    Unreadable,
    /// The first certificate has a key of another kind than RSA, P-256, P-384 and P-521.
    UnknownKind,
    /// The first certificate does not match the private key.
    OtherKey,
    /// The key usage of the first certificate has no keyEncipherment.
    Usage,
    /// The key can be used for nothing, as far as the key usage of the certificate and the key and
    /// the backend allow it.
    NoUse,
    /// There already is a certificate with a key of this kind.
    SameKind,
    /// The provider refused the key.
    Provider(Error),
    /// A key or certificate could not be made; the text names the step.
    NotMade(&'static str),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("no certificate"),
            Self::TooLong => write!(f, "the certificate chain exceeds {MAX_CHAIN_LEN} bytes"),
            Self::Unreadable => f.write_str("the first certificate is malformed"),
            Self::UnknownKind => f.write_str(
                "the first certificate needs an RSA key, or one on P-256, P-384 or P-521",
            ),
            Self::OtherKey => f.write_str("the first certificate does not match the private key"),
            Self::Usage => f.write_str(
                "the key usage of the first certificate has no keyEncipherment: clients refuse it \
                 for RSA key exchange",
            ),
            Self::NoUse => f.write_str(
                "the key can neither decrypt nor sign: look at the key usage of the first \
                 certificate, and at what the backend supports",
            ),
            Self::SameKind => f.write_str(
                "there is a certificate of this kind already; a server has at most one with an RSA \
                 key and one with a key on a curve",
            ),
            Self::Provider(error) => write!(f, "the key: {error}"),
            Self::NotMade(step) => write!(f, "cannot make a key and certificate: {step}"),
        }
    }
}

impl std::error::Error for IdentityError {}

impl From<Error> for IdentityError {
    fn from(error: Error) -> Self {
        Self::Provider(error)
    }
}

ssl_provider::redacted_debug! { SelfSigned { identity, .. } }

impl Identity {
    /// Takes an RSA key that decrypts, and its certificates in DER, the server's own first.
    ///
    /// # Errors
    ///
    /// [`IdentityError`], for a chain that is empty, too long, malformed or of another key, also of
    /// one that is not RSA, and for a key usage without keyEncipherment.
    pub fn new(key: PrivateKey, chain: &[Vec<u8>]) -> Result<Self, IdentityError> {
        let leaf = read_chain(chain)?;
        if rsa_modulus(&leaf).as_deref() != Some(key.modulus()) {
            return Err(IdentityError::OtherKey);
        }
        if !Usage::of(&leaf)?.decrypts {
            return Err(IdentityError::Usage);
        }
        let rsa = Credential::new(Some(key), None, chain);
        Ok(Self { rsa: Some(rsa), ecdsa: None })
    }

    /// Takes a private key in DER (PKCS#1, SEC 1 or PKCS#8), an RSA key or one on a curve, and its
    /// certificates in DER, the server's own first. What the key is used for, decryption and
    /// signatures, depends on the key usage of both, and on the backend.
    ///
    /// # Errors
    ///
    /// [`IdentityError`].
    pub fn from_der(
        provider: &Provider,
        key: &[u8],
        chain: &[Vec<u8>],
    ) -> Result<Self, IdentityError> {
        let leaf = read_chain(chain)?;
        let info = leaf.tbs_certificate().subject_public_key_info();
        let info = info.to_der().map_err(|_| IdentityError::UnknownKind)?;
        let public_key = PublicKeyDer::from_der(&info).map_err(|_| IdentityError::UnknownKind)?;
        let is_rsa = public_key.modulus_bits().is_some();
        let usage = Usage::of(&leaf)?;
        let mut decrypts = None;
        if is_rsa && usage.decrypts {
            decrypts = unless_unusable(provider.load_private_key(key))?;
        }
        let modulus = rsa_modulus(&leaf);
        if decrypts.as_ref().is_some_and(|key| modulus.as_deref() != Some(key.modulus())) {
            return Err(IdentityError::OtherKey);
        }
        let mut signs = None;
        if usage.signs {
            signs = unless_unusable(provider.load_signing_key(key))?;
        }
        let signs = signs.and_then(|key| Signer::new(provider, key));
        if let Some(signer) = &signs {
            check_pair(provider, signer, &info)?;
        }
        if decrypts.is_none() && signs.is_none() {
            return Err(IdentityError::NoUse);
        }
        let credential = Some(Credential::new(decrypts, signs, chain));
        Ok(match is_rsa {
            true => Self { rsa: credential, ecdsa: None },
            false => Self { rsa: None, ecdsa: credential },
        })
    }

    /// Adds the key and certificates of another kind.
    ///
    /// # Errors
    ///
    /// [`IdentityError::SameKind`].
    pub fn and(self, other: Self) -> Result<Self, IdentityError> {
        let one_of = |one: Option<_>, other: Option<_>| match (one, other) {
            (Some(_), Some(_)) => Err(IdentityError::SameKind),
            (one, other) => Ok(one.or(other)),
        };
        Ok(Self { rsa: one_of(self.rsa, other.rsa)?, ecdsa: one_of(self.ecdsa, other.ecdsa)? })
    }

    /// Makes a 2048-bit RSA key with a self-signed certificate for `localhost`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NotMade`] and [`IdentityError::Provider`].
    pub fn self_signed(provider: &Provider) -> Result<SelfSigned, IdentityError> {
        let key = rsa::PrivateKey::new(&mut SysRng, 2048);
        Self::of(provider, key.map_err(|_| IdentityError::NotMade("the key"))?)
    }

    /// Makes a self-signed certificate for `localhost` of an RSA key, PKCS#1 in DER.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NotMade`], also for a key that cannot be read, and
    /// [`IdentityError::Provider`].
    pub fn self_signed_with(provider: &Provider, key: &[u8]) -> Result<SelfSigned, IdentityError> {
        let key = rsa::PrivateKey::from_pkcs1_der(key);
        Self::of(provider, key.map_err(|_| IdentityError::NotMade("the key from DER"))?)
    }

    /// Makes the self-signed certificate of a key.
    pub(crate) fn of(
        provider: &Provider,
        key: rsa::PrivateKey,
    ) -> Result<SelfSigned, IdentityError> {
        let failed = IdentityError::NotMade;
        let key_der = key.to_pkcs1_der().map_err(|_| failed("the key as DER"))?.to_bytes();
        // RSA key exchange requires keyEncipherment (RFC 5246 section 7.4.2).
        let usage = KeyUsage(KeyUsages::KeyEncipherment | KeyUsages::DigitalSignature);
        let certificate_der = rsa_certificate(key, usage).map_err(|_| failed("the certificate"))?;
        let identity = Self::from_der(provider, &key_der, std::slice::from_ref(&certificate_der))?;
        Ok(SelfSigned { identity, key_der, certificate_der })
    }

    /// Makes a key on P-256 with a self-signed certificate for `localhost`.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NotMade`], [`IdentityError::Provider`], and [`IdentityError::NoUse`] for a
    /// backend that does not sign.
    pub fn self_signed_ecdsa(provider: &Provider) -> Result<SelfSigned, IdentityError> {
        // The crate moves the key about by value.
        with_stack_wiped::<_, STACK_LEN>(|| Self::make_ecdsa(provider))
    }

    fn make_ecdsa(provider: &Provider) -> Result<SelfSigned, IdentityError> {
        let failed = IdentityError::NotMade;
        let key = p256_key().ok_or(failed("the key"))?;
        let key_der = key.to_pkcs8_der().map_err(|_| failed("the key as DER"))?.to_bytes();
        let key = p256::ecdsa::SigningKey::from(key);
        let usage = KeyUsage(KeyUsages::DigitalSignature.into());
        let certificate_der = key
            .verifying_key()
            .to_public_key_der()
            .map_err(Into::into)
            .and_then(|public| {
                let certificate = certificate(&public, usage)?;
                Ok(certificate.build::<_, p256::ecdsa::DerSignature>(&key)?.to_der()?)
            })
            .map_err(|_: Box<dyn std::error::Error>| failed("the certificate"))?;
        let identity = Self::from_der(provider, &key_der, std::slice::from_ref(&certificate_der))?;
        Ok(SelfSigned { identity, key_der, certificate_der })
    }

    /// Returns the key that decrypts premaster secrets.
    pub(crate) fn decryption_key(&self) -> Option<&PrivateKey> {
        self.rsa.as_ref()?.decrypts.as_ref()
    }

    /// Returns the key that signs in a key exchange; `None` if it takes none, or there is none.
    pub(crate) fn signer(&self, exchange: KeyExchange) -> Option<&Signer> {
        match exchange {
            KeyExchange::EcdheRsa | KeyExchange::DheRsa => self.rsa.as_ref()?.signs.as_ref(),
            KeyExchange::EcdheEcdsa => self.ecdsa.as_ref()?.signs.as_ref(),
            _ => None,
        }
    }

    /// Returns the keys that sign in TLS 1.3, each with its Certificate message; the faster one
    /// comes first.
    pub(crate) fn tls13_signers(&self) -> impl Iterator<Item = (&Signer, &[u8])> {
        [&self.ecdsa, &self.rsa].into_iter().flatten().filter_map(|credential| {
            Some((credential.signs.as_ref()?, &credential.tls13_certificate_message[..]))
        })
    }

    /// Returns the Certificate message for a key exchange.
    pub(crate) fn certificate_message(&self, exchange: KeyExchange) -> &[u8] {
        let credential = match exchange {
            KeyExchange::EcdheEcdsa => &self.ecdsa,
            _ => &self.rsa,
        };
        credential.as_ref().map_or(&[], |credential| &credential.certificate_message)
    }
}

/// What the key usage of a certificate allows (RFC 5246 section 7.4.2, RFC 8422 section 5.3).
/// Without a key usage, anything is.
struct Usage {
    decrypts: bool,
    signs: bool,
}

impl Usage {
    fn of(leaf: &Certificate) -> Result<Self, IdentityError> {
        let usage = leaf.tbs_certificate().get_extension::<KeyUsage>();
        Ok(match usage.map_err(|_| IdentityError::Unreadable)? {
            Some((_, usage)) => {
                Self { decrypts: usage.key_encipherment(), signs: usage.digital_signature() }
            }
            None => Self { decrypts: true, signs: true },
        })
    }
}

/// Returns the first certificate of a chain.
fn read_chain(chain: &[Vec<u8>]) -> Result<Certificate, IdentityError> {
    let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
    if chain.iter().map(Vec::len).sum::<usize>() > MAX_CHAIN_LEN {
        return Err(IdentityError::TooLong);
    }
    Certificate::from_der(leaf).map_err(|_| IdentityError::Unreadable)
}

/// Returns `None` for a key that key usage or backend leave without this use.
fn unless_unusable<T>(loaded: Result<T, Error>) -> Result<Option<T>, IdentityError> {
    match loaded {
        Ok(key) => Ok(Some(key)),
        Err(Error::Key(InvalidKey::Usage) | Error::Unsupported(_)) => Ok(None),
        // The certificate has a key of the other kind.
        Err(Error::Key(InvalidKey::NotRsa(_))) => Err(IdentityError::OtherKey),
        Err(other) => Err(other.into()),
    }
}

/// Checks that the key signs what the certificate's key verifies.
fn check_pair(
    provider: &Provider,
    signer: &Signer,
    public_key: &[u8],
) -> Result<(), IdentityError> {
    let verifies = |scheme: &SignatureScheme| can_verify(provider, *scheme);
    let Some(scheme) = signer.schemes.iter().copied().find(verifies) else { return Ok(()) };
    let digest = vec![0x55; scheme.digest_len().unwrap_or_default()];
    let signature = signer.key.sign(scheme, &digest)?;
    match provider.verify_signature(public_key, scheme, &digest, &signature) {
        Ok(()) => Ok(()),
        // A key of another kind or curve has no scheme in common with it.
        Err(Error::BadSignature | Error::InvalidParameter(_)) => Err(IdentityError::OtherKey),
        Err(other) => Err(other.into()),
    }
}

/// Returns the modulus of a certificate's RSA key, big-endian without leading zeros.
fn rsa_modulus(certificate: &Certificate) -> Option<Vec<u8>> {
    let info = certificate.tbs_certificate().subject_public_key_info();
    if info.algorithm.oid != pkcs1::ALGORITHM_OID {
        return None;
    }
    let key = RsaPublicKeyRef::try_from(info.subject_public_key.as_bytes()?).ok()?;
    Some(key.modulus.as_bytes().to_vec())
}

/// Bytes of stack that a key on P-256 may be made and certified in; builds that are not optimised
/// use more than 40 KiB.
const STACK_LEN: usize = 128 * 1024;

/// Makes a key on P-256; `None` if there are no random numbers.
fn p256_key() -> Option<p256::SecretKey> {
    let mut number = Zeroizing::new([0; 32]);
    loop {
        getrandom::fill(&mut *number).ok()?;
        // Of 2^32 numbers about one is zero or not below the order.
        if let Ok(key) = p256::SecretKey::from_slice(&*number) {
            return Some(key);
        }
    }
}

/// Makes a self-signed certificate of an RSA key.
pub(crate) fn rsa_certificate(
    key: rsa::PrivateKey,
    usage: KeyUsage,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let builder = certificate(&key.to_public_key().to_public_key_der()?, usage)?;
    Ok(builder.build(&pkcs1v15::SigningKey::<Sha256>::new(key))?.to_der()?)
}

/// Prepares a self-signed certificate for `localhost` that is valid for a year.
fn certificate(
    public_key: &Document,
    usage: KeyUsage,
) -> Result<CertificateBuilder<Localhost>, Box<dyn std::error::Error>> {
    let info = SubjectPublicKeyInfo::from_der(public_key.as_bytes())?;
    // Random, since some clients reject a second certificate with a known issuer and serial number.
    let mut serial = [0; 16];
    getrandom::fill(&mut serial)?;
    let serial = SerialNumber::new(&serial.map(|byte| byte & 0x7f | 0x01))?;
    let validity = Validity::from_now(Duration::from_secs(365 * 24 * 60 * 60))?;
    let mut builder = CertificateBuilder::new(Localhost, serial, validity, info)?;
    builder.add_extension(&SubjectAltName(vec![
        GeneralName::DnsName(Ia5String::new("localhost")?),
        GeneralName::IpAddress(OctetString::new([127, 0, 0, 1])?),
    ]))?;
    builder.add_extension(&usage)?;
    builder.add_extension(&BasicConstraints { ca: false, path_len_constraint: None })?;
    Ok(builder)
}

/// The profile of the self-signed certificate.
struct Localhost;

impl BuilderProfile for Localhost {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        // The text is a valid name.
        "CN=localhost".parse().unwrap_or_default()
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _certificate: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::collections::BTreeSet;

    #[cfg(target_os = "linux")]
    use ssl_provider::EcPrivateKeyDer;
    use ssl_provider::default_backend;
    use ssl_provider_testkit::rsa_key::TestKey;
    #[cfg(target_os = "linux")]
    use ssl_provider_testkit::stack::{Remains, Secrets};

    use super::*;

    #[test]
    fn a_certificate_whose_key_usage_has_no_key_encipherment_is_refused() {
        let der = TestKey::rsa_1024().der.clone();
        let provider = Provider::open(default_backend().unwrap());
        let identity = |usage: KeyUsage| {
            let key = rsa::PrivateKey::from_pkcs1_der(&der).unwrap();
            let chain = [rsa_certificate(key, usage).unwrap()];
            Identity::new(provider.load_private_key(&der).unwrap(), &chain)
        };
        assert!(identity(KeyUsage(KeyUsages::KeyEncipherment.into())).is_ok());
        let refused = identity(KeyUsage(KeyUsages::DigitalSignature.into()));
        assert!(matches!(refused, Err(IdentityError::Usage)));
    }

    #[test]
    fn a_certificate_is_made_for_a_key_that_is_given() {
        let key = TestKey::rsa_1024();
        let policy = ssl_provider::Policy { min_modulus_bits: 1024, ..Default::default() };
        let provider = Provider::open(default_backend().unwrap()).with_policy(policy);
        let made = Identity::self_signed_with(&provider, &key.der).unwrap();
        assert_eq!(*made.key_der, key.der);
        let leaf = Certificate::from_der(&made.certificate_der).unwrap();
        assert_eq!(rsa_modulus(&leaf).unwrap(), key.modulus().to_bytes_be());
        let junk = Identity::self_signed_with(&provider, b"junk");
        assert!(matches!(junk, Err(IdentityError::NotMade(_))));
    }

    #[test]
    fn key_usage_decides_what_a_key_is_for() {
        let der = TestKey::rsa_1024().der.clone();
        let provider = Provider::open(default_backend().unwrap());
        let identity = |usage: KeyUsage| {
            let key = rsa::PrivateKey::from_pkcs1_der(&der).unwrap();
            Identity::from_der(&provider, &der, &[rsa_certificate(key, usage).unwrap()])
        };
        let (encipherment, signature) = (KeyUsages::KeyEncipherment, KeyUsages::DigitalSignature);
        for (usage, decrypts, signs) in [
            (encipherment.into(), true, false),
            (signature.into(), false, true),
            (encipherment | signature, true, true),
        ] {
            let identity = identity(KeyUsage(usage)).unwrap();
            assert_eq!(identity.decryption_key().is_some(), decrypts);
            for exchange in [KeyExchange::EcdheRsa, KeyExchange::DheRsa] {
                assert_eq!(identity.signer(exchange).is_some(), signs);
            }
            assert!(identity.signer(KeyExchange::EcdheEcdsa).is_none());
            assert!(identity.signer(KeyExchange::Rsa).is_none());
        }
        let refused = identity(KeyUsage(KeyUsages::CRLSign.into()));
        assert!(matches!(refused, Err(IdentityError::NoUse)));
    }

    #[test]
    fn one_certificate_of_each_kind_is_taken_if_the_keys_are_theirs() {
        let provider = Provider::open(default_backend().unwrap());
        let rsa = || {
            let key = rsa::PrivateKey::from_pkcs1_der(&TestKey::rsa_1024().der).unwrap();
            Identity::of(&provider, key).unwrap()
        };
        let ecdsa = || Identity::self_signed_ecdsa(&provider).unwrap();
        let both = rsa().identity.and(ecdsa().identity).unwrap();
        let message = |exchange| both.certificate_message(exchange);
        assert_ne!(message(KeyExchange::EcdheEcdsa), message(KeyExchange::EcdheRsa));
        assert_eq!(message(KeyExchange::Rsa), message(KeyExchange::EcdheRsa));
        let twice = ecdsa().identity.and(ecdsa().identity);
        assert!(matches!(twice, Err(IdentityError::SameKind)));
        assert!(matches!(both.and(rsa().identity), Err(IdentityError::SameKind)));

        let (one, other) = (ecdsa(), ecdsa());
        for (key, certificate) in [
            (&one.key_der[..], &other.certificate_der),
            (&one.key_der[..], &rsa().certificate_der),
            (&rsa().key_der[..], &one.certificate_der),
        ] {
            let refused = Identity::from_der(&provider, key, std::slice::from_ref(certificate));
            assert!(matches!(refused, Err(IdentityError::OtherKey)), "{refused:?}");
        }
    }

    /// The same without the wipe must be found, else this would hold for nothing.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_key_that_was_made_is_not_left_on_the_stack() {
        let provider = Provider::open(default_backend().unwrap());
        let found = |remains: &Remains, key: &[u8]| {
            remains.found(&Secrets::default().and("private key", key))
        };
        let mut key = None;
        let unwiped = Remains::of(|| key = p256_key().map(Box::new));
        let bytes = key.unwrap().to_bytes().to_vec();
        assert_eq!(found(&unwiped, &bytes), BTreeSet::from(["private key"]));

        let mut made = None;
        let remains = Remains::of(|| {
            made = Some(Box::new(Identity::self_signed_ecdsa(&provider).unwrap()));
        });
        let made = made.unwrap();
        let key = EcPrivateKeyDer::from_der(&made.key_der).unwrap();
        assert_eq!(found(&remains, key.number()), BTreeSet::new());
        assert!(remains.wiped_to_the_bottom());
    }
}
