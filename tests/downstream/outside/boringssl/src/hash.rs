//! Hashes, HMAC and the TLS PRF of BoringSSL.

use boring::error::ErrorStack;
use boring::hash::{Hasher, MessageDigest};
use boring::hmac::Hmac;
use boring::nid::Nid;
use boring::prf::tls1_prf;
use ssl_provider::backend::{BAD_OUTPUT_LEN, HashContext, Hashing};
use ssl_provider::{Error, HashAlgorithm, Operation, PrfAlgorithm};
use zeroize::Zeroizing;

use crate::{BoringSsl, failure};

impl Hashing for BoringSsl {
    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        let digest = digest(hash).ok_or(Error::Unsupported(Operation::Hash(hash)))?;
        let hasher = Hasher::new(digest).map_err(failure)?;
        Ok(Box::new(Context { hasher: Ok(hasher), len: hash.output_len() }))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let digest = digest(hash).ok_or(Error::Unsupported(Operation::Hmac(hash)))?;
        if out.len() != hash.output_len() {
            return Err(BAD_OUTPUT_LEN);
        }
        let compute = || {
            let mut code = Hmac::init(key, &digest)?;
            input.iter().try_for_each(|part| code.update(part))?;
            code.finalize()
        };
        out.copy_from_slice(&Zeroizing::new(compute().map_err(failure)?));
        Ok(())
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        let digest = match prf {
            PrfAlgorithm::Md5Sha1 => MessageDigest::from_nid(Nid::MD5_SHA1),
            PrfAlgorithm::Sha256 => Some(MessageDigest::sha256()),
            PrfAlgorithm::Sha384 => Some(MessageDigest::sha384()),
            _ => None,
        };
        let digest = digest.ok_or(Error::Unsupported(Operation::Prf(prf)))?;
        // Seeds are randoms and hashes, which are public.
        let done = tls1_prf(digest, out, secret, label, &seed.concat());
        done.map_err(|errors| {
            out.fill(0);
            failure(errors)
        })
    }
}

/// What BoringSSL calls a hash.
pub(crate) fn digest(hash: HashAlgorithm) -> Option<MessageDigest> {
    Some(match hash {
        HashAlgorithm::Md5 => MessageDigest::md5(),
        HashAlgorithm::Sha1 => MessageDigest::sha1(),
        HashAlgorithm::Sha256 => MessageDigest::sha256(),
        HashAlgorithm::Sha384 => MessageDigest::sha384(),
        HashAlgorithm::Sha512 => MessageDigest::sha512(),
        _ => return None,
    })
}

/// A running hash, or the errors that ended it: only its end can report them.
struct Context {
    hasher: Result<Hasher, ErrorStack>,
    len: usize,
}

impl HashContext for Context {
    fn update(&mut self, input: &[u8]) {
        if let Ok(hasher) = &mut self.hasher
            && let Err(errors) = hasher.update(input)
        {
            self.hasher = Err(errors);
        }
    }

    fn duplicate(&self) -> Box<dyn HashContext> {
        Box::new(Self { hasher: self.hasher.clone(), len: self.len })
    }

    fn finish(self: Box<Self>, out: &mut [u8]) -> Result<(), Error> {
        if out.len() != self.len {
            return Err(BAD_OUTPUT_LEN);
        }
        let digest = self.hasher.and_then(|mut hasher| hasher.finish()).map_err(failure)?;
        out.copy_from_slice(&digest);
        Ok(())
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("len", &self.len).finish_non_exhaustive()
    }
}
