//! Client certificates: CertificateRequest, Certificate and CertificateVerify.
//! Issuers are not checked; that the client holds the private key is.

use ssl_provider::tls13::Tls13Parameters;
use ssl_provider::{
    Error, HandshakeHash, HashAlgorithm, NamedCurve, ProtocolVersion, Provider, PublicKeyDer,
    PublicKeyParts, Side, SignatureScheme,
};
use ssl_provider_wire::{
    Alert, CertificateVerify, ClientCertificateType, HandshakeType, Reader, certificates,
    put_message, put_vec,
};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::KeyUsage;

use crate::alert::{internal_error, require};
use crate::refusal::{Cause, Refusal};
use crate::session::Fingerprint;
use crate::signed_params::{
    can_verify, certificate_verify_digest, digest, fixed_scheme, is_tls13_scheme,
};

/// Longest Certificate message accepted from a client, in bytes.
pub(crate) const MAX_CERTIFICATE_LEN: usize = 1 << 15;

/// Longest CertificateVerify in bytes: scheme, length, and a signature of the largest RSA key.
pub(crate) const MAX_CERTIFICATE_VERIFY_LEN: usize = 2 + 2 + 1024;

/// Signature schemes requested in TLS 1.2, in order of preference.
const SCHEMES: [SignatureScheme; 8] = [
    SignatureScheme::RsaSha256,
    SignatureScheme::RsaSha384,
    SignatureScheme::RsaSha512,
    SignatureScheme::EcdsaSha256,
    SignatureScheme::EcdsaSha384,
    SignatureScheme::EcdsaSha512,
    SignatureScheme::RsaSha1,
    SignatureScheme::EcdsaSha1,
];

/// The same for TLS 1.3. PKCS#1 is for the signatures in certificates alone.
const TLS13_SCHEMES: [SignatureScheme; 9] = [
    SignatureScheme::EcdsaSha256,
    SignatureScheme::EcdsaSha384,
    SignatureScheme::EcdsaSha512,
    SignatureScheme::RsaPssSha256,
    SignatureScheme::RsaPssSha384,
    SignatureScheme::RsaPssSha512,
    SignatureScheme::RsaSha256,
    SignatureScheme::RsaSha384,
    SignatureScheme::RsaSha512,
];

/// A client's certificate.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    /// Its `SubjectPublicKeyInfo` in DER.
    public_key: Vec<u8>,
    /// SHA-256 of the certificate.
    pub(crate) fingerprint: Fingerprint,
}

/// Writes a CertificateRequest with an empty list of authorities.
pub(crate) fn put_certificate_request(
    out: &mut Vec<u8>,
    provider: &Provider,
    protocol: ProtocolVersion,
) {
    put_message(out, HandshakeType::CERTIFICATE_REQUEST, |out| {
        put_vec::<1>(out, |out| {
            out.extend([ClientCertificateType::RSA_SIGN.0, ClientCertificateType::ECDSA_SIGN.0]);
        });
        if protocol == ProtocolVersion::TLS1_2 {
            put_vec::<2>(out, |out| {
                let numbers = schemes(provider).filter_map(SignatureScheme::wire);
                out.extend(numbers.flat_map(u16::to_be_bytes));
            });
        }
        put_vec::<2>(out, |_| {});
    });
}

/// Returns the schemes that are requested of clients.
pub(crate) fn schemes(provider: &Provider) -> impl Iterator<Item = SignatureScheme> {
    SCHEMES.into_iter().filter(|scheme| can_verify(provider, *scheme))
}

/// Returns the schemes that are requested of clients in TLS 1.3.
pub(crate) fn tls13_schemes(provider: &Provider) -> impl Iterator<Item = SignatureScheme> {
    TLS13_SCHEMES.into_iter().filter(|scheme| can_verify(provider, *scheme))
}

/// Parses the body of a Certificate message. Returns `None` if its list is empty. A key usage must
/// allow signatures (RFC 5246 sections 7.4.6 and 7.4.4).
pub(crate) fn certificate(
    provider: &Provider,
    body: &[u8],
) -> Result<Option<ClientCertificate>, Refusal> {
    match certificates(body)?.first() {
        Some(der) => certificate_of(provider, der).map(Some),
        None => Ok(None),
    }
}

