//! What is signed in a handshake, and by which scheme: by a server its parameters of a key exchange
//! (RFC 5246 section 7.4.3), by a client all messages so far (section 7.4.8); in TLS 1.3 by both
//! the transcript hash (RFC 8446 section 4.4.3).

use ssl_provider::tls13::Tls13Parameters;
use ssl_provider::{
    Error, HandshakeHash, NamedCurve, Operation, ProtocolVersion, Provider, Side,
    SignatureAlgorithm, SignatureScheme, SigningKey,
};

/// What a server signs in ServerKeyExchange, one after the other: both randoms and its parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignedParameters<'a> {
    pub(crate) client_random: &'a [u8; 32],
    pub(crate) server_random: &'a [u8; 32],
    /// The parameters as the message has them.
    pub(crate) parameters: &'a [u8],
}

impl SignedParameters<'_> {
    /// Returns the digest that is signed.
    pub(crate) fn digest(
        &self,
        provider: &Provider,
        scheme: SignatureScheme,
    ) -> Result<Vec<u8>, Error> {
        digest(provider, scheme, &[self.client_random, self.server_random, self.parameters])
    }
}

/// Returns the digest of a scheme over these parts, one after the other.
pub(crate) fn digest(
    provider: &Provider,
    scheme: SignatureScheme,
    parts: &[&[u8]],
) -> Result<Vec<u8>, Error> {
    let mut digest = vec![0; scheme.digest_len().unwrap_or_default()];
    let mut rest = &mut digest[..];
    for hash in scheme.hashes() {
        let (out, after) = rest.split_at_mut(hash.output_len().min(rest.len()));
        provider.backend().hashing().hash(*hash, parts, out)?;
        rest = after;
    }
    Ok(digest)
}

/// Returns the scheme of a key in a version that does not negotiate schemes; `None` for TLS 1.2,
/// which does (RFC 2246 section 7.4.3, RFC 8422 section 5.4).
pub(crate) fn fixed_scheme(protocol: ProtocolVersion, is_rsa: bool) -> Option<SignatureScheme> {
    match (protocol, is_rsa) {
        (ProtocolVersion::TLS1_2, _) => None,
        (_, true) => Some(SignatureScheme::RsaMd5Sha1),
        (_, false) => Some(SignatureScheme::EcdsaSha1),
    }
}

/// Returns whether the backend verifies a scheme and computes its hashes.
pub(crate) fn can_verify(provider: &Provider, scheme: SignatureScheme) -> bool {
    supports(provider, Operation::Verify(scheme)) && can_hash(provider, scheme)
}

/// Returns whether the backend signs with a key by a scheme, and computes its hashes.
pub(crate) fn can_sign(provider: &Provider, key: &SigningKey, scheme: SignatureScheme) -> bool {
    // RFC 8017 section 9.1.1 step 3, with a salt as long as the digest; one byte more, since the
    // block of a modulus of 8k + 1 bits is a byte shorter than the modulus.
    let is_too_short = scheme.algorithm() == SignatureAlgorithm::RsaPss
        && key.max_signature_len() < 2 * scheme.digest_len().unwrap_or_default() + 3;
    scheme.is_rsa() == key.curve().is_none()
        && !is_too_short
        && supports(provider, Operation::Sign(scheme))
        && can_hash(provider, scheme)
}

/// Returns whether TLS 1.3 signs a handshake by a scheme with a key on this curve, or an RSA key
/// (RFC 8446 section 4.2.3): RSA-PSS, and ECDSA with the digest of the curve.
pub(crate) fn is_tls13_scheme(scheme: SignatureScheme, curve: Option<NamedCurve>) -> bool {
    match curve {
        None => scheme.algorithm() == SignatureAlgorithm::RsaPss,
        Some(NamedCurve::Secp256r1) => scheme == SignatureScheme::EcdsaSha256,
        Some(NamedCurve::Secp384r1) => scheme == SignatureScheme::EcdsaSha384,
        Some(NamedCurve::Secp521r1) => scheme == SignatureScheme::EcdsaSha512,
        Some(_) => false,
    }
}

/// Returns the digest that CertificateVerify of TLS 1.3 is a signature over (RFC 8446 section
/// 4.4.3), after all messages up to Certificate.
pub(crate) fn certificate_verify_digest(
    provider: &Provider,
    parameters: &Tls13Parameters,
    signer: Side,
    transcript: &HandshakeHash,
    scheme: SignatureScheme,
) -> Result<Vec<u8>, Error> {
    let content = parameters.certificate_verify_content(signer, transcript)?;
    digest(provider, scheme, &[&content])
}

fn can_hash(provider: &Provider, scheme: SignatureScheme) -> bool {
    scheme.hashes().iter().all(|hash| supports(provider, Operation::Hash(*hash)))
}

fn supports(provider: &Provider, operation: Operation) -> bool {
    provider.backend().support(operation).is_supported()
}

#[cfg(test)]
mod tests {
    use ssl_provider::{HashAlgorithm, default_backend};
    use ssl_provider_testkit::reference::hash;

    use super::*;

    #[test]
    fn randoms_and_parameters_are_hashed_in_this_order() {
        let provider = Provider::open(default_backend().unwrap());
        let signed = SignedParameters {
            client_random: &[1; 32],
            server_random: &[2; 32],
            parameters: &[3, 0, 29],
        };
        let bytes = [&[1; 32][..], &[2; 32], &[3, 0, 29]].concat();
        let digest = |scheme| signed.digest(&provider, scheme).unwrap();
        assert_eq!(digest(SignatureScheme::RsaSha256), hash(HashAlgorithm::Sha256, &[&bytes]));
        let both = [HashAlgorithm::Md5, HashAlgorithm::Sha1].map(|it| hash(it, &[&bytes])).concat();
        assert_eq!(digest(SignatureScheme::RsaMd5Sha1), both, "RFC 2246 section 7.4.3");
    }

    #[test]
    fn only_tls_1_2_negotiates_a_scheme() {
        for is_rsa in [true, false] {
            assert_eq!(fixed_scheme(ProtocolVersion::TLS1_2, is_rsa), None);
            let fixed = fixed_scheme(ProtocolVersion::TLS1_0, is_rsa).unwrap();
            assert_eq!((fixed.is_rsa(), fixed.wire().is_none()), (is_rsa, is_rsa));
        }
    }
}
