//! Certificates: the server's key, whether it fits the suite, whom to trust, and the client's own.
//! The chain itself is for the program that uses the client.

use std::fmt;

use ssl_provider::{
    CipherSuiteInfo, Error, KeyExchange, NamedCurve, ProtocolVersion, Provider, PublicKeyDer,
    PublicKeyParts, SignatureScheme, SigningKey,
};
use ssl_provider_wire::{Alert, ClientCertificateType, Reader, certificates};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::KeyUsage;

use crate::client::fault::{Refused, ServerFault, refuse};
use crate::group::NamedGroup;
use crate::signed_params::{can_sign, digest, fixed_scheme};

/// Longest Certificate message accepted from a server, in bytes.
pub(crate) const MAX_CERTIFICATE_LEN: usize = 1 << 17;

/// Most certificates that a chain may have.
const MAX_CHAIN: usize = 32;

/// Longest CertificateRequest in bytes: types, schemes, and names of authorities.
pub(crate) const MAX_CERTIFICATE_REQUEST_LEN: usize = 1 + 0xff + 2 + 0xffff + 2 + 0xffff;

/// Decides whether a server is trusted.
pub trait VerifyServer: fmt::Debug + Send + Sync {
    /// Verifies a chain of DER certificates, the server's own first, which is as it was received
    /// and never empty. `server_name` is the name that the connection was made with.
    ///
    /// # Errors
    ///
    /// [`Distrust`], which ends the handshake.
    fn verify(&self, chain: &[Vec<u8>], server_name: Option<&str>) -> Result<(), Distrust>;
}

/// Why a server is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Distrust {
    /// The alert to send, such as [`Alert::UnknownCa`].
    pub alert: Alert,
    /// The reason in words.
    pub reason: String,
}

impl Distrust {
    /// Ends the handshake with this alert, for this reason.
    pub fn new(alert: Alert, reason: impl Into<String>) -> Self {
        Self { alert, reason: reason.into() }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Distrust {}

/// A private key of the client and its certificates.
pub struct ClientIdentity {
    pub(crate) key: SigningKey,
    pub(crate) chain: Vec<Vec<u8>>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, chain } = self;
        f.debug_struct("ClientIdentity")
            .field("key", key)
            .field("certificate_lens", &lens(chain))
            .finish()
    }
}

/// Lengths of certificates in bytes, which `Debug` prints in place of them.
pub(crate) fn lens(certificates: &[Vec<u8>]) -> Vec<usize> {
    certificates.iter().map(Vec::len).collect()
}

impl ClientIdentity {
    /// Returns the identity of a key and its chain of DER certificates, the client's own first.
    ///
    /// # Errors
    ///
    /// [`CERTIFICATE_OF_ANOTHER_KEY`], which is seen by signing; [`Error::InvalidParameter`] for an
    /// empty, overlong or unreadable chain; errors of signing.
    pub fn new(provider: &Provider, key: SigningKey, chain: Vec<Vec<u8>>) -> Result<Self, Error> {
        let leaf = chain.first().ok_or(Error::InvalidParameter("certificates: none"))?;
        if chain.iter().map(Vec::len).sum::<usize>() > MAX_OWN_CHAIN_LEN {
            return Err(Error::InvalidParameter("certificates: more than 64 KiB"));
        }
        let unreadable = Error::InvalidParameter("certificates: the first one cannot be read");
        let public_key = parse(leaf).and_then(|leaf| public_key(&leaf)).ok_or(unreadable)?;
        let scheme = match key.curve() {
            Some(_) => SignatureScheme::EcdsaSha256,
            None => SignatureScheme::RsaSha256,
        };
        let digest = digest(provider, scheme, &[b"whether certificate and key belong together"])?;
        let signature = key.sign(scheme, &digest)?;
        provider.verify_signature(&public_key, scheme, &digest, &signature).map_err(|error| {
            match error {
                Error::BadSignature | Error::InvalidParameter(_) => CERTIFICATE_OF_ANOTHER_KEY,
                other => other,
            }
        })?;
        Ok(Self { key, chain })
    }
}

/// The error of [`ClientIdentity::new`] where the first certificate is not of the private key.
pub const CERTIFICATE_OF_ANOTHER_KEY: Error =
    Error::InvalidParameter("certificates: the first one does not match the private key");

/// What a server asks of a client certificate.
#[derive(Debug)]
pub(crate) struct CertificateRequest {
    types: Vec<u8>,
    /// Schemes of TLS 1.2, in the server's order; those that are not known are left out.
    schemes: Vec<SignatureScheme>,
}

impl CertificateRequest {
    /// Parses the body of the message (RFC 5246 section 7.4.4). The authorities are checked for
    /// their form only: the user has chosen a certificate.
    pub(crate) fn parse(protocol: ProtocolVersion, body: &[u8]) -> Result<Self, Refused> {
        let malformed = |reason: &'static str| Refused::malformed("CertificateRequest", reason);
        let mut reader = Reader::new(body);
        let types = reader.vec8().filter(|types| !types.is_empty());
        let types = types.ok_or_else(|| malformed("no type of certificate"))?.to_vec();
        let mut schemes = Vec::new();
        if protocol == ProtocolVersion::TLS1_2 {
            let list = reader.vec16().filter(|list| list.len().is_multiple_of(2));
            let mut list = Reader::new(list.ok_or_else(|| malformed("list of schemes"))?);
            while let Some(number) = list.u16() {
                schemes.extend(SignatureScheme::from_wire(number));
            }
        }
        let authorities = reader.vec16().filter(|_| reader.is_empty());
        let mut names = Reader::new(authorities.ok_or_else(|| malformed("list of authorities"))?);
        while !names.is_empty() {
            names.vec16().ok_or_else(|| malformed("name of an authority"))?;
        }
        Ok(Self { types, schemes })
    }

