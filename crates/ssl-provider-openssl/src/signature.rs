//! Verification of signatures by OpenSSL, over digests: RSA PKCS#1 v1.5, and ECDSA.

use openssl::error::ErrorStack;
use openssl::md::Md;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, Signatures};
use ssl_provider_core::{Error, Operation, PublicKeyDer, SignatureScheme};

use crate::{OpenSsl, failure};

impl Signatures for OpenSsl {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        verify(key, scheme, digest, signature)
    }
}

/// Verifies `signature` over `digest`.
pub(crate) fn verify(
    key: &PublicKeyDer<'_>,
    scheme: SignatureScheme,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    let key = PKey::public_key_from_der(key.der()).map_err(|_| BAD_PUBLIC_KEY)?;
    let hash = hash(scheme).ok_or(Error::Unsupported(Operation::Verify(scheme)))?;
    let mut context = set_up(&key, hash).map_err(failure)?;
    // OpenSSL may have an error of its own for a signature that is not well formed.
    match context.verify(digest, signature) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(Error::BadSignature),
    }
}

fn hash(scheme: SignatureScheme) -> Option<Nid> {
    Some(match scheme {
        SignatureScheme::RsaMd5Sha1 => Nid::MD5_SHA1,
        SignatureScheme::RsaSha1 | SignatureScheme::EcdsaSha1 => Nid::SHA1,
        SignatureScheme::RsaSha256 | SignatureScheme::EcdsaSha256 => Nid::SHA256,
        SignatureScheme::RsaSha384 | SignatureScheme::EcdsaSha384 => Nid::SHA384,
        SignatureScheme::RsaSha512 | SignatureScheme::EcdsaSha512 => Nid::SHA512,
        _ => return None,
    })
}

fn set_up(key: &PKey<Public>, hash: Nid) -> Result<PkeyCtx<Public>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    // For RSA, PKCS#1 v1.5 is what OpenSSL does unless told otherwise.
    context.set_signature_md(Md::from_nid(hash).ok_or_else(ErrorStack::get)?)?;
    Ok(context)
}
