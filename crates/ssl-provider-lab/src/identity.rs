//! The server's private key and certificates, or a self-signed certificate with a new key.
//! That key and certificate match is checked; whether clients trust them is not.

use std::fmt;
use std::time::Duration;

use getrandom::SysRng;
use rsa::pkcs1::{self, EncodeRsaPrivateKey, RsaPublicKeyRef};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::EncodePublicKey;
use sha2::Sha256;
use ssl_provider::{Error, PrivateKey, Provider};
use ssl_provider_wire::put_certificate;
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

/// Longest certificate chain in bytes.
const MAX_CHAIN_LEN: usize = 1 << 16;

/// A private key and its certificates.
#[derive(Debug)]
pub struct Identity {
    key: PrivateKey,
    /// The Certificate message, the same for every client.
    certificate_message: Vec<u8>,
}

/// A new key with a self-signed certificate, and both as DER to be stored.
pub struct SelfSigned {
    /// The identity.
    pub identity: Identity,
    /// The private key as PKCS#1 DER. Secret.
    pub key_der: Zeroizing<Vec<u8>>,
    /// The certificate as DER.
    pub certificate_der: Vec<u8>,
}

/// Why a key and certificates cannot be used.
#[derive(Debug)]
pub enum IdentityError {
    /// The chain is empty.
    NoCertificate,
    /// The chain is longer than 64 KiB.
    TooLong,
    /// The first certificate is malformed or has no RSA key.
    Unreadable,
    /// The first certificate does not match the private key.
    OtherKey,
    /// The key usage of the first certificate has no keyEncipherment.
    Usage,
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
            Self::Unreadable => f.write_str("the first certificate is malformed or has no RSA key"),
            Self::OtherKey => f.write_str("the first certificate does not match the private key"),
            Self::Usage => f.write_str(
                "the key usage of the first certificate has no keyEncipherment: clients refuse it \
                 for RSA key exchange",
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
    /// Returns the identity of a key and its chain of DER certificates, the server's own first.
    ///
    /// # Errors
    ///
    /// Those of [`IdentityError`] that are about certificates.
    pub fn new(key: PrivateKey, chain: &[Vec<u8>]) -> Result<Self, IdentityError> {
        let leaf = chain.first().ok_or(IdentityError::NoCertificate)?;
        if chain.iter().map(Vec::len).sum::<usize>() > MAX_CHAIN_LEN {
            return Err(IdentityError::TooLong);
        }
        let leaf = Certificate::from_der(leaf).map_err(|_| IdentityError::Unreadable)?;
        if rsa_modulus(&leaf).ok_or(IdentityError::Unreadable)? != key.modulus() {
            return Err(IdentityError::OtherKey);
        }
        // RFC 5246 section 7.4.2. Without a key usage, any use is allowed.
        let usage = leaf.tbs_certificate().get_extension::<KeyUsage>();
        match usage.map_err(|_| IdentityError::Unreadable)? {
            Some((_, usage)) if !usage.key_encipherment() => return Err(IdentityError::Usage),
            Some(_) | None => {}
        }
        let mut certificate_message = Vec::new();
        put_certificate(&mut certificate_message, chain.iter().map(Vec::as_slice));
        Ok(Self { key, certificate_message })
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

    /// Makes the self-signed certificate of a key.
    pub(crate) fn of(
        provider: &Provider,
        key: rsa::PrivateKey,
    ) -> Result<SelfSigned, IdentityError> {
        let failed = IdentityError::NotMade;
        let key_der = key.to_pkcs1_der().map_err(|_| failed("the key as DER"))?.to_bytes();
        // RSA key exchange requires keyEncipherment (RFC 5246 section 7.4.2).
        let usage = KeyUsage(KeyUsages::KeyEncipherment | KeyUsages::DigitalSignature);
        let certificate_der = certificate(key, usage).map_err(|_| failed("the certificate"))?;
        let loaded = provider.load_private_key(&key_der)?;
        let identity = Self::new(loaded, std::slice::from_ref(&certificate_der))?;
        Ok(SelfSigned { identity, key_der, certificate_der })
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(crate) fn certificate_message(&self) -> &[u8] {
        &self.certificate_message
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

/// Makes a self-signed certificate for `localhost` that is valid for a year.
fn certificate(
    key: rsa::PrivateKey,
    usage: KeyUsage,
) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let public = key.to_public_key().to_public_key_der()?;
    let info = SubjectPublicKeyInfo::from_der(public.as_bytes())?;
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
    let certificate = builder.build(&SigningKey::<Sha256>::new(key))?;
    Ok(certificate.to_der()?)
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
    use rsa::pkcs1::DecodeRsaPrivateKey;
    use ssl_provider::default_backend;
    use ssl_provider_testkit::rsa_key::TestKey;

    use super::*;

    #[test]
    fn a_certificate_whose_key_usage_has_no_key_encipherment_is_refused() {
        let der = TestKey::rsa_1024().der.clone();
        let provider = Provider::open(default_backend().unwrap());
        let identity = |usage: KeyUsage| {
            let key = rsa::PrivateKey::from_pkcs1_der(&der).unwrap();
            let chain = [certificate(key, usage).unwrap()];
            Identity::new(provider.load_private_key(&der).unwrap(), &chain)
        };
        assert!(identity(KeyUsage(KeyUsages::KeyEncipherment.into())).is_ok());
        let refused = identity(KeyUsage(KeyUsages::DigitalSignature.into()));
        assert!(matches!(refused, Err(IdentityError::Usage)));
    }
}