    /// Returns the scheme to sign with, if the key is one that the server takes.
    pub(crate) fn scheme(
        &self,
        provider: &Provider,
        protocol: ProtocolVersion,
        key: &SigningKey,
    ) -> Option<SignatureScheme> {
        let (is_rsa, kind) = match key.curve() {
            None => (true, ClientCertificateType::RSA_SIGN),
            Some(_) => (false, ClientCertificateType::ECDSA_SIGN),
        };
        if !self.types.contains(&kind.0) {
            return None;
        }
        let signs = |scheme: &SignatureScheme| can_sign(provider, key, *scheme);
        match fixed_scheme(protocol, is_rsa) {
            Some(scheme) => Some(scheme).filter(signs),
            None => self.schemes.iter().copied().find(signs),
        }
    }
}

/// Returns the chain of the body of a Certificate message.
pub(crate) fn chain(body: &[u8]) -> Result<Vec<Vec<u8>>, Refused> {
    let chain = certificates(body).map_err(|why| Refused::malformed("Certificate", why))?;
    check_chain_len(chain.len())?;
    Ok(chain.into_iter().map(<[u8]>::to_vec).collect())
}

/// Checks how many certificates a server sent.
pub(crate) fn check_chain_len(len: usize) -> Result<(), Refused> {
    match len {
        0 => refuse(Alert::DecodeError, ServerFault::NoCertificate),
        1..=MAX_CHAIN => Ok(()),
        _ => refuse(Alert::BadCertificate, ServerFault::ManyCertificates(MAX_CHAIN)),
    }
}

/// Returns the `SubjectPublicKeyInfo` of a server's certificate, and the curve of its key; none for
/// an RSA key.
fn read_key(certificate: &CertificateInner<Raw>) -> Result<(Vec<u8>, Option<NamedCurve>), Refused> {
    let public_key = public_key(certificate).ok_or_else(unreadable)?;
    let Ok(key) = PublicKeyDer::from_der(&public_key) else {
        return refuse(Alert::UnsupportedCertificate, ServerFault::UnsupportedKey);
    };
    let curve = match key.parts() {
        PublicKeyParts::Ec { curve, .. } => Some(NamedCurve::from(curve)),
        _ => None,
    };
    Ok((public_key, curve))
}

fn unreadable() -> Refused {
    Refused { alert: Alert::BadCertificate, fault: ServerFault::UnreadableCertificate }
}

/// The same in TLS 1.3, where any key signs (RFC 8446 section 4.4.2.2).
pub(crate) fn tls13_server_key(
    leaf: &[u8],
    check_key_usage: bool,
) -> Result<(Vec<u8>, Option<NamedCurve>), Refused> {
    let certificate = parse(leaf).ok_or_else(unreadable)?;
    let key = read_key(&certificate)?;
    if check_key_usage {
        check_usage(&certificate, false)?;
    }
    Ok(key)
}

/// Checks that the key usage allows encryption to the key, or signatures by it. Without a key
/// usage, any use is allowed.
fn check_usage(certificate: &CertificateInner<Raw>, encrypts: bool) -> Result<(), Refused> {
    let usage = certificate.tbs_certificate().get_extension::<KeyUsage>();
    let usage = usage.map_err(|_| unreadable())?.map(|(_, usage)| usage);
    let (allows, name) = match encrypts {
        true => (usage.is_none_or(|usage| usage.key_encipherment()), "keyEncipherment"),
        false => (usage.is_none_or(|usage| usage.digital_signature()), "digitalSignature"),
    };
    match allows {
        true => Ok(()),
        false => refuse(Alert::UnsupportedCertificate, ServerFault::KeyUsage(name)),
    }
}

/// Returns the `SubjectPublicKeyInfo` of a server's certificate, if it fits the suite.
pub(crate) fn server_key(
    leaf: &[u8],
    suite: &CipherSuiteInfo,
    groups: &[NamedGroup],
    check_key_usage: bool,
) -> Result<Vec<u8>, Refused> {
    let certificate = parse(leaf).ok_or_else(unreadable)?;
    let (public_key, curve) = read_key(&certificate)?;
    let is_rsa = curve.is_none();
    if is_rsa == (suite.key_exchange == KeyExchange::EcdheEcdsa) {
        return refuse(Alert::IllegalParameter, ServerFault::KeyOfSuite(suite.id));
    }
    // RFC 8422 section 5.3.
    if let Some(curve) = curve.filter(|it| !groups.contains(&NamedGroup::Curve(*it))) {
        return refuse(Alert::IllegalParameter, ServerFault::CurveOfKey(curve.wire()));
    }
    if check_key_usage {
        check_usage(&certificate, suite.key_exchange.is_rsa())?;
    }
    Ok(public_key)
}

/// Parses a certificate, whatever its serial number: old devices have odd ones.
fn parse(der: &[u8]) -> Option<CertificateInner<Raw>> {
    CertificateInner::<Raw>::from_der(der).ok()
}

fn public_key(certificate: &CertificateInner<Raw>) -> Option<Vec<u8>> {
    certificate.tbs_certificate().subject_public_key_info().to_der().ok()
}

/// Longest chain of the client in bytes.
const MAX_OWN_CHAIN_LEN: usize = 1 << 16;
