//! Signatures of BoringSSL over digests: RSA PKCS#1 v1.5 and PSS, and ECDSA. Its crate signs
//! messages only, so this calls the C functions.

use std::ffi::c_int;
use std::fmt;

use boring::bn::BigNum;
use boring::ec::EcKey;
use boring::ecdsa::EcdsaSig;
use boring::error::ErrorStack;
use boring::nid::Nid;
use boring::pkey::Private;
use boring::rsa::Rsa;
use foreign_types::ForeignType;
use ssl_provider::backend::{BAD_PUBLIC_KEY, SignatureKey, Signatures};
use ssl_provider::{
    Error, HashAlgorithm, InvalidKey, Operation, PublicKeyDer, PublicKeyParts, SignatureAlgorithm,
    SignatureScheme, SigningKeyDer,
};

use crate::agreement::{group, key_from_number};
use crate::hash::digest;
use crate::{BoringSsl, NAME, check, failure, rsa};

impl Signatures for BoringSsl {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        if let PublicKeyParts::Rsa { modulus, exponent } = key.parts() {
            let n = BigNum::from_slice(modulus).map_err(failure)?;
            let e = BigNum::from_slice(exponent).map_err(failure)?;
            let key = Rsa::from_public_components(n, e).map_err(|_| BAD_PUBLIC_KEY)?;
            return match verify_rsa(key.as_ptr(), modulus.len(), scheme, digest, signature) {
                Ok(true) => Ok(()),
                Ok(false) => Err(Error::BadSignature),
                Err(error) => Err(error),
            };
        }
        let key = EcKey::public_key_from_der(key.der()).map_err(|_| BAD_PUBLIC_KEY)?;
        // The crate ignores bytes after the signature.
        let parsed = EcdsaSig::from_der(signature).map_err(|_| Error::BadSignature)?;
        if parsed.to_der().map_err(failure)? != signature {
            return Err(Error::BadSignature);
        }
        match parsed.verify(digest, &key) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::BadSignature),
        }
    }

    fn load(&self, key: &SigningKeyDer<'_>) -> Result<Box<dyn SignatureKey>, Error> {
        match key {
            SigningKeyDer::Rsa(der) => Ok(Box::new(RsaKey(rsa::Key::load(der)?.0))),
            SigningKeyDer::Ec(der) => {
                let group = group(der.curve().into())?.ok_or(Error::Key(InvalidKey::Curve))?;
                let key = key_from_number(&group, der.number());
                Ok(Box::new(EcdsaKey(key.map_err(|_| Error::Key(InvalidKey::Inconsistent))?)))
            }
            _ => Err(Error::Key(InvalidKey::NotRsaOrEc)),
        }
    }
}

/// An RSA key that signs. BoringSSL wipes it when it is freed, and checks its results.
struct RsaKey(Rsa<Private>);

impl SignatureKey for RsaKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        if !scheme.is_rsa() {
            return Err(Error::Unsupported(Operation::Sign(scheme)));
        }
        let mut signature = vec![0; self.0.size() as usize];
        let written = sign_rsa(&self.0, scheme, digest, &mut signature)?;
        if written != signature.len() {
            return Err(Error::Backend { backend: NAME, code: 0 });
        }
        Ok(signature)
    }
}

fn sign_rsa(
    key: &Rsa<Private>,
    scheme: SignatureScheme,
    digest: &[u8],
    out: &mut [u8],
) -> Result<usize, Error> {
    let unsupported = Error::Unsupported(Operation::Sign(scheme));
    let (input, input_len) = (digest.as_ptr(), digest.len());
    let (room, out) = (out.len(), out.as_mut_ptr());
    if scheme.algorithm() == SignatureAlgorithm::RsaPss {
        let [hash] = scheme.hashes() else { return Err(unsupported) };
        let (md, salt_len) = pss(*hash).ok_or(unsupported)?;
        let mut written = 0;
        // SAFETY: key and hash are live; the pointers are to as many bytes as are named, those of
        // `out` writable.
        check(unsafe {
            boring_sys::RSA_sign_pss_mgf1(
                key.as_ptr(),
                &raw mut written,
                out,
                room,
                input,
                input_len,
                md,
                md,
                salt_len,
            )
        })
        .map_err(failure)?;
        return Ok(written);
    }
    let Some(name) = name_of_digest(scheme) else {
        let mut written = 0;
        // SAFETY: as above.
        check(unsafe {
            boring_sys::RSA_sign_raw(
                key.as_ptr(),
                &raw mut written,
                out,
                room,
                input,
                input_len,
                PKCS1,
            )
        })
        .map_err(failure)?;
        return Ok(written);
    };
    let mut written = 0;
    // SAFETY: as above; `out` has room for as many bytes as the modulus has.
    check(unsafe {
        boring_sys::RSA_sign(name, input, input_len, out, &raw mut written, key.as_ptr())
    })
    .map_err(failure)?;
    Ok(written as usize)
}

