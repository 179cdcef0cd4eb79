//! Whether the chain of a server is trusted: path and name by webpki, signatures by the backend.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, ServerName,
    SignatureVerificationAlgorithm, TrustAnchor, UnixTime, alg_id,
};
use ssl_provider::{Backend, Operation, Policy, Provider, PublicKeyDer, SignatureScheme};
use ssl_provider_lab::client::{Distrust, VerifyServer};
use ssl_provider_wire::Alert;
use webpki::{EndEntityCert, Error, KeyUsage};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::asn1::BitStringRef;
use x509_cert::der::{AnyRef, Decode, Encode, Tag};

use crate::client::host_names;

/// Shortest RSA key of a chain in bits, the server's own included.
const MIN_MODULUS_BITS: usize = 2048;

/// The certificates that are trusted.
#[derive(Debug)]
pub(crate) struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    /// Whether one of them may be the server's own.
    may_be_server: bool,
    /// Why there may be none.
    problem: Option<String>,
}

impl Roots {
    /// Returns those of a file.
    pub(crate) fn of(certificates: Vec<Vec<u8>>) -> Self {
        let certificates = certificates.into_iter().map(CertificateDer::from).collect();
        Self { certificates, may_be_server: true, problem: None }
    }

    /// Returns those of the system.
    pub(crate) fn of_system() -> Self {
        let found = rustls_native_certs::load_native_certs();
        let problem = match found.certs.is_empty() {
            true => Some(found.errors.first().map_or_else(
                || "the system has no root certificates".to_owned(),
                |error| format!("the system's root certificates: {error}"),
            )),
            false => None,
        };
        Self { certificates: found.certs, may_be_server: false, problem }
    }
}

/// What a verifier has found about the last chain, for the report.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust(Arc<Mutex<Option<Result<(), String>>>>);

impl Trust {
    /// Returns the verdict about the last chain; none before there is one. That of a session holds
    /// for its resumption, too.
    pub(crate) fn verdict(&self) -> Option<Result<(), String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, found: Result<(), String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }
}

/// Verifies chains for a name.
#[derive(Debug)]
pub(crate) struct Verifier {
    algorithms: Vec<Algorithm>,
    roots: Roots,
    name: Option<ServerName<'static>>,
    insecure: bool,
    trust: Trust,
}

impl Verifier {
    pub(crate) fn new(backend: Backend, roots: Roots, name: &str, insecure: bool) -> (Self, Trust) {
        let policy = Policy { min_modulus_bits: MIN_MODULUS_BITS, ..Policy::default() };
        let provider = Provider::open(backend).with_policy(policy);
        let trust = Trust::default();
        let name = name.strip_suffix('.').unwrap_or(name).to_owned();
        let verifier = Self {
            algorithms: Algorithm::all(&provider),
            roots,
            name: ServerName::try_from(name).ok(),
            insecure,
            trust: trust.clone(),
        };
        (verifier, trust)
    }

