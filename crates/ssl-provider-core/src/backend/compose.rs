//! A backend made of two: what the first does not support, the second does.
//! This is how ring, which leaves out RSA decryption, MD5 and CBC, becomes a whole backend.

use crate::algorithm::{AeadAlgorithm, CbcAlgorithm, HashAlgorithm, PrfAlgorithm, SignatureScheme};
use crate::backend::{
    AeadCipher, Backend, BackendInfo, CbcCipher, CompressionFunction, HashContext, Hashing,
    KeyExchangeBackend, RecordCiphers, RsaDecryption, RsaPrivateKey, SecureRandom, Signatures,
    StreamCipher,
};
use crate::error::Error;
use crate::operation::{Operation, Support};
use crate::public_key::PublicKeyDer;
use crate::rsa_der::RsaPrivateKeyDer;

/// Two backends as one. Each operation goes to `primary`; where that returns
/// [`Error::Unsupported`], and only there, it goes to `secondary`.
#[derive(Debug)]
pub struct Composed<P> {
    info: BackendInfo,
    primary: P,
    secondary: Backend,
}

impl<P: KeyExchangeBackend> Composed<P> {
    /// Composes two backends under a description of the whole.
    pub fn new(info: BackendInfo, primary: P, secondary: Backend) -> Self {
        Self { info, primary, secondary }
    }

    fn either<T>(
        &self,
        mut operation: impl FnMut(&dyn KeyExchangeBackend) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match operation(&self.primary) {
            Err(Error::Unsupported(_)) => operation(&*self.secondary),
            result => result,
        }
    }
}

impl<P: KeyExchangeBackend> KeyExchangeBackend for Composed<P> {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn support(&self, operation: Operation) -> Support {
        match self.primary.support(operation) {
            Support::Unsupported => self.secondary.support(operation),
            by_primary => by_primary,
        }
    }

    fn random(&self) -> &dyn SecureRandom {
        self
    }

    fn hashing(&self) -> &dyn Hashing {
        self
    }

    fn rsa_decryption(&self) -> &dyn RsaDecryption {
        self
    }

    fn record_ciphers(&self) -> &dyn RecordCiphers {
        self
    }

    fn signatures(&self) -> &dyn Signatures {
        self
    }
}

impl<P: KeyExchangeBackend> SecureRandom for Composed<P> {
    fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
        self.either(|backend| backend.random().fill(out))
    }
}

impl<P: KeyExchangeBackend> Hashing for Composed<P> {
    fn hash(&self, hash: HashAlgorithm, input: &[&[u8]], out: &mut [u8]) -> Result<(), Error> {
        self.either(|backend| backend.hashing().hash(hash, input, out))
    }

    fn hash_context(&self, hash: HashAlgorithm) -> Result<Box<dyn HashContext>, Error> {
        self.either(|backend| backend.hashing().hash_context(hash))
    }

    fn compression_function(
        &self,
        hash: HashAlgorithm,
    ) -> Result<Box<dyn CompressionFunction>, Error> {
        self.either(|backend| backend.hashing().compression_function(hash))
    }

    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.hashing().hmac(hash, key, input, out))
    }

    fn prf(
        &self,
        prf: PrfAlgorithm,
        secret: &[u8],
        label: &[u8],
        seed: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.hashing().prf(prf, secret, label, seed, out))
    }

    fn hkdf_extract(
        &self,
        hash: HashAlgorithm,
        salt: &[u8],
        input: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.hashing().hkdf_extract(hash, salt, input, out))
    }

    fn hkdf_expand(
        &self,
        hash: HashAlgorithm,
        secret: &[u8],
        info: &[&[u8]],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.hashing().hkdf_expand(hash, secret, info, out))
    }
}

impl<P: KeyExchangeBackend> RsaDecryption for Composed<P> {
    fn load(&self, key: &RsaPrivateKeyDer<'_>) -> Result<Box<dyn RsaPrivateKey>, Error> {
        self.either(|backend| backend.rsa_decryption().load(key))
    }
}

impl<P: KeyExchangeBackend> RecordCiphers for Composed<P> {
    fn rc4(&self, key: &[u8]) -> Result<Box<dyn StreamCipher>, Error> {
        self.either(|backend| backend.record_ciphers().rc4(key))
    }

    fn cbc(&self, cipher: CbcAlgorithm, key: &[u8]) -> Result<Box<dyn CbcCipher>, Error> {
        self.either(|backend| backend.record_ciphers().cbc(cipher, key))
    }

    fn aead(&self, cipher: AeadAlgorithm, key: &[u8]) -> Result<Box<dyn AeadCipher>, Error> {
        self.either(|backend| backend.record_ciphers().aead(cipher, key))
    }
}

impl<P: KeyExchangeBackend> Signatures for Composed<P> {
    fn verify(
        &self,
        key: &PublicKeyDer<'_>,
        scheme: SignatureScheme,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.either(|backend| backend.signatures().verify(key, scheme, digest, signature))
    }
}
