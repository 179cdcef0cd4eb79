//! Verification of signatures by OpenSSL, over digests: RSA PKCS#1 v1.5 and PSS, and ECDSA.

use openssl::error::ErrorStack;
use openssl::md::{Md, MdRef};
use openssl::pkey::{PKey, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::rsa::Padding;
use openssl::sign::RsaPssSaltlen;

use ssl_provider_core::backend::{BAD_PUBLIC_KEY, Signatures};
use ssl_provider_core::{
    Error, HashAlgorithm, Operation, PublicKeyDer, SignatureAlgorithm, SignatureScheme,
};

use crate::{OpenSsl, failure};

impl Signatures for OpenSsl {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let key = PKey::public_key_from_der(key.der()).map_err(|_| BAD_PUBLIC_KEY)?;
        let hash = match scheme.hashes() {
            [hash] => Some(md(*hash).ok_or(Error::Unsupported(Operation::Verify(scheme)))?),
            _ => None,
        };
        let mut context = set_up(&key, hash, scheme.algorithm()).map_err(failure)?;
        // OpenSSL may have an error of its own for a signature that is not well formed.
        match context.verify(digest, signature) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::BadSignature),
        }
    }
}

fn md(hash: HashAlgorithm) -> Option<&'static MdRef> {
    Some(match hash {
        HashAlgorithm::Md5 => Md::md5(),
        HashAlgorithm::Sha1 => Md::sha1(),
        HashAlgorithm::Sha256 => Md::sha256(),
        HashAlgorithm::Sha384 => Md::sha384(),
        HashAlgorithm::Sha512 => Md::sha512(),
        _ => return None,
    })
}

/// For RSA, PKCS#1 v1.5 is what OpenSSL does unless told otherwise, and without a hash it expects
/// no DigestInfo. MGF1 takes the hash of the signature.
fn set_up(
    key: &PKey<Public>,
    hash: Option<&MdRef>,
    algorithm: SignatureAlgorithm,
) -> Result<PkeyCtx<Public>, ErrorStack> {
    let mut context = PkeyCtx::new(key)?;
    context.verify_init()?;
    if let Some(hash) = hash {
        context.set_signature_md(hash)?;
    }
    if algorithm == SignatureAlgorithm::RsaPss {
        context.set_rsa_padding(Padding::PKCS1_PSS)?;
        context.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    Ok(context)
}