    /// Verifies a chain now.
    fn check(&self, chain: &[Vec<u8>], now: UnixTime) -> Result<(), Distrust> {
        let distrust = |alert, reason: String| Distrust::new(alert, reason);
        if let Some(problem) = &self.roots.problem {
            return Err(distrust(Alert::UnknownCa, problem.clone()));
        }
        let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(&der[..])).collect();
        let Some((leaf, intermediates)) = chain.split_first() else {
            return Err(distrust(Alert::BadCertificate, "no certificate".to_owned()));
        };
        let refused = |error| distrust(alert_of(&error), text_of(&error));
        let leaf_certificate = EndEntityCert::try_from(leaf).map_err(refused)?;
        let anchors: Vec<TrustAnchor<'_>> = (self.roots.certificates.iter())
            .filter_map(|root| webpki::anchor_from_trusted_cert(root).ok())
            .collect();
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
            self.algorithms.iter().map(|it| it as &dyn SignatureVerificationAlgorithm).collect();
        let is_root = self.roots.certificates.contains(leaf);
        let is_pinned = self.roots.may_be_server && is_root;
        let is_self_signed = leaf_certificate.issuer() == leaf_certificate.subject();
        let path = leaf_certificate.verify_for_usage(
            &algorithms,
            &anchors,
            intermediates,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        );
        match path {
            Ok(_) if !is_pinned => check_leaf(&leaf_certificate)?,
            Ok(_) => {}
            // The user has named this very certificate, so nobody need have signed it. Its validity
            // has been checked by then.
            Err(
                Error::CaUsedAsEndEntity
                | Error::UnknownIssuer
                | Error::RequiredEkuNotFoundContext(_)
                | Error::InvalidSignatureForPublicKey
                | Error::UnsupportedSignatureAlgorithmContext(_),
            ) if is_pinned => {}
            // The signature is its own; a root of the same name (localhost) has another key.
            Err(Error::UnknownIssuer | Error::InvalidSignatureForPublicKey)
                if is_self_signed && !is_root =>
            {
                return Err(distrust(Alert::UnknownCa, SELF_SIGNED.to_owned()));
            }
            Err(error) => return Err(refused(error)),
        }
        let Some(name) = &self.name else {
            let reason = "its name cannot be checked: no host name or address".to_owned();
            return Err(distrust(Alert::BadCertificate, reason));
        };
        leaf_certificate.verify_is_valid_for_subject_name(name).map_err(|error| match error {
            Error::CertNotValidForName(_) => {
                distrust(Alert::BadCertificate, other_name(leaf, &name.to_str()))
            }
            other => refused(other),
        })
    }
}

/// Returns for whom a certificate is that is not for `expected`.
fn other_name(leaf: &[u8], expected: &str) -> String {
    const SHOWN: usize = 3;
    let certificate = CertificateInner::<Raw>::from_der(leaf);
    let names = certificate.map(|it| host_names::of(&it)).unwrap_or_default();
    let (shown, rest) = names.split_at(SHOWN.min(names.len()));
    let shown = shown.join(", ");
    match (names.len(), rest.len()) {
        (0, _) => format!("{NO_NAME} to compare with {expected}"),
        (_, 0) => format!("{OTHER_NAME}{shown}, not for {expected}"),
        (_, more) => format!("{OTHER_NAME}{shown} and {more} more, not for {expected}"),
    }
}

/// Returns the options that help where a certificate is not trusted for this reason.
pub(crate) fn advice(reason: &str) -> &'static str {
    if reason.starts_with(OTHER_NAME) {
        "--server-name gives a name in the certificate; --insecure goes on"
    } else if reason.starts_with(NO_NAME) {
        "--insecure goes on"
    } else {
        "--ca-file names the certificates to trust; --insecure goes on"
    }
}

/// How the reason begins where a certificate is for another name.
const OTHER_NAME: &str = "it is for ";

/// How the reason begins where a certificate is for no name.
const NO_NAME: &str = "it has no host name (subjectAltName)";

const SELF_SIGNED: &str = "it is self-signed, and not itself one of the trusted";

/// Checks that the server's own RSA key is as long as those above it, whose signatures were
/// verified with this minimum.
fn check_leaf(leaf: &EndEntityCert<'_>) -> Result<(), Distrust> {
    let info = leaf.subject_public_key_info();
    // A key of another kind has no length here, or is one that no suite takes.
    let bits = PublicKeyDer::from_der(&info).ok().and_then(|key| key.modulus_bits());
    match bits.filter(|bits| *bits < MIN_MODULUS_BITS) {
        None => Ok(()),
        Some(bits) => Err(Distrust::new(
            Alert::InsufficientSecurity,
            format!("its RSA key has {bits} bits; at least {MIN_MODULUS_BITS} are needed"),
        )),
    }
}

impl VerifyServer for Verifier {
    fn verify(&self, chain: &[Vec<u8>], _: Option<&str>) -> Result<(), Distrust> {
        let found = self.check(chain, UnixTime::now());
        self.trust.set(found.clone().map_err(|distrust| distrust.reason));
        if self.insecure { Ok(()) } else { found }
    }
}

/// A signature algorithm of certificates, by the backend.
struct Algorithm {
    provider: Provider,
    scheme: SignatureScheme,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
}

impl fmt::Debug for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme.name())
    }
}

