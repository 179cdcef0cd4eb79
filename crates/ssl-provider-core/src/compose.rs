//! A backend made of two: what the first does not support, the second does.
//! This is how ring, which leaves out RSA decryption, MD5 and CBC, becomes a whole backend.

use crate::backend::{
    BackendInfo, CompressionFunction, HashAlgorithm, HashContext, KeyExchangeBackend, PrfAlgorithm,
    RsaPrivateKey,
};
use crate::cipher::{AeadAlgorithm, AeadCipher, CbcAlgorithm, CbcCipher, StreamCipher};
use crate::error::Error;
use crate::rsa_der::RsaPrivateKeyDer;
use crate::signature::{PublicKeyDer, SignatureScheme};

/// Two backends as one. Each operation goes to `primary`; where that answers
/// [`Error::Unsupported`], and only there, it goes to `secondary`.
#[derive(Debug)]
pub struct Composed<P> {
    info: BackendInfo,
    primary: P,
    secondary: &'static dyn KeyExchangeBackend,
}

impl<P: KeyExchangeBackend> Composed<P> {
    /// Composes two backends under a description of the whole, whose support table must say whose
    /// code does what.
    pub fn new(info: BackendInfo, primary: P, secondary: &'static dyn KeyExchangeBackend) -> Self {
        Self { info, primary, secondary }
    }

    fn either<T>(
        &self,
        mut operation: impl FnMut(&dyn KeyExchangeBackend) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match operation(&self.primary) {
            Err(Error::Unsupported(_)) => operation(self.secondary),
            answer => answer,
        }
    }
}

impl<P: KeyExchangeBackend> KeyExchangeBackend for Composed<P> {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn random(&self, out: &mut [u8]) -> Result<(), Error> {
        self.either(|backend| backend.random(out))
    }

    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        self.either(|backend| backend.hash(hash, input, out))
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        self.either(|backend| backend.hash_context(hash))
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        self.either(|backend| backend.compression_function(hash))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.hmac(hash, key, input, out))
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.prf(prf, secret, label, seed, out))
    }

    fn load_rsa_private_key(
        &self,
        key: &RsaPrivateKeyDer<'_>,
    ) -> Result<Box<dyn RsaPrivateKey>, Error> {
        self.either(|backend| backend.load_rsa_private_key(key))
    }

    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        self.either(|backend| backend.rc4(key))
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        self.either(|backend| backend.cbc(cipher, key))
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        self.either(|backend| backend.aead(cipher, key))
    }

    fn verify_signature(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.verify_signature(key, scheme, digest, signature))
    }
}
