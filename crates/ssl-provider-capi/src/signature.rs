//! Signatures: SslSignHash, and SslVerifySignature as its mirror.

use ssl_provider::{Error, PublicKeyDer, SignatureAlgorithm, SignatureScheme};
use ssl_provider_keys::{EcAlgorithm, PublicKey};

use crate::abi::{
    KeyHandle, NCRYPT_SSL_SIGN_INCLUDE_HASHOID, NCRYPT_SSL_SIGN_USE_PSS_PADDING, NTE_BAD_TYPE,
    ProviderHandle,
};
use crate::boundary::export;
use crate::check::SizedOutput;
use crate::client_auth::SIGNED_HASHES;
use crate::failure::{Failure, ensure};
use crate::key_store::MAX_BLOB_LEN;
use crate::object::PublicHalf;
use crate::pointer::{Bytes, Out, OutBytes};
use crate::process::process;
use crate::provider::wide;

export! {
    /// Signs a hash with a key of `SslOpenPrivateKey`, for ServerKeyExchange or CertificateVerify.
    /// The key and `dwFlags` say how:
    ///
    /// - RSA, 0: PKCS#1 v1.5 without a DigestInfo. `pbHashValue` is any bytes, at least 1 and at
    ///   most 11 fewer than the modulus has, such as the 36 of MD5 and SHA-1 before TLS 1.2.
    /// - RSA, `NCRYPT_SSL_SIGN_INCLUDE_HASHOID`: PKCS#1 v1.5 with the DigestInfo, as in TLS 1.2.
    ///   `pbHashValue` is the name of the hash, "SHA1", "SHA256", "SHA384" or "SHA512", in UTF-16
    ///   with its NUL, and right behind it the digest; `cbHashValue` counts the bytes of both.
    /// - RSA, `NCRYPT_SSL_SIGN_USE_PSS_PADDING`: PSS with a salt as long as the digest and MGF1 of
    ///   the same hash. `pbHashValue` is name and digest as above, or the digest alone; SHA-256,
    ///   SHA-384 or SHA-512.
    /// - ECDSA, 0: `pbHashValue` is a digest alone, of 20, 32, 48 or 64 bytes. The signature is in
    ///   DER, as TLS carries it (RFC 8422, 5.4); what Windows returns is not documented.
    ///
    /// The digest of ServerKeyExchange (RFC 5246, 7.4.3) comes from a handshake hash of its own:
    /// give `SslHashHandshake` client random, server random and the parameters as the message
    /// carries them, then call `SslComputeSessionHash`. In TLS 1.2 it is SHA-384 if the hash was
    /// created for a suite with this PRF, else SHA-256; that suite need not be the negotiated one.
    /// Before, it is MD5 and SHA-1, of which ECDSA signs the last 20 bytes. The digest of
    /// CertificateVerify is that of `SslComputeClientAuthHash`.
    ///
    /// An RSA signature is as long as the modulus. An ECDSA signature differs in length from the
    /// next: a NULL `pbSignature` asks for the longest, for which it must have room, and
    /// `*pcbResult` is then the length of this one.
    ///
    /// Returns `NTE_BAD_FLAGS` for other flags, also both together, `NTE_INVALID_PARAMETER` for an
    /// unknown name, a missing NUL or a digest of the wrong length or too long for the modulus,
    /// `NTE_BAD_TYPE` for an ECDH key, and `NTE_NOT_SUPPORTED` for a key of a key server and for a
    /// key or a hash that the backend does not sign with.
    fn SslSignHash is SignHashFn(
        provider: ProviderHandle,
        private_key: KeyHandle,
        hash: Bytes,
        hash_len: u32,
        signature: OutBytes,
        signature_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = process().handles.private_key(private_key, &provider)?;
        ensure(!hash.is_null(), "pbHashValue is NULL")?;
        let place = SizedOutput::new(signature, signature_len, result_len)?;
        ensure(hash_len <= MAX_BLOB_LEN, "cbHashValue: more than 64 KiB")?;
        // SAFETY: the caller of the export promises that pbHashValue is readable for cbHashValue
        // bytes.
        let hash = unsafe { hash.copy(hash_len, "pbHashValue is NULL") }?;
        let (scheme, digest) = scheme_and_digest(&key.public, flags, &hash)?;
        let signing = key.signing?;
        if place.answer_size_query(signing.max_signature_len())? {
            return Ok(());
        }
        let signature = signing.sign(scheme, digest)?;
        // SAFETY: the caller of the export promises that pbSignature has room for cbSignature
        // bytes.
        unsafe { place.write(&signature) }
    }
}