impl Algorithm {
    /// Returns those that the backend has. SHA-1 is not among them: its collisions are cheap.
    fn all(provider: &Provider) -> Vec<Self> {
        use SignatureScheme as S;
        let rsa = [
            (S::RsaSha256, alg_id::RSA_PKCS1_SHA256),
            (S::RsaSha384, alg_id::RSA_PKCS1_SHA384),
            (S::RsaSha512, alg_id::RSA_PKCS1_SHA512),
            (S::RsaPssSha256, alg_id::RSA_PSS_SHA256),
            (S::RsaPssSha384, alg_id::RSA_PSS_SHA384),
            (S::RsaPssSha512, alg_id::RSA_PSS_SHA512),
        ];
        let rsa = rsa.map(|(scheme, signature)| (scheme, alg_id::RSA_ENCRYPTION, signature));
        let ecdsa = [
            (S::EcdsaSha256, alg_id::ECDSA_SHA256),
            (S::EcdsaSha384, alg_id::ECDSA_SHA384),
            (S::EcdsaSha512, alg_id::ECDSA_SHA512),
        ];
        let curves = [alg_id::ECDSA_P256, alg_id::ECDSA_P384, alg_id::ECDSA_P521];
        let ecdsa = ecdsa
            .into_iter()
            .flat_map(|(scheme, signature)| curves.map(|key| (scheme, key, signature)));
        let supports = |operation| provider.backend().support(operation).is_supported();
        rsa.into_iter()
            .chain(ecdsa)
            .filter(|(scheme, ..)| {
                supports(Operation::Verify(*scheme))
                    && scheme.hashes().iter().all(|hash| supports(Operation::Hash(*hash)))
            })
            .map(|(scheme, key, signature)| Self {
                provider: provider.clone(),
                scheme,
                key,
                signature,
            })
            .collect()
    }

    /// The `SubjectPublicKeyInfo` of a key.
    fn public_key(&self, key: &[u8]) -> Option<Vec<u8>> {
        let algorithm = AnyRef::new(Tag::Sequence, self.key.as_ref()).ok()?.to_der().ok()?;
        let key = BitStringRef::from_bytes(key).ok()?.to_der().ok()?;
        AnyRef::new(Tag::Sequence, &[algorithm, key].concat()).ok()?.to_der().ok()
    }
}

impl SignatureVerificationAlgorithm for Algorithm {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let public_key = self.public_key(public_key).ok_or(InvalidSignature)?;
        let mut digest = vec![0; self.scheme.digest_len().unwrap_or_default()];
        let hashing = self.provider.backend().hashing();
        for hash in self.scheme.hashes() {
            hashing.hash(*hash, &[message], &mut digest).map_err(|_| InvalidSignature)?;
        }
        self.provider
            .verify_signature(&public_key, self.scheme, &digest, signature)
            .map_err(|_| InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

/// The alert for a chain that is not trusted.
fn alert_of(error: &Error) -> Alert {
    match error {
        Error::UnknownIssuer => Alert::UnknownCa,
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => Alert::CertificateExpired,
        Error::UnsupportedSignatureAlgorithmContext(_) | Error::UnsupportedCertVersion => {
            Alert::UnsupportedCertificate
        }
        _ => Alert::BadCertificate,
    }
}

/// Returns the reason in words: our own for those that people meet, else those of webpki.
fn text_of(error: &Error) -> String {
    match error {
        Error::UnknownIssuer => {
            "its issuer is unknown: no certificate of the chain leads to a trusted root"
        }
        Error::CertExpired { .. } => "it, or one above it, has expired",
        Error::CertNotValidYet { .. } => "it, or one above it, is not valid yet",
        Error::CaUsedAsEndEntity => "it is a CA certificate, and not itself one of the trusted",
        Error::UnsupportedCertVersion => "it is not of version 3",
        Error::UnsupportedSignatureAlgorithmContext(_) => {
            "it, or one above it, is signed with an algorithm that is not accepted, such as SHA-1"
        }
        // Keys and schemes that the backend lacks come as this error too.
        Error::InvalidSignatureForPublicKey => {
            "its signature, or one above it, is wrong, by an RSA key of less than 2048 bits, of a \
             kind that the backend does not verify, or by another key than that of the trusted \
             certificate with the name of its issuer"
        }
        Error::RequiredEkuNotFoundContext(_) => "its extended key usage has no serverAuth",
        other => return format!("{other}"),
    }
    .to_owned()
}