fn verify_rsa(
    key: *mut boring_sys::RSA,
    modulus_len: usize,
    scheme: SignatureScheme,
    digest: &[u8],
    signature: &[u8],
) -> Result<bool, Error> {
    let unsupported = Error::Unsupported(Operation::Verify(scheme));
    let (input, input_len) = (digest.as_ptr(), digest.len());
    let (signed, signed_len) = (signature.as_ptr(), signature.len());
    if scheme.algorithm() == SignatureAlgorithm::RsaPss {
        let [hash] = scheme.hashes() else { return Err(unsupported) };
        let (md, salt_len) = pss(*hash).ok_or(unsupported)?;
        // SAFETY: key and hash are live; the pointers are to as many bytes as are named.
        return Ok(is_verified(unsafe {
            boring_sys::RSA_verify_pss_mgf1(
                key, input, input_len, md, md, salt_len, signed, signed_len,
            )
        }));
    }
    let Some(name) = name_of_digest(scheme) else {
        let mut found = vec![0; modulus_len];
        let mut found_len = 0;
        // SAFETY: as above; the pointer to `found` is to as many writable bytes as the modulus has.
        let opened = is_verified(unsafe {
            boring_sys::RSA_verify_raw(
                key,
                &raw mut found_len,
                found.as_mut_ptr(),
                found.len(),
                signed,
                signed_len,
                PKCS1,
            )
        });
        return Ok(opened && found.get(..found_len) == Some(digest));
    };
    // SAFETY: as above.
    Ok(is_verified(unsafe {
        boring_sys::RSA_verify(name, input, input_len, signed, signed_len, key)
    }))
}

/// Whether a function verified, with the queue of errors empty afterwards.
fn is_verified(result: c_int) -> bool {
    check(result).is_ok()
}

/// What `DigestInfo` names; none where the scheme has none.
fn name_of_digest(scheme: SignatureScheme) -> Option<c_int> {
    Some(match scheme.hashes() {
        [HashAlgorithm::Sha1] => Nid::SHA1.as_raw(),
        [HashAlgorithm::Sha256] => Nid::SHA256.as_raw(),
        [HashAlgorithm::Sha384] => Nid::SHA384.as_raw(),
        [HashAlgorithm::Sha512] => Nid::SHA512.as_raw(),
        _ => return None,
    })
}

/// The hash of PSS, and the length of a salt that is as long.
fn pss(hash: HashAlgorithm) -> Option<(*const boring_sys::EVP_MD, c_int)> {
    Some((digest(hash)?.as_ptr(), c_int::try_from(hash.output_len()).ok()?))
}

/// The padding of PKCS#1 v1.5.
const PKCS1: c_int = boring_sys::RSA_PKCS1_PADDING;

/// A key on a curve that signs. BoringSSL wipes it when it is freed.
struct EcdsaKey(EcKey<Private>);

impl SignatureKey for EcdsaKey {
    fn sign(&self, scheme: SignatureScheme, digest: &[u8]) -> Result<Vec<u8>, Error> {
        if scheme.algorithm() != SignatureAlgorithm::Ecdsa {
            return Err(Error::Unsupported(Operation::Sign(scheme)));
        }
        let sign = || -> Result<Vec<u8>, ErrorStack> { EcdsaSig::sign(digest, &self.0)?.to_der() };
        sign().map_err(failure)
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for EcdsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcdsaKey").finish_non_exhaustive()
    }
}