export! {
    /// Verifies a signature with a public key of `SslImportKey`, or the public half of an RSA or
    /// ECDSA key of this provider or of key storage. Key, `dwFlags` and `pbHashValue` are those of
    /// [`SslSignHash`]: without `NCRYPT_SSL_SIGN_INCLUDE_HASHOID` an RSA signature with a
    /// DigestInfo is that of a hash with it. An ECDSA signature is in DER, or r and s one after the
    /// other, each as long as a coordinate.
    ///
    /// Returns `NTE_BAD_SIGNATURE` if verification fails, `NTE_BAD_FLAGS` for other flags, also
    /// both together, `NTE_INVALID_PARAMETER` for an unknown name, a missing NUL or a digest of the
    /// wrong length, and `NTE_BAD_TYPE` for a key of ECDH or DH.
    fn SslVerifySignature is VerifySignatureFn(
        provider: ProviderHandle,
        public_key: KeyHandle,
        hash: Bytes,
        hash_len: u32,
        signature: Bytes,
        signature_len: u32,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        let key = process().handles.public_half(public_key, &provider)?;
        let PublicHalf::Key(key) = key else { return Err(NO_SIGNATURES) };
        ensure(!hash.is_null(), "pbHashValue is NULL")?;
        ensure(!signature.is_null(), "pbSignature is NULL")?;
        ensure(hash_len <= MAX_BLOB_LEN, "cbHashValue: more than 64 KiB")?;
        // SAFETY: the caller of the export promises that each is readable for its size.
        let hash = unsafe { hash.copy(hash_len, "pbHashValue is NULL") }?;
        let (scheme, digest) = scheme_and_digest(&key, flags, &hash)?;
        if signature_len > MAX_BLOB_LEN {
            return Err(Error::BadSignature.into());
        }
        let key = key.subject_public_key_info()?;
        // SAFETY: as above.
        let signature = unsafe { signature.copy(signature_len, "pbSignature is NULL") }?;
        let provider = provider.provider();
        let verify = |form: &[u8]| provider.verify_signature(&key, scheme, digest, form);
        // DER may be as long as r and s of fixed length.
        let fixed = PublicKeyDer::from_der(&key)?.ecdsa_signature_to_der(&signature);
        if fixed.is_none_or(|der| verify(&der).is_err()) {
            verify(&signature)?;
        }
        Ok(())
    }
}

/// Returns the scheme that the flags and the hash select, and the digest in the hash.
fn scheme_and_digest<'a>(
    key: &PublicKey,
    flags: u32,
    hash: &'a [u8],
) -> Result<(SignatureScheme, &'a [u8]), Failure> {
    let algorithm = match (key, flags) {
        (PublicKey::Ec(key), _) if key.algorithm != EcAlgorithm::Ecdsa => {
            return Err(NO_SIGNATURES);
        }
        (PublicKey::Ec(_), 0) => SignatureAlgorithm::Ecdsa,
        (PublicKey::Rsa(_), 0) => return Ok((SignatureScheme::RsaWithoutDigestInfo, hash)),
        (PublicKey::Rsa(_), NCRYPT_SSL_SIGN_INCLUDE_HASHOID) => SignatureAlgorithm::RsaPkcs1,
        (PublicKey::Rsa(_), NCRYPT_SSL_SIGN_USE_PSS_PADDING) => SignatureAlgorithm::RsaPss,
        _ => return Err(Error::BadFlags { given: flags }.into()),
    };
    let named = SIGNED_HASHES
        .into_iter()
        .find_map(|(name, algorithm)| Some((algorithm, hash.strip_prefix(&*wide(name))?)));
    let find = |scheme: SignatureScheme| {
        let &[hashed] = scheme.hashes() else { return None };
        let named = named.filter(|(algorithm, _)| *algorithm == hashed).map(|(_, digest)| digest);
        let digest = match algorithm {
            SignatureAlgorithm::RsaPkcs1 => named?,
            SignatureAlgorithm::RsaPss => named.unwrap_or(hash),
            _ => hash,
        };
        let good = scheme.algorithm() == algorithm && digest.len() == hashed.output_len();
        good.then_some((scheme, digest))
    };
    let found = SignatureScheme::ALL.into_iter().find_map(find);
    Ok(found.ok_or(Error::InvalidParameter("pbHashValue: not a hash that the key signs so"))?)
}

/// The failure for a key that is for key agreement only.
const NO_SIGNATURES: Failure = Failure::Status(NTE_BAD_TYPE, "an ECDH or DH key has no signatures");

#[cfg(test)]
mod tests {
    use ssl_provider::Curve;
    use ssl_provider_keys::{EcPublicKey, RsaPublicKey};

    use super::*;
    use crate::abi::{NTE_BAD_FLAGS, NTE_INVALID_PARAMETER};

