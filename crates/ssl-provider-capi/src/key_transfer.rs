//! Import and export of keys as blobs: session keys for another process, public keys, and the
//! verification of signatures with them.

use std::sync::Arc;

use ssl_provider::{Error, PublicKeyDer, SignatureAlgorithm, SignatureScheme};
use ssl_provider_keys::{BlobType, EcAlgorithm, PublicKey};

use crate::abi::{
    BCRYPT_OPAQUE_KEY_BLOB, KeyHandle, NCRYPT_SSL_SIGN_INCLUDE_HASHOID,
    NCRYPT_SSL_SIGN_USE_PSS_PADDING, NTE_BAD_TYPE, NTE_NOT_SUPPORTED, ProviderHandle,
};
use crate::boundary::export;
use crate::check::{SizedOutput, no_flags};
use crate::client_auth::SIGNED_HASHES;
use crate::failure::{Failure, ensure};
use crate::key_store::{MAX_BLOB_LEN, check_blob_type, public_blob};
use crate::object::{ImportedPublicKey, Object};
use crate::pointer::{Bytes, Out, OutBytes, WideStr};
use crate::process::process;
use crate::provider::wide;
use crate::session_key::SessionKey;

export! {
    /// Exports a session key for another process (OpaqueKeyBlob), or the public half of another key
    /// (RSAPUBLICBLOB, ECCPUBLICBLOB). Returns `NTE_NOT_SUPPORTED` for a blob type that is not
    /// valid for this key type, and `NTE_PERM` if the policy of the provider denies the export of
    /// session keys.
    ///
    /// An opaque blob holds the key unencrypted, with its position in the connection: the importer
    /// continues with the next record, and the exported key must not be used for the same records.
    fn SslExportKey is ExportKeyFn(
        provider: ProviderHandle,
        key: KeyHandle,
        blob_type: WideStr,
        output: OutBytes,
        output_len: u32,
        result_len: Out<u32>,
        flags: u32,
    ) {
        let provider = process().handles.provider(provider)?;
        process().handles.any_key(key, &provider)?;
        let blob_type = blob_type.required("pszBlobType is NULL")?;
        let output = SizedOutput::new(output, output_len, result_len)?;
        no_flags(flags)?;
        match blob_type.as_str() {
            BCRYPT_OPAQUE_KEY_BLOB => {
                let key = process().handles.session_key(key, &provider).map_err(|_| NOT_VALID)?;
                let blob = key.records()?.key().export()?;
                // SAFETY: the caller of the export promises that pbOutput has room for cbOutput
                // bytes.
                unsafe { output.write(blob.expose()) }
            }
            other => {
                let key = process().handles.public_half(key, &provider).map_err(|_| NOT_VALID)?;
                // SAFETY: as above.
                unsafe { output.write(&public_blob(&key, other)?) }
            }
        }
    }
}

export! {
    /// Imports a session key that another process exported from a provider with the same backend
    /// (OpaqueKeyBlob), or a public key for `SslVerifySignature` (RSAPUBLICBLOB, ECCPUBLICBLOB on
    /// P-256, P-384 or P-521, PUBLICBLOB, which is either of them, or CAPIPUBLICBLOB). Returns
    /// `NTE_NOT_SUPPORTED` for other blob types.
    fn SslImportKey is ImportKeyFn(
        provider: ProviderHandle,
        key: Out<KeyHandle>,
        blob_type: WideStr,
        blob: Bytes,
        blob_len: u32,
        flags: u32,
    ) {
        key.preset(0);
        let provider = process().handles.provider(provider)?;
        let place = key.required("phKey is NULL")?;
        let blob_type = blob_type.required("pszBlobType is NULL")?;
        ensure(!blob.is_null(), "pbKeyBlob is NULL")?;
        no_flags(flags)?;
        ensure(blob_len <= MAX_BLOB_LEN, "key blob: longer than 64 KiB")?;
        // SAFETY: the caller of the export promises that pbKeyBlob is readable for cbKeyBlob bytes.
        let blob = unsafe { blob.copy(blob_len, "pbKeyBlob is NULL") }?;
        let backend = provider.provider().backend().clone();
        let object = match blob_type.as_str() {
            BCRYPT_OPAQUE_KEY_BLOB => {
                let key = provider.provider().import_record_key(&blob)?;
                Object::SessionKey(Arc::new(SessionKey::new(backend, key)))
            }
            other => {
                check_blob_type(other, &blob, BlobType::is_public)?;
                let key = PublicKey::from_blob(&blob)?;
                Object::PublicKey(Arc::new(ImportedPublicKey { backend, key }))
            }
        };
        place.write(process().handles.insert(object)?);
        Ok(())
    }
}

export! {
    /// Verifies a signature with the public half of an RSA or ECDSA key, of this provider or of key
    /// storage. `dwFlags` says how it was made, as for `SslSignHash`:
    ///
    /// - RSA, 0: PKCS#1 v1.5 without a DigestInfo. `pbHashValue` is any bytes, at most 11 fewer
    ///   than the modulus has, such as the 36 of MD5 and SHA-1 before TLS 1.2.
    /// - RSA, `NCRYPT_SSL_SIGN_INCLUDE_HASHOID`: PKCS#1 v1.5 with the DigestInfo, as in TLS 1.2.
    ///   `pbHashValue` is the name of the hash, "SHA1", "SHA256", "SHA384" or "SHA512", in UTF-16
    ///   with its NUL, and right behind it the digest; `cbHashValue` counts the bytes of both.
    /// - RSA, `NCRYPT_SSL_SIGN_USE_PSS_PADDING`: PSS with a salt as long as the digest and MGF1 of
    ///   the same hash. `pbHashValue` is name and digest as above, or the digest alone; SHA-256,
    ///   SHA-384 or SHA-512.
    /// - ECDSA, 0: `pbHashValue` is a digest alone, of 20, 32, 48 or 64 bytes. The signature is in
    ///   DER, as in CertificateVerify (RFC 8422, 5.4), or r and s one after the other, each as long
    ///   as a coordinate.
    ///
    /// Returns `NTE_BAD_SIGNATURE` if verification fails, `NTE_BAD_FLAGS` for other flags, also
    /// both together, `NTE_INVALID_PARAMETER` for an unknown name, a missing NUL or a digest of the
    /// wrong length, and `NTE_BAD_TYPE` for an ECDH key.
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
            return Err(Failure::Status(NTE_BAD_TYPE, "an ECDH key cannot verify signatures"));
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

/// The failure for a blob type of another kind of key.
const NOT_VALID: Failure =
    Failure::Status(NTE_NOT_SUPPORTED, "pszBlobType: not valid for this key type");

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