/// The same for the first certificate of the list, DER.
pub(crate) fn certificate_of(
    provider: &Provider,
    der: &[u8],
) -> Result<ClientCertificate, Refusal> {
    let certificate = Certificate::from_der(der).map_err(|_| Alert::BadCertificate)?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    let public_key = info.to_der().map_err(|_| Alert::BadCertificate)?;
    PublicKeyDer::from_der(&public_key).map_err(|_| Alert::UnsupportedCertificate)?;
    let usage = certificate.tbs_certificate().get_extension::<KeyUsage>();
    let usage = usage.map_err(|_| Alert::BadCertificate)?;
    if usage.is_some_and(|(_, usage)| !usage.digital_signature()) {
        let cause = Some(Cause::KeyUsageOfClientCertificate);
        return Err(Refusal { alert: Alert::UnsupportedCertificate, cause });
    }
    let mut fingerprint = Fingerprint::default();
    provider
        .backend()
        .hashing()
        .hash(HashAlgorithm::Sha256, &[der], &mut fingerprint)
        .map_err(internal_error)?;
    Ok(ClientCertificate { public_key, fingerprint })
}

/// Verifies the body of a CertificateVerify over all handshake messages before it
/// (RFC 5246 section 7.4.8, RFC 2246 section 7.4.8).
pub(crate) fn certificate_verify(
    provider: &Provider,
    protocol: ProtocolVersion,
    certificate: &ClientCertificate,
    messages: &[u8],
    body: &[u8],
) -> Result<(), Alert> {
    let mut reader = Reader::new(body);
    let key = PublicKeyDer::from_der(&certificate.public_key).map_err(internal_error)?;
    let is_rsa = key.modulus_bits().is_some();
    let scheme = match fixed_scheme(protocol, is_rsa) {
        Some(scheme) => scheme,
        None => {
            let received = reader.u16().ok_or(Alert::DecodeError)?;
            let requested = schemes(provider).find(|scheme| scheme.wire() == Some(received));
            requested.ok_or(Alert::IllegalParameter)?
        }
    };
    require(scheme.is_rsa() == is_rsa, Alert::IllegalParameter)?;
    let signature = reader.vec16().filter(|_| reader.is_empty()).ok_or(Alert::DecodeError)?;
    let digest = digest(provider, scheme, &[messages]).map_err(internal_error)?;
    verify(provider, certificate, scheme, &digest, signature)
}

/// Verifies a CertificateVerify of TLS 1.3 after the messages up to Certificate (RFC 8446 section
/// 4.4.3).
pub(crate) fn tls13_certificate_verify(
    provider: &Provider,
    parameters: &Tls13Parameters,
    transcript: &HandshakeHash,
    certificate: &ClientCertificate,
    received: &CertificateVerify<'_>,
) -> Result<(), Alert> {
    let key = PublicKeyDer::from_der(&certificate.public_key).map_err(internal_error)?;
    let curve = match key.parts() {
        PublicKeyParts::Ec { curve, .. } => Some(NamedCurve::from(curve)),
        _ => None,
    };
    let requested = tls13_schemes(provider).find(|scheme| scheme.wire() == Some(received.scheme));
    let scheme = requested.filter(|scheme| is_tls13_scheme(*scheme, curve));
    let scheme = scheme.ok_or(Alert::IllegalParameter)?;
    let digest = certificate_verify_digest(provider, parameters, Side::Client, transcript, scheme);
    let digest = digest.map_err(internal_error)?;
    verify(provider, certificate, scheme, &digest, received.signature)
}

fn verify(
    provider: &Provider,
    certificate: &ClientCertificate,
    scheme: SignatureScheme,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Alert> {
    provider.verify_signature(&certificate.public_key, scheme, digest, signature).map_err(|error| {
        match error {
            Error::BadSignature => Alert::DecryptError,
            // A point that is not on its curve, or a key that is too short.
            Error::InvalidParameter(_) | Error::NotAllowed(_) => Alert::UnsupportedCertificate,
            other => internal_error(other),
        }
    })
}