    /// The scheme and the length of the digest, or the status.
    fn selected(key: &PublicKey, flags: u32, hash: &[u8]) -> Result<(SignatureScheme, usize), i32> {
        scheme_and_digest(key, flags, hash)
            .map(|(scheme, digest)| {
                assert!(hash.ends_with(digest));
                (scheme, digest.len())
            })
            .map_err(|failure| failure.status().0)
    }

    fn named(name: &str, digest_len: usize) -> Vec<u8> {
        let name = name.encode_utf16().chain([0]).flat_map(u16::to_ne_bytes);
        name.chain(vec![7; digest_len]).collect()
    }

    fn rsa() -> PublicKey {
        PublicKey::Rsa(RsaPublicKey { modulus: [0xff; 128].into(), exponent: [1, 0, 1].into() })
    }

    fn ec(algorithm: EcAlgorithm) -> PublicKey {
        PublicKey::Ec(EcPublicKey { algorithm, curve: Curve::P256, point: [4; 65].into() })
    }

    #[test]
    fn without_a_flag_rsa_signs_any_bytes_without_a_digest_info() {
        for hash in [vec![7; 36], vec![7; 32], named("SHA256", 32)] {
            let expected = Ok((SignatureScheme::RsaWithoutDigestInfo, hash.len()));
            assert_eq!(selected(&rsa(), 0, &hash), expected);
        }
    }

    #[test]
    fn a_named_hash_selects_its_scheme_and_a_digest_alone_one_of_pss_or_ecdsa() {
        use SignatureScheme as S;

        let (pkcs1, pss) = (NCRYPT_SSL_SIGN_INCLUDE_HASHOID, NCRYPT_SSL_SIGN_USE_PSS_PADDING);
        let refused = Err(NTE_INVALID_PARAMETER);
        let ecdsa = ec(EcAlgorithm::Ecdsa);
        for (name, len, of_pkcs1, of_pss, of_ecdsa) in [
            ("SHA1", 20, S::RsaSha1, None, S::EcdsaSha1),
            ("SHA256", 32, S::RsaSha256, Some(S::RsaPssSha256), S::EcdsaSha256),
            ("SHA384", 48, S::RsaSha384, Some(S::RsaPssSha384), S::EcdsaSha384),
            ("SHA512", 64, S::RsaSha512, Some(S::RsaPssSha512), S::EcdsaSha512),
        ] {
            let (alone, named_hash) = (vec![7; len], named(name, len));
            let of_pss = of_pss.map(|scheme| (scheme, len)).ok_or(NTE_INVALID_PARAMETER);
            assert_eq!(selected(&rsa(), pkcs1, &named_hash), Ok((of_pkcs1, len)), "{name}");
            assert_eq!(selected(&rsa(), pkcs1, &alone), refused, "{name}");
            assert_eq!(selected(&rsa(), pss, &named_hash), of_pss, "{name}");
            assert_eq!(selected(&rsa(), pss, &alone), of_pss, "{name}");
            assert_eq!(selected(&ecdsa, 0, &alone), Ok((of_ecdsa, len)), "{name}");
            assert_eq!(selected(&ecdsa, 0, &named_hash), refused, "{name}");
            for other in [len - 1, len + 1] {
                assert_eq!(selected(&rsa(), pkcs1, &named(name, other)), refused, "{name}");
                assert_eq!(selected(&rsa(), pss, &named(name, other)), refused, "{name}");
            }
            let without_nul = [&named_hash[..2 * name.len()], &alone].concat();
            assert_eq!(selected(&rsa(), pkcs1, &without_nul), refused, "{name}");
            assert_eq!(selected(&rsa(), pss, &without_nul), refused, "{name}");
        }
        for name in ["", "MD5", "SHA224", "sha256"] {
            assert_eq!(selected(&rsa(), pkcs1, &named(name, 32)), refused, "{name}");
            assert_eq!(selected(&rsa(), pss, &named(name, 32)), refused, "{name}");
        }
        assert_eq!(selected(&ecdsa, 0, &[7; 36]), refused, "MD5 and SHA-1");
    }

    #[test]
    fn other_flags_and_both_together_are_refused_and_every_flag_for_ecdsa() {
        for bit in 0..u32::BITS {
            let flag = 1 << bit;
            assert_eq!(selected(&ec(EcAlgorithm::Ecdsa), flag, &[7; 32]), Err(NTE_BAD_FLAGS));
            assert_eq!(selected(&ec(EcAlgorithm::Ecdh), flag, &[7; 32]), Err(NTE_BAD_TYPE));
            for more in if bit < 2 { 3..=3 } else { 0..=3 } {
                let both = selected(&rsa(), flag | more, &named("SHA256", 32));
                assert_eq!(both, Err(NTE_BAD_FLAGS), "{flag} and {more}");
            }
        }
        assert_eq!(selected(&ec(EcAlgorithm::Ecdh), 0, &[7; 32]), Err(NTE_BAD_TYPE));
    }
}
